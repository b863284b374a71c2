"""
The definitions once more, deal by deal in plain Python: what the metric tables are compared with.

Reads the text of a `worlds.World` and shares no code with the package. Instants are local and naive.
"""

import datetime
import itertools
import math
from collections import defaultdict
from typing import NamedTuple

import pandas as pd

Z = 1.959963984540054
ENDS = {"Won": "won", "Lost": "lost"}


class Entry(NamedTuple):
    """One unbroken stay of a deal in a stage."""

    pipeline: str
    stage: str
    order: int
    entered_on: datetime.date
    exited_on: datetime.date | None
    inflow: str
    outcome: str
    place: int  # among the states of the deal
    segments: dict


class Deal(NamedTuple):
    """A deal as it was known at the end of a day."""

    deal_id: str
    created_on: datetime.date | None
    status: str
    closed_on: datetime.date | None
    pipeline: str
    amount: float | None
    is_handed: bool
    segments: dict  # owner and team of the day, or of the closing
    states: list  # (instant, pipeline, stage or end state)
    entries: list


def deals_as_of(world, day: datetime.date) -> list[Deal]:
    """Every deal known at the end of `day`, with nothing that came later."""
    orders = stage_orders(world)
    rows = {name: _by(world.tables.get(name, []), key) for name, key in _KEYS.items()}
    begun = datetime.datetime.fromisoformat(world.settings["extracted_on"])
    end = datetime.datetime.combine(day, datetime.time()) + datetime.timedelta(days=1)
    deals = []
    for row in world.tables["deals"]:
        own = {name: rows[name][row["deal_id"]] for name in _KEYS if name != "people"}
        states = _states(row, own["stage_events"], orders)
        created = _instant(row["created_at"])
        known_from = created or (states[0][0] if states else begun)
        if known_from < end:
            deals.append(_deal(row, own, rows["people"], states, orders, created, end))
    return deals


_KEYS = {
    "stage_events": "deal_id",
    "owner_history": "deal_id",
    "deal_changes": "deal_id",
    "people": "person_id",
}


def stage_orders(world) -> dict[tuple[str, str], int]:
    """Place of each stage in its pipeline, 1 for the first."""
    orders = {}
    for pipeline, rows in _by(world.tables["stages"], "pipeline").items():
        stages = [row for row in rows if row["stage"] not in ENDS]
        for place, row in enumerate(sorted(stages, key=lambda r: int(r["stage_order"])), start=1):
            orders[pipeline, row["stage"]] = place
    return orders


def _by(rows: list[dict], key: str) -> dict[str, list[dict]]:
    found = defaultdict(list)
    for row in rows:
        found[row[key]].append(row)
    return found


def _instant(text: str | None) -> datetime.datetime | None:
    return datetime.datetime.fromisoformat(text) if text else None


def _states(row: dict, events: list[dict], orders: dict) -> list:
    """All moves of a deal in order, repeats left out, its own closing added where the history lacks it."""

    def place(event):
        order = orders.get((event["pipeline"], event["stage"]), 1000 + len(event["stage"]))
        return _instant(event["entered_at"]), int(event.get("seq") or 0), order

    moves = [
        (_instant(event["entered_at"]), event["pipeline"], ENDS.get(event["stage"], event["stage"]))
        for event in sorted(events, key=place)
    ]
    is_ended = bool(moves) and moves[-1][2] in ENDS.values()
    if row["status"] != "open" and (not is_ended or row["status"] == "removed"):
        at = _instant(row["closed_at"])
        moves.append((max(at, moves[-1][0]) if moves else at, row["pipeline"], row["status"]))
    states = []
    for move in moves:
        if not states or not _same(states[-1], move):
            states.append(move)
    return states


def _same(a, b) -> bool:
    return a[2] == b[2] and (a[1] == b[1] or a[2] in ENDS.values())


def is_end(stage: str) -> bool:
    """Won, lost or removed."""
    return stage in ("won", "lost", "removed")


def _deal(row, own, people, states, orders, created, end) -> Deal:
    seen = [state for state in states if state[0] < end]
    status = seen[-1][2] if seen and is_end(seen[-1][2]) else "open"
    last_instant = end - datetime.timedelta(microseconds=1)
    held = last_instant if status == "open" else _closing(seen)
    owner = _owner(row, own["owner_history"], held)
    handed = _owner_changes(own["owner_history"], held) > 0
    stages = [state for state in seen if not is_end(state[2])]
    stages = stages or [state for state in states if not is_end(state[2])][:1]
    fixed = {name: row.get(name) or None for name in ("region", "product", "source", "segment")}
    return Deal(
        deal_id=row["deal_id"],
        created_on=created.date() if created else None,
        status=status,
        closed_on=seen[-1][0].date() if status != "open" else None,
        pipeline=stages[-1][1] if stages else row["pipeline"],
        amount=_amount(row, own["deal_changes"], end),
        is_handed=handed,
        segments=fixed | {"owner": owner, "team": _team(people, owner, held)},
        states=seen,
        entries=_entries(row, own["owner_history"], people, seen, orders, fixed),
    )


