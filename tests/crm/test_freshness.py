"""The newest record of a store as of a day, and what its load counted."""

import datetime
import itertools

import pytest
from export import ROOT, STAGES

from salesanalysis import crm
from salesanalysis.crm import freshness, sample
from salesanalysis.crm.errors import InputRefused
from salesanalysis.report import freshness as gate

SOURCES = ROOT / "params" / "sources"
BASE = {"deal_id": "1", "created_at": "2026-01-05 09:00:00", "status": "open", "stage": "A"}


def date(text):
    return datetime.date.fromisoformat(text)


def dates(store, as_of):
    return [day.isoformat() for day in freshness.record_days(store, date(as_of))]


@pytest.fixture
def newest_with(load_tables):
    """The newest record by the end of 2026 of one deal of 5 January, and a table beside it."""

    def found(tables, **deal):
        rows = {"stages": STAGES, "deals": [BASE | deal]} | tables
        return freshness.newest(load_tables(rows), date("2026-12-31"))

    return found


@pytest.mark.parametrize(
    ("table", "row"),
    [
        ("stage_events", {"stage": "A", "entered_at": "2026-03-04 10:00:00"}),
        ("owner_history", {"owner": "x", "valid_from": "2026-03-04 10:00:00"}),
        ("deal_changes",
         {"field": "amount", "old": "1", "new": "2", "changed_at": "2026-03-04 10:00:00"}),
        ("activities", {"activity_id": "a", "type": "call", "created_at": "2026-03-04 10:00:00"}),
        ("activities", {"activity_id": "a", "type": "call", "created_at": "2026-01-06 10:00:00",
                        "due_at": "2026-09-01 10:00:00", "done_at": "2026-03-04 10:00:00"}),
        ("leads", {"lead_id": "l", "created_at": "2026-03-04 10:00:00"}),
        ("leads", {"lead_id": "l", "created_at": "2026-01-04 10:00:00",
                   "converted_at": "2026-03-04 10:00:00"}),
        ("satisfaction", {"asked_at": "2026-03-04 10:00:00"}),
        ("satisfaction", {"asked_at": "2026-01-06 10:00:00", "answered_at": "2026-03-04 10:00:00",
                          "score": "4", "scale_max": "5"}),
        ("payments", {"paid_on": "2026-03-04", "amount": "5"}),
    ],
    ids=lambda value: value if isinstance(value, str) else "-".join(value),
)  # fmt: skip
def test_every_record_counts(newest_with, table, row):
    """
    Each table has one row of 4 March, the deal is of 5 January.
    """
    assert newest_with({table: [{"deal_id": "1"} | row]}) == date("2026-03-04")


def test_a_closing_counts(newest_with):
    """
    The day it was won.
    """
    closed = {"status": "won", "stage": "won", "closed_at": "2026-03-04 10:00:00"}

    assert newest_with({}, **closed) == date("2026-03-04")


def test_plans_and_master_data_are_no_records(newest_with):
    """
    Neither an expected close, a next step, a planned activity, a quota, nor somebody hired says that data came in.
    """
    later = "2026-03-04 10:00:00"
    plans = {
        "activities": [{"deal_id": "1", "activity_id": "a", "type": "call",
                        "created_at": "2026-01-05 10:00:00", "due_at": later}],
        "quotas": [{"holder_type": "team", "holder_id": "t", "period_start": "2026-03-01",
                    "period_end": "2026-03-31", "measure": "amount", "value": "1"}],
        "people": [{"person_id": "x", "name": "X", "hired_on": "2026-03-04"}],
    }  # fmt: skip

    found = newest_with(plans, expected_close="2026-03-04", next_step_at=later)

    assert found == date("2026-01-05")


def test_what_came_later_is_not_known(load_tables):
    """
    As of a day of the past only records until its end count, in the source's own time zone: 17:00 UTC on 1 March is the next day in
    Shanghai, for a deal and for an owner.
    """
    deals = [BASE | {"deal_id": str(n), "created_at": f"2026-{at}:00+0000"}
             for n, at in enumerate(("01-05 09:00", "02-01 09:00", "03-01 17:00"))]  # fmt: skip
    owners = [{"deal_id": "0", "owner": "x", "valid_from": "2026-04-01 17:00:00+0000"}]
    store = load_tables(
        {"stages": STAGES, "deals": deals, "owner_history": owners},
        timezone="Asia/Shanghai",
        datetime="%Y-%m-%d %H:%M:%S%z",
    )

    assert dates(store, "2026-12-31") == ["2026-01-05", "2026-02-01", "2026-03-02", "2026-04-02"]
    assert dates(store, "2026-04-02")[-1] == "2026-04-02"
    assert dates(store, "2026-04-01")[-1] == "2026-03-02"
    assert dates(store, "2026-03-01") == ["2026-01-05", "2026-02-01"]
    assert dates(store, "2026-01-04") == []
    assert freshness.newest(store, date("2026-01-04")) is None


def test_days_are_those_of_the_year_before_the_newest(load_tables):
    """
    Each once, in order; 365 days before the newest is still in, 366 is not.
    """
    days = ["2025-03-03", "2025-03-04", "2026-01-05", "2026-01-05", "2026-03-04"]
    deals = [BASE | {"deal_id": f"{n}", "created_at": f"{day} 09:00:00"}
             for n, day in enumerate(days)]  # fmt: skip

    store = load_tables({"stages": STAGES, "deals": deals})

    assert dates(store, "2026-12-31") == ["2025-03-04", "2026-01-05", "2026-03-04"]


