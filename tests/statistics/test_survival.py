"""Incidence and Kaplan-Meier: against R's values, plain loops over deals, and identities."""

from fractions import Fraction
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from pandas.testing import assert_frame_equal
from scipy.stats import CensoredData, ecdf, gamma

from salesanalysis.statistics.proportions import wilson
from salesanalysis.statistics.survival import (
    incidence,
    incidence_at,
    incidence_of_groups,
    kaplan_meier,
    quantile,
)

REFERENCE = Path(__file__).parents[1] / "reference"
SHARED = Path(__file__).resolve().parents[3] / "shared" / "reference"
SEEDS = range(12)

needs_mgus2 = pytest.mark.skipif(
    not (SHARED / "mgus2_competing_data.csv").exists(),
    reason="the mgus2 tables may not be carried and are not beside the project",
)


def by_deal(exits):
    """Age, cause and a count of one per deal."""
    return exits.iloc[:, 0], exits.iloc[:, 1], np.ones(len(exits))


def random_deals(seed, *, delayed=False):
    """Forty deals on a dozen ages, so that most are tied; rows of the same kind repeat."""
    rng = np.random.default_rng(seed)
    entry = rng.integers(-1, 6, 40) if delayed else np.full(40, -1)
    deals = pd.DataFrame({"entry": entry, "age": entry + 1 + rng.integers(0, 9, 40)})
    deals["cause"] = rng.choice([0, 1, 2], size=40, p=[0.3, 0.3, 0.4])
    return deals


def written_out(deals, of):
    """The formulas of the textbook in exact fractions, one deal at a time."""
    rows, open_share = [], Fraction(1)
    steps = []  # age, n, d, d of this cause, open share before, rate
    rate = Fraction(0)
    for t in sorted({d.age for d in deals.itertuples() if d.cause}):
        n = sum(1 for d in deals.itertuples() if d.entry < t <= d.age)
        events = sum(1 for d in deals.itertuples() if d.age == t and d.cause)
        own = sum(1 for d in deals.itertuples() if d.age == t and d.cause == of)
        rate += open_share * Fraction(own, n)
        steps.append((n, events, own, open_share, rate))
        open_share *= 1 - Fraction(events, n)
        variance = Fraction(0)
        for n_j, d_j, k_j, before, rate_j in steps:
            gap = rate - rate_j
            if n_j > d_j:
                variance += gap**2 * Fraction(d_j, n_j * (n_j - d_j))
            variance += before**2 * Fraction(k_j * (n_j - k_j), n_j**3)
            variance -= 2 * gap * before * Fraction(k_j, n_j**2)
        rows.append((t, n, events, own, open_share, rate, variance))
    columns = ["age_days", "n_at_risk", "n_events", "n_of", "open_share", "rate", "variance"]
    return pd.DataFrame(rows, columns=columns).astype(float)


def test_incidence_equals_r_on_ten_deals():
    """Won, lost and open on one day: risk sets, shares and errors are R's."""
    exits = pd.read_csv(REFERENCE / "hand10_data.csv")[["days", "outcome"]]
    expected = pd.read_csv(REFERENCE / "hand10_aj_ref_R.csv")

    won, lost = (incidence_at(*by_deal(exits), expected["time"], of=of) for of in (1, 2))

    assert_array_equal(won["n_at_risk"], expected["n_risk"])
    assert_allclose(won["open_share"], expected["p_open"], atol=1e-12)
    assert_allclose(won["rate"], expected["cif_won"], atol=1e-12)
    assert_allclose(lost["rate"], expected["cif_lost"], atol=1e-12)
    assert_allclose(np.sqrt(won["variance"]), expected["se_won"], atol=1e-12)
    assert_allclose(np.sqrt(lost["variance"]), expected["se_lost"], atol=1e-12)


