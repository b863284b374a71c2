"""
Figures of the notebooks: a chart, its two titles, its alternative text, its source, its data.

The headline is the finding and is written by rules from the metric table; nothing is computed that
the table does not hold. An empty table gives a notice that says what is missing and why. The
arguments ``seen`` and ``reason`` are those of `tables`; ``name`` must be unique in a page.
"""

from collections.abc import Iterable
from typing import Any

import numpy as np
import pandas as pd

from . import charts, html, numbers, tables, words
from .html import Html
from .tables import gate_value, rep_name
from .words import _

LONGEST_LIST = 8
MOST_ROWS = 60  # reps or holders that one chart can show
FEWEST_TO_NAME = 30  # deals or entries of a stage that a sentence compares with others


def funnel(
    table: pd.DataFrame,
    *,
    seen: Any,
    within_days: int,
    reason: str | None = None,
    name: str = "funnel",
) -> Html:
    """
    Show cumulative conversion (``funnel.cumulative``) as a funnel.
    """
    if table.empty:
        return tables.missing(_("Cumulative conversion"), seen=seen, reason=reason)
    within = numbers.days(within_days)
    won = table[~table["pipeline"].duplicated(keep="last")].nlargest(1, "n_cohort").iloc[0]
    headline = _("No deal is old enough to say what is won within {within}").format(within=within)
    if pd.notna(won["reached_rate"]):
        headline = won_in_time(won, table, within)
    subtitle = _(
        "Cumulative conversion, any-stage: share of deals that reached each stage within {within} "
        "of creation; {n} created at least that long before {date}"
    ).format(within=within, n=deals(won["n_cohort"]), date=numbers.date(seen.as_of))
    shares = [numbers.percent(rate) for rate in table["reached_rate"]]
    return html.figure(
        charts.funnel(table),
        name=name,
        headline=headline,
        subtitle=subtitle,
        alt=_("Bars, from the first stage to won, of {n}: {rows}.").format(
            n=deals(won["n_cohort"]), rows=_rows(table, shares)
        ),
        source=source(seen),
        data=tables.cumulative(table, seen=seen),
    )


def stage_outcomes(
    table: pd.DataFrame, *, seen: Any, reason: str | None = None, name: str = "stage-outcomes"
) -> Html:
    """
    Show how the entries of each stage ended (``funnel.stage_accounting``).
    """
    if table.empty:
        return tables.missing(_("How entries ended"), seen=seen, reason=reason)
    most = table.loc[table["lost"].idxmax()]
    headline = _("{lost} of {entries} entries into {stage} ended lost")
    if len(table) > 1 and most["lost"] > 0:
        headline = _("{lost} of {entries} entries into {stage} ended lost, the most of any stage")
    parts = [
        _("{lost} of {entries} lost, {open} open").format(
            lost=numbers.count(row.lost),
            entries=numbers.count(row.entries),
            open=numbers.count(row.open),
        )
        for row in table.itertuples()
    ]
    return html.figure(
        charts.stage_outcomes(table),
        name=name,
        headline=headline.format(
            lost=numbers.count(most["lost"]),
            entries=numbers.count(most["entries"]),
            stage=words.stage(most["stage"]),
        ),
        subtitle=_(
            "Stage accounting: share of entries by outcome; every entry has exactly one; all "
            "entries until {date}"
        ).format(date=numbers.date(seen.as_of)),
        alt=_("Stacked bars: {rows}.").format(rows=_rows(table, parts)),
        source=source(seen),
        data=tables.stage_accounting(table, seen=seen),
    )