def _closing(seen: list) -> datetime.datetime:
    """The instant since which a deal has not been open."""
    closing = seen[-1][0]
    for at, _, stage in reversed(seen):
        if not is_end(stage):
            break
        closing = at
    return closing


def _owner(row: dict, history: list[dict], at: datetime.datetime) -> str | None:
    spells = sorted(history, key=lambda spell: spell["valid_from"])
    if not spells:
        return row.get("owner") or None
    begun = [spell for spell in spells if _instant(spell["valid_from"]) <= at]
    return (begun or spells)[-1 if begun else 0]["owner"]


def _owner_changes(history: list[dict], at: datetime.datetime) -> int:
    spells = sorted(history, key=lambda spell: spell["valid_from"])
    return sum(
        earlier["owner"] != later["owner"] and _instant(later["valid_from"]) <= at
        for earlier, later in itertools.pairwise(spells)
    )


def _team(people: dict, owner: str | None, at: datetime.datetime) -> str | None:
    spells = sorted(people.get(owner, []), key=lambda row: row["valid_from"])
    begun = [row for row in spells if row["valid_from"] <= at.date().isoformat()]
    return (begun[-1] if begun else spells[0])["team"] if spells else None


def _amount(row: dict, changes: list[dict], end: datetime.datetime) -> float | None:
    changes = [change for change in changes if change["field"] == "amount"]
    amount, changes = row.get("amount"), sorted(changes, key=lambda change: change["changed_at"])
    if changes:
        amount = changes[0]["old"]
        for change in changes:
            if _instant(change["changed_at"]) < end:
                amount = change["new"]
    return float(amount) if amount else None


def _entries(row, history, people, seen: list, orders: dict, fixed: dict) -> list[Entry]:
    entries = []
    for place, (at, pipeline, stage) in enumerate(seen):
        if is_end(stage):
            continue
        before = seen[place - 1] if place else None
        after = seen[place + 1] if place + 1 < len(seen) else None
        owner = _owner(row, history, at)
        order = orders[pipeline, stage]
        n_stages = max(o for (line, _), o in orders.items() if line == pipeline)
        entries.append(
            Entry(
                pipeline,
                stage,
                order,
                at.date(),
                after[0].date() if after else None,
                _inflow(pipeline, order, before, orders),
                _outcome(pipeline, order, after, orders, is_last=order == n_stages),
                place,
                fixed | {"owner": owner, "team": _team(people, owner, at)},
            )
        )
    return entries


def _inflow(pipeline, order, before, orders) -> str:
    if before is None:
        return "starts"
    if is_end(before[2]):
        return "reopened"
    if before[1] != pipeline:
        return "handed_in"
    step = order - orders[before[1], before[2]]
    return "advanced_in" if step == 1 else "skipped_in" if step > 1 else "moved_back_in"


def _outcome(pipeline, order, after, orders, *, is_last) -> str:
    if after is None:
        return "open"
    if after[2] in ("lost", "removed"):
        return after[2]
    if after[2] == "won":
        return "advanced" if is_last else "skipped"
    if after[1] != pipeline:
        return "handed_off"
    step = orders[after[1], after[2]] - order
    return "advanced" if step == 1 else "skipped" if step > 1 else "moved_back"


def age(deal: Deal, day: datetime.date) -> tuple[int, int] | None:
    """Age and cause (0 open, 1 won, 2 lost) at which a deal was last seen; None where no rate counts it."""
    if deal.created_on is None or deal.status == "removed":
        return None
    last = deal.closed_on or day
    return (last - deal.created_on).days, {"open": 0, "won": 1, "lost": 2}[deal.status]


class Visit(NamedTuple):
    """The first entry of a deal into a stage, and what has come of it."""

    entry: Entry
    age: int
    cause: int  # 1 reached a later stage or won, 2 is lost, 0 neither


def first_visits(deal: Deal, day: datetime.date) -> list[Visit]:
    """One visit per stage the deal has touched; followed up to the day whatever happens in between."""
    visits, touched = [], set()
    orders = {(entry.pipeline, entry.stage): entry.order for entry in deal.entries}
    for entry in deal.entries:
        if (entry.pipeline, entry.stage) in touched:
            continue
        touched.add((entry.pipeline, entry.stage))
        until, cause = day, 0
        if deal.status == "lost":
            until, cause = deal.closed_on, 2
        for at, pipeline, stage in deal.states[entry.place + 1 :]:
            is_later = pipeline == entry.pipeline and orders.get((pipeline, stage), 0) > entry.order
            if stage == "won" or (is_later and not is_end(stage)):
                until, cause = at.date(), 1
                break
        visits.append(Visit(entry, (until - entry.entered_on).days, cause))
    return visits


def wilson(k: float, n: float) -> tuple[float, float] | tuple[None, None]:
    """Wilson's interval of k of n."""
    if not n:
        return None, None
    p = k / n
    centre, spread = (p + Z * Z / (2 * n)), Z * math.sqrt(p * (1 - p) / n + Z * Z / (4 * n * n))
    return (centre - spread) / (1 + Z * Z / n), (centre + spread) / (1 + Z * Z / n)


