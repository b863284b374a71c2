"""The page on a change: its message, steps, tables and figures from small frames made by hand."""

import datetime
import html as markup
import re
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from salesanalysis.present import impact as page
from salesanalysis.present import impact_figures as evidence
from salesanalysis.present import impact_words, words

NAN = float("nan")
HOSTILE = '<b>"O\'Neil" & $x$</b>'
CHANGED_ON = datetime.date(2017, 4, 1)
ENDS = ("", "_low", "_high")


def told(**more):
    given = {"changed_on": CHANGED_ON, "by": "team", "problem": None}
    given |= {"treated": (HOSTILE, "North"), "control": ("South",)}
    return SimpleNamespace(**(given | more))


def ranged(name, *values):
    return {f"{name}{end}": value for end, value in zip(ENDS, values, strict=True)}


def row(measure, form, before, after, effect, /, **more):
    """A row of the table of measures; each of the three is a value with its range."""
    numbers = {"age_days": NAN, "n_before": 714.0, "n_after": 704.0, "n_left_before": NAN, "n_left_after": NAN}  # fmt: skip
    numbers |= {"control_before": NAN, "control_after": NAN, "p_value": 0.2, "confidence": 0.99}
    numbers |= {f"naive_{name}": NAN for name in ("before", "after", "p_value")}
    numbers |= {f"twin_{name}": NAN for name in ("median", "low", "high", "p_value")}
    numbers |= ranged("control_effect", NAN, NAN, NAN) | ranged("against_control", NAN, NAN, NAN)
    texts = {"measure": measure, "form": form, "is_ratio": False, "is_better": None}
    texts |= {"verdict": "no_change", "is_provisional": False, "reason": None}
    sides = ranged("before", *before) | ranged("after", *after) | ranged("effect", *effect)
    return numbers | texts | sides | more


CONTROL = {"control_before": 0.10, "control_after": 0.13} | ranged("control_effect", 0.03, -0.03, 0.09)  # fmt: skip
WON = {"naive_before": 0.14, "naive_after": 0.34, "naive_p_value": 0.0004, "twin_median": 0.143,
       "twin_low": 0.10, "twin_high": 0.18, "twin_p_value": 0.001}  # fmt: skip
YOUNG = {"naive_before": 56.2, "naive_after": 25.1, "naive_p_value": 0.0001, "twin_median": 27.0,
         "twin_low": 15.2, "twin_high": 39.8, "twin_p_value": 0.4}  # fmt: skip


def win_rate(**more):
    given = {"age_days": 90.0, "verdict": "against_control", "is_better": True}
    given |= CONTROL | WON | ranged("against_control", 0.172, 0.131, 0.208)
    return row("win_rate", "rate", (0.11, 0.08, 0.16), (0.29, 0.25, 0.34), (0.18, 0.14, 0.23), **(given | more))  # fmt: skip


def cycle(**more):
    given = {"age_days": 180.0, "verdict": "against_control", "is_better": True, "control_before": 52.0,
             "control_after": 53.0} | ranged("against_control", -19.1, -28.4, -9.9)  # fmt: skip
    return row("cycle", "days", (53.0, 48.4, 57.7), (34.9, 31.0, 38.8), (-18.1, -24.2, -12.0), **(given | more))  # fmt: skip


def turnover(**more):
    given = {"is_ratio": True, "n_before": 21.5, "n_after": 18.8, "n_left_before": 5.0, "n_left_after": 2.0}  # fmt: skip
    return row("turnover", "per_year", (0.25, 0.1, 0.5), (0.08, 0.01, 0.3), (0.32, 0.126, 0.732), **(given | more))  # fmt: skip


def unknown(measure, reason):
    nothing = (NAN, NAN, NAN)
    form = "score" if measure == "satisfaction" else "days"
    return row(measure, form, nothing, nothing, nothing, verdict="not_estimable", reason=reason)


def table(*rows):
    rows = rows or (win_rate(), cycle(), turnover(), unknown("satisfaction", "no_satisfaction"))
    return pd.DataFrame(list(rows))


def headline(*measures):
    return SimpleNamespace(measures=measures or ("win_rate", "cycle"))


def plain(shown):
    """The words of a fragment; a space that cannot break counts as a space."""
    text = markup.unescape(re.sub(r"<[^>]*>", " ", str(shown))).replace("\u00a0", " ")
    return " ".join(text.split())


def cells(shown, number=0):
    """Texts of the cells of a table, row by row, the header first."""
    found = re.findall(r"<table>.*?</table>", str(shown), flags=re.DOTALL)[number]
    rows = re.findall(r"<tr>(.*?)</tr>", found, flags=re.DOTALL)
    return [
        [plain(cell) for cell in re.findall(r"<t[hd].*?</t[hd]>", one, re.DOTALL)] for one in rows
    ]


def column(shown, name, number=0):
    """The cells under a label."""
    head, *rows = cells(shown, number)
    return [one[head.index(name)] for one in rows]


def title(shown):
    return plain(re.search(r"<h3>(.*?)</h3>", str(shown), flags=re.DOTALL)[1])


def alt(shown):
    return markup.unescape(re.search(r'<svg[^>]*aria-label="([^"]*)"', str(shown))[1])


