"""
The page on the process: are its actions done, where do deals leave it, and is following it worth anything.

Formats what ``metrics.conformance`` gives and computes no estimate. The arguments ``seen``, ``process`` and
``period`` are those of the metrics; ``process`` gives the goal, the segments and its name.
"""

from typing import Any

import pandas as pd
from matplotlib import rc_context
from matplotlib.axes import Axes

from . import answers, charts, figures, html, numbers, tables, words
from .charts import (
    legend_above,
    note_rows,
    positions,
    rows_of,
    share_axis,
    short,
    whiskers,
)
from .html import Html
from .tables import (
    Column,
    count_columns,
    estimate_columns,
    p_column,
    place_columns,
    show,
    span_columns,
    team_column,
)
from .words import _, label

SOON = 14  # days after the as-of date by which a step is due
FEW_MOVES = 5  # deals that passed over a stage before it is a step


def answer(
    table: pd.DataFrame,
    *,
    teams: pd.DataFrame,
    trend: pd.DataFrame,
    overall: pd.DataFrame,
    within: pd.DataFrame,
    targets: pd.DataFrame,
    ledger: pd.DataFrame,
    seen: Any,
    process: Any,
    period: Any,
    reason: str | None = None,
) -> Html:
    """
    Answer whether deals follow the process, where most is missed, and what following it goes with.

    Parameters
    ----------
    table, teams, trend, targets : as ``conformance.stages``, ``groups`` by team, ``trend`` and ``targets`` give
    overall, within : as ``conformance.worth_overall`` and ``worth_within`` give
        The second is said where there is one: it compares like with like.
    ledger : as ``quality.ledger`` gives
    seen, process, period : as the metrics took them
    reason : str, optional
        Why the source cannot say it.
    """
    truth = [
        *answers.truth(ledger, seen=seen),
        _("Period: {period}").format(period=months(period)),
        _("Rules: {name}").format(name=words.text(process.name)),
    ]
    target = _target_card(targets, process)
    if table.empty or not table["n_judged"].any():
        message = _("Whether deals follow the process cannot be said for {period}: {why}").format(
            period=months(period), why=_why(table, process, period, reason)
        )
        n_stages = len(process.on(period.first).stages)
        cards = [
            _card(_("Stages with rules"), numbers.count(n_stages)),
            _card(_("Required actions done in time"), numbers.missing()),
            target,
        ]
        return html.answer(message=message, truth=truth, cards=cards)
    now, most = trend.iloc[-1], _most(table, "n_missed")
    message = _("{estimate} of the entries judged in {period} had their required actions in time")
    message = message.format(
        estimate=figures.estimate(now, "done_rate"), period=months(period)
    ) + _before(trend)
    if most["n_missed"]:
        message += _("; most are missed in {stage}, {missed} of {n}").format(
            stage=stage_name(most),
            missed=numbers.count(most["n_missed"]),
            n=numbers.count(most["n_judged"]),
        )
    message += _between_teams(teams)
    cards = [
        _done_card(now),
        _card(
            _("Missed in {stage}").format(stage=stage_name(most)),
            numbers.count(most["n_missed"]),
            comparison=_("of {n} entries judged, the most of {stages} stages").format(
                n=numbers.count(most["n_judged"]), stages=numbers.count(len(table))
            ),
        ),
        _card(
            _("Stayed longer than allowed"),
            numbers.count(table["n_over"].sum()),
            comparison=_("of {n} entries settled").format(
                n=numbers.count(table["n_settled"].sum())
            ),
        ),
        _card(
            _("Skips and moves back"),
            numbers.count(table["n_passed"].sum() + table["n_moved_back"].sum()),
            comparison=_("{over} stages passed over, {back} moves back").format(
                over=numbers.count(table["n_passed"].sum()),
                back=numbers.count(table["n_moved_back"].sum()),
            ),
        ),
    ]
    if len(within) or len(overall):
        message += _worth_message(overall, within)
        cards.append(_worth_card(overall, within))
    cards.append(target)
    return html.answer(message=message, truth=truth, cards=cards[:6])


