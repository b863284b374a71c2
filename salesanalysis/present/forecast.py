"""
The page on the quarter: what it will bring, what carries that, whether it can be trusted, how the pipeline moved.

Formats what ``metrics.forecast`` and ``metrics.pipeline`` give and computes no estimate. The arguments ``seen`` and ``reason``
are those of `tables`. ``made`` and ``back`` are what ``forecast.forecast`` and ``forecast.backtest`` give, ``totals`` the totals
of the first with the ranges to be shown. Where a source has no amounts, everything is counted in deals.
"""

import csv
import io
from typing import Any

import numpy as np
import pandas as pd
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from . import answers, attention, charts, figures, html, numbers, tables, words
from .charts import amount_ticks, legend_above, note_rows, positions, rows_of, short, with_currency
from .html import Html
from .tables import Column, amount_columns, count_columns, estimate_columns, show
from .words import _, label

SOON = 14  # days after the as-of date by which a step is due
MOST_LINES = 5  # deals of a step that the page lists; the file has all
_FORECAST = {"hatch": "////", "edgecolor": "white", "linewidth": 0}
_STEP_COLOURS = {"start": charts.BLACK, "end": charts.BLACK, "created": charts.GREEN, "pulled_in": charts.GREEN,
                 "reopened": charts.GREEN, "increased": charts.GREEN, "won": charts.BLUE}  # fmt: skip


def answer(
    made: Any,
    *,
    totals: pd.DataFrame,
    back: Any,
    won: pd.DataFrame,
    need: pd.DataFrame,
    slipped: pd.DataFrame,
    ledger: pd.DataFrame,
    seen: Any,
) -> Html:
    """
    Answer what the quarter will bring, against its quota or the last quarter, and what that comes from.

    Parameters
    ----------
    made, totals, back : see the module
    won, need, slipped : as ``pipeline.wins``, ``required`` and ``slips`` give
    ledger : as ``quality.ledger`` gives
    seen : what ``observe`` gives
    """
    truth = answers.truth(ledger, seen=seen)
    more = [_coverage_card(need), _slip_card(slipped), _trust_card(back)]
    if made.why_not:
        message = _("Cannot forecast yet: {why}").format(why=why_not(made.why_not, made))
        cards = [_pipeline_card(need, seen), _last_card(won, seen), *more[:2]]
        return html.answer(message=message + _last_message(won, seen), truth=truth, cards=cards)
    now, then = _company(totals)
    message = _(
        "The quarter {period} will bring an estimated {median}, likely {range} (80 %){compared}; {parts}"
    ).format(
        period=now["period"],
        median=_worth(now["median"], made, seen),
        range=_worth_range(now, made, seen),
        compared=_compared(now, won, made, seen),
        parts=_parts(now, made, seen),
    )
    cards = [_period_card(now, made, seen), _period_card(then, made, seen), *more]
    return html.answer(message=message, truth=truth, cards=cards)


def cautions(made: Any, back: Any, *, totals: pd.DataFrame, seen: Any) -> Html:
    """
    Warn where past ranges were too narrow, nothing shows yet whether to trust this, or amounts had to be drawn.

    Parameters
    ----------
    made, back, totals, seen : see the module
    """
    if made.why_not:
        return html.stack()
    texts = []
    if back.why_not:
        texts.append(
            _("Whether such forecasts come true cannot be shown yet: {why}.").format(
                why=why_not(back.why_not, back)
            )
        )
    elif back.widening > 1:
        texts.append(_narrow_before(back))
    if totals["quota"].isna().all():
        texts.append(
            _(
                "The source has no quota for {periods} known by {date}, so neither the chance to reach it nor the coverage "
                "can be said."
            ).format(
                periods=_and(totals["period"].unique().tolist()), date=numbers.date(seen.as_of)
            )
        )
    if made.n_without_amount:
        texts.append(
            words.translate_n(
                "{n} open deal has no amount; it is taken to be like a recently won one.",
                "{n} open deals have no amount; they are taken to be like recently won ones.",
                made.n_without_amount,
            ).format(n=numbers.count(made.n_without_amount))
        )
    if made.value == "count":
        texts.append(_("The source has too few amounts: everything here counts deals."))
    return html.notice(title=_("How far to trust it"), text=texts) if texts else html.stack()


def _narrow_before(back: Any) -> str:
    row = _score(back, "simulation")
    return _(
        "Past ranges were too narrow: the 80 % range held {held} of {n} outcomes, as happens where the business changes "
        "after the weeks that a forecast is made from. The company's 80 % ranges on this page are therefore made {factor} "
        "times as wide as the simulation gives; the chance to reach the quota goes by them. Those of teams are not corrected."
    ).format(
        held=numbers.count(round(row["coverage80"] * row["n"])),
        n=numbers.count(row["n"]),
        factor=numbers.decimal(back.widening, digits=1),
    )


def to_do(
    to_decide: pd.DataFrame,
    *,
    apart: pd.DataFrame,
    need: pd.DataFrame,
    seen: Any,
    reason: str | None = None,
) -> Html:
    """
    Say what follows: deals to decide or re-date, open deals whose date is over, and pipeline that is missing.

    Parameters
    ----------
    to_decide, need : as ``pipeline.to_decide`` and ``required`` give
    apart : as ``pipeline.apart`` of the current quarter gives
    seen, reason : see the module
    """
    rows = [*_short_step(need, seen), *_overdue_step(apart, seen), *_decide_steps(to_decide, seen)]
    if not rows and reason:
        return html.paragraphs(
            _("Which deals are due and need a decision cannot be said. {why}").format(why=reason)
        )
    if not rows:
        return html.paragraphs(
            _("No step follows: no deal due this quarter is large and unlikely to be won.")
        )
    due = numbers.date(pd.Timestamp(seen.as_of) + pd.Timedelta(days=SOON))
    return html.table(
        caption=_("What to do"),
        columns=[(_(name), "text") for name in ("Step", "Why", "Who", "By")],
        rows=[[*row, due] for row in rows],
    )


def _short_step(need: pd.DataFrame, seen: Any) -> list[list[str]]:
    if need.empty or need["is_reached"].iloc[0]:
        return []
    row = need.iloc[0]
    if not row["required_amount"] > row["amount_open"]:
        return []
    return [
        [
            _("Find pipeline for {quarter}, or plan for less").format(quarter=row["quarter"]),
            _(
                "{open} is open and due, {required} was needed for such a quota in past quarters"
            ).format(
                open=_money(row["amount_open"], seen), required=_money(row["required_amount"], seen)
            ),
            _("Sales managers"),
        ]
    ]


