"""
Every measure of a KPI against a plain reading of random companies, and its boundaries by hand.
"""

import dataclasses
import datetime
import functools
import itertools
import math

import pandas as pd
import plain_kpis
import pytest
from numpy.testing import assert_allclose
from processes import card, kpi, process, stage

from salesanalysis import crm
from salesanalysis.crm.errors import ParameterError
from salesanalysis.crm.process import MEASURES, Action
from salesanalysis.metrics import credit, kpis, staff
from salesanalysis.metrics.periods import period

STAGES = [
    stage("Demo", Action(("demo",), 1), sla_days=7),
    stage("Offer", Action(("call", "visit"), 1), Action(("call",), 1), sla_days=9, pipeline="New"),
    stage("Check", Action(("visit",), 2), sla_days=14),
    stage("Contract", sla_days=5),
]
ARGUMENTS = {
    "activities": [{"types": ("visit",)}, {"types": ("call", "demo")}],
    "activities_on_time": [{}, {"types": ("visit", "demo")}],
    "actions_done": [{}, {"stage": "Demo"}, {"stage": "Contract"}],
    "stage_conversion": [{"stage": "Offer", "days": 14}],
    "cohort_win_rate": [{"age_days": 30}],
    "sales_cycle": [{"age_days": 60}],
    "response_rate": [{"days": 10}],
    "hand_overs": [{"days": 8}],
    "data_hygiene": [{"days": 20}],
}
KPIS = [
    kpi(f"{measure}_{number}_{whose}", measure, whose=whose, **arguments)
    for measure in MEASURES
    for number, arguments in enumerate(ARGUMENTS.get(measure, [{}]))
    for whose in ("own", "team")
]
PROCESS = process(
    *(dataclasses.replace(one, role=role) for one in KPIS for role in ("rep", "boss")),
    stages=STAGES,
)
CASES = [  # world, as-of, period
    (1, "2025-12-31", "2025-Q2"),
    (1, "2025-08-19", "2025-Q3"),
    (2, "2025-12-31", "2025-Q4"),
    (2, "2025-08-26", "2025-07..2025-08"),
    (3, "2025-12-31", "2025"),
    (3, "2025-06-30", "2025-Q2"),
]


@pytest.fixture(scope="module", params=CASES, ids=lambda case: "-".join(map(str, case)))
def both(request, work_stores):
    """A company as of a day through the package and plainly, and a period."""
    seed, day, name = request.param
    world, store = work_stores[seed]
    day = datetime.date.fromisoformat(day)
    with crm.observe(store, day) as seen:
        yield seen, plain_kpis.Company(world, day), period(name, as_of=day)


@pytest.fixture
def see(see):
    """Load tables whose instants are written as days."""
    return functools.partial(see, datetime="%Y-%m-%d")


def missing(value):
    """None for what is not there."""
    return None if value is None or pd.isna(value) else value


@pytest.mark.parametrize("one", KPIS, ids=lambda one: one.id)
def test_every_measure_agrees_with_the_plain_reading(both, one):
    """
    Value and evidence of every person or team in the period, deal by deal; shares with Wilson's interval.
    """
    seen, company, when = both
    unit = "person" if one.whose == "own" else "team"
    units = [*company.members(when.first, when.last, 3)]
    units = units if unit == "person" else ["East", "North", "South"]

    table = kpis.unit_values(
        seen, PROCESS, when, one, tuple(STAGES), unit=unit, units=pd.Series(units, dtype=object)
    )

    assert table["unit"].tolist() == units
    for row in table.to_dict("records"):
        expected = company.value(one, STAGES, row["unit"], when.first, when.last)
        for name, value in expected.items():
            found = missing(row[name])
            assert (found is None) == (value is None), (row["unit"], name, found, value)
            if value is not None:
                assert found == pytest.approx(value, rel=1e-9, abs=1e-12), (row["unit"], name)
        limits = [row["low"], row["value"], row["high"]]
        assert all(a <= b + 1e-12 for a, b in itertools.pairwise(limits) if a == a and b == b)


def test_the_companies_hold_evidence_of_every_measure(work_stores):
    """
    No comparison above is one of nothing with nothing: each measure has cases as wanted and others, of persons and teams.
    """
    world, _ = work_stores[3]
    company = plain_kpis.Company(world, datetime.date(2025, 12, 31))
    for measure in MEASURES:
        facts = company.facts(measure, ARGUMENTS.get(measure, [{}])[0], STAGES)

        assert len({fact.person for fact in facts}) > 3
        assert len({fact.team for fact in facts} - {None}) > 1
        if kpis.FORMS[measure].form == "share":
            assert {fact.is_wanted for fact in facts} == {True, False}


