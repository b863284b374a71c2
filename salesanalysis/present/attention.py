"""
Today's list on a page and as files: what to do, why and by when, one person at a time.

The arguments ``seen`` and ``reason`` are those of `tables`. What a page shows of persons is only what the metric
tables hold: given the deals of one rep, nobody else is named.
"""

import csv
import datetime
import hashlib
import io
import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
from icalendar import Calendar, Todo
from matplotlib import rc_context
from matplotlib.axes import Axes

from . import answers, charts, html, numbers, tables, words
from .figures import deals, source
from .html import Html
from .tables import Column, rep_name
from .words import _, label

SHOWN_DAYS = (0, 7, 14, 30, 60, 90, 180)  # of the days after which the chance is known
NAMING = ("no_open_deals",)  # findings that name a person
LOWEST_PRIORITY = 9  # of a calendar; 1 is the highest


def answer(
    table: pd.DataFrame,
    *,
    by_reason: pd.DataFrame,
    ledger: pd.DataFrame,
    seen: Any,
    per_person: int,
    team: str = "",
) -> Html:
    """
    Answer how many of the open deals need attention, what is at stake in today's, and why most often.

    Parameters
    ----------
    table, by_reason : as ``attention.attention`` and ``attention.by_reason`` give
    ledger : as ``quality.ledger`` gives
    seen, per_person, team : as the metrics took them
    """
    today, n_open = _today(table), int(by_reason["n_open"].max())
    truth = answers.truth(ledger, seen=seen)
    truth += [_("Team: {team}").format(team=team)] if team else []
    most = by_reason.loc[by_reason["n_deals"].idxmax()]
    cards = [
        _card(
            _("Need attention"),
            _("{k} of {n}").format(k=numbers.count(len(table)), n=deals(n_open)),
        ),
        _card(
            _("To do today"),
            numbers.count(len(today)),
            _("{n} more wait; a person does {most} a day").format(
                n=numbers.count(len(table) - len(today)), most=numbers.count(per_person)
            ),
        ),
        _value_card(today, seen),
        *_loss_card(by_reason),
    ]
    if table.empty:
        message = _("None of the {n} needs attention today").format(n=_open(n_open))
        if not n_open:
            message = _("There is no open deal, so none needs attention")
        return html.answer(message=message, truth=truth, cards=cards[:3])
    message = _(
        "{k} of the {n} need attention, {today} of them on {date}{value}; most often because {why} ({most})"
    )
    return html.answer(
        message=message.format(
            k=numbers.count(len(table)),
            n=_open(n_open),
            today=numbers.count(len(today)),
            date=numbers.date(today["due"].iloc[0]),
            value=_at_stake(today, seen),
            why=because(most["reason"]),
            most=numbers.count(most["n_deals"]),
        ),
        truth=truth,
        cards=cards,
    )


def cautions(findings: pd.DataFrame, *, seen: Any, rep: str = "") -> Html:
    """
    Warn of the findings that bend the figures; on a rep's page without those that name a person.
    """
    if rep and len(findings):
        findings = findings[~findings["kind"].isin(NAMING)]
    return answers.cautions(findings, seen=seen)


def today(
    table: pd.DataFrame, reasons: pd.DataFrame, *, seen: Any, reason: str | None = None
) -> Html:
    """
    Show what each person does today, most value at stake first, with why and what.

    Parameters
    ----------
    table, reasons : as ``attention.attention`` and ``attention.reasons`` give
    seen, reason : see the module
    """
    rows = _today(table)
    if rows.empty:
        return tables.missing(_("Today's list"), seen=seen, reason=reason)
    whys = _whys(reasons)
    return html.stack(
        *(
            html.table(
                caption=caption,
                columns=[(label("deal_at_stake"), "text"), (label("action_and_why"), "text")],
                rows=[_cells(row, whys[row.deal_key], seen) for row in part.itertuples()],
            )
            for caption, part in _by_person(rows, seen)
        )
    )


def _by_person(rows: pd.DataFrame, seen: Any) -> list[tuple[str, pd.DataFrame]]:
    """Caption and rows of each person, by name; those that nobody is there for come last."""
    parts = []
    for (name, person), part in rows.groupby(["name", "person"], dropna=False, sort=True):
        who = _("Nobody yet") if pd.isna(person) else rep_name(name, person)
        is_shared = rows.loc[rows["name"] == name, "person"].nunique() > 1
        caption = _("{who}: {n} until {date}{value}").format(
            who=f"{who} ({person})" if is_shared else who,
            n=deals(len(part)),
            date=numbers.date(part["due"].iloc[0]),
            value=_at_stake(part, seen),
        )
        parts.append((caption, part))
    return parts


