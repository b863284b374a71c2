"""
The page a leader opens first: what changed, is it real, what to do.

Formats what ``metrics.summary`` and the metrics behind it give and computes no estimate. ``seen`` is what ``observe``
gives. Where the source cannot say something, the page says why in words.
"""

from collections.abc import Sequence
from typing import Any

import pandas as pd
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, MaxNLocator

from . import answers, charts, figures, html, impact_words, numbers, summary_cards, tables, words
from .charts import note_rows, positions, rows_of, with_currency
from .html import Html
from .kpis import lower
from .summary_words import (
    amount,
    counted,
    currency_of,
    has_reason,
    is_chance,
    months_of,
    plain_amount,
    signed,
    signed_percent,
    step_of,
    with_code,
)
from .tables import Column, count_columns, show
from .words import _, label

GOOD, BAD = "#00664f", "#a63a00"  # the page's own colours of better and worse
MOST_ACTIONS, MOST_MOVERS, MOST_KINDS, MOST_GROUPS = 3, 5, 20, 4
_TOTALS = ("before", "after")


def answer(
    bookings: pd.DataFrame,
    *,
    bridge: pd.DataFrame,
    driver: Any,
    cohorts: pd.DataFrame,
    people: pd.DataFrame,
    required: pd.DataFrame,
    forecast: Any,
    actions: pd.DataFrame,
    ledger: pd.DataFrame,
    seen: Any,
) -> Html:
    """
    Say what was booked, against what, why, whether chance could make the difference, and what to do first.

    Parameters
    ----------
    bookings, bridge, driver, cohorts, people : as ``summary`` gives
    actions : as ``actions.by_worth`` gives
    required : as ``pipeline.required`` gives
    forecast : as ``forecast.forecast`` gives
    ledger : as ``quality.ledger`` gives
    seen : what ``observe`` gives
    """
    rows, currency = bookings.set_index("which"), currency_of(bookings, seen)
    cards = summary_cards.cards(
        bookings,
        bridge=bridge,
        cohorts=cohorts,
        people=people,
        required=required,
        forecast=forecast,
        seen=seen,
    )
    message = _bookings_message(rows, bridge, driver, currency) + _first_action(actions, seen)
    return html.answer(message=message, truth=answers.truth(ledger, seen=seen), cards=cards)


def to_do(table: pd.DataFrame, *, seen: Any) -> Html:
    """
    Show the three actions worth most, each with its worth, how sure it is, who does it and by when.

    Parameters
    ----------
    table : as ``actions.by_worth`` gives
    seen : what ``observe`` gives
    """
    if table.empty:
        return html.paragraphs(
            _(
                "No action can be valued: that takes stages, activities, expected close dates, or a change and groups that "
                "did not change to compare with, and the source has too little of them."
            )
        )
    columns = [
        Column(label("action_and_why"), "text", lambda row: f"{_what_to_do(row)} {_how_sure(row)}"),
        Column(label("worth_in_a_quarter"), "text", lambda row: _worth(row, seen)),
        Column(label("who_acts"), "text", _who),
        Column(label("due"), "text", lambda row: numbers.date(row.due_on)),
        Column(label("evidence_page"), "text", lambda row: page_name(row.page)),
    ]
    note = _(
        "Worths overlap, since a better win rate also makes the same pipeline worth more: do not add them up. Each holds if "
        "the rest goes on as in the last 12 months."
    )
    return show(table.head(MOST_ACTIONS), columns, _("Worth most now"), seen, note)


