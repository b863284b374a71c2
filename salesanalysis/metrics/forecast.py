"""
How much will be won this quarter and the next: a simulation from stage and age, and how such forecasts did before.

No opinion goes in: what the weeks of the last year did with deals of a stage and an age, the weeks to come are taken to
do with theirs. `backtest` makes the same forecast as of days of the past and compares it with what then came.
"""

import datetime
from typing import NamedTuple

import numpy as np
import pandas as pd

from salesanalysis.crm.errors import ParameterError
from salesanalysis.crm.seen import Seen
from salesanalysis.metrics import credit, periods, quality
from salesanalysis.metrics.periods import Period
from salesanalysis.statistics import forecast as simulation
from salesanalysis.statistics import verification

WEEKS = 52  # of history that rates are taken from
FEWEST_WEEKS, FEWEST_WON = 26, 30
AMOUNTS = 400  # latest won deals that amounts are drawn from
HORIZON_DAYS, FEWEST_SNAPSHOTS = 91, 4
FEWEST_PATHS = 100  # a quantile needs some
_NEVER = 10**6  # a day number after all days
_LEVELS = {"low80": 0.1, "high80": 0.9, "low95": 0.025, "high95": 0.975}
_TOTALS = [
    *("period", "first_on", "last_on", "team", "booked", "mean", "median", *_LEVELS, "quota"),
    *("reach_quota_share", "largest_deal_share", "n_open", "from_open", "from_new"),
]
_DEALS = [
    *("deal_key", "pipeline", "stage", "team", "days_in_stage", "amount", "win_share"),
    "win_share_next",
]
_ROWS = [
    *("snapshot_on", "last_on", "actual", "mean", "median", *_LEVELS, "weighted_pipeline"),
    *("last_quarter", "crps", "crps_weighted", "crps_last", "brier", "brier_stage", "n_open"),
    "n_won",
]
_SCORES = [
    *("method", "n", "crps", "skill", "skill_low", "skill_high", "bias", "brier", "coverage80"),
    *("coverage80_low", "coverage80_high", "coverage95", "coverage95_low", "coverage95_high"),
    *("n_above80", "n_below80"),
]
_RELIABILITY = [
    *("from_share", "to_share", "n", "said_share", "n_happened", "happened_rate"),
    *("happened_rate_low", "happened_rate_high"),
]
_BINS = 10


class Forecast(NamedTuple):
    """
    A forecast, as `forecast` gives it.

    Attributes
    ----------
    totals : DataFrame, one row per period and team, the company first, as team ``""``
        ``period``, ``first_on``, ``last_on``, ``team``, ``booked`` (won in the period so far), then of booked and still
        to come together ``mean``, ``median``, ``low80``, ``high80``, ``low95``, ``high95``; ``quota`` (NaN if none is
        known), ``reach_quota_share`` (of the paths; NaN without quota), ``largest_deal_share`` (of the paths that reach
        the mark and would not without the largest deal to come; the mark is the quota, else the median), ``n_open``,
        ``from_open`` and ``from_new`` (medians of what comes from deals open now, and from others). The team is missing
        for deals whose owner has none. There are no rows of teams where nobody has one.
    deals : DataFrame, one row per open deal, by what it brings on average
        ``deal_key``, ``pipeline``, ``stage`` (missing where unknown), ``team``, ``days_in_stage``, ``amount`` (NaN:
        drawn), ``win_share`` (won by the end of the current quarter), ``win_share_next`` (won in the next one).
    value : str
        ``amount``, or ``count`` where the source has no amounts: then every deal counts 1.
    why_not : str or None
        Why there is no forecast yet: ``too_short_history`` (fewer than 26 whole weeks since closings are recorded),
        ``too_few_won`` (fewer than 30 won in the weeks used). Then the tables are empty.
    history_weeks : int
        Whole weeks the rates are taken from, at most 52.
    n_without_amount : int
        Open deals without an amount; theirs is drawn from the latest won ones.
    """

    totals: pd.DataFrame
    deals: pd.DataFrame
    value: str
    why_not: str | None
    history_weeks: int
    n_without_amount: int


