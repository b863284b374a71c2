"""Make the reports of a suite: run its notebooks, render their pages, publish each date whole."""

import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from salesanalysis.report import (
    cluster,
    dates,
    deliver,
    index,
    pool,
    publish,
    readers,
    redact,
    settings,
    site,
)
from salesanalysis.report.exits import Exit, RunError
from salesanalysis.report.making import Failed, Made
from salesanalysis.report.plans import (
    Done,
    Look,
    Plan,
    begin,
    clock,
    expect_same_inputs,
    in_order,
    is_published,
    prepare,
)
from salesanalysis.report.readers import EVERYONE
from salesanalysis.report.site import Page

CELL_SECONDS = 3600
"""A cell that runs longer is stopped."""


def to_stderr(text: str) -> None:
    """Show progress to whoever started the run."""
    print(redact.redact(text), end="", file=sys.stderr, flush=True)


def run(suite_path: str | Path, *, as_of: str | None = None, **options: Any) -> Path:
    """
    Make the reports of a suite file as of one day and publish them.

    Parameters
    ----------
    suite_path : path
        ``params/<suite>.yaml``; the project is the parent of ``params``.
    as_of : str, optional
        A day or a word for one, in place of the suite's.
    **options
        As `run_days` takes.

    Returns
    -------
    Path
        The page that lists the reports of the date.

    Raises
    ------
    RunError
        Not every page was published; its ``code`` is the exit code.
    """
    [done] = run_days(suite_path, [as_of], **options)
    if done.error:
        raise done.error
    return done.index


def run_days(
    suite_path: str | Path,
    days: Sequence[str | None],
    *,
    crm: str | Path | None = None,
    process: str | Path | None = None,
    out: str | Path | None = None,
    only: str | None = None,
    look: Look | None = None,
    audiences: readers.Audiences | None = None,
    cell_seconds: int = CELL_SECONDS,
    workers: int | None = None,
    keep_going: bool = False,
    skip_unchanged: bool = False,
    is_stale_allowed: bool = False,
    scheduler: str | None = None,
    publish_to: str | None = None,
    progress: Callable[[str], None] = to_stderr,
) -> list[Done]:
    """
    Make the reports of a suite file for each of several days and publish each date when it is made.

    A notebook runs once, or once for each rep or team that it is for, in one kernel that forgets
    its variables between two pages; as many notebooks at a time as there are workers. Everything is
    made in a private folder, and nothing of a date is published unless each of its pages ends with its
    end mark and can be shown. Pages that other suites made for the date stay. The same inputs give the
    same bytes, except for the time of building, which ``SOURCE_DATE_EPOCH`` can fix.

    Parameters
    ----------
    suite_path : path
        ``params/<suite>.yaml``; the project is the parent of ``params``.
    days : sequence of str or None
        As-of dates, or words for them; None: the suite's.
    crm : path, optional
        A store, in place of the suite's.
    process : path, optional
        A process file, in place of the suite's.
    out : path, optional
        Where reports go; ``reports`` in the project if not given.
    only : str, optional
        Run this notebook only, and keep the other pages of the date as they are.
    look : callable, optional
        Says what the store holds, as `Look` describes; data too old for a date are refused by it.
    audiences : callable, optional
        Says who the reps and teams are; needed if a notebook runs for each of them.
    cell_seconds : int
        How long one cell may take.
    workers : int, optional
        Notebooks run at a time; as many as this process may use cores if not given.
    keep_going : bool
        Publish a date without the pages that failed, saying so, instead of not at all.
    skip_unchanged : bool
        Leave a date alone that was published whole from the same inputs.
    is_stale_allowed : bool
        Make the reports although the newest record is too old.
    scheduler : str, optional
        The address of a Dask scheduler whose workers make the pages, in place of this machine's.
    publish_to : str, optional
        Where what readers see is copied to when it is published, as `remote.publish_to` takes it.
    progress : callable
        Receives lines of text while the run goes on.

    Returns
    -------
    list of Done
        How each day ended, in order.

    Raises
    ------
    RunError
        Nothing could begin.
    """
    title, plans = Path(suite_path).name, []
    try:
        suite = settings.read(Path(suite_path), process=Path(process) if process else None)
        title = suite.title
        folder = Path(out).resolve() if out else suite.root / "reports"
        plans += begin(suite, days, folder, crm, only)
        with publish.exclusive(folder):
            index.write(folder)
            for name in redact.weak_secrets():
                deliver.warner(plans, progress)(
                    f"the value of {name} is too short to be taken out of reports and logs; make it "
                    f"{redact.SHORTEST} characters or longer, or see that no notebook shows it"
                )
            for plan in plans:
                prepare(plan, look, audiences, cell_seconds, is_stale_allowed=is_stale_allowed)
                if skip_unchanged and plan.is_open and is_published(plan):
                    plan.done.index, plan.done.is_unchanged = plan.dated / "index.html", True
                    plan.book.close("unchanged", Exit.PUBLISHED)
            with publish.workspace(folder) as work:
                _make_and_publish(plans, work, workers, scheduler, progress, keep_going)
            deliver.copy(plans, folder, publish_to, progress)
    except BaseException as error:
        for plan in plans:
            if plan.is_open:
                plan.book.close("failed", deliver.code_of(error), message=str(error) or repr(error))
        deliver.tell_failure(title, plans, error, deliver.code_of(error), progress)
        raise
    deliver.tell(title, plans, progress)
    return [plan.done for plan in plans]


