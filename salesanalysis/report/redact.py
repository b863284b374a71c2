"""
Take the secrets of the environment out of everything that a run leaves behind.

A secret is the value of a variable whose name says so (``…_TOKEN``, ``…_PASS…``, ``…_SECRET…``, ``…_KEY``), an address
in ``SALESANALYSIS_NOTIFY`` and the parts of one. It is found as it stands, and also escaped for JSON, HTML, URLs or
Python, in base64 or hexadecimal, in another case, coloured, quoted in pieces, wrapped over lines, and cut off: text and
secret are brought to one plain form and compared there.
"""

import base64
import html
import os
import re
import unicodedata
from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from nbformat import NotebookNode

from salesanalysis.report.exits import Exit, RunError

MARK = "•••"
"""What stands in the place of a secret."""

ADDRESSES = "SALESANALYSIS_NOTIFY"
"""The variable with the addresses that a run sends its news to."""

SHORTEST = 8
"""A shorter value cannot be taken out without harm to ordinary text."""

_NAME = re.compile(r"(?:.*_)?(?:TOKEN|KEY)|(?:.*_)?(?:PASS|SECRET)[A-Z0-9_]*")
_NEXT_ADDRESS = re.compile(r"[\s,;]+(?=[A-Za-z][\w+.-]*://)|\s+")
# Words of many services' addresses, which a page may well say.
_NO_TOKENS = {
    *("channels", "connector", "incoming", "messages", "notifications", "notify", "services"),
    *("triggers", "webhook", "webhookb2", "webhooks", "workflows", "incomingwebhook"),
}
_WINDOW, _STEP = 16, 8  # of most secrets, a piece of 23 units or more holds a whole window
_FEWEST_UNITS = 6  # of a secret of eight characters, two of them quotes
_ESCAPE = re.compile(
    rb"""(?:\x1b|\\+(?:u001b|x1b|033|e))\[[0-9;?]*[A-Za-z]          # a colour
    | \\+u(?P<high>[dD][89abAB][0-9a-fA-F]{2})\\+u(?P<low>[dD][c-fC-F][0-9a-fA-F]{2})
    | (?P<letter>[\xc2\xc3][\x80-\xbf])                              # U+0080 to U+00FF is one unit, as in \xe9
    | \\+x[cC](?P<lead>[23])\\+x(?P<rest>[89abAB][0-9a-fA-F])
    | %(?:25)*[cC](?P<urllead>[23])%(?:25)*(?P<urlrest>[89abAB][0-9a-fA-F])
    | \\+(?:u(?P<u>[0-9a-fA-F]{4})|U(?P<U>[0-9a-fA-F]{8})|x(?P<x>[0-9a-fA-F]{2})|[nrtbfv])
    | %(?:25)*(?P<url>[0-9a-fA-F]{2})
    | &(?:amp;)*(?:\#0*(?P<ten>[0-9]{1,7})|\#[xX]0*(?P<hex>[0-9a-fA-F]{1,6})|(?P<name>[A-Za-z][A-Za-z0-9]{1,30}));
    """,
    re.VERBOSE,
)
_FOLD = bytes.maketrans(
    b"ABCDEFGHIJKLMNOPQRSTUVWXYZ-_",
    b"abcdefghijklmnopqrstuvwxyz+/",  # the two alphabets of base64 are one
)
_DROPPED = bytes({*range(0x21), 0x7F, *b"\"'`\\"})
# What the notebook format itself says must stay, whatever the secret.
_FORMAT = {"cell_type", "output_type", "nbformat", "nbformat_minor"}
_FORMAT_KEYS = _FORMAT | {"metadata", "execution_count", "attachments", "traceback"}


