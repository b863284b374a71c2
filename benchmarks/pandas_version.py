"""
The tables of the three notebooks with pandas alone, from Parquet files: what the benchmark compares with.

Written as a careful analyst would: each file read once with the columns needed, categories for short texts, a whole
number for the deal, sorting and shifting instead of loops over rows, `merge_asof` for who owned a deal when. The
estimators on counts are the project's own on both sides.

Left out, because the benchmark's data do not hold them: a second pipeline, removed deals, deals closed without an
event, the line and value of each row set aside. The other side does them all.
"""

import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pandas_quality as quality

from salesanalysis.statistics import proportions, ranking, survival

SEGMENTS = ["region", "product", "team", "owner", "source", "segment"]
OUTCOMES = ["advanced", "skipped", "moved_back", "lost", "open"]
INFLOWS = ["starts", "advanced_in", "skipped_in", "moved_back_in", "reopened"]
RATE = ["rate", "rate_low", "rate_high"]
TEXTS = ["source", "segment", "product", "region"]


COLUMNS = {  # what of each file is needed
    "stages": ["stage", "stage_order", "is_won", "is_lost"],
    "deals": [
        *("deal_id", "created_at", "status", "closed_at", "stage", "owner", "amount"),
        *("account_id", "source", "segment", "product", "region"),
    ],
    "stage_events": ["deal_id", "stage", "entered_at", "seq"],
    "owner_history": ["deal_id", "owner", "valid_from", "valid_to"],
    "deal_changes": ["deal_id", "field", "old", "new", "changed_at"],
    "people": ["person_id", "name", "team", "hired_on", "left_on", "valid_from", "valid_to"],
    "quotas": ["holder_type", "holder_id", "period_start", "period_end", "measure", "value"],
    "credits": ["deal_id", "person_id", "share", "type"],
}


def main(folder: str, as_of: str, out: str) -> None:
    """Compute every table and keep them in one file."""
    day = pd.Timestamp(as_of)
    deals, stays, visits, people, quotas, credits, books = observed(Path(folder), day)
    pd.to_pickle(
        {
            **books,
            **sales_funnel(deals, stays, visits, step_days=30, cohort_days=180),
            **cohort_conversion(deals, day, ages=[7, 30, 60, 90, 180]),
            **rep_ranking(deals, people, quotas, credits, day, age_days=90),
            "exclusions": quality.exclusions(
                deals, books["ledger"], younger_than_days=90, needs_owner=True
            ),
        },
        out,
    )


def observed(folder: Path, as_of: pd.Timestamp) -> tuple:
    """Read the files, account for their rows and keep what was known at the end of the day."""
    end = as_of + pd.Timedelta(days=1)
    tables = {
        name: _days(pd.read_parquet(folder / f"{name}.parquet", columns=columns))
        for name, columns in COLUMNS.items()
    }
    tables, ledger = quality.accept(tables)
    stages, quotas = tables["stages"], tables["quotas"]
    people = tables["people"]
    people = people[people["valid_from"] < end].sort_values("valid_from", ignore_index=True)
    deals = tables["deals"]
    deals = deals[deals["created_at"] < end]
    owners = tables["owner_history"].drop(columns="valid_to")
    owners = owners[owners["valid_from"] < end].sort_values("valid_from", ignore_index=True)
    events = tables.pop("stage_events")
    events = _in_order(events[events["entered_at"] < end])
    findings = quality.findings(deals, events, stages, people, tables["credits"], as_of)
    deals = _as_known(deals, events, owners, people, tables["deal_changes"], as_of)
    stays = _stays(events, deals, owners, people, as_of)
    visits = _first_visits(stays, events, deals, as_of)
    findings = pd.concat([findings, quality.findings_as_known(deals, people)], ignore_index=True)
    quotas = quotas[quotas["period_start"] < end]
    books = {"ledger": ledger, "findings": findings}
    return deals, stays, visits, people, quotas, tables["credits"], books


