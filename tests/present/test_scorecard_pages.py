"""Scorecard pages on a few rows: their texts, units and marks; nothing of a name becomes markup."""

import dataclasses
import datetime
import html as markup
import re
from pathlib import Path
from types import SimpleNamespace

import pandas as pd
import pytest

from salesanalysis.crm.process import Development, Kpi, Process, Scorecard, Text, When
from salesanalysis.present import kpi_audit, kpis, scorecard_rep, scorecards

NAN = float("nan")
HOSTILE = '<u>"O\'Neil" & $x$</u>'
BEGIN = datetime.date(2017, 1, 1)
PERIOD = SimpleNamespace(
    name="2017-Q4", first=datetime.date(2017, 10, 1), last=datetime.date(2017, 12, 31)
)
FORBIDDEN = re.compile(r"bottom \d|末位|淘汰|worst|loser|\bfire\b|dismissed", re.IGNORECASE)


def kpi(id_, measure, floor, target, weight, **changes):
    """A KPI with a hostile improvement step."""
    fields = {"kind": "result", "whose": "own", "role": "rep", "ramp": "any", "arguments": {}}
    return Kpi(
        id=id_, name=Text(f"{id_} <i>", "x"), measure=measure, floor=floor, target=target, weight=weight,
        improve=Text(f"Do more of {id_} & <u>", "x"), begins=BEGIN, **fields | changes,
    )  # fmt: skip


RULES = [
    Development("r1", Text("Coaching <u>", "x"), "coaching", When("rate", 0.4, None, 2), BEGIN),
    Development("r2", Text("Review", "x"), "promotion_review", When("score", None, 80.0, 1), BEGIN),
]
PROCESS = Process(
    name=Text("Rules <1>", "x"), goal=Text("Win & keep.", "x"), segments=("mid <u>",), default_role="rep",
    ramp_months=3, stages=(), plans=(), development=tuple(RULES), sha256="0",
    kpis=(
        kpi("quota", "quota_attainment", 0.4, 1.0, 0.4),
        kpi("rate", "cohort_win_rate", 0.1, 0.5, 0.3, arguments={"age_days": 90}),
        kpi("cycle", "sales_cycle", 60.0, 20.0, 0.2, arguments={"age_days": 90}, ramp="ramped"),
        kpi("money", "won_amount", 5000.0, 50_000.0, 0.1, whose="team", kind="team"),
        kpi("money", "won_amount", 7000.0, 50_000.0, 1.0, whose="team", kind="team", role="boss"),
    ),
    scorecards=(
        Scorecard("arithmetic", 100.0, 0.5, {"rate": 8.0}, Text("Ms <Chief>", "x"), Text("In writing & signed", "x"),
                  14, BEGIN),
    ),
)  # fmt: skip


