"""Today's list: each reason by hand and at its limit, the whole against a plain reading, and who sees what."""

import dataclasses
import datetime
import math
import random
import re

import pandas as pd
import plain
import pytest
import worlds
from export import ROOT

from salesanalysis import crm
from salesanalysis.crm.errors import ParameterError
from salesanalysis.crm.process import Action, Stage, Text
from salesanalysis.metrics import attention

MONDAY = "2026-03-02"
LIMITS = {"ahead_days": 3, "pushes": 2, "loss_probability": 0.1}
STAGES = [
    {"stage": "A", "stage_order": "1", "sla_days": "5"},
    {"stage": "B", "stage_order": "2", "sla_days": "10"},
    {"stage": "C", "stage_order": "3"},
    {"stage": "Won", "stage_order": "4", "is_won": "true"},
    {"stage": "Lost", "stage_order": "5", "is_lost": "true"},
]
ALICE = {"person_id": "a", "name": "Alice", "team": "North", "manager_id": "m"}
BOB = {"person_id": "b", "name": "Bob", "team": "South", "manager_id": "m"}
MANAGER = {"person_id": "m", "name": "Mia"}


def stage(name, sla_days=10, *actions, pipeline=None, begins="2020-01-01"):
    """A stage of the process; an action is its kinds and how many of them."""
    both = Text(name, name)
    rules = tuple(Action(tuple(kinds), least) for kinds, least in actions)
    day = datetime.date.fromisoformat(begins)
    return Stage(name, both, both, "rep", rules, sla_days, 0.5, day, pipeline)


def process(*stages):
    """The example's process with other stages."""
    return dataclasses.replace(crm.read_process(ROOT / "params" / "process.yaml"), stages=stages)


def deal(number, created="2026-02-20", owner="a", **cells):
    """An open deal in stage A from the day it was created on."""
    row = {"deal_id": str(number), "created_at": f"{created} 09:00:00", "status": "open"}
    return row | {"owner": owner, "amount": "100", "stage": "A"} | cells


def entered(number, *steps):
    """Stage events: (stage, day)."""
    return [
        {"deal_id": str(number), "stage": name, "entered_at": f"{day} 09:00:00"}
        for name, day in steps
    ]


def activity(number, kind="call", due="", done="", created="2026-02-20", at="12:00:00"):
    """An activity for a deal, planned for a day, done on a day, or both."""
    return {
        "activity_id": f"{number}-{kind}-{due}-{done}-{at}",
        "deal_id": str(number),
        "rep": "a",
        "type": kind,
        "created_at": f"{created} 08:00:00",
        "due_at": due and f"{due} 12:00:00",
        "done_at": done and f"{done} {at}",
    }


def pushed(number, *moves):
    """Changes of the expected close date: (day of the change, old, new)."""
    return [
        {"deal_id": str(number), "field": "expected_close", "old": old, "new": new, "changed_at": f"{day} 10:00:00"}
        for day, old, new in moves
    ]  # fmt: skip


def world(deals, **tables):
    """Tables in which each deal has been in A since it was created, unless its events say otherwise."""
    known = {event["deal_id"] for event in tables.get("stage_events", [])}
    plain_ones = [d for d in deals if d["deal_id"] not in known]
    events = [
        {"deal_id": d["deal_id"], "stage": "A", "entered_at": d["created_at"]} for d in plain_ones
    ]
    tables["stage_events"] = tables.get("stage_events", []) + events
    return {"stages": STAGES, "deals": deals} | tables


def closed(n, status, age, *, first=1000, created="2025-06-01", **cells):
    """Deals all closed at the same age."""
    day = datetime.date.fromisoformat(created) + datetime.timedelta(days=age)
    return [
        deal(first + number, created, status=status, closed_at=f"{day} 09:00:00", owner="z", **cells)
        for number in range(n)
    ]  # fmt: skip


def found(seen, rules, name, **limits):
    """Deal -> (found, threshold, since, what) of one reason."""
    ids = seen.frame("SELECT deal_key, deal_id FROM details").set_index("deal_key")["deal_id"]
    table = attention.reasons(seen, rules, **(LIMITS | limits))
    rows = table[table["reason"] == name]
    return {
        ids[row.deal_key]: tuple(
            plain.value_of(value) for value in (row.found, row.threshold, row.since, row.what)
        )
        for row in rows.itertuples()
    }


def day(text):
    return datetime.date.fromisoformat(text)