def to_do(table: pd.DataFrame, *, by_team: pd.DataFrame, seen: Any, period: Any) -> Html:
    """
    Say up to three steps: where most actions are missed, where most stay too long, what the process itself may lack.

    Parameters
    ----------
    table, by_team : as ``conformance.stages`` gives, in all and by team
    seen, period : as the metrics took them
    """
    if table.empty:
        return html.stack()
    steps = [_missed_step(by_team, period), _over_step(table), _process_step(table)]
    due = numbers.date(pd.Timestamp(seen.as_of) + pd.Timedelta(days=SOON))
    rows = [[*step, due] for step in steps if step]
    if not rows:
        return html.paragraphs(
            _("No step follows: no required action is missed, no entry stayed too long.")
        )
    return html.table(
        caption=_("What to do"),
        columns=[(_(name), "text") for name in ("Step", "Why", "Who", "By")],
        rows=rows,
    )


def goal(table: pd.DataFrame, *, seen: Any, process: Any, period: Any, reason: str | None) -> Html:
    """
    Say what the process is for, and how many deals are of its target segments (``conformance.targets``).
    """
    texts = [
        _("What this report measures against: {goal}.").format(
            goal=words.text(process.goal).rstrip(".。")
        )
    ]
    segments = ", ".join(words.value(name) for name in process.segments)
    if table.empty or _is_strange(table, process):
        why = reason or _("no deal has one of these segments; write the CRM's names")
        texts.append(
            _("Target segments: {segments}. Which deals are theirs cannot be said: {why}").format(
                segments=segments, why=why
            )
        )
        return html.paragraphs(*texts)
    said = {
        "created": _("of {n} created in {period}, {k} are in a target segment, {estimate}"),
        "won": _("of {n} won, {k}, {estimate}"),
    }
    parts = [
        said[row["what"]].format(
            n=figures.deals(row["n_deals"]),
            k=numbers.count(row["n_target"]),
            estimate=figures.estimate(row, "target_rate"),
            period=months(period),
        )
        for _index, row in table.iterrows()
        if row["n_deals"]
    ]
    text = _("Target segments: {segments}").format(segments=segments)
    texts.append("; ".join([text, *parts]) + _unknown(table) + ".")
    return html.paragraphs(*texts)


def done_by_stage(
    table: pd.DataFrame,
    *,
    seen: Any,
    period: Any,
    reason: str | None = None,
    name: str = "done-by-stage",
) -> Html:
    """
    Show the share of entries with all required actions in time, per stage (``conformance.stages``).
    """
    shown = table[table["n_judged"] > 0].reset_index(drop=True) if len(table) else table
    if shown.empty:
        return tables.missing(_("Required actions done in time"), seen=seen, reason=reason)
    names = [stage_name(row) for _index, row in shown.iterrows()]
    return _done_figure(
        shown,
        names,
        name=name,
        seen=seen,
        period=period,
        data=done_table(table, seen=seen, period=period),
    )


def done_by_team(
    table: pd.DataFrame,
    *,
    seen: Any,
    period: Any,
    reason: str | None = None,
    name: str = "done-by-team",
) -> Html:
    """
    Show the share of entries with all required actions in time, per team, in order of name (``conformance.groups``).
    """
    shown = table[table["done_rate"].notna()].reset_index(drop=True) if len(table) else table
    if shown.empty:
        return tables.missing(_("Required actions by team"), seen=seen, reason=reason)
    shown = shown.head(figures.MOST_ROWS)
    names = [tables.rep_name(row["name"], row["group"]) for _index, row in shown.iterrows()]
    return _done_figure(
        shown,
        names,
        name=name,
        seen=seen,
        period=period,
        data=groups_table(table, by="team", seen=seen, period=period),
    )


def _done_figure(
    table: pd.DataFrame, names: list[str], *, name: str, seen: Any, period: Any, data: Html
) -> Html:
    shares = ", ".join(
        f"{of} {numbers.percent(row.done_rate)} ({numbers.of(row.n_done, row.n_judged)})"
        for of, row in zip(names, table.itertuples(), strict=True)
    )
    return html.figure(
        _shares(table, names),
        name=name,
        headline=_done_headline(table, names),
        subtitle=_(
            "Share of the entries judged in {period} with all required actions done in the stage and within the days "
            "allowed; 95 % interval; done/judged at the right; as of {date}"
        ).format(period=months(period), date=numbers.date(seen.as_of)),
        alt=_("Points with intervals: {rows}.").format(rows=shares),
        source=figures.source(seen),
        data=data,
    )


