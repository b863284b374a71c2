"""
Write the table of docs/reliability.md from what the fault tests kept in build/faults/full.

    python tests/faults/table.py

The text around the table stays as it is.
"""

import json
import os
import sys
from datetime import UTC, datetime
from pathlib import Path

ROOT = Path(__file__).parents[2]
KEPT = ROOT / "build" / "faults" / "full"
PAGE = ROOT / "docs" / "reliability.md"
BEGIN, END = "<!-- table: made by make faults -->", "<!-- end of table -->"
ROWS = {
    "R1": ("kill -9 while publishing, 1,000 times; of whole runs, 50 times",
           "0 half files, 0 mixed sets; the next run heals"),
    "R2": (
        "signals to runner, group, kernel; memory, exit, input, timeout, background, 13 × 20",
        "100 % end with the right exit code, not 0; 0 published; no kernel after 10 s",
    ),
    "R3": ("parallel runs, 3 processes, 500 runs", "0 lost; at most 2 retries of a start"),
    "R4": ("disk full, read-only, quota at each write, 50 or more", "0 damaged"),
    "R5": ("two runs at once; the lock after kill -9, 100", "one wins, the other exits 5"),
    "R8": ("parameter names, values, paths, 10,000 or more",
           "0 run as code, 0 files outside, ids stay text, typos refused"),
    "R11": ("secrets in the environment, 15 or more canaries × all artefacts", "0 bytes"),
    "R13": ("dates: clock changes, ends of months, quarters, fiscal years, leap days, two zones, 40 or more",
            "the expected period"),
    "R14": ("backfill of 36 months, twice", "the same bytes, stamp excluded"),
    "R15": ("notify: 500, timeout, no such host, wrong token …, 8",
            "published, exit 0 or 4 with a warning, token masked"),
}  # fmt: skip
"""What each row asks for, and its pass mark."""


def main() -> None:
    """Put the table of today in the place of the one before."""
    PAGE.write_text(page(PAGE.read_text("utf-8"), records(KEPT)), "utf-8")


def records(folder: Path) -> list[dict]:
    """Everything that was kept, in the order of the tests."""
    kept = [json.loads(path.read_text("utf-8")) for path in sorted(folder.glob("*.json"))]
    return sorted(kept, key=lambda record: record["test"])


def page(text: str, kept: list[dict]) -> str:
    """The page with another table; whoever took the markers out must put them back."""
    try:
        before, rest = text.split(BEGIN)
        _old, after = rest.split(END)
    except ValueError:
        sys.exit(f"{PAGE.name} must hold {BEGIN} and {END}, each once; put them back")
    return f"{before}{BEGIN}\n{table(kept)}{END}{after}"


def table(kept: list[dict]) -> str:
    """One line for each thing found; a row of which nothing was kept was not run."""
    days = sorted({record["day"] for record in kept}) or [datetime.now(UTC).date().isoformat()]
    when = days[0] if len(days) == 1 else f"{days[0]} to {days[-1]}"
    lines = [
        f"{when}, {os.cpu_count()} cores, `make faults`.\n",
        "| | asked | pass mark | what was done | rounds | found | s |",
        "|---|---|---|---|---|---|---|",
    ]
    lost = [record for record in kept if record["row"] not in ROWS]
    for row, (asked, mark) in ROWS.items():
        begin = f"| {row} | {asked} | {mark} |"
        found = [record for record in kept if record["row"] == row]
        if not found:
            lines.append(f"{begin} | | not run | |")
        for record in found:
            lines.append(begin + _cells(record))
            begin = "| | | |"
    lines += [f"| ? | | |{_cells(record)}" for record in lost]
    return "\n".join(lines) + "\n"


def _cells(record: dict) -> str:
    what, found = (str(record[key]).replace("|", "\\|") for key in ("what", "found"))
    return f" {what} | {record['n']:,} | {found} | {record['seconds']:.0f} |"


if __name__ == "__main__":
    main()