def test_rotting_is_longer_than_allowed_and_not_as_long(see):
    """
    10 days of 10 are in order, 11 are not, since the day on which they became 11; the present stay counts, not the
    first; B goes by the CRM's own days, and C, for which nobody says days, never rots.
    """
    deals = [deal(1, "2026-02-20"), deal(2, "2026-02-19"), deal(3, "2026-01-05"), deal(4), deal(5)]
    deals += [deal(6), deal(7)]
    events = [
        *entered(3, ("A", "2026-01-05"), ("B", "2026-01-10"), ("A", "2026-02-28")),
        *entered(4, ("B", "2026-02-20")),
        *entered(5, ("B", "2026-02-19")),
        *entered(6, ("C", "2026-01-01")),
        *entered(7, ("A", "2026-01-05"), ("Won", "2026-01-30")),
    ]
    deals[-1] |= {"status": "won", "closed_at": "2026-01-30 09:00:00"}

    seen = see(world(deals, stage_events=events), MONDAY)

    assert found(seen, process(stage("A", 10)), "rotting") == {
        "2": (11, 10, day(MONDAY), "A"),
        "5": (11, 10, day(MONDAY), "B"),
    }


def test_the_days_of_the_rules_in_force_and_of_the_pipeline_count(see):
    """
    A stage that has not begun asks nothing, the newest version holds, and a pipeline's own stage goes before.
    """
    stages = [row | {"pipeline": line} for line in ("New", "Old") for row in STAGES]
    deals = [deal(1, "2026-02-20", pipeline="New"), deal(2, "2026-02-20", pipeline="Old")]
    events = [
        {"deal_id": d["deal_id"], "stage": "A", "entered_at": d["created_at"], "pipeline": d["pipeline"]}
        for d in deals
    ]  # fmt: skip
    rules = process(
        stage("A", 30),
        stage("A", 8, begins="2026-03-01"),
        stage("A", 1, begins="2026-03-03"),
        stage("A", 20, pipeline="Old"),
    )

    seen = see({"stages": stages, "deals": deals, "stage_events": events}, MONDAY)

    assert found(seen, rules, "rotting") == {"1": (10, 8, day("2026-03-01"), "A")}


def test_a_step_is_overdue_from_the_day_after_it_was_due(see):
    """
    Due the day before and not done is overdue, due on the day itself is the next step; done later was not done
    on the day; the first one overdue counts, whatever is planned after it.
    """
    deals = [deal(number) for number in range(1, 7)]
    activities = [
        activity(1, due="2026-03-01"),
        activity(2, due=MONDAY),
        activity(3, due="2026-03-01", done="2026-03-01"),
        activity(4, "visit", due="2026-02-28", done="2026-03-03"),
        activity(5, "visit", due="2026-02-25"),
        activity(5, "call", due="2026-02-26"),
        activity(5, "call", due="2026-03-20"),
        activity(6, due="2026-02-25", done="2026-02-27"),
        activity(6, due="2026-03-09"),
    ]

    seen = see(world(deals, activities=activities), MONDAY)

    assert found(seen, process(), "step_overdue") == {
        "1": (1, 0, day(MONDAY), "call"),
        "4": (2, 0, day("2026-03-01"), "visit"),
        "5": (5, 0, day("2026-02-26"), "visit"),
    }
    assert found(seen, process(), "no_next_step") == {"3": (1, None, day("2026-03-01"), None)}


def test_without_a_next_step_the_time_since_the_last_work_is_found(see):
    """
    Nothing planned: since the last activity done by then, or since creation; a closed deal needs no step.
    """
    deals = [deal(1), deal(2), deal(3), *closed(1, "lost", 5)]
    activities = [
        activity(1, done="2026-02-21"),
        activity(1, done="2026-02-25"),
        activity(1, done="2026-03-04"),
        activity(3, due="2026-03-05"),
    ]

    seen = see(world(deals, activities=activities), MONDAY)

    assert found(seen, process(), "no_next_step") == {
        "1": (5, None, day("2026-02-25"), None),
        "2": (10, None, day("2026-02-20"), None),
    }


def test_the_next_step_of_the_deal_itself_counts_where_no_activity_is_planned(see):
    """
    On the day of the export the deal's own next step is known: today it is one, yesterday it is overdue, unless an
    activity is planned. As of an earlier day it is not known.
    """
    deals = [
        deal(1, next_step_at=f"{MONDAY} 09:00:00"),
        deal(2, next_step_at="2026-03-01 09:00:00"),
        deal(3, next_step_at="2026-03-01 09:00:00"),
        deal(4),
    ]
    tables = world(deals, activities=[activity(3, due="2026-03-06")])

    seen = see(tables, MONDAY, extracted_on=MONDAY)
    before = see(tables, "2026-03-01", extracted_on=MONDAY)

    assert found(seen, process(), "step_overdue") == {"2": (1, 0, day(MONDAY), None)}
    assert set(found(seen, process(), "no_next_step")) == {"4"}
    assert set(found(before, process(), "no_next_step")) == {"1", "2", "4"}


def test_the_next_step_of_the_deal_is_enough_without_activities(see):
    """
    A source without activities that holds next steps tells which are missing, though not since when.
    """
    deals = [deal(1, next_step_at=f"{MONDAY} 09:00:00"), deal(2)]

    seen = see(world(deals), MONDAY, extracted_on=MONDAY)

    assert found(seen, process(), "no_next_step") == {"2": (None, None, None, None)}