def test_members_agree_with_the_plain_reading(both):
    """
    Who was there, in which team and role last, how many days, ramping or not; movers, joiners, leavers, hired again.
    """
    seen, company, when = both

    table = kpis.members(seen, PROCESS, when).set_index("person")

    expected = company.members(when.first, when.last, PROCESS.ramp_months)
    assert set(table.index) == set(expected)
    for person, row in expected.items():
        found = {name: missing(table.loc[person, name]) for name in row}
        assert found == row, person


def test_quotas_agree_with_the_plain_reading(both):
    """
    Day by day: in the period, until the as-of day (or not), while employed.
    """
    seen, company, when = both
    for whole in (False, True):
        table = credit.quotas(seen, when, whole=whole)

        expected = company.quotas(when.first, when.last, whole=whole)
        found = table.set_index(["holder_type", "holder"])
        assert set(found.index) == set(expected)
        for key, numbers in expected.items():
            assert_allclose(found.loc[key].astype(float), numbers, rtol=1e-9, atol=1e-9)


def test_credit_conserves_revenue(both):
    """
    Summed over persons it is the amount of all won deals, where shares sum to 1 and the owner is known.
    """
    seen, company, _when = both

    table = credit.credited(seen)

    won = [d for d in company.won() if d.amount is not None and company.credit(d)]
    assert won
    assert table["amount"].sum() == pytest.approx(math.fsum(d.amount for d in won), rel=1e-12)
    shares = table.groupby("deal_key")["share"].sum()
    assert_allclose(shares, 1, atol=1e-12)
    assert len(shares) == sum(bool(company.credit(deal)) for deal in company.won())


def test_overlay_is_on_top(both):
    """
    It is listed apart and is in no credited amount.
    """
    seen, company, _when = both

    table = credit.overlay(seen)

    won = {deal.deal_id for deal in company.won()}
    rows = [
        row
        for row in company.tables["credits"]
        if row["type"] == "overlay" and row["deal_id"] in won
    ]
    assert len(table) == len(rows)
    assert sorted(table["person"]) == sorted(row["person_id"] for row in rows)


def test_values_hold_each_persons_kpis_in_the_order_of_the_file(both):
    """
    One row per person and KPI of that role; points by the anchors; what is not judged has its reason and no points.
    """
    seen, company, when = both
    evidence = {one.id: 4.0 for one in KPIS}
    rules = process(*PROCESS.kpis, stages=STAGES, scorecards=[card(evidence=evidence, cap=120.0)])

    table = kpis.values(seen, rules, when)

    people = company.members(when.first, when.last, 3)
    ids = [one.id for one in KPIS]
    for person, rows in table.groupby("person"):
        assert rows["kpi"].tolist() == ids
        assert people[person]["role"] == rows["role"].iloc[0]
    assert set(table["person"]) == set(people)
    judged = table[table["is_judged"]]
    assert_allclose(judged["points"], 100 * judged["value"].clip(0, 1.2), atol=1e-9)
    assert (judged["n"] >= 4).all()
    rest = table[~table["is_judged"]]
    assert rest["points"].isna().all()
    assert set(judged["why"]) == {""}
    assert set(rest["why"]) <= {"too_little", "no_quota", "not_recorded"}
    no_quota = table[table["why"] == "no_quota"]
    assert ((no_quota["per"].isna()) | (no_quota["per"] == 0)).all()
    assert len(no_quota)


# ---- by hand ----------------------------------------------------------------------------------------------------

LINE = [
    {"stage": "A", "stage_order": "1"},
    {"stage": "B", "stage_order": "2"},
    {"stage": "won", "stage_order": "3", "is_won": "true"},
    {"stage": "lost", "stage_order": "4", "is_lost": "true"},
]
Q1 = "2026-Q1"


def deal(number, created="2026-01-05", closed="", status=None, **cells):
    """A deal; won if it has a closing day, unless said otherwise."""
    row = {"deal_id": str(number), "created_at": created, "closed_at": closed}
    row |= {"status": status or ("won" if closed else "open"), "owner": "p", "amount": "100"}
    return row | cells


def moves(number, **days):
    """Stage events of a deal: stage=day."""
    return [{"deal_id": str(number), "stage": s, "entered_at": day} for s, day in days.items()]


def act(number, done, type_="call", rep="p", created="2026-01-01", due="", deal_id=None):
    """An activity."""
    return {
        "activity_id": f"{number}-{done}-{type_}-{rep}",
        "deal_id": str(number) if deal_id is None else deal_id,
        "rep": rep,
        "type": type_,
        "created_at": created,
        "due_at": due,
        "done_at": done,
    }


