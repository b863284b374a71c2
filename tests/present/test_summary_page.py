"""The page for leaders: its message, cards, actions, bridge and tables from small frames made by hand."""

import datetime
import html as markup
import re
from types import SimpleNamespace

import pandas as pd
import pytest

from salesanalysis.present import html, summary_cards
from salesanalysis.present import summary as page

NAN = float("nan")
HOSTILE = '<b>"O\'Neil" & $x$</b>'
LEDGER = pd.DataFrame({"n_in": [10], "n_accepted": [9]})
NO_CHANGE = SimpleNamespace(problem="not_named", treated=(), control=(), changed_on=None, by="team")


def bookings(**this):
    """7.7M after 10.8M, and 3.7M a year ago."""
    days = [("2017-10-01", "2017-12-31"), ("2017-07-01", "2017-09-30"), ("2016-10-01", "2016-12-31")]  # fmt: skip
    table = pd.DataFrame(
        {"which": ["this", "before", "year_ago"], "measure": "amount", "n_won": [99, 90, 54], "n_closed": [401, 386, 348],
         "n_no_amount": [0, 0, 0], "bookings": [7_660_303.61, 10_754_797.92, 3_731_570.88],
         "target": [9_080_000.0, 8_680_000.0, NAN], "target_of": ["teams", "teams", None],
         "attainment": [0.8436, 1.239, NAN], "change": [NAN, -3_094_494.31, 3_928_732.73],
         "change_share": [NAN, -0.2877, 1.0528]}
    )  # fmt: skip
    table["first_on"], table["last_on"] = (pd.to_datetime([day[i] for day in days]) for i in (0, 1))
    for name, value in this.items():
        table.loc[0, name] = value
    return table


def counts():
    """The same without amounts."""
    return bookings().assign(measure="count", bookings=[129.0, 143.0, NAN], change=[NAN, -14.0, NAN],
                             change_share=[NAN, -0.098, NAN], target=NAN, attainment=NAN, target_of=None)  # fmt: skip


def bridge(*, high=1.1e6, why_not=None):
    """The effects of the sample company; `why_not` of a step makes it unknown."""
    value = [10_754_797.92, 346_489.8, 340_897.4, -2_233_498.0, -1_548_383.51, 7_660_303.61, -3_094_494.31]  # fmt: skip
    table = pd.DataFrame(
        {"step": ["before", "volume", "mix", "rate", "amount", "after", "change"], "value": value,
         "low": [7.8e6, -9.4e5, -9.2e5, -5.9e6, -4.4e6, 5.8e6, -8.3e6], "high": [15.8e6, 1.8e6, 1.9e6, 1.1e6, 6.9e5, 10.7e6, high],
         "start": [0, 10_754_797.92, 11_101_287.72, 11_442_185.12, 9_208_687.12, 0, 0],
         "end": [value[0], 11_101_287.72, 11_442_185.12, 9_208_687.12, value[5], value[5], value[6]], "even_value": NAN,
         "why_not": pd.Series([None] * 7, dtype=object)}
    )  # fmt: skip
    for step, why in (why_not or {}).items():
        table.loc[table["step"] == step, ["value", "low", "high"]] = NAN
        table.loc[table["step"] == step, "why_not"] = why
    return table


def driver(step="rate_of_large", share=0.72, *, is_up=False, not_step="volume"):
    return SimpleNamespace(step=step, share=share, is_up=is_up, not_step=not_step, is_chance=True)


def cohorts(**both):
    """Deals created in the third quarter against those of the second."""
    days = {"first_on": "2017-07-01", "last_on": "2017-09-30", "before_first_on": "2017-04-01", "before_last_on": "2017-06-30"}  # fmt: skip
    rows = [
        {"figure": "win_rate", "value": 0.2424, "low": 0.203, "high": 0.287, "before": 0.223, "change": 0.0191,
         "change_low": -0.0399, "change_high": 0.0779, "is_better": None},
        {"figure": "cycle", "value": 32.0, "low": 28.0, "high": 36.0, "before": 40.0, "change": -4.38,
         "change_low": -8.1, "change_high": -0.66, "is_better": True},
    ]  # fmt: skip
    table = pd.DataFrame(rows).assign(until_days=90, n=396, n_before=394, why_not=None, why_no_change=None)  # fmt: skip
    table = table.assign(**{name: pd.Timestamp(day) for name, day in days.items()})
    return table.assign(**both).astype(dict.fromkeys(["is_better", "why_not", "why_no_change"], object))  # fmt: skip


