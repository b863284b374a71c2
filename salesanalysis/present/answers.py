"""
The answer that opens each report: a message computed by rules, the line of truth, the cards.

A message holds a number, what it is compared with and what drives it, hedged as the estimate it
is. Where a table is empty it says what can be said from the others, and what is missing.
"""

from typing import Any

import pandas as pd

from . import bottlenecks, charts, html, numbers, words
from .figures import (
    deals,
    estimate,
    latest_finished,
    nameable,
    no_ranking,
    quota_months,
    won_in_time,
)
from .html import Html
from .tables import gate_value, is_ranking, nameable_segments, rep_name
from .words import _

MOST_SEGMENTS = 3  # that a sentence names


def sales_funnel(
    *,
    cumulative: pd.DataFrame,
    steps: pd.DataFrame,
    times: pd.DataFrame,
    status: pd.DataFrame,
    ledger: pd.DataFrame,
    seen: Any,
    within_days: int,
    reason: str | None = None,
    levers: pd.DataFrame | None = None,
) -> Html:
    """
    Answer how deals move: the share won in time, the stage from which the fewest go on, the top lever.

    Parameters
    ----------
    cumulative, steps, times, status : DataFrame
        As ``funnel.cumulative``, ``step_conversion``, ``time_in_stage`` and ``status_now`` give.
        Without stage history the first three are empty and the answer is where deals stand.
    ledger : DataFrame, as ``quality.ledger`` gives
    seen : what ``observe`` gives
    within_days : int
        Days within which ``cumulative`` counts.
    reason : str, optional
        Why there is no stage history.
    levers : DataFrame, optional
        As ``bottlenecks.levers`` gives. The step worth improving first is named where it can be told.
    """
    states = _state_cards(status, seen)
    won = pd.DataFrame()
    if len(cumulative):
        is_last = ~cumulative["pipeline"].duplicated(keep="last")
        won = cumulative[is_last & cumulative["reached_rate"].notna()]
    if won.empty:
        return html.answer(
            message=_message_of_states(status, reason),
            truth=truth(ledger, seen=seen),
            cards=list(states.values()),
        )
    won = won.nlargest(1, "n_cohort").iloc[0]
    steps = nameable(_of_pipeline(steps, won["pipeline"]), "advanced_rate", "n_deals")
    times = nameable(_of_pipeline(times, won["pipeline"]), "median_days", "n_entries")
    message = won_in_time(won, cumulative, numbers.days(within_days))
    cards = [
        _card(
            _("Won within {within}").format(within=numbers.days(within_days)),
            numbers.percent(won["reached_rate"]),
            _likely(won, "reached_rate"),
            _("{k} of {n} old enough").format(
                k=numbers.count(won["n_reached"]), n=deals(won["n_cohort"])
            ),
        )
    ]
    if len(steps):
        message += _step_message(steps)
        cards.append(_step_card(steps))
    message += bottlenecks.clause(levers)
    if len(times):
        cards.append(_time_card(times))
    cards += [states["won"], states["open"]]
    return html.answer(message=message, truth=truth(ledger, seen=seen), cards=cards)


def cohort_conversion(
    *,
    conversion: pd.DataFrame,
    win_rates: pd.DataFrame,
    cycle: pd.DataFrame,
    ledger: pd.DataFrame,
    seen: Any,
    age_days: int,
    reason: str | None = None,
) -> Html:
    """
    Answer how many deals are won at equal age, against what the closed win rate says.

    Parameters
    ----------
    conversion, win_rates, cycle : DataFrame
        As ``cohorts.conversion``, ``win_rates`` (at ``age_days``) and ``sales_cycle`` give.
    ledger : DataFrame, as ``quality.ledger`` gives
    seen : what ``observe`` gives
    age_days : int
        The age at which deals are compared.
    reason : str, optional
        Why there is nothing to show.
    """
    age = numbers.days(age_days)
    rates = {row["label"]: row for _index, row in win_rates.iterrows()}
    at_age = _row_where(conversion, "age_days", age_days)
    cohort = rates.get("cohort")
    if cohort is None or pd.isna(cohort["rate"]):
        message = _("No deal has been followed for {age} yet: the cohort win rate is n/a").format(
            age=age
        )
        message += _why(reason)
    else:
        message = _("An estimated {estimate} of deals are won by the age of {age}").format(
            estimate=estimate(cohort, "rate"), age=age
        )
    message += _closed_message(cohort, rates.get("closed"), at_age)
    cards = [_rate_card(rates.get(name), name, age) for name in ("cohort", "closed")]
    cards += _fate_cards(at_age, age)
    overall = cycle[cycle["month"].isna()] if len(cycle) else cycle
    if len(overall):
        cards.append(_cycle_card(overall.iloc[0]))
    return html.answer(message=message, truth=truth(ledger, seen=seen), cards=cards)


