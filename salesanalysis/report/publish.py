"""
Put finished reports where readers find them: whole sets or nothing, one run at a time.

Each folder that readers open has ``index.html``, which links the pages of one set, and
``manifest.json``, which has the sum of each file. A set is a folder named by what is in it, and no
file of it ever changes. So a date is replaced like this:

1. What is new is laid beside what it will replace, under the same name with ``.next-`` before it.
   Made there, it has the access of the folder that it is in.
2. ``.next-<as-of>``, which lists the folders that the date has from now on, appears beside the date.
   Until then the new reports can be thrown away; from then on they are published.
3. Sets get their names, then manifests are replaced, then indexes; folders of readers come first and
   the date's own last, so that no link leads nowhere. Then come the list of all dates and ``latest``.
4. Sets that no manifest names and folders of readers that are not listed go, then ``.next-<as-of>``.

A run that was killed is healed by the next one: before step 2 it removes what was laid, after it it
does steps 3 and 4, which can be done any number of times. A new date appears by one rename.

Other names with a dot in a reports folder are the runner's own too: ``.lock``, ``.work-…`` (a run at
work, private), ``.failed`` (notebooks of the last run that failed) and ``.runs`` (the books of runs).
"""

import errno
import filecmp
import html
import json
import os
import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.parse import unquote

from filelock import FileLock, Timeout

from salesanalysis.report import disk, index, ledger, site
from salesanalysis.report.exits import Exit, RunError
from salesanalysis.report.index import INDEX, MANIFEST
from salesanalysis.report.readers import EVERYONE, KINDS

LATEST = "latest"
"""A symbolic link to the newest date, where the system can make one."""

_NEXT, _WORK = ".next-", ".work-"
_SET = re.compile(r"[0-9a-f]{16}")
_TURNS = {MANIFEST: 1, INDEX: 2}
_OF_DISKS = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EIO}
_NO_LINKS = {errno.EPERM, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP}


@contextmanager
def exclusive(out: Path) -> Iterator[None]:
    """
    Hold the lock of a reports folder, having healed what a killed run left in it.

    Any number of dates can be published under one lock.

    Raises
    ------
    RunError
        Code LOCKED: another run holds it. Code NOT_PUBLISHED: the folder cannot be written, or a
        manifest in it cannot be read. Code USAGE: it holds a date made by an older version.
    """
    try:
        out.mkdir(parents=True, exist_ok=True)
        lock = FileLock(out / ".lock")
        lock.acquire(timeout=0)
    except Timeout:
        raise RunError(
            f"another run is making reports in {out}; wait for its end, or choose another folder",
            Exit.LOCKED,
        ) from None
    except OSError as error:
        raise _not_written(out, error) from error
    try:
        try:
            _heal(out)
        except OSError as error:
            raise _not_written(out, error) from error
        yield
    finally:
        lock.release()


def _not_written(out: Path, error: OSError) -> RunError:
    return RunError(f"reports cannot be written to {out}: {error.strerror}", Exit.NOT_PUBLISHED)


@contextmanager
def workspace(out: Path) -> Iterator[Path]:
    """
    Give a private folder on the disk of ``out``, gone at the end.

    Raises
    ------
    RunError
        Code NOT_PUBLISHED: the disk refuses, or has no room for what is made in it.
    """
    work = None
    try:
        work = Path(tempfile.mkdtemp(prefix=_WORK, dir=out))
        yield work
    except OSError as error:
        if work is None or error.errno in _OF_DISKS:
            raise _not_written(out, error) from error
        raise
    finally:
        if work:
            disk.remove(work)


def keep_failed(out: Path, notebook: Path, *, as_of: str) -> Path:
    """Keep a notebook that failed, readable by its owner only, until the next run."""
    kept = out / ".failed" / as_of / notebook.name
    kept.parent.mkdir(parents=True, exist_ok=True)
    (out / ".failed").chmod(0o700)
    notebook.chmod(0o600)
    os.replace(notebook, kept)
    return kept


