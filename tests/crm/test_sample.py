"""The sample company's export, read with nothing but the csv module and counted plainly."""

import csv
import datetime
import itertools
import json
import math
import re
import statistics
from collections import Counter, defaultdict
from pathlib import Path

import pytest
import yaml

from salesanalysis.crm import sample
from salesanalysis.crm.mapping import read_mapping

PARAMS = Path(__file__).parents[2] / "params"
MAPPING = PARAMS / "sources" / "sample.yaml"
STAGES = ["初步接触", "需求确认", "方案演示", "报价", "合同谈判"]
WON, LOST = "赢单", "丢单"
TABLES = ("deals", "stage_history", "owner_history", "deal_changes", "activities", "people")
FILES = (*TABLES, "stages", "products", "quotas", "credits", "satisfaction", "payments")
PLANS = {"Due", "Expected Close", "Old", "New", "Start", "End"}  # may lie in the future
CHANGE = "2025-09-01"


def rows_of(folder, name):
    """All rows of a clean file as dicts."""
    with (folder / f"{name}.csv").open(encoding="utf-8", newline="") as lines:
        return list(csv.DictReader(lines, strict=True))


def read(folder):
    """All clean files of an export."""
    return {name: rows_of(folder, name) for name in FILES}


def by_deal(rows):
    """Rows of each deal, in the order of the file."""
    found = defaultdict(list)
    for row in rows:
        found[row["Deal No."]].append(row)
    return found


def team_at(people, person, day):
    """Team of a person on a day (text comparison of ISO dates)."""
    spells = [row for row in people if row["Employee No."] == person and row["From"] <= day]
    return max(spells, key=lambda row: row["From"])["Team"]


def days_between(start, end):
    """Days with fraction between two written instants."""
    span = datetime.datetime.fromisoformat(end) - datetime.datetime.fromisoformat(start)
    return span.total_seconds() / 86_400


@pytest.fixture(scope="module")
def large(tmp_path_factory):
    """20,000 deals without faults, and their truth."""
    folder = tmp_path_factory.mktemp("large")
    truth = sample.write(folder, deals=20_000, dirt=False)
    return read(folder), truth


@pytest.fixture(scope="module")
def cells(large):
    """Deals of the large export by group of teams and process."""
    return by_cell(*large)


def by_cell(tables, truth):
    """Deals of an export by group of teams and process, found from people and owner history."""
    people, found = defaultdict(list), defaultdict(list)
    for row in tables["people"]:
        people[row["Employee No."]].append(row)
    first_owner = {}
    for row in tables["owner_history"]:
        first_owner.setdefault(row["Deal No."], row["Owner"])
    for deal in tables["deals"]:
        owner = first_owner[deal["Deal No."]]
        is_treated = (
            team_at(people[owner], owner, deal["Created"]) in truth["change"]["treated_teams"]
        )
        is_after = deal["Created"] >= CHANGE
        deal["First Owner"] = owner
        found[
            ("treated_after" if is_after else "treated_before") if is_treated else "control"
        ].append(deal)
    return found


@pytest.fixture(scope="module")
def clean(tmp_path_factory):
    """1,500 deals without faults, as of the last day."""
    folder = tmp_path_factory.mktemp("clean")
    sample.write(folder, deals=1500, dirt=False)
    return read(folder)


def test_same_arguments_give_the_same_bytes(tmp_path):
    """
    Two exports with the same arguments are equal byte for byte, and another seed gives another.
    """
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        sample.write(tmp_path / name, deals=300, seed=seed)
    bytes_of = {
        name: {path.name: path.read_bytes() for path in (tmp_path / name).iterdir()}
        for name in "abc"
    }

    assert bytes_of["a"] == bytes_of["b"]
    assert sorted(bytes_of["a"]) == sorted([*(f"{name}.csv" for name in FILES), "truth.json"])
    assert bytes_of["a"]["deals.csv"] != bytes_of["c"]["deals.csv"]


def test_returns_what_stands_in_truth_json(tmp_path):
    """
    The returned truth is the one written, and its row counts are those of the files.
    """
    truth = sample.write(tmp_path, deals=300, dirt=False)

    assert truth == json.loads((tmp_path / "truth.json").read_text(encoding="utf-8"))
    assert truth["rows"] == {f"{name}.csv": len(rows) for name, rows in read(tmp_path).items()}


def test_mapping_names_every_column_of_every_file(clean):
    """
    Each column of each exported file is mapped or ignored, and no other is named.
    """
    mapping = read_mapping(MAPPING)

    for table in mapping.tables.values():
        named = {spec.column for spec in table.columns.values() if spec.column} | set(table.ignore)
        assert named == set(clean[table.file.removesuffix(".csv")][0])
    files = {table.file.removesuffix(".csv") for table in mapping.tables.values()}
    assert files | {"products"} == set(FILES)


def test_mapping_knows_every_text_that_is_translated(clean):
    """
    Each text found in a translated column has its canonical text in the mapping.
    """
    for table in read_mapping(MAPPING).tables.values():
        for spec in table.columns.values():
            if spec.values:
                rows = clean[table.file.removesuffix(".csv")]
                assert {row[spec.column] for row in rows} <= set(spec.values)


