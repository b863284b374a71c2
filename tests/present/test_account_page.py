"""The page of one customer on tables of a few rows: texts, marks, units, escaping, and what is not known."""

import html as markup
import re

import numpy as np
import pandas as pd
import pytest

from salesanalysis.present import accounts, numbers, words
from salesanalysis.present.svg import svg

NAN = float("nan")
NAT = pd.NaT
HOSTILE = '<b>"O\'Neil" & $x$</b>'
KNOWN = dict.fromkeys(("stage_events", "activities", "payments", "satisfaction"))
WHY = "the export has <none>"


def day(text):
    """A day, or none."""
    return pd.Timestamp(text) if text else NAT


@pytest.fixture
def summary():
    """A customer of hostile name that owes a part; one answer of two asked."""
    return pd.DataFrame(
        [{"account": "c1", "name": HOSTILE, "n_deals": 4, "n_won": 2, "n_lost": 1, "n_open": 1, "n_removed": 0,
          "won_amount": 1500.0, "open_amount": 700.0, "n_unpriced": 0, "won_share": 0.125, "n_accounts": 85,
          "n_unnamed": 0, "largest_deal_id": "D<1>", "largest_amount": 1200.0, "paid_amount": 1100.0,
          "outstanding_amount": 450.0, "excess_amount": 50.0, "n_owing": 1, "first_deal_on": day("2017-01-05"),
          "first_contact_on": day("2017-01-06"), "last_contact_on": day("2017-12-01"), "days_since_contact": 30,
          "n_activities": 9, "n_asked": 2, "n_answered": 1, "n_scored": 1, "satisfaction_mean": 0.8, "n_people": 2,
          "n_events": 40}]
    )  # fmt: skip


@pytest.fixture
def steps():
    """One overdue activity of a hostile kind, one deal not paid in full, one step without a day."""
    return pd.DataFrame(
        {"step": ["overdue", "outstanding", "no_next_step"], "deal_id": ["D<1>", "D2", "D3"],
         "status": ["open", "won", "open"], "type": [HOSTILE, None, None],
         "due_on": [day("2017-12-01"), day("2017-11-01"), NAT], "days": [30.0, 60.0, NAN],
         "amount": [700.0, 450.0, NAN], "person": ["r1", "r2", "r3"], "name": [HOSTILE, "王芳", "r3"]}
    )  # fmt: skip


@pytest.fixture
def deals():
    """An open, a won and a lost deal, and one without a date of creation."""
    return pd.DataFrame(
        {"deal_key": [1, 2, 3, 4], "deal_id": ["D<1>", "D2", "D3", "D4"], "pipeline": "new",
         "status": ["open", "won", "lost", "open"], "stage": ["报价", None, None, None],
         "owner": ["r1", "r2", "r2", None], "name": [HOSTILE, "王芳", "王芳", None],
         "left_on": [NAT, day("2017-10-01"), NAT, NAT], "amount": [700.0, 1200.0, 300.0, NAN],
         "paid_amount": [0.0, 750.0, 0.0, 0.0], "outstanding_amount": [0.0, 450.0, 0.0, 0.0],
         "excess_amount": 0.0, "created_on": [day("2017-09-01"), day("2017-01-05"), day("2017-03-01"), NAT],
         "closed_on": [NAT, day("2017-06-01"), day("2017-05-01"), NAT],
         "expected_close": [day("2018-01-31"), NAT, NAT, NAT], "n_pushes": [2, 0, 0, 0],
         "loss_reason": [None, None, "price <high>", None], "n_activities": [3, 6, 0, 0], "n_planned": [1, 0, 0, 0],
         "n_overdue": [1, 0, 0, 0], "last_contact_on": [day("2017-12-01"), day("2017-05-30"), NAT, NAT]}
    )  # fmt: skip


