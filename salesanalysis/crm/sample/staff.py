"""The sample company's staff: people, teams, who sits in which team when, and their quotas."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import pandas as pd

START = np.datetime64("2024-07-01T00:00:00")  # a Monday
END = np.datetime64("2026-06-30T23:59:59")
REGIONS = ("华东", "华南", "华北", "西南")
SALES_OPS, PRESALES = "销售管理部", "售前组"
_NUMERALS = "一二三四"
_LEAVING = np.timedelta64(17 * 60 + 30, "m")  # open deals are handed over at 17:30 of the last day
_NEVER = np.datetime64("NaT")
_SURNAMES = "王李张刘陈杨赵黄周吴徐孙胡朱高林何郭马罗梁宋郑谢韩唐冯于董萧程曹袁邓许傅沈曾彭吕"
_GIVEN = (
    "伟 芳 娜 敏 静 丽 强 磊 军 洋 艳 勇 杰 娟 涛 明 超 霞 平 刚 桂英 建华 文博 雨桐 子涵 浩然 "
    "欣怡 思远 晓峰 佳琪 志强 海燕 国栋 梓萱 俊杰 雪梅 宇航 婷婷 建国 诗涵"
)
_LATIN_GIVEN = "Emma Kevin Lily Jason Grace Tony Vivian Eric Zoë Daniel Sophie René"
_LATIN_SURNAMES = "Zhou Chen Müller Wong Li Novák Tan Smith Lim García"


class Staff(NamedTuple):
    """Everyone who works there; a person's number is the row number of their employee id."""

    teams: pd.DataFrame  # team, region, is_treated; one row per sales team
    people: pd.DataFrame  # one row per person and spell, as the export has it
    spells: pd.DataFrame  # reps only: person, team (row of teams), start, end, leaves
    n_people: int
    presales: np.ndarray  # person numbers


class Roster(NamedTuple):
    """Who sits where between two instants at which nobody comes, goes or moves."""

    start: np.datetime64
    end: np.datetime64
    members: np.ndarray  # persons, team by team
    team_of: np.ndarray  # by person; -1 where not in a sales team
    first: np.ndarray  # by team: place of its first member
    size: np.ndarray  # by team
    leavers: pd.DataFrame  # person, team: those who left at `start`


def person_ids(numbers: np.ndarray) -> list[str]:
    """
    Employee ids of person numbers.

    >>> person_ids([0, 41])
    ['E0001', 'E0042']
    """
    return [f"E{number + 1:04d}" for number in numbers]


