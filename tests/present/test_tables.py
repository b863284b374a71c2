"""Tables: the texts of their cells, read from the markup."""

import datetime
import html as markup
import re

import pandas as pd
import pytest

from salesanalysis.present import tables
from salesanalysis.present.html import Html

HOSTILE = '<b>"O\'Neil" & $x$</b>'
EMPTY = pd.DataFrame()

ALL = {
    "stage_accounting": ("accounting", {}),
    "step_conversion": ("steps", {}),
    "cumulative": ("cumulative", {}),
    "time_in_stage": ("times", {}),
    "segments": ("segments", {}),
    "status_now": ("status", {}),
    "conversion": ("conversion", {}),
    "grid": ("grid", {}),
    "win_rates": ("win_rates", {"age_days": 90, "stale_days": 138}),
    "monthly": ("monthly", {"age_days": 90}),
    "sales_cycle": ("cycle", {}),
    "rep_totals": ("totals", {}),
    "won_amounts": ("totals", {}),
    "rep_ranking": ("ranking", {"gate": {"is_open": True}, "age_days": 90}),
    "attainment": ("attainment", {}),
    "ledger": ("ledger", {}),
    "findings": ("findings", {}),
    "exclusions": ("exclusions", {}),
}


def text(fragment):
    """The words of a fragment of markup; a space that cannot break counts as a space."""
    return markup.unescape(re.sub(r"<[^>]*>", "", fragment)).replace("\u00a0", " ").strip()


def read(shown: Html, number: int = 0):
    """Rows of the table of that number, as dictionaries by column label, and its caption."""
    table = re.findall(r"<table>.*?</table>", str(shown), flags=re.DOTALL)[number]
    caption = text(re.search(r"<caption>(.*?)</caption>", table, flags=re.DOTALL)[1])
    lines = re.findall(r"<tr>(.*?)</tr>", table, flags=re.DOTALL)
    cells = [[text(cell) for cell in re.findall(r"<t[hd].*?</t[hd]>", row)] for row in lines]
    return [Row(cells[0], row) for row in cells[1:]], caption


class Row:
    """Cells of a row, by label; of labels that stand twice, all cells."""

    def __init__(self, labels, cells):
        self.labels, self.cells = labels, cells

    def __getitem__(self, label):
        found = [cell for name, cell in zip(self.labels, self.cells, strict=True) if name == label]
        return found[0] if len(found) == 1 else found


@pytest.mark.parametrize("name", ALL)
def test_an_empty_table_gives_the_reason(name, seen):
    """
    Without rows there is no table but a notice that says what is missing and why.
    """
    _table, arguments = ALL[name]

    shown = str(getattr(tables, name)(EMPTY, seen=seen, reason="it is <lost>", **arguments))

    assert 'class="notice"' in shown
    assert "it is &lt;lost&gt;" in shown
    assert "<table" not in shown


@pytest.mark.parametrize("name", sorted(set(ALL) - {"rep_ranking", "findings"}))
def test_every_caption_carries_the_date_and_no_cell_a_raw_missing(name, metric, seen):
    """
    Captions name the as-of date; NaN, NaT, None and numpy's types reach no cell.
    """
    table, arguments = ALL[name]

    rows, caption = read(getattr(tables, name)(getattr(metric, table), seen=seen, **arguments))

    assert caption.endswith(", as of 31 Dec 2017")
    cells = [cell for row in rows for cell in row.cells]
    assert not {"nan", "NaN", "NaT", "None", "<NA>"} & set(cells)


@pytest.mark.parametrize(
    "name", ["segments", "rep_totals", "rep_ranking", "attainment", "findings"]
)
def test_names_from_the_data_are_text(name, metric, seen):
    """
    A name that is markup is shown as its characters.
    """
    table, arguments = ALL[name]
    arguments = arguments | ({"gate": metric.gate} if "gate" in arguments else {})

    shown = getattr(tables, name)(getattr(metric, table), seen=seen, **arguments)

    assert "<b>" not in str(shown)
    assert HOSTILE in text(str(shown))


