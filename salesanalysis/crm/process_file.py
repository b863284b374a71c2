"""The reader of the process file: text in, rules out; every key is checked, then what the entries say together."""

import datetime
import hashlib
import re
from collections import Counter
from collections.abc import Callable, Iterable
from decimal import Decimal
from pathlib import Path
from typing import Any

from salesanalysis import strict_yaml
from salesanalysis.crm.errors import ProcessError
from salesanalysis.crm.process import (
    MEASURES,
    SHARES,
    Accelerator,
    Action,
    Development,
    Gate,
    Kpi,
    Plan,
    Process,
    Rules,
    Scorecard,
    Stage,
    Text,
    Tier,
    When,
)
from salesanalysis.crm.seen import find_file

Reader = Callable[[Any, str], Any]  # what stands there (text, list or dict) and where -> the value

KINDS = ("process", "result", "customer", "team")
RAMPS = ("any", "ramped", "ramping")
LEADS_TO = ("training", "coaching", "promotion_review")
ACCELERATED = ("region", "product", "source", "segment")
MOST = 3650  # of what is counted: ten years of days


def read_process(path: str | Path) -> Process:
    """
    Read and check a process file.

    Parameters
    ----------
    path : path of a YAML file; a relative one is looked for from the working folder upwards
        ``params/process.yaml`` and ``params/process_small_team.yaml`` are commented examples of every key.

    Returns
    -------
    Process
        Per cent as written in the file (weights, rates, steps in per cent of the quota, what a gate pays) is a
        fraction of 1 here; money, days and points are as written.

    Raises
    ------
    ProcessError
        The file is missing, is not strict YAML, or holds a key, a value or a combination it may not hold; the
        message names the entry and the key, what must hold, what was found and what is allowed.
    """
    path = find_file(path)
    try:
        content = path.read_bytes()
        raw = strict_yaml.loads(content.decode("utf-8"))
    except (OSError, ValueError) as error:
        raise ProcessError(f"the process file {path} cannot be read: {error}") from error
    where = f"process file {path.name}"
    read = _block(raw, where, _FILE, _OPTIONAL)
    process = Process(
        name=read["name"],
        **read["strategy"],
        **read["people"],
        stages=read["stages"],
        kpis=read["kpis"],
        scorecards=read["scorecards"],
        plans=read.get("incentives", ()),
        development=read.get("development", ()),
        sha256=hashlib.sha256(content).hexdigest(),
        file=path.name,
    )
    _check(process, where)
    return process


def _wrong(where: str, must: str, found: object, allowed: Iterable[str] = ()) -> ProcessError:
    kinds = {list: "a list", dict: "a block of keys"}
    shown = kinds.get(type(found), repr(found))
    choices = f"; allowed: {', '.join(allowed)}" if allowed else ""
    return ProcessError(f"{where}: must be {must}, found {shown}{choices}")


def _text(value: Any, where: str) -> str:
    if not isinstance(value, str) or not value.strip():
        raise _wrong(where, "a text that is not empty", value)
    return value.strip()


def _id(value: Any, where: str) -> str:
    if not isinstance(value, str) or not re.fullmatch("[a-z][a-z0-9_]*", value):
        raise _wrong(where, "small letters, digits and _, a letter first", value)
    return value


def _one_of(*words: str) -> Reader:
    def read(value: Any, where: str) -> str:
        if value not in words:
            raise _wrong(where, "one of the words allowed", value, words)
        return value

    return read


def _day(value: Any, where: str) -> datetime.date:
    try:
        # Python also reads 20260101 and 2026-W01-4.
        written = isinstance(value, str) and re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", value)
        return datetime.date.fromisoformat(value if written else "")
    except ValueError:
        raise _wrong(where, "a day such as 2026-01-01", value) from None


def _number(
    low: float | None = None,
    high: float | None = None,
    *,
    is_low_allowed: bool = True,
    per: int = 1,
) -> Reader:
    """Read a decimal number between bounds and divide it by `per`, 1 or 100, exactly."""
    bounds = []
    if low is not None:
        bounds.append(f"{low} or more" if is_low_allowed else f"more than {low}")
    if high is not None:
        bounds.append(f"at most {high}")
    kind = "a plain number" + (" of per cent without the sign" if per == 100 else "")
    must = ", ".join([kind, *[" and ".join(bounds)] * bool(bounds)])

    def read(value: Any, where: str) -> float:
        written = isinstance(value, str) and re.fullmatch(r"-?[0-9]{1,15}(\.[0-9]{1,15})?", value)
        if not written:
            raise _wrong(where, must, value)
        number = Decimal(value)
        is_low = low is not None and (number < low if is_low_allowed else number <= low)
        if is_low or (high is not None and number > high):
            raise _wrong(where, must, value)
        return float(number / per)

    return read


