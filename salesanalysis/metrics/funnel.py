"""The sales process by stage: where entries went, who moves on, how long it takes (definitions: stages and funnel)."""

import numpy as np
import pandas as pd

from salesanalysis.crm.seen import Seen
from salesanalysis.crm.tables import SEGMENTS
from salesanalysis.metrics.groups import expect_days, group_column, grouped, names
from salesanalysis.statistics import proportions, survival

OUTCOMES = ["advanced", "skipped", "moved_back", "lost", "handed_off", "removed", "open"]
INFLOWS = ["starts", "advanced_in", "skipped_in", "moved_back_in", "handed_in", "reopened"]
_STAGE = ["group", "pipeline", "stage", "stage_order"]
_ORDER = ["group", "pipeline", "stage_order"]


def stage_accounting(seen: Seen, *, by: str | None = None) -> pd.DataFrame:
    """
    Count where the entries into each stage came from and where they went.

    Parameters
    ----------
    seen : Seen
        Needs ``stage_events``; without them the result has no rows.
    by : segment, optional
        Owner and team are those at the instant of the entry.

    Returns
    -------
    DataFrame, one row per (group and) stage in order
        ``pipeline``, ``stage``, ``stage_order``, ``entries``; the outcomes ``advanced``, ``skipped``,
        ``moved_back``, ``lost``, ``handed_off``, ``removed``, ``open``; the inflows ``starts``, ``advanced_in``,
        ``skipped_in``, ``moved_back_in``, ``handed_in``, ``reopened``. All are counts of entries; outcomes and
        inflows each add up to ``entries`` (definitions, section 3).
    """
    counts = seen.frame(
        f"""
        SELECT {group_column(seen, by)} AS "group", pipeline, stage, stage_order, outcome, inflow, count(*) AS n
        FROM stays GROUP BY 1, 2, 3, 4, 5, 6
        """
    )
    table = counts.groupby(_STAGE, dropna=False)["n"].sum().rename("entries").to_frame()
    for column, parts in (("outcome", OUTCOMES), ("inflow", INFLOWS)):
        for name in parts:
            part = counts[counts[column] == name].groupby(_STAGE, dropna=False)["n"].sum()
            table[name] = part.reindex(table.index, fill_value=0)
    table = table.astype("int64").reset_index().sort_values(_ORDER, ignore_index=True)
    return grouped(seen, table, by)


def step_conversion(seen: Seen, *, within_days: int, by: str | None = None) -> pd.DataFrame:
    """
    Estimate the share of deals that go on from each stage within some days of first entering it.

    Next-step conversion in any-stage mode: to any later stage or won, one count per deal. Aalen-Johansen with lost
    as competing outcome; deals still there are censored, so young entries do not read as failures.

    Parameters
    ----------
    seen : Seen
        Needs ``stage_events``; without them the result has no rows.
    within_days : int
        A stored setting that does not move with the month; about the 90 % quantile of the days in stage.
    by : segment, optional
        Owner and team are those at the first entry.

    Returns
    -------
    DataFrame, one row per (group and) stage in order
        ``pipeline``, ``stage``, ``stage_order``; ``n_deals`` that entered, of them ``n_advanced`` and ``n_lost``
        seen to do so within ``within_days`` and ``n_open`` last seen before; ``advanced_rate`` with
        ``advanced_rate_low``, ``advanced_rate_high`` and ``n_eff`` (NaN where no deal was followed that long);
        ``amount_entered``, ``amount_advanced``, ``amount_rate``: the same by value, of deals that entered at least
        ``within_days`` ago (NaN without any). Removed deals are left out.
    """
    expect_days(within_days=within_days)
    counts = _visit_counts(seen, by, within_days)
    amounts = seen.frame(
        f"""
        SELECT {group_column(seen, by, "v")} AS "group", v.pipeline AS pipeline, v.stage_order AS stage_order,
               sum(d.amount) AS amount_entered,
               sum(CASE WHEN v.cause = 1 AND v.exit_age <= ? THEN d.amount ELSE 0 END) AS amount_advanced
        FROM first_visits v JOIN deals d ON d.deal_key = v.deal_key
        WHERE v.is_removed = 0 AND v.days_since_entered >= ?
        GROUP BY 1, 2, 3
        """,
        (within_days, within_days),
    )
    places, cells = _cells(counts, within_days)
    table = places.join(_advanced(cells))
    table = table.merge(
        amounts, how="left", on=["group", "pipeline", "stage_order"], validate="1:1"
    )
    table["amount_rate"] = table["amount_advanced"] / table["amount_entered"].where(
        table["amount_entered"] > 0
    )
    return grouped(seen, table.sort_values(_ORDER, ignore_index=True), by)


