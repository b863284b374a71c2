"""
What improving one step of a chain is worth, and which step is worth improving first.

A chain is a row of steps that a case must all pass to be won: W = product of the step rates p per case. Improving one
step to a rate that others reach gains W × (benchmark / p − 1) wins per case, the other steps staying as they are.
"""

import numpy as np
import pandas as pd
from scipy.special import ndtr

from salesanalysis.statistics import ranking
from salesanalysis.statistics.proportions import two_sided_z

BENCHMARK_QUANTILE = 0.75
"""The benchmark of a step is this quantile of the groups' rates: a rate that the better quarter of them reaches."""

FEWEST_DRAWS = 1000


def benchmark(unit, rate, n, *, quantile: float = BENCHMARK_QUANTILE) -> tuple[float, pd.DataFrame]:
    """
    Find the rate at one step that the better groups reach, and which groups these are.

    The rates are posterior means of a normal-logit model (`ranking.posterior`), so that a group with few cases does
    not set the benchmark by luck.

    Parameters
    ----------
    unit : array_like
        Groups, each once.
    rate, n : array_like
        Share that passed the step, and the number it rests on; an effective number where cases are censored.
    quantile : float
        Between 0 and 1.

    Returns
    -------
    value : float
        Quantile of the posterior mean rates over groups, linear between two; NaN with fewer than two groups. Where all
        cases passed or none did, that is the rate of all.
    groups : DataFrame, indexed by unit
        ``rate`` (posterior mean) and ``is_reached``: at or above the benchmark. No rows where it is NaN.

    Raises
    ------
    ValueError
        As for `ranking.posterior`.

    Examples
    --------
    >>> value, groups = benchmark(["a", "b", "c"], [0.4, 0.5, 0.8], [200, 200, 200])
    >>> round(value, 2), groups["is_reached"].tolist()
    (0.65, [False, False, True])
    """
    rate, n = np.asarray(rate, dtype=float), np.asarray(n, dtype=float)
    passed = rate * n
    if len(n) < 2:
        return np.nan, pd.DataFrame({"rate": [], "is_reached": []}, dtype=float)
    overall = passed.sum() / n.sum()
    if overall in (0, 1):
        rates = pd.Series(overall, index=pd.Index(unit, name="unit"))
    else:
        eta = np.full(len(n), np.log(overall / (1 - overall)))
        rates = ranking.posterior(unit, eta, n, passed).units["rate"]
    value = float(np.quantile(rates, quantile))
    return value, pd.DataFrame({"rate": rates, "is_reached": rates >= value})


def levers(
    rate,
    n,
    benchmark_rate,
    *,
    seed: int,
    weight=1.0,
    chain=None,
    is_common=None,
    draws: int = 20_000,
    confidence: float = 0.95,
) -> pd.DataFrame:
    """
    Estimate what each step would gain at its benchmark, and the probability that it would gain the most.

    The rate of each step is drawn from Beta(k + 1/2, n − k + 1/2), k = rate × n, and its gain is
    W max(benchmark / p − 1, 0), W being the product of the rates drawn in its chain. "Five points more everywhere"
    would always choose the lowest rate; this chooses where others show that more is possible.

    Parameters
    ----------
    rate, n : array_like, one per step
        Share that passes the step, and the number it rests on (effective where cases are censored).
    benchmark_rate : array_like
        The rate the step could have.
    seed, draws : int
        Of the random numbers.
    weight : float or array_like
        What a gain of one win per case is worth at this step, such as cases a month.
    chain : array_like, optional
        Chain of each step; steps of all chains compete for the largest gain. One chain if None.
    is_common : array_like of bool, optional
        Steps that belong to the product; the others are passed by few cases only, and gain by their weight. All if
        None.
    confidence : float
        Level of the two-sided interval.

    Returns
    -------
    DataFrame, one row per step in the order given
        ``gain`` (median of the draws), ``gain_low``, ``gain_high``, ``top_share`` (share of draws in which its gain is
        the largest and above 0; they add up to less than 1 where in some draws no step gains).
        NaN where the benchmark or the rate is, and in a chain whose product has a step with an unknown rate.

    Raises
    ------
    ValueError
        A rate outside [0, 1], a negative ``n`` or ``weight``, or too few draws.

    Examples
    --------
    >>> rates = [167 / 300, 106 / 167, 50 / 106, 34 / 50]
    >>> others = [0.60, 0.66, 0.62, 0.64]
    >>> table = levers(rates, [300, 167, 106, 50], others, seed=1, weight=100)
    >>> table["gain"].round(1).tolist(), table["top_share"].round(2).tolist()
    ([0.9, 0.4, 3.5, 0.0], [0.03, 0.01, 0.95, 0.01])
    """
    rate, n, benchmark_rate, weight = (
        np.array(values, dtype=float)
        for values in np.broadcast_arrays(rate, n, benchmark_rate, weight)
    )
    _check(rate, n, weight, draws)
    tail = ndtr(-two_sided_z(confidence))
    if not len(rate):
        return pd.DataFrame(columns=_COLUMNS, dtype=float)
    chain = np.zeros(len(rate), dtype=int) if chain is None else pd.factorize(np.asarray(chain))[0]
    is_common = np.ones(len(rate), bool) if is_common is None else np.asarray(is_common, bool)
    rng = np.random.default_rng(seed)
    gain = _gains(rate, n, benchmark_rate, chain, is_common, rng, draws) * weight
    is_known = ~np.isnan(gain).any(axis=0)
    most = np.where(is_known, gain, 0)
    best = np.where(most.max(axis=1) > 0, most.argmax(axis=1), -1)
    low, middle, high = np.quantile(gain, [tail, 0.5, 1 - tail], axis=0)
    top = np.array([(best == step).mean() for step in range(len(rate))])
    table = [middle, low, high, np.where(is_known, top, np.nan)]
    return pd.DataFrame(dict(zip(_COLUMNS, table, strict=True)))


