"""Loading: every row is accounted for, contradictions are set aside, and a failed load changes nothing."""

import random
from collections import Counter

import duckdb
import pytest
from export import STAGES, write_export
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from salesanalysis import crm
from salesanalysis.crm.errors import InputRefused

DEAL = {"deal_id": "1", "created_at": "2026-01-05 09:00:00", "status": "open"}


def rejected(seen):
    return seen.book("rejected")[["table", "outcome", "reason", "line"]].values.tolist()


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"status": "won", "closed_at": ""}, "closed_without_date"),
        ({"status": "lost", "closed_at": "2026-01-04 09:00:00"}, "closed_before_created"),
        ({"probability": "1.5"}, "not_a_share"),
        ({"probability": "ten"}, "not_share"),
        ({"expected_close": "soon"}, "not_date"),
    ],
)
def test_a_deal_that_contradicts_itself_is_quarantined(load_tables, observe, change, reason):
    """It is kept aside under its reason; the sound deal beside it is loaded."""
    extra = {"closed_at": "", "probability": "", "expected_close": ""}

    seen = observe(
        load_tables({"deals": [DEAL | extra, DEAL | extra | {"deal_id": "2"} | change]}),
        "2026-12-31",
    )

    assert rejected(seen) == [["deals", "quarantined", reason, 3]]
    assert len(seen.frame("SELECT * FROM deals")) == 1


def test_rows_about_deals_that_are_not_there_are_quarantined(load_tables, observe):
    """Events, owners, changes, credits, activities and answers need an accepted deal."""
    nobody = {"deal_id": "9"}
    tables = {
        "stages": STAGES,
        "deals": [DEAL],
        "stage_events": [nobody | {"stage": "A", "entered_at": "2026-01-05 09:00:00"}],
        "owner_history": [nobody | {"owner": "x", "valid_from": "2026-01-05 09:00:00"}],
        "deal_changes": [
            nobody | {"field": "amount", "old": "", "new": "1", "changed_at": "2026-01-05 09:00:00"}
        ],
        "activities": [
            nobody | {"activity_id": "1", "type": "call", "created_at": "2026-01-05 09:00:00"},
            {
                "deal_id": "",
                "activity_id": "2",
                "type": "call",
                "created_at": "2026-01-05 09:00:00",
            },
        ],
        "credits": [nobody | {"person_id": "x", "share": "1", "type": "revenue"}],
        "satisfaction": [nobody | {"asked_at": "2026-01-05 09:00:00"}],
    }

    seen = observe(load_tables(tables), "2026-12-31")

    names = (
        "activities",
        "credits",
        "deal_changes",
        "owner_history",
        "satisfaction",
        "stage_events",
    )
    assert rejected(seen) == [[name, "quarantined", "unknown_deal", 2] for name in names]


def test_a_stage_nobody_knows_is_quarantined_and_not_dropped(load_tables, observe):
    """An event with an unlisted stage stands in the books with the text found."""
    event = {"deal_id": "1", "entered_at": "2026-01-05 09:00:00"}
    tables = {
        "stages": STAGES,
        "deals": [DEAL],
        "stage_events": [event | {"stage": "A"}, event | {"stage": "Aa"}],
    }

    seen = observe(load_tables(tables), "2026-12-31")

    assert rejected(seen) == [["stage_events", "quarantined", "unknown_stage", 3]]
    assert seen.book("rejected")["value"].tolist() == ["Aa"]


def test_a_local_time_that_does_not_exist_is_quarantined(load_tables, observe):
    """02:30 on the night the clocks go forward in Rome is no instant; the hour that comes twice is one."""
    deals = [
        DEAL | {"deal_id": n, "created_at": at}
        for n, at in (
            ("1", "2026-03-29 02:30:00"),
            ("2", "2026-03-29 03:30:00"),
            ("3", "2026-10-25 02:30:00"),
        )
    ]

    seen = observe(load_tables({"deals": deals}, timezone="Europe/Rome"), "2026-12-31")

    assert rejected(seen) == [["deals", "quarantined", "time_does_not_exist", 2]]


def test_stage_history_without_the_order_of_stages_is_refused(load_tables):
    """Without an order no step is known."""
    event = {"deal_id": "1", "stage": "A", "entered_at": "2026-01-05 09:00:00"}

    with pytest.raises(ValueError, match="stage_events need the table `stages`"):
        load_tables({"deals": [DEAL], "stage_events": [event]})


