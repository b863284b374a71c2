"""
The scorecard page of a team, side by side for its manager, or of everybody.

Everything a reader may contest is shown: value, evidence, interval, anchors, weight, and what each KPI adds to the
score. Ranks are intervals. The arguments ``seen``, ``process`` and ``period`` are those of the metrics.
"""

from typing import Any

import numpy as np
import pandas as pd
from matplotlib import rc_context
from matplotlib.axes import Axes

from . import charts, html, numbers, tables, words
from .figures import MOST_ROWS, source
from .html import Html
from .kpis import (
    card,
    change,
    criterion,
    kpi_columns,
    kpi_names,
    lower,
    months,
    nobody,
    note_of_evidence,
    one,
    opening,
    people,
    points_cell,
    points_range,
    ramp,
    score_cell,
    tone,
)
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
            card(_("People"), numbers.count(len(scores))),
            card(_("Can be judged"), numbers.count(0)),
            card(_("KPIs judged"), _of_kpis(kpis)),
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
        message += _("; most is lost on {kpi}").format(kpi=lower(names[top]))
    cards = [
        card(
            _("Can be judged"),
            _("{k} of {n}").format(k=numbers.count(len(judged)), n=numbers.count(len(scores))),
            comparison=_("by evidence fixed before the period"),
        ),
        card(
            _("Median score"),
            numbers.count(round(median)),
            _("half of them from {low} to {high}").format(
                low=numbers.count(round(judged["score"].quantile(0.25))),
                high=numbers.count(round(judged["score"].quantile(0.75))),
            ),
            "" if pd.isna(past) else change(median - past),
            tone=tone(median - past),
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
                        n=people(len(those)), criterion=criterion(those.iloc[0], process, seen)
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
        return tables.missing(_("Scores"), seen=seen, reason=reason or nobody(scores))
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
        return tables.missing(what, seen=seen, reason=reason or nobody(scores))
    columns = [
        Column(label("rep"), "text", lambda row: rep_name(row.name, row.person)),
        Column(label("team"), "text", lambda row: words.person_or_team(row.team)),
        Column(_("Role"), "text", lambda row: words.value(row.role)),
        Column(_("Ramp"), "text", lambda row: ramp(row.ramp)),
        Column(_("KPIs judged"), "number", lambda row: numbers.of(row.n_judged, row.n_kpis)),
        Column(_("Weight judged"), "number", lambda row: numbers.percent(row.judged_weight)),
        Column(_("Score"), "number", score_cell),
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
        return tables.missing(what, seen=seen, reason=nobody(kpis))
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
                        *(points_cell(wide.loc[row.person, kpi]) for kpi in order),
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
        return tables.missing(what, seen=seen, reason=nobody(kpis))
    columns = [
        Column(label("rep"), "text", lambda row: rep_name(row.name, row.person)),
        *kpi_columns(seen, process, period),
    ]
    return tables.show(kpis, columns, what, seen, note_of_evidence())


def trend(history: pd.DataFrame, *, seen: Any, people_of: pd.DataFrame | None = None) -> Html:
    """
    Show the scores of the periods before, each judged by the rules then in force.
    """
    what = _("Scores by period")
    if people_of is not None and len(history):
        history = history[history["person"].isin(people_of["person"])]
    if history.empty or history["score"].isna().all():
        return tables.missing(what, seen=seen, reason=nobody(history))
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
                *(points_cell(row[period]) for period in periods),
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
        return tables.missing(what, seen=seen, reason=reason if has_kpis else nobody(scores))
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
                score_cell(row),
                *(points_cell(wide.loc[row.team, kpi]) for kpi in order),
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
    return card(
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
    return card(
        _("Order depends on the weights"),
        numbers.of(int(fragile.sum()), len(pairs)),
        comparison=_("neighbours; ranks are shown as intervals"),
    )


def _criteria_cards(criteria: pd.DataFrame) -> list[dict]:
    if criteria.empty:
        return []
    met = criteria[criteria["is_met"].astype(bool)]
    return [
        card(
            _("Written criteria met"),
            numbers.count(len(met)),
            comparison=_("training, coaching or promotion review"),
        )
    ]


def _more(table: pd.DataFrame) -> str:
    if len(table) <= MOST_ROWS:
        return ""
    return _("; the first {most} of {n} rows, all in the data").format(
        most=numbers.count(MOST_ROWS), n=numbers.count(len(table))
    )