def answer(seen, shown, *, change=None, verdict=None, groups=("Red", "Blue")):
    return page.answer(
        shown,
        verdict=verdict or headline(*shown["measure"][:1]),
        change=change or told(),
        groups=pd.DataFrame({"group": list(groups)}),
        ledger=pd.DataFrame({"n_in": [10], "n_accepted": [9]}),
        seen=seen,
    )


def message(seen, *rows, **more):
    return answer(seen, table(*rows), **more).summary["message"].replace("\u00a0", " ")


def steps(seen, *rows, change=None):
    shown = table(*rows)
    return cells(page.to_do(shown, verdict=headline(shown["measure"][0]), change=change or told(), seen=seen))[1:]  # fmt: skip


def test_a_change_against_the_comparison_group_is_said_with_its_numbers(seen):
    """After, before, the range against the others and what else changed against them stand in the message."""
    assert message(seen) == (
        "Changed against the comparison group: an estimated 29 % of deals are won by 90 days since 1 Apr 2017, 11 % before "
        "(likely +13 to +21 points against the teams that did not change); changed too: days open, of the first 180 "
        "(53 → 35 days)"
    )


def test_each_measure_is_a_card_with_its_verdict_and_tone(seen):
    """Before and after, the range that the verdict rests on, the verdict in words, better or worse where it changed."""
    shown = answer(seen, table())

    assert [value.replace("\u00a0", " ") for _label, value in shown.summary["cards"]] == [
        "11 → 29 %",
        "53 → 35",
        "25 → 8 %",
        "n/a",
    ]
    text = plain(shown)
    assert "Days open, of the first 180 53 → 35 beyond the others likely −28 to −10 days changed against the comparison group better" in text  # fmt: skip
    assert "change likely × 0.13 to 0.73 compatible with no change" in text
    assert "Satisfaction, share of full marks n/a not estimable" in text
    assert "Change on 1 Apr 2017" in shown.summary["truth"]
    worse = plain(answer(seen, table(win_rate(is_better=False))))
    assert "changed against the comparison group worse" in worse
    same = answer(seen, table(win_rate(verdict="no_change", is_better=None)))
    assert '<dd class="good">' not in str(same)
    assert '<dd class="bad">' not in str(same)


def test_few_leavers_are_counts_and_no_ratio(seen):
    """A ratio that has no limit, or a wide one, says nothing: the leavers are counted."""
    few = turnover(n_left_before=0.0, n_left_after=1.0, before=0.0, **ranged("effect", np.inf, 0.05, np.inf))  # fmt: skip
    wide = turnover(**ranged("effect", 1.1, 0.002, 539.0))

    assert "0 left before, 1 since: too few to say" in plain(answer(seen, table(few)))
    assert "5 left before, 2 since: too few to say" in plain(answer(seen, table(wide)))
    assert column(page.measures_table(table(few), change=told(), seen=seen), "Change") == ["× 0.05 or more"]  # fmt: skip


@pytest.mark.parametrize(
    ("more", "start"),
    [
        ({"is_better": False}, "Changed against the comparison group, for the worse: an estimated 29 %"),
        ({"verdict": "cause_open"}, ("Changed, cause open: an estimated 29 % of deals are won by 90 days since 1 Apr 2017, 11 % before "
         "(likely +14 to +23 points); against the teams that did not change no difference is clear (likely +13 to +21 points)")),
        ({"verdict": "cause_open", "is_better": False}, "Changed, for the worse, cause open:"),
        ({"verdict": "cause_open", "against_control": NAN}, ("Changed, cause open: an estimated 29 % of deals are won by 90 days since "
         "1 Apr 2017, 11 % before (likely +14 to +23 points); something else may be the cause, for there is no comparison group")),
        ({"verdict": "no_change", "is_better": None} | ranged("effect", -0.01, -0.07, 0.04), ("No change is shown: an estimated 29 % of "
         "deals are won by 90 days since 1 Apr 2017, 11 % before (change likely −7 to +4 points, perhaps none at all)")),
        ({"verdict": "no_change", "reason": "regression_to_mean"}, ("No change is shown: an estimated 29 % of deals are won by "
         "90 days since 1 Apr 2017, 11 % before, no more than was to be expected of weak teams anyway")),
        ({"verdict": "artefact_possible", "twin_high": 0.4}, ("No change is shown: the higher closed win rate on the dashboard (34 % "
         "against 14 %) is what a young group of deals shows anyway (likely 10–40 %)")),
        ({"verdict": "not_estimable", "reason": "too_few_deals"}, ("Whether the change worked cannot be said yet: too few deals were "
         "created before or since the change")),
    ],
)  # fmt: skip
def test_each_verdict_has_its_message(seen, more, start):
    """The verdict comes first, hedged, and is never more than the ladder gives."""
    assert message(seen, win_rate(**more)).startswith(start)


