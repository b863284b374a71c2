"""What was known on a day: later facts do not exist."""

import datetime

import pandas as pd
import pytest
from export import ROOT, STAGES, write_export
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from pandas.testing import assert_frame_equal

from salesanalysis import crm
from salesanalysis.crm import sample
from salesanalysis.crm.errors import InputRefused
from salesanalysis.metrics import cohorts, funnel, reps

START = datetime.date(2026, 1, 1)
LIFE = ["A", "B", "lost", "B", "C", "won"]  # of the one deal below, a step every ten days


def day(n: int) -> str:
    return (START + datetime.timedelta(days=n)).isoformat()


def moment(n: int) -> str:
    return f"{day(n)} 12:00:00"


@pytest.fixture
def one_deal(load_tables):
    """Won on day 50, after being lost on day 20 and re-opened on day 30; handed over on days 15, 35 and 60."""
    events = [
        {"deal_id": "1", "stage": s, "entered_at": moment(10 * i)} for i, s in enumerate(LIFE)
    ]
    owners = [("ann", 0), ("bob", 15), ("cy", 35), ("dee", 60)]
    return load_tables(
        {
            "stages": STAGES,
            "deals": [
                {
                    "deal_id": "1",
                    "created_at": moment(0),
                    "stage": "won",
                    "status": "won",
                    "closed_at": moment(50),
                    "owner": "dee",
                    "amount": "30",
                }
            ],
            "stage_events": events,
            "owner_history": [
                {"deal_id": "1", "owner": o, "valid_from": moment(n)} for o, n in owners
            ],
            "deal_changes": [
                {
                    "deal_id": "1",
                    "field": "amount",
                    "old": "10",
                    "new": "20",
                    "changed_at": moment(5),
                },
                {
                    "deal_id": "1",
                    "field": "amount",
                    "old": "20",
                    "new": "30",
                    "changed_at": moment(45),
                },
            ],
            "people": [
                {"person_id": "ann", "name": "Ann", "team": "red", "valid_from": day(-100)},
                {"person_id": "bob", "name": "Bob", "team": "red", "valid_from": day(-100)},
                {
                    "person_id": "cy",
                    "name": "Cy",
                    "team": "red",
                    "valid_from": day(-100),
                    "valid_to": day(40),
                },
                {"person_id": "cy", "name": "Cy", "team": "blue", "valid_from": day(40)},
                {"person_id": "dee", "name": "Dee", "team": "blue", "valid_from": day(-100)},
            ],
        }
    )


@pytest.mark.parametrize(
    ("n", "status", "owner", "team", "amount", "exit_age"),
    [
        (0, "open", "ann", "red", 10, 0),
        (4, "open", "ann", "red", 10, 4),
        (5, "open", "ann", "red", 20, 5),
        (15, "open", "bob", "red", 20, 15),
        (20, "lost", "bob", "red", 20, 20),
        (29, "lost", "bob", "red", 20, 20),
        (30, "open", "bob", "red", 20, 30),
        (39, "open", "cy", "red", 20, 39),
        (40, "open", "cy", "blue", 20, 40),
        (45, "open", "cy", "blue", 30, 45),
        (50, "won", "cy", "blue", 30, 50),
        (90, "won", "cy", "blue", 30, 50),  # handed to dee after it was won: still cy's win
    ],
)
def test_a_deal_is_what_it_was_that_day(
    one_deal, observe, n, status, owner, team, amount, exit_age
):
    """State, owner, team and amount are those of the day, and a closed deal stays with whom it was closed by."""
    deals = observe(one_deal, day(n)).frame(
        "SELECT status, owner, team, amount, exit_age FROM deals"
    )

    assert deals.values.tolist() == [[status, owner, team, amount, exit_age]]