def _overdue_step(apart: pd.DataFrame, seen: Any) -> list[list[str]]:
    rows = apart[(apart["kind"] == "overdue") & (apart["n_end"] > 0)]
    return [
        [
            words.translate_n(
                "Close or re-date the {n} open deal whose expected close is over",
                "Close or re-date the {n} open deals whose expected close is over",
                row.n_end,
            ).format(n=numbers.count(row.n_end)),
            _("{amount} in no quarter's pipeline; {n} at the start of the quarter").format(
                amount=_money(row.amount_end, seen), n=numbers.count(row.n_start)
            )
            if row.n_start != row.n_end
            else _("{amount} in no quarter's pipeline").format(amount=_money(row.amount_end, seen)),
            _("Team leads, with the owners"),
        ]
        for row in rows.itertuples()
    ]


def _decide_steps(to_decide: pd.DataFrame, seen: Any) -> list[list[str]]:
    return [
        [
            _("Decide with the customer, or re-date: {deal}").format(deal=attention.deal_name(row)),
            _(
                "{amount}, due {date}, still in {stage}: won this quarter in {share} futures{pushed}"
            ).format(
                amount=_money(row.amount, seen),
                date=numbers.date(row.expected_close),
                stage=words.stage(row.stage),
                share=_futures(row.win_share),
                pushed=_pushed(row.n_pushes),
            ),
            _("{name}, {team}").format(
                name=tables.rep_name(row.name, row.owner), team=words.person_or_team(row.team)
            ),
        ]
        for row in to_decide.itertuples()
    ]


def _pushed(n: float) -> str:
    if not n:
        return ""
    return words.translate_n("; moved back once", "; moved back {n} times", n).format(
        n=numbers.count(n)
    )


def quarters(
    totals: pd.DataFrame, *, made: Any, won: pd.DataFrame, seen: Any, name: str = "quarters"
) -> Html:
    """
    Show what the last quarters brought and what this one and the next are to bring, with their ranges.

    Parameters
    ----------
    totals, made, seen : see the module
    won : as ``pipeline.wins`` gives
    name : str
        Of the figure.
    """
    if made.why_not:
        return _no_forecast(_("What the quarters will bring"), made, seen)
    company = totals[totals["team"] == ""]
    rows = pd.concat([_as_bars(won, made), company], ignore_index=True)
    now = company.iloc[0]
    return html.figure(
        _bars(rows, list(rows["period"]), made, seen),
        name=name,
        headline=_("{period} is estimated to bring {median}, likely {range}").format(
            period=now["period"],
            median=_worth(now["median"], made, seen),
            range=_worth_range(now, made, seen),
        ),
        subtitle=_(
            "{what} by quarter: full bars are won, hatched ones forecast from the weeks before {date}; line: 80 % range{widened}"
        ).format(
            what=_what(made, seen),
            date=numbers.date(seen.as_of),
            widened=""
            if made.totals.equals(totals)
            else _(", widened as past ones were too narrow"),
        ),
        alt=_("Bars: {rows}.").format(
            rows=", ".join(
                f"{row.period} {_worth(row.median, made, seen)}" for row in rows.itertuples()
            )
        ),
        source=figures.source(seen),
        data=totals_table(company, made=made, seen=seen),
    )


def _as_bars(past: pd.DataFrame, made: Any) -> pd.DataFrame:
    """Finished quarters as the rows of a forecast that knew them."""
    won = past["amount_won" if made.value == "amount" else "n_won"]
    quota = past["quota"] if made.value == "amount" else np.nan
    return pd.DataFrame({"period": past["quarter"], "booked": won, "median": won, "quota": quota})


def teams(totals: pd.DataFrame, *, made: Any, seen: Any, name: str = "teams") -> Html:
    """
    Show what each team is to win in the current quarter, with its range and quota.

    Parameters
    ----------
    totals, made, seen : see the module
    name : str
        Of the figure.
    """
    if made.why_not:
        return _no_forecast(_("What each team will bring"), made, seen)
    rows = totals[(totals["period"] == totals["period"].iloc[0]) & (totals["team"] != "")]
    if rows.empty:
        return html.paragraphs(_("The source names no teams."))
    rows = rows.sort_values("median", ascending=False, kind="stable", ignore_index=True)
    most = rows.iloc[0]
    labels = [short(words.person_or_team(team)) for team in rows["team"]]
    return html.figure(
        _bars(rows, labels, made, seen),
        name=name,
        headline=_("{team} is estimated to bring the most, {median}, likely {range}").format(
            team=words.person_or_team(most["team"]),
            median=_worth(most["median"], made, seen),
            range=_worth_range(most, made, seen),
        ),
        subtitle=_(
            "{what} by team in {period}: full part is won, hatched part forecast; line: 80 % range as simulated, not compared "
            "with the past; teams whose ranges overlap may end in another order"
        ).format(what=_what(made, seen), period=most["period"]),
        alt=_("Bars: {rows}.").format(
            rows=", ".join(
                f"{words.person_or_team(row.team)} {_worth(row.median, made, seen)}"
                for row in rows.itertuples()
            )
        ),
        source=figures.source(seen),
        data=totals_table(totals[totals["team"] != ""], made=made, seen=seen),
    )


@rc_context(charts.STYLE)
def _bars(
    table: pd.DataFrame, labels: list[str], made: Any, seen: Any, ax: Axes | None = None
) -> Axes:
    """Won solid, forecast hatched up to the estimate, the 80 % range as a line, the quota as a mark."""
    ax = rows_of(ax, labels, row_height=0.32, legend_rows=2)
    y = positions(table)
    coming = (table["median"] - table["booked"]).clip(lower=0)
    measure = charts.ROLES["measure"]
    if table["booked"].any():
        ax.barh(y, table["booked"], height=0.6, color=measure, label=_("Won"))
    ax.barh(y, coming, left=table["booked"], height=0.6, facecolor=measure, label=_("Forecast"), **_FORECAST)  # fmt: skip
    low, high = (table.get(f"{side}80", pd.Series(np.nan, table.index)) for side in ("low", "high"))
    ax.hlines(y, low.astype(float), high.astype(float), color=charts.ROLES["reference"], linewidth=2.2, label=_("80 % range"))  # fmt: skip
    if table["quota"].notna().any():
        ax.plot(table["quota"], y, "|", color=charts.ROLES["lost"], markersize=15, markeredgewidth=3,
                linestyle="none", label=_("Quota"))  # fmt: skip
    note_rows(ax, [_short_worth(value, made) for value in table["median"]])
    ax.set_xlim(left=0)
    _worth_axis(ax.xaxis, made)
    ax.set_xlabel(_what(made, seen))
    legend_above(ax, columns=2)
    return ax


def _worth_axis(axis: Any, made: Any) -> None:
    axis.set_major_locator(MaxNLocator(5, integer=made.value == "count"))
    if made.value == "amount":
        axis.set_major_formatter(amount_ticks())