def person(id_="p", **cells):
    """Somebody who was always there."""
    row = {"person_id": id_, "name": id_.upper(), "team": "T", "role": "rep", "manager_id": ""}
    return row | {"hired_on": "2020-01-01", "left_on": "", "valid_from": ""} | cells


def measured(seen, one, when=Q1, who="p", stages=()):
    """Row of one person, or of the person's team."""
    rules = process(one, stages=stages)
    table = kpis.values(seen, rules, period(when, as_of=seen.as_of))
    return table.set_index("person").loc[who]


@pytest.mark.parametrize(
    ("done", "left", "k", "day"),
    [
        ("2026-01-12", "2026-02-01", 1, "2026-01-12"),  # on the last day allowed
        ("2026-01-13", "2026-02-01", 0, "2026-01-12"),  # a day too late, though still in the stage
        ("2026-01-05", "2026-01-05", 1, "2026-01-05"),  # entered, done and left on one day
        ("2026-01-08", "2026-01-08", 1, "2026-01-08"),  # on the day it went on
        ("2026-01-09", "2026-01-08", 0, "2026-01-08"),  # after it went on
        ("2026-01-04", "2026-01-08", 0, "2026-01-08"),  # before the entry
    ],
)
def test_an_action_counts_from_entry_to_leaving_or_the_days_allowed(see, done, left, k, day):
    """
    Days are whole: the day of entry, of leaving and the last one allowed are in time.
    """
    one = kpi("a", "actions_done")
    rules = [stage("A", Action(("call",), 1), sla_days=7)]
    tables = {"stages": LINE, "deals": [deal(1)], "stage_events": moves(1, A="2026-01-05", B=left)}
    seen = see(tables | {"people": [person()], "activities": [act(1, done)]}, "2026-03-31")

    judged = kpis.judged_entries(seen, rules[0])

    assert judged[["n", "k"]].to_numpy().tolist() == [[1, k]]
    assert judged["judged_on"].dt.strftime("%Y-%m-%d").tolist() == [day]
    assert measured(seen, one, stages=rules)["value"] == k


@pytest.mark.parametrize(
    ("as_of", "lost_on", "n"),
    [
        ("2026-01-12", "", 0),  # open, the last day allowed is today
        ("2026-01-13", "", 1),
        ("2026-01-31", "2026-01-12", 0),  # lost on the last day allowed: ended too early
        ("2026-01-31", "2026-01-13", 1),
    ],
)
def test_an_entry_is_judged_once_the_days_are_over(see, as_of, lost_on, n):
    """
    Seven days after 5 January are over on the 13th; a deal lost before ended too early to be judged.
    """
    closing = moves(1, lost=lost_on) if lost_on else []
    tables = {
        "stages": LINE,
        "deals": [deal(1, closed=lost_on, status="lost" if lost_on else "open")],
        "stage_events": moves(1, A="2026-01-05") + closing,
        "people": [person()],
        "activities": [act(1, "2026-01-06")],
    }

    seen = see(tables, as_of)

    judged = kpis.judged_entries(seen, stage("A", Action(("call",), 1), sla_days=7))
    assert judged["n"].sum() == judged["k"].sum() == n


def test_every_action_of_a_stage_is_needed_as_often_as_it_says(see):
    """
    Two calls and a visit or demo; whoever does them.
    """
    works = [
        *(act(1, "2026-01-06"), act(1, "2026-01-07", rep="q"), act(1, "2026-01-07", "demo")),
        *(act(2, "2026-01-06"), act(2, "2026-01-07", "visit")),
        *(act(3, "2026-01-06"), act(3, "2026-01-07")),
    ]
    deals = [deal(number) for number in (1, 2, 3)]
    events = [row for n in (1, 2, 3) for row in moves(n, A="2026-01-05", B="2026-01-09")]
    tables = {"stages": LINE, "deals": deals, "stage_events": events, "activities": works}
    seen = see(tables | {"people": [person()]}, "2026-03-31")
    actions = (Action(("call",), 2), Action(("visit", "demo"), 1))

    judged = kpis.judged_entries(seen, stage("A", *actions, sla_days=7))

    assert judged[["n", "k"]].sum().tolist() == [3, 1]


