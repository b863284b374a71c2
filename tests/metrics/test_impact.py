"""
Before and after a change: cases worked by hand, a plain second reading, the sample company with and without a change.
"""

import datetime
import functools
import math

import numpy as np
import pandas as pd
import plain
import pytest
from export import ROOT
from scipy.stats import binom, gamma, norm, t

from salesanalysis import crm
from salesanalysis.crm import sample
from salesanalysis.crm.errors import ParameterError
from salesanalysis.crm.sample import truth
from salesanalysis.metrics import impact, impact_parts

CHANGED_ON, AS_OF = "2025-07-01", "2025-12-31"
MEASURES = ["win_rate", "cycle", "days_to_win", "turnover", "satisfaction", "response_rate"]


@pytest.fixture
def see(see):
    """Load tables whose instants are written as days."""
    return functools.partial(see, datetime="%Y-%m-%d")


def person(id_, team, **cells):
    """Somebody who was always there."""
    row = {"person_id": id_, "name": id_.upper(), "team": team, "role": "rep", "manager_id": ""}
    return row | {"hired_on": "2020-01-01", "left_on": "", "valid_from": ""} | cells


PEOPLE = [person("n", "North"), person("s", "South")]


class Deals:
    """Deals numbered as they are added."""

    def __init__(self):
        self.rows = []

    def add(self, n, owner, created, status="open", age=None, **cells):
        """Add `n` deals, closed `age` days after they were created."""
        closed = ""
        if age is not None:
            day = datetime.date.fromisoformat(created) + datetime.timedelta(days=age)
            closed = day.isoformat()
        row = {"created_at": created, "closed_at": closed, "status": status, "owner": owner}
        for _ in range(n):
            self.rows.append(row | {"deal_id": str(len(self.rows)), "amount": "100"} | cells)
        return self


def tiny():
    """
    North changes on 2025-07-01, South does not; 40 deals of each before (created 2025-02-01) and since (2025-07-01).

    One of North's deals from before is won on the very day of the change: it counts as open. A deal of nobody, lost
    on the first day, shows that closings were recorded from then on.
    """
    deals = Deals().add(1, "", "2025-02-01", "lost", 0)
    for owner, created in (("n", "2025-02-01"), ("s", "2025-02-01"), ("s", CHANGED_ON)):
        deals.add(8, owner, created, "won", 30).add(16, owner, created, "lost", 60)
        deals.add(15, owner, created)
    deals.add(1, "n", "2025-02-01", "won", 150)
    deals.add(1, "s", "2025-02-01").add(1, "s", CHANGED_ON)
    deals.add(20, "n", CHANGED_ON, "won", 20).add(10, "n", CHANGED_ON, "lost", 40)
    deals.add(10, "n", CHANGED_ON)
    return deals.rows


@pytest.fixture
def by_hand(see):
    """The tiny company's table of measures."""
    seen = see({"deals": tiny(), "people": PEOPLE}, AS_OF)
    change = impact.read_change(seen, CHANGED_ON, "", ["North"], [])
    return impact.measures(seen, change).set_index("measure")


Z = norm.ppf(1 - 0.025 / 2)  # two measures can be estimated: each range at 97.5 %


def wilson(k, n, z=Z):
    """Wilson's interval as textbooks write it."""
    p = k / n
    centre, half = p + z**2 / (2 * n), z * math.sqrt(p * (1 - p) / n + z**2 / (4 * n**2))
    return p, (centre - half) / (1 + z**2 / n), (centre + half) / (1 + z**2 / n)


def less(second, first):
    """Second - first with limits, by the squares of the distances to the limits."""
    change = second[0] - first[0]
    down = math.hypot(second[0] - second[1], first[2] - first[0])
    up = math.hypot(second[2] - second[0], first[0] - first[1])
    return change, change - down, change + up


def ranged(row, name):
    """A column with its limits."""
    return tuple(row[f"{name}{end}"] for end in ("", "_low", "_high"))


def test_win_rate_by_hand(by_hand):
    """
    8 of 40 won by 90 days before, 20 of 40 since; 8 and 8 in the control; Wilson and MOVER with two measures' share.
    """
    row = by_hand.loc["win_rate"]
    before, after = wilson(8, 40), wilson(20, 40)
    effect, control = less(after, before), less(before, before)

    assert row["age_days"] == 90
    assert row["confidence"] == pytest.approx(0.975)
    assert (row["n_before"], row["n_after"]) == (40, 40)
    assert ranged(row, "before") == pytest.approx(before, abs=1e-9)
    assert ranged(row, "after") == pytest.approx(after, abs=1e-9)
    assert ranged(row, "effect") == pytest.approx(effect, abs=1e-9)
    assert (row["control_before"], row["control_after"]) == pytest.approx((0.2, 0.2))
    assert ranged(row, "control_effect") == pytest.approx(control, abs=1e-9)
    assert ranged(row, "against_control") == pytest.approx(less(effect, control), abs=1e-9)
    assert row["p_value"] == pytest.approx(
        2 * norm.sf(0.3 / math.sqrt(0.35 * 0.65 * 2 / 40)), abs=1e-9
    )
    assert row["effect_low"] > 0 > row["against_control_low"]
    assert (row["verdict"], row["is_better"], row["reason"]) == ("cause_open", True, None)


def test_cycle_by_hand(by_hand):
    """
    The areas under two step curves up to day 149, the longest time the deals before were seen, drawn on paper.
    """
    row = by_hand.loc["cycle"]
    before = 30 + 0.8 * 30 + 0.4 * 89
    after = 20 + 0.5 * 20 + 0.25 * 109
    variance = 59.6**2 * 8 / (40 * 32) + 35.6**2 * 16 / (32 * 16)
    variance_after = 37.25**2 * 20 / (40 * 20) + 27.25**2 * 10 / (20 * 10)
    half = Z * math.sqrt(variance + variance_after)

    assert row["age_days"] == 149
    assert (row["before"], row["after"]) == pytest.approx((before, after))
    assert row["before_low"] == pytest.approx(before - Z * math.sqrt(variance))
    assert ranged(row, "effect") == pytest.approx(
        (after - before, after - before - half, after - before + half)
    )
    assert row["control_effect"] == pytest.approx(0)
    assert (row["median_before"], row["median_after"]) == (60, 20)
    assert (row["verdict"], row["is_better"]) == ("cause_open", True)


