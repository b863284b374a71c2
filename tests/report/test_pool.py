"""Several notebooks of several dates at a time, and what is said meanwhile."""

import json
import os
import sys

import pytest

from salesanalysis.report import pool
from salesanalysis.report.exits import Exit, RunError
from salesanalysis.report.run import run, run_days

from .tiny import CELLS

DAYS = ["2026-03-31", "2026-04-30", "2026-05-31"]
FAILS = 'if as_of == "2026-04-30":\n    raise ValueError("no rows")'


def quiet(text):
    """Drop progress."""


def test_one_go_makes_every_date_as_runs_of_their_own(project, monkeypatch):
    """
    Three dates by one warm process are byte for byte those of three runs.
    """
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1783000000")

    done = run_days(project.suite, DAYS, progress=quiet, workers=2)
    together = project.published()
    for day in DAYS:
        run(project.suite, as_of=day, progress=quiet)

    assert [one.as_of for one in done] == DAYS and all(one.index.is_file() for one in done)
    assert project.published() == together
    assert sum(name.endswith("rep_ranking.html") for name in together) == 3


def test_a_date_that_fails_does_not_stop_the_others(project):
    """
    Its reason is told, the dates before and after are published whole.
    """
    project.notebook("rep_ranking", (*CELLS[:3], FAILS, *CELLS[3:]))

    first, second, third = run_days(project.suite, DAYS, progress=quiet, workers=2)

    assert first.index and third.index and not first.error and not third.error
    assert second.index is None and second.error.code == Exit.UNEXPECTED
    assert "ValueError: no rows" in str(second.error)
    assert {name.split("/")[0] for name in project.published()} >= {DAYS[0], DAYS[2]}
    assert not any(name.startswith(DAYS[1]) for name in project.published())


def test_keep_going_publishes_the_pages_that_could_be_made(project):
    """
    The date is published without the failed page, says so on its index, and the code is "partly".
    """
    project.notebook("rep_ranking", (*CELLS[:3], FAILS, *CELLS[3:]))

    with pytest.raises(
        RunError, match=r"1 of 2 pages failed, the others are published; .*no rows"
    ) as caught:
        run(project.suite, as_of=DAYS[1], keep_going=True, progress=quiet)

    assert caught.value.code == Exit.PARTLY
    dated = project.root / "reports" / DAYS[1]
    manifest = json.loads((dated / "manifest.json").read_text())
    assert [entry["name"] for entry in manifest["reports"]] == ["sales_funnel"]
    assert manifest["failed"] == ["rep_ranking"]
    assert "rep_ranking could not be made" in (dated / "index.html").read_text()
    assert not list(dated.rglob("rep_ranking*"))


def test_keep_going_with_nothing_made_publishes_nothing(project):
    """
    An empty date is no report.
    """
    for name in ("sales_funnel", "rep_ranking"):
        project.notebook(name, (*CELLS[:3], FAILS, *CELLS[3:]))

    with pytest.raises(RunError, match="nothing was published") as caught:
        run(project.suite, as_of=DAYS[1], keep_going=True, progress=quiet)

    assert caught.value.code == Exit.UNEXPECTED
    assert project.published() == {}


@pytest.mark.skipif(os.name != "posix", reason="needs a pseudo-terminal")
def test_a_terminal_shows_a_bar_and_a_file_does_not(project, no_kernel, monkeypatch, capsys):
    """
    On a terminal a bar counts pages; elsewhere there is a line for each notebook only.
    """
    run(project.suite)
    assert [line[:5] for line in capsys.readouterr().err.splitlines()] == ["[1/2]", "[2/2]"]

    main, side = os.openpty()
    with os.fdopen(side, "w") as terminal:
        monkeypatch.setattr(sys, "stderr", terminal)
        run(project.suite)
    shown = os.read(main, 65536).decode()
    os.close(main)

    assert "2 [00:00" in shown or "/2" in shown
    assert "[2/2]" in shown


def test_as_many_workers_as_cores_that_may_be_used():
    """
    A container with fewer cores than its machine has fewer workers.
    """
    expected = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()

    assert pool.cores() == expected