def test_incidence_with_delayed_entry_equals_the_hand_worked_case():
    """A deal first seen at a later age is at risk only after it."""
    exits = pd.read_csv(REFERENCE / "hand6_entry_data.csv")
    expected = pd.read_csv(REFERENCE / "hand6_entry_aj_ref.csv")
    counts = (exits["exit_age"], exits["outcome"], np.ones(6))
    entries = {"entry_age": exits["entry_age"], "entry_n": np.ones(6)}

    won, lost = (incidence(*counts, of=of, **entries) for of in (1, 2))

    for found, name in ((won, "won"), (lost, "lost")):
        assert_array_equal(found["age_days"], expected["age"])
        assert_array_equal(found["n_at_risk"], expected["n_risk"])
        assert_allclose(found["open_share"], expected["p_open"], atol=1e-12)
        assert_allclose(found["rate"], expected[f"F_{name}"], atol=1e-12)
        assert_allclose(found["variance"], expected[f"var_{name}"], atol=1e-12)


@pytest.mark.parametrize("of", [1, 2])
@pytest.mark.parametrize("delayed", [False, True])
@pytest.mark.parametrize("seed", SEEDS)
def test_incidence_agrees_with_the_formulas_written_out(seed, delayed, of):
    """On random deals with many ties the curve is the textbook's, deal by deal."""
    deals = random_deals(seed, delayed=delayed)
    expected = written_out(deals, of)
    counted = deals.value_counts(["age", "cause"], sort=False).reset_index()

    found = incidence(
        counted["age"],
        counted["cause"],
        counted["count"],
        of=of,
        entry_age=deals["entry"],
        entry_n=np.ones(len(deals)),
    )

    for column in expected:
        assert_allclose(found[column], expected[column], rtol=1e-9, atol=1e-13, err_msg=column)


def test_incidence_of_ten_million_agrees_with_the_formulas_written_out():
    """Counts near 1e7 lose no digits that matter to the band."""
    rng = np.random.default_rng(0)
    age, cause = np.repeat(np.arange(40), 3), np.tile([0, 1, 2], 40)
    n = rng.integers(0, 160_000, 120)
    left = np.array([n[age >= t].sum() for t in range(40)], dtype=object)
    events = [int(n[(age == t) & (cause > 0)].sum()) for t in range(40)]
    own = [int(n[(age == t) & (cause == 1)].sum()) for t in range(40)]

    found = incidence(age, cause, n)

    open_share, rate = Fraction(1), Fraction(0)
    spread, mixed = Fraction(0), Fraction(0)  # Var(open share), Cov(open share, rate)
    variance = Fraction(0)
    for t in range(20):
        at_risk = int(left[t])
        p, q = Fraction(own[t], at_risk), 1 - Fraction(events[t], at_risk)
        variance += 2 * mixed * p + spread * p**2 + open_share**2 * p * (1 - p) / at_risk
        mixed = mixed * q + spread * p * q - open_share**2 * p * q / at_risk
        spread = spread * q**2 + open_share**2 * q * (1 - q) / at_risk
        rate += open_share * p
        open_share *= q
        # Rounded now and then, or the fractions grow without end.
        open_share, rate, variance, mixed, spread = (
            Fraction(x).limit_denominator(10**40)
            for x in (open_share, rate, variance, mixed, spread)
        )
    assert_allclose(found["rate"][19], float(rate), rtol=1e-12)
    assert_allclose(found["variance"][19], float(variance), rtol=1e-9)


def test_incidence_without_censoring_is_the_plain_share():
    """Where every deal is closed the rate is k of n, with Wilson's interval of k of n."""
    found = incidence_at([3, 5, 9, 9], [1, 2, 1, 2], [4, 6, 3, 7], [3, 5, 9, 400])
    won = np.array([4, 4, 7, 7])

    low, high = wilson(won, 20)

    assert_allclose(found["rate"], won / 20, atol=1e-12)
    assert_allclose(found["n_eff"], 20, atol=1e-9)
    assert_allclose(found["rate_low"], low, atol=1e-12)
    assert_allclose(found["rate_high"], high, atol=1e-12)


