"""Blocks of a page: what they show, how they escape, what they refuse."""

import logging
import re
import warnings
from html.parser import HTMLParser
from xml.etree import ElementTree

import matplotlib as mpl
import matplotlib.pyplot as plt
import pytest
from jinja2 import UndefinedError
from matplotlib.figure import Figure

from salesanalysis.present import html
from salesanalysis.present.svg import TOKENS

HOSTILE = "<script>alert(1)</script>\"'><img src=x onerror=alert(1)>王小明"
TITLES = {
    "headline": "40 % leave before a proposal",
    "subtitle": "Deals by stage, % of deals created",
    "alt": "Bars that fall from 100 % to 27 %.",
    "source": "CRM, deals",
}
CARDS = [{"label": "Won", "value": "27 %"}, {"label": "Open", "value": "41"},
         {"label": "Lost", "value": "32 %"}]  # fmt: skip


class Tags(HTMLParser):
    """The tags, attributes and texts that a browser would see."""

    def __init__(self, markup):
        super().__init__()
        self.names, self.attributes, self.texts = [], [], []
        self.feed(str(markup))

    def handle_starttag(self, tag, attrs):
        self.names.append(tag)
        self.attributes += attrs

    def handle_data(self, data):
        self.texts.append(data)


def chart(*labels, width=4):
    figure = Figure(figsize=(width, 2))
    axes = figure.add_subplot()
    axes.barh(labels or ("Lead", "Won"), range(1, (len(labels) or 2) + 1))
    return axes


def image(block):
    return ElementTree.fromstring(re.search("<svg.*</svg>", str(block), re.DOTALL)[0])


def every_block(text):
    return {
        "answer": html.answer(
            message=text,
            truth=[text],
            cards=[{"label": text, "value": text, "range": text, "comparison": text}] * 3,
        ),
        "details": html.details(text, html.paragraphs(text)),
        "figure": html.figure(
            chart(text, "other", width=16),
            name="f",
            headline=text,
            subtitle=text,
            alt=text,
            source=text,
        ),
        "files": html.files(text, {"deals.csv": text}),
        "measure_card": html.measure_card(
            name=text,
            what=text,
            definition=text,
            numerator=text,
            denominator=text,
            source=text,
            caveats=[text],
            not_for=text,
        ),
        "notice": html.notice(title=text, text=text),
        "paragraphs": html.paragraphs(text),
        "table": html.table(
            caption=text, columns=[(text, "text"), (text, "number")], rows=[[text, text]], note=text
        ),
    }


@pytest.mark.parametrize("block", list(every_block("x")))
def test_a_hostile_value_stays_text_in_every_block(block):
    """
    A value with markup adds no tag and no attribute to any block, and is shown as it is.
    """
    shown, plain = (Tags(every_block(text)[block]) for text in (HOSTILE, "plain"))

    assert shown.names == plain.names
    assert [key for key, _ in shown.attributes] == [key for key, _ in plain.attributes]
    assert HOSTILE in "".join(shown.texts)


def test_an_html_value_is_not_escaped_twice():
    """
    A cell that is already Html keeps its markup.
    """
    cell = html.Html("<b>x</b>")

    shown = html.table(caption="c", columns=[("a", "text"), ("b", "text")], rows=[["1", cell]])

    assert "<td><b>x</b></td>" in str(shown)


def test_a_value_that_a_template_misses_is_an_error():
    """
    A template never shows nothing in the place of a value that was not given.
    """
    with pytest.raises(UndefinedError, match="'texts' is undefined"):
        html.render("notice", title="x")


def test_html_shows_itself_to_jupyter_and_to_the_page():
    """
    The output holds the bare fragment for the page, a styled one for JupyterLab, and short text.
    """
    data, metadata = html.paragraphs("A long sentence " * 20)._repr_mimebundle_()

    assert data[html.MIME].startswith("<p>A long")
    assert "<style>" in data["text/html"] and data[html.MIME] in data["text/html"]
    assert len(data["text/plain"]) <= 72 and "<" not in data["text/plain"]
    assert metadata == {}


def test_html_cannot_be_changed():
    """
    What was escaped stays what it is.
    """
    with pytest.raises(AttributeError):
        html.paragraphs("x").markup = "<script>"


