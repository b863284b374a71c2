"""
Which step is worth improving first, which segments deserve more attention, and what sales velocity says.

Formats what ``metrics.bottlenecks`` gives and computes no estimate. No step is called the first without the probability
that it is, and none at all where that is below `CLEAR`.
"""

from typing import Any

import pandas as pd
from matplotlib import rc_context
from matplotlib.axes import Axes

from . import charts, figures, html, numbers, tables, words
from .charts import note_rows, positions, rows_of, short, whiskers
from .html import Html
from .tables import Column, amount_columns, count_columns, estimate_columns, p_column, place_columns
from .words import _, label

CLEAR = 0.5  # probability of gaining most, from which one step is named as the first
NEARLY_SURE = 0.9
LEAST_GAIN = 0.05  # wins a month that are not shown as 0.0
MOST_POINTS = 12  # segments that the table of opportunities shows
PAIR = " × "  # stands between the two parts of a pair of segments


def top(table: pd.DataFrame | None) -> pd.Series | None:
    """
    Give the step that most probably gains most, where that can be told.

    Parameters
    ----------
    table : DataFrame, as ``bottlenecks.levers`` gives
        None and an empty one give None.

    Examples
    --------
    >>> table = pd.DataFrame({"stage": ["Demo", "Quote"], "top_share": [0.3, 0.6]})
    >>> table = table.assign(gain_per_month=1.2, gain_high=3.0)
    >>> str(top(table)["stage"]), top(table.assign(top_share=[0.4, 0.45])) is None
    ('Quote', True)
    """
    some = candidates(table)
    is_clear = (some["top_share"] >= CLEAR) & (some["gain_per_month"] >= LEAST_GAIN)
    return some[is_clear].iloc[0] if is_clear.any() else None


def candidates(table: pd.DataFrame | None) -> pd.DataFrame:
    """
    Give the steps that may gain most, the most probable first; none whose gain would be shown as 0.

    Examples
    --------
    >>> table = pd.DataFrame({"stage": ["Demo", "Quote", "Sign"], "top_share": [0.3, 0.6, 0.0]})
    >>> candidates(table.assign(gain_per_month=1.2, gain_high=3.0))["stage"].tolist()
    ['Quote', 'Demo']
    """
    if table is None or table.empty:
        return pd.DataFrame({"top_share": [], "gain_per_month": []}, dtype=float)
    may_gain = (table["top_share"] > 0) & (table["gain_high"] >= LEAST_GAIN)
    return table[may_gain].sort_values("top_share", ascending=False, kind="stable")


def clause(table: pd.DataFrame | None) -> str:
    """
    Say in one clause which step is worth improving first; nothing where it cannot be told.

    Examples
    --------
    >>> clause(None)
    ''
    """
    step = top(table)
    if step is None:
        return ""
    text = _("; improving {stage} would most likely gain most (P {p}): {gain}")
    if step["top_share"] >= NEARLY_SURE:
        text = _("; improving {stage} would gain most (P {p}): {gain}")
    return text.format(
        stage=_place(step, table), p=numbers.percent(step["top_share"]), gain=gain_text(step)
    )


def gain_text(row: pd.Series) -> str:
    """
    Say the wins gained a month with their range, and where that begins at nothing, that there may be none.

    Examples
    --------
    >>> gain_text(pd.Series({"gain_per_month": 1.63, "gain_low": 0.4, "gain_high": 3.4}))
    'an estimated 1.6 wins a month more (likely 0.4–3.4)'
    >>> gain_text(pd.Series({"gain_per_month": 1.63, "gain_low": 0.0, "gain_high": 3.4}))
    'an estimated 1.6 wins a month more (likely 0.0–3.4, so perhaps none)'
    """
    text = _("an estimated {gain} wins a month more (likely {low}–{high})")
    if row["gain_low"] < LEAST_GAIN:
        text = _("an estimated {gain} wins a month more (likely {low}–{high}, so perhaps none)")
    return text.format(
        gain=_wins(row["gain_per_month"]), low=_wins(row["gain_low"]), high=_wins(row["gain_high"])
    )