@pytest.mark.parametrize("seed", SEEDS)
def test_shares_of_all_states_add_up_to_one(seed):
    """Open, won and lost are all there is, and no share leaves [0, 1]."""
    deals = random_deals(seed)

    won, lost = (incidence(deals["age"], deals["cause"], np.ones(40), of=of) for of in (1, 2))

    assert_allclose(won["open_share"] + won["rate"] + lost["rate"], 1, atol=1e-12)
    for found in (won, lost):
        assert (found["rate_low"] >= 0).all()
        assert (found["rate_low"] <= found["rate"]).all()
        assert (found["rate"] <= found["rate_high"]).all()
        assert (found["rate_high"] <= 1).all()


def test_shares_of_all_states_add_up_to_one_by_hand():
    """Of four deals one is won, one seen no longer, one lost: halves of what remained."""
    found = incidence([1, 2, 3, 3], [1, 0, 2, 0], [1, 1, 1, 1], of=2)

    assert_array_equal(found["rate"], [0, 0.375])
    assert_array_equal(found["open_share"], [0.75, 0.375])


@pytest.mark.parametrize("delayed", [False, True])
def test_order_and_grouping_of_rows_change_nothing(delayed):
    """The curve depends on the counts only; rows of count zero are no deals."""
    deals = random_deals(3, delayed=delayed)
    entries = {"entry_age": deals["entry"], "entry_n": np.ones(40, dtype=int)}
    counted = deals.value_counts(["age", "cause"]).reset_index()
    counted.loc[len(counted)] = [99, 1, 0]
    counted = counted.sample(frac=1, random_state=1)

    one_by_one = incidence(deals["age"], deals["cause"], np.ones(40), **entries)
    grouped = incidence(counted["age"], counted["cause"], counted["count"], **entries)

    assert_frame_equal(one_by_one, grouped, rtol=1e-12)


def test_entry_from_the_start_is_the_default():
    """Entries all at age -1 change nothing, deals closed on their first day included."""
    counts = ([0, 0, 4, 6], [1, 0, 2, 0], [2, 1, 3, 5])

    with_entries = incidence_at(*counts, range(8), entry_age=[-1], entry_n=[11])

    assert_frame_equal(with_entries, incidence_at(*counts, range(8)))
    assert with_entries["n_at_risk"][0] == 11
    assert with_entries["rate"][0] == 2 / 11


def test_step_function_is_read_between_its_steps():
    """The rate at an age is that of the last event at or before it, counts are up to then."""
    counts = ([10, 20, 20, 30], [1, 2, 0, 1], [1, 2, 1, 4])

    found = incidence_at(*counts, [19, 20, 0, 10])

    assert_array_equal(found["age_days"], [19, 20, 0, 10])
    assert_array_equal(found["n_at_risk"], [7, 7, 8, 8])
    assert_array_equal(found["n_events"], [1, 3, 0, 1])
    assert_array_equal(found["n_of"], [1, 1, 0, 1])
    assert_array_equal(found["rate"], [0.125, 0.125, 0, 0.125])


def test_beyond_follow_up_nothing_is_known():
    """Past the longest follow-up the rate is NaN while deals are open, else final."""
    some_open = incidence_at([5, 9], [1, 0], [1, 1], [9, 10])
    all_closed = incidence_at([5, 9], [1, 2], [1, 1], [9, 10])
    columns = ["open_share", "rate", "variance", "n_eff", "rate_low", "rate_high"]

    assert some_open.loc[0, columns].notna().all()
    assert some_open.loc[1, columns].isna().all()
    assert_array_equal(some_open["n_at_risk"], [1, 0])
    assert_array_equal(all_closed["rate"], [0.5, 0.5])


