"""Files are read strictly: every record is kept or refused with its line, and nothing is guessed silently."""

import pytest

from salesanalysis import crm
from salesanalysis.crm.errors import InputRefused

MAPPING = """
source: "test"
timezone: "UTC"
currency: "EUR"
datetime: "%Y-%m-%d"
extracted_on: "2026-12-31"
{extra}
tables:
  deals:
    file: "deals.csv"
    columns: {{deal_id: "id", created_at: "created", status: "state", owner: "rep", amount: "amount"}}
"""
HEADER = "id,created,state,rep,amount\n"
GOOD = "007,2026-01-05,open,NA,12.50\n"


@pytest.fixture
def load_bytes(tmp_path, observe):
    """Load one deals file given as bytes; gives what was seen and the rows set aside."""

    def load(content: bytes, extra: str = 'encoding: "utf-8"'):
        (tmp_path / "deals.csv").write_bytes(content)
        (tmp_path / "map.yaml").write_text(MAPPING.format(extra=extra), encoding="utf-8")
        store = crm.load(
            tmp_path, tmp_path / "map.yaml", tmp_path / "crm.duckdb", say=lambda text: None
        )
        seen = observe(store, "2026-12-31")
        ledger = seen.book("ledger").iloc[0]
        assert (
            ledger["n_in"] == ledger["n_accepted"] + ledger["n_quarantined"] + ledger["n_refused"]
        )
        return seen, seen.book("rejected")

    return load


@pytest.mark.parametrize(
    "deal_id",
    ["007", "1E10", "46e13556890641", "NA", "null", "00123456789012345678", "甲-1", "=1+1"],
)
def test_ids_stay_text(load_bytes, deal_id):
    """An id comes out of the store as it stood in the file."""
    seen, _ = load_bytes(f"{HEADER}{deal_id},2026-01-05,open,r,1\n".encode())

    assert seen.frame("SELECT deal_id FROM file.deals")["deal_id"].tolist() == [deal_id]


@pytest.mark.parametrize("name", ["NA", "Null", "None", "nan", "true"])
def test_names_that_look_like_nothing_are_names(load_bytes, name):
    """A rep called NA is a rep, not a missing value."""
    seen, _ = load_bytes(f"{HEADER}1,2026-01-05,open,{name},1\n".encode())

    assert seen.frame("SELECT owner FROM deals")["owner"].tolist() == [name]


@pytest.mark.parametrize(
    ("row", "reason", "line"),
    [
        ("2,2026-01-05,open,r\n", "wrong_field_count", 3),
        ("2,2026-01-05,open,r,1,2\n", "wrong_field_count", 3),
        ("2,2026-01-05,open,r,¥1,200\n", "wrong_field_count", 3),
        ("\n", "empty_row", 3),
        (",2026-01-05,open,r,1\n", "missing", 3),
        ("2,,open,r,1\n", "missing", 3),
        ("2,2026-02-30,open,r,1\n", "not_ts", 3),
        ("2,05.01.2026,open,r,1\n", "not_ts", 3),
        ("2,26-01-05,open,r,1\n", "year_out_of_range", 3),
        ("2,45930,open,r,1\n", "not_ts", 3),
        ("2,2026-01-05,opened,r,1\n", "not_allowed", 3),
        ('"2\n2",2026-13-01,open,r,1\n', "not_ts", 4),
        ("007,2026-01-06,open,r,1\n", "duplicate", 3),
    ],
)
def test_a_row_that_is_no_record_is_refused_with_its_line(load_bytes, row, reason, line):
    """One bad row is refused under a reason and a line; the good one beside it is loaded."""
    seen, rejected = load_bytes((HEADER + GOOD + row).encode())

    assert rejected[["outcome", "reason", "line", "file"]].values.tolist() == [
        ["refused", reason, line, "deals.csv"]
    ]
    assert len(seen.frame("SELECT * FROM deals")) == 1


@pytest.mark.parametrize(
    "amount",
    [
        "1,5OO",
        "12%",
        "１２３",
        "1.2万",
        "(500)",
        "1e5",
        "inf",
        "nan",
        "1_000",
        "12.12345",
        "$5",
        "--1",
    ],
)
def test_an_amount_that_is_no_number_is_quarantined(load_bytes, amount):
    """Nothing is read as a number that the declared notation does not allow; the row is kept aside."""
    _, rejected = load_bytes(f'{HEADER}{GOOD}2,2026-01-05,open,r,"{amount}"\n'.encode())

    assert rejected[["outcome", "reason", "column", "value"]].values.tolist() == [
        ["quarantined", "not_money", "amount", amount]
    ]