def _done_headline(table: pd.DataFrame, names: list[str]) -> str:
    """The lowest and the highest share; where their ranges overlap, that they may be alike."""
    table = table.assign(of=names)
    low, high = (table.loc[getattr(table["done_rate"], pick)()] for pick in ("idxmin", "idxmax"))
    if len(table) == 1:
        return _("{place}: {estimate} of the entries had their actions in time").format(
            place=low["of"], estimate=figures.estimate(low, "done_rate")
        )
    text = _(
        "From {low_rate} ({low}) to {high_rate} ({high}) of the entries had their actions in time"
    )
    if low["done_rate_high"] >= high["done_rate_low"]:
        text += _("; the ranges overlap")
    return text.format(
        low_rate=numbers.percent(low["done_rate"]),
        low=low["of"],
        high_rate=numbers.percent(high["done_rate"]),
        high=high["of"],
    )


@rc_context(charts.STYLE)
def _shares(table: pd.DataFrame, names: list[str], *, ax: Axes | None = None) -> Axes:
    ax = rows_of(ax, [short(name) for name in names])
    whiskers(ax, table, "done_rate", colour=charts.ROLES["measure"])
    ax.plot(table["done_rate"], positions(table), "o", color=charts.ROLES["measure"])
    note_rows(
        ax,
        [
            f"{numbers.percent(row.done_rate)} ({numbers.of(row.n_done, row.n_judged)})"
            for row in table.itertuples()
        ],
    )
    share_axis(ax, _("Share of entries with their actions in time"))
    return ax


def done_table(table: pd.DataFrame, *, seen: Any, period: Any, reason: str | None = None) -> Html:
    """
    Show what became of the entries of each stage, and how many had their actions in time.
    """
    what = _("Required actions by stage, {period}").format(period=months(period))
    if table.empty:
        return tables.missing(what, seen=seen, reason=reason)
    columns = [
        *_stage(),
        Column(label("actions"), "text", lambda row: actions_text(row.actions)),
        *count_columns("n_settled", "n_ended_early", "n_judged", "n_done", "n_missed"),
        *estimate_columns("done_rate"),
        *count_columns("n_pending"),
    ]
    note = _(
        "Settled = judged + ended early, where something is required. An entry is judged on the day it went on, or when "
        "the days allowed were over; one that was lost or removed before that ended too early to be judged. Still to be "
        "judged: in the stage at the end of the period, within the days allowed."
    )
    return show(table, columns, what, seen, note)


def moves_table(table: pd.DataFrame, *, seen: Any, period: Any, reason: str | None = None) -> Html:
    """
    Show where deals left the path of the process: skips, moves back, returns.
    """
    what = _("Off the path, {period}").format(period=months(period))
    if table.empty:
        return tables.missing(what, seen=seen, reason=reason)
    columns = [
        *_stage(),
        *count_columns("n_arrived", "n_passed", "n_entered", "n_repeat", "n_ping_pong"),
        *count_columns("n_moved_back"),
    ]
    note = _(
        "Passed over: deals that came to a later stage, or won, before they were ever in this one. Entered again: into a "
        "stage the deal was in before, reopened deals too; straight back: to another stage and at once back to this one. "
        "Moved back counts where the deal left from. These are faults of the process first, and of a person second."
    )
    return show(table, columns, what, seen, note)


def time_table(table: pd.DataFrame, *, seen: Any, period: Any, reason: str | None = None) -> Html:
    """
    Show how many entries stayed longer than allowed, and how far beyond.
    """
    what = _("Longer than allowed, {period}").format(period=months(period))
    if table.empty:
        return tables.missing(what, seen=seen, reason=reason)
    columns = [
        *_stage(),
        *count_columns("sla_days", "n_settled", "n_over"),
        *estimate_columns("over_rate"),
        *_beyond(),
    ]
    note = _(
        "Over: more days in the stage than allowed. Days beyond: half of the entries that were over had left by then "
        "(Kaplan-Meier median, open ones followed until now)."
    )
    return show(table, columns, what, seen, note)


