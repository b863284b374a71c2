"""Who the reports about people are for: the reps and teams that a process judges on a day."""

from pathlib import Path

import pandas as pd

from salesanalysis import crm
from salesanalysis.crm.errors import InputRefused, ParameterError


def audiences(
    store: str | Path, as_of: str, process: str | Path | None
) -> dict[str, list[tuple[str, ...]]]:
    """
    List the reps whom KPIs in force judge, and their teams.

    Parameters
    ----------
    store : path
        As `crm.observe` takes it.
    as_of : str
        The last day observed.
    process : path
        A process file.

    Returns
    -------
    dict
        ``rep``: id, name and team of each person known that day whose role (the process's
        ``default_role`` where the source gives none) has KPIs in force and who had not left
        before the day; by id. A team that is missing is "".
        ``team``: id and name of each of their teams; by id.

    Raises
    ------
    ParameterError
        No process file is given, or none of its KPIs is in force that day.
    InputRefused
        The source has no people.
    """
    if process is None:
        raise ParameterError(
            "a suite with pages for reps or teams must name a process file, which says whose role "
            "has KPIs, but names none; add process to the suite, or give --process"
        )
    rules = crm.read_process(process)
    with crm.observe(store, as_of) as seen:
        if reason := seen.reason("people"):
            raise InputRefused(
                f"pages for reps and teams need people, but there are none: {reason}"
            )
        people = seen.frame(
            "SELECT person_id, name, team, role, left_on FROM people ORDER BY person_id"
        )
        day = seen.as_of
    judged = {kpi.role for kpi in rules.on(day).kpis}
    if not judged:
        raise ParameterError(
            f"a KPI of {rules.file} must be in force on {day} for pages of reps and teams, but none is; the first "
            f"begins on {min(kpi.begins for kpi in rules.kpis)}: set `from` as early as the first period judged"
        )
    is_judged = people["role"].fillna(rules.default_role).isin(judged)
    is_there = people["left_on"].isna() | (people["left_on"] >= pd.Timestamp(day))
    reps = people[is_judged & is_there]
    teams = sorted(reps["team"].dropna().unique())
    return {
        "rep": list(zip(reps["person_id"], reps["name"], reps["team"].fillna(""), strict=True)),
        "team": [(team, team) for team in teams],
    }
