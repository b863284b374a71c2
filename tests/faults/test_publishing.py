"""
R1, R4 and R5: publishing that is killed, refused by the disk, or begun twice.

What is done and judged is in publisher.py: a warm process makes a child for each round, breaks it, and looks at what is
on the disk before and after the next run. Nothing is simulated but the kernels, whose notebooks are ready, and, in one
of the tests, the disk's answer.
"""

import json
import os
import subprocess
import sys
import time
from collections import Counter

import pytest
from export import ROOT
from report.conftest import no_kernel  # noqa: F401 - a fixture
from report.tiny import CELLS, PARAMETERS, Project

from salesanalysis.report import publish
from salesanalysis.report.exits import Exit, RunError
from salesanalysis.report.run import run

from .processes import begin
from .sets import complaints

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="forks its children")

PHASES = ["nothing done", "writing", "laying", "sets or manifests", "indexes", "sweeping"]
"""Where a kill can come that leaves something to heal, in the order of publishing."""


def rounds_of(*arguments):
    """Everything that the warm process tells of its rounds; nothing may be wrong."""
    done = subprocess.run(
        [sys.executable, "-m", "faults.publisher", *map(str, arguments)],
        cwd=ROOT / "tests", capture_output=True, text=True, check=False,
        env=os.environ | {"PYTHONPATH": str(ROOT / "tests")},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    told = [json.loads(line) for line in done.stdout.splitlines()]
    assert [one for one in told if one["wrong"]] == []
    return told


def spread(told):
    """Count rounds by how far publishing had come."""
    counts = Counter(one["phase"] for one in told)
    return ", ".join(f"{counts.pop(phase)} {phase}" for phase in PHASES if phase in counts) + (
        f", {counts.total()} later" if counts else ""
    )


def is_root_on_linux():
    """Whether a small disk can be mounted."""
    return sys.platform == "linux" and os.geteuid() == 0 and _can_mount()


def _can_mount():
    made = subprocess.run(["unshare", "--mount", "true"], capture_output=True, check=False)
    return made.returncode == 0


def test_a_kill_at_a_random_moment_leaves_whole_sets(n, record):
    """
    Two suites, readers' folders that come and go, new dates, dates that are removed: each folder shows the old set or
    the new one, every link leads to a file, and after the next run all is new and nothing is left over.
    """
    told = rounds_of("kills", n(short=30, full=1000), 20260630)

    steps = {(one["step"], one["of"]) for one in told}
    found = Counter(one["phase"] for one in told)
    assert len(steps) > len(told) / 2 and len(found) >= 5
    if len(told) > 500:
        assert min(found[phase] for phase in PHASES) >= 5
    record("R1", "kill -9 at random moments of publishing", len(told),
           f"0 half, 0 mixed, {len(told)} × healed; {len(steps)} different moments: {spread(told)}")  # fmt: skip


def test_a_kill_before_each_step_leaves_whole_sets(n, record):
    """
    Each rename, new folder, opened file and flush of one publication of a whole date is the last thing that is done.
    """
    told = rounds_of("kill_each", n(short=31, full=1))

    assert {one["phase"] for one in told} >= {"writing", "laying", "sweeping"}
    record("R1", f"kill -9 before each of the {told[0]['of']} steps of a publication", len(told),
           f"0 half, 0 mixed, {len(told)} × healed: {spread(told)}")  # fmt: skip


def test_a_disk_that_refuses_a_step_damages_nothing(n, record):
    """
    One error, full, over quota, read-only, from each step on: exit 6, the last good reports, and the next run heals.
    """
    told = rounds_of("refuse_each", n(short=61, full=2))

    by_code = Counter(one["code"] for one in told)
    assert set(by_code) <= {0, 6} and by_code[6] > len(told) / 2
    assert {one["phase"] for one in told if one["code"] == 6} >= {
        "nothing done",
        "writing",
        "laying",
    }
    record("R4", "error, disk full, quota, read-only, injected at each second step", len(told),
           f"0 damaged; {by_code[6]} × exit 6, {by_code[0]} × published whole all the same")  # fmt: skip


@pytest.mark.skipif(not is_root_on_linux(), reason="mounts a small disk, which only root may")
def test_a_disk_that_is_full_damages_nothing(n, record, tmp_path):
    """
    Real disks with so many KB or files left, a limit of the size of files, a disk that is read-only.
    """
    (tmp_path / "disk").mkdir()

    told = rounds_of("full_disks", n(short=24, full=2), tmp_path / "disk")

    by_kind = Counter(one["why"] for one in told)
    assert set(by_kind) == {"KB", "files", "bytes a file", "read-only"}
    n_refused = sum(one["code"] == 6 for one in told)
    assert n_refused > len(told) / 3
    counts = ", ".join(f"{count} × {kind}" for kind, count in by_kind.items())
    record(
        "R4",
        f"real small disks ({counts})",
        len(told),
        f"0 damaged; {n_refused} × exit 6, the others had room",
    )


@pytest.mark.skipif(not is_root_on_linux(), reason="mounts a small disk, which only root may")
@pytest.mark.parametrize("room", [0, 40, 80])
def test_a_run_on_a_disk_that_is_full_exits_6(tmp_path, no_kernel, room):  # noqa: F811
    """
    Whatever part of a run finds no room, its exit code says so, and the reports of before are there.
    """
    project = Project(tmp_path)
    out = tmp_path / "reports"
    out.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", out], check=True)
    try:
        run(project.suite, progress=lambda text: None)
        before = project.published()
        (out / ".filler").write_bytes(
            bytes((os.statvfs(out).f_bavail * os.statvfs(out).f_frsize) - room * 1024)
        )
        project.notebook("rep_ranking", (*CELLS[:1], PARAMETERS + f"\n# {'x' * 9000}", *CELLS[2:]))

        with pytest.raises(RunError, match="No space left on device") as caught:
            run(project.suite, progress=lambda text: None)

        assert caught.value.code == Exit.NOT_PUBLISHED
        assert project.published() == before
        (out / ".filler").unlink()
        assert publish.check(run(project.suite, progress=lambda text: None).parent) == []
    finally:
        subprocess.run(["umount", out], check=True)


def test_two_at_once_and_one_after_a_kill(n, record):
    """
    One holds the lock and the other exits 5; after kill -9 of the one that holds it, the next run begins at once.
    """
    told = rounds_of("locks", n(short=6, full=100))

    n_killed = sum(one["killed"] for one in told)
    record("R5", "two at once on one folder; every second holder is killed", len(told),
           f"{len(told)} × one wins, the other exits 5; {n_killed} × free after kill -9")  # fmt: skip


def test_two_runs_of_the_command_line_at_once(tmp_path, n, record):
    """
    The second ends with exit code 5 while the first is at work, and the first publishes.
    """
    rounds = n(short=1, full=10)
    for number in range(rounds):
        root = tmp_path / str(number)
        root.mkdir()
        project = Project(root)
        project.load()
        wait = f"import pathlib, time\nwhile not pathlib.Path('{root}/go').exists():\n    time.sleep(0.05)"
        project.notebook("sales_funnel", (*CELLS[:3], wait, *CELLS[3:]))
        runs = [begin("run", project.suite) for _ in range(2)]
        began = time.monotonic()
        while not (ended := [one for one in runs if one.poll() is not None]):
            assert time.monotonic() - began < 60, "both run"
            time.sleep(0.01)
        [loser] = ended
        _, said = loser.communicate()
        assert loser.returncode == Exit.LOCKED, said.decode()
        assert "another run is making reports" in said.decode()

        (root / "go").touch()

        [winner] = [one for one in runs if one is not loser]
        _, said = winner.communicate(timeout=60)
        assert winner.returncode == Exit.PUBLISHED, said.decode()
        assert complaints(root / "reports") == []
    record(
        "R5",
        "two runs of the command line at once",
        rounds,
        f"{rounds} × one publishes, the other exits 5",
    )
