"""Movements of the pipeline: worked by hand, against a plain reading of the records, and by their identities."""

import datetime
import itertools
from decimal import Decimal

import numpy as np
import pandas as pd
import plain
import pytest
from numpy.testing import assert_allclose

from salesanalysis import crm
from salesanalysis.crm.errors import ParameterError
from salesanalysis.metrics import credit, pipeline, quality
from salesanalysis.metrics.periods import Period, period

D = datetime.date
WORLDS = (1, 2, 3)
AS_OF = ("2025-12-31", "2025-08-26")
PERIODS = ("2025-Q1", "2025-Q2", "2025-Q3", "2025-Q4", "2025-05", "2025-H2", "2025")
SIGNS = {"start": 1, "created": 1, "pulled_in": 1, "reopened": 1, "increased": 1, "decreased": 1, "pushed_out": -1, "won": -1,
         "lost": -1, "removed": -1}  # fmt: skip


@pytest.fixture(scope="module", params=itertools.product(WORLDS, AS_OF), ids=str)
def look(request, work_stores):
    """
    A random company with awkward histories as of a day: through the package, and its records.
    """
    seed, day = request.param
    world, store = work_stores[seed]
    with crm.observe(store, day) as seen:
        yield seen, world


def periods_of(seen):
    """Periods that had begun by the as-of date."""
    return [
        found
        for found in (period(name, as_of=D(2025, 12, 31)) for name in PERIODS)
        if found.first <= seen.as_of
    ]


def units(amounts):
    """Amounts as whole numbers of their fourth place, which add up exactly."""
    return [round(Decimal(str(amount)) * 10_000) for amount in amounts]


# ---- a plain reading ------------------------------------------------------------------------------------------------


def close_as_of(world, row, day):
    """Expected close of a deal as known at the end of a day, from the rows of the export."""
    changes = [
        change
        for change in world.tables["deal_changes"]
        if change["deal_id"] == row["deal_id"] and change["field"] == "expected_close"
    ]
    changes.sort(key=lambda change: change["changed_at"])
    known = [change for change in changes if change["changed_at"][:10] <= day.isoformat()]
    text = (
        known[-1]["new"] if known else changes[0]["old"] if changes else row.get("expected_close")
    )
    return D.fromisoformat(text) if text else None


def times_in_state(deal):
    """Open, won, lost or removed in turn, each unbroken time once; a time without length is none."""
    found = []
    for (at, _, stage), after in itertools.zip_longest(deal.states, deal.states[1:]):
        status = stage if plain.is_end(stage) else "open"
        if after is not None and after[0] == at:
            continue
        if not found or found[-1] != status:
            found.append(status)
    return found


def known_on(world, day):
    """Deals by id on a day: status, amount, expected close, and the states it has been in."""
    rows = {row["deal_id"]: row for row in world.tables["deals"]}
    return {
        deal.deal_id: {
            "status": deal.status,
            "amount": Decimal(str(deal.amount or 0)),
            "close": close_as_of(world, rows[deal.deal_id], day),
            "states": times_in_state(deal),
        }
        for deal in plain.deals_as_of(world, day)
    }


def quarters_with_history(seen, world):
    """Finished quarters at whose start a deal was due in them, none from before closings are recorded."""
    begin = quality.truncated_before(seen)
    found = []
    for when in periods_of(seen):
        before = known_on(world, when.first - datetime.timedelta(days=1))
        is_due = any(
            deal["status"] == "open" and deal["close"] and when.first <= deal["close"] <= when.last
            for deal in before.values()
        )
        is_told = pd.isna(begin) or pd.Timestamp(when.first) > begin
        if is_due and is_told and "-Q" in when.name and when.last <= seen.as_of:
            found.append(when.name)
    return found


def plain_waterfall(world, when, as_of):
    """Steps with their deals and signed amounts, a deal at a time; created deals come in at their amount of the end."""
    before = known_on(world, when.first - datetime.timedelta(days=1))
    after = known_on(world, min(when.last, as_of))
    found = {step: [] for step in pipeline.STEPS}
    for deal_id, now in after.items():
        then = before.get(deal_id)
        was_in = (
            then is not None
            and then["status"] == "open"
            and then["close"] is not None
            and when.first <= then["close"] <= when.last
        )
        in_dates = now["close"] is not None and when.first <= now["close"] <= when.last
        is_in = now["status"] == "open" and in_dates
        n_before = len(then["states"]) if then else 0
        later = now["states"][n_before:]
        was_open = "open" in later or (then is not None and then["status"] == "open")
        is_gone = now["status"] == "won" or (
            now["status"] in ("lost", "removed") and in_dates and was_open
        )
        passes = not was_in and bool(later) and is_gone
        if not (was_in or is_in or passes):
            continue
        first = then["amount"] if then else None
        if was_in:
            found["start"].append((deal_id, first))
        elif then is None:
            found["created"].append((deal_id, None))
        elif then["status"] == "open":
            found["pulled_in"].append((deal_id, first))
        else:
            found["reopened"].append((deal_id, first))
        if first is not None and first != now["amount"]:
            step = "increased" if now["amount"] > first else "decreased"
            found[step].append((deal_id, now["amount"] - first))
        if is_in:
            found["end"].append((deal_id, now["amount"]))
        else:
            step = "pushed_out" if now["status"] == "open" else now["status"]
            found[step].append((deal_id, -now["amount"]))
    return found


