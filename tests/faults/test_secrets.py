"""R11: secrets of the environment are put everywhere a notebook can put them, and then looked for in every byte."""

import base64
import random
import re
import string

import nbformat
import pytest
from papermill.exceptions import PapermillExecutionError
from report.tiny import PARAMETERS, make_notebook

from salesanalysis import cli
from salesanalysis.report import execute, kernels, ledger
from salesanalysis.report.exits import Exit

from .processes import done
from .projects import project

LEAKS = {  # canary -> cells of a notebook whose page can be made
    "paragraph": 'html.paragraphs("token: " + os.environ["{}"])',
    "table": 'html.table(caption=os.environ["{}"], columns=[("A", "text")], rows=[[os.environ["{}"]]])',
    "download": 'html.files("rows", {{"rows.csv": "a,b\\n1," + os.environ["{}"] + "\\n"}})',
    "figure": """from matplotlib.figure import Figure
axes = Figure().subplots()
axes.set_title(os.environ["{}"])
html.figure(axes, name="leak", headline=os.environ["{}"], subtitle="s", alt="1 " + os.environ["{}"], source="s")""",
    "address": 'html.paragraphs("https://x.example/?t=" + quote(os.environ["{}"], safe="") + "&u=1")',
    "address_plus": 'html.paragraphs("https://x.example/?t=" + quote_plus(os.environ["{}"]))',
    "base64": 'html.paragraphs("Basic " + base64.b64encode(("user:" + os.environ["{}"]).encode()).decode())',
    "hexadecimal": 'html.paragraphs(os.environ["{}"].encode().hex())',
    "json": 'html.paragraphs(json.dumps({{"a": [os.environ["{}"]]}}))',
    "repr": 'html.paragraphs(repr(os.environ["{}"]))',
    "bytes": 'html.paragraphs(repr(os.environb[b"{}"]))',
    "upper": 'html.paragraphs(os.environ["{}"].upper())',
    "notice": 'html.notice(title=os.environ["{}"], text=[os.environ["{}"]])',
    "card": """html.measure_card(name=os.environ["{}"], what=os.environ["{}"], definition="d",
                  source=os.environ["{}"])""",
    "cut": 'html.paragraphs(os.environ["{}"][:40] + "...")',
    "warning": 'warnings.warn(os.environ["{}"])',
    "stderr": 'print(os.environ["{}"], file=sys.stderr, flush=True)',
    "stderr_of_shell": 'os.system("echo ${} >&2");',
    "stderr_of_program": 'subprocess.run(["sh", "-c", "printenv {} >&2"]);',
    "descriptor": 'os.write(2, os.environb[b"{}"]);',
    "first_descriptor": 'sys.__stderr__.write(os.environ["{}"]); sys.__stderr__.flush()',
    "log": 'logging.getLogger("crm").error("refused %s", os.environ["{}"])',
    "thread": 'threading.Thread(target=lambda: warnings.warn(os.environ["{}"])).start()',
    "variable": 'whole = dict(os.environ); own = os.environ["{}"]',
    "at_exit": 'atexit.register(lambda: os.system("echo $" + "{} >&2"));',
}
FAILURES = {  # canary -> cells that leave something in the notebook of a failed run
    "stdout": 'print(os.environ["{}"])',
    "result": 'os.environ["{}"]',
    "key": '{{os.environ["{}"]: {{os.environ["{}"]: 1}}}}',
    "frame": 'import pandas as pd; pd.DataFrame({{os.environ["{}"]: [os.environ["{}"] * 3]}})',
    "pretty": "import pprint; pprint.pprint([[[{{'k': os.environ['{}']}}]]], width=30)",
    "markup": 'from IPython.display import HTML; HTML("<b>" + html_escape(os.environ["{}"]) + "</b>")',
    "svg": 'from IPython.display import SVG; SVG("<svg><text>" + html_escape(os.environ["{}"]) + "</text></svg>")',
    "data": 'from IPython.display import JSON; JSON({{os.environ["{}"]: os.environ["{}"]}})',
    "picture": """import matplotlib.pyplot as plt
from IPython.display import Image
drawing = io.BytesIO()
plt.figure(figsize=(1, 1)).savefig(drawing, format="png", metadata={{"Title": os.environ["{}"]}})
Image(drawing.getvalue())""",
    "metadata": 'display({{"text/plain": "x"}}, raw=True, metadata={{os.environ["{}"]: os.environ["{}"]}})',
    "exception": """try:
    raise KeyError(os.environ["{}"])
except KeyError as first:
    second = ValueError(os.environ["{}"], "refused by https://u:" + quote(os.environ["{}"]) + "@x.example")
    second.add_note(os.environ["{}"])
    raise second from first""",
}
IMPORTS = """import atexit, base64, io, json, logging, os, subprocess, sys, threading, warnings
from html import escape as html_escape
from urllib.parse import quote, quote_plus
from salesanalysis.present import html"""
CANARIES = [*LEAKS, *FAILURES, "card_in_answer", "source", "prose"]
ENDS = ["TOKEN", "KEY", "PASSWORD", "SECRET", "PASS_2", "SECRET_ID"]
NAMES = {canary: f"{canary.upper()}_{ENDS[n % len(ENDS)]}" for n, canary in enumerate(CANARIES)}
CARD = NAMES["card_in_answer"]
ANSWER = f"""html.answer(message="27 % " + os.environ["{CARD}"], truth=[os.environ["{CARD}"]],
            cards=[{{"label": "Won", "value": os.environ["{CARD}"]}}] * 3)"""
