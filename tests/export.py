"""Exports written in a test: tables as rows of text, with the mapping file that fits them."""

import csv
from pathlib import Path

import yaml

ROOT = Path(__file__).parents[1]
SHARED = ROOT.parent / "shared"
STAGES = [
    {"stage": "A", "stage_order": "1"},
    {"stage": "B", "stage_order": "2"},
    {"stage": "C", "stage_order": "3"},
    {"stage": "won", "stage_order": "4", "is_won": "true"},
    {"stage": "lost", "stage_order": "5", "is_lost": "true"},
]


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
