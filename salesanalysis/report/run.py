"""Make the reports of a suite: run its notebooks, render their pages, publish all or nothing."""

import hashlib
import json
import os
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

import nbformat
from nbformat import NotebookNode

from salesanalysis.report import execute, index, page, publish, settings
from salesanalysis.report.exits import Exit, RunError

CELL_SECONDS = 3600
"""A cell that runs longer is stopped."""


def to_stderr(text: str) -> None:
    """Show progress to whoever started the run."""
    print(text, end="", file=sys.stderr, flush=True)


def run(
    suite_path: str | Path,
    *,
    as_of: str | None = None,
    crm: str | Path | None = None,
    out: str | Path | None = None,
    only: str | None = None,
    cell_seconds: int = CELL_SECONDS,
    progress: Callable[[str], None] = to_stderr,
) -> Path:
    """
    Make the reports of a suite file and publish them under their as-of date.

    Each notebook runs in a kernel of its own, in a private folder; nothing is published unless
    every one ends with its end mark and can be shown. The same inputs give the same bytes, except
    for the time of building, which ``SOURCE_DATE_EPOCH`` can fix.

    Parameters
    ----------
    suite_path : path
        ``params/<suite>.yaml``; the project is the parent of ``params``.
    as_of : str, optional
        A day, ``today`` or ``last_month_end``, in place of the suite's.
    crm : path, optional
        A store, in place of the suite's.
    out : path, optional
        Where reports go; ``reports`` in the project if not given.
    only : str, optional
        Run this notebook only, and keep the other pages of the date as they are.
    cell_seconds : int
        How long one cell may take.
    progress : callable
        Receives pieces of text while the run goes on.

    Returns
    -------
    Path
        The page that lists the reports of the date.

    Raises
    ------
    RunError
        Nothing was published; its ``code`` is the exit code.
    """
    suite = settings.read(Path(suite_path))
    now = _now()
    day = settings.day(as_of or suite.as_of, today=now.astimezone(suite.timezone).date())
    store = _store(Path(crm) if crm else suite.crm)
    chosen = _chosen(suite, only)
    folder = Path(out).resolve() if out else suite.root / "reports"
    inputs = _Inputs(suite, day.isoformat(), store, now.astimezone(suite.timezone))
    with publish.exclusive(folder):
        index.write(folder)
        with publish.workspace(folder) as work:
            made = {} if only is None else _published(folder / inputs.as_of, inputs)
            for number, report in enumerate(chosen, start=1):
                progress(f"[{number}/{len(chosen)}] {report.name} … ")
                began = time.monotonic()
                try:
                    made[report.name] = _make(report, inputs, work, folder, cell_seconds)
                except RunError:
                    progress("failed\n")
                    raise
                n_warnings = made[report.name][0]["n_warnings"]
                warned = f", warnings: {n_warnings}" if n_warnings else ""
                progress(f"{time.monotonic() - began:.1f} s{warned}\n")
            return _publish(made, inputs, work / "site", folder)


@dataclass(frozen=True)
class _Inputs:
    """What all notebooks of a run share."""

    suite: settings.Suite
    as_of: str
    store: Path
    now: datetime

    @property
    def built_at(self) -> str:
        return f"{self.now.isoformat(sep=' ', timespec='minutes')} {self.suite.timezone.key}"

    def shown_store(self, notebook: Path) -> str:
        """Name the store without the folders of this machine."""
        if self.store.is_relative_to(self.suite.root):
            return Path(os.path.relpath(self.store, notebook.parent)).as_posix()
        return self.store.name

    def run_id(self, reports: list) -> str:
        """Give a run a name by what went into it."""
        known = [self.as_of, _sha256(self.suite.path), _sha256(self.store), _version(), reports]
        return hashlib.sha256(json.dumps(known, sort_keys=True).encode()).hexdigest()[:16]


Made = tuple[dict[str, Any], NotebookNode]
"""A report's entry in ``run.json``, and its executed notebook."""


