"""
Tell people how a run ended: by mail, 企业微信, 钉钉, 飞书, Slack, Teams or a webhook, through apprise.

Each address is told by a process of its own, started as ``python -m salesanalysis.report.notify``. It knows this
address only, nothing of what the libraries log there is seen (they log tokens), and one that hangs is ended.
"""

import importlib.util
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, suppress
from typing import Any, NamedTuple

from salesanalysis.present.words import translate, translate_n
from salesanalysis.report.exits import Exit
from salesanalysis.report.redact import ADDRESSES, redact

SECONDS = 30
"""A service that has not answered by then was not told."""

MOST_WARNINGS = 5
"""So many warnings are told; the page says them all."""

_TITLE_BYTES, _BODY_BYTES = 200, 1700  # 企业微信 takes 2,048 bytes for both
_CALLED_AS = "salesanalysis.report.notify"
_QUOTES_DATA = {Exit.UNEXPECTED, Exit.PARTLY}  # what a cell failed with may quote a name


class Message(NamedTuple):
    """What is sent."""

    title: str
    body: str


def success(
    title: str, as_of: str, address: str, n_pages: int, warnings: Sequence[str] = ()
) -> Message:
    """
    Write what is sent when reports were published; it names nobody.

    Parameters
    ----------
    title : str
        The suite's.
    as_of : str
        Last day observed.
    address : str
        Where the page that lists the reports is.
    n_pages : int
        Pages made, those of readers' folders included.
    warnings : sequence of str
        Of the run, not of pages for one person.

    Examples
    --------
    >>> success("Monthly", "2026-06-30", "/srv/reports/2026-06-30/index.html", 1)
    Message(title='Monthly, 2026-06-30: published', body='1 page: /srv/reports/2026-06-30/index.html')
    """
    pages = translate_n("{n} page: {address}", "{n} pages: {address}", n_pages)
    lines = [pages.format(n=n_pages, address=address)]
    lines += [translate("Warning: {text}").format(text=text) for text in warnings[:MOST_WARNINGS]]
    if (n_more := len(warnings) - MOST_WARNINGS) > 0:
        more = translate_n("and {n} more warning", "and {n} more warnings", n_more)
        lines.append(more.format(n=n_more))
    heading = translate("{title}, {as_of}: published")
    return Message(heading.format(title=title, as_of=as_of), "\n".join(lines))


def failure(title: str, as_of: str, reason: str, code: Exit, *, details: str = "") -> Message:
    """
    Write what is sent when a run did not publish everything; it names nobody.

    Parameters
    ----------
    title : str
        The suite's, or the name of its file.
    as_of : str
        Last day observed; empty if the run ended before it was known.
    reason : str
        The message of the error. It is left out where it may quote data, because a cell failed.
    code : Exit
        The exit code.
    details : str
        Where the log is.

    Examples
    --------
    >>> failure("Monthly", "2026-06-30", "KeyError: 'Wang'", Exit.UNEXPECTED, details="/srv/log").body
    'An unexpected error (exit code 1). Details: /srv/log'
    """
    heading = translate("{title}, {as_of}: {outcome}") if as_of else translate("{title}: {outcome}")
    is_partly = code == Exit.PARTLY
    outcome = translate("partly published") if is_partly else translate("not published")
    lines = [translate("{what} (exit code {code}).").format(what=_what(code), code=int(code))]
    if reason and code not in _QUOTES_DATA:
        lines.append(reason)
    if details:
        lines.append(translate("Details: {place}").format(place=details))
    title = heading.format(title=title, as_of=as_of, outcome=outcome)
    return Message(title, " ".join(lines))


def notify(
    title: str, body: str, *, warn: Callable[[str], None], seconds: float = SECONDS
) -> bool | None:
    """
    Send a message to every address of the environment variable ``SALESANALYSIS_NOTIFY``.

    It never raises: what a run has published does not depend on it.

    Parameters
    ----------
    title, body : str
        Plain text; what is too long for the services is cut off, and secrets are taken out.
    warn : callable
        Receives one sentence for each address that was not told; no address stands in it.
    seconds : float
        How long it may take, for all addresses together.

    Returns
    -------
    bool or None
        Whether all were told; None if there is no address.
    """
    addresses = os.environ.get(ADDRESSES, "").split()
    if not addresses:
        return None
    if importlib.util.find_spec("apprise") is None:
        warn(
            f"{ADDRESSES} needs the package apprise, which is not installed, so nobody was told; "
            'install it with pip install "salesanalysis[notify]"'
        )
        return False
    try:
        message = {
            "title": _cut(" ".join(redact(title).split()), _TITLE_BYTES),
            "body": _cut(redact(body), _BODY_BYTES),
        }
        answers = _ask(addresses, json.dumps(message).encode(), seconds)
    except Exception as error:  # noqa: BLE001 - whatever it is, the reports are published
        warn(f"nobody was told how the run ended: {type(error).__name__}: {redact(str(error))}")
        return False
    for number, (service, problem) in enumerate(answers, 1):
        if problem:
            which = f"address {number} of {len(answers)} in {ADDRESSES}"
            warn(f"{which}{f' ({service})' if service else ''} was not told: {problem}")
    return not any(problem for _service, problem in answers)


