"""
How the open pipeline of a period moved, and what past pipelines were worth (definitions: waterfall, slip rate, coverage).

A deal is in the pipeline of a period while it is open and its expected close, as known then, lies in the period. So all of
this needs the history of that date: where a source keeps only the date of today, `why_not` says so and nothing is said of the past.
"""

import datetime

import numpy as np
import pandas as pd
from scipy.special import ndtr, ndtri

from salesanalysis.crm.errors import InputRefused, ParameterError
from salesanalysis.crm.seen import Seen
from salesanalysis.metrics import credit, periods, quality
from salesanalysis.metrics.groups import names
from salesanalysis.metrics.periods import Period
from salesanalysis.statistics import proportions

STEPS = ("start", "created", "pulled_in", "reopened", "increased", "decreased", "pushed_out", "won", "lost", "removed", "end")  # fmt: skip
OUTCOMES = ("won", "lost", "removed", "slipped")
PUSHES = ("0", "1", "2+")
_ENTRIES, _CHANGES = ("created", "pulled_in", "reopened"), ("increased", "decreased")
_WHOLE = 10_000  # amounts have four places; whole numbers of the last one add up exactly
_YEAR = 365
_DAY = datetime.timedelta(days=1)


def why_not(seen: Seen) -> str | None:
    """
    Say why nothing can be said of past pipelines.

    Returns
    -------
    str or None
        ``no_close_date`` (no deal has an expected close date), ``no_close_history`` (the source keeps no changes of it, or none
        is recorded by the as-of date: what was expected earlier is not known), None where nothing is in the way.
    """
    known = seen.frame(
        """
        SELECT count(*) AS n FROM details WHERE expected_close IS NOT NULL
        UNION ALL SELECT count(*) AS n FROM changes WHERE field = 'expected_close'
        """
    )["n"]
    if not known.iloc[0]:
        return "no_close_date"
    return None if known.iloc[1] else "no_close_history"


def quarter(seen: Seen) -> Period:
    """Give the current quarter: that of the day after the as-of date."""
    return periods.quarter_of(seen.as_of + _DAY, year_starts=seen.year_starts)


def _past_quarters(seen: Seen, n: int) -> list[Period]:
    """The last finished quarters, the earliest first; none that began before closings are recorded."""
    if not isinstance(n, int) or n < 1:
        raise ParameterError(f"quarters must be a whole number from 1 on, found {n!r}")
    begin = quality.truncated_before(seen)
    found = periods.series(quarter(seen).before(), n)
    return [one for one in found if pd.isna(begin) or one.first > begin.date()]


def _known(seen: Seen, day: datetime.date) -> pd.DataFrame:
    """Every deal as it was known at the end of a day; no rows before the first one."""
    if day == seen.as_of:
        return _snapshot(seen)
    return seen.once(("pipeline.known", day), lambda: _known_then(seen, day))


def _known_then(seen: Seen, day: datetime.date) -> pd.DataFrame:
    try:
        with seen.at(day) as then:
            return _snapshot(then)
    except InputRefused:  # no deal was known
        return _snapshot(seen).head(0)


def _snapshot(seen: Seen) -> pd.DataFrame:
    return seen.frame(
        """
        SELECT d.deal_key, e.deal_id, e.account, d.owner, d.team, d.status, d.stage, d.amount, d.created_on, d.closed_on,
               e.expected_close, e.n_pushes, s.spell, s.open_spell, s.first_amount
        FROM deals d JOIN details e ON e.deal_key = d.deal_key
        JOIN (SELECT deal_key, max(spell) AS spell, max(CASE WHEN status = 'open' THEN spell ELSE 0 END) AS open_spell,
                     max(CASE WHEN spell = 1 THEN amount END) AS first_amount FROM state_spells GROUP BY 1) s
          ON s.deal_key = d.deal_key
        ORDER BY d.deal_key
        """
    )