def test_ids_are_text_of_fixed_width(clean):
    """
    Numbers of deals, activities, accounts and people have leading zeros, which a number would lose.
    """
    for table, column, form in (
        ("deals", "Deal No.", r"\d{7}"),
        ("deals", "Account No.", r"C\d{7}"),
        ("deals", "Owner", r"E\d{4}"),
        ("activities", "Activity No.", r"A\d{8}"),
    ):
        assert all(re.fullmatch(form, row[column]) for row in clean[table])
    assert clean["deals"][0]["Deal No."] == "0000001"


def test_history_ends_where_the_deal_stands(clean):
    """
    A deal's entries start at its creation, follow on without gaps and end in its present stage.
    """
    history = by_deal(clean["stage_history"])

    assert len(clean["deals"]) == len(history) == 1500
    for deal in clean["deals"]:
        steps = history[deal["Deal No."]]
        assert [row["Seq"] for row in steps] == [str(k + 1) for k in range(len(steps))]
        assert steps[0]["Entered"] == deal["Created"]
        assert [row["Left"] for row in steps] == [row["Entered"] for row in steps[1:]] + [""]
        assert steps[-1]["Stage"] == deal["Stage"]
        assert all(row["Entered"] <= row["Left"] for row in steps[:-1])
        is_closed = deal["Stage"] in (WON, LOST)
        assert deal["State"] == (deal["Stage"] if is_closed else "进行中")
        assert deal["Closed"] == (steps[-1]["Entered"] if is_closed else "")


def test_owner_spells_follow_on_within_a_team(clean):
    """
    Owners follow each other without gaps, stay in the team, and the last one is the present owner.
    """
    people = clean["people"]
    spells_of, left = by_deal(clean["owner_history"]), {}
    for row in people:
        left[row["Employee No."]] = row["Left"] or "9999"

    for deal in clean["deals"]:
        spells = spells_of[deal["Deal No."]]
        assert spells[0]["From"] == deal["Created"]
        assert spells[-1]["Owner"] == deal["Owner"]
        assert [row["To"] for row in spells] == [row["From"] for row in spells[1:]] + [""]
        for old, new in itertools.pairwise(spells):
            day = new["From"][:10]
            assert old["Owner"] != new["Owner"]
            assert team_at(people, old["Owner"], day) == team_at(people, new["Owner"], day)
            assert day <= left[new["Owner"]]
        assert deal["State"] != "进行中" or left[deal["Owner"]] == "9999"


def test_changes_lead_to_the_present_values(clean):
    """
    Each change starts from the value before it, and the last one is the value of the deal.
    """
    column = {"金额": "Amount", "预计成交日": "Expected Close"}
    deals = {row["Deal No."]: row for row in clean["deals"]}
    last = {}
    for row in sorted(clean["deal_changes"], key=lambda row: row["Changed"]):
        key = (row["Deal No."], row["Field"])
        assert row["Old"] == last.get(key, row["Old"]) != row["New"]
        last[key] = row["New"]

    assert {field for _, field in last} == set(column)
    assert all(deals[deal][column[field]] == value for (deal, field), value in last.items())


def test_revenue_credits_of_won_deals_add_up_to_one(clean):
    """
    Exactly the won deals have revenue credit, in shares that add up to one; overlay comes on top.
    """
    won = {row["Deal No."]: row["Owner"] for row in clean["deals"] if row["State"] == WON}
    revenue = [row for row in clean["credits"] if row["Type"] == "业绩"]
    shares = {deal: sorted(row["Share"] for row in rows) for deal, rows in by_deal(revenue).items()}

    assert shares.keys() == won.keys()
    assert {tuple(parts) for parts in shares.values()} == {("1",), ("0.3", "0.7")}
    assert all(
        won[row["Deal No."]] == row["Employee No."] for row in revenue if row["Share"] != "0.3"
    )
    assert 0 < sum(row["Type"] == "协同" for row in clean["credits"]) < 0.1 * len(won)


def test_rep_quotas_add_up_to_about_the_teams(clean):
    """
    In each quarter the quotas of a team's reps add up to 90-110 % of the team's.
    """
    quarters = {row["Start"] for row in clean["quotas"]}
    teams = {row["Holder"] for row in clean["quotas"] if row["Holder Type"] == "团队"}

    assert len(quarters) == 9  # and the one that begins the day after the last
    for start in quarters:
        here = [row for row in clean["quotas"] if row["Start"] == start]
        total = Counter()
        for row in here:
            if row["Holder Type"] == "人员":
                total[team_at(clean["people"], row["Holder"], start)] += float(row["Value"])
        for team in teams:
            (value,) = (float(row["Value"]) for row in here if row["Holder"] == team)
            assert 0.9 < total[team] / value < 1.1


