"""Publishing: whole sets or nothing, one run at a time, healed after a kill; what is killed is in tests/faults."""

import hashlib
import json
import os
import re
import stat
import subprocess
from pathlib import Path

import pytest

from salesanalysis.report import disk, index, publish, site
from salesanalysis.report.exits import Exit, RunError

JUNE = "2026-06-30"


def site_of(text, *, readers=("leadership",), out=None, name="sales_funnel", day=JUNE):
    """The folder of a date as `site.write` leaves it; each page has the same text."""
    new = out / f"new {text}"
    for folder in (".", *readers):
        set_ = hashlib.sha256(f"{folder} {text} {name}".encode()).hexdigest()[:16]
        home = new / folder
        (home / set_).mkdir(parents=True)
        (home / set_ / f"{name}.html").write_text(f'{text} <a href="../index.html">up</a>')
        (home / "index.html").write_text(f'<a href="{set_}/{name}.html">{text}</a>')
        files = {
            path.relative_to(home).as_posix(): {"sha256": site.sha256(path)}
            for path in (home / set_ / f"{name}.html", home / "index.html")
        }
        manifest = {"as_of": day, "suites": [], "reports": [], "set": set_, "files": files}
        (home / "manifest.json").write_text(json.dumps(manifest))
    return new


@pytest.fixture
def out(tmp_path):
    """A reports folder with one date."""
    publish.commit(site_of("old", out=tmp_path), tmp_path / JUNE)
    return tmp_path


def seen(out):
    """What a reader finds under the addresses that stay: the text of each index and of the page it links."""
    found = {}
    for page in sorted((out / JUNE).rglob("index.html")):
        [link] = re.findall('href="(.*?)"', page.read_text())
        name = page.parent.relative_to(out / JUNE).as_posix()
        found[name] = (
            re.sub("<.*?>", "", page.read_text()),
            (page.parent / link).read_text().split()[0],
        )
    return found


def own(out):
    """Names of what is the runner's own, anywhere; but for the lock."""
    return sorted(path.name for path in out.rglob(".*") if path.name != ".lock")


def test_a_new_date_appears_whole(out):
    """
    Index, page, list of dates and ``latest`` lead to it; nothing else is left.
    """
    assert seen(out) == {".": ("old", "old"), "leadership": ("old", "old")}
    assert f'href="{JUNE}/index.html"' in (out / "index.html").read_text()
    assert (out / "latest").readlink() == Path(JUNE)
    assert own(out) == [] and publish.check(out / JUNE) == []


def test_a_set_takes_the_place_of_another(out):
    """
    The old set goes, a reader that is no more goes, a new one comes; what else is in the folder stays.
    """
    (out / JUNE / "note.txt").write_text("mine")

    publish.commit(site_of("new", readers=["reps/0123456789ab"], out=out), out / JUNE)

    assert seen(out) == {".": ("new", "new"), "reps/0123456789ab": ("new", "new")}
    folders = {path.name for path in (out / JUNE).iterdir()}
    set_ = json.loads((out / JUNE / "manifest.json").read_text())["set"]
    assert folders == {"index.html", "manifest.json", "note.txt", "reps", set_}
    assert own(out) == [] and publish.check(out / JUNE) == []


def test_a_folder_left_empty_stays_as_it_is(out):
    """
    What `site.write` does not write anew is not touched.
    """
    new = site_of("new", out=out)
    for path in (new / "leadership").iterdir():
        disk.remove(path)
    before = {path: path.stat().st_ino for path in (out / JUNE / "leadership").rglob("*")}

    publish.commit(new, out / JUNE)

    assert seen(out) == {".": ("new", "new"), "leadership": ("old", "old")}
    assert {path: path.stat().st_ino for path in (out / JUNE / "leadership").rglob("*")} == before


def test_a_folder_made_ready_for_a_date_is_used(tmp_path):
    """
    Its first reports appear in it; folders of readers keep the access that they were given.
    """
    ready = tmp_path / JUNE / "reps" / "0123456789ab"
    ready.mkdir(parents=True)
    ready.chmod(0o700)

    publish.commit(site_of("first", readers=["reps/0123456789ab"], out=tmp_path), tmp_path / JUNE)

    assert seen(tmp_path) == {".": ("first", "first"), "reps/0123456789ab": ("first", "first")}
    assert stat.S_IMODE(ready.stat().st_mode) == 0o700
    assert publish.check(tmp_path / JUNE) == [] and own(tmp_path) == []


