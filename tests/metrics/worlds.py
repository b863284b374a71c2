"""
Random small companies, written down as a CRM would export them.

Made to be awkward: deals skip, move back, repeat a stage, are lost or won and re-opened, handed to another pipeline,
removed; owners, teams and amounts change, also after the closing; instants are tied; cells are empty.
"""

import csv
import datetime
import random
from pathlib import Path
from typing import NamedTuple

import yaml

from salesanalysis import crm

STAGES = {  # pipeline -> stage -> order as the export gives it
    "New": {"Lead": 1, "Demo": 2, "Offer": 3, "Contract": 4},
    "Renewal": {"Check": 10, "Offer": 20, "Contract": 30},
    "Express": {"Order": 1},
}
ENDS = ("Won", "Lost")
FIRST, LAST = datetime.date(2025, 1, 1), datetime.date(2025, 12, 31)
ZONES = ("Asia/Shanghai", "America/New_York", "UTC")
_TEXT = "%Y-%m-%d %H:%M:%S"
_SECOND = datetime.timedelta(seconds=1)


class World(NamedTuple):
    """Tables of text by canonical name, and the mapping's settings."""

    tables: dict[str, list[dict[str, str]]]
    settings: dict[str, str]


def random_world(seed: int) -> World:
    """Make a company of 60 to 300 deals; the same seed makes the same one."""
    rng = random.Random(seed)
    has_seq = seed % 2 == 0
    people = _people(rng)
    reps = sorted({row["person_id"] for row in people})
    tables = {
        name: [] for name in ("deals", "stage_events", "owner_history", "deal_changes", "credits")
    }
    for number in range(rng.randint(60, 300)):
        _deal(rng, f"D{number:04d}", [*reps, "stranger"], tables, has_seq=has_seq)
    for name in ("deals", "stage_events", "owner_history", "deal_changes"):
        rng.shuffle(tables[name])
    tables |= {"stages": _stages(), "people": people, "quotas": _quotas(rng, reps)}
    return World(
        tables,
        {
            "timezone": ZONES[seed % len(ZONES)],
            "extracted_on": LAST.isoformat(),
        },
    )


def load(folder: Path, world: World) -> Path:
    """Write a world as CSV files with their mapping, and load it as any other export."""
    folder.mkdir(parents=True, exist_ok=True)
    mapping = {"source": "random", "currency": "EUR", "encoding": "utf-8", **world.settings}
    mapping["tables"] = {}
    for name, rows in world.tables.items():
        columns = list(dict.fromkeys(column for row in rows for column in row))
        with (folder / f"{name}.csv").open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, columns)
            writer.writeheader()
            writer.writerows(rows)
        spec = {column: column for column in columns}
        if name == "deals":
            spec["created_at"] = {"column": "created_at", "optional": "some were never dated"}
        mapping["tables"][name] = {"file": f"{name}.csv", "columns": spec}
    (folder / "mapping.yaml").write_text(yaml.safe_dump(mapping), encoding="utf-8")
    store = folder / "crm.duckdb"
    return crm.load(folder, folder / "mapping.yaml", store, say=lambda text: None)


def _stages() -> list[dict[str, str]]:
    rows = []
    for pipeline, stages in STAGES.items():
        flags = dict.fromkeys(stages, ("false", "false"))
        flags |= {"Won": ("true", "false"), "Lost": ("false", "true")}
        for stage, (is_won, is_lost) in flags.items():
            order = str(stages.get(stage, 99))
            row = {"pipeline": pipeline, "stage": stage, "stage_order": order}
            rows.append(row | {"is_won": is_won, "is_lost": is_lost})
    return rows


def _people(rng: random.Random) -> list[dict[str, str]]:
    """Reps in three teams; some change team, some join late, some leave."""
    rows = []
    for number in range(rng.randint(5, 9)):
        hired = "" if rng.random() < 0.3 else _day(rng, FIRST, datetime.date(2025, 8, 1))
        left = _day(rng, datetime.date(2025, 9, 1), LAST) if rng.random() < 0.3 else ""
        row = {
            "person_id": f"p{number}",
            "name": f"Rep {9 - number}",
            "hired_on": hired,
            "left_on": left,
        }
        begins = [""] if rng.random() < 0.5 else [hired or FIRST.isoformat()]
        if rng.random() < 0.5:
            begins.append(_day(rng, datetime.date(2025, 8, 2), LAST))
        teams = ["North", "South", "East"]
        rows += [row | {"team": rng.choice(teams), "valid_from": begin} for begin in begins]
    return rows