@pytest.fixture
def lanes():
    """Two stays of the won deal, one that goes on of the open deal; the lost one has no history."""
    return pd.DataFrame(
        {"deal_id": ["D2", "D2", "D<1>"], "pos": [1, 2, 1], "pipeline": "new", "stage": ["Lead", "报价", "Lead"],
         "stage_order": [1, 2, 1], "entered_on": [day("2017-01-05"), day("2017-03-01"), day("2017-09-01")],
         "exited_on": [day("2017-03-01"), day("2017-06-01"), NAT], "outcome": ["advanced", "advanced", "open"],
         "stay_days": [55, 92, 121]}
    )  # fmt: skip


@pytest.fixture
def events():
    """Every way of saying what happened, in order of time."""
    rows = [
        {"day": "", "kind": "deal_created", "deal_id": "D4"},
        {"day": "2017-01-05", "kind": "deal_created", "deal_id": "D2", "amount": 1000.0},
        {"day": "2017-01-05", "kind": "stage_entered", "deal_id": "D2", "stage": "Lead", "type": "starts"},
        {"day": "2017-01-06", "kind": "activity_done", "deal_id": "D2", "type": "call", "outcome": HOSTILE,
         "due_on": "2017-01-08"},
        {"day": "2017-02-01", "kind": "amount_changed", "deal_id": "D2", "old": "1000.5", "new": "1200"},
        {"day": "2017-02-02", "kind": "close_moved", "deal_id": "D2", "old": "2017-05-01", "new": "soon"},
        {"day": "2017-02-03", "kind": "owner_changed", "deal_id": "D2", "old": "Ann", "new": HOSTILE},
        {"day": "2017-05-01", "kind": "lost", "deal_id": "D3", "amount": 300.0, "outcome": "price <high>"},
        {"day": "2017-06-01", "kind": "won", "deal_id": "D2", "amount": 1200.0},
        {"day": "2017-07-01", "kind": "paid", "deal_id": "D2", "amount": 800.0},
        {"day": "2017-08-01", "kind": "refunded", "deal_id": "D2", "amount": -50.0},
        {"day": "2017-08-02", "kind": "satisfaction_asked", "deal_id": None},
        {"day": "2017-08-03", "kind": "satisfaction_answered", "deal_id": None, "score": 8.0, "scale_max": 10.0},
        {"day": "2017-12-01", "kind": "activity_overdue", "deal_id": "D<1>", "type": "visit", "due_on": "2017-12-01"},
    ]  # fmt: skip
    columns = ["day", "kind", "deal_id", "stage", "type", "outcome", "due_on", "amount", "score", "scale_max",
               "old", "new"]  # fmt: skip
    table = pd.DataFrame(rows, columns=columns)
    for column in ("day", "due_on"):
        table[column] = pd.to_datetime(table[column].replace("", None))
    return table.assign(person="r1", name=HOSTILE)


@pytest.fixture
def people():
    """The owner has left; the helper has no team."""
    return pd.DataFrame(
        {"person": ["r2", "r1"], "name": ["王芳", HOSTILE], "team": ["East", None],
         "left_on": [day("2017-10-01"), NAT], "is_owner": [True, False], "is_credited": [True, False],
         "is_active": [False, True], "is_rated": [False, True], "n_deals": [2, 1], "n_open": [0, 1],
         "n_activities": [6, 3], "first_on": [day("2017-01-05"), NAT], "last_on": [day("2017-06-01"), NAT]}
    )  # fmt: skip


def plain(fragment):
    """The words of a fragment; a space that cannot break counts as a space."""
    return markup.unescape(re.sub(r"<[^>]*>", " ", str(fragment))).replace("\u00a0", " ")


def rows_of(shown, caption):
    """Cells of the table of that caption, by row."""
    table = re.search(rf"<caption><span>{caption}.*?<tbody>(.*?)</tbody>", str(shown), re.DOTALL)[1]
    rows = re.findall(r"<tr>(.*?)</tr>", table, re.DOTALL)
    return [
        [plain(cell).strip() for cell in re.findall(r"<t[dh][^>]*>(.*?)</t[dh]>", row, re.DOTALL)]
        for row in rows
    ]


def answered(summary, steps, metric, seen, reasons=None):
    """Message and cards of the answer."""
    shown = accounts.answer(
        summary, steps=steps, ledger=metric.ledger, seen=seen, reasons=reasons or KNOWN
    )
    cards = {name: value.replace("\u00a0", " ") for name, value in shown.summary["cards"]}
    return shown.summary["message"].replace("\u00a0", " "), cards, plain(shown)


