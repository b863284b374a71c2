"""R13: the day it is, the ends of periods and the lists of a backfill, each worked by hand."""

import datetime
from zoneinfo import ZoneInfo

from hypothesis import given, settings
from hypothesis import strategies as st

from salesanalysis import crm
from salesanalysis.report import dates

UTC, BERLIN, NEW_YORK = "UTC", "Europe/Berlin", "America/New_York"
SHANGHAI, SAO_PAULO = "Asia/Shanghai", "America/Sao_Paulo"
ONE_DAY = datetime.timedelta(days=1)

INSTANTS = {  # UTC: the local day
    BERLIN: {
        "2026-03-28T22:59:59": "2026-03-28",  # 23:59:59 in winter time, the last second before the day of the change
        "2026-03-28T23:00:00": "2026-03-29",
        "2026-03-29T00:59:59": "2026-03-29",  # 01:59:59; a second later it is 03:00
        "2026-03-29T01:00:00": "2026-03-29",
        "2026-03-29T21:59:59": "2026-03-29",  # 23:59:59 in summer time: a day of 23 hours
        "2026-03-29T22:00:00": "2026-03-30",
        "2026-10-24T21:59:59": "2026-10-24",
        "2026-10-24T22:00:00": "2026-10-25",
        "2026-10-25T00:30:00": "2026-10-25",  # 02:30 for the first time
        "2026-10-25T01:30:00": "2026-10-25",  # 02:30 again
        "2026-10-25T22:59:59": "2026-10-25",  # a day of 25 hours
        "2026-10-25T23:00:00": "2026-10-26",
        "2026-06-30T22:00:00": "2026-07-01",
        "2025-12-31T22:59:59": "2025-12-31",
        "2025-12-31T23:00:00": "2026-01-01",
    },
    NEW_YORK: {
        "2026-03-08T04:59:59": "2026-03-07",
        "2026-03-08T05:00:00": "2026-03-08",
        "2026-03-08T07:00:00": "2026-03-08",  # 02:00 becomes 03:00
        "2026-03-09T03:59:59": "2026-03-08",
        "2026-03-09T04:00:00": "2026-03-09",
        "2026-11-01T03:59:59": "2026-10-31",  # the change is on the first of a month
        "2026-11-01T04:00:00": "2026-11-01",
        "2026-11-01T05:30:00": "2026-11-01",  # 01:30 for the first time
        "2026-11-01T06:30:00": "2026-11-01",  # 01:30 again
        "2026-11-02T04:59:59": "2026-11-01",
        "2026-11-02T05:00:00": "2026-11-02",
        "2024-03-01T04:59:59": "2024-02-29",
    },
    SAO_PAULO: {  # changed at midnight until 2019
        "2018-11-04T02:59:59": "2018-11-03",
        "2018-11-04T03:00:00": "2018-11-04",  # there is no midnight: the day begins at 01:00
        "2018-02-18T01:59:59": "2018-02-17",
        "2018-02-18T02:59:59": "2018-02-17",  # 23:59:59 again
        "2018-02-18T03:00:00": "2018-02-18",
    },
    SHANGHAI: {
        "2026-06-30T15:59:59": "2026-06-30",
        "2026-06-30T16:00:00": "2026-07-01",
        "2025-12-31T15:59:59": "2025-12-31",
        "2025-12-31T16:00:00": "2026-01-01",
        "2024-02-28T16:00:00": "2024-02-29",
        "2024-02-29T16:00:00": "2024-03-01",
        "2026-02-28T16:00:00": "2026-03-01",
    },
    UTC: {
        "2026-06-30T23:59:59": "2026-06-30",
        "2026-07-01T00:00:00": "2026-07-01",
        "2024-02-29T23:59:59": "2024-02-29",
    },
    "Asia/Kolkata": {"2026-06-30T18:29:59": "2026-06-30", "2026-06-30T18:30:00": "2026-07-01"},
    "Pacific/Kiritimati": {"2026-06-30T09:59:59": "2026-06-30", "2026-06-30T10:00:00": "2026-07-01"},
}  # fmt: skip

