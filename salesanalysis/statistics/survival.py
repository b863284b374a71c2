"""
Incidence of an outcome by age, and time to leaving, from counts by age.

Age is whole days. Cause 0 is censored (still open when last seen), 1 and 2 are two outcomes
that compete. At risk at age t are those whose exit age is t or more and whose entry age is
below t; entry age -1 means seen from the start, so that an exit at age 0 was at risk. Of
several exits on one day the censored ones come last.
"""

from typing import NamedTuple

import numpy as np
import pandas as pd

from salesanalysis.statistics.proportions import two_sided_z, wilson

_SAME = 1e-12  # shares closer than this are equal


class Estimate(NamedTuple):
    """
    A number with its standard error and interval, as `restricted_mean` gives it.

    Attributes
    ----------
    value, se, low, high : float
        In days; all NaN where they cannot be known.
    """

    value: float
    se: float
    low: float
    high: float


def incidence(
    age, cause, n, *, of: int = 1, entry_age=None, entry_n=None, confidence: float = 0.95
) -> pd.DataFrame:
    """
    Estimate the share that left by each age with one cause, the other cause competing.

    Aalen-Johansen [1]_. The band is Wilson's on the effective number [2]_: as many fully
    observed cases as would give the same variance.

    Parameters
    ----------
    age, cause, n : array_like
        Exits: ``n`` cases left at ``age`` (days, 0 or more) with ``cause`` 0, 1 or 2. Rows may
        repeat and come in any order.
    of : {1, 2}
        The cause whose share is estimated.
    entry_age, entry_n : array_like, optional
        Entries: ``entry_n`` cases came under observation after ``entry_age`` (days, -1 or more).
        Without them all are seen from the start.
    confidence : float
        Level of the pointwise two-sided band.

    Returns
    -------
    DataFrame, one row per age with an exit of cause 1 or 2, ascending
        ``age_days``, ``n_at_risk``, ``n_events`` (cause 1 or 2, at this age), ``n_of`` (cause
        ``of``, at this age), ``open_share`` (neither cause yet), ``rate`` (cause ``of`` by this
        age), ``variance`` of the rate, ``n_eff``, ``rate_low``, ``rate_high``. Empty where
        nothing left with a cause.

        Where the rate is 0 or 1 its variance is 0 and ``n_eff`` is the number whose state at
        this age is known; with delayed entry, the smallest number at risk so far.

    Raises
    ------
    ValueError
        An age, cause or count is missing, not whole or out of range; lengths differ; entries
        and exits do not match.

    References
    ----------
    .. [1] Aalen and Johansen, Scandinavian Journal of Statistics 5 (1978), 141-150; variance
       as in Andersen, Borgan, Gill and Keiding, Statistical Models Based on Counting
       Processes (1993), section IV.4.
    .. [2] Rothman, Journal of Chronic Diseases 31 (1978), 557-560, carried over to the rate.

    Examples
    --------
    >>> curve = incidence([10, 20, 20, 30], [1, 2, 0, 1], [1, 1, 1, 1])
    >>> curve[["age_days", "n_at_risk", "n_of", "open_share", "rate", "n_eff"]]
       age_days  n_at_risk  n_of  open_share  rate  n_eff
    0        10          4     1        0.75  0.25    4.0
    1        20          3     0        0.50  0.25    4.0
    2        30          1     1        0.00  0.75    4.0
    """
    spells = _spells(age, cause, n, entry_age, entry_n)
    steps = _steps(spells, of)
    return _read(spells, steps, steps.age, steps.n_events, steps.n_of, confidence)


