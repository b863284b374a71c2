"""Days and periods named by a word: worked by hand, and what is refused."""

from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from salesanalysis.metrics import periods
from salesanalysis.report import dates
from salesanalysis.report.exits import Exit, RunError

TODAY = date(2026, 7, 1)


def day(text):
    return date.fromisoformat(text)


@pytest.mark.parametrize(
    ("text", "today", "expected"),
    [
        ("2017-12-31", "2026-07-01", "2017-12-31"),
        ("2030-01-01", "2026-07-01", "2030-01-01"),  # the data say what is too late, not the clock
        ("today", "2026-07-01", "2026-07-01"),
        ("yesterday", "2026-01-01", "2025-12-31"),
        ("last_week_end", "2026-07-01", "2026-06-28"),  # a Wednesday
        ("last_week_end", "2026-06-29", "2026-06-28"),  # a Monday
        ("last_week_end", "2026-06-28", "2026-06-21"),  # a Sunday is not over
        ("last_month_end", "2026-01-01", "2025-12-31"),
        ("last_month_end", "2024-03-31", "2024-02-29"),
        ("last_quarter_end", "2026-06-30", "2026-03-31"),
        ("last_quarter_end", "2026-07-01", "2026-06-30"),
        ("last_half_end", "2026-06-30", "2025-12-31"),
        ("last_half_end", "2026-07-01", "2026-06-30"),
        ("last_year_end", "2026-12-31", "2025-12-31"),
    ],
)
def test_a_day_is_resolved_from_the_day_it_is(text, today, expected):
    """A written day is itself; a word is the last one that is over."""
    assert dates.resolve(text, today=day(today)) == day(expected)


@pytest.mark.parametrize(
    ("text", "year_starts", "expected"),
    [
        ("last_quarter_end", 4, "2026-03-31"),
        ("last_half_end", 4, "2026-03-31"),
        ("last_year_end", 4, "2026-03-31"),
        ("last_quarter_end", 2, "2026-04-30"),
        ("last_half_end", 2, "2026-01-31"),
        ("last_year_end", 2, "2026-01-31"),
        ("last_half_end", 10, "2026-03-31"),
        ("last_year_end", 10, "2025-09-30"),
        ("last_quarter_end", 12, "2026-05-31"),
        ("last_year_end", 7, "2025-06-30"),
        ("last_month_end", 7, "2026-05-31"),
        ("last_week_end", 7, "2026-06-28"),
    ],
)
def test_quarters_halves_and_years_are_those_of_the_company(text, year_starts, expected):
    """On 30 June 2026; months and weeks are the same for everybody."""
    assert dates.resolve(text, today=day("2026-06-30"), year_starts=year_starts) == day(expected)


@pytest.mark.parametrize(
    "text",
    [
        *("2026-02-30", "20260630", "2026-W27-2", "26-1-1", "", "2026-06-30 ", "２０２６-06-30"),
        *("Today", "last_month", "last_week", "last_decade_end", "tomorrow", "2026-06"),
    ],
)
def test_another_day_is_refused(text):
    """A day that does not exist, or in another form: the message lists the words."""
    with pytest.raises(RunError, match="as_of must be a day such as .*last_quarter_end") as caught:
        dates.resolve(text, today=TODAY)

    assert caught.value.code == Exit.USAGE and repr(text) in str(caught.value)


def test_an_instant_is_another_day_elsewhere():
    """16:00 UTC is midnight in Shanghai; an instant without a zone is none."""
    late = datetime(2026, 6, 30, 15, 59, 59, tzinfo=UTC)

    assert dates.today(late, ZoneInfo("Asia/Shanghai")) == day("2026-06-30")
    assert dates.today(late.replace(hour=16), ZoneInfo("Asia/Shanghai")) == TODAY
    with pytest.raises(ValueError, match="time zone"):
        dates.today(late.replace(tzinfo=None), ZoneInfo("Asia/Shanghai"))


@pytest.mark.parametrize(
    ("text", "as_of", "year_starts", "name"),
    [
        ("last_month", "2026-06-30", 1, "2026-06"),
        ("last_month", "2026-06-29", 1, "2026-05"),
        ("last_quarter", "2026-06-30", 1, "2026-Q2"),
        ("last_quarter", "2026-06-29", 1, "2026-Q1"),
        ("last_quarter", "2026-03-30", 1, "2025-Q4"),
        ("last_half", "2026-06-30", 1, "2026-H1"),
        ("last_half", "2026-06-29", 1, "2025-H2"),
        ("last_year", "2026-12-31", 1, "2026"),
        ("last_year", "2026-12-30", 1, "2025"),
        ("last_month", "2026-06-30", 2, "2026-06"),
        ("last_quarter", "2026-06-30", 2, "2026-02..2026-04"),
        ("last_quarter", "2026-04-30", 2, "2026-02..2026-04"),
        ("last_quarter", "2026-04-29", 2, "2025-11..2026-01"),
        ("last_half", "2026-07-31", 2, "2026-02..2026-07"),
        ("last_year", "2026-01-31", 2, "2025-02..2026-01"),
        ("last_year", "2026-01-30", 2, "2024-02..2025-01"),
        ("last_quarter", "2026-06-30", 4, "2026-04..2026-06"),  # the company's first, not 2026-Q2
        ("last_half", "2026-06-30", 7, "2026-01..2026-06"),
    ],
)
def test_a_period_is_the_last_one_over_by_the_day(text, as_of, year_starts, name):
    """Also on its own last day; where the year starts elsewhere, no number could mean two things."""
    assert dates.period(text, as_of=day(as_of), year_starts=year_starts) == name