CLOCK = [  # a run started at the instant, in the zone: word, month the year starts in, day
    (SHANGHAI, "2026-06-30T16:00:00", "last_month_end", 1, "2026-06-30"),
    (UTC, "2026-06-30T16:00:00", "last_month_end", 1, "2026-05-31"),
    (SHANGHAI, "2026-06-30T15:59:59", "last_month_end", 1, "2026-05-31"),
    (SHANGHAI, "2026-06-30T16:00:00", "last_quarter_end", 1, "2026-06-30"),
    (SHANGHAI, "2026-06-30T16:00:00", "last_half_end", 1, "2026-06-30"),
    (SHANGHAI, "2025-12-31T16:00:00", "last_year_end", 1, "2025-12-31"),
    (UTC, "2025-12-31T16:00:00", "last_year_end", 1, "2024-12-31"),
    (SHANGHAI, "2026-01-31T16:00:00", "last_quarter_end", 2, "2026-01-31"),
    (UTC, "2026-01-31T16:00:00", "last_quarter_end", 2, "2025-10-31"),
    (SHANGHAI, "2026-06-27T16:00:00", "last_week_end", 1, "2026-06-21"),  # Sunday there
    (SHANGHAI, "2026-06-28T16:00:00", "last_week_end", 1, "2026-06-28"),  # Monday there
    (UTC, "2026-06-28T16:00:00", "last_week_end", 1, "2026-06-21"),
    (SHANGHAI, "2024-02-29T16:00:00", "last_month_end", 1, "2024-02-29"),
    (SHANGHAI, "2024-02-29T16:00:00", "yesterday", 1, "2024-02-29"),
    (BERLIN, "2026-03-31T21:59:59", "last_quarter_end", 1, "2025-12-31"),
    (BERLIN, "2026-03-31T22:00:00", "last_quarter_end", 1, "2026-03-31"),
    (BERLIN, "2026-03-31T22:00:00", "last_year_end", 4, "2026-03-31"),
    (BERLIN, "2026-03-29T01:00:00", "yesterday", 1, "2026-03-28"),
    (BERLIN, "2026-10-25T22:59:59", "last_week_end", 1, "2026-10-18"),
    (BERLIN, "2026-10-25T23:00:00", "last_week_end", 1, "2026-10-25"),
    (BERLIN, "2026-10-31T22:59:59", "last_month_end", 1, "2026-09-30"),
    (BERLIN, "2026-10-31T23:00:00", "last_month_end", 1, "2026-10-31"),
    (NEW_YORK, "2026-11-01T03:59:59", "last_month_end", 1, "2026-09-30"),
    (NEW_YORK, "2026-11-01T04:00:00", "last_month_end", 1, "2026-10-31"),
    (NEW_YORK, "2026-11-02T04:59:59", "yesterday", 1, "2026-10-31"),
    (NEW_YORK, "2026-11-02T05:00:00", "yesterday", 1, "2026-11-01"),
]  # fmt: skip