def kpi_rows():
    """Two persons; "b" has too little evidence for the rate and no quota."""
    row = {"days": 91, "ramp": "ramped", "role": "rep", "team": "East & West", "kind": "result"}
    made = [
        *(("a", HOSTILE, "quota", "quota_attainment", "own", "attainment", 0.7, 0.5, 0.95, 1.0, 50.0, 20.0, 20.0, ""),
          ("a", HOSTILE, "rate", "cohort_win_rate", "own", "share", 0.5, 0.35, 0.65, 40.0, 100.0, 30.0, 0.0, ""),
          ("a", HOSTILE, "cycle", "sales_cycle", "own", "median", 30.0, 22.0, 41.0, 12.0, 75.0, 15.0, 5.0, ""),
          ("a", HOSTILE, "money", "won_amount", "team", "amount", 12_000.0, 9000.0, 16_000.0, 91.0, 15.6, 1.56, 8.4, "")),
        *(("b", "Bo", "quota", "quota_attainment", "own", "attainment", NAN, NAN, NAN, 0.0, NAN, NAN, NAN, "no_quota"),
          ("b", "Bo", "rate", "cohort_win_rate", "own", "share", 1.0, 0.2, 1.0, 1.0, NAN, NAN, NAN, "too_little"),
          ("b", "Bo", "cycle", "sales_cycle", "own", "median", NAN, NAN, NAN, 0.0, NAN, NAN, NAN, "too_little"),
          ("b", "Bo", "money", "won_amount", "team", "amount", NAN, NAN, NAN, NAN, NAN, NAN, NAN, "not_recorded")),
    ]  # fmt: skip
    columns = ["person", "name", "kpi", "measure", "whose", "form", "value", "low", "high", "n", "points",
               "contribution", "gain", "why"]  # fmt: skip
    table = pd.DataFrame([dict(zip(columns, one, strict=True)) | row for one in made])
    anchors = {one.id: one for one in PROCESS.kpis if one.role == "rep"}
    for name in ("floor", "target", "weight"):
        table[name] = [getattr(anchors[kpi], name) for kpi in table["kpi"]]
    table["least"] = [8.0 if kpi == "rate" else 1.0 for kpi in table["kpi"]]
    table["is_judged"] = table["why"] == ""
    table["share"] = table["weight"].where(table["person"] == "a")  # all are judged, so none moves
    table["shown"] = table["contribution"].round(1)
    return table.assign(peer_low=[0.6, NAN] * 4, peer_high=[0.9, NAN] * 4, n_peers=[7.0, NAN] * 4)


def score_rows():
    """Person "c" is in another role; "b" cannot be judged."""
    return pd.DataFrame(
        {"person": ["a", "d", "b", "c"], "name": [HOSTILE, "Di", "Bo", "Cy"], "team": ["East & West", "N", "N", None],
         "role": ["rep", "rep", "rep", "boss"], "ramp": "ramped", "days": 91, "n_kpis": [4, 4, 4, 1],
         "n_judged": [4, 3, 1, 1], "judged_weight": [1.0, 0.8, 0.1, 1.0], "is_judged": [True, True, False, True],
         "score": [66.56, 40.0, NAN, 90.0], "arithmetic": [66.56, 40.0, NAN, 90.0], "geometric": [52.1, 31.0, NAN, 90.0],
         "score_low": [51.4, 20.0, NAN, NAN], "score_high": [78.6, 60.0, NAN, NAN], "rank_low": [1.0, 1.0, NAN, NAN],
         "rank_high": [2.0, 2.0, NAN, NAN], "n_ranked": [2, 2, 2, 0], "above_next_share": [0.93, NAN, NAN, NAN],
         "weights_share": [0.75, NAN, NAN, NAN]}
    )  # fmt: skip


def criteria_rows():
    """The first criterion is met by "a"; the other cannot be judged for "b"."""
    return pd.DataFrame(
        {"person": ["a", "b"], "name": [HOSTILE, "Bo"], "team": ["East & West", None], "rule": ["r1", "r2"],
         "leads_to": ["coaching", "promotion_review"], "of": ["rate", "score"], "below": [0.4, NAN],
         "at_least": [NAN, 80.0], "periods": [2, 1], "values": [(0.31, 0.2), (NAN,)], "is_met": [True, False]}
    )  # fmt: skip


def before_rows():
    """The period before of one person."""
    return pd.DataFrame(
        {"person": ["a"], "name": [HOSTILE], "score": [70.0], "period": ["2017-Q3"]}
    )


def attainment_rows():
    """Who won most reached less than who won less; the manager's quota holds the team's."""
    return pd.DataFrame(
        {"person": ["a", "b", "m"], "name": [HOSTILE, "Bo", "Mo"], "team": "N", "role": ["rep", "rep", "boss"],
         "credited_amount": [4e6, 1.2e6, 0.0], "place": [1, 2, 3], "prorated_quota": [8e6, 8e5, 9e6],
         "attainment": [0.5, 1.5, 0.0], "n_reports": [0, 0, 2], "with_reports_amount": [NAN, NAN, 5.2e6],
         "with_reports_attainment": [NAN, NAN, 0.578]}
    )  # fmt: skip


