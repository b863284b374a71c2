"""
Do deals follow the process? Entries judged by the process file, deviations from it, and what following it is worth.

The rules are those in force on the first day of the period. An entry is settled on the day it ended or, if that comes
first, when the days allowed were over; a period has the entries settled in it, as the KPI of required actions has.
Owner and team are those at the entry.
"""

from dataclasses import replace

import numpy as np
import pandas as pd

from salesanalysis.crm.errors import ParameterError
from salesanalysis.crm.process import Process, Stage
from salesanalysis.crm.seen import Seen
from salesanalysis.metrics import kpis
from salesanalysis.metrics.groups import expect_days, names
from salesanalysis.metrics.periods import Period, series
from salesanalysis.statistics import proportions, strata, survival

FEWEST = 5  # entries of a group, or deals on a side of a comparison, below which no share is said
_RULES = ["place", "stage", "name", "goal", "role", "actions", "sla_days", "target_conversion"]
_ENTRIES = ["n_settled", "n_ended_early", "n_pending", "n_judged", "n_done", "n_over"]
_MOVES = ["n_entered", "n_repeat", "n_ping_pong", "n_moved_back", "n_arrived", "n_passed"]
_COUNTS = [*_ENTRIES, *_MOVES, "n_matured", "n_converted"]
_DONE = ["n_missed", "done_rate", "done_rate_low", "done_rate_high"]
_OVER = ["over_rate", "over_rate_low", "over_rate_high"]
_OVER += ["over_median_days", "over_median_days_low", "over_median_days_high"]
_CONVERSION = ["conversion_rate", "conversion_rate_low", "conversion_rate_high", "against_target"]
_SIDES = [f"{side}_rate{end}" for side in ("with", "without") for end in ("", "_low", "_high")]
_DIFFERENCE = ["difference", "difference_low", "difference_high"]


def rules(process: Process, period: Period) -> pd.DataFrame:
    """
    Give the stages of the process in force on the first day of a period.

    Returns
    -------
    DataFrame, one row per stage in order
        ``place`` (0 for the first), ``stage`` (the CRM's name), ``name`` and ``goal`` (texts in both languages),
        ``role`` (who answers for it), ``actions`` (tuple; each has ``activities``, of one of these kinds, and
        ``at_least``), ``sla_days`` (allowed), ``target_conversion`` (fraction).
    """
    stages = process.on(period.first).stages
    rows = [
        [place, *(getattr(stage, name) for name in _RULES[1:])]
        for place, stage in enumerate(stages)
    ]
    return pd.DataFrame(rows, columns=_RULES)


def stages(seen: Seen, process: Process, period: Period, *, by: str | None = None) -> pd.DataFrame:
    """
    Judge the entries of each stage, and count what deviates from the process there.

    Parameters
    ----------
    seen : Seen
        Needs ``stage_events``, without them the result has no rows; without ``activities`` nothing is judged.
    process : Process
    period : Period
    by : team or owner, optional

    Returns
    -------
    DataFrame, one row per stage in order (and group, with the ``name`` of an owner in ``group_name``)
        The columns of `rules`, then counts of entries: ``n_settled`` in the period = ``n_judged`` (went on, or the days
        were over) + ``n_ended_early`` (lost or removed before), if actions are required; ``n_done`` of the judged
        had all required actions in time, ``n_missed`` had not; ``n_pending`` are still to be settled at its end.
        ``done_rate``, ``…_low``, ``…_high`` (Wilson). ``n_over``: settled ones that stayed more than the days
        allowed, ``over_rate`` with bounds, ``over_median_days`` with bounds: Kaplan-Meier median of their days
        beyond, open ones censored (NaN while fewer than half have left).

        Moves within the period: ``n_entered`` entries, of them ``n_repeat`` into a stage the deal was in before and
        of these ``n_ping_pong`` straight back (A, B, A); ``n_moved_back`` entries that ended with a move to an
        earlier stage; ``n_arrived`` deals that came to this stage or beyond for the first time, of them
        ``n_passed`` beyond it without entering (deals handed over from another pipeline do not count).

        ``n_matured`` deals that had first entered it ``sla_days`` before a day of the period (removed ones left
        out), of them ``n_converted`` reached a later stage or won by then; ``conversion_rate`` with bounds (Wilson)
        and ``against_target``: above, below (the interval leaves the target out), open or unknown (no deal).
        Rates are NaN with denominator 0.

    Raises
    ------
    ParameterError
        A stage of the process is not in the CRM, or in several pipelines and the process does not say which.
    """
    groups = [] if by is None else [_grouping(by)]
    counts, beyond = _evidence(seen, process, period)
    table = _summary(counts, beyond, ["place", *groups])
    table["conversion_rate"] = table["n_converted"] / table["n_matured"].where(
        table["n_matured"] > 0
    )
    limits = proportions.wilson(table["n_converted"], table["n_matured"])
    table["conversion_rate_low"], table["conversion_rate_high"] = limits
    table = table.merge(rules(process, period), on="place", validate="m:1")
    target = table["target_conversion"].astype(float)
    table["against_target"] = np.select(
        [
            table["n_matured"] == 0,
            table["conversion_rate_low"] > target,
            table["conversion_rate_high"] < target,
        ],
        ["unknown", "above", "below"],
        "open",
    )
    columns = [*_RULES, *_COUNTS, *_DONE, *_OVER, *_CONVERSION]
    if by is None:
        return table[columns]
    table = table.rename(columns={by: "group"})
    name = names(seen, table["group"]) if by == "owner" else table["group"]
    return table.assign(group_name=name)[["group", "group_name", *columns]]