def test_the_dashboard_figure_that_youth_explains_is_in_the_message(seen):
    """Where nothing changed at equal age, the shorter cycle of the young is named for what it is."""
    same = win_rate(verdict="no_change", is_better=None)
    young = cycle(verdict="no_change", is_better=None, **YOUNG)
    said = (
        "the shorter cycle on the dashboard (25 days against 56) is what a young group of deals shows anyway "
        "(likely 15–40)"
    )

    assert message(seen, same, young).endswith(f"perhaps none at all); {said}")
    assert message(seen, young | {"verdict": "artefact_possible"}) == f"No change is shown: {said}"  # fmt: skip
    assert "dashboard" not in message(seen, same, young | {"naive_before": 30.0})
    assert "dashboard" not in message(seen, same, young | {"naive_after": 10.0})
    longer = young | {"naive_before": 12.0, "verdict": "artefact_possible"}
    assert "the longer cycle on the dashboard (25 days against 12)" in message(seen, longer)
    lower = win_rate(verdict="artefact_possible", naive_before=0.2, naive_after=0.12)
    assert "the lower closed win rate on the dashboard (12 % against 20 %)" in message(seen, lower)


def test_what_changed_beside_an_unchanged_headline_is_said(seen):
    """Another measure that changed is no part of the same claim."""
    same = win_rate(verdict="no_change", is_better=None)

    assert message(seen, same, turnover(verdict="cause_open", is_better=True)).endswith(
        "; but changed: people who leave, a year (25 → 8 %)"
    )
    only_open = message(seen, win_rate(), cycle(verdict="cause_open"))
    assert "changed too" not in only_open


def test_the_message_is_about_a_measure_that_is_shown(seen):
    """The first of the verdict's that is shown; of measures chosen without them the win rate, or the first."""
    both = answer(seen, table(turnover(), win_rate()), verdict=headline("cycle"))
    assert "29 % of deals are won" in both.summary["message"].replace("\u00a0", " ")
    alone = answer(seen, table(turnover()), verdict=headline("cycle"))
    assert "8 % of people leave a year" in alone.summary["message"].replace("\u00a0", " ")
    assert len(alone.summary["cards"]) == 4


def test_measures_are_chosen_in_the_order_asked_for():
    """None asked for are all; an unknown one is an error that names those there are."""
    found = table()

    assert list(page.chosen(found, ["turnover", "win_rate"])["measure"]) == ["turnover", "win_rate"]
    assert list(page.chosen(found, [])["measure"]) == list(found["measure"])
    with pytest.raises(ValueError, match="measures must be of win_rate, .*, found speed; set"):
        page.chosen(found, ["speed"])


def test_a_young_change_is_provisional(seen):
    """It stands in the line of truth."""
    shown = answer(seen, table(win_rate(is_provisional=True)))

    assert "Provisional: less than 90 days since then" in shown.summary["truth"]
    assert "Provisional: less than 90 days since then" not in answer(seen, table()).summary["truth"]


PROBLEMS = {
    "not_named": "no change is named; set changed_on (its first day) and treated (the teams that changed) in the suite or params/change_impact.yaml",
    "unknown_groups": f"Maven <CRM> does not have the teams {HOSTILE}, North; set by and treated in the suite or params/change_impact.yaml to names of "
    "the source, such as Blue, Red",
    "outside_data": "the data do not reach over 1 Apr 2017, from deals created before it to deals created since; set changed_on in "
    "the suite or params/change_impact.yaml",
    "too_short_before": "before 1 Apr 2017 there are too few days of data to compare with; set changed_on in the suite or params/change_impact.yaml to a "
    "later day, or load older deals",
    "too_short_after": "only 275 days have passed since 1 Apr 2017; from 30 Jun 2017 on it can be said",
}  # fmt: skip


@pytest.mark.parametrize("problem", sorted(PROBLEMS))
def test_a_change_that_cannot_be_looked_at_says_what_to_set_and_where(seen, problem):
    """The reason is the message, the change is the cards, a step says who sets it, and no section pretends."""
    change = told(problem=problem, control=())
    shown = table(unknown("cycle", problem))

    assert message(seen, unknown("cycle", problem), change=change) == f"Whether the change worked cannot be said: {PROBLEMS[problem]}"  # fmt: skip
    facts = dict(answer(seen, shown, change=change).summary["cards"])
    assert facts == {"First day of the change": "1 Apr 2017", "Changed": "2", "Did not change": "n/a"}  # fmt: skip
    (step,) = steps(seen, unknown("cycle", problem), change=change)
    assert step[0].startswith("Make this page again" if problem == "too_short_after" else "Set the day")  # fmt: skip
    assert plain(page.measures_table(shown, change=change, seen=seen)) == "Nothing to show: the top of the page says why."  # fmt: skip
    assert "top of the page" in plain(page.not_shown(shown, change=change, seen=seen))
    assert str(evidence.comparison(shown, change=change, seen=seen)) == ""


def test_a_change_without_a_name_or_groups_is_still_a_page(seen):
    """No day, no groups: everything that cannot be said is n/a."""
    change = told(problem="not_named", changed_on=None, treated=(), control=())
    shown = answer(seen, table(unknown("cycle", "not_named")), change=change)

    assert dict(shown.summary["cards"])["First day of the change"] == "n/a"
    assert steps(seen, unknown("cycle", "not_named"), change=change)[0][3] == "14 Jan 2018"
    strange = told(problem="unknown_groups")
    assert "(it has no teams at all)" in message(seen, unknown("cycle", "x"), change=strange, groups=())  # fmt: skip


