"""
What several kernels of one run need: one computes it, the others read it.

A run names a folder of its own in the environment variable `FOLDER` and removes it at the end. Without the variable
nothing is shared. A file there is only ever a copy of what its reader would have computed itself: where it is missing,
damaged or was made by other code, it is computed anew.
"""

import dataclasses
import datetime
import hashlib
import os
import pickle
import time
import uuid
from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager, suppress
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

import filelock
import numpy as np

FOLDER = "SALESANALYSIS_SHARED"
WORTH_SECONDS = 0.004  # of computing; reading takes about a tenth of it
MOST_BYTES = 100_000_000
WAIT_SECONDS = 600  # for another kernel that computes the same; then it is computed here too

_POLL_SECONDS = 0.01
_DIGEST_BYTES = 32
_MISSING = object()


def computed(
    of: Hashable, key: Hashable, make: Callable[[], Any], *, is_query: bool = False
) -> Any:
    """
    Give what another kernel of the run has computed, or compute it and leave it for them.

    Parameters
    ----------
    of : hashable
        What it was computed from: the store, the day.
    key : hashable
        What was computed, with every argument that matters. Made of texts, numbers, days, None, tuples, sets, named
        tuples and dataclasses; anything else is not shared.
    make : callable
        Computes it.
    is_query : bool
        Whether it is so quick that two kernels had better compute it both than wait for one another.

    Returns
    -------
    What `make` gives, or a copy of it: also the kernel that computes goes on with the copy, so that all have the same.
    """
    folder = os.environ.get(FOLDER)
    name = (
        _name(of, key) if folder and Path(folder).is_dir() else None
    )  # gone at the end of the run
    if name is None:
        return make()
    path = Path(folder) / name
    found = _read(path)
    if found is not _MISSING:
        return found
    if is_query:
        return _made(path, make)
    with _turn(path):
        found = _read(path)
        return _made(path, make) if found is _MISSING else found


def _made(path: Path, make: Callable[[], Any]) -> Any:
    began = time.process_time()
    value = make()
    if time.process_time() - began < WORTH_SECONDS:
        return value
    try:
        text = pickle.dumps(value, protocol=5)
    except (pickle.PicklingError, AttributeError, TypeError):  # what cannot be copied is not shared
        return value
    if len(text) > MOST_BYTES:
        return value
    _write(path, text)
    return pickle.loads(text)  # noqa: S301 - our own, just made


def _read(path: Path) -> Any:
    try:
        content = path.read_bytes()
    except OSError:
        return _MISSING
    digest, text = content[:_DIGEST_BYTES], content[_DIGEST_BYTES:]
    if hashlib.sha256(text).digest() != digest:
        return _MISSING
    return pickle.loads(text)  # noqa: S301 - a kernel of this run wrote it, into a folder that only they have


def _write(path: Path, text: bytes) -> None:
    """Put a whole file in its place; where that fails, the others compute it themselves."""
    work = path.with_name(f".{path.name}.{uuid.uuid4().hex}")
    try:
        work.write_bytes(hashlib.sha256(text).digest() + text)
        os.replace(work, path)
    except OSError:
        with suppress(OSError):
            work.unlink(missing_ok=True)


@contextmanager
def _turn(path: Path) -> Iterator[None]:
    """Wait for a kernel that computes the same; the system frees the lock of one that was killed."""
    lock = filelock.FileLock(path.with_name(f"{path.name}.lock"))
    try:
        lock.acquire(timeout=WAIT_SECONDS, poll_interval=_POLL_SECONDS)
    except (filelock.Timeout, OSError):
        yield
        return
    try:
        yield
    finally:
        lock.release()


def _name(of: Hashable, key: Hashable) -> str | None:
    try:
        text = f"{code()}\n{_text(of)}\n{_text(key)}"
    except TypeError:
        return None
    return hashlib.sha256(text.encode()).hexdigest()


def _text(key: Any) -> str:
    """
    Write a key down so that equal keys, and only they, give equal texts.

    Examples
    --------
    >>> _text(("levers", 90, None, frozenset({"b", "a"})))
    "('levers',90,None,frozenset('a','b'))"

    Raises
    ------
    TypeError
        A part of it is of a kind that may not say all about itself.
    """
    if key is None or type(key) in (str, int, float, bool):
        return repr(key)
    if isinstance(key, datetime.date):  # a datetime too
        return f"{type(key).__name__}({key.isoformat()})"
    if isinstance(key, np.generic):
        return f"{type(key).__name__}({key.item()!r})"
    kind = "" if type(key) is tuple else type(key).__qualname__
    if isinstance(key, tuple):
        return f"{kind}({','.join(map(_text, key))})"
    if isinstance(key, frozenset):
        return f"{kind}({','.join(sorted(map(_text, key)))})"
    if isinstance(key, dict):
        parts = sorted(f"{_text(name)}:{_text(value)}" for name, value in key.items())
        return f"{kind}({','.join(parts)})"
    if dataclasses.is_dataclass(key):
        parts = (_text(getattr(key, field.name)) for field in dataclasses.fields(key))
        return f"{kind}({','.join(parts)})"
    raise TypeError(f"a key must be made of plain values, found {kind}")


@cache
def code() -> str:
    """Name the code that computes, as it stands on the disk."""
    package = Path(__file__).parents[1]
    files = sorted(package.rglob("*.py"))
    states = [(path.relative_to(package).as_posix(), path.stat()) for path in files]
    known = [(name, state.st_size, state.st_mtime_ns) for name, state in states]
    return hashlib.sha256(repr((version("salesanalysis"), known)).encode()).hexdigest()