def test_the_answer_says_bought_open_and_due(summary, steps, metric, seen):
    """
    A number, what it is compared with, what drives it; then what is open and what is due.
    """
    message, cards, text = answered(summary, steps, metric, seen)

    assert message == (
        f"{HOSTILE} has bought for USD 1.5K in 2 deals, 12.5 % of what all 85 customers bought, the largest deal "
        "being D<1> with USD 1.2K; USD 700 is open in 1 deal; USD 450 is due"
    )
    assert cards == {
        "Bought": "USD 1.5K", "Open": "USD 700", "Due": "USD 450", "Last contact": "1 Dec 2017",
        "Satisfaction": "80 %", "To do": "3",
    }  # fmt: skip
    for part in ("USD 1.1K paid, USD 50 of it beyond", "30 days ago", "9 activities since 6 Jan 2017",
                 "1 of 2 asked answered", "1 answer", "1 overdue", "Data as of 31 Dec 2017"):  # fmt: skip
        assert part in text


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        (
            {"n_won": 0, "won_amount": 0.0},
            "has bought nothing yet, of 4 deals created; USD 700 is open",
        ),
        (
            {"won_amount": NAN, "outstanding_amount": NAN},
            "has bought in 2 deals, all without an amount; USD 700",
        ),
        ({"n_open": 0, "open_amount": 0.0}, "; nothing is open; USD 450 is due"),
        ({"n_open": 3, "open_amount": NAN}, "; 3 deals are open, of unknown amount; USD 450"),
        ({"outstanding_amount": 0.0}, "; everything won is paid"),
        (
            {"outstanding_amount": 0.0, "n_unpriced": 1},
            "; as far as amounts are known, everything won is paid",
        ),
        ({"n_won": 1}, "customers bought; USD 700"),
        ({"won_share": NAN}, "in 2 deals, the largest deal"),
        ({"n_accounts": 1}, "in 2 deals, the largest deal"),
    ],
)
def test_the_message_follows_the_sums(summary, steps, metric, seen, changes, expected):
    """
    Each state of the sums has its own words.
    """
    message, _, _ = answered(summary.assign(**changes), steps, metric, seen)

    assert expected in message


def test_what_is_not_known_is_no_zero(summary, steps, metric, seen):
    """
    Without payments, activities and questions the cards say so, and the gaps give each reason.
    """
    nothing = dict.fromkeys(
        ("paid_amount", "outstanding_amount", "excess_amount", "n_owing", "n_activities", "n_asked",
         "n_answered", "n_scored", "satisfaction_mean", "days_since_contact"), NAN,
    )  # fmt: skip
    reasons = KNOWN | dict.fromkeys(("activities", "payments"), WHY)
    table = summary.assign(**nothing, last_contact_on=NAT, n_unnamed=1425, n_unpriced=1)

    message, cards, text = answered(table, steps.iloc[:0], metric, seen, reasons)
    gaps = plain(accounts.gaps(table, reasons=reasons, seen=seen))

    assert message.endswith("USD 700 is open in 1 deal")
    assert [cards[name] for name in ("Due", "Last contact", "Satisfaction")] == ["n/a"] * 3
    assert "without activities, which are not known" in text
    assert f"Payments, and so what is due: {WHY}" in gaps
    assert f"Activities, contact and next steps: {WHY}" in gaps
    assert "1,425 deals of the source name no customer" in gaps
    assert "1 deal won without an amount" in gaps
    assert "Satisfaction" not in gaps
    assert str(accounts.gaps(summary, reasons=KNOWN, seen=seen)) == ""


def test_a_customer_that_was_never_met_or_asked(summary, steps, metric, seen):
    """
    None is another thing than not known.
    """
    table = summary.assign(n_activities=0, last_contact_on=NAT, n_asked=0, satisfaction_mean=NAN)

    _, cards, text = answered(table, steps, metric, seen)

    assert cards["Last contact"] == "none"
    assert "no activity done" in text
    assert "never asked" in text