def test_a_change_that_worked_is_kept_and_brought_to_the_others(seen):
    """Each step has its reason, a role and a day counted from the as-of date."""
    keep, again = steps(seen)

    assert keep == [
        f"Keep the new way in {HOSTILE}, North, and bring it to South, some first and the others later",
        "Won by 90 days: likely +13 to +21 points against the teams that did not change",
        "Head of sales",
        "31 Jan 2018",
    ]
    assert again[2:] == ["Sales operations", "1 May 2018"]


def test_a_change_for_the_worse_is_stopped(seen):
    """Whatever the comparison says."""
    (stop,) = steps(seen, win_rate(is_better=False))
    assert stop[0] == f"Stop the new way in {HOSTILE}, North, or mend it, until it is known what went wrong"  # fmt: skip
    assert stop[1:] == ["Won by 90 days: likely +13 to +21 points", "Head of sales", "14 Jan 2018"]
    (stop,) = steps(seen, win_rate(is_better=False, verdict="cause_open"), change=told(treated=()))
    assert stop[0].startswith("Stop the new way in all teams, ")
    assert stop[1] == "Won by 90 days: likely +14 to +23 points"


def test_an_open_cause_asks_for_a_comparison(seen):
    """By lot among the next ones; where everybody is said to have changed, by naming those that did not."""
    with_groups = steps(seen, win_rate(verdict="cause_open"))
    assert with_groups[0][0] == (
        "Let the change begin in the next teams one after another, drawn by lot: those waiting are the comparison"
    )
    assert with_groups[0][2] == "Head of sales"
    assert with_groups[1][0] == "Call it a change since 1 Apr 2017, not a success of the change"
    everybody = steps(seen, win_rate(verdict="cause_open"), change=told(treated=(), control=()))
    assert everybody[0][0].startswith("Name the teams that changed and those that did not (treated")
    assert everybody[0][2] == "Sales operations"


@pytest.mark.parametrize(
    ("changed_on", "day"),
    [
        (datetime.date(2017, 12, 1), "1 Mar 2018"),  # 90 days on
        (datetime.date(2017, 9, 1), "28 Feb 2018"),  # 180 days on
        (datetime.date(2017, 4, 1), "2 Jul 2018"),  # half a year after the as-of date
    ],
)
def test_without_a_change_measuring_goes_on_until_a_day(seen, changed_on, day):
    """The day on which deals were followed 90 or 180 days, else half a year on."""
    same = win_rate(verdict="no_change", is_better=None)
    found = steps(seen, same, change=told(changed_on=changed_on))

    assert [one[0].split(",")[0] for one in found] == ["Keep measuring", "Decide how large a change would be worth its effort"]  # fmt: skip
    assert found[0][3] == day
    waiting = steps(seen, unknown("cycle", "too_few_deals"), change=told(changed_on=changed_on))
    assert [one[3] for one in waiting] == [day]


def test_an_artefact_is_taken_off_the_slides(seen):
    """The first step where the dashboard shows what it would show anyway."""
    first, *_rest = steps(seen, cycle(verdict="artefact_possible", is_better=None, **YOUNG))

    assert first[0].startswith("Take the dashboard's figure off the slides")
    assert first[1].startswith("the shorter cycle on the dashboard (25 days against 56)")
    assert first[3] == "14 Jan 2018"


def test_the_table_of_measures_has_values_ranges_and_sizes(seen):
    """A row per measure that could be estimated; n/a beyond a comparison group that there is not."""
    shown = page.measures_table(table(), change=told(), seen=seen)

    assert cells(shown)[1:] == [
        ["Won by 90 days", "changed against the comparison group", "11 % (8–16)", "29 % (25–34)",
         "+18 (+14 to +23) points", "+17 (+13 to +21) points", "714 → 704"],
        ["Days open, of the first 180", "changed against the comparison group", "53 days (48–58)", "35 days (31–39)",
         "−18 (−24 to −12) days", "−19 (−28 to −10) days", "714 → 704"],
        ["People who leave, a year", "compatible with no change", "25 % (10–50)", "8 % (1–30)",
         "× 0.32 (× 0.13 to 0.73)", "n/a", "21.5 → 18.8"],
    ]  # fmt: skip
    assert "each is a 99.0 % range" in plain(shown)
    none = page.measures_table(table(unknown("cycle", "too_few_deals")), change=told(), seen=seen)
    assert "No measure could be estimated" in plain(none)


REASONS = [
    "too_few_closed","no_people", "no_range", "no_satisfaction", "nobody_left", "not_by_team", "too_few_answers",
           "too_few_deals", "too_few_won", "too_short_followed"]  # fmt: skip


@pytest.mark.parametrize("reason", REASONS)
def test_what_is_not_shown_has_its_reason_and_what_it_takes(seen, reason):
    """No reason is shown as its slug."""
    shown = page.not_shown(table(unknown("satisfaction", reason), win_rate()), change=told(), seen=seen)  # fmt: skip
    (_head, (name, why, takes)) = cells(shown)

    assert name == "Satisfaction, share of full marks"
    assert words.plain_slug(reason) not in why
    assert len(why) > 15
    assert takes
    assert plain(page.not_shown(table(win_rate()), change=told(), seen=seen)) == "Every measure asked for is shown."  # fmt: skip


