"""
What a leader reads first: the last quarter against target and the quarter before, why it changed, and what to do.

Bookings are the amounts of the deals won as of the day, by day of winning; where the source has no amounts, deals won.
"""

import datetime
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from salesanalysis.crm.errors import ParameterError
from salesanalysis.crm.seen import Seen
from salesanalysis.crm.tables import SEGMENTS
from salesanalysis.metrics import credit, periods, quality, staff
from salesanalysis.metrics.groups import expect_days
from salesanalysis.metrics.periods import Period
from salesanalysis.statistics import comparisons, decomposition, proportions, survival

CELLS = ("segment", "product")
MOVERS = ("team", "segment", "product")
FEWEST_CLOSED = 20  # deals of a kind in both quarters together; kinds with fewer are one
FEWEST_CREATED = 10  # deals of a quarter, for a rate or a median to be said of it
LEVEL = 0.05
DAYS_OF_A_YEAR = 365.25
STEPS = ("volume", "mix", "rate", "amount")
_WHICH = ("this", "before", "year_ago")


def quarter(seen: Seen) -> Period:
    """Give the last quarter that is over by the as-of date."""
    return periods.period("", as_of=seen.as_of, year_starts=seen.year_starts)


def _quarters(seen: Seen) -> dict[str, Period]:
    """The quarter, the one before, and the same one a year ago."""
    year = periods.series(quarter(seen), 5)
    return dict(zip(_WHICH, (year[4], year[3], year[0]), strict=True))


def measure(seen: Seen) -> str:
    """Say what bookings are counted in: ``amount``, or ``count`` (deals won) where no won deal has an amount."""
    found = seen.frame("SELECT count(amount) AS n FROM deals WHERE cause = 1")
    return "amount" if found["n"].iloc[0] else "count"


def _closed(seen: Seen) -> pd.DataFrame:
    """The deals closed in the quarters compared, with `which` quarter, and what each counts (0 of a lost one)."""
    rows = seen.frame(
        """
        SELECT deal_key, closed_on, cause, amount, team, source, segment, product, region FROM deals
        WHERE cause IN (1, 2) AND closed_on >= ? AND closed_on <= ? ORDER BY deal_key
        """,
        (_quarters(seen)["year_ago"].first, quarter(seen).last),
    )
    rows["which"] = pd.Series(None, index=rows.index, dtype=object)
    for which, period in _quarters(seen).items():
        is_in = rows["closed_on"].between(pd.Timestamp(period.first), pd.Timestamp(period.last))
        rows.loc[is_in, "which"] = which
    rows["is_won"] = rows["cause"] == 1
    amount = rows["amount"].astype(float) if measure(seen) == "amount" else 1.0
    rows["value"] = pd.Series(amount, index=rows.index).where(rows["is_won"], 0.0)
    return rows[rows["which"].notna()].reset_index(drop=True)


def recorded_from(seen: Seen) -> pd.Timestamp:
    """Give the first day from which on closings are recorded; NaT where no deal has a date."""
    first = seen.frame("SELECT min(created_on) AS day FROM deals WHERE cause IS NOT NULL")["day"]
    days = [first.iloc[0], quality.truncated_before(seen)]
    return max((day for day in days if not pd.isna(day)), default=pd.NaT)


def _is_recorded(seen: Seen, first: datetime.date) -> bool:
    begun = recorded_from(seen)
    return not pd.isna(begun) and pd.Timestamp(first) >= begun


def bookings(seen: Seen) -> pd.DataFrame:
    """
    Add up what was won in the last finished quarter, the one before and the same one a year ago.

    Returns
    -------
    DataFrame, one row per quarter: ``which`` is this, before, year_ago
        ``period`` (its name), ``first_on``, ``last_on``, ``measure`` (amount, count), ``n_won``, ``n_closed`` (won or
        lost), ``n_no_amount`` (won deals without one: not in the amount), ``bookings`` (NaN where the source did not
        record the whole quarter yet), ``target`` (sum of the amount quotas of teams; without these, of the persons
        who manage nobody with a quota, prorated for their employment; NaN without quotas), ``target_of`` (teams,
        persons or None), ``attainment`` (of the target); of the other two quarters ``change`` (this one less that one) and
        ``change_share`` (of that one; NaN where that was 0).
    """
    return seen.once("summary.bookings", lambda: _bookings(seen))


