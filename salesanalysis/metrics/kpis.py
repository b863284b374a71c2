"""
What each KPI of the process file measures: counts by person and day first, then values of a period.

A measure gives its evidence once, over the whole history as known on the as-of day: one row per person and day, with
counts. A period, a team, the odd weeks, a trend are sums over rows of it. An outcome that needs time (won by an age,
advanced within days) counts on the day on which the deal reaches that age, so that every deal counted had the time.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import pandas as pd

from salesanalysis.crm.errors import ParameterError
from salesanalysis.crm.process import Kpi, Process, Stage
from salesanalysis.crm.seen import Seen
from salesanalysis.metrics import credit, staff
from salesanalysis.metrics.periods import Period
from salesanalysis.statistics import proportions, rates, scores

DAYS_A_MONTH = 365.25 / 12
_ENOUGH_TO_KNOW = 100  # activities recorded, before a kind that is not among them is called unknown
_SUMS = ["n", "k", "x", "xx", "largest"]


class Form(NamedTuple):
    """How evidence becomes a value, and the unit its amount is counted in."""

    evidence: str  # unit of the evidence: deals, entries, answers, days …
    least: float  # evidence below which nothing is judged, unless the scorecard says otherwise
    table: str  # canonical tables without which it is impossible, the first missing one gives the reason
    form: str  # share, rate, amount, attainment, mean, median


FORMS: dict[str, Form] = {
    "activities": Form("days", 30, "activities", "rate"),
    "activities_on_time": Form("activities", 10, "activities", "share"),
    "actions_done": Form("entries", 8, "activities stage_events", "share"),
    "stage_conversion": Form("deals", 8, "stage_events", "share"),
    "cohort_win_rate": Form("deals", 8, "deals.owner", "share"),
    "won_amount": Form("days", 30, "deals.owner deals.amount", "amount"),
    "quota_attainment": Form("quotas", 1, "quotas deals.amount", "attainment"),
    "sales_cycle": Form("won deals", 6, "deals.owner", "median"),
    "satisfaction": Form("answers", 3, "satisfaction", "mean"),
    "response_rate": Form("questions", 5, "satisfaction", "share"),
    "assists": Form("days", 30, "credits", "rate"),
    "credit_shared": Form("won deals", 3, "credits", "share"),
    "hand_overs": Form("hand-overs", 3, "owner_history activities", "share"),
    "data_hygiene": Form("closed deals", 5, "deals.owner", "share"),
}


def members(seen: Seen, process: Process, period: Period) -> pd.DataFrame:
    """
    Everyone who was there in a period, in the role and team held last in it.

    Returns
    -------
    DataFrame, one row per person, sorted by team and person
        ``person``, ``name``, ``team`` and ``role`` (of the last spell begun in the period; the process's default
        role where the source gives none), ``manager``, ``ramp`` (ramping: the period begins less than the
        process's ``ramp_months`` after hiring), ``days`` present until the as-of date, before and after an
        interruption, ``hired_on``, ``left_on`` (of the last spell).
        Without people in the source: the owners of its deals, all present throughout.
    """
    spells = _spells_in(seen, process, period)
    people = spells.drop_duplicates("person", keep="last").drop(columns="days")
    people = people.join(spells.groupby("person")["days"].sum(), on="person")
    ramped_by = pd.Timestamp(period.first) - pd.DateOffset(months=process.ramp_months)
    people["ramp"] = np.where(people["hired_on"] > ramped_by, "ramping", "ramped")
    people["name"] = people["name"].fillna(people["person"])
    columns = ["person", "name", "team", "role", "manager", "ramp", "days", "hired_on", "left_on"]
    return people.sort_values(["team", "person"], ignore_index=True)[columns]


def _spells_in(seen: Seen, process: Process, period: Period) -> pd.DataFrame:
    """Spells of people in teams and roles, with the days of each in the period until the as-of date."""
    spells = staff.spells(seen)
    first = pd.Series(pd.Timestamp(period.first), spells.index)
    last = pd.Series(pd.Timestamp(min(period.last, seen.as_of)), spells.index)
    spells = spells.assign(days=staff.days_between(spells, first, last))
    spells["role"] = spells["role"].fillna(process.default_role)
    return spells[spells["days"] > 0]


def evidence(seen: Seen, process: Process, kpi: Kpi, stages: tuple[Stage, ...]) -> pd.DataFrame:
    """
    Count what a KPI is made of, by person and day.

    Parameters
    ----------
    seen : Seen
    process : Process
    kpi : Kpi
    stages : the stages whose actions and days are asked for

    Returns
    -------
    DataFrame, one row per person, day and, for medians, value
        ``person``, ``team`` (that person's on the day; of an amount: the deal's), ``day``, and of ``n`` (cases), ``k`` (of them as wanted, or
        events of a rate), ``x``, ``xx``, ``largest`` (sum, sum of squares, largest of amounts or scores) those that
        its form needs; a median has ``x`` (days) and ``n``. No rows where the source cannot give it.
    """
    arguments = tuple(sorted(kpi.arguments.items()))
    rules = stages if kpi.measure == "actions_done" else ()
    key = ("evidence", kpi.measure, arguments, rules)
    return seen.once(key, lambda: _with_team(seen, _measured(seen, kpi, stages)))


def _measured(seen: Seen, kpi: Kpi, stages: tuple[Stage, ...]) -> pd.DataFrame:
    if impossible(seen, kpi):
        days = pd.Series(dtype="datetime64[s]")
        return pd.DataFrame({"person": pd.Series(dtype="str"), "day": days})
    return _MEASURES[kpi.measure](seen, kpi, stages)


def impossible(seen: Seen, kpi: Kpi) -> str | None:
    """Why the source cannot give a KPI at all; None where it can."""
    reasons = (seen.reason(table) for table in FORMS[kpi.measure].table.split())
    return next((reason for reason in reasons if reason), None)


def _with_team(seen: Seen, table: pd.DataFrame) -> pd.DataFrame:
    """The team of each person on each day; the first team also holds before, the last one after."""
    table = table[table["person"].notna() & table["day"].notna()]
    if table.empty:  # of no type that could be joined
        return table.assign(team=None)
    if "team" in table:  # an amount belongs to the team of the deal, whoever shares in it
        return table.sort_values(["person", "day"], kind="stable", ignore_index=True)
    spells = staff.spells(seen)[["person", "team", "begins_on"]]
    spells["begins_on"] = spells["begins_on"].fillna(pd.Timestamp("1900-01-01"))
    spells = spells.sort_values("begins_on", kind="stable").astype({"begins_on": "datetime64[s]"})
    first = spells.drop_duplicates("person").set_index("person")["team"]
    table = table.sort_values("day", kind="stable").astype({"day": "datetime64[s]"})
    table = pd.merge_asof(table, spells, left_on="day", right_on="begins_on", by="person")
    team = table["team"].where(table["begins_on"].notna(), table["person"].map(first))
    table = table.assign(team=team).drop(columns="begins_on")
    return table.sort_values(["person", "day"], kind="stable", ignore_index=True)


def values(seen: Seen, process: Process, period: Period) -> pd.DataFrame:
    """
    Value, interval and points of each KPI of each person in a period, by the rules in force on its first day.

    Parameters
    ----------
    seen : Seen
    process : Process
    period : Period

    Returns
    -------
    DataFrame, one row per person and KPI in force for that role and ramp state, in the order of the process file
        ``person``, ``name``, ``team``, ``role``, ``ramp``, ``days``; ``kpi`` (id), ``kind``, ``measure``,
        ``whose`` (own, team), ``form``; ``value`` (a rate: per month present; an amount: money per month present; of
        a team: per month and rep; an attainment: fraction of the prorated quota; a median: days) with the 95 % interval ``low``, ``high``;
        ``n`` (evidence, in the measure's unit), ``least`` (evidence needed), the sums ``cases``, ``k``, ``x``, ``xx``,
        ``largest``, ``per`` (months or quota the sum is divided by) that draws of the value are made from; ``floor``,
        ``target``, ``weight`` (fraction of 1), ``points`` (0 to 100 times the scorecard's cap; NaN unless judged),
        ``is_judged``, ``why`` (slug of why not: impossible, not_recorded (nothing of the kind is, of anybody, until
        the end of the period: a nought would not be the person's), no_quota, too_little; else empty).
    """
    rules = process.on(period.first)
    people = members(seen, process, period)
    parts = []
    for kpi in rules.kpis:
        who = people[people["role"] == kpi.role]
        who = who if kpi.ramp == "any" else who[who["ramp"] == kpi.ramp]
        if len(who):
            parts.append(_values_of(seen, process, period, kpi, rules, who))
    if not parts:
        _expect_roles(seen, process, {kpi.role for kpi in rules.kpis})
        return pd.DataFrame(columns=_COLUMNS)
    table = pd.concat(parts, ignore_index=True)
    return table.sort_values(["team", "person"], kind="stable", ignore_index=True)[_COLUMNS]


def _expect_roles(seen: Seen, process: Process, wanted: set[str]) -> None:
    """
    Refuse KPIs for roles that nobody ever had.

    Raises
    ------
    ParameterError
        None of the roles that KPIs are for is among those of the people.
    """
    known = sorted(set(staff.spells(seen)["role"].fillna(process.default_role)))
    if wanted and known and not wanted & set(known):
        raise ParameterError(
            f"the KPIs of the process file must be for roles that people have, but nobody was ever "
            f"{' or '.join(sorted(wanted))}; the roles are {', '.join(known)}; correct role in the process file"
        )


_COLUMNS = [
    *("person", "name", "team", "role", "ramp", "days", "kpi", "kind", "measure", "whose", "form"),
    *("value", "low", "high", "n", "least", "cases", "k", "x", "xx", "largest", "per"),
    *("floor", "target", "weight", "points", "is_judged", "why"),
]


def _values_of(
    seen: Seen, process: Process, period: Period, kpi: Kpi, rules, who: pd.DataFrame
) -> pd.DataFrame:
    form = FORMS[kpi.measure]
    unit = "person" if kpi.whose == "own" else "team"
    units = who[unit].drop_duplicates().dropna()
    sums = unit_values(seen, process, period, kpi, rules.stages, unit=unit, units=units)
    table = who[["person", "name", "team", "role", "ramp", "days"]].merge(
        sums, how="left", left_on=unit, right_on="unit", validate="m:1"
    )
    least = rules.scorecard.evidence.get(kpi.id, form.least) if rules.scorecard else form.least
    why = np.select(
        [
            np.full(len(table), impossible(seen, kpi) is not None),
            np.full(len(table), not _is_recorded(seen, process, period, kpi, rules.stages)),
            (form.form == "attainment") & ~(table["per"] > 0),
            ~(table["n"] >= least) | table["value"].isna(),
        ],
        ["impossible", "not_recorded", "no_quota", "too_little"],
        "",
    )
    cap = rules.scorecard.cap / 100 if rules.scorecard else 1.0
    judged = table["value"].where(why == "")
    return table.assign(
        kpi=kpi.id,
        kind=kpi.kind,
        measure=kpi.measure,
        whose=kpi.whose,
        form=form.form,
        least=least,
        floor=kpi.floor,
        target=kpi.target,
        weight=kpi.weight,
        points=scores.points(judged.to_numpy(), kpi.floor, kpi.target, cap=cap),
        is_judged=why == "",
        why=why,
    )


def unit_values(
    seen: Seen,
    process: Process,
    period: Period,
    kpi: Kpi,
    stages: tuple[Stage, ...],
    *,
    unit: str,
    units: pd.Series,
    week: int | None = None,
) -> pd.DataFrame:
    """
    Value of one KPI in a period for persons or for teams.

    Parameters
    ----------
    seen, process, period, kpi, stages : as for `evidence` and `values`
    unit : person or team
    units : the persons or teams wanted
    week : 0 or 1, optional
        Only the even or odd calendar weeks, for split-half reliability.

    Returns
    -------
    DataFrame, one row per unit
        ``unit``, ``n`` (evidence), ``cases``, ``k``, ``x``, ``xx``, ``largest``, ``per``, ``value``, ``low``, ``high``,
        as `values` describes them. A unit without evidence has no cases; its value is NaN except for rates and
        amounts, where nothing done in the days present is 0. Values are NaN where the source cannot give the KPI or
        nothing of the kind had been recorded of anybody by the end of the period.
    """
    rows = evidence(seen, process, kpi, stages)
    is_known = impossible(seen, kpi) is None and _is_recorded(seen, process, period, kpi, stages)
    last = pd.Timestamp(min(period.last, seen.as_of))
    rows = rows[rows["day"].between(pd.Timestamp(period.first), last)]
    if week is not None:
        rows = rows[_week(rows["day"]) % 2 == week]
    rows = rows.reindex(columns=[*rows.columns, *(c for c in _SUMS if c not in rows.columns)])
    form = FORMS[kpi.measure].form
    table = pd.DataFrame({"unit": units.to_numpy()})
    sums = rows.groupby(unit)[_SUMS].agg(
        {"n": "sum", "k": "sum", "x": "sum", "xx": "sum", "largest": "max"}
    )
    sums = sums.rename(columns={"n": "cases"}).astype(float)
    table = table.join(sums, on="unit").fillna({"cases": 0.0, "k": 0.0, "x": 0.0, "xx": 0.0})
    table["per"] = _per(seen, process, period, form, unit, table["unit"], week)
    if form == "attainment" and unit == "team" and kpi.whose == "own":
        # A team judged on its members' evidence: where it has no quota of its own, theirs together.
        table["per"] = table["per"].fillna(
            table["unit"].map(_members_quotas(seen, process, period))
        )
    table = table.assign(**_estimates(form, table, rows, unit))
    if not is_known:
        table[["value", "low", "high"]] = np.nan
    table["n"] = _evidence(form, table, seen, period, unit)
    return table[["unit", "n", "cases", "k", "x", "xx", "largest", "per", "value", "low", "high"]]


def _is_recorded(seen: Seen, process: Process, period: Period, kpi: Kpi, stages) -> bool:
    """Whether a rate or an amount of nothing is a nought: the source had recorded something of the kind by then."""
    if FORMS[kpi.measure].form not in ("rate", "amount", "attainment"):
        return True
    last = pd.Timestamp(min(period.last, seen.as_of))
    return bool((evidence(seen, process, kpi, stages)["day"] <= last).any())


def _week(day: pd.Series) -> np.ndarray:
    """Number of the calendar week, Monday to Sunday, counted from a Monday."""
    return ((day - pd.Timestamp("1900-01-01")).dt.days // 7).to_numpy()


def _per(seen, process, period, form, unit, units: pd.Series, week: int | None) -> np.ndarray:
    """What a sum is divided by: months present, or the quota; NaN for forms that need none."""
    if form in ("rate", "amount"):
        people = _spells_in(seen, process, period)
        if unit == "team":  # a month and rep: managers carry no deals of their own
            people = people[people["role"] == process.default_role]
        days = people.groupby(unit)["days"].sum()
        share = 1.0 if week is None else 0.5
        return units.map(days).to_numpy(dtype=float) * share / DAYS_A_MONTH
    if form == "attainment":
        quotas = credit.quotas(seen, period)
        quotas = quotas[quotas["holder_type"] == unit].set_index("holder")["prorated_quota"]
        return units.map(quotas).to_numpy(dtype=float)
    return np.full(len(units), np.nan)


def _members_quotas(seen: Seen, process: Process, period: Period) -> pd.Series:
    """Prorated quotas of the members of each team together."""
    quotas = credit.quotas(seen, period)
    quotas = quotas[quotas["holder_type"] == "person"].set_index("holder")["prorated_quota"]
    people = members(seen, process, period)
    people = people[people["role"] == process.default_role]
    return quotas.reindex(people["person"]).groupby(people["team"].to_numpy()).sum(min_count=1)


def _estimates(form: str, table: pd.DataFrame, rows: pd.DataFrame, unit: str) -> dict:
    if form == "share":
        low, high = proportions.wilson(table["k"], table["cases"])
        value = table["k"] / table["cases"].where(table["cases"] > 0)
    elif form == "rate":
        value, low, high = rates.poisson_rate(table["k"].to_numpy(), table["per"].to_numpy())
    elif form in ("amount", "attainment"):
        largest = (
            rows["largest"].max() if len(rows) else np.nan
        )  # the limits ask for that of all units
        total = table["x"].where(table["x"] >= 0).to_numpy()  # a negative sum has no such interval
        limits = rates.weighted_sum(total, table["xx"].to_numpy(), largest=largest)
        per = table["per"].where(table["per"] > 0).to_numpy()
        value, low, high = (np.asarray(part) / per for part in (table["x"], *limits))
    elif form == "mean":
        value, low, high = rates.mean(*(table[c].to_numpy() for c in ("cases", "x", "xx")))
        low, high = np.clip(low, 0, 1), np.clip(high, 0, 1)  # of a share of a scale
    else:
        known = dict(list(rows.groupby(unit)))
        nothing = rows.iloc[:0]
        found = [
            rates.median(part["x"].to_numpy(), part["n"].to_numpy())
            for part in (known.get(key, nothing) for key in table["unit"])
        ]
        value, low, high = np.array(found, dtype=float).reshape(-1, 3).T
    return {"value": value, "low": low, "high": high}


def _evidence(form: str, table: pd.DataFrame, seen: Seen, period: Period, unit: str) -> np.ndarray:
    if form in ("rate", "amount"):
        return table["per"].to_numpy() * DAYS_A_MONTH
    if form == "attainment":
        quotas = credit.quotas(seen, period)
        counts = quotas[quotas["holder_type"] == unit].set_index("holder")["n_quotas"]
        return table["unit"].map(counts).fillna(0).to_numpy(dtype=float)
    return table["cases"].to_numpy()


def _shift(day: pd.Series, days: int) -> pd.Series:
    return day + pd.to_timedelta(days, unit="D")


def _activities(seen: Seen, kpi: Kpi, stages) -> pd.DataFrame:
    types = kpi.arguments["types"]
    return seen.frame(
        f"""
        SELECT rep AS person, done_on AS day, count(*) AS k FROM activities
        WHERE done_on IS NOT NULL AND type IN ({_marks(types)}) GROUP BY 1, 2
        """,
        tuple(types),
    )


def _activities_on_time(seen: Seen, kpi: Kpi, stages) -> pd.DataFrame:
    """Planned activities (due after the day they were entered), by the day they were due."""
    types = kpi.arguments.get("types", ())
    wanted = f"AND type IN ({_marks(types)})" if types else ""
    return seen.frame(
        f"""
        SELECT rep AS person, due_on AS day, count(*) AS n,
               sum(CASE WHEN done_on <= due_on THEN 1 ELSE 0 END) AS k
        FROM activities WHERE due_on > created_on {wanted} GROUP BY 1, 2
        """,
        tuple(types),
    )


def _actions_done(seen: Seen, kpi: Kpi, stages: tuple[Stage, ...]) -> pd.DataFrame:
    wanted = kpi.arguments.get("stage")
    parts = [
        judged_entries(seen, stage)
        for stage in stages
        if stage.actions and wanted in (None, stage.stage)
    ]
    if not parts:
        return pd.DataFrame(columns=["person", "day", "n", "k"]).astype({"day": "datetime64[s]"})
    rows = pd.concat(parts, ignore_index=True)
    rows = rows.assign(person=rows["owner"], day=rows["judged_on"])
    return rows.groupby(["person", "day"], as_index=False)[["n", "k"]].sum()


def judged_entries(seen: Seen, stage: Stage) -> pd.DataFrame:
    """
    Count a stage's entries whose required actions can be judged, and those that had them in time.

    An entry is judged on the day it went on, or when the days allowed were over. Entries that were lost or removed
    before that ended too early to be judged. In time: every required action done between entry and that day.

    Returns
    -------
    DataFrame
        ``owner``, ``team`` (of the deal at the entry), ``entered_on``, ``judged_on``, ``outcome`` (as in stage
        accounting, of the entry as known), ``n`` entries, ``k`` of them with all actions.
    """
    done = "\n".join(
        f", sum(CASE WHEN a.type IN ({_marks(action.activities)}) THEN 1 ELSE 0 END) AS done_{number}"
        for number, action in enumerate(stage.actions)
    )
    has_all = " AND ".join(f"done_{number} >= ?" for number in range(len(stage.actions))) or "1 = 1"
    activities = (
        "LEFT JOIN activities a ON a.deal_key = s.deal_key AND a.done_on IS NOT NULL "
        "AND date_diff('day', CAST(s.entered_on AS DATE), CAST(a.done_on AS DATE)) BETWEEN 0 AND ? "
        "AND (s.exited_on IS NULL OR a.done_on <= s.exited_on)"
        if stage.actions
        else ""
    )
    pipeline = "" if stage.pipeline is None else "AND s.pipeline = ?"
    sql = f"""
        SELECT owner, team, entered_on, days, outcome, count(*) AS n,
               sum(CASE WHEN {has_all} THEN 1 ELSE 0 END) AS k
        FROM (SELECT s.deal_key, s.pos, s.owner, s.team, s.entered_on, s.outcome,
                     CASE WHEN s.stay_days > ? THEN ? ELSE s.stay_days END AS days {done}
              FROM stays s {activities}
              WHERE s.stage = ? {pipeline} AND (s.stay_days > ? OR s.outcome NOT IN ('open', 'lost', 'removed'))
              GROUP BY s.deal_key, s.pos, s.owner, s.team, s.entered_on, s.outcome, s.stay_days) e
        GROUP BY 1, 2, 3, 4, 5
    """
    _expect_kinds(seen, stage)
    kinds = [kind for action in stage.actions for kind in action.activities]
    parameters = [
        *(action.at_least for action in stage.actions),
        *(stage.sla_days, stage.sla_days),
        *kinds,
        *([stage.sla_days] if stage.actions else []),
        *(stage.stage, *([] if stage.pipeline is None else [stage.pipeline]), stage.sla_days),
    ]
    rows = seen.frame(sql, tuple(parameters))
    return rows.assign(judged_on=rows["entered_on"] + pd.to_timedelta(rows["days"], unit="D")).drop(
        columns="days"
    )


def _expect_kinds(seen: Seen, stage: Stage) -> None:
    """
    Refuse a required action that the CRM has no kind of activity for: it would be missed by everybody.

    Raises
    ------
    ParameterError
        Not one of its kinds was ever recorded, although activities are.
    """
    known = seen.frame("SELECT type, count(*) AS n FROM activities GROUP BY 1 ORDER BY 2 DESC, 1")
    if known["n"].sum() < _ENOUGH_TO_KNOW:
        return
    for action in stage.actions:
        if not set(action.activities) & set(known["type"]):
            raise ParameterError(
                f"the required actions of stage {stage.stage!r} must be kinds of activity that the CRM has, but none "
                f"of {', '.join(action.activities)} was ever recorded by {seen.as_of}; it has "
                f"{', '.join(known['type'].astype(str).head(20))}; correct the process file"
            )


def _stage_conversion(seen: Seen, kpi: Kpi, stages) -> pd.DataFrame:
    days = kpi.arguments["days"]
    rows = seen.frame(
        """
        SELECT owner AS person, entered_on, count(*) AS n,
               sum(CASE WHEN cause = 1 AND exit_age <= ? THEN 1 ELSE 0 END) AS k
        FROM first_visits WHERE stage = ? AND days_since_entered >= ? AND is_removed = 0 GROUP BY 1, 2
        """,
        (days, kpi.arguments["stage"], days),
    )
    return rows.assign(day=_shift(rows.pop("entered_on"), days))


def _cohort_win_rate(seen: Seen, kpi: Kpi, stages) -> pd.DataFrame:
    age = kpi.arguments["age_days"]
    rows = seen.frame(
        """
        SELECT owner AS person, created_on, count(*) AS n,
               sum(CASE WHEN cause = 1 AND exit_age <= ? THEN 1 ELSE 0 END) AS k
        FROM deals WHERE status <> 'removed' AND days_since_created >= ? GROUP BY 1, 2
        """,
        (age, age),
    )
    return rows.assign(day=_shift(rows.pop("created_on"), age))


def _sales_cycle(seen: Seen, kpi: Kpi, stages) -> pd.DataFrame:
    age = kpi.arguments["age_days"]
    rows = seen.frame(
        """
        SELECT owner AS person, created_on, exit_age AS x, count(*) AS n FROM deals
        WHERE cause = 1 AND exit_age <= ? AND days_since_created >= ? GROUP BY 1, 2, 3
        """,
        (age, age),
    )
    return rows.assign(day=_shift(rows.pop("created_on"), age))


def _won_amount(seen: Seen, kpi: Kpi, stages) -> pd.DataFrame:
    rows = credit.credited(seen)
    rows = rows[rows["amount"].notna()].rename(columns={"won_on": "day", "amount": "x"})
    rows = rows.assign(xx=rows["x"] ** 2, largest=rows["x"], n=1.0)
    return rows.groupby(["person", "team", "day"], dropna=False, as_index=False).agg(
        n=("n", "sum"), x=("x", "sum"), xx=("xx", "sum"), largest=("largest", "max")
    )


def _satisfaction(seen: Seen, kpi: Kpi, stages) -> pd.DataFrame:
    """Answers as a share of their scale; one that is not on its scale is no answer."""
    rows = seen.frame(
        """
        SELECT s.person_id AS person, s.answered_on AS day, s.score, s.scale_max, count(*) AS n FROM satisfaction s
        WHERE s.answered_on IS NOT NULL AND s.score BETWEEN 0 AND s.scale_max AND s.scale_max > 0 GROUP BY 1, 2, 3, 4
        """
    )
    share = rows["score"] / rows["scale_max"]
    rows = rows.assign(x=rows["n"] * share, xx=rows["n"] * share**2)
    return rows.groupby(["person", "day"], as_index=False)[["n", "x", "xx"]].sum()


def _response_rate(seen: Seen, kpi: Kpi, stages) -> pd.DataFrame:
    days = kpi.arguments["days"]
    rows = seen.frame(
        """
        SELECT person_id AS person, asked_on, count(*) AS n,
               sum(CASE WHEN date_diff('day', CAST(asked_on AS DATE), CAST(answered_on AS DATE)) <= ? THEN 1 ELSE 0 END)
                 AS k
        FROM satisfaction GROUP BY 1, 2
        """,
        (days,),
    )
    rows = rows.assign(day=_shift(rows.pop("asked_on"), days))
    return rows[rows["day"] <= pd.Timestamp(seen.as_of)]


def _assists(seen: Seen, kpi: Kpi, stages) -> pd.DataFrame:
    """Deals of others that were won with one's help: credit of any kind, or an activity done before the win."""
    helped = [credit.credited(seen), credit.overlay(seen)]
    rows = pd.concat([table[["deal_key", "person", "owner", "won_on"]] for table in helped])
    if not seen.reason("activities"):
        worked = seen.frame(
            """
            SELECT DISTINCT d.deal_key, a.rep AS person, d.owner, d.closed_on AS won_on
            FROM deals d JOIN activities a ON a.deal_key = d.deal_key
            WHERE d.cause = 1 AND a.done_on <= d.closed_on AND a.rep <> d.owner
            """
        )
        rows = pd.concat([rows, worked])
    rows = rows[rows["owner"].notna() & (rows["person"] != rows["owner"])]
    rows = rows.drop_duplicates(["deal_key", "person"]).rename(columns={"won_on": "day"})
    return rows.groupby(["person", "day"], as_index=False).agg(k=("deal_key", "size"))


def _credit_shared(seen: Seen, kpi: Kpi, stages) -> pd.DataFrame:
    """Own won deals, and those of them that others have revenue credit in."""
    rows = credit.credited(seen)
    others = rows.loc[rows["person"] != rows["owner"], "deal_key"].unique()
    deals = rows.drop_duplicates("deal_key")
    deals = deals.assign(n=1, k=deals["deal_key"].isin(others).astype(int))
    deals = deals[["owner", "won_on", "n", "k"]].rename(
        columns={"owner": "person", "won_on": "day"}
    )
    return deals.groupby(["person", "day"], as_index=False)[["n", "k"]].sum()


def _hand_overs(seen: Seen, kpi: Kpi, stages) -> pd.DataFrame:
    """Deals received while open, and those of them that the new owner worked on within the days given."""
    days = kpi.arguments["days"]
    rows = seen.frame(
        """
        SELECT person, handed_on, count(*) AS n, sum(CASE WHEN n_done > 0 THEN 1 ELSE 0 END) AS k
        FROM (SELECT h.deal_key, h.owner AS person, h.handed_on,
                     sum(CASE WHEN a.done_on >= h.handed_on AND a.rep = h.owner AND
                       date_diff('day', CAST(h.handed_on AS DATE), CAST(a.done_on AS DATE)) <= ? THEN 1 ELSE 0 END)
                       AS n_done
              FROM hand_overs h JOIN deals d ON d.deal_key = h.deal_key
              LEFT JOIN activities a ON a.deal_key = h.deal_key
              WHERE d.status = 'open' OR d.closed_on > h.handed_on
              GROUP BY h.deal_key, h.owner, h.handed_on) r
        GROUP BY 1, 2
        """,
        (days,),
    )
    rows = rows.assign(day=_shift(rows.pop("handed_on"), days))
    return rows[rows["day"] <= pd.Timestamp(seen.as_of)]


def _data_hygiene(seen: Seen, kpi: Kpi, stages) -> pd.DataFrame:
    """
    Closed deals, and those that were kept up to date until then.

    That is: an amount, for a lost one a reason, and an expected close date that was not over for more than the days
    given. A field that the CRM holds for no deal is not asked for.
    """
    kept = seen.frame(
        "SELECT count(d.amount) AS amount, count(i.loss_reason) AS loss_reason, "
        "count(i.expected_close) AS expected_close FROM deals d JOIN details i ON i.deal_key = d.deal_key"
    ).iloc[0]
    tests = {
        "amount": "d.amount > 0",
        "loss_reason": "(d.cause = 1 OR i.loss_reason IS NOT NULL)",
        "expected_close": (
            "date_diff('day', CAST(i.expected_close AS DATE), CAST(d.closed_on AS DATE)) <= ?"
        ),
    }
    asked = [test for name, test in tests.items() if kept[name] > 0]
    good = " AND ".join(asked) or "1 = 1"
    return seen.frame(
        f"""
        SELECT d.owner AS person, d.closed_on AS day, count(*) AS n,
               sum(CASE WHEN {good} THEN 1 ELSE 0 END) AS k
        FROM deals d JOIN details i ON i.deal_key = d.deal_key WHERE d.cause IN (1, 2) GROUP BY 1, 2
        """,
        (kpi.arguments["days"],) if kept["expected_close"] > 0 else (),
    )


def _marks(values: tuple) -> str:
    return ", ".join("?" * len(values))


_MEASURES: dict[str, Callable[[Seen, Kpi, tuple[Stage, ...]], pd.DataFrame]] = {
    "activities": _activities,
    "activities_on_time": _activities_on_time,
    "actions_done": _actions_done,
    "stage_conversion": _stage_conversion,
    "cohort_win_rate": _cohort_win_rate,
    "won_amount": _won_amount,
    "quota_attainment": _won_amount,
    "sales_cycle": _sales_cycle,
    "satisfaction": _satisfaction,
    "response_rate": _response_rate,
    "assists": _assists,
    "credit_shared": _credit_shared,
    "hand_overs": _hand_overs,
    "data_hygiene": _data_hygiene,
}