def _make(
    report: settings.Report, inputs: _Inputs, work: Path, folder: Path, cell_seconds: int
) -> Made:
    shown = inputs.shown_store(report.notebook)
    parameters = dict(report.parameters) | {"as_of": inputs.as_of, "crm": inputs.store.as_posix()}
    draft = work / f"{report.name}.ipynb"
    try:
        executed = execute.execute(
            report.notebook, draft, parameters=parameters, cell_seconds=cell_seconds
        )
        facts = page.facts(executed)
    except execute.FAILURES as error:
        message, code = execute.reason(error, draft)
        if draft.exists():
            kept = publish.keep_failed(folder, draft, as_of=inputs.as_of)
            message += f"; the notebook as far as it ran is {kept}"
        message = f"{report.notebook.name}: {message}; nothing was published"
        raise RunError(message, code) from error
    entry = facts | {
        "name": report.name,
        "status": "published",
        "built_at": inputs.built_at,
        "notebook_sha256": _sha256(report.notebook),
        "parameters": parameters | {"crm": shown},
    }
    return entry, execute.portable(executed, {inputs.store.as_posix(): shown})


def _published(folder: Path, inputs: _Inputs) -> dict[str, Made]:
    """Read the reports of a date as they were published from the same store, none if there are none."""
    file = folder / "run.json"
    if not file.exists():
        return {}
    manifest = json.loads(file.read_text("utf-8"))
    if manifest.get("store_sha256") != _sha256(inputs.store):
        raise RunError(
            f"the other pages of {inputs.as_of} in {folder.parent} must be of the same store, but they were made from "
            "another one or before it was loaded again; run the whole suite, or give another --out",
            Exit.USAGE,
        )
    entries = manifest["reports"]
    return {
        entry["name"]: (entry, nbformat.read(folder / f"{entry['name']}.ipynb", as_version=4))
        for entry in entries
    }


def _publish(made: Mapping[str, Made], inputs: _Inputs, site: Path, folder: Path) -> Path:
    order = [report.name for report in inputs.suite.reports]
    names = [name for name in order if name in made] + [name for name in made if name not in order]
    manifest = {
        "title": inputs.suite.title,
        "as_of": inputs.as_of,
        "built_at": inputs.built_at,
        "version": _version(),
        "suite": inputs.suite.path.name,
        "suite_sha256": _sha256(inputs.suite.path),
        "store_sha256": _sha256(inputs.store),
        "reports": [made[name][0] for name in names],
    }
    manifest["run"] = inputs.run_id(
        [(name, made[name][0]["notebook_sha256"], made[name][0]["parameters"]) for name in names]
    )
    try:
        site.mkdir()
        for name in names:
            _write(site / f"{name}.ipynb", nbformat.writes(made[name][1]) + "\n")
            document = page.render(made[name][1], manifest=manifest, name=name)
            _write(site / f"{name}.html", document)
        _write(site / "index.html", index.of_date(manifest))
        manifest["files"] = {
            file.name: {"bytes": file.stat().st_size, "sha256": _sha256(file)}
            for file in sorted(site.iterdir())
        }
        _write(site / "run.json", json.dumps(manifest, indent=1, ensure_ascii=False) + "\n")
        publish.swap(site, folder / inputs.as_of)
        index.write(folder)
    except OSError as error:
        message = f"publishing to {folder} failed: {error.strerror}; the last good reports are kept"
        raise RunError(message, Exit.NOT_PUBLISHED) from error
    return folder / inputs.as_of / "index.html"


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


def _now() -> datetime:
    fixed = os.environ.get("SOURCE_DATE_EPOCH")
    return datetime.fromtimestamp(int(fixed), UTC) if fixed else datetime.now(UTC)


def _version() -> str:
    return metadata.version("salesanalysis")


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _write(path: Path, text: str) -> None:
    path.write_bytes(text.encode("utf-8"))