def people(**columns):
    row = {"n": 47.0, "n_left": 3.0, "n_left_before": 6.0, "rate": 0.063, "rate_before": 0.131, "ratio": 0.48,
           "ratio_low": 0.08, "ratio_high": 2.3, "is_better": None, "why_not": None, "why_no_change": None}  # fmt: skip
    return pd.DataFrame([row | columns])


def required(**columns):
    row = {"quarter": "2018-Q1", "n_quarters": 7, "required_coverage": 2.5, "required_coverage_low": 1.5, "required_coverage_high": 5.6,
           "coverage": 1.9, "amount_open": 17_343_371.0, "n_open": 149, "remaining_quota": 9.1e6}  # fmt: skip
    return pd.DataFrame([row | columns])


def forecast(why_not=None, **columns):
    row = {"first_on": pd.Timestamp("2018-01-01"), "last_on": pd.Timestamp("2018-03-31"), "booked": 0.0, "median": 10_072_165.0,
           "low80": 8_128_053.0, "high80": 12_281_049.0, "reach_quota_share": NAN}  # fmt: skip
    return SimpleNamespace(totals=pd.DataFrame([row | columns]), value="amount", why_not=why_not)


def action(name="roll_out", **columns):
    row = {"action": name, "kind": "gain", "unit": "amount", "worth": 3_509_833.0, "worth_low": 1_666_475.0,
           "worth_high": 5_297_276.0, "sure": "control", "sure_share": NAN, "who": "head", "groups": ("North", HOSTILE),
           "what": "team", "n": 191.1, "due_on": pd.Timestamp("2018-01-31"), "page": "change_impact"}  # fmt: skip
    return row | columns


def actions(*rows):
    return pd.DataFrame(list(rows), columns=list(action()))


EVERY = [
    action(),
    action("go_back", groups=("North",)),
    action("lever", sure="top", sure_share=0.58, who="managers", what="报价", page="sales_funnel"),
    action("opportunity", sure="segments", sure_share=0.009, groups=("Fair",), what="source", page="sales_funnel"),
    action("decide", kind="at_stake", sure="simulated", who="managers", groups=tuple("ABCDEFGH"), what=None, n=21, page="pipeline_forecast"),
    action("build_pipeline", kind="missing", sure="past", who="managers", groups=(), n=112, page="pipeline_forecast"),
    action("clean", kind="overstated", sure="counted", who="operations", groups=(), n=23, worth_low=NAN, worth_high=NAN, page="cohort_conversion"),
]  # fmt: skip


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


def column(shown, name, number=0):
    """The cells under a label."""
    head, *rows = cells(shown, number)
    return [row[head.index(name)] for row in rows]


def answer(seen, **more):
    given = {"bridge": bridge(), "driver": driver(), "cohorts": cohorts(), "people": people(), "required": required(),
             "forecast": forecast(), "actions": actions(action(groups=("North", "South"))), "ledger": LEDGER}  # fmt: skip
    return page.answer(more.pop("table", bookings()), seen=seen, **(given | more))


def message(seen, **more):
    return answer(seen, **more).summary["message"].replace("\u00a0", " ")


def cards(seen, **more):
    """Label -> (value, range, comparison, tone)."""
    given = {"bridge": bridge(), "cohorts": cohorts(), "people": people(), "required": required(), "forecast": forecast()}  # fmt: skip
    made = summary_cards.cards(more.pop("table", bookings()), seen=seen, **(given | more))
    keys = ("value", "range", "comparison", "tone")
    return {
        card["label"].replace("\u00a0", " "): tuple(
            card[key].replace("\u00a0", " ") for key in keys
        )
        for card in made
    }


# The message


