"""
Page content: the one class that may reach a page, and the blocks a report is made of.

Every block is rendered by the package's own Jinja environment, which escapes each value at the
place where it enters the markup. `report.page` shows only outputs that carry `MIME`.
"""

import html
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING, Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from salesanalysis.present.words import translate

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MIME = "application/vnd.salesanalysis+html"
"""The kind of output that a page shows; nothing else is."""

PAGES = '<p class="note" data-pages="here">{text}</p>'
"""Where `pages` stands in a page; no text from data can look like it, for its marks are escaped."""

_PAGES_NOTE = "The published page has links to the other pages of the run here."
_KINDS = ("text", "number", "flag")
_FORMULA = tuple("=+-@\t\r\n\0＝＋－＠")
_TONES = ("good", "bad", "neutral")
_CARD = {"label": "", "value": "", "range": "", "comparison": "", "tone": "neutral"}


@dataclass(frozen=True)
class Html:
    """
    Markup in which every value is already escaped.

    Only the functions of `present` make one; text from data is given to them as text.

    Parameters
    ----------
    markup : str
        The fragment.
    summary : mapping, optional
        What an index says of the page: ``message``, ``truth`` and ``cards``, as `answer` gives.
    files : mapping, optional
        Text of each file that goes beside the page, by name, as `files` gives.

    Examples
    --------
    >>> str(paragraphs("王 & <Co>"))
    '<p>王 &amp; &lt;Co&gt;</p>\\n'
    """

    markup: str
    summary: Mapping[str, Any] | None = None
    files: Mapping[str, str] | None = None

    def __html__(self) -> str:
        return self.markup

    def __str__(self) -> str:
        return self.markup

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> tuple[dict, dict]:
        style = _stylesheet("notebook.css")
        shown = f'<div class="salesanalysis"><style>{style}</style>{self.markup}</div>'
        data = {MIME: self.markup, "text/html": shown, "text/plain": self._first_words()}
        beside = {"summary": self.summary, "files": self.files}
        kept = {key: dict(value) for key, value in beside.items() if value}
        return data, {MIME: kept} if kept else {}

    def _first_words(self) -> str:
        text = html.unescape(re.sub(r"<[^>]*>", " ", self.markup))
        words = " ".join(text.split())
        return words if len(words) <= 72 else words[:71] + "…"


def render(template: str, **values: Any) -> Html:
    """
    Fill the package's template of that name, every value escaped unless it is `Html`.

    Parameters
    ----------
    template : str
        Name of a file in ``present/templates``, without ``.jinja``.
    **values
        What the template asks for; one that is missing is an error.

    Raises
    ------
    jinja2.UndefinedError
        The template names a value that is not given.
    jinja2.TemplateNotFound
        There is no template of that name.
    """
    return Html(_environment().get_template(f"{template}.jinja").render(values))


def figure(
    axes: "Axes | Figure",
    *,
    name: str,
    headline: str,
    subtitle: str,
    alt: str,
    source: str,
    data: Html | None = None,
) -> Html:
    """
    Turn a drawn chart into a figure with its two titles, its source and its data, and close it.

    Parameters
    ----------
    axes : Axes or Figure
        The chart; all axes of its matplotlib figure are shown, then the figure is closed.
    name : str
        Unique in the page: small letters, digits, ``-`` and ``_``. Ids in the SVG begin with it.
    headline : str
        The finding.
    subtitle : str
        Measure, unit, period and population.
    alt : str
        A sentence with a number, for those who do not see the chart.
    source : str
        Where the numbers come from.
    data : Html, optional
        The numbers drawn, as `table` gives; shown on request.

    Raises
    ------
    ValueError
        A name that cannot begin an id, or an empty text.
    """
    # Imported here, so that the runner, which draws nothing, starts without matplotlib.
    from salesanalysis.present.svg import svg

    if not re.fullmatch(r"[a-z][a-z0-9_-]*", name):
        raise ValueError(
            f"name must be small letters, digits, - and _, beginning with a letter, but is {name!r}"
        )
    texts = {"headline": headline, "subtitle": subtitle, "alt": alt, "source": source}
    empty = [key for key, text in texts.items() if not text.strip()]
    if empty:
        raise ValueError(f"figure {name}: {', '.join(empty)} must be given, but is empty")
    drawn = Html(svg(axes, name=name, alt=alt))
    return render("figure", name=name, drawn=drawn, data=data, **texts)