def groups(seen: Seen, process: Process, period: Period, *, by: str) -> pd.DataFrame:
    """
    Judge the entries of each team or rep, all stages together.

    Parameters
    ----------
    seen, process, period : as for `stages`
    by : team or owner

    Returns
    -------
    DataFrame, one row per group, sorted by team and name
        ``group``, ``name``, ``team`` (of an owner: as of the day), the counts of `stages` over all stages, and
        ``done_rate``, ``over_rate``, ``over_median_days`` with bounds; ``expected``: how many of the judged
        entries would have had their actions at each stage's rate of all. Rates are NaN with fewer than `FEWEST`
        entries behind them.
    """
    key = _grouping(by)
    counts, beyond = _evidence(seen, process, period)
    table = _summary(counts, beyond, [key])
    whole = stages(seen, process, period).set_index("place")["done_rate"]
    counts = counts.assign(expected=counts["n_judged"] * counts["place"].map(whole).fillna(0.0))
    expected = counts.groupby(key, dropna=False)["expected"].sum().reset_index()
    table = table.merge(expected, on=key, validate="1:1")
    table[_DONE[1:]] = table[_DONE[1:]].where(table["n_judged"] >= FEWEST)
    table[_OVER[:3]] = table[_OVER[:3]].where(table["n_settled"] >= FEWEST)
    table[_OVER[3:]] = table[_OVER[3:]].where(table["n_over"] >= FEWEST)
    table = table.assign(group=table[key], name=table[key], team=table[key])
    if by == "owner":
        table = table.assign(name=names(seen, table["group"]), team=_teams(seen, table["group"]))
    columns = ["group", "name", "team", *_COUNTS, *_DONE, "expected", *_OVER]
    table = table[table[["n_settled", "n_pending", "n_entered", "n_arrived"]].any(axis=1)]
    return table.sort_values(["team", "name", "group"], ignore_index=True)[columns]


def trend(seen: Seen, process: Process, period: Period, *, periods: int = 4) -> pd.DataFrame:
    """
    Give the share of entries with all required actions in time, period by period, each by its own rules.

    Returns
    -------
    DataFrame, one row per period in order of time, the last being the one given
        ``period``, ``first``, ``last`` (days), ``n_judged``, ``n_done``, ``done_rate`` with bounds (Wilson; NaN
        without a judged entry); ``difference`` to the period before with ``difference_low``, ``difference_high``
        (MOVER; NaN in the first row). Counts are 0 where no rule was in force; no rows without ``stage_events``
        or ``activities``.
    """
    if not isinstance(periods, int) or periods < 1:
        raise ParameterError(f"periods must be a whole number from 1 on, found {periods!r}")
    columns = ["period", "first", "last", "n_judged", "n_done", *_DONE[1:], *_DIFFERENCE]
    if seen.reason("stage_events") or seen.reason("activities"):
        return pd.DataFrame(columns=columns)
    rows = []
    for one in series(period, periods):
        in_force = _in_force(seen, process, one)
        done = pd.concat([_done(seen, stage, one) for stage in in_force] or [_NOTHING])
        sums = done[["n_judged", "n_done"]].sum().astype(int)
        rows.append((str(one), one.first, one.last, *sums))
    table = pd.DataFrame(rows, columns=columns[:5])
    table = _with_rate(table, "done_rate", "n_done", "n_judged")
    before = table[_DONE[1:]].shift().to_numpy(dtype=float).T
    change = proportions.difference(*before, *table[_DONE[1:]].to_numpy(dtype=float).T)
    return table.assign(**dict(zip(_DIFFERENCE, change, strict=True)))[columns]