def _bookings(seen: Seen) -> pd.DataFrame:
    rows, what = _closed(seen), measure(seen)
    table = []
    for which, period in _quarters(seen).items():
        part = rows[rows["which"] == which]
        target, target_of = _target(seen, period) if what == "amount" else (np.nan, None)
        value = part["value"].sum() if _is_recorded(seen, period.first) else np.nan
        table.append(
            {
                "which": which,
                "period": str(period),
                "first_on": pd.Timestamp(period.first),
                "last_on": pd.Timestamp(period.last),
                "measure": what,
                "n_won": int(part["is_won"].sum()),
                "n_closed": len(part),
                "n_no_amount": int(part["value"].isna().sum()),
                "bookings": value,
                "target": target,
                "target_of": target_of,
                "attainment": value / target if target > 0 else np.nan,
            }
        )
    table = pd.DataFrame(table)
    is_this, value = table["which"] == "this", table["bookings"]
    table["change"] = (value[is_this].iloc[0] - value).mask(is_this)
    table["change_share"] = table["change"] / value.where(value > 0)
    return table


def _target(seen: Seen, period: Period) -> tuple[float, str | None]:
    asked = credit.quotas(seen, period, whole=True)
    teams, persons = asked[asked["holder_type"] == "team"], credit.attainment(seen, period)
    persons = persons[(persons["n_reports"] == 0) & persons["prorated_quota"].notna()]
    if len(teams):
        return float(teams["quota"].sum()), "teams"
    if len(persons):
        return float(persons["prorated_quota"].sum()), "persons"
    return np.nan, None


# Why it changed


def bridge(
    seen: Seen, *, cells: Sequence[str] = CELLS, seed: int = 1, draws: int = 4000
) -> pd.DataFrame:
    """
    Split the change of bookings from the quarter before among four causes, exactly.

    Bookings = deals closed × sum over kinds of deals (share of the deals closed × share of these won × mean amount of
    the won). The effect of a factor is its Shapley value (Das Gupta), so that they add up to the change whatever their
    order. A kind without a closed deal in one quarter has there the rate and mean amount of the other, so that a kind
    that came or went is all mix; one without a win, the mean amount. Kinds with fewer than 20 deals closed in both
    quarters together are one.

    Deals count in the quarter they were closed in, whenever they were created. So ``rate`` is the share of closings that
    were wins: losses recorded late, in one go, move it, and the cohort win rate does not. Won deals without an amount are
    left out.

    Parameters
    ----------
    seen : Seen
    cells : segments whose values together are the kind of a deal; those with one value are of no use and not taken
    seed, draws : int
        Of the intervals: number closed from Gamma(n + 1/2), shares from Dirichlet(n), rates from Beta(k + p, n − k + 1
        − p) with the quarter's overall rate p, each mean amount from m × s / Gamma(s), s = wins of the kind / variance of amounts
        relative to their squared mean, within kinds, all kinds together (the posterior of a mean of gamma amounts; resampling
        would give a kind with one win no range).

    Returns
    -------
    DataFrame, one row per ``step``: before, volume, mix, rate, amount, after, change
        ``value``; ``low``, ``high``: 95 % range of what the same business could have given, by the number of deals
        alone; ``start``, ``end``: where the step's bar begins and ends, one after the other from the bookings before
        (a step that is not known moves nothing); ``even_value``: of mix and rate, the effect had all kinds the same mean amount; ``why_not``: only_won (the source
        records no lost deal), no_amount, one_kind, kinds_alike (every deal of
        every kind counts the same); the value is NaN then. No rows where one of the quarters was not
        recorded whole or nothing was closed in it.

    Raises
    ------
    ParameterError
        One of `cells` is owner or no segment.

    References
    ----------
    Das Gupta, Standardization and Decomposition of Rates, US Bureau of the Census P23-186 (1993).
    """
    cells = _checked(cells)
    key = ("summary.bridge", cells, seed, draws)
    return seen.once(key, lambda: _bridge(seen, cells, seed, draws))


