"""
What the pages of an appraisal say of KPIs, rules and criteria, in the words of the process file.

``process`` and ``period`` are those of the metrics; ``process`` gives names and texts.
"""

import datetime
from collections.abc import Callable
from typing import Any

import pandas as pd

from . import answers, html, numbers, tables, words
from .html import Html
from .tables import Column, rep_name
from .words import _, label


def kpi_names(process: Any, period: Any) -> dict[str, str]:
    """
    Names of the KPIs in force in the reader's language, by id, in the order of the process file.

    One not in force any more (in a trend) goes by its latest name.
    """
    names = {kpi.id: words.text(kpi.name) for kpi in process.kpis}
    now = {kpi.id: words.text(kpi.name) for kpi in process.on(period.first).kpis}
    return names | now


def months(period: Any) -> str:
    """
    Name a period by its months.

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> quarter = SimpleNamespace(first=pd.Timestamp("2026-04-01"), last=pd.Timestamp("2026-06-30"))
    >>> months(quarter).replace(numbers.NO_BREAK, " ")
    'Apr–Jun 2026'
    """
    return numbers.month_range(period.first, period.last)


def people(n: int) -> str:
    """
    Say a number of people.

    Examples
    --------
    >>> people(1), people(12)
    ('1 person', '12 people')
    """
    return words.translate_n("{n} person", "{n} people", n).format(n=numbers.count(n))


def value_text(form: str, value: float, currency: str | None) -> str:
    """
    Format a KPI's value by the form of its measure.

    Examples
    --------
    >>> [value_text(form, 0.8536, None).replace(numbers.NO_BREAK, " ") for form in ("share", "mean", "rate")]
    ['85 %', '0.85', '0.9']
    >>> value_text("median", 41.0, None), value_text("share", float("nan"), None)
    ('41', 'n/a')
    """
    if form in ("share", "attainment"):
        return numbers.percent(value)
    if form == "mean":
        return numbers.decimal(value, digits=2)
    if form == "amount":
        return numbers.money(value, currency, compact=True)
    return numbers.span(value) if form == "median" else numbers.decimal(value, digits=1)


def form(measure: str) -> str:
    """
    Give the form of a measure's values, as `value_text` takes it.

    Examples
    --------
    >>> form("sales_cycle"), form("data_hygiene")
    ('median', 'share')
    """
    return {
        "activities": "rate",
        "assists": "rate",
        "won_amount": "amount",
        "quota_attainment": "attainment",
        "sales_cycle": "median",
        "satisfaction": "mean",
    }.get(measure, "share")


def range_text(form: str, low: float, high: float, currency: str | None) -> str:
    """
    Format the interval of a KPI's value.

    Examples
    --------
    >>> range_text("share", 0.12, 0.34, None).replace(numbers.NO_BREAK, " ")
    '12–34 %'
    >>> range_text("rate", 1.21, 3.0, None), range_text("mean", 0.5, float("nan"), None)
    ('1.2–3.0', 'n/a')
    """
    if pd.isna(low) or pd.isna(high):
        return numbers.missing()
    if form in ("share", "attainment"):
        return numbers.percent_range(low, high)
    if form == "median":
        return numbers.span_range(low, high)
    return f"{value_text(form, low, None)}–{value_text(form, high, None)}"


def evidence_text(row: Any) -> str:
    """
    Say how much evidence a value has, in the unit of its measure, and how much it needs if that is more.

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> evidence_text(SimpleNamespace(measure="cohort_win_rate", n=6.0, least=8))
    '6 deals (8 needed)'
    >>> evidence_text(SimpleNamespace(measure="quota_attainment", n=1.0, least=1))
    '1 quota'
    """
    n = round(row.n) if pd.notna(row.n) else row.n
    text = f"{numbers.count(n)} {evidence_unit(row.measure, n)}"
    if pd.notna(row.n) and row.n < row.least:
        text += _(" ({least} needed)").format(least=numbers.count(row.least))
    return text