@pytest.mark.parametrize(
    ("n", "outcomes", "causes"),
    [
        (0, ["open"], [(0, 0)]),
        (12, ["advanced", "open"], [(1, 10), (0, 2)]),
        (25, ["advanced", "lost"], [(1, 10), (2, 10)]),
        (
            35,
            ["advanced", "lost", "open"],
            [(1, 10), (0, 25)],
        ),  # re-opened in B: its first visit is under way again
        (45, ["advanced", "lost", "advanced", "open"], [(1, 10), (1, 30), (0, 5)]),
        (60, ["advanced", "lost", "advanced", "advanced"], [(1, 10), (1, 30), (1, 10)]),
    ],
)
def test_stays_and_first_visits_are_those_of_the_day(one_deal, observe, n, outcomes, causes):
    """Every stay has its outcome of the day, every first visit its cause and age."""
    seen = observe(one_deal, day(n))

    stays = seen.frame("SELECT outcome FROM stays ORDER BY entered_on")["outcome"]
    visits = seen.frame("SELECT cause, exit_age FROM first_visits ORDER BY stage_order")
    assert stays.tolist() == outcomes
    assert list(visits.itertuples(index=False, name=None)) == causes


@pytest.mark.parametrize("n", [0, 39, 90])
def test_a_deal_was_given_to_whom_it_was_created_for(one_deal, observe, n):
    """Whatever became of it, the deal was given to ann of team red."""
    starts = observe(one_deal, day(n)).frame("SELECT owner, team FROM starts")

    assert starts.values.tolist() == [["ann", "red"]]


def test_a_snapshot_is_what_was_observed_that_day(one_deal, observe):
    """Looking back from a day gives the views of the earlier day, and no look ahead."""
    now = observe(one_deal, day(45))
    deals = "SELECT status, owner, amount, exit_age FROM deals"

    with now.at(day(25)) as then:
        assert then.as_of == datetime.date.fromisoformat(day(25))
        assert_frame_equal(then.frame(deals), observe(one_deal, day(25)).frame(deals))
    with now.at(now.as_of) as same:
        assert_frame_equal(same.frame(deals), now.frame(deals))
    with pytest.raises(ValueError, match=f"must lie on {day(45)} or before.*found {day(46)}"):
        now.at(day(46))


@pytest.mark.parametrize(("as_of", "n"), [("2026-06-29", 0), ("2026-06-30", 1), ("2026-07-01", 1)])
def test_a_quota_is_known_the_day_before_its_period(load_tables, observe, as_of, n):
    """At the end of a quarter the quotas of the next one can be compared with its forecast."""
    quota = {
        "holder_type": "team", "holder_id": "red", "period_start": "2026-07-01",
        "period_end": "2026-09-30", "measure": "amount", "value": "5",
    }  # fmt: skip
    deal = {"deal_id": "1", "created_at": moment(0), "stage": "A", "status": "open"}
    store = load_tables({"deals": [deal], "quotas": [quota]}, extracted_on="2026-12-31")

    assert len(observe(store, as_of).frame("SELECT * FROM quotas")) == n


def test_without_a_history_the_stage_is_known_on_the_day_of_the_export_only(load_tables, observe):
    """Before, the deal may have been anywhere."""
    deal = {"deal_id": "1", "created_at": moment(0), "stage": "A", "status": "open"}
    store = load_tables({"stages": STAGES, "deals": [deal]}, extracted_on=day(9))

    def stage(path, n):
        return observe(path, day(n)).frame("SELECT stage FROM deals")["stage"].fillna("").item()

    assert [stage(store, n) for n in (8, 9)] == ["", "A"]


def test_with_a_history_the_stage_is_that_of_the_stays(load_tables, observe):
    """Also on the day of the export."""
    deal = {"deal_id": "1", "created_at": moment(0), "stage": "A", "status": "open"}
    events = [{"deal_id": "1", "stage": "A", "entered_at": moment(0)}]
    tables = {"stages": STAGES, "deals": [deal], "stage_events": events}
    seen = observe(load_tables(tables, extracted_on=day(9)), day(9))

    assert seen.frame("SELECT stage FROM deals")["stage"].isna().all()
    assert seen.frame("SELECT stage FROM stays")["stage"].tolist() == ["A"]


def test_a_slow_query_prints_nothing(one_deal, observe):
    """The engine's own progress bar would be an output that no page may show."""
    setting = "SELECT current_setting('enable_progress_bar') AS is_shown"

    assert not observe(one_deal, day(50)).frame(setting)["is_shown"].item()


def test_nothing_is_known_before_the_first_deal(one_deal):
    """A day before everything is refused, naming the first day that can be seen."""
    with pytest.raises(InputRefused, match="created on 2026-01-01; found 2025-12-31"):
        crm.observe(one_deal, "2025-12-31")


