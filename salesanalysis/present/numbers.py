"""
Numbers, money and dates as text, in the language of :mod:`.words`.

Each function formats one value and computes nothing. What is missing (NaN, NaT, None) is
"n/a", never 0.
"""

import datetime
import math
from decimal import Decimal
from functools import cache, lru_cache

import pandas as pd
from babel import Locale
from babel.dates import format_date, format_interval, format_skeleton
from babel.numbers import format_compact_decimal, format_decimal, parse_pattern

from . import words

NO_BREAK = "\u00a0"


def count(value: float) -> str:
    """
    Format a number of rows, deals or days in a stage as a whole number.

    Examples
    --------
    >>> count(4238), count(0), count(float("nan"))
    ('4,238', '0', 'n/a')
    """
    return _decimal(value, "#,##0")


def decimal(value: float, *, digits: int = 2) -> str:
    """
    Format a number with a fixed number of decimals.

    Examples
    --------
    >>> decimal(1.036), decimal(43.21, digits=1), decimal(None)
    ('1.04', '43.2', 'n/a')
    """
    return _decimal(value, _pattern(digits))


def fraction5(value: float) -> str:
    """
    Format a fraction with five decimals, so that it can be compared with a published one.

    Examples
    --------
    >>> fraction5(0.0910843), fraction5(float("nan"))
    ('0.09108', 'n/a')
    """
    return _decimal(value, _pattern(5))


def percent(rate: float, *, digits: int = 0) -> str:
    """
    Format a fraction as per cent.

    Examples
    --------
    >>> percent(0.2657).replace(NO_BREAK, " "), percent(0.6315, digits=1).replace(NO_BREAK, " ")
    ('27 %', '63.2 %')
    >>> percent(float("nan"))
    'n/a'
    """
    return _decimal(rate, f"{_pattern(digits)}{NO_BREAK}%")


def percent_range(low: float, high: float, *, digits: int = 0) -> str:
    """
    Format an interval of a fraction as per cent; without one of its bounds it is "n/a".

    Examples
    --------
    >>> percent_range(0.238, 0.302).replace(NO_BREAK, " ")
    '24–30 %'
    >>> percent_range(float("nan"), 0.302)
    'n/a'
    """
    if _is_missing(low) or _is_missing(high):
        return missing()
    return (
        f"{percent(low, digits=digits).removesuffix(f'{NO_BREAK}%')}–{percent(high, digits=digits)}"
    )


def points_range(low: float, high: float, *, digits: int = 1) -> str:
    """
    Format an interval of a difference of two fractions, in percentage points with signs.

    Examples
    --------
    >>> points_range(-0.121, 0.034)
    '−12.1 to +3.4'
    """
    if _is_missing(low) or _is_missing(high):
        return missing()
    return words._("{low} to {high}").format(
        low=points(low, digits=digits), high=points(high, digits=digits)
    )


def points(difference: float, *, digits: int = 1) -> str:
    """
    Format a difference of two fractions in percentage points, with its sign.

    Examples
    --------
    >>> points(0.034), points(-0.121), points(-0.0001)
    ('+3.4', '−12.1', '0.0')
    """
    if _is_missing(difference):
        return missing()
    number = round(difference * 100, digits)
    sign = "+" if number > 0 else "−" if number < 0 else ""
    return sign + _decimal(abs(number), _pattern(digits))


def count_range(low: float, high: float) -> str:
    """
    Format an interval of whole numbers, such as ranks.

    Examples
    --------
    >>> count_range(3, 11), count_range(2, 2), count_range(float("nan"), 4)
    ('3–11', '2', 'n/a')
    """
    if _is_missing(low) or _is_missing(high):
        return missing()
    return count(low) if low == high else f"{count(low)}–{count(high)}"


def of(k: float, n: float) -> str:
    """
    Format the two counts behind a rate.

    Examples
    --------
    >>> of(4238, 6711), of(3, float("nan"))
    ('4,238/6,711', 'n/a')
    """
    if _is_missing(k) or _is_missing(n):
        return missing()
    return f"{count(k)}/{count(n)}"


def money(value: float, currency: str | None, *, compact: bool = False) -> str:
    """
    Format an amount with the code of its currency; compact for cards, in full for tables.

    Examples
    --------
    >>> money(10005534, "USD").replace(NO_BREAK, " ")
    'USD 10,005,534'
    >>> money(10005534, "CNY", compact=True).replace(NO_BREAK, " ")
    'CNY 10M'
    >>> money(1153214.5, None, compact=True), money(float("nan"), "USD")
    ('1.2M', 'n/a')
    >>> money(100.30000000000001, None, compact=True)
    '100'
    """
    if _is_missing(value):
        return missing()
    number = _compact(value) if compact else _decimal(value, "#,##0")
    return f"{currency}{NO_BREAK}{number}" if currency else number


