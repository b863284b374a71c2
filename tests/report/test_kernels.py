"""Kernels forked from a warm process: the same results as ordinary ones, and none that outlives its run."""

import os
import signal
import subprocess
import sys
import time
from contextlib import nullcontext

import pytest
from export import ROOT

from salesanalysis.report import kernels
from salesanalysis.report.exits import Exit, RunError
from salesanalysis.report.run import run

from .tiny import ANSWER, CELLS, PARAMETERS, Project, make_notebook

EPOCH = "1783000000"
CAN_FORK = hasattr(os, "fork") and sys.platform != "darwin"
needs_fork = pytest.mark.skipif(not CAN_FORK, reason="this system cannot fork a warm process")
WORK = """import os
import numpy as np, numpy.random
html.paragraphs(f"{hash('x')} {os.getcwd()[-9:]} {np.random.rand()} {np.ones(9).dot(np.arange(9.0))}")"""


def quiet(text):
    """Drop progress."""


def seconds_until(is_so, limit):
    """How long it takes until something is so; fails after the limit."""
    began = time.monotonic()
    while not is_so():
        assert time.monotonic() - began < limit
        time.sleep(0.05)
    return time.monotonic() - began


def is_alive(pid):
    """Whether a process is there."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


@needs_fork
@pytest.mark.parametrize("workers", [1, 2])
def test_forked_and_ordinary_kernels_give_the_same_bytes(tmp_path, monkeypatch, workers):
    """
    Pages, executed notebooks and manifests are equal, whether kernels are forked or started, one or two at a time.
    """
    monkeypatch.setenv("SOURCE_DATE_EPOCH", EPOCH)
    project = Project(tmp_path)
    seeded = WORK.replace("np.random.rand()", "np.random.default_rng(1).random()")
    project.notebook("sales_funnel", (*CELLS[:3], ANSWER, seeded, CELLS[-1]))

    run(project.suite, progress=quiet, workers=workers)
    forked = project.published()
    monkeypatch.setattr(kernels, "warm", lambda notebooks: nullcontext())
    run(project.suite, progress=quiet, workers=1)

    assert project.published() == forked


@needs_fork
def test_the_warm_process_has_imported_what_the_notebooks_import(tmp_path):
    """
    A module that only one notebook imports is loaded before its kernel begins, and the process has one thread.
    """
    project = Project(tmp_path)
    project.notebook(
        "sales_funnel",
        (*CELLS[:2], "import wave\nfrom salesanalysis.present import html, svg", *CELLS[3:]),
    )
    notebooks = sorted((tmp_path / "notebooks").glob("*.ipynb"))

    assert kernels.imported(notebooks) == [
        *(
            "salesanalysis.present",
            "salesanalysis.present.html",
            "wave",
            "salesanalysis.present.svg",
        )
    ]
    with kernels.warm(notebooks) as warm:
        assert warm.is_able
        with kernels.started(tmp_path, warm) as kernel:
            assert kernel.provisioner.pid != warm._process.pid
            assert isinstance(kernel.provisioner, kernels.Forked)
            pid = kernel.provisioner.pid
        seconds_until(lambda: not is_alive(pid), 10)


@needs_fork
def test_random_numbers_of_two_forks_differ(tmp_path):
    """
    What a notebook leaves to chance is not the same chance in every kernel.
    """
    from salesanalysis.report import execute

    notebook = tmp_path / "draw.ipynb"
    import nbformat

    nbformat.write(make_notebook((*CELLS[:3], ANSWER, WORK, CELLS[-1])), notebook)
    drawn = set()
    with kernels.warm([notebook]) as warm:
        for _ in range(2):
            with kernels.started(tmp_path, warm) as kernel:
                done = execute.execute(
                    notebook,
                    tmp_path / "draft.ipynb",
                    parameters={},
                    cell_seconds=60,
                    kernel=kernel,
                )
            drawn.add(done.cells[-2].outputs[0].data["text/plain"].split()[2])

    assert len(drawn) == 2


@needs_fork
def test_without_the_warm_process_kernels_are_started(tmp_path, monkeypatch):
    """
    A warm process that cannot serve is no reason not to make the reports.
    """
    project = Project(tmp_path)
    monkeypatch.setattr(kernels.Warm, "is_able", False)

    assert run(project.suite, progress=quiet).is_file()


@pytest.mark.parametrize("is_warm", [False, pytest.param(True, marks=needs_fork)])
def test_a_failure_ends_the_notebooks_beside_it(tmp_path, monkeypatch, is_warm):
    """
    The run does not wait for a long cell of another notebook, and tells of the failure, not of what it ended.
    """
    project = Project(tmp_path)
    project.notebook(
        "sales_funnel", (*CELLS[:3], "import time; time.sleep(300)", ANSWER, CELLS[-1])
    )
    project.notebook("rep_ranking", (*CELLS[:3], "raise ValueError('no rows')", ANSWER, CELLS[-1]))
    if not is_warm:
        monkeypatch.setattr(kernels, "warm", lambda notebooks: nullcontext())
    told, began = [], time.monotonic()

    with pytest.raises(
        RunError, match="rep_ranking.ipynb: cell 4 failed with ValueError: no rows"
    ) as caught:
        run(project.suite, progress=told.append, workers=2)

    assert time.monotonic() - began < 60
    assert caught.value.code == Exit.UNEXPECTED
    assert "sales_funnel failed\n" not in told and "rep_ranking failed\n" in told
    assert project.published() == {}


@pytest.mark.skipif(os.name != "posix", reason="sends signals")
@pytest.mark.parametrize(
    ("sent", "code"),
    [(signal.SIGKILL, -9), (signal.SIGTERM, Exit.TERMINATED), (signal.SIGINT, Exit.INTERRUPTED)],
    ids=["KILL", "TERM", "INT"],
)
def test_no_kernel_outlives_its_run(tmp_path, sent, code):
    """
    However the run ends, its kernels end within ten seconds, and nothing is published.
    """
    project = Project(tmp_path)
    project.load()
    told = tmp_path / "pids"
    told.mkdir()
    cell = f"import os, time\nopen(f'{told}/{{os.getpid()}}', 'w').close()\ntime.sleep(300)"
    for name in ("sales_funnel", "rep_ranking"):
        project.notebook(name, (CELLS[0], PARAMETERS, CELLS[2], cell, ANSWER, CELLS[-1]))
    runner = subprocess.Popen(
        [sys.executable, "-m", "salesanalysis", "run", str(project.suite), "--workers", "2"],
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    seconds_until(lambda: len(list(told.iterdir())) == 2, 60)
    pids = [int(path.name) for path in told.iterdir()]

    runner.send_signal(sent)

    assert runner.wait(timeout=30) == code
    assert seconds_until(lambda: not any(map(is_alive, pids)), 10) < 10
    assert project.published().keys() <= {"index.html"}