def finding(table: pd.DataFrame) -> str:
    """
    Say which step is worth improving first, or that it cannot be told and which two are the candidates.
    """
    some = candidates(table)
    if some.empty:
        return _("No step would gain: each is where the better groups are")
    step = top(table)
    if step is not None:
        text = _("Most likely {stage} is worth improving first (probability {p}): {gain}")
        if step["top_share"] >= NEARLY_SURE:
            text = _("{stage} is worth improving first (probability {p}): {gain}")
        return text.format(
            stage=_place(step, table), p=numbers.percent(step["top_share"]), gain=gain_text(step)
        )
    two = [
        _("{stage} (probability {p}, {gain} wins a month)").format(
            stage=_place(row, table),
            p=numbers.percent(row["top_share"]),
            gain=_wins(row["gain_per_month"]),
        )
        for _index, row in some.head(2).iterrows()
    ]
    if len(two) == 1:
        return _("Which step is worth improving first cannot be told; at best {one}").format(
            one=two[0]
        )
    return _("Which step is worth improving first cannot be told: {one} or {two}").format(
        one=two[0], two=two[1]
    )


def levers(
    table: pd.DataFrame,
    *,
    seen: Any,
    by: str,
    period_months: int,
    reason: str | None = None,
    name: str = "levers",
) -> Html:
    """
    Show what each stage would gain at a rate that others reach, and how far the shares of leads won agree.

    Parameters
    ----------
    table : DataFrame, as ``bottlenecks.levers`` gives
    seen : what ``observe`` gives
    by, period_months : as the metric took them
    reason : str, optional
        Why there is no stage history.
    name : str
        Of the figure.
    """
    what = _("Wins gained at each stage")
    if table.empty or table["gain_per_month"].isna().all():
        return tables.missing(what, seen=seen, reason=reason or _why_no_gain(table, by))
    shown = table.assign(gain=table["gain_per_month"])
    rows = "; ".join(
        _("{stage} {gain}, probability {p}").format(
            stage=_place(row, table),
            gain=_wins(row["gain_per_month"]),
            p=numbers.percent(row["top_share"]),
        )
        for _index, row in table.iterrows()
    )
    drawn = html.figure(
        _gains(shown),
        name=name,
        headline=finding(table),
        subtitle=_(
            "Wins gained a month, if a stage reached its benchmark: the rate that the better quarter of the groups (by "
            "{by}) reaches; 95 % range, and P, the probability that the stage gains most; deals that entered in the last "
            "{months} months before {date}"
        ).format(
            by=label(by).lower(), months=numbers.count(period_months), date=numbers.date(seen.as_of)
        ),
        alt=_("Points with ranges: {rows}.").format(rows=rows),
        source=figures.source(seen),
        data=levers_table(table, seen=seen),
    )
    return html.stack(drawn, html.paragraphs(*_about_first(table, seen), *_agreement(table)))


def levers_table(table: pd.DataFrame, *, seen: Any, reason: str | None = None) -> Html:
    """
    Show rate, benchmark, who reaches it, and the gain of each stage.
    """
    what = _("Wins gained at each stage")
    if table.empty:
        return tables.missing(what, seen=seen, reason=reason)
    columns = [
        *place_columns(table),
        *count_columns("n_deals", "within_days"),
        *estimate_columns("advanced_rate"),
        Column(
            label("benchmark_rate"),
            "number",
            lambda row: numbers.percent(row.benchmark_rate, digits=1),
        ),
        Column(label("benchmark_groups"), "text", lambda row: row.benchmark_groups or "–"),
        *_range_columns("gain_per_month", "gain_low", "gain_high"),
        Column(label("top_share"), "number", lambda row: numbers.percent(row.top_share)),
        *amount_columns(seen, "amount_per_month"),
    ]
    note = _(
        "Only one stage changes at a time: gains of several stages do not add up. The rates of the groups are drawn "
        "towards each other, the more the fewer deals they have, so that a small one does not set the benchmark by luck. "
        "Amount: gain × mean amount of the deals won."
    )
    return tables.show(table, columns, what, seen, note)


