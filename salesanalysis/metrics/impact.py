"""What changed at a date, and whether it is more than chance, youth of the deals, or what changed everywhere."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy import stats

from salesanalysis.crm.seen import Seen
from salesanalysis.metrics import impact_parts as parts
from salesanalysis.metrics import twins
from salesanalysis.metrics.groups import expect_days
from salesanalysis.metrics.impact_checks import (
    curves,
    mix,
    monthly,
    placebos,
    regression,
    trend,
    units,
)
from salesanalysis.metrics.impact_parts import Change, read_change
from salesanalysis.statistics import proportions, survival

__all__ = [
    "Change",
    "Headline",
    "curves",
    "measures",
    "mix",
    "monthly",
    "placebos",
    "read_change",
    "regression",
    "trend",
    "units",
    "verdict",
]

LEVEL = 0.05  # chance that any verdict says "changed" where nothing did
YOUNG_DAYS = 90  # after a shorter time the verdicts are provisional
VERDICTS = ("not_estimable", "artefact_possible", "no_change", "cause_open", "against_control")
_PRIMARY = ("win_rate", "cycle")


class _Measure(NamedTuple):
    form: str
    is_ratio: bool
    is_more_better: bool


_MEASURES = {
    "win_rate": _Measure("rate", False, True),
    "cycle": _Measure("days", False, False),
    "days_to_win": _Measure("days", False, False),
    "turnover": _Measure("per_year", True, False),
    "satisfaction": _Measure("score", False, True),
    "response_rate": _Measure("rate", False, True),
}


def measures(
    seen: Seen,
    change: Change,
    *,
    age_days: int = 90,
    before_days: int = 365,
    chosen_for_results: bool = False,
    seed: int = 1,
    draws: int = 999,
) -> pd.DataFrame:
    """
    Compare each measure before and after a change, with the groups that did not change, and with the null twin.

    Deals created in the `before_days` before the change are those known on the day before it, open ones censored
    there; deals created since are censored on the as-of date. A deal belongs to the group it was in when it was
    created. All ranges hold for all estimable measures together (Bonferroni), so that where nothing changed any
    verdict says so with a chance of 5 % at most.

    Parameters
    ----------
    seen : Seen
    change : Change, as `read_change` gives
    age_days : age at which the win rate is read; where too few deals were followed as long, 90, 60, 45 or 30
    before_days : days before the change in which the deals and people compared with were there
    chosen_for_results : whether the treated were chosen because their results were weak; then a win rate that
        comes back to what was to be expected of them is no effect (see `regression`)
    seed, draws : of the null twin

    Returns
    -------
    DataFrame, one row per measure
        ``measure``: win_rate (share of deals won by an age), cycle (days a deal stays open, however it ends, the
        first so many of each: restricted mean), days_to_win (mean age at the win, of those won within so many
        days), turnover (people who left per person-year, of all in the teams), satisfaction (mean score as a
        fraction of the scale, of answers within 30 days), response_rate (share of questions answered within 30
        days); ``form``: rate, days, per_year, score.
        ``age_days``: the age, or the number of days, of the first three.
        ``before``, ``after`` with ``…_low``, ``…_high``; ``n_before``, ``n_after`` (deals, person-years, answers,
        questions), ``n_left_before``, ``n_left_after`` (turnover), ``median_before``, ``median_after`` (cycle: days
        by which half of the deals are closed).
        ``effect`` with range: after - before, of turnover after / before (``is_ratio``); ``p_value``: pooled
        score, normal, exact, Mann-Whitney; ``hodges_lehmann`` (satisfaction: median of all differences).
        ``control_before``, ``control_after``, ``control_effect`` with range, ``against_control`` with range: the
        effect beyond that of the control (ratio of ratios for turnover). NaN without a control that was followed.
        ``naive_before``, ``naive_after``, ``naive_p_value``: the usual dashboard figure, as of now, and its usual
        test: won / closed of the deals created before and since (two proportions); mean age of won deals created
        before and since (Welch). ``twin_median``, ``twin_low``, ``twin_high``, ``twin_p_value``: what
        ``naive_after`` would have been had nothing changed.
        ``mix_effect``, ``mix_rate_effect`` (win_rate): the change that other kinds of deals explain, and the rest.
        ``is_better``: whether what changed is an improvement; None where nothing did. ``verdict``; ``confidence``,
        the level of the ranges; ``is_provisional``: fewer than 90 days since the change; ``reason``: why there is
        no estimate (a problem of the change, too_few_deals, too_short_followed, too_few_closed, too_few_won,
        no_people, not_by_team, nobody_left, no_satisfaction, too_few_answers, no_range); regression_to_mean where
        the verdict is no_change for that; None otherwise.

        Verdicts, the first that applies: not_estimable; artefact_possible (the range holds no change, while the
        dashboard's test finds one and the null twin shows the same); no_change (the range holds no change, or what
        was to be expected of groups that were chosen for their results);
        cause_open (it does not, but there is no control, or the range against it holds none, or goes the other
        way); against_control.

    Raises
    ------
    ParameterError
        `age_days` or `before_days` is not a whole number of days.
    """
    expect_days(age_days=age_days, before_days=before_days)
    if change.problem:
        found = dict.fromkeys(_MEASURES, parts.Estimate(reason=change.problem))
        return _table(found, {}, seen, change, confidence=1 - LEVEL)
    deals = parts.deals(seen, change, before_days=before_days)
    asked = None
    if not seen.reason("satisfaction"):
        asked = parts.questions(seen, change, before_days=before_days)
    estimates: dict[str, Callable] = {
        "win_rate": lambda level: parts.win_rate(deals, age_days=age_days, confidence=level),
        "cycle": lambda level: parts.cycle(deals, confidence=level),
        "days_to_win": lambda level: parts.days_to_win(deals, confidence=level),
        "turnover": lambda level: parts.turnover(
            seen, change, before_days=before_days, confidence=level
        ),
        "satisfaction": lambda level: parts.satisfaction(asked, confidence=level),
        "response_rate": lambda level: parts.response_rate(asked, confidence=level),
    }
    n_estimable = sum(one(1 - LEVEL).reason is None for one in estimates.values())
    level = 1 - LEVEL / max(n_estimable, 1)
    found = {name: one(level) for name, one in estimates.items()}
    extra = _naive(deals, seed=seed, draws=draws)
    extra["cycle"] |= _medians(deals)
    if found["win_rate"].reason is None:
        keywords = {"age_days": found["win_rate"].until, "before_days": before_days}
        total = mix(seen, change, seed=seed, **keywords)[1].iloc[0]
        extra["win_rate"] |= {name: total[name] for name in ("mix_effect", "mix_rate_effect")}
        if chosen_for_results:
            expected = regression(seen, change, **keywords).iloc[0]
            extra["win_rate"]["is_expected"] = bool(expected["is_expected"])
    return _table(found, extra, seen, change, confidence=level)


_COLUMNS = [
    *("measure", "form", "age_days", "before", "before_low", "before_high"),
    *("after", "after_low", "after_high", "n_before", "n_after", "n_left_before", "n_left_after"),
    *("median_before", "median_after", "effect", "effect_low", "effect_high", "is_ratio"),
    *("p_value", "hodges_lehmann", "control_before", "control_after", "control_effect"),
    *("control_effect_low", "control_effect_high", "against_control", "against_control_low"),
    *("against_control_high", "naive_before", "naive_after", "naive_p_value", "twin_median"),
    *("twin_low", "twin_high", "twin_p_value", "mix_effect", "mix_rate_effect", "is_better"),
    *("verdict", "confidence", "is_provisional", "reason"),
]
_TEXTS = ("measure", "form", "is_better", "verdict", "reason")


def _table(found, extra, seen, change, *, confidence) -> pd.DataFrame:
    days = parts.days_after(seen, change.changed_on) if change.changed_on else np.inf
    both = {"confidence": confidence, "is_provisional": bool(days < YOUNG_DAYS)}
    rows = []
    for name, estimate in found.items():
        row = {"measure": name} | _read(name, estimate) | extra.get(name, {}) | both
        rows.append(row | _judged(row))
    table = pd.DataFrame(rows, columns=_COLUMNS)
    numbers = [name for name in _COLUMNS if name not in (*_TEXTS, "is_ratio", "is_provisional")]
    table = table.astype(dict.fromkeys(numbers, float) | dict.fromkeys(_TEXTS, object))
    texts = table[[*_TEXTS]]
    return table.assign(**texts.where(texts.notna(), None))


def _read(name: str, estimate: parts.Estimate) -> dict:
    """The columns of an estimate, as far as there is one."""
    form, is_ratio, _ = _MEASURES[name]
    row = {"form": form, "is_ratio": is_ratio, "reason": estimate.reason}
    if estimate.reason is not None:
        return row
    row |= {"age_days": estimate.until}
    for side, value in zip(parts.PERIODS, estimate.treated, strict=False):
        row |= _with_range(side, value) | {f"n_{side}": value.n}
        if name == "turnover":
            row[f"n_left_{side}"] = value.spread
    row |= _with_range("effect", estimate.treated.effect)
    row |= {"p_value": estimate.treated.effect.p_value, "hodges_lehmann": estimate.hodges_lehmann}
    if estimate.control is not None:
        before, after, effect = estimate.control
        row |= {"control_before": before.value, "control_after": after.value}
        row |= _with_range("control_effect", effect)
        row |= _with_range("against_control", estimate.against)
    return row


def _with_range(name: str, value) -> dict[str, float]:
    return {name: value.value, f"{name}_low": value.low, f"{name}_high": value.high}


def _judged(row: dict) -> dict:
    """Verdict of a measure, and whether what changed is an improvement."""
    none = 1.0 if row["is_ratio"] else 0.0
    if row["reason"] is not None:
        return {"verdict": "not_estimable", "is_better": None}
    side = _side(row, "effect", none)
    if np.isnan(side):
        return {"verdict": "not_estimable", "is_better": None, "reason": "no_range"}
    if not side:
        is_shown = row.get("naive_p_value", np.nan) < LEVEL
        is_twin = row.get("twin_low", np.nan) <= row.get("naive_after", np.nan)
        is_twin &= row.get("naive_after", np.nan) <= row.get("twin_high", np.nan)
        verdict = "artefact_possible" if is_shown and is_twin else "no_change"
        return {"verdict": verdict, "is_better": None}
    if row.get("is_expected"):
        return {"verdict": "no_change", "is_better": None, "reason": "regression_to_mean"}
    is_more_better = _MEASURES[row["measure"]].is_more_better
    is_against = _side(row, "against_control", none) == side
    return {
        "verdict": "against_control" if is_against else "cause_open",
        "is_better": bool((side > 0) == is_more_better),
    }


def _side(row: dict, name: str, none: float) -> float:
    """1 where a range lies above no change, -1 below, 0 where it holds it; NaN without one."""
    low, high = row.get(f"{name}_low", np.nan), row.get(f"{name}_high", np.nan)
    if np.isnan(low) or np.isnan(high):
        return np.nan
    return float(low > none) - float(high < none)


def _medians(deals: parts.Deals) -> dict[str, float]:
    """Days by which half of the treated's deals are closed, either way."""
    found = {}
    for period in parts.PERIODS:
        cell = deals.cell("treated", period)
        curve = survival.kaplan_meier(cell["exit_age"], cell["cause"] > 0, np.ones(len(cell)))
        found[f"median_{period}"] = survival.quantile(curve, 0.5)[0]
    return found