ENDS = [  # today, month the year starts in: last end of a quarter, a half, a year
    ("2026-06-30", 1, "2026-03-31", "2025-12-31", "2025-12-31"),
    ("2026-06-30", 2, "2026-04-30", "2026-01-31", "2026-01-31"),
    ("2026-06-30", 3, "2026-05-31", "2026-02-28", "2026-02-28"),
    ("2026-06-30", 4, "2026-03-31", "2026-03-31", "2026-03-31"),
    ("2026-06-30", 5, "2026-04-30", "2026-04-30", "2026-04-30"),
    ("2026-06-30", 6, "2026-05-31", "2026-05-31", "2026-05-31"),
    ("2026-06-30", 7, "2026-03-31", "2025-12-31", "2025-06-30"),
    ("2026-06-30", 8, "2026-04-30", "2026-01-31", "2025-07-31"),
    ("2026-06-30", 9, "2026-05-31", "2026-02-28", "2025-08-31"),
    ("2026-06-30", 10, "2026-03-31", "2026-03-31", "2025-09-30"),
    ("2026-06-30", 11, "2026-04-30", "2026-04-30", "2025-10-31"),
    ("2026-06-30", 12, "2026-05-31", "2026-05-31", "2025-11-30"),
    ("2026-07-01", 1, "2026-06-30", "2026-06-30", "2025-12-31"),
    ("2026-07-01", 7, "2026-06-30", "2026-06-30", "2026-06-30"),
    ("2026-01-01", 1, "2025-12-31", "2025-12-31", "2025-12-31"),
    ("2025-12-31", 1, "2025-09-30", "2025-06-30", "2024-12-31"),
    ("2026-02-01", 2, "2026-01-31", "2026-01-31", "2026-01-31"),
    ("2026-01-31", 2, "2025-10-31", "2025-07-31", "2025-01-31"),
    ("2024-03-01", 3, "2024-02-29", "2024-02-29", "2024-02-29"),  # a fiscal year that ends on the leap day
    ("2024-02-29", 3, "2023-11-30", "2023-08-31", "2023-02-28"),
    ("2100-03-01", 3, "2100-02-28", "2100-02-28", "2100-02-28"),
    ("2000-03-01", 3, "2000-02-29", "2000-02-29", "2000-02-29"),
]  # fmt: skip

WORDS = [  # today, word, day
    ("2024-03-01", "last_month_end", "2024-02-29"),
    ("2024-02-29", "last_month_end", "2024-01-31"),
    ("2024-03-01", "yesterday", "2024-02-29"),
    ("2025-03-01", "last_month_end", "2025-02-28"),
    ("2100-03-01", "last_month_end", "2100-02-28"),
    ("2100-03-01", "yesterday", "2100-02-28"),
    ("2000-03-01", "last_month_end", "2000-02-29"),
    ("2026-05-31", "last_month_end", "2026-04-30"),
    ("2026-01-01", "last_month_end", "2025-12-31"),
    ("2026-01-01", "yesterday", "2025-12-31"),
    ("2021-01-01", "last_week_end", "2020-12-27"),  # in week 53 of 2020
    ("2021-01-03", "last_week_end", "2020-12-27"),  # its Sunday is not over
    ("2021-01-04", "last_week_end", "2021-01-03"),
    ("2024-12-31", "last_week_end", "2024-12-29"),  # in week 1 of 2025
    ("2025-01-05", "last_week_end", "2024-12-29"),
    ("2025-01-06", "last_week_end", "2025-01-05"),
    ("2023-01-01", "last_week_end", "2022-12-25"),  # a Sunday
    ("2024-03-01", "last_week_end", "2024-02-25"),
]

PERIODS = [  # as of, word, month the year starts in, name
    ("2024-02-29", "last_month", 1, "2024-02"),
    ("2024-02-28", "last_month", 1, "2024-01"),
    ("2100-02-28", "last_month", 1, "2100-02"),
    ("2025-12-31", "last_quarter", 1, "2025-Q4"),
    ("2025-12-30", "last_quarter", 1, "2025-Q3"),
    ("2026-01-01", "last_half", 1, "2025-H2"),
    ("2025-12-31", "last_year", 1, "2025"),
    ("2024-02-29", "last_quarter", 3, "2023-12..2024-02"),
    ("2024-02-28", "last_quarter", 3, "2023-09..2023-11"),
    ("2024-02-29", "last_year", 3, "2023-03..2024-02"),
    ("2026-03-31", "last_half", 4, "2025-10..2026-03"),
    ("2026-03-30", "last_half", 4, "2025-04..2025-09"),
    ("2026-09-30", "last_year", 10, "2025-10..2026-09"),
    ("2026-06-30", "last_quarter", 2, "2026-02..2026-04"),
]