def table(
    *,
    caption: str,
    columns: Sequence[tuple[str, str]],
    rows: Sequence[Sequence[str | Html]],
    note: str | None = None,
    row_header: int | None = 0,
) -> Html:
    """
    Show rows of formatted text as a table that scrolls in its own region when it is wide.

    Parameters
    ----------
    caption : str
        What the table shows; unique in the page, as it also names the scroll region.
    columns : sequence of (label, kind)
        Kind is "text", "number" (right-aligned, equal digits) or "flag" (a short mark).
    rows : sequence of sequences of str or Html
        One cell per column; numbers are formatted before they come here.
    note : str, optional
        A line under the table.
    row_header : int or None
        Which column names the row; None where none does.

    Raises
    ------
    ValueError
        An unknown kind, or a row with more or fewer cells than columns.
    TypeError
        A cell that is neither text nor Html.

    Examples
    --------
    >>> small = table(caption="Deals", columns=[("Region", "text"), ("Deals", "number")],
    ...               rows=[["华东", "12"]])
    >>> '<td class="number">12</td>' in str(small)
    True
    """
    for label, kind in columns:
        if kind not in _KINDS:
            raise ValueError(f"kind of column {label!r} must be one of {_KINDS}, but is {kind!r}")
    for number, row in enumerate(rows, start=1):
        if len(row) != len(columns):
            raise ValueError(
                f"table {caption!r}: each row must have {len(columns)} cells, "
                f"but row {number} has {len(row)}"
            )
        for (label, _kind), cell in zip(columns, row, strict=True):
            if not isinstance(cell, str | Html):
                raise TypeError(
                    f"table {caption!r}: cells must be text, but row {number}, column {label!r} "
                    f"is {type(cell).__name__} {cell!r}; format it first"
                )
    return render(
        "table", caption=caption, columns=columns, rows=rows, note=note, row_header=row_header
    )


def answer(*, message: str, truth: Sequence[str], cards: Sequence[Mapping[str, str]]) -> Html:
    """
    Open a report: the message, the line of truth and the cards.

    Parameters
    ----------
    message : str
        The page's only H1: a number, what it is compared with, what drives it.
    truth : sequence of str
        Short texts: data as of, rows, per cent that passed the checks.
    cards : sequence of mappings
        Three to six: ``label`` and ``value``; optional ``range``, ``comparison`` and ``tone``
        ("good", "bad" or "neutral", shown as a word beside the comparison).

    Raises
    ------
    ValueError
        Fewer than three or more than six cards, or a card with another key or tone.
    """
    if not 3 <= len(cards) <= 6:
        raise ValueError(f"an answer must have 3 to 6 cards, but has {len(cards)}")
    for card in cards:
        unknown = sorted(set(card) - set(_CARD))
        missing = sorted({"label", "value"} - set(card))
        if unknown or missing:
            raise ValueError(
                f"a card must have label and value and may have range, comparison and tone, "
                f"but has {', '.join(sorted(card)) or 'nothing'}"
            )
        if card.get("tone", "neutral") not in _TONES:
            raise ValueError(
                f"tone of card {card['label']!r} must be one of {_TONES}, but is {card['tone']!r}"
            )
    full = [_CARD | dict(card) for card in cards]
    shown = render("answer", message=message, truth=truth, cards=full)
    facts = [[card["label"], card["value"]] for card in full]
    return Html(shown.markup, {"message": message, "truth": list(truth), "cards": facts})


def notice(*, title: str, text: str | Sequence[str]) -> Html:
    """
    Say what a reader must know first, such as what is missing (``title``) and why (``text``).

    Examples
    --------
    >>> str(notice(title="Read with care", text=["One.", "Two."])).count("<p>")
    3
    """
    texts = [text] if isinstance(text, str) else text
    return render("notice", title=title, texts=texts)


def measure_card(
    *,
    name: str,
    what: str,
    definition: str,
    numerator: str | None = None,
    denominator: str | None = None,
    source: str,
    caveats: Sequence[str] = (),
    not_for: str | None = None,
) -> Html:
    """
    Define a measure beside its number.

    Parameters
    ----------
    name : str
        The measure, with its label ("closed win rate").
    what : str
        The question it answers.
    definition : str
        In one sentence.
    numerator, denominator : str, optional
        For a rate.
    source : str
        Tables and fields it is made from.
    caveats : sequence of str
        The two or three that matter.
    not_for : str, optional
        A use that it does not support.
    """
    return render(
        "measure_card",
        name=name,
        what=what,
        definition=definition,
        numerator=numerator,
        denominator=denominator,
        source=source,
        caveats=caveats,
        not_for=not_for,
    )


