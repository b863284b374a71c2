"""
The incentive pages: what the plans pay whom, line by line, for those who answer for them; and one person's statement.

Amounts paid stand to the cent, each with its rule, deal, credit and day. The arguments ``seen``, ``process`` and
``period`` are those of the metrics; ``process`` gives names and texts. ``seen`` gives the as-of day and the source.
"""

import datetime
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
from matplotlib import rc_context
from matplotlib.axes import Axes

from . import charts, figures, html, numbers, tables, words
from .html import Html
from .kpis import (
    evidence_text,
    kpi_names,
    months,
    opening,
    people,
    range_text,
    value_text,
)
from .tables import Column, rep_name
from .words import _, label

SOON = 14  # days until a step is due


def answer(
    payouts: pd.DataFrame,
    *,
    before: pd.DataFrame,
    tiers: pd.DataFrame,
    near: pd.DataFrame,
    ledger: pd.DataFrame,
    seen: Any,
    process: Any,
    period: Any,
    team: str = "",
    reason: str | None = None,
) -> Html:
    """
    Answer what the plans pay in a period, of which amount, and from which tier most of it comes.

    Parameters
    ----------
    payouts, before : as ``incentives.payouts`` gives, of the period and the one before it
    tiers : as ``incentives.cost_by_tier`` gives
    near : as ``incentives.near_a_step`` gives
    ledger : as ``quality.ledger`` gives
    seen, process, period, team : as the metrics took them
    reason : str, optional
        Why nothing can be paid, or not by every plan.
    """
    truth = opening(ledger, seen, process, period)
    if payouts.empty:
        message = _("Nothing can be paid for {period}: {reason}").format(
            period=months(period), reason=reason or _("nobody holds the role of a plan")
        )
        plans = process.on(period.first).plans
        cards = [
            _card(_("Plans in force"), numbers.count(len(plans))),
            _card(_("Payout"), numbers.missing()),
            _card(_("People with a plan"), numbers.count(0)),
        ]
        return html.answer(message=message, truth=truth, cards=cards)
    currency = seen.source["currency"]
    total, counts = _sum(payouts, "payout"), _sum(payouts, "amount")
    n_paid = payouts.loc[payouts["payout"] > 0, "person"].nunique()
    is_one = payouts["plan"].nunique() == 1  # the same deals may count for each of several plans
    message = _("{payout} for {n} of {people} in {period}{so_far}")
    if is_one:
        message += _(": {share} of the {amount} that counts")
    message = message.format(
        payout=numbers.money(total, currency),
        n=numbers.count(n_paid),
        people=people(payouts["person"].nunique())
        + (_(" of {team}").format(team=team) if team else ""),
        period=months(period),
        so_far=_(" so far") if is_running(seen, period) else "",
        share=_share_of(total, counts),
        amount=numbers.money(counts, currency, compact=True),
    )
    past = _share_of(_sum(before, "payout"), _sum(before, "amount")) if len(before) else None
    if is_one and past not in (None, numbers.missing()):
        message += _(", after {share} in the period before").format(share=past)
    message += _driver(tiers, process, period)
    back = _sum(payouts, "clawback")
    cut = _sum(payouts, "gate") + _sum(payouts, "cap")
    cards = [
        _card(
            _("Payout"),
            numbers.money(total, currency, compact=True),
            comparison=_against(total, before, currency),
        ),
        _card(
            _("Share of the amount that counts"),
            _share_of(total, counts) if is_one else numbers.missing(),
            comparison=_("of {amount}").format(amount=numbers.money(counts, currency, compact=True))
            if is_one
            else _("see each plan"),
        ),
        _card(_("Withheld by gates and cap"), numbers.money(abs(cut), currency, compact=True)),
        _card(
            _("Taken back"),
            numbers.money(abs(back), currency, compact=True),
            comparison=_("from {n}").format(n=people(int((payouts["clawback"] < 0).sum()))),
        ),
        _card(_("Near the next step"), people(near["person"].nunique())),
    ]
    none = payouts.loc[payouts["why"] == "no_quota", "person"].nunique()
    if none:
        cards.append(
            _card(
                _("Without a quota"),
                people(none),
                comparison=_("paid nothing: no step to measure on"),
            )
        )
    return html.answer(message=message, truth=truth, cards=cards)


def cautions(
    payouts: pd.DataFrame,
    *,
    gates: pd.DataFrame,
    seen: Any,
    process: Any,
    period: Any,
    no_payments: str | None = None,
) -> Html:
    """
    Say what bends the amounts: a running period, refunds the source does not have, gates that nothing can close.

    Parameters
    ----------
    payouts, gates : as ``incentives.payouts`` and ``gates`` give
    no_payments : str, optional
        Why the source has no payments.
    """
    if payouts.empty:
        return html.stack()
    texts = []
    if is_running(seen, period):
        texts.append(
            _(
                "The period runs until {date}. These are the amounts if nothing more happened: steps are those of the "
                "whole period, and a deal that is undone before its end will pay nothing."
            ).format(date=numbers.date(period.last))
        )
    plans = process.on(period.first).plans
    if no_payments and any("refund" in plan.clawback_when for plan in plans):
        texts.append(
            _("Refunds take back what was paid, but the source has none to see: {reason}.").format(
                reason=no_payments
            )
        )
    unjudged = gates[~gates["is_judged"].astype(bool)] if len(gates) else gates
    if len(unjudged):
        texts.append(
            _(
                "{k} of {n} gates cannot be judged and stay open: nobody loses money without evidence."
            ).format(k=numbers.count(len(unjudged)), n=numbers.count(len(gates)))
        )
    return html.notice(title=_("Read with care"), text=texts) if texts else html.stack()


