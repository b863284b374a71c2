"""The process file: what the examples say is what is read, each mistake is named, and a past day has its own rules."""

import dataclasses
import datetime
import hashlib
import itertools
import json
import random
import re

import pytest
from export import ROOT

from salesanalysis import crm, strict_yaml
from salesanalysis.crm.errors import ProcessError
from salesanalysis.crm.process import (
    MEASURES,
    SHARES,
    Accelerator,
    Action,
    Gate,
    Process,
    Text,
    Tier,
    When,
    summary,
)

FIELD = ROOT / "params" / "process.yaml"
SMALL = ROOT / "params" / "process_small_team.yaml"
STAGES = ["初步接触", "需求确认", "方案演示", "报价", "合同谈判"]


def day(text):
    return datetime.date.fromisoformat(text)


def read(tmp_path, text):
    path = tmp_path / "process.yaml"
    path.write_text(text, encoding="utf-8")
    return crm.read_process(path)


def edited(old, new, example=FIELD):
    """The text of an example with the first occurrence of `old` replaced."""
    text = example.read_text("utf-8")
    assert old in text
    return text.replace(old, new, 1)


def refusal(tmp_path, text):
    with pytest.raises(ProcessError) as refused:
        read(tmp_path, text)
    return str(refused.value)


def entry(key, value, example=FIELD, nth=0):
    """The lines of one entry of a list, found by its first key."""
    return re.findall(rf'  - {key}: "{value}".*\n(?:    .*\n)+', example.read_text("utf-8"))[nth]


def one(entries, **wanted):
    found = [e for e in entries if all(getattr(e, key) == wanted[key] for key in wanted)]
    assert len(found) == 1
    return found[0]


# What a human reads in the two examples.


def test_the_field_sales_force_is_read():
    """Names, strategy, people and the count of entries are those of the file, with its fingerprint."""
    process = crm.read_process(FIELD)

    assert process.name == Text("Field sales force", "外勤销售团队")
    assert process.goal.zh == "做深中型客户：合格商机赢单三分之一，五周内成交"
    assert (process.segments, process.default_role, process.ramp_months) == (("中型", "大客户"), "销售", 6)  # fmt: skip
    assert [stage.stage for stage in process.stages] == STAGES
    assert len(process.kpis) == 11
    assert process.file == "process.yaml"
    assert process.sha256 == hashlib.sha256(FIELD.read_bytes()).hexdigest()


def test_a_stage_is_read():
    """Days and counts are whole numbers, the conversion a fraction, the pipeline not given."""
    stage = crm.read_process(FIELD).stages[3]

    assert (stage.stage, stage.name, stage.role) == ("报价", Text("Quotation", "报价"), "销售")
    assert stage.goal.en == "A written quotation is discussed, not only sent"
    assert stage.actions == (Action(("会议", "拜访"), 1),)
    assert (stage.sla_days, stage.target_conversion, stage.pipeline) == (14, 0.75, None)
    assert isinstance(stage.sla_days, int)
    assert stage.begins == day("2024-07-01")


def test_kpis_are_read():
    """The measure is taken apart, the weight is a fraction, what is left out has its default."""
    kpis = crm.read_process(FIELD).kpis

    conversion = one(kpis, id="discovery_conversion")
    assert (conversion.kind, conversion.measure) == ("process", "stage_conversion")
    assert conversion.arguments == {"stage": "需求确认", "days": 30}
    assert (conversion.floor, conversion.target, conversion.weight) == (0.3, 0.7, 0.1)
    assert (conversion.whose, conversion.ramp, conversion.until) == ("own", "any", None)
    assert conversion.improve.zh == "用提问清单准备需求沟通，与同事复盘两次"
    visits = one(kpis, id="visits", begins=day("2026-01-01"))
    assert (visits.arguments, visits.floor, visits.target) == ({"types": ("拜访",)}, 1, 4)
    team = one(kpis, id="team_attainment", role="销售经理")
    assert (team.whose, team.kind, team.weight, team.arguments) == ("team", "team", 0.5, {})


def test_scorecard_incentives_and_development_are_read():
    """Per cent of the file are fractions; money, days and points are as written."""
    process = crm.read_process(FIELD)

    (card,) = process.scorecards
    assert (card.aggregation, card.cap, card.judged_weight) == ("arithmetic", 100, 0.6)
    assert card.evidence == {"visits": 45, "actions_done": 8, "discovery_conversion": 5,
                             "win_rate": 8, "attainment": 1, "satisfaction": 3}  # fmt: skip
    assert (card.reviewer.en, card.objection_days) == ("Sales manager", 14)
    (plan,) = process.plans
    assert (plan.id, plan.role, plan.basis, plan.measured_on) == ("commission", "销售", "booked", "quota")  # fmt: skip
    assert plan.tiers == (Tier(0, 0.02), Tier(0.8, 0.03), Tier(1, 0.05), Tier(1.2, 0.065))
    assert plan.accelerators == (Accelerator("segment", "大客户", 1.2),)
    assert (plan.tiers_are, plan.splits, plan.cap) == ("marginal", "credits", 150_000)
    assert (plan.clawback_days, plan.clawback_when) == (180, ("refund", "unwon"))
    assert plan.gates == (Gate("actions_done", 0.3, 0.8),)
    assert [(rule.id, rule.leads_to, rule.when) for rule in process.development] == [
        ("coaching", "coaching", When("discovery_conversion", 0.4, None, 2)),
        ("training", "training", When("actions_done", 0.3, None, 2)),
        ("promotion", "promotion_review", When("score", None, 80, 3)),
    ]


