"""
Copy published reports to another place: a folder, S3, WebDAV, sftp, or what else fsspec can write to.

Readers there never see half of a set. Sets have names of their own and come first; what points to them is replaced
afterwards, each file whole; sets that nothing points to are removed last. What a run that was killed left there, the
next one completes.
"""

import json
import os
import re
import shutil
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple, TypeVar
from urllib.parse import unquote, urlsplit

from salesanalysis.report import index, site
from salesanalysis.report.exits import Exit, RunError
from salesanalysis.report.index import INDEX, MANIFEST
from salesanalysis.report.publish import LATEST
from salesanalysis.report.readers import EVERYONE, KINDS, LEADERSHIP
from salesanalysis.report.redact import redact

USER, PASSWORD = "SALESANALYSIS_PUBLISH_USER", "SALESANALYSIS_PUBLISH_PASSWORD"
"""Environment variables with the login of an ``sftp://`` or ``webdav://`` place."""

TRIES = 3
FIRST_PAUSE = 1.0
"""Seconds before the second try; each further pause is four times as long."""

ANSWER_SECONDS = 60
"""How long a server may take for one answer."""

_DATE = re.compile(r"\d{4}-\d\d-\d\d")
_SET = re.compile(r"[0-9a-f]{16}")
_NOT_TO_BE_TRIED_AGAIN = (
    *(PermissionError, FileNotFoundError, FileExistsError, IsADirectoryError, NotADirectoryError),
)
_DRIVERS = {"aiohttp", "botocore", "httpx", "paramiko", "webdav4"}
_LOGIN_ERRORS = {
    *("AuthenticationException", "BadAuthenticationType", "BadHostKeyException"),
    *("NoCredentialsError", "PartialCredentialsError", "PasswordRequiredException"),
    "UnknownHostKey",
}
_SLOW_DOWN = {408, 423, 425, 429}  # of all statuses from 400 to 499, these can pass

_T = TypeVar("_T")


class Published(NamedTuple):
    """What was copied: the dates, and how many files and bytes; files that were there are not counted."""

    dates: tuple[str, ...]
    n_files: int
    n_bytes: int


def publish_to(
    out: Path, url: str, *, dates: Sequence[str], warn: Callable[[str], None], prune: bool = False
) -> Published:
    """
    Bring another place up to a reports folder, whose lock must be held.

    Dates that are there in another state, because an earlier attempt failed, are copied too. Input and output is
    tried three times.

    Parameters
    ----------
    out : Path
        The reports folder.
    url : str
        ``file:///folder`` or a path, ``s3://bucket/path``, ``sftp://host/path``, ``webdav://host/path`` (over TLS;
        ``webdav+http://`` without).
    dates : sequence of str
        The dates that were just made; they are checked file by file.
    warn : callable
        Receives a sentence for each try that failed and for what could not be removed.
    prune : bool
        Whether dates that are no longer in the reports folder are removed at the other place.

    Returns
    -------
    Published

    Raises
    ------
    RunError
        Code USAGE: the address cannot be used; nothing was done. Code NOT_PUBLISHED: a file of the reports folder
        is not as its manifest says, or the other place refused; it has its last complete sets.
    """
    place = _Place(url, _way(url, out), warn)
    here = sorted(index.dates(out))
    if missing := sorted(set(dates) - set(here)):
        raise RunError(
            f"a date must have been published in {out} before it is copied, but {missing[0]} has no {MANIFEST} there",
            Exit.NOT_PUBLISHED,
        )
    try:
        changed = [day for day in here if day in dates or not _is_there(place, out, day)]
        for day in changed:
            _copy_date(place, out / day)
        place.put(out / INDEX, INDEX)
        place.point(out / LATEST)
        if prune:
            for day in sorted(name for name in place.sizes("") if _DATE.fullmatch(name)):
                if day not in here:
                    place.remove([f"{day}/{INDEX}", day])
    except RunError:
        raise
    except Exception as error:
        raise RunError(
            f"the reports are published in {out}, but could not be copied to {url}: {_said(error)}; readers there "
            f"have the last complete set; when it can be written to again, the next run completes it",
            Exit.NOT_PUBLISHED,
        ) from error
    return Published(tuple(changed), place.n_files, place.n_bytes)


def check(out: Path, url: str) -> None:
    """
    Refuse an address that cannot be used, before anything is made for it; nothing is connected to.

    Raises
    ------
    RunError
        Code USAGE.
    """
    _way(url, out)


def _is_there(place: "_Place", out: Path, day: str) -> bool:
    """Whether a date was copied as it is now; its own manifest is the last file of it."""
    return place.read(f"{day}/{MANIFEST}") == (out / day / MANIFEST).read_bytes()


