"""
The text the metrics send to the engine: plain enough for PostgreSQL and Spark, and free of dates of observation.

`make golden` rewrites the translations in ``golden/`` (sqlglot, pinned); read the difference before committing it.
"""

import dataclasses
import datetime
import difflib
import re
from pathlib import Path

import pandas as pd
import pytest
import sqlglot
from export import ROOT
from sqlglot import exp

from salesanalysis import crm
from salesanalysis.crm import sample
from salesanalysis.crm.process import MEASURES
from salesanalysis.crm.seen import _KEPT, Seen
from salesanalysis.metrics import (
    accounts,
    actions,
    attention,
    bottlenecks,
    chances,
    cohorts,
    conformance,
    credit,
    forecast,
    funnel,
    impact,
    impact_checks,
    impact_parts,
    incentives,
    kpi_audit,
    kpis,
    periods,
    pipeline,
    quality,
    reps,
    scorecards,
    staff,
    summary,
    twins,
)

GOLDEN = Path(__file__).parent / "golden"
DIALECTS = ("postgres", "spark")
DAYS = ("2025-12-31", "2025-07-15")
PROCESS = crm.read_process(ROOT / "params" / "process.yaml")
LIMITS = {"ahead_days": 3, "pushes": 1, "loss_probability": 0.5}


def by_segment(metric, **keywords):
    """A metric as a whole, and by a segment."""
    return [lambda seen, by=by: metric(seen, by=by, **keywords) for by in (None, "region")]


def of_process(metric, **keywords):
    """A metric of the process in the last quarter, with stages that name their pipeline and such that do not."""
    stages = tuple(dataclasses.replace(one, pipeline="新客户销售") for one in PROCESS.stages)
    return [
        lambda seen, process=process: metric(
            seen, process, periods.period("", as_of=seen.as_of), **keywords
        )
        for process in (PROCESS, dataclasses.replace(PROCESS, stages=stages))
    ]


ARGUMENTS = {  # of measures, some of them also without
    "activities": [{"types": ("拜访", "电话")}],
    "activities_on_time": [{}, {"types": ("拜访",)}],
    "stage_conversion": [{"stage": "需求确认", "days": 30}],
    "cohort_win_rate": [{"age_days": 90}],
    "sales_cycle": [{"age_days": 90}],
    "response_rate": [{"days": 10}],
    "hand_overs": [{"days": 7}],
    "data_hygiene": [{"days": 14}],
}
KPIS = [
    dataclasses.replace(PROCESS.kpis[0], measure=measure, arguments=arguments)
    for measure in MEASURES
    for arguments in ARGUMENTS.get(measure, [{}])
]


def of_kpis(metric):
    """A metric of each measure, in the last quarter."""
    return [
        lambda seen, kpi=kpi: metric(seen, kpi, periods.period("", as_of=seen.as_of))
        for kpi in KPIS
    ]


def of_change(metric, **keywords):
    """A metric of a change, of teams and of a segment, with and without a comparison group."""
    return [
        lambda seen, by=by, treated=treated: metric(
            seen, impact.read_change(seen, "2025-05-01", by, treated, []), **keywords
        )
        for by, treated in (("team", ["华东一部"]), ("region", ["华东"]), ("team", []))
    ]


def last_quarter(metric):
    """A metric of the last quarter that is over."""
    return [lambda seen: metric(seen, pipeline.quarter(seen).before())]


ROLLED_OUT = {  # a change that worked, as `impact.measures` says it
    "measure": "win_rate",
    "verdict": "against_control",
    "is_better": True,
    "is_provisional": False,
    "age_days": 30,
    **{f"against_control{side}": 0.1 for side in ("", "_low", "_high")},
    **{f"effect{side}": 0.1 for side in ("", "_low", "_high")},
}


