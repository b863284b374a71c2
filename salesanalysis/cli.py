"""The command line: make a sample export, load an export, run the reports."""

import argparse
import signal
import sys
import textwrap
from collections.abc import Callable
from datetime import date
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
    number can find its folder. pages.csv, linked from leadership/index.html, says which folder is whose.
    Exit codes: 0 published, 1 unexpected, 2 wrong usage or parameter, 3 input refused or too old, 4 partly published
    (--keep-going), 5 another run is at work, 6 publishing failed, 75 try again later, 124 timeout, 130 interrupted,
    138 a kernel died, 143 terminated.
    Addresses in the environment variable SALESANALYSIS_NOTIFY are told how the run ended.
"""
_BACKFILL = """
    Makes the reports of SUITE as they would have looked at the end of each month (week, quarter, half, year) from one to
    another: nothing recorded later is known to them. What is there already, made from the same files by the same
    version, is left alone. A date that fails does not stop the others; then the exit code is 4 if any was published.
"""
_RUNS = """
    Shows a line for each run and date: when, what, how it ended, how many pages were made and failed, how many rows
    were read, and how long it took. All of it, and the log of each run, is in DIR/.runs.
"""
_PRUNE = """
    Removes the reports of all dates but the newest N, and the books of their runs.
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
    # A shell starts what stands before & with this signal ignored; it must end a run all the same.
    signal.signal(signal.SIGINT, signal.default_int_handler)
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
    _say(text)
    sys.exit(int(code))


def _say(text: str) -> None:
    from salesanalysis.report.redact import redact

    print(f"salesanalysis: {redact(text)}", file=sys.stderr)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="salesanalysis",
        description="Sales-process reports from CRM data: load an export, then run the reports.",
    )
    parser.add_argument(
        "--version", action="version", version=f"%(prog)s {metadata.version('salesanalysis')}"
    )
    verbs = parser.add_subparsers(
        required=True, metavar="{load,process,run,backfill,runs,prune,sample}"
    )
    _add_load(_verb(verbs, "load", "bring CRM tables into a store", _LOAD, _load))
    process = _verb(verbs, "process", "check a process file", _PROCESS, _process)
    process.add_argument("file", type=Path, metavar="FILE", help="for example params/process.yaml")
    _add_run(_verb(verbs, "run", "make the dated reports of a suite", _RUN, _run))
    _add_backfill(_verb(verbs, "backfill", "make the reports of the past", _BACKFILL, _backfill))
    _add_runs(_verb(verbs, "runs", "show what runs did", _RUNS, _runs))
    _add_prune(_verb(verbs, "prune", "remove all but the newest dates", _PRUNE, _prune))
    _add_sample(_verb(verbs, "sample", "make the invented company's CRM export", _SAMPLE, _sample))
    return parser


def _add_load(load: argparse.ArgumentParser) -> None:
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


def _add_run(run: argparse.ArgumentParser) -> None:
    run.add_argument("suite", type=Path, metavar="SUITE", help="for example params/monthly.yaml")
    run.add_argument(
        "--as-of",
        metavar="DAY",
        help="last day observed, such as 2017-12-31, or today, yesterday, last_month_end, last_quarter_end … (default: the suite's)",
    )
    run.add_argument(
        "--only",
        metavar="NOTEBOOK",
        help="run this notebook only; the other pages of that day stay",
    )
    _add_how(run)


def _add_backfill(backfill: argparse.ArgumentParser) -> None:
    backfill.add_argument(
        "suite", type=Path, metavar="SUITE", help="for example params/monthly.yaml"
    )
    backfill.add_argument(
        "--from", dest="first", required=True, metavar="MONTH", help="such as 2024-01"
    )
    backfill.add_argument(
        "--to", dest="last", required=True, metavar="MONTH", help="such as 2026-10"
    )
    backfill.add_argument(
        "--every",
        choices=("week", "month", "quarter", "half", "year"),
        default="month",
        help="one report at the end of each (default: %(default)s)",
    )
    backfill.add_argument(
        "--again", action="store_true", help="make also what is there already and unchanged"
    )
    _add_how(backfill)