@pytest.mark.skipif(os.name != "posix", reason="folders cannot be flushed on Windows")
@pytest.mark.parametrize("is_new", [False, True])
def test_what_a_rename_relies_on_is_on_the_disk_before_it(out, monkeypatch, is_new):
    """
    All that is new before the point of no return; names before manifests, these before indexes, all before old sets go.
    """
    dated = out / ("2026-07-31" if is_new else JUNE)
    new = site_of("new", readers=["leadership", "reps/0123456789ab"], out=out)
    (out / "index.html").write_text("an older list")
    fsync, replace, flushed, dirty, renamed = os.fsync, os.replace, set(), set(), []

    def rename(source, target):
        if source.name == f".work-{dated.name}":
            laid = disk.flushable(source) if is_new else [source, *publish._laid(dated)]
            for path in [path for top in laid for path in disk.flushable(top)]:
                assert path.stat().st_ino in flushed, path
                assert is_new or path == source or path.parent.stat().st_ino in flushed, path
            assert is_new or stat.S_IMODE(source.stat().st_mode) == 0o600
        assert target != out / "index.html" or source.stat().st_ino in flushed
        if target.name in ("manifest.json", "index.html") or target.name.startswith(".work-"):
            kind = {"manifest.json": 1, "index.html": 2}.get(target.name, 3)
            assert not [folder for turn, folder in dirty if turn < kind], target
        replace(source, target)
        if not target.name.startswith(".work-"):
            turn = {"manifest.json": 1, "index.html": 2}.get(target.name, 0)
            dirty.add((turn, target.parent.stat().st_ino))
        renamed.append(target.name)

    def flush(descriptor):
        fsync(descriptor)
        inode = os.fstat(descriptor).st_ino
        flushed.add(inode)
        dirty.difference_update({one for one in dirty if one[1] == inode})

    monkeypatch.setattr(os, "fsync", flush)
    monkeypatch.setattr(os, "replace", rename)

    publish.commit(new, dated)

    assert {dated.name if is_new else f".next-{JUNE}", "index.html"} <= set(renamed)
    assert publish.check(dated) == []


def test_things_take_their_places_in_an_order_that_never_breaks_a_link(out, monkeypatch):
    """
    The point of no return, sets, manifests, indexes, the lists; readers first; what is dropped goes from its index on.
    """
    rep, gone = "reps/0123456789ab", "reps/ba9876543210"
    publish.commit(site_of("old", readers=["leadership", rep, gone], out=out / "1"), out / JUNE)
    (out / JUNE / gone / "note.txt").write_text("mine")
    (out / "index.html").write_text("an older list")
    (out / "latest").unlink()
    (out / "latest").symlink_to("2020-12-31")
    replace, renamed = os.replace, []

    def rename(source, target):
        assert target.name != "latest" or target.is_symlink()  # never away in between
        replace(source, target)
        name = re.sub("[0-9a-f]{16}", "SET", target.relative_to(out).as_posix())
        renamed.append(name.replace(f"{JUNE}/", ""))

    monkeypatch.setattr(os, "replace", rename)

    publish.commit(site_of("new", readers=["leadership", rep], out=out / "2"), out / JUNE)

    dropped = [f"{gone}/.work-{name}" for name in ("index.html", "manifest.json", "SET")]
    assert renamed[:-3] == [
        f".next-{JUNE}",
        *(f"{rep}/SET", "leadership/SET", "SET"),
        *(f"{rep}/manifest.json", "leadership/manifest.json", "manifest.json"),
        *(f"{rep}/index.html", "leadership/index.html", "index.html"),
        *("index.html", "latest"),  # of all dates
        *dropped,
    ]
    assert set(renamed[-3:]) == {f"{rep}/.work-SET", "leadership/.work-SET", ".work-SET"}


def test_an_interruption_at_the_point_of_no_return_throws_nothing_away(out, monkeypatch):
    """
    Ctrl-C just after it leaves all that the next run needs.
    """
    replace = os.replace

    def rename(source, target):
        replace(source, target)
        if target.name == f".next-{JUNE}":
            raise KeyboardInterrupt

    monkeypatch.setattr(os, "replace", rename)
    with pytest.raises(KeyboardInterrupt):
        publish.commit(site_of("new", out=out), out / JUNE)
    monkeypatch.undo()

    assert seen(out)["."] == ("old", "old")
    with publish.exclusive(out):
        assert seen(out) == {".": ("new", "new"), "leadership": ("new", "new")}


def test_the_same_again_replaces_nothing(out):
    """
    Files that are there byte for byte are not written again.
    """
    new = site_of("old", out=out / "new")
    before = {path: path.lstat().st_ino for path in out.rglob("*") if path.name != ".lock"}

    publish.commit(new, out / JUNE)

    assert {path: path.lstat().st_ino for path in out.rglob("*")} == before


