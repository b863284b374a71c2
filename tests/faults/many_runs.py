"""
Make the reports of a suite again and again, and say of each run how many kernels were started in vain.

    python many_runs.py SUITE OUT RUNS

Most runs share one warm process, as the dates of a backfill do; every fifth has its own; every tenth has none.
"""

import json
import sys
from contextlib import nullcontext
from pathlib import Path

from salesanalysis.report import kernels
from salesanalysis.report.exits import RunError
from salesanalysis.report.run import run


def main(suite: Path, out: Path, runs: int) -> None:
    """Print a line of JSON for each run."""
    own = kernels.warm
    with own(sorted((suite.parent.parent / "notebooks").glob("*.ipynb"))) as shared:
        ways = {0: own, 5: own, 3: lambda _: nullcontext()}
        for number in range(runs):
            kernels.warm = ways.get(number % 10, lambda _: nullcontext(shared))
            lost = ""
            try:
                run(suite, out=out, progress=lambda text: None)
            except RunError as error:
                lost = str(error)
            newest = max(
                (out / ".runs").glob("*/run.json"), key=lambda book: book.stat().st_mtime_ns
            )
            retries = [page["n_retries"] for page in json.loads(newest.read_text())["reports"]]
            sys.stdout.write(json.dumps({"retries": retries, "lost": lost}) + "\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]))