def test_company_is_of_the_size_described(tmp_path):
    """
    At 3,000 deals: 40 reps, 8 teams in 4 regions, joiners, leavers, one move each, Chinese and Latin names.
    """
    sample.write(tmp_path, dirt=False)
    tables = read(tmp_path)
    reps = [row for row in tables["people"] if row["Role"] == "销售"]
    spells = Counter(row["Employee No."] for row in reps)

    assert len(tables["deals"]) == 3000
    assert len(spells) == 40
    assert len({row["Team"] for row in reps}) == 8
    assert len({row["Region"] for row in tables["deals"]}) == 4
    assert set(spells.values()) == {1, 2}
    assert sum(row["Hired"] > "2024-07-01" for row in reps) > 3
    assert sum(row["Left"] != "" for row in reps) > 3
    assert {row["Name"].isascii() for row in tables["people"]} == {True, False}
    assert 3 < len(tables["activities"]) / 3000 < 5


def test_deals_arrive_in_working_hours_all_the_time(large):
    """
    Deals are created Monday to Friday from 9:00 to 18:00, in each of the 24 months, slightly more each year.
    """
    created = [datetime.datetime.fromisoformat(row["Created"]) for row in large[0]["deals"]]
    months = Counter(f"{at:%Y-%m}" for at in created)

    assert all(at.weekday() < 5 and 9 <= at.hour < 18 for at in created)
    assert (min(months), max(months), len(months)) == ("2024-07", "2026-06", 24)
    assert max(months.values()) < 1.6 * min(months.values())
    first_year = sum(at < datetime.datetime(2025, 7, 1) for at in created)
    assert 1.05 < (len(created) - first_year) / first_year < 1.2


@pytest.mark.parametrize(
    ("cell", "first", "last", "win_rate", "won_days"),
    [
        ("control", "2024-07", "2025-07", 0.15, 60),
        ("treated_before", "2024-07", "2025-07", 0.15, 60),
        ("treated_after", "2025-09", "2026-01", 0.32, 35),
        ("control", "2025-09", "2025-11", 0.15, 60),
    ],
)
def test_true_rates_and_cycles_are_recovered(cells, large, cell, first, last, win_rate, won_days):
    """
    Of deals old enough, share won, mean and median days to it are the true ones within 3 standard errors.
    """
    deals = [row for row in cells[cell] if first <= row["Created"] < last]
    days = [days_between(row["Created"], row["Closed"]) for row in deals if row["State"] == WON]
    rate_error = math.sqrt(win_rate * (1 - win_rate) / len(deals))
    days_error = won_days / math.sqrt(2 * len(days))  # gamma of shape 2: SD = mean / sqrt(2)

    assert len(deals) > 700
    assert abs(len(days) / len(deals) - win_rate) < 3 * rate_error
    assert abs(sum(days) / len(days) - won_days) < 3 * days_error
    assert abs(statistics.median(days) - 0.839 * won_days) < 3 * 1.25 * days_error
    assert large[1]["cells"][cell]["win_rate"] == win_rate
    assert large[1]["cells"][cell]["won_days"] == won_days


def test_in_a_company_without_a_change_the_treated_teams_sell_as_before(tmp_path):
    """Their deals of after the day are won as often as ever, and nobody else's deals or people are touched."""
    truth = sample.write(tmp_path / "null", deals=12_000, changed=False, dirt=False)
    real = sample.write(tmp_path / "real", deals=12_000, dirt=False)
    after = [
        row
        for row in by_cell(read(tmp_path / "null"), truth)["treated_after"]
        if row["Created"] < "2026-01"
    ]
    won = sum(row["State"] == WON for row in after)

    assert truth["change"] == real["change"] | {"changed": False}
    assert real["change"]["changed"] is True
    assert list(truth["cells"]) == ["control", "treated_before"]
    assert truth["cells"]["control"] == real["cells"]["control"]
    assert len(after) > 700
    assert abs(won / len(after) - 0.15) < 3 * math.sqrt(0.15 * 0.85 / len(after))
    people = [(tmp_path / name / "people.csv").read_bytes() for name in ("null", "real")]
    assert people[0] == people[1]


def test_counts_by_cell_are_those_of_the_export(cells, large):
    """
    The counts by state in truth.json are what a plain count by team and date of creation finds.
    """
    states = {"n_won": WON, "n_lost": LOST, "n_open": "进行中"}
    for cell, truth in large[1]["cells"].items():
        found = Counter(row["State"] for row in cells[cell])
        assert {name: truth[name] for name in states} == {
            name: found[state] for name, state in states.items()
        }
        assert truth["n_deals"] == len(cells[cell])


def log_odds(deals):
    """Log odds of winning, and its variance."""
    won = sum(row["State"] == WON for row in deals)
    return math.log(won / (len(deals) - won)), 1 / won + 1 / (len(deals) - won)


def test_case_mix_and_skill_show_in_the_outcomes(cells, large):
    """
    Odds of winning differ by source, and between skilled and other reps, as the truth says within 3 SE.
    """
    truth = large[1]
    old = [
        row
        for cell in ("control", "treated_before")
        for row in cells[cell]
        if row["Created"] < "2026"
    ]
    skill = {rep["person_id"]: rep["skill"] for rep in truth["reps"]}
    high = [row for row in old if skill[row["First Owner"]] > 0.2]
    low = [row for row in old if skill[row["First Owner"]] < -0.2]
    mean = [sum(skill[row["First Owner"]] for row in part) / len(part) for part in (high, low)]
    effects = truth["case_mix"]["source"]
    by_source = {source: [row for row in old if row["Source"] == source] for source in effects}

    for a, b, expected in (
        (high, low, mean[0] - mean[1]),
        (by_source["转介绍"], by_source["官网"], effects["转介绍"] - effects["官网"]),
        (by_source["电话开发"], by_source["官网"], effects["电话开发"] - effects["官网"]),
    ):
        (odds_a, var_a), (odds_b, var_b) = log_odds(a), log_odds(b)
        assert abs(odds_a - odds_b - expected) < 3 * math.sqrt(var_a + var_b)
        assert abs(odds_a - odds_b) > 3 * math.sqrt(var_a + var_b)


