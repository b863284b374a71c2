"""
Did something change? Two groups or two periods compared, against a control too.

A comparison is second against first, after against before, treated against control. Where a
result is NaN the data cannot say. A p-value is two-sided.
"""

from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy import stats
from scipy.optimize import brentq
from scipy.special import gammaln, ndtr, stdtr, stdtrit

from salesanalysis.statistics import proportions
from salesanalysis.statistics.proportions import two_sided_z
from salesanalysis.statistics.rates import refuse_where
from salesanalysis.statistics.survival import Estimate

_FEWEST_BEFORE = 12  # points a trend needs before the change
_BURN_IN = 30  # steps after which a simulated series has forgotten its start
_FARTHEST = 60.0  # logarithm of an odds ratio no count can tell from 0 or infinity
_ROUNDING = 1e-24  # relative; a sum of squares below this is rounding


class Comparison(NamedTuple):
    """
    A difference or ratio with its interval.

    Attributes
    ----------
    value, low, high : float
        In the unit of what is compared, or a ratio without unit, as the function says.
    p_value : float
        Of no difference (ratio 1); NaN where there is no test.
    """

    value: float
    low: float
    high: float
    p_value: float


class Shift(NamedTuple):
    """
    How far the second of two samples lies above the first, as `shift` gives it.

    Attributes
    ----------
    mean_difference, low, high : float
        Difference of the means with Welch's interval.
    hodges_lehmann : float
        Median of all differences between a value of the second and one of the first.
    p_value : float
        Of the Mann-Whitney test.
    """

    mean_difference: float
    low: float
    high: float
    hodges_lehmann: float
    p_value: float


class Interruption(NamedTuple):
    """
    A change of level in a series, as `interrupted` gives it.

    Attributes
    ----------
    value, low, high, p_value : float
        As in `Comparison`.
    rho : float
        How much of a month's deviation from its trend carries over to the next month.
    """

    value: float
    low: float
    high: float
    p_value: float
    rho: float


_UNKNOWN = Comparison(np.nan, np.nan, np.nan, np.nan)
_UNKNOWN_SHIFT = Shift(np.nan, np.nan, np.nan, np.nan, np.nan)
_UNKNOWN_INTERRUPTION = Interruption(np.nan, np.nan, np.nan, np.nan, np.nan)


def logrank(age1, is_event1, n1, age2, is_event2, n2) -> tuple[float, float]:
    """
    Test whether two groups leave at the same pace.

    Parameters
    ----------
    age1, is_event1, n1, age2, is_event2, n2 : array_like
        Exits of both groups: ``n`` cases left (``is_event`` true) or were last seen (false) at
        ``age`` (days). Rows may repeat and come in any order.

    Returns
    -------
    chi2, p_value : float
        On 1 degree of freedom; NaN where a group is empty, and where nobody left while others
        of both groups were at risk.

    Raises
    ------
    ValueError
        An age is negative or missing, a count is not whole, or lengths differ.

    References
    ----------
    Mantel, Cancer Chemotherapy Reports 50 (1966), 163-170.

    Examples
    --------
    >>> chi2, p_value = logrank([2, 3, 9], [1, 1, 0], [4, 3, 5], [5, 8, 9], [1, 1, 0], [2, 2, 9])
    >>> round(chi2, 3), round(p_value, 4)
    (3.32, 0.0685)
    """
    first, second = _sample(age1, is_event1, n1), _sample(age2, is_event2, n2)
    if not (first[0].size and second[0].size):
        return np.nan, np.nan
    samples = [stats.CensoredData.right_censored(*sample) for sample in (first, second)]
    with np.errstate(divide="ignore", invalid="ignore"):  # the variance may be 0
        tested = stats.logrank(*samples)
    if not np.isfinite(tested.statistic):
        return np.nan, np.nan
    return float(tested.statistic**2), float(tested.pvalue)


