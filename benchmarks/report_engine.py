"""
24 reports by the engine and by the usual loop, `make benchmark-reports`; writes its table into docs/performance.md.

    python benchmarks/report_engine.py [--rounds N] [--deals N]

The reports are the twelve notebooks that are for everybody or for leadership (six of `params/monthly.yaml`, six of
`params/appraisal_quarterly.yaml`, with their parameters), as of two days. The loop runs `papermill`, then `jupyter
nbconvert --to html`, for each report, one after the other. The engine makes one run of the same, with all that it does
for a run: checks, rendering, publishing. The floor is what the notebooks' code costs in a plain script that has
imported everything. All in turn within a round; each report's outputs are the same both ways before a ratio is printed.

CPU seconds are those of all processes started. Memory is the largest sum, over all processes of the tree at one
moment, of what /proc says is a process's own part of the memory it uses (PSS: a page that n processes share counts 1/n
for each), looked at every 0.2 seconds.
"""

import argparse
import contextlib
import json
import math
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import nbformat
import yaml

from salesanalysis import crm
from salesanalysis.crm import sample
from salesanalysis.present.html import MIME
from salesanalysis.report import kernels, warm

ROOT = Path(__file__).parents[1]
DAYS = ("2026-06-30", "2026-03-31")
SUITES = ("monthly", "appraisal_quarterly")
LOOK_SECONDS = 0.2
ENVIRONMENT = {
    "MPLBACKEND": "agg",
    "OPENBLAS_NUM_THREADS": "1",
}  # for all ways; kernels of the engine have it anyway
TABLE = ROOT / "docs" / "performance.md"
ENGINE = """
import sys
from salesanalysis.report.run import run_days
if __name__ == "__main__":
    run_days("params/benchmark.yaml", sys.argv[2:], out=sys.argv[1], progress=lambda _: None)
"""


class Used(NamedTuple):
    """What a way of making reports took."""

    wall: float  # seconds
    cpu: float  # seconds of all processes
    memory: float  # MB at the worst moment


