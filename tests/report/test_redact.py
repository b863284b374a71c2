"""Secrets of the environment are found in every form in which they may stand, and nothing else is touched."""

import base64
import html
import json
import os
import pprint
import re
import textwrap
import time
import unicodedata
from urllib.parse import quote, quote_plus

import nbformat
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from nbformat import v4

from salesanalysis.report import redact
from salesanalysis.report.exits import Exit, RunError

TOKEN = 'sk-Live_9f/"Zü+王$1<&x\\y'
PLAIN = "sk-Live9f8a7b6c5d4e3f2a1b0c9d8e7f6a5b4c"
PASSPHRASE = "correct horse battery staple, said 王小明"
PEM = "-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n".format(
    "\n".join(base64.b64encode(bytes([n + 1, 7 * n + 3]) * 24).decode() for n in range(9))
)
SECRETS = {"brackets": TOKEN, "pem": PEM, "phrase": PASSPHRASE, "plain": PLAIN}
ENCODINGS = {
    "as it stands": str,
    "base64 after one": lambda s: base64.b64encode(b"u" + s.encode()).decode(),
    "base64 after two": lambda s: base64.b64encode(b"u:" + s.encode()).decode(),
    "base64 for addresses": lambda s: base64.urlsafe_b64encode(s.encode()).decode(),
    "base64 in lines": lambda s: base64.encodebytes(b"user:" + s.encode() + b"\n").decode(),
    "basic authentication": lambda s: base64.b64encode(f"user:{s}".encode()).decode(),
    "coloured": lambda s: "\x1b[0;31m" + s[:5] + "\x1b[0m\x1b[1;32m" + s[5:] + "\x1b[0m",
    "coloured in JSON": lambda s: json.dumps("\x1b[0;31m" + s[:5] + "\x1b[0m" + s[5:]),
    "csv": lambda s: '"' + s.replace('"', '""') + '"',
    "hexadecimal": lambda s: s.encode().hex(),
    "html": html.escape,
    "html by Jinja": lambda s: html.escape(s).replace("&quot;", "&#34;").replace("&#x27;", "&#39;"),
    "html in ASCII": lambda s: html.escape(s).encode("ascii", "xmlcharrefreplace").decode(),
    "html in html": lambda s: html.escape(html.escape(s)),
    "html without quotes": lambda s: html.escape(s, quote=False),
    "json": json.dumps,
    "json in html": lambda s: html.escape(json.dumps(s)),
    "json in json": lambda s: json.dumps(json.dumps({"a": s})),
    "json with letters": lambda s: json.dumps(s, ensure_ascii=False),
    "lower case": str.lower,
    "pprint": lambda s: pprint.pformat({"k": s}, width=20),
    "repr": repr,
    "repr in ASCII": ascii,
    "repr of bytes": lambda s: repr(s.encode()),
    "repr of repr": lambda s: repr(repr(s)),
    "upper case": lambda s: s.encode().upper().decode(),
    "url": quote,
    "url twice": lambda s: quote(quote(s, safe=""), safe=""),
    "url, no slash": lambda s: quote(s, safe=""),
    "url, plus": quote_plus,
    "windows lines": lambda s: s.replace("\n", "\r\n"),
    "wrapped": lambda s: textwrap.fill(s, 12),
}


@pytest.fixture(autouse=True)
def no_others(monkeypatch):
    """
    Only the secrets that a test sets are in the environment.
    """
    for name in list(os.environ):
        if redact._NAME.fullmatch(name) or name == redact.ADDRESSES:
            monkeypatch.delenv(name)


def solid(text):
    """Letters and digits only: what must be gone, and what must stay."""
    return re.sub(r"[^a-z0-9]", "", text.lower())