def is_real(
    bookings: pd.DataFrame,
    *,
    bridge: pd.DataFrame,
    measures: pd.DataFrame,
    change: Any,
    seen: Any,
) -> Html:
    """
    Say whether chance could make the difference in bookings, and what the change that was made did.

    Parameters
    ----------
    bookings, bridge : as ``summary`` gives
    measures, change : as ``impact.measures`` and ``impact.read_change`` give
        Nothing is said of a change where none is named, or it lies outside the data.
    seen : what ``observe`` gives
    """
    texts = [_chance(bookings.set_index("which"), bridge, currency_of(bookings, seen))]
    if change.problem == "unknown_groups":
        texts.append(
            _(
                "The change of {day} cannot be judged: the source has no {groups} {names}. Correct the names in the suite."
            ).format(
                day=numbers.date(change.changed_on),
                groups=impact_words.groups_word(change.by),
                names=impact_words.named(change.treated),
            )
        )
    elif change.problem not in ("not_named", "outside_data"):
        texts += _change(measures, change)
    return html.paragraphs(*texts)


def bridge_figure(
    table: pd.DataFrame, *, bookings: pd.DataFrame, driver: Any, seen: Any, name: str = "bridge"
) -> Html:
    """
    Show how the bookings of the quarter before became those of the last one, cause by cause.

    Parameters
    ----------
    table, bookings, driver : as ``summary.bridge``, ``bookings`` and ``driver`` give
    seen : what ``observe`` gives
    """
    rows, currency = bookings.set_index("which"), currency_of(bookings, seen)
    if table.empty:
        return tables.missing(_("Why bookings changed"), seen=seen, reason=_no_bridge(rows))
    steps = table[table["step"] != "change"]
    shown = steps[steps["value"].notna()].reset_index(drop=True)
    names = [_step_name(step, rows, table) for step in shown["step"]]
    parts = ", ".join(
        f"{of} {_total_or_change(row, currency)}"
        for of, row in zip(names, shown.itertuples(), strict=True)
    )
    return html.figure(
        _bridge_axes(shown, names, currency),
        name=name,
        headline=_bridge_headline(rows, table, driver, currency),
        subtitle=_(
            "{what} by quarter of closing and what each cause alone did to them; the causes add up to the change. Lines: "
            "95 % range, for the number of deals there are; as of {date}"
        ).format(what=counted(rows), date=numbers.date(seen.as_of)),
        alt=_("Bars: {parts}.").format(parts=parts),
        source=figures.source(seen),
        data=_bridge_table(steps, rows, table, currency, seen),
    )


def kinds_table(table: pd.DataFrame, *, bookings: pd.DataFrame, seen: Any) -> Html:
    """
    Show, by kind of deal, what was closed, won and booked in both quarters (``summary.kinds``).
    """
    what, currency = _("Deals closed by kind, in both quarters"), currency_of(bookings, seen)
    if table.empty:
        return tables.missing(what, seen=seen, reason=None)
    before, now = (table[table["which"] == which].set_index("kind") for which in ("before", "this"))
    rows = before.add_suffix("_then").join(now.add_suffix("_now")).reset_index()
    forms = {"n_closed": numbers.count, "n_won": numbers.count, "won_rate": numbers.percent}
    if currency:
        forms |= dict.fromkeys(("mean_amount", "total"), lambda value: amount(value, currency))
    columns = [
        Column(label("kind_of_deal"), "text", lambda row: _kind(row.kind)),
        *(_then_and_now(name, form) for name, form in forms.items()),
    ]
    note = _("Won deals without an amount are left out.")
    if len(rows) > MOST_KINDS:
        note += " " + _("{n} kinds with smaller bookings are not shown.").format(
            n=numbers.count(len(rows) - MOST_KINDS)
        )
    return show(rows.head(MOST_KINDS), columns, what, seen, note)


