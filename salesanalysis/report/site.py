"""
The folder of a date: the pages of all its suites, each in the folder of its reader.

A folder with pages holds its index, its manifest and a set: a folder, named by the files in it, with
the pages, their notebooks and the files beside them.

Whoever may open the date's own folder learns of the pages for reps, teams and leadership how many
there are, and nothing else. A reader's folder names nobody but its reader.
"""

import csv
import hashlib
import io
import json
import os
import re
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, NamedTuple

import nbformat

from salesanalysis.present.html import spreadsheet_text
from salesanalysis.present.words import translate
from salesanalysis.report import index, page
from salesanalysis.report.exits import Exit, RunError
from salesanalysis.report.index import INDEX, MANIFEST, PEOPLE_TABLE
from salesanalysis.report.readers import EVERYONE, KEY, KINDS, LEADERSHIP, Reader, key_mark

_OPAQUE_ID = re.compile(r"[0-9a-f]{12}")


class Page(NamedTuple):
    """A report's entry in the manifest, and where its executed notebook is."""

    entry: dict[str, Any]
    notebook: Path


Pages = Mapping[str, Sequence[Page]]
"""Pages by the name of their folder in that of the date."""

Manifests = Mapping[str, Mapping[str, Any]]
"""What the ``manifest.json`` of each of these folders holds."""


def folders(dated: Path) -> list[str]:
    """List the folders in that of a date that can hold pages, readers first and its own last."""
    found = [path for kind in KINDS for path in sorted(dated.glob(f"{kind}s/*")) if _is_of(path)]
    found += [path for path in (dated / LEADERSHIP, dated) if path.is_dir()]
    return [path.relative_to(dated).as_posix() for path in found]


def _is_of(reader: Path) -> bool:
    return _OPAQUE_ID.fullmatch(reader.name) is not None and reader.is_dir()


def manifests(dated: Path) -> Manifests:
    """
    Read what was published of a date; nothing if it was not.

    Raises
    ------
    RunError
        A manifest is not as the runner writes it.
    """
    files = {folder: dated / folder / MANIFEST for folder in folders(dated)}
    return {folder: index.read(file) for folder, file in files.items() if file.is_file()}


def kept(
    before: Manifests, dated: Path, *, suite: str, dropped: Sequence[str] | None
) -> dict[str, list[Page]]:
    """Give the published pages without those of a suite's notebooks, all or those ``dropped``."""
    pages: dict[str, list[Page]] = {}
    for folder, manifest in before.items():
        for entry in manifest["reports"]:
            if entry["suite"] != suite or (dropped is not None and entry["name"] not in dropped):
                notebook = dated / folder / manifest["set"] / f"{entry['name']}.ipynb"
                pages.setdefault(folder, []).append(Page(entry, notebook))
    return pages


def expect_key(before: Manifests, pages: Pages) -> None:
    """
    Refuse to give people a second folder beside one that was named with another key.

    Raises
    ------
    RunError
        Code USAGE.
    """
    is_known = any(folder not in (EVERYONE, LEADERSHIP) for folder in pages)
    if is_known and before.get(EVERYONE, {}).get("key_mark") != key_mark():
        raise RunError(
            f"folders of people must be named with one key, but other pages of the date were made "
            f"with another one; set {KEY} as it was then, or give another --out",
            Exit.USAGE,
        )


def refuse_taken(pages: Sequence[Page], entry: Mapping[str, Any]) -> None:
    """
    Refuse a page whose files would replace those of another page of its folder.

    Raises
    ------
    ValueError
        Names the file and the other notebook.
    """
    for other, _notebook in pages:
        if taken := sorted(set(entry["files"]) & set(other["files"])):
            raise ValueError(
                f"each file beside a page must have a name of its own in the folder, but "
                f"{taken[0]} comes from {other['name']}.ipynb too; choose another"
            )


def write(
    new: Path,
    dated: Path,
    *,
    before: Manifests,
    pages: Pages,
    run: Mapping[str, Any],
    suites: Sequence[Mapping[str, Any]],
    readers: Sequence[Reader],
    failed: Mapping[str, Sequence[str]] | None = None,
) -> None:
    """
    Write the whole folder of a date anew: sets of pages and files beside them, indexes, manifests.

    A reader's folder of which no page was made or dropped is left empty: it stays as it is published.

    Parameters
    ----------
    new : Path
        The folder to write; notebooks of pages just made are in it already.
    dated : Path
        The folder as it is published, if it is.
    before : mapping
        As `manifests` gives for ``dated``.
    pages : mapping
        All pages of the date, in their order.
    run : mapping
        What manifests say of the run itself: ``as_of`` and the facts of its suite.
    suites : sequence of mappings
        Facts of all suites of the date.
    readers : sequence of Reader
        The reps and teams that the run knows.
    failed : mapping, optional
        Names of the pages that could not be made, by folder; its index and manifest say so.

    Raises
    ------
    OSError
        The disk refused.
    """
    lacking = {folder: {"failed": sorted(names)} for folder, names in (failed or {}).items()}
    known = {reader.folder: reader for reader in readers}
    named: list[Reader] = []
    for folder in sorted(pages.keys() - {EVERYONE, LEADERSHIP}):
        reader = known.get(folder) or Reader(**before[folder]["reader"])
        named.append(reader)
        if _is_as_published(pages[folder], before.get(folder), dated):
            (new / folder).mkdir(parents=True)
        else:
            facts = {**run, "for": reader.kind, "reader": asdict(reader)}
            facts |= lacking.get(folder, {})
            _write_folder(new / folder, pages[folder], facts | _here(suites, pages[folder]))
    named.sort(key=lambda reader: (reader.kind, reader.team, reader.name, reader.id))
    if named or LEADERSHIP in pages:
        those = pages.get(LEADERSHIP, [])
        facts = {**run, "for": LEADERSHIP, **_here(suites, those), **lacking.get(LEADERSHIP, {})}
        table = {PEOPLE_TABLE: _table(named)} if named else {}
        _write_folder(new / LEADERSHIP, those, facts, table, _links(named))
    facts = {
        **run,
        "suites": [{**suite, "pages": _counts(suite["suite"], pages)} for suite in suites],
    }
    if named:
        # A run that makes no page for people need not have the key.
        facts["key_mark"] = key_mark() if readers else before[EVERYONE]["key_mark"]
    _write_folder(new, pages.get(EVERYONE, []), facts | lacking.get(EVERYONE, {}))


