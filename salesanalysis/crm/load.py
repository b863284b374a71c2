"""Bring a CRM export into a store: read, convert, set aside what is not right, and count every row."""

import csv
import hashlib
import sys
from collections.abc import Callable
from pathlib import Path

from salesanalysis.crm import findings, spells
from salesanalysis.crm.accept import accept, accept_events
from salesanalysis.crm.convert import Problem, clean, typed_rows
from salesanalysis.crm.errors import InputRefused, MappingError
from salesanalysis.crm.mapping import Mapping, TableMap, read_mapping
from salesanalysis.crm.read import LINE, read_file
from salesanalysis.crm.store import FORMAT, Session, literal, new_store, quoted
from salesanalysis.crm.tables import KEYS, SEGMENTS, TABLES

_BOOKS = """
CREATE TABLE ledger (position INTEGER, "table" VARCHAR, file VARCHAR, n_in BIGINT, n_accepted BIGINT,
                     n_quarantined BIGINT, n_refused BIGINT);
CREATE TABLE rejected (outcome VARCHAR, "table" VARCHAR, file VARCHAR, line BIGINT, "column" VARCHAR,
                       value VARCHAR, reason VARCHAR);
CREATE TABLE findings (kind VARCHAR, subject VARCHAR, n_rows BIGINT, detail VARCHAR);
CREATE TABLE about (key VARCHAR, value VARCHAR);
CREATE TABLE impossible ("table" VARCHAR, reason VARCHAR);
"""
_NOT_GIVEN = "no table of the mapping file fills {}"
_HINTS = {
    "not_money": "declare `thousands` and `decimal` as the file writes them",
    "not_ts": "declare `datetime` (or the column's `format`) as the file writes it",
    "not_date": "declare `date` (or the column's `format`) as the file writes it",
    "not_allowed": "map each text with `values`, and the rest with `otherwise`",
    "closed_without_date": "map `closed_at`, or correct the rows",
    "missing": "correct the rows, or say with `optional` why the column may be empty",
    "lines_disagree": "correct the rows, or map what differs between the lines of a deal to no column",
}


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def load(
    source: str | Path, mapping: str | Path, into: str | Path, *, say: Callable[[str], None] = _say
) -> Path:
    """
    Load a CRM export into a store.

    Parameters
    ----------
    source : folder that holds the files the mapping names
    mapping : the mapping file
    into : the store to make; an older one is replaced only when the load succeeded
    say : receives one line of progress at a time

    Returns
    -------
    Path
        The store. Its ``ledger`` holds in = accepted + quarantined + refused per canonical table, ``rejected`` the
        file, line, column and value of every row not accepted, ``findings`` what else was noticed.

    Raises
    ------
    MappingError, InputRefused
        As `read_mapping` and `read_file` say, or no deal is accepted.
    """
    source, into, rules = Path(source), Path(into), read_mapping(mapping)
    if not source.is_dir():
        raise InputRefused(f"the source {source} must be a folder of files; there is none")
    with new_store(into) as session:
        for statement in _BOOKS.split(";"):
            if statement.strip():
                session.run(statement)
        files = _read_files(session, source, rules, say)
        if "stage_events" in rules.tables and "stages" not in rules.tables:
            raise MappingError(
                "stage_events need the table `stages`: without the order of stages no step is known"
            )
        if rules.deals_from_events:
            query, _ = _typed(
                rules, "stage_events", files[rules.tables["stage_events"].file], files
            )
            session.run(f"CREATE TEMP TABLE typed_events AS {query}")
        for position, name in enumerate(TABLES):
            if name in rules.tables:
                say(f"convert {name}")
                _convert(session, name, position, rules, files)
        if not session.one("SELECT count(*) FROM deals"):
            reasons = "; ".join(_reasons(session)) or "the file holds no row"
            raise InputRefused(f"no deal was accepted: {reasons}")
        say("build the history of each deal")
        spells.build(session, rules)
        say("check the data")
        findings.record(session, rules, files)
        _describe(session, rules)
        _drop_working_tables(session)
        say(_summary(session))
        _write_rejected(session, into.with_suffix(".rejected.csv"), say)
    return into


def _read_files(session: Session, source: Path, rules: Mapping, say) -> dict[str, dict]:
    """Read each file named anywhere in the mapping once."""
    names = []
    for table in rules.tables.values():
        names += [table.file] if table.file else []
        for column in table.columns.values():
            names += [part["file"] for part in (column.lookup, column.known_from) if part]
    files = {}
    for number, name in enumerate(dict.fromkeys(names)):
        say(f"read {name}")
        into = f"text_{number}"
        files[name] = read_file(
            session, source / name, encoding=rules.encoding, delimiter=rules.delimiter, into=into
        )
        files[name]["relation"] = into
        files[name]["types"] = session.types(into)
    for table in rules.tables.values():
        _check_columns(table, files)
        _check_lookups(session, table, files)
    return files