def test_a_figure_has_its_titles_alternative_source_and_data():
    """
    Two titles as text, the alternative on the image, the source, and the data on request.
    """
    data = html.table(caption="Numbers", columns=[("a", "text")], rows=[["1"]])

    shown = str(html.figure(chart(), name="funnel", **TITLES, data=data))

    assert f"<h3>{TITLES['headline']}</h3>" in shown
    assert f'<p class="subtitle">{TITLES["subtitle"]}</p>' in shown
    assert f"Source: {TITLES['source']}" in shown
    assert re.search("<details><summary>Data</summary>.*Numbers.*</details>", shown, re.DOTALL)
    assert image(shown).get("role") == "img"
    assert image(shown).get("aria-label") == TITLES["alt"]


def test_an_svg_is_a_bare_image():
    """
    The image has a view box, no size in points, no style of its own, no address, no metadata.
    """
    svg = image(html.figure(chart(), name="f", **TITLES))
    markup = ElementTree.tostring(svg, encoding="unicode")

    assert svg.get("viewBox") == "0 0 288 144"
    assert (svg.get("width"), svg.get("height")) == ("384", None)
    assert {"style", "metadata", "script"}.isdisjoint(element.tag for element in svg.iter())
    assert "http" not in markup and "font-family" not in markup and "<!" not in markup


def test_a_figure_is_the_same_bytes_twice():
    """
    Nothing random and no date enters the image.
    """
    first, second = (html.figure(chart(), name="f", **TITLES) for _ in range(2))

    assert first == second


def test_two_figures_share_no_id():
    """
    Two figures of one page can stand side by side: all ids differ, and each reference is met.
    """
    page = str(html.figure(chart(), name="a", **TITLES)) + str(
        html.figure(chart(), name="b", **TITLES)
    )

    ids = [value for key, value in Tags(page).attributes if key == "id"]
    met = re.findall(r"url\(#([^)]*)\)", page) + re.findall(' href="#([^"]*)"', page)
    assert len(ids) == len(set(ids)) > 4
    assert len(met) > 4 and set(met) <= set(ids)


def test_text_of_a_chart_is_drawn_literally():
    """
    Dollar signs, quotes, arrows and control characters in names are shown, not interpreted.
    """
    names = ('$5 to $6 id="x" url(#y)', "a --> b \x0b", r"$\frac{")

    svg = image(html.figure(chart(*names), name="f", **TITLES))

    texts = {element.text for element in svg.iter("text")}
    assert {names[0], "a --> b \ufffd", names[2]} <= texts


def test_a_link_in_a_chart_is_dropped():
    """
    An address that matplotlib was given does not reach the page.
    """
    axes = chart()
    axes.annotate("note", (0.5, 0.5), url="javascript:alert(1)")

    svg = image(html.figure(axes, name="f", **TITLES))

    assert "note" in {element.text for element in svg.iter("text")}
    assert [element.attrib for element in svg.iter("a")] == [{}]


def test_chinese_text_stays_text_without_a_warning(monkeypatch, caplog):
    """
    Without any Chinese font the text is still written, and matplotlib neither warns nor logs.
    """
    monkeypatch.setattr("salesanalysis.present.svg._FONTS", ("DejaVu Sans",))

    with warnings.catch_warnings(), caplog.at_level(logging.WARNING):
        warnings.simplefilter("error")
        shown = html.figure(chart("线索", "赢单"), name="f", **TITLES)

    assert {"线索", "赢单"} <= {element.text for element in image(shown).iter("text")}
    assert not caplog.records


def test_another_warning_of_drawing_is_not_hidden():
    """
    Only the warning about missing glyphs is silenced.
    """
    axes = chart()
    draw = axes.draw
    axes.draw = lambda renderer: (warnings.warn("odd", UserWarning, stacklevel=1), draw(renderer))

    with pytest.warns(UserWarning, match="odd"):
        html.figure(axes, name="f", **TITLES)


def test_colours_of_the_page_get_their_dark_partner():
    """
    A token's colour becomes a class; others stay; white text, which stands on a bar, stays white.
    """
    axes = chart("a")
    axes.patches[0].set_facecolor("#00664f")
    axes.patches[0].set_edgecolor("#0072b2")
    axes.text(0.5, 0, "in", color="white")
    axes.text(0.5, 1, "beside", color="#595959")

    svg = image(html.figure(axes, name="f", **TITLES))

    bar = next(element for element in svg.iter() if element.get("fill") == "#00664f")
    assert bar.get("class") == "fill-good" and "stroke:#0072b2" in bar.get("style")
    by_text = {element.text: element for element in svg.iter("text")}
    assert "fill:#ffffff" in by_text["in"].get("style") and by_text["in"].get("class") is None
    assert by_text["beside"].get("class") == "fill-muted"