def conversion_table(
    table: pd.DataFrame, *, seen: Any, period: Any, reason: str | None = None
) -> Html:
    """
    Show who went on within the days allowed, against the target of the process.
    """
    what = _("Gone on within the days allowed, {period}").format(period=months(period))
    if table.empty:
        return tables.missing(what, seen=seen, reason=reason)
    columns = [
        *_stage(),
        *count_columns("sla_days", "n_matured", "n_converted"),
        *estimate_columns("conversion_rate"),
        Column(
            label("target_conversion"), "number", lambda row: numbers.percent(row.target_conversion)
        ),
        Column(label("against_target"), "flag", lambda row: against_target(row.against_target)),
    ]
    note = _(
        "Deals whose days allowed, from their first entry, were over in the period; gone on means to any later stage or "
        "won. Above or below only where the whole interval is."
    )
    return show(table, columns, what, seen, note)


def groups_table(
    table: pd.DataFrame, *, by: str, seen: Any, period: Any, reason: str | None = None
) -> Html:
    """
    Show actions, days and moves by team or rep (``conformance.groups``), in order of name: it is no ranking.
    """
    kind = label("team" if by == "team" else "rep")
    what = _("Actions by {kind}, {period}").format(kind=kind.lower(), period=months(period))
    if table.empty:
        return tables.missing(what, seen=seen, reason=reason)
    who = [
        Column(kind, "text", lambda row: tables.rep_name(row.name, row.group)),
        *team_column(table, by),
    ]
    actions = [
        *count_columns("n_judged", "n_done"),
        Column(
            label("expected_done"), "number", lambda row: numbers.decimal(row.expected, digits=1)
        ),
        *estimate_columns("done_rate"),
        *count_columns("n_missed", "n_ended_early", "n_pending"),
    ]
    others = [
        *count_columns("n_settled", "n_over"),
        *estimate_columns("over_rate"),
        *span_columns("over_median_days"),
        *count_columns("n_passed", "n_repeat", "n_moved_back"),
    ]
    note = _(
        "In order of name: this is no ranking. Expected: entries that would have had their actions at each stage's share "
        "of all. With fewer than five entries there are counts and no share. Owner and team are those at the entry."
    )
    more = _("Days and moves by {kind}, {period}").format(kind=kind.lower(), period=months(period))
    return html.stack(
        show(table, [*who, *actions], what, seen, note),
        show(table, [*who, *others], more, seen),
    )


def trend_table(table: pd.DataFrame, *, seen: Any, reason: str | None = None) -> Html:
    """
    Show the share of entries with their actions in time, period by period (``conformance.trend``).
    """
    what = _("Required actions done in time, by period")
    if table.empty:
        return tables.missing(what, seen=seen, reason=reason)
    columns = [
        Column(label("period_name"), "text", months),
        *count_columns("n_judged", "n_done"),
        *estimate_columns("done_rate"),
        *_difference(label("change_points")),
    ]
    note = _("Each period by the rules in force on its first day.")
    return show(table, columns, what, seen, note)


