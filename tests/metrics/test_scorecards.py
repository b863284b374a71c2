"""
Scorecards: what adds up, what a newcomer may not move, whose rules hold, and what a page of one person may know.
"""

import datetime
import functools
import math
from decimal import ROUND_HALF_EVEN, Decimal

import numpy as np
import pandas as pd
import pytest
import worlds
from numpy.testing import assert_allclose
from plain_kpis import Company
from processes import LONG_AGO, SAME, card, kpi, process, stage

from salesanalysis import crm
from salesanalysis.crm.errors import ParameterError
from salesanalysis.crm.process import Action, Development, When
from salesanalysis.metrics import credit, scorecards
from salesanalysis.metrics.periods import period

EVIDENCE = {"won": 3.0, "calls": 1.0, "done": 3.0, "money": 1.0, "days": 6.0, "team": 3.0}
MIXED = [
    kpi("won", "cohort_win_rate", age_days=30, floor=0.1, target=0.6, weight=0.3),
    kpi("calls", "activities", types=("call",), floor=0.0, target=4.0, weight=0.15),
    kpi("done", "actions_done", floor=0.1, target=0.9, weight=0.2),
    kpi("money", "won_amount", floor=0.0, target=800.0, weight=0.15),
    kpi("days", "sales_cycle", age_days=60, floor=60.0, target=5.0, weight=0.1),
    kpi("team", "satisfaction", whose="team", kind="customer", floor=0.2, target=0.9, weight=0.1),
]
STAGES = [stage("Demo", Action(("demo", "call"), 1)), stage("Offer", Action(("call",), 1))]


def mixed(how="arithmetic", **changes):
    """A process with shares, a rate, an amount, a median and the team's mean."""
    changes = {"judged_weight": 0.5, "evidence": EVIDENCE, "cap": 120.0} | changes
    return process(*MIXED, stages=STAGES, scorecards=[card(aggregation=how, **changes)])


@pytest.fixture(params=[(1, "2025-12-31", "2025-Q3"), (2, "2025-12-31", "2025"), (1, "2025-11-20", "2025-Q4")],
                ids=lambda case: "-".join(map(str, case)))  # fmt: skip
def company(request, work_stores):
    """A random company as of a day, with its period and tables."""
    seed, day, name = request.param
    world, store = work_stores[seed]
    with crm.observe(store, day) as seen:
        yield seen, period(name, as_of=seen.as_of), world


@pytest.fixture
def see(see):
    """Load tables whose instants are written as days."""
    return functools.partial(see, datetime="%Y-%m-%d")


@pytest.mark.parametrize("how", ["arithmetic", "geometric"])
def test_what_the_kpis_add_is_the_score(company, how):
    """
    Contributions sum to the score; those shown, rounded, sum to the score as it is shown.
    """
    seen, when, _world = company

    table, scores = scorecards.appraise(seen, mixed(how), when)

    added = table.groupby("person")[["contribution", "shown"]].sum(min_count=1)
    score = scores.set_index("person")["score"]
    assert score.notna().sum() >= 3
    assert_allclose(added["contribution"], score.reindex(added.index), atol=1e-12, rtol=0)
    for person, value in score.dropna().items():
        shown = Decimal(str(value)).quantize(Decimal("0.1"), ROUND_HALF_EVEN)
        parts = table.loc[table["person"] == person, "shown"].dropna()
        assert sum(Decimal(str(part)) for part in parts) == shown
    assert table.loc[~table["person"].isin(score.dropna().index), "contribution"].isna().all()


@pytest.mark.parametrize("how", ["arithmetic", "geometric"])
def test_the_score_is_the_weighted_mean_of_the_judged_points(company, how):
    """
    Written out: weights of what cannot be judged go to the others; a gain is what a KPI at its target would add.
    """
    seen, when, _world = company

    table, scores = scorecards.appraise(seen, mixed(how), when)

    def mean(points, weights):
        if how == "arithmetic":
            return np.dot(points, weights) / weights.sum()
        return math.exp(np.dot(np.log(np.maximum(points, 1)), weights) / weights.sum())

    for row in scores.itertuples():
        rows = table[(table["person"] == row.person) & table["is_judged"]].reset_index(drop=True)
        weights, points = rows["weight"].to_numpy(), rows["points"].to_numpy()
        assert row.judged_weight == pytest.approx(weights.sum())
        assert row.is_judged == (weights.sum() >= 0.5 - 1e-9)
        assert row.n_judged == len(rows)
        if row.is_judged:
            assert row.score == pytest.approx(mean(points, weights), rel=1e-12)
            assert_allclose(rows["share"], weights / weights.sum())
            for k in range(len(rows)):
                better = points.copy()
                better[k] = max(100, better[k])
                assert rows.loc[k, "gain"] == pytest.approx(
                    mean(better, weights) - row.score, abs=1e-9
                )
        else:
            assert math.isnan(row.score)
            assert rows["gain"].isna().all()


