"""The page on the quarter: its texts, figures, tables and file from small frames made by hand."""

import csv
import html as markup
import io
import re
from types import SimpleNamespace

import pandas as pd
import pytest

from salesanalysis.present import charts, words
from salesanalysis.present import forecast as page

NAN = float("nan")
HOSTILE = '<b>"O\'Neil" & $x$</b>'
DAY = pd.Timestamp
LEDGER = pd.DataFrame({"n_in": [10], "n_accepted": [9]})


def totals(*, quota=12_000_000.0, booked=2_000_000.0):
    """Two quarters of the company and of two teams, one without a name."""
    teams = ["", "North", None]
    rows = pd.DataFrame(
        {"period": ["2018-Q1"] * 3 + ["2018-Q2"] * 3, "team": teams * 2,
         "first_on": [DAY(2018, 1, 1)] * 3 + [DAY(2018, 4, 1)] * 3,
         "last_on": [DAY(2018, 3, 31)] * 3 + [DAY(2018, 6, 30)] * 3,
         "booked": [booked, booked, 0.0, 0.0, 0.0, 0.0], "median": [10.1e6, 4e6, 5e6, 8e6, 3e6, 4e6],
         "low80": [8e6, 3e6, 4e6, 6e6, 2e6, 3e6], "high80": [12.5e6, 5e6, 7e6, 11e6, 4e6, 6e6],
         "low95": [7e6, 2.5e6, 3e6, 5e6, 1e6, 2e6], "high95": [14e6, 6e6, 8e6, 13e6, 5e6, 7e6],
         "quota": [quota, 4.5e6, NAN, NAN, NAN, NAN], "reach_quota_share": [0.187, 0.3, NAN, NAN, NAN, NAN],
         "largest_deal_share": [0.12, 0.2, 0.3, 0.1, 0.2, 0.3], "n_open": [40, 20, 20] * 2,
         "from_open": [5e6, 1e6, 2e6, 1e6, 1e5, 2e5], "from_new": [3e6, 1e6, 1.5e6, 7e6, 2e6, 3e6]}
    )  # fmt: skip
    rows.loc[0, "reach_quota_share"] = NAN if pd.isna(quota) else 0.187
    return rows.astype({"team": object})


def forecast(**more):
    given = {"totals": totals(), "value": "amount", "why_not": None, "history_weeks": 52, "n_without_amount": 0}  # fmt: skip
    return SimpleNamespace(**(given | more))


def backtest(**more):
    """Four snapshots of which the 80 % range held three; better than the weighted pipeline only."""
    rows = pd.DataFrame(
        {"snapshot_on": pd.date_range("2017-01-31", periods=4, freq="42D"), "actual": [4e6, 5e6, 9e6, 6e6],
         "median": [4.2e6, 5.5e6, 6e6, 6e6], "low80": [3e6, 4e6, 5e6, 5e6], "high80": [5e6, 6e6, 7e6, 8e6],
         "weighted_pipeline": [9e6] * 4, "last_quarter": [3e6, 4e6, 5e6, 9e6], "n_open": 50, "n_won": [5, 6, 9, 7]}
    )  # fmt: skip
    scores = pd.DataFrame(
        {"method": ["simulation", "weighted_pipeline", "last_quarter"], "n": 4, "crps": [7e5, 3e6, 1e6],
         "skill": [NAN, 0.77, 0.3], "skill_low": [NAN, 0.5, -0.25], "skill_high": [NAN, 0.9, 0.6],
         "bias": [0.904, 1.5, 0.875], "brier": [0.1, 0.15, NAN], "coverage80": [0.75, NAN, NAN],
         "coverage80_low": [0.3, NAN, NAN], "coverage80_high": [0.95, NAN, NAN], "coverage95": [1.0, NAN, NAN],
         "coverage95_low": [0.51, NAN, NAN], "coverage95_high": [1.0, NAN, NAN]}
    )  # fmt: skip
    reliability = pd.DataFrame(
        {"from_share": [0.01, 0.3], "to_share": [0.2, 0.6], "n": [100, 100], "said_share": [0.1, 0.4],
         "n_happened": [9, 45], "happened_rate": [0.09, 0.45], "happened_rate_low": [0.05, 0.36],
         "happened_rate_high": [0.16, 0.55]}
    )  # fmt: skip
    given = {"rows": rows, "scores": scores, "reliability": reliability, "widening": 1.0, "why_not": None}  # fmt: skip
    return SimpleNamespace(**(given | more))


def nothing(why):
    none = pd.DataFrame()
    return SimpleNamespace(rows=none, scores=none, reliability=none, widening=1.0, why_not=why)