def test_required_actions_are_missed_before_the_stage_ends(see):
    """
    Three days ahead of the tenth day it is time, four days ahead it is not; what was done before the stage was
    entered does not count, on the same day it does; any of the kinds counts; over is over.
    """
    deals = [deal(number, "2026-02-23") for number in (1, 2, 3, 4)]
    deals += [deal(5, "2026-02-24"), deal(6, "2026-01-10"), deal(7, "2026-03-01")]
    events = [
        *entered(2, ("B", "2026-02-01"), ("A", "2026-02-23")),
        *entered(7, ("C", "2026-03-01")),
    ]
    activities = [
        activity(1, "visit", done="2026-02-23", at="08:00:00"),
        activity(1, "meeting", done="2026-03-02"),
        activity(1, "demo", done="2026-03-02"),
        activity(2, "visit", done="2026-02-22"),
        activity(2, "meeting", done="2026-02-24"),
        activity(3, "demo", done="2026-03-03"),
        activity(4, "mail", done="2026-02-24"),
        activity(4, "visit", due="2026-02-24"),
    ]
    rules = process(
        stage("A", 10, (("visit", "meeting"), 2), (("demo",), 1)), stage("C", 2, (("demo",), 1))
    )

    seen = see(world(deals, stage_events=events, activities=activities), MONDAY)

    assert found(seen, rules, "actions_missing") == {
        "2": (2, 3, day(MONDAY), "visit/meeting, demo"),
        "3": (3, 3, day(MONDAY), "visit/meeting, demo"),
        "4": (3, 3, day(MONDAY), "visit/meeting, demo"),
        "6": (3, 3, day("2026-01-17"), "visit/meeting, demo"),
        "7": (1, 1, day("2026-03-01"), "demo"),
    }
    assert set(found(seen, rules, "actions_missing", ahead_days=4)) == {
        "2",
        "3",
        "4",
        "5",
        "6",
        "7",
    }
    assert set(found(seen, rules, "actions_missing", ahead_days=0)) == {"6"}


def test_stuck_is_older_than_most_won_deals_ever_were(see):
    """
    Of 20 deals won at ages 1 to 20, 19 took 19 days or less: the 95 % are 19 days; the 20th day is too long.
    """
    won = [row for age in range(1, 21) for row in closed(1, "won", age, first=1000 + age)]
    deals = [deal(1, "2026-02-11"), deal(2, "2026-02-10"), *won, *closed(5, "lost", 300, created="2025-01-01")]  # fmt: skip

    seen = see(world(deals), MONDAY)
    fewer = see(world([*deals[:2], *won[1:]]), MONDAY)

    assert found(seen, process(), "stuck") == {"2": (20, 19, day(MONDAY), None)}
    assert found(fewer, process(), "stuck") == {}
    why = attention.by_reason(fewer, process(), **LIMITS).set_index("reason")["why"]
    assert why["stuck"] == "too_few_won"


def test_a_pipeline_with_few_won_deals_goes_by_all(see):
    """
    20 deals of Long were won in 50 days, 20 of Short in 5; Rare has won one: it goes by the 95 % of all 41.
    """
    stages = [row | {"pipeline": line} for line in ("Long", "Short", "Rare") for row in STAGES]
    deals = [
        *closed(20, "won", 50, first=1000, pipeline="Long"),
        *closed(20, "won", 5, first=2000, pipeline="Short"),
        *closed(1, "won", 1, first=3000, pipeline="Rare"),
        *(deal(number, "2026-01-20", pipeline=line) for number, line in enumerate(("Long", "Short", "Rare"))),
    ]  # fmt: skip

    seen = see({"stages": stages, "deals": deals}, MONDAY)

    assert found(seen, process(), "stuck") == {"1": (41, 5, day("2026-01-26"), None)}


def test_pushes_count_moves_to_a_later_day(see):
    """
    Two moves to a later day are one too many, since the second; an earlier day and a move after the day do not count.
    """
    deals = [deal(1), deal(2), deal(3)]
    changes = [
        *pushed(1, ("2026-02-21", "2026-03-10", "2026-03-20"), ("2026-02-23", "2026-03-20", "2026-03-15"),
                ("2026-02-26", "2026-03-15", "2026-04-01")),
        *pushed(2, ("2026-02-21", "2026-03-10", "2026-03-20"), ("2026-03-03", "2026-03-20", "2026-04-01")),
        *pushed(3, ("2026-02-21", "2026-03-10", "2026-03-20"), ("2026-02-23", "2026-03-20", "2026-03-30"),
                ("2026-02-24", "2026-03-30", "2026-04-30")),
    ]  # fmt: skip

    seen = see(world(deals, deal_changes=changes), MONDAY)

    assert found(seen, process(), "close_pushed") == {
        "1": (2, 2, day("2026-02-26"), None),
        "3": (3, 2, day("2026-02-23"), None),
    }
    assert set(found(seen, process(), "close_pushed", pushes=1)) == {"1", "2", "3"}
    assert found(seen, process(), "close_pushed", pushes=4) == {}


