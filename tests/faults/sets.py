"""What a reader finds in a reports folder, judged by the files alone: nothing of the project's own code is used."""

import hashlib
import json
import re
from pathlib import Path
from urllib.parse import unquote

MANIFEST = "manifest.json"


def complaints(out: Path) -> list[str]:
    """
    Say what is wrong with a reports folder; nothing is, at any moment, also just after a kill.

    Every link of every page leads to a file. All pages that an index links are of one set. Every manifest's set is
    whole, and its files have the sums that the manifest says; those beside the set may be the next ones if publishing
    was cut short.
    """
    is_cut_short = any(out.glob(".next-*"))
    found = [wrong for page in _shown(out) for wrong in _broken_links(page)]
    for manifest in _visible(out, MANIFEST):
        folder = manifest.parent
        files = json.loads(manifest.read_text("utf-8"))["files"]
        sets = {name.split("/")[0] for name in files if "/" in name}
        if len(sets) != 1:
            found.append(f"{manifest} names sets {sorted(sets)}")
        for name, facts in files.items():
            if is_cut_short and "/" not in name:
                continue
            data = (folder / name).read_bytes() if (folder / name).is_file() else None
            known = data is not None and (len(data), hashlib.sha256(data).hexdigest())
            if known != (facts["bytes"], facts["sha256"]):
                found.append(f"{folder / name} is not what {MANIFEST} says")
        if not (folder / "index.html").is_file() and not is_cut_short:
            found.append(f"{folder} has no index")
    for index in _visible(out, "index.html"):
        sets = {link.split("/")[0] for link in _links(index) if re.match(r"[0-9a-f]{16}/", link)}
        if len(sets) != 1:
            found.append(f"{index} links pages of sets {sorted(sets)}")
        if not index.with_name(MANIFEST).is_file():
            found.append(f"{index.parent} has no manifest")
    latest = out / "latest"
    if latest.is_symlink() and not (latest / "index.html").is_file():
        found.append(f"{latest} leads nowhere")
    return found


def left_over(out: Path) -> list[str]:
    """Give what a run that healed everything has not left: sets that no manifest names, and the runner's own names."""
    found = [
        str(path)
        for path in sorted(out.rglob(".*"))
        if path.name.startswith((".next-", ".work-", ".old-", ".tmp"))
    ]
    for folder in sorted(out.glob("[0-9]*/**/")):
        if re.fullmatch(r"[0-9a-f]{16}", folder.name):
            manifest = json.loads((folder.parent / MANIFEST).read_text("utf-8"))
            if not any(name.startswith(f"{folder.name}/") for name in manifest["files"]):
                found.append(str(folder))
    return found


def dates(out: Path) -> list[str]:
    """Dates whose reports a reader can open."""
    return sorted(index.parent.name for index in out.glob("[0-9]*/index.html"))


def pages(out: Path) -> dict[str, str]:
    """Give the name of the set of each folder that has one."""
    return {
        manifest.parent.relative_to(out).as_posix(): sets[0]
        for manifest in _visible(out, MANIFEST)
        if (
            sets := [
                name.split("/")[0]
                for name in json.loads(manifest.read_text("utf-8"))["files"]
                if "/" in name
            ]
        )
    }


def _shown(out: Path) -> list[Path]:
    """Every page that a reader can come to from an address that stays the same."""
    seen: list[Path] = []
    to_see = [*sorted(out.glob("index.html")), *_visible(out, "index.html")]
    while to_see:
        page = to_see.pop()
        seen.append(page)
        targets = [(page.parent / link).resolve() for link in _links(page)]
        to_see += [t for t in dict.fromkeys(targets)
                   if t.suffix == ".html" and t.is_file() and t not in [p.resolve() for p in seen + to_see]]  # fmt: skip
    return seen


def _visible(out: Path, name: str) -> list[Path]:
    """Files of a name in the dates and in the folders of their readers, but not in what is only laid there."""
    found = sorted(out.glob("[0-9]*/**/" + name))
    return [
        path for path in found if not any(p.startswith(".") for p in path.relative_to(out).parts)
    ]


def _broken_links(page: Path) -> list[str]:
    return [f"{page} links {link}, which is not there"
            for link in _links(page) if not (page.parent / link).is_file()]  # fmt: skip


def _links(page: Path) -> list[str]:
    found = re.findall(r'href="([^"#]+)[^"]*"', page.read_text("utf-8"))
    return [unquote(link) for link in found if not re.match(r"[a-z]+:", link)]