def restricted_means(first: Estimate, second: Estimate, confidence: float = 0.95) -> Comparison:
    """
    Compare two restricted means: second minus first.

    Parameters
    ----------
    first, second : Estimate
        As `survival.restricted_mean` gives, up to the same age.
    confidence : float
        Level of the two-sided normal interval.

    Returns
    -------
    Comparison
        In days; NaN where a mean is. Two means without variance have no p-value.

    Examples
    --------
    >>> found = restricted_means(Estimate(60, 3, 54, 66), Estimate(50, 4, 42, 58))
    >>> [round(x, 3) for x in found]
    [-10, -19.8, -0.2, 0.046]
    """
    change = second.value - first.value
    error = float(np.hypot(first.se, second.se))
    half = two_sided_z(confidence) * error
    p_value = 2 * float(ndtr(-abs(change) / error)) if error > 0 else np.nan
    return Comparison(change, change - half, change + half, p_value)


def rates(events1, exposure1, events2, exposure2, *, confidence: float = 0.95) -> Comparison:
    """
    Compare two rates per time: first over second.

    Exact, given the sum of the events: the first count is then binomial.

    Parameters
    ----------
    events1, events2 : int
        Whole counts, such as people who left.
    exposure1, exposure2 : float
        Time they could happen in, such as years worked.
    confidence : float
        Two-sided level.

    Returns
    -------
    Comparison
        A ratio, 1 where the rates are equal. Infinite where only the second has no event; all
        NaN where neither has one, an exposure is 0, or an input is NaN. The p-value sums all
        outcomes no likelier than the one seen, so close to the level it may disagree with the
        interval, which cuts both ends alike.

    Raises
    ------
    ValueError
        A count is negative or not whole, an exposure is negative, or ``confidence`` is
        impossible.

    References
    ----------
    Clopper and Pearson, Biometrika 26 (1934), 404-413; as R's ``poisson.test``.

    Examples
    --------
    >>> [round(x, 3) for x in rates(8, 100, 25, 100)]
    [0.32, 0.125, 0.732, 0.005]
    """
    two_sided_z(confidence)  # refuses an impossible level
    counts, exposures = _counted([events1, events2], [exposure1, exposure2])
    if counts is None or not counts.sum():
        return _UNKNOWN
    share = exposures[0] / exposures.sum()
    tested = stats.binomtest(int(counts[0]), int(counts.sum()), share)
    limits = tested.proportion_ci(confidence)
    to_ratio = exposures[1] / exposures[0]
    value, low, high = (
        _odds(p) * to_ratio for p in (counts[0] / counts.sum(), limits.low, limits.high)
    )
    return Comparison(float(value), float(low), float(high), float(tested.pvalue))


def ratio_of_rates(events, exposure, *, confidence: float = 0.95) -> Comparison:
    """
    Compare the change of a rate among the treated with its change in the control.

    Exact, given the events of each group and of each period: the count of the treated after
    the change then has Fisher's noncentral hypergeometric distribution, whatever the levels of
    the groups and of the periods.

    Parameters
    ----------
    events : array_like of int, 4
        Of the treated before and after the change, and of the control before and after it.
    exposure : array_like, 4
        Time they could happen in, in the same order.
    confidence : float
        Two-sided level; both ends are cut alike.

    Returns
    -------
    Comparison
        (treated after / treated before) / (control after / control before), of rates per time;
        1 where both changed alike. It is the plain ratio of the four rates, so that a reader can
        divide. All NaN where a group or a period has no event, an exposure is 0, or an input is
        NaN. The p-value agrees with the interval.

    Raises
    ------
    ValueError
        There are not four of each, a count is negative or not whole, an exposure is negative,
        or ``confidence`` is impossible.

    References
    ----------
    Fisher, JRSS 98 (1935), 39-82; Lehmann and Romano, Testing Statistical Hypotheses (2005),
    section 4.5.

    Examples
    --------
    >>> [round(x, 3) for x in ratio_of_rates([25, 8, 20, 21], [100, 100, 90, 90])]
    [0.305, 0.097, 0.917, 0.032]
    """
    two_sided_z(confidence)
    counts, exposures = _counted(events, exposure, size=4)
    if counts is None:
        return _UNKNOWN
    table = counts.reshape(2, 2)[:, ::-1]  # after, before
    if not (table.sum(axis=0).all() and table.sum(axis=1).all()):
        return _UNKNOWN
    before, after, control_before, control_after = exposures
    equal = float(
        (after / before) / (control_after / control_before)
    )  # odds ratio if both changed alike
    tails, is_lowest, is_highest = _tails(table)
    tail = (1 - confidence) / 2
    low = 0.0 if is_lowest else _solved(lambda odds: tails(odds)[1] - tail) / equal
    high = np.inf if is_highest else _solved(lambda odds: tails(odds)[0] - tail) / equal
    down = table[0, 1] * table[1, 0]
    value = float(table[0, 0] * table[1, 1] / down) / equal if down else np.inf
    p_value = min(1.0, 2 * min(tails(np.log(equal))))
    return Comparison(value, low, high, p_value)