def wins():
    return pd.DataFrame(
        {"quarter": ["2017-Q3", "2017-Q4"], "n_won": [30, 41], "amount_won": [6e6, 7.7e6], "quota": [NAN, 9e6]}
    )  # fmt: skip


def covered():
    return pd.DataFrame(
        {"quarter": ["2017-Q4", "2018-Q1"], "is_current": [False, True], "seen_on": [DAY(2017, 9, 30), DAY(2017, 12, 31)],
         "n_open": [60, 50], "amount_open": [20e6, 18e6], "n_from": [20.0, NAN], "amount_from": [4e6, NAN],
         "n_other": [21.0, NAN], "amount_other": [3.7e6, NAN], "yield_ratio": [0.385, NAN], "quota": [9e6, 12e6],
         "remaining_quota": [9e6, 10e6], "coverage": [2.22, 1.8]}
    )  # fmt: skip


def need(**more):
    row = {"quarter": "2018-Q1", "n_quarters": 3, "required_coverage": 2.6, "required_coverage_low": 2.0,
           "required_coverage_high": 3.9, "coverage": 1.8, "amount_open": 18e6, "n_open": 50, "amount_booked": 2e6,
           "quota": 12e6, "remaining_quota": 10e6, "required_amount": 26e6, "is_reached": False}  # fmt: skip
    return pd.DataFrame([row | more])


def slips():
    return pd.DataFrame(
        {"quarter": ["2017-Q3", "2017-Q4"], "n_deals": [100, 80], "n_won": [20, 20], "n_lost": [60, 40],
         "n_removed": [0, 4], "n_slipped": [20, 16], "won_rate": [0.2, 0.25], "won_rate_low": [0.13, 0.17],
         "won_rate_high": [0.29, 0.35], "lost_rate": [0.6, 0.5], "removed_rate": [0.0, 0.05],
         "slipped_rate": [0.2, 0.2], "slipped_rate_low": [0.13, 0.13], "slipped_rate_high": [0.29, 0.3],
         "amount": [1e6, 9e5], "amount_slipped": [2e5, 1e5]}
    )  # fmt: skip


def deals():
    return pd.DataFrame(
        {"deal_key": [1, 2], "deal_id": ["0001", "0002"], "account": [HOSTILE, None], "owner": ["a", "b"],
         "name": ["Ann <A>", None], "team": ["North", None], "stage": ["Offer", "Demo"], "amount": [466576.0, 336418.0],
         "win_share": [0.656, 0.003], "expected_amount": [306074.0, 1009.0],
         "expected_close": [DAY(2018, 2, 3), DAY(2017, 11, 4)], "n_pushes": [0, 2], "due": ["this", "overdue"]}
    )  # fmt: skip


STEPS = ["start", "created", "pulled_in", "reopened", "increased", "decreased", "pushed_out", "won", "lost",
         "removed", "end"]  # fmt: skip


def waterfall(**more):
    """From 132 deals to 39; the amounts add up to the cent."""
    given = {
        "step": STEPS, "n_deals": [132, 164, 11, 0, 5, 12, 0, 99, 169, 0, 39],
        "n_change": [132, 164, 11, 0, 0, 0, 0, -99, -169, 0, 39],
        "amount": [13382597.83, 18822336.47, 1050489.75, 0.0, 22195.45, -348153.43, 0.0, -7660303.61, -21266856.34, 0.0, 4002306.12],
        "period": "2017-Q4", "first_on": DAY(2017, 9, 30), "last_on": DAY(2017, 12, 31),
    }  # fmt: skip
    return pd.DataFrame(given | more)


def lines():
    return pd.DataFrame(
        {"step": ["start", "created", "won"], "deal_id": ["=1+1", "0002", "0003"], "account": [HOSTILE, None, "@sum"],
         "owner": ["a", "b", None], "name": ["-Ann", "Bo", None], "team": ["North", None, None], "amount": [100.5, NAN, -7.25],
         "amount_before": [100.5, NAN, 7.25], "amount_after": [100.5, NAN, 7.25],
         "close_before": [DAY(2017, 11, 1), pd.NaT, pd.NaT], "close_after": [DAY(2017, 11, 1)] * 3}
    )  # fmt: skip


def apart(n=3):
    return pd.DataFrame(
        {"kind": ["no_date", "overdue"], "n_start": [1, 5], "amount_start": [10.0, 5e5], "n_end": [0, n],
         "amount_end": [0.0, 3e5]}
    )  # fmt: skip