def test_the_small_team_is_read():
    """The second example chooses the other options."""
    process = crm.read_process(SMALL)
    rules = process.on(day("2026-03-31"))

    assert (process.segments, process.ramp_months) == (("中型",), 3)
    assert [stage.stage for stage in rules.stages] == STAGES
    assert rules.stages[1].actions == (Action(("会议", "拜访"), 1), Action(("电话", "邮件"), 1))
    assert (rules.stages[4].actions, rules.stages[4].role) == ((), "销售经理")
    assert len(rules.kpis_of("销售", "ramped")) == len(rules.kpis_of("销售", "ramping")) == 5
    ramped, ramping = (one(rules.kpis, id="won_amount", ramp=r) for r in ("ramped", "ramping"))
    assert (ramped.floor, ramped.target, ramping.floor, ramping.target) == (15_000, 80_000, 7_000, 40_000)  # fmt: skip
    cycle = one(rules.kpis, id="team_cycle")
    assert (cycle.floor, cycle.target, cycle.whose) == (70, 35, "team")
    assert cycle.arguments == {"age_days": 120}
    assert (rules.scorecard.aggregation, rules.scorecard.cap) == ("geometric", 120)
    (plan,) = rules.plans
    assert (plan.basis, plan.measured_on, plan.tiers_are) == ("paid", "amount", "retroactive")
    assert plan.tiers == (Tier(0, 0.015), Tier(100_000, 0.025), Tier(250_000, 0.04))
    assert (plan.splits, plan.accelerators, plan.cap, plan.gates) == ("owner", (), None, ())
    assert (plan.clawback_days, plan.clawback_when) == (90, ("refund",))


@pytest.mark.parametrize("example", [FIELD, SMALL])
def test_both_examples_judge_reps_and_managers_whole(example):
    """On each day on which rules change the weights of each role and ramp state, read plainly, sum to 100."""
    raw = strict_yaml.load(example)["kpis"]
    process = crm.read_process(example)

    assert {kpi.role for kpi in process.kpis} == {"销售", "销售经理"}
    for changed in process.change_days():
        for role in ("销售", "销售经理"):
            for ramp in ("ramped", "ramping"):
                latest = {}
                for kpi in raw:
                    is_on = kpi["from"] <= str(changed) <= kpi.get("until", "9999")
                    if is_on and kpi["role"] == role and kpi.get("ramp", "any") in ("any", ramp):
                        latest[kpi["id"]] = float(kpi["weight"])
                assert sum(latest.values()) == 100


def test_the_examples_show_every_key():
    """Whoever copies an example finds each key of the format in one of the two."""
    text = FIELD.read_text("utf-8") + SMALL.read_text("utf-8")
    keys = {field.name for made in ("Stage", "Kpi", "Scorecard", "Plan", "Development")
            for field in dataclasses.fields(getattr(crm.process, made))}  # fmt: skip
    keys -= {"measure", "arguments", "begins", "clawback_days", "clawback_when"}

    assert [key for key in sorted(keys) if f"{key}:" not in text] == []


# Versions by date.


def test_a_past_day_has_its_own_rules():
    """The visits asked for rose on 2026-01-01; the day before and all of 2025 keep the old anchors."""
    process = crm.read_process(FIELD)

    anchors = {
        text: [(kpi.floor, kpi.target) for kpi in process.on(day(text)).kpis if kpi.id == "visits"]
        for text in ("2024-07-01", "2025-12-31", "2026-01-01", "2026-06-30")
    }

    assert anchors == {
        "2024-07-01": [(0.5, 3)],
        "2025-12-31": [(0.5, 3)],
        "2026-01-01": [(1, 4)],
        "2026-06-30": [(1, 4)],
    }
    assert process.on(day("2026-06-30")).on == day("2026-06-30")
    assert len(process.on(day("2025-01-01")).kpis) == len(process.on(day("2026-01-01")).kpis) == 10


def test_before_the_first_entry_there_is_nothing():
    """No rule is applied to a day before it began."""
    rules = crm.read_process(FIELD).on(day("2024-06-30"))

    assert (rules.stages, rules.kpis, rules.plans, rules.development) == ((), (), (), ())
    assert rules.scorecard is None


def test_the_last_day_still_counts_and_an_earlier_entry_does_not_come_back():
    """`until` is the last day; what came before the ended entry stays over."""
    process = crm.read_process(SMALL)
    first = one(process.kpis, id="won_amount", ramp="any")
    second = dataclasses.replace(
        first, begins=day("2025-01-01"), until=day("2025-03-31"), floor=1.0
    )
    process = dataclasses.replace(process, kpis=(first, second))

    floors = {
        text: [kpi.floor for kpi in process.on(day(text)).kpis]
        for text in ("2024-12-31", "2025-01-01", "2025-03-31", "2025-04-01")
    }

    assert floors == {"2024-12-31": [10_000], "2025-01-01": [1], "2025-03-31": [1], "2025-04-01": []}  # fmt: skip


def test_ramp_states_follow_each_other():
    """One target for everybody until mid-2025, then one for each state."""
    process = crm.read_process(SMALL)

    def targets(text, ramp):
        kpis = process.on(day(text)).kpis_of("销售", ramp)
        return [kpi.target for kpi in kpis if kpi.id == "won_amount"]

    assert [targets("2025-06-30", ramp) for ramp in ("ramped", "ramping")] == [[70_000]] * 2
    assert [targets("2025-07-01", ramp) for ramp in ("ramped", "ramping")] == [[80_000], [40_000]]


def test_scorecards_plans_criteria_and_stages_change_too(tmp_path):
    """A later entry of each replaces the earlier from its day on, in the order of the file."""
    text = FIELD.read_text("utf-8")
    card = text[text.index('  - from: "2024-07-01"') : text.index("\nincentives:")] + "\n"
    later = {
        card: ("cap: 100", "cap: 110"),
        entry("id", "commission"): ('basis: "booked"', 'basis: "paid"'),
        entry("id", "promotion"): ("at_least: 80", "at_least: 85"),
        entry("stage", "需求确认"): ("sla_days: 21", "sla_days: 30"),
    }
    for lines, (old, new) in later.items():
        changed = lines.replace(old, new).replace('"2024-07-01"', '"2025-10-01"')
        text = text.replace(lines, changed + lines)  # the later one stands first
    process = read(tmp_path, text)

    def seen(on):
        rules = process.on(day(on))
        return (rules.scorecard.cap, [plan.basis for plan in rules.plans],
                [rule.when.at_least for rule in rules.development],
                [(stage.stage, stage.sla_days) for stage in rules.stages][:3])  # fmt: skip

    assert seen("2025-09-30") == (
        *(100, ["booked"], [None, None, 80]),
        [("初步接触", 14), ("需求确认", 21), ("方案演示", 21)],
    )
    assert seen("2025-10-01") == (
        *(110, ["paid"], [None, None, 85]),
        [("初步接触", 14), ("需求确认", 30), ("方案演示", 21)],
    )


