"""
The page of one customer: what was bought, what is open and due, every deal in its lane, every event, the people.

The arguments ``seen`` and ``reason`` are those of `tables`; ``reasons`` holds, by canonical table, why the source
cannot give it, or None.
"""

from collections.abc import Mapping
from typing import Any

import pandas as pd
from matplotlib import dates, rc_context
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import FuncFormatter

from . import answers, html, numbers, words
from .charts import INK, ROLES, STYLE, note_rows, rows_of, shade, short
from .figures import _listing, source
from .figures import deals as n_deals
from .html import Html
from .tables import (
    Column,
    amount_columns,
    count_columns,
    missing,
    place_columns,
    rep_name,
    show,
    span_columns,
    team_column,
)
from .words import _, label

MOST_LANES = 20  # deals that one chart can show
MOST_STEPS = 40  # rows of what is to be done; the rest is counted
MOST_STAGES = 8  # that a legend can name
FEW_DAYS = 150  # spans up to this are marked by days, longer ones by months
NARROW = 0.045  # share of the axis below which a stay has no room for its number
MARKS = {
    "won": {"marker": "*", "markersize": 10, "color": ROLES["won"]},
    "lost": {"marker": "X", "markersize": 7, "color": ROLES["lost"]},
    "removed": {"marker": "s", "color": ROLES["muted"], "markerfacecolor": "none"},
    "reopened": {"marker": "o", "color": ROLES["reference"], "markerfacecolor": "none"},
    "activity_done": {"marker": "|", "markersize": 6, "color": ROLES["reference"]},
    "paid": {"marker": "D", "markersize": 4.5, "color": ROLES["other"]},
    "refunded": {"marker": "v", "color": ROLES["other"], "markerfacecolor": "none"},
}
_OFFSETS = {"activity_done": -0.38, "paid": 0.34, "refunded": 0.34}  # beside the lane, not on it
_STEPS_NEED = ("activities", "payments")  # tables without which some steps are not known
_STATES = ("won", "lost", "open", "removed")


def answer(
    summary: pd.DataFrame,
    *,
    steps: pd.DataFrame,
    ledger: pd.DataFrame,
    seen: Any,
    reasons: Mapping[str, str | None],
) -> Html:
    """
    Answer what this customer has bought, what is open and what is due.

    Parameters
    ----------
    summary, steps : as ``accounts.summary`` and ``accounts.next_steps`` give
    ledger : as ``quality.ledger`` gives
    seen : what ``observe`` gives
    reasons : why the source cannot give ``payments``, ``activities``, ``satisfaction``; None where it can
    """
    truth = answers.truth(ledger, seen=seen)
    if summary.empty:
        cards = [
            {"label": text, "value": numbers.missing()}
            for text in (_("Bought"), _("Open"), _("Due"))
        ]
        message = _("No deal of {source} names a customer: there is no history of one to show")
        return html.answer(
            message=message.format(source=seen.source["name"]), truth=truth, cards=cards
        )
    row = next(summary.itertuples())
    message = "; ".join([_bought(row, seen), *_open(row, seen), *_due(row, seen)])
    cards = [
        _card(_("Bought"), _money(row.won_amount, seen), comparison=_in(row.n_won)),
        _card(_("Open"), _money(row.open_amount, seen), comparison=_in(row.n_open)),
        _due_card(row, seen),
        _contact_card(row),
        _satisfaction_card(row),
        _steps_card(steps, reasons),
    ]
    return html.answer(message=message, truth=truth, cards=cards)


def gaps(summary: pd.DataFrame, *, reasons: Mapping[str, str | None], seen: Any) -> Html:
    """
    Say what the source cannot say of a customer, and why; nothing where it can say all.

    Examples
    --------
    >>> shown = gaps(pd.DataFrame(), reasons={"payments": "no <ledger>", "credits": None}, seen=None)
    >>> "Payments, and so what is due: no &lt;ledger&gt;" in str(shown), "redit" in str(shown)
    (True, False)
    """
    texts = _unknown(reasons)
    if len(summary) and summary["n_unpriced"].iloc[0]:
        texts.append(
            _("{n} won without an amount: not in what was bought or is due.").format(
                n=n_deals(summary["n_unpriced"].iloc[0])
            )
        )
    if len(summary) and summary["n_unnamed"].iloc[0]:
        texts.append(
            _("{n} of the source name no customer; some may be this one's.").format(
                n=n_deals(summary["n_unnamed"].iloc[0])
            )
        )
    return html.notice(title=_("What is not known here"), text=texts) if texts else html.stack()


