"""
The scorecard pages: of a team, side by side for its manager, and of one person, with an anonymous band of peers.

Everything a reader may contest is shown: value, evidence, interval, anchors, weight, and what each KPI adds to the
score. Ranks are intervals. The arguments ``seen``, ``process`` and ``period`` are those of the metrics; ``process``
gives names and texts.
"""

import datetime
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.patches import Patch

from . import answers, charts, html, numbers, tables, words
from .figures import MOST_ROWS, source
from .html import Html
from .tables import Column, rep_name
from .words import _, label

CLEAR = 0.9  # share of draws above which an order of two is called clear
FEW = (0.2, 0.8)  # share of weightings between which an order depends on the weights


def answer(
    scores: pd.DataFrame,
    *,
    kpis: pd.DataFrame,
    before: pd.DataFrame,
    criteria: pd.DataFrame,
    ledger: pd.DataFrame,
    seen: Any,
    process: Any,
    period: Any,
    team: str = "",
) -> Html:
    """
    Answer how the people of a team, or of all teams, do against the criteria, and what holds them back most.

    Parameters
    ----------
    scores, kpis : as ``scorecards.appraise`` gives
    before : the scores of the period before, as ``scorecards.history`` gives; may be empty
    criteria : as ``scorecards.development`` gives
    ledger : as ``quality.ledger`` gives
    seen, process, period, team : as the metrics took them
    """
    names = kpi_names(process, period)
    judged = scores[scores["is_judged"].astype(bool)] if len(scores) else scores
    who = team or _("all teams")
    if judged.empty:
        message = _("Nobody of {who} can be judged in {period}: {why}").format(
            who=who, period=months(period), why=_why_nobody(scores, process, period)
        )
        cards = [
            _card(_("People"), numbers.count(len(scores))),
            _card(_("Can be judged"), numbers.count(0)),
            _card(_("KPIs judged"), _of_kpis(kpis)),
        ]
        return html.answer(
            message=message, truth=opening(ledger, seen, process, period), cards=cards
        )
    median = judged["score"].median()
    gains = kpis[kpis["gain"].notna()].groupby("kpi")["gain"].sum()
    top = gains.idxmax() if len(gains) and gains.max() > 0 else None
    message = _(
        "{n} of {who} can be judged in {period}; the median score is {score} of 100"
    ).format(
        n=people(len(judged)), who=who, period=months(period), score=numbers.count(round(median))
    )
    past = before["score"].median() if len(before) else np.nan
    if pd.notna(past):
        message += _(", after {past} in the period before").format(past=numbers.count(round(past)))
    if top is not None:
        message += _("; most is lost on {kpi}").format(kpi=_lower(names[top]))
    cards = [
        _card(
            _("Can be judged"),
            _("{k} of {n}").format(k=numbers.count(len(judged)), n=numbers.count(len(scores))),
            comparison=_("by evidence fixed before the period"),
        ),
        _card(
            _("Median score"),
            numbers.count(round(median)),
            _("half of them from {low} to {high}").format(
                low=numbers.count(round(judged["score"].quantile(0.25))),
                high=numbers.count(round(judged["score"].quantile(0.75))),
            ),
            "" if pd.isna(past) else _change(median - past),
            tone=_tone(median - past),
        ),
        _attainment_card(kpis),
        _order_card(judged),
        *_criteria_cards(criteria),
    ]
    cards = [card for card in cards if card]
    return html.answer(
        message=message, truth=opening(ledger, seen, process, period), cards=cards[:6]
    )


