"""What each rep carried, won and lost, and how far the reps can be told apart (definitions: people and appraisal)."""

import numpy as np
import pandas as pd

from salesanalysis.crm.errors import ParameterError
from salesanalysis.crm.seen import Seen
from salesanalysis.metrics.groups import expect_days, group_column
from salesanalysis.statistics import proportions
from salesanalysis.statistics import ranking as model

_FEW_REPS = 100
_MOST_EMPTY = 0.05  # a covariate with more empty values may be empty because of the outcome


def totals(seen: Seen, *, by: str = "owner") -> pd.DataFrame:
    """
    Count deals and add up amounts by rep, team or other segment.

    Parameters
    ----------
    seen : Seen
    by : segment
        A deal belongs to its owner, and that owner's team, at its closing; while it is open, at the as-of date.

    Returns
    -------
    DataFrame, one row per group, largest won amount first
        ``group`` (missing: no owner), ``name``, ``team`` (of reps; missing otherwise), ``n_deals``, ``n_won``,
        ``n_lost``, ``n_open``, ``n_removed``, ``n_handed`` (changed hands), ``won_amount``, ``open_amount``,
        (0 without such deals, NaN where their amounts are not known);
        ``closed_rate`` with ``closed_rate_low``, ``closed_rate_high`` (NaN where nothing closed), ``cycle_days``
        (median days of won deals; NaN without).
    """
    counts = seen.frame(
        f"""
        SELECT {group_column(seen, by)} AS "group", status, count(*) AS n, sum(amount) AS amount,
               sum(CASE WHEN is_handed THEN 1 ELSE 0 END) AS n_handed
        FROM deals GROUP BY 1, 2
        """
    )
    table = (
        counts.groupby("group", dropna=False)[["n", "n_handed"]]
        .sum()
        .astype("int64")
        .rename(columns={"n": "n_deals"})
    )
    for status in ("won", "lost", "open", "removed"):
        part = counts[counts["status"] == status].set_index("group")
        table[f"n_{status}"] = part["n"].reindex(table.index, fill_value=0)
        if status in ("won", "open"):
            amount = part["amount"].reindex(table.index)
            table[f"{status}_amount"] = np.where(table[f"n_{status}"] > 0, amount, 0.0)
    n_closed = table["n_won"] + table["n_lost"]
    table["closed_rate"] = table["n_won"] / n_closed.where(n_closed > 0)
    table["closed_rate_low"], table["closed_rate_high"] = proportions.wilson(
        table["n_won"], n_closed
    )
    table["cycle_days"] = _median_cycle(seen, by).reindex(table.index)
    return _named(seen, table.reset_index(), by).sort_values(
        ["won_amount", "group"], ascending=[False, True], ignore_index=True
    )


def _median_cycle(seen: Seen, by: str) -> pd.Series:
    counts = seen.frame(
        f"""
        SELECT {group_column(seen, by)} AS "group", exit_age, count(*) AS n FROM deals
        WHERE cause = 1 AND exit_age IS NOT NULL GROUP BY 1, 2
        """
    )
    medians = {
        group: float(np.quantile(part["exit_age"], 0.5, weights=part["n"], method="inverted_cdf"))
        for group, part in counts.groupby("group", dropna=False)
    }
    return pd.Series(medians, dtype=float)


def _named(seen: Seen, table: pd.DataFrame, by: str) -> pd.DataFrame:
    """Add ``name`` and ``team`` where the people are known; an unknown rep goes by its id."""
    if by != "owner" or seen.reason("people"):
        return table.assign(name=table["group"], team=None)
    people = seen.frame("SELECT person_id, name, team FROM people")
    table = table.merge(people, how="left", left_on="group", right_on="person_id", validate="m:1")
    return table.assign(name=table["name"].fillna(table["group"])).drop(columns="person_id")


