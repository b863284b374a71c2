"""From text to typed canonical columns; a row that does not convert is set aside with its line, column and value."""

import datetime
import functools
import zoneinfo
from typing import NamedTuple

from salesanalysis.crm.mapping import PERIODS, ColumnMap, Mapping, TableMap
from salesanalysis.crm.read import LINE
from salesanalysis.crm.store import literal, quoted
from salesanalysis.crm.tables import ALLOWED, TABLES, Column, on

BLANKS = " \t\u00a0\u3000\u200b\u200c\u200d\u2060\ufeff"
SQL_TYPE = {
    "id": "VARCHAR",
    "text": "VARCHAR",
    "ts": "TIMESTAMP",
    "date": "DATE",
    "money": "DECIMAL(18,4)",
    "share": "DOUBLE",
    "number": "DOUBLE",
    "int": "BIGINT",
    "bool": "BOOLEAN",
}
_PATTERN = {
    "money": r"[+-]?[0-9]{1,14}(\.[0-9]{1,4})?",
    "number": r"[+-]?[0-9]+(\.[0-9]+)?",
    "share": r"[+-]?[0-9]+(\.[0-9]+)?",
    "int": r"[+-]?[0-9]{1,18}",
}


class Problem(NamedTuple):
    """A test on a source row, and what it means when it is true."""

    test: str
    outcome: str  # refused: not readable as a record; quarantined: readable, but not to be trusted
    reason: str
    column: str
    value: str  # SQL of the text to show


def typed_rows(
    name: str,
    table: TableMap,
    mapping: Mapping,
    *,
    source: str,
    types: dict[str, str],
    lookups: dict[str, str],
) -> tuple[str, list[Problem]]:
    """
    SQL that converts one canonical table, one row per source row.

    Parameters
    ----------
    name : str
        A canonical table.
    table, mapping : TableMap, Mapping
        Where its columns come from and in what notation.
    source : str
        Relation that holds the source rows and ``_line``.
    types : dict
        Engine types of the relation's columns; other than text only for Parquet.
    lookups : dict
        File name -> relation, for columns that are looked up.

    Returns
    -------
    (str, list of Problem)
        Query with ``_line``, every canonical column (NULL where not mapped), the local day of each instant,
        ``_problem`` (NULL for a good row, else the place in the list of the first problem) and ``_value`` (the
        text that did not convert).
    """
    read, joins, out, problems = [f"t.{LINE} AS {LINE}"], [], [], []
    for number, column in enumerate(TABLES[name]):
        spec = table.columns.get(column.name)
        if spec is None:
            out += _absent(column)
            continue
        text, kind = _text(column, spec, types, number, joins, lookups)
        read += [
            f"{text} AS raw{number}",
            f"{_moved(_parsed(text, kind, column, spec, mapping), spec)} AS val{number}",
        ]
        out += _converted(column, number, kind, spec, mapping)
        problems += _problems(name, column, spec, number, kind, mapping)
    problems.sort(key=lambda problem: problem.outcome, reverse=True)  # refused before quarantined
    first = " ".join(f"WHEN {problem.test} THEN {i}" for i, problem in enumerate(problems))
    shown = " ".join(f"WHEN {i} THEN {problem.value}" for i, problem in enumerate(problems))
    query = (
        f"SELECT {LINE}, {', '.join(out)}, _problem, CASE _problem {shown} END AS _value FROM "
        f"(SELECT *, CASE {first} END AS _problem FROM "
        f"(SELECT {', '.join(read)} FROM {source} t {' '.join(joins)}))"
    )
    return query, problems


def clean(text: str, *, is_id: bool = False) -> str:
    """
    SQL that trims blanks of every width, composes characters (NFC) and makes empty text NULL.

    Trimming is slow. Of texts that repeat the engine trims each once; ids are looked at first.
    """
    trimmed = f"trim({text}, {literal(BLANKS)})"
    if is_id:
        has_blanks = f"regexp_matches({text}, {literal(f'^[{BLANKS}]|[{BLANKS}]$')})"
        trimmed = f"CASE WHEN {has_blanks} THEN {trimmed} ELSE {text} END"
    return f"nullif(nfc_normalize({trimmed}), '')"


def _absent(column: Column) -> list[str]:
    days = [f"CAST(NULL AS DATE) AS {on(column.name)}"] if _has_day(column) else []
    return [f"CAST(NULL AS {SQL_TYPE[column.kind]}) AS {column.name}", *days]


def _has_day(column: Column) -> bool:
    return column.kind == "ts" and column.name.endswith("_at")


def _text(
    column: Column, spec: ColumnMap, types, number: int, joins: list[str], lookups
) -> tuple[str, str]:
    """SQL of the cell before conversion, and its engine type."""
    if spec.constant is not None:
        return literal(spec.constant), "VARCHAR"
    kind = types[spec.column]
    cell = f"t.{quoted(spec.column)}"
    if spec.lookup:
        there = f"l{number}"
        key = clean(f"{there}.{quoted(spec.lookup['key'])}")
        joins.append(f"LEFT JOIN {lookups[spec.lookup['file']]} {there} ON {key} = {clean(cell)}")
        cell, kind = f"{there}.{quoted(spec.lookup['value'])}", "VARCHAR"
    if kind != "VARCHAR":
        return cell, kind
    text = clean(cell, is_id=column.kind == "id")
    if spec.values or spec.otherwise is not None:
        cases = " ".join(
            f"WHEN {literal(a)} THEN {literal(b or None)}" for a, b in spec.values.items()
        )
        rest = text if spec.otherwise is None else literal(spec.otherwise or None)
        text = f"CASE {text} {cases} ELSE {rest} END" if cases else rest
    return text, "VARCHAR"