@pytest.mark.parametrize("kind", sorted(SECRETS))
@pytest.mark.parametrize("encoding", sorted(ENCODINGS))
def test_a_secret_is_found_in_every_encoding(monkeypatch, encoding, kind):
    """
    No letter of it is left, and the text around it stays.
    """
    monkeypatch.setenv("CRM_TOKEN", SECRETS[kind])
    shown = ENCODINGS[encoding](SECRETS[kind])

    found = redact.redact(f"<b>GET</b> ({shown}) 王 done")

    assert re.match(r"<b>GET</b> \(", found) and re.search(r"\) 王 done$", found)
    assert redact.MARK in found
    rest = solid(found.split("(")[1].split(")")[0])
    hidden = [solid(SECRETS[kind]), solid(SECRETS[kind].encode().hex())]
    hidden += [base64.b64encode(bytes(n) + SECRETS[kind].encode()).decode()[4:-4] for n in range(3)]
    for text in hidden:
        assert not [text[at : at + 4] for at in range(len(text) - 3) if text[at : at + 4] in rest]


def test_only_what_is_secret_by_name_is_taken_out(monkeypatch):
    """
    Names end in _TOKEN or _KEY or have _PASS or _SECRET in them, in upper case.
    """
    secret = {
        "A_TOKEN",
        "A_KEY",
        "DB_PASSWORD",
        "DB_PASS",
        "A_SECRET",
        "A_SECRET_2",
        "TOKEN",
        "PASSPHRASE",
    }
    plain = {
        "A_TOKENS",
        "COMPASS",
        "KEYBOARD",
        "MONKEY",
        "a_token",
        "BYPASS",
        "TOKEN_FILE",
        "HOME_DIRECTORY",
    }
    values = {
        name: f"value-of-{name.lower()}-{number:03}"
        for number, name in enumerate(sorted(secret | plain))
    }
    for name, value in values.items():
        monkeypatch.setenv(name, value)

    gone = {name for name, value in values.items() if redact.redact(f"is {value}.") == "is •••."}

    assert gone == secret


def test_addresses_are_taken_out_with_their_parts(monkeypatch):
    """
    Whole, and each login, token and value asked for; words that services have in their addresses stay.
    """
    monkeypatch.setenv(
        redact.ADDRESSES,
        "mailto://boss.mail:p%40ssw0rd%21@mail.example.com?to=chief@example.com\n"
        "slack://T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ, "
        "https://hooks.example.com/services/T000/B0000000000/?access_token=abc123def456&x=1",
    )  # fmt: skip
    text = (
        "p@ssw0rd! boss.mail chief@example.com T1JJ3T3L2 t1jj3t3l2 A1BRTD4JD TIiajkdnlazkcOXrIdevi7FQ "
        "B0000000000 abc123def456 https://hooks.example.com/services/T000/B0000000000/?access_token=abc123def456&x=1"
    )

    assert redact.redact(text) == " ".join(["•••"] * 10)
    for stays in ("professional services", "mail.example.com", "x=1", "T000"):
        assert redact.redact(stays) == stays


def test_the_longest_secret_wins_and_neighbours_become_one(monkeypatch):
    """
    A secret within another, overlapping and touching ones leave nothing of any.
    """
    monkeypatch.setenv("A_TOKEN", "abcdefgh")
    monkeypatch.setenv("B_TOKEN", "XXabcdefghYY")
    monkeypatch.setenv("C_TOKEN", "efghYYzzzzzz")

    assert redact.redact("1 XXabcdefghYY 2 abcdefgh 3") == "1 ••• 2 ••• 3"
    assert redact.redact("1 XXabcdefghYYzzzzzz 2 abcdefghabcdefgh 3") == "1 ••• 2 ••• 3"


@pytest.mark.parametrize("keep", [(0, 24), (10, 39), (9, 34), (0, 38)])
def test_a_secret_cut_off_is_found(monkeypatch, keep):
    """
    A table shows fifty characters of a text, a log the last line: the piece goes, as far as it is there.
    """
    monkeypatch.setenv("CRM_TOKEN", PLAIN)
    piece = PLAIN[slice(*keep)]

    assert redact.redact(f"x {piece}... y") == "x •••... y"


