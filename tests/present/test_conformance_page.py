"""The page on the process: its texts, figures and tables from small frames made by hand."""

import html as markup
import re
from pathlib import Path
from types import SimpleNamespace

import pandas as pd
import pytest

from salesanalysis.present import conformance as page
from salesanalysis.present import words

NAN = float("nan")
HOSTILE = '<b>"O\'Neil" & $x$</b>'
WHEN = SimpleNamespace(first=pd.Timestamp("2017-10-01"), last=pd.Timestamp("2017-12-31"))
FIRST = SimpleNamespace(en="First contact", zh="初步接触")
SECOND = SimpleNamespace(en=HOSTILE, zh="报价")
CALL = SimpleNamespace(activities=("Call", "Mail"), at_least=1)
VISIT = SimpleNamespace(activities=("<i>Visit</i>",), at_least=2)


def rules():
    return pd.DataFrame(
        {"place": [0, 1], "stage": ["S1", "S<2>"], "name": [FIRST, SECOND],
         "goal": [SimpleNamespace(en="Talk & listen", zh="沟通")] * 2, "role": ["rep <r>", "lead"],
         "actions": [(CALL,), (CALL, VISIT)], "sla_days": [14, 21], "target_conversion": [0.75, 0.5]}
    )  # fmt: skip


def stages():
    return rules().assign(
        n_settled=[60, 40], n_ended_early=[10, 8], n_pending=[5, 4], n_judged=[50, 32], n_done=[30, 12],
        n_missed=[20, 20], done_rate=[0.6, 0.375], done_rate_low=[0.46, 0.23], done_rate_high=[0.72, 0.55],
        n_over=[12, 3], over_rate=[0.2, 0.075], over_rate_low=[0.12, 0.03], over_rate_high=[0.32, 0.2],
        over_median_days=[9.0, NAN], over_median_days_low=[4.0, NAN], over_median_days_high=[NAN, NAN],
        n_entered=[66, 44], n_repeat=[3, 2], n_ping_pong=[1, 2], n_moved_back=[0, 2],
        n_arrived=[63, 45], n_passed=[0, 7],
        n_matured=[55, 0], n_converted=[30, 0], conversion_rate=[0.545, NAN],
        conversion_rate_low=[0.41, NAN], conversion_rate_high=[0.67, NAN],
        against_target=["below", "unknown"],
    )  # fmt: skip


def by_team():
    parts = [stages().assign(group="North", group_name="North", n_missed=[4, 2], n_judged=[25, 20]),
             stages().assign(group="<South>", group_name="<South>", n_missed=[7, 18], n_judged=[25, 22])]  # fmt: skip
    return pd.concat(parts, ignore_index=True)


def groups():
    table = stages().assign(
        group=["r1", HOSTILE],
        name=["王芳", HOSTILE],
        team=["North", "<South>"],
        expected=[27.25, 14.75],
    )
    return table.drop(columns=["place", "stage", "goal", "role", "actions"])


def trend():
    return pd.DataFrame(
        {"period": ["2017-Q3", "2017-Q4"], "first": [pd.Timestamp("2017-07-01"), WHEN.first],
         "last": [pd.Timestamp("2017-09-30"), WHEN.last], "n_judged": [40, 82], "n_done": [10, 42],
         "done_rate": [0.25, 0.512], "done_rate_low": [0.14, 0.4], "done_rate_high": [0.4, 0.62],
         "difference": [NAN, 0.262], "difference_low": [NAN, 0.08], "difference_high": [NAN, 0.41]}
    )  # fmt: skip


def worth():
    return rules().assign(
        landmark_days=7, within_days=60, n_entered=[300, 12], n_gone=[100, 8], n_with=[80, 3], n_without=[120, 1],
        advanced_with=[60, 2], advanced_without=[66, 1],
        with_rate=[0.75, 0.6], with_rate_low=[0.65, 0.2], with_rate_high=[0.83, 0.9],
        without_rate=[0.55, 1.0], without_rate_low=[0.46, 0.2], without_rate_high=[0.64, 1.0],
        difference=[0.2, NAN], difference_low=[0.064, NAN], difference_high=[0.32, NAN],
        p_value=[0.004, NAN], q_value=[0.004, NAN],
    )  # fmt: skip


def difference(value, low, high, **more):
    row = {"difference": value, "difference_low": low, "difference_high": high} | more
    return pd.DataFrame([row | {"n_with": 80, "n_without": 120}])


