"""
The books of runs: for each date of each run a folder in ``.runs`` with ``log.jsonl`` and ``run.json``.

They say what went in (sums of the files, parameters, versions, rows), what came out page by page, how
long it took and how it ended. They may name people, so only their owner can open them, and they are
never published.
"""

import json
import os
import platform
import threading
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

from salesanalysis.report import redact
from salesanalysis.report.exits import Exit

FOLDER = ".runs"

_PACKAGES = (
    *("salesanalysis", "papermill", "nbclient", "nbconvert", "ipykernel", "duckdb", "pandas"),
    *("numpy", "scipy", "matplotlib"),
)
_RUNNING = "running"


def versions() -> dict[str, str]:
    """Name the versions that can matter to a page."""
    return {
        "python": platform.python_version(),
        **{name: metadata.version(name) for name in _PACKAGES},
    }


class Book:
    """
    The book of one date of a run; ``run.json`` says "running" until `close`.

    Where the folder cannot be written, the run goes on without its book.

    Parameters
    ----------
    out : Path
        The reports folder.
    facts : mapping
        What is known at the start: ``suite`` and ``as_of`` at least.
    """

    def __init__(self, out: Path, **facts: Any) -> None:
        self._began = time.monotonic()
        now = datetime.now(UTC)
        self.facts: dict[str, Any] = {
            "status": _RUNNING,
            **facts,
            "started_at": now.isoformat(timespec="milliseconds"),
            "reports": [],
            "warnings": [],
        }
        self._lock = threading.Lock()
        self._folder = _new_folder(out / FOLDER, f"{now:%Y%m%dT%H%M%S.%fZ}-{facts['as_of']}")
        self._write()

    @property
    def place(self) -> str:
        """Where the log is; empty where it could not be written."""
        return str(self._folder / "log.jsonl") if self._folder else ""

    def log(self, event: str, **facts: Any) -> None:
        """Add a line to the log."""
        line = {"at": datetime.now(UTC).isoformat(timespec="milliseconds"), "event": event, **facts}
        with self._lock:
            self._append(_json(line) + "\n")

    def warn(self, text: str) -> None:
        """Add a warning to the log and to the book."""
        self.facts["warnings"].append(text)
        self.log("warning", message=text)
        self._write()

    def page(self, **facts: Any) -> None:
        """Add a page, made or failed."""
        self.facts["reports"].append(facts)
        self.log("page", **facts)

    def close(self, status: str, code: Exit, **facts: Any) -> None:
        """Say how the run ended."""
        seconds = round(time.monotonic() - self._began, 3)
        self.facts |= {"status": status, "exit_code": int(code), "seconds": seconds, **facts}
        self.facts["reports"].sort(key=lambda page: (page["folder"], page["name"]))
        self.log(status, exit_code=int(code), seconds=seconds, **facts)
        self._write()

    def _append(self, text: str) -> None:
        if self._folder:
            try:
                with (self._folder / "log.jsonl").open("a", encoding="utf-8") as file:
                    file.write(text)
            except OSError:
                self._folder = None

    def _write(self) -> None:
        if self._folder:
            try:
                draft = self._folder / "run.json.draft"
                draft.write_text(_json(self.facts, indent=1) + "\n", "utf-8")
                os.replace(draft, self._folder / "run.json")
            except OSError:
                self._folder = None


def _new_folder(books: Path, name: str) -> Path | None:
    try:
        books.mkdir(parents=True, exist_ok=True)
        books.chmod(0o700)
        for number in range(1000):
            folder = books / (f"{name}-{number}" if number else name)
            try:
                folder.mkdir()
            except FileExistsError:
                continue
            return folder
    except OSError:
        pass
    return None


def _json(value: Mapping[str, Any], indent: int | None = None) -> str:
    return redact.redact(json.dumps(value, ensure_ascii=False, indent=indent, default=str))


def read(out: Path) -> list[dict[str, Any]]:
    """Read the books of a reports folder, oldest first; one that cannot be read is left out."""
    books = []
    for file in sorted((out / FOLDER).glob("*/run.json")):
        try:
            books.append(json.loads(file.read_text("utf-8")))
        except (OSError, ValueError):
            continue
    return books


_COLUMNS = (
    *("started", "suite", "as of", "status", "exit", "pages", "failed", "rows in", "accepted"),
    *("set aside", "seconds", "message"),
)
_MESSAGE = 60


def table(books: list[dict[str, Any]]) -> str:
    """Show books as a table in plain text, a line each."""
    rows = [_COLUMNS, *map(_row, books)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(_COLUMNS))]
    lines = [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]
    return "\n".join(lines)


def _row(book: Mapping[str, Any]) -> tuple[str, ...]:
    pages = book["reports"]
    n_failed = sum(page["status"] != "made" for page in pages)
    tables = book.get("source", {}).get("tables", {})

    def total(*kinds: str) -> str:
        counts = [table[kind] for table in tables.values() for kind in kinds]
        return f"{sum(counts):,}" if counts else ""

    message = book.get("message", "")
    return (
        book["started_at"][:19] + "Z",
        book["suite"],
        book["as_of"],
        "not ended" if book["status"] == _RUNNING else book["status"],
        str(book.get("exit_code", "")),
        f"{len(pages) - n_failed:,}",
        f"{n_failed:,}",
        total("n_in"),
        total("n_accepted"),
        total("n_quarantined", "n_refused"),
        f"{book['seconds']:.1f}" if "seconds" in book else "",
        message if len(message) <= _MESSAGE else message[: _MESSAGE - 1] + "…",
    )
