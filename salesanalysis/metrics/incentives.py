"""
Incentives: whom each plan pays how much, every amount traceable to rule, deal, credit and day (definitions: incentive).

Money is counted in whole cents and shares are exact fractions, so that nothing is lost in a split and nothing is paid
twice. Each amount paid is rounded once, half a cent away from zero. A statement looks at the end of its period, or at
the as-of day while the period runs: a deal that is not won by then pays nothing in it. What is undone later is taken
back by a line of its own in the period in which that happens, so that a statement once made stays as it is.
"""

import datetime
import itertools
import math
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import replace
from fractions import Fraction
from typing import NamedTuple

import numpy as np
import pandas as pd

from salesanalysis.crm.errors import ParameterError
from salesanalysis.crm.process import Plan, Process
from salesanalysis.crm.seen import Seen
from salesanalysis.metrics import credit, kpis
from salesanalysis.metrics.periods import Period, series

_WHOLE = Fraction(1, 10_000)  # shares of a deal that sum to 1 within this are a whole one
_LINES = [
    *("plan", "role", "person", "name", "team", "deal_key", "deal_id", "spell", "day", "won_on"),
    *("kind", "cause", "share", "others_share", "deal_amount", "amount", "tier", "step", "rate"),
    *("factor", "pay", "of_period", "of_day", "back_share", "value", "limit"),
    *("amount_cents", "pay_cents"),
]
_GATES = [
    *("plan", "person", "name", "team", "kpi", "whose", "form", "value", "low", "high", "n"),
    *("least", "at_least", "pays", "is_judged", "is_below", "why"),
]
_PAYOUTS = [
    *("plan", "basis", "measured_on", "tiers_are", "person", "name", "team", "role", "days"),
    *("n_deals", "amount", "quota", "attainment", "tier", "rate", "gross", "gate", "cap"),
    *("clawback", "payout", "why", "next_tier", "next_step", "next_rate", "missing", "jump"),
    "payout_cents",
]
_KINDS = ("slice", "gate", "cap", "clawback")


class _Win(NamedTuple):
    """One time a deal was won."""

    deal_key: int
    deal_id: str
    spell: int
    won_on: datetime.date
    unwon_on: datetime.date | None
    owner: str | None
    cents: int | None
    source: str | None
    segment: str | None
    product: str | None
    region: str | None


class _Rise(NamedTuple):
    """An amount that counts for a plan from a day on."""

    win: _Win
    day: datetime.date
    cents: int


class _Fall(NamedTuple):
    """A part of a rise that is taken back; both shares are of the rise, the second includes the first."""

    rise: _Rise
    day: datetime.date
    cause: str  # refund, unwon
    before: Fraction
    after: Fraction