def test_skills_spread_as_the_truth_says(large):
    """
    The SD of the reps' true skills is the tau given, within 3 standard errors.
    """
    skills = [rep["skill"] for rep in large[1]["reps"]]
    tau = large[1]["tau"]

    spread = math.sqrt(sum(x * x for x in skills) / len(skills))

    assert tau == 0.25
    assert abs(spread - tau) < 3 * tau / math.sqrt(2 * len(skills))


def test_lost_deals_leave_from_the_stages_as_the_truth_says(large):
    """
    Of deals lost, the last stage is distributed as in truth.json, within 4 standard errors.
    """
    tables, truth = large
    history = by_deal(tables["stage_history"])
    old = [row for row in tables["deals"] if row["Created"] < "2025-09" and row["State"] == LOST]
    last = Counter(history[row["Deal No."]][-2]["Stage"] for row in old)

    for stage in truth["stages"]:
        share = stage["lost_from_share"]
        error = math.sqrt(share * (1 - share) / len(old))
        assert abs(last[stage["stage"]] / len(old) - share) < 4 * error


def test_paths_hold_reopenings_skips_moves_back_and_ties(large):
    """
    One deal in fifty is reopened; some skip, move back, or change twice in one second.
    """
    tables, truth = large
    place = {stage: k for k, stage in enumerate([*STAGES, WON])}
    found = Counter()
    old = {
        row["Deal No."] for row in tables["deals"] if row["Created"] < "2025-09" and row["Closed"]
    }
    for deal, steps in by_deal(tables["stage_history"]).items():
        path = [row["Stage"] for row in steps]
        pairs = [(place[a], place[b]) for a, b in itertools.pairwise(path) if LOST not in (a, b)]
        found["skip"] += any(b > a + 1 for a, b in pairs)
        found["move_back"] += any(b < a for a, b in pairs)
        found["reopen"] += deal in old and LOST in path[:-1]
        found["tie"] += any(row["Entered"] == row["Left"] for row in steps)

    reopen = truth["paths"]["reopen"]
    assert abs(found["reopen"] / len(old) - reopen) < 4 * math.sqrt(reopen / len(old))
    assert 0.01 < found["skip"] / 20_000 < 0.05
    assert 0.01 < found["move_back"] / 20_000 < 0.06
    assert 10 < found["tie"] < 100


def test_stale_deals_stay_open_or_are_lost_late(large):
    """
    A few percent of old deals are still open after a year, and some are closed by the system after long.
    """
    old = [row for row in large[0]["deals"] if row["Created"] < "2025-06"]
    still_open = sum(row["State"] == "进行中" for row in old)
    by_system = sum(
        row["Stage"] == LOST and row["How"] == "自动" for row in large[0]["stage_history"]
    )

    assert 0.01 < still_open / len(old) < 0.04
    assert by_system > 0.005 * len(old)


def test_six_customers_in_ten_are_asked_and_half_answer(large):
    """
    Satisfaction is asked for about 60 % of won deals and answered by half, on a scale to 10.
    """
    asked = large[0]["satisfaction"]
    won = [row for row in large[0]["deals"] if row["State"] == WON and row["Closed"] < "2026-06"]
    answered = [row for row in asked if row["Answered"]]

    assert abs(len(asked) / len(won) - 0.6) < 0.05
    assert abs(len(answered) / len(asked) - 0.5) < 0.05
    assert all(row["Asked"] < row["Answered"] and 1 <= int(row["Score"]) <= 10 for row in answered)
    assert all(row["Score"] == "" for row in asked if not row["Answered"])


def in_time(tables):
    """Stays of a month and more ago that are over: deal, row, and whether what params/process.yaml requires was done."""
    required = process_stages()
    done = defaultdict(list)
    for row in tables["activities"]:
        if row["Done"]:
            done[row["Deal No."]].append((row["Done"], row["Type"]))
    for deal, steps in by_deal(tables["stage_history"]).items():
        for row in steps:
            if row["Stage"] in required and "" < row["Left"] < "2026-05-31":
                kinds, days = required[row["Stage"]]
                last = datetime.datetime.fromisoformat(row["Entered"]) + datetime.timedelta(days)
                end = min(row["Left"], str(last))
                yield (
                    deal,
                    row,
                    any(row["Entered"] <= at <= end and kind in kinds for at, kind in done[deal]),
                )


def process_stages():
    """Kinds of activity that each stage requires, one of them once, and the days allowed."""
    stages = yaml.safe_load((PARAMS / "process.yaml").read_text("utf-8"))["stages"]
    for stage in stages:
        assert [action["at_least"] for action in stage["actions"]] == [1]
    return {
        stage["stage"]: (stage["actions"][0]["activities"], stage["sla_days"]) for stage in stages
    }