def test_what_the_dashboard_shows_by_hand(by_hand):
    """
    Won of closed, and the mean age of the won, as of now: the deal won on the day of the change is in.
    """
    closed, cycle = by_hand.loc["win_rate"], by_hand.loc["cycle"]

    assert (closed["naive_before"], closed["naive_after"]) == pytest.approx((9 / 25, 20 / 30))
    assert (cycle["naive_before"], cycle["naive_after"]) == pytest.approx(((8 * 30 + 150) / 9, 20))
    assert np.isnan(
        cycle["naive_p_value"]
    )  # all wins since at one age: Welch's test does not exist
    assert by_hand.loc["turnover", "naive_before":"twin_p_value"].isna().all()


def test_what_cannot_be_estimated_says_why(by_hand):
    """
    Nobody left, no questions in the source, and eight wins are too few for a mean of days.
    """
    rows = by_hand.loc[["days_to_win", "turnover", "satisfaction", "response_rate"]]

    assert list(by_hand.index) == MEASURES
    assert rows["verdict"].tolist() == ["not_estimable"] * 4
    assert rows["reason"].tolist() == [
        *("too_few_won", "nobody_left", "no_satisfaction", "no_satisfaction"),
    ]
    assert rows[["before", "effect", "against_control"]].isna().all(axis=None)


def test_reps_who_differ_make_the_ranges_wider(see):
    """
    The same deals in the hands of ten reps, each of whom wins all or none: the ranges widen, the rates stay.
    """
    rows = [dict(row) for row in tiny()]
    people = [person(f"{o}{i}", t) for o, t in (("n", "North"), ("s", "South")) for i in range(10)]
    tables = []
    for is_sorted in (False, True):
        numbers = {}
        for row in rows:
            key = (row["owner"][:1], row["created_at"])
            place = numbers[key] = numbers.get(key, -1) + 1
            if row["owner"]:
                row["owner"] = f"{key[0]}{place // 4 if is_sorted else place % 10}"
        seen = see({"deals": rows, "people": people}, AS_OF)
        change = impact.read_change(seen, CHANGED_ON, "team", ["North"], ["South"])
        tables.append(impact.measures(seen, change).set_index("measure"))
    mixed, unlike = tables

    for name in ("win_rate", "cycle"):
        assert unlike.loc[name, "effect"] == pytest.approx(mixed.loc[name, "effect"])
        widths = [
            table.loc[name, "effect_high"] - table.loc[name, "effect_low"] for table in tables
        ]
        assert widths[1] > 1.2 * widths[0]
    assert mixed.loc["win_rate", "before"] == pytest.approx(0.2)


def test_everybody_changed(see):
    """
    Without groups all deals are treated, nobody is left to compare with, and the cause stays open.
    """
    seen = see({"deals": tiny(), "people": PEOPLE}, AS_OF)
    change = impact.read_change(seen, CHANGED_ON, "team", [], [])

    row = impact.measures(seen, change).set_index("measure").loc["win_rate"]

    assert (change.treated, change.control) == ((), ())
    assert (row["before"], row["after"]) == pytest.approx((16 / 81, 28 / 80))
    assert np.isnan(row["against_control"])
    assert row["verdict"] in ("no_change", "cause_open")


def test_a_deal_stays_with_the_group_it_was_given_to(see):
    """
    All of North's wins are handed to the South after the change: North keeps them.
    """
    rows = tiny()
    history = []
    for row in rows:
        history.append(
            {"deal_id": row["deal_id"], "owner": row["owner"], "valid_from": row["created_at"]}
        )
        if row["owner"] == "n" and row["created_at"] == CHANGED_ON and row["status"] == "won":
            history.append({"deal_id": row["deal_id"], "owner": "s", "valid_from": "2025-07-11"})
            row["owner"] = "s"
    seen = see({"deals": rows, "people": PEOPLE, "owner_history": history}, AS_OF)

    table = impact.measures(seen, impact.read_change(seen, CHANGED_ON, "team", ["North"], []))

    row = table.set_index("measure").loc["win_rate"]
    assert (row["n_after"], row["after"]) == (40, pytest.approx(0.5))


def test_only_the_days_before_asked_for_are_compared(see):
    """
    Deals created more than `before_days` before the change are left out, those of that day are in.
    """
    deals = Deals().add(30, "n", "2025-01-01", "won", 0).add(30, "n", "2025-03-23")
    deals.add(30, "n", CHANGED_ON)
    seen = see({"deals": deals.rows, "people": PEOPLE}, AS_OF)
    change = impact.read_change(seen, CHANGED_ON, "team", [], [])

    found = {
        days: impact.measures(seen, change, before_days=days)["n_before"].iloc[0]
        for days in (365, 100, 99)
    }

    assert found[365] == 60
    assert found[100] == 30
    assert np.isnan(found[99])


@pytest.mark.parametrize(
    ("as_of", "age"),
    [("2025-12-31", 90), ("2025-09-29", 90), ("2025-09-28", 60), ("2025-08-30", 60)],
)
def test_the_win_rate_is_read_at_an_age_both_sides_reached(see, as_of, age):
    """
    90 days need 20 deals followed for 90 days; with a day less the win rate is that of 60 days, on both sides.
    """
    seen = see({"deals": tiny(), "people": PEOPLE}, as_of)
    change = impact.read_change(seen, CHANGED_ON, "team", ["North"], [])

    table = impact.measures(seen, change).set_index("measure")

    assert table.loc["win_rate", "age_days"] == age
    assert table["is_provisional"].all() == (as_of < "2025-09-28")