def incidence_at(
    age, cause, n, ages, *, of: int = 1, entry_age=None, entry_n=None, confidence: float = 0.95
) -> pd.DataFrame:
    """
    Read the curve of `incidence` at the ages asked for.

    Parameters
    ----------
    age, cause, n, of, entry_age, entry_n, confidence
        As for `incidence`.
    ages : array_like
        Ages in days, 0 or more, in any order.

    Returns
    -------
    DataFrame, one row per age asked for, in that order
        The columns of `incidence`, but ``n_events`` and ``n_of`` count the exits **by** this
        age, and ``n_at_risk`` is the number at risk at this very age. Shares are those of the
        last exit at or before it; before the first the rate is 0.

        Beyond the longest follow-up ``open_share`` to ``rate_high`` are NaN, unless nothing was
        left open, for then the rate is final.

    Raises
    ------
    ValueError
        As for `incidence`, and for an impossible age asked for.

    Examples
    --------
    >>> read = incidence_at([10, 20, 20, 30], [1, 2, 0, 0], [1, 1, 1, 1], [0, 25, 90])
    >>> read[["age_days", "n_at_risk", "n_of", "rate"]]
       age_days  n_at_risk  n_of  rate
    0         0          4     0  0.00
    1        25          1     1  0.25
    2        90          0     1   NaN
    """
    spells = _spells(age, cause, n, entry_age, entry_n)
    steps = _steps(spells, of)
    t = _whole("ages", ages, must_be="whole days, 0 or more")
    position = np.searchsorted(steps.age, t, side="right")
    n_events = np.append(0, steps.n_events.cumsum())[position]
    n_of = np.append(0, steps.n_of.cumsum())[position]
    return _read(spells, steps, t, n_events, n_of, confidence)


def kaplan_meier(age, is_event, n, *, confidence: float = 0.95) -> pd.DataFrame:
    """
    Estimate the share still there after each age.

    Product-limit estimator [1]_ with the log-log band.

    Parameters
    ----------
    age, is_event, n : array_like
        ``n`` cases left (``is_event`` true) or were last seen (false) at ``age`` (days, 0 or
        more). Rows may repeat and come in any order.
    confidence : float
        Level of the pointwise two-sided band.

    Returns
    -------
    DataFrame, one row per age at which a case left, ascending
        ``age_days``, ``n_at_risk``, ``n_events``, ``share``, ``share_low``, ``share_high``
        (limits are NaN once the share is 0). Empty where none left.

    Raises
    ------
    ValueError
        An age, event or count is missing or out of range, or lengths differ.

    References
    ----------
    .. [1] Kaplan and Meier, JASA 53 (1958), 457-481; band: Kalbfleisch and Prentice, The
       Statistical Analysis of Failure Time Data (2002), section 1.4.

    Examples
    --------
    >>> kaplan_meier([2, 5, 5], [True, True, False], [1, 1, 2])[["age_days", "share"]]
       age_days  share
    0         2   0.75
    1         5   0.50
    """
    age, is_event, n = _exits(age, is_event, n, name="is_event", known=(0, 1))
    steps = _steps(_Spells(age, is_event, n, None, None), of=1)
    events, at_risk = steps.n_events.astype(float), steps.n_at_risk.astype(float)
    share = np.where(steps.open_share > 0, steps.open_share, np.nan)
    greenwood = np.cumsum(_greenwood_terms(events, at_risk))
    spread = two_sided_z(confidence) * np.sqrt(greenwood) / np.log(share)
    return pd.DataFrame(
        {
            "age_days": steps.age,
            "n_at_risk": steps.n_at_risk,
            "n_events": steps.n_events,
            "share": steps.open_share,
            "share_low": share ** np.exp(-spread),
            "share_high": share ** np.exp(spread),
        }
    )


def quantile(curve: pd.DataFrame, share: float) -> tuple[float, float, float]:
    """
    Read the age by which a share has left, with its interval, from `kaplan_meier`.

    Parameters
    ----------
    curve : DataFrame
        As `kaplan_meier` gives.
    share : float
        Share that has left, between 0 and 1: .5 gives the median.

    Returns
    -------
    value, low, high : float
        Days: the first age at which the share still there is 1 - ``share`` or less, and the
        first at which its lower and its upper limit is. NaN where that is not reached.

    Raises
    ------
    ValueError
        ``share`` is not between 0 and 1.

    References
    ----------
    Brookmeyer and Crowley, Biometrics 38 (1982), 29-41.

    Examples
    --------
    >>> quantile(kaplan_meier([2, 5, 7], [True, True, False], [1, 1, 1]), 0.5)
    (5.0, 2.0, nan)
    """
    if not 0 < share < 1:
        raise ValueError(f"share must lie between 0 and 1, but is {share}")
    age = curve["age_days"].to_numpy()

    def first_age(column):
        reached = np.flatnonzero(curve[column].to_numpy() <= 1 - share + _SAME)
        return float(age[reached[0]]) if reached.size else np.nan

    return first_age("share"), first_age("share_low"), first_age("share_high")


