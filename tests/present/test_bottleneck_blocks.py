"""Value of a step, opportunities and velocity: texts, chart and tables from small frames made by hand."""

import html as markup
import re

import pandas as pd
import pytest

from salesanalysis.present import answers, tables, words
from salesanalysis.present import bottlenecks as blocks

NAN = float("nan")
HOSTILE = '<b>"O\'Neil" & $x$</b>'
BARE = re.compile(r"(?<!closed )(?<!created )(?<!cohort )(?<!with-stale )win rate", re.IGNORECASE)


def plain(shown):
    """The words of a fragment; a space that cannot break counts as a space."""
    text = markup.unescape(re.sub(r"<[^>]*>", " ", str(shown))).replace("\u00a0", " ")
    return " ".join(text.split())


def cells(shown, number=0):
    """Texts of the cells of a table, row by row, the header first."""
    table = re.findall(r"<table>.*?</table>", str(shown), flags=re.DOTALL)[number]
    rows = re.findall(r"<tr>.*?</tr>", table, flags=re.DOTALL)
    return [
        [plain(cell) for cell in re.findall(r"<t[hd].*?</t[hd]>", row, re.DOTALL)] for row in rows
    ]


def levers():
    """The second stage gains most; the third has no benchmark and a hostile name."""
    return pd.DataFrame(
        {"pipeline": "new", "stage": ["Lead", "报价", HOSTILE], "stage_order": [1, 2, 3],
         "within_days": 90, "n_deals": [400, 250, 60], "n_advanced": [250, 150, 40],
         "advanced_rate": [0.63, 0.61, NAN], "advanced_rate_low": [0.58, 0.55, NAN],
         "advanced_rate_high": [0.67, 0.67, NAN], "n_eff": [390.0, 240.0, NAN],
         "benchmark_rate": [0.65, 0.7, NAN], "benchmark_groups": ["North", "<South>, 华东", ""],
         "n_groups": [4, 4, 1], "leads_per_month": 40.0, "wins_per_month": 9.9, "product_rate": 0.26,
         "won_rate": 0.248, "won_rate_low": 0.21, "won_rate_high": 0.29, "won_through_share": 1.0,
         "gain_per_month": [0.42, 1.46, NAN], "gain_low": [0.0, 0.31, NAN],
         "gain_high": [1.1, 2.84, NAN], "top_share": [0.18, 0.81, NAN],
         "amount_per_month": [4200.0, 14600.0, NAN]}
    )  # fmt: skip


def unclear():
    """No stage gains most with a probability of one half."""
    return levers().assign(top_share=[0.45, 0.49, NAN])


def opportunities():
    """One point by its share, one by its activities only, one by both."""
    return pd.DataFrame(
        {"kind": ["source", "region", "source × product"], "group": [HOSTILE, "West", "Web × X"],
         "n_deals": [60, 300, 44], "won_rate": [0.32, 0.22, 0.3], "won_rate_low": [0.24, 0.18, 0.2],
         "won_rate_high": [0.42, 0.27, 0.42], "rest_rate": [0.18, 0.17, 0.18],
         "q_value": [0.0004, 0.012, 0.031], "has_few_activities": [False, True, True],
         "has_small_share": [True, False, True], "share_now": [0.08, 0.5, 0.03],
         "share_before": [0.09, 0.51, 0.04], "average_share": [0.25, 0.33, 0.0625],
         "n_activities_per_week": [0.71, 0.414, 0.5], "rest_activities_per_week": [0.7, 0.689, 0.7],
         "n_activities_per_deal": [4.0, 2.24, 3.0], "rest_activities_per_deal": [4.1, 4.3, 4.2],
         "extra_wins_per_month": [1.24, NAN, 0.3], "extra_wins_low": [0.4, NAN, 0.1],
         "extra_wins_high": [2.1, NAN, 0.6], "extra_amount_per_month": [12400.0, NAN, 3000.0]}
    )  # fmt: skip


def velocity(**values):
    """The four levers and what is said of them."""
    known = {"open_deals": 259.0, "mean_won_amount": 95762.9, "win_rate": 0.22988,
             "cycle_days": 35.0, "velocity": 162906.9, "created_per_day": 4.378, "days_open": 59.16,
             "open_deals_half_cycle": 129.5, "velocity_half_cycle": 162906.9} | values  # fmt: skip
    return pd.DataFrame({"lever": list(known), "value": list(known.values()), "n": [259, 360, 1566, 360, 360, 1598, 259, 259, 360]})  # fmt: skip