@pytest.mark.parametrize("seed", [1, 2])
def test_a_newcomer_moves_nobody(work_stores, tmp_path, seed):
    """
    With a person more, with deals, activities, answers and a quota, in a team of the own, all others keep values, points and scores.
    """
    world, store = work_stores[seed]
    more = {name: [dict(row) for row in rows] for name, rows in world.tables.items()}
    somebody = more["people"][0]
    more["people"].append(somebody | {"person_id": "newcomer", "name": "N", "team": "Far", "role": "rep",
                                      "hired_on": "", "left_on": "", "valid_from": "", "manager_id": ""})  # fmt: skip
    copied = [row for row in world.tables["deals"] if row["owner"] == somebody["person_id"]]
    ids = {row["deal_id"]: f"N{row['deal_id']}" for row in copied}
    for name in ("deals", "stage_events", "activities", "satisfaction"):
        for row in world.tables[name]:
            if row["deal_id"] in ids:
                mine = {"owner": "newcomer", "rep": "newcomer", "person_id": "newcomer"}
                new = (
                    row
                    | {"deal_id": ids[row["deal_id"]]}
                    | {k: v for k, v in mine.items() if k in row}
                )
                new |= {"activity_id": f"N{row['activity_id']}"} if name == "activities" else {}
                new |= {"amount": "99999"} if name == "deals" else {}
                more[name].append(new)
    more["quotas"].append(more["quotas"][0] | {"holder_type": "person", "holder_id": "newcomer",
                                               "measure": "amount", "value": "7"})  # fmt: skip
    rules = mixed()
    with crm.observe(store, "2025-12-31") as seen:
        when = period("2025-Q3", as_of=seen.as_of)
        before = scorecards.appraise(seen, rules, when)
    with crm.observe(
        worlds.load(tmp_path, worlds.World(more, world.settings)), "2025-12-31"
    ) as seen:
        after = scorecards.appraise(seen, rules, when)
        new = after[0][after[0]["person"] == "newcomer"]

    assert new["is_judged"].sum() >= 3
    for one, other, columns, keys in (
        (before[0], after[0], ["value", "points", "contribution", "gain", "n"], ["person", "kpi"]),
        (before[1], after[1], ["score", "judged_weight"], ["person"]),
    ):
        other = other[other["person"] != "newcomer"].set_index(keys)[columns]
        one = one.set_index(keys)[columns]
        assert len(one) == len(other) > 0
        pd.testing.assert_frame_equal(other.loc[one.index], one, check_exact=True)


def test_ranks_are_intervals_within_role_and_ramp(company):
    """
    1 <= low <= high <= n among the judged; scores lie in their order; who is not judged has no rank and comes last.
    """
    seen, when, _world = company

    known = scorecards.appraise(seen, mixed(), when)[0]
    most = known.loc[known["kpi"] == "won", "n"].median()
    needed = mixed(judged_weight=1.0, evidence=EVIDENCE | {"won": most + 1})

    _table, scores = scorecards.appraise(seen, needed, when)

    assert not scores["is_judged"].all()
    for _group, rows in scores.groupby(["role", "ramp"]):
        ranked = rows[rows["rank_low"].notna()]
        assert (rows["n_ranked"] == len(ranked)).all()
        assert (ranked["rank_low"] >= 1).all()
        assert (ranked["rank_low"] <= ranked["rank_high"]).all()
        assert (ranked["rank_high"] <= len(ranked)).all()
        assert ranked["score"].is_monotonic_decreasing
        assert (
            rows.loc[~rows["is_judged"], ["score", "rank_low", "score_low"]].isna().all(axis=None)
        )
        assert rows["is_judged"].is_monotonic_decreasing
        assert (ranked["score_low"] <= ranked["score_high"]).all()
        assert rows["above_next_share"].notna().sum() == max(0, len(ranked) - 1)
        assert rows.loc[rows["above_next_share"].isna(), "weights_share"].isna().all()


