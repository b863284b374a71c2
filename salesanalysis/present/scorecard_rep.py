"""
The scorecard page of one person: the own rows, and an anonymous band of peers.

The arguments ``seen``, ``process`` and ``period`` are those of the metrics.
"""

from typing import Any

import numpy as np
import pandas as pd
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.patches import Patch

from . import charts, html, numbers, tables, words
from .figures import source
from .html import Html
from .kpis import (
    card,
    change,
    kpi_columns,
    kpi_names,
    lower,
    months,
    nobody,
    note_of_evidence,
    one,
    opening,
    points_cell,
    points_range,
    range_text,
    score_cell,
    tone,
    value_text,
)
from .tables import Column, rep_name
from .words import _, label


def answer(
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
                card(_("Score"), numbers.missing()),
                card(_("KPIs judged"), numbers.count(0)),
                card(_("Weight judged"), numbers.missing()),
            ],
        )
    row = score.iloc[0]
    name = rep_name(row["name"], row["person"])
    kpi_card = card(
        _("KPIs judged"),
        _("{k} of {n}").format(k=numbers.count(row["n_judged"]), n=numbers.count(row["n_kpis"])),
        comparison=_("{share} of the weight").format(share=numbers.percent(row["judged_weight"])),
    )
    best = judged.loc[judged["points"].idxmax()] if len(judged) else None
    gap = judged.loc[judged["gain"].idxmax()] if judged["gain"].notna().any() else None
    cards = [card(_("Score"), score_cell(row), _score_range(row)), kpi_card]
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
                kpi=lower(names[gap["kpi"]]), gain=numbers.decimal(gap["gain"], digits=1)
            )
    past = before["score"].dropna()
    if len(past) and bool(row["is_judged"]):
        cards.append(
            card(
                _("Period before"),
                numbers.decimal(past.iloc[-1], digits=1),
                comparison=change(row["score"] - past.iloc[-1]),
                tone=tone(row["score"] - past.iloc[-1]),
            )
        )
    if best is not None:
        cards.append(
            card(
                _("Strongest KPI"),
                _("{points} points").format(points=points_cell(best["points"])),
                comparison=names[best["kpi"]],
            )
        )
    if gap is not None and gap["gain"] > 0:
        cards.append(
            card(
                _("KPI that costs most"),
                _("{points} points").format(points=points_cell(gap["points"])),
                comparison=names[gap["kpi"]],
            )
        )
    if len(cards) < 3:
        cards.append(card(_("Days present"), numbers.count(row["days"])))
    return html.answer(message=message, truth=truth, cards=cards[:6])


def points(own: pd.DataFrame, *, seen: Any, process: Any, period: Any) -> Html:
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
                f"{names[row.kpi]} {points_cell(row.points)}" for row in own.itertuples()
            )
        ),
        source=source(seen),
        data=table(own, seen=seen, process=process, period=period),
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


def table(own: pd.DataFrame, *, seen: Any, process: Any, period: Any) -> Html:
    """
    Show one person's KPIs with evidence, anchors, points and what each adds; the sum is the score.
    """
    what = _("KPIs and what they add up to, {period}").format(period=months(period))
    if own.empty:
        return tables.missing(what, seen=seen, reason=nobody(own))
    currency = seen.source["currency"]
    columns = [
        *kpi_columns(seen, process, period),
        Column(
            _("Peers, middle half"),
            "number",
            lambda row: range_text(row.form, row.peer_low, row.peer_high, currency),
        ),
    ]
    total = own["shown"].sum(min_count=1)
    note = note_of_evidence() + " " + _("Sum: {total}. Peers: others of the same role and ramp state; not shown for "
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
    kpis = process.on(period.first).kpis
    steps = {(kpi.id, kpi.role, kpi.ramp): words.text(kpi.improve) for kpi in kpis}
    rows = [
        [
            names[row.kpi],
            value_text(row.form, row.value, currency),
            value_text(row.form, row.target, currency),
            f"+{one(row.gain)}",
            steps.get((row.kpi, row.role, row.ramp)) or steps[row.kpi, row.role, "any"],
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


def trend(history: pd.DataFrame, *, seen: Any, process: Any, period: Any) -> Html:
    """
    Show one person's points by KPI and period.

    Parameters
    ----------
    history : the person's KPI rows of several periods, as ``scorecards.history`` gives
    """
    what = _("Points by period")
    if history.empty:
        return tables.missing(what, seen=seen, reason=nobody(history))
    names = kpi_names(process, period)
    periods = history.drop_duplicates("period").sort_values("first")["period"].tolist()
    wide = history.pivot_table(
        index="kpi", columns="period", values="points", aggfunc="first", dropna=False
    ).reindex(columns=periods)
    order = [kpi for kpi in names if kpi in wide.index]
    totals = history.groupby("period")["contribution"].sum(min_count=1).reindex(periods)
    rows = [[names[kpi], *(points_cell(wide.loc[kpi, name]) for name in periods)] for kpi in order]
    rows.append([_("Score"), *(points_cell(totals[name]) for name in periods)])
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
        counted = "share" if own["share"].notna().any() else "weight"  # nothing judged: as intended
        of_team = own.loc[own["whose"] == "team", counted].sum()
        if of_team > 0:
            texts.append(
                _("{share} of the weight is the team's result, which no one decides alone.").format(
                    share=numbers.percent(of_team)
                )
            )
    return html.notice(title=_("Not in this person's hands"), text=texts) if texts else html.stack()


def _score_range(row: Any) -> str:
    found = points_range(row["score_low"], row["score_high"])
    return "" if found == numbers.missing() else _("likely {range}").format(range=found)