def test_stage_accounting_shows_that_it_adds_up(metric, seen):
    """
    Outcomes and inflows stand with their sum and a mark that it equals the entries.
    """
    shown = tables.stage_accounting(metric.accounting, seen=seen)

    ended, _caption = read(shown)
    began, _caption = read(shown, 1)
    assert [row["Stage"] for row in ended] == ["Lead", "报价", "Demo"]
    assert ended[0]["Entries"] == ended[0]["Sum of outcomes"] == "100"
    assert {row["In = entries = out"] for row in ended + began} == {"✓ adds up"}
    assert began[1]["Advanced in"] == "50"


def test_stage_accounting_shows_that_it_does_not_add_up(metric, seen):
    """
    An entry without an outcome is marked in its row, and only there.
    """
    metric.accounting.loc[1, "lost"] = 20

    ended, _caption = read(tables.stage_accounting(metric.accounting, seen=seen))

    marks = [row["In = entries = out"] for row in ended]
    assert marks == ["✓ adds up", "✗ does not add up", "✓ adds up"]


def test_a_rate_stands_with_its_counts_and_its_interval(metric, seen):
    """
    Next-step conversion shows deals, those that went on, the estimate, its bounds and its worth.
    """
    rows, _caption = read(tables.step_conversion(metric.steps, seen=seen))

    assert rows[0]["Deals"] == "95"
    assert rows[0]["Went on"] == "55"
    assert rows[0]["Next-step conversion"] == "62.0 %"
    assert rows[0]["95 % interval"] == "52.0–71.0 %"
    assert rows[0]["Worth fully observed deals"] == "91"
    assert rows[0]["Amount entered (USD)"] == "95,000"
    assert rows[2]["Next-step conversion"] == rows[2]["95 % interval"] == "n/a"
    assert rows[2]["Same by amount"] == "n/a"


def test_the_counts_of_a_step_add_up(metric, seen):
    """
    Went on, lost, neither by then and followed for less make up the deals of each row.
    """
    rows, _caption = read(tables.step_conversion(metric.steps.assign(n_open=[2, 15, 0]), seen=seen))

    assert [row["Neither by then"] for row in rows] == ["8", "0", "9"]
    for row in rows:
        parts = ["Went on", "Lost", "Neither by then", "Followed for less"]
        assert sum(int(row[part]) for part in parts) == int(row["Deals"])


def test_three_funnels_stand_side_by_side(metric, seen):
    """
    Any-stage, all-stages and linear fill with their differences; won closes the table.
    """
    rows, _caption = read(tables.cumulative(metric.cumulative, seen=seen))

    proposal = rows[1]
    assert proposal["Any-stage: touched it"] == "52"
    assert proposal["All-stages: touched it and all before"] == "50"
    assert proposal["All − any"] == "−2"
    assert proposal["Linear fill: touched it or a later one"] == "60"
    assert proposal["Passed over (fill − any)"] == "8"
    assert proposal["Cumulative conversion"] == "57.8 %"
    assert rows[3]["Stage"] == "Won"


def test_time_in_stage_says_where_a_limit_is_not_reached(metric, seen):
    """
    An open upper limit reads "or more", a median not reached "n/a", never 0.
    """
    rows, _caption = read(tables.time_in_stage(metric.times, seen=seen))

    assert [row["95 % interval"] for row in rows] == ["10–15", "28 or more", "n/a"]
    assert [row["Median (days)"] for row in rows] == ["12", "34", "n/a"]
    assert rows[1]["Median of completed stays only (days)"] == "20.5"


def test_segments_keep_their_order_and_show_q(metric, seen):
    """
    Rows stand as given, with the difference in points, its interval and q; empty is a group.
    """
    rows, _caption = read(tables.segments(metric.segments, seen=seen))

    assert [row["Group"] for row in rows] == ["华东", "(empty)", HOSTILE]
    assert rows[0]["Kind"] == "Region"
    assert rows[0]["Against the rest (points)"] == "+18.0"
    assert rows[0]["95 % interval"] == ["56.0–81.0 %", "−2.0 to +37.0"]
    assert [row["q"] for row in rows] == ["0.040", "< 0.001", "n/a"]


def test_status_shows_every_state_with_its_amount(metric, seen):
    """
    End states have words, an amount that is not known is "n/a" and one of 0 is 0.
    """
    rows, _caption = read(tables.status_now(metric.status, seen=seen))

    assert [row["Stage or end state"] for row in rows] == ["Prospecting", "Engaging", "Won", "Lost"]
    assert [row["Deals"] for row in rows] == ["500", "1,589", "4,238", "2,473"]
    assert [row["Amount (USD)"] for row in rows] == ["n/a", "n/a", "10,005,534", "0"]


