"""
The gate before a run: are the data as new as the as-of date needs?

A report made by the clock on data that came late shows old numbers under a new date, and nobody sees it. The export's own
day is declared by hand, so it proves nothing: what counts is when anything was last recorded.

How late is too late? Nothing is recorded on weekends and holidays: the longest ones known in advance are nine days (Chinese New
Year with its weekends, the week between Christmas and Epiphany), so 10 days never stop an honest run there. A source may have a slower
rhythm, such as orders that are all booked on the first of the month. So the source's own rhythm counts where it is slower: the longest
time between two days with records in the year before, the single longest left out, since one interruption must
not excuse the next. A company that knows better says so: ``freshness_days`` in the suite holds alone.
"""

from collections.abc import Mapping, Sequence
from datetime import date
from itertools import pairwise
from typing import Any

from salesanalysis.report.exits import Exit, RunError

LEAST_DAYS = 10
"""The newest record may always be so many days old, unless the suite says otherwise."""


def allowed(days: Sequence[date], given: int | None = None) -> int:
    """
    Say how many days old the newest record may be.

    Parameters
    ----------
    days : sequence of date
        Days on which anything was recorded in the year before the newest of them, in order.
    given : int, optional
        ``freshness_days`` of the suite; holds alone.

    Examples
    --------
    >>> allowed([date(2026, month, 1) for month in range(1, 7)])
    31
    >>> allowed([date(2026, 6, 1), date(2026, 6, 2), date(2026, 6, 30)])
    10
    """
    if given is not None:
        return given
    gaps = sorted((later - one).days for one, later in pairwise(days))
    return max([LEAST_DAYS, *gaps[-2:-1]])


def late(newest: date | None, as_of: date, allowed_days: int) -> str | None:
    """
    Say what is wrong if the newest record is too old for the as-of date; None where all is well.

    Parameters
    ----------
    newest : date or None
        The newest day by `as_of` on which anything was recorded.
    as_of : date
        The last day that the reports are about.
    allowed_days : int
        How many days may lie between the two.
    """
    what_to_do = (
        "load a newer export, name another store with --crm, allow more with freshness_days in the suite, or run "
        "with --stale all the same"
    )
    if newest is None:
        return (
            f"something must be recorded by {as_of}, the as-of date, but nothing is; {what_to_do}"
        )
    found = (as_of - newest).days
    if found <= allowed_days:
        return None
    return (
        f"the newest record must be at most {allowed_days} days older than {as_of}, the as-of date, but it is of "
        f"{newest}, {found} days before; {what_to_do}"
    )


def outside(about: Mapping[str, Any], as_of: date) -> str | None:
    """
    Say what is wrong if the store was not observed on the as-of date; None where it was.

    Parameters
    ----------
    about : mapping
        ``source``, ``extracted_on`` (day of the export) and ``first_on`` (day of the first deal, or None).
    as_of : date
        The last day that the reports are about.
    """
    source, last, first = about["source"], about["extracted_on"], about["first_on"]
    if as_of > last:
        return (
            f"as_of must not lie after {last}, the day of the export of {source}: later days were not observed, but it "
            f"is {as_of}; load a newer export, or give an earlier --as-of"
        )
    if first is not None and as_of < first:
        return (
            f"as_of must not lie before the first deal of {source}, which was created on {first}, but it is {as_of}; "
            f"give a later --as-of"
        )
    return None


def expect(
    about: Mapping[str, Any],
    days: Sequence[date],
    *,
    as_of: date,
    given: int | None = None,
    stale: bool = False,
) -> None:
    """
    Let a run go on only with data that reach its as-of date.

    Parameters
    ----------
    about, as_of
        As for `outside`.
    days, given
        As for `allowed`; only days up to `as_of`.
    stale : bool
        Old data are wanted. A day that was not observed is refused all the same.

    Raises
    ------
    RunError
        Code INPUT_REFUSED, with the message of `outside` or `late`.
    """
    message = outside(about, as_of)
    if message is None and not stale:
        message = late(max(days, default=None), as_of, allowed(days, given))
        message = message and f"{about['source']}: {message}"
    if message is not None:
        raise RunError(message, Exit.INPUT_REFUSED)