def worth(
    table: pd.DataFrame, *, seen: Any, reason: str | None = None, name: str = "worth"
) -> Html:
    """
    Show how many deals went on with and without the actions, from an equal age on (``conformance.worth``).
    """
    what = _("What having the actions done goes with")
    known = table[table["difference"].notna()].reset_index(drop=True) if len(table) else table
    if known.empty:
        few = _("In no stage are there deals enough, with and without the actions, to compare.")
        return tables.missing(what, seen=seen, reason=reason or (few if len(table) else None))
    clear = known[known["q_value"] < 0.05]
    headline = _("In none of {n} stages is the difference clear of chance").format(
        n=numbers.count(len(known))
    )
    if len(clear):
        top = clear.loc[clear["q_value"].idxmin()]
        headline = _("In {stage}, deals with the actions done go on {points} more often").format(
            stage=stage_name(top), points=points(top["difference"])
        )
        if top["difference"] < 0:
            headline = _(
                "In {stage}, deals with the actions done go on {points} less often"
            ).format(stage=stage_name(top), points=points(-top["difference"]))
        headline += _(" (likely {range}); that is no proof that they help").format(
            range=numbers.points_range(top["difference_low"], top["difference_high"])
        )
    parts = ", ".join(
        _("{stage} {with_rate} with, {without_rate} without").format(
            stage=stage_name(row),
            with_rate=numbers.percent(row["with_rate"]),
            without_rate=numbers.percent(row["without_rate"]),
        )
        for _index, row in known.iterrows()
    )
    return html.figure(
        _sides(known),
        name=name,
        headline=headline,
        subtitle=_(
            "Share of deals that go on within {within} after day {day} in the stage, by whether the required actions "
            "were done by that day; 95 % interval; difference in points and deals with/without at the right; as of {date}"
        ).format(
            within=numbers.days(known["within_days"].iloc[0]),
            day=numbers.count(known["landmark_days"].max()),
            date=numbers.date(seen.as_of),
        ),
        alt=_("Pairs of points with intervals: {rows}.").format(rows=parts),
        source=figures.source(seen),
        data=worth_table(table, seen=seen),
    )


@rc_context(charts.STYLE)
def _sides(table: pd.DataFrame, *, ax: Axes | None = None) -> Axes:
    names = [short(stage_name(row)) for _index, row in table.iterrows()]
    ax = rows_of(ax, names, row_height=0.44, legend_rows=2)
    looks = {
        "with": (-0.14, "o", charts.ROLES["measure"], _("With the actions done by then")),
        "without": (0.14, "D", charts.ROLES["other"], _("Without")),
    }
    for side, (shift, marker, colour, text) in looks.items():
        y = positions(table) + shift
        bounds = (table[f"{side}_rate_{end}"].to_numpy(dtype=float) for end in ("low", "high"))
        ax.hlines(y, *bounds, color=colour, linewidth=2)
        fill = colour if side == "with" else "white"
        ax.plot(
            table[f"{side}_rate"], y, marker, color=colour, markerfacecolor=fill, label=text,
            linestyle="none",
        )  # fmt: skip
    note_rows(
        ax,
        [
            f"{numbers.points(row.difference)} ({numbers.of(row.n_with, row.n_without)})"
            for row in table.itertuples()
        ],
    )
    share_axis(ax, _("Share of deals that went on"))
    legend_above(ax, columns=1)
    return ax


def worth_table(table: pd.DataFrame, *, seen: Any, reason: str | None = None) -> Html:
    """
    Show the comparison of deals with and without the actions, stage by stage, with its counts.
    """
    what = _("With and without the actions, at equal age")
    if table.empty:
        return tables.missing(what, seen=seen, reason=reason)
    columns = [
        *_stage(),
        Column(label("actions"), "text", lambda row: actions_text(row.actions)),
        *count_columns("landmark_days", "n_visits", "n_gone", "n_with", "advanced_with"),
        *estimate_columns("with_rate"),
        *count_columns("n_without", "advanced_without"),
        *estimate_columns("without_rate"),
        *_difference(label("difference_points")),
        *(p_column(name) for name in ("p_value", "q_value")),
    ]
    note = _(
        "Only deals still in the stage at the end of the day named are compared, by what was done until then: counting "
        "actions over the whole stay would credit the actions with the time that deals had to collect them. Rates are "
        "estimates with lost deals competing and open ones followed until now, so they are not the plain shares."
    )
    return show(table.rename(columns={"n_entered": "n_visits"}), columns, what, seen, note)