def _parsed(text: str, kind: str, column: Column, spec: ColumnMap, mapping: Mapping) -> str:
    """SQL of the value; an instant is still in local time here unless its notation has an offset."""
    sql_type = SQL_TYPE[column.kind]
    if kind != "VARCHAR":
        return f"CAST({text} AS VARCHAR)" if sql_type == "VARCHAR" else _typed(text, kind, column)
    if sql_type == "VARCHAR":
        return text
    if column.kind in ("ts", "date"):
        form = spec.format or (mapping.datetime if column.kind == "ts" else mapping.date)
        parsed = f"try_strptime({text}, {literal(form)})"
        return parsed if column.kind == "ts" else f"CAST({parsed} AS DATE)"
    if column.kind == "bool":
        return f"CASE {text} WHEN 'true' THEN true WHEN 'false' THEN false END"
    if mapping.thousands:
        text = f"replace({text}, {literal(mapping.thousands)}, '')"
    if mapping.decimal != ".":
        text = f"replace({text}, {literal(mapping.decimal)}, '.')"
    matched = f"regexp_full_match({text}, '{_PATTERN[column.kind]}')"
    value = f"CASE WHEN {matched} THEN CAST({text} AS {sql_type}) END"
    return f"{value} / 100" if spec.percent else value


def _moved(value: str, spec: ColumnMap) -> str:
    """SQL of the last day of the period in which a day lies, where that is asked for."""
    if spec.end_of is None:
        return value
    first, months = f"date_trunc('{spec.end_of}', {value})", PERIODS[spec.end_of]
    return f"CAST({first} + INTERVAL {months} MONTH - INTERVAL 1 DAY AS DATE)"


def _typed(text: str, kind: str, column: Column) -> str:
    if column.kind == "ts":
        return text if "TIME ZONE" in kind else f"CAST({text} AS TIMESTAMP)"
    return f"TRY_CAST({text} AS {SQL_TYPE[column.kind]})"


def _has_offset(kind: str, spec: ColumnMap, mapping: Mapping) -> bool:
    return "TIME ZONE" in kind or (kind == "VARCHAR" and "%z" in (spec.format or mapping.datetime))


def _converted(
    column: Column, number: int, kind: str, spec: ColumnMap, mapping: Mapping
) -> list[str]:
    value = f"val{number}"
    if column.kind != "ts":
        return [f"{value} AS {column.name}"]
    zone = literal(mapping.timezone)
    if _has_offset(kind, spec, mapping):
        utc, local = f"timezone('UTC', {value})", f"timezone({zone}, {value})"
    else:
        utc, local = _utc(value, mapping.timezone), value
    days = [f"CAST({local} AS DATE) AS {on(column.name)}"] if _has_day(column) else []
    return [f"{utc} AS {column.name}", *days]


def _utc(value: str, timezone: str) -> str:
    """SQL of a local instant in UTC; simple arithmetic once the zone's clocks are no longer changed."""
    since, offset = _steady_since(timezone)
    converted = f"timezone('UTC', timezone({literal(timezone)}, {value}))"
    return f"CASE WHEN {value} >= {since} THEN {value} - INTERVAL '{offset} seconds' ELSE {converted} END"


@functools.cache
def _steady_since(timezone: str) -> tuple[str, int]:
    """Local instant after which a zone's clocks are not changed before 2200, and its offset then (seconds)."""
    zone = zoneinfo.ZoneInfo(timezone)
    day, step = datetime.datetime(2200, 1, 1), datetime.timedelta(days=1)  # noqa: DTZ001 - a local instant
    offset = zone.utcoffset(day)
    while day.year >= 1900 and zone.utcoffset(day) == offset:
        day -= step
    return f"TIMESTAMP '{day + 2 * step}'", int(offset.total_seconds())


def _problems(
    name: str, column: Column, spec: ColumnMap, number: int, kind: str, mapping: Mapping
) -> list[Problem]:
    raw, value = f"raw{number}", f"val{number}"
    shown = f"CAST({raw} AS VARCHAR)"
    outcome = "refused" if column.required else "quarantined"
    found = []
    if SQL_TYPE[column.kind] != "VARCHAR":
        found.append((f"{raw} IS NOT NULL AND {value} IS NULL", outcome, f"not_{column.kind}"))
    if column.kind in ("ts", "date"):
        days = ("DATE '1900-01-01'", "DATE '2200-01-01'")
        found.append(
            (
                f"NOT (CAST({value} AS DATE) BETWEEN {days[0]} AND {days[1]})",
                outcome,
                "year_out_of_range",
            )
        )
    if column.kind == "ts" and not _has_offset(kind, spec, mapping):
        zone = literal(mapping.timezone)
        there = f"timezone({zone}, timezone({zone}, {value}))"
        changing = f"{value} < {_steady_since(mapping.timezone)[0]} AND "
        found.append((f"{changing}{there} <> {value}", "quarantined", "time_does_not_exist"))
    if column.required and spec.optional is None:
        found.append((f"{raw} IS NULL", "refused", "missing"))
    if column.kind == "share":
        found.append((f"NOT ({value} BETWEEN 0 AND 1)", "quarantined", "not_a_share"))
    if allowed := ALLOWED.get((name, column.name)):
        values = ", ".join(literal(text) for text in allowed)
        found.append((f"{value} NOT IN ({values})", "refused", "not_allowed"))
    return [Problem(test, what, reason, column.name, shown) for test, what, reason in found]
