"""
The audit of a KPI set: nothing is flagged in a sound set, and a planted fault is found, it and no other.
"""

import datetime

import numpy as np
import pandas as pd
import pytest
from processes import card, kpi, process

from salesanalysis import crm
from salesanalysis.metrics import kpi_audit
from salesanalysis.metrics.periods import period

FIRST = datetime.date(2026, 4, 1)
N = 80  # people, in ten teams
KINDS = {"calls": "process", "sold": "result", "asked": "customer", "helped": "team"}


class Made:
    """A set of KPIs with the frames that the audit reads; a test spoils one thing of it."""

    def __init__(self, seed=3, kinds=KINDS):
        self.rng = np.random.default_rng(seed)
        n = len(kinds)
        self.kpis = {
            name: kpi(name, kind=kind, weight=1 / n, begins=datetime.date(2026, 1, 1))
            for name, kind in kinds.items()
        }
        self.value = {name: self.rng.uniform(0.12, 0.85, N) for name in kinds}
        self.half_width = dict.fromkeys(kinds, 0.02)
        self.halves = {}
        self.pairs = np.ones(N - 1)
        self.leads = True
        self.cap = 100.0
        self.for_pay = set()
        self.team = np.arange(N) % 10

    def change(self, name, **fields):
        """Change one KPI of the set."""
        self.kpis[name] = type(self.kpis[name])(**vars(self.kpis[name]) | fields)

    def now(self):
        """Rows of the period, one per person and KPI."""
        rows = []
        for name, one in self.kpis.items():
            value = self.value[name]
            way = (value - one.floor) / (one.target - one.floor)
            points = 100 * np.clip(way, 0, self.cap / 100)
            rows.append(
                pd.DataFrame(
                    {"person": np.arange(N), "team": self.team, "kpi": name, "value": value,
                     "low": value - self.half_width[name], "high": value + self.half_width[name],
                     "points": points, "is_judged": ~np.isnan(value), "contribution": one.weight * points}
                )
            )  # fmt: skip
        return pd.concat(rows, ignore_index=True)

    def both_halves(self):
        """Odd and even weeks: the same but for a little."""
        parts = []
        for name, value in self.value.items():
            odd, even = self.halves.get(name, (value, value + self.rng.normal(0, 0.02, N)))
            parts.append(
                pd.DataFrame({"kpi": name, "unit": np.arange(N), "odd": odd, "even": even})
            )
        return pd.concat(parts, ignore_index=True)

    def history(self):
        """Four periods: calls lead the result, or both only show who is strong."""
        rng = np.random.default_rng(1)
        skill = rng.normal(0, 1, N)
        made = {name: rng.normal(0, 1, (4, N)) for name in self.kpis}
        if "sold" in made and self.leads:
            made["sold"][1:] += made["calls"][:-1]
        elif "sold" in made:
            made["sold"] += skill
            made["calls"] += skill
        return pd.concat(
            [
                pd.DataFrame(
                    {"person": np.arange(N), "kpi": name, "value": values[number], "is_judged": True,
                     "period": f"2025-Q{number + 1}", "first": pd.Timestamp(2025, 3 * number + 1, 1)}
                )
                for name, values in made.items()
                for number in range(4)
            ],
            ignore_index=True,
        )  # fmt: skip

    def findings(self):
        """The audit of the set."""
        return kpi_audit.findings(
            tuple(self.kpis.values()),
            self.now(),
            history=self.history(),
            halves=self.both_halves(),
            pairs=self.pairs,
            role="rep",
            first=FIRST,
            for_pay=self.for_pay,
            cap=self.cap,
        )


def flagged(made):
    """Tests that flag something, with the KPIs."""
    table = made.findings()
    found = table[table["is_flagged"]]
    return {test: sorted(rows["kpi"]) for test, rows in found.groupby("test")}


SLUGS = {
    *(
        "too_few",
        "no_process",
        "no_customer",
        "no_team",
        "weight",
        "unchanged",
        "reliability",
        "floor",
    ),
    *("ceiling", "heaped", "sample", "redundant", "vif", "influence", "too_many", "one_construct"),
    *("weights", "mirrors_skill"),
}