def _here(
    suites: Sequence[Mapping[str, Any]], pages: Sequence[Page]
) -> dict[str, list[dict[str, Any]]]:
    """Give the facts of those suites that have pages in a folder, without what they have elsewhere."""
    here = {entry["suite"] for entry, _notebook in pages}
    facts = [dict(suite) for suite in suites if suite["suite"] in here]
    for suite in facts:
        suite.pop("pages", None)
    return {"suites": facts}


def _is_as_published(
    pages: Sequence[Page], manifest: Mapping[str, Any] | None, dated: Path
) -> bool:
    is_whole = manifest is not None and len(manifest["reports"]) == len(pages)
    return is_whole and all(notebook.is_relative_to(dated) for _entry, notebook in pages)


def _counts(suite: str, pages: Pages) -> list[dict[str, Any]]:
    """Count a suite's pages in folders of readers, by notebook; whose they are is not told."""
    counts: dict[tuple[str, str], dict[str, Any]] = {}
    for folder in pages.keys() - {EVERYONE}:
        for entry in (entry for entry, _ in pages[folder] if entry["suite"] == suite):
            # The title is the notebook's own heading, which no run can change.
            facts = {"notebook": entry["name"], "title": entry["title"], "for": entry["for"]}
            count = counts.setdefault((entry["name"], entry["for"]), {**facts, "n_pages": 0})
            count["n_pages"] += 1
    return [counts[key] for key in sorted(counts)]


def _write_folder(
    folder: Path,
    pages: Sequence[Page],
    facts: Mapping[str, Any],
    table: Mapping[str, str] | None = None,
    people: Sequence[tuple[str, Sequence[tuple[str, str]]]] = (),
) -> None:
    manifest = {**facts, "set": None, "reports": [entry for entry, _notebook in pages]}
    files = _write_set(folder, pages, manifest, table or {})
    if files:
        manifest["set"] = _name_of_set(files)
        os.replace(folder / _DRAFT, folder / manifest["set"])
    _write(folder / INDEX, index.of_folder(manifest, people))
    manifest["files"] = {f"{manifest['set']}/{name}": facts for name, facts in files.items()}
    manifest["files"][INDEX] = _facts(folder / INDEX)
    _write(folder / MANIFEST, json.dumps(manifest, indent=1, ensure_ascii=False) + "\n")


_DRAFT = "set"


def _write_set(
    folder: Path, pages: Sequence[Page], manifest: Mapping[str, Any], more: Mapping[str, str]
) -> dict[str, dict[str, Any]]:
    """Write pages, notebooks and the files beside them into a folder that has no name yet."""
    draft = folder / _DRAFT
    draft.mkdir(parents=True)
    for entry, source in pages:
        copy = draft / source.name
        if source.parent == folder:
            os.replace(source, copy)
        else:
            shutil.copyfile(source, copy)
        notebook = nbformat.read(copy, as_version=4)
        for name, text in page.files(notebook).items():
            _write(draft / name, text)
        document = page.render(notebook, manifest=manifest, name=entry["name"])
        _write(copy.with_suffix(".html"), document)
    for name, text in more.items():
        _write(draft / name, text)
    names = sorted(file.name for file in draft.iterdir())
    files = {name: _facts(draft / name) for name in names}
    if not files:
        draft.rmdir()
    return files


def _facts(file: Path) -> dict[str, Any]:
    return {"bytes": file.stat().st_size, "sha256": sha256(file)}


def _name_of_set(files: Mapping[str, Mapping[str, Any]]) -> str:
    """Name a set by its files, as ``LC_ALL=C sha256sum * | sha256sum`` in it does, shortened."""
    lines = [f"{files[name]['sha256']}  {name}\n" for name in sorted(files)]
    return hashlib.sha256("".join(lines).encode()).hexdigest()[:16]


def _links(readers: Sequence[Reader]) -> list[tuple[str, list[tuple[str, str]]]]:
    """List the folders of teams and reps for the leadership's index."""
    titles = {"team": translate("Teams"), "rep": translate("Reps")}
    links = {
        kind: [
            (f"../{reader.folder}/{INDEX}", _with_team(reader))
            for reader in readers
            if reader.kind == kind
        ]
        for kind in titles
    }
    return [(titles[kind], links[kind]) for kind in titles if links[kind]]


def _with_team(reader: Reader) -> str:
    return f"{reader.name} ({reader.team})" if reader.team else reader.name


def _table(readers: Sequence[Reader]) -> str:
    """Say which folder is whose, as a spreadsheet reads it."""
    file = io.StringIO(newline="")
    writer = csv.writer(file)
    writer.writerow(["kind", "id", "name", "team", "folder"])
    for reader in readers:
        cells = [reader.kind, reader.id, reader.name, reader.team, reader.folder]
        writer.writerow([spreadsheet_text(cell) for cell in cells])
    return "\ufeff" + file.getvalue()


def sha256(path: Path) -> str:
    """Sum up a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _write(path: Path, text: str) -> None:
    path.write_bytes(text.encode("utf-8"))