def _is_due(known: pd.DataFrame, period: Period, suffix: str = "") -> pd.Series:
    """Open deals whose expected close lies in the period."""
    close = known[f"expected_close{suffix}"]
    is_in = close.between(pd.Timestamp(period.first), pd.Timestamp(period.last))
    return is_in & (known[f"status{suffix}"] == "open")


def waterfall(seen: Seen, period: Period) -> pd.DataFrame:
    """
    Account for the pipeline of a period: what it held at the start, what came in and went out, what is left.

    The pipeline of the period is the open deals whose expected close lies in it. Start is as known at the end of the day before the
    period, end as known at its end or on the as-of date, if that is earlier. Each deal counts by what became of it between the
    two: it comes in at its first amount (that of the start, or of its creation), its change of amount is counted next, and it leaves
    at its last amount. A deal that is won in the period counts as due in it, whatever date was expected: so ``won`` is all
    that was won. One that is lost or removed counts only if it was due in the period then. ``pulled_in`` and ``pushed_out`` are
    deals whose date was moved into or out of the period, from or to a later, an earlier or no date. Moves that were taken back
    in between do not count.

    Parameters
    ----------
    seen : Seen
    period : Period
        One that has not begun has a start and an end only, both as known now.

    Returns
    -------
    DataFrame, one row per step, in the order of `STEPS`
        ``step``, ``n_deals`` (that took it), ``n_change`` (what that adds to the number of deals: 0 for the changes of
        amount), ``amount`` (signed; start plus all between it and the end is the end, exactly when rounded to four places;
        a deal without an amount counts 0; NaN where no deal has any), ``period``, ``first_on``, ``last_on`` (days the start and
        the end are known of). No rows where `why_not` says why.
    """
    lines = waterfall_deals(seen, period)
    columns = ["step", "n_deals", "n_change", "amount", "period", "first_on", "last_on"]
    if why_not(seen):
        return pd.DataFrame(columns=columns)
    grouped = lines.groupby("step")
    table = pd.DataFrame({"step": STEPS}).set_index("step")
    table["n_deals"] = grouped.size().reindex(STEPS, fill_value=0)
    units = np.rint(lines["amount"] * _WHOLE).fillna(0).astype("int64").groupby(lines["step"]).sum()
    table["amount"] = units.reindex(STEPS, fill_value=0) / _WHOLE
    if not _has_amounts(seen):
        table["amount"] = np.nan
    table["n_change"] = table["n_deals"] * [_sign(step) for step in STEPS]
    first, last = _ends(seen, period)
    table = table.assign(period=period.name, first_on=first, last_on=last)
    return table.reset_index()[columns]


def _sign(step: str) -> int:
    return 0 if step in _CHANGES else 1 if step in ("start", "end", *_ENTRIES) else -1


def _has_amounts(seen: Seen) -> bool:
    return bool(seen.frame("SELECT count(amount) AS n FROM deals")["n"].iloc[0])


def _ends(seen: Seen, period: Period) -> tuple[datetime.date, datetime.date]:
    """Days of which the start and the end of a period are known."""
    return min(period.first - _DAY, seen.as_of), min(period.last, seen.as_of)


def waterfall_deals(seen: Seen, period: Period) -> pd.DataFrame:
    """
    List every deal in the accounting of `waterfall`, a line per step it took.

    Returns
    -------
    DataFrame, one row per step and deal, by step and the largest amount first
        ``step``, ``deal_key``, ``deal_id``, ``account``, ``owner``, ``name``, ``team`` (at closing or as of the end), ``status`` (at the
        end), ``amount`` (signed, as the step counts it; NaN where it is not known), ``amount_before``, ``amount_after``,
        ``close_before``, ``close_after`` (as known at the start, or missing, and at the end).
    """
    columns = ["step", "deal_key", "deal_id", "account", "owner", "name", "team", "status"]
    columns += ["amount", "amount_before", "amount_after", "close_before", "close_after"]
    if why_not(seen):
        return pd.DataFrame(columns=columns)
    first, last = _ends(seen, period)
    deals = _movements(_known(seen, first), _known(seen, last), period)
    lines = pd.concat(
        [_lines(deals, "start"), *_entries(deals), *_changes(deals), *_exits(deals), _lines(deals, "end")],
        ignore_index=True,
    )  # fmt: skip
    lines["name"] = names(seen, lines["owner"])
    order = lines.assign(place=lines["step"].map(STEPS.index), size=-lines["amount"].abs())
    order = order.sort_values(["place", "size", "deal_key"], kind="stable").index
    return lines.loc[order, columns].reset_index(drop=True)