def history_rows():
    """Two periods; "b" was judged in none."""
    rows = score_rows()[["person", "name", "team", "score"]].iloc[[0, 2]]
    return pd.concat(
        [
            rows.assign(period=name, first=pd.Timestamp(day), score=score)
            for name, day, score in (("2017-Q3", "2017-07-01", [55.5, NAN]), ("2017-Q4", "2017-10-01", [66.56, NAN]))
        ]
    )  # fmt: skip


def text(shown):
    """The words of a page part."""
    plain = re.sub(r"<svg.*?</svg>|<title>.*?</title>", " ", str(shown), flags=re.DOTALL)
    plain = markup.unescape(re.sub(r"<[^>]*>", " ", plain))
    return re.sub(r"[\s\u00a0]+", " ", plain).strip()


def shown(name, seen, metric, **changes):
    """One part of the page on the rows above."""
    whole = {"seen": seen, "process": PROCESS, "period": PERIOD}
    kpis, scores, criteria = kpi_rows(), score_rows(), criteria_rows()
    own = kpis[kpis["person"] == "a"]
    given = pd.DataFrame(
        {"person": ["a"], "n_deals": [40], "expected_rate": [0.2], "overall_rate": [0.3]}
    )
    calls = {
        "answer": ((scores,), whole | {"kpis": kpis, "before": before_rows(), "criteria": criteria, "ledger": metric.ledger}),
        "to_do": ((kpis,), whole | {"criteria": criteria}),
        "score_intervals": ((scores,), {"seen": seen, "period": PERIOD}),
        "score_table": ((scores,), {"seen": seen, "period": PERIOD}),
        "matrix": ((kpis,), whole),
        "evidence": ((kpis,), whole),
        "trend": ((history_rows(),), {"seen": seen}),
        "team_scores": (
            (pd.DataFrame({"team": ["N <u>"], "n_members": [3], "judged_weight": [1.0], "score": [44.4]}),),
            whole | {"kpis": pd.DataFrame({"team": ["N <u>"] * 2, "kpi": ["quota", "rate"], "points": [12.4, NAN]})},
        ),
        "targets": ((attainment_rows(),), {"seen": seen, "period": PERIOD, "reason": None}),
        "criteria": ((criteria,), whole),
        "rules": ((), whole),
        "rep_answer": ((own,), whole | {"score": scores.iloc[:1], "before": before_rows(), "ledger": metric.ledger}),
        "rep_points": ((own,), whole),
        "rep_table": ((own,), whole),
        "levers": ((own,), whole),
        "rep_trend": ((own.assign(period="2017-Q4", first=pd.Timestamp("2017-10-01")),), whole),
        "context": ((given,), {"seen": seen, "own": own, "person": "a"}),
        "impossible": (
            (kpis, pd.DataFrame({"kpi": ["rate"], "reason": ["not <exported>"]})),
            {"process": PROCESS, "period": PERIOD},
        ),
        "sign_off": ((), whole | {"until": datetime.date(2018, 1, 14)}),
        "measure_cards": ((), {}),
    }  # fmt: skip
    arguments, keywords = calls[name]
    return block(name)(*changes.pop("of", arguments), **keywords | changes)


def block(name):
    """The function of that name; those of one person's page begin with rep_ here."""
    if name.startswith("rep_") or name in ("levers", "context"):
        return getattr(scorecard_rep, name.removeprefix("rep_"))
    return getattr(kpis if name in KPIS else scorecards, name)


KPIS = ("criteria", "rules", "impossible", "sign_off", "measure_cards")
PARTS = [
    *("answer", "to_do", "score_intervals", "score_table", "matrix", "evidence", "trend", "team_scores"),
    *("targets", "criteria", "rules", "rep_answer", "rep_points", "rep_table", "levers", "rep_trend"),
    *("context", "impossible", "sign_off", "measure_cards"),
]  # fmt: skip