def _cells(row: Any, whys: list[str], seen: Any) -> list[Html]:
    """Two columns, so that they can be read on a phone: the deal and its worth, what to do and why."""
    return [
        _lines(_text(row.account) or _text(row.deal_id), deal_place(row), _value(row, seen)),
        _lines(action(row.action, row.what, row.stage), *whys),
    ]


def _lines(first: str, *more: str) -> Html:
    return html.render("lines", first=first, more=[text for text in more if text])


def deal_place(row: Any) -> str:
    """
    Say the number of a deal and the stage it is in.

    Examples
    --------
    >>> deal_place(pd.Series({"account": "Lumière", "deal_id": "0042", "stage": "Demo"}))
    '0042, Demo'
    """
    return _("{deal}, {stage}").format(deal=_text(row.deal_id), stage=words.stage(row.stage))


def waiting(table: pd.DataFrame, *, seen: Any) -> Html:
    """
    Show how many deals wait for a later day, by person (``attention.waiting``).
    """
    rows = table[table["n_waiting"] > 0]
    if rows.empty:
        return html.paragraphs(_("Nothing waits: all of it can be done today."))
    columns = [
        Column(label("listed_person"), "text", lambda row: _who(row.name, row.person)),
        *tables.count_columns("n_today", "n_waiting"),
        *tables.amount_columns(seen, "value_waiting"),
        Column(label("last_due"), "text", lambda row: numbers.date(row.last_due)),
    ]
    note = _(
        "At the pace of today the last one comes up on the day named; only weekends are left out, public holidays are "
        "not known here. A long queue is a reason to close what is dead."
    )
    return tables.show(rows, columns, _("What waits"), seen, note)


def reasons(
    by_reason: pd.DataFrame, *, seen: Any, ahead_days: int, reason: str | None = None
) -> Html:
    """
    Show how many open deals have each reason, with what counts as one (``attention.by_reason``).
    """
    given = by_reason[by_reason["why"] == ""]
    if given.empty or not given["n_open"].max():
        return tables.missing(_("Reasons"), seen=seen, reason=reason)
    ordered = given.sort_values("n_deals", ascending=False, kind="stable")
    first, n_open = ordered.iloc[0], int(given["n_open"].max())
    counts = [
        _("{reason} {n}").format(reason=reason_name(row.reason), n=numbers.count(row.n_deals))
        for row in ordered.itertuples()
    ]
    return html.figure(
        _bars(ordered),
        name="reasons",
        headline=_("{reason}: {k} of the {n}").format(
            reason=reason_name(first["reason"]), k=numbers.count(first["n_deals"]), n=_open(n_open)
        ),
        subtitle=_("Open deals with each reason; a deal can have several; as of {date}").format(
            date=numbers.date(seen.as_of)
        ),
        alt=_("Bars, the most frequent first, of {n}: {rows}.").format(
            n=_open(n_open), rows=", ".join(counts)
        ),
        source=source(seen),
        data=_definitions(given, seen, ahead_days),
    )


@rc_context(charts.STYLE)
def _bars(table: pd.DataFrame, ax: Axes | None = None) -> Axes:
    ax = charts.rows_of(ax, [reason_name(name) for name in table["reason"]], row_height=0.3)
    ax.barh(charts.positions(table), table["n_deals"], height=0.66, color=charts.ROLES["measure"])
    charts.note_rows(ax, [numbers.count(n) for n in table["n_deals"]])
    ax.set_xlim(0, max(1, table["n_deals"].max()))
    ax.xaxis.get_major_locator().set_params(integer=True)
    ax.set_xlabel(label("n_open_deals"))
    return ax


def _definitions(given: pd.DataFrame, seen: Any, ahead_days: int) -> Html:
    columns = [
        Column(label("reason"), "text", lambda row: reason_name(row.reason)),
        Column(label("counts_when"), "text", lambda row: counts_when(row, ahead_days=ahead_days)),
        *tables.count_columns("n_deals"),
        *tables.amount_columns(seen, "amount", "value_at_stake"),
    ]
    return tables.show(given, columns, _("What counts as a reason"), seen)