def _movements(before: pd.DataFrame, after: pd.DataFrame, period: Period) -> pd.DataFrame:
    """Deals in the accounting, with where they were (``was_in``), are (``is_in``), and how they came (``entry``) and went (``exit``)."""
    old = before[["deal_key", "status", "amount", "expected_close", "spell"]]
    deals = after.merge(old, how="left", on="deal_key", suffixes=("", "_before"), validate="1:1")
    is_new, status = deals["spell_before"].isna(), deals["status"]
    was_open = deals["status_before"] == "open"
    deals["was_in"] = _is_due(deals, period, "_before")
    deals["is_in"] = _is_due(deals, period)
    has_moved = deals["spell"] > deals["spell_before"].fillna(0)
    was_worked = was_open | (deals["open_spell"] > deals["spell_before"].fillna(0))
    was_due = _is_due(deals.assign(status="open"), period) & was_worked
    is_gone = status.isin(["lost", "removed"]) & was_due | (status == "won")
    has_passed = ~deals["was_in"] & has_moved & is_gone
    entry = np.where(is_new, "created", np.where(was_open, "pulled_in", "reopened"))
    comes = ~deals["was_in"] & (deals["is_in"] | has_passed)
    goes = deals["was_in"] & ~deals["is_in"] | has_passed
    deals["entry"] = np.where(comes, entry, "")
    deals["exit"] = np.where(goes, np.where(status == "open", "pushed_out", status), "")
    deals["amount_before"] = deals["amount_before"].where(~is_new, deals["first_amount"])
    return deals[deals["was_in"] | comes].rename(columns={"amount": "amount_after"})


def _lines(deals: pd.DataFrame, step: str) -> pd.DataFrame:
    """Lines of the start or the end."""
    held, when = ("was_in", "before") if step == "start" else ("is_in", "after")
    rows = deals[deals[held]]
    return _line(rows, step, rows[f"amount_{when}"])


def _entries(deals: pd.DataFrame) -> list[pd.DataFrame]:
    parts = ((step, deals[deals["entry"] == step]) for step in _ENTRIES)
    return [_line(rows, step, rows["amount_before"]) for step, rows in parts]


def _exits(deals: pd.DataFrame) -> list[pd.DataFrame]:
    steps = ("pushed_out", "won", "lost", "removed")
    parts = ((step, deals[deals["exit"] == step]) for step in steps)
    return [_line(rows, step, -rows["amount_after"]) for step, rows in parts]


def _changes(deals: pd.DataFrame) -> list[pd.DataFrame]:
    """An amount that is entered late, or emptied, changes from or to 0."""
    change = deals["amount_after"].fillna(0) - deals["amount_before"].fillna(0)
    parts = (("increased", change > 0), ("decreased", change < 0))
    return [_line(deals[is_so], step, change[is_so]) for step, is_so in parts]


def _line(deals: pd.DataFrame, step: str, amount: pd.Series) -> pd.DataFrame:
    close = {"expected_close_before": "close_before", "expected_close": "close_after"}
    return deals.rename(columns=close).assign(step=step, amount=amount)