@pytest.mark.parametrize(
    ("created", "k", "n"),
    [
        ("2025-12-02", 1, 1),  # 30 days old on 1 January, the first day
        ("2025-12-01", 0, 0),  # on 31 December
        ("2026-03-01", 1, 1),  # on 31 March, the last day
        ("2026-03-02", 0, 0),  # on 1 April
    ],
)
def test_a_deal_counts_in_the_period_in_which_it_reaches_the_age(see, created, k, n):
    """
    Won on the thirtieth day: in time, in the period that holds that day.
    """
    closed = (datetime.date.fromisoformat(created) + datetime.timedelta(days=30)).isoformat()
    seen = see({"deals": [deal(1, created, closed)], "people": [person()]}, "2026-06-30")

    rate = measured(seen, kpi("w", "cohort_win_rate", age_days=30))
    cycle = measured(seen, kpi("c", "sales_cycle", age_days=30))

    assert (rate["cases"], rate["k"]) == (n, k)
    assert cycle["cases"] == k
    if k:
        assert cycle["value"] == 30


def test_won_after_the_age_is_not_won_by_it(see):
    """
    A day too late: one case, no win, no cycle.
    """
    seen = see({"deals": [deal(1, "2026-01-01", "2026-02-01")], "people": [person()]}, "2026-06-30")

    rate = measured(seen, kpi("w", "cohort_win_rate", age_days=30))
    cycle = measured(seen, kpi("c", "sales_cycle", age_days=30))

    assert rate[["cases", "k", "value"]].tolist() == [1, 0, 0]
    assert cycle["cases"] == 0
    assert math.isnan(cycle["value"])


def test_a_young_deal_counts_only_once_it_is_old_enough(see):
    """
    Won at once, it has not reached the age yet: winners are not counted before the others could have won.
    """
    rows = {"deals": [deal(1, "2026-03-10", "2026-03-11")], "people": [person()]}
    one = kpi("w", "cohort_win_rate", age_days=20)

    assert measured(see(rows, "2026-03-29"), one)["cases"] == 0
    assert measured(see(rows, "2026-03-30"), one)[["cases", "k"]].tolist() == [1, 1]


def test_stage_conversion_at_its_boundary(see):
    """
    On the tenth day is in time, on the eleventh not; the case counts on the tenth day after the entry.
    """
    events = moves(1, A="2025-12-22", B="2026-01-01") + moves(2, A="2026-01-05", B="2026-01-16")
    events += moves(3, A="2026-03-22") + moves(4, A="2025-12-21", B="2025-12-22")
    deals = [deal(n, "2025-12-01") for n in (1, 2, 3, 4)]
    seen = see(
        {"stages": LINE, "deals": deals, "stage_events": events, "people": [person()]}, "2026-03-31"
    )

    row = measured(seen, kpi("s", "stage_conversion", stage="A", days=10))

    assert row[["cases", "k"]].tolist() == [2, 1]


def test_planned_activities_on_time(see):
    """
    Due after the day they were entered; done by the day due; not done yet is not in time, due tomorrow not counted.
    """
    works = [
        act(1, "2026-01-20", created="2026-01-10", due="2026-01-20"),  # on the day
        act(1, "2026-01-21", created="2026-01-10", due="2026-01-20", type_="visit"),  # a day late
        act(1, "2026-01-10", created="2026-01-10", due="2026-01-10", type_="b"),  # not planned
        act(1, "", created="2026-01-10", due="2026-01-31", type_="c"),  # open, due today
        act(1, "", created="2026-01-10", due="2026-02-01", type_="d"),  # due tomorrow
        act(1, "2026-01-15", created="2026-01-10", due="", type_="e"),  # never due
    ]
    tables = {"deals": [deal(1)], "people": [person()], "activities": works}
    seen = see(tables, "2026-01-31")

    assert measured(seen, kpi("o", "activities_on_time"))[["cases", "k"]].tolist() == [3, 1]
    only = kpi("o", "activities_on_time", types=("call",))
    assert measured(seen, only)[["cases", "k"]].tolist() == [1, 1]


def test_activities_per_month_present(see):
    """
    Three visits in 45.656 days present are 2 a month: hired on 1 March; others' and other kinds do not count.
    """
    works = [act(1, f"2026-03-{day}", "visit") for day in (10, 20, 31)]
    works += [
        act(1, "2026-04-01", "visit"),
        act(1, "2026-03-10"),
        act(1, "2026-03-11", "visit", "q"),
    ]
    people = [person(hired_on="2026-03-01"), person("q")]
    seen = see({"deals": [deal(1)], "people": people, "activities": works}, "2026-06-30")

    row = measured(seen, kpi("v", "activities", types=("visit",)))

    assert row["days"] == row["n"] == 31
    assert row["value"] == pytest.approx(3 / (31 / (365.25 / 12)))


