"""
The evidence on the page on a change: one function per question, each a figure, a table or a sentence.

Formats what ``metrics.impact`` gives and computes no estimate; ``change`` is what ``impact.read_change`` gives.
"""

from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

from . import charts, figures, html, numbers, words
from .charts import note_rows, percent_ticks, positions, short
from .html import Html
from .impact_words import (
    arm_name,
    effect,
    effect_range,
    groups_word,
    level,
    measure_name,
    named,
    nothing,
    others_word,
    period_name,
    short_level,
    signed,
    upper_first,
    verdict_name,
)
from .kpis import lower
from .tables import Column, count_columns, estimate_columns, show
from .words import _, label

DARK = "#1a1a1a"  # text on light and dark pages; a black fill is left out of an SVG and stays black on dark
AGES = (30, 60, 90, 120, 150, 180)  # at which the table under the curves reads them
NEAR = 0.06  # of two curves' shares, so that their names would meet
FEW_DAYS = 10  # of a range, below which a decimal is shown
STEP_DAYS = 3  # of a curve as drawn: finer than a screen shows
LOOKS = {  # before grey, since dark; the comparison group lighter
    ("treated", "before"): {"color": charts.GREY, "linestyle": "-", "linewidth": 1.8},
    ("treated", "after"): {"color": DARK, "linestyle": "-", "linewidth": 2.2},
    ("control", "before"): {"color": charts.GREY, "linestyle": "--", "linewidth": 1.2},
    ("control", "after"): {"color": "#595959", "linestyle": "--", "linewidth": 1.5},
}


def dashboard(table: pd.DataFrame, *, change: Any, seen: Any, name: str = "dashboard") -> Html:
    """
    Show what the usual figures say of the change, beside what they would have said had nothing changed.

    Parameters
    ----------
    table : as ``impact.measures`` gives
        Its columns ``naive_…`` and ``twin_…``.
    """
    shown = _usual(table)
    what = _("The usual figures, and the same figures if nothing had changed")
    if shown.empty:
        return nothing(what, change, seen, _("No usual figure could be computed."))
    texts = [_on_usual(row, change) for row in shown.itertuples()]
    parts = "; ".join(
        _("{figure} {before} → {after}, likely {range} if nothing had changed").format(
            figure=lower(_usual_name(row)),
            before=short_level(row, "naive_before"),
            after=level(row, "naive_after"),
            range=_twin_range(row),
        )
        for row in shown.itertuples()
    )
    columns = [
        Column(label("impact_usual_figure"), "text", _usual_name),
        Column(
            label("impact_naive_before"), "number", lambda row: level(row, "naive_before", digits=1)
        ),
        Column(
            label("impact_naive_after"), "number", lambda row: level(row, "naive_after", digits=1)
        ),
        Column(
            label("impact_naive_p_value"),
            "number",
            lambda row: numbers.p_value(row.naive_p_value).removeprefix("= "),
        ),
        Column(
            label("impact_twin_median"), "number", lambda row: level(row, "twin_median", digits=1)
        ),
        Column(label("impact_twin_span"), "number", _twin_range),
        Column(
            label("impact_twin_p_value"),
            "number",
            lambda row: numbers.p_value(row.twin_p_value).removeprefix("= "),
        ),
        Column(label("impact_at_equal_age"), "text", lambda row: verdict_name(row.verdict)),
    ]
    note = _(
        "Each deal created since the change was given the fate of a deal created before it, many times over, and looked "
        "at for as long as it has been followed. p of the twin: how often that alone gives as much as the dashboard, in "
        "the direction of a shorter cycle or a higher share."
    )
    chart = html.figure(
        _usual_axes(shown),
        name=name,
        headline=_usual_headline(shown),
        subtitle=_(
            "Usual dashboard figures of the deals created before and since {day}; bar: where the figure lies in 95 of 100 "
            "copies in which nothing changed; as of {date}"
        ).format(day=numbers.date(change.changed_on), date=numbers.date(seen.as_of)),
        alt=_("Usual figures with the range they have when nothing changed: {parts}.").format(
            parts=parts
        ),
        source=figures.source(seen),
        data=show(shown, columns, what, seen, note),
    )
    return html.stack(html.paragraphs(*texts), chart)