def worth_warning(
    overall: pd.DataFrame, within: pd.DataFrame, *, seen: Any, reason: str | None = None
) -> Html:
    """
    Say all stages together, like with like, and why it is an association and no proof.
    """
    texts = []
    if len(overall):
        row = overall.iloc[0]
        texts.append(
            _(
                "All stages together, each compared within itself: {points} ({range}) for deals with the actions done, "
                "{n} with and {m} without."
            ).format(
                points=points(row["difference"], signed=True),
                range=_likely(row),
                n=numbers.count(row["n_with"]),
                m=numbers.count(row["n_without"]),
            )
        )
    if len(within):
        row = within.iloc[0]
        texts.append(
            _(
                "Only deals of the same stage, team and quarter compared: {points} ({range}), in {n} such groups with "
                "deals of both kinds."
            ).format(
                points=points(row["difference"], signed=True),
                range=_likely(row),
                n=numbers.count(row["n_strata"]),
            )
        )
    if not texts:
        return html.stack()
    texts.append(
        _(
            "This is an association, not proof: reps may first work on the deals that look better, and what makes a team "
            "follow the process may also make it win. Proof would take deals chosen by lot, or a team that begins later."
        )
    )
    return html.notice(title=_("Association, not proof"), text=texts)


def rules_table(table: pd.DataFrame, *, seen: Any, period: Any) -> Html:
    """
    Show the process itself (``conformance.rules``): goal, responsible role, actions, days and target of each stage.
    """
    what = _("The process in force on {date}").format(date=numbers.date(period.first))
    if table.empty:
        why = _("The process file has no stage in force on {date}.").format(
            date=numbers.date(period.first)
        )
        return tables.missing(what, seen=seen, reason=why)
    columns = [
        *_stage(),
        Column(label("crm_stage"), "text", lambda row: words.value(row.stage)),
        Column(label("goal"), "text", lambda row: words.text(row.goal)),
        Column(label("role"), "text", lambda row: words.value(row.role)),
        Column(label("actions"), "text", lambda row: actions_text(row.actions)),
        *count_columns("sla_days"),
        Column(
            label("target_conversion"), "number", lambda row: numbers.percent(row.target_conversion)
        ),
    ]
    return show(table, columns, what, seen)


def outside_table(table: pd.DataFrame, *, seen: Any, period: Any) -> Html:
    """
    Show entries into stages that the process says nothing about (``conformance.outside``); nothing if there are none.
    """
    if table.empty:
        return html.stack()
    what = _("Stages of the CRM without a rule, {period}").format(period=months(period))
    note = _("Entries there are judged by nothing and are in no number of this page.")
    columns = [*place_columns(table), *count_columns("n_entered")]
    return show(table, columns, what, seen, note)


def measure_cards() -> Html:
    """
    Define the measures of this page.
    """
    measures = (words.measure(name) for name in words.MEASURES["process_conformance"])
    return html.stack(*(html.measure_card(**measure._asdict()) for measure in measures))


def months(period: Any) -> str:
    """
    Name a period by its months.

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> days = [pd.Timestamp(day) for day in ("2026-04-01", "2026-06-30")]
    >>> months(SimpleNamespace(first=days[0], last=days[1])).replace(numbers.NO_BREAK, " ")
    'Apr–Jun 2026'
    """
    return numbers.month_range(period.first, period.last)


def stage_name(row: Any) -> str:
    """
    Name a stage as the process does, in the language in use.

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> stage_name({"name": SimpleNamespace(en="Discovery", zh="需求确认")})
    'Discovery'
    """
    return words.text(row["name"])


def actions_text(actions: Any) -> str:
    """
    Say what is required: how often, of which kinds.

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> actions_text([SimpleNamespace(activities=("电话", "邮件"), at_least=1),
    ...               SimpleNamespace(activities=("拜访",), at_least=2)])
    '1 × 电话 or 邮件; 2 × 拜访'
    >>> actions_text(())
    'none'
    """
    if not len(actions):
        return _("none")
    return "; ".join(
        _("{n} × {kinds}").format(
            n=numbers.count(action.at_least),
            kinds=_(" or ").join(words.value(kind) for kind in action.activities),
        )
        for action in actions
    )


def against_target(slug: str) -> str:
    """
    Say how a conversion stands to its target.

    Examples
    --------
    >>> against_target("below"), against_target("open")
    ('below', 'cannot be told')
    """
    return {
        "above": _("above"),
        "below": _("below"),
        "open": _("cannot be told"),
        "unknown": _("no deal yet"),
    }[slug]


