"""Charts: what is drawn is what the table holds, read from the Axes."""

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure
from numpy.testing import assert_allclose

from salesanalysis.present import charts

ALL = {
    "funnel": lambda metric: (metric.cumulative, {}),
    "stage_outcomes": lambda metric: (metric.accounting, {}),
    "step_conversion": lambda metric: (metric.steps, {}),
    "time_in_stage": lambda metric: (metric.times, {}),
    "conversion_curve": lambda metric: (metric.curve, {}),
    "cohort_grid": lambda metric: (metric.grid, {}),
    "win_rate_family": lambda metric: (metric.win_rates, {}),
    "monthly_rates": lambda metric: (metric.monthly, {}),
    "rep_intervals": lambda metric: (metric.ranking, {"overall_rate": 0.397}),
    "rep_amounts": lambda metric: (metric.totals, {"currency": "USD"}),
    "attainment": lambda metric: (metric.attainment, {}),
}


def draw(name, metric, **more):
    """Draw the chart of that name from the table made by hand."""
    table, arguments = ALL[name](metric)
    return getattr(charts, name)(table, **arguments, **more)


def line(ax, label):
    """The line that the legend calls so."""
    return next(line for line in ax.get_lines() if line.get_label() == label)


def row_labels(ax):
    """Names of the rows, from top to bottom."""
    return [text.get_text() for text in ax.get_yticklabels()]


def notes(ax):
    """Texts on the Axes."""
    return [text.get_text().replace("\u00a0", " ") for text in ax.texts]


@pytest.mark.parametrize("name", ALL)
def test_a_chart_changes_nothing_but_its_axes(name, metric):
    """
    The table, the global style and pyplot's figures are as before; the axis says what it shows.
    """
    table, _arguments = ALL[name](metric)
    before, style = table.copy(deep=True), dict(mpl.rcParams)

    ax = draw(name, metric)

    pd.testing.assert_frame_equal(table, before)
    assert dict(mpl.rcParams) == style
    assert ax.get_xlabel()
    assert not ax.get_title()


@pytest.mark.parametrize("name", ALL)
def test_a_chart_draws_on_the_axes_it_is_given(name, metric):
    """
    With ``ax`` the chart goes there and makes no figure of its own.
    """
    given = Figure().subplots()

    assert draw(name, metric, ax=given) is given


def test_funnel_bars_are_the_reached_rates(metric):
    """
    One bar per stage from top to bottom, from 0, the won one in another colour, with k/n beside.
    """
    ax = draw("funnel", metric)

    assert_allclose([bar.get_width() for bar in ax.patches], [0.978, 0.578, 0.311, 0.178])
    assert row_labels(ax) == ["Lead", "报价", "Demo", "Won"]
    colours = [bar.get_facecolor() for bar in ax.patches]
    assert colours[0] == colours[2] != colours[3]
    assert ax.get_xlim() == (0, 1)
    assert ax.get_ylim()[0] > ax.get_ylim()[1]
    assert notes(ax)[1] == "58 % (52/90)"


def test_funnel_whiskers_are_the_bounds(metric):
    """
    The interval of each bar runs from its lower to its upper bound.
    """
    ax = draw("funnel", metric)

    ends = [segment[:, 0] for segment in ax.collections[0].get_segments()]
    assert_allclose(ends, [[0.923, 0.994], [0.475, 0.675], [0.225, 0.413], [0.113, 0.269]])


def test_rows_of_several_pipelines_carry_their_pipeline(metric):
    """
    A stage name that two pipelines share is told apart.
    """
    table = pd.concat([metric.steps, metric.steps.assign(pipeline="续约")])

    labels = row_labels(charts.step_conversion(table))

    assert labels[0] == "new · Lead"
    assert labels[3] == "续约 · Lead"