class _Phrase(NamedTuple):
    """A secret in one of its forms."""

    units: bytes
    is_whole: bool  # a piece of it is no secret

    def windows(self) -> list[int]:
        """Where pieces begin such that one of them is in every longer piece; just 0: the whole."""
        size = len(self.units)
        if self.is_whole or size < _WINDOW + _STEP:
            return [0]
        step = max(_STEP, size // 16)  # a long key costs no more than a short one
        return [*range(0, size - _WINDOW, step), size - _WINDOW]

    def window(self, start: int) -> bytes:
        return self.units if len(self.windows()) == 1 else self.units[start : start + _WINDOW]


class _View(NamedTuple):
    """One way to read text, and what to look for in it."""

    read: Callable[[bytes], bytes]
    phrases: tuple[_Phrase, ...]
    needles: tuple[bytes, ...]

    def is_hit(self, data: bytes) -> bool:
        text = self.read(data)
        return any(needle in text for needle in self.needles)


def redact(text: str) -> str:
    """
    Put `MARK` in the place of every secret in a text.

    Do it before text is cut to a length: of a secret cut off, a rest of up to 22 characters can stay.

    Examples
    --------
    >>> os.environ["SAMPLE_TOKEN"] = 'tok"en/12345'
    >>> redact("GET /?t=tok%22en%2F12345 and tok&quot;en/12345")
    'GET /?t=••• and •••'
    >>> del os.environ["SAMPLE_TOKEN"]
    """
    views = _views()
    return _redacted(text, views)[0] if views else text


def redact_bytes(data: bytes) -> bytes:
    """Put `MARK` (UTF-8) in the place of every secret in the bytes of a text file."""
    return _marked(data, _views())[0]


def redact_tree(value: Any) -> Any:
    """Give lists and mappings, as JSON has them, with `MARK` for every secret in keys and values."""
    views = _views()
    return _tree(value, views)[0] if views else value


def redact_notebook(notebook: NotebookNode) -> int:
    """
    Put `MARK` in the place of every secret in a notebook: sources, outputs, tracebacks, metadata.

    Returns
    -------
    int
        How many there were.
    """
    views = _views()
    if not views:
        return 0
    n_found = 0
    for key in notebook:
        if key not in _FORMAT:
            notebook[key], n = _tree(notebook[key], views)
            n_found += n
    return n_found


def weak_secrets() -> list[str]:
    """Name the variables that hold a secret too short to be taken out; a run warns of them."""
    secrets = {name: [value] for name, value in os.environ.items() if _NAME.fullmatch(name)}
    secrets[ADDRESSES] = [*_parts(os.environ.get(ADDRESSES, ""))]
    return sorted(
        name
        for name, values in secrets.items()
        if any(value and _is_weak(value) for value in values)
    )


def refuse_in(parameters: Mapping[str, Any]) -> None:
    """
    Refuse a secret among parameters: they stand in the notebook, the page's manifest and the ledger.

    Raises
    ------
    RunError
        Code USAGE.
    """
    views = _views()
    for name, value in parameters.items():
        if views and _tree({name: value}, views)[1]:
            raise RunError(
                f"parameters must hold no secret, but {redact(name)} holds the value of an environment "
                "variable that is one by its name; take it out, and read the variable where it is needed",
                Exit.USAGE,
            )


def _is_weak(value: str) -> bool:
    return (
        len(value) < SHORTEST or len(_plain(value.encode("utf-8", "surrogatepass"))) < _FEWEST_UNITS
    )


def _views() -> tuple[_View, ...]:
    """What to look for, by today's environment; empty if there is no secret."""
    named = (value for name, value in os.environ.items() if _NAME.fullmatch(name))
    return _views_of(frozenset(named), os.environ.get(ADDRESSES, ""))


@lru_cache(maxsize=4)
def _views_of(named: frozenset[str], addresses: str) -> tuple[_View, ...]:
    secrets = {*named, *_parts(addresses), *_addresses(addresses)}
    lines = {line.strip() for value in named for line in value.splitlines()} - secrets
    strong = [value for value in sorted(secrets) if not _is_weak(value)]
    if not strong:
        return ()
    as_it_stands = [_Phrase(_folded(_bytes(value)), _is_address(value)) for value in strong]
    plain = [
        *(_Phrase(_plain(form), _is_address(value)) for value in strong for form in _forms(value)),
        *(_Phrase(_plain(form), True) for value in strong for form in _encoded(_bytes(value))),
        *(
            _Phrase(_plain(_bytes(line)), True)
            for line in sorted(lines)
            if len(line) >= _WINDOW and not _is_weak(line)
        ),
    ]
    return tuple(
        _View(read, tuple(phrases), tuple({p.window(at) for p in phrases for at in p.windows()}))
        for read, phrases in ((_folded, as_it_stands), (_plain, plain))
    )


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


def _is_address(value: str) -> bool:
    """Whether it is a path or an address, pieces of which stand in ordinary messages."""
    return "://" in value or re.match(r"[/~.]|[A-Za-z]:\\", value) is not None


def _addresses(text: str) -> list[str]:
    return [address for address in _NEXT_ADDRESS.split(text.strip()) if address]


def _parts(text: str) -> Iterator[str]:
    """Give what is secret in the addresses: who logs in, tokens in host and path, values asked for."""
    for address in _addresses(text):
        try:
            parts = urlsplit(address)
        except ValueError:  # no address; it is a secret as a whole
            continue
        login, _, place = parts.netloc.rpartition("@")
        yield from (part for part in [login, *login.split(":", 1)[1:]] if part)
        host = re.sub(r":\d*$", "", place)
        words = [*parts.path.split("/"), *([] if "." in host else [host])]
        words += [word for pair in re.split("[&;]", parts.query) for word in pair.split("=", 1)[1:]]
        words += [*login.split(":", 1)[:1], parts.fragment]
        yield from (word for word in words
                    if len(word) >= SHORTEST and word.lower() not in _NO_TOKENS)  # fmt: skip


def _forms(value: str) -> Iterator[bytes]:
    """Give the bytes that a secret may stand for before any escaping."""
    for text in {value, *(unicodedata.normalize(form, value) for form in ("NFC", "NFD"))}:
        raw = _bytes(text)
        yield raw
        if " " in text:
            yield raw.replace(b" ", b"+")  # as in the query of an address


def _encoded(raw: bytes) -> Iterator[bytes]:
    yield raw.hex().encode()
    for shift in range(3):  # the bytes before it decide how it falls into groups of three
        whole = base64.b64encode(bytes(shift) + raw)
        yield whole[-(-8 * shift // 6) : 8 * (shift + len(raw)) // 6]


def _folded(data: bytes) -> bytes:
    return data.translate(_FOLD)


def _plain(data: bytes) -> bytes:
    """Undo escapes, and drop what may come between two characters: space, quotes, backslashes, colours."""
    return _ESCAPE.sub(_unescaped, data).translate(_FOLD, _DROPPED)


def _unescaped(match: re.Match[bytes]) -> bytes:
    kind, found = match.lastgroup, match[match.lastgroup or 0]
    if kind is None:
        return b""
    if kind == "letter":
        return _units(found.decode())
    if kind in ("rest", "urlrest"):
        lead = match["lead"] or match["urllead"]
        return _units(bytes.fromhex(f"c{lead.decode()}{found.decode()}").decode())
    if kind == "low":
        return _units(bytes.fromhex((match["high"] + found).decode()).decode("utf-16-be"))
    if kind in ("x", "url"):
        return bytes.fromhex(found.decode())
    if kind == "name":
        text = html.unescape(f"&{found.decode()};")
        return match[0] if text.startswith("&") and found != b"amp" else _units(text)
    code = int(found, 10 if kind == "ten" else 16)
    return _units(chr(code)) if code <= 0x10FFFF else match[0]


def _units(text: str) -> bytes:
    return b"".join(bytes([ord(c)]) if ord(c) < 0x100 else _bytes(c) for c in text)


def _tree(value: Any, views: tuple[_View, ...]) -> tuple[Any, int]:
    """Redact everything below a value, in place where it is a notebook's; give it and the number found."""
    if isinstance(value, str):
        return _redacted(value, views)
    if isinstance(value, Mapping):
        pairs = [
            (
                (key, 0) if key in _FORMAT_KEYS else _redacted(str(key), views),
                (item, 0) if key in _FORMAT else _tree(item, views),
            )
            for key, item in value.items()
        ]
        found = sum(key[1] + item[1] for key, item in pairs)
        return (type(value)({key[0]: item[0] for key, item in pairs}) if found else value), found
    if isinstance(value, list | tuple | set | frozenset):
        items = [_tree(item, views) for item in value]
        found = sum(n for _item, n in items)
        return (type(value)(item for item, _n in items) if found else value), found
    if isinstance(value, int | float) and not isinstance(value, bool):
        text, found = _redacted(str(value), views)
        return (text if found else value), found
    if isinstance(value, bytes):
        return _marked(value, views)
    return value, 0


def _redacted(text: str, views: tuple[_View, ...]) -> tuple[str, int]:
    if len(text) < _FEWEST_UNITS:
        return text, 0
    data, found = _marked(_bytes(text), views)
    return (data.decode("utf-8", "surrogatepass") if found else text), found


def _marked(data: bytes, views: tuple[_View, ...]) -> tuple[bytes, int]:
    spans: list[tuple[int, int]] = []
    for view in views:
        if view.is_hit(data):
            spans += _spans(data, view)
    pieces, done, found = [], 0, 0
    for start, end in _merged(spans, data):
        pieces += [data[done:start], MARK.encode()]
        done, found = end, found + 1
    return b"".join([*pieces, data[done:]]), found


def _merged(spans: list[tuple[int, int]], data: bytes) -> list[tuple[int, int]]:
    merged: list[tuple[int, int]] = []
    for start, end in sorted(_between_characters(span, data) for span in spans):
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((start, end))
    return merged


def _between_characters(span: tuple[int, int], data: bytes) -> tuple[int, int]:
    """Leave out of a span those bytes at its ends that belong to a character which only begins or ends alike."""
    start, end = span
    while start < end and data[start] & 0xC0 == 0x80:
        start += 1
    while start < end < len(data) and data[end] & 0xC0 == 0x80:
        end -= 1
    return start, end


def _spans(data: bytes, view: _View) -> Iterator[tuple[int, int]]:
    """Give where secrets and longer pieces of one begin and end."""
    text = view.read(data)
    places = _places(data) if view.read is _plain else [(at, at + 1) for at in range(len(data))]
    for phrase in view.phrases:
        for offset in phrase.windows():
            window = phrase.window(offset)
            at = text.find(window)
            while at >= 0:
                start, end = _grown(text, at, phrase.units, offset, len(window))
                yield places[start][0], places[end - 1][1]
                at = text.find(window, at + 1)


def _grown(text: bytes, at: int, units: bytes, offset: int, size: int) -> tuple[int, int]:
    """Widen a window that was found to the whole piece of the secret that stands there."""
    before, after = 0, size
    while before < min(at, offset) and text[at - before - 1] == units[offset - before - 1]:
        before += 1
    while (
        at + after < len(text)
        and offset + after < len(units)
        and text[at + after] == units[offset + after]
    ):
        after += 1
    return at - before, at + after


def _places(data: bytes) -> list[tuple[int, int]]:
    """Give for each unit of the plain form where it stands in the data."""
    places: list[tuple[int, int]] = []
    done = 0
    for match in _ESCAPE.finditer(data):
        places += _places_as_they_stand(data, done, match.start())
        kept = _unescaped(match).translate(None, _DROPPED)
        places += [match.span()] * len(kept)
        done = match.end()
    return places + _places_as_they_stand(data, done, len(data))


def _places_as_they_stand(data: bytes, start: int, end: int) -> list[tuple[int, int]]:
    return [(at, at + 1) for at in range(start, end) if data[at] not in _DROPPED]
