"""A drawn matplotlib figure as an SVG fragment that a page, a phone and a dark screen can show."""

import io
import re
import warnings
from xml.etree import ElementTree

import matplotlib as mpl
import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.backends.backend_mixed import MixedModeRenderer
from matplotlib.backends.backend_svg import FigureCanvasSVG, RendererSVG
from matplotlib.figure import Figure
from matplotlib.font_manager import fontManager
from matplotlib.text import Text

TOKENS = {
    "#ffffff": "background",
    "#1a1a1a": "text",
    "#000000": "text",
    "#595959": "muted",
    "#767676": "line",
    "#0b5cad": "accent",
    "#00664f": "good",
    "#a63a00": "bad",
    "#b3b3b3": "band-1",
    "#cccccc": "band-2",
    "#e6e6e6": "band-3",
}
"""The light colours that have a dark partner in ``style.css``; other colours stay as drawn."""

_POINTS = 72  # an inch, and the dots of one: what is measured is in points
_FONTS = ("DejaVu Sans", "Noto Sans CJK SC", "PingFang SC", "Microsoft YaHei")
# A hundredth of a point is finer than any screen.
_LONG_FRACTION = re.compile(r"(\.\d\d)\d+")
_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")


def svg(axes: Axes | Figure, *, name: str, alt: str) -> str:
    """
    Draw a figure as SVG, the same bytes each time, and close it.

    Text stays text, drawn literally (a ``$`` is a ``$``) in the reader's own fonts. Ids begin
    with ``name``; links, scripts, comments and metadata are left out. Colours of `TOKENS` become
    classes, so that the page's style sheet can give their dark partner.

    Parameters
    ----------
    axes : Axes or Figure
        What was drawn.
    name : str
        Prefix of ids, and salt of those that matplotlib derives.
    alt : str
        The image's text alternative.
    """
    figure = axes if isinstance(axes, Figure) else axes.get_figure(root=True)
    root = ElementTree.fromstring(_CONTROL.sub("\ufffd", _draw(figure, salt=name)))  # noqa: S314 - drawn by matplotlib just now
    plt.close(figure)
    width = root.get("viewBox").split()[2]
    root.attrib = {
        "viewBox": root.get("viewBox"),
        # Points to CSS pixels: the natural size, which the style sheet shrinks to the screen.
        "width": str(round(float(width) * 4 / 3)),
        "role": "img",
        "aria-label": alt,
    }
    _clean(root, prefix=f"{name}-")
    return ElementTree.tostring(root, encoding="unicode")


def _draw(figure: Figure, *, salt: str) -> str:
    for text in figure.findobj(Text):
        text.set_parse_math(False)
    if figure.get_layout_engine() is None:
        figure.set_layout_engine("constrained")  # so that no label is cut off
    known = set(fontManager.get_font_names())
    settings = {
        "svg.fonttype": "none",
        "svg.hashsalt": salt,
        "text.parse_math": False,
        "font.sans-serif": [font for font in _FONTS if font in known],
    }
    drawn = io.StringIO()
    with mpl.rc_context(settings), warnings.catch_warnings():
        # The reader's fonts draw the text; matplotlib's only measure it.
        warnings.filterwarnings("ignore", r"Glyph \d+ .* missing from font", UserWarning)
        # savefig would draw everything twice, and measure each text twice: for the layout, then for the page.
        figure.dpi = _POINTS
        size = figure.get_size_inches() * _POINTS
        nothing = dict.fromkeys(("Date", "Creator", "Format", "Type"))
        vectors = RendererSVG(*size, drawn, image_dpi=_POINTS, metadata=nothing)
        renderer = MixedModeRenderer(figure, *size, _POINTS, vectors)
        FigureCanvasSVG(figure).get_renderer = lambda: renderer
        figure.get_layout_engine().execute(figure)
        figure.set_layout_engine("none")
        figure.draw(renderer)
        renderer.finalize()
    return drawn.getvalue()


def _clean(root: ElementTree.Element, *, prefix: str) -> None:
    for parent in root.iter():
        for child in list(parent):
            # matplotlib's style element would style the whole page, and so stands in style.css.
            if child.tag.endswith("}style"):
                parent.remove(child)
    for element in root.iter():
        element.tag = element.tag.rpartition("}")[2]
        element.text = element.text if (element.text or "").strip() else None
        element.tail = None
        attributes = {key.rpartition("}")[2]: value for key, value in element.attrib.items()}
        if not attributes.get("href", "#").startswith("#"):
            del attributes["href"]
            attributes.pop("target", None)
        if element.tag == "g":
            attributes.pop("id", None)  # names of artists, which nothing refers to
        if attributes.get("transform", "").startswith("rotate(-0 "):
            del attributes["transform"]  # of upright text
        element.attrib = {
            key: _with_prefix(key, value, prefix)
            for key, value in _recolour(attributes, is_text=element.tag == "text").items()
        }


def _with_prefix(key: str, value: str, prefix: str) -> str:
    if key == "id":
        return prefix + value
    if key == "href":
        return f"#{prefix}{value[1:]}"
    if key in ("style", "clip-path"):
        return value.replace("url(#", f"url(#{prefix}")
    if key in ("d", "x", "y", "width", "height"):
        return " ".join(_LONG_FRACTION.sub(r"\1", value).split())
    return value


def _recolour(attributes: dict[str, str], *, is_text: bool) -> dict[str, str]:
    kept, classes, changed = [], [], dict(attributes)
    for declaration in changed.pop("style", "").split(";"):
        key, _, value = (part.strip() for part in declaration.partition(":"))
        token = TOKENS.get(value.lower()) if key in ("fill", "stroke") else None
        if token and not (is_text and token == "background"):  # white text stands on a bar  # noqa: S105
            classes.append(f"{key}-{token}")
            # An attribute yields to the style sheet and serves readers that have none.
            changed[key] = value
        elif key and key != "font-family":
            kept.append(f"{key}:{value}")
    if kept:
        changed["style"] = ";".join(kept)
    if classes:
        changed["class"] = " ".join(classes)
    return changed