def movers_table(
    table: pd.DataFrame, *, bookings: pd.DataFrame, seen: Any, against: str = "before"
) -> Html:
    """
    Show the five teams, segments and products whose bookings changed most (``summary.movers``).

    Parameters
    ----------
    table, bookings : as ``summary`` gives
    seen : what ``observe`` gives
    against : before (the quarter before) or year_ago
    """
    rows, currency = bookings.set_index("which"), currency_of(bookings, seen)
    then, now = months_of(rows.loc[against]), months_of(rows.loc["this"])
    what = _("Largest changes, {now} against {then}").format(now=now, then=then)
    part = table[table["against"] == against]
    if part.empty:
        return tables.missing(what, seen=seen, reason=_no_movers(rows, against))
    columns = [
        Column(label("mover"), "text", lambda row: f"{label(row.kind)}: {words.value(row.group)}"),
        Column(label("change_amount"), "number", lambda row: signed(row.change, currency)),
        Column(label("change_share"), "number", lambda row: signed_percent(row.change_share)),
        Column(
            label("chance_alone"), "number", lambda row: f"± {plain_amount(row.chance, currency)}"
        ),
        Column(label("is_beyond_chance"), "text", lambda row: _beyond(is_clear=row.is_clear)),
        Column(then, "number", lambda row: amount(row.bookings_then, currency)),
        Column(now, "number", lambda row: amount(row.bookings, currency)),
        Column(label("n_won_both"), "number", _won_both),
    ]
    note = _(
        "Chance alone: how far bookings move if each of these deals could as well have been won in the other quarter, 95 of "
        "100 times for all {n} groups compared together. A large deal or two is enough for much of it."
    ).format(n=numbers.count(part["n_compared"].iloc[0]))
    return show(part.head(MOST_MOVERS), columns, what, seen, note)


def quarters_table(table: pd.DataFrame, *, seen: Any) -> Html:
    """
    Show bookings, target and deals of the three quarters compared (``summary.bookings``).
    """
    currency = currency_of(table, seen)
    columns = [
        Column(label("quarter_of_bookings"), "text", lambda row: months_of(row._asdict())),
        Column(
            label("bookings"), "number", lambda row: amount(row.bookings, currency, compact=False)
        ),
        Column(label("target"), "number", lambda row: numbers.money(row.target, currency)),
        Column(label("attainment"), "number", lambda row: numbers.percent(row.attainment)),
        *count_columns("n_won", "n_closed", "n_no_amount"),
    ]
    note = {
        "teams": _("Target: the amount quotas of all teams."),
        "persons": _("Target: the amount quotas of persons who manage nobody with one."),
    }.get(table["target_of"].iloc[0], _("The source has no quota in an amount."))
    return show(table, columns, _("Bookings of the quarters compared"), seen, note)


def measure_cards() -> Html:
    """
    Define the measures of the page.
    """
    return answers.measure_cards("executive_summary")


def page_name(notebook: str) -> str:
    """
    Name another page of the suite.

    Examples
    --------
    >>> page_name("change_impact")
    'Change impact'
    """
    return {
        "change_impact": _("Change impact"),
        "sales_funnel": _("Sales funnel"),
        "pipeline_forecast": _("Pipeline forecast"),
        "cohort_conversion": _("Cohort conversion"),
    }.get(notebook, words.plain_slug(notebook))


def _bookings_message(
    rows: pd.DataFrame, bridge: pd.DataFrame, driver: Any, currency: str | None
) -> str:
    now = rows.loc["this"]
    if pd.isna(now["bookings"]):
        text = _("What was booked in {months} cannot be said: the source did not record all of it")
        return text.format(months=months_of(now))
    text = (
        _("{what} in {months}: {value}") if currency is None else _("{what} of {months}: {value}")
    )
    text = text.format(
        what=counted(rows),
        months=months_of(now),
        value=amount(now["bookings"], currency) if currency else numbers.count(now["bookings"]),
    )
    if not pd.isna(now["attainment"]):
        text += _(", {share} of target").format(share=numbers.percent(now["attainment"]))
    return text + _against_before(rows.loc["before"], bridge, driver)


def _against_before(before: pd.Series, bridge: pd.DataFrame, driver: Any) -> str:
    if pd.isna(before["bookings"]):
        return _("; the quarter before was not recorded whole")
    if not before["change"]:
        return _(", as in the quarter before")
    is_up = before["change"] > 0
    texts = {
        ("amount", True): _(", {share} more than the quarter before"),
        ("amount", False): _(", {share} less than the quarter before"),
        ("count", True): _(", {share} more than in the quarter before"),
        ("count", False): _(", {share} fewer than in the quarter before"),
    }
    text = texts[before["measure"], bool(is_up)]
    if pd.isna(before["change_share"]):
        text = _(", after none in the quarter before")
    text = text.format(share=numbers.percent(abs(before["change_share"])))
    return text + _because(bridge, driver) + _by_chance(bridge)


