"""The arrows of CONTRIBUTING.md, read from the imports; the clock; and what a notebook may hold."""

import ast
import re

import nbformat
import pytest
from export import ROOT

PACKAGE = ROOT / "salesanalysis"
ARROWS = {  # room -> what of ours it may import, beside itself
    "crm": {"strict_yaml"},
    "metrics": {"crm", "statistics"},
    "statistics": set(),
    "present": set(),
    "report": {"present", "strict_yaml"},
    "cli": {"crm", "metrics", "report"},
    "strict_yaml": set(),
    "__main__": {"cli"},
    "__init__": set(),
}
ENGINE = {"duckdb": {"crm/store.py"}}
CLOCK = {
    *(
        "date.today",
        "datetime.today",
        "datetime.now",
        "datetime.utcnow",
        "Timestamp.now",
        "Timestamp.today",
    ),
    *(
        "time.time",
        "time.time_ns",
        "time.localtime",
        "time.gmtime",
        "time.monotonic",
        "time.perf_counter",
    ),
}
LONGEST_CELL = 15
MODULES = sorted(path.relative_to(PACKAGE).as_posix() for path in PACKAGE.rglob("*.py"))
NOTEBOOKS = sorted(path.name for path in (ROOT / "notebooks").glob("*.ipynb"))


def parsed(module):
    """The syntax tree of a module of the package."""
    return ast.parse((PACKAGE / module).read_text("utf-8"))


def imports(tree, module=""):
    """Full names of everything imported anywhere in a module; relative names are resolved from its folder."""
    names = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            here = ["salesanalysis", *module.split("/")[:-1]]
            above = here[: len(here) - node.level + 1] if node.level else []
            stem = ".".join([*above, *([node.module] if node.module else [])])
            names |= {f"{stem}.{alias.name}" for alias in node.names}
    return names


def room(path):
    """The room a module is in; a module outside of them is a room of its own."""
    return path.split("/")[0].removesuffix(".py")


def ours(tree, module=""):
    """Rooms a module imports from; `salesanalysis` alone would be all of them."""
    found = set()
    for name in imports(tree, module):
        parts = name.split(".")
        if parts[0] == "salesanalysis":
            found.add(parts[1] if len(parts) > 1 else "")
    return found


def clock_readings(tree):
    """Places where a module asks what time it is."""
    found = [
        ast.unparse(node)
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and ".".join(ast.unparse(node).split(".")[-2:]) in CLOCK
    ]
    names = {dotted.split(".", 1)[1] for dotted in CLOCK}
    return found + [
        name for name in imports(tree) if name.startswith("time.") and name[5:] in names
    ]


def test_every_module_is_in_a_room():
    """The rooms above are those of the package."""
    assert {room(module) for module in MODULES} == ARROWS.keys()


@pytest.mark.parametrize("module", MODULES)
def test_arrows_point_one_way(module):
    """A module imports from its own room and from those that CONTRIBUTING.md allows it."""
    assert ours(parsed(module), module) - {room(module)} <= ARROWS[room(module)]


@pytest.mark.parametrize("module", MODULES)
def test_one_module_knows_the_engine(module):
    """DuckDB is imported by the store only."""
    for engine, allowed in ENGINE.items():
        used = {name.split(".")[0] for name in imports(parsed(module))}

        assert engine not in used or module in allowed


@pytest.mark.parametrize("module", [m for m in MODULES if room(m) not in ("report", "cli")])
def test_nothing_below_the_report_asks_the_clock(module):
    """What a number says depends on the as-of date, never on when it was computed."""
    assert clock_readings(parsed(module)) == []


