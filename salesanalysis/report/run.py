"""Make the reports of a suite: run its notebooks, render their pages, publish all or nothing."""

import hashlib
import json
import os
import sys
import time
from collections.abc import Callable, Mapping, Sequence
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
    progress: Callable[[str], None] = to_stderr,
) -> Path:
    """
    Make the reports of a suite file and publish them under their as-of date.

    A notebook runs once, or once for each rep or team that it is for, in one kernel that forgets
    its variables between two pages. Everything is made in a private folder, and nothing is
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
            for number, report in enumerate(chosen, start=1):
                targets = _targets(report, people)
                what = f"[{number}/{len(chosen)}] {report.name} "
                what += f"{len(targets)} pages … " if report.audience in KINDS else "… "
                making = _Making(report, inputs, work, cell_seconds)
                _make(making, targets, pages, what, progress)
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


@dataclass(frozen=True)
class _Making:
    """What all pages of one notebook share."""

    report: settings.Report
    inputs: _Inputs
    work: Path
    cell_seconds: int

    @property
    def draft(self) -> Path:
        return self.work / f"{self.report.name}.ipynb"


Target = tuple[str, dict[str, str]]
"""A folder in that of the date, and the parameters that its page alone has."""


def _targets(report: settings.Report, people: Mapping[str, Sequence[Reader]]) -> list[Target]:
    if report.audience in people:
        return [(reader.folder, {reader.kind: reader.id}) for reader in people[report.audience]]
    return [(LEADERSHIP if report.audience else EVERYONE, {})]


def _make(
    making: _Making,
    targets: Sequence[Target],
    pages: dict[str, list[Page]],
    what: str,
    progress: Callable[[str], None],
) -> None:
    """Run a notebook for each target, and add the pages to those of their folders."""
    folder, began, n_warnings = EVERYONE, time.monotonic(), 0
    progress(what)
    try:
        with kernels.started(making.report.notebook.parent) as kernel:
            for number, (folder, own) in enumerate(targets, start=1):
                made = _page(making, folder, own, kernel)
                site.refuse_taken(pages.get(folder, []), made.entry)
                pages.setdefault(folder, []).append(made)
                n_warnings += made.entry["n_warnings"]
                progress(f"{COUNTER}{what}{number}")
    except execute.FAILURES as error:
        progress(f"{COUNTER}{what}")
        progress("failed\n")
        raise _failed(error, making, folder) from error
    progress(f"{COUNTER}{what}")
    warned = f", warnings: {n_warnings}" if n_warnings else ""
    progress(f"{time.monotonic() - began:.1f} s{warned}\n")


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
