"""One customer's history against the records read row by row, and its edge cases by name."""

import csv
import datetime
import itertools
from collections import Counter, defaultdict

import pandas as pd
import plain
import pytest
import worlds
from export import ROOT, STAGES

from salesanalysis import crm
from salesanalysis.crm.errors import ParameterError
from salesanalysis.metrics import accounts

DAY = datetime.timedelta(days=1)
DAYS = ("2025-12-31", "2025-07-01")


@pytest.fixture(scope="module", params=[(seed, day) for seed in (11, 12, 13) for day in DAYS])
def company(request, tmp_path_factory):
    """A random company with customers as of a day: the gate, the records, the deals read plainly, the day."""
    seed, day = request.param
    world = worlds.with_customers(worlds.random_world(seed), seed)
    store = worlds.load(tmp_path_factory.mktemp("customers"), world)
    day = datetime.date.fromisoformat(day)
    with crm.observe(store, day) as seen:
        yield seen, world, plain.deals_as_of(world, day), day


def key(row):
    """The customer of a row."""
    return row["account_id"] or row["account"] or None


def date(text):
    """The day of an instant or day as the export writes it."""
    return datetime.date.fromisoformat(text[:10]) if text else None


def spells(deal, known_from):
    """A deal's states in time (instant, status, day): the last of an instant, equal neighbours once."""
    found = [(known_from, "open", None)]
    for at, _, stage in deal.states:
        status = stage if plain.is_end(stage) else "open"
        moved = max(at, known_from)
        day = at.date() if status != "open" else moved.date()
        if found[-1][1] != status:
            found = [spell for spell in found if spell[0] < moved]
            if not found or found[-1][1] != status:
                found.append((moved, status, day))
    return found


def recorded(world, deals, day):
    """Every event of every deal and account, by account: day, kind, deal, and what tells it from others."""
    of = {row["deal_id"]: key(row) for row in world.tables["deals"]}
    known, end = {deal.deal_id for deal in deals}, (day + DAY).isoformat()
    events = defaultdict(Counter)

    def add(account, *event):
        if account is not None:
            events[account][event] += 1

    begun = datetime.datetime.fromisoformat(world.settings["extracted_on"])
    for deal in deals:
        row = next(row for row in world.tables["deals"] if row["deal_id"] == deal.deal_id)
        created = datetime.datetime.fromisoformat(row["created_at"]) if row["created_at"] else None
        known_from = created or (deal.states[0][0] if deal.states else begun)
        add(key(row), deal.created_on, "deal_created", deal.deal_id, "")
        for entry in deal.entries:
            told = f"{entry.stage} {entry.inflow} {entry.segments['owner']}"
            add(key(row), entry.entered_on, "stage_entered", deal.deal_id, told)
        for number, (_, status, at) in enumerate(spells(deal, known_from)):
            if number or status != "open":
                add(key(row), at, {"open": "reopened"}.get(status, status), deal.deal_id, "")
    history = defaultdict(list)
    for row in sorted(world.tables["owner_history"], key=lambda row: row["valid_from"]):
        before = history[row["deal_id"]][-1:] or [row["owner"]]
        if before[0] != row["owner"] and row["valid_from"] < end and row["deal_id"] in known:
            add(
                of[row["deal_id"]],
                date(row["valid_from"]),
                "owner_changed",
                row["deal_id"],
                row["owner"],
            )
        history[row["deal_id"]].append(row["owner"])
    kinds = {"amount": "amount_changed", "expected_close": "close_moved"}
    for row in world.tables["deal_changes"]:
        if row["changed_at"] < end and row["deal_id"] in known:
            kind = kinds.get(row["field"]) or row["field"].split("_")[0] + "_changed"
            told = f"{row['new']} {row['actor']}"
            add(of[row["deal_id"]], date(row["changed_at"]), kind, row["deal_id"], told)
    for row in world.tables["activities"]:
        if row["created_at"] < end and row["deal_id"] in known:
            add_activity(row, day, lambda *event, row=row: add(of[row["deal_id"]], *event))
    for row in world.tables["satisfaction"]:
        account = of[row["deal_id"]] if row["deal_id"] in known else row["account_id"] or None
        if row["asked_at"] < end and (not row["deal_id"] or row["deal_id"] in known):
            add(
                account,
                date(row["asked_at"]),
                "satisfaction_asked",
                row["deal_id"],
                row["person_id"],
            )
            if row["answered_at"] and row["answered_at"] < end:
                told = row["score"] and f"{row['score']}"
                add(
                    account, date(row["answered_at"]), "satisfaction_answered", row["deal_id"], told
                )
    for row in world.tables["payments"]:
        if row["paid_on"] <= day.isoformat() and row["deal_id"] in known:
            kind = "refunded" if row["amount"].startswith("-") else "paid"
            add(of[row["deal_id"]], date(row["paid_on"]), kind, row["deal_id"], row["amount"])
    return events


