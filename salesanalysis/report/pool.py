"""Several notebooks at a time: the tasks of all dates of a run, as many at once as there are workers."""

import os
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from tqdm import tqdm

from salesanalysis.report import kernels, making
from salesanalysis.report.making import Failed, Made, Task

Tell = Callable[[Made | Failed], None]


def cores() -> int:
    """How many cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


class Job:
    """The tasks of one date at work."""

    def __init__(self, tell: Tell, *, keep_going: bool) -> None:
        self._tell, self.keep_going = tell, keep_going
        self._lock = threading.Lock()
        self._kernels: set[kernels.Kernel] = set()
        self.is_stopped = False
        self.futures: list[Future] = []

    @contextmanager
    def hold(self, kernel: kernels.Kernel) -> Iterator[None]:
        """Know a kernel as long as it lives, so that `stop` can end it."""
        with self._lock:
            self._kernels.add(kernel)
            if self.is_stopped:
                kernel.kill()
        try:
            yield
        finally:
            with self._lock:
                self._kernels.discard(kernel)

    def tell(self, outcome: Made | Failed) -> None:
        """Pass on what was made, or what failed first; failures that `stop` brought about are not told."""
        with self._lock:
            if self.is_stopped:
                return
            self._tell(outcome)
            if isinstance(outcome, Failed) and not self.keep_going:
                self._stop()

    def wait(self) -> None:
        """
        Return when all tasks have ended.

        What a task raises itself, beside the failures it tells, is raised here.
        """
        try:
            done, _rest = wait(self.futures, return_when=FIRST_EXCEPTION)
            for future in done:
                if not future.cancelled():
                    future.result()
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """End every kernel and begin no other task."""
        with self._lock:
            self._stop()

    def _stop(self) -> None:
        self.is_stopped = True
        for future in self.futures:
            future.cancel()
        for kernel in self._kernels:
            kernel.kill()


class Pool:
    """Where jobs are given to; see `local`."""

    def __init__(self, make: Callable[[Task, Job, int], None], threads: ThreadPoolExecutor) -> None:
        self._make, self._threads = make, threads
        self._n_tasks = 0
        self._jobs: list[Job] = []

    def begin(self, tasks: Sequence[Task], tell: Tell, *, keep_going: bool = False) -> Job:
        """Put the tasks of one date behind those that wait already."""
        job = Job(tell, keep_going=keep_going)
        self._jobs.append(job)
        # Those with most pages first, so that no worker is left alone with them at the end.
        for task in sorted(tasks, key=lambda task: -len(task.targets)):
            self._n_tasks += 1
            job.futures.append(self._threads.submit(self._make, task, job, self._n_tasks))
        return job

    def stop(self) -> None:
        """End all jobs."""
        for job in self._jobs:
            job.stop()


@contextmanager
def local(n: int, tasks: Sequence[Task], work: Path) -> Iterator[Pool]:
    """
    Give workers of this machine, which all end with the context.

    Parameters
    ----------
    n : int
        Notebooks run at a time.
    tasks : sequence of Task
        All that will be given; kernels are forked from a process that has imported what they import.
    work : Path
        The private folder of the run.
    """
    shared = work / "shared"
    shared.mkdir()
    notebooks = dict.fromkeys(task.notebook for task in tasks)
    with (
        kernels.warm(notebooks) as warm,
        ThreadPoolExecutor(max_workers=max(1, min(n, len(tasks)))) as threads,
    ):
        pool = Pool(partial(_make, warm=warm, shared=shared, work=work), threads)
        try:
            yield pool
        finally:
            pool.stop()


def _make(
    task: Task, job: Job, number: int, *, warm: kernels.Warm | None, shared: Path, work: Path
) -> None:
    if not job.is_stopped:
        making.make(
            task,
            job.tell,
            work / f"draft-{number}",
            warm=warm,
            shared=shared,
            keep_going=job.keep_going,
            hold=job.hold,
        )


class Progress:
    """A bar of pages on a terminal, and a line for each notebook that is done everywhere."""

    def __init__(self, tasks: Sequence[Task], line: Callable[[str], None]) -> None:
        self._line = line
        self._with_date = len({task.as_of for task in tasks}) > 1
        self._left = {id(task): len(task.targets) for task in tasks}
        self._seconds = dict.fromkeys(self._left, 0.0)
        self._n_warnings = dict.fromkeys(self._left, 0)
        self._n_done, self._n_tasks = 0, len(tasks)
        self._lock = threading.Lock()
        # disable=None: a bar on a terminal only
        self._bar = tqdm(
            total=sum(self._left.values()), unit="page", leave=False, disable=None, file=sys.stderr
        )

    def told(self, outcome: Made | Failed) -> None:
        """Count a page."""
        task = outcome.task
        with self._lock:
            self._bar.update()
            self._left[id(task)] -= 1
            self._seconds[id(task)] += outcome.seconds
            if isinstance(outcome, Failed):
                self._say(f"{self._name(task)} failed")
                return
            self._n_warnings[id(task)] += outcome.entry["n_warnings"]
            if not self._left[id(task)]:
                self._n_done += 1
                n_warnings = self._n_warnings[id(task)]
                warned = f", warnings: {n_warnings}" if n_warnings else ""
                self._say(
                    f"[{self._n_done}/{self._n_tasks}] {self._name(task)}: {self._seconds[id(task)]:.1f} s{warned}"
                )

    def close(self) -> None:
        """Take the bar away."""
        self._bar.close()

    def _name(self, task: Task) -> str:
        date = f"{task.as_of} " if self._with_date else ""
        n_pages = len(task.targets)
        return f"{date}{task.name}, {n_pages} pages" if n_pages > 1 else f"{date}{task.name}"

    def _say(self, text: str) -> None:
        with tqdm.external_write_mode(file=sys.stderr):
            self._line(f"{text}\n")
