"""
The process file: how a company sells (stages with goals and actions) and what it rewards (KPIs, incentives).

Read strictly and checked whole, so that a report never judges by a rule that was misread. Entries hold from a day;
`Process.on` gives the rules in force that day.
"""

import datetime
from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

MEASURES: dict[
    str, dict[str, str]
] = {  # measure -> its arguments and their kinds; `?` may be left out
    "activities": {"types": "texts"},
    "activities_on_time": {"types": "texts?"},
    "actions_done": {"stage": "stage?"},
    "stage_conversion": {"stage": "stage", "days": "days"},
    "cohort_win_rate": {"age_days": "days"},
    "won_amount": {},
    "quota_attainment": {},
    "sales_cycle": {"age_days": "days"},
    "satisfaction": {},
    "response_rate": {"days": "days"},
    "assists": {},
    "credit_shared": {},
    "hand_overs": {"days": "days"},
    "data_hygiene": {"days": "days"},
}
"""
What a KPI may measure; each also takes ``whose``: own (default) or team. Computed in `salesanalysis.metrics.kpis`.
"""

SHARES = frozenset(
    {
        *("actions_done", "activities_on_time", "stage_conversion", "cohort_win_rate"),
        *("satisfaction", "response_rate", "credit_shared", "hand_overs", "data_hygiene"),
    }
)
"""
Measures that are fractions of 1, and so are their floors, targets and limits.
"""


class Text(NamedTuple):
    """A text in both languages of the reports."""

    en: str
    zh: str


class Action(NamedTuple):
    """What has to be done in a stage: so many activities of one of these kinds (the CRM's own words)."""

    activities: tuple[str, ...]
    at_least: int


@dataclass(frozen=True)
class Stage:
    """One stage: its goal, who answers for it, what has to be done in it and in how many days."""

    stage: str  # the CRM's name
    name: Text
    goal: Text
    role: str
    actions: tuple[Action, ...]
    sla_days: int
    target_conversion: float
    begins: datetime.date
    pipeline: str | None = None  # needed where the CRM has several


@dataclass(frozen=True)
class Kpi:
    """One KPI for one role and ramp state, with its fixed anchors."""

    id: str
    name: Text
    kind: str  # process, result, customer, team
    measure: str  # one of MEASURES
    arguments: dict[str, object]  # of the measure, as MEASURES says: str, int, tuple of str
    whose: str  # own, team
    floor: float  # 0 points
    target: float  # 100 points; below the floor where less is better
    weight: float  # share of 1
    role: str
    ramp: str  # any, ramped, ramping
    improve: Text
    begins: datetime.date
    until: datetime.date | None = None  # last day


@dataclass(frozen=True)
class Scorecard:
    """How KPIs become a score."""

    aggregation: str  # arithmetic, geometric
    cap: float  # points at most per KPI
    judged_weight: float  # share of 1 that must be judged
    evidence: dict[str, float]  # KPI id -> least evidence, in the measure's own unit
    reviewer: Text
    objection: Text
    objection_days: int
    begins: datetime.date


class Tier(NamedTuple):
    """From this step on, this rate."""

    above: float  # share of the quota (1 = 100 %), or money
    rate: float  # share of the amount


class Accelerator(NamedTuple):
    """Multiplies the rate for deals with this value of a segment."""

    field: str
    value: str
    factor: float


class Gate(NamedTuple):
    """Below this value of a process KPI only a share is paid."""

    kpi: str
    at_least: float
    pays: float  # share of 1


@dataclass(frozen=True)
class Plan:
    """One incentive plan of one role."""

    id: str
    name: Text
    role: str
    basis: str  # booked, paid
    measured_on: str  # quota, amount
    tiers_are: str  # marginal, retroactive
    tiers: tuple[Tier, ...]  # steps ascend, the first is 0
    splits: str  # credits, owner
    begins: datetime.date
    accelerators: tuple[Accelerator, ...] = ()
    cap: float | None = None  # money per person and period
    clawback_days: int = 0  # after winning; 0: nothing is taken back
    clawback_when: tuple[str, ...] = ()  # refund, unwon
    gates: tuple[Gate, ...] = ()
    until: datetime.date | None = None


class When(NamedTuple):
    """A written criterion: a KPI or the score on one side of a value, for so many periods in a row."""

    of: str  # a KPI id, or score
    below: float | None
    at_least: float | None
    periods: int


@dataclass(frozen=True)
class Development:
    """What leads to training, coaching or a promotion review."""

    id: str
    name: Text
    leads_to: str  # training, coaching, promotion_review
    when: When
    begins: datetime.date
    until: datetime.date | None = None


@dataclass(frozen=True)
class Rules:
    """What is in force on one day."""

    on: datetime.date
    stages: tuple[Stage, ...]
    kpis: tuple[Kpi, ...]
    scorecard: Scorecard | None
    plans: tuple[Plan, ...]
    development: tuple[Development, ...]

    def kpis_of(self, role: str, ramp: str) -> tuple[Kpi, ...]:
        """KPIs of a role in one ramp state, ``ramped`` or ``ramping``: its own and those of ``any``."""
        return tuple(kpi for kpi in self.kpis if kpi.role == role and kpi.ramp in ("any", ramp))