def impossible(by_reason: pd.DataFrame, *, seen: Any) -> Html:
    """
    Say which reasons this source cannot give, and why.
    """
    rows = by_reason[by_reason["why"] != ""]
    if rows.empty:
        return html.stack()
    columns = [
        Column(label("reason"), "text", lambda row: reason_name(row.reason)),
        Column(label("why_not"), "text", lambda row: why_not(row.why, row.text)),
    ]
    note = _("No deal is on the list for these reasons; that is no sign that all is well.")
    return tables.show(rows, columns, _("Reasons that cannot be given"), seen, note)


def chances(table: pd.DataFrame, *, seen: Any, reason: str | None = None) -> Html:
    """
    Show how often deals were won from each stage, by the days since they entered it (``chances.won_from_here``).
    """
    rows = table[table["days"].isin(SHOWN_DAYS)]
    what = _("Won from here, by stage and days since entering it")
    if rows.empty:
        return tables.missing(what, seen=seen, reason=reason)
    several = rows["pipeline"].nunique() > 1
    has_stages = rows["stage"].notna().any()
    all_of_them = _("All stages") if has_stages else _("All deals, since creation")
    columns = [
        Column(
            label("stage"),
            "text",
            lambda row: (
                all_of_them if pd.isna(row.stage) else charts.place(row, several_pipelines=several)
            ),
        ),
        *tables.span_columns("days"),
        *tables.count_columns("n_open_then"),
        *tables.estimate_columns("won_from_here"),
    ]
    names = {
        "n_open": "n_open_then",
        "won_rate": "won_from_here",
        "won_rate_low": "won_from_here_low",
        "won_rate_high": "won_from_here_high",
    }
    note = _(
        "Share of the company's own deals, open after so many days in the stage, that were won in the end; lost competes, "
        "open deals are followed until now. Where fewer than 20 were open, the row of all stages is used instead."
    )
    return tables.show(rows.rename(columns=names), columns, what, seen, note)


def data(
    findings: pd.DataFrame,
    ledger: pd.DataFrame,
    rejected: pd.DataFrame,
    *,
    seen: Any,
    rep: str = "",
) -> Html:
    """
    Show what was found and left out in the data; on a rep's page only the counts, which name nobody.
    """
    if rep:
        return tables.ledger(ledger, seen=seen)
    return html.stack(
        tables.findings(findings, seen=seen),
        tables.ledger(ledger, seen=seen),
        tables.rejected(rejected, seen=seen),
    )


def measure_cards() -> Html:
    """
    Define what the list is ranked by, and what it is.
    """
    measures = (words.measure(name) for name in words.MEASURES["attention"])
    return html.stack(*(html.measure_card(**measure._asdict()) for measure in measures))


def files(table: pd.DataFrame, reasons: pd.DataFrame, *, seen: Any) -> Html:
    """
    Offer today's list as a file of comma-separated values and as tasks for a calendar or CRM.

    Parameters
    ----------
    table, reasons : as ``attention.attention`` and ``attention.reasons`` give
    seen : what ``observe`` gives
    """
    texts = {"attention.csv": csv_text(table, reasons, seen=seen)}
    if len(_today(table)):  # a calendar must hold something
        texts["attention.ics"] = calendar_text(table, reasons, seen=seen)
    return html.files(_("Today's list as a table and as calendar tasks"), texts)


def csv_text(table: pd.DataFrame, reasons: pd.DataFrame, *, seen: Any) -> str:
    """
    Write today's list for a spreadsheet: UTF-8 with its mark, one row per deal, numbers and days as such.

    A text that a spreadsheet would run as a formula begins with ``'``.
    """
    whys = _whys(reasons)
    currency = seen.source["currency"] or ""
    columns: dict[str, Callable[[Any], str]] = {
        "due": lambda row: f"{row.due:%Y-%m-%d}",
        "listed_person": lambda row: _who(row.name, row.person),
        "listed_person_id": lambda row: _text(row.person),
        "task_rank": lambda row: str(row.rank),
        "deal_number": lambda row: _text(row.deal_id),
        "account": lambda row: _text(row.account),
        "stage": lambda row: _text(row.stage),
        "team": lambda row: _text(row.team),
        "action": lambda row: action(row.action, row.what, row.stage),
        "why_listed": lambda row: "; ".join(whys[row.deal_key]),
        "currency": lambda row: currency,
        "amount": lambda row: _number(row.amount, 2),
        "won_from_here": lambda row: _number(row.won_rate, 4),
        "won_from_here_low": lambda row: _number(row.won_rate_low, 4),
        "won_from_here_high": lambda row: _number(row.won_rate_high, 4),
        "value_at_stake": lambda row: _number(row.value_at_stake, 2),
    }
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\r\n")
    writer.writerow([label(name) for name in columns])
    for row in _today(table).itertuples():
        cells = {name: cell(row) for name, cell in columns.items()}
        writer.writerow(
            [
                cells[name] if name in _NUMBERS else html.spreadsheet_text(cells[name])
                for name in cells
            ]
        )
    return "\ufeff" + file.getvalue()