def _days(table: pd.DataFrame) -> pd.DataFrame:
    days = ["hired_on", "left_on", "valid_from", "valid_to", "period_start", "period_end"]
    return table.astype({name: "datetime64[us]" for name in days if name in table})


def _in_order(events: pd.DataFrame) -> pd.DataFrame:
    """One row per move of a deal, in order, with the stages before and after."""
    events = events.sort_values(["deal", "entered_at", "seq"], ignore_index=True)
    moves = events.groupby("deal")
    events["previous"] = moves["order"].shift()
    events["next"] = moves["order"].shift(-1)
    events["next_at"] = moves["entered_at"].shift(-1)
    return events.drop(columns="seq")


def _owner_at(rows: pd.DataFrame, at: str, owners: pd.DataFrame, people: pd.DataFrame):
    """Add the owner, and that owner's team, at an instant."""
    rows = rows.sort_values(at)
    rows = pd.merge_asof(rows, owners, left_on=at, right_on="valid_from", by="deal").drop(
        columns="valid_from"
    )
    teams = people[["person_id", "team", "valid_from"]].rename(columns={"person_id": "owner"})
    is_first = ~teams["owner"].duplicated()
    teams["valid_from"] = teams["valid_from"].mask(is_first, pd.Timestamp("1900-01-01"))
    teams = teams.sort_values("valid_from")
    rows = pd.merge_asof(rows, teams, left_on=at, right_on="valid_from", by="owner")
    return rows.drop(columns="valid_from").astype({"owner": "category", "team": "category"})


def _as_known(deals, events, owners, people, changes, as_of: pd.Timestamp) -> pd.DataFrame:
    """State, owner, team and amount of each deal on the day."""
    deals = deals.drop(columns=["status", "closed_at", "stage", "owner", "account_id"])
    deals = deals.astype({"amount": "float64", **dict.fromkeys(TEXTS, "category")})
    last = events.drop_duplicates("deal", keep="last").set_index("deal")
    n_stages = events["order"].max() - 2
    status = np.select([last["order"] == n_stages + 1, last["order"] == n_stages + 2], [1, 2], 0)
    deals["order"] = last["order"]
    deals["cause"] = pd.Series(status, index=last.index)
    closed_at = last["entered_at"].where(status > 0)
    deals["status_at"] = closed_at.fillna(as_of + pd.Timedelta(hours=24, microseconds=-1))
    deals["created_on"] = deals["created_at"].dt.normalize()
    deals["closed_on"] = closed_at.dt.normalize()
    deals["exit_age"] = (deals["closed_on"].fillna(as_of) - deals["created_on"]).dt.days
    deals["age_days"] = (as_of - deals["created_on"]).dt.days
    deals["cohort"] = deals["created_on"].dt.to_period("M").dt.to_timestamp()
    n_owners = owners.merge(deals["status_at"], left_on="deal", right_index=True)
    n_owners = n_owners[n_owners["valid_from"] <= n_owners["status_at"]].groupby("deal").size()
    deals["is_handed"] = n_owners > 1
    deals["deal"] = deals.index
    deals = _owner_at(deals, "status_at", owners, people).set_index("deal").sort_index()
    changes = changes[changes["field"] == "amount"].sort_values("changed_at")
    known = changes["changed_at"] < as_of + pd.Timedelta(days=1)
    amounts = pd.concat(
        [
            changes[known].drop_duplicates("deal", keep="last").set_index("deal")["new"],
            changes[~known].drop_duplicates("deal").set_index("deal")["old"],
        ]
    )
    amounts = pd.to_numeric(amounts[~amounts.index.duplicated()])
    deals.loc[amounts.index, "amount"] = amounts
    return deals.drop(columns=["deal_id", "created_at", "status_at"])