# ---- random companies -----------------------------------------------------------------------------------------------


def test_start_plus_all_that_moved_is_the_end_to_the_last_place(look):
    """
    In money and in deals, for every period of awkward histories.
    """
    seen, _ = look
    for when in periods_of(seen):
        table = pipeline.waterfall(seen, when).set_index("step")

        assert table.index.tolist() == list(pipeline.STEPS)
        *moves, end = units(table["amount"])
        assert sum(moves) == end
        assert table["n_change"].iloc[:-1].sum() == table.loc["end", "n_deals"]
        assert (table.loc[[*SIGNS], "amount"] * list(SIGNS.values()) >= 0).drop("decreased").all()


def test_every_step_is_that_of_a_plain_reading(look):
    """
    The same deals in the same steps; the start and the end at the amounts of those days.
    """
    seen, world = look
    n_found = 0
    for when in periods_of(seen):
        lines = pipeline.waterfall_deals(seen, when)
        wanted = plain_waterfall(world, when, seen.as_of)
        created = {deal_id for deal_id, _ in wanted["created"]}

        for step in pipeline.STEPS:
            part = lines[lines["step"] == step]
            if step in (
                "increased",
                "decreased",
            ):  # the first amount of a new deal is another day's
                part = part[~part["deal_id"].isin(created)]
            assert sorted(part["deal_id"]) == sorted(deal_id for deal_id, _ in wanted[step]), step
            amounts = dict(zip(part["deal_id"], part["amount"].fillna(0), strict=True))
            if step != "created":
                assert units(amounts[deal_id] for deal_id, _ in wanted[step]) == units(
                    amount for _, amount in wanted[step]
                )
            n_found += len(part)
    assert n_found > 50


def test_every_amount_of_the_waterfall_traces_to_its_deals(look):
    """
    A step's deals and amount are those of its lines, each deal once in a step, and a line never lacks its dates.
    """
    seen, _ = look
    for when in periods_of(seen):
        table = pipeline.waterfall(seen, when).set_index("step")
        lines = pipeline.waterfall_deals(seen, when)

        assert not lines.duplicated(["step", "deal_key"]).any()
        for step, part in lines.groupby("step"):
            assert len(part) == table.loc[step, "n_deals"]
            assert sum(units(part["amount"].fillna(0))) == units([table.loc[step, "amount"]])[0]
        first, last = pd.Timestamp(when.first), pd.Timestamp(when.last)
        assert lines.loc[lines["step"] == "start", "close_before"].between(first, last).all()
        assert lines.loc[lines["step"] == "end", "close_after"].between(first, last).all()


def test_won_is_all_that_was_won(look):
    """
    Whatever date was expected: the deals that are won at the end and were not so at the start.
    """
    seen, world = look
    for when in periods_of(seen):
        before = known_on(world, when.first - datetime.timedelta(days=1))
        after = known_on(world, min(when.last, seen.as_of))
        lines = pipeline.waterfall_deals(seen, when)

        won = {
            deal_id
            for deal_id, now in after.items()
            if now["status"] == "won"
            and len(now["states"]) > len(before.get(deal_id, {"states": []})["states"])
        }
        assert set(lines.loc[lines["step"] == "won", "deal_id"]) == won


def test_a_finished_quarter_stays_as_it_was(look):
    """
    Seen later, or from its own last day: the same waterfall, slips and pipeline; nothing of later days is in it.
    """
    seen, _ = look
    when = period("2025-Q2", as_of=seen.as_of)
    with seen.at(when.last) as then:
        pd.testing.assert_frame_equal(
            pipeline.waterfall(seen, when), pipeline.waterfall(then, when)
        )
        now, early = (pipeline.slips(one, quarters=4) for one in (seen, then))
        now, early = (table[table["quarter"] == when.name] for table in (now, early))
        pd.testing.assert_frame_equal(*(t.reset_index(drop=True) for t in (now, early)))


def test_slips_are_those_of_a_plain_reading(look):
    """
    What became of the deals due at the start; the shares add up to 1 with bounds around them.
    """
    seen, world = look

    table = pipeline.slips(seen, quarters=4)

    assert table["quarter"].tolist() == quarters_with_history(seen, world)
    for row in table.itertuples():
        before = known_on(world, row.first_on - datetime.timedelta(days=1))
        after = known_on(world, row.last_on)
        due = [
            (deal_id, deal)
            for deal_id, deal in before.items()
            if deal["status"] == "open" and deal["close"] and row.first_on <= deal["close"] <= row.last_on
        ]  # fmt: skip
        then = [after[deal_id]["status"] for deal_id, _ in due]
        assert row.n_deals == len(due)
        for outcome in ("won", "lost", "removed", "slipped"):
            n = then.count("open" if outcome == "slipped" else outcome)
            assert getattr(row, f"n_{outcome}") == n
            low, high = plain.wilson(n, len(due))
            assert_allclose(getattr(row, f"{outcome}_rate"), n / len(due))
            assert_allclose(getattr(row, f"{outcome}_rate_low"), low, atol=1e-12)
            assert_allclose(getattr(row, f"{outcome}_rate_high"), high, atol=1e-12)
        assert row.won_rate + row.lost_rate + row.removed_rate + row.slipped_rate == pytest.approx(
            1
        )
        slipped = [deal for deal_id, deal in due if after[deal_id]["status"] == "open"]
        assert_allclose(row.amount, float(sum(deal["amount"] for _, deal in due)))
        assert_allclose(row.amount_slipped, float(sum(deal["amount"] for deal in slipped)))


