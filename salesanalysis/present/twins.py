"""
The null twin beside the usual figure: what it would have shown if nothing differed.

A sentence or two for each figure that says whether it shows more than luck, or youth, would;
under them the table of all figures.
"""

from collections.abc import Callable
from typing import Any

import pandas as pd

from . import html, numbers, tables, words
from .html import Html
from .tables import Column, gate_value
from .words import _, label

_RARE = 0.05  # a p-value below this is more than luck


def ranking(table: pd.DataFrame, *, gate: Any, seen: Any, reason: str | None = None) -> Html:
    """
    Show what the list of reps would have shown, were all equally good, beside what it shows.

    Parameters
    ----------
    table : DataFrame, as ``twins.ranking`` gives
    gate : as ``reps.ranking`` gives
    seen : what ``observe`` gives
    reason : str, optional
        Why no rep can be compared.
    """
    what = _("The list of reps, and the same list if all were equally good")
    if table.empty:
        return tables.missing(what, seen=seen, reason=reason or _no_two_reps())
    rows = _by_figure(table)
    columns = [
        *_figure_and_seen(),
        _value_column(_("If all were equally good"), "twin_median"),
        *_range_and_p(),
    ]
    note = _(
        "Every deal was decided anew many times over, each with the share that deals of its kind are won with, whoever "
        "has it: median and 95 % range. p: how often such a list shows as much as yours or more; for the lowest share, "
        "as little or less. Below the others: the 95 % interval lies below the share of all."
    )
    return html.stack(
        html.paragraphs(_on_the_highest(rows["best_rate"], gate), _on_the_marked(rows)),
        tables.show(table, columns, what, seen, note),
    )


def months(
    table: pd.DataFrame, *, seen: Any, recent_months: int, reason: str | None = None
) -> Html:
    """
    Show what a dashboard would have shown of the recent months, had nothing changed, beside what it shows.

    Parameters
    ----------
    table : DataFrame, as ``twins.months`` gives
    seen : what ``observe`` gives
    recent_months : int
        Calendar months in which the recent deals were created.
    reason : str, optional
        Why there is nothing to show.
    """
    what = _("The recent months, and the same months if nothing had changed")
    if table.empty:
        return tables.missing(what, seen=seen, reason=reason or _no_two_sides(recent_months))
    rows = _by_figure(table)
    columns = [
        Column(label("twin_figure"), "text", _name),
        _value_column(_("Recent deals"), "seen_value"),
        _value_column(_("If nothing had changed"), "twin_median"),
        *_range_and_p(),
        _value_column(_("Deals created before"), "before_value"),
    ]
    note = _(
        "Each recent deal was given the fate of an earlier one many times over, and looked at for as long as it has "
        "been followed: median and 95 % range. p: how often that alone takes the figure as far from the earlier deals' "
        "as yours or farther; near 1, it seldom leaves it as near."
    )
    return html.stack(
        html.paragraphs(
            _on_the_won(rows["won_created_rate"], seen, recent_months),
            _on_the_cycle(rows["mean_cycle_days"]),
        ),
        tables.show(table, columns, what, seen, note),
    )


def _by_figure(table: pd.DataFrame) -> dict[str, Any]:
    return {row.figure: row for row in table.itertuples()}


def _on_the_highest(row: Any, gate: Any) -> str:
    text = _(
        "If all {n} reps were equally good, the highest share on the list would still be {twin} (likely {range}); "
        "yours is {seen}: "
    ).format(
        n=numbers.count(gate_value(gate, "n_reps")),
        twin=numbers.percent(row.twin_median),
        range=_percents(row),
        seen=numbers.percent(row.seen_value),
    )
    p = numbers.p_value(row.p_value)
    if row.p_value < _RARE:
        return text + _("luck alone seldom gives as much (p {p}).").format(p=p)
    text += _("that is what luck alone gives (p {p}).").format(p=p)
    if gate_value(gate, "is_open"):
        text += " " + _("The list as a whole departs from luck all the same, its top does not.")
    return text


def _on_the_marked(rows: dict[str, Any]) -> str:
    row, lowest = rows["n_flagged_low"], rows["worst_rate"]
    text = words.translate_n(
        "A usual mark “below the others” would fall on {twin} rep all the same (likely {range}); here it falls on "
        "{seen}, and the lowest share is {low} where luck alone gives {low_twin} (likely {low_range}).",
        "A usual mark “below the others” would fall on {twin} reps all the same (likely {range}); here it falls on "
        "{seen}, and the lowest share is {low} where luck alone gives {low_twin} (likely {low_range}).",
        row.twin_median,
    )
    return text.format(
        twin=numbers.count(row.twin_median),
        range=numbers.count_range(row.twin_low, row.twin_high),
        seen=numbers.count(row.seen_value),
        low=numbers.percent(lowest.seen_value),
        low_twin=numbers.percent(lowest.twin_median),
        low_range=_percents(lowest),
    )


