"""What happens to a run's reports when they are published: copied elsewhere, and people told."""

from collections.abc import Callable, Sequence
from pathlib import Path

from salesanalysis.report import notify, remote
from salesanalysis.report.exits import Exit, RunError
from salesanalysis.report.plans import Plan


def copy(
    plans: Sequence[Plan],
    folder: Path,
    publish_to: str | None,
    progress: Callable[[str], None],
) -> None:
    """Copy the dates that were published to another place; a failure there is one of each date."""
    dates_there = [plan.inputs.as_of for plan in plans if plan.done.index]
    if not publish_to or not dates_there:
        return
    published = [plan for plan in plans if plan.done.index]
    try:
        remote.publish_to(folder, publish_to, dates=dates_there, warn=warner(published, progress))
    except RunError as error:
        for plan in published:
            plan.done.error = plan.done.error or error
            plan.book.close("published here only", error.code, message=str(error))


def tell(title: str, plans: Sequence[Plan], progress: Callable[[str], None]) -> None:
    """Notify people how a run ended that came to its end."""
    errors = [plan.done.error for plan in plans if plan.done.error]
    if errors:
        is_partly = len(plans) > 1 and any(plan.done.index for plan in plans)
        code = Exit.PARTLY if is_partly else errors[0].code
        tell_failure(title, plans, errors[0], code, progress)
        return
    warnings = [text for plan in plans for text in plan.book.facts["warnings"]]
    n_pages = sum(len(plan.book.facts["reports"]) for plan in plans)
    index_page = plans[0].done.index if len(plans) == 1 else plans[0].out / "index.html"
    message = notify.success(title, _span(plans), str(index_page), n_pages, warnings)
    notify.notify(*message, warn=warner(plans, progress))


def tell_failure(
    title: str,
    plans: Sequence[Plan],
    error: BaseException,
    code: Exit,
    progress: Callable[[str], None],
) -> None:
    """Notify people that a run published nothing, or not everything."""
    reason = str(error) if isinstance(error, RunError) else ""
    place = plans[0].book.place if plans else ""
    message = notify.failure(title, _span(plans), reason, code, details=place)
    notify.notify(*message, warn=warner(plans, progress))


def warner(plans: Sequence[Plan], progress: Callable[[str], None]) -> Callable[[str], None]:
    """Warn whoever watches, and in the books."""

    def warn(text: str) -> None:
        progress(f"warning: {text}\n")
        for plan in plans:
            plan.book.warn(text)

    return warn


def _span(plans: Sequence[Plan]) -> str:
    days = sorted(plan.inputs.as_of for plan in plans)
    return f"{days[0]} – {days[-1]}" if len(days) > 1 else "".join(days)


def code_of(error: BaseException) -> Exit:
    """Say with which exit code a run ends that ended with this error."""
    if isinstance(error, KeyboardInterrupt):
        return Exit.INTERRUPTED
    if isinstance(error, RunError):
        return error.code
    return Exit.TERMINATED if isinstance(error, SystemExit) else Exit.UNEXPECTED
