"""The chance to be won from here: by hand, against the plain formula, and where it says nothing."""

import math

import plain
import pytest
from test_attention import MONDAY, closed, deal, entered, world

from salesanalysis.metrics import chances


def rows_of(seen, stage):
    """Rows of a stage by day; of all stages together where it is None."""
    table = chances.won_from_here(seen)
    part = table[table["stage"].isna()] if stage is None else table[table["stage"] == stage]
    return part.set_index("days")


def test_the_chance_is_the_share_won_of_those_open_after_so_many_days(see):
    """
    Of 60 closed deals 10 were won at age 3, 20 lost at 6, 15 won and 15 lost at 9: after 0 to 2 days 25/60, after
    3 to 5 15/50, after 6 to 8 half; from 9 on nobody is left to tell.
    """
    history = [
        *closed(10, "won", 3, first=1000),
        *closed(20, "lost", 6, first=2000),
        *closed(15, "won", 9, first=3000),
        *closed(15, "lost", 9, first=4000),
    ]

    table = rows_of(see(world(history), MONDAY), "A")

    assert table.index.tolist() == list(range(9))
    assert table["won_rate"].tolist() == pytest.approx([25 / 60] * 3 + [15 / 50] * 3 + [0.5] * 3)
    assert table["n_open"].tolist() == [60] * 3 + [50] * 3 + [30] * 3
    low, high = plain.wilson(15, 30)
    assert table.loc[8, ["won_rate_low", "won_rate_high"]].tolist() == pytest.approx([low, high])


def test_fewer_than_twenty_open_say_nothing(see):
    """
    20 deals open after the second day give a chance, 19 do not.
    """
    enough = [*closed(5, "won", 2, first=1000), *closed(20, "lost", 4, first=2000)]

    assert rows_of(see(world(enough), MONDAY), "A").index.tolist() == [0, 1, 2, 3]
    assert rows_of(see(world(enough[:-1]), MONDAY), "A").index.tolist() == [0, 1]


def test_the_clock_of_a_stage_starts_at_its_first_entry(see):
    """
    20 deals go from A to B after 10 days, back to A, and are won 30 days after creation: in B they took 20 days,
    and a lost one that was removed counts nowhere.
    """
    deals = closed(20, "won", 30, created="2025-06-01")
    events = [
        event
        for row in deals
        for event in entered(row["deal_id"], ("A", "2025-06-01"), ("B", "2025-06-11"), ("A", "2025-06-20"), ("Won", "2025-07-01"))
    ]  # fmt: skip
    removed = deal(1, "2025-06-01", status="removed", closed_at="2025-06-05 09:00:00")

    seen = see(world([*deals, removed], stage_events=events), MONDAY)

    assert rows_of(seen, "A").index.max() == 29
    assert rows_of(seen, "B").index.max() == 19
    assert rows_of(seen, "A")["n_open"].iloc[0] == 20
    assert rows_of(seen, None)["n_open"].iloc[0] == 40


def test_without_history_all_deals_together_count_from_creation(see):
    """
    No stage is known: one curve, from creation.
    """
    history = [*closed(12, "won", 8, first=1000), *closed(12, "lost", 9, first=2000)]

    table = chances.won_from_here(see({"deals": history}, MONDAY))

    assert table["stage"].isna().all() and table["pipeline"].isna().all()
    assert table["days"].tolist() == list(range(8))
    assert table["won_rate"].tolist() == pytest.approx([0.5] * 8)


def test_agrees_with_the_conditional_incidence(view):
    """
    On random companies every row is (F(end) - F(days)) / S(days), with the interval of the deals still open then.
    """
    cases = {}
    for case in view.deals:
        if case.status == "removed":
            continue
        for visit in plain.first_visits(case, view.day):
            until = case.closed_on or view.day
            age = (until - visit.entry.entered_on).days
            if age >= 0:
                row = age, {"open": 0, "won": 1, "lost": 2}[case.status]
                cases.setdefault((visit.entry.pipeline, visit.entry.stage), []).append(row)
                cases.setdefault((None, None), []).append(row)
    expected = []
    for (pipeline, stage), part in cases.items():
        end = max(age for age, _ in part)
        last = plain.incidence(part, end)
        for days in range(end + 1):
            later = [(age, cause) for age, cause in part if age > days]
            if len(later) < 20:
                continue
            now, here = plain.incidence(part, days), plain.incidence(later, end)
            rate = (last["rate"] - now["rate"]) / now["open"]
            assert math.isclose(rate, here["rate"], abs_tol=1e-9)
            expected.append(
                {"pipeline": pipeline, "stage": stage, "days": days, "n_open": len(later),
                 "won_rate": rate, "won_rate_low": here["low"], "won_rate_high": here["high"]}
            )  # fmt: skip

    table = chances.won_from_here(view.seen)

    plain.assert_same(table, expected, ["pipeline", "stage", "days"])
    assert ((table["won_rate_low"] >= 0) & (table["won_rate_high"] <= 1)).all()
    assert (table["won_rate_low"] <= table["won_rate"]).all()