def assert_share(found, expected):
    """The share of true ones among `found` is the one expected, within 3.5 standard errors."""
    error = math.sqrt(expected * (1 - expected) / len(found))
    assert abs(sum(found) / len(found) - expected) < 3.5 * error


def test_required_actions_are_done_as_the_truth_says(cells, large):
    """
    In 45 % of the stays, and in 80 % of those of treated teams' new deals, in each stage alike.
    """
    tables, truth = large
    cell_of = {row["Deal No."]: cell for cell, rows in cells.items() for row in rows}
    found = defaultdict(list)
    for deal, row, is_done in in_time(tables):
        found[cell_of[deal], row["Stage"]].append(is_done)

    assert len(found) == 15
    for (cell, _), stays in found.items():
        assert len(stays) > 150
        assert_share(stays, {"treated_after": 0.8}.get(cell, 0.45))
    assert [truth["cells"][cell]["actions_done"] for cell in cells] == [
        {"treated_after": 0.8}.get(cell, 0.45) for cell in cells
    ]


def test_required_actions_say_nothing_about_the_outcome(cells, large):
    """
    Deals that are won, and deals that are lost, have the same share of stays with the required action done.
    """
    tables, _ = large
    new = {row["Deal No."] for row in cells["treated_after"]}
    state = {row["Deal No."]: row["State"] for row in tables["deals"]}
    found = defaultdict(list)
    for deal, row, is_done in in_time(tables):
        # the first stage is everybody's; later ones are reached by those lost later
        found[deal in new, state[deal], row["Stage"] == STAGES[0]].append(is_done)

    for is_new, share in ((False, 0.45), (True, 0.8)):
        for outcome, is_first in itertools.product((WON, LOST), (True, False)):
            assert_share(found[is_new, outcome, is_first], share)


def test_required_kinds_are_those_of_the_process_file(large):
    """
    truth.json and the stages of the export say what params/process.yaml requires, and in how many days.
    """
    tables, truth = large
    days = {row["Stage"]: row["Max Days"] for row in tables["stages"]}

    assert {
        stage["stage"]: (stage["required"], int(days[stage["stage"]])) for stage in truth["stages"]
    } == process_stages()


def test_activities_are_planned_before_they_are_done(clean):
    """
    About half are planned for later than they are entered; none is due or done before that; a few are forgotten.
    """
    rows = clean["activities"]
    ahead = sum(row["Created"] < row["Due"] for row in rows)

    assert all(row["Created"] <= row["Due"] for row in rows)
    assert all(row["Due"] <= row["Done"] for row in rows if row["Done"])
    assert 0.45 < ahead / len(rows) < 0.55
    overdue = [row for row in rows if row["Due"] < "2026-06" and not row["Done"]]
    assert 0.02 < len(overdue) / len(rows) < 0.08


def test_reps_visit_customers_a_few_times_a_month(tmp_path):
    """
    At the default size two to four visits done per rep and month before the change, more after it.
    """
    sample.write(tmp_path, dirt=False)
    visits = Counter(
        row["Done"][:7] for row in rows_of(tmp_path, "activities") if row["Type"] == "拜访"
    )
    people = [row for row in rows_of(tmp_path, "people") if row["Role"] == "销售"]

    def per_rep(month):
        reps = {
            row["Employee No."]
            for row in people
            if row["From"] < f"{month}-15" and not "" < row["Left"] < f"{month}-15"
        }
        return visits[month] / len(reps)

    before = [per_rep(f"2025-{month:02d}") for month in range(1, 9)]
    after = [per_rep(f"2026-{month:02d}") for month in range(1, 7)]
    assert 2 < statistics.mean(before) < 3.5 < statistics.mean(after) < 4.5


def payments_of(tables):
    """Payments of each deal in cents and by day, paid and refunded."""
    paid, back = defaultdict(list), defaultdict(list)
    for row in tables["payments"]:
        cents = round(float(row["Amount"]) * 100)
        (paid if cents > 0 else back)[row["Deal No."]].append((row["Paid"], cents))
    return paid, back


def test_won_deals_are_paid_to_the_cent(large):
    """
    Deals won half a year ago are paid in full, in up to three instalments after they were won, but a few never.
    """
    tables, truth = large
    paid, _ = payments_of(tables)
    deals = {row["Deal No."]: row for row in tables["deals"]}
    old = [row for row in tables["deals"] if row["State"] == WON and row["Closed"] < "2025-12-31"]
    never = [row["Deal No."] for row in old if row["Deal No."] not in paid]
    sizes = Counter(len(paid[row["Deal No."]]) for row in old if row["Deal No."] in paid)

    assert all(deals[deal]["State"] == WON for deal in paid)
    for row in old:
        parts = paid.get(row["Deal No."], [])
        cents = round(float(row["Amount"]) * 100)
        assert sum(part for _, part in parts) in (cents, 0)
        shares = [round(part / cents, 2) for _, part in parts]
        assert shares in ([], [1], [0.5, 0.5], [0.3, 0.6, 0.1])
        assert all(row["Closed"][:10] < day for day, _ in parts)
        assert all(datetime.date.fromisoformat(day).weekday() < 5 for day, _ in parts)
    assert_share([row["Deal No."] in never for row in old], 0.03)
    for size, share in ((1, 0.35), (2, 0.25), (3, 0.4)):
        error = math.sqrt(share * (1 - share) / sizes.total())
        assert abs(sizes[size] / sizes.total() - share) < 3.5 * error
    listed = truth["payments"]["never_paid"]
    assert set(never) <= set(listed["deal_ids"])
    assert not set(listed["deal_ids"]) & paid.keys()
    assert listed["count"] == len(listed["deal_ids"])