def to_do(
    payouts: pd.DataFrame,
    *,
    lines: pd.DataFrame,
    gates: pd.DataFrame,
    near: pd.DataFrame,
    seen: Any,
    process: Any,
    period: Any,
    until: datetime.date | None,
) -> Html:
    """
    Say what follows: amounts taken back to be talked about, closed gates, quotas to be set, people near a step.

    Parameters
    ----------
    payouts, lines, gates, near : as the metrics of those names give
    until : date, optional
        Last day to object.
    """
    if payouts.empty:
        return html.stack()
    by = numbers.date(pd.Timestamp(seen.as_of) + pd.Timedelta(days=SOON))
    rules = process.on(period.first)
    reviewer = words.text(rules.scorecard.reviewer) if rules.scorecard else _("Manager")
    currency = seen.source["currency"]
    rows = []
    back = lines[lines["kind"] == "clawback"]
    if len(back):
        largest = back.loc[back["pay"].idxmin()]
        rows.append(
            [
                _("Check each clawback with the person before it is booked"),
                _("{amount} from {n}; the largest: {name}, deal {deal}, {pay}").format(
                    amount=_paid(-_sum(back, "pay"), currency),
                    n=people(back["person"].nunique()),
                    name=rep_name(largest["name"], largest["person"]),
                    deal=largest["deal_id"],
                    pay=money(largest["pay"]),
                ),
                reviewer,
                by,
            ]
        )
    closed = gates[gates["is_below"].astype(bool)] if len(gates) else gates
    for kpi, part in closed.groupby("kpi", sort=False):
        improve = {rule.id: rule.improve for rule in rules.kpis}.get(kpi)
        rows.append(
            [
                words.text(improve) if improve else _("Agree a step"),
                _("{n} below the gate on {kpi}").format(
                    n=people(part["person"].nunique()), kpi=kpi_names(process, period)[kpi]
                ),
                reviewer,
                by,
            ]
        )
    none = payouts[payouts["why"] == "no_quota"]
    if len(none):
        rows.append(
            [
                _("Set the missing quotas, or say in writing that none is meant"),
                _("{n}: {names}").format(n=people(none["person"].nunique()), names=_names(none)),
                reviewer,
                by,
            ]
        )
    if len(near) and is_running(seen, period):
        rows.append(
            [
                _("Say what the next step needs"),
                _("{n} within a tenth of it: {names}").format(
                    n=people(near["person"].nunique()), names=_names(near)
                ),
                reviewer,
                numbers.date(period.last),
            ]
        )
    if until and not is_running(seen, period):
        rows.append(
            [
                _("Give each person the own statement, and hear objections before paying"),
                people(payouts["person"].nunique()),
                reviewer,
                numbers.date(until),
            ]
        )
    if not rows:
        return html.paragraphs(
            _("Nothing is to be cleared: no clawback, no closed gate, no missing quota.")
        )
    return html.table(
        caption=_("What to do"),
        columns=[(_("Step"), "text"), (_("Why"), "text"), (_("Who"), "text"), (_("By"), "text")],
        rows=rows,
    )


def payout_bars(
    payouts: pd.DataFrame, *, seen: Any, process: Any, period: Any, reason: str | None = None
) -> Html:
    """
    Show what each person is paid, the largest first, with quota attainment beside it.
    """
    what = _("Payout per person")
    if payouts.empty:
        return tables.missing(what, seen=seen, reason=reason)
    currency = seen.source["currency"]
    shown = payouts.head(figures.MOST_ROWS).reset_index(drop=True)
    first = shown.iloc[0]
    headline = _("The largest payout is {name}’s, {amount} of {total} in all").format(
        name=rep_name(first["name"], first["person"]),
        amount=numbers.money(first["payout"], currency),
        total=numbers.money(_sum(payouts, "payout"), currency),
    )
    listed = ", ".join(
        f"{rep_name(row.name, row.person)} {money(row.payout)}"
        for row in shown.head(8).itertuples()
    )
    subtitle = _(
        "Payout{unit} in {period}; at the right the amount and, with a quota, its attainment"
    ).format(unit=f" ({currency})" if currency else "", period=months(period))
    if len(payouts) > len(shown):
        subtitle += _("; the first {n} of {total}").format(
            n=numbers.count(len(shown)), total=numbers.count(len(payouts))
        )
    return html.figure(
        _bars(shown, currency=currency),
        name="payouts",
        headline=headline,
        subtitle=subtitle,
        alt=_("Bars, the largest first: {rows}{more}.").format(
            rows=listed, more=_(" and others") if len(payouts) > 8 else ""
        ),
        source=figures.source(seen),
        data=payout_table(payouts, seen=seen, process=process, period=period),
    )


@rc_context(charts.STYLE)
def _bars(table: pd.DataFrame, *, currency: str | None, ax: Axes | None = None) -> Axes:
    names = [charts.short(rep_name(row.name, row.person)) for row in table.itertuples()]
    ax = charts.rows_of(ax, names, row_height=0.24)
    colours = np.where(table["payout"] < 0, charts.ROLES["lost"], charts.ROLES["measure"])
    ax.barh(charts.positions(table), table["payout"], height=0.62, color=colours)
    ax.axvline(0, color=charts.GREY, linewidth=0.8)
    charts.note_rows(ax, [_note_of_bar(row) for row in table.itertuples()])
    ax.xaxis.set_major_locator(charts.MaxNLocator(5))
    ax.xaxis.set_major_formatter(charts.amount_ticks())
    ax.set_xlabel(charts.with_currency(label("payout"), currency))
    return ax


def _note_of_bar(row: Any) -> str:
    amount = ("−" if row.payout < 0 else "") + numbers.money(abs(row.payout), None)
    return amount if pd.isna(row.attainment) else f"{amount} ({numbers.percent(row.attainment)})"