@pytest.mark.parametrize("seed", [3, 4, 5])
def test_a_sound_set_is_not_flagged(seed):
    """
    Independent KPIs of all kinds with spread, evidence and a lead: every test is made, and none finds a fault.
    """
    table = Made(seed).findings()

    assert set(table["test"]) == SLUGS
    assert table.loc[table["test"] != "heaped", "value"].notna().all()
    assert flagged(Made(seed)) == {}
    verdicts = kpi_audit.verdicts(table)
    assert verdicts["verdict"].tolist() == ["keep"] * 4


def few(made):
    """Two KPIs that between them still see process, customer and team."""
    made.change("calls", weight=0.5)
    made.change("asked", weight=0.5, whose="team")
    made.value["asked"] = (0.2 + 0.06 * np.arange(10))[made.team]
    for name in ("sold", "helped"):
        del made.kpis[name], made.value[name]


def light(made):
    """9 % for one KPI on which people differ more, so that it moves the score as its weight says."""
    made.change("calls", weight=0.09)
    for name in ("sold", "asked", "helped"):
        made.change(name, weight=0.91 / 3)
        made.value[name] = 0.5 + (made.value[name] - 0.5) / 2


def luck(made):
    """Odd and even weeks have nothing in common."""
    made.halves["calls"] = (made.rng.random(N), made.rng.random(N))


def at_floor(made):
    """A fifth of the people lies below the floor."""
    made.value["calls"][:16] = -0.2


def at_ceiling(made):
    """A fifth lies well beyond the target."""
    made.value["calls"][:16] = 1.3


def heap(made):
    """Eight of eighty just reach the target, and none just misses it."""
    made.value["calls"][:8] = np.linspace(1.03, 1.06, 8)


def unsure(made):
    """Intervals as wide as the whole way to the target."""
    made.half_width["calls"] = 0.5


def twin(made):
    """Rank correlation of some .85: below a variance inflation of 5."""
    mixed = made.value["sold"] + 0.6 * made.rng.uniform(-0.36, 0.36, N)
    made.value["calls"] = 0.15 + 0.65 * (mixed - mixed.min()) / np.ptp(mixed)


def follows(made):
    """One KPI is nearly the mean of two others, like neither: all three follow from each other."""
    mean = (made.value["sold"] + made.value["asked"]) / 2
    mean += made.rng.normal(0, 0.03, N)
    made.value["calls"] = 0.15 + 0.65 * (mean - mean.min()) / np.ptp(mean)


def flat(made):
    """Hardly any difference between people."""
    made.value["calls"] = 0.5 + (made.value["calls"] - 0.5) / 8


def alike(correlation):
    """KPIs of which each two correlate exactly so much."""

    def make(made):
        n = len(made.value)
        random = made.rng.normal(0, 1, (N, n))
        apart, _ = np.linalg.qr(random - random.mean(axis=0))
        target = np.full((n, n), correlation) + (1 - correlation) * np.eye(n)
        mixed = apart @ np.linalg.cholesky(target).T
        for name, column in zip(made.value, mixed.T, strict=True):
            made.value[name] = 0.5 + 0.35 * column / np.abs(column).max()

    return make


MANY = KINDS | {"called": "process", "answered": "customer"}