def add_activity(row, day, add):
    """Once when it was entered as done, else planned and, later, done or overdue."""
    entered, due = date(row["created_at"]), date(row["due_at"])
    done = date(row["done_at"]) if row["done_at"] and date(row["done_at"]) <= day else None
    told = f"{row['type']} {row['rep']}"
    if done is None or done > entered or (due and due > entered):
        add(entered, "activity_planned", row["deal_id"], told)
    if done:
        add(done, "activity_done", row["deal_id"], told)
    elif due and due < day:
        add(due, "activity_overdue", row["deal_id"], told)


def told(row):
    """What tells an event of the timeline from others, as `recorded` says it."""
    text = {
        "stage_entered": lambda: f"{row.stage} {row.type} {row.person}",
        "owner_changed": lambda: row.person,
        "satisfaction_asked": lambda: row.person,
        "satisfaction_answered": lambda: "" if pd.isna(row.score) else f"{row.score:.0f}",
        "paid": lambda: f"{row.amount:.2f}",
        "refunded": lambda: f"{row.amount:.2f}",
    }
    if row.kind.startswith("activity"):
        return f"{row.type} {row.person}".replace("nan", "")
    if row.kind.endswith(("_changed", "_moved")) and row.kind != "owner_changed":
        return f"{row.new} {row.person}".replace("nan", "")
    return str(text.get(row.kind, str)()).replace("nan", "None")


def counted(table):
    """Events of a timeline as `recorded` counts them."""
    return Counter(
        (
            None if pd.isna(row.day) else row.day.date(),
            row.kind,
            "" if pd.isna(row.deal_id) else row.deal_id,
            told(row),
        )
        for row in table.itertuples()
    )


def known_accounts(world, deals):
    """Customers that have a deal known that day."""
    rows = {row["deal_id"]: row for row in world.tables["deals"]}
    return sorted({key(rows[deal.deal_id]) for deal in deals} - {None})


def test_every_record_of_an_account_is_told_exactly_once(company):
    """
    Stays, states, hand-overs, changes, activities, questions, answers and payments: none missing, none twice.
    """
    seen, world, deals, day = company
    expected = recorded(world, deals, day)
    names = known_accounts(world, deals)

    assert len(names) == 5
    for account in names:
        assert counted(accounts.timeline(seen, account)) == expected[account]


def test_events_stand_in_order_of_time(company):
    """
    Days never go back; a deal without a date of creation comes first; the same events again are in the same order.
    """
    seen, world, deals, _ = company
    for account in known_accounts(world, deals):
        table = accounts.timeline(seen, account)
        days = table["day"].dropna()

        assert days.is_monotonic_increasing
        assert table["day"].head(len(table) - len(days)).isna().all()
        assert set(table["kind"]) <= set(accounts.KINDS)