METRICS = {  # name -> calls that make it send all its kinds of text
    "funnel.stage_accounting": by_segment(funnel.stage_accounting),
    "funnel.step_conversion": by_segment(funnel.step_conversion, within_days=21),
    "funnel.cumulative": by_segment(funnel.cumulative, within_days=21),
    "funnel.time_in_stage": by_segment(funnel.time_in_stage),
    "funnel.segments": [lambda seen: funnel.segments(seen, within_days=21)],
    "funnel.status_now": [funnel.status_now],
    "cohorts.conversion": by_segment(cohorts.conversion, ages=[30]),
    "cohorts.curve": by_segment(cohorts.curve),
    "cohorts.grid": [lambda seen: cohorts.grid(seen, ages=[30])],
    "cohorts.win_rates": [lambda seen: cohorts.win_rates(seen, age_days=30, stale_days=90)],
    "cohorts.monthly": [lambda seen: cohorts.monthly(seen, age_days=30)],
    "cohorts.sales_cycle": [cohorts.sales_cycle],
    "reps.totals": [reps.totals, lambda seen: reps.totals(seen, by="team")],
    "reps.ranking": [
        lambda seen: reps.ranking(seen, age_days=30, case_mix=["source", "product"], draws=10)
    ],
    "reps.attainment": [reps.attainment],
    "reps.usable": [lambda seen: reps.usable(seen, ["source", "product"], 30)],
    "reps.won_in_time": [lambda seen: reps.won_in_time(seen, ["source"], 30)],
    "attention.attention": [
        lambda seen: attention.attention(seen, PROCESS, per_person=5, rep="E0014", **LIMITS)
    ],
    "attention.reasons": [lambda seen: attention.reasons(seen, PROCESS, team="华东一部", **LIMITS)],
    "attention.by_reason": [lambda seen: attention.by_reason(seen, PROCESS, **LIMITS)],
    "chances.won_from_here": [chances.won_from_here],
    "conformance.stages": of_process(conformance.stages, by="owner"),
    "conformance.groups": of_process(conformance.groups, by="owner"),
    "conformance.trend": of_process(conformance.trend),
    "conformance.worth": of_process(conformance.worth),
    "conformance.worth_within": of_process(conformance.worth_within),
    "conformance.targets": of_process(conformance.targets),
    "conformance.outside": of_process(conformance.outside),
    "incentives.lines": of_process(incentives.lines),
    "incentives.payouts": of_process(incentives.payouts),
    "incentives.gates": of_process(incentives.gates),
    "incentives.accounting": of_process(incentives.accounting),
    "incentives.person": of_process(incentives.person, rep="E0014"),
    "incentives.what_if": of_process(
        lambda seen, process, period: incentives.what_if(seen, process, process, period)
    ),
    "accounts.choose": [accounts.choose],
    "accounts.summary": [accounts.summary],
    "accounts.deals": [accounts.deals],
    "accounts.lanes": [accounts.lanes],
    "accounts.timeline": [accounts.timeline],
    "accounts.people": [accounts.people],
    "accounts.next_steps": [accounts.next_steps],
    "staff.spells": [staff.spells],
    "credit.credited": [credit.credited],
    "credit.overlay": [credit.overlay],
    "credit.quotas": of_process(lambda seen, process, period: credit.quotas(seen, period)),
    "credit.attainment": of_process(lambda seen, process, period: credit.attainment(seen, period)),
    "kpis.members": of_process(kpis.members),
    "kpis.evidence": of_kpis(
        lambda seen, kpi, period: kpis.evidence(seen, PROCESS, kpi, PROCESS.stages)
    ),
    "kpis.unit_values": of_kpis(
        lambda seen, kpi, period: kpis.unit_values(
            seen, PROCESS, period, kpi, PROCESS.stages, unit="person", units=pd.Series(["E0014"])
        )
    ),
    "kpis.judged_entries": of_process(
        lambda seen, process, period: [kpis.judged_entries(seen, one) for one in process.stages]
    ),
    "kpis.values": of_process(kpis.values),
    "scorecards.appraise": of_process(scorecards.appraise, team="华东一部"),
    "scorecards.teams": of_process(scorecards.teams),
    "scorecards.history": of_process(scorecards.history, periods=2),
    "scorecards.development": of_process(scorecards.development),
    "scorecards.person": of_process(scorecards.person, rep="E0014"),
    "scorecards.own": of_process(scorecards.own, person="E0014"),
    "scorecards.own_history": of_process(scorecards.own_history, person="E0014", periods=2),
    "scorecards.given": [
        lambda seen: scorecards.given(seen, "E0014", age_days=30, case_mix=["source", "product"])
    ],
    "kpi_audit.audit": of_process(kpi_audit.audit, periods=2),
    "twins.ranking": [lambda seen: twins.ranking(seen, age_days=30, case_mix=["product"])],
    "twins.months": [twins.months],
    "bottlenecks.levers": [lambda seen: bottlenecks.levers(seen, within_days=21)],
    "bottlenecks.velocity": [bottlenecks.velocity],
    "bottlenecks.compared": [bottlenecks.compared],
    "bottlenecks.opportunities": [bottlenecks.opportunities],
    "impact.measures": of_change(impact.measures, draws=99),
    "impact_parts.read_change": of_change(lambda seen, change: change),
    "impact_parts.first_day": [impact_parts.first_day],
    "impact_parts.rows": of_change(impact_parts.rows, since=pd.Timestamp("2024-07-01")),
    "impact_parts.deals": of_change(impact_parts.deals, before_days=365),
    "impact_parts.turnover": of_change(impact_parts.turnover, before_days=365, confidence=0.95),
    "impact_parts.questions": of_change(impact_parts.questions, before_days=365),
    "impact_checks.curves": of_change(impact_checks.curves),
    "impact_checks.mix": of_change(impact_checks.mix, draws=200),
    "impact_checks.units": of_change(impact_checks.units),
    "impact_checks.regression": of_change(impact_checks.regression),
    "impact_checks.placebos": of_change(impact_checks.placebos),
    "impact_checks.monthly": of_change(impact_checks.monthly),
    "impact_checks.trend": of_change(impact_checks.trend),
    "forecast.forecast": [lambda seen: forecast.forecast(seen, paths=100)],
    "forecast.backtest": [lambda seen: forecast.backtest(seen, snapshots=4, paths=100)],
    "pipeline.waterfall": last_quarter(pipeline.waterfall),
    "pipeline.waterfall_deals": last_quarter(pipeline.waterfall_deals),
    "pipeline.apart": last_quarter(pipeline.apart),
    "pipeline.slips": [pipeline.slips],
    "pipeline.pushes": [pipeline.pushes],
    "pipeline.coverage": [pipeline.coverage],
    "pipeline.wins": [pipeline.wins],
    "pipeline.why_not": [pipeline.why_not],
    "pipeline.open_deals": [
        lambda seen: pipeline.open_deals(seen, forecast.forecast(seen, paths=100).deals)
    ],
    "summary.measure": [summary.measure],
    "summary.recorded_from": [summary.recorded_from],
    "summary.bookings": [summary.bookings],
    "summary.bridge": [summary.bridge],
    "summary.kinds": [summary.kinds],
    "summary.movers": [summary.movers],
    "summary.cohorts": [summary.cohorts],
    "summary.people": [summary.people],
    "actions.by_worth": [
        lambda seen, by=by, treated=treated: actions.by_worth(
            seen,
            change=impact.read_change(seen, "2025-05-01", by, [treated], []),
            impact=pd.DataFrame([ROLLED_OUT]),
            levers=bottlenecks.levers(seen, within_days=21),
            findings=quality.findings(seen),
        )
        for by, treated in (("team", "华东一部"), ("region", "华东"))
    ],
    "quality.findings": [quality.findings],
    "quality.exclusions": [quality.exclusions],
}
SAFE_FUNCTIONS = (  # mean the same on every engine; there is no quantile, mean, rank or first value among them
    *(exp.Count, exp.Sum, exp.Min, exp.Max, exp.Case, exp.If, exp.Coalesce, exp.Nullif, exp.Exists),
    *(exp.And, exp.Or, exp.Cast, exp.DateDiff, exp.DateTrunc, exp.TimestampTrunc),
)
FORBIDDEN = (exp.Div, exp.IntDiv, exp.Mod, exp.Filter, exp.Qualify, exp.Interval, exp.Window)


