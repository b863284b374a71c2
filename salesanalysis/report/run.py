"""Make the reports of a suite: run its notebooks, render their pages, publish all or nothing."""

import hashlib
import json
import os
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from importlib import metadata
from pathlib import Path
from typing import Any

import nbformat

from salesanalysis.report import execute, index, kernels, page, publish, readers, settings, site
from salesanalysis.report.exits import Exit, RunError
from salesanalysis.report.readers import EVERYONE, KINDS, LEADERSHIP, Reader
from salesanalysis.report.site import Page

CELL_SECONDS = 3600
"""A cell that runs longer is stopped."""

COUNTER = "\r"
"""Progress that begins with it takes the place of its line, so only a terminal shows it."""


def to_stderr(text: str) -> None:
    """Show progress to whoever started the run."""
    if not text.startswith(COUNTER) or sys.stderr.isatty():
        print(text, end="", file=sys.stderr, flush=True)


def run(
    suite_path: str | Path,
    *,
    as_of: str | None = None,
    crm: str | Path | None = None,
    process: str | Path | None = None,
    out: str | Path | None = None,
    only: str | None = None,
    audiences: readers.Audiences | None = None,
    cell_seconds: int = CELL_SECONDS,
    workers: int | None = None,
    progress: Callable[[str], None] = to_stderr,
) -> Path:
    """
    Make the reports of a suite file and publish them under their as-of date.

    A notebook runs once, or once for each rep or team that it is for, in one kernel that forgets
    its variables between two pages; as many notebooks at a time as there are workers. Everything is made in a private folder, and nothing is
    published unless every page ends with its end mark and can be shown. Pages that other suites
    made for the date stay. The same inputs give the same bytes, except for the time of building,
    which ``SOURCE_DATE_EPOCH`` can fix.

    Parameters
    ----------
    suite_path : path
        ``params/<suite>.yaml``; the project is the parent of ``params``.
    as_of : str, optional
        A day, ``today`` or ``last_month_end``, in place of the suite's.
    crm : path, optional
        A store, in place of the suite's.
    process : path, optional
        A process file, in place of the suite's.
    out : path, optional
        Where reports go; ``reports`` in the project if not given.
    only : str, optional
        Run this notebook only, and keep the other pages of the date as they are.
    audiences : callable, optional
        Says who the reps and teams are; needed if a notebook runs for each of them.
    cell_seconds : int
        How long one cell may take.
    workers : int, optional
        Notebooks run at a time; as many as this process may use cores if not given.
    progress : callable
        Receives pieces of text while the run goes on; see `COUNTER`.

    Returns
    -------
    Path
        The page that lists the reports of the date.

    Raises
    ------
    RunError
        Nothing was published; its ``code`` is the exit code.
    """
    suite = settings.read(Path(suite_path), process=Path(process) if process else None)
    now = _now().astimezone(suite.timezone)
    day = settings.day(as_of or suite.as_of, today=now.date()).isoformat()
    store = _store(Path(crm) if crm else suite.crm)
    chosen = _chosen(suite, only)
    inputs = _Inputs(suite, day, store, _process(suite.process), now)
    kinds = [kind for kind in KINDS if any(report.audience == kind for report in chosen)]
    people = readers.read(audiences, kinds, store, day, inputs.process)
    folder = Path(out).resolve() if out else suite.root / "reports"
    dated = folder / day
    with publish.exclusive(folder):
        index.write(folder)
        before = site.manifests(dated)
        pages = _kept(before, dated, inputs, chosen, is_whole=only is None)
        with publish.workspace(folder) as work:
            makings = [
                _Making(report, inputs, work, number, _targets(report, people), cell_seconds)
                for number, report in enumerate(chosen)
            ]
            for made in _make_all(makings, workers or _cores(), progress):
                for folder_of_page, one in made:
                    _refuse_taken(pages.get(folder_of_page, []), one)
                    pages.setdefault(folder_of_page, []).append(one)
            return _publish(pages, before, inputs, people, work / "site", dated)