@pytest.mark.parametrize(("n", "reason"), [(19, "too_few_deals"), (20, None)])
def test_twenty_deals_are_enough(see, n, reason):
    """
    Of each side; with one less nothing is said of win rate and cycle.
    """
    deals = Deals().add(1, "", "2025-02-01", "lost", 0)
    for created, size in (("2025-02-01", n), (CHANGED_ON, 20)):
        deals.add(size, "n", created, "won", 20)
    seen = see({"deals": deals.rows, "people": PEOPLE}, AS_OF)
    change = impact.read_change(seen, CHANGED_ON, "team", ["North"], [])

    table = impact.measures(seen, change, draws=20).set_index("measure")

    assert table.loc[["win_rate", "cycle"], "reason"].tolist() == [reason] * 2
    assert table.loc["days_to_win", "reason"] == (reason or "too_few_won")


def test_turnover_by_hand(see):
    """
    Person-days counted on fingers; a move to another team is no leaving.
    """
    people = [
        person("n", "North"),
        person("boss", "North", role="manager"),
        person("gone", "North", left_on="2025-03-31"),  # 90 days of the year
        person("new", "North", hired_on="2025-04-01"),  # 91 days until the change
        person("later", "North", left_on="2025-09-30"),  # 92 days after it
        # 120 days in the North, then in the South: 61 before the change and 153 after it
        person("moved", "North", left_on="2025-11-30"),
        person("moved", "South", left_on="2025-11-30", valid_from="2025-05-01"),
        person("s", "South"),
        person("s2", "South", left_on="2025-06-30"),
        person("s3", "South", left_on="2025-07-01"),
    ]
    deals = tiny() + Deals().add(1, "n", "2025-01-01", "lost", 0).rows
    deals[-1]["deal_id"] = "first"
    seen = see({"deals": deals, "people": people}, AS_OF)
    change = impact.read_change(seen, CHANGED_ON, "team", ["North"], [])

    row = impact.measures(seen, change).set_index("measure").loc["turnover"]

    year = 365.25
    before_days, after_days = 3 * 181 + 90 + 91 + 120, 3 * 184 + 92
    assert row["n_before"] * year == pytest.approx(before_days)
    assert row["n_after"] * year == pytest.approx(after_days)
    assert (row["n_left_before"], row["n_left_after"]) == (1, 1)
    assert row["effect"] == pytest.approx(before_days / after_days)
    assert row["is_ratio"]
    south_before, south_after = 3 * 181 + 61, 184 + 1 + 153
    assert row["control_before"] * south_before / year == pytest.approx(1)
    assert row["control_after"] * south_after / year == pytest.approx(2)
    assert row["against_control"] == pytest.approx(
        (before_days / after_days) / (2 * south_before / south_after)
    )
    assert row["verdict"] == "no_change"


def question(asked, answered="", score="", **cells):
    """A question about satisfaction on a scale to 10."""
    row = {"asked_at": asked, "answered_at": answered, "score": score, "scale_max": "10"}
    return {"deal_id": "", "person_id": "n"} | row | cells


def test_satisfaction_by_hand(see):
    """
    Answers within 30 days to questions asked 30 days ago or more; of the deal's first team, else the person's.
    """
    asked = [question("2025-06-30", "2025-07-05", "6") for _ in range(6)]
    asked += [question("2025-06-30", "2025-07-30", "8") for _ in range(6)]  # the 30th day
    asked += [question("2025-06-30", "2025-07-31", "1") for _ in range(8)]  # a day too late
    asked += [question(CHANGED_ON, CHANGED_ON, "9") for _ in range(10)]
    asked += [question("2025-12-01", "2025-12-02", "10") for _ in range(10)]
    asked += [question("2025-12-02", "2025-12-03", "1") for _ in range(10)]  # not 30 days ago
    asked += [question("2025-08-01", "2025-08-01", "11")]  # answered, off its scale
    asked += [question("2025-08-01", "2025-08-01", "1", person_id="s") for _ in range(5)]
    asked += [
        question("2025-08-01", "2025-08-01", "1", person_id="n", deal_id="41")
    ]  # South's deal
    seen = see({"deals": tiny(), "people": PEOPLE, "satisfaction": asked}, AS_OF)
    change = impact.read_change(seen, CHANGED_ON, "team", ["North"], [])

    table = impact.measures(seen, change).set_index("measure")

    score, answered = table.loc["satisfaction"], table.loc["response_rate"]
    before, after = np.repeat([0.6, 0.8], 6), np.repeat([0.9, 1.0], 10)
    errors = [x.var(ddof=1) / len(x) for x in (before, after)]
    assert (score["before"], score["after"]) == pytest.approx((0.7, 0.95))
    assert (score["n_before"], score["n_after"]) == (12, 20)
    assert (score["effect"], score["hodges_lehmann"]) == pytest.approx((0.25, 0.25), abs=0.051)
    freedom = sum(errors) ** 2 / (errors[0] ** 2 / 11 + errors[1] ** 2 / 19)
    from_t = (score["effect_high"] - score["effect"]) / math.sqrt(sum(errors))
    assert from_t == pytest.approx(t.ppf(1 - 0.05 / 8, freedom))  # one of four measures
    assert score["verdict"] == "cause_open"  # the South has too few answers to compare with
    assert (answered["n_before"], answered["n_after"]) == (20, 21)
    assert (answered["before"], answered["after"]) == pytest.approx((12 / 20, 1.0))