def _copy_date(place: "_Place", dated: Path) -> None:
    folders = [name for name in site.folders(dated) if (dated / name / MANIFEST).is_file()]
    old = {name: _copy_set(place, dated / name, _there(dated, name)) for name in folders}
    readers = [name for name in folders if name != EVERYONE]
    for file in (MANIFEST, INDEX):
        for name in readers:  # in an order in which no index leads to one that is not there yet
            place.put(dated / name / file, f"{_there(dated, name)}/{file}")
    place.put(dated / INDEX, f"{dated.name}/{INDEX}")
    # What is no longer for anyone's eyes goes before the date counts as copied.
    for dropped in _dropped(place, dated):
        place.drop(dropped)
    place.remove(set_ for name in readers for set_ in old[name])
    place.put(dated / MANIFEST, f"{dated.name}/{MANIFEST}")
    place.remove(old[EVERYONE])


def _there(dated: Path, folder: str) -> str:
    """Name a folder of a date as it is called at the other place."""
    return dated.name if folder == EVERYONE else f"{dated.name}/{folder}"


def _copy_set(place: "_Place", folder: Path, there: str) -> list[str]:
    """Copy the files of a folder's set that are not there yet, and give the other sets that are."""
    manifest = json.loads((folder / MANIFEST).read_text("utf-8"))
    set_ = manifest["set"]
    names = place.sizes(there)
    sizes = place.sizes(f"{there}/{set_}") if set_ in names else {}
    place.make_folder(f"{there}/{set_}")
    for key, facts in sorted(manifest["files"].items()):
        own, _, name = key.partition("/")
        if own == set_ and sizes.get(name) != facts["bytes"]:
            place.put(_checked(folder / key, facts), f"{there}/{key}")
    return [f"{there}/{name}" for name in sorted(names) if _SET.fullmatch(name) and name != set_]


def _checked(file: Path, facts: dict[str, Any]) -> Path:
    if not file.is_file() or site.sha256(file) != facts["sha256"]:
        raise RunError(
            f"every published file must be as its {MANIFEST} says, but {file} "
            f"{'has changed' if file.exists() else 'is missing'}; nothing that points to it was copied; make the "
            f"reports of this date again",
            Exit.NOT_PUBLISHED,
        )
    return file


def _dropped(place: "_Place", dated: Path) -> list[str]:
    """List folders of readers that are at the other place only."""
    there = [f"{kind}s/{name}" for kind in KINDS for name in place.sizes(f"{dated.name}/{kind}s")]
    there += [LEADERSHIP] if LEADERSHIP in place.sizes(dated.name) else []
    return [f"{dated.name}/{name}" for name in sorted(there) if not (dated / name).is_dir()]


class _Way(NamedTuple):
    """How to write to a place."""

    files: Any  # of fsspec
    root: str
    put: Callable[[Path, str], None]  # a reader sees the old file or the new one, whole
    has_folders: bool  # that must be made before a file is put into them