def _visit_counts(seen: Seen, by: str | None, within_days: int) -> pd.DataFrame:
    """Count first visits by how and when they ended; those that went on beyond the setting share one age."""
    return seen.frame(
        f"""
        SELECT {group_column(seen, by)} AS "group", pipeline, stage, stage_order,
               CASE WHEN exit_age > ? THEN ? ELSE exit_age END AS exit_age,
               CASE WHEN exit_age > ? THEN 0 ELSE cause END AS cause, count(*) AS n
        FROM first_visits WHERE is_removed = 0 GROUP BY 1, 2, 3, 4, 5, 6
        """,
        (within_days, within_days + 1, within_days),
    )


_RATES = {rate: f"advanced_{rate}" for rate in ("rate", "rate_low", "rate_high")}


def _cells(counts: pd.DataFrame, within_days: int) -> tuple[pd.DataFrame, np.ndarray]:
    """Group and stage of each row of counts by cause and age; ages beyond the setting share the last place."""
    places = counts[_STAGE].drop_duplicates(ignore_index=True)
    row = counts.groupby(_STAGE, dropna=False, sort=False).ngroup().to_numpy()
    cells = np.zeros((len(places), 3, within_days + 2))
    cause, age = (counts[name].to_numpy(dtype=int) for name in ("cause", "exit_age"))
    np.add.at(cells, (row, cause, age), counts["n"].to_numpy())
    return places, cells


def _advanced(cells: np.ndarray) -> pd.DataFrame:
    """Next-step conversion of each row of `_cells`."""
    within_days = cells.shape[2] - 2
    table = pd.DataFrame(
        {
            "n_deals": cells.sum(axis=(1, 2)),
            "n_advanced": cells[:, 1, :-1].sum(axis=1),
            "n_lost": cells[:, 2, :-1].sum(axis=1),
            "n_open": cells[:, 0, :-2].sum(axis=1),
        }
    ).astype("int64")
    return table.assign(within_days=within_days).join(
        survival.incidence_of_groups(cells).rename(columns=_RATES)
    )


