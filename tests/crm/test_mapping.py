"""A mapping file is checked before anything is read; the message names the key, what was found, what is allowed."""

import pytest
from export import ROOT

from salesanalysis.crm.errors import MappingError
from salesanalysis.crm.mapping import ColumnMap, Mapping, TableMap, read_mapping

GOOD = """
source: "test"
timezone: "Asia/Shanghai"
currency: "CNY"
extracted_on: "2026-06-30"
tables:
  deals:
    file: "deals.csv"
    columns: {deal_id: "id", created_at: "created", status: {column: "state", values: {"Won": "won"}, otherwise: "open"}}
"""


def read(tmp_path, text):
    path = tmp_path / "map.yaml"
    path.write_text(text, encoding="utf-8")
    return read_mapping(path)


def test_a_good_mapping_is_read(tmp_path):
    """What the file says is what the mapping holds, and the rest has its defaults."""
    mapping = read(tmp_path, GOOD)

    assert (mapping.source, mapping.delimiter, mapping.encoding) == ("test", ",", None)
    assert mapping.tables["deals"].columns["status"].otherwise == "open"


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('currency: "CNY"', 'curency: "CNY"', r"\['curency'\] not known; allowed: .*currency"),
        ('currency: "CNY"\n', "", r"\['currency'\] missing"),
        ("Asia/Shanghai", "Peking time", "timezone must be an IANA name"),
        ("2026-06-30", "30.06.2026", "extracted_on a day such as"),
        ("tables:", 'delimiter: "||"\ntables:', "delimiter must be one character, found '||'"),
        ("  deals:\n", "  deal:\n", r"tables \['deal'\] are not canonical; allowed: .*deals"),
        ('deal_id: "id"', 'deal_nr: "id"', r"columns: \['deal_nr'\] not known; allowed: .*deal_id"),
        ('created_at: "created", ', "", r"required columns \['created_at'\] are not mapped"),
        (
            '"Won": "won"',
            '"Won": "gewonnen"',
            r"values map to \['gewonnen'\]; allowed: open, won, lost, removed",
        ),
        ('column: "state", ', "", "column status: needs either `column` or `constant`"),
        (
            'column: "state", ',
            'column: "state", percent: "yes", ',
            "percent must be true or false, found 'yes'",
        ),
        (
            'column: "state", ',
            'column: "state", known_at: "close", ',
            "known_at is for the amount of deals",
        ),
        (
            'column: "state", ',
            'column: "state", lookup: {file: "a"}, ',
            r"lookup: \['key', 'value'\] missing",
        ),
        (
            'file: "deals.csv"\n',
            'file: "deals.csv"\n    rows: []\n',
            "needs either `file` or `rows`",
        ),
        ('source: "test"', 'source: "test"\nsource: "other"', "line 3: 'source' stands twice"),
        ('source: "test"', "source: &a test", "line 2: anchors and aliases are not allowed"),
        ("tables:\n", "tables: [\n", "cannot be read"),
        (
            "tables:",
            'deals_from_events: "true"\ntables:',
            r"tables must hold \['stage_events', 'stages'\]",
        ),
        (
            "tables:\n",
            'tables:\n  people: {file: "p.csv", lines: {sum: ["name"]}, columns: {person_id: "a", name: "b"}}\n',
            "table people: lines are for the table deals only",
        ),
        (
            'file: "deals.csv"\n',
            'file: "deals.csv"\n    lines: {add: ["amount"]}\n',
            r"lines: \['add'\] not known; allowed: sum",
        ),
        ('file: "deals.csv"\n', 'file: "deals.csv"\n    lines: {}\n', r"lines: \['sum'\] missing"),
        (
            'file: "deals.csv"\n',
            'file: "deals.csv"\n    lines: {sum: ["amount"]}\n',
            r"sum must list mapped columns of money, found \['amount'\]; allowed: none is mapped",
        ),
        (
            "    file:",
            '    lines: {sum: ["status"]}\n    file:',
            r"sum must list mapped columns of money, found \['status'\]",
        ),
        (
            'columns: {deal_id: "id"',
            'lines: {sum: []}\n    columns: {amount: "a", deal_id: "id"',
            r"sum must list mapped columns of money, found \[\]; allowed: amount",
        ),
        (
            'tables:\n  deals:\n    file: "deals.csv"\n    columns: {',
            'deals_from_events: "true"\ntables:\n  deals:\n    file: "f"\n    lines: {sum: ["amount"]}\n    columns: {amount: "a", ',
            "with deals_from_events all rows of a deal are one; leave one of the two out",
        ),
        (
            'created_at: "created"',
            'created_at: {column: "created", end_of: "month"}',
            "end_of is for dates .expected_close. and must be month, quarter, year, found 'month'",
        ),
        (
            'created_at: "created"',
            'created_at: "created", expected_close: {column: "due", end_of: "week"}',
            "end_of is for dates .expected_close. and must be month, quarter, year, found 'week'",
        ),
    ],
)
def test_a_wrong_mapping_is_refused(tmp_path, old, new, message):
    """Each kind of mistake has its message."""
    assert old in GOOD

    with pytest.raises(MappingError, match=message):
        read(tmp_path, GOOD.replace(old, new, 1))


def test_a_missing_mapping_is_refused(tmp_path):
    """The path that does not exist is named."""
    with pytest.raises(MappingError, match=r"none\.yaml cannot be read"):
        read_mapping(tmp_path / "none.yaml")


def test_the_template_shows_every_key():
    """The commented template is a mapping that reads, and no key of the format is missing from it."""
    path = ROOT / "params" / "sources" / "template.yaml"

    read_mapping(path)

    text = path.read_text("utf-8")
    keys = {
        *Mapping.__dataclass_fields__,
        *ColumnMap.__dataclass_fields__,
        *TableMap.__dataclass_fields__,
    }
    assert [key for key in sorted(keys - {"text"}) if f"{key}:" not in text] == []