def shift(first, second, *, n_first=None, n_second=None, confidence: float = 0.95) -> Shift:
    """
    Compare the values of two samples, such as answers about satisfaction: second minus first.

    Parameters
    ----------
    first, second : array_like
        Finite numbers, in any order.
    n_first, n_second : array_like of int, optional
        How often each occurs; once, if not given.
    confidence : float
        Level of Welch's interval.

    Returns
    -------
    Shift
        In the unit of the values. All NaN where a sample is empty; the limits also where one
        has a single value. Where all values of both are equal the interval has no width.

        The p-value is of the Mann-Whitney test with the normal approximation, corrected for
        ties and continuity; it is not made for samples of a handful.

    Raises
    ------
    ValueError
        A value is not finite, a count is negative or not whole, or lengths differ.

    References
    ----------
    Welch, Biometrika 34 (1947), 28-35; Mann and Whitney, Annals of Mathematical Statistics 18
    (1947), 50-60; Hodges and Lehmann, the same 34 (1963), 598-611.

    Examples
    --------
    >>> [round(float(x), 3) for x in shift([5, 7, 8, 8], [8, 9, 9, 10, 10])]
    [2.2, 0.095, 4.305, 2.0, 0.033]
    """
    first, n_first = _values("first", first, n_first)
    second, n_second = _values("second", second, n_second)
    if not (n_first.sum() and n_second.sum()):
        two_sided_z(confidence)
        return _UNKNOWN_SHIFT
    welch = _welch(_moments(first, n_first), _moments(second, n_second), confidence)
    apart = np.subtract.outer(second, first).ravel()
    middle = _median(apart, np.multiply.outer(n_second, n_first).ravel())
    tested = stats.mannwhitneyu(
        np.repeat(second, n_second), np.repeat(first, n_first), method="asymptotic"
    )
    return Shift(welch.value, welch.low, welch.high, middle, float(tested.pvalue))


def combine(treated: Comparison, control: Comparison, *, scale: str = "difference") -> Comparison:
    """
    Compare the change of the treated with that of the control.

    The method of variance estimates recovery: each change enters with its own limits, so their
    level is that of the result.

    Parameters
    ----------
    treated, control : Comparison
        After against before, of either group; only value, low and high are read.
    scale : {"difference", "ratio"}
        How the changes are stated: differences are subtracted, ratios divided.

    Returns
    -------
    Comparison
        Treated minus control, or treated over control; NaN where an input is. No p-value.

    Raises
    ------
    ValueError
        ``scale`` is another word.

    References
    ----------
    Zou and Donner, Statistics in Medicine 27 (2008), 1693-1702.

    Examples
    --------
    >>> treated, control = Comparison(0.15, 0.05, 0.25, 0.01), Comparison(0.01, -0.08, 0.10, 0.9)
    >>> [round(x, 3) for x in combine(treated, control)]
    [0.14, 0.005, 0.275, nan]
    """
    if scale not in ("difference", "ratio"):
        raise ValueError(f'scale must be "difference" or "ratio", but is {scale!r}')
    pair = np.array([control[:3], treated[:3]], dtype=float)
    if scale == "difference":
        found = proportions.difference(*pair[0], *pair[1])
    else:
        with np.errstate(divide="ignore", invalid="ignore"):
            logs = np.log(pair)
            found = np.exp(proportions.difference(*logs[0], *logs[1]))
    value, low, high = (float(x) for x in found)
    return Comparison(value, low, high, np.nan)