def test_stage_outcomes_fill_each_bar(metric):
    """
    The parts of a stage are its outcomes over its entries, end to end from 0 to 1.
    """
    ax = draw("stage_outcomes", metric)

    parts = {container.get_label(): container.patches for container in ax.containers}
    assert_allclose([bar.get_width() for bar in parts["Lost"]], [35 / 100, 21 / 60, 9 / 30])
    ends = [bar.get_x() + bar.get_width() for bar in parts["Still open"]]
    assert_allclose(ends, [1, 1, 1])
    assert parts["Lost"][0].get_x() == pytest.approx(0.55)
    assert "35" in notes(ax)


def test_stage_outcomes_leave_out_what_never_occurs(metric):
    """
    An outcome without a single entry is not in the legend; a stage without entries has no bar.
    """
    outcomes = list(charts.OUTCOMES)
    table = metric.accounting.assign(removed=0)
    table.loc[2, ["entries", *outcomes]] = 0

    ax = charts.stage_outcomes(table)

    assert "Removed" not in [text.get_text() for text in ax.get_legend().get_texts()]
    assert sum(container.patches[2].get_width() for container in ax.containers) == 0


def test_step_conversion_points_are_the_rates(metric):
    """
    A rate that cannot be said draws no point and reads "n/a".
    """
    ax = draw("step_conversion", metric)

    drawn = ax.get_lines()[0].get_xydata()
    assert_allclose(drawn[:2], [[0.62, 0], [0.41, 1]])
    assert np.isnan(drawn[2, 0])
    assert notes(ax) == ["62 % (n = 95)", "41 % (n = 57)", "n/a (n = 30)"]


def test_time_in_stage_shows_both_medians_and_an_open_end(metric):
    """
    The estimate is a point, completed stays are hollow, an upper limit not reached is an arrow.
    """
    ax = draw("time_in_stage", metric)

    estimate = line(ax, "All stays, open ones followed until now")
    completed = line(ax, "Completed stays only")
    assert_allclose(estimate.get_xdata()[:2], [12, 34])
    assert_allclose(completed.get_xdata(), [11, 20.5, 8])
    assert completed.get_markerfacecolor() == "none"
    right = ax.get_xlim()[1]
    assert_allclose(line(ax, "Upper limit not reached yet").get_xydata(), [[right, 1]])
    assert_allclose(ax.collections[0].get_segments()[1][:, 0], [28, right])
    assert ax.get_xlim()[0] == 0
    assert "(days)" in ax.get_xlabel()


def test_the_curve_starts_at_zero_and_stops_where_few_remain(metric):
    """
    Steps go from (0, 0) to the age at which fewer than ten are left, whose own value is not drawn.
    """
    ax = draw("conversion_curve", metric)

    won = line(ax, "Won (n = 200)")
    assert_allclose(
        won.get_xydata(), [[0, 0], [0, 0], [5, 0.05], [20, 0.16], [60, 0.262], [90, 0.262]]
    )
    assert won.get_drawstyle() == "steps-post"
    assert_allclose(line(ax, "Lost").get_ydata()[-1], 0.2)
    assert ax.get_ylim()[0] == 0
    assert ax.get_xlim()[0] == 0
    assert ax.yaxis.get_major_formatter()(0.25) == "25\u00a0%"


def test_the_band_is_that_of_the_table(metric):
    """
    At each age the band runs from the lower to the upper bound in the colour of its line.
    """
    ax = draw("conversion_curve", metric)

    corners = ax.collections[0].get_paths()[0].vertices
    at_30 = corners[np.isclose(corners[:, 0], 20)][:, 1]
    assert at_30.max() == pytest.approx(0.22)
    assert at_30.min() == pytest.approx(0.03)
    assert ax.collections[0].get_facecolor()[0][:3] == pytest.approx(
        mpl.colors.to_rgb(line(ax, "Won (n = 200)").get_color())
    )