_COLUMNS = ["gain", "gain_low", "gain_high", "top_share"]


def _gains(rate, n, benchmark_rate, chain, is_common, rng, draws):
    """Wins gained per case at each step, draws × steps; NaN where it is not known."""
    is_known = ~np.isnan(rate) & (n > 0)
    passed = np.where(is_known, rate * n, 0)
    rest = np.where(is_known, n, 0) - passed
    p = rng.beta(passed + 0.5, rest + 0.5, size=(draws, len(rate)))
    p[:, ~is_known] = np.nan
    whole = np.empty_like(p)
    for one in np.unique(chain):
        whole[:, chain == one] = p[:, is_common & (chain == one)].prod(axis=1, keepdims=True)
    return whole * np.maximum(benchmark_rate / p - 1, 0)


def _check(rate, n, weight, draws):
    for name, values, is_wrong in (
        ("rate must lie between 0 and 1", rate, (rate < 0) | (rate > 1)),
        ("n must be 0 or more", n, n < 0),
        ("weight must be 0 or more", weight, weight < 0),
    ):
        if is_wrong.any():
            first = int(np.flatnonzero(is_wrong)[0])
            raise ValueError(
                f"{name}, but {is_wrong.sum()} of {len(values)} are not, the first at position "
                f"{first}: {values[first]:g}"
            )
    if draws < FEWEST_DRAWS:
        raise ValueError(f"draws must be {FEWEST_DRAWS} or more, but is {draws}")


def ratio_of_paces(sums, rest, *, confidence: float = 0.95) -> tuple[np.ndarray, ...]:
    """
    Compare how often something is done per time in groups of cases and in the rest.

    The events of one case go together, so the variance of a pace is that between cases (ratio estimator), not Poisson.

    Parameters
    ----------
    sums, rest : array_like, comparisons x 5
        Sums over the cases of each side: events e, time t, e², e t, t².
    confidence : float
        Level of the two-sided interval.

    Returns
    -------
    ratio, low, high : ndarray
        Pace (events / time) of the first side over that of the second; the interval is normal on the log scale. NaN
        where a side has no event or no time.

    References
    ----------
    Cochran, Sampling Techniques (1977), section 6.

    Examples
    --------
    >>> sums = [[12, 20, 44, 60, 100]]
    >>> [float(x[0].round(2)) for x in ratio_of_paces(sums, [[60, 50, 1000, 600, 500]])]
    [0.5, 0.24, 1.02]
    """
    z = two_sided_z(confidence)
    (pace1, variance1), (pace2, variance2) = (
        _pace(np.asarray(side, dtype=float)) for side in (sums, rest)
    )
    ratio, half = pace1 / pace2, z * np.sqrt(variance1 + variance2)
    return ratio, ratio * np.exp(-half), ratio * np.exp(half)


def _pace(sums):
    """Events per time, and the variance of its logarithm."""
    events, time, ee, et, tt = (np.where(column > 0, column, np.nan) for column in sums.T)
    pace = events / time
    spread = np.maximum(ee - 2 * pace * et + pace**2 * tt, 0)
    return pace, spread / events**2
