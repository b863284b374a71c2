"""What else may explain a change: other kinds of deals, a return to normal, chance at other dates, the trend."""

import datetime

import numpy as np
import pandas as pd

from salesanalysis.crm.seen import Seen
from salesanalysis.metrics import impact_parts as parts
from salesanalysis.metrics.groups import expect_days
from salesanalysis.metrics.impact_parts import Change
from salesanalysis.statistics import comparisons, decomposition, proportions, ranking, survival

CASE_MIX = ("source", "segment", "product")
CELL_DEALS = 20  # of each side, followed up to the age, that a cell of the mix needs
FEWEST_GROUPS = 4  # below which nothing can be said of how groups spread
FEWEST_AT_RISK = 10  # below which a curve is not drawn
MID_MONTH = 14  # days from a month's first day to its middle


def curves(seen: Seen, change: Change, *, before_days: int = 365) -> pd.DataFrame:
    """
    Give the share of deals won, and still open, by age, before and after, of the treated and the control.

    Returns
    -------
    DataFrame, one row per arm, period and age at which a deal closed, and age 0
        ``arm`` (treated, control), ``period`` (before, after), ``age_days``, ``n_at_risk``, ``won_rate``,
        ``won_rate_low``, ``won_rate_high``, ``lost_rate``, ``open_share`` (95 %, each curve for itself). Ages up to
        180 days, as far as 10 deals were at risk. No rows where the change has a problem.
    """
    columns = ["arm", "period", "age_days", "n_at_risk", "won_rate", "won_rate_low"]
    columns += ["won_rate_high", "lost_rate", "open_share"]
    if change.problem:
        return pd.DataFrame(columns=columns)
    found = parts.deals(seen, change, before_days=before_days)
    tables = [pd.DataFrame(columns=columns)]
    for arm in parts.ARMS:
        for period in parts.PERIODS:
            table = _curve(found.cell(arm, period))
            tables.append(table.assign(arm=arm, period=period))
    tables = [table for table in tables if len(table)] or tables[:1]
    return pd.concat(tables, ignore_index=True)[columns]


def _curve(cell: pd.DataFrame) -> pd.DataFrame:
    age, cause, n = cell["exit_age"], cell["cause"], np.ones(len(cell))
    ages = sorted({0, *age[(cause > 0) & (age <= parts.LONGEST)].astype(int)})
    won = survival.incidence_at(age, cause, n, ages, of=1)
    lost = survival.incidence_at(age, cause, n, ages, of=2)
    table = won[["age_days", "n_at_risk", "open_share"]].assign(
        won_rate=won["rate"],
        won_rate_low=won["rate_low"],
        won_rate_high=won["rate_high"],
        lost_rate=lost["rate"],
    )
    return table[table["n_at_risk"] >= FEWEST_AT_RISK]


