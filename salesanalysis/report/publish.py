"""
Put finished reports where readers find them: whole folders or nothing, one run at a time.

Names that begin with a dot are the runner's own: ``.lock``, ``.work-…`` (a run at work, private),
``.old-…`` (a folder being replaced) and ``.failed`` (notebooks of the last run that failed).
"""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from salesanalysis.report.exits import Exit, RunError


@contextmanager
def exclusive(out: Path) -> Iterator[None]:
    """
    Hold the lock of a reports folder, having cleared away what a killed run left in it.

    Raises
    ------
    RunError
        Code LOCKED: another run holds it. Code NOT_PUBLISHED: the folder cannot be written.
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
        raise RunError(
            f"reports cannot be written to {out}: {error.strerror}", Exit.NOT_PUBLISHED
        ) from error
    try:
        _heal(out)
        yield
    finally:
        lock.release()


@contextmanager
def workspace(out: Path) -> Iterator[Path]:
    """Give a private folder on the disk of ``out``, gone at the end."""
    work = Path(tempfile.mkdtemp(prefix=".work-", dir=out))
    try:
        yield work
    finally:
        shutil.rmtree(work, ignore_errors=True)


def keep_failed(out: Path, notebook: Path, *, as_of: str) -> Path:
    """Keep a notebook that failed, readable by its owner only, until the next run."""
    kept = out / ".failed" / as_of / notebook.name
    kept.parent.mkdir(parents=True, exist_ok=True)
    (out / ".failed").chmod(0o700)
    notebook.chmod(0o600)
    os.replace(notebook, kept)
    return kept


def swap(site: Path, target: Path) -> None:
    """
    Put a finished folder in the place of ``target``; readers see the old one or the new one whole.

    Folders that were there keep the access they were given.

    A kill between the two renames leaves ``target`` absent and the old folder beside it; the next
    run puts it back.

    Raises
    ------
    OSError
        The disk refused; ``target`` is as it was.
    """
    for file in [*site.rglob("*"), site]:
        _flush(file)
    _keep_access(target, site)
    old = target.with_name(f".old-{target.name}")
    if target.exists():
        os.replace(target, old)
    try:
        os.replace(site, target)
    except OSError:
        if old.exists():
            os.replace(old, target)
        raise
    _flush(target.parent)
    shutil.rmtree(old, ignore_errors=True)


def _keep_access(old: Path, new: Path) -> None:
    """Give each folder mode and access list of the one it replaces (owner and group are not)."""
    for folder in [new, *(path for path in new.rglob("*") if path.is_dir())]:
        before = old / folder.relative_to(new)
        if before.is_dir():
            times = folder.stat()
            shutil.copystat(before, folder)
            os.utime(folder, ns=(times.st_atime_ns, times.st_mtime_ns))


def _heal(out: Path) -> None:
    for left in [*out.glob(".work-*"), *out.glob(".failed")]:
        shutil.rmtree(left) if left.is_dir() else left.unlink()
    for old in out.glob(".old-*"):
        target = out / old.name.removeprefix(".old-")
        if target.exists():
            shutil.rmtree(old)
        else:
            os.replace(old, target)


def _flush(path: Path) -> None:
    """Write a file, or the entries of a folder, through to the disk (not possible on Windows)."""
    if os.name != "posix":
        return
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