def points(difference: float, *, signed: bool = False) -> str:
    """
    Say a difference of two shares in percentage points.

    Examples
    --------
    >>> points(0.0311), points(-0.02, signed=True)
    ('3.1 points', '−2.0 points')
    """
    text = numbers.points(difference)
    return _("{n} points").format(n=text if signed else text.lstrip("+"))


def _stage() -> list[Column]:
    return [Column(label("stage"), "text", lambda row: words.text(row.name))]


def _beyond() -> list[Column]:
    return [
        *span_columns("over_median_days"),
        Column(
            label("interval"),
            "number",
            lambda row: numbers.span_range(row.over_median_days_low, row.over_median_days_high),
        ),
    ]


def _difference(name: str) -> list[Column]:
    return [
        Column(name, "number", lambda row: numbers.points(row.difference)),
        Column(
            label("interval"),
            "number",
            lambda row: numbers.points_range(row.difference_low, row.difference_high),
        ),
    ]


def _card(label: str, value: str, range: str = "", comparison: str = "", tone: str = "neutral"):
    return {
        "label": label,
        "value": value,
        "range": range,
        "comparison": comparison,
        "tone": tone,
    }


def _most(table: pd.DataFrame, column: str) -> pd.Series:
    return table.loc[table[column].idxmax()]


def _why(table: pd.DataFrame, process: Any, period: Any, reason: str | None) -> str:
    if not (reason or process.on(period.first).stages):
        return _("the process file has no stage in force on {date}").format(
            date=numbers.date(period.first)
        )
    return reason or _("no entry into a stage with required actions could be judged in it")


def _before(trend: pd.DataFrame) -> str:
    if len(trend) < 2 or pd.isna(trend["done_rate"].iloc[-2]):
        return ""
    row = trend.iloc[-2]
    return _(", against {rate} in {period}").format(
        rate=numbers.percent(row["done_rate"]), period=months(row)
    )


def _between_teams(teams: pd.DataFrame) -> str:
    """How far teams differ, where the lowest and the highest do."""
    known = teams[teams["done_rate"].notna()]
    if len(known) < 2:
        return ""
    low, high = known.loc[known["done_rate"].idxmin()], known.loc[known["done_rate"].idxmax()]
    if low["done_rate_high"] >= high["done_rate_low"]:
        return ""
    return _("; teams lie between {low} and {high}").format(
        low=numbers.percent(low["done_rate"]), high=numbers.percent(high["done_rate"])
    )


def _done_card(now: pd.Series) -> dict[str, str]:
    counts = _("{k} of {n}").format(
        k=numbers.count(now["n_done"]), n=numbers.count(now["n_judged"])
    )
    tone = "neutral"
    if pd.notna(now["difference"]):
        counts += _("; {change} points against the period before").format(
            change=numbers.points(now["difference"])
        )
        tone = (
            "good" if now["difference_low"] > 0 else "bad" if now["difference_high"] < 0 else tone
        )
    return _card(
        _("Required actions done in time"),
        numbers.percent(now["done_rate"], digits=1),
        _("likely {range}").format(
            range=numbers.percent_range(now["done_rate_low"], now["done_rate_high"])
        ),
        counts,
        tone,
    )


def _is_strange(targets: pd.DataFrame, process: Any) -> bool:
    """Whether the CRM knows none of the target segments."""
    return len(targets["strangers"].iloc[0]) == len(process.segments)


def _target_card(targets: pd.DataFrame, process: Any) -> dict[str, str]:
    name = _("Deals in target segments")
    if targets.empty or not targets["n_deals"].iloc[0] or _is_strange(targets, process):
        return _card(name, numbers.missing())
    row = targets.iloc[0]
    return _card(
        name,
        numbers.percent(row["target_rate"]),
        _("likely {range}").format(
            range=numbers.percent_range(row["target_rate_low"], row["target_rate_high"])
        ),
        _("{k} of {n} created").format(
            k=numbers.count(row["n_target"]), n=numbers.count(row["n_deals"])
        ),
    )