def test_a_set_that_somebody_changed_is_mended(out):
    """
    A page under the right name with another text, and one that is missing, come back.
    """
    [page] = (out / JUNE).glob("[0-9a-f]*/sales_funnel.html")
    page.write_text("changed")
    next((out / JUNE / "leadership").glob("*/sales_funnel.html")).unlink()
    assert len(publish.check(out / JUNE)) == 3

    publish.commit(site_of("old", out=out / "new"), out / JUNE)

    assert publish.check(out / JUNE) == []
    assert seen(out)["."] == ("old", "old") and own(out / JUNE) == []


def test_check_says_what_is_wrong(out):
    """
    A lost page, a changed one, a link into nothing, a date without manifest.
    """
    dated = out / JUNE
    [page] = dated.glob("[0-9a-f]*/sales_funnel.html")
    text = page.read_text()

    page.write_text(text + " ")
    assert publish.check(dated) == [f"{page} is not as its manifest.json says"]
    page.unlink()
    lost = f"{page.parent.name}/sales_funnel.html"
    assert publish.check(dated) == [
        f"{page} is missing",
        f"{dated / 'index.html'} links {lost}, which is not there",
    ]
    (dated / "manifest.json").write_text("{")
    assert "must be as it was published" in publish.check(dated)[0]
    assert publish.check(out / "2026-05-31") == [f"{out / '2026-05-31'} has no manifest.json"]


def test_a_refused_write_leaves_the_last_good_reports(out, monkeypatch):
    """
    When the disk refuses before all is laid, what was laid is removed.
    """
    flush = disk.flush

    def refuse(*paths):
        if len(paths) > 1:
            raise OSError(28, "No space left on device")
        flush(*paths)

    monkeypatch.setattr(disk, "flush", refuse)
    with pytest.raises(OSError, match="No space left"):
        publish.commit(site_of("new", out=out), out / JUNE)

    assert seen(out)["."] == ("old", "old") and own(out) == []


def test_a_refusal_after_the_point_of_no_return_is_finished_by_the_next_run(out, monkeypatch):
    """
    The message says that the reports are made; the next run needs no new page to finish.
    """
    replace = os.replace

    def refuse(source, target):
        if str(target).endswith("index.html"):
            raise OSError(28, "No space left on device")
        replace(source, target)

    monkeypatch.setattr(os, "replace", refuse)
    with pytest.raises(
        RunError, match="are made, but .* could not be finished: No space"
    ) as caught:
        publish.commit(site_of("new", out=out), out / JUNE)
    monkeypatch.undo()

    assert caught.value.code == Exit.NOT_PUBLISHED
    assert seen(out) == {".": ("old", "old"), "leadership": ("old", "old")}
    with publish.exclusive(out):
        assert seen(out) == {".": ("new", "new"), "leadership": ("new", "new")}
        assert own(out) == []


def test_a_file_that_is_open_is_replaced_a_little_later(tmp_path, monkeypatch):
    """
    Windows refuses while somebody reads the old file; three more tries follow, and then the error.
    """
    waits, replace = [], os.replace
    (tmp_path / "a").write_text("a")

    def refuse(source, target):
        if len(waits) < n_refused:
            raise PermissionError(13, "Access is denied")
        replace(source, target)

    monkeypatch.setattr(os, "replace", refuse)
    monkeypatch.setattr(disk.time, "sleep", waits.append)
    n_refused = 3
    disk.replace(tmp_path / "a", tmp_path / "b")
    assert (tmp_path / "b").read_text() == "a"

    waits.clear()
    n_refused = 4
    with pytest.raises(PermissionError):
        disk.replace(tmp_path / "b", tmp_path / "c")
    assert len(waits) == 3 and sum(waits) < 1


def test_what_stands_in_the_way_is_named_before_anything_changes(out):
    """
    A folder where an index must be is not removed; the last good reports stay.
    """
    disk.remove(out / JUNE / "leadership" / "index.html")
    (out / JUNE / "leadership" / "index.html").mkdir()

    with pytest.raises(OSError, match="leadership/index.html is in the way; remove it"):
        publish.commit(site_of("new", out=out), out / JUNE)

    assert (out / JUNE / "index.html").read_text().endswith(">old</a>") and own(out) == []