def test_groups_have_one_curve_each_and_at_most_four(metric):
    """
    Each group has its n and a line style of its own; a fifth is refused with what to do.
    """
    groups = [metric.curve.assign(group=name) for name in ("华东", "_east", None, "x", "y")]

    ax = charts.conversion_curve(pd.concat(groups[:3]))

    legend = [text.get_text().lstrip("\u200b") for text in ax.get_legend().get_texts()]
    assert legend == ["华东 (n = 200)", "_east (n = 200)", "(empty) (n = 200)"]
    assert len({drawn.get_linestyle() for drawn in ax.get_lines()}) == 3
    with pytest.raises(ValueError, match="at most 4 groups .* but the table has 5; keep the rows"):
        charts.conversion_curve(pd.concat(groups))


def test_immature_cells_are_hatched_and_marked(metric):
    """
    A cell that is too young has a hatch and its mark, a mature one its rate, an unknown one n/a.
    """
    ax = draw("cohort_grid", metric)

    hatched = [patch for patch in ax.patches if patch.get_hatch()]
    assert len(ax.patches) == 6
    assert [patch.get_x() for patch in hatched] == [pytest.approx(0.52)]
    assert notes(ax) == ["n/a", "26 %", "21 %", "35 %", "20 %", "未满期"]
    assert row_labels(ax)[0] == "Apr 2017 (n = 152)"
    assert [text.get_text() for text in ax.get_xticklabels()] == ["30", "90"]


def test_truncated_months_have_a_hatch_and_a_mark_of_their_own(metric):
    """
    Cells of a month without early closings are marked 不完整, apart from those that are too young.
    """
    ax = charts.cohort_grid(metric.truncated_grid)

    assert notes(ax) == ["不完整", "不完整", "21 %", "35 %", "20 %", "未满期"]
    hatches = [patch.get_hatch() for patch in ax.patches]
    assert hatches[0] == hatches[1] != hatches[5]
    assert all(hatches[index] for index in (0, 1, 5))
    assert not any(hatches[2:5])


def test_truncated_months_stand_in_the_legend(metric):
    """
    By month, truncated and young months are hatched each in their way, and named.
    """
    ax = charts.monthly_rates(metric.truncated_monthly)

    hatched = {patch.get_x(): patch.get_hatch() for patch in ax.patches if patch.get_hatch()}
    assert sorted(hatched) == [-0.5, 1.5, 2.5, 3.5]
    assert hatched[-0.5] != hatched[1.5] == hatched[2.5]
    legend = [text.get_text() for text in ax.get_legend().get_texts()]
    assert legend[-2:] == ["未满期 not yet mature", "不完整 incomplete"]
    plain = [text.get_text() for text in draw("monthly_rates", metric).get_legend().get_texts()]
    assert "不完整 incomplete" not in plain


def test_the_darkest_cell_is_the_highest_rate(metric):
    """
    Shades follow the rates: the higher, the darker.
    """
    ax = draw("cohort_grid", metric)

    shades = {
        text: sum(patch.get_facecolor()[:3])
        for text, patch in zip(notes(ax), ax.patches, strict=True)
    }
    assert shades["35 %"] < shades["26 %"] < shades["21 %"] < shades["20 %"]


def test_only_the_cohort_rate_is_filled(metric):
    """
    The comparable rate stands out by its shape; each label has its k/n, the estimate its n.
    """
    ax = draw("win_rate_family", metric)

    fills = [drawn.get_markerfacecolor() for drawn in ax.get_lines()]
    assert fills[0] != "white"
    assert fills[1:] == ["white"] * 3
    assert_allclose([drawn.get_xdata()[0] for drawn in ax.get_lines()][:2], [0.39701, 0.6315])
    assert notes(ax)[:2] == ["40 % (n = 8,300)", "63 % (4,238/6,711)"]
    assert row_labels(ax)[3] == "With-stale win rate"


