"""What to do first: each worth by hand, its range, who and by when; the order; and no action without a number."""

import datetime
import math
from types import SimpleNamespace

import pandas as pd
import pytest

from salesanalysis.metrics import actions

AS_OF = "2026-06-30"
QUARTER = 365.25 / 4
NAN = math.nan
CHANGE = SimpleNamespace(by="team", treated=("N",), control=("S", "W"), changed_on=datetime.date(2025, 9, 1), problem=None)  # fmt: skip
TEAMS = [{"person_id": name.lower(), "name": name, "team": name} for name in "NSW"]


def deals(n, status, closed="", *, created="2026-01-10", **cells):
    """Deals that all went the same way."""
    first = f"{status} {closed} {created} {sorted(cells.items())}"
    row = {"created_at": f"{created} 09:00:00", "status": status, "amount": "100"} | cells
    row |= {"closed_at": f"{closed} 12:00:00"} if closed else {}
    return [row | {"deal_id": f"{first}-{number}"} for number in range(n)]


def company(see, *more, **settings):
    """
    N, S and W with deals of the last 365 days: S is given 20, of which 4 are won at 100 and 300, W 10; one of S a day
    too old, one win of N at 999 that is not theirs.
    """
    rows = deals(16, "lost", "2026-03-01", owner="s") + deals(2, "won", "2026-03-01", owner="s")
    rows += deals(2, "won", "2026-03-01", owner="s", amount="300")
    rows += deals(10, "lost", "2026-03-02", owner="w")
    rows += deals(1, "lost", "2026-03-02", owner="s", created="2025-06-30")
    rows += deals(1, "won", "2026-03-02", owner="n", amount="999")
    rows += deals(1, "open", owner="n", created="2025-01-01")
    return see({"deals": [*rows, *more], "people": TEAMS}, AS_OF, **settings)


def measured(verdict="against_control", *, effect=(0.2, 0.1, 0.3), is_better=True, early=False):
    """Measures of a change with this effect on the win rate, and one of the cycle that must not count."""
    value, low, high = effect
    row = {
        "measure": "win_rate",
        "verdict": verdict,
        "is_better": is_better,
        "is_provisional": early,
    }
    row |= {"against_control": value, "against_control_low": low, "against_control_high": high}
    other = row | {"measure": "cycle", "verdict": "against_control", "against_control": -9.0}
    return pd.DataFrame([other, row])


def one(table):
    """The only action of a table."""
    assert len(table) == 1
    return table.iloc[0]


def test_rolling_a_change_out_by_hand(see):
    """
    S and W were given 30 deals in the last 365 days, 30 x 91.3125 / 365 a quarter; the mean of their four wins is 200:
    20 points more (10 to 30) are worth that often. By the end of the next month.
    """
    row = one(actions.by_worth(company(see), change=CHANGE, impact=measured()))

    each = 30 * QUARTER / 365 * 200
    assert (row["action"], row["kind"], row["unit"], row["page"]) == ("roll_out", "gain", "amount", "change_impact")  # fmt: skip
    assert row[["worth", "worth_low", "worth_high"]].tolist() == pytest.approx([0.2 * each, 0.1 * each, 0.3 * each])  # fmt: skip
    assert (row["who"], row["groups"], row["what"]) == ("head", ("S", "W"), "team")
    assert row["n"] == pytest.approx(30 * QUARTER / 365)
    assert row["due_on"] == pd.Timestamp("2026-07-31")
    assert row["sure"] == "control"


def test_a_change_for_the_worse_is_undone_where_it_was_made(see):
    """The effect with its sign turned, and its limits the other way round, on the deals of the treated."""
    impact = measured(effect=(-0.2, -0.3, -0.1), is_better=False, early=True)

    row = one(actions.by_worth(company(see), change=CHANGE, impact=impact))

    each = 1 * QUARTER / 365 * 999
    assert row["action"] == "go_back"
    assert row["groups"] == ("N",)
    assert row[["worth", "worth_low", "worth_high"]].tolist() == pytest.approx([0.2 * each, 0.1 * each, 0.3 * each])  # fmt: skip
    assert row["sure"] == "control_early"