def rep_ranking(
    table: pd.DataFrame,
    *,
    gate: Any,
    totals: pd.DataFrame,
    attainment: pd.DataFrame,
    ledger: pd.DataFrame,
    seen: Any,
    age_days: int,
    reason: str | None = None,
) -> Html:
    """
    Answer whether the reps can be told apart, and who leads only where the list is a ranking.

    Parameters
    ----------
    table, gate : as ``reps.ranking`` gives
    totals, attainment : DataFrame
        As ``reps.totals`` and ``reps.attainment`` give.
    ledger : DataFrame, as ``quality.ledger`` gives
    seen : what ``observe`` gives
    age_days : int
        The age by which a deal counts as won.
    reason : str, optional
        Why no rep can be compared.
    """
    age = numbers.days(age_days)
    won = _("Won by {age}, of deals that old").format(age=age)
    if table.empty:
        message = _no_rep_message(reason, age)
        n_reps = totals["group"].notna().sum() if len(totals) else 0
        cards = [
            _card(_("Reps with deals"), numbers.count(n_reps)),
            _card(won, numbers.missing()),
        ]
    else:
        message = _ranking_message(table, gate, age)
        cards = [
            _card(
                _("Reps compared"),
                numbers.count(gate_value(gate, "n_reps")),
                comparison=_("on {n} old enough").format(n=deals(gate_value(gate, "n_deals"))),
            ),
            _card(
                won,
                numbers.percent(gate_value(gate, "overall_rate"), digits=1),
                comparison=_("all reps together"),
            ),
            _card(
                _("Do reps differ?"),
                _("yes") if gate_value(gate, "is_open") else _("cannot be told"),
                _("p {p}").format(p=numbers.p_value(gate_value(gate, "p_value"))),
            ),
        ]
    cards.append(_top_amount_card(totals, seen))
    if len(attainment):
        cards.append(_attainment_card(attainment))
    return html.answer(message=message, truth=truth(ledger, seen=seen), cards=cards)


def segments(table: pd.DataFrame, *, seen: Any) -> Html:
    """
    Say how many segments differ from the rest by more than chance, and name the clearest.

    Reps and groups with few deals are left out, as in ``tables.segments``.

    Parameters
    ----------
    table : DataFrame, as ``funnel.segments`` gives
        Without rows nothing is shown.
    seen : what ``observe`` gives

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> seen = SimpleNamespace(as_of=pd.Timestamp("2026-06-30"))
    >>> table = pd.DataFrame({"kind": "region", "n_deals": 50, "q_value": [0.31, 0.08, None]})
    >>> str(segments(table, seen=seen)).replace(numbers.NO_BREAK, " ")
    '<p>As of 30 Jun 2026, none of the 2 comparisons stands out (smallest q 0.080).</p>\\n'
    """
    table = nameable_segments(table)
    if table.empty:
        return html.stack()
    date = numbers.date(seen.as_of)
    compared = table.dropna(subset="q_value")
    clear = compared[compared["q_value"] < 0.05]
    if compared.empty:
        text = _("As of {date}, no segment can be compared with the rest.")
        return html.paragraphs(text.format(date=date))
    if clear.empty:
        text = _("As of {date}, none of the {n} comparisons stands out (smallest q {q}).")
        q = numbers.p_value(compared["q_value"].min()).removeprefix("= ")
        return html.paragraphs(text.format(date=date, n=numbers.count(len(compared)), q=q))
    text = words.translate_n(
        "As of {date}, {k} of {n} comparisons stands out (q < 0.05): {named}.",
        "As of {date}, {k} of {n} comparisons stand out (q < 0.05): {named}.",
        len(clear),
    )
    if len(clear) > MOST_SEGMENTS:
        text = _(
            "As of {date}, {k} of {n} comparisons stand out (q < 0.05); the clearest: {named}."
        )
    named = _differences(clear.nsmallest(MOST_SEGMENTS, "q_value"))
    k, n = numbers.count(len(clear)), numbers.count(len(compared))
    return html.paragraphs(text.format(date=date, k=k, n=n, named=named))