def plain(shown):
    """The words of a fragment; a space that cannot break counts as a space."""
    text = markup.unescape(re.sub(r"<[^>]*>", " ", str(shown))).replace("\u00a0", " ")
    return " ".join(text.split())


def cells(shown, number=0):
    """Texts of the cells of a table, row by row, the header first."""
    table = re.findall(r"<table>.*?</table>", str(shown), flags=re.DOTALL)[number]
    rows = re.findall(r"<tr>(.*?)</tr>", table, flags=re.DOTALL)
    return [
        [plain(cell) for cell in re.findall(r"<t[hd].*?</t[hd]>", row, re.DOTALL)] for row in rows
    ]


def answer(seen, **more):
    given = {"totals": totals(), "back": backtest(), "won": wins(), "need": need(), "slipped": slips(), "ledger": LEDGER}  # fmt: skip
    made = more.pop("made", forecast())
    return page.answer(made, seen=seen, **(given | more))


def message(shown):
    return shown.summary["message"].replace("\u00a0", " ")


# ---- the answer -----------------------------------------------------------------------------------------------------


def test_the_answer_is_the_estimate_its_range_and_the_quota(seen):
    """
    Estimate, 80 % range, the quota in simulated futures, and what it comes from; the cards say the same and more.
    """
    shown = answer(seen)

    assert message(shown) == (
        "The quarter 2018-Q1 will bring an estimated USD 10.1M, likely USD 8M–12.5M (80 %); the quota of USD 12M is "
        "reached in 19 of 100 futures; USD 2M won already, about USD 5M from deals open now and about USD 3M "
        "from deals not created yet"
    )
    values = [value.replace("\u00a0", " ") for _, value in shown.summary["cards"]]
    assert values == ["USD 10.1M", "USD 8M", "1.8 ×", "20 %", "3 of 4"]
    assert "needed in past quarters: 2.6 ×" in plain(shown)
    assert "16 of 80 due at its start are still open" in plain(shown)
    assert "as promised" in plain(shown)


def test_without_a_quota_the_last_quarter_is_what_it_is_compared_with(seen):
    """
    And nothing is said of what is won already where nothing is.
    """
    shown = answer(seen, totals=totals(quota=NAN, booked=0.0), need=need(quota=NAN, coverage=NAN))

    assert message(shown) == (
        "The quarter 2018-Q1 will bring an estimated USD 10.1M, likely USD 8M–12.5M (80 %), against USD 7.7M in "
        "2017-Q4; about USD 5M from deals open now and about USD 3M from deals not created yet"
    )
    assert "no quota is known" in plain(shown)
    assert "against" not in message(answer(seen, totals=totals(quota=NAN), won=wins().head(0)))


def test_without_amounts_it_counts_deals(seen):
    """
    No currency stands anywhere in the answer.
    """
    few = totals(quota=NAN, booked=17.0).assign(median=110.4, low80=73.0, high80=167.0, from_open=12.0, from_new=82.0)  # fmt: skip

    shown = answer(seen, made=forecast(value="count"), totals=few)

    assert message(shown) == (
        "The quarter 2018-Q1 will bring an estimated 110 deals, likely 73–167 (80 %), against 41 deals in 2017-Q4; "
        "17 deals won already, about 12 deals from deals open now and about 82 deals from deals not created yet"
    )
    assert "USD" not in plain(shown)


@pytest.mark.parametrize(
    ("why", "said"),
    [
        ("too_short_history", "closings are recorded for 13 whole weeks, and half a year is needed"),
        ("too_few_won", "too few deals were won in the 13 weeks that rates are taken from"),
    ],
)  # fmt: skip
def test_what_cannot_be_forecast_says_why(seen, why, said):
    """
    The message, the figures that are missing, and what is known instead.
    """
    made = forecast(totals=totals().head(0), why_not=why, history_weeks=13)
    empty = {"made": made, "seen": seen}

    shown = answer(seen, made=made, totals=made.totals, back=nothing("too_few_snapshots"))

    assert message(shown) == f"Cannot forecast yet: {said}; USD 7.7M was won in 2017-Q4"
    assert len(shown.summary["cards"]) == 4
    for part in (
        page.quarters(made.totals, won=wins(), **empty),
        page.teams(made.totals, **empty),
        page.origins(made.totals, **empty),
        page.carriers(deals().head(0), totals=made.totals, **empty),
        page.trust(nothing("too_few_snapshots"), **empty),
    ):
        assert said[1:] in plain(part)
        assert "<svg" not in str(part)
    assert (
        str(page.cautions(made, nothing("too_few_snapshots"), totals=made.totals, seen=seen)) == ""
    )
    assert str(page.scores(nothing("too_few_snapshots"), **empty)) == ""


