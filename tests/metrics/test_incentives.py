"""Incentives: a second implementation from the rule text on random companies, and amounts worked out by hand."""

import datetime
import itertools
import random
from fractions import Fraction

import pandas as pd
import plain_incentives as plain
import pytest
import worlds
import yaml

from salesanalysis import crm
from salesanalysis.crm.errors import ParameterError
from salesanalysis.metrics import credit, incentives, kpis
from salesanalysis.metrics.periods import period

YEAR_END = datetime.date(2025, 12, 31)
TODAYS = (YEAR_END, datetime.date(2025, 8, 20))  # the second one within a quarter
TIERS = [
    {"above": 0, "rate": 2},
    {"above": 80, "rate": 3},
    {"above": 100, "rate": 5},
    {"above": 120, "rate": 6.5},
]
BASE = {
    "id": "commission",
    "role": "rep",
    "basis": "booked",
    "measured_on": "quota",
    "tiers": TIERS,
    "from": "2025-01-01",
}
BY_MONEY = [{"above": 0, "rate": 1.5}, {"above": 20, "rate": 2.5}, {"above": 36, "rate": 4.0}]
VISITS = {"kpi": "visits", "at_least": 0.7, "pays": 80, "least": 45}
RULES = {  # versions of one plan each
    "booked": [
        BASE
        | {
            "accelerators": [
                {"field": "segment", "value": "big", "factor": 1.2},
                {"field": "product", "value": "X", "factor": 0.85},
            ],
            "cap": 2,
            "gates": [VISITS],
            "clawback": {"days": 100, "when": ["refund", "unwon"]},
        }
    ],
    "paid, retroactive, owner": [
        BASE
        | {"basis": "paid", "measured_on": "amount", "tiers_are": "retroactive", "tiers": BY_MONEY}
        | {"splits": "owner", "clawback": {"days": 120, "when": ["refund"]}}
    ],
    "paid": [
        BASE
        | {"basis": "paid", "gates": [VISITS], "clawback": {"days": 90, "when": ["unwon", "refund"]}}
    ],
    "retroactive, nothing back": [
        BASE | {"tiers_are": "retroactive", "cap": 1, "accelerators": [{"field": "segment", "value": "big", "factor": 2}]}
    ],
    "new rules from July": [
        BASE | {"clawback": {"days": 60, "when": ["unwon"]}},
        BASE
        | {"from": "2025-07-01", "tiers": BY_MONEY, "measured_on": "amount", "splits": "owner"}
        | {"clawback": {"days": 150, "when": ["refund", "unwon"]}},
    ],
    "paid from July, in mid-quarter": [
        BASE | {"clawback": {"days": 150, "when": ["unwon"]}},
        BASE | {"from": "2025-06-15", "basis": "paid", "clawback": {"days": 150, "when": ["refund"]}},
    ],
}  # fmt: skip


def process_of(tmp_path, plans, *, least=45, extra=()):
    """A process file with one KPI, that of the gate, and these plans."""
    both = {"en": "x", "zh": "x"}
    made = {
        "name": both,
        "strategy": {"goal": both, "segments": ["big"]},
        "people": {"default_role": "rep", "ramp_months": 3},
        "stages": [
            {"stage": "Offer", "name": both, "goal": both, "role": "rep", "actions": [], "sla_days": "9"}
            | {"target_conversion": "0.5", "from": "2024-01-01"}
        ],
        "kpis": [
            {"id": "visits", "name": both, "kind": "process", "floor": "0", "target": "4"}
            | {"measure": {"of": "activities", "types": ["visit"]}, "weight": "100", "role": role}
            | {"improve": both, "from": "2024-01-01"}
            for role in ("rep", "boss")
        ],
        "scorecards": [
            {"from": "2024-01-01", "judged_weight": "50", "evidence": {"visits": str(least)}}
            | {"reviewer": both, "objection": both, "objection_days": "14"}
        ],
        "incentives": [{"name": both} | plan for plan in (*plans, *extra)],
        "development": [],
    }  # fmt: skip
    for plan in made["incentives"]:
        gates = [
            {key: gate[key] for key in ("kpi", "at_least", "pays")}
            for gate in plan.get("gates", [])
        ]
        plan["gates"] = gates
    path = tmp_path / "process.yaml"
    path.write_text(yaml.safe_dump(_texts(made), allow_unicode=True), "utf-8")
    return crm.read_process(path)


def _texts(made):
    """Every number as text, as the strict reader takes it."""
    if isinstance(made, dict):
        return {key: _texts(value) for key, value in made.items()}
    if isinstance(made, (list, tuple)):
        return [_texts(value) for value in made]
    return str(made)


def random_tables(seed):
    """A company of one year: wins undone and repeated, splits, payments in parts, joiners, leavers, odd quotas."""
    rng = random.Random(seed)
    tables = {
        name: [] for name in ("deals", "stage_events", "owner_history", "credits", "payments")
    }
    tables |= {"people": [], "quotas": [], "activities": []}
    staff = [f"p{number}" for number in range(6)]
    for number, person in enumerate(staff):
        hired = rng.choice(["", "2024-02-01", f"2025-0{rng.randint(1, 9)}-1{rng.randint(0, 9)}"])
        left = rng.choice(["", "", f"2025-1{rng.randint(0, 2)}-0{rng.randint(1, 9)}"])
        role = "boss" if number == 5 else "rep"
        tables["people"].append(
            {"person_id": person, "name": f"N{number}", "team": f"T{number % 2}", "role": role,
             "hired_on": hired, "left_on": left}
        )  # fmt: skip
        tables["quotas"] += _quotas(rng, person)
        for _ in range(rng.choice([2, 8, 14])):
            day = _day(rng, 1, 360)
            tables["activities"].append(
                {"activity_id": f"a{len(tables['activities'])}", "rep": person, "type": "visit",
                 "created_at": f"{day} 08:00:00", "done_at": f"{day} 09:00:00"}
            )  # fmt: skip
    for number in range(36):
        _deal(rng, f"D{number:02d}", [*staff, "ghost"], tables)
    return tables


def _quotas(rng, person):
    rows, months = [], rng.choice([1, 3, 3, 6])
    for first in range(1, 13, months):
        if rng.random() < 0.12:
            continue
        start = datetime.date(2025, first, 1)
        after = datetime.date(2025 + (first + months > 12), (first + months - 1) % 12 + 1, 1)
        value = rng.choice(["0", "20.00", "20.00", "33.33", "15.01"])
        rows.append(
            {"holder_type": "person", "holder_id": person, "period_start": start.isoformat(),
             "period_end": (after - datetime.timedelta(days=1)).isoformat(), "measure": "amount",
             "value": value}
        )  # fmt: skip
    return rows