class _Place:
    """The other place; what it refuses for a moment is tried again."""

    def __init__(self, url: str, reach: Callable[[], _Way], warn: Callable[[str], None]) -> None:
        self._url, self._reach, self._warn = url, reach, warn
        self._way: _Way | None = None
        self.n_files = self.n_bytes = 0

    def put(self, file: Path, there: str) -> None:
        """Copy one file; what stands there is replaced in one step."""
        self._try(lambda way: way.put(file, _path(way, there)))
        self.n_files += 1
        self.n_bytes += file.stat().st_size

    def read(self, there: str) -> bytes | None:
        """Give a file's bytes, or None if there is none."""
        with suppress(FileNotFoundError):
            return self._try(lambda way: way.files.cat_file(_path(way, there)))
        return None

    def sizes(self, there: str) -> dict[str, int]:
        """Give the sizes of what is in a folder by name; nothing if there is no folder."""
        with suppress(FileNotFoundError):
            entries = self._try(lambda way: way.files.ls(_path(way, there), detail=True))
            return {
                entry["name"].rstrip("/").rpartition("/")[2]: entry["size"] for entry in entries
            }
        return {}

    def make_folder(self, there: str) -> None:
        """Make a folder and those above it, where there are folders."""

        def _make(way: _Way) -> None:
            if way.has_folders:
                way.files.makedirs(_path(way, there), exist_ok=True)

        self._try(_make)

    def remove(self, paths: Iterable[str]) -> bool:
        """
        Remove files and folders in this order, as far as it goes, and say whether all are gone.

        If one cannot be removed, whoever runs this is told, as pages are whole all the same.
        """
        for there in paths:
            try:
                with suppress(FileNotFoundError):
                    self._try(
                        lambda way, there=there: way.files.rm(_path(way, there), recursive=True)
                    )
            except Exception as error:  # noqa: BLE001 - what is left over is no reason to fail
                self._warn(f"{there} at {self._url} could not be removed: {_said(error)}")
                return False
        return True

    def drop(self, there: str) -> None:
        """Take a reader's pages away, and the folder with them unless somebody put other things there."""
        sets = [name for name in sorted(self.sizes(there)) if _SET.fullmatch(name)]
        ours = [f"{there}/{name}" for name in (INDEX, MANIFEST)]
        ours += [*map(_beside, ours), *(f"{there}/{name}" for name in sets)]
        if self.remove(ours) and not self.sizes(there):
            self.remove([there])

    def point(self, link: Path) -> None:
        """Copy a symbolic link, where the place is a folder that can have one."""
        way = self._try(lambda way: way)
        if way.put is not _put_beside or not link.is_symlink():
            return
        draft = Path(way.root) / f".{link.name}.part"
        with suppress(OSError):
            draft.unlink(missing_ok=True)
            draft.symlink_to(link.readlink())
            os.replace(draft, Path(way.root) / link.name)

    def _try(self, do: Callable[[_Way], _T]) -> _T:
        """Do something, up to three times as long as it fails with what may pass."""
        for n_failed in range(TRIES):
            try:
                if self._way is None:
                    self._way = self._reach()
                return do(self._way)
            except Exception as error:
                if n_failed + 1 == TRIES or not _may_pass(error):
                    raise
                self._way = None  # a connection that broke is of no use
                pause = FIRST_PAUSE * 4**n_failed
                self._warn(f"{self._url}: {_said(error)}; trying again in {pause:g} s")
                time.sleep(pause)
        raise AssertionError


def _path(way: _Way, there: str) -> str:
    return "/".join(part for part in (way.root, there) if part) or way.root


def _may_pass(error: Exception) -> bool:
    """Tell a failure of input or output, which another try may heal, from one that stays."""
    status = getattr(error, "status_code", None)
    if isinstance(status, int):
        return status in _SLOW_DOWN or status >= 500
    if type(error).__name__ in _LOGIN_ERRORS:
        return False
    if isinstance(error, OSError | EOFError):
        return not isinstance(error, _NOT_TO_BE_TRIED_AGAIN)
    return type(error).__module__.partition(".")[0] in _DRIVERS


def _said(error: Exception) -> str:
    """Say an error in one short line without secrets."""
    text = " ".join(redact(str(error)).split())
    return f"{type(error).__name__}: {text[:300]}" if text else type(error).__name__


def _way(url: str, out: Path) -> Callable[[], _Way]:
    """
    Give what connects to the place of an address.

    Raises
    ------
    RunError
        Code USAGE: it is no address, holds a password, is the reports folder itself, or its driver is missing.
    """
    if re.match(r"[A-Za-z]:[\\/]", url):  # a folder on a disk of Windows
        return _folder(Path(url), out)
    parts = _parts(url)
    if parts.scheme in ("", "file", "local"):
        return _folder(Path(parts.path if parts.scheme else url), out)
    try:
        if parts.scheme in ("webdav", "dav", "webdav+http"):
            return _webdav(parts)
        if parts.scheme in ("sftp", "ssh"):
            return _sftp(parts)
        return _other(parts.scheme, url)
    except ImportError as error:
        raise RunError(
            f"publishing to {parts.scheme}:// needs a driver that is not installed ({error}); "
            f'install it with pip install "salesanalysis[publish]"',
            Exit.USAGE,
        ) from error


def _parts(url: str) -> Any:
    try:
        parts = urlsplit(url)
        has_password = parts.password is not None
        _ = parts.port
    except ValueError as error:
        raise _refused(f"is none ({redact(str(error))})") from error
    if has_password:
        raise _refused(
            f"holds a password; give {parts.scheme}://{parts.hostname}{parts.path}, and the login in the environment "
            f"variables {USER} and {PASSWORD} (for S3: AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY)"
        )
    if parts.scheme and (parts.query or "::" in url):
        raise _refused(
            "has a part that could be a secret or another address; give it without ? and ::"
        )
    if parts.scheme in ("http", "https"):
        raise _refused("begins with http; for a WebDAV server write webdav://, which means https")
    if parts.scheme not in ("", "file", "local", "memory") and not parts.hostname:
        raise _refused("names no host or bucket")
    if parts.scheme in ("file", "local") and parts.netloc:
        raise _refused("names a host; a folder is file:///folder, with three slashes, or a path")
    return parts


