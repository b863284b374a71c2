"""
What a page per rep costs: 200 reps over 100,000 deals, `make benchmark-appraisal`.

The whole suite is run as a process, rounds in turn with one page by plain papermill, which starts a kernel and
computes the metrics for that page alone. CPU seconds are those of the runner and its kernels together, so a page's
share also bears start-up, imports and the metrics computed once for all.
"""

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from salesanalysis import crm
from salesanalysis.crm import sample

ROOT = Path(__file__).resolve().parent.parent
SUITE = """
as_of: "2026-06-30"
timezone: "UTC"
crm: "data/crm.duckdb"
process: "params/process.yaml"
title: "benchmark"
reports:
  - {notebook: "scorecard_rep", for: "rep"}
"""


def main() -> None:
    """Make the company, run the suites in turn, print what was seen."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--deals", type=int, default=100_000)
    parser.add_argument("--reps", type=int, default=200)
    parser.add_argument("--rounds", type=int, default=2)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        project = Path(folder)
        prepare(project, options.deals, options.reps)
        measure(project, options.rounds)


def prepare(project: Path, deals: int, reps: int) -> None:
    """A project of its own with the company loaded."""
    shutil.copytree(ROOT / "notebooks", project / "notebooks")
    shutil.copytree(ROOT / "params", project / "params")
    print(f"making {deals:,} deals of {reps} reps", flush=True)
    sample.write(project / "data" / "sample", deals=deals, reps=reps)
    mapping = project / "params" / "sources" / "sample.yaml"
    crm.load(
        project / "data" / "sample", mapping, project / "data" / "crm.duckdb", say=lambda _: None
    )
    (project / "params" / "pages.yaml").write_text(SUITE, "utf-8")


def measure(project: Path, rounds: int) -> None:
    """Rounds in turn: all pages; the page of one rep by plain papermill."""
    pages, plain = [], []
    n = 0
    for number in range(rounds):
        seconds, cpu = run(
            [sys.executable, "-m", "salesanalysis", "run", "params/pages.yaml"], project
        )
        found = sorted((project / "reports" / "2026-06-30" / "reps").glob("*/scorecard_rep.html"))
        n = len(found)
        pages.append((seconds, cpu))
        rep = json.loads((found[0].parent / "run.json").read_text("utf-8"))["reports"][0][
            "parameters"
        ]["rep"]
        one = [sys.executable, "-m", "papermill", "notebooks/scorecard_rep.ipynb", "out.ipynb", "--cwd", "notebooks",
               "-r", "rep", rep, "--no-progress-bar"]  # fmt: skip
        plain.append(run(one, project))
        shutil.rmtree(project / "reports")
        print(
            f"round {number + 1}: {n} pages {cpu:.0f} CPU s, one by papermill {plain[-1][1]:.1f} CPU s",
            flush=True,
        )
    each = statistics.median(cpu for _, cpu in pages) / n
    alone = statistics.median(cpu for _, cpu in plain)
    print(
        f"\n{n} pages, everything counted: {each:.2f} CPU s a page, {statistics.median(s for s, _ in pages):.0f} s wall"
    )
    print(
        f"one page by plain papermill, without HTML: {alone:.1f} CPU s, {alone / each:.1f} times as much"
    )


def run(command: list[str], project: Path) -> tuple[float, float]:
    """Wall and CPU seconds of a command and of all it started."""
    before, began = os.times(), time.perf_counter()
    done = subprocess.run(command, cwd=project, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"{' '.join(command)} failed:\n{done.stderr[-3000:]}")
    after = os.times()
    cpu = (
        after.children_user + after.children_system - before.children_user - before.children_system
    )
    return time.perf_counter() - began, cpu


if __name__ == "__main__":
    main()