def step_conversion(
    table: pd.DataFrame, *, seen: Any, reason: str | None = None, name: str = "step-conversion"
) -> Html:
    """
    Show next-step conversion per stage with its interval (``funnel.step_conversion``).
    """
    if table.empty:
        return tables.missing(_("Next-step conversion"), seen=seen, reason=reason)
    within = numbers.days(table["within_days"].iloc[0])
    known = nameable(table, "advanced_rate", "n_deals")
    headline = _("No stage has been followed for {within} yet").format(within=within)
    if len(known):
        low = known.loc[known["advanced_rate"].idxmin()]
        headline = _("An estimated {estimate} of deals go on from {stage} within {within}").format(
            estimate=estimate(low, "advanced_rate"), stage=words.stage(low["stage"]), within=within
        )
    if len(known) > 1:
        high = known.loc[known["advanced_rate"].idxmax()]
        headline += _(", against {rate} from {stage}").format(
            rate=numbers.percent(high["advanced_rate"]), stage=words.stage(high["stage"])
        )
    shares = [
        _("{rate} of {n}").format(rate=numbers.percent(row.advanced_rate), n=deals(row.n_deals))
        for row in table.itertuples()
    ]
    return html.figure(
        charts.step_conversion(table),
        name=name,
        headline=headline,
        subtitle=_(
            "Next-step conversion: share of deals that reach a later stage or won within {within} "
            "of entering; 95 % interval; first visits until {date}"
        ).format(within=within, date=numbers.date(seen.as_of)),
        alt=_("Points with intervals: {rows}.").format(rows=_rows(table, shares)),
        source=source(seen),
        data=tables.step_conversion(table, seen=seen),
    )


def time_in_stage(
    table: pd.DataFrame, *, seen: Any, reason: str | None = None, name: str = "time-in-stage"
) -> Html:
    """
    Show the median time in each stage with its interval (``funnel.time_in_stage``).
    """
    if table.empty:
        return tables.missing(_("Time in stage"), seen=seen, reason=reason)
    headline = _("Too many stays are still open to say how long half of them last")
    if table["median_days"].notna().any():
        longest = nameable(table, "median_days", "n_entries").nlargest(1, "median_days").iloc[0]
        headline = _("Half of the stays in {stage} last {days} or longer (likely {range})").format(
            stage=words.stage(longest["stage"]),
            days=numbers.days(longest["median_days"]),
            range=numbers.span_range(longest["median_days_low"], longest["median_days_high"]),
        )
    medians = [
        _("{days} of {n}").format(
            days=numbers.days(row.median_days),
            n=words.translate_n("{n} stay", "{n} stays", row.n_entries).format(
                n=numbers.count(row.n_entries)
            ),
        )
        for row in table.itertuples()
    ]
    return html.figure(
        charts.time_in_stage(table),
        name=name,
        headline=headline,
        subtitle=_(
            "Median time in stage in calendar days, open stays followed until {date}; 95 % "
            "interval; all stays"
        ).format(date=numbers.date(seen.as_of)),
        alt=_("Points with intervals: median {rows}.").format(rows=_rows(table, medians)),
        source=source(seen),
        data=tables.time_in_stage(table, seen=seen),
    )


def conversion_curve(
    table: pd.DataFrame,
    *,
    conversion: pd.DataFrame,
    seen: Any,
    reason: str | None = None,
    name: str = "conversion-curve",
) -> Html:
    """
    Show the share won by age (``cohorts.curve``), with ``cohorts.conversion`` as its data.
    """
    if table.empty:
        return tables.missing(_("Share won by age"), seen=seen, reason=reason)
    last = charts.until_few_remain(table)
    headline = _finding_of_curves(last)
    starts = table[~table.duplicated("group")] if "group" in table else table.iloc[:1]
    return html.figure(
        charts.conversion_curve(table),
        name=name,
        headline=headline,
        subtitle=_(
            "Share of deals won by age in days since creation, lost competing; 95 % band; {n}, "
            "followed until {date}; drawn while {fewest} or more are followed"
        ).format(
            n=deals(starts["n_at_risk"].sum()),
            date=numbers.date(seen.as_of),
            fewest=charts.FEWEST_AT_RISK,
        ),
        alt=_("Rising steps from 0 at creation: {rows}.").format(rows=headline),
        source=source(seen),
        data=tables.conversion(conversion, seen=seen, reason=reason),
    )