def _stays(events, deals, owners, people, as_of: pd.Timestamp) -> pd.DataFrame:
    """One row per entry into a stage."""
    last = events["order"].max() - 2
    stays = events[events["order"] <= last].rename_axis("move").reset_index()
    order, before, after = stays["order"], stays["previous"], stays["next"]
    outcome = np.select(
        [after.isna(), after == last + 2, after == order + 1, after > order],
        ["open", "lost", "advanced", "skipped"],
        "moved_back",
    )
    inflow = np.select(
        [before.isna(), before > last, before == order - 1, before < order],
        ["starts", "reopened", "advanced_in", "skipped_in"],
        "moved_back_in",
    )
    stays["outcome"] = pd.Categorical(outcome, categories=OUTCOMES)
    stays["inflow"] = pd.Categorical(inflow, categories=INFLOWS)
    stays["entered_on"] = stays["entered_at"].dt.normalize()
    left_on = stays["next_at"].dt.normalize().fillna(as_of)
    stays["stay_days"] = (left_on - stays["entered_on"]).dt.days
    stays = stays.drop(columns=["previous", "next", "next_at"])
    stays = _owner_at(stays, "entered_at", owners, people)
    return stays.join(deals[TEXTS], on="deal")


def _first_visits(stays, events, deals, as_of: pd.Timestamp) -> pd.DataFrame:
    """First entry of a deal into each stage, and whether it went on, was lost, or is still on its way."""
    visits = stays.sort_values("move").drop_duplicates(["deal", "order"])
    later = []
    for order, here in visits.groupby("order"):
        beyond = events.loc[
            (events["order"] > order) & (events["order"] < events["order"].max()),
            ["deal", "entered_at"],
        ]
        beyond = (
            beyond.rename(columns={"entered_at": "advanced_at"}).rename_axis("to").reset_index()
        )
        beyond = beyond.merge(here[["deal", "move"]], on="deal")
        beyond = beyond[beyond["to"] > beyond["move"]].drop_duplicates("deal")
        later.append(beyond[["move", "advanced_at"]])
    visits = visits.merge(pd.concat(later), how="left", on="move", validate="1:1")
    visits = visits.join(
        deals[["created_on", "closed_on", "cause", "amount", "age_days"]], on="deal"
    )
    has_advanced = visits["advanced_at"].notna()
    is_lost = visits["cause"] == 2
    visits["cause"] = np.select([has_advanced, is_lost], [1, 2], 0)
    ended = visits["advanced_at"].dt.normalize().fillna(visits["closed_on"].where(is_lost))
    visits["exit_age"] = (ended.fillna(as_of) - visits["entered_on"]).dt.days
    visits["age_at_entry"] = (visits["entered_on"] - visits["created_on"]).dt.days
    visits["days_since_entered"] = (as_of - visits["entered_on"]).dt.days
    return visits.drop(columns=["outcome", "inflow", "stay_days", "advanced_at", "closed_on"])


def _count(rows: pd.DataFrame, columns: list[str]) -> pd.DataFrame:
    return rows.groupby(columns, observed=True, dropna=False).size().rename("n").reset_index()


def sales_funnel(deals, stays, visits, *, step_days: int, cohort_days: int) -> dict:
    """Give the tables of the notebook sales_funnel."""
    return {
        "stage_accounting": _accounting(stays, ["order"]),
        "stage_accounting by team": _accounting(stays, ["team", "order"]),
        "step_conversion": _steps(visits, step_days),
        "cumulative": _cumulative(deals, visits, cohort_days),
        "time_in_stage": _time_in_stage(stays),
        "status_now": deals.groupby("order")["amount"].agg(["size", "sum"]).reset_index(),
        "segments": _segments(visits, step_days),
    }


def _accounting(stays: pd.DataFrame, keys: list[str]) -> pd.DataFrame:
    entries = stays.groupby(keys, observed=True).size().rename("entries")
    parts = [
        stays.groupby([*keys, column], observed=True).size().unstack(fill_value=0)
        for column in ("outcome", "inflow")
    ]
    return entries.to_frame().join(parts).reset_index()