def what_to_do(steps: pd.DataFrame, *, seen: Any, reasons: Mapping[str, str | None]) -> Html:
    """
    Show what is to be done, overdue things first (``accounts.next_steps``).
    """
    what = _("What to do")
    if steps.empty:
        text = [
            _("Nothing open, overdue or outstanding was found."),
            *_unknown(reasons, *_STEPS_NEED),
        ]
        return html.notice(title=_("{what}: nothing to show").format(what=what), text=text)
    columns = [
        Column(label("step"), "text", lambda row: _step(row.step)),
        Column(label("deal_id"), "text", lambda row: words.value(row.deal_id)),
        Column(label("state"), "text", lambda row: words.stage(row.status)),
        Column(label("activity"), "text", lambda row: _or_dash(row.type)),
        Column(label("step_day"), "text", lambda row: numbers.date(row.due_on)),
        Column(label("step_days"), "number", lambda row: numbers.span(row.days)),
        *amount_columns(seen, "amount"),
        Column(label("step_person"), "text", lambda row: rep_name(row.name, row.person)),
    ]
    note = _(
        "The day meant is the day due, the expected close, the day the owner left, or the day won. The amount is what "
        "is outstanding, else the deal's. Days below 0 are still to come."
    )
    more = len(steps) - MOST_STEPS
    if more > 0:
        note += " " + _("{n} more are not shown.").format(n=numbers.count(more))
    return show(steps.head(MOST_STEPS), columns, what, seen, note)


def swimlanes(
    deals: pd.DataFrame,
    *,
    lanes: pd.DataFrame,
    events: pd.DataFrame,
    seen: Any,
    reasons: Mapping[str, str | None],
    name: str = "swimlanes",
) -> Html:
    """
    Show each deal as a lane in time: its stages, closings, activities and payments.

    Parameters
    ----------
    deals, lanes, events : as ``accounts.deals``, ``lanes`` and ``timeline`` give
        The first `MOST_LANES` deals are drawn, all are in the data.
    seen : what ``observe`` gives
    reasons : why the source cannot give ``stage_events``; None where it can
    name : unique in the page
    """
    if deals.empty:
        return missing(_("Deals in time"), seen=seen, reason=None)
    counts = deals["status"].value_counts()
    states = [
        f"{numbers.count(counts[state])} {label(state).lower()}"
        for state in _STATES
        if state in counts
    ]
    headline = _("{n} since {month}: {states}").format(
        n=n_deals(len(deals)),
        month=numbers.month(deals["created_on"].min()),
        states=", ".join(states),
    )
    subtitle = _(
        "One lane per deal from its creation until {date}, with the amount at the right; a number names the stage"
    )
    if len(lanes) == 0:
        subtitle = _(
            "One lane per deal from its creation to its closing or {date}, with the amount at the right; no stages "
            "({why})"
        )
    subtitle = subtitle.format(
        date=numbers.date(seen.as_of), why=reasons.get("stage_events") or _("none is recorded")
    )
    if len(deals) > MOST_LANES:
        subtitle += _(
            "; {most} of {n} deals, the open and then the latest ones; all in the data"
        ).format(most=numbers.count(MOST_LANES), n=numbers.count(len(deals)))
    drawn = deals.head(MOST_LANES)
    shown = [deals_table(deals, seen=seen)]
    if len(lanes):
        shown.append(_lanes_table(lanes, seen))
    return html.figure(
        lane_chart(drawn, lanes, events, as_of=seen.as_of),
        name=name,
        headline=headline,
        subtitle=subtitle,
        alt=_("Lanes in time: {rows}.").format(rows=_lanes_in_words(drawn, lanes, events, seen)),
        source=source(seen),
        data=html.stack(*shown),
    )