@pytest.mark.parametrize(
    ("changed_on", "treated", "problem"),
    [
        ("", [], "not_named"),
        ("", ["North"], "not_named"),
        (CHANGED_ON, ["East", "West"], "unknown_groups"),
        ("2025-01-31", ["North"], "outside_data"),
        ("2026-01-01", ["North"], "outside_data"),
        ("2025-04-01", ["North"], "too_short_before"),
        ("2025-11-03", ["North"], "too_short_after"),
        ("2025-04-02", ["North"], None),
        ("2025-11-02", ["North"], None),
    ],
)
def test_a_change_that_cannot_be_looked_at_says_why(see, changed_on, treated, problem):
    """
    60 days before (the first deal is of 2025-02-01) and since are enough, 59 are not; a page is made all the same.
    """
    seen = see({"deals": tiny(), "people": PEOPLE}, AS_OF)

    change = impact.read_change(seen, changed_on, "team", treated, [])

    assert change.problem == problem
    table = impact.measures(seen, change, draws=20)
    assert table["measure"].tolist() == MEASURES
    assert (impact.verdict(table).verdict == "not_estimable") >= (problem is not None)
    if problem:
        assert table["reason"].tolist() == [problem] * len(MEASURES)
        assert impact.verdict(table).reason == problem


@pytest.mark.parametrize(
    ("treated", "control", "unknown"),
    [
        (["North", "Nord"], [], ("Nord",)),
        (["North"], ["East"], ("East",)),
        (["East", "West"], [], ("East", "West")),
    ],
)
def test_groups_that_the_source_does_not_know_are_named(see, treated, control, unknown):
    """
    One unknown group is enough not to compare: the page names it, and nothing is computed of the others.
    """
    seen = see({"deals": tiny(), "people": PEOPLE}, AS_OF)

    change = impact.read_change(seen, CHANGED_ON, "team", treated, control)

    assert (change.problem, change.treated) == ("unknown_groups", unknown)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ("1 July", "team", ["North"], []),
            "changed_on must be the day .* found '1 July'; leave it empty",
        ),
        ((CHANGED_ON, "owner", ["n"], []), "by must be one of team, region, .* found 'owner'"),
        (
            (CHANGED_ON, "team", ["North"], ["North"]),
            "treated or control, but North is named as both",
        ),
    ],
)
def test_a_change_told_wrongly_is_refused(see, arguments, message):
    """
    No day, no such groups or an unknown one among known ones is an error that lists what is known.
    """
    seen = see({"deals": tiny(), "people": PEOPLE}, AS_OF)

    with pytest.raises(ParameterError, match=message):
        impact.read_change(seen, *arguments)


def test_all_others_are_the_control(see):
    """
    Those with deals before and since; a group that is new, or gone, is not.
    """
    deals = tiny() + Deals().add(1, "w", "2025-06-30").add(1, "e", CHANGED_ON).rows
    for number, row in enumerate(deals):
        row["deal_id"] = str(number)
    people = [*PEOPLE, person("w", "West"), person("e", "East")]
    seen = see({"deals": deals, "people": people}, AS_OF)

    assert impact.read_change(seen, CHANGED_ON, "team", ["North"], []).control == ("South",)
    assert impact.read_change(seen, CHANGED_ON, "team", ["North"], ["East"]).control == ("East",)


LADDER = {  # case -> what the row of a measure says, and the verdict, and whether it is better
    "no estimate": ({"reason": "too_few_deals"}, "not_estimable", None),
    "no range": ({"effect_low": np.nan}, "not_estimable", None),
    "range holds none": ({"effect_low": -0.01, "naive_p_value": np.nan}, "no_change", None),
    "the dashboard finds one, so does the twin": (
        {"effect_low": -0.01, "naive_p_value": 0.04},
        "artefact_possible",
        None,
    ),
    "the dashboard finds none": ({"effect_low": -0.01, "naive_p_value": 0.06}, "no_change", None),
    "the twin does not show it": (
        {"effect_low": -0.01, "naive_p_value": 0.04, "twin_high": 0.29},
        "no_change",
        None,
    ),
    "no twin": (
        {"effect_low": -0.01, "naive_p_value": 0.04, "twin_low": np.nan},
        "no_change",
        None,
    ),
    "no control": (
        {"against_control_low": np.nan, "against_control_high": np.nan},
        "cause_open",
        True,
    ),
    "control moved as well": ({"against_control_low": -0.01}, "cause_open", True),
    "control moved further": (
        {"against_control_low": -0.2, "against_control_high": -0.1},
        "cause_open",
        True,
    ),
    "against the control": ({}, "against_control", True),
    "for the worse": (
        {
            "effect_low": -0.2,
            "effect_high": -0.1,
            "against_control_low": -0.2,
            "against_control_high": -0.1,
        },
        "against_control",
        False,
    ),
    "a longer cycle is worse": ({"measure": "cycle"}, "against_control", False),
    "a ratio above 1 is more turnover": (
        {
            "measure": "turnover",
            "is_ratio": True,
            "effect_low": 1.1,
            "effect_high": 2.0,
            "against_control_low": 0.9,
            "against_control_high": 3.0,
        },
        "cause_open",
        False,
    ),
    "a ratio that holds 1": (
        {"measure": "turnover", "is_ratio": True, "naive_p_value": np.nan},
        "no_change",
        None,
    ),
    "what was to be expected": ({"is_expected": True}, "no_change", None),
}


@pytest.mark.parametrize("case", sorted(LADDER))
def test_the_ladder(case):
    """
    The first rung that applies, from not estimable to changed against the control.
    """
    says, verdict, is_better = LADDER[case]
    row = {
        "measure": "win_rate",
        "is_ratio": False,
        "reason": None,
        "effect_low": 0.1,
        "effect_high": 1.2,
        "against_control_low": 0.05,
        "against_control_high": 1.3,
        "naive_after": 0.3,
        "naive_p_value": 0.01,
        "twin_low": 0.2,
        "twin_high": 0.4,
    }

    judged = impact._judged(row | says)

    assert (judged["verdict"], judged["is_better"]) == (verdict, is_better)


