"""Incentive pages: texts, amounts to the cent, and nothing of others on a statement; on tables of a few rows."""

import datetime
from types import SimpleNamespace

import pandas as pd
import pytest
from conftest import HOSTILE

from salesanalysis.present import incentives as page
from salesanalysis.present import numbers, words

NAN = float("nan")
JUNE = datetime.date(2026, 6, 30)
QUARTER = SimpleNamespace(name="2026-Q2", first=datetime.date(2026, 4, 1), last=JUNE)


def both(text):
    return SimpleNamespace(en=text, zh=text)


def plan(**changes):
    tiers = [
        SimpleNamespace(above=above, rate=rate)
        for above, rate in ((0, 0.02), (0.8, 0.03), (1, 0.065))
    ]
    rules = {
        "id": "commission", "name": both("Commission <q>"), "role": "rep", "basis": "booked",
        "measured_on": "quota", "tiers_are": "marginal", "tiers": tiers, "splits": "credits",
        "accelerators": [SimpleNamespace(field="segment", value="<big>", factor=1.2)], "cap": 150000.0,
        "clawback_days": 180, "clawback_when": ("refund", "unwon"),
        "gates": [SimpleNamespace(kpi="visits", at_least=0.3, pays=0.8)], "begins": datetime.date(2024, 7, 1),
    }  # fmt: skip
    return SimpleNamespace(**rules | changes)


def process(*plans, has_card=True):
    plans = plans or (plan(),)
    kpi = SimpleNamespace(
        id="visits", name=both("Visits"), measure="actions_done", improve=both("Plan <two> visits")
    )
    card = SimpleNamespace(
        reviewer=both("Manager <m>"), objection=both("In writing"), objection_days=14
    )
    rules = SimpleNamespace(plans=plans, kpis=(kpi,), scorecard=card if has_card else None)
    return SimpleNamespace(
        name=both("Field <team>"), plans=plans, kpis=(kpi,), on=lambda day: rules, goal=both("g"), segments=()
    )  # fmt: skip


def payouts():
    """Ann is hostile in her name and has a clawback, Bob has no quota, Cy has left."""
    return pd.DataFrame(
        {"plan": "commission", "basis": "booked", "measured_on": "quota", "tiers_are": "marginal",
         "person": ["ann", "bob", "cy"], "name": [HOSTILE, "Bob", None], "team": ["T", None, "T"], "role": "rep",
         "days": [91.0, 45.0, NAN], "n_deals": [2, 1, 0], "amount": [950.0, 100.0, 0.0],
         "quota": [1000.0, NAN, NAN], "attainment": [0.95, NAN, NAN], "tier": [0.8, NAN, NAN],
         "rate": [0.03, NAN, NAN], "gross": [1234.56, 0.0, 0.0], "gate": [-246.91, 0.0, 0.0], "cap": [-7.65, 0.0, 0.0],
         "clawback": [-10.5, 0.0, -40.0], "payout": [969.5, 0.0, -40.0], "why": ["", "no_quota", "left"],
         "next_tier": [1.0, NAN, NAN], "next_step": [1000.0, NAN, NAN], "next_rate": [0.065, NAN, NAN],
         "missing": [50.0, NAN, NAN], "jump": [0.0, NAN, NAN], "payout_cents": [96950, 0, -4000]}
    )  # fmt: skip


def near():
    return payouts().head(1).assign(missing_share=0.05, rate_gain=0.035)