def evidence_unit(name: str, n: float) -> str:
    """
    Name what the evidence of a measure is counted in.

    Examples
    --------
    >>> evidence_unit("satisfaction", 3), evidence_unit("satisfaction", 1)
    ('answers', 'answer')
    """
    return {
        "activities": words.translate_n("day", "days", n),
        "activities_on_time": words.translate_n("activity", "activities", n),
        "actions_done": words.translate_n("entry", "entries", n),
        "stage_conversion": words.translate_n("deal", "deals", n),
        "cohort_win_rate": words.translate_n("deal", "deals", n),
        "won_amount": words.translate_n("day", "days", n),
        "quota_attainment": words.translate_n("quota", "quotas", n),
        "sales_cycle": words.translate_n("won deal", "won deals", n),
        "satisfaction": words.translate_n("answer", "answers", n),
        "response_rate": words.translate_n("question", "questions", n),
        "assists": words.translate_n("day", "days", n),
        "credit_shared": words.translate_n("won deal", "won deals", n),
        "hand_overs": words.translate_n("hand-over", "hand-overs", n),
        "data_hygiene": words.translate_n("closed deal", "closed deals", n),
    }[name]


def judged_text(row: Any) -> str:
    """
    Give the points, or why there are none.

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> judged_text(SimpleNamespace(is_judged=True, points=41.83, why=""))
    '41.8'
    >>> judged_text(SimpleNamespace(is_judged=False, points=float("nan"), why="too_little"))
    'cannot be judged: too little evidence'
    """
    if row.is_judged:
        return one(row.points)
    return {
        "too_little": _("cannot be judged: too little evidence"),
        "not_recorded": _("cannot be judged: nothing of the kind recorded yet"),
        "no_quota": _("cannot be judged: no quota"),
        "impossible": _("cannot be judged: not in the source"),
    }[row.why]


def kind(name: str) -> str:
    """
    Name the kind of a KPI.

    Examples
    --------
    >>> kind("team")
    'Team'
    """
    return {
        "process": _("Process"),
        "result": _("Result"),
        "customer": _("Customer"),
        "team": _("Team"),
    }[name]


def ramp(name: str) -> str:
    """
    Name a ramp state.

    Examples
    --------
    >>> ramp("ramping")
    'ramping'
    """
    return {"any": _("any"), "ramped": _("ramped"), "ramping": _("ramping")}[name]


def leads_to(name: str) -> str:
    """
    Name what a criterion leads to.

    Examples
    --------
    >>> leads_to("promotion_review")
    'Promotion review'
    """
    return {
        "training": _("Training"),
        "coaching": _("Coaching"),
        "promotion_review": _("Promotion review"),
    }[name]


def measure(kpi: Any) -> str:
    """
    Say what a KPI measures, with its arguments.

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> measure(SimpleNamespace(measure="cohort_win_rate", arguments={"age_days": 90}, whose="team"))
    'share of the deals that reached the age of 90 days in the period and were won by then; of the whole team'
    """
    shown = {name: _argument(value) for name, value in kpi.arguments.items()}
    texts = {
        "activities": _("activities done ({types}) per month present"),
        "activities_on_time": _("share of planned activities done by the day due"),
        "actions_done": _("share of stage entries with all required actions done in time"),
        "stage_conversion": _(
            "share of the deals in {stage} that went on within {days} days, by the day these were over"
        ),
        "cohort_win_rate": _(
            "share of the deals that reached the age of {age_days} days in the period and were won by then"
        ),
        "won_amount": _("credited amount per month present"),
        "quota_attainment": _("credited amount / prorated quota"),
        "sales_cycle": _("median days to win of deals won by the age of {age_days} days"),
        "satisfaction": _("mean answer as a share of the scale"),
        "response_rate": _("share of questions answered within {days} days"),
        "assists": _("won deals of others one helped with, per month present"),
        "credit_shared": _("share of own won deals in which others have credit"),
        "hand_overs": _(
            "share of deals received from others that were worked on within {days} days"
        ),
        "data_hygiene": _(
            "share of closed deals with amount, reason and a close date not over by more than {days} days"
        ),
    }
    text = texts[kpi.measure].format(**shown)
    return text + _("; of the whole team") if kpi.whose == "team" else text