def test_without_deals_nothing_is_known():
    """No deals give an empty curve, and NaN at every age asked for."""
    assert incidence([], [], []).empty
    assert incidence([4], [0], [3]).empty
    assert kaplan_meier([], [], []).empty
    assert np.isnan(incidence_at([], [], [], [0, 30])["rate"]).all()
    assert np.isnan(incidence_at([3], [1], [0], [0])["rate_high"]).all()


def test_rate_of_zero_rests_on_the_deals_whose_state_is_known():
    """With no win so far the band is that of 0 wins among closed deals and open ones as old."""
    z2 = 1.959963984540054**2

    found = incidence_at([5, 8, 12, 20], [0, 0, 2, 0], [1, 2, 3, 4], [0, 5, 6, 12, 13])

    assert_array_equal(found["n_eff"], [10, 10, 9, 7, 7])
    assert_array_equal(found["rate_low"], 0)
    assert_allclose(found["rate_high"], z2 / (np.array([10, 10, 9, 7, 7]) + z2))


@pytest.mark.parametrize("seed", SEEDS)
def test_rate_of_one_rests_on_the_deals_whose_state_is_known(seed):
    """With every deal won the rate is 1 and rounding in its variance does not show."""
    n = np.random.default_rng(seed).integers(1, 99, 30)

    found = incidence(range(30), np.ones(30), n).iloc[-1]

    assert found["variance"] == 0
    assert found["n_eff"] == n.sum()
    assert_allclose(found["rate_low"], n.sum() / (n.sum() + 1.959963984540054**2))


def test_rate_of_zero_with_delayed_entry_rests_on_the_smallest_risk_set():
    """Deals entering late say nothing on early ages: the smallest number at risk counts."""
    entries = {"entry_age": [0, 9], "entry_n": [4, 20]}

    found = incidence_at([5, 15, 30], [2, 2, 0], [1, 3, 20], [0, 2, 5, 12, 15], **entries)

    assert_array_equal(found["n_at_risk"], [0, 4, 4, 23, 23])
    assert_array_equal(found["n_eff"], [1, 4, 4, 4, 4])


@pytest.mark.parametrize("estimate", [incidence, kaplan_meier])
def test_more_confidence_widens_the_band(estimate):
    """A higher level gives a band that holds the lower one's, around the same curve."""
    counts = ([3, 5, 9], [1, 0, 1], [4, 6, 3])
    low, high = ("rate_low", "rate_high") if estimate is incidence else ("share_low", "share_high")

    narrow, wide = (estimate(*counts, confidence=level) for level in (0.8, 0.99))

    assert (wide[low] < narrow[low])[:1].all()
    assert (wide[high] > narrow[high])[:1].all()


def test_incidence_refuses_what_cannot_be_a_count():
    """Each refusal says what must hold, how many rows fail and which is first."""
    with pytest.raises(ValueError, match="age must be whole days, 0 or more, but 2 of 3 are not"):
        incidence([3, -2, np.nan], [1, 1, 1], [1, 1, 1])
    with pytest.raises(ValueError, match="age .* 1 of 2 are not, the first at position 1: 2.5"):
        incidence([3, 2.5], [1, 1], [1, 1])
    with pytest.raises(ValueError, match="age .* 1 of 2 are not, the first at position 0: nan"):
        incidence(pd.array([pd.NA, 2], dtype="Int64"), [1, 1], [1, 1])
    with pytest.raises(ValueError, match="cause must be 0 or 1 or 2, .* at position 2: 3"):
        incidence([3, 2, 1], [1, 2, 3], [1, 1, 1])
    with pytest.raises(ValueError, match="n must be whole numbers, 0 or more, .* position 0: -1"):
        incidence([3], [1], [-1])
    with pytest.raises(ValueError, match="same length, but have: age 2, cause 1, n 1"):
        incidence([3, 4], [1], [1])
    with pytest.raises(ValueError, match="of must be cause 1 or 2, but is 0"):
        incidence([3], [1], [1], of=0)
    with pytest.raises(ValueError, match="ages must be whole days, 0 or more"):
        incidence_at([3], [1], [1], [-1])
    with pytest.raises(ValueError, match="is_event must be 0 or 1"):
        kaplan_meier([3], [2], [1])


