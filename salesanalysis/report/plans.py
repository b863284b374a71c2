"""What each date of a run shall hold: which pages, made of what, for whom, beside which that stay."""

import hashlib
import json
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any

from salesanalysis.report import (
    dates,
    freshness,
    ledger,
    making,
    publish,
    readers,
    redact,
    settings,
    site,
)
from salesanalysis.report.exits import Exit, RunError
from salesanalysis.report.making import Failed, Task
from salesanalysis.report.readers import EVERYONE, KINDS, LEADERSHIP, Reader
from salesanalysis.report.site import Page

Look = Callable[[Path, date], Mapping[str, Any]]
"""
Says what a store holds: takes the store and the as-of date, gives ``days`` (as `freshness.allowed` takes),
``source``, ``extracted_on`` and ``first_on`` (as `freshness.outside` takes), ``tables`` (for each of them ``n_in``,
``n_accepted``, ``n_quarantined``, ``n_refused``) and whatever else the book of the run shall hold.
"""


_LONGEST_PATH = 200  # of a file named by a parameter; what is longer is text


@dataclass
class Done:
    """
    How one date ended.

    ``index`` is the page that lists its reports, or None; ``error`` says why there is none, or which
    pages are missing.
    """

    as_of: str
    index: Path | None = None
    error: RunError | None = None
    is_unchanged: bool = False


@dataclass(frozen=True)
class Inputs:
    """What all pages of a date share."""

    suite: settings.Suite
    day: date
    store: Path
    process: Path | None
    now: datetime
    hashes: Mapping[str, str]
    states: Sequence[tuple]

    @property
    def as_of(self) -> str:
        """The last day observed, as text."""
        return self.day.isoformat()

    @property
    def built_at(self) -> str:
        """When the run began, in the suite's time zone."""
        return f"{self.now.isoformat(sep=' ', timespec='minutes')} {self.suite.timezone.key}"

    def shown(self, path: Path, notebook: Path) -> str:
        """Name a file as a notebook of the project does, without the folders of this machine."""
        if path.is_relative_to(self.suite.root):
            return Path(os.path.relpath(path, notebook.parent)).as_posix()
        return path.name

    def _named_files(self, known: Sequence[tuple]) -> dict[str, str]:
        """Sum up files of the project that a page's own parameters name, such as rules to compare with."""
        values = {
            value for *_, given in known for value in given.values() if isinstance(value, str)
        }
        root = self.suite.root
        return {
            value: making.sha256(root / value)
            for value in sorted(values)
            if 0 < len(value) < _LONGEST_PATH and "\0" not in value and (root / value).is_file()
        }

    def facts(self, known: Sequence[tuple]) -> dict[str, Any]:
        """Say of the suite what the manifest holds; the run is named by what goes into it."""
        suite_sha256 = making.sha256(self.suite.path)
        code_sha256 = making.code_sha256()
        named = [
            self.as_of,
            suite_sha256,
            self.hashes,
            code_sha256,
            sorted(known, key=lambda one: one[:2]),
            self._named_files(known),
        ]
        return {
            "suite": self.suite.path.name,
            "title": self.suite.title,
            "suite_sha256": suite_sha256,
            **self.hashes,
            "built_at": self.built_at,
            "version": _version(),
            "code_sha256": code_sha256,
            "run": hashlib.sha256(json.dumps(named, sort_keys=True).encode()).hexdigest()[:16],
        }


@dataclass
class Plan:
    """What a date shall hold, and how far it is."""

    inputs: Inputs
    reports: Sequence[settings.Report]
    out: Path
    done: Done
    is_whole: bool
    book: ledger.Book = field(init=False)
    before: site.Manifests = field(default_factory=dict)
    people: Mapping[str, Sequence[Reader]] = field(default_factory=dict)
    pages: dict[str, list[Page]] = field(default_factory=dict)
    failed: list[Failed] = field(default_factory=list)
    tasks: list[Task] = field(default_factory=list)
    facts: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        suite, lock = self.inputs.suite, self.inputs.suite.root / "requirements.lock"
        self.book = ledger.Book(
            self.out,
            suite=suite.path.name,
            as_of=self.inputs.as_of,
            inputs={
                "suite_sha256": making.sha256(suite.path),
                **self.inputs.hashes,
                "lock_sha256": making.sha256(lock) if lock.is_file() else None,
            },
            versions=ledger.versions(),
        )

    @property
    def dated(self) -> Path:
        """Where its reports are published."""
        return self.out / self.inputs.as_of

    @property
    def is_open(self) -> bool:
        """Whether it is neither published nor given up."""
        return not self.done.error and not self.done.index

    def fail(self, error: RunError) -> None:
        """Give the date up."""
        self.done.error = error
        self.book.close("failed", error.code, message=str(error))


def begin(
    suite: settings.Suite,
    days: Sequence[str | None],
    folder: Path,
    crm: str | Path | None,
    only: str | None,
) -> list[Plan]:
    """Begin a plan for each date, once the suite and the files that it names are there."""
    now = clock().astimezone(suite.timezone)
    today = dates.today(now, suite.timezone)
    found = [
        dates.resolve(day or suite.as_of, today=today, year_starts=suite.year_starts)
        for day in days
    ]
    chosen = _chosen(suite, only)
    for report in chosen:
        redact.refuse_in({"title": suite.title} | report.parameters)
    store, process = _store(Path(crm) if crm else suite.crm), _process(suite.process)
    read = [file for file in (store, process) if file]
    given = (store, process, now, _sums(store, process), [_state(file) for file in read])
    return [
        Plan(inputs, chosen, folder, Done(inputs.as_of), is_whole=only is None)
        for inputs in (Inputs(suite, day, *given) for day in dict.fromkeys(found))
    ]


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


