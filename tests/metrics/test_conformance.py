"""Following the process: entry by entry on random companies, by hand on a small one, and worlds with a known effect."""

import dataclasses
import datetime
import math
import random

import pandas as pd
import pytest
import worlds
from export import ROOT
from plain import (
    assert_same,
    deals_as_of,
    first_age,
    first_visits,
    incidence,
    share,
    stage_orders,
    staying,
    wilson,
)

from salesanalysis import crm
from salesanalysis.crm.errors import ParameterError
from salesanalysis.crm.process import Action, Stage, Text
from salesanalysis.metrics import conformance, kpis, periods

ENTRIES = ["n_settled", "n_ended_early", "n_pending", "n_judged", "n_done", "n_missed", "n_over"]
MOVES = ["n_entered", "n_repeat", "n_ping_pong", "n_moved_back", "n_arrived", "n_passed"]
COUNTS = [*ENTRIES, *MOVES, "n_matured", "n_converted"]
LANDMARK, WITHIN, FEW = 3, 20, 2


def day(text):
    return datetime.date.fromisoformat(text)


def days(number):
    return datetime.timedelta(days=number)


def stage(name, sla_days, *actions, pipeline=None, target=0.5, begins="2024-01-01"):
    """A stage of the process; an action is a number and the kinds it may be of."""
    return Stage(
        stage=name,
        name=Text(f"{name} stage", f"{name} 阶段"),
        goal=Text("Go on", "推进"),
        role="rep",
        actions=tuple(Action(kinds, least) for least, *kinds in actions) if actions else (),
        sla_days=sla_days,
        target_conversion=target,
        begins=day(begins),
        pipeline=pipeline,
    )


def process_of(*stages, segments=("big",)):
    """The example's process with other stages."""
    example = crm.read_process(ROOT / "params" / "process.yaml")
    stages = tuple(
        dataclasses.replace(
            one,
            actions=tuple(
                Action(tuple(action.activities), action.at_least) for action in one.actions
            ),
        )
        for one in stages
    )
    return dataclasses.replace(example, stages=stages, segments=segments)


# By hand

HAND = {  # deal -> what happened
    "done": "A 04-01, B 04-05, C 04-20, Won 04-25",
    "lost in time": "A 04-02, Lost 04-08",
    "lost too late": "A 04-02, Lost 04-13",
    "young": "A 06-25",
    "jumps and returns": "A 05-01, C 05-03, B 05-10, C 05-12",
    "back and won": "A 03-30, B 04-09, A 04-12, Won 04-14",
    "stuck since winter": "A 03-01",
}
HAND_ACTIONS = [  # deal, kind, day done
    ("done", "Call", "04-05"),  # on the day it went on
    ("done", "Visit", "04-05"),
    ("done", "Visit", "04-10"),  # on the last day allowed
    ("lost in time", "Call", "04-09"),  # after it was lost
    ("lost too late", "Call", "04-13"),  # after the days allowed
    ("jumps and returns", "Call", "05-04"),  # after it went on
    ("jumps and returns", "Visit", "05-11"),  # one of two
    ("jumps and returns", "Call", "05-11"),
    ("back and won", "Call", "04-09"),  # the tenth day of ten
    ("stuck since winter", "Mail", "03-02"),
    ("young", "Call", ""),
]
OWNERS = {name: ("p1" if place < 4 else "p2") for place, name in enumerate(HAND)}


def hand_tables():
    """The tables of the small company."""
    ends = {"Won": "won", "Lost": "lost"}
    deals, events = [], []
    for name, story in HAND.items():
        moves = [step.split() for step in story.split(", ")]
        status = ends.get(moves[-1][0], "open")
        deals.append(
            {
                "deal_id": name,
                "created_at": f"2026-{moves[0][1]} 09:00:00",
                "status": status,
                "closed_at": f"2026-{moves[-1][1]} 12:00:00" if status != "open" else "",
                "stage": moves[-1][0],
                "pipeline": "P",
                "owner": OWNERS[name],
                "segment": {"done": "big", "young": ""}.get(name, "small"),
            }
        )
        for number, (where, on) in enumerate(moves):
            hour = 9 if number == 0 else 12
            at = f"2026-{on} {hour:02d}:00:00"
            events.append({"deal_id": name, "pipeline": "P", "stage": where, "entered_at": at})
    activities = [
        {
            "activity_id": str(number),
            "deal_id": deal,
            "rep": OWNERS[deal],
            "type": kind,
            "created_at": "2026-03-01 10:00:00",
            "done_at": f"2026-{on} 15:00:00" if on else "",
        }
        for number, (deal, kind, on) in enumerate(HAND_ACTIONS)
    ]
    stages = [
        {"pipeline": "P", "stage": name, "stage_order": str(order), "is_won": won, "is_lost": lost}
        for order, (name, won, lost) in enumerate(
            [("A", "false", "false"), ("B", "false", "false"), ("C", "false", "false"),
             ("Won", "true", "false"), ("Lost", "false", "true")]
        )
    ]  # fmt: skip
    people = [
        {"person_id": "p1", "name": "Ann", "team": "North"},
        {"person_id": "p2", "name": "Bob", "team": "South"},
    ]
    return {"deals": deals, "stage_events": events, "activities": activities, "stages": stages,
            "people": people}  # fmt: skip