def cohort_grid(
    table: pd.DataFrame, *, seen: Any, reason: str | None = None, name: str = "cohort-grid"
) -> Html:
    """
    Show the share won by month of creation and age (``cohorts.grid``).
    """
    if table.empty:
        return tables.missing(_("Share won by month of creation"), seen=seen, reason=reason)
    known = table[~charts.truncated(table)].dropna(subset="won_rate")
    youngest = numbers.days(table["age_days"].min())
    headline = _("No cohort has reached {age} yet: all are short, not low").format(age=youngest)
    if charts.truncated(table).any():
        headline = _("No month that is complete has reached {age} yet").format(age=youngest)
    if len(known):
        age = known["age_days"].max()
        cells = known[known["age_days"] == age]
        headline = _("By day {age}, {rate} of the deals created in {month} were won").format(
            age=numbers.count(age), **_month_and_rate(cells.loc[cells["won_rate"].idxmax()])
        )
        if len(cells) > 1:
            headline += _("; {rate} of those of {month}, the lowest of {n} cohorts").format(
                n=numbers.count(len(cells)),
                **_month_and_rate(cells.loc[cells["won_rate"].idxmin()]),
            )
    months = table.drop_duplicates("cohort")
    return html.figure(
        charts.cohort_grid(table),
        name=name,
        headline=headline,
        subtitle=_(
            "Share of deals won by age in days, by month of creation; {n} cohorts until {date}; "
            "{mark} cells are short, not low"
        ).format(n=numbers.count(len(months)), date=numbers.date(seen.as_of), mark=words.immature())
        + _incomplete(months),
        alt=_("Grid of {n} months by {ages} ages. {finding}.").format(
            n=numbers.count(len(months)),
            ages=numbers.count(table["age_days"].nunique()),
            finding=headline,
        ),
        source=source(seen),
        data=tables.grid(table, seen=seen),
    )


def win_rate_family(
    table: pd.DataFrame,
    *,
    seen: Any,
    age_days: int,
    stale_days: int,
    reason: str | None = None,
    name: str = "win-rate-family",
) -> Html:
    """
    Show the labelled win rates side by side (``cohorts.win_rates``).
    """
    if table.empty:
        return tables.missing(_("Share won, by what it is divided by"), seen=seen, reason=reason)
    by_label = table.set_index("label")["rate"]
    age = numbers.days(age_days)
    headline = _("The closed win rate says {closed}; the cohort win rate at {age} is {cohort}")
    rates = [
        f"{numbers.percent(row.rate)} ({charts.counts_behind(row)})" for row in table.itertuples()
    ]
    labels = [words.win_rate(name) for name in table["label"]]
    return html.figure(
        charts.win_rate_family(table),
        name=name,
        headline=headline.format(
            closed=numbers.percent(by_label.get("closed")),
            age=age,
            cohort=numbers.percent(by_label.get("cohort")),
        ),
        subtitle=_(
            "Share of deals won under each label, with the counts it divides (for the cohort rate: "
            "the deals it is estimated from) and its 95 % interval; cohort at {age}, stale after {stale}; as of {date}"
        ).format(age=age, stale=numbers.days(stale_days), date=numbers.date(seen.as_of)),
        alt=_("Points with intervals: {rows}.").format(rows=_listing(labels, rates)),
        source=source(seen),
        data=tables.win_rates(table, seen=seen, age_days=age_days, stale_days=stale_days),
    )


def monthly_rates(
    table: pd.DataFrame,
    *,
    seen: Any,
    age_days: int,
    reason: str | None = None,
    name: str = "monthly-rates",
) -> Html:
    """
    Show the closed, created and cohort win rate by month (``cohorts.monthly``).
    """
    if table.empty:
        return tables.missing(_("Rates by month"), seen=seen, reason=reason)
    complete = table[~charts.truncated(table)]
    closed, cohort = _between(complete, "closed_rate"), _between(complete, "cohort_rate")
    age = numbers.days(age_days)
    headline = _("The closed win rate {closed} by month; the cohort win rate at {age} {cohort}")
    headline = headline.format(closed=closed, age=age, cohort=cohort)
    return html.figure(
        charts.monthly_rates(table),
        name=name,
        headline=headline,
        subtitle=_(
            "Share won in per cent: closed win rate by month of closing; created and cohort win "
            "rate (at {age}, 95 % band) by month of creation; {n} months until {date}"
        ).format(age=age, n=numbers.count(len(table)), date=numbers.date(seen.as_of))
        + _incomplete(table),
        alt=_("Lines over {n} months. {finding}.").format(
            n=numbers.count(len(table)), finding=headline
        ),
        source=source(seen),
        data=tables.monthly(table, seen=seen, age_days=age_days),
    )