def _quotas(rng: random.Random, reps: list[str]) -> list[dict[str, str]]:
    """Quarterly quotas of persons and teams, and some of another measure."""
    rows = []
    for quarter in range(4):
        start = datetime.date(2025, 3 * quarter + 1, 1)
        after = datetime.date(2025 + (quarter == 3), (3 * quarter + 3) % 12 + 1, 1)
        period = {
            "period_start": start.isoformat(),
            "period_end": (after - datetime.timedelta(days=1)).isoformat(),
        }
        for kind, holders in (("person", [*reps[1:], "stranger"]), ("team", ["North", "South"])):
            for holder in holders:
                row = {"holder_type": kind, "holder_id": holder, **period}
                rows.append(row | {"measure": "amount", "value": str(rng.choice([0, 500, 2000]))})
                if rng.random() < 0.2:
                    rows.append(row | {"measure": "count", "value": "3"})
    return rows


def _deal(
    rng: random.Random, deal_id: str, owners: list[str], tables: dict, *, has_seq: bool
) -> None:
    created = _instant(rng, FIRST, datetime.date(2025, 11, 30))
    pipeline = rng.choices(list(STAGES), [6, 4, 1])[0]
    path = _path(rng, created, pipeline, any_ties=has_seq)
    path = [step for step in path if step[0].date() <= LAST] or [(created, *path[0][1:])]
    deal = {
        "deal_id": deal_id,
        "created_at": "" if rng.random() < 0.03 else created.strftime(_TEXT),
        "status": {"Won": "won", "Lost": "lost", "removed": "removed"}.get(path[-1][2], "open"),
        "closed_at": "",
        "pipeline": path[-1][1],
        "stage": path[-1][2],
    }
    if deal["status"] != "open":
        deal["closed_at"] = path[-1][0].strftime(_TEXT)
    history = [step for step in path if step[2] != "removed"]
    if history and history[-1][2] in ENDS and rng.random() < 0.1 and deal["status"] != "removed":
        history.pop()  # the closing is known from the deal's own row only
    if len(path) == 1 and rng.random() < 0.2:
        history = []  # no history at all
    for number, (at, line, stage) in enumerate(history):
        event = {
            "deal_id": deal_id,
            "pipeline": line,
            "stage": stage,
            "entered_at": at.strftime(_TEXT),
        }
        tables["stage_events"].append(event | ({"seq": str(number)} if has_seq else {}))
    deal["owner"] = _owners(rng, deal_id, path, owners, tables["owner_history"])
    deal["amount"] = _amounts(rng, deal_id, created, tables["deal_changes"])
    for name, values in (
        ("region", ["West", "Ost", ""]),
        ("product", ["X", "Y"]),
        ("source", ["Fair", "Web", "Web", "Web"]),
        ("segment", ["big", "small", ""]),
    ):
        deal[name] = rng.choice(values)
    tables["deals"].append(deal)
    _credit(rng, deal, owners, tables["credits"])


