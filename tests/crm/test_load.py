"""Loading: every row is accounted for, contradictions are set aside, and a failed load changes nothing."""

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