@pytest.mark.parametrize("seed", range(5))
def test_versions_agree_with_a_plain_reading(seed):
    """Day by day, the entries in force are those that a search through all of them finds."""
    draw = random.Random(seed)
    process = crm.read_process(SMALL)
    some = [one(process.kpis, id="won_amount", ramp=r) for r in ("any", "ramped")]
    kpis = []
    for kpi in [*some, *(one(process.kpis, id=i) for i in ("win_rate", "team_cycle"))]:
        for offset in draw.sample(range(60), 4):
            begins = day("2025-01-01") + datetime.timedelta(days=offset)
            last = begins + datetime.timedelta(days=draw.randrange(20))
            kpis.append(dataclasses.replace(kpi, begins=begins, until=draw.choice([None, last])))
    draw.shuffle(kpis)
    process = dataclasses.replace(process, kpis=tuple(kpis))

    def plainly(on):
        found = []
        for kpi in kpis:
            same = [k for k in kpis if (k.id, k.role, k.ramp) == (kpi.id, kpi.role, kpi.ramp)]
            begun = [k.begins for k in same if k.begins <= on]
            is_over = kpi.until is not None and on > kpi.until
            if begun and kpi.begins == max(begun) and not is_over:
                found.append(kpi)
        return tuple(found)

    days = [day("2024-12-31") + datetime.timedelta(days=n) for n in range(90)]
    assert [process.on(on).kpis for on in days] == [plainly(on) for on in days]
    changed = {on for before, on in itertools.pairwise(days)
               if plainly(before) != plainly(on)}  # fmt: skip
    assert changed <= set(process.change_days())


def test_change_days_are_first_days_and_the_days_after_last_ones():
    """The rules change when an entry begins and when its last day is over."""
    first = one(crm.read_process(SMALL).kpis, id="won_amount", ramp="any")
    nothing = dict.fromkeys(("stages", "scorecards", "plans", "development"), ())
    process = dataclasses.replace(crm.read_process(SMALL), kpis=(first,), **nothing)

    assert crm.read_process(FIELD).change_days() == (day("2024-07-01"), day("2026-01-01"))
    assert process.change_days() == (day("2024-07-01"), day("2025-07-01"))


def test_a_last_day_may_be_the_last_day_there_is(tmp_path):
    """9999-12-31 is often written where no end is meant."""
    text = FIELD.read_text("utf-8") + '    until: "9999-12-31"\n'

    assert read(tmp_path, text).development[-1].until == datetime.date.max


# What may be left out, and small liberties.


@pytest.mark.parametrize(
    ("left_out", "value"),
    [
        ('    aggregation: "arithmetic"', lambda process: process.scorecards[0].aggregation),
        ("    cap: 100 ", lambda process: process.scorecards[0].cap),
        ('    tiers_are: "marginal"', lambda process: process.plans[0].tiers_are),
        ('    splits: "credits"', lambda process: process.plans[0].splits),
    ],
)
def test_what_is_left_out_is_as_the_example_says(tmp_path, left_out, value):
    """The example writes the defaults out; without the line the same is read."""
    text = re.sub(rf"{left_out}.*\n", "", FIELD.read_text("utf-8"), count=1)

    assert text != FIELD.read_text("utf-8")
    assert value(read(tmp_path, text)) == value(crm.read_process(FIELD))


def test_a_plan_may_be_plain(tmp_path):
    """Without accelerators, cap, clawback and gates nothing of the kind is applied."""
    plain = re.sub(
        r'    accelerators:\n.*\n|    cap: 150000.*\n|    clawback.*\n|    gates:\n.*\n', "", FIELD.read_text("utf-8"))  # fmt: skip
    (plan,) = read(tmp_path, plain).plans

    assert (plan.accelerators, plan.cap, plan.gates, plan.until) == ((), None, (), None)
    assert (plan.clawback_days, plan.clawback_when) == (0, ())


def test_incentives_and_development_may_be_empty(tmp_path):
    """A company may judge without paying by it."""
    text = FIELD.read_text("utf-8")
    process = read(
        tmp_path, text[: text.index("incentives:")] + "incentives: []\ndevelopment: []\n"
    )

    assert (process.plans, process.development) == ((), ())


def test_weights_are_added_as_written(tmp_path):
    """Three weights whose floats do not sum to 100, but whose decimals do."""
    assert 0.071 + 0.716 + 0.213 != 1
    text = edited("weight: 50", "weight: 7.1")
    text = text.replace("weight: 30", "weight: 71.6").replace(
        "weight: 20\n    role: \"销售经理\"", "weight: 21.3\n    role: \"销售经理\"")  # fmt: skip

    managers = read(tmp_path, text).on(day("2026-01-01")).kpis_of("销售经理", "ramped")
    assert [kpi.weight for kpi in managers] == [0.071, 0.716, 0.213]


def test_a_ramp_state_may_have_no_kpis(tmp_path):
    """Newcomers of a role need not be judged at all."""
    text = FIELD.read_text("utf-8").replace(
        'role: "销售经理"\n', 'role: "销售经理"\n    ramp: "ramped"\n'
    )
    rules = read(tmp_path, text).on(day("2026-01-01"))

    assert len(rules.kpis_of("销售经理", "ramped")) == 3
    assert rules.kpis_of("销售经理", "ramping") == ()


def test_a_stage_may_stand_in_two_pipelines(tmp_path):
    """With the pipeline given in each, the same name is two stages with rules of their own."""
    lines = entry("stage", "报价")
    one_, two = (f'{lines}    pipeline: "{name}"\n' for name in ("新客户销售", "续约"))
    process = read(tmp_path, edited(lines, one_ + two.replace("sla_days: 14", "sla_days: 7")))

    stages = [stage for stage in process.on(day("2026-01-01")).stages if stage.stage == "报价"]
    assert [(s.pipeline, s.sla_days) for s in stages] == [("新客户销售", 14), ("续约", 7)]


def test_spaces_around_a_text_do_not_make_another_role(tmp_path):
    """A space typed by mistake is no part of a name."""
    process = read(tmp_path, edited('    role: "销售"', '    role: " 销售 "'))

    assert process.stages[0].role == "销售"