def test_a_rate_of_nothing_is_a_nought_only_where_the_kind_is_recorded(see):
    """
    Nobody's visit is known before 10 March: before that a person cannot be judged; after it, no visit is 0.
    """
    people = [person(), person("q")]
    tables = {"deals": [deal(1)], "people": people, "activities": [act(1, "2026-03-10", "visit")]}
    seen = see(tables, "2026-03-31")
    one = kpi("v", "activities", types=("visit",))

    before, after = measured(seen, one, "2026-02", "q"), measured(seen, one, "2026-03", "q")

    assert (before["why"], before["is_judged"]) == ("not_recorded", False)
    assert math.isnan(before["value"])
    assert (after["value"], after["why"]) == (0, "")
    assert measured(seen, kpi("x", "activities", types=("fax",)))["why"] == "not_recorded"


def test_an_action_the_crm_has_no_kind_for_is_refused(see):
    """
    A kind nobody ever recorded would be missed by all; with few activities it may only be new, so it passes.
    """
    rules = stage("A", Action(("Telefon",), 1))
    for n, is_refused in ((99, False), (100, True)):
        done = [act(k, "2026-01-06", deal_id="1") for k in range(n)]
        tables = {"stages": LINE, "deals": [deal(1)], "people": [person()], "activities": done}
        seen = see(tables | {"stage_events": moves(1, A="2026-01-05")}, "2026-03-31")

        if is_refused:
            with pytest.raises(
                ParameterError, match="none of Telefon was ever recorded .* it has call"
            ):
                kpis.judged_entries(seen, rules)
        else:
            assert kpis.judged_entries(seen, rules)["k"].tolist() == [0]


def test_kpis_for_roles_that_nobody_has_are_refused(see):
    """
    The message names the roles people have; a role somebody had in another period is none to refuse.
    """
    people = [person("p", role="seller"), person("q", role="boss", hired_on="2026-03-01")]
    seen = see({"deals": [deal(1)], "people": people}, "2026-03-31")
    boss, clerk = (process(kpi("a", role=role)) for role in ("boss", "clerk"))

    assert kpis.values(seen, boss, period("2026-01", as_of=seen.as_of)).empty
    with pytest.raises(ParameterError, match="nobody was ever clerk; the roles are boss, seller"):
        kpis.values(seen, clerk, period("2026-01", as_of=seen.as_of))


def test_what_the_source_cannot_give_has_no_value(see):
    """
    Without activities nobody made 0 visits: impossible, with the source's reason.
    """
    seen = see({"deals": [deal(1)], "people": [person()]}, "2026-03-31",
               impossible={"activities": "not exported"})  # fmt: skip
    one = kpi("v", "activities", types=("visit",))

    row = measured(seen, one)

    assert (row["why"], row["is_judged"]) == ("impossible", False)
    assert row[["value", "low", "high", "points"]].isna().all()
    assert kpis.impossible(seen, one) == "not exported"
    assert kpis.impossible(seen, kpi("w", "cohort_win_rate", age_days=3)) is None


def test_credit_attainment_and_team(see):
    """
    60 of a deal's 100 to p, 40 to q of another team: the team of the deal's owner gets all of it.
    """
    rows = [
        {"deal_id": "1", "person_id": "p", "share": "0.6", "type": "revenue"},
        {"deal_id": "1", "person_id": "q", "share": "0.4", "type": "revenue"},
        {"deal_id": "1", "person_id": "r", "share": "0.5", "type": "overlay"},
    ]
    quotas = [
        {"holder_type": kind, "holder_id": holder, "period_start": "2026-01-01",
         "period_end": "2026-03-31", "measure": "amount", "value": value}
        for kind, holder, value in (("person", "p", "120"), ("person", "q", "80"), ("team", "T", "50"))
    ]  # fmt: skip
    people = [person(), person("q", team="U"), person("r")]
    tables = {"deals": [deal(1, closed="2026-02-01")], "credits": rows, "quotas": quotas}
    seen = see(tables | {"people": people}, "2026-03-31")

    assert measured(seen, kpi("a"))["value"] == pytest.approx(60 / 120)
    assert measured(seen, kpi("a"), who="q")["value"] == pytest.approx(40 / 80)
    assert measured(seen, kpi("a"), who="r")["why"] == "no_quota"
    assert measured(seen, kpi("a", whose="team"))["value"] == pytest.approx(100 / 50)
    assert measured(seen, kpi("a", whose="team"), who="q")["why"] == "no_quota"
    assert measured(seen, kpi("h", "assists"), who="r")["k"] == 1
    assert measured(seen, kpi("h", "assists"), who="q")["k"] == 1
    assert measured(seen, kpi("h", "assists"))["k"] == 0
    assert measured(seen, kpi("s", "credit_shared"))[["cases", "k"]].tolist() == [1, 1]
    assert measured(seen, kpi("s", "credit_shared"), who="q")["cases"] == 0