def _sums(store: Path, process: Path | None) -> dict[str, str]:
    """Sum up the files that every notebook may read."""
    files = {"store": store, "process": process}
    return {f"{name}_sha256": making.sha256(file) for name, file in files.items() if file}


def _state(file: Path) -> tuple[int, int, int]:
    state = file.stat()
    return state.st_ino, state.st_size, state.st_mtime_ns


def prepare(
    plan: Plan,
    look: Look | None,
    audiences: readers.Audiences | None,
    cell_seconds: int,
    *,
    is_stale_allowed: bool,
) -> None:
    """Say what is to be made for a date, or give it up: no kernel starts for data that are refused."""
    inputs, suite, book = plan.inputs, plan.inputs.suite, plan.book
    try:
        if look:
            found = dict(look(inputs.store, inputs.day))
            days = found.pop("days")
            book.facts["source"] = found
            given = suite.freshness_days
            freshness.expect(found, days, as_of=inputs.day, given=given, stale=is_stale_allowed)
        plan.reports = [
            settings.dated(report, as_of=inputs.day, year_starts=suite.year_starts)
            for report in plan.reports
        ]
        book.facts["parameters"] = {report.name: report.parameters for report in plan.reports}
        kinds = [kind for kind in KINDS if any(report.audience == kind for report in plan.reports)]
        plan.people = readers.read(audiences, kinds, inputs.store, inputs.as_of, inputs.process)
        plan.before = site.manifests(plan.dated)
        plan.pages = _kept(plan)
    except RunError as error:
        plan.fail(error)
        return
    plan.tasks = [_task(report, inputs, plan.people, cell_seconds) for report in plan.reports]
    made = [
        (folder_, task.name, task.notebook_sha256, task.published_parameters(own))
        for task in plan.tasks
        for folder_, own in task.targets
    ]
    kept = [
        (folder_, entry["name"], entry["notebook_sha256"], entry["parameters"])
        for folder_, pages in plan.pages.items()
        for entry, _notebook in pages
        if entry["suite"] == inputs.suite.path.name
    ]
    plan.facts = inputs.facts(made + kept)
    book.facts["run"] = plan.facts["run"]


def _task(
    report: settings.Report,
    inputs: Inputs,
    people: Mapping[str, Sequence[Reader]],
    cell_seconds: int,
) -> Task:
    given = {"crm": inputs.store}
    if report.takes_process and inputs.process:
        given[settings.PROCESS] = inputs.process
    if report.audience in people:
        targets = [(reader.folder, {reader.kind: reader.id}) for reader in people[report.audience]]
    else:
        targets = [(LEADERSHIP if report.audience else EVERYONE, {})]
    return Task(
        notebook=report.notebook,
        notebook_sha256=making.sha256(report.notebook),
        as_of=inputs.as_of,
        audience=report.audience,
        parameters={**report.parameters, "as_of": inputs.as_of},
        paths={name: path.as_posix() for name, path in given.items()},
        shown={name: inputs.shown(path, report.notebook) for name, path in given.items()},
        targets=tuple(targets),
        facts={
            "suite": inputs.suite.path.name,
            **inputs.hashes,
            "built_at": inputs.built_at,
            "version": _version(),
        },
        code_sha256=making.code_sha256(),
        cell_seconds=cell_seconds,
    )


def _kept(plan: Plan) -> dict[str, list[Page]]:
    """Give the published pages that stay beside those that will be made, or refuse to mix them."""
    inputs, dated, chosen = plan.inputs, plan.dated, plan.reports
    suite = inputs.suite.path.name
    dropped = None if plan.is_whole else [report.name for report in chosen]
    pages = site.kept(plan.before, dated, suite=suite, dropped=dropped)
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
        site.expect_key(plan.before, pages)
    return pages


def in_order(plan: Plan) -> dict[str, list[Page]]:
    """Sort the pages of each folder as the suites do."""
    own = plan.inputs.suite.path.name
    order: dict[str, int] = {}
    for number, report in enumerate(plan.inputs.suite.reports):
        order.setdefault(report.name, number)  # a notebook may come again for other readers

    def place(made: Page) -> tuple[str, int]:
        suite, name = made.entry["suite"], made.entry["name"]
        return suite, order.get(name, len(order)) if suite == own else 0

    return {folder: sorted(pages, key=place) for folder, pages in sorted(plan.pages.items())}


def is_published(plan: Plan) -> bool:
    """Whether the date holds this very run, whole and undamaged."""
    suites = plan.before.get(EVERYONE, {}).get("suites", [])
    is_same = any(
        (suite["suite"], suite["run"]) == (plan.facts["suite"], plan.facts["run"])
        and not suite.get("n_failed")
        for suite in suites
    )
    return is_same and not publish.check(plan.dated)


def expect_same_inputs(inputs: Inputs) -> None:
    """Refuse pages of which some may have read another store or process file than others."""
    read = [file for file in (inputs.store, inputs.process) if file]
    are_untouched = [_state(file) for file in read] == inputs.states
    if not are_untouched and _sums(inputs.store, inputs.process) != inputs.hashes:
        raise RunError(
            f"store and process file must stay as they are during a run, but {inputs.store.name} or the process "
            f"file was replaced meanwhile; nothing was published; run again when the load has ended",
            Exit.TRY_LATER,
        )


def clock() -> datetime:
    """Give the time of building, which ``SOURCE_DATE_EPOCH`` can fix."""
    fixed = os.environ.get("SOURCE_DATE_EPOCH")
    return datetime.fromtimestamp(int(fixed), UTC) if fixed else datetime.now(UTC)


@cache
def _version() -> str:
    return metadata.version("salesanalysis")
