"""
The audit of the KPI set: a verdict per KPI, what to change, and every test with its threshold.

``process`` and ``period`` are those of the metrics; ``process`` gives the names.
"""

from typing import Any

import numpy as np
import pandas as pd
from matplotlib import rc_context
from matplotlib.axes import Axes

from . import answers, charts, html, numbers, tables, words
from .figures import source
from .html import Html
from .kpis import kpi_names, months, opening
from .tables import Column
from .words import _, label

_FIRST = (  # which finding of a KPI is to be mended first
    *("reliability", "heaped", "ceiling", "floor", "redundant", "vif", "mirrors_skill"),
    *("influence", "sample", "weight", "unchanged"),
)


def answer(
    audit: pd.DataFrame,
    *,
    verdicts: pd.DataFrame,
    ledger: pd.DataFrame,
    seen: Any,
    process: Any,
    period: Any,
) -> Html:
    """
    Answer whether the KPIs are fit to judge by, and what to change first.

    Parameters
    ----------
    audit, verdicts : as ``kpi_audit.audit`` and ``verdicts`` give
    ledger : as ``quality.ledger`` gives
    seen, process, period : as the metrics took them
    """
    truth = opening(ledger, seen, process, period)
    counts = verdicts["verdict"].value_counts() if len(verdicts) else pd.Series(dtype=int)
    kept, mend, review, unknown = (
        int(counts.get(name, 0)) for name in ("keep", "mend", "review", "cannot_judge")
    )
    n = len(verdicts)
    if not n:
        message = _("No KPI is in force in {period}: nothing can be audited").format(
            period=months(period)
        )
    else:
        message = _("{mend} of {n} KPIs need a change in {period}, {kept} can stay").format(
            mend=numbers.count(mend),
            n=numbers.count(n),
            period=months(period),
            kept=numbers.count(kept),
        )
        flagged = audit[audit["is_flagged"] & (audit["kpi"] != "")]
        gravest = next((slug for slug in _FIRST if slug in set(flagged["test"])), None)
        if gravest:
            k = flagged[flagged["test"] == gravest].groupby(["role", "kpi"]).ngroups
            message += _("; first of all: {finding} in {k}").format(
                finding=_short(gravest), k=numbers.of(k, n)
            )
    weights = _of(audit, "weights")
    many = _of(audit, "too_many")
    cards = [
        _card(_("Can stay"), numbers.of(kept, n)),
        _card(_("Need a change"), numbers.of(mend, n)),
        _card(
            _("Cannot be judged yet"),
            numbers.of(unknown, n),
            _("and {n} to be confirmed only").format(n=numbers.count(review)) if review else "",
        ),
    ]
    if len(weights):
        cards.append(
            _card(
                _("Order depends on the weights"),
                numbers.percent(weights["value"].iloc[0]),
                _("of neighbours, {role}").format(role=words.value(weights["role"].iloc[0])),
            )
        )
    if len(many):
        cards.append(
            _card(
                _("Independent KPIs"),
                numbers.decimal(many["value"].iloc[0], digits=1),
                _("of those that can be compared, {role}").format(
                    role=words.value(many["role"].iloc[0])
                ),
            )
        )
    return html.answer(message=message, truth=truth, cards=cards)


def to_do(
    audit: pd.DataFrame, *, verdicts: pd.DataFrame, seen: Any, process: Any, period: Any
) -> Html:
    """
    Say per KPI what to change first, and what the set lacks.
    """
    names = kpi_names(process, period)
    rows = [
        [
            _("The set of {role}").format(role=words.value(row.role)),
            "",
            _short(row.test),
            change(row.test),
        ]
        for row in audit[audit["is_flagged"] & (audit["kpi"] == "")].itertuples()
    ]
    first = {
        (row.role, row.kpi): next(test for test in _FIRST if test in row.flagged)
        for row in verdicts.itertuples()
        if row.flagged
    }
    for slug in _FIRST:
        those = [key for key, test in first.items() if test == slug]
        for role in dict.fromkeys(role for role, _kpi in those):
            named = "; ".join(names[kpi] for other, kpi in those if other == role)
            rows.append([named, words.value(role), _short(slug), change(slug)])
    if not rows:
        return html.paragraphs(_("No test found a fault in the set of KPIs."))
    return html.table(
        caption=_("What to change before the next period, first things first"),
        columns=[
            (_("KPI"), "text"),
            (_("Role"), "text"),
            (_("Finding"), "text"),
            (_("What to change"), "text"),
        ],
        rows=rows,
        note=_(
            "Change a KPI from a first day on (its key “from” in the process file), never within a period."
        ),
    )