@dataclass(frozen=True)
class _Inputs:
    """What all notebooks of a run share."""

    suite: settings.Suite
    as_of: str
    store: Path
    process: Path | None
    now: datetime

    @property
    def built_at(self) -> str:
        return f"{self.now.isoformat(sep=' ', timespec='minutes')} {self.suite.timezone.key}"

    @cached_property
    def hashes(self) -> dict[str, str]:
        """Sums of the files that every notebook may read."""
        files = {"store": self.store, "process": self.process}
        return {f"{name}_sha256": site.sha256(file) for name, file in files.items() if file}

    def shown(self, path: Path, notebook: Path) -> str:
        """Name a file as a notebook of the project does, without the folders of this machine."""
        if path.is_relative_to(self.suite.root):
            return Path(os.path.relpath(path, notebook.parent)).as_posix()
        return path.name

    def facts(self, pages: site.Pages) -> dict[str, Any]:
        """Say of the suite what ``run.json`` holds; the run is named by what went into it."""
        suite_sha256 = site.sha256(self.suite.path)
        entries = [
            (folder, entry["name"], entry["notebook_sha256"], entry["parameters"])
            for folder in sorted(pages)
            for entry, _notebook in pages[folder]
            if entry["suite"] == self.suite.path.name
        ]
        known = [self.as_of, suite_sha256, self.hashes, _version(), entries]
        return {
            "suite": self.suite.path.name,
            "title": self.suite.title,
            "suite_sha256": suite_sha256,
            **self.hashes,
            "built_at": self.built_at,
            "version": _version(),
            "run": hashlib.sha256(json.dumps(known, sort_keys=True).encode()).hexdigest()[:16],
        }


Target = tuple[str, dict[str, str]]
"""A folder in that of the date, and the parameters that its page alone has."""


@dataclass(frozen=True)
class _Making:
    """What all pages of one notebook share."""

    report: settings.Report
    inputs: _Inputs
    work: Path
    number: int
    targets: Sequence[Target]
    cell_seconds: int

    @property
    def draft(self) -> Path:
        return self.work / f"draft-{self.number}" / f"{self.report.name}.ipynb"


def _targets(report: settings.Report, people: Mapping[str, Sequence[Reader]]) -> list[Target]:
    if report.audience in people:
        return [(reader.folder, {reader.kind: reader.id}) for reader in people[report.audience]]
    return [(LEADERSHIP if report.audience else EVERYONE, {})]


Made = list[tuple[str, Page]]
"""Pages of one notebook, each with the name of its folder."""