@pytest.mark.parametrize("name", PARTS)
def test_no_name_becomes_markup_and_no_missing_number_leaks(name, seen, metric):
    """
    Names of people, KPIs, stages and texts of the process file are text; NaN and None reach no page.
    """
    made = shown(name, seen, metric)

    assert "<u>" not in str(made)
    assert "<i>" not in str(made)
    assert not re.search(r"\bnan\b|\bNaN\b|NaT|None", text(made))
    assert not FORBIDDEN.search(text(made))


def test_the_answer_says_how_many_where_and_what_it_costs(seen, metric):
    """
    Three of four judged, the median with the period before, the KPI on which most is lost; cards with what they compare to.
    """
    made = shown("answer", seen, metric)

    words = text(made)
    assert (
        "3 people of all teams can be judged in Oct–Dec 2017; the median score is 67 of 100, after 70 in the period before; most is lost on quota <i>"
        in words
    )
    assert "Can be judged 3 of 4" in words
    assert "half of them from 53 to 78" in words
    assert "▼ 3.4 against the period before" in words
    assert "Quotas reached 0 of 1 median attainment 70 %" in words
    assert "Order depends on the weights 1/1" in words
    assert "Written criteria met 1" in words
    assert "Rules: Rules <1>" in words
    assert made.summary["message"].startswith("3 people")


def test_nobody_judged_is_said_with_its_reason(seen, metric):
    """
    Too little of the weight; no KPI for anybody; rules that begin later.
    """
    nobody = score_rows().iloc[[2]]
    empty = score_rows().iloc[:0]
    later = SimpleNamespace(first=datetime.date(2016, 1, 1), last=datetime.date(2016, 3, 31))

    assert (
        "Nobody of N can be judged in Oct–Dec 2017: the evidence covers at most 10 % of the weight"
        in text(shown("answer", seen, metric, of=(nobody,), team="N"))
    )
    assert "no KPI is in force for anybody there" in text(
        shown("answer", seen, metric, of=(empty,), kpis=kpi_rows().iloc[:0])
    )
    assert "the first KPI of the process file is in force from 1 Jan 2017 on" in text(
        shown("answer", seen, metric, of=(empty,), kpis=kpi_rows().iloc[:0], period=later)
    )


def test_steps_have_a_reason_an_owner_and_a_day(seen, metric):
    """
    The KPIs that cost most, with the step of that role, then the criteria met; two weeks after the as-of day.
    """
    words = text(shown("to_do", seen, metric))

    assert (
        "Do more of quota & <u> quota <i>: 0/1 people are below half of the way to target; it costs 20.0 points a person rep 14 Jan 2018"
        in words
    )
    assert "Do more of money & <u>" in words
    assert "Do more of cycle" not in words
    assert (
        "Talk about: Coaching <u> criterion met by 1 person: rate <i> below 40 % in 2 periods in a row Ms <Chief> 14 Jan 2018"
        in words
    )
    none = text(
        shown("to_do", seen, metric, of=(kpi_rows().iloc[:0],), criteria=criteria_rows().iloc[:0])
    )
    assert none == "No step stands out: no judged KPI is short of its target, no criterion is met."


def test_a_step_is_that_of_the_role_it_concerns(seen, metric):
    """
    The same KPI of managers has its own step, weight and people.
    """
    boss = kpi_rows().iloc[[3]].assign(role="boss", gain=50.0, person="m")
    rows = pd.concat([kpi_rows(), boss])
    kpis = tuple(
        one if one.role == "rep" else Kpi(**vars(one) | {"improve": Text("Boss step", "x")})
        for one in PROCESS.kpis
    )
    process = Process(**vars(PROCESS) | {"kpis": kpis})

    words = text(shown("to_do", seen, metric, of=(rows,), process=process))

    assert (
        "Boss step money <i>: 1/1 people are below half of the way to target; it costs 50.0 points a person boss"
        in words
    )