def test_a_lookup_needs_a_unique_key(tmp_path):
    """Two rows for one key would double deals; they are named."""
    mapping = write_export(tmp_path, {"deals": [DEAL | {"owner": "ann"}]})
    (tmp_path / "reps.csv").write_text("rep,office\nann,East\nann,West\n", encoding="utf-8")
    text = mapping.read_text("utf-8").replace(
        "owner: owner",
        "owner: owner\n      region: {column: owner, lookup: {file: reps.csv, key: rep, value: office}}",
    )
    mapping.write_text(text, "utf-8")

    with pytest.raises(InputRefused, match=r"lookup key 'rep' must be unique, but \['ann'\]"):
        crm.load(tmp_path, mapping, tmp_path / "crm.duckdb", say=lambda _: None)


def test_a_failed_load_leaves_the_old_store_as_it_was(load_tables, tmp_path):
    """The store is replaced only by a whole new one, and nothing is left lying about."""
    store = load_tables({"deals": [DEAL]})
    before = store.read_bytes()

    with pytest.raises(InputRefused, match="no deal was accepted"):
        load_tables({"deals": [DEAL | {"status": "?"}]})

    assert store.read_bytes() == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["crm.duckdb", "export"]


def test_findings_name_what_looks_wrong(load_tables, observe):
    """A history that disagrees with the deal, a deal created closed and shares that do not add up are counted."""
    won = {"status": "won", "closed_at": "2026-01-09 09:00:00", "stage": "won"}
    tables = {
        "stages": STAGES,
        "deals": [
            DEAL | won,
            DEAL | won | {"deal_id": "2"},
            DEAL | {"deal_id": "3", "stage": "A", "closed_at": ""},
        ],
        "stage_events": [
            {"deal_id": "1", "stage": "won", "entered_at": "2026-01-05 09:00:00"},
            {"deal_id": "2", "stage": "A", "entered_at": "2026-01-05 09:00:00"},
            {"deal_id": "2", "stage": "A", "entered_at": "2026-01-06 09:00:00"},
        ],
        "credits": [{"deal_id": "1", "person_id": "x", "share": "0.7", "type": "revenue"}],
    }

    findings = (
        observe(load_tables(tables), "2026-12-31").book("findings").set_index("kind")["n_rows"]
    )

    expected = {
        "created_closed": 1,
        "stage_disagrees": 1,
        "no_history": 1,
        "collapsed_events": 1,
        "credits_not_whole": 1,
    }
    assert {kind: findings.get(kind) for kind in expected} == expected


def load_lines(folder, rows):
    """Load deals whose rows are lines with amounts to add up."""
    mapping = write_export(folder / "export", {"deals": rows})
    text = mapping.read_text("utf-8").replace(
        "    file: deals.csv", "    lines: {sum: [amount]}\n    file: deals.csv"
    )
    mapping.write_text(text, "utf-8")
    return crm.load(folder / "export", mapping, folder / "crm.duckdb", say=lambda _: None)


def test_lines_of_a_deal_are_added_up(tmp_path, observe):
    """Lines need not stand together; two equal lines are two; the deal is there once, to the cent."""
    lines = [("1", "0.10"), ("2", "5"), ("1", "0.20"), ("1", "0.20"), ("3", "-4.5"), ("2", "-5")]

    seen = observe(
        load_lines(tmp_path, [DEAL | {"deal_id": n, "amount": x} for n, x in lines]), "2026-12-31"
    )

    deals = seen.frame(
        "SELECT deal_id, CAST(amount AS VARCHAR) AS amount FROM file.deals ORDER BY 1"
    )
    assert deals.values.tolist() == [["1", "0.5000"], ["2", "0.0000"], ["3", "-4.5000"]]
    ledger = seen.book("ledger").iloc[0]
    assert ledger[["n_in", "n_accepted", "n_quarantined", "n_refused"]].tolist() == [6, 6, 0, 0]
    findings = seen.book("findings")
    assert findings.values.tolist() == [["merged_rows", "deals", 3, "3 deals in deals.csv"]]


def test_a_line_that_says_something_else_of_its_deal_is_quarantined(tmp_path, observe):
    """The first line settles what the deal is; another owner, or none, is set aside with what it says."""
    extra = {"owner": "ann", "amount": "1"}
    rows = [
        DEAL | extra,
        DEAL | extra | {"owner": "bob"},
        DEAL | extra | {"owner": ""},
        DEAL | extra | {"amount": "10"},
        DEAL | extra | {"deal_id": "2", "owner": "bob"},
    ]

    seen = observe(load_lines(tmp_path, rows), "2026-12-31")

    assert rejected(seen) == [["deals", "quarantined", "lines_disagree", line] for line in (3, 4)]
    assert seen.book("rejected")[["column", "value"]].values.tolist()[0] == ["owner", "bob"]
    deals = seen.frame("SELECT deal_id, owner, amount FROM file.deals ORDER BY 1")
    assert deals.values.tolist() == [["1", "ann", 11], ["2", "bob", 1]]
    assert {kind: n for kind, _, n, _ in seen.book("findings").values.tolist()} == {
        "incomplete_lines": 1,
        "merged_rows": 1,
    }