@pytest.mark.parametrize("text", ["", "2026-Q2", "2026-06", "2025-07..2026-05"])
def test_the_name_of_a_period_stays(text):
    """Notebooks read it."""
    assert dates.period(text, as_of=TODAY, year_starts=4) == text


@pytest.mark.parametrize(
    "text", ["last_moth", "last", "last_week", "last_quarter_end", "last month"]
)
def test_a_misspelt_period_is_refused(text):
    """Before any notebook runs."""
    with pytest.raises(RunError, match="period must be one of last_month, last_quarter") as caught:
        dates.period(text, as_of=TODAY)

    assert caught.value.code == Exit.USAGE


@given(
    unit=st.sampled_from(sorted(dates.MONTHS)),
    as_of=st.dates(date(1950, 1, 1), date(2150, 12, 31)),
    year_starts=st.integers(1, 12),
)
def test_notebooks_read_the_period_that_was_meant(unit, as_of, year_starts):
    """The name is read back as whole months, as many as the unit has, over by the day, and its end is the unit's."""
    name = dates.period(f"last_{unit}", as_of=as_of, year_starts=year_starts)
    tomorrow = date.fromordinal(as_of.toordinal() + 1)

    found = periods.period(name, as_of=as_of, year_starts=year_starts)

    assert found.name == name
    assert found.months == dates.MONTHS[unit]
    assert found.last == dates.resolve(f"last_{unit}_end", today=tomorrow, year_starts=year_starts)
    if unit == "quarter":
        assert found == periods.period("", as_of=as_of, year_starts=year_starts)


@pytest.mark.parametrize(
    ("first", "last", "every", "year_starts", "expected"),
    [
        ("2024-01", "2024-04", "month", 1, ["2024-01-31", "2024-02-29", "2024-03-31", "2024-04-30"]),
        ("2024-02", "2024-02", "month", 1, ["2024-02-29"]),
        ("2024-01-31", "2024-02-29", "month", 1, ["2024-01-31", "2024-02-29"]),
        ("2024-02-01", "2024-03-30", "month", 1, ["2024-02-29"]),
        ("2025-12", "2026-01", "month", 1, ["2025-12-31", "2026-01-31"]),
        ("2024-01", "2024-12", "quarter", 1, ["2024-03-31", "2024-06-30", "2024-09-30", "2024-12-31"]),
        ("2024-01", "2024-12", "quarter", 2, ["2024-01-31", "2024-04-30", "2024-07-31", "2024-10-31"]),
        ("2024-01", "2025-12", "half", 4, ["2024-03-31", "2024-09-30", "2025-03-31", "2025-09-30"]),
        ("2024-01", "2025-12", "year", 10, ["2024-09-30", "2025-09-30"]),
        ("2026-06-21", "2026-06-28", "week", 1, ["2026-06-21", "2026-06-28"]),
        ("2026-06-22", "2026-06-30", "week", 1, ["2026-06-28"]),
        ("2026-06-30", "2026-06-30", "month", 1, ["2026-06-30"]),
    ],
)  # fmt: skip
def test_a_backfill_has_every_end_between_its_bounds(first, last, every, year_starts, expected):
    """Both bounds included; a month as a bound is meant whole."""
    found = dates.days(first, last, today=TODAY, every=every, year_starts=year_starts)

    assert found == [day(text) for text in expected]


def test_the_backfill_of_the_issue():
    """From 2024-01 to 2026-10 are 34 month ends."""
    found = dates.days("2024-01", "2026-10", today=day("2026-10-31"))

    assert (found[0], found[-1], len(found)) == (day("2024-01-31"), day("2026-10-31"), 34)


@pytest.mark.parametrize(
    ("first", "last", "every", "match"),
    [
        ("2026-06", "2026-05", "month", "to must not lie before from, but from is '2026-06'"),
        ("2026-05-31", "2026-05-30", "month", "must not lie before from"),
        ("2026-13", "2026-12", "month", "from must be a month such as .*'2026-13'"),
        ("2026-02-30", "2026-12", "month", "from must be a month"),
        ("2024", "2026-12", "month", "from must be a month"),
        ("2024-01", "today", "month", "to must be a month"),
        ("2024-1", "2024-02", "month", "from must be a month"),
        ("", "2024-02", "month", "from must be a month"),
        ("9999-12", "9999-12", "month", "from must be a month"),
        ("0001-01", "2024-02", "week", "from must be a month"),
        ("2026-06", "2026-07", "month",
         "to must not lie after today, 2026-07-01: .*ends on 2026-07-31; give an earlier one, such as 2026-06"),
        ("2026-06", "2026-07-02", "week", "to must not lie after today"),
        ("2026-06-01", "2026-06-29", "month", "a month must end from 2026-06-01 to 2026-06-29, .*2026-06-30"),
        ("2026-01", "2026-06", "year", "a year must end from .*2026-12-31"),
        ("2026-01", "2026-06", "day", "every must be one of week, month, quarter, half, year, but is 'day'"),
    ],
)  # fmt: skip
def test_a_backfill_that_cannot_be_is_refused(first, last, every, match):
    """Reversed, malformed, ahead of today, or without a single end: never a shorter list in silence."""
    with pytest.raises(RunError, match=match) as caught:
        dates.days(first, last, today=TODAY, every=every)

    assert caught.value.code == Exit.USAGE