def test_a_source_without_anything_still_has_an_answer(seen):
    """
    No dates, no past quarter, no quota, no back-test: n/a in words, and three cards or more.
    """
    none = pd.DataFrame()
    shown = answer(
        seen,
        totals=totals(quota=NAN),
        won=wins().head(0),
        need=none,
        slipped=none,
        back=nothing("too_few_snapshots"),
    )

    values = [value for _, value in shown.summary["cards"]]
    assert values[2:] == ["n/a", "n/a", "n/a"]
    made = forecast(totals=totals().head(0), why_not="too_few_won")
    worst = answer(seen, made=made, won=wins().head(0), need=none, slipped=none)
    assert [value for _, value in worst.summary["cards"]] == ["n/a"] * 4


def test_it_says_how_far_to_trust_it(seen):
    """
    Too narrow in the past, no past yet, no quota, amounts drawn or missing: each in a sentence; else nothing.
    """
    fine = page.cautions(forecast(), backtest(), totals=totals(), seen=seen)
    wide = plain(page.cautions(forecast(), backtest(widening=2.448), totals=totals(), seen=seen))
    unsure = plain(
        page.cautions(
            forecast(n_without_amount=7, value="count"),
            nothing("too_few_snapshots"),
            totals=totals(quota=NAN).assign(quota=NAN),
            seen=seen,
        )
    )

    assert str(fine) == ""
    assert "held 3 of 4 outcomes" in wide
    assert "made 2.4 times as wide" in wide
    for said in ("history is too short for four forecasts", "no quota for 2018-Q1 and 2018-Q2 known by 31 Dec 2017",
                 "7 open deals have no amount", "everything here counts deals"):  # fmt: skip
        assert said in unsure
    assert "too narrow; widened 2.4 times here" in plain(answer(seen, back=backtest(widening=2.448)))  # fmt: skip


# ---- what to do -----------------------------------------------------------------------------------------------------


def test_what_to_do_names_deal_reason_person_and_day(seen):
    """
    Missing pipeline, dates that are over, then the deals to decide, each with who and by when.
    """
    shown = page.to_do(deals(), apart=apart(), need=need(), seen=seen)

    head, short, over, first, second = cells(shown)
    assert head == ["Step", "Why", "Who", "By"]
    assert short[:2] == ["Find pipeline for 2018-Q1, or plan for less",
                         "USD 18M is open and due, USD 26M was needed for such a quota in past quarters"]  # fmt: skip
    assert over[:2] == ["Close or re-date the 3 open deals whose expected close is over",
                        "USD 300K in no quarter's pipeline; 5 at the start of the quarter"]  # fmt: skip
    assert first == [f"Decide with the customer, or re-date: {HOSTILE} · 0001",
                     "USD 466.6K, due 3 Feb 2018, still in Offer: won this quarter in 66 of 100 futures",
                     "Ann <A>, North", "14 Jan 2018"]  # fmt: skip
    assert second[1].endswith("won this quarter in under 1 of 100 futures; moved back 2 times")
    assert second[2] == "b, (none)"


def test_where_nothing_is_to_do_that_is_said(seen):
    """
    Enough pipeline, no date over, no deal to decide; or the source cannot say it.
    """
    calm = {"apart": apart(0), "need": need(required_amount=18e6), "seen": seen}
    reached = {"apart": apart(0), "need": need(is_reached=True), "seen": seen}

    assert plain(page.to_do(deals().head(0), **calm)).startswith("No step follows")
    assert plain(page.to_do(deals().head(0), **reached)).startswith("No step follows")
    unknown = page.to_do(deals().head(0), **calm, reason="No dates.")
    assert plain(unknown).endswith("cannot be said. No dates.")
    no_quota = page.to_do(deals().head(0), apart=apart(0), need=need(required_amount=NAN), seen=seen)  # fmt: skip
    assert "Find pipeline" not in plain(no_quota)


# ---- figures --------------------------------------------------------------------------------------------------------