def _argument(value: object) -> str:
    return ", ".join(value) if isinstance(value, tuple) else str(value)


def one(value: float) -> str:
    """
    Format points with one decimal.

    Examples
    --------
    >>> one(41.349), one(float("nan"))
    ('41.3', 'n/a')
    """
    return numbers.decimal(value, digits=1)


def points_range(low: float, high: float) -> str:
    """
    Format an interval of points.

    Examples
    --------
    >>> points_range(21.4, 60.0), points_range(float("nan"), 1)
    ('21–60', 'n/a')
    """
    if pd.isna(low) or pd.isna(high):
        return numbers.missing()
    return f"{numbers.count(round(low))}–{numbers.count(round(high))}"


def points_cell(points: float) -> str:
    """Points for a cell; a dash where they cannot be judged."""
    return "–" if pd.isna(points) else numbers.count(round(points))


def score_cell(row: Any) -> str:
    """A score for a cell, or that it cannot be judged."""
    return _("cannot be judged") if pd.isna(row.score) else one(row.score)


def card(label: str, value: str, range: str = "", comparison: str = "", tone: str = "neutral"):
    """A card of an answer."""
    return {
        "label": label,
        "value": value,
        "range": range,
        "comparison": comparison,
        "tone": tone,
    }


def opening(ledger: pd.DataFrame, seen: Any, process: Any, period: Any) -> list[str]:
    """
    Line of truth of an appraisal page: also the period and the rules it judges by.
    """
    return [
        *answers.truth(ledger, seen=seen),
        _("Period: {period}").format(period=months(period)),
        _("Rules: {name}").format(name=words.text(process.name)),
    ]


def change(difference: float) -> str:
    """Say how a score changed."""
    if pd.isna(difference):
        return ""
    mark = "▲" if difference > 0 else "▼" if difference < 0 else "="
    return _("{mark} {n} against the period before").format(
        mark=mark, n=numbers.decimal(abs(difference), digits=1)
    )


def tone(difference: float) -> str:
    """Say whether a change is good."""
    return (
        "neutral" if pd.isna(difference) or difference == 0 else "good" if difference > 0 else "bad"
    )


def lower(text: str) -> str:
    """Begin a name with a small letter within a sentence, unless it is an abbreviation."""
    return text[:1].lower() + text[1:] if text[1:2].islower() else text


def kpi_columns(seen: Any, process: Any, period: Any) -> list[Column]:
    """Columns of a KPI: value, interval, evidence, anchors, points, weight, what it adds."""
    names = kpi_names(process, period)
    currency = seen.source["currency"]
    return [
        Column(_("KPI"), "text", lambda row: names[row.kpi]),
        Column(label("value"), "number", lambda row: value_text(row.form, row.value, currency)),
        Column(
            label("interval"),
            "number",
            lambda row: range_text(row.form, row.low, row.high, currency),
        ),
        Column(_("Evidence"), "number", evidence_text),
        Column(_("Floor"), "number", lambda row: value_text(row.form, row.floor, currency)),
        Column(_("Target"), "number", lambda row: value_text(row.form, row.target, currency)),
        Column(_("Points"), "number", judged_text),
        Column(_("Weight"), "number", lambda row: numbers.percent(row.weight)),
        Column(_("Adds to the score"), "number", lambda row: one(row.shown)),
    ]