def opportunities(
    table: pd.DataFrame,
    *,
    compared: pd.DataFrame,
    seen: Any,
    age_days: int,
    recent_months: int,
    reason: str | None = None,
) -> Html:
    """
    Show the segments that convert well and get little attention, one row each.

    Parameters
    ----------
    table, compared : DataFrame
        As ``bottlenecks.opportunities`` and ``compared`` give.
    seen : what ``observe`` gives
    age_days, recent_months : as the metrics took them
    reason : str, optional
        Why the source cannot say it.
    """
    what = _("Segments that convert well and get little attention")
    if compared.empty:
        why = _("No kind of segment has two groups with enough deals to compare.")
        return tables.missing(what, seen=seen, reason=reason or why)
    n = numbers.count(len(compared))
    if table.empty:
        return html.paragraphs(
            _(
                "None of the {n} segments and pairs of segments compared both converts better than the rest beyond chance "
                "and gets little attention."
            ).format(n=n)
        )
    columns = [
        Column(label("kind"), "text", lambda row: _kind(row.kind)),
        Column(label("group"), "text", lambda row: words.value(row.group)),
        *count_columns("n_deals"),
        *estimate_columns("won_rate"),
        Column(label("rest_rate"), "number", lambda row: numbers.percent(row.rest_rate, digits=1)),
        p_column("q_value"),
        Column(label("little_attention"), "text", _little),
        *_range_columns("extra_wins_per_month", "extra_wins_low", "extra_wins_high"),
        *amount_columns(seen, "extra_amount_per_month"),
    ]
    note = _(
        "Won: cohort win rate at {age}. Wins more: by that age, if the segment had the average share of the new deals of "
        "its kind and the rest so many fewer, all converting as before; n/a where only activities are few, for what more "
        "of them would bring cannot be said from these data. Shares are of the last {months} months, and of as many "
        "before. Segments stand here because they look good: expect somewhat less."
    ).format(age=numbers.days(age_days), months=numbers.count(recent_months))
    shown = tables.show(table.head(MOST_POINTS), columns, what, seen, note, row_header=1)
    return html.stack(html.paragraphs(_points(table, n, age_days)), shown)


def velocity(table: pd.DataFrame, *, seen: Any, period_months: int) -> Html:
    """
    Show sales velocity as four levers, each defined, and say why it cannot find a bottleneck.

    Parameters
    ----------
    table : DataFrame, as ``bottlenecks.velocity`` gives
    seen : what ``observe`` gives
    period_months : as the metric took it
    """
    value, n = (dict(zip(table["lever"], table[name], strict=True)) for name in ("value", "n"))
    currency = seen.source["currency"]
    months = numbers.count(period_months)
    rows = [
        [_("Open deals"), _("deals that are open now"), numbers.count(value["open_deals"])],
        [
            _("Mean won amount"),
            _("mean amount of the deals won in the last {months} months"),
            numbers.money(value["mean_won_amount"], currency),
        ],
        [
            _("Closed win rate"),
            _("won / (won + lost) of the deals closed in the last {months} months"),
            numbers.percent(value["win_rate"], digits=1),
        ],
        [
            _("Cycle"),
            _("median time from creation to won, deals won in the last {months} months"),
            numbers.days(value["cycle_days"]),
        ],
    ]
    behind = [
        numbers.count(n[name])
        for name in ("open_deals", "mean_won_amount", "win_rate", "cycle_days")
    ]
    shown = html.table(
        caption=_("The four levers of sales velocity, as of {date}").format(
            date=numbers.date(seen.as_of)
        ),
        columns=[
            (label("velocity_lever"), "text"),
            (label("velocity_meaning"), "text"),
            (label("velocity_value"), "number"),
            (label("n_deals"), "number"),
        ],
        rows=[
            [lever, meaning.format(months=months), shown, k]
            for (lever, meaning, shown), k in zip(rows, behind, strict=True)
        ],
    )
    return html.stack(shown, html.paragraphs(*_remarks(value, currency)))