def _advanced(age, cause, n, within_days: int) -> dict[str, float]:
    at = survival.incidence_at(age, cause, n, [within_days]).iloc[0]
    in_time = age <= within_days
    return {
        "n_deals": n.sum(),
        "n_advanced": n[in_time & (cause == 1)].sum(),
        "n_lost": n[in_time & (cause == 2)].sum(),
        "n_eff": at["n_eff"],
    } | {f"advanced_{name}": at[name] for name in RATE}


def _steps(visits: pd.DataFrame, within_days: int) -> pd.DataFrame:
    counts = _count(visits, ["order", "exit_age", "cause"])
    table = pd.DataFrame(
        {
            order: _advanced(*part[["exit_age", "cause", "n"]].to_numpy().T, within_days)
            for order, part in counts.groupby("order")
        }
    ).T
    old = visits[visits["days_since_entered"] >= within_days]
    table["amount_entered"] = old.groupby("order")["amount"].sum()
    made_it = old[(old["cause"] == 1) & (old["exit_age"] <= within_days)]
    table["amount_advanced"] = made_it.groupby("order")["amount"].sum()
    table["amount_rate"] = table["amount_advanced"] / table["amount_entered"]
    return table.rename_axis("order").reset_index()


def _cumulative(deals: pd.DataFrame, visits: pd.DataFrame, within_days: int) -> pd.DataFrame:
    cohort = deals[deals["age_days"] >= within_days]
    reach = visits[(visits["age_days"] >= within_days) & (visits["age_at_entry"] <= within_days)]
    ages = visits.pivot(index="deal", columns="order", values="age_at_entry")
    ages = ages.reindex(cohort.index).cummax(axis=1, skipna=False)
    won = cohort[(cohort["cause"] == 1) & (cohort["exit_age"] <= within_days)]
    furthest = reach.groupby("deal")["order"].max().reindex(cohort.index, fill_value=0)
    furthest[won.index] = 99
    table = reach.groupby("order")["amount"].agg(n_reached="size", amount_reached="sum")
    table["n_reached_all"] = (ages <= within_days).sum()
    table["n_reached_filled"] = [(furthest >= order).sum() for order in table.index]
    table.loc[99] = [len(won), won["amount"].sum(), len(won), len(won)]
    table["reached_rate"] = table["n_reached"] / len(cohort)
    low, high = proportions.wilson(table["n_reached"], len(cohort))
    table = table.assign(n_cohort=len(cohort), reached_rate_low=low, reached_rate_high=high)
    table["amount_reached_rate"] = table["amount_reached"] / cohort["amount"].sum()
    return table.reset_index()


def _time_in_stage(stays: pd.DataFrame) -> pd.DataFrame:
    counts = _count(
        stays.assign(has_left=stays["outcome"] != "open"), ["order", "stay_days", "has_left"]
    )
    rows = []
    for order, part in counts.groupby("order"):
        curve = survival.kaplan_meier(part["stay_days"], part["has_left"], part["n"])
        median, low, high = survival.quantile(curve, 0.5)
        done = stays.loc[(stays["order"] == order) & (stays["outcome"] != "open"), "stay_days"]
        rows.append(
            {
                "order": order,
                "n_entries": part["n"].sum(),
                "n_open": part.loc[~part["has_left"], "n"].sum(),
                "median_days": median,
                "median_days_low": low,
                "median_days_high": high,
                "p90_days": survival.quantile(curve, 0.9)[0],
                "completed_median_days": done.quantile(0.5, interpolation="lower"),
            }
        )
    return pd.DataFrame(rows)


