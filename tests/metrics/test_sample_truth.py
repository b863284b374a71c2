"""
Do the reports recover what the sample company was made with (``truth.json``)?

Deals are sorted into the groups of the story (teams that changed their process, before and after, and the others) by
the export itself: first owner, that owner's team on the day, day of creation. Each group is loaded as an export of
its own. True share won by age t: final win rate x share of a gamma(2) time to winning that is at most t.
"""

import csv
import shutil
from pathlib import Path

import pytest
import yaml
from scipy.stats import binom, gamma, spearmanr

from salesanalysis import crm
from salesanalysis.crm import sample
from salesanalysis.crm.sample import world
from salesanalysis.metrics import cohorts, funnel, quality, reps

MAPPING = Path(__file__).parents[2] / "params" / "sources" / "sample.yaml"
DEALS = 12_000
CASE_MIX = ["source", "segment", "product"]
DAY_BEFORE = "2025-08-31"
CELLS = {  # group -> the day it is looked at
    "control": "2026-06-30",
    "treated_before": DAY_BEFORE,
    "treated_after": "2026-06-30",
}


def rows_of(folder, name):
    """Rows of a file of the export."""
    with (folder / f"{name}.csv").open(encoding="utf-8", newline="") as lines:
        return list(csv.DictReader(lines))


def cell_of(folder, truth):
    """Group of the story by deal, from owner history and people."""
    teams, first_owner = {}, {}
    for row in rows_of(folder, "people"):
        teams.setdefault(row["Employee No."], []).append((row["From"], row["Team"]))
    for row in sorted(rows_of(folder, "owner_history"), key=lambda row: row["From"]):
        first_owner.setdefault(row["Deal No."], row["Owner"])
    cells = {}
    for row in rows_of(folder, "deals"):
        owner, created = first_owner.get(row["Deal No."]), row["Created"]
        if owner not in teams or not created.startswith("20"):
            continue
        team = max(spell for spell in teams[owner] if spell[0] <= created[:10])[1]
        if team not in truth["change"]["treated_teams"]:
            cells[row["Deal No."]] = "control"
        else:
            is_after = created >= truth["change"]["date"]
            cells[row["Deal No."]] = "treated_after" if is_after else "treated_before"
    return cells


def load_deals(export, into, chosen=lambda number: True):
    """Load the deals table only, of the deals chosen."""
    into.mkdir()
    shutil.copy(export / "products.csv", into)
    with (export / "deals.csv").open(encoding="utf-8", newline="") as lines:
        header, *rows = csv.reader(lines)
    with (into / "deals.csv").open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([header, *(row for row in rows if row and chosen(row[0]))])
    mapping = yaml.safe_load(MAPPING.read_text("utf-8"))
    mapping["tables"] = {"deals": mapping["tables"]["deals"]}
    mapping["impossible"] = {}
    (into / "mapping.yaml").write_text(yaml.safe_dump(mapping, allow_unicode=True), "utf-8")
    return crm.load(into, into / "mapping.yaml", into / "crm.duckdb", say=lambda text: None)


@pytest.fixture(scope="module", params=[False, True], ids=["clean", "dirty"])
def company(request, tmp_path_factory):
    """The sample company, without and with dirt: its truth, and a store per group of the story."""
    folder = tmp_path_factory.mktemp("company")
    truth = sample.write(folder / "export", deals=DEALS, dirt=request.param)
    cells = cell_of(folder / "export", truth)
    stores = {
        cell: load_deals(
            folder / "export", folder / cell, lambda n, cell=cell: cells.get(n) == cell
        )
        for cell in CELLS
    }
    return truth, stores


def true_share(cell, age_days):
    """Share of a group's deals won by an age."""
    return cell["win_rate"] * gamma.cdf(age_days, 2, scale=cell["won_days"] / 2)