def test_incidence_refuses_entries_that_do_not_match():
    """Entries must cover the same deals, and each must enter before it leaves."""
    with pytest.raises(ValueError, match="given together"):
        incidence([3], [1], [1], entry_age=[-1])
    with pytest.raises(ValueError, match="entry_n sums to 2 and n to 1"):
        incidence([3], [1], [1], entry_age=[-1], entry_n=[2])
    with pytest.raises(ValueError, match="entry_age must be whole days, -1 or more"):
        incidence([3], [1], [1], entry_age=[-2], entry_n=[1])
    with pytest.raises(ValueError, match="at age 3 1 leave and 0 are at risk"):
        incidence([3], [1], [1], entry_age=[3], entry_n=[1])
    with pytest.raises(ValueError, match="more have left than entered"):
        incidence([3], [1], [1], entry_age=[4], entry_n=[1])


def freireich(group):
    """Weeks, relapse and a count of one per patient of one group."""
    patients = pd.read_csv(REFERENCE / "freireich_data.csv").query("group == @group")
    return by_deal(patients[["time", "event"]])


@pytest.mark.parametrize("group", ["6-MP", "placebo"])
def test_kaplan_meier_equals_r_on_the_leukaemia_data(group):
    """Shares and log-log limits are R's, at every week a patient left."""
    expected = pd.read_csv(REFERENCE / "freireich_km_ref_R.csv").query(
        "group == @group and conf_type == 'log-log' and n_event > 0"
    )

    found = kaplan_meier(*freireich(group))

    assert_array_equal(found["age_days"], expected["time"])
    assert_array_equal(found["n_at_risk"], expected["n_risk"])
    assert_array_equal(found["n_events"], expected["n_event"])
    assert_allclose(found["share"], expected["surv"], atol=1e-9)
    assert_allclose(found["share_low"], expected["lower"], atol=1e-9)
    assert_allclose(found["share_high"], expected["upper"], atol=1e-9)


@pytest.mark.parametrize("group", ["6-MP", "placebo"])
def test_quantiles_equal_r_on_the_leukaemia_data(group):
    """Quartiles and medians with their limits are R's; what is not reached is NaN."""
    expected = pd.read_csv(REFERENCE / "freireich_quantiles_ref_R.csv").query(
        "group == @group and conf_type == 'log-log'"
    )

    curve = kaplan_meier(*freireich(group))
    found = [quantile(curve, share) for share in expected["prob"]]

    assert_array_equal(found, expected[["q", "lower", "upper"]])


def test_quantile_at_a_flat_stretch_is_its_first_age():
    """A share of exactly one half reached at age 2 gives the median 2, rounding or not."""
    curve = kaplan_meier([1, 2, 7], [1, 1, 1], [1, 2, 3])

    assert quantile(curve, 0.5)[0] == 2
    with pytest.raises(ValueError, match="share must lie between 0 and 1, but is 50"):
        quantile(curve, 50)


@pytest.mark.parametrize("group", ["6-MP", "placebo"])
def test_band_equals_rothmans_on_the_leukaemia_data(group):
    """With one cause the band is Rothman's of the survival curve, turned over."""
    expected = pd.read_csv(REFERENCE / "freireich_rothman_ref_R.csv").query(
        "group == @group and surv > 0"
    )

    found = incidence_at(*freireich(group), expected["time"])

    assert_allclose(1 - found["rate"], expected["surv"], atol=1e-9)
    assert_allclose(np.sqrt(found["variance"]), expected["std_err"], atol=1e-9)
    assert_allclose(1 - found["rate_high"], expected["rothman_lower"], atol=1e-9)
    assert_allclose(1 - found["rate_low"], expected["rothman_upper"], atol=1e-9)