def _segments(visits: pd.DataFrame, within_days: int) -> pd.DataFrame:
    """Every segment against the rest."""
    names = [f"advanced_{name}" for name in RATE]
    tables = []
    for kind in SEGMENTS:
        counts = _count(visits, [kind, "order", "exit_age", "cause"])
        rows = counts.groupby([kind, "order"], observed=True)
        places = rows.size().reset_index()[[kind, "order"]]
        cells = np.zeros((len(places), 3, within_days + 2))
        age = np.minimum(counts["exit_age"].to_numpy(int), within_days + 1)
        np.add.at(
            cells,
            (rows.ngroup().to_numpy(), counts["cause"].to_numpy(int), age),
            counts["n"].to_numpy(),
        )
        stage = places.groupby("order").ngroup().to_numpy()
        whole = np.zeros((stage.max() + 1, *cells.shape[1:]))
        np.add.at(whole, stage, cells)
        here, rest = (
            survival.incidence_of_groups(x).rename(columns=dict(zip(RATE, names, strict=True)))
            for x in (cells, whole[stage] - cells)
        )
        difference, low, high = proportions.difference(
            *(rest[n] for n in names), *(here[n] for n in names)
        )
        p_value = proportions.pooled_p_value(
            here[names[0]], here["n_eff"], rest[names[0]], rest["n_eff"]
        )
        here = here.assign(
            difference=difference, difference_low=low, difference_high=high, p_value=p_value
        )
        n_deals = cells.sum(axis=(1, 2))
        tables.append(
            places.rename(columns={kind: "group"}).join(here).assign(kind=kind, n_deals=n_deals)
        )
    table = pd.concat(tables, ignore_index=True)
    return table.assign(q_value=proportions.false_discovery(table["p_value"].to_numpy(float)))


def cohort_conversion(deals: pd.DataFrame, as_of: pd.Timestamp, *, ages: list[int]) -> dict:
    """Give the tables of the notebook cohort_conversion."""
    counts = _count(deals, ["exit_age", "cause"])
    by_month = _count(deals, ["cohort", "exit_age", "cause"])
    youngest = deals.groupby("cohort")["age_days"].min()
    by_region = _count(deals, ["region", "exit_age", "cause"])
    return {
        "conversion": _conversion(counts, ages),
        "conversion by region": pd.concat(
            [
                _conversion(part, ages).assign(group=region)
                for region, part in by_region.groupby("region", observed=True)
            ]
        ),
        "curve": survival.incidence(counts["exit_age"], counts["cause"], counts["n"]),
        "win_rates": _win_rates(counts, age_days=90, stale_days=180),
        "monthly": _monthly(deals, by_month, youngest, age_days=90),
        "sales_cycle": _cycle(deals),
        "grid": _grid(by_month, youngest, ages),
    }


def _conversion(counts: pd.DataFrame, ages: list[int]) -> pd.DataFrame:
    age, cause, n = (counts[name].to_numpy() for name in ("exit_age", "cause", "n"))
    ages = sorted({*ages, int(age[cause > 0].max())})
    won, lost = (survival.incidence_at(age, cause, n, ages, of=of) for of in (1, 2))
    table = won[["age_days", "n_at_risk", "n_eff", *RATE]].rename(
        columns={name: f"won_{name}" for name in RATE}
    )
    return table.assign(n_won=won["n_of"], n_lost=lost["n_of"], lost_rate=lost["rate"])


def _win_rates(counts: pd.DataFrame, *, age_days: int, stale_days: int) -> pd.DataFrame:
    n, cause, age = counts["n"], counts["cause"], counts["exit_age"]
    won, closed = n[cause == 1].sum(), n[cause > 0].sum()
    stale = n[(cause == 0) & (age > stale_days)].sum()
    table = pd.DataFrame(
        [("closed", won, closed), ("created", won, n.sum()), ("with_stale", won, closed + stale)],
        columns=["label", "n_won", "n_deals"],
    )
    table["rate"] = table["n_won"] / table["n_deals"]
    table["rate_low"], table["rate_high"] = proportions.wilson(table["n_won"], table["n_deals"])
    at = survival.incidence_at(age, cause, n, [age_days])
    cohort = at[RATE].assign(
        label="cohort", n_won=n[(cause == 1) & (age <= age_days)].sum(), n_deals=n.sum()
    )
    return pd.concat([cohort, table], ignore_index=True)