def curves(
    table: pd.DataFrame,
    *,
    measures: pd.DataFrame,
    change: Any,
    seen: Any,
    name: str = "curves",
) -> Html:
    """
    Show the share of deals won by age, before and since, of those that changed and those that did not.

    Parameters
    ----------
    table : as ``impact.curves`` gives
    measures : as ``impact.measures`` gives
        Its win rate is the headline.
    """
    what = _("Share won by age, before and since")
    if table.empty:
        return nothing(what, change, seen)
    ends = table.groupby(["arm", "period"], sort=False).tail(1)
    parts = ", ".join(
        _("{curve} {rate} by day {age}").format(
            curve=_curve_name(row).lower(),
            rate=numbers.percent(row.won_rate),
            age=numbers.count(row.age_days),
        )
        for row in ends.itertuples()
    )
    columns = [
        Column(label("impact_arm"), "text", lambda row: arm_name(row.arm)),
        Column(label("impact_period_of_change"), "text", lambda row: period_name(row.period)),
        *count_columns("shown_age", "n_at_risk"),
        *estimate_columns("won_rate"),
        Column(label("open_rate"), "number", lambda row: numbers.percent(row.open_share)),
    ]
    note = _(
        "Estimate by Aalen and Johansen, each curve with its own 95 % range. Deals created before the change are followed "
        "until the day before it, the others until now: so both are looked at in the same way, at equal age."
    )
    won = measures[measures["measure"] == "win_rate"]
    return html.figure(
        _curve_axes(table, change, won["age_days"].iloc[0] if len(won) else float("nan")),
        name=name,
        headline=_curves_headline(won, ends),
        subtitle=_(
            "Estimated share of deals won by each age, created before and since {day}, with 95 % range; a curve ends where "
            "fewer than {few} deals are followed; as of {date}"
        ).format(
            day=numbers.date(change.changed_on),
            few=numbers.count(charts.FEWEST_AT_RISK),
            date=numbers.date(seen.as_of),
        ),
        alt=_("Curves of the share won by age: {parts}.").format(parts=parts),
        source=figures.source(seen),
        data=show(_at_ages(table, AGES), columns, what, seen, note),
    )


def comparison(table: pd.DataFrame, *, change: Any, seen: Any) -> Html:
    """
    Show how the groups that did not change moved, and what is left of each effect beyond that.

    Parameters
    ----------
    table : as ``impact.measures`` gives
    """
    known = table[table["control_before"].notna()]
    what = _("{others}, before and since").format(others=upper_first(others_word(change)))
    if change.problem:
        return html.stack()
    if known.empty:
        why = _(
            "No {groups} are left to compare with, that were followed long enough: what else happened at the time cannot "
            "be told from the change."
        ).format(groups=groups_word(change.by))
        return html.notice(title=_("No comparison group"), text=why)
    columns = [
        Column(label("impact_measure"), "text", measure_name),
        Column(
            label("impact_control_before"),
            "number",
            lambda row: level(row, "control_before", digits=1),
        ),
        Column(
            label("impact_control_after"),
            "number",
            lambda row: level(row, "control_after", digits=1),
        ),
        Column(label("impact_effect"), "number", lambda row: effect(row, "control_effect")),
        Column(
            label("impact_joint_range"), "number", lambda row: effect_range(row, "control_effect")
        ),
        Column(
            label("impact_against_control"), "number", lambda row: effect(row, "against_control")
        ),
        Column(
            label("impact_joint_range"), "number", lambda row: effect_range(row, "against_control")
        ),
    ]
    note = _(
        "Beyond the comparison group: the change of those that changed less that of the others."
    )
    texts = [
        _(
            "{measure}: {others} went from {before} to {after} (likely {range}); beyond that, those that changed moved "
            "by {against} (likely {against_range})."
        ).format(
            measure=measure_name(row),
            others=others_word(change),
            before=level(row, "control_before"),
            after=level(row, "control_after"),
            range=effect_range(row, "control_effect"),
            against=effect(row, "against_control"),
            against_range=effect_range(row, "against_control"),
        )
        for row in known.head(1).itertuples()
    ]
    return html.stack(html.paragraphs(*texts), show(known, columns, what, seen, note))