class Backtest(NamedTuple):
    """
    Forecasts of the past against what came, as `backtest` gives it.

    Attributes
    ----------
    rows : DataFrame, one row per snapshot, in order of time
        ``snapshot_on``, ``last_on`` (91 days later), ``actual``, of the simulation ``mean``, ``median``, ``low80``,
        ``high80``, ``low95``, ``high95``; ``weighted_pipeline`` (of the deals open then, amount × share won of the
        deals closed in the last 52 weeks that had been in the stage), ``last_quarter`` (won in the 91 days before),
        ``crps``, ``crps_weighted``, ``crps_last``, ``brier``, ``brier_stage`` (of those shares), ``n_open``, ``n_won``
        (of those open).
    scores : DataFrame, one row per method: simulation, weighted_pipeline, last_quarter
        ``n`` (snapshots), ``crps`` (mean), ``skill`` with ``skill_low``, ``skill_high`` (of the simulation against this
        method; NaN for itself), ``bias`` (sum of forecasts / sum of actuals), ``brier`` (over all deals), and of the
        simulation ``coverage80`` and ``coverage95`` with ``…_low``, ``…_high``, ``n_above80``, ``n_below80``
        (snapshots after which more, or less, came than its 80 % range held: many on one side say that the process
        has changed).
    reliability : DataFrame
        Said and happened by bins of the open deals' chance (`verification.reliability`).
    widening : float
        Factor for the half-widths of the 80 % range; 1 unless it held fewer than 80 % of the snapshots.
    why_not : str or None
        ``too_few_snapshots`` (fewer than 4). Then the tables are empty.
    """

    rows: pd.DataFrame
    scores: pd.DataFrame
    reliability: pd.DataFrame
    widening: float
    why_not: str | None


def forecast(seen: Seen, *, paths: int = 1000, seed: int = 1) -> Forecast:
    """
    Forecast what is won in the quarter of the day after as-of, and in the next one.

    The last 52 weeks (fewer, where the history is shorter) are counted by where each open deal was at the beginning of
    a week, stage and weeks in it, and where at its end: still there, in any other stage, won or lost; so deals that
    skip, go back, are handed to another pipeline or won from an early stage count as what they did. Removed is lost.
    Deals that were not open when the week began (created, re-opened) are the arrivals. From these counts
    `statistics.forecast.simulate` draws its paths.

    New deals go to teams by the deals these won in the weeks used (of whoever got the deal first, in the team he or she
    is in now) and, worth 30 more, by the deals they got. Rates of moving on are those of the whole company. Amounts of
    new deals, and of open ones without, are drawn from the latest 400 won. Open deals keep their amount, and large ones
    are taken to be won as often as small ones of their stage and age. Weeks run back from as-of; what a week brings is
    spread evenly over its days, so a quarter may end within one.

    Parameters
    ----------
    seen : Seen
    paths, seed : int
        Of the simulation.

    Returns
    -------
    Forecast

    Raises
    ------
    ParameterError
        Fewer than 100 paths.
    """
    _expect(paths=(paths, FEWEST_PATHS))
    return seen.once(("forecast", paths, seed), lambda: _forecast(seen, paths, seed))


def _expect(**parameters: tuple[int, int]) -> None:
    """Refuse a parameter that is not whole or below what it must be."""
    for name, (value, least) in parameters.items():
        if not isinstance(value, int) or value < least:
            raise ParameterError(f"{name} must be a whole number from {least} on, found {value!r}")


class _Basis(NamedTuple):
    """
    What a forecast is made from, as known on a day; teams are text, "" for none.

    Attributes
    ----------
    deals : DataFrame
        Open ones, as `simulation.simulate` takes them, with ``pipeline``, ``stage``, ``days_in_stage``.
    team_weights : Series
        By which new deals go to teams.
    amounts : ndarray
        Of the latest won deals.
    won : DataFrame
        All of them: ``deal_key``, ``closed_on``, ``amount``, ``team``.
    stage_rates : ndarray
        By state, the share won of the deals that had been in it and closed in the weeks used.
    """

    counts: simulation.Counts
    deals: pd.DataFrame
    team_weights: pd.Series
    amounts: np.ndarray
    won: pd.DataFrame
    stage_rates: np.ndarray
    value: str
    why_not: str | None