def test_a_store_that_is_not_there_is_named(tmp_path):
    """The message says how to make one."""
    with pytest.raises(InputRefused, match=r"none\.duckdb must exist.*salesanalysis load"):
        crm.observe(tmp_path / "none.duckdb", "2026-01-01")


def test_a_day_is_local(load_tables, observe):
    """An event at 01:00 in Shanghai belongs to that day there, though it is the day before in UTC."""
    store = load_tables(
        {"deals": [{"deal_id": "1", "created_at": "2026-03-02 01:00:00", "status": "open"}]},
        timezone="Asia/Shanghai",
    )

    seen = observe(store, "2026-03-02")

    assert seen.frame("SELECT created_on FROM deals")["created_on"].tolist() == [
        pd.Timestamp("2026-03-02")
    ]
    with pytest.raises(InputRefused, match="must not lie before"):
        crm.observe(store, "2026-03-01")


def test_an_amount_known_only_at_closing_is_not_seen_before(tmp_path, observe):
    """Revenue that the source writes when the deal closes does not leak into earlier days."""
    rows = [
        {
            "deal_id": "1",
            "created_at": moment(0),
            "status": "won",
            "closed_at": moment(9),
            "amount": "5",
        }
    ]
    mapping = write_export(tmp_path, {"deals": rows})
    text = mapping.read_text("utf-8").replace(
        "amount: amount", "amount: {column: amount, known_at: close}"
    )
    mapping.write_text(text, "utf-8")

    store = crm.load(tmp_path, mapping, tmp_path / "crm.duckdb", say=lambda _: None)

    assert observe(store, day(8)).frame("SELECT amount FROM deals")["amount"].isna().all()
    assert observe(store, day(9)).frame("SELECT amount FROM deals")["amount"].tolist() == [5.0]


# A property: cut the event log at any day, write what the CRM held then, and nothing observed changes.

paths = st.lists(
    st.tuples(st.sampled_from(["A", "B", "C", "won", "lost"]), st.integers(0, 6)),
    min_size=1,
    max_size=7,
)
hands = st.lists(st.tuples(st.sampled_from(["ann", "bob", "cy"]), st.integers(0, 25)), max_size=3)
amounts = st.lists(st.tuples(st.integers(1, 9), st.integers(0, 25)), max_size=3)
worlds = st.lists(st.tuples(st.integers(0, 20), paths, hands, amounts), min_size=1, max_size=6)


def crm_as_it_stood(world, last: int) -> dict[str, list[dict]]:
    """What a CRM that logged `world` would have exported at the end of day `last`."""
    tables = {
        "stages": STAGES,
        "deals": [],
        "stage_events": [],
        "owner_history": [],
        "deal_changes": [],
    }
    tables["people"] = [
        {"person_id": "ann", "name": "Ann", "team": "red", "valid_from": day(-9)},
        {"person_id": "bob", "name": "Bob", "team": "red", "valid_from": day(-9)},
        {"person_id": "cy", "name": "Cy", "team": "blue", "valid_from": day(-9)},
    ]
    if last >= 12:
        tables["people"].append(
            {"person_id": "bob", "name": "Bob", "team": "blue", "valid_from": day(12)}
        )
    for number, (created, path, hand, amount) in enumerate(world):
        deal = {
            "deal_id": f"{number:03}",
            "created_at": moment(created),
            "status": "open",
            "closed_at": "",
        }
        if created > last:
            continue
        entered = created
        for place, (stage, wait) in enumerate(path):
            entered += wait if place else 0
            if entered > last:
                break
            tables["stage_events"].append(
                {
                    "deal_id": deal["deal_id"],
                    "stage": stage,
                    "entered_at": moment(entered),
                    "seq": str(place),
                }
            )
            repeated = deal.get("stage") == stage
            deal["stage"], deal["status"] = stage, stage if stage in ("won", "lost") else "open"
            if not (repeated and deal["status"] != "open"):
                deal["closed_at"] = moment(entered) if deal["status"] != "open" else ""
        spells = sorted({created: "ann", **{created + wait: owner for owner, wait in hand}}.items())
        for begins, owner in spells:
            if begins <= last:
                deal["owner"] = owner
                tables["owner_history"].append(
                    {"deal_id": deal["deal_id"], "owner": owner, "valid_from": moment(begins)}
                )
        worth = 100
        for changed, value in sorted({created + wait: value for value, wait in amount}.items()):
            if changed <= last and value != worth:
                tables["deal_changes"].append(
                    {
                        "deal_id": deal["deal_id"],
                        "field": "amount",
                        "old": str(worth),
                        "new": str(value),
                        "changed_at": moment(changed),
                    }
                )
                worth = value
        tables["deals"].append(deal | {"amount": str(worth)})
    return {name: rows for name, rows in tables.items() if rows}


