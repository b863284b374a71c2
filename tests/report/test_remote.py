"""Copying to another place: whole sets or nothing, in a folder and on real servers."""

import hashlib
import io
import json
import os
import posixpath
import random
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from contextlib import contextmanager, suppress
from pathlib import Path
from socketserver import ThreadingMixIn
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

import fsspec
import pytest
from fsspec.implementations.local import LocalFileSystem

from salesanalysis.report import remote
from salesanalysis.report.exits import Exit, RunError
from salesanalysis.report.remote import publish_to
from salesanalysis.report.run import run

JUNE, JULY = "2026-06-30", "2026-07-31"
A1, B2, C3, T1 = "a1" * 6, "b2" * 6, "c3" * 6, "01" * 6


def digest(data):
    return hashlib.sha256(data).hexdigest()


def write_folder(folder, pages, links=(), home=None):
    """A folder of a date as the runner publishes it: a set, an index, a manifest."""
    set_ = digest(
        "".join(f"{name}\0{digest(text)}\0" for name, text in sorted(pages.items())).encode()
    )[:16]
    (folder / set_).mkdir(parents=True, exist_ok=True)
    for name, text in pages.items():
        (folder / set_ / name).write_bytes(text)
    targets = [f"{set_}/{name}" for name in sorted(pages)] + list(links) + ([home] if home else [])
    links = "".join(f'<a href="{target}">x</a>' for target in targets)
    index = f"{links}{' ' * 3000}</html>".encode()
    (folder / "index.html").write_bytes(index)
    files = {f"{set_}/{name}": text for name, text in pages.items()} | {"index.html": index}
    facts = {name: {"bytes": len(text), "sha256": digest(text)} for name, text in files.items()}
    manifest = {"set": set_, "state": digest(b"".join(pages.values())), "files": facts}
    (folder / "manifest.json").write_text(json.dumps(manifest))
    for old in folder.iterdir():
        if re.fullmatch("[0-9a-f]{16}", old.name) and old.name != set_:
            shutil.rmtree(old)


def write_reports(out, day, text, reps=(A1, B2), size=100):
    """A reports folder with a date; every page of the date has the same text."""
    dated = out / day
    page = (text * size).encode()
    pages = {
        "sales_funnel.html": page,
        "sales_funnel.ipynb": page + b"nb",
        "漏斗.csv": page + b"csv",
    }
    for kind, names in (("reps", reps), ("teams", (T1,))):
        shutil.rmtree(dated / kind, ignore_errors=True)
        for name in names:
            write_folder(dated / kind / name, pages)
    people = [f"../reps/{name}/index.html" for name in reps] + [f"../teams/{T1}/index.html"]
    write_folder(dated / "leadership", pages, people)
    write_folder(dated, pages, ["leadership/index.html"], home="../index.html")
    dates = sorted(path.name for path in out.glob("[0-9]*"))
    links = "".join(f'<a href="{day}/index.html">{day}</a>' for day in dates)
    (out / "index.html").write_text(f"{links}</html>")
    (out / "latest").unlink(missing_ok=True)
    (out / "latest").symlink_to(dates[-1])
    for name in (".lock", ".runs/1/run.json", f"{day}/.next-manifest.json", f".next-{day}"):
        (out / name).parent.mkdir(parents=True, exist_ok=True)
        (out / name).write_text("the runner's own")


@pytest.fixture
def out(tmp_path):
    """Reports of two dates."""
    write_reports(tmp_path / "reports", JUNE, "june 1 ")
    write_reports(tmp_path / "reports", JULY, "july 1 ")
    return tmp_path / "reports"


