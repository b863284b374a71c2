"""R2: whatever ends a run early, its exit code says so, nothing is published, and nothing that it started stays."""

import os
import random
import shlex
import signal
import sys

import pytest
from report.tiny import ANSWER, CELLS, PARAMETERS

from salesanalysis.report.exits import Exit

from .processes import ORDINARY, alive, begin, left_alive, wait_until
from .projects import project

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")

SIGNALS = {"INT": signal.SIGINT, "KILL": signal.SIGKILL, "TERM": signal.SIGTERM}
CODES = {  # (target, signal) -> exit code
    ("runner", "INT"): Exit.INTERRUPTED,
    ("runner", "TERM"): Exit.TERMINATED,
    ("runner", "KILL"): -signal.SIGKILL,
    ("kernel", "INT"): Exit.INTERRUPTED,
    ("kernel", "TERM"): Exit.KERNEL_DIED,
    ("kernel", "KILL"): Exit.KERNEL_DIED,
    ("warm", "KILL"): Exit.KERNEL_DIED,
}
SHORT = {("kernel", "INT"), ("warm", "KILL"), "exit_well", "input"}
"""What is tried once without --full; runners are killed in tests/report/test_kernels.py too."""

CODES |= {("group", name): code for (target, name), code in CODES.items() if target == "runner"}
ENDS = {  # a cell, and the exit code it leads to
    "memory": ("import resource\nresource.setrlimit(resource.RLIMIT_AS, (2**31, 2**31))\nbytearray(2**32)",
               Exit.UNEXPECTED),
    "memory_killed": ("import os, signal\nos.kill(os.getpid(), signal.SIGKILL)", Exit.KERNEL_DIED),
    "exit": ("import sys\nsys.exit(3)", Exit.UNEXPECTED),
    "exit_well": ("import sys\nsys.exit(0)", Exit.UNEXPECTED),
    "input": ("input('go on? ')", Exit.UNEXPECTED),
    "timeout": ("import time\ntime.sleep(300)", Exit.TIMEOUT),
}  # fmt: skip
IMPATIENT = """import functools
import salesanalysis.report.run as module
module.run_days = functools.partial(module.run_days, cell_seconds=2)"""


def sleeping(tiny, told):
    """Both notebooks tell their process id and that of its parent, and sleep."""
    told.mkdir()
    cell = f"import os, time\nopen(f'{told}/{{os.getpid()}}-{{os.getppid()}}', 'w').close()\ntime.sleep(300)"
    for name in ("sales_funnel", "rep_ranking"):
        tiny.notebook(name, (CELLS[0], PARAMETERS, CELLS[2], cell, ANSWER, CELLS[-1]))
    return lambda: [tuple(map(int, path.name.split("-"))) for path in sorted(told.iterdir())]


def publishes_nothing(tiny, mark):
    """Nothing is published, nothing alive; the next run, of notebooks that end, publishes."""
    assert left_alive(mark) == []
    assert tiny.published().keys() <= {"index.html"}
    assert not [path for path in (tiny.root / "reports").glob("2026*") if any(path.iterdir())]


@pytest.mark.parametrize(("target", "name"), sorted(CODES))
def test_a_signal_ends_a_run_and_all_that_it_started(tmp_path, n, record, target, name):
    """
    INT, TERM and KILL to the runner, its group, a kernel, the warm process; kernels forked and, every third time, not.
    """
    full = 5 if target == "warm" else 20
    rounds = n(short=(target, name) in SHORT, full=full) or pytest.skip("only with --full")
    for number in range(rounds):
        is_ordinary = number % 3 == 1 and target != "warm"
        root = tmp_path / str(number)
        tiny = project(root)
        kernels = sleeping(tiny, root / "told")
        run = begin("run", tiny.suite, "--workers", 2, start_new_session=True,
                    patch=ORDINARY if is_ordinary else "")  # fmt: skip
        wait_until(lambda kernels=kernels: len(kernels()) == 2, run)
        assert len(alive(run.mark)) >= 3  # so what is looked for afterwards can be found
        chosen, parent = random.Random(number).choice(kernels())

        match target:
            case "runner":
                run.send_signal(SIGNALS[name])
            case "group":
                os.killpg(run.pid, SIGNALS[name])
            case "kernel":
                os.kill(chosen, SIGNALS[name])
            case "warm":
                os.kill(parent, SIGNALS[name])

        _, said = run.communicate(timeout=60)
        assert run.returncode == CODES[target, name], said.decode()
        publishes_nothing(tiny, run.mark)
    code = CODES[target, name]
    told = f"exit {int(code)}" if code > 0 else "killed"
    record("R2", f"{name} to {target}", rounds, f"{rounds} × {told}; 0 published; 0 alive")


@pytest.mark.parametrize("end", sorted(ENDS))
def test_a_cell_that_does_not_come_to_its_end_ends_the_run(tmp_path, n, record, end):
    """
    No memory, an exit, a question, too long a time: the exit code says so, nothing is published.
    """
    full = 5 if end in ("exit_well", "memory_killed") else 20  # as another case, but for one thing
    rounds = n(short=end in SHORT, full=full) or pytest.skip("only with --full")
    cell, code = ENDS[end]
    for number in range(rounds):
        root = tmp_path / str(number)
        tiny = project(root)
        tiny.notebook("rep_ranking", (*CELLS[:4], cell, CELLS[-1]))
        patches = [
            *([IMPATIENT] if end == "timeout" else []),
            *([ORDINARY] if number % 3 == 1 else []),
        ]

        run = begin("run", tiny.suite, patch="\n".join(patches))
        _, said = run.communicate(timeout=120)

        assert run.returncode == code, said.decode()
        assert b"rep_ranking.ipynb: " in said
        publishes_nothing(tiny, run.mark)
    what = {"memory": "MemoryError", "memory_killed": "killed for want of memory", "exit": "`sys.exit(3)`",
            "exit_well": "`sys.exit(0)`", "input": "`input()`", "timeout": "a cell over its time"}  # fmt: skip
    record("R2", what[end], rounds, f"{rounds} × exit {int(code)}; 0 published; 0 alive")


def test_a_run_in_the_background_of_a_shell_can_be_interrupted(tmp_path, n, record):
    """
    The shell starts it with SIGINT ignored; sent to it, it ends the run all the same.
    """
    rounds = n(short=1, full=20)
    for number in range(rounds):
        root = tmp_path / str(number)
        tiny = project(root)
        kernels = sleeping(tiny, root / "told")
        line = shlex.join(
            [sys.executable, "-m", "salesanalysis", "run", str(tiny.suite), "--workers", "2"]
        )
        shell = f"{line} 2>{root}/said & echo $! >{root}/pid; wait $!; exit $?"
        run = begin(patch=f"import os\nos.execvp('sh', ['sh', '-c', {shell!r}])")
        wait_until(lambda kernels=kernels: len(kernels()) == 2, run)

        os.kill(int((root / "pid").read_text()), signal.SIGINT)

        run.communicate(timeout=60)
        assert run.returncode == Exit.INTERRUPTED, (root / "said").read_text()
        publishes_nothing(tiny, run.mark)
    record("R2", "INT to a run in the background of a shell", rounds,
           f"{rounds} × exit {int(Exit.INTERRUPTED)}; 0 published; 0 alive")  # fmt: skip