def test_a_few_customers_get_money_back(large):
    """
    One paid deal in twenty is refunded within months, once, in full or in part, after it was paid; truth.json lists them.
    """
    tables, truth = large
    paid, back = payments_of(tables)
    old = {
        row["Deal No."]
        for row in tables["deals"]
        if row["State"] == WON and row["Closed"] < "2025-09"
    }
    found = {"refunded_in_full": [], "refunded_in_part": []}
    days = []
    for deal, rows in back.items():
        ((day, cents),) = rows
        total = sum(part for _, part in paid[deal])
        assert max(day for day, _ in paid[deal]) < day
        assert cents == -total or 0.09 < -cents / total < 0.51
        found["refunded_in_full" if cents == -total else "refunded_in_part"].append(deal)
        days.append(days_between(max(day for day, _ in paid[deal]), day))

    assert_share([deal in back for deal in old if deal in paid], 0.05)
    assert 8 <= min(days) <= max(days) <= 123
    for kind, deals in found.items():
        assert truth["payments"][kind]["count"] == len(deals) > 20
        assert sorted(truth["payments"][kind]["deal_ids"]) == sorted(deals)
    for name, rows in (("paid_amount", paid), ("refunded_amount", back)):
        cents = sum(abs(part) for parts in rows.values() for _, part in parts)
        assert round(truth["payments"][name] * 100) == cents


def test_truth_about_payments_is_that_of_the_day(tmp_path):
    """
    As of a past day truth.json lists what had been refunded by then, and only deals won by then as never paid.
    """
    truth = sample.write(tmp_path, dirt=False, as_of=datetime.date(2025, 6, 30))["payments"]
    _, back = payments_of({"payments": rows_of(tmp_path, "payments")})
    won = {row["Deal No."] for row in rows_of(tmp_path, "deals") if row["State"] == WON}

    assert sorted(back) == sorted(
        truth["refunded_in_full"]["deal_ids"] + truth["refunded_in_part"]["deal_ids"]
    )
    assert set(truth["never_paid"]["deal_ids"]) <= won
    assert truth["never_paid"]["count"] > 0


@pytest.mark.parametrize(("reps", "deals"), [(12, 50), (55, 400), (600, 900)])
def test_the_number_of_reps_is_as_asked(tmp_path, reps, deals):
    """
    So many people have the role of a rep, all names differ, and nobody owns a deal who is none.
    """
    truth = sample.write(tmp_path, deals=deals, reps=reps, dirt=False)
    people = rows_of(tmp_path, "people")
    sellers = {row["Employee No."] for row in people if row["Role"] == "销售"}

    assert len(sellers) == len(truth["reps"]) == reps
    assert len({row["Name"] for row in people}) == len({row["Employee No."] for row in people})
    assert {row["Owner"] for row in rows_of(tmp_path, "deals")} <= sellers


# -- as of a day ---------------------------------------------------------------------------------------

WHEN = {  # file -> when a row becomes known; what becomes known later: instant -> the cells with it
    "stage_history": ("Entered", {"Left": ["Left"]}),
    "owner_history": ("From", {"To": ["To"]}),
    "deal_changes": ("Changed", {}),
    "activities": ("Created", {"Done": ["Done", "Minutes", "Outcome"]}),
    "people": ("From", {"To": ["To"], "Left": ["Left"]}),
    "quotas": ("Start", {}),
    "satisfaction": ("Asked", {"Answered": ["Answered", "Score"]}),
    "payments": ("Paid", {}),
}


def known_on(day, tables):
    """What the full export says about what was known at the end of a day."""
    end = f"{day} 24"
    tomorrow = datetime.date.fromisoformat(day) + datetime.timedelta(days=1)
    known = {name: tables[name] for name in ("stages", "products")}
    for name, (since, later) in WHEN.items():
        known_until = f"{tomorrow} 24" if name == "quotas" else end  # set the day before
        known[name] = [dict(row) for row in tables[name] if row[since] < known_until]
        for row in known[name]:
            for instant, cells in later.items():
                if row[instant] >= end:
                    row.update(dict.fromkeys(cells, ""))
    steps, owners = by_deal(known["stage_history"]), by_deal(known["owner_history"])
    known["deals"] = []
    first_later = {}
    for row in tables["deal_changes"]:
        if row["Changed"] >= end:
            first_later.setdefault((row["Deal No."], row["Field"]), row["Old"])
    for row in tables["deals"]:
        if row["Created"] >= end:
            continue
        deal, now = row["Deal No."], steps[row["Deal No."]][-1]
        is_closed = now["Stage"] in (WON, LOST)
        known["deals"].append(
            row
            | {
                "Stage": now["Stage"],
                "State": now["Stage"] if is_closed else "进行中",
                "Closed": now["Entered"] if is_closed else "",
                "Owner": owners[deal][-1]["Owner"],
                "Amount": first_later.get((deal, "金额"), row["Amount"]),
                "Expected Close": first_later.get((deal, "预计成交日"), row["Expected Close"]),
                "Lost Reason": row["Lost Reason"] if is_closed and row["Closed"] < end else "",
            }
        )
    won = {row["Deal No."] for row in known["stage_history"] if row["Stage"] == WON}
    known["credits"] = [row for row in tables["credits"] if row["Deal No."] in won]
    return known