def monthly(
    table: pd.DataFrame,
    *,
    trend: pd.DataFrame,
    change: Any,
    seen: Any,
    age_days: int,
    name: str = "monthly",
) -> Html:
    """
    Show the win rate month by month, less that of the groups that did not change, with the day of the change.

    Parameters
    ----------
    table, trend : as ``impact.monthly`` and ``impact.trend`` give
        Without a comparison group the win rate itself is drawn.
    """
    what = _("Won by {age}, by month of creation").format(age=numbers.days(age_days))
    if table.empty:
        return nothing(what, change, seen, _("No month is old enough yet."))
    column = "difference" if table["n_control"].sum() else "treated_rate"
    drawn = table[table[column].notna()]
    if drawn.empty:
        return nothing(what, change, seen, _("No month has deals of both sides."))
    columns = [
        Column(label("month"), "text", lambda row: numbers.month(row.month)),
        Column(label("impact_period_of_change"), "text", _side_of_month),
        *count_columns("n_treated"),
        *estimate_columns("treated_rate"),
    ]
    beside = [
        *count_columns("n_control"),
        *estimate_columns("control_rate"),
        Column(label("difference_points"), "number", lambda row: numbers.points(row.difference)),
        Column(
            label("interval"),
            "number",
            lambda row: numbers.points_range(row.difference_low, row.difference_high),
        ),
    ]
    columns += beside if column == "difference" else []
    row = trend.iloc[0]
    last = drawn.iloc[-1]
    subtitle = _(
        "Share of deals won by {age}, those that changed less those that did not, by month of creation, in points with "
        "95 % range; the line is {day}; as of {date}"
    )
    alt = _("Points by month with a line on {day}: in {month} a difference of {value} points.")
    if column == "treated_rate":
        subtitle = _(
            "Share of deals won by {age}, by month of creation, with 95 % range; the line is {day}; as of {date}"
        )
        alt = _("Points by month with a line on {day}: in {month} {value} won.")
    value = (
        numbers.points(last[column]) if column == "difference" else numbers.percent(last[column])
    )
    return html.figure(
        _month_axes(drawn, column, change),
        name=name,
        headline=_trend_headline(row),
        subtitle=subtitle.format(
            age=numbers.days(age_days),
            day=numbers.date(change.changed_on),
            date=numbers.date(seen.as_of),
        ),
        alt=alt.format(
            day=numbers.date(change.changed_on), month=numbers.month(last["month"]), value=value
        ),
        source=figures.source(seen),
        data=show(table, columns, what, seen, _trend_note(row)),
    )


def mix(cells: pd.DataFrame, *, total: pd.DataFrame, change: Any, seen: Any) -> Html:
    """
    Say how much of the change in the win rate other kinds of deals explain.

    Parameters
    ----------
    cells, total : as ``impact.mix`` gives
    """
    row = total.iloc[0]
    what = _("The change in the win rate, split by kinds of deals")
    if cells.empty or pd.isna(row["effect"]):
        why = _("There are too few deals of each kind, before and since, to split the change.")
        return nothing(what, change, seen, why)
    text = _(
        "Of the change of {effect} points in the share won by {age}, other kinds of deals explain {mix} points (likely "
        "{mix_range}); {rate} points (likely {rate_range}) remain for deals of the same kind."
    )
    if row["mix_effect_low"] <= 0 <= row["mix_effect_high"]:
        text += " " + _("That the mix has any part in it is not shown.")
    else:
        text += " " + _("The mix has a part in it: read the other part as the change.")
    if row["is_simpson"]:
        text += " " + _(
            "Mind: taken together and kind by kind, the change goes in opposite directions."
        )
    columns = [
        Column(label("impact_cell"), "text", lambda row: row.cell or _("all others")),
        *count_columns("n_before", "n_after"),
        *_shares("share_before", "share_after", "rate_before", "rate_after"),
        Column(label("impact_mix_effect"), "number", lambda row: numbers.points(row.mix_effect)),
        Column(
            label("impact_mix_rate_effect"),
            "number",
            lambda row: numbers.points(row.mix_rate_effect),
        ),
    ]
    note = _(
        "Kinds of deals: alike in source, segment and product, as far as there are enough of each; the two parts add up to "
        "the change. Part of the mix: change of the share × mean of the two rates; the rest: change of the rate × mean of "
        "the two shares."
    )
    said = text.format(
        effect=numbers.points(row["effect"]),
        age=numbers.days(row["age_days"]),
        mix=numbers.points(row["mix_effect"]),
        mix_range=numbers.points_range(row["mix_effect_low"], row["mix_effect_high"]),
        rate=numbers.points(row["mix_rate_effect"]),
        rate_range=numbers.points_range(row["mix_rate_effect_low"], row["mix_rate_effect_high"]),
    )
    data = show(cells, columns, what, seen, note)
    return html.stack(html.paragraphs(said), html.details(_("The kinds of deals"), data))


def regression(
    table: pd.DataFrame, *, units: pd.DataFrame, change: Any, seen: Any, is_chosen: bool
) -> Html:
    """
    Say whether those that changed were weak before, and what they would have come back to without any effect.

    Parameters
    ----------
    table, units : as ``impact.regression`` and ``impact.units`` give
    is_chosen : bool
        Whether they were chosen because their results were weak.
    """
    row = table.iloc[0]
    texts = [_standing(row, change), _recovery(row, is_chosen)]
    texts = [text for text in texts if text]
    if not texts:
        why = _("There are too few groups to say what was to be expected of each.")
        return nothing(_("A return to normal"), change, seen, why)
    return html.stack(
        html.paragraphs(*texts), groups_figure(units, age=row["age_days"], change=change, seen=seen)
    )