@pytest.mark.parametrize("how", ["arithmetic", "geometric"])
def test_the_share_of_weightings_is_that_of_random_weights(company, how):
    """
    Of 40,000 weightings spread evenly, so many put the person above the next one.
    """
    seen, when, _world = company

    table, scores = scorecards.appraise(seen, mixed(how), when)

    points = table.pivot(index="person", columns="kpi", values="points")
    points = np.log(np.maximum(points, 1)).where(points.notna()) if how == "geometric" else points
    rng, compared = np.random.default_rng(5), 0
    for _group, rows in scores.groupby(["role", "ramp"]):
        people = rows["person"].tolist()
        for row, other in zip(rows.itertuples(), people[1:], strict=False):
            both = points.loc[[row.person, other]].dropna(axis=1)
            if pd.notna(row.weights_share) and both.shape[1]:
                weights = rng.dirichlet(np.ones(both.shape[1]), 40_000)
                ahead = weights @ (both.iloc[0] - both.iloc[1]).to_numpy()
                assert row.weights_share == pytest.approx((ahead > 0).mean(), abs=0.01)
                compared += 1
    assert compared


def test_draws_follow_the_seed(company):
    """
    The same seed gives the same intervals, another one others; scores are no draws.
    """
    seen, when, _world = company
    rules = mixed()

    one, again, other = (scorecards.appraise(seen, rules, when, seed=s)[1] for s in (1, 1, 2))

    pd.testing.assert_frame_equal(one, again)
    drawn = ["score_low", "score_high"]
    assert not one[drawn].equals(other[drawn])
    key = one.set_index("person")["score"]
    pd.testing.assert_series_equal(key, other.set_index("person")["score"].loc[key.index])


def test_intervals_hold_the_true_score(see):
    """
    120 people with 30 deals each, won with a known probability: some 95 % of the intervals hold the score of that.
    """
    rng = np.random.default_rng(11)
    truth = rng.uniform(0.15, 0.7, 120)
    deals = [
        {"deal_id": f"{person}-{number}", "created_at": "2026-01-02", "owner": f"p{person}",
         "status": "won" if won else "lost", "closed_at": "2026-01-12", "amount": "1"}
        for person, share in enumerate(truth)
        for number, won in enumerate(rng.random(30) < share)
    ]  # fmt: skip
    people = [member(f"p{number}") for number in range(120)]
    seen = see({"deals": deals, "people": people}, "2026-03-31")

    _table, scores = scorecards.appraise(
        seen, process(kpi("w", "cohort_win_rate", age_days=20)), period("2026-Q1", as_of=seen.as_of)
    )

    found = scores.set_index("person").loc[[f"p{number}" for number in range(120)]]
    inside = (found["score_low"] <= 100 * truth) & (100 * truth <= found["score_high"])
    assert 0.9 <= inside.mean() <= 1
    assert (found["score_high"] - found["score_low"]).between(20, 40).all()


# ---- by hand ----------------------------------------------------------------------------------------------------


def member(id_, **cells):
    """Somebody who was always there."""
    row = {"person_id": id_, "name": f"Name of {id_}", "team": "T", "role": "rep", "manager_id": ""}
    return row | {"hired_on": "2020-01-01", "left_on": "", "valid_from": ""} | cells


def sold(owner, amount, day="2026-02-01"):
    """A deal won."""
    return {"deal_id": f"{owner}-{amount}-{day}", "created_at": "2025-01-05", "closed_at": day,
            "status": "won", "owner": owner, "amount": str(amount)}  # fmt: skip


def asked(holder, value, quarter=1, year=2026, kind="person"):
    """A quota of a quarter."""
    last = {1: "03-31", 2: "06-30", 3: "09-30", 4: "12-31"}[quarter]
    return {"holder_type": kind, "holder_id": holder, "period_start": f"{year}-{3 * quarter - 2:02}-01",
            "period_end": f"{year}-{last}", "measure": "amount", "value": str(value)}  # fmt: skip


def sellers(see, amounts, as_of="2026-03-31", people=None, quotas=None, **changes):
    """People p0, p1, … who won so much in the first quarter, each asked for 100."""
    deals = [sold(f"p{n}", amount) for n, amount in enumerate(amounts) if amount]
    deals += [{"deal_id": "open", "created_at": "2025-01-01", "status": "open", "owner": "p0"}]
    people = people or [member(f"p{n}") for n in range(len(amounts))]
    quotas = quotas or [asked(f"p{n}", 100) for n in range(len(amounts))]
    return see({"deals": deals, "people": people, "quotas": quotas}, as_of, **changes)


def q1(seen, name="2026-Q1"):
    """The first quarter."""
    return period(name, as_of=seen.as_of)