def per_unit(before, after, is_treated, *, confidence: float = 0.95) -> Comparison:
    """
    Compare the changes of treated units with those of the others.

    Each unit, such as a rep, is one value: after minus before. With the same units on both
    sides it is the difference in differences, and what the deals of a unit share does no harm.

    Parameters
    ----------
    before, after : array_like, one per unit
        The unit's figure before and after; a unit with a NaN is left out.
    is_treated : array_like of bool
        Which units the change was made for.
    confidence : float
        Level of Welch's interval.

    Returns
    -------
    Comparison
        Mean change of the treated minus that of the others; NaN where a side has no unit, limits
        and p-value where one has a single one. The p-value is NaN where no change differs.

    Raises
    ------
    ValueError
        Lengths differ.

    References
    ----------
    Welch, Biometrika 34 (1947), 28-35.

    Examples
    --------
    >>> before, after = [0.1, 0.2, 0.2, 0.1, 0.2, 0.1], [0.3, 0.5, 0.4, 0.1, 0.2, 0.2]
    >>> [round(x, 3) for x in per_unit(before, after, [1, 1, 1, 0, 0, 0])]
    [0.2, 0.069, 0.331, 0.013]
    """
    before, after = np.asarray(before, dtype=float), np.asarray(after, dtype=float)
    is_treated = np.asarray(is_treated, dtype=bool)
    _same_shape(before=before, after=after, is_treated=is_treated)
    change = after - before
    is_known = np.isfinite(change)
    once = np.ones(len(change), dtype=np.int64)
    sides = [is_known & ~is_treated, is_known & is_treated]
    return _welch(*(_moments(change[side], once[side]) for side in sides), confidence)


def clustered(y, n, is_treated, is_after, unit, *, confidence: float = 0.95) -> Comparison:
    """
    Compare the change of the treated with that of the others, from means per unit and period.

    Least squares of ``y`` on treated, after and both together, weighted by ``n``; the standard
    error lets all rows of a unit go together. So it is the difference in differences of the
    plain means over cases, and units need not be there in both periods.

    Parameters
    ----------
    y : array_like
        Mean of a unit in a period, such as its share won. Rows with ``n`` 0 or NaN ``y`` are
        left out.
    n : array_like
        Cases the mean rests on.
    is_treated, is_after : array_like of bool
        The row's group and period.
    unit : array_like
        The unit, such as the rep.
    confidence : float
        Level of the t interval, on one degree of freedom less than there are units.

    Returns
    -------
    Comparison
        In the unit of ``y``. All NaN where a group has no row in a period, limits and p-value
        where a group has a single unit or nothing is left to vary. With few units, or very
        unequal ones, the interval can be too narrow.

    Raises
    ------
    ValueError
        Lengths differ, a count is negative, a unit is missing, or a unit is in both groups.

    References
    ----------
    Liang and Zeger, Biometrika 73 (1986), 13-22; small samples as in Cameron and Miller,
    Journal of Human Resources 50 (2015), 317-372, section VI.

    Examples
    --------
    >>> y, n = [0.1, 0.3, 0.2, 0.4, 0.1, 0.1, 0.2, 0.3], [10, 10, 20, 10, 10, 10, 10, 20]
    >>> found = clustered(y, n, [1] * 4 + [0] * 4, [0, 1] * 4, list("AABBCCDD"))
    >>> [round(x, 3) for x in found]
    [0.1, -0.035, 0.235, 0.1]
    """
    two_sided_z(confidence)
    y, n = np.asarray(y, dtype=float), np.asarray(n, dtype=float)
    group, period = np.asarray(is_treated, dtype=bool), np.asarray(is_after, dtype=bool)
    codes, _ = pd.factorize(np.asarray(unit))
    _same_shape(y=y, n=n, is_treated=group, is_after=period, unit=codes)
    refuse_where(n < 0, "n must be 0 or more", n)
    refuse_where(codes < 0, "unit must be given in every row", codes)
    is_used = (n > 0) & np.isfinite(y)
    y, n, group, period, codes = (x[is_used] for x in (y, n, group, period, codes))
    mixed = np.intersect1d(codes[group], codes[~group])
    if len(mixed):
        first = np.asarray(unit)[is_used][codes == mixed[0]][0]
        raise ValueError(
            f"a unit must be in one group, but {len(mixed)} are in both, the first is {first}"
        )
    if len(np.unique(2 * group + period)) < 4:
        return _UNKNOWN
    design = np.column_stack([np.ones(len(y)), group, period, group & period])
    return _clustered_slope(design, y, n, codes, group, confidence)