def _on_the_won(row: Any, seen: Any, recent_months: int) -> str:
    before, twin = numbers.percent(row.before_value), numbers.percent(row.twin_median)
    text = words.translate_n(
        "Of the deals created in the last calendar month up to {date}, {seen} are won so far, against {before} of those "
        "created before. ",
        "Of the deals created in the last {n} calendar months up to {date}, {seen} are won so far, against {before} of "
        "those created before. ",
        recent_months,
    ).format(
        n=numbers.count(recent_months),
        date=numbers.date(seen.as_of),
        seen=numbers.percent(row.seen_value),
        before=before,
    )
    return text + _had_nothing_changed(
        row,
        twin=twin,
        range=_percents(row),
        why="" if twin == before else _(", for young deals have had little time"),
        above=_("the recent ones are won more often than that."),
        below=_("the recent ones are won less often than that."),
    )


def _on_the_cycle(row: Any) -> str:
    if pd.isna(row.seen_value):
        return _("None of the recent deals is won yet, so that there is no cycle to compare.")
    before, twin = _days(row.before_value), _days(row.twin_median)
    text = _("Those won took {seen} on average, against {before}. ").format(
        seen=_days(row.seen_value), before=before
    )
    return text + _had_nothing_changed(
        row,
        twin=twin,
        range=_day_range(row),
        why="" if twin == before else _(", for only the quick ones can be won yet"),
        above=_("the recent wins took longer than that."),
        below=_("the recent wins were quicker than that."),
    )


def _had_nothing_changed(
    row: Any, *, twin: str, range: str, why: str, above: str, below: str
) -> str:
    """What the twin shows, why it differs from the earlier deals, and on which side of it the figure is."""
    if pd.isna(row.twin_median):
        return _not_followed()
    text = _("Had nothing changed it would be {twin} (likely {range}){why}: ").format(
        twin=twin, range=range, why=why
    )
    if row.seen_value > row.twin_high:
        return text + above
    if row.seen_value < row.twin_low:
        return text + below
    if not why:
        return text + _("no sign of a change.")
    return text + _("that is what their youth alone gives, no sign of a change.")


def _not_followed() -> str:
    return _(
        "What it would be had nothing changed cannot be said: the earlier deals were not followed as long as the recent "
        "ones have been."
    )


def _no_two_reps() -> str:
    return _("This takes two or more reps with deals old enough, some of them won and some not.")


def _no_two_sides(recent_months: int) -> str:
    return words.translate_n(
        "This takes deals created in the last calendar month and deals created before.",
        "This takes deals created in the last {n} calendar months and deals created before.",
        recent_months,
    ).format(n=numbers.count(recent_months))


def _figure_and_seen() -> list[Column]:
    return [
        Column(label("twin_figure"), "text", _name),
        _value_column(label("twin_seen"), "seen_value"),
    ]


def _range_and_p() -> list[Column]:
    return [
        Column(
            label("twin_range"),
            "number",
            lambda row: _value(row.figure, row.twin_low, row.twin_high),
        ),
        tables.p_column("p_value"),
    ]


def _value_column(head: str, name: str) -> Column:
    return Column(head, "number", lambda row: _value(row.figure, getattr(row, name)))


def _name(row: Any) -> str:
    return label(f"twin_{row.figure}")


def _value(figure: str, *values: float) -> str:
    """A value, or the two ends of a range; the unit stands in the name of the figure."""
    if figure in _FORMS:
        if any(pd.isna(value) for value in values):
            return numbers.missing()
        return "–".join(_FORMS[figure](value) for value in values)
    form = numbers.percent if len(values) == 1 else numbers.percent_range
    return form(*values, digits=1)


def _percents(row: Any) -> str:
    """The twin's range of a rate; one number where its ends read alike."""
    low, high = numbers.percent(row.twin_low), numbers.percent(row.twin_high)
    return low if low == high else numbers.percent_range(row.twin_low, row.twin_high)


def _day_range(row: Any) -> str:
    low, high = (numbers.decimal(value, digits=0) for value in (row.twin_low, row.twin_high))
    return _days(row.twin_high) if low == high else f"{low}–{_days(row.twin_high)}"


def _days(value: float) -> str:
    if pd.isna(value):
        return numbers.missing()
    return words.translate_n("{n} day", "{n} days", round(value)).format(
        n=numbers.decimal(value, digits=0)
    )


def _one_decimal(value: float) -> str:
    return numbers.decimal(value, digits=1)


_FORMS: dict[str, Callable[[float], str]] = {  # of figures that are no rates
    "spread": lambda value: numbers.points(value).removeprefix("+"),
    "n_flagged_low": numbers.count,
    "chi2": _one_decimal,
    "mean_cycle_days": _one_decimal,
}