def groups_figure(
    table: pd.DataFrame, *, age: float, change: Any, seen: Any, name: str = "groups"
) -> Html:
    """
    Show the share won of each group before and since, and what was to be expected of it (``impact.units``).
    """
    what = _("Won by {age}, group by group").format(age=numbers.days(age))
    known = (
        table[table["after_rate"].notna() & table["before_rate"].notna()] if len(table) else table
    )
    known = known.head(figures.MOST_ROWS).reset_index(drop=True)
    if len(known) < 2:
        why = _("Fewer than two {groups} were followed for {age}, before and since.")
        why = why.format(groups=groups_word(change.by), age=numbers.days(age))
        return nothing(what, change, seen, why)
    columns = [
        Column(
            upper_first(groups_word(change.by)), "text", lambda row: words.person_or_team(row.group)
        ),
        Column(label("impact_arm"), "text", lambda row: arm_name(row.arm)),
        *count_columns("n_before", "n_after"),
        *estimate_columns("before_rate"),
        *estimate_columns("expected_rate"),
        *estimate_columns("after_rate"),
    ]
    rose = (known["after_rate_low"] > known["expected_rate"].fillna(known["before_rate"])).sum()
    headline = _("In {k} of {n} {groups} more deals are won than was to be expected").format(
        k=numbers.count(rose), n=numbers.count(len(known)), groups=groups_word(change.by)
    )
    parts = ", ".join(
        f"{words.person_or_team(row.group)} {numbers.percent(row.before_rate)} → {numbers.percent(row.after_rate)}"
        for row in known.itertuples()
    )
    note = _(
        "Expected: the rate before, drawn towards that of all groups as far as it may be luck. In order of name; this is "
        "no ranking. A group counts as above where the lower limit since the change lies above what was expected."
    )
    return html.figure(
        _group_axes(known),
        name=name,
        headline=headline,
        subtitle=_(
            "Share of deals won by {age}, created before and since {day}; 95 % range since; deals before → since at the "
            "right; as of {date}"
        ).format(
            age=numbers.days(age),
            day=numbers.date(change.changed_on),
            date=numbers.date(seen.as_of),
        ),
        alt=_("Points by group, before → since: {parts}.").format(parts=parts),
        source=figures.source(seen),
        data=show(known, columns, what, seen, note),
    )


def placebos(table: pd.DataFrame, *, change: Any, seen: Any, name: str = "placebos") -> Html:
    """
    Show what the method finds on days on which nothing changed (``impact.placebos``).
    """
    what = _("The same look at earlier days, on which nothing changed")
    known = table[table["effect"].notna()] if len(table) else table
    n_days = known.loc[~known["is_true"].astype(bool), "changed_on"].nunique() if len(known) else 0
    if not n_days:
        why = _("The data before the change are too short to look at earlier days in the same way.")
        return nothing(what, change, seen, why)
    earlier = known[~known["is_true"].astype(bool)]
    found = earlier.loc[earlier["is_changed"].astype(bool), "changed_on"].nunique()
    headline = words.translate_n(
        "On {k} of {n} earlier day the method finds a change where none was",
        "On {k} of {n} earlier days the method finds a change where none was",
        n_days,
    ).format(k=numbers.count(found), n=numbers.count(n_days))
    if known["is_true"].any():
        is_found = known.loc[known["is_true"].astype(bool), "is_changed"].any()
        headline += (
            _("; on the true day it finds one") if is_found else _("; on the true day neither")
        )
    columns = [
        Column(label("impact_placebo_day"), "text", lambda row: numbers.date(row.changed_on)),
        Column(label("impact_measure"), "text", measure_name),
        Column(
            label("impact_before"), "number", lambda row: level(_formed(row), "before", digits=1)
        ),
        Column(label("impact_after"), "number", lambda row: level(_formed(row), "after", digits=1)),
        Column(label("impact_effect"), "number", lambda row: effect(_formed(row), "effect")),
        Column(
            label("impact_placebo_range"),
            "number",
            lambda row: effect_range(_formed(row), "effect"),
        ),
        Column(
            label("impact_is_found"),
            "flag",
            lambda row: _("change") if row.is_changed else _("none"),
        ),
        Column(
            label("impact_is_true_day"), "flag", lambda row: _("true day") if row.is_true else ""
        ),
    ]
    note = _(
        "Each day is looked at with what was known at the end of the days after it, and never with deals of the true "
        "change. By chance alone about one day in twenty shows a change."
    )
    top = earlier.iloc[0]
    alt = _("Points with ranges by day: on {day}, {measure} {effect} (likely {range}).").format(
        day=numbers.date(top["changed_on"]),
        measure=lower(measure_name(top)),
        effect=effect(_formed(top), "effect"),
        range=effect_range(_formed(top), "effect"),
    )
    return html.figure(
        _placebo_axes(known),
        name=name,
        headline=headline,
        subtitle=_(
            "Change of those that changed later, with 97.5 % range, if the change had been on the day named; the true day "
            "is filled; as of {date}"
        ).format(date=numbers.date(seen.as_of)),
        alt=alt,
        source=figures.source(seen),
        data=show(known, columns, what, seen, note),
    )