OVERALL = difference(0.2, 0.064, 0.32, n_stages=1, landmark_days=7, within_days=60)
WITHIN = difference(0.031, -0.02, 0.081, n_strata=37)


def targets():
    return pd.DataFrame(
        {"what": ["created", "won"], "n_deals": [200, 40], "n_target": [120, 30], "n_unknown": [9, 0],
         "target_rate": [0.6, 0.75], "target_rate_low": [0.53, 0.6], "target_rate_high": [0.665, 0.86],
         "strangers": [("vast",), ("vast",)]}
    )  # fmt: skip


@pytest.fixture
def process():
    """
    What the page reads of a process file.
    """
    return SimpleNamespace(
        name=SimpleNamespace(en="Field <sales>", zh="外勤"),
        goal=SimpleNamespace(en="Win a third", zh="赢三分之一"),
        segments=("big", "vast"),
        on=lambda day: SimpleNamespace(stages=("one", "two")),
    )


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


def answer(seen, process, **more):
    given = {
        "teams": groups(),
        "trend": trend(),
        "overall": OVERALL,
        "within": WITHIN,
        "targets": targets(),
        "ledger": pd.DataFrame({"n_in": [10], "n_accepted": [9]}),
    }
    table = more.pop("table", stages())
    return page.answer(table, seen=seen, process=process, period=WHEN, **(given | more))


def test_the_answer_is_the_share_its_comparison_and_what_drives_it(seen, process):
    """
    Share with range, the period before, the stage where most is missed, and what following it goes with.
    """
    shown = answer(seen, process)

    assert shown.summary["message"].replace("\u00a0", " ") == (
        "51 % (likely 40–62 %) of the entries judged in Oct–Dec 2017 had their required actions in time, against 25 % "
        "in Jul–Sep 2017; most are missed in First contact, 20 of 50; that deals with them done early go on more often "
        "is not shown (+3.1 points, likely −2.0 to +8.1)"
    )
    cards = dict(shown.summary["cards"])
    assert list(cards.values()) == ["51.2 %".replace(" ", "\u00a0"), "20", "15", "9", "+3.1 points",
                                    "60\u00a0%"]  # fmt: skip
    assert "Rules: Field <sales>" in plain(shown)
    assert "of 100 entries settled" in plain(shown)
    assert "42 of 82; +26.2 points against the period before" in plain(shown)
    assert "association, not proof" in plain(shown)


@pytest.mark.parametrize(
    ("within", "said"),
    [
        (difference(0.1, 0.02, 0.18, n_strata=9), "go on more often (+10.0 points, likely +2.0 to +18.0), an association, not proof"),
        (difference(-0.1, -0.18, -0.02, n_strata=9), "go on less often (−10.0 points, likely −18.0 to −2.0), an association, not proof"),
        (OVERALL.head(0), "go on more often (+20.0 points, likely +6.4 to +32.0), an association, not proof"),
    ],
)  # fmt: skip
def test_a_clear_difference_is_said_with_its_direction(seen, process, within, said):
    """
    Like with like comes first; without it all stages together.
    """
    assert answer(seen, process, within=within).summary["message"].endswith(said)


def test_teams_are_in_the_answer_only_where_they_differ(seen, process):
    """
    Ranges of the lowest and the highest team that do not meet.
    """
    apart = groups().assign(done_rate_high=[0.72, 0.45])

    assert "teams lie between" not in answer(seen, process).summary["message"]
    assert "; teams lie between 38 % and 60 %;" in plain(answer(seen, process, teams=apart))
    assert "teams lie" not in plain(answer(seen, process, teams=apart.head(1)))


def test_a_source_that_cannot_say_it_gives_its_reason(seen, process):
    """
    Without history the reason stands in the answer; with no rule in force the process file's.
    """
    nothing = stages().head(0)

    shown = answer(seen, process, table=nothing, reason="no <history>").summary["message"]
    assert shown.replace("\u00a0", " ") == (
        "Whether deals follow the process cannot be said for Oct–Dec 2017: no <history>"
    )
    process.on = lambda day: SimpleNamespace(stages=())
    assert (
        "no stage in force on 1 Oct 2017" in answer(seen, process, table=nothing).summary["message"]
    )
    unjudged = stages().assign(n_judged=0)
    assert (
        "cannot be said" in answer(seen, process, table=unjudged, reason="none").summary["message"]
    )