def test_a_piece_ends_between_characters(monkeypatch):
    """
    What stands beside it may share bytes with the next character of the secret, and stays whole.
    """
    secret = "王小明李华赵丽孙强周敏吴磊郑爽冯杰陈晨"
    monkeypatch.setenv("CRM_TOKEN", secret)

    assert redact.redact(f"{secret[:12]}玉") == "•••玉"  # 玉 begins as 磊 does, with E7
    assert redact.redact(f"下{secret[1:]}") == "下•••"  # 下 ends as 王 does, with 8B
    assert redact.redact(f"a{secret[2:10]}b") == "a•••b"


def test_one_letter_may_be_written_in_two_ways(monkeypatch):
    """
    An accent of its own, or with its letter.
    """
    monkeypatch.setenv("A_TOKEN", "crème-brûlée")
    monkeypatch.setenv("B_TOKEN", unicodedata.normalize("NFD", "Übergröße-1"))

    assert redact.redact(unicodedata.normalize("NFD", "crème-brûlée")) == "•••"
    assert redact.redact("Übergröße-1") == "•••"


def test_pieces_of_a_path_are_no_secret(monkeypatch):
    """
    A key file's folder may be named; its whole path may not.
    """
    monkeypatch.setenv("TLS_KEY", "/home/analyst/company/project/tls.pem")
    monkeypatch.setenv("STORE_KEY", "https://store.example.com/company/key")

    assert (
        redact.redact("/home/analyst/company/project/reports")
        == "/home/analyst/company/project/reports"
    )
    assert redact.redact("/home/analyst/company/project/tls.pem") == "•••"
    assert redact.redact("https://store.example.com/prices") == "https://store.example.com/prices"
    assert redact.redact("https://store.example.com/company/key") == "•••"


def test_short_values_are_named_and_stay(monkeypatch):
    """
    Taking "abc" out of a page would harm it, so the run can only warn.
    """
    monkeypatch.setenv("A_TOKEN", "abc")
    monkeypatch.setenv("B_PASSWORD", "1234567")
    monkeypatch.setenv("C_PASSWORD", "12345678")
    monkeypatch.setenv("D_PASSWORD", "")
    monkeypatch.setenv("E_KEY", '"""""""""" \t')
    monkeypatch.setenv(redact.ADDRESSES, "mailto://someone:pw@example.com")

    assert redact.weak_secrets() == ["A_TOKEN", "B_PASSWORD", "E_KEY", redact.ADDRESSES]
    assert redact.redact('abc 1234567 12345678 """""""""" \t') == 'abc 1234567 ••• """""""""" \t'


def test_a_notebook_is_clean_everywhere_and_still_a_notebook(monkeypatch):
    """
    Sources, outputs, tracebacks, keys, names, numbers and metadata; what nbformat itself says stays.
    """
    for number, value in enumerate((TOKEN, PLAIN, "4711081512", "markdown", "metadata")):
        monkeypatch.setenv(f"S{number}_TOKEN", value)
    notebook = v4.new_notebook(
        metadata={"papermill": {"parameters": {TOKEN: [1, PLAIN, 4711081512, None, True]}}},
        cells=[
            v4.new_markdown_cell(f"# {PLAIN}"),
            v4.new_code_cell(
                f"x = {TOKEN!r}",
                metadata={"tags": [PLAIN]},
                outputs=[
                    v4.new_output("stream", name="stderr", text=f"{PLAIN}\n"),
                    v4.new_output("display_data", {"text/plain": PLAIN, "application/json": {PLAIN: TOKEN}}),
                    v4.new_output("error", ename=PLAIN, evalue=TOKEN,
                                  traceback=["\x1b[31m" + PLAIN[:9] + "\x1b[0m" + PLAIN[9:]]),
                ],
            ),
        ],
    )  # fmt: skip

    n_found = redact.redact_notebook(notebook)

    nbformat.validate(notebook)
    text = nbformat.writes(notebook)
    assert n_found == 13
    assert solid(PLAIN) not in solid(re.sub(r"\\u001b\[\d+m", "", text))
    assert "9f/" not in text and "4711081512" not in text
    assert notebook.cells[0].cell_type == "markdown" and notebook.cells[0].source == "# •••"
    assert redact.redact_notebook(notebook) == 0


