"""
What will be won, by simulation: deals move week by week through stages, at rates that are not known for sure.

A deal's week depends on its stage and on how long it has been there. In each path the rates are drawn anew, so paths
differ by what is not known of the rates as well as by luck. Given the rates, the chance of every stage and age to be
won by a day follows exactly, backwards from the end, and no deal needs to be walked through its weeks.
"""

from typing import NamedTuple

import numpy as np
import pandas as pd

BINS = (0, 2, 4, 8, 13, 26)  # first week in the stage of each age bin
STAYED, WON, LOST = -3, -2, -1  # places on the last axis of counts and rates, after the stages
_AGES = BINS[-1] + 1  # weeks told apart
_BIN_OF_AGE = np.searchsorted(BINS, np.arange(_AGES), side="right") - 1
_OLDER = np.minimum(np.arange(_AGES) + 1, _AGES - 1)
_STAGE_WEEKS = 2.0  # deal-weeks that each age bin takes from its stage
_FLOOR = 0.01
_QUARTER = 13  # weeks
_AT_ONCE = 100  # paths, so that memory stays small


class Counts(NamedTuple):
    """
    What happened in the weeks observed, in S stages.

    Attributes
    ----------
    moves : ndarray, S × 6 × (S + 3)
        Deal-weeks, by stage and age bin (`BINS`, whole weeks in the stage) at the beginning of the week, and by where
        the deal was at its end: entered each stage, stayed, won, lost.
    inflow : ndarray, S + 3
        Deals that were not open at the beginning of a week and came in during it, by where they were at its end.
    arrivals : ndarray, weeks
        The same deals by week, in order of time.
    is_last : ndarray of bool, S
        Whether won is what follows the stage; else it is the next one.
    """

    moves: np.ndarray
    inflow: np.ndarray
    arrivals: np.ndarray
    is_last: np.ndarray


class Paths(NamedTuple):
    """
    Simulated bookings of P paths in consecutive periods, by team.

    Attributes
    ----------
    chances : ndarray, deals × periods
        Chance of each open deal to be won in each period: the mean over the rates of all paths.
    from_open, from_new : ndarray, P × periods × teams
        Amount won from the deals open now, and from those that come later.
    largest : ndarray, P × periods × teams
        The largest single amount of both; 0 where nothing is won.
    """

    chances: np.ndarray
    from_open: np.ndarray
    from_new: np.ndarray
    largest: np.ndarray


def simulate(
    counts: Counts,
    deals: pd.DataFrame,
    *,
    ends_days: list[int],
    team_weights: np.ndarray,
    amounts: np.ndarray,
    paths: int,
    seed: int,
) -> Paths:
    """
    Simulate what is won in consecutive periods from now on.

    In each path: rates of moving (`rate_draws`) and of new deals a week (`arrival_draws`) from their posteriors, where
    new deals begin and to which team they go ~ Dirichlet; then each open deal is won in one period or in none, and the
    number of new deals won is Poisson (a thinned Poisson process is one). Amounts of new deals are resampled.

    Parameters
    ----------
    counts : Counts
    deals : DataFrame, one row per deal open now
        ``state`` (its stage, 0 to S - 1), ``age_weeks`` (whole weeks in it), ``amount`` (NaN: drawn in each path like
        that of a new deal), ``team`` (0 to T - 1).
    ends_days : list of int
        Days from now to the end of each period, ascending; each begins where the one before ends.
    team_weights : ndarray, T
        By which new deals go to teams, as a number of deals: many make the shares sure; none at all makes them equal.
    amounts : ndarray
        Amounts to draw from, not empty.
    paths, seed : int

    Returns
    -------
    Paths

    Raises
    ------
    ValueError
        No paths, no amounts, no weeks, or days that do not ascend from 0.

    References
    ----------
    The posterior is that of multinomial counts, Gelman et al., Bayesian Data Analysis, 3rd ed., section 3.4.

    Examples
    --------
    >>> moves = np.zeros((1, 6, 4))
    >>> moves[0, :, WON] = 1e9  # every deal is won within a week
    >>> counts = Counts(moves, np.zeros(4), np.zeros(52), np.array([True]))
    >>> deals = pd.DataFrame({"state": [0], "age_weeks": [3], "amount": [50.0], "team": [0]})
    >>> options = {"team_weights": np.ones(1), "amounts": np.ones(1), "paths": 3, "seed": 1}
    >>> simulate(counts, deals, ends_days=[7, 14], **options).from_open[:, :, 0].tolist()
    [[50.0, 0.0], [50.0, 0.0], [50.0, 0.0]]
    """
    _refuse(counts, ends_days, amounts, paths)
    rng = np.random.default_rng(seed)
    parts = [
        _won_by_ends(rng, counts, deals, ends_days, min(_AT_ONCE, paths - first))
        for first in range(0, paths, _AT_ONCE)
    ]
    open_won, new_won = (np.concatenate(part, axis=1) for part in zip(*parts, strict=True))
    from_open, largest_open = _win_open(rng, open_won, deals, len(team_weights), amounts)
    from_new, largest_new = _win_new(rng, new_won, team_weights, amounts)
    chances = np.diff(open_won.mean(axis=1), axis=0, prepend=0).T
    return Paths(chances, from_open, from_new, np.maximum(largest_open, largest_new))