@pytest.mark.parametrize(
    ("win_rate", "cycle", "headline"),
    [
        (("no_change", None), ("no_change", None), ("no_change", ("win_rate", "cycle"), None)),
        (
            ("no_change", None),
            ("artefact_possible", None),
            ("no_change", ("win_rate",), None),
        ),
        (("no_change", None), ("cause_open", False), ("cause_open", ("cycle",), False)),
        (
            ("against_control", True),
            ("cause_open", False),
            ("against_control", ("win_rate",), True),
        ),
        (("cause_open", True), ("cause_open", False), ("cause_open", ("win_rate", "cycle"), None)),
        (("not_estimable", None), ("no_change", None), ("no_change", ("cycle",), None)),
    ],
)
def test_the_headline_is_the_strongest_of_win_rate_and_cycle(win_rate, cycle, headline):
    """
    Whatever other measures say; where the two moved apart nothing is called better.
    """
    table = pd.DataFrame(
        [
            ("satisfaction", "against_control", True, False, None),
            ("cycle", *cycle, False, None),
            ("win_rate", *win_rate, False, None),
        ],
        columns=["measure", "verdict", "is_better", "is_provisional", "reason"],
    )

    found = impact.verdict(table)

    assert (found.verdict, found.measures, found.is_better) == headline
    assert found.measure == found.measures[0]


PLAIN_CHANGES = [("2025-07-15", "West"), ("2025-06-01", "Ost")]


def cells_of(view, changed_on, group):
    """Age, cause and follow-up of the group's deals on both sides, deal by deal from the records."""
    sides = []
    eve = changed_on - datetime.timedelta(days=1)
    for day, deals in ((eve, plain.deals_as_of(view.world, eve)), (view.day, view.deals)):
        side = []
        for deal in deals:
            if deal.created_on is None or deal.status == "removed":
                continue
            if (deal.created_on >= changed_on) != (day == view.day):
                continue
            if deal.segments["region"] == group:
                cause = {"open": 0, "won": 1, "lost": 2}[deal.status]
                age = ((deal.closed_on or day) - deal.created_on).days
                side.append((age, cause, (day - deal.created_on).days))
        sides.append(side)
    return sides


def plain_share(side, age):
    """Won by an age by Aalen and Johansen, age by age."""
    open_share = won = 0.0
    open_share = 1.0
    for at in range(age + 1):
        n = sum(1 for a, *_ in side if a >= at)
        if n:
            won += open_share * sum(1 for a, c, _ in side if (a, c) == (at, 1)) / n
            open_share *= 1 - sum(1 for a, c, _ in side if a == at and c) / n
    return won


def plain_days(side, until):
    """Area under the product-limit curve, day by day."""
    open_share, days = 1.0, 0.0
    for at in range(until):
        n = sum(1 for a, *_ in side if a >= at)
        if n:
            open_share *= 1 - sum(1 for a, c, _ in side if a == at and c) / n
        days += open_share
    return days


@pytest.mark.parametrize(("changed_on", "group"), PLAIN_CHANGES)
def test_agrees_with_a_plain_reading(view, changed_on, group):
    """
    On random companies: numbers of deals, win rate and cycle of a region, before as known on the eve of the change.
    """
    change = impact.read_change(view.seen, changed_on, "region", [group], [])
    table = impact.measures(view.seen, change, draws=20).set_index("measure")
    sides = cells_of(view, change.changed_on, group)

    if change.problem:
        assert (view.day - change.changed_on).days < 59 or change.problem != "too_short_after"
        return
    for name, read in (("win_rate", plain_share), ("cycle", plain_days)):
        row = table.loc[name]
        if row["reason"] is not None:
            continue
        assert [row["n_before"], row["n_after"]] == [len(side) for side in sides]
        for period, side in zip(("before", "after"), sides, strict=True):
            assert row[period] == pytest.approx(read(side, int(row["age_days"])), abs=1e-9)
            assert row[f"{period}_low"] <= row[period] <= row[f"{period}_high"]
            assert sum(followed >= row["age_days"] for *_, followed in side) >= 20


def test_the_plain_reading_is_not_of_nothing(random_stores):
    """
    The companies above are large enough for both measures on one of the days at least.
    """
    found = set()
    for _, store in random_stores.values():
        with crm.observe(store, AS_OF) as seen:
            for changed_on, group in PLAIN_CHANGES:
                change = impact.read_change(seen, changed_on, "region", [group], [])
                table = impact.measures(seen, change, draws=20)
                found |= set(table.loc[table["reason"].isna(), "measure"])

    assert {"win_rate", "cycle"} <= found


@pytest.mark.parametrize(
    ("by", "changed_on", "seed"),
    [
        ("team", "2025-04-01", 1),
        ("team", "2025-10-20", 2),
        ("region", "2025-10-20", 3),
        ("source", "2025-04-01", 2),
        ("segment", "2025-10-20", 1),
        ("product", "2027-01-01", 1),
    ],
)
def test_nothing_raises_on_sparse_companies(work_stores, by, changed_on, seed):
    """
    Whatever the groups and the day, every table comes, with fractions in [0, 1] and ranges around the values.
    """
    with crm.observe(work_stores[seed][1], AS_OF) as seen:
        groups = sorted(impact_parts._spans(seen, by).index)
        for treated, is_chosen in (([], False), (groups[:1], True), (groups, False)):
            change = impact.read_change(seen, changed_on, by, treated, [])
            check(impact.measures(seen, change, chosen_for_results=is_chosen, draws=20))
            for table in (impact.units, impact.regression, impact.trend, impact.curves):
                table(seen, change)
            impact.mix(seen, change, draws=50)
            impact.placebos(seen, change, n=1)
            assert impact.monthly(seen, change)["treated_rate"].dropna().between(0, 1).all()