@pytest.mark.parametrize(
    ("amount", "value"), [("-5", -5.0), ("+5.25", 5.25), ("0005", 5.0), (" 7\u3000", 7.0)]
)
def test_amounts_are_read_exactly(load_bytes, amount, value):
    """Signs, leading zeros and blanks of any width around a number change nothing."""
    seen, rejected = load_bytes(f"{HEADER}1,2026-01-05,open,r,{amount}\n".encode())

    assert rejected.empty
    assert seen.frame("SELECT amount FROM deals")["amount"].tolist() == [value]


def test_declared_decimal_and_thousands_signs_are_used(load_bytes):
    """1.234,50 is 1234.5 where the mapping says so."""
    extra = 'encoding: "utf-8"\ndelimiter: ";"\ndecimal: ","\nthousands: "."'

    seen, _ = load_bytes(b"id;created;state;rep;amount\n1;2026-01-05;open;r;1.234,50\n", extra)

    assert seen.frame("SELECT amount FROM deals")["amount"].tolist() == [1234.5]


@pytest.mark.parametrize(
    ("encoding", "content"), [("utf-8-sig", "甲"), ("gb18030", "甲"), ("utf-8", "甲")]
)
def test_an_undeclared_encoding_is_found_and_reported(load_bytes, encoding, content):
    """UTF-8, with or without mark, and GB18030 are told apart, and the report says which was taken."""
    seen, _ = load_bytes(f"{HEADER}1,2026-01-05,open,{content},1\n".encode(encoding), extra="")

    findings = seen.book("findings").set_index("kind")
    assert seen.frame("SELECT owner FROM deals")["owner"].tolist() == [content]
    assert findings.loc["guessed_encoding", "detail"] == (
        "gb18030" if encoding == "gb18030" else "utf-8-sig"
    )


def test_composed_and_decomposed_letters_are_one_name(load_bytes):
    """Zoë typed in two ways is one rep."""
    rows = "1,2026-01-05,open,Zoe\u0308,1\n2,2026-01-05,open,Zo\u00eb,1\n"

    seen, _ = load_bytes((HEADER + rows).encode())

    assert len(seen.frame("SELECT DISTINCT owner FROM deals")) == 1


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "must begin with a header"),
        (b"\n1,2\n", "must begin with a header"),
        (b"id,,state,rep,amount\n", "column 2 of the header has no name"),
        (b"id,id,state,rep,amount\n", r"\['id'\] stand twice"),
        (
            b"id;created;state;rep;amount\n1;2026-01-05;open;r;1\n",
            "must have the column 'id'.*it has: id;created",
        ),
        (b"ID,created,state,rep,amount\n", "must have the column 'id'"),
        (HEADER.encode(), "no deal was accepted"),
        ((HEADER + '1,2026-01-05,open,"r,1\n').encode(), "line 2: not readable as CSV"),
        ((HEADER + '1,2026-01-05,open,"r"x,1\n').encode(), "line 2: not readable as CSV"),
        ((HEADER + "1,2026-01-05,open,r\0,1\n").encode(), "line 2: holds a NUL"),
        (HEADER.encode("utf-16"), "must be utf-8 text, but byte 0"),
        ((HEADER + "1,2026-01-05,open,é,1\n").encode("latin-1"), "must be utf-8 text"),
    ],
)
def test_a_file_that_is_not_what_it_should_be_is_refused(load_bytes, content, message):
    """The message says what must hold, what was found and where."""
    with pytest.raises(InputRefused, match=message):
        load_bytes(content)


@pytest.mark.parametrize("line_end", ["\n", "\r\n", "\r"])
def test_line_ends_of_every_system_are_read(load_bytes, line_end):
    """Unix, Windows and old Mac line ends give the same rows."""
    seen, rejected = load_bytes((HEADER + GOOD).replace("\n", line_end).encode())

    assert rejected.empty
    assert len(seen.frame("SELECT * FROM deals")) == 1


def test_columns_nobody_uses_are_named(load_bytes):
    """A column that the mapping neither uses nor ignores is a finding, not a silent loss."""
    seen, _ = load_bytes(b"id,created,state,rep,amount,mood\n1,2026-01-05,open,r,1,good\n")

    findings = seen.book("findings").set_index("kind")
    assert findings.loc["unused_columns", "detail"] == "mood"