def _monthly(deals, by_month, youngest, *, age_days: int) -> pd.DataFrame:
    closed = deals[deals["cause"] > 0]
    month = closed["closed_on"].dt.to_period("M").dt.to_timestamp()
    closed = (closed["cause"] == 1).groupby(month).agg(n_closed="size", n_won_closed="sum")
    created = (
        (deals["cause"] == 1).groupby(deals["cohort"]).agg(n_created="size", n_won_created="sum")
    )
    table = created.join(closed, how="outer").fillna(0)
    for label, won, of in (
        ("closed", "n_won_closed", "n_closed"),
        ("created", "n_won_created", "n_created"),
    ):
        table[f"{label}_rate"] = table[won] / table[of]
        table[f"{label}_rate_low"], table[f"{label}_rate_high"] = proportions.wilson(
            table[won], table[of]
        )
    for cohort, part in by_month.groupby("cohort"):
        at = survival.incidence_at(part["exit_age"], part["cause"], part["n"], [age_days])
        if youngest[cohort] >= age_days:
            table.loc[cohort, ["cohort_rate", "cohort_rate_low", "cohort_rate_high"]] = at[
                RATE
            ].to_numpy()[0]
    return table.rename_axis("month").reset_index().tail(24)


def _cycle(deals: pd.DataFrame) -> pd.DataFrame:
    won = deals[deals["cause"] == 1]
    month = won["closed_on"].dt.to_period("M").dt.to_timestamp().rename("month")
    days = {**dict(list(won["exit_age"].groupby(month))), pd.NaT: won["exit_age"]}
    names = ["p25_days", "p50_days", "p75_days", "p90_days"]
    levels = [0.25, 0.5, 0.75, 0.9]
    table = pd.DataFrame(
        {key: np.quantile(part, levels, method="inverted_cdf") for key, part in days.items()},
        index=names,
    ).T.rename_axis("month")
    table["n_won"] = [*won.groupby(month).size(), len(won)]
    table["mean_days"] = [*won["exit_age"].groupby(month).mean(), won["exit_age"].mean()]
    return table.reset_index().tail(13)


def _grid(by_month: pd.DataFrame, youngest: pd.Series, ages: list[int]) -> pd.DataFrame:
    tables = []
    for cohort, part in list(by_month.groupby("cohort"))[-12:]:
        at = survival.incidence_at(part["exit_age"], part["cause"], part["n"], ages)
        rates = at.loc[at["age_days"] <= youngest[cohort], RATE].reindex(at.index)
        tables.append(rates.assign(cohort=cohort, age_days=ages, n_won=at["n_of"]))
    return pd.concat(tables, ignore_index=True)


def rep_ranking(deals, people, quotas, credits, as_of: pd.Timestamp, *, age_days: int) -> dict:
    """Give the tables of the notebook rep_ranking."""
    table, gate = _ranking(deals, age_days)
    return {
        "ranking": table,
        "gate": gate,
        "totals": _totals(deals, "owner"),
        "totals by team": _totals(deals, "team"),
        "attainment": _attainment(deals, people, quotas, credits, as_of),
    }