@pytest.fixture(scope="module")
def whole_store(tmp_path_factory):
    """A small sample company: a store in which no table is missing, so that no text stays unsent."""
    folder = tmp_path_factory.mktemp("whole")
    sample.write(folder / "export", deals=200)
    mapping = ROOT / "params" / "sources" / "sample.yaml"
    return crm.load(folder / "export", mapping, folder / "crm.duckdb", say=lambda text: None)


@pytest.fixture(scope="module")
def sent(whole_store):
    """Every text of every metric, each once, as sent on two days."""
    texts, found, frame = [], {day: {} for day in DAYS}, Seen.frame

    def listening(seen, sql, parameters=()):
        texts.append(sql)
        return frame(seen, sql, parameters)

    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setattr(Seen, "frame", listening)
        for day in DAYS:
            with crm.observe(whole_store, day) as seen:
                for name, calls in METRICS.items():
                    texts.clear()
                    for kept in (seen._kept, *_KEPT.values()):
                        kept.clear()  # what another metric has computed is asked for again
                    for call in calls:
                        call(seen)
                    found[day][name] = list(dict.fromkeys(texts))
    return found


def test_every_metric_table_is_listened_to():
    """
    No public function of the metrics that takes `seen` is missing here, but for those that read the load's books or
    a metric table.
    """
    public = {
        f"{module.__name__.rsplit('.', 1)[1]}.{name}"
        for module in (
            accounts,
            actions,
            attention,
            bottlenecks,
            chances,
            cohorts,
            conformance,
            credit,
            forecast,
            funnel,
            impact,
            impact_checks,
            impact_parts,
            incentives,
            kpi_audit,
            kpis,
            pipeline,
            quality,
            reps,
            scorecards,
            staff,
            summary,
            twins,
        )
        for name, thing in vars(module).items()
        if callable(thing)
        and getattr(thing, "__module__", None) == module.__name__
        and not name.startswith("_")
    }

    assert public - METRICS.keys() == {
        "attention.waiting",
        "conformance.rules",
        "conformance.worth_overall",
        *(
            f"incentives.{name}"
            for name in ("near_a_step", "cost", "cost_by_tier", "of_team", "own")
        ),
        *(f"kpis.{name}" for name in ("Form", "impossible")),
        *(f"kpi_audit.{name}" for name in ("findings", "verdicts")),
        *(f"scorecards.{name}" for name in ("before", "peers", "impossible", "objection_until")),
        *(f"forecast.{name}" for name in ("Forecast", "Backtest")),
        *(f"impact.{name}" for name in ("Headline", "verdict")),
        *(f"impact_parts.{name}" for name in ("Change", "Deals", "Value", "Pair", "Estimate")),
        *(f"impact_parts.{name}" for name in ("days_after", "arms", "reached", "age_to_read")),
        *(f"impact_parts.{name}" for name in ("days_to_count", "win_rate", "won_by", "cycle")),
        *(f"impact_parts.{name}" for name in ("days_to_win", "satisfaction", "response_rate")),
        *(f"pipeline.{name}" for name in ("quarter", "required", "widened", "to_decide")),
        *(f"summary.{name}" for name in ("quarter", "Driver", "driver")),
        "bottlenecks.why_no_opportunities",
        "reps.dummies",
        "twins.before_after",
        "staff.days_between",
        *(f"incentives.{name}" for name in ("split", "impossible", "why_not")),
        "quality.ledger",
        "quality.rejected",
        "quality.truncated_before",
    }


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("name", METRICS)
def test_translations_are_the_golden_ones(sent, name, dialect, request):
    """
    The text for another engine changes only on purpose: `make golden`, then read the difference.
    """
    translated = [
        sqlglot.transpile(text, read="duckdb", write=dialect, pretty=True)[0]
        for text in sent[DAYS[0]][name]
    ]
    text = "".join(f"{statement};\n\n" for statement in translated).rstrip("\n") + "\n"
    path = GOLDEN / dialect / f"{name}.sql"
    if request.config.getoption("--write-golden", default=False):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")

    golden = path.read_text(encoding="utf-8") if path.exists() else ""

    difference = "\n".join(
        difflib.unified_diff(golden.splitlines(), text.splitlines(), "golden", "now", lineterm="")
    )
    assert not difference, f"{difference}\nif this is meant: make golden"


