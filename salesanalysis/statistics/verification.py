"""Were forecasts right? Scores, calibration and coverage of forecasts whose outcome is known."""

from typing import NamedTuple

import numpy as np
import pandas as pd

from salesanalysis.statistics.proportions import two_sided_z, wilson
from salesanalysis.statistics.rates import refuse_where

_WIDEN_TO = 0.8  # an interval is widened so that it would have held this share of outcomes


class Coverage(NamedTuple):
    """
    How often outcomes lay in their intervals, as `coverage` gives it.

    Attributes
    ----------
    n, n_covered : int
        Intervals with a known outcome, and those that held it.
    rate, low, high : float
        Fraction covered with Wilson's interval; NaN without intervals.
    """

    n: int
    n_covered: int
    rate: float
    low: float
    high: float


class Skill(NamedTuple):
    """
    How much lower a score is than that of a baseline, as `skill` gives it.

    Attributes
    ----------
    value, low, high : float
        1 is a perfect forecast, 0 as good as the baseline, negative worse.
    n : int
        Forecasts both were scored on.
    """

    value: float
    low: float
    high: float
    n: int


def crps(ensemble, observed) -> np.ndarray:
    """
    Score forecasts given as equally likely values: the continuous ranked probability score.

    Of a single value it is the absolute error; lower is better.

    Parameters
    ----------
    ensemble : array_like, values last
        Simulated values of each forecast, in any order.
    observed : array_like, shape of ``ensemble`` without its last axis
        What came.

    Returns
    -------
    ndarray
        Mean distance of the values to what came, less half their mean distance to each other,
        in the unit of the values; NaN where a number is.

    Raises
    ------
    ValueError
        There are no values, or shapes do not match.

    References
    ----------
    Gneiting and Raftery, JASA 102 (2007), 359-378, equation 21.

    Examples
    --------
    >>> print(round(float(crps([1, 2, 4, 7, 11], 5)), 12))
    1.2
    """
    ensemble, observed = np.asarray(ensemble, dtype=float), np.asarray(observed, dtype=float)
    if ensemble.ndim < 1 or not ensemble.shape[-1] or ensemble.shape[:-1] != observed.shape:
        raise ValueError(
            "ensemble must hold the values of each observed number in its last axis, but has "
            f"shape {ensemble.shape} and observed {observed.shape}"
        )
    n = ensemble.shape[-1]
    distance = np.abs(ensemble - observed[..., None]).mean(axis=-1)
    rank_weight = 2 * np.arange(1, n + 1) - n - 1
    return distance - np.sort(ensemble, axis=-1) @ rank_weight / n**2


def brier(p, outcome) -> float:
    """
    Score stated probabilities: the mean squared distance to what happened; lower is better.

    Parameters
    ----------
    p : array_like
        Probabilities; a NaN is left out.
    outcome : array_like
        Whether it happened, 0 or 1.

    Returns
    -------
    float
        Between 0 and 1; NaN without forecasts. Saying the overall share r to all scores r(1-r).

    Raises
    ------
    ValueError
        A probability is not between 0 and 1, an outcome not 0 or 1, or lengths differ.

    References
    ----------
    Brier, Monthly Weather Review 78 (1950), 1-3, halved as usual for two outcomes.

    Examples
    --------
    >>> round(brier([0.1, 0.8, 0.5], [0, 1, 1]), 6)
    0.1
    """
    p, outcome = _stated(p, outcome)
    return float(((p - outcome) ** 2).mean()) if len(p) else np.nan