def _whole(low: int) -> Reader:
    def read(value: Any, where: str) -> int:
        written = isinstance(value, str) and re.fullmatch("[0-9]{1,4}", value)
        if not written or not low <= int(value) <= MOST:
            raise _wrong(where, f"a whole number from {low} to {MOST}", value)
        return int(value)

    return read


def _list_of(read: Reader, *, least: int = 1) -> Reader:
    def read_list(value: Any, where: str) -> tuple:
        if not isinstance(value, list):
            raise _wrong(where, "a list", value)
        if len(value) < least:
            raise ProcessError(f"{where}: must hold at least {least}, found an empty list")
        return tuple(
            read(item, f"{where}, {label}")
            for item, label in zip(value, _labels(value), strict=True)
        )

    return read_list


def _labels(items: list) -> list[str]:
    """Name the entries of a list for messages: by what and day where these tell them apart, else by number."""
    named = []
    for item in items:
        keys = item if isinstance(item, dict) else {}
        name, begins = keys.get("id", keys.get("stage")), keys.get("from")
        parts = [name, f"from {begins}" if isinstance(begins, str) else None]
        named.append(" ".join(part for part in parts if isinstance(part, str)))
    often = Counter(named)
    labels = []
    for number, name in enumerate(named, 1):
        label = name if often[name] == 1 else f"{name} (entry {number})"
        labels.append(label if name else f"entry {number}")
    return labels


def _names(value: Any, where: str) -> tuple[str, ...]:
    names = _list_of(_text)(value, where)
    if repeated := [name for name, n in Counter(names).items() if n > 1]:
        raise ProcessError(f"{where}: must name each once, found {repeated[0]!r} again")
    return names


def _block(
    raw: Any, where: str, needed: dict[str, Reader], optional: dict[str, Reader] | None = None
) -> dict[str, Any]:
    """Read a block of keys: all of `needed`, any of `optional`, no others."""
    if not isinstance(raw, dict):
        raise _wrong(where, "a block of keys and values", raw)
    readers = needed | (optional or {})
    for key in raw:
        if key not in readers:
            raise _wrong(f"{where}, {key}", "a key that is known here", key, readers)
    for key in needed:
        if key not in raw:
            raise ProcessError(
                f"{where}, {key}: must be given, found only {', '.join(raw) or 'nothing'}; "
                f"allowed: {', '.join(readers)}"
            )
    return {key: readers[key](value, f"{where}, {key}") for key, value in raw.items()}


def _both(value: Any, where: str) -> Text:
    if not isinstance(value, dict):
        raise _wrong(where, 'a text in both languages, {en: "…", zh: "…"}', value)
    return Text(**_block(value, where, {"en": _text, "zh": _text}))


def _dated(
    raw: Any, where: str, needed: dict[str, Reader], optional: dict[str, Reader] | None = None
) -> dict[str, Any]:
    """Read an entry with its first day, and its last one where that is among the keys."""
    read = _block(raw, where, needed | {"from": _day}, optional)
    read["begins"] = read.pop("from")
    if read.get("until", read["begins"]) < read["begins"]:
        raise _wrong(f"{where}, until", f"{read['begins']} or later", str(read["until"]))
    return read


def _strategy(raw: Any, where: str) -> dict[str, Any]:
    return _block(raw, where, {"goal": _both, "segments": _names})


def _people(raw: Any, where: str) -> dict[str, Any]:
    return _block(raw, where, {"default_role": _text, "ramp_months": _whole(0)})


def _action(raw: Any, where: str) -> Action:
    return Action(**_block(raw, where, {"activities": _names, "at_least": _whole(1)}))


def _stage(raw: Any, where: str) -> Stage:
    needed = {
        "stage": _text,
        "name": _both,
        "goal": _both,
        "role": _text,
        "actions": _list_of(_action, least=0),
        "sla_days": _whole(1),
        "target_conversion": _number(0, 1),
    }
    return Stage(**_dated(raw, where, needed, {"pipeline": _text}))


