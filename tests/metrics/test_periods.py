"""Periods: names both ways, first and last days, the last quarter over, the ones before, and what is refused."""

import calendar
import datetime
import itertools

import pandas as pd
import pytest

from salesanalysis import crm
from salesanalysis.crm.errors import ParameterError
from salesanalysis.metrics import forecast, pipeline, summary
from salesanalysis.metrics.periods import Period, period, quarter_of, series

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


@pytest.mark.parametrize(
    ("as_of", "year_starts", "name"),
    [
        ("2026-06-30", 2, "2026-02..2026-04"),
        ("2026-07-30", 2, "2026-02..2026-04"),
        ("2026-07-31", 2, "2026-05..2026-07"),
        ("2026-01-31", 2, "2025-11..2026-01"),
        ("2024-02-29", 3, "2023-12..2024-02"),
        ("2023-02-28", 3, "2022-12..2023-02"),
        ("2026-06-30", 4, "2026-04..2026-06"),
        ("2026-06-30", 12, "2026-03..2026-05"),
    ],
)
def test_the_last_quarter_is_the_companys(as_of, year_starts, name):
    """Where its year does not start in January; named by its months even if it is one of the calendar."""
    found = period("", as_of=date(as_of), year_starts=year_starts)

    assert found.name == name
    assert found.months == 3
    assert found == period(name, as_of=date(as_of), year_starts=year_starts)
    assert found.last <= date(as_of)
    tomorrow = found.last + datetime.timedelta(days=1)
    assert quarter_of(tomorrow, year_starts=year_starts).before() == found


def test_periods_before_one_named_by_its_months_are_named_so():
    """A company whose year starts in April never reads of Q1, which it would take for its own."""
    names = [one.name for one in series(period("", as_of=TODAY, year_starts=4), 5)]

    assert names == [
        *("2025-04..2025-06", "2025-07..2025-09", "2025-10..2025-12"),
        *("2026-01..2026-03", "2026-04..2026-06"),
    ]


@pytest.mark.parametrize("text", ["2026-Q2", "2026-H1", "2025"])
def test_a_number_that_could_mean_two_things_is_refused(text):
    """The calendar's second quarter is not that of a company whose year starts in February; months are clear."""
    with pytest.raises(
        ParameterError, match="could be the company's or the calendar's; found"
    ) as error:
        period(text, as_of=TODAY, year_starts=2)

    assert repr(text) in str(error.value)
    assert period("2026-05", as_of=TODAY, year_starts=2).name == "2026-05"
    assert period("2025-01..2025-12", as_of=TODAY, year_starts=2).name == "2025-01..2025-12"


@pytest.mark.parametrize("month", [0, 13, -1, "04", 1.0, None])
@pytest.mark.parametrize("text", ["", "2026-06"])
def test_a_month_that_is_none_is_refused(month, text):
    """Whatever period is asked for."""
    with pytest.raises(ParameterError, match="year_starts must be a month from 1 to 12, found"):
        period(text, as_of=TODAY, year_starts=month)


def test_pages_speak_of_the_companys_quarters(load_tables):
    """
    The year starts in February. On 2026-06-30 its last quarter over is February to April: 1 + 2 were won in it, 4 in the one
    before, 16 a year ago; 8 was won in the current one, May to July, before which 1 + 2 stands. A snapshot of the past keeps the
    calendar, and what was computed of one calendar is not shown of the other.
    """
    days = {"2026-02-01": 1, "2026-04-30": 2, "2026-01-31": 4, "2026-05-01": 8, "2025-03-15": 16}
    deals = [
        {"deal_id": day, "created_at": "2025-01-02 09:00:00", "closed_at": f"{day} 12:00:00"}
        | {"status": "won", "amount": f"{amount}"}
        for day, amount in days.items()
    ]
    store = load_tables({"deals": deals})

    with crm.observe(store, "2026-06-30") as seen:
        calendar = summary.bookings(seen).set_index("which")["bookings"]
        assert calendar.to_dict() == {"this": 10, "before": 5, "year_ago": 0}
        assert pipeline.quarter(seen).name == "2026-Q3"
    with crm.observe(store, "2026-06-30", year_starts=2) as seen:
        fiscal = summary.bookings(seen).set_index("which")
        current = pipeline.quarter(seen)
        wins = pipeline.wins(seen, quarters=2).set_index("quarter")["amount_won"]
        ahead = forecast._quarters(seen)
        cohorts = summary.cohorts(seen, age_days=90)["first_on"]
        with seen.at("2026-04-29") as then:
            earlier = summary.quarter(then)

    assert fiscal["bookings"].to_dict() == {"this": 3, "before": 4, "year_ago": 16}
    assert fiscal.loc["this", "period"] == "2026-02..2026-04"
    assert current == Period("2026-05..2026-07", date("2026-05-01"), date("2026-07-31"))
    assert wins.to_dict() == {"2025-11..2026-01": 4, "2026-02..2026-04": 3}
    assert [one.name for one in ahead] == ["2026-05..2026-07", "2026-08..2026-10"]
    assert earlier.name == "2025-11..2026-01"
    assert set(cohorts) == {pd.Timestamp(2025, 11, 1)}  # the last one over by 2026-04-01