def interrupted(
    y, is_after, *, seed: int, draws: int = 399, confidence: float = 0.95
) -> Interruption:
    """
    Estimate by how much a series changed its level, beside its trend, without a control.

    Least squares of ``y`` on 1, time and after. Its t is judged by series that have no change
    but go on from month to month as the residuals do (AR(1), ``rho`` corrected for its bias in
    short series). Weak evidence still: anything else that happened at that date counts too.
    Show the same at dates at which nothing happened.

    Parameters
    ----------
    y : array_like
        One value per month (or week), in order, none left out.
    is_after : array_like of bool
        False up to the change, true from it on.
    seed : int
        Of the simulated series.
    draws : int
        Number of simulated series.
    confidence : float
        Level of the interval. It contains 0 exactly where the p-value is above 1 - confidence.

    Returns
    -------
    Interruption
        In the unit of ``y``. All NaN with fewer than 12 values before the change or none after
        it, and where a value is NaN; all but the value where the line fits without rest.

    Raises
    ------
    ValueError
        Lengths differ, the change is undone, or there are too few draws for the level.

    References
    ----------
    Wagner, Soumerai, Zhang and Ross-Degnan, Journal of Clinical Pharmacy and Therapeutics 27
    (2002), 299-309; bias of the autocorrelation: Kendall, Biometrika 41 (1954), 403-404.

    Examples
    --------
    >>> noise = np.tile([0.2, -0.1, 0.1, -0.3, 0.1], 4)
    >>> is_after = np.arange(20) >= 14
    >>> found = interrupted(5 + 0.1 * np.arange(20) + 2 * is_after + noise, is_after, seed=1)
    >>> round(found.value, 2), round(found.p_value, 4)
    (2.13, 0.0025)
    """
    y = np.asarray(y, dtype=float)
    is_after = _step(y, is_after)
    largest = _level_rank(draws, confidence)
    if not _is_long_enough(y, is_after):
        return _UNKNOWN_INTERRUPTION
    fit = _line(_time_and_step(is_after), y)
    if fit.squares <= _ROUNDING * (y**2).sum():
        return _UNKNOWN_INTERRUPTION._replace(value=fit.value)
    half, p_value, rho = _judged(fit, seed, draws, largest)
    return Interruption(fit.value, fit.value - half, fit.value + half, p_value, rho)


def interrupted_rate(
    events, exposure, is_after, *, seed: int, draws: int = 399, confidence: float = 0.95
) -> Interruption:
    """
    Estimate by what factor a rate of events changed its level, beside its trend.

    As `interrupted`, for counts: the logarithm of the rate is a line with a step, and the
    variance is the mean times what the counts show (quasi-Poisson).

    Parameters
    ----------
    events : array_like
        Count per month, in order, none left out.
    exposure : array_like
        Time or number they could happen in, above 0.
    is_after, seed, draws, confidence
        As for `interrupted`.

    Returns
    -------
    Interruption
        A ratio, 1 where the level did not change. All NaN where `interrupted` is, where there
        is no event before or after the change, and where no line fits; all but the value where
        the line fits without rest.

    Raises
    ------
    ValueError
        A count is negative, an exposure is not above 0, or as for `interrupted`.

    References
    ----------
    McCullagh and Nelder, Generalized Linear Models (1989), section 6.2.

    Examples
    --------
    >>> events = [20, 24, 19, 22, 23, 18, 21, 22, 20, 23, 19, 24, 21, 11, 9, 12, 10, 11]
    >>> found = interrupted_rate(events, [10] * 18, np.arange(18) >= 13, seed=1)
    >>> round(found.value, 2), round(found.p_value, 4)
    (0.49, 0.0025)
    """
    events, exposure = np.asarray(events, dtype=float), np.asarray(exposure, dtype=float)
    _same_shape(events=events, exposure=exposure)
    is_after = _step(events, is_after)
    largest = _level_rank(draws, confidence)
    refuse_where(events < 0, "events must be 0 or more", events)
    refuse_where(exposure <= 0, "exposure must be above 0", exposure)
    is_known = _is_long_enough(events, is_after) and np.isfinite(exposure).all()
    if not is_known or not (events[is_after].sum() and events[~is_after].sum()):
        return _UNKNOWN_INTERRUPTION
    fit = _log_line(_time_and_step(is_after), events, exposure)
    if fit is None:
        return _UNKNOWN_INTERRUPTION
    if fit.squares <= 1e-12 * events.sum():
        return _UNKNOWN_INTERRUPTION._replace(value=float(np.exp(fit.value)))
    half, p_value, rho = _judged(fit, seed, draws, largest)
    value, low, high = np.exp([fit.value, fit.value - half, fit.value + half]).tolist()
    return Interruption(value, low, high, p_value, rho)