@dataclass(frozen=True)
class Process:
    """A whole process file, checked."""

    name: Text
    goal: Text
    segments: tuple[str, ...]
    default_role: str
    ramp_months: int
    stages: tuple[Stage, ...]
    kpis: tuple[Kpi, ...]
    scorecards: tuple[Scorecard, ...]
    plans: tuple[Plan, ...]
    development: tuple[Development, ...]
    sha256: str
    file: str = field(default="", compare=False)

    def on(self, day: datetime.date) -> Rules:
        """
        Rules in force on a day.

        Of each id (KPI: id, role and ramp state; stage: pipeline and stage; scorecard: the one there is), the entry
        that began last by then, unless its last day is over: then none, an earlier entry does not come back. Order
        is that of the file. Before the first entry begins there is nothing, and no scorecard.
        """
        scorecards = _in_force(self.scorecards, day, lambda card: None)
        return Rules(
            on=day,
            stages=_in_force(self.stages, day, lambda stage: (stage.pipeline, stage.stage)),
            kpis=_in_force(self.kpis, day, lambda kpi: (kpi.id, kpi.role, kpi.ramp)),
            scorecard=scorecards[0] if scorecards else None,
            plans=_in_force(self.plans, day, lambda plan: plan.id),
            development=_in_force(self.development, day, lambda rule: rule.id),
        )

    def change_days(self) -> tuple[datetime.date, ...]:
        """Days on which the rules may differ from the day before: an entry begins, or its last day is over."""
        entries = (
            *self.stages,
            *self.kpis,
            *self.scorecards,
            *self.plans,
            *self.development,
        )
        lasts = {getattr(entry, "until", None) for entry in entries} - {None, datetime.date.max}
        begins = {entry.begins for entry in entries}
        return tuple(sorted(begins | {last + datetime.timedelta(days=1) for last in lasts}))


def _in_force(entries: Iterable, day: datetime.date, key: Callable[..., Hashable]) -> tuple:
    last = {}
    for entry in sorted(entries, key=lambda entry: entry.begins):
        if entry.begins <= day:
            last[key(entry)] = entry
    return tuple(
        entry
        for entry in entries
        if last.get(key(entry)) is entry and (getattr(entry, "until", None) or day) >= day
    )


def summary(process: Process) -> str:
    """
    Say in a few lines what holds from each day on which the rules change.

    Stages with their days, KPIs with floor, target and weight by role and ramp state, scorecard, plans, development.
    """
    lines = [f"{process.file}: {process.name.en} / {process.name.zh}"]
    for day in process.change_days():
        rules = process.on(day)
        stages = ", ".join(f"{stage.stage} {stage.sla_days} days" for stage in rules.stages)
        lines += [f"from {day}", f"  stages: {stages or 'none'}"]
        for role in dict.fromkeys(kpi.role for kpi in rules.kpis):
            lines += _kpi_lines(rules, role)
        if card := rules.scorecard:
            lines.append(
                f"  scorecard: {card.aggregation}, at most {_plain(card.cap)} points a KPI"
            )
        lines += [_plan_line(plan) for plan in rules.plans]
        lines += [f"  development {rule.id}: {_criterion(rule)}" for rule in rules.development]
    return "\n".join(lines)


def _kpi_lines(rules: Rules, role: str) -> list[str]:
    shown = {
        ramp: ", ".join(
            f"{kpi.id} {_plain(kpi.floor)} to {_plain(kpi.target)} (weight {_percent(kpi.weight)})"
            for kpi in rules.kpis_of(role, ramp)
        )
        for ramp in ("ramped", "ramping")
    }
    if shown["ramped"] == shown["ramping"]:
        return [f"  KPIs of {role}: {shown['ramped']}"]
    return [f"  KPIs of {role}, {ramp}: {text or 'none'}" for ramp, text in shown.items()]


def _plan_line(plan: Plan) -> str:
    step = _percent if plan.measured_on == "quota" else _plain
    tiers = ", ".join(f"{_percent(tier.rate)} above {step(tier.above)}" for tier in plan.tiers)
    of = "of the quota" if plan.measured_on == "quota" else "of amount"
    return f"  incentive {plan.id} of {plan.role}: {plan.basis}, {plan.tiers_are}, {tiers} {of}"


def _criterion(rule: Development) -> str:
    below = rule.when.at_least is None
    side = f"below {_plain(rule.when.below)}" if below else f"{_plain(rule.when.at_least)} or more"
    return f"{rule.leads_to} when {rule.when.of} is {side}, {rule.when.periods} in a row"


def _plain(number: float) -> str:
    return f"{number:,.15g}"


def _percent(share: float) -> str:
    return f"{share * 100:.6g} %"
