"""The books of the load and the findings as of a day: every row of an export is somewhere."""

import pytest
from plain import age, incidence

from salesanalysis.metrics import quality

DEAL = {"deal_id": "1", "created_at": "2026-01-05 09:00:00", "status": "open", "owner": "a"}


def closed(number, created, age_days):
    """A deal won so many days after its creation in 2026."""
    month, day = created
    closing = (
        f"2026-{month + (day + age_days - 1) // 28:02}-{(day + age_days - 1) % 28 + 1:02} 09:00:00"
    )
    created_at = f"2026-{month:02}-{day:02} 09:00:00"
    return DEAL | {
        "deal_id": str(number),
        "created_at": created_at,
        "status": "won",
        "closed_at": closing,
    }


def test_the_ledger_balances_table_by_table(see):
    """
    In = accepted + quarantined + refused; each row set aside is listed with reason, line and value.
    """
    deals = [
        DEAL,
        DEAL | {"deal_id": "2", "status": "sold"},  # line 3: not a status
        DEAL | {"deal_id": "3", "status": "won", "closed_at": ""},  # line 4: won, but when?
        DEAL | {"deal_id": "4", "created_at": "05.01.2026"},  # line 5: not a date
        DEAL,  # line 6: once more
    ]
    credits = [
        {"deal_id": "1", "person_id": "a", "share": "1", "type": "revenue"},
        {"deal_id": "9", "person_id": "a", "share": "1", "type": "revenue"},  # no such deal
        {"deal_id": "1", "person_id": "b", "share": "70", "type": "revenue"},  # not a share
    ]

    seen = see({"deals": deals, "credits": credits}, "2026-06-30")

    books = quality.ledger(seen).set_index("table")
    counts = ["n_in", "n_accepted", "n_quarantined", "n_refused"]
    assert books.loc["deals", counts].tolist() == [5, 1, 1, 3]
    assert books.loc["credits", counts].tolist() == [3, 1, 2, 0]
    rows = quality.rejected(seen).fillna({"value": ""})
    rows = rows[["table", "outcome", "reason", "n_rows", "line", "value"]]
    assert sorted(map(tuple, rows.to_numpy().tolist())) == [
        ("credits", "quarantined", "not_a_share", 1, 4, "70"),
        ("credits", "quarantined", "unknown_deal", 1, 3, "9"),
        ("deals", "quarantined", "closed_without_date", 1, 4, ""),
        ("deals", "refused", "duplicate", 1, 6, "1"),
        ("deals", "refused", "not_allowed", 1, 3, "sold"),
        ("deals", "refused", "not_ts", 1, 5, "05.01.2026"),
    ]


def test_every_random_row_is_in_the_books(view):
    """
    The ledger's rows in are those of the files, and each table balances.
    """
    books = quality.ledger(view.seen).set_index("table")

    assert books["n_in"].to_dict() == {name: len(rows) for name, rows in view.world.tables.items()}
    assert (books["n_in"] == books[["n_accepted", "n_quarantined", "n_refused"]].sum(axis=1)).all()


def test_exclusions_are_the_deals_that_rates_leave_out(view):
    """
    Removed, undated, ownerless and young deals, each under its first reason, and with the used ones they are all.
    """
    removed = sum(deal.status == "removed" for deal in view.deals)
    undated = sum(deal.status != "removed" and not deal.created_on for deal in view.deals)
    counted = sum(age(deal, view.day) is not None for deal in view.deals)

    rows = (
        quality.exclusions(view.seen)
        .set_index("reason")["n_deals"]
        .drop("not_accepted", errors="ignore")
    )

    expected = {"no_created_on": undated, "removed": removed, "used": counted}
    assert rows.to_dict() == {reason: n for reason, n in expected.items() if n or reason == "used"}
    assert rows.sum() == len(view.deals)


def test_a_report_on_old_enough_deals_of_reps_leaves_out_the_others(view):
    """
    The deals of rep ranking are those used; the rest is accounted for.
    """
    old = [d for d in view.deals if d.status != "removed" and d.created_on and d.segments["owner"]
           and (view.day - d.created_on).days >= 60]  # fmt: skip

    rows = quality.exclusions(view.seen, younger_than_days=60, needs_owner=True)

    rows = rows.set_index("reason")["n_deals"].drop("not_accepted", errors="ignore")
    assert rows["used"] == len(old)
    assert rows.sum() == len(view.deals)