def test_no_golden_file_is_left_over():
    """
    Every golden file belongs to a metric that exists.
    """
    files = {(path.parent.name, path.stem) for path in GOLDEN.rglob("*.sql")}

    assert files == {(dialect, name) for dialect in DIALECTS for name in METRICS}


@pytest.mark.parametrize("name", METRICS)
def test_the_day_is_not_in_the_text(sent, name):
    """
    Only `observe` knows the date: a metric sends the same text on every day, without a date or a file in it.
    """
    texts = [sent[day][name] for day in DAYS]

    assert texts[0] == texts[1]
    for text in texts[0]:
        assert not re.search(r"\d{4}-\d\d", text)
        assert "file." not in text
        assert "store." not in text


def unsafe(statement):
    """What another engine lacks or reads differently, or what numpy does, in a parsed statement."""
    found = [f for f in statement.find_all(exp.Func) if not isinstance(f, SAFE_FUNCTIONS)]
    found += statement.find_all(*FORBIDDEN)
    found += [node for node in statement.find_all(exp.Distinct) if node.args.get("on")]
    found += [
        node
        for node in statement.find_all(exp.Join)
        if "ASOF" in (node.method, node.side, node.kind)
    ]
    found += [node for node in statement.find_all(exp.Group) if node.args.get("all")]
    found += [node for node in statement.find_all(exp.Identifier) if node.name.lower() == "at"]
    found += [node for node in statement.find_all(exp.Sub) if node.find(exp.Cast)]
    found += [
        node
        for node in statement.find_all(exp.DateDiff)
        if str(node.args["unit"]).upper() != "DAY"
        or not (node.this.is_type("date") and node.expression.is_type("date"))
    ]
    return [node.sql() for node in found]