def test_a_line_without_an_amount_leaves_the_amount_unknown(tmp_path, observe):
    """What is missing is not nothing; a line whose amount does not convert is set aside and the deal named."""
    rows = [DEAL | {"amount": "1"}, DEAL | {"amount": ""}]
    rows += [DEAL | {"deal_id": "2", "amount": x} for x in ("1", "1,5OO", "2")]

    seen = observe(load_lines(tmp_path, rows), "2026-12-31")

    deals = seen.frame("SELECT deal_id, amount FROM file.deals ORDER BY 1")
    assert deals["amount"].isna().tolist() == [True, False]
    assert deals["amount"].tolist()[1] == 3
    assert rejected(seen) == [["deals", "quarantined", "not_money", 5]]
    findings = seen.book("findings").set_index("kind")["n_rows"]
    assert findings[["incomplete_lines", "empty_values"]].tolist() == [1, 1]


def test_lines_that_contradict_themselves_are_all_quarantined(tmp_path, observe):
    """A deal closed before it was created is set aside line by line, and is nobody's first line."""
    early = {"status": "won", "closed_at": "2026-01-04 09:00:00"}
    rows = [DEAL | early | {"amount": "1"}] * 2 + [
        DEAL | early | {"deal_id": "2", "closed_at": "2026-01-06 09:00:00", "amount": "1"}
    ]

    seen = observe(load_lines(tmp_path, rows), "2026-12-31")

    assert rejected(seen) == [
        ["deals", "quarantined", "closed_before_created", line] for line in (2, 3)
    ]
    assert seen.frame("SELECT deal_id FROM file.deals")["deal_id"].tolist() == ["2"]


@pytest.mark.parametrize("seed", range(8))
def test_lines_agree_with_a_plain_adding_up(tmp_path, observe, seed):
    """On random lines in random order, deals, amounts and lines set aside are those of a plain loop."""
    rng = random.Random(seed)
    rows = [
        DEAL
        | {
            "deal_id": str(rng.randint(1, 12)),
            "owner": rng.choice(["ann", "ann", "ann", "bob", ""]),
            "amount": f"{rng.randint(-500, 5000) / 100:.2f}",
        }
        for _ in range(60)
    ]
    owner, cents, aside = {}, Counter(), []
    for line, row in enumerate(rows, start=2):
        deal = row["deal_id"]
        if owner.setdefault(deal, row["owner"]) == row["owner"]:
            cents[deal] += round(float(row["amount"]) * 100)
        else:
            aside.append(line)

    seen = observe(load_lines(tmp_path, rows), "2026-12-31")

    deals = seen.frame(
        "SELECT deal_id, owner, CAST(amount * 100 AS BIGINT) AS cents FROM file.deals"
    )
    found = {deal: (name or "", n) for deal, name, n in deals.fillna("").values.tolist()}
    assert found == {deal: (owner[deal], cents[deal]) for deal in owner}
    assert sorted(line for *_, line in rejected(seen)) == aside
    ledger = seen.book("ledger").iloc[0]
    assert ledger[["n_in", "n_accepted", "n_quarantined"]].tolist() == [
        60,
        60 - len(aside),
        len(aside),
    ]


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
@pytest.mark.parametrize(
    ("period", "read", "last"),
    [
        ("month", "2024-02-01", "2024-02-29"),
        ("month", "2023-02-28", "2023-02-28"),
        ("month", "2026-12-31", "2026-12-31"),
        ("quarter", "2026-04-01", "2026-06-30"),
        ("quarter", "2026-11-15", "2026-12-31"),
        ("year", "2026-01-01", "2026-12-31"),
    ],
)
def test_a_date_becomes_the_last_day_of_its_period(tmp_path, observe, period, read, last, suffix):
    """Whichever day of the month, quarter or year is written, and in whatever file; an empty one stays empty."""
    mapping = write_export(
        tmp_path, {"deals": [DEAL | {"due": read}, DEAL | {"deal_id": "2", "due": ""}]}
    )
    text = mapping.read_text("utf-8").replace(
        "due: due", f"expected_close: {{column: due, end_of: {period}}}"
    )
    mapping.write_text(text.replace("deals.csv", f"deals.{suffix}"), "utf-8")
    if suffix == "parquet":
        duckdb.sql(
            f"COPY (SELECT * REPLACE (CAST(deal_id AS VARCHAR) AS deal_id) "
            f"FROM read_csv('{tmp_path}/deals.csv')) TO '{tmp_path}/deals.parquet'"
        )
    store = crm.load(tmp_path, mapping, tmp_path / "crm.duckdb", say=lambda _: None)

    deals = observe(store, "2026-12-31").frame(
        "SELECT CAST(expected_close AS VARCHAR) AS day FROM file.deals ORDER BY deal_id"
    )
    assert deals["day"].fillna("").tolist() == [last, ""]