@pytest.mark.parametrize("cell", CELLS)
def test_conversion_recovers_the_true_share_won_by_age(company, cell):
    """
    At 30, 60, 90 and 180 days the true share lies in the 95 % interval: 15 % slow before, 32 % fast after.
    """
    truth, stores = company
    with crm.observe(stores[cell], CELLS[cell]) as seen:
        table = cohorts.conversion(seen, ages=[30, 60, 90, 180]).set_index("age_days")

    for age in (30, 60, 90, 180):
        row = table.loc[age]
        assert (
            row["won_rate_low"] <= true_share(truth["cells"][cell], age) <= row["won_rate_high"]
        ), age
        assert row["won_rate_high"] - row["won_rate_low"] < 0.08  # the interval says something


def test_treated_teams_changed_and_the_others_did_not(company):
    """
    At 180 days: after against before excludes no change, control against before does not.
    """
    _, stores = company
    rates = {}
    for cell, day in CELLS.items():
        with crm.observe(stores[cell], day) as seen:
            rates[cell] = cohorts.conversion(seen, ages=[180]).set_index("age_days").loc[180]

    before, after, control = (rates[c] for c in ("treated_before", "treated_after", "control"))
    assert after["won_rate_low"] > before["won_rate_high"]
    assert control["won_rate_low"] <= before["won_rate_high"]
    assert before["won_rate_low"] <= control["won_rate_high"]


def test_young_deals_mislead_the_created_rate_not_the_cohort_rate(company):
    """
    Three months after the change the created rate of the new deals is far below the truth; the curve is not.
    """
    truth, stores = company
    with crm.observe(stores["treated_after"], "2025-11-30") as seen:
        rates = cohorts.win_rates(seen, age_days=60, stale_days=180).set_index("label")

    share = true_share(truth["cells"]["treated_after"], 60)
    assert rates.loc["cohort", "rate_low"] <= share <= rates.loc["cohort", "rate_high"]
    assert rates.loc["created", "rate_high"] < share


@pytest.mark.parametrize(("cell", "last"), [("control", "2025-08"), ("treated_after", "2025-12")])
def test_sales_cycle_of_old_cohorts_is_the_true_one(company, cell, last, tmp_path):
    """
    Deals that had half a year and more: mean days to won within two standard errors of 60, and of 35.
    """
    truth, stores = company
    old = load_deals(stores[cell].parent, tmp_path / "old", created_by(stores[cell].parent, last))
    with crm.observe(old, "2026-06-30") as seen:
        whole = cohorts.sales_cycle(seen).iloc[-1]

    mean = truth["cells"][cell]["won_days"]
    error = (
        mean / 2**0.5 / whole["n_won"] ** 0.5
    )  # a gamma(2) time has a standard deviation of mean / sqrt 2
    assert abs(whole["mean_days"] - mean) < 2 * error
    assert error < 2.5


def created_by(folder, month):
    """Chooses deals created up to a month."""
    created = {row["Deal No."]: row["Created"][:7] for row in rows_of(folder, "deals")}
    return lambda number: "2024" <= created[number] <= month


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """The clean sample company with everything it recorded, and its truth."""
    folder = tmp_path_factory.mktemp("whole")
    truth = sample.write(folder, deals=DEALS, dirt=False)
    return crm.load(folder, MAPPING, folder / "crm.duckdb", say=lambda text: None), truth


@pytest.fixture(scope="module")
def ranked(whole):
    """Reps on the day before the change, with the true rate of each: its final one, by 120 days."""
    store, truth = whole
    with crm.observe(store, DAY_BEFORE) as seen:
        table, gate = reps.ranking(seen, age_days=120, case_mix=CASE_MIX)
    people = {rep["person_id"]: rep for rep in truth["reps"]}
    by_age = gamma.cdf(120, 2, scale=truth["cells"]["control"]["won_days"] / 2)
    table["true_rate"] = [people[rep]["win_rate_same_mix"] * by_age for rep in table["group"]]
    table["skill"] = [people[rep]["skill"] for rep in table["group"]]
    return table, gate


def test_counts_are_those_of_the_truth(whole):
    """
    Won, lost and open deals add up to the counts that the company wrote down.
    """
    store, truth = whole
    with crm.observe(store, truth["as_of"]) as seen:
        counts = reps.totals(seen, by="team")[["n_won", "n_lost", "n_open", "n_removed"]].sum()

    for name, n in counts.items():
        assert n == sum(cell[name] for cell in truth["cells"].values())