def _forecast(seen: Seen, paths: int, seed: int) -> Forecast:
    basis = _basis(seen)
    n_unknown = int(basis.deals["amount"].isna().sum())
    told = basis.value, basis.why_not, len(basis.counts.arrivals), n_unknown
    if basis.why_not:
        return Forecast(pd.DataFrame(columns=_TOTALS), pd.DataFrame(columns=_DEALS), *told)
    quarters = _quarters(seen)
    teams = _teams(basis, quarters[0])
    ends_days = [(quarter.last - seen.as_of).days for quarter in quarters]
    found = _simulated(basis, ends_days, teams, paths, seed)
    parts = [
        _totals(basis, quarter, teams, _quotas(seen, quarter, basis.value), *one)
        for quarter, *one in zip(quarters, *_by_period(found), strict=True)
    ]
    totals = pd.DataFrame([row for part in parts for row in part])[_TOTALS]
    return Forecast(totals.astype({"team": object}), _deals(basis, found.chances), *told)


def _by_period(found: simulation.Paths):
    """From open deals, from new ones and the largest, each by period: paths × teams."""
    return (np.moveaxis(part, 1, 0) for part in (found.from_open, found.from_new, found.largest))


def _simulated(basis: _Basis, ends_days: list[int], teams: list[str], paths: int, seed: int):
    place = {team: k for k, team in enumerate(teams)}
    return simulation.simulate(
        basis.counts,
        basis.deals.assign(team=basis.deals["team"].map(place)),
        ends_days=ends_days,
        team_weights=basis.team_weights.reindex(teams).fillna(0.0).to_numpy(),
        amounts=basis.amounts,
        paths=paths,
        seed=seed,
    )


def _quarters(seen: Seen) -> list[Period]:
    """The quarter of the day after, and the next one."""
    one_day = datetime.timedelta(days=1)
    now = periods.quarter_of(seen.as_of + one_day, year_starts=seen.year_starts)
    return [now, periods.quarter_of(now.last + one_day, year_starts=seen.year_starts)]


def _teams(basis: _Basis, quarter: Period) -> list[str]:
    """Teams that have open deals, will get new ones, or won some in the quarter."""
    won = _won_since(basis, quarter.first)
    return sorted({*basis.deals["team"], *basis.team_weights.index, *won["team"]})


def _won_since(basis: _Basis, day: datetime.date) -> pd.DataFrame:
    return basis.won[basis.won["closed_on"] >= pd.Timestamp(day)]


def _quotas(seen: Seen, quarter: Period, value: str) -> pd.Series:
    """Amount quotas of the teams for the whole quarter, by team."""
    table = credit.quotas(seen, quarter, whole=True)
    table = table[(table["holder_type"] == "team") & (value == "amount")]
    return table.set_index("holder")["quota"].astype(float)


def _totals(basis: _Basis, quarter: Period, teams, quotas, from_open, from_new, largest):
    """Rows of a quarter: the company, then its teams, if there are any."""
    booked = _won_since(basis, quarter.first).groupby("team")["amount"].sum()
    booked = booked.reindex(teams).fillna(0.0)
    n_open = basis.deals.groupby("team").size().reindex(teams).fillna(0).astype(int)
    period = {"period": quarter.name, "first_on": quarter.first, "last_on": quarter.last}
    quota = quotas.sum() if len(quotas) else np.nan
    whole = (from_open.sum(axis=1), from_new.sum(axis=1), largest.max(axis=1))
    rows = [_row(booked.sum(), *whole, quota) | {"team": "", "n_open": int(n_open.sum())}]
    for k, team in enumerate(teams if teams != [""] else []):
        part = (from_open[:, k], from_new[:, k], largest[:, k])
        row = _row(booked[team], *part, quotas.get(team, np.nan))
        rows.append(row | {"team": team or None, "n_open": int(n_open[team])})
    return [period | row for row in rows]