def verdict_table(verdicts: pd.DataFrame, *, seen: Any, process: Any, period: Any) -> Html:
    """
    Show the verdict on each KPI with all its findings.
    """
    what = _("Verdict per KPI, {period}").format(period=months(period))
    if verdicts.empty:
        return tables.missing(what, seen=seen, reason=_no_kpi())
    names = kpi_names(process, period)
    columns = [
        Column(_("KPI"), "text", lambda row: names[row.kpi]),
        Column(_("Role"), "text", lambda row: words.value(row.role)),
        Column(_("Verdict"), "text", lambda row: verdict(row.verdict)),
        Column(_("Tests made"), "number", lambda row: numbers.count(row.n_tests)),
        Column(
            _("Findings"),
            "text",
            lambda row: "; ".join(_short(test) for test in row.flagged) or _("none"),
        ),
    ]
    return tables.show(verdicts, columns, what, seen)


def reliability(audit: pd.DataFrame, *, seen: Any, process: Any, period: Any) -> Html:
    """
    Show how far a second look at the same period would show the same differences between people.
    """
    rows = _of(audit, "reliability").reset_index(drop=True)
    if rows.empty and audit.empty:
        return tables.missing(_("Reliability"), seen=seen, reason=_no_kpi())
    if rows.empty:
        return tables.missing(
            _("Reliability"),
            seen=seen,
            reason=_("It takes 8 people or teams with values in odd and in even weeks."),
        )
    names = kpi_names(process, period)
    good = rows["value"] >= rows["threshold"]
    return html.figure(
        _reliability_chart(rows, names),
        name="reliability",
        headline=_("{k} of {n} KPIs are reliable enough for their use").format(
            k=numbers.count(good.sum()), n=numbers.count(len(rows))
        ),
        subtitle=_(
            "Reliability: share of the differences between people that odd and even weeks have in common, 0 to 1, with "
            "its 95 % interval; needed: 0.7 to compare people, 0.9 where pay depends on it; {period}"
        ).format(period=months(period)),
        alt=_("Points: {rows}.").format(
            rows=", ".join(
                f"{names[row.kpi]} ({words.value(row.role)}) {numbers.decimal(row.value)}"
                for row in rows.itertuples()
            )
        ),
        source=source(seen),
        data=tests(rows, seen=seen, process=process, period=period),
    )


@rc_context(charts.STYLE)
def _reliability_chart(rows: pd.DataFrame, names: dict[str, str], ax: Axes | None = None) -> Axes:
    several = rows["role"].nunique() > 1
    labels = [
        charts.short(names[row.kpi] + (f" · {row.role}" if several else ""))
        for row in rows.itertuples()
    ]
    ax = charts.rows_of(ax, labels, row_height=0.3, legend_rows=1)
    y = np.arange(len(rows))
    ax.hlines(y, rows["low"], rows["high"], color=charts.ROLES["measure"], linewidth=2)
    ax.plot(rows["value"], y, "o", color=charts.ROLES["measure"], label=_("Reliability"))
    ax.plot(
        rows["threshold"],
        y,
        "|",
        color=charts.ROLES["reference"],
        markersize=14,
        markeredgewidth=2,
        label=_("Needed"),
    )
    charts.note_rows(ax, [numbers.decimal(value) for value in rows["value"]])
    ax.set_xlim(0, 1)
    ax.set_xlabel(_("Reliability (0 to 1)"))
    charts.legend_above(ax, columns=2)
    return ax


def tests(audit: pd.DataFrame, *, seen: Any, process: Any, period: Any) -> Html:
    """
    Show every test with its value, what it rests on, its threshold and its verdict.
    """
    what = _("All tests, {period}").format(period=months(period))
    if audit.empty:
        return tables.missing(what, seen=seen, reason=_no_kpi())
    names = kpi_names(process, period)
    columns = [
        Column(_("KPI"), "text", lambda row: names.get(row.kpi, _("the set"))),
        Column(_("Role"), "text", lambda row: words.value(row.role)),
        Column(
            _("Test"),
            "text",
            lambda row: test(row.test) + (f": {names[row.other]}" if row.other else ""),
        ),
        Column(label("value"), "number", lambda row: _value(row.test, row.value)),
        Column(label("interval"), "number", _range),
        Column(_("Rests on"), "number", lambda row: numbers.count(row.n)),
        Column(_("Threshold"), "number", lambda row: _value(row.test, row.threshold)),
        Column(_("Finding"), "text", _finding),
    ]
    note = _(
        "A test that rests on fewer than 8 people or teams is not made: “not enough”. Among {n} tests some findings "
        "may be chance; one that returns in the next period hardly is."
    ).format(n=numbers.count(audit["value"].notna().sum()))
    return tables.show(audit, columns, what, seen, note)


def measure_cards() -> Html:
    """
    Define the measures of the audit.
    """
    return answers.measure_cards("kpi_audit")


def test(slug: str) -> str:
    """
    Name a test of the audit.

    Examples
    --------
    >>> test("heaped")
    'Values heaped just at the target (p)'
    """
    return _texts(slug)[0]


def change(slug: str) -> str:
    """
    Say what to change where a test found a fault.

    Examples
    --------
    >>> change("ceiling")
    'Raise the target, or drop the KPI: it no longer tells people apart.'
    """
    return _texts(slug)[2]


