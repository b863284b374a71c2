"""Pages: what of a notebook is shown, what is refused, and that nothing in a page acts."""

import re
from html.parser import HTMLParser

import pytest
from nbformat import v4

from salesanalysis.present import html
from salesanalysis.report import index, page

from .tiny import CELLS, make_notebook, shown

HOSTILE = "<script>alert(1)</script>\"'><img src=x onerror=alert(1)>王小明"
CARDS = [{"label": "Won", "value": "27 %"}, {"label": "Open", "value": "4"},
         {"label": "Lost", "value": "9"}]  # fmt: skip
POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; img-src data:; font-src data:; "
    "base-uri 'none'; form-action 'none'"
)


def executed(*blocks, title="# Where do deals get lost?", text="27 %", prose=""):
    """A notebook as a kernel leaves it: the answer, then the blocks."""
    notebook = make_notebook([f"{title}\n\n{prose}", *CELLS[1:]])
    answer = html.answer(message=text, truth=[text], cards=[c | {"value": text} for c in CARDS])
    notebook.cells[3].outputs = [shown(answer), *(shown(block) for block in blocks)]
    notebook.cells[4].outputs = [shown(html.end())]
    return notebook


def manifest(title="Monthly reports", entry_title="Where do deals get lost?", message="27 %"):
    built_at = "2026-07-01 09:00+08:00 Asia/Shanghai"
    entry = {
        "name": "sales_funnel", "title": entry_title, "message": message, "truth": [message],
        "cards": [[message, message]], "suite": "monthly.yaml", "built_at": built_at,
        "version": "0.1.0",
    }  # fmt: skip
    other = entry | {"name": "rep_ranking", "title": "Who wins?"}
    suite = {"suite": "monthly.yaml", "title": title, "store_sha256": "5a"}
    return {
        "title": title, "as_of": "2026-06-30", "version": "0.1.0", "built_at": built_at,
        "store_sha256": "5a", "suites": [suite], "set": "5e7", "reports": [entry, other],
    }  # fmt: skip


def render(notebook, **kwargs):
    return page.render(notebook, manifest=manifest(**kwargs), name="sales_funnel")


class Seen(HTMLParser):
    """The tags and attributes that a browser would see."""

    def __init__(self, document):
        super().__init__()
        self.tags = []
        self.feed(document)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, [key for key, _value in attrs]))


def test_a_page_shows_prose_and_answers_but_no_code():
    """
    The question above the computed H1, the section's prose, no source of any cell.
    """
    document = render(executed(prose="A *bar* is a share. `<b>`"))

    assert document.count("<h1>") == 1 and "<h1>27 %</h1>" in document
    question = document.index('<p class="question">Where do deals get lost?</p>')
    assert question < document.index("<h1>")
    assert "A <em>bar</em> is a share. <code>&lt;b&gt;</code>" in document
    assert "import" not in document and "within_days" not in document


def test_a_page_says_when_and_by_what_it_was_made():
    """
    As of, built at with its zone, version; links to the pages beside and above it.
    """
    document = render(executed())

    assert "<title>Where do deals get lost?, 2026-06-30</title>" in document
    assert (
        "As of 2026-06-30 · Built 2026-07-01 09:00+08:00 Asia/Shanghai · salesanalysis 0.1.0"
    ) in document
    assert '<a href="../index.html">Monthly reports</a>' in document
    assert '<a href="rep_ranking.html">Who wins?</a>' in document
    assert '<a href="sales_funnel.html" aria-current="page">' in document
    assert '<a href="../../index.html">All dates</a>' in document


@pytest.mark.parametrize("make", [
    lambda: render(executed()),
    lambda: index.of_folder(manifest()),
], ids=["page", "index"])  # fmt: skip
def test_a_page_cannot_act(make):
    """
    The policy forbids scripts and requests; the page has neither, and says its language.
    """
    document = make()

    policy = re.search('Content-Security-Policy" content="([^"]*)"', document)[1]
    assert policy == POLICY
    assert '<html lang="en">' in document
    assert "<script" not in document and "http" not in document.replace("http-equiv", "")
    assert not re.search(r"(src=|@import|url\()", document)
    for landmark in ("<header>", '<main id="content"', "<footer>", '<a class="skip" href="#con'):
        assert document.count(landmark) == 1