@pytest.mark.parametrize(
    ("kinds", "spoil", "expected"),
    [
        pytest.param(KINDS, few, {"too_few": [""]}, id="too_few"),
        pytest.param(KINDS, lambda m: m.change("calls", kind="result", weight=0.24),
                     {"no_process": [""]}, id="no_process"),
        pytest.param(KINDS, lambda m: m.change("asked", kind="process"), {"no_customer": [""]}, id="no_customer"),
        pytest.param(KINDS, lambda m: m.change("helped", kind="process"), {"no_team": [""]}, id="no_team"),
        pytest.param(KINDS, light, {"weight": ["calls"]}, id="weight"),
        pytest.param(KINDS, lambda m: m.change("calls", begins=datetime.date(2025, 4, 1)),
                     {"unchanged": ["calls"]}, id="unchanged"),
        pytest.param(KINDS, luck, {"reliability": ["calls"]}, id="reliability"),
        pytest.param(KINDS, at_floor, {"floor": ["calls"]}, id="floor"),
        pytest.param(KINDS, at_ceiling, {"ceiling": ["calls"]}, id="ceiling"),
        pytest.param(KINDS, heap, {"heaped": ["calls"]}, id="heaped"),
        pytest.param(KINDS, unsure, {"sample": ["calls"]}, id="sample"),
        pytest.param(KINDS, twin, {"redundant": ["calls"]}, id="redundant"),
        # What nearly is the mean of two others leaves each of the three to follow from the rest.
        pytest.param(KINDS, follows, {"vif": ["asked", "calls", "sold"]}, id="vif"),
        pytest.param(KINDS, flat, {"influence": ["calls"]}, id="influence"),
        pytest.param(MANY, alike(0.65), {"too_many": [""]}, id="too_many"),
        # KPIs so alike that alpha passes .95 cannot amount to half of them: the second finding is implied.
        pytest.param(MANY | {"called2": "process", "called3": "process"}, alike(0.73),
                     {"one_construct": [""], "too_many": [""]}, id="one_construct"),
        pytest.param(KINDS, lambda m: setattr(m, "pairs", np.full(N - 1, 0.5)), {"weights": [""]}, id="weights"),
        pytest.param(KINDS, lambda m: setattr(m, "leads", False),
                     {"mirrors_skill": ["calls"]}, id="mirrors_skill"),
    ],
)  # fmt: skip
def test_a_planted_fault_is_found_and_no_other(kinds, spoil, expected):
    """
    One thing is spoiled, one thing is flagged; where another is implied, the comment says why.
    """
    made = Made(kinds=kinds)
    spoil(made)

    assert flagged(made) == expected


def test_pay_asks_for_more_reliability():
    """
    Halves that correlate at some .75 make .86: enough to compare people, too little for pay.
    """
    made = Made()
    halves = made.value["calls"] + made.rng.normal(0, 0.12, (2, N))
    made.halves["calls"] = tuple(halves)
    paid = Made()
    paid.halves, paid.for_pay = made.halves, {"calls"}

    assert flagged(made) == {}
    assert flagged(paid) == {"reliability": ["calls"]}


def test_the_ceiling_is_the_cap():
    """
    With 120 points at most, 1.1 of the way is not the end of the scale; 1.3 is.
    """
    near, beyond = Made(), Made()
    for made, value in ((near, 1.15), (beyond, 1.3)):
        made.cap = 120.0
        made.value["calls"] = 0.4 + made.value["calls"] / 2
        made.value["calls"][:13] = value

    table = near.findings().set_index(["test", "kpi"])
    assert table.loc[("ceiling", "calls"), "value"] == 0
    assert flagged(near) == {}
    assert flagged(beyond) == {"ceiling": ["calls"]}


def test_whether_all_say_the_same_does_not_depend_on_weights():
    """
    Alpha is that of the points: with other weights it is the same number, and Cronbach's by hand.
    """
    found = []
    for weights in ((0.25, 0.25, 0.25, 0.25), (0.7, 0.1, 0.1, 0.1)):
        made = Made()
        alike(0.6)(made)
        for name, weight in zip(made.kpis, weights, strict=True):
            made.change(name, weight=weight)
        found.append(made.findings().set_index("test").loc["one_construct", "value"])
    points = 100 * np.array(list(made.value.values()))
    alpha = 4 / 3 * (1 - points.var(axis=1, ddof=1).sum() / points.sum(axis=0).var(ddof=1))

    assert found == pytest.approx([alpha, alpha])


def test_lower_is_better_is_turned_round():
    """
    Days of which fewer are better: the same faults on the other side, and no redundancy out of a sign.
    """
    made = Made()
    made.change("calls", floor=60.0, target=10.0)
    made.value["calls"] = 60 - 50 * made.value["calls"]
    made.half_width["calls"] = 1.0
    sound = flagged(made)
    made.value["calls"][:8] = 10 - np.linspace(1.5, 3.0, 8)

    assert sound == {}
    assert flagged(made) == {"heaped": ["calls"]}