def test_the_message_holds_number_target_comparison_driver_chance_and_what_to_do(seen):
    """All that a leader asks stands in one sentence or two."""
    assert message(seen) == (
        "Bookings of Oct–Dec 2017: USD 7.7M, 84 % of target, 29 % less than the quarter before, mostly because kinds of "
        "deals with large amounts were won less often; chance alone could make this difference. Worth most now: "
        "roll the new way out to 2 teams (about USD 3.5M a quarter)"
    )


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"bridge": bridge(high=-1.0)}, "; that is more than chance makes"),
        ({"driver": driver(share=0.4)}, ", most of all because kinds of deals with large amounts were won less often"),
        ({"driver": driver("amount", not_step=None)}, ", mostly because won deals of the same kind were smaller; chance"),
        ({"driver": driver("rate", not_step="mix")}, "mostly because fewer of the deals closed were won"),
        ({"driver": driver("volume", not_step="amount"), "bridge": bridge(why_not={"rate": "only_won"})}, "mostly because fewer deals were won"),
        ({"driver": None}, "less than the quarter before; chance alone"),
        ({"table": bookings(attainment=NAN)}, "USD 7.7M, 29 % less"),
        ({"actions": actions()}, "chance alone could make this difference"),
        ({"actions": actions(EVERY[4])}, "Worth most now: decide about 21 large open deals with little chance this quarter (about USD 3.5M at stake)"),
        ({"actions": actions(EVERY[6])}, ". To do first: close or confirm 23 open deals older than any that ever closed (about USD 3.5M counted on too much)"),
        ({"actions": actions(EVERY[2])}, "bring 报价 to the share that goes on in the better teams"),
        ({"actions": actions(action("lever", unit="count", worth=6.2))}, "(about 6.2 wins a quarter)"),
    ],
)  # fmt: skip
def test_each_part_of_the_message_says_its_own(seen, more, said):
    """A clear change, a lesser driver, other causes, no target, no action, another action."""
    assert said in message(seen, **more)


def test_a_rise_is_said_as_one(seen):
    """More than the quarter before, because more were won, not because they were larger."""
    table = bookings()
    table.loc[1, ["change", "change_share"]] = [2e6, 0.35]

    text = message(seen, table=table, driver=driver("rate", is_up=True, not_step="amount"))

    assert "35 % more than the quarter before, mostly because more of the deals closed were won" in text  # fmt: skip


def test_where_nothing_is_known_the_message_says_why(seen):
    """A quarter not recorded whole has no number, one before it no comparison, an equal one no change, an empty one no per cent."""
    nothing = bridge().head(0)
    unknown = message(seen, table=bookings(bookings=NAN), bridge=nothing, driver=None, actions=actions())  # fmt: skip
    table = bookings()
    table.loc[1, ["bookings", "change", "change_share"]] = NAN
    alone = message(seen, table=table, bridge=nothing, driver=None, actions=actions())
    table.loc[1, ["bookings", "change"]] = [7_660_303.61, 0.0]
    same = message(seen, table=table, driver=None, actions=actions())
    table.loc[1, ["bookings", "change"]] = [0.0, 7_660_303.61]
    first = message(seen, table=table, bridge=nothing, driver=None, actions=actions())

    assert unknown == "What was booked in Oct–Dec 2017 cannot be said: the source did not record all of it"  # fmt: skip
    assert alone == "Bookings of Oct–Dec 2017: USD 7.7M, 84 % of target; the quarter before was not recorded whole"  # fmt: skip
    assert same.endswith("84 % of target, as in the quarter before")
    assert first.endswith(", after none in the quarter before")


def test_without_amounts_deals_are_counted(seen):
    """No money anywhere in the message or on the card."""
    assert message(seen, table=counts(), driver=None, actions=actions()) == (
        "Deals won in Oct–Dec 2017: 129, 10 % fewer than in the quarter before; chance alone could make this difference"
    )
    assert cards(seen, table=counts())["Deals won, Oct–Dec 2017"][:2] == ("129 deals", "no target in the source")  # fmt: skip


# The cards