def test_an_expected_close_before_the_day_is_over(see):
    """
    Expected yesterday is over, today is not.
    """
    deals = [deal(1, expected_close="2026-03-01"), deal(2, expected_close=MONDAY), deal(3)]

    seen = see(world(deals), MONDAY)

    assert found(seen, process(), "close_over") == {"1": (1, 0, day(MONDAY), None)}


def hopeless():
    """
    40 closed deals: 10 won at age 5, 29 lost and 1 won at 40. Ten open deals of 20 days, amounts 100 to 1,000.

    After 5 days one in 30 is won; 910 is the 90 % quantile of the amounts.
    """
    history = [
        *closed(10, "won", 5, first=1000),
        *closed(29, "lost", 40, first=2000),
        *closed(1, "won", 40, first=3000),
    ]
    opened = [deal(number, "2026-02-10", amount=str(100 * number)) for number in range(1, 11)]
    return world([*history, *opened])


def test_a_large_deal_with_a_small_chance_is_one_to_decide(see):
    """
    Only the largest tenth counts, and a chance that is lower than the limit; since the fifth day, when it fell.
    """
    seen = see(hopeless(), MONDAY)

    rows = found(seen, process(), "loss_likely", loss_probability=0.034)

    assert rows.keys() == {"10"}
    assert rows["10"] == (pytest.approx(1 / 30), 0.034, day("2026-02-15"), None)
    assert found(seen, process(), "loss_likely", loss_probability=0.033) == {}


def test_value_at_stake_is_the_amount_times_the_chance_from_here(see):
    """
    One in 30 of each amount; the largest comes first, and five a day are due on Tuesday, the rest on Wednesday.
    """
    seen = see(hopeless(), MONDAY)

    table = attention.attention(seen, process(stage("A", 10)), per_person=5, **LIMITS)

    assert table["deal_id"].tolist() == [str(number) for number in range(10, 0, -1)]
    assert table["value_at_stake"].tolist() == pytest.approx(
        [n * 100 / 30 for n in range(10, 0, -1)]
    )
    assert table["basis"].tolist() == ["stage"] * 10
    assert table["rank"].tolist() == list(range(1, 11))
    assert table["due"].dt.date.tolist() == [day("2026-03-03")] * 5 + [day("2026-03-04")] * 5
    assert table["is_today"].tolist() == [True] * 5 + [False] * 5


def test_a_stage_in_which_few_were_followed_takes_the_chance_of_all(see):
    """
    After five days: in B 20 of 20 were won, in A 0 of 30; in C only one deal has been that long, so the 20 won of 51
    in all stages. After 50 days nobody is left: no chance, no value, last.
    """
    history = [
        *closed(20, "won", 10, first=1000, created="2025-06-01"),
        *closed(30, "lost", 10, first=2000),
    ]
    opened = [
        *(deal(number, "2026-02-25") for number in (1, 2, 3)),
        deal(4, "2026-01-11"),
    ]
    events = [
        *(e for row in history[:20] for e in entered(row["deal_id"], ("B", "2025-06-01"))),
        *entered(2, ("B", "2026-02-25")),
        *entered(3, ("C", "2026-02-25")),
        *entered(4, ("C", "2026-01-11")),
    ]

    seen = see(world([*history, *opened], stage_events=events), MONDAY)
    rules = process(*(stage(name, 1) for name in "ABC"))
    table = attention.attention(seen, rules, per_person=5, **LIMITS)

    assert table["deal_id"].tolist() == ["2", "3", "1", "4"]
    assert table["won_rate"].tolist()[:3] == pytest.approx([1, 20 / 51, 0])
    assert table["basis"].tolist()[:3] == ["stage", "all stages", "stage"]
    assert pd.isna(table.iloc[3][["won_rate", "basis", "value_at_stake"]]).all()


@pytest.mark.parametrize(
    ("as_of", "due"),
    [
        ("2026-02-26", ["2026-02-27", "2026-02-27", "2026-03-02", "2026-03-02", "2026-03-03"]),
        ("2026-02-27", ["2026-03-02", "2026-03-02", "2026-03-03", "2026-03-03", "2026-03-04"]),
        ("2026-02-28", ["2026-03-02", "2026-03-02", "2026-03-03", "2026-03-03", "2026-03-04"]),
        ("2026-03-01", ["2026-03-02", "2026-03-02", "2026-03-03", "2026-03-03", "2026-03-04"]),
    ],
)
def test_due_days_are_weekdays_after_the_day(see, as_of, due):
    """
    From a Thursday, Friday, Saturday and Sunday: two a day, no Saturday, no Sunday, never the day itself.
    """
    deals = [deal(number, "2026-01-10") for number in range(5)]

    table = attention.attention(
        see(world(deals), as_of), process(stage("A", 10)), per_person=2, **LIMITS
    )

    assert table["due"].dt.strftime("%Y-%m-%d").tolist() == due