def note_of_evidence() -> str:
    """What a table of KPIs asks to know."""
    return _(
        "Points = 100 × (value − floor) / (target − floor), from 0 to the cap. The weight of a KPI that cannot be "
        "judged goes to the judged ones in proportion; what the judged KPIs add sums to the score. The value is what "
        "happened; its interval says how far luck carries in a period like this, and is wide where a few deals decide."
    )


def rules(*, seen: Any, process: Any, period: Any) -> Html:
    """
    Show the KPIs in force: for whom, what is measured, anchors, weight, evidence needed, since when.
    """
    what = _("KPIs in force, {period}").format(period=months(period))
    found = process.on(period.first)
    if not found.kpis:
        return tables.missing(
            what, seen=seen, reason=_("No KPI of the process file is in force on the first day.")
        )
    least = found.scorecard.evidence if found.scorecard else {}
    return html.table(
        caption=what,
        columns=[
            (_("KPI"), "text"),
            (label("kind"), "text"),
            (_("For"), "text"),
            (_("Measured"), "text"),
            (_("Floor"), "number"),
            (_("Target"), "number"),
            (_("Weight"), "number"),
            (_("Least evidence"), "number"),
            (_("Since"), "text"),
        ],
        rows=[
            [
                words.text(kpi.name),
                kind(kpi.kind),
                words.value(kpi.role) + ("" if kpi.ramp == "any" else f" ({ramp(kpi.ramp)})"),
                measure(kpi),
                value_text(form(kpi.measure), kpi.floor, seen.source["currency"]),
                value_text(form(kpi.measure), kpi.target, seen.source["currency"]),
                numbers.percent(kpi.weight),
                numbers.count(least[kpi.id]) if kpi.id in least else _("default"),
                numbers.date(kpi.begins),
            ]
            for kpi in found.kpis
        ],
        note=_("Goal of the period: {goal} Target customers: {segments}.").format(
            goal=words.text(process.goal).rstrip(".。") + ".",
            segments=", ".join(process.segments) or _("not named"),
        ),
    )


def impossible(kpis: pd.DataFrame, reasons: pd.DataFrame, *, process: Any, period: Any) -> Html:
    """
    Say which KPIs the source cannot give, and why.

    Parameters
    ----------
    kpis : as ``scorecards.appraise`` or ``kpi_audit.audit`` gives; only the KPIs of their roles are shown
    reasons : as ``scorecards.impossible`` gives: ``kpi``, ``reason``
    """
    if reasons.empty:
        return html.stack()
    names = kpi_names(process, period)
    held = set(kpis["role"]) if len(kpis) else {kpi.role for kpi in process.on(period.first).kpis}
    rules = [kpi for kpi in process.on(period.first).kpis if kpi.role in held]
    weights = {
        row.kpi: [r.weight for r in rules if r.id == row.kpi] for row in reasons.itertuples()
    }
    rows = [
        [
            names[row.kpi],
            ", ".join(numbers.percent(weight) for weight in sorted(set(weights[row.kpi]))),
            words.value(row.reason),
        ]
        for row in reasons.itertuples()
        if weights[row.kpi]
    ]
    if not rows:
        return html.stack()
    return html.table(
        caption=_("KPIs that this source cannot give"),
        columns=[(_("KPI"), "text"), (_("Weight"), "number"), (_("Why"), "text")],
        rows=rows,
        note=_("They are not judged; nobody gets zero points for them."),
    )