ODD = ["", "'", '"', "\\", "<b>", "&amp;", "%41", "ü", "王", " ", "/+", "$", "\\n", "{}", "\t"]


class Canaries:
    """A value for each name, and where it stands in what a run leaves behind."""

    def __init__(self, seed):
        chance = random.Random(seed)
        letters = string.ascii_letters + string.digits
        self.cores, self.values = {}, {}  # what is looked for, and what stands in the environment
        for number, name in enumerate(sorted(NAMES.values())):
            core = "".join(chance.choices(letters, k=24))
            odd = ODD[(number + seed) % len(ODD)]
            self.cores[name], self.values[name] = core, f"{core[:6]}{odd}{core}"
        self.cores["SALESANALYSIS_ID_KEY"] = core = "".join(chance.choices(letters, k=24))
        self.values["SALESANALYSIS_ID_KEY"] = core
        self.cores["SALESANALYSIS_NOTIFY"] = core = "".join(chance.choices(letters, k=24))
        self.values["SALESANALYSIS_NOTIFY"] = (
            f"json://boss:{core}@127.0.0.1:9/hook/{core}?key={core}"
        )

    def found_in(self, data):
        """Names whose value is in the bytes in any form, read by means that the project does not use."""
        text = data.decode("utf-8", "replace")
        text = re.sub(r"(\x1b|\\u001b)\[[\d;]*m", "", text)
        solid = re.sub(r"[^a-z0-9+/]", "", text.lower())
        return sorted(name for name, core in self.cores.items() if self._is_in(core, text, solid))

    @staticmethod
    def _is_in(core, text, solid):
        forms = {core[at : at + 12].lower() for at in range(0, 13, 4)} | {core.encode().hex()}
        forms |= {
            base64.b64encode(b"u" * n + core.encode()).decode()[4:-4].lower() for n in range(3)
        }
        return any(form in solid for form in forms)


def project_with(root, name, cells):
    """A tiny project in which one notebook leaks."""
    made = project(root)
    made.notebook(name, cells)
    return made