def test_won_is_full_forecast_hatched_and_the_quota_a_mark(seen):
    """
    Bars run from what is won to the estimate, the line is the range, a quarter without a quota has no mark.
    """
    rows = totals()[totals()["team"] == ""].reset_index(drop=True)

    ax = page._bars(rows, list(rows["period"]), forecast(), seen)

    full, hatched = ax.patches[:2], ax.patches[2:]
    assert [bar.get_width() for bar in full] == [2e6, 0]
    assert [(bar.get_x(), bar.get_width()) for bar in hatched] == [(2e6, 8.1e6), (0, 8e6)]
    assert [bar.get_hatch() for bar in ax.patches] == [None, None, "////", "////"]
    ranges = [segment[:, 0].tolist() for segment in ax.collections[0].get_segments()]
    assert ranges == [[8e6, 12.5e6], [6e6, 11e6]]
    (marks,) = (line for line in ax.lines if line.get_label() == "Quota")
    assert marks.get_xdata()[0] == 12e6
    assert pd.isna(marks.get_xdata()[1])
    assert ax.get_xlim()[0] == 0


def test_finished_quarters_stand_before_the_forecast(seen):
    """
    In the figure and its words, past quarters with what was won; the ranges say if they were widened.
    """
    made = forecast()
    shown = str(page.quarters(made.totals, made=made, won=wins(), seen=seen))

    assert 'aria-label="Bars: 2017-Q3 USD 6M, 2017-Q4 USD 7.7M, 2018-Q1 USD 10.1M, 2018-Q2 USD 8M."' in shown.replace("\u00a0", " ")  # fmt: skip
    assert "2018-Q1 is estimated to bring USD 10.1M, likely USD 8M–12.5M" in plain(shown)
    assert "widened" not in shown
    wide = page.quarters(totals().assign(high80=2e7), made=made, won=wins(), seen=seen)
    assert "widened as past ones were too narrow" in plain(wide)


def test_teams_are_shown_by_estimate_with_their_data(seen):
    """
    Only this quarter in the figure, both in the table; a deal without a team is not lost.
    """
    shown = page.teams(totals(), made=forecast(), seen=seen)

    assert "(none) is estimated to bring the most, USD 5M, likely USD 4M–7M" in plain(shown)
    rows = cells(shown)
    assert [row[:2] for row in rows[1:]] == [["2018-Q1", "North"], ["2018-Q1", "(none)"], ["2018-Q2", "North"], ["2018-Q2", "(none)"]]  # fmt: skip
    assert rows[1][rows[0].index("Likely (80 %)")] == "3M–5M"
    assert rows[1][rows[0].index("Range (95 %)")] == "2.5M–6M"
    assert rows[1][rows[0].index("Quota reached in")] == "30 %"
    alone = totals()[totals()["team"] == ""]
    assert "names no teams" in plain(page.teams(alone, made=forecast(), seen=seen))


def test_what_it_comes_from_is_said_per_quarter(seen):
    """
    Won, open and not yet created, stacked; a part that is nowhere has no place in the legend.
    """
    shown = page.origins(totals(), made=forecast(), seen=seen)
    ax = page._origins(totals(booked=0.0)[lambda table: table["team"] == ""], forecast(), seen)

    assert "2018-Q2: about USD 1M from deals open now and about USD 7M from deals not created yet" in plain(shown)  # fmt: skip
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["From deals open now", "From deals not created yet"]  # fmt: skip
    assert ax.patches[2].get_x() == 5e6


def test_deals_that_carry_the_quarter(seen):
    """
    Each with chance, amount × chance and date; how far the quarter hangs on one deal; no amounts, no columns of them.
    """
    shown = page.carriers(deals(), totals=totals(), made=forecast(), seen=seen)
    bare = deals().assign(amount=NAN, expected_amount=NAN, expected_close=pd.NaT)

    assert "In 12 of 100 simulated futures one deal, the largest won, decides whether the quota of USD 12M" in plain(shown)  # fmt: skip
    _, first, second = cells(shown)
    assert first == [f"{HOSTILE} · 0001", "Ann <A>", "Offer", "466,576", "66 %", "306,074", "3 Feb 2018", "0"]  # fmt: skip
    assert second[6] == "4 Nov 2017, over"
    counted = page.carriers(bare, totals=totals(), made=forecast(value="count"), seen=seen)
    assert cells(counted)[0] == ["Deal", "Owner", "Stage", "Chance to be won by then"]
    assert "one deal, the largest" not in plain(counted)