def check(table):
    """What holds of every table of measures."""
    assert table["measure"].tolist() == MEASURES
    assert set(table["verdict"]) <= set(impact.VERDICTS)
    assert (table["reason"].isna() | table["before"].isna()).all()
    for name in ("before", "after", "effect", "control_effect", "against_control"):
        known = table[table[name].notna() & table[f"{name}_low"].notna()]
        assert (known[f"{name}_low"] <= known[name] + 1e-12).all()
        assert (known[name] <= known[f"{name}_high"] + 1e-12).all()
    rates = table[table["form"].isin(["rate", "score"])]
    for name in ("before", "after", "before_low", "after_high"):
        assert rates[name].dropna().between(0, 1).all()
    is_changed = table["verdict"].isin(impact.VERDICTS[-2:])
    assert (table["is_better"].notna() == is_changed).all()


@pytest.fixture(scope="module")
def company(tmp_path_factory):
    """The sample company of the project's first page, and what it was made with."""
    return made(tmp_path_factory.mktemp("company"))


def made(folder, **keywords):
    """A sample company's store and truth."""
    known = sample.write(folder / "export", **keywords)
    mapping = ROOT / "params" / "sources" / "sample.yaml"
    store = crm.load(folder / "export", mapping, folder / "crm.duckdb", say=lambda text: None)
    return store, known


@pytest.fixture(scope="module")
def looked_at(company):
    """The sample company as of its last day, with the change as it was."""
    store, known = company
    with crm.observe(store, known["as_of"]) as seen:
        told = known["change"]
        yield seen, impact.read_change(seen, told["date"], "team", told["treated_teams"], [])


@pytest.fixture(scope="module")
def found(looked_at):
    """The table of measures of the sample company."""
    return impact.measures(*looked_at).set_index("measure")


def true_win_rate(rate, days, age):
    """Share won by an age, of gamma(2) times to the win."""
    return rate * gamma.cdf(age, 2, scale=days / 2)


def true_days_open(rate, won_days, lost_days, until):
    """Days open of the first so many: won, lost and stale deals, which stay open throughout."""
    shares = {won_days: rate, lost_days: 1 - rate - truth.STALE}
    return truth.STALE * until + sum(
        share
        * (days * gamma.cdf(until, 3, scale=days / 2) + until * gamma.sf(until, 2, scale=days / 2))
        for days, share in shares.items()
    )


def true_days_to_win(days, until):
    """Mean of gamma(2) times of those that are at most so long."""
    return days * gamma.cdf(until, 3, scale=days / 2) / gamma.cdf(until, 2, scale=days / 2)


def test_the_true_effect_is_recovered_against_the_control(looked_at, found):
    """
    15 % to 32 % and 60 to 35 days, as they show at the ages read, lie in the ranges; both changed against the control.
    """
    sides = list(zip(truth.WIN_RATE[1:], truth.WON_DAYS[1:], truth.LOST_DAYS[1:], strict=True))
    true = {
        "win_rate": [
            true_win_rate(rate, won, found.loc["win_rate", "age_days"]) for rate, won, _ in sides
        ],
        "cycle": [true_days_open(*side, found.loc["cycle", "age_days"]) for side in sides],
        "days_to_win": [
            true_days_to_win(won, found.loc["days_to_win", "age_days"]) for _, won, _ in sides
        ],
    }

    for name, (before, after) in true.items():
        row = found.loc[name]
        assert row["before_low"] < before < row["before_high"], name
        assert row["after_low"] < after < row["after_high"], name
        assert row["effect_low"] < after - before < row["effect_high"], name
        assert row["against_control_low"] < after - before < row["against_control_high"], name
        assert row["control_effect_low"] < 0 < row["control_effect_high"], name
    assert found.loc[["win_rate", "cycle"], "verdict"].tolist() == ["against_control"] * 2
    assert found.loc[["win_rate", "cycle"], "is_better"].tolist() == [True] * 2
    assert (
        found.loc[["turnover", "satisfaction", "response_rate"], "verdict"].tolist()
        == ["no_change"] * 3
    )
    followed = impact_parts.deals(*looked_at, before_days=365).rows.groupby(["arm", "period"])[
        "followed"
    ]
    assert found.loc["cycle", "age_days"] == 180
    for name, share in (("cycle", 0.3), ("days_to_win", 0.5)):
        is_long = followed.agg(lambda days, name=name: (days >= found.loc[name, "age_days"]).mean())
        assert is_long.min() >= share
    headline = impact.verdict(found.reset_index())
    assert headline == ("win_rate", "against_control", ("win_rate", "cycle"), True, False, None)


def test_counts_of_the_sample_are_those_of_its_exports(company, looked_at, found):
    """
    Deals of the treated since the change are those the export holds, less those removed or without a day.
    """
    _, known = company
    cell = known["cells"]["treated_after"]
    faults = sum(
        known["dirt"][kind]["count"]
        for kind in ("unparseable_created", "empty_created", "owner_empty")
    )

    assert (
        0 <= cell["n_deals"] - cell["n_removed"] - found.loc["win_rate", "n_after"] <= faults + 12
    )


def test_the_twin_shows_what_the_dashboard_would_have_shown(found):
    """
    With nothing changed the won deals of the ten months would be quicker than those before anyway; what was seen is
    quicker still.
    """
    row = found.loc["cycle"]

    assert row["twin_low"] < row["twin_median"] < row["naive_before"]
    assert row["naive_after"] < row["twin_low"]
    assert row["twin_p_value"] < 0.025


def test_more_measures_make_wider_ranges(looked_at, found):
    """
    Six measures: 99.17 % each; the same win rate at 95 % is narrower by the ratio of the normal quantiles, nearly.
    """
    deals = impact_parts.deals(*looked_at, before_days=365)
    alone = impact_parts.win_rate(deals, age_days=90, confidence=0.95).treated.effect
    row = found.loc["win_rate"]

    assert found["confidence"].tolist() == pytest.approx([1 - 0.05 / 6] * 6)
    ratio = (row["effect_high"] - row["effect_low"]) / (alone.high - alone.low)
    assert ratio == pytest.approx(norm.ppf(1 - 0.025 / 6) / norm.ppf(0.975), rel=0.02)