BACKFILLS = [  # from, to, every, month the year starts in: days
    ("2024-01", "2024-03", "month", 1, "2024-01-31 2024-02-29 2024-03-31"),
    ("2100-01", "2100-03", "month", 1, "2100-01-31 2100-02-28 2100-03-31"),
    ("2023-11", "2024-02", "month", 1, "2023-11-30 2023-12-31 2024-01-31 2024-02-29"),
    ("2024-02-29", "2024-03-30", "month", 1, "2024-02-29"),
    ("2024-12", "2025-01", "week", 1,
     "2024-12-01 2024-12-08 2024-12-15 2024-12-22 2024-12-29 2025-01-05 2025-01-12 2025-01-19 2025-01-26"),
    ("2020-12-28", "2021-01-10", "week", 1, "2021-01-03 2021-01-10"),
    ("2024-02-26", "2024-03-03", "week", 1, "2024-03-03"),
    ("2023-06", "2024-06", "quarter", 1, "2023-06-30 2023-09-30 2023-12-31 2024-03-31 2024-06-30"),
    ("2023-06", "2024-06", "quarter", 3, "2023-08-31 2023-11-30 2024-02-29 2024-05-31"),
    ("2023-06", "2024-06", "quarter", 4, "2023-06-30 2023-09-30 2023-12-31 2024-03-31 2024-06-30"),
    ("2023-06", "2024-06", "half", 2, "2023-07-31 2024-01-31"),
    ("2022-01", "2024-12", "year", 1, "2022-12-31 2023-12-31 2024-12-31"),
    ("2022-01", "2024-12", "year", 3, "2022-02-28 2023-02-28 2024-02-29"),
    ("2022-01", "2024-12", "year", 12, "2022-11-30 2023-11-30 2024-11-30"),
]  # fmt: skip


def day(text):
    return datetime.date.fromisoformat(text)


def instant(text):
    return datetime.datetime.fromisoformat(f"{text}+00:00")


def wrong(cases, found):
    """Cases whose result is not the expected one, which stands last in each."""
    results = [(case, found(*case[:-1])) for case in cases]
    return [(case, result) for case, result in results if result != case[-1]]


def test_an_instant_is_the_day_of_the_zone(record):
    """Clock changes both ways, a midnight that does not exist, one that comes twice, UTC and +08:00."""
    cases = [(zone, *one) for zone, those in INSTANTS.items() for one in those.items()]

    def today(zone, text):
        return dates.today(instant(text), ZoneInfo(zone)).isoformat()

    record("R13", "the day that an instant is in a zone", len(cases), "the expected day, all")
    assert wrong(cases, today) == []


def test_a_record_belongs_to_the_day_of_its_zone(load_tables, record):
    """The same instants as deals: each is created on its day, seen by the end of it, and not seen the day before."""
    n = 0
    for zone, days in INSTANTS.items():
        created = {"0": "2015-01-01T12:00:00"} | {text: text for text in days}
        deals = [
            {"deal_id": key, "created_at": f"{text}+0000", "status": "open"}
            for key, text in created.items()
        ]
        store = load_tables({"deals": deals}, timezone=zone, datetime="%Y-%m-%dT%H:%M:%S%z")
        for text, expected in days.items():
            query = "SELECT d.created_on FROM deals d JOIN details e ON e.deal_key = d.deal_key WHERE e.deal_id = ?"
            with crm.observe(store, expected) as seen:
                on = seen.frame(query, (text,))["created_on"]
            with crm.observe(store, day(expected) - ONE_DAY) as seen:
                before = seen.frame(query, (text,))
            assert [one.date().isoformat() for one in on] == [expected], (zone, text)
            assert before.empty, (zone, text)
            n += 1
    record("R13", "records at those instants: their day, and the first as-of date they are seen on", n,
           "the expected day, all")  # fmt: skip