def test_few_teams_tell_nothing_of_two_kpis_of_teams():
    """
    Three teams in the same order twice: 80 people share three values, which is chance, not redundancy.
    """
    made = Made()
    made.team = np.arange(N) % 3
    for name, ladder in (("asked", [0.3, 0.5, 0.8]), ("helped", [0.2, 0.45, 0.7])):
        made.change(name, whose="team")
        made.value[name] = np.array(ladder)[made.team]

    table = made.findings().set_index(["test", "kpi", "other"])

    assert flagged(made) == {}
    assert np.isnan(table.loc[("redundant", "asked", "helped"), "value"])
    assert table.loc[("redundant", "asked", "helped"), "n"] == 3
    assert np.isnan(table.loc[("vif", "asked", ""), "value"])
    assert table.loc[("vif", "calls", ""), "value"] < 2
    assert table.loc[("floor", "asked", ""), "n"] == 3


def test_ten_teams_in_the_same_order_are_redundant():
    """
    With ten teams it is: each counts once.
    """
    made = Made()
    for name in ("asked", "helped"):
        made.change(name, whose="team")
        made.value[name] = (0.15 + 0.07 * np.arange(10) ** (1 if name == "asked" else 1.02))[
            made.team
        ]

    table = made.findings()

    row = table[(table["test"] == "redundant") & (table["kpi"] == "asked")].iloc[0]
    assert (row["other"], row["n"], row["value"], row["is_flagged"]) == ("helped", 10, 1.0, True)


@pytest.mark.parametrize("n", [7, 8])
def test_fewer_than_eight_people_are_not_tested(n):
    """
    Seven give no value and no flag in any test that rests on people; eight do.
    """
    made = Made()
    for name, value in made.value.items():
        made.value[name] = np.where(np.arange(N) < n, value, np.nan)
        made.halves[name] = (made.value[name], made.rng.random(N))
    made.pairs = made.pairs[: n - 1]

    table = made.findings()

    of_people = {
        "reliability",
        "floor",
        "ceiling",
        "sample",
        "redundant",
        "vif",
        "influence",
        "too_many",
        "one_construct",
    }
    rows = table[table["test"].isin(of_people)]
    assert rows["value"].notna().all() == (n == 8)
    assert rows["value"].isna().all() == (n == 7)
    assert rows["is_flagged"].any() == (n == 8)
    assert table.loc[table["test"] == "weights", "value"].isna().all()


def outcome(kind, seed, n=33, periods=4):
    """What the test of leading says of a KPI that mirrors skill, leads, leads weakly, or says nothing."""
    rng = np.random.default_rng(seed)
    skill = rng.normal(0, 1, n)
    kpi_value = rng.normal(0, 1, (periods, n)) + skill
    result = rng.normal(0, 1, (periods, n))
    if kind == "skill":
        result += skill
    elif kind == "lead":
        result[1:] += kpi_value[:-1]
    elif kind == "weak lead":
        result = 1.5 * result
        result[1:] += 0.5 * kpi_value[:-1]
    rows = [
        {"person": who, "period": f"p{at}", "first": pd.Timestamp(2020 + at, 1, 1), "kpi": name,
         "value": values[at, who], "is_judged": True}
        for name, values in (("calls", kpi_value), ("sold", result))
        for at in range(periods)
        for who in range(n)
    ]  # fmt: skip
    chosen = (kpi("calls", kind="process"), kpi("sold"))
    (row,) = kpi_audit._leading(chosen, pd.DataFrame(rows))
    return row["is_flagged"], row["low"] > 0


@pytest.mark.parametrize(
    ("kind", "mirrors", "leads"),
    [
        ("skill", (0.9, 1), (0, 0.12)),  # mirrors are found, and rarely taken for a lead
        ("lead", (0, 0.02), (0.98, 1)),
        ("weak lead", (0, 0.12), (0.5, 1)),  # not being sure of a lead is no proof of a mirror
        ("nothing", (0, 0.06), (0, 0.12)),
    ],
)
def test_mirrors_of_skill_and_leads_are_told_apart(kind, mirrors, leads):
    """
    Over 60 worlds of 33 people and four periods each.
    """
    found = np.mean([outcome(kind, seed) for seed in range(60)], axis=0)

    assert mirrors[0] <= found[0] <= mirrors[1]
    assert leads[0] <= found[1] <= leads[1]


def test_without_an_own_result_nothing_can_lead():
    """
    A set of team results only has no test of leading, and no failure.
    """
    made = Made()
    made.change("sold", kind="customer")

    assert "mirrors_skill" not in set(made.findings()["test"])


