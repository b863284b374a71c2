"""
The page on a change: did it work, and what to do; what its figures show is in `impact_figures`.

Formats what ``metrics.impact`` gives and computes no estimate. ``change`` is what ``impact.read_change`` gives: the
day, the groups that changed and those that did not, and what is wrong with them.
"""

from collections.abc import Sequence
from typing import Any

import pandas as pd

from . import answers, html, numbers, words
from .html import Html
from .impact_words import (
    effect_and_range,
    effect_range,
    groups_word,
    level,
    level_and_range,
    measure_name,
    named,
    nothing,
    others_word,
    short_level,
    verdict_name,
    whole_days,
)
from .kpis import lower
from .tables import Column, show
from .words import _, label

SOON, LATER, HALF_A_YEAR = 14, 31, 183  # days after the as-of date by which a step is due
FOLLOWED = 90  # days since the change, before which what is said holds for the time being
MOST_OTHERS = 1  # measures beside the first in the message
WIDEST = 20  # of a ratio: beyond, its range says nothing to a reader, and the counts do
CHANGED = ("cause_open", "against_control")
PRIMARY = ("win_rate", "cycle")  # what the message is about where it is shown
UNCHANGED = ("artefact_possible", "no_change")
SETTINGS = "the suite or params/change_impact.yaml"


def chosen(table: pd.DataFrame, measures: Sequence[str]) -> pd.DataFrame:
    """
    Keep the measures to show, in the order asked for; none: all. Their ranges still hold for all that were estimated.

    Raises
    ------
    ValueError
        A measure that the table does not have.
    """
    rows = table.set_index("measure", drop=False)
    if unknown := [name for name in measures if name not in rows.index]:
        raise ValueError(
            f"measures must be of {', '.join(rows.index)}, found {', '.join(unknown)}; set them in {SETTINGS}"
        )
    return rows.loc[list(dict.fromkeys(measures or rows.index))].reset_index(drop=True)


def answer(
    table: pd.DataFrame,
    *,
    verdict: Any,
    change: Any,
    groups: pd.DataFrame,
    ledger: pd.DataFrame,
    seen: Any,
) -> Html:
    """
    Answer whether the change worked: the verdict, after against before with its range, and each measure as a card.

    Parameters
    ----------
    table : as ``impact.measures`` gives
    verdict : as ``impact.verdict`` gives
        Its first measure is the one that the message is about.
    change : as ``impact.read_change`` gives
    groups : as ``reps.totals`` gives by the same groups; named where those of the change are unknown
    ledger : as ``quality.ledger`` gives
    seen : what ``observe`` gives
    """
    truth = [*answers.truth(ledger, seen=seen), *_truth_of(change, table)]
    row = _headline(table, verdict)
    if change.problem or row is None:
        why = problem(change, groups=groups, seen=seen)
        message = _("Whether the change worked cannot be said: {why}").format(why=why)
        return html.answer(message=message, truth=truth, cards=_cards_of(change))
    message = _message(row, change) + _others(table, row)
    cards = [_card_of(one) for one in table.itertuples()]
    cards += _cards_of(change) if len(cards) < 3 else []
    return html.answer(message=message, truth=truth, cards=cards[:6])


def problem(change: Any, *, groups: pd.DataFrame, seen: Any) -> str:
    """
    Say why a change cannot be looked at, and what to set where.
    """
    text = {
        "not_named": _(
            "no change is named; set changed_on (its first day) and treated (the {groups} that changed) in {file}"
        ),
        "unknown_groups": _(
            "{source} does not have the {groups} {names}; set by and treated in {file} to names of the source{known}"
        ),
        "outside_data": _(
            "the data do not reach over {day}, from deals created before it to deals created since; set changed_on in "
            "{file}"
        ),
        "too_short_before": _(
            "before {day} there are too few days of data to compare with; set changed_on in {file} to a later day, or "
            "load older deals"
        ),
        "too_short_after": _("only {days} have passed since {day}; from {ready} on it can be said"),
    }.get(change.problem or "", _("no measure to show; set measures in {file}"))
    return text.format(
        groups=groups_word(change.by),
        names=named(change.treated),
        day=numbers.date(change.changed_on),
        days=numbers.days(_days_since(change, seen)),
        ready=numbers.date(_day_after(change.changed_on, FOLLOWED)),
        known=_known(change, groups),
        source=seen.source["name"],
        file=SETTINGS,
    )


