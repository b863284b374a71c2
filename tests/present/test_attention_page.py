"""Today's list as shown and as written: texts, escaping, the spreadsheet's file and the calendar's, read back by hand."""

import csv
import datetime
import html as markup
import io
import re
from types import SimpleNamespace

import pandas as pd
import pytest
from icalendar import Calendar

from salesanalysis.present import attention, words

NAN, HOSTILE = float("nan"), '<b>Ann & "Co"</b>'
TODAY, NEXT = pd.Timestamp("2026-07-01"), pd.Timestamp("2026-07-02")
LONG = "上海远东精密机械制造有限公司，“智能装备”事业部; Hall 7\\Gate 3, 2. Stock"


@pytest.fixture
def seen():
    """What the presentation reads of the store as seen."""
    return SimpleNamespace(
        as_of=datetime.date(2026, 6, 30), source={"currency": "CNY", "name": "Sample <CRM>"}
    )


def table():
    """Ann has two today and one that waits; one deal has no owner that is there, one no account and no amount."""
    rows = {
        "deal_key": [1, 2, 3, 4], "deal_id": ["0001", "=2+3", "0003", "0004"],
        "account": [LONG, None, "Lumière", "王 & <Co>"], "stage": ["报价", "Demo", None, "Demo"],
        "owner": ["a", "a", "g", "a"], "team": ["North", "North", None, "North"],
        "amount": [250000.0, NAN, -1200.75, 80.0], "won_rate": [0.4, 0.25, NAN, 0.5],
        "won_rate_low": [0.35, 0.2, NAN, 0.4], "won_rate_high": [0.45, 0.3, NAN, 0.6],
        "value_at_stake": [100000.0, NAN, NAN, 40.0],
        "reasons": [("actions_missing", "rotting"), ("step_overdue",), ("stuck",), ("close_over",)],
        "reason": ["actions_missing", "step_overdue", "stuck", "close_over"],
        "what": ["会议/拜访, 演示", "电话", None, None],
        "action": ["do_required_actions", "do_overdue_step", "assign_owner", "correct_close"],
        "person": ["a", "a", None, "a"], "name": [HOSTILE, HOSTILE, None, HOSTILE],
        "rank": [1, 2, 1, 3], "due": [TODAY, TODAY, TODAY, NEXT],
        "is_today": [True, True, True, False],
    }  # fmt: skip
    return pd.DataFrame(rows)


def reasons():
    """The reasons of these deals, with what was found."""
    return pd.DataFrame(
        {"deal_key": [1, 1, 2, 3, 4],
         "reason": ["actions_missing", "rotting", "step_overdue", "stuck", "close_over"],
         "found": [2.0, 16.0, 1.0, 121.0, 3.0], "threshold": [3.0, 14.0, 0.0, 120.0, 0.0],
         "since": pd.to_datetime(["2026-06-20"] * 5),
         "what": ["会议/拜访, 演示", "报价", "电话", None, None]}
    )  # fmt: skip


def by_reason():
    """Six reasons are possible; the source has no change history, and no amount is known."""
    return pd.DataFrame(
        {"reason": ["loss_likely", "step_overdue", "actions_missing", "no_next_step", "stuck",
                    "rotting", "close_pushed", "close_over"],
         "n_deals": [0, 1, 1, 0, 1, 2, 0, 1], "n_open": [9] * 8,
         "amount": [0.0, NAN, 250000.0, 0.0, NAN, 250080.0, 0.0, 80.0],
         "value_at_stake": [0.0, NAN, 100000.0, 0.0, NAN, 100040.0, 0.0, 40.0],
         "threshold_low": [0.1, NAN, NAN, NAN, 120.0, 14.0, 2.0, NAN],
         "threshold_high": [0.1, NAN, NAN, NAN, 120.0, 21.0, 2.0, NAN],
         "why": ["no_amount", "", "", "", "", "", "source", ""],
         "text": ["", "", "", "", "", "", "no <history>", ""]}
    )  # fmt: skip