def test_what_the_load_counted(load_tables):
    """
    In = accepted + quarantined + refused of every table, with the day of the export and that of the first deal.
    """
    deals = [BASE, BASE | {"deal_id": "2", "created_at": "not a day"}, BASE | {"deal_id": "1"}]
    deals += [BASE | {"deal_id": "3", "status": "won", "stage": "won", "closed_at": ""}]

    found = freshness.about(load_tables({"stages": STAGES, "deals": deals}))

    assert (found["source"], found["timezone"]) == ("test", "UTC")
    assert (found["extracted_on"], found["first_on"]) == (date("2026-12-31"), date("2026-01-05"))
    assert len(found["mapping_sha256"]) == 64
    assert list(found["tables"]) == ["stages", "deals"]
    counts = found["tables"]["deals"]
    assert counts["file"] == "deals.csv" and counts["n_in"] == 4 and counts["n_accepted"] == 1
    for one in found["tables"].values():
        assert one["n_in"] == one["n_accepted"] + one["n_quarantined"] + one["n_refused"]


def test_no_store_is_refused(tmp_path):
    """
    As observing it is.
    """
    for ask in (freshness.about, lambda path: freshness.newest(path, date("2026-01-01"))):
        with pytest.raises(InputRefused, match=r"the store .*none.duckdb must exist"):
            ask(tmp_path / "none.duckdb")


def refused_days(store):
    """Every day from the first deal to the export, and those of them on which honest data would be refused."""
    about = freshness.about(store)
    n_days = (about["extracted_on"] - about["first_on"]).days + 1
    every = [about["first_on"] + datetime.timedelta(days=n) for n in range(n_days)]
    recorded, until = set(), about["extracted_on"]
    while days := freshness.record_days(store, until):
        recorded |= set(days)
        until = days[0] - datetime.timedelta(days=1)
    found = []
    for number, day in enumerate(every):
        newest = max(one for one in recorded if one <= day)
        days = sorted(one for one in recorded if 0 <= (newest - one).days <= 365)
        if number % 199 == 0:  # opening the store for each day would take minutes
            assert days == freshness.record_days(store, day)
        if gate.late(newest, day, gate.allowed(days)):
            found.append(day)
    return every, found


def test_no_day_of_the_sample_is_refused(tmp_path):
    """
    The sample company works on weekdays; nothing is missing on any of its days, so nothing is late on any.
    """
    sample.write(tmp_path / "export", deals=300)
    store = crm.load(
        tmp_path / "export", SOURCES / "sample.yaml", tmp_path / "s.duckdb", say=lambda text: None
    )

    every, found = refused_days(store)

    assert len(every) > 700 and found == []
    assert freshness.newest(store, date("2026-06-30")) >= date("2026-06-29")


@pytest.mark.shared
@pytest.mark.parametrize(
    ("source", "data", "n_days", "newest"),
    [
        ("maven", "maven_crm", 438, "2017-12-31"),
        ("helpdesk", "helpdesk_log", 1452, "2014-01-03"),
        ("adventureworks", "adventureworks_sales", 1066, "2020-05-31"),
    ],
)
def test_no_day_of_real_companies_is_refused(shared, tmp_path, source, data, n_days, newest):
    """
    All days of three real sources, weekends and Christmas included: the rule cries wolf on none. Had the export stopped, the
    alarm would come on the eleventh day.
    """
    store = crm.load(
        shared / "data" / data,
        SOURCES / f"{source}.yaml",
        tmp_path / "real.duckdb",
        say=lambda text: None,
    )

    every, found = refused_days(store)

    assert (len(every), found) == (n_days, [])
    last = date(newest)
    days = freshness.record_days(store, last)
    assert days[-1] == last
    assert days == sorted(set(days))
    lag = [
        bool(gate.late(last, last + datetime.timedelta(days=n), gate.allowed(days)))
        for n in range(9, 13)
    ]
    assert lag == [False, False, True, True]


@pytest.mark.shared
def test_orders_booked_on_the_first_of_the_month_are_not_late(shared, tmp_path):
    """
    The same orders as a ledger would give them, all dated the first of their month: the source's own rhythm lets every day
    pass, and a month that is missing does not. Ten days for everybody would refuse two days of three.
    """
    folder = tmp_path / "monthly"
    folder.mkdir()
    for file in sorted((shared / "data" / "adventureworks_sales").glob("*.csv")):
        text = file.read_text("utf-8-sig")
        if file.name == "Sales.csv":
            header, *lines = text.splitlines()
            place = header.split("|").index("OrderDate")
            cells = [line.split("|") for line in lines]
            for row in cells:
                row[place] = row[place][:8] + "01"
            text = "\n".join([header, *("|".join(row) for row in cells)]) + "\n"
        (folder / file.name).write_text(text, "utf-8")
    store = crm.load(folder, SOURCES / "adventureworks.yaml", tmp_path / "m.duckdb", say=print)

    every, found = refused_days(store)

    # Until three months are known, no rhythm is: those days are refused, and freshness_days would let them pass.
    assert {day.strftime("%Y-%m") for day in found} <= {"2017-07", "2017-08"}
    fixed = [day for day in every if gate.late(day.replace(day=1), day, gate.LEAST_DAYS)]
    assert len(fixed) > 0.6 * len(every)
    days = freshness.record_days(store, date("2020-05-31"))
    assert [one.day for one in days] == [1] * len(days)
    assert max((b - a).days for a, b in itertools.pairwise(days)) == 31
    assert gate.late(days[-1], date("2020-05-31"), gate.allowed(days)) is None
    assert gate.late(days[-2], date("2020-05-31"), gate.allowed(days[:-1]))