def test_a_second_run_is_refused(tmp_path):
    """
    While one run holds a folder, another ends at once with its own exit code.
    """
    with (
        publish.exclusive(tmp_path),
        pytest.raises(RunError, match="another run is making reports") as caught,
        publish.exclusive(tmp_path),
    ):
        pass

    assert caught.value.code == Exit.LOCKED
    with publish.exclusive(tmp_path):
        pass


def test_several_dates_are_published_under_one_lock(tmp_path):
    """
    Each is there when its turn is over; ``latest`` is the newest of them, whatever came last.
    """
    with publish.exclusive(tmp_path):
        for day in ("2026-05-31", "2026-07-31", JUNE):
            publish.commit(site_of(day, out=tmp_path, day=day), tmp_path / day)

    assert index.dates(tmp_path) == ["2026-07-31", JUNE, "2026-05-31"]
    assert (tmp_path / "latest").readlink() == Path("2026-07-31")
    listed = re.findall('href="([0-9-]*)/index', (tmp_path / "index.html").read_text())
    assert listed == index.dates(tmp_path)


@pytest.mark.parametrize("is_link", [False, True])
def test_what_somebody_else_calls_latest_stays(tmp_path, is_link):
    """
    A folder under that name is left alone; a link is the runner's.
    """
    if is_link:
        (tmp_path / "latest").symlink_to("2020-12-31")
    else:
        (tmp_path / "latest").mkdir()

    publish.commit(site_of("old", out=tmp_path), tmp_path / JUNE)

    assert (tmp_path / "latest").is_symlink() == is_link
    assert not is_link or (tmp_path / "latest").readlink() == Path(JUNE)
    assert own(tmp_path) == []


def test_where_links_are_impossible_there_is_no_latest(tmp_path, monkeypatch):
    """
    As on a memory stick; any other refusal is an error.
    """

    def refuse(code):
        def symlink(*_args, **_kwargs):
            raise OSError(code, os.strerror(code))

        monkeypatch.setattr(os, "symlink", symlink)

    refuse(1)
    publish.commit(site_of("old", out=tmp_path), tmp_path / JUNE)
    assert not os.path.lexists(tmp_path / "latest") and publish.check(tmp_path / JUNE) == []
    refuse(28)
    with pytest.raises(RunError, match="No space left"):
        publish.commit(site_of("new", out=tmp_path), tmp_path / JUNE)


def test_a_folder_that_cannot_be_written_is_refused(tmp_path):
    """
    A file in the place of the folder ends the run with its own exit code.
    """
    (tmp_path / "out").write_text("")

    with (
        pytest.raises(RunError, match="reports cannot be written to") as caught,
        publish.exclusive(tmp_path / "out"),
    ):
        pass

    assert caught.value.code == Exit.NOT_PUBLISHED


def test_what_a_killed_run_left_is_cleared_away(out):
    """
    Work, what was laid and never published, failed notebooks, sets that nothing names; nothing of others.
    """
    dated = out / JUNE
    for name in (
        ".work-x/half.html", f".work-{JUNE}/index.html", ".failed/x.ipynb", f"{JUNE}/.next-index.html",
        f"{JUNE}/leadership/.next-0123456789abcdef/x.html", f"{JUNE}/.next-reps/x/index.html",
        f"{JUNE}/0123456789abcdef/x.html", f"{JUNE}/leadership/.work-0123456789abcdef/x.html",
    ):  # fmt: skip
        (out / name).parent.mkdir(parents=True, exist_ok=True)
        (out / name).write_text("half")
    others = [dated / "notes" / "0123456789abcdef" / "x", dated / "0123456789ABCDEF" / "x",
              out / "0123456789abcdef" / "x", out / "2026-06" / "0123456789abcdef" / "x"]  # fmt: skip
    for path in others:
        path.parent.mkdir(parents=True)
        path.write_text("mine")
    (out / "index.html").unlink()

    with publish.exclusive(out):
        pass

    assert own(out) == [] and publish.check(dated) == []
    assert not (dated / "0123456789abcdef").exists() and (out / "index.html").is_file()
    assert all(path.read_text() == "mine" for path in others)


def test_a_date_that_somebody_removed_is_no_longer_listed(out):
    """
    Every run brings the list of dates up to the folders.
    """
    publish.commit(site_of("may", out=out, day="2026-05-31"), out / "2026-05-31")
    disk.remove(out / JUNE)

    with publish.exclusive(out):
        pass

    assert JUNE not in (out / "index.html").read_text()
    assert (out / "latest").readlink() == Path("2026-05-31")
    disk.remove(out / "2026-05-31")

    with publish.exclusive(out):
        pass

    assert "2026-05-31" not in (out / "index.html").read_text()
    assert not (out / "latest").is_symlink()