@pytest.mark.parametrize(
    ("weights", "least", "is_judged"),
    [
        ((0.6, 0.4), 0.6, True),
        ((0.6, 0.4), 0.61, False),
        ((0.599, 0.401), 0.6, False),
        ((0.1, 0.2, 0.3, 0.4), 0.6, True),  # 0.1 + 0.2 + 0.3 is a hair from 0.6 in floats
        ((0.7, 0.1, 0.2), 0.8, True),  # 0.7 + 0.1 is a hair below 0.8 in floats
        ((1.0,), 1.0, True),
    ],
)
def test_enough_of_the_weight_must_be_judged(see, weights, least, is_judged):
    """
    All but the last KPI can be judged, here at half of the way; on the edge is enough.
    """
    seen = sellers(see, [50])
    last = [kpi("s", "satisfaction", weight=weights[-1])] if len(weights) > 1 else []
    rest = weights[:-1] if last else weights
    own = [kpi(f"a{n}", weight=weight) for n, weight in enumerate(rest)]
    rules = process(*own, *last, scorecards=[card(judged_weight=least)])

    table, scores = scorecards.appraise(seen, rules, q1(seen))

    assert scores["is_judged"].tolist() == [is_judged]
    assert scores["judged_weight"].item() == pytest.approx(sum(rest))
    assert scores["score"].item() == pytest.approx(50 if is_judged else np.nan, nan_ok=True)
    assert table["contribution"].notna().any() == is_judged


def test_geometric_scores_do_not_buy_off_a_weakness(see):
    """
    90 and 10 points in equal weights: 50, or the root of 900, which is 30.
    """
    seen = sellers(see, [90])
    kpis = [kpi("a", weight=0.5), kpi("b", weight=0.5, floor=0.89, target=0.99)]
    plain, strict = (
        process(*kpis, scorecards=[card(aggregation=how)]) for how in ("arithmetic", "geometric")
    )

    one, other = (
        scorecards.appraise(seen, rules, q1(seen))[1].iloc[0] for rules in (plain, strict)
    )

    assert one["score"] == one["arithmetic"] == other["arithmetic"] == pytest.approx(50)
    assert other["score"] == other["geometric"] == one["geometric"] == pytest.approx(30)


def test_a_past_period_is_judged_by_its_own_rules(see):
    """
    The floor was 0 until 2025 and is .5 from 2026; the scorecard's cap rose then; a period before any rule has none.
    """
    deals = [
        sold("p0", 150, "2025-11-01"),
        sold("p0", 75, "2026-02-01"),
        sold("p0", 9, "2024-12-01"),
    ]
    quotas = [asked("p0", 100, 4, 2025), asked("p0", 100), asked("p0", 100, 4, 2024)]
    seen = see({"deals": deals, "people": [member("p0")], "quotas": quotas}, "2026-03-31")
    old, new = datetime.date(2025, 1, 1), datetime.date(2026, 1, 1)
    rules = process(
        kpi("a", begins=old),
        kpi("a", begins=new, floor=0.5),
        scorecards=[card(begins=old), card(begins=new, cap=120.0)],
    )

    table, scores = scorecards.history(seen, rules, q1(seen), periods=6)

    assert table["period"].tolist() == ["2025-Q1", "2025-Q2", "2025-Q3", "2025-Q4", "2026-Q1"]
    assert table.set_index("period")["points"].dropna().to_dict() == {"2025-Q4": 100, "2026-Q1": 50}
    assert table["floor"].tolist() == [0, 0, 0, 0, 0.5]
    assert scores["first"].dt.strftime("%Y-%m-%d").iloc[-1] == "2026-01-01"
    before = scorecards.before(scores, q1(seen))
    assert before[["period", "score"]].to_numpy().tolist() == [["2025-Q4", 100]]
    assert scorecards.before(scores, q1(seen), team="T")["score"].tolist() == [100]
    assert scorecards.before(scores, q1(seen), team="U").empty
    assert scorecards.before(scores[scores["period"] == "2026-Q1"], q1(seen)).empty


def test_a_past_score_is_put_together_as_its_scorecard_said(see):
    """
    90 and 10 points: geometric in 2025 (30), arithmetic from 2026 on (50).
    """
    deals = [sold("p0", 90, "2025-11-01"), sold("p0", 90, "2026-02-01")]
    quotas = [asked("p0", 100, 4, 2025), asked("p0", 100)]
    seen = see({"deals": deals, "people": [member("p0")], "quotas": quotas}, "2026-03-31")
    cards = [card(aggregation="geometric"), card(begins=datetime.date(2026, 1, 1))]
    kpis = [kpi("a", weight=0.5), kpi("b", weight=0.5, floor=0.89, target=0.99)]

    _table, scores = scorecards.history(seen, process(*kpis, scorecards=cards), q1(seen), periods=2)

    assert scores["score"].tolist() == pytest.approx([30, 50])