@rc_context(charts.STYLE)
def _gains(table: pd.DataFrame, *, ax: Axes | None = None) -> Axes:
    ax = rows_of(ax, [short(_place(row, table)) for _index, row in table.iterrows()])
    whiskers(ax, table, "gain", colour=charts.ROLES["measure"])
    ax.plot(table["gain"], positions(table), "o", color=charts.ROLES["measure"])
    note_rows(
        ax,
        [
            _("{gain} (P {p})").format(gain=_wins(row.gain), p=numbers.percent(row.top_share))
            for row in table.itertuples()
        ],
    )
    ax.set_xlim(left=0)
    ax.set_xlabel(label("gain_per_month"))
    return ax


def _about_first(table: pd.DataFrame, seen: Any) -> list[str]:
    """Rate and benchmark of the first step or of the two candidates, and what the gain compares with."""
    first = top(table)
    rows = [first] if first is not None else [row for _i, row in candidates(table)[:2].iterrows()]
    texts = []
    for row in rows:
        text = _(
            "From {stage} an estimated {rate} of deals go on within {within}; {groups} reach {benchmark} or more."
        ).format(
            stage=_place(row, table),
            rate=figures.estimate(row, "advanced_rate"),
            within=numbers.days(row["within_days"]),
            groups=row["benchmark_groups"],
            benchmark=numbers.percent(row["benchmark_rate"]),
        )
        texts.append(text + _worth(row, seen))
    return texts


def _worth(row: pd.Series, seen: Any) -> str:
    text = _(" The gain compares with about {wins} wins a month now")
    if pd.notna(row["amount_per_month"]):
        text += _(" and is worth about {amount} a month at the mean amount of a won deal")
    return (text + ".").format(
        wins=numbers.count(row["wins_per_month"]),
        amount=numbers.money(row["amount_per_month"], seen.source["currency"], compact=True),
    )


def _agreement(table: pd.DataFrame) -> list[str]:
    """What the product of the steps says of the share won, beside what was observed."""
    texts = []
    for _pipeline, rows in table.groupby("pipeline", sort=False, dropna=False):
        row = rows.iloc[0]
        if pd.isna(row["product_rate"]) or pd.isna(row["won_rate"]):
            continue
        text = _(
            "The steps multiplied say that {product} of the {leads} leads a month{of} are won; as far as they were "
            "followed an estimated {observed} are."
        )
        if not row["won_rate_low"] <= row["product_rate"] <= row["won_rate_high"]:
            text += _(
                " They differ because deals skip stages or move back, or take longer for a step than the days counted; "
                "read the gains as too large or too small in the same proportion."
            )
        several = table["pipeline"].nunique(dropna=False) > 1
        of = _(" of {pipeline}").format(pipeline=words.value(row["pipeline"])) if several else ""
        texts.append(
            text.format(
                product=numbers.percent(row["product_rate"], digits=1),
                leads=numbers.count(row["leads_per_month"]),
                of=of,
                observed=figures.estimate(row, "won_rate"),
            )
        )
    return texts


def _why_no_gain(table: pd.DataFrame, by: str) -> str | None:
    """Why stages have rates and no gain; None where there are no stages."""
    if table.empty:
        return None
    if (table["n_groups"] < 2).all():
        return _(
            "No stage has two groups by {by} with enough deals: there is no benchmark that others reach."
        ).format(by=label(by).lower())
    return _(
        "At some stage no deal has been followed long enough, or no group differs in what it reached."
    )