def _checked(cells: Sequence[str]) -> tuple[str, ...]:
    cells = tuple(dict.fromkeys(cells))
    known = [name for name in SEGMENTS if name != "owner"]
    if unknown := [name for name in cells if name not in known]:
        raise ParameterError(f"cells must be of {', '.join(known)}, found {', '.join(unknown)}")
    return cells


_BRIDGE = ["step", "value", "low", "high", "start", "end", "even_value", "why_not"]
_SUMS = ["n_closed", "n_won", "total", "squares"]


def kinds(seen: Seen, *, cells: Sequence[str] = CELLS) -> pd.DataFrame:
    """
    Count, by kind of deal, what `bridge` compares.

    Returns
    -------
    DataFrame, one row per kind and quarter, kinds in order of their share of the bookings of both
        ``kind`` (tuple of the values of the cells in use; the empty one: all rare kinds), ``which`` (before, this),
        ``n_closed``, ``n_won``, ``won_rate`` (NaN where nothing closed), ``total`` (bookings), ``mean_amount`` (NaN without a win), ``squares``.
        Won deals without an amount are left out.
    """
    cells = _checked(cells)
    return seen.once(("summary.kinds", cells), lambda: _kinds(seen, cells))


def _kinds(seen: Seen, cells: tuple[str, ...]) -> pd.DataFrame:
    rows = _closed(seen)
    rows = rows[rows["which"].isin(("this", "before")) & rows["value"].notna()]
    used = [name for name in cells if rows[name].nunique(dropna=False) > 1]
    kind = [tuple(row) for row in rows[used].astype(object).fillna("").to_numpy()]
    rows = rows.assign(kind=pd.Series(kind, index=rows.index, dtype=object))
    is_rare = rows["kind"].map(rows["kind"].value_counts()) < FEWEST_CLOSED
    rows.loc[is_rare, "kind"] = pd.Series([()] * int(is_rare.sum()), rows.index[is_rare])
    rows = rows.assign(squares=rows["value"] ** 2)
    grouped = rows.groupby(["kind", "which"])
    sums = grouped[["is_won", "value", "squares"]].sum().assign(n_closed=grouped.size())
    sums = sums.rename(columns={"is_won": "n_won", "value": "total"})[_SUMS]
    whole = pd.MultiIndex.from_product(
        [sorted(set(rows["kind"])), ("before", "this")], names=["kind", "which"]
    )
    table = sums.reindex(whole, fill_value=0).reset_index()
    table = table.astype({"n_closed": int, "n_won": int, "total": float, "squares": float})
    table["won_rate"] = table["n_won"] / table["n_closed"].where(table["n_closed"] > 0)
    table["mean_amount"] = table["total"] / table["n_won"].where(table["n_won"] > 0)
    size = table.groupby("kind")["total"].transform("sum")
    table = table.assign(size=size).sort_values(
        ["size", "kind", "which"], ascending=[False, True, True], ignore_index=True
    )
    return table.drop(columns="size")