def worth(
    seen: Seen, process: Process, period: Period, *, landmark_days: int = 7, within_days: int = 60
) -> pd.DataFrame:
    """
    Compare deals that had a stage's required actions done by a day after entering it with those that had not.

    A landmark analysis [1]_: only first visits that are still in the stage at the end of the landmark day are
    compared, by what was done until then, and by what became of them after it. So a deal cannot collect actions by
    staying long and then count as one that had them. It is an association: reps may work first on the deals that
    look better, and better reps may do both more.

    Parameters
    ----------
    seen : Seen
        Needs ``stage_events`` and ``activities``; without them the result has no rows.
    process, period : as for `stages`
        All first visits since the rule began count, until the as-of day.
    landmark_days : int
        Days from entry to the landmark; where a stage allows fewer, those it allows. Early enough that most deals
        are still there, late enough that the actions can be done.
    within_days : int
        Days after the landmark within which a deal is to go on. Long enough that most have left by then: a shorter
        time would compare how soon deals go on, not whether.

    Returns
    -------
    DataFrame, one row per stage with required actions, in order
        The columns of `rules`; ``landmark_days`` (of this stage), ``within_days``; ``n_entered`` first visits,
        ``n_gone`` of them that had left by the landmark, or have not reached it yet; ``n_with`` and ``n_without``
        the actions; of these ``advanced_with`` and ``advanced_without`` seen to go on within the days;
        ``with_rate``, ``without_rate`` with bounds: reached a later stage or won within the days (Aalen-Johansen
        from the landmark, lost competes, open censored; NaN where not followed that long); ``difference`` with
        ``difference_low``, ``difference_high`` (MOVER), ``p_value`` (pooled score test on effective n),
        ``q_value`` (Benjamini-Hochberg over the stages). The last five are NaN with fewer than `FEWEST` deals on a
        side. Removed deals are left out.

    References
    ----------
    .. [1] Anderson, Cain and Gelber, Journal of Clinical Oncology 1 (1983), 710-719.
    """
    expect_days(landmark_days=landmark_days, within_days=within_days)
    columns = [
        *_RULES,
        "landmark_days",
        "within_days",
        "n_entered",
        "n_gone",
        "n_with",
        "n_without",
    ]
    columns += ["advanced_with", "advanced_without", *_SIDES, *_DIFFERENCE, "p_value", "q_value"]
    if seen.reason("stage_events") or seen.reason("activities"):
        return pd.DataFrame(columns=columns)
    rows = [
        {"place": place} | _worth(seen, stage, min(landmark_days, stage.sla_days), within_days)
        for place, stage in enumerate(_in_force(seen, process, period))
        if stage.actions
    ]
    if not rows:
        return pd.DataFrame(columns=columns)
    table = pd.DataFrame(rows).assign(within_days=within_days)
    change = proportions.difference(
        *table[_SIDES[3:]].to_numpy().T, *table[_SIDES[:3]].to_numpy().T
    )
    table = table.assign(**dict(zip(_DIFFERENCE, change, strict=True)))
    table["p_value"] = proportions.pooled_p_value(
        table["with_rate"],
        table.pop("n_eff_with"),
        table["without_rate"],
        table.pop("n_eff_without"),
    )
    few = table[["n_with", "n_without"]].min(axis=1) < FEWEST
    table[[*_DIFFERENCE, "p_value"]] = table[[*_DIFFERENCE, "p_value"]].mask(few)
    table["q_value"] = proportions.false_discovery(table["p_value"])
    return table.merge(rules(process, period), on="place", validate="1:1")[columns]