class _Calendar(NamedTuple):
    """Periods of equal length by number, in line with one of them."""

    months: int
    offset: int

    def number(self, day: datetime.date) -> int:
        """Number of the period that a day lies in."""
        return (12 * day.year + day.month - 1 - self.offset) // self.months

    def first(self, number: int) -> datetime.date:
        """First day of a period."""
        month = number * self.months + self.offset
        return datetime.date(month // 12, month % 12 + 1, 1)


class _Statement(NamedTuple):
    """What a plan pays for a period before anything is taken back."""

    plan: Plan
    people: pd.DataFrame
    quotas: dict[str, int]  # cents
    lines: list[dict]
    gross: dict[str, int]
    net: dict[str, int]  # after gates and cap


def lines(seen: Seen, process: Process, period: Period) -> pd.DataFrame:
    """
    Write down every amount that the plans in force on the first day of a period pay in it, and why.

    Booked: a deal's amount counts on the day it was won. Paid: what the customer has paid, net of refunds and at most
    the deal's amount, counts on the day it rises, at the earliest on the day of winning. A deal that is won again
    counts for what an earlier win does not still stand for. Credit is split by the deal's revenue shares (without any:
    all to its owner), or goes whole to the owner at winning; the cents that a split leaves over go to the largest
    remainders. Lines of a person follow each other by day, then deal. Marginal: a line is cut where the sum so far
    reaches a step. Retroactive: the tier that the sum of the period reaches holds for every line.

    Gates leave their share of the gross sum, one after the other; then the cap. A KPI that cannot be judged closes no
    gate. Clawback: the part of a line that was refunded within the plan's days after winning (refunds count against
    what was paid net, at most the deal's amount), or all of it where the deal is no longer won within them, times what
    gates and cap had left of it, rounded down to the cent. Only what was paid is taken back, and only once.

    Parameters
    ----------
    seen : Seen
    process : Process
    period : Period

    Returns
    -------
    DataFrame, one row per plan, person and slice, gate, cap or clawback, in that order; people by id
        ``plan``, ``role``, ``person``, ``name``, ``team`` (held last in the period), ``deal_key``, ``deal_id``,
        ``spell`` (1 for the first time a deal was won), ``day`` (from which it counts, or on which it is taken back;
        the last day for gates and cap), ``won_on``, ``kind`` (slice, gate, cap, clawback), ``cause`` (of a slice:
        empty or no_quota; of a gate its KPI; of a clawback refund or unwon), ``share`` and ``others_share`` (of the
        credit, fractions), ``deal_amount``, ``amount`` (credited here; negative where taken back), ``tier`` (its step
        as the plan gives it: fraction of the quota, or money), ``step`` (the same in money), ``rate`` (of the tier; of
        a gate: what it pays; of a clawback: taken back / amount, NaN where the amount is 0), ``factor`` (product of the accelerators), ``pay`` (money), ``of_period``, ``of_day`` (period and day of what is
        taken back), ``back_share`` (fraction of it that is taken back), ``value``, ``limit`` (of a gate: the KPI and
        its criterion; of the cap: the sum and the cap), ``amount_cents``, ``pay_cents`` (whole numbers that add up
        exactly). Without a quota to measure on, a slice has no tier and no rate and pays 0. No rows for a plan that
        the source cannot give (`why_not`).
    """
    key = ("incentive lines", process.sha256, period)
    return seen.once(key, lambda: _lines(seen, process, period))


def _lines(seen: Seen, process: Process, period: Period) -> pd.DataFrame:
    rows = []
    for plan in dict.fromkeys(plan.id for plan in process.plans):
        statement = _statement(seen, process, plan, period)
        back = _clawbacks(seen, process, plan, period)
        rows += sorted(
            [*(statement.lines if statement else []), *back], key=lambda row: row["person"]
        )
    table = pd.DataFrame(rows, columns=[name for name in _LINES if name not in ("amount", "pay")])
    table = table.astype({"pay_cents": "int64", "deal_key": "Int64", "spell": "Int64"})
    table[["cause", "of_period"]] = table[["cause", "of_period"]].fillna("")
    cents = table["amount_cents"].astype("Int64")
    table = table.assign(
        amount=cents.astype("Float64").astype(float) / 100,
        pay=table["pay_cents"] / 100,
        amount_cents=cents,
        **{name: pd.to_datetime(table[name]) for name in ("day", "won_on", "of_day")},
    )
    numbers = ["share", "others_share", "deal_amount", "tier", "step", "rate", "factor"]
    numbers += ["back_share", "value", "limit"]
    return table.astype(dict.fromkeys(numbers, float))[_LINES]


def _row(plan: Plan, person: object, **values: object) -> dict:
    known = {"plan": plan.id, "role": plan.role, "person": person.person, "name": person.name}
    return dict.fromkeys(_LINES) | known | {"team": person.team} | values


def _statement(seen: Seen, process: Process, plan_id: str, period: Period) -> _Statement | None:
    """What one plan pays for a period; None where it is not in force or cannot be given."""
    key = ("incentive statement", process.sha256, plan_id, period)
    return seen.once(key, lambda: _make_statement(seen, process, plan_id, period))


def _make_statement(seen: Seen, process: Process, plan_id: str, period: Period):
    plan = next((plan for plan in process.on(period.first).plans if plan.id == plan_id), None)
    if plan is None or impossible(seen, plan):
        return None
    people = kpis.members(seen, process, period)
    people = people[people["role"] == plan.role].sort_values("person", ignore_index=True)
    parts = _parts(seen, process, plan, period)
    quotas = _quotas(seen, period)
    gates = _judged_gates(seen, process, plan, people, period)
    rows: list[dict] = []
    gross, net = {}, {}
    last = min(period.last, seen.as_of)
    for person in people.itertuples():
        own = parts.get(person.person, [])
        slices = _slices(plan, person, own, quotas.get(person.person, 0))
        gross[person.person] = left = sum(row["pay_cents"] for row in slices)
        rows += slices
        for gate in gates.get(person.person, []):
            taken = _half_up(left * (1 - _exact(gate["pays"]))) if left > 0 else 0
            if gate["is_below"] and taken:
                found = {"cause": gate["kpi"], "value": gate["value"], "limit": gate["at_least"]}
                found |= {"kind": "gate", "day": last, "rate": gate["pays"], "pay_cents": -taken}
                rows.append(_row(plan, person, **found))
                left -= taken
        cap = left if plan.cap is None else _half_up(_exact(plan.cap) * 100)
        if left > cap:
            found = {"kind": "cap", "day": last, "value": left / 100, "limit": plan.cap}
            rows.append(_row(plan, person, **found, pay_cents=cap - left))
            left = cap
        net[person.person] = left
    return _Statement(plan, people, quotas, rows, gross, net)


def _parts(seen: Seen, process: Process, plan: Plan, period: Period) -> dict[str, list[tuple]]:
    """Credit of each person in a period: rise, share, what others have, cents; by day and deal."""
    shares = _shares(seen)
    parts = defaultdict(list)
    for rise in _in_period(_history(seen, process, plan.id, period)[0], period):
        holders = _holders(rise.win, plan, shares)
        whole = sum(share for _, share in holders)
        cents = split(rise.cents, [share for _, share in holders])
        for (person, share), own in zip(holders, cents, strict=True):
            parts[person].append((rise, share, whole - share, own))
    for own in parts.values():
        own.sort(key=lambda part: (part[0].day, part[0].win.deal_id, part[0].win.spell))
    return parts


def _slices(plan: Plan, person: object, parts: list[tuple], quota: int) -> list[dict]:
    """Cut each credit at the steps and apply the rate of each tier."""
    scale = {"quota": quota, "amount": 100}[plan.measured_on]
    steps = [_half_up(_exact(tier.above) * scale) for tier in plan.tiers]
    total, rows, so_far = sum(part[-1] for part in parts), [], 0
    for rise, share, others, cents in parts:
        win = rise.win
        factor = math.prod(
            (_exact(a.factor) for a in plan.accelerators if getattr(win, a.field) == a.value),
            start=Fraction(1),
        )
        pieces = [(bisect_right(steps[1:], total), cents)]
        if plan.tiers_are == "marginal":
            pieces = _cut(so_far, so_far + cents, steps[1:])
        so_far += cents
        about = {
            "deal_key": win.deal_key,
            "deal_id": win.deal_id,
            "spell": win.spell,
            "day": rise.day,
            "won_on": win.won_on,
            "kind": "slice",
            "factor": float(factor),
            "share": float(share),
            "others_share": float(others),
            "deal_amount": win.cents / 100,
        }
        if not scale:
            about |= {"cause": "no_quota", "amount_cents": cents, "pay_cents": 0}
            rows.append(_row(plan, person, **about))
            continue
        for number, piece in pieces:
            tier = plan.tiers[number]
            pay = _half_up(piece * _exact(tier.rate) * factor)
            place = {"tier": tier.above, "step": steps[number] / 100, "rate": tier.rate}
            rows.append(
                _row(plan, person, **about, **place, cause="", amount_cents=piece, pay_cents=pay)
            )
    return rows


def _cut(start: int, end: int, steps: list[int]) -> list[tuple[int, int]]:
    """
    Pieces of the way from one sum to another, with the number of the tier each lies in; below 0 it is the first.

    >>> _cut(0, 120, [50, 100]), _cut(50, 50, [50, 100]), _cut(120, 40, [50, 100])
    ([(0, 50), (1, 50), (2, 20)], [(1, 0)], [(2, -20), (1, -50), (0, -10)])
    """
    low, high = min(start, end), max(start, end)
    points = [low, *sorted({step for step in steps if low < step < high}), high]
    sign = 1 if end >= start else -1
    pieces = [
        (bisect_right(steps, begin), sign * (stop - begin))
        for begin, stop in itertools.pairwise(points)
    ]
    return pieces[::sign]


def _clawbacks(seen: Seen, process: Process, plan_id: str, period: Period) -> list[dict]:
    """What happened in a period to deals paid for in it or before, and takes back what they paid."""
    rows = []
    for fall in _in_period(_history(seen, process, plan_id, period)[1], period):
        rise, when = fall.rise, _period_of(fall.rise.day, period)
        statement = _statement(seen, process, plan_id, when)
        if statement is None:
            continue
        paid: dict[str, list[dict]] = defaultdict(list)
        for row in statement.lines:
            if (row["deal_key"], row["spell"], row["day"]) == (*_key(rise.win), rise.day):
                paid[row["person"]].append(row)
        for person, slices in paid.items():
            pay = sum(row["pay_cents"] for row in slices)
            if pay <= 0 or statement.net[person] <= 0:
                continue
            kept = pay * statement.net[person] // statement.gross[person]
            back = _half_up(kept * fall.after) - _half_up(kept * fall.before)
            cents = sum(row["amount_cents"] for row in slices)
            amount = _half_up(cents * fall.after) - _half_up(cents * fall.before)
            what = ("role", "person", "name", "team", "deal_key", "deal_id", "spell", "won_on")
            about = {name: slices[0][name] for name in (*what, "share", "others_share")}
            about |= {"deal_amount": slices[0]["deal_amount"], "plan": plan_id, "day": fall.day}
            about |= {"kind": "clawback", "cause": fall.cause, "of_period": when.name}
            about |= {"of_day": rise.day, "back_share": float(fall.after - fall.before)}
            about |= {"rate": back / amount if amount else None}
            about |= {"amount_cents": -amount, "pay_cents": -back}
            rows.append(dict.fromkeys(_LINES) | about)
    return rows


def _key(win: _Win) -> tuple[int, int]:
    return win.deal_key, win.spell


def _in_period(found: Sequence, period: Period) -> list:
    return [one for one in found if period.first <= one.day <= period.last]


def _calendar(period: Period) -> _Calendar:
    first = 12 * period.first.year + period.first.month - 1
    return _Calendar(period.months, first % period.months)


def _period_of(day: datetime.date, period: Period) -> Period:
    """The period of a day, in line with a later one."""
    calendar = _calendar(period)
    return series(period, calendar.number(period.first) - calendar.number(day) + 1)[0]


def _history(seen: Seen, process: Process, plan_id: str, period: Period) -> tuple[list, list]:
    """What counted for a plan, and what of it is to be taken back, over the whole history."""
    calendar = _calendar(period)
    key = ("incentive history", process.sha256, plan_id, calendar)
    return seen.once(key, lambda: _make_history(seen, process, plan_id, calendar))


def _make_history(seen: Seen, process: Process, plan_id: str, calendar: _Calendar):
    in_force: dict[int, Plan | None] = {}

    def rule(day: datetime.date) -> Plan | None:
        number = calendar.number(day)
        if number not in in_force:
            plans = process.on(calendar.first(number)).plans
            in_force[number] = next((plan for plan in plans if plan.id == plan_id), None)
        return in_force[number]

    rises, falls = [], []
    payments = _payments(seen)
    wins = (win for win in _wins(seen) if win.cents is not None)
    for deal, own in itertools.groupby(wins, key=lambda win: win.deal_key):
        found = _of_deal(list(own), payments.get(deal, []), rule, calendar)
        rises += found[0]
        falls += found[1]
    return rises, falls


def _of_deal(
    wins: list[_Win],
    payments: list[tuple[datetime.date, int]],
    rule: Callable[[datetime.date], Plan | None],
    calendar: _Calendar,
) -> tuple[list[_Rise], list[_Fall]]:
    """
    What counts for one deal, and what of it is taken back, day by day.

    `rule` gives the plan in force for a day. What still stands of earlier rises is not counted again.
    """
    net_by_day = defaultdict(int)
    for day, cents in payments:
        net_by_day[max(day, wins[0].won_on)] += cents
    rises: list[_Rise] = []
    left: list[Fraction] = []  # of each rise
    falls: list[_Fall] = []

    def take(day: datetime.date, cause: str, share: Fraction) -> None:
        for number, rise in enumerate(rises):
            plan = rule(rise.day)
            is_due = (
                cause in plan.clawback_when and (day - rise.win.won_on).days <= plan.clawback_days
            )
            if is_due and left[number] > 0:
                before = 1 - left[number] / rise.cents
                left[number] *= 1 - share
                falls.append(_Fall(rise, day, cause, before, 1 - left[number] / rise.cents))

    def add(win: _Win, day: datetime.date, level: int) -> None:
        plan = rule(day)
        is_undone = win.unwon_on and calendar.number(win.unwon_on) <= calendar.number(day)
        if plan is None or is_undone:  # the deal is not won at the end of the period
            return
        is_win = day == win.won_on
        if plan.basis == "paid":
            cents = _half_up(level - sum(left))
        else:
            cents = _half_up(win.cents - sum(left)) if is_win else 0
        if cents > 0 or (plan.basis == "booked" and is_win and not any(left)):
            rises.append(_Rise(win, day, cents))
            left.append(Fraction(cents))

    net = 0
    days = {day for win in wins for day in (win.won_on, win.unwon_on) if day} | net_by_day.keys()
    for day in sorted(days):
        win = next(win for win in reversed(wins) if win.won_on <= day)
        before = min(net, win.cents)
        net += net_by_day[day]
        whole = sum(part for part in left if part > 0)
        if before > min(net, win.cents) and whole > 0:
            share = Fraction(before - min(net, win.cents)) / whole
            take(day, "refund", min(Fraction(1), share))
        if any(one.unwon_on == day for one in wins):
            take(day, "unwon", Fraction(1))
        add(win, day, min(net, win.cents))
    return rises, falls


def _wins(seen: Seen) -> list[_Win]:
    """Each time a deal was won, in order of deal and time."""
    table = seen.frame(
        """
        SELECT w.deal_key, i.deal_id, w.spell, w.won_on, w.unwon_on, w.owner, w.amount,
               w.source, w.segment, w.product, w.region
        FROM won_spells w JOIN details i ON i.deal_key = w.deal_key ORDER BY w.deal_key, w.spell
        """
    )
    table = table[table["won_on"].notna()]
    days = {name: table[name].dt.date for name in ("won_on", "unwon_on")}
    table = table.assign(**days, amount=[_cents_or_none(amount) for amount in table["amount"]])
    table = table.astype(object).where(table.notna(), None)
    return [_Win(*row) for row in table.itertuples(index=False, name=None)]


def _payments(seen: Seen) -> dict[int, list[tuple[datetime.date, int]]]:
    """Net payment of each deal and day, in cents; nothing where the source has none."""
    found = defaultdict(list)
    if seen.reason("payments"):
        return found
    table = seen.frame(
        "SELECT deal_key, paid_on, sum(amount) AS amount FROM payments GROUP BY 1, 2 ORDER BY 1, 2"
    )
    for deal, day, amount in zip(
        table["deal_key"], table["paid_on"].dt.date, table["amount"], strict=True
    ):
        found[deal].append((day, _cents_of(amount)))
    return found


def _shares(seen: Seen) -> dict[int, list[tuple[str, Fraction]]]:
    """Revenue shares of each deal by person; those that sum to 1 but for rounding are made to."""
    found: dict[int, dict[str, Fraction]] = defaultdict(lambda: defaultdict(Fraction))
    if seen.reason("credits"):
        return {}
    table = seen.frame(
        "SELECT deal_key, person_id, share FROM credits WHERE type = 'revenue' ORDER BY 1, 2, 3"
    )
    for deal, person, share in table.itertuples(index=False, name=None):
        found[deal][person] += _exact(share)
    whole = {deal: sum(own.values()) for deal, own in found.items()}
    return {
        deal: [
            (person, share / whole[deal] if abs(whole[deal] - 1) <= _WHOLE else share)
            for person, share in own.items()
        ]
        for deal, own in found.items()
    }


def _holders(win: _Win, plan: Plan, shares: dict) -> list[tuple[str, Fraction]]:
    if plan.splits == "credits" and win.deal_key in shares:
        return shares[win.deal_key]
    return [] if win.owner is None else [(win.owner, Fraction(1))]


def _quotas(seen: Seen, period: Period) -> dict[str, int]:
    """Quota of each person for the whole period and the days employed in it, in cents."""
    table = credit.quotas(seen, period, whole=True)
    table = table[table["holder_type"] == "person"]
    return {
        holder: _cents_of(quota)
        for holder, quota in zip(table["holder"], table["prorated_quota"], strict=True)
    }


def split(cents: int, shares: Sequence[Fraction]) -> list[int]:
    """
    Split cents by shares: whole cents first, those left over to the largest remainders, the first of equal ones first.

    >>> split(100, [Fraction(1, 3)] * 3), split(-100, [Fraction(1, 3)] * 3), split(7, [])
    ([34, 33, 33], [-33, -33, -34], [])
    """
    exact = [cents * share for share in shares]
    parts = [math.floor(part) for part in exact]
    over = _half_up(sum(exact, start=Fraction(0))) - sum(parts)
    order = sorted(range(len(parts)), key=lambda number: (parts[number] - exact[number], number))
    for number in order[:over]:
        parts[number] += 1
    return parts


def _half_up(exact: Fraction | int) -> int:
    """
    Round to a whole number, a half away from zero.

    >>> _half_up(Fraction(5, 2)), _half_up(Fraction(-5, 2)), _half_up(Fraction(249, 100))
    (3, -3, 2)
    """
    whole = math.floor(abs(exact) + Fraction(1, 2))
    return whole if exact >= 0 else -whole


def _cents_of(money: float) -> int:
    """
    Round money to cents, a half away from zero.

    >>> _cents_of(0.005), _cents_of(1234.565), _cents_of(-0.015)
    (1, 123457, -2)
    """
    return _half_up(_exact(round(money, 8)) * 100)


def _cents_or_none(money: float) -> int | None:
    return None if pd.isna(money) else _cents_of(money)


def _exact(number: float) -> Fraction:
    """The decimal that a number was written as."""
    return Fraction(repr(float(number)))


def gates(seen: Seen, process: Process, period: Period) -> pd.DataFrame:
    """
    Hold each gate of the plans in force against the KPI of each person it is for.

    Returns
    -------
    DataFrame, one row per plan, person and gate
        ``plan``, ``person``, ``name``, ``team``, ``kpi``, ``whose``, ``form``, ``value`` with ``low`` and ``high``,
        ``n`` (evidence) and ``least`` (needed), all as `kpis.values` gives them; ``at_least`` (the criterion), ``pays``
        (fraction that a closed gate leaves), ``is_judged``, ``is_below`` (judged and below: the gate is closed),
        ``why`` (of one that cannot be judged: as `kpis.values`, or not_in_force).
    """
    rows = []
    for plan in process.on(period.first).plans:
        if not impossible(seen, plan):
            people = kpis.members(seen, process, period)
            people = people[people["role"] == plan.role].sort_values("person")
            found = _judged_gates(seen, process, plan, people, period)
            rows += [gate for person in people["person"] for gate in found.get(person, [])]
    return pd.DataFrame(rows, columns=_GATES)


def _judged_gates(
    seen: Seen, process: Process, plan: Plan, people: pd.DataFrame, period: Period
) -> dict[str, list[dict]]:
    if not plan.gates:
        return {}
    wanted = {gate.kpi for gate in plan.gates}
    asked = replace(process, kpis=tuple(kpi for kpi in process.kpis if kpi.id in wanted))
    values = kpis.values(seen, asked, period)
    known = {(row.person, row.kpi): row for row in values.itertuples()}
    found = defaultdict(list)
    for person in people.itertuples():
        for gate in plan.gates:
            row = known.get((person.person, gate.kpi))
            about = {"plan": plan.id, "person": person.person, "name": person.name}
            about |= {"team": person.team, "kpi": gate.kpi, "at_least": gate.at_least}
            about |= {"pays": gate.pays, "is_judged": False, "is_below": False}
            about["why"] = "not_in_force" if row is None else row.why
            if row is not None:
                names = ("whose", "form", "value", "low", "high", "n", "least")
                about |= {name: getattr(row, name) for name in names}
                about["is_judged"] = bool(row.is_judged)
                about["is_below"] = bool(row.is_judged and row.value < gate.at_least)
            found[person.person].append(about)
    return found


def payouts(seen: Seen, process: Process, period: Period) -> pd.DataFrame:
    """
    Add up the lines of each person, and say what the next step needs.

    Returns
    -------
    DataFrame, one row per plan and person who holds its role in the period or from whom something is taken back, the largest payout first
        ``plan``, ``basis``, ``measured_on``, ``tiers_are`` (of the plan); ``person``, ``name``, ``team``, ``role``,
        ``days`` present (NaN for those who were not there); ``n_deals``, ``amount`` (that counts), ``quota`` (prorated
        for the days employed, of the whole period; NaN without), ``attainment`` (NaN without a quota); ``tier``,
        ``rate`` (reached); ``gross``, ``gate``, ``cap``, ``clawback`` (0 or less) and their sum ``payout``; ``why``
        (no_quota, left; else empty); ``next_tier``, ``next_step`` (in money), ``next_rate``, ``missing`` (money to
        it), ``jump`` (retroactive: what reaching it pays more on the amount so far; marginal: 0) are NaN on the last
        tier; ``payout_cents``.
    """
    found = lines(seen, process, period)
    rows = []
    for plan in dict.fromkeys(plan.id for plan in process.plans):
        own = found[found["plan"] == plan]
        by_person = dict(list(own.groupby("person")))
        statement = _statement(seen, process, plan, period)
        people = statement.people if statement else kpis.members(seen, process, period).iloc[:0]
        rows += [
            _payout(statement, person, by_person.pop(person.person, own.iloc[:0]))
            for person in people.itertuples()
        ]
        rows += [_payout_of_gone(process, plan, part) for part in by_person.values()]
    table = pd.DataFrame(rows, columns=_PAYOUTS)
    numbers = ["days", "amount", "quota", "attainment", "tier", "rate", "next_tier", "next_step"]
    table = table.astype(dict.fromkeys([*numbers, "next_rate", "missing", "jump"], float))
    table = table.sort_values(
        ["payout_cents", "person", "plan"], ascending=[False, True, True], ignore_index=True
    )
    return table.astype({"payout_cents": "int64", "n_deals": "int64"})


def _payout(statement: _Statement, person: object, own: pd.DataFrame) -> dict:
    plan, quota = statement.plan, statement.quotas.get(person.person, 0)
    scale = {"quota": quota, "amount": 100}[plan.measured_on]
    slices = own[own["kind"] == "slice"]
    cents = int(slices["amount_cents"].sum())
    row = _sums(own) | {
        "plan": plan.id,
        "basis": plan.basis,
        "measured_on": plan.measured_on,
        "tiers_are": plan.tiers_are,
        "person": person.person,
        "name": person.name,
        "team": person.team,
        "role": plan.role,
        "days": person.days,
        "n_deals": slices["deal_key"].nunique(),
        "amount": cents / 100,
        "quota": quota / 100 if quota else np.nan,
        "attainment": cents / quota if quota else np.nan,
        "why": "" if scale else "no_quota",
    }
    if not scale:
        return row
    steps = [_half_up(_exact(tier.above) * scale) for tier in plan.tiers]
    number = bisect_right(steps[1:], cents)
    row |= {"tier": plan.tiers[number].above, "rate": plan.tiers[number].rate}
    if number + 1 < len(steps):
        tier = plan.tiers[number + 1]
        more = _exact(tier.rate) - _exact(plan.tiers[number].rate)
        weighted = sum(
            amount * _exact(factor)
            for amount, factor in zip(slices["amount_cents"], slices["factor"], strict=True)
        )
        row |= {"next_tier": tier.above, "next_step": steps[number + 1] / 100}
        row |= {"next_rate": tier.rate, "missing": (steps[number + 1] - cents) / 100}
        row["jump"] = _half_up(more * weighted) / 100 if plan.tiers_are == "retroactive" else 0.0
    return row


def _payout_of_gone(process: Process, plan_id: str, own: pd.DataFrame) -> dict:
    """Something is taken back from a person who does not hold the plan's role in the period any more."""
    plan = next(plan for plan in reversed(process.plans) if plan.id == plan_id)
    who = {name: own[name].iloc[0] for name in ("person", "name", "team", "role")}
    rules = {name: getattr(plan, name) for name in ("basis", "measured_on", "tiers_are")}
    return _sums(own) | who | rules | {"plan": plan_id, "n_deals": 0, "amount": 0.0, "why": "left"}


def _sums(own: pd.DataFrame) -> dict:
    sums = own.groupby("kind")["pay_cents"].sum().reindex(_KINDS, fill_value=0)
    cents = {"gross" if kind == "slice" else kind: sum_ / 100 for kind, sum_ in sums.items()}
    total = int(own["pay_cents"].sum())
    return cents | {"payout": total / 100, "payout_cents": total}


def near_a_step(payouts: pd.DataFrame, *, within: float = 0.1) -> pd.DataFrame:
    """
    Who needs little to the next step.

    Parameters
    ----------
    payouts : DataFrame, as `payouts` gives
    within : float
        Near: what is missing is at most this fraction of the step.

    Returns
    -------
    DataFrame, rows of `payouts`, those who need the smallest fraction of the step first
        With ``missing_share`` (fraction of the step) and ``rate_gain`` (next rate − rate: what each further unit of
        money pays more from the step on, before accelerators).
    """
    table = payouts[payouts["next_step"] > 0]
    table = table.assign(
        missing_share=table["missing"] / table["next_step"],
        rate_gain=table["next_rate"] - table["rate"],
    )
    table = table[table["missing_share"] <= within]
    return table.sort_values(["missing_share", "person"], ignore_index=True)


def cost(payouts: pd.DataFrame, *, by: str) -> pd.DataFrame:
    """
    Add up what the plans cost, by plan or team.

    Parameters
    ----------
    payouts : DataFrame, as `payouts` gives
    by : plan or team

    Returns
    -------
    DataFrame, one row per group, the largest payout first
        ``group`` (missing: no team), ``n_people`` (with a plan), ``n_paid`` (who get more than 0), ``amount`` (that
        counts), ``gross``, ``gate``, ``cap``, ``clawback``, ``payout``, ``payout_share`` (of the amount; NaN where
        that is 0).

    Raises
    ------
    ParameterError
        `by` is neither plan nor team.
    """
    if by not in ("plan", "team"):
        raise ParameterError(f"by must be plan or team, found {by!r}")
    money = ["amount", "gross", "gate", "cap", "clawback", "payout"]
    table = payouts.assign(is_paid=payouts["payout"] > 0)
    table = table.groupby(by, dropna=False).agg(
        n_people=("person", "nunique"),
        n_paid=("is_paid", "sum"),
        **{name: (name, math.fsum) for name in money},
    )
    table[money] = table[money].round(2)
    table["payout_share"] = table["payout"] / table["amount"].where(table["amount"] != 0)
    table = table.rename_axis("group").reset_index()
    return table.sort_values(["payout", "group"], ascending=[False, True], ignore_index=True)


def cost_by_tier(lines: pd.DataFrame) -> pd.DataFrame:
    """
    Add up what each tier of each plan pays, before gates, cap and clawback.

    Returns
    -------
    DataFrame, one row per plan and tier
        ``plan``, ``tier``, ``rate`` (both NaN: no quota to measure on), ``n_people``, ``n_deals``, ``amount``,
        ``pay``, ``pay_share`` (fraction of all that is paid by the plan's tiers; NaN where that is 0).
    """
    slices = lines[lines["kind"] == "slice"]
    table = slices.groupby(["plan", "tier", "rate"], dropna=False, as_index=False).agg(
        n_people=("person", "nunique"),
        n_deals=("deal_key", "nunique"),
        amount_cents=("amount_cents", "sum"),
        pay_cents=("pay_cents", "sum"),
    )
    total = table.groupby("plan")["pay_cents"].transform("sum")
    table = table.assign(
        amount=table["amount_cents"].astype(float) / 100,
        pay=table["pay_cents"] / 100,
        pay_share=table["pay_cents"] / total.where(total != 0),
    )
    columns = ["plan", "tier", "rate", "n_people", "n_deals", "amount", "pay", "pay_share"]
    return table.sort_values(["plan", "tier"], ignore_index=True)[columns]


def what_if(seen: Seen, process: Process, other: Process, period: Period) -> pd.DataFrame:
    """
    Pay the same period by other rules, as if they had always been in force.

    Only what people did then is taken; by other rules they might have done something else.

    Returns
    -------
    DataFrame, one row per person paid by either, the largest gain first
        ``person``, ``name``, ``team``, ``payout``, ``other_payout`` (0 where no plan is for the person),
        ``difference`` (other − now). No rows where a plan of either cannot be given (`why_not`).
    """
    columns = ["person", "name", "team", "payout", "other_payout", "difference"]
    if why_not(seen, process, period) or why_not(seen, other, period):
        return pd.DataFrame(columns=columns)
    sides = [payouts(seen, rules, period) for rules in (process, other)]
    people = pd.concat(sides).drop_duplicates("person")[["person", "name", "team"]]
    sums = [
        people["person"].map(side.groupby("person")["payout_cents"].sum()).fillna(0)
        for side in sides
    ]
    table = people.assign(
        payout=sums[0] / 100, other_payout=sums[1] / 100, difference=(sums[1] - sums[0]) / 100
    )
    return table.sort_values(["difference", "person"], ascending=[False, True], ignore_index=True)


def accounting(seen: Seen, process: Process, period: Period) -> pd.DataFrame:
    """
    Say where the amounts of a period went that could count for each plan: every one counts or has its reason.

    Returns
    -------
    DataFrame, one row per plan and reason
        ``plan``; ``reason``: counted, no_quota (counts, but without a quota it pays nothing), other_people (credited
        to people who do not hold the plan's role in the period), nobody (no owner, or shares below 100 %; negative
        where they are above), not_won (won in the period and not any more at its end), no_amount (won without an
        amount); ``n_deals``, ``amount`` (NaN for no_amount). The first four sum to what was booked or paid.
    """
    columns = ["plan", "reason", "n_deals", "amount"]
    rows = []
    for plan in process.on(period.first).plans:
        statement = _statement(seen, process, plan.id, period)
        if statement is None:
            continue
        has_scale = {
            person: plan.measured_on == "amount" or statement.quotas.get(person, 0) > 0
            for person in statement.people["person"]
        }
        found: dict[str, dict[int, int]] = defaultdict(lambda: defaultdict(int))
        for person, parts in _parts(seen, process, plan, period).items():
            reason = {True: "counted", False: "no_quota", None: "other_people"}[
                has_scale.get(person)
            ]
            for rise, *_, cents in parts:
                found[reason][rise.win.deal_key] += cents
        shared = defaultdict(int)
        for deals in found.values():
            for deal, cents in deals.items():
                shared[deal] += cents
        totals = defaultdict(int)
        for rise in _in_period(_history(seen, process, plan.id, period)[0], period):
            totals[rise.win.deal_key] += rise.cents
        for deal, cents in totals.items():
            if cents != shared[deal]:
                found["nobody"][deal] = cents - shared[deal]
        end = min(period.last, seen.as_of)
        for win in _wins(seen):
            if period.first <= win.won_on <= end:
                if win.cents is None:
                    found["no_amount"][win.deal_key] = 0
                elif win.unwon_on and win.unwon_on <= end:
                    found["not_won"][win.deal_key] += win.cents
        for reason in ("counted", "no_quota", "other_people", "nobody", "not_won", "no_amount"):
            if reason in found:
                amount = sum(found[reason].values()) / 100 if reason != "no_amount" else np.nan
                rows.append([plan.id, reason, len(found[reason]), amount])
    return pd.DataFrame(rows, columns=columns).astype({"amount": float})


def impossible(seen: Seen, plan: Plan) -> str | None:
    """Why the source cannot give a plan at all, in its words; None where it can."""
    needed = ["deals.owner", "deals.amount"]
    needed += ["payments"] if plan.basis == "paid" else []
    needed += ["quotas"] if plan.measured_on == "quota" else []
    return next((reason for reason in map(seen.reason, needed) if reason), None)


def why_not(seen: Seen, process: Process, period: Period) -> str | None:
    """Why nothing can be paid in a period: no plan is in force, or what the first impossible one lacks; else None."""
    plans = process.on(period.first).plans
    if plans:
        return next((reason for plan in plans if (reason := impossible(seen, plan))), None)
    first = min((plan.begins for plan in process.plans), default=None)
    begins = f"; the first begins on {first}" if first and first > period.first else ""
    return f"no incentive plan of the process file is in force on {period.first}{begins}"


def person(seen: Seen, process: Process, period: Period, rep: str) -> str:
    """
    The id of the person a statement is for.

    Parameters
    ----------
    seen, process, period : as for `lines`
    rep : str
        Empty: whoever gets the largest payout, to try the page; "" where nobody has a plan. Somebody without a plan
        in the period has a statement without lines.

    Raises
    ------
    ParameterError
        The source knows no such person. The message names nobody.
    """
    table = payouts(seen, process, period)
    if not rep:
        return table["person"].iloc[0] if len(table) else ""
    known = set(table["person"]) | set(kpis.members(seen, process, period)["person"])
    if not seen.reason("people"):
        known |= set(seen.frame("SELECT person_id FROM people ORDER BY 1")["person_id"])
    if rep not in known:
        raise ParameterError(
            f"rep must be the id of a person known on {seen.as_of}, found {rep!r}; the source knows {len(known)} people"
        )
    return rep


def own(table: pd.DataFrame, person: str) -> pd.DataFrame:
    """Rows of one person, and nobody else's; of a shared deal only the share of the others together is left."""
    return table[table["person"] == person].reset_index(drop=True)


def of_team(table: pd.DataFrame, team: str) -> pd.DataFrame:
    """
    Rows of the people of a team; of everybody where it is "".

    Raises
    ------
    ParameterError
        Nobody with a plan is in such a team.
    """
    if not team:
        return table
    rows = table[table["team"] == team].reset_index(drop=True)
    if rows.empty and len(table):
        known = ", ".join(sorted(table["team"].dropna().unique()))
        raise ParameterError(
            f"team must be one with people who have an incentive plan, found {team!r}; there are: {known or 'none'}"
        )
    return rows