def lines():
    """Of each kind one, and a slice without a quota."""
    day = pd.Timestamp("2026-05-05")
    return pd.DataFrame(
        {"plan": "commission", "role": "rep", "person": ["ann"] * 5 + ["bob"], "name": [HOSTILE] * 5 + ["Bob"],
         "team": "T", "deal_key": [1, 2, None, None, 3, 4], "deal_id": ["<D1>", "D2", None, None, "D3", "D4"],
         "spell": 1, "day": [day, day, pd.Timestamp(JUNE), pd.Timestamp(JUNE), day, day],
         "won_on": [day, pd.Timestamp("2026-03-01"), pd.NaT, pd.NaT, pd.Timestamp("2026-01-10"), day],
         "kind": ["slice", "slice", "gate", "cap", "clawback", "slice"],
         "cause": ["", "", "visits", "", "refund", "no_quota"], "share": [1.0, 0.7, NAN, NAN, 1.0, 0.125],
         "others_share": [0.0, 0.3, NAN, NAN, 0.0, 0.875], "deal_amount": [800.0, 200.0, NAN, NAN, 500.0, 800.0],
         "amount": [800.0, 140.0, NAN, NAN, -250.0, 100.0], "tier": [0.0, 0.8, NAN, NAN, NAN, NAN],
         "step": [0.0, 800.0, NAN, NAN, NAN, NAN], "rate": [0.02, 0.03, 0.8, NAN, 0.042, NAN],
         "factor": [1.0, 1.2, NAN, NAN, NAN, 1.0], "pay": [1000.0, 234.56, -246.91, -7.65, -10.5, 0.0],
         "of_period": ["", "", "", "", "2026-Q1", ""], "of_day": [pd.NaT] * 4 + [pd.Timestamp("2026-01-10"), pd.NaT],
         "back_share": [NAN] * 4 + [0.5, NAN], "value": [NAN, NAN, 0.25, 987.65, NAN, NAN],
         "limit": [NAN, NAN, 0.3, 980.0, NAN, NAN]}
    )  # fmt: skip


def gates():
    """Ann's is closed, Bob's cannot be judged, Cy's KPI is not in force."""
    return pd.DataFrame(
        {"plan": "commission", "person": ["ann", "bob", "cy"], "name": [HOSTILE, "Bob", "Cy"], "team": "T",
         "kpi": "visits", "whose": "own", "form": ["share", "share", None], "value": [0.25, NAN, NAN],
         "low": [0.1, NAN, NAN], "high": [0.45, NAN, NAN], "n": [20.0, 3.0, NAN], "least": [8.0, 8.0, NAN],
         "at_least": 0.3, "pays": 0.8, "is_judged": [True, False, False], "is_below": [True, False, False],
         "why": ["", "too_little", "not_in_force"]}
    )  # fmt: skip


def tiers():
    return pd.DataFrame(
        {"plan": "commission", "tier": [0.0, 0.8, NAN], "rate": [0.02, 0.03, NAN], "n_people": [1, 1, 1],
         "n_deals": [1, 1, 1], "amount": [800.0, 140.0, 100.0], "pay": [1000.0, 234.56, 0.0],
         "pay_share": [0.81, 0.19, 0.0]}
    )  # fmt: skip


def cost():
    return pd.DataFrame(
        {"group": ["T", None], "n_people": [2, 1], "n_paid": [1, 0], "amount": [950.0, 0.0], "gross": [1234.56, 0.0],
         "gate": [-246.91, 0.0], "cap": [-7.65, 0.0], "clawback": [-50.5, 0.0], "payout": [929.5, 0.0],
         "payout_share": [0.978421, NAN]}
    )  # fmt: skip


@pytest.fixture
def seen():
    return SimpleNamespace(as_of=JUNE, source={"name": "CRM <x>", "currency": "CNY"})


@pytest.fixture
def running():
    return SimpleNamespace(
        as_of=datetime.date(2026, 5, 31), source={"name": "CRM", "currency": "CNY"}
    )


def said(shown):
    return str(shown).replace(numbers.NO_BREAK, " ")


def make_answer(seen, table, ledger, **more):
    given = {"before": payouts(), "tiers": tiers(), "near": near(), "ledger": ledger, "seen": seen}
    return page.answer(table, **given | {"process": process(), "period": QUARTER} | more)


def test_the_answer_says_payout_share_and_what_it_is_compared_with(seen, metric):
    """
    929.50 of 1,050.00 that counts, the period before, and the tier most comes from.
    """
    shown = make_answer(seen, payouts(), metric.ledger)

    assert shown.summary["message"].replace(numbers.NO_BREAK, " ") == (
        "CNY 930 for 1 of 3 people in Apr–Jun 2026: 88.5 % of the CNY 1K that counts, after 88.5 % in the period "
        "before; the largest part of it, 81 %, at 2 % for what lies below 80 % of the quota"
    )
    cards = {key: value.replace(numbers.NO_BREAK, " ") for key, value in shown.summary["cards"]}
    assert cards == {
        "Payout": "CNY 930", "Share of the amount that counts": "88.5 %", "Withheld by gates and cap": "CNY 255",
        "Taken back": "CNY 50", "Near the next step": "1 person", "Without a quota": "1 person",
    }  # fmt: skip