def _path(rng: random.Random, created: datetime.datetime, pipeline: str, *, any_ties: bool):
    """States of a deal in time: (instant, pipeline, stage or Won, Lost, removed); perhaps beyond the last day."""
    stages = list(STAGES[pipeline])
    if rng.random() < 0.02:
        return [(created, pipeline, rng.choice(ENDS))]
    at, place = created, min(rng.choice([0] * 8 + [1, 2]), len(stages) - 1)
    if rng.random() < 0.1:
        at = _later(rng, at)
    path = [(at, pipeline, stages[place])]
    for _ in range(12):
        kind, place = _move(rng, place, len(stages))
        if kind == "rest":
            break
        is_tie_fine = any_ties or (kind in ("forward", *ENDS) and path[-1][2] not in ENDS)
        at = _later(rng, at, at_least=datetime.timedelta() if is_tie_fine else _SECOND)
        if kind in (*ENDS, "removed"):
            path.append((at, pipeline, kind))
            if kind == "removed" or rng.random() > (0.25 if kind == "Lost" else 0.06):
                if kind != "removed" and rng.random() < 0.03:
                    path.append((_later(rng, at, at_least=_SECOND), pipeline, "removed"))
                break
            at = _later(rng, at, at_least=datetime.timedelta() if any_ties else _SECOND)
            place = rng.randrange(len(stages))
        elif kind == "hand off":
            pipeline = rng.choice([name for name in STAGES if name != pipeline])
            stages = list(STAGES[pipeline])
            place = rng.randrange(len(stages))
        path.append((at, pipeline, stages[place]))
    return path


def _move(rng: random.Random, place: int, n_stages: int) -> tuple[str, int]:
    """What happens next to a deal, and the place it has then."""
    kind = rng.choices(
        ["next", "skip", "back", "repeat", "Won", "Lost", "removed", "hand off", "rest"],
        [48, 10, 10, 4, 4, 15, 2, 4, 6],
    )[0]
    if kind == "next" or kind == "skip":
        target = place + (1 if kind == "next" else 2)
        return ("forward", target) if target < n_stages else ("Won", place)
    if kind == "back":
        return kind, rng.randrange(place + 1)
    return kind, place


def _owners(rng: random.Random, deal_id: str, path: list, owners: list[str], history: list) -> str:
    """Write a deal's owner history; give its present owner."""
    if rng.random() < 0.05:
        return ""
    owner, at, n_changes = rng.choice(owners), path[0][0], rng.choice([0, 0, 0, 1, 1, 2])
    if not n_changes and rng.random() < 0.5:
        return owner
    for change in range(n_changes + 1):
        history.append({"deal_id": deal_id, "owner": owner, "valid_from": at.strftime(_TEXT)})
        moved = [step[0] for step in path if step[0] > at]
        if moved and rng.random() < 0.1:
            at = rng.choice(moved)  # handed over with a move, perhaps with the closing
        else:
            at = _later(rng, _later(rng, at, at_least=_SECOND))
        if change == n_changes or at.date() > LAST:
            break
        owner = rng.choice(owners)
    return owner


def _amounts(rng: random.Random, deal_id: str, created, changes: list) -> str:
    """Write how a deal's amount changed; give its present amount."""
    amount, at = _amount(rng), created
    for _ in range(rng.choice([0, 0, 0, 1, 2])):
        at = _later(rng, _later(rng, at, at_least=_SECOND))
        if at.date() > LAST:
            break
        row = {"deal_id": deal_id, "field": "amount", "old": amount, "new": _amount(rng)}
        changes.append(row | {"changed_at": at.strftime(_TEXT)})
        amount = row["new"]
    return amount


def _amount(rng: random.Random) -> str:
    return (
        ""
        if rng.random() < 0.1
        else f"{rng.randint(1, 900)}.{rng.choice(['', '5', '25'])}".rstrip(".")
    )


def _credit(rng: random.Random, deal: dict[str, str], owners: list[str], credits: list) -> None:
    if deal["status"] != "won" or rng.random() < 0.6:
        return
    first, second, third = rng.sample(owners, 3)
    parts = [(first, "0.7", "revenue"), (second, "0.3", "revenue")]
    if rng.random() < 0.3:
        parts = [(first, "1", "revenue")]
    if rng.random() < 0.3:
        parts.append((third, "0.5", "overlay"))
    for person, share, kind in parts:
        credits.append(
            {"deal_id": deal["deal_id"], "person_id": person, "share": share, "type": kind}
        )