def design_effect(n_per_unit, tau: float, rate: float) -> float:
    """
    Compute by how much deals of the same reps say less than as many deals of different reps.

    An effective number divided by it is that of independent deals.

    Parameters
    ----------
    n_per_unit : array_like
        Deals of each unit. Of unequal units the large ones count more (sum n² / sum n).
    tau : float
        Standard deviation of the units on the logit scale, as `ranking.posterior` estimates it.
    rate : float
        Overall rate; with it the correlation of two deals of a unit is tau² rate (1 - rate).

    Returns
    -------
    float
        1 or more; 1 with no deals, NaN where an input is.

    Raises
    ------
    ValueError
        A count or ``tau`` is negative, or ``rate`` is not a share.

    References
    ----------
    Kish, Survey Sampling (1965), section 5.4.

    Examples
    --------
    >>> round(design_effect([30, 30, 30], 0.35, 0.2), 3)
    1.568
    """
    n = np.asarray(n_per_unit, dtype=float)
    refuse_where(n < 0, "n_per_unit must be 0 or more", n)
    if tau < 0 or rate < 0 or rate > 1:
        raise ValueError(
            f"tau must be 0 or more and rate between 0 and 1, but they are {tau} and {rate}"
        )
    size = float((n**2).sum() / n.sum()) if n.sum() else 1.0
    return 1 + max(size - 1, 0) * tau**2 * rate * (1 - rate)


class _Line(NamedTuple):
    """A fitted line with a step, scaled so that the error of every row varies alike."""

    design: np.ndarray
    residual: np.ndarray
    value: float  # of the step
    squares: float  # of the residuals


def _line(design, y):
    coefficients = np.linalg.lstsq(design, y)[0]
    residual = y - design @ coefficients
    return _Line(design, residual, float(coefficients[-1]), float(residual @ residual))


def _log_line(design, events, exposure):
    """Quasi-Poisson by Newton steps; None where they do not settle."""
    mean = np.maximum(events, 0.5)
    before = np.inf
    for _ in range(50):
        root = np.sqrt(mean)
        target = np.log(mean / exposure) + (events - mean) / mean
        coefficients = np.linalg.lstsq(design * root[:, None], target * root)[0]
        linear = design @ coefficients
        if not np.abs(linear).max() < 30:  # a rate of exp(-30) or exp(30) is a rate of 0 or none
            return None
        mean = exposure * np.exp(linear)
        deviance = 2 * float((_x_log_x(events, mean) - events + mean).sum())
        if abs(deviance - before) <= 1e-10 * (1 + deviance):
            root = np.sqrt(mean)
            residual = (events - mean) / root
            squares = float(residual @ residual)
            return _Line(design * root[:, None], residual, float(coefficients[-1]), squares)
        before = deviance
    return None


def _x_log_x(events, mean):
    return np.where(events > 0, events * np.log(np.maximum(events, 1e-300) / mean), 0)