def to_do(
    kpis: pd.DataFrame, *, criteria: pd.DataFrame, seen: Any, process: Any, period: Any
) -> Html:
    """
    Say the steps worth most: the improvement step of the KPIs on which most points are lost, and the criteria met.

    Each has an owner and a day: two weeks after the as-of day.
    """
    rules = process.on(period.first)
    by = pd.Timestamp(seen.as_of) + pd.Timedelta(days=14)
    names = kpi_names(process, period)
    rows = []
    known = kpis[kpis["gain"].notna()] if len(kpis) else kpis
    if len(known):
        gains = known.groupby(["role", "kpi"])["gain"].agg(["sum", "mean"])
        for (role, kpi), gain in gains[gains["sum"] > 0].nlargest(2, "sum").iterrows():
            rule = next(rule for rule in rules.kpis if (rule.role, rule.id) == (role, kpi))
            part = known[(known["role"] == role) & (known["kpi"] == kpi)]
            short = part[part["points"] < 50]
            rows.append(
                [
                    words.text(rule.improve),
                    _(
                        "{kpi}: {n} people are below half of the way to target; it costs {gain} points a person"
                    ).format(
                        kpi=names[kpi],
                        n=numbers.of(len(short), len(part)),
                        gain=numbers.decimal(gain["mean"], digits=1),
                    ),
                    words.value(role),
                    numbers.date(by),
                ]
            )
    met = criteria[criteria["is_met"].astype(bool)] if len(criteria) else criteria
    for rule in rules.development:
        those = met[met["rule"] == rule.id] if len(met) else met
        if len(those):
            rows.append(
                [
                    _("Talk about: {what}").format(what=words.text(rule.name)),
                    _("criterion met by {n}: {criterion}").format(
                        n=people(len(those)), criterion=_criterion(those.iloc[0], process, seen)
                    ),
                    words.text(rules.scorecard.reviewer),
                    numbers.date(by),
                ]
            )
    if not rows:
        return html.paragraphs(
            _("No step stands out: no judged KPI is short of its target, no criterion is met.")
        )
    return html.table(
        caption=_("What to do"),
        columns=[
            (_("Step"), "text"),
            (_("Why"), "text"),
            (_("Who"), "text"),
            (_("By"), "text"),
        ],
        rows=rows,
    )


def score_intervals(
    scores: pd.DataFrame, *, seen: Any, period: Any, reason: str | None = None
) -> Html:
    """
    Show each person's score with its 95 % interval and the rank interval; nobody gets a single rank.
    """
    judged = scores[scores["is_judged"].astype(bool)] if len(scores) else scores
    if judged.empty:
        return tables.missing(_("Scores"), seen=seen, reason=reason or _nobody(scores))
    groups = [rows for _key, rows in judged.groupby(["role", "ramp"], sort=False)]
    groups = sorted(groups, key=len, reverse=True)
    whole = score_table(scores, seen=seen, period=period)
    return html.stack(
        *(
            _score_figure(
                rows,
                number,
                group=_group(rows.iloc[0]) if len(groups) > 1 else "",
                seen=seen,
                period=period,
                data=whole if number == len(groups) else None,
            )
            for number, rows in enumerate(groups, 1)
        )
    )


def _score_figure(
    judged: pd.DataFrame, number: int, *, group: str, seen: Any, period: Any, data: Html | None
) -> Html:
    """Scores of people in the same role and ramp state, who alone are compared."""
    shown = judged.head(MOST_ROWS).reset_index(drop=True)
    pairs = judged["above_next_share"].dropna()
    headline = _("One score, with the range the evidence leaves")
    if len(pairs):
        headline = words.translate_n(
            "The order of {clear} of {n} pair of neighbours is clear; read the ranges, not the places",
            "The order of {clear} of {n} pairs of neighbours is clear; read the ranges, not the places",
            len(pairs),
        ).format(
            clear=numbers.count((pairs >= CLEAR).sum()),
            n=numbers.count(len(pairs)),
        )
    subtitle = _(
        "Score (0: all at the floor, 100: all at the target) with its 95 % interval; at the right the 90 % interval "
        "of the rank among those of the same role and ramp state; {period}"
    ).format(period=months(period))
    ranks = [
        _("{name} {score} (rank {rank} of {n})").format(
            name=rep_name(row.name, row.person),
            score=numbers.count(round(row.score)),
            rank=_rank(row),
            n=numbers.count(row.n_ranked),
        )
        for row in shown.head(8).itertuples()
    ]
    return html.figure(
        _intervals(shown),
        name=f"score-intervals-{number}",
        headline=f"{group}: {headline}" if group else headline,
        subtitle=subtitle + _more(judged),
        alt=_("Points with ranges: {rows}{more}.").format(
            rows=", ".join(ranks), more="" if len(shown) <= 8 else _(" and others")
        ),
        source=source(seen),
        data=data,
    )


def _rank(row: Any) -> str:
    """Interval of a rank; one who is alone has none."""
    return (
        numbers.count_range(row.rank_low, row.rank_high) if row.n_ranked > 1 else numbers.missing()
    )


def _group(row: Any) -> str:
    return f"{words.value(row['role'])}, {ramp(row['ramp'])}"


