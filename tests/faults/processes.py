"""Runs as a scheduler starts them, and what is left of them afterwards."""

import os
import subprocess
import sys
import time
import uuid
from contextlib import suppress
from pathlib import Path

from export import ROOT

MARK = "SALESANALYSIS_FAULT_RUN"
GRACE_SECONDS = 10
"""Nothing that a run started may be alive after it."""


def begin(*arguments, patch: str = "", **options) -> subprocess.Popen:
    """
    Start the command line in a process; everything that it starts can be found by its mark.

    A patch is Python that the process runs before.
    """
    line = (
        ["-c", f"{patch}\nfrom salesanalysis import cli\ncli.main()"]
        if patch
        else ["-m", "salesanalysis"]
    )
    # ipykernel behaves otherwise if it thinks that pytest runs it.
    outside = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    environment = outside | options.pop("env", {}) | {MARK: uuid.uuid4().hex}
    begun = subprocess.Popen(
        [sys.executable, *line, *map(str, arguments)],
        cwd=ROOT,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        **options,
    )
    begun.mark = environment[MARK]
    return begun


def done(*arguments, **options) -> subprocess.CompletedProcess:
    """Run the command line to its end."""
    begun = begin(*arguments, **options)
    out, err = begun.communicate(timeout=300)
    return subprocess.CompletedProcess(begun.args, begun.returncode, out, err)


ORDINARY = """from contextlib import nullcontext
from salesanalysis.report import kernels
kernels.warm = lambda notebooks: nullcontext()"""
"""A patch: kernels are started, not forked, as where no process can be forked."""


def alive(mark: str) -> list[int]:
    """Process ids of everything with the mark in its first environment, but no zombies."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            is_of_run = f"{MARK}={mark}".encode() in (folder / "environ").read_bytes()
            if is_of_run and (folder / "stat").read_text().rpartition(")")[2].split()[0] != "Z":
                found.append(int(folder.name))
    return found


def left_alive(mark: str) -> list[int]:
    """What is alive after the time that it has to end."""
    began = time.monotonic()
    while (found := alive(mark)) and time.monotonic() - began < GRACE_SECONDS:
        time.sleep(0.05)
    return found


def wait_until(is_so, run: subprocess.Popen, seconds: float = 60) -> None:
    """Wait for something that a run does; fail if it does not come."""
    began = time.monotonic()
    while not is_so():
        assert run.poll() is None, run.communicate()[1].decode()
        assert time.monotonic() - began < seconds, "waited too long"
        time.sleep(0.01)