def leaking(kind, canaries):
    """The cells of a notebook that leaks in every way of a kind, and names secrets in its own text."""
    kinds = LEAKS if kind == "published" else LEAKS | FAILURES
    ways = [code.format(*[NAMES[canary]] * 9) for canary, code in kinds.items()]
    return [
        f"# Where do deals get lost?\n\nUse {canaries.values[NAMES['prose']]}",
        PARAMETERS,
        f"{IMPORTS}\npasted = {canaries.values[NAMES['source']]!r}",
        ANSWER,
        *ways,
        "html.end()",
    ]


def everything(folder):
    """Every file below a folder, also the hidden ones."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def hits(tiny, ran, canaries):
    """Where which secret stands: files, names of files, and what the command line said."""
    sources = ("notebooks/", "params/")  # what the analyst wrote stays as it is
    found = {
        name: canaries.found_in(data)
        for name, data in everything(tiny.root).items()
        if not name.startswith(sources)
    }
    found["names of files"] = canaries.found_in("\n".join(found).encode())
    found |= {"stdout": canaries.found_in(ran.stdout), "stderr": canaries.found_in(ran.stderr)}
    return {name: names for name, names in found.items() if names}, len(found)


@pytest.mark.parametrize(
    ("kind", "code"),
    [("failed", Exit.UNEXPECTED), ("published", Exit.PUBLISHED), ("refused", Exit.UNEXPECTED),
     ("exited", Exit.UNEXPECTED), ("died", Exit.KERNEL_DIED)],
)  # fmt: skip
def test_no_byte_of_a_secret_is_left(tmp_path, n, record, kind, code):
    """
    Pages, notebooks of published and failed runs, manifests, files beside pages, what is said: no secret is in any.
    """
    rounds = n(short=kind in ("failed", "published"), full=4) or pytest.skip("only with --full")
    places, n_files = {}, 0
    ends = {
        "refused": 'print(os.environ["STDOUT_KEY"])',
        "exited": 'sys.exit(os.environ["STDOUT_KEY"])',
        "died": 'os.write(2, os.environb[b"STDOUT_KEY"]); os._exit(1)',
    }
    for seed in range(rounds):
        canaries = Canaries(seed)
        cells = leaking("published" if kind != "failed" else kind, canaries)
        if kind in ends:
            cells.insert(-1, ends[kind].replace("STDOUT_KEY", NAMES["stdout"]))
        tiny = project_with(new(tmp_path / f"{kind}-{seed}"), "sales_funnel", cells)
        scratch = new(tiny.root / "scratch")

        ran = done("run", tiny.suite, env=canaries.values | {"TMPDIR": str(scratch)})

        assert ran.returncode == code, ran.stderr.decode()
        kept = [name for name in everything(tiny.root) if "sales_funnel.ipynb" in name]
        assert (
            len(kept) == 2 or kind == "refused"
        )  # the analyst's own, and the published or failed one
        for name in kept[1:]:
            assert everything(tiny.root)[name].count("•••".encode()) > len(LEAKS) // 3
        found, looked = hits(tiny, ran, canaries)
        places |= found
        n_files += looked
    assert places == {}
    ways = len(LEAKS) + 3 + (len(FAILURES) if kind == "failed" else kind in ends)
    record("R11", f"{kind}: {ways} ways to leak, {len(Canaries(0).cores)} secrets × {n_files} artefacts",
           rounds * ways, f"{len(places)} bytes")  # fmt: skip


def test_without_names_of_secrets_all_of_it_is_found(tmp_path):
    """
    The other test looks in the right places: under names that are no secret's, each value is where it was put.
    """
    canaries = Canaries(0)
    cells = [
        re.sub("_(" + "|".join(ENDS) + r")\b", "_WORD", cell)
        for cell in leaking("failed", canaries)
    ]
    words = {f"{canary.upper()}_WORD": canaries.values[name] for canary, name in NAMES.items()}
    tiny = project_with(tmp_path, "sales_funnel", cells)

    ran = done("run", tiny.suite, env=words)

    places, _ = hits(tiny, ran, canaries)
    (notebook,) = (names for place, names in places.items() if place.startswith("reports/.failed"))
    not_shown = {NAMES[canary] for canary in ("variable", "at_exit")}
    # What goes past Python to descriptor 2 is caught by another thread, which may come too late.
    late = {NAMES[way] for way in ("stderr_of_shell", "stderr_of_program", "descriptor", "thread")}
    assert (
        set(NAMES.values()) - not_shown - late <= set(notebook) <= set(NAMES.values()) - not_shown
    )
    assert NAMES["exception"] in places["stderr"]


@pytest.mark.parametrize(
    "place", ["as_of", "file", "name", "notebook", "only", "shared", "title", "type"]
)
def test_a_secret_among_what_is_asked_for_is_refused(tmp_path, capsys, monkeypatch, place):
    """
    Before anything runs, with exit code 2, and the message does not hold it.
    """
    secret = "Zk9Q-2vXw8Rt5LmB"
    monkeypatch.setenv("CRM_PASSWORD", secret)
    tiny = project(tmp_path)
    suite = tiny.suite.read_text()
    arguments = []
    match place:
        case "as_of":
            arguments = ["--as-of", secret]
        case "only":
            arguments = ["--only", secret]
        case "file":
            tiny.write("params/sales_funnel.yaml", f'rep_id: "007{secret}"\n')
        case "type":
            tiny.write("params/sales_funnel.yaml", f'within_days: "{secret}"\n')
        case "name":
            tiny.write("params/sales_funnel.yaml", f'"{secret}": "1"\n')
        case "shared":
            tiny.write("params/monthly.yaml", suite + f'parameters:\n  rep_id: "{secret}"\n')
        case "title":
            tiny.write("params/monthly.yaml", suite.replace("Monthly", secret))
        case "notebook":
            tiny.write("params/monthly.yaml", suite.replace('"rep_ranking"', f'"{secret}"'))
    monkeypatch.setattr(kernels, "started", None)

    with pytest.raises(SystemExit) as left:
        cli.main(["run", str(tiny.suite), *arguments])

    said = "".join(capsys.readouterr())
    assert left.value.code == Exit.USAGE, said
    assert "•••" in said or "no secret" in said
    assert "2vXw8" not in said and not (tmp_path / "reports").exists()


def test_a_secret_is_taken_out_before_a_message_is_cut(tmp_path, monkeypatch):
    """
    Twelve letters of it would be left at the end of the five hundred that a message may have.
    """
    secret = "Zk9Q2vXw8Rt5LmB3nHc7"
    monkeypatch.setenv("CRM_PASSWORD", secret)
    draft = tmp_path / "draft.ipynb"
    nbformat.write(make_notebook(), draft)
    for ename in ("ValueError", "InputRefused"):
        text = "x" * (500 - len(f"{ename}: ") - 12) + secret
        error = PapermillExecutionError(1, 1, "", ename, text, "")

        reason, _ = execute.reason(error, draft)

        assert "xx" in reason and secret[:6] not in reason


def test_the_books_of_a_run_hold_no_secret(tmp_path, monkeypatch):
    """
    Whatever is written in them: facts of the store, warnings, messages.
    """
    secret = 'Zk9Q"2vXw8Rt5LmB'
    monkeypatch.setenv("CRM_PASSWORD", secret)

    book = ledger.Book(tmp_path, suite="x", as_of="2026-06-30", source={secret: secret})
    book.warn(f"not told to {secret}")
    book.page(folder=".", name="x", status="failed", message=secret)
    book.close("failed", Exit.UNEXPECTED, message=secret)

    files = everything(tmp_path)
    assert len(files) == 2
    assert [
        name for name, data in files.items() if b"Rt5L" in data or "•••" not in data.decode()
    ] == []


def new(folder):
    """Make a folder."""
    folder.mkdir()
    return folder