def _add_how(run: argparse.ArgumentParser) -> None:
    """Add the options of every verb that makes reports."""
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
        "--workers",
        type=_positive,
        metavar="N",
        help="notebooks run at a time (default: as many as there are cores)",
    )
    run.add_argument(
        "--scheduler",
        metavar="ADDRESS",
        help="Dask scheduler whose workers make the pages, such as tcp://10.0.0.5:8786",
    )
    run.add_argument(
        "--keep-going",
        action="store_true",
        help="publish without the pages that fail (exit 4), instead of nothing",
    )
    run.add_argument(
        "--stale", action="store_true", help="make the reports although the data are too old"
    )
    run.add_argument(
        "--publish",
        metavar="URL",
        help="then copy what readers see to a folder, s3://, webdav:// or sftp://",
    )


def _add_runs(runs: argparse.ArgumentParser) -> None:
    _add_out(runs)
    runs.add_argument(
        "--last",
        type=_positive,
        default=20,
        metavar="N",
        help="so many, the latest (default: %(default)s)",
    )


def _add_prune(prune: argparse.ArgumentParser) -> None:
    _add_out(prune)
    prune.add_argument(
        "--keep", type=_positive, required=True, metavar="N", help="so many dates, the newest"
    )


def _add_out(verb: argparse.ArgumentParser) -> None:
    verb.add_argument(
        "--out",
        type=Path,
        default=Path("reports"),
        metavar="DIR",
        help="folder of reports (default: %(default)s)",
    )


def _add_sample(sample: argparse.ArgumentParser) -> None:
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
    from salesanalysis.report.run import run_days

    _finish(run_days(options.suite, [options.as_of], only=options.only, **_how(options)))


def _backfill(options: argparse.Namespace) -> None:
    from salesanalysis.report.run import backfill

    span = (options.suite, options.first, options.last)
    _finish(backfill(*span, every=options.every, skip_unchanged=not options.again, **_how(options)))


def _how(options: argparse.Namespace) -> dict:
    return {
        "crm": options.crm,
        "process": options.process,
        "out": options.out,
        "workers": options.workers,
        "scheduler": options.scheduler,
        "keep_going": options.keep_going,
        "is_stale_allowed": options.stale,
        "publish_to": options.publish,
        "look": _look,
        "audiences": _audiences,
    }


def _finish(done: list) -> None:
    """Print the index of each date that has one; leave with the code of what failed."""
    for one in done:
        if one.index:
            print(one.index)
    errors = [one.error for one in done if one.error]
    for error in errors[1:]:
        _say(str(error))
    if errors:
        is_partly = len(done) > 1 and any(one.index for one in done)
        _leave(errors[0], Exit.PARTLY if is_partly else errors[0].code)


def _look(store: Path, as_of: date) -> dict:
    from salesanalysis.crm import freshness

    return {**_told(freshness.about, store), "days": _told(freshness.record_days, store, as_of)}


def _audiences(*given) -> dict:
    from salesanalysis.metrics.audiences import (
        audiences,
    )  # only where someone has pages of their own

    return _told(audiences, *given)


def _told(ask: Callable, *given):
    """Ask the other rooms, and tell their refusals as one of this date."""
    from salesanalysis.crm.errors import InputRefused, ParameterError

    try:
        return ask(*given)
    except InputRefused as error:
        raise RunError(str(error), Exit.INPUT_REFUSED) from error
    except ParameterError as error:
        raise RunError(str(error), Exit.USAGE) from error


def _runs(options: argparse.Namespace) -> None:
    from salesanalysis.report import ledger

    books = ledger.read(options.out)[-options.last :]
    print(ledger.table(books) if books else f"no run has written its book in {options.out} yet")


def _prune(options: argparse.Namespace) -> None:
    from salesanalysis.report import publish

    removed = publish.prune(options.out, options.keep)
    for day in removed:
        print(f"removed {day}")
    if not removed:
        print(f"nothing to remove: {options.out} has no more than {options.keep} dates")


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