def incidence(cases: list[tuple[int, int]], t: int, of: int = 1) -> dict[str, float | None]:
    """Aalen-Johansen at age t from (age, cause) of each case, with the variance as it stands in the books."""
    open_share, rate, steps = 1.0, 0.0, []
    for at in sorted({at for at, cause in cases if cause and at <= t}):
        n = sum(a >= at for a, _ in cases)
        d = sum(a == at and cause > 0 for a, cause in cases)
        dk = sum(a == at and cause == of for a, cause in cases)
        rate += open_share * dk / n
        steps.append((open_share, n, d, dk, rate))
        open_share *= 1 - d / n
    if not cases or (t > max(at for at, _ in cases) and open_share > 1e-12):
        return dict.fromkeys(("rate", "low", "high", "n_eff", "open"))
    variance = 0.0
    for before, n, d, dk, then in steps:
        gap = rate - then
        variance += gap * gap * d / (n * (n - d)) if n > d else 0.0
        variance += before * before * dk * (n - dk) / n**3 - 2 * gap * before * dk / n**2
    if rate < 1e-12 or rate > 1 - 1e-12:
        n_eff = max(1, sum(cause > 0 or at >= t for at, cause in cases))
    else:
        n_eff = rate * (1 - rate) / variance
    low, high = wilson(rate * n_eff, n_eff)
    return {"rate": rate, "low": low, "high": high, "n_eff": n_eff, "open": open_share}


def staying(cases: list[tuple[int, bool]]) -> list[tuple[int, float, float | None, float | None]]:
    """Product-limit share still there after each age with an exit, and its log-log limits."""
    share, greenwood, steps = 1.0, 0.0, []
    for at in sorted({at for at, has_left in cases if has_left}):
        n = sum(a >= at for a, _ in cases)
        d = sum(a == at and has_left for a, has_left in cases)
        share *= 1 - d / n
        if n == d:
            steps.append((at, 0.0, None, None))
            continue
        greenwood += d / (n * (n - d))
        limits = [
            share ** math.exp(side * Z * math.sqrt(greenwood) / math.log(share)) for side in (-1, 1)
        ]
        steps.append((at, share, min(limits), max(limits)))
    return steps


def first_age(steps: list, left: float, column: int = 1) -> int | None:
    """First age at which the share still there, or one of its limits, is at most 1 - left."""
    for step in steps:
        if step[column] is not None and step[column] <= 1 - left + 1e-12:
            return step[0]
    return None


def quantile(values: list[int], percent: int) -> int | None:
    """Smallest value that at least so many per cent of the values do not exceed."""
    for value in sorted(values):
        if 100 * sum(v <= value for v in values) >= percent * len(values):
            return value
    return None


def total(amounts: list[float | None]) -> float | None:
    """Sum of the amounts that are known; None where none is."""
    known = [amount for amount in amounts if amount is not None]
    return sum(known) if known else None


def share(part: float | None, whole: float | None) -> float | None:
    """A fraction; None with denominator 0 or unknown."""
    return part / whole if part is not None and whole else None


def grouped(things: list, by: str | None, of=lambda thing: thing.segments) -> dict:
    """Things by the value of a segment; without one, all under None."""
    groups = defaultdict(list)
    for thing in things:
        groups[of(thing)[by] if by else None].append(thing)
    return groups


def assert_same(table: pd.DataFrame, expected: list[dict], keys: list[str]) -> None:
    """Rows agree by key, on all the columns expected; missing equals missing, numbers to 1e-9."""
    keys = [key for key in keys if key in table.columns]
    found = {}
    for row in table.to_dict("records"):
        key = tuple(value_of(row[name]) for name in keys)
        assert key not in found, f"two rows for {key}"
        found[key] = row
    wanted = {tuple(row[name] for name in keys): row for row in expected}
    assert len(wanted) == len(expected)
    assert found.keys() == wanted.keys(), (
        f"only found: {found.keys() - wanted.keys()}; only expected: {wanted.keys() - found.keys()}"
    )
    wrong = [
        f"{key} {name}: found {value_of(found[key][name])!r}, expected {value!r}"
        for key, row in wanted.items()
        for name, value in row.items()
        if name in table.columns and not _agree(value_of(found[key][name]), value)
    ]
    assert not wrong, f"{len(wrong)} cells differ: " + "; ".join(wrong[:12])
    unknown = {name for row in expected for name in row} - set(table.columns) - {"group"}
    assert not unknown, f"the table lacks {unknown}"


def value_of(value):
    """A cell of a metric table as plain Python: missing as None, days as dates."""
    if value is None or value is pd.NaT or (isinstance(value, float) and math.isnan(value)):
        return None
    return value.date() if isinstance(value, datetime.datetime) else value


def _agree(found, wanted) -> bool:
    if isinstance(wanted, float) or isinstance(found, float):
        both = found is not None and wanted is not None
        return math.isclose(found, wanted, rel_tol=1e-9, abs_tol=1e-9) if both else found is wanted
    return found == wanted
