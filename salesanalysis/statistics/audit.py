"""
Is a set of KPIs fit to judge by? Reliability, redundancy, leading KPIs, influence, gaming.

Units are those judged: reps, or reps in a quarter. KPIs should point one way, so give points
or turn lower-is-better values round. A unit with a NaN in any of the numbers a function needs
is left out, and the result says how many units it rests on.
"""

from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy.special import fdtri, ndtri, stdtrit
from scipy.stats import binom, rankdata

from salesanalysis.statistics.proportions import two_sided_z

_ROUNDING = 1e-12  # relative; numbers that differ by less are equal
_FEWEST_PAIRS = 4  # the interval of a correlation needs n - 3 above 0
_FEWEST_UNITS = 3  # two units correlate perfectly whatever they are


class Estimate(NamedTuple):
    """
    A number with its interval.

    Attributes
    ----------
    value, low, high : float
        NaN where they cannot be computed, as the function says.
    n : int
        Units it rests on.
    """

    value: float
    low: float
    high: float
    n: int


class Heaping(NamedTuple):
    """
    Values on both sides of a threshold, as `heaping` gives them.

    Attributes
    ----------
    n_above, n_below : int
        Values from the threshold to one width above it, and those below it by at most a width.
    p_value : float
        One-sided; small where more lie just above than chance explains. NaN with none at all.
    """

    n_above: int
    n_below: int
    p_value: float


def split_half(odd, even, *, confidence: float = 0.95) -> Estimate:
    """
    Estimate the reliability of a KPI from two halves of the same period.

    The correlation r of the halves over the units, stepped up to the whole period (Spearman
    and Brown): 2 r / (1 + r).

    Parameters
    ----------
    odd, even : array_like
        Value of each unit in the odd and in the even weeks.
    confidence : float
        Two-sided level, between 0 and 1.

    Returns
    -------
    Estimate
        Share of the differences between units that would show again, 0 to 1; a correlation
        below 0 shows none, so it gives 0. NaN with fewer than 4 units and where a half is the
        same for all; the limits are NaN where r is 1 or -1.

    Raises
    ------
    ValueError
        The halves are not of the same length.

    References
    ----------
    Spearman, British Journal of Psychology 3 (1910), 271-295; Brown, the same, 296-322. Limits:
    Fisher's for r, stepped up likewise.

    Examples
    --------
    >>> found = split_half([1, 2, 3, 4, 5], [2, 1, 4, 3, 5])
    >>> round(found.value, 4), round(found.low, 4), round(found.high, 4)
    (0.8889, 0.0, 0.9931)
    """
    odd, even = _complete_pairs(odd, even, "odd and even")
    r = _correlation(odd, even)
    low, high = _correlation_limits(r, 1 / max(len(odd) - 3, 1), confidence)
    value, low, high = (float(2 * max(x, 0) / (1 + max(x, 0))) for x in (r, low, high))
    return Estimate(value, low, high, len(odd))


def cronbach_alpha(items, *, confidence: float = 0.95) -> Estimate:
    """
    Estimate how far several KPIs measure one thing: k/(k-1) * (1 - sum of variances / variance).

    Parameters
    ----------
    items : array_like, units x KPIs
        Values on one scale, such as points.
    confidence : float
        Two-sided level, between 0 and 1.

    Returns
    -------
    Estimate
        At most 1; below 0 where KPIs work against each other. NaN with fewer than 2 KPIs or
        3 units, and where the sum of the KPIs is the same for all.

    Raises
    ------
    ValueError
        ``items`` has not two axes.

    References
    ----------
    Cronbach, Psychometrika 16 (1951), 297-334; limits: Feldt, Psychometrika 30 (1965), 357-370.

    Examples
    --------
    >>> found = cronbach_alpha([[2, 4], [4, 6], [6, 5], [8, 9]])
    >>> round(found.value, 4), found.n
    (0.9032, 4)
    """
    items = _complete_rows(items)
    n, k = items.shape
    tail = _tail(confidence)
    total = items.sum(axis=1)
    if k < 2 or n < _FEWEST_UNITS or _is_constant(total):
        return Estimate(np.nan, np.nan, np.nan, n)
    value = k / (k - 1) * (1 - items.var(axis=0, ddof=1).sum() / total.var(ddof=1))
    low, high = (
        1 - (1 - value) * fdtri(n - 1, (n - 1) * (k - 1), level) for level in (1 - tail, tail)
    )
    return Estimate(float(value), float(low), float(high), n)


