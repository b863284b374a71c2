"""
The metrics of the three notebooks next to an idiomatic pandas version, both from the same Parquet files.

Each side runs as a process of its own, in turn; medians over the rounds, ratios pair by pair, peak memory of the
largest process. The results are compared before a ratio is printed.
"""

import argparse
import os
import re
import statistics
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd

HERE = Path(__file__).parent
AS_OF = "2026-06-30"
COMPARED = {  # table -> key columns of ours, value columns that both have
    "stage_accounting": (
        ["stage_order"],
        ["entries", "advanced", "skipped", "moved_back", "lost", "open", "starts"],
    ),
    "step_conversion": (
        ["stage_order"],
        ["n_deals", "n_advanced", "advanced_rate", "advanced_rate_low", "amount_rate"],
    ),
    "time_in_stage": (["stage_order"], ["n_entries", "n_open", "median_days"]),
    "conversion": (
        ["age_days"],
        ["n_won", "n_lost", "won_rate", "won_rate_low", "won_rate_high", "lost_rate"],
    ),
    "win_rates": (["label"], ["n_won", "n_deals", "rate"]),
    "totals": (["group"], ["n_deals", "n_won", "n_lost", "n_open", "won_amount", "cycle_days"]),
    "totals by team": (["group"], ["n_deals", "n_won", "won_amount"]),
    "ranking": (["group"], ["n_deals", "n_won", "rank_low", "rank_high"]),
    "segments": (
        ["kind", "group", "stage_order"],
        ["n_deals", "advanced_rate", "difference", "q_value"],
    ),
}


def main() -> None:
    """Make the data if need be, run both sides in turn, compare, print and write down the ratios."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--deals", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    folder = HERE.parent / "build" / "benchmark" / f"{options.deals}"
    print(f"data: {folder.relative_to(HERE.parent)}", flush=True)
    # In a process of its own: a child's peak memory begins with what its parent holds.
    subprocess.run(
        [sys.executable, "data.py", str(folder), str(options.deals)], cwd=HERE, check=True
    )
    store, ours, theirs = folder / "crm.duckdb", folder / "ours.pkl", folder / "pandas.pkl"
    sides = {
        "pandas": ["pandas_version.py", folder, AS_OF, theirs],
        "load and metrics": ["our_version.py", "load", folder, store, AS_OF, ours],
        "metrics from the store": ["our_version.py", "metrics", folder, store, AS_OF, ours],
    }
    runs = {name: [] for name in sides}
    for number in range(options.rounds):
        for name, command in sides.items():
            runs[name].append(measured(command))
            wall, peak = runs[name][-1]
            print(f"round {number + 1}: {name:<24}{wall:7.1f} s {peak:7.0f} MB", flush=True)
        compare(pd.read_pickle(ours), pd.read_pickle(theirs))
    report(runs, options.deals)


def measured(command: list) -> tuple[float, float]:
    """Wall seconds and peak megabytes of one whole process."""
    began = time.perf_counter()
    process = subprocess.Popen([sys.executable, *map(str, command)], cwd=HERE)
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        raise SystemExit(f"{command[0]} failed")
    return time.perf_counter() - began, usage.ru_maxrss / 1024


def compare(ours: dict[str, pd.DataFrame], theirs: dict[str, pd.DataFrame]) -> None:
    """Stop if a count, an amount or an estimate differs between the sides."""
    for name, (keys, values) in COMPARED.items():
        other = theirs[name].rename(columns={"order": "stage_order"})
        here = ours[name].astype(dict.fromkeys(keys, str))
        both = here.merge(
            other.astype(dict.fromkeys(keys, str)), on=keys, how="outer", suffixes=("", "_pandas")
        )
        for value in values:
            a, b = (both[column].to_numpy(dtype=float) for column in (value, f"{value}_pandas"))
            if not np.allclose(a, b, rtol=1e-8, atol=1e-9, equal_nan=True):
                raise SystemExit(f"{name}: {value} differs between the sides")


def report(runs: dict[str, list[tuple[float, float]]], deals: int) -> None:
    """Print the ratios and write them between the marks in the README."""
    rows = [
        "| from the same Parquet files | times faster than pandas (range) | share of its peak memory |",
        "|---|---|---|",
    ]
    for name in ("load and metrics", "metrics from the store"):
        speed = [p[0] / o[0] for p, o in zip(runs["pandas"], runs[name], strict=True)]
        memory = statistics.median(
            o[1] / p[1] for p, o in zip(runs["pandas"], runs[name], strict=True)
        )
        rows.append(
            f"| {name} | {statistics.median(speed):.1f} ({min(speed):.1f}–{max(speed):.1f}) | {memory:.0%} |"
        )
    note = f"{deals:,} deals with about 5 stage events each, {os.cpu_count()} cores, {len(runs['pandas'])} rounds in turn."
    text = "\n".join([*rows, "", note])
    print(text)
    readme = HERE.parent / "README.md"
    marked = re.sub(
        r"(<!-- benchmark -->\n).*?(<!-- /benchmark -->)",
        lambda m: f"{m[1]}{text}\n{m[2]}",
        readme.read_text("utf-8"),
        flags=re.DOTALL,
    )
    readme.write_text(marked, "utf-8")


if __name__ == "__main__":
    main()