def ledger():
    return pd.DataFrame(
        {"table": ["deals"], "file": ["deals.csv"], "n_in": [10], "n_accepted": [9],
         "n_quarantined": [1], "n_refused": [0]}
    )  # fmt: skip


def plain(fragment):
    """The words of a fragment; a space that cannot break counts as a space."""
    return markup.unescape(re.sub(r"<[^>]*>", " ", str(fragment))).replace("\u00a0", " ")


def answer(seen, rows=None, counts=None, **more):
    rows = table() if rows is None else rows
    counts = by_reason() if counts is None else counts
    given = {"ledger": ledger(), "seen": seen, "per_person": 2} | more
    shown = attention.answer(rows, by_reason=counts, **given)
    cards = {name: value.replace("\u00a0", " ") for name, value in shown.summary["cards"]}
    return shown.summary["message"].replace("\u00a0", " "), cards, plain(shown)


def test_the_answer_has_the_numbers_what_they_are_of_and_the_reason(seen):
    """
    Deals of all open ones, those of today, what is at stake in them and the most frequent reason.
    """
    message, cards, text = answer(seen)

    assert message == (
        "4 of the 9 open deals need attention, 3 of them on 1 Jul 2026, CNY 100K at stake; "
        "most often because they are longer in their stage than allowed (2)"
    )
    assert cards == {
        "Need attention": "4 of 9 deals",
        "To do today": "3",
        "At stake today": "CNY 100K",
    }
    assert "1 more wait; a person does 2 a day" in text
    assert "expected of CNY 250K in 1 deal" in text


def test_the_answer_of_a_team_and_of_a_source_with_large_deals_says_so(seen):
    """
    The team stands in the line of truth; where it can be given, the card counts large deals likely lost.
    """
    counts = by_reason()
    counts.loc[0, ["n_deals", "why"]] = [2, ""]

    _, cards, text = answer(seen, counts=counts, team="No<r>th")

    assert cards["Large deals likely lost"] == "2"
    assert "chance to be won under 10 %" in text
    assert "Team: No<r>th" in text


def test_the_answer_where_there_is_nothing_to_do(seen):
    """
    No deal on the list, and no open deal at all, are two answers; no value is made up.
    """
    none = by_reason().assign(n_deals=0)

    message, cards, _ = answer(seen, table().head(0), none)
    empty, _, _ = answer(seen, table().head(0), none.assign(n_open=0))

    assert message == "None of the 9 open deals needs attention today"
    assert cards["At stake today"] == "n/a"
    assert empty == "There is no open deal, so none needs attention"


def test_a_value_that_is_not_known_is_not_summed_to_zero(seen):
    """
    Without amounts the message names none.
    """
    message, cards, _ = answer(seen, table().assign(value_at_stake=NAN))

    assert "at stake" not in message
    assert cards["At stake today"] == "n/a"


def test_the_list_names_each_person_once_with_what_to_do_and_why(seen):
    """
    A table per person, nobody's last; only today's; names are escaped.
    """
    shown = attention.today(table(), reasons(), seen=seen)

    captions = [
        markup.unescape(text).replace("\u00a0", " ")
        for text in re.findall(r"<caption><span>(.*?)</span>", str(shown))
    ]
    assert captions == [
        f"{HOSTILE}: 2 deals until 1 Jul 2026, CNY 100K at stake",
        "Nobody yet: 1 deal until 1 Jul 2026",
    ]
    text = plain(shown)
    assert "<b>" not in str(shown)
    assert "Do what the stage asks for: 会议 or 拜访, 演示" in text
    assert "2 of 3 required not done: 会议 or 拜访, 演示" in text
    assert "16 days in 报价, 14 allowed" in text
    assert "电话 overdue for 1 day" in text
    assert "CNY 100,000 at stake (250,000 × 40 %)" in text
    assert "CNY -1,201, chance unknown" in text.replace("−", "-")
    assert "Give the deal to somebody who works on it" in text
    assert "王 & <Co>" not in text