def test_sums_are_those_of_the_deals(company):
    """
    Counts by state, amounts, payments, what is due, contact and scores, added up row by row.
    """
    seen, world, deals, day = company
    rows = {row["deal_id"]: row for row in world.tables["deals"]}
    events = recorded(world, deals, day)
    for account in known_accounts(world, deals):
        mine = [deal for deal in deals if key(rows[deal.deal_id]) == account]
        paid = dict.fromkeys((deal.deal_id for deal in mine), 0.0)
        for row in world.tables["payments"]:
            if row["deal_id"] in paid and row["paid_on"] <= day.isoformat():
                paid[row["deal_id"]] += float(row["amount"])
        by_status = {
            s: [d for d in mine if d.status == s] for s in ("won", "lost", "open", "removed")
        }
        priced = [deal for deal in by_status["won"] if deal.amount is not None]
        due = [max(0.0, deal.amount - paid[deal.deal_id]) for deal in priced]
        beyond = [max(0.0, paid[deal.deal_id] - deal.amount) for deal in priced]
        beyond += [max(0.0, paid[deal.deal_id]) for deal in mine if deal.status != "won"]
        done = sorted(at for at, kind, *_ in events[account].elements() if kind == "activity_done")

        row = accounts.summary(seen, account).iloc[0]

        assert {name: row[f"n_{name}"] for name in by_status} == {
            name: len(part) for name, part in by_status.items()
        }
        assert row["n_deals"] == len(mine)
        assert row["n_unpriced"] == len(by_status["won"]) - len(priced)
        for status in ("won", "open"):
            amounts = [deal.amount for deal in by_status[status]]
            known = plain.total(amounts) if amounts else 0.0
            known = float("nan") if known is None else known
            assert row[f"{status}_amount"] == pytest.approx(known, nan_ok=True)
        assert row["paid_amount"] == pytest.approx(sum(paid.values()))
        assert row["outstanding_amount"] == pytest.approx(sum(due))
        assert row["excess_amount"] == pytest.approx(sum(beyond))
        assert row["n_owing"] == sum(amount > 1e-9 for amount in due)
        assert row["n_activities"] == len(done)
        assert [row["first_contact_on"], row["last_contact_on"]] == [
            pd.Timestamp(done[0]),
            pd.Timestamp(done[-1]),
        ]
        assert row["days_since_contact"] == (day - done[-1]).days
        assert row["n_events"] == events[account].total()


def test_won_and_excess_are_paid_and_outstanding(company):
    """
    Of every deal whose amount is known: amount won + paid beyond = paid + outstanding, to the cent.
    """
    seen, world, deals, _ = company
    for account in known_accounts(world, deals):
        table = accounts.deals(seen, account)
        is_won = table["status"] == "won"
        table = table[~is_won | table["amount"].notna()]
        won = table["amount"].where(table["status"] == "won", 0.0)

        left, right = (
            won + table["excess_amount"],
            table["paid_amount"] + table["outstanding_amount"],
        )

        positive = right >= 0  # a refund of a deal that was never paid stands alone
        assert (left - right)[positive].abs().max() < 1e-6
        assert (table["outstanding_amount"] >= 0).all()
        assert (table["excess_amount"] >= 0).all()


def test_people_are_those_of_the_events(company):
    """
    Owners, credited, active and rated people, their different deals and their first and last day.
    """
    seen, world, deals, day = company
    rows = {row["deal_id"]: row for row in world.tables["deals"]}
    for account in known_accounts(world, deals):
        mine = [deal for deal in deals if key(rows[deal.deal_id]) == account]
        parts = defaultdict(set)  # person -> (role, deal, day)
        for deal in mine:
            spells = sorted(
                (row["valid_from"], row["owner"])
                for row in world.tables["owner_history"]
                if row["deal_id"] == deal.deal_id
            )
            begun = [spell for spell in spells if date(spell[0]) <= day] or spells[:1]
            owners = [owner for _, owner in begun] or [rows[deal.deal_id]["owner"]]
            parts[owners[0]].add(("owner", deal.deal_id, deal.created_on))
            for (_, before), (at, after) in itertools.pairwise(begun):
                if before != after:
                    parts[after].add(("owner", deal.deal_id, date(at)))
            if deal.status == "won":
                shares = [r for r in world.tables["credits"] if r["deal_id"] == deal.deal_id]
                whole = (
                    [] if any(r["type"] == "revenue" for r in shares) else [deal.segments["owner"]]
                )
                for person in [*(r["person_id"] for r in shares), *whole]:
                    parts[person].add(("credited", deal.deal_id, deal.closed_on))
        for at, kind, deal_id, text in recorded(world, deals, day)[account]:
            if kind.startswith("activity"):
                parts[text.split(" ")[1]].add(("active", deal_id, at))
        for row in world.tables["satisfaction"]:
            of = row["deal_id"] in {deal.deal_id for deal in mine}
            if date(row["asked_at"]) <= day and (
                of or (not row["deal_id"] and row["account_id"] == account)
            ):
                parts[row["person_id"]].add(("rated", row["deal_id"], date(row["asked_at"])))
                if row["answered_at"] and date(row["answered_at"]) <= day:
                    parts[row["person_id"]].add(("rated", row["deal_id"], date(row["answered_at"])))
        parts = {person: part for person, part in parts.items() if person}

        table = accounts.people(seen, account).set_index("person")

        assert set(table.index) == set(parts)
        for person, part in parts.items():
            row, days = table.loc[person], [at for *_, at in part if at]
            roles = {role for role in ("owner", "credited", "active", "rated") if row[f"is_{role}"]}
            assert roles == {role for role, *_ in part}
            assert row["n_deals"] == len({deal for _, deal, _ in part} - {""})
            if days:
                assert row["first_on"].date() == min(days)
                assert row["last_on"].date() == max(days)
            assert row["n_open"] == sum(
                deal.status == "open" and deal.segments["owner"] == person for deal in mine
            )