def hand_process(**more):
    return process_of(
        stage("A", 10, (1, "Call")), stage("B", 5, (2, "Visit")), stage("C", 7, target=0.01), **more
    )


@pytest.fixture
def hand(see):
    """The small company on 30 June 2026, its process and its second quarter."""
    seen = see(hand_tables(), day("2026-06-30"))
    return seen, hand_process(), periods.period("2026-Q2", as_of=seen.as_of)


def test_the_entries_of_the_small_company_by_hand(hand):
    """
    Actions count on the days of entry, of going on and on the last day allowed; lost before that is not judged.
    """
    table = conformance.stages(*hand).set_index("stage")

    assert table[ENTRIES].T.to_dict("list") == {
        # settled, early, pending, judged, done, missed, over
        "A": [6, 1, 1, 5, 2, 3, 1],
        "B": [3, 0, 0, 3, 1, 2, 1],
        "C": [3, 0, 0, 0, 0, 0, 1],  # nothing is required there
    }
    assert table.loc["A", ["done_rate", "over_median_days"]].tolist() == [0.4, 1]
    assert table.loc["B", "over_median_days"] == 10
    assert math.isnan(table.loc["C", "done_rate"])
    assert math.isnan(table.loc["C", "over_median_days"])  # the one that is over is still there


def test_the_moves_of_the_small_company_by_hand(hand):
    """
    A skip is a first arrival beyond the stage, winning included; a return counts where the deal comes back to.
    """
    table = conformance.stages(*hand).set_index("stage")

    assert table[MOVES].T.to_dict("list") == {
        # entered, repeat, ping-pong, moved back, arrived, passed over
        "A": [6, 1, 1, 0, 5, 0],
        "B": [3, 0, 0, 1, 3, 1],
        "C": [3, 1, 1, 1, 3, 1],
    }


def test_conversion_against_the_target_by_hand(hand):
    """
    Going on at the tenth day of ten is in time, by way of an earlier stage too; only a whole interval decides.
    """
    table = conformance.stages(*hand).set_index("stage")

    assert table[["n_matured", "n_converted"]].to_numpy().tolist() == [[5, 3], [3, 2], [2, 1]]
    assert table["against_target"].tolist() == ["open", "open", "above"]


@pytest.mark.parametrize(
    ("target", "verdict"), [(0.22, "above"), (0.24, "open"), (0.88, "open"), (0.9, "below")]
)
def test_only_a_whole_interval_is_above_or_below(see, target, verdict):
    """
    Three of five: Wilson's interval is .2307 to .8824.
    """
    seen = see(hand_tables(), day("2026-06-30"))
    process = process_of(stage("A", 10, (1, "Call"), target=target))

    table = conformance.stages(seen, process, periods.period("2026-Q2", as_of=seen.as_of))

    assert table["against_target"].tolist() == [verdict]
    assert table.loc[0, "conversion_rate_low"] == pytest.approx(0.2307, abs=1e-4)


def test_reps_by_hand(hand):
    """
    Shares are left out below five entries; expected goes by the stages a rep worked in.
    """
    ann, bob = conformance.groups(*hand, by="owner").to_dict("records")

    assert [(row["group"], row["name"], row["team"]) for row in (ann, bob)] == [
        ("p1", "Ann", "North"),
        ("p2", "Bob", "South"),
    ]
    assert [ann[name] for name in ("n_judged", "n_done", "n_ended_early", "n_pending")] == [
        3,
        2,
        1,
        1,
    ]
    assert math.isnan(ann["done_rate"])
    assert [bob[name] for name in ("n_judged", "n_done", "n_passed")] == [5, 1, 2]
    assert bob["done_rate"] == 0.2
    assert ann["expected"] == pytest.approx(2 * 2 / 5 + 1 / 3)
    assert bob["expected"] == pytest.approx(3 * 2 / 5 + 2 / 3)
    assert ann["over_rate"] == pytest.approx(2 / 5)  # five settled: two in A, B, C each or less
    assert math.isnan(ann["over_median_days"])  # two are too few


def test_teams_are_those_of_the_entry(hand):
    """
    By team and stage the counts add up to those of the stage.
    """
    whole, parts = conformance.stages(*hand), conformance.stages(*hand, by="team")

    assert set(parts["group"]) == {"North", "South"}
    assert parts.groupby("place")[COUNTS].sum().equals(whole.set_index("place")[COUNTS])