def test_an_empty_text_in_values_means_an_empty_cell(tmp_path, observe):
    """What is mapped to "" is missing, not a text of no letters."""
    mapping = write_export(
        tmp_path,
        {"deals": [DEAL | {"deal_id": n, "region": n, "product": n} for n in ("1", "2")]},
    )
    text = mapping.read_text("utf-8").replace(
        "region: region", 'region: {column: region, values: {"1": ""}}'
    )
    text = text.replace(
        "product: product", 'product: {column: product, values: {"1": "One"}, otherwise: ""}'
    )
    mapping.write_text(text, "utf-8")
    store = crm.load(tmp_path, mapping, tmp_path / "crm.duckdb", say=lambda _: None)

    deals = observe(store, "2026-12-31").frame(
        "SELECT region IS NULL AS a, region, product, product IS NULL AS b FROM file.deals ORDER BY deal_id"
    )
    assert deals[["a", "b"]].values.tolist() == [[True, False], [False, True]]
    assert (deals["region"][1], deals["product"][0]) == ("2", "One")


def test_why_a_column_of_deals_is_missing_is_said_in_the_source_s_words(load_tables, observe):
    """A reason for ``deals.region`` is the one given; the other columns have the usual one."""
    seen = observe(
        load_tables({"deals": [DEAL]}, impossible={"deals.region": "one office"}), "2026-12-31"
    )

    assert seen.reason("deals.region") == "one office"
    assert seen.reason("deals.product") == "no table of the mapping file fills deals.product"


def test_a_reason_for_what_is_no_table_is_refused(load_tables):
    """The names that may be given a reason are listed."""
    with pytest.raises(ValueError, match=r"impossible: \['deals.mood'\].*allowed: .*deals.region"):
        load_tables({"deals": [DEAL]}, impossible={"deals.mood": "none"})


cells = st.sampled_from(
    [
        "",
        " ",
        "1",
        "2",
        "007",
        "open",
        "won",
        "lost",
        "removed",
        "x",
        "2026-01-05 09:00:00",
        "2026-02-30 09:00:00",
        "2026-01-05",
        "1.5",
        "1,5",
        "-3",
        "甲",
        '"',
        "'",
        ";",
        "\u3000",
        "NULL",
        "0000-00-00 00:00:00",
        "9" * 30,
    ]
)
rows = st.lists(st.lists(cells, min_size=4, max_size=6), min_size=1, max_size=12)


@settings(max_examples=40, deadline=None, derandomize=True, phases=[Phase.explicit, Phase.generate])
@given(rows=rows)
def test_every_row_is_accounted_for(tmp_path_factory, rows):
    """Whatever a file holds, in = accepted + quarantined + refused, or the file is refused by name."""
    folder = tmp_path_factory.mktemp("any")
    mapping = write_export(folder, {"deals": [DEAL | {"closed_at": "", "amount": ""}]})
    sound = "0,2026-01-05 09:00:00,open,,"
    lines = [",".join('"' + cell.replace('"', '""') + '"' for cell in row) for row in rows]
    header = "deal_id,created_at,status,closed_at,amount"
    (folder / "deals.csv").write_text("\n".join([header, sound, *lines]) + "\n", encoding="utf-8")

    store = crm.load(folder, mapping, folder / "crm.duckdb", say=lambda _: None)

    with crm.observe(store, "2026-12-31") as seen:
        ledger = seen.book("ledger").iloc[0]
        in_store = seen.frame("SELECT count(*) AS n FROM file.deals")["n"].iloc[0]
        outcomes = seen.book("rejected")["outcome"].value_counts()
    assert ledger["n_in"] == len(rows) + 1
    assert ledger["n_accepted"] == in_store
    assert ledger["n_quarantined"] == outcomes.get("quarantined", 0)
    assert ledger["n_refused"] == outcomes.get("refused", 0)
    assert ledger["n_in"] == ledger["n_accepted"] + ledger["n_quarantined"] + ledger["n_refused"]
