"""
Suite and parameter files: what to run, as of which day, with which values.

YAML is read strictly, since it changes text silently otherwise (``no`` is False, ``0123`` is 83):
a key may occur once, anchors are refused, and a value must have the type that the notebook's
parameters cell declares.
"""

import ast
import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import papermill
import yaml

from salesanalysis.report import dates, readers
from salesanalysis.report.exits import Exit, RunError

GIVEN = ("as_of", "crm")
"""The parameters that the runner sets in every notebook."""

PROCESS = "process"
"""The parameter that the runner sets in every notebook that declares it."""

YEAR_STARTS = "year_starts"
"""The parameter that the runner sets in every notebook that declares it: month in which the company's year starts."""

PERIOD = "period"
"""The one parameter in which words such as ``last_quarter`` are resolved."""

_SHARED = "parameters"
_FISCAL, _FRESHNESS = "fiscal_year_starts", "freshness_days"
_REQUIRED = ("as_of", "timezone", "crm", "title", "reports")
_SUITE_KEYS = (*_REQUIRED, PROCESS, _FISCAL, _FRESHNESS, _SHARED)
_MONTHS = {f"{month:02}": month for month in range(1, 13)}
_FOR = (*readers.KINDS, readers.LEADERSHIP)
_NUMBER = re.compile(r"[+-]?(0|[1-9]\d*)(\.\d+)?([eE][+-]?\d+)?", re.ASCII)


@dataclass(frozen=True)
class Report:
    """One notebook of a suite, with the values of those parameters that the runner does not set."""

    name: str
    notebook: Path
    parameters: Mapping[str, Any]
    audience: str | None  # rep, team, leadership; None: everyone who may open the date
    takes_process: bool


@dataclass(frozen=True)
class Suite:
    """What one run makes; ``as_of`` is still as written, a day or a word for one."""

    path: Path
    title: str
    as_of: str
    timezone: ZoneInfo
    crm: Path
    process: Path | None
    reports: tuple[Report, ...]
    year_starts: int = 1
    freshness_days: int | None = None  # None: as `freshness.allowed` says

    @property
    def root(self) -> Path:
        """The project's folder: the parent of ``params``."""
        return self.path.parent.parent


def read(path: Path, *, process: Path | None = None) -> Suite:
    """
    Read a suite file and the parameter file of each of its notebooks.

    Parameters
    ----------
    path : Path
        ``params/<suite>.yaml``, with ``as_of``, ``timezone``, ``crm``, ``title``, optional
        ``process`` (a file of the project), optional ``fiscal_year_starts`` (month, "01" to "12"; January if not given),
        optional ``freshness_days`` (how old the newest record may be), optional ``parameters`` (given to each notebook that
        declares them; they win over those of ``params/<notebook>.yaml``) and ``reports``: a list of ``notebook`` (a name in
        ``notebooks``), optional ``for`` ("rep", "team": a page for each; "leadership") and
        optional ``parameters``, which win over all others.
    process : Path, optional
        A process file in place of the suite's.

    Raises
    ------
    RunError
        Code USAGE: a missing file, a missing or unknown key, a value of the wrong type, a
        parameter that the notebook does not declare, or one that it declares and nobody sets.
    """
    path = path.resolve()
    keys = _mapping(_load(path), path.name)
    _expect_keys(keys, _SUITE_KEYS, required=_REQUIRED, where=path.name)
    texts = {
        key: _text(keys[key], f"{path.name}: {key}")
        for key in keys
        if key not in ("reports", _FRESHNESS, _SHARED)
    }
    year_starts = _month(texts.get(_FISCAL, "01"), f"{path.name}: {_FISCAL}")
    if process is None and PROCESS in texts:
        process = path.parent.parent / texts[PROCESS]
    entries = _items(keys["reports"], f"{path.name}: reports")
    place = f"{path.name}: {_SHARED}"
    shared = _mapping(keys[_SHARED], place) if _SHARED in keys else {}
    reports = tuple(
        _report(entry, path, shared, has_process=process is not None, year_starts=year_starts)
        for entry in entries
    )
    used = {key for report in reports for key in report.parameters if key != YEAR_STARTS}
    if unused := [key for key in shared if key not in used]:
        raise _refused(
            f"{place} must be such that a notebook of the suite declares, but none declares "
            f"{', '.join(unused)}; correct the name or take it out"
        )
    named = [(report.name, report.audience) for report in reports]
    if not named or len(set(named)) < len(named):
        names = [f"{name} for {audience or 'everyone'}" for name, audience in named]
        raise _refused(
            f"{path.name}: reports must name each notebook once for each kind of reader, but names "
            f"{', '.join(names) or 'none'}"
        )
    return Suite(
        path=path,
        title=texts["title"],
        as_of=texts["as_of"],
        timezone=_timezone(texts["timezone"], path.name),
        crm=path.parent.parent / texts["crm"],
        process=process,
        reports=reports,
        year_starts=year_starts,
        freshness_days=_count(keys[_FRESHNESS], f"{path.name}: {_FRESHNESS}")
        if _FRESHNESS in keys
        else None,
    )