def test_periods_in_a_row_by_hand(hand):
    """
    In the first quarter one entry was judged; the change has Newcombe's interval.
    """
    table = conformance.trend(*hand, periods=2)

    assert table[["period", "n_judged", "n_done"]].to_numpy().tolist() == [
        ["2026-Q1", 1, 0],
        ["2026-Q2", 8, 3],
    ]
    (low1, high1), (low2, high2) = wilson(0, 1), wilson(3, 8)
    assert table[["difference", "difference_low", "difference_high"]].iloc[1].tolist() == [
        pytest.approx(3 / 8),
        pytest.approx(3 / 8 - math.hypot(3 / 8 - low2, high1)),
        pytest.approx(3 / 8 + math.hypot(high2 - 3 / 8, low1)),
    ]
    assert table["difference"].isna().tolist() == [True, False]


def test_target_segments_by_hand(hand):
    """
    Of six deals created in the quarter one is big and one has no segment; of two won one is big.
    """
    seen, _, when = hand
    table = conformance.targets(seen, hand_process(segments=("big", "vast")), when)

    assert table[["what", "n_deals", "n_target", "n_unknown"]].to_numpy().tolist() == [
        ["created", 5, 1, 1],
        ["won", 2, 1, 0],
    ]
    assert table.loc[0, "target_rate"] == 0.2
    assert table.loc[0, "strangers"] == ("vast",)


def test_stages_without_a_rule_are_named(hand):
    """
    What the process leaves out is counted apart.
    """
    seen, process, when = hand
    shorter = dataclasses.replace(process, stages=process.stages[:2])

    table = conformance.outside(seen, shorter, when)

    assert table[["stage", "n_entered"]].to_numpy().tolist() == [["C", 3]]
    assert conformance.outside(seen, process, when).empty


def test_rules_are_those_of_the_first_day(hand):
    """
    A stage whose rule begins within the period is not judged in it; without any rule there is nothing.
    """
    seen, process, when = hand
    later = dataclasses.replace(process.stages[0], begins=day("2026-04-02"))
    partly = dataclasses.replace(process, stages=(later, *process.stages[1:]))
    none = dataclasses.replace(process, stages=(later,))

    assert conformance.rules(partly, when)["stage"].tolist() == ["B", "C"]
    assert conformance.stages(seen, partly, when)["stage"].tolist() == ["B", "C"]
    assert conformance.stages(seen, none, when).empty
    assert conformance.groups(seen, none, when, by="team").empty
    assert conformance.worth(seen, none, when).empty
    assert conformance.worth_within(seen, none, when).empty
    assert conformance.trend(seen, none, when)["n_judged"].tolist() == [0, 0, 0, 0]


# Entry by entry


def acted(seed):
    """A random company with activities, a fifth of them never done."""
    world, rng = worlds.random_world(seed), random.Random(100 + seed)
    rows = []
    for deal in world.tables["deals"]:
        begin = datetime.datetime.fromisoformat(deal["created_at"] or "2025-03-01 12:00:00")
        for _ in range(rng.randrange(16)):
            made = (begin + days(rng.randrange(14))).replace(hour=rng.randrange(5, 24))
            done = made + days(int(rng.expovariate(1 / 4)))
            if max(made, done).date() <= worlds.LAST:
                is_done = rng.random() < 0.8
                rows.append(
                    {
                        "activity_id": str(len(rows)),
                        "deal_id": deal["deal_id"],
                        "rep": "p1",
                        "type": rng.choice(["Call", "Visit", "Mail"]),
                        "created_at": made.isoformat(sep=" "),
                        "done_at": done.isoformat(sep=" ") if is_done else "",
                    }
                )
    return worlds.World(world.tables | {"activities": rows}, world.settings)


RANDOM_PROCESS = (
    stage("Lead", 9, (1, "Call", "Visit"), pipeline="New"),
    stage("Demo", 14, (1, "Visit"), (1, "Call", "Mail"), pipeline="New"),
    stage("Offer", 6, (2, "Call", "Visit", "Mail"), pipeline="New", begins="2025-03-01"),
    stage("Contract", 5, pipeline="New"),
    stage("Check", 10, (1, "Mail"), pipeline="Renewal"),
    stage("Contract", 8, (1, "Call"), pipeline="Renewal"),
)
CASES = [(1, "2025-12-31", "2025-Q3"), (2, "2025-08-26", "2025-Q3"), (3, "2025-12-31", "2025-H2")]


@pytest.fixture(scope="module")
def acting_stores(tmp_path_factory):
    """The random companies with activities."""
    folder = tmp_path_factory.mktemp("acting")
    made = {seed: acted(seed) for seed, _, _ in CASES}
    return {seed: (world, worlds.load(folder / str(seed), world)) for seed, world in made.items()}


@pytest.fixture(params=CASES, ids=lambda case: "-".join(map(str, case)))
def case(request, acting_stores):
    """A random company as of a day, plainly and through the package, with a period."""
    seed, as_of, name = request.param
    world, store = acting_stores[seed]
    with crm.observe(store, as_of) as seen:
        when = periods.period(name, as_of=seen.as_of)
        yield seen, world, process_of(*RANDOM_PROCESS), when