def _bridge(seen: Seen, cells: tuple[str, ...], seed: int, draws: int) -> pd.DataFrame:
    table, quarters = kinds(seen, cells=cells), _quarters(seen)
    sides = [table[table["which"] == which].set_index("kind") for which in ("before", "this")]
    is_known = all(_is_recorded(seen, quarters[which].first) for which in ("before", "this"))
    if not is_known or not all(side["n_closed"].sum() for side in sides):
        return pd.DataFrame(columns=_BRIDGE)
    why = _why_not(seen, table)
    seen_factors = _factors([_side(side) for side in sides])
    rng = np.random.default_rng(seed)
    spread = _relative_variance(table)
    drawn = _factors([_drawn(side, rng, draws, spread, why) for side in sides])
    effects, even = _effects(seen_factors), _effects(_evened(seen_factors))
    ranges = {
        name: np.quantile(x, [LEVEL / 2, 1 - LEVEL / 2]) for name, x in _effects(drawn).items()
    }
    rows = [
        {
            "step": name,
            "value": np.nan if name in why else effects[name],
            "low": np.nan if name in why else ranges[name][0],
            "high": np.nan if name in why else ranges[name][1],
            "even_value": even[name] if name in ("mix", "rate") and name not in why else np.nan,
            "why_not": why.get(name),
        }
        for name in ("before", *STEPS, "after", "change")
    ]
    table = pd.DataFrame(rows, columns=_BRIDGE)
    is_step = table["step"].isin(STEPS)
    moved = table["value"].where(is_step).fillna(0).cumsum()
    table["end"] = (effects["before"] + moved).where(is_step, table["value"])
    table["start"] = table["end"] - table["value"].fillna(0)
    return table.assign(why_not=pd.Series([row["why_not"] for row in rows], dtype=object))


def _why_not(seen: Seen, table: pd.DataFrame) -> dict[str, str]:
    """Factors that the source cannot tell: they are constant."""
    why = {}
    if table["kind"].nunique() < 2:
        why["mix"] = "one_kind"
    if (table["n_won"] == table["n_closed"]).all():
        why["rate"] = "only_won"
    if measure(seen) == "count":
        why["amount"] = "no_amount"
    if {"rate", "amount"} <= set(why):
        why["mix"] = "kinds_alike"
    return why


class _Factors(NamedTuple):
    """The factors of one quarter; kinds last, draws in front of them if there are any."""

    volume: Any
    mix: Any
    rate: Any
    amount: Any


def _won_amount(volume, mix, rate, amount):
    return volume * (mix * rate * amount).sum(axis=-1)


def _side(side: pd.DataFrame) -> _Factors:
    n = side["n_closed"].to_numpy(dtype=float)
    rate, amount = (side[name].to_numpy(dtype=float) for name in ("won_rate", "mean_amount"))
    return _Factors(n.sum(), n / n.sum(), rate, amount)


def _factors(sides: list[_Factors]) -> list[_Factors]:
    """Both quarters, the rate and mean amount a kind does not have in one taken from the other."""
    filled = []
    for own, other in (sides, sides[::-1]):
        rate = np.where(np.isnan(own.rate), other.rate, own.rate)
        amount = np.where(np.isnan(own.amount), other.amount, own.amount)
        # A kind that nothing was won of in either quarter counts 0 whatever its amount.
        filled.append(own._replace(rate=rate, amount=np.nan_to_num(amount)))
    return filled


def _effects(sides: list[_Factors]) -> dict[str, Any]:
    before, after = (side._asdict() for side in sides)
    totals = {"before": _won_amount(**before), "after": _won_amount(**after)}
    effects = decomposition.shapley(_won_amount, before, after)
    return effects | totals | {"change": totals["after"] - totals["before"]}


def _evened(sides: list[_Factors]) -> list[_Factors]:
    """The same with the mean amount of all wins for every kind."""
    won = [side.volume * side.mix * side.rate for side in sides]
    total = sum(float(_won_amount(*side)) for side in sides)
    n_won = sum(float(one.sum()) for one in won)
    mean = total / n_won if n_won else 0.0
    return [side._replace(amount=np.full(len(side.mix), mean)) for side in sides]


def _relative_variance(table: pd.DataFrame) -> float:
    """Variance of amounts over the square of their mean, within kinds and quarters; 1 where no kind has two wins."""
    won = table[table["n_won"] > 1]
    beyond = won["squares"] / won["mean_amount"] ** 2 - won["n_won"]
    degrees = (won["n_won"] - 1).sum()
    return max(float(beyond.sum() / degrees), 0.0) if degrees else 1.0