def apart(seen: Seen, period: Period) -> pd.DataFrame:
    """
    Count the open deals that are in no pipeline of the period because of their date, at its start and its end.

    Returns
    -------
    DataFrame, one row per kind
        ``kind``: ``no_date`` (no expected close), ``overdue`` (expected before the period); ``n_start``, ``amount_start``, ``n_end``,
        ``amount_end`` (NaN where no amount is known at all). No rows where `why_not` says why.
    """
    columns = ["kind", "n_start", "amount_start", "n_end", "amount_end"]
    if why_not(seen):
        return pd.DataFrame(columns=columns)
    rows = {"no_date": {"kind": "no_date"}, "overdue": {"kind": "overdue"}}
    for when, day in zip(("start", "end"), _ends(seen, period), strict=True):
        known = _known(seen, day)
        is_open, close = known["status"] == "open", known["expected_close"]
        is_kind = {"no_date": close.isna(), "overdue": close < pd.Timestamp(period.first)}
        for kind, is_so in is_kind.items():
            part = known.loc[is_open & is_so, "amount"]
            rows[kind] |= {f"n_{when}": len(part), f"amount_{when}": _total(seen, part)}
    return pd.DataFrame(rows.values(), columns=columns)


def _total(seen: Seen, amounts: pd.Series) -> float:
    """Sum of amounts, an unknown one counting 0; NaN where the source has none at all."""
    return float(amounts.sum()) if _has_amounts(seen) else np.nan


def slips(seen: Seen, *, quarters: int = 6) -> pd.DataFrame:
    """
    Say what became of the deals that were due in each finished quarter, as known at its start.

    A deal has slipped if it is still open at the end of the quarter, whatever its date is then.

    Parameters
    ----------
    seen : Seen
    quarters : int
        The last finished quarters looked at. One in whose start no deal was due, or that began before closings are recorded,
        is left out.

    Returns
    -------
    DataFrame, one row per quarter, the earliest first
        ``quarter``, ``first_on``, ``last_on``, ``n_deals`` (due at the start) = ``n_won`` + ``n_lost`` + ``n_removed`` +
        ``n_slipped``; of each a ``…_rate`` (they add up to 1) with the 95 % Wilson interval ``…_rate_low``, ``…_rate_high``;
        ``amount`` (at the start) and ``amount_slipped`` (of it). No rows where `why_not` says why.
    """
    past = [] if why_not(seen) else _past_quarters(seen, quarters)
    table = pd.DataFrame([_slipped(seen, one) for one in past], columns=_SLIPS)
    table = table[table["n_deals"] > 0].reset_index(drop=True)
    for outcome in OUTCOMES:
        rate, n = f"{outcome}_rate", table["n_deals"].astype(float)
        table[rate] = table[f"n_{outcome}"].astype(float) / n
        table[f"{rate}_low"], table[f"{rate}_high"] = proportions.wilson(table[f"n_{outcome}"], n)
    return table


_SLIPS = ["quarter", "first_on", "last_on", "n_deals", *(f"n_{name}" for name in OUTCOMES)]
_SLIPS += ["amount", "amount_slipped"]


def _slipped(seen: Seen, period: Period) -> dict:
    before, after = (_known(seen, day) for day in _ends(seen, period))
    due = before[_is_due(before, period)]
    then = after.set_index("deal_key")["status"].reindex(due["deal_key"]).to_numpy()
    outcome = pd.Series(np.where(then == "open", "slipped", then), due.index, dtype=object)
    counts = {f"n_{name}": int((outcome == name).sum()) for name in OUTCOMES}
    amounts = {
        "amount": _total(seen, due["amount"]),
        "amount_slipped": _total(seen, due.loc[outcome == "slipped", "amount"]),
    }
    named = {"quarter": period.name, "first_on": period.first, "last_on": period.last}
    return named | {"n_deals": len(due)} | counts | amounts