def ranking(
    seen: Seen, *, age_days: int, case_mix: list[str], seed: int = 1, draws: int = 10_000
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """
    Estimate each rep's rate of deals won by an age, and whether the reps can be ranked at all.

    Deals created at least `age_days` before the as-of date, closed or not; won by that age. The rate is adjusted
    for what the rep was given (`case_mix`) by slopes within reps, and shrunk by a normal-logit model.

    Parameters
    ----------
    seen : Seen
    age_days : int
    case_mix : list of segments
        Never team or owner. A column that is empty for more than 5 % of the deals is not used: it may be empty
        because of how the deal went.
    seed, draws : int
        Of the rank draws and of the gate's null twin.

    Returns
    -------
    table : DataFrame, one row per rep
        ``group``, ``name``, ``team``, ``n_deals``, ``n_won``, ``raw_rate`` (with bounds), ``expected`` (wins of an
        average rep on these deals), ``observed_over_expected``, ``adjusted_rate`` (that times the overall rate),
        ``shrunk_rate`` with ``shrunk_rate_low``, ``shrunk_rate_high`` (posterior of the rate on everybody's deals),
        ``reliability``, ``rank_low``, ``rank_high`` (90 % interval), ``top_quartile_share``. The three rank columns
        are NaN while the gate is closed, and the rows then go by name, else by ``shrunk_rate``.
    gate : DataFrame of one row
        ``chi2``, ``df``, ``p_value``, ``is_open`` (p < .05), ``method``, ``n_reps``, ``n_deals``, ``overall_rate``,
        ``spread`` (posterior mean of tau), ``rank_set_places`` (mean number of ranks each rep could hold, all
        reps at once with 95 % confidence), ``case_mix`` used and ``left_out``, both as text. Without a win, without
        an unwon deal or with fewer than two reps nothing can be compared: no rows in either frame.
    """
    expect_days(age_days=age_days)
    used, left_out = usable(seen, case_mix, age_days)
    cells = won_in_time(seen, used, age_days)
    wins, n = int(cells["n_won"].sum()), int(cells["n_deals"].sum())
    if not 0 < wins < n or cells["group"].nunique() < 2:
        return pd.DataFrame(columns=_RANKING), pd.DataFrame(columns=_GATE)
    counts = (cells["n_deals"].to_numpy(), cells["n_won"].to_numpy())
    unit = cells["group"].to_numpy(dtype=object)
    eta = model.within_unit_offset(unit, dummies(cells[used]), *counts)
    posterior = model.posterior(unit, eta, *counts)
    gate = model.gate(unit, eta, *counts, seed=seed)
    gate |= {
        "n_reps": cells["group"].nunique(),
        "n_deals": n,
        "overall_rate": wins / n,
        "spread": posterior.tau_mean,
        "rank_set_places": _rank_set_places(posterior.units, seed),
        "case_mix": ", ".join(used),
        "left_out": ", ".join(left_out),
    }
    table = _rates(posterior.units, wins / n)
    ranks = model.rank_draws(posterior, seed=seed, draws=draws)
    table = table.join(ranks if gate["is_open"] else ranks * np.nan)
    table = _named(seen, table.rename_axis("group").reset_index(), "owner")
    order = (
        (["shrunk_rate", "group"], [False, True])
        if gate["is_open"]
        else (["name", "group"], [True, True])
    )
    table = table.sort_values(order[0], ascending=order[1], ignore_index=True)
    return table[_RANKING], pd.DataFrame([gate])[_GATE]


_RANKING = [
    *(
        "group",
        "name",
        "team",
        "n_deals",
        "n_won",
        "raw_rate",
        "raw_rate_low",
        "raw_rate_high",
        "expected",
    ),
    *(
        "observed_over_expected",
        "adjusted_rate",
        "shrunk_rate",
        "shrunk_rate_low",
        "shrunk_rate_high",
    ),
    *("reliability", "rank_low", "rank_high", "top_quartile_share"),
]
_GATE = [
    *("chi2", "df", "p_value", "is_open", "method", "n_reps", "n_deals", "overall_rate", "spread"),
    "rank_set_places",
    *("case_mix", "left_out"),
]
_ELIGIBLE = "status <> 'removed' AND owner IS NOT NULL AND days_since_created >= ?"


def usable(seen: Seen, case_mix: list[str], age_days: int) -> tuple[list[str], list[str]]:
    """
    Sort covariates into those that vary and are nearly always filled, and the others.

    Raises
    ------
    ParameterError
        Team or owner: not something that a rep was given.
    """
    used, left_out = [], []
    for name in case_mix:
        if name in ("team", "owner"):
            raise ParameterError(
                f"case_mix must hold what a rep was given, such as source or product; found {name!r}"
            )
        counts = seen.frame(
            f'SELECT {seen.segment(name)} AS "level", count(*) AS n FROM deals WHERE {_ELIGIBLE} GROUP BY 1',
            (age_days,),
        )
        empty = counts.loc[counts["level"].isna(), "n"].sum()
        is_usable = counts["level"].nunique() > 1 and empty <= _MOST_EMPTY * counts["n"].sum()
        (used if is_usable else left_out).append(name)
    return used, left_out


def won_in_time(seen: Seen, covariates: list[str], age_days: int) -> pd.DataFrame:
    """
    Count the deals old enough, and those won by the age, by owner and pattern of covariates.

    Returns
    -------
    DataFrame, one row per owner and pattern
        ``group`` (owner), the covariates, ``n_deals``, ``n_won``.
    """
    columns = "".join(f", {seen.segment(name)}" for name in covariates)
    places = ", ".join(str(place) for place in range(1, len(covariates) + 2))
    cells = seen.frame(
        f"""
        SELECT owner AS "group"{columns}, count(*) AS n_deals,
               sum(CASE WHEN cause = 1 AND exit_age <= ? THEN 1 ELSE 0 END) AS n_won
        FROM deals WHERE {_ELIGIBLE} GROUP BY {places}
        """,
        (age_days, age_days),
    )
    return cells.sort_values(["group", *covariates], ignore_index=True)


def dummies(covariates: pd.DataFrame) -> np.ndarray:
    """Give columns of 0 and 1 for the values of each covariate but its first; empty is a value."""
    if not len(covariates.columns):
        return np.empty((len(covariates), 0))
    return pd.get_dummies(covariates.fillna(""), drop_first=True, dtype=float).to_numpy()


def _rank_set_places(units: pd.DataFrame, seed: int) -> float:
    """How wide the simultaneous rank sets are; Holm's where all pairs of the others take too long."""
    few = len(units) <= _FEW_REPS
    sets = (
        model.rank_sets(units["effect"], units["effect_se"], seed=seed)
        if few
        else model.rank_sets_holm(units["effect"], units["effect_se"])
    )
    return float((sets["rank_high"] - sets["rank_low"] + 1).mean())


def _rates(units: pd.DataFrame, overall: float) -> pd.DataFrame:
    table = units.rename(
        columns={rate: f"shrunk_{rate}" for rate in ("rate", "rate_low", "rate_high")}
    )
    table["raw_rate"] = table["n_won"] / table["n_deals"]
    table["raw_rate_low"], table["raw_rate_high"] = proportions.wilson(
        table["n_won"], table["n_deals"]
    )
    return table.assign(adjusted_rate=(table["observed_over_expected"] * overall).clip(upper=1.0))


def attainment(seen: Seen, *, periods: int = 2) -> pd.DataFrame:
    """
    Compare credited amounts with quotas, for the last `periods` quota periods that have begun.

    Credit is a share of a deal's amount, counted on the day it was won; a won deal without credit rows counts in
    full for its owner at that time. Overlay credit is not counted. A team is credited with its deals.

    Returns
    -------
    DataFrame, one row per period and holder, the latest period first, highest attainment first
        ``holder``, ``name``, ``holder_type`` (person, team), ``period_start``, ``period_end``, ``quota``,
        ``prorated_quota`` (by the days of the period between hiring and leaving), ``credited_amount``,
        ``attainment`` (of the prorated quota; NaN where that is 0), ``is_finished`` (the period is over). No rows
        without quotas.
    """
    columns = [
        "holder",
        "name",
        "holder_type",
        "period_start",
        "period_end",
        "quota",
        "prorated_quota",
    ]
    columns += ["credited_amount", "attainment", "is_finished"]
    expect_days(periods=periods)
    if seen.reason("quotas"):
        return pd.DataFrame(columns=columns)
    quotas = seen.frame(
        """
        SELECT holder_type, holder_id AS holder, period_start, period_end, sum(value) AS quota FROM quotas
        WHERE measure = 'amount' GROUP BY 1, 2, 3, 4
        """
    )
    if quotas.empty:
        return pd.DataFrame(columns=columns)
    quotas = quotas[quotas["period_start"] <= pd.Timestamp(seen.as_of)]
    starts = sorted(quotas["period_start"].unique())[-periods:]
    quotas = quotas[quotas["period_start"].isin(starts)]
    keys = ["holder_type", "holder", "period_start"]
    credit = quotas.merge(_credit(seen), on=keys[:2])
    credit = credit[credit["closed_on"].between(credit["period_start"], credit["period_end"])]
    credited = credit.groupby(keys)["amount"].sum().rename("credited_amount")
    table = quotas.join(credited, on=keys).fillna({"credited_amount": 0.0})
    table["is_finished"] = table["period_end"] <= pd.Timestamp(seen.as_of)
    table = _prorated(seen, table)
    table["attainment"] = table["credited_amount"] / table["prorated_quota"].where(
        table["prorated_quota"] > 0
    )
    order = ["period_start", "holder_type", "attainment", "holder"]
    return table.sort_values(order, ascending=[False, True, False, True], ignore_index=True)[
        columns
    ]


def _credit(seen: Seen) -> pd.DataFrame:
    """Credited amount by holder and day."""
    whole = """
        SELECT 'person' AS holder_type, owner AS holder, closed_on, sum(amount) AS amount FROM deals d
        WHERE cause = 1 {only} GROUP BY 1, 2, 3
    """
    team = """
        SELECT 'team' AS holder_type, team AS holder, closed_on, sum(amount) AS amount FROM deals
        WHERE cause = 1 GROUP BY 1, 2, 3
    """
    if seen.reason("credits"):
        return seen.frame(whole.format(only="") + " UNION ALL " + team)
    uncredited = "AND NOT EXISTS (SELECT 1 FROM credits c WHERE c.deal_key = d.deal_key AND c.type = 'revenue')"
    split = """
        SELECT 'person' AS holder_type, c.person_id AS holder, d.closed_on AS closed_on, sum(d.amount * c.share) AS amount
        FROM credits c JOIN deals d ON d.deal_key = c.deal_key
        WHERE c.type = 'revenue' AND d.cause = 1 GROUP BY 1, 2, 3
    """
    return seen.frame(f"{split} UNION ALL {whole.format(only=uncredited)} UNION ALL {team}")


def _prorated(seen: Seen, table: pd.DataFrame) -> pd.DataFrame:
    """Quota by the share of the period's days between hiring and leaving; unknown dates mean the whole period."""
    if seen.reason("people"):
        return table.assign(name=table["holder"], prorated_quota=table["quota"])
    people = seen.frame("SELECT person_id AS holder, name, hired_on, left_on FROM people").assign(
        holder_type="person"
    )
    table = table.merge(people, how="left", on=["holder", "holder_type"], validate="m:1")
    begin = table[["period_start", "hired_on"]].max(axis=1)
    end = table[["period_end", "left_on"]].min(axis=1)
    days = ((end - begin).dt.days + 1).clip(lower=0)
    share = days / ((table["period_end"] - table["period_start"]).dt.days + 1)
    return table.assign(
        name=table["name"].fillna(table["holder"]), prorated_quota=table["quota"] * share
    )
