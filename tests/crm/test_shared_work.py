"""What kernels of a run share: the same numbers as without, computed once, never waited for in vain."""

import ast
import datetime
import os
import signal
import subprocess
import sys
import time
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import nbformat
import numpy as np
import pandas as pd
import pytest
from export import ROOT

from salesanalysis import crm
from salesanalysis.crm import sample, seen, shared
from salesanalysis.crm.errors import InputRefused

OF = ("store.duckdb", 1, 2, 3, datetime.date(2026, 6, 30))
SLOW = """
import sys, time
from salesanalysis.crm import shared

def make():
    with open(sys.argv[1], "a") as log:
        log.write("made\\n")
    began = time.process_time()
    while time.process_time() - began < 0.3:
        pass
    if len(sys.argv) > 2:
        print("at work", flush=True)
        time.sleep(3600)
    return [0.1 + 0.2]

print(shared.computed(("store",), ("slow", 1), make))
"""
PAGES = [  # notebook, as of: what one computes others need, on its day and on days of the past
    *(
        (name, "2026-06-30")
        for name in ("executive_summary", "pipeline_forecast", "scorecard", "attention")
    ),
    ("pipeline_forecast", "2026-03-31"),
]


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """The folder of a run."""
    monkeypatch.setenv(shared.FOLDER, str(tmp_path))
    return tmp_path


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """A small sample company where notebooks look for it."""
    root = tmp_path_factory.mktemp("project")
    (root / "notebooks").mkdir()
    (root / "params").symlink_to(ROOT / "params")
    sample.write(root / "export", deals=600)
    mapping = ROOT / "params" / "sources" / "sample.yaml"
    crm.load(root / "export", mapping, root / "data" / "crm.duckdb", say=lambda _: None)
    return root


def files(folder: Path) -> list[Path]:
    """What is shared; the locks aside."""
    return sorted(path for path in folder.iterdir() if path.suffix != ".lock")


def slow(value):
    """Computing that is worth sharing."""
    made = []

    def make():
        made.append(value)
        began = time.process_time()
        while time.process_time() - began < shared.WORTH_SECONDS:
            pass
        return value

    return make, made


def shown(name: str, as_of: str) -> list[str]:
    """Run a notebook's cells as a new kernel would, and give what they show."""
    seen._KEPT.clear()
    names, texts = {}, []
    notebook = nbformat.read(ROOT / "notebooks" / f"{name}.ipynb", as_version=4)
    codes = [cell.source for cell in notebook.cells if cell.cell_type == "code"]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for number, code in enumerate(codes):
            tree = ast.parse(code)
            last = tree.body.pop() if isinstance(tree.body[-1], ast.Expr) else None
            exec(compile(tree, name, "exec"), names)
            if last is not None:
                texts.append(str(eval(compile(ast.Expression(last.value), name, "eval"), names)))
            if number == 0:
                names["as_of"] = as_of
    return texts


def test_pages_are_the_same_whoever_computes_first(project, tmp_path, monkeypatch):
    """Without sharing, computed and left for others, in the other order, and read: the same bytes; all keys are shared."""
    monkeypatch.chdir(project / "notebooks")
    plain = {page: shown(*page) for page in PAGES}
    named, name_of = [], shared._name
    monkeypatch.setattr(
        shared, "_name", lambda of, key: named.append((key, name_of(of, key))) or named[-1][1]
    )

    found = {}
    for order, pages in (("there", PAGES), ("back", PAGES[::-1])):
        monkeypatch.setenv(shared.FOLDER, str(tmp_path / order))
        (tmp_path / order).mkdir()
        found[order] = {page: shown(*page) for page in pages}
        assert len(files(tmp_path / order)) > 50
    found["read"] = {page: shown(*page) for page in PAGES}

    assert sum(map(len, plain.values())) > 60
    for order, pages in found.items():
        for page in PAGES:
            assert pages[page] == plain[page], (order, page)
    assert [key for key, name in named if name is None] == []


def test_without_the_folder_nothing_is_copied_or_kept(tmp_path, monkeypatch):
    """An analyst's kernel computes and has the very object."""
    monkeypatch.delenv(shared.FOLDER, raising=False)
    monkeypatch.chdir(tmp_path)
    make, made = slow(value := [1.0])

    assert shared.computed(OF, "slow", make) is value
    assert shared.computed(OF, "slow", make) is value
    assert len(made) == 2 and files(tmp_path) == []