def paragraphs(*texts: str) -> Html:
    """Show computed sentences as paragraphs."""
    return render("paragraphs", texts=texts)


def details(summary: str, content: Html) -> Html:
    """Keep content behind a line that opens it; it is open on paper."""
    shown = render("details", summary=summary, content=content)
    return Html(shown.markup, content.summary, content.files)


def files(text: str, texts: Mapping[str, str]) -> Html:
    """
    Offer files beside the page in a line that begins with ``text``.

    The report engine writes them when it publishes the page; JupyterLab shows the line only.

    Parameters
    ----------
    text : str
        What the files hold.
    texts : mapping of str to str
        Text of each file by its name. A spreadsheet runs a text that begins with ``=``: whoever
        writes a file of comma-separated values guards against that.

    Raises
    ------
    ValueError
        No file; a name other than small letters, digits, ``-`` and ``_``, beginning with a letter,
        with one extension: csv, ics or json; something that is no text.

    Examples
    --------
    >>> print(files("Open deals", {"open_deals.csv": "deal\\n1\\n"}))
    <p class="note">Open deals: <a href="open_deals.csv" download>open_deals.csv</a></p>
    <BLANKLINE>
    """
    if not texts:
        raise ValueError(f"files must be given for {text!r}, but are not")
    shown = render("files", text=text, names=list(check_files(texts)))
    return Html(shown.markup, files=dict(texts))


def pages() -> Html:
    """
    Keep a place for links to the other pages of the run, each with its message.

    The report engine puts them there when it publishes; JupyterLab, which knows no other page, shows a line.
    """
    return Html(PAGES.format(text=html.escape(translate(_PAGES_NOTE))))


def check_files(texts: Mapping[str, Any]) -> Mapping[str, str]:
    """Give files by name as they are, or refuse a name or content as `files` says."""
    for name, text in texts.items():
        if not re.fullmatch(r"[a-z][a-z0-9_-]*\.(csv|ics|json)", name):
            raise ValueError(
                f"a file beside a page must be named by small letters, digits, - and _, beginning "
                f"with a letter, and .csv, .ics or .json, but is named {name!r}"
            )
        if not isinstance(text, str):
            raise ValueError(  # noqa: TRY004 - one kind of error for a wrong file
                f"a file beside a page must be text, but {name} is {type(text).__name__}"
            )
    return texts


def stack(*parts: Html) -> Html:
    """
    Put blocks one below the other.

    Raises
    ------
    ValueError
        Two blocks bring different files of one name.
    """
    summaries = (part.summary for part in parts if part.summary)
    beside: dict[str, str] = {}
    for name, text in (item for part in parts for item in (part.files or {}).items()):
        if beside.setdefault(name, text) != text:
            raise ValueError(
                f"each file beside a page must have a name of its own, but {name} is given twice "
                f"with different content; choose another name"
            )
    markup = "\n".join(part.markup for part in parts)
    return Html(markup, next(summaries, None), beside or None)


def spreadsheet_text(text: str) -> str:
    """
    Tell a text that a spreadsheet would run as a formula apart by a leading apostrophe.

    For texts only: a negative number stays one.

    Examples
    --------
    >>> spreadsheet_text("=1+1"), spreadsheet_text("＝1"), spreadsheet_text("a=1")
    ("'=1+1", "'＝1", 'a=1')
    """
    return f"'{text}" if text.startswith(_FORMULA) else text


def end() -> Html:
    """
    Mark that a notebook ran to its end; the last cell of each report shows it.

    papermill's own record can call a notebook complete that was cut short, so the runner
    believes only this.
    """
    return Html('<span data-end="ok"></span>')


def style() -> str:
    """Give the style sheet of a page."""
    return _stylesheet("style.css")


@cache
def _stylesheet(name: str) -> str:
    text = resources.files("salesanalysis.present").joinpath(name).read_text("utf-8")
    return re.sub(r"/\*.*?\*/", "", text, flags=re.DOTALL).strip()


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("salesanalysis.present"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.globals["_"] = translate
    return environment