def test_a_manifest_that_somebody_broke_is_named(out):
    """
    The run ends before it does anything, and says what to do.
    """
    (out / JUNE / "manifest.json").write_text('{"as_of": "2026-06-30"}')

    with (
        pytest.raises(RunError, match="it has no suites; remove the folder 2026-06-30") as caught,
        publish.exclusive(out),
    ):
        pass

    assert caught.value.code == Exit.NOT_PUBLISHED


@pytest.mark.skipif(os.name != "posix", reason="file modes are those of POSIX")
def test_work_and_failed_notebooks_are_private(tmp_path):
    """
    Only the owner reads the folder of a run at work and what is kept of a failed one.
    """
    with publish.workspace(tmp_path) as work:
        draft = work / "sales_funnel.ipynb"
        draft.write_text("{}")
        modes = [stat.S_IMODE(work.stat().st_mode)]

        kept = publish.keep_failed(tmp_path, draft, as_of=JUNE)

    modes += [stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / ".failed", kept)]
    assert modes == [0o700, 0o700, 0o600]
    assert kept == tmp_path / ".failed" / JUNE / "sales_funnel.ipynb"
    assert not work.exists()


def test_prune_keeps_the_newest_dates_and_the_books_of_their_runs(tmp_path):
    """
    Older ones go with their books; what is not a date stays.
    """
    days = ["2026-03-31", "2026-04-30", "2026-05-31", JUNE]
    for day in days:
        publish.commit(site_of(day, out=tmp_path, day=day), tmp_path / day)
        disk.remove(tmp_path / f"new {day}")
        book = tmp_path / ".runs" / f"20260701T000000Z-{day}" / "run.json"
        book.parent.mkdir(parents=True)
        book.write_text(json.dumps({"as_of": day}))
    (tmp_path / ".runs" / "half").mkdir()
    (tmp_path / ".runs" / "half" / "run.json").write_text("{")
    (tmp_path / "2026").mkdir()

    removed = publish.prune(tmp_path, 2)

    assert removed == ["2026-04-30", "2026-03-31"]
    assert {path.name for path in tmp_path.iterdir()} - {".lock"} == {
        "2026-05-31", JUNE, "2026", "index.html", "latest", ".runs",
    }  # fmt: skip
    assert {path.name[-10:] for path in (tmp_path / ".runs").iterdir()} == {
        "2026-05-31",
        JUNE,
        "half",
    }
    assert not re.search("2026-0[34]", (tmp_path / "index.html").read_text())
    assert publish.prune(tmp_path, 2) == []


def test_prune_takes_a_date_off_the_list_first(tmp_path, monkeypatch):
    """
    A date whose folder cannot be moved is not linked while it goes.
    """
    for day in ("2026-05-31", JUNE):
        publish.commit(site_of(day, out=tmp_path, day=day), tmp_path / day)
    replace = os.replace

    def refuse(source, target):
        if "2026-05-31" in str(source):
            raise OSError(5, "Input/output error")
        replace(source, target)

    monkeypatch.setattr(os, "replace", refuse)
    with pytest.raises(RunError, match="Input/output error"):
        publish.prune(tmp_path, 1)

    assert "2026-05-31" not in (tmp_path / "index.html").read_text()
    assert publish.check(tmp_path / "2026-05-31") == []


@pytest.mark.parametrize(("folder", "keep", "match"), [(".", 0, "1 or more, but is 0"),
                                                       ("none", 1, "no reports in .*none")])  # fmt: skip
def test_prune_refuses_what_makes_no_sense(tmp_path, folder, keep, match):
    """
    Nothing is made and nothing is removed.
    """
    with pytest.raises(RunError, match=match) as caught:
        publish.prune(tmp_path / folder, keep)

    assert caught.value.code == Exit.USAGE and list(tmp_path.iterdir()) == []


@pytest.mark.skipif(os.name != "posix", reason="asks the shell")
def test_a_set_has_the_name_that_the_shell_computes(tmp_path):
    """
    sha256sum of the files, in the order of their bytes, and of that list.
    """
    for name in ("b.html", "a.ipynb", "漏斗.csv", "Z.html"):
        (tmp_path / name).write_text(name)
    facts = {path.name: {"sha256": site.sha256(path)} for path in tmp_path.iterdir()}

    summed = subprocess.run(
        "LC_ALL=C; export LC_ALL; sha256sum * | sha256sum | cut -c1-16",
        shell=True, cwd=tmp_path, capture_output=True, text=True, check=True,
    )  # fmt: skip

    assert site._name_of_set(facts) == summed.stdout.strip()