def test_nobody_gets_more_than_a_day_holds(see):
    """
    The limit is per person; what waits is counted per person with the day on which the last of it comes up.
    """
    deals = [deal(number, "2026-01-10", owner="a") for number in range(5)]
    deals += [deal(number, "2026-01-10", owner="b") for number in range(5, 7)]
    seen = see(world(deals, people=[ALICE, BOB | {"team": "North"}, MANAGER]), MONDAY)

    table = attention.attention(seen, process(stage("A", 10)), per_person=2, **LIMITS)

    assert table[table["is_today"]].groupby("person").size().to_dict() == {"a": 2, "b": 2}
    plain.assert_same(
        attention.waiting(table),
        [
            {"person": "a", "name": "Alice", "n_today": 2, "n_waiting": 3, "value_waiting": None, "last_due": day("2026-03-05")},
            {"person": "b", "name": "Bob", "n_today": 2, "n_waiting": 0, "value_waiting": 0.0, "last_due": None},
        ],
        ["person"],
    )  # fmt: skip


def test_a_deal_without_an_amount_comes_after_the_others_by_its_reasons(see):
    """
    Known values first; then the deal with more reasons, then the one of the lower id.
    """
    tables = hopeless()
    tables["deals"] += [
        deal(21, "2026-02-10", amount=""),
        deal(22, "2026-02-10", amount="", expected_close="2026-02-01"),
        deal(20, "2026-02-10", amount=""),
    ]
    tables["stage_events"] += [e for n in (20, 21, 22) for e in entered(n, ("A", "2026-02-10"))]

    table = attention.attention(
        see(tables, MONDAY), process(stage("A", 10)), per_person=5, **LIMITS
    )

    assert table["deal_id"].tolist()[-4:] == ["1", "22", "20", "21"]
    assert table["reasons"].tolist()[-3:] == [("rotting", "close_over"), ("rotting",), ("rotting",)]


def test_a_deal_has_one_row_with_its_reasons_in_order_and_the_action_of_the_first(see):
    """
    Missing actions come before rotting and a date that is over; the first reason says what is to be done.
    """
    deals = [deal(1, "2026-01-10", expected_close="2026-02-01"), deal(2, "2026-03-01")]
    rules = process(stage("A", 10, (("demo",), 1)))

    seen = see(world(deals, activities=[activity(2, due="2026-03-04")]), MONDAY)
    table = attention.attention(seen, rules, per_person=5, **LIMITS)

    row = table.iloc[0]
    assert table["deal_id"].tolist() == ["1"]
    assert row["reasons"] == ("actions_missing", "no_next_step", "rotting", "close_over")
    assert (row["reason"], row["what"], row["action"]) == (
        "actions_missing",
        "demo",
        "do_required_actions",
    )
    assert set(attention.ACTIONS) >= set(row["reasons"])


def test_the_manager_acts_for_an_owner_who_has_left(see):
    """
    Left on the day: the manager, who counts it into the own day; a manager who left too, or no owner: nobody.
    """
    gone = {"person_id": "g", "name": "Gus", "manager_id": "m", "left_on": MONDAY}
    later = {"person_id": "l", "name": "Lea", "manager_id": "m", "left_on": "2026-03-03"}
    orphan = {"person_id": "o", "name": "Otto", "manager_id": "g", "left_on": "2026-01-01"}
    deals = [deal(1, "2026-01-10", owner="g"), deal(2, "2026-01-10", owner="l")]
    deals += [deal(3, "2026-01-10", owner="o"), deal(4, "2026-01-10", owner="")]
    seen = see(world(deals, people=[gone, later, orphan, MANAGER]), MONDAY)

    table = attention.attention(seen, process(stage("A", 10)), per_person=5, **LIMITS)

    assert [
        tuple(plain.value_of(row[name]) for name in ("owner", "person", "name", "action"))
        for _, row in table.sort_values("deal_id").iterrows()
    ] == [
        ("g", "m", "Mia", "assign_owner"),
        ("l", "l", "Lea", "move_on_or_close"),
        ("o", None, None, "assign_owner"),
        (None, None, None, "assign_owner"),
    ]


def test_the_page_of_one_who_left_that_day_does_not_name_the_manager(see):
    """
    The deals still stand on it, for somebody else to take over.
    """
    gone = {"person_id": "g", "name": "Gus", "manager_id": "m", "left_on": MONDAY}
    seen = see(world([deal(1, "2026-01-10", owner="g")], people=[gone, MANAGER]), MONDAY)

    own = attention.attention(seen, process(stage("A", 10)), per_person=5, rep="g", **LIMITS)

    assert own["action"].tolist() == ["assign_owner"]
    assert own[["person", "name"]].isna().all(axis=None)


def two_reps():
    """Alice of North and Bob of South, each with deals that rot."""
    deals = [deal(n, "2026-01-10", owner="a") for n in range(4)]
    deals += [deal(n, "2026-01-10", owner="b") for n in range(4, 9)]
    return world(deals, people=[ALICE, BOB, MANAGER])