def test_the_second_reads_what_the_first_has_left(folder):
    """Also the first goes on with the copy."""
    make, made = slow(value := {"a": np.arange(3.0), "b": pd.Timestamp("2026-06-30")})

    first, second = (shared.computed(OF, ("slow", 90), make) for _ in range(2))

    assert len(made) == 1 and len(files(folder)) == 1
    for found in (first, second):
        assert found is not value and found["b"] == value["b"]
        assert found["a"].tolist() == [0.0, 1.0, 2.0]


def test_what_is_huge_is_not_kept(folder, monkeypatch):
    """A run must not fill a disk with it."""
    monkeypatch.setattr(shared, "MOST_BYTES", 1000)
    make, _ = slow(value := b"x" * 1000)

    assert shared.computed(OF, "huge", make) is value
    assert files(folder) == []


def test_each_day_and_calendar_has_its_own(project, folder):
    """What was computed as of one is never given for another, in one process or two."""
    store = project / "data" / "crm.duckdb"
    views = [("2026-06-30", 1), ("2026-06-29", 1), ("2026-06-30", 2)]
    for _ in range(2):
        seen._KEPT.clear()
        for number, (day, year_starts) in enumerate(views):
            with crm.observe(store, day, year_starts=year_starts) as view:
                make, _ = slow(number)
                assert view.once("slow", make) == number
    assert len(files(folder)) >= len(views)


def test_what_is_quick_is_not_kept(folder):
    """Reading it would take as long."""
    assert shared.computed(OF, "quick", lambda: 1) == 1
    assert files(folder) == []


class Pair(NamedTuple):
    """As the metrics have them in keys."""

    one: object
    other: object


@dataclass(frozen=True)
class Rule:
    """As the process file's."""

    name: str
    days: tuple[int, ...]


KEYS = [
    "a",
    "b",
    ("a",),
    ("a", "b"),
    ("a,b",),
    ("a", ("b",)),
    ("a", "b", None),
    ("a", "b", "None"),
    90,
    90.0,
    "90",
    True,
    Pair("a", 1),
    Pair("a", 2),
    Rule("a", (1, 2)),
    Rule("a", (1, 3)),
    frozenset({"a", "b"}),
    frozenset({"a", "c"}),
    datetime.date(2026, 6, 30),
    datetime.datetime(2026, 6, 30),
    np.int64(90),
    (Rule("a", (1,)), Pair("x", None)),
    (Rule("a", (1,)), Pair("x", 0)),
]


def test_whatever_differs_has_a_file_of_its_own(monkeypatch):
    """Every argument, store, day, calendar and version of the code tells; equal keys have one file."""
    names = {shared._name(OF, key) for key in KEYS}
    assert None not in names and len(names) == len(KEYS)
    sets = [frozenset(numbers) for numbers in ((0, 8), (8, 0))]  # which stand in it in that order
    assert len({shared._name(OF, one) for one in sets}) == 1

    others = [(*OF[:place], "other", *OF[place + 1 :]) for place in range(len(OF))]
    assert len({shared._name(of, "a") for of in (OF, *others, (*OF, 1), (*OF, 2))}) == len(OF) + 3

    before = shared._name(OF, "a")
    monkeypatch.setattr(shared, "code", lambda: "other code")
    assert shared._name(OF, "a") != before


def test_code_is_named_by_what_stands_on_the_disk(tmp_path, monkeypatch):
    """A changed line, and a new module, are other code."""
    package = tmp_path / "salesanalysis" / "crm"
    package.mkdir(parents=True)
    monkeypatch.setattr(shared, "__file__", str(package / "shared.py"))
    names = []
    for name, text in (("a.py", "1"), ("a.py", "22"), ("b.py", "")):
        (package / name).write_text(text)
        shared.code.cache_clear()
        names.append(shared.code())
    shared.code.cache_clear()

    assert len(set(names)) == 3