@pytest.mark.parametrize("seed", SEEDS)
def test_kaplan_meier_agrees_with_scipy(seed):
    """Shares and log-log limits are scipy's on deals written out one by one."""
    deals = random_deals(seed)
    deals["cause"] = deals["cause"].mask(deals["age"] == deals["age"].max(), 0)
    is_event = deals["cause"] > 0
    sample = CensoredData(uncensored=deals["age"][is_event], right=deals["age"][~is_event])
    expected = ecdf(sample).sf
    band = expected.confidence_interval(method="log-log")

    found = kaplan_meier(deals["age"], is_event, np.ones(40))

    at = found["age_days"]
    assert_allclose(found["share"], expected.evaluate(at), atol=1e-12)
    assert_allclose(found["share_low"], band.low.evaluate(at), atol=1e-12)
    assert_allclose(found["share_high"], band.high.evaluate(at), atol=1e-12)


@pytest.fixture
def mgus2():
    """Months, cause (1 progression, 2 death) and a count of one per patient."""
    return by_deal(pd.read_csv(SHARED / "mgus2_competing_data.csv")[["etime", "event"]])


@needs_mgus2
@pytest.mark.shared
@pytest.mark.parametrize(("of", "cause"), [(1, "pcm"), (2, "death")])
def test_incidence_equals_r_on_1384_patients(mgus2, of, cause):
    """Both causes' rates and errors are those of R's survival and etm packages."""
    expected = pd.read_csv(SHARED / "mgus2_aj_ref_R.csv").query(
        "group == 'all' and cause == @cause"
    )
    etm = pd.read_csv(SHARED / "mgus2_aj_variance_ref_R.csv").query("cause == @cause")

    found = incidence_at(*mgus2, expected["time"], of=of)

    assert_allclose(found["rate"], expected["cif"], atol=1e-9)
    assert_allclose(np.sqrt(found["variance"]), expected["std_err"], rtol=1e-9)
    assert_allclose(np.sqrt(found["variance"]), etm["se_etm"], rtol=1e-9)


@needs_mgus2
@pytest.mark.shared
def test_band_equals_the_formula_in_r_on_1384_patients(mgus2):
    """Effective numbers and Wilson's band on them are R's."""
    expected = pd.read_csv(SHARED / "mgus2_aj_wilson_band_ref_R.csv")

    found = incidence_at(*mgus2, expected["time"])

    assert_allclose(found["n_eff"], expected["n_eff"], rtol=1e-9)
    assert_allclose(found["rate_low"], expected["wilson_lo"], atol=1e-9)
    assert_allclose(found["rate_high"], expected["wilson_hi"], atol=1e-9)


@needs_mgus2
@pytest.mark.shared
def test_incidence_is_not_one_minus_kaplan_meier(mgus2):
    """Taking deaths as censored would give .424837 at 30 years; the rate is .134042."""
    wrong = pd.read_csv(SHARED / "mgus2_naive_1minusKM_ref_R.csv").set_index("time")
    age, cause, n = mgus2

    found = incidence_at(age, cause, n, [360])["rate"].item()

    curve = kaplan_meier(age, cause == 1, n).query("age_days <= 360")
    naive = 1 - curve["share"].iloc[-1]
    assert_allclose(naive, wrong.loc[360].item(), atol=1e-9)
    assert_allclose(found, 0.134042, atol=1e-6)


def test_incidence_is_not_one_minus_kaplan_meier_by_hand():
    """One of two is lost before the other is won: the won share is a half, not all."""
    counts = ([1, 2], [2, 1], [1, 1])

    assert incidence_at(*counts, [2])["rate"].item() == 0.5
    assert kaplan_meier([1, 2], [0, 1], [1, 1])["share"].item() == 0