Answer = tuple[str, str]
"""The name of the service, if it is known, and why it was not told; empty if it was."""


def _ask(addresses: Sequence[str], message: bytes, seconds: float) -> list[Answer]:
    """Start a process for each address, all at once, and wait for what they say."""
    until = time.monotonic() + seconds
    with ExitStack() as stack:
        tellers = []
        for address in addresses:
            teller = stack.enter_context(
                subprocess.Popen(  # noqa: S603 - this Python and this module
                    [sys.executable, "-m", _CALLED_AS],
                    env=os.environ | {ADDRESSES: address},
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.DEVNULL,
                )
            )
            stack.callback(teller.kill)
            with suppress(OSError):  # it has ended already
                teller.stdin.write(message)
            with suppress(OSError):
                teller.stdin.close()
            teller.stdin = None
            tellers.append(teller)
        return [_answer(teller, until, seconds) for teller in tellers]


def _answer(teller: subprocess.Popen, until: float, seconds: float) -> Answer:
    try:
        # Who has ended, while another was waited for, needs a moment to be heard.
        said, _ = teller.communicate(timeout=max(0.5, until - time.monotonic()))
    except subprocess.TimeoutExpired:
        return "", f"there was no answer within {seconds:g} s"
    try:
        service, problem = json.loads(said)
    except ValueError:
        return "", "sending failed"
    return redact(service), redact(problem)


def _cut(text: str, most: int) -> str:
    """
    Shorten a text to a number of bytes of UTF-8.

    Examples
    --------
    >>> _cut("销售漏斗", 9), _cut("funnel", 9)
    ('销售…', 'funnel')
    """
    data = text.encode("utf-8", "replace")
    if len(data) <= most:
        return data.decode()
    return data[: most - len("…".encode())].decode("utf-8", "ignore") + "…"


def _what(code: Exit) -> str:
    """Say what an exit code means."""
    return {
        Exit.USAGE: translate("Wrong usage, or a parameter was refused"),
        Exit.INPUT_REFUSED: translate("The data were refused, or are too old"),
        Exit.PARTLY: translate("Some reports failed, the others are published"),
        Exit.LOCKED: translate("Another run is at work"),
        Exit.NOT_PUBLISHED: translate("Publishing failed; the last good reports are kept"),
        Exit.TRY_LATER: translate("It could not be done now; try again later"),
        Exit.TIMEOUT: translate("A notebook took too long"),
        Exit.INTERRUPTED: translate("The run was interrupted"),
        Exit.TERMINATED: translate("The run was ended from outside"),
        Exit.KERNEL_DIED: translate("A notebook's process died"),
    }.get(code, translate("An unexpected error"))


def _tell(address: str, message: Mapping[str, str]) -> Answer:
    """Send a message to one address."""
    import apprise

    replies = _observe_replies()
    service = apprise.Apprise.instantiate(address)
    if service is None:
        return "", "it is no address that apprise knows; see docs/schedule.md for examples"
    room = apprise.Apprise()
    room.add(service)
    is_told = bool(room.notify(**message, body_format=apprise.NotifyFormat.TEXT))
    problem = replies[-1] if replies else ""
    if is_told and not problem:
        return f"{service.service_name}", ""
    return f"{service.service_name}", problem or "sending failed"


def _observe_replies() -> list[str]:
    """
    Note what is wrong with each reply over HTTP from now on; empty if nothing is.

    企业微信 and 钉钉 answer a wrong token with status 200 and an error code, which apprise takes for success.
    """
    import requests

    problems: list[str] = []
    send = requests.Session.send

    def _send(session: Any, request: Any, **options: Any) -> Any:
        try:
            reply = send(session, request, **options)
        except requests.RequestException as error:
            is_slow = isinstance(error, requests.Timeout)
            problems.append(f"the service {'did not answer' if is_slow else 'cannot be reached'}")
            raise
        problems.append(_problem(reply))
        return reply

    requests.Session.send = _send
    return problems


def _problem(reply: Any) -> str:
    if not reply.ok:
        return f"the service answered {reply.status_code:d}"
    try:
        code = reply.json()["errcode"]
    except (ValueError, TypeError, KeyError):
        return ""
    return f"the service answered with error {code:d}" if isinstance(code, int) and code else ""


def _main() -> None:
    """Tell the address of the environment; the message comes in, the answer goes out."""
    if hasattr(signal, "alarm"):
        signal.alarm(2 * SECONDS)  # whoever started this may be gone
    answer, sys.stdout = sys.stdout, sys.stderr
    answer.write(json.dumps(_tell(os.environ[ADDRESSES], json.load(sys.stdin.buffer))))


if __name__ == "__main__":
    _main()