def _refuse(counts: Counts, ends_days: list[int], amounts: np.ndarray, paths: int) -> None:
    n_amounts, weeks = len(amounts), len(counts.arrivals)
    if min(paths, n_amounts, weeks) < 1:
        raise ValueError(
            "there must be a path, an amount and a week observed, but there are "
            f"{paths} paths, {n_amounts} amounts and {weeks} weeks"
        )
    if not len(ends_days) or ends_days[0] < 0 or (np.diff(ends_days) < 0).any():
        raise ValueError(f"ends_days must ascend from 0 or more, but are {ends_days}")


def _won_by_ends(rng, counts: Counts, deals: pd.DataFrame, ends_days: list[int], paths: int):
    """Chance of each open deal, and expected number of new ones, to be won by each end: ends × paths (× deals)."""
    chance = won_by(rate_draws(counts, paths=paths, rng=rng), -(-max(ends_days) // 7))
    age = np.minimum(deals["age_weeks"].to_numpy(dtype=int), _AGES - 1)
    open_won = at_days(chance, ends_days)[:, :, deals["state"].to_numpy(dtype=int), age]
    places = _dirichlet(rng, counts.inflow, paths)
    new_won = at_days(new_won_by(places, chance), ends_days)
    return open_won, new_won * arrival_draws(counts.arrivals, paths=paths, rng=rng)


def rate_draws(counts: Counts, *, paths: int, rng: np.random.Generator) -> np.ndarray:
    """
    Draw the weekly rates of every stage and age bin, one set per path.

    The posterior of a stage and bin is Dirichlet: the deal-weeks counted, + 2 deal-weeks that went as those of the
    whole stage did, + .01 for each of: staying, lost, what follows the stage, and whatever was seen from the stage at
    any age. What was never seen from a stage does not happen.

    Returns
    -------
    ndarray, paths × S × 6 × (S + 3)
        They sum to 1 over the last axis.
    """
    of_stage = counts.moves.sum(axis=1)
    is_possible = of_stage > 0
    is_possible[:, [STAYED, LOST]] = True
    stage = np.arange(len(of_stage))
    is_possible[stage, np.where(counts.is_last, WON, stage + 1)] = True
    n = of_stage.sum(axis=1, keepdims=True)
    shares = of_stage / np.where(n > 0, n, 1)
    prior = _STAGE_WEEKS * shares + _FLOOR * is_possible
    return _dirichlet(rng, counts.moves + prior[:, None, :], paths)


def arrival_draws(arrivals: np.ndarray, *, paths: int, rng: np.random.Generator) -> np.ndarray:
    """
    Draw the number of new deals a week that the time to come has, one per path.

    Gamma(n + .5)/weeks, the posterior of a Poisson rate, widened by what quarters differ from each other beyond luck:
    the variance of the sums of 13 weeks less their mean, if positive. A season or a trend is not continued; it makes
    the forecast less sure.

    Parameters
    ----------
    arrivals : ndarray
        New deals by week, in order of time.

    Returns
    -------
    ndarray, paths

    Examples
    --------
    >>> rng = np.random.default_rng(1)
    >>> steady, moving = (np.repeat(n, 13) for n in ([9, 9, 9, 9], [3, 7, 11, 15]))
    >>> np.round([arrival_draws(n, paths=10_000, rng=rng).std() for n in (steady, moving)], 1)
    array([0.4, 5.1])
    """
    weeks, n = len(arrivals), arrivals.sum() + 0.5
    quarters = arrivals[weeks % _QUARTER :].reshape(-1, _QUARTER).sum(axis=1)
    beyond_luck = quarters.var(ddof=1) - quarters.mean() if len(quarters) > 1 else 0.0
    variance = n / weeks**2 + max(beyond_luck, 0.0) / _QUARTER**2
    mean = n / weeks
    return rng.gamma(mean**2 / variance, variance / mean, paths)


def _dirichlet(rng, weights: np.ndarray, paths: int) -> np.ndarray:
    """Draws of shares over the last axis; zeros where no weight is."""
    drawn = rng.standard_gamma(weights, (paths, *weights.shape))
    total = drawn.sum(axis=-1, keepdims=True)
    return drawn / np.where(total > 0, total, 1)


def won_by(rates: np.ndarray, weeks: int) -> np.ndarray:
    """
    Compute the chance to be won within so many weeks, from each stage and whole week in it.

    Backwards: won within k weeks is won in the first, or somewhere else after it and won from there within k - 1.

    Parameters
    ----------
    rates : ndarray, … × S × 6 × (S + 3)
        Weekly rates, as `rate_draws` gives them.
    weeks : int

    Returns
    -------
    ndarray, (weeks + 1) × … × S × 27
        Within 0, 1, … weeks; the last axis is 0 to 25 weeks in the stage, then 26 and more.
    """
    n_stages = rates.shape[-3]
    chance = np.zeros((weeks + 1, *rates.shape[:-2], _AGES))
    stayed = rates[..., STAYED][..., _BIN_OF_AGE]
    won, entered = rates[..., WON], rates[..., :n_stages]
    for week in range(weeks):
        before = chance[week]
        left = won + (entered @ before[..., None, :, :1])[..., 0]
        chance[week + 1] = left[..., _BIN_OF_AGE] + stayed * before[..., _OLDER]
    return chance


def new_won_by(places: np.ndarray, chance: np.ndarray) -> np.ndarray:
    """
    Compute how many deals are won within so many weeks, if one comes in in each week from now on.

    Parameters
    ----------
    places : ndarray, … × (S + 3)
        Where a deal is at the end of the week it came in, as shares.
    chance : ndarray, (weeks + 1) × … × S × 27
        As `won_by` gives it.

    Returns
    -------
    ndarray, (weeks + 1) × …
    """
    after = places[..., WON] + (chance[..., 0] * places[..., :STAYED]).sum(axis=-1)
    return np.concatenate([np.zeros_like(after[:1]), after[:-1].cumsum(axis=0)])


def at_days(by_week: np.ndarray, days: list[int]) -> np.ndarray:
    """
    Read on days what is known for whole weeks, first axis, as if each week's part were spread evenly over its days.

    >>> at_days(np.array([0.0, 0.7, 0.9]), [0, 3, 7, 14]).round(6).tolist()
    [0.0, 0.3, 0.7, 0.9]
    """
    week, day = np.divmod(np.asarray(days), 7)
    later = np.minimum(week + 1, len(by_week) - 1)
    part = (day / 7).reshape(-1, *[1] * (by_week.ndim - 1))
    return by_week[week] * (1 - part) + by_week[later] * part


def _win_open(rng, won_by_end: np.ndarray, deals: pd.DataFrame, n_teams: int, amounts):
    """Amount won of the open deals and the largest: paths × periods × teams each."""
    n_periods, paths, _ = won_by_end.shape
    luck = rng.random(won_by_end.shape[1:])
    period = (luck >= won_by_end).sum(axis=0)  # n_periods: won in none of them
    path, deal = np.nonzero(period < n_periods)
    amount = deals["amount"].to_numpy(dtype=float)[deal]
    is_unknown = np.isnan(amount)
    amount[is_unknown] = rng.choice(amounts, is_unknown.sum())
    team = deals["team"].to_numpy(dtype=int)[deal]
    return _gathered((path, period[path, deal], team), amount, (paths, n_periods, n_teams))


def _win_new(rng, won_by_end: np.ndarray, team_weights: np.ndarray, amounts: np.ndarray):
    """Amount won of deals to come and the largest: paths × periods × teams each."""
    expected = np.diff(won_by_end, axis=0, prepend=0).T
    weights = team_weights if np.any(team_weights) else np.full(len(team_weights), 1e9)
    shares = _dirichlet(rng, weights, len(expected))
    n_won = rng.poisson(expected[:, :, None] * shares[:, None, :])
    place = np.repeat(np.arange(n_won.size), n_won.ravel())
    drawn = rng.choice(amounts, len(place))
    return _gathered(np.unravel_index(place, n_won.shape), drawn, n_won.shape)


def _gathered(place: tuple, amount: np.ndarray, shape: tuple[int, ...]):
    """Sum and largest of amounts by place."""
    flat = np.ravel_multi_index(place, shape)
    total = np.bincount(flat, amount, np.prod(shape))
    largest = np.zeros(np.prod(shape))
    np.maximum.at(largest, flat, amount)
    return total.reshape(shape), largest.reshape(shape)