def test_coverage_agrees_with_the_waterfall(look):
    """
    At the start of a quarter its pipeline is the waterfall's start, and what was won from it and others its won.
    """
    seen, _ = look

    table = pipeline.coverage(seen, quarters=4, week=0)

    assert table["is_current"].tolist()[-1] and table["is_current"].sum() == 1
    for row in table[~table["is_current"]].itertuples():
        falls = pipeline.waterfall(seen, period(row.quarter, as_of=seen.as_of)).set_index("step")
        assert (row.n_open, row.amount_open) == tuple(falls.loc["start", ["n_deals", "amount"]])
        assert row.n_from + row.n_other == falls.loc["won", "n_deals"]
        assert_allclose(row.amount_from + row.amount_other, -falls.loc["won", "amount"])
        assert_allclose(row.yield_ratio, -falls.loc["won", "amount"] / falls.loc["start", "amount"])


def test_at_a_later_week_what_is_booked_is_not_counted_again(look):
    """
    Won before the week, later from its pipeline and later from others make up the wins of the quarter.
    """
    seen, world = look

    table = pipeline.coverage(seen, quarters=4, week=5)

    rows = table[~table["is_current"]]
    for row in rows.itertuples():
        assert row.seen_on == row.first_on + datetime.timedelta(days=34)
        after = plain.deals_as_of(world, row.last_on)
        won = [d for d in after if d.status == "won" and row.first_on <= d.closed_on <= row.last_on]
        assert row.n_booked + row.n_from + row.n_other == len(won)
        assert row.n_booked == sum(d.closed_on <= row.seen_on for d in won)


# ---- worked by hand -------------------------------------------------------------------------------------------------

STAGES = [
    {"pipeline": "p", "stage": stage, "stage_order": str(place), "is_won": str(stage == "Won").lower(),
     "is_lost": str(stage == "Lost").lower()}
    for place, stage in enumerate(("Lead", "Offer", "Won", "Lost"), start=1)
]  # fmt: skip
Q2 = Period("2026-Q2", D(2026, 4, 1), D(2026, 6, 30))


class Export:
    """Rows of an export, written a deal at a time."""

    def __init__(self):
        self.tables = {"stages": STAGES, "deals": [], "stage_events": [], "deal_changes": []}

    def deal(self, deal_id, created, amount, close, *moves, status="open", amounts=(), closes=()):
        """A deal with its later moves (day, stage) and changes (day, value); amount and close are the first ones."""
        rows = [(created, "Lead"), *moves]
        self.tables["stage_events"] += [
            {"deal_id": deal_id, "pipeline": "p", "stage": stage, "entered_at": f"{day} 10:00:00"}
            for day, stage in rows
            if stage != "removed"
        ]
        for field, first, later in (("amount", amount, amounts), ("expected_close", close, closes)):
            old = first
            for day, new in later:
                self.tables["deal_changes"].append(
                    {"deal_id": deal_id, "field": field, "old": old, "new": new, "changed_at": f"{day} 11:00:00"}
                )  # fmt: skip
                old = new
        self.tables["deals"].append(
            {"deal_id": deal_id, "created_at": f"{created} 10:00:00", "status": status,
             "closed_at": f"{rows[-1][0]} 10:00:00" if status != "open" else "", "pipeline": "p",
             "stage": rows[-1][1], "owner": "r1", "amount": amounts[-1][1] if amounts else amount,
             "expected_close": closes[-1][1] if closes else close}
        )  # fmt: skip
        return self


