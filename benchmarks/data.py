"""The Parquet files both sides start from: the sample company's world, longer in the process, without dirt."""

import dataclasses
import sys
from pathlib import Path

import duckdb
import pyarrow as pa
import yaml

from salesanalysis.crm.convert import typed_rows
from salesanalysis.crm.mapping import read_mapping
from salesanalysis.crm.sample import export, truth
from salesanalysis.crm.sample.staff import END
from salesanalysis.crm.sample.world import simulate

ROOT = Path(__file__).parents[1]
LOST_FROM = (0.05, 0.1, 0.2, 0.3, 0.35)  # most are lost late, so that a deal has about five events
TABLES = (
    "stages",
    "deals",
    "stage_events",
    "owner_history",
    "deal_changes",
    "people",
    "quotas",
    "credits",
)


def make(folder: Path, deals: int) -> None:
    """Write one typed Parquet file per table, and the mapping file that fits them; kept if they are there."""
    mapping = folder / "mapping.yaml"
    if mapping.exists():
        return
    folder.mkdir(parents=True, exist_ok=True)
    truth.LOST_FROM = LOST_FROM
    rules = dataclasses.replace(
        read_mapping(ROOT / "params" / "sources" / "sample.yaml"), timezone="UTC"
    )
    world = simulate(deals, 20260630, dirt=False)
    engine = duckdb.connect()
    engine.execute("SET TimeZone = 'UTC'").fetchall()
    tables = {}
    for name in TABLES:
        columns, _ = getattr(export, {"stage_events": "stage_history"}.get(name, name))(world, END)
        n_rows = len(next(iter(columns.values())))
        engine.register("texts", pa.table({**columns, "_line": pa.array(range(n_rows))}))
        types = dict.fromkeys(columns, "VARCHAR")
        query, _ = typed_rows(
            name, rules.tables[name], rules, source="texts", types=types, lookups={}
        )
        kept = list(rules.tables[name].columns)
        engine.execute(
            f"COPY (SELECT {', '.join(kept)} FROM ({query})) TO '{folder / name}.parquet'"
        ).fetchall()
        tables[name] = {"file": f"{name}.parquet", "columns": {column: column for column in kept}}
    settings = {
        "source": "benchmark",
        "timezone": "Asia/Shanghai",
        "currency": "CNY",
        "extracted_on": "2026-06-30",
    }
    mapping.write_text(
        yaml.safe_dump({**settings, "tables": tables}, allow_unicode=True), encoding="utf-8"
    )


if __name__ == "__main__":
    make(Path(sys.argv[1]), int(sys.argv[2]))