def test_before_the_first_rule_there_is_nothing(see):
    """
    No KPI in force: empty tables with their columns, in all functions.
    """
    seen = sellers(see, [50])
    rules = process(kpi("a", begins=datetime.date(2026, 2, 1)))

    table, scores = scorecards.appraise(seen, rules, q1(seen), team="T")

    assert table.empty
    assert scores.empty
    assert {"contribution", "shown", "gain"} <= set(table)
    assert {"score", "rank_low"} <= set(scores)
    assert all(frame.empty for frame in scorecards.history(seen, rules, q1(seen)))
    assert all(frame.empty for frame in scorecards.teams(seen, rules, q1(seen)))
    assert all(frame.empty for frame in scorecards.own(seen, rules, q1(seen), "p0"))
    assert scorecards.development(seen, rules, q1(seen)).empty
    assert scorecards.impossible(seen, rules, q1(seen)).empty
    assert scorecards.person(seen, rules, q1(seen), "") == "p0"


def test_a_person_without_a_team_is_judged_on_the_own_kpis(see):
    """
    The KPI of the team cannot be judged there, and harms nobody else.
    """
    people = [member("p0"), member("p1", team="")]
    quotas = [asked("p0", 100), asked("p1", 100), asked("T", 200, kind="team")]
    seen = sellers(see, [50, 80], people=people, quotas=quotas)
    rules = process(kpi("a", weight=0.5), kpi("m", "won_amount", whose="team", weight=0.25, target=99.0),
                    kpi("t", whose="team", weight=0.25))  # fmt: skip

    table, scores = scorecards.appraise(seen, rules, q1(seen))

    found = table.set_index(["person", "kpi"])
    assert found.loc["p1", "is_judged"].tolist() == [True, False, False]
    assert found.loc[("p1", "t"), "why"] == "no_quota"
    assert scores.set_index("person")["score"].loc["p1"] == pytest.approx(80)
    assert scores.set_index("person")["score_low"].notna().all()


def test_a_team_that_nobody_was_in_is_refused(see):
    """
    The message lists the teams; a team that people were in earlier is none of these.
    """
    people = [
        member("p0", team="Old", valid_from="2020-01-01"),
        member("p0", valid_from="2025-01-01"),
    ]
    seen = sellers(see, [50], people=people)
    rules = process(kpi("a"))

    with pytest.raises(
        ParameterError, match="team must be one .* found 'X'; the source knows Old, T"
    ):
        scorecards.appraise(seen, rules, q1(seen), team="X")

    assert scorecards.appraise(seen, rules, q1(seen), team="Old")[1].empty


def test_equals_are_above_each_other_under_no_weighting(see):
    """
    Two at the cap have the same points: no share of weightings; the third is below both under all.
    """
    seen = sellers(see, [150, 120, 50])
    rules = process(kpi("a", weight=0.5), kpi("b", weight=0.5, target=0.9))

    _table, scores = scorecards.appraise(seen, rules, q1(seen))

    assert scores["person"].tolist() == ["p0", "p1", "p2"]
    assert scores["weights_share"].tolist() == pytest.approx([np.nan, 1, np.nan], nan_ok=True)
    assert scores["above_next_share"].notna().tolist() == [True, True, False]


def test_ranks_of_a_team_are_within_it(see):
    """
    The third of all is the first of the own team.
    """
    people = [member("p0", team="U"), member("p1", team="U"), member("p2"), member("p3")]
    seen = sellers(
        see,
        [9900, 6600, 3300, 10],
        people=people,
        quotas=[asked(f"p{n}", 10_000) for n in range(4)],
    )
    rules = process(kpi("a"))

    _table, scores = scorecards.appraise(seen, rules, q1(seen), team="T")

    assert scores["person"].tolist() == ["p2", "p3"]
    assert set(scores["n_ranked"]) == {2}
    assert (scores["rank_high"] <= 2).all()


def test_managers_count_what_all_below_them_won(see):
    """
    At any depth; in a circle nobody counts twice; own and with reports stand side by side.
    """
    people = [
        *(
            member("boss", manager_id=""),
            member("lead", manager_id="boss"),
            member("p0", manager_id="lead"),
        ),
        *(member("a", manager_id="b"), member("b", manager_id="c"), member("c", manager_id="a")),
    ]
    deals = [
        sold("boss", 1),
        sold("lead", 10),
        sold("p0", 100),
        sold("a", 3),
        sold("b", 30),
        sold("c", 300),
    ]
    quotas = [asked(who, 100) for who in ("boss", "lead", "p0", "a", "idle")]
    seen = see({"deals": deals, "people": people, "quotas": quotas}, "2026-03-31")

    table = credit.attainment(seen, q1(seen)).set_index("person")

    assert table["n_reports"].to_dict() == {
        "c": 2,
        "p0": 0,
        "b": 2,
        "lead": 1,
        "a": 2,
        "boss": 2,
        "idle": 0,
    }
    assert table["with_reports_amount"].dropna().to_dict() == {
        "c": 333,
        "b": 333,
        "a": 333,
        "lead": 110,
        "boss": 111,
    }
    assert table.loc["boss", ["attainment", "with_reports_attainment"]].tolist() == pytest.approx(
        [0.01, 1.11]
    )
    assert math.isnan(table.loc["c", "attainment"])
    assert table["place"].to_dict() == {
        "c": 1,
        "p0": 2,
        "b": 3,
        "lead": 4,
        "a": 5,
        "boss": 6,
        "idle": 7,
    }
    assert table.loc["idle", ["name", "credited_amount", "attainment"]].tolist() == ["idle", 0, 0]