_NUMBERS = frozenset(
    {
        *("task_rank", "amount", "value_at_stake"),
        *("won_from_here", "won_from_here_low", "won_from_here_high"),
    }
)


def calendar_text(table: pd.DataFrame, reasons: pd.DataFrame, *, seen: Any) -> str:
    """
    Write today's list as tasks that a calendar or CRM imports (RFC 5545), one per deal.

    A task keeps its UID as long as the deal is on the list for the same reason, so importing it again replaces it.
    Its stamp is the as-of day: the same inputs give the same bytes.
    """
    whys = _whys(reasons)
    calendar = Calendar()
    calendar.add("prodid", "-//salesanalysis//attention//EN")
    calendar.add("version", "2.0")
    for row in _today(table).itertuples():
        calendar.add_component(_task(row, whys[row.deal_key], seen))
    return calendar.to_ical().decode("utf-8")


def _task(row: Any, whys: list[str], seen: Any) -> Todo:
    what = _plain(action(row.action, row.what, row.stage))
    lines = [
        *whys,
        _("Who: {who}").format(who=_who(row.name, row.person)),
        _("Deal: {deal}, {stage}").format(deal=deal_name(row), stage=words.stage(row.stage)),
        *filter(None, [_value(row, seen)]),
    ]
    task = Todo()
    task.add("uid", _uid(seen.source["name"], row.deal_id, row.reason))
    task.add("dtstamp", datetime.datetime(*_ymd(seen.as_of), tzinfo=datetime.UTC))
    task.add("due", datetime.date(*_ymd(row.due)))
    task.add("summary", f"{what} – {_plain(deal_name(row))}")
    task.add("description", "\n".join(_plain(line) for line in lines))
    task.add("priority", min(int(row.rank), LOWEST_PRIORITY))
    task.add("categories", [reason_name(name) for name in row.reasons])
    task.add("status", "NEEDS-ACTION")
    return task


def _value(row: Any, seen: Any) -> str:
    """Value at stake with what it is made of; what is known of it, where it is not."""
    currency = seen.source["currency"]
    if pd.isna(row.amount):
        return ""
    if pd.isna(row.value_at_stake):
        return _("{amount}, chance unknown").format(amount=numbers.money(row.amount, currency))
    return _("{value} at stake ({amount} × {chance})").format(
        value=numbers.money(row.value_at_stake, currency),
        amount=numbers.money(row.amount, None),
        chance=numbers.percent(row.won_rate),
    )


def _uid(*parts: str) -> str:
    digest = hashlib.sha256("\0".join(map(str, parts)).encode()).hexdigest()
    return f"{digest[:32]}@salesanalysis"


def _ymd(day: datetime.date) -> tuple[int, int, int]:
    return day.year, day.month, day.day


def _plain(text: str) -> str:
    """Text on one line: a calendar's text may hold no control character."""
    return re.sub(r"[\x00-\x1f\x7f\x85\u2028\u2029]+", " ", text.replace(numbers.NO_BREAK, " "))


def _today(table: pd.DataFrame) -> pd.DataFrame:
    return table[table["is_today"].astype(bool)]


def _whys(reasons: pd.DataFrame) -> dict[int, list[str]]:
    """Of each deal, its reasons in words."""
    whys: dict[int, list[str]] = {}
    for row in reasons.itertuples():
        whys.setdefault(row.deal_key, []).append(why(row))
    return whys


