"""
The pages of a run on several machines: the workers of a Dask cluster make them, the runner publishes.

Each worker must see the project, the store and the process file at the runner's paths, and have the
runner's version of this package; that is checked by sums before a worker's first page. So the pages
are the same bytes as on one machine.
"""

import atexit
import contextlib
import platform
import tempfile
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import CancelledError, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from functools import cache, partial
from pathlib import Path
from typing import Any
from uuid import uuid4

from salesanalysis.report import kernels, making
from salesanalysis.report.exits import Exit, RunError
from salesanalysis.report.making import Failed, Made, Task
from salesanalysis.report.pool import Job, Pool

CONNECT_SECONDS = 10
"""A scheduler that has not answered by then is not there."""

_PAGES = 8  # of many readers, so many at a time


@contextmanager
def far(address: str) -> Iterator[Pool]:
    """
    Give the workers of a cluster; the tasks they are at end with the context.

    Parameters
    ----------
    address : str
        Of the scheduler, such as ``tcp://10.0.0.5:8786``.

    Raises
    ------
    RunError
        Code USAGE: the extra is not installed. Code TRY_LATER: no scheduler answers, or it has no
        workers.
    """
    try:
        from distributed import Client
    except ImportError:
        raise RunError(
            "a Dask cluster needs the package distributed, which is not installed; "
            "pip install 'salesanalysis[dask]', or leave --scheduler out",
            Exit.USAGE,
        ) from None
    try:
        client = Client(address, timeout=CONNECT_SECONDS, set_as_default=False)
    except (OSError, ValueError) as error:
        raise RunError(
            f"a Dask scheduler must answer at {address}, but none does ({error}); start one with "
            f"`dask scheduler`, or leave --scheduler out",
            Exit.TRY_LATER,
        ) from error
    with client:
        n = sum(client.nthreads().values())
        if not n:
            raise RunError(
                f"the Dask scheduler at {address} must have workers, but has none; start some with "
                f"`dask worker {address}`",
                Exit.TRY_LATER,
            )
        run = uuid4().hex
        with ThreadPoolExecutor(max_workers=n) as threads:
            pool = Pool(partial(_make, client=client, run=run), threads)
            try:
                yield pool
            finally:
                pool.stop()
                client.run(_end, run)


def split(tasks: Sequence[Task]) -> list[Task]:
    """Cut tasks with many pages, so that several workers can share them."""
    return [
        replace(task, targets=task.targets[begin : begin + _PAGES])
        for task in tasks
        for begin in range(0, len(task.targets), _PAGES)
    ]


class _Remote:
    """What `Job.stop` ends: all kernels of the run on all workers."""

    def __init__(self, future: Any) -> None:
        self._future = future

    def kill(self) -> None:
        """Drop what a worker has not begun; what it has begun ends with `far`."""
        with contextlib.suppress(CancelledError):
            self._future.cancel(force=True)


def _make(task: Task, job: Job, _number: int, *, client: Any, run: str) -> None:
    """Have a task made, and tell what came of it."""
    if job.is_stopped:
        return
    future = client.submit(make_here, task, run, keep_going=job.keep_going, pure=False)
    with job.hold(_Remote(future)):
        try:
            outcomes = future.result()
        except CancelledError:
            return
    for outcome in outcomes:
        job.tell(replace(outcome, task=task))


_HERE: dict[str, set[kernels.Kernel]] = {}
_LOCK = threading.Lock()


def make_here(task: Task, run: str, *, keep_going: bool) -> list[Made | Failed]:
    """
    Make a task's pages; runs in a worker.

    Raises
    ------
    RunError
        Code INPUT_REFUSED: the worker sees other files or has another version than the runner.
    """
    _expect_same(task)
    outcomes: list[Made | Failed] = []
    with tempfile.TemporaryDirectory(prefix="pages-") as work:
        making.make(
            task,
            outcomes.append,
            Path(work) / "draft",
            warm=_warm(task.notebook.parent),
            shared=_shared(run),
            keep_going=keep_going,
            hold=partial(_hold, run),
        )
    return outcomes


@contextmanager
def _hold(run: str, kernel: kernels.Kernel) -> Iterator[None]:
    with _LOCK:
        _HERE.setdefault(run, set()).add(kernel)
    try:
        yield
    finally:
        with _LOCK:
            _HERE.get(run, set()).discard(kernel)


def _end(run: str) -> None:
    """End the kernels of a run that are left in this worker."""
    with _LOCK:
        for kernel in _HERE.pop(run, ()):
            kernel.kill()
    with contextlib.suppress(KeyError):
        _SHARED.pop(run).cleanup()


_SHARED: dict[str, tempfile.TemporaryDirectory] = {}


def _shared(run: str) -> Path:
    with _LOCK:
        if run not in _SHARED:
            _SHARED[run] = tempfile.TemporaryDirectory(prefix="shared-")
        return Path(_SHARED[run].name)


_WARM: dict[Path, kernels.Warm | None] = {}


def _warm(folder: Path) -> kernels.Warm | None:
    """Keep a process that kernels are forked from for a folder of notebooks, as long as the worker lives."""
    with _LOCK:
        if folder not in _WARM:
            until_exit = contextlib.ExitStack()
            atexit.register(until_exit.close)
            _WARM[folder] = until_exit.enter_context(kernels.warm(sorted(folder.glob("*.ipynb"))))
        return _WARM[folder]


def _expect_same(task: Task) -> None:
    files = {task.notebook: task.notebook_sha256}
    for name, path in task.paths.items():
        files[Path(path)] = task.facts["store_sha256" if name == "crm" else f"{name}_sha256"]
    for file, expected in files.items():
        found = _sum(file, *_state(file)) if file.is_file() else "no such file"
        if found != expected:
            raise RunError(
                f"every worker must see the runner's files, but {file} on {platform.node()} is not the runner's "
                f"({found}); mount the same folder there",
                Exit.INPUT_REFUSED,
            )
    if task.code_sha256 != making.code_sha256():
        raise RunError(
            f"every worker must have the runner's version of salesanalysis, but {platform.node()} has another one; "
            f"install the same there and start the worker again",
            Exit.INPUT_REFUSED,
        )


def _state(file: Path) -> tuple[int, int]:
    state = file.stat()
    return state.st_size, state.st_mtime_ns


@cache
def _sum(file: Path, _size: int, _changed: int) -> str:
    return making.sha256(file)