def vif(items) -> np.ndarray:
    """
    Compute how far each KPI repeats the others: the variance inflation factor 1 / (1 - R²).

    Parameters
    ----------
    items : array_like, units x KPIs
        Values in any units.

    Returns
    -------
    ndarray, one per KPI
        1 or more; infinite where a KPI is a combination of others. A KPI that is the same for
        all units has NaN and does not count for the others. All are NaN where there are not
        more units than KPIs.

    Raises
    ------
    ValueError
        ``items`` has not two axes.

    References
    ----------
    Marquardt, Technometrics 12 (1970), 591-612.

    Examples
    --------
    >>> vif([[1, 2, 0], [2, 1, 0], [3, 4, 0], [4, 3, 0], [5, 5, 0]]).round(4).tolist()
    [2.7778, 2.7778, nan]
    """
    items = _complete_rows(items)
    factors = np.full(items.shape[1], np.nan)
    varies = [k for k, column in enumerate(items.T) if not _is_constant(column)]
    if len(items) <= len(varies):
        return factors
    centred = items[:, varies] - items[:, varies].mean(axis=0)
    scaled = centred / np.sqrt((centred**2).sum(axis=0))
    for j, k in enumerate(varies):
        others = np.delete(scaled, j, axis=1)
        fitted = others @ np.linalg.lstsq(others, scaled[:, j])[0]
        own = ((scaled[:, j] - fitted) ** 2).sum()
        factors[k] = 1 / own if own > _ROUNDING else np.inf
    return factors


def spearman(x, y, *, confidence: float = 0.95) -> Estimate:
    """
    Estimate the rank correlation of two KPIs.

    Parameters
    ----------
    x, y : array_like
        Values of each unit; ties get their mean rank.
    confidence : float
        Two-sided level, between 0 and 1.

    Returns
    -------
    Estimate
        -1 to 1. NaN with fewer than 4 units and where a KPI is the same for all; the limits,
        tanh(atanh(r) ± z sqrt((1 + r²/2) / (n - 3))), are NaN where r is 1 or -1.

    Raises
    ------
    ValueError
        ``x`` and ``y`` are not of the same length.

    References
    ----------
    Bonett and Wright, Psychometrika 65 (2000), 23-28.

    Examples
    --------
    >>> found = spearman([1, 2, 3, 4, 5, 6], [2, 1, 4, 3, 6, 5])
    >>> round(found.value, 4), round(found.low, 4), round(found.high, 4)
    (0.8286, -0.1272, 0.9865)
    """
    x, y = _complete_pairs(x, y, "x and y")
    r = _correlation(rankdata(x), rankdata(y))
    low, high = _correlation_limits(r, (1 + r**2 / 2) / max(len(x) - 3, 1), confidence)
    return Estimate(r, low, high, len(x))