def test_without_a_choice_it_is_the_account_that_bought_most(company):
    """
    By won amount, unknown amounts as 0; and an id is itself.
    """
    seen, world, deals, _ = company
    rows = {row["deal_id"]: row for row in world.tables["deals"]}
    won = Counter()
    for deal in deals:
        won[key(rows[deal.deal_id])] += (deal.amount or 0) if deal.status == "won" else 0
    del won[None]

    chosen = accounts.choose(seen)

    assert chosen == won.most_common(1)[0][0]
    assert accounts.choose(seen, chosen) == chosen
    share = accounts.summary(seen)["won_share"].iloc[0]
    assert share == pytest.approx(won[chosen] / won.total())


DEAL = {"deal_id": "1", "created_at": "2026-01-05 09:00:00", "status": "open", "stage": "A",
        "owner": "p1", "account_id": "c1", "account": "Müller & Söhne", "amount": "100.30"}  # fmt: skip
WON = {"status": "won", "closed_at": "2026-02-10 12:00:00"}
PEOPLE = [
    {"person_id": "p1", "name": "Ann", "team": "North", "left_on": ""},
    {"person_id": "p2", "name": "Bo", "team": "South", "left_on": "2026-03-31"},
]


def kinds(table):
    """The kinds of events in order."""
    return table["kind"].tolist()


def test_an_account_is_found_by_id_then_by_name(see):
    """
    An id that is another account's name is the id; a name of two accounts needs the id.
    """
    rows = [
        DEAL,
        DEAL | {"deal_id": "2", "account_id": "c2", "account": "c1"},
        DEAL | {"deal_id": "3", "account_id": "c3", "account": "Twin"},
        DEAL | {"deal_id": "4", "account_id": "c4", "account": "Twin"},
        DEAL | {"deal_id": "5", "account_id": "", "account": "No id"},
        DEAL
        | {
            "deal_id": "6",
            "account_id": "c9",
            "account": "Later",
            "created_at": "2026-05-01 00:00:00",
        },
    ]
    seen = see({"stages": STAGES, "deals": rows}, "2026-04-30")

    assert accounts.choose(seen, "c1") == "c1"
    assert accounts.choose(seen, "Müller & Söhne") == "c1"
    assert accounts.choose(seen, "No id") == "No id"
    with pytest.raises(ParameterError, match="'Twin' is the name of 2: c3, c4; give the id"):
        accounts.choose(seen, "Twin")
    with pytest.raises(ParameterError, match="found 'müller & sohne'; near: 'Müller & Söhne'"):
        accounts.choose(seen, "müller & sohne")
    with pytest.raises(
        ParameterError,
        match="5 accounts that have a deal by 2026-04-30, found 'Later'; none is like it",
    ):
        accounts.choose(seen, "Later")