def test_six_cards_each_against_something_with_its_range(seen):
    """Value, range, comparison and whether it is better, of each."""
    assert cards(seen) == {
        "Bookings, Oct–Dec 2017": ("USD 7.7M", "84 % of the target of USD 9.1M", "▼ 29 % against Jul–Sep 2017: could be chance", "neutral"),
        "Cohort win rate at 90 days": ("24.2 %", "likely 20–29 %, deals of Jul–Sep 2017", "▲ 1.9 points against Apr–Jun 2017 (−4.0 to +7.8): no clear change", "neutral"),
        "Half the deals are closed within": ("32 days", "likely 28–36, deals of Jul–Sep 2017", "▼ 4.4 days open, of the first 90, against Apr–Jun 2017 (−8.1 to −0.7)", "good"),
        "Open pipeline due in 2018-Q1": ("USD 17.3M", "past quarters needed 2.5 times what they won (1.5–5.6)", "1.9 times what is left of the target", "bad"),
        "Forecast of Jan–Mar 2018": ("USD 10.1M", "80 % range USD 8.1M–12.3M", "after USD 7.7M in Oct–Dec 2017", "neutral"),
        "People in sales": ("47", "3 left in 12 months, 6 % a year", "6 in the 12 before (13 %); ratio 0.5 (0.1–2.3): no clear change", "neutral"),
    }  # fmt: skip


@pytest.mark.parametrize(
    ("label", "more", "expected"),
    [
        ("Bookings, Oct–Dec 2017", {"bridge": bridge(high=-1.0)}, ("▼ 29 % against Jul–Sep 2017: more than chance", "bad")),
        ("Bookings, Oct–Dec 2017", {"table": bookings(attainment=NAN)}, ("▼ 29 % against Jul–Sep 2017: could be chance", "neutral")),
        ("Bookings, Oct–Dec 2017", {"bridge": bridge().head(0)}, ("▼ 29 % against Jul–Sep 2017", "neutral")),
        ("Cohort win rate at 90 days", {"cohorts": cohorts(why_no_change="not_recorded", change=NAN)}, ("what came before is not recorded whole: nothing to compare with", "neutral")),
        ("Cohort win rate at 90 days", {"cohorts": cohorts(why_no_change="few_deals", change=NAN)}, ("too few deals before to compare with", "neutral")),
        ("Cohort win rate at 90 days", {"cohorts": cohorts(is_better=False)}, ("▲ 1.9 points against Apr–Jun 2017 (−4.0 to +7.8)", "bad")),
        ("Open pipeline due in 2018-Q1", {"required": required(coverage=2.5)}, ("2.5 times what is left of the target", "good")),
        ("Open pipeline due in 2018-Q1", {"required": required(coverage=NAN)}, ("149 deals due; no target of the quarter in the source", "neutral")),
        ("Forecast of Jan–Mar 2018", {"forecast": forecast(booked=1e6, reach_quota_share=0.33)}, ("USD 1M booked so far; after USD 7.7M in Oct–Dec 2017; reaches the target with 33 %", "neutral")),
        ("People in sales", {"people": people(n_left=NAN, why_no_change="nobody_left")}, ("the source records nobody who left", "neutral")),
        ("People in sales", {"people": people(why_no_change="not_recorded")}, ("what came before is not recorded whole: nothing to compare with", "neutral")),
        ("People in sales", {"people": people(is_better=True)}, ("6 in the 12 before (13 %); ratio 0.5 (0.1–2.3)", "good")),
        ("People in sales", {"people": people(ratio=float("inf"), ratio_low=0.4, ratio_high=float("inf"))}, ("6 in the 12 before (13 %); ratio at least 0.40: no clear change", "neutral")),
    ],
)  # fmt: skip
def test_a_card_says_what_its_numbers_allow(seen, label, more, expected):
    """Better or worse only where it is clear, and why there is no comparison where there is none."""
    assert cards(seen, **more)[label][2:] == expected