def why(row: Any) -> str:
    """
    Say a reason of one deal with what was found (a row of ``attention.reasons``).

    Examples
    --------
    >>> row = {"reason": "rotting", "found": 11.0, "threshold": 10.0, "since": pd.NaT, "what": "Demo"}
    >>> why(pd.Series(row))
    '11 days in Demo, 10 allowed'
    >>> why(pd.Series(row | {"reason": "step_overdue", "found": 1.0, "what": None}))
    'next step overdue for 1 day'
    >>> why(pd.Series(row | {"reason": "no_next_step", "found": float("nan")}))
    'no next step planned'
    """
    is_bare = pd.isna(row.found) or row.found == 0
    texts = {
        "loss_likely": _("large deal of which {chance} are won from here, under {limit}"),
        "step_overdue": _("{what} overdue for {days}"),
        "actions_missing": _("{k} of {n} required not done: {what}"),
        "no_next_step": _("no next step planned")
        if is_bare
        else _("no next step planned, nothing done for {days}"),
        "stuck": _("{days} old; 95 % of the won deals took at most {limit_days}"),
        "rotting": _("{days} in {what}, {allowed} allowed"),
        "close_pushed": _("closing date moved back {times}"),
        "close_over": _("expected to close {days} ago"),
    }
    return texts[row.reason].format(
        days=numbers.days(row.found),
        limit_days=numbers.days(row.threshold),
        allowed=numbers.span(row.threshold),
        chance=numbers.percent(row.found),
        limit=numbers.percent(row.threshold),
        k=numbers.count(row.found),
        n=numbers.count(row.threshold),
        times=words.translate_n("{n} time", "{n} times", row.found).format(
            n=numbers.count(row.found)
        ),
        what=_kinds(row.what) or _("next step"),
    )


def because(reason: str) -> str:
    """
    Say a reason as the end of a sentence.

    Examples
    --------
    >>> because("no_next_step")
    'no next step is planned'
    """
    return {
        "loss_likely": _("a large deal will probably be lost"),
        "step_overdue": _("a planned step is overdue"),
        "actions_missing": _("required actions are missing"),
        "no_next_step": _("no next step is planned"),
        "stuck": _("they are older than nearly all won deals were"),
        "rotting": _("they are longer in their stage than allowed"),
        "close_pushed": _("the closing date was moved back repeatedly"),
        "close_over": _("the expected closing date is over"),
    }[reason]


def reason_name(reason: str) -> str:
    """
    Name a reason.

    Examples
    --------
    >>> reason_name("rotting")
    'Rotting in its stage'
    """
    return {
        "loss_likely": _("Large, loss likely"),
        "step_overdue": _("Next step overdue"),
        "actions_missing": _("Required action missing"),
        "no_next_step": _("No next step"),
        "stuck": _("Older than won deals were"),
        "rotting": _("Rotting in its stage"),
        "close_pushed": _("Closing pushed back"),
        "close_over": _("Expected close is over"),
    }[reason]


def counts_when(row: Any, *, ahead_days: int) -> str:
    """
    Define a reason with its limit (a row of ``attention.by_reason``).

    Examples
    --------
    >>> row = pd.Series({"reason": "rotting", "threshold_low": 14.0, "threshold_high": 21.0})
    >>> counts_when(row, ahead_days=3)
    'days in the present stage above the days allowed (14–21); calendar days'
    """
    return {
        "loss_likely": _(
            "among the largest tenth of all open deals, and fewer than {limit} of such deals are won from here"
        ),
        "step_overdue": _(
            "a planned activity, or the next step, was due before the day of the report and is not done"
        ),
        "actions_missing": _(
            "a required action of the stage was not done since it was entered, and its days allowed are over or end "
            "within {ahead}"
        ),
        "no_next_step": _(
            "nothing is planned for the day of the report or later, and nothing is overdue"
        ),
        "stuck": _("days since creation above {days}, within which 95 % of the won deals were won"),
        "rotting": _("days in the present stage above the days allowed ({days}); calendar days"),
        "close_pushed": _("expected close date moved to a later day {days} times or more"),
        "close_over": _("the expected close date lies before the day of the report"),
    }[row.reason].format(
        days=numbers.span_range(row.threshold_low, row.threshold_high),
        limit=numbers.percent(row.threshold_high),
        ahead=numbers.days(ahead_days),
    )


