"""Make the pages of one notebook in one kernel; what is made, and what fails, is told page by page."""

import hashlib
import time
from collections import deque
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import nbformat

from salesanalysis.report import execute, kernels, page
from salesanalysis.report.exits import Exit

_CODE = (".py", ".jinja", ".j2", ".css", ".json")

Target = tuple[str, Mapping[str, str]]
"""A folder in that of the date, and the parameters that its page alone has."""


@dataclass(frozen=True)
class Task:
    """
    One notebook of one date, with all its targets: what a worker must know, here or on another machine.

    ``parameters`` are those of all its pages; ``paths`` are parameters too, but ``shown`` stands in
    their place in what is published; ``facts`` go into the entry of each page.
    """

    notebook: Path
    notebook_sha256: str
    as_of: str
    audience: str | None
    parameters: Mapping[str, Any]
    paths: Mapping[str, str]
    shown: Mapping[str, str]
    targets: tuple[Target, ...]
    facts: Mapping[str, Any]
    code_sha256: str
    cell_seconds: int

    @property
    def name(self) -> str:
        """Of the notebook and its pages."""
        return self.notebook.stem

    def published_parameters(self, own: Mapping[str, str]) -> dict[str, Any]:
        """Give the parameters of a target's page as a reader may see them."""
        return {**self.parameters, **own, **self.shown}


@dataclass(frozen=True)
class Made:
    """A page's entry in the manifest, and its executed notebook."""

    task: Task
    folder: str
    entry: dict[str, Any]
    notebook: bytes
    seconds: float
    n_retries: int  # of the start of its kernel


@dataclass(frozen=True)
class Failed:
    """Why a page could not be made, and its notebook as far as it ran."""

    task: Task
    folder: str
    reason: str
    code: Exit
    draft: bytes | None
    seconds: float


def make(
    task: Task,
    tell: Callable[[Made | Failed], None],
    work: Path,
    *,
    warm: kernels.Warm | None = None,
    shared: Path | None = None,
    keep_going: bool = False,
    hold: Callable[[kernels.Kernel], AbstractContextManager] = nullcontext,
) -> None:
    """
    Make a task's pages, one after the other.

    Parameters
    ----------
    task : Task
        What to make.
    tell : callable
        Receives each page made, and each that failed.
    work : Path
        A private folder that is not there yet.
    warm : Warm, optional
        What kernels are forked from.
    shared : Path, optional
        Where the kernels of a run keep what several of them need.
    keep_going : bool
        Go on after a page that failed, in a new kernel.
    hold : callable
        Gives a context in which each kernel lives.
    """
    work.mkdir(parents=True)
    draft = work / f"{task.name}.ipynb"
    targets = deque(task.targets)
    while targets:
        failed = _in_one_kernel(task, targets, tell, draft, warm, shared, hold)
        if failed and not keep_going:
            return


def _in_one_kernel(
    task: Task,
    targets: deque[Target],
    tell: Callable[[Made | Failed], None],
    draft: Path,
    warm: kernels.Warm | None,
    shared: Path | None,
    hold: Callable[[kernels.Kernel], AbstractContextManager],
) -> bool:
    """Make pages until all are made or one fails; say whether one did."""
    began, folder = time.monotonic(), targets[0][0]
    draft.unlink(missing_ok=True)
    try:
        with kernels.started(task.notebook.parent, warm, shared=shared) as kernel, hold(kernel):
            while targets:
                began = time.monotonic()
                folder, own = targets[0]
                draft.unlink(missing_ok=True)
                entry, notebook = _page(task, own, draft, kernel)
                targets.popleft()
                tell(
                    Made(task, folder, entry, notebook, time.monotonic() - began, kernel.n_retries)
                )
                kernel.n_retries = 0
    except execute.FAILURES as error:
        targets.popleft()
        reason, code = execute.reason(error, draft)
        left = draft.read_bytes() if draft.exists() else None
        tell(Failed(task, folder, reason, code, left, time.monotonic() - began))
        return True
    return False


def _page(
    task: Task, own: Mapping[str, str], draft: Path, kernel: kernels.Kernel
) -> tuple[dict[str, Any], bytes]:
    executed = execute.execute(
        task.notebook,
        draft,
        parameters={**task.parameters, **own, **task.paths},
        cell_seconds=task.cell_seconds,
        kernel=kernel,
    )
    entry = page.facts(executed) | {
        "name": task.name,
        "status": "published",
        **({"for": task.audience} if task.audience else {}),
        **task.facts,
        "notebook_sha256": task.notebook_sha256,
        "parameters": task.published_parameters(own),
    }
    replaced = {task.paths[name]: task.shown[name] for name in task.paths}
    portable = execute.portable(executed, replaced, own)
    return entry, (nbformat.writes(portable) + "\n").encode("utf-8")


@cache
def code_sha256() -> str:
    """Sum up the package that makes the pages."""
    package = Path(__file__).parents[1]
    files = sorted(file for file in package.rglob("*") if file.suffix in _CODE and file.is_file())
    named = [(file.relative_to(package).as_posix(), sha256(file)) for file in files]
    return hashlib.sha256(repr(named).encode()).hexdigest()


def sha256(path: Path) -> str:
    """Sum up a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