def _check_columns(table: TableMap, files: dict[str, dict]) -> None:
    wanted = [
        (table.file, column.column)
        for column in table.columns.values()
        if table.file and column.column
    ]
    for column in table.columns.values():
        if column.lookup:
            wanted += [(column.lookup["file"], column.lookup[key]) for key in ("key", "value")]
        if column.known_from:
            wanted += [(column.known_from["file"], column.known_from["column"])]
    for file, column in wanted:
        if column not in files[file]["columns"]:
            raise InputRefused(
                f"{file} must have the column {column!r} that the mapping names; it has: "
                + ", ".join(files[file]["columns"])
            )


def _check_lookups(session: Session, table: TableMap, files: dict[str, dict]) -> None:
    for column in table.columns.values():
        if not column.lookup:
            continue
        key = clean(quoted(column.lookup["key"]))
        relation = files[column.lookup["file"]]["relation"]
        twice = session.rows(
            f"SELECT {key} FROM {relation} GROUP BY 1 HAVING count(*) > 1 ORDER BY 1 LIMIT 3"
        )
        if twice:
            raise InputRefused(
                f"{column.lookup['file']}: the lookup key {column.lookup['key']!r} must be unique, but "
                f"{[row[0] for row in twice]} stand more than once"
            )


def _convert(
    session: Session, name: str, position: int, rules: Mapping, files: dict[str, dict]
) -> None:
    """Make one canonical table and its lines in the ledger."""
    table = rules.tables[name]
    origin = files[table.file] if table.file else _written_rows(session, name, table)
    query, problems = _typed(rules, name, origin, files)
    file = table.file or "the mapping file"
    if name == "stage_events":
        query = accept_events(session, query, origin["relation"])
    session.run(f"CREATE TEMP TABLE typed AS {query}")
    for line, reason, value in origin["refused"]:
        session.run(
            "INSERT INTO rejected VALUES ('refused', ?, ?, ?, '', ?, ?)",
            (name, file, line, value, reason),
        )
    _set_aside(session, name, file, problems)
    if not (name == "deals" and (rules.deals_from_events or table.lines)):
        _refuse_repeated(session, name, file)
    accept(session, name, file, rules)
    session.run("DROP TABLE typed")
    _count(session, name, position, file, origin["n_in"])


def _typed(
    rules: Mapping, name: str, origin: dict, files: dict[str, dict]
) -> tuple[str, list[Problem]]:
    relations = {file: about["relation"] for file, about in files.items()}
    return typed_rows(
        name,
        rules.tables[name],
        rules,
        source=origin["relation"],
        types=origin["types"],
        lookups=relations,
    )


def _written_rows(session: Session, name: str, table: TableMap) -> dict:
    columns = list(dict.fromkeys(column for row in table.rows for column in row))
    relation = f"text_{name}"
    values = ", ".join(
        "(" + ", ".join([*(literal(row.get(column)) for column in columns), str(line)]) + ")"
        for line, row in enumerate(table.rows, start=1)
    )
    names = ", ".join([*(quoted(column) for column in columns), LINE])
    session.run(f"CREATE TABLE {relation} AS SELECT * FROM (VALUES {values}) rows({names})")
    return {
        "relation": relation,
        "columns": columns,
        "types": session.types(relation),
        "refused": [],
        "n_in": len(table.rows),
    }


def _set_aside(session: Session, name: str, file: str, problems: list[Problem]) -> None:
    """Note the rows that did not convert."""
    for number, problem in enumerate(problems):
        session.run(
            "INSERT INTO rejected SELECT ?, ?, ?, "
            f"{LINE}, ?, _value, ? FROM typed WHERE _problem = {number}",
            (problem.outcome, name, file, problem.column, problem.reason),
        )


def _refuse_repeated(session: Session, name: str, file: str) -> None:
    """Keep the first row of a key; the others are refused, even if they are equal."""
    keys = KEYS.get(name)
    if not keys:
        return
    shown = " || ' ' || ".join(f"coalesce(CAST({key} AS VARCHAR), '')" for key in keys)
    repeated = (
        f"SELECT {LINE} FROM (SELECT {LINE}, row_number() OVER (PARTITION BY {', '.join(keys)} "
        f"ORDER BY {LINE}) AS nth FROM typed WHERE _problem IS NULL) WHERE nth > 1"
    )
    session.run(f"CREATE TEMP TABLE repeated AS {repeated}")
    session.run(
        f"INSERT INTO rejected SELECT 'refused', ?, ?, {LINE}, ?, {shown}, 'duplicate' FROM typed "
        f"WHERE {LINE} IN (SELECT {LINE} FROM repeated)",
        (name, file, keys[0]),
    )
    session.run(f"UPDATE typed SET _problem = -1 WHERE {LINE} IN (SELECT {LINE} FROM repeated)")
    session.run("DROP TABLE repeated")