def _cores() -> int:
    """How many cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _make_all(
    makings: Sequence[_Making], workers: int, progress: Callable[[str], None]
) -> list[Made]:
    """
    Run the notebooks, several at a time, and give their pages in the order of the suite.

    At the first failure, or when the run is told to end, every kernel is ended and the rest is not begun.
    """
    desk = _Desk(sum(len(making.targets) for making in makings), len(makings), progress)
    with (
        kernels.warm(making.report.notebook for making in makings) as warm,
        ThreadPoolExecutor(max_workers=max(1, min(workers, len(makings)))) as pool,
    ):
        futures = [pool.submit(_make, making, warm, desk) for making in makings]
        try:
            wait(futures, return_when=FIRST_EXCEPTION)
        finally:
            for future in futures:
                future.cancel()
            if not all(map(_is_well, futures)):
                desk.stop()
    if failed := next((future for future in futures if not _is_well(future)), None):
        desk.raise_first(failed)
    return [future.result() for future in futures]


def _is_well(future: Future) -> bool:
    return future.done() and not future.cancelled() and future.exception() is None


class _Desk:
    """Where the notebooks at work report: progress, kernels to end, and what failed first."""

    def __init__(self, n_pages: int, n_notebooks: int, progress: Callable[[str], None]) -> None:
        self._lock = threading.Lock()
        self._n_pages, self._n_made = n_pages, 0
        self._n_notebooks, self._n_done = n_notebooks, 0
        self._progress = progress
        self._kernels: set[kernels.Kernel] = set()
        self._is_stopped = False
        self._first: BaseException | None = None

    def begin(self, kernel: kernels.Kernel) -> None:
        with self._lock:
            self._kernels.add(kernel)
            if self._is_stopped:
                kernel.kill()

    def end(self, kernel: kernels.Kernel) -> None:
        with self._lock:
            self._kernels.discard(kernel)

    def made(self, name: str) -> None:
        with self._lock:
            self._n_made += 1
            self._progress(f"{COUNTER}{self._n_made}/{self._n_pages} pages, {name} …")

    def done(self, what: str) -> None:
        with self._lock:
            self._n_done += 1
            self._progress(f"{COUNTER}")
            self._progress(f"[{self._n_done}/{self._n_notebooks}] {what}\n")

    def failed(self, what: str, error: BaseException) -> None:
        with self._lock:
            if self._first is None and not self._is_stopped:
                self._first = error
                self._progress(f"{COUNTER}")
                self._progress(f"{what} failed\n")

    def stop(self) -> None:
        """End every kernel; what waits for one of them fails."""
        with self._lock:
            self._is_stopped = True
            for kernel in self._kernels:
                kernel.kill()

    def raise_first(self, failed: Future) -> None:
        """Raise what failed first; what was ended because of it is not told."""
        if self._first is not None:
            raise self._first
        failed.result()


def _make(making: _Making, warm: kernels.Warm | None, desk: _Desk) -> Made:
    """Run a notebook for each target."""
    folder, began, made = EVERYONE, time.monotonic(), []
    name, draft = making.report.name, making.draft
    what = f"{name}, {len(making.targets)} pages" if making.report.audience in KINDS else name
    draft.parent.mkdir()
    try:
        with kernels.started(making.report.notebook.parent, warm) as kernel:
            desk.begin(kernel)
            try:
                for folder, own in making.targets:
                    made.append((folder, _page(making, folder, own, kernel)))
                    desk.made(name)
            finally:
                desk.end(kernel)
    except execute.FAILURES as error:
        failure = _failed(error, making, folder)
        desk.failed(what, failure)
        raise failure from error
    n_warnings = sum(one.entry["n_warnings"] for _folder, one in made)
    warned = f", warnings: {n_warnings}" if n_warnings else ""
    desk.done(f"{what}: {time.monotonic() - began:.1f} s{warned}")
    return made


def _refuse_taken(pages: Sequence[Page], made: Page) -> None:
    try:
        site.refuse_taken(pages, made.entry)
    except ValueError as error:
        raise RunError(
            f"{made.entry['name']}.ipynb: {error}; nothing was published", Exit.UNEXPECTED
        ) from error


def _page(making: _Making, folder: str, own: Mapping[str, str], kernel: kernels.Kernel) -> Page:
    report, inputs = making.report, making.inputs
    given = {"crm": inputs.store}
    if report.takes_process and inputs.process:
        given[settings.PROCESS] = inputs.process
    paths = {name: path.as_posix() for name, path in given.items()}
    shown = {name: inputs.shown(path, report.notebook) for name, path in given.items()}
    parameters = {**report.parameters, **own, "as_of": inputs.as_of}
    making.draft.unlink(missing_ok=True)
    executed = execute.execute(
        report.notebook,
        making.draft,
        parameters=parameters | paths,
        cell_seconds=making.cell_seconds,
        kernel=kernel,
    )
    entry = page.facts(executed) | {
        "name": report.name,
        "status": "published",
        **({"for": report.audience} if report.audience else {}),
        "suite": inputs.suite.path.name,
        **inputs.hashes,
        "built_at": inputs.built_at,
        "version": _version(),
        "notebook_sha256": site.sha256(report.notebook),
        "parameters": parameters | shown,
    }
    portable = execute.portable(executed, {paths[name]: shown[name] for name in paths}, own)
    notebook = making.work / "site" / folder / f"{report.name}.ipynb"
    notebook.parent.mkdir(parents=True, exist_ok=True)
    notebook.write_bytes((nbformat.writes(portable) + "\n").encode("utf-8"))
    return Page(entry, notebook)


def _failed(error: BaseException, making: _Making, folder: str) -> RunError:
    message, code = execute.reason(error, making.draft)
    if making.draft.exists():
        out = making.work.parent
        kept = publish.keep_failed(out, making.draft, as_of=making.inputs.as_of)
        message += f"; the notebook as far as it ran is {kept}"
    whose = "" if folder == EVERYONE else f", page in {folder}"
    return RunError(f"{making.report.notebook.name}{whose}: {message}; nothing was published", code)


def _kept(
    before: site.Manifests,
    dated: Path,
    inputs: _Inputs,
    chosen: Sequence[settings.Report],
    *,
    is_whole: bool,
) -> dict[str, list[Page]]:
    """Give the published pages that stay beside those that will be made, or refuse to mix them."""
    suite = inputs.suite.path.name
    dropped = None if is_whole else [report.name for report in chosen]
    pages = site.kept(before, dated, suite=suite, dropped=dropped)
    entries = [entry for those in pages.values() for entry, _notebook in those]
    for report in chosen:
        for entry in entries:
            if (entry["name"], entry.get("for")) == (report.name, report.audience):
                raise RunError(
                    f"a notebook must belong to one suite of a date, but {report.name} of "
                    f"{inputs.as_of} in {dated.parent} is a page of {entry['suite']} already; take it "
                    f"out of one of the two suites, give another --out, or remove that folder if the "
                    f"suite is no more",
                    Exit.USAGE,
                )
    for entry in entries:
        hashes = {name: entry[name] for name in ("store_sha256", "process_sha256") if name in entry}
        if entry["suite"] == suite and hashes != inputs.hashes:
            raise RunError(
                f"the other pages of {suite} of {inputs.as_of} in {dated.parent} must be of the same "
                "store and process file, but they were made from others or before one of them was changed "
                "or loaded again; run the whole suite, or give another --out",
                Exit.USAGE,
            )
    if any(report.audience in KINDS for report in chosen):
        site.expect_key(before, pages)
    return pages


def _publish(
    pages: dict[str, list[Page]],
    before: site.Manifests,
    inputs: _Inputs,
    people: Mapping[str, Sequence[Reader]],
    new: Path,
    dated: Path,
) -> Path:
    name = inputs.suite.path.name
    order: dict[str, int] = {}
    for number, report in enumerate(inputs.suite.reports):
        order.setdefault(report.name, number)  # a notebook may come again for other readers

    def place(made: Page) -> tuple[str, int]:
        is_own = made.entry["suite"] == name
        return made.entry["suite"], order.get(made.entry["name"], len(order)) if is_own else 0

    pages = {folder: sorted(those, key=place) for folder, those in sorted(pages.items())}
    facts = inputs.facts(pages)
    known = before.get(EVERYONE, {}).get("suites", [])
    others = [suite for suite in known if suite["suite"] != name]
    try:
        site.write(
            new,
            dated,
            before=before,
            pages=pages,
            run={"as_of": inputs.as_of, **facts},
            suites=sorted([facts, *others], key=lambda suite: suite["suite"]),
            readers=[reader for those in people.values() for reader in those],
        )
        publish.swap(new, dated)
        index.write(dated.parent)
    except OSError as error:
        raise RunError(
            f"publishing to {dated.parent} failed: {error.strerror}; the last good reports are kept",
            Exit.NOT_PUBLISHED,
        ) from error
    return dated / "index.html"


def _chosen(suite: settings.Suite, only: str | None) -> list[settings.Report]:
    names = [report.name for report in suite.reports]
    if only is not None and only not in names:
        raise RunError(
            f"only must be one of the suite's notebooks ({', '.join(names)}), but is {only}",
            Exit.USAGE,
        )
    return [report for report in suite.reports if only in (None, report.name)]


def _store(path: Path) -> Path:
    if not path.is_file():
        raise RunError(
            f"there is no store at {path}; make one with salesanalysis load, "
            f"or name another with --crm",
            Exit.INPUT_REFUSED,
        )
    return path.resolve()


def _process(path: Path | None) -> Path | None:
    if path is not None and not path.is_file():
        raise RunError(
            f"there is no process file at {path}; correct process in the suite, "
            f"or name another with --process",
            Exit.USAGE,
        )
    return path and path.resolve()


def _now() -> datetime:
    fixed = os.environ.get("SOURCE_DATE_EPOCH")
    return datetime.fromtimestamp(int(fixed), UTC) if fixed else datetime.now(UTC)


def _version() -> str:
    return metadata.version("salesanalysis")