def test_stage_accounting_shows_where_deals_are_lost(whole):
    """
    Lost entries by stage have the true shares, each within four standard errors, as of the last day.
    """
    store, truth = whole
    with crm.observe(store, truth["as_of"]) as seen:
        lost = funnel.stage_accounting(seen).set_index("stage")["lost"]

    for stage in truth["stages"]:
        share = stage["lost_from_share"]
        error = (share * (1 - share) / lost.sum()) ** 0.5
        assert abs(lost[stage["stage"]] / lost.sum() - share) < 4 * error, stage


def test_intervals_of_shrunk_rates_cover_the_true_rates(ranked):
    """
    About 95 % of the reps: between the 0.1 % and the 99.9 % quantile of a binomial count.
    """
    table, _ = ranked
    covered = table["true_rate"].between(table["shrunk_rate_low"], table["shrunk_rate_high"]).sum()

    low, high = binom.ppf([0.001, 0.999], len(table), 0.95)
    assert low <= covered <= high


def test_rates_follow_skill_and_shrinking_helps(ranked):
    """
    O/E and shrunk rates rise with true skill; shrunk rates are nearer to the truth than raw ones.
    """
    table, gate = ranked

    for name in ("observed_over_expected", "shrunk_rate"):
        correlation = spearmanr(table[name], table["skill"])
        assert correlation.statistic > 0.2
        assert correlation.pvalue < 0.001
    errors = {
        name: (table[name] - table["true_rate"]).pow(2).mean()
        for name in ("raw_rate", "shrunk_rate")
    }
    assert errors["shrunk_rate"] < errors["raw_rate"] / 2
    assert gate["n_reps"].item() == len(table) > 100


def test_the_spread_between_reps_is_of_the_true_size(ranked, whole):
    """
    Posterior mean of tau within a factor of 1.6 of the .25 that skills were drawn with.
    """
    _, gate = ranked
    _, truth = whole

    assert truth["tau"] / 1.6 < gate["spread"].item() < truth["tau"] * 1.6


def test_the_gate_stays_closed_where_reps_do_not_differ(tmp_path, monkeypatch):
    """
    Six companies whose reps all have the same skill: at a 5 % test at most two of them look different (p = .998).
    """
    monkeypatch.setattr(world, "TAU", 0.0)
    opened = 0
    for seed in range(6):
        sample.write(tmp_path / f"export{seed}", deals=1500, seed=seed, dirt=False)
        store = load_deals(tmp_path / f"export{seed}", tmp_path / f"deals{seed}")
        with crm.observe(store, DAY_BEFORE) as seen:
            _, gate = reps.ranking(seen, age_days=90, case_mix=CASE_MIX)
        opened += bool(gate["is_open"].item())

    assert opened <= 2


def test_dirt_is_in_the_books(tmp_path):
    """
    Each fault the company put into its files turns up in the ledger, the rows set aside or the findings.
    """
    truth = sample.write(tmp_path, deals=3000)
    store = crm.load(tmp_path, MAPPING, tmp_path / "crm.duckdb", say=lambda text: None)
    with crm.observe(store, truth["as_of"]) as seen:
        books = quality.ledger(seen).set_index("table")
        rejected = quality.rejected(seen).groupby(["table", "reason"])["n_rows"].sum()
        found = quality.findings(seen).groupby("kind")["n_rows"].sum()

    n = {kind: fault["count"] for kind, fault in truth["dirt"].items()}
    assert (books["n_in"] == books[["n_accepted", "n_quarantined", "n_refused"]].sum(axis=1)).all()
    assert rejected["deals", "duplicate"] == n["duplicate_deal_rows"]
    assert rejected["deals", "not_ts"] == n["unparseable_created"]
    assert rejected["deals", "missing"] == n["empty_created"]
    assert rejected["deals", "closed_before_created"] == n["closed_before_created"]
    assert rejected["deals", "closed_without_date"] == n["won_without_closed"]
    assert rejected["stage_events", "unknown_stage"] == n["unknown_stage_in_history"]
    assert found["removed_deals"] == n["removed_deleted"] + n["removed_merged"]
    assert found["created_closed"] == n["created_in_end_state"]
    assert found["unknown_value"] == n["product_typo"]