def done_on(world, as_of):
    """Days on which each deal had activities of each kind done."""
    found = {}
    for row in world.tables["activities"]:
        if row["done_at"] and row["done_at"][:10] <= as_of.isoformat():
            on = day(row["done_at"][:10])
            found.setdefault(row["deal_id"], []).append((row["type"], on))
    return found


def has_all(rule, done, first, last):
    """Whether each required action was done often enough between two days."""
    return all(
        sum(kind in action.activities and first <= on <= last for kind, on in done)
        >= action.at_least
        for action in rule.actions
    )


def read_entry(rule, deal, place, done, when, as_of):
    """What one entry adds to the counts of its stage."""
    entry = deal.entries[place]
    last = min(when.last, as_of)
    stay = ((entry.exited_on or as_of) - entry.entered_on).days
    is_over, is_gone = stay > rule.sla_days, entry.outcome in ("lost", "removed")
    is_judged = is_over or (entry.outcome != "open" and not is_gone)
    settled = entry.entered_on + days(min(stay, rule.sla_days))
    is_settled = is_judged or is_gone
    now = is_settled and when.first <= settled <= last
    entered = when.first <= entry.entered_on <= last
    states = [(pipeline, name) for _, pipeline, name in deal.states]
    here, before = states[entry.place], states[: entry.place]
    straight = len(before) >= 2 and before[-2] == here and before[-1][1] not in ("won", "lost")
    left = entry.exited_on and when.first <= entry.exited_on <= last
    asked = bool(rule.actions)
    in_time = has_all(rule, done, entry.entered_on, settled) if asked else False
    counts = {
        "n_settled": now,
        "n_ended_early": now and is_gone and not is_judged,
        "n_pending": entry.entered_on <= last and not (is_settled and settled <= last),
        "n_judged": now and is_judged and asked,
        "n_done": now and is_judged and asked and in_time,
        "n_missed": now and is_judged and asked and not in_time,
        "n_over": now and is_over,
        "n_entered": entered,
        "n_repeat": entered and here in before,
        "n_ping_pong": entered and straight,
        "n_moved_back": bool(left) and entry.outcome == "moved_back",
    }
    beyond = (stay - rule.sla_days, entry.outcome != "open") if now and is_over else None
    return entry.segments, counts, beyond


def read_arrival(rule, deal, orders):
    """Segments, day and whether it was beyond the stage, of a deal's first arrival there or later."""
    order = orders[rule.pipeline, rule.stage]
    by_place = {entry.place: entry for entry in deal.entries}
    for place, (at, _, name) in enumerate(deal.states):
        entry, before = by_place.get(place), by_place.get(place - 1)
        if entry and entry.pipeline == rule.pipeline and entry.order >= order:
            return None if entry.inflow == "handed_in" else (
                entry.segments, entry.entered_on, entry.order > order
            )  # fmt: skip
        if name == "won" and before and before.pipeline == rule.pipeline and before.order < order:
            return before.segments, at.date(), True
    return None


def read_all(seen, world, process, when, by):
    """Counts by place and group, and the days beyond, deal by deal."""
    counts, beyond = {}, {}
    done, orders = done_on(world, seen.as_of), stage_orders(world)
    last = min(when.last, seen.as_of)

    def add(place, segments, more):
        row = counts.setdefault((place, segments[by] if by else None), dict.fromkeys(COUNTS, 0))
        for name, value in more.items():
            row[name] += int(value)

    for place, rule in enumerate(process.on(when.first).stages):
        for deal in deals_as_of(world, seen.as_of):
            own = done.get(deal.deal_id, [])
            for number, entry in enumerate(deal.entries):
                if (entry.pipeline, entry.stage) == (rule.pipeline, rule.stage):
                    segments, more, over = read_entry(rule, deal, number, own, when, seen.as_of)
                    add(place, segments, more)
                    if over:
                        beyond.setdefault((place, segments[by] if by else None), []).append(over)
            arrival = read_arrival(rule, deal, orders)
            if arrival and when.first <= arrival[1] <= last:
                add(place, arrival[0], {"n_arrived": 1, "n_passed": arrival[2]})
            for visit in first_visits(deal, seen.as_of) if deal.status != "removed" else []:
                entry, mature = visit.entry, visit.entry.entered_on + days(rule.sla_days)
                if (entry.pipeline, entry.stage) != (rule.pipeline, rule.stage):
                    continue
                if when.first <= mature <= last:
                    on = visit.cause == 1 and visit.age <= rule.sla_days
                    add(place, entry.segments, {"n_matured": 1, "n_converted": on})
    return counts, beyond