def payout_table(
    payouts: pd.DataFrame, *, seen: Any, process: Any, period: Any, reason: str | None = None
) -> Html:
    """
    Show how each payout adds up, to the cent: gross, gates, cap, clawback.
    """
    what = _("Payouts, {period}").format(period=months(period))
    if payouts.empty:
        return tables.missing(what, seen=seen, reason=reason)
    columns = [
        Column(label("rep"), "text", lambda row: rep_name(row.name, row.person)),
        Column(label("team"), "text", lambda row: words.person_or_team(row.team)),
        *_plan_columns(payouts, process),
        Column(_("Days there"), "number", lambda row: numbers.count(row.days)),
        *_payout_columns(seen, _plans(process, period)),
    ]
    note = _(
        "Payout = gross + gates + cap + taken back, each the sum of the lines below. The quota is prorated for the "
        "days employed. “Not there any more”: something is taken back from a person without the plan in this period."
    )
    return tables.show(payouts, columns, what, seen, note)


def _payout_columns(seen: Any, plans: dict[str, Any]) -> list[Column]:
    currency = seen.source["currency"]
    return [
        Column(label("n_deals"), "number", lambda row: numbers.count(row.n_deals)),
        _money_column("counted_amount", currency, lambda row: row.amount),
        _money_column("prorated_quota", currency, lambda row: row.quota),
        Column(
            label("attainment"), "number", lambda row: numbers.percent(row.attainment, digits=1)
        ),
        Column(label("tier"), "text", lambda row: tier_reached(row, plans)),
        *_parts_of_pay(currency),
    ]


def _parts_of_pay(currency: str | None) -> list[Column]:
    return [
        _money_column(name, currency, lambda row, name=name: getattr(row, name))
        for name in ("gross", "gate", "cap", "clawback", "payout")
    ]


def cost(
    by_team: pd.DataFrame,
    *,
    by_plan: pd.DataFrame,
    tiers: pd.DataFrame,
    seen: Any,
    process: Any,
    period: Any,
    reason: str | None = None,
) -> Html:
    """
    Show what the plans cost by team, by plan where there are several, and by tier.

    Parameters
    ----------
    by_team, by_plan : as ``incentives.cost`` gives
    tiers : as ``incentives.cost_by_tier`` gives
    """
    what = _("Cost by team, {period}").format(period=months(period))
    if by_team.empty:
        return tables.missing(what, seen=seen, reason=reason)
    blocks = [_cost_table(by_team, label("team"), words.person_or_team, what, seen)]
    if len(by_plan) > 1:
        what = _("Cost by plan, {period}").format(period=months(period))
        names = plan_names(process)
        blocks.append(_cost_table(by_plan, label("plan"), names.__getitem__, what, seen))
    if len(tiers):
        blocks.append(_tier_table(tiers, seen, process, period))
    return html.stack(*blocks)


def _cost_table(
    table: pd.DataFrame, first: str, name: Callable[[Any], str], what: str, seen: Any
) -> Html:
    currency = seen.source["currency"]
    columns = [
        Column(first, "text", lambda row: name(row.group)),
        *tables.count_columns("n_people", "n_paid"),
        _money_column("counted_amount", currency, lambda row: row.amount),
        *_parts_of_pay(currency),
        Column(
            label("payout_share"), "number", lambda row: numbers.percent(row.payout_share, digits=1)
        ),
    ]
    return tables.show(table, columns, what, seen)


def _tier_table(tiers: pd.DataFrame, seen: Any, process: Any, period: Any) -> Html:
    plans, currency = _plans(process, period), seen.source["currency"]
    columns = [
        Column(label("tier"), "text", lambda row: tier_text(plans.get(row.plan), row.tier)),
        *_plan_columns(tiers, process),
        Column(label("rate"), "number", lambda row: _percent(row.rate)),
        *tables.count_columns("n_people", "n_deals"),
        _money_column("counted_amount", currency, lambda row: row.amount),
        _money_column("gross", currency, lambda row: row.pay),
        Column(label("pay_share"), "number", lambda row: numbers.percent(row.pay_share, digits=1)),
    ]
    what = _("Cost by tier, {period}").format(period=months(period))
    note = _(
        "Before gates, cap and clawback. A deal that is cut at a step counts in each of its tiers."
    )
    return tables.show(tiers, columns, what, seen, note)


def near_a_step(
    near: pd.DataFrame, *, seen: Any, process: Any, period: Any, reason: str | None = None
) -> Html:
    """
    Show who is near the next step, what is missing and what it would pay.
    """
    what = _("Near the next step, {period}").format(period=months(period))
    if near.empty:
        return tables.missing(
            what, seen=seen, reason=reason or _("Nobody is within a tenth of the next step.")
        )
    columns = [
        Column(label("rep"), "text", lambda row: rep_name(row.name, row.person)),
        Column(label("team"), "text", lambda row: words.person_or_team(row.team)),
        *_plan_columns(near, process),
        *_step_columns(near, seen, process, period),
    ]
    note = _note_of_steps(near)
    if not is_running(seen, period):
        note = _("The period is over: what is missing stays missing. ") + note
    return tables.show(near, columns, what, seen, note)


def _step_columns(table: pd.DataFrame, seen: Any, process: Any, period: Any) -> list[Column]:
    plans, currency = _plans(process, period), seen.source["currency"]
    columns = [
        _money_column("counted_amount", currency, lambda row: row.amount),
        Column(label("next_step"), "text", lambda row: step_text(plans[row.plan], row.next_tier)),
        _money_column("step_at", currency, lambda row: row.next_step),
        _money_column("missing", currency, lambda row: row.missing),
        Column(label("rate"), "number", lambda row: _percent(row.rate)),
        Column(label("next_rate"), "number", lambda row: _percent(row.next_rate)),
    ]
    if (table["tiers_are"] == "retroactive").any():
        columns.append(_money_column("jump", currency, lambda row: row.jump))
    return columns


