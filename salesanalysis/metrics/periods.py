"""
Periods of an appraisal: whole calendar months, named as people name them.

Where a company's year does not start in January (``year_starts``, a month from 1 to 12), its quarters are its own, and every
quarter, half and year is named by its months: "2026-Q2" would be read as the company's by some and as the calendar's by others.
"""

import datetime
import re
from typing import NamedTuple

from salesanalysis.crm.errors import ParameterError

_FORMS = 'a quarter "2026-Q2", a half "2026-H1", a month "2026-06", a year "2026" or months "2025-07..2026-05"'
_MONTHS = 'a month "2026-06" or months "2025-07..2026-05"'


class Period(NamedTuple):
    """From the first to the last day, both included; always whole months."""

    name: str
    first: datetime.date
    last: datetime.date

    @property
    def months(self) -> int:
        """How many calendar months it has."""
        return 12 * (self.last.year - self.first.year) + self.last.month - self.first.month + 1

    def before(self) -> "Period":
        """
        The period of the same length that ends the day before this one begins.

        >>> str(Period("2026-Q1", datetime.date(2026, 1, 1), datetime.date(2026, 3, 31)).before())
        '2025-Q4'
        """
        by_months = ".." in self.name
        return _of_months(_shifted(self.first, -self.months), self.months, by_months=by_months)

    def __str__(self) -> str:
        return self.name


def period(text: str, *, as_of: datetime.date, year_starts: int = 1) -> Period:
    """
    Read the name of a period.

    Parameters
    ----------
    text : str
        As ``2026-Q2``, ``2026-H1``, ``2026-06``, ``2026`` or ``2025-07..2026-05``; empty means the last
        quarter that is over by `as_of`. Where the year does not start in January, months only.
    as_of : date
        A period must have begun by then. One that is not over then is measured as far as it went.
    year_starts : int
        Month in which the company's year starts.

    Raises
    ------
    ParameterError
        No such period, it begins after `as_of`, or no such month.

    Examples
    --------
    >>> period("", as_of=datetime.date(2026, 6, 30))
    Period(name='2026-Q2', first=datetime.date(2026, 4, 1), last=datetime.date(2026, 6, 30))
    >>> period("2019-07..2020-05", as_of=datetime.date(2020, 5, 31)).months
    11
    >>> str(period("", as_of=datetime.date(2026, 6, 30), year_starts=2))
    '2026-02..2026-04'
    """
    if text == "":
        tomorrow = as_of + datetime.timedelta(days=1)
        return quarter_of(tomorrow, year_starts=year_starts).before()
    by_months = _is_fiscal(year_starts)
    found = _read(text, by_months=by_months)
    if found is not None and by_months and not re.fullmatch(r"\d{4}-\d\d(\.\.\d{4}-\d\d)?", text):
        raise ParameterError(
            f"period must be {_MONTHS}, or empty for the last quarter, where the year starts in month {year_starts}: "
            f"a quarter, half or year by number could be the company's or the calendar's; found {text!r}"
        )
    if found is None:
        raise ParameterError(
            f"period must be {_FORMS}, or empty for the last quarter; found {text!r}"
        )
    if found.first > as_of:
        raise ParameterError(
            f"period must have begun by {as_of}, the as-of date; found {text!r}, which begins on {found.first}"
        )
    return found


def quarter_of(day: datetime.date, *, year_starts: int = 1) -> Period:
    """
    Give the quarter that a day lies in, of a year that starts in the month `year_starts`.

    >>> str(quarter_of(datetime.date(2026, 7, 1)))
    '2026-Q3'
    >>> str(quarter_of(datetime.date(2026, 7, 31), year_starts=2))
    '2026-05..2026-07'
    """
    by_months = _is_fiscal(year_starts)
    first = _shifted(day.replace(day=1), -((day.month - year_starts) % 3))
    return _of_months(first, 3, by_months=by_months)


def series(last: Period, n: int) -> list[Period]:
    """`n` periods of equal length in order of time, the one given being the last."""
    found = [last]
    while len(found) < n:
        found.append(found[-1].before())
    return found[::-1]


def _is_fiscal(year_starts: int) -> bool:
    if not isinstance(year_starts, int) or not 1 <= year_starts <= 12:
        raise ParameterError(f"year_starts must be a month from 1 to 12, found {year_starts!r}")
    return year_starts != 1


def _read(text: str, *, by_months: bool) -> Period | None:
    forms = {
        r"(\d{4})-Q([1-4])": lambda year, k: (datetime.date(year, 3 * k - 2, 1), 3),
        r"(\d{4})-H([12])": lambda year, k: (datetime.date(year, 6 * k - 5, 1), 6),
        r"(\d{4})-(0[1-9]|1[0-2])": lambda year, month: (datetime.date(year, month, 1), 1),
        r"(\d{4})": lambda year: (datetime.date(year, 1, 1), 12),
        r"(\d{4})-(0[1-9]|1[0-2])\.\.(\d{4})-(0[1-9]|1[0-2])": _between,
    }
    for form, read in forms.items():
        if match := re.fullmatch(form, text):
            try:
                first, months = read(*map(int, match.groups()))
                return _of_months(first, months, by_months=by_months) if months > 0 else None
            except ValueError:  # a year without a calendar
                return None
    return None


def _between(year: int, month: int, last_year: int, last_month: int) -> tuple[datetime.date, int]:
    return datetime.date(year, month, 1), 12 * (last_year - year) + last_month - month + 1


def _shifted(first: datetime.date, months: int) -> datetime.date:
    count = 12 * first.year + first.month - 1 + months
    return datetime.date(count // 12, count % 12 + 1, 1)


def _of_months(first: datetime.date, months: int, *, by_months: bool) -> Period:
    """Name it; a single month always as such, others `by_months` where their number could mean two things."""
    last = _shifted(first, months) - datetime.timedelta(days=1)
    whole = {1: 1, 3: 3, 6: 6, 12: 12}.get(months)
    if whole == 1 or (whole and not by_months and (first.month - 1) % whole == 0):
        part = (first.month - 1) // whole + 1
        name = {
            1: f"{first:%Y-%m}",
            3: f"{first:%Y}-Q{part}",
            6: f"{first:%Y}-H{part}",
            12: f"{first:%Y}",
        }[whole]
    else:
        name = f"{first:%Y-%m}..{last:%Y-%m}"
    return Period(name, first, last)