def with_rates(counts, beyond):
    """The columns made of counts, by the plain formulas."""
    low, high = wilson(counts["n_done"], counts["n_judged"])
    over_low, over_high = wilson(counts["n_over"], counts["n_settled"])
    steps = staying(beyond)
    return counts | {
        "done_rate": share(counts["n_done"], counts["n_judged"]),
        "done_rate_low": low,
        "done_rate_high": high,
        "over_rate": share(counts["n_over"], counts["n_settled"]),
        "over_rate_low": over_low,
        "over_rate_high": over_high,
        "over_median_days": first_age(steps, 0.5),
        "over_median_days_low": first_age(steps, 0.5, 2),
        "over_median_days_high": first_age(steps, 0.5, 3),
    }


@pytest.mark.parametrize("by", [None, "team", "owner"])
def test_stages_are_the_entries_read_one_by_one(case, by):
    """
    Every count, share and median of every stage and group is what a plain reading of the deals gives.
    """
    seen, world, process, when = case
    counts, beyond = read_all(seen, world, process, when, by)
    expected = [
        {"place": place, "group": group} | with_rates(row, beyond.get((place, group), []))
        for (place, group), row in counts.items()
        if any(row.values())
    ]

    table = conformance.stages(seen, process, when, by=by)

    table = table[table[COUNTS].any(axis=1)]
    assert_same(table, expected, ["place", "group"])
    assert table["n_passed"].sum() > 0
    assert table["n_ping_pong"].sum() > 0


@pytest.mark.parametrize("by", ["team", "owner"])
def test_groups_are_the_sums_of_their_stages(case, by):
    """
    A group's counts are those of its stages together, and shares of fewer than five are left out.
    """
    seen, world, process, when = case
    parts, beyond = read_all(seen, world, process, when, by)
    groups = {}
    for (place, group), row in parts.items():
        sums, over = groups.setdefault(group, (dict.fromkeys(COUNTS, 0), []))
        sums |= {name: sums[name] + row[name] for name in COUNTS}
        groups[group] = sums, over + beyond.get((place, group), [])
    seen_at = ("n_settled", "n_pending", "n_entered", "n_arrived")
    expected = []
    for group, (sums, over) in groups.items():
        row = with_rates(sums, over)
        few = {"done_rate": "n_judged", "over_rate": "n_settled", "over_median_days": "n_over"}
        for rate, n in few.items():
            if row[n] < 5:
                row |= {name: None for name in row if name.startswith(rate)}
        if any(row[name] for name in seen_at):
            expected.append({"group": group} | row)

    table = conformance.groups(seen, process, when, by=by)

    assert_same(table, expected, ["group"])
    assert table["expected"].sum() == pytest.approx(table["n_done"].sum())


def test_the_identity_of_the_entries(case):
    """
    Settled entries were judged or ended early, and the judged are those that the KPI of required actions counts.
    """
    seen, _, process, when = case

    table = conformance.stages(seen, process, when)

    asked = table[table["actions"].map(len) > 0]
    assert (asked["n_settled"] == asked["n_judged"] + asked["n_ended_early"]).all()
    kpi = next(kpi for kpi in process.kpis if kpi.measure == "actions_done")
    rows = kpis.evidence(seen, process, kpi, process.on(when.first).stages)
    last = min(when.last, seen.as_of)
    rows = rows[rows["day"].between(pd.Timestamp(when.first), pd.Timestamp(last))]
    owned = conformance.groups(seen, process, when, by="owner").dropna(subset="group")
    assert (rows["n"].sum(), rows["k"].sum()) == (owned["n_judged"].sum(), owned["n_done"].sum())


# What following it is worth