@pytest.mark.parametrize(
    ("label", "more", "why"),
    [
        ("Cohort win rate at 90 days", {"cohorts": cohorts(why_not="no_mature_quarter")}, "no quarter of deals is 90 days old yet"),
        ("Half the deals are closed within", {"cohorts": cohorts(why_not="half_open")}, "more than half of the deals of Jul–Sep 2017 are still open"),
        ("Half the deals are closed within", {"cohorts": cohorts(why_not="only_won")}, "the source records won deals only"),
        ("Open pipeline due this quarter", {"required": required().head(0)}, "the source does not tell which open deals are due"),
        ("Forecast of this quarter", {"forecast": forecast("too_short_history")}, "cannot forecast yet: fewer than 26 weeks of closings are recorded"),
        ("Forecast of this quarter", {"forecast": forecast("too_few_won")}, "cannot forecast yet: too few deals won to go by"),
        ("People in sales", {"people": people(why_not="no_people")}, "the source has no people"),
    ],
)  # fmt: skip
def test_a_number_that_cannot_be_said_is_na_with_its_reason(seen, label, more, why):
    """Never 0 where nothing is known."""
    value, _range, comparison, tone = cards(seen, **more)[label]

    assert (value, comparison, tone) == ("n/a", why, "neutral")


def test_one_past_quarter_has_no_range(seen):
    """A range of one quarter would look sure."""
    made = cards(seen, required=required(n_quarters=1))

    assert made["Open pipeline due in 2018-Q1"][1] == "the one quarter known needed 2.5 times what it won"  # fmt: skip


# What to do


def test_actions_with_worth_who_and_when(seen):
    """The first three, in order: what and why, worth with range, role, day and page."""
    shown = page.to_do(actions(EVERY[0], EVERY[4], EVERY[2], EVERY[6]), seen=seen)

    assert len(cells(shown)) == 4
    assert column(shown, "Worth in a quarter") == [
        "USD 3.5M gained, likely 1.7M–5.3M",
        "USD 3.5M at stake, likely 1.7M–5.3M",
        "USD 3.5M gained, likely 1.7M–5.3M",
    ]
    assert column(shown, "Who") == ["Head of sales", "Sales managers of 8 teams", f"Sales managers of North, {HOSTILE}"]  # fmt: skip
    assert column(shown, "Due") == ["31 Jan 2018"] * 3
    assert column(shown, "Shown on page") == ["Change impact", "Pipeline forecast", "Sales funnel"]
    assert column(shown, "What to do, and why")[0].startswith(f"Roll the new way out to North, {HOSTILE}. The change was compared")  # fmt: skip
    assert "Of all stages it gains most with probability 58 %." in plain(shown)
    assert "do not add them up" in plain(shown)


@pytest.mark.parametrize(
    ("row", "what", "why", "who"),
    [
        (EVERY[1], "Undo the change in North.", "About 191 deals a quarter.", "Head of sales"),
        (EVERY[3], "Take on more deals of Fair.", "(q 0.009)", "Head of sales"),
        (EVERY[5], "Find the pipeline that this quarter lacks.", "112 open deals are due", "Sales managers"),
        (EVERY[6], "Close or confirm 23 open deals", "count on them", "Sales operations"),
        (action(sure="control_early"), "Roll the new way out to North", "for the time being", "Head of sales"),
    ],
)  # fmt: skip
def test_every_action_has_its_words(seen, row, what, why, who):
    """What, how sure and who of the others."""
    shown = page.to_do(actions(row), seen=seen)

    assert column(shown, "What to do, and why")[0].startswith(what)
    assert why in plain(shown)
    assert column(shown, "Who") == [who]


def test_what_is_counted_on_too_much_has_no_range(seen):
    """A sum of amounts that are there has none to give."""
    assert column(page.to_do(actions(EVERY[6]), seen=seen), "Worth in a quarter") == ["USD 3.5M counted on too much"]  # fmt: skip


def test_without_an_action_the_page_says_why(seen):
    """No table, but what it would take."""
    shown = page.to_do(actions(), seen=seen)

    assert "<table" not in str(shown)
    assert "No action can be valued" in plain(shown)


# Is it real


def measured(name, verdict="against_control", against=0.186, **columns):
    form = "days" if name == "cycle" else "rate"
    row = {"measure": name, "form": form, "age_days": 90.0, "before": 0.116, "after": 0.333, "n_before": 714.0, "n_after": 704.0,
           "is_ratio": False, "against_control": against, "against_control_low": 0.088, "against_control_high": 0.281,
           "verdict": verdict}  # fmt: skip
    return row | columns


CHANGE = SimpleNamespace(problem=None, treated=("North", HOSTILE), control=("South",), changed_on=datetime.date(2017, 3, 1), by="team")  # fmt: skip