def cautions(findings: pd.DataFrame, *, seen: Any) -> Html:
    """
    Warn of the findings that bend the figures, each with its numbers and what it does to them.

    Parameters
    ----------
    findings : DataFrame, as ``quality.findings`` gives
        Without a serious one nothing is shown.
    seen : what ``observe`` gives

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> seen = SimpleNamespace(source={"name": "CRM"})
    >>> str(cautions(pd.DataFrame({"kind": ["zero_span"]}), seen=seen))
    ''
    """
    rows = [] if findings.empty else list(findings.itertuples())
    texts = [say(row, seen) for kind, say in _CAUTIONS.items() for row in rows if row.kind == kind]
    return html.notice(title=_("Read with care"), text=texts) if texts else html.stack()


def measure_cards_sales_funnel() -> Html:
    """
    Define the measures of the funnel notebook.
    """
    return measure_cards("sales_funnel")


def measure_cards_cohort_conversion() -> Html:
    """
    Define the measures of the cohort notebook.
    """
    return measure_cards("cohort_conversion")


def measure_cards_rep_ranking() -> Html:
    """
    Define the measures of the rep notebook.
    """
    return measure_cards("rep_ranking")


def truth(ledger: pd.DataFrame, *, seen: Any) -> list[str]:
    """
    Say what the numbers stand on: the date, the rows read, the share accepted, the source.

    The share is rounded down, so that "100.0 %" means every row.

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> ledger = pd.DataFrame({"n_in": [2000, 1000], "n_accepted": [2000, 999]})
    >>> seen = SimpleNamespace(as_of=pd.Timestamp("2026-03-31"), source={"name": "CRM"})
    >>> [text.replace(numbers.NO_BREAK, " ") for text in truth(ledger, seen=seen)]
    ['Data as of 31 Mar 2026', '3,000 rows read, 99.9 % accepted', 'Source: CRM']
    """
    n_in = int(ledger["n_in"].sum()) if len(ledger) else 0
    n_accepted = int(ledger["n_accepted"].sum()) if len(ledger) else 0
    share = n_accepted * 1000 // n_in / 1000 if n_in else float("nan")
    return [
        _("Data as of {date}").format(date=numbers.date(seen.as_of)),
        _("{n} rows read, {share} accepted").format(
            n=numbers.count(n_in), share=numbers.percent(share, digits=1)
        ),
        _("Source: {name}").format(name=seen.source["name"]),
    ]


def measure_cards(notebook: str) -> Html:
    """
    Define the measures of a notebook, as ``words.MEASURES`` lists them.
    """
    measures = (words.measure(name) for name in words.MEASURES[notebook])
    return html.stack(*(html.measure_card(**measure._asdict()) for measure in measures))


def _card(label: str, value: str, range: str = "", comparison: str = "") -> dict[str, str]:
    return {"label": label, "value": value, "range": range, "comparison": comparison}


def _likely(row: pd.Series, rate: str) -> str:
    interval = numbers.percent_range(row[f"{rate}_low"], row[f"{rate}_high"])
    return "" if interval == numbers.missing() else _("likely {range}").format(range=interval)


def _why(reason: str | None) -> str:
    return _(" ({reason})").format(reason=reason) if reason else ""