@pytest.mark.parametrize("seed", [11, 12])
def test_a_company_in_which_nothing_changed(seed, tmp_path):
    """
    No measure is said to have changed, though the dashboard's mean cycle of won deals is shorter.
    """
    store, known = made(tmp_path, deals=1500, seed=seed, changed=False)
    told = known["change"]
    with crm.observe(store, "2026-01-31") as seen:
        change = impact.read_change(seen, told["date"], "team", told["treated_teams"], [])

        table = impact.measures(seen, change).set_index("measure")

    assert not table["verdict"].isin(["cause_open", "against_control"]).any()
    assert table.loc["win_rate", "verdict"] in ("no_change", "artefact_possible")
    assert table.loc["cycle", "naive_after"] < table.loc["cycle", "naive_before"]


def test_curves_end_where_few_are_left(looked_at, found):
    """
    Four curves that start at 0 and 1, agree with the win rate at its age, and rest on ten deals at least.
    """
    table = impact.curves(*looked_at)

    assert table.groupby(["arm", "period"]).ngroups == 4
    assert (table["n_at_risk"] >= 10).all()
    assert table["age_days"].max() <= 180
    total = table["won_rate"] + table["lost_rate"] + table["open_share"]
    assert total.to_numpy() == pytest.approx(1)
    for period in ("before", "after"):
        curve = table[(table["arm"] == "treated") & (table["period"] == period)]
        last = curve[curve["age_days"] <= 90].iloc[-1]
        assert last["won_rate"] == pytest.approx(found.loc["win_rate", period])


def test_mix_and_rate_add_up(looked_at, found):
    """
    Cells hold every deal once; their effects add up to the change; in the sample hardly any of it is mix.
    """
    cells, total = impact.mix(*looked_at)

    total = total.iloc[0]
    assert cells["cell"].is_unique
    assert cells["n_before"].sum() == found.loc["win_rate", "n_before"]
    assert cells["n_after"].sum() == found.loc["win_rate", "n_after"]
    assert cells["mix_effect"].sum() == pytest.approx(total["mix_effect"])
    assert cells["mix_rate_effect"].sum() == pytest.approx(total["mix_rate_effect"])
    after = (cells["share_after"] * cells["rate_after"]).sum()
    before = (cells["share_before"] * cells["rate_before"]).sum()
    assert total["effect"] == pytest.approx(after - before)
    assert total["effect"] == pytest.approx(found.loc["win_rate", "effect"], abs=0.02)
    assert total["mix_effect_low"] < total["mix_effect"] < total["mix_effect_high"]
    assert total["mix_rate_effect_low"] > 0.1
    assert found.loc["win_rate", "mix_effect"] == total["mix_effect"]