ASKED = {"age_days": 90, "recent_months": 6}
WORTH = {"by": "team", "period_months": 12}


def test_the_first_step_is_named_with_its_probability(seen):
    """
    Number, range and probability stand together; from 0.9 on the words are surer, below 0.5 nothing is named.
    """
    assert blocks.finding(levers()).replace("\u00a0", " ") == (
        "Most likely 报价 is worth improving first (probability 81 %): an estimated 1.5 wins a month more (likely 0.3–2.8)"
    )
    sure = blocks.finding(levers().assign(top_share=[0.05, 0.9, NAN]))
    assert sure.startswith("报价 is worth improving first (probability 90")
    half = blocks.finding(levers().assign(top_share=[0.4, 0.5, NAN]))
    assert half.startswith("Most likely 报价")


def test_a_range_that_begins_at_nothing_says_that_there_may_be_none():
    """
    The likely range from 0.0 is put into words; one from 0.1 is not.
    """
    table = levers()

    for low, said in ((0.04, "(likely 0.0–2.8, so perhaps none)"), (0.1, "(likely 0.1–2.8)")):
        for text in (blocks.finding, blocks.clause):
            assert text(table.assign(gain_low=low)).endswith(said)


def test_where_it_cannot_be_told_two_candidates_are_named(seen):
    """
    Below one half no step is the first: both candidates stand with probability and wins.
    """
    assert blocks.finding(unclear()).replace("\u00a0", " ") == (
        "Which step is worth improving first cannot be told: 报价 (probability 49 %, 1.5 wins a month) or "
        "Lead (probability 45 %, 0.4 wins a month)"
    )
    one = unclear().assign(top_share=[0.0, 0.4, NAN])
    assert blocks.finding(one).startswith(
        "Which step is worth improving first cannot be told; at best 报价"
    )
    text = plain(blocks.levers(unclear(), seen=seen, **WORTH))
    assert "From 报价 an estimated 61 %" in text
    assert "From Lead an estimated 63 %" in text


@pytest.mark.parametrize(
    "changed",
    [{"top_share": 0.0, "gain_high": 0.0}, {"gain_per_month": 0.0, "gain_high": 0.04}],
)
def test_a_gain_that_reads_as_nothing_names_no_step(changed):
    """
    All at their benchmark, or a gain that would be printed as 0.0: no step is named, whatever its probability.
    """
    table = levers().assign(**changed)

    assert blocks.finding(table) == "No step would gain: each is where the better groups are"
    assert blocks.top(table) is None
    assert blocks.clause(table) == ""


def test_a_median_of_nothing_is_never_the_first():
    """
    A step with probability 0.8 and a median gain that rounds to 0.0 stays a candidate.
    """
    table = levers().assign(gain_per_month=[0.0, 0.04, NAN])

    assert blocks.top(table) is None
    assert "cannot be told" in blocks.finding(table)


def test_the_figure_says_rate_benchmark_and_who_reaches_it(seen):
    """
    Under the chart: the rate with its range, the benchmark, its groups, the wins it compares with and the amount; then
    what the product of the steps says beside what was observed.
    """
    shown = blocks.levers(levers(), seen=seen, **WORTH)

    text = plain(shown)
    assert (
        "From 报价 an estimated 61 % (likely 55–67 %) of deals go on within 90 days; <South>, 华东 reach 70 % or more. "
        "The gain compares with about 10 wins a month now and is worth about USD 14.6K a month at the mean amount of a "
        "won deal." in text
    )
    assert "(by team) reaches; 95 % range, and P, the probability that the stage gains most" in text
    assert "in the last 12 months before 31 Dec 2017" in text
    assert (
        "The steps multiplied say that 26.0 % of the 40 leads a month are won; as far as they were followed an estimated "
        "25 % (likely 21–29 %) are." in text
    )
    assert "They differ because" not in text
    assert "<b>" not in str(shown)
    assert "<South>" not in str(shown)


