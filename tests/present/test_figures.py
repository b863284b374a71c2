"""Figures: two titles, a source, an alternative text with a number, the data."""

import html as markup
import re

import pandas as pd
import pytest

from salesanalysis.present import figures

HOSTILE = '<b>"O\'Neil" & $x$</b>'

ALL = {
    "funnel": ("cumulative", {"within_days": 180}),
    "stage_outcomes": ("accounting", {}),
    "step_conversion": ("steps", {}),
    "time_in_stage": ("times", {}),
    "conversion_curve": ("curve", {"conversion": "conversion"}),
    "cohort_grid": ("grid", {}),
    "win_rate_family": ("win_rates", {"age_days": 90, "stale_days": 138}),
    "monthly_rates": ("monthly", {"age_days": 90}),
    "rep_intervals": ("ranking", {"gate": "gate", "age_days": 90}),
    "rep_amounts": ("totals", {}),
    "attainment": ("attainment", {}),
}


def show(figure, metric, seen, *, table=None, **more):
    """The figure of that name from the table made by hand, or from another one."""
    own, arguments = ALL[figure]
    arguments = {
        key: getattr(metric, value) if isinstance(value, str) else value
        for key, value in arguments.items()
    }
    table = getattr(metric, own) if table is None else table
    return str(getattr(figures, figure)(table, seen=seen, **(arguments | more)))


def plain(fragment):
    """The words of a fragment; a space that cannot break counts as a space."""
    return markup.unescape(re.sub(r"<[^>]*>", "", fragment)).replace("\u00a0", " ").strip()


def headline(shown):
    """The finding."""
    return plain(re.search(r"<h3>(.*?)</h3>", shown, flags=re.DOTALL)[1])


def alt(shown):
    """The text alternative of the chart."""
    found = re.search(r'<svg[^>]*aria-label="([^"]*)"', shown)[1]
    return markup.unescape(found).replace("\u00a0", " ")


@pytest.mark.parametrize("name", ALL)
def test_a_figure_has_all_its_parts(name, metric, seen):
    """
    Headline with a number, subtitle with the date, alternative text with a number, source, data.
    """
    shown = show(name, metric, seen)

    assert re.search(r"\d", headline(shown))
    subtitle = plain(re.search(r'class="subtitle">(.*?)</p>', shown, flags=re.DOTALL)[1])
    assert "31 Dec 2017" in subtitle
    assert re.search(r"\d", alt(shown))
    assert alt(shown).endswith(".")
    assert "Maven &lt;CRM&gt;" in shown
    assert "<details>" in shown
    assert "<caption><span>" in shown


@pytest.mark.parametrize("name", ALL)
def test_without_rows_the_reason_stands_in_its_place(name, metric, seen):
    """
    An empty metric table gives a notice with the reason and no chart.
    """
    shown = show(name, metric, seen, table=pd.DataFrame(), reason="no stage <history>")

    assert "<svg" not in shown
    assert "no stage &lt;history&gt;" in shown


@pytest.mark.parametrize("name", ALL)
def test_nothing_known_is_still_drawn_without_a_warning(name, metric, seen):
    """
    Rates, medians and amounts that are all missing leave a figure, or a notice, that says so.
    """
    own, _arguments = ALL[name]
    table = getattr(metric, own).copy()
    unknown = [c for c in table if c.endswith(("_rate", "_low", "_high", "_days", "rate"))]
    unknown = [c for c in unknown if c not in ("age_days", "within_days")]
    table[[*unknown, *(c for c in ("won_amount", "attainment") if c in table)]] = float("nan")

    shown = show(name, metric, seen, table=table)

    assert "nan" not in plain(shown).lower().split()
    assert re.search(r"\d", alt(shown)) if "<svg" in shown else 'class="notice"' in shown


@pytest.mark.parametrize("name", ["rep_intervals", "rep_amounts", "attainment"])
def test_names_from_the_data_are_text_everywhere(name, metric, seen):
    """
    A name that is markup is escaped in headline, alternative text, chart and data.
    """
    shown = show(name, metric, seen)

    assert "<b>" not in shown
    assert HOSTILE in plain(shown)
    assert HOSTILE in alt(shown)