def pushes(seen: Seen) -> pd.DataFrame:
    """
    Count how often the expected close was moved to a later day, of deals open now and of those closed in the last year.

    Descriptive: a deal that lives longer has more time to be moved, so a rate by pushes says what went with them, not what
    they do.

    Returns
    -------
    DataFrame, one row per number of pushes: 0, 1, 2+
        ``pushes``, ``n_open``, ``n_won``, ``n_lost`` (closed in the 365 days until the as-of date), of each the share of all rows
        ``open_share``, ``won_share``, ``lost_share`` (NaN without deals), ``open_amount`` (NaN where unknown); ``closed_rate``
        (won of those won or lost) with the 95 % Wilson interval ``closed_rate_low``, ``closed_rate_high``. No rows where `why_not`
        says why.
    """
    columns = ["pushes", "n_open", "n_won", "n_lost", "open_share", "won_share", "lost_share"]
    columns += ["open_amount", "closed_rate", "closed_rate_low", "closed_rate_high"]
    if why_not(seen):
        return pd.DataFrame(columns=columns)
    known = _snapshot(seen)
    begin = pd.Timestamp(seen.as_of) - pd.Timedelta(days=_YEAR)
    known = known[(known["status"] == "open") | (known["closed_on"] > begin)]
    known["pushes"] = np.array(PUSHES, dtype=object)[known["n_pushes"].clip(upper=2).astype(int)]
    table = pd.DataFrame({"pushes": PUSHES}).set_index("pushes")
    for status in ("open", "won", "lost"):
        part = known[known["status"] == status].groupby("pushes")
        table[f"n_{status}"] = part.size().reindex(PUSHES, fill_value=0)
        n = table[f"n_{status}"]
        table[f"{status}_share"] = n / n.sum() if n.sum() else np.nan
        if status == "open":
            amount = part["amount"].sum().reindex(PUSHES, fill_value=0.0)
            table["open_amount"] = amount if _has_amounts(seen) else np.nan
    closed = table["n_won"] + table["n_lost"]
    table["closed_rate"] = table["n_won"] / closed.where(closed > 0)
    table["closed_rate_low"], table["closed_rate_high"] = proportions.wilson(table["n_won"], closed)
    return table.reset_index()[columns]


def coverage(seen: Seen, *, quarters: int = 8, week: int | None = None) -> pd.DataFrame:
    """
    Compare the pipeline of each quarter, at the same week of it, with what was then won.

    The yield of a quarter is all that was won in it after that day, from that pipeline or not, by its pipeline of that
    day. The current quarter is that of the day after the as-of date.

    Parameters
    ----------
    seen : Seen
    quarters : int
        Finished quarters looked at, those with a pipeline; as for `slips`.
    week : int, optional
        Whole weeks after the start of a quarter at which its pipeline is looked at; that of the as-of date if None.

    Returns
    -------
    DataFrame, one row per quarter, the current one last
        ``quarter``, ``first_on``, ``last_on``, ``is_current``, ``seen_on`` (end of the day looked at), ``n_open``, ``amount_open`` (open
        and due in the quarter), ``n_booked``, ``amount_booked`` (won in it until then), ``n_from``, ``amount_from`` (won in it later,
        from that pipeline), ``n_other``, ``amount_other`` (from other deals; these four are NaN for the current one), ``n_won``,
        ``amount_won`` (in the quarter so far, all together), ``yield_ratio`` (NaN for the current one; of amounts, or
        of counts where no amounts are known; can exceed 1), ``quota`` (of the teams together; NaN without),
        ``remaining_quota``, ``coverage`` (pipeline by remaining quota; NaN without one, or where nothing remains).
        Without a history of the date only the current quarter, on the day of the export; no rows without a date.
    """
    why, current = why_not(seen), quarter(seen)
    is_told = str(seen.as_of) == seen.source["extracted_on"]
    if why == "no_close_date" or (why and not is_told):
        return pd.DataFrame(columns=_COVERAGE)
    if week is None:
        week = (seen.as_of + _DAY - current.first).days // 7
    past = [] if why else _past_quarters(seen, quarters)
    days = [min(one.first - _DAY + datetime.timedelta(weeks=week), one.last) for one in past]
    rows = [_covered(seen, one, day) for one, day in zip(past, days, strict=True)]
    rows.append(_covered(seen, current, seen.as_of))
    table = pd.DataFrame(rows)
    table["is_current"] = table["quarter"] == current.name
    table["quota"] = [_quota(seen, one) for one in (*past, current)]
    table["remaining_quota"] = table["quota"] - table["amount_booked"]
    for what in ("n", "amount"):
        parts = [table[f"{what}_{part}"] for part in ("booked", "from", "other")]
        table[f"{what}_won"] = sum(parts)
    what = "amount" if _has_amounts(seen) else "n"
    held = table[f"{what}_open"].astype(float)
    later = [f"{of}_{part}" for of in ("n", "amount") for part in ("from", "other")]
    table[later] = table[later].astype(float)
    table.loc[table["is_current"], later] = np.nan
    came = table[f"{what}_from"] + table[f"{what}_other"]
    table["yield_ratio"] = came / held.where(held > 0)
    left = table["remaining_quota"].where(table["remaining_quota"] > 0)
    table["coverage"] = table["amount_open"] / left
    kept = (table["n_open"] > 0) | table["is_current"]
    return table.loc[kept, _COVERAGE].reset_index(drop=True)


