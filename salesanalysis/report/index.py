"""The pages that list reports: those of one date, and all dates."""

import json
import os
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path
from typing import Any

from salesanalysis.present.words import translate
from salesanalysis.report import page


def of_date(manifest: Mapping[str, Any]) -> str:
    """
    Make the page that lists the reports of one date, each with its message and key facts.

    Parameters
    ----------
    manifest : mapping
        The run, as ``run.json`` holds it.
    """
    body = page.fragment(
        "date", title=manifest["title"], as_of=manifest["as_of"], reports=manifest["reports"]
    )
    return page.frame(
        body,
        title=f"{manifest['title']}, {manifest['as_of']}",
        stamp=page.stamp(manifest),
        home=("../index.html", translate("All dates")),
        links=[(f"{entry['name']}.html", entry["title"], False) for entry in manifest["reports"]],
    )


def write(out: Path) -> Path:
    """
    Bring ``index.html``, which lists all dates, newest first, up to the dated folders beside it.

    The page is made of their ``run.json`` and replaced in one step, and only if it changes.
    """
    files = sorted(out.glob("[0-9]*-[0-9]*-[0-9]*/run.json"), reverse=True)
    runs = [json.loads(file.read_text("utf-8")) for file in files]
    index = out / "index.html"
    if not runs:
        return index
    text = page.frame(
        page.fragment("dates", runs=runs),
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