def test_young_months_are_hatched_and_have_no_cohort_rate(metric):
    """
    Three lines over the months; where the cohort is too young its line ends and a hatch begins.
    """
    ax = draw("monthly_rates", metric)

    cohort = line(ax, "Cohort win rate").get_ydata()
    assert_allclose(cohort[:2], [0.44, 0.41])
    assert np.isnan(cohort[2:]).all()
    assert_allclose(line(ax, "Closed win rate").get_ydata()[1], 0.786)
    assert_allclose(line(ax, "Created win rate").get_ydata()[4], 0.063)
    assert len([patch for patch in ax.patches if patch.get_hatch()]) == 3
    assert "未满期 not yet mature" in [text.get_text() for text in ax.get_legend().get_texts()]
    assert ax.get_ylim()[0] == 0


def test_rep_intervals_show_the_shrunk_rate_the_raw_one_and_all(metric):
    """
    Order is the table's; the raw rate is hollow; the line is the rate of all together.
    """
    ax = draw("rep_intervals", metric)

    assert_allclose(line(ax, "Shrunk rate, 95 % interval").get_xdata(), [0.44, 0.395, 0.397])
    raw = line(ax, "Raw rate")
    assert_allclose(raw.get_xdata()[:2], [0.467, 0.414])
    assert raw.get_markerfacecolor() == "none"
    assert_allclose(line(ax, "All reps together").get_xdata(), [0.397, 0.397])
    assert row_labels(ax)[1:] == ["Darcel Schlecht", "王芳"]
    assert notes(ax) == ["98/210", "229/553", "0/0"]


def test_rep_amounts_are_sorted_and_the_rest_share_a_bar(metric):
    """
    The largest comes first whatever the order of the table; those after the top add up.
    """
    table = metric.totals.iloc[::-1]

    ax = charts.rep_amounts(table, currency="USD", top=1)

    assert_allclose([bar.get_width() for bar in ax.patches], [1153214, 478396])
    assert row_labels(ax) == ["Darcel Schlecht", "2 others"]
    assert ax.get_xlabel() == "Won amount (USD)"


def test_deals_without_an_owner_have_no_empty_name(metric):
    """
    An owner that is missing reads "(none)".
    """
    ax = charts.rep_amounts(metric.totals.assign(name=[None, "王芳", "x"]), currency=None)

    assert row_labels(ax)[0] == "(none)"


def test_without_a_rest_there_is_no_bar_for_it(metric):
    """
    When all reps are shown, no bar stands for others.
    """
    ax = draw("rep_amounts", metric)

    assert len(ax.patches) == 3
    assert not any("other" in label for label in row_labels(ax))


def test_attainment_is_read_against_the_quota(metric):
    """
    Bars against a line at 100 %; a running period is hatched; no quota, no bar.
    """
    ax = draw("attainment", metric)

    bars = ax.containers[0].patches
    assert_allclose([bar.get_width() for bar in bars], [1.16, 0.2, 0])
    assert [bool(bar.get_hatch()) for bar in bars] == [False, True, False]
    assert_allclose(line(ax, "Quota").get_xdata(), [1, 1])
    assert notes(ax) == ["116 %", "20 %", "n/a"]


def test_a_name_with_dollar_signs_is_drawn_as_it_is(metric):
    """
    Text from the data is no formula, and a long one is shortened in the chart.
    """
    metric.ranking.loc[1, "name"] = "w" * 200

    ax = draw("rep_intervals", metric)

    texts = ax.get_yticklabels()
    assert not texts[0].get_parse_math()
    assert texts[0].get_text() == '<b>"O\'Neil" & $x$</b>'
    assert texts[1].get_text() == "w" * 25 + "…"


def test_role_colours_pass_three_to_one_on_white():
    """
    Every colour that carries data can be told from a white page (WCAG 2.2, graphics).
    """

    def luminance(colour):
        channels = np.array(mpl.colors.to_rgb(colour))
        linear = np.where(
            channels <= 0.04045, channels / 12.92, ((channels + 0.055) / 1.055) ** 2.4
        )
        return linear @ [0.2126, 0.7152, 0.0722]

    for colour in charts.ROLES.values():
        assert 1.05 / (luminance(colour) + 0.05) >= 3