def test_help_counts_until_the_win(see):
    """
    An activity on the day of the win helped, one of the day after did not; one's own deal is no help.
    """
    works = [act(1, "2026-02-01", rep="q"), act(1, "2026-02-02", rep="r"), act(1, "2026-01-20")]
    people = [person(), person("q"), person("r")]
    rows = [{"deal_id": "2", "person_id": "p", "share": "1", "type": "revenue"}]
    deals = [deal(1, closed="2026-02-01"), deal(2, closed="2026-02-01", owner="")]
    tables = {"deals": deals, "people": people, "activities": works, "credits": rows}
    seen = see(tables, "2026-03-31")

    helped = [measured(seen, kpi("h", "assists"), who=who)["k"] for who in ("p", "q", "r")]

    assert helped == [0, 1, 0]


def test_hand_overs_of_open_deals(see):
    """
    Worked on by the new owner within 8 days, the eighth included; a deal closed by then is not handed over to work on.
    """
    history = [
        {"deal_id": str(n), "owner": owner, "valid_from": day}
        for n in (1, 2, 3, 4)
        for owner, day in (("q", "2026-01-05"), ("p", "2026-02-01"))
    ]
    works = [
        *(act(1, "2026-02-09"), act(2, "2026-02-10"), act(3, "2026-02-02", rep="q")),
        act(4, "2026-02-02"),
    ]
    deals = [deal(n) for n in (1, 2, 3)] + [deal(4, closed="2026-02-01")]
    tables = {"deals": deals, "owner_history": history, "activities": works}
    seen = see(tables | {"people": [person(), person("q")]}, "2026-03-31")

    assert measured(seen, kpi("h", "hand_overs", days=8))[["cases", "k"]].tolist() == [3, 1]


def test_a_hand_over_counts_when_its_days_are_over(see):
    """
    Eight days after 1 February are over on the 9th.
    """
    history = [
        {"deal_id": "1", "owner": owner, "valid_from": day}
        for owner, day in (("q", "2026-01-05"), ("p", "2026-02-01"))
    ]
    tables = {"deals": [deal(1)], "owner_history": history, "activities": [act(1, "2026-02-02")]}
    tables |= {"people": [person(), person("q")]}
    one = kpi("h", "hand_overs", days=8)

    assert measured(see(tables, "2026-02-08"), one)["cases"] == 0
    assert measured(see(tables, "2026-02-09"), one)[["cases", "k"]].tolist() == [1, 1]


def test_answers_and_questions(see):
    """
    4 of 5 and 7 of 10; an answer on the last day allowed is one, a day later not; off the scale is no answer.
    """
    rows = [
        {"deal_id": "", "account_id": "", "person_id": "p", "asked_at": asked, "answered_at": answered,
         "score": score, "scale_max": scale}
        for asked, answered, score, scale in (
            ("2026-01-10", "2026-01-20", "4", "5"),
            ("2026-01-11", "2026-01-22", "7", "10"),
            ("2026-01-12", "2026-01-13", "8", "5"),
            ("2026-03-30", "", "", "5"),
        )
    ]  # fmt: skip
    seen = see({"deals": [deal(1)], "people": [person()], "satisfaction": rows}, "2026-03-31")

    answers = measured(seen, kpi("s", "satisfaction"))
    asked = measured(seen, kpi("r", "response_rate", days=10))

    assert answers["cases"] == 2
    assert answers["value"] == pytest.approx((0.8 + 0.7) / 2)
    assert asked[["cases", "k"]].tolist() == [3, 2]


def test_data_hygiene_asks_for_what_the_crm_holds(see):
    """
    A date over by the days allowed is kept up, a day more is not; a lost deal needs a reason, a won one does not.
    """
    deals = [
        deal(1, closed="2026-02-11", expected_close="2026-02-01", loss_reason=""),
        deal(2, closed="2026-02-12", expected_close="2026-02-01", loss_reason=""),
        deal(
            3, closed="2026-02-01", status="lost", expected_close="2026-02-01", loss_reason="price"
        ),
        deal(4, closed="2026-02-01", status="lost", expected_close="2026-02-01", loss_reason=""),
        deal(5, closed="2026-02-01", expected_close="", loss_reason=""),
        deal(6, closed="2026-02-01", expected_close="2026-02-01", loss_reason="", amount=""),
        deal(7, expected_close="2025-01-01", loss_reason=""),
    ]
    one = kpi("d", "data_hygiene", days=10)

    seen = see({"deals": deals, "people": [person()]}, "2026-03-31")
    bare = see({"deals": [deal(1, closed="2026-02-11")], "people": [person()]}, "2026-03-31")

    assert measured(seen, one)[["cases", "k"]].tolist() == [6, 2]
    assert measured(bare, one)[["cases", "k"]].tolist() == [1, 1]