def test_attainment_shows_people_where_they_were(see):
    """
    In a past period the team and the manager are those of its last day.
    """
    people = [member("p0", valid_from="2020-01-01", manager_id="x"), member("p0", team="U", valid_from="2026-04-01"),
              member("x")]  # fmt: skip
    seen = sellers(see, [50], "2026-06-30", people=people)

    then = credit.attainment(seen, q1(seen), team="T").set_index("person")
    now = credit.attainment(seen, q1(seen, "2026-Q2")).set_index("person")

    assert then.loc["p0", "credited_amount"] == 50
    assert credit.attainment(seen, q1(seen), team="U").empty
    assert now.empty


def test_teams_are_judged_as_one(see):
    """
    60 + 40 of a team's 200 are 50 points; managers are no members; a KPI of the person is measured over all.
    """
    people = [member("p0"), member("p1"), member("p2", team="U"), member("boss", role="boss")]
    quotas = [asked("T", 200, kind="team"), asked("U", 10, kind="team")]
    deals = [sold("p0", 60), sold("p1", 40), sold("p2", 10)]
    deals += [sold(who, n, "2025-01-10") for who in ("p0", "p1") for n in (1, 2)]
    seen = see({"deals": deals, "people": people, "quotas": quotas}, "2026-03-31")
    rules = process(
        kpi("t", whose="team", weight=0.6),
        kpi("s", "satisfaction", weight=0.4),
        kpi("x", role="boss"),
        scorecards=[card(judged_weight=0.6)],
    )

    table, scores = scorecards.teams(seen, rules, q1(seen))

    assert scores[["team", "n_members", "judged_weight", "score"]].to_numpy().tolist() == [
        ["U", 1, pytest.approx(0.6), 100],
        ["T", 2, pytest.approx(0.6), 50],
    ]
    found = table.set_index(["team", "kpi"])
    assert found.loc[("T", "t"), ["value", "points", "contribution"]].tolist() == [0.5, 50, 50]
    assert not found.loc[("T", "s"), "is_judged"]
    assert set(table["kpi"]) == {"t", "s"}


def test_a_team_without_a_quota_is_held_to_those_of_its_members(see):
    """
    60 + 40 of 80 + 120; the manager's quota is not the members'; a quota of the team itself goes first.
    """
    people = [member("p0"), member("p1"), member("p2", team="U"), member("boss", role="boss")]
    quotas = [asked("p0", 80), asked("p1", 120), asked("boss", 900), asked("p2", 50)]
    quotas.append(asked("U", 10, kind="team"))
    deals = [sold("p0", 60), sold("p1", 40), sold("p2", 10)]
    seen = see({"deals": deals, "people": people, "quotas": quotas}, "2026-03-31")

    table, _ = scorecards.teams(seen, process(kpi("a")), q1(seen))

    assert table.set_index("team")["value"].to_dict() == {"T": 0.5, "U": 1.0}


def rule(of, periods=2, **side):
    """A criterion."""
    return Development(
        "r", SAME, "training", When(of, side.get("below"), side.get("at_least"), periods), LONG_AGO
    )


