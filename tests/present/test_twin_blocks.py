"""The null twin on a page: its sentences in every state of the data, its table, and what is missing."""

import datetime
import html as markup
import re
from types import SimpleNamespace

import pandas as pd
import pytest

from salesanalysis.present import twins as page
from salesanalysis.present import words

NAN = float("nan")
COLUMNS = ["twin_median", "twin_low", "twin_high", "p_value"]
BARE = re.compile(r"(?<!closed )(?<!created )(?<!cohort )(?<!with-stale )win rate", re.IGNORECASE)


@pytest.fixture
def seen():
    """A day and a source."""
    return SimpleNamespace(
        as_of=datetime.date(2026, 6, 30), source={"name": "CRM", "currency": "CNY"}
    )


def ranking(*, best=(0.41, 0.38, 0.33, 0.47, 0.19), flagged=(3, 1, 0, 3, 0.031)):
    """A list of reps beside its twin."""
    rows = {
        "best_rate": best,
        "worst_rate": (0.021, 0.048, 0.0, 0.088, 0.36),
        "spread": (0.389, 0.254, 0.165, 0.398, 0.03),
        "n_flagged_low": flagged,
        "chi2": (38.04, 38.4, 23.2, 57.0, 0.0004),
    }
    frame = pd.DataFrame.from_dict(rows, orient="index", columns=["seen_value", *COLUMNS])
    return frame.rename_axis("figure").reset_index()


def months(
    *, won=(0.19, 0.09, 0.088, 0.06, 0.12, 0.61), cycle=(50.2, 29.34, 28.1, 22.4, 34.4, 0.64)
):
    """The recent months beside their twin."""
    frame = pd.DataFrame(
        [("won_created_rate", *won), ("mean_cycle_days", *cycle)],
        columns=["figure", "before_value", "seen_value", *COLUMNS],
    )
    return frame.astype(dict.fromkeys(frame.columns[1:], float))


def gate(*, is_open=False):
    """What the sentence needs of the gate."""
    return pd.DataFrame([{"n_reps": 40, "is_open": is_open, "p_value": 0.2}])


def text(shown):
    """The words of a page part."""
    return re.sub(r"[\s\u00a0]+", " ", markup.unescape(re.sub(r"<[^>]*>", " ", str(shown)))).strip()


def cells(shown):
    """Rows of the table as lists of cell texts, the head first."""
    rows = re.findall(r"<tr>(.*?)</tr>", str(shown), flags=re.DOTALL)
    return [
        [text(cell) for cell in re.findall(r"<t[hd].*?</t[hd]>", row, re.DOTALL)] for row in rows
    ]


def test_a_highest_share_within_the_range_is_luck(seen):
    """
    The twin's highest share with its range, the real one, and that luck alone gives it.
    """
    shown = text(page.ranking(ranking(), gate=gate(), seen=seen))

    assert (
        "If all 40 reps were equally good, the highest share on the list would still be 38 % (likely 33–47 %); yours "
        "is 41 %: that is what luck alone gives (p = 0.19)."
    ) in shown
    assert "departs from luck" not in shown


def test_a_highest_share_beyond_luck_is_said_to_be(seen):
    """
    With p below 0.05 luck seldom gives as much.
    """
    table = ranking(best=(0.51, 0.28, 0.23, 0.44, 0.007))

    shown = text(page.ranking(table, gate=gate(is_open=True), seen=seen))

    assert "yours is 51 %: luck alone seldom gives as much (p = 0.007)." in shown
    assert "that is what luck" not in shown


@pytest.mark.parametrize(("p_value", "is_luck"), [(0.0499, False), (0.05, True)])
def test_luck_ends_where_p_is_below_one_in_twenty(seen, p_value, is_luck):
    """
    The border of the gate is the border of the sentence.
    """
    shown = text(page.ranking(ranking(best=(0.4, 0.3, 0.2, 0.5, p_value)), gate=gate(), seen=seen))

    assert ("that is what luck alone gives" in shown) == is_luck