def _remarks(value: dict[str, float], currency: str | None) -> list[str]:
    if pd.isna(value["velocity"]):
        return [
            _(
                "The formula gives nothing: no deal was won, or all were won on the day they were created."
            )
        ]
    by_day = numbers.money(value["velocity"], currency, compact=True)
    half = numbers.money(value["velocity_half_cycle"], currency, compact=True)
    if pd.isna(value["mean_won_amount"]):
        by_day, half = (
            _("{n} wins").format(n=_wins(value[name]))
            for name in ("velocity", "velocity_half_cycle")
        )
    return [
        _(
            "The formula multiplies the first three and divides by the cycle, which gives {by_day} a day. A tenth more of "
            "any of the first three gives a tenth more of that in any company, a cycle shorter by a tenth a ninth more: "
            "the formula cannot say where deals are lost."
        ).format(by_day=by_day),
        _(
            "It also counts a slow process as good. {open} deals are open because {a_day} are created a day and stay open "
            "for {days} on average. If all of them, won or lost, took half as long, {half_open} would be open, and the "
            "formula would still say {half} a day."
        ).format(
            open=numbers.count(value["open_deals"]),
            a_day=numbers.decimal(value["created_per_day"], digits=1),
            days=numbers.days(round(value["days_open"])),
            half_open=numbers.count(value["open_deals_half_cycle"]),
            half=half,
        ),
    ]


def _points(table: pd.DataFrame, n: str, age_days: int) -> str:
    """How many points there are, and the one that would bring most."""
    text = words.translate_n(
        "{k} of {n} segments and pairs of segments converts better than the rest beyond chance and gets little attention",
        "{k} of {n} segments and pairs of segments convert better than the rest beyond chance and get little attention",
        len(table),
    ).format(k=numbers.count(len(table)), n=n)
    if len(table) > MOST_POINTS:
        text += _("; the {most} clearest are shown").format(most=numbers.count(MOST_POINTS))
    known = table[table["extra_wins_per_month"].notna()]
    if len(known):
        row = known.loc[known["extra_wins_per_month"].idxmax()]
        text += _(
            ". Most would come from {group} ({kind}): {rate} are won by the age of {age} against {rest} of the rest; with "
            "the average share of new deals that is an estimated {wins} wins a month more (likely {low}–{high})"
        ).format(
            group=words.value(row["group"]),
            kind=_kind(row["kind"]).lower(),
            rate=numbers.percent(row["won_rate"]),
            age=numbers.days(age_days),
            rest=numbers.percent(row["rest_rate"]),
            wins=_wins(row["extra_wins_per_month"]),
            low=_wins(row["extra_wins_low"]),
            high=_wins(row["extra_wins_high"]),
        )
    return text + "."


def _little(row: Any) -> str:
    """What a segment gets little of, with the numbers."""
    parts = []
    if row.has_small_share:
        text = _("{now} of new deals, on average {average}; before {before}")
        parts.append(
            text.format(
                now=numbers.percent(row.share_now, digits=1),
                average=numbers.percent(row.average_share, digits=1),
                before=numbers.percent(row.share_before, digits=1),
            )
        )
    if row.has_few_activities:
        text = _(
            "{own} activities per week open, the rest {rest} ({per_deal} against {of_rest} per deal)"
        )
        parts.append(
            text.format(
                own=numbers.decimal(row.n_activities_per_week),
                rest=numbers.decimal(row.rest_activities_per_week),
                per_deal=numbers.decimal(row.n_activities_per_deal, digits=1),
                of_rest=numbers.decimal(row.rest_activities_per_deal, digits=1),
            )
        )
    return "; ".join(parts)


def _kind(kind: str) -> str:
    return PAIR.join(label(part) for part in kind.split(PAIR))


def _range_columns(value: str, low: str, high: str) -> list[Column]:
    """A number of wins and its 95 % range."""
    return [
        Column(label(value), "number", lambda row: _wins(getattr(row, value))),
        Column(label("interval"), "number", lambda row: _wins_range(row, low, high)),
    ]


def _wins_range(row: Any, low: str, high: str) -> str:
    ends = [getattr(row, low), getattr(row, high)]
    if pd.isna(ends).any():
        return numbers.missing()
    return "–".join(_wins(end) for end in ends)


def _wins(n: float) -> str:
    return numbers.decimal(n, digits=1)


def _place(row: Any, table: pd.DataFrame) -> str:
    several = table["pipeline"].nunique(dropna=False) > 1 if "pipeline" in table else False
    return charts.place(row, several_pipelines=several)