def _money_column(name: str, currency: str | None, value: Callable[[Any], float]) -> Column:
    """A column of money to the cent, the currency in its label."""
    return Column(
        charts.with_currency(label(name), currency), "number", lambda row: money(value(row))
    )


def _note_of_steps(table: pd.DataFrame) -> str:
    if (table["tiers_are"] == "retroactive").any():
        return _(
            "Retroactive: reaching the step pays its rate on everything so far, the jump shown. Such a jump rewards "
            "moving a deal into the period; look at the dates of the deals around it."
        )
    return _(
        "Marginal: the next rate holds only for what lies above the step, so nothing jumps there."
    )


def line_table(
    lines: pd.DataFrame,
    *,
    seen: Any,
    process: Any,
    period: Any,
    is_own: bool = False,
    reason: str | None = None,
) -> Html:
    """
    Show every amount with the rule, deal, credit and day it comes from, and their sum.

    Parameters
    ----------
    lines : as ``incentives.lines`` gives
    is_own : bool
        A statement of one person: the person is not named in each row.
    """
    what = _("Every amount, {period}").format(period=months(period))
    if lines.empty:
        return tables.missing(
            what, seen=seen, reason=reason or _("No deal counts and nothing is taken back.")
        )
    currency = seen.source["currency"]
    names = kpi_names(process, period)
    who = Column(label("rep"), "text", lambda row: rep_name(row.name, row.person))
    columns = [
        *([] if is_own else [who]),
        Column(label("deal_id"), "text", lambda row: "–" if pd.isna(row.deal_id) else row.deal_id),
        *_plan_columns(lines, process),
        Column(label("counts_on"), "text", lambda row: _day(row.day)),
        Column(_("What"), "text", lambda row: what_text(row, names)),
        Column(
            charts.with_currency(label("deal_amount"), currency),
            "number",
            lambda row: "–" if pd.isna(row.deal_amount) else money(row.deal_amount),
        ),
        Column(label("credit"), "text", credit_text),
        Column(
            charts.with_currency(label("amount"), currency),
            "number",
            lambda row: "–" if pd.isna(row.amount) else money(row.amount),
        ),
        Column(_("Rule"), "text", lambda row: rule_text(row, process, period)),
        Column(charts.with_currency(label("pay"), currency), "number", lambda row: money(row.pay)),
    ]
    total = [_("Sum"), *[""] * (len(columns) - 2), money(_sum(lines, "pay"))]
    note = _(
        "Each amount is rounded to the cent once, a half away from zero. Lines of a person follow by day, then deal; a "
        "line is cut where the sum so far reaches a step. Credit: the own share of the deal, and that of the others "
        "together."
    )
    return _with_sum(lines, columns, what, seen, total, note)


def _with_sum(
    table: pd.DataFrame,
    columns: list[Column],
    what: str,
    seen: Any,
    total: list[str],
    note: str | None = None,
) -> Html:
    """A table whose last row is the sum."""
    rows = [[column.cell(row) for column in columns] for row in table.itertuples()]
    return html.table(
        caption=_("{what}, as of {date}").format(what=what, date=numbers.date(seen.as_of)),
        columns=[(column.label, column.kind) for column in columns],
        rows=[*rows, total],
        note=note,
    )


def gate_table(
    gates: pd.DataFrame,
    *,
    seen: Any,
    process: Any,
    period: Any,
    is_own: bool = False,
    reason: str | None = None,
) -> Html:
    """
    Show each gate with the KPI, its evidence and the criterion, open and closed.
    """
    what = _("Gates, {period}").format(period=months(period))
    if gates.empty:
        return tables.missing(
            what, seen=seen, reason=reason or _("No plan in force has a gate: nothing is withheld.")
        )
    names, currency = kpi_names(process, period), seen.source["currency"]
    measures = {kpi.id: kpi.measure for kpi in process.kpis}
    who = Column(label("rep"), "text", lambda row: rep_name(row.name, row.person))
    known = gates.assign(
        measure=gates["kpi"].map(measures), form=gates["form"].fillna("share").astype(object)
    )
    columns = [
        *([] if is_own else [who]),
        Column(_("KPI"), "text", lambda row: names[row.kpi]),
        Column(label("value"), "number", lambda row: value_text(row.form, row.value, currency)),
        Column(
            label("interval"),
            "number",
            lambda row: range_text(row.form, row.low, row.high, currency),
        ),
        Column(_("Evidence"), "text", lambda row: "–" if pd.isna(row.n) else evidence_text(row)),
        Column(
            label("at_least"), "number", lambda row: value_text(row.form, row.at_least, currency)
        ),
        Column(label("pays"), "number", lambda row: numbers.percent(row.pays)),
        Column(_("Gate"), "text", gate_text),
    ]
    note = _(
        "A gate closes only where the KPI is judged and lies below the criterion. One that cannot be judged stays open: "
        "nobody loses money without evidence. An interval that reaches the criterion means that luck may have closed it."
    )
    return tables.show(known, columns, what, seen, note)


