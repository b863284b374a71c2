"""
Days and periods that a suite names by a word, resolved once by the runner; a notebook never asks the clock.

Quarters, halves and years are those of the company: its year starts on the first of the month ``year_starts``. A year has
four quarters and two halves of whole months, whichever month it starts in.
"""

import re
from datetime import MAXYEAR, MINYEAR, date, datetime, timedelta
from zoneinfo import ZoneInfo

from salesanalysis.report.exits import Exit, RunError

MONTHS = {"month": 1, "quarter": 3, "half": 6, "year": 12}
"""How many months each unit has."""

EVERY = ("week", *MONTHS)
ENDS = tuple(f"last_{unit}_end" for unit in EVERY)
WORDS = ("today", "yesterday", *ENDS)
PERIODS = tuple(f"last_{unit}" for unit in MONTHS)

_DAY = timedelta(days=1)
_FORMS = f'"2026-06-30" or one of {", ".join(WORDS)}'


def today(now: datetime, zone: ZoneInfo) -> date:
    """
    Give the day it is in a time zone.

    Parameters
    ----------
    now : datetime
        An instant, with its own zone.
    zone : ZoneInfo
        Whose day is meant.

    Examples
    --------
    >>> from datetime import UTC
    >>> today(datetime(2026, 6, 30, 16, 0, tzinfo=UTC), ZoneInfo("Asia/Shanghai"))
    datetime.date(2026, 7, 1)
    """
    if now.tzinfo is None:
        raise ValueError(f"an instant must have a time zone, found {now}")
    return now.astimezone(zone).date()


def resolve(text: str, *, today: date, year_starts: int = 1) -> date:
    """
    Resolve an as-of date.

    Parameters
    ----------
    text : str
        A day as ``2026-06-30``, or a word: ``today``, ``yesterday``, or ``last_week_end`` (Sunday), ``last_month_end``,
        ``last_quarter_end``, ``last_half_end``, ``last_year_end``: the last day of the last one that is over. Today is
        not over, so on the last day of a month ``last_month_end`` is that of the month before.
    today : date
        The day it is, in the suite's time zone.
    year_starts : int
        Month, 1 to 12, in which the company's year starts.

    Raises
    ------
    RunError
        Code USAGE: anything else.

    Examples
    --------
    >>> resolve("last_month_end", today=date(2024, 3, 15))
    datetime.date(2024, 2, 29)
    >>> resolve("last_quarter_end", today=date(2026, 6, 30), year_starts=2)
    datetime.date(2026, 4, 30)
    """
    if text == "today":
        return today
    if text == "yesterday":
        return today - _DAY
    if text in ENDS:
        unit = text.removeprefix("last_").removesuffix("_end")
        return _first(unit, today, year_starts) - _DAY
    found = _day(text)
    if found is None:
        raise _refused(f"as_of must be a day such as {_FORMS}, but is {text!r}")
    return found


def period(text: str, *, as_of: date, year_starts: int = 1) -> str:
    """
    Resolve the word for a period to its name; any other text is given back as it is.

    Parameters
    ----------
    text : str
        ``last_month``, ``last_quarter``, ``last_half`` or ``last_year``: the last one that is over at the end of the
        as-of day.
    as_of : date
        The as-of day, which may itself be the last day of the period.
    year_starts : int
        As for `resolve`.

    Returns
    -------
    str
        As notebooks read it: ``2026-06``, ``2026-Q2``, ``2026-H1``, ``2026``. Where the company's year does not start in
        January, a quarter, half or year is named by its months, ``2026-02..2026-04``, so that nobody takes it for one
        of the calendar.

    Raises
    ------
    RunError
        Code USAGE: another text that begins with ``last``.

    Examples
    --------
    >>> period("last_quarter", as_of=date(2026, 6, 30))
    '2026-Q2'
    >>> period("last_quarter", as_of=date(2026, 6, 30), year_starts=2)
    '2026-02..2026-04'
    """
    if text not in PERIODS:
        if text.startswith("last"):
            raise _refused(
                f'period must be one of {", ".join(PERIODS)}, a name such as "2026-Q2", or empty, but is {text!r}'
            )
        return text
    unit = text.removeprefix("last_")
    last = _first(unit, as_of + _DAY, year_starts) - _DAY
    first = _first(unit, last, year_starts)
    if unit == "month":
        return f"{first:%Y-%m}"
    if year_starts != 1:
        return f"{first:%Y-%m}..{last:%Y-%m}"
    return {
        "quarter": f"{first:%Y}-Q{last.month // 3}",
        "half": f"{first:%Y}-H{last.month // 6}",
        "year": f"{first:%Y}",
    }[unit]