def test_without_any_customer_the_page_says_so(steps, metric, seen):
    """
    A source whose deals name no customer.
    """
    message, cards, _ = answered(pd.DataFrame(), steps.iloc[:0], metric, seen)

    assert message == "No deal of Maven <CRM> names a customer: there is no history of one to show"
    assert set(cards.values()) == {"n/a"}


def test_steps_are_shown_with_who_and_since_when(steps, seen):
    """
    An action in words, the day meant, days since, amount, person.
    """
    shown = accounts.what_to_do(steps, seen=seen, reasons=KNOWN)

    assert rows_of(shown, "What to do") == [
        [
            "Overdue: do it, or set another day",
            "D<1>",
            "Open",
            HOSTILE,
            "1 Dec 2017",
            "30",
            "700",
            HOSTILE,
        ],
        ["Not paid in full: ask for it", "D2", "Won", "–", "1 Nov 2017", "60", "450", "王芳"],
        ["No next step: plan one", "D3", "Open", "–", "n/a", "n/a", "n/a", "r3"],
    ]
    assert "Amount (USD)" in plain(shown)
    assert "<b>" not in str(shown)


def test_many_steps_are_counted(steps, seen):
    """
    What does not fit is a number.
    """
    many = pd.concat([steps] * 20, ignore_index=True)

    shown = accounts.what_to_do(many, seen=seen, reasons=KNOWN)

    assert len(rows_of(shown, "What to do")) == 40
    assert "20 more are not shown." in plain(shown)
    assert "not shown" not in plain(accounts.what_to_do(steps, seen=seen, reasons=KNOWN))


def test_nothing_to_do_says_what_was_not_looked_at(steps, seen):
    """
    An empty list with the reasons why steps may be missing from it.
    """
    reasons = KNOWN | {"activities": WHY, "stage_events": "no matter"}

    shown = plain(accounts.what_to_do(steps.iloc[:0], seen=seen, reasons=reasons))

    assert "Nothing open, overdue or outstanding was found." in shown
    assert f"Activities, contact and next steps: {WHY}" in shown
    assert "no matter" not in shown


def test_every_step_has_words():
    """
    The seven steps read as actions, none like another.
    """
    steps = (
        "overdue",
        "no_next_step",
        "close_passed",
        "owner_left",
        "outstanding",
        "upcoming",
        "left_over",
    )

    assert len({accounts._step(step) for step in steps}) == 7


def drawn_marks(ax):
    """Points by marker: days since 1970 and places."""
    return {line.get_marker(): line.get_xydata().tolist() for line in ax.get_lines()}


def days_since_1970(*texts):
    """Days as a chart counts them."""
    return [(day(text) - pd.Timestamp(0)).days for text in texts]


def test_lanes_lie_in_time(deals, lanes, events):
    """
    The earliest deal on top; stays from entry to exit, or to the day; a deal without history from begin to end.
    """
    ax = accounts.lane_chart(deals, lanes, events, as_of=day("2017-12-31").date())

    assert [label.get_text() for label in ax.get_yticklabels()] == ["D2", "D3", "D<1>", "D4"]
    bars = sorted(
        (round(bar.get_y() + bar.get_height() / 2), bar.get_x(), bar.get_x() + bar.get_width())
        for bar in ax.patches
    )
    one, two, three, four, five, six, seven = days_since_1970(
        "2017-01-05",
        "2017-03-01",
        "2017-06-01",
        "2017-03-01",
        "2017-05-01",
        "2017-09-01",
        "2017-12-31",
    )
    assert bars == [(0, one, two), (0, two, three), (1, four, five), (2, six, seven)]
    assert [text.get_text() for text in ax.texts] == ["1", "2", "1", "1.2K", "300", "700", "n/a"]