def test_without_amounts_no_amount_is_said(seen):
    """
    The clause of the amount is left out and the column says n/a.
    """
    shown = blocks.levers(levers().assign(amount_per_month=NAN), seen=seen, **WORTH)

    assert "is worth about" not in plain(shown)
    assert [row[-1] for row in cells(shown)[1:]] == ["n/a"] * 3


@pytest.mark.parametrize("product", [0.2, 0.3])
def test_a_product_outside_of_the_range_is_said(seen, product):
    """
    Where the steps multiplied are not what was observed, the page says so and what follows.
    """
    shown = blocks.levers(levers().assign(product_rate=product), seen=seen, **WORTH)

    assert "They differ because deals skip stages or move back" in plain(shown)


def test_each_pipeline_is_said_by_name(seen):
    """
    With two pipelines a stage carries its pipeline, and each has its own product.
    """
    both = pd.concat([levers()[:2], levers()[:2].assign(pipeline="renewal")], ignore_index=True)
    both["top_share"] = [0.1, 0.6, 0.1, 0.2]

    text = plain(blocks.levers(both, seen=seen, **WORTH))

    assert "Most likely new · 报价 is worth improving first" in text
    assert "leads a month of new are won" in text
    assert "leads a month of renewal are won" in text


def test_the_chart_draws_gain_range_and_probability():
    """
    A point and a range per stage, the probability as text; nothing where nothing is known.
    """
    table = levers()
    axes = blocks._gains(table.assign(gain=table["gain_per_month"]))

    points = axes.get_lines()[0].get_xydata()
    assert points[:2].tolist() == [[0.42, 0], [1.46, 1]]
    (ranges,) = axes.collections
    assert [segment[:, 0].tolist() for segment in ranges.get_segments()[:2]] == [
        [0.0, 1.1],
        [0.31, 2.84],
    ]
    assert axes.get_xlim()[0] == 0
    assert axes.get_xlabel() == "Wins gained a month"
    notes = [text.get_text().replace("\u00a0", " ") for text in axes.texts]
    assert notes == ["0.4 (P 18 %)", "1.5 (P 81 %)", "n/a (P n/a)"]


def test_the_table_of_levers_shows_every_column(seen):
    """
    Counts, rate, benchmark, who reaches it, gain, probability and amount, each with its unit.
    """
    head, *rows = cells(blocks.levers_table(levers(), seen=seen))

    assert head == [
        "Stage", "Deals", "Within (days)", "Next-step conversion", "95 % interval", "Benchmark",
        "Reached by", "Wins gained a month", "95 % interval", "Gains most: probability",
        "Amount gained a month (USD)",
    ]  # fmt: skip
    assert rows[1] == [
        "报价", "250", "90", "61.0 %", "55.0–67.0 %", "70.0 %", "<South>, 华东", "1.5", "0.3–2.8",
        "81 %", "14,600",
    ]  # fmt: skip
    assert rows[2][5:10] == ["n/a", "–", "n/a", "n/a", "n/a"]


def test_what_cannot_be_said_of_a_step_has_its_reason(seen):
    """
    Without history the source's reason; without groups or follow-up our own; an empty table names the day.
    """
    nothing = levers()[:0]
    alone = levers().assign(gain_per_month=NAN, n_groups=1)
    young = levers().assign(gain_per_month=NAN)

    said = [
        plain(blocks.levers(table, seen=seen, **WORTH, reason=reason))
        for table, reason in (
            (nothing, "no history"),
            (alone, None),
            (young, None),
            (nothing, None),
        )
    ]

    assert said[0] == "Wins gained at each stage: nothing to show no history"
    assert "No stage has two groups by team with enough deals" in said[1]
    assert "no deal has been followed long enough" in said[2]
    assert "no row as of 31 Dec 2017" in said[3]
    assert "no row" in plain(blocks.levers_table(nothing, seen=seen))