def _refused(found: str) -> RunError:
    return RunError(
        "the address to publish to must be a folder, or s3://bucket/path, sftp://host/path or webdav://host/path "
        f"without a password, but it {found}",
        Exit.USAGE,
    )


def _folder(folder: Path, out: Path) -> Callable[[], _Way]:
    from fsspec.implementations.local import LocalFileSystem

    place, ours = folder.absolute().resolve(), out.resolve()
    if place.is_relative_to(ours) or ours.is_relative_to(place):
        raise _refused(f"is {place}, and the reports themselves are in {ours}; take a folder apart")
    return lambda: _Way(
        LocalFileSystem(skip_instance_cache=True), place.as_posix(), _put_beside, True
    )


def _beside(there: str) -> str:
    """Name what a file is called until it is whole."""
    folder, _, name = there.rpartition("/")
    return f"{folder}/.{name}.part"


def _put_beside(file: Path, there: str) -> None:
    draft = _beside(there)
    with file.open("rb") as source, open(draft, "wb") as copy:  # noqa: PTH123 - fsspec's paths are text
        shutil.copyfileobj(source, copy)
        copy.flush()
        os.fsync(copy.fileno())
    os.replace(draft, there)


def _login(parts: Any) -> tuple[str | None, str | None]:
    return os.environ.get(USER) or parts.username, os.environ.get(PASSWORD)


def _webdav(parts: Any) -> Callable[[], _Way]:
    from webdav4.fsspec import WebdavFileSystem

    scheme = "http" if parts.scheme == "webdav+http" else "https"
    host = parts.netloc.rpartition("@")[2]
    user, password = _login(parts)

    def _reach() -> _Way:
        files = WebdavFileSystem(
            f"{scheme}://{host}",
            auth=(user, password or "") if user else None,
            timeout=ANSWER_SECONDS,
            retry=False,
            skip_instance_cache=True,
        )
        client = files.client  # its put is one request, that of files asks for each folder before

        def _put(file: Path, there: str) -> None:
            with file.open("rb") as source:
                client.upload_fileobj(source, _beside(there), overwrite=True)
            client.move(_beside(there), there, overwrite=True)

        return _Way(files, unquote(parts.path).strip("/"), _put, True)

    return _reach


def _sftp(parts: Any) -> Callable[[], _Way]:
    import paramiko
    from fsspec.implementations.sftp import SFTPFileSystem

    class UnknownHostKey(Exception):
        pass

    class _Refuse(paramiko.MissingHostKeyPolicy):
        def missing_host_key(self, client: Any, hostname: str, key: Any) -> None:
            raise UnknownHostKey(
                f"the server's key is not in ~/.ssh/known_hosts; connect once with ssh {hostname} and compare it"
            )

    class _KnownHosts(SFTPFileSystem):
        """fsspec's own trusts every server."""

        def _connect(self) -> None:
            self.client = paramiko.SSHClient()
            self.client.load_system_host_keys()
            self.client.set_missing_host_key_policy(_Refuse())
            self.client.connect(self.host, **self.ssh_kwargs)
            self.ftp = self.client.open_sftp()
            self.ftp.get_channel().settimeout(ANSWER_SECONDS)

    user, password = _login(parts)
    login = {"username": user, "password": password, "port": parts.port}
    given = {name: value for name, value in login.items() if value}
    seconds = dict.fromkeys(("timeout", "banner_timeout", "auth_timeout"), ANSWER_SECONDS)

    def _reach() -> _Way:
        files = _KnownHosts(parts.hostname, **given, **seconds, skip_instance_cache=True)

        def _put(file: Path, there: str) -> None:
            files.ftp.put(str(file), _beside(there))
            files.ftp.posix_rename(_beside(there), there)

        return _Way(files, parts.path.rstrip("/"), _put, True)

    return _reach


def _other(scheme: str, url: str) -> Callable[[], _Way]:
    """Write to a store of objects, where a file appears when it is whole."""
    import fsspec

    try:
        kind = fsspec.get_filesystem_class(scheme)
    except ValueError as error:
        raise _refused(f"begins with {scheme}://, which is not known here") from error

    def _reach() -> _Way:
        files = kind(skip_instance_cache=True, use_listings_cache=False)
        root = files._strip_protocol(url)  # noqa: SLF001 - fsspec's hook for drivers and callers alike
        return _Way(files, root, lambda file, there: files.put_file(str(file), there), False)

    return _reach