def test_bounds_are_allowed(tmp_path):
    """All of it, none of it and ten years may be written."""
    text = edited("target_conversion: 0.75", "target_conversion: 1")
    text = text.replace("judged_weight: 60", "judged_weight: 100").replace("pays: 80", "pays: 0")
    text = text.replace("ramp_months: 6", "ramp_months: 0").replace("days: 180", "days: 3650")
    process = read(tmp_path, text)

    assert (process.stages[0].target_conversion, process.ramp_months) == (1, 0)
    assert (process.scorecards[0].judged_weight, process.plans[0].gates[0].pays) == (1, 0)
    assert process.plans[0].clawback_days == 3650


def test_a_relative_path_is_looked_for_upwards(tmp_path, monkeypatch):
    """As for stores: from the working folder, else from the nearest folder above that has it."""
    for folder, name in ((tmp_path, "Far"), (tmp_path / "a", "Near")):
        (folder / "params").mkdir(parents=True)
        text = edited('en: "Field sales force"', f'en: "{name}"')
        (folder / "params" / "process.yaml").write_text(text, encoding="utf-8")
    (tmp_path / "a" / "b").mkdir()

    found = {}
    for folder in (tmp_path, tmp_path / "a" / "b"):
        monkeypatch.chdir(folder)
        found[folder.name] = crm.read_process("params/process.yaml").name.en

    assert found == {tmp_path.name: "Far", "b": "Near"}


# Mistakes: the example with one small edit, the key that must be named, and what must be said.