def test_opportunities_say_what_a_segment_gets_little_of(seen):
    """
    One row per point: its rate beside that of the rest, what attention means there, wins more with their range.
    """
    shown = blocks.opportunities(
        opportunities(), compared=pd.DataFrame({"kind": ["source"] * 148}), seen=seen, **ASKED
    )

    text = plain(shown)
    assert text.startswith(
        "3 of 148 segments and pairs of segments convert better than the rest beyond chance and get little attention. "
        f"Most would come from {HOSTILE} (source of the deal): 32 % are won by the age of 90 days against 18 % of the "
        "rest; with the average share of new deals that is an estimated 1.2 wins a month more (likely 0.4–2.1)."
    )
    _head, *rows = cells(shown)
    assert rows[0] == [
        "Source of the deal", HOSTILE, "60", "32.0 %", "24.0–42.0 %", "18.0 %", "< 0.001",
        "8.0 % of new deals, on average 25.0 %; before 9.0 %", "1.2", "0.4–2.1", "12,400",
    ]  # fmt: skip
    assert rows[1][7:] == [
        "0.41 activities per week open, the rest 0.69 (2.2 against 4.3 per deal)", "n/a", "n/a", "n/a",
    ]  # fmt: skip
    assert rows[2][0] == "Source of the deal × Product"
    assert "of new deals" in rows[2][7]
    assert "activities per week open" in rows[2][7]
    assert "<b>" not in str(shown)


def test_where_no_segment_is_an_opportunity_that_is_said(seen):
    """
    How many were compared; without any the reason of the source, or our own.
    """
    none, some = opportunities()[:0], pd.DataFrame({"kind": ["source"] * 20})
    without = some[:0]

    said = [
        plain(blocks.opportunities(none, compared=compared, seen=seen, reason=reason, **ASKED))
        for compared, reason in ((some, None), (without, "no activities"), (without, None))
    ]

    assert said[0].startswith("None of the 20 segments and pairs of segments compared")
    assert said[1].endswith("nothing to show no activities")
    assert "No kind of segment has two groups with enough deals to compare." in said[2]


def test_activities_alone_give_no_number_of_wins(seen):
    """
    A single point by its activities is counted in the singular, and no wins are promised.
    """
    one = opportunities()[1:2]
    text = plain(
        blocks.opportunities(one, compared=pd.DataFrame({"kind": ["a"] * 9}), seen=seen, **ASKED)
    )

    assert text.startswith(
        "1 of 9 segments and pairs of segments converts better than the rest beyond chance and gets little attention. Seg"
    )


def test_a_long_list_of_opportunities_is_cut_and_says_so(seen):
    """
    The clearest twelve are shown.
    """
    many = pd.concat([opportunities()] * 5, ignore_index=True)
    shown = blocks.opportunities(
        many, compared=pd.DataFrame({"kind": ["a"] * 99}), seen=seen, **ASKED
    )

    assert "15 of 99" in plain(shown)
    assert "; the 12 clearest are shown. Most would come" in plain(shown)
    assert len(cells(shown)) == 1 + 12


def test_velocity_is_four_levers_with_definitions(seen):
    """
    Each lever has a definition, a value and the deals behind it; their product stands in the remark only.
    """
    shown = blocks.velocity(velocity(), seen=seen, period_months=12)

    _head, *rows = cells(shown)
    assert [row[0] for row in rows] == ["Open deals", "Mean won amount", "Closed win rate", "Cycle"]
    assert [row[2] for row in rows] == ["259", "USD 95,763", "23.0 %", "35 days"]
    assert [row[3] for row in rows] == ["259", "360", "1,566", "360"]
    assert all("12 months" in row[1] for row in rows[1:])
    text = plain(shown)
    assert "divides by the cycle, which gives USD 162.9K a day" in text
    assert "a cycle shorter by a tenth a ninth more" in text
    assert (
        "259 deals are open because 4.4 are created a day and stay open for 59 days on average. If all of them, won or "
        "lost, took half as long, 130 would be open, and the formula would still say USD 162.9K a day."
        in text
    )
    assert not re.search(r"<h\d", str(shown))


def test_velocity_without_amounts_or_wins_is_honest(seen):
    """
    Without amounts the product is wins a day; without a product there is none.
    """
    counted = velocity(mean_won_amount=NAN, velocity=1.73, velocity_half_cycle=1.73)
    nothing = velocity(velocity=NAN, velocity_half_cycle=NAN, cycle_days=NAN)

    text = plain(blocks.velocity(counted, seen=seen, period_months=12))
    assert "which gives 1.7 wins a day" in text
    assert "still say 1.7 wins a day" in text
    assert "Mean won amount mean amount of the deals won in the last 12 months n/a" in text
    none = plain(blocks.velocity(nothing, seen=seen, period_months=12))
    assert "no deal was won, or all were won on the day they were created" in none
    assert "nan" not in none.lower()