def one_of_each():
    """A deal for every step of the second quarter of 2026, and those that are in none."""
    export = Export()
    export.deal("stays", "2026-01-05", "100.10", "2026-05-01")
    export.deal("grows", "2026-01-05", "200", "2026-05-01", amounts=[("2026-05-02", "230.25")])
    export.deal("shrinks", "2026-01-05", "300", "2026-06-30", amounts=[("2026-05-02", "299.99")])
    export.deal("won", "2026-01-05", "1000", "2026-04-01", ("2026-06-30", "Won"), status="won")
    export.deal("won for more", "2026-01-05", "10", "2026-05-01", ("2026-05-20", "Won"), status="won",
                amounts=[("2026-05-19", "15")])  # fmt: skip
    export.deal("lost", "2026-01-05", "2000", "2026-05-01", ("2026-05-05", "Lost"), status="lost")
    export.deal("removed", "2026-01-05", "40", "2026-05-01", ("2026-05-05", "removed"), status="removed")  # fmt: skip
    export.deal("pushed", "2026-01-05", "50", "2026-05-01", closes=[("2026-06-01", "2026-07-01")])
    export.deal("date taken away", "2026-01-05", "51", "2026-05-01", closes=[("2026-06-01", "")])
    export.deal("pulled", "2026-01-05", "60", "2026-07-15", closes=[("2026-06-01", "2026-06-30")])
    export.deal("redated", "2026-01-05", "61", "2026-02-15", closes=[("2026-06-01", "2026-06-20")])
    export.deal("pulled, lost", "2026-01-05", "62", "2026-07-15", ("2026-06-05", "Lost"), status="lost",
                closes=[("2026-06-01", "2026-06-20")])  # fmt: skip
    export.deal("won early", "2026-01-05", "70", "2026-09-01", ("2026-05-05", "Won"), status="won")
    export.deal("new", "2026-04-01", "80", "2026-05-01")
    export.deal("new, grew", "2026-04-02", "81", "2026-05-01", amounts=[("2026-04-09", "91")])
    export.deal("new, won", "2026-04-02", "82", "2026-05-01", ("2026-04-20", "Won"), status="won")
    export.deal("new, lost", "2026-04-02", "83", "2026-05-01", ("2026-04-20", "Lost"), status="lost")  # fmt: skip
    export.deal("new, won, no date", "2026-04-02", "84", "", ("2026-04-20", "Won"), status="won")
    export.deal("back", "2026-01-05", "90", "2026-05-01", ("2026-02-01", "Lost"), ("2026-04-03", "Offer"))  # fmt: skip
    export.deal("back, won", "2026-01-05", "95", "2026-05-01", ("2026-02-01", "Lost"),
                ("2026-04-03", "Offer"), ("2026-04-08", "Won"), status="won")  # fmt: skip
    # in none of the steps
    export.deal("due later", "2026-01-05", "7", "2026-07-01")
    export.deal("due later, lost", "2026-01-05", "7", "2026-07-01", ("2026-05-05", "Lost"), status="lost")  # fmt: skip
    export.deal("no date", "2026-01-05", "7", "")
    export.deal("overdue", "2026-01-05", "7.5", "2026-03-31")
    export.deal("won before", "2026-01-05", "7", "2026-05-01", ("2026-03-31", "Won"), status="won")
    export.deal("taken back", "2026-01-05", "7", "2026-09-01",
                closes=[("2026-05-01", "2026-06-01"), ("2026-05-02", "2026-09-01")])  # fmt: skip
    export.deal("new, lost, no date", "2026-04-02", "7", "", ("2026-04-20", "Lost"), status="lost")
    export.deal("later", "2026-07-01", "7", "2026-06-01")
    return export.tables


BY_HAND = {  # step: deals and amount of each
    "start": {"stays": "100.10", "grows": "200", "shrinks": "300", "won": "1000", "won for more": "10",
              "lost": "2000", "removed": "40", "pushed": "50", "date taken away": "51"},
    "created": {"new": "80", "new, grew": "81", "new, won": "82", "new, lost": "83",
                "new, won, no date": "84"},
    "pulled_in": {"pulled": "60", "redated": "61", "pulled, lost": "62", "won early": "70"},
    "reopened": {"back": "90", "back, won": "95"},
    "increased": {"grows": "30.25", "won for more": "5", "new, grew": "10"},
    "decreased": {"shrinks": "-0.01"},
    "pushed_out": {"pushed": "-50", "date taken away": "-51"},
    "won": {"won": "-1000", "won for more": "-15", "won early": "-70", "new, won": "-82",
            "new, won, no date": "-84", "back, won": "-95"},
    "lost": {"lost": "-2000", "pulled, lost": "-62", "new, lost": "-83"},
    "removed": {"removed": "-40"},
    "end": {"stays": "100.10", "grows": "230.25", "shrinks": "299.99", "pulled": "60", "redated": "61",
            "new": "80", "new, grew": "91", "back": "90"},
}  # fmt: skip


def test_a_deal_of_every_step_by_hand(see):
    """
    Each step holds the deals it must, at the amounts it must, and no other deal is in the accounting.
    """
    seen = see(one_of_each(), "2026-08-15")

    lines = pipeline.waterfall_deals(seen, Q2)
    table = pipeline.waterfall(seen, Q2)

    for step, wanted in BY_HAND.items():
        part = lines[lines["step"] == step]
        assert dict(zip(part["deal_id"], units(part["amount"]), strict=True)) == dict(
            zip(wanted, units(wanted.values()), strict=True)
        ), step
    assert set(lines["step"]) == BY_HAND.keys()
    sums = [sum(map(Decimal, wanted.values())) for wanted in BY_HAND.values()]
    assert sum(sums[:-1]) == sums[-1]
    assert table["step"].tolist() == list(BY_HAND)
    assert units(table["amount"]) == units(sums)
    assert table["n_deals"].tolist() == [len(wanted) for wanted in BY_HAND.values()]
    assert table["n_change"].tolist() == [9, 5, 4, 2, 0, 0, -2, -6, -3, -1, 8]
    assert set(table["first_on"]) == {D(2026, 3, 31)}
    assert set(table["last_on"]) == {D(2026, 6, 30)}


def test_lines_say_where_a_deal_came_from_and_went(see):
    """
    Amounts and dates before and after, the status at the end, the owner; largest amounts first in a step.
    """
    seen = see(one_of_each(), "2026-08-15")

    lines = pipeline.waterfall_deals(seen, Q2)

    row = lines[(lines["deal_id"] == "pulled, lost") & (lines["step"] == "lost")].iloc[0]
    assert row["status"] == "lost"
    assert (row["close_before"], row["close_after"]) == (pd.Timestamp(2026, 7, 15), pd.Timestamp(2026, 6, 20))  # fmt: skip
    assert (row["amount_before"], row["amount_after"], row["name"]) == (62, 62, "r1")
    new = lines[(lines["deal_id"] == "new, grew") & (lines["step"] == "created")].iloc[0]
    assert pd.isna(new["close_before"])
    assert (new["amount_before"], new["amount_after"]) == (81, 91)
    assert lines.loc[lines["step"] == "won", "deal_id"].tolist()[:2] == ["won", "back, won"]


