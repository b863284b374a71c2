"""R3: runs at the same time do not disturb each other's kernels, and a kernel that does not start is started again."""

import json
import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from report.tiny import Project

from salesanalysis.report import kernels, ledger
from salesanalysis.report.exits import Exit, RunError
from salesanalysis.report.run import run

from .sets import complaints, dates

SUITE = """\
as_of: "2026-06-30"
timezone: "Asia/Shanghai"
crm: "data/crm.duckdb"
title: "Monthly"
reports:
  - notebook: "sales_funnel"
"""
MOST_RETRIES = 2
needs_fork = pytest.mark.skipif(
    not hasattr(os, "fork") or sys.platform == "darwin", reason="this system cannot fork"
)


def test_three_at_once_lose_no_run(tmp_path, n, record):
    """
    Three processes make reports in folders of their own, all the time; each run publishes a whole set.
    """
    rounds = n(short=2, full=167)
    project = Project(tmp_path)
    project.write("params/monthly.yaml", SUITE)
    script = Path(__file__).with_name("many_runs.py")
    outs = [tmp_path / f"reports-{number}" for number in range(3)]
    outside = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}

    begun = [
        subprocess.Popen([sys.executable, script, project.suite, out, str(rounds)],
                         stdout=subprocess.PIPE, env=outside)
        for out in outs
    ]  # fmt: skip
    said = [process.communicate(timeout=1800)[0] for process in begun]

    runs = [json.loads(line) for lines in said for line in lines.splitlines()]
    assert [process.returncode for process in begun] == [0, 0, 0]
    assert len(runs) == 3 * rounds
    assert [one["lost"] for one in runs if one["lost"]] == []
    retries = [count for one in runs for count in one["retries"]]
    assert len(retries) == len(runs) and max(retries) <= MOST_RETRIES
    for out in outs:
        assert complaints(out) == [] and dates(out) == ["2026-06-30"]
    record("R3", "3 processes at once", len(runs), f"0 lost; {sum(retries)} retries of a start")


@needs_fork
@pytest.mark.parametrize("deaths", [1, 2, 3])
def test_a_kernel_that_dies_at_its_start_is_started_again(tmp_path, monkeypatch, record, n, deaths):
    """
    Killed before its first answer: twice is made good, three times ends the run with the code of a dead kernel.
    """
    if not n(short=deaths == 2, full=1):
        pytest.skip("only with --full")
    project = Project(tmp_path)
    project.write("params/monthly.yaml", SUITE)
    fork, killed = kernels.Warm.fork, []

    def dies(warm, argv, **options):
        pid = fork(warm, argv, **options)
        if len(killed) < deaths:
            os.kill(pid, signal.SIGKILL)
            killed.append(pid)
        return pid

    monkeypatch.setattr(kernels.Warm, "fork", dies)
    if deaths > MOST_RETRIES:
        with pytest.raises(RunError, match="the kernel died; is there") as caught:
            run(project.suite, progress=lambda text: None)
        assert caught.value.code == Exit.KERNEL_DIED
        assert dates(tmp_path / "reports") == []
    else:
        run(project.suite, progress=lambda text: None)
        assert complaints(tmp_path / "reports") == [] and dates(tmp_path / "reports")
        [book] = ledger.read(tmp_path / "reports")
        assert [page["n_retries"] for page in book["reports"]] == [deaths]
    assert len(killed) == deaths
    record(
        "R3",
        f"a kernel killed {deaths} × before its first answer",
        1,
        "exit 138, 0 published" if deaths > MOST_RETRIES else f"{deaths} retries, published",
    )


def test_a_temporary_folder_with_a_long_name_is_no_obstacle(tmp_path, monkeypatch):
    """
    The address of a socket may have about a hundred bytes; kernels listen at ports where their folder has more.
    """
    folder = tmp_path / ("x" * 120)
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    project = Project(tmp_path)
    project.write("params/monthly.yaml", SUITE)

    run(project.suite, progress=lambda text: None)

    assert complaints(tmp_path / "reports") == [] and dates(tmp_path / "reports")
    assert list(folder.iterdir()) == []


@needs_fork
def test_without_its_warm_process_a_kernel_is_started_all_the_same(tmp_path, monkeypatch):
    """
    The warm process is killed before it forks; the run goes on with an ordinary kernel.
    """
    project = Project(tmp_path)
    project.write("params/monthly.yaml", SUITE)
    fork, asked = kernels.Warm.fork, []

    def gone(warm, argv, **options):
        asked.append(warm)
        warm._process.kill()
        warm._process.wait()
        return fork(warm, argv, **options)

    monkeypatch.setattr(kernels.Warm, "fork", gone)
    run(project.suite, progress=lambda text: None)

    assert complaints(tmp_path / "reports") == [] and dates(tmp_path / "reports")
    assert len(asked) == 1