def test_a_rep_sees_the_own_deals_and_a_team_its_own(see):
    """
    Rows, ranks and days are those of the whole list; no cell of a rep's tables names anybody else.
    """
    seen, rules = see(two_reps(), MONDAY), process(stage("A", 10))
    whole = attention.attention(seen, rules, per_person=2, **LIMITS)

    own = attention.attention(seen, rules, per_person=2, rep="b", **LIMITS)
    team = attention.attention(seen, rules, per_person=2, team="North", **LIMITS)

    pd.testing.assert_frame_equal(own, whole[whole["owner"] == "b"].reset_index(drop=True))
    assert set(team["owner"]) == {"a"} and len(team) == 4
    tables = [own, attention.waiting(own)]
    tables += [f(seen, rules, rep="b", **LIMITS) for f in (attention.reasons, attention.by_reason)]
    cells = {str(cell) for table in tables for cell in table.to_numpy().ravel()}
    assert not cells & {"a", "m", "Alice", "Mia", "North"}
    assert tables[2]["deal_key"].nunique() == 5
    assert tables[3]["n_open"].tolist() == [5] * len(attention.ACTIONS)


def test_a_rep_or_team_nobody_knows_is_refused(see):
    """
    A misspelt name would look like a clean desk; a known person without a deal has one.
    """
    seen, rules = see(two_reps(), MONDAY), process()

    assert attention.attention(seen, rules, per_person=5, rep="m", **LIMITS).empty
    with pytest.raises(ParameterError, match="rep must be one the source knows, found 'A'"):
        attention.attention(seen, rules, per_person=5, rep="A", **LIMITS)
    with pytest.raises(ParameterError, match="team must be one the source knows, found 'east'"):
        attention.by_reason(seen, rules, team="east", **LIMITS)


@pytest.mark.parametrize(
    ("limit", "message"),
    [
        ({"per_person": 0}, "per_person must be a whole number from 1 on, found 0"),
        ({"per_person": 2.5}, "per_person must be a whole number from 1 on, found 2.5"),
        ({"ahead_days": -1}, "ahead_days must be whole days from 0 on, found -1"),
        ({"pushes": 0}, "pushes must be a whole number from 1 on, found 0"),
        ({"loss_probability": 1.2}, "loss_probability must lie between 0 and 1, found 1.2"),
        ({"loss_probability": math.nan}, "loss_probability must lie between 0 and 1, found nan"),
    ],
)
def test_limits_out_of_range_are_refused(see, limit, message):
    """
    A limit that cannot be meant is named with what was found.
    """
    seen = see(world([deal(1)]), MONDAY)

    with pytest.raises(ParameterError, match=re.escape(message)):
        attention.attention(seen, process(), **({"per_person": 5} | LIMITS | limit))


def test_reasons_a_source_cannot_give_are_said_with_why(see):
    """
    A bare list of deals gives no reason at all, and each says why: in the source's words where it has them.
    """
    bare = {"deals": [deal(1, amount="")]}
    impossible = {"activities": "no <calendar> was exported", "stage_events": "no history"}

    seen = see(bare, MONDAY, impossible=impossible)
    table = attention.by_reason(seen, process(stage("A", 10)), **LIMITS)

    assert table["n_deals"].tolist() == [0] * 8
    assert dict(zip(table["reason"], zip(table["why"], table["text"], strict=True), strict=True)) == {
        "loss_likely": ("no_amount", ""),
        "step_overdue": ("source", "no <calendar> was exported"),
        "actions_missing": ("source", "no <calendar> was exported"),
        "no_next_step": ("source", "no <calendar> was exported"),
        "stuck": ("too_few_won", ""),
        "rotting": ("source", "no history"),
        "close_pushed": ("source", "no table of the mapping file fills deal_changes"),
        "close_over": ("no_expected_close", ""),
    }  # fmt: skip
    assert attention.attention(seen, process(), per_person=5, **LIMITS).empty


def test_reasons_without_rules_or_plans_are_said_too(see):
    """
    No days allowed, no required action, too few deals followed, and activities that are only logged afterwards.
    """
    stages = [{key: value for key, value in row.items() if key != "sla_days"} for row in STAGES]
    tables = world([deal(1)], activities=[activity(1, due="2026-02-20", done="2026-02-20")])

    seen = see(tables | {"stages": stages}, MONDAY)
    table = attention.by_reason(seen, process(), **LIMITS).set_index("reason")

    assert table["why"][["rotting", "actions_missing", "loss_likely"]].tolist() == [
        "no_days_allowed",
        "no_required_actions",
        "too_few_followed",
    ]
    assert table["why"][["step_overdue", "no_next_step"]].tolist() == ["nothing_planned"] * 2
    assert table["n_deals"].sum() == 0