def close_ages(rng, n, final_rate):
    """Days to closing, and whether won, of deals that all close one day."""
    is_won = rng.random(n) < final_rate
    return rng.gamma(2, np.where(is_won, 30, 22.5)), is_won


@pytest.mark.parametrize(("final_rate", "n"), [(0.05, 60), (0.25, 30)])
def test_band_covers_the_truth_as_often_as_simulated(final_rate, n):
    """On deals created evenly over 150 days the band at 90 days covers as in the table."""
    table = pd.read_csv(REFERENCE / "sim_aj_band_coverage.csv")
    row = table.query("p_final == @final_rate and n == @n and method == 'wilson-neff'")
    coverage, truth = row["coverage"].item(), final_rate * gamma.cdf(90, 2, scale=30)
    rng, covered = np.random.default_rng(11), []

    for _ in range(500):
        closed, is_won = close_ages(rng, n, final_rate)
        closed, last_seen = np.ceil(closed), 160 - np.floor(np.linspace(0, 150, n))
        cause = np.where(closed <= last_seen, np.where(is_won, 1, 2), 0)
        found = incidence_at(np.minimum(closed, last_seen), cause, np.ones(n), [90]).iloc[0]
        if not np.isnan(found["rate"]):
            covered.append(found["rate_low"] <= truth <= found["rate_high"])

    error = np.sqrt(coverage * (1 - coverage) / len(covered))
    assert len(covered) > 450
    assert abs(np.mean(covered) - coverage) < 3 * error


def test_band_with_delayed_entry_covers_the_truth_as_often_as_simulated():
    """The period estimate of a 60-day window covers as in the carried table."""
    table = pd.read_csv(REFERENCE / "sim_period_estimate.csv")
    row = table.query("deals_per_day == 1.2 and window_days == 60")
    coverage, truth = row["coverage"].item(), row["truth"].item()
    rng, runs, covered, n = np.random.default_rng(5), 300, 0, 600
    last, start = 500, 440

    for _ in range(runs):
        created = rng.integers(0, last, n)
        closed, is_won = close_ages(rng, n, 0.25)
        closed = created + np.floor(closed).astype(int)
        is_seen = closed > start
        created, closed, is_won = created[is_seen], closed[is_seen], is_won[is_seen]
        cause = np.where(closed <= last, np.where(is_won, 1, 2), 0)
        found = incidence_at(
            np.minimum(closed, last) - created,
            cause,
            np.ones(len(cause)),
            [90],
            entry_age=np.maximum(start - created, -1),
            entry_n=np.ones(len(cause)),
        )
        covered += found["rate_low"].item() <= truth <= found["rate_high"].item()

    assert abs(covered / runs - coverage) < 3 * np.sqrt(coverage * (1 - coverage) / runs)


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize("at", [0, 1, 7, 25])
def test_groups_read_at_once_are_those_read_one_by_one(seed, at):
    """
    Rates, bounds and effective numbers of many groups equal those of `incidence_at`, group by group.
    """
    rng = np.random.default_rng(seed)
    counts = np.zeros((9, 3, at + 2))
    expected = []
    for group in range(9):
        age = rng.integers(0, [3, 12, 40][group % 3], size=[1, 4, 60][group // 3])
        cause = rng.choice([[0, 1, 2], [1, 1, 1], [0, 0, 2]][seed % 3], size=len(age))
        np.add.at(counts, (group, cause, np.minimum(age, at + 1)), 1)
        expected.append(incidence_at(age, cause, np.ones(len(age), dtype=int), [at]))
    expected = pd.concat(expected, ignore_index=True)

    read = incidence_of_groups(counts)

    assert_frame_equal(read, expected[list(read)], rtol=1e-12)


def test_a_group_without_a_case_cannot_be_read():
    """
    No case, no rate.
    """
    assert incidence_of_groups(np.zeros((1, 3, 5))).isna().all(axis=None)