def test_scores_are_drawn_by_role_with_rank_intervals(seen, metric):
    """
    One figure per group that is compared; no single rank; who cannot be judged is in the table only.
    """
    made = str(shown("score_intervals", seen, metric))

    words = text(made)
    assert made.count("<figure") == 2
    assert "rep, ramped: The order of 1 of 1 pair of neighbours is clear" in words
    assert "boss, ramped: One score, with the range the evidence leaves" in words
    alts = re.findall(r'<svg[^>]*aria-label="([^"]*)"', made) or re.findall(
        r"<title[^>]*>(.*?)</title>", made
    )
    assert "67 (rank 1–2 of 2)" in markup.unescape(alts[0])
    assert "Bo" not in markup.unescape(alts[0])
    assert "cannot be judged" in words
    alone = str(shown("score_intervals", seen, metric, of=(score_rows().iloc[:2],)))
    assert alone.count("<figure") == 1
    assert "rep, ramped:" not in alone


def test_scores_in_a_table(seen, metric):
    """
    Score with interval, what it rests on, probability and share of weightings in per cent.
    """
    words = text(shown("score_table", seen, metric))

    assert f"{HOSTILE} East & West rep ramped 4/4 100 % 66.6 51–79 1–2 93 % 75 % 66.6 52.1" in words
    assert "Bo N rep ramped 1/4 10 % cannot be judged n/a n/a n/a n/a n/a n/a" in words


def test_nobody_is_first_of_one(seen, metric):
    """
    Alone in a role there is no rank.
    """
    one = score_rows().iloc[[3]].assign(rank_low=1.0, rank_high=1.0, n_ranked=1)

    assert "rank n/a of 1" in str(shown("score_intervals", seen, metric, of=(one,)))
    assert "90.0 n/a n/a n/a" in text(shown("score_table", seen, metric, of=(one,)))


def test_evidence_has_units_reasons_and_sums(seen, metric):
    """
    Per cent, days, money by the measure's form; what is not judged says why; what is added sums to the score.
    """
    words = text(shown("evidence", seen, metric))

    assert "quota <i> 70 % 50–95 % 1 quota 40 % 100 % 50.0 40 % 20.0" in words
    assert "cycle <i> 30 22–41 12 won deals 60 20 75.0 20 % 15.0" in words
    assert "money <i> USD 12K 9K–16K 91 days USD 5K USD 50K 15.6 10 % 1.6" in words
    assert "1 deal (8 needed) 10 % 50 % cannot be judged: too little evidence" in words
    assert "cannot be judged: no quota" in words
    assert "cannot be judged: nothing of the kind recorded yet" in words
    assert "Sum: 66.6." in text(shown("rep_table", seen, metric))
    assert "60–90 %" in text(shown("rep_table", seen, metric))


def test_points_side_by_side(seen, metric):
    """
    A dash for what cannot be judged, never a nought.
    """
    words = text(shown("matrix", seen, metric))

    assert "quota <i> (40 %) rate <i> (30 %) cycle <i> (20 %) money <i> (10 %)" in words
    assert f"{HOSTILE} East & West 50 100 75 16 Bo East & West – – – –" in words
    assert f"{HOSTILE} 56 67" in text(shown("trend", seen, metric))
    assert "Bo – –" in text(shown("trend", seen, metric))
    assert "N <u> 3 44.4 12 –" in text(shown("team_scores", seen, metric))


