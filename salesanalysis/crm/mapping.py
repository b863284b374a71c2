"""The mapping file: which column of which file fills which canonical column, and in what notation."""

import datetime
import zoneinfo
from dataclasses import dataclass, field
from pathlib import Path

from salesanalysis import strict_yaml
from salesanalysis.crm.errors import MappingError
from salesanalysis.crm.tables import ALLOWED, TABLES

PERIODS = {"month": 1, "quarter": 3, "year": 12}  # months in each


@dataclass(frozen=True)
class ColumnMap:
    """Where one canonical column comes from."""

    column: str | None = None  # source column
    constant: str | None = None  # or the same text in every row
    values: dict[str, str] = field(default_factory=dict)  # source text -> canonical text, "" empty
    otherwise: str | None = None  # canonical text for every other source text, and for an empty one
    lookup: dict[str, str] | None = None  # file, key, value: the text is looked up there (m:1)
    known_from: dict[str, str] | None = None  # file, column: other texts become a data finding
    format: str | None = None  # strptime format, where it differs from the file's
    end_of: str | None = None  # month, quarter, year: the last day of the one the date read lies in
    percent: bool = False  # written as 0-100
    optional: str | None = None  # why a required column may be empty
    known_at: str | None = None  # "close": the amount is not known while the deal is open


@dataclass(frozen=True)
class TableMap:
    """How one canonical table is filled: from a file, or from rows written in the mapping."""

    columns: dict[str, ColumnMap]
    file: str | None = None
    rows: tuple[dict[str, str], ...] = ()
    ignore: tuple[str, ...] = ()
    lines: dict[str, list[str]] = field(default_factory=dict)  # sum: money added over a deal's rows


@dataclass(frozen=True)
class Mapping:
    """A whole mapping file, checked."""

    source: str
    timezone: str
    currency: str
    extracted_on: datetime.date
    tables: dict[str, TableMap]
    encoding: str | None = None
    delimiter: str = ","
    datetime: str = "%Y-%m-%d %H:%M:%S"
    date: str = "%Y-%m-%d"
    decimal: str = "."
    thousands: str = ""
    deals_from_events: bool = False  # creation, state and closing are read from the stage history
    impossible: dict[str, str] = field(default_factory=dict)
    text: str = ""


def read_mapping(path: str | Path) -> Mapping:
    """
    Read and check a mapping file.

    Parameters
    ----------
    path : path of a YAML file
        Keys as in `Mapping`; see ``params/sources/`` for commented examples.

    Raises
    ------
    MappingError
        The file is missing, is not strict YAML, or holds a key or a name that is not known; the message names the
        key, what was found and what is allowed.
    """
    path = Path(path)
    try:
        text = path.read_text(encoding="utf-8")
        raw = strict_yaml.loads(text)
    except (OSError, ValueError) as error:
        raise MappingError(f"the mapping file {path} cannot be read: {error}") from error
    where = f"mapping file {path.name}"
    _only(raw, Mapping.__dataclass_fields__.keys() - {"text"}, where)
    _need(raw, ("source", "timezone", "currency", "extracted_on", "tables"), where)
    try:
        zoneinfo.ZoneInfo(raw["timezone"])
        raw["extracted_on"] = datetime.date.fromisoformat(raw["extracted_on"])
    except (ValueError, zoneinfo.ZoneInfoNotFoundError) as error:
        raise MappingError(
            f"{where}: timezone must be an IANA name such as Asia/Shanghai and extracted_on a day such as "
            f"2026-06-30: {error}"
        ) from error
    if len(raw.get("delimiter", ",")) != 1:
        raise MappingError(f"{where}: delimiter must be one character, found {raw['delimiter']!r}")
    raw["deals_from_events"] = _flag(raw, "deals_from_events", where)
    unknown = sorted(raw["tables"].keys() - TABLES.keys())
    if unknown:
        raise MappingError(
            f"{where}: tables {unknown} are not canonical; allowed: {', '.join(TABLES)}"
        )
    made = {"created_at", "status"} if raw["deals_from_events"] else set()
    raw["tables"] = {
        name: _table(name, table, f"{where}, table {name}", made if name == "deals" else set())
        for name, table in raw["tables"].items()
    }
    if raw["deals_from_events"] and "deals" in raw["tables"] and raw["tables"]["deals"].lines:
        raise MappingError(
            f"{where}, table deals: lines are rows of one deal to add up, but with deals_from_events all rows of "
            "a deal are one; leave one of the two out"
        )
    needed = {"stage_events", "stages", "deals"} if made else {"deals"}
    if missing := sorted(needed - raw["tables"].keys()):
        raise MappingError(f"{where}: tables must hold {missing}; found {sorted(raw['tables'])}")
    return Mapping(**raw, text=text)