def test_the_funnel_says_the_share_won_and_its_range(metric, seen):
    """
    The finding is the last row, hedged; the population is those old enough.
    """
    shown = show("funnel", metric, seen)

    assert headline(shown) == (
        "An estimated 18 % (likely 11–27 %) of deals are won within 180 days of creation"
    )
    assert "90 deals created at least that long before 31 Dec 2017" in plain(shown)
    assert alt(shown) == (
        "Bars, from the first stage to won, of 90 deals: Lead 98 %, 报价 58 %, Demo 31 %, Won 18 %."
    )


def test_the_funnel_of_several_pipelines_names_the_largest(metric, seen):
    """
    With two pipelines the finding is of the one with more deals, and says which.
    """
    other = metric.cumulative.assign(pipeline="续约", n_cohort=900)

    shown = show("funnel", metric, seen, table=pd.concat([metric.cumulative, other]))

    assert headline(shown).startswith("续约: an estimated 18 %")


def test_outcomes_say_where_most_are_lost(metric, seen):
    """
    The stage with the most lost entries, in counts; none lost is no "most".
    """
    assert headline(show("stage_outcomes", metric, seen)) == (
        "35 of 100 entries into Lead ended lost, the most of any stage"
    )
    none_lost = metric.accounting.assign(lost=0)
    assert "most" not in headline(show("stage_outcomes", metric, seen, table=none_lost))


def test_steps_compare_the_lowest_with_the_highest(metric, seen):
    """
    The finding names both stages and hedges; it does not speak of a bottleneck.
    """
    found = headline(show("step_conversion", metric, seen))

    assert found == (
        "An estimated 41 % (likely 29–54 %) of deals go on from 报价 within 30 days, "
        "against 62 % from Lead"
    )


def test_a_sentence_names_no_stage_with_few_deals(metric, seen):
    """
    A stage with fewer than thirty deals is drawn but not compared in words.
    """
    metric.steps.loc[2, ["n_deals", "advanced_rate"]] = [5, 1.0]

    assert "Demo" not in headline(show("step_conversion", metric, seen))


def test_the_longest_stay_is_told_with_its_open_end(metric, seen):
    """
    The stage with the longest median; its upper limit is not reached.
    """
    assert headline(show("time_in_stage", metric, seen)) == (
        "Half of the stays in 报价 last 34 days or longer (likely 28 or more)"
    )


def test_the_curve_is_told_where_it_is_still_drawn(metric, seen):
    """
    The finding is the last age with ten deals or more, not the jump after it.
    """
    assert headline(show("conversion_curve", metric, seen)) == (
        "An estimated 26 % (likely 21–33 %) of deals are won by day 60"
    )


def test_groups_are_told_one_by_one(metric, seen):
    """
    Each group has its share and its age in the finding.
    """
    halved = metric.curve.assign(group="East", won_rate=metric.curve["won_rate"] / 2)
    table = pd.concat([metric.curve.assign(group="华东"), halved])

    shown = show("conversion_curve", metric, seen, table=table)

    assert headline(shown) == (
        "Estimated shares won: 华东 26 % (likely 21–33 %) by day 60; "
        "East 13 % (likely 21–33 %) by day 60"
    )


def test_a_curve_of_few_deals_is_not_told(metric, seen):
    """
    Where never ten deals were followed the figure says that it is too little.
    """
    shown = show("conversion_curve", metric, seen, table=metric.curve.assign(n_at_risk=9))

    assert headline(shown) == "Fewer than 10 deals: too few to draw a curve"


def test_the_grid_compares_cohorts_at_equal_age(metric, seen):
    """
    Highest and lowest at the largest age that a cohort has reached; young ones take no part.
    """
    shown = show("cohort_grid", metric, seen)

    assert headline(shown) == (
        "By day 90, 35 % of the deals created in May 2017 were won; "
        "26 % of those of Apr 2017, the lowest of 2 cohorts"
    )
    young = metric.grid.assign(is_mature=False, won_rate=float("nan"))
    assert headline(show("cohort_grid", metric, seen, table=young)) == (
        "No cohort has reached 30 days yet: all are short, not low"
    )


def test_the_family_sets_the_closed_beside_the_cohort_rate(metric, seen):
    """
    Both are named by their label.
    """
    assert headline(show("win_rate_family", metric, seen)) == (
        "The closed win rate says 63 %; the cohort win rate at 90 days is 40 %"
    )