def test_two_people_of_one_name_are_told_apart(seen):
    """
    Captions name a table and its scroll region, so they must differ.
    """
    rows = table().assign(name="Li", person=["a", "b", "b", "a"])

    shown = str(attention.today(rows, reasons(), seen=seen))

    assert "Li (a): 1 deal" in shown.replace("\u00a0", " ")
    assert "Li (b): 2 deals" in shown.replace("\u00a0", " ")


def test_an_empty_list_gives_a_notice(seen):
    """
    Nothing to show is said, with the reason where there is one.
    """
    shown = attention.today(table().head(0), reasons().head(0), seen=seen, reason="<none>")

    assert "Today's list: nothing to show" in plain(shown)
    assert "&lt;none&gt;" in str(shown)


def test_what_waits_is_counted_by_person(seen):
    """
    Only those for whom something waits; where nothing does, it says so.
    """
    rows = pd.DataFrame(
        {"person": ["a", "b", None], "name": [HOSTILE, "Bob", None], "n_today": [2, 1, 2],
         "n_waiting": [7, 0, 1], "value_waiting": [1234.0, 0.0, NAN],
         "last_due": [pd.Timestamp("2026-07-06"), pd.NaT, NEXT]}
    )  # fmt: skip

    text = plain(attention.waiting(rows, seen=seen))

    assert re.search(r"2\s+7\s+1,234\s+6 Jul 2026", text)
    assert "Bob" not in text and re.search(r"Nobody yet\s+2\s+1\s+n/a\s+2 Jul 2026", text)
    assert "Nothing waits" in plain(attention.waiting(rows.iloc[[1]], seen=seen))


def test_reasons_are_drawn_by_count_and_defined_with_their_limits(seen):
    """
    The most frequent first, with a sentence for those who do not see the chart; impossible ones are not drawn as 0.
    """
    shown = attention.reasons(by_reason(), seen=seen, ahead_days=3)

    text = plain(shown)
    assert "Rotting in its stage: 2 of the 9 open deals" in text
    alt = markup.unescape(re.search(r'aria-label="(Bars[^"]*)"|<desc[^>]*>(Bars[^<]*)<', str(shown))[0])  # fmt: skip
    assert "Rotting in its stage 2, Next step overdue 1, Required action missing 1" in alt
    assert "Large, loss likely" not in text and "Closing pushed back" not in text
    assert "days in the present stage above the days allowed (14–21)" in text
    assert "within 3 days" in text
    assert "days since creation above 120, within which 95 % of the won deals were won" in text
    assert re.search(r"Next step overdue.*?\s1\s+n/a\s+n/a", text, re.DOTALL)
    none = attention.reasons(by_reason().assign(n_open=0, n_deals=0), seen=seen, ahead_days=3)
    assert "Reasons: nothing to show" in plain(none)


def test_the_axis_shows_one_bar_per_reason():
    """
    The chart draws the counts it is given, from 0.
    """
    ax = attention._bars(by_reason())

    assert [bar.get_width() for bar in ax.patches] == [0, 1, 1, 0, 1, 2, 0, 1]
    assert ax.get_xlim() == (0, 2)
    assert [text.get_text() for text in ax.get_yticklabels()][5] == "Rotting in its stage"


def test_reasons_that_cannot_be_given_say_why(seen):
    """
    In our words or the source's, escaped; nothing where all can be given.
    """
    shown = attention.impossible(by_reason(), seen=seen)

    assert "no &lt;history&gt;" in str(shown)
    assert "no open deal has an amount" in plain(shown)
    assert str(attention.impossible(by_reason().assign(why=""), seen=seen)) == ""