def curves():
    rows = [
        (arm, period, age, n, rate, rate * 0.8, rate * 1.2, 0.3, 0.6 - rate)
        for arm, period, rates in (
            ("treated", "before", (0.0, 0.06, 0.12)),
            ("treated", "after", (0.0, 0.20, 0.31)),
            ("control", "before", (0.0, 0.05, 0.11)),
            ("control", "after", (0.0, 0.06, 0.12)),
        )
        for age, n, rate in zip((0, 40, 95), (200, 120, 30), rates, strict=True)
    ]
    columns = ["arm", "period", "age_days", "n_at_risk", "won_rate", "won_rate_low", "won_rate_high", "lost_rate",
               "open_share"]  # fmt: skip
    return pd.DataFrame(rows, columns=columns)


def months():
    day = pd.to_datetime(["2017-02-01", "2017-03-01", "2017-04-01", "2017-05-01"])
    more = {"month": day, "is_after": [False, False, True, True], "n_treated": 50, "n_control": 40}
    more |= ranged("treated_rate", [0.1, 0.12, 0.3, 0.29], [0.05] * 4, [0.4] * 4)
    more |= ranged("control_rate", [0.1, 0.1, 0.12, 0.09], [0.05] * 4, [0.2] * 4)
    more |= ranged("difference", [0.0, 0.02, 0.18, 0.2], [-0.1, -0.08, 0.08, 0.1], [0.1, 0.12, 0.28, 0.3])  # fmt: skip
    return pd.DataFrame(more)


def trend(**more):
    given = {"level": 0.19, "level_low": 0.09, "level_high": 0.31, "p_value": 0.0025, "rho": 0.1,
             "n_before": 14, "n_after": 7, "is_difference": True}  # fmt: skip
    return pd.DataFrame([given | more])


def units():
    rates = ranged("before_rate", [0.1, 0.12, 0.11], [0.05] * 3, [0.2] * 3)
    rates |= ranged("after_rate", [0.3, 0.13, 0.12], [0.2, 0.08, 0.07], [0.4, 0.2, 0.2])
    rates |= ranged("expected_rate", [0.105, 0.115, 0.11], [0.07] * 3, [0.15] * 3)
    groups = {"group": [HOSTILE, "North", "South"], "arm": ["treated", "treated", "control"]}
    return pd.DataFrame(groups | {"n_before": [234, 152, 175], "n_after": [225, 140, 165]} | rates)


def expected(**more):
    given = {"age_days": 90.0, "standing": "alike", "is_expected": False}
    given |= ranged("before", 0.11, 0.08, 0.15) | ranged("others_before", 0.10, 0.07, 0.13)
    given |= ranged("gap", 0.01, -0.03, 0.06) | ranged("expected", 0.11, 0.10, 0.13)
    given |= ranged("after", 0.29, 0.25, 0.34) | ranged("beyond", 0.18, 0.13, 0.23)
    return pd.DataFrame([given | more])


def looks():
    days = [datetime.date(2016, 8, 1), datetime.date(2016, 11, 1), CHANGED_ON]
    rows = []
    for day, shift in zip(days, (0.0, 0.01, 0.18), strict=True):
        both = {"changed_on": day, "as_of": day, "is_true": day == CHANGED_ON}
        both |= ranged("against_control", NAN, NAN, NAN)
        is_changed = shift > 0.1
        rows.append(
            both | ranged("effect", shift, shift - 0.05, shift + 0.05)
            | {"measure": "win_rate", "age_days": 90.0, "before": 0.11, "after": 0.11 + shift, "is_changed": is_changed}
        )  # fmt: skip
        rows.append(
            both | ranged("effect", -9.0, -14.0, 2.0)
            | {"measure": "cycle", "age_days": 120.0, "before": 53.0, "after": 44.0, "is_changed": False}
        )  # fmt: skip
    return pd.DataFrame(rows)


FIGURES = {
    "curves": lambda seen: evidence.curves(curves(), measures=table(), change=told(), seen=seen),
    "dashboard": lambda seen: evidence.dashboard(table(win_rate(), cycle(**YOUNG)), change=told(), seen=seen),
    "groups": lambda seen: evidence.groups_figure(units(), age=90.0, change=told(), seen=seen),
    "monthly": lambda seen: evidence.monthly(months(), trend=trend(), change=told(), seen=seen, age_days=90),
    "placebos": lambda seen: evidence.placebos(looks(), change=told(), seen=seen),
}  # fmt: skip


@pytest.mark.parametrize("name", sorted(FIGURES))
def test_a_figure_of_the_change_has_all_its_parts(name, seen):
    """Headline and alternative text with a number, subtitle with the date, source, data; a hostile name stays text."""
    shown = FIGURES[name](seen)

    assert re.search(r"\d", title(shown))
    assert re.search(r"\d", alt(shown))
    subtitle = re.search(r'class="subtitle">(.*?)</p>', str(shown), flags=re.DOTALL)[1]
    assert "31 Dec 2017" in plain(subtitle)
    assert "Maven &lt;CRM&gt;" in str(shown)
    assert "<details>" in str(shown)
    assert "<b>&" not in str(shown)
    assert '<b>"' not in str(shown)


