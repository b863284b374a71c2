"""Telling how a run ended, when the services it is told to fail."""

import base64
import email
import email.policy
import json
import logging
import os
import socket
import threading
import time
from contextlib import ExitStack, contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from socketserver import StreamRequestHandler, ThreadingTCPServer

import pytest

from salesanalysis.report import notify

from . import processes, projects

TOKEN = "tok-5f1d8a2b9c3e4d6f"
PASSWORD = "pass-7a6b5c4d3e2f1a0b"
SHORT = 10
"""Seconds within which those that answer do, on a machine at work."""

SENT = notify.success("Monthly", "2026-06-30", "https://reports.example/2026-06-30/", 24, ["报表"])


class Handler(BaseHTTPRequestHandler):
    """Answers as the path says, and keeps what it was sent."""

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        kind = self.path.split("/")[1]
        if kind == "hangs":
            self.server.ended.wait(60)
        elif kind == "drips":
            with suppress(OSError):
                while not self.server.ended.wait(0.2):
                    self.wfile.write(b"H")
        elif kind == "wecom":
            self.say(200, {"errcode": 93000, "errmsg": f"invalid webhook url, {TOKEN}"})
        elif kind == "login":
            login = base64.b64encode(f"robot:{PASSWORD}".encode()).decode()
            self.say(200 if self.headers["Authorization"] == f"Basic {login}" else 401, {})
        else:
            if kind == "200":
                self.server.received.append(body)
            self.say(int(kind), {"errcode": 0, "token": TOKEN})

    def say(self, status, value):
        data = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_arguments):
        """Nothing."""