def mix(
    seen: Seen,
    change: Change,
    *,
    age_days: int = 90,
    before_days: int = 365,
    seed: int = 1,
    draws: int = 4_000,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """
    Split the change of the treated's win rate into other kinds of deals and other rates of the same kind.

    Kitagawa's split over cells of deals alike in source, segment and product. A cell needs 20 deals of both sides
    that were followed up to the age; those of smaller ones are put together by source and segment, then by source,
    then all.

    Returns
    -------
    cells : DataFrame, one row per cell, most deals first
        ``cell`` (its values, "" where put together), ``n_before``, ``n_after``, ``share_before``, ``share_after``,
        ``rate_before``, ``rate_after`` (won by the age, Aalen-Johansen), ``mix_effect``, ``mix_rate_effect``.
    total : DataFrame of one row
        ``age_days``, ``mix_effect``, ``mix_rate_effect`` with ``…_low``, ``…_high`` (95 %, drawn), their sum
        ``effect``, ``is_simpson`` (the sum and the rates differ in sign), ``n_cells``. NaN where nothing can be
        split; then no cells.
    """
    expect_days(age_days=age_days, before_days=before_days)
    cells, effective = pd.DataFrame(columns=_MIX, dtype=object), None
    if not change.problem:
        found = parts.deals(seen, change, before_days=before_days)
        cells, effective = _mix_cells(found.rows[found.rows["arm"] == "treated"], age_days)
    total = {"age_days": age_days, "n_cells": len(cells)}
    split = decomposition.MixAndRateDraws(*[np.nan] * 6, False)
    if effective is not None:
        sizes = {"size1": cells["n_before"], "size2": cells["n_after"]}
        split = decomposition.mix_and_rate_draws(*effective, seed=seed, draws=draws, **sizes)
    for name, place in (("mix_effect", "mix"), ("mix_rate_effect", "rate")):
        for end in ("", "_low", "_high"):
            total[name + end] = getattr(split, place + end)
    total |= {"effect": split.mix + split.rate, "is_simpson": split.is_simpson}
    return cells, pd.DataFrame([total])


_MIX = ["cell", "n_before", "n_after", "share_before", "share_after", "rate_before", "rate_after"]
_MIX += ["mix_effect", "mix_rate_effect"]


def _mix_cells(rows: pd.DataFrame, age: int) -> tuple[pd.DataFrame, list | None]:
    """Cells with shares, rates and effects; and the effective numbers and wins of both sides."""
    rows = _sorted_into_cells(rows, age)
    if rows.empty:
        return pd.DataFrame(columns=_MIX, dtype=object), None
    names = sorted(rows["cell"].unique())
    table, effective = pd.DataFrame({"cell": names}), []
    for period in parts.PERIODS:
        side = rows[rows["period"] == period]
        read = parts.won_by(side, side["cell"], names, age)
        n = side["cell"].value_counts().reindex(names, fill_value=0).to_numpy()
        table[f"n_{period}"], table[f"share_{period}"] = n, n / n.sum()
        table[f"rate_{period}"] = read["rate"].to_numpy()
        effective += [read["n_eff"].to_numpy(), (read["rate"] * read["n_eff"]).to_numpy()]
    shares, rates = table["share_after"] - table["share_before"], table["rate_after"]
    table["mix_effect"] = shares * (table["rate_before"] + rates) / 2
    weight = (table["share_before"] + table["share_after"]) / 2
    table["mix_rate_effect"] = (rates - table["rate_before"]) * weight
    order = (table["n_before"] + table["n_after"]).sort_values(ascending=False, kind="stable").index
    return table.loc[order, _MIX].reset_index(drop=True), [x[order] for x in effective]


def _sorted_into_cells(rows: pd.DataFrame, age: int) -> pd.DataFrame:
    """Add ``cell``: the finest of all levels that has enough deals of both sides; no rows where none has."""
    cell = pd.Series(None, index=rows.index, dtype=object)
    for depth in range(len(CASE_MIX), -1, -1):
        left = rows[cell.isna()]
        values = zip(*(left[name].map(_text) for name in CASE_MIX[:depth]), strict=True)
        label = [" · ".join(value) for value in values] if depth else ""
        label = pd.Series(label, index=left.index, dtype=object)
        is_full = left["followed"] >= age
        n = pd.crosstab(label[is_full], left.loc[is_full, "period"])
        n = n.reindex(columns=parts.PERIODS, fill_value=0).min(axis=1)
        is_used = label.isin(n.index[n >= CELL_DEALS])
        cell[left.index[is_used]] = label[is_used]
    smallest = cell.value_counts().sort_index().sort_values(kind="stable").index[:1]
    if cell.isna().any() and len(smallest):
        cell[cell.isna() | (cell == smallest[0])] = ""
    return rows.assign(cell=cell)[cell.notna()]


def _text(value) -> str:
    return "" if pd.isna(value) else str(value)


def units(
    seen: Seen, change: Change, *, age_days: int = 90, before_days: int = 365
) -> pd.DataFrame:
    """
    Give the win rate of each group before and after, and what to expect of it by its deals before.

    Returns
    -------
    DataFrame, one row per group that is treated or control, treated first
        ``group``, ``arm``, ``n_before``, ``n_after``, ``before_rate``, ``after_rate`` with ``…_low``, ``…_high``
        (won by the age, Aalen-Johansen; 95 %; NaN where nobody was followed as long), ``expected_rate`` with range:
        the rate before, drawn towards that of all groups as far as it may be luck (normal-logit model); NaN with
        fewer than four groups.
    """
    expect_days(age_days=age_days, before_days=before_days)
    if change.problem:
        return pd.DataFrame(columns=_UNITS)
    found = parts.deals(seen, change, before_days=before_days)
    rows = found.rows[found.rows["group"].notna()]
    arms = rows.drop_duplicates("group").set_index("group")["arm"]
    names = sorted(arms.index)
    table = pd.DataFrame({"group": names, "arm": arms.reindex(names).to_numpy()})
    effective = {}
    for period in parts.PERIODS:
        side = rows[rows["period"] == period]
        read = parts.won_by(side, side["group"], names, age_days)
        table[f"n_{period}"] = side["group"].value_counts().reindex(names, fill_value=0).to_numpy()
        for end in ("", "_low", "_high"):
            table[f"{period}_rate{end}"] = read[f"rate{end}"].to_numpy()
        effective[period] = read
    table = table.join(_expected(effective["before"].reset_index(drop=True)))
    return table.sort_values(
        ["arm", "group"], ascending=[False, True], ignore_index=True, kind="stable"
    )[_UNITS]


_UNITS = ["group", "arm", "n_before", "n_after"]
_UNITS += [
    f"{name}_rate{end}" for name in ("before", "after", "expected") for end in ("", "_low", "_high")
]


def _expected(read: pd.DataFrame) -> pd.DataFrame:
    """Shrunken rates of groups, from their effective numbers; NaN where there is nothing to shrink towards."""
    names = ["expected_rate", "expected_rate_low", "expected_rate_high"]
    table = pd.DataFrame(np.nan, index=read.index, columns=names)
    known = read[read["rate"].notna()]
    wins = known["rate"] * known["n_eff"]
    if len(known) < FEWEST_GROUPS or not 0 < wins.sum() < known["n_eff"].sum():
        return table
    n = known["n_eff"].round().clip(lower=1)
    wins = wins.round().clip(upper=n)
    if not 0 < wins.sum() < n.sum():
        return table
    eta = np.full(len(known), np.log(wins.sum() / (n.sum() - wins.sum())))
    shrunk = ranking.posterior(np.arange(len(known)), eta, n.to_numpy(), wins.to_numpy()).units
    table.loc[known.index, names] = shrunk[["rate", "rate_low", "rate_high"]].to_numpy()
    return table


def regression(
    seen: Seen, change: Change, *, age_days: int = 90, before_days: int = 365
) -> pd.DataFrame:
    """
    Say what the treated's win rate would have come to without any effect, if they were chosen for their results.

    Who is chosen for bad luck does better afterwards. The expectation is each group's rate before, drawn towards
    that of all groups as far as it may be luck (`units`), weighted by its deals after.

    Returns
    -------
    DataFrame of one row
        ``age_days``; ``before``, ``others_before`` (treated, control), ``gap`` between them; ``expected``,
        ``after``, ``beyond`` (after - expected), each with ``…_low``, ``…_high`` (95 %; the rates for rep's deals
        alike). ``standing``: weaker, stronger or alike before, by whether the gap holds 0; None without a control.
        ``is_expected``: the range of ``beyond`` holds 0. NaN where it cannot be said; then false.
    """
    row = {"age_days": age_days, "standing": None, "is_expected": False}
    table = units(seen, change, age_days=age_days, before_days=before_days)
    if len(table):
        found = parts.deals(seen, change, before_days=before_days)
        row |= _gap(found, age_days) | _beyond(found, table[table["arm"] == "treated"], age_days)
    frame = pd.DataFrame([row], columns=_REGRESSION)
    numbers = [name for name in _REGRESSION if name not in ("standing", "is_expected")]
    return frame.astype(dict.fromkeys(numbers, float))


_REGRESSION = [
    f"{name}{end}"
    for name in ("before", "others_before", "gap", "expected", "after", "beyond")
    for end in ("", "_low", "_high")
]
_REGRESSION = ["age_days", *_REGRESSION, "standing", "is_expected"]


def _ranged(name: str, values) -> dict[str, float]:
    return {f"{name}{end}": float(x) for end, x in zip(("", "_low", "_high"), values, strict=True)}


def _gap(found: parts.Deals, age_days: int) -> dict:
    """The treated before, and how far they stood from the control."""
    estimate = parts.win_rate(found, age_days=age_days, confidence=0.95)
    if estimate.reason or estimate.until != age_days:
        return {}
    before, after = (value[:3] for value in estimate.treated[:2])
    row = _ranged("before", before) | _ranged("after", after)
    if estimate.control is None:
        return row
    others = estimate.control.before[:3]
    gap = [float(x) for x in proportions.difference(*others, *before)]
    row["standing"] = "weaker" if gap[2] < 0 else "stronger" if gap[1] > 0 else "alike"
    return row | _ranged("others_before", others) | _ranged("gap", gap)


def _beyond(found: parts.Deals, treated: pd.DataFrame, age_days: int) -> dict:
    """What was to be expected of the treated, and how far the rate after lies from it."""
    weight = treated["n_after"] / max(treated["n_after"].sum(), 1)
    if treated["expected_rate"].isna().any() or not weight.sum():
        return {}
    estimate = parts.win_rate(found, age_days=age_days, confidence=0.95)
    mean = float((weight * treated["expected_rate"]).sum())
    down = float(
        np.sqrt(((weight * (treated["expected_rate"] - treated["expected_rate_low"])) ** 2).sum())
    )
    up = float(
        np.sqrt(((weight * (treated["expected_rate_high"] - treated["expected_rate"])) ** 2).sum())
    )
    expected = mean, mean - down, mean + up
    row = _ranged("expected", expected)
    if estimate.reason or estimate.until != age_days:
        return row
    beyond = [float(x) for x in proportions.difference(*expected, *estimate.treated.after[:3])]
    return row | _ranged("beyond", beyond) | {"is_expected": bool(beyond[1] <= 0 <= beyond[2])}


def placebos(
    seen: Seen, change: Change, *, age_days: int = 90, before_days: int = 365, n: int = 6
) -> pd.DataFrame:
    """
    Look for a change at days before the change, when there was none.

    Only what was known before the change is used: each placebo day is looked at as of a later day, so long after it
    as the as-of date lies after the change, or, where the history is too short for that, a third of it.

    Parameters
    ----------
    n : number of placebo days, evenly spread

    Returns
    -------
    DataFrame, one row per placebo day and measure, then the true one last
        ``changed_on``, ``as_of``, ``is_true``; ``measure`` (win_rate, cycle), ``age_days``, ``before``, ``after``,
        ``effect``, ``against_control`` with ``…_low``, ``…_high`` (97.5 %, so that one of the two measures finds a
        change by chance on 5 % of the days); ``is_changed``: the range of the effect does not hold 0. NaN where it
        cannot be estimated. No placebo where fewer than 60 days before and 30 after it were left.
    """
    expect_days(age_days=age_days, before_days=before_days, n=n)
    if change.problem:
        return pd.DataFrame(columns=_PLACEBOS)
    rows = []
    for day, as_of in _placebo_days(seen, change, n):
        with seen.at(as_of) as then:
            rows += _looked_at(then, change._replace(changed_on=day), age_days, before_days)
    rows += [row | {"is_true": True} for row in _looked_at(seen, change, age_days, before_days)]
    return pd.DataFrame(rows, columns=_PLACEBOS)


_PLACEBOS = ["changed_on", "as_of", "is_true", "measure", "age_days", "before", "after"]
_PLACEBOS += [
    f"{name}{end}" for name in ("effect", "against_control") for end in ("", "_low", "_high")
]
_PLACEBOS += ["is_changed"]


def _placebo_days(seen: Seen, change: Change, n: int) -> list[tuple[datetime.date, datetime.date]]:
    first = parts.first_day(seen).date()
    span = (change.changed_on - first).days
    length = min(parts.days_after(seen, change.changed_on), max(parts.SHORTEST * 2, span // 3))
    earliest, latest = parts.FEWEST_DAYS, span - length
    if latest < earliest or not n:
        return []
    steps = sorted({round(x) for x in np.linspace(earliest, latest, n)})
    days = [first + datetime.timedelta(days=step) for step in steps]
    return [(day, day + datetime.timedelta(days=length - 1)) for day in days]


def _looked_at(then: Seen, change: Change, age_days: int, before_days: int) -> list[dict]:
    found = parts.deals(then, change, before_days=before_days)
    rows = []
    for name, estimate in (
        ("win_rate", parts.win_rate(found, age_days=age_days, confidence=0.975)),
        ("cycle", parts.cycle(found, confidence=0.975)),
    ):
        row = {"changed_on": change.changed_on, "as_of": then.as_of, "is_true": False}
        row |= {"measure": name, "is_changed": False}
        if estimate.reason is None:
            before, after, effect = estimate.treated
            row |= {"age_days": estimate.until, "before": before.value, "after": after.value}
            row |= _ranged("effect", effect[:3])
            row["is_changed"] = bool(effect.low > 0 or effect.high < 0)
        if estimate.against is not None:
            row |= _ranged("against_control", estimate.against[:3])
        rows.append(row)
    return rows


def monthly(seen: Seen, change: Change, *, age_days: int = 90) -> pd.DataFrame:
    """
    Give the win rate by month of creation, of the treated and the control, and their difference.

    Returns
    -------
    DataFrame, one row per month from the first to the last that every deal of is as old
        ``month``, ``is_after`` (most of the month lies after the change), ``n_treated``, ``n_control``,
        ``treated_rate``, ``control_rate`` (won by the age, of all created; Wilson), ``difference`` (treated -
        control), each with ``…_low``, ``…_high`` (95 %, each month for itself); NaN where a month has no deal of
        the arm.
    """
    expect_days(age_days=age_days)
    columns = ["month", "is_after", "n_treated", "n_control"]
    names = ("treated_rate", "control_rate", "difference")
    columns += [f"{name}{end}" for name in names for end in ("", "_low", "_high")]
    if change.problem:
        return pd.DataFrame(columns=columns)
    rows = _all_deals(seen, change)
    rows = rows.assign(
        month=rows["created_on"].dt.to_period("M").dt.start_time.astype("datetime64[s]")
    )
    youngest = rows.groupby("month")["followed"].min()
    last = youngest.index[youngest >= age_days].max()
    if pd.isna(last):
        return pd.DataFrame(columns=columns)
    months = pd.date_range(youngest.index.min(), last, freq="MS", unit="s")
    middle = months + pd.Timedelta(days=MID_MONTH)
    table = pd.DataFrame({"month": months, "is_after": middle >= pd.Timestamp(change.changed_on)})
    is_won = (rows["cause"] == 1) & (rows["exit_age"] <= age_days)
    for arm in parts.ARMS:
        mine = rows["arm"] == arm
        n = rows[mine].groupby("month").size().reindex(months, fill_value=0).to_numpy()
        won = rows[mine & is_won].groupby("month").size().reindex(months, fill_value=0).to_numpy()
        table[f"n_{arm}"] = n
        table[f"{arm}_rate"] = won / np.where(n > 0, n, np.nan)
        table[f"{arm}_rate_low"], table[f"{arm}_rate_high"] = proportions.wilson(won, n)
    sides = [
        [table[f"{arm}_rate{end}"] for end in ("", "_low", "_high")]
        for arm in ("control", "treated")
    ]
    found = proportions.difference(*sides[0], *sides[1])
    for end, values in zip(("", "_low", "_high"), found, strict=True):
        table[f"difference{end}"] = values
    return table[columns]


def _all_deals(seen: Seen, change: Change) -> pd.DataFrame:
    """All deals of both arms since the first day used, as of now."""
    first = parts.first_day(seen)
    return seen.once(("impact.all", change), lambda: parts.rows(seen, change, first))


def trend(seen: Seen, change: Change, *, age_days: int = 90, seed: int = 1) -> pd.DataFrame:
    """
    Test whether the monthly series of `monthly` changed its level at the change, beside its trend.

    Of the difference between treated and control where there is a control, else of the treated alone, which is weak
    evidence: anything else that happened at the time counts too.

    Returns
    -------
    DataFrame of one row
        ``level`` with ``level_low``, ``level_high`` (change of the level, 95 %), ``p_value``, ``rho`` (what a month
        passes on to the next), ``n_before``, ``n_after`` (months), ``is_difference``. NaN with fewer than 12
        months before, none after, or a month without deals.
    """
    table = monthly(seen, change, age_days=age_days)
    is_difference = bool(table["n_control"].sum())
    series = table["difference" if is_difference else "treated_rate"].to_numpy(dtype=float)
    is_after = table["is_after"].to_numpy(dtype=bool)
    found = comparisons.interrupted(series, is_after, seed=seed)
    row = dict(zip(("level", "level_low", "level_high", "p_value", "rho"), found, strict=True))
    row |= {"n_before": int((~is_after).sum()), "n_after": int(is_after.sum())}
    return pd.DataFrame([row | {"is_difference": is_difference}])