def _because(bridge: pd.DataFrame, driver: Any) -> str:
    if driver is None:
        return ""
    text = _(", mostly because {reason}") if driver.share >= 0.5 else _(", most of all because {reason}")  # fmt: skip
    return text.format(reason=_reason(driver.step, bridge, is_up=driver.is_up))


def _reason(step: str, bridge: pd.DataFrame, *, is_up: bool) -> str:
    """A cause as a clause."""
    if step == "volume" and has_reason(bridge, "only_won"):
        return _("more deals were won") if is_up else _("fewer deals were won")
    more = {
        "volume": _("more deals were closed"),
        "mix": _("more of the deals closed were of kinds that bring much"),
        "rate": _("more of the deals closed were won"),
        "rate_of_large": _("kinds of deals with large amounts were won more often"),
        "amount": _("won deals of the same kind were larger"),
    }
    less = {
        "volume": _("fewer deals were closed"),
        "mix": _("fewer of the deals closed were of kinds that bring much"),
        "rate": _("fewer of the deals closed were won"),
        "rate_of_large": _("kinds of deals with large amounts were won less often"),
        "amount": _("won deals of the same kind were smaller"),
    }
    return (more if is_up else less)[step]


def _by_chance(bridge: pd.DataFrame) -> str:
    if bridge.empty:
        return ""
    if is_chance(bridge):
        return _("; chance alone could make this difference")
    return _("; that is more than chance makes")


def _first_action(actions: pd.DataFrame, seen: Any) -> str:
    if actions.empty:
        return ""
    row = next(actions.head(1).itertuples())
    text = {
        "gain": _(". Worth most now: {what} (about {worth} a quarter)"),
        "at_stake": _(". Worth most now: {what} (about {worth} at stake)"),
        "missing": _(". Worth most now: {what} (about {worth} missing)"),
        "overstated": _(". To do first: {what} (about {worth} counted on too much)"),
    }[row.kind]
    return text.format(what=_short_action(row, most=1), worth=_worth_alone(row, seen))


def _chance(rows: pd.DataFrame, bridge: pd.DataFrame, currency: str | None) -> str:
    if bridge.empty:
        text = _("Whether bookings changed by more than chance cannot be said: {why}")
        return text.format(why=_no_bridge(rows))
    change = step_of(bridge, "change")
    text = _(
        "{now} against {then}: {change}. By the number and size of the deals, the business behind it may have changed by "
        "anything from {low} to {high}"
    ).format(
        now=months_of(rows.loc["this"]),
        then=months_of(rows.loc["before"]),
        change=with_code(signed(change["value"], currency), currency),
        low=signed(change["low"], currency),
        high=signed(change["high"], currency),
    )
    text += _(": that can be chance. ") if is_chance(bridge) else _(": that is more than chance. ")
    return text + _won_of_closed(rows, bridge)


def _won_of_closed(rows: pd.DataFrame, bridge: pd.DataFrame) -> str:
    now, before = rows.loc["this"], rows.loc["before"]
    if has_reason(bridge, "only_won"):
        text = _("{k} deals were won, after {k_then}.")
    else:
        text = _("Of {n} deals closed {k} were won, after {k_then} of {n_then}.")
    text = text.format(
        k=numbers.count(now["n_won"]),
        n=numbers.count(now["n_closed"]),
        k_then=numbers.count(before["n_won"]),
        n_then=numbers.count(before["n_closed"]),
    )
    if n := now["n_no_amount"] + before["n_no_amount"]:
        text += " " + words.translate_n(
            "{n} of the won has no amount and is not in the bookings.",
            "{n} of the won have no amount and are not in the bookings.",
            n,
        ).format(n=numbers.count(n))
    return text