@pytest.mark.parametrize(("left_on", "found"), [("", ["Ann"]), ("2026-03-01", [])])
def test_a_rep_without_any_open_deal_is_a_finding_unless_she_left(see, left_on, found):
    """
    40 closed deals and none open, where the other rep has every second one open, is no chance (.5 ** 40).
    """
    closed = {"status": "lost", "closed_at": "2026-02-01 09:00:00"}
    deal = {"created_at": "2026-01-05 09:00:00"}
    deals = [deal | closed | {"deal_id": f"a{n}", "owner": "ann"} for n in range(40)]
    deals += [deal | closed | {"deal_id": f"b{n}", "owner": "bob"} for n in range(20)]
    deals += [deal | {"deal_id": f"c{n}", "owner": "bob", "status": "open"} for n in range(20)]
    people = [
        {"person_id": "ann", "name": "Ann", "left_on": left_on},
        {"person_id": "bob", "name": "Bob", "left_on": ""},
    ]

    findings = quality.findings(see({"deals": deals, "people": people}, "2026-04-05"))

    rows = findings[findings["kind"] == "no_open_deals"]
    assert rows["subject"].tolist() == found
    assert rows[["n_rows", "detail"]].values.tolist() == [[40, "50 %"]] * len(found)


def test_open_deals_older_than_any_closed_one(view):
    """
    Counted where an open deal is older than the oldest age at which a deal has closed.
    """
    cases = [age(deal, view.day) for deal in view.deals if age(deal, view.day)]
    longest = max(a for a, cause in cases if cause)
    older = sum(a > longest for a, cause in cases if not cause)

    found = quality.findings(view.seen).set_index("kind")

    if older:
        row = found.loc["older_than_any_closed"]
        assert (row["n_rows"], row["detail"]) == (older, str(longest))
    else:
        assert "older_than_any_closed" not in found.index


def test_missing_closings_are_found_where_they_are_expected(view):
    """
    Closings of deals created before the first one, at the pace of later deals: a finding from 5 on.
    """
    counted = [deal for deal in view.deals if age(deal, view.day)]
    first = min(d.closed_on for d in view.deals if d.status in ("won", "lost"))
    later = [age(d, view.day) for d in counted if d.created_on >= first]
    pace = [(a, min(cause, 1)) for a, cause in later]
    before = [d for d in counted if d.created_on < first]
    expected = sum(incidence(pace, (first - d.created_on).days - 1)["rate"] or 0 for d in before)

    found = quality.findings(view.seen)

    assert ("left_truncation" in set(found["kind"])) == (expected >= 5)


@pytest.mark.parametrize(("n_before", "is_found"), [(8, True), (4, False)])
def test_a_history_that_begins_late(see, n_before, is_found):
    """
    Later deals all close at age 10; deals open for 28 days before the first closing should have closed as well.
    """
    before = [
        closed(n, (2, 1), 40) for n in range(n_before)
    ]  # closed on 13 March, after 28 February
    later = [closed(100 + n, (3, 1), 10) for n in range(12)]
    first = [closed(200, (2, 28), 0)]

    found = quality.findings(see({"deals": before + later + first}, "2026-06-30"))

    rows = found[found["kind"] == "left_truncation"]
    expected = [["2026-02-28", n_before, str(n_before)]] if is_found else []
    assert rows[["subject", "n_rows", "detail"]].to_numpy().tolist() == expected


def test_a_young_history_is_not_called_truncated(see):
    """
    Without a closing, and where the first deals simply have not had the time, nothing is found.
    """
    nothing_closed = quality.findings(see({"deals": [DEAL]}, "2026-06-30"))
    deals = [closed(n, (2, 20), 10) for n in range(20)]
    all_at_one_age = quality.findings(see({"deals": deals}, "2026-06-30"))

    assert "left_truncation" not in set(nothing_closed["kind"])
    assert "left_truncation" not in set(all_at_one_age["kind"])


def test_findings_that_name_people_can_be_left_out(see):
    """
    A page of one team does not list people of others; what is wrong with the data stays.
    """
    people = [{"person_id": "p", "name": "Pia"}, {"person_id": "q", "name": "Quy"}]
    deals = [
        {"deal_id": str(n), "created_at": "2026-01-05 09:00:00", "status": "won", "owner": "p",
         "closed_at": "2026-01-05 09:00:00"}
        for n in range(3)
    ]  # fmt: skip
    seen = see({"deals": deals, "people": people}, "2026-03-31")

    named, unnamed = quality.findings(seen), quality.findings(seen, named=False)

    assert {"people_without_deals", "zero_span"} <= set(named["kind"])
    assert "zero_span" in set(unnamed["kind"])
    assert not unnamed.astype(str).apply(lambda row: row.str.contains("Quy")).any(axis=None)