# ---- people -----------------------------------------------------------------------------------------------------


def there(see, rows, when, as_of="2026-06-30", **changes):
    """Members of a period, by person."""
    seen = see({"deals": [deal(1, "2025-12-01")], "people": rows}, as_of)
    return kpis.members(seen, process(**changes), period(when, as_of=seen.as_of)).set_index(
        "person"
    )


@pytest.mark.parametrize(
    ("hired", "ramp"),
    [
        ("2025-10-01", "ramped"),
        ("2025-10-02", "ramping"),
        ("2026-02-10", "ramping"),
        ("", "ramped"),
    ],
)
def test_ramping_is_less_than_the_months_before_the_period(see, hired, ramp):
    """
    Three months before 1 January: hired on 1 October is ramped, on the 2nd not; unknown is ramped.
    """
    assert there(see, [person(hired_on=hired)], Q1, ramp_months=3).loc["p", "ramp"] == ramp


def test_joiners_leavers_and_movers(see):
    """
    Days run from hiring to leaving, both included; a mover counts once, where last; who left before is not there.
    """
    rows = [
        person("joiner", hired_on="2026-03-31"),
        person("leaver", left_on="2026-01-01"),
        person("gone", left_on="2025-12-31"),
        person("later", hired_on="2026-04-01"),
        person("mover", valid_from="2025-01-01"),
        person("mover", team="U", role="boss", valid_from="2026-03-31"),
        person("moves later", valid_from="2025-01-01"),
        person("moves later", team="U", valid_from="2026-04-01"),
    ]

    table = there(see, rows, Q1)

    assert table["days"].to_dict() == {"joiner": 1, "leaver": 1, "mover": 90, "moves later": 90}
    assert table["team"].to_dict() == {
        "joiner": "T",
        "leaver": "T",
        "mover": "U",
        "moves later": "T",
    }
    assert table.loc["mover", "role"] == "boss"


def test_hired_again_in_the_period(see):
    """
    Left on 10 January, back on 22 March: 10 + 10 days, and ramping again.
    """
    rows = [
        person(left_on="2026-01-10", valid_from="2020-01-01"),
        person(team="U", hired_on="2026-03-22", valid_from="2026-03-22"),
    ]
    quota = {"holder_type": "person", "holder_id": "p", "period_start": "2026-01-01",
             "period_end": "2026-03-31", "measure": "amount", "value": "90"}  # fmt: skip

    table = there(see, rows, Q1)

    assert table.loc["p", ["days", "team", "ramp"]].tolist() == [20, "U", "ramping"]
    assert there(see, rows, "2026-02").empty
    seen = see({"deals": [deal(1, "2025-12-01")], "people": rows, "quotas": [quota]}, "2026-06-30")
    asked = credit.quotas(seen, period(Q1, as_of=seen.as_of)).iloc[0]
    assert asked[["quota", "prorated_quota"]].tolist() == pytest.approx([90, 20])


def test_the_team_known_first_holds_before(see):
    """
    Somebody hired long before the history of teams begins was there, in the first team that is known.
    """
    table = there(see, [person(valid_from="2026-05-01")], Q1)

    assert table.loc["p", ["team", "days"]].tolist() == ["T", 90]
    assert there(see, [person(hired_on="", valid_from="2026-05-01")], Q1).empty


def test_leaving_is_not_known_before(see):
    """
    As of 1 February nobody knows that p leaves on the 10th.
    """
    rows = [person(left_on="2026-02-10")]

    assert there(see, rows, Q1, "2026-02-01").loc["p", ["days"]].tolist() == [32]
    assert pd.isna(there(see, rows, Q1, "2026-02-01").loc["p", "left_on"])
    assert there(see, rows, Q1, "2026-03-31").loc["p", "days"] == 41