def _later(
    rng: random.Random,
    at: datetime.datetime,
    *,
    at_least: datetime.timedelta = datetime.timedelta(),
) -> datetime.datetime:
    """Nothing, some hours or some days later; never in the hours in which clocks change."""
    kind, wait = rng.random(), datetime.timedelta()
    if 0.12 < kind < 0.25:
        wait = datetime.timedelta(hours=rng.randint(1, 5))
    elif kind >= 0.25:
        wait = datetime.timedelta(days=int(rng.expovariate(1 / 14)))
    at += max(wait, at_least)
    return at.replace(hour=4) if 0 < at.hour < 4 else at


def _instant(rng: random.Random, first: datetime.date, last: datetime.date) -> datetime.datetime:
    day = datetime.date.fromisoformat(_day(rng, first, last))
    seconds = rng.choice([0, 4 * 3600, 24 * 3600 - 1, rng.randrange(4 * 3600, 24 * 3600)])
    return datetime.datetime.combine(day, datetime.time()) + datetime.timedelta(seconds=seconds)


def _day(rng: random.Random, first: datetime.date, last: datetime.date) -> str:
    return (first + datetime.timedelta(days=rng.randrange((last - first).days + 1))).isoformat()


CUSTOMERS = [("c0", "Null & Co"), ("c1", "Eins"), ("c2", ""), ("", "Only named"), ("<c4>", "Eins")]


def with_customers(world: World, seed: int) -> World:
    """
    Add customers and what is recorded about them: activities, questions, payments, changes of every field.

    Two customers share a name, one has no name, one no id, and some deals have no customer.
    """
    rng = random.Random(1000 + seed)
    tables = {name: [dict(row) for row in rows] for name, rows in world.tables.items()}
    owners = sorted({row["owner"] for row in tables["deals"] if row["owner"]})
    tables |= {name: [] for name in ("activities", "satisfaction", "payments")}
    for row in tables["deals"]:
        row["account_id"], row["account"] = rng.choice([*CUSTOMERS, ("", "")])
        row["expected_close"] = _day(rng, FIRST, LAST) if rng.random() < 0.5 else ""
        row["loss_reason"] = rng.choice(["price", ""]) if row["status"] == "lost" else ""
        for _ in range(rng.choice([0, 0, 1, 2, 5])):
            tables["activities"].append(_activity(rng, row["deal_id"], owners))
        for _ in range(rng.choice([0, 0, 0, 1, 2])):
            tables["satisfaction"].append(_question(rng, owners) | {"deal_id": row["deal_id"]})
        for _ in range(
            rng.choice([0, 1, 2]) if row["status"] == "won" or rng.random() < 0.1 else 0
        ):
            amount = f"{rng.randint(-300, 900)}.{rng.randint(10, 99)}"
            paid_on = _day(rng, FIRST, LAST)
            tables["payments"].append(
                {"deal_id": row["deal_id"], "paid_on": paid_on, "amount": amount}
            )
        for field in rng.sample(
            ["expected_close", "forecast_category", "probability"], rng.randint(0, 3)
        ):
            tables["deal_changes"].append(_change(rng, row["deal_id"], field, owners))
    for row in tables["deal_changes"]:
        row.setdefault("actor", "")
    tables["activities"] += [_activity(rng, "", owners) for _ in range(5)]
    tables["satisfaction"] += [
        _question(rng, owners) | {"deal_id": "", "account_id": account}
        for account in ("c0", "c1", "c1", "stranger")
    ]
    for number, row in enumerate(tables["activities"]):
        row["activity_id"] = f"a{number}"
    return World(tables, world.settings)


def _activity(rng: random.Random, deal_id: str, owners: list[str]) -> dict[str, str]:
    """Entered, due and done in any order, each of the last two perhaps not at all."""
    entered = _instant(rng, FIRST, LAST)
    due = rng.choice(["", entered, _later(rng, entered), _instant(rng, FIRST, LAST)])
    done = rng.choice(["", entered, _later(rng, entered), _later(rng, _later(rng, entered))])
    return {
        "deal_id": deal_id,
        "rep": rng.choice([*owners, ""]),
        "type": rng.choice(["call", "visit"]),
        "created_at": entered.strftime(_TEXT),
        "due_at": due and due.strftime(_TEXT),
        "done_at": done and done.strftime(_TEXT),
        "outcome": rng.choice(["fine", ""]) if done else "",
    }


