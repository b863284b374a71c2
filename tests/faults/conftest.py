"""How often a fault test breaks something, and where what it found is kept for docs/reliability.md."""

import hashlib
import json
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest
from export import ROOT

KEPT = ROOT / "build" / "faults"
"""A file for each thing found: ``full`` for make faults, ``short`` for a few rounds."""

_FAILED = pytest.StashKey[bool]()


def pytest_collection_modifyitems(items):
    """Mark everything in this folder, so that ``-m "not faults"`` leaves it out."""
    here = Path(__file__).parent
    for item in items:
        if item.path.is_relative_to(here):
            item.add_marker(pytest.mark.faults)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    """Let `record` know whether its test failed."""
    report = yield
    if report.failed:
        item.stash[_FAILED] = True
    return report


@pytest.fixture
def n(request):
    """
    Choose how many rounds: ``n(short=3, full=50)`` is 50 with ``--full``.
    """
    is_full = request.config.getoption("--full")

    def _n(*, short: int, full: int) -> int:
        return int(full if is_full else short)

    return _n


@pytest.fixture
def record(request):
    """
    Keep what was found: ``record("R5", "two runs at once", 100, "one wins, 100 × exit 5")``.

    A test may keep several things, each under another ``what``. What the same test found before is dropped when it
    starts; if it fails, that is what is kept.
    """
    folder = KEPT / ("full" if request.config.getoption("--full") else "short")
    folder.mkdir(parents=True, exist_ok=True)
    test = request.node.nodeid
    stem = hashlib.sha256(test.encode()).hexdigest()[:12]
    for old in folder.glob(f"{stem}-*.json"):
        old.unlink()
    began, kept = time.monotonic(), []

    def _record(row: str, what: str, n: int, found: str) -> None:
        kept.append({"row": row, "what": what, "n": n, "found": found})

    yield _record
    if request.node.stash.get(_FAILED, False):
        kept = [{"row": one["row"], "what": one["what"], "n": one["n"], "found": "**failed**"}
                for one in kept]  # fmt: skip
        kept = kept or [{"row": "", "what": test, "n": 0, "found": "**failed**"}]
    facts = {
        "test": test,
        "seconds": round(time.monotonic() - began, 1),
        "day": datetime.now(UTC).date().isoformat(),
    }
    for number, one in enumerate(kept):
        path = folder / f"{stem}-{number:02}.json"
        path.write_text(json.dumps(facts | one, ensure_ascii=False), "utf-8")