@pytest.mark.parametrize(
    "day", ["2024-07-01", "2024-07-31", "2025-03-31", "2025-10-04", "2026-06-29"]
)
def test_past_export_is_what_was_known_then(tmp_path, clean, day):
    """
    An export as of a day holds exactly what the full export says was known at the end of that day.
    """
    assert_past_export(tmp_path, clean, day)


def test_past_export_shows_a_deal_lost_before_it_was_reopened(tmp_path, clean):
    """
    On a day between a loss and the return, the deal is lost, closed, and without the reason given later.
    """
    lost = next(
        row
        for row in clean["stage_history"]
        if row["Stage"] == LOST and row["Left"][:10] > row["Entered"][:10]
    )

    then = assert_past_export(tmp_path, clean, lost["Entered"][:10])

    (deal,) = (row for row in then["deals"] if row["Deal No."] == lost["Deal No."])
    assert (deal["State"], deal["Closed"], deal["Lost Reason"]) == (LOST, lost["Entered"], "")


def assert_past_export(folder, full, day):
    """Write the clean company as of a day and compare it with what the full export says of it."""
    sample.write(folder, deals=1500, dirt=False, as_of=datetime.date.fromisoformat(day))
    then, expected = read(folder), known_on(day, full)
    for name in FILES:
        assert len(then[name]) == len(expected[name])
        assert then[name] == expected[name]
    return then


def test_past_export_with_faults_says_nothing_later(tmp_path):
    """
    No instant or day of a past export, faults included, lies after its day, plans apart.
    """
    sample.write(tmp_path, as_of=datetime.date(2025, 3, 31))

    for name in FILES:
        header, *rows = csv_rows(tmp_path, name)
        cells = [
            cell
            for row in rows
            for column, cell in zip(header, row, strict=False)
            if column not in PLANS and re.match(r"\d{4}-\d\d-\d\d", cell)
        ]
        assert max(cells, default="") < "2025-03-31 24"


def test_last_day_is_the_default(tmp_path):
    """
    The export as of the last day is the default export.
    """
    sample.write(tmp_path / "a", deals=200)
    sample.write(tmp_path / "b", deals=200, as_of=datetime.date(2026, 6, 30))

    for path in (tmp_path / "a").iterdir():
        assert path.read_bytes() == (tmp_path / "b" / path.name).read_bytes()


# -- faults --------------------------------------------------------------------------------------------


def csv_rows(folder, name):
    """All records of a file, also empty ones and those with too many fields."""
    with (folder / f"{name}.csv").open(encoding="utf-8", newline="") as lines:
        return list(csv.reader(lines, strict=True))


def is_instant(text):
    """Whether text is an instant as declared."""
    try:
        datetime.datetime.strptime(text, "%Y-%m-%d %H:%M:%S")
    except ValueError:
        return False
    return True


def scan(folder):
    """Faults that a plain look at the files finds: kind -> sorted deal numbers."""
    header, *records = csv_rows(folder, "deals")
    deals = [dict(zip(header, record, strict=True)) for record in records]
    stripped = [{name: cell.strip() for name, cell in row.items()} for row in deals]
    removed = {row["Deal No."]: row["Merged Into"] for row in stripped if row["State"] == "已删除"}
    products = {row["Product"] for row in rows_of(folder, "products")}
    events = rows_of(folder, "stage_history")
    ids = Counter(row["Deal No."] for row in deals)
    header, *activities = csv_rows(folder, "activities")
    before = dict(zip(map(id, activities[1:]), activities, strict=False))
    found = {
        "duplicate_deal_rows": [deal for deal, n in ids.items() for _ in range(n - 1)],
        "unparseable_created": [
            row["Deal No."] for row in stripped if row["Created"] and not is_instant(row["Created"])
        ],
        "empty_created": [row["Deal No."] for row in stripped if not row["Created"]],
        "closed_before_created": [
            row["Deal No."]
            for row in stripped
            if is_instant(row["Created"]) and "" < row["Closed"] < row["Created"]
        ],
        "won_without_closed": [
            row["Deal No."] for row in stripped if row["State"] == WON and not row["Closed"]
        ],
        "product_typo": [row["Deal No."] for row in stripped if row["Product"] not in products],
        "bad_amount": [
            row["Deal No."] for row in stripped if not re.fullmatch(r"\d+\.\d\d", row["Amount"])
        ],
        "owner_empty": [row["Deal No."] for row in stripped if not row["Owner"]],
        "padded_values": [
            row["Deal No."] for row, bare in zip(deals, stripped, strict=True) if row != bare
        ],
        "removed_deleted": [deal for deal, into in removed.items() if not into],
        "removed_merged": [
            deal for deal, into in removed.items() if into in ids and into not in removed
        ],
        "created_in_end_state": [
            row["Deal No."] for row in events if row["Seq"] == "1" and row["Stage"] in (WON, LOST)
        ],
        "unknown_stage_in_history": [
            row["Deal No."] for row in events if row["Stage"] not in [*STAGES, WON, LOST]
        ],
        "orphan_stage_events": [row["Deal No."] for row in events if row["Deal No."] not in ids],
        "wide_activity_rows": [row[1] for row in activities if len(row) > len(header)],
        "blank_activity_rows": [before[id(row)][1] for row in activities if not row],
    }
    return {kind: sorted(deals) for kind, deals in found.items()}


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"deals": 50},
        {"deals": 1000, "seed": 7},
        {"as_of": datetime.date(2025, 3, 31)},
        {"deals": 20_000},
    ],
)
def test_faults_are_those_that_a_plain_look_finds(tmp_path, given):
    """
    Kind by kind the deals with a fault are those listed in truth.json, and its counts count them.
    """
    truth = sample.write(tmp_path, **given)["dirt"]

    assert {kind: sorted(fault["deal_ids"]) for kind, fault in truth.items()} == scan(tmp_path)
    assert all(fault["count"] == len(fault["deal_ids"]) for fault in truth.values())