def within_slope(unit, kpi, next_result, *, confidence: float = 0.95) -> Estimate:
    """
    Estimate how the next result moves with a KPI within the same unit.

    Both are taken as differences from the unit's own mean, so a KPI that only mirrors who is
    strong shows no slope. Standard error clustered by unit, t on one degree of freedom fewer
    than units.

    Parameters
    ----------
    unit : array_like
        Unit of each row, one row per unit and period.
    kpi, next_result : array_like
        KPI in a period, and the result in the period after it. Rows with a NaN are left out.
    confidence : float
        Two-sided level, between 0 and 1.

    Returns
    -------
    Estimate
        Result per unit of the KPI; ``n`` counts the units whose KPI changed. NaN with fewer
        than two of them. A KPI whose interval holds 0 is not shown as leading.

    Raises
    ------
    ValueError
        Lengths differ, or a unit is missing.

    References
    ----------
    Liang and Zeger, Biometrika 73 (1986), 13-22; few clusters: Cameron and Miller, Journal of
    Human Resources 50 (2015), 317-372.

    Examples
    --------
    >>> found = within_slope(["a", "a", "b", "b", "c", "c"], [1, 2, 5, 7, 3, 4], [1, 3, 9, 12, 5, 8])
    >>> round(found.value, 4), round(found.low, 4), round(found.high, 4), found.n
    (1.8333, 0.2704, 3.3962, 3)
    """
    tail = _tail(confidence)
    codes, _ = pd.factorize(pd.Series(unit))
    kpi, result = np.asarray(kpi, dtype=float), np.asarray(next_result, dtype=float)
    if not codes.shape == kpi.shape == result.shape:
        raise ValueError(
            "unit, kpi and next_result must have the same length, but have shapes "
            f"{codes.shape}, {kpi.shape} and {result.shape}"
        )
    if (codes < 0).any():
        raise ValueError(
            f"unit must be given, but is missing in {(codes < 0).sum()} of {len(codes)} rows, "
            f"the first at position {int(np.flatnonzero(codes < 0)[0])}"
        )
    is_complete = np.isfinite(kpi) & np.isfinite(result)
    codes, kpi, result = codes[is_complete], kpi[is_complete], result[is_complete]
    size = max(np.abs(kpi).max(initial=0), np.finfo(float).tiny)
    kpi, result = _from_own_mean(codes, kpi), _from_own_mean(codes, result)
    kpi = np.where(np.abs(kpi) > _ROUNDING * size, kpi, 0)
    n_units = len(np.unique(codes[kpi != 0]))
    if n_units < 2:
        return Estimate(np.nan, np.nan, np.nan, n_units)
    square = (kpi**2).sum()
    slope = (kpi * result).sum() / square
    pull = np.bincount(codes, kpi * (result - slope * kpi))
    error = np.sqrt(n_units / (n_units - 1) * (pull**2).sum()) / square
    half = -stdtrit(n_units - 1, tail) * error
    return Estimate(float(slope), float(slope - half), float(slope + half), n_units)


def influence(contributions, score, weights) -> np.ndarray:
    """
    Compute how much each KPI moves the score, beside how much its weight says it should.

    Parameters
    ----------
    contributions : array_like, units x KPIs
        Points each KPI adds, as `scores.aggregate` gives.
    score : array_like, one per unit
        Their sum.
    weights : array_like, one per KPI
        Nominal weights, in any proportion.

    Returns
    -------
    ndarray, one per KPI
        cov(contribution, score) / var(score) over the KPI's share of the weights: 1 where it
        moves the score as its weight says, 0 where all units have the same points. NaN where
        the weight is 0, and everywhere with fewer than 3 units judged on all KPIs or where
        their scores are equal.

    Raises
    ------
    ValueError
        Shapes do not match.

    References
    ----------
    Paruolo, Saisana and Saltelli, JRSS A 176 (2013), 609-634, on weights and importance.

    Examples
    --------
    >>> influence([[30, 10], [10, 10], [20, 10]], [40, 20, 30], [0.5, 0.5]).tolist()
    [2.0, 0.0]
    """
    contributions, score, weights = (
        np.asarray(x, dtype=float) for x in (contributions, score, weights)
    )
    if contributions.ndim != 2 or contributions.shape != (*score.shape, *weights.shape):
        raise ValueError(
            "contributions must be units x KPIs, with one score for each unit and one weight "
            f"for each KPI, but have shape {contributions.shape}, score {score.shape} and "
            f"weights {weights.shape}"
        )
    is_judged = np.isfinite(contributions).all(axis=1) & np.isfinite(score)
    contributions, score = contributions[is_judged], score[is_judged]
    if len(score) < _FEWEST_UNITS or _is_constant(score):
        return np.full(len(weights), np.nan)
    deviation = score - score.mean()
    moved = deviation @ contributions / (deviation @ deviation)
    nominal = weights / weights.sum()
    return moved / np.where(nominal > 0, nominal, np.nan)