def test_every_token_has_a_rule_and_a_dark_partner():
    """
    The style sheet knows the light colours that the charts may use, and gives each a dark one.
    """
    light, dark = html.style().split("@media screen and (prefers-color-scheme:dark)", 1)
    dark = dark[: dark.index("}}")]

    for colour, token in TOKENS.items():
        assert f".fill-{token}{{fill:var(--{token})}}" in html.style()
        assert f".stroke-{token}{{stroke:var(--{token})}}" in html.style()
        assert f"--{token}:#" in dark
        assert f"--{token}:{colour}" in light or colour == "#000000"


def test_a_figure_is_closed_and_global_settings_stay():
    """
    Drawing leaves no open figure and no setting behind.
    """
    before = dict(mpl.rcParams)
    _figure, axes = plt.subplots()

    html.figure(axes, name="f", **TITLES)

    assert plt.get_fignums() == []
    assert dict(mpl.rcParams) == before


@pytest.mark.parametrize("name", ["", "1a", "a b", 'a"b', "A"])
def test_a_figure_needs_a_name_for_ids(name):
    """
    A name that could not begin an id is refused.
    """
    with pytest.raises(ValueError, match="name must be small letters, digits"):
        html.figure(chart(), name=name, **TITLES)


@pytest.mark.parametrize("text", TITLES)
def test_a_figure_needs_each_of_its_texts(text):
    """
    An empty title, alternative or source is refused by its name.
    """
    with pytest.raises(ValueError, match=f"figure f: {text} must be given"):
        html.figure(chart(), name="f", **TITLES | {text: " "})


def test_a_table_names_its_rows_and_columns():
    """
    Caption, scopes, the scroll region and the classes of kinds are where a reader needs them.
    """
    columns = [("Region", "text"), ("Deals", "number"), ("Mark", "flag")]

    shown = str(html.table(caption="Deals", columns=columns, rows=[["华东", "1,234", "未满期"]]))

    assert '<div class="scroll" role="region" aria-label="Deals" tabindex="0">' in shown
    assert "<caption><span>Deals</span></caption>" in shown
    assert '<th scope="col" class="number">Deals</th>' in shown
    assert '<th scope="row">华东</th>' in shown
    assert '<td class="number">1,234</td>' in shown
    assert '<td class="flag">未满期</td>' in shown


def test_the_column_that_names_a_row_can_be_chosen():
    """
    Another column, or none, heads the rows.
    """
    given = {"caption": "c", "columns": [("a", "text"), ("b", "text")], "rows": [["1", "2"]]}

    assert '<td>1</td><th scope="row">2</th>' in str(html.table(**given, row_header=1))
    assert 'scope="row"' not in str(html.table(**given, row_header=None))


def test_a_table_refuses_what_would_mislead():
    """
    Numbers that nobody formatted, ragged rows and unknown kinds are named.
    """
    columns = [("Region", "text"), ("Rate", "number")]

    with pytest.raises(TypeError, match=r"row 2, column 'Rate' is float 0\.5; format it first"):
        html.table(caption="c", columns=columns, rows=[["a", "1"], ["b", 0.5]])
    with pytest.raises(ValueError, match="each row must have 2 cells, but row 1 has 3"):
        html.table(caption="c", columns=columns, rows=[["a", "1", "2"]])
    with pytest.raises(ValueError, match="kind of column 'x' must be one of"):
        html.table(caption="c", columns=[("x", "money")], rows=[])


def test_an_answer_opens_the_page_and_feeds_the_index():
    """
    One H1, the line of truth, cards; and the same as a summary beside the output.
    """
    shown = html.answer(message="27 % & more", truth=["As of 2026-06-30", "41 deals"], cards=CARDS)

    assert str(shown).count("<h1>") == 1 and "<h1>27 % &amp; more</h1>" in str(shown)
    assert "<li>As of 2026-06-30</li><li>41 deals</li>" in str(shown)
    _data, metadata = html.stack(html.paragraphs("x"), shown)._repr_mimebundle_()
    assert metadata[html.MIME]["summary"] == {
        "message": "27 % & more",
        "truth": ["As of 2026-06-30", "41 deals"],
        "cards": [["Won", "27 %"], ["Open", "41"], ["Lost", "32 %"]],
    }


