"""Files and renames that are on the disk, and not only in memory, before anything relies on them."""

import os
import shutil
import time
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

_PAUSES = (0.05, 0.2, 0.5)
"""Seconds before a rename is tried again."""


def flush(*paths: Path) -> None:
    """Write files, and the entries of folders, through to the disk."""
    # A journal takes many at a time: eight threads wait a tenth of the time of one.
    with ThreadPoolExecutor(max_workers=min(8, len(paths)) or 1) as pool:
        for _ in pool.map(_flush, paths):
            pass


def _flush(path: Path) -> None:
    is_windows = os.name == "nt"
    if is_windows and path.is_dir():  # its entries cannot be flushed there
        return
    descriptor = os.open(path, os.O_RDWR if is_windows else os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def replace(source: Path, target: Path) -> None:
    """Rename in one step: whoever reads ``target`` sees the old one or the new one, whole."""
    for pause in _PAUSES:
        try:
            os.replace(source, target)
            return
        except PermissionError:
            # Windows refuses as long as somebody has the old file open: a reader, a virus scanner.
            time.sleep(pause)
    os.replace(source, target)


def write(path: Path, data: bytes, draft: Path) -> None:
    """Put a file in the place of another in one step; ``draft`` is where it is made."""
    draft.write_bytes(data)
    flush(draft)
    replace(draft, path)
    flush(path.parent)


def copy(source: Path, target: Path) -> None:
    """Copy a file, or a folder and what is in it, with the access that anything new in its place gets."""
    if source.is_dir():
        target.mkdir()
        for entry in sorted(source.iterdir()):
            copy(entry, target / entry.name)
    else:
        shutil.copyfile(source, target)


def remove(path: Path) -> None:
    """Remove a file, a link, or a folder and what is in it, as far as the system lets it go."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        with suppress(OSError):
            path.unlink(missing_ok=True)


def flushable(path: Path) -> Iterable[Path]:
    """Give a file, or a folder and everything in it."""
    return [path, *path.rglob("*")]
