"""The pages of one run spread over a Dask cluster: a real scheduler and two worker processes."""

import json
import os
import subprocess
import sys
import time

import pytest
from export import ROOT

from salesanalysis.report.exits import Exit, RunError
from salesanalysis.report.run import run

from .tiny import CELLS, Project

pytest.importorskip("distributed", reason="needs the extra dask")
EPOCH = "1783000000"


def quiet(text):
    """Drop progress."""


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    """
    A scheduler and two workers with one thread each, as `dask scheduler` and `dask worker` start them.
    """
    folder = tmp_path_factory.mktemp("cluster")
    file = folder / "scheduler.json"
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    common = {"cwd": folder, "env": environment, "stderr": subprocess.DEVNULL}
    program = [sys.executable, "-c", "import dask.__main__ as m; m.main()"]
    options = ["--scheduler-file", str(file), "--no-dashboard"]
    alone = ["scheduler", "--host", "127.0.0.1", "--port", "0", *options]
    worker = ["worker", "--nthreads", "1", "--local-directory", str(folder), *options]
    processes = [subprocess.Popen([*program, *alone], **common)]
    began = time.monotonic()
    while not file.exists():
        assert processes[0].poll() is None and time.monotonic() - began < 60
        time.sleep(0.1)
    processes += [subprocess.Popen([*program, *worker], **common) for _ in range(2)]
    yield json.loads(file.read_text())["address"]
    for process in reversed(processes):
        process.terminate()
    for process in processes:
        process.wait(timeout=30)


@pytest.fixture(autouse=True)
def _fixed_time(monkeypatch):
    monkeypatch.setenv("SOURCE_DATE_EPOCH", EPOCH)


def wait_for_workers(address, n):
    """Until the scheduler knows so many workers."""
    from distributed import Client

    with Client(address, set_as_default=False) as client:
        client.wait_for_workers(n, timeout=60)


def test_pages_made_by_two_workers_are_the_same_bytes(cluster, tmp_path):
    """
    Every published file is that of a run on this machine, and both workers took part.
    """
    wait_for_workers(cluster, 2)
    project = Project(tmp_path)
    told = tmp_path / "pids"
    told.mkdir()
    cell = f"import os, time\nopen(f'{told}/{{os.getppid()}}', 'w').close()\ntime.sleep(1)"
    for name in ("sales_funnel", "rep_ranking"):
        project.notebook(name, (*CELLS[:3], cell, *CELLS[3:]))

    run(project.suite, progress=quiet, scheduler=cluster)
    spread = project.published()
    n_processes = len(list(told.iterdir()))
    run(project.suite, progress=quiet)

    assert project.published() == spread
    assert len(spread) > 5 and n_processes == 2


def test_a_failure_on_a_worker_is_told_as_one_here(cluster, tmp_path):
    """
    Reason, exit code and the notebook as far as it ran come back; nothing is published.
    """
    wait_for_workers(cluster, 2)
    project = Project(tmp_path)
    project.notebook("rep_ranking", (*CELLS[:3], "raise ValueError('no rows')", *CELLS[3:]))

    with pytest.raises(
        RunError, match="rep_ranking.ipynb: cell 4 failed with ValueError: no rows; "
    ) as caught:
        run(project.suite, progress=quiet, scheduler=cluster)

    assert caught.value.code == Exit.UNEXPECTED
    assert project.published() == {}
    assert (project.root / "reports/.failed/2026-06-30/rep_ranking.ipynb").is_file()


def test_a_store_that_is_not_the_runners_is_refused(cluster, tmp_path, monkeypatch):
    """
    A worker that sees another file than the runner makes no page of it.
    """
    from salesanalysis.report import plans as module

    wait_for_workers(cluster, 2)
    project = Project(tmp_path)
    sums = module._sums
    monkeypatch.setattr(module, "_sums", lambda *files: dict.fromkeys(sums(*files), "0" * 64))

    with pytest.raises(
        RunError, match="every worker must see the runner's files, but .*crm.duckdb"
    ) as caught:
        run(project.suite, progress=quiet, scheduler=cluster)

    assert caught.value.code == Exit.INPUT_REFUSED
    assert project.published() == {}


def test_without_a_scheduler_the_run_is_refused(tmp_path, monkeypatch):
    """
    The run ends with the code for "try again later".
    """
    monkeypatch.setattr("salesanalysis.report.cluster.CONNECT_SECONDS", 1)
    project = Project(tmp_path)

    with pytest.raises(
        RunError, match="a Dask scheduler must answer at tcp://127.0.0.1:1"
    ) as caught:
        run(project.suite, progress=quiet, scheduler="tcp://127.0.0.1:1")

    assert caught.value.code == Exit.TRY_LATER