@pytest.mark.parametrize("verdict", ["not_estimable", "artefact_possible", "no_change", "cause_open"])  # fmt: skip
def test_a_change_that_is_not_shown_against_others_is_not_rolled_out(see, verdict):
    """Anything but the last verdict gives no action."""
    assert actions.by_worth(company(see), change=CHANGE, impact=measured(verdict)).empty


def test_records_shorter_than_a_year_are_taken_as_long_as_they_are(see):
    """With 100 days of records the 20 deals given in them are 20 x 91.3125 / 100 a quarter."""
    rows = deals(20, "won", "2026-05-01", owner="s", created="2026-03-23")
    seen = see({"deals": rows, "people": TEAMS}, AS_OF)

    row = one(actions.by_worth(seen, change=CHANGE, impact=measured()))

    assert row["n"] == pytest.approx(20 * QUARTER / 100)


def test_groups_of_another_kind_than_teams(see):
    """By segment the deals are those of the segment."""
    rows = deals(20, "lost", "2026-05-01", segment="B", created="2025-01-01")
    rows += deals(10, "won", "2026-05-01", segment="B", amount="50")
    rows += deals(10, "won", "2026-05-01", segment="A", amount="70")
    change = SimpleNamespace(by="segment", treated=("A",), control=("B",), problem=None)

    row = one(actions.by_worth(see({"deals": rows}, AS_OF), change=change, impact=measured()))

    assert row["worth"] == pytest.approx(0.2 * 10 * QUARTER / 365 * 50)


def levers(**columns):
    """Two stages; the second most likely gains most, the first has the larger gain drawn."""
    table = {"stage": ["A", "B"], "top_share": [0.4, 0.6], "gain_per_month": [3.0, 2.0], "gain_low": [0.0, 1.0],
             "gain_high": [9.0, 4.0], "amount_per_month": [600.0, 400.0], "benchmark_groups": ["S", "N, S"],
             "leads_per_month": [50.0, 50.0]}  # fmt: skip
    return pd.DataFrame(table | columns)


def test_the_stage_that_most_likely_gains_most(see):
    """Three months of it, in money by the mean amount; it is about the teams that do not reach the benchmark."""
    more = deals(1, "open", owner="s") + deals(1, "open", owner="w")
    row = one(actions.by_worth(company(see, *more), levers=levers()))

    assert (row["action"], row["what"], row["sure"], row["sure_share"]) == (
        "lever",
        "B",
        "top",
        0.6,
    )
    assert row[["worth", "worth_low", "worth_high"]].tolist() == pytest.approx([1200, 600, 2400])
    assert (row["groups"], row["who"]) == (("W",), "managers")
    assert row["due_on"] == pd.Timestamp("2026-07-14")


def test_a_stage_without_amounts_is_worth_wins(see):
    """Where no amount is known the worth is a number of wins."""
    row = one(actions.by_worth(company(see), levers=levers(amount_per_month=[NAN, NAN])))

    assert (row["unit"], row["worth"]) == ("count", pytest.approx(6.0))


@pytest.mark.parametrize(
    "columns",
    [{"top_share": [NAN, NAN]}, {"gain_per_month": [0.0, 0.0], "amount_per_month": [0.0, 0.0]}],
)
def test_a_stage_that_gains_nothing_is_no_action(see, columns):
    """Neither is one of which nothing is known."""
    assert actions.by_worth(company(see), levers=levers(**columns)).empty


def test_the_segment_whose_extra_wins_bring_most(see):
    """Three months of the largest extra amount; one without an extra win is passed over."""
    table = pd.DataFrame(
        {"kind": ["source", "segment", "product"], "group": ["Fair", "big", "X"], "q_value": [0.001, 0.01, 0.02],
         "extra_wins_per_month": [NAN, 2.0, 3.0], "extra_wins_low": [NAN, 1.0, 1.0], "extra_wins_high": [NAN, 3.0, 5.0],
         "extra_amount_per_month": [NAN, 800.0, 300.0], "mean_won_amount": [50.0, 400.0, 100.0],
         "new_deals_per_month": [40.0, 40.0, 40.0], "share_now": [0.1, 0.2, 0.3]}
    )  # fmt: skip

    row = one(actions.by_worth(company(see), opportunities=table))

    assert (row["action"], row["what"], row["groups"], row["sure_share"]) == ("opportunity", "segment", ("big",), 0.01)  # fmt: skip
    assert row[["worth", "worth_low", "worth_high"]].tolist() == pytest.approx([2400, 1200, 3600])
    assert row["n"] == pytest.approx(24)