def cumulative(seen: Seen, *, within_days: int, by: str | None = None) -> pd.DataFrame:
    """
    Count the deals of a mature cohort that reached each stage within some days of their creation.

    Parameters
    ----------
    seen : Seen
        Needs ``stage_events``; without them the result has no rows.
    within_days : int
        Only deals created at least this long before the as-of date are counted, and only what they reached by that
        age, so every deal had the same time.
    by : segment, optional
        Owner and team are those at the deal's closing, or at the as-of date while it is open.

    Returns
    -------
    DataFrame, one row per (group and) stage in order, then won
        ``pipeline``, ``stage``, ``stage_order``; ``n_cohort``; ``n_reached`` (any-stage: touched the stage) with
        ``reached_rate``, ``reached_rate_low``, ``reached_rate_high``; ``n_reached_all`` (all-stages: touched it and
        all before); ``n_reached_filled`` (linear fill: touched it, a later one or won); ``n_passed_over`` = filled
        minus any-stage; ``amount_cohort``, ``amount_reached``, ``amount_reached_rate`` (NaN without amounts). In
        the won row all three modes count the deals won. Removed deals are left out.
    """
    expect_days(within_days=within_days)
    h = within_days
    cohort = seen.frame(
        f"""
        SELECT {group_column(seen, by)} AS "group", pipeline, count(*) AS n_cohort, sum(amount) AS amount_cohort,
               sum(CASE WHEN cause = 1 AND exit_age <= ? THEN 1 ELSE 0 END) AS n_won,
               sum(CASE WHEN cause = 1 AND exit_age <= ? THEN amount ELSE 0 END) AS amount_won
        FROM deals WHERE status <> 'removed' AND days_since_created >= ? GROUP BY 1, 2
        """,
        (h, h, h),
    )
    touched = seen.frame(
        f"""
        SELECT {group_column(seen, by, "d")} AS "group", v.pipeline AS pipeline, v.stage AS stage,
               v.stage_order AS stage_order,
               sum(CASE WHEN v.age_at_entry <= ? THEN 1 ELSE 0 END) AS n_reached,
               sum(CASE WHEN v.age_all_before <= ? THEN 1 ELSE 0 END) AS n_reached_all,
               sum(CASE WHEN v.age_at_entry <= ? THEN d.amount ELSE 0 END) AS amount_reached
        FROM first_visits v JOIN deals d ON d.deal_key = v.deal_key AND d.pipeline = v.pipeline
        WHERE d.status <> 'removed' AND d.days_since_created >= ? GROUP BY 1, 2, 3, 4
        """,
        (h, h, h, h),
    )
    if seen.reason("stage_events"):
        cohort = cohort.head(0)
    stages = cohort[["group", "pipeline"]].merge(_stages(seen), on="pipeline")
    touched = stages.merge(touched, how="left", on=_STAGE, validate="1:1")
    won = cohort.assign(
        stage=_won_stage(seen),
        stage_order=np.iinfo("int64").max,
        n_reached=cohort["n_won"],
        n_reached_all=cohort["n_won"],
        amount_reached=cohort["amount_won"],
    )
    table = pd.concat([touched, won[touched.columns]], ignore_index=True)
    table = table.merge(cohort[["group", "pipeline", "n_cohort", "amount_cohort"]], validate="m:1")
    reached = ["n_reached", "n_reached_all", "amount_reached"]
    table[reached] = table[reached].fillna(0)
    table["amount_reached"] = table["amount_reached"].where(table["amount_cohort"].notna())
    table = table.sort_values(_ORDER, ignore_index=True)
    table["n_reached_filled"] = _filled(table, _furthest(seen, h, by))
    table["n_passed_over"] = table["n_reached_filled"] - table["n_reached"]
    table["reached_rate"] = table["n_reached"] / table["n_cohort"]
    table["reached_rate_low"], table["reached_rate_high"] = proportions.wilson(
        table["n_reached"], table["n_cohort"]
    )
    table["amount_reached_rate"] = table["amount_reached"] / table["amount_cohort"].where(
        table["amount_cohort"] > 0
    )
    counts = ["n_reached", "n_reached_all", "n_reached_filled", "n_passed_over", "n_cohort"]
    table[counts] = table[counts].astype("int64")
    return grouped(seen, table, by)


def _stages(seen: Seen) -> pd.DataFrame:
    return seen.frame(
        "SELECT pipeline, stage, stage_order FROM stages WHERE NOT is_won AND NOT is_lost"
    )


def _won_stage(seen: Seen) -> str:
    names = seen.frame("SELECT stage FROM stages WHERE is_won ORDER BY stage_no")["stage"]
    return names.iloc[0] if len(names) else "won"