EMPTY = {
    "curves": lambda seen, change: evidence.curves(curves().head(0), measures=table(), change=change, seen=seen),
    "dashboard": lambda seen, change: evidence.dashboard(table(turnover()), change=change, seen=seen),
    "groups": lambda seen, change: evidence.groups_figure(units().head(1), age=90.0, change=change, seen=seen),
    "mix": lambda seen, change: evidence.mix(kinds().head(0), total=split(effect=NAN), change=change, seen=seen),
    "monthly": lambda seen, change: evidence.monthly(months().head(0), trend=trend(), change=change, seen=seen, age_days=90),
    "placebos": lambda seen, change: evidence.placebos(looks().head(0), change=change, seen=seen),
    "regression": lambda seen, change: evidence.regression(
        expected(standing=None, expected=NAN), units=units().head(0), change=change, seen=seen, is_chosen=False),
}  # fmt: skip


@pytest.mark.parametrize("name", sorted(EMPTY))
def test_a_section_without_rows_says_why(name, seen):
    """No chart but a notice; where the change itself cannot be looked at, one line and no second reason."""
    shown = str(EMPTY[name](seen, told()))

    assert "<svg" not in shown
    assert 'class="notice"' in shown
    assert plain(EMPTY[name](seen, told(problem="too_short_after"))) == "Nothing to show: the top of the page says why."  # fmt: skip


def test_the_dashboard_stands_beside_its_twin(seen):
    """What it says, what its test says, what it would say anyway, and what follows; each usual figure once."""
    both = table(
        win_rate(), cycle(verdict="no_change", **YOUNG), cycle(measure="days_to_win", **YOUNG)
    )
    shown = evidence.dashboard(both, change=told(), seen=seen)
    text = plain(shown)

    assert (
        "Closed win rate: 34 % of the deals created since 1 Apr 2017, 14 % before; the usual test calls that a change (p < 0.001). "
        "Had nothing changed it would show 14 % (likely 10–18 %): that alone does not explain the figure."
    ) in text
    assert (
        "Mean sales cycle of won deals: 25 days of the deals created since 1 Apr 2017, 56 days before; the usual test calls that a "
        "change (p < 0.001). Had nothing changed it would show 27 days (likely 15–40 days): the figure proves nothing."
    ) in text
    assert title(shown) == (
        "Mean sales cycle of won deals: 25 days on the dashboard; if nothing had changed, likely 15–40 days all the same"
    )
    assert column(shown, "95 % of the time within") == ["10–18 %", "15–40 days"]
    assert column(shown, "Verdict at equal age") == ["changed against the comparison group", "compatible with no change"]  # fmt: skip


def test_a_dashboard_figure_is_said_as_far_as_it_is_known(seen):
    """Without a twin, without a test, with a narrow range."""
    alone = table(win_rate(twin_low=NAN, twin_high=NAN, twin_median=NAN, naive_p_value=0.3))
    shown = evidence.dashboard(alone, change=told(), seen=seen)
    assert "the usual test finds no change (p = 0.30). What it would show if nothing had changed cannot be said." in plain(shown)  # fmt: skip
    assert title(shown) == "The dashboard shows 34 % since the change against 14 %"
    untested = table(cycle(**(YOUNG | {"naive_p_value": NAN, "twin_low": 39.2, "twin_high": 40.9, "naive_after": 41.4})))  # fmt: skip
    text = plain(evidence.dashboard(untested, change=told(), seen=seen))
    assert "41.4 days of the deals created since 1 Apr 2017, 56.2 days before; the usual test cannot say." in text  # fmt: skip
    assert "(likely 39.2–40.9 days): that alone does not explain the figure." in text
    certain = table(win_rate(naive_after=1.0, twin_low=1.0, twin_high=1.0, twin_median=1.0))
    assert "(likely 100 %)" in plain(evidence.dashboard(certain, change=told(), seen=seen))


def test_curves_are_told_apart_without_colour(seen):
    """Before is grey, since is dark, the comparison group dashed and thinner; each curve is named at its end."""
    figure = evidence._curve_axes(curves(), told(), 90.0)
    changed, others = figure.axes
    looks = [
        [(line.get_color(), line.get_linestyle()) for line in ax.get_lines() if len(line.get_xdata()) > 2]
        for ax in (changed, others)
    ]  # fmt: skip

    assert looks == [[("#767676", "-"), ("#1a1a1a", "-")], [("#767676", "--"), ("#595959", "--")]]
    assert [text.get_text().replace("\u00a0", " ") for text in changed.texts] == ["before 12 %", "since 31 %"]  # fmt: skip
    assert others.get_title(loc="left") == "Did not change: South"
    widths = [ax.get_lines()[-1].get_linewidth() for ax in (changed, others)]
    assert widths[0] > widths[1]
    heights = [text.xyann[1] for text in others.texts]
    assert heights[0] < 0 < heights[1]
    alone = evidence._curve_axes(curves()[lambda rows: rows["arm"] == "treated"], told(control=()), NAN)  # fmt: skip
    assert len(alone.axes) == 1