def test_past_forecasts_stand_beside_what_came(seen):
    """
    Ranges, estimate, outcome and the two simpler forecasts at each snapshot, in order of time.
    """
    shown = page.trust(backtest(), made=forecast(), seen=seen)
    ax = page._snapshots(backtest().rows, forecast(), seen)

    assert "The 80 % range held 3 of 4 past outcomes; forecasts were 90 % of what came" in plain(shown)  # fmt: skip
    assert "31 Jan 2017 range 3M–5M, came 4M" in str(shown).replace("\u00a0", " ")
    lines_of = {line.get_label(): list(line.get_ydata()) for line in ax.lines}
    assert lines_of["What came"] == [4e6, 5e6, 9e6, 6e6]
    assert lines_of["Weighted pipeline said"] == [9e6] * 4
    segments = [segment[:, 1].tolist() for segment in ax.collections[0].get_segments()]
    assert segments[0] == [3e6, 5e6]
    assert cells(shown)[1][:2] == ["31 Jan 2017", "4,000,000"]
    assert cells(shown)[1][-1] == "5/50"


def test_scores_are_said_in_words(seen):
    """
    Better only where the whole interval says so; an empty score is blank, a negative one has its sign.
    """
    shown = page.scores(backtest(), made=forecast(), seen=seen)

    assert "On these 4 snapshots the simulation did better than the weighted pipeline and cannot be told apart from the last 13 weeks again." in plain(shown)  # fmt: skip
    _, simulation, _, last = cells(shown)
    assert simulation[1:] == ["700,000", "", "90 %", "3 of 4 (likely 30–95 %)", "4 of 4 (likely 51–100 %)", "0.100"]  # fmt: skip
    assert last[2] == "30 % (likely −25 % to 60 %)"
    assert last[-1] == ""
    assert cells(shown, 1)[1] == ["1.0–20.0 %", "100", "10.0 %", "9.0 %", "5.0–16.0 %"]
    worse = backtest().scores.assign(skill_high=-0.1)
    text = plain(page.scores(backtest(scores=worse.assign(skill_low=-0.4)), made=forecast(), seen=seen))  # fmt: skip
    assert "did worse than the weighted pipeline and the last 13 weeks again." in text


# ---- movements ------------------------------------------------------------------------------------------------------


def test_bars_of_the_movements_hang_together(seen):
    """
    Each step begins where the one before ended; start and end stand on the axis.
    """
    table = waterfall()
    ax = page._waterfall(table, "amount", seen)

    bars = ax.patches
    assert [bars[0].get_x(), bars[-1].get_x()] == [0, 0]
    ends = [bar.get_x() + bar.get_width() for bar in bars]
    for before, bar in zip(ends[:-1], bars[1:-1], strict=False):
        assert bar.get_x() == pytest.approx(before)
    assert ends[-2] == pytest.approx(bars[-1].get_width())
    assert [label.get_text() for label in ax.get_yticklabels()] == [page.step_name(step) for step in STEPS]  # fmt: skip


def test_movements_say_what_came_and_what_became_of_it(seen):
    """
    Headline and table in cents, with the check that they add up; a table that does not says so.
    """
    shown = page.movements(waterfall(), seen=seen)
    broken = waterfall()
    broken.loc[1, "amount"] += 0.01

    assert "2017-Q4: of USD 13.4M due at the start and USD 19.9M that came in: USD 7.7M won, USD 21.3M lost, USD 4M still open" in plain(shown)  # fmt: skip
    assert "from the end of 30 Sep 2017 to the end of 31 Dec 2017" in plain(shown)
    rows = cells(shown)
    assert rows[1] == ["Start", "132", "13,382,597.83"]
    assert rows[8] == ["Won", "99", "−7,660,303.61"]
    assert "✓ Start and all steps add up to the end" in plain(shown)
    assert "✗ The steps do not add up" in plain(page.movements(broken, seen=seen))
    fewer = waterfall(n_change=[131, *waterfall()["n_change"][1:]])
    assert "✗ The steps do not add up" in plain(page.movements(fewer, seen=seen))


def test_movements_without_amounts_or_before_their_quarter(seen):
    """
    Counted in deals; a quarter that has not begun is a sentence; without history the reason.
    """
    counted = page.movements(waterfall(amount=NAN), seen=seen)
    coming = page.movements(waterfall(first_on=DAY(2017, 12, 31)), seen=seen)
    missing = page.movements(waterfall().head(0), seen=seen, reason="No <history>.")

    assert "of 132 deals due at the start and 175 deals that came in: 99 deals won" in plain(counted)  # fmt: skip
    assert "USD" not in plain(counted).split("Source")[0]
    assert cells(counted)[1] == ["Start", "132", "n/a"]
    assert plain(coming) == "2017-Q4 has not begun: 39 deals (USD 4M) are open and due in it as of 31 Dec 2017."  # fmt: skip
    assert "No <history>." in plain(missing)