def reliability(p, outcome, n_bins: int = 10, *, confidence: float = 0.95) -> pd.DataFrame:
    """
    Compare stated probabilities with how often it happened, in bins of about equal number.

    Parameters
    ----------
    p, outcome : array_like
        As for `brier`.
    n_bins : int
        Bins at most; equal probabilities stay together, so there may be fewer.
    confidence : float
        Level of Wilson's interval.

    Returns
    -------
    DataFrame, one row per bin, ascending
        ``from_share``, ``to_share`` (lowest and highest probability in it), ``n`` (forecasts),
        ``said_share`` (their mean), ``n_happened``, ``happened_rate``, ``happened_rate_low``,
        ``happened_rate_high``. Empty without forecasts.

    Raises
    ------
    ValueError
        As for `brier`, or ``n_bins`` is below 1.

    Examples
    --------
    >>> table = reliability([0.1, 0.1, 0.2, 0.6, 0.7, 0.9], [0, 0, 1, 1, 0, 1], 2)
    >>> table[["from_share", "to_share", "n", "said_share", "n_happened"]].round(3)
       from_share  to_share  n  said_share  n_happened
    0         0.1       0.2  3       0.133           1
    1         0.6       0.9  3       0.733           2
    """
    if n_bins < 1:
        raise ValueError(f"n_bins must be 1 or more, but is {n_bins}")
    p, outcome = _stated(p, outcome)
    order = np.argsort(p, kind="stable")
    p, outcome = p[order], outcome[order]
    first = np.searchsorted(p, p, side="left")  # equal probabilities share a place
    frame = pd.DataFrame({"bin": first * n_bins // max(len(p), 1), "p": p, "outcome": outcome})
    table = frame.groupby("bin", as_index=False).agg(
        from_share=("p", "min"),
        to_share=("p", "max"),
        n=("p", "size"),
        said_share=("p", "mean"),
        n_happened=("outcome", "sum"),
    )
    table["n_happened"] = table["n_happened"].astype(int)
    low, high = wilson(table["n_happened"], table["n"], confidence=confidence)
    table["happened_rate"] = table["n_happened"] / table["n"]
    table["happened_rate_low"], table["happened_rate_high"] = low, high
    return table.drop(columns="bin")


def coverage(low, high, observed, *, confidence: float = 0.95) -> Coverage:
    """
    Count how often outcomes lay in their intervals, ends included.

    Parameters
    ----------
    low, high, observed : array_like
        Of each forecast; one with a NaN is left out.
    confidence : float
        Level of Wilson's interval of the rate.

    Returns
    -------
    Coverage

    Raises
    ------
    ValueError
        A lower limit is above the upper one, or lengths differ.

    Examples
    --------
    >>> found = coverage([1, 2, 3, 4], [5, 6, 7, 8], [3, 6, 9, float("nan")])
    >>> found.n, found.n_covered, round(found.low, 3), round(found.high, 3)
    (3, 2, 0.208, 0.939)
    """
    low, high, observed = _aligned(low=low, high=high, observed=observed)
    refuse_where(low > high, "low must not be above high", low, high)
    n, n_covered = len(observed), int(((low <= observed) & (observed <= high)).sum())
    rate_low, rate_high = (float(x) for x in wilson(n_covered, n, confidence=confidence))
    return Coverage(n, n_covered, n_covered / n if n else np.nan, rate_low, rate_high)


def skill(score, baseline, *, seed: int, draws: int = 2_000, confidence: float = 0.95) -> Skill:
    """
    Compare the scores of a forecast with those of a baseline: 1 - mean score / mean baseline.

    Parameters
    ----------
    score, baseline : array_like
        Scores of both on the same occasions, lower is better; an occasion with a NaN is left
        out.
    seed : int
        Of the bootstrap.
    draws : int
        Number of resamples of the occasions, both scores of one together.
    confidence : float
        Level of the percentile interval. It takes occasions for independent: with few, or with
        periods that overlap, it is too narrow.

    Returns
    -------
    Skill
        All NaN where the baseline is perfect or there is no occasion; the limits with a single
        one, and where some resample of the baseline would be perfect.

    Raises
    ------
    ValueError
        A score is negative, or lengths differ.

    Examples
    --------
    >>> found = skill([2, 3, 4, 3], [5, 6, 6, 7], seed=1)
    >>> [round(x, 2) for x in found]
    [0.5, 0.39, 0.58, 4]
    """
    two_sided_z(confidence)
    score, baseline = _aligned(score=score, baseline=baseline)
    refuse_where((score < 0) | (baseline < 0), "scores must be 0 or more", score, baseline)
    n = len(score)
    if not baseline.sum():
        return Skill(np.nan, np.nan, np.nan, n)
    value = float(1 - score.sum() / baseline.sum())
    picked = np.random.default_rng(seed).integers(0, n, (draws, n))
    below = baseline[picked].sum(axis=1)
    if n < 2 or not below.all():
        return Skill(value, np.nan, np.nan, n)
    tail = (1 - confidence) / 2
    low, high = np.quantile(1 - score[picked].sum(axis=1) / below, [tail, 1 - tail])
    return Skill(value, float(low), float(high), n)


def widening(median, half_width, observed) -> float:
    """
    Compute the factor by which 80 % intervals should have been wider to hold 80 % of outcomes.

    A convention of this project; no interval is made narrower by it.

    Parameters
    ----------
    median, half_width, observed : array_like
        Of each forecast: its median, half the width of its 80 % interval, and what came.
        Forecasts with a NaN or without width are left out.

    Returns
    -------
    float
        1 or more: the 80 % quantile of distance to the median over half-width; 1 without
        forecasts.

    Raises
    ------
    ValueError
        A half-width is negative, or lengths differ.

    Examples
    --------
    >>> widening([10, 10, 10, 10, 10, 10], [2, 2, 2, 2, 2, 2], [10, 11, 12, 13, 15, 20])
    2.5
    """
    median, half_width, observed = _aligned(median=median, half_width=half_width, observed=observed)
    refuse_where(half_width < 0, "half_width must be 0 or more", half_width)
    has_width = half_width > 0
    distance = np.abs(observed - median)[has_width] / half_width[has_width]
    return max(1.0, float(np.quantile(distance, _WIDEN_TO))) if has_width.any() else 1.0


def _stated(p, outcome):
    p, outcome = _aligned(p=p, outcome=outcome)
    refuse_where((p < 0) | (p > 1), "p must lie between 0 and 1", p)
    refuse_where((outcome != 0) & (outcome != 1), "outcome must be 0 or 1", outcome)
    return p, outcome


def _aligned(**columns):
    """Columns of floats without the rows in which one is missing."""
    arrays = [np.asarray(values, dtype=float) for values in columns.values()]
    if len({x.shape for x in arrays}) > 1 or arrays[0].ndim != 1:
        found = ", ".join(f"{name} {x.shape}" for name, x in zip(columns, arrays, strict=True))
        raise ValueError(
            f"columns must be one-dimensional and of the same length, but are: {found}"
        )
    is_known = ~np.isnan(arrays).any(axis=0)
    return [x[is_known] for x in arrays]