VIEWS = {
    "deals": "deal_key",
    "stays": "deal_key, entered_on, exited_on, stage_order",
    "first_visits": "deal_key, stage_order",
    "people": "person_id",
    "state_spells": "deal_key, spell",
    "starts": "deal_key",
}


# Without shrinking: each example loads two stores, and a failing world is small as it is.
@settings(max_examples=40, deadline=None, derandomize=True, phases=[Phase.explicit, Phase.generate])
@given(world=worlds, last=st.integers(0, 60))
def test_what_came_later_changes_nothing(tmp_path_factory, world, last):
    """Observing day D gives the same from the data as it stood on D and from the data of today."""
    last = max(last, min(created for created, *_ in world))
    folder = tmp_path_factory.mktemp("world")
    views = []
    for name, cut in (("then", last), ("today", 400)):
        tables = crm_as_it_stood(world, cut)
        if "deal_changes" not in tables:
            tables["deal_changes"] = [
                {
                    "deal_id": "none",
                    "field": "amount",
                    "old": "",
                    "new": "",
                    "changed_at": moment(0),
                }
            ]
        mapping = write_export(folder / name, tables)
        store = crm.load(folder / name, mapping, folder / f"{name}.duckdb", say=lambda _: None)
        with crm.observe(store, day(last)) as seen:
            views.append(
                {
                    view: seen.frame(f"SELECT * FROM {view} ORDER BY {order}")
                    for view, order in VIEWS.items()
                }
            )
            accounting = funnel.stage_accounting(seen)
            assert (accounting[funnel.OUTCOMES].sum(axis=1) == accounting["entries"]).all()
            assert (accounting[funnel.INFLOWS].sum(axis=1) == accounting["entries"]).all()
            assert len(views[-1]["deals"]) == sum(created <= last for created, *_ in world)
    for view in VIEWS:
        assert_frame_equal(views[0][view], views[1][view], check_dtype=False)


@pytest.fixture(scope="module")
def stores(tmp_path_factory):
    """The sample company's store of today, and a function for its store as the CRM stood on a day."""
    folder = tmp_path_factory.mktemp("sample")
    mapping = folder / "sample.yaml"
    text = (ROOT / "params" / "sources" / "sample.yaml").read_text("utf-8")

    def store(as_of=None):
        name = f"{as_of or 'today'}"
        sample.write(folder / name, deals=1500, as_of=as_of, dirt=False)
        mapping.write_text(
            text.replace('extracted_on: "2026-06-30"', f'extracted_on: "{as_of or "2026-06-30"}"'),
            "utf-8",
        )
        return crm.load(folder / name, mapping, folder / f"{name}.duckdb", say=lambda _: None)

    return store(), store


@pytest.mark.parametrize("as_of", [datetime.date(2025, 3, 31), datetime.date(2025, 12, 31)])
def test_reports_of_a_day_are_the_same_from_data_of_that_day_and_of_today(stores, as_of):
    """Every metric table of the sample company as of D is equal from the export of D and from that of today."""
    today, store = stores

    tables = []
    for path in (today, store(as_of)):
        with crm.observe(path, as_of) as seen:
            tables.append(
                [
                    funnel.stage_accounting(seen, by="team"),
                    funnel.step_conversion(seen, within_days=30, by="owner"),
                    funnel.cumulative(seen, within_days=90, by="region"),
                    funnel.time_in_stage(seen),
                    funnel.status_now(seen),
                    cohorts.conversion(seen, ages=[30, 90], by="source"),
                    cohorts.monthly(seen, age_days=60),
                    cohorts.sales_cycle(seen),
                    reps.totals(seen),
                    reps.ranking(seen, age_days=60, case_mix=["source", "product"])[0],
                    reps.attainment(seen),
                ]
            )
    for then, now in zip(*tables, strict=True):
        assert_frame_equal(then, now)