def worth_overall(table: pd.DataFrame) -> pd.DataFrame:
    """
    Put the differences of the stages together, each stage compared within itself.

    Parameters
    ----------
    table : as `worth` gives

    Returns
    -------
    DataFrame, one row, or none where no stage has a difference
        ``difference``: mean over the stages, weighted by the deals compared, with ``difference_low``,
        ``difference_high`` (MOVER; the stages' comparisons are taken as independent); ``n_with``, ``n_without``,
        ``n_stages`` behind it; ``landmark_days`` (the largest), ``within_days``.
    """
    known = table[table["difference"].notna()]
    columns = [*_DIFFERENCE, "n_with", "n_without", "n_stages", "landmark_days", "within_days"]
    if known.empty:
        return pd.DataFrame(columns=columns)
    weight = (known["n_with"] + known["n_without"]).to_numpy(dtype=float)
    weight = weight / weight.sum()
    parts, low, high = known[_DIFFERENCE].to_numpy(dtype=float).T
    mean = float(weight @ parts)
    row = {
        "difference": mean,
        "difference_low": mean - float(np.hypot.reduce(weight * (parts - low))),
        "difference_high": mean + float(np.hypot.reduce(weight * (high - parts))),
        "n_with": int(known["n_with"].sum()),
        "n_without": int(known["n_without"].sum()),
        "n_stages": len(known),
        "landmark_days": int(known["landmark_days"].max()),
        "within_days": int(known["within_days"].iloc[0]),
    }
    return pd.DataFrame([row], columns=columns)


def worth_within(
    seen: Seen, process: Process, period: Period, *, landmark_days: int = 7, within_days: int = 60
) -> pd.DataFrame:
    """
    Compare as `worth` does, but only deals of the same stage, team and quarter of entry with each other.

    What teams and times differ in does not enter the difference then. Only deals that were followed to the end of
    the days count, so that no censoring is left.

    Returns
    -------
    DataFrame, one row, or none where no such group has deals of both kinds
        ``difference`` with ``difference_low``, ``difference_high`` (Mantel-Haenszel); ``n_with``, ``n_without``
        deals followed, ``n_strata`` groups with both kinds.
    """
    expect_days(landmark_days=landmark_days, within_days=within_days)
    columns = [*_DIFFERENCE, "n_with", "n_without", "n_strata"]
    if seen.reason("stage_events") or seen.reason("activities"):
        return pd.DataFrame(columns=columns)
    parts = []
    for place, stage in enumerate(_in_force(seen, process, period)):
        if stage.actions:
            landmark = min(landmark_days, stage.sla_days)
            rows = _at_landmark(seen, stage, landmark, within_days)
            is_advanced = (rows["cause"] == 1) & (rows["exit_age"] <= landmark + within_days)
            parts.append(rows.assign(place=place, k=rows["n"] * is_advanced))
    rows = pd.concat(parts) if parts else pd.DataFrame()
    rows = rows[rows["is_followed"] == 1] if len(rows) else rows
    if rows.empty:
        return pd.DataFrame(columns=columns)
    month = rows["month"].dt
    keys = ["place", "team", "quarter", "has_all"]
    cells = rows.assign(quarter=4 * month.year + month.quarter).groupby(keys, dropna=False)
    cells = cells[["k", "n"]].sum().unstack("has_all", fill_value=0)
    cells = cells.reindex(columns=[(x, side) for x in ("k", "n") for side in (0, 1)], fill_value=0)
    (k1, k2), (n1, n2) = cells["k"].to_numpy().T, cells["n"].to_numpy().T
    *difference, n_strata = strata.risk_difference(k1, n1, k2, n2)
    if not n_strata:
        return pd.DataFrame(columns=columns)
    return pd.DataFrame([(*difference, int(n2.sum()), int(n1.sum()), n_strata)], columns=columns)


def targets(seen: Seen, process: Process, period: Period) -> pd.DataFrame:
    """
    Count the deals in the target segments of the strategy.

    Returns
    -------
    DataFrame, two rows: ``what`` created and won, of deals created, or won, in the period
        ``n_deals``, ``n_target`` in one of the target segments, ``n_unknown`` without a segment (part of
        ``n_deals``), ``target_rate`` with bounds (Wilson; NaN without a deal); ``strangers``: target segments that
        no deal of any day has (tuple; a name may be misspelt). Removed deals are left out. No rows where the source
        has no segments.
    """
    columns = ["what", "n_deals", "n_target", "n_unknown", "target_rate"]
    columns += ["target_rate_low", "target_rate_high", "strangers"]
    if seen.reason("deals.segment"):
        return pd.DataFrame(columns=columns)
    known = set(seen.frame("SELECT DISTINCT segment FROM deals")["segment"])
    strangers = tuple(name for name in process.segments if name not in known)
    rows = []
    for what, day, state in (
        ("created", "created_on", "status <> 'removed'"),
        ("won", "closed_on", "cause = 1"),
    ):
        counts = seen.frame(
            f"SELECT segment, count(*) AS n FROM deals WHERE {state} AND {day} BETWEEN ? AND ? GROUP BY 1",
            _days(seen, period),
        )
        n, segment = counts["n"], counts["segment"]
        of = n[segment.isin(process.segments)].sum(), n[segment.isna()].sum()
        rows.append((what, int(n.sum()), *(int(part) for part in of)))
    table = pd.DataFrame(rows, columns=columns[:4])
    table = _with_rate(table, "target_rate", "n_target", "n_deals")
    return table.assign(strangers=[strangers] * len(table))[columns]