def test_marks_lie_beside_their_lanes(deals, lanes, events):
    """
    Won, lost, activities done (above), payments and refunds (below), each with a shape of its own and a name.
    """
    ax = accounts.lane_chart(deals, lanes, events, as_of=day("2017-12-31").date())

    marks = drawn_marks(ax)
    assert marks["*"] == [[*days_since_1970("2017-06-01"), 0]]
    assert marks["X"] == [[*days_since_1970("2017-05-01"), 1]]
    assert marks["|"] == [[*days_since_1970("2017-01-06"), -0.38]]
    assert marks["D"] == [[*days_since_1970("2017-07-01"), 0.34]]
    assert marks["v"] == [[*days_since_1970("2017-08-01"), 0.34]]
    names = [text.get_text() for text in ax.get_legend().get_texts()]
    assert names == ["1 Lead", "2 报价", "Won", "Lost", "Activity done", "Paid", "Refunded"]
    left, right = ax.get_xlim()
    first, last = days_since_1970("2017-01-05", "2017-12-31")
    assert left < first < left + 10 and right - 10 < last < right


def test_what_happened_before_a_deal_was_created_is_on_the_axis(deals, lanes, events):
    """
    Records may be older than the deal's own row.
    """
    early = events.assign(
        day=events["day"].where(events["kind"] != "activity_done", day("2016-01-01"))
    )

    ax = accounts.lane_chart(deals, lanes, early, as_of=day("2017-12-31").date())

    assert ax.get_xlim()[0] < days_since_1970("2016-01-01")[0]


def test_later_stages_are_darker(deals, lanes, events):
    """
    The shade says what the number says.
    """
    ax = accounts.lane_chart(deals, lanes, events, as_of=day("2017-12-31").date())

    shade = {text.get_text(): sum(patch.get_facecolor()[:3]) for text, patch in zip(
        ax.get_legend().get_texts(), ax.get_legend().get_patches(), strict=False)}  # fmt: skip
    assert shade["1 Lead"] > shade["2 报价"]


def test_many_stages_are_shades_only(deals, lanes, events):
    """
    A legend of more stages than can be told apart names the ends.
    """
    many = pd.concat(
        [lanes.head(1).assign(stage=f"S{n}", stage_order=n) for n in range(1, 10)],
        ignore_index=True,
    )

    ax = accounts.lane_chart(deals, many, events, as_of=day("2017-12-31").date())

    names = [text.get_text() for text in ax.get_legend().get_texts()]
    assert names[:2] == ["Early stage", "Late stage"]
    assert "1 S1" not in names


@pytest.mark.parametrize("lost", ["lanes", "events", "dates"])
def test_a_chart_of_little_is_still_a_chart(deals, lanes, events, lost):
    """
    No stays, no events, or not even a date.
    """
    if lost == "dates":
        deals = deals.assign(created_on=NAT)
    if lost != "events":
        lanes = lanes.iloc[:0]
    if lost != "lanes":
        events = events.iloc[:0]

    ax = accounts.lane_chart(deals, lanes, events, as_of=day("2017-12-31").date())

    assert len(ax.get_yticklabels()) == 4
    assert "D&lt;1&gt;" in svg(ax, name="little", alt="Little.")


def test_the_figure_says_it_in_words(deals, lanes, events, seen):
    """
    Headline, subtitle and alternative text with numbers; the deals and their stays are the data.
    """
    shown = accounts.swimlanes(deals, lanes=lanes, events=events, seen=seen, reasons=KNOWN)

    assert "4 deals since Jan 2017: 1 won, 1 lost, 2 still open" in plain(shown)
    alt = markup.unescape(re.search(r'aria-label="(Lanes[^"]*)"', str(shown))[1])
    assert "D2 won (USD 1.2K; stays 2, activities 1, payments 2)" in alt.replace("\u00a0", " ")
    assert "D3 lost (USD 300; stays 0, activities 0, payments 0)" in alt.replace("\u00a0", " ")
    first, second, *_ = rows_of(shown, "Deals of the customer")
    assert first[:4] == ["D<1>", "Open in 报价", HOSTILE, "700"]
    assert second[:6] == ["D2", "Won", "王芳 (has left)", "1,200", "750", "450"]
    assert "price <high>" in plain(shown)
    assert rows_of(shown, "Stays of the deals")[0] == [
        "D2",
        "Lead",
        "5 Jan 2017",
        "1 Mar 2017",
        "55",
        "Advanced",
    ]
    assert "<b>" not in str(shown)


