"""
Points of KPIs against fixed anchors, scores from them, and how far their order can be trusted.

Points depend on a unit's own value and on the anchors only, never on the other units: a
newcomer moves nobody. NaN stands for a KPI or unit that cannot be judged. Rank 1 is the best.
"""

from decimal import ROUND_FLOOR, ROUND_HALF_EVEN, Decimal
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy.stats.mstats import hdquantiles

from salesanalysis.statistics.proportions import two_sided_z
from salesanalysis.statistics.rates import are_of_amounts, mean_and_error, refuse_where

_SAME = 1e-9  # scores closer than this are equal
_BLOCK = 2_000_000  # numbers held at once
_LEAST_POINTS = 1.0  # of a KPI in a geometric score: one KPI at its floor does not undo all
_SMALLEST_BAND = 4


def points(value, floor, target, *, cap: float = 1.0) -> np.ndarray:
    """
    Place values on the way from a floor (0 points) to a target (100 points).

    Parameters
    ----------
    value : array_like
        Values of a KPI.
    floor, target : array_like
        Anchors in the unit of the KPI, fixed before the period. Where the floor is above the
        target, lower values are better.
    cap : float
        Points beyond the target count up to 100 times this; 1 stops at the target.

    Returns
    -------
    ndarray
        100 * clip((value - floor) / (target - floor), 0, cap); NaN where the value is NaN.

    Raises
    ------
    ValueError
        An anchor is not finite, floor and target are equal, or ``cap`` is not above 0.

    Examples
    --------
    >>> points([0.1, 0.25, 0.5, float("nan")], 0.2, 0.4).round(9).tolist()
    [0.0, 25.0, 100.0, nan]
    >>> points([40, 30], 50, 20).round(1).tolist()  # days: fewer are better
    [33.3, 66.7]
    """
    value, floor, target = (np.asarray(x, dtype=float) for x in (value, floor, target))
    if not 0 < cap < np.inf:
        raise ValueError(f"cap must be a number above 0, but is {cap}; 1 stops at the target")
    if not (np.isfinite(floor).all() and np.isfinite(target).all() and (floor != target).all()):
        raise ValueError(
            "floor and target must be two different numbers, but are "
            f"{floor.tolist()} and {target.tolist()}; correct the anchors of the KPI"
        )
    return 100 * np.clip((value - floor) / (target - floor), 0, cap)


class Scores(NamedTuple):
    """
    Scores and what they are made of, as `aggregate` gives them.

    Attributes
    ----------
    score : ndarray, one per unit
        In points; NaN where no KPI with weight is judged.
    contributions : ndarray, units x KPIs
        Points each KPI adds: over the judged KPIs they sum to the score. NaN where a KPI or
        the unit is not judged.
    judged_share : ndarray, one per unit
        Share of the weights the score rests on, 0 to 1.
    """

    score: np.ndarray
    contributions: np.ndarray
    judged_share: np.ndarray


def aggregate(points, weights, how: str = "arithmetic") -> Scores:
    """
    Combine the points of KPIs into one score, over the KPIs that are judged.

    Parameters
    ----------
    points : array_like, units x KPIs
        As `points` gives, one KPI in each column; further axes may stand before. NaN is a KPI
        not judged: its weight goes to the others in proportion.
    weights : array_like
        One for each KPI, 0 or more; only their proportions count.
    how : {"arithmetic", "geometric"}
        Sum of w * points, where a strong KPI makes up for a weak one, or exp of the sum of
        w * ln(max(points, 1)), where it hardly does. The arithmetic score is never the lower,
        unless points below 1 count as 1.

    Returns
    -------
    Scores
        Arithmetic contributions are w * points. Geometric ones share the score in proportion
        to w * ln(max(points, 1)), the Shapley shares of its logarithm; where all these are 0
        they share it as the weights do.

    Raises
    ------
    ValueError
        Points and weights do not match, a weight is negative or missing, all are 0, or ``how``
        is something else.

    References
    ----------
    OECD and JRC, Handbook on Constructing Composite Indicators (2008), section 6.

    Examples
    --------
    >>> made = aggregate([[80, 20], [50, float("nan")]], [0.75, 0.25])
    >>> made.score.tolist(), made.contributions.tolist(), made.judged_share.tolist()
    ([65.0, 50.0], [[60.0, 5.0], [50.0, nan]], [1.0, 0.75])
    >>> aggregate([[80, 20]], [0.75, 0.25], "geometric").score.round(2).tolist()
    [56.57]
    """
    points, weights = np.asarray(points, dtype=float), np.asarray(weights, dtype=float)
    if points.ndim < 1 or weights.shape != points.shape[-1:]:
        raise ValueError(
            "weights must be one for each KPI, the last axis of points, but points have shape "
            f"{points.shape} and weights {weights.shape}"
        )
    if not (weights >= 0).all() or not 0 < weights.sum() < np.inf:
        raise ValueError(
            f"weights must be 0 or more, and one above 0, but are {weights.tolist()}; "
            "correct the weights of the scorecard"
        )
    judged = np.where(np.isnan(points), 0, weights)
    total = judged.sum(axis=-1, keepdims=True)
    share = np.where(np.isnan(points), np.nan, judged / np.where(total > 0, total, np.nan))
    if how == "arithmetic":
        contributions = share * points
    elif how == "geometric":
        logs = share * np.log(np.maximum(points, _LEAST_POINTS))
        log_score = np.nansum(logs, axis=-1, keepdims=True)
        part = np.where(log_score > 0, logs / np.where(log_score > 0, log_score, 1), share)
        contributions = np.exp(log_score) * part
    else:
        raise ValueError(f"how must be 'arithmetic' or 'geometric', but is {how!r}")
    score = np.where(total[..., 0] > 0, np.nansum(contributions, axis=-1), np.nan)
    return Scores(score, contributions, total[..., 0] / weights.sum())