def _naive(deals: parts.Deals, *, seed: int, draws: int) -> dict[str, dict]:
    """What a dashboard shows of the treated, its usual tests, and the same of the null twin."""
    now, after = deals.now[deals.now["arm"] == "treated"], deals.cell("treated", "after")
    cycle = _naive_cycle(*(_won_days(rows) for rows in (now, after)))
    closed = _naive_closed(*(_won_and_closed(rows) for rows in (now, after)))
    figures = {"mean_cycle_days": cycle, "won_closed_rate": closed}
    twin = twins.before_after(
        _counted(deals.cell("treated", "before"), ["exit_age", "cause"]),
        _counted(after.rename(columns={"followed": "follow_up_days"}), ["follow_up_days"]),
        {figure: shown["naive_after"] for figure, shown in figures.items()},
        earlier={figure: shown["naive_before"] for figure, shown in figures.items()},
        seed=seed,
        draws=draws,
    )
    for row in twin.itertuples():
        figures[row.figure] |= {
            "twin_median": row.twin_median,
            "twin_low": row.twin_low,
            "twin_high": row.twin_high,
            "twin_p_value": row.p_value,
        }
    return {"win_rate": closed, "cycle": cycle, "days_to_win": dict(cycle)}


def _counted(rows: pd.DataFrame, columns: list[str]) -> pd.DataFrame:
    return rows.groupby(columns, as_index=False).size().rename(columns={"size": "n"})