def test_every_slug_of_the_metric_has_words():
    """
    No reason, action or cause of the metric tables is without its words, and each has its own.
    """
    from salesanalysis.metrics.attention import ACTIONS

    row = SimpleNamespace(found=2.0, threshold=1.0, what="x", threshold_low=1.0, threshold_high=2.0)
    names, whys, becauses, definitions = (set() for _ in range(4))
    for reason in ACTIONS:
        row.reason = reason
        names.add(attention.reason_name(reason))
        whys.add(attention.why(row))
        becauses.add(attention.because(reason))
        definitions.add(attention.counts_when(row, ahead_days=3))
    actions = {attention.action(slug, "x", "y") for slug in (*ACTIONS.values(), "assign_owner")}

    assert [len(part) for part in (names, whys, becauses, definitions)] == [len(ACTIONS)] * 4
    assert len(actions) == len(ACTIONS) + 1
    assert not re.search(r"worst|bottom|末位|淘汰", " ".join(names | whys | actions | definitions))


def test_chances_are_shown_at_some_days_with_their_interval(seen):
    """
    All stages together stand beside the stages; without stages they are all deals since creation.
    """
    rows = pd.DataFrame(
        {"pipeline": ["New"] * 3 + [None] * 2, "stage": ["Demo"] * 3 + [None] * 2,
         "days": [0.0, 1.0, 7.0, 0.0, 14.0], "n_open": [50, 49, 40, 90, 60],
         "won_rate": [0.3, 0.31, 0.25, 0.2, 0.1], "won_rate_low": [0.2, 0.2, 0.15, 0.1, 0.05],
         "won_rate_high": [0.4, 0.4, 0.35, 0.3, 0.2]}
    )  # fmt: skip

    text = plain(attention.chances(rows, seen=seen))
    bare = plain(attention.chances(rows.iloc[3:], seen=seen))

    assert re.search(r"Demo\s+7\s+40\s+25.0 %\s+15.0–35.0 %", text)
    assert "31.0" not in text and re.search(r"All stages\s+14\s+60", text)
    assert "All deals, since creation" in bare
    assert "nothing to show" in plain(attention.chances(rows.head(0), seen=seen))


def test_a_reps_page_leaves_out_what_names_others(seen):
    """
    Findings and rejected values may hold names: a rep's page has the counts of rows only.
    """
    found = pd.DataFrame(
        {"kind": ["no_open_deals", "older_than_any_closed"], "subject": ["Bob", "deals"],
         "n_rows": [30, 4], "detail": ["24 %", "138"]}
    )  # fmt: skip
    rejected = pd.DataFrame(
        {"table": ["people"], "file": ["people.csv"], "outcome": ["refused"], "reason": ["missing"],
         "column": ["name"], "n_rows": [1], "line": [3], "value": ["Bob"]}
    )  # fmt: skip

    whole = attention.data(found, ledger(), rejected, seen=seen)
    own = attention.data(found, ledger(), rejected, seen=seen, rep="a")

    assert str(whole).count("Bob") == 2 and "Bob" not in str(own)
    assert "deals.csv" in str(own)
    assert "Bob" in str(attention.cautions(found, seen=seen))
    shown = str(attention.cautions(found, seen=seen, rep="a"))
    assert "Bob" not in shown and "older than any deal" in shown


def test_measures_are_defined():
    """
    What is at stake, and what the list is.
    """
    text = plain(attention.measure_cards())

    assert list(words.MEASURES["attention"]) == ["value_at_stake", "needs_attention"]
    assert "Value at stake" in text and "Aalen-Johansen" in text and "Judging a person" in text


def read_csv(text):
    """Rows of a file by the labels of its first line."""
    return list(csv.DictReader(io.StringIO(text.removeprefix("\ufeff"), newline="")))


def test_the_spreadsheet_file_holds_today_with_numbers_and_days(seen):
    """
    UTF-8 with its mark, CRLF, one row per deal of today; a negative amount stays a number, unknown is empty.
    """
    text = attention.csv_text(table(), reasons(), seen=seen)

    rows = read_csv(text)
    assert text.startswith("\ufeff") and text.count("\r\n") == 4
    assert [row["Deal number"] for row in rows] == ["0001", "'=2+3", "0003"]
    assert [row["Amount"] for row in rows] == ["250000.00", "", "-1200.75"]
    assert [row["At stake"] for row in rows] == ["100000.00", "", ""]
    assert [row["Won from here"] for row in rows] == ["0.4000", "0.2500", ""]
    assert {row["Due"] for row in rows} == {"2026-07-01"}
    assert [row["Who"] for row in rows] == [HOSTILE, HOSTILE, "Nobody yet"]
    assert rows[0]["Account"] == LONG
    assert (
        rows[0]["Why"]
        == "2 of 3 required not done: 会议 or 拜访, 演示; 16 days in 报价, 14 allowed"
    )
    assert rows[0]["Currency"] == "CNY"


