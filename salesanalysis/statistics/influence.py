"""
What each case contributes to an estimate made of censored cases, and how alike the cases of one unit are.

The influence of a case is the derivative of the estimate by the weight of that case. Influences sum to 0, and their
squares to the variance of the estimate; summed by unit first, they give the variance where cases of a unit are alike.
"""

from typing import NamedTuple

import numpy as np
import pandas as pd


class Influence(NamedTuple):
    """An estimate and, in the order of the cases, their influences on it."""

    value: float
    by_case: np.ndarray

    @property
    def variance(self) -> float:
        """Variance of the estimate where all cases are independent."""
        return float((self.by_case**2).sum())


class _Steps(NamedTuple):
    """By age 0, 1, … until: at risk, events of any cause and of cause 1, open before and after the age."""

    n: np.ndarray
    events: np.ndarray
    own: np.ndarray
    before: np.ndarray
    share: np.ndarray


def incidence(age, cause, *, until: int) -> Influence:
    """
    Compute the share that left with cause 1 by an age, and each case's influence on it.

    The estimate is that of Aalen and Johansen, as `survival.incidence` gives it; the derivative as in [1]_.

    Parameters
    ----------
    age : array_like
        Whole days at which each case left or was last seen.
    cause : array_like
        0 last seen, 1 or 2 left with that cause.
    until : int
        The age asked for; some case must have been seen as long, or the value is that of the last one seen.

    Returns
    -------
    Influence

    References
    ----------
    .. [1] Andersen, Borgan, Gill and Keiding, Statistical Models Based on Counting Processes (1993), II.8.

    Examples
    --------
    >>> found = incidence([10, 20, 20, 30], [1, 1, 2, 0], until=25)
    >>> found.value, found.by_case.tolist(), found.variance
    (0.5, [0.125, 0.125, -0.125, -0.125], 0.0625)
    """
    return _weighted(age, cause, np.ones(until + 1))


def mean_age(age, cause, *, until: int) -> Influence:
    """
    Compute the mean age of those that leave with cause 1 by an age, and each case's influence on it.

    The mean of the ages under the incidence of cause 1, which counts a case seen for a short time for what it is: the
    mean of those that have left so far would be too short. NaN, with influences of NaN, where none has.

    Parameters
    ----------
    age, cause, until
        As for `incidence`.

    Returns
    -------
    Influence

    Examples
    --------
    >>> mean_age([10, 20, 20, 30], [1, 1, 2, 0], until=25).value
    15.0
    """
    share = incidence(age, cause, until=until)
    days = _weighted(age, cause, np.arange(until + 1.0))
    if share.value <= 0:
        return Influence(np.nan, np.full(len(share.by_case), np.nan))
    value = days.value / share.value
    return Influence(value, (days.by_case - value * share.by_case) / share.value)


def restricted_mean(age, is_event, *, until: int) -> Influence:
    """
    Compute the mean number of days until cases leave, the first `until` days of each, and the influences on it.

    The area under the curve of Kaplan and Meier up to that age.

    Parameters
    ----------
    age, is_event
        Whole days at which each case left (`is_event`) or was last seen.
    until : int

    Returns
    -------
    Influence

    Examples
    --------
    >>> restricted_mean([1, 2, 2, 3], [True, True, False, True], until=3).value
    2.25
    """
    age, cause = np.asarray(age, dtype=int), np.asarray(is_event, dtype=int)
    steps = _steps(age, cause, until)
    days = np.append(steps.share[:-1], 0.0)
    later = days[::-1].cumsum()[::-1]
    return Influence(float(days.sum()), _by_case(age, cause, steps, np.zeros(until + 1), later))


def _weighted(age, cause, weight) -> Influence:
    """Sum of a weight by age over the incidence of cause 1."""
    age, cause = np.asarray(age, dtype=int), np.asarray(cause, dtype=int)
    steps = _steps(age, cause, len(weight) - 1)
    n = np.where(steps.n > 0, steps.n, 1)
    terms = weight * steps.before * steps.own / n
    later = terms.sum() - terms.cumsum()
    return Influence(
        float(terms.sum()), _by_case(age, cause, steps, weight * steps.before / n, later)
    )