def _drawn(side: pd.DataFrame, rng, draws: int, spread: float, why: dict[str, str]) -> _Factors:
    n, k = (side[name].to_numpy(dtype=float) for name in ("n_closed", "n_won"))
    size = (draws, len(n))
    volume = rng.standard_gamma(n.sum() + 0.5, draws)
    weights = rng.standard_gamma(n, size)
    overall = (k.sum() + 0.5) / (n.sum() + 1)
    rate = rng.beta(k + overall, n - k + 1 - overall, size)
    rate = np.where(n > 0, np.ones(size) if "rate" in why else rate, np.nan)
    mean = side["mean_amount"].to_numpy(dtype=float)
    amount = np.broadcast_to(mean, size)
    if spread > 0 and "amount" not in why:
        shape = np.where(k > 0, k, 1) / spread
        amount = mean * shape / rng.standard_gamma(shape, size)
    return _Factors(volume, weights / weights.sum(axis=1, keepdims=True), rate, amount)


class Driver(NamedTuple):
    """
    What explains most of a change, as `driver` reads it from `bridge`.

    Attributes
    ----------
    step : str
        volume, mix, rate, rate_of_large (the win rate, though not by number of deals: that of kinds with large
        amounts) or amount.
    share : float
        Of the change; above 1 where others go the other way.
    is_up : bool
        Whether the step raised bookings.
    not_step : str or None
        A step that explains none of it: it goes the other way, or is less than a tenth of the change.
    is_chance : bool
        Whether the range of the whole change contains 0: chance alone could make it.
    """

    step: str
    share: float
    is_up: bool
    not_step: str | None
    is_chance: bool


def driver(table: pd.DataFrame) -> Driver | None:
    """Find what explains most of the change in `bridge`; None without a change, or where the source tells one step only."""
    if table.empty:
        return None
    rows = table.set_index("step")
    change = rows.loc["change"]
    effects = rows.loc[list(STEPS), "value"].dropna()
    if not change["value"] or len(effects) < 2:
        return None
    shares = effects / change["value"]
    step = str(shares.idxmax())
    small = [name for name in ("amount", "rate", "volume", "mix") if shares.get(name, 1.0) < 0.1]
    others = [name for name in small if name != step]
    row = rows.loc[step]
    is_of_large = step == "rate" and row["even_value"] / row["value"] < 0.5
    return Driver(
        "rate_of_large" if is_of_large else step,
        float(shares[step]),
        bool(row["value"] > 0),
        others[0] if others else None,
        bool(change["low"] <= 0 <= change["high"]),
    )


def movers(seen: Seen) -> pd.DataFrame:
    """
    Compare the bookings of each team, segment and product with the quarter before and with a year ago.

    Returns
    -------
    DataFrame, one row per comparison, ``kind`` and ``group``, the largest change first
        ``against`` (before, year_ago), ``kind`` (team, segment, product), ``group`` (missing: not given), ``n_won``,
        ``n_won_then``, ``bookings``, ``bookings_then``, ``change``, ``change_share`` (of what it was; NaN where that was
        0); ``chance``: how far, up or down, bookings move by chance alone if each of these deals could as well have
        been won in the other quarter, with 95 % for all groups of a comparison together (z × root of the sum of
        squared amounts, z by Bonferroni; no more than the sum of amounts); ``is_clear``: the change is larger;
        ``n_compared``. Won deals without an amount are left out. No rows of a comparison with a quarter that was not
        recorded whole, nor of a kind with one group.
    """
    return seen.once("summary.movers", lambda: _movers(seen))


_MOVERS = [
    *("against", "kind", "group", "n_won", "n_won_then", "bookings", "bookings_then", "change"),
    *("change_share", "chance", "is_clear", "n_compared"),
]


def _movers(seen: Seen) -> pd.DataFrame:
    rows = _closed(seen)
    rows = rows[rows["is_won"] & rows["value"].notna()]
    parts = [
        _moved(rows, against)
        for against in ("before", "year_ago")
        if _is_recorded(seen, _quarters(seen)[against].first)
    ]
    parts = [part for part in parts if len(part)]
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=_MOVERS)