def _change(measures: pd.DataFrame, change: Any) -> list[str]:
    """A sentence on each of the two measures that a change is judged by."""
    rows = [row for row in measures.itertuples() if row.measure in ("win_rate", "cycle")]
    said = [] if change.problem else [row for row in rows if row.verdict != "not_estimable"]
    day = numbers.date(change.changed_on)
    if not said:
        return [_("Of the change of {day} nothing can be said yet.").format(day=day)]
    first = _("The change of {day} in {groups}, judged on {n}:").format(
        day=day,
        groups=impact_words.named(change.treated) if change.treated else _("all groups"),
        n=figures.deals(said[0].n_before + said[0].n_after),
    )
    return [" ".join([first, "; ".join(_one_measure(row) for row in said) + "."])]


def _one_measure(row: Any) -> str:
    text = _("{measure}: {before} before, {after} since").format(
        measure=lower(impact_words.measure_name(row)),
        before=impact_words.level(row, "before"),
        after=impact_words.level(row, "after"),
    )
    if not pd.isna(row.against_control):
        text += _(", {effect} beyond the groups that did not change ({range})").format(
            effect=impact_words.effect(row, "against_control"),
            range=impact_words.effect_range(row, "against_control"),
        )
    return _("{text}, {verdict}").format(text=text, verdict=impact_words.verdict_name(row.verdict))


def _no_bridge(rows: pd.DataFrame) -> str:
    if rows.loc[["this", "before"], "bookings"].isna().any():
        return _("one of the two quarters was not recorded whole.")
    return _("nothing was closed in one of the two quarters.")


def _step_name(step: str, rows: pd.DataFrame, bridge: pd.DataFrame) -> str:
    if step in _TOTALS:
        return months_of(rows.loc["before" if step == "before" else "this"])
    names = {
        "volume": _("Deals won") if has_reason(bridge, "only_won") else _("Deals closed"),
        "mix": _("Kinds of deals"),
        "rate": _("Share won, by kind"),
        "amount": _("Mean amount, by kind"),
    }
    return names[step]


def _total_or_change(row: Any, currency: str | None) -> str:
    if row.step in _TOTALS:
        return amount(row.value, currency)
    span = _("{low} to {high}").format(
        low=signed(row.low, currency), high=signed(row.high, currency)
    )
    return f"{signed(row.value, currency)} ({span})"


def _bridge_headline(
    rows: pd.DataFrame, bridge: pd.DataFrame, driver: Any, currency: str | None
) -> str:
    change = step_of(bridge, "change")["value"]
    if driver is None:
        return _("{what} {change} against the quarter before").format(
            what=counted(rows), change=signed(change, currency)
        )
    step = "rate" if driver.step == "rate_of_large" else driver.step
    if driver.share > 1:
        text = _("{part} because {reason}; the others made up for some of it: {change} in all")
    else:
        text = _("Of {change}, {part} is because {reason}")
    return text.format(
        change=with_code(signed(change, currency), currency),
        part=signed(step_of(bridge, step)["value"], currency),
        reason=_reason(driver.step, bridge, is_up=driver.is_up),
    )


@rc_context(charts.STYLE)
def _bridge_axes(shown: pd.DataFrame, names: Sequence[str], currency: str | None) -> Axes:
    """Totals as bars from 0, causes as bars from where the one before ended, with their range."""
    ax = rows_of(None, list(names))
    y = positions(shown)
    is_total = shown["step"].isin(_TOTALS).to_numpy()
    colours = [_bar_colour(row) for row in shown.itertuples()]
    left = shown["start"].where(~is_total, 0.0).to_numpy(dtype=float)
    width = shown["value"].to_numpy(dtype=float)
    ax.barh(y, width, left=left, height=0.6, color=colours)
    for place, row in zip(y, shown.itertuples(), strict=True):
        if row.step not in _TOTALS:
            ax.hlines(
                place, row.start + row.low, row.start + row.high, color=charts.BLACK, linewidth=1.2
            )
            ax.vlines(row.start, place - 1, place, color=charts.GREY, linewidth=0.8)
    ax.vlines(shown["end"].iloc[-1], y[-1] - 1, y[-1], color=charts.GREY, linewidth=0.8)
    note_rows(ax, [_short_note(row, currency) for row in shown.itertuples()])
    ax.set_xlim(
        left=min(
            0.0, *(row.start + row.low for row in shown.itertuples() if row.step not in _TOTALS)
        )
    )
    ax.xaxis.set_major_locator(MaxNLocator(5))
    ax.xaxis.set_major_formatter(FuncFormatter(lambda value, _place: _tick(value, currency)))
    ax.set_xlabel(with_currency(_("Bookings") if currency else _("Deals won"), currency))
    return ax