def test_curves_say_the_win_rate_of_both_sides(seen):
    """At the age of the win rate, of those that did not change too; without an estimate, the end of a curve."""
    shown = FIGURES["curves"](seen)
    assert title(shown) == (
        "By 90 days, 29 % of deals are won since the change, 11 % before; of those that did not change 13 %, 10 % before"
    )
    assert column(shown, "By age (days)") == ["30", "60", "90"] * 4
    assert column(shown, "Won")[3:6] == ["0.0 %", "20.0 %", "20.0 %"]
    alone = evidence.curves(
        curves(), measures=table(win_rate(control_before=NAN)), change=told(), seen=seen
    )
    assert title(alone) == "By 90 days, 29 % of deals are won since the change, 11 % before"
    unknown_rate = evidence.curves(curves(), measures=table(turnover()), change=told(), seen=seen)
    assert title(unknown_rate) == "Changed, before: 12 % won by day 95"


def test_those_that_did_not_change_stand_beside(seen):
    """How they moved, and what is left of the effect; without any a notice."""
    shown = evidence.comparison(table(), change=told(), seen=seen)

    assert (
        "Won by 90 days: the teams that did not change went from 10 % to 13 % (likely −3 to +9 points); beyond that, those that "
        "changed moved by +17 points (likely +13 to +21 points)."
    ) in plain(shown)
    assert column(shown, "Measure") == ["Won by 90 days", "Days open, of the first 180"]
    assert "No comparison group" in plain(evidence.comparison(table(turnover()), change=told(), seen=seen))  # fmt: skip


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({}, "A step of +19.0 points at the change (likely +9.0 to +31.0, p = 0.002)"),
        ({"p_value": 0.05}, "No clear step at the change: +19.0 points (likely +9.0 to +31.0, p = 0.050)"),
        ({"is_difference": False}, "A step of +19.0 points at the change (likely +9.0 to +31.0, p = 0.002); weak evidence, without a comparison group"),
        ({"level": NAN, "n_before": 9}, "9 months before the change are too few to look for a step"),
        ({"level": NAN, "n_after": 0}, "No month since the change is old enough yet, against 14 before it"),
    ],
)  # fmt: skip
def test_the_months_say_whether_there_is_a_step(seen, more, said):
    """A step, none, weak evidence, or too few months to look."""
    shown = evidence.monthly(months(), trend=trend(**more), change=told(), seen=seen, age_days=90)

    assert title(shown) == said


def test_the_months_mark_the_change(seen):
    """A dashed line between the last month before and the first since; months before hollow and grey, since dark."""
    ax = evidence._month_axes(months(), "difference", told())
    lines = {line.get_linestyle(): line for line in ax.get_lines()}

    assert lines["--"].get_xdata()[0] == 1.5
    points = [line for line in ax.get_lines() if line.get_marker() == "o"]
    assert [line.get_xdata().tolist() for line in points] == [[0, 1], [2, 3]]
    assert [line.get_markerfacecolor() for line in points] == ["white", "#1a1a1a"]
    assert ax.texts[0].get_text() == "1 Apr 2017"
    nobody = months().assign(n_control=0, difference=NAN)
    shown = evidence.monthly(nobody, trend=trend(is_difference=False), change=told(), seen=seen, age_days=90)  # fmt: skip
    assert "Did not change" not in plain(shown)
    assert "in May 2017 29 % won" in alt(shown).replace("\u00a0", " ")


def kinds():
    return pd.DataFrame(
        {"cell": [HOSTILE, ""], "n_before": [80, 40], "n_after": [60, 60], "share_before": [0.67, 0.33],
         "share_after": [0.5, 0.5], "rate_before": [0.1, 0.2], "rate_after": [0.3, 0.3], "mix_effect": [-0.034, 0.042],
         "mix_rate_effect": [0.117, 0.042]}
    )  # fmt: skip


def split(**more):
    given = {"age_days": 90, "effect": 0.167, "is_simpson": False, "n_cells": 2}
    given |= ranged("mix_effect", 0.008, -0.01, 0.03) | ranged("mix_rate_effect", 0.159, 0.1, 0.22)
    return pd.DataFrame([given | more])


def test_the_mix_is_taken_out(seen):
    """Both parts with their ranges, whether the mix has a part, and a warning where the sum misleads."""
    shown = evidence.mix(kinds(), total=split(), change=told(), seen=seen)

    assert (
        "Of the change of +16.7 points in the share won by 90 days, other kinds of deals explain +0.8 points (likely −1.0 to +3.0); "
        "+15.9 points (likely +10.0 to +22.0) remain for deals of the same kind. That the mix has any part in it is not shown."
    ) in plain(shown)
    assert column(shown, "Kind of deal") == [HOSTILE, "all others"]
    assert column(shown, "Won since") == ["30 %", "30 %"]
    clear = evidence.mix(kinds(), total=split(mix_effect_low=0.002, is_simpson=True), change=told(), seen=seen)  # fmt: skip
    assert "The mix has a part in it: read the other part as the change. Mind:" in plain(clear)


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({}, "(likely −3 to +6 points apart): weak results are no reason why they were the ones."),
        ({"standing": "weaker"}, "they were the weaker ones, and who is weak by bad luck does better afterwards without any effect."),
        ({"standing": "stronger"}, "they were the stronger ones, so a return to normal would have taken them down."),
        ({}, "Without any effect, 11 % (likely 10–13 %) was to be expected of them; 29 % came, +18 points beyond that (likely +13 to +23)."),
        ({"is_expected": True}, "29 % came, no more than that (+18 points, likely +13 to +23)."),
        ({"beyond": NAN}, "Without any effect, 11 % (likely 10–13 %) was to be expected of them."),
    ],
)  # fmt: skip
def test_a_return_to_normal_is_ruled_out_or_not(seen, more, said):
    """Whether they were weak before, and what was to be expected of them anyway."""
    shown = evidence.regression(expected(**more), units=units(), change=told(), seen=seen, is_chosen=False)  # fmt: skip

    assert said in plain(shown)
    assert "the verdict takes that into account" not in plain(shown)