def main() -> None:
    """Make the company and a project, measure in turn, compare, write the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--deals", type=int, default=3000)
    parser.add_argument("--floor", type=Path, help="run as the plain script, in this project")
    options = parser.parse_args()
    if options.floor:
        print(plain(options.floor))
        return
    with tempfile.TemporaryDirectory() as folder:
        project = Path(folder)
        reports = prepare(project, options.deals)
        found: dict[str, list[Used]] = {"loop": [], "engine": [], "half": [], "floor": []}
        for number in range(options.rounds):
            shutil.rmtree(project / "loop", ignore_errors=True)
            shutil.rmtree(project / "reports", ignore_errors=True)
            found["loop"].append(measured(lambda: loop(project, reports)))
            found["engine"].append(measured(lambda: engine(project, "reports", DAYS)))
            compare(project, reports)
            shutil.rmtree(project / "half", ignore_errors=True)
            found["half"].append(measured(lambda: engine(project, "half", DAYS[:1])))
            found["floor"].append(floor(project))
            print(number + 1, {way: used[-1] for way, used in found.items()}, flush=True)
        write(found, len(reports), options)


def prepare(project: Path, deals: int) -> list[dict[str, Any]]:
    """A project of its own with the sample company loaded, and one suite of the reports; gives their entries."""
    for name in ("notebooks", "params"):
        shutil.copytree(ROOT / name, project / name, ignore=shutil.ignore_patterns(".*"))
    sample.write(project / "data" / "sample", deals=deals)
    mapping = project / "params" / "sources" / "sample.yaml"
    store = project / "data" / "crm.duckdb"
    crm.load(project / "data" / "sample", mapping, store, say=lambda _: None)
    suites = [
        yaml.safe_load((ROOT / "params" / f"{name}.yaml").read_text("utf-8")) for name in SUITES
    ]
    entries = [
        {"notebook": entry["notebook"], "parameters": entry.get("parameters", {})}
        for suite in suites
        for entry in suite["reports"]
        if entry.get("for") in (None, "leadership")
    ]
    whole = suites[0] | {"process": suites[1]["process"], "title": "Benchmark", "reports": entries}
    (project / "params" / "benchmark.yaml").write_text(
        yaml.safe_dump(whole, allow_unicode=True), "utf-8"
    )
    return entries


def loop(project: Path, reports: list[dict[str, Any]]) -> None:
    """The usual way: two commands for each report."""
    (project / "loop").mkdir()
    for day in DAYS:
        for report in reports:
            name = report["notebook"]
            made = f"loop/{name}-{day}.ipynb"
            own = [word for pair in report["parameters"].items() for word in ("-p", *pair)]
            command(project, "papermill", f"notebooks/{name}.ipynb", made, "--cwd", "notebooks",
                    "--no-progress-bar", "-f", f"params/{name}.yaml", "-p", "as_of", day, *own)  # fmt: skip
            command(project, "jupyter", "nbconvert", "--to", "html", made)


def engine(project: Path, out: str, days: tuple[str, ...]) -> None:
    """One run of the engine."""
    run([sys.executable, "-c", ENGINE, out, *days], project)


def command(project: Path, name: str, *arguments: str) -> None:
    """Run a program of this environment."""
    run([str(Path(sys.executable).with_name(name)), *arguments], project)


def run(words: list[str], project: Path) -> str:
    """Run it, and end where it fails; gives what it printed."""
    done = subprocess.run(
        words,
        cwd=project,
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"PYTHONPATH": str(ROOT), **ENVIRONMENT},
    )
    if done.returncode:
        sys.exit(f"{' '.join(words)} failed:\n{done.stderr[-3000:]}")
    return done.stdout


def measured(work: Callable[[], None]) -> Used:
    """What the processes that a piece of work starts take."""
    ended, most = threading.Event(), [0.0]

    def look() -> None:
        while not ended.wait(LOOK_SECONDS):
            most[0] = max(most[0], sum(map(own_part, below(os.getpid()))))

    watcher = threading.Thread(target=look)
    watcher.start()
    began, before = time.perf_counter(), used()
    try:
        work()
    finally:
        ended.set()
        watcher.join()
    return Used(time.perf_counter() - began, used() - before, most[0])


def used() -> float:
    """CPU seconds of all processes started from here that have ended."""
    times = os.times()
    return times.children_user + times.children_system


def below(pid: int) -> Iterator[int]:
    """The processes that a process started, and those that they did."""
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        with contextlib.suppress(OSError):
            for child in task.read_text().split():
                yield int(child)
                yield from below(int(child))


def own_part(pid: int) -> float:
    """MB of a process, shared pages by the number that share them; 0 where it has just ended."""
    with contextlib.suppress(OSError, AttributeError):
        text = Path(f"/proc/{pid}/smaps_rollup").read_text()
        return int(re.search(r"^Pss:\s+(\d+)", text, re.MULTILINE)[1]) / 1024
    return 0.0


def compare(project: Path, reports: list[dict[str, Any]]) -> None:
    """The outputs of each report, both ways; what the runner itself puts on a page aside."""
    for day in DAYS:
        for report in reports:
            name = report["notebook"]
            (made,) = (project / "reports" / day).rglob(f"{name}.ipynb")
            ours, theirs = shown(made), shown(project / "loop" / f"{name}-{day}.ipynb")
            if not ours or ours != theirs:
                sys.exit(f"{name} of {day} must show the same both ways, but does not")


def shown(notebook: Path) -> list[str]:
    """What a notebook shows, and what it tells an index."""
    outputs = [
        output
        for cell in nbformat.read(notebook, as_version=4).cells
        for output in cell.get("outputs", [])
        if MIME in output.get("data", {})
    ]
    return [json.dumps([output.data[MIME], output.metadata.get(MIME)]) for output in outputs]


def floor(project: Path) -> Used:
    """What the code of the second day's reports takes in a plain script; only its CPU seconds are told."""
    words = [sys.executable, __file__, "--floor", str(project)]
    return Used(math.nan, float(run(words, project)), math.nan)