def test_without_secrets_nothing_is_looked_at(monkeypatch):
    """
    The very objects come back.
    """
    tree = {"a": ["b" * 20]}

    assert redact.redact_tree(tree) is tree
    assert redact.redact_bytes(b"b" * 20) == b"b" * 20
    assert redact.weak_secrets() == []


def test_a_tree_keeps_its_shape(monkeypatch):
    """
    Lists stay lists, numbers numbers; the tree that was given is not changed.
    """
    monkeypatch.setenv("A_TOKEN", PLAIN)
    tree = {
        "a": [1, 2.5, None, True, {"b": f"x{PLAIN}x"}],
        "c": (PLAIN,),
        PLAIN: b"1" + PLAIN.encode(),
    }

    assert redact.redact_tree(tree) == {
        "a": [1, 2.5, None, True, {"b": "x•••x"}], "c": ("•••",), "•••": b"1" + "•••".encode(),
    }  # fmt: skip
    assert PLAIN in tree and tree["a"][4] == {"b": f"x{PLAIN}x"}


def test_bytes_that_are_no_text_are_no_obstacle(monkeypatch):
    """
    Found between bytes that are not UTF-8; lone surrogates come through.
    """
    monkeypatch.setenv("A_TOKEN", PLAIN)

    assert (
        redact.redact_bytes(b"\xff\xfe" + PLAIN.encode() + b"\xff")
        == b"\xff\xfe\xe2\x80\xa2\xe2\x80\xa2\xe2\x80\xa2\xff"
    )
    assert redact.redact(f"\udce9 {PLAIN}") == "\udce9 •••"


def test_a_parameter_may_hold_no_secret(monkeypatch):
    """
    Refused with the parameter's name and without the value, in lists too; other values pass.
    """
    monkeypatch.setenv("A_TOKEN", PLAIN)
    monkeypatch.setenv("B_TOKEN", "30")
    redact.refuse_in({"days": 30, "rep_id": "007", "ages": [30, 60]})

    for value in (PLAIN, ["x", f"https://example.com/?t={PLAIN}"]):
        with pytest.raises(RunError, match="no secret, but source holds") as caught:
            redact.refuse_in({"days": 30, "source": value})
        assert caught.value.code == Exit.USAGE and PLAIN not in str(caught.value)
    with pytest.raises(RunError, match="no secret, but ••• holds"):
        redact.refuse_in({PLAIN: 1})


@settings(max_examples=300, deadline=None)
@given(
    secret=st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=8, max_size=60),
    before=st.text(st.characters(codec="utf-8"), max_size=30),
    after=st.text(st.characters(codec="utf-8"), max_size=30),
    encoding=st.sampled_from(
        [
            "as it stands",
            "html",
            "html in html",
            "json",
            "json with letters",
            "repr",
            "url",
            "url, no slash",
        ]
    ),
)
def test_any_secret_is_found_and_any_text_survives(secret, before, after, encoding):
    """
    The encoded secret is not in the result, and what does not hold it comes back as it was.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ANY_TOKEN", secret)
        assume(redact.weak_secrets() == [])
        shown = ENCODINGS[encoding](secret)

        found = redact.redact(f"{before} {shown} {after}")

        assert redact.MARK in found
        assert secret not in found and shown not in found
        assert redact.redact(found) == found or redact.MARK in secret
    assert redact.redact(before + after) == before + after


def test_a_large_notebook_takes_milliseconds(monkeypatch):
    """
    300 KB with six secrets, one a private key.
    """
    for number in range(5):
        monkeypatch.setenv(f"S{number}_TOKEN", f"{number}{PLAIN}")
    monkeypatch.setenv("TLS_KEY", PEM)
    line = 'M 12.5 30.25 L 13.5 31.75 "quoted" &lt;b&gt; 王小明 27 % \\u00e9\n'
    notebook = v4.new_notebook(cells=[v4.new_markdown_cell(line * 500) for _ in range(10)])
    seconds = []
    for _ in range(5):
        began = time.process_time()
        assert redact.redact_notebook(notebook) == 0
        seconds.append(time.process_time() - began)

    assert len(nbformat.writes(notebook)) > 300_000
    assert min(seconds) < 0.25