def backfill(
    suite_path: str | Path,
    first: str,
    last: str,
    *,
    every: str = "month",
    process: str | Path | None = None,
    **options: Any,
) -> list[Done]:
    """
    Make the reports of the past as they would have looked then.

    Parameters
    ----------
    suite_path : path
        ``params/<suite>.yaml``.
    first, last : str
        Months such as ``2024-01``, or days.
    every : str
        Each ``week``, ``month``, ``quarter``, ``half`` or ``year`` that ends between them gives a date: its last day.
    process : path, optional
        As `run_days` takes it.
    **options
        As `run_days` takes.

    Returns
    -------
    list of Done
        How each date ended, oldest first.
    """
    suite = settings.read(Path(suite_path), process=Path(process) if process else None)
    today = clock().astimezone(suite.timezone).date()
    days = dates.days(first, last, today=today, every=every, year_starts=suite.year_starts)
    return run_days(suite_path, [day.isoformat() for day in days], process=process, **options)


def _make_and_publish(
    plans: Sequence[Plan],
    work: Path,
    workers: int | None,
    scheduler: str | None,
    progress: Callable[[str], None],
    keep_going: bool,
) -> None:
    """Make all dates, as many notebooks at a time as there are workers; publish each when it is made."""
    plans = [plan for plan in plans if plan.is_open]
    if scheduler:
        for plan in plans:
            plan.tasks = cluster.split(plan.tasks)
    tasks = [task for plan in plans for task in plan.tasks]
    if not tasks:
        return
    shown = pool.Progress(tasks, progress)
    try:
        with (
            cluster.far(scheduler)
            if scheduler
            else pool.local(workers or pool.cores(), tasks, work)
        ) as crew:
            jobs = [
                crew.begin(plan.tasks, _teller(plan, work, shown), keep_going=keep_going)
                for plan in plans
            ]
            for plan, job in zip(plans, jobs, strict=True):
                job.wait()
                try:
                    _publish(plan, work / plan.inputs.as_of / "site", keep_going=keep_going)
                except RunError as error:
                    plan.fail(error)
    finally:
        shown.close()


