"""Answers: the message follows from the tables by rules, in every state of the data."""

import html as markup
import re

import pandas as pd
import pytest

from salesanalysis.present import answers, figures, tables

EMPTY = pd.DataFrame()
FORBIDDEN = re.compile(r"worst|bottom|末位|淘汰|velocity|bottleneck is", re.IGNORECASE)
BARE = re.compile(r"(?<!closed )(?<!created )(?<!cohort )(?<!with-stale )win rate", re.IGNORECASE)


def plain(fragment):
    """The words of a fragment; a space that cannot break counts as a space."""
    return markup.unescape(re.sub(r"<[^>]*>", " ", str(fragment))).replace("\u00a0", " ")


def message(shown):
    """The H1."""
    return shown.summary["message"].replace("\u00a0", " ")


def cards(shown):
    """Value by label."""
    return {label: value.replace("\u00a0", " ") for label, value in shown.summary["cards"]}


def funnel_answer(metric, seen, **more):
    """The answer of the funnel notebook."""
    given = {"cumulative": metric.cumulative, "steps": metric.steps, "times": metric.times}
    given |= {"status": metric.status, "ledger": metric.ledger, "within_days": 180}
    return answers.sales_funnel(seen=seen, **(given | more))


def cohort_answer(metric, seen, **more):
    """The answer of the cohort notebook."""
    given = {"conversion": metric.conversion, "win_rates": metric.win_rates, "cycle": metric.cycle}
    given |= {"ledger": metric.ledger, "age_days": 90}
    return answers.cohort_conversion(seen=seen, **(given | more))


def rep_answer(metric, seen, *, table=None, **more):
    """The answer of the rep notebook."""
    given = {"gate": metric.gate, "totals": metric.totals, "attainment": metric.attainment}
    given |= {"ledger": metric.ledger, "age_days": 90}
    table = metric.ranking if table is None else table
    return answers.rep_ranking(table, seen=seen, **(given | more))


def test_the_funnel_answer_has_a_number_a_comparison_and_a_driver(metric, seen):
    """
    The share won with its range, and the stage from which the fewest go on against the best.
    """
    shown = funnel_answer(metric, seen)

    assert message(shown) == (
        "An estimated 18 % (likely 11–27 %) of deals are won within 180 days of creation; "
        "the fewest go on from 报价: 41 %, against 62 % from Lead"
    )
    assert cards(shown) == {
        "Won within 180 days": "18 %",
        "Go on from 报价": "41 %",
        "Median time in 报价": "34 days",
        "Deals won so far": "4,238",
        "Deals still open": "2,089",
    }


def test_without_stage_history_the_funnel_answer_says_what_it_can(metric, seen):
    """
    Deals by state stand in the message, and what is missing and why.
    """
    shown = funnel_answer(
        metric, seen, cumulative=EMPTY, steps=EMPTY, times=EMPTY, reason="no <history>"
    )

    assert message(shown) == (
        "4,238 deals are won against 2,473 lost; 2,089 are open, 1,589 of them in Engaging. "
        "From which stage they go on cannot be said (no <history>)"
    )
    assert cards(shown) == {
        "Deals won so far": "4,238", "Deals lost so far": "2,473", "Deals still open": "2,089",
    }  # fmt: skip
    assert "USD 10M" in plain(shown)


def test_deals_of_several_pipelines_are_counted_together(metric, seen):
    """
    States add up over pipelines; open deals without a known stage count as open.
    """
    other = pd.DataFrame(
        {"pipeline": "续约", "stage": ["won", None], "stage_order": [9, 8], "n_deals": [2, 11],
         "amount": [10.0, float("nan")]}
    )  # fmt: skip

    shown = funnel_answer(
        metric, seen, cumulative=EMPTY, steps=EMPTY, times=EMPTY,
        status=pd.concat([metric.status, other]),
    )  # fmt: skip

    assert cards(shown)["Deals won so far"] == "4,240"
    assert cards(shown)["Deals still open"] == "2,100"


def test_the_funnel_answer_names_the_pipeline_it_speaks_of(metric, seen):
    """
    With several pipelines the message is of the largest, and so are its stages.
    """
    other = metric.cumulative.assign(pipeline="续约", n_cohort=900)
    steps = metric.steps.assign(pipeline="续约", advanced_rate=[0.3, 0.2, 0.1])

    shown = funnel_answer(
        metric, seen, cumulative=pd.concat([metric.cumulative, other]),
        steps=pd.concat([metric.steps, steps]),
    )  # fmt: skip

    assert message(shown).startswith("续约: an estimated 18 %")
    assert "from Demo: 10 %, against 30 % from Lead" in message(shown)


def test_the_cohort_answer_sets_equal_age_against_the_closed_rate(metric, seen):
    """
    The cohort rate leads; the closed rate is named, and what it leaves out.
    """
    shown = cohort_answer(metric, seen)

    assert message(shown) == (
        "An estimated 40 % (likely 39–41 %) of deals are won by the age of 90 days; "
        "the closed win rate says 63 %, as it leaves out open deals, 35 % at that age"
    )
    assert cards(shown) == {
        "Cohort win rate at 90 days": "39.7 %",
        "Closed win rate": "63.2 %",
        "Lost by 90 days": "25 %",
        "Still open at 90 days": "35 %",
        "Sales cycle, median": "57 days",
    }


def test_a_cohort_rate_that_cannot_be_said_is_not(metric, seen):
    """
    Beyond follow-up the message says n/a, gives no number for it and still has its cards.
    """
    rates = metric.win_rates
    rates.loc[0, ["rate", "rate_low", "rate_high"]] = float("nan")

    shown = cohort_answer(metric, seen, win_rates=rates, age_days=400, cycle=EMPTY)

    assert message(shown) == (
        "No deal has been followed for 400 days yet: the cohort win rate is n/a; "
        "the closed win rate says 63 %"
    )
    assert cards(shown)["Cohort win rate at 400 days"] == "n/a"


