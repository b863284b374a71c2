"""Rep tables against the definitions read deal by deal, and their edge cases by name."""

import datetime
import math

import pytest
from plain import assert_same, grouped, quantile, share, total, wilson

from salesanalysis.metrics import reps

DEAL = {"deal_id": "1", "created_at": "2026-01-05 09:00:00", "status": "open", "owner": "a"}
WON = {"status": "won", "closed_at": "2026-02-15 09:00:00"}
LOST = {"status": "lost", "closed_at": "2026-02-05 09:00:00"}
QUARTER = {"period_start": "2026-01-01", "period_end": "2026-03-31", "measure": "amount"}


def people_as_of(world, day):
    """The latest row of each person who had been hired."""
    known = {}
    for row in sorted(world.tables["people"], key=lambda row: row["valid_from"]):
        if max(row["hired_on"], row["valid_from"]) <= day.isoformat():
            known[row["person_id"]] = row
    return known


def interval(name, k, n):
    """A rate with its Wilson interval."""
    low, high = wilson(k, n)
    return {name: share(k, n), f"{name}_low": low, f"{name}_high": high}


@pytest.mark.parametrize("by", ["owner", "team", "region", "product", "source", "segment"])
def test_totals_belong_to_the_owner_at_the_closing(view, by):
    """
    Counts, amounts, closed rate and median cycle by the owner and team of the closing, or of the day while open.
    """
    people = people_as_of(view.world, view.day)
    expected = []
    for group, deals in grouped(view.deals, by).items():
        of = {
            status: [d for d in deals if d.status == status]
            for status in ("won", "lost", "open", "removed")
        }
        days = [(d.closed_on - d.created_on).days for d in of["won"] if d.created_on]
        person = people.get(group, {}) if by == "owner" else {}
        expected.append(
            {
                "group": group,
                "name": person.get("name", group),
                "team": person.get("team"),
                "n_deals": len(deals),
                **{f"n_{status}": len(part) for status, part in of.items()},
                "n_handed": sum(deal.is_handed for deal in deals),
                "won_amount": total([d.amount for d in of["won"]]) if of["won"] else 0.0,
                "open_amount": total([d.amount for d in of["open"]]) if of["open"] else 0.0,
                **interval("closed_rate", len(of["won"]), len(of["won"]) + len(of["lost"])),
                "cycle_days": quantile(days, 50),
            }
        )

    table = reps.totals(view.seen, by=by)

    assert_same(table, expected, ["group"])
    assert table["won_amount"].dropna().is_monotonic_decreasing


@pytest.mark.parametrize("periods", [1, 3])
def test_attainment_splits_credit_and_prorates_quotas(view, periods):
    """
    Revenue shares go to persons, a deal without them to its owner in full, overlay to nobody, teams get their deals.
    """
    quotas = [
        row
        for row in view.world.tables["quotas"]
        if row["measure"] == "amount" and row["period_start"] <= view.day.isoformat()
    ]
    starts = sorted({row["period_start"] for row in quotas})[-periods:]
    people = people_as_of(view.world, view.day)
    expected = [
        attained(row, people, credited(view, row), view.day)
        for row in quotas
        if row["period_start"] in starts
    ]

    table = reps.attainment(view.seen, periods=periods)

    assert_same(table, expected, ["holder_type", "holder", "period_start"])


def credited(view, quota):
    """Amount won in the period for the holder of a quota."""
    shares = {}
    for row in view.world.tables["credits"]:
        if row["type"] == "revenue":
            shares.setdefault(row["deal_id"], []).append(row)
    amount = 0.0
    for deal in view.deals:
        within = deal.status == "won" and (
            quota["period_start"] <= deal.closed_on.isoformat() <= quota["period_end"]
        )
        if not within or deal.amount is None:
            continue
        if quota["holder_type"] == "team":
            amount += deal.amount * (deal.segments["team"] == quota["holder_id"])
        elif deal.deal_id in shares:
            for row in shares[deal.deal_id]:
                amount += (
                    deal.amount * float(row["share"]) * (row["person_id"] == quota["holder_id"])
                )
        else:
            amount += deal.amount * (deal.segments["owner"] == quota["holder_id"])
    return amount


def attained(quota, people, amount, day):
    """The row of one quota."""
    person = people.get(quota["holder_id"], {}) if quota["holder_type"] == "person" else {}
    start, end = (datetime.date.fromisoformat(quota[f"period_{side}"]) for side in ("start", "end"))
    whole = [start + datetime.timedelta(days=n) for n in range((end - start).days + 1)]
    left_on = person.get("left_on") or ""
    left_on = left_on if left_on <= day.isoformat() else ""  # not known yet
    worked = [
        d for d in whole if (person.get("hired_on") or "") <= d.isoformat() <= (left_on or "9999")
    ]
    prorated = float(quota["value"]) * len(worked) / len(whole)
    return {
        "holder_type": quota["holder_type"],
        "holder": quota["holder_id"],
        "name": person.get("name", quota["holder_id"]),
        "period_start": start,
        "period_end": end,
        "quota": float(quota["value"]),
        "prorated_quota": prorated,
        "credited_amount": amount,
        "attainment": share(amount, prorated),
        "is_finished": end <= day,
    }