def test_an_open_gate_beside_a_lucky_top_is_explained(seen):
    """
    Where the list departs from luck and its top does not, both are said.
    """
    shown = text(page.ranking(ranking(), gate=gate(is_open=True), seen=seen))

    assert "The list as a whole departs from luck all the same, its top does not." in shown


@pytest.mark.parametrize(
    ("flagged", "expected"),
    [
        ((3, 1, 0, 3, 0.031), "would fall on 1 rep all the same (likely 0–3); here it falls on 3,"),
        ((0, 2, 1, 4, 1.0), "would fall on 2 reps all the same (likely 1–4); here it falls on 0,"),
        ((0, 0, 0, 0, 1.0), "would fall on 0 reps all the same (likely 0); here it falls on 0,"),
    ],
)
def test_marks_that_luck_alone_hands_out_are_counted(seen, flagged, expected):
    """
    How many reps a usual mark would fall on although all are equal, beside how many it falls on.
    """
    shown = text(page.ranking(ranking(flagged=flagged), gate=gate(), seen=seen))

    assert expected in shown
    assert "the lowest share is 2 % where luck alone gives 5 % (likely 0–9 %)." in shown


def test_the_table_of_the_list_has_both_lists_side_by_side(seen):
    """
    A row per figure: on the data, if all were equal, the 95 % range, p; each in its unit.
    """
    made = page.ranking(ranking(), gate=gate(), seen=seen)

    assert cells(made) == [
        ["Figure", "On your data", "If all were equally good", "95 % range", "p"],
        ["Highest share won", "41.0 %", "38.0 %", "33.0–47.0 %", "0.19"],
        ["Lowest share won", "2.1 %", "4.8 %", "0.0–8.8 %", "0.36"],
        ["Distance between them (points)", "38.9", "25.4", "16.5–39.8", "0.030"],
        ["Reps marked “below the others”", "3", "1", "0–3", "0.031"],
        ["Whole list against luck (chi²)", "38.0", "38.4", "23.2–57.0", "< 0.001"],
    ]
    assert "as of 30 Jun 2026" in text(made)


def test_youth_alone_is_said_to_give_what_lies_within_the_range(seen):
    """
    Recent against earlier deals, what it would be had nothing changed, and that it is no sign of a change.
    """
    shown = text(page.months(months(), seen=seen, recent_months=3))

    assert (
        "Of the deals created in the last 3 calendar months up to 30 Jun 2026, 9 % are won so far, against 19 % of "
        "those created before. Had nothing changed it would be 9 % (likely 6–12 %), for young deals have had little "
        "time: that is what their youth alone gives, no sign of a change."
    ) in shown
    assert (
        "Those won took 29 days on average, against 50 days. Had nothing changed it would be 28 days (likely 22–34 "
        "days), for only the quick ones can be won yet: that is what their youth alone gives, no sign of a change."
    ) in shown


@pytest.mark.parametrize(
    ("rate", "days", "won", "cycle"),
    [
        (0.13, 40.0, "won more often than", "took longer than"),
        (0.05, 20.0, "won less often than", "were quicker than"),
    ],
)
def test_what_lies_outside_the_range_is_more_than_youth(seen, rate, days, won, cycle):
    """
    Above and below the twin's range the sentence says which way.
    """
    table = months(won=(0.19, rate, 0.09, 0.06, 0.12, 0.99), cycle=(50, days, 28, 22, 34, 0.01))

    shown = text(page.months(table, seen=seen, recent_months=3))

    assert f"for young deals have had little time: the recent ones are {won} that." in shown
    assert f"for only the quick ones can be won yet: the recent wins {cycle} that." in shown
    assert "no sign of a change" not in shown


@pytest.mark.parametrize("edge", [0.06, 0.12])
def test_the_ends_of_the_range_belong_to_it(seen, edge):
    """
    A figure at either end is what youth gives.
    """
    table = months(won=(0.19, edge, 0.09, 0.06, 0.12, 0.5))

    assert text(page.months(table, seen=seen, recent_months=3)).count("no sign of a change") == 2