def _furthest(seen: Seen, within_days: int, by: str | None) -> pd.DataFrame:
    """Deals of the cohort by the furthest stage they touched in time; won counts as beyond every stage."""
    return seen.frame(
        f"""
        WITH reach AS (
          SELECT deal_key, pipeline, max(stage_order) AS furthest FROM first_visits
          WHERE is_removed = 0 AND days_since_created >= ? AND age_at_entry <= ? GROUP BY deal_key, pipeline
        )
        SELECT {group_column(seen, by, "d")} AS "group", d.pipeline AS pipeline,
               CASE WHEN d.cause = 1 AND d.exit_age <= ? THEN 9223372036854775807
                    ELSE coalesce(r.furthest, 0) END AS furthest, count(*) AS n
        FROM deals d LEFT JOIN reach r ON r.deal_key = d.deal_key AND r.pipeline = d.pipeline
        WHERE d.status <> 'removed' AND d.days_since_created >= ? GROUP BY 1, 2, 3
        """,
        (within_days,) * 4,
    )


def _filled(table: pd.DataFrame, furthest: pd.DataFrame) -> list[int]:
    parts = dict(list(furthest.groupby(["group", "pipeline"], dropna=False)))
    filled = []
    for group, pipeline, order in table[["group", "pipeline", "stage_order"]].itertuples(
        index=False
    ):
        part = parts[(group, pipeline)]
        filled.append(int(part.loc[part["furthest"] >= order, "n"].sum()))
    return filled


def time_in_stage(seen: Seen, *, by: str | None = None) -> pd.DataFrame:
    """
    Estimate how long an entry stays in each stage.

    Kaplan-Meier per entry, leaving by any exit; entries still there are censored. The median of completed stays is
    given beside it because it is what dashboards show: it is too short while the pipeline grows.

    Returns
    -------
    DataFrame, one row per (group and) stage in order
        ``pipeline``, ``stage``, ``stage_order``, ``n_entries``, ``n_open``; ``median_days`` with
        ``median_days_low``, ``median_days_high``, ``p90_days`` (NaN while fewer have left), and
        ``completed_median_days`` (biased; NaN where none has left). No rows without ``stage_events``.
    """
    counts = seen.frame(
        f"""
        SELECT {group_column(seen, by)} AS "group", pipeline, stage, stage_order, stay_days,
               CASE WHEN outcome = 'open' THEN 0 ELSE 1 END AS has_left, count(*) AS n
        FROM stays GROUP BY 1, 2, 3, 4, 5, 6
        """
    )
    rows = [
        dict(zip(_STAGE, key, strict=True)) | _stay(part)
        for key, part in counts.groupby(_STAGE, dropna=False)
    ]
    names = [
        "n_entries",
        "n_open",
        "median_days",
        "median_days_low",
        "median_days_high",
        "p90_days",
    ]
    table = pd.DataFrame(rows, columns=[*_STAGE, *names, "completed_median_days"])
    return grouped(seen, table.sort_values(_ORDER, ignore_index=True), by)


def _stay(counts: pd.DataFrame) -> dict[str, float]:
    left = counts[counts["has_left"] == 1]
    curve = survival.kaplan_meier(counts["stay_days"], counts["has_left"], counts["n"])
    median, low, high = survival.quantile(curve, 0.5)
    done = np.nan
    if len(left):
        done = float(np.quantile(left["stay_days"], 0.5, weights=left["n"], method="inverted_cdf"))
    return {
        "n_entries": int(counts["n"].sum()),
        "n_open": int(counts.loc[counts["has_left"] == 0, "n"].sum()),
        "median_days": median,
        "median_days_low": low,
        "median_days_high": high,
        "p90_days": survival.quantile(curve, 0.9)[0],
        "completed_median_days": done,
    }


