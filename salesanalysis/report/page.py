"""
From an executed notebook to a page: one HTML file without scripts and without requests.

nbconvert walks the notebook with the template beside this module. It shows the prose and those
outputs that `salesanalysis.present` made; code is not shown, warnings are counted, and any other
output is refused, so that no unescaped value reaches a page.
"""

import html
import re
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import mistune
from jinja2 import Environment, PackageLoader, StrictUndefined
from nbconvert.exporters import TemplateExporter
from nbformat import NotebookNode
from traitlets.config import Config

from salesanalysis.present.html import MIME, PAGES, Html, check_files, style
from salesanalysis.present.words import language, translate

_OWN_FILES = ("manifest.json", "pages.csv")
_TEMPLATES = Path(__file__).parent / "template"
_ANY_TAG = re.compile(r"<[^>]*>")


def facts(notebook: NotebookNode) -> dict[str, Any]:
    """
    Check that a page can be made of an executed notebook, and give what an index says of it.

    Parameters
    ----------
    notebook : NotebookNode
        With outputs.

    Returns
    -------
    dict
        ``title`` (the notebook's H1), ``message``, ``truth`` (list of text), ``cards`` (list of
        label and value), ``n_warnings`` (outputs on stderr, which the page leaves out), ``files``
        (names of the files beside the page).

    Raises
    ------
    ValueError
        Not exactly one H1 in the prose; not exactly one answer; an output that
        `salesanalysis.present` did not make; two figures of one name; a file that `files` refuses.
    """
    titles = [title for cell in _cells(notebook, "markdown") for title in _first_level(cell.source)]
    if len(titles) != 1:
        raise ValueError(
            f"the prose must have exactly one first-level heading, the question, "
            f"but has {titles or 'none'}; use ## for sections"
        )
    outputs = list(_outputs(notebook))
    summaries = [
        output.metadata[MIME]["summary"]
        for output in outputs
        if "summary" in output.metadata.get(MIME, {})
    ]
    if len(summaries) != 1:
        raise ValueError(
            f"a report must show exactly one answer, but shows {len(summaries)}; "
            f"call salesanalysis.present.html.answer once"
        )
    names = [
        name
        for output in outputs
        for name in re.findall(r'<figure id="([^"]*)"', output.data[MIME])
    ]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ValueError(f"each figure must have its own name, but {', '.join(twice)} occurs twice")
    warnings = [output for cell in _cells(notebook, "code") for output in cell.outputs
                if output.output_type == "stream"]  # fmt: skip
    return {
        "title": titles[0],
        **summaries[0],
        "n_warnings": len(warnings),
        "files": sorted(files(notebook)),
    }


def files(notebook: NotebookNode) -> dict[str, str]:
    """
    Give the text of each file that a notebook puts beside its page, by name.

    Raises
    ------
    ValueError
        A name or a text that `salesanalysis.present.html` would refuse, a name of the runner's own
        files, two files of one name, or a link to a file that no output brings.
    """
    found: dict[str, str] = {}
    linked: set[str] = set()
    for output in _outputs(notebook):
        linked |= set(re.findall(r'<a href="([^"]*)" download>', output.data[MIME]))
        for name, text in check_files(output.metadata.get(MIME, {}).get("files", {})).items():
            if name in _OWN_FILES or found.get(name, text) != text:
                taken = "the runner's own" if name in _OWN_FILES else "that of another file"
                raise ValueError(f"each file beside a page must have a name of its own, but {name} "
                                 f"is {taken}; choose another")  # fmt: skip
            found[name] = text
    if lost := sorted(linked - found.keys()):
        raise ValueError(
            f"a link to a file must bring the file along, but {', '.join(lost)} is not there; "
            f"make it with salesanalysis.present.html.files, and keep its block whole"
        )
    return found


def render(notebook: NotebookNode, *, manifest: Mapping[str, Any], name: str) -> str:
    """
    Make the page of one report.

    Parameters
    ----------
    notebook : NotebookNode
        Executed, and accepted by `facts`.
    manifest : mapping
        The page's folder, as ``manifest.json`` holds it: ``as_of``, ``suites`` (each with ``suite``
        and ``title``) and ``reports``, each with ``name``, ``title``, ``suite``, ``built_at`` and
        ``version``. With ``for``, nothing outside of the folder is linked. The page stands in a
        set of the folder, so the folder's index is above it.
    name : str
        Which of the reports this is.

    Returns
    -------
    str
        The whole document.
    """
    body, _resources = _exporter().from_notebook_node(notebook)
    entry = next(entry for entry in manifest["reports"] if entry["name"] == name)
    suite = next(suite for suite in manifest["suites"] if suite["suite"] == entry["suite"])
    links = [
        (f"{other['name']}.html", other["title"], other is entry) for other in manifest["reports"]
    ]
    above = [] if "for" in manifest else [("../../index.html", translate("All dates"), False)]
    return frame(
        Html(_with_links(body, manifest["reports"], entry)),
        title=f"{entry['title']}, {manifest['as_of']}",
        stamp=stamp(entry | {"as_of": manifest["as_of"]}),
        home=("../index.html", suite["title"]),
        links=links + above,
    )


