"""
What a notebook of the monthly suite costs as a page, beside the same code in a plain warm script.

    python benchmarks/notebooks.py [--rounds N]

The script has imported everything and runs the notebook's code cells; the page is made by the report engine: kernel,
execution, rendering, publishing. CPU seconds of all processes, in turn, medians. The engine's start (its own imports
and those of the process that kernels are forked from) is paid once per run and shown apart.
"""

import argparse
import contextlib
import os
import resource
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path

import nbformat

from salesanalysis.report import kernels, settings

ROOT = Path(__file__).parents[1]
SUITE = ROOT / "params" / "monthly.yaml"
RUN = "import sys; from salesanalysis.report.run import run; run(sys.argv[1], out=sys.argv[2], workers=1, progress=print)"


def main() -> None:
    """Measure in turn and print medians."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=3)
    rounds = parser.parse_args().rounds
    reports = settings.read(SUITE).reports
    for module in kernels.imported(report.notebook for report in reports):
        with contextlib.suppress(ImportError):  # a name in a module
            __import__(module)
    plain: dict[str, list[float]] = {report.name: [] for report in reports}
    whole, start = [], []
    for _ in range(rounds):
        for report in reports:
            plain[report.name].append(plainly(report))
        whole.append(as_pages(SUITE))
        start.append(alone("import salesanalysis.report.run") + alone(warm_up(reports)))
    scripts = {name: statistics.median(seconds) for name, seconds in plain.items()}
    for name, seconds in scripts.items():
        print(f"{name}: {seconds:.2f} CPU s as a plain warm script")
    engine, once = statistics.median(whole), statistics.median(start)
    above = (engine - once - sum(scripts.values())) / len(scripts)
    print(f"all {len(scripts)} as pages: {engine:.2f} CPU s, of which {once:.2f} once per run")
    print(
        f"above the plain warm scripts: {above:.2f} CPU s a page, {above + once / len(scripts):.2f} with the start"
    )


def plainly(report: settings.Report) -> float:
    """Run the code cells in a fork of this process."""
    cells = nbformat.read(report.notebook, as_version=4).cells
    codes = [cell.source for cell in cells if cell.cell_type == "code"]
    before = used()
    pid = os.fork()
    if pid == 0:
        os.chdir(report.notebook.parent)
        names: dict = {}
        for number, code in enumerate(codes):
            exec(compile(code, f"cell {number}", "exec"), names)
            if number == 0:
                names.update(report.parameters)
        os._exit(0)
    assert os.waitpid(pid, 0)[1] == 0, report.name
    return used() - before


def as_pages(suite: Path) -> float:
    """Make the suite's pages."""
    with tempfile.TemporaryDirectory() as out:
        return alone(RUN, str(suite), out)


def alone(code: str, *arguments: str) -> float:
    """CPU seconds of a process and those it started."""
    before = used()
    subprocess.run(
        [sys.executable, "-c", code, *arguments], cwd=ROOT, check=True, capture_output=True
    )
    return used() - before


def warm_up(reports: Iterable[settings.Report]) -> str:
    """Code that does what the process does that kernels are forked from, before it forks."""
    modules = kernels.imported(report.notebook for report in reports)
    return f"from salesanalysis.report import warm; warm._warm_up({modules!r})"


def used() -> float:
    """CPU seconds of all processes started from here that have ended."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


if __name__ == "__main__":
    main()