COMMISSION = "incentives, commission from 2024-07-01"
CARD = "scorecards, from 2024-07-01"
CONVERSION = "kpis, discovery_conversion from 2024-07-01"
WIN_RATE = "kpis, win_rate from 2024-07-01"
CONTACT = "stages, 初步接触 from 2024-07-01"
MISTAKES = [
    # the file and its keys
    ("strategy:\n", "stratgy:\n", "stratgy", "known here, found 'stratgy'; allowed: name, strategy, people, stages,"),
    ("people:\n", "# people:\n", "people", "must be given, found only name, strategy, stages, kpis, scorecards, incentives, development; allowed: name, strategy, people"),
    ("  ramp_months: 6 ", "  # ramp_months: 6 ", "people, ramp_months", "must be given, found only default_role; allowed: default_role, ramp_months"),
    ("ramp_months: 6", "ramp_months: half a year", "people, ramp_months", "a whole number from 0 to 3650, found 'half a year'"),
    ("ramp_months: 6", "ramp_months: -1", "people, ramp_months", "a whole number from 0 to 3650, found '-1'"),
    ('default_role: "销售"', 'default_role: " "', "people, default_role", "a text that is not empty, found ' '"),
    ('["中型", "大客户"]', '"中型"', "strategy, segments", "must be a list, found '中型'"),
    ('["中型", "大客户"]', "[]", "strategy, segments", "must hold at least 1, found an empty list"),
    ('["中型", "大客户"]', '["中型", "中型"]', "strategy, segments", "must name each once, found '中型' again"),
    ('name: {en: "Field sales force", zh: "外勤销售团队"}', 'name: "Field"', "name", "a text in both languages, {en: \"…\", zh: \"…\"}, found 'Field'"),
    (', zh: "外勤销售团队"', "", "name, zh", "must be given, found only en; allowed: en, zh"),
    (', zh: "外勤销售团队"', ', zh: ""', "name, zh", "a text that is not empty, found ''"),
    (', zh: "外勤销售团队"', ', zh: "外勤", de: "Aussendienst"', "name, de", "found 'de'; allowed: en, zh"),
    # stages
    ("sla_days: 14", "sla_days: 14.5", f"{CONTACT}, sla_days", "a whole number from 1 to 3650, found '14.5'"),
    ("sla_days: 14", "sla_days: 3651", f"{CONTACT}, sla_days", "a whole number from 1 to 3650, found '3651'"),
    ("sla_days: 14", "sla_days: 0", f"{CONTACT}, sla_days", "a whole number from 1 to 3650, found '0'"),
    ("target_conversion: 0.75", "target_conversion: 75", f"{CONTACT}, target_conversion", "a plain number, 0 or more and at most 1, found '75'"),
    ("target_conversion: 0.75", "target_conversion: -0.1", f"{CONTACT}, target_conversion", "0 or more and at most 1, found '-0.1'"),
    ('{activities: ["电话", "邮件"], at_least: 1}', '{activities: [], at_least: 1}', f"{CONTACT}, actions, entry 1, activities", "must hold at least 1"),
    ('{activities: ["电话", "邮件"], at_least: 1}', '{activities: ["电话"]}', f"{CONTACT}, actions, entry 1, at_least", "must be given, found only activities"),
    ('actions: [{activities: ["电话", "邮件"], at_least: 1}]', 'actions: "电话"', f"{CONTACT}, actions", "must be a list, found '电话'"),
    ('    from: "2024-07-01"\n', '    from: "1.7.2024"\n', "stages, 初步接触 from 1.7.2024, from", "a day such as 2026-01-01, found '1.7.2024'"),
    ('    from: "2024-07-01"\n', '    from: "20240701"\n', "stages, 初步接触 from 20240701, from", "a day such as 2026-01-01, found '20240701'"),
    ('    from: "2024-07-01"\n', '    from: "2024-02-30"\n', "stages, 初步接触 from 2024-02-30, from", "a day such as 2026-01-01, found '2024-02-30'"),
    ('    from: "2024-07-01"\n', "", "stages, 初步接触, from", "must be given, found only stage, name, goal"),
    ('    from: "2024-07-01"\n', '    from: "2024-07-01"\n    until: "2025-01-01"\n', f"{CONTACT}, until", "found 'until'; allowed: stage, name, goal, role"),
    ('  - stage: "需求确认"', '  - stage: "初步接触"', f"{CONTACT}, from", "must be another day than that of the other entry of 初步接触, found '2024-07-01' twice"),
    # KPIs
    ('kind: "process"', 'kind: "activity"', "kpis, visits from 2024-07-01, kind", "found 'activity'; allowed: process, result, customer, team"),
    ('    kind: "result"\n', "", f"{WIN_RATE}, kind", "must be given"),
    ('id: "win_rate"', 'id: "Win rate"', "kpis, Win rate from 2024-07-01, id", "small letters, digits and _, a letter first, found 'Win rate'"),
    ('id: "win_rate"', 'id: "score"', "kpis, score from 2024-07-01, id", "another word"),
    ('of: "cohort_win_rate"', 'of: "win_rate"', f"{WIN_RATE}, measure, of", "found 'win_rate'; allowed: activities, activities_on_time, actions_done"),
    ('{of: "cohort_win_rate", age_days: 90}', "{age_days: 90}", f"{WIN_RATE}, measure, age_days", "found 'age_days'; allowed: of, whose"),
    ('{of: "cohort_win_rate", age_days: 90}', "{}", f"{WIN_RATE}, measure, of", "must be given, found only nothing; allowed: of, whose"),
    ('{of: "cohort_win_rate", age_days: 90}', '"cohort_win_rate"', f"{WIN_RATE}, measure", "a block of keys and values, found 'cohort_win_rate'"),
    (", age_days: 90}", "}", f"{WIN_RATE}, measure, age_days", "must be given, found only of; allowed: of, age_days, whose"),
    (", age_days: 90}", ", days: 90}", f"{WIN_RATE}, measure, days", "found 'days'; allowed: of, age_days, whose"),
    (", age_days: 90}", ", age_days: 0}", f"{WIN_RATE}, measure, age_days", "a whole number from 1 to 3650, found '0'"),
    ('{of: "quota_attainment"}', '{of: "quota_attainment", whose: "company"}', "kpis, attainment from 2024-07-01, measure, whose", "found 'company'; allowed: own, team"),
    ('types: ["拜访"]', "types: []", "kpis, visits from 2024-07-01, measure, types", "must hold at least 1"),
    ('types: ["拜访"]', 'types: "拜访"', "kpis, visits from 2024-07-01, measure, types", "must be a list, found '拜访'"),
    ('of: "stage_conversion", stage: "需求确认"', 'of: "stage_conversion", stage: "需求"', f"{CONVERSION}, measure, stage", "one of the file's stages, found '需求'; allowed: 初步接触, 需求确认, 方案演示, 报价, 合同谈判"),
    ("floor: 0.08", "floor: 8%", f"{WIN_RATE}, floor", "must be a plain number, found '8%'"),
    ("floor: 0.08", "floor: .nan", f"{WIN_RATE}, floor", "must be a plain number, found '.nan'"),
    ("floor: 0.08", "floor: 1e999", f"{WIN_RATE}, floor", "must be a plain number, found '1e999'"),
    ("floor: 0.08", "floor: true", f"{WIN_RATE}, floor", "must be a plain number, found 'true'"),
    ("floor: 0.08", "floor: [0.08]", f"{WIN_RATE}, floor", "must be a plain number, found a list"),
    ("floor: 0.08", "floor: 8", f"{WIN_RATE}, floor", "from 0 to 1, since cohort_win_rate is a share, found '8'"),
    ("target: 0.30", "target: -0.3", f"{WIN_RATE}, target", "from 0 to 1, since cohort_win_rate is a share, found '-0.3'"),
    ("target: 0.30", "target: 0.080", f"{WIN_RATE}, target", "other than the floor, 0.08, found '0.080'"),
    ("weight: 15", "weight: 0", f"{WIN_RATE}, weight", "a plain number of per cent without the sign, more than 0 and at most 100, found '0'"),
    ("weight: 15", "weight: -5", f"{WIN_RATE}, weight", "more than 0 and at most 100, found '-5'"),
    ("weight: 15", "weight: 100.5", f"{WIN_RATE}, weight", "more than 0 and at most 100, found '100.5'"),
    ("weight: 15", "weight: 15 %", f"{WIN_RATE}, weight", "found '15 %'"),
    ("weight: 15", "weight: 14.9", "kpis, weight", "those of 销售 (ramped) must sum to 100 on 2024-07-01, found 99.9: visits 10"),
    ('floor: 1\n    target: 4\n    weight: 10', 'floor: 1\n    target: 4\n    weight: 15', "kpis, weight", "those of 销售 (ramped) must sum to 100 on 2026-01-01, found 105: visits 15"),
    ('    from: "2026-01-01"\n', '    from: "2026-01-01"\n    until: "2026-05-31"\n', "kpis, weight", "those of 销售 (ramped) must sum to 100 on 2026-06-01, found 90: actions_done 20"),
    ('    from: "2026-01-01"\n', '    from: "2026-01-01"\n    until: "2025-12-31"\n', "kpis, visits from 2026-01-01, until", "2026-01-01 or later, found '2025-12-31'"),
    ('    from: "2026-01-01"\n', '    from: "2026-01-01"\n    ramp: "new"\n', "kpis, visits from 2026-01-01, ramp", "found 'new'; allowed: any, ramped, ramping"),
    ('    from: "2026-01-01"\n', '    from: "2024-07-01"\n', "kpis, visits from 2024-07-01, from", "must be another day than that of the other entry of visits, 销售, any, found '2024-07-01' twice"),
    ('    from: "2026-01-01"\n', '    from: "2026-01-01"\n    ramp: "ramped"\n', "kpis, visits from 2026-01-01, ramp", "must not be ramped on 2026-01-01, when the entry from 2024-07-01 for 销售 holds for any"),
    ('types: ["拜访"]}\n    floor: 1', 'types: ["拜访"], whose: "team"}\n    floor: 1', "kpis, visits from 2026-01-01, measure, whose", "must be own as in the first entry of visits for 销售, or the id another, found 'team'"),
    ('of: "activities", types: ["拜访"]}\n    floor: 1\n    target: 4', 'of: "activities_on_time", types: ["拜访"]}\n    floor: 0.5\n    target: 0.9', "kpis, visits from 2026-01-01, measure, of", "found 'activities_on_time'"),
    ('kind: "process"\n    measure: {of: "activities", types: ["拜访"]}\n    floor: 1', 'kind: "result"\n    measure: {of: "activities", types: ["拜访"]}\n    floor: 1', "kpis, visits from 2026-01-01, kind", "must be process as in the first entry of visits for 销售, or the id another, found 'result'"),
    ("    kind: \"team\"\n    measure", "    bottom_percent: 10\n    kind: \"team\"\n    measure", "kpis, team_attainment from 2024-07-01 (entry 8), bottom_percent", "found 'bottom_percent'; allowed: id, name, kind, measure, floor, target, weight, role, improve, from, ramp, until"),
    # scorecards
    ('aggregation: "arithmetic"', 'aggregation: "sum"', f"{CARD}, aggregation", "found 'sum'; allowed: arithmetic, geometric"),
    ("cap: 100 ", "cap: 90 ", f"{CARD}, cap", "a plain number, 100 or more, found '90'"),
    ("judged_weight: 60", "judged_weight: 160", f"{CARD}, judged_weight", "more than 0 and at most 100, found '160'"),
    ("judged_weight: 60", "judged_weight: 0", f"{CARD}, judged_weight", "more than 0 and at most 100, found '0'"),
    ("{visits: 45,", "{visit: 45,", f"{CARD}, evidence, visit", "the id of a KPI, found 'visit'; allowed: visits, actions_done"),
    ("{visits: 45,", "{visits: many,", f"{CARD}, evidence, visits", "a plain number, 0 or more, found 'many'"),
    ("evidence: {visits: 45, actions_done: 8,", "evidence: [visits]   # {", f"{CARD}, evidence", "KPI ids with the least evidence of each, found a list"),
    ("objection_days: 14", "objection_days: soon", f"{CARD}, objection_days", "a whole number from 1 to 3650, found 'soon'"),
    ('scorecards:\n  - from: "2024-07-01"', 'scorecards:\n  - from: "2025-01-01"', "scorecards", "must hold one on 2024-07-01, when visits is in force, found none"),
    # incentives
    ('basis: "booked"', 'basis: "invoiced"', f"{COMMISSION}, basis", "found 'invoiced'; allowed: booked, paid"),
    ('    basis: "booked"', '    # basis: "booked"', f"{COMMISSION}, basis", "must be given"),
    ('measured_on: "quota"', 'measured_on: "margin"', f"{COMMISSION}, measured_on", "found 'margin'; allowed: quota, amount"),
    ('tiers_are: "marginal"', 'tiers_are: "jumping"', f"{COMMISSION}, tiers_are", "found 'jumping'; allowed: marginal, retroactive"),
    ("{above: 0, rate: 2}", "{above: 10, rate: 2}", f"{COMMISSION}, tiers, entry 1, above", "must be 0, found '10'"),
    ("{above: 100, rate: 5}", "{above: 80, rate: 5}", f"{COMMISSION}, tiers, entry 3, above", "more than 80, the step before, found '80'"),
    ("rate: 6.5", "rate: -1", f"{COMMISSION}, tiers, entry 4, rate", "0 or more and at most 100, found '-1'"),
    ("rate: 6.5", "rate: 650", f"{COMMISSION}, tiers, entry 4, rate", "0 or more and at most 100, found '650'"),
    ("{above: 0, rate: 2}", "{above: 0, rate: 2, top_people: 10}", f"{COMMISSION}, tiers, entry 1, top_people", "found 'top_people'; allowed: above, rate"),
    ('field: "segment"', 'field: "owner"', f"{COMMISSION}, accelerators, entry 1, field", "found 'owner'; allowed: region, product, source, segment"),
    ("factor: 1.2", "factor: 0", f"{COMMISSION}, accelerators, entry 1, factor", "more than 0, found '0'"),
    ('value: "大客户", factor: 1.2}\n', 'value: "大客户", factor: 1.2}\n      - {field: "segment", value: "大客户", factor: 2}\n', f"{COMMISSION}, accelerators, entry 2, value", "another value than before: segment 大客户 has its factor, found '大客户'"),
    ("cap: 150000", "cap: 150,000 CNY", f"{COMMISSION}, cap", "a plain number, more than 0, found '150,000 CNY'"),
    ("cap: 150000", "cap: 0", f"{COMMISSION}, cap", "a plain number, more than 0, found '0'"),
    ('splits: "credits"', 'splits: "equal"', f"{COMMISSION}, splits", "found 'equal'; allowed: credits, owner"),
    ('["refund", "unwon"]', '["refund", "late"]', f"{COMMISSION}, clawback, when", "found 'late'; allowed: refund, unwon"),
    ("clawback: {days: 180, ", "clawback: {", f"{COMMISSION}, clawback, days", "must be given, found only when; allowed: days, when"),
    ('kpi: "actions_done"', 'kpi: "calls"', f"{COMMISSION}, gates, entry 1, kpi", "the id of a process KPI of 销售 in force on 2024-07-01, found 'calls'; allowed: visits, actions_done, discovery_conversion"),
    ('kpi: "actions_done"', 'kpi: "win_rate"', f"{COMMISSION}, gates, entry 1, kpi", "process KPI of 销售 in force on 2024-07-01, found 'win_rate'"),
    ('kpi: "actions_done"', 'kpi: "team_actions"', f"{COMMISSION}, gates, entry 1, kpi", "process KPI of 销售 in force on 2024-07-01, found 'team_actions'"),
    ("at_least: 0.3, pays: 80", "at_least: 30, pays: 80", f"{COMMISSION}, gates, entry 1, at_least", "from 0 to 1, since actions_done is a share, found '30'"),
    ("pays: 80", "pays: 180", f"{COMMISSION}, gates, entry 1, pays", "0 or more and at most 100, found '180'"),
    # development
    ('leads_to: "coaching"', 'leads_to: "dismissal"', "development, coaching from 2024-07-01, leads_to", "found 'dismissal'; allowed: training, coaching, promotion_review"),
    ('of: "discovery_conversion", below', 'of: "discovery", below', "development, coaching from 2024-07-01, when, of", "score or the id of a KPI, found 'discovery'; allowed: score, visits"),
    ("below: 0.4, periods: 2", "periods: 2", "development, coaching from 2024-07-01, when", "must have either below or at_least, found neither"),
    ("below: 0.4, periods: 2", "below: 0.4, at_least: 0.2, periods: 2", "development, coaching from 2024-07-01, when", "must have either below or at_least, found below and at_least"),
    ("below: 0.4, periods: 2", "below: 0.4, periods: 2, share_of_people: 10", "development, coaching from 2024-07-01, when, share_of_people", "found 'share_of_people'; allowed: of, periods, below, at_least"),
    ("below: 0.4, periods: 2", "below: 40, periods: 2", "development, coaching from 2024-07-01, when, below", "from 0 to 1, since stage_conversion is a share, found '40'"),
    ("at_least: 80, periods: 3", "at_least: 180, periods: 3", "development, promotion from 2024-07-01, when, at_least", "points from 0 to 100, found '180'"),
    ("at_least: 80, periods: 3", "at_least: 80, periods: 0", "development, promotion from 2024-07-01, when, periods", "a whole number from 1 to 3650, found '0'"),
    ('  - id: "training"', '  - id: "coaching"', "development, coaching from 2024-07-01, from", "must be another day than that of the other entry of coaching"),
]  # fmt: skip


