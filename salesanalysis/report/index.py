"""The pages that list reports: those of one folder of a date, and all dates."""

import json
import os
from collections.abc import Mapping, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

from salesanalysis.present.words import translate, translate_n
from salesanalysis.report import page
from salesanalysis.report.readers import LEADERSHIP


def read(file: Path) -> dict[str, Any]:
    """Read a ``run.json``, also of a version that knew one suite per date."""
    manifest = json.loads(file.read_text("utf-8"))
    of_suite = {key: manifest[key] for key in _OF_SUITE if key in manifest}
    manifest.setdefault("suites", [of_suite])
    for entry in manifest["reports"]:
        missing = ("suite", "store_sha256", "version")
        entry |= {key: manifest[key] for key in missing if key not in entry}
        entry.setdefault("files", [])
    return manifest


_OF_SUITE = ("suite", "title", "suite_sha256", "store_sha256", "built_at", "version", "run")


def of_folder(
    manifest: Mapping[str, Any], people: Sequence[tuple[str, Sequence[tuple[str, str]]]] = ()
) -> str:
    """
    Make the page that lists the reports of one folder of a date, with message and key facts.

    Parameters
    ----------
    manifest : mapping
        As the folder's ``run.json`` holds it. With ``for``, nothing above the folder is linked.
    people : sequence of (title, sequence of (address, name))
        Other folders to list, with their titles.
    """
    is_private = "for" in manifest
    heading = _heading(manifest)
    body = page.fragment(
        "date",
        heading=heading,
        as_of=manifest["as_of"],
        store_sha256=manifest["store_sha256"],
        suites=_with_others(manifest),
        reports=manifest["reports"],
        people=people,
        leadership=None if is_private or not _has_people(manifest) else f"{LEADERSHIP}/index.html",
    )
    return page.frame(
        body,
        title=f"{heading}, {manifest['as_of']}",
        stamp=page.stamp(manifest),
        home=None if is_private else ("../index.html", translate("All dates")),
        links=[(f"{entry['name']}.html", entry["title"], False) for entry in manifest["reports"]],
    )


def _heading(manifest: Mapping[str, Any]) -> str:
    if "reader" in manifest:
        return manifest["reader"]["name"]
    return translate("Leadership") if "for" in manifest else translate("Reports")


def _with_others(manifest: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Say of each suite how many pages it has in folders of readers; whose they are is not told."""
    return [
        {**suite, "others": [_count(pages) for pages in suite.get("pages", [])]}
        for suite in manifest["suites"]
    ]


def _count(pages: Mapping[str, Any]) -> str:
    n, title = pages["n_pages"], pages["title"]
    if pages["for"] == LEADERSHIP:
        return translate("{title} (for leadership)").format(title=title)
    if pages["for"] == "rep":
        text = translate_n("{title} ({n} page, one per rep)", "{title} ({n} pages, one per rep)", n)
    else:
        text = translate_n(
            "{title} ({n} page, one per team)", "{title} ({n} pages, one per team)", n
        )
    return text.format(title=title, n=n)


def _has_people(manifest: Mapping[str, Any]) -> bool:
    return any(suite.get("pages") for suite in manifest["suites"])


def write(out: Path) -> Path:
    """
    Bring ``index.html``, which lists all dates, newest first, up to the dated folders beside it.

    The page is made of their ``run.json`` and replaced in one step, and only if it changes.
    """
    files = sorted(out.glob("[0-9]*-[0-9]*-[0-9]*/run.json"), reverse=True)
    runs = [read(file) for file in files]
    index = out / "index.html"
    if not runs:
        return index
    text = page.frame(
        page.fragment("dates", runs=[run | {"suites": _with_others(run)} for run in runs]),
        title=translate("Reports by date"),
        stamp=page.stamp({"version": metadata.version("salesanalysis")}),
        home=None,
        links=[],
    )
    if not index.exists() or index.read_bytes() != text.encode("utf-8"):
        draft = out / ".work-index.html"
        draft.write_bytes(text.encode("utf-8"))
        os.replace(draft, index)
    return index