def not_skill(table: pd.DataFrame, *, change: Any) -> Html:
    """
    Warn, beside a list of reps, that those in the groups that changed win more, or less, for that reason too.

    Parameters
    ----------
    table : DataFrame, as ``impact.measures`` gives
    change : as ``impact.read_change`` gives

    Returns
    -------
    Html
        Nothing where the win rate is not called changed.
    """
    row = next(table[table["measure"] == "win_rate"].itertuples())
    if row.verdict not in ("cause_open", "against_control") or not change.treated:
        return html.stack()
    text = _(
        "{names} changed on {day}; {said}. Reps there stand higher or lower for that reason too: this list does not tell "
        "it from skill."
    )
    said = _("{after} of their deals are won by {days} since, {before} before").format(
        after=numbers.percent(row.after),
        before=numbers.percent(row.before),
        days=numbers.days(row.age_days),
    )
    return html.notice(
        title=_("Not skill alone"),
        text=text.format(
            names=named(change.treated), day=numbers.date(change.changed_on), said=said
        ),
    )


def to_do(table: pd.DataFrame, *, verdict: Any, change: Any, seen: Any) -> Html:
    """
    Say what follows from the verdict, each step with its reason, a role and a day.
    """
    row = _headline(table, verdict)
    if change.problem or row is None:
        steps = [_setting_step(change, seen)]
    elif row.verdict == "not_estimable":
        steps = [_wait_step(change, seen)]
    elif row.verdict in CHANGED and not row.is_better:
        steps = _steps_if_worse(row, change, seen)
    elif row.verdict == "against_control":
        steps = _steps_if_changed(row, change, seen)
    elif row.verdict == "cause_open":
        steps = _steps_if_cause_open(row, change, seen)
    else:
        steps = _steps_if_unchanged(row, table, change, seen)
    return html.table(
        caption=_("What to do"),
        columns=[(_(name), "text") for name in ("Step", "Why", "Who", "By")],
        rows=[[*texts, numbers.date(day)] for *texts, day in steps],
    )


def measures_table(table: pd.DataFrame, *, change: Any, seen: Any) -> Html:
    """
    Show each measure before and after, beside the groups that did not change, with its verdict.
    """
    what = _("Before and since {day}").format(day=numbers.date(change.changed_on))
    known = table[table["verdict"] != "not_estimable"]
    if known.empty:
        why = _("No measure could be estimated; the reasons stand below.")
        return nothing(what, change, seen, why)
    columns = [
        Column(label("impact_measure"), "text", measure_name),
        Column(label("impact_verdict"), "text", lambda row: verdict_name(row.verdict)),
        *(
            Column(
                label(f"impact_{side}"),
                "number",
                lambda row, side=side: level_and_range(row, side),
            )
            for side in ("before", "after")
        ),
        Column(label("impact_effect"), "number", lambda row: effect_and_range(row, "effect")),
        Column(
            label("impact_against_control"),
            "number",
            lambda row: effect_and_range(row, "against_control"),
        ),
        Column(label("impact_n_both"), "number", _sizes),
    ]
    return show(known, columns, what, seen, _note_of_ranges(known))


def not_shown(table: pd.DataFrame, *, change: Any, seen: Any) -> Html:
    """
    Say of each measure that could not be estimated why, and what it would take; nothing if there is none.
    """
    rows = [row for row in table.itertuples() if row.verdict == "not_estimable"]
    if change.problem:
        return nothing(_("Measures that cannot be estimated"), change, seen)
    if not rows:
        return html.paragraphs(_("Every measure asked for is shown."))
    return html.table(
        caption=_("Measures that cannot be estimated"),
        columns=[
            (label("impact_measure"), "text"),
            (_("Why"), "text"),
            (_("What it takes"), "text"),
        ],
        rows=[[measure_name(row), *_reason(row.reason, change, seen)] for row in rows],
    )


def measure_cards() -> Html:
    """
    Define the verdicts and the measures of this page.
    """
    return answers.measure_cards("change_impact")


def _headline(table: pd.DataFrame, verdict: Any) -> Any | None:
    """The row that the message is about: the first of the verdict that is shown, else the first shown."""
    rows = {row.measure: row for row in table.itertuples()}
    return next((rows[name] for name in (*verdict.measures, *PRIMARY, *rows) if name in rows), None)


def _truth_of(change: Any, table: pd.DataFrame) -> list[str]:
    if change.changed_on is None:
        return []
    texts = [_("Change on {day}").format(day=numbers.date(change.changed_on))]
    if len(table) and table["is_provisional"].any() and not change.problem:
        texts.append(
            _("Provisional: less than {days} since then").format(days=numbers.days(FOLLOWED))
        )
    return texts