def what_if(
    table: pd.DataFrame,
    *,
    other: Any,
    seen: Any,
    period: Any,
    reason: str | None = None,
) -> Html:
    """
    Show the same period paid by another process file, per person and in all.

    Parameters
    ----------
    table : as ``incentives.what_if`` gives
    other : the other process; None where none was asked for
    """
    what = _("What if other rules had held")
    if other is None:
        return html.notice(
            title=_("{what}: not asked").format(what=what),
            text=_(
                "Write the changed rules into a process file of their own and give its path as the parameter what_if, "
                "for example params/process_small_team.yaml. The same period is then paid by both."
            ),
        )
    if table.empty:
        return tables.missing(what, seen=seen, reason=reason)
    currency = seen.source["currency"]
    totals = {name: _sum(table, name) for name in ("payout", "other_payout", "difference")}
    gain, lose = int((table["difference"] > 0).sum()), int((table["difference"] < 0).sum())
    said = _(
        "By the rules of “{name}” the period would cost {other} instead of {now}, {difference}: {gain} would get "
        "more, {lose} less. People might have sold otherwise under other rules; that is not in these figures. Where one "
        "plan pays what is booked and the other what is paid, different deals fall into the period; on a change of basis "
        "deals already paid out must not be paid again."
    ).format(
        name=words.text(other.name),
        other=numbers.money(totals["other_payout"], currency),
        now=numbers.money(totals["payout"], currency),
        difference=_signed(totals["difference"]),
        gain=people(gain),
        lose=numbers.count(lose),
    )
    columns = [
        Column(label("rep"), "text", lambda row: rep_name(row.name, row.person)),
        Column(label("team"), "text", lambda row: words.person_or_team(row.team)),
        *(
            Column(charts.with_currency(shown, currency), "number", cell)
            for shown, cell in (
                (_("Payout now"), lambda row: money(row.payout)),
                (_("By the other rules"), lambda row: money(row.other_payout)),
                (_("Change"), lambda row: _signed(row.difference)),
            )
        ),
    ]
    total = [_("Sum"), "", *(money(totals[name]) for name in ("payout", "other_payout"))]
    total.append(_signed(totals["difference"]))
    what = _("{what}, {period}").format(what=what, period=months(period))
    return html.stack(html.paragraphs(said), _with_sum(table, columns, what, seen, total))


def rules(*, seen: Any, process: Any, period: Any, reason: str | None = None) -> Html:
    """
    Say the plans in force in words: basis, steps, accelerators, gates, cap, splits, clawback, since when.
    """
    what = _("Plans in force, {period}").format(period=months(period))
    plans = process.on(period.first).plans
    if not plans:
        return tables.missing(what, seen=seen, reason=reason)
    names, currency = kpi_names(process, period), seen.source["currency"]
    return html.stack(
        *(
            html.table(
                caption=_("{plan}: the rules, {period}").format(
                    plan=words.text(plan.name), period=months(period)
                ),
                columns=[(_("Rule"), "text"), (_("What it says"), "text")],
                rows=_rules_of(plan, names, currency),
                note=_("Those of the first day of the period hold for the whole of it."),
            )
            for plan in plans
        )
    )


def _rules_of(plan: Any, names: dict[str, str], currency: str | None) -> list[list[str]]:
    rows = [
        [
            _("For"),
            _("{role}, since {date}").format(
                role=words.value(plan.role), date=numbers.date(plan.begins)
            ),
        ],
        [_("Basis"), basis_text(plan.basis)],
        [
            _("Steps"),
            "; ".join(
                _("{tier}: {rate}").format(
                    tier=tier_text(plan, tier.above), rate=_percent(tier.rate)
                )
                for tier in plan.tiers
            ),
        ],
        [_("How steps pay"), tiers_text(plan.tiers_are)],
    ]
    if plan.accelerators:
        rows.append(
            [
                _("Accelerators"),
                "; ".join(
                    _("{field} {value}: rate × {factor}").format(
                        field=label(one.field), value=one.value, factor=_plain(one.factor)
                    )
                    for one in plan.accelerators
                ),
            ]
        )
    shares = {
        "credits": _("by the revenue shares recorded for the deal; without any, all to its owner"),
        "owner": _("all to the owner at winning"),
    }
    rows.append([_("Split"), shares[plan.splits]])
    for gate in plan.gates:
        text = _(
            "where “{kpi}” is below {limit}, only {pays} is paid; a KPI that cannot be judged closes nothing"
        )
        rows.append(
            [
                _("Gate"),
                text.format(
                    limit=_plain(gate.at_least),
                    kpi=names[gate.kpi],
                    pays=numbers.percent(gate.pays),
                ),
            ]
        )
    if plan.cap is not None:
        text = _("at most {amount} per person and period, after the gates")
        rows.append([_("Cap"), text.format(amount=_paid(plan.cap, currency))])
    rows.append([_("Clawback"), clawback_text(plan)])
    return rows


def accounting(table: pd.DataFrame, *, seen: Any, process: Any, reason: str | None = None) -> Html:
    """
    Show where the amounts of the period went that could count: every one counts or has its reason.
    """
    what = _("Amounts that could count, by what became of them")
    if table.empty:
        return tables.missing(what, seen=seen, reason=reason)
    currency = seen.source["currency"]
    columns = [
        Column(label("reason"), "text", lambda row: why_text(row.reason)),
        *_plan_columns(table, process),
        Column(label("n_deals"), "number", lambda row: numbers.count(row.n_deals)),
        Column(
            charts.with_currency(label("amount"), currency), "number", lambda row: money(row.amount)
        ),
    ]
    return tables.show(table, columns, what, seen)


def review(*, seen: Any, process: Any, period: Any, until: datetime.date | None) -> Html:
    """
    Say who approves the amounts, and how and until when one can object.
    """
    card = process.on(period.first).scorecard
    if card is None:
        return html.stack()
    sign = _("Date and signature: ______________________")
    return html.table(
        caption=_("Approval and objection"),
        columns=[(_("Who"), "text"), (_("What"), "text"), (_("When"), "text")],
        rows=[
            [_("Reviewer"), words.text(card.reviewer), sign],
            [_("Person"), _("Has read the lines and could ask about each"), sign],
            [
                _("Objection"),
                words.text(card.objection),
                _("until {date}").format(date=numbers.date(until)),
            ],
        ],
        note=_(
            "These amounts are computed from the records; a person approves them before anything is paid or taken "
            "back. Errors in the records are corrected on request, and the statement is made again."
        ),
    )