def _moved(rows: pd.DataFrame, against: str) -> pd.DataFrame:
    rows = rows[rows["which"].isin(("this", against))]
    table = pd.concat([_sums_of(rows, kind, against) for kind in MOVERS], ignore_index=True)
    if table.empty:
        return pd.DataFrame(columns=_MOVERS)
    then = table["bookings_then"]
    change = table["bookings"] - then
    z = proportions.two_sided_z(1 - LEVEL / len(table))
    chance = z * np.sqrt(table["squares"] + table["squares_then"])
    table = table.assign(
        against=against,
        change=change,
        change_share=change / then.where(then > 0),
        chance=np.minimum(chance, table["bookings"] + then),
        n_compared=len(table),
    )
    table["is_clear"] = table["change"].abs() > table["chance"]
    order = table.assign(size=-table["change"].abs(), name=table["group"].fillna(""))
    order = order.sort_values(["size", "kind", "name"]).index
    return table.loc[order, _MOVERS].reset_index(drop=True)


def _sums_of(rows: pd.DataFrame, kind: str, against: str) -> pd.DataFrame:
    names = ["n_won", "bookings", "squares"]
    rows = rows.assign(n_won=1, bookings=rows["value"], squares=rows["value"] ** 2)
    sums = rows.groupby([kind, "which"], dropna=False)[names].sum().unstack(fill_value=0)
    if len(sums) < 2:
        return pd.DataFrame()
    groups = [None if pd.isna(group) else group for group in sums.index]
    table = pd.DataFrame({"kind": kind, "group": pd.Series(groups, dtype=object)})
    for name in names:
        for which, suffix in (("this", ""), (against, "_then")):
            found = sums[name].get(which, pd.Series(0, sums.index))
            table[name + suffix] = found.to_numpy(dtype=int if name == "n_won" else float)
    return table


# Key figures


def cohorts(seen: Seen, *, age_days: int = 90) -> pd.DataFrame:
    """
    Compare the latest quarter of creation that is old enough with the one before: deals won, and time open.

    Parameters
    ----------
    seen : Seen
    age_days : int
        A quarter is old enough when its last day lies so many days back: both are compared up to this age.

    Returns
    -------
    DataFrame, one row per ``figure``: win_rate, cycle
        ``first_on``, ``last_on``, ``before_first_on``, ``before_last_on`` (of creation), ``n``, ``n_before`` (deals),
        ``until_days`` (the age).
        win_rate: ``value`` with ``low``, ``high``: share won by that age (Aalen-Johansen, Wilson), ``before`` likewise,
        ``change`` with ``change_low``, ``change_high`` (MOVER).
        cycle: ``value``, ``before``: days by which half are closed, either way (Kaplan-Meier; NaN where that is not
        reached); ``change``: of the mean days open, counting no more than `age_days` of each deal (restricted means,
        normal interval), because the median of a quarter that is still open moves with the deals that are left.
        ``is_better``: True or False where the range of the change does not contain 0, else None. ``why_not``
        (no_mature_quarter: none was recorded whole that is old enough, with 10 deals; only_won: no deal of the source is
        open or lost; half_open: cycle, half of the deals are not closed yet), ``why_no_change``
        (not_recorded, few_deals: the quarter before) say why a number is NaN.

    Raises
    ------
    ParameterError
        `age_days` is not a whole number of days, or below 1.
    """
    expect_days(age_days=age_days)
    if not age_days:
        raise ParameterError("age_days must be 1 or more, found 0")
    return seen.once(("summary.cohorts", age_days), lambda: _cohorts(seen, age_days))


_RANGES = [
    *("value", "low", "high", "before", "before_low", "before_high"),
    *("change", "change_low", "change_high"),
]
_DAYS = ["first_on", "last_on", "before_first_on", "before_last_on"]
_COHORTS = ["figure", *_DAYS, "n", "n_before", "until_days", *_RANGES, "is_better", "why_not"]
_COHORTS += ["why_no_change"]