def test_targets_tell_amount_and_attainment_apart(seen, metric):
    """
    The largest amount is not the highest attainment; a manager's target is read with the team.
    """
    words = text(shown("targets", seen, metric))

    assert (
        f"{HOSTILE} won the largest amount, USD 4,000,000: 50.0 % of the quota; the highest attainment, 150.0 %, is Bo's, with USD 1,200,000."
        in words
    )
    assert (
        "The target of 1 manager (Mo) stands beside little of the own: it includes the team's"
        in words
    )
    assert "57.8 %" in words
    same = attainment_rows().assign(attainment=[1.5, 0.5, 0.0])
    assert "the highest attainment" not in text(shown("targets", seen, metric, of=(same,)))
    none = attainment_rows().assign(prorated_quota=NAN)
    assert "No quota of a person lies in this period." in text(
        shown("targets", seen, metric, of=(none,))
    )
    assert "not <given>" in text(
        shown("targets", seen, metric, of=(none.iloc[:0],), reason="not <given>")
    )


def test_criteria_are_written_in_the_units_of_their_kpi(seen, metric):
    """
    40 % for a share, points for a score; one period is not "in a row"; evidence oldest first, what is missing as n/a.
    """
    words = text(shown("criteria", seen, metric))

    assert "Coaching <u> Coaching rate <i> below 40 % in 2 periods in a row 1/1" in words
    assert "Review Promotion review the score at least 80.0 in the period 0/1" in words
    assert f"{HOSTILE} East & West Coaching <u> rate <i>: 31 %, 20 %" in words
    assert "never from a quota" in words


def test_rules_are_shown_in_units(seen, metric):
    """
    Floors and targets as per cent, days, money; the goal ends with one stop.
    """
    words = text(shown("rules", seen, metric))

    assert "rate <i> Result rep share of the deals that reached the age of 90 days" in words
    assert "10 % 50 % 30 % 8 1 Jan 2017" in words
    assert (
        "rep (ramped) median days to win of deals won by the age of 90 days 60 20 20 % default"
        in words
    )
    assert "credited amount per month present; of the whole team USD 5K USD 50K 10 %" in words
    assert "Goal of the period: Win & keep. Target customers: mid <u>." in words


def test_the_page_of_a_person(seen, metric):
    """
    The score with its range, the largest gap, strength, change; a range that is not known is left out.
    """
    words = text(shown("rep_answer", seen, metric))

    assert (
        f"{HOSTILE}: 66.6 of 100 in Oct–Dec 2017, likely 51–79; quota <i> at its target would add 20.0"
        in words
    )
    assert "KPIs judged 4 of 4 100 % of the weight" in words
    assert "Period before 70.0 ▼ 3.4 against the period before" in words
    assert "Strongest KPI 100 points rate <i>" in words
    assert "KPI that costs most 50 points quota <i>" in words
    unknown = score_rows().iloc[:1].assign(score_low=NAN, score_high=NAN)
    assert "66.6 of 100 in Oct–Dec 2017;" in text(shown("rep_answer", seen, metric, score=unknown))


def test_a_person_who_cannot_be_judged(seen, metric):
    """
    It is said with how much of the weight the evidence covers; and a person without KPIs has a page too.
    """
    rows = kpi_rows()
    bo = rows[rows["person"] == "b"]
    nobody = text(shown("rep_answer", seen, metric, of=(bo,), score=score_rows().iloc[[2]]))
    none = text(shown("rep_answer", seen, metric, of=(rows.iloc[:0],), score=score_rows().iloc[:0]))

    assert (
        "Bo: the score cannot be judged in Oct–Dec 2017, since the evidence covers 10 % of the weight"
        in nobody
    )
    assert "Days present 91" in nobody
    assert "No KPI is in force for this person in Oct–Dec 2017" in none
    assert "No judged KPI is short of its target, or the score cannot be judged." in text(
        shown("levers", seen, metric, of=(bo,))
    )
    assert "No KPI has enough evidence to be judged." in text(
        shown("rep_points", seen, metric, of=(bo,))
    )


def test_levers_go_by_what_they_add(seen, metric):
    """
    Largest gain first, value and target in units, the step of the process file.
    """
    words = text(shown("levers", seen, metric))

    assert words.index("quota <i> 70 % 100 % +20.0 Do more of quota & <u>") < words.index(
        "money <i>"
    )
    assert "cycle <i> 30 20 +5.0" in words
    assert "rate <i>" not in words