@rc_context(charts.STYLE)
def _intervals(table: pd.DataFrame, ax: Axes | None = None) -> Axes:
    ax = charts.rows_of(
        ax,
        [charts.short(rep_name(row.name, row.person)) for row in table.itertuples()],
        row_height=0.21,
    )
    charts.whiskers(ax, table, "score", colour=charts.ROLES["measure"])
    ax.plot(
        table["score"], charts.positions(table), "o", color=charts.ROLES["measure"], markersize=5
    )
    charts.note_rows(ax, [_rank(row) for row in table.itertuples()])
    ax.set_xlim(0, max(100, table["score_high"].max()))
    ax.set_xlabel(_("Score"))
    return ax


def score_table(scores: pd.DataFrame, *, seen: Any, period: Any, reason: str | None = None) -> Html:
    """
    Show scores, their intervals, ranks as intervals, and what the order rests on.
    """
    what = _("Scores, {period}").format(period=months(period))
    if scores.empty:
        return tables.missing(what, seen=seen, reason=reason or _nobody(scores))
    columns = [
        Column(label("rep"), "text", lambda row: rep_name(row.name, row.person)),
        Column(label("team"), "text", lambda row: words.person_or_team(row.team)),
        Column(_("Role"), "text", lambda row: words.value(row.role)),
        Column(_("Ramp"), "text", lambda row: ramp(row.ramp)),
        Column(_("KPIs judged"), "number", lambda row: numbers.of(row.n_judged, row.n_kpis)),
        Column(_("Weight judged"), "number", lambda row: numbers.percent(row.judged_weight)),
        Column(_("Score"), "number", _score_cell),
        Column(
            label("interval"), "number", lambda row: points_range(row.score_low, row.score_high)
        ),
        Column(label("rank"), "number", _rank),
        Column(
            _("Above the next: probability"),
            "number",
            lambda row: numbers.percent(row.above_next_share),
        ),
        Column(
            _("Above the next: of all weightings"),
            "number",
            lambda row: numbers.percent(row.weights_share),
        ),
        Column(_("Arithmetic"), "number", lambda row: one(row.arithmetic)),
        Column(_("Geometric"), "number", lambda row: one(row.geometric)),
    ]
    note = _(
        "The score compares with criteria fixed before the period, not with colleagues. Of all weightings: the share "
        "of all possible weights of the KPIs under which the person stays above the next one; between 20 and 80 % the "
        "order depends on the weights. It counts the KPIs that both are judged on: far below 50 %, the order comes from "
        "KPIs that only one of the two is judged on, or from the weights alone. An arithmetic score far above the geometric one: strengths make up for a "
        "weakness."
    )
    return tables.show(scores, columns, what, seen, note)


def matrix(kpis: pd.DataFrame, *, seen: Any, process: Any, period: Any) -> Html:
    """
    Show the points of each KPI of all people side by side.
    """
    what = _("Points by KPI, {period}").format(period=months(period))
    if kpis.empty:
        return tables.missing(what, seen=seen, reason=_nobody(kpis))
    names = kpi_names(process, period)
    blocks = []
    for role, rows in kpis.groupby("role", sort=False):
        order = rows["kpi"].drop_duplicates().tolist()
        weights = rows.drop_duplicates("kpi").set_index("kpi")["weight"]
        wide = rows.pivot(index="person", columns="kpi", values="points")
        who = rows.drop_duplicates("person").sort_values(["team", "name"], kind="stable")
        blocks.append(
            html.table(
                caption=_("{what}: {role}").format(what=what, role=words.value(role)),
                columns=[
                    (label("rep"), "text"),
                    (label("team"), "text"),
                    *(
                        (f"{names[kpi]} ({numbers.percent(weights[kpi])})", "number")
                        for kpi in order
                    ),
                ],
                rows=[
                    [
                        rep_name(row.name, row.person),
                        words.person_or_team(row.team),
                        *(_points_cell(wide.loc[row.person, kpi]) for kpi in order),
                    ]
                    for row in who.itertuples()
                ],
                note=_(
                    "0 points at the floor, 100 at the target; weight in brackets; “–” cannot be judged: too little "
                    "evidence, or the source does not have it."
                ),
            )
        )
    return html.stack(*blocks)