def test_a_running_period_says_so_far(running, metric):
    """
    Amounts of a period that is not over are those until now.
    """
    shown = make_answer(running, payouts(), metric.ledger, before=payouts().iloc[:0])

    assert "in Apr–Jun 2026 so far: 88.5 % of" in said(shown)
    assert "period before" not in said(shown)


def test_several_plans_have_no_common_share(seen, metric):
    """
    A deal may count for each of two plans, so no share of the amounts is said.
    """
    two = payouts().assign(plan=["commission", "bonus", "commission"])
    rules = process(plan(), plan(id="bonus", name=both("Bonus")))

    shown = make_answer(seen, two, metric.ledger, process=rules)

    assert (
        shown.summary["message"]
        .replace(numbers.NO_BREAK, " ")
        .startswith("CNY 930 for 1 of 3 people in Apr–Jun 2026; the largest")
    )
    assert dict(shown.summary["cards"])["Share of the amount that counts"] == "n/a"
    assert '<th scope="col">Plan</th>' in said(
        page.payout_table(two, seen=seen, process=rules, period=QUARTER)
    )


def test_without_payouts_every_section_says_why(seen, metric):
    """
    A source that cannot give the plans shows its reason, escaped, and nothing crashes.
    """
    none, why = payouts().iloc[:0], "no <payments>"
    asked = {"seen": seen, "process": process(), "period": QUARTER, "reason": why}

    blocks = [
        make_answer(seen, none, metric.ledger, before=none, near=none, tiers=tiers().iloc[:0], reason=why),
        page.payout_bars(none, **asked),
        page.cost(cost().iloc[:0], by_plan=cost().iloc[:0], tiers=tiers().iloc[:0], **asked),
        page.near_a_step(none, **asked),
        page.line_table(lines().iloc[:0], **asked),
        page.gate_table(gates().iloc[:0], **asked),
        page.what_if(pd.DataFrame(), other=process(), seen=seen, period=QUARTER, reason=why),
        page.accounting(pd.DataFrame(), seen=seen, process=process(), reason=why),
        page.statement_sum(none, **asked),
        page.next_step(none, **asked),
        page.statement_answer(none, lines=lines().iloc[:0], before=none, ledger=metric.ledger, **asked),
    ]  # fmt: skip

    assert all("no &lt;payments&gt;" in str(block) for block in blocks)
    assert "nobody holds the role of a plan" in str(make_answer(seen, none, metric.ledger))
    empty = page.to_do(
        none,
        lines=lines(),
        gates=gates(),
        near=none,
        seen=seen,
        process=process(),
        period=QUARTER,
        until=None,
    )
    assert str(empty) == ""


def test_payouts_are_drawn_and_listed_to_the_cent(seen):
    """
    Each sum has its parts beside it; who has left or has no quota is said.
    """
    shown = said(page.payout_bars(payouts(), seen=seen, process=process(), period=QUARTER))

    assert "The largest payout is &lt;b&gt;" in shown
    assert "<b>" not in shown.replace("<b>better", "").replace("<b>worse", "")
    for text in (
        "1,234.56",
        "−246.91",
        "−7.65",
        "−10.50",
        "969.50",
        "95.0 %",
        "from 80 % to 100 % of the quota: 3 %",
    ):
        assert text in shown
    assert "no quota" in shown
    assert "not there any more" in shown
    assert "Bars, the largest first" in shown
    assert "cy −40.00" in shown


def test_the_bars_are_the_payouts():
    """
    One bar per person from 0, those below 0 in another colour.
    """
    ax = page._bars(payouts(), currency="CNY")

    widths = [bar.get_width() for bar in ax.patches]
    assert widths == [969.5, 0.0, -40.0]
    assert ax.patches[0].get_facecolor() != ax.patches[2].get_facecolor()
    assert ax.get_xlabel() == "Payout (CNY)"
    notes = [text.get_text().replace(numbers.NO_BREAK, " ") for text in ax.texts]
    assert notes == ["970 (95 %)", "0", "−40"]