def _day(rng, low, high):
    return (datetime.date(2025, 1, 1) + datetime.timedelta(days=rng.randint(low, high))).isoformat()


def _deal(rng, deal_id, owners, tables):
    moments = sorted({_day(rng, 1, 363) for _ in range(rng.choice([2, 2, 2, 2, 3, 4, 5]))})
    hours = ["10:00:00"] * len(moments)
    if len(moments) > 2 and rng.random() < 0.2:  # won and undone on one day
        moments[2], hours[2] = moments[1], "11:00:00"
        moments, hours = moments[:3], hours[:3]
    path = [f"{day} {hour}" for day, hour in zip(moments, hours, strict=True)]
    stages = ["Offer", "Won", "Offer", "Won", "Offer"][: len(path)]
    amount = rng.choice(
        ["0.00", "16.00", "20.00", "4.00", "0.01", f"{rng.randint(1, 3000) / 100:.2f}"]
    )
    owner, other = rng.sample(owners, 2)
    is_won = stages[-1] == "Won"
    tables["deals"].append(
        {"deal_id": deal_id, "created_at": path[0], "status": "won" if is_won else "open",
         "closed_at": path[-1] if is_won else "", "stage": stages[-1], "owner": owner, "amount": amount,
         "segment": rng.choice(["big", "small"]), "product": rng.choice(["X", "Y"])}
    )  # fmt: skip
    for at, stage in zip(path, stages, strict=True):
        tables["stage_events"].append({"deal_id": deal_id, "stage": stage, "entered_at": at})
    tables["owner_history"].append({"deal_id": deal_id, "owner": owner, "valid_from": path[0]})
    if rng.random() < 0.3:
        tables["owner_history"].append(
            {"deal_id": deal_id, "owner": other, "valid_from": f"{_day(rng, 60, 300)} 07:00:00"}
        )
    people = rng.sample(owners, 3)
    shares = rng.choice(
        [
            [],
            [],
            ["1"],
            ["0.5", "0.5"],
            ["0.7", "0.3"],
            ["0.3333", "0.3333", "0.3333"],
            ["0.4", "0.5"],
        ]
    )
    for person, share in zip(people, shares, strict=False):
        row = {"deal_id": deal_id, "person_id": person, "share": share, "type": "revenue"}
        tables["credits"].append(row)
    if rng.random() < 0.2:
        row = {"deal_id": deal_id, "person_id": owners[0], "share": "1", "type": "overlay"}
        tables["credits"].append(row)
    for _ in range(rng.choice([0, 1, 2, 3, 5])):
        part = round(float(amount) * rng.choice([0.3, 0.5, 0.7, 1, -0.2, -0.5]), 2)
        row = {"deal_id": deal_id, "paid_on": _day(rng, 20, 364), "amount": f"{part:.2f}"}
        tables["payments"].append(row)


STAGES = [
    {"stage": "Offer", "stage_order": "1", "is_won": "false", "is_lost": "false"},
    {"stage": "Won", "stage_order": "9", "is_won": "true", "is_lost": "false"},
]


@pytest.fixture(scope="module", params=range(4))
def company(request, tmp_path_factory):
    """A random company and its store."""
    tables = random_tables(request.param)
    world = worlds.World(
        tables | {"stages": STAGES}, {"timezone": "UTC", "extracted_on": YEAR_END.isoformat()}
    )
    return tables, worlds.load(tmp_path_factory.mktemp("company"), world)


def numbers_of(plan):
    """Tier numbers by step, so that a line can be compared with the plain one."""
    return {tier.above: number for number, tier in enumerate(plan.tiers)}