def criteria(table: pd.DataFrame, *, seen: Any, process: Any, period: Any) -> Html:
    """
    Show whom the written criteria lead to training, coaching or a promotion review, with the evidence.
    """
    what = _("Written criteria, {period}").format(period=months(period))
    if table.empty:
        return tables.missing(
            what, seen=seen, reason=_("The process file has no criterion in force.")
        )
    rules = {rule.id: rule for rule in process.on(period.first).development}
    met = table[table["is_met"].astype(bool)]
    summary = [
        [
            words.text(rules[rule].name),
            leads_to(rules[rule].leads_to),
            criterion(rows.iloc[0], process, seen),
            numbers.of(int(rows["is_met"].sum()), len(rows)),
        ]
        for rule, rows in table.groupby("rule", sort=False)
    ]
    blocks = [
        html.table(
            caption=what,
            columns=[
                (_("Criterion"), "text"),
                (_("Leads to"), "text"),
                (_("Met when"), "text"),
                (_("Met by"), "number"),
            ],
            rows=summary,
            note=_(
                "Criteria fixed before the period; how many people meet one follows from the facts, never from a "
                "quota. A period that cannot be judged does not count. The suite suggests, a person decides."
            ),
        )
    ]
    if len(met):
        blocks.append(
            html.table(
                caption=_("Who meets which criterion"),
                columns=[
                    (label("rep"), "text"),
                    (label("team"), "text"),
                    (_("Leads to"), "text"),
                    (_("Evidence, oldest first"), "text"),
                ],
                rows=[
                    [
                        rep_name(row.name, row.person),
                        words.person_or_team(row.team),
                        words.text(rules[row.rule].name),
                        _evidence_of(row, process, seen),
                    ]
                    for row in met.itertuples()
                ],
            )
        )
    return html.stack(*blocks)


def criterion(row: Any, process: Any, seen: Any) -> str:
    """Say a written criterion in words."""
    below = pd.notna(row.below)
    if below:
        text = words.translate_n(
            "{what} below {value} in the period",
            "{what} below {value} in {n} periods in a row",
            row.periods,
        )
    else:
        text = words.translate_n(
            "{what} at least {value} in the period",
            "{what} at least {value} in {n} periods in a row",
            row.periods,
        )
    what, show = _of_criterion(row.of, process, seen)
    value = show(row.below if below else row.at_least)
    return text.format(what=what, value=value, n=numbers.count(row.periods))


def _evidence_of(row: Any, process: Any, seen: Any) -> str:
    what, show = _of_criterion(row.of, process, seen)
    return f"{what}: {', '.join(show(value) for value in row.values)}"


def _of_criterion(of: str, process: Any, seen: Any) -> tuple[str, Callable[[float], str]]:
    """What a criterion is about, and how its values are written."""
    if of == "score":
        return _("the score"), one
    rule = [kpi for kpi in process.kpis if kpi.id == of][-1]
    return words.text(rule.name), lambda value: value_text(
        form(rule.measure), value, seen.source["currency"]
    )


def sign_off(*, seen: Any, process: Any, period: Any, until: datetime.date | None) -> Html:
    """
    End an appraisal with the reviewer's line and the way to object.
    """
    card = process.on(period.first).scorecard
    if card is None:
        return html.stack()
    rows = [
        [_("Reviewer"), words.text(card.reviewer), _("Date and signature: ______________________")],
        [
            _("Person"),
            _("Has read and discussed it"),
            _("Date and signature: ______________________"),
        ],
        [
            _("Agreed step"),
            _("What, by when"),
            "____________________________________________",
        ],
        [
            _("Objection"),
            words.text(card.objection),
            _("until {date}").format(date=numbers.date(until)),
        ],
    ]
    return html.table(
        caption=_("Review"),
        columns=[(_("Who"), "text"), (_("What"), "text"), (_("When"), "text")],
        rows=rows,
        note=_(
            "These figures suggest; a person decides, having heard the one concerned. A score alone is no ground for "
            "pay, transfer or dismissal. Errors in the data are corrected on request."
        ),
    )


def measure_cards() -> Html:
    """
    Define the measures of the scorecard.
    """
    return answers.measure_cards("scorecard")


def nobody(rows: pd.DataFrame) -> str:
    """Why a table of scores or KPIs has nothing to show."""
    if rows.empty:
        return _("No KPI of the process file is in force for anybody who was there.")
    return _("Nobody's score can be judged: the evidence covers too little of the weight.")