def _teller(plan: Plan, work: Path, shown: pool.Progress) -> Callable[[Made | Failed], None]:
    """Keep what is made for a date, and what failed."""
    folder = work / plan.inputs.as_of / "site"

    def tell(outcome: Made | Failed) -> None:
        name, place = outcome.task.name, {"folder": outcome.folder, "name": outcome.task.name}
        seconds = round(outcome.seconds, 3)
        if isinstance(outcome, Made):
            notebook = folder / outcome.folder / f"{name}.ipynb"
            notebook.parent.mkdir(parents=True, exist_ok=True)
            notebook.write_bytes(outcome.notebook)
            plan.pages.setdefault(outcome.folder, []).append(Page(outcome.entry, notebook))
            plan.book.page(
                **place,
                status="made",
                seconds=seconds,
                bytes=len(outcome.notebook),
                n_warnings=outcome.entry["n_warnings"],
                n_retries=outcome.n_retries,
            )
        else:
            plan.failed.append(_kept_draft(outcome, work, plan))
            plan.book.page(
                **place, status="failed", seconds=seconds, message=plan.failed[-1].reason
            )
        shown.told(outcome)

    return tell


def _kept_draft(failed: Failed, work: Path, plan: Plan) -> Failed:
    """Keep the notebook that failed, and name it in the reason."""
    reason = failed.reason
    if failed.draft is not None:
        draft = work / f"{failed.task.name}.ipynb"
        draft.write_bytes(failed.draft)
        kept = publish.keep_failed(work.parent, draft, as_of=plan.inputs.as_of)
        reason += f"; the notebook as far as it ran is {kept}"
    whose = "" if failed.folder == EVERYONE else f", page in {failed.folder}"
    return Failed(
        failed.task,
        failed.folder,
        f"{failed.task.name}.ipynb{whose}: {reason}",
        failed.code,
        None,
        failed.seconds,
    )


def _publish(plan: Plan, new: Path, *, keep_going: bool) -> None:
    """Publish a date whose tasks have ended, or say why not."""
    failed = plan.failed
    if failed and (not keep_going or len(failed) == sum(len(task.targets) for task in plan.tasks)):
        raise RunError(f"{failed[0].reason}; nothing was published", failed[0].code)
    expect_same_inputs(plan.inputs)
    plan.pages = in_order(plan)
    for pages in plan.pages.values():
        for number, made in enumerate(pages):
            _refuse_taken(pages[:number], made)
    index_page = _write_and_commit(plan, new)
    plan.done.index = index_page
    if failed:
        plan.done.error = RunError(
            f"{len(failed)} of {sum(len(task.targets) for task in plan.tasks)} pages failed, the others are "
            f"published; the first: {failed[0].reason}",
            Exit.PARTLY,
        )
        plan.book.close("partly published", Exit.PARTLY, message=str(plan.done.error))
    else:
        plan.book.close("published", Exit.PUBLISHED)


def _write_and_commit(plan: Plan, new: Path) -> Path:
    inputs, dated = plan.inputs, plan.dated
    name = inputs.suite.path.name
    known = plan.before.get(EVERYONE, {}).get("suites", [])
    others = [suite for suite in known if suite["suite"] != name]
    lacking: dict[str, list[str]] = {}
    for failed in plan.failed:
        lacking.setdefault(failed.folder, []).append(failed.task.name)
    facts = {**plan.facts, "n_failed": len(plan.failed)}
    try:
        site.write(
            new,
            dated,
            before=plan.before,
            pages=plan.pages,
            run={"as_of": inputs.as_of, **facts},
            suites=sorted([facts, *others], key=lambda suite: suite["suite"]),
            readers=[reader for those in plan.people.values() for reader in those],
            failed=lacking,
        )
        publish.commit(new, dated)
    except OSError as error:
        raise RunError(
            f"publishing to {dated.parent} failed: {error.strerror}; the last good reports are kept",
            Exit.NOT_PUBLISHED,
        ) from error
    return dated / "index.html"


def _refuse_taken(pages: Sequence[Page], made: Page) -> None:
    try:
        site.refuse_taken(pages, made.entry)
    except ValueError as error:
        raise RunError(
            f"{made.entry['name']}.ipynb: {error}; nothing was published", Exit.UNEXPECTED
        ) from error
