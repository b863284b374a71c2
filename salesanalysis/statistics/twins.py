"""
The null twin: the same cases simulated again as if nothing had changed, or nobody differed.

A figure that dashboards show is computed on the twin just as it was on the data, so that what
luck and youth alone give stands beside what was seen.
"""

from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy.special import expit, logit

from salesanalysis.statistics.proportions import wilson

_BLOCK = 400_000  # numbers held at once
_SAME = 1e-9  # figures closer than this are equal
_TINY = 1e-100  # stands for a variance of 0 where the difference over it is 0 too


class Place(NamedTuple):
    """Where a figure stands among those of its twin."""

    median: float
    low: float
    high: float
    p_value: float


def before_after(age, cause, n, follow_up_days, *, seed: int, draws: int = 999) -> pd.DataFrame:
    """
    Simulate what dashboards would show of the later deals, had they gone like the earlier ones.

    In each draw the earlier deals are sampled anew, so that the twin knows no more of them than
    the data do; the incidence of both causes is estimated from them (Aalen-Johansen), and each
    later deal draws an age and a cause from it. What would happen after its follow-up is not
    seen: it is open.

    Parameters
    ----------
    age, cause, n : array_like
        Exits of the earlier deals: ``n`` left at ``age`` (days, 0 or more) with ``cause`` 0
        (open at the change), 1 (won) or 2 (lost).
    follow_up_days : array_like
        Days from creation to now, one for each later deal.
    seed, draws : int
        Of the twin.

    Returns
    -------
    DataFrame, one row per draw
        ``n_won``, ``n_lost``, ``sum_days``, ``sum_squared_days`` (of the age of the won),
        ``mean_cycle_days`` (mean age of the won; NaN without one), ``won_created_rate``,
        ``won_closed_rate`` (NaN without a closed deal).

    Raises
    ------
    ValueError
        A value is missing, not whole or out of range, lengths differ, or there is no earlier or
        no later deal.

    Examples
    --------
    >>> twin = before_after([10, 20, 30], [1, 2, 0], [5, 10, 5], [15] * 40, seed=1, draws=200)
    >>> float(twin["mean_cycle_days"].median()), round(float(twin["won_created_rate"].mean()), 2)
    (10.0, 0.25)
    """
    cells, follow_up = _earlier(age, cause, n), np.sort(_whole("follow_up_days", follow_up_days))
    if not len(follow_up):
        raise ValueError("follow_up_days must hold at least one later deal, but is empty")
    cells = _cut(cells, int(follow_up.max()) + 1)
    rng = np.random.default_rng(seed)
    size = max(1, _BLOCK // max(len(follow_up), 3 * len(np.unique(cells.age))))
    parts = [
        _later(cells, follow_up, min(size, draws - start), rng) for start in range(0, draws, size)
    ]
    return later_figures(*np.concatenate(parts, axis=1), n_created=len(follow_up))


def later_figures(n_won, n_lost, sum_days, sum_squared_days, *, n_created: int) -> pd.DataFrame:
    """
    Compute the figures of `before_after` from sums; with it the data are read as the twin is.

    Parameters
    ----------
    n_won, n_lost, sum_days, sum_squared_days : array_like
        Won and lost deals, and the sums of the ages (and their squares) of the won.
    n_created : int
        Deals created.

    Returns
    -------
    DataFrame, with the columns of `before_after`

    Examples
    --------
    >>> later_figures([2], [3], [30], [500], n_created=10)["mean_cycle_days"].tolist()
    [15.0]
    """
    n_won, n_lost, sum_days, sum_squared_days = (
        np.atleast_1d(np.asarray(x, dtype=np.int64))
        for x in (n_won, n_lost, sum_days, sum_squared_days)
    )
    return pd.DataFrame(
        {
            "n_won": n_won,
            "n_lost": n_lost,
            "sum_days": sum_days,
            "sum_squared_days": sum_squared_days,
            "mean_cycle_days": _ratio(sum_days, n_won),
            "won_created_rate": n_won / n_created if n_created else np.nan,
            "won_closed_rate": _ratio(n_won, n_won + n_lost),
        }
    )


def ranking(unit, eta, n, wins, *, seed: int, draws: int = 999) -> pd.DataFrame:
    """
    Simulate what a list of units would show, were they all equally good.

    In each draw every cell wins as often as its offset says, whoever has it; the common
    intercept is fitted anew to each draw.

    Parameters
    ----------
    unit, n, wins : array_like
        Unit, deals and won deals of each cell.
    eta : array_like
        Offset of each cell on the logit scale, as ``ranking.within_unit_offset`` gives.
    seed, draws : int
        Of the twin.

    Returns
    -------
    DataFrame, one row per draw
        ``best_rate``, ``worst_rate`` (largest and smallest share won of a unit), ``spread``
        (their difference), ``n_flagged_low`` (units whose 95 % Wilson interval lies below the
        share of all), ``chi2`` (observed against expected wins).

    Raises
    ------
    ValueError
        Lengths differ, a count is impossible, an offset is not finite, or no unit has a deal.

    Examples
    --------
    >>> equal = ranking(range(50), [-1.0986] * 50, [40] * 50, [10] * 50, seed=1)
    >>> round(float(equal["best_rate"].median()), 2)
    0.4
    """
    cells = _comparable(unit, eta, n, wins)
    rng = np.random.default_rng(seed)
    size = max(1, _BLOCK // len(cells.n))
    parts = [
        _units_won(
            cells, rng.binomial(cells.n, expit(cells.eta), (min(size, draws - start), len(cells.n)))
        )
        for start in range(0, draws, size)
    ]
    return _list_figures(cells, np.concatenate(parts))


def ranking_figures(unit, eta, n, wins) -> dict[str, float]:
    """
    Compute the figures of `ranking` from the data.

    Parameters, figures and errors as there.

    Examples
    --------
    >>> seen = ranking_figures(["a", "b"], [0, 0], [10, 30], [7, 13])
    >>> [round(seen[name], 3) for name in ("best_rate", "worst_rate", "spread")]
    [0.7, 0.433, 0.267]
    """
    cells = _comparable(unit, eta, n, wins)
    return _list_figures(cells, _units_won(cells, cells.wins[None])).iloc[0].to_dict()


def place(seen_value: float, draws, *, larger_is_claim: bool) -> Place:
    """
    Place a figure among those of its twin.

    Parameters
    ----------
    seen_value : float
    draws : array_like
        The figure on each draw of the twin; draws without one (NaN) do not count.
    larger_is_claim : bool
        Whether a larger figure is what would be claimed; else a smaller one.

    Returns
    -------
    Place
        ``median`` and 95 % range ``low``, ``high`` of the twin, and ``p_value``: (1 + draws at
        least as extreme, in the direction of the claim) / (draws + 1). NaN where there is no
        draw; the p-value also where nothing was seen.

    References
    ----------
    Davison and Hinkley, Bootstrap Methods and Their Application (1997), section 4.2.

    Examples
    --------
    >>> place(30, range(20, 39), larger_is_claim=True).p_value
    0.5
    >>> place(20, range(20, 39), larger_is_claim=False).p_value
    0.1
    """
    draws = np.asarray(draws, dtype=float)
    draws = draws[~np.isnan(draws)]
    if not len(draws):
        return Place(np.nan, np.nan, np.nan, np.nan)
    low, median, high = (float(x) for x in np.quantile(draws, [0.025, 0.5, 0.975]))
    if np.isnan(seen_value):
        return Place(median, low, high, np.nan)
    beyond = draws - seen_value if larger_is_claim else seen_value - draws
    n_beyond = int((beyond >= -_SAME).sum())
    return Place(median, low, high, (1 + n_beyond) / (len(draws) + 1))


class _Exits(NamedTuple):
    age: np.ndarray
    cause: np.ndarray
    n: np.ndarray


def _earlier(age, cause, n):
    age, cause, n = _whole("age", age), _whole("cause", cause, highest=2), _whole("n", n)
    if not len(age) == len(cause) == len(n):
        raise ValueError(
            f"age, cause and n must have the same length, but have {len(age)}, {len(cause)} "
            f"and {len(n)}"
        )
    if not n.sum():
        raise ValueError("n must count at least one earlier deal, but sums to 0")
    return _Exits(age[n > 0], cause[n > 0], n[n > 0])


def _cut(cells, last):
    """Put all exits from age ``last`` on into one cell: they only matter as being still there."""
    is_later = cells.age >= last
    key = np.where(is_later, 3 * last, 3 * cells.age + cells.cause)
    keys, row = np.unique(key, return_inverse=True)
    return _Exits(keys // 3, keys % 3, np.bincount(row, weights=cells.n).astype(np.int64))


def _later(cells, follow_up, size, rng):
    """Won, lost, sum of days and of squared days of the later deals, in ``size`` draws."""
    ages, position = np.unique(cells.age, return_inverse=True)
    share_by = _incidence(cells, ages, position, size, rng)
    # One search serves all draws: draw i looks for i + uniform among i + its own sums.
    width = share_by.shape[1]
    first = np.arange(size)[:, None]
    found = np.searchsorted(
        (share_by + first).ravel(), (rng.random((size, len(follow_up))) + first).ravel(), "right"
    ).reshape(size, -1)
    found = np.clip(found - first * width, 0, width)
    days = np.append(np.repeat(ages, 2), np.iinfo(np.int64).max)[found]
    is_closed = days <= follow_up
    is_won = is_closed & (found % 2 == 0)
    days = np.where(is_won, days, 0)
    n_won = is_won.sum(axis=1)
    return np.array(
        [n_won, is_closed.sum(axis=1) - n_won, days.sum(axis=1), (days * days).sum(axis=1)]
    )


def _incidence(cells, ages, position, size, rng):
    """Shares that left won by each age, lost by each age, …, summed up, one row per draw."""
    total = int(cells.n.sum())
    exits = np.zeros((size, 3, len(ages)))
    exits[:, cells.cause, position] = rng.multinomial(total, cells.n / total, size=size)
    at_risk = exits.sum(axis=1)[:, ::-1].cumsum(axis=1)[:, ::-1]
    hazard = exits[:, 1:] / np.maximum(at_risk, 1)[:, None]
    open_share = np.cumprod(1 - hazard.sum(axis=1), axis=1)
    before = np.hstack([np.ones((size, 1)), open_share[:, :-1]])
    steps = (before[:, None] * hazard).transpose(0, 2, 1).reshape(size, -1)
    return np.minimum(np.cumsum(steps, axis=1), 1)


class _Cells(NamedTuple):
    """Cells of units with deals, in the order of the units; unit i begins at ``first[i]``."""

    eta: np.ndarray
    n: np.ndarray
    wins: np.ndarray
    first: np.ndarray


def _comparable(unit, eta, n, wins):
    codes, _ = pd.factorize(pd.Series(unit), sort=True)
    n, wins = _whole("n", n), _whole("wins", wins)
    eta = np.asarray(eta, dtype=float)
    if not len(codes) == len(n) == len(wins) == len(eta):
        raise ValueError(
            "unit, eta, n and wins must have the same length, but have "
            f"{len(codes)}, {len(eta)}, {len(n)} and {len(wins)}"
        )
    for name, is_wrong in (
        ("unit must be given", codes < 0),
        ("eta must be finite", ~np.isfinite(eta)),
        ("wins must lie between 0 and n", wins > n),
    ):
        if is_wrong.any():
            raise ValueError(
                f"{name}, but is not in {is_wrong.sum()} of {len(n)} cells, the first at "
                f"position {int(np.flatnonzero(is_wrong)[0])}"
            )
    has_deals = np.flatnonzero(n > 0)
    if not len(has_deals):
        raise ValueError("some unit must have a deal, but n sums to 0")
    order = has_deals[np.lexsort([part[has_deals] for part in (wins, n, eta, codes)])]
    first = np.flatnonzero(np.diff(codes[order], prepend=-1))
    return _Cells(eta[order], n[order], wins[order], first)


def _units_won(cells, wins):
    return np.add.reduceat(wins, cells.first, axis=1)


def _list_figures(cells, won):
    """Figures of a list, from the wins of each unit (columns) in each draw (rows)."""
    n = np.add.reduceat(cells.n, cells.first)
    rates = won / n
    best, worst = rates.max(axis=1), rates.min(axis=1)
    overall = won.sum(axis=1) / n.sum()
    high = wilson(won, np.broadcast_to(n, won.shape))[1]
    return pd.DataFrame(
        {
            "best_rate": best,
            "worst_rate": worst,
            "spread": best - worst,
            "n_flagged_low": (high < overall[:, None]).sum(axis=1),
            "chi2": _chi2(cells, won),
        }
    )


def _chi2(cells, won):
    """Chi-square, the common intercept fitted to each total of wins that was drawn."""
    totals, row = np.unique(won.sum(axis=1), return_inverse=True)
    size = max(1, _BLOCK // len(cells.n))
    parts = [_fitted(cells, totals[i : i + size]) for i in range(0, len(totals), size)]
    expected, variance = np.concatenate(parts, axis=1)
    return ((won - expected[row]) ** 2 / np.maximum(variance[row], _TINY)).sum(axis=1)


def _fitted(cells, totals):
    """Expected wins of each unit and their variance, for each total of wins."""
    n_all = cells.n.sum()
    is_mixed = (totals > 0) & (totals < n_all)
    wanted = np.where(is_mixed, totals, n_all / 2)
    shift = logit(wanted / n_all) - logit(cells.n @ expit(cells.eta) / n_all)
    for _ in range(50):
        share = expit(cells.eta + shift[:, None])
        slope = (share * (1 - share)) @ cells.n
        step = np.clip((wanted - share @ cells.n) / np.maximum(slope, _TINY), -1, 1)
        shift = shift + step
        if np.abs(step).max() < 1e-10:
            break
    # Where all or none are won no intercept fits; what is expected is what was seen.
    share = np.where(is_mixed[:, None], expit(cells.eta + shift[:, None]), (totals > 0)[:, None])
    return np.array(
        [
            np.add.reduceat(cells.n * part, cells.first, axis=1)
            for part in (share, share * (1 - share))
        ]
    )


def _ratio(part, whole):
    whole = np.asarray(whole, dtype=float)
    return part / np.where(whole > 0, whole, np.nan)


def _whole(name, values, *, highest=2**53):
    values = pd.Series(values).to_numpy(dtype=float, na_value=np.nan)
    is_wrong = ~((values >= 0) & (values <= highest) & (values == np.floor(values)))
    if is_wrong.any():
        first = int(np.flatnonzero(is_wrong)[0])
        limit = f"0 to {highest}" if highest < 2**53 else "0 or more"
        raise ValueError(
            f"{name} must be whole numbers, {limit}, but {is_wrong.sum()} of {len(values)} are "
            f"not, the first at position {first}: {values[first]:g}"
        )
    return values.astype(np.int64)