def _cohorts(seen: Seen, age_days: int) -> pd.DataFrame:
    old = seen.as_of - datetime.timedelta(days=age_days)
    # As of this day the quarters that are over are those old enough.
    period = periods.period("", as_of=old, year_starts=seen.year_starts)
    before = period.before()
    rows = [_created(seen, one) for one in (period, before)]
    why_not = why_no_change = None
    if not _has_open_or_lost(seen):
        why_not = "only_won"
    elif not _is_recorded(seen, period.first) or rows[0]["n"].sum() < FEWEST_CREATED:
        why_not = "no_mature_quarter"
    elif not _is_recorded(seen, before.first):
        why_no_change = "not_recorded"
    elif rows[1]["n"].sum() < FEWEST_CREATED:
        why_no_change = "few_deals"
    days = [pd.Timestamp(day) for one in (period, before) for day in (one.first, one.last)]
    table = []
    for name, read, is_more_better in (
        ("win_rate", _win_rate, True),
        ("cycle", _cycle, False),
    ):
        found = dict.fromkeys(_RANGES, np.nan)
        if not why_not:
            found |= read(*rows, age_days, is_alone=why_no_change is not None)
        row = dict(zip(_DAYS, days, strict=True)) | {"figure": name, "until_days": age_days}
        row |= {"n": int(rows[0]["n"].sum()), "n_before": int(rows[1]["n"].sum())}
        is_open = name == "cycle" and not why_not and np.isnan(found["value"])
        row |= {"why_not": "half_open" if is_open else why_not, "why_no_change": why_no_change}
        row["is_better"] = _is_better(found, is_more_better=is_more_better)
        table.append(row | found)
    table = pd.DataFrame(table, columns=_COHORTS)
    texts = ["is_better", "why_not", "why_no_change"]
    return table.astype(dict.fromkeys(texts, object)).astype(dict.fromkeys(_RANGES, float))


def _has_open_or_lost(seen: Seen) -> bool:
    return bool(seen.frame("SELECT count(*) AS n FROM deals WHERE cause IN (0, 2)")["n"].iloc[0])


def _created(seen: Seen, period: Period) -> pd.DataFrame:
    return seen.frame(
        """
        SELECT exit_age, cause, count(*) AS n FROM deals
        WHERE cause IS NOT NULL AND exit_age >= 0 AND created_on >= ? AND created_on <= ? GROUP BY 1, 2 ORDER BY 1, 2
        """,
        (period.first, period.last),
    )


def _win_rate(now: pd.DataFrame, then: pd.DataFrame, age_days: int, *, is_alone: bool) -> dict:
    read = [
        tuple(float(at[name]) for name in ("rate", "rate_low", "rate_high"))
        for rows in ((now,) if is_alone else (now, then))
        for at in (
            survival.incidence_at(rows["exit_age"], rows["cause"], rows["n"], [age_days], of=1).iloc[0],
        )
    ]  # fmt: skip
    found = dict(zip(("value", "low", "high"), read[0], strict=True))
    if is_alone:
        return found
    change = [float(x) for x in proportions.difference(*read[1], *read[0])]
    names = ("before", "before_low", "before_high", "change", "change_low", "change_high")
    return found | dict(zip(names, [*read[1], *change], strict=True))


def _cycle(now: pd.DataFrame, then: pd.DataFrame, age_days: int, *, is_alone: bool) -> dict:
    found = dict(zip(("value", "low", "high"), _median_open(now), strict=True))
    if is_alone:
        return found
    names = ("before", "before_low", "before_high")
    found |= dict(zip(names, _median_open(then), strict=True))
    means = [
        survival.restricted_mean(rows["exit_age"], rows["cause"] > 0, rows["n"], until=age_days)
        for rows in (then, now)
    ]
    change = comparisons.restricted_means(*means)
    return found | dict(
        zip(("change", "change_low", "change_high"), map(float, change[:3]), strict=True)
    )