def weight_robustness(a, b) -> float:
    """
    Compute the share of all weightings under which A scores above B.

    Exact, over weights spread evenly on the simplex of those that sum to 1; no random numbers.

    Parameters
    ----------
    a, b : array_like
        Points of two units for the same KPIs. KPIs not judged (NaN) for either are left out.

    Returns
    -------
    float
        0 to 1; NaN where no KPI is judged for both. 0 both ways where all points are equal.

    Raises
    ------
    ValueError
        ``a`` and ``b`` are not two rows of the same length.

    References
    ----------
    Varsi, Pacific Journal of Mathematics 46 (1973), 303-314, and Ali, the same 48 (1973),
    313-322, for the recursion; weights left open: Lahdelma, Hokkanen and Salminen, European
    Journal of Operational Research 106 (1998), 137-143.

    Examples
    --------
    >>> round(weight_robustness([60, 40], [50, 60]), 6)  # +10 and -20
    0.333333
    """
    a, b = np.asarray(a, dtype=float), np.asarray(b, dtype=float)
    if a.ndim != 1 or a.shape != b.shape:
        raise ValueError(
            "a and b must be points of the same KPIs, one row each, but have shapes "
            f"{a.shape} and {b.shape}"
        )
    ahead = a - b
    ahead = ahead[~np.isnan(ahead)]
    if not len(ahead):
        return np.nan
    above, others = ahead[ahead > 0], ahead[ahead <= 0]
    share = np.zeros(len(others) + 1)
    share[0] = 1
    for x in above:
        for k, y in enumerate(others, start=1):
            share[k] = (x * share[k - 1] - y * share[k]) / (x - y)
    return float(share[-1])


def share_draws(successes, trials, *, seed, draws: int = 10_000) -> np.ndarray:
    """
    Draw what the true shares may be, from Beta(successes + 1/2, failures + 1/2).

    Parameters
    ----------
    successes, trials : array_like, one per unit
        Counts; both may be effective numbers, not whole.
    seed : int or sequence of int
        Of the random numbers. Give each KPI one of its own, such as (seed, number of the KPI):
        with the same seed their errors would be drawn alike.
    draws : int
        Number of draws.

    Returns
    -------
    ndarray, draws x units
        Fractions; NaN where ``trials`` is 0 and where an input is NaN.

    Raises
    ------
    ValueError
        ``successes`` is not between 0 and ``trials``.

    References
    ----------
    Jeffreys' prior: Brown, Cai and DasGupta, Statistical Science 16 (2001), 101-133.

    Examples
    --------
    >>> drawn = share_draws([30, 0], [100, 0], seed=1)
    >>> drawn.mean(axis=0).round(2).tolist()
    [0.3, nan]
    """
    successes, trials = _per_unit(successes, trials)
    refuse_where(
        (successes < 0) | (successes > trials),
        "successes must lie between 0 and trials",
        successes,
        trials,
    )
    is_known = (trials > 0) & np.isfinite(successes)
    k, n = np.where(is_known, successes, 0), np.where(is_known, trials, 0)
    size = (draws, len(k))
    drawn = np.random.default_rng(seed).beta(k + 0.5, n - k + 0.5, size)
    return np.where(is_known, drawn, np.nan)