def statement_answer(
    own: pd.DataFrame,
    *,
    lines: pd.DataFrame,
    before: pd.DataFrame,
    ledger: pd.DataFrame,
    seen: Any,
    process: Any,
    period: Any,
    reason: str | None = None,
) -> Html:
    """
    Answer one person what is paid and for what.

    Parameters
    ----------
    own, before : the person's rows of the payouts of the period and the one before
    lines : the person's lines
    ledger, seen, process, period, reason : as for `answer`
    """
    truth = opening(ledger, seen, process, period)
    if own.empty:
        why = reason or _("no incentive plan is for this person then")
        return html.answer(
            message=_("Nothing is paid for {period}: {reason}").format(
                period=months(period), reason=why
            ),
            truth=truth,
            cards=[
                _card(_("Payout"), numbers.missing()),
                _card(_("Deals that count"), numbers.count(0)),
                _card(_("Taken back"), numbers.missing()),
            ],
        )
    currency, row = seen.source["currency"], own.iloc[0]
    payout, is_one = _sum(own, "payout"), len(own) == 1
    deals = lines.loc[lines["kind"] == "slice", "deal_id"].nunique()
    message = _("{name}: {payout} for {period}{so_far}, from {deals}").format(
        name=rep_name(row["name"], row["person"]),
        payout=_paid(payout, currency),
        period=months(period),
        so_far=_(" so far") if is_running(seen, period) else "",
        deals=figures.deals(deals),
    )
    if is_one and deals:
        message += _(" with a credit of {amount}").format(
            amount=_paid(_sum(own, "amount"), currency)
        )
    if is_one and deals and pd.notna(row["attainment"]):
        message += _(", {share} of the quota").format(share=numbers.percent(row["attainment"]))
    if row["why"] == "no_quota":
        message += _("; without a quota there is no step to measure on")
    if _sum(own, "clawback"):
        message += _("; {back} is taken back").format(back=_paid(-_sum(own, "clawback"), currency))
    cards = [
        _card(_("Payout"), money(payout), comparison=_against(payout, before, currency)),
        _card(_("Gross"), money(_sum(own, "gross")), comparison=figures.deals(deals)),
        _card(_("Withheld by gates and cap"), money(-_sum(own, "gate") - _sum(own, "cap"))),
        _card(_("Taken back"), money(-_sum(own, "clawback"))),
    ]
    if is_one and pd.notna(row["missing"]):
        cards.append(
            _card(
                _("To the next step"),
                money(row["missing"]),
                comparison=_("then {rate} instead of {now}").format(
                    rate=_percent(row["next_rate"]),
                    now=_percent(row["rate"]),
                ),
            )
        )
    return html.answer(message=message, truth=truth, cards=cards)


def statement_sum(
    own: pd.DataFrame, *, seen: Any, process: Any, period: Any, reason: str | None = None
) -> Html:
    """
    Show how one person's payout adds up.
    """
    what = _("How it adds up, {period}").format(period=months(period))
    if own.empty:
        return tables.missing(
            what, seen=seen, reason=reason or _("No incentive plan is for this person.")
        )
    names = plan_names(process)
    currency = seen.source["currency"]
    parts = {
        "gross": _("Gross: the slices of all deals"),
        "gate": _("Gates"),
        "cap": _("Cap"),
        "clawback": _("Taken back"),
        "payout": _("Payout"),
    }
    return html.stack(
        *(
            html.table(
                caption=_("{what}: {plan}").format(what=what, plan=names[row.plan]),
                columns=[
                    (_("Part"), "text"),
                    (charts.with_currency(label("amount"), currency), "number"),
                ],
                rows=[[text, money(getattr(row, part))] for part, text in parts.items()],
                note=_basis_of(row),
            )
            for row in own.itertuples()
        )
    )


def _basis_of(row: Any) -> str:
    if row.why == "left":
        return _(
            "The plan is not for this person any more in this period; only what is undone is taken back."
        )
    text = _("{basis}. {amount} counts").format(
        basis=basis_text(row.basis), amount=money(row.amount)
    )
    if pd.notna(row.quota):
        text += _("; the quota is {quota}, prorated for the days employed").format(
            quota=money(row.quota)
        )
    return text + "."


def next_step(
    own: pd.DataFrame, *, seen: Any, process: Any, period: Any, reason: str | None = None
) -> Html:
    """
    Say what one person's next step needs and pays.
    """
    what = _("The next step, {period}").format(period=months(period))
    table = own[own["missing"].notna()] if len(own) else own
    if table.empty:
        last = _("The last step is reached.") if len(own) and own["rate"].notna().any() else None
        return tables.missing(
            what, seen=seen, reason=reason or last or _("There is no step to reach.")
        )
    columns = _step_columns(table, seen, process, period)
    note = _note_of_steps(table)
    if not is_running(seen, period):
        note = _("The period is over: what is missing stays missing. ") + note
    return tables.show(
        table, [*_plan_columns(table, process), *columns], what, seen, note, row_header=None
    )


def measure_cards() -> Html:
    """
    Define the measures of the incentive pages.
    """
    return html.stack(
        *(
            html.measure_card(**words.measure(name)._asdict())
            for name in words.MEASURES["incentives"]
        )
    )