def _measure(raw: Any, where: str) -> dict[str, Any]:
    kinds = {"texts": _names, "stage": _text, "days": _whole(1)}
    needed, optional = {"of": _one_of(*MEASURES)}, {"whose": _one_of("own", "team")}
    if isinstance(raw, dict) and "of" in raw:  # what else may be there depends on it
        of = needed["of"](raw["of"], f"{where}, of")
        for name, kind in MEASURES[of].items():
            (optional if kind.endswith("?") else needed)[name] = kinds[kind.removesuffix("?")]
    read = {"whose": "own"} | _block(raw, where, needed, optional)
    return {"measure": read.pop("of"), "whose": read.pop("whose"), "arguments": read}


def _kpi(raw: Any, where: str) -> Kpi:
    needed = {
        "id": _id,
        "name": _both,
        "kind": _one_of(*KINDS),
        "measure": _measure,
        "floor": _number(),
        "target": _number(),
        "weight": _number(0, 100, is_low_allowed=False, per=100),
        "role": _text,
        "improve": _both,
    }
    read = _dated(raw, where, needed, {"ramp": _one_of(*RAMPS), "until": _day})
    if read["id"] == "score":
        raise _wrong(f"{where}, id", "another word: score is the scorecard's", "score")
    kpi = Kpi(**{"ramp": "any"} | read.pop("measure") | read)
    for key in ("floor", "target"):
        _share_of(kpi.measure, getattr(kpi, key), f"{where}, {key}")
    if kpi.floor == kpi.target:
        raise _wrong(f"{where}, target", f"other than the floor, {kpi.floor:g}", raw["target"])
    return kpi


def _share_of(measure: str, value: float, where: str) -> None:
    if measure in SHARES and not 0 <= value <= 1:
        must = f"a plain number from 0 to 1, since {measure} is a share"
        raise _wrong(where, must, f"{value:.15g}")


def _evidence(raw: Any, where: str) -> dict[str, float]:
    if not isinstance(raw, dict):
        raise _wrong(where, "KPI ids with the least evidence of each", raw)
    return {key: _number(0)(value, f"{where}, {key}") for key, value in raw.items()}


def _scorecard(raw: Any, where: str) -> Scorecard:
    needed = {
        "judged_weight": _number(0, 100, is_low_allowed=False, per=100),
        "evidence": _evidence,
        "reviewer": _both,
        "objection": _both,
        "objection_days": _whole(1),
    }
    optional = {"aggregation": _one_of("arithmetic", "geometric"), "cap": _number(100)}
    return Scorecard(
        **{"aggregation": "arithmetic", "cap": 100.0} | _dated(raw, where, needed, optional)
    )


def _accelerator(raw: Any, where: str) -> Accelerator:
    needed = {
        "field": _one_of(*ACCELERATED),
        "value": _text,
        "factor": _number(0, is_low_allowed=False),
    }
    return Accelerator(**_block(raw, where, needed))


def _gate(raw: Any, where: str) -> Gate:
    needed = {"kpi": _id, "at_least": _number(), "pays": _number(0, 100, per=100)}
    return Gate(**_block(raw, where, needed))


def _taken_back(value: Any, where: str) -> tuple[str, ...]:
    allowed = _one_of("refund", "unwon")
    return tuple(allowed(name, where) for name in _names(value, where))


def _clawback(raw: Any, where: str) -> dict[str, Any]:
    return _block(raw, where, {"days": _whole(1), "when": _taken_back})


def _tiers(per: int) -> Reader:
    """Steps in per cent of the quota (`per` 100) or in money (1)."""

    def tier(raw: Any, where: str) -> Tier:
        needed = {"above": _number(0, per=per), "rate": _number(0, 100, per=100)}
        return Tier(**_block(raw, where, needed))

    def read(value: Any, where: str) -> tuple[Tier, ...]:
        tiers = _list_of(tier)(value, where)
        if tiers[0].above != 0:
            raise _wrong(f"{where}, entry 1, above", "0", value[0]["above"])
        for number in range(1, len(tiers)):
            if tiers[number].above <= tiers[number - 1].above:
                must = f"more than {value[number - 1]['above']}, the step before"
                raise _wrong(f"{where}, entry {number + 1}, above", must, value[number]["above"])
        return tiers

    return read


