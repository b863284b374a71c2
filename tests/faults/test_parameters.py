"""R8: names, values and paths that somebody made up never become code or files, and ids stay text."""

import ast
import json
import random
import re
import string

import pytest
from papermill.translators import PythonTranslator
from report.tiny import ANSWER, CELLS, PARAMETERS, SUITE, Project

from salesanalysis.report import kernels, readers, settings
from salesanalysis.report.exits import Exit, RunError
from salesanalysis.report.run import run

from .sets import complaints

TELL = "told"  # the file that a name or value would write if it were run
CODE = f"open('{TELL}', 'w')"
PIECES = [
    *("x=1;", CODE, f'"; {CODE}; "', f"'; {CODE}; '", f"{{{CODE}}}", f"`touch {TELL}`", f"$(touch {TELL})",
      f"!touch {TELL}\n", f"\n{CODE}\n", f'"""\n{CODE}\n"""', f"%run {TELL}", f"__import__('os').system('touch {TELL}')",
      f"#\n{CODE}", f"\\\"; {CODE} #", f"\\'; {CODE} #", "{rep_id}", "{0}", "{", "}", "{{crm}}", "%s", "${HOME}", "~"),
    *("../", "..\\", "/etc/passwd", "\\\\host\\share", "C:\\x", "file:///etc/passwd", "\0", "\r", "\n", "\t", "\x1b[31m",
      "\x85", "\u2028", "\ufeff", "\u200b", "\u202e", "\U0001f600", "王小明", "é", "e\u0301", "ﬁ", "İ", "\udc80", "\ud83d"),
    *("00123", "0123", "1e5", "1_000", "1E10", "46e13556890641", "no", "on", "null", "~", "NaN", "inf", "12:30",
      "0x1f", "0o17", "2026-06-30", "<<", "=", "!!python/object/apply:os.system", "&a", "*a", "- ", "? ", ": ", "|", ">",
      "@", "%", "'", '"', "\\", "#", " ", "", "a", "rep_id", "as_of", "crm", "within_days", "index", "__class__"),
]  # fmt: skip
NAMES = ("x", "rep", "rep-id", "rep_id ", " rep_id", "Rep_id", "rep_iď", "within_day", "withindays", "as-of",
         "papermill", "__builtins__", "import os", "class", "lambda: 0", "ages[0]", "rep_id.x", "*", "**", "x:=1")  # fmt: skip

ODD_NOTEBOOKS = ("-x", "9x", "Sales", "a b", "a.b", "a;b", "index", "é", "{crm}", "$(touch told)")
"""Notebooks that are there, but whose names would be those of pages."""


def made_up(chance, most=4):
    """A text out of pieces that mean something to somebody, and now and then of any characters."""
    if chance.random() < 0.2:
        ranges = [
            (0, 0x7F),
            (0x80, 0x2FF),
            (0x4E00, 0x4EFF),
            (0x2000, 0x206F),
            (0xD7F0, 0xE00F),
            (0x1F300, 0x1F6FF),
        ]
        return "".join(
            chr(chance.randint(*chance.choice(ranges))) for _ in range(chance.randint(1, 20))
        )
    return "".join(chance.choices(PIECES, k=chance.randint(1, most)))


def quoted(text):
    """A YAML scalar that means exactly this text."""
    plain = set(string.ascii_letters + string.digits + " !#$%&'()*+,-./:;<=>?@[]^_`{|}~王é")
    return '"' + "".join(c if c in plain else f"\\U{ord(c):08x}" for c in text) + '"'


class Watched:
    """A project in which a kernel may not begin, and what there is in its folders."""

    def __init__(self, root, monkeypatch):
        self.inside = root / "a" / "b" / "project"
        self.inside.mkdir(parents=True)
        self.root = root
        self.project = Project(self.inside)
        monkeypatch.chdir(self.inside)
        monkeypatch.setattr(kernels, "warm", self.no_kernel)
        monkeypatch.setattr(kernels, "started", self.no_kernel)
        self.project.write("params/sales_funnel.yaml", 'rep_id: "1"\n')
        for name in ODD_NOTEBOOKS:
            self.project.notebook(name)
        self.files = self.now()

    @staticmethod
    def no_kernel(*_):
        """Nothing that is refused may get so far."""
        raise AssertionError("a kernel began")

    def now(self):
        return sorted(path for path in self.root.rglob("*") if path.is_file() or path.is_symlink())

    def refuses(self, word):
        """The run ends with code 2, having said the word, and left no file."""
        with pytest.raises(RunError) as caught:
            run(self.project.suite, progress=lambda text: None)
        assert caught.value.code == Exit.USAGE and word in str(caught.value), str(caught.value)