def money(value: float) -> str:
    """
    Format money to the cent; the currency stands in the column's label.

    Examples
    --------
    >>> money(18528.9), money(-152.08), money(-0.0), money(float("nan"))
    ('18,528.90', '−152.08', '0.00', 'n/a')
    """
    if pd.isna(value):
        return numbers.missing()
    cents = round(value, 2)
    return ("−" if cents < 0 else "") + numbers.decimal(abs(cents), digits=2)


def is_running(seen: Any, period: Any) -> bool:
    """
    Say whether a period is not over on the as-of day.

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> period = SimpleNamespace(last=datetime.date(2026, 6, 30))
    >>> [is_running(SimpleNamespace(as_of=datetime.date(2026, 6, day)), period) for day in (29, 30)]
    [True, False]
    """
    return seen.as_of < period.last


def plan_names(process: Any) -> dict[str, str]:
    """Name of each plan in the reader's language, by id; the latest one."""
    return {plan.id: words.text(plan.name) for plan in process.plans}


def tier_text(plan: Any, above: float) -> str:
    """
    Name a tier by where it begins and ends.

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> tiers = [SimpleNamespace(above=above) for above in (0, 0.8, 1.25)]
    >>> plan = SimpleNamespace(measured_on="quota", tiers=tiers)
    >>> [tier_text(plan, above).replace(numbers.NO_BREAK, " ") for above in (0.0, 0.8, 1.25)]
    ['below 80 % of the quota', 'from 80 % to 125 % of the quota', 'from 125 % of the quota']
    >>> plan = SimpleNamespace(measured_on="amount", tiers=tiers[:1])
    >>> tier_text(plan, 0.0), tier_text(plan, float("nan"))
    ('everything', 'no step')
    """
    if plan is None or pd.isna(above):
        return _("no step")
    later = [tier.above for tier in plan.tiers if tier.above > above]
    if not later:
        return (
            _("everything") if above == 0 else _("from {step}").format(step=step_text(plan, above))
        )
    if above == 0:
        return _("below {step}").format(step=step_text(plan, later[0]))
    low = _percent(above) if plan.measured_on == "quota" else _plain(above)
    return _("from {low} to {high}").format(low=low, high=step_text(plan, later[0]))


def step_text(plan: Any, above: float) -> str:
    """
    Name a step in the plan's own measure.

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> quota, amount = (SimpleNamespace(measured_on=on) for on in ("quota", "amount"))
    >>> step_text(quota, 1.125).replace(numbers.NO_BREAK, " "), step_text(amount, 100000.0)
    ('112.5 % of the quota', '100,000')
    """
    if plan.measured_on == "amount":
        return _plain(above)
    return _("{share} of the quota").format(share=_percent(above))


def tier_reached(row: Any, plans: dict[str, Any]) -> str:
    """Name the tier a person has reached, and its rate; or why there is none."""
    reasons = {"no_quota": _("no quota"), "left": _("not there any more")}
    if row.why in reasons:
        return reasons[row.why]
    return _("{tier}: {rate}").format(
        tier=tier_text(plans.get(row.plan), row.tier), rate=_percent(row.rate)
    )


def what_text(row: Any, names: dict[str, str]) -> str:
    """
    Say what a line is for.

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> day = pd.Timestamp("2026-04-13")
    >>> cap = SimpleNamespace(kind="cap", value=160000.0, limit=150000.0)
    >>> what_text(cap, {})
    'Cap: 160,000.00 is cut to 150,000.00'
    >>> back = SimpleNamespace(kind="clawback", cause="refund", back_share=0.25, of_day=day, of_period="2026-Q2")
    >>> what_text(back, {}).replace(numbers.NO_BREAK, " ")
    'Refund: 25 % of what was paid for 13 Apr 2026 (2026-Q2) is taken back'
    """
    if row.kind == "gate":
        return _("Gate: {kpi} is below its criterion").format(kpi=names[row.cause])
    if row.kind == "cap":
        return _("Cap: {sum} is cut to {cap}").format(sum=money(row.value), cap=money(row.limit))
    if row.kind == "clawback":
        causes = {"refund": _("Refund"), "unwon": _("No longer won")}
        return _("{cause}: {share} of what was paid for {day} ({period}) is taken back").format(
            cause=causes[row.cause],
            share=_percent(row.back_share),
            day=numbers.date(row.of_day),
            period=row.of_period,
        )
    if row.day == row.won_on:
        return _("Won")
    return _("Paid by the customer, won {day}").format(day=numbers.date(row.won_on))


def credit_text(row: Any) -> str:
    """
    Say the own share of a deal, and that of the others together, without naming them.

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> shared, whole = SimpleNamespace(share=0.7, others_share=0.3), SimpleNamespace(share=1.0, others_share=0.0)
    >>> [credit_text(row).replace(numbers.NO_BREAK, " ") for row in (shared, whole)]
    ['70 %, others: 30 %', '100 %']
    """
    if pd.isna(row.share):
        return "–"
    if not row.others_share > 0:
        return _percent(row.share)
    return _("{own}, others: {others}").format(
        own=_percent(row.share), others=_percent(row.others_share)
    )


def rule_text(row: Any, process: Any, period: Any) -> str:
    """
    Say the rule that gives a line's amount: tier and rate, what a gate leaves, the cap, the clawback's days.
    """
    plan = _plans(process, period).get(row.plan)
    if row.kind == "gate":
        return _("{value} is below {limit}: {pays} is paid").format(
            value=numbers.decimal(row.value, digits=2),
            limit=_plain(row.limit),
            pays=numbers.percent(row.rate),
        )
    if row.kind == "cap":
        return _("at most {cap} per person and period").format(cap=money(row.limit))
    if row.kind == "clawback":
        days = (row.day - row.won_on).days
        return _(
            "on day {n} after winning; {rate} of it, as paid in {period} after gates and cap"
        ).format(n=numbers.count(days), rate=_percent(row.rate), period=row.of_period)
    if row.cause == "no_quota":
        return _("no quota, so no step to measure on: nothing is paid")
    text = _("{tier}: {rate}").format(tier=tier_text(plan, row.tier), rate=_percent(row.rate))
    return (
        text
        if row.factor == 1
        else _("{rule} × {factor}").format(rule=text, factor=_plain(row.factor))
    )