def test_the_file_has_every_line_and_runs_nothing(seen):
    """
    One row per step and deal, amounts and days as such; what a spreadsheet would run begins with an apostrophe.
    """
    shown = page.files(lines(), seen=seen, period="2017-Q4")
    text = shown.files["pipeline_movements_2017-q4.csv"]

    rows = list(csv.DictReader(io.StringIO(text.removeprefix("\ufeff"))))
    assert text.startswith("\ufeff")
    assert [row["Step"] for row in rows] == ["Start", "Created", "Won"]
    assert rows[0]["Deal number"] == "'=1+1"
    assert rows[0]["Owner"] == "'-Ann"
    assert rows[2]["Account"] == "'@sum"
    assert [row["Amount"] for row in rows] == ["100.50", "", "-7.25"]
    assert rows[0]["Expected close before"] == "2017-11-01"
    assert rows[1]["Expected close before"] == ""
    assert str(page.files(lines().head(0), seen=seen, period="2017-Q4")) == ""


def test_the_page_lists_the_largest_of_each_step(seen):
    """
    At most five a step, start and end are in the file only.
    """
    many = pd.concat([lines()[1:2]] * 9 + [lines()], ignore_index=True)

    rows = cells(page.largest_moves(many, seen=seen, period="2017-Q4"))

    assert [row[0] for row in rows[1:]] == ["Created"] * 5 + ["Won"]
    assert str(page.largest_moves(lines().head(1), seen=seen, period="2017-Q4")) == ""


def test_deals_kept_out_by_their_date_are_said(seen):
    """
    Only kinds that there are.
    """
    shown = plain(page.apart(apart(), seen=seen, period="2018-Q1"))

    assert shown == "Open and not in the pipeline of 2018-Q1: 3 deals whose expected close lies before 2018-Q1 (USD 300K)."  # fmt: skip
    assert str(page.apart(apart(0), seen=seen, period="2018-Q1")) == ""
    assert str(page.apart(apart().head(0), seen=seen, period="2018-Q1")) == ""


# ---- coverage, slips, pushes ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ({}, ("By the 3 finished quarters, a quota takes about 2.6 × its amount in pipeline at this week; the quarters lay "
              "between 2.0 × and 3.9 ×. 2018-Q1 has USD 18M for the USD 10M that is left of the quota: 1.8 ×.")),
        ({"quota": NAN, "coverage": NAN}, "2018-Q1 has USD 18M open and due; no quota for it is known by 31 Dec 2017."),
        ({"coverage": NAN, "remaining_quota": -1.0}, "The quota of 2018-Q1 is reached already."),
        ({"n_quarters": 1}, "By the one finished quarter, a quota took about 2.6 × its"),
        ({"required_coverage_high": NAN}, "between 2.0 × and no bound."),
        ({"required_coverage": NAN}, "cannot be said: no past quarter has a yield."),
        ({"quota": NAN, "coverage": NAN, "amount_open": NAN}, "2018-Q1 has 50 deals open and due"),
    ],
)  # fmt: skip
def test_enough_pipeline_is_said_from_the_own_past(seen, row, said):
    """
    With a quota, without one, with one that is reached, and where the past gives no measure.
    """
    shown = plain(page.coverage(covered(), need=need(**row), seen=seen))

    assert said in shown


def test_the_table_of_coverage_marks_the_current_quarter(seen):
    """
    Its wins are not known yet; without amounts it counts, without quotas it has no column of them.
    """
    rows = cells(page.coverage(covered(), need=need(), seen=seen))
    bare = covered().assign(amount_open=NAN, quota=NAN, coverage=NAN)
    counted = cells(page.coverage(bare, need=need(), seen=seen))

    assert rows[1] == ["2017-Q4", "30 Sep 2017", "60", "20,000,000", "4,000,000", "3,700,000", "38 %", "9,000,000", "2.2 ×"]  # fmt: skip
    assert rows[2][0] == "2018-Q1 (now)"
    assert rows[2][4:7] == ["n/a"] * 3
    assert counted[1] == ["2017-Q4", "30 Sep 2017", "60", "20", "21", "38 %", "n/a"]
    empty = page.coverage(covered().head(0), need=need().head(0), seen=seen, reason="No dates.")
    assert "No dates." in plain(empty)


