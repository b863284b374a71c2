"""Periods: names both ways, first and last days, the last quarter over, the ones before, and what is refused."""

import calendar
import datetime
import itertools

import pytest

from salesanalysis.crm.errors import ParameterError
from salesanalysis.metrics.periods import Period, period, series

TODAY = datetime.date(2026, 6, 30)


def date(text):
    """A day of the year-month-day text."""
    return datetime.date.fromisoformat(text)


@pytest.mark.parametrize(
    ("text", "first", "last", "months"),
    [
        ("2026-Q1", "2026-01-01", "2026-03-31", 3),
        ("2025-Q4", "2025-10-01", "2025-12-31", 3),
        ("2025-H1", "2025-01-01", "2025-06-30", 6),
        ("2025-H2", "2025-07-01", "2025-12-31", 6),
        ("2024-02", "2024-02-01", "2024-02-29", 1),
        ("2025-02", "2025-02-01", "2025-02-28", 1),
        ("2025", "2025-01-01", "2025-12-31", 12),
        ("2025-07..2026-05", "2025-07-01", "2026-05-31", 11),
        ("2025-11..2026-02", "2025-11-01", "2026-02-28", 4),
        ("2026-Q2", "2026-04-01", "2026-06-30", 3),
        ("2026", "2026-01-01", "2026-12-31", 12),
    ],
)
def test_a_name_means_whole_months_and_is_kept(text, first, last, months):
    """
    First and last day, length, and the same name back; a period need not be over.
    """
    found = period(text, as_of=TODAY)

    assert found == Period(text, date(first), date(last))
    assert found.months == months
    assert str(found) == text


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("2025-04..2025-06", "2025-Q2"),
        ("2025-01..2025-06", "2025-H1"),
        ("2025-03..2025-03", "2025-03"),
        ("2025-01..2025-12", "2025"),
        ("2025-02..2025-04", "2025-02..2025-04"),
        ("2025-04..2025-09", "2025-04..2025-09"),
        ("2025-07..2026-06", "2025-07..2026-06"),
    ],
)
def test_months_that_are_a_quarter_half_or_year_are_called_so(text, name):
    """
    Only from the month in which one begins.
    """
    assert period(text, as_of=TODAY).name == name


@pytest.mark.parametrize(
    ("as_of", "name"),
    [
        ("2026-06-30", "2026-Q2"),
        ("2026-06-29", "2026-Q1"),
        ("2026-07-01", "2026-Q2"),
        ("2025-12-31", "2025-Q4"),
        ("2026-01-01", "2025-Q4"),
        ("2026-03-30", "2025-Q4"),
    ],
)
def test_the_default_is_the_last_quarter_that_is_over(as_of, name):
    """
    Over by the end of the as-of day.
    """
    found = period("", as_of=date(as_of))

    assert found.name == name
    assert found.last <= date(as_of)


@pytest.mark.parametrize(
    "text",
    [
        *("2026-Q0", "2026-Q5", "2026-H3", "2026-13", "2026-00", "26-Q1", "Q1 2026", "2026-Q2 "),
        *("2026-05..2026-04", "2026-04..", "2026-Q1..2026-Q2", "0000-Q1", "last", "2026-q2"),
    ],
)
def test_other_names_are_refused(text):
    """
    The message lists the forms and what was found.
    """
    with pytest.raises(ParameterError, match=r'must be a quarter "2026-Q2".*found') as error:
        period(text, as_of=TODAY)

    assert repr(text) in str(error.value)


@pytest.mark.parametrize("text", ["2026-Q3", "2026-07", "2027", "2026-H2", "2026-07..2026-08"])
def test_a_period_must_have_begun(text):
    """
    Nothing can be said of one that begins after the as-of day; one that begins on it is fine.
    """
    with pytest.raises(
        ParameterError, match="must have begun by 2026-06-30, the as-of date; found"
    ):
        period(text, as_of=TODAY)

    assert period(text, as_of=date("2027-01-01")).first <= date("2027-01-01")


@pytest.mark.parametrize("text", ["2026-Q1", "2025-H2", "2024-03", "2025", "2025-07..2026-05"])
def test_periods_before_follow_without_a_gap(text):
    """
    Each of a series ends the day before the next begins, and all are as long.
    """
    last = period(text, as_of=TODAY)

    found = series(last, 5)

    assert len(found) == 5
    assert found[-1] == last
    for one, following in itertools.pairwise(found):
        assert one.last + datetime.timedelta(days=1) == following.first
        assert one.months == following.months
        assert one == following.before()
        assert one.last.day == calendar.monthrange(one.last.year, one.last.month)[1]
        assert one.first.day == 1


def test_a_series_of_one_is_the_period_itself():
    """
    No period before is asked for.
    """
    assert series(period("2026-Q1", as_of=TODAY), 1) == [period("2026-Q1", as_of=TODAY)]