def _usual(table: pd.DataFrame) -> pd.DataFrame:
    """One row per usual figure; two measures may answer the same one."""
    if table.empty:
        return table
    known = table[table["naive_after"].notna() & table["naive_before"].notna()]
    return known.drop_duplicates("form").reset_index(drop=True)


def _usual_name(row: Any) -> str:
    return _("Mean sales cycle of won deals") if row.form == "days" else _("Closed win rate")


def _twin_range(row: Any) -> str:
    ends = [_usual_value(row, f"twin_{end}") for end in ("low", "high")]
    if len(set(ends)) == 1 or numbers.missing() in ends:
        return ends[0]
    unit = "" if row.form == "days" else f"{numbers.NO_BREAK}%"
    text = "–".join([ends[0].removesuffix(unit), ends[1]])
    return _("{n} days").format(n=text) if row.form == "days" else text


def _usual_value(row: Any, column: str) -> str:
    """A usual figure; where the twin's range is a few days only, with a decimal."""
    value = getattr(row, column)
    if row.form != "days":
        return numbers.percent(value)
    return numbers.decimal(value, digits=1 if row.twin_high - row.twin_low < FEW_DAYS else 0)


def _usual_level(row: Any, column: str) -> str:
    text = _usual_value(row, column)
    return _("{n} days").format(n=text) if row.form == "days" else text


def _is_within(row: Any) -> bool:
    return row.twin_low <= row.naive_after <= row.twin_high


def _on_usual(row: Any, change: Any) -> str:
    """What a usual figure says, what it would have said anyway, and what follows."""
    text = _("{figure}: {after} of the deals created since {day}, {before} before; ")
    if row.naive_p_value < 0.05:
        text += _("the usual test calls that a change (p {p}). ")
    elif pd.isna(row.naive_p_value):
        text += _("the usual test cannot say. ")
    else:
        text += _("the usual test finds no change (p {p}). ")
    if pd.isna(row.twin_low):
        text += _("What it would show if nothing had changed cannot be said.")
    elif _is_within(row):
        text += _(
            "Had nothing changed it would show {twin} (likely {range}): the figure proves nothing."
        )
    else:
        text += _(
            "Had nothing changed it would show {twin} (likely {range}): that alone does not explain the figure."
        )
    return text.format(
        figure=_usual_name(row),
        after=_usual_level(row, "naive_after"),
        before=_usual_level(row, "naive_before"),
        day=numbers.date(change.changed_on),
        p=numbers.p_value(row.naive_p_value),
        twin=_usual_level(row, "twin_median"),
        range=_twin_range(row),
    )


def _usual_headline(table: pd.DataFrame) -> str:
    known = table[table["twin_low"].notna()]
    if known.empty:
        return _("The dashboard shows {after} since the change against {before}").format(
            after=_usual_level(table.iloc[0], "naive_after"),
            before=_usual_level(table.iloc[0], "naive_before"),
        )
    within = [row for row in known.itertuples() if _is_within(row)]
    row = (within or list(known.itertuples()))[0]
    text = _("{figure}: {after} on the dashboard; if nothing had changed, likely {range}")
    if within:
        text = _(
            "{figure}: {after} on the dashboard; if nothing had changed, likely {range} all the same"
        )
    return text.format(
        figure=_usual_name(row), after=_usual_level(row, "naive_after"), range=_twin_range(row)
    )


@rc_context(charts.STYLE)
def _usual_axes(table: pd.DataFrame) -> Figure:
    figure = Figure(figsize=(charts.WIDTH, 0.75 + 0.85 * len(table)), layout="constrained")
    axes = figure.subplots(len(table), 1, squeeze=False)[:, 0]
    for ax, row in zip(axes, table.itertuples(), strict=True):
        ax.barh([0], [row.twin_high - row.twin_low], left=[row.twin_low], height=0.5,
                facecolor="#cccccc", label=_("If nothing had changed"))  # fmt: skip
        ax.plot([row.twin_median] * 2, [-0.25, 0.25], color=DARK, linewidth=1)
        ax.plot([row.naive_before], [0], "o", markerfacecolor="white", color=charts.GREY,
                markersize=7, label=label("impact_before"))  # fmt: skip
        ax.plot([row.naive_after], [0], "o", color=DARK, markersize=7,
                label=label("impact_after"))  # fmt: skip
        unit = _("{figure} (days)") if row.form == "days" else "{figure}"
        ax.set(ylim=(-0.6, 0.6), yticks=[], xlabel=unit.format(figure=_usual_name(row)))
        ax.set_xlim(left=0)
        ax.xaxis.set_major_locator(MaxNLocator(5, steps=[1, 2, 5, 10]))
        ax.spines["left"].set_visible(False)
        if row.form == "rate":
            ax.xaxis.set_major_formatter(percent_ticks())
    charts.legend_above(axes[0])
    return figure