def test_slips_are_shares_of_one_bar(seen):
    """
    Won, lost, removed and slipped fill the bar; an outcome that never occurs is not in the legend.
    """
    ax = page._slips(slips())
    shown = page.slips(slips(), seen=seen)

    last = [bar.get_width() for bar in ax.patches[1::2]]
    assert sum(last) == pytest.approx(1)
    assert [bar.get_x() for bar in ax.patches[1::2]] == pytest.approx([0, 0.25, 0.75, 0.8])
    assert "20 % (likely 13–30 %) of the 80 deals due in 2017-Q4 slipped, 25 % were won" in plain(shown)  # fmt: skip
    assert cells(shown)[2][1:6] == ["80", "20", "40", "4", "16"]
    legend = page._slips(slips().assign(removed_rate=0.0)).get_legend().get_texts()
    assert [text.get_text() for text in legend] == ["Won", "Lost", "Slipped (still open)"]
    assert "No deal was due at the start" in plain(page.slips(slips().head(0), seen=seen))
    assert "No <dates>." in plain(page.slips(slips().head(0), seen=seen, reason="No <dates>."))


def test_pushes_say_that_they_are_no_cause(seen):
    """
    Counts with their share, and the rate with its interval.
    """
    table = pd.DataFrame(
        {"pushes": ["0", "1", "2+"], "n_open": [232, 18, 9], "n_won": [329, 20, 0], "n_lost": [1066, 90, 0],
         "open_share": [0.9, 0.07, 0.03], "won_share": [0.94, 0.06, 0.0], "lost_share": [0.92, 0.08, 0.0],
         "open_amount": [1e6, 2e5, 3e4], "closed_rate": [0.236, 0.182, NAN], "closed_rate_low": [0.21, 0.12, NAN],
         "closed_rate_high": [0.26, 0.26, NAN]}
    )  # fmt: skip
    shown = page.pushes(table, seen=seen)

    rows = cells(shown)
    assert rows[1] == ["never", "232 (90 %)", "329 (94 %)", "1,066 (92 %)", "1,000,000", "23.6 %", "21.0–26.0 %"]  # fmt: skip
    assert rows[3][0] == "twice or more"
    assert rows[3][-2:] == ["n/a", "n/a"]
    assert "does not say that moving a date loses them" in plain(shown)


# ---- the page as a whole --------------------------------------------------------------------------------------------


def everything(seen):
    """Every block of the page that shows data, with hostile names."""
    made, back = forecast(), backtest()
    return [
        answer(seen),
        page.to_do(deals(), apart=apart(), need=need(), seen=seen),
        page.quarters(totals(), made=made, won=wins(), seen=seen),
        page.teams(totals().replace("North", HOSTILE), made=made, seen=seen),
        page.carriers(deals(), totals=totals(), made=made, seen=seen),
        page.trust(back, made=made, seen=seen),
        page.scores(back, made=made, seen=seen),
        page.movements(waterfall(), seen=seen),
        page.largest_moves(lines(), seen=seen, period="2017-Q4"),
        page.files(lines(), seen=seen, period="2017-Q4"),
        page.coverage(covered(), need=need(), seen=seen),
        page.slips(slips(), seen=seen),
    ]


def test_names_from_data_never_become_markup(seen):
    """
    Accounts, owners, teams and the source are shown as the text they are.
    """
    for shown in everything(seen):
        assert "<b>" not in str(shown)
        assert "<CRM>" not in str(shown)


def test_figures_have_names_of_their_own_and_a_number_in_their_words(seen):
    """
    No id occurs twice on the page, and each figure's alternative text has a number.
    """
    text = "".join(str(shown) for shown in everything(seen))
    ids = re.findall(r'<g id="([^"]+)"', text)

    assert len(ids) == len(set(ids))
    labels = re.findall(r'aria-label="([^"]+)"', text)
    assert len([label for label in labels if re.search(r"\d", label)]) >= 5


@pytest.mark.parametrize("name", words.MEASURES["pipeline_forecast"])
def test_every_measure_is_defined(name):
    """
    With what it tells, its definition, its source, what to mind and what it is not for.
    """
    measure = words.measure(name)

    assert all((measure.name, measure.what, measure.definition, measure.source, measure.not_for))
    assert measure.caveats
    assert measure.name in plain(page.measure_cards())


def test_reasons_are_sentences():
    """
    The source's own reason stands behind ours only where it explains it.
    """
    assert page.no_past(None, "no changes") is None
    assert page.no_past("no_close_date", "no changes") == "The source has no expected close date of deals."  # fmt: skip
    assert page.no_past("no_close_history", "the export has none").endswith("not known. The export has none.")  # fmt: skip


def test_nothing_global_of_matplotlib_is_touched(seen):
    """
    The style of charts holds inside of them only.
    """
    import matplotlib

    before = {name: matplotlib.rcParams[name] for name in charts.STYLE}
    everything(seen)

    assert {name: matplotlib.rcParams[name] for name in charts.STYLE} == before