def test_a_quarter_still_running_ends_today_and_one_to_come_has_not_moved(see):
    """
    The end is as known on the as-of date; a quarter not begun holds now what it starts with.
    """
    seen = see(one_of_each(), "2026-05-10")
    running = pipeline.waterfall(seen, Q2).set_index("step")
    coming = pipeline.waterfall(seen, Period("2026-Q3", D(2026, 7, 1), D(2026, 9, 30)))

    assert set(running["last_on"]) == {D(2026, 5, 10)}
    assert running.loc["start", "n_deals"] == 9
    assert running.loc["lost", "amount"] == -2083
    assert running.loc["pushed_out", "n_deals"] == 0
    amounts = dict(zip(coming["step"], coming["amount"], strict=True))
    assert amounts["start"] == amounts["end"] == 60 + 62 + 7 + 7
    assert [amounts[step] for step in pipeline.STEPS[1:-1]] == [0.0] * 9
    assert set(coming["first_on"]) == set(coming["last_on"]) == {D(2026, 5, 10)}


def test_before_the_first_deal_nothing_was_known(see):
    """
    A period that begins before the company's first deal starts with nothing.
    """
    seen = see(one_of_each(), "2026-08-15")

    table = pipeline.waterfall(seen, Period("2026-Q1", D(2026, 1, 1), D(2026, 3, 31)))

    assert table.set_index("step").loc["start", "n_deals"] == 0
    *moves, end = units(table["amount"])
    assert sum(moves) == end == units([7.5])[0] + units([61])[0]


def test_deals_that_their_date_keeps_out_are_counted_apart(see):
    """
    Open deals without a date, and with one before the period, at its start and its end.
    """
    seen = see(one_of_each(), "2026-08-15")

    table = pipeline.apart(seen, Q2).set_index("kind")

    assert table.loc["no_date"].tolist() == [1, 7.0, 2, 58.0]  # at the end with "date taken away"
    assert table.loc["overdue"].tolist() == [2, 68.5, 1, 7.5]  # at the start with "redated"


def test_slips_and_coverage_by_hand(see):
    """
    Nine deals were due at the start; won, lost and removed ones are not slipped; yield is all that was won by the pipeline.
    """
    seen = see(one_of_each(), "2026-08-15")

    slipped = pipeline.slips(seen, quarters=2)
    table = pipeline.coverage(seen, quarters=2, week=0)

    assert slipped["quarter"].tolist() == ["2026-Q2"]  # nothing was due at the start of the first
    row = slipped.iloc[0]
    counts = ["n_deals", "n_won", "n_lost", "n_removed", "n_slipped", "amount", "amount_slipped"]
    assert row[counts].tolist() == [9, 2, 1, 1, 5, 3751.10, 701.10]
    assert_allclose(row[["slipped_rate", "won_rate"]].astype(float), [5 / 9, 2 / 9])
    assert table["quarter"].tolist() == ["2026-Q2", "2026-Q3"]
    past, now = table.iloc[0], table.iloc[1]
    assert past[["n_open", "n_from", "n_other", "n_booked"]].tolist() == [9, 2, 4, 0]
    assert past[["amount_from", "amount_other"]].tolist() == [1015, 331]
    assert_allclose(past["yield_ratio"], (1015 + 331) / 3751.10)
    assert now["n_open"] == 3  # pushed, due later, and the one that was taken back
    assert np.isnan(now["yield_ratio"])
    assert np.isnan(now["coverage"])  # there is no quota


def test_quarters_from_before_closings_are_recorded_are_left_out(see):
    """
    Where early closings are missing, all deals look as if they had slipped: such a quarter is not shown.
    """
    export = Export()
    for number in range(30):
        export.deal(f"early {number}", "2025-09-10", "10", "2025-11-15", ("2026-02-01", "Lost"), status="lost",
                    closes=[("2025-09-20", "2025-11-20")])  # fmt: skip
        export.deal(f"later {number}", "2026-02-05", "10", "2026-05-15", ("2026-04-15", "Lost"), status="lost")  # fmt: skip
        export.deal(f"quick {number}", "2026-02-05", "10", "2026-02-15", ("2026-02-09", "Won"), status="won")  # fmt: skip
    seen = see(export.tables, "2026-08-15")

    assert quality.truncated_before(seen) == pd.Timestamp(2026, 2, 1)
    assert pipeline.slips(seen, quarters=4)["quarter"].tolist() == ["2026-Q2"]
    looked = pipeline.coverage(seen, quarters=4, week=0)
    assert looked["quarter"].tolist() == ["2026-Q2", "2026-Q3"]
    assert pipeline.wins(seen, quarters=4)["quarter"].tolist() == ["2026-Q2"]