def staff(rng: np.random.Generator, n_reps: int) -> Staff:
    """
    Hire the company.

    Parameters
    ----------
    rng : numpy Generator
    n_reps : int, at least 12
        Reps over the whole time, joiners and leavers included. Two of each team stay throughout,
        so that there is always a teammate to hand over to.

    Returns
    -------
    Staff
    """
    n_teams = 4 * int(np.clip(n_reps // 20, 1, 4))
    numbers = np.arange(n_teams)
    row, region = numbers // 4, numbers % 4
    teams = pd.DataFrame(
        {
            "team": [f"{REGIONS[r]}{_NUMERALS[k]}部" for r, k in zip(region, row, strict=True)],
            "region": region,
            "is_treated": (row + region) % 2 == 0,
        }
    )
    n_presales = 2 + n_teams // 4
    n_office = 1 + n_teams + n_presales
    n_people = n_office + n_reps
    spells = _spells(rng, n_reps, n_teams, n_office)
    people = _people(rng, teams, spells, n_office)
    presales = np.arange(1 + n_teams, n_office)
    return Staff(teams, people, spells, n_people, presales)


def _spells(rng, n_reps: int, n_teams: int, n_office: int) -> pd.DataFrame:
    """Reps' spells per team: most have one, movers two."""
    team = np.arange(n_reps) % n_teams
    flexible = rng.permutation(np.arange(2 * n_teams, n_reps))
    parts = [max(1, round(share * len(flexible))) for share in (0.3, 0.25, 0.15)]
    joiners, leavers, movers = np.split(flexible, np.cumsum(parts))[:3]
    hired = START.astype("M8[D]") - rng.integers(30, 2500, n_reps)
    hired[joiners] = _weekdays(rng, len(joiners), 4, 88)
    left = np.full(n_reps, _NEVER, "M8[D]")
    left[leavers] = _weekdays(rng, len(leavers), 16, 95)
    moved = np.full(n_reps, _NEVER, "M8[D]")
    moved[movers] = _weekdays(rng, len(movers), 20, 84)
    new_team = (team + 1 + rng.integers(0, n_teams - 1, n_reps)) % n_teams
    first = pd.DataFrame({"rep": np.arange(n_reps), "team": team, "valid_from": hired})
    first["valid_to"] = moved
    second = pd.DataFrame({"rep": movers, "team": new_team[movers], "valid_from": moved[movers]})
    second["valid_to"] = np.full(len(movers), _NEVER, "M8[s]")
    spells = pd.concat([first, second], ignore_index=True)
    spells["hired_on"], spells["left_on"] = hired[spells["rep"]], left[spells["rep"]]
    spells["start"] = spells["valid_from"].astype("M8[s]")
    spells["leaves"] = spells["left_on"].notna()
    gone = spells["left_on"].astype("M8[s]") + _LEAVING
    spells["end"] = spells["valid_to"].astype("M8[s]").where(spells["valid_to"].notna(), gone)
    spells["person"] = spells.pop("rep") + n_office
    return spells.sort_values(["person", "start"], ignore_index=True)


def _weekdays(rng, size: int, first_week: int, last_week: int) -> np.ndarray:
    weeks = rng.integers(first_week, last_week, size)
    return START.astype("M8[D]") + 7 * weeks + rng.integers(0, 5, size)


def _people(rng, teams: pd.DataFrame, spells: pd.DataFrame, n_office: int) -> pd.DataFrame:
    """One row per person and spell, with names: director, managers, presales, then the reps."""
    n_teams = len(teams)
    n_presales = n_office - 1 - n_teams
    office = pd.DataFrame(
        {
            "person": np.arange(n_office),
            "team": [SALES_OPS, *teams["team"], *[PRESALES] * n_presales],
            "manager": [-1, *[0] * (n_office - 1)],
            "role": ["销售总监", *["销售经理"] * n_teams, *["售前顾问"] * n_presales],
            "hired_on": START.astype("M8[D]") - rng.integers(400, 3000, n_office),
        }
    )
    office["valid_from"] = office["hired_on"]
    reps = spells[["person", "hired_on", "left_on", "valid_from", "valid_to"]].assign(
        team=teams["team"].to_numpy()[spells["team"]], manager=1 + spells["team"], role="销售"
    )
    people = pd.concat([office, reps], ignore_index=True)
    people["name"] = _names(rng, people["person"].max() + 1)[people["person"]]
    for column in ("hired_on", "left_on", "valid_from", "valid_to"):
        people[column] = people[column].astype("M8[s]")
    return people


def _names(rng, size: int) -> np.ndarray:
    """Names that are all different, about one in eight of them Latin."""
    chinese = np.array([a + b for a in _SURNAMES for b in _GIVEN.split()], object)
    latin = np.array(
        [f"{b} {a}" for a in _LATIN_SURNAMES.split() for b in _LATIN_GIVEN.split()], object
    )
    names = rng.choice(chinese, size, replace=False)
    is_latin = rng.random(size) < 0.12
    names[is_latin] = rng.choice(latin, is_latin.sum(), replace=False)
    return names


def rosters(staff: Staff) -> Iterator[Roster]:
    """
    Step through the 24 months from one change of staff to the next.

    Yields
    ------
    Roster
        In order of time, without gaps; the last ends one second after the last instant.
    """
    spells, n_teams = staff.spells, len(staff.teams)
    moments = np.concatenate([spells["start"].to_numpy(), spells["end"].dropna().to_numpy()])
    edges = np.unique(np.append(moments[(moments > START) & (moments <= END)], START))
    for start, end in zip(edges, [*edges[1:], END + np.timedelta64(1, "s")], strict=True):
        here = spells[(spells["start"] <= start) & ~(spells["end"] <= start)]
        here = here.sort_values(["team", "person"])
        team_of = np.full(staff.n_people, -1)
        team_of[here["person"]] = here["team"]
        size = np.bincount(here["team"], minlength=n_teams)
        leavers = spells.loc[(spells["end"] == start) & spells["leaves"], ["person", "team"]]
        members = here["person"].to_numpy()
        yield Roster(start, end, members, team_of, np.cumsum(size) - size, size, leavers)


def teammates(rng: np.random.Generator, roster: Roster, persons: np.ndarray) -> np.ndarray:
    """
    Draw for each person another one of the same team.

    Parameters
    ----------
    rng : numpy Generator
    roster : Roster
    persons : array of person numbers
        All in a team of this roster.

    Returns
    -------
    array of person numbers
    """
    place = np.empty(len(roster.team_of), int)
    place[roster.members] = np.arange(len(roster.members))
    team = roster.team_of[persons]
    first, size = roster.first[team], roster.size[team]
    step = 1 + np.floor(rng.random(len(persons)) * (size - 1)).astype(int)
    return roster.members[first + (place[persons] - first + step) % size]


def quotas(rng: np.random.Generator, staff: Staff, *, expected: float) -> pd.DataFrame:
    """
    Set quotas on the day before each quarter for the reps then in a team, and for the teams.

    Parameters
    ----------
    rng : numpy Generator
    staff : Staff
    expected : float
        Won amount (CNY) to expect of one rep in one quarter.

    Returns
    -------
    DataFrame, one row per holder and quarter
        ``is_team``, ``holder`` (person number or row of teams), ``start``, ``end`` (days, both
        included), ``value`` (CNY, whole ten thousands or, for a person, thousands).
    """
    frames = []
    for start in pd.date_range("2024-07-01", "2026-07-01", freq="QS"):
        spells = staff.spells
        here = spells[(spells["start"] <= start) & ~(spells["end"] <= start)]
        level = expected * (1.25 if start.year == 2026 else 1.1)
        new = (start - here["hired_on"]).dt.days < 90
        value = level * rng.uniform(0.8, 1.2, len(here)) * np.where(new, 0.5, 1)
        persons = pd.DataFrame({"holder": here["person"], "value": np.ceil(value / 1000) * 1000})
        total = persons["value"].groupby(here["team"]).sum()
        total = np.ceil(total * rng.uniform(0.97, 1.08, len(total)) / 10_000) * 10_000
        team = pd.DataFrame({"holder": total.index, "value": total.to_numpy()})
        quarter = pd.concat([persons.assign(is_team=False), team.assign(is_team=True)])
        quarter["start"], quarter["end"] = start, start + pd.offsets.QuarterEnd()
        frames.append(quarter)
    return pd.concat(frames, ignore_index=True)