def gate_text(row: Any) -> str:
    """
    Say whether a gate is open, and why where that cannot be told from the value.

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> gate_text(SimpleNamespace(is_below=True, is_judged=True)), gate_text(SimpleNamespace(is_below=False, is_judged=False))
    ('closed', 'open: cannot be judged')
    """
    if row.is_below:
        return _("closed")
    return _("open") if row.is_judged else _("open: cannot be judged")


def basis_text(basis: str) -> str:
    """
    Say what counts and when.

    Examples
    --------
    >>> basis_text("paid")
    'Paid: what the customer has paid, at most the deal’s amount, on the day of payment'
    """
    return {
        "booked": _("Booked: the deal’s amount on the day it is won"),
        "paid": _(
            "Paid: what the customer has paid, at most the deal’s amount, on the day of payment"
        ),
    }[basis]


def tiers_text(tiers_are: str) -> str:
    """
    Say what reaching a step means.

    Examples
    --------
    >>> tiers_text("marginal")
    'marginal: each rate holds for the part that lies above its step'
    """
    return {
        "marginal": _("marginal: each rate holds for the part that lies above its step"),
        "retroactive": _(
            "retroactive: the rate of the step reached holds for everything in the period"
        ),
    }[tiers_are]


def clawback_text(plan: Any) -> str:
    """
    Say what is taken back, when and within how many days.

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> clawback_text(SimpleNamespace(clawback_when=("refund",), clawback_days=90))
    'within 90 days after winning: for a refund its share of what was paid'
    """
    if not plan.clawback_when:
        return _("nothing is taken back")
    causes = {
        "refund": _("for a refund its share of what was paid"),
        "unwon": _("all of it where the deal is no longer won"),
    }
    return _("within {days} after winning: {causes}").format(
        days=numbers.days(plan.clawback_days),
        causes="; ".join(causes[cause] for cause in plan.clawback_when),
    )


def why_text(reason: str) -> str:
    """
    Say what became of an amount that could count.

    Examples
    --------
    >>> why_text("not_won")
    'Won and no longer won within the period: pays nothing'
    """
    return {
        "counted": _("Counted"),
        "no_quota": _("Credited, but without a quota to measure on: pays nothing"),
        "other_people": _("Credited to people who do not hold the plan’s role in the period"),
        "nobody": _("Credited to nobody: no owner, or shares that do not sum to one"),
        "not_won": _("Won and no longer won within the period: pays nothing"),
        "no_amount": _("Won without an amount: pays nothing"),
    }[reason]


def _plans(process: Any, period: Any) -> dict[str, Any]:
    return {plan.id: plan for plan in process.on(period.first).plans}


def _plan_columns(table: pd.DataFrame, process: Any) -> list[Column]:
    """The plan, where there are several."""
    names = plan_names(process)
    if table["plan"].nunique() < 2:
        return []
    return [Column(label("plan"), "text", lambda row: names[row.plan])]


def _driver(tiers: pd.DataFrame, process: Any, period: Any) -> str:
    """From which tier most of the gross comes."""
    paid = tiers[tiers["pay"] > 0] if len(tiers) else tiers
    if len(paid) < 2 or tiers["plan"].nunique() > 1:
        return ""
    top = paid.loc[paid["pay"].idxmax()]
    return _("; the largest part of it, {share}, at {rate} for what lies {tier}").format(
        share=numbers.percent(top["pay_share"]),
        rate=_percent(top["rate"]),
        tier=tier_text(_plans(process, period).get(top["plan"]), top["tier"]),
    )


def _against(payout: float, before: pd.DataFrame, currency: str | None) -> str:
    if before.empty:
        return ""
    return _("{amount} in the period before").format(
        amount=numbers.money(_sum(before, "payout"), currency, compact=True)
    )


def _names(table: pd.DataFrame) -> str:
    rows = table.drop_duplicates("person")
    names = [rep_name(row.name, row.person) for row in rows.head(5).itertuples()]
    return ", ".join(names) + ("" if len(rows) <= 5 else _(" and {n} more").format(n=len(rows) - 5))


def _day(day: Any) -> str:
    return numbers.date(day).replace(" ", numbers.NO_BREAK)


def _paid(value: float, currency: str | None) -> str:
    return f"{currency}{numbers.NO_BREAK}{money(value)}" if currency else money(value)


def _signed(value: float) -> str:
    return ("+" if round(value, 2) > 0 else "") + money(value)


def _percent(share: float) -> str:
    """Per cent with as many decimals as it has, two at most."""
    if pd.isna(share):
        return numbers.missing()
    hundredths = round(share * 10_000)
    return numbers.percent(share, digits=2 if hundredths % 10 else 1 if hundredths % 100 else 0)


def _plain(value: float) -> str:
    """A number of the process file as it was written."""
    text = numbers.decimal(value, digits=4).rstrip("0")
    return text.rstrip(".,")


def _share_of(part: float, whole: float) -> str:
    return numbers.percent(part / whole, digits=1) if whole else numbers.missing()


def _sum(table: pd.DataFrame, name: str) -> float:
    return round(float(table[name].sum()), 2)


def _card(label: str, value: str, range: str = "", comparison: str = "") -> dict[str, str]:
    return {"label": label, "value": value, "range": range, "comparison": comparison}