def test_one_month_is_not_many(seen):
    """
    The sentence knows a single month.
    """
    shown = text(page.months(months(), seen=seen, recent_months=1))

    assert "created in the last calendar month up to 30 Jun 2026," in shown


def test_no_win_yet_leaves_no_cycle(seen):
    """
    Without a won recent deal there is no mean, in words and in the table.
    """
    table = months(won=(0.19, 0.0, 0.02, 0.0, 0.05, 0.4), cycle=(50, NAN, 9, 4, 12, NAN))

    made = page.months(table, seen=seen, recent_months=3)

    assert "None of the recent deals is won yet, so that there is no cycle to compare." in text(
        made
    )
    assert cells(made)[2] == [
        "Mean sales cycle of the won (days)",
        "n/a",
        "9.0",
        "4.0–12.0",
        "n/a",
        "50.0",
    ]


def test_a_past_too_short_for_a_twin_is_said_to_be(seen):
    """
    Where the twin is NaN the figures stand, and why there is none beside them.
    """
    table = months(won=(0.19, 0.1, NAN, NAN, NAN, NAN), cycle=(50, 29, NAN, NAN, NAN, NAN))

    made = page.months(table, seen=seen, recent_months=3)

    assert text(made).count("the earlier deals were not followed as long as the recent ones") == 2
    assert "youth" not in text(made)
    assert cells(made)[1] == ["Created win rate, so far", "10.0 %", "n/a", "n/a", "n/a", "19.0 %"]


def test_where_youth_changes_nothing_it_is_not_blamed(seen):
    """
    A source whose deals are all won on their first day: no reason is given for a drop that is none.
    """
    table = months(won=(1.0, 1.0, 1.0, 1.0, 1.0, 1.0), cycle=(0.2, 0.1, 0.2, 0.1, 0.3, 0.9))

    shown = text(page.months(table, seen=seen, recent_months=3))

    assert "Had nothing changed it would be 100 % (likely 100 %): no sign of a change." in shown
    assert "Had nothing changed it would be 0 days (likely 0 days): no sign of a change." in shown
    assert "youth" not in shown


def test_the_table_of_the_months(seen):
    """
    Recent deals, the same if nothing had changed, the range, p, and the earlier deals.
    """
    assert cells(page.months(months(), seen=seen, recent_months=3)) == [
        [
            "Figure",
            "Recent deals",
            "If nothing had changed",
            "95 % range",
            "p",
            "Deals created before",
        ],
        ["Created win rate, so far", "9.0 %", "8.8 %", "6.0–12.0 %", "0.61", "19.0 %"],
        ["Mean sales cycle of the won (days)", "29.3", "28.1", "22.4–34.4", "0.64", "50.2"],
    ]


def test_empty_tables_say_why(seen):
    """
    Without rows a notice gives the reason, escaped, or what it would take.
    """
    nothing = pd.DataFrame()

    made = page.ranking(nothing, gate=gate(), seen=seen, reason="no <owner>")
    months_ = page.months(nothing, seen=seen, recent_months=3)

    assert "no &lt;owner&gt;" in str(made)
    assert "takes deals created in the last 3 calendar months and deals created before" in text(
        months_
    )
    assert "takes two or more reps" in text(page.ranking(nothing, gate=gate(), seen=seen))


def test_every_figure_of_a_twin_has_a_name():
    """
    Each figure the metric gives has words, none of them the bare words "win rate".
    """
    figures = ["best_rate", "worst_rate", "spread", "n_flagged_low", "chi2"]
    figures += ["mean_cycle_days", "won_created_rate", "won_closed_rate"]

    names = [words.label(f"twin_{figure}") for figure in figures]

    assert len(set(names)) == len(figures)
    assert not [name for name in names if BARE.search(name) or "worst" in name.lower()]


def test_the_null_twin_is_defined_on_both_pages():
    """
    The measure card says what it is, what it cannot say, and stands on the pages that show it.
    """
    measure = words.measure("null_twin")

    assert all([measure.name, measure.what, measure.definition, measure.source, measure.not_for])
    assert measure.caveats
    assert all("null_twin" in words.MEASURES[name] for name in ("cohort_conversion", "rep_ranking"))