def _table(name: str, raw: dict, where: str, made: set[str]) -> TableMap:
    _only(raw, TableMap.__dataclass_fields__.keys(), where)
    if ("file" in raw) == ("rows" in raw):
        raise MappingError(f"{where}: needs either `file` or `rows`")
    if "rows" in raw:
        names = {column: {"column": column} for row in raw["rows"] for column in row}
        raw = {**raw, "columns": raw.get("columns", {}) | names, "rows": tuple(raw["rows"])}
    _need(raw, ("columns",), where)
    known = {column.name for column in TABLES[name]}
    _only(raw["columns"], known, f"{where}, columns")
    columns = {
        column: _column(name, column, spec, f"{where}, column {column}")
        for column, spec in raw["columns"].items()
    }
    if missing := [c.name for c in TABLES[name] if c.required and c.name not in {*columns, *made}]:
        raise MappingError(f"{where}: the required columns {missing} are not mapped")
    return TableMap(
        columns=columns,
        file=raw.get("file"),
        rows=raw.get("rows", ()),
        ignore=tuple(raw.get("ignore", ())),
        lines=_lines(name, raw["lines"], columns, where) if "lines" in raw else {},
    )


def _lines(name: str, raw: dict, columns: dict, where: str) -> dict[str, list[str]]:
    if name != "deals":
        raise MappingError(f"{where}: lines are for the table deals only")
    _only(raw, ("sum",), f"{where}, lines")
    _need(raw, ("sum",), f"{where}, lines")
    money = [c.name for c in TABLES[name] if c.kind == "money" and c.name in columns]
    named = raw["sum"]
    if not isinstance(named, list) or not named or any(c not in money for c in named):
        raise MappingError(
            f"{where}, lines: sum must list mapped columns of money, found {raw['sum']!r}; allowed: "
            f"{', '.join(money) or 'none is mapped'}"
        )
    return {"sum": list(dict.fromkeys(named))}


def _column(table: str, name: str, spec: str | dict, where: str) -> ColumnMap:
    if isinstance(spec, str):
        return ColumnMap(column=spec)
    _only(spec, ColumnMap.__dataclass_fields__.keys(), where)
    if ("column" in spec) == ("constant" in spec):
        raise MappingError(f"{where}: needs either `column` or `constant`")
    for key, parts in (("lookup", ("file", "key", "value")), ("known_from", ("file", "column"))):
        if key in spec:
            _only(spec[key], parts, f"{where}, {key}")
            _need(spec[key], parts, f"{where}, {key}")
    allowed = ALLOWED.get((table, name))
    targets = [
        *spec.get("values", {}).values(),
        *([spec["otherwise"]] if "otherwise" in spec else []),
    ]
    if allowed and (wrong := sorted(set(targets) - set(allowed))):
        raise MappingError(f"{where}: values map to {wrong}; allowed: {', '.join(allowed)}")
    if "known_at" in spec and (table, name, spec["known_at"]) != ("deals", "amount", "close"):
        raise MappingError(
            f"{where}: known_at is for the amount of deals and must be close, found {spec['known_at']!r}"
        )
    if "end_of" in spec:
        days = [column.name for column in TABLES[table] if column.kind == "date"]
        if name not in days or spec["end_of"] not in PERIODS:
            raise MappingError(
                f"{where}: end_of is for dates ({', '.join(days) or 'this table has none'}) and must be "
                f"{', '.join(PERIODS)}, found {spec['end_of']!r}"
            )
    return ColumnMap(**{**spec, "percent": _flag(spec, "percent", where)})


def _flag(raw: dict, key: str, where: str) -> bool:
    text = raw.get(key, "false")
    if text not in ("true", "false"):
        raise MappingError(f"{where}: {key} must be true or false, found {text!r}")
    return text == "true"


def _only(raw: dict, allowed, where: str) -> None:
    if not isinstance(raw, dict):
        raise MappingError(f"{where}: must be keys with values, found {raw!r}")
    if unknown := sorted(raw.keys() - set(allowed)):
        raise MappingError(f"{where}: {unknown} not known; allowed: {', '.join(sorted(allowed))}")


def _need(raw: dict, keys: tuple[str, ...], where: str) -> None:
    if missing := [key for key in keys if key not in raw]:
        raise MappingError(f"{where}: {missing} missing; found {sorted(raw)}")