def test_months_tell_how_far_the_rates_move(metric, seen):
    """
    The span of the closed rate, and of the cohort rate over mature months.
    """
    assert headline(show("monthly_rates", metric, seen)) == (
        "The closed win rate lies between 49 % and 79 % by month; "
        "the cohort win rate at 90 days lies between 41 % and 44 %"
    )


def test_reps_are_told_apart_only_where_the_gate_is_open(metric, seen):
    """
    The finding follows the gate in both states.
    """
    opened = show("rep_intervals", metric, seen)
    closed = show("rep_intervals", metric, seen, gate=metric.closed_gate)

    wide = show("rep_intervals", metric, seen, gate=metric.gate.assign(rank_set_places=29.6))
    assert headline(opened) == "The 30 reps differ by more than chance (p = 0.031)"
    assert headline(wide) == (
        "The 30 reps differ by more than chance (p = 0.031), but the list is no ranking: a rep "
        "could hold 30 of its 30 places on average"
    )
    assert headline(closed) == "The data cannot tell these 30 reps apart (p = 0.25)"
    assert "Rank" not in plain(closed)


@pytest.mark.parametrize("name", ["rep_intervals", "attainment"])
def test_a_long_chart_is_cut_and_says_so(name, metric, seen):
    """
    Of more than sixty rows the chart draws the first sixty; the data table has them all.
    """
    own, _arguments = ALL[name]
    table = pd.concat([getattr(metric, own).iloc[[0]]] * 61, ignore_index=True)

    shown = show(name, metric, seen, table=table)

    assert "the first 60 of 61 rows" in plain(shown)
    assert len(re.findall("<tr>", shown)) == 62
    assert "the first 60" not in plain(show(name, metric, seen, table=table[:60]))


def test_truncated_months_take_no_part_in_the_titles(metric, seen):
    """
    Neither the comparison of cohorts nor the span of a rate uses a month without early closings.
    """
    metric.truncated_grid.loc[1, "won_rate"] = 0.99
    grid = show("cohort_grid", metric, seen, table=metric.truncated_grid)
    monthly = show("monthly_rates", metric, seen, table=metric.truncated_monthly)
    none = metric.truncated_grid.assign(is_truncated=True)

    assert headline(grid) == "By day 90, 35 % of the deals created in May 2017 were won"
    assert "; 1 of them 不完整 incomplete, begun before the first recorded closing" in plain(grid)
    assert headline(monthly) == (
        "The closed win rate lies between 49 % and 79 % by month; "
        "the cohort win rate at 90 days lies between 41 % and 41 %"
    )
    assert "; 1 of them 不完整 incomplete" in plain(monthly)
    assert headline(show("cohort_grid", metric, seen, table=none)) == (
        "No month that is complete has reached 30 days yet"
    )


def test_the_largest_amount_is_that_of_a_rep(metric, seen):
    """
    Deals without an owner are drawn, but are nobody's success in the headline.
    """
    table = metric.totals.assign(group=[None, "r2", "r3"], name=[None, "王芳", "East"])

    assert headline(show("rep_amounts", metric, seen, table=table)) == (
        "East won USD 478,396, from 98 deals"
    )


def test_amounts_name_the_largest(metric, seen):
    """
    The finding is the rep with the largest amount, with the currency and the deals.
    """
    assert headline(show("rep_amounts", metric, seen)) == (
        "Darcel Schlecht won USD 1,153,214, from 349 deals"
    )


def test_attainment_is_of_the_latest_finished_period(metric, seen):
    """
    A running period is shown only while none has finished; no quota is not "missed".
    """
    older = metric.attainment.assign(
        period_start=pd.Timestamp("2017-04-01"),
        period_end=pd.Timestamp("2017-06-30"),
        attainment=0.5,
        is_finished=True,
    )
    shown = show("attainment", metric, seen, table=pd.concat([metric.attainment, older]))
    running = metric.attainment[~metric.attainment["is_finished"]]

    assert headline(shown) == "1 of 1 quotas were reached, Jul–Sep 2017"
    assert "20 %" not in alt(shown)
    assert "still running" in plain(show("attainment", metric, seen, table=running))


def test_a_figure_can_stand_twice_under_two_names(metric, seen):
    """
    The name is the figure's id, so that a page can hold it by region and by team.
    """
    assert '<figure id="by-team">' in show("rep_amounts", metric, seen, name="by-team")