def days(
    first: str, last: str, *, today: date, every: str = "month", year_starts: int = 1
) -> list[date]:
    """
    List the as-of dates of a backfill: the last day of each week, month, … between two bounds.

    Parameters
    ----------
    first, last : str
        A month as ``2024-01``, meant from its first to its last day, or a day as ``2024-01-31``; both included.
    today : date
        The day it is, in the suite's time zone.
    every : str
        ``week`` (Sundays), ``month``, ``quarter``, ``half`` or ``year``.
    year_starts : int
        As for `resolve`.

    Returns
    -------
    list of date, in order, at least one

    Raises
    ------
    RunError
        Code USAGE: a bound or `every` is something else, the last bound lies before the first or after today, or nothing
        ends between them.

    Examples
    --------
    >>> [f"{day}" for day in days("2024-01", "2024-03", today=date(2026, 7, 1))]
    ['2024-01-31', '2024-02-29', '2024-03-31']
    """
    if every not in EVERY:
        raise _refused(f"every must be one of {', '.join(EVERY)}, but is {every!r}")
    begin, end = _bound(first, "from")[0], _bound(last, "to")[1]
    if end < begin:
        raise _refused(f"to must not lie before from, but from is {first!r} and to is {last!r}")
    if end > today:
        raise _refused(
            f"to must not lie after today, {today}: reports cannot look ahead, but it is {last!r}, which ends on "
            f"{end}; give an earlier one, such as {_first('month', today, 1) - _DAY:%Y-%m}"
        )
    found = []
    day = _end(every, begin, year_starts)
    while day <= end:
        found.append(day)
        day = _end(every, day + _DAY, year_starts)
    if not found:
        raise _refused(
            f"a {every} must end from {begin} to {end}, but the next one ends on {day}; "
            f"widen from and to, or give another every"
        )
    return found


def _first(unit: str, day: date, year_starts: int) -> date:
    """First day of the week, month, … that a day lies in."""
    if unit == "week":
        return day - timedelta(days=day.weekday())
    months = 12 * day.year + day.month - 1
    return _month(months - (day.month - year_starts) % MONTHS[unit])


def _end(unit: str, day: date, year_starts: int) -> date:
    """Last day of the week, month, … that a day lies in."""
    if unit == "week":
        return day + timedelta(days=6 - day.weekday())
    first = _first(unit, day, year_starts)
    return _month(12 * first.year + first.month - 1 + MONTHS[unit]) - _DAY


def _month(months: int) -> date:
    """First day of a month, counted from year 0."""
    return date(months // 12, months % 12 + 1, 1)


def _bound(text: str, name: str) -> tuple[date, date]:
    """First and last day of what a bound of a backfill says."""
    found = _day(f"{text}-01" if re.fullmatch(r"\d{4}-\d\d", text) else text)
    if found is None or not MINYEAR < found.year < MAXYEAR:
        raise _refused(
            f'{name} must be a month such as "2024-01" or a day such as "2024-01-31", but is {text!r}'
        )
    return (found, found) if len(text) == 10 else (found, _end("month", found, 1))


def _day(text: str) -> date | None:
    """Read a day; Python alone would also read 20260630, 2026-W27-2 and digits of other scripts."""
    try:
        return (
            date.fromisoformat(text) if re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", text) else None
        )
    except ValueError:
        return None


def _refused(message: str) -> RunError:
    return RunError(message, Exit.USAGE)