def _ranking(deals: pd.DataFrame, age_days: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    case_mix = ["source", "segment", "product"]
    old = deals[deals["age_days"] >= age_days]
    is_won = (old["cause"] == 1) & (old["exit_age"] <= age_days)
    cells = is_won.groupby([old["owner"], *(old[name] for name in case_mix)], observed=True)
    cells = cells.agg(n="size", wins="sum").reset_index().astype({"owner": "str"})
    unit, counts = (
        cells["owner"].to_numpy(dtype=object),
        (cells["n"].to_numpy(), cells["wins"].to_numpy()),
    )
    dummies = pd.get_dummies(cells[case_mix].astype("str"), drop_first=True, dtype=float).to_numpy()
    eta = ranking.within_unit_offset(unit, dummies, *counts)
    known = ranking.posterior(unit, eta, *counts)
    gate = pd.DataFrame([ranking.gate(unit, eta, *counts, seed=1)]).assign(
        n_deals=len(old), spread=known.tau_mean
    )
    table = known.units.join(ranking.rank_draws(known, seed=1))
    table["raw_rate"] = is_won.groupby(old["owner"], observed=True).mean()
    return table.rename_axis("group").reset_index(), gate


def _totals(deals: pd.DataFrame, by: str) -> pd.DataFrame:
    groups = deals.groupby(by, observed=True)
    table = groups.agg(n_deals=("cause", "size"), n_handed=("is_handed", "sum"))
    for cause, name in enumerate(("open", "won", "lost")):
        part = deals[deals["cause"] == cause].groupby(by, observed=True)["amount"]
        table[[f"n_{name}", f"{name}_amount"]] = part.agg(["size", "sum"])
    table = table.fillna(0)
    n_closed = table["n_won"] + table["n_lost"]
    table["closed_rate"] = table["n_won"] / n_closed
    table["closed_rate_low"], table["closed_rate_high"] = proportions.wilson(
        table["n_won"], n_closed
    )
    won = deals[deals["cause"] == 1].groupby(by, observed=True)["exit_age"]
    table["cycle_days"] = won.quantile(0.5, interpolation="lower")
    return table.rename_axis("group").reset_index()


def _attainment(deals, people, quotas, credits, as_of: pd.Timestamp) -> pd.DataFrame:
    won = deals.loc[deals["cause"] == 1, ["owner", "team", "amount", "closed_on"]]
    credits = credits[credits["type"] == "revenue"].merge(won, left_on="deal", right_index=True)
    whole = won[~won.index.isin(credits["deal"])]
    credit = pd.concat(
        [
            pd.DataFrame(
                {
                    "holder_type": holder_type,
                    "holder_id": part[holder].astype("str"),
                    "closed_on": part["closed_on"],
                    "amount": part["amount"] * (part["share"] if holder == "person_id" else 1),
                }
            )
            for holder_type, holder, part in (
                ("person", "person_id", credits),
                ("person", "owner", whole),
                ("team", "team", won),
            )
        ]
    )
    credit = credit.groupby(["holder_type", "holder_id", "closed_on"])["amount"].sum().reset_index()
    latest = sorted(quotas["period_start"].unique())[-2:]
    quotas = quotas[quotas["period_start"].isin(latest) & (quotas["measure"] == "amount")]
    table = quotas.astype({"value": "float64"})
    both = table.merge(credit, on=["holder_type", "holder_id"])
    both = both[both["closed_on"].between(both["period_start"], both["period_end"])]
    keys = ["holder_type", "holder_id", "period_start"]
    table = table.set_index(keys).assign(credited_amount=both.groupby(keys)["amount"].sum())
    table = table.reset_index().fillna({"credited_amount": 0})
    person = people.drop_duplicates("person_id", keep="last").set_index("person_id")
    begin = table["holder_id"].map(person["hired_on"])
    left = person["left_on"].where(person["left_on"] <= as_of)
    end = table["holder_id"].map(left)
    begin = begin.where(begin > table["period_start"], table["period_start"])
    end = end.where(end < table["period_end"], table["period_end"])
    days = ((end - begin).dt.days + 1).clip(lower=0)
    period = (table["period_end"] - table["period_start"]).dt.days + 1
    table["prorated_quota"] = table["value"] * days / period
    quota = table["prorated_quota"].where(table["prorated_quota"] > 0)
    return table.assign(attainment=table["credited_amount"] / quota)


if __name__ == "__main__":
    main(*sys.argv[1:])