def totals_table(table: pd.DataFrame, *, made: Any, seen: Any) -> Html:
    """
    Show the forecast of each period and team with both ranges and what it comes from.
    """
    columns = [
        Column(label("forecast_period"), "text", lambda row: row.period),
        Column(label("team"), "text", lambda row: _team(row.team)),
        *_worth_columns(made, seen, "booked", "median"),
        *(_range_column(level, made) for level in ("80", "95")),
        *_worth_columns(made, seen, "quota"),
        Column(
            label("reach_quota_share"), "number", lambda row: numbers.percent(row.reach_quota_share)
        ),
        *_worth_columns(made, seen, "from_open", "from_new"),
        Column(
            label("largest_deal_share"),
            "number",
            lambda row: numbers.percent(row.largest_deal_share),
        ),
    ]
    note = _(
        "Estimate: half of the simulated futures end above it, half below. What comes from open and from new deals are "
        "middles of their own and need not add up to it, nor do the teams. Largest deal decides: share of futures in "
        "which the mark (the quota, else the estimate) is reached with the largest deal and not without it."
    )
    part = (
        _("of the company")
        if (table["team"] == "").all()
        else _("by team, {period}").format(period=_and(table["period"].unique().tolist()))
    )
    what = _("Forecast {part}").format(part=part)
    return show(table, columns, what, seen, note)


def _team(team: Any) -> str:
    return _("All") if isinstance(team, str) and not team else words.person_or_team(team)


def _worth_columns(made: Any, seen: Any, *names: str) -> list[Column]:
    if made.value == "amount":
        return [
            Column(with_currency(label(_LABELS.get(name, name)), seen.source["currency"]), "number",
                   lambda row, name=name: numbers.money(getattr(row, name), None))
            for name in names
        ]  # fmt: skip
    return [
        Column(label(_LABELS.get(name, name)), "number",
               lambda row, name=name: numbers.count(getattr(row, name)))
        for name in names
    ]  # fmt: skip


_LABELS = {"median": "forecast_median", "booked": "forecast_booked"}


def _range_column(level: str, made: Any) -> Column:
    return Column(
        label(f"forecast_range{level}"),
        "number",
        lambda row: "–".join(
            _short_worth(getattr(row, f"{side}{level}"), made) for side in ("low", "high")
        ),
    )


def origins(totals: pd.DataFrame, *, made: Any, seen: Any, name: str = "origins") -> Html:
    """
    Show how much of each quarter is booked, comes from deals open now, and from deals not created yet.

    Parameters
    ----------
    totals, made, seen : see the module
    name : str
        Of the figure.
    """
    if made.why_not:
        return _no_forecast(_("Where it comes from"), made, seen)
    rows = totals[totals["team"] == ""].reset_index(drop=True)
    parts = [f"{row['period']}: {_parts(row, made, seen)}" for _index, row in rows.iterrows()]
    return html.figure(
        _origins(rows, made, seen),
        name=name,
        headline="; ".join(parts),
        subtitle=_(
            "{what} by where it comes from; middle of the simulated futures of each part, so the parts need not add up to "
            "the estimate"
        ).format(what=_what(made, seen)),
        alt=_("Stacked bars: {rows}.").format(rows="; ".join(parts)),
        source=figures.source(seen),
    )


@rc_context(charts.STYLE)
def _origins(table: pd.DataFrame, made: Any, seen: Any, ax: Axes | None = None) -> Axes:
    ax = rows_of(ax, list(table["period"]), row_height=0.42, legend_rows=3)
    left = np.zeros(len(table))
    looks = {
        "booked": {"facecolor": charts.ROLES["measure"]},
        "from_open": {"facecolor": charts.ROLES["measure"], **_FORECAST},
        "from_new": {"facecolor": charts.ROLES["other"], **_FORECAST},
    }
    for column, look in looks.items():
        width = table[column].to_numpy(dtype=float)
        if width.any():
            ax.barh(positions(table), width, left=left, height=0.62, label=label(_LABELS.get(column, column)), **look)  # fmt: skip
            left = left + width
    _worth_axis(ax.xaxis, made)
    ax.set_xlabel(_what(made, seen))
    legend_above(ax, columns=1)
    return ax


def carriers(deals: pd.DataFrame, *, totals: pd.DataFrame, made: Any, seen: Any) -> Html:
    """
    Show the open deals that bring most of it on average, and how far the quarter hangs on one of them.

    Parameters
    ----------
    deals : as ``pipeline.open_deals`` gives, those to show
    totals, made, seen : see the module
    """
    what = _("Open deals that carry the quarter")
    if made.why_not:
        return _no_forecast(what, made, seen)
    if deals.empty:
        return tables.missing(what, seen=seen, reason=None)
    now, __ = _company(totals)
    columns = [
        Column(label("deal_at_stake"), "text", attention.deal_name),
        Column(label("owner"), "text", lambda row: tables.rep_name(row.name, row.owner)),
        Column(label("stage"), "text", lambda row: words.stage(row.stage)),
        *(amount_columns(seen, "amount") if deals["amount"].notna().any() else []),
        Column(label("win_share"), "number", lambda row: numbers.percent(row.win_share)),
        *(amount_columns(seen, "expected_amount") if deals["amount"].notna().any() else []),
        *_dates(deals),
    ]
    note = _(
        "Chance: share of simulated futures in which it is won by {last}, from its stage and the time in it alone; the "
        "customer is not known to it."
    ).format(last=numbers.date(now["last_on"]))
    shown = show(deals, columns, what, seen, note)
    if made.value == "count":  # then all deals are alike
        return shown
    return html.stack(html.paragraphs(_largest_decides(now, made, seen)), shown)


def _largest_decides(now: pd.Series, made: Any, seen: Any) -> str:
    mark = (
        _("the quota of {quota}").format(quota=_worth(now["quota"], made, seen))
        if pd.notna(now["quota"])
        else _("the estimate of {median}").format(median=_worth(now["median"], made, seen))
    )
    return _(
        "In {share} simulated futures one deal, the largest won, decides whether {mark} is reached."
    ).format(share=_futures(now["largest_deal_share"]), mark=mark)


def _dates(deals: pd.DataFrame) -> list[Column]:
    if deals["expected_close"].isna().all():
        return []
    return [Column(label("expected_close"), "text", _close), *count_columns("n_pushes")]


def _close(row: Any) -> str:
    day = numbers.date(row.expected_close)
    return _("{day}, over").format(day=day) if row.due == "overdue" else day