def test_other_deals_alone_are_no_effect_of_the_change(see):
    """
    Fairs win 1 in 10 and referrals 6 in 10, before and since; only that there are more referrals now.
    """
    deals = Deals().add(1, "", "2025-02-01", "lost", 0)
    for created, fairs, referrals in (("2025-02-01", 100, 50), (CHANGED_ON, 50, 100)):
        for name, n, won in (
            ("fair", fairs, fairs // 10),
            ("referral", referrals, referrals * 6 // 10),
        ):
            deals.add(won, "n", created, "won", 30, source=name)
            deals.add(n - won, "n", created, "lost", 40, source=name)
    seen = see({"deals": deals.rows, "people": PEOPLE}, AS_OF)
    change = impact.read_change(seen, CHANGED_ON, "team", ["North"], [])

    cells, total = impact.mix(seen, change)

    total = total.iloc[0]
    assert sorted(cells["cell"]) == ["fair ·  · ", "referral ·  · "]
    assert total["mix_effect"] == pytest.approx(0.5 / 3)
    assert total["mix_rate_effect"] == pytest.approx(0)
    assert not total["is_simpson"]


def test_small_cells_are_put_together(see):
    """
    Ten deals of a product are too few: they count with their source and segment.
    """
    deals = Deals().add(1, "", "2025-02-01", "lost", 0)
    for created in ("2025-02-01", CHANGED_ON):
        deals.add(25, "n", created, "won", 30, source="web", segment="big", product="A")
        for product in ("B", "C"):
            deals.add(10, "n", created, "lost", 30, source="web", segment="big", product=product)
        deals.add(5, "n", created, "lost", 30, source="fair", segment="big", product="A")
    seen = see({"deals": deals.rows, "people": PEOPLE}, AS_OF)
    change = impact.read_change(seen, CHANGED_ON, "team", ["North"], [])

    cells, _ = impact.mix(seen, change)

    assert cells.set_index("cell")["n_before"].to_dict() == {"web · big · A": 25, "": 25}


WEAK = [f"T{number:02d}" for number in range(10)]


def weak_company():
    """
    Forty teams that win 1 in 5 of 60 deals, with the luck of a binomial before, and exactly 12 since.

    The ten with the fewest wins before are WEAK.
    """
    deals = Deals().add(1, "", "2025-02-01", "lost", 0)
    wins = binom.ppf((np.arange(40) + 0.5) / 40, 60, 0.2).astype(int)
    for number, before in enumerate(wins):
        for created, won in (("2025-02-01", before), (CHANGED_ON, 12)):
            deals.add(won, f"r{number}", created, "won", 30)
            deals.add(60 - won, f"r{number}", created, "lost", 40)
    people = [person(f"r{number}", f"T{number:02d}") for number in range(40)]
    return {"deals": deals.rows, "people": people}, wins


def test_the_weakest_come_back_to_what_was_to_be_expected(see):
    """
    The weakest teams rise from 13 % to 20 %, more than chance; but chosen for it, no more than was to be expected.
    """
    tables, wins = weak_company()
    seen = see(tables, AS_OF)
    change = impact.read_change(seen, CHANGED_ON, "team", WEAK, [])

    row = impact.regression(seen, change).iloc[0]
    units = impact.units(seen, change).set_index("group")
    plain_row, chosen_row = (
        impact.measures(seen, change, chosen_for_results=is_chosen, draws=50).iloc[0]
        for is_chosen in (False, True)
    )

    assert row["before"] == pytest.approx(wins[:10].sum() / 600)
    assert row["others_before"] == pytest.approx(wins[10:].sum() / 1800)
    assert row["standing"] == "weaker"
    assert row["after"] == pytest.approx(0.2)
    assert 0.16 < row["expected"] < 0.2  # truth: .2, all teams are alike
    assert row["beyond_low"] < 0 < row["beyond_high"]
    assert row["expected"] == pytest.approx(units.loc[WEAK, "expected_rate"].mean())
    assert units.loc["T00", "before_rate"] < units.loc["T00", "expected_rate"] < 0.2
    assert units.loc["T39", "before_rate"] > units.loc["T39", "expected_rate"] > 0.2
    assert units["n_before"].tolist() == [60] * 40
    assert plain_row["verdict"] in ("cause_open", "against_control")
    assert (chosen_row["verdict"], chosen_row["reason"]) == ("no_change", "regression_to_mean")


def test_groups_that_were_not_chosen_stand_alike(looked_at):
    """
    In the sample the treated were no weaker and no stronger before, and what came after is beyond expectation.
    """
    row = impact.regression(*looked_at).iloc[0]

    assert row["standing"] == "alike"
    assert row["expected"] == pytest.approx(row["before"], abs=0.02)
    assert row["beyond_low"] > 0.1
    assert not row["is_expected"]


def test_placebo_days_use_nothing_of_the_change(looked_at, found):
    """
    Six days before the change, none looked at after its eve, find no change in the sample; the true day does.
    """
    seen, change = looked_at
    table = impact.placebos(seen, change)

    false, true = table[~table["is_true"]], table[table["is_true"]]
    assert false["changed_on"].nunique() == 6
    assert (false["as_of"] < change.changed_on).all()
    lengths = [(row.as_of - row.changed_on).days + 1 for row in false.itertuples()]
    assert set(lengths) == {(change.changed_on - datetime.date(2024, 7, 1)).days // 3}
    assert false["is_changed"].sum() <= 1
    assert true["is_changed"].all()
    assert true["effect"].tolist() == pytest.approx(
        found.loc[["win_rate", "cycle"], "effect"].tolist()
    )


def test_without_a_history_there_is_no_placebo(see):
    """
    With 150 days before the change no day has 60 days before and a follow-up after: only the true one is there.
    """
    seen = see({"deals": tiny(), "people": PEOPLE}, AS_OF)
    change = impact.read_change(seen, "2025-05-01", "team", ["North"], [])

    assert impact.placebos(seen, change)["is_true"].all()
    assert impact.placebos(seen, change, n=0)["is_true"].all()


def test_months_by_hand(see):
    """
    One month before and one since, each a point; a month without deals of an arm has none.
    """
    deals = (
        tiny()
        + Deals().add(4, "n", "2025-03-15", "won", 90).add(4, "n", "2025-03-15", "won", 91).rows
    )
    for number, row in enumerate(deals):
        row["deal_id"] = str(number)
    seen = see({"deals": deals, "people": PEOPLE}, AS_OF)
    change = impact.read_change(seen, CHANGED_ON, "team", ["North"], [])

    table = impact.monthly(seen, change).set_index("month")

    assert [str(day.date()) for day in table.index] == [f"2025-0{m}-01" for m in range(2, 8)]
    assert table["is_after"].tolist() == [False] * 5 + [True]
    assert table["n_treated"].tolist() == [40, 8, 0, 0, 0, 40]
    march = table.loc["2025-03-01"]
    assert ranged(march, "treated_rate") == pytest.approx(wilson(4, 8, z=norm.ppf(0.975)))
    assert np.isnan(march["control_rate"])
    z = norm.ppf(0.975)
    expected = less(wilson(20, 40, z), wilson(8, 40, z))
    assert ranged(table.loc["2025-07-01"], "difference") == pytest.approx(expected)


def test_a_month_is_after_if_most_of_it_is(see):
    """
    A change on the 15th makes its month one after it, on the 16th one before it.
    """
    seen = see({"deals": tiny(), "people": PEOPLE}, AS_OF)
    is_after = []
    for day in ("2025-07-15", "2025-07-16"):
        change = impact.read_change(seen, day, "team", ["North"], [])
        is_after.append(bool(impact.monthly(seen, change)["is_after"].iloc[-1]))

    assert is_after == [True, False]


def test_the_series_of_the_sample_changes_its_level(looked_at):
    """
    14 months before and 7 since of the difference to the control: a jump that holds the true .19, p below .05.
    """
    row = impact.trend(*looked_at).iloc[0]

    true = true_win_rate(0.32, 35, 90) - true_win_rate(0.15, 60, 90)
    assert row["is_difference"]
    assert (row["n_before"], row["n_after"]) == (14, 7)
    assert row["level_low"] < true < row["level_high"]
    assert row["p_value"] < 0.05


def test_a_short_series_is_no_series(see):
    """
    Five months before the change are no trend.
    """
    seen = see({"deals": tiny(), "people": PEOPLE}, AS_OF)
    change = impact.read_change(seen, CHANGED_ON, "team", ["North"], [])

    row = impact.trend(seen, change).iloc[0]

    assert row[["level", "p_value"]].isna().all()
    assert row["n_before"] == 5