def _cards_of(change: Any) -> list[dict[str, str]]:
    """The change itself, where measures are few."""
    nobody = numbers.missing() if change.problem else _("none")
    return [
        {"label": _("First day of the change"), "value": numbers.date(change.changed_on)},
        {
            "label": _("Changed"),
            "value": numbers.count(len(change.treated)) if change.treated else _("all"),
            "comparison": named(change.treated),
        },
        {
            "label": _("Did not change"),
            "value": numbers.count(len(change.control)) if change.control else nobody,
            "comparison": named(change.control),
        },
    ]


def _card_of(row: Any) -> dict[str, str]:
    if row.verdict == "not_estimable":
        return {
            "label": measure_name(row),
            "value": numbers.missing(),
            "comparison": verdict_name(row.verdict),
        }
    tone = "neutral"
    if row.verdict in CHANGED:
        tone = "good" if row.is_better else "bad"
    return {
        "label": measure_name(row),
        "value": _("{before} → {after}").format(
            before=short_level(row, "before"),
            after=short_level(row, "after") if row.form == "days" else level(row, "after"),
        ),
        "range": _range_of_card(row),
        "comparison": verdict_name(row.verdict),
        "tone": tone,
    }


def _range_of_card(row: Any) -> str:
    if row.is_ratio and row.effect_high > WIDEST:
        return _("{n} left before, {m} since: too few to say").format(
            n=numbers.count(row.n_left_before), m=numbers.count(row.n_left_after)
        )
    text = _("change likely {range}")
    if _column(row) == "against_control":
        text = _("beyond the others likely {range}")
    return text.format(range=effect_range(row, _column(row)))


def _column(row: Any) -> str:
    """The change that the verdict rests on."""
    return "against_control" if row.verdict == "against_control" else "effect"


def _message(row: Any, change: Any) -> str:
    if row.verdict == "not_estimable":
        return _("Whether the change worked cannot be said yet: {why}").format(
            why=_why_not(row.reason, change)
        )
    said = _sentence(row, change)
    if row.verdict == "against_control":
        text = _(
            "Changed against the comparison group{worse}: {said} (likely {range} against {others})"
        )
        return text.format(
            worse=_worse(row),
            said=said,
            range=effect_range(row, "against_control"),
            others=others_word(change),
        )
    if row.verdict == "cause_open":
        text = _("Changed{worse}, cause open: {said} (likely {range}); {why}")
        return text.format(
            worse=_worse(row),
            said=said,
            range=effect_range(row, "effect"),
            why=_why_open(row, change),
        )
    text = _("No change is shown: {said} (change likely {range}, perhaps none at all)")
    if row.verdict == "artefact_possible":
        text = _("No change is shown: {artefact}")
    if row.reason == "regression_to_mean":
        text = _(
            "No change is shown: {said}, no more than was to be expected of weak {groups} anyway"
        )
    return text.format(
        said=said,
        range=effect_range(row, "effect"),
        artefact=_artefact(row),
        groups=groups_word(change.by),
    )


def _sentence(row: Any, change: Any) -> str:
    text = {
        "win_rate": _(
            "an estimated {after} of deals are won by {days} since {day}, {before} before"
        ),
        "cycle": _("a deal stays open for an estimated {after} since {day}, {before} before"),
        "days_to_win": _("a win takes an estimated {after} since {day}, {before} before"),
        "turnover": _("an estimated {after} of people leave a year since {day}, {before} before"),
        "satisfaction": _(
            "customers give an estimated {after} of full marks since {day}, {before} before"
        ),
        "response_rate": _("{after} of those asked answer since {day}, {before} before"),
    }[row.measure]
    return text.format(
        after=level(row, "after"),
        before=level(row, "before"),
        days=numbers.days(row.age_days),
        day=numbers.date(change.changed_on),
    )


def _artefact(row: Any) -> str:
    """What the dashboard shows, and that it would show it anyway."""
    is_more = row.naive_after > row.naive_before
    if row.form == "days":
        text = _(
            "the shorter cycle on the dashboard ({after} against {before}) is what a young group of deals shows anyway "
            "(likely {range})"
        )
        if is_more:
            text = _(
                "the longer cycle on the dashboard ({after} against {before}) is what such a group of deals shows anyway "
                "(likely {range})"
            )
        return text.format(
            after=whole_days(row.naive_after),
            before=numbers.count(row.naive_before),
            range=numbers.count_range(row.twin_low, row.twin_high),
        )
    text = _(
        "the lower closed win rate on the dashboard ({after} against {before}) is what a young group of deals shows "
        "anyway (likely {range})"
    )
    if is_more:
        text = _(
            "the higher closed win rate on the dashboard ({after} against {before}) is what a young group of deals shows "
            "anyway (likely {range})"
        )
    return text.format(
        after=numbers.percent(row.naive_after),
        before=numbers.percent(row.naive_before),
        range=numbers.percent_range(row.twin_low, row.twin_high),
    )