@pytest.mark.parametrize("column", ["deal_id", "account", "stage", "team", "person", "name"])
@pytest.mark.parametrize(
    "payload",
    ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", "\0=1", "＝1", "＋1", "－1", "＠x",
     '=HYPERLINK("http://x","y")', "=cmd|' /C calc'!A0", "-2+3+cmd|' /C calc'!A0"],
)  # fmt: skip
def test_no_text_of_the_file_is_run_by_a_spreadsheet(seen, column, payload):
    """
    Whatever column a text that looks like a formula comes in, it is told apart.
    """
    text = attention.csv_text(table().assign(**{column: payload}), reasons(), seen=seen)

    cells = [cell for row in read_csv(text) for cell in row.values()]
    number = re.compile(r"-?\d+(\.\d+)?")
    live = [c for c in cells if c.startswith(tuple("=+-@\t\r\n\0＝＋－＠")) and not number.fullmatch(c)]  # fmt: skip
    assert live == []
    assert f"'{payload}" in cells


def unfolded(text):
    """Content lines of a calendar, as RFC 5545 section 3.1 joins them."""
    return text.replace("\r\n ", "").replace("\r\n\t", "").split("\r\n")[:-1]


def unescaped(value):
    """A TEXT value as RFC 5545 section 3.3.11 reads it."""
    return re.sub(r"\\(.)", lambda m: "\n" if m[1] in "nN" else m[1], value)


def tasks(text):
    """Properties of each task, read by hand."""
    found = []
    for line in unfolded(text):
        name, value = line.split(":", 1)
        if line == "BEGIN:VTODO":
            found.append({})
        elif found and line not in ("END:VTODO", "END:VCALENDAR"):
            assert name not in found[-1], f"{name} stands twice"
            found[-1][name] = value
    return found


def test_the_calendar_is_what_the_standard_says(seen):
    """
    RFC 5545 by hand: CRLF only, lines of 75 octets at most that break between characters, text escaped.
    """
    text = attention.calendar_text(table(), reasons(), seen=seen)

    assert text.endswith("END:VCALENDAR\r\n")
    assert text.count("\n") == text.count("\r") == text.count("\r\n")
    lines = text.encode().split(b"\r\n")
    assert max(map(len, lines)) <= 75
    assert "".join(line.decode("utf-8") for line in lines)  # raises where a character is broken
    assert sum(line.startswith(b" ") for line in lines) >= 3
    assert unfolded(text)[:3] == [
        "BEGIN:VCALENDAR",
        "VERSION:2.0",
        "PRODID:-//salesanalysis//attention//EN",
    ]
    summary = tasks(text)[0]["SUMMARY"]
    assert not re.search(r"(?<!\\)[,;]", summary.replace("\\\\", ""))
    assert unescaped(summary) == f"Do what the stage asks for: 会议 or 拜访, 演示 – {LONG} · 0001"
    assert unescaped(tasks(text)[0]["DESCRIPTION"]).split("\n") == [
        "2 of 3 required not done: 会议 or 拜访, 演示",
        "16 days in 报价, 14 allowed",
        f"Who: {HOSTILE}",
        f"Deal: {LONG} · 0001, 报价",
        "CNY 100,000 at stake (250,000 × 40 %)",
    ]