def rate_draws(events, exposure, *, seed, draws: int = 10_000) -> np.ndarray:
    """
    Draw what the true rates of events may be, from Gamma(events + 1/2) over the exposure.

    Parameters
    ----------
    events, exposure : array_like, one per unit
        Counts, and time or size they could happen in.
    seed, draws
        As for `share_draws`.

    Returns
    -------
    ndarray, draws x units
        Per unit of exposure; NaN where the exposure is 0 and where an input is NaN.

    Raises
    ------
    ValueError
        A number is negative.

    Examples
    --------
    >>> rate_draws([12, 3], [6, 0], seed=1).mean(axis=0).round(1).tolist()
    [2.1, nan]
    """
    events, exposure = _per_unit(events, exposure)
    refuse_where(
        (events < 0) | (exposure < 0), "events and exposure must be 0 or more", events, exposure
    )
    is_known = (exposure > 0) & np.isfinite(events)
    k = np.where(is_known, events, 0)
    drawn = np.random.default_rng(seed).standard_gamma(k + 0.5, (draws, len(k)))
    return drawn / np.where(is_known, exposure, np.nan)


def amount_draws(total, sum_of_squares, *, usual: float, seed, draws: int = 10_000) -> np.ndarray:
    """
    Draw what the true sums of amounts may be, from gammas with matched mean and variance.

    As `rate_draws` adds half an event, half an event of the usual amount is added, to the sum
    and to the sum of squares. So a unit without events has an uncertain sum too, and where all
    amounts are 1 the draws are those of counts.

    Parameters
    ----------
    total, sum_of_squares : array_like, one per unit
        Sum of the amounts, and of their squares.
    usual : float
        Amount of a usual event, such as the mean over all units.
    seed, draws
        As for `share_draws`.

    Returns
    -------
    ndarray, draws x units
        In the unit of the amounts; NaN where a sum is NaN or there are negative amounts among
        them (see `rates.are_of_amounts`), everywhere if ``usual`` is NaN.

    Raises
    ------
    ValueError
        No amounts at all have such sums, or ``usual`` is not above 0.

    Examples
    --------
    >>> drawn = amount_draws([60, 0], [1400, 0], usual=20, seed=1)
    >>> drawn.mean(axis=0).round(-1).tolist()
    [70.0, 10.0]
    """
    total, squares = _per_unit(total, sum_of_squares)
    is_known = are_of_amounts(total, squares)
    if usual <= 0:
        raise ValueError(f"usual must be an amount above 0, but is {usual}")
    mean, variance = total + usual / 2, squares + usual**2 / 2
    is_known = is_known & np.isfinite(mean)
    mean, variance = np.where(is_known, mean, 1), np.where(is_known, variance, 1)
    rng = np.random.default_rng(seed)
    drawn = rng.standard_gamma(mean**2 / variance, (draws, len(mean))) * (variance / mean)
    return np.where(is_known, drawn, np.nan)


def mean_draws(n, total, sum_of_squares, *, seed, draws: int = 10_000) -> np.ndarray:
    """
    Draw what the true means may be, from t distributions around the means seen.

    Parameters
    ----------
    n, total, sum_of_squares : array_like, one per unit
        Number of values, their sum and the sum of their squares.
    seed, draws
        As for `share_draws`.

    Returns
    -------
    ndarray, draws x units
        In the unit of the values; NaN where ``n`` is below 2. Where all values of a unit are
        equal all draws are.

    Raises
    ------
    ValueError
        As for `rates.mean`.

    Examples
    --------
    >>> drawn = mean_draws([3, 1], [6, 5], [14, 25], seed=1)
    >>> np.median(drawn, axis=0).round(1).tolist()
    [2.0, nan]
    """
    n, total, squares = _per_unit(n, total, sum_of_squares)
    centre, error = mean_and_error(n, total, squares)
    degrees = np.where(n > 1, n - 1, 1)
    return centre + error * np.random.default_rng(seed).standard_t(degrees, (draws, len(n)))