@pytest.mark.parametrize(
    "make",
    [
        lambda text: render(executed(text=text)),
        lambda text: render(executed(), title=text, entry_title=text),
        lambda text: render(executed(prose=text)),
        lambda text: render(executed(prose=f"## {text}\n\n- {text}\n\n    {text}\n\n```{text}\n```")),
        lambda text: render(executed(prose=f"<div>\n{text}\n</div>")),
        lambda text: index.of_folder(manifest(title=text, entry_title=text, message=text)),
    ],
    ids=["data", "metadata", "prose", "blocks of prose", "raw HTML", "index"],
)  # fmt: skip
def test_a_hostile_value_stays_text(make):
    """
    Whatever brings it in, a value with markup adds no tag and no attribute of its own.
    """
    seen = Seen(make(HOSTILE)).tags

    names = {name for name, _ in seen}
    assert not names & {"script", "img", "iframe", "object", "svg"}
    assert not [key for _, keys in seen for key in keys if key.startswith("on") or key == "src"]
    assert "王小明" in make(HOSTILE)


@pytest.mark.parametrize("address", [
    "javascript:alert(1)", "JaVaScRiPt:alert(1)", "javascript&colon;alert(1)",
    "java%0ascript:alert(1)", "&#106;avascript:alert(1)", "data:text/html,x", "vbscript:x",
    "file:///etc/passwd", "mailto:a@b.c", "//evil.example/x", "/%5Cevil.example", "http://[x",
])  # fmt: skip
def test_a_link_of_prose_that_is_not_plain_is_text(address):
    """
    Only http, https and relative addresses become links.
    """
    document = render(executed(prose=f"[text]({address}) <{address}> ![text]({address})"))

    assert "text" in document
    assert not [keys for tag, keys in Seen(document).tags if tag == "img"]
    assert len(re.findall("<a ", document)) == len(re.findall("<a ", render(executed())))


@pytest.mark.parametrize("address", ["https://example.com/a", "rep_ranking.html#top", "#content"])
def test_a_plain_link_of_prose_works(address):
    """
    A web address, a page beside this one, and a place in it are links.
    """
    assert f'<a href="{address}">text</a>' in render(executed(prose=f"[text]({address})"))


def test_facts_are_what_an_index_says():
    """
    The title comes from the prose, the message and cards from the answer; warnings are counted.
    """
    notebook = executed(title="# Who *wins* & `why`?", text="27 <b>")
    notebook.cells[2].outputs = [v4.new_output("stream", name="stderr", text="odd\n")]

    facts = page.facts(notebook)

    assert facts == {
        "title": "Who wins & why?", "message": "27 <b>", "truth": ["27 <b>"],
        "cards": [["Won", "27 <b>"], ["Open", "27 <b>"], ["Lost", "27 <b>"]], "n_warnings": 1, "files": [],
    }  # fmt: skip


@pytest.mark.parametrize(
    ("output", "kind"),
    [
        (v4.new_output("execute_result", {"text/html": "<table>", "text/plain": "x"}), "text/html"),
        (v4.new_output("stream", name="stdout", text="a row"), "stdout"),
        (v4.new_output("display_data", {"image/png": "aGk="}), "image/png"),
        (v4.new_output("display_data", {"text/markdown": "**x**"}), "text/markdown"),
        (v4.new_output("error", ename="E", evalue="e"), "error"),
    ],
    ids=["DataFrame", "print", "image", "Markdown", "error"],
)
def test_an_output_not_made_by_present_is_refused(output, kind):
    """
    A table of pandas, a print, an image: the cell is named, counted as its author does, with what
    to do.
    """
    notebook = executed()
    put_in = v4.new_code_cell("", metadata={"tags": ["injected-parameters"]})
    notebook.cells.insert(2, put_in)
    notebook.cells[3].outputs = [output]

    with pytest.raises(
        ValueError, match=f"but cell 3 shows {kind}.*; (give it to a function of|remove the print)"
    ):
        page.facts(notebook)


def test_an_output_of_present_is_shown_also_as_the_value_of_a_cell():
    """
    A block counts whether it was displayed or is the last value of its cell.
    """
    notebook = executed()
    data, metadata = html.paragraphs("the last value")._repr_mimebundle_()
    notebook.cells[2].outputs = [v4.new_output("execute_result", data, metadata=metadata)]

    assert page.facts(notebook)["title"]
    assert render(notebook).count("<p>the last value</p>") == 1