def open_deals():
    """
    Twenty of 10, and five of 1,000 to be told apart: the first two are due and hardly won, the third is due later, the
    fourth has a chance of 20 %, the fifth no date.
    """
    small = pd.DataFrame({"amount": [10.0] * 20, "win_share": 0.1, "win_share_next": 0.1, "due": "this", "team": "N"})  # fmt: skip
    large = pd.DataFrame(
        {"amount": [1000.0, 1000.0, 1000.0, 1000.0, 1000.0], "win_share": [0.1, 0.15, 0.1, 0.2, 0.1],
         "win_share_next": [0.1, 0.05, 0.1, 0.1, 0.1], "due": ["this", "overdue", "later", "this", "no_date"],
         "team": ["S", None, "S", "S", "S"]}
    )  # fmt: skip
    return pd.concat([small, large], ignore_index=True)


def test_large_deals_that_are_due_and_hardly_won(see):
    """
    Of two deals of 1,000 at 20 % each 400 is at stake, give or take 1.96 times the root of 2 x 1,000² x 0.2 x 0.8; the
    range is cut at 0 and at 2,000.
    """
    row = one(actions.by_worth(company(see), open_deals=open_deals()))

    half = 1.959963984540054 * math.sqrt(2 * 1000**2 * 0.16)
    assert half > 400
    assert row[["worth", "worth_low", "worth_high"]].tolist() == pytest.approx([400, 0, 400 + half])
    assert (row["action"], row["kind"], row["n"], row["groups"]) == ("decide", "at_stake", 2, ("S",))  # fmt: skip
    assert row["due_on"] == pd.Timestamp("2026-07-14")
    assert row["worth_high"] <= 2000


def test_a_single_deal_is_not_at_stake_for_more_than_its_amount(see):
    """One deal of 1,000 at 90 % in the next quarter: the range ends at 1,000."""
    table = pd.DataFrame({"amount": [1000.0], "win_share": [0.0], "win_share_next": [0.9], "due": ["this"], "team": ["S"]})  # fmt: skip

    row = one(actions.by_worth(company(see), open_deals=table))

    assert (row["worth"], row["worth_high"]) == (900, 1000)


def required(**columns):
    """A remaining quota of 1,000, 2,000 of pipeline, and past yields of 1/4, at most 1/2, at least 1/10."""
    row = {"required_coverage": 4.0, "required_coverage_low": 2.0, "required_coverage_high": 10.0,
           "remaining_quota": 1000.0, "amount_open": 2000.0, "n_open": 12, "is_reached": False}  # fmt: skip
    return pd.DataFrame([row | columns])


def test_what_the_pipeline_lacks_at_past_yields(see):
    """2,000 bring 500 of 1,000 at the mean yield, all of it at the highest, 200 at the lowest."""
    row = one(actions.by_worth(company(see), required=required()))

    assert (row["action"], row["kind"], row["n"]) == ("build_pipeline", "missing", 12)
    assert row[["worth", "worth_low", "worth_high"]].tolist() == [500, 0, 800]


def test_after_a_quarter_without_a_yield_all_of_the_quota_may_lack(see):
    """The upper end is then the whole remaining quota."""
    row = one(actions.by_worth(company(see), required=required(required_coverage_high=NAN)))

    assert row["worth_high"] == 1000


@pytest.mark.parametrize(
    "columns",
    [{"amount_open": 4000.0}, {"remaining_quota": NAN}, {"required_coverage": NAN}, {"remaining_quota": -5.0}],
)  # fmt: skip
def test_enough_pipeline_or_no_target_is_no_action(see, columns):
    """Pipeline that suffices, and one of which that is not known, give nothing to do."""
    assert actions.by_worth(company(see), required=required(**columns)).empty


def test_where_the_forecast_reaches_the_target_no_pipeline_lacks(see):
    """The company's own rates say more than the mean yield of older quarters: the page does not ask for both."""
    assert actions.by_worth(company(see), required=required(is_reached=True)).empty