@pytest.mark.parametrize(("old", "new", "key", "words"), MISTAKES)
def test_a_mistake_is_refused_with_its_key(tmp_path, old, new, key, words):
    """The message names file, entry and key, then what must hold, what was found and what is allowed."""
    message = refusal(tmp_path, edited(old, new))

    assert message.startswith(f"process file process.yaml, {key}: ")
    assert words in message
    assert re.search(r": (must|those of .* must) .*", message)


def test_the_mistakes_are_many_and_different():
    """Forty were asked for."""
    assert len({(old, new) for old, new, _, _ in MISTAKES}) == len(MISTAKES) >= 40


@pytest.mark.parametrize("key", ["kpis", "scorecards"])
def test_what_may_not_be_empty(tmp_path, key):
    """Without KPIs or a scorecard nobody can be judged."""
    text = re.sub(rf"(?m)^{key}:.*\n(?:^ .*\n)+", f"{key}: []\n", FIELD.read_text("utf-8"))

    assert refusal(tmp_path, text) == (
        f"process file process.yaml, {key}: must hold at least 1, found an empty list"
    )


def test_orders_need_no_stages_and_nothing_that_is_not_used(tmp_path):
    """Stages may be empty, incentives and development left out; they hold nothing then."""
    text = """
name: {en: "Orders", zh: "订单"}
strategy: {goal: {en: "More", zh: "更多"}, segments: ["all"]}
people: {default_role: "rep", ramp_months: 0}
stages: []
kpis:
  - id: "quota"
    name: {en: "Quota", zh: "目标"}
    kind: "result"
    measure: {of: "quota_attainment"}
    floor: 0
    target: 1
    weight: 100
    role: "rep"
    improve: {en: "Plan", zh: "计划"}
    from: "2019-01-01"
scorecards:
  - {evidence: {}, judged_weight: 50, reviewer: {en: "a", zh: "b"}, objection: {en: "a", zh: "b"},
     objection_days: 14, from: "2019-01-01"}
"""

    process = read(tmp_path, text)

    assert (process.stages, process.plans, process.development) == ((), (), ())
    assert [kpi.id for kpi in process.kpis] == ["quota"]