def _question(rng: random.Random, owners: list[str]) -> dict[str, str]:
    asked = _instant(rng, FIRST, LAST)
    answered = _later(rng, asked) if rng.random() < 0.6 else ""
    return {
        "account_id": rng.choice(["", "c0"]),  # where there is a deal, the deal says whose it is
        "person_id": rng.choice(owners),
        "asked_at": asked.strftime(_TEXT),
        "answered_at": answered and answered.strftime(_TEXT),
        "score": rng.choice(["", "3", "8"]) if answered else "",
        "scale_max": rng.choice(["10", "10", "5", ""]),
    }


def _change(rng: random.Random, deal_id: str, field: str, owners: list[str]) -> dict[str, str]:
    new = _day(rng, FIRST, LAST) if field == "expected_close" else rng.choice(["0.5", "commit"])
    return {
        "deal_id": deal_id,
        "field": field,
        "old": "",
        "new": new,
        "changed_at": _instant(rng, FIRST, LAST).strftime(_TEXT),
        "actor": rng.choice([*owners, "robot", ""]),
    }


def with_work(world: World, seed: int) -> World:
    """
    Add to a world `with_customers` what KPIs are made of, much of it on the days that decide.

    People have roles and managers (perhaps in a circle), change roles and are hired again; activities lie on and
    beside the days on which stages are entered, left and overdue, and after hand-overs; some credit goes to the
    owner, some deals have no credit.
    """
    rng = random.Random(2000 + seed)
    tables = {name: [dict(row) for row in rows] for name, rows in world.tables.items()}
    tables["people"] = _staff(rng, tables["people"])
    owner_of = {row["deal_id"]: row["owner"] for row in tables["deals"]}
    owners = sorted({owner for owner in owner_of.values() if owner})
    marks = [(row["deal_id"], row["entered_at"], None) for row in tables["stage_events"]]
    marks += [(row["deal_id"], row["valid_from"], row["owner"]) for row in tables["owner_history"]]
    marks += [(row["deal_id"], row["closed_at"], None) for row in tables["deals"]]
    for deal_id, at, rep in marks:
        if at and rng.random() < 0.5:
            done = datetime.datetime.fromisoformat(at) + datetime.timedelta(
                days=rng.choice([-1, 0, 0, 1, 6, 7, 8, 9, 10, 14, 15])
            )
            if done.date() > LAST:
                continue
            made = done - datetime.timedelta(days=rng.choice([0, 0, 3, 9]))
            due = made + datetime.timedelta(days=rng.choice([0, 3, 9]))
            tables["activities"].append(
                {
                    "activity_id": f"w{len(tables['activities'])}",
                    "deal_id": deal_id,
                    "rep": rep or owner_of[deal_id] or rng.choice(owners),
                    "type": rng.choice(["call", "visit", "demo"]),
                    "created_at": made.strftime(_TEXT),
                    "due_at": due.strftime(_TEXT),
                    "done_at": done.strftime(_TEXT),
                    "outcome": "",
                }
            )
    return World(tables, world.settings)


def _staff(rng: random.Random, people: list[dict[str, str]]) -> list[dict[str, str]]:
    ids = sorted({row["person_id"] for row in people})
    roles = {person: rng.choice(["rep", "rep", "rep", "rep", "", "boss"]) for person in ids}
    managers = {person: rng.choice([*ids, "", ""]) for person in ids}
    rows = []
    for row in people:
        person = row["person_id"]
        role = rng.choice(["rep", "boss"]) if rng.random() < 0.2 else roles[person]
        manager = managers[person]
        rows.append(row | {"role": role, "manager_id": "" if manager == person else manager})
    for person in ids:
        last = [row for row in rows if row["person_id"] == person][-1]
        if last["left_on"]:
            again = datetime.date.fromisoformat(max(last["left_on"], last["valid_from"]))
            again += datetime.timedelta(days=rng.randint(1, 30))
            if again <= LAST:
                day = {"hired_on": again.isoformat(), "valid_from": again.isoformat()}
                rows.append(last | day | {"left_on": "", "team": rng.choice(["North", "East"])})
    return rows