def plain(project: Path) -> float:
    """CPU seconds of the code of the second day's reports, each in a fork of this process, which has imported all."""
    suite = yaml.safe_load((project / "params" / "benchmark.yaml").read_text("utf-8"))
    names = [report["notebook"] for report in suite["reports"]]
    found = [project / "notebooks" / f"{name}.ipynb" for name in names]
    warm._warm_up(kernels.imported(found))  # noqa: SLF001 - as the process that kernels are forked from
    before = used()
    for report, notebook in zip(suite["reports"], found, strict=True):
        given = yaml.safe_load((project / "params" / f"{notebook.stem}.yaml").read_text("utf-8"))
        given = (given or {}) | report["parameters"] | {"as_of": DAYS[1]}
        cells = nbformat.read(notebook, as_version=4).cells
        pid = os.fork()
        if pid == 0:
            plainly([cell.source for cell in cells if cell.cell_type == "code"], given, project)
        if os.waitpid(pid, 0)[1]:
            sys.exit(f"{notebook.stem} failed as a plain script")
    return used() - before


def plainly(codes: list[str], given: dict[str, Any], project: Path) -> None:
    """Run the cells' code; the process ends."""
    code = 1
    try:
        os.chdir(project / "notebooks")
        names: dict[str, Any] = {}
        for number, text in enumerate(codes):
            exec(compile(text, f"cell {number}", "exec"), names)
            if number == 0:
                names.update(given)
        code = 0
    finally:
        os._exit(code)


def write(found: dict[str, list[Used]], n: int, options: argparse.Namespace) -> None:
    """Put the table between its marks, and print it."""
    rows = ["| | loop | engine | loop / engine | aim |\n| --- | --- | --- | --- | --- |"]
    aims = {"wall": "10", "cpu": "6", "memory": "—"}
    labels = {"wall": "wall seconds", "cpu": "CPU seconds", "memory": "peak memory, MB"}
    for name, label in labels.items():
        theirs, ours = ([getattr(one, name) for one in found[way]] for way in ("loop", "engine"))
        ratios = [one / other for one, other in zip(theirs, ours, strict=True)]
        rows.append(
            f"| {label} | {spread(theirs)} | {spread(ours)} | **{spread(ratios)}** | {aims[name]} |"
        )
    more = [
        (whole.cpu - half.cpu) / n
        for whole, half in zip(found["engine"], found["half"], strict=True)
    ]
    plain = [one.cpu / n for one in found["floor"]]
    ratios = [one / other for one, other in zip(more, plain, strict=True)]
    rows += [
        "",
        "| | engine | plain warm script | engine / script | aim |",
        "| --- | --- | --- | --- | --- |",
        f"| one more page, CPU seconds | {spread(more)} | {spread(plain)} | **{spread(ratios)}** | 1.3 at most |",
    ]
    said = (
        f"{2 * n} reports, {options.deals:,} deals, {len(os.sched_getaffinity(0))} cores, {options.rounds} rounds; "
        "medians, in brackets the smallest and largest:"
    )
    table = "\n".join([said, "", *rows])
    print(table)
    start, end = "<!-- report_engine -->\n", "\n<!-- /report_engine -->"
    before, _, rest = TABLE.read_text("utf-8").partition(start)
    _, _, after = rest.partition(end)
    TABLE.write_text(f"{before}{start}{table}{end}{after}", "utf-8")


def spread(values: list[float]) -> str:
    """Median, smallest and largest."""
    digits = 2 if statistics.median(values) < 5 else 1 if statistics.median(values) < 50 else 0
    low, middle, high = (
        f"{value:,.{digits}f}" for value in (min(values), statistics.median(values), max(values))
    )
    return f"{middle} ({low}–{high})"


if __name__ == "__main__":
    main()