def test_a_group_chosen_for_weak_results_is_named_so(seen):
    """Only where the parameter says it."""
    shown = evidence.regression(expected(), units=units(), change=told(), seen=seen, is_chosen=True)

    assert "They were chosen for weak results, and the verdict takes that into account." in plain(shown)  # fmt: skip


def test_groups_stand_in_their_order_with_what_was_expected(seen):
    """Changed ones round, the others square; those above what was expected are counted; no ranking."""
    shown = FIGURES["groups"](seen)

    assert title(shown) == "In 1 of 3 teams more deals are won than was to be expected"
    assert column(shown, "Teams") == [HOSTILE, "North", "South"]
    assert "this is no ranking" in plain(shown)
    drawn = {line.get_label(): line for line in evidence._group_axes(units()).get_lines()}
    assert drawn["Since, changed"].get_xdata().tolist() == [0.3, 0.13]
    assert drawn["Since, did not change"].get_marker() == "s"
    assert drawn["Expected without an effect"].get_xdata().tolist() == [0.105, 0.115, 0.11]


def test_earlier_days_say_how_often_the_method_errs(seen):
    """Days on which either measure changed, of all; and whether the true day is found."""
    assert title(FIGURES["placebos"](seen)) == "On 0 of 2 earlier days the method finds a change where none was; on the true day it finds one"  # fmt: skip
    wrong = looks().assign(is_changed=[True, True, False, False, False, False])
    shown = evidence.placebos(wrong, change=told(), seen=seen)
    assert title(shown) == "On 1 of 2 earlier days the method finds a change where none was; on the true day neither"  # fmt: skip
    assert column(shown, "Found")[:3] == ["change", "change", "none"]
    assert column(shown, "Measure")[:2] == ["Won by 90 days", "Days open, of the first 120"]
    assert column(shown, "Is it the change?") == ["", "", "", "", "true day", "true day"]
    figure = evidence._placebo_axes(looks())
    hollow, filled = (line for line in figure.axes[0].get_lines() if line.get_marker() == "o")
    assert (hollow.get_ydata().tolist(), filled.get_ydata().tolist()) == ([0, 1], [2])
    assert filled.get_markerfacecolor() == "#1a1a1a"
    only_true = looks()[lambda rows: rows["is_true"]]
    assert "too short" in plain(evidence.placebos(only_true, change=told(), seen=seen))


def test_the_verdicts_are_the_five_of_the_ladder():
    """Exactly these words, on every page."""
    slugs = ["artefact_possible", "no_change", "cause_open", "against_control", "not_estimable"]

    assert [impact_words.verdict_name(slug) for slug in slugs] == [
        "artefact possible",
        "compatible with no change",
        "changed, cause open",
        "changed against the comparison group",
        "not estimable",
    ]


def test_every_measure_of_a_change_is_defined_with_its_limits():
    """Each has a question, a definition, a source, a caveat and a misuse; the verdicts are all defined."""
    for name in words.MEASURES["change_impact"]:
        measure = words.measure(name)
        assert all([measure.name, measure.what, measure.definition, measure.source])
        assert measure.caveats
        assert measure.not_for
    text = plain(page.measure_cards())
    for verdict in ("Not estimable:", "Artefact possible:", "Compatible with no change:", "Changed, cause open:",
                    "Changed against the comparison group:"):  # fmt: skip
        assert verdict in text


def test_no_word_of_the_page_ranks_people_down():
    """The page's own texts hold none of the words that the definitions rule out."""
    for module in (page, evidence, impact_words):
        source = Path(module.__file__).read_text("utf-8")
        assert not re.search(r"\bbottom\s+\d|末位|淘汰|\bworst\b", source)


@pytest.mark.parametrize("name", sorted(set(FIGURES) - {"curves"}))
def test_filled_marks_turn_light_on_a_dark_page(name, seen):
    """Their fill is a class of the style sheet; a pure black one would be left out of the SVG and stay black."""
    shown = str(FIGURES[name](seen))

    assert re.search(r'<use [^>]*class="[^"]*fill-text', shown)


def test_a_list_of_reps_warns_of_the_change_that_sets_them_apart():
    """The groups, the day and both rates are named; nothing is said where nothing changed, or everybody did."""
    shown = plain(page.not_skill(table(), change=told()))
    unchanged = table(win_rate(verdict="no_change", is_better=None))

    assert "Not skill alone" in shown
    assert (
        "changed on 1 Apr 2017; 29 % of their deals are won by 90 days since, 11 % before. Reps there"
        in shown
    )
    assert not str(page.not_skill(unchanged, change=told()))
    assert not str(page.not_skill(table(), change=told(treated=())))