def _others(table: pd.DataFrame, row: Any) -> str:
    """What the other measures add: those that changed, and what the dashboard shows for nothing."""
    changed = [
        one
        for one in table.itertuples()
        if one.measure != row.measure
        and one.verdict in CHANGED
        and (row.verdict not in CHANGED or one.verdict == row.verdict)
    ]
    text = ""
    if changed:
        parts = ", ".join(
            _("{name} ({before} → {after})").format(
                name=lower(measure_name(one)),
                before=short_level(one, "before"),
                after=level(one, "after"),
            )
            for one in changed[:MOST_OTHERS]
        )
        also = (
            _("; changed too: {parts}") if row.verdict in CHANGED else _("; but changed: {parts}")
        )
        text += also.format(parts=parts)
    artefacts = _artefacts(table)
    if artefacts and row.verdict not in (*CHANGED, "artefact_possible"):
        text += "; " + _artefact(artefacts[0])
    return text


def _artefacts(table: pd.DataFrame) -> list[Any]:
    """Measures that have not changed, while the dashboard shows what it would show anyway, and not what it showed before."""
    return [row for row in table.itertuples() if row.verdict in UNCHANGED and _is_youth(row)]


def _is_youth(row: Any) -> bool:
    if row.reason == "regression_to_mean" or pd.isna(row.twin_low):
        return False
    is_moved = not row.twin_low <= row.naive_before <= row.twin_high
    is_twin = row.twin_low <= row.naive_after <= row.twin_high
    return is_twin and (is_moved or row.verdict == "artefact_possible")


def _worse(row: Any) -> str:
    return "" if row.is_better else _(", for the worse")


def _why_open(row: Any, change: Any) -> str:
    if pd.isna(row.against_control):
        return _("something else may be the cause, for there is no comparison group")
    return _("against {others} no difference is clear (likely {range})").format(
        others=others_word(change), range=effect_range(row, "against_control")
    )


def _why_not(reason: str | None, change: Any) -> str:
    return _REASONS.get(str(reason), lambda: words.plain_slug(str(reason)))()


def _reason(reason: str | None, change: Any, seen: Any) -> tuple[str, str]:
    return _why_not(reason, change), _takes(reason, change, seen)


_REASONS = {
    "too_few_deals": lambda: _("too few deals were created before or since the change"),
    "too_short_followed": lambda: _("too few deals were followed long enough"),
    "too_few_closed": lambda: _("too few deals were closed before or since the change"),
    "too_few_won": lambda: _("too few deals were won before or since the change"),
    "no_people": lambda: _("the source has no people with their days of joining and leaving"),
    "not_by_team": lambda: _("people belong to teams, and the change is not by team"),
    "nobody_left": lambda: _("hardly anybody left, before or since"),
    "no_satisfaction": lambda: _("the source does not ask customers about their satisfaction"),
    "no_range": lambda: _("its range cannot be computed from so few cases"),
    "too_few_answers": lambda: _("too few customers were asked or answered"),
}


def _takes(reason: str | None, change: Any, seen: Any) -> str:
    again = _("look again on {day}").format(day=numbers.date(_next_look(change, seen)))
    return {
        "too_few_deals": _("larger groups, or {again}"),
        "no_people": _("a file of people with hired_on and left_on in the mapping"),
        "not_by_team": _("by: team"),
        "no_satisfaction": _("a file of satisfaction answers in the mapping"),
        "too_few_answers": _("more questions after a deal is closed, and {again}"),
    }.get(str(reason), "{again}").format(again=again)


def _known(change: Any, groups: pd.DataFrame) -> str:
    names = sorted(groups["group"].dropna()) if len(groups) else []
    if not names:
        return _(" (it has no {groups} at all)").format(groups=groups_word(change.by))
    return _(", such as {names}").format(names=named(names))


def _setting_step(change: Any, seen: Any) -> tuple:
    if change.problem == "too_short_after":
        return _wait_step(change, seen)
    return (
        _(
            "Set the day of the change and the groups that changed in {file}, then make the page again"
        ).format(file=SETTINGS),
        _("without them nothing can be compared"),
        _("Sales operations"),
        _day_after(seen.as_of, SOON),
    )


def _wait_step(change: Any, seen: Any) -> tuple:
    return (
        _("Make this page again, and until then call the change neither a success nor a failure"),
        _("by then the deals since the change have been followed long enough"),
        _("Sales operations"),
        _next_look(change, seen),
    )