@pytest.mark.parametrize(
    ("criterion", "is_met"),
    [
        (rule("a", below=0.5), {"p0": True, "p1": False, "p2": False, "p3": False}),
        (rule("a", below=0.3), {"p0": True, "p1": False, "p2": False, "p3": False}),
        (rule("a", below=0.2), {"p0": False, "p1": False, "p2": False, "p3": False}),
        (rule("a", 1, below=0.5), {"p0": True, "p1": False, "p2": True, "p3": True}),
        (rule("score", at_least=80), {"p0": False, "p1": True, "p2": False, "p3": False}),
        (rule("score", at_least=80.1), {"p0": False, "p1": False, "p2": False, "p3": False}),
        (rule("score", 3, at_least=10), {"p0": False, "p1": False, "p2": False, "p3": False}),
    ],
)
def test_a_criterion_needs_all_its_periods(see, criterion, is_met):
    """
    p0 reached .2 twice, p1 .9 and .8, p2 .9 and .1, p3 could not be judged at first; the edge itself is at least, not below.
    """
    reached = {"p0": (20, 20), "p1": (90, 80), "p2": (90, 10), "p3": (10, 10)}
    deals = [
        sold(who, amount, day)
        for who, both in reached.items()
        for amount, day in zip(both, ("2025-11-01", "2026-02-01"), strict=True)
    ]
    quotas = [asked(who, 100) for who in reached] + [
        asked(who, 100, 4, 2025) for who in reached if who != "p3"
    ]
    seen = see(
        {"deals": deals, "people": [member(who) for who in reached], "quotas": quotas}, "2026-03-31"
    )
    rules = process(kpi("a"), development=[criterion])

    table = scorecards.development(seen, rules, q1(seen)).set_index("person")

    assert table["is_met"].to_dict() == is_met
    values = table.loc["p3", "values"]
    assert len(values) == criterion.when.periods
    assert [math.isnan(value) for value in values] == [True] * (len(values) - 1) + [False]
    assert scorecards.development(seen, rules, q1(seen), person="p1")["person"].tolist() == ["p1"]
    assert scorecards.development(seen, rules, q1(seen), team="U").empty


def test_a_page_of_one_person_holds_nobody_else(company):
    """
    No id and no name of another person, and no value of a single one, is in the own tables.
    """
    seen, when, world = company
    rules = mixed()
    table, _scores = scorecards.appraise(seen, rules, when)
    people = {row["person_id"]: row["name"] for row in world.tables["people"]}

    for person in sorted(set(table["person"])):
        own, score = scorecards.own(seen, rules, when, person)
        past = scorecards.own_history(seen, rules, when, person, periods=2)
        texts = {str(cell) for frame in (own, score, *past) for cell in frame.to_numpy().ravel()}

        assert not texts & ({*people, *people.values()} - {person, people[person]})
        assert set(own["person"]) == {person}
        assert not {"above_next_share", "weights_share"} & set(score)
        assert score.loc[score["n_ranked"] < 5, ["rank_low", "rank_high"]].isna().all(axis=None)


@pytest.mark.parametrize(("n", "is_shown"), [(5, False), (6, True), (12, True)])
def test_peers_are_a_band_of_five_or_more_others(see, n, is_shown):
    """
    The band is that of the others only, and no end of it is the value of one of them.
    """
    amounts = [10 * (number + 1) for number in range(n)]
    seen = sellers(see, amounts)

    own, score = scorecards.own(seen, process(kpi("a")), q1(seen), "p0")

    row = own.iloc[0]
    others = [amount / 100 for amount in amounts[1:]]
    if is_shown:
        assert row["n_peers"] == n - 1
        assert min(others) < row["peer_low"] < np.median(others) < row["peer_high"] < max(others)
        assert min(abs(row["peer_low"] - x) for x in others) > 1e-6
        assert min(abs(row["peer_high"] - x) for x in others) > 1e-6
    else:
        assert row[["peer_low", "peer_high", "n_peers"]].isna().all()
    assert score["rank_low"].notna().item() == (n >= 5)


def test_peers_have_the_same_role_and_ramp(see):
    """
    Ramping people are no peers of a ramped one; of a team's KPI the peers are the other teams, each once.
    """
    people = [member("p0", team="T0")]
    people += [
        member(f"p{n}", hired_on="2026-01-01", team=f"T{(n + 1) // 2}") for n in range(1, 15)
    ]
    quotas = [asked(f"p{n}", 100) for n in range(15)]
    quotas += [asked(f"T{n}", 100, kind="team") for n in range(1, 8)]
    seen = sellers(see, range(10, 160, 10), people=people, quotas=quotas)
    rules = process(kpi("a", weight=0.5), kpi("t", whose="team", weight=0.5))

    ramped, _ = scorecards.own(seen, rules, q1(seen), "p0")
    ramping, _ = scorecards.own(seen, rules, q1(seen), "p1")

    assert ramped["n_peers"].isna().all()
    assert ramping["n_peers"].tolist() == [13, 6]


def test_a_person_without_a_team_widens_no_interval(see):
    """
    The usual amount of a team's deals is that of the teams there are.
    """
    one = process(kpi("m", "won_amount", whose="team", target=500.0))
    alone = sellers(see, [50], people=[member("p0")])
    beside = sellers(see, [50, 80], people=[member("p0"), member("p1", team="")])

    found = [
        scorecards.appraise(seen, one, q1(seen))[1].set_index("person").loc["p0"]
        for seen in (alone, beside)
    ]

    assert found[0]["score"] == found[1]["score"]
    assert found[0]["score_high"] == pytest.approx(found[1]["score_high"], rel=0.08)
    assert found[0]["score_low"] == pytest.approx(found[1]["score_low"], rel=0.2)