def test_causes_outside_the_persons_hands(seen, metric):
    """
    The mix given, days present, KPIs left out in singular and plural, the team's share.
    """
    rows = kpi_rows()
    bo, one = rows[rows["person"] == "b"], rows.iloc[[4, 5]]

    words = text(shown("context", seen, metric))
    several = text(shown("context", seen, metric, own=bo))
    single = text(shown("context", seen, metric, own=one))

    assert (
        "would win 20.0 % of the deals given here, against 30.0 % of all deals: a harder mix."
        in words
    )
    assert "Present for 91 days of the period." in words
    assert "10 % of the weight is the team's result" in words
    assert "2 KPIs have too little evidence and are left out, not counted as zero." in several
    assert "1 KPI has too little evidence and is left out, not counted as zero." in single


def test_what_the_source_cannot_give(seen, metric):
    """
    KPI, weight and the source's reason, whichever frame tells the roles; nothing if nothing is missing.
    """
    words = text(shown("impossible", seen, metric))
    reasons = pd.DataFrame({"kpi": ["money"], "reason": ["never <asked>"]})
    audit = pd.DataFrame({"role": ["rep", "boss"], "kpi": ["rate", "money"], "test": "weight"})

    assert "rate <i> 30 % not <exported>" in words
    assert "nobody gets zero points" in words
    assert "money <i> 10 %, 100 % never <asked>" in text(
        shown("impossible", seen, metric, of=(audit, reasons))
    )
    assert "money <i> 10 % never <asked>" in text(
        shown("impossible", seen, metric, of=(kpi_rows(), reasons))
    )
    assert text(shown("impossible", seen, metric, of=(audit, reasons.iloc[:0]))) == ""


def test_the_way_to_object(seen, metric):
    """
    Reviewer, objection, last day; without a scorecard nothing is signed.
    """
    words = text(shown("sign_off", seen, metric))
    without = Process(**vars(PROCESS) | {"scorecards": ()})

    assert "Objection In writing & signed until 14 Jan 2018" in words
    assert "a person decides" in words
    assert text(shown("sign_off", seen, metric, process=without, until=None)) == ""


@pytest.mark.parametrize(
    ("name", "empty"),
    [
        *(("score_intervals", score_rows), ("score_table", score_rows), ("matrix", kpi_rows)),
        *(("evidence", kpi_rows), ("trend", history_rows), ("rep_table", kpi_rows)),
        *(("criteria", criteria_rows), ("rep_points", kpi_rows), ("team_scores", score_rows)),
    ],
)
def test_an_empty_table_gives_a_reason(name, empty, seen, metric):
    """
    Not only that there is no row, but why.
    """
    words = text(shown(name, seen, metric, of=(empty().iloc[:0],)))

    assert "nothing to show" in words
    assert re.search(r"in force|evidence|who is in which team", words)
    assert "There is no row" not in words


def test_no_text_of_these_modules_uses_forbidden_words():
    """
    Every text in the source of both modules: no "bottom 10 %", no 末位, 淘汰 or worst.
    """
    for module in (scorecards, scorecard_rep, kpis, kpi_audit):
        source = Path(module.__file__).read_text("utf-8")

        assert not FORBIDDEN.search(source)


def test_a_person_reads_the_step_of_the_own_role(seen, metric):
    """
    A KPI of the same id may ask another step of another role.
    """
    mine = [one for one in PROCESS.kpis if one.role == "rep"]
    theirs = [
        dataclasses.replace(one, role="boss", improve=Text("Not for reps", "x")) for one in mine
    ]
    process = Process(**vars(PROCESS) | {"kpis": (*mine, *theirs)})

    words = text(shown("levers", seen, metric, process=process))

    assert words == text(shown("levers", seen, metric))
    assert "Not for reps" not in words