def _steps_if_changed(row: Any, change: Any, seen: Any) -> list[tuple]:
    return [
        (
            _(
                "Keep the new way in {treated}, and bring it to {control}, some first and the others later"
            ).format(treated=named(change.treated), control=named(change.control)),
            _("{measure}: likely {range} against {others}").format(
                measure=measure_name(row),
                range=effect_range(row, "against_control"),
                others=others_word(change),
            ),
            _("Head of sales"),
            _day_after(seen.as_of, LATER),
        ),
        (
            _(
                "Make this page for the {groups} that begin next, with those still waiting as comparison"
            ).format(groups=groups_word(change.by)),
            _("what worked in the first {groups} need not work everywhere").format(
                groups=groups_word(change.by)
            ),
            _("Sales operations"),
            _day_after(seen.as_of, LATER + FOLLOWED),
        ),
    ]


def _steps_if_worse(row: Any, change: Any, seen: Any) -> list[tuple]:
    who = named(change.treated) or _("all {groups}").format(groups=groups_word(change.by))
    return [
        (
            _(
                "Stop the new way in {treated}, or mend it, until it is known what went wrong"
            ).format(treated=who),
            _("{measure}: likely {range}").format(
                measure=measure_name(row), range=effect_range(row, _column(row))
            ),
            _("Head of sales"),
            _day_after(seen.as_of, SOON),
        )
    ]


def _steps_if_cause_open(row: Any, change: Any, seen: Any) -> list[tuple]:
    who = _("Head of sales")
    compare = _(
        "Let the change begin in the next {groups} one after another, drawn by lot: those waiting are the comparison"
    ).format(groups=groups_word(change.by))
    if not change.treated:
        who = _("Sales operations")
        compare = _(
            "Name the {groups} that changed and those that did not (treated, control); if all did, leave some out next time"
        ).format(groups=groups_word(change.by))
    return [
        (compare, _why_open(row, change), who, _day_after(seen.as_of, LATER)),
        (
            _("Call it a change since {day}, not a success of the change").format(
                day=numbers.date(change.changed_on)
            ),
            _("seasons, prices and people change too"),
            _("Sales operations"),
            _day_after(seen.as_of, SOON),
        ),
    ]


def _steps_if_unchanged(row: Any, table: pd.DataFrame, change: Any, seen: Any) -> list[tuple]:
    steps, artefacts = [], _artefacts(table)
    if artefacts:
        steps.append(
            (
                _("Take the dashboard's figure off the slides, and compare deals at equal age"),
                _artefact(artefacts[0]),
                _("Sales operations"),
                _day_after(seen.as_of, SOON),
            )
        )
    steps.append(
        (
            _("Keep measuring, and make this page again"),
            _(
                "{measure}: anything from no change to {range} fits the data; more deals make the range narrower"
            ).format(measure=measure_name(row), range=effect_range(row, "effect")),
            _("Sales operations"),
            _next_look(change, seen),
        )
    )
    steps.append(
        (
            _("Decide how large a change would be worth its effort, before the next look"),
            _("a goal that is set afterwards is always met"),
            _("Head of sales"),
            _day_after(seen.as_of, LATER),
        )
    )
    return steps


def _next_look(change: Any, seen: Any) -> pd.Timestamp:
    """When the first deals since the change were followed long enough, then twice as long; after that half a year on."""
    days = [_day_after(change.changed_on, FOLLOWED), _day_after(change.changed_on, 2 * FOLLOWED)]
    later = [day for day in days if day > pd.Timestamp(seen.as_of)]
    return later[0] if later else _day_after(seen.as_of, HALF_A_YEAR)


def _day_after(day: Any, days: int) -> pd.Timestamp:
    return pd.NaT if day is None else pd.Timestamp(day) + pd.Timedelta(days=days)


def _days_since(change: Any, seen: Any) -> float:
    if change.changed_on is None:
        return float("nan")
    return (pd.Timestamp(seen.as_of) - pd.Timestamp(change.changed_on)).days + 1


def _sizes(row: Any) -> str:
    digits = 1 if row.form == "per_year" else 0
    before, after = (numbers.decimal(n, digits=digits) for n in (row.n_before, row.n_after))
    return _("{before} → {after}").format(before=before, after=after)


def _note_of_ranges(table: pd.DataFrame) -> str:
    return _(
        "Ranges hold for all measures together: each is a {level} range, so that with nothing changed any verdict says "
        "“changed” in at most {chance} of such pages. Number: deals, person-years, answers or questions, before → since."
    ).format(
        level=numbers.percent(table["confidence"].iloc[0], digits=1), chance=numbers.percent(0.05)
    )