def _median_open(rows: pd.DataFrame) -> tuple[float, float, float]:
    curve = survival.kaplan_meier(rows["exit_age"], rows["cause"] > 0, rows["n"])
    return survival.quantile(curve, 0.5)


def _is_better(found: dict, *, is_more_better: bool) -> bool | None:
    """Whether the change is an improvement; None where its range contains none, or is not known."""
    if found["change_low"] > 0:
        return is_more_better
    return not is_more_better if found["change_high"] < 0 else None


def people(seen: Seen) -> pd.DataFrame:
    """
    Count the people in sales, managers too, and compare how many left in the last 12 months and in the 12 before.

    Returns
    -------
    DataFrame of one row
        ``n`` (people there on the as-of date; where the source has no people, owners of deals: NaN then),
        ``n_left``, ``n_left_before``, ``years``, ``years_before`` (person-years worked), ``rate``, ``rate_before``
        (per person-year), ``ratio`` with ``ratio_low``, ``ratio_high`` (exact, given the sum), ``is_better`` (True: fewer
        left; None where the range contains 1), ``first_on``, ``before_first_on``, ``why_not`` (no_people),
        ``why_no_change``: nobody_left (the source records no leaving at all), not_recorded (its deals begin later than
        the 24 months), too_few (nobody left in these 24 months).
    """
    return seen.once("summary.people", lambda: _people(seen))


_PEOPLE = [
    *("n", "n_left", "n_left_before", "years", "years_before", "rate", "rate_before", "ratio"),
    *("ratio_low", "ratio_high", "is_better", "first_on", "before_first_on", "why_not"),
    "why_no_change",
]


def _people(seen: Seen) -> pd.DataFrame:
    last = pd.Timestamp(seen.as_of)
    ends = [last - pd.DateOffset(years=years) for years in (0, 1, 2)]
    firsts = [end + pd.Timedelta(days=1) for end in ends[1:]]
    row = dict.fromkeys(_PEOPLE, np.nan) | {"is_better": None, "why_not": None}
    row |= {"first_on": firsts[0], "before_first_on": firsts[1], "why_no_change": None}
    if seen.reason("people"):
        return _one_row(row | {"why_not": "no_people"})
    spells = staff.spells(seen)
    is_there = ~(spells["begins_on"] > last) & ~(spells["ends_on"] < last)
    row["n"] = spells.loc[is_there, "person"].nunique()
    if spells["left_on"].isna().all():
        return _one_row(row | {"why_no_change": "nobody_left"})
    (left, years), (left_then, years_then) = (
        _left(spells, first, end) for first, end in zip(firsts, ends[:2], strict=True)
    )
    is_recorded = _is_recorded(seen, firsts[1].date())
    row |= {"n_left": left, "years": years, "rate": left / years if years else np.nan}
    if not is_recorded:
        return _one_row(row | {"why_no_change": "not_recorded"})
    row |= {"n_left_before": left_then, "years_before": years_then}
    row["rate_before"] = left_then / years_then if years_then else np.nan
    ratio = comparisons.rates(left, years, left_then, years_then)
    row |= {"ratio": ratio.value, "ratio_low": ratio.low, "ratio_high": ratio.high}
    if not left + left_then:
        row["why_no_change"] = "too_few"
    row["is_better"] = True if ratio.high < 1 else False if ratio.low > 1 else None
    return _one_row(row)


def _left(spells: pd.DataFrame, first: pd.Timestamp, last: pd.Timestamp) -> tuple[int, float]:
    """People who left from a first to a last day, and person-years worked between them."""
    bounds = [pd.Series(day, spells.index) for day in (first, last)]
    years = staff.days_between(spells, *bounds).sum() / DAYS_OF_A_YEAR
    has_left = (spells["left_on"] == spells["ends_on"]) & spells["left_on"].between(first, last)
    return int(has_left.sum()), float(years)


def _one_row(row: dict) -> pd.DataFrame:
    table = pd.DataFrame([row], columns=_PEOPLE)
    return table.astype(dict.fromkeys(("is_better", "why_not", "why_no_change"), object))