def _steps(age, cause, until) -> _Steps:
    place = np.minimum(age, until + 1)
    left = np.bincount(place, minlength=until + 2)
    n = left[::-1].cumsum()[::-1][:-1].astype(float)
    events = np.bincount(place[cause > 0], minlength=until + 2)[:-1].astype(float)
    own = np.bincount(place[cause == 1], minlength=until + 2)[:-1].astype(float)
    share = np.cumprod(1 - events / np.where(n > 0, n, 1))
    return _Steps(n, events, own, np.append(1.0, share)[:-1], share)


def _by_case(age, cause, steps, gain, later):
    """
    Influence of each case: what its own leaving adds, less what was expected of it while it was at risk.

    `gain` by age is what a case adds that leaves with cause 1, `later` what is still to come after the age.
    """
    until = len(gain) - 1
    n = np.where(steps.n > 0, steps.n, 1)
    left = steps.n - steps.events
    loss = np.where(left > 0, later / np.where(left > 0, left, 1), 0.0)
    expected = np.cumsum(gain * steps.own / n - loss * steps.events / n)
    at = np.minimum(age, until)
    is_in_time = age <= until
    return (
        np.where(is_in_time & (cause == 1), gain[at], 0.0)
        - np.where(is_in_time & (cause > 0), loss[at], 0.0)
        - expected[at]
    )


def likeness(cells: list[tuple[np.ndarray, np.ndarray]]) -> float:
    """
    Estimate how alike cases of one unit are: the intraclass correlation, pooled over cells.

    Moment estimator of the one-way analysis of variance [1]_, between units within cells. Each cell is scaled to
    variance 1 first, as cells may have different rates.

    Parameters
    ----------
    cells : list of (values, units)
        Per cell, the value (an influence) and the unit of each case.

    Returns
    -------
    float
        0 to 1; 0 where no unit has two cases or no cell has two units.

    References
    ----------
    .. [1] Donner, International Statistical Review 54 (1986), 67-82.

    Examples
    --------
    >>> likeness([(np.array([1.0, 1, -1, -1]), np.array(["a", "a", "b", "b"]))])
    1.0
    """
    between = within = 0.0
    n_between = n_within = 0
    size = 0.0
    for values, units in cells:
        codes, n = _counted(units)
        spread = np.std(values) if len(values) else 0.0
        if len(n) < 2 or not spread > 0:
            continue
        scaled = (values - values.mean()) / spread
        means = np.bincount(codes, weights=scaled) / n
        between += float((n * means**2).sum())
        within += float(((scaled - means[codes]) ** 2).sum())
        n_between += len(n) - 1
        n_within += len(values) - len(n)
        size += len(values) - (n**2).sum() / len(values)
    if not n_between or not n_within:
        return 0.0
    between, within, size = between / n_between, within / n_within, size / n_between
    total = between + (size - 1) * within
    return float(np.clip((between - within) / total, 0, 1)) if total > 0 else 0.0


def design_effect(units: np.ndarray, likeness: float) -> float:
    """
    Compute by how much likeness within units widens the variance: 1 + (m - 1) x likeness.

    m is the mean number of cases in the unit of a case. NaN without a case.

    Examples
    --------
    >>> design_effect(np.array(["a", "a", "a", "b"]), 0.5)
    1.75
    """
    _, n = _counted(units)
    if not len(n):
        return np.nan
    return float(1 + ((n**2).sum() / n.sum() - 1) * likeness)


def _counted(units) -> tuple[np.ndarray, np.ndarray]:
    """Code of each case's unit, and cases by unit; a case without a unit is one of its own."""
    codes, _ = pd.factorize(pd.Series(units))
    is_alone = codes < 0
    codes = np.where(is_alone, codes.max(initial=-1) + np.cumsum(is_alone), codes)
    return codes, np.bincount(codes).astype(float)