def _tick(value: float, currency: str | None) -> str:
    return ("−" if value < 0 else "") + plain_amount(abs(value), currency)


def _bar_colour(row: Any) -> str:
    if row.step in _TOTALS:
        return charts.GREY if row.step == "before" else charts.BLACK
    return GOOD if row.value >= 0 else BAD


def _short_note(row: Any, currency: str | None) -> str:
    return plain_amount(row.value, currency) if row.step in _TOTALS else signed(row.value, currency)


def _bridge_table(
    steps: pd.DataFrame, rows: pd.DataFrame, bridge: pd.DataFrame, currency: str | None, seen: Any
) -> Html:
    columns = [
        Column(label("bridge_step"), "text", lambda row: _step_name(row.step, rows, bridge)),
        Column(label("bridge_value"), "number", lambda row: _in_full(row, currency)),
        Column(label("interval"), "number", lambda row: _step_range(row, currency)),
        Column(label("bridge_meaning"), "text", _step_meaning),
    ]
    note = _(
        "Rounded here; unrounded the causes add up to the change exactly. Deals count in the quarter they were closed in: "
        "losses recorded late, in one go, lower the share won of that quarter."
    )
    return show(steps, columns, _("From the quarter before to the last one"), seen, note)


def _in_full(row: Any, currency: str | None) -> str:
    if pd.isna(row.value):
        return numbers.missing()
    text = (
        numbers.count(abs(row.value)) if currency is None else numbers.money(abs(row.value), None)
    )
    if row.step in _TOTALS:
        return with_code(text, currency)
    return ("+" if row.value > 0 else "−" if row.value < 0 else "") + text


def _step_range(row: Any, currency: str | None) -> str:
    if pd.isna(row.value):
        return numbers.missing()
    if row.step in _TOTALS:
        return f"{plain_amount(row.low, currency)}–{plain_amount(row.high, currency)}"
    return _("{low} to {high}").format(
        low=signed(row.low, currency), high=signed(row.high, currency)
    )


def _step_meaning(row: Any) -> str:
    if row.why_not:
        return {
            "only_won": _("cannot be said: the source records no lost deal"),
            "no_amount": _("cannot be said: the source has no amounts"),
            "one_kind": _("cannot be said: all deals are of one kind"),
            "kinds_alike": _("nothing: every deal counts the same"),
        }[row.why_not]
    return {
        "before": _("the quarter before"),
        "after": _("the last quarter"),
        "volume": _("more or fewer deals, all else equal"),
        "mix": _("other kinds of deals closed"),
        "rate": _("another share won of deals of the same kind"),
        "amount": _("another mean amount of won deals of the same kind"),
    }[row.step]


def _kind(kind: tuple[str, ...]) -> str:
    if not kind:
        return _("all other kinds, each rare")
    return " · ".join(words.value(part) if part else _("(not given)") for part in kind)


def _then_and_now(name: str, form: Any) -> Column:
    def cell(row: Any) -> str:
        then, now = getattr(row, f"{name}_then"), getattr(row, f"{name}_now")
        return f"{form(then)} → {form(now)}"

    names = {"n_won": "n_won_both", "won_rate": "share_won", "total": "bookings"}
    return Column(label(names.get(name, name)), "number", cell)


