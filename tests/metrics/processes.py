"""Process files as objects, written down in a test."""

import datetime

from salesanalysis.crm.process import Kpi, Process, Scorecard, Stage, Text

LONG_AGO = datetime.date(2000, 1, 1)
SAME = Text("x", "x")


def kpi(id_, measure="quota_attainment", *, begins=LONG_AGO, until=None, **changes):
    """A KPI of ramped and ramping reps; keywords that are no field of it are arguments of the measure."""
    fields = {
        "kind": "result",
        "whose": "own",
        "floor": 0.0,
        "target": 1.0,
        "weight": 1.0,
        "role": "rep",
        "ramp": "any",
    }
    arguments = {name: changes.pop(name) for name in set(changes) - set(fields)}
    return Kpi(
        id=id_,
        name=Text(id_, id_),
        measure=measure,
        arguments=arguments,
        improve=Text(f"mend {id_}", f"mend {id_}"),
        begins=begins,
        until=until,
        **fields | changes,
    )


def stage(name, *actions, sla_days=7, pipeline=None):
    """A stage with its required actions."""
    return Stage(name, SAME, SAME, "rep", actions, sla_days, 0.5, LONG_AGO, pipeline)


def card(**changes):
    """A scorecard; any KPI with evidence of its kind is judged, unless the test says otherwise."""
    fields = {
        "aggregation": "arithmetic",
        "cap": 100.0,
        "judged_weight": 0.0,
        "evidence": {},
        "reviewer": SAME,
        "objection": SAME,
        "objection_days": 14,
        "begins": LONG_AGO,
    }
    return Scorecard(**fields | changes)


def process(*kpis, stages=(), scorecards=None, development=(), plans=(), ramp_months=3):
    """A process with these KPIs; its hash tells processes apart."""
    scorecards = (card(),) if scorecards is None else scorecards
    made = {
        "stages": tuple(stages),
        "kpis": kpis,
        "scorecards": tuple(scorecards),
        "plans": tuple(plans),
        "development": tuple(development),
        "ramp_months": ramp_months,
    }
    return Process(name=SAME, goal=SAME, segments=(), default_role="rep", sha256=repr(made), **made)