def _at_ages(table: pd.DataFrame, ages: Sequence[int]) -> pd.DataFrame:
    """Each curve's last step by each age that it reaches."""
    parts = [
        rows[rows["age_days"] <= age].tail(1).assign(shown_age=age)
        for _key, rows in table.groupby(["arm", "period"], sort=False)
        for age in ages
        if age <= rows["age_days"].max()
    ]
    return pd.concat(parts, ignore_index=True) if parts else table.head(0).assign(shown_age=0)


def _curve_name(row: Any) -> str:
    return _("{arm}, {period}").format(arm=arm_name(row.arm), period=period_name(row.period))


def _curves_headline(won: pd.DataFrame, ends: pd.DataFrame) -> str:
    row = next(won.itertuples(), None)
    if row is None or pd.isna(row.before) or pd.isna(row.after):
        last = next(ends.itertuples())
        return _("{curve}: {rate} won by day {age}").format(
            curve=_curve_name(last),
            rate=numbers.percent(last.won_rate),
            age=numbers.count(last.age_days),
        )
    text = _("By {age}, {after} of deals are won since the change, {before} before")
    if pd.notna(row.control_before):
        text += _("; of those that did not change {control_after}, {control_before} before")
    names = ("before", "after", "control_before", "control_after")
    return text.format(age=numbers.days(row.age_days), **{name: level(row, name) for name in names})


@rc_context(charts.STYLE)
def _curve_axes(table: pd.DataFrame, change: Any, age_days: float) -> Figure:
    arms = [arm for arm in ("treated", "control") if (table["arm"] == arm).any()]
    figure = Figure(figsize=(charts.WIDTH, 0.5 + 2.1 * len(arms)), layout="constrained")
    axes = figure.subplots(len(arms), 1, sharex=True, sharey=True, squeeze=False)[:, 0]
    groups = {"treated": change.treated, "control": change.control}
    for ax, arm in zip(axes, arms, strict=True):
        title = arm_name(arm) + (f": {short(named(groups[arm]))}" if groups[arm] else "")
        ax.set_title(title, loc="left", fontsize=10)
        if pd.notna(age_days):
            ax.axvline(age_days, color=charts.GREY, linewidth=0.8, linestyle=":")
        curves = {
            period: table[(table["arm"] == arm) & (table["period"] == period)]
            for period in ("before", "after")
        }
        for period, rows in curves.items():
            _draw_curve(ax, rows, LOOKS[arm, period])
        _label_ends(ax, {name: rows for name, rows in curves.items() if len(rows)}, arm)
        ax.yaxis.set_major_formatter(percent_ticks())
        ax.yaxis.set_major_locator(MaxNLocator(4, steps=[1, 2, 5, 10]))
        ax.grid(visible=True, axis="y")
        ax.set_ylim(bottom=0)
        ax.set_ylabel(_("Won"))
    longest = table["age_days"].max()
    axes[-1].set_xlim(0, longest * 1.32)
    axes[-1].set_xticks(range(0, int(longest) + 1, 30))
    axes[-1].set_xlabel(label("deal_age"))
    return figure