def rep_intervals(
    table: pd.DataFrame,
    *,
    gate: Any,
    seen: Any,
    age_days: int,
    reason: str | None = None,
    name: str = "rep-intervals",
) -> Html:
    """
    Show each rep's shrunk rate with its interval (``reps.ranking``); no rank is drawn.
    """
    if table.empty:
        return tables.missing(_("Reps compared"), seen=seen, reason=reason)
    overall = gate_value(gate, "overall_rate")
    p = numbers.p_value(gate_value(gate, "p_value"))
    n = numbers.count(gate_value(gate, "n_reps"))
    headline = _("The data cannot tell these {n} reps apart (p {p})").format(n=n, p=p)
    if gate_value(gate, "is_open"):
        headline = _("The {n} reps differ by more than chance (p {p})").format(n=n, p=p)
        headline += no_ranking(gate)
    rates = [numbers.percent(rate) for rate in table["shrunk_rate"]]
    return html.figure(
        charts.rep_intervals(table.head(MOST_ROWS), overall_rate=overall),
        name=name,
        headline=headline,
        subtitle=_(
            "Cohort win rate at {age}, shrunk towards all reps' {overall}, 95 % interval, raw rate "
            "beside it; won/deals at the right; deals created at least {age} before {date}"
        ).format(
            age=numbers.days(age_days),
            overall=numbers.percent(overall),
            date=numbers.date(seen.as_of),
        )
        + _cut(table),
        alt=_("Points with intervals around {overall}: {rows}.").format(
            overall=numbers.percent(overall),
            rows=_listing((rep_name(row.name, row.group) for row in table.itertuples()), rates),
        ),
        source=source(seen),
        data=tables.rep_ranking(table, gate=gate, seen=seen, age_days=age_days),
    )


def rep_amounts(
    table: pd.DataFrame,
    *,
    seen: Any,
    top: int = 15,
    by: str = "owner",
    reason: str | None = None,
    name: str = "rep-amounts",
) -> Html:
    """
    Show the amount won by each rep, or by each ``by``, the largest first (``reps.totals``).
    """
    if table.empty or table["won_amount"].isna().all():
        return tables.missing(_("Won amounts"), seen=seen, reason=reason)
    currency = seen.source["currency"]
    ordered = table.dropna(subset="won_amount").sort_values("won_amount", ascending=False)
    named = ordered[ordered["group"].notna()]
    first = next((named if len(named) else ordered).itertuples())
    amounts = [numbers.money(amount, currency) for amount in ordered["won_amount"]]
    return html.figure(
        charts.rep_amounts(table, currency=currency, top=top),
        name=name,
        headline=_("{name} won {amount}, from {n}").format(
            name=rep_name(first.name, first.group),
            amount=numbers.money(first.won_amount, currency),
            n=deals(first.n_won),
        ),
        subtitle=_("Won amount{unit} by {kind}; all deals won until {date}").format(
            unit=f" ({currency})" if currency else "",
            kind=words.label("rep" if by == "owner" else by).lower(),
            date=numbers.date(seen.as_of),
        ),
        alt=_("Bars, the largest first: {rows}.").format(
            rows=_listing((rep_name(row.name, row.group) for row in ordered.itertuples()), amounts)
        ),
        source=source(seen),
        data=tables.won_amounts(ordered, seen=seen, by=by),
    )


def attainment(
    table: pd.DataFrame, *, seen: Any, reason: str | None = None, name: str = "attainment"
) -> Html:
    """
    Show quota attainment in the latest finished period, or the running one if none has finished.
    """
    if table.empty:
        return tables.missing(_("Quota attainment"), seen=seen, reason=reason)
    shown = latest_finished(table)
    if shown.empty:
        shown = table[table["period_end"] == table["period_end"].max()]
    judged = shown.dropna(subset="attainment")
    shares = [numbers.percent(share) for share in shown["attainment"]]
    return html.figure(
        charts.attainment(shown.head(MOST_ROWS)),
        name=name,
        headline=_("{k} of {n} quotas were reached, {period}").format(
            k=numbers.count((judged["attainment"] >= 1).sum()),
            n=numbers.count(len(judged)),
            period=quota_months(shown),
        ),
        subtitle=_(
            "Quota attainment: credited amount / prorated quota, in per cent; persons and teams "
            "with a quota: {n}; as of {date}"
        ).format(n=numbers.count(len(judged)), date=numbers.date(seen.as_of))
        + _cut(shown),
        alt=_("Bars against the line at 100 %: {rows}.").format(
            rows=_listing((words.value(name) for name in shown["name"]), shares)
        ),
        source=source(seen),
        data=tables.attainment(shown, seen=seen),
    )