def outside(seen: Seen, process: Process, period: Period) -> pd.DataFrame:
    """
    Count entries into stages of the CRM that the process says nothing about.

    Returns
    -------
    DataFrame, one row per such stage with an entry in the period
        ``pipeline``, ``stage``, ``stage_order``, ``n_entered``.
    """
    counts = seen.frame(
        "SELECT pipeline, stage, stage_order, count(*) AS n_entered FROM stays "
        "WHERE entered_on BETWEEN ? AND ? GROUP BY 1, 2, 3",
        _days(seen, period),
    )
    if seen.reason("stage_events"):
        return counts
    is_ruled = np.zeros(len(counts), dtype=bool)
    for stage in _in_force(seen, process, period):
        same = (counts["stage"] == stage.stage).to_numpy(dtype=bool)
        if stage.pipeline is not None:
            same = same & (counts["pipeline"] == stage.pipeline).to_numpy(dtype=bool)
        is_ruled = is_ruled | same
    return counts[~is_ruled].sort_values(["pipeline", "stage_order"], ignore_index=True)


def _grouping(by: str) -> str:
    if by not in ("team", "owner"):
        raise ParameterError(f"by must be team or owner, found {by!r}")
    return by


def _days(seen: Seen, period: Period) -> tuple:
    """First and last day of a period as far as it was observed."""
    return period.first, min(period.last, seen.as_of)


def _in_force(seen: Seen, process: Process, period: Period) -> tuple[Stage, ...]:
    """The stages in force, each of them one stage of the CRM, with its pipeline where there are several."""
    in_force = process.on(period.first).stages
    known = seen.frame(
        "SELECT pipeline, stage FROM stages WHERE NOT is_won AND NOT is_lost ORDER BY pipeline, stage_order"
    )
    found = []
    for stage in in_force:
        same = known[known["stage"] == stage.stage]
        if stage.pipeline is not None:
            same = same[same["pipeline"] == stage.pipeline]
        where = f"process file {process.file}, stages, {stage.stage}"
        if same.empty:
            given = "" if stage.pipeline is None else f" in pipeline {stage.pipeline!r}"
            raise ParameterError(
                f"{where}: must be a stage of {seen.source['name']}{given}, found {stage.stage!r}, which is none; "
                f"its stages are {', '.join(_places(known))}; write the CRM's name"
            )
        if len(same) > 1:
            raise ParameterError(
                f"{where}, pipeline: must be given, as {seen.source['name']} has the stage in several pipelines; "
                f"allowed: {', '.join(same['pipeline'].astype(str))}"
            )
        several = known["pipeline"].nunique(dropna=False) > 1
        found.append(replace(stage, pipeline=same["pipeline"].iloc[0]) if several else stage)
    return tuple(found)


def _places(known: pd.DataFrame) -> list[str]:
    if known["pipeline"].nunique(dropna=False) < 2:
        return known["stage"].tolist()
    return [f"{row.stage} ({row.pipeline})" for row in known.itertuples()]


_NOTHING = pd.DataFrame(
    {
        name: pd.Series(dtype=kind)
        for name, kind in {"place": int, "owner": str, "team": str}.items()
    }
    | {name: pd.Series(dtype=int) for name in _COUNTS}
)
_BEYOND = pd.DataFrame(
    {"place": [], "owner": [], "team": [], "days": [], "has_left": [], "n": []}, dtype=object
)