def test_of_equal_amounts_the_most_deals_decide(see):
    """
    Nothing won: the account with the most deals, then the first id.
    """
    rows = [
        DEAL | {"deal_id": str(n), "account_id": c}
        for n, c in enumerate(["c3", "c2", "c2", "c1", "c1"])
    ]

    assert accounts.choose(see({"stages": STAGES, "deals": rows}, "2026-04-30")) == "c1"


def test_without_accounts_there_is_nothing(see):
    """
    A source that names no customer gives no rows, and refuses a name.
    """
    deal = {name: value for name, value in DEAL.items() if not name.startswith("account")}
    seen = see({"stages": STAGES, "deals": [deal]}, "2026-04-30")

    assert accounts.choose(seen) == ""
    for metric in (accounts.summary, accounts.deals, accounts.lanes, accounts.timeline):
        assert metric(seen).empty
    assert accounts.people(seen).empty
    assert accounts.next_steps(seen).empty
    with pytest.raises(ParameterError, match="one of the 0 accounts"):
        accounts.choose(seen, "c1")


def test_a_deal_from_beginning_to_payment(see):
    """
    One deal, worked by hand: within a day events stand by their instant, payments last; the days are local.
    """
    tables = {
        "stages": STAGES,
        "people": PEOPLE,
        "deals": [DEAL | WON | {"stage": "won", "amount": "90"}],
        "stage_events": [
            {"deal_id": "1", "stage": "A", "entered_at": "2026-01-05 09:00:00"},
            {"deal_id": "1", "stage": "A", "entered_at": "2026-01-06 09:00:00"},  # no new stay
            {"deal_id": "1", "stage": "C", "entered_at": "2026-02-01 10:00:00"},
            {"deal_id": "1", "stage": "lost", "entered_at": "2026-02-03 10:00:00"},
            {"deal_id": "1", "stage": "C", "entered_at": "2026-02-05 23:59:59"},
            {"deal_id": "1", "stage": "won", "entered_at": "2026-02-10 12:00:00"},
        ],
        "owner_history": [
            {"deal_id": "1", "owner": "p2", "valid_from": "2026-01-05 09:00:00"},
            {"deal_id": "1", "owner": "p1", "valid_from": "2026-02-01 09:00:00"},
        ],
        "deal_changes": [
            {"deal_id": "1", "field": "amount", "old": "100.30", "new": "90", "changed_at": "2026-02-01 11:00:00", "actor": "p1"},
            {"deal_id": "1", "field": "expected_close", "old": "2026-01-31", "new": "2026-02-28", "changed_at": "2026-02-01 08:00:00", "actor": "robot"},
        ],
        "activities": [
            {"activity_id": "1", "deal_id": "1", "rep": "p2", "type": "call", "created_at": "2026-02-10 11:00:00", "due_at": "2026-02-10 11:00:00", "done_at": "2026-02-10 11:00:00", "outcome": "yes"},
            {"activity_id": "2", "deal_id": "1", "rep": "p1", "type": "visit", "created_at": "2026-02-10 13:00:00", "due_at": "2026-02-12 09:00:00", "done_at": "2026-02-11 09:00:00", "outcome": "no"},
        ],
        "satisfaction": [{"deal_id": "1", "person_id": "p1", "asked_at": "2026-02-12 09:00:00", "answered_at": "2026-02-14 09:00:00", "score": "8", "scale_max": "10"}],
        "payments": [
            {"deal_id": "1", "paid_on": "2026-02-12", "amount": "60"},
            {"deal_id": "1", "paid_on": "2026-02-20", "amount": "-15.5"},
        ],
    }  # fmt: skip
    seen = see(tables, "2026-02-28", timezone="Asia/Shanghai")

    table = accounts.timeline(seen, "c1")

    assert [f"{row.day:%m-%d} {row.kind}" for row in table.itertuples()] == [
        "01-05 deal_created",
        "01-05 stage_entered",
        "02-01 close_moved",
        "02-01 owner_changed",
        "02-01 stage_entered",
        "02-01 amount_changed",
        "02-03 lost",
        "02-05 reopened",
        "02-05 stage_entered",
        "02-10 activity_done",
        "02-10 won",
        "02-10 activity_planned",
        "02-11 activity_done",
        "02-12 satisfaction_asked",
        "02-12 paid",
        "02-14 satisfaction_answered",
        "02-20 refunded",
    ]
    assert table["name"].tolist()[:7] == ["Bo", "Bo", "robot", "Ann", "Ann", "Ann", "Ann"]
    assert table.loc[[0, 6], "amount"].tolist() == pytest.approx([100.3, 90])
    assert table.loc[3, ["old", "new"]].tolist() == ["Bo", "Ann"]
    assert table.loc[[9, 12], "outcome"].tolist() == ["yes", "no"]
    assert table.loc[11, "due_on"] == pd.Timestamp("2026-02-12") and pd.isna(
        table.loc[11, "outcome"]
    )
    row = accounts.summary(seen, "c1").iloc[0]
    assert [row["paid_amount"], row["outstanding_amount"], row["excess_amount"]] == [44.5, 45.5, 0]
    assert [row["n_asked"], row["n_answered"], row["satisfaction_mean"]] == [1, 1, 0.8]
    assert accounts.lanes(seen, "c1")["outcome"].tolist() == ["skipped", "lost", "advanced"]