def evidence(kpis: pd.DataFrame, *, seen: Any, process: Any, period: Any) -> Html:
    """
    Show every KPI of every person with value, evidence, interval, anchors, points, weight and contribution.
    """
    what = _("Every KPI with its evidence, {period}").format(period=months(period))
    if kpis.empty:
        return tables.missing(what, seen=seen, reason=_nobody(kpis))
    columns = [
        Column(label("rep"), "text", lambda row: rep_name(row.name, row.person)),
        *_kpi_columns(seen, process, period),
    ]
    return tables.show(kpis, columns, what, seen, _note_of_evidence())


def _kpi_columns(seen: Any, process: Any, period: Any) -> list[Column]:
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


def _note_of_evidence() -> str:
    return _(
        "Points = 100 × (value − floor) / (target − floor), from 0 to the cap. The weight of a KPI that cannot be "
        "judged goes to the judged ones in proportion; what the judged KPIs add sums to the score."
    )


def trend(history: pd.DataFrame, *, seen: Any, people_of: pd.DataFrame | None = None) -> Html:
    """
    Show the scores of the periods before, each judged by the rules then in force.
    """
    what = _("Scores by period")
    if people_of is not None and len(history):
        history = history[history["person"].isin(people_of["person"])]
    if history.empty or history["score"].isna().all():
        return tables.missing(what, seen=seen, reason=_nobody(history))
    periods = history.drop_duplicates("period").sort_values("first")["period"].tolist()
    wide = history.pivot(index="person", columns="period", values="score")
    wide = wide.reindex(columns=periods)
    who = history.sort_values("first").drop_duplicates("person", keep="last").set_index("person")
    return html.table(
        caption=_("{what}, as of {date}").format(what=what, date=numbers.date(seen.as_of)),
        columns=[(label("rep"), "text"), *((period, "number") for period in periods)],
        rows=[
            [
                rep_name(who.loc[person, "name"], person),
                *(_points_cell(row[period]) for period in periods),
            ]
            for person, row in wide.sort_index().iterrows()
        ],
        note=_(
            "“–”: cannot be judged, or not there. Facts as known today, rules as in force on the first day of each "
            "period. Changes smaller than the interval of a score say nothing."
        ),
    )


def team_scores(
    scores: pd.DataFrame, *, kpis: pd.DataFrame, seen: Any, process: Any, period: Any
) -> Html:
    """
    Show each team as one: its score, and the points of each KPI on the evidence of all its members.
    """
    what = _("Teams, {period}").format(period=months(period))
    if scores.empty:
        reason = _("The source does not say who is in which team.")
        has_kpis = any(kpi.role == process.default_role for kpi in process.on(period.first).kpis)
        return tables.missing(what, seen=seen, reason=reason if has_kpis else _nobody(scores))
    names = kpi_names(process, period)
    order = kpis["kpi"].drop_duplicates().tolist()
    wide = kpis.pivot(index="team", columns="kpi", values="points")
    return html.table(
        caption=_("{what}, as of {date}").format(what=what, date=numbers.date(seen.as_of)),
        columns=[
            (label("team"), "text"),
            (_("People"), "number"),
            (_("Score"), "number"),
            *((names[kpi], "number") for kpi in order),
        ],
        rows=[
            [
                words.person_or_team(row.team),
                numbers.count(row.n_members),
                _score_cell(row),
                *(_points_cell(wide.loc[row.team, kpi]) for kpi in order),
            ]
            for row in scores.itertuples()
        ],
        note=_(
            "A team is judged on all its members' evidence together, by the anchors of one person."
        ),
    )


def targets(attainment: pd.DataFrame, *, seen: Any, period: Any, reason: str | None) -> Html:
    """
    Show amounts beside quotas: who won most need not be who reached the target; managers with their teams.
    """
    what = _("Amounts and targets, {period}").format(period=months(period))
    known = attainment[attainment["prorated_quota"] > 0] if len(attainment) else attainment
    if known.empty:
        reason = reason or _("No quota of a person lies in this period.")
        return tables.missing(what, seen=seen, reason=reason)
    columns = [
        Column(label("rep"), "text", lambda row: rep_name(row.name, row.person)),
        Column(label("team"), "text", lambda row: words.person_or_team(row.team)),
        Column(_("Role"), "text", lambda row: words.value(row.role)),
        *tables.amount_columns(seen, "credited_amount", "prorated_quota"),
        Column(
            label("attainment"), "number", lambda row: numbers.percent(row.attainment, digits=1)
        ),
        Column(_("People below"), "number", lambda row: numbers.count(row.n_reports)),
        Column(
            _("With all below"),
            "number",
            lambda row: numbers.percent(row.with_reports_attainment, digits=1),
        ),
    ]
    note = _(
        "Credited amount against the prorated quota of the person. A manager's quota may include the team's: then the "
        "own amount says nothing, and the last column (own amount and that of everybody below) is the one to read."
    )
    return html.stack(
        html.paragraphs(*_target_messages(attainment, seen)),
        tables.show(known, columns, what, seen, note),
    )