@pytest.mark.parametrize("measure", sorted(SHARES))
def test_anchors_of_shares_are_shares(tmp_path, measure):
    """Whatever is a fraction of 1 has no anchor of 2, and every other measure may have one."""
    spoken = {"texts": ': ["电话"]', "stage": ': "报价"', "days": ": 30"}
    arguments = "".join(
        f", {name}{spoken[kind.removesuffix('?')]}" for name, kind in MEASURES[measure].items()
    )
    text = edited('{of: "quota_attainment"}', f'{{of: "{measure}"{arguments}}}')

    message = refusal(
        tmp_path, text.replace("floor: 0.4\n    target: 1", "floor: 0.4\n    target: 2")
    )

    assert message == (
        "process file process.yaml, kpis, attainment from 2024-07-01, target: must be a plain number from 0 to 1, "
        f"since {measure} is a share, found '2'"
    )
    read(tmp_path, text)


@pytest.mark.parametrize("measure", sorted(MEASURES.keys() - SHARES))
def test_anchors_of_other_measures_are_numbers(tmp_path, measure):
    """Amounts, counts and days go beyond 1; attainment too."""
    spoken = {"texts": ': ["电话"]', "days": ": 30"}
    arguments = "".join(f", {name}{spoken[kind]}" for name, kind in MEASURES[measure].items())
    text = edited('{of: "quota_attainment"}', f'{{of: "{measure}"{arguments}}}')
    text = text.replace("floor: 0.4\n    target: 1", "floor: 2.5\n    target: 1200000")

    kpi = one(read(tmp_path, text).kpis, id="attainment")
    assert (kpi.measure, kpi.floor, kpi.target) == (measure, 2.5, 1_200_000)


@pytest.mark.parametrize(
    ("first", "second"), [("any", "ramping"), ("ramping", "any"), ("any", "ramped")]
)
def test_any_and_one_state_do_not_hold_together(tmp_path, first, second):
    """Whichever came first: an entry for everybody beside one for a ramp state would count twice."""
    old, new = entry("id", "visits"), entry("id", "visits", nth=1)
    before = old + f'    ramp: "{first}"\n'
    if first != "any":  # its weights are right as long as the other state has its own
        before += old + '    ramp: "ramped"\n'
    text = edited(old, before).replace(new, new + f'    ramp: "{second}"\n')

    message = refusal(tmp_path, text)

    assert message == (
        f"process file process.yaml, kpis, visits from 2026-01-01, ramp: must not be {second} on 2026-01-01, when the "
        f"entry from 2024-07-01 for 销售 holds for {first}; give one of them a last day, `until`"
    )


def test_an_entry_that_ended_makes_room_for_the_ramp_states(tmp_path):
    """With a last day given, the same split is right; one state alone leaves the other short."""
    first, second = entry("id", "visits"), entry("id", "visits", nth=1)
    ended = edited(first, first + '    until: "2025-12-31"\n')
    both = second + '    ramp: "ramped"\n' + second + '    ramp: "ramping"\n'

    rules = read(tmp_path, ended.replace(second, both)).on(day("2026-01-01"))
    alone = refusal(tmp_path, ended.replace(second, second + '    ramp: "ramped"\n'))

    assert [kpi.ramp for kpi in rules.kpis if kpi.id == "visits"] == ["ramped", "ramping"]
    assert "weight: those of 销售 (ramping) must sum to 100 on 2026-01-01, found 90: " in alone