def _row(booked: float, from_open, from_new, largest, quota: float) -> dict[str, float]:
    total = booked + from_open + from_new
    mark = np.median(total) if np.isnan(quota) else quota
    return {
        "booked": booked,
        **_spread(total),
        "quota": quota,
        "reach_quota_share": np.nan if np.isnan(quota) else (total >= quota).mean(),
        "largest_deal_share": ((total >= mark) & (total - largest < mark)).mean(),
        "from_open": np.median(from_open),
        "from_new": np.median(from_new),
    }


def _spread(total: np.ndarray) -> dict[str, float]:
    levels = {name: np.quantile(total, level) for name, level in _LEVELS.items()}
    return {"mean": total.mean(), "median": np.median(total), **levels}


def _deals(basis: _Basis, chances: np.ndarray) -> pd.DataFrame:
    table = basis.deals.assign(win_share=chances[:, 0], win_share_next=chances[:, 1])
    for column in ("pipeline", "stage", "team"):
        table[column] = table[column].where(table[column] != "", None)
    worth = table["amount"].fillna(basis.amounts.mean()) * table["win_share"]
    order = table.assign(worth=-worth).sort_values(["worth", "deal_key"])
    return order[_DEALS].reset_index(drop=True)


def _basis(seen: Seen) -> _Basis:
    return seen.once("forecast.basis", lambda: _made_basis(seen))