def why_not(why: str, text: str) -> str:
    """
    Say why a reason cannot be given.

    Examples
    --------
    >>> why_not("source", "no activities were exported"), why_not("no_amount", "")
    ('no activities were exported', 'no open deal has an amount')
    """
    return {
        "source": words.value(text),
        "no_days_allowed": _(
            "neither the process file nor the CRM says how many days a stage may take"
        ),
        "no_required_actions": _("the process file asks for no action in any stage"),
        "nothing_planned": _(
            "no activity is entered before it is done, so what is planned is not known"
        ),
        "no_expected_close": _("no open deal has an expected close date"),
        "no_amount": _("no open deal has an amount"),
        "too_few_won": _("too few deals were won to say how long winning takes"),
        "too_few_followed": _("too few deals were followed to say how many are won from here"),
    }[why]


def action(slug: str, what: Any = None, stage: Any = None) -> str:
    """
    Say what to do.

    Examples
    --------
    >>> action("do_required_actions", "会议/拜访, 演示")
    'Do what the stage asks for: 会议 or 拜访, 演示'
    >>> action("do_overdue_step")
    'Do the overdue next step, or agree a new day for it'
    """
    return {
        "decide_with_manager": _("Decide with the manager: what would still win it, or close it"),
        "do_overdue_step": _("Do the overdue {what}, or agree a new day for it"),
        "do_required_actions": _("Do what the stage asks for: {what}"),
        "agree_next_step": _("Agree the next step with the customer and enter it with its day"),
        "ask_for_decision": _("Ask the customer for a decision; close the deal if there is none"),
        "move_on_or_close": _("Clear what keeps it in {stage}: move it on or close it"),
        "confirm_close": _("Confirm with the customer the day of closing and the steps to it"),
        "correct_close": _("Ask when the customer decides, and enter that day"),
        "assign_owner": _("Give the deal to somebody who works on it"),
    }[slug].format(what=_kinds(what) or _("next step"), stage=words.stage(stage))


def deal_name(row: Any) -> str:
    """
    Name a deal by its account and number.

    Examples
    --------
    >>> deal_name(pd.Series({"account": "Lumière", "deal_id": "0042"}))
    'Lumière · 0042'
    >>> deal_name(pd.Series({"account": None, "deal_id": "0042"}))
    '0042'
    """
    return " · ".join(filter(None, (_text(row.account), _text(row.deal_id))))


def _kinds(what: Any) -> str:
    return _text(what).replace("/", _(" or "))


def _who(name: Any, person: Any) -> str:
    return _("Nobody yet") if pd.isna(person) else rep_name(name, person)


def _open(n: int) -> str:
    return words.translate_n("{n} open deal", "{n} open deals", n).format(n=numbers.count(n))


def _text(value: Any) -> str:
    return "" if pd.isna(value) else str(value)


def _number(value: float, digits: int) -> str:
    return "" if pd.isna(value) else f"{value:.{digits}f}"


def _sum(values: pd.Series) -> float:
    return values.sum() if values.notna().any() else np.nan


def _at_stake(rows: pd.DataFrame, seen: Any) -> str:
    value = _sum(rows["value_at_stake"])
    if pd.isna(value):
        return ""
    return _(", {value} at stake").format(
        value=numbers.money(value, seen.source["currency"], compact=True)
    )


def _value_card(today: pd.DataFrame, seen: Any) -> dict[str, str]:
    currency = seen.source["currency"]
    value, known = _sum(today["value_at_stake"]), today["value_at_stake"].notna()
    if pd.isna(value):
        return _card(_("At stake today"), numbers.missing(), _("amount or chance unknown"))
    amount = today.loc[known, "amount"].sum()
    return _card(
        _("At stake today"),
        numbers.money(value, currency, compact=True),
        _("expected of {amount} in {n}").format(
            amount=numbers.money(amount, currency, compact=True), n=deals(int(known.sum()))
        ),
    )


def _loss_card(by_reason: pd.DataFrame) -> list[dict[str, str]]:
    row = by_reason[(by_reason["reason"] == "loss_likely") & (by_reason["why"] == "")]
    if row.empty:
        return []
    return [
        _card(
            _("Large deals likely lost"),
            numbers.count(row["n_deals"].iloc[0]),
            _("chance to be won under {limit}").format(
                limit=numbers.percent(row["threshold_high"].iloc[0])
            ),
        )
    ]


def _card(label: str, value: str, comparison: str = "") -> dict[str, str]:
    return {"label": label, "value": value, "comparison": comparison}