def test_what_to_do_names_stage_team_role_and_day(seen):
    """
    Where most is missed by team and stage, where most stay too long, and the conversion that is below its target.
    """
    shown = page.to_do(stages(), by_team=by_team(), seen=seen, period=WHEN)

    _, missed, over, below = cells(shown)
    assert missed[0] == (
        f"Go through <South>'s open deals in {HOSTILE} every week until each has: 1 × Call or Mail; "
        "2 × <i>Visit</i>"
    )
    assert missed[1:] == [
        "missing in 18 of 22 entries judged in Oct–Dec 2017, the most of any team and stage",
        "lead, <South>",
        "14 Jan 2018",
    ]
    assert over[:3] == [
        "Decide for each deal that is in First contact for more than 14 days: a dated next step, back, or closed",
        "12 of 60 stayed longer, half of them by 9 days or more",
        "rep <r>",
    ]
    assert below[:2] == [
        "Review goal, actions and target of First contact with those who work in it",
        "54 % (likely 41–67 %) go on within 14 days; the target is 75 %",
    ]


def test_a_stage_often_passed_is_a_question_to_the_process(seen):
    """
    Where no conversion is below its target; few skips are no step, and where nothing is missed none follows.
    """
    table = stages().assign(against_target="open")

    (*_, last) = cells(page.to_do(table, by_team=by_team(), seen=seen, period=WHEN))
    assert last[0] == f"Ask why deals pass over {HOSTILE}: is it not needed, or not recorded?"
    assert last[1] == "7 of 45 deals that came so far"

    few = table.assign(n_passed=4)
    assert len(cells(page.to_do(few, by_team=by_team(), seen=seen, period=WHEN))) == 3
    calm = few.assign(n_over=0)
    shown = page.to_do(calm, by_team=by_team().assign(n_missed=0), seen=seen, period=WHEN)
    assert plain(shown).startswith("No step follows")
    assert str(page.to_do(table.head(0), by_team=by_team(), seen=seen, period=WHEN)) == ""


def test_the_goal_and_the_target_segments(seen, process):
    """
    What the process is for, counts and shares of its segments, and names that no deal has.
    """
    shown = plain(page.goal(targets(), seen=seen, process=process, period=WHEN, reason=None))

    assert shown == (
        "What this report measures against: Win a third. Target segments: big, vast; of 200 deals created in "
        "Oct–Dec 2017, 120 are in a target segment, 60 % (likely 53–66 %); of 40 deals won, 30, 75 % (likely 60–86 %); "
        "9 of those created have no segment; no deal has vast."
    )
    none = page.goal(
        targets().head(0), seen=seen, process=process, period=WHEN, reason="no <segment>"
    )
    assert "cannot be said: no <segment>" in plain(none)
    strange = targets().assign(strangers=[("big", "vast")] * 2)
    unknown = page.goal(strange, seen=seen, process=process, period=WHEN, reason=None)
    assert "cannot be said: no deal has one of these segments" in plain(unknown)
    assert (
        dict(answer(seen, process, targets=strange).summary["cards"])["Deals in target segments"]
        == "n/a"
    )


FIGURES = {
    "stage": lambda seen, table=None: page.done_by_stage(
        stages() if table is None else table, seen=seen, period=WHEN, reason="no <history>"
    ),
    "team": lambda seen, table=None: page.done_by_team(
        groups() if table is None else table, seen=seen, period=WHEN, reason="no <history>"
    ),
    "worth": lambda seen, table=None: page.worth(
        worth() if table is None else table, seen=seen, reason="no <history>"
    ),
}


@pytest.mark.parametrize("name", FIGURES)
def test_a_figure_has_all_its_parts_and_escapes_names(name, seen):
    """
    Headline and alternative text with a number, subtitle with the date, source, data; a hostile name stays text.
    """
    shown = str(FIGURES[name](seen))

    headline = plain(re.search(r"<h3>(.*?)</h3>", shown, flags=re.DOTALL)[1])
    alt = re.search(r'<svg[^>]*aria-label="([^"]*)"', shown)[1]
    assert re.search(r"\d", headline)
    assert re.search(r"\d", alt)
    assert "31 Dec 2017" in plain(
        re.search(r'class="subtitle">(.*?)</p>', shown, flags=re.DOTALL)[1]
    )
    assert "Maven &lt;CRM&gt;" in shown
    assert "<details>" in shown
    assert "<b>" not in shown
    assert HOSTILE in plain(shown)


@pytest.mark.parametrize("name", FIGURES)
def test_a_figure_without_rows_is_the_reason(name, seen):
    """
    No chart but a notice.
    """
    table = {"stage": stages, "team": groups, "worth": worth}[name]().head(0)

    shown = str(FIGURES[name](seen, table))

    assert "<svg" not in shown
    assert "no &lt;history&gt;" in shown