def latest_finished(attainment: pd.DataFrame) -> pd.DataFrame:
    """
    Keep the quotas of the latest period that is over; none where no period is.

    Examples
    --------
    >>> days = pd.to_datetime(["2026-03-31", "2026-06-30", "2026-09-30"])
    >>> table = pd.DataFrame({"period_end": days, "is_finished": [True, True, False]})
    >>> latest_finished(table).index.tolist()
    [1]
    """
    finished = attainment[attainment["is_finished"].astype(bool)]
    return finished[finished["period_end"] == finished["period_end"].max()]


def quota_months(attainment: pd.DataFrame) -> str:
    """
    Name the period of quotas that share one: by its months where they are whole, else by its days.

    Examples
    --------
    >>> table = pd.DataFrame({"period_start": [pd.Timestamp("2026-04-01")],
    ...                       "period_end": [pd.Timestamp("2026-06-30")]})
    >>> quota_months(table).replace(numbers.NO_BREAK, " ")
    'Apr–Jun 2026'
    >>> quota_months(table.assign(period_end=pd.Timestamp("2026-06-28"))).replace(numbers.NO_BREAK, " ")
    '1 Apr 2026 – 28 Jun 2026'
    """
    row = next(attainment.itertuples())
    is_whole = row.period_start.is_month_start and row.period_end.is_month_end
    if not is_whole:
        return tables.period(row)
    return numbers.month_range(row.period_start, row.period_end)


def no_ranking(gate: Any) -> str:
    """
    Say that reps who differ are still no ranking, where their places are too uncertain.

    Examples
    --------
    >>> gate = {"is_open": True, "rank_set_places": 38.9, "n_reps": 40}
    >>> no_ranking(gate)
    ', but the list is no ranking: a rep could hold 39 of its 40 places on average'
    >>> no_ranking(gate | {"rank_set_places": 12.0})
    ''
    """
    if tables.is_ranking(gate):
        return ""
    places = tables.rank_places(gate)
    if pd.isna(places):
        return _(", which alone makes no ranking")
    return _(
        ", but the list is no ranking: a rep could hold {places} of its {n} places on average"
    ).format(places=numbers.count(places), n=numbers.count(gate_value(gate, "n_reps")))


def won_in_time(won: pd.Series, table: pd.DataFrame, within: str) -> str:
    """
    Say the share won in time; where there are several pipelines, of which one.

    Examples
    --------
    >>> table = pd.DataFrame({"pipeline": ["new", "renewal"]})
    >>> won = pd.Series({"pipeline": "new", "reached_rate": 0.2, "reached_rate_low": 0.1,
    ...                  "reached_rate_high": 0.3})
    >>> won_in_time(won, table, "90 days").replace(numbers.NO_BREAK, " ")
    'new: an estimated 20 % (likely 10–30 %) of deals are won within 90 days of creation'
    """
    text = _("An estimated {estimate} of deals are won within {within} of creation")
    if table["pipeline"].nunique(dropna=False) > 1:
        text = _("{pipeline}: an estimated {estimate} of deals are won within {within} of creation")
    return text.format(
        pipeline=words.value(won["pipeline"]),
        estimate=estimate(won, "reached_rate"),
        within=within,
    )