def seen(folder):
    """Every file that a reader of a folder sees."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not any(part.startswith(".") for part in path.relative_to(folder).parts)
    }  # fmt: skip


def links_that_lead_nowhere(files):
    """Follow every link of every index; an index cut off, and a set that is not what its name says, count too."""
    lost = [name for name in files if name.endswith("manifest.json") and files[name][-1:] != b"}"]
    for name in (name for name in files if name.endswith("index.html")):
        if not files[name].endswith(b"</html>"):
            lost.append((name, "is cut off"))
        for link in re.findall(rb'href="([^"]+)"', files[name]):
            target = posixpath.normpath(f"{posixpath.dirname(name)}/{link.decode()}".lstrip("/"))
            if target not in files:
                lost.append((name, link))
            elif re.search(r"(^|/)[0-9a-f]{16}/[^/]+$", target):
                folder = target.rpartition("/")[0]
                those = {key: files[key] for key in files if key.startswith(f"{folder}/")}
                sums = "".join(
                    f"{key.rpartition('/')[2]}\0{digest(text)}\0"
                    for key, text in sorted(those.items())
                )
                if digest(sums.encode())[:16] != folder.rpartition("/")[2]:
                    lost.append((name, folder))
    return lost


def copy(out, url, *dates, **options):
    return publish_to(out, url, dates=dates, warn=pytest.fail, **options)


@pytest.mark.parametrize("form", ["path", "file"])
def test_a_folder_gets_what_readers_see(out, tmp_path, form):
    """
    All pages, indexes and manifests, the link to the newest date, and nothing of the runner's own.
    """
    there = tmp_path / "share" / "报表"

    copied = copy(out, str(there) if form == "path" else f"file://{there}", JULY)

    assert seen(there) == seen(out)
    assert not [path for path in there.rglob("*") if path.name.startswith(".")]
    assert (there / "latest").readlink() == Path(JULY)
    assert copied.dates == (JUNE, JULY)  # June was not there
    assert copied.n_files == len([path for path in there.rglob("*") if path.is_file()])
    assert copied.n_bytes == sum(path.stat().st_size for path in there.rglob("*") if path.is_file())
    assert links_that_lead_nowhere(seen(there)) == []


def test_a_second_time_only_what_points_is_copied(out, tmp_path):
    """
    Files of sets that are there already are not written again.
    """
    copy(out, str(tmp_path / "there"), JUNE, JULY)
    before = {path: path.stat().st_ino for path in (tmp_path / "there").rglob("*.html")}

    copied = copy(out, str(tmp_path / "there"), JULY)

    assert copied.dates == (JULY,)
    assert copied.n_files == 5 * 2 + 1  # five folders of the date, and the page of all dates
    after = {path: path.stat().st_ino for path in (tmp_path / "there").rglob("*.html")}
    changed = {
        path.relative_to(tmp_path / "there").as_posix()
        for path in before
        if before[path] != after[path]
    }
    assert all(
        name == "index.html" or re.match(f"{JULY}/.*index.html|{JULY}/index.html", name)
        for name in changed
    )


def test_a_file_that_was_cut_off_is_copied_again(out, tmp_path):
    """
    A file of another size does not count as copied.
    """
    copy(out, str(tmp_path / "there"), JUNE, JULY)
    victim = next((tmp_path / "there" / JUNE).glob("*/sales_funnel.html"))
    victim.write_bytes(b"half")

    copy(out, str(tmp_path / "there"), JUNE)

    assert seen(tmp_path / "there") == seen(out)


def test_old_sets_and_dropped_readers_go(out, tmp_path):
    """
    After another run of a date, what nothing points to any more is gone at the other place too.
    """
    copy(out, str(tmp_path / "there"), JUNE, JULY)
    write_reports(out, JUNE, "june 2 ", reps=(A1,))
    shutil.rmtree(out / JUNE / "teams")
    write_folder(out / JUNE / "leadership", {"a.html": b"a"}, [f"../reps/{A1}/index.html"])

    copied = copy(out, str(tmp_path / "there"), JUNE)

    assert copied.dates == (JUNE,)
    assert seen(tmp_path / "there") == seen(out)
    assert not (tmp_path / "there" / JUNE / "reps" / B2).exists()
    assert not (tmp_path / "there" / JUNE / "teams" / T1).exists()


def test_what_somebody_else_put_into_a_readers_folder_stays(out, tmp_path):
    """
    Pages go, an access rule stays, and so does its folder.
    """
    there = tmp_path / "there"
    copy(out, str(there), JUNE, JULY)
    (there / JUNE / "reps" / B2 / ".htaccess").write_text("Require user b2")
    (there / JUNE / "reps" / B2 / ".index.html.part").write_text("left by a run that was killed")
    write_reports(out, JUNE, "june 2 ", reps=(A1,))

    copy(out, str(there), JUNE)

    assert [path.name for path in (there / JUNE / "reps" / B2).iterdir()] == [".htaccess"]


def test_a_date_that_failed_before_is_copied_later(out, tmp_path):
    """
    A run of another date brings the place up to the whole reports folder.
    """
    copy(out, str(tmp_path / "there"), JUNE, JULY)
    write_reports(out, JUNE, "june 2 ")

    copied = copy(out, str(tmp_path / "there"), JULY)

    assert copied.dates == (JUNE, JULY)
    assert seen(tmp_path / "there") == seen(out)


@pytest.mark.parametrize("prune", [False, True])
def test_dates_are_removed_only_when_asked(out, tmp_path, prune):
    """
    A date that the reports folder no longer has stays at the other place, unless its removal is asked for.
    """
    copy(out, str(tmp_path / "there"), JUNE, JULY)
    (tmp_path / "there" / "of somebody else").mkdir()
    shutil.rmtree(out / JUNE)

    copy(out, str(tmp_path / "there"), JULY, prune=prune)

    assert (tmp_path / "there" / JUNE).exists() == (not prune)
    assert (tmp_path / "there" / "of somebody else").exists()
    assert (tmp_path / "there" / JULY / "index.html").exists()


@pytest.mark.parametrize("fault", ["changed", "missing"])
def test_a_file_that_is_not_as_its_manifest_says(out, tmp_path, monkeypatch, fault):
    """
    It is not copied, nor what points to it, and trying again is no help.
    """
    copy(out, str(tmp_path / "there"), JUNE, JULY)
    before = seen(tmp_path / "there")
    write_reports(out, JUNE, "june 2 ")
    victim = next((out / JUNE / "leadership").glob("*/sales_funnel.html"))
    victim.write_bytes(b"june 3 " * 100) if fault == "changed" else victim.unlink()
    monkeypatch.setattr(time, "sleep", lambda seconds: pytest.fail("tried again"))

    with pytest.raises(RunError, match=f"sales_funnel.html (has )?(is )?{fault}") as caught:
        copy(out, str(tmp_path / "there"), JUNE)

    assert caught.value.code == Exit.NOT_PUBLISHED
    now = seen(tmp_path / "there")
    assert {name: now[name] for name in before} == before
    assert links_that_lead_nowhere(now) == []


def test_a_date_that_was_never_published(out, tmp_path):
    """
    It cannot be copied.
    """
    with pytest.raises(RunError, match=f"{JULY[:4]}-08-31 has no manifest.json") as caught:
        copy(out, str(tmp_path / "there"), "2026-08-31")

    assert caught.value.code == Exit.NOT_PUBLISHED


@pytest.mark.parametrize(
    ("url", "found"),
    [
        ("sftp://robot:hunter2-secret@host/reports", "holds a password; give sftp://host/reports"),
        ("s3://AKIA:hunter2-secret@bucket/x", "AWS_SECRET_ACCESS_KEY"),
        ("webdav://:hunter2-secret@host/x", "SALESANALYSIS_PUBLISH_PASSWORD"),
        ("webdav://host/x?token=hunter2-secret", "could be a secret"),
        ("simplecache::s3://bucket/x", "another address"),
        ("https://host/dav", "write webdav://"),
        ("s3://", "names no host or bucket"),
        ("s3:///reports", "names no host or bucket"),
        ("sftp://host:port/x", "is none"),
        ("file://host/x", "three slashes"),
        ("gopher://host/x", "gopher://, which is not known"),
    ],
)
def test_addresses_that_are_refused(out, url, found):
    """
    Passwords and nonsense are refused before anything is done, and never repeated.
    """
    with pytest.raises(RunError, match=re.escape(found)) as caught:
        copy(out, url, JUNE)
    with pytest.raises(RunError, match=re.escape(found)):
        remote.check(out, url)

    assert caught.value.code == Exit.USAGE
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize("place", ["", "inside", ".."])
def test_the_reports_folder_itself_is_refused(out, place):
    """
    Nor may one be in the other.
    """
    with pytest.raises(RunError, match="take a folder apart") as caught:
        copy(out, str(out / place), JUNE)

    assert caught.value.code == Exit.USAGE


def test_a_missing_driver_names_the_extra(out, monkeypatch):
    """
    Whoever has not installed the drivers is told how.
    """
    for driver, url in (
        ("s3fs", "s3://bucket/x"),
        ("paramiko", "sftp://host/x"),
        ("webdav4.fsspec", "webdav://host/x"),
    ):
        monkeypatch.setitem(sys.modules, driver, None)
        monkeypatch.delitem(sys.modules, "fsspec.implementations.sftp", raising=False)
        sys.modules["fsspec.registry"]._registry.pop("s3", None)

        with pytest.raises(RunError, match=r'pip install "salesanalysis\[publish\]"') as caught:
            copy(out, url, JUNE)

        assert caught.value.code == Exit.USAGE


def test_a_store_of_objects(out):
    """
    Where there are no folders, the same files are there under the same names.
    """
    store = fsspec.filesystem("memory")
    store.store.clear()

    copy(out, "memory://bucket/reports", JUNE, JULY)
    write_reports(out, JUNE, "june 2 ", reps=(A1,))
    copy(out, "memory://bucket/reports", JUNE)

    prefix = "/bucket/reports/"
    assert {name.removeprefix(prefix): store.cat_file(name) for name in store.find(prefix)} == seen(
        out
    )


class Flaky:
    """What writes to a folder, and fails as often as told before."""

    def __init__(self, error, n):
        self.error, self.n, self.n_calls = error, n, 0
        self.put = remote._put_beside

    def __call__(self, file, there):
        self.n_calls += 1
        if self.n_calls <= self.n:
            raise self.error
        self.put(file, there)


@pytest.mark.parametrize(
    ("error", "n", "pauses"),
    [
        (TimeoutError("timed out"), 2, [1, 4]),
        (ConnectionResetError(104, "Connection reset by peer"), 1, [1]),
        (EOFError(), 1, [1]),
    ],
)
def test_input_and_output_are_tried_three_times(out, tmp_path, monkeypatch, error, n, pauses):
    """
    Two failures in a row pass, with longer pauses and a warning for each.
    """
    slept, warned = [], []
    monkeypatch.setattr(time, "sleep", slept.append)
    monkeypatch.setattr(remote, "_put_beside", Flaky(error, n))

    publish_to(out, str(tmp_path / "there"), dates=[JUNE], warn=warned.append)

    assert slept == pauses
    assert len(warned) == n
    assert seen(tmp_path / "there") == seen(out)


@pytest.mark.parametrize(
    ("error", "n_calls"),
    [
        (TimeoutError("timed out"), 3),
        (PermissionError(13, "Permission denied"), 1),
        (ValueError("nonsense"), 1),
    ],
)
def test_what_does_not_pass_ends_the_run(out, tmp_path, monkeypatch, error, n_calls):
    """
    The message says that the reports are published here, and what readers there have.
    """
    copy(out, str(tmp_path / "there"), JUNE, JULY)
    before = seen(tmp_path / "there")
    write_reports(out, JUNE, "june 2 ")
    flaky = Flaky(error, 99)
    monkeypatch.setattr(time, "sleep", lambda seconds: None)
    monkeypatch.setattr(remote, "_put_beside", flaky)

    with pytest.raises(
        RunError, match="the reports are published in .* last complete set"
    ) as caught:
        publish_to(out, str(tmp_path / "there"), dates=[JUNE], warn=lambda text: None)

    assert caught.value.code == Exit.NOT_PUBLISHED
    assert flaky.n_calls == n_calls
    assert seen(tmp_path / "there") == before


def test_what_cannot_be_removed_is_said(out, monkeypatch):
    """
    A place that lets nobody remove anything has whole pages all the same.
    """
    store = fsspec.filesystem("memory")
    store.store.clear()
    copy(out, "memory://bucket/worm", JUNE, JULY)
    write_reports(out, JUNE, "june 2 ", reps=(A1,))

    def refuse(self, *_arguments, **_options):
        raise PermissionError(13, "Access Denied")

    monkeypatch.setattr(type(store), "rm", refuse)
    monkeypatch.setattr(type(store), "rm_file", refuse)
    warned = []

    publish_to(out, "memory://bucket/worm", dates=[JUNE], warn=warned.append)

    what = [text.partition(" at memory://bucket/worm could not be removed")[0] for text in warned]
    assert what[0] == f"{JUNE}/reps/{B2}/index.html"
    assert [re.sub("[0-9a-f]{16}$", "set", name) for name in what[1:]] == [
        f"{JUNE}/reps/{A1}/set",
        f"{JUNE}/set",
    ]
    files = {
        name.removeprefix("/bucket/worm/"): store.cat_file(name)
        for name in store.find("/bucket/worm")
    }
    assert files.items() >= seen(out).items()
    assert links_that_lead_nowhere(files) == []


def test_after_each_step_no_link_leads_nowhere(out, tmp_path, monkeypatch):
    """
    Each file that is put and each folder that is removed leaves every index with links to whole sets only.
    """
    there, steps, paths = tmp_path / "there", [], []
    shutil.rmtree(out / JUNE)
    write_reports(out, JULY, "july 1 ")
    copy(out, str(there), JULY)
    put, rm = remote._put_beside, LocalFileSystem.rm

    def step(do):
        def _do(*arguments, **options):
            do(*arguments, **options)
            steps.append(do)
            paths.append(arguments[1])
            assert links_that_lead_nowhere(seen(there)) == [], arguments[1]

        return _do

    monkeypatch.setattr(remote, "_put_beside", step(put))
    monkeypatch.setattr(LocalFileSystem, "rm", step(rm))
    for number, reps in enumerate([(A1, B2), (B2, C3), (A1,)]):
        write_reports(out, JUNE, f"june {number} ", reps=reps)
        copy(out, str(there), JUNE)

        assert seen(there) == seen(out)
    shutil.rmtree(out / JULY)
    write_reports(out, JUNE, "june 9 ")
    copy(out, str(there), JUNE, prune=True)
    assert steps.count(put) > 90
    assert steps.count(rm) > 15
    assert paths[-2:] == [f"{there}/{JULY}/index.html", f"{there}/{JULY}"]


SLOW = """
import os, shutil, sys, time
from pathlib import Path
from salesanalysis.report import remote