@pytest.mark.parametrize(
    ("text", "rooms", "readings"),
    [
        ("from . import words", {"present"}, 0),
        ("from .words import say", {"present"}, 0),
        ("from ..crm import load", {"crm"}, 0),
        ("import salesanalysis.crm.load", {"crm"}, 0),
        ("from salesanalysis import metrics", {"metrics"}, 0),
        ("def f():\n    from salesanalysis.report.run import run", {"report"}, 0),
        ("import datetime\nx = datetime.date.today()", set(), 1),
        ("from datetime import datetime as d, datetime\nx = datetime.now(tz=None)", set(), 1),
        ("import time\nx = time.time()", set(), 1),
        ("from time import monotonic", set(), 1),
        ("import datetime\nx = datetime.date(2026, 1, 1)", set(), 0),
    ],
)
def test_the_reading_sees_what_it_looks_for(text, rooms, readings):
    """Imports anywhere in a module are seen, and so is the clock."""
    tree = ast.parse(text)

    assert ours(tree, "present/charts.py") == rooms
    assert len(clock_readings(tree)) == readings


def code_cells(notebook):
    """The code cells of a notebook."""
    nb = nbformat.read(ROOT / "notebooks" / notebook, as_version=4)
    return [cell for cell in nb.cells if cell.cell_type == "code"]


@pytest.mark.parametrize("notebook", NOTEBOOKS)
def test_notebooks_are_for_reading(notebook):
    """No function, class, loop or lambda, no magic, and no cell that does not fit on a screen."""
    for cell in code_cells(notebook):
        tree = ast.parse(cell.source)  # a magic would not parse

        kinds = (
            ast.FunctionDef,
            ast.AsyncFunctionDef,
            ast.ClassDef,
            ast.For,
            ast.While,
            ast.Lambda,
        )
        assert [type(node).__name__ for node in ast.walk(tree) if isinstance(node, kinds)] == []
        assert len(cell.source.splitlines()) <= LONGEST_CELL


@pytest.mark.parametrize("notebook", NOTEBOOKS)
def test_notebooks_are_committed_without_outputs(notebook):
    """Neither results nor execution counts are kept in the repository."""
    for cell in code_cells(notebook):
        assert cell.outputs == []
        assert cell.execution_count is None


@pytest.mark.parametrize("notebook", NOTEBOOKS)
def test_parameters_are_an_interface(notebook):
    """The first code cell is tagged parameters; each line is a name, a type, a default and a comment that helps."""
    cells = code_cells(notebook)

    assert [cell.metadata.get("tags") for cell in cells].count(["parameters"]) == 1
    assert cells[0].metadata["tags"] == ["parameters"]
    lines = cells[0].source.splitlines()
    assert all(re.fullmatch(r"[a-z_]+: [a-z\[\]]+ = .+  # \S.*", line) for line in lines)
    for node in ast.parse(cells[0].source).body:
        assert isinstance(node, ast.AnnAssign)
        ast.literal_eval(node.value)


@pytest.mark.parametrize("notebook", NOTEBOOKS)
def test_notebooks_begin_with_their_question(notebook):
    """The first cell is prose with the one heading of level 1; imports stand in one cell; no number is typed."""
    nb = nbformat.read(ROOT / "notebooks" / notebook, as_version=4)
    prose = [cell.source for cell in nb.cells if cell.cell_type == "markdown"]

    assert nb.cells[0].cell_type == "markdown"
    assert [line for text in prose for line in text.splitlines() if line.startswith("# ")] == [
        nb.cells[0].source.splitlines()[0]
    ]
    assert sum("import " in cell.source for cell in code_cells(notebook)) == 1
    assert not [text for text in prose if re.search(r"\d\s?%|\d{3,}", text)]


@pytest.mark.parametrize("notebook", NOTEBOOKS)
def test_notebooks_call_the_gate_the_metrics_and_the_presentation(notebook):
    """Nothing else is imported: no engine, no frames, no charts of one's own."""
    names = {name for cell in code_cells(notebook) for name in imports(ast.parse(cell.source))}

    assert "salesanalysis.crm.observe" in names
    allowed = (
        *("salesanalysis.crm.observe", "salesanalysis.crm.read_process"),
        *("salesanalysis.metrics.", "salesanalysis.present."),
    )
    assert [name for name in names if not name.startswith(allowed)] == []