@pytest.mark.parametrize(("tone", "word"), [("good", "better"), ("bad", "worse")])
def test_a_tone_is_a_word_and_not_only_a_colour(tone, word):
    """
    Better and worse are written out beside the comparison.
    """
    card = CARDS[0] | {"comparison": "▼ 4 days", "tone": tone}

    shown = str(html.answer(message="m", truth=[], cards=[card, *CARDS[1:]]))

    assert f'<dd class="{tone}">▼ 4 days <b>{word}</b></dd>' in shown


def test_an_answer_refuses_wrong_cards():
    """
    Too few, too many, an unknown key and an unknown tone are refused.
    """
    for cards in (CARDS[:2], CARDS * 3):
        with pytest.raises(ValueError, match=f"must have 3 to 6 cards, but has {len(cards)}"):
            html.answer(message="m", truth=[], cards=cards)
    with pytest.raises(ValueError, match="but has color, label, value"):
        html.answer(message="m", truth=[], cards=[*CARDS, CARDS[0] | {"color": "red"}])
    with pytest.raises(ValueError, match="tone of card 'Won' must be one of"):
        html.answer(message="m", truth=[], cards=[*CARDS, CARDS[0] | {"tone": "great"}])


def test_a_measure_card_leaves_out_what_does_not_apply():
    """
    A measure that is no rate has no numerator; its caveats and misuse are listed.
    """
    shown = str(
        html.measure_card(
            name="Cycle",
            what="How long",
            definition="days from creation to closing",
            source="deals",
            caveats=["young", "open"],
            not_for="judging a rep",
        )
    )

    assert "Numerator" not in shown and "<h3>Cycle</h3>" in shown
    assert "<dd>young</dd><dd>open</dd>" in shown and "<dd>judging a rep</dd>" in shown


def test_words_of_the_blocks_can_be_translated(monkeypatch):
    """
    The templates' own words pass through the one translation.
    """
    monkeypatch.setattr(
        "salesanalysis.present.words._translations.gettext", lambda text: f"译{text}"
    )

    assert "译Source: CRM, deals" in str(html.figure(chart(), name="f", **TITLES))


def test_files_are_linked_and_carried_beside_the_output():
    """
    The line links each file; the texts stand in the metadata, and not in the markup.
    """
    shown = html.files("Open deals", {"deals.csv": "id\r\n1", "dates.ics": "BEGIN"})

    data, metadata = shown._repr_mimebundle_()
    assert Tags(shown).attributes == [
        ("class", "note"), ("href", "deals.csv"), ("download", None),
        ("href", "dates.ics"), ("download", None),
    ]  # fmt: skip
    assert "".join(Tags(shown).texts).strip() == "Open deals: deals.csv, dates.ics"
    assert metadata == {html.MIME: {"files": {"deals.csv": "id\r\n1", "dates.ics": "BEGIN"}}}
    assert "BEGIN" not in data[html.MIME]


def test_a_stack_carries_answer_and_files_of_its_parts():
    """
    Blocks put together, or kept behind a line, lose neither.
    """
    answer = html.answer(message="27 %", truth=[], cards=CARDS)
    parts = [html.files(name, {f"{name}.csv": name}) for name in ("a", "b", "a")]

    for block in (html.stack(answer, *parts), html.details("more", html.stack(*parts, answer))):
        _data, metadata = block._repr_mimebundle_()
        assert metadata[html.MIME]["files"] == {"a.csv": "a", "b.csv": "b"}
        assert metadata[html.MIME]["summary"]["message"] == "27 %"
    with pytest.raises(ValueError, match="a.csv is given twice with different content"):
        html.stack(parts[0], html.files("c", {"a.csv": "c"}))


@pytest.mark.parametrize(
    "name",
    ["a.CSV", "A.csv", "a.csv.csv", "a b.csv", "a.html", "../a.csv", ".csv", "1.csv", "a.csv\n"],
)
def test_a_file_needs_a_plain_name(name):
    """
    A name that is no slug with a known extension is refused.
    """
    with pytest.raises(ValueError, match="must be named by small letters"):
        html.files("x", {name: ""})


def test_a_line_of_files_needs_texts():
    """
    Nothing, and what is no text, is refused.
    """
    with pytest.raises(ValueError, match="files must be given for 'x', but are not"):
        html.files("x", {})
    with pytest.raises(ValueError, match="must be text, but a.csv is bytes"):
        html.files("x", {"a.csv": b""})