def test_conversion_is_shown_as_per_cent_and_to_five_digits(metric, seen):
    """
    The published fractions can be read off; beyond follow-up nothing is said.
    """
    rows, _caption = read(tables.conversion(metric.conversion, seen=seen))

    assert [row["Won (fraction)"] for row in rows] == ["0.09108", "0.39701", "0.51944", "n/a"]
    assert [row["Lost (fraction)"] for row in rows] == ["0.07916", "0.25212", "0.30174", "n/a"]
    assert rows[0]["Won"] == "9.1 %"
    assert rows[0]["95 % interval"] == ["8.5–9.7 %", "7.4–8.5 %"]
    assert rows[3]["Still followed, not closed"] == "0"


def test_the_grid_is_a_row_per_month_and_marks_the_young(metric, seen):
    """
    Cells hold estimate, interval and wins; an immature one only its mark.
    """
    shown = tables.grid(metric.grid, seen=seen)
    rows, _caption = read(shown)

    assert rows[0].labels == ["Created in", "Deals", "By 30 days", "By 90 days"]
    assert rows[0].cells == ["Apr 2017", "152", "n/a (n/a) 0", "26.3 % (20–34 %) 40"]
    assert rows[2].cells == ["Jun 2017", "90", "20.0 % (13–29 %) 18", "未满期"]
    assert "未满期 not yet mature" in text(str(shown))


def test_truncated_months_give_no_rate_and_say_why(metric, seen):
    """
    Their cells are "n/a" with a mark of their own, explained once; without one there is no note.
    """
    grid = tables.grid(metric.truncated_grid, seen=seen)
    monthly = tables.monthly(metric.truncated_monthly, seen=seen, age_days=90)

    assert read(grid)[0][0].cells == ["Apr 2017", "152", "n/a 不完整", "n/a 不完整"]
    assert read(grid)[0][2].cells[-1] == "未满期"
    assert read(monthly)[0][0]["Maturity"] == "不完整 incomplete"
    assert read(monthly)[0][0]["Cohort win rate"] == "n/a"
    assert read(monthly)[0][1]["Maturity"] == "mature"
    for shown in (grid, monthly):
        assert "不完整 incomplete: the month began before the first closing" in text(str(shown))
    assert "不完整" not in str(tables.grid(metric.grid, seen=seen))


def test_each_win_rate_has_its_label_its_meaning_and_its_counts(metric, seen):
    """
    The closed rate of the Maven export reads 63.15 %, 4,238/6,711.
    """
    shown = tables.win_rates(metric.win_rates, seen=seen, age_days=90, stale_days=138)
    rows, _caption = read(shown)

    closed = rows[1]
    assert closed["Label"] == "Closed win rate"
    assert closed["Meaning"] == "won / (won + lost), deals closed so far"
    assert (closed["k/n"], closed["Rate"]) == ("4,238/6,711", "63.15 %")
    assert "138 days" in rows[3]["Meaning"]


def test_months_show_three_rates_and_mark_the_young(metric, seen):
    """
    A month without closings has no closed rate; a young one is marked, its cohort rate "n/a".
    """
    rows, caption = read(tables.monthly(metric.monthly, seen=seen, age_days=90))

    assert "cohort at 90 days" in caption
    assert rows[0]["Won/closed"] == "34/60"
    assert rows[0]["Closed win rate"] == "56.70 %"
    assert rows[4]["Won/closed"] == "0/0"
    assert rows[4]["Closed win rate"] == "n/a"
    assert rows[0]["Maturity"] == "mature"
    assert rows[4]["Maturity"] == "未满期 not yet mature"
    assert rows[4]["Cohort win rate"] == "n/a"


def test_the_cycle_of_all_months_is_named(metric, seen):
    """
    The row without a month stands for all; a month without a win has no days.
    """
    rows, _caption = read(tables.sales_cycle(metric.cycle, seen=seen))

    assert [row["Month won"] for row in rows] == ["Nov 2017", "Dec 2017", "All"]
    assert [row["Median (days)"] for row in rows] == ["n/a", "40.5", "57"]
    assert rows[2]["Mean (days)"] == "51.8"