def test_the_latest_rows_are_kept(see):
    """
    `rows` cuts the beginning off; what is no number of rows is refused.
    """
    seen = see({"stages": STAGES, "deals": [DEAL | WON]}, "2026-04-30")

    assert kinds(accounts.timeline(seen, rows=1)) == ["won"]
    assert kinds(accounts.timeline(seen, rows=9)) == ["deal_created", "won"]
    for wrong in (0, -1, "3", 1.5):
        with pytest.raises(ParameterError, match="rows must be a whole number from 1 on, found"):
            accounts.timeline(seen, rows=wrong)


def test_fractions_of_a_cent_are_not_due(see):
    """
    0.1 + 0.2 pay 0.3.
    """
    payments = [
        {"deal_id": "1", "paid_on": "2026-03-01", "amount": part} for part in ("0.1", "0.2")
    ]
    tables = {"stages": STAGES, "deals": [DEAL | WON | {"amount": "0.3"}], "payments": payments}
    seen = see(tables, "2026-04-30")

    deal = accounts.deals(seen).iloc[0]

    assert [deal["outstanding_amount"], deal["excess_amount"]] == [0, 0]
    assert accounts.next_steps(seen).empty
    assert accounts.summary(seen)["n_owing"].iloc[0] == 0


def test_a_won_deal_without_an_amount_owes_nobody_knows_what(see):
    """
    Neither due nor beyond; and what was paid for a lost deal is beyond.
    """
    rows = [
        DEAL | WON | {"amount": ""},
        DEAL | WON | {"deal_id": "2", "status": "lost"},
    ]
    payments = [{"deal_id": n, "paid_on": "2026-03-01", "amount": "7"} for n in ("1", "2")]
    seen = see({"stages": STAGES, "deals": rows, "payments": payments}, "2026-04-30")

    row = accounts.summary(seen).iloc[0]

    assert row["n_unpriced"] == 1
    assert pd.isna(row["won_amount"])
    assert [row["paid_amount"], row["outstanding_amount"], row["excess_amount"]] == [14, 0, 7]


def test_the_reason_of_a_loss_is_that_of_the_last_one(see):
    """
    The source keeps one reason: a loss that was taken back before has none.
    """
    lost = {"status": "lost", "closed_at": "2026-03-01 09:00:00", "loss_reason": "price"}
    days = {"A": "2026-01-05", "lost": "2026-02-01", "B": "2026-02-03"}
    events = [
        {"deal_id": "1", "stage": stage, "entered_at": f"{day} 09:00:00"}
        for stage, day in days.items()
    ]
    events.append({"deal_id": "1", "stage": "lost", "entered_at": "2026-03-01 09:00:00"})
    seen = see({"stages": STAGES, "deals": [DEAL | lost], "stage_events": events}, "2026-04-30")

    table = accounts.timeline(seen)

    losses = table[table["kind"] == "lost"]
    assert losses["outcome"].fillna("-").tolist() == ["-", "price"]
    assert losses["day"].dt.strftime("%m-%d").tolist() == ["02-01", "03-01"]