def segments(seen: Seen, *, within_days: int) -> pd.DataFrame:
    """
    Compare the next-step conversion of every segment with the rest, all segments at once.

    Returns
    -------
    DataFrame, one row per kind of segment, group and stage
        ``kind``, ``group``, ``name`` (of an owner; else the group), ``pipeline``, ``stage``, ``stage_order``,
        ``n_deals``, ``advanced_rate`` with bounds; ``difference`` to the rest with ``difference_low``,
        ``difference_high`` (MOVER); ``p_value`` (pooled score test on effective n) and ``q_value`` (Benjamini-Hochberg over all rows). Empty values are their own group.
        Kinds with fewer than two groups are left out; NaN where either side was not followed long enough.
    """
    expect_days(within_days=within_days)
    parts = []
    for kind in SEGMENTS:
        counts = _visit_counts(seen, kind, within_days)
        if counts["group"].nunique(dropna=False) > 1:
            part = _against_rest(counts, within_days).assign(kind=kind)
            name = names(seen, part["group"]) if kind == "owner" else part["group"]
            parts.append(part.assign(name=name))
    columns = ["kind", *_STAGE[:1], "name", *_STAGE[1:], "n_deals", *_RATES.values()]
    columns += ["difference", "difference_low", "difference_high", "p_value"]
    table = pd.concat(parts, ignore_index=True)[columns] if parts else pd.DataFrame(columns=columns)
    table["q_value"] = proportions.false_discovery(table["p_value"].to_numpy(dtype=float))
    order = table["kind"].map({kind: place for place, kind in enumerate(SEGMENTS)})
    return (
        table.assign(_order=order)
        .sort_values(["_order", *_ORDER], ignore_index=True)
        .drop(columns="_order")
    )


def _against_rest(counts: pd.DataFrame, within_days: int) -> pd.DataFrame:
    places, cells = _cells(counts, within_days)
    stage = places.groupby(_STAGE[1:], sort=False).ngroup().to_numpy()
    whole = np.zeros((stage.max() + 1, *cells.shape[1:]))
    np.add.at(whole, stage, cells)
    here, rest = _advanced(cells), _advanced(whole[stage] - cells)
    names = list(_RATES.values())
    estimate, low, high = proportions.difference(
        *(rest[name] for name in names), *(here[name] for name in names)
    )
    here["difference"], here["difference_low"], here["difference_high"] = estimate, low, high
    here["p_value"] = proportions.pooled_p_value(
        here[names[0]], here["n_eff"], rest[names[0]], rest["n_eff"]
    )
    return places.join(here)


def status_now(seen: Seen) -> pd.DataFrame:
    """
    Count the deals by the state they are in.

    A snapshot, not a funnel: it says nothing about the deals that passed through.

    Returns
    -------
    DataFrame, stages in order, then won, lost and removed
        ``pipeline``, ``stage`` (of end states: won, lost, removed; missing where the stage on that day is not
        known), ``stage_order``, ``n_deals``, ``amount``.
    """
    by_status = seen.frame(
        """
        SELECT pipeline, status, stage, count(*) AS n_deals, sum(amount) AS amount FROM deals GROUP BY 1, 2, 3
        """
    )
    closed = by_status[by_status["status"] != "open"].assign(stage=lambda t: t["status"])
    still_open = by_status[by_status["status"] == "open"]
    if not seen.reason("stage_events"):
        still_open = seen.frame(
            """
            SELECT d.pipeline AS pipeline, s.stage AS stage, count(*) AS n_deals, sum(d.amount) AS amount
            FROM deals d LEFT JOIN stays s ON s.deal_key = d.deal_key AND s.outcome = 'open'
            WHERE d.status = 'open' GROUP BY 1, 2
            """
        )
    table = pd.concat([still_open, closed], ignore_index=True).drop(
        columns="status", errors="ignore"
    )
    table = table.merge(_stages(seen), how="left", on=["pipeline", "stage"], validate="m:1")
    ends = table["stage"].map({"won": 1e6, "lost": 1e6 + 1, "removed": 1e6 + 2})
    table["stage_order"] = table["stage_order"].fillna(ends).fillna(1e6 - 1).astype("int64")
    table["n_deals"] = table["n_deals"].astype("int64")
    columns = ["pipeline", "stage", "stage_order", "n_deals", "amount"]
    return table.sort_values(["pipeline", "stage_order"], ignore_index=True)[columns]