def estimate(row: Any, rate: str) -> str:
    """
    Say a rate as the estimate it is, with its likely range.

    Examples
    --------
    >>> row = {"rate": 0.27, "rate_low": 0.24, "rate_high": 0.3}
    >>> estimate(row, "rate").replace(numbers.NO_BREAK, " ")
    '27 % (likely 24–30 %)'
    >>> row = {"rate": 0.997, "rate_low": 0.9952, "rate_high": 0.9984}
    >>> estimate(row, "rate").replace(numbers.NO_BREAK, " ")
    '99.7 % (likely 99.5–99.8 %)'
    """
    low, high = row[f"{rate}_low"], row[f"{rate}_high"]
    is_tight = numbers.percent(low) == numbers.percent(high)
    return _("{rate} (likely {range})").format(
        rate=numbers.percent(row[rate], digits=int(is_tight)),
        range=numbers.percent_range(low, high, digits=int(is_tight)),
    )


def nameable(table: pd.DataFrame, column: str, size: str) -> pd.DataFrame:
    """
    Keep the rows that a sentence may name: the value is known and, where others are, not tiny.

    Examples
    --------
    >>> table = pd.DataFrame({"rate": [0.5, 1.0, float("nan")], "n": [90, 5, 400]})
    >>> nameable(table, "rate", "n")["n"].tolist(), nameable(table[1:], "rate", "n")["n"].tolist()
    ([90], [5])
    """
    known = table.dropna(subset=column)
    large = known[known[size] >= FEWEST_TO_NAME]
    return large if len(large) else known


def deals(n: float) -> str:
    """
    Say a number of deals.

    Examples
    --------
    >>> deals(8300), deals(1)
    ('8,300 deals', '1 deal')
    """
    return words.translate_n("{n} deal", "{n} deals", n).format(n=numbers.count(n))


def source(seen: Any) -> str:
    """
    Name where the numbers come from, and the date they stand for.

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> source(SimpleNamespace(as_of=pd.Timestamp("2026-03-31"), source={"name": "CRM"}))
    'CRM, as of 31 Mar 2026'
    """
    return _("{name}, as of {date}").format(name=seen.source["name"], date=numbers.date(seen.as_of))


def _cut(table: pd.DataFrame) -> str:
    if len(table) <= MOST_ROWS:
        return ""
    return _("; the first {most} of {n} rows, all in the data").format(
        most=numbers.count(MOST_ROWS), n=numbers.count(len(table))
    )


def _incomplete(months: pd.DataFrame) -> str:
    n = charts.truncated(months).sum()
    if not n:
        return ""
    return _("; {n} of them {mark}, begun before the first recorded closing").format(
        n=numbers.count(n), mark=words.incomplete()
    )


def _rows(table: pd.DataFrame, texts: Iterable[str]) -> str:
    several = table["pipeline"].nunique(dropna=False) > 1
    places = (charts.place(row, several_pipelines=several) for row in table.itertuples())
    return _listing(places, texts)


def _listing(names: Iterable[str], texts: Iterable[str]) -> str:
    """The first rows in words; the rest are in the data table."""
    parts = [f"{name} {text}" for name, text in zip(names, texts, strict=True)]
    more = len(parts) - LONGEST_LIST
    if more > 0:
        parts = [*parts[:LONGEST_LIST], _("and {n} more").format(n=numbers.count(more))]
    return ", ".join(parts)


def _finding_of_curves(last: pd.DataFrame) -> str:
    if last.empty:
        return _("Fewer than {n} deals: too few to draw a curve").format(n=charts.FEWEST_AT_RISK)
    if "group" not in last:
        return _("An estimated {estimate} of deals are won by day {age}").format(
            estimate=estimate(last.iloc[0], "won_rate"),
            age=numbers.count(last["age_days"].iloc[0]),
        )
    shares = [
        _("{group} {estimate} by day {age}").format(
            group=words.value(row["group"]),
            estimate=estimate(row, "won_rate"),
            age=numbers.count(row["age_days"]),
        )
        for _index, row in last.iterrows()
    ]
    return _("Estimated shares won: {shares}").format(shares="; ".join(shares))


def _month_and_rate(cell: pd.Series) -> dict[str, str]:
    return {"month": numbers.month(cell["cohort"]), "rate": numbers.percent(cell["won_rate"])}


def _between(table: pd.DataFrame, column: str) -> str:
    rates = table[column]
    if rates.isna().all():
        return _("cannot be said yet")
    low, high = np.nanmin(rates), np.nanmax(rates)
    return _("lies between {low} and {high}").format(
        low=numbers.percent(low), high=numbers.percent(high)
    )