@pytest.mark.parametrize("today", TODAYS, ids=str)
@pytest.mark.parametrize("name", RULES)
def test_agrees_with_the_rule_text_worked_out_cent_by_cent(company, tmp_path, name, today):
    """
    Every slice, gate, cap and clawback of every quarter, and the sums, are those of the plain implementation.
    """
    tables, store = company
    process = process_of(tmp_path, RULES[name])
    with crm.observe(store, today) as seen:
        for number in range(1, (today.month + 2) // 3 + 1):
            when, which = period(f"2025-Q{number}", as_of=today), (2025, number)

            found = incentives.lines(seen, process, when)
            paid = incentives.payouts(seen, process, when)

            wanted = plain.statement(tables, RULES[name], which, today)
            tiers = numbers_of(process.on(when.first).plans[0])
            for person, own in wanted.items():
                rows = found[found["person"] == person]
                slices = [
                    (row.deal_id, row.spell - 1, row.day.date(), tiers.get(row.tier), row.amount_cents, row.pay_cents)
                    for row in rows[rows["kind"] == "slice"].itertuples()
                ]  # fmt: skip
                assert slices == own["slices"]
                kinds = rows.groupby("kind")["pay_cents"].sum()
                assert (kinds.get("gate", 0), kinds.get("cap", 0)) == (own["gate"], own["cap"])
            back = [
                (row.person, row.day.date(), row.deal_id, row.cause, row.of_period, -row.pay_cents)
                for row in found[found["kind"] == "clawback"].itertuples()
            ]
            plainly = [
                (person, day, deal, cause, f"{was[0]}-Q{was[1]}", cents)
                for person, day, deal, cause, was, cents in plain.clawbacks(
                    tables, RULES[name], which, today
                )
            ]
            assert sorted(back) == sorted(plainly)
            sums = dict(zip(paid["person"], paid["payout_cents"], strict=True))
            assert sums == plain.payout(tables, RULES[name], which, today)
            assert set(found["person"]) <= sums.keys()


def test_the_random_companies_hold_what_they_are_made_for(tmp_path_factory, tmp_path):
    """
    Over the random companies every kind of line, cause and tier occurs, also steps that are hit exactly.
    """
    kinds, causes, tiers, exact = set(), set(), set(), 0
    for seed in range(4):
        tables = random_tables(seed)
        for rules, number in itertools.product(RULES.values(), (2, 3, 4)):
            own = plain.statement(tables, rules, (2025, number), YEAR_END)
            for found in own.values():
                tiers |= {row[3] for row in found["slices"]}
                kinds |= {kind for kind in ("gate", "cap") if found[kind]}
                sums = itertools.accumulate(row[4] for row in found["slices"])
                exact += sum(total in (1600, 2000, 2400) for total in sums)
            back = plain.clawbacks(tables, rules, (2025, number), YEAR_END)
            causes |= {(row[3], row[4] == (2025, number)) for row in back if row[-1]}

    assert kinds == {"gate", "cap"}
    assert tiers == {None, 0, 1, 2, 3}
    assert causes == {("refund", True), ("refund", False), ("unwon", False)}
    assert exact > 10


def test_credit_is_conserved_and_every_amount_has_its_reason(company, tmp_path):
    """
    What is credited to people, with and without a plan, and to nobody is what was booked, to the cent.
    """
    tables, store = company
    process = process_of(tmp_path, [BASE])
    with crm.observe(store, YEAR_END) as seen:
        for number in (1, 2, 3, 4):
            table = incentives.accounting(seen, process, period(f"2025-Q{number}", as_of=YEAR_END))

            rises, _ = plain.counted(tables, [BASE], YEAR_END)
            booked = [rise for rise in rises if plain.quarter(rise["day"]) == (2025, number)]
            sums = table[~table["reason"].isin(["not_won", "no_amount"])]["amount"].sum()
            assert round(sums * 100) == sum(rise["cents"] for rise in booked)
            lines = incentives.lines(seen, process, period(f"2025-Q{number}", as_of=YEAR_END))
            slices = lines[lines["kind"] == "slice"]["amount_cents"].sum()
            own = table[table["reason"].isin(["counted", "no_quota"])]["amount"].sum()
            assert round(own * 100) == slices


def test_payouts_are_the_sums_of_their_lines(company, tmp_path):
    """
    To the cent: gross + gate + cap + clawback = payout, and all payouts together are all lines together.
    """
    _, store = company
    process = process_of(tmp_path, RULES["booked"])
    with crm.observe(store, YEAR_END) as seen:
        when = period("2025-Q3", as_of=YEAR_END)
        lines, table = (
            incentives.lines(seen, process, when),
            incentives.payouts(seen, process, when),
        )

        parts = table[["gross", "gate", "cap", "clawback"]].sum(axis=1).mul(100).round()
        assert parts.tolist() == table["payout_cents"].tolist()
        assert table["payout_cents"].sum() == lines["pay_cents"].sum()
        for by in ("plan", "team"):
            assert (
                round(incentives.cost(table, by=by)["payout"].sum() * 100)
                == lines["pay_cents"].sum()
            )
        slices = lines[lines["kind"] == "slice"]["pay_cents"].sum()
        assert round(incentives.cost_by_tier(lines)["pay"].sum() * 100) == slices


# Worked out by hand.


def deal(deal_id, amount, won_on, *, owner="ann", undone_on=None, won_again_on=None, **more):
    """Rows of one deal, created on New Year's Day and won on a day."""
    path = [("Offer", "2025-01-01"), ("Won", won_on), ("Offer", undone_on), ("Won", won_again_on)]
    path = [(stage, f"{day} 10:00:00") for stage, day in path if day]
    stage, at = path[-1]
    row = {
        "deal_id": deal_id,
        "created_at": "2025-01-01 09:00:00",
        "owner": owner,
        "amount": amount,
    }
    row |= {
        "status": "won" if stage == "Won" else "open",
        "closed_at": at if stage == "Won" else "",
    }
    events = [{"deal_id": deal_id, "stage": stage, "entered_at": at} for stage, at in path]
    return row | {"stage": stage} | more, events


def people(*rows):
    return [
        {"person_id": name, "name": name.title(), "team": "T", "role": "rep", "hired_on": hired, "left_on": left}
        for name, hired, left in rows
    ]  # fmt: skip


def quota(person, value, quarter=2):
    first = datetime.date(2025, 3 * quarter - 2, 1)
    last = plain.last_day((2025, quarter))
    return {"holder_type": "person", "holder_id": person, "period_start": first.isoformat(),
            "period_end": last.isoformat(), "measure": "amount", "value": value}  # fmt: skip


ANN = people(("ann", "", ""))


@pytest.fixture
def pay(see, tmp_path):
    """Lines and payouts of a quarter for a few deals; the store as it was loaded from their rows."""

    def _pay(deals, plans, *, when="2025-Q2", as_of="2025-12-31", staff=ANN, **tables):
        rows, events = zip(*deals, strict=True)
        tables = {"people": staff, "quotas": [quota("ann", "1000.00")]} | tables
        made = {"deals": list(rows), "stage_events": [e for own in events for e in own]}
        seen = see(made | {"stages": STAGES} | {k: v for k, v in tables.items() if v}, as_of)
        process = process_of(tmp_path, plans)
        then = period(when, as_of=seen.as_of)
        return incentives.lines(seen, process, then), incentives.payouts(seen, process, then)

    return _pay


@pytest.mark.parametrize(
    ("amount", "slices"),
    [
        ("799.99", [(0, 799.99, 16.00)]),  # 15.9998
        ("800.00", [(0, 800.00, 16.00)]),
        ("800.01", [(0, 800.00, 16.00), (0.8, 0.01, 0.00)]),  # 0.0003
        ("999.99", [(0, 800.00, 16.00), (0.8, 199.99, 6.00)]),  # 5.9997
        ("1000.00", [(0, 800.00, 16.00), (0.8, 200.00, 6.00)]),
        ("1000.01", [(0, 800.00, 16.00), (0.8, 200.00, 6.00), (1.0, 0.01, 0.00)]),
        ("1199.99", [(0, 800.00, 16.00), (0.8, 200.00, 6.00), (1.0, 199.99, 10.00)]),  # 9.9995
        (
            "1200.10",
            [(0, 800, 16.00), (0.8, 200, 6.00), (1.0, 200, 10.00), (1.2, 0.10, 0.01)],
        ),  # 0.0065
    ],
)
def test_a_deal_is_cut_exactly_at_the_steps(pay, amount, slices):
    """
    One cent below, at and above each step of a quota of 1,000: 2 % to 800, 3 % to 1,000, 5 % to 1,200, then 6.5 %.
    """
    lines, _ = pay([deal("1", amount, "2025-05-05")], [BASE])

    assert lines[["tier", "amount", "pay"]].values.tolist() == [list(row) for row in slices]


@pytest.mark.parametrize(
    ("amount", "pays"), [("99.99", 1.50), ("100.00", 2.50), ("100.01", 2.50), ("249.99", 6.25), ("250", 10)]
)  # fmt: skip
def test_a_retroactive_tier_holds_from_the_step_on(pay, amount, pays):
    """
    1.5 % of all below 100, 2.5 % of all from 100 on, 4 % of all from 250 on: 99.99 pays 1.49985, 249.99 pays 6.24975.
    """
    tiers = [{"above": 0, "rate": 1.5}, {"above": 100, "rate": 2.5}, {"above": 250, "rate": 4}]
    plan = BASE | {"measured_on": "amount", "tiers_are": "retroactive", "tiers": tiers}

    _, table = pay([deal("1", amount, "2025-05-05")], [plan], quotas=None)

    assert table["payout"].tolist() == [pays]


def test_a_step_between_two_cents_is_rounded_to_a_cent(pay):
    """
    80 % of a quota of 33.33 are 26.664: the step is at 26.66.
    """
    lines, _ = pay([deal("1", "30.00", "2025-05-05")], [BASE], quotas=[quota("ann", "33.33")])

    assert lines[["step", "amount"]].values.tolist() == [[0, 26.66], [26.66, 3.34]]


def test_lines_follow_each_other_by_day_then_deal(pay):
    """
    The deal won first fills the low tier, of two on one day the one with the smaller id; the third is accelerated.
    """
    deals = [
        deal("B", "500.00", "2025-06-02", segment="big"),
        deal("A", "500.00", "2025-06-02"),
        deal("C", "300.00", "2025-04-01"),
    ]
    plan = BASE | {"accelerators": [{"field": "segment", "value": "big", "factor": 1.2}]}

    lines, _ = pay(deals, [plan])

    assert lines[["deal_id", "amount", "rate", "factor", "pay"]].values.tolist() == [
        ["C", 300, 0.02, 1, 6.00],
        ["A", 500, 0.02, 1, 10.00],
        ["B", 200, 0.03, 1.2, 7.20],
        ["B", 200, 0.05, 1.2, 12.00],
        ["B", 100, 0.065, 1.2, 7.80],
    ]


def test_several_accelerators_multiply(pay):
    """
    1.2 × 0.5 × 2 % of 100 are 1.20.
    """
    two = [("segment", "big", 1.2), ("product", "X", 0.5), ("region", "far", 9)]
    plan = BASE | {"accelerators": [dict(zip(("field", "value", "factor"), one)) for one in two]}  # noqa: B905

    lines, _ = pay(
        [deal("1", "100.00", "2025-05-05", segment="big", product="X", region="near")], [plan]
    )

    assert lines[["factor", "pay"]].values.tolist() == [[0.6, 1.20]]


def test_a_split_loses_no_cent(pay):
    """
    100.01 in thirds: 33.34, 33.34, 33.33; a share of the deal that nobody holds is nobody's, overlay is no credit.
    """
    staff = people(("ann", "", ""), ("bob", "", ""), ("cy", "", ""))
    rows = [
        {"deal_id": "1", "person_id": name, "share": "0.33333", "type": "revenue"}
        for name in ("ann", "bob", "cy")
    ]
    rows += [{"deal_id": "1", "person_id": "bob", "share": "1", "type": "overlay"}]
    rows += [{"deal_id": "2", "person_id": "ann", "share": "0.8", "type": "revenue"}]
    deals = [deal("1", "100.01", "2025-05-05"), deal("2", "10.00", "2025-05-06")]

    lines, _ = pay(deals, [BASE], staff=staff, credits=rows)

    one, two = (lines[lines["deal_id"] == name] for name in "12")
    assert dict(zip(one["person"], one["amount"], strict=True)) == {
        "ann": 33.34,
        "bob": 33.34,
        "cy": 33.33,
    }
    assert one["others_share"].round(6).tolist() == [0.666667] * 3
    assert two[["person", "amount", "share", "others_share"]].values.tolist() == [
        ["ann", 8.0, 0.8, 0.0]
    ]


def test_splits_by_owner_give_all_to_who_owned_it_at_winning(pay):
    """
    The one who has it now, and those with credit, get nothing.
    """
    staff = people(("ann", "", ""), ("bob", "", ""))
    rows = [{"deal_id": "1", "person_id": "bob", "share": "1", "type": "revenue"}]
    owners = [
        {"deal_id": "1", "owner": "ann", "valid_from": "2025-01-01 09:00:00"},
        {"deal_id": "1", "owner": "bob", "valid_from": "2025-05-06 09:00:00"},
    ]
    deals = [deal("1", "100.00", "2025-05-05", owner="bob")]

    lines, _ = pay(
        deals, [BASE | {"splits": "owner"}], staff=staff, credits=rows, owner_history=owners
    )

    assert lines[["person", "amount"]].values.tolist() == [["ann", 100.0]]


@pytest.mark.parametrize(
    ("hired", "left", "quota_", "days"),
    [
        ("2025-05-17", "", 494.51, 45),  # 45 of the 91 days: 1000 × 45 / 91 = 494.505…
        ("", "2025-04-30", 329.67, 30),
        ("2025-06-30", "", 10.99, 1),
        ("2024-01-01", "2025-07-15", 1000.00, 91),  # left after the quarter
    ],
)
def test_steps_go_by_the_days_employed(pay, hired, left, quota_, days):
    """
    Who joins or leaves in the quarter has a quota, and so steps, for the days there.
    """
    _, table = pay([deal("1", "5.00", "2025-06-30")], [BASE], staff=people(("ann", hired, left)))

    assert table[["quota", "days"]].values.tolist() == [[quota_, days]]


def test_the_quota_of_a_running_quarter_is_that_of_all_its_days(pay):
    """
    Six weeks into the quarter 120 % is still counted from the whole quota.
    """
    deals = [deal("1", "900.00", "2025-04-05"), deal("2", "900.00", "2025-06-05")]

    _, table = pay(deals, [BASE], as_of="2025-05-15")

    assert table[["amount", "quota", "attainment", "missing"]].values.tolist() == [
        [900, 1000, 0.9, 100]
    ]


@pytest.mark.parametrize("quotas", [None, [quota("ann", "0")], [quota("bob", "1000.00")]])
def test_without_a_quota_nothing_is_paid_and_it_is_said(pay, quotas):
    """
    Neither without a row nor with a quota of 0 is there a step to measure on; a source without quotas gives no plan.
    """
    lines, table = pay([deal("1", "100.00", "2025-05-05")], [BASE], quotas=quotas)

    if quotas is None:
        assert lines.empty
        assert table.empty
    else:
        assert lines[["cause", "amount", "pay_cents"]].values.tolist() == [["no_quota", 100.0, 0]]
        assert table[["why", "payout"]].values.tolist() == [["no_quota", 0.0]]
        assert table[["quota", "attainment", "tier", "rate", "missing"]].isna().all(axis=None)


def test_adding_a_person_changes_nobody_elses_payout(pay):
    """
    A colleague with a quota and a large deal leaves the others' lines as they are.
    """
    deals = [deal("1", "900.00", "2025-05-05"), deal("2", "300.00", "2025-05-06")]
    alone, _ = pay(deals, RULES["booked"])
    staff = people(("aaron", "", ""), ("ann", "", ""), ("zoe", "", ""))
    more = [*deals, deal("0", "9999.00", "2025-05-01", owner="zoe")]

    lines, _ = pay(
        more, RULES["booked"], staff=staff, quotas=[quota("ann", "1000.00"), quota("zoe", "10")]
    )

    left_out = ["deal_key"]  # counts the deals of the store
    assert (
        lines[lines["person"] == "ann"]
        .reset_index(drop=True)
        .drop(columns=left_out)
        .equals(alone.drop(columns=left_out))
    )


def test_the_rules_of_the_first_day_hold_for_the_whole_period(pay):
    """
    New rates from 15 May begin to pay in the third quarter; before the first version nothing is paid.
    """
    plans = [BASE, BASE | {"from": "2025-05-15", "tiers": [{"above": 0, "rate": 10}]}]
    plans[0] = plans[0] | {"from": "2025-04-01"}
    deals = [
        deal(str(n), "100.00", f"2025-{month}-20") for n, month in enumerate(("03", "06", "08"))
    ]
    quotas = [quota("ann", "1000.00", quarter) for quarter in (1, 2, 3)]

    sums = {
        when: pay(deals, plans, when=when, quotas=quotas)[1]["payout"].tolist()
        for when in ("2025-Q1", "2025-Q2", "2025-Q3")
    }

    assert sums == {"2025-Q1": [], "2025-Q2": [2.00], "2025-Q3": [10.00]}


def visits(n, person="ann", month="05"):
    return [
        {"activity_id": f"{person}{month}{k}", "rep": person, "type": "visit", "created_at": f"2025-{month}-02 08:00:00",
         "done_at": f"2025-{month}-{k + 3:02d} 09:00:00"}
        for k in range(n)
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("n", "least", "gate"),
    [(2, 45, -20.00), (3, 45, 0), (2, 92, 0)],  # 2 in three months are 0.67 a month, 3 are 1.0
)
def test_a_gate_closes_only_below_its_criterion_and_with_evidence(see, tmp_path, n, least, gate):
    """
    Below 0.7 visits a month 80 % of 100.00 is paid; where 91 days are too little to judge, all of it is.
    """
    row, events = deal("1", "5000.00", "2025-05-05")
    tables = {"deals": [row], "stage_events": events, "stages": STAGES, "people": ANN}
    seen = see(tables | {"activities": visits(n)}, "2025-12-31")
    plan = BASE | {"measured_on": "amount", "tiers": TIERS[:1], "gates": [VISITS]}
    process = process_of(tmp_path, [plan], least=least)
    when = period("2025-Q2", as_of=seen.as_of)

    lines, table = incentives.lines(seen, process, when), incentives.payouts(seen, process, when)
    judged = incentives.gates(seen, process, when)

    assert table[["gross", "gate", "payout"]].values.tolist() == [[100, gate, 100 + gate]]
    assert judged[["kpi", "at_least", "pays", "is_judged", "is_below"]].values.tolist() == [
        ["visits", 0.7, 0.8, least == 45, gate < 0]
    ]
    assert judged["value"].round(2).tolist() == [{2: 0.67, 3: 1.0}[n]]
    if gate:
        closed = lines[lines["kind"] == "gate"]
        assert closed[["cause", "limit", "rate", "pay"]].values.tolist() == [
            ["visits", 0.7, 0.8, -20]
        ]


def test_a_gate_is_open_at_its_criterion(pay):
    """
    At least 0 visits a month, and none was made: that is not below it.
    """
    plan = TEN_PERCENT | {"gates": [VISITS | {"at_least": 0}]}

    lines, _ = pay([deal("1", "100.00", "2025-05-05")], [plan], activities=visits(1, person="bob"))

    assert lines[["kind", "pay"]].values.tolist() == [["slice", 10.0]]


def test_gates_come_before_the_cap(pay):
    """
    Of 100.00 a gate leaves 80.00, the cap of 70 takes 10.00 more; two gates leave 80 % of 80 %.
    """
    plan = BASE | {"measured_on": "amount", "tiers": TIERS[:1], "cap": 70, "gates": [VISITS]}
    deals = [deal("1", "5000.00", "2025-05-05")]

    lines, _ = pay(deals, [plan], quotas=None, activities=visits(1))
    twice, _ = pay(
        deals, [plan | {"gates": [VISITS, VISITS], "cap": 64}], quotas=None, activities=visits(1)
    )

    assert lines[["kind", "pay"]].values.tolist() == [["slice", 100], ["gate", -20], ["cap", -10]]
    assert lines["day"].tolist()[1:] == [datetime.datetime(2025, 6, 30)] * 2
    assert twice[["kind", "pay"]].values.tolist() == [["slice", 100], ["gate", -20], ["gate", -16]]


TEN_PERCENT = BASE | {"measured_on": "amount", "tiers": [{"above": 0, "rate": 10}]}
BACK = TEN_PERCENT | {"clawback": {"days": 90, "when": ["refund", "unwon"]}}


def paid(*parts):
    return [
        {"deal_id": deal_id, "paid_on": day, "amount": amount} for deal_id, day, amount in parts
    ]


def test_a_refund_of_less_than_half_a_cent_takes_back_nothing_at_no_rate(pay):
    """
    0.01 back of 400.00, of which ann has 30 %: 0.3 of a cent is none, and nothing of nothing is no rate.
    """
    shares = [
        {"deal_id": "1", "person_id": person, "share": share, "type": "revenue"}
        for person, share in (("ann", "0.3"), ("bob", "0.7"))
    ]
    payments = paid(("1", "2025-06-01", "400.00"), ("1", "2025-07-10", "-0.01"))

    lines, _ = pay(
        [deal("1", "400.00", "2025-05-05")],
        [BACK],
        when="2025-Q3",
        payments=payments,
        credits=shares,
    )

    row = lines.set_index("person").loc["ann"]
    assert (row["kind"], row["amount_cents"], row["pay_cents"]) == ("clawback", 0, 0)
    assert pd.isna(row["rate"])


def test_a_refund_takes_back_its_share_of_what_was_paid(pay):
    """
    400.00 won in May pay 40.00, of which a cap of 30 leaves 30.00; 100.00 back in July take 7.50, in August the rest
    would take 22.50, but by then more than 90 days are over.
    """
    deals = [deal("1", "400.00", "2025-05-05")]
    payments = paid(
        ("1", "2025-06-01", "400.00"),
        ("1", "2025-07-10", "-100.00"),
        ("1", "2025-08-04", "-300.00"),
    )

    lines, table = pay(deals, [BACK | {"cap": 30}], when="2025-Q3", payments=payments)

    assert lines[
        ["kind", "cause", "day", "of_period", "back_share", "amount", "rate", "pay"]
    ].values.tolist() == [
        ["clawback", "refund", datetime.datetime(2025, 7, 10), "2025-Q2", 0.25, -100, 0.075, -7.50]
    ]
    assert table[["gross", "clawback", "payout"]].values.tolist() == [[0, -7.50, -7.50]]


def test_refunds_follow_each_other_and_the_rest_is_taken_back_when_it_is_undone(pay):
    """
    A quarter of 400.00 goes back twice, then the deal is undone: 10.00, 10.00 and the 20.00 that are left.
    """
    payments = paid(
        ("1", "2025-06-01", "400.00"),
        ("1", "2025-07-10", "-100.00"),
        ("1", "2025-07-20", "-100.00"),
    )

    lines, _ = pay(
        [deal("1", "400.00", "2025-05-05", undone_on="2025-08-01")],
        [BACK],
        when="2025-Q3",
        payments=payments,
    )

    assert lines[["cause", "back_share", "amount", "pay"]].values.tolist() == [
        ["refund", 0.25, -100.0, -10.0], ["refund", 0.25, -100.0, -10.0], ["unwon", 0.5, -200.0, -20.0]
    ]  # fmt: skip


@pytest.mark.parametrize(("day", "back"), [("2025-08-03", -40.0), ("2025-08-04", 0)])
def test_a_deal_that_is_no_longer_won_takes_back_all_within_the_days(pay, day, back):
    """
    On the ninetieth day after winning, not on the next one.
    """
    lines, _ = pay([deal("1", "400.00", "2025-05-05", undone_on=day)], [BACK], when="2025-Q3")

    assert lines["pay"].sum() == back
    assert set(lines["cause"]) == ({"unwon"} if back else set())


def test_the_statement_of_a_quarter_stays_as_it_was(pay):
    """
    A deal undone in July was won at the end of June: the second quarter pays it, the third takes it back.
    """
    deals = [deal("1", "400.00", "2025-05-05", undone_on="2025-07-02")]

    sums = [pay(deals, [BACK], when=when)[1]["payout"].sum() for when in ("2025-Q2", "2025-Q3")]

    assert sums == [40.0, -40.0]


def test_won_and_undone_in_one_quarter_pays_nothing(pay):
    """
    At the end of the quarter it is not won, so there is neither a slice nor anything to take back.
    """
    lines, table = pay([deal("1", "400.00", "2025-05-05", undone_on="2025-06-30")], [TEN_PERCENT])

    assert lines.empty
    assert table["payout"].tolist() == [0]


@pytest.mark.parametrize(("plan", "again"), [(TEN_PERCENT, 0), (BACK, 40.0)])
def test_a_deal_won_again_is_not_paid_twice(pay, plan, again):
    """
    What the first win was paid and keeps is not paid again; what was taken back is.
    """
    deals = [deal("1", "400.00", "2025-05-05", undone_on="2025-07-02", won_again_on="2025-08-01")]

    lines, _ = pay(deals, [plan], when="2025-Q3")

    assert lines[lines["kind"] == "slice"]["pay"].sum() == again
    assert lines["pay"].sum() == 0


def test_a_refund_after_the_deal_was_undone_still_counts(pay):
    """
    Where only refunds take back, the customer's money comes back after the deal was undone.
    """
    plan = TEN_PERCENT | {"clawback": {"days": 90, "when": ["refund"]}}
    payments = paid(("1", "2025-06-01", "400.00"), ("1", "2025-07-10", "-200.00"))

    lines, _ = pay(
        [deal("1", "400.00", "2025-05-05", undone_on="2025-07-02")],
        [plan],
        when="2025-Q3",
        payments=payments,
    )

    assert lines[["cause", "pay"]].values.tolist() == [["refund", -20.0]]


def test_a_refund_after_the_deal_was_won_again_takes_back_the_first_win(pay):
    """
    Where only refunds take back, the first win still stands when the deal is won again, and the refund is its.
    """
    plan = TEN_PERCENT | {"clawback": {"days": 180, "when": ["refund"]}}
    payments = paid(("1", "2025-06-01", "400.00"), ("1", "2025-09-10", "-100.00"))
    deals = [deal("1", "400.00", "2025-05-05", undone_on="2025-07-02", won_again_on="2025-08-01")]

    lines, _ = pay(deals, [plan], when="2025-Q3", payments=payments)

    assert lines[["kind", "cause", "spell", "pay"]].values.tolist() == [
        ["clawback", "refund", 1, -10.0]
    ]


def test_money_paid_too_much_and_returned_takes_nothing_back(pay):
    """
    450.00 paid for 400.00, 50.00 returned: the customer still pays the whole deal.
    """
    payments = paid(("1", "2025-05-20", "450.00"), ("1", "2025-06-01", "-50.00"))

    lines, _ = pay([deal("1", "400.00", "2025-05-05")], [BACK], payments=payments)

    assert lines[["kind", "pay"]].values.tolist() == [["slice", 40.0]]


def test_on_the_paid_basis_the_money_counts_as_it_comes(pay):
    """
    A deposit counts on the day of winning, the excess not at all; a refund is a clawback, not a negative slice.
    """
    plan = BACK | {"basis": "paid"}
    payments = paid(
        ("1", "2025-03-20", "100.00"), ("1", "2025-06-01", "250.00"), ("1", "2025-06-20", "150.00"),
        ("1", "2025-06-25", "-200.00"), ("1", "2025-06-28", "60.00"), ("2", "2025-06-01", "70.00"),
    )  # fmt: skip
    deals = [deal("1", "400.00", "2025-05-05"), deal("2", "70.00", "2025-07-01")]

    lines, _ = pay(deals, [plan], payments=payments)

    lines["of_day"] = lines["of_day"].dt.strftime("%Y-%m-%d").fillna("")
    lines["day"] = lines["day"].dt.strftime("%Y-%m-%d")
    assert lines[["kind", "day", "of_day", "amount", "pay"]].values.tolist() == [
        ["slice", "2025-05-05", "", 100.0, 10.0],
        ["slice", "2025-06-01", "", 250.0, 25.0],
        ["slice", "2025-06-20", "", 50.0, 5.0],
        ["slice", "2025-06-28", "", 60.0, 6.0],
        ["clawback", "2025-06-25", "2025-05-05", -25.0, -2.5],  # 100 of 400 go back
        ["clawback", "2025-06-25", "2025-06-01", -62.5, -6.25],
        ["clawback", "2025-06-25", "2025-06-20", -12.5, -1.25],
    ]


def test_who_has_left_still_gives_back(pay):
    """
    Ann left in June; the deal is undone in July: a line of hers, though she has no plan in that quarter any more.
    """
    staff = people(("ann", "", "2025-06-10"), ("bob", "", ""))

    _, table = pay(
        [deal("1", "400.00", "2025-05-05", undone_on="2025-07-02")],
        [BACK],
        when="2025-Q3",
        staff=staff,
    )

    assert table[["person", "name", "payout", "why", "gross"]].values.tolist() == [
        ["bob", "Bob", 0.0, "", 0.0],
        ["ann", "Ann", -40.0, "left", 0.0],
    ]


def test_two_plans_of_a_role_are_paid_side_by_side(pay, tmp_path):
    """
    Each plan has its own lines, and a person one row of each.
    """
    bonus = TEN_PERCENT | {
        "id": "bonus",
        "accelerators": [{"field": "segment", "value": "big", "factor": 2}],
    }

    lines, table = pay([deal("1", "100.00", "2025-05-05", segment="big")], [BASE, bonus])

    assert lines[["plan", "pay"]].values.tolist() == [["commission", 2.0], ["bonus", 20.0]]
    assert table[["plan", "payout"]].values.tolist() == [["bonus", 20.0], ["commission", 2.0]]


def test_an_amount_below_zero_goes_back_through_the_tiers(pay):
    """
    900.00 and then −200.00: the second one takes back 100.00 at 3 % and 100.00 at 2 %.
    """
    lines, _ = pay([deal("1", "900.00", "2025-05-05"), deal("2", "-200.00", "2025-05-06")], [BASE])

    assert lines[["tier", "amount", "pay"]].values.tolist() == [
        [0, 800, 16], [0.8, 100, 3], [0.8, -100, -3], [0, -100, -2],
    ]  # fmt: skip


def test_what_is_missing_to_the_next_step(pay):
    """
    950.00 of 1,000.00: 50.00 to the step at 100 %, which is 5 % of it; a retroactive plan would pay 2 % of 950 more.
    """
    deals = [deal("1", "950.00", "2025-05-05")]
    _, marginal = pay(deals, [BASE])
    _, jump = pay(deals, [BASE | {"tiers_are": "retroactive"}])

    near = incentives.near_a_step(marginal, within=0.05)

    asked = ["next_tier", "next_step", "missing", "missing_share", "jump"]
    assert near[asked].values.tolist() == [[1.0, 1000, 50, 0.05, 0]]
    assert near["rate_gain"].round(12).tolist() == [0.02]
    assert jump["jump"].tolist() == [19.0]
    assert incentives.near_a_step(marginal, within=0.049).empty


def test_at_the_last_step_there_is_no_next_one(pay):
    """
    Beyond 120 % nothing is missing.
    """
    _, table = pay([deal("1", "1200.00", "2025-05-05")], [BASE])

    assert table[["tier", "rate"]].values.tolist() == [[1.2, 0.065]]
    assert table[["next_tier", "next_step", "missing", "jump"]].isna().all(axis=None)
    assert incentives.near_a_step(table, within=1).empty


def test_cost_by_team_and_tier(pay):
    """
    Ann's 900.00 pay 19.00 and Bob's 100.00 pay 2.00: 2.1 % of 1,000.00.
    """
    staff = people(("ann", "", ""), ("bob", "", ""), ("cy", "", ""))
    staff[1]["team"] = "U"
    deals = [deal("1", "900.00", "2025-05-05"), deal("2", "100.00", "2025-05-05", owner="bob")]
    quotas = [quota(name, "1000.00") for name in ("ann", "bob", "cy")]

    lines, table = pay(deals, [BASE], staff=staff, quotas=quotas)

    asked = ["group", "n_people", "n_paid", "amount", "payout", "payout_share"]
    assert incentives.cost(table, by="team")[asked].values.tolist() == [
        ["T", 2, 1, 900, 19, 19 / 900],
        ["U", 1, 1, 100, 2, 0.02],
    ]
    assert incentives.cost(table, by="plan")[asked].values.tolist() == [
        ["commission", 3, 2, 1000, 21, 0.021]
    ]
    assert incentives.cost_by_tier(lines).values.tolist() == [
        ["commission", 0.0, 0.02, 2, 2, 900, 18, 18 / 21],
        ["commission", 0.8, 0.03, 1, 1, 100, 3, 3 / 21],
    ]
    with pytest.raises(ParameterError, match="by must be plan or team, found 'owner'"):
        incentives.cost(table, by="owner")


def test_what_if_pays_the_same_period_by_other_rules(see, tmp_path):
    """
    10 % instead of 2 % of 100.00 are 8.00 more; the same rules change nothing.
    """
    row, events = deal("1", "100.00", "2025-05-05")
    seen = see(
        {"deals": [row], "stage_events": events, "stages": STAGES, "people": ANN}
        | {"quotas": [quota("ann", "1000.00")]},
        "2025-12-31",
    )
    process, other = (process_of(tmp_path, [plan]) for plan in (BASE, TEN_PERCENT))
    when = period("2025-Q2", as_of=seen.as_of)

    table = incentives.what_if(seen, process, other, when)

    asked = ["person", "payout", "other_payout", "difference"]
    assert table[asked].values.tolist() == [["ann", 2.0, 10.0, 8.0]]
    assert incentives.what_if(seen, process, process, when)["difference"].tolist() == [0.0]
    paid_plan = process_of(tmp_path, [TEN_PERCENT | {"basis": "paid"}])
    assert incentives.what_if(seen, process, paid_plan, when).empty
    assert "payments" in incentives.why_not(seen, paid_plan, when)
    assert incentives.lines(seen, paid_plan, when).empty


def test_what_a_plan_needs_is_named(see, tmp_path):
    """
    Before the first version, and where the source has no quotas, the reason is said.
    """
    row, events = deal("1", "100.00", "2025-05-05")
    seen = see({"deals": [row], "stage_events": events, "stages": STAGES}, "2025-12-31")
    quarter = period("2025-Q2", as_of=seen.as_of)
    late = process_of(tmp_path, [BASE | {"from": "2025-09-01"}])
    ended = process_of(tmp_path, [BASE | {"until": "2025-03-31"}])

    assert incentives.why_not(seen, late, quarter) == (
        "no incentive plan of the process file is in force on 2025-04-01; the first begins on 2025-09-01"
    )
    assert incentives.why_not(seen, ended, quarter) == (
        "no incentive plan of the process file is in force on 2025-04-01"
    )
    assert "quotas" in incentives.why_not(seen, process_of(tmp_path, [BASE]), quarter)
    assert incentives.why_not(seen, process_of(tmp_path, [TEN_PERCENT]), quarter) is None
    assert incentives.payouts(seen, late, quarter).empty
    assert incentives.gates(seen, late, quarter).empty
    assert incentives.accounting(seen, late, quarter).empty
    money = incentives.payouts(seen, process_of(tmp_path, [TEN_PERCENT]), quarter)
    assert money[["person", "payout"]].values.tolist() == [
        ["ann", 10.0]
    ]  # the owner, without a list of people


def test_a_statement_holds_only_the_own_rows(company, tmp_path):
    """
    Nobody else's id or name is left in any table; of a shared deal only the others' share together.
    """
    _, store = company
    process = process_of(tmp_path, RULES["booked"])
    with crm.observe(store, YEAR_END) as seen:
        when = period("2025-Q2", as_of=YEAR_END)
        tables = [
            make(seen, process, when)
            for make in (incentives.lines, incentives.payouts, incentives.gates)
        ]
        person = incentives.person(seen, process, when, "")
        names = kpis.members(seen, process, when).set_index("person")["name"]

        assert person == tables[1]["person"].iloc[0]
        for table in tables:
            own = incentives.own(table, person)
            found = set(own.astype(str).to_numpy().ravel())
            others = (
                set(names.drop(person, errors="ignore")) | set(names.index) - {person} | {"ghost"}
            )
            assert len(own)
            assert not found & others


def test_wrong_people_and_teams_are_refused(see, tmp_path):
    """
    The message says how many people there are, and names no one; who is known but has no plan is no mistake.
    """
    row, events = deal("1", "100.00", "2025-05-05")
    staff = people(("ann", "", ""), ("bob", "2025-08-01", ""))
    tables = {"deals": [row], "stage_events": events, "stages": STAGES, "people": staff}
    seen = see(tables, "2025-12-31")
    process, when = process_of(tmp_path, [TEN_PERCENT]), period("2025-Q2", as_of=seen.as_of)
    table = incentives.payouts(seen, process, when)

    with pytest.raises(ParameterError, match=r"found 'eve'; the source knows 2 people"):
        incentives.person(seen, process, when, "eve")
    with pytest.raises(ParameterError, match=r"found 'X'; there are: T"):
        incentives.of_team(table, "X")
    assert [incentives.person(seen, process, when, rep) for rep in ("ann", "bob", "")] == [
        "ann",
        "bob",
        "ann",
    ]
    assert incentives.own(table, "bob").empty
    assert incentives.of_team(table, "T")["person"].tolist() == ["ann"]
    assert incentives.of_team(table, "") is table


def test_where_the_amounts_went(pay, see, tmp_path):
    """
    Counted, without a quota, of people of another role, of nobody, undone in the quarter, without an amount.
    """
    staff = people(("ann", "", ""), ("bob", "", ""), ("eve", "", ""))
    staff[2]["role"] = "boss"
    deals = [
        deal("1", "100.00", "2025-05-05"),
        deal("2", "10.00", "2025-05-05", owner="bob"),
        deal("3", "20.00", "2025-05-05", owner="eve"),
        deal("4", "30.00", "2025-05-05"),
        deal("5", "40.00", "2025-05-05", undone_on="2025-06-01"),
        deal("6", "", "2025-05-05"),
        deal("7", "50.00", "2025-05-05", owner=""),
        deal("8", "60.00", "2025-05-05", undone_on="2025-07-15"),  # still won at the end of June
        deal("9", "70.00", "2025-05-05"),  # credited to 120 %
    ]
    rows, events = zip(*deals, strict=True)
    seen = see(
        {"deals": list(rows), "stage_events": [e for own in events for e in own], "stages": STAGES}
        | {"people": staff, "quotas": [quota("ann", "1000.00")]}
        | {
            "credits": [
                {"deal_id": deal_id, "person_id": person, "share": share, "type": "revenue"}
                for deal_id, person, share in (
                    ("4", "ann", "0.9"),
                    ("9", "ann", "0.8"),
                    ("9", "bob", "0.4"),
                )
            ]
        },
        "2025-12-31",
    )

    table = incentives.accounting(
        seen, process_of(tmp_path, [BASE]), period("2025-Q2", as_of=seen.as_of)
    )

    found = {row.reason: (row.n_deals, row.amount) for row in table.itertuples()}
    assert found.pop("no_amount")[0] == 1
    assert found == {
        "counted": (4, 243.0), "no_quota": (2, 38.0), "other_people": (1, 20.0), "nobody": (3, 39.0),
        "not_won": (1, 40.0),
    }  # fmt: skip


@pytest.mark.parametrize("seed", range(50))
def test_a_split_conserves_and_differs_by_less_than_a_cent(seed):
    """
    The parts sum to the whole, each within a cent of its share; equal shares differ by a cent at most.
    """
    rng = random.Random(seed)
    weights = [rng.randint(1, 5) for _ in range(rng.randint(1, 7))]
    shares = [Fraction(weight, sum(weights)) for weight in weights]
    cents = rng.choice([0, 1, -1, rng.randint(-(10**6), 10**9)])

    parts = incentives.split(cents, shares)

    assert sum(parts) == cents
    assert all(abs(part - cents * share) < 1 for part, share in zip(parts, shares, strict=True))


def test_credit_is_that_of_the_other_reports(company, tmp_path):
    """
    Of deals won once and still won the amounts are those of `credit.credited`, to the cent of each person.
    """
    _, store = company
    with crm.observe(store, YEAR_END) as seen:
        once = seen.frame(
            "SELECT deal_key FROM won_spells GROUP BY 1 HAVING count(*) = 1 AND count(unwon_on) = 0"
        )["deal_key"]
        ids = seen.frame("SELECT deal_key, deal_id FROM details").set_index("deal_key")["deal_id"]
        table = credit.credited(seen)
        table = table[table["deal_key"].isin(once) & table["person"].str.startswith("p")]
        process = process_of(tmp_path, [BASE], extra=[BASE | {"id": "bosses", "role": "boss"}])
        for number in (1, 2, 3, 4):
            when = period(f"2025-Q{number}", as_of=YEAR_END)
            there = set(kpis.members(seen, process, when)["person"])
            own = table[(table["won_on"].dt.quarter == number) & table["person"].isin(there)]
            lines = incentives.lines(seen, process, when)

            found = lines[(lines["kind"] == "slice") & lines["deal_key"].isin(once)]
            found = found.groupby(["person", "deal_id"])["amount"].sum()
            wanted = own.assign(deal_id=own["deal_key"].map(ids))
            wanted = wanted.set_index(["person", "deal_id"])["amount"]
            assert found.index.tolist() == sorted(wanted.index)
            assert ((found - wanted).abs() < 0.01).all()