def restricted_mean(age, is_event, n, *, until: int, confidence: float = 0.95) -> Estimate:
    """
    Estimate the mean number of days spent up to an age, counting no longer than that.

    The area under `kaplan_meier` from 0 to ``until``. Unlike the mean age of those that left it
    is not drawn towards the quick ones when the rest is still there. Compare groups at the same
    ``until``.

    Parameters
    ----------
    age, is_event, n : array_like
        As for `kaplan_meier`.
    until : int
        Age in days, above 0.
    confidence : float
        Level of the two-sided normal interval.

    Returns
    -------
    Estimate
        Days, 0 to ``until``. All NaN where ``until`` lies beyond the last exit and some were
        still there (see `known_until`), and without cases. Where nobody left before ``until`` the standard error is
        0: it then says nothing.

    Raises
    ------
    ValueError
        As for `kaplan_meier`, or ``until`` is not above 0.

    References
    ----------
    Irwin, Journal of Hygiene 47 (1949), 188-189; Klein and Moeschberger, Survival Analysis
    (2003), section 4.5.

    Examples
    --------
    >>> [round(x, 3) for x in restricted_mean([2, 5, 5], [1, 1, 0], [1, 1, 2], until=5)]
    [4.25, 0.65, 2.977, 5.0]
    """
    if not until > 0:
        raise ValueError(f"until must be an age above 0, but is {until}")
    z = two_sided_z(confidence)
    age, is_event, n = _exits(age, is_event, n, name="is_event", known=(0, 1))
    steps = _steps(_Spells(age, is_event, n, None, None), of=1)
    if not until <= known_until(age, is_event, n):
        return Estimate(np.nan, np.nan, np.nan, np.nan)
    is_before = steps.age < until
    ends = np.append(steps.age[is_before], until).astype(float)
    share = np.append(1.0, steps.open_share[is_before])
    area = share * np.diff(ends, prepend=0.0)
    value = float(area.sum())
    later = area[::-1].cumsum()[::-1][1:]
    terms = _greenwood_terms(
        steps.n_events[is_before].astype(float), steps.n_at_risk[is_before].astype(float)
    )
    se = float(np.sqrt((later**2 * terms).sum()))
    return Estimate(value, se, max(value - z * se, 0.0), min(value + z * se, float(until)))


def known_until(age, is_event, n) -> float:
    """
    Return the age up to which `restricted_mean` is known.

    Of two groups the smaller one bounds the age at which they can be compared.

    Parameters
    ----------
    age, is_event, n : array_like
        As for `kaplan_meier`.

    Returns
    -------
    float
        Days: the last exit; infinite where nobody was still there after it, 0 without cases.

    Raises
    ------
    ValueError
        As for `kaplan_meier`.

    Examples
    --------
    >>> known_until([2, 5, 5], [1, 1, 0], [1, 1, 2]), known_until([2, 5], [0, 1], [1, 1])
    (5.0, inf)
    """
    age, is_event, n = _exits(age, is_event, n, name="is_event", known=(0, 1))
    if not n.sum():
        return 0.0
    return float(age.max()) if (is_event[age == age.max()] == 0).any() else np.inf


class _Spells(NamedTuple):
    """Checked exits, and entries or None where all are seen from the start."""

    age: np.ndarray
    cause: np.ndarray
    n: np.ndarray
    entry_age: np.ndarray | None
    entry_n: np.ndarray | None

    def n_at_risk(self, t):
        left = _n_from(self.age, self.n, t)
        if self.entry_age is None:
            return left
        return left - _n_from(self.entry_age, self.entry_n, t)


class _Steps(NamedTuple):
    """The curve at each age with an event."""

    age: np.ndarray
    n_at_risk: np.ndarray
    n_events: np.ndarray
    n_of: np.ndarray
    open_share: np.ndarray
    rate: np.ndarray
    variance: np.ndarray