def real(seen, *rows, table=None, steps=None, change=CHANGE):
    measures = pd.DataFrame(list(rows) or [measured("win_rate")])
    steps = bridge() if steps is None else steps
    return plain(page.is_real(bookings() if table is None else table, bridge=steps, measures=measures, change=change, seen=seen))  # fmt: skip


def test_chance_and_the_change_that_was_made_are_told_apart(seen):
    """The quarter's difference with its range and counts, then the change with both measures and their verdicts."""
    cycle = measured("cycle", against=-19.1, before=53.0, after=34.9, age_days=180.0, against_control_low=-28.4, against_control_high=-9.9)  # fmt: skip

    text = real(seen, measured("win_rate"), cycle, measured("turnover"))

    assert text.startswith(
        "Oct–Dec 2017 against Jul–Sep 2017: USD −3.1M. By the number and size of the deals, the business behind it may have "
        "changed by anything from −8.3M to +1.1M: that can be chance. Of 401 deals closed 99 were won, after 90 of 386."
    )
    assert f"The change of 1 Mar 2017 in North, {HOSTILE}, judged on 1,418 deals: won by 90 days: 12 % before, 33 % since, +19 points beyond the groups that did not change" in text  # fmt: skip
    assert text.count("changed against the comparison group") == 2
    assert "leave" not in text


def test_groups_that_the_source_does_not_know_are_named_to_the_leader(seen):
    """A misspelt team does not make the change vanish without a word."""
    change = SimpleNamespace(**vars(CHANGE) | {"problem": "unknown_groups", "treated": ("Nroth",)})

    said = "The change of 1 Mar 2017 cannot be judged: the source has no teams Nroth. Correct the names in the suite."
    assert said in real(seen, change=change)


@pytest.mark.parametrize("problem", ["not_named", "outside_data"])
def test_a_change_that_is_not_of_this_source_is_not_mentioned(seen, problem):
    """The page lives without it."""
    change = SimpleNamespace(**vars(CHANGE) | {"problem": problem})

    assert "change of" not in real(seen, change=change)
    assert "change of" not in real(seen, change=NO_CHANGE)


def test_a_change_too_young_says_so(seen):
    """Too short since, or nothing estimable: nothing can be said yet."""
    young = SimpleNamespace(**vars(CHANGE) | {"problem": "too_short_after"})

    said = "Of the change of 1 Mar 2017 nothing can be said yet."
    assert said in real(seen, change=young)
    assert said in real(seen, measured("win_rate", "not_estimable"))


def test_without_a_comparison_group_only_before_and_since(seen):
    """No effect beyond others is claimed."""
    text = real(seen, measured("win_rate", "cause_open", against=NAN))

    assert "12 % before, 33 % since, changed, cause open." in text
    assert "beyond" not in text


def test_chance_that_cannot_be_told_says_why(seen):
    """Without a bridge the reason; with won deals only the counts of these; those without an amount are counted."""
    table = bookings(bookings=NAN)

    assert "cannot be said: one of the two quarters was not recorded whole." in real(seen, table=table, steps=bridge().head(0))  # fmt: skip
    assert "that is more than chance. 99 deals were won, after 90." in real(seen, steps=bridge(high=-1.0, why_not={"rate": "only_won"}))  # fmt: skip
    assert "1 of the won has no amount and is not in the bookings." in real(seen, table=bookings(n_no_amount=1))  # fmt: skip
    assert "3 of the won have no amount" in real(seen, table=bookings(n_no_amount=3))


# The bridge


def test_bridge_figure_says_its_finding_and_shows_every_step(seen):
    """Headline with the largest cause, alt text with each number, the table with ranges and meanings."""
    shown = page.bridge_figure(bridge(), bookings=bookings(), driver=driver(), seen=seen)

    assert (
        "Of USD −3.1M, −2.2M is because kinds of deals with large amounts were won less often"
        in plain(shown)
    )
    alt = markup.unescape(re.search(r"Bars: [^<\"]*", str(shown))[0]).replace("\u00a0", " ")
    assert alt.startswith(
        "Bars: Jul–Sep 2017 USD 10.8M, Deals closed +346.5K (−940K to +1.8M), Kinds"
    )
    assert alt.endswith("Oct–Dec 2017 USD 7.7M.")
    assert column(shown, "Effect") == ["USD 10,754,798", "+346,490", "+340,897", "−2,233,498", "−1,548,384", "USD 7,660,304"]  # fmt: skip
    assert column(shown, "95 % interval")[3] == "−5.9M to +1.1M"
    assert column(shown, "95 % interval")[0] == "7.8M–15.8M"