FINDINGS = pd.DataFrame({"kind": ["reopened", "older_than_any_closed"], "n_rows": [3, 2]})


def test_old_open_deals_that_the_figures_count_on(see):
    """
    Closed are 5 won and 27 lost, the slowest after 245 days; of the open ones two are older: 400, and one without an
    amount that counts the mean of the won, 1,799 / 5. Of both 5/32 is counted on. No range; one as old is not among them.
    """
    more = deals(1, "open", created="2025-05-01", amount="") + deals(
        1, "open", created="2025-10-28"
    )
    seen = company(see, *more)
    longest = seen.frame("SELECT max(exit_age) AS days FROM deals WHERE cause IN (1, 2)")["days"].iloc[0]  # fmt: skip
    assert longest == 245

    row = one(actions.by_worth(seen, findings=FINDINGS))

    assert (row["action"], row["kind"], row["n"], row["who"]) == ("clean", "overstated", 2, "operations")  # fmt: skip
    assert row["worth"] == pytest.approx(5 / 32 * (100 + 1799 / 5))
    assert math.isnan(row["worth_low"])


def test_without_lost_deals_or_the_finding_there_is_nothing_to_clean(see):
    """A source that records no loss does not say how many open deals are lost."""
    rows = deals(5, "won", "2026-02-01") + deals(2, "open", created="2020-01-01")

    assert actions.by_worth(see({"deals": rows}, AS_OF), findings=FINDINGS).empty
    assert actions.by_worth(company(see), findings=FINDINGS.head(1)).empty


def test_the_largest_worth_comes_first_money_on_paper_last(see):
    """
    By worth; what is counted on too much comes after all others however large, and wins come after money.
    """
    old = deals(1, "open", created="2020-01-01", amount="9999999")
    tables = {"change": CHANGE, "impact": measured(), "open_deals": open_deals(), "required": required()}  # fmt: skip
    table = actions.by_worth(company(see, *old), findings=FINDINGS, levers=levers(amount_per_month=[NAN, NAN]), **tables)  # fmt: skip

    assert table["action"].tolist() == ["build_pipeline", "decide", "roll_out", "lever", "clean"]
    assert table["worth"].iloc[:3].is_monotonic_decreasing
    assert table["worth"].iloc[-1] > table["worth"].iloc[0]


def test_without_any_table_there_is_no_action(see):
    """No number, no action; the columns are there all the same."""
    empty = pd.DataFrame()
    table = actions.by_worth(company(see), change=CHANGE, impact=empty, levers=empty, opportunities=empty,
                             open_deals=empty, required=empty, findings=empty)  # fmt: skip

    assert table.empty
    assert {"action", "worth", "who", "due_on"} <= set(table.columns)
    assert actions.by_worth(company(see)).empty


def test_without_amounts_a_change_is_worth_wins(see):
    """A source of deals without amounts counts wins: effect times deals."""
    rows = deals(20, "lost", "2026-03-01", owner="s", amount="") + deals(5, "won", "2026-03-01", owner="s", amount="")  # fmt: skip
    rows += deals(1, "open", owner="n", created="2025-01-01", amount="")

    seen = see({"deals": rows, "people": TEAMS}, AS_OF)
    table = actions.by_worth(seen, change=CHANGE, impact=measured(), open_deals=open_deals(), required=required())  # fmt: skip

    row = table.set_index("action").loc["roll_out"]
    assert (row["unit"], row["worth"]) == ("count", pytest.approx(0.2 * 25 * QUARTER / 365))
    assert table["action"].tolist() == [
        "roll_out"
    ]  # nothing is large, and no target of money is missed


@pytest.mark.parametrize(
    ("as_of", "due"),
    [("2026-06-30", "2026-07-31"), ("2026-05-30", "2026-06-30"), ("2026-06-01", "2026-07-31"), ("2026-01-31", "2026-02-28")],
)  # fmt: skip
def test_the_end_of_the_next_month(see, as_of, due):
    """Whatever the day of the month, the last day of the one after it."""
    rows = deals(20, "won", "2025-11-01", owner="s", created="2025-09-01")
    seen = see({"deals": rows, "people": TEAMS}, as_of)

    row = one(actions.by_worth(seen, change=CHANGE, impact=measured()))

    assert row["due_on"] == pd.Timestamp(due)