def test_every_line_says_its_rule_deal_credit_and_day(seen):
    """
    Slices with tier, rate and accelerator; gate, cap and clawback with their reasons; the sum below.
    """
    shown = said(page.line_table(lines(), seen=seen, process=process(), period=QUARTER))

    for text in (
        "&lt;D1&gt;", "5 May 2026", ">Won<", "Paid by the customer, won 1 Mar 2026", "70 %, others: 30 %",
        "12.5 %, others: 87.5 %", "below 80 % of the quota: 2 %", "from 80 % to 100 % of the quota: 3 % × 1.2",
        "Gate: Visits is below its criterion", "0.25 is below 0.3: 80 % is paid", "Cap: 987.65 is cut to 980.00",
        "at most 980.00 per person and period",
        "Refund: 50 % of what was paid for 10 Jan 2026 (2026-Q1) is taken back", "on day 115 after winning; 4.2 % of it, as paid in 2026-Q1",
        "no quota, so no step to measure on: nothing is paid", "969.50",
    ):  # fmt: skip
        assert text in shown, text
    assert "&lt;b&gt;" in shown
    assert "(empty)" not in shown
    assert "&lt;b&gt;" not in said(
        page.line_table(lines(), seen=seen, process=process(), period=QUARTER, is_own=True)
    )


def test_gates_show_criterion_and_evidence(seen):
    """
    A closed gate, one that cannot be judged, and one whose KPI is not in force.
    """
    shown = said(page.gate_table(gates(), seen=seen, process=process(), period=QUARTER))

    for text in (
        "Visits",
        "25 %",
        "10–45 %",
        "20 entries",
        "3 entries (8 needed)",
        "30 %",
        "80 %",
        ">closed<",
    ):
        assert text in shown, text
    assert shown.count("open: cannot be judged") == 2


def test_cautions_name_what_bends_the_amounts(seen, running):
    """
    A running period, refunds that the source does not have, gates without evidence; with none of them nothing.
    """
    asked = {"seen": running, "process": process(), "period": QUARTER}

    shown = said(page.cautions(payouts(), gates=gates(), no_payments="no <file>", **asked))
    quiet = page.cautions(payouts(), gates=gates().head(1), **asked | {"seen": seen})
    no_refunds = process(plan(clawback_when=()))
    fine = page.cautions(
        payouts(),
        gates=gates().head(1),
        no_payments="x",
        seen=seen,
        process=no_refunds,
        period=QUARTER,
    )

    assert "The period runs until 30 Jun 2026" in shown
    assert "the source has none to see: no &lt;file&gt;" in shown
    assert "2 of 3 gates cannot be judged and stay open" in shown
    assert (str(quiet), str(fine)) == ("", "")


def test_what_to_do_has_a_reason_a_person_and_a_day(seen, running):
    """
    Clawbacks, closed gates, missing quotas, and people near a step only while the period runs.
    """
    asked = {
        "lines": lines(),
        "gates": gates(),
        "near": near(),
        "process": process(),
        "period": QUARTER,
    }
    until = datetime.date(2026, 7, 14)

    small = lines().iloc[[4]].assign(deal_id="D9", pay=-1.5)
    asked["lines"] = pd.concat([lines(), small], ignore_index=True)
    over = said(page.to_do(payouts(), seen=seen, until=until, **asked))
    still = said(page.to_do(payouts(), seen=running, until=until, **asked))
    nothing = page.to_do(
        payouts().head(1), seen=seen, until=None,
        **asked | {"lines": lines().head(1), "gates": gates().tail(1)},
    )  # fmt: skip

    assert "CNY 12.00 from 1 person; the largest: &lt;b&gt;" in over
    assert "deal D3, −10.50" in over
    assert "Plan &lt;two&gt; visits" in over
    assert "1 person below the gate on Visits" in over
    assert "1 person: Bob" in over
    assert "Give each person the own statement" in over
    assert "Manager &lt;m&gt;" in over
    assert "Say what the next step needs" not in over
    assert "Say what the next step needs" in still
    assert "Give each person" not in still
    assert "Nothing is to be cleared" in str(nothing)