def _target_messages(attainment: pd.DataFrame, seen: Any) -> list[str]:
    currency = seen.source["currency"]
    sellers = attainment[(attainment["n_reports"] == 0) & (attainment["prorated_quota"] > 0)]
    messages = []
    if len(sellers) > 1:
        top, best = sellers.iloc[0], sellers.loc[sellers["attainment"].idxmax()]
        text = _("{name} won the largest amount, {amount}: {attainment} of the quota")
        if top["person"] != best["person"]:
            text += _(
                "; the highest attainment, {best_attainment}, is {best}'s, with {best_amount}"
            )
        messages.append(
            (text + ".").format(
                name=rep_name(top["name"], top["person"]),
                amount=numbers.money(top["credited_amount"], currency),
                attainment=numbers.percent(top["attainment"], digits=1),
                best=rep_name(best["name"], best["person"]),
                best_attainment=numbers.percent(best["attainment"], digits=1),
                best_amount=numbers.money(best["credited_amount"], currency),
            )
        )
    managers = attainment[(attainment["n_reports"] > 0) & (attainment["prorated_quota"] > 0)]
    apart = managers[managers["attainment"] < 0.5 * managers["with_reports_attainment"]]
    if len(apart):
        messages.append(
            words.translate_n(
                "The target of {n} manager ({names}) stands beside little of the own: it includes the team's, so it "
                "is not compared with reps.",
                "The targets of {n} managers ({names}) stand beside little of their own: they include their teams', "
                "so they are not compared with reps.",
                len(apart),
            ).format(
                n=numbers.count(len(apart)),
                names=", ".join(rep_name(row.name, row.person) for row in apart.itertuples()),
            )
        )
    return messages


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
            _criterion(rows.iloc[0], process, seen),
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


def rep_answer(
    own: pd.DataFrame,
    *,
    score: pd.DataFrame,
    before: pd.DataFrame,
    ledger: pd.DataFrame,
    seen: Any,
    process: Any,
    period: Any,
) -> Html:
    """
    Answer one person: the score against the criteria, what carries it, what holds it back.

    Parameters
    ----------
    own : the person's rows, as ``scorecards.peers`` gives
    score : the person's row of the scores; may be empty
    before : the person's scores of earlier periods
    ledger, seen, process, period : as for `answer`
    """
    names = kpi_names(process, period)
    truth = opening(ledger, seen, process, period)
    judged = own[own["is_judged"].astype(bool)] if len(own) else own
    if score.empty:
        return html.answer(
            message=_("No KPI is in force for this person in {period}").format(
                period=months(period)
            ),
            truth=truth,
            cards=[
                _card(_("Score"), numbers.missing()),
                _card(_("KPIs judged"), numbers.count(0)),
                _card(_("Weight judged"), numbers.missing()),
            ],
        )
    row = score.iloc[0]
    name = rep_name(row["name"], row["person"])
    kpi_card = _card(
        _("KPIs judged"),
        _("{k} of {n}").format(k=numbers.count(row["n_judged"]), n=numbers.count(row["n_kpis"])),
        comparison=_("{share} of the weight").format(share=numbers.percent(row["judged_weight"])),
    )
    best = judged.loc[judged["points"].idxmax()] if len(judged) else None
    gap = judged.loc[judged["gain"].idxmax()] if judged["gain"].notna().any() else None
    cards = [_card(_("Score"), _score_cell(row), _score_range(row)), kpi_card]
    if not bool(row["is_judged"]):
        message = _(
            "{name}: the score cannot be judged in {period}, since the evidence covers {share} of the weight"
        ).format(name=name, period=months(period), share=numbers.percent(row["judged_weight"]))
    else:
        message = _("{name}: {score} of 100 in {period}").format(
            name=name, period=months(period), score=one(row["score"])
        )
        if likely := _score_range(row):
            message += f", {likely}"
        if gap is not None and gap["gain"] > 0:
            message += _("; {kpi} at its target would add {gain}").format(
                kpi=_lower(names[gap["kpi"]]), gain=numbers.decimal(gap["gain"], digits=1)
            )
    past = before["score"].dropna()
    if len(past) and bool(row["is_judged"]):
        cards.append(
            _card(
                _("Period before"),
                numbers.decimal(past.iloc[-1], digits=1),
                comparison=_change(row["score"] - past.iloc[-1]),
                tone=_tone(row["score"] - past.iloc[-1]),
            )
        )
    if best is not None:
        cards.append(
            _card(_("Strength"), _points_cell(best["points"]), comparison=names[best["kpi"]])
        )
    if gap is not None and gap["gain"] > 0:
        cards.append(_card(_("Gap"), _points_cell(gap["points"]), comparison=names[gap["kpi"]]))
    if len(cards) < 3:
        cards.append(_card(_("Days present"), numbers.count(row["days"])))
    return html.answer(message=message, truth=truth, cards=cards[:6])