def trust(back: Any, *, made: Any, seen: Any, name: str = "trust") -> Html:
    """
    Show forecasts as they would have been made in the past, against what then came.

    Parameters
    ----------
    back, made, seen : see the module
    name : str
        Of the figure.
    """
    what = _("Forecasts of the past against what came")
    if made.why_not:
        return _no_forecast(what, made, seen)
    if back.why_not:
        return tables.missing(what, seen=seen, reason=_sentence(why_not(back.why_not, back)))
    row = _score(back, "simulation")
    held = numbers.count(round(row["coverage80"] * row["n"]))
    parts = [
        _("{date} range {range}, came {actual}").format(
            date=numbers.date(one.snapshot_on),
            range="–".join(_short_worth(value, made) for value in (one.low80, one.high80)),
            actual=_short_worth(one.actual, made),
        )
        for one in back.rows.itertuples()
    ]
    return html.figure(
        _snapshots(back.rows, made, seen),
        name=name,
        headline=_(
            "The 80 % range held {held} of {n} past outcomes; forecasts were {bias} of what came"
        ).format(
            held=held, n=numbers.count(row["n"]), bias=numbers.percent(row["bias"])
        ),
        subtitle=_(
            "{what} in the 13 weeks after each date: forecast from what was known that day (line: 80 % range as simulated, "
            "not widened) beside what came and two simpler forecasts"
        ).format(what=_what(made, seen)),
        alt=_("Lines with points: {rows}.").format(rows="; ".join(parts)),
        source=figures.source(seen),
        data=_snapshots_table(back, made, seen),
    )  # fmt: skip