def _steps(spells, of):
    if of not in (1, 2):
        raise ValueError(f"of must be cause 1 or 2, but is {of!r}")
    is_event = spells.cause > 0
    age, row = np.unique(spells.age[is_event], return_inverse=True)
    n, is_of = spells.n[is_event], spells.cause[is_event] == of
    n_events = np.bincount(row, weights=n, minlength=len(age))
    n_of = np.bincount(row, weights=n * is_of, minlength=len(age))
    n_at_risk = spells.n_at_risk(age)
    too_many = n_events > n_at_risk
    if too_many.any():
        first = int(np.flatnonzero(too_many)[0])
        raise ValueError(
            "every case must enter before it leaves, but at age "
            f"{age[first]} {n_events[first]:g} leave and {n_at_risk[first]} are at risk; "
            "leave out cases with entry_age >= age"
        )
    at_risk = n_at_risk.astype(float)
    open_share = np.cumprod(1 - n_events / at_risk)
    open_before = np.append(1.0, open_share)[:-1]
    rate = np.minimum(np.cumsum(open_before * n_of / at_risk), 1)
    variance = _variance(n_events, n_of, at_risk, open_before, rate)
    return _Steps(
        age, n_at_risk, n_events.astype(int), n_of.astype(int), open_share, rate, variance
    )


def _greenwood_terms(events, at_risk):
    survivors = at_risk - events
    return np.where(survivors > 0, events / (at_risk * np.maximum(survivors, 1)), 0)


def _variance(events, of, at_risk, open_before, rate):
    """Sum over earlier steps, with rate(t) - rate(t_j) multiplied out into running sums."""
    other = _greenwood_terms(events, at_risk)
    own = open_before**2 * of * (at_risk - of) / at_risk**3
    both = open_before * of / at_risk**2
    variance = (
        rate**2 * np.cumsum(other)
        - 2 * rate * np.cumsum(rate * other)
        + np.cumsum(rate**2 * other)
        + np.cumsum(own)
        - 2 * rate * np.cumsum(both)
        + 2 * np.cumsum(rate * both)
    )
    # It is 0 exactly where the rate is 0 or 1; rounding would leave a tiny number there.
    return np.where(rate < 1 - _SAME, np.maximum(variance, 0), 0)


def _read(spells, steps, t, n_events, n_of, confidence):
    position = np.searchsorted(steps.age, t, side="right")
    n_at_risk = spells.n_at_risk(t)
    open_share = np.append(1.0, steps.open_share)[position]
    is_known = (t <= spells.age.max(initial=-1)) | (open_share == 0)
    open_share = np.where(is_known, open_share, np.nan)
    rate = np.where(is_known, np.append(0.0, steps.rate)[position], np.nan)
    variance = np.where(is_known, np.append(0.0, steps.variance)[position], np.nan)
    is_exact = variance == 0
    n_eff = np.where(
        is_exact,
        np.maximum(_n_known(spells, steps, t, position, n_at_risk), 1),
        rate * (1 - rate) / np.where(is_exact, 1, variance),
    )
    low, high = wilson(rate * n_eff, n_eff, confidence=confidence)
    return pd.DataFrame(
        {
            "age_days": t,
            "n_at_risk": n_at_risk,
            "n_events": n_events,
            "n_of": n_of,
            "open_share": open_share,
            "rate": rate,
            "variance": variance,
            "n_eff": n_eff,
            "rate_low": np.minimum(low, rate),
            "rate_high": np.maximum(high, rate),
        }
    )


def _n_known(spells, steps, t, position, n_at_risk):
    """Number whose state at age t is known: the closed, and the open that are as old."""
    if spells.entry_age is not None and (spells.entry_age >= 0).any():
        smallest = np.minimum.accumulate(steps.n_at_risk)
        return np.where(position > 0, np.append(0, smallest)[position], n_at_risk)
    is_open = spells.cause == 0
    closed = spells.n[~is_open].sum()
    return closed + _n_from(spells.age[is_open], spells.n[is_open], t)


def _n_from(age, n, t):
    """Number whose age is t or more, for each t."""
    order = np.argsort(age)
    below = np.append(0, np.cumsum(n[order]))
    return below[-1] - below[np.searchsorted(age[order], t, side="left")]


def _spells(age, cause, n, entry_age, entry_n):
    age, cause, n = _exits(age, cause, n, name="cause", known=(0, 1, 2))
    if (entry_age is None) != (entry_n is None):
        raise ValueError("entry_age and entry_n must be given together, but one is missing")
    if entry_age is None:
        return _Spells(age, cause, n, None, None)
    entry_age = _whole("entry_age", entry_age, must_be="whole days, -1 or more", lowest=-1)
    entry_n = _whole("entry_n", entry_n, must_be="whole numbers, 0 or more")
    _same_length(entry_age=entry_age, entry_n=entry_n)
    if entry_n.sum() != n.sum():
        raise ValueError(
            "every case must enter once and leave once, but entry_n sums to "
            f"{entry_n.sum()} and n to {n.sum()}"
        )
    spells = _Spells(age, cause, n, entry_age[entry_n > 0], entry_n[entry_n > 0])
    if (spells.n_at_risk(spells.entry_age) < 0).any():
        raise ValueError(
            "every case must enter before it leaves, but at some age more have left than "
            "entered; leave out cases with entry_age >= age"
        )
    return spells