def rep_points(own: pd.DataFrame, *, seen: Any, process: Any, period: Any) -> Html:
    """
    Show one person's KPIs on the way from floor to target, with an anonymous band of the peers.
    """
    judged = own[own["is_judged"].astype(bool)] if len(own) else own
    if judged.empty:
        return tables.missing(
            _("KPIs"), seen=seen, reason=_("No KPI has enough evidence to be judged.")
        )
    names = kpi_names(process, period)
    top = judged[judged["points"] >= 100]
    return html.figure(
        _bullets(own, names),
        name="own-points",
        headline=_("{k} of {n} judged KPIs are at their target").format(
            k=numbers.count(len(top)), n=numbers.count(len(judged))
        ),
        subtitle=_(
            "Way from the floor (0) to the target (100); bar: own value, thin line: its 95 % interval, grey: the "
            "middle half of the peers where five or more can be shown; {period}"
        ).format(period=months(period)),
        alt=_("Bars: {rows}.").format(
            rows=", ".join(
                f"{names[row.kpi]} {_points_cell(row.points)}" for row in own.itertuples()
            )
        ),
        source=source(seen),
        data=rep_table(own, seen=seen, process=process, period=period),
    )


@rc_context(charts.STYLE)
def _bullets(own: pd.DataFrame, names: dict[str, str], ax: Axes | None = None) -> Axes:
    ax = charts.rows_of(
        ax, [charts.short(names[kpi]) for kpi in own["kpi"]], row_height=0.42, legend_rows=1
    )
    scale = own["target"] - own["floor"]
    for y, row in enumerate(own.itertuples()):
        low, high = ((x - row.floor) / scale.iloc[y] * 100 for x in (row.peer_low, row.peer_high))
        if np.isfinite([low, high]).all():
            low, high = np.clip(sorted((low, high)), 0, 120)
            ax.barh(y, high - low, left=low, height=0.7, color=charts.GREY, alpha=0.35)
        if not row.is_judged:
            continue
        ax.barh(y, row.points, height=0.3, color=charts.ROLES["measure"])
        limits = ((x - row.floor) / scale.iloc[y] * 100 for x in (row.low, row.high))
        limits = np.clip(sorted(limits), 0, 120)
        if np.isfinite(limits).all():
            ax.hlines(y, *limits, color=charts.ROLES["reference"], linewidth=1)
    ax.axvline(100, color=charts.ROLES["reference"], linewidth=2, label=_("Target"))
    charts.note_rows(ax, [one(row.points) for row in own.itertuples()])
    ax.set_xlim(0, 120)
    ax.set_xlabel(_("Points (0 floor, 100 target)"))
    handles, labels = ax.get_legend_handles_labels()
    ax.legend(
        [*handles, Patch(color=charts.GREY, alpha=0.35)],
        [*labels, _("Peers, middle half")],
        loc="lower left",
        bbox_to_anchor=(0, 1.0),
        ncols=2,
    )
    return ax