def _closed_message(
    cohort: pd.Series | None, closed: pd.Series | None, at_age: pd.Series | None
) -> str:
    """The closed win rate beside the cohort one; why it is higher, where it is."""
    if closed is None or pd.isna(closed["rate"]):
        return ""
    rate = numbers.percent(closed["rate"])
    is_higher = (
        cohort is not None
        and closed["rate"] > cohort["rate"]
        and rate != numbers.percent(cohort["rate"])
    )
    if not is_higher or at_age is None or pd.isna(at_age["open_rate"]):
        return _("; the closed win rate says {rate}").format(rate=rate)
    return _(
        "; the closed win rate says {rate} because it leaves out the deals still open, {open} at "
        "that age"
    ).format(rate=rate, open=numbers.percent(at_age["open_rate"]))


def _differences(segments: pd.DataFrame) -> str:
    several = segments["pipeline"].nunique(dropna=False) > 1
    return "; ".join(
        _("{place}, {difference} points against the rest ({low} to {high})").format(
            place=charts.place(row, several_pipelines=several),
            difference=numbers.points(row.difference),
            low=numbers.points(row.difference_low),
            high=numbers.points(row.difference_high),
        )
        for row in segments.itertuples()
    )


def _left_truncated(row: Any, seen: Any) -> str:
    return _(
        "{source} records no closing before {date}, although of the {n} created earlier about "
        "{expected} should have closed by then: the deals that closed early are missing. Shares "
        "won at early ages read too low, times to close too long; months that began before that "
        "day are marked {mark} and give no rate by age."
    ).format(
        source=seen.source["name"],
        date=numbers.date(pd.Timestamp(row.subject)),
        n=deals(row.n_rows),
        expected=row.detail,
        mark=words.incomplete(),
    )


def _older_than_any_closed(row: Any, _seen: Any) -> str:
    text = words.translate_n(
        "{n} open deal is older than any deal was when it closed ({days}). If it was "
        "lost without a record, the open deals look too many and the closed win rate too high.",
        "{n} open deals are older than any deal was when it closed ({days}). As far as "
        "they were lost without a record, the open deals look too many and the closed win rate too "
        "high.",
        row.n_rows,
    )
    days = numbers.days(float(row.detail))
    return text.format(n=numbers.count(row.n_rows), days=days)


def _no_open_deals(row: Any, _seen: Any) -> str:
    return _(
        "None of the {n} of {name} is open, although {share} of the other reps' deals are: "
        "open deals may be missing from the export, which makes this rep's rate look too high."
    ).format(
        n=deals(row.n_rows),
        name=words.person_or_team(row.subject),
        share=row.detail,
    )


def _after_extraction(row: Any, _seen: Any) -> str:
    text = words.translate_n(
        "{n} record is dated after the declared day of the export ({subject}). It "
        "counts as not yet happened; if the declared day is too early, closings are missing and "
        "deals look open that are not.",
        "{n} records are dated after the declared day of the export ({subject}). They "
        "count as not yet happened; if the declared day is too early, closings are missing and "
        "deals look open that are not.",
        row.n_rows,
    )
    return text.format(n=numbers.count(row.n_rows), subject=words.value(row.subject))


_CAUTIONS = {
    "left_truncation": _left_truncated,
    "older_than_any_closed": _older_than_any_closed,
    "no_open_deals": _no_open_deals,
    "after_extraction": _after_extraction,
}


def _of_pipeline(table: pd.DataFrame, pipeline: object) -> pd.DataFrame:
    if table.empty or pd.isna(pipeline):
        return table
    return table[table["pipeline"] == pipeline]


def _row_where(table: pd.DataFrame, column: str, value: object) -> pd.Series | None:
    rows = table[table[column] == value] if len(table) else table
    return rows.iloc[0] if len(rows) else None