def _evidence(seen: Seen, process: Process, period: Period) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Counts by stage, owner and team, and the days that entries stayed beyond those allowed."""
    if seen.reason("stage_events"):
        return _NOTHING, _BEYOND
    in_force = _in_force(seen, process, period)
    return seen.once(("conformance", in_force, period), lambda: _count(seen, in_force, period))


def _count(
    seen: Seen, in_force: tuple[Stage, ...], period: Period
) -> tuple[pd.DataFrame, pd.DataFrame]:
    counts, beyond = [_NOTHING], [_BEYOND]
    for place, stage in enumerate(in_force):
        entries, over = _entries(seen, stage, period)
        parts = [entries, _returns(seen, stage, period), _arrivals(seen, stage, period)]
        parts.append(_matured(seen, stage, period))
        if stage.actions and not seen.reason("activities"):
            parts.append(_done(seen, stage, period))
        counts += [part.assign(place=place) for part in parts]
        beyond.append(over.assign(place=place))
    table = pd.concat([part for part in counts if len(part)] or counts)
    table = table.reindex(columns=_NOTHING.columns)
    table[_COUNTS] = table[_COUNTS].fillna(0).astype("int64")
    table = table.groupby(["place", "owner", "team"], dropna=False, as_index=False)[_COUNTS].sum()
    return table, pd.concat([part for part in beyond if len(part)] or beyond, ignore_index=True)


def _here(stage: Stage, alias: str) -> tuple[str, list[str]]:
    """SQL that says which stage a row is of, with its parameters."""
    if stage.pipeline is None:
        return f"{alias}.stage = ?", [stage.stage]
    return f"{alias}.stage = ? AND {alias}.pipeline = ?", [stage.stage, stage.pipeline]


def _entries(seen: Seen, stage: Stage, period: Period) -> tuple[pd.DataFrame, pd.DataFrame]:
    """What became of the entries that were there in the period; and how long those over the days stayed beyond."""
    here, parameters = _here(stage, "s")
    rows = seen.frame(
        f"""
        SELECT s.owner, s.team, s.entered_on, s.outcome, s.stay_days, count(*) AS n FROM stays s
        WHERE {here} AND s.entered_on <= ? AND (s.exited_on IS NULL OR s.exited_on >= ?) GROUP BY 1, 2, 3, 4, 5
        """,
        (*parameters, *_days(seen, period)[::-1]),
    )
    first, last = (pd.Timestamp(day) for day in _days(seen, period))
    stayed, entered, outcome = rows["stay_days"], rows["entered_on"], rows["outcome"].astype(str)
    is_over = stayed > stage.sla_days
    goes_on = ~outcome.isin(["open", "lost", "removed"])
    is_judged = is_over | goes_on
    is_settled = is_judged | outcome.isin(["lost", "removed"])
    settled_on = entered + pd.to_timedelta(stayed.clip(upper=stage.sla_days), unit="D")
    now = settled_on.between(first, last)
    left_on = entered + pd.to_timedelta(stayed, unit="D")
    tests = {
        "n_settled": is_settled & now,
        "n_ended_early": is_settled & ~is_judged & now,
        "n_pending": (entered <= last) & ~(is_settled & (settled_on <= last)),
        "n_over": is_over & now,
        "n_entered": entered.between(first, last),
        "n_moved_back": (outcome == "moved_back") & left_on.between(first, last),
    }
    counts = rows[["owner", "team"]].assign(
        **{name: rows["n"] * test for name, test in tests.items()}
    )
    over = rows[tests["n_over"]]
    days = (over["stay_days"] - stage.sla_days).astype(int)
    over = over[["owner", "team", "n"]].assign(days=days, has_left=outcome[over.index] != "open")
    return counts, over


def _done(seen: Seen, stage: Stage, period: Period) -> pd.DataFrame:
    """Entries judged in the period, and those with all required actions in time; none where nothing is required."""
    if not stage.actions:
        return _NOTHING
    rows = kpis.judged_entries(seen, stage)
    first, last = (pd.Timestamp(day) for day in _days(seen, period))
    rows = rows[rows["judged_on"].between(first, last)]
    return rows[["owner", "team", "n", "k"]].rename(columns={"n": "n_judged", "k": "n_done"})


def _returns(seen: Seen, stage: Stage, period: Period) -> pd.DataFrame:
    """Entries into the stage of deals that had been in it, and those that came straight back."""
    (there, _), (before, parameters) = _here(stage, "s"), _here(stage, "b")
    rows = seen.frame(
        f"""
        SELECT s.owner, s.team, CASE WHEN m.deal_key IS NULL OR b.deal_key IS NULL THEN 0 ELSE 1 END AS is_straight,
               count(*) AS n
        FROM stays s
        JOIN (SELECT s.deal_key, min(s.pos) AS pos FROM stays s WHERE {there} GROUP BY s.deal_key) f
          ON f.deal_key = s.deal_key
        LEFT JOIN stays m ON m.deal_key = s.deal_key AND m.pos = s.pos - 1
        LEFT JOIN stays b ON b.deal_key = s.deal_key AND b.pos = s.pos - 2 AND {before}
        WHERE {there} AND s.pos > f.pos AND s.entered_on BETWEEN ? AND ? GROUP BY 1, 2, 3
        """,
        (*parameters * 3, *_days(seen, period)),
    )
    n = rows["n"]
    return rows[["owner", "team"]].assign(n_repeat=n, n_ping_pong=n * rows["is_straight"])


def _arrivals(seen: Seen, stage: Stage, period: Period) -> pd.DataFrame:
    """Deals that came to the stage or beyond for the first time, won included, and those that passed over it."""
    here, parameters = _here(stage, "k")
    pipeline = "" if stage.pipeline is None else "AND s.pipeline = ?"
    own = [] if stage.pipeline is None else [stage.pipeline]
    order = f"(SELECT k.stage_order FROM stages k WHERE {here})"
    rows = seen.frame(
        f"""
        WITH arrivals AS (
          SELECT s.deal_key, s.pos, s.entered_on AS day, s.owner, s.team, s.inflow,
                 CASE WHEN s.stage_order > {order} THEN 1 ELSE 0 END AS is_beyond
          FROM stays s WHERE s.stage_order >= {order} {pipeline}
          UNION ALL
          SELECT s.deal_key, s.pos + 1, s.exited_on, s.owner, s.team, 'won', 1
          FROM stays s LEFT JOIN stays n ON n.deal_key = s.deal_key AND n.pos = s.pos + 1
          WHERE s.outcome = 'skipped' AND n.deal_key IS NULL AND s.stage_order < {order} {pipeline}
        )
        SELECT a.owner, a.team, a.is_beyond, count(*) AS n
        FROM arrivals a JOIN (SELECT deal_key, min(pos) AS pos FROM arrivals GROUP BY deal_key) f
          ON f.deal_key = a.deal_key AND f.pos = a.pos
        WHERE a.inflow <> 'handed_in' AND a.day BETWEEN ? AND ? GROUP BY 1, 2, 3
        """,
        (*parameters, *parameters, *own, *parameters, *own, *_days(seen, period)),
    )
    n = rows["n"]
    return rows[["owner", "team"]].assign(n_arrived=n, n_passed=n * rows["is_beyond"])


def _matured(seen: Seen, stage: Stage, period: Period) -> pd.DataFrame:
    """First visits that had the days allowed until a day of the period, and those that went on by then."""
    here, parameters = _here(stage, "v")
    rows = seen.frame(
        f"""
        SELECT v.owner, v.team, v.entered_on, count(*) AS n_matured,
               sum(CASE WHEN v.cause = 1 AND v.exit_age <= ? THEN 1 ELSE 0 END) AS n_converted
        FROM first_visits v WHERE {here} AND v.is_removed = 0 AND v.days_since_entered >= ? GROUP BY 1, 2, 3
        """,
        (stage.sla_days, *parameters, stage.sla_days),
    )
    day = rows["entered_on"] + pd.to_timedelta(stage.sla_days, unit="D")
    first, last = (pd.Timestamp(day) for day in _days(seen, period))
    return rows[day.between(first, last)].drop(columns="entered_on")


def _summary(counts: pd.DataFrame, beyond: pd.DataFrame, keys: list[str]) -> pd.DataFrame:
    table = counts.groupby(keys, dropna=False, as_index=False)[_COUNTS].sum()
    table["n_missed"] = table["n_judged"] - table["n_done"]
    table = _with_rate(table, "done_rate", "n_done", "n_judged")
    table = _with_rate(table, "over_rate", "n_over", "n_settled")
    rows = [
        {**dict(zip(keys, key, strict=True)), **dict(zip(_OVER[3:], _median(part), strict=True))}
        for key, part in beyond.groupby(keys, dropna=False)
    ]
    medians = pd.DataFrame(rows, columns=[*keys, *_OVER[3:]]).astype(table[keys].dtypes)
    return table.merge(medians, how="left", on=keys, validate="1:1")


def _median(beyond: pd.DataFrame) -> tuple[float, float, float]:
    n = beyond["n"].astype(int)
    curve = survival.kaplan_meier(beyond["days"].astype(int), beyond["has_left"].astype(bool), n)
    return survival.quantile(curve, 0.5)


def _with_rate(table: pd.DataFrame, rate: str, k: str, n: str) -> pd.DataFrame:
    low, high = proportions.wilson(table[k], table[n])
    value = table[k] / table[n].where(table[n] > 0)
    return table.assign(**{rate: value, f"{rate}_low": low, f"{rate}_high": high})


def _teams(seen: Seen, owners: pd.Series) -> pd.Series:
    if seen.reason("people"):
        return pd.Series(None, index=owners.index, dtype=object)
    people = seen.frame("SELECT person_id, team FROM people").set_index("person_id")["team"]
    return owners.map(people)


def _worth(seen: Seen, stage: Stage, landmark: int, within: int) -> dict:
    """Compare the first visits of one stage that are still there at the landmark."""
    here, parameters = _here(stage, "v")
    entered = seen.frame(
        f"SELECT count(*) AS n FROM first_visits v WHERE {here} AND v.is_removed = 0 AND v.entered_on >= ?",
        (*parameters, stage.begins),
    )
    counts = _at_landmark(seen, stage, landmark, within)
    cells = np.zeros((2, 3, within + 2), dtype=np.int64)
    age = (counts["exit_age"] - landmark).clip(upper=within + 1)
    where = (counts["has_all"], counts["cause"], age)
    np.add.at(
        cells, tuple(part.to_numpy(dtype=int) for part in where), counts["n"].to_numpy(dtype=int)
    )
    without, with_all = survival.incidence_of_groups(cells).to_dict("records")
    n, advanced = cells.sum(axis=(1, 2)), cells[:, 1, :-1].sum(axis=1)
    n_entered = int(entered["n"].iloc[0])
    found = {"landmark_days": landmark, "n_entered": n_entered, "n_gone": n_entered - int(n.sum())}
    for side, rates, row in (("with", with_all, 1), ("without", without, 0)):
        found |= {f"n_{side}": int(n[row]), f"advanced_{side}": int(advanced[row])}
        found |= {f"{side}_{end}": rates[end] for end in ("rate", "rate_low", "rate_high")}
        found[f"n_eff_{side}"] = rates["n_eff"]
    return found


def _at_landmark(seen: Seen, stage: Stage, landmark: int, within: int) -> pd.DataFrame:
    """Count the first visits still in the stage after the landmark day, by what was done and what came after it."""
    (visits, parameters), (stays, _) = _here(stage, "v"), _here(stage, "s")
    done = ", ".join(
        f"sum(CASE WHEN a.type IN ({', '.join('?' * len(action.activities))}) THEN 1 ELSE 0 END) AS done_{number}"
        for number, action in enumerate(stage.actions)
    )
    has_all = " AND ".join(f"e.done_{number} >= ?" for number in range(len(stage.actions)))
    return seen.frame(
        f"""
        SELECT e.team, e.month, e.exit_age, e.cause, e.is_followed,
               CASE WHEN {has_all} THEN 1 ELSE 0 END AS has_all, count(*) AS n
        FROM (SELECT v.deal_key, v.team, v.exit_age, v.cause, date_trunc('month', v.entered_on) AS month,
                     CASE WHEN v.days_since_entered >= ? THEN 1 ELSE 0 END AS is_followed, {done}
              FROM first_visits v
              JOIN (SELECT s.deal_key, min(s.pos) AS pos FROM stays s WHERE {stays} GROUP BY s.deal_key) f
                ON f.deal_key = v.deal_key
              JOIN stays t ON t.deal_key = f.deal_key AND t.pos = f.pos
              LEFT JOIN activities a ON a.deal_key = v.deal_key AND a.done_on IS NOT NULL
                AND date_diff('day', CAST(v.entered_on AS DATE), CAST(a.done_on AS DATE)) BETWEEN 0 AND ?
              WHERE {visits} AND v.is_removed = 0 AND v.entered_on >= ?
                AND (t.stay_days > ? OR (t.stay_days = ? AND t.outcome = 'open'))
              GROUP BY v.deal_key, v.team, v.exit_age, v.cause, v.entered_on, v.days_since_entered) e
        GROUP BY 1, 2, 3, 4, 5, 6
        """,
        (
            *(action.at_least for action in stage.actions),
            landmark + within,
            *(kind for action in stage.actions for kind in action.activities),
            *parameters,
            landmark,
            *parameters,
            stage.begins,
            *(landmark, landmark),
        ),
    )