def test_whose_page_it_is(see):
    """
    An id that is there, or the first one; another one is refused without telling names.
    """
    seen = sellers(see, [10, 20])
    rules = process(kpi("a"))

    assert scorecards.person(seen, rules, q1(seen), "p1") == "p1"
    assert scorecards.person(seen, rules, q1(seen), "") == "p0"
    with pytest.raises(
        ParameterError, match="rep must be the id .* found 'p9'; the source knows 2"
    ) as error:
        scorecards.person(seen, rules, q1(seen), "p9")
    assert "Name of" not in str(error.value)


def test_a_median_without_an_interval_gives_none_to_the_score(see):
    """
    Three won deals have a median, but no 95 % interval: the score is told, how sure it is cannot be.
    """
    deals = [
        {"deal_id": f"{who}{n}", "created_at": "2026-01-02", "closed_at": f"2026-01-{10 + n}",
         "status": "won", "owner": who, "amount": "5"}
        for who, many in (("p0", 3), ("p1", 9))
        for n in range(many)
    ]  # fmt: skip
    seen = see({"deals": deals, "people": [member("p0"), member("p1")]}, "2026-03-31")
    one = kpi("c", "sales_cycle", age_days=30, floor=60.0, target=0.0)
    rules = process(one, scorecards=[card(evidence={"c": 3.0})])

    scores = scorecards.appraise(seen, rules, q1(seen))[1].set_index("person")

    assert scores["score"].notna().all()
    assert scores["score_low"].isna().to_dict() == {"p0": True, "p1": False}
    assert scores["rank_low"].isna().to_dict() == {"p0": True, "p1": False}


def test_what_a_rep_was_given(see):
    """
    p1 was given the source of which a third is won, p0 that of which two thirds are: expected shares say so.
    """

    def closed(number, owner, source, won):
        return {"deal_id": str(number), "created_at": "2025-12-01", "closed_at": "2025-12-20", "owner": owner,
                "status": "won" if won else "lost", "source": source, "amount": "1"}  # fmt: skip

    deals = [
        closed(100 * k + n, owner, source, n % 3 < wins)
        for k, (owner, source, many, wins) in enumerate(
            (
                ("p0", "easy", 30, 2),
                ("p0", "hard", 6, 1),
                ("p1", "easy", 6, 2),
                ("p1", "hard", 30, 1),
            )
        )
        for n in range(many)
    ]
    seen = see({"deals": deals, "people": [member("p0"), member("p1")]}, "2026-03-31")

    easy = scorecards.given(seen, "p0", age_days=30, case_mix=["source"]).iloc[0]
    hard = scorecards.given(seen, "p1", age_days=30, case_mix=["source"]).iloc[0]

    assert easy["overall_rate"] == hard["overall_rate"] == pytest.approx(0.5)
    assert easy["expected_rate"] == pytest.approx((30 * 2 / 3 + 6 / 3) / 36, abs=0.02)
    assert hard["expected_rate"] == pytest.approx((6 * 2 / 3 + 30 / 3) / 36, abs=0.02)
    assert scorecards.given(seen, "nobody", age_days=30, case_mix=["source"]).empty


def test_the_way_to_object_and_what_is_impossible(see):
    """
    Fourteen days after the as-of day; each KPI the source cannot give, once, with the source's reason.
    """
    seen = sellers(
        see, [10], impossible={"activities": "not exported", "satisfaction": "never asked"}
    )
    rules = process(
        kpi("v", "activities", types=("visit",), weight=0.5),
        kpi("s", "satisfaction", weight=0.25),
        kpi("s", "satisfaction", role="boss"),
        kpi("a", weight=0.25),
    )

    found = scorecards.impossible(seen, rules, q1(seen))

    assert found.to_numpy().tolist() == [["v", "not exported"], ["s", "never asked"]]
    day = scorecards.objection_until(rules, q1(seen), seen.as_of)
    assert day == datetime.date(2026, 4, 14)
    assert scorecards.objection_until(process(scorecards=[]), q1(seen), seen.as_of) is None


def test_revenue_of_a_period_is_conserved(company):
    """
    Over everybody, credited amounts of a period are the amounts of the deals won in it.
    """
    seen, when, world = company
    plain = Company(world, seen.as_of)
    last = min(when.last, seen.as_of)
    won = [
        deal.amount
        for deal in plain.won()
        if deal.amount is not None and plain.credit(deal) and when.first <= deal.closed_on <= last
    ]

    table = credit.attainment(seen, when)

    assert won
    assert table["credited_amount"].sum() == pytest.approx(math.fsum(won), rel=1e-12)