def _states(status: pd.DataFrame) -> pd.DataFrame:
    """Deals and their amount that are won, lost and open, all pipelines together."""
    names = ["won", "lost", "open"]
    if status.empty:
        return pd.DataFrame({"n_deals": 0, "amount": float("nan")}, index=names)
    state = status["stage"].where(status["stage"].isin(["won", "lost", "removed"]), "open")
    counts = status.groupby(state)[["n_deals", "amount"]].sum(min_count=1).reindex(names)
    return counts.assign(n_deals=counts["n_deals"].fillna(0))


def _fullest_stage(status: pd.DataFrame) -> pd.Series | None:
    """The stage in which most open deals stand."""
    if status.empty:
        return None
    is_end = status["stage"].isin(["won", "lost", "removed"]) | status["stage"].isna()
    return None if is_end.all() else status[~is_end].nlargest(1, "n_deals").iloc[0]


def _message_of_states(status: pd.DataFrame, reason: str | None) -> str:
    n = _states(status)["n_deals"].map(numbers.count)
    message = _("{won} deals are won against {lost} lost; {open} are open").format(**n)
    stage = _fullest_stage(status)
    if stage is not None:
        message += _(", {n} of them in {stage}").format(
            n=numbers.count(stage["n_deals"]), stage=words.stage(stage["stage"])
        )
    return message + _(". From which stage they go on cannot be said{why}").format(why=_why(reason))


def _state_cards(status: pd.DataFrame, seen: Any) -> dict[str, dict[str, str]]:
    states, stage = _states(status), _fullest_stage(status)
    n = states["n_deals"].map(numbers.count)
    amount = states.loc["won", "amount"]
    money = numbers.money(amount, seen.source["currency"], compact=True)
    place = ""
    if stage is not None:
        place = _("{n} of them in {stage}").format(
            stage=words.stage(stage["stage"]), n=numbers.count(stage["n_deals"])
        )
    return {
        "won": _card(_("Deals won so far"), n["won"], "", "" if pd.isna(amount) else money),
        "lost": _card(_("Deals lost so far"), n["lost"]),
        "open": _card(_("Deals still open"), n["open"], "", place),
    }


def _step_message(steps: pd.DataFrame) -> str:
    low = steps.loc[steps["advanced_rate"].idxmin()]
    message = _("; the fewest go on from {stage}: {rate}").format(
        stage=words.stage(low["stage"]), rate=numbers.percent(low["advanced_rate"])
    )
    if len(steps) > 1:
        high = steps.loc[steps["advanced_rate"].idxmax()]
        message += _(", against {rate} from {stage}").format(
            stage=words.stage(high["stage"]), rate=numbers.percent(high["advanced_rate"])
        )
    return message


def _step_card(steps: pd.DataFrame) -> dict[str, str]:
    low = steps.loc[steps["advanced_rate"].idxmin()]
    return _card(
        _("Go on from {stage}").format(stage=words.stage(low["stage"])),
        numbers.percent(low["advanced_rate"]),
        _likely(low, "advanced_rate"),
        _("lowest of {n} stages, within {within}").format(
            n=numbers.count(len(steps)), within=numbers.days(low["within_days"])
        ),
    )


def _time_card(times: pd.DataFrame) -> dict[str, str]:
    longest = times.loc[times["median_days"].idxmax()]
    n_equal = (times["median_days"] == longest["median_days"]).sum() - 1
    comparison = _("longest of {n} stages").format(n=numbers.count(len(times)))
    if n_equal:
        comparison = words.translate_n(
            "longest, with {n} other", "longest, with {n} others", n_equal
        ).format(n=numbers.count(n_equal))
    return _card(
        _("Median time in {stage}").format(stage=words.stage(longest["stage"])),
        numbers.days(longest["median_days"]),
        comparison=comparison,
    )


def _rate_card(row: pd.Series | None, name: str, age: str) -> dict[str, str]:
    label = words.win_rate(name)
    if name == "cohort":
        label = _("{label} at {age}").format(label=label, age=age)
    if row is None:
        return _card(label, numbers.missing())
    counts = numbers.of(row["n_won"], row["n_deals"])
    if name == "cohort":
        # The rate is no quotient of these two: an open deal is followed for a part of the time.
        counts = _("{k} won by then, of {n} followed; open ones until now").format(
            k=numbers.count(row["n_won"]), n=numbers.count(row["n_deals"])
        )
    return _card(label, numbers.percent(row["rate"], digits=1), _likely(row, "rate"), counts)