def test_pushes_by_hand(see):
    """
    Only moves to a later day count; closed deals of the last year only; the rate is won of won and lost.
    """
    export = Export()
    export.deal("o0", "2026-01-05", "10", "2026-07-01", closes=[("2026-02-01", "2026-06-01")])
    export.deal("o2", "2026-01-05", "20", "2026-05-01",
                closes=[("2026-02-01", "2026-06-01"), ("2026-03-01", "2026-07-01")])  # fmt: skip
    export.deal("o3", "2026-01-05", "40", "2026-05-01",
                closes=[(f"2026-0{k}-01", f"2026-0{k + 4}-01") for k in (2, 3, 4)])  # fmt: skip
    export.deal("w0", "2026-01-05", "1", "2026-05-01", ("2026-03-01", "Won"), status="won")
    export.deal("w1", "2026-01-05", "1", "2026-05-01", ("2026-03-01", "Won"), status="won",
                closes=[("2026-02-01", "2026-06-01")])  # fmt: skip
    export.deal("l0", "2026-01-05", "1", "2026-05-01", ("2026-03-01", "Lost"), status="lost")
    export.deal("l0b", "2026-01-05", "1", "2026-05-01", ("2026-03-01", "Lost"), status="lost")
    export.deal("gone", "2026-01-05", "1", "2026-05-01", ("2026-03-01", "removed"), status="removed")  # fmt: skip
    export.deal("old", "2025-01-05", "1", "2025-05-01", ("2025-06-30", "Won"), status="won")
    seen = see(export.tables, "2026-06-30")

    table = pipeline.pushes(seen)

    assert table["pushes"].tolist() == ["0", "1", "2+"]
    assert table["n_open"].tolist() == [1, 0, 2]
    assert table["open_amount"].tolist() == [10, 0, 60]
    assert table["n_won"].tolist() == [1, 1, 0]
    assert table["n_lost"].tolist() == [2, 0, 0]
    assert_allclose(table["open_share"], [1 / 3, 0, 2 / 3])
    assert_allclose(table["won_share"], [0.5, 0.5, 0])
    assert_allclose(table["closed_rate"], [1 / 3, 1, np.nan])
    assert_allclose(table[["closed_rate_low", "closed_rate_high"]].iloc[0], plain.wilson(1, 3))


def quotas(*rows):
    """Team quotas (team, first, last, value), and one of a person that must not be added."""
    keys = ("holder_id", "period_start", "period_end", "value")
    teams = [dict(zip(keys, row, strict=True)) | {"holder_type": "team"} for row in rows]
    person = teams[0] | {"holder_type": "person", "holder_id": "r1", "value": "99999"}
    return [row | {"measure": "amount"} for row in (*teams, person)]


def test_coverage_is_pipeline_by_what_is_left_of_the_quota(see):
    """
    Team quotas together, less what is booked; the pipeline of a past quarter at the same week.
    """
    tables = one_of_each() | {
        "quotas": quotas(
            ("North", "2026-04-01", "2026-06-30", "3000"),
            ("South", "2026-04-01", "2026-06-30", "1000"),
            ("North", "2026-01-01", "2026-03-31", "500"),
        )
    }
    seen = see(tables, "2026-05-10")

    table = pipeline.coverage(seen, quarters=1)

    now = table.iloc[-1]
    assert table.iloc[0]["seen_on"] == D(2026, 2, 4)  # 40 days into the quarter: five whole weeks
    assert now["seen_on"] == D(2026, 5, 10)
    assert now["quota"] == 4000
    assert now["amount_booked"] == 70 + 82 + 84 + 95
    assert now["remaining_quota"] == 4000 - 331
    still_due = (100.10, 230.25, 299.99, 1000, 10, 50, 51, 80, 91, 90)  # one is removed by then
    assert_allclose(now["amount_open"], sum(still_due))
    assert_allclose(now["coverage"], now["amount_open"] / 3669)
    assert pipeline.required(table)["required_amount"].notna().all()


def test_a_quota_that_is_reached_needs_no_coverage(see):
    """
    Where nothing remains the coverage is n/a and no pipeline is required.
    """
    tables = one_of_each() | {"quotas": quotas(("North", "2026-04-01", "2026-06-30", "300"))}
    seen = see(tables, "2026-05-10")

    need = pipeline.required(pipeline.coverage(seen)).iloc[0]

    assert need["remaining_quota"] == -31
    assert np.isnan(need["coverage"])
    assert need["required_amount"] == 0


def test_wins_of_past_quarters_stand_beside_their_quota(see):
    """
    Won by day of closing, as known now; none from before the first deal, a quarter without a win is 0.
    """
    export = Export()
    export.deal("a", "2025-11-05", "10", "2026-05-01", ("2025-12-31", "Won"), status="won")
    export.deal("b", "2026-01-05", "20", "2026-05-01", ("2026-04-01", "Won"), status="won")
    export.deal("c", "2026-01-05", "30", "2026-05-01", ("2026-06-30", "Won"), status="won")
    export.deal("d", "2026-01-05", "", "2026-05-01", ("2026-06-30", "Won"), status="won")
    export.deal("e", "2026-01-05", "50", "2026-05-01", ("2026-07-01", "Won"), status="won")
    export.tables["quotas"] = quotas(("North", "2026-01-01", "2026-06-30", "1810"))
    del export.tables["deal_changes"]  # it needs no history of dates
    seen = see(export.tables, "2026-07-15")

    table = pipeline.wins(seen, quarters=6)

    assert table["quarter"].tolist() == ["2025-Q4", "2026-Q1", "2026-Q2"]
    assert table["n_won"].tolist() == [1, 0, 3]
    assert table["amount_won"].tolist() == [10, 0, 50]
    assert_allclose(table["quota"], [np.nan, 900, 910])  # 90 and 91 of the 181 days


