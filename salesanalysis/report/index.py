"""The pages that list reports: those of one folder of a date, and all dates."""

import json
import re
from collections.abc import Mapping, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

from salesanalysis.present.words import translate, translate_n
from salesanalysis.report import disk, page
from salesanalysis.report.exits import Exit, RunError
from salesanalysis.report.readers import LEADERSHIP

INDEX, MANIFEST = "index.html", "manifest.json"
"""Names that stay the same in each folder with pages."""

PEOPLE_TABLE = "pages.csv"
"""Beside the leadership's pages: which folder is whose."""

_DATE = re.compile(r"\d{4}-\d\d-\d\d")


def folders(out: Path) -> list[Path]:
    """List the dated folders of a reports folder, newest first, published or not."""
    found = out.glob("[0-9]*-[0-9]*-[0-9]*")
    return sorted((p for p in found if _DATE.fullmatch(p.name) and p.is_dir()), reverse=True)


def dates(out: Path) -> list[str]:
    """List the dates whose reports are published, newest first."""
    return [folder.name for folder in folders(out) if (folder / MANIFEST).is_file()]


def refuse_old(out: Path) -> None:
    """
    Refuse a reports folder with a date of a version that knew no sets.

    Raises
    ------
    RunError
        Code USAGE.
    """
    old = [p for p in folders(out) if (p / "run.json").is_file() and not (p / MANIFEST).is_file()]
    if old:
        raise RunError(
            f"each dated folder of {out} must have {MANIFEST}, but {old[-1].name} has run.json of an "
            f"older version instead ({len(old)} in all); remove the folder and make its reports again, "
            f"or give another --out",
            Exit.USAGE,
        )


def read(file: Path) -> dict[str, Any]:
    """
    Read a ``manifest.json``.

    Raises
    ------
    RunError
        Code NOT_PUBLISHED: it is not as the runner writes it.
    """
    try:
        manifest = json.loads(file.read_text("utf-8"))
        if missing := [key for key in _KEYS if key not in manifest]:
            raise ValueError(f"it has no {missing[0]}")
    except (TypeError, ValueError) as error:
        raise RunError(
            f"{file} must be as it was published, but {error}; remove the folder "
            f"{file.parent.name} and make its reports again",
            Exit.NOT_PUBLISHED,
        ) from error
    return manifest


_KEYS = ("as_of", "suites", "set", "reports", "files")


def of_folder(
    manifest: Mapping[str, Any], people: Sequence[tuple[str, Sequence[tuple[str, str]]]] = ()
) -> str:
    """
    Make the page that lists the reports of one folder of a date, with message and key facts.

    Parameters
    ----------
    manifest : mapping
        As the folder's ``manifest.json`` holds it, but for its own ``files``. With ``for``, nothing
        above the folder is linked.
    people : sequence of (title, sequence of (address, name))
        Other folders to list, with their titles.
    """
    is_private = "for" in manifest
    heading = _heading(manifest)
    pages = manifest["set"]
    body = page.fragment(
        "date",
        heading=heading,
        as_of=manifest["as_of"],
        store_sha256=manifest["store_sha256"],
        suites=_with_others(manifest),
        reports=manifest["reports"],
        failed=manifest.get("failed", []),
        people=people,
        pages=pages,
        table=PEOPLE_TABLE if people else None,
        leadership=None if is_private or not _has_people(manifest) else f"{LEADERSHIP}/{INDEX}",
    )
    return page.frame(
        body,
        title=f"{heading}, {manifest['as_of']}",
        stamp=page.stamp(manifest),
        home=None if is_private else (f"../{INDEX}", translate("All dates")),
        links=[
            (f"{pages}/{entry['name']}.html", entry["title"], False)
            for entry in manifest["reports"]
        ],
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


def write(out: Path, *, without: Sequence[str] = ()) -> Path:
    """
    Bring ``index.html``, which lists all dates, newest first, up to the dated folders beside it.

    The page is made of their manifests and replaced in one step, and only if it changes.

    Parameters
    ----------
    out : Path
        The reports folder.
    without : sequence of str
        Dates to leave out, because they are about to be removed.
    """
    runs = [read(out / day / MANIFEST) for day in dates(out) if day not in without]
    index = out / INDEX
    if not runs and not index.exists():
        return index
    text = page.frame(
        page.fragment("dates", runs=[run | {"suites": _with_others(run)} for run in runs]),
        title=translate("Reports by date"),
        stamp=page.stamp({"version": metadata.version("salesanalysis")}),
        home=None,
        links=[],
    )
    if not index.exists() or index.read_bytes() != text.encode("utf-8"):
        disk.write(index, text.encode("utf-8"), draft=out / f".work-{INDEX}")
    return index