def _fate_cards(at_age: pd.Series | None, age: str) -> list[dict[str, str]]:
    """What became of the deals that are not won by that age."""
    lost, still_open = _("Lost by {age}").format(age=age), _("Still open at {age}").format(age=age)
    if at_age is None:
        return [_card(lost, numbers.missing()), _card(still_open, numbers.missing())]
    return [
        _card(lost, numbers.percent(at_age["lost_rate"]), _likely(at_age, "lost_rate")),
        _card(still_open, numbers.percent(at_age["open_rate"])),
    ]


def _cycle_card(row: pd.Series) -> dict[str, str]:
    return _card(
        _("Sales cycle, median"),
        numbers.days(row["p50_days"]),
        comparison=_("won deals only, {n}").format(n=numbers.count(row["n_won"])),
    )


def _ranking_message(table: pd.DataFrame, gate: Any, age: str) -> str:
    n = numbers.count(gate_value(gate, "n_reps"))
    p = numbers.p_value(gate_value(gate, "p_value"))
    overall = numbers.percent(gate_value(gate, "overall_rate"))
    if not gate_value(gate, "is_open"):
        return _(
            "The data cannot tell these {n} reps apart (p {p}), so no ranks are shown; together "
            "they win {overall} of deals by the age of {age}"
        ).format(n=n, p=p, overall=overall, age=age)
    leader = table.nlargest(1, "shrunk_rate").iloc[0]
    if not is_ranking(gate):
        return _(
            "The {n} reps differ in how often they win by the age of {age} (p {p}){no_ranking}; "
            "the highest estimate is {name}'s, {estimate}, against {overall} for all"
        ).format(
            n=n,
            age=age,
            p=p,
            no_ranking=no_ranking(gate),
            name=rep_name(leader["name"], leader["group"]),
            estimate=estimate(leader, "shrunk_rate"),
            overall=overall,
        )
    return _(
        "{name} wins an estimated {estimate} of deals by the age of {age}, against {overall} for "
        "all {n} reps, and could hold any rank from {low} to {high} (90 % interval); the reps "
        "differ by more than chance (p {p})"
    ).format(
        name=rep_name(leader["name"], leader["group"]),
        estimate=estimate(leader, "shrunk_rate"),
        age=age,
        overall=overall,
        n=n,
        low=numbers.count(leader["rank_low"]),
        high=numbers.count(leader["rank_high"]),
        p=p,
    )


def _no_rep_message(reason: str | None, age: str) -> str:
    if reason:
        return _("No rep can be compared: {reason}").format(reason=reason)
    return _(
        "No rep can be compared: that takes two or more reps with deals that are {age} old, some "
        "of them won and some not"
    ).format(age=age)


def _top_amount_card(totals: pd.DataFrame, seen: Any) -> dict[str, str]:
    label = _("Largest won amount")
    totals = totals[totals["group"].notna()] if len(totals) else totals
    amounts = totals["won_amount"] if len(totals) else pd.Series(dtype=float)
    if amounts.isna().all():
        return _card(label, numbers.missing())
    top = next(totals.nlargest(1, "won_amount").itertuples())
    return _card(
        label,
        numbers.money(top.won_amount, seen.source["currency"], compact=True),
        comparison=rep_name(top.name, top.group),
    )


def _attainment_card(attainment: pd.DataFrame) -> dict[str, str]:
    label, shown = _("Quotas reached"), latest_finished(attainment)
    if shown.empty:
        return _card(label, numbers.missing(), comparison=_("no quota period is over yet"))
    judged = shown["attainment"].dropna()
    return _card(
        label,
        _("{k} of {n}").format(k=numbers.count((judged >= 1).sum()), n=numbers.count(len(judged))),
        comparison=_("persons and teams, {months}").format(months=quota_months(shown)),
    )