def slow(source, copy):
    while piece := source.read(700):
        copy.write(piece)
        copy.flush()
        time.sleep(0.0003)

shutil.copyfileobj = slow
out, there, day = sys.argv[1:]
for _ in sys.stdin:
    if (pid := os.fork()) == 0:
        status = 1
        try:
            remote.publish_to(Path(out), there, dates=[day], warn=print)
            status = 0
        finally:
            os._exit(status)
    print(pid, flush=True)
    print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), flush=True)
"""
"""Copies slowly, in a process of its own for each line."""


def quiet(text):
    """Drop progress."""


def real_links(files):
    """Every link of every page that leads to a file, as a path from the top."""
    for name in (name for name in files if name.endswith(".html")):
        for link in re.findall(rb'href="([^"#:]+)"', files[name]):
            yield posixpath.normpath(f"{posixpath.dirname(name)}/{link.decode()}".lstrip("/"))


def test_what_a_run_publishes(project, no_kernel, tmp_path):
    """
    The runner's own folders are copied whole, for a new date and for one that is made again.
    """
    there, out = tmp_path / "there", project.root / "reports"
    run(project.suite, as_of="2026-05-31", publish_to=str(there), progress=quiet)
    run(project.suite, as_of="2026-06-30", publish_to=str(there), progress=quiet)
    assert seen(there) == seen(out)
    project.write("params/sales_funnel.yaml", "within_days: 30\n")

    run(project.suite, as_of="2026-05-31", publish_to=str(there), progress=quiet)

    assert seen(there) == seen(out)
    assert len(list((there / "2026-05-31").glob("*/"))) == 1  # the old set is gone
    assert (there / "latest").readlink() == Path("2026-06-30")
    assert len(set(real_links(seen(there)))) >= 2 * 3
    assert set(real_links(seen(there))) <= seen(there).keys()


def test_a_run_whose_copy_fails(project, no_kernel, tmp_path):
    """
    It is published here, and ends with the exit code for publishing.
    """
    (tmp_path / "there").write_text("a file is in the way")

    with pytest.raises(RunError, match="the reports are published in") as caught:
        run(project.suite, publish_to=str(tmp_path / "there"), progress=quiet)

    assert caught.value.code == Exit.NOT_PUBLISHED
    assert (project.root / "reports/2026-06-30/index.html").is_file()


def test_killed_at_any_moment_no_link_leads_nowhere(out, tmp_path):
    """
    kill -9 while another version is copied: every index leads to whole sets, and the next run completes the copy.
    """
    there, chance, ends, longest = tmp_path / "there", random.Random(5), [], 0.0
    copy(out, str(there), JUNE, JULY)
    with subprocess.Popen(
        [sys.executable, "-c", SLOW, out, there, JUNE],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    ) as child:  # fmt: skip
        for number in range(15):
            reps = (A1, B2, C3)[: 1 + number % 3]
            write_reports(out, JUNE, f"june {number} ", reps=reps, size=700)
            child.stdin.write("\n")
            child.stdin.flush()
            pid, began = int(child.stdout.readline()), time.monotonic()
            if number % 5:
                time.sleep(chance.uniform(0, longest))
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            ends.append(int(child.stdout.readline()))
            assert links_that_lead_nowhere(seen(there)) == []
            if number % 5 == 0:  # nobody killed this one
                longest = time.monotonic() - began
                assert seen(there) == seen(out)
                assert not [path for path in there.rglob("*") if path.name.startswith(".")]
        child.stdin.close()
    assert ends.count(-signal.SIGKILL) >= 6
    assert set(ends) <= {0, -signal.SIGKILL}


class Quiet(WSGIRequestHandler):
    def log_message(self, *_arguments):
        """Nothing."""


class Threads(ThreadingMixIn, WSGIServer):
    daemon_threads = True


@contextmanager
def webdav_server(folder, refuse=lambda method, n: None):
    """A WebDAV server with a login; may refuse requests with a status."""
    from wsgidav.wsgidav_app import WsgiDAVApp

    folder.mkdir()
    app = WsgiDAVApp(
        {
            "provider_mapping": {"/dav": str(folder)},
            "simple_dc": {"user_mapping": {"*": {"robot": {"password": "webdav-secret-1"}}}},
            "http_authenticator": {"accept_basic": True, "accept_digest": False, "default_to_digest": False},
            "logging": {"enable": False},
            "verbose": 0,
        }
    )  # fmt: skip
    n_of = {}

    def answer(environ, start_response):
        method = environ["REQUEST_METHOD"]
        n_of[method] = n_of.get(method, 0) + 1
        body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        environ["wsgi.input"] = io.BytesIO(
            body
        )  # wsgidav reads to the end, but the line stays open
        if status := refuse(method, n_of[method]):
            start_response(status, [("Content-Length", "0")])
            return [b""]
        return app(environ, start_response)

    server = make_server("127.0.0.1", 0, answer, server_class=Threads, handler_class=Quiet)
    thread = threading.Thread(
        target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True
    )
    thread.start()
    try:
        yield f"webdav+http://127.0.0.1:{server.server_port}/dav/reports/2026"
    finally:
        server.shutdown()
        server.server_close()


@pytest.fixture
def login(monkeypatch):
    """The login of the servers below."""
    monkeypatch.setenv("SALESANALYSIS_PUBLISH_USER", "robot")
    monkeypatch.setenv("SALESANALYSIS_PUBLISH_PASSWORD", "webdav-secret-1")


def twice(out, url, folder):
    """Copy, change a date, copy again with a dropped reader; the place is as the reports folder both times."""
    copy(out, url, JULY)
    assert seen(folder) == seen(out)
    write_reports(out, JUNE, "june 2 ", reps=(A1,))
    copy(out, url, JUNE)
    assert seen(folder) == seen(out)
    assert not (folder / JUNE / "reps" / B2).exists()
    assert not [path for path in folder.rglob("*") if path.name.startswith(".")]
    shutil.rmtree(out / JUNE)
    copy(out, url, JULY, prune=True)
    assert not (folder / JUNE).exists()


def test_a_webdav_server(out, tmp_path, login):
    """
    A real one, with a login.
    """
    with webdav_server(tmp_path / "dav") as url:
        twice(out, url, tmp_path / "dav" / "reports" / "2026")


@pytest.mark.parametrize("method", ["PUT", "MOVE"])
@pytest.mark.parametrize("status", ["500 Internal Server Error", "507 Insufficient Storage"])
def test_a_webdav_server_that_fails(out, tmp_path, monkeypatch, login, method, status):
    """
    Once is tried again; for ever is an error, and never taken for success.
    """
    monkeypatch.setattr(time, "sleep", lambda seconds: None)
    refused = {"at": {2}}

    def refuse(asked, n):
        return status if asked == method and (refused["at"] is None or n in refused["at"]) else None

    with webdav_server(tmp_path / "dav", refuse) as url:
        warned = []
        publish_to(out, url, dates=[JUNE], warn=warned.append)
        folder = tmp_path / "dav" / "reports" / "2026"
        before = seen(folder)
        assert (len(warned), before) == (1, seen(out))
        refused["at"] = None
        write_reports(out, JUNE, "june 2 ")
        with pytest.raises(RunError) as caught:
            publish_to(out, url, dates=[JUNE], warn=warned.append)

    assert caught.value.code == Exit.NOT_PUBLISHED
    assert seen(folder) == before


def test_a_wrong_password_is_no_reason_to_try_again(out, tmp_path, monkeypatch, login):
    """
    An account would be locked; the password is not repeated.
    """
    monkeypatch.setenv("SALESANALYSIS_PUBLISH_PASSWORD", "another-secret-2")

    with (
        webdav_server(tmp_path / "dav") as url,
        pytest.raises(RunError, match="401") as caught,
    ):
        copy(out, url, JUNE)

    assert "secret" not in str(caught.value)


def test_webdav_means_tls(out, monkeypatch, login):
    """
    A password is never sent to a server that speaks plain HTTP.
    """
    monkeypatch.setattr(time, "sleep", lambda seconds: None)
    heard = []
    with socket.create_server(("127.0.0.1", 0)) as server:

        def listen():
            with suppress(OSError):
                while True:
                    connection, _ = server.accept()
                    heard.append(connection.recv(4096))
                    connection.sendall(
                        b"HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Basic\r\n\r\n"
                    )
                    connection.close()

        threading.Thread(target=listen, daemon=True).start()
        url = f"webdav://127.0.0.1:{server.getsockname()[1]}/dav"
        with pytest.raises(RunError, match="could not be copied"):
            publish_to(out, url, dates=[JUNE], warn=lambda text: None)

    assert heard
    assert all(b"HTTP/1.1" not in data and b"Authorization" not in data for data in heard)


@contextmanager
def sftp_server(folder, password="webdav-secret-1"):
    """A real SSH server that serves a folder by sftp; gives its port and its public key."""
    import paramiko
    from paramiko import SFTPAttributes, SFTPHandle, SFTPServer

    folder.mkdir()

    def answered(do):
        def _answered(*arguments):
            try:
                return do(*arguments)
            except OSError as error:
                return SFTPServer.convert_errno(error.errno)

        return _answered

    class Files(paramiko.SFTPServerInterface):
        def _path(self, path):
            return Path(f"{folder}{self.canonicalize(path)}")

        @answered
        def list_folder(self, path):
            found = []
            for one in self._path(path).iterdir():
                attributes = SFTPAttributes.from_stat(one.stat())
                attributes.filename = one.name
                found.append(attributes)
            return found

        @answered
        def stat(self, path):
            return SFTPAttributes.from_stat(self._path(path).stat())

        lstat = stat

        @answered
        def open(self, path, flags, attributes):
            handle = SFTPHandle(flags)
            descriptor = os.open(self._path(path), flags, 0o644)
            mode = {os.O_RDONLY: "rb", os.O_WRONLY: "wb"}.get(flags & os.O_ACCMODE, "r+b")
            handle.readfile = handle.writefile = os.fdopen(descriptor, mode)
            handle.stat = lambda: SFTPAttributes.from_stat(self._path(path).stat())
            return handle

        @answered
        def remove(self, path):
            self._path(path).unlink()
            return paramiko.SFTP_OK

        @answered
        def posix_rename(self, old, new):
            os.replace(self._path(old), self._path(new))
            return paramiko.SFTP_OK

        @answered
        def mkdir(self, path, attributes):
            self._path(path).mkdir()
            return paramiko.SFTP_OK

        @answered
        def rmdir(self, path):
            self._path(path).rmdir()
            return paramiko.SFTP_OK

    class Door(paramiko.ServerInterface):
        def check_auth_password(self, username, given):
            is_right = (username, given) == ("robot", password)
            return paramiko.AUTH_SUCCESSFUL if is_right else paramiko.AUTH_FAILED

        def check_channel_request(self, kind, number):
            return paramiko.OPEN_SUCCEEDED

    key, transports = paramiko.RSAKey.generate(2048), []
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve():
            with suppress(OSError):
                while True:
                    connection, _ = server.accept()
                    transport = paramiko.Transport(connection)
                    transport.add_server_key(key)
                    transport.set_subsystem_handler("sftp", SFTPServer, Files)
                    transports.append(transport)
                    with suppress(paramiko.SSHException, EOFError):
                        transport.start_server(server=Door())

        threading.Thread(target=serve, daemon=True).start()
        port = server.getsockname()[1]
        try:
            yield port, f"[127.0.0.1]:{port} {key.get_name()} {key.get_base64()}\n", transports
        finally:
            for transport in transports:
                transport.close()


@pytest.fixture
def home(tmp_path, monkeypatch):
    """A home with the servers that are known."""
    (tmp_path / "home" / ".ssh").mkdir(parents=True)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)
    return tmp_path / "home" / ".ssh" / "known_hosts"


def test_an_sftp_server(out, tmp_path, login, home):
    """
    A real one, with a login, whose key is known.
    """
    with sftp_server(tmp_path / "ssh") as (port, key, _transports):
        home.write_text(key)
        twice(out, f"sftp://127.0.0.1:{port}/srv/reports", tmp_path / "ssh" / "srv" / "reports")


def test_an_sftp_server_that_breaks_off(out, tmp_path, monkeypatch, login, home):
    """
    The next try connects again.
    """
    monkeypatch.setattr(time, "sleep", lambda seconds: None)
    warned = []
    with sftp_server(tmp_path / "ssh") as (port, key, transports):
        home.write_text(key)
        url = f"sftp://127.0.0.1:{port}/srv"
        checked, n = remote._checked, iter(range(99))

        def cut(file, facts):
            if next(n) == 3:
                transports[-1].close()
            return checked(file, facts)

        monkeypatch.setattr(remote, "_checked", cut)
        publish_to(out, url, dates=[JUNE], warn=warned.append)

    assert len(warned) == 1
    assert len(transports) == 2
    assert seen(tmp_path / "ssh" / "srv") == seen(out)


@pytest.mark.parametrize(
    ("known", "password", "found"),
    [
        ("", "webdav-secret-1", "not in ~/.ssh/known_hosts"),
        ("other", "webdav-secret-1", "BadHostKeyException"),
        ("same", "another-secret-2", "AuthenticationException"),
    ],
)
def test_sftp_servers_that_are_not_trusted(
    out, tmp_path, monkeypatch, login, home, known, password, found
):
    """
    A password goes only to a server whose key is known, and a wrong one only once.
    """
    import paramiko

    monkeypatch.setenv("SALESANALYSIS_PUBLISH_PASSWORD", password)
    with sftp_server(tmp_path / "ssh") as (port, key, transports):
        other = paramiko.RSAKey.generate(1024)
        home.write_text(
            {"": "", "same": key}.get(known, f"{key.split()[0]} ssh-rsa {other.get_base64()}\n")
        )
        with pytest.raises(RunError, match=found) as caught:
            copy(out, f"sftp://127.0.0.1:{port}/srv", JUNE)

    assert caught.value.code == Exit.NOT_PUBLISHED
    assert "secret" not in str(caught.value)
    assert len(transports) == 1


@pytest.fixture
def bucket(monkeypatch):
    """A server that speaks S3, where moto is installed; see docs/schedule.md."""
    server = pytest.importorskip(
        "moto.server", reason="needs moto's S3 server (docs/schedule.md says how)"
    )
    import boto3

    running = server.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    running.start()
    host, port = running.get_host_and_port()
    for name, value in {
        "AWS_ENDPOINT_URL": f"http://{host}:{port}",
        "AWS_ACCESS_KEY_ID": "robot",
        "AWS_SECRET_ACCESS_KEY": "s3-secret-1",
        "AWS_DEFAULT_REGION": "us-east-1",
    }.items():
        monkeypatch.setenv(name, value)
    client = boto3.client("s3")
    client.create_bucket(Bucket="sales")
    yield client
    running.stop()


def objects(client):
    """Every object of the bucket below the reports, and the type that a browser is told."""
    prefix, found, types = "intern/reports/", {}, {}
    for entry in client.list_objects_v2(Bucket="sales", Prefix=prefix).get("Contents", []):
        one = client.get_object(Bucket="sales", Key=entry["Key"])
        found[entry["Key"].removeprefix(prefix)] = one["Body"].read()
        types[entry["Key"].rpartition(".")[2]] = one["ContentType"]
    return found, types


def test_an_s3_server(out, bucket):
    """
    The objects are the files, HTML is called HTML, old sets go, and so do dates when asked.
    """
    url = "s3://sales/intern/reports"
    copy(out, url, JULY)
    found, types = objects(bucket)
    assert found == seen(out)
    assert types["html"] == "text/html"
    write_reports(out, JUNE, "june 2 ", reps=(A1,))
    copy(out, url, JUNE)
    assert objects(bucket)[0] == seen(out)
    shutil.rmtree(out / JUNE)
    copy(out, url, JULY, prune=True)
    assert not [name for name in objects(bucket)[0] if name.startswith(JUNE)]


def test_an_s3_bucket_that_is_not_there(out, bucket):
    """
    It is not made, and trying again is no help.
    """
    with pytest.raises(RunError, match="could not be copied to s3://another") as caught:
        copy(out, "s3://another/reports", JUNE)

    assert caught.value.code == Exit.NOT_PUBLISHED
    assert [one["Name"] for one in bucket.list_buckets()["Buckets"]] == ["sales"]


def test_an_s3_server_that_is_away(out, bucket, monkeypatch):
    """
    Nobody listens: three tries, and the secret is not told.
    """
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    slept, warned = [], []
    monkeypatch.setattr(time, "sleep", slept.append)

    with pytest.raises(RunError, match="could not be copied") as caught:
        publish_to(out, "s3://sales/reports", dates=[JUNE], warn=warned.append)

    assert slept == [1, 4]
    assert "secret" not in "".join([str(caught.value), *warned])