def test_a_rep_without_closed_deals_has_no_closed_rate(metric, seen):
    """
    Nothing closed is "n/a", not 0 %; amounts carry the currency; an unknown amount is "n/a".
    """
    rows, _caption = read(tables.rep_totals(metric.totals, seen=seen))

    assert rows[0]["Closed win rate"] == "63.11 %"
    assert rows[1]["Closed win rate"] == rows[1]["95 % interval"] == "n/a"
    assert [row["Won amount (USD)"] for row in rows] == ["1,153,214", "0", "478,396"]
    assert rows[0]["Open amount (USD)"] == "n/a"
    assert [row["Team"] for row in rows] == ["Central", "(none)", "East"]


def test_totals_by_another_segment_are_called_so(metric, seen):
    """
    By team the first column is the team, and no second one repeats it.
    """
    table = metric.totals.assign(name=["East", "West", None], team=None)

    rows, caption = read(tables.rep_totals(table, seen=seen, by="team"))

    assert caption.startswith("Totals by team")
    assert [row["Team"] for row in rows] == ["East", "West", "r3"]


def test_won_amounts_are_in_full(metric, seen):
    """
    Each rep's amount to the unit, with the deals it comes from.
    """
    rows, _caption = read(tables.won_amounts(metric.totals, seen=seen))

    assert rows[0].cells == ["Darcel Schlecht", "349", "1,153,214"]


def test_captions_tell_the_tables_of_a_page_apart(metric, seen):
    """
    A figure's data and the whole table beside it have captions of their own, as regions need.
    """
    _rows, whole = read(tables.attainment(metric.attainment, seen=seen))
    _rows, one = read(tables.attainment(metric.attainment[:1], seen=seen))

    assert whole == "Quota attainment, as of 31 Dec 2017"
    assert one == "Quota attainment, 1 Jul 2017 – 30 Sep 2017, as of 31 Dec 2017"


def test_an_open_gate_shows_ranks_with_their_interval(metric, seen):
    """
    With reps that differ, rank intervals stand beside raw, adjusted and shrunk rates.
    """
    shown = tables.rep_ranking(metric.ranking, gate=metric.gate, seen=seen, age_days=90)
    rows, _caption = read(shown)

    assert [row["Rank, 90 % interval"] for row in rows] == ["1–2", "2–3", "1–3"]
    assert rows[0]["In the top quarter: probability"] == "70 %"
    assert rows[0]["Wins expected"] == "84.2"
    assert rows[0]["Won/expected"] == "1.16"
    assert rows[2]["Raw cohort win rate"] == "n/a"
    assert rows[2]["Shrunk rate (estimate)"] == "39.7 %"
    assert "chi² 43.2 on 29 degrees of freedom, p = 0.031" in text(str(shown))


def test_a_closed_gate_shows_no_rank_at_all(metric, seen):
    """
    With reps that cannot be told apart there is no rank column, and the note says so.
    """
    shown = tables.rep_ranking(metric.ranking, gate=metric.closed_gate, seen=seen, age_days=90)
    rows, _caption = read(shown)

    assert not any("ank" in label or "quarter" in label for label in rows[0].labels)
    assert "cannot be told apart" in text(str(shown))


def test_the_case_mix_and_a_simulated_p_are_said(metric, seen):
    """
    The note names what rates are adjusted for, what was left out and how p was found.
    """
    gate = metric.gate.assign(case_mix="product, <source>", left_out="segment", method="twin")

    shown = tables.rep_ranking(metric.ranking, gate=gate, seen=seen, age_days=90)

    assert "Adjusted for: product, <source>." in text(str(shown))
    assert "all alike: segment." in text(str(shown))
    assert "by simulation" in text(str(shown))


def test_attainment_shows_quota_credit_and_share(metric, seen):
    """
    Without a quota attainment is "n/a"; a running period is marked.
    """
    rows, _caption = read(tables.attainment(metric.attainment, seen=seen))

    assert rows[0]["Quota, prorated (USD)"] == "80,000"
    assert [row["Quota attainment"] for row in rows] == ["116 %", "20 %", "n/a"]
    assert [row["Period"] for row in rows] == ["finished", "still running", "finished"]
    assert rows[0]["From – to"] == "1 Jul 2017 – 30 Sep 2017"
    assert rows[2]["Person or team"] == "Team"