def test_headlines_say_whether_ranges_meet(seen):
    """
    The lowest and the highest share; that they overlap; one alone with its range.
    """

    def headline(table):
        shown = page.done_by_stage(table, seen=seen, period=WHEN)
        return plain(re.search(r"<h3>(.*?)</h3>", str(shown), flags=re.DOTALL)[1])

    text = f"From 38 % ({HOSTILE}) to 60 % (First contact) of the entries had their actions in time"
    assert headline(stages()) == f"{text}; the ranges overlap"
    assert headline(stages().assign(done_rate_high=[0.72, 0.45])) == text
    assert headline(stages().assign(n_judged=[50, 0])) == (
        "First contact: 60 % (likely 46–72 %) of the entries had their actions in time"
    )


def test_the_worth_figure_draws_both_sides_and_claims_no_cause(seen):
    """
    Only stages with deals enough on both sides; a clear difference is named with its direction and its limit.
    """
    shown = str(page.worth(worth(), seen=seen))
    headline = plain(re.search(r"<h3>(.*?)</h3>", shown, flags=re.DOTALL)[1])

    assert headline == (
        "In First contact, deals with the actions done go on 20.0 points more often (likely +6.4 to +32.0); that is no "
        "proof that they help"
    )
    less = worth().assign(
        difference=[-0.2, NAN], difference_low=[-0.32, NAN], difference_high=[-0.064, NAN]
    )
    assert "20.0 points less often (likely −32.0 to −6.4)" in plain(page.worth(less, seen=seen))
    unclear = worth().assign(q_value=[0.05, NAN])
    assert "In none of 1 stages is the difference clear of chance" in plain(
        page.worth(unclear, seen=seen)
    )
    few = worth().assign(difference=NAN)
    assert "In no stage are there deals enough" in plain(page.worth(few, seen=seen))

    axes = page._sides(worth().head(1))
    drawn = {line.get_label(): line.get_xydata().tolist() for line in axes.get_lines()}
    assert drawn == {"With the actions done by then": [[0.75, -0.14]], "Without": [[0.55, 0.14]]}
    assert [text.get_text() for text in axes.texts] == ["+20.0 (80/120)"]


def test_the_chart_of_shares_draws_the_table(seen):
    """
    A point per row with its range, counts at the right, shares from 0 to 1.
    """
    axes = page._shares(stages(), ["one", "two"])

    assert axes.get_lines()[0].get_xydata().tolist() == [[0.6, 0], [0.375, 1]]
    (ranges,) = axes.collections
    assert [segment[:, 0].tolist() for segment in ranges.get_segments()] == [
        [0.46, 0.72],
        [0.23, 0.55],
    ]
    assert axes.get_xlim() == (0, 1)
    assert [text.get_text().replace("\u00a0", " ") for text in axes.texts] == [
        "60 % (30/50)",
        "38 % (12/32)",
    ]


TABLES = {
    "done_table": (stages, {"period": WHEN}),
    "moves_table": (stages, {"period": WHEN}),
    "time_table": (stages, {"period": WHEN}),
    "conversion_table": (stages, {"period": WHEN}),
    "groups_table": (groups, {"period": WHEN, "by": "owner"}),
    "trend_table": (trend, {}),
    "worth_table": (worth, {}),
}


@pytest.mark.parametrize("name", TABLES)
def test_tables_carry_the_date_and_no_raw_missing(name, seen):
    """
    Captions name the as-of date; NaN reaches no cell; markup in names stays text; without rows there is the reason.
    """
    make, arguments = TABLES[name]

    shown = getattr(page, name)(make(), seen=seen, **arguments)

    assert "as of 31 Dec 2017" in plain(shown)
    assert not {"nan", "NaN", "None", "NaT"} & {cell for row in cells(shown) for cell in row}
    assert "<b>" not in str(shown)
    empty = getattr(page, name)(make().head(0), seen=seen, reason="it is <lost>", **arguments)
    assert "it is &lt;lost&gt;" in str(empty)
    assert "<table" not in str(empty)


