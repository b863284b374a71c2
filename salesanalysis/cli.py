"""The command line: make a sample export, load an export, run the reports."""

import argparse
import signal
import sys
import textwrap
from collections.abc import Callable
from importlib import metadata
from pathlib import Path

from salesanalysis.report.exits import Exit, RunError

_LOAD = """
    Reads the files that the mapping names (CSV or Parquet) from the folder SOURCE as text, converts them by the
    notations the mapping declares, and makes the store. Every row is counted: in = accepted + quarantined (readable,
    but contradicting itself or another table) + refused (not readable as a record). Rows not accepted stay in the
    store's table `rejected` with file, line, column and value. An older store is replaced only if the load succeeds.
"""
_PROCESS = """
    Checks FILE, which says how the company sells (stages, goals, actions) and what it rewards (KPIs, scorecard,
    incentives), and prints what holds from each day on which the rules change. A mistake ends with exit code 2 and
    says which key, what was found and what is allowed.
"""
_RUN = """
    Runs the notebooks of SUITE as of one day and publishes them together as DIR/<as-of>/index.html; if one fails,
    nothing is published and the last good reports stay. The path of the index is the last line printed.
    Pages for reps, teams and leadership go to folders of their own: reps/<id>, teams/<id>, leadership. These ids say
    nothing without the key in the environment variable SALESANALYSIS_ID_KEY; without a key, whoever knows an employee
    number can find its folder. leadership/pages.csv says which folder is whose.
    Exit codes: 0 published, 1 unexpected, 2 wrong usage or parameter, 3 input refused, 5 another run is at work,
    6 publishing failed, 124 timeout, 130 interrupted, 138 a kernel died.
"""
_SAMPLE = """
    Makes the CRM export of an invented company: 24 months to 2026-06-30, Chinese and Latin names, the usual dirt, and
    one story (from 2025-09-01 some teams sell by a new process). The same seed gives the same files. DIR/truth.json
    holds what is true about it. Load it with params/sources/sample.yaml.
"""


def main(arguments: list[str] | None = None) -> None:
    """Run one command and leave with its exit code."""
    options = _parser().parse_args(arguments)
    signal.signal(
        signal.SIGTERM, lambda *_: sys.exit(int(Exit.TERMINATED))
    )  # leaves by the exits below, no kernel stays
    try:
        options.do(options)
    except RunError as error:
        _leave(error, error.code)
    except KeyboardInterrupt:
        _leave("interrupted; nothing was changed", Exit.INTERRUPTED)
    except Exception as error:  # noqa: BLE001 - the last resort of a command line is one clear paragraph
        _leave(error, _code(error))


def _code(error: Exception) -> Exit:
    from salesanalysis.crm.errors import InputRefused, MappingError

    if isinstance(error, InputRefused):
        return Exit.INPUT_REFUSED
    if isinstance(error, MappingError | ValueError):
        return Exit.USAGE
    return Exit.NOT_PUBLISHED if isinstance(error, OSError) else Exit.UNEXPECTED


def _leave(error: Exception | str, code: Exit) -> None:
    known = isinstance(error, str | RunError | ValueError)
    text = str(error) if known else f"{type(error).__name__}: {error}"
    print(f"salesanalysis: {text}", file=sys.stderr)
    sys.exit(int(code))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="salesanalysis",
        description="Sales-process reports from CRM data: load an export, then run the reports.",
    )
    parser.add_argument(
        "--version", action="version", version=f"%(prog)s {metadata.version('salesanalysis')}"
    )
    verbs = parser.add_subparsers(required=True, metavar="{load,process,run,sample}")
    load = _verb(verbs, "load", "bring CRM tables into a store", _LOAD, _load)
    load.add_argument("source", type=Path, metavar="SOURCE", help="folder with the exported files")
    load.add_argument(
        "--mapping",
        type=Path,
        required=True,
        metavar="FILE",
        help="which column is what: params/sources/*.yaml",
    )
    load.add_argument(
        "--into",
        type=Path,
        default=Path("data/crm.duckdb"),
        metavar="STORE",
        help="store to make (default: %(default)s)",
    )
    process = _verb(verbs, "process", "check a process file", _PROCESS, _process)
    process.add_argument("file", type=Path, metavar="FILE", help="for example params/process.yaml")
    run = _verb(verbs, "run", "make the dated reports of a suite", _RUN, _run)
    run.add_argument("suite", type=Path, metavar="SUITE", help="for example params/monthly.yaml")
    run.add_argument(
        "--as-of",
        metavar="DAY",
        help="last day observed, such as 2017-12-31, today or last_month_end (default: the suite's)",
    )
    run.add_argument(
        "--crm", type=Path, metavar="STORE", help="store to read (default: the suite's)"
    )
    run.add_argument(
        "--process", type=Path, metavar="FILE", help="process file to use (default: the suite's)"
    )
    run.add_argument(
        "--out", type=Path, metavar="DIR", help="folder to publish in (default: reports)"
    )
    run.add_argument(
        "--only",
        metavar="NOTEBOOK",
        help="run this notebook only; the other pages of that day stay",
    )
    run.add_argument(
        "--workers",
        type=_positive,
        metavar="N",
        help="notebooks run at a time (default: as many as there are cores)",
    )
    sample = _verb(verbs, "sample", "make the invented company's CRM export", _SAMPLE, _sample)
    sample.add_argument(
        "--deals",
        type=int,
        default=3000,
        metavar="N",
        help="number of deals (default: %(default)s)",
    )
    sample.add_argument(
        "--reps",
        type=int,
        metavar="R",
        help="number of reps, joiners and leavers included (default: one for 75 deals, 12 to 400)",
    )
    sample.add_argument(
        "--seed",
        type=int,
        default=20260630,
        metavar="S",
        help="seed of the random numbers (default: %(default)s)",
    )
    sample.add_argument(
        "--into",
        type=Path,
        default=Path("data/sample"),
        metavar="DIR",
        help="folder to write (default: %(default)s)",
    )
    sample.add_argument(
        "--unchanged",
        action="store_true",
        help="a company in which no team ever changes its process",
    )
    return parser


def _verb(verbs, name: str, title: str, text: str, do: Callable) -> argparse.ArgumentParser:
    parser = verbs.add_parser(
        name,
        help=title,
        description=textwrap.dedent(text).strip(),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.set_defaults(do=do)
    return parser


def _positive(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"must be 1 or more, found {text}")
    return value


def _load(options: argparse.Namespace) -> None:
    from salesanalysis import crm

    print(crm.load(options.source, options.mapping, options.into))


def _process(options: argparse.Namespace) -> None:
    from salesanalysis.crm import process, read_process

    print(process.summary(read_process(options.file)))


def _run(options: argparse.Namespace) -> None:
    from salesanalysis.report.run import run

    print(
        run(
            options.suite,
            as_of=options.as_of,
            crm=options.crm,
            process=options.process,
            out=options.out,
            only=options.only,
            workers=options.workers,
            audiences=_audiences,
        )
    )


def _audiences(*given) -> dict:
    from salesanalysis.metrics.audiences import (
        audiences,
    )  # only where someone has pages of their own

    return audiences(*given)


def _sample(options: argparse.Namespace) -> None:
    from salesanalysis.crm import sample

    print(f"making {options.deals:,} deals", file=sys.stderr, flush=True)
    sample.write(
        options.into,
        deals=options.deals,
        seed=options.seed,
        reps=options.reps,
        changed=not options.unchanged,
    )
    print(options.into)