@pytest.fixture
def watched(tmp_path, monkeypatch):
    """
    A project that is watched, some folders deep.
    """
    return Watched(tmp_path, monkeypatch)


def test_names_that_are_not_declared_are_refused(watched, n, record):
    """
    Before a kernel begins, with the names that are allowed; nothing is run, no file is made.
    """
    rounds, chance = n(short=150, full=4000), random.Random(1)
    allowed = ", ".join(sorted(re.findall(r"^(\w+):", PARAMETERS, re.MULTILINE)))
    for number in range(rounds):
        name = NAMES[number] if number < len(NAMES) else made_up(chance)
        if name in allowed.split(", "):
            continue
        value = chance.choice(['"1"', "1", '["1"]'])
        file = f"{quoted(name)}: {value}\n"
        if number % 2:
            watched.project.write("params/monthly.yaml", SUITE)
            watched.project.write("params/sales_funnel.yaml", file)
        else:
            own = f'  - notebook: "sales_funnel"\n    parameters:\n      {file}'
            watched.project.write(
                "params/monthly.yaml", SUITE.split("reports:")[0] + "reports:\n" + own
            )
            watched.project.write("params/sales_funnel.yaml", 'rep_id: "1"\n')
        watched.refuses(f"({allowed})" if is_text(name) else "half a character")
    assert [path for path in watched.now() if path not in watched.files] == []
    record(
        "R8", "names", rounds, f"0 run, 0 files, {rounds} refused with the allowed names, 0 kernels"
    )


def test_values_are_text_or_refused(watched, n, record):
    """
    A quoted value comes out as it went in, and the code made of it is one assignment of a literal.
    """
    rounds, chance = n(short=300, full=5000), random.Random(2)
    n_refused = 0
    for _ in range(rounds):
        value, other = made_up(chance), made_up(chance)
        watched.project.write("params/sales_funnel.yaml", f"rep_id: {quoted(value)}\n")
        watched.project.write(
            "params/monthly.yaml", SUITE.replace("Monthly <reports>", "x")
        )  # the title is not looked at
        if not is_text(value):
            watched.refuses("rep_id")
            n_refused += 1
            continue
        (report, _) = settings.read(watched.project.suite).reports
        assert report.parameters == {"rep_id": value}

        given = {"rep_id": value, "names": [other, value]} if is_text(other) else {"rep_id": value}
        tree = ast.parse(PythonTranslator.codify(given))
        assert all(isinstance(node, ast.Assign) for node in tree.body)
        assert {node.targets[0].id: ast.literal_eval(node.value) for node in tree.body} == given
    assert [path for path in watched.now() if path not in watched.files] == []
    record("R8", "values of type str", rounds,
           f"0 run, 0 changed, {n_refused} refused as no text, 0 files")  # fmt: skip


def is_text(value):
    """Whether it can be written in UTF-8."""
    return not re.search("[\ud800-\udfff]", value)


