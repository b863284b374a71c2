"""Differences between two groups, compared within strata."""

import numpy as np

from salesanalysis.statistics.proportions import two_sided_z


def risk_difference(k1, n1, k2, n2, *, confidence: float = 0.95) -> tuple[float, float, float, int]:
    """
    Estimate the difference of two shares that is common to many strata.

    Mantel-Haenszel: strata weigh by n1 n2 / (n1 + n2), so that those with one group only do not count. The variance
    [1]_ holds for few large strata and for many small ones.

    Parameters
    ----------
    k1, n1, k2, n2 : array_like
        Per stratum: successes and cases of the first and of the second group.
    confidence : float
        Level of the two-sided normal interval.

    Returns
    -------
    difference, low, high : float
        Share of the second group minus that of the first; NaN where no stratum has both groups.
    n_strata : int
        Strata that have both.

    Raises
    ------
    ValueError
        A count is negative or exceeds its cases, or lengths differ.

    References
    ----------
    .. [1] Sato, Greenland and Robins, Biometrics 45 (1989), 1323-1324. That of Greenland and Robins (1985) is far
       too small where strata have few cases.

    Examples
    --------
    >>> difference, low, high, n_strata = risk_difference([2, 5], [10, 10], [4, 8], [10, 10])
    >>> round(difference, 3), n_strata
    (0.25, 2)
    """
    k1, n1, k2, n2 = (np.asarray(x, dtype=float) for x in (k1, n1, k2, n2))
    if len({x.shape for x in (k1, n1, k2, n2)}) > 1:
        raise ValueError("k1, n1, k2 and n2 must have one value per stratum, but differ in length")
    for name, k, n in (("k1", k1, n1), ("k2", k2, n2)):
        wrong = ~((k >= 0) & (k <= n))
        if wrong.any():
            first = int(np.flatnonzero(wrong)[0])
            raise ValueError(
                f"{name} must lie between 0 and its cases, but {wrong.sum()} of {wrong.size} do not, "
                f"the first at position {first}: {k[first]:g} of {n[first]:g}"
            )
    both = (n1 > 0) & (n2 > 0)
    if not both.any():
        return np.nan, np.nan, np.nan, 0
    k1, n1, k2, n2 = (x[both] for x in (k1, n1, k2, n2))
    n = n1 + n2
    weight = (n1 * n2 / n).sum()
    difference = float(((k2 * n1 - k1 * n2) / n).sum() / weight)
    apart = (k1 * n2**2 - k2 * n1**2 + n1 * n2 * (n1 - n2) / 2) / n**2
    mixed = (k2 * (n1 - k1) + k1 * (n2 - k2)) / (2 * n)
    spread = max(float((difference * apart + mixed).sum()), 0.0)
    half = two_sided_z(confidence) * float(np.sqrt(spread) / weight)
    return difference, difference - half, difference + half, int(both.sum())