def test_default_export_has_each_kind_of_fault_in_small_amounts(tmp_path):
    """
    At 3,000 deals each kind of fault occurs, none more than ten times; deals with one are few.
    """
    truth = sample.write(tmp_path)["dirt"]

    assert len(truth) == 16
    assert all(1 <= fault["count"] <= 10 for fault in truth.values())


def test_without_dirt_there_are_no_faults(tmp_path):
    """
    With `dirt=False` a plain look finds no fault and truth.json lists none.
    """
    truth = sample.write(tmp_path, deals=2000, dirt=False)

    assert truth["dirt"] == {}
    assert set(map(tuple, scan(tmp_path).values())) == {()}


def test_faults_change_nothing_else(tmp_path):
    """
    Deals without a fault have the same row with and without faults in the export.
    """
    truth = sample.write(tmp_path / "soiled", deals=500)
    sample.write(tmp_path / "clean", deals=500, dirt=False)
    touched = {deal for fault in truth["dirt"].values() for deal in fault["deal_ids"]}
    soiled = [
        row for row in rows_of(tmp_path / "soiled", "deals") if row["Deal No."] not in touched
    ]
    clean = [row for row in rows_of(tmp_path / "clean", "deals") if row["Deal No."] not in touched]

    owners = [(a.pop("Owner"), b.pop("Owner")) for a, b in zip(soiled, clean, strict=True)]

    assert len(owners) > 400
    assert sum(a != b for a, b in owners) < 60  # hand-overs are drawn anew


def test_removed_deals_have_no_later_history(tmp_path):
    """
    Nothing is recorded about a deal after it was deleted or merged.
    """
    sample.write(tmp_path)
    removed = {
        row["Deal No."]: row["Closed"]
        for row in rows_of(tmp_path, "deals")
        if row["State"].strip() == "已删除"
    }

    assert all(removed.values())
    for name, since in (
        ("stage_history", "Entered"),
        ("deal_changes", "Changed"),
        ("owner_history", "From"),
        ("activities", "Created"),
        ("activities", "Done"),
    ):
        for row in rows_of(tmp_path, name):
            assert row[since] <= removed.get(row["Deal No."], "9999")


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"deals": 49}, "deals must be a whole number, 50 or more, found 49"),
        ({"deals": 100.0}, "deals must be a whole number, 50 or more, found 100.0"),
        ({"reps": 11}, "reps must be a whole number from 12 to 600, found 11"),
        ({"reps": 601}, "reps must be a whole number from 12 to 600, found 601"),
        ({"reps": 20.0}, "reps must be a whole number from 12 to 600, found 20.0"),
        ({"seed": -1}, "seed must be a whole number, 0 or more, found -1"),
        ({"as_of": datetime.date(2024, 6, 30)}, "from 2024-07-01 to 2026-06-30, found 2024-06-30"),
        ({"as_of": datetime.date(2026, 7, 1)}, "from 2024-07-01 to 2026-06-30, found 2026-07-01"),
    ],
)
def test_arguments_that_cannot_be_are_refused(tmp_path, given, message):
    """
    An argument out of range is refused with what must hold and what was found, and nothing is written.
    """
    with pytest.raises(ValueError, match=message):
        sample.write(tmp_path / "new", **given)

    assert not (tmp_path / "new").exists()


def test_a_file_in_place_of_the_folder_is_refused(tmp_path):
    """
    A folder that is a file, or lies in one, is refused by name.
    """
    (tmp_path / "taken").write_text("mine")

    for folder in (tmp_path / "taken", tmp_path / "taken" / "below"):
        with pytest.raises(ValueError, match="taken is a file; name another folder"):
            sample.write(folder)