def test_counts_by_reason_add_up_from_the_list(see):
    """
    Deals, amounts and value at stake of each reason are sums over the deals that have it; limits are those in force.
    """
    seen, rules = see(hopeless(), MONDAY), process(stage("A", 10))

    table = attention.by_reason(seen, rules, **LIMITS).set_index("reason")

    assert table.loc["rotting", ["n_deals", "n_open", "amount"]].tolist() == [10, 10, 5500]
    assert table.loc["rotting", "value_at_stake"] == pytest.approx(5500 / 30)
    assert table.loc["loss_likely", ["n_deals", "amount"]].tolist() == [1, 1000]
    assert table.loc["rotting", ["threshold_low", "threshold_high"]].tolist() == [10, 10]
    assert table.loc["close_pushed", "threshold_low"] == 2


def test_no_open_deal_no_list(see):
    """
    Where everything is closed there is nothing to do, and nothing breaks.
    """
    seen = see(world(closed(3, "lost", 5)), MONDAY)

    table = attention.attention(seen, process(stage("A", 10)), per_person=5, **LIMITS)

    assert table.empty and attention.waiting(table).empty
    assert (
        attention.by_reason(seen, process(stage("A", 10)), **LIMITS)["n_open"].tolist() == [0] * 8
    )


def company(seed):
    """A random company with plans, required actions and moved dates beside its history."""
    rng = random.Random(seed)
    made = worlds.random_world(seed)
    tables = dict(made.tables)
    ids = [row["deal_id"] for row in tables["deals"]]
    tables["activities"] = [
        _random_activity(rng, number, rng.choice(ids)) for number in range(3 * len(ids))
    ]
    moves = []
    for row in tables["deals"]:
        close = worlds.FIRST + datetime.timedelta(days=rng.randrange(400))
        at = datetime.date(2025, 2, 1)
        for _ in range(rng.choice([0, 0, 1, 2, 3])):
            at += datetime.timedelta(days=rng.randrange(1, 90))
            new = close + datetime.timedelta(days=rng.choice([-20, 10, 30]))
            moves += pushed(row["deal_id"], (at, str(close), str(new)))
            close = new
        row["expected_close"] = str(close) if rng.random() < 0.8 else ""
    tables["deal_changes"] = [*tables["deal_changes"], *moves]
    rng.shuffle(tables["deal_changes"])
    return worlds.World(tables, made.settings | {"timezone": "UTC"})


def _random_activity(rng, number, deal_id):
    created = worlds.FIRST + datetime.timedelta(days=rng.randrange(360))
    due = created + datetime.timedelta(days=rng.randrange(0, 60)) if rng.random() < 0.8 else ""
    done = created + datetime.timedelta(days=rng.randrange(0, 60)) if rng.random() < 0.6 else ""
    row = activity(deal_id, rng.choice(["call", "visit"]), str(due), str(done), str(created))
    return row | {"activity_id": str(number)}


@pytest.mark.parametrize("seed", [1, 2, 4, 6])
def test_agrees_with_the_definitions_read_deal_by_deal(tmp_path, seed):
    """
    On random companies the reasons of every open deal are those of a plain reading of its records.
    """
    made, as_of = company(seed), datetime.date(2025, 10, 14)
    rules = process(
        stage("Demo", 12, (("visit",), 1)),
        stage("Offer", 20, (("call", "visit"), 2), (("call",), 1)),
        stage("Check", 9, pipeline="Renewal"),
    )
    store = worlds.load(tmp_path, made)

    with crm.observe(store, as_of) as seen:
        table = attention.reasons(seen, rules, **LIMITS)
        ids = seen.frame("SELECT deal_key, deal_id FROM details").set_index("deal_key")["deal_id"]

    got = {
        (ids[row.deal_key], row.reason): (plain.value_of(row.found), plain.value_of(row.since))
        for row in table.itertuples()
        if row.reason != "loss_likely"
    }
    assert got == plain_reasons(made, as_of)
    assert len({reason for _, reason in got}) == 7


SLA = {"Demo": 12, "Offer": 20}
NEEDED = {"Demo": [(("visit",), 1)], "Offer": [(("call", "visit"), 2), (("call",), 1)]}