def test_a_run_of_the_clock_is_of_the_expected_day(record):
    """What a word means at an instant, in the suite's zone."""

    def resolved(zone, text, word, year_starts):
        today = dates.today(instant(text), ZoneInfo(zone))
        return dates.resolve(word, today=today, year_starts=year_starts).isoformat()

    record("R13", "as-of words at an instant", len(CLOCK), "the expected day, all")
    assert wrong(CLOCK, resolved) == []


def test_ends_of_periods(record):
    """Months, leap days, weeks over new year; quarters, halves and years that start in each month."""
    units = ("quarter", "half", "year")
    cases = [
        (today, f"last_{unit}_end", starts, end)
        for today, starts, *ends in ENDS
        for unit, end in zip(units, ends, strict=True)
    ]
    cases += [(today, word, 1, end) for today, word, end in WORDS]

    def resolved(today, word, year_starts):
        return dates.resolve(word, today=day(today), year_starts=year_starts).isoformat()

    record("R13", "ends of weeks, months, quarters, halves and years, the year starting in each month", len(cases),
           "the expected day, all")  # fmt: skip
    assert wrong(cases, resolved) == []


def test_periods_and_backfills(record):
    """Names of the last periods over by a day, and the as-of dates of backfills."""

    def named(as_of, word, year_starts):
        return dates.period(word, as_of=day(as_of), year_starts=year_starts)

    def listed(first, last, every, year_starts):
        today = day("2100-12-31")
        found = dates.days(first, last, today=today, every=every, year_starts=year_starts)
        return " ".join(one.isoformat() for one in found)

    record("R13", "names of periods", len(PERIODS), "the expected period, all")
    record("R13", "lists of as-of dates of a backfill", len(BACKFILLS), "the expected days, all")
    assert wrong(PERIODS, named) == []
    assert wrong(BACKFILLS, listed) == []


def is_end(one, unit, year_starts):
    """Whether the unit ends on the day; said another way than the code does: something new begins the day after."""
    after = one + ONE_DAY
    if unit == "week":
        return one.isoweekday() == 7
    begins = {(year_starts - 1 + n * dates.MONTHS[unit]) % 12 + 1 for n in range(12)}
    return after.day == 1 and after.month in begins


def test_any_day_and_any_calendar(n, record):
    """
    Never a day that is not over, always an end, and none between it and today; a backfill has exactly the ends between its
    bounds, each once, in order.
    """
    rounds = n(short=150, full=5000)
    some_day = st.dates(datetime.date(1970, 1, 1), datetime.date(2130, 12, 31))

    @settings(max_examples=rounds, deadline=None, database=None)
    @given(today=some_day, unit=st.sampled_from(dates.EVERY), starts=st.integers(1, 12))
    def last_ends(today, unit, starts):
        found = dates.resolve(f"last_{unit}_end", today=today, year_starts=starts)

        assert found < today and is_end(found, unit, starts)
        between = range(found.toordinal() + 1, today.toordinal())
        assert not any(is_end(datetime.date.fromordinal(k), unit, starts) for k in between)

    @settings(max_examples=rounds, deadline=None, database=None)
    @given(
        first=some_day,
        n_days=st.integers(400, 1500),
        unit=st.sampled_from(dates.EVERY),
        starts=st.integers(1, 12),
    )
    def backfills(first, n_days, unit, starts):
        last = first + datetime.timedelta(days=n_days)
        found = dates.days(
            first.isoformat(), last.isoformat(), today=last, every=unit, year_starts=starts
        )

        every = [first + datetime.timedelta(days=k) for k in range(n_days + 1)]
        assert found == [one for one in every if is_end(one, unit, starts)]

    last_ends()
    backfills()
    record("R13", "random days, units and months the year starts in", 2 * rounds,
           "never a day to come; exactly the ends there are")  # fmt: skip