def heaping(values, threshold: float, width: float) -> Heaping:
    """
    Test whether values heap just above a threshold that pays.

    Parameters
    ----------
    values : array_like
        Values of a KPI, higher being better; a value at the threshold has met it. Where lower
        is better give ``-values`` and ``-threshold``. NaN is left out.
    threshold, width : float
        In the unit of the KPI; values further away than ``width`` are not looked at.

    Returns
    -------
    Heaping
        The p-value is P(at least ``n_above`` of them above), each side being equally likely,
        which it nearly is where ``width`` is small beside the spread of the values.

    Raises
    ------
    ValueError
        ``width`` is not above 0, or ``threshold`` is not finite.

    Examples
    --------
    >>> heaping([99, 100, 100, 101, 102, 103, 120], threshold=100, width=5)
    Heaping(n_above=5, n_below=1, p_value=0.109375)
    """
    if not (0 < width < np.inf and np.isfinite(threshold)):
        raise ValueError(
            "threshold must be a number and width one above 0, but they are "
            f"{threshold} and {width}"
        )
    values = np.asarray(values, dtype=float)
    n_above = int(((values >= threshold) & (values < threshold + width)).sum())
    n_below = int(((values < threshold) & (values >= threshold - width)).sum())
    if not n_above + n_below:
        return Heaping(0, 0, np.nan)
    return Heaping(n_above, n_below, float(binom.sf(n_above - 1, n_above + n_below, 0.5)))


def effective_number(correlations) -> float:
    """
    Compute how many independent KPIs a set amounts to: (sum of l)² / sum of l², l eigenvalues.

    Parameters
    ----------
    correlations : array_like, KPIs x KPIs
        Correlation matrix. A KPI with NaN on the diagonal, the same for all units, is left out.

    Returns
    -------
    float
        1 (all say the same) to the number of KPIs (all say different things); NaN where none
        is left or another correlation is NaN.

    Raises
    ------
    ValueError
        The matrix is no correlation matrix.

    References
    ----------
    Participation ratio of Bretherton et al., Journal of Climate 12 (1999), 1990-2009.

    Examples
    --------
    >>> round(effective_number([[1, 0.6], [0.6, 1]]), 4)
    1.4706
    """
    correlations = np.asarray(correlations, dtype=float)
    if correlations.ndim != 2 or correlations.shape[0] != correlations.shape[1]:
        raise ValueError(f"correlations must be a square matrix, but are {correlations.shape}")
    varies = ~np.isnan(np.diag(correlations))
    kept = correlations[np.ix_(varies, varies)]
    if not kept.size or np.isnan(kept).any():
        return np.nan
    if (
        np.abs(np.diag(kept) - 1).max() > 1e-6
        or np.abs(kept - kept.T).max() > 1e-6
        or np.abs(kept).max() > 1 + 1e-6
    ):
        raise ValueError(
            "correlations must be symmetric, 1 on the diagonal and within -1 and 1, but the "
            f"diagonal is {np.diag(kept).round(3).tolist()} and the largest {kept.max():.3g}"
        )
    # The eigenvalues sum to the trace, their squares to the squares of all correlations.
    return float(len(kept) ** 2 / (kept**2).sum())


def _tail(confidence):
    two_sided_z(confidence)  # refuses an impossible level
    return (1 - confidence) / 2


def _is_constant(values):
    return not len(values) or np.ptp(values) <= _ROUNDING * np.abs(values).max()


def _complete_pairs(x, y, names):
    x, y = np.asarray(x, dtype=float), np.asarray(y, dtype=float)
    if x.ndim != 1 or x.shape != y.shape:
        raise ValueError(
            f"{names} must hold one value for each unit, but have shapes {x.shape} and {y.shape}"
        )
    is_complete = np.isfinite(x) & np.isfinite(y)
    return x[is_complete], y[is_complete]


def _complete_rows(items):
    items = np.asarray(items, dtype=float)
    if items.ndim != 2:
        raise ValueError(f"items must be units x KPIs, but have shape {items.shape}")
    return items[np.isfinite(items).all(axis=1)]


def _correlation(x, y):
    """Pearson's correlation; NaN where it is not defined or rests on too few."""
    if len(x) < _FEWEST_PAIRS or _is_constant(x) or _is_constant(y):
        return np.nan
    x, y = x - x.mean(), y - y.mean()
    r = float(x @ y / np.sqrt((x @ x) * (y @ y)))
    return float(np.sign(r)) if abs(r) > 1 - _ROUNDING else r


def _correlation_limits(r, variance, confidence):
    z = -ndtri(_tail(confidence))
    if not abs(r) < 1:
        return np.nan, np.nan
    return tuple(float(np.tanh(np.arctanh(r) + side * np.sqrt(variance))) for side in (-z, z))


def _from_own_mean(codes, values):
    counts = np.maximum(np.bincount(codes), 1)
    return values - (np.bincount(codes, values) / counts)[codes]