def plain_reasons(made, as_of):
    """(deal, reason) -> what was found and since when, from the text of the tables."""
    reasons, one = {}, datetime.timedelta(days=1)
    amounts = [c for c in made.tables["deal_changes"] if c["field"] == "amount"]
    only_amounts = made._replace(tables=made.tables | {"deal_changes": amounts})
    deals = plain.deals_as_of(only_amounts, as_of)
    longest = plain_longest(deals)
    rows = {row["deal_id"]: row for row in made.tables["deals"]}
    for case in (d for d in deals if d.status == "open"):
        row, entry = rows[case.deal_id], case.entries[-1] if case.entries else None
        mine = [read(a) for a in made.tables["activities"] if a["deal_id"] == case.deal_id]
        known = [a for a in mine if a["created"] <= as_of]
        done = [a for a in known if a["done"] and a["done"] <= as_of]
        planned = [a["due"] for a in known if a["due"] and not (a["done"] and a["done"] <= as_of)]
        over, ahead = [d for d in planned if d < as_of], [d for d in planned if d >= as_of]
        if over:
            reasons[case.deal_id, "step_overdue"] = ((as_of - min(over)).days, min(over) + one)
        elif not ahead:
            last = max((a["done"] for a in done), default=case.created_on)
            reasons[case.deal_id, "no_next_step"] = (last and (as_of - last).days, last)
        if case.created_on and (as_of - case.created_on).days > longest[case.pipeline]:
            since = case.created_on + (longest[case.pipeline] + 1) * one
            reasons[case.deal_id, "stuck"] = ((as_of - case.created_on).days, since)
        if entry:
            allowed = SLA.get(entry.stage) or {("Renewal", "Check"): 9}.get(
                (entry.pipeline, entry.stage)
            )
            stay = (as_of - entry.entered_on).days
            if allowed and stay > allowed:
                reasons[case.deal_id, "rotting"] = (stay, entry.entered_on + (allowed + 1) * one)
            lacks = sum(
                max(
                    0,
                    least - sum(a["type"] in kinds and a["done"] >= entry.entered_on for a in done),
                )
                for kinds, least in NEEDED.get(entry.stage, [])
            )
            if lacks and stay >= allowed - 3:
                since = max(entry.entered_on, entry.entered_on + (allowed - 3) * one)
                reasons[case.deal_id, "actions_missing"] = (lacks, since)
        close, later = plain_close(made, row, as_of)
        if close and close < as_of:
            reasons[case.deal_id, "close_over"] = ((as_of - close).days, close + one)
        if len(later) >= 2:
            reasons[case.deal_id, "close_pushed"] = (len(later), later[1])
    return reasons


def read(activity):
    """Days of an activity."""
    days = {
        name: activity[f"{name}_at"] and datetime.date.fromisoformat(activity[f"{name}_at"][:10])
        for name in ("created", "due", "done")
    }
    return days | {"type": activity["type"]}


def plain_longest(deals):
    """Days by which 95 % of the won deals of a pipeline were won; of all where fewer than 20 were."""
    ages = {}
    for case in deals:
        if case.status == "won" and case.created_on:
            ages.setdefault(case.pipeline, []).append((case.closed_on - case.created_on).days)
    every = [age for part in ages.values() for age in part]
    limits = {}
    for line in worlds.STAGES:
        part = sorted(ages.get(line, []) if len(ages.get(line, [])) >= 20 else every)
        limits[line] = part[math.ceil(0.95 * len(part)) - 1] if len(part) >= 20 else math.inf
    return limits


def plain_close(made, row, as_of):
    """The expected close date as known on the day, and the days on which it was moved to a later one."""
    moves = sorted(
        (change["changed_at"], change["old"], change["new"])
        for change in made.tables["deal_changes"]
        if change["deal_id"] == row["deal_id"] and change["field"] == "expected_close"
    )
    known = [move for move in moves if move[0][:10] <= str(as_of)]
    close = known[-1][2] if known else moves[0][1] if moves else row["expected_close"]
    later = [datetime.date.fromisoformat(at[:10]) for at, old, new in known if new > old]
    return close and datetime.date.fromisoformat(close), later


def test_the_same_inputs_in_another_order_give_the_same_list(tmp_path):
    """
    The order of rows in the export changes nothing, not even among deals that tie.
    """
    made, tables = company(2), []
    rules = process(stage("Demo", 12), stage("Offer", 20))
    for number, seed in enumerate((None, 5)):
        rows = {name: list(part) for name, part in made.tables.items()}
        if seed:
            for name in ("deals", "activities", "people"):
                random.Random(seed).shuffle(rows[name])
        store = worlds.load(tmp_path / str(number), worlds.World(rows, made.settings))
        with crm.observe(store, "2025-10-14") as seen:
            tables.append(attention.attention(seen, rules, per_person=3, **LIMITS))

    first, second = (table.drop(columns="deal_key") for table in tables)
    pd.testing.assert_frame_equal(first, second)
    assert len(first) > 20


def test_the_future_changes_nothing(tmp_path):
    """
    What was recorded after the day is not in the list of that day.
    """
    made = company(2)
    cut = "2025-10-14 23:59:59"
    known = dict(made.tables)
    known["activities"] = [a for a in known["activities"] if a["created_at"] <= cut]
    for row in known["activities"]:
        row["done_at"] = row["done_at"] if row["done_at"] <= cut else ""
    whole, past = company(2), worlds.World(known, made.settings)
    rules = process(stage("Demo", 12, (("visit",), 1)), stage("Offer", 20))

    tables = []
    for name, part in (("whole", whole), ("past", past)):
        with crm.observe(worlds.load(tmp_path / name, part), "2025-10-14") as seen:
            tables.append(attention.reasons(seen, rules, **LIMITS))

    pd.testing.assert_frame_equal(*tables)
    assert len(tables[0]) > 50