_COVERAGE = [
    *("quarter", "first_on", "last_on", "is_current", "seen_on", "n_open", "amount_open", "n_booked"),
    *("amount_booked", "n_from", "amount_from", "n_other", "amount_other", "n_won", "amount_won"),
    *("yield_ratio", "quota", "remaining_quota", "coverage"),
]  # fmt: skip


def _covered(seen: Seen, period: Period, day: datetime.date) -> dict:
    """Pipeline of a quarter as known on a day of it, and what was won in it before and after."""
    then, after = _known(seen, day), _known(seen, min(period.last, seen.as_of))
    is_due, spells = _is_due(then, period), then.set_index("deal_key")["spell"]
    won = after[after["status"] == "won"]
    is_later = won["spell"] > won["deal_key"].map(spells).fillna(0)
    is_from = won["deal_key"].isin(then.loc[is_due, "deal_key"])
    first, last = pd.Timestamp(period.first), pd.Timestamp(period.last)
    parts = {
        "open": then[is_due],
        "booked": won[~is_later & won["closed_on"].between(first, last)],
        "from": won[is_later & is_from],
        "other": won[is_later & ~is_from],
    }
    row = {"quarter": period.name, "first_on": period.first, "last_on": period.last, "seen_on": day}
    row |= {f"n_{name}": len(part) for name, part in parts.items()}
    return row | {f"amount_{name}": _total(seen, part["amount"]) for name, part in parts.items()}


def _quota(seen: Seen, period: Period) -> float:
    """Amount quotas of all teams for the whole quarter; NaN without one."""
    asked = credit.quotas(seen, period, whole=True)
    teams = asked[asked["holder_type"] == "team"]
    return float(teams["quota"].sum()) if len(teams) else np.nan


def wins(seen: Seen, *, quarters: int = 4) -> pd.DataFrame:
    """
    Count what was won in each of the last finished quarters, as known now.

    Parameters
    ----------
    seen : Seen
    quarters : int
        How many; those that began before closings are recorded, or before the first deal, are left out.

    Returns
    -------
    DataFrame, one row per quarter, the earliest first
        ``quarter``, ``first_on``, ``last_on``, ``n_won``, ``amount_won`` (NaN where the source has no amounts), ``quota`` (of the
        teams together; NaN without).
    """
    won = seen.frame("SELECT closed_on, count(*) AS n, sum(amount) AS amount FROM deals WHERE status = 'won' GROUP BY 1")  # fmt: skip
    first = seen.frame("SELECT min(created_on) AS day FROM deals")["day"].iloc[0]
    rows = []
    for one in _past_quarters(seen, quarters):
        if pd.isna(first) or one.last < first.date():
            continue
        part = won[won["closed_on"].between(pd.Timestamp(one.first), pd.Timestamp(one.last))]
        row = {"quarter": one.name, "first_on": one.first, "last_on": one.last}
        row |= {"n_won": int(part["n"].sum()), "amount_won": _total(seen, part["amount"])}
        rows.append(row | {"quota": _quota(seen, one)})
    return pd.DataFrame(rows, columns=["quarter", "first_on", "last_on", "n_won", "amount_won", "quota"])  # fmt: skip