def test_an_open_gate_names_the_leader_with_the_interval_of_the_rank(metric, seen):
    """
    The highest shrunk rate, its range, the overall rate, and how far the rank is known.
    """
    shown = rep_answer(metric, seen)

    assert message(shown) == (
        '<b>"O\'Neil" & $x$</b> wins an estimated 44 % (likely 39–49 %) of deals by the age of '
        "90 days, against 40 % for all 30 reps, and could hold any rank from 1 to 2; the reps "
        "differ by more than chance (p = 0.031)"
    )
    assert "<b>" not in str(shown)
    assert cards(shown)["Do reps differ?"] == "yes"
    assert cards(shown)["Quotas reached"] == "1/1"
    assert cards(shown)["Largest won amount"] == "USD 1.2M"


def test_a_closed_gate_names_no_rep_and_shows_no_rank(metric, seen):
    """
    The message says that the reps cannot be told apart, with p, and singles nobody out.
    """
    shown = rep_answer(metric, seen, gate=metric.closed_gate)

    assert message(shown) == (
        "The data cannot tell these 30 reps apart (p = 0.25); no ranks are shown. Together they "
        "win 40 % of deals by the age of 90 days, and differ no more than by chance"
    )
    assert not any(name in message(shown) for name in metric.ranking["name"])
    assert cards(shown)["Do reps differ?"] == "cannot be told"


def test_without_a_rep_to_compare_the_answer_says_why(metric, seen):
    """
    Empty tables give a message and the three cards a page needs.
    """
    shown = rep_answer(metric, seen, table=EMPTY, gate=EMPTY, totals=EMPTY, attainment=EMPTY)

    assert message(shown) == ("No rep can be compared yet: no deal with an owner is 90 days old")
    assert cards(shown) == {
        "Reps with deals": "0", "Cohort win rate at 90 days": "n/a", "Largest won amount": "n/a",
    }  # fmt: skip


def test_everything_empty_still_answers(metric, seen):
    """
    Not one row anywhere: each answer stands, without a number that is not known.
    """
    nothing = {"cumulative": EMPTY, "steps": EMPTY, "times": EMPTY, "status": EMPTY}

    funnel = funnel_answer(metric, seen, ledger=EMPTY, **nothing)
    cohorts = cohort_answer(
        metric, seen, conversion=EMPTY, win_rates=EMPTY, cycle=EMPTY, ledger=EMPTY
    )

    assert message(funnel).startswith("0 deals are won against 0 lost; 0 are open.")
    assert "n/a" in message(cohorts)
    assert "0 rows read, n/a accepted" in plain(funnel)


def test_the_line_of_truth_rounds_down(metric, seen):
    """
    2,999 of 3,000 rows is 99.9 %; only every row is 100 %.
    """
    assert "3,000 rows read, 99.9 % accepted" in plain(funnel_answer(metric, seen))
    whole = metric.ledger.assign(n_accepted=metric.ledger["n_in"])
    assert "3,000 rows read, 100.0 % accepted" in plain(funnel_answer(metric, seen, ledger=whole))
    assert "Data as of 31 Dec 2017" in plain(funnel_answer(metric, seen))
    assert "Source: Maven <CRM>" in plain(funnel_answer(metric, seen))


def everything(metric, seen):
    """All that the three notebooks can show, with the gate open and closed."""
    aged = {"seen": seen, "age_days": 90}
    for gate in (metric.gate, metric.closed_gate):
        yield rep_answer(metric, seen, gate=gate)
        yield figures.rep_intervals(metric.ranking, gate=gate, **aged)
    yield from (funnel_answer(metric, seen), cohort_answer(metric, seen))
    yield figures.funnel(metric.cumulative, seen=seen, within_days=180)
    yield figures.conversion_curve(metric.curve, conversion=metric.conversion, seen=seen)
    yield figures.win_rate_family(metric.win_rates, **aged, stale_days=138)
    yield figures.monthly_rates(metric.monthly, **aged)
    for draw, table in (
        (figures.stage_outcomes, metric.accounting),
        (figures.step_conversion, metric.steps),
        (figures.time_in_stage, metric.times),
        (figures.cohort_grid, metric.grid),
        (figures.rep_amounts, metric.totals),
        (figures.attainment, metric.attainment),
        (tables.segments, metric.segments),
        (tables.status_now, metric.status),
        (tables.sales_cycle, metric.cycle),
        (tables.ledger, metric.ledger),
        (tables.findings, metric.findings),
        (tables.exclusions, metric.exclusions),
    ):
        yield draw(table, seen=seen)
    yield answers.measure_cards_sales_funnel()
    yield answers.measure_cards_cohort_conversion()
    yield answers.measure_cards_rep_ranking()


def test_no_page_says_what_may_not_be_said(metric, seen):
    """
    No quota of people, no bare win rate, anywhere: text, alternative texts and captions included.
    """
    for shown in everything(metric, seen):
        said = markup.unescape(str(shown))
        assert not FORBIDDEN.search(said), FORBIDDEN.search(said)
        bare = BARE.search(said)
        assert not bare, said[max(0, bare.start() - 60) : bare.end()]


@pytest.mark.parametrize("notebook", ["sales_funnel", "cohort_conversion", "rep_ranking"])
def test_measure_cards_define_what_a_notebook_shows(notebook):
    """
    Each card says what it tells, its definition, its caveats and what it is not for.
    """
    shown = plain(getattr(answers, f"measure_cards_{notebook}")())

    assert shown.count("Definition") >= 3
    assert shown.count("Definition") == shown.count("Caveats") == shown.count("Not for")