def _likely(row: pd.Series) -> str:
    return _("likely {range}").format(
        range=numbers.points_range(row["difference_low"], row["difference_high"])
    )


def _worth_message(overall: pd.DataFrame, within: pd.DataFrame) -> str:
    row = (within if len(within) else overall).iloc[0]
    text = _("; that deals with them done early go on more often is not shown ({points}, {range})")
    if row["difference_low"] > 0:
        text = _(
            "; deals with them done early go on more often ({points}, {range}), an association, not proof"
        )
    elif row["difference_high"] < 0:
        text = _(
            "; deals with them done early go on less often ({points}, {range}), an association, not proof"
        )
    return text.format(points=points(row["difference"], signed=True), range=_likely(row))


def _worth_card(overall: pd.DataFrame, within: pd.DataFrame) -> dict[str, str]:
    row = (within if len(within) else overall).iloc[0]
    among = _("all stages, association, not proof")
    if len(within):
        among = _("within stage, team and quarter; association, not proof")
    return _card(
        _("Go on, with against without"),
        points(row["difference"], signed=True),
        _likely(row),
        among,
    )


def _missed_step(by_team: pd.DataFrame, period: Any) -> list[str] | None:
    if not by_team["n_missed"].any():
        return None
    row = _most(by_team, "n_missed")
    step = _("Go through {team}'s open deals in {stage} every week until each has: {actions}")
    why = _("missing in {missed} of {n} entries judged in {period}, the most of any team and stage")
    return [
        step.format(
            team=words.person_or_team(row["group_name"]),
            stage=stage_name(row),
            actions=actions_text(row["actions"]),
        ),
        why.format(
            missed=numbers.count(row["n_missed"]),
            n=numbers.count(row["n_judged"]),
            period=months(period),
        ),
        _("{role}, {team}").format(
            role=words.value(row["role"]), team=words.person_or_team(row["group_name"])
        ),
    ]


def _over_step(table: pd.DataFrame) -> list[str] | None:
    if not table["n_over"].any():
        return None
    row = _most(table, "n_over")
    why = _("{over} of {n} stayed longer").format(
        over=numbers.count(row["n_over"]), n=numbers.count(row["n_settled"])
    )
    if pd.notna(row["over_median_days"]):
        why += _(", half of them by {days} or more").format(
            days=numbers.days(row["over_median_days"])
        )
    return [
        _(
            "Decide for each deal that is in {stage} for more than {days}: a dated next step, back, or closed"
        ).format(stage=stage_name(row), days=numbers.days(row["sla_days"])),
        why,
        words.value(row["role"]),
    ]


def _process_step(table: pd.DataFrame) -> list[str] | None:
    """What may be wrong with the process itself: a conversion below its target, else a stage often passed over."""
    below = table[table["against_target"] == "below"]
    if len(below):
        gap = below["target_conversion"] - below["conversion_rate_high"]
        row = below.loc[gap.idxmax()]
        return [
            _("Review goal, actions and target of {stage} with those who work in it").format(
                stage=stage_name(row)
            ),
            _("{estimate} go on within {days}; the target is {target}").format(
                estimate=figures.estimate(row, "conversion_rate"),
                days=numbers.days(row["sla_days"]),
                target=numbers.percent(row["target_conversion"]),
            ),
            words.value(row["role"]),
        ]
    row = _most(table, "n_passed")
    if row["n_passed"] < FEW_MOVES:
        return None
    return [
        _("Ask why deals pass over {stage}: is it not needed, or not recorded?").format(
            stage=stage_name(row)
        ),
        _("{k} of {n} deals that came so far").format(
            k=numbers.count(row["n_passed"]), n=numbers.count(row["n_arrived"])
        ),
        words.value(row["role"]),
    ]


def _unknown(table: pd.DataFrame) -> str:
    row, text = table.iloc[0], ""
    if row["n_unknown"]:
        text += _("; {n} of those created have no segment").format(
            n=numbers.count(row["n_unknown"])
        )
    if row["strangers"]:
        text += _("; no deal has {names}").format(
            names=", ".join(words.value(name) for name in row["strangers"])
        )
    return text