@rc_context(STYLE)
def lane_chart(
    deals: pd.DataFrame,
    lanes: pd.DataFrame,
    events: pd.DataFrame,
    *,
    as_of: Any,
    ax: Axes | None = None,
) -> Axes:
    """
    Draw one lane per deal, the earliest on top: stays as bars, the later the stage the darker, marks for events.

    Parameters
    ----------
    deals, lanes, events : as ``accounts.deals``, ``lanes`` and ``timeline`` give
        A deal without stays is one grey bar from creation to closing or ``as_of``; without a date of creation it has
        none. Events of other deals are not drawn.
    as_of : date
        Right end of the axis, unless something is dated later.
    ax : Axes, optional
        Where to draw; a new figure if None.
    """
    deals = deals.sort_values(["created_on", "deal_id"], ignore_index=True)
    places = {deal: place for place, deal in enumerate(deals["deal_id"])}
    lanes, events = (part[part["deal_id"].isin(places)] for part in (lanes, events))
    stages = lanes.drop_duplicates(["pipeline", "stage"]).sort_values(["pipeline", "stage_order"])
    kinds = [kind for kind in MARKS if (events["kind"] == kind).any()]
    handles = [*_stage_handles(stages), *_mark_handles(kinds)]
    ax = rows_of(
        ax,
        [short(words.value(deal)) for deal in deals["deal_id"]],
        legend_rows=-(-len(handles) // 2),
    )
    today = pd.Timestamp(as_of)
    begin = pd.concat([deals["created_on"], lanes["entered_on"], events["day"]]).min()
    end = max(today, events["day"].max()) if len(events) else today
    begin = end - pd.Timedelta(days=1) if pd.isna(begin) or begin >= end else begin
    span = (end - begin).days
    for deal in deals[~deals["deal_id"].isin(lanes["deal_id"])].itertuples():
        if pd.notna(deal.created_on):
            until = today if pd.isna(deal.closed_on) else deal.closed_on
            _bar(
                ax,
                places[deal.deal_id],
                deal.created_on,
                until,
                color=ROLES["muted"],
                alpha=0.5,
            )
    highest = stages["stage_order"].max()
    for stay in lanes.itertuples():
        until = today if pd.isna(stay.exited_on) else stay.exited_on
        place, colour = places[stay.deal_id], shade(stay.stage_order / highest)
        _bar(ax, place, stay.entered_on, until, color=colour, edgecolor="white", linewidth=0.6)
        if (until - stay.entered_on).days > NARROW * span:
            middle = dates.date2num(stay.entered_on + (until - stay.entered_on) / 2)
            text = numbers.count(stay.stage_order)
            ax.text(middle, place, text, ha="center", va="center", fontsize=7.5, color=INK)
    for kind in kinds:
        marked = events[(events["kind"] == kind) & events["day"].notna()]
        y = marked["deal_id"].map(places).to_numpy(dtype=float) + _OFFSETS.get(kind, 0)
        ax.plot(dates.date2num(marked["day"]), y, linestyle="", clip_on=False, **MARKS[kind])
    ax.set_ylim(len(deals) - 0.4, -0.6)
    _time_axis(ax, begin, end)
    note_rows(ax, [numbers.money(amount, None, compact=True) for amount in deals["amount"]])
    if handles:
        ax.legend(
            handles=handles, loc="lower left", bbox_to_anchor=(0, 1.0), ncols=2, borderaxespad=0.2
        )
    return ax


def _bar(ax: Axes, place: int, begin: pd.Timestamp, until: pd.Timestamp, **look: Any) -> None:
    left, right = dates.date2num(begin), dates.date2num(until)
    ax.barh(place, right - left, left=left, height=0.42, **look)


def _stage_handles(stages: pd.DataFrame) -> list[Patch]:
    """A legend of the stages; where there are too many, of what the shades mean."""
    if len(stages) == 0:
        return []
    highest = stages["stage_order"].max()
    if len(stages) > MOST_STAGES:
        ends = {_("Early stage"): 1 / highest, _("Late stage"): 1.0}
        return [Patch(facecolor=shade(at), label=text) for text, at in ends.items()]
    several = stages["pipeline"].nunique(dropna=False) > 1
    return [
        Patch(
            facecolor=shade(stage.stage_order / highest),
            label=f"{numbers.count(stage.stage_order)} "
            + short(
                (f"{words.value(stage.pipeline)} · " if several else "") + words.stage(stage.stage)
            ),
        )
        for stage in stages.itertuples()
    ]


def _mark_handles(kinds: list[str]) -> list[Line2D]:
    return [Line2D([], [], linestyle="", label=label(kind), **MARKS[kind]) for kind in kinds]


def _time_axis(ax: Axes, begin: pd.Timestamp, end: pd.Timestamp) -> None:
    margin = 0.015 * (end - begin)
    ax.set_xlim(dates.date2num(begin - margin), dates.date2num(end + margin))
    say = numbers.date if (end - begin).days <= FEW_DAYS else numbers.month
    ax.xaxis.set_major_locator(dates.AutoDateLocator(minticks=2, maxticks=5))
    ax.xaxis.set_major_formatter(FuncFormatter(lambda x, _at: say(dates.num2date(x))))


def _lanes_in_words(
    deals: pd.DataFrame, lanes: pd.DataFrame, events: pd.DataFrame, seen: Any
) -> str:
    """The first lanes with their numbers; the rest are in the data."""
    stays = lanes["deal_id"].value_counts()
    paid = events.loc[events["kind"].isin(["paid", "refunded"]), "deal_id"].value_counts()
    done = events.loc[events["kind"] == "activity_done", "deal_id"].value_counts()
    texts = [
        _("{state} ({amount}; stays {stays}, activities {done}, payments {paid})").format(
            state=words.stage(deal.status).lower(),
            amount=_money(deal.amount, seen),
            stays=numbers.count(stays.get(deal.deal_id, 0)),
            done=numbers.count(done.get(deal.deal_id, 0)),
            paid=numbers.count(paid.get(deal.deal_id, 0)),
        )
        for deal in deals.itertuples()
    ]
    return _listing((words.value(deal) for deal in deals["deal_id"]), texts)


def deals_table(table: pd.DataFrame, *, seen: Any, reason: str | None = None) -> Html:
    """
    Show an account's deals as they stand (``accounts.deals``).
    """
    what = _("Deals of the customer")
    if table.empty:
        return missing(what, seen=seen, reason=reason)
    columns = [
        Column(label("deal_id"), "text", lambda row: words.value(row.deal_id)),
        Column(label("state"), "text", _where),
        Column(label("owner"), "text", _owner),
        *amount_columns(seen, "amount"),
        *_known_amounts(table, seen),
        *_days("created_on", "closed_on"),
        *([] if table["expected_close"].isna().all() else _days("expected_close")),
        *([] if not table["n_pushes"].any() else count_columns("n_pushes")),
        *_known_activities(table),
    ]
    if table["loss_reason"].notna().any():
        columns.append(Column(label("loss_reason"), "text", lambda row: _or_dash(row.loss_reason)))
    note = _(
        "Open deals first, then the latest closed. The owner is that of the closing, or of now while the deal is open."
    )
    return show(table, columns, what, seen, note)


def timeline(
    table: pd.DataFrame, *, summary: pd.DataFrame, seen: Any, reason: str | None = None
) -> Html:
    """
    Show events, the latest first, and say how many more there are.

    Parameters
    ----------
    table : as ``accounts.timeline`` gives, all or the latest rows
    summary : as ``accounts.summary`` gives
        Its ``n_events`` are all events there are.
    seen, reason : as everywhere
    """
    what = _("Everything that happened, the latest first")
    if table.empty:
        return missing(what, seen=seen, reason=reason)
    currency = seen.source["currency"]
    columns = [
        Column(label("event_day"), "text", lambda row: numbers.date(row.day)),
        Column(label("deal_id"), "text", lambda row: _or_dash(row.deal_id)),
        Column(label("event"), "text", lambda row: label(row.kind)),
        Column(label("event_what"), "text", lambda row: event(row, currency)),
        Column(label("event_person"), "text", lambda row: _or_dash(row.name)),
    ]
    more = summary["n_events"].iloc[0] - len(table)
    note = _("All events that are recorded.")
    if more > 0:
        note = words.translate_n(
            "{n} earlier event is not shown; the parameter rows says how many are.",
            "{n} earlier events are not shown; the parameter rows says how many are.",
            more,
        ).format(n=numbers.count(more))
    return show(table.iloc[::-1], columns, what, seen, note)


def people(table: pd.DataFrame, *, seen: Any, reason: str | None = None) -> Html:
    """
    Show who worked on an account's deals (``accounts.people``).
    """
    what = _("People who worked with the customer")
    if table.empty:
        return missing(what, seen=seen, reason=reason)
    columns = [
        Column(label("person_name"), "text", _person),
        *team_column(table, "owner"),
        Column(label("person_roles"), "text", _roles),
        *count_columns("n_deals"),
        Column(label("n_open_owned"), "number", lambda row: numbers.count(row.n_open)),
        *([] if table["n_activities"].isna().all() else count_columns("n_activities")),
        *_days("first_on", "last_on"),
    ]
    note = _(
        "Team as of the date of the report. Credited: with a share of a won deal, or its owner where no share is "
        "recorded. Rated: the customer was asked about this person."
    )
    return show(table, columns, what, seen, note)


def measure_cards() -> Html:
    """
    Define the measures of the account notebook.
    """
    measures = (words.measure(name) for name in words.MEASURES["account_history"])
    return html.stack(*(html.measure_card(**measure._asdict()) for measure in measures))


def event(row: Any, currency: str | None) -> str:
    """
    Say what an event changed, in a few words.

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> row = SimpleNamespace(kind="amount_changed", old="1200.5", new="900")
    >>> event(row, "USD").replace(numbers.NO_BREAK, " ")
    'USD 1,200 → USD 900'
    >>> event(SimpleNamespace(kind="close_moved", old="2026-03-31", new=None), "USD")
    '31 Mar 2026 → n/a'
    """
    if row.kind == "stage_entered":
        return _("{stage} ({inflow})").format(
            stage=words.stage(row.stage), inflow=label(row.type).lower()
        )
    if row.kind.startswith("activity"):
        parts = [words.value(row.type), *([] if pd.isna(row.outcome) else [row.outcome])]
        if pd.notna(row.due_on) and row.due_on != row.day:
            parts.append(_("due {date}").format(date=numbers.date(row.due_on)))
        return " · ".join(parts)
    if row.kind == "satisfaction_answered":
        return _score(row)
    if row.kind == "satisfaction_asked":
        return ""
    if row.kind in ("paid", "refunded"):
        return numbers.money(row.amount, currency)
    if row.kind.endswith(("_changed", "_moved")):
        return _("{old} → {new}").format(
            old=_recorded(row.kind, row.old, currency), new=_recorded(row.kind, row.new, currency)
        )
    parts = [numbers.money(row.amount, currency), *([] if pd.isna(row.outcome) else [row.outcome])]
    return " · ".join(parts)


def _recorded(kind: str, text: Any, currency: str | None) -> str:
    """A text of the change history in the reader's notation, or as it is where it is none."""
    if pd.isna(text) or not text.strip():
        return numbers.missing()
    try:
        if kind == "amount_changed":
            return numbers.money(float(text), currency)
        if kind == "close_moved":
            return numbers.date(pd.Timestamp(text))
    except ValueError:
        pass
    return text


def _score(row: Any) -> str:
    if pd.isna(row.score):
        return _("without a score")
    score = numbers.span(row.score)
    if pd.isna(row.scale_max):
        return score
    return _("{score} of {scale}").format(score=score, scale=numbers.span(row.scale_max))


def _unknown(reasons: Mapping[str, str | None], *only: str) -> list[str]:
    """What the source cannot say, and why; of some tables only where they are named."""
    names = {
        "stage_events": _("Stages and how long each took"),
        "owner_history": _("Who owned a deal before"),
        "deal_changes": _("Changes of amount and expected close"),
        "activities": _("Activities, contact and next steps"),
        "satisfaction": _("Satisfaction"),
        "payments": _("Payments, and so what is due"),
        "credits": _("Shared credit"),
        "people": _("Names and teams of people"),
    }
    return [
        _("{what}: {why}").format(what=names[table], why=reasons[table])
        for table in only or names
        if reasons.get(table)
    ]


def _bought(row: Any, seen: Any) -> str:
    if not row.n_won:
        return _("{name} has bought nothing yet, of {n} created").format(
            name=words.value(row.name), n=n_deals(row.n_deals)
        )
    if pd.isna(row.won_amount):
        return _("{name} has bought in {n}, all without an amount").format(
            name=words.value(row.name), n=n_deals(row.n_won)
        )
    text = _("{name} has bought for {amount} in {n}").format(
        name=words.value(row.name), amount=_money(row.won_amount, seen), n=n_deals(row.n_won)
    )
    if pd.notna(row.won_share) and row.n_accounts > 1:
        text += _(", {share} of what all {n} customers bought").format(
            share=numbers.percent(row.won_share, digits=1), n=numbers.count(row.n_accounts)
        )
    if row.n_won > 1 and pd.notna(row.largest_amount):
        text += _(", the largest deal being {deal} with {amount}").format(
            deal=words.value(row.largest_deal_id), amount=_money(row.largest_amount, seen)
        )
    return text


def _open(row: Any, seen: Any) -> list[str]:
    if not row.n_open:
        return [_("nothing is open")]
    if pd.isna(row.open_amount):
        text = words.translate_n(
            "{n} is open, of unknown amount", "{n} are open, of unknown amount", row.n_open
        )
    else:
        text = words.translate_n("{amount} is open in {n}", "{amount} are open in {n}", row.n_open)
    return [text.format(n=n_deals(row.n_open), amount=_money(row.open_amount, seen))]


def _due(row: Any, seen: Any) -> list[str]:
    if pd.isna(row.outstanding_amount) or not row.n_won:
        return []
    if row.outstanding_amount == 0 and row.n_unpriced:
        return [_("as far as amounts are known, everything won is paid")]
    if row.outstanding_amount == 0:
        return [_("everything won is paid")]
    return [_("{amount} is due").format(amount=_money(row.outstanding_amount, seen))]


def _due_card(row: Any, seen: Any) -> dict[str, str]:
    if pd.isna(row.paid_amount):
        return _card(_("Due"), numbers.missing(), comparison=_("payments are not known"))
    comparison = _("{paid} paid").format(paid=_money(row.paid_amount, seen))
    if row.excess_amount > 0:
        comparison += _(", {excess} of it beyond").format(excess=_money(row.excess_amount, seen))
    return _card(_("Due"), _money(row.outstanding_amount, seen), comparison=comparison)


def _contact_card(row: Any) -> dict[str, str]:
    if pd.isna(row.n_activities):
        return _card(_("Last contact"), numbers.missing(), comparison=_("activities are not known"))
    if pd.isna(row.last_contact_on):
        return _card(_("Last contact"), _("none"), comparison=_("no activity done"))
    return _card(
        _("Last contact"),
        numbers.date(row.last_contact_on),
        _("{days} ago").format(days=numbers.days(row.days_since_contact)),
        words.translate_n(
            "{n} activity since {date}", "{n} activities since {date}", row.n_activities
        ).format(n=numbers.count(row.n_activities), date=numbers.date(row.first_contact_on)),
    )


def _satisfaction_card(row: Any) -> dict[str, str]:
    if pd.isna(row.n_asked):
        return _card(_("Satisfaction"), numbers.missing(), comparison=_("not known"))
    if not row.n_asked:
        return _card(_("Satisfaction"), numbers.missing(), comparison=_("never asked"))
    return _card(
        _("Satisfaction"),
        numbers.percent(row.satisfaction_mean),
        words.translate_n("{n} answer", "mean of {n} answers", row.n_scored).format(
            n=numbers.count(row.n_scored)
        ),
        _("{k} of {n} asked answered").format(
            k=numbers.count(row.n_answered), n=numbers.count(row.n_asked)
        ),
    )


def _steps_card(steps: pd.DataFrame, reasons: Mapping[str, str | None]) -> dict[str, str]:
    n_overdue = (steps["step"] == "overdue").sum()
    comparison = _("{n} overdue").format(n=numbers.count(n_overdue))
    if reasons.get("activities"):
        comparison = _("without activities, which are not known")
    return _card(_("To do"), numbers.count(len(steps)), comparison=comparison)


def _card(label: str, value: str, range: str = "", comparison: str = "") -> dict[str, str]:
    return {"label": label, "value": value, "range": range, "comparison": comparison}


def _in(n: float) -> str:
    return _("in {n}").format(n=n_deals(n))


def _money(amount: float, seen: Any) -> str:
    return numbers.money(amount, seen.source["currency"], compact=True)


def _step(step: str) -> str:
    return {
        "overdue": _("Overdue: do it, or set another day"),
        "no_next_step": _("No next step: plan one"),
        "close_passed": _("Expected close is over: set another day, or close the deal"),
        "owner_left": _("The owner has left: hand it over"),
        "outstanding": _("Not paid in full: ask for it"),
        "upcoming": _("Planned"),
        "left_over": _("Left over from a deal that is over: finish or cancel it"),
    }[step]


def _where(row: Any) -> str:
    """State of a deal, with its stage while it is open."""
    if row.status != "open" or pd.isna(row.stage):
        return words.stage(row.status)
    return _("Open in {stage}").format(stage=words.stage(row.stage))


def _owner(row: Any) -> str:
    name = rep_name(row.name, row.owner)
    return name if pd.isna(row.left_on) else _("{name} (has left)").format(name=name)


def _person(row: Any) -> str:
    name = rep_name(row.name, row.person)
    if pd.isna(row.left_on):
        return name
    return _("{name} (left {date})").format(name=name, date=numbers.date(row.left_on))


def _roles(row: Any) -> str:
    names = {
        "is_owner": _("owner"),
        "is_credited": _("credited"),
        "is_active": _("active"),
        "is_rated": _("rated"),
    }
    return ", ".join(name for role, name in names.items() if getattr(row, role))


def _days(*names: str) -> list[Column]:
    return [
        Column(label(name), "text", lambda row, name=name: _or_dash_day(getattr(row, name)))
        for name in names
    ]


def _known_amounts(table: pd.DataFrame, seen: Any) -> list[Column]:
    if table["paid_amount"].isna().all():
        return []
    names = ["paid_amount", "outstanding_amount"]
    names += ["excess_amount"] if table["excess_amount"].any() else []
    return amount_columns(seen, *names)


def _known_activities(table: pd.DataFrame) -> list[Column]:
    if table["n_activities"].isna().all():
        return []
    numbers_of = count_columns("n_activities", "n_planned", "n_overdue")
    return [*numbers_of, *_days("last_contact_on")]


def _lanes_table(lanes: pd.DataFrame, seen: Any) -> Html:
    columns = [
        Column(label("deal_id"), "text", lambda row: words.value(row.deal_id)),
        *place_columns(lanes),
        *_days("entered_on", "exited_on"),
        *span_columns("stay_days"),
        Column(label("stay_outcome"), "text", lambda row: label(row.outcome)),
    ]
    return show(lanes, columns, _("Stays of the deals in their stages"), seen)


def _or_dash(text: Any) -> str:
    return "–" if pd.isna(text) or text == "" else str(text)


def _or_dash_day(day: Any) -> str:
    return "–" if pd.isna(day) else numbers.date(day)