def _plan(raw: Any, where: str) -> Plan:
    is_quota = isinstance(raw, dict) and raw.get("measured_on") == "quota"
    needed = {
        "id": _id,
        "name": _both,
        "role": _text,
        "basis": _one_of("booked", "paid"),
        "measured_on": _one_of("quota", "amount"),
        "tiers": _tiers(100 if is_quota else 1),
    }
    optional = {
        "tiers_are": _one_of("marginal", "retroactive"),
        "splits": _one_of("credits", "owner"),
        "accelerators": _list_of(_accelerator, least=0),
        "cap": _number(0, is_low_allowed=False),
        "clawback": _clawback,
        "gates": _list_of(_gate, least=0),
        "until": _day,
    }
    read = {"tiers_are": "marginal", "splits": "credits"} | _dated(raw, where, needed, optional)
    for number, one in enumerate(read.get("accelerators", ()), 1):
        if any(one[:2] == other[:2] for other in read["accelerators"][: number - 1]):
            must = f"another value than before: {one.field} {one.value} has its factor"
            raise _wrong(f"{where}, accelerators, entry {number}, value", must, one.value)
    back = read.pop("clawback", {"days": 0, "when": ()})
    return Plan(**read, clawback_days=back["days"], clawback_when=back["when"])


def _when(raw: Any, where: str) -> When:
    sides = {"below": _number(), "at_least": _number()}
    read = _block(raw, where, {"of": _id, "periods": _whole(1)}, sides)
    if len(sides.keys() & read.keys()) != 1:
        found = " and ".join(side for side in sides if side in read) or "neither"
        raise ProcessError(f"{where}: must have either below or at_least, found {found}")
    return When(**{"below": None, "at_least": None} | read)


def _development(raw: Any, where: str) -> Development:
    needed = {"id": _id, "name": _both, "leads_to": _one_of(*LEADS_TO), "when": _when}
    return Development(**_dated(raw, where, needed, {"until": _day}))


_FILE: dict[str, Reader] = {
    "name": _both,
    "strategy": _strategy,
    "people": _people,
    "stages": _list_of(_stage, least=0),  # orders without a pipeline have none
    "kpis": _list_of(_kpi),
    "scorecards": _list_of(_scorecard),
}
_OPTIONAL: dict[str, Reader] = {
    "incentives": _list_of(_plan, least=0),
    "development": _list_of(_development, least=0),
}


def _check(process: Process, where: str) -> None:
    _check_once(process, where)
    _check_kpis(process, where)
    _check_references(process, where)
    for day in process.change_days():
        rules = process.on(day)
        _check_stages(rules, where)
        _check_weights(rules, where)
        _check_gates(rules, where)
        if rules.kpis and not rules.scorecard:
            raise ProcessError(
                f"{where}, scorecards: must hold one on {day}, when {rules.kpis[0].id} is in force, found none; "
                "let the first begin with the first KPI"
            )


def _check_once(process: Process, where: str) -> None:
    """No two entries of the same thing begin on the same day."""
    things = {
        "stages": [(e, (e.stage, e.pipeline or "")) for e in process.stages],
        "kpis": [(e, (e.id, e.role, e.ramp)) for e in process.kpis],
        "scorecards": [(e, ()) for e in process.scorecards],
        "incentives": [(e, (e.id,)) for e in process.plans],
        "development": [(e, (e.id,)) for e in process.development],
    }
    for key, entries in things.items():
        seen = set()
        for entry, thing in entries:
            if (thing, entry.begins) in seen:
                raise ProcessError(
                    f"{where}, {key}, {' '.join([*thing[:1], f'from {entry.begins}'])}, from: must be another day "
                    f"than that of the other entry{' of ' if thing else ''}{', '.join(filter(None, thing))}, "
                    f"found {str(entry.begins)!r} twice"
                )
            seen.add((thing, entry.begins))