def required(table: pd.DataFrame, totals: pd.DataFrame | None = None) -> pd.DataFrame:
    """
    Say how much pipeline a quota takes, by the company's own past yield at the same week of a quarter.

    Parameters
    ----------
    table : DataFrame, as `coverage` gives
    totals : DataFrame, the ``totals`` of ``forecast.forecast``, optional

    Returns
    -------
    DataFrame of one row, or of none where there is no current quarter
        ``quarter``, ``n_quarters`` (finished ones with a yield), ``required_coverage`` (1 by the mean yield; NaN without a past
        yield, or where it is 0), ``required_coverage_low``, ``required_coverage_high`` (1 by the highest and the lowest yield, no
        interval; the high one is NaN where a quarter had no yield), and of the current quarter ``coverage``,
        ``amount_open``, ``n_open``, ``amount_booked``, ``quota``, ``remaining_quota``, ``required_amount`` (pipeline that the
        remaining quota takes; NaN without one), ``is_reached``: the forecast reaches the quota more often than not, so that
        by the company's present rates nothing is missing, whatever the mean of older quarters says.
    """
    columns = ["quarter", "n_quarters", "required_coverage", "required_coverage_low"]
    columns += ["required_coverage_high", "coverage", "amount_open", "n_open", "amount_booked"]
    columns += ["quota", "remaining_quota", "required_amount", "is_reached"]
    now = table[table["is_current"].astype(bool)]
    if now.empty:
        return pd.DataFrame(columns=columns)
    yields = table["yield_ratio"].astype(float).dropna()
    row = now.iloc[0].to_dict() | {
        "n_quarters": len(yields),
        "required_coverage": _inverse(yields.mean()),
        "required_coverage_low": _inverse(yields.max()),
        "required_coverage_high": _inverse(yields.min()),
    }
    row["required_amount"] = max(row["remaining_quota"], 0.0) * row["required_coverage"]
    company = pd.DataFrame() if totals is None else totals.head(1)
    row["is_reached"] = bool(len(company) and (company["median"] >= company["quota"]).item())
    return pd.DataFrame([row], columns=columns)


def _inverse(ratio: float) -> float:
    return 1 / ratio if ratio > 0 else np.nan


def widened(totals: pd.DataFrame, factor: float) -> pd.DataFrame:
    """
    Widen the company's ranges as far as past 80 % ranges would have had to be.

    Parameters
    ----------
    totals : DataFrame, of ``forecast.forecast``
    factor : float
        ``widening`` of ``forecast.backtest``, 1 or more: half-widths are multiplied by it (statistics: forecast; a convention).

    Returns
    -------
    DataFrame
        The table with both ranges of the company's rows widened about the median, no lower bound below what is booked
        already, and ``reach_quota_share`` as these ranges have it (normal scores, linear between them). Teams keep
        theirs: the back-test says nothing of them. With 1 it is the one given.
    """
    table = totals.copy()
    if factor <= 1:
        return table
    is_company = table["team"] == ""
    for level in ("80", "95"):
        half = factor * (table[f"high{level}"] - table[f"low{level}"]) / 2
        low, high = table["median"] - half, table["median"] + half
        table.loc[is_company, f"low{level}"] = np.maximum(low, table["booked"])[is_company]
        table.loc[is_company, f"high{level}"] = high[is_company]
    for place in table.index[is_company & table["quota"].notna()]:
        table.loc[place, "reach_quota_share"] = _reached(table.loc[place])
    return table