@pytest.mark.parametrize(
    ("change", "match"),
    [
        (lambda nb: nb.cells.pop(0), "exactly one first-level heading.*has none"),
        (lambda nb: nb.cells.append(v4.new_markdown_cell("# More")), "but has .'Where.*'More'"),
        (lambda nb: nb.cells[3].outputs.clear(), "exactly one answer, but shows 0"),
        (lambda nb: nb.cells.append(nb.cells[3]), "exactly one answer, but shows 2"),
        (lambda nb: nb.cells[3].outputs.extend([shown(html.Html('<figure id="f">'))] * 2),
         "its own name, but f occurs twice"),
    ],
    ids=["no title", "two titles", "no answer", "two answers", "figures of one name"],
)  # fmt: skip
def test_a_notebook_that_makes_no_page_is_refused(change, match):
    """
    One question, one answer, figures with names of their own.
    """
    notebook = executed()
    change(notebook)

    with pytest.raises(ValueError, match=match):
        page.facts(notebook)


def test_files_go_beside_a_page():
    """
    A block's files are found by name; the page links them, and the index knows their names.
    """
    texts = {"deals.csv": "a\r\n王", "dates.ics": "BEGIN"}
    notebook = executed(
        html.details("More", html.stack(html.paragraphs("x"), html.files("F", texts)))
    )

    assert page.files(notebook) == texts
    assert page.facts(notebook)["files"] == ["dates.ics", "deals.csv"]
    assert '<a href="deals.csv" download>deals.csv</a>' in render(notebook)


def with_files(files, markup="<p>x</p>"):
    """A notebook with an output that no function of present made."""
    return executed(html.Html(markup, files=files))


@pytest.mark.parametrize(
    ("make", "match"),
    [
        (lambda: with_files({"../x.csv": "a"}), "named .*but is named '../x.csv'"),
        (lambda: with_files({"x.html": "a"}), "but is named 'x.html'"),
        (lambda: with_files({"x.csv.json": "a"}), "but is named 'x.csv.json'"),
        (lambda: with_files({"x.csv": 1}), "must be text, but x.csv is int"),
        (lambda: with_files({"manifest.json": "{}"}), "manifest.json is the runner's own"),
        (lambda: with_files({"pages.csv": ""}), "pages.csv is the runner's own"),
        (lambda: executed(html.files("A", {"x.csv": "1"}), html.files("B", {"x.csv": "2"})),
         "x.csv is that of another file"),
        (lambda: with_files(None, str(html.files("A", {"x.csv": "1"}))),
         "must bring the file along, but x.csv is not there"),
    ],
    ids=["path", "extension", "two extensions", "number", "manifest.json", "pages.csv", "twice", "lost"],
)  # fmt: skip
def test_a_file_that_could_do_harm_or_is_lost_is_refused(make, match):
    """
    No file leaves its folder, replaces another or is missing behind its link.
    """
    with pytest.raises(ValueError, match=match):
        page.facts(make())


def test_a_private_page_links_nothing_outside_its_folder():
    """
    A page of a reader has no link to all dates; an index of a reader has nothing above it.
    """
    private = manifest() | {"for": "rep", "reader": {"name": "王 <b>"}}

    document = page.render(executed(), manifest=private, name="sales_funnel")
    listed = index.of_folder(private)

    assert re.findall(r'href="(\.\./[^"]*)"', document) == ["../index.html"]
    assert "../" not in listed
    assert "<h1>王 &lt;b&gt;, as of 2026-06-30</h1>" in listed


def test_a_notebook_that_asks_for_the_pages_gets_links_with_their_messages():
    """
    The other pages of the folder are named with what they say, the page itself is not, and no text becomes markup.
    """
    notebook = executed(html.pages(), html.paragraphs(html.PAGES))
    facts = manifest()
    facts["reports"][1] |= {"message": HOSTILE, "title": HOSTILE}

    document = page.render(notebook, manifest=facts, name="sales_funnel")
    listed = document.split('<ul class="pages">')[1].split("</ul>")[0]

    assert document.count('<ul class="pages">') == 1  # what only looks like the place stays text
    assert listed.count("<li>") == 1
    assert '<a href="rep_ranking.html">' in listed
    assert HOSTILE not in document and listed.count("&lt;script&gt;") == 2
    assert "data-pages" not in document.replace("data-pages=&#34;", "")


def test_a_page_without_others_says_so():
    """
    Alone in its folder, the page says that there is no other.
    """
    facts = manifest()
    facts["reports"] = facts["reports"][:1]

    document = page.render(executed(html.pages()), manifest=facts, name="sales_funnel")

    assert "There is no other page in this folder." in document