def test_the_ledger_shows_every_row_read(metric, seen):
    """
    Per table: rows read, accepted, quarantined, refused.
    """
    rows, _caption = read(tables.ledger(metric.ledger, seen=seen))

    assert rows[0].cells == ["deals", "<deals>.csv", "2,965", "2,964", "1", "0"]


def test_findings_are_sentences_with_counts(metric, seen):
    """
    A known kind reads as a sentence, an unknown one as its own words; no detail is no text.
    """
    metric.findings.loc[1, "detail"] = None

    rows, caption = read(tables.findings(metric.findings, seen=seen))

    assert caption == "Data findings, of the export as loaded"
    assert rows[0].cells == [
        "Value that the reference list does not hold", 'product "GTXPro"', "1,480",
        "not in products.csv",
    ]  # fmt: skip
    assert rows[1].cells == ["Brand new kind", HOSTILE, "2", ""]


def test_rejected_rows_show_where_they_stand(seen):
    """
    Each reason has its count, its first line and the value found there.
    """
    table = pd.DataFrame(
        {"table": ["deals"], "file": ["deals.csv"], "outcome": ["quarantined"],
         "reason": ["not_money"], "column": ["amount"], "n_rows": [4], "line": [1204],
         "value": ["<9,5O0>"]}
    )  # fmt: skip

    rows, _caption = read(tables.rejected(table, seen=seen))

    assert rows[0].cells == [
        "deals.csv", "Quarantined", "Not an amount in the declared notation", "amount", "4", "1,204", "<9,5O0>",
    ]  # fmt: skip


def test_exclusions_name_their_reason(metric, seen):
    """
    Deals that are left out stand with the reason and their number; those used close the table.
    """
    rows, caption = read(tables.exclusions(metric.exclusions, seen=seen))

    assert caption == "Deals in the export, used and left out, as of 31 Dec 2017"
    assert [row.cells for row in rows] == [
        ["Rows of the deals file set aside when it was loaded", "21"],
        ["Removed in the CRM (deleted or merged)", "2"], ["No date of creation", "500"],
        ["No owner", "4"], ["Created too recently to have had the time", "381"],
        ["Negative age", "1"], ["Used", "2,554"],
    ]  # fmt: skip


def test_with_nothing_left_out_the_deals_used_stand_alone(metric, seen):
    """
    The table then has one row, and nothing claims that no deal is left out.
    """
    shown = tables.exclusions(metric.exclusions[-1:], seen=seen)

    assert [row.cells for row in read(shown)[0]] == [["Used", "2,554"]]
    assert "left out." not in text(str(shown))


def test_parameters_are_shown_as_they_were(seen):
    """
    Dates, lists and hostile texts of the settings are escaped text.
    """
    values = {"as_of": datetime.date(2017, 12, 31), "ages": [30, 90], "crm": "<store>", "by": None}

    rows, _caption = read(tables.parameters(values, seen=seen))

    assert [row.cells for row in rows] == [
        ["As of", "2017-12-31"], ["Ages", "30, 90"], ["Crm", "<store>"], ["By", "(empty)"],
    ]  # fmt: skip


def test_a_table_by_group_names_its_groups(metric, seen):
    """
    With a grouping column the group stands first; several pipelines are told apart.
    """
    table = pd.concat([metric.steps, metric.steps.assign(pipeline="续约")]).assign(group=None)

    rows, caption = read(tables.step_conversion(table, seen=seen))

    by_rep, by_rep_caption = read(tables.step_conversion(table.assign(name="王芳"), seen=seen))
    assert by_rep_caption == caption
    assert by_rep[0].cells[0] == "王芳"
    assert caption.startswith("Next-step conversion, by group")
    assert rows[0].labels[:3] == ["Group", "Stage", "Pipeline"]
    assert rows[3].cells[:3] == ["(empty)", "Lead", "续约"]


def test_without_a_currency_amounts_stand_alone(metric, seen):
    """
    A source that names no currency shows amounts without a code.
    """
    seen.source["currency"] = None

    rows, _caption = read(tables.status_now(metric.status, seen=seen))

    assert rows[2]["Amount"] == "10,005,534"