def _judged(fit, seed, draws, largest):
    """Half-width, p-value and rho by series with no step and the same autocorrelation."""
    rows, columns = fit.design.shape
    inverse = np.linalg.inv(fit.design.T @ fit.design)
    unit_error = np.sqrt(inverse[-1, -1] / (rows - columns))
    error = unit_error * np.sqrt(fit.squares)
    rho = _autocorrelation(fit.residual)
    series = _ar1(rho, draws, rows, seed)
    coefficients = series @ fit.design @ inverse
    rest = series - coefficients @ fit.design.T
    null = np.abs(coefficients[:, -1]) / (unit_error * np.sqrt((rest**2).sum(axis=1)))
    n_as_large = int((null >= abs(fit.value) / error).sum())
    half = np.sort(null)[-largest] * error
    return float(half), (1 + n_as_large) / (draws + 1), rho


def _autocorrelation(residual):
    """Lag 1, corrected for what a fitted line takes away in a short series."""
    lag1 = float(residual[1:] @ residual[:-1] / (residual @ residual))
    return float(np.clip(lag1 + (2 + 0.5 * (1 + 3 * lag1)) / len(residual), -0.5, 0.9))


def _ar1(rho, draws, length, seed):
    series = np.random.default_rng(seed).standard_normal((_BURN_IN + length, draws))
    for now in range(1, len(series)):
        series[now] += rho * series[now - 1]
    return series[_BURN_IN:].T


def _time_and_step(is_after):
    length = len(is_after)
    return np.column_stack([np.ones(length), np.arange(length) / length, is_after])


def _step(y, is_after):
    is_after = np.asarray(is_after, dtype=bool)
    _same_shape(y=y, is_after=is_after)
    if (np.diff(is_after.astype(int)) < 0).any():
        raise ValueError(
            "is_after must stay true once it is, but turns false at position "
            f"{int(np.argmax(np.diff(is_after.astype(int)) < 0)) + 1}; sort the rows by date"
        )
    return is_after


def _is_long_enough(y, is_after):
    return np.isfinite(y).all() and (~is_after).sum() >= _FEWEST_BEFORE and is_after.any()


def _level_rank(draws, confidence):
    """Which of the largest draws bounds the level, so that interval and p-value agree."""
    two_sided_z(confidence)
    largest = int((1 - confidence) * (draws + 1) + 1e-9)
    if largest < 1:
        raise ValueError(
            f"draws must be at least {1 / (1 - confidence) - 1:.0f} for a confidence of "
            f"{confidence}, but are {draws}"
        )
    return largest


def _clustered_slope(design, y, n, codes, group, confidence):
    inverse = np.linalg.inv(design.T * n @ design)
    coefficients = inverse @ (design.T * n @ y)
    value, rows = float(coefficients[-1]), len(y)
    n_units = len(np.unique(codes))
    few = min(len(np.unique(codes[group])), len(np.unique(codes[~group])))
    residual = y - design @ coefficients
    is_exact = n @ residual**2 <= _ROUNDING * (n @ y**2)
    if few < 2 or rows <= design.shape[1] or is_exact:
        return _UNKNOWN._replace(value=value)
    scores = np.zeros((codes.max() + 1, design.shape[1]))
    np.add.at(scores, codes, design * (n * residual)[:, None])
    correction = n_units / (n_units - 1) * (rows - 1) / (rows - design.shape[1])
    error = float(np.sqrt(correction * ((scores @ inverse[-1]) ** 2).sum()))
    return _with_t(value, error, n_units - 1, confidence)


def _welch(first, second, confidence):
    """Second mean minus first, from (n, mean, variance of the values) of each."""
    (n1, mean1, variance1), (n2, mean2, variance2) = first, second
    value = mean2 - mean1
    if min(n1, n2) < 2:
        two_sided_z(confidence)
        return _UNKNOWN._replace(value=value)
    parts = np.array([variance1 / n1, variance2 / n2])
    total = float(parts.sum())
    if total == 0:
        return Comparison(value, value, value, np.nan)
    degrees = total**2 / float((parts**2 / [n1 - 1, n2 - 1]).sum())
    return _with_t(value, np.sqrt(total), degrees, confidence)