def _made_basis(seen: Seen) -> _Basis:
    weeks = min(WEEKS, _history_days(seen) // 7)
    since = pd.Timestamp(seen.as_of) - pd.Timedelta(days=7 * weeks)
    facts = _facts(seen)
    known = facts.loc[facts["cause"] == 1].sort_values(["closed_on", "deal_key"])["amount"].dropna()
    value = "amount" if len(known) >= FEWEST_WON else "count"
    amounts = known.tail(AMOUNTS).to_numpy() if value == "amount" else np.ones(1)
    facts = facts if value == "amount" else facts.assign(amount=1.0)
    stages, spells = _spells(seen)
    today = _day_number(pd.Series([pd.Timestamp(seen.as_of)]))[0]
    counts, came = _counts(spells, stages, weeks, today)
    lately = facts[(facts["cause"].isin([1, 2])) & (facts["closed_on"] > since)]
    won = facts.loc[facts["cause"] == 1, ["deal_key", "closed_on", "amount", "team"]]
    return _Basis(
        counts,
        _open(spells, stages, facts, today),
        _team_weights(facts.set_index("deal_key")["now_team"].reindex(came), lately),
        amounts,
        won,
        _stage_rates(spells, lately, len(stages)),
        value,
        _why_not(weeks, int((lately["cause"] == 1).sum())),
    )


def _why_not(weeks: int, n_won: int) -> str | None:
    if weeks < FEWEST_WEEKS:
        return "too_short_history"
    return "too_few_won" if n_won < FEWEST_WON else None


def _history_days(seen: Seen) -> int:
    """Days since deals are recorded together with their closings."""
    first = seen.frame("SELECT min(created_on) AS day FROM deals")["day"].iloc[0]
    whole = quality.truncated_before(seen)
    begin = first if pd.isna(whole) else max(first, whole)
    return 0 if pd.isna(begin) else (pd.Timestamp(seen.as_of) - begin).days + 1


def _facts(seen: Seen) -> pd.DataFrame:
    """Every deal; ``team`` is that of its closing or of now, ``now_team`` where whoever it was given to is now."""
    table = seen.frame(
        """
        SELECT d.deal_key, d.cause, d.closed_on, d.amount, d.team, p.team AS person_team, s.team AS first_team
        FROM deals d JOIN starts s ON s.deal_key = d.deal_key LEFT JOIN people p ON p.person_id = s.owner
        ORDER BY 1
        """
    )
    teams = table[["team", "person_team", "first_team"]].astype(object)
    now = teams["person_team"].where(teams["person_team"].notna(), teams["first_team"])
    return table[["deal_key", "cause", "closed_on"]].assign(
        amount=table["amount"].astype(float),
        team=teams["team"].where(teams["team"].notna(), ""),
        now_team=now.where(now.notna(), ""),
    )


def _team_weights(arrivals: pd.Series, closed: pd.DataFrame) -> pd.Series:
    """Won deals by team, and 30 more by the share of arrivals: what a team makes of its deals counts, a new one too."""
    share = arrivals.value_counts(normalize=True)
    won = closed.loc[closed["cause"] == 1, "now_team"].value_counts()
    return won.astype(float).add(FEWEST_WON * share, fill_value=0.0)


def _stage_rates(spells: pd.DataFrame, closed: pd.DataFrame, n_stages: int) -> np.ndarray:
    visits = spells.loc[spells["state"] >= 0, ["deal_key", "state"]].drop_duplicates()
    visits = visits.merge(closed[["deal_key", "cause"]], on="deal_key", validate="m:1")
    rates = (visits["cause"] == 1).groupby(visits["state"]).mean().reindex(range(n_stages))
    return rates.fillna((closed["cause"] == 1).mean()).to_numpy()


def _spells(seen: Seen) -> tuple[pd.DataFrame, pd.DataFrame]:
    """
    Where each deal was from which day to which.

    Returns
    -------
    (DataFrame, DataFrame)
        Stages in order: ``pipeline``, ``stage_order``, ``stage``; "" and 0 for open deals of which no stage is known.
        Spells by deal and time: ``deal_key``, ``state`` (row of the stages; -2 won, -1 lost or removed), ``begin``,
        ``end`` (day numbers, the end excluded). Where a deal was at the end of a day counts, so a spell that ends on
        the day it begins is none. Deals without a day of creation are left out.
    """
    rows = _moves(seen)
    is_open = rows["kind"] < 2
    names = ["pipeline", "stage_order"]
    stages = rows.loc[is_open, [*names, "stage"]].drop_duplicates(names)
    stages = stages.sort_values(names, ignore_index=True)
    places = pd.MultiIndex.from_frame(stages[names])
    state = places.get_indexer(pd.MultiIndex.from_frame(rows[names]))
    closed = np.where(rows["status"] == "won", simulation.WON, simulation.LOST)
    return stages, rows.assign(state=np.where(is_open, state, closed))


def _moves(seen: Seen) -> pd.DataFrame:
    """Entries into stages and changes of state in order; "open" only where no stage is known since."""
    stays = seen.frame(
        """
        SELECT s.deal_key, s.entered_at AS begun_at, s.entered_on AS day_on, s.pos, s.pipeline, s.stage, s.stage_order
        FROM stays s JOIN deals d ON d.deal_key = s.deal_key WHERE d.created_on IS NOT NULL
        """
    )
    states = seen.frame(
        """
        SELECT s.deal_key, s.begun_at, s.begun_on AS day_on, d.pipeline, s.status
        FROM state_spells s JOIN deals d ON d.deal_key = s.deal_key WHERE d.created_on IS NOT NULL
        """
    )
    stays = stays.assign(status="open", kind=1).astype({"pipeline": object, "stage": object})
    kind = np.where(states["status"] == "open", 0, 2)
    states = states.assign(pos=0, stage="", stage_order=0, kind=kind).astype(
        {"pipeline": object, "status": object}
    )
    rows = pd.concat([stays, states], ignore_index=True)
    rows["pipeline"] = rows["pipeline"].where(rows["pipeline"].notna(), "")
    order = np.lexsort([rows[name] for name in ("pos", "kind", "begun_at", "deal_key")])
    rows = rows.take(order).reset_index(drop=True)
    deal, kind = rows["deal_key"], rows["kind"]
    has_stage = (kind == 0) & (kind.shift() == 1) & (deal.shift() == deal)
    rows = rows[~has_stage]
    begin = pd.Series(_day_number(rows["day_on"]), rows.index).groupby(rows["deal_key"]).cummax()
    is_last = rows["deal_key"].shift(-1) != rows["deal_key"]
    end = begin.shift(-1, fill_value=0).where(~is_last, _NEVER)
    rows = rows.assign(begin=begin, end=end)
    return rows[begin < end].reset_index(drop=True)


def _day_number(days: pd.Series) -> np.ndarray:
    return days.to_numpy().astype("M8[D]").astype("int64")


def _counts(spells: pd.DataFrame, stages: pd.DataFrame, weeks: int, today: int):
    """What happened in the weeks that end today, and the deals that came in, once for each time they did."""
    deal, state, begin, end = (
        spells[name].to_numpy() for name in ("deal_key", "state", "begin", "end")
    )
    is_last = (stages["pipeline"] != stages["pipeline"].shift(-1)).to_numpy()
    moves = np.zeros((len(stages), len(simulation.BINS), len(stages) + 3))
    inflow = np.zeros(len(stages) + 3)
    came = [np.empty(0, dtype=deal.dtype)]
    arrivals = np.zeros(weeks)
    for week in range(weeks):
        day = today - 7 * (weeks - week)
        now, later = (np.flatnonzero((begin <= at) & (at < end)) for at in (day, day + 7))
        was_there = np.isin(deal[later], deal[now], assume_unique=True)
        then, new = later[was_there], later[~was_there]
        is_open = state[now] >= 0
        age = np.searchsorted(simulation.BINS, (day - begin[now]) // 7, side="right") - 1
        target = np.where(now == then, simulation.STAYED, state[then])
        np.add.at(moves, (state[now][is_open], age[is_open], target[is_open]), 1)
        is_again = (state[then] >= 0) | ((state[then] == simulation.WON) & (now != then))
        new = np.concatenate([new, then[~is_open & is_again]])
        np.add.at(inflow, state[new], 1)
        arrivals[week] = len(new)
        came.append(deal[new])
    return simulation.Counts(moves, inflow, arrivals, is_last), np.concatenate(came)


def _open(spells, stages: pd.DataFrame, facts: pd.DataFrame, today: int) -> pd.DataFrame:
    is_now = (spells["begin"] <= today) & (today < spells["end"]) & (spells["state"] >= 0)
    rows = spells.loc[is_now, ["deal_key", "state", "begin"]]
    days = today - rows["begin"]
    rows = rows.assign(days_in_stage=days, age_weeks=days // 7)
    rows = rows.join(stages[["pipeline", "stage"]], on="state")
    known = facts.loc[facts["cause"] == 0, ["deal_key", "amount", "team"]]
    return rows.merge(known, on="deal_key", validate="1:1").reset_index(drop=True)


def backtest(
    seen: Seen, *, snapshots: int = 8, apart_days: int = 42, paths: int = 400, seed: int = 1
) -> Backtest:
    """
    Forecast what is won in 13 weeks as of days of the past, from what was known then, and compare with what came.

    The last snapshot lies 13 weeks before as-of, each other one `apart_days` before the next. With 42 days neighbours
    share half of the weeks they forecast, and 8 are worth about 4. There is one where a forecast could have been made
    (`Forecast.why_not`). What came is what is won as of `seen`, on a day of the 91 after the snapshot: a deal re-opened
    since counts as it stands now.

    Parameters
    ----------
    seen : Seen
    snapshots : int
        At most so many.
    apart_days : int
        From one to the next.
    paths, seed : int
        As for `forecast`.

    Returns
    -------
    Backtest

    Raises
    ------
    ParameterError
        No snapshot, no day between them, or fewer than 100 paths.
    """
    _expect(snapshots=(snapshots, 1), apart_days=(apart_days, 1), paths=(paths, FEWEST_PATHS))
    key = ("forecast.backtest", snapshots, apart_days, paths, seed)
    return seen.once(key, lambda: _backtest(seen, snapshots, apart_days, paths, seed))


def _backtest(seen: Seen, snapshots: int, apart_days: int, paths: int, seed: int) -> Backtest:
    value, won = _basis(seen).value, _basis(seen).won
    found = []
    for day in _snapshot_days(seen, snapshots, apart_days):
        with seen.at(day) as then:
            basis = _basis(then)
        if basis.why_not is None and basis.value == value:
            found.append(_looked_back(basis, day, won, paths, seed))
    if len(found) < FEWEST_SNAPSHOTS:
        none = (pd.DataFrame(columns=columns) for columns in (_ROWS, _SCORES, _RELIABILITY))
        return Backtest(*none, 1.0, "too_few_snapshots")
    rows = pd.DataFrame([row for row, _ in found])[_ROWS]
    said = pd.concat([part for _, part in found], ignore_index=True)
    reliability = verification.reliability(said["chance"], said["is_won"], _BINS)
    scores = _scores(rows, seed)
    return Backtest(rows, scores, reliability[_RELIABILITY], _widening(rows, scores), None)


def _widening(rows: pd.DataFrame, scores: pd.DataFrame) -> float:
    if scores["coverage80"].iloc[0] >= 0.8:
        return 1.0
    half_width = (rows["high80"] - rows["low80"]) / 2
    return verification.widening(rows["median"], half_width, rows["actual"])


def _snapshot_days(seen: Seen, snapshots: int, apart_days: int) -> list[datetime.date]:
    """In order of time, not before the first deal."""
    first = seen.frame("SELECT min(created_on) AS day FROM deals")["day"].iloc[0]
    last = seen.as_of - datetime.timedelta(days=HORIZON_DAYS)
    days = [last - datetime.timedelta(days=apart_days * k) for k in range(snapshots)]
    return [day for day in days[::-1] if pd.Timestamp(day) >= first]


def _looked_back(basis: _Basis, day: datetime.date, won: pd.DataFrame, paths: int, seed: int):
    """One snapshot: its row, and what was said of each deal open then."""
    begin, horizon = pd.Timestamp(day), pd.Timedelta(days=HORIZON_DAYS)
    came = won[(won["closed_on"] > begin) & (won["closed_on"] <= begin + horizon)]
    actual = came["amount"].sum()
    last_quarter = basis.won.loc[basis.won["closed_on"] > begin - horizon, "amount"].sum()
    deals = basis.deals.assign(team="")
    found = _simulated(basis._replace(deals=deals), [HORIZON_DAYS], [""], paths, seed)
    total = (found.from_open + found.from_new).sum(axis=(1, 2))
    is_won = deals["deal_key"].isin(came["deal_key"]).to_numpy()
    stage_rate = basis.stage_rates[deals["state"]]
    weighted = (deals["amount"].fillna(basis.amounts.mean()) * stage_rate).sum()
    row = {
        "snapshot_on": day,
        "last_on": (begin + horizon).date(),
        "actual": actual,
        **_spread(total),
        "weighted_pipeline": weighted,
        "last_quarter": last_quarter,
        "crps": float(verification.crps(total, actual)),
        "crps_weighted": abs(actual - weighted),
        "crps_last": abs(actual - last_quarter),
        "brier": verification.brier(found.chances[:, 0], is_won),
        "brier_stage": verification.brier(stage_rate, is_won),
        "n_open": len(is_won),
        "n_won": int(is_won.sum()),
    }
    return row, pd.DataFrame({"chance": found.chances[:, 0], "is_won": is_won})


def _mean_of_deals(rows: pd.DataFrame, score: str) -> float:
    """Mean score of all open deals; NaN where none was open on any day, as in a source of orders."""
    rows = rows[rows["n_open"] > 0]
    return float(np.average(rows[score], weights=rows["n_open"])) if len(rows) else np.nan


def _scores(rows: pd.DataFrame, seed: int) -> pd.DataFrame:
    methods = [
        ("simulation", "mean", "crps", "brier"),
        ("weighted_pipeline", "weighted_pipeline", "crps_weighted", "brier_stage"),
        ("last_quarter", "last_quarter", "crps_last", None),
    ]
    table = []
    for method, forecast_, score, brier in methods:
        row = {"method": method, "n": len(rows), "crps": rows[score].mean()}
        actual = rows["actual"].sum()
        row["bias"] = rows[forecast_].sum() / actual if actual else np.nan
        row["brier"] = _mean_of_deals(rows, brier) if brier else np.nan
        if method == "simulation":
            for level in (80, 95):
                held = verification.coverage(
                    rows[f"low{level}"], rows[f"high{level}"], rows["actual"]
                )
                name = f"coverage{level}"
                row |= {name: held.rate, f"{name}_low": held.low, f"{name}_high": held.high}
            row["n_above80"] = (rows["actual"] > rows["high80"]).sum()
            row["n_below80"] = (rows["actual"] < rows["low80"]).sum()
        else:
            skill = verification.skill(rows["crps"], rows[score], seed=seed)
            row |= {"skill": skill.value, "skill_low": skill.low, "skill_high": skill.high}
        table.append(row)
    return pd.DataFrame(table)[_SCORES]