def _reached(row: pd.Series) -> float:
    """Share of futures at or above the quota, from the five quantiles of a row."""
    if row["quota"] <= row["booked"]:
        return 1.0
    known = row[["low95", "low80", "median", "high80", "high95"]].to_numpy(dtype=float)
    scores = ndtri([0.025, 0.1, 0.5, 0.9, 0.975])
    is_new = np.append(True, np.diff(known) > 0)  # a bound at what is booked may come twice
    known, scores = known[is_new], scores[is_new]
    if len(known) < 2:
        return float(row["median"] >= row["quota"])
    k = int(np.clip(np.searchsorted(known, row["quota"]), 1, len(known) - 1))
    slope = (scores[k] - scores[k - 1]) / (known[k] - known[k - 1])
    return float(1 - ndtr(scores[k - 1] + slope * (row["quota"] - known[k - 1])))


def open_deals(seen: Seen, chances: pd.DataFrame) -> pd.DataFrame:
    """
    Put names, dates and pushes beside the chances that a forecast gives the open deals.

    Parameters
    ----------
    seen : Seen
    chances : DataFrame, the ``deals`` of ``forecast.forecast``

    Returns
    -------
    DataFrame, one row per open deal that has a chance, in the order given: what it brings on average first
        ``deal_key``, ``deal_id``, ``account``, ``owner``, ``name``, ``team``, ``stage`` (missing where unknown), ``amount`` (NaN: unknown),
        ``win_share`` (won by the
        end of the current quarter), ``win_share_next``, ``expected_amount`` (amount × win share), ``expected_close``, ``n_pushes``,
        ``due``: overdue, this (quarter), later, no_date.
    """
    columns = ["deal_key", "deal_id", "account", "owner", "name", "team", "stage", "amount"]
    columns += ["win_share", "win_share_next", "expected_amount", "expected_close", "n_pushes", "due"]  # fmt: skip
    given = chances[["deal_key", "stage", "win_share", "win_share_next"]]
    given = given.rename(columns={"stage": "stage_then"}).astype({"win_share": float})
    table = given.merge(_snapshot(seen), on="deal_key", how="left", validate="1:1")
    table["stage"] = table["stage_then"].astype(object).fillna(table["stage"].astype(object))
    table["amount"] = table["amount"].astype(float)
    table["expected_amount"] = table["amount"] * table["win_share"]
    table["name"] = names(seen, table["owner"])
    current, close = quarter(seen), table["expected_close"]
    table["due"] = np.select(
        [close.isna(), close < pd.Timestamp(current.first), close > pd.Timestamp(current.last)],
        ["no_date", "overdue", "later"],
        default="this",
    )
    return table[columns]


def to_decide(table: pd.DataFrame, *, win_share: float, most: int = 5) -> pd.DataFrame:
    """
    Pick the largest deals that are due in the current quarter and hardly won by its end.

    Parameters
    ----------
    table : DataFrame, as `open_deals` gives
    win_share : float
        Deals with a smaller chance to be won by the end of the quarter are picked.
    most : int
        How many at most.

    Returns
    -------
    DataFrame, rows of the table with a known amount, the largest first

    Raises
    ------
    ParameterError
        The chance is not between 0 and 1.
    """
    if not 0 < win_share < 1:
        raise ParameterError(f"win_share must lie between 0 and 1, found {win_share!r}")
    rows = table[(table["due"] == "this") & (table["win_share"] < win_share)]
    rows = rows.dropna(subset="amount")
    order = ["amount", "n_pushes", "deal_key"]
    rows = rows.sort_values(order, ascending=[False, False, True], ignore_index=True)
    return rows.head(most)