def score_draws(
    values, floor, target, weights, *, how: str = "arithmetic", cap: float = 1.0
) -> np.ndarray:
    """
    Compute the scores of drawn values of the KPIs.

    Parameters
    ----------
    values : array_like, draws x units x KPIs
        Drawn values of each KPI, such as `share_draws` gives, joined by
        ``np.stack(..., axis=-1)``; NaN where a KPI of a unit is not judged.
    floor, target, weights : array_like, one per KPI
        As for `points` and `aggregate`.
    how, cap
        As for `aggregate` and `points`.

    Returns
    -------
    ndarray, draws x units
        In points; NaN where no KPI of a unit is judged. A unit seen at the cap of its KPIs can
        only be drawn lower, so its drawn scores may all lie below the score seen.

    Raises
    ------
    ValueError
        ``values`` has not three axes, or as for `points` and `aggregate`.

    Examples
    --------
    >>> score_draws([[[0.3, 10], [0.5, 20]]], [0.2, 0], [0.4, 20], [1, 1]).round(6).tolist()
    [[50.0, 100.0]]
    """
    values = np.asarray(values, dtype=float)
    if values.ndim != 3:
        raise ValueError(f"values must be draws x units x KPIs, but have shape {values.shape}")
    size = max(1, _BLOCK // max(1, values[0].size)) if len(values) else 1
    parts = [
        aggregate(points(values[start : start + size], floor, target, cap=cap), weights, how).score
        for start in range(0, max(1, len(values)), size)
    ]
    return np.concatenate(parts)


def rank_intervals(drawn, score, *, seed: int, confidence: float = 0.95) -> pd.DataFrame:
    """
    Compute how far scores, ranks and the order of neighbours are known.

    Parameters
    ----------
    drawn : array_like, draws x units
        As `score_draws` gives.
    score : array_like or Series
        Score seen of each unit; it orders the result.
    seed : int
        Of the random numbers that break ties. Scores at a cap tie often, and by their place in
        the table the first unit would be favoured.
    confidence : float
        Level of the interval of the score.

    Returns
    -------
    DataFrame, one row per unit, the highest ``score`` first, indexed as ``score``
        ``score``, ``score_low``, ``score_high``, ``rank_low``, ``rank_high`` (the 5 % and 95 %
        quantiles of the rank among the judged), ``above_next_share`` (share of draws in which
        the unit is above the one in the next row, ties counting half; NaN in the last).

        Units whose score, or any draw of it, is NaN are not judged: they come last, with NaN.

    Raises
    ------
    ValueError
        Shapes do not match, there are no draws, or ``confidence`` is impossible.

    Examples
    --------
    >>> drawn = [[50, 40], [60, 70], [55, 30], [52, 41]]
    >>> rank_intervals(drawn, pd.Series([54, 45], ["a", "b"]), seed=1)["above_next_share"]
    a    0.75
    b     NaN
    Name: above_next_share, dtype: float64
    """
    tail = (1 - confidence) / 2
    two_sided_z(confidence)  # refuses an impossible level
    index = score.index if isinstance(score, pd.Series) else pd.RangeIndex(len(score))
    drawn, score = np.asarray(drawn, dtype=float), np.asarray(score, dtype=float)
    if drawn.ndim != 2 or not len(drawn) or score.shape != drawn.shape[1:]:
        raise ValueError(
            "drawn must be draws x units, at least one draw, with one score for each unit, but "
            f"drawn has shape {drawn.shape} and score {score.shape}"
        )
    is_judged = ~np.isnan(score) & ~np.isnan(drawn).any(axis=0)
    order = np.lexsort((-score, ~is_judged))
    judged = order[: is_judged.sum()]
    seen = drawn[:, judged]
    jitter = np.random.default_rng(seed).random(seen.shape)
    ranking = np.lexsort((jitter, -np.round(seen / _SAME)), axis=1)
    ranks = np.empty(seen.shape, dtype=np.int32)
    np.put_along_axis(ranks, ranking, np.arange(1, len(judged) + 1, dtype=np.int32), axis=1)
    known = np.full((len(order), 5), np.nan)
    if len(judged):
        low, high = np.quantile(ranks, [0.05, 0.95], axis=0, method="inverted_cdf")
        known[: len(judged), :4] = np.transpose(
            [*np.quantile(seen, [tail, 1 - tail], axis=0), low, high]
        )
        lead = seen[:, :-1] - seen[:, 1:]
        is_tie = np.abs(lead) <= _SAME
        known[: len(judged) - 1, 4] = np.where(is_tie, 0.5, lead > 0).mean(axis=0)
    columns = ["score_low", "score_high", "rank_low", "rank_high", "above_next_share"]
    frame = pd.DataFrame(known, index=index[order], columns=columns)
    frame.insert(0, "score", np.where(is_judged, score, np.nan)[order])
    return frame


def parts_that_add_up(values, total: float, digits: int) -> np.ndarray:
    """
    Round the parts of a total so that the rounded parts add up to the rounded total.

    Largest remainder: all parts are rounded down, and the missing units of the last digit go
    to the parts that lost most, the first of equal ones. So each part moves by less than one
    unit and none changes its sign.

    Parameters
    ----------
    values : array_like
        Parts, of either sign. A NaN is no part and stays NaN.
    total : float
        What they add up to; NaN where there is no part.
    digits : int
        Decimals shown; -3 rounds to thousands. Rounding of the total is half to even.

    Returns
    -------
    ndarray
        Rounded parts.

    Raises
    ------
    ValueError
        The parts do not add up to the total before rounding, or a number is infinite.

    Examples
    --------
    >>> parts_that_add_up([33.35, 33.35, 33.3], 100, 0).tolist()
    [34.0, 33.0, 33.0]
    >>> parts_that_add_up([2.6, -1.3, float("nan")], 1.3, 0).tolist()
    [2.0, -1.0, nan]
    """
    values = np.asarray(values, dtype=float)
    is_part = ~np.isnan(values)
    parts = values[is_part]
    if not len(parts) and np.isnan(total):
        return values.copy()
    scale = max(1.0, float(np.abs(parts).sum()))
    if not np.isfinite(total) or not abs(parts.sum() - total) <= _SAME * scale:
        raise ValueError(
            f"the parts must add up to the total, but they add up to {parts.sum():.12g} and the "
            f"total is {total:.12g}"
        )
    unit = Decimal(1).scaleb(-digits)
    exact = [Decimal(str(part)) for part in parts]
    rounded = [part.quantize(unit, ROUND_FLOOR) for part in exact]
    shown = Decimal(str(float(total))).quantize(unit, ROUND_HALF_EVEN)
    missing = int((shown - sum(rounded)) / unit)
    by_loss = sorted(range(len(parts)), key=lambda k: rounded[k] - exact[k])
    for k in by_loss[:missing]:
        rounded[k] += unit
    result = np.full(values.shape, np.nan)
    result[is_part] = [float(part) + 0.0 for part in rounded]  # + 0.0 turns -0 into 0
    return result


def peer_band(values, *, least: int = 5) -> tuple[float, float]:
    """
    Compute the lower and upper quartile of a group so that nobody can be read off them.

    An ordinary quartile is the value of one member, or lies between two. Harrell and Davis'
    is a weighted mean of all members. A band of few members is still not given: someone who
    knows the own value could solve for those of the two others from its two ends. Nor is one
    of equal members, whose ends would be the value of each.

    Parameters
    ----------
    values : array_like
        One value per member; NaN for one who is not judged.
    least : int
        Finite values a band needs, 4 or more.

    Returns
    -------
    low, high : float
        In the unit of the values; NaN with fewer than ``least`` finite values, and where all
        of them are equal.

    Raises
    ------
    ValueError
        ``least`` is below 4.

    References
    ----------
    Harrell and Davis, Biometrika 69 (1982), 635-640.

    Examples
    --------
    >>> low, high = peer_band([40, 55, 60, 70, 90])
    >>> round(low, 1), round(high, 1)
    (49.5, 77.0)
    >>> peer_band([40, 55, 60, 70])
    (nan, nan)
    """
    if least < _SMALLEST_BAND:
        raise ValueError(
            f"least must be {_SMALLEST_BAND} or more, but is {least}: a member of a group of 3 "
            "could work out the values of the two others"
        )
    values = np.asarray(values, dtype=float)
    finite = values[np.isfinite(values)]
    if len(finite) < least or np.ptp(finite) == 0:
        return np.nan, np.nan
    low, high = hdquantiles(finite, [0.25, 0.75])
    return float(low), float(high)


def _per_unit(*inputs):
    inputs = np.broadcast_arrays(*(np.asarray(x, dtype=float) for x in inputs))
    if inputs[0].ndim != 1:
        raise ValueError(f"one number for each unit is needed, but the shape is {inputs[0].shape}")
    return inputs