def read_worth(seen, world, process, when, landmark_days, within):
    """Deals still there at the landmark, one by one: place, team, quarter, has all, (age, cause), days followed."""
    done, rows, entered = done_on(world, seen.as_of), [], {}
    for place, rule in enumerate(process.on(when.first).stages):
        landmark = min(landmark_days, rule.sla_days)
        for deal in deals_as_of(world, seen.as_of):
            for visit in first_visits(deal, seen.as_of) if deal.status != "removed" else []:
                entry = visit.entry
                is_here = (entry.pipeline, entry.stage) == (rule.pipeline, rule.stage)
                if not (rule.actions and is_here and entry.entered_on >= rule.begins):
                    continue
                entered[place] = entered.get(place, 0) + 1
                last = entry.entered_on + days(landmark)
                if (entry.exited_on > last) if entry.exited_on else (seen.as_of >= last):
                    own = done.get(deal.deal_id, [])
                    quarter = (entry.entered_on.year, (entry.entered_on.month - 1) // 3)
                    rows.append(
                        (place, entry.segments["team"], quarter,
                         has_all(rule, own, entry.entered_on, last),
                         (visit.age - landmark, visit.cause),
                         (seen.as_of - last).days >= within)
                    )  # fmt: skip
    return rows, entered


def test_worth_is_the_incidence_from_the_landmark(case, monkeypatch):
    """
    Both sides begin at the landmark with what was done by then; rates, difference, p and q are the plain ones.
    """
    monkeypatch.setattr(conformance, "FEWEST", FEW)  # the companies are small
    seen, world, process, when = case
    rows, entered = read_worth(seen, world, process, when, LANDMARK, WITHIN)
    expected = []
    for place in entered:
        row = {"place": place, "n_entered": entered[place]}
        sides = {}
        for side, wanted in (("with", True), ("without", False)):
            cases = [part[4] for part in rows if part[0] == place and part[3] is wanted]
            sides[side] = at = incidence(cases, WITHIN)
            row |= {f"n_{side}": len(cases), f"{side}_rate": at["rate"]}
            row |= {f"{side}_rate_low": at["low"], f"{side}_rate_high": at["high"]}
            row[f"advanced_{side}"] = sum(cause == 1 and age <= WITHIN for age, cause in cases)
        row["n_gone"] = row["n_entered"] - row["n_with"] - row["n_without"]
        row |= read_difference(row, sides["without"], sides["with"])
        expected.append(row)
    ranked = sorted(
        (row for row in expected if row["p_value"] is not None), key=lambda r: r["p_value"]
    )
    for row in expected:
        above = [r["p_value"] * len(ranked) / (i + 1) for i, r in enumerate(ranked)
                 if r["p_value"] >= (row["p_value"] or 0)]  # fmt: skip
        row["q_value"] = None if row["p_value"] is None else min(1.0, *above, 1.0)

    table = conformance.worth(seen, process, when, landmark_days=LANDMARK, within_days=WITHIN)

    assert_same(table, expected, ["place"])
    assert table["difference"].notna().any()
    assert set(table["landmark_days"]) == {LANDMARK}


def read_difference(row, one, two):
    """The difference with MOVER limits and the pooled test; nothing with fewer than five on a side."""
    names = ("difference", "difference_low", "difference_high", "p_value")
    if min(row["n_with"], row["n_without"]) < FEW or None in (one["rate"], two["rate"]):
        return dict.fromkeys(names)
    change = two["rate"] - one["rate"]
    low = change - math.hypot(two["rate"] - two["low"], one["high"] - one["rate"])
    high = change + math.hypot(two["high"] - two["rate"], one["rate"] - one["low"])
    n1, n2 = one["n_eff"], two["n_eff"]
    pooled = (n1 * one["rate"] + n2 * two["rate"]) / (n1 + n2)
    z = change / math.sqrt(pooled * (1 - pooled) * (1 / n1 + 1 / n2)) if 0 < pooled < 1 else None
    p = None if z is None else math.erfc(abs(z) / math.sqrt(2))
    return dict(zip(names, (change, low, high, p), strict=True))


def test_like_with_like_is_mantel_haenszel_over_stage_team_and_quarter(case):
    """
    Only deals followed to the end count; strata weigh by n1 n2 / n.
    """
    seen, world, process, when = case
    rows, _ = read_worth(seen, world, process, when, LANDMARK, WITHIN)
    cells = {}
    for place, team, quarter, side, (age, cause), is_followed in rows:
        if is_followed:
            cell = cells.setdefault((place, team, quarter), {True: [0, 0], False: [0, 0]})[side]
            cell[0] += cause == 1 and age <= WITHIN
            cell[1] += 1
    both = [cell for cell in cells.values() if cell[True][1] and cell[False][1]]
    top = sum(
        (c[True][0] * c[False][1] - c[False][0] * c[True][1]) / (c[True][1] + c[False][1])
        for c in both
    )
    weight = sum(c[True][1] * c[False][1] / (c[True][1] + c[False][1]) for c in both)

    (row,) = conformance.worth_within(
        seen, process, when, landmark_days=LANDMARK, within_days=WITHIN
    ).to_dict("records")

    assert row["difference"] == pytest.approx(top / weight)
    assert row["n_strata"] == len(both)
    assert row["n_with"] == sum(cell[True][1] for cell in cells.values())
    assert row["n_without"] == sum(cell[False][1] for cell in cells.values())
    assert row["difference_low"] <= row["difference"] <= row["difference_high"]


def test_stages_are_put_together_by_the_deals_compared():
    """
    Two stages, 30 and 90 deals: weights 1/4 and 3/4; limits by the squares of the weighted distances.
    """
    table = pd.DataFrame(
        {"difference": [0.2, 0.0, math.nan], "difference_low": [0.0, -0.1, math.nan],
         "difference_high": [0.5, 0.1, math.nan], "n_with": [10, 60, 2], "n_without": [20, 30, 9],
         "landmark_days": [7, 5, 7], "within_days": 60}
    )  # fmt: skip

    (row,) = conformance.worth_overall(table).to_dict("records")

    assert row["difference"] == pytest.approx(0.05)
    assert row["difference_low"] == pytest.approx(0.05 - math.hypot(0.05, 0.075))
    assert row["difference_high"] == pytest.approx(0.05 + math.hypot(0.075, 0.075))
    assert (row["n_with"], row["n_without"], row["n_stages"]) == (70, 50, 2)
    assert (row["landmark_days"], row["within_days"]) == (7, 60)
    assert conformance.worth_overall(table.tail(1)).empty


def simulated(seed, effect):
    """
    Deals in one stage; calls come at random, and what becomes of a deal depends on them only where there is an effect.

    Most lost deals leave early, most others late, so that those that go on had more time to collect calls. With an
    effect, a call in the first week adds it to the chance to go on after that week.
    """
    rng = random.Random(f"company {seed}")
    deals, events, activities = [], [], []
    for number in range(900):
        begin = datetime.datetime(2025, 1, 1, 9) + days(number // 5)
        calls, at = [], rng.expovariate(1 / 9)
        while at < 60:
            calls.append(int(at))
            at += rng.expovariate(1 / 9)
        if rng.random() < 0.35:
            stay, is_on = rng.randrange(1, 7), rng.random() < 0.1
        else:
            stay = rng.randrange(8, 45)
            is_on = rng.random() < 0.5 + effect * any(call <= 7 for call in calls)
        end = begin + days(stay)
        row = {"deal_id": str(number), "created_at": str(begin), "pipeline": "P", "owner": "p1"}
        state = {"status": "open", "closed_at": "", "stage": "B"}
        if not is_on:
            state = {"status": "lost", "closed_at": str(end), "stage": "Lost"}
        deals.append(row | state)
        for name, when in (("A", begin), ("B" if is_on else "Lost", end)):
            events.append(
                {"deal_id": str(number), "pipeline": "P", "stage": name, "entered_at": str(when)}
            )
        for call in calls:
            if call <= stay:
                activities.append(
                    {"activity_id": str(len(activities)), "deal_id": str(number), "rep": "p1", "type": "Call",
                     "created_at": str(begin), "done_at": str(begin + days(call))}
                )  # fmt: skip
    tables = hand_tables()
    tables |= {"deals": deals, "stage_events": events, "activities": activities}
    return {
        name: tables[name] for name in ("deals", "stage_events", "activities", "stages", "people")
    }


def naive(tables):
    """Share that goes on of deals with any call in the stay, minus that of deals without."""
    called = {row["deal_id"] for row in tables["activities"]}
    sides = {True: [], False: []}
    for row in tables["deals"]:
        sides[row["deal_id"] in called].append(row["stage"] == "B")
    return sum(sides[True]) / len(sides[True]) - sum(sides[False]) / len(sides[False])


def landmark(see, tables):
    seen = see(tables, day("2025-12-31"))
    process = process_of(stage("A", 14, (1, "Call")))
    when = periods.period("", as_of=seen.as_of)
    (row,) = conformance.worth(seen, process, when).to_dict("records")
    (within,) = conformance.worth_within(seen, process, when).to_dict("records")
    return row, within


@pytest.mark.parametrize("n", [4, 5])
def test_a_comparison_takes_five_deals_on_each_side(see, n):
    """
    With four there are counts and rates, but no difference.
    """
    tables, called = simulated(0, effect=0.0), set()
    for row in tables["activities"]:
        called.add(row["deal_id"])
    kept = {"with": 0, "without": 0}
    deals = []
    for row in tables["deals"]:
        calls = [a for a in tables["activities"] if a["deal_id"] == row["deal_id"]]
        early = any(read_days(row["created_at"], a["done_at"]) <= 7 for a in calls)
        moves = [e for e in tables["stage_events"] if e["deal_id"] == row["deal_id"]]
        side = "with" if early else "without"
        most = n if early else 9
        if read_days(row["created_at"], moves[1]["entered_at"]) > 7 and kept[side] < most:
            kept[side] += 1
            deals.append(row)
    ids = {row["deal_id"] for row in deals}
    tables |= {
        name: [row for row in tables[name] if row["deal_id"] in ids]
        for name in ("deals", "stage_events", "activities")
    }

    row, _ = landmark(see, tables)

    assert (row["n_with"], row["n_without"]) == (n, 9)
    assert not math.isnan(row["with_rate"])
    assert math.isnan(row["difference"]) == math.isnan(row["p_value"]) == (n < 5)


def read_days(begin, end):
    return (datetime.datetime.fromisoformat(end) - datetime.datetime.fromisoformat(begin)).days


@pytest.mark.parametrize("seed", range(6))
def test_a_long_stay_is_no_diligence(see, seed):
    """
    Where calls change nothing, the naive comparison credits them with 15 points or more; the landmark's covers 0.
    """
    tables = simulated(seed, effect=0.0)

    row, within = landmark(see, tables)

    assert naive(tables) > 0.15
    assert row["difference_low"] < 0 < row["difference_high"]
    assert within["difference_low"] < 0 < within["difference_high"]
    assert abs(row["difference"]) < 0.13  # three standard errors


@pytest.mark.parametrize("seed", range(3))
def test_a_true_effect_is_found(see, seed):
    """
    Where a call in the first week adds 25 points, the interval covers them and leaves 0 out.
    """
    row, within = landmark(see, simulated(seed, effect=0.25))

    for found in (row, within):
        assert 0 < found["difference_low"] < 0.25 < found["difference_high"]
    assert row["q_value"] < 0.001


def test_the_landmark_is_never_after_the_days_allowed(hand):
    """
    A stage that allows fewer days is compared from its last one on.
    """
    table = conformance.worth(*hand, landmark_days=7)

    assert table["landmark_days"].tolist() == [7, 5]  # C asks for nothing
    assert table["n_entered"].tolist() == [7, 3]
    # A at day 7: "lost too late" and "back and won" (no call by then), "stuck since winter"; of "done" and others no more
    assert table[["n_with", "n_without"]].to_numpy().tolist() == [[0, 3], [1, 0]]
    assert table["difference"].isna().all()


# Refusals, and what a source lacks


def test_a_stage_that_the_crm_does_not_have_is_refused(hand):
    """
    The message names the process file, the stage and the CRM's stages.
    """
    seen, _, when = hand
    process = process_of(stage("A", 10), stage("Z", 10))

    for call in (conformance.stages, conformance.trend, conformance.worth, conformance.outside):
        with pytest.raises(
            ParameterError,
            match=r"process\.yaml, stages, Z: must be a stage of random, found 'Z'.* A, B, C; ",
        ):
            call(seen, process, when)


def test_a_stage_of_several_pipelines_needs_one(acting_stores):
    """
    Contract is a stage of two pipelines: the process must say which; a pipeline that lacks the stage is refused.
    """
    with crm.observe(acting_stores[1][1], "2025-12-31") as seen:
        when = periods.period("2025-Q3", as_of=seen.as_of)

        with pytest.raises(ParameterError, match="Contract, pipeline: must be given.*New, Renewal"):
            conformance.stages(seen, process_of(stage("Contract", 5)), when)
        with pytest.raises(ParameterError, match=r"in pipeline 'Express'.*Lead \(New\)"):
            conformance.stages(seen, process_of(stage("Lead", 5, pipeline="Express")), when)
        one = conformance.stages(seen, process_of(stage("Lead", 5)), when)
        same = conformance.stages(seen, process_of(stage("Lead", 5, pipeline="New")), when)

    pd.testing.assert_frame_equal(one, same)


def test_other_groups_and_numbers_are_refused(hand):
    """
    Groups are teams or owners; numbers of periods and days are whole and not negative.
    """
    for call in (conformance.stages, conformance.groups):
        with pytest.raises(ParameterError, match="by must be team or owner, found 'region'"):
            call(*hand, by="region")
    with pytest.raises(ParameterError, match="periods must be a whole number from 1 on, found 0"):
        conformance.trend(*hand, periods=0)
    for call in (conformance.worth, conformance.worth_within):
        with pytest.raises(
            ParameterError, match="landmark_days must be whole days from 0 on, found -1"
        ):
            call(*hand, landmark_days=-1)


def test_without_history_nothing_is_said(see):
    """
    Without stage events every table is empty, whatever stages the process has; the rules are still there.
    """
    tables = hand_tables()
    del tables["stage_events"]
    seen = see(tables, day("2026-06-30"))
    process, when = process_of(stage("Z", 3)), periods.period("2026-Q2", as_of=seen.as_of)

    assert conformance.stages(seen, process, when).empty
    assert conformance.groups(seen, process, when, by="team").empty
    assert conformance.trend(seen, process, when).empty
    assert conformance.worth_overall(conformance.worth(seen, process, when)).empty
    assert conformance.worth_within(seen, process, when).empty
    assert conformance.outside(seen, process, when).empty
    assert conformance.rules(process, when)["stage"].tolist() == ["Z"]


def test_without_activities_only_the_actions_are_missing(see):
    """
    Skips, returns and days stay; nothing is judged.
    """
    tables = hand_tables()
    del tables["activities"]
    seen = see(tables, day("2026-06-30"))
    when = periods.period("2026-Q2", as_of=seen.as_of)

    table = conformance.stages(seen, hand_process(), when)

    assert table["n_judged"].tolist() == [0, 0, 0]
    assert table["done_rate"].isna().all()
    assert table["n_settled"].tolist() == [6, 3, 3]
    assert table["n_passed"].tolist() == [0, 1, 1]
    assert conformance.trend(seen, hand_process(), when).empty
    assert conformance.worth(seen, hand_process(), when).empty


def test_without_segments_or_people(see):
    """
    Deals of a target segment cannot be told; an owner who is not among the people goes by the id, without a team.
    """
    tables = hand_tables()
    del tables["people"]
    for row in tables["deals"]:
        del row["segment"]
    seen = see(tables, day("2026-06-30"))
    when = periods.period("2026-Q2", as_of=seen.as_of)

    assert conformance.targets(seen, hand_process(), when).empty
    assert conformance.groups(seen, hand_process(), when, by="owner")["name"].tolist() == [
        "p1",
        "p2",
    ]
