"""Tiny projects with a real store, which the command line looks into."""

import datetime
import shutil
import tempfile
from functools import cache
from pathlib import Path

from export import STAGES, write_export
from report.tiny import Project

from salesanalysis import crm

FIRST, LAST = datetime.date(2026, 1, 1), datetime.date(2026, 6, 30)


def project(root: Path) -> Project:
    """Make a project in a folder that is made too, with a store that has a deal each week of half a year."""
    root.mkdir(parents=True, exist_ok=True)
    made = Project(root)
    shutil.copy(_store(), root / "data/crm.duckdb")
    return made


@cache
def _store() -> Path:
    folder = Path(_kept_folder().name)
    days = [FIRST + datetime.timedelta(days=at) for at in range(0, (LAST - FIRST).days, 7)]
    deals = [
        {"deal_id": f"D{day}", "created_at": f"{day} 09:00:00", "status": "open", "stage": "A"}
        for day in days
    ]
    mapping = write_export(folder / "export", {"stages": STAGES, "deals": deals})
    return crm.load(folder / "export", mapping, folder / "crm.duckdb", say=lambda text: None)


@cache
def _kept_folder() -> tempfile.TemporaryDirectory:
    """Gone when the tests have ended."""
    return tempfile.TemporaryDirectory(prefix="store-", ignore_cleanup_errors=True)