def test_ranking_counts_deals_old_enough_won_in_time(view):
    """
    Each owner's deals created at least that long ago, closed or not, and the wins within that age.
    """
    expected = []
    deals = [
        d for d in view.deals if d.status != "removed" and d.segments["owner"] and d.created_on
    ]
    old = [deal for deal in deals if (view.day - deal.created_on).days >= 30]
    for owner, part in grouped(old, "owner").items():
        won = [d for d in part if d.status == "won" and (d.closed_on - d.created_on).days <= 30]
        row = {"group": owner, "n_deals": len(part), "n_won": len(won)}
        expected.append(row | interval("raw_rate", len(won), len(part)))

    table, gate = reps.ranking(view.seen, age_days=30, case_mix=["product", "source"], draws=200)

    assert_same(table, expected, ["group"])
    assert gate["n_deals"].item() == len(old)
    assert gate["n_reps"].item() == len(expected)


def test_adjusted_rates_are_consistent(view):
    """
    Expected wins add up to the wins; the adjusted rate is O/E times the overall rate; intervals hold their rate.
    """
    table, gate = reps.ranking(view.seen, age_days=30, case_mix=["product", "source"], draws=200)

    overall = table["n_won"].sum() / table["n_deals"].sum()
    assert gate["overall_rate"].item() == pytest.approx(overall)
    assert table["expected"].sum() == pytest.approx(table["n_won"].sum(), abs=1e-6)
    observed_over_expected = table["n_won"] / table["expected"]
    assert table["observed_over_expected"].to_numpy() == pytest.approx(
        observed_over_expected.to_numpy()
    )
    adjusted = (observed_over_expected * overall).clip(upper=1)
    assert table["adjusted_rate"].to_numpy() == pytest.approx(adjusted.to_numpy())
    for name in ("raw_rate", "shrunk_rate"):
        low, high = table[f"{name}_low"], table[f"{name}_high"]
        assert ((low >= 0) & (low <= table[name]) & (table[name] <= high) & (high <= 1)).all()
    assert table["reliability"].between(0, 1).all()


def company(wins_of_50, n_reps=8):
    """Reps with 50 old deals each, of which so many were won."""
    deals = []
    for rep, wins in enumerate(wins_of_50):
        for number in range(50):
            deal = DEAL | {"deal_id": f"{rep}-{number}", "owner": f"r{rep}"}
            deals.append(deal | (WON if number < wins else LOST))
    people = [
        {"person_id": f"r{rep}", "name": f"Name {9 - rep}", "team": "T"} for rep in range(n_reps)
    ]
    return {"deals": deals, "people": people}


def test_equal_reps_are_not_ranked(see):
    """
    Where the data cannot separate the reps the gate is closed: no ranks, no top quartile, rows in order of name.
    """
    seen = see(company([10, 11, 9, 10, 12, 10, 9, 11]), "2026-06-30")

    table, gate = reps.ranking(seen, age_days=90, case_mix=[])

    assert not gate["is_open"].item()
    assert gate["p_value"].item() > 0.05
    assert table[["rank_low", "rank_high", "top_quartile_share"]].isna().all(axis=None)
    assert table["name"].is_monotonic_increasing
    assert table["group"].tolist() == [f"r{rep}" for rep in reversed(range(8))]


def test_different_reps_are_ranked_with_intervals(see):
    """
    With the gate open rows go by shrunk rate, ranks have intervals, and shares of the top quartile add up to it.
    """
    seen = see(company([2, 4, 8, 10, 12, 20, 30, 36]), "2026-06-30")

    table, gate = reps.ranking(seen, age_days=90, case_mix=[])

    assert gate["is_open"].item()
    assert table["shrunk_rate"].is_monotonic_decreasing
    assert table["group"].iloc[0] == "r7"
    assert (table["rank_low"] <= table["rank_high"]).all()
    assert table["rank_low"].iloc[0] == 1
    assert table["top_quartile_share"].sum() == pytest.approx(2, abs=0.01)  # of 8 reps
    spread = table["shrunk_rate"].max() - table["shrunk_rate"].min()
    assert spread < table["raw_rate"].max() - table["raw_rate"].min()


def test_the_gate_is_chi_squared_of_observed_and_expected(see):
    """
    Without case mix: sum of (wins - n p)² / (n p (1 - p)) over reps, on one degree of freedom less.
    """
    wins = [6, 9, 12, 15, 10, 8, 14, 11]
    p = sum(wins) / 400
    chi2 = sum((k - 50 * p) ** 2 / (50 * p * (1 - p)) for k in wins)

    _, gate = reps.ranking(see(company(wins), "2026-06-30"), age_days=90, case_mix=[])

    assert gate["chi2"].item() == pytest.approx(chi2)
    assert gate["df"].item() == 7