def test_values_without_quotes_stay_as_written_or_are_refused(watched, n, record):
    """
    Nothing is guessed: 00123, 1e5, 1_000, no, 12:30 are refused as text, and 1e5 is no int.
    """
    rounds, chance = n(short=200, full=3000), random.Random(3)
    pieces = [piece for piece in PIECES if re.fullmatch(r"[\w:.+-]+", piece)]
    counts = {"refused": 0, "taken": 0}
    odd = [
        "1２",
        "１",
        "9" * 5000,
        "9" * 19,
        "1e999",
        "-1e400",
        ".5",
        "5.",
        "+7",
        "-0",
        "1e-400",
        "٣",
    ] * 4
    for number in range(rounds):
        text = (
            odd[number // 4]
            if number < 4 * len(odd)
            else "".join(chance.choices(pieces + list("0123456789eE_.-+:"), k=chance.randint(1, 5)))
        )
        declared = ("rep_id", "within_days", "share", "is_detailed")[number % 4]
        watched.project.write("params/sales_funnel.yaml", f"{declared}: {text}\n")
        watched.project.write("params/monthly.yaml", SUITE)
        try:
            found = settings.read(watched.project.suite).reports[0].parameters[declared]
        except RunError:
            counts["refused"] += 1
            continue
        counts["taken"] += 1
        match declared:
            case "rep_id":
                assert found == text
            case "within_days":
                assert type(found) is int and re.fullmatch(r"[+-]?(0|[1-9][0-9]*)", text, re.ASCII)
                assert found == int(text)
            case "share":
                assert type(found) is float and re.fullmatch(
                    r"[+-]?[0-9.]+([eE][+-]?[0-9]+)?", text, re.ASCII
                )
                assert repr(found) == repr(float(text)) and abs(found) < float("inf")
            case "is_detailed":
                assert str(found).lower() == text
    assert min(counts.values()) > 0
    record("R8", "values without quotes, of each type", rounds,
           f"{counts['taken']} as written, {counts['refused']} refused, 0 guessed")  # fmt: skip


def test_paths_and_names_of_notebooks_stay_inside(watched, n, record):
    """
    A suite's notebook, --only and --as-of are one of the known ones or refused; no file is made.
    """
    rounds, chance = n(short=100, full=2000), random.Random(4)
    climbing = ["../../x", "/etc/passwd", "sub/../../X", "sales_funnel/../../x", "sales_funnel.ipynb", "sales_funnel\n",
                "SALES_FUNNEL", "index", "a" * 5000, "a" * 255, "..", ".", "", "con", "sales_funnel\0", "{crm}"]  # fmt: skip
    climbing += ODD_NOTEBOOKS
    for number in range(rounds):
        word = climbing[number] if number < len(climbing) else made_up(chance)
        match number % 3:
            case 0:
                watched.project.write(
                    "params/monthly.yaml", SUITE.replace('"sales_funnel"', quoted(word))
                )
                watched.refuses("notebook must be")
            case 1 if word not in ("sales_funnel", "rep_ranking"):
                watched.project.write("params/monthly.yaml", SUITE)
                with pytest.raises(RunError, match="only must be one of") as caught:
                    run(watched.project.suite, only=word, progress=lambda text: None)
                assert caught.value.code == Exit.USAGE
            case 2 if not re.match(r"\d{4}-", word) and word:
                watched.project.write("params/monthly.yaml", SUITE)
                with pytest.raises(RunError) as caught:
                    run(watched.project.suite, as_of=word, progress=lambda text: None)
                assert caught.value.code == Exit.USAGE and "as_of" in str(caught.value)
        if number < len(climbing):  # each of them in each place
            watched.project.write(
                "params/monthly.yaml", SUITE.replace('"sales_funnel"', quoted(word))
            )
            watched.refuses("notebook must be")
    assert [path for path in watched.now() if path not in watched.files] == []
    record(
        "R8",
        "names of notebooks, --only, --as-of",
        rounds,
        "0 files outside, all refused, 0 kernels",
    )


def test_folders_of_readers_are_made_of_digits(n, record):
    """
    Whatever the id of a rep or team in the data, its folder is two plain words.
    """
    rounds, chance = n(short=300, full=2000), random.Random(5)
    folders = set()
    ids = set(filter(is_text, (made_up(chance) for _ in range(rounds))))
    for id_ in ids:
        for kind in readers.KINDS:
            folder = readers.Reader(kind, id_, id_, id_).folder
            assert re.fullmatch(rf"{kind}s/[0-9a-f]{{12}}", folder)
            folders.add(folder)
    assert len(folders) == len(ids) * len(readers.KINDS)
    record(
        "R8", "ids of readers", len(ids) * len(readers.KINDS), "0 folders outside, no two the same"
    )


def test_values_come_to_a_real_kernel_as_they_are(tmp_path, monkeypatch, n, record):
    """
    A notebook with a hundred parameters says what it got: the same texts, and nothing was run.
    """
    rounds, chance = n(short=1, full=5), random.Random(6)
    n_values = 100
    for number in range(rounds):
        root = tmp_path / str(number)
        root.mkdir()
        project = Project(root)
        values = []
        while len(values) < 2 * n_values:
            values += [value for value in [made_up(chance)] if is_text(value)]
        own, listed = values[:n_values], values[n_values:]
        declared = "".join(f'p{at}: str = ""\n' for at in range(n_values))
        told = tmp_path / f"values-{number}.json"
        cell = f"import json\nsaid = [[globals()[f'p{{at}}'] for at in range({n_values})], names]\n"
        cell += f"with open({str(told)!r}, 'w') as file:\n    json.dump(said, file)"
        parameters = PARAMETERS + declared + "names: list[str] = []\n"
        project.notebook("sales_funnel", (CELLS[0], parameters, CELLS[2], cell, ANSWER, CELLS[-1]))
        lines = [f"p{at}: {quoted(value)}\n" for at, value in enumerate(own)]
        lines.append(f"names: [{', '.join(map(quoted, listed))}]\n")
        project.write("params/sales_funnel.yaml", "".join(lines))

        run(project.suite, only="sales_funnel", progress=lambda text: None)

        assert json.loads(told.read_text()) == [own, listed]
        assert complaints(root / "reports") == []
        assert [path for path in tmp_path.rglob("*") if path.name == TELL] == []
    record("R8", "values in real kernels", 2 * n_values * rounds, "0 run, 0 changed")