def _won_days(rows: pd.DataFrame) -> np.ndarray:
    return rows.loc[rows["cause"] == 1, "exit_age"].to_numpy(dtype=float)


def _naive_cycle(before: np.ndarray, after: np.ndarray) -> dict[str, float]:
    """Mean age of won deals; Welch's test."""
    means = [float(days.mean()) if len(days) else np.nan for days in (before, after)]
    p_value = np.nan
    if min(len(before), len(after)) > 1 and np.ptp(before) > 0 and np.ptp(after) > 0:
        p_value = float(stats.ttest_ind(before, after, equal_var=False).pvalue)
    return dict(zip(_NAIVE, (*means, p_value), strict=True))


_NAIVE = ("naive_before", "naive_after", "naive_p_value")


def _won_and_closed(rows: pd.DataFrame) -> tuple[int, int]:
    return int((rows["cause"] == 1).sum()), int((rows["cause"] > 0).sum())


def _naive_closed(before: tuple[int, int], after: tuple[int, int]) -> dict[str, float]:
    """Won of closed deals; the test of two proportions."""
    shares = [won / closed if closed else np.nan for won, closed in (before, after)]
    p_value = proportions.pooled_p_value(shares[0], before[1], shares[1], after[1])
    return dict(zip(_NAIVE, (*shares, float(p_value)), strict=True))


class Headline(NamedTuple):
    """What the page says first: the strongest verdict among the win rate and the cycle."""

    measure: str
    verdict: str
    measures: tuple[str, ...]
    is_better: bool | None
    is_provisional: bool
    reason: str | None


def verdict(table: pd.DataFrame) -> Headline:
    """
    Choose the headline of a table of `measures`.

    Returns
    -------
    Headline
        ``verdict``: the strongest among win_rate and cycle, from not_estimable to against_control; ``measures``:
        those of the two that have it, the win rate first; ``measure``: the first of them; ``is_better``: whether they improved, None where nothing
        changed or one improved and the other did not; ``is_provisional``; ``reason`` of the first of them.
    """
    rows = table.set_index("measure").loc[list(_PRIMARY)]
    strongest = max(rows["verdict"], key=VERDICTS.index)
    chosen = rows[rows["verdict"] == strongest]
    better = set(chosen["is_better"])
    return Headline(
        chosen.index[0],
        strongest,
        tuple(chosen.index),
        better.pop() if len(better) == 1 else None,
        bool(chosen["is_provisional"].iloc[0]),
        chosen["reason"].iloc[0],
    )