def _with_links(body: str, entries: Sequence[Mapping[str, Any]], own: Mapping[str, Any]) -> str:
    """Put links to the other pages where a notebook asked for them."""
    pages = [(f"{entry['name']}.html", entry["title"], entry["message"])
             for entry in entries if entry is not own]  # fmt: skip
    place = re.compile(re.escape(PAGES).replace(re.escape("{text}"), "[^<]*"))
    return place.sub(lambda _: fragment("pages", pages=pages).markup, body)


def stamp(facts: Mapping[str, str]) -> list[str]:
    """Say as of when, built when (if known) and by which version, as texts for `frame`."""
    texts = [f"{translate('As of')} {facts['as_of']}"] if "as_of" in facts else []
    if "built_at" in facts:
        texts.append(f"{translate('Built')} {facts['built_at']}")
    return [*texts, f"salesanalysis {facts['version']}"]


def frame(
    body: Html,
    *,
    title: str,
    stamp: Sequence[str],
    home: tuple[str, str] | None,
    links: Sequence[tuple[str, str, bool]],
) -> str:
    """
    Put content into the frame of every page: policy, style, landmarks, links.

    Parameters
    ----------
    body : Html
        What stands in ``main``.
    title : str
        Of the document.
    stamp : sequence of str
        As `stamp` gives.
    home : (address, text) or None
        The page above this one.
    links : sequence of (address, text, is this page)
        The pages beside this one.
    """
    template = _environment().get_template("frame.jinja")
    return template.render(
        body=body,
        title=title,
        stamp=stamp,
        home=home,
        links=links,
        language=language(),
        style=Html(style()),
    )


def fragment(template: str, **values: Any) -> Html:
    """Fill one of this room's templates, every value escaped."""
    return Html(_environment().get_template(f"{template}.jinja").render(values))


def _cells(notebook: NotebookNode, kind: str) -> list[NotebookNode]:
    return [cell for cell in notebook.cells if cell.cell_type == kind]


def cell_number(notebook: NotebookNode, index: int) -> int:
    """Count a cell as its author does: from 1, without the one that papermill puts in."""
    before = notebook.cells[:index]
    put_in = [cell for cell in before if "injected-parameters" in cell.metadata.get("tags", [])]
    return index + 1 - len(put_in)


def _outputs(notebook: NotebookNode) -> Iterator[NotebookNode]:
    """Give the outputs that a page shows, and refuse the first that it may not."""
    for index, cell in enumerate(notebook.cells):
        for output in cell.get("outputs", []):
            if output.output_type == "stream" and output.name == "stderr":
                continue
            if MIME in output.get("data", {}):
                yield output
                continue
            kinds = ", ".join(output.get("data", {})) or output.get("name", output.output_type)
            remedy = (
                "remove the print"
                if kinds == "stdout"
                else "give it to a function of salesanalysis.present.tables or to present.html.table, or end "
                "the line with a semicolon"
            )
            raise ValueError(
                f"a page shows only what salesanalysis.present makes, but cell "
                f"{cell_number(notebook, index)} shows {kinds}; {remedy}"
            )


class _Prose(mistune.HTMLRenderer):
    """Markdown without raw HTML, images, or addresses other than http, https and relative ones."""

    def heading(self, text: str, level: int, **attrs: Any) -> str:
        # The page's H1 is the computed answer; the notebook's own is the question above it.
        if level == 1:
            return f'<p class="question">{text}</p>\n'
        return super().heading(text, level, **attrs)

    def link(self, text: str, url: str, title: str | None = None) -> str:
        return super().link(text, url, title) if _is_harmless(url) else text

    def image(self, text: str, url: str, title: str | None = None) -> str:
        return text


def _is_harmless(url: str) -> bool:
    """
    Say whether an address is http, https or relative.

    Examples
    --------
    >>> [_is_harmless(url) for url in ("rep.html#a", "https://example.com", "javascript:a", "//a")]
    [True, True, False, False]
    """
    plain = html.unescape(unquote(url))
    if plain.startswith("//") or re.search(r"[\x00-\x1f\\]", plain):
        return False
    try:
        parts = urlsplit(plain)
    except ValueError:
        return False
    return parts.scheme in ("http", "https") if parts.scheme else True


@cache
def _markdown() -> mistune.Markdown:
    return mistune.create_markdown(renderer=_Prose(escape=True))


def _first_level(source: str) -> list[str]:
    """Give the text of each first-level heading of a Markdown cell."""
    found = re.findall(r'<p class="question">(.*?)</p>', str(_markdown()(source)), re.DOTALL)
    return [html.unescape(_ANY_TAG.sub("", text)) for text in found]


@cache
def _exporter() -> TemplateExporter:
    return TemplateExporter(
        config=Config(
            {
                "NbConvertBase": {"display_data_priority": [MIME]},
                "Exporter": {
                    "default_preprocessors": []
                },  # none is of use, each copies and validates
            }
        ),
        extra_template_basedirs=[str(_TEMPLATES)],
        template_name="notebook",
        template_file="page.html.j2",
        filters={"prose": lambda source: str(_markdown()(source))},
    )


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("salesanalysis.report", "template"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.globals["_"] = translate
    return environment