def test_overlay_takes_no_credit_away(see):
    """
    A won deal with overlay credit only is still its owner's; with a revenue share it is who has that share.
    """
    credit = {"deal_id": "1", "person_id": "p2", "share": "1", "type": "overlay"}
    tables = {
        "stages": STAGES,
        "people": PEOPLE,
        "deals": [DEAL | WON, DEAL | WON | {"deal_id": "2", "owner": "p3"}],
        "credits": [credit, credit | {"deal_id": "2", "type": "revenue"}],
    }
    seen = see(tables, "2026-04-30")

    table = accounts.people(seen).set_index("person")

    assert table["is_credited"].to_dict() == {"p1": True, "p2": True, "p3": False}
    assert table["n_deals"].to_dict() == {"p1": 1, "p2": 2, "p3": 1}
    assert table["name"].to_dict() == {"p1": "Ann", "p2": "Bo", "p3": "p3"}


STEP = {"deal_id": "1", "rep": "p1", "type": "call", "created_at": "2026-04-01 09:00:00"}


def test_what_is_to_be_done(see):
    """
    One step of each kind, and at each boundary one that is none: due or expected on the day itself.
    """
    open_, lost = (
        DEAL | {"expected_close": "2026-04-30"},
        {"status": "lost", "closed_at": "2026-02-10 12:00:00"},
    )
    tables = {
        "stages": STAGES,
        "people": PEOPLE,
        "deals": [
            open_,
            open_ | {"deal_id": "2", "expected_close": "2026-04-29", "owner": "p2"},
            DEAL | WON | {"deal_id": "3"},
            DEAL | WON | {"deal_id": "4", "amount": "5"},
            DEAL | lost | {"deal_id": "5", "expected_close": "2026-01-01", "owner": "p2"},
            DEAL | {"deal_id": "6", "account_id": "c2"},
        ],
        "activities": [
            STEP | {"activity_id": "1", "due_at": "2026-04-29 23:00:00"},
            STEP | {"activity_id": "2", "due_at": "2026-04-30 00:00:00"},
            STEP | {"activity_id": "3", "due_at": ""},
            STEP | {"activity_id": "4", "due_at": "2026-04-02 09:00:00", "done_at": "2026-04-05 09:00:00"},
            STEP | {"activity_id": "5", "deal_id": "5", "due_at": "2026-01-01 09:00:00"},
            STEP | {"activity_id": "6", "deal_id": "3", "due_at": "2026-04-20 09:00:00", "rep": "p2"},
            STEP | {"activity_id": "7", "deal_id": "6", "due_at": "2026-04-20 09:00:00"},
        ],
        "payments": [
            {"deal_id": "3", "paid_on": "2026-04-30", "amount": "100"},
            {"deal_id": "4", "paid_on": "2026-04-30", "amount": "5"},
            {"deal_id": "3", "paid_on": "2026-05-01", "amount": "0.30"},  # not known yet
        ],
    }  # fmt: skip
    seen = see(tables, "2026-04-30")

    table = accounts.next_steps(seen, "c1")

    day = table["due_on"].dt.strftime("%m-%d").fillna("-")
    found = zip(
        table["step"], table["deal_id"], day, table["days"].fillna(-99), table["name"], strict=True
    )
    assert list(found) == [
        ("overdue", "3", "04-20", 10, "Bo"),
        ("overdue", "1", "04-29", 1, "Ann"),
        ("no_next_step", "2", "-", -99, "Bo"),
        ("close_passed", "2", "04-29", 1, "Bo"),
        ("owner_left", "2", "03-31", 30, "Bo"),
        ("outstanding", "3", "02-10", 79, "Ann"),
        ("upcoming", "1", "04-30", 0, "Ann"),
        ("upcoming", "1", "-", -99, "Ann"),
        ("left_over", "5", "01-01", 119, "Ann"),
    ]
    assert table["amount"].tolist()[5] == pytest.approx(0.3)
    assert kinds(accounts.timeline(seen, "c1")).count("activity_overdue") == 3
    deals = accounts.deals(seen, "c1").set_index("deal_id")
    assert deals.loc["1", ["n_planned", "n_overdue", "n_activities"]].tolist() == [3, 1, 1]
    assert deals.index.tolist() == ["1", "2", "3", "4", "5"]