@pytest.mark.parametrize("name", METRICS)
def test_the_engine_only_filters_joins_orders_and_counts(sent, name):
    """
    Ratios, quantiles, ranks and differences of instants are left to numpy and the gate: engines disagree on them.
    """
    for text in sent[DAYS[0]][name]:
        statement = sqlglot.parse_one(text, read="duckdb")

        assert isinstance(statement, (exp.Select, exp.Union))
        assert unsafe(statement) == []


@pytest.mark.parametrize(
    "text",
    [
        "SELECT a / b AS r FROM deals",
        "SELECT avg(a) AS r FROM deals",
        "SELECT median(a) AS r FROM deals",
        "SELECT quantile_cont(a, .5) AS r FROM deals",
        "SELECT mode(a) AS r FROM deals",
        "SELECT rank() OVER (ORDER BY a) AS r FROM deals",
        "SELECT round(a) AS r FROM deals",
        "SELECT count(*) FILTER (WHERE a > 0) AS n FROM deals",
        "SELECT DISTINCT ON (a) a, b FROM deals",
        "SELECT first(a) AS a FROM deals",
        "SELECT any_value(a) AS a FROM deals",
        "SELECT arg_max(a, b) AS a FROM deals",
        "SELECT string_agg(a) AS a FROM deals",
        "SELECT a FROM a ASOF JOIN b ON a.x >= b.x",
        "SELECT a, count(*) AS n FROM deals GROUP BY ALL",
        "SELECT a FROM deals QUALIFY a = 1",
        'SELECT a AS "at" FROM deals',
        "SELECT date_diff('hour', a, b) AS h FROM deals",
        "SELECT date_diff('day', a, b) AS d FROM deals",
        "SELECT date_part('epoch', a) AS s FROM deals",
        "SELECT a + INTERVAL 1 DAY AS t FROM deals",
        "SELECT current_date AS t FROM deals",
        "SELECT CAST(a AS DATE) - CAST(b AS DATE) AS d FROM deals",
    ],
)
def test_the_check_sees_what_it_looks_for(text):
    """
    What is forbidden is found in text that has it.
    """
    assert unsafe(sqlglot.parse_one(text, read="duckdb"))


def test_the_check_lets_safe_text_pass():
    """
    Counting, cases and whole days between dates are fine.
    """
    text = """
        SELECT date_trunc('month', d) AS m, sum(CASE WHEN a > 0 OR b IS NULL THEN 1 ELSE 0 END) AS n,
               date_diff('day', CAST(a AS DATE), CAST(b AS DATE)) AS days
        FROM deals GROUP BY 1, 3
    """

    assert unsafe(sqlglot.parse_one(text, read="duckdb")) == []


def test_segments_are_names_and_values_are_bound(random_stores):
    """
    A segment that is no column of the table is refused before any text is made.
    """
    _, store = random_stores[3]
    with crm.observe(store, datetime.date(2025, 12, 31)) as seen:
        for run in (funnel.stage_accounting, cohorts.conversion, reps.totals):
            keywords = {"ages": [30]} if run is cohorts.conversion else {}
            with pytest.raises(ValueError, match="by must be one of region, product, team"):
                run(seen, by='region" FROM deals; --', **keywords)