@rc_context(charts.STYLE)
def _snapshots(rows: pd.DataFrame, made: Any, seen: Any, ax: Axes | None = None) -> Axes:
    ax = charts.Figure(figsize=(charts.WIDTH, 3.6), layout="constrained").subplots() if ax is None else ax  # fmt: skip
    x = np.arange(len(rows))
    measure = charts.ROLES["measure"]
    ax.vlines(x, rows["low80"], rows["high80"], color=measure, linewidth=5, alpha=0.45, label=_("Forecast, 80 % range"))  # fmt: skip
    looks = {
        "median": ("_", measure, measure, _("Forecast, estimate"), 14),
        "actual": ("D", charts.ROLES["reference"], charts.ROLES["reference"], _("What came"), 6),
        "weighted_pipeline": ("s", charts.ROLES["other"], "none", _("Weighted pipeline said"), 6),
        "last_quarter": ("^", charts.ROLES["muted"], "none", _("Last 13 weeks said"), 6),
    }
    for column, (marker, colour, fill, text, size) in looks.items():
        ax.plot(x, rows[column], marker, color=colour, markerfacecolor=fill, markersize=size,
                linestyle="none", label=text)  # fmt: skip
    step = max(1, -(-len(rows) // 5))
    ax.set_xticks(x[::step], labels=[numbers.month(day) for day in rows["snapshot_on"][::step]])
    ax.set_ylim(bottom=0)
    ax.grid(visible=False, axis="x")
    ax.grid(visible=True, axis="y")
    _worth_axis(ax.yaxis, made)
    ax.set_ylabel(_what(made, seen))
    ax.set_xlabel(_("Made at the end of"))
    legend_above(ax, columns=2)
    return ax


def _snapshots_table(back: Any, made: Any, seen: Any) -> Html:
    columns = [
        Column(label("snapshot_on"), "text", lambda row: numbers.date(row.snapshot_on)),
        *_worth_columns(made, seen, "actual", "median"),
        _range_column("80", made),
        *_worth_columns(made, seen, "weighted_pipeline", "last_quarter"),
        Column(
            label("k_of_n"), "number", lambda row: numbers.of(row.n_won, row.n_open)
        ),
    ]  # fmt: skip
    note = _(
        "Each row is made from what was known on that day. k/n: open deals of that day won within the 13 weeks. Neighbours "
        "share half of their weeks."
    )
    return show(back.rows, columns, _("Snapshots of the past"), seen, note)


def scores(back: Any, *, made: Any, seen: Any) -> Html:
    """
    Show how the forecast did beside the weighted pipeline and the last quarter, and whether its chances come true.

    Parameters
    ----------
    back, made, seen : see the module
    """
    if made.why_not or back.why_not:
        return html.stack()
    columns = [
        Column(label("forecast_method"), "text", lambda row: method(row.method)),
        *_worth_columns(made, seen, "crps"),
        Column(label("forecast_skill"), "text", _skill),
        Column(label("forecast_bias"), "number", lambda row: numbers.percent(row.bias)),
        Column(label("forecast_held80"), "text", lambda row: _held(row, "coverage80")),
        Column(label("forecast_held95"), "text", lambda row: _held(row, "coverage95")),
        Column(
            label("brier"),
            "number",
            lambda row: "" if pd.isna(row.brier) else numbers.decimal(row.brier, digits=3),
        ),
    ]
    note = _(
        "Typical miss: mean CRPS, in the unit of the forecast; for a single number it is how far that was off. Better than "
        "this: 1 − own miss / this one's, with a 95 % interval; below 0 the simulation was worse. Said against came: sum "
        "of forecasts by sum of outcomes. Chance score: Brier score of the open deals' chances, 0 is perfect. The weighted "
        "pipeline is each stage's eventual rate × amount, which is why it is no forecast of a quarter."
    )
    return html.stack(
        show(back.scores, columns, _("The forecast beside two simpler ones"), seen, note),
        html.paragraphs(_skill_sentence(back)),
        html.details(
            _("Do the chances of single deals come true?"), _reliability(back.reliability, seen)
        ),
    )


def _skill(row: Any) -> str:
    if pd.isna(row.skill):
        return ""
    return _("{skill} (likely {range})").format(
        skill=_percent(row.skill),
        range=_share_range(row.skill_low, row.skill_high),
    )


def _share_range(low: float, high: float) -> str:
    """A range that may begin below 0."""
    return _("{low} to {high}").format(low=_percent(low), high=_percent(high))


def _percent(share: float) -> str:
    return numbers.percent(share).replace("-", "−")


def _held(row: Any, name: str) -> str:
    rate = getattr(row, name)
    if pd.isna(rate):
        return ""
    return _("{k} of {n} (likely {range})").format(
        k=numbers.count(round(rate * row.n)),
        n=numbers.count(row.n),
        range=numbers.percent_range(getattr(row, f"{name}_low"), getattr(row, f"{name}_high")),
    )


def _skill_sentence(back: Any) -> str:
    """Against which of the simpler ones the simulation was better by more than chance, in words."""
    said: dict[str, list[str]] = {}
    for name in ("weighted_pipeline", "last_quarter"):
        row = _score(back, name)
        text = _("cannot be told apart from {others}")
        if row["skill_low"] > 0:
            text = _("did better than {others}")
        elif row["skill_high"] < 0:
            text = _("did worse than {others}")
        said.setdefault(text, []).append(method(name).lower())
    parts = [text.format(others=_and(names)) for text, names in said.items()]
    return _("On these {n} snapshots the simulation {parts}.").format(
        n=numbers.count(_score(back, "simulation")["n"]), parts=_and(parts)
    )


def _reliability(table: pd.DataFrame, seen: Any) -> Html:
    columns = [
        Column(
            label("said_share"), "text",
            lambda row: numbers.percent_range(row.from_share, row.to_share, digits=1),
        ),
        *count_columns("n_deals"),
        Column(label("said_mean"), "number", lambda row: numbers.percent(row.said_share, digits=1)),
        *estimate_columns("happened_rate"),
    ]  # fmt: skip
    note = _("Open deals of all snapshots, by the chance they were given; the two shares should agree.")  # fmt: skip
    return show(
        table.rename(columns={"n": "n_deals"}), columns, _("Chances said and come true"), seen, note
    )


def method(name: str) -> str:
    """
    Name a way of forecasting.

    Examples
    --------
    >>> method("last_quarter")
    'The last 13 weeks again'
    """
    return {
        "simulation": _("Simulation from stage and age"),
        "weighted_pipeline": _("The weighted pipeline"),
        "last_quarter": _("The last 13 weeks again"),
    }[name]


def movements(
    table: pd.DataFrame, *, seen: Any, reason: str | None = None, name: str = "movements"
) -> Html:
    """
    Show how the pipeline of a period moved from its start to its end (``pipeline.waterfall``), balanced to the cent.

    Parameters
    ----------
    table : as ``pipeline.waterfall`` gives
    seen, reason : see the module
    name : str
        Of the figure.
    """
    what = _("How the pipeline moved")
    if table.empty:
        return tables.missing(what, seen=seen, reason=reason)
    rows = table.set_index("step")
    period, has_amounts = table["period"].iloc[0], table["amount"].notna().any()
    first, last = (numbers.date(table[column].iloc[0]) for column in ("first_on", "last_on"))
    if first == last:
        text = _("{period} has not begun: {n} ({amount}) are open and due in it as of {date}.")
        return html.paragraphs(
            text.format(
                period=period,
                n=figures.deals(rows.loc["end", "n_deals"]),
                amount=_money(rows.loc["end", "amount"], seen),
                date=last,
            )
        )
    column = "amount" if has_amounts else "n_change"
    said = [
        _("{step} {value}").format(step=step_name(step), value=_signed(row[column]))
        for step, row in rows.iterrows()
        if row[column]
    ]
    return html.figure(
        _waterfall(table, column, seen),
        name=name,
        headline=_(
            "{period}: of {start} due at the start and {came} that came in: {won} won, {lost} lost, {end} still open"
        ).format(
            period=period,
            start=_side(rows, ["start"], column, seen),
            came=_side(rows, ["created", "pulled_in", "reopened"], column, seen),
            won=_side(rows, ["won"], column, seen),
            lost=_side(rows, ["lost"], column, seen),
            end=_side(rows, ["end"], column, seen),
        ),
        subtitle=_(
            "{what} of open deals due in {period}, from the end of {first} to the end of {last}"
        ).format(
            what=with_currency(label("amount"), seen.source["currency"]) if has_amounts else label("n_deals"),
            period=period, first=first, last=last,
        ),
        alt=_("Steps from start to end: {rows}.").format(rows=", ".join(said)),
        source=figures.source(seen),
        data=movements_table(table, seen=seen),
    )  # fmt: skip


def _side(rows: pd.DataFrame, steps: list[str], column: str, seen: Any) -> str:
    value = abs(rows.loc[steps, column].sum())
    return _money(value, seen) if column == "amount" else figures.deals(value)


@rc_context(charts.STYLE)
def _waterfall(table: pd.DataFrame, column: str, seen: Any, ax: Axes | None = None) -> Axes:
    ax = rows_of(ax, [step_name(step) for step in table["step"]], row_height=0.28)
    change = table[column].to_numpy(dtype=float)
    is_total = table["step"].isin(["start", "end"]).to_numpy()
    reached = np.cumsum(np.where(table["step"] == "end", 0, change))
    left = np.where(is_total, 0, reached - change)
    colours = [_STEP_COLOURS.get(step, charts.ROLES["lost"]) for step in table["step"]]
    bars = ax.barh(positions(table), change, left=left, height=0.66, color=colours)
    for bar, step in zip(bars, table["step"], strict=True):
        if step in ("decreased", "pushed_out", "removed"):
            bar.set(hatch="////", edgecolor="white")
    notes = [
        _signed(value) if not total else numbers.money(value, None, compact=True)
        for value, total in zip(change, is_total, strict=True)
    ]
    note_rows(ax, notes)
    ax.set_xlim(left=0)
    ax.xaxis.set_major_locator(MaxNLocator(5, integer=column != "amount"))
    ax.xaxis.set_major_formatter(amount_ticks())
    is_money = column == "amount"
    ax.set_xlabel(
        with_currency(label("amount"), seen.source["currency"]) if is_money else label("n_deals")
    )
    return ax


def _signed(value: float) -> str:
    sign = "−" if value < 0 else "+" if value > 0 else ""
    return sign + numbers.money(abs(value), None, compact=True)


def movements_table(table: pd.DataFrame, *, seen: Any) -> Html:
    """
    Show the steps in deals and in full amounts, with the sum that must be the end.
    """
    currency = seen.source["currency"]
    columns = [
        Column(label("waterfall_step"), "text", lambda row: step_name(row.step)),
        *count_columns("n_deals"),
        Column(with_currency(label("amount"), currency), "number", lambda row: _cents(row.amount)),
    ]
    moves, end = table.iloc[:-1], table.iloc[-1]
    adds_up = moves["n_change"].sum() == end["n_deals"] and (
        pd.isna(end["amount"]) or _cents(moves["amount"].sum()) == _cents(end["amount"])
    )
    note = _(
        "{balance}. A deal comes in at its first amount, changes, and leaves at its last. Won is all that was won in the "
        "period, whatever date was expected; lost and removed only what was due then. Pulled in and pushed out: the "
        "expected close was moved into or out of the period, from or to any other time; a deal won before or after the "
        "quarter it was expected in counts as pulled in."
    ).format(
        balance=_("✓ Start and all steps add up to the end")
        if adds_up
        else _("✗ The steps do not add up to the end")
    )
    what = _("Pipeline movements, {period}").format(period=table["period"].iloc[0])
    return show(table, columns, what, seen, note)


def _cents(amount: float) -> str:
    if pd.isna(amount):
        return numbers.missing()
    return numbers.decimal(round(amount, 2) + 0.0, digits=2).replace("-", "−")


def largest_moves(lines: pd.DataFrame, *, seen: Any, period: Any) -> Html:
    """
    List the largest deals of each step that moved the pipeline (``pipeline.waterfall_deals``).
    """
    rows = lines[~lines["step"].isin(["start", "end"])]
    if rows.empty:
        return html.stack()
    rows = rows.groupby("step", sort=False).head(MOST_LINES)
    columns = [
        Column(label("waterfall_step"), "text", lambda row: step_name(row.step)),
        Column(label("deal_at_stake"), "text", attention.deal_name),
        Column(label("owner"), "text", lambda row: tables.rep_name(row.name, row.owner)),
        Column(with_currency(label("amount"), seen.source["currency"]), "number",
               lambda row: _cents(row.amount)),
        Column(label("close_before"), "text", lambda row: numbers.date(row.close_before)),
        Column(label("close_after"), "text", lambda row: numbers.date(row.close_after)),
    ]  # fmt: skip
    what = _("Largest deals of each step, {period}").format(period=period)
    note = _("At most {n} a step; the file beside the page has every deal of every step.").format(
        n=numbers.count(MOST_LINES)
    )
    return show(rows, columns, what, seen, note, row_header=1)


def files(lines: pd.DataFrame, *, seen: Any, period: Any) -> Html:
    """
    Offer every line of the movements of a period as a file, so that each amount can be traced to its deals.
    """
    if lines.empty:
        return html.stack()
    text = _("Every deal of every step, {period}").format(period=period)
    name = f"pipeline_movements_{str(period).lower()}".replace("..", "_to_")
    return html.files(text, {f"{name}.csv": csv_text(lines)})


def csv_text(lines: pd.DataFrame) -> str:
    """
    Write the lines for a spreadsheet: UTF-8 with its mark, amounts and days as such.

    A text that a spreadsheet would run as a formula begins with ``'``.
    """
    texts = {
        "waterfall_step": lambda row: step_name(row.step),
        "deal_number": lambda row: _text(row.deal_id),
        "account": lambda row: _text(row.account),
        "owner": lambda row: tables.rep_name(row.name, row.owner),
        "team": lambda row: words.person_or_team(row.team),
    }
    plain = {
        "amount": lambda row: _number(row.amount),
        "amount_before": lambda row: _number(row.amount_before),
        "amount_after": lambda row: _number(row.amount_after),
        "close_before": lambda row: _day(row.close_before),
        "close_after": lambda row: _day(row.close_after),
    }
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\r\n")
    writer.writerow([label(name) for name in (*texts, *plain)])
    for row in lines.itertuples():
        guarded = [html.spreadsheet_text(cell(row)) for cell in texts.values()]
        writer.writerow(guarded + [cell(row) for cell in plain.values()])
    return "\ufeff" + file.getvalue()


def _text(value: Any) -> str:
    return "" if pd.isna(value) else str(value)


def _number(value: float) -> str:
    return "" if pd.isna(value) else f"{value:.2f}"


def _day(value: Any) -> str:
    return "" if pd.isna(value) else f"{value:%Y-%m-%d}"


def apart(table: pd.DataFrame, *, seen: Any, period: Any, reason: str | None = None) -> Html:
    """
    Say which open deals are in no quarter because of their date (``pipeline.apart``).
    """
    if table.empty:
        return html.stack()
    said = {
        "no_date": _("{n} without an expected close ({amount})"),
        "overdue": _("{n} whose expected close lies before {period} ({amount})"),
    }
    parts = [
        said[row.kind].format(
            n=figures.deals(row.n_end), amount=_money(row.amount_end, seen), period=period
        )
        for row in table.itertuples()
        if row.n_end
    ]
    if not parts:
        return html.stack()
    return html.paragraphs(
        _("Open and not in the pipeline of {period}: {parts}.").format(
            period=period, parts=_and(parts)
        )
    )


def coverage(
    table: pd.DataFrame, *, need: pd.DataFrame, seen: Any, reason: str | None = None
) -> Html:
    """
    Show the pipeline of each quarter at the same week, and what was then won, with what a quota takes.

    Parameters
    ----------
    table, need : as ``pipeline.coverage`` and ``required`` give
    seen, reason : see the module
    """
    what = _("Pipeline of each quarter and what was then won")
    if table.empty:
        return tables.missing(what, seen=seen, reason=reason)
    has_amounts = table["amount_open"].notna().any()
    columns = [
        Column(label("forecast_period"), "text", _quarter),
        Column(label("seen_on"), "text", lambda row: numbers.date(row.seen_on)),
        *count_columns("n_open_due"),
        *(amount_columns(seen, "amount_open_due", "amount_from", "amount_other") if has_amounts
          else count_columns("n_from", "n_other")),
        Column(label("yield_ratio"), "number", lambda row: numbers.percent(row.yield_ratio)),
        *(amount_columns(seen, "remaining_quota") if table["quota"].notna().any() else []),
        Column(label("coverage"), "number", lambda row: _times(row.coverage)),
    ]  # fmt: skip
    note = _(
        "Every quarter at the same week of it, as known then. Yield: all that was won in the rest of the quarter, from that "
        "pipeline or from other deals, by the pipeline. Coverage: pipeline by what was left of the teams' quotas."
    )
    rows = table.rename(columns={"n_open": "n_open_due", "amount_open": "amount_open_due"})
    return html.stack(
        html.paragraphs(_coverage_sentence(need, seen, reason)),
        show(rows, columns, what, seen, note),
    )


def _quarter(row: Any) -> str:
    return _("{quarter} (now)").format(quarter=row.quarter) if row.is_current else row.quarter


def _times(value: float) -> str:
    return _("{n} ×").format(n=numbers.decimal(value, digits=1)) if pd.notna(value) else numbers.missing()  # fmt: skip


def _coverage_sentence(need: pd.DataFrame, seen: Any, reason: str | None) -> str:
    row = need.iloc[0]
    if pd.isna(row["required_coverage"]):
        text = _("How much pipeline a quota takes cannot be said: {why}.")
        return text.format(why=(reason or _("no past quarter has a yield")).rstrip("."))
    text = words.translate_n(
        "By the one finished quarter, a quota took about {required} its pipeline at this week.",
        "By the {n} finished quarters, a quota takes about {required} its amount in pipeline at this week; the quarters "
        "lay between {low} and {high}.",
        row["n_quarters"],
    ).format(
        n=numbers.count(row["n_quarters"]),
        required=_times(row["required_coverage"]),
        low=_times(row["required_coverage_low"]),
        high=_times(row["required_coverage_high"])
        if pd.notna(row["required_coverage_high"])
        else _("no bound"),
    )
    if pd.isna(row["quota"]):
        return f"{text} " + _(
            "{quarter} has {open} open and due; no quota for it is known by {date}."
        ).format(
            quarter=row["quarter"],
            open=_pipeline(row, seen),
            date=numbers.date(seen.as_of),
        )
    if pd.isna(row["coverage"]):
        return f"{text} " + _("The quota of {quarter} is reached already.").format(
            quarter=row["quarter"]
        )
    return f"{text} " + _(
        "{quarter} has {open} for the {left} that is left of the quota: {coverage}."
    ).format(
        quarter=row["quarter"],
        open=_pipeline(row, seen),
        left=_money(row["remaining_quota"], seen),
        coverage=_times(row["coverage"]),
    )


def _pipeline(row: Any, seen: Any) -> str:
    return figures.deals(row["n_open"]) if pd.isna(row["amount_open"]) else _money(row["amount_open"], seen)  # fmt: skip


def slips(
    table: pd.DataFrame, *, seen: Any, reason: str | None = None, name: str = "slips"
) -> Html:
    """
    Show what became of the deals due at the start of each quarter (``pipeline.slips``).
    """
    what = _("What became of the deals due in a quarter")
    if table.empty:
        none = _("No deal was due at the start of a finished quarter.")
        return tables.missing(what, seen=seen, reason=reason or none)
    last = table.iloc[-1]
    rates = [
        _("{quarter} won {won}, slipped {slipped}").format(
            quarter=row.quarter,
            won=numbers.percent(row.won_rate),
            slipped=numbers.percent(row.slipped_rate),
        )
        for row in table.itertuples()
    ]
    return html.figure(
        _slips(table),
        name=name,
        headline=_(
            "{slipped} of the {n} due in {quarter} slipped, {won} were won"
        ).format(
            slipped=figures.estimate(last, "slipped_rate"), n=figures.deals(last["n_deals"]),
            quarter=last["quarter"], won=numbers.percent(last["won_rate"]),
        ),
        subtitle=_(
            "Share of the deals open and due in each quarter at its start, by what they were at its end; slipped: still open"
        ),
        alt=_("Stacked bars: {rows}.").format(rows="; ".join(rates)),
        source=figures.source(seen),
        data=_slips_table(table, seen),
    )  # fmt: skip


_SLIP_LOOKS = {
    "won": {"facecolor": charts.BLUE},
    "lost": {"facecolor": charts.VERMILLION},
    "removed": {"facecolor": charts.GREY, "hatch": "xxxx"},
    "slipped": {"facecolor": charts.GREY},
}


@rc_context(charts.STYLE)
def _slips(table: pd.DataFrame, ax: Axes | None = None) -> Axes:
    ax = rows_of(ax, list(table["quarter"]), row_height=0.32, legend_rows=2)
    left = np.zeros(len(table))
    for outcome, look in _SLIP_LOOKS.items():
        width = table[f"{outcome}_rate"].to_numpy(dtype=float)
        if not width.any():
            continue
        bars = ax.barh(
            positions(table), width, left=left, height=0.66, label=outcome_name(outcome),
            edgecolor="white", linewidth=0.8, **look,
        )  # fmt: skip
        shown = [
            numbers.count(n) if part >= 0.08 else ""
            for n, part in zip(table[f"n_{outcome}"], width, strict=True)
        ]
        charts.count_parts(ax, list(bars), shown)
        left = left + width
    note_rows(ax, [f"n = {numbers.count(n)}" for n in table["n_deals"]])
    charts.share_axis(ax, label("share_of_deals"))
    legend_above(ax, columns=2)
    return ax


def outcome_name(outcome: str) -> str:
    """
    Name what became of a deal that was due.

    Examples
    --------
    >>> outcome_name("slipped")
    'Slipped (still open)'
    """
    return _("Slipped (still open)") if outcome == "slipped" else label(outcome)


def _slips_table(table: pd.DataFrame, seen: Any) -> Html:
    columns = [
        Column(label("forecast_period"), "text", lambda row: row.quarter),
        *count_columns("n_deals", "n_won", "n_lost", "n_removed", "n_slipped"),
        *estimate_columns("slipped_rate"),
        *estimate_columns("due_won_rate"),
        *amount_columns(seen, "amount_due", "amount_slipped"),
    ]
    names = {f"won_rate{end}": f"due_won_rate{end}" for end in ("", "_low", "_high")}
    note = _("Won + lost + removed + slipped are all that were due. Amounts as at the start.")
    rows = table.rename(columns=names | {"amount": "amount_due"})
    return show(rows, columns, _("Deals due in each quarter"), seen, note)


def pushes(table: pd.DataFrame, *, seen: Any, reason: str | None = None) -> Html:
    """
    Show how often the expected close was moved back, and what went with it (``pipeline.pushes``).
    """
    what = _("How often the expected close was moved to a later day")
    if table.empty:
        return tables.missing(what, seen=seen, reason=reason)
    columns = [
        Column(label("pushes"), "text", lambda row: _pushes(row.pushes)),
        Column(label("push_open"), "text", lambda row: _share_of(row.n_open, row.open_share)),
        Column(label("push_won"), "text", lambda row: _share_of(row.n_won, row.won_share)),
        Column(label("push_lost"), "text", lambda row: _share_of(row.n_lost, row.lost_share)),
        *amount_columns(seen, "open_amount"),
        *estimate_columns("closed_rate"),
    ]
    note = _(
        "Won and lost in the last 365 days. A deal that lives longer has more time to be moved: this describes the deals "
        "and does not say that moving a date loses them."
    )
    return show(table, columns, what, seen, note)


def _pushes(name: str) -> str:
    return {"0": _("never"), "1": _("once"), "2+": _("twice or more")}[name]


def _share_of(n: float, share: float) -> str:
    return f"{numbers.count(n)} ({numbers.percent(share)})"


def measure_cards() -> Html:
    """
    Define the measures of the page.
    """
    return answers.measure_cards("pipeline_forecast")


def step_name(step: str) -> str:
    """
    Name a step of the movements.

    Examples
    --------
    >>> step_name("pushed_out")
    'Pushed out'
    """
    return {
        "start": _("Start"),
        "created": _("Created"),
        "pulled_in": _("Pulled in"),
        "reopened": _("Reopened"),
        "increased": _("Increased"),
        "decreased": _("Decreased"),
        "pushed_out": _("Pushed out"),
        "won": _("Won"),
        "lost": _("Lost"),
        "removed": _("Removed"),
        "end": _("End"),
    }[step]


def why_not(slug: str, made: Any = None) -> str:
    """
    Say why there is no forecast, no back-test or no pipeline of the past.

    Examples
    --------
    >>> why_not("no_close_date")
    'the source has no expected close date of deals'
    """
    weeks = numbers.count(getattr(made, "history_weeks", float("nan")))
    return {
        "too_short_history": _(
            "closings are recorded for {weeks} whole weeks, and half a year is needed"
        ),
        "too_few_won": _("too few deals were won in the {weeks} weeks that rates are taken from"),
        "too_few_snapshots": _(
            "the history is too short for four forecasts of the past with 13 weeks after each"
        ),
        "no_close_date": _("the source has no expected close date of deals"),
        "no_close_history": _(
            "no change of an expected close date is recorded: what was expected on past days is not known"
        ),
    }[slug].format(weeks=weeks)


def no_past(slug: str | None, text: str | None = None) -> str | None:
    """
    Say why nothing can be said of past pipelines, with the source's own reason where it gives one.

    Examples
    --------
    >>> no_past("no_close_date"), no_past(None)
    ('The source has no expected close date of deals.', None)
    """
    if slug is None:
        return None
    said = _sentence(why_not(slug))
    return f"{said} {_sentence(text)}" if text and slug == "no_close_history" else said


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:].rstrip(".") + "."


def _no_forecast(what: str, made: Any, seen: Any) -> Html:
    return tables.missing(what, seen=seen, reason=_sentence(why_not(made.why_not, made)))


def _company(totals: pd.DataFrame) -> tuple[pd.Series, pd.Series]:
    """This quarter and the next of all teams together."""
    rows = totals[totals["team"] == ""]
    return rows.iloc[0], rows.iloc[1]


def _score(back: Any, name: str) -> pd.Series:
    return back.scores[back.scores["method"] == name].iloc[0]


def _what(made: Any, seen: Any) -> str:
    if made.value == "count":
        return _("Deals won")
    return with_currency(label("won_amount"), seen.source["currency"])


def _worth(value: float, made: Any, seen: Any) -> str:
    return figures.deals(round(value)) if made.value == "count" else _money(value, seen)


def _short_worth(value: float, made: Any) -> str:
    return numbers.count(value) if made.value == "count" else numbers.money(value, None, compact=True)  # fmt: skip


def _worth_range(row: Any, made: Any, seen: Any) -> str:
    low, high = (_short_worth(row[side], made) for side in ("low80", "high80"))
    currency = seen.source["currency"]
    prefix = f"{currency}{numbers.NO_BREAK}" if currency and made.value == "amount" else ""
    return f"{prefix}{low}–{high}"


def _money(value: float, seen: Any) -> str:
    return numbers.money(value, seen.source["currency"], compact=True)


def _futures(share: float) -> str:
    """
    Say a share of simulated futures as so many of 100.

    Examples
    --------
    >>> _futures(0.187), _futures(0.001), _futures(0.999)
    ('19 of 100', 'under 1 of 100', 'over 99 of 100')
    """
    if 0 < share < 0.005:
        return _("under 1 of 100")
    if 0.995 < share < 1:
        return _("over 99 of 100")
    return _("{n} of 100").format(n=numbers.count(share * 100))


def _and(parts: list[str]) -> str:
    if len(parts) < 2:
        return "".join(parts)
    return _("{first} and {last}").format(first=", ".join(parts[:-1]), last=parts[-1])


def _parts(row: Any, made: Any, seen: Any) -> str:
    """Booked, from open and from new deals."""
    parts = [
        _("{value} won already").format(value=_worth(row["booked"], made, seen))
        if row["booked"]
        else "",
        _("about {value} from deals open now").format(value=_worth(row["from_open"], made, seen)),
        _("about {value} from deals not created yet").format(
            value=_worth(row["from_new"], made, seen)
        ),
    ]
    return _and([part for part in parts if part])


def _compared(now: pd.Series, won: pd.DataFrame, made: Any, seen: Any) -> str:
    if pd.notna(now["quota"]):
        return _("; the quota of {quota} is reached in {share} futures").format(
            quota=_worth(now["quota"], made, seen), share=_futures(now["reach_quota_share"])
        )
    if won.empty:
        return ""
    last = won.iloc[-1]
    value = last["amount_won" if made.value == "amount" else "n_won"]
    return _(", against {won} in {quarter}").format(
        won=_worth(value, made, seen), quarter=last["quarter"]
    )


def _period_card(row: pd.Series, made: Any, seen: Any) -> dict[str, str]:
    compared = _("{n} open now").format(n=figures.deals(row["n_open"]))
    if pd.notna(row["quota"]):
        compared = _("quota {quota}, reached in {share} futures").format(
            quota=_worth(row["quota"], made, seen), share=_futures(row["reach_quota_share"])
        )
    elif row["booked"]:
        compared = _("{booked} won already").format(booked=_worth(row["booked"], made, seen))
    return _card(
        _("{period}, estimate").format(period=row["period"]),
        _worth(row["median"], made, seen),
        _("likely {range}").format(range=_worth_range(row, made, seen)),
        compared,
    )


def _coverage_card(need: pd.DataFrame) -> dict[str, str]:
    title = _("Coverage of what is left of the quota")
    if need.empty:
        return _card(title, numbers.missing(), comparison=_("no expected close dates"))
    row = need.iloc[0]
    needed = _("needed so far: n/a")
    if pd.notna(row["required_coverage"]):
        needed = _("needed in past quarters: {required}").format(
            required=_times(row["required_coverage"])
        )
    if pd.isna(row["quota"]):
        needed += _("; no quota is known")
    return _card(title, _times(row["coverage"]), comparison=needed)


def _slip_card(slipped: pd.DataFrame) -> dict[str, str]:
    if slipped.empty:
        return _card(
            _("Slip rate"), numbers.missing(), comparison=_("no finished quarter to look at")
        )
    last = slipped.iloc[-1]
    return _card(
        _("Slip rate, {quarter}").format(quarter=last["quarter"]),
        numbers.percent(last["slipped_rate"]),
        _("likely {range}").format(
            range=numbers.percent_range(last["slipped_rate_low"], last["slipped_rate_high"])
        ),
        _("{k} of {n} due at its start are still open").format(
            k=numbers.count(last["n_slipped"]), n=numbers.count(last["n_deals"])
        ),
    )


def _trust_card(back: Any) -> dict[str, str]:
    title = _("Past 80 % ranges that held")
    if back.why_not:
        return _card(title, numbers.missing(), comparison=_("history too short"))
    row = _score(back, "simulation")
    said = _("as promised") if back.widening == 1 else _("too narrow; widened {factor} times here")
    return _card(
        title,
        _("{k} of {n}").format(
            k=numbers.count(round(row["coverage80"] * row["n"])), n=numbers.count(row["n"])
        ),
        "",
        said.format(factor=numbers.decimal(back.widening, digits=1)),
    )


def _pipeline_card(need: pd.DataFrame, seen: Any) -> dict[str, str]:
    title = _("Open and due this quarter")
    if need.empty:
        return _card(title, numbers.missing(), comparison=_("no expected close dates"))
    row = need.iloc[0]
    return _card(
        title, _pipeline(row, seen), comparison=figures.deals(row["n_open"]) + f", {row['quarter']}"
    )


def _last_card(won: pd.DataFrame, seen: Any) -> dict[str, str]:
    if won.empty:
        return _card(_("Won last quarter"), numbers.missing())
    last = won.iloc[-1]
    title, shown = (
        _("Won in {quarter}").format(quarter=last["quarter"]),
        figures.deals(last["n_won"]),
    )
    if pd.isna(last["amount_won"]):
        return _card(title, shown)
    return _card(title, _money(last["amount_won"], seen), comparison=shown)


def _last_message(won: pd.DataFrame, seen: Any) -> str:
    if won.empty:
        return ""
    last = won.iloc[-1]
    value = figures.deals(last["n_won"])
    if pd.notna(last["amount_won"]):
        value = _money(last["amount_won"], seen)
    return _("; {won} was won in {quarter}").format(won=value, quarter=last["quarter"])


def _card(label: str, value: str, range: str = "", comparison: str = "") -> dict[str, str]:
    return {"label": label, "value": value, "range": range, "comparison": comparison}
