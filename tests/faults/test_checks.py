"""What the fault tests look with: it sees what is broken, and the table tells what was found and what was not run."""

import shutil

import pytest
from report.tiny import Project

from salesanalysis.report.run import run

from . import table
from .sets import complaints, left_over


@pytest.fixture(scope="module")
def published(tmp_path_factory):
    """
    A reports folder with one date, made by real kernels.
    """
    project = Project(tmp_path_factory.mktemp("project"))
    return run(project.suite, progress=lambda text: None).parents[1]


def flip(file):
    """Change one byte."""
    data = file.read_bytes()
    file.write_bytes(data[:-2] + bytes([data[-2] ^ 1]) + data[-1:])


def renamed_set(date):
    """Give the set another name, as if it were another one."""
    [folder] = [path for path in date.iterdir() if path.is_dir()]
    folder.rename(folder.with_name("0" * 16))


BREAKS = {
    "a byte of a page": lambda date: flip(next(date.glob("*/sales_funnel.html"))),
    "a byte of the index": lambda date: flip(date / "index.html"),
    "a page gone": lambda date: next(date.glob("*/rep_ranking.html")).unlink(),
    "another set": renamed_set,
    "half a page": lambda date: (p := next(date.glob("*/sales_funnel.html"))).write_bytes(p.read_bytes()[:99]),
    "no index": lambda date: (date / "index.html").unlink(),
    "no manifest": lambda date: (date / "manifest.json").unlink(),
    "two sets": lambda date: (p := date / "index.html").write_text(
        p.read_text("utf-8") + '<a href="0123456789abcdef/x.html">x</a>', "utf-8"
    ),
}  # fmt: skip


@pytest.mark.parametrize("how", sorted(BREAKS))
def test_what_is_broken_is_seen(published, tmp_path, how):
    """
    A whole folder has no complaint; each break has at least one.
    """
    out = tmp_path / "reports"
    shutil.copytree(published, out, symlinks=True)
    assert complaints(out) == [] and left_over(out) == []

    BREAKS[how](out / "2026-06-30")

    assert complaints(out) != []


def test_what_is_left_over_is_seen(published, tmp_path):
    """
    A set that no manifest names, and what a run lays beside.
    """
    out = tmp_path / "reports"
    shutil.copytree(published, out, symlinks=True)
    for name in (".work-x", "2026-06-30/.next-index.html", "2026-06-30/0123456789abcdef"):
        (out / name).mkdir()

    assert len(left_over(out)) == 3


def test_the_table_has_a_line_for_everything():
    """
    A row with two finds, one that was not run, a test that failed; the text around stays.
    """
    facts = {"test": "x", "seconds": 3.2, "day": "2026-11-25", "n": 1000, "found": "a|b"}
    kept = [facts | {"row": "R1", "what": what} for what in ("one", "two")]
    kept.append(facts | {"row": "", "what": "tests/x.py::y", "n": 0, "found": "**failed**"})

    text = table.page(f"before\n{table.BEGIN}\nold\n{table.END}\nafter\n", kept)

    lines = text.splitlines()
    assert lines[0] == "before" and lines[-1] == "after" and "old" not in lines
    assert any(
        line.startswith("| R1 |") and line.endswith("| one | 1,000 | a\\|b | 3 |") for line in lines
    )
    assert "| | | | two | 1,000 | a\\|b | 3 |" in lines
    assert "| ? | | | tests/x.py::y | 0 | **failed** | 3 |" in lines
    assert sum(line.endswith("| | not run | |") for line in lines) == len(table.ROWS) - 1
    with pytest.raises(SystemExit, match="put them back"):
        table.page("no markers", kept)