def dated(report: Report, *, as_of: date, year_starts: int) -> Report:
    """
    Resolve the word for a period, such as ``last_quarter``, in a report's parameter ``period``.

    Only there, and only where it is text: what notebooks call a period is read by one calendar. In any other parameter
    such a word is a text like others.

    Raises
    ------
    RunError
        Code USAGE: as for `dates.period`.
    """
    text = report.parameters.get(PERIOD)
    if not isinstance(text, str):
        return report
    try:
        found = dates.period(text, as_of=as_of, year_starts=year_starts)
    except RunError as error:
        raise _refused(f"{report.name}: {error}") from None
    return replace(report, parameters={**report.parameters, PERIOD: found})


def _report(
    entry: yaml.Node,
    suite: Path,
    shared: Mapping[str, yaml.Node],
    *,
    has_process: bool,
    year_starts: int,
) -> Report:
    where = f"{suite.name}: reports"
    keys = _mapping(entry, where)
    _expect_keys(keys, ("notebook", "for", "parameters"), required=("notebook",), where=where)
    name = _text(keys["notebook"], f"{where}: notebook")
    notebook = suite.parent.parent / "notebooks" / f"{name}.ipynb"
    # "index" is the name of the page that lists the others.
    found = sorted(file.stem for file in notebook.parent.glob("*.ipynb"))
    if not re.fullmatch(r"[a-z][a-z0-9_]*", name) or name == "index" or name not in found:
        raise _refused(f"{where}: notebook must be one of {found}, but is {name!r}")
    audience = _audience(keys, f"{where}: {name}: for")
    given = (*GIVEN, *({audience} & set(readers.KINDS)))
    types = _declared(notebook, given)
    if PROCESS in types and not has_process:
        raise _refused(
            f"{notebook.name} declares {PROCESS}, so {suite.name} must name a process file, but "
            f'does not; add {PROCESS}: "params/process.yaml", or give --process'
        )
    values: dict[str, Any] = {}
    file = suite.with_name(f"{name}.yaml")
    if file.is_file():
        values |= _values(_mapping(_load(file), file.name), types, file.name, notebook.name)
    own = {key: node for key, node in shared.items() if key in types}
    values |= _values(own, types, f"{suite.name}: {_SHARED}", notebook.name)
    if "parameters" in keys:
        place = f"{where}: {name}: parameters"
        own = _mapping(keys["parameters"], place)
        values |= _values(own, types, place, notebook.name)
    return Report(
        name=name,
        notebook=notebook,
        parameters={key: values[key] for key in values if key not in (*given, PROCESS)}
        | ({YEAR_STARTS: year_starts} if YEAR_STARTS in types else {}),
        audience=audience,
        takes_process=PROCESS in types,
    )


def _audience(keys: Mapping[str, yaml.Node], where: str) -> str | None:
    if "for" not in keys:
        return None
    audience = _text(keys["for"], where)
    if audience not in _FOR:
        raise _refused(f"{where} must be one of {', '.join(_FOR)}, but is {audience!r}")
    return audience


def _declared(notebook: Path, given: Sequence[str]) -> dict[str, str]:
    """Give the type, as written, of each name in a notebook's parameters cell."""
    declared = papermill.inspect_notebook(for_papermill(notebook))
    types = {
        name: found["inferred_type_name"]
        if found["inferred_type_name"] != "None"
        else type(ast.literal_eval(found["default"])).__name__
        for name, found in declared.items()
    }
    missing = [f"{name}: str" for name in given if types.get(name) != "str"]
    missing += [
        f"{name}: {kind}"
        for name, kind in ((PROCESS, "str"), (YEAR_STARTS, "int"))
        if types.get(name, kind) != kind
    ]
    if missing:
        raise _refused(
            f"{notebook.name} must have a cell tagged parameters that declares "
            f"{' and '.join(missing)}, but declares "
            f"{', '.join(types) or 'nothing'}; add it"
        )
    return types


def for_papermill(path: Path) -> str:
    """Write a path for papermill, which fills in ``{name}``."""
    return str(path).replace("{", "{{").replace("}", "}}")


def _values(
    keys: Mapping[str, yaml.Node], types: Mapping[str, str], where: str, notebook: str
) -> dict[str, Any]:
    unknown = [key for key in keys if key not in types]
    if unknown:
        raise _refused(
            f"{where}: parameters must be among those that {notebook} declares "
            f"({', '.join(sorted(types))}), but {', '.join(unknown)} is not; correct the name"
        )
    return {key: _value(node, types[key], f"{where}: {key}") for key, node in keys.items()}