def test_a_gate_needs_its_kpi_as_long_as_it_is_paid_by(tmp_path):
    """A KPI that ends leaves a gate that could not be judged."""
    lines = entry("id", "actions_done")
    later = lines.replace("actions_done", "actions", 1).replace("2024-07-01", "2026-01-01")
    text = edited(lines, lines + '    until: "2025-12-31"\n' + later)

    message = refusal(tmp_path, text)

    assert message == (
        "process file process.yaml, incentives, commission from 2024-07-01, gates, entry 1, kpi: must be the id of a "
        "process KPI of 销售 in force on 2026-01-01, found 'actions_done'; allowed: visits, actions, discovery_conversion"
    )


@pytest.mark.parametrize("pipeline_first", [True, False])
def test_a_stage_for_all_pipelines_does_not_stand_beside_one_of_its_own(tmp_path, pipeline_first):
    """It would be unclear which days are allowed."""
    lines = entry("stage", "报价")
    own = lines + '    pipeline: "续约"\n'
    text = edited(lines, own + lines if pipeline_first else lines + own)

    message = refusal(tmp_path, text)

    assert message == (
        "process file process.yaml, stages, 报价 from 2024-07-01, pipeline: must be given in each entry of the stage "
        "or in none, found both on 2024-07-01"
    )


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("kpis: [\n", "cannot be read: while parsing"),
        ("kpis: &all []\n", "line 1: anchors and aliases are not allowed"),
        ("kpis: []\nkpis: []\n", "line 2: 'kpis' stands twice in one block"),
        ("- kpis\n", "must be a block of keys and values, found list"),
        ("", "must be a block of keys and values"),
    ],
)
def test_what_is_not_strict_yaml_is_refused(tmp_path, text, words):
    """The file is named, and the line where there is one."""
    message = refusal(tmp_path, text)

    assert message.startswith(f"the process file {tmp_path / 'process.yaml'} cannot be read: ")
    assert words in message


def test_a_file_that_is_not_there_or_not_utf_8_is_refused(tmp_path):
    """The path is named."""
    (tmp_path / "gbk.yaml").write_bytes(FIELD.read_text("utf-8").encode("gb18030"))

    with pytest.raises(ProcessError, match=r"the process file .*none\.yaml cannot be read"):
        crm.read_process(tmp_path / "none.yaml")
    with pytest.raises(ProcessError, match=r"gbk\.yaml cannot be read: 'utf-8' codec"):
        crm.read_process(tmp_path / "gbk.yaml")


def places(node, path=()):
    """Every value of a file, by the keys and numbers that lead to it."""
    for key in (
        node if isinstance(node, dict) else range(len(node) if isinstance(node, list) else 0)
    ):
        yield (*path, key)
        yield from places(node[key], (*path, key))


@pytest.mark.parametrize("seed", range(60))
def test_whatever_stands_somewhere_is_read_or_refused_by_name(tmp_path, seed):
    """A value of another shape anywhere never ends in an error that names no key."""
    draw = random.Random(seed)
    raw = strict_yaml.load(SMALL)
    *path, last = draw.choice(list(places(raw)))
    node = raw
    for key in path:
        node = node[key]
    node[last] = draw.choice(["", "-1", "x", "9999-12-31", [], {}, [{}], [["x"]], {"of": []}])

    try:
        process = read(tmp_path, json.dumps(raw, ensure_ascii=False))
    except ProcessError as error:
        assert str(error).startswith("process file process.yaml, ")  # noqa: PT017 - either is right
    else:
        assert summary(process).startswith("process.yaml: ")


# The command line's summary.


def test_the_summary_says_what_holds_from_each_day():
    """Each change day with its stages, weights by role and ramp state, plan and criteria, as the file has them."""
    lines = summary(crm.read_process(SMALL)).splitlines()

    second = lines[lines.index("from 2025-07-01") :]
    assert lines[:2] == [
        "process_small_team.yaml: Small B2B team / 小型 B2B 销售团队",
        "from 2024-07-01",
    ]
    assert (
        lines[2]
        == "  stages: 初步接触 10 days, 需求确认 21 days, 方案演示 21 days, 报价 14 days, 合同谈判 21 days"
    )
    assert "报价 10 days" in second[1]
    assert lines[3].startswith(
        "  KPIs of 销售: won_amount 10,000 to 70,000 (weight 35 %), win_rate 0.05 to 0.25 (weight 20 %), "
    )
    assert second[2].startswith("  KPIs of 销售, ramped: won_amount 15,000 to 80,000 (weight 35 %)")
    assert second[3].startswith("  KPIs of 销售, ramping: won_amount 7,000 to 40,000 (weight 35 %)")
    assert "  scorecard: geometric, at most 120 points a KPI" in lines
    assert ("  incentive commission of 销售: paid, retroactive, 1.5 % above 0, 2.5 % above 100,000, "
            "4 % above 250,000 of amount") in lines  # fmt: skip
    assert "  development promotion: promotion_review when score is 90 or more, 3 in a row" in lines
    assert "  development coaching: coaching when win_rate is below 0.1, 2 in a row" in lines


def test_the_summary_says_per_cent_of_the_quota():
    """Steps on the quota and on money are not taken for each other."""
    text = summary(crm.read_process(FIELD))

    assert (
        "booked, marginal, 2 % above 0 %, 3 % above 80 %, 5 % above 100 %, 6.5 % above 120 % of the quota"
        in text
    )
    assert text.count("KPIs of 销售: ") == text.count("KPIs of 销售经理: ") == 2


def test_a_process_does_not_depend_on_where_its_file_lies(tmp_path):
    """The same text is the same process, under whatever name."""
    copy = tmp_path / "copy.yaml"
    copy.write_bytes(FIELD.read_bytes())

    assert isinstance(crm.read_process(copy), Process)
    assert crm.read_process(copy) == crm.read_process(FIELD)