def commit(new: Path, dated: Path) -> None:
    """
    Publish the folder of a date that `site.write` made, and bring index and ``latest`` up to date.

    Folders of readers stay where they are, with the access that they were given.

    Raises
    ------
    OSError
        The disk refused; what was published is as it was.
    RunError
        Code NOT_PUBLISHED: the disk refused when the reports were published but not all in their
        places. Each folder shows its old set or its new one, and the next run finishes it.
    """
    draft, marker = dated.with_name(_WORK + dated.name), dated.with_name(_NEXT + dated.name)
    is_new = not dated.exists()
    try:
        if is_new:
            disk.copy(new, draft)
            disk.flush(*disk.flushable(draft))
        else:
            disk.flush(*_lay_beside(new, dated))
            draft.touch(mode=0o600)
            draft.write_text(json.dumps(site.folders(new)), "utf-8")
            disk.flush(draft)
        disk.replace(draft, dated if is_new else marker)
    except BaseException:
        if not marker.exists():
            for left in (draft, *_laid(dated)):
                disk.remove(left)
        raise
    try:
        disk.flush(dated.parent)
        if is_new:
            _show(dated.parent)
        else:
            _roll_forward(marker)
    except OSError as error:
        raise RunError(
            f"the reports of {dated.name} in {dated.parent} are made, but publishing them could not be "
            f"finished: {error.strerror}; each page that can be opened is whole, and the next run "
            f"finishes it once the disk lets it",
            Exit.NOT_PUBLISHED,
        ) from error


def _lay_beside(new: Path, old: Path) -> list[Path]:
    """Copy what differs beside what it will replace, and give all that must be on the disk for it."""
    laid = [old]
    for entry in sorted(new.iterdir()):
        target = old / entry.name
        is_folder = entry.is_dir()
        if target.exists() and target.is_dir() != is_folder:
            raise OSError(errno.EEXIST, f"{target} is in the way; remove it")
        if is_folder and target.is_dir() and not _SET.fullmatch(entry.name):
            laid += _lay_beside(entry, target)
        elif not _is_same(entry, target):
            draft = old / (_NEXT + entry.name)
            disk.copy(entry, draft)
            laid += disk.flushable(draft)
    return laid


def _is_same(new: Path, old: Path) -> bool:
    """Whether a file, or each file of a set, is there already, byte for byte."""
    if new.is_dir():
        return all(_is_same(file, old / file.name) for file in new.iterdir())
    return old.is_file() and filecmp.cmp(new, old, shallow=False)


def _laid(dated: Path) -> list[Path]:
    """Find what was laid in the folders of a date, in the order in which it takes its place."""
    found = _beside(dated, _NEXT)
    return sorted(found, key=lambda draft: (_turn(draft), -len(draft.parts), draft))


def _beside(dated: Path, prefix: str) -> list[Path]:
    folders = [f"{kind}s" for kind in KINDS] + site.folders(dated)
    return [path for folder in folders for path in (dated / folder).glob(f"{prefix}*")]


def _turn(draft: Path) -> int:
    return _TURNS.get(draft.name.removeprefix(_NEXT), 0)


def _roll_forward(marker: Path) -> None:
    """Do steps 3 and 4, from wherever a run was cut short."""
    dated = marker.with_name(marker.name.removeprefix(_NEXT))
    laid = _laid(dated)
    for turn in (0, 1, 2):
        those = [draft for draft in laid if _turn(draft) == turn]
        for draft in those:
            _put_in_place(draft, draft.with_name(draft.name.removeprefix(_NEXT)))
        disk.flush(*{draft.parent for draft in those})
    _show(dated.parent)
    listed = json.loads(marker.read_text("utf-8"))
    for folder in sorted(set(site.folders(dated)) - set(listed)):
        _drop(dated / folder)
    _sweep(dated)
    marker.unlink()


def _put_in_place(draft: Path, target: Path) -> None:
    if not (draft.is_dir() and target.is_dir()):
        disk.replace(draft, target)
        return
    # A set of this name was there, but somebody had changed it.
    for file in sorted(draft.iterdir()):
        disk.replace(file, target / file.name)
    disk.flush(target)


def _show(out: Path) -> None:
    """Bring the list of all dates and ``latest`` up to the dates that are there."""
    index.write(out)
    _point(out, next(iter(index.dates(out)), None))


def _point(out: Path, day: str | None) -> None:
    latest = out / LATEST
    if latest.exists() and not latest.is_symlink():
        return
    if day is None:
        latest.unlink(missing_ok=True)
        return
    if latest.is_symlink() and latest.readlink() == Path(day):
        return
    draft = out / f"{_WORK}{LATEST}"
    draft.unlink(missing_ok=True)
    try:
        draft.symlink_to(day, target_is_directory=True)
    except (OSError, NotImplementedError) as error:
        if os.name == "nt" or getattr(error, "errno", None) in {None, *_NO_LINKS}:
            return
        raise
    disk.replace(draft, latest)
    disk.flush(out)