def test_quotas_of_teams_are_those_of_the_other_pages(look):
    """
    Of each quarter the sum that `credit.quotas` gives its teams.
    """
    seen, _ = look

    table = pipeline.coverage(seen, quarters=4)

    for row in table.itertuples():
        asked = credit.quotas(seen, period(row.quarter, as_of=D(2026, 12, 31)), whole=True)
        asked = asked.loc[asked["holder_type"] == "team", "quota"]
        assert_allclose(row.quota, asked.sum() if len(asked) else np.nan)


def table_of(yields):
    """A coverage table with such yields, the current quarter last."""
    rows = [{"quarter": f"q{k}", "is_current": False, "yield_ratio": y} for k, y in enumerate(yields)]  # fmt: skip
    rows.append({"quarter": "now", "is_current": True, "yield_ratio": np.nan, "coverage": 1.5,
                 "amount_open": 600.0, "n_open": 6, "amount_booked": 0.0, "quota": 400.0, "remaining_quota": 400.0})  # fmt: skip
    return pd.DataFrame(rows)


def test_required_coverage_is_one_by_the_mean_past_yield():
    """
    Yields of .25, .5 and .3 ask for 2 to 4 times the quota, 1/.35 on the mean; a quarter without one has no upper bound.
    """
    row = pipeline.required(table_of([0.25, 0.5, 0.3])).iloc[0]

    names = ["required_coverage", "required_coverage_low", "required_coverage_high"]
    assert_allclose(row[names].astype(float), [1 / 0.35, 2, 4])
    assert_allclose(row["required_amount"], 400 / 0.35)
    assert (row["quarter"], row["n_quarters"], row["coverage"]) == ("now", 3, 1.5)
    none = pipeline.required(table_of([0.0])).iloc[0]
    assert none[names].isna().all()
    assert pipeline.required(table_of([]).iloc[:0]).empty
    assert np.isnan(pipeline.required(table_of([])).iloc[0]["required_coverage"])


# ---- what a source cannot give --------------------------------------------------------------------------------------


def without(tables, *, closes=True, amounts=True):
    """The same export without expected close dates or amounts."""
    gone = (set() if closes else {"expected_close"}) | (set() if amounts else {"amount"})
    deals = [{k: v for k, v in row.items() if k not in gone} for row in tables["deals"]]
    changes = [row for row in tables["deal_changes"] if row["field"] not in gone]
    return tables | {"deals": deals, "deal_changes": changes}


@pytest.fixture
def nothing_said():
    """
    Every table of the module without a row.
    """

    def check(seen, *, n_coverage):
        for table in (
            pipeline.waterfall(seen, Q2),
            pipeline.waterfall_deals(seen, Q2),
            pipeline.apart(seen, Q2),
            pipeline.slips(seen),
            pipeline.pushes(seen),
        ):
            assert table.empty
            assert len(table.columns) > 3
        assert len(pipeline.coverage(seen)) == n_coverage

    return check


def test_without_dates_nothing_is_said(see, nothing_said):
    """
    A source without expected close dates has no pipeline of a quarter.
    """
    seen = see(without(one_of_each(), closes=False), "2026-08-15")

    assert pipeline.why_not(seen) == "no_close_date"
    nothing_said(seen, n_coverage=0)


def test_without_a_history_of_dates_nothing_is_said_of_the_past(see, nothing_said):
    """
    The date of the export is known on its own day only: then the present pipeline, else nothing.
    """
    tables = one_of_each()
    changes = [row for row in tables["deal_changes"] if row["field"] == "amount"]
    tables |= {"deal_changes": changes}
    then, now = see(tables, "2026-08-15"), see(tables, "2026-08-15", extracted_on="2026-08-15")

    assert pipeline.why_not(then) == pipeline.why_not(now) == "no_close_history"
    nothing_said(then, n_coverage=0)
    nothing_said(now, n_coverage=1)
    assert pipeline.coverage(now).iloc[0]["n_open"] == 3  # due later, pushed and taken back
    assert np.isnan(pipeline.required(pipeline.coverage(now)).iloc[0]["required_coverage"])


def test_without_amounts_deals_are_counted(see):
    """
    Deals balance, amounts are NaN, and the yield is of deals.
    """
    seen = see(without(one_of_each(), amounts=False), "2026-08-15")

    table = pipeline.waterfall(seen, Q2)
    past = pipeline.coverage(seen, quarters=2, week=0).iloc[0]

    assert table["n_change"].tolist() == [9, 5, 4, 2, 0, 0, -2, -6, -3, -1, 8]
    assert table["amount"].isna().all()
    assert_allclose(past["yield_ratio"], 6 / 9)
    assert np.isnan(past["amount_open"])
    assert pipeline.slips(seen)["amount"].isna().all()


@pytest.mark.parametrize("quarters", [0, -1, 1.5])
def test_a_number_of_quarters_that_is_none_is_refused(see, quarters):
    """
    Quarters are counted from 1 on.
    """
    seen = see(one_of_each(), "2026-08-15")

    for table in (pipeline.slips, pipeline.coverage):
        with pytest.raises(ParameterError, match="whole number from 1 on, found"):
            table(seen, quarters=quarters)