@pytest.fixture
def web():
    """A web server; its address, and what it received."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads, server.received, server.ended = True, [], threading.Event()
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    server.place = f"127.0.0.1:{server.server_port}"
    yield server
    server.ended.set()
    server.shutdown()
    server.server_close()


class Mail(StreamRequestHandler):
    """As much of SMTP as it takes to log in and hand over a mail."""

    def handle(self):
        self.wfile.write(b"220 mail\r\n")
        data = None
        while line := self.rfile.readline():
            word = line.split()[0].upper() if line.split() else b""
            if data is not None:
                if line == b".\r\n":
                    self.server.received.append(b"".join(data))
                    data = None
                    self.wfile.write(b"250 ok\r\n")
                else:
                    data.append(line)
            elif word == b"EHLO":
                self.wfile.write(b"250-mail\r\n250 AUTH PLAIN\r\n")
            elif word == b"AUTH":
                is_right = base64.b64decode(line.split()[2]).endswith(
                    f"\0robot\0{PASSWORD}".encode()
                )
                self.wfile.write(b"235 ok\r\n" if is_right else b"535 authentication failed\r\n")
            elif word == b"DATA":
                data = []
                self.wfile.write(b"354 go on\r\n")
            elif word == b"QUIT":
                self.wfile.write(b"221 bye\r\n")
                return
            else:
                self.wfile.write(b"250 ok\r\n")


@pytest.fixture
def mail():
    """A mail server."""
    with ThreadingTCPServer(("127.0.0.1", 0), Mail) as server:
        server.daemon_threads, server.received = True, []
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield server
        server.shutdown()


def unused_port():
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


def mail_to(server, password):
    port = server.server_address[1]
    return (
        f"mailto://127.0.0.1:{port}?smtp=127.0.0.1&user=robot&pass={password}&mode=insecure"
        f"&from=robot@example.com&to=ops@example.com&format=text"
    )


@contextmanager
def published(folder):
    """Published reports; whatever happens, they stay as they are."""
    (folder / "2026-06-30").mkdir(parents=True)
    (folder / "2026-06-30" / "index.html").write_text("reports")
    (folder / "index.html").write_text("dates")
    before = {path: (path.stat().st_mtime_ns, path.read_bytes()) for path in folder.rglob("*.html")}
    yield
    after = {path: (path.stat().st_mtime_ns, path.read_bytes()) for path in folder.rglob("*.html")}
    assert after == before


FAULTS = {
    "answers 500": (f"json://{{web}}/500/{TOKEN}", "JSON", "the service answered 500"),
    "answers 403 to a wrong token": (f"xml://{{web}}/403/{TOKEN}", "XML", "the service answered 403"),
    "answers 401 to a wrong password": (
        f"json://robot:{TOKEN}@{{web}}/login", "JSON", "the service answered 401",
    ),
    "answers 200 with an error code, as 企业微信 does": (
        f"json://{{web}}/wecom/?+X-Token={TOKEN}", "JSON", "the service answered with error 93000",
    ),
    "never answers": (f"json://{{web}}/hangs/{TOKEN}?rto=1", "JSON", "the service did not answer"),
    "answers a byte at a time, for ever": (
        f"json://{{web}}/drips/{TOKEN}", "", "there was no answer within {seconds} s",
    ),
    "no such host": (f"json://nowhere.invalid/{TOKEN}", "JSON", "the service cannot be reached"),
    "nobody listens": (f"json://127.0.0.1:{{unused}}/{TOKEN}", "JSON", "the service cannot be reached"),
    "no TLS where TLS is asked for": (f"jsons://{{web}}/200/{TOKEN}", "JSON", "the service cannot be reached"),
    "a mail server refuses the password": ("{mail}", "E-Mail", "sending failed"),
    "no address": (TOKEN, "", "it is no address that apprise knows"),
    "no known service": (f"nothing://{TOKEN}", "", "it is no address that apprise knows"),
    "an address without its token": ("slack://", "", "it is no address that apprise knows"),
    "nonsense": (f"json://[{TOKEN}:::/%zz", "", "it is no address that apprise knows"),
}  # fmt: skip


def addresses(web, mail):
    places = {"web": web.place, "unused": unused_port(), "mail": mail_to(mail, TOKEN)}
    return {what: form.format(**places) for what, (form, _service, _problem) in FAULTS.items()}


@pytest.fixture
def told(monkeypatch, capfd, caplog):
    """Tell addresses with everything logged; gives the result, the warnings, and all that can be seen."""
    caplog.set_level(logging.DEBUG)
    for name in ("apprise", "urllib3", "requests"):
        logging.getLogger(name).setLevel(1)

    def _told(*addresses, seconds=notify.SECONDS):
        monkeypatch.setenv(notify.ADDRESSES, "\n".join(addresses))
        warned = []
        result = notify.notify(*SENT, warn=warned.append, seconds=seconds)
        shown = capfd.readouterr()
        assert shown == ("", "")
        return result, warned, "\n".join([caplog.text, *warned])

    return _told


@pytest.mark.parametrize("what", sorted(FAULTS))
def test_a_service_that_fails_is_a_warning(what, told, web, mail, tmp_path, record):
    """
    One warning that says which address and why, no token in anything that can be seen, and reports that stay.
    """
    _form, service, problem = FAULTS[what]
    seconds = 4 if "for ever" in what else notify.SECONDS
    began = time.monotonic()

    with published(tmp_path):
        result, warned, everything = told(addresses(web, mail)[what], seconds=seconds)

    assert result is False
    (warning,) = warned
    name = f" ({service})" if service else ""
    expected = f"address 1 of 1 in {notify.ADDRESSES}{name} was not told: {problem}"
    assert warning.startswith(expected.format(seconds=seconds))
    assert TOKEN not in everything
    assert "tok-5f1d" not in everything
    assert time.monotonic() - began < seconds + 10
    assert not of_ours(notify._CALLED_AS)
    assert web.received == mail.received == []
    record("R15", f"a service {what}" if what.startswith("a") else what, 1,
           "published, a warning, token masked")  # fmt: skip


@pytest.mark.parametrize("what", ["answers a byte at a time, for ever", "nobody listens"])
def test_one_that_fails_keeps_nobody_else_from_being_told(what, told, web, mail, record, n):
    """
    A web server and a mail server get title and text, though an address between them fails; all at the same time.
    """
    rounds = n(short=1, full=8)
    for number in range(1, rounds + 1):
        good = [f"json://robot:{PASSWORD}@{web.place}/200/{TOKEN}", mail_to(mail, PASSWORD)]

        result, warned, everything = told(
            good[0], addresses(web, mail)[what], good[1], seconds=SHORT
        )

        assert result is False
        (warning,) = warned
        assert warning.startswith("address 2 of 3 in SALESANALYSIS_NOTIFY ")
        assert TOKEN not in everything
        assert PASSWORD not in everything
        message = json.loads(web.received[-1])
        assert (message["title"], message["message"]) == SENT
        assert b"Subject: Monthly, 2026-06-30: published" in mail.received[-1]
        assert len(web.received) == len(mail.received) == number
    record("R15", f"between two addresses that work, one that fails: {what}", rounds,
           "both were told, one warning")  # fmt: skip


def test_all_are_told(told, web, mail, record):
    """
    Then there is no warning; what is not ASCII arrives whole.
    """
    result, warned, everything = told(
        f"json://robot:{PASSWORD}@{web.place}/200/{TOKEN}",
        f"xml://{web.place}/200/{TOKEN}",
        mail_to(mail, PASSWORD),
        f"json://robot:{PASSWORD}@{web.place}/login",
    )

    assert (result, warned) == (True, [])
    assert (
        json.loads(next(data for data in web.received if data[:1] == b"{"))["message"] == SENT.body
    )
    assert any("Warning: 报表" in data.decode() for data in web.received if data[:1] == b"<")
    letter = email.message_from_bytes(mail.received[0], policy=email.policy.default)
    assert letter["Subject"] == SENT.title
    assert "Warning: 报表" in letter.get_body().get_content()
    assert PASSWORD not in everything
    record("R15", "web hooks and a mail server that work", 4, "told, no warning")


def of_ours(module):
    """Processes that run a module for this test."""
    found = []
    with ExitStack() as stack:
        stack.enter_context(suppress(FileNotFoundError))
        for folder in Path("/proc").glob("[0-9]*"):
            with suppress(OSError):
                is_child = f"\nPPid:\t{os.getpid()}\n" in (folder / "status").read_text()
                if is_child and module.encode() in (folder / "cmdline").read_bytes():
                    found.append(folder.name)
    return found


@pytest.mark.parametrize(
    ("what", "extra", "code"),
    [("published", [], 0), ("refused", ["--as-of", "2027-13-01"], 2)],
)
def test_a_run_whose_news_nobody_hears(what, extra, code, web, mail, tmp_path, record):
    """
    A run that publishes still ends with 0, one that is refused with its own code; no file and no output has the token.
    """
    project = projects.project(tmp_path / "project")
    bad = addresses(web, mail)
    news = bad["answers 403 to a wrong token"]
    heard = f"json://robot:{PASSWORD}@{web.place}/200/{TOKEN}"

    done = processes.done(
        *("run", project.suite, *extra), env={notify.ADDRESSES: f"{news} {heard}"}
    )

    assert done.returncode == code, done.stderr.decode()
    assert (project.root / "reports/2026-06-30/index.html").exists() == (code == 0)
    assert b"warning: address 1 of 2 in SALESANALYSIS_NOTIFY (XML) was not told" in done.stderr
    assert b"address 2" not in done.stderr
    (message,) = map(json.loads, web.received)
    assert ("not published" in message["title"]) == (code != 0)
    everything = [done.stdout, done.stderr]
    everything += [path.read_bytes() for path in project.root.rglob("*") if path.is_file()]
    for secret in (TOKEN, PASSWORD):
        assert not [data for data in everything if secret.encode() in data]
    record("R15", f"a run that is {what}, one of 2 addresses fails", 1,
           f"exit {code}, one warning, token nowhere")  # fmt: skip