def test_more_deals_than_can_be_drawn_are_said(deals, lanes, events, seen):
    """
    Twenty lanes, all deals in the data, and the subtitle says so; without history it says why.
    """
    many = pd.concat([deals.iloc[[1]]] * 25, ignore_index=True)
    many = many.assign(deal_id=[f"N{n}" for n in range(25)])

    shown = accounts.swimlanes(
        many, lanes=lanes.iloc[:0], events=events, seen=seen, reasons={"stage_events": WHY}
    )

    assert "20 of 25 deals, the open and then the latest ones; all in the data" in plain(shown)
    assert f"no stages ({WHY})" in plain(shown)
    assert len(rows_of(shown, "Deals of the customer")) == 25
    drawing = re.search(r"<svg.*?</svg>", str(shown), re.DOTALL)[0]
    assert "N19" in drawing and "N20" not in drawing


def test_the_timeline_begins_with_the_latest(events, summary, seen):
    """
    What each event changed, in words and the reader's notation; what is missing is a dash.
    """
    shown = accounts.timeline(events, summary=summary, seen=seen)

    rows = rows_of(shown, "Everything that happened")
    assert [row[2] for row in rows[:2]] == [
        "Activity due, not done since",
        "Answered about satisfaction",
    ]
    assert rows[0][:2] == ["1 Dec 2017", "D<1>"]
    assert [row[3] for row in rows] == [
        "visit",
        "8 of 10",
        "",
        "USD -50",
        "USD 800",
        "USD 1,200",
        "USD 300 · price <high>",
        f"Ann → {HOSTILE}",
        "1 May 2017 → soon",
        "USD 1,000 → USD 1,200",
        f"call · {HOSTILE} · due 8 Jan 2017",
        "Lead (started here)",
        "USD 1,000",
        "n/a",
    ]
    assert rows[1][1] == "–" and rows[-1][0] == "n/a"
    assert "26 earlier events are not shown; the parameter rows says how many are." in plain(shown)
    all_ = accounts.timeline(events, summary=summary.assign(n_events=len(events)), seen=seen)
    assert "All events that are recorded." in plain(all_)
    assert "<b>" not in str(shown)


def test_people_are_shown_with_their_part(people, seen):
    """
    Roles in words, who has left, and no team column where nobody has one.
    """
    shown = accounts.people(people, seen=seen)

    assert rows_of(shown, "People who worked") == [
        [
            "王芳 (left 1 Oct 2017)",
            "East",
            "owner, credited",
            "2",
            "0",
            "6",
            "5 Jan 2017",
            "1 Jun 2017",
        ],
        [HOSTILE, "(none)", "active, rated", "1", "1", "3", "–", "–"],
    ]
    alone = accounts.people(people.assign(n_activities=np.nan), seen=seen)
    assert "Activities done" not in plain(alone)


@pytest.mark.parametrize("name", ["deals_table", "people"])
def test_empty_tables_give_the_reason(name, seen):
    """
    A notice in place of a table.
    """
    shown = getattr(accounts, name)(pd.DataFrame(), seen=seen, reason=WHY)

    assert "<table" not in str(shown)
    assert markup.escape(WHY, quote=False) in str(shown)


def test_an_empty_timeline_and_no_deals_give_notices(summary, seen):
    """
    There is no row, and the page stands.
    """
    nothing = pd.DataFrame()

    for shown in (
        accounts.timeline(nothing, summary=nothing, seen=seen, reason=WHY),
        accounts.swimlanes(nothing, lanes=nothing, events=nothing, seen=seen, reasons=KNOWN),
    ):
        assert "nothing to show" in str(shown)
        assert "<table" not in str(shown)


def test_measures_are_defined():
    """
    Three cards, each with a question, a definition, a caveat and a misuse.
    """
    shown = str(accounts.measure_cards())

    assert shown.count('<section class="measure">') == 3
    for name in words.MEASURES["account_history"]:
        measure = words.measure(name)
        assert all([measure.what, measure.definition, measure.caveats, measure.not_for])
    assert numbers.missing() not in shown