def test_covariates_that_are_often_empty_are_left_out(see):
    """
    Of three covariates one is filled and varies, one is empty for 6 % of the deals, one never varies.
    """
    tables = company([10, 20])
    for number, deal in enumerate(tables["deals"]):
        deal["source"] = "Fair" if number % 3 else "Web"
        deal["segment"] = "" if number < 6 else ("big" if number % 2 else "small")
        deal["product"] = "X"

    _, gate = reps.ranking(
        see(tables, "2026-06-30"), age_days=90, case_mix=["source", "segment", "product"]
    )

    assert gate["case_mix"].item() == "source"
    assert gate["left_out"].item() == "segment, product"


@pytest.mark.parametrize("name", ["team", "owner"])
def test_nobody_is_adjusted_for_being_who_they_are(see, name):
    """
    The case mix holds what a rep was given, so team and owner are refused.
    """
    seen = see(company([10, 20], n_reps=2), "2026-06-30")

    with pytest.raises(ValueError, match=f"must hold what a rep was given.*found '{name}'"):
        reps.ranking(seen, age_days=90, case_mix=[name])


def test_case_mix_moves_the_expectation(see):
    """
    A rep given only easy deals (80 % won by all) has more expected wins than one given hard ones (20 %).
    """
    deals = []
    for rep, source, n, wins in (
        *(("easy", "Web", 90, 72), ("easy", "Fair", 10, 2)),
        *(("hard", "Web", 10, 8), ("hard", "Fair", 90, 18)),
    ):
        for number in range(n):
            deal = DEAL | {"deal_id": f"{rep}{source}{number}", "owner": rep, "source": source}
            deals.append(deal | (WON if number < wins else LOST))

    table, _ = reps.ranking(see({"deals": deals}, "2026-06-30"), age_days=90, case_mix=["source"])

    table = table.set_index("group")
    assert table["raw_rate"].to_dict() == {"easy": 0.74, "hard": 0.26}
    assert table["expected"].to_dict() == pytest.approx({"easy": 74, "hard": 26}, abs=0.2)
    assert table["adjusted_rate"].to_dict() == pytest.approx({"easy": 0.5, "hard": 0.5}, abs=0.002)


@pytest.mark.parametrize("wins", [[0, 0], [50, 50], [25]])
def test_nothing_to_compare_gives_empty_tables(see, wins):
    """
    Without a win, without an unwon deal, or with one rep: no rows in either frame.
    """
    table, gate = reps.ranking(see(company(wins), "2026-06-30"), age_days=90, case_mix=[])

    assert table.empty
    assert gate.empty


def test_ranking_is_the_same_every_time(see):
    """
    The seed is stored: two runs agree to the last digit, another seed moves the drawn columns only.
    """
    seen = see(company([2, 4, 8, 10, 12, 20, 30, 36]), "2026-06-30")

    first, again = (reps.ranking(seen, age_days=90, case_mix=[], seed=3)[0] for _ in range(2))
    other, _ = reps.ranking(seen, age_days=90, case_mix=[], seed=4)

    assert first.equals(again)
    drawn = ["rank_low", "rank_high", "top_quartile_share"]
    assert first.drop(columns=drawn).equals(other.drop(columns=drawn))
    assert not first["top_quartile_share"].equals(other["top_quartile_share"])


def test_a_quota_counts_for_the_days_worked(see):
    """
    Hired on 1 March of a 90-day quarter: 31 days, and 600 of a prorated 31/90 × 900 is attained.
    """
    tables = {
        "deals": [DEAL | WON | {"amount": "600", "closed_at": "2026-03-20 09:00:00"}],
        "people": [{"person_id": "a", "name": "Ann", "team": "T", "hired_on": "2026-03-01"}],
        "quotas": [{"holder_type": "person", "holder_id": "a", "value": "900", **QUARTER}],
    }

    row = reps.attainment(see(tables, "2026-03-30")).iloc[0]

    assert row["prorated_quota"] == pytest.approx(310)
    assert row["attainment"] == pytest.approx(600 / 310)
    assert not row["is_finished"]
    assert row["name"] == "Ann"


def test_no_quota_no_attainment(see):
    """
    Without quotas the table is empty; with a quota of 0 the attainment is missing, not infinite.
    """
    deal = DEAL | WON | {"amount": "600"}
    quota = {"holder_type": "person", "holder_id": "a", "value": "0", **QUARTER}

    assert reps.attainment(see({"deals": [deal]}, "2026-06-30")).empty
    row = reps.attainment(see({"deals": [deal], "quotas": [quota]}, "2026-06-30")).iloc[0]
    assert math.isnan(row["attainment"])
    assert row["credited_amount"] == 600


def test_quotas_before_the_first_period(see):
    """
    Before any quota period has begun there is nothing to attain.
    """
    quota = {"holder_type": "person", "holder_id": "a", "value": "5", **QUARTER}
    later = quota | {"period_start": "2026-07-01", "period_end": "2026-09-30"}

    assert reps.attainment(see({"deals": [DEAL], "quotas": [later]}, "2026-06-30")).empty