def test_the_answer_of_the_funnel_names_the_lever_only_where_it_can_be_told(metric, seen):
    """
    One clause with number, range and probability; unclear, unknown or not given adds nothing.
    """
    given = {"cumulative": metric.cumulative, "steps": metric.steps, "times": metric.times,
             "status": metric.status, "ledger": metric.ledger, "within_days": 180, "seen": seen}  # fmt: skip
    before = answers.sales_funnel(**given).summary["message"]

    told = answers.sales_funnel(**given, levers=levers()).summary["message"]

    assert told.removeprefix(before).replace("\u00a0", " ") == (
        "; improving 报价 would most likely gain most (P 81 %): an estimated 1.5 wins a month more (likely 0.3–2.8)"
    )
    sure = answers.sales_funnel(**given, levers=levers().assign(top_share=[0.05, 0.95, NAN]))
    assert "; improving 报价 would gain most (P 95" in sure.summary["message"]
    for table in (unclear(), levers()[:0], levers().assign(gain_per_month=NAN, top_share=NAN, gain_high=NAN)):  # fmt: skip
        assert answers.sales_funnel(**given, levers=table).summary["message"] == before


def segments(n):
    """As many comparisons of regions, the clearest last, then one of a rep and one of few deals, both clearer."""
    q = [0.9 - 0.8 * place / n for place in range(n)]
    return pd.DataFrame(
        {"kind": ["region"] * n + ["owner", "product"], "group": [f"R{k}" for k in range(n)] + ["E1", "tiny"],
         "name": [f"R{k}" for k in range(n)] + ["王芳", "tiny"], "pipeline": "new", "stage": "Lead",
         "stage_order": 1, "n_deals": [30] * (n + 1) + [29], "advanced_rate": 0.5,
         "advanced_rate_low": 0.4, "advanced_rate_high": 0.6, "difference": 0.1,
         "difference_low": -0.1, "difference_high": 0.3, "p_value": 0.2, "q_value": [*q, 0.001, 0.001]}
    )  # fmt: skip


def test_the_segment_table_shows_the_clearest_and_counts_the_others(seen):
    """
    Forty rows with the smallest q, in the order given; how many more there are, and how many may not be named.
    """
    shown = tables.segments(segments(55), seen=seen)

    rows = cells(shown)[1:]
    assert [row[1] for row in rows] == [f"R{k}" for k in range(15, 55)]
    text = plain(shown)
    assert "15 more comparisons with a larger q are not shown." in text
    assert "2 rows of reps, and of groups with fewer than 30 deals, are left out." in text
    assert "not shown" not in plain(tables.segments(segments(40), seen=seen))


def test_no_rep_and_no_small_group_is_compared_by_name(seen):
    """
    The clearest rows are of a rep and of 29 deals: neither the table nor the sentence names them.
    """
    table = segments(3)

    for shown in (tables.segments(table, seen=seen), answers.segments(table, seen=seen)):
        assert "王芳" not in str(shown)
        assert "tiny" not in str(shown)
    assert "none of the 3 comparisons stands out" in plain(answers.segments(table, seen=seen))
    only = table[-2:]
    assert str(answers.segments(only, seen=seen)) == ""
    assert "nothing to show" in plain(tables.segments(only, seen=seen))


def test_rows_without_a_q_come_last(seen):
    """
    A comparison that could not be made gives way to one that was.
    """
    table = segments(45)
    table.loc[44, "q_value"] = NAN

    assert "R44" not in [row[1] for row in cells(tables.segments(table, seen=seen))]


def test_no_bare_win_rate_stands_in_a_block(seen):
    """
    A win rate carries its label in every text, those of the measure cards included.
    """
    shown = [
        blocks.levers(levers(), seen=seen, **WORTH),
        blocks.opportunities(opportunities(), compared=pd.DataFrame({"kind": ["a"]}), seen=seen, **ASKED),
        blocks.velocity(velocity(), seen=seen, period_months=12),
        *(str(words.measure(name)) for name in ("stage_lever", "opportunity_point", "velocity")),
    ]  # fmt: skip
    for part in shown:
        assert not BARE.search(plain(part))