def verdict(slug: str) -> str:
    """
    Name a verdict.

    Examples
    --------
    >>> verdict("cannot_judge")
    'Cannot be judged yet'
    """
    return {
        "keep": _("Can stay"),
        "mend": _("Needs a change"),
        "review": _("To be confirmed"),
        "cannot_judge": _("Cannot be judged yet"),
    }[slug]


def _short(slug: str) -> str:
    return _texts(slug)[1]


def _texts(slug: str) -> tuple[str, str, str]:
    """Name of a test, its finding in a few words, and what to change."""
    return {
        "too_few": (
            _("Number of KPIs"),
            _("too few KPIs"),
            _("Add KPIs until process, result, customer and team are covered; three is the least."),
        ),
        "too_many": (
            _("Independent KPIs (least: half of the set)"),
            _("too many KPIs for what they say"),
            _("Drop KPIs that repeat others; keep one for each thing that can move by itself."),
        ),
        "no_process": (
            _("Process KPIs"),
            _("results only"),
            _("Add a process KPI: results come too late to be managed, and luck is in them."),
        ),
        "no_customer": (
            _("Customer KPIs"),
            _("nothing for the customer"),
            _("Add satisfaction or response rate, of the team where a person has few answers."),
        ),
        "no_team": (
            _("Team KPIs"),
            _("nothing for team work"),
            _("Add a KPI of the team's result, of assists or of hand-overs."),
        ),
        "weight": (
            _("Weight"),
            _("weight under 10 %"),
            _(
                "Raise the weight or drop the KPI: nobody acts on it, and it makes the score harder to read."
            ),
        ),
        "unchanged": (
            _("Days without a change"),
            _("unchanged for a year"),
            _("Review floor and target: confirm them with a new first day, or set new ones."),
        ),
        "reliability": (
            _("Reliability (odd against even weeks)"),
            _("no reliable signal"),
            _("Judge it over a longer period or for the team, not to compare people; not for pay."),
        ),
        "floor": (
            _("Share of people at 0 points"),
            _("many at the floor"),
            _("Lower the floor: below it no effort shows."),
        ),
        "ceiling": (
            _("Share of people at the most points"),
            _("many at the ceiling"),
            _("Raise the target, or drop the KPI: it no longer tells people apart."),
        ),
        "heaped": (
            _("Values heaped just at the target (p)"),
            _("heaped at the target"),
            _("Look at how the last units come about; pay by slope instead of a step."),
        ),
        "sample": (
            _("Share of people whose interval passes the next threshold"),
            _("too little evidence for the anchors"),
            _(
                "Ask for more evidence, judge over a longer period, or set floor and target further apart."
            ),
        ),
        "redundant": (
            _("Rank correlation"),
            _("says the same as another KPI"),
            _("Keep one of the two, or give both together the weight of one."),
        ),
        "vif": (
            _("Variance inflation"),
            _("follows from the other KPIs"),
            _("Drop it, or join it with those it follows from."),
        ),
        "influence": (
            _("Influence over weight"),
            _("moves the score more or less than its weight says"),
            _(
                "Change floor and target so that people differ on it as much as on the others, or its weight."
            ),
        ),
        "one_construct": (
            _("Cronbach's alpha"),
            _("all KPIs say the same"),
            _("Replace some by KPIs that see another side of the work."),
        ),
        "weights": (
            _("Share of neighbours whose order depends on the weights"),
            _("the order depends on the weights"),
            _("Do not use the order; use the distance to the target of each KPI."),
        ),
        "mirrors_skill": (
            _("Leads the next result (within the same person)"),
            _("mirrors skill, does not lead"),
            _(
                "Do not promise that doing more of it lifts results; keep it only if it is part of the process."
            ),
        ),
    }[slug]


def _no_kpi() -> str:
    return _("No KPI of the process file is in force on the first day.")


def _finding(row: Any) -> str:
    if row.is_flagged:
        return _short(row.test)
    if pd.isna(row.value):
        return _("not enough")
    if row.test == "mirrors_skill":
        return _("leads") if row.low > 0 else _("not shown as leading")
    return _("no fault")


def _value(slug: str, value: float) -> str:
    if slug in ("weight", "floor", "ceiling", "sample", "weights"):
        return numbers.percent(value)
    if slug in ("too_few", "no_process", "no_customer", "no_team", "unchanged"):
        return numbers.count(value) if pd.notna(value) else numbers.missing()
    return numbers.decimal(value)


def _range(row: Any) -> str:
    if pd.isna(row.low) or pd.isna(row.high):
        return ""
    return f"{_value(row.test, row.low)} – {_value(row.test, row.high)}"


def _of(audit: pd.DataFrame, slug: str) -> pd.DataFrame:
    return audit[(audit["test"] == slug) & audit["value"].notna()] if len(audit) else audit


def _card(label: str, value: str, comparison: str = "") -> dict[str, str]:
    return {"label": label, "value": value, "comparison": comparison}