def rep_table(own: pd.DataFrame, *, seen: Any, process: Any, period: Any) -> Html:
    """
    Show one person's KPIs with evidence, anchors, points and what each adds; the sum is the score.
    """
    what = _("KPIs and what they add up to, {period}").format(period=months(period))
    if own.empty:
        return tables.missing(what, seen=seen, reason=_nobody(own))
    currency = seen.source["currency"]
    columns = [
        *_kpi_columns(seen, process, period),
        Column(
            _("Peers, middle half"),
            "number",
            lambda row: range_text(row.form, row.peer_low, row.peer_high, currency),
        ),
    ]
    total = own["shown"].sum(min_count=1)
    note = _note_of_evidence() + " " + _("Sum: {total}. Peers: others of the same role and ramp state; not shown for "
        "fewer than five.").format(total=one(total))  # fmt: skip
    return tables.show(own, columns, what, seen, note)


def levers(own: pd.DataFrame, *, seen: Any, process: Any, period: Any) -> Html:
    """
    Show what would move the score most, and the step the process file names for it.
    """
    what = _("What would move the score most")
    known = own[own["gain"].notna() & (own["gain"] > 0)] if len(own) else own
    if known.empty:
        return html.paragraphs(
            _("No judged KPI is short of its target, or the score cannot be judged.")
        )
    names = kpi_names(process, period)
    currency = seen.source["currency"]
    found = {kpi.id: kpi for kpi in process.on(period.first).kpis}
    rows = [
        [
            names[row.kpi],
            value_text(row.form, row.value, currency),
            value_text(row.form, row.target, currency),
            f"+{one(row.gain)}",
            words.text(found[row.kpi].improve),
        ]
        for row in known.nlargest(3, "gain").itertuples()
    ]
    return html.table(
        caption=what,
        columns=[
            (_("KPI"), "text"),
            (label("value"), "number"),
            (_("Target"), "number"),
            (_("Points of the score"), "number"),
            (_("Improvement step"), "text"),
        ],
        rows=rows,
        note=_("Points the score would rise if this KPI alone reached its target."),
    )


def rep_trend(history: pd.DataFrame, *, seen: Any, process: Any, period: Any) -> Html:
    """
    Show one person's points by KPI and period.

    Parameters
    ----------
    history : the person's KPI rows of several periods, as ``scorecards.history`` gives
    """
    what = _("Points by period")
    if history.empty:
        return tables.missing(what, seen=seen, reason=_nobody(history))
    names = kpi_names(process, period)
    periods = history.drop_duplicates("period").sort_values("first")["period"].tolist()
    wide = history.pivot_table(
        index="kpi", columns="period", values="points", aggfunc="first", dropna=False
    ).reindex(columns=periods)
    order = [kpi for kpi in names if kpi in wide.index]
    totals = history.groupby("period")["contribution"].sum(min_count=1).reindex(periods)
    rows = [[names[kpi], *(_points_cell(wide.loc[kpi, name]) for name in periods)] for kpi in order]
    rows.append([_("Score"), *(_points_cell(totals[name]) for name in periods)])
    return html.table(
        caption=_("{what}, as of {date}").format(what=what, date=numbers.date(seen.as_of)),
        columns=[(_("KPI"), "text"), *((name, "number") for name in periods)],
        rows=rows,
        note=_("Each period by the rules in force on its first day; “–” cannot be judged."),
    )


def context(given: pd.DataFrame, *, seen: Any, own: pd.DataFrame, person: str) -> Html:
    """
    Name causes outside the person's control: the mix of deals given, the time present, evidence that is missing.

    Parameters
    ----------
    given : as ``scorecards.given`` gives
    seen : what ``observe`` gives
    own : the person's rows, as ``scorecards.peers`` gives
    person : id
    """
    texts = []
    row = given[given["person"] == person] if len(given) else given
    if len(row):
        row = row.iloc[0]
        texts.append(
            _(
                "An average rep would win {expected} of the deals given here, against {overall} of all deals: {verdict}."
            ).format(
                expected=numbers.percent(row["expected_rate"], digits=1),
                overall=numbers.percent(row["overall_rate"], digits=1),
                verdict=_("a harder mix")
                if row["expected_rate"] < row["overall_rate"] * 0.95
                else _("an easier mix")
                if row["expected_rate"] > row["overall_rate"] * 1.05
                else _("about the usual mix"),
            )
        )
    if len(own):
        days = own["days"].iloc[0]
        texts.append(_("Present for {days} of the period.").format(days=numbers.days(days)))
        short = own[own["why"] == "too_little"]
        if len(short):
            texts.append(
                words.translate_n(
                    "{n} KPI has too little evidence and is left out, not counted as zero.",
                    "{n} KPIs have too little evidence and are left out, not counted as zero.",
                    len(short),
                ).format(n=numbers.count(len(short)))
            )
        team = own[own["whose"] == "team"]
        if len(team):
            texts.append(
                _("{share} of the weight is the team's result, which no one decides alone.").format(
                    share=numbers.percent(team["weight"].sum())
                )
            )
    return html.notice(title=_("Not in this person's hands"), text=texts) if texts else html.stack()


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