def test_cost_is_shown_by_team_tier_and_plan(seen):
    """
    The plan's table only where there are several; a share without an amount is n/a.
    """
    asked = {"tiers": tiers(), "seen": seen, "process": process(), "period": QUARTER}
    one = said(page.cost(cost(), by_plan=cost().head(1), **asked))
    plans = cost().assign(group=["commission", "bonus"])
    rules = process(plan(), plan(id="bonus", name=both("Bonus")))
    two = said(page.cost(cost(), by_plan=plans, **asked | {"process": rules}))

    for text in (
        "929.50",
        "97.8 %",
        "n/a",
        "below 80 % of the quota",
        "no step",
        "81.0 %",
        "(none)",
    ):
        assert text in one, text
    assert "Cost by plan" not in one
    assert "Cost by plan" in two
    assert "Commission &lt;q&gt;" in two


def test_the_next_step_says_what_is_missing_and_whether_it_jumps(seen, running):
    """
    A jump is shown, with what it tempts to, only where steps are retroactive; a period that is over says so.
    """
    asked = {"process": process(), "period": QUARTER}
    over = said(page.near_a_step(near(), seen=seen, **asked))
    jump = near().assign(tiers_are="retroactive", jump=33.25)
    still = said(page.next_step(jump, seen=running, **asked))

    assert "100 % of the quota" in over
    assert "50.00" in over
    assert "what is missing stays missing" in over
    assert "Jump" not in over
    assert "33.25" in still
    assert "Such a jump rewards moving a deal" in still
    assert "stays missing" not in still
    last = payouts().head(1).assign(missing=NAN)
    assert "The last step is reached" in said(page.next_step(last, seen=seen, **asked))


def test_what_if_sums_both_and_says_what_it_cannot_know(seen):
    """
    Sums, changes with their sign, and that people might have sold otherwise.
    """
    table = pd.DataFrame(
        {"person": ["a", "b"], "name": [HOSTILE, "B"], "team": ["T", None], "payout": [10.0, 5.0],
         "other_payout": [30.25, 0.0], "difference": [20.25, -5.0]}
    )  # fmt: skip

    shown = said(page.what_if(table, other=process(), seen=seen, period=QUARTER))
    unasked = said(page.what_if(table, other=None, seen=seen, period=QUARTER))

    assert (
        "By the rules of “Field &lt;team&gt;” the period would cost CNY 30 instead of CNY 15, +15.25"
        in shown
    )
    assert "1 person would get more, 1 less" in shown
    for text in ("+20.25", "−5.00", "15.00", "30.25", "People might have sold otherwise"):
        assert text in shown, text
    assert "params/process_small_team.yaml" in unasked
    assert "30.25" not in unasked


def test_the_rules_are_said_in_words(seen):
    """
    Every part of a plan; those that a plan does not have are left out.
    """
    shown = said(page.rules(seen=seen, process=process(), period=QUARTER))
    money = plan(
        measured_on="amount", tiers_are="retroactive", basis="paid", splits="owner", accelerators=[], cap=None,
        gates=[], clawback_when=(), tiers=[SimpleNamespace(above=0, rate=0.015), SimpleNamespace(above=100000, rate=0.0625)],
    )  # fmt: skip
    other = said(page.rules(seen=seen, process=process(money), period=QUARTER))

    for text in (
        "Commission &lt;q&gt;", "rep, since 1 Jul 2024", "Booked:", "from 100 % of the quota: 6.5 %", "marginal:",
        "Segment &lt;big&gt;: rate × 1.2", "where “Visits” is below 0.3, only 80 % is paid", "at most CNY 150,000.00 per person",
        "within 180 days after winning", "by the revenue shares",
    ):  # fmt: skip
        assert text in shown, text
    for text in ("Paid:", "below 100,000: 1.5 %; from 100,000: 6.25 %", "retroactive:", "all to the owner at winning",
                 "nothing is taken back"):  # fmt: skip
        assert text in other, text
    for text in ("Gate", "Cap", "Accelerators"):
        assert f">{text}<" in shown
        assert f">{text}<" not in other