def test_bars_stand_where_the_bridge_says():
    """Totals from 0, causes from start to end, coloured by their direction, each with its range."""
    shown = bridge()[lambda table: table["step"] != "change"]

    ax = page._bridge_axes(shown, list("abcdef"), "USD")

    bars = [(bar.get_x(), bar.get_x() + bar.get_width()) for bar in ax.patches]
    assert bars[0] == pytest.approx((0, 10_754_797.92))
    assert bars[3] == pytest.approx((11_442_185.12, 9_208_687.12))
    assert bars[5] == pytest.approx((0, 7_660_303.61))
    colours = [bar.get_facecolor() for bar in ax.patches]
    assert colours[1] == colours[2] != colours[3] == colours[4]
    segments = [tuple(line.get_segments()[0][:, 0]) for line in ax.collections]
    assert any(part == pytest.approx((11_442_185.12 - 5.9e6, 11_442_185.12 + 1.1e6)) for part in segments)  # fmt: skip
    assert ax.get_xlabel() == "Bookings (USD)"
    notes = [text.get_text() for text in ax.texts]
    assert notes[0] == "10.8M"
    assert notes[3] == "−2.2M"


def test_causes_that_others_make_up_for_are_said_so(seen):
    """A cause larger than the whole change is not called a part of it."""
    shown = page.bridge_figure(bridge(), bookings=bookings(), driver=driver("rate", 1.3), seen=seen)

    assert "−2.2M because fewer of the deals closed were won; the others made up for some of it: USD −3.1M in all" in plain(shown)  # fmt: skip


@pytest.mark.parametrize(
    ("step", "why", "said"),
    [
        ("rate", "only_won", "cannot be said: the source records no lost deal"),
        ("amount", "no_amount", "cannot be said: the source has no amounts"),
        ("mix", "one_kind", "cannot be said: all deals are of one kind"),
        ("mix", "kinds_alike", "nothing: every deal counts the same"),
    ],
)
def test_a_step_that_is_not_known_has_no_bar_but_a_reason(seen, step, why, said):
    """n/a in the table, and the page does not fail."""
    shown = page.bridge_figure(bridge(why_not={step: why}), bookings=bookings(), driver=None, seen=seen)  # fmt: skip

    assert said in column(shown, "What it is")
    assert column(shown, "Effect").count("n/a") == 1
    assert "Bookings −3.1M against the quarter before" in plain(shown)


def test_no_bridge_says_why(seen):
    """A quarter not recorded whole, or one in which nothing was closed."""
    nothing = bridge().head(0)

    for table, why in ((bookings(bookings=NAN), "not recorded whole"), (bookings(), "nothing was closed")):  # fmt: skip
        shown = page.bridge_figure(nothing, bookings=table, driver=None, seen=seen)

        assert why in plain(shown)
        assert "<svg" not in str(shown)


def kinds(n=1):
    rows = [
        {"kind": (f"K{i}", ""), "which": which, "n_closed": 21, "n_won": won, "won_rate": won / 21,
         "mean_amount": amount, "total": total}
        for i in range(n) for which, won, amount, total in (("before", 5, 1000.0, 5000.0), ("this", 0, NAN, 0.0))
    ]  # fmt: skip
    return pd.DataFrame([*rows, rows[0] | {"kind": ()}, rows[1] | {"kind": ()}])


def test_kinds_side_by_side(seen):
    """Then and now of each kind; an empty value and the rare kinds have words; no win has no mean amount."""
    shown = page.kinds_table(kinds(), bookings=bookings(), seen=seen)

    assert column(shown, "Kind of deal") == ["K0 · (not given)", "all other kinds, each rare"]
    assert column(shown, "Deals won")[0] == "5 → 0"
    assert column(shown, "Share won")[0] == "24 % → 0 %"
    assert column(shown, "Mean amount of the won")[0] == "USD 1K → n/a"
    assert "Mean amount" not in plain(page.kinds_table(kinds(), bookings=counts(), seen=seen))
    assert "6 kinds with smaller bookings are not shown." in plain(page.kinds_table(kinds(25), bookings=bookings(), seen=seen))  # fmt: skip
    assert "nothing to show" in plain(page.kinds_table(kinds().head(0), bookings=bookings(), seen=seen))  # fmt: skip