def _points_cell(points: float) -> str:
    return "–" if pd.isna(points) else numbers.count(round(points))


def _score_cell(row: Any) -> str:
    return _("cannot be judged") if pd.isna(row.score) else one(row.score)


def _score_range(row: Any) -> str:
    found = points_range(row["score_low"], row["score_high"])
    return "" if found == numbers.missing() else _("likely {range}").format(range=found)


def _card(label: str, value: str, range: str = "", comparison: str = "", tone: str = "neutral"):
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


def _change(difference: float) -> str:
    if pd.isna(difference):
        return ""
    mark = "▲" if difference > 0 else "▼" if difference < 0 else "="
    return _("{mark} {n} against the period before").format(
        mark=mark, n=numbers.decimal(abs(difference), digits=1)
    )


def _tone(difference: float) -> str:
    return (
        "neutral" if pd.isna(difference) or difference == 0 else "good" if difference > 0 else "bad"
    )


def _why_nobody(scores: pd.DataFrame, process: Any, period: Any) -> str:
    if len(scores):
        share = numbers.percent(scores["judged_weight"].max())
        return _("the evidence covers at most {share} of the weight").format(share=share)
    first = min((kpi.begins for kpi in process.kpis), default=period.first)
    if first > period.first:
        return _("the first KPI of the process file is in force from {date} on").format(
            date=numbers.date(first)
        )
    return _("no KPI is in force for anybody there")


def _nobody(rows: pd.DataFrame) -> str:
    """Why a table of scores or KPIs has nothing to show."""
    if rows.empty:
        return _("No KPI of the process file is in force for anybody who was there.")
    return _("Nobody's score can be judged: the evidence covers too little of the weight.")


def _of_kpis(kpis: pd.DataFrame) -> str:
    if kpis.empty:
        return numbers.missing()
    judged = kpis.groupby("kpi")["is_judged"].any()
    return _("{k} of {n}").format(k=numbers.count(judged.sum()), n=numbers.count(len(judged)))


def _attainment_card(kpis: pd.DataFrame) -> dict | None:
    own = kpis[(kpis["measure"] == "quota_attainment") & (kpis["whose"] == "own")]
    judged = own[own["is_judged"].astype(bool)]
    if judged.empty:
        return None
    return _card(
        _("Quotas reached"),
        _("{k} of {n}").format(
            k=numbers.count((judged["value"] >= 1).sum()), n=numbers.count(len(judged))
        ),
        comparison=_("median attainment {share}").format(
            share=numbers.percent(judged["value"].median())
        ),
    )


def _order_card(judged: pd.DataFrame) -> dict | None:
    pairs = judged[judged["weights_share"].notna()]
    if pairs.empty:
        return None
    fragile = pairs["weights_share"].between(*FEW)
    return _card(
        _("Order depends on the weights"),
        numbers.of(int(fragile.sum()), len(pairs)),
        comparison=_("neighbours; ranks are shown as intervals"),
    )


def _criteria_cards(criteria: pd.DataFrame) -> list[dict]:
    if criteria.empty:
        return []
    met = criteria[criteria["is_met"].astype(bool)]
    return [
        _card(
            _("Written criteria met"),
            numbers.count(len(met)),
            comparison=_("training, coaching or promotion review"),
        )
    ]


def _criterion(row: Any, process: Any, seen: Any) -> str:
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


def _lower(text: str) -> str:
    return text[:1].lower() + text[1:] if text[1:2].islower() else text


def _more(table: pd.DataFrame) -> str:
    if len(table) <= MOST_ROWS:
        return ""
    return _("; the first {most} of {n} rows, all in the data").format(
        most=numbers.count(MOST_ROWS), n=numbers.count(len(table))
    )