def test_each_task_has_what_a_calendar_needs(seen):
    """
    One per deal of today: due day, stamp of the as-of day, priority by rank, kinds of reasons, to be done.
    """
    found = tasks(attention.calendar_text(table(), reasons(), seen=seen))

    assert [sorted(task) for task in found] == [
        sorted(["UID", "DTSTAMP", "DUE;VALUE=DATE", "SUMMARY", "DESCRIPTION", "PRIORITY",
                "CATEGORIES", "STATUS"])
    ] * 3  # fmt: skip
    assert {task["DUE;VALUE=DATE"] for task in found} == {"20260701"}
    assert {task["DTSTAMP"] for task in found} == {"20260630T000000Z"}
    assert [task["PRIORITY"] for task in found] == ["1", "2", "1"]
    assert found[0]["CATEGORIES"] == "Required action missing,Rotting in its stage"
    assert {task["STATUS"] for task in found} == {"NEEDS-ACTION"}


def test_the_library_reads_back_what_was_written(seen):
    """
    A second reader agrees with the one by hand.
    """
    text = attention.calendar_text(table(), reasons(), seen=seen)

    read = Calendar.from_ical(text).walk("VTODO")

    by_hand = tasks(text)
    assert [str(task["SUMMARY"]) for task in read] == [unescaped(t["SUMMARY"]) for t in by_hand]
    assert [str(task["UID"]) for task in read] == [task["UID"] for task in by_hand]
    assert [task.decoded("DUE") for task in read] == [datetime.date(2026, 7, 1)] * 3
    assert [str(name) for name in read[0]["CATEGORIES"].cats] == [
        "Required action missing",
        "Rotting in its stage",
    ]


def test_a_task_is_the_same_as_long_as_the_deal_is_there_for_the_same_reason(seen):
    """
    Its UID does not move with rank, amount or day; another deal, reason or source has another one.
    """

    def uids(rows, source="Sample <CRM>"):
        other = SimpleNamespace(as_of=seen.as_of, source=seen.source | {"name": source})
        return [task["UID"] for task in tasks(attention.calendar_text(rows, reasons(), seen=other))]

    first = uids(table())
    later = table().assign(rank=7, amount=5.0, due=NEXT, name="Bo", stage="C", account=None)

    assert len(set(first)) == 3
    assert uids(later) == first
    assert uids(table().assign(reason="stuck"))[0] != first[0]
    assert not set(uids(table().assign(deal_id=["1", "2", "3", "4"]))) & set(first)
    assert not set(uids(table(), source="Other")) & set(first)


@pytest.mark.parametrize(
    "text", ["a\r\nEND:VTODO\r\nX:1", "a\nBEGIN:VALARM", "a\x0bb\x85c\u2028d\0e"]
)
def test_a_text_with_line_breaks_cannot_break_the_calendar(seen, text):
    """
    Control characters of the data become spaces: no line of its own, no property.
    """
    rows = table().assign(account=text, name=text, stage=text)

    written = attention.calendar_text(rows, reasons().assign(what=text), seen=seen)

    assert len(tasks(written)) == 3
    assert not re.search("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\x85\u2028\u2029]", written)
    assert not re.search(r"^(X:|BEGIN:VALARM)", written, re.MULTILINE)
    assert len(Calendar.from_ical(written).walk("VTODO")) == 3


def test_the_priority_is_never_beyond_that_of_a_calendar(seen):
    """
    Ranks above nine share the lowest priority.
    """
    found = tasks(attention.calendar_text(table().assign(rank=[9, 10, 200, 1]), reasons(), seen=seen))  # fmt: skip

    assert [task["PRIORITY"] for task in found] == ["9", "9", "9"]


def test_the_files_are_offered_beside_the_page_and_are_always_the_same(seen):
    """
    Both names are linked; the same inputs give the same bytes; a calendar without tasks would be none.
    """
    shown, again = (attention.files(table(), reasons(), seen=seen) for _ in range(2))
    empty = attention.files(table().head(0), reasons().head(0), seen=seen)

    assert set(shown.files) == {"attention.csv", "attention.ics"}
    assert shown.files == again.files
    assert all(f'<a href="{name}" download>' in str(shown) for name in shown.files)
    assert set(empty.files) == {"attention.csv"}
    assert empty.files["attention.csv"].count("\r\n") == 1