# ---- deals beside their chances -------------------------------------------------------------------------------------


def chances(seen):
    """Chances as a forecast gives them, of all open deals."""
    open_deals = seen.frame("SELECT deal_key, stage, amount FROM deals WHERE status = 'open' ORDER BY 1")  # fmt: skip
    n = len(open_deals)
    return open_deals.assign(win_share=np.linspace(0.05, 0.5, n), win_share_next=0.1, stage="Lead")


def test_open_deals_stand_by_what_they_bring_with_their_dates(see):
    """
    In the order given, amount × chance beside; due this quarter, later, overdue or without a date; the stage is today's
    where the forecast knows none.
    """
    seen = see(one_of_each(), "2026-05-10")
    given = chances(seen)[::-1].assign(stage=["Offer", *[None] * 16])

    table = pipeline.open_deals(seen, given)

    assert len(table) == 17
    assert_allclose(table["expected_amount"], table["amount"] * table["win_share"])
    assert table["deal_key"].tolist() == given["deal_key"].tolist()
    assert (
        table["stage"].isna().sum() == 16
    )  # with a history the stage is known to the forecast or not at all
    due = dict(zip(table["deal_id"], table["due"], strict=True))
    assert due["stays"] == "this" and due["due later"] == "later"
    assert due["overdue"] == "overdue" and due["no date"] == "no_date"


def test_a_range_is_widened_about_the_median_but_not_below_what_is_booked():
    """
    The company's half-widths × the factor, both ranges; teams keep theirs, and a factor of 1 changes nothing.
    """
    totals = pd.DataFrame(
        {"team": ["", "", "North", None], "booked": [0.0, 80.0, 0.0, 0.0], "median": 100.0, "low80": 90.0,
         "high80": 120.0, "low95": 80.0, "high95": 140.0, "quota": np.nan, "reach_quota_share": np.nan}
    )  # fmt: skip

    wide = pipeline.widened(totals, 2.0)

    assert wide["low80"].tolist() == [70, 80, 90, 90]
    assert wide["high80"].tolist() == [130, 130, 120, 120]
    assert wide["low95"].tolist() == [40, 80, 80, 80]
    assert wide["high95"].tolist() == [160, 160, 140, 140]
    pd.testing.assert_frame_equal(pipeline.widened(totals, 1.0), totals)
    assert totals["low80"].tolist() == [90] * 4


def test_to_decide_are_the_largest_due_deals_with_a_small_chance():
    """
    Due in the quarter, below the limit, largest amount first; no deal without an amount.
    """
    table = pd.DataFrame(
        {"deal_key": [1, 2, 3, 4, 5, 6], "due": ["this", "this", "later", "this", "this", "overdue"],
         "amount": [10.0, 30.0, 99.0, 20.0, np.nan, 99.0], "win_share": [0.1, 0.19, 0.1, 0.2, 0.1, 0.1],
         "n_pushes": 0}
    )  # fmt: skip

    assert pipeline.to_decide(table, win_share=0.2)["deal_key"].tolist() == [2, 1]
    assert pipeline.to_decide(table, win_share=0.2, most=1)["deal_key"].tolist() == [2]
    for share in (0, 1, -0.1):
        with pytest.raises(ParameterError, match="between 0 and 1"):
            pipeline.to_decide(table, win_share=share)


@pytest.mark.parametrize(
    ("quota", "share"),
    [(100.0, 0.5), (80.0, 0.9), (120.0, 0.1), (110.0, 0.2608), (40.0, 0.9999), (5.0, 1.0)],
)
def test_the_chance_to_reach_the_quota_is_that_of_the_widened_range(quota, share):
    """
    At the median half of the futures reach it, at the widened 10 % and 90 % quantiles nine and one in ten, between
    them by normal scores (z = .6408 half way up); what is booked is reached.
    """
    row = {
        "team": "", "booked": 10.0, "median": 100.0, "low80": 90.0, "high80": 110.0, "low95": 85.0,
        "high95": 115.0, "quota": quota, "reach_quota_share": 0.0,
    }  # fmt: skip
    totals = pd.DataFrame([row, row | {"team": "North"}])

    wide = pipeline.widened(totals, 2.0)

    assert wide.loc[0, "reach_quota_share"] == pytest.approx(share, abs=1e-3)
    assert wide.loc[1, "reach_quota_share"] == 0.0
    assert pipeline.widened(totals, 1.0).equals(totals)


@pytest.mark.parametrize(
    ("median", "is_reached"), [(999.0, False), (1000.0, True), (np.nan, False)]
)
def test_a_quota_is_reached_where_half_of_the_futures_are_at_it(median, is_reached):
    """
    The company's row of the current quarter counts, not a team's or the next quarter's; without a forecast it is not said.
    """
    totals = pd.DataFrame(
        {"team": ["", "North", ""], "median": [median, 5e3, 5e3], "quota": 1000.0}
    )
    table = table_of([0.25])

    assert pipeline.required(table, totals).iloc[0]["is_reached"] == is_reached
    assert not pipeline.required(table).iloc[0]["is_reached"]
    assert not pipeline.required(table, totals.head(0)).iloc[0]["is_reached"]