def _value(node: yaml.Node, declared: str, where: str) -> Any:
    of = re.fullmatch(r"list(?:\[(\w+)\])?", declared)
    if of:
        return [_value(item, of[1] or "str", where) for item in _items(node, where)]
    if declared == "str":
        return _text(node, where)
    convert = _CONVERT.get(declared)
    if convert is None:
        raise _refused(f"{where}: the notebook declares the type {declared}; use {_TYPES}")
    text = node.value if isinstance(node, yaml.ScalarNode) else None
    value = None if text is None else convert(text)
    if value is None:
        shown = "a list or mapping" if text is None else repr(text)
        raise _refused(f"{where} must be {declared}, but is {shown} ({_place(node)})")
    return value


def _integer(text: str) -> int | None:
    return int(text) if re.fullmatch(r"[+-]?(0|[1-9][0-9]{0,17})", text) else None


def _decimal(text: str) -> float | None:
    value = float(text) if _NUMBER.fullmatch(text) else math.inf
    return value if math.isfinite(value) else None


_CONVERT: dict[str, Callable[[str], Any]] = {
    "int": _integer,
    "float": _decimal,
    "bool": {"true": True, "false": False}.get,
}
_TYPES = "str, int, float, bool, or a list of one of them, such as list[int]"


def _load(path: Path) -> yaml.Node:
    try:
        text = path.read_text("utf-8-sig")
        for event in yaml.parse(text, Loader=yaml.SafeLoader):
            if getattr(event, "anchor", None) or getattr(event, "tag", None):
                raise _refused(f"{path.name}: anchors, aliases and tags are refused "
                               f"({_place(event)})")  # fmt: skip
        node = yaml.compose(text, Loader=yaml.SafeLoader)
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        reason = " ".join(str(error.strerror if isinstance(error, OSError) else error).split())
        raise _refused(f"{path.name} cannot be read: {reason}; looked in {path.parent}") from None
    if node is None:
        raise _refused(f"{path.name} must hold keys and values, but is empty")
    return node


def _mapping(node: yaml.Node, where: str) -> dict[str, yaml.Node]:
    if not isinstance(node, yaml.MappingNode):
        raise _refused(f"{where} must hold keys and values ({_place(node)})")
    keys: dict[str, yaml.Node] = {}
    for key, value in node.value:
        name = _text(key, f"{where}: a key")
        if name in keys:
            raise _refused(f"{where}: each key must occur once, but {name} is given again "
                           f"({_place(key)})")  # fmt: skip
        keys[name] = value
    return keys


def _items(node: yaml.Node, where: str) -> list[yaml.Node]:
    if not isinstance(node, yaml.SequenceNode):
        raise _refused(f"{where} must be a list ({_place(node)})")
    return node.value


def _text(node: yaml.Node, where: str) -> str:
    if not isinstance(node, yaml.ScalarNode):
        raise _refused(f"{where} must be text, but is a list or mapping ({_place(node)})")
    kind = node.tag.rpartition(":")[2]
    if kind != "str":
        raise _refused(
            f'{where} must be text, but {node.value} without quotes is read as "{kind}"; '
            f'write "{node.value}" ({_place(node)})'
        )
    if any("\ud800" <= character <= "\udfff" for character in node.value):
        raise _refused(f"{where} must be text, but holds half a character ({_place(node)})")
    return node.value


def _expect_keys(
    keys: Mapping[str, Any], allowed: tuple[str, ...], *, required: tuple[str, ...], where: str
) -> None:
    unknown = [key for key in keys if key not in allowed]
    missing = [key for key in required if key not in keys]
    if unknown or missing:
        faults = [f"{key} is missing" for key in missing] + [f"{key} is unknown" for key in unknown]
        raise _refused(f"{where}: keys must be {', '.join(allowed)}, but {', '.join(faults)}")


def _month(text: str, where: str) -> int:
    if text not in _MONTHS:
        raise _refused(f'{where} must be a month, "01" to "12", but is {text!r}')
    return _MONTHS[text]


def _count(node: yaml.Node, where: str) -> int:
    found = _value(node, "int", where)
    if found < 0:
        raise _refused(f"{where} must be 0 or more, but is {found} ({_place(node)})")
    return found


def _timezone(name: str, where: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (OSError, ValueError, KeyError):
        raise _refused(
            f'{where}: timezone must be a name such as "Asia/Shanghai", but is {name!r}'
        ) from None


def _place(found: Any) -> str:
    return f"line {found.start_mark.line + 1}"


def _refused(message: str) -> RunError:
    return RunError(message, Exit.USAGE)