def _count(session: Session, name: str, position: int, file: str, n_in: int) -> None:
    accepted = session.one(f"SELECT count(*) FROM {name}")
    counts = dict(
        session.rows('SELECT outcome, count(*) FROM rejected WHERE "table" = ? GROUP BY 1', (name,))
    )
    merged = session.one(
        "SELECT coalesce(sum(n_rows), 0) FROM findings WHERE kind = 'merged_rows' AND subject = ?",
        (name,),
    )
    quarantined, refused = counts.get("quarantined", 0), counts.get("refused", 0)
    if n_in != accepted + merged + quarantined + refused:
        raise AssertionError(
            f"{name}: {n_in} rows in, but {accepted} accepted + {merged} merged + {quarantined} quarantined + "
            f"{refused} refused"
        )
    session.run(
        "INSERT INTO ledger VALUES (?, ?, ?, ?, ?, ?, ?)",
        (position, name, file, n_in, accepted + merged, quarantined, refused),
    )


def _describe(session: Session, rules: Mapping) -> None:
    about = {
        "format": FORMAT,
        "name": rules.source,
        "timezone": rules.timezone,
        "currency": rules.currency,
        "extracted_on": rules.extracted_on.isoformat(),
        "mapping_sha256": hashlib.sha256(rules.text.encode()).hexdigest(),
        "n_in": session.one("SELECT CAST(sum(n_in) AS VARCHAR) FROM ledger"),
        "n_accepted": session.one("SELECT CAST(sum(n_accepted) AS VARCHAR) FROM ledger"),
    }
    for key, value in about.items():
        session.run("INSERT INTO about VALUES (?, ?)", (key, value))
    columns = {f"deals.{column}": column for column in ("amount", *SEGMENTS) if column != "team"}
    unknown = sorted(rules.impossible.keys() - TABLES.keys() - columns.keys())
    if unknown:
        raise MappingError(
            f"impossible: {unknown} are not canonical tables; allowed: {', '.join([*TABLES, *columns])}"
        )
    missing = [name for name in TABLES if name not in rules.tables]
    missing += [
        name for name, column in columns.items() if column not in rules.tables["deals"].columns
    ]
    for name in missing:
        session.run(
            "INSERT INTO impossible VALUES (?, ?)",
            (name, rules.impossible.get(name, _NOT_GIVEN.format(name))),
        )


def _drop_working_tables(session: Session) -> None:
    kinds = dict(
        session.rows(
            "SELECT table_name, table_type FROM information_schema.tables WHERE table_name LIKE 'text\\_%' ESCAPE '\\'"
        )
    )
    for name, kind in kinds.items():
        session.run(f"DROP {'VIEW' if kind == 'VIEW' else 'TABLE'} {quoted(name)}")


def _reasons(session: Session) -> list[str]:
    """Why rows were set aside, most frequent first: table, reason, column, first line and value, what to do."""
    rows = session.rows(
        """
        SELECT "table", outcome, reason, "column", count(*), min(line), arg_min(value, line), min(file)
        FROM rejected GROUP BY 1, 2, 3, 4 ORDER BY 5 DESC, 1, 3, 4
        """
    )
    return [
        f"{count:,} {outcome} in {table}, {reason}"
        + (f" ({column})" if column else "")
        + f", first in {file} line {line}: {value!r}"
        + (f"; {_HINTS[reason]}" if reason in _HINTS else "")
        for table, outcome, reason, column, count, line, value, file in rows
    ]


def _write_rejected(session: Session, path: Path, say) -> None:
    """Every row not accepted, beside the store, for whoever corrects the source."""
    path.unlink(missing_ok=True)
    rows = session.rows(
        'SELECT file, line, "table", "column", value, outcome, reason FROM rejected ORDER BY ALL'
    )
    if not rows:
        return
    with path.open("w", encoding="utf-8-sig", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["file", "line", "table", "column", "value", "outcome", "reason"])
        writer.writerows([_no_formula(cell) for cell in row] for row in rows)
    say(
        "\n".join(
            [
                "rows not accepted:",
                *(f"  {reason}" for reason in _reasons(session)),
                f"  all of them: {path}",
            ]
        )
    )


def _no_formula(cell):
    """A text that a spreadsheet would run is told apart by a leading apostrophe."""
    return (
        f"'{cell}"
        if isinstance(cell, str) and cell.startswith(("=", "+", "-", "@", "\t", "\r"))
        else cell
    )


def _summary(session: Session) -> str:
    rows = session.rows(
        'SELECT "table", n_in, n_accepted, n_quarantined, n_refused FROM ledger ORDER BY position'
    )
    lines = [
        f"  {name:<14}{n_in:>10,} in ={accepted:>10,} accepted +{quarantined:>7,} quarantined +{refused:>6,} refused"
        for name, n_in, accepted, quarantined, refused in rows
    ]
    return "\n".join(lines)