def test_a_next_step_of_the_deal_itself_is_one(see):
    """
    Where the deal's own row says when it goes on, no activity need be planned.
    """
    rows = [
        DEAL | {"next_step_at": "2026-05-02 09:00:00"},
        DEAL | {"deal_id": "2", "next_step_at": ""},
    ]
    tables = {
        "stages": STAGES,
        "deals": rows,
        "activities": [STEP | {"activity_id": "1", "deal_id": ""}],
    }
    seen = see(tables, "2026-12-31")

    table = accounts.next_steps(seen)

    assert table[["step", "deal_id"]].to_numpy().tolist() == [["no_next_step", "2"]]
    row = accounts.summary(seen).iloc[0]  # there are activities, but none of this account
    assert row["n_activities"] == 0
    assert row[["last_contact_on", "first_contact_on", "days_since_contact"]].isna().all()


def test_what_the_source_lacks_is_missing_not_zero(see):
    """
    Without activities, questions and payments their numbers are NaN, and no step is made of their absence.
    """
    seen = see({"stages": STAGES, "deals": [DEAL, DEAL | WON | {"deal_id": "2"}]}, "2026-04-30")

    row = accounts.summary(seen).iloc[0]

    assert row[["n_activities", "n_asked", "satisfaction_mean", "paid_amount", "outstanding_amount",
                "excess_amount", "n_owing", "last_contact_on", "days_since_contact"]].isna().all()  # fmt: skip
    assert accounts.next_steps(seen).empty
    assert accounts.people(seen)["n_activities"].isna().all()
    assert kinds(accounts.timeline(seen)) == ["deal_created", "deal_created", "won"]


def test_an_account_may_be_called_anything(see):
    """
    Characters of HTML and SQL in an id are those of the id.
    """
    odd = "<b>c1</b> & ' OR 1=1 --"
    seen = see(
        {"stages": STAGES, "deals": [DEAL | {"account_id": odd}, DEAL | {"deal_id": "2"}]},
        "2026-04-30",
    )

    assert accounts.choose(seen, odd) == odd
    assert accounts.deals(seen, odd)["deal_id"].tolist() == ["1"]


@pytest.mark.shared
def test_maven_has_customers_without_history(shared, tmp_path):
    """
    The customer that bought most, its counts and amount as the file adds up; no stage, no activity, no payment.
    """
    folder = shared / "data" / "maven_crm"
    store = crm.load(
        folder, ROOT / "params/sources/maven.yaml", tmp_path / "m.duckdb", say=lambda _: None
    )
    with (folder / "sales_pipeline.csv").open(encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if row["account"]]
    won = Counter()
    for row in rows:
        won[row["account"]] += float(row["close_value"] or 0)
    first, amount = won.most_common(1)[0]
    mine = [row for row in rows if row["account"] == first]
    stages = Counter(row["deal_stage"] for row in mine)
    with crm.observe(store, "2017-12-31") as seen:
        row = accounts.summary(seen).iloc[0]
        table = accounts.timeline(seen)

        assert [row["account"], row["won_amount"]] == [first, amount]
        assert row["won_share"] == pytest.approx(amount / won.total())
        assert [row["n_won"], row["n_lost"]] == [stages["Won"], stages["Lost"]]
        assert row["n_open"] == stages["Engaging"] + stages["Prospecting"]
        assert row["n_unnamed"] == 1425  # 337 Prospecting and 1,088 Engaging, counted with grep
        assert set(table["kind"]) == {"deal_created", "won", "lost"}
        assert len(table) == len(mine) + stages["Won"] + stages["Lost"]
        assert accounts.lanes(seen).empty
        assert accounts.next_steps(seen).empty
        assert accounts.deals(seen).loc[lambda t: t["status"] == "open", "stage"].notna().all()