def _check_kpis(process: Process, where: str) -> None:
    """The stages of measures are in the file; an id means one thing for a role."""
    stages = list(dict.fromkeys(stage.stage for stage in process.stages))
    first = {}
    for kpi in process.kpis:
        place = f"{where}, kpis, {kpi.id} from {kpi.begins}"
        stage = kpi.arguments.get("stage")
        if stage is not None and stage not in stages:
            raise _wrong(f"{place}, measure, stage", "one of the file's stages", stage, stages)
        other = first.setdefault((kpi.id, kpi.role), kpi)
        for key, found, wanted in (
            ("kind", kpi.kind, other.kind),
            ("measure, of", kpi.measure, other.measure),
            ("measure, whose", kpi.whose, other.whose),
        ):
            if found != wanted:
                must = (
                    f"{wanted} as in the first entry of {kpi.id} for {kpi.role}, or the id another"
                )
                raise _wrong(f"{place}, {key}", must, found)


def _check_references(process: Process, where: str) -> None:
    """What is said of a KPI is said of one that is there, and on its scale."""
    ids = list(dict.fromkeys(kpi.id for kpi in process.kpis))
    measures = {kpi.id: kpi.measure for kpi in process.kpis}
    for card in process.scorecards:
        for found in card.evidence:
            if found not in ids:
                place = f"{where}, scorecards, from {card.begins}, evidence, {found}"
                raise _wrong(place, "the id of a KPI", found, ids)
    for rule in process.development:
        place = f"{where}, development, {rule.id} from {rule.begins}, when"
        if rule.when.of not in (*ids, "score"):
            raise _wrong(f"{place}, of", "score or the id of a KPI", rule.when.of, ["score", *ids])
        side = "below" if rule.when.at_least is None else "at_least"
        limit = getattr(rule.when, side)
        most = max(card.cap for card in process.scorecards)
        if rule.when.of == "score" and not 0 <= limit <= most:
            raise _wrong(f"{place}, {side}", f"points from 0 to {most:g}", f"{limit:.15g}")
        _share_of(measures.get(rule.when.of, ""), limit, f"{place}, {side}")


def _check_stages(rules: Rules, where: str) -> None:
    """A stage stands once: for all pipelines, or once for each."""
    pipelines: dict[str, set] = {}
    for stage in rules.stages:
        held = pipelines.setdefault(stage.stage, set())
        held.add(stage.pipeline)
        if None in held and len(held) > 1:
            raise ProcessError(
                f"{where}, stages, {stage.stage} from {stage.begins}, pipeline: must be given in each entry of the "
                f"stage or in none, found both on {rules.on}"
            )


def _check_weights(rules: Rules, where: str) -> None:
    """Each role and ramp state has KPIs that weigh 100 per cent together, or none."""
    ramps: dict[tuple[str, str], Kpi] = {}
    for kpi in rules.kpis:
        other = ramps.setdefault((kpi.id, kpi.role), kpi)
        if other.ramp != kpi.ramp and "any" in (other.ramp, kpi.ramp):
            raise ProcessError(
                f"{where}, kpis, {kpi.id} from {kpi.begins}, ramp: must not be {kpi.ramp} on {rules.on}, when the "
                f"entry from {other.begins} for {kpi.role} holds for {other.ramp}; give one of them a last day, `until`"
            )
    for role in dict.fromkeys(kpi.role for kpi in rules.kpis):
        for ramp in RAMPS[1:]:
            weights = {
                kpi.id: Decimal(repr(kpi.weight)) * 100  # as written: floats would not sum to 100
                for kpi in rules.kpis_of(role, ramp)
            }
            if weights and sum(weights.values()) != 100:
                each = ", ".join(f"{name} {w.normalize():f}" for name, w in weights.items())
                raise ProcessError(
                    f"{where}, kpis, weight: those of {role} ({ramp}) must sum to 100 on {rules.on}, found "
                    f"{sum(weights.values()).normalize():f}: {each}"
                )


def _check_gates(rules: Rules, where: str) -> None:
    """A gate is a process KPI that whoever is paid by the plan has."""
    for plan in rules.plans:
        kpis = [kpi for kpi in rules.kpis if kpi.kind == "process" and kpi.role == plan.role]
        measures = {kpi.id: kpi.measure for kpi in kpis}
        for number, gate in enumerate(plan.gates, 1):
            place = f"{where}, incentives, {plan.id} from {plan.begins}, gates, entry {number}"
            if gate.kpi not in measures:
                must = f"the id of a process KPI of {plan.role} in force on {rules.on}"
                raise _wrong(f"{place}, kpi", must, gate.kpi, measures or ["none, there is none"])
            _share_of(measures[gate.kpi], gate.at_least, f"{place}, at_least")