def test_a_statement_says_what_is_paid_and_for_what(seen, metric):
    """
    Name, amount to the cent, deals, credit, attainment, what is taken back, the next step; nobody else.
    """
    own, before = payouts().head(1), payouts().head(1)
    asked = {"seen": seen, "process": process(), "period": QUARTER}

    shown = page.statement_answer(
        own, lines=lines().head(5), before=before, ledger=metric.ledger, **asked
    )
    parts = said(page.statement_sum(own, **asked))

    assert shown.summary["message"].replace(numbers.NO_BREAK, " ") == (
        f"{HOSTILE}: CNY 969.50 for Apr–Jun 2026, from 2 deals with a credit of CNY 950.00, 95 % of the quota; "
        "CNY 10.50 is taken back"
    )
    cards = dict(shown.summary["cards"])
    assert cards["Withheld by gates and cap"] == "254.56"
    assert cards["To the next step"] == "50.00"
    for text in (
        "1,234.56",
        "−246.91",
        "−7.65",
        "−10.50",
        "969.50",
        "the quota is 1,000.00, prorated for the days employed",
    ):
        assert text in parts, text
    for other in ("Bob", "bob", "cy"):
        assert other not in parts + said(shown)


def test_a_statement_without_a_plan_or_quota_says_so(seen, metric):
    """
    Someone without a plan, without a quota, and someone who is only asked to give back.
    """
    asked = {
        "seen": seen,
        "process": process(),
        "period": QUARTER,
        "ledger": metric.ledger,
        "lines": lines().iloc[:0],
    }
    none = payouts().iloc[:0]

    assert "no incentive plan is for this person then" in said(
        page.statement_answer(none, before=none, **asked)
    )
    bob = payouts().iloc[[1]]
    assert "without a quota there is no step" in said(
        page.statement_answer(bob, before=none, **asked)
    )
    cy = page.statement_answer(payouts().iloc[[2]], before=none, **asked)
    assert "cy: CNY −40.00 for Apr–Jun 2026, from 0 deals; CNY 40.00 is taken back" in said(cy)
    parts = said(
        page.statement_sum(payouts().iloc[[2]], seen=seen, process=process(), period=QUARTER)
    )
    assert "only what is undone is taken back" in parts


def test_the_way_to_object_has_a_date(seen):
    """
    Reviewer and objection of the scorecard in force; without one nothing.
    """
    until = datetime.date(2026, 7, 14)

    shown = said(page.review(seen=seen, process=process(), period=QUARTER, until=until))
    none = page.review(seen=seen, process=process(has_card=False), period=QUARTER, until=None)

    assert "In writing" in shown
    assert "until 14 Jul 2026" in shown
    assert str(none) == ""


def test_amounts_that_did_not_count_have_their_reason(seen):
    """
    Each reason reads as words, an unknown amount is n/a.
    """
    table = pd.DataFrame(
        {"plan": "commission", "reason": ["counted", "no_quota", "other_people", "nobody", "not_won", "no_amount"],
         "n_deals": 1, "amount": [1.5, 2.0, 3.0, -4.0, 5.0, NAN]}
    )  # fmt: skip

    shown = said(page.accounting(table, seen=seen, process=process()))

    assert len({page.why_text(reason) for reason in table["reason"]}) == 6
    for text in ("1.50", "−4.00", "n/a", "Counted", "no longer won within the period"):
        assert text in shown, text


def test_the_measures_are_defined_with_their_limits():
    """
    Each has a question, a definition, a source, caveats and a misuse.
    """
    shown = str(page.measure_cards())

    for name in words.MEASURES["incentives"]:
        measure = words.measure(name)
        assert all(
            [measure.what, measure.definition, measure.source, measure.caveats, measure.not_for]
        )
        assert measure.name in shown


def test_no_page_ranks_or_sorts_out_people(seen, metric):
    """
    The words of forced rankings stand nowhere.
    """
    asked = {"seen": seen, "process": process(), "period": QUARTER}
    shown = said(page.payout_bars(payouts(), **asked)) + said(page.measure_cards())
    shown += said(make_answer(seen, payouts(), metric.ledger))

    assert not [word for word in ("worst", "bottom", "末位", "淘汰") if word in shown.lower()]