def test_without_people_the_owners_were_there_throughout(see):
    """
    Everyone by id, ramped, in the default role, in no team; KPIs of the team cannot be judged and nothing fails.
    """
    seen = see({"deals": [deal(1, closed="2026-02-01"), deal(2, owner="q"), deal(3, owner="")]},
               "2026-03-31", impossible={"people": "not exported"})  # fmt: skip

    table = kpis.members(seen, process(), period(Q1, as_of=seen.as_of))
    rows = kpis.values(
        seen, process(kpi("w", "won_amount"), kpi("t", "won_amount", whose="team")),
        period(Q1, as_of=seen.as_of),
    )  # fmt: skip

    assert table[["person", "name", "role", "ramp", "days"]].to_numpy().tolist() == [
        ["p", "p", "rep", "ramped", 90],
        ["q", "q", "rep", "ramped", 90],
    ]
    assert rows[rows["kpi"] == "w"]["is_judged"].tolist() == [True, True]
    assert rows[rows["kpi"] == "t"]["why"].tolist() == ["too_little", "too_little"]


def test_team_rates_count_days_where_they_were_worked(see):
    """
    Moved after 59 of 90 days: the old team is divided by 59 days, the new one by its own 90 and 31.
    """
    rows = [person(valid_from="2025-01-01"), person(team="U", valid_from="2026-03-01"), person("q", team="U"),
            person("boss", role="boss")]  # fmt: skip
    works = [act(1, "2026-02-10", "visit"), act(1, "2026-03-10", "visit")]
    seen = see({"deals": [deal(1)], "people": rows, "activities": works}, "2026-03-31")
    one = kpi("v", "activities", types=("visit",), whose="team")

    table = kpis.unit_values(
        seen, process(one), period(Q1, as_of=seen.as_of), one, (), unit="team", units=pd.Series(["T", "U"])
    )  # fmt: skip

    assert table["k"].tolist() == [1, 1]
    assert_allclose(table["n"], [59, 90 + 31])
    assert_allclose(table["value"], [1 / (59 / (365.25 / 12)), 1 / (121 / (365.25 / 12))])


def test_spells_say_who_was_where(see):
    """
    A spell ends the day before the next begins, or with leaving; the first begins with hiring.
    """
    rows = [
        person(valid_from="2025-02-01", hired_on="2024-01-15", left_on="2026-02-10"),
        person(team="U", valid_from="2025-06-01", hired_on="2024-01-15", left_on="2026-02-10"),
    ]
    seen = see({"deals": [deal(1, "2025-12-01")], "people": rows}, "2026-06-30")

    table = staff.spells(seen)

    days = [table[name].dt.strftime("%Y-%m-%d").tolist() for name in ("begins_on", "ends_on")]
    assert table["team"].tolist() == ["T", "U"]
    assert days == [["2024-01-15", "2025-06-01"], ["2025-05-31", "2026-02-10"]]


def test_a_stage_without_actions_has_no_entries_to_judge(see):
    """
    Nothing is required, so nothing can be judged: too little, no failure.
    """
    tables = {
        "stages": LINE,
        "deals": [deal(1)],
        "stage_events": moves(1, A="2026-01-05", B="2026-01-09"),
    }
    seen = see(tables | {"people": [person()], "activities": [act(1, "2026-01-06")]}, "2026-03-31")

    row = measured(seen, kpi("a", "actions_done"), stages=[stage("A", sla_days=7)])

    assert (row["why"], row["n"]) == ("too_little", 0)


def test_halves_of_the_weeks_add_up_to_the_whole(both):
    """
    Odd and even weeks share no day: their cases add up to those of the period.
    """
    seen, company, when = both
    units = pd.Series(sorted(company.members(when.first, when.last, 3)), dtype=object)
    for one in KPIS[::2]:
        whole, odd, even = (
            kpis.unit_values(
                seen, PROCESS, when, one, tuple(STAGES), unit="person", units=units, week=week
            )
            for week in (None, 1, 0)
        )

        assert_allclose(odd["cases"] + even["cases"], whole["cases"])
        assert_allclose(odd["k"] + even["k"], whole["k"])
        if kpis.FORMS[one.measure].form != "median":
            assert_allclose(odd["x"] + even["x"], whole["x"], atol=1e-9)


@pytest.mark.parametrize(("n", "judged"), [(5, False), (6, True)])
def test_a_median_needs_the_evidence_that_gives_it_an_interval(see, n, judged):
    """
    With five values no 95 % interval of a median exists.
    """
    deals = [deal(number, "2026-01-05", f"2026-01-{10 + number}") for number in range(n)]
    seen = see({"deals": deals, "people": [person()]}, "2026-03-31")

    row = measured(seen, kpi("c", "sales_cycle", age_days=40))

    assert row["is_judged"] == judged
    assert math.isnan(row["low"]) != judged