@pytest.mark.parametrize("key", [object(), ("a", [1]), ("a", lambda: 1), ("a", Path("b"))])
def test_a_key_that_may_not_say_all_is_not_shared(folder, key):
    """Two things could have the same name."""
    make, made = slow(1)

    assert [shared.computed(OF, key, make) for _ in range(2)] == [1, 1]
    assert len(made) == 2 and files(folder) == []


def test_what_cannot_be_copied_is_not_shared(folder):
    """The caller has it all the same."""
    make, _ = slow(value := (lambda: 1))

    assert shared.computed(OF, "function", make) is value
    assert files(folder) == []


@pytest.mark.parametrize(
    "damage",
    [
        lambda content: b"",
        lambda content: content[:20],
        lambda content: content[:-1],
        lambda content: content[:40] + bytes([content[40] ^ 1]) + content[41:],
        lambda content: content + b"more",
        lambda content: b"\x80\x05N." * 20,  # a whole pickle, but not under its digest
    ],
)
def test_a_damaged_file_is_computed_anew(folder, damage):
    """As if it were not there, and the next one finds it whole."""
    make, made = slow(["right"])
    shared.computed(OF, "slow", make)
    (path,) = files(folder)
    path.write_bytes(damage(path.read_bytes()))

    assert [shared.computed(OF, "slow", make) for _ in range(2)] == [["right"], ["right"]]
    assert len(made) == 2


def test_where_nothing_can_be_written_it_is_computed(tmp_path, monkeypatch):
    """A folder that is gone fails no page."""
    monkeypatch.setenv(shared.FOLDER, str(tmp_path / "gone" / "away"))
    make, made = slow(1)

    assert [shared.computed(OF, "slow", make) for _ in range(2)] == [1, 1]
    assert len(made) == 2 and list(tmp_path.iterdir()) == []


def test_an_error_is_raised_and_the_next_one_has_its_turn(folder):
    """A failure is nobody's result."""

    def fail():
        raise InputRefused("no")

    for _ in range(2):
        with pytest.raises(InputRefused, match="no"):
            shared.computed(OF, "slow", fail)
    make, _ = slow(1)
    assert shared.computed(OF, "slow", make) == 1


def start(log: Path, *arguments: str) -> subprocess.Popen:
    """A kernel that needs the slow thing."""
    return subprocess.Popen(
        [sys.executable, "-c", SLOW, str(log), *arguments],
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
    )


def test_one_computes_and_the_others_wait(folder, tmp_path_factory):
    """Four at once: the slow thing is made once, and all have it."""
    log = tmp_path_factory.mktemp("log") / "log"
    kernels = [start(log) for _ in range(4)]

    assert [kernel.communicate(timeout=60)[0] for kernel in kernels] == [
        "[0.30000000000000004]\n"
    ] * 4
    assert log.read_text() == "made\n"


def test_a_killed_kernel_keeps_nobody_waiting(folder, tmp_path_factory):
    """Killed while it computes: whoever waits for it computes itself, and half a file is never read."""
    log = tmp_path_factory.mktemp("log") / "log"
    first = start(log, "for ever")
    assert first.stdout.readline() == "at work\n"
    second = start(log)
    time.sleep(0.5)
    assert second.poll() is None

    first.send_signal(signal.SIGKILL)
    first.communicate()

    assert second.communicate(timeout=30)[0] == "[0.30000000000000004]\n"
    assert log.read_text() == "made\n" * 2


def test_waiting_has_an_end(folder, tmp_path_factory, monkeypatch):
    """A kernel that hangs while it computes does not hang the others."""
    monkeypatch.setattr(shared, "WAIT_SECONDS", 0.2)
    log = tmp_path_factory.mktemp("log") / "log"
    first = start(log, "for ever")
    try:
        assert first.stdout.readline() == "at work\n"
        assert shared.computed(("store",), ("slow", 1), lambda: "own") == "own"
    finally:
        first.kill()
        first.communicate()


def test_queries_do_not_wait(folder, monkeypatch):
    """They take milliseconds: no lock is made for them; a slow one is left for others."""
    monkeypatch.setattr(shared, "_turn", None)
    make, made = slow(pd.DataFrame({"a": [1, 2]}))

    found = [shared.computed(OF, ("SELECT 1", ()), make, is_query=True) for _ in range(2)]

    assert len(made) == 1 and found[1]["a"].tolist() == [1, 2]
