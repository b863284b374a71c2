"""Intervals, differences and p-values of shares."""

import numpy as np
from scipy.special import ndtr, ndtri
from scipy.stats import false_discovery_control


def two_sided_z(confidence: float) -> float:
    """
    Return the normal quantile that leaves half of 1 - confidence above it.

    Raises
    ------
    ValueError
        ``confidence`` is not between 0 and 1.

    Examples
    --------
    >>> print(round(two_sided_z(0.95), 6))
    1.959964
    """
    if not 0 < confidence < 1:
        raise ValueError(
            f"confidence must lie between 0 and 1, but is {confidence}; write 95 % as 0.95"
        )
    return float(ndtri(0.5 + confidence / 2))


def wilson(successes, trials, *, confidence: float = 0.95) -> tuple[np.ndarray, np.ndarray]:
    """
    Compute Wilson's score interval of a share.

    Parameters
    ----------
    successes, trials : array_like
        Counts of any matching shape. ``trials`` may be an effective number, not whole.
    confidence : float
        Two-sided level, between 0 and 1.

    Returns
    -------
    low, high : ndarray
        Fractions with 0 <= low <= successes / trials <= high <= 1; NaN where ``trials`` is 0
        and where a count is NaN.

    Raises
    ------
    ValueError
        A count is negative, ``successes`` exceeds ``trials``, or ``confidence`` is impossible.

    References
    ----------
    Wilson, JASA 22 (1927), 209-212.

    Examples
    --------
    >>> low, high = wilson([81, 0], [263, 20])
    >>> low.round(4).tolist(), high.round(4).tolist()
    ([0.2553, 0.0], [0.3662, 0.1611])
    """
    successes, trials = np.broadcast_arrays(
        np.asarray(successes, dtype=float), np.asarray(trials, dtype=float)
    )
    impossible = (successes < 0) | (successes > trials)
    if impossible.any():
        first = int(np.flatnonzero(impossible)[0])
        raise ValueError(
            "successes must lie between 0 and trials, but "
            f"{impossible.sum()} of {impossible.size} do not, the first at position {first}: "
            f"{successes.flat[first]:g} of {trials.flat[first]:g}"
        )
    z = two_sided_z(confidence)
    n = np.where(trials > 0, trials, np.nan)
    share = successes / n
    centre = (share + z**2 / (2 * n)) / (1 + z**2 / n)
    half = z / (1 + z**2 / n) * np.sqrt(share * (1 - share) / n + z**2 / (4 * n**2))
    # The outer bounds undo rounding: no successes give exactly 0, only successes exactly 1.
    low = np.clip(np.minimum(centre - half, share), 0, 1)
    high = np.clip(np.maximum(centre + half, share), 0, 1)
    return low, high


def difference(rate1, low1, high1, rate2, low2, high2) -> tuple[np.ndarray, ...]:
    """
    Compute rate2 - rate1 of two independent estimates, with the MOVER interval.

    On fully observed counts with Wilson limits this is Newcombe's interval.

    Parameters
    ----------
    rate1, low1, high1, rate2, low2, high2 : array_like
        Two estimates with their limits; a difference may itself be such an estimate.

    Returns
    -------
    difference, low, high : ndarray
        Of the level of the limits given; NaN where an input is NaN.

    References
    ----------
    Newcombe, Statistics in Medicine 17 (1998), 873-890; Zou and Donner, Statistics in
    Medicine 27 (2008), 1693-1702.

    Examples
    --------
    >>> [round(float(x), 4) for x in difference(0.2, 0.1, 0.35, 0.4, 0.3, 0.5)]
    [0.2, 0.0197, 0.3414]
    """
    rate1, low1, high1, rate2, low2, high2 = (
        np.asarray(x, dtype=float) for x in (rate1, low1, high1, rate2, low2, high2)
    )
    change = rate2 - rate1
    low = change - np.hypot(rate2 - low2, high1 - rate1)
    high = change + np.hypot(high2 - rate2, rate1 - low1)
    return change, low, high


def pooled_p_value(rate1, n1, rate2, n2) -> np.ndarray:
    """
    Test whether two independent rates are equal, with the pooled score test.

    Parameters
    ----------
    rate1, rate2 : array_like
        Fractions.
    n1, n2 : array_like
        Numbers they rest on; effective numbers where deals are censored.

    Returns
    -------
    ndarray
        Two-sided p-values; NaN where the pooled rate is 0 or 1 and where an input is NaN.

    Examples
    --------
    >>> pooled_p_value([0.3, 0.0], [50, 50], [0.5, 0.0], [50, 50]).round(4).tolist()
    [0.0412, nan]
    """
    rate1, n1, rate2, n2 = (np.asarray(x, dtype=float) for x in (rate1, n1, rate2, n2))
    with np.errstate(invalid="ignore", divide="ignore"):
        pooled = (n1 * rate1 + n2 * rate2) / (n1 + n2)
        pooled = np.where((pooled > 0) & (pooled < 1), pooled, np.nan)
        z = (rate1 - rate2) / np.sqrt(pooled * (1 - pooled) * (1 / n1 + 1 / n2))
    return 2 * ndtr(-np.abs(z))


def false_discovery(p_values) -> np.ndarray:
    """
    Adjust p-values for the share of false discoveries (Benjamini-Hochberg).

    Parameters
    ----------
    p_values : array_like
        One-dimensional. A NaN stands for a test that could not be made and is not counted.

    Returns
    -------
    ndarray
        q-values in the order given; NaN where the p-value is NaN.

    Raises
    ------
    ValueError
        A p-value is outside [0, 1].

    References
    ----------
    Benjamini and Hochberg, JRSS B 57 (1995), 289-300.

    Examples
    --------
    >>> false_discovery([0.01, float("nan"), 0.02, 0.5]).round(4).tolist()
    [0.03, nan, 0.03, 0.5]
    """
    p_values = np.asarray(p_values, dtype=float)
    made = ~np.isnan(p_values)
    q_values = np.full(p_values.shape, np.nan)
    if made.any():
        q_values[made] = false_discovery_control(p_values[made])
    return q_values