def _drop(folder: Path) -> None:
    """Take a reader's pages away, and the folder with them unless somebody put other things there."""
    entries = sorted(folder.iterdir())
    own = [entry for entry in entries if _is_own(entry.name)]
    if own and own == entries:
        _discard(folder)
    else:
        # First what refers to others: no link leads nowhere, and no manifest names what is gone.
        for entry in sorted(own, key=lambda entry: _TURNS.get(entry.name, 0), reverse=True):
            _discard(entry)


def _is_own(name: str) -> bool:
    is_set = _SET.fullmatch(name) is not None
    return is_set or name in (INDEX, MANIFEST) or name.startswith((_NEXT, _WORK))


def _sweep(dated: Path) -> None:
    """Remove sets that no manifest names, and what a killed run laid and did not publish."""
    for left in [*_beside(dated, _NEXT), *_beside(dated, _WORK)]:
        disk.remove(left)
    for folder, manifest in site.manifests(dated).items():
        for entry in (dated / folder).iterdir():
            if _SET.fullmatch(entry.name) and entry.name != manifest["set"]:
                with suppress(OSError):  # on Windows a page may be open; the next run tries again
                    _discard(entry)


def _discard(path: Path) -> None:
    """Remove something so that no part of it is ever seen without the rest."""
    doomed = path.with_name(_WORK + path.name.removeprefix(_WORK))
    if doomed != path:
        disk.remove(doomed)
        disk.replace(path, doomed)
    disk.remove(doomed)


def _heal(out: Path) -> None:
    index.refuse_old(out)
    for left in [*out.glob(f"{_WORK}*"), *out.glob(".failed")]:
        disk.remove(left)
    for marker in sorted(out.glob(f"{_NEXT}[0-9]*-[0-9]*-[0-9]*")):
        _roll_forward(marker)
    for dated in index.folders(out):
        _sweep(dated)
    _show(out)


def prune(out: Path, keep: int) -> list[str]:
    """
    Remove all but the newest dates of a reports folder, and the books of the runs that made them.

    Lists of dates are replaced first, so that no link leads nowhere.

    Returns
    -------
    list of str
        The dates that were removed, newest first.

    Raises
    ------
    RunError
        Code USAGE: ``keep`` is less than 1, or there are no reports. Codes of `exclusive`.
    """
    if keep < 1:
        raise RunError(f"the number of dates to keep must be 1 or more, but is {keep}", Exit.USAGE)
    if not out.is_dir():
        raise RunError(f"there are no reports in {out}; name their folder with --out", Exit.USAGE)
    with exclusive(out):
        old = index.dates(out)[keep:]
        try:
            index.write(out, without=old)
            for book in sorted((out / ledger.FOLDER).glob("*/run.json")):
                if _as_of(book) in old:
                    disk.remove(book.parent)
            for day in old:
                _discard(out / day)
        except OSError as error:
            raise _not_written(out, error) from error
    return old


def _as_of(book: Path) -> str | None:
    with suppress(OSError, ValueError, AttributeError):
        return json.loads(book.read_text("utf-8")).get("as_of")
    return None


def check(dated: Path) -> list[str]:
    """
    Compare the published files of a date with their manifests, and follow the links of its pages.

    Returns
    -------
    list of str
        What is wrong, in a line each; nothing for a date that is whole.
    """
    try:
        manifests = site.manifests(dated)
    except RunError as error:
        return [str(error)]
    found = [] if EVERYONE in manifests else [f"{dated} has no {MANIFEST}"]
    for folder, manifest in manifests.items():
        for name, facts in manifest["files"].items():
            file = dated / folder / name
            if not file.is_file():
                found.append(f"{file} is missing")
            elif site.sha256(file) != facts["sha256"]:
                found.append(f"{file} is not as its {MANIFEST} says")
            elif file.suffix == ".html":
                found += [f"{file} links {link}, which is not there" for link in _lost_links(file)]
    return found


def _lost_links(page: Path) -> list[str]:
    links = map(html.unescape, re.findall(r'href="([^"]*)"', page.read_text("utf-8")))
    paths = [link.partition("#")[0] for link in links if not re.match(r"[a-z]+:", link)]
    return [path for path in paths if path and not (page.parent / unquote(path)).is_file()]