def row(kpi_id, test, *, flagged, value=0.5):
    """A finding."""
    return {
        "role": "rep",
        "kpi": kpi_id,
        "other": "",
        "test": test,
        "value": value,
        "is_flagged": flagged,
    }


def test_verdicts_sum_up_the_findings():
    """
    Any fault: mend; unchanged only: review; nothing but never tested for reliability: cannot be judged.
    """
    table = pd.DataFrame(
        [
            row("", "too_few", flagged=True),
            *(row("good", "reliability", flagged=False), row("good", "floor", flagged=False)),
            *(row("bad", "reliability", flagged=False), row("bad", "floor", flagged=True)),
            *(row("bad", "unchanged", flagged=True), row("bad", "redundant", flagged=True)),
            *(row("bad", "redundant", flagged=True), row("old", "reliability", flagged=False)),
            row("old", "unchanged", flagged=True),
            *(row("new", "reliability", flagged=False, value=np.nan), row("new", "weight", flagged=False)),
            *(row("odd", "reliability", flagged=False, value=np.nan), row("odd", "unchanged", flagged=True)),
        ]
    )  # fmt: skip

    found = kpi_audit.verdicts(table).set_index("kpi")

    assert found["verdict"].to_dict() == {
        "good": "keep",
        "bad": "mend",
        "old": "review",
        "new": "cannot_judge",
        "odd": "cannot_judge",
    }
    assert found.loc["bad", "flagged"] == ("floor", "unchanged", "redundant")
    assert found["n_flagged"].tolist() == [0, 3, 1, 0, 1]
    assert found["n_tests"].tolist() == [2, 5, 2, 1, 1]


def test_the_audit_reads_the_store(work_stores):
    """
    On a random company: rows for each role with KPIs, on its ramped people who are judged, without a failure.
    """
    _world, store = work_stores[2]
    rules = process(
        kpi("won", "cohort_win_rate", age_days=30, weight=0.5, target=0.6),
        kpi("calls", "activities", types=("call",), weight=0.5, target=4.0, kind="process"),
        kpi("boss", "satisfaction", whose="team", role="boss", kind="customer"),
        scorecards=[card(evidence={"won": 3.0})],
    )
    with crm.observe(store, "2025-12-31") as seen:
        when = period("2025-Q3", as_of=seen.as_of)

        table = kpi_audit.audit(seen, rules, when, periods=3)

        assert list(dict.fromkeys(table["role"])) == ["rep", "boss"]
        assert set(table["test"]) == SLUGS
        assert (
            not table["test"]
            .eq("no_process")
            .mul(table["role"] == "rep")
            .mul(table["is_flagged"])
            .any()
        )
        assert set(kpi_audit.verdicts(table)["kpi"]) == {"won", "calls", "boss"}
        assert kpi_audit.audit(seen, process(), when).empty
        assert kpi_audit.verdicts(kpi_audit.audit(seen, process(), when)).empty


def test_halves_are_those_of_odd_and_even_weeks(see):
    """
    Eight people with k deals won in each odd week and 9 - k in each even one: perfectly opposed, so no signal; the same in both is all signal.
    """

    def company(even):
        deals = []
        for who in range(1, 9):
            for week in range(12):
                day = pd.Timestamp("2026-01-05") + pd.Timedelta(days=7 * week)
                many = who if week % 2 else even(who)
                deals += [
                    {"deal_id": f"{who}-{week}-{n}", "created_at": "2025-01-01", "closed_at": f"{day:%Y-%m-%d}",
                     "status": "won", "owner": f"p{who}", "amount": "1"}
                    for n in range(many)
                ]  # fmt: skip
        people = [
            {
                "person_id": f"p{who}",
                "name": "x",
                "team": "T",
                "role": "rep",
                "hired_on": "2020-01-01",
            }
            for who in range(1, 9)
        ]
        seen = see({"deals": deals, "people": people}, "2026-03-31", datetime="%Y-%m-%d")
        rules = process(kpi("m", "won_amount", target=99.0))
        table = kpi_audit.audit(seen, rules, period("2026-Q1", as_of=seen.as_of), periods=1)
        return table[table["test"] == "reliability"].iloc[0]

    same, opposed = company(lambda who: who), company(lambda who: 9 - who)

    assert (same["value"], same["n"]) == (pytest.approx(1), 8)
    assert (opposed["value"], opposed["n"]) == (0, 8)