def _draw_curve(ax: Axes, rows: pd.DataFrame, look: dict) -> None:
    is_last = ~(rows["age_days"] // STEP_DAYS).duplicated(keep="last")
    rows = rows[is_last | (rows["age_days"] == 0)]
    age = rows["age_days"].to_numpy(dtype=float)
    ax.step(age, rows["won_rate"], where="post", **look)
    bounds = (rows[f"won_rate_{end}"].to_numpy(dtype=float) for end in ("low", "high"))
    ax.fill_between(age, *bounds, step="post", color=look["color"], alpha=0.15, linewidth=0)


def _label_ends(ax: Axes, curves: dict[str, pd.DataFrame], arm: str) -> None:
    """Name each curve at its end; where the other one is near there, above or below it."""
    for period, rows in curves.items():
        age, rate = rows["age_days"].iloc[-1], rows["won_rate"].iloc[-1]
        beside = [other for name, other in curves.items() if name != period]
        reached = [other.loc[other["age_days"] <= age, "won_rate"].iloc[-1] for other in beside]
        is_above = not reached or rate > reached[0] or (rate == reached[0] and period == "after")
        is_near = bool(reached) and abs(rate - reached[0]) < NEAR
        ax.annotate(
            f"{period_name(period)} {numbers.percent(rate)}",
            (age, rate),
            xytext=(4, (11 if is_above else -11) if is_near else 0),
            textcoords="offset points",
            va="center",
            fontsize=9,
            color=LOOKS[arm, period]["color"],
        )


def _side_of_month(row: Any) -> str:
    return period_name("after" if row.is_after else "before")


def _trend_headline(row: pd.Series) -> str:
    if pd.isna(row["level"]):
        text = _("{n} months before the change are too few to look for a step")
        if not row["n_after"]:
            text = _("No month since the change is old enough yet, against {n} before it")
        return text.format(n=numbers.count(row["n_before"]))
    text = _("No clear step at the change: {level} points (likely {range}, p {p})")
    if row["p_value"] < 0.05:
        text = _("A step of {level} points at the change (likely {range}, p {p})")
    if not row["is_difference"]:
        text += _("; weak evidence, without a comparison group")
    return text.format(
        level=numbers.points(row["level"]),
        range=numbers.points_range(row["level_low"], row["level_high"]),
        p=numbers.p_value(row["p_value"]),
    )


def _trend_note(row: pd.Series) -> str:
    note = _(
        "Months of which every deal is that old; each with its own 95 % range. The step is tested beside a steady trend, "
        "with p from simulated series in which a month passes something on to the next."
    )
    if pd.isna(row["level"]):
        note += " " + _("That takes twelve months before the change.")
    return note


@rc_context(charts.STYLE)
def _month_axes(table: pd.DataFrame, column: str, change: Any) -> Axes:
    ax = Figure(figsize=(charts.WIDTH, 2.8), layout="constrained").subplots()
    x = np.arange(len(table))
    is_after = table["is_after"].to_numpy(dtype=bool)
    for side, colour, fill in ((~is_after, charts.GREY, "white"), (is_after, DARK, None)):
        rows = table[side]
        ax.vlines(
            x[side],
            rows[f"{column}_low"].to_numpy(float),
            rows[f"{column}_high"].to_numpy(float),
            color=colour,
        )
        ax.plot(
            x[side],
            rows[column].to_numpy(float),
            "o",
            color=colour,
            markerfacecolor=fill or colour,
            markersize=5,
        )
    if is_after.any():
        ax.axvline(np.argmax(is_after) - 0.5, color=DARK, linestyle="--", linewidth=1)
        ax.annotate(
            numbers.date(change.changed_on),
            (np.argmax(is_after) - 0.5, 1.0),
            xycoords=("data", "axes fraction"),
            xytext=(-4, -2),
            textcoords="offset points",
            ha="right",
            va="top",
            fontsize=9,
        )
    ax.axhline(0, color=DARK, linewidth=0.8)
    step = max(1, -(-len(table) // 6))
    ax.set_xticks(x[::step], labels=[numbers.month(month) for month in table["month"][::step]])
    ax.grid(visible=False, axis="x")
    ax.grid(visible=True, axis="y")
    ax.set_xlabel(label("cohort"))
    if column == "difference":
        ax.yaxis.set_major_formatter(
            FuncFormatter(lambda value, _: numbers.points(value, digits=0))
        )
        ax.set_ylabel(label("difference_points"))
    else:
        ax.yaxis.set_major_formatter(percent_ticks())
        ax.set_ylabel(_("Won"))
    return ax


def _shares(*names: str) -> list[Column]:
    return [
        Column(label(name), "number", lambda row, name=name: numbers.percent(getattr(row, name)))
        for name in names
    ]


def _standing(row: pd.Series, change: Any) -> str:
    if row["standing"] is None or pd.isna(row["gap"]):
        return ""
    text = {
        "alike": _(
            "Before the change, those that changed won {before} and {others} {rest} (likely {gap} apart): weak results are "
            "no reason why they were the ones."
        ),
        "weaker": _(
            "Before the change, those that changed won {before} and {others} {rest} (likely {gap}): they were the weaker "
            "ones, and who is weak by bad luck does better afterwards without any effect."
        ),
        "stronger": _(
            "Before the change, those that changed won {before} and {others} {rest} (likely {gap}): they were the stronger "
            "ones, so a return to normal would have taken them down."
        ),
    }[row["standing"]]
    return text.format(
        before=numbers.percent(row["before"]),
        others=others_word(change),
        rest=numbers.percent(row["others_before"]),
        gap=_("{range} points").format(
            range=numbers.points_range(row["gap_low"], row["gap_high"], digits=0)
        ),
    )


def _recovery(row: pd.Series, is_chosen: bool) -> str:
    if pd.isna(row["expected"]):
        return ""
    text = _("Without any effect, {expected} (likely {range}) was to be expected of them")
    if pd.isna(row["beyond"]):
        return text.format(**_expected_of(row)) + "."
    if row["is_expected"]:
        text += _("; {after} came, no more than that ({beyond} points, likely {beyond_range}).")
    else:
        text += _("; {after} came, {beyond} points beyond that (likely {beyond_range}).")
    if is_chosen:
        text += " " + _(
            "They were chosen for weak results, and the verdict takes that into account."
        )
    return text.format(
        **_expected_of(row),
        after=numbers.percent(row["after"]),
        beyond=numbers.points(row["beyond"], digits=0),
        beyond_range=numbers.points_range(row["beyond_low"], row["beyond_high"], digits=0),
    )


def _expected_of(row: pd.Series) -> dict[str, str]:
    return {
        "expected": numbers.percent(row["expected"]),
        "range": numbers.percent_range(row["expected_low"], row["expected_high"]),
    }


@rc_context(charts.STYLE)
def _group_axes(table: pd.DataFrame) -> Axes:
    names = [short(words.person_or_team(name)) for name in table["group"]]
    ax = charts.rows_of(None, names, legend_rows=2)
    y = positions(table)
    is_control = (table["arm"] == "control").to_numpy()
    for rows, colour, text in (
        (~is_control, DARK, _("Since, changed")),
        (is_control, "#595959", _("Since, did not change")),
    ):
        if rows.any():
            part = table[rows]
            ax.hlines(y[rows], part["after_rate_low"].to_numpy(float), part["after_rate_high"].to_numpy(float),
                      color=colour, linewidth=1.5)  # fmt: skip
            ax.plot(
                part["after_rate"],
                y[rows],
                "o" if colour == DARK else "s",
                color=colour,
                label=text,
            )
    ax.plot(
        table["before_rate"], y, "o", color=charts.GREY, markerfacecolor="white", label=_("Before")
    )
    if table["expected_rate"].notna().any():
        ax.plot(table["expected_rate"], y, "|", color=charts.GREY, markersize=13, markeredgewidth=2,
                label=_("Expected without an effect"))  # fmt: skip
    note_rows(ax, [_("{before} → {after}").format(before=numbers.count(row.n_before), after=numbers.count(row.n_after))
                   for row in table.itertuples()])  # fmt: skip
    ax.set_xlim(left=0)
    ax.xaxis.set_major_locator(MaxNLocator(6, steps=[1, 2, 5, 10]))
    ax.xaxis.set_major_formatter(percent_ticks())
    ax.set_xlabel(_("Share won"))
    charts.legend_above(ax, columns=2)
    return ax


def _formed(row: Any) -> SimpleNamespace:
    """A placebo's row with the form of its measure."""
    names = ("before", "after", "effect", "effect_low", "effect_high")
    values = {name: getattr(row, name) for name in names}
    form = "days" if row.measure == "cycle" else "rate"
    return SimpleNamespace(**values, form=form, is_ratio=False)


@rc_context(charts.STYLE)
def _placebo_axes(table: pd.DataFrame) -> Figure:
    days = sorted(table["changed_on"].unique())
    shown = [name for name in ("win_rate", "cycle") if (table["measure"] == name).any()]
    figure = Figure(figsize=(charts.WIDTH, 0.9 + 0.27 * len(days)), layout="constrained")
    figure.get_layout_engine().set(wspace=0.12)
    axes = figure.subplots(1, len(shown), sharey=True, squeeze=False)[0]
    for ax, name in zip(axes, shown, strict=True):
        rows = table[table["measure"] == name]
        y = np.array([days.index(day) for day in rows["changed_on"]])
        is_true = rows["is_true"].to_numpy(dtype=bool)
        ax.axvline(0, color=DARK, linewidth=0.8)
        for side, colour, fill in (
            (~is_true, charts.GREY, "white"),
            (is_true, DARK, DARK),
        ):
            part = rows[side]
            ax.hlines(
                y[side],
                part["effect_low"].to_numpy(float),
                part["effect_high"].to_numpy(float),
                color=colour,
            )
            ax.plot(part["effect"], y[side], "o", color=colour, markerfacecolor=fill, markersize=5)
        ax.xaxis.set_major_locator(MaxNLocator(4, steps=[1, 2, 5, 10]))
        if name == "win_rate":
            ax.xaxis.set_major_formatter(
                FuncFormatter(lambda value, _: numbers.points(value, digits=0))
            )
            ax.set_xlabel(_("Share won (points)"))
        else:
            ax.xaxis.set_major_formatter(FuncFormatter(lambda value, _: signed(value)))
            ax.set_xlabel(_("Days open"))
        ax.tick_params(axis="y", length=0)
    axes[0].set_yticks(range(len(days)), labels=[numbers.date(day) for day in days])
    axes[0].set_ylim(len(days) - 0.5, -0.5)
    return figure
