"""Events per exposure, sums of amounts, means and medians, each with its interval."""

import numpy as np
from scipy.special import gammainccinv, gammaincinv, stdtrit
from scipy.stats import binom

from salesanalysis.statistics.proportions import two_sided_z

_ROUNDING = 1e-9  # relative; sums of the same numbers may differ by less


def poisson_rate(
    events, exposure, *, confidence: float = 0.95
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """
    Compute events per unit of exposure, with the exact interval of a Poisson count.

    Parameters
    ----------
    events : array_like
        Whole counts. Where events carry shares or amounts, use `weighted_sum`.
    exposure : array_like
        Time or size they could happen in, such as months worked, of any matching shape.
    confidence : float
        Two-sided level, between 0 and 1.

    Returns
    -------
    rate, low, high : ndarray
        Per unit of exposure, 0 <= low <= rate <= high. All are NaN where the exposure is 0 and
        where an input is NaN.

    Raises
    ------
    ValueError
        A count is negative or not whole, an exposure is negative, or ``confidence`` is
        impossible.

    References
    ----------
    Garwood, Biometrika 28 (1936), 437-442.

    Examples
    --------
    >>> rate, low, high = poisson_rate([10, 0], [4, 4])
    >>> rate.tolist(), low.round(3).tolist(), high.round(3).tolist()
    ([2.5, 0.0], [1.199, 0.0], [4.598, 0.922])
    """
    events, exposure = np.broadcast_arrays(
        np.asarray(events, dtype=float), np.asarray(exposure, dtype=float)
    )
    refuse_where((events < 0) | (events % 1 > 0), "events must be whole numbers, 0 or more", events)
    refuse_where(exposure < 0, "exposure must be 0 or more", exposure)
    tail = _tail(confidence)
    time = np.where(exposure > 0, exposure, np.nan)
    low = np.where(events == 0, 0, gammaincinv(np.where(events == 0, 1, events), tail))
    high = gammainccinv(events + 1, tail)
    # At low levels both limits of few events can lie on one side of them.
    return events / time, np.minimum(low, events) / time, np.maximum(high, events) / time


def weighted_sum(
    total, sum_of_squares, *, largest, confidence: float = 0.95
) -> tuple[np.ndarray, np.ndarray]:
    """
    Compute the gamma interval of a sum of amounts whose number is a Poisson count.

    Such as the amount won in a period: neither how many deals will be won nor how large they
    are is fixed. Where all amounts are 1 it is the exact interval of `poisson_rate`.

    Parameters
    ----------
    total, sum_of_squares : array_like
        Sum of the amounts, and of their squares, of any matching shape.
    largest : array_like
        Largest amount a single event may have, in practice the largest of all units; only the
        upper limit needs it. NaN if unknown.
    confidence : float
        Two-sided level, between 0 and 1.

    Returns
    -------
    low, high : ndarray
        In the unit of the amounts, low <= total <= high. Without events low is 0, and high
        comes from ``largest`` alone. ``high`` is NaN where ``largest`` is or is negative. Both
        are NaN where a sum is, and where the sums are not those of amounts between 0 and
        ``largest``, as with a refund among them: the interval is not made for these.

    Raises
    ------
    ValueError
        No amounts at all have such sums, as `are_of_amounts` says, or ``confidence`` is
        impossible.

    References
    ----------
    Fay and Feuer, Statistics in Medicine 16 (1997), 791-801.

    Examples
    --------
    >>> low, high = weighted_sum([60, 0], [1400, 0], largest=30)  # 10 + 20 + 30, and nothing
    >>> low.round(1).tolist(), high.round(1).tolist()
    ([10.3, 0.0], [205.5, 110.7])
    """
    total, squares, largest = np.broadcast_arrays(
        *(np.asarray(x, dtype=float) for x in (total, sum_of_squares, largest))
    )
    is_possible = are_of_amounts(total, squares)
    is_possible &= ~(squares > largest * total * (1 + _ROUNDING))
    total, squares = np.where(is_possible, total, np.nan), np.where(is_possible, squares, np.nan)
    largest = np.where(largest >= 0, largest, np.nan)
    tail = _tail(confidence)
    low = _gamma_limit(gammaincinv, total, squares, tail)
    high = _gamma_limit(gammainccinv, total + largest, squares + largest**2, tail)
    return np.minimum(low, total), np.maximum(high, total)


def mean(
    n, total, sum_of_squares, *, confidence: float = 0.95
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """
    Compute a mean and its t interval from sums.

    Parameters
    ----------
    n, total, sum_of_squares : array_like
        Number of values, their sum and the sum of their squares, of any matching shape.
    confidence : float
        Two-sided level, between 0 and 1.

    Returns
    -------
    mean, low, high : ndarray
        In the unit of the values. The mean is NaN where ``n`` is 0, the limits where it is
        below 2; all are NaN where an input is. Where all values are equal the interval has no
        width: it then says nothing of how far other values may lie.

    Raises
    ------
    ValueError
        ``n`` is negative or not whole, or the squares sum to less than values with this total
        can.

    References
    ----------
    Student, Biometrika 6 (1908), 1-25.

    Examples
    --------
    >>> [x.round(3).tolist() for x in mean([3, 1, 0], [6, 5, 0], [14, 25, 0])]
    [[2.0, 5.0, nan], [-0.484, nan, nan], [4.484, nan, nan]]
    """
    n = np.asarray(n, dtype=float)
    tail = _tail(confidence)
    centre, error = mean_and_error(n, total, sum_of_squares)
    half = -stdtrit(np.where(n > 1, n - 1, np.nan), tail) * error
    return centre, centre - half, centre + half


def mean_and_error(n, total, sum_of_squares) -> tuple[np.ndarray, np.ndarray]:
    """
    Compute a mean and its standard error from sums.

    Parameters and errors as for `mean`.

    Returns
    -------
    mean, error : ndarray
        NaN where ``n`` is 0, and where it is below 2.

    Examples
    --------
    >>> [x.round(3).tolist() for x in mean_and_error([3, 1], [6, 5], [14, 25])]
    [[2.0, 5.0], [0.577, nan]]
    """
    n, total, squares = np.broadcast_arrays(
        *(np.asarray(x, dtype=float) for x in (n, total, sum_of_squares))
    )
    refuse_where((n < 0) | (n % 1 > 0), "n must be a whole number, 0 or more", n)
    refuse_where(
        (n * squares < total**2 * (1 - _ROUNDING)) | ((n == 0) & ((total != 0) | (squares != 0))),
        "sum_of_squares must be at least total squared over n",
        squares,
        total,
        n,
    )
    centre = total / np.where(n > 0, n, np.nan)
    deviations = np.maximum(squares - total * centre, 0)
    variance = deviations / np.where(n > 1, n - 1, np.nan)
    return centre, np.sqrt(variance / np.where(n > 0, n, np.nan))


def median(values, counts=None, *, confidence: float = 0.95) -> tuple[float, float, float]:
    """
    Compute the median of counted values, with an interval that assumes no distribution.

    The median is the smallest value that at least half of the values do not exceed, so it is
    one of them. The limits are the two values as far from both ends as the binomial
    distribution of the number below the median allows.

    Parameters
    ----------
    values : array_like
        Finite numbers, in any order.
    counts : array_like, optional
        How often each occurs; once, if not given.
    confidence : float
        Two-sided level, between 0 and 1; with ties and few values the interval holds more.

    Returns
    -------
    median, low, high : float
        In the unit of the values. All are NaN without values; the limits are NaN where even
        the smallest and the largest do not hold the level, at 95 % with fewer than 6 values.

    Raises
    ------
    ValueError
        A value is not finite, a count is negative or not whole, or lengths differ.

    References
    ----------
    Thompson, Annals of Mathematical Statistics 7 (1936), 122-128.

    Examples
    --------
    >>> median([3, 8, 5, 1, 9, 7])
    (5.0, 1.0, 9.0)
    >>> median([1, 2, 9], [2, 2, 1])
    (2.0, nan, nan)
    """
    values = np.asarray(values, dtype=float)
    counts = np.ones(values.shape) if counts is None else np.asarray(counts, dtype=float)
    if values.ndim != 1 or values.shape != counts.shape:
        raise ValueError(
            "values and counts must be one-dimensional and of the same length, but have shapes "
            f"{values.shape} and {counts.shape}"
        )
    refuse_where(~np.isfinite(values), "values must be finite numbers", values)
    refuse_where(
        ~((counts >= 0) & (counts % 1 == 0)), "counts must be whole numbers, 0 or more", counts
    )
    tail = _tail(confidence)
    order = np.argsort(values, kind="stable")
    up_to = counts[order].cumsum()
    n = int(counts.sum())
    if n == 0:
        return np.nan, np.nan, np.nan

    def nth(position):
        return float(values[order][np.searchsorted(up_to, position)])

    first = int(binom.ppf(tail, n, 0.5))
    first += int(binom.cdf(first, n, 0.5) <= tail * (1 + _ROUNDING))
    if first < 1:
        return nth(n / 2), np.nan, np.nan
    return nth(n / 2), nth(first), nth(n + 1 - first)


def are_of_amounts(total, sum_of_squares) -> np.ndarray:
    """
    Tell which sums can be those of amounts of 0 or more; others hold negative amounts too.

    Parameters
    ----------
    total, sum_of_squares : ndarray
        Sum of the amounts, and of their squares.

    Returns
    -------
    ndarray of bool
        Whether total >= 0 and sum_of_squares <= total squared; False where one is NaN.

    Raises
    ------
    ValueError
        No amounts at all have such sums: the squares sum to less than 0, or to 0 where the
        total is something else.

    Examples
    --------
    >>> are_of_amounts(np.array([3.0, 1.0]), np.array([5.0, 5.0])).tolist()  # 1 + 2, and 2 - 1
    [True, False]
    """
    refuse_where(
        (sum_of_squares < 0) | ((sum_of_squares == 0) & (np.abs(total) > 0)),
        "sum_of_squares must be above 0 where total is not 0",
        sum_of_squares,
        total,
    )
    return (total >= 0) & (sum_of_squares <= total**2 * (1 + _ROUNDING))


def refuse_where(is_wrong, rule: str, *values) -> None:
    """
    Raise an error that says what must hold, how often it does not, and what stands there.

    Parameters
    ----------
    is_wrong : ndarray of bool
        Where the rule is broken.
    rule : str
        What must hold.
    *values : ndarray
        Numbers to show, each shaped as ``is_wrong``.

    Raises
    ------
    ValueError
        The rule is broken anywhere.

    Examples
    --------
    >>> refuse_where(np.array([False, True]), "n must be 0 or more", np.array([3, -1]))
    Traceback (most recent call last):
    ValueError: n must be 0 or more, but this fails in 1 of 2 places, first at position 1: -1
    """
    if is_wrong.any():
        first = int(np.flatnonzero(is_wrong)[0])
        found = ", ".join(f"{value.flat[first]:g}" for value in values)
        raise ValueError(
            f"{rule}, but this fails in {is_wrong.sum()} of {is_wrong.size} places, "
            f"first at position {first}: {found}"
        )


def _tail(confidence):
    two_sided_z(confidence)  # refuses an impossible level
    return (1 - confidence) / 2


def _gamma_limit(quantile, total, squares, tail):
    """Quantile of the gamma distribution with this mean and variance; 0 where both are."""
    is_nothing = total == 0
    mean = np.where(is_nothing, 1, total)
    variance = np.where(is_nothing, 1, squares)
    limit = variance / mean * quantile(mean**2 / variance, tail)
    return np.where(is_nothing, 0, limit)
