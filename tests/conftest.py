"""What tests of several rooms share: real data beside the project, and stores made from tables written in a test."""

import csv
from pathlib import Path

import pytest
import yaml

from salesanalysis import crm

ROOT = Path(__file__).parents[1]
SHARED = ROOT.parent / "shared"
STAGES = [
    {"stage": "A", "stage_order": "1"},
    {"stage": "B", "stage_order": "2"},
    {"stage": "C", "stage_order": "3"},
    {"stage": "won", "stage_order": "4", "is_won": "true"},
    {"stage": "lost", "stage_order": "5", "is_lost": "true"},
]


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder beside the project with data that may not be redistributed."""
    if not SHARED.is_dir():
        pytest.skip(
            f"needs the data beside the project, and there is no folder {SHARED.name} next to it"
        )
    return SHARED


def write_export(folder: Path, tables: dict[str, list[dict]], **settings) -> Path:
    """Write tables (canonical names, values as text) as CSV files with the mapping file that fits them."""
    folder.mkdir(parents=True, exist_ok=True)
    mapping = {"source": "test", "timezone": "UTC", "currency": "EUR", "extracted_on": "2026-12-31"}
    mapping |= {"encoding": "utf-8", "tables": {}} | settings
    for name, rows in tables.items():
        columns = list(dict.fromkeys(column for row in rows for column in row))
        with (folder / f"{name}.csv").open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, columns, restval="")
            writer.writeheader()
            writer.writerows(rows)
        mapping["tables"][name] = {
            "file": f"{name}.csv",
            "columns": {column: column for column in columns},
        }
    path = folder / "mapping.yaml"
    path.write_text(yaml.safe_dump(mapping, allow_unicode=True, sort_keys=False), encoding="utf-8")
    return path


@pytest.fixture
def load_tables(tmp_path):
    """Load tables written in a test the way an export is loaded; gives the store's path."""

    def load(tables: dict[str, list[dict]], **settings) -> Path:
        mapping = write_export(tmp_path / "export", tables, **settings)
        return crm.load(
            tmp_path / "export", mapping, tmp_path / "crm.duckdb", say=lambda text: None
        )

    return load


@pytest.fixture
def observe():
    """Open stores as of a day and close them after the test."""
    opened = []

    def _observe(path, as_of):
        opened.append(crm.observe(path, as_of))
        return opened[-1]

    yield _observe
    for seen in opened:
        seen.close()