def _with_t(value, error, degrees, confidence):
    two_sided_z(confidence)
    half = float(stdtrit(degrees, 0.5 + confidence / 2) * error)
    p_value = 2 * float(stdtr(degrees, -abs(value) / error))
    return Comparison(float(value), float(value) - half, float(value) + half, p_value)


def _moments(values, counts):
    """Number, mean and variance of counted values; NaN where there are too few."""
    n = int(counts.sum())
    if not n:
        return 0, np.nan, np.nan
    centre = float(counts @ values / n)
    squares = float(counts @ (values - centre) ** 2)
    if squares <= _ROUNDING * float(counts @ values**2):
        squares = 0.0  # all equal, but for rounding of their mean
    return n, centre, squares / (n - 1) if n > 1 else np.nan


def _median(values, counts):
    order = np.argsort(values, kind="stable")
    up_to = counts[order].cumsum()
    middle = np.searchsorted(up_to, [(up_to[-1] - 1) // 2, up_to[-1] // 2], side="right")
    return float(values[order][middle].mean())


def _values(name, values, counts):
    """Distinct values, each with the number of times it occurs."""
    values = np.asarray(values, dtype=float)
    counts = np.ones(values.shape) if counts is None else np.asarray(counts, dtype=float)
    _same_shape(**{name: values, f"n_{name}": counts})
    refuse_where(~np.isfinite(values), f"{name} must be finite numbers", values)
    _whole(f"n_{name}", counts)
    distinct, position = np.unique(values, return_inverse=True)
    n = np.bincount(position, weights=counts, minlength=len(distinct)).astype(np.int64)
    return distinct[n > 0], n[n > 0]


def _sample(age, is_event, n):
    """One age per case, and whether it was last seen then."""
    age, n = np.asarray(age, dtype=float), np.asarray(n, dtype=float)
    is_event = np.asarray(is_event, dtype=bool)
    _same_shape(age=age, is_event=is_event, n=n)
    refuse_where(~(age >= 0), "age must be 0 or more days", age)
    _whole("n", n)
    n = n.astype(np.int64)
    return np.repeat(age, n), np.repeat(~is_event, n)


def _counted(events, exposure, size=2):
    """Events and exposures as arrays; None where one is missing or an exposure is 0."""
    events, exposure = np.asarray(events, dtype=float), np.asarray(exposure, dtype=float)
    if events.shape != (size,) or exposure.shape != (size,):
        raise ValueError(
            f"events and exposure must be {size} numbers each, but have shapes "
            f"{events.shape} and {exposure.shape}"
        )
    refuse_where((events < 0) | (events % 1 > 0), "events must be whole numbers, 0 or more", events)
    refuse_where(exposure < 0, "exposure must be 0 or more", exposure)
    if not (np.isfinite(events).all() and np.isfinite(exposure).all() and exposure.all()):
        return None, None
    return events.astype(np.int64), exposure


def _tails(table):
    """
    Tails of the noncentral hypergeometric count in the first cell, by the log odds ratio.

    Also whether the count is the lowest, and whether it is the highest, that its margins allow.
    """
    (seen, _), (other, _) = table
    (first, second), total = table.sum(axis=1), seen + other
    x = np.arange(max(0, total - second), min(first, total) + 1)
    log_weight = -sum(gammaln(n + 1) for n in (x, first - x, total - x, second - total + x))

    def tails(log_odds):
        logs = log_weight + x * log_odds
        weight = np.exp(logs - logs.max())
        weight /= weight.sum()
        return float(weight[x <= seen].sum()), float(weight[x >= seen].sum())

    return tails, seen == x[0], seen == x[-1]


def _solved(gap):
    return float(np.exp(brentq(gap, -_FARTHEST, _FARTHEST)))


def _odds(share):
    return share / (1 - share) if share < 1 else np.inf


def _whole(name, counts):
    refuse_where(
        ~((counts >= 0) & (counts % 1 == 0)), f"{name} must be whole numbers, 0 or more", counts
    )


def _same_shape(**columns):
    if len({x.shape for x in columns.values()}) > 1 or next(iter(columns.values())).ndim != 1:
        found = ", ".join(f"{name} {x.shape}" for name, x in columns.items())
        raise ValueError(
            f"columns must be one-dimensional and of the same length, but are: {found}"
        )