# The movers


def movers(n=7):
    row = {"against": "before", "kind": "team", "n_won": 18, "n_won_then": 19, "bookings": 3_329_601.0,
           "bookings_then": 6_040_250.0, "change": -2_710_649.0, "change_share": -0.449, "chance": 6_167_625.0,
           "is_clear": False, "n_compared": 18}  # fmt: skip
    rows = [row | {"group": f"T{i}"} for i in range(n)]
    rows[0] |= {"group": HOSTILE, "kind": "segment", "is_clear": True}
    rows[1] |= {"group": None, "change_share": NAN, "change": 5.0}
    return pd.DataFrame(rows)


def test_the_five_largest_changes_and_what_chance_does(seen):
    """Amount, per cent, the reach of chance and the verdict; five rows, in the table's order."""
    shown = page.movers_table(movers(), bookings=bookings(), seen=seen)

    assert len(cells(shown)) == 6
    assert column(shown, "Team, segment or product")[0] == f"Segment: {HOSTILE}"
    assert column(shown, "Change")[:2] == ["−2.7M", "+5"]
    assert column(shown, "In per cent")[:2] == ["−45 %", "n/a"]
    assert column(shown, "Chance alone")[0] == "± 6.2M"
    assert column(shown, "Is it real?")[:3] == ["more than chance", "could be chance", "could be chance"]  # fmt: skip
    assert column(shown, "Deals won")[0] == "19 → 18"
    assert "all 18 groups" in plain(shown)


def test_no_movers_says_why(seen):
    """A year ago was not recorded, or nothing has two groups."""
    table = bookings()
    table.loc[2, "bookings"] = NAN
    ago = page.movers_table(movers(), bookings=table, seen=seen, against="year_ago")
    none = page.movers_table(movers().head(0), bookings=bookings(), seen=seen)

    assert "Oct–Dec 2016 was not recorded whole." in plain(ago)
    assert "no team, segment or product with two values" in plain(none)


def test_quarters_with_their_targets(seen):
    """In full, n/a where nothing is known, and where the target is from."""
    shown = page.quarters_table(bookings(), seen=seen)

    assert column(shown, "Bookings")[0] == "USD 7,660,304"
    assert column(shown, "Target") == ["USD 9,080,000", "USD 8,680,000", "n/a"]
    assert "quotas of all teams" in plain(shown)
    assert "persons who manage nobody" in plain(page.quarters_table(bookings(target_of="persons"), seen=seen))  # fmt: skip
    assert "no quota in an amount" in plain(page.quarters_table(counts(), seen=seen))


# The whole page


def everything(seen):
    blocks = [
        answer(seen, actions=actions(*EVERY)),
        page.to_do(actions(*EVERY[:3]), seen=seen),
        page.is_real(bookings(), bridge=bridge(), measures=pd.DataFrame([measured("win_rate")]), change=CHANGE, seen=seen),
        page.bridge_figure(bridge(), bookings=bookings(), driver=driver(), seen=seen),
        page.kinds_table(kinds(), bookings=bookings(), seen=seen),
        page.movers_table(movers(), bookings=bookings(), seen=seen),
        page.quarters_table(bookings(), seen=seen),
        page.measure_cards(),
    ]  # fmt: skip
    return html.stack(*blocks)


def test_hostile_names_stay_text(seen):
    """No markup from data reaches the page."""
    assert "<b>&#34;" not in str(everything(seen))
    assert '<b>"' not in str(everything(seen))
    assert "&lt;b&gt;" in str(everything(seen))


def test_measures_of_the_page_have_words():
    """All four are defined."""
    shown = plain(page.measure_cards())

    for name in ("Bookings of a quarter", "Why bookings changed", "Chance alone", "Worth of an action"):  # fmt: skip
        assert name in shown