def days(value: float) -> str:
    """
    Format a span with its unit; a half day is kept, since medians can fall between two days.

    Examples
    --------
    >>> days(57), days(1), days(29.5), days(float("nan"))
    ('57 days', '1 day', '29.5 days', 'n/a')
    """
    if _is_missing(value):
        return missing()
    return words.translate_n("{n} day", "{n} days", value).format(n=span(value))


def span(value: float) -> str:
    """
    Format a span for a column whose label already says days.

    Examples
    --------
    >>> span(57.0), span(29.5), span(float("nan"))
    ('57', '29.5', 'n/a')
    """
    return _decimal(value, "#,##0.#")


def span_range(low: float, high: float) -> str:
    """
    Format an interval of a span; an upper bound that is not reached yet leaves it open.

    Examples
    --------
    >>> span_range(28, 36.5), span_range(30, 30)
    ('28–36.5', '30')
    >>> span_range(28, float("nan")), span_range(float("nan"), 36)
    ('28 or more', 'n/a')
    """
    if _is_missing(low):
        return missing()
    if _is_missing(high):
        return words._("{low} or more").format(low=span(low))
    return span(low) if low == high else f"{span(low)}–{span(high)}"


def date(day: datetime.date | pd.Timestamp) -> str:
    """
    Format a day.

    Examples
    --------
    >>> date(pd.Timestamp("2017-12-31")), date(pd.NaT)
    ('31 Dec 2017', 'n/a')
    """
    if _is_missing(day):
        return missing()
    return format_date(day, words._("d MMM y"), locale=locale())


def month(day: datetime.date | pd.Timestamp) -> str:
    """
    Format the month that a day lies in.

    Examples
    --------
    >>> month(pd.Timestamp("2017-03-01")), month(pd.NaT)
    ('Mar 2017', 'n/a')
    """
    if _is_missing(day):
        return missing()
    return format_skeleton("yMMM", day, locale=locale())


def month_range(first: datetime.date, last: datetime.date) -> str:
    """
    Format a period by the months that its first and its last day lie in.

    Examples
    --------
    >>> first, last = pd.Timestamp("2026-04-01"), pd.Timestamp("2026-06-30")
    >>> month_range(first, last).replace(NO_BREAK, " ")
    'Apr–Jun 2026'
    >>> month_range(first, first).replace(NO_BREAK, " ")
    'Apr 2026'
    """
    text = format_interval(first, last, "yMMM", locale=locale())
    return text.replace("\u2009–\u2009", "–").replace(" ", NO_BREAK)


def p_value(p: float) -> str:
    """
    Format a p-value with its sign.

    Examples
    --------
    >>> p_value(0.0312), p_value(0.246), p_value(0.00002), p_value(float("nan"))
    ('= 0.031', '= 0.25', '< 0.001', 'n/a')
    """
    if _is_missing(p):
        return missing()
    if p < 0.001:
        return "< " + _decimal(0.001, _pattern(3))
    return "= " + _decimal(p, _pattern(3 if p < 0.1 else 2))


def missing() -> str:
    """
    Give the text that stands for a number that cannot be said.

    Examples
    --------
    >>> missing()
    'n/a'
    """
    return words._("n/a")


def locale() -> Locale:
    """
    Give the conventions of the language in use.

    Examples
    --------
    >>> locale().language
    'en'
    """
    return _locale(words.language())


@cache
def _locale(language: str) -> Locale:
    return Locale.parse(language)


def _decimal(value: float, pattern: str) -> str:
    if _is_missing(value):
        return missing()
    return _formatted(str(_plain(value)), pattern, words.language())


_parsed = cache(parse_pattern)


@lru_cache(maxsize=10_000)
def _formatted(number: str, pattern: str, language: str) -> str:
    """Most numbers of a page are small counts and shares, which come again and again."""
    return format_decimal(Decimal(number), format=_parsed(pattern), locale=_locale(language))


def _compact(value: float) -> str:
    if abs(value) < 1000:  # Babel would show such a number with all its decimals
        return _decimal(value, "#,##0")
    text = format_compact_decimal(_plain(value), fraction_digits=1, locale=locale())
    return text.replace(" ", NO_BREAK)


def _pattern(digits: int) -> str:
    return "#,##0" + ("." + "0" * digits if digits else "")


def _plain(value: float) -> int | float:
    """Babel reads Python's numbers, not numpy's."""
    return value.item() if hasattr(value, "item") else value


def _is_missing(value: object) -> bool:
    return bool(pd.isna(value)) or (isinstance(value, float) and math.isinf(value))