def _no_movers(rows: pd.DataFrame, against: str) -> str:
    if pd.isna(rows.loc[against, "bookings"]):
        return _("{months} was not recorded whole.").format(months=months_of(rows.loc[against]))
    return _("the source has no team, segment or product with two values.")


def _beyond(*, is_clear: bool) -> str:
    return _("more than chance") if is_clear else _("could be chance")


def _won_both(row: Any) -> str:
    return f"{numbers.count(row.n_won_then)} → {numbers.count(row.n_won)}"


def _short_action(row: Any, *, most: int = MOST_GROUPS) -> str:
    text = {
        "roll_out": _("roll the new way out to {groups}"),
        "go_back": _("undo the change in {groups}"),
        "lever": _("bring {what} to the share that goes on in the better teams"),
        "opportunity": _("take on more deals of {segment}"),
        "decide": _("decide about {n} large open deals with little chance this quarter"),
        "build_pipeline": _("find the pipeline that this quarter lacks"),
        "clean": _("close or confirm {n} open deals older than any that ever closed"),
    }[row.action]
    return text.format(
        groups=_groups(row, most=most),
        what=words.stage(row.what) if row.action == "lever" else "",
        segment=_segment(row),
        n=numbers.count(row.n),
    )


def _what_to_do(row: Any) -> str:
    text = _short_action(row)
    return f"{text[:1].upper()}{text[1:]}."


def _groups(row: Any, *, most: int = MOST_GROUPS) -> str:
    """Groups by name, the number of many."""
    names = [words.person_or_team(name) for name in row.groups]
    if len(names) <= most:
        return ", ".join(names)
    by = row.what if row.page == "change_impact" else "team"
    return f"{numbers.count(len(names))} {impact_words.groups_word(by)}"


def _segment(row: Any) -> str:
    return words.value(row.groups[0]) if row.groups else ""


def _how_sure(row: Any) -> str:
    text = {
        "control": _(
            "The change was compared with groups that did not change: its effect is more than chance and not what happened "
            "everywhere. About {n} deals a quarter."
        ),
        "control_early": _(
            "The change was compared with groups that did not change, but fewer than 90 days have passed: for the time being. "
            "About {n} deals a quarter."
        ),
        "top": _("Of all stages it gains most with probability {share}."),
        "segments": _(
            "It is won more often than the rest (q {q}) and gets a small share of the new deals."
        ),
        "simulated": _(
            "The CRM expects them this quarter or before; of deals like them fewer than one in five was won in that time."
        ),
        "past": _(
            "{n} open deals are due; at the usual yield they do not bring what is left of the target."
        ),
        "counted": _("Forecasts and open pipeline count on them."),
    }[row.sure]
    return text.format(
        n=numbers.count(row.n),
        share=numbers.percent(row.sure_share),
        q=numbers.p_value(row.sure_share).removeprefix("= "),
    )


def _worth(row: Any, seen: Any) -> str:
    """What it is worth and in which sense, with its range."""
    currency = seen.source["currency"] if row.unit == "amount" else None
    text = {
        "gain": _("{value} gained"),
        "at_stake": _("{value} at stake"),
        "missing": _("{value} missing"),
        "overstated": _("{value} counted on too much"),
    }[row.kind].format(value=_worth_alone(row, seen))
    if pd.isna(row.worth_low):
        return text
    span = f"{plain_amount(row.worth_low, currency)}–{plain_amount(row.worth_high, currency)}"
    return _("{worth}, likely {range}").format(worth=text, range=span)


def _worth_alone(row: Any, seen: Any) -> str:
    if row.unit == "amount":
        return amount(row.worth, seen.source["currency"])
    return _("{n} wins").format(n=plain_amount(row.worth, None))


def _who(row: Any) -> str:
    if row.who == "managers":
        if not row.groups or row.action == "roll_out":
            return _("Sales managers")
        return _("Sales managers of {groups}").format(groups=_groups(row))
    return {"head": _("Head of sales"), "operations": _("Sales operations")}[row.who]