def _exits(age, cause, n, *, name, known):
    age = _whole("age", age, must_be="whole days, 0 or more")
    cause = _whole(name, cause, must_be=" or ".join(map(str, known)), highest=known[-1])
    n = _whole("n", n, must_be="whole numbers, 0 or more")
    _same_length(**{"age": age, name: cause, "n": n})
    return age[n > 0], cause[n > 0], n[n > 0]


def _same_length(**columns):
    lengths = {name: len(values) for name, values in columns.items()}
    if len(set(lengths.values())) > 1:
        found = ", ".join(f"{name} {length}" for name, length in lengths.items())
        raise ValueError(f"columns must have the same length, but have: {found}")


def _whole(name, values, *, must_be, lowest=0, highest=2**53):
    values = pd.Series(values).to_numpy(dtype=float, na_value=np.nan)
    is_wrong = ~((values >= lowest) & (values <= highest) & (values == np.floor(values)))
    if is_wrong.any():
        first = int(np.flatnonzero(is_wrong)[0])
        raise ValueError(
            f"{name} must be {must_be}, but {is_wrong.sum()} of {len(values)} are not, "
            f"the first at position {first}: {values[first]:g}"
        )
    return values.astype(np.int64)


def incidence_of_groups(counts, *, of: int = 1, confidence: float = 0.95) -> pd.DataFrame:
    """
    Read the curves of many groups at one age, all at once.

    Parameters
    ----------
    counts : array_like, groups x causes x ages
        Exits with cause 0 (last seen), 1 and 2 at each age 0, 1, … up to the age asked for, and in one last place all
        later ones.
    of, confidence
        As for `incidence`.

    Returns
    -------
    DataFrame, one row per group
        ``rate``, ``n_eff``, ``rate_low``, ``rate_high`` as `incidence_at` reads them at that age; NaN beyond the
        longest follow-up, also in a group without a case.

    Examples
    --------
    >>> counts = np.zeros((1, 3, 27))
    >>> counts[0, 1, 10] = counts[0, 1, 20] = counts[0, 0, 20] = counts[0, 0, 26] = 1
    >>> incidence_of_groups(counts)["rate"].tolist()
    [0.5]
    """
    counts = np.asarray(counts, dtype=float)
    at_risk = counts.sum(axis=1)[:, ::-1].cumsum(axis=1)[:, ::-1][:, :-1]
    events, own = counts[:, 1:, :-1].sum(axis=1), counts[:, of, :-1]
    n = np.where(at_risk > 0, at_risk, 1)
    share = np.cumprod(1 - events / n, axis=1)
    before = np.hstack([np.ones((len(counts), 1)), share[:, :-1]])
    rates = np.minimum(np.cumsum(before * own / n, axis=1), 1)
    gap = rates[:, -1:] - rates
    rate = rates[:, -1]
    left = np.where(n > events, n - events, np.inf)
    variance = gap**2 * events / (n * left) + before**2 * own * (n - own) / n**3
    variance = np.maximum((variance - 2 * gap * before * own / n**2).sum(axis=1), 0)
    followed = counts[:, :, -2:].sum(axis=(1, 2)) > 0
    is_known = (followed | (share[:, -1] == 0)) & (counts.sum(axis=(1, 2)) > 0)
    certain = np.maximum(counts[:, 1:].sum(axis=(1, 2)) + counts[:, 0, -2:].sum(axis=1), 1)
    is_exact = variance <= 1e-14 * rate  # what rounding leaves of a variance that is 0
    n_eff = np.where(is_exact, certain, rate * (1 - rate) / np.where(is_exact, 1, variance))
    low, high = wilson(rate * n_eff, n_eff, confidence=confidence)
    table = {
        "rate": rate,
        "n_eff": n_eff,
        "rate_low": np.minimum(low, rate),
        "rate_high": np.maximum(high, rate),
    }
    return pd.DataFrame(
        {name: np.where(is_known, values, np.nan) for name, values in table.items()}
    )