def test_the_columns_of_the_tables(seen):
    """
    Each number stands under its own label.
    """
    done = page.done_table(stages(), seen=seen, period=WHEN)
    assert column(done, "Entries settled") == ["60", "40"]
    assert column(done, "Ended too early to be judged") == ["10", "8"]
    assert column(done, "Judged") == ["50", "32"]
    assert column(done, "With all actions in time") == ["30", "12"]
    assert column(done, "Done in time") == ["60.0 %", "37.5 %"]
    assert column(done, "Still to be judged") == ["5", "4"]
    moves = page.moves_table(stages(), seen=seen, period=WHEN)
    assert column(moves, "Passed over it") == ["0", "7"]
    assert column(moves, "Entered again") == ["3", "2"]
    assert column(moves, "Of these straight back") == ["1", "2"]
    assert column(moves, "Left by moving back") == ["0", "2"]
    times = page.time_table(stages(), seen=seen, period=WHEN)
    assert column(times, "Days beyond, median") == ["9", "n/a"]
    assert cells(times)[1][-1] == "4 or more"
    target = page.conversion_table(stages(), seen=seen, period=WHEN)
    assert column(target, "Against the target") == ["below", "no deal yet"]
    assert column(target, "Target") == ["75 %", "50 %"]
    both = page.worth_table(worth(), seen=seen)
    assert column(both, "Deals that entered") == ["300", "12"]
    assert column(both, "Gone by then or too young") == ["100", "8"]
    assert column(both, "Difference (points)") == ["+20.0", "n/a"]
    assert cells(both)[1][-2:] == ["0.004", "0.004"]


def test_groups_are_counts_first_and_no_ranking(seen):
    """
    Reps have a team column, teams have none; what was expected stands beside what was done.
    """
    shown = page.groups_table(groups(), by="owner", seen=seen, period=WHEN)
    assert cells(shown)[0][:2] == ["Rep", "Team"]
    assert column(shown, "With all actions, expected") == ["27.2", "14.8"]
    assert column(shown, "Passed over it", 1) == ["0", "7"]
    assert "this is no ranking" in plain(shown)
    team = page.groups_table(groups(), by="team", seen=seen, period=WHEN)
    assert cells(team)[0][:2] == ["Team", "Judged"]


def test_the_warning_says_both_comparisons_and_why_it_is_no_proof(seen):
    """
    Both numbers with their ranges; without any there is no warning.
    """
    shown = plain(page.worth_warning(OVERALL, WITHIN, seen=seen))

    assert "+20.0 points (likely +6.4 to +32.0)" in shown
    assert "+3.1 points (likely −2.0 to +8.1), in 37 such groups" in shown
    assert "association, not proof" in shown
    assert str(page.worth_warning(OVERALL.head(0), WITHIN.head(0), seen=seen)) == ""


def test_the_process_itself_is_shown(seen):
    """
    Goal, role, actions, days and target as the file says them, beside the CRM's own name.
    """
    shown = page.rules_table(rules(), seen=seen, period=WHEN)

    assert cells(shown)[1] == [
        "First contact",
        "S1",
        "Talk & listen",
        "rep <r>",
        "1 × Call or Mail",
        "14",
        "75 %",
    ]
    assert column(shown, "In the CRM") == ["S1", "S<2>"]
    assert "no stage in force on 1 Oct 2017" in plain(
        page.rules_table(rules().head(0), seen=seen, period=WHEN)
    )


def test_stages_without_a_rule_are_shown_only_if_there_are_any(seen):
    """
    A stage of the CRM that the process leaves out.
    """
    table = pd.DataFrame(
        {"pipeline": ["P"], "stage": ["<Z>"], "stage_order": [3], "n_entered": [8]}
    )

    assert cells(page.outside_table(table, seen=seen, period=WHEN))[1] == ["<Z>", "8"]
    assert str(page.outside_table(table.head(0), seen=seen, period=WHEN)) == ""


def test_texts_come_in_the_language_in_use(monkeypatch):
    """
    Stage names and goals of the process file have both languages.
    """
    monkeypatch.setattr(words, "_language", "zh")

    assert page.stage_name({"name": FIRST}) == "初步接触"


def test_every_measure_is_defined_with_its_limits():
    """
    Each measure has a question, a definition, a source, a caveat and a misuse.
    """
    for name in words.MEASURES["process_conformance"]:
        measure = words.measure(name)
        assert all([measure.name, measure.what, measure.definition, measure.source])
        assert measure.caveats
        assert measure.not_for
    assert "Required actions done in time" in plain(page.measure_cards())


def test_no_word_that_ranks_people_down():
    """
    The page's own texts hold none of the words that the definitions rule out.
    """
    source = Path(page.__file__).read_text("utf-8")

    assert not re.search(r"\bbottom\b|末位|淘汰|\bworst\b", source)
