"""
Metric tables as pages show them: one function per table, which formats and computes no estimate.

Each takes the metric table, ``seen`` (its ``as_of`` and ``source`` stand in the caption) and
``reason``, the words that explain an empty table. Amounts carry the currency, rates their counts
and their interval; what cannot be said is "n/a".
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from . import html, numbers, words
from .charts import OUTCOMES, truncated, with_currency
from .html import Html
from .words import _, label

MOST_SEGMENT_ROWS = 40  # comparisons that a table shows, the clearest
FEWEST_OF_SEGMENT = 30  # deals of a group that is compared with the rest by name
INFLOWS = ("starts", "advanced_in", "skipped_in", "moved_back_in", "handed_in", "reopened")


class Column(NamedTuple):
    """A column to show: its label, "text", "number" or "flag", and the text of a row's cell."""

    label: str
    kind: str
    cell: Callable[[Any], str]


def stage_accounting(table: pd.DataFrame, *, seen: Any, reason: str | None = None) -> Html:
    """
    Show how the entries of each stage ended and began, with the sums that must equal them.

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> seen = SimpleNamespace(as_of=pd.Timestamp("2026-03-31"), source={"currency": "CNY"})
    >>> "no history" in str(stage_accounting(pd.DataFrame(), seen=seen, reason="no history"))
    True
    """
    what = _("How the entries of each stage ended")
    if table.empty:
        return missing(what, seen=seen, reason=reason)
    note = _(
        "An entry is one unbroken stay of a deal in a stage; it ends in exactly one way, "
        "so the outcomes add up to the entries. A deal that returns enters again."
    )
    ended = show(
        table, [*place_columns(table), *_sides(table, tuple(OUTCOMES), "out")], what, seen, note
    )
    began = show(
        table, [*place_columns(table), *_sides(table, INFLOWS, "in")], _("How they began"), seen
    )
    return html.stack(ended, began)


def step_conversion(table: pd.DataFrame, *, seen: Any, reason: str | None = None) -> Html:
    """
    Show next-step conversion per stage, by count and by amount.
    """
    what = _("Next-step conversion")
    if table.empty:
        return missing(what, seen=seen, reason=reason)
    columns = [
        *place_columns(table),
        Column(label("within_days"), "number", lambda row: numbers.count(row.within_days)),
        *count_columns("n_deals", "n_advanced", "n_lost"),
        Column(
            label("n_neither"),
            "number",
            lambda row: numbers.count(row.n_deals - row.n_advanced - row.n_lost - row.n_open),
        ),
        Column(label("n_followed_less"), "number", lambda row: numbers.count(row.n_open)),
        *estimate_columns("advanced_rate"),
        Column(label("n_eff"), "number", lambda row: numbers.count(row.n_eff)),
        *amount_columns(seen, "amount_entered", "amount_advanced"),
        Column(label("amount_rate"), "number", lambda row: numbers.percent(row.amount_rate)),
    ]
    note = _(
        "Deals = went on + lost + neither by then (still there, or moved back) + followed for less "
        "than the days named. "
        "Estimate with lost deals competing and open ones followed until now, so it is not the "
        "plain share. One count per deal, at its first visit. The amounts are of deals that "
        "entered long enough ago."
    )
    return show(table, columns, what, seen, note)


def cumulative(table: pd.DataFrame, *, seen: Any, reason: str | None = None) -> Html:
    """
    Show the three funnels side by side, with their differences to the any-stage one.
    """
    what = _("Cumulative conversion, three ways of counting")
    if table.empty:
        return missing(what, seen=seen, reason=reason)
    columns = [
        *place_columns(table),
        *count_columns("n_cohort", "n_reached"),
        *estimate_columns("reached_rate"),
        *count_columns("n_reached_all"),
        Column(_("All − any"), "number", lambda row: _signed(row.n_reached_all - row.n_reached)),
        *count_columns("n_reached_filled", "n_passed_over"),
        *amount_columns(seen, "amount_cohort", "amount_reached"),
        Column(
            label("amount_reached_rate"),
            "number",
            lambda row: numbers.percent(row.amount_reached_rate),
        ),
    ]
    note = _(
        "Any-stage counts each deal that touched the stage and is the one drawn. All-stages asks "
        "for every stage before it, so a deal that skipped one drops out; linear fill counts a "
        "skipped stage as passed, which hides skips."
    )
    return show(table, columns, what, seen, note)


def time_in_stage(table: pd.DataFrame, *, seen: Any, reason: str | None = None) -> Html:
    """
    Show the time that entries stay in each stage, open ones followed until now.
    """
    what = _("Time in stage")
    if table.empty:
        return missing(what, seen=seen, reason=reason)
    columns = [
        *place_columns(table),
        *count_columns("n_entries", "n_open"),
        *span_columns("median_days"),
        Column(
            label("interval"),
            "number",
            lambda row: numbers.span_range(row.median_days_low, row.median_days_high),
        ),
        *span_columns("p90_days", "completed_median_days"),
    ]
    note = _(
        "The median of completed stays leaves out the long ones that are still open: it is too "
        "short while the pipeline grows, and stands here only for comparison."
    )
    return show(table, columns, what, seen, note)


def segments(table: pd.DataFrame, *, seen: Any, reason: str | None = None) -> Html:
    """
    Show next-step conversion of the clearest segments against the rest, in the order given.

    Reps and small groups are left out (`nameable_segments`); of the others the `MOST_SEGMENT_ROWS`
    with the smallest q are shown.
    """
    what = _("Next-step conversion by segment, each against the rest")
    of = nameable_segments(table)
    if of.empty:
        return missing(what, seen=seen, reason=reason)
    clearest = of["q_value"].rank(method="first", na_option="bottom") <= MOST_SEGMENT_ROWS
    shown = of[clearest]
    columns = [
        Column(label("kind"), "text", lambda row: label(row.kind)),
        *place_columns(shown),
        *count_columns("n_deals"),
        *estimate_columns("advanced_rate"),
        Column(label("difference"), "number", lambda row: numbers.points(row.difference)),
        Column(
            label("interval"),
            "number",
            lambda row: numbers.points_range(row.difference_low, row.difference_high),
        ),
        *(p_column(name) for name in ("p_value", "q_value")),
    ]
    note = _(
        "q allows for the number of comparisons (Benjamini-Hochberg over all rows): among the "
        "rows with q below 0.05, about one in twenty differs by chance alone. A difference is not "
        "a cause."
    )
    note = " ".join([note, *_note_of_left_out(len(of) - len(shown), len(table) - len(of))])
    return show(shown, columns, what, seen, note, row_header=1)


def status_now(table: pd.DataFrame, *, seen: Any, reason: str | None = None) -> Html:
    """
    Show how many deals stand in each stage or end state.
    """
    what = _("Where the deals stand")
    if table.empty:
        return missing(what, seen=seen, reason=reason)
    columns = [
        *place_columns(table, stage="state"),
        *count_columns("n_deals"),
        *amount_columns(seen, "amount"),
    ]
    note = _("A state, not a funnel: it does not say which stages a deal has passed.")
    return show(table, columns, what, seen, note)


def conversion(table: pd.DataFrame, *, seen: Any, reason: str | None = None) -> Html:
    """
    Show the shares won and lost by age, as per cent and as fractions with five decimals.
    """
    what = _("Share of deals won and lost by age")
    if table.empty:
        return missing(what, seen=seen, reason=reason)
    columns = [
        *_group(table),
        Column(label("age_days"), "number", lambda row: numbers.count(row.age_days)),
        *count_columns("n_deals", "n_at_risk"),
        Column(_("Won so far"), "number", lambda row: numbers.count(row.n_won)),
        *estimate_columns("won_rate"),
        *count_columns("n_eff"),
        Column(_("Lost so far"), "number", lambda row: numbers.count(row.n_lost)),
        *estimate_columns("lost_rate"),
        Column(label("open_rate"), "number", lambda row: numbers.percent(row.open_rate)),
        Column(label("won_fraction"), "number", lambda row: numbers.fraction5(row.won_rate)),
        Column(label("lost_fraction"), "number", lambda row: numbers.fraction5(row.lost_rate)),
    ]
    note = _(
        "Estimate by Aalen and Johansen: lost competes with won, and a deal that is open counts "
        "for the days it was followed. Beyond the longest follow-up nothing can be said."
    )
    row_header = 1 if "group" in table else 0
    return show(table, columns, what, seen, note, row_header=row_header)


def grid(table: pd.DataFrame, *, seen: Any, reason: str | None = None) -> Html:
    """
    Show the share won by month of creation and age, a row per month and a column per age.
    """
    what = _("Share won by month of creation and age")
    if table.empty:
        return missing(what, seen=seen, reason=reason)
    ages = sorted(table["age_days"].unique())
    marked, rows = table.assign(is_truncated=truncated(table)), []
    for cohort, cells in marked.groupby("cohort", sort=True):
        by_age = {cell.age_days: _grid_cell(cell) for cell in cells.itertuples()}
        of_cohort = [numbers.month(cohort), numbers.count(cells["n_deals"].iloc[0])]
        rows.append(of_cohort + [by_age.get(age, numbers.missing()) for age in ages])
    by_days = [(_("By {days}").format(days=numbers.days(age)), "number") for age in ages]
    note = _(
        "In each cell: estimate, 95 % interval, deals won so far. {mark}: the youngest deal of "
        "the month has not reached that age. A young month is short, not low."
    ).format(mark=words.immature())
    return html.table(
        caption=_caption(what, seen),
        columns=[(label("cohort"), "text"), (label("n_deals"), "number"), *by_days],
        rows=rows,
        note=" ".join([note, *_note_of_truncated(table)]),
    )


def win_rates(
    table: pd.DataFrame, *, seen: Any, age_days: int, stale_days: int, reason: str | None = None
) -> Html:
    """
    Show the labelled win rates side by side, each with what it divides by what.
    """
    what = _("Share won, by what it is divided by")
    if table.empty:
        return missing(what, seen=seen, reason=reason)
    age, stale = numbers.days(age_days), numbers.days(stale_days)
    columns = [
        Column(_("Label"), "text", lambda row: words.win_rate(row.label)),
        Column(
            _("Meaning"),
            "text",
            lambda row: words.win_rate_meaning(row.label, age_days=age, stale_days=stale),
        ),
        Column(label("k_of_n"), "number", lambda row: numbers.of(row.n_won, row.n_deals)),
        *estimate_columns("rate", digits=2),
    ]
    note = _(
        "Only the cohort rate compares deals at equal age; it is an estimate, since open deals are "
        "followed until now, and so not k/n. The closed rate leaves out slow deals; "
        "the created rate is low for young deals."
    )
    return show(table, columns, what, seen, note)


def monthly(table: pd.DataFrame, *, seen: Any, age_days: int, reason: str | None = None) -> Html:
    """
    Show the closed, created and cohort win rate by month; young months carry a mark.
    """
    what = _("Closed, created and cohort win rate by month, cohort at {age}").format(
        age=numbers.days(age_days)
    )
    if table.empty:
        return missing(what, seen=seen, reason=reason)
    columns = [
        Column(label("month"), "text", lambda row: numbers.month(row.month)),
        Column(
            label("closed_k_of_n"),
            "number",
            lambda row: numbers.of(row.n_won_closed, row.n_closed),
        ),
        *estimate_columns("closed_rate", digits=2),
        Column(
            label("created_k_of_n"),
            "number",
            lambda row: numbers.of(row.n_won_created, row.n_created),
        ),
        *estimate_columns("created_rate"),
        *estimate_columns("cohort_rate"),
        Column(label("is_mature"), "flag", _maturity),
    ]
    note = _(
        "The closed rate goes by month of closing and swings when losses are logged in bulk; the "
        "created and the cohort rate go by month of creation."
    )
    note = " ".join([note, *_note_of_truncated(table)])
    marked = table.assign(is_truncated=truncated(table))
    return show(marked, columns, what, seen, note)


def sales_cycle(table: pd.DataFrame, *, seen: Any, reason: str | None = None) -> Html:
    """
    Show the days from creation to won, won deals only, by month of winning.
    """
    what = _("Sales cycle: days from creation to won, won deals only")
    if table.empty:
        return missing(what, seen=seen, reason=reason)
    columns = [
        Column(
            label("month_won"),
            "text",
            lambda row: _("All") if pd.isna(row.month) else numbers.month(row.month),
        ),
        *count_columns("n_won"),
        *span_columns("p25_days", "p50_days", "p75_days"),
        Column(label("p90_won_days"), "number", lambda row: numbers.span(row.p90_days)),
        Column(label("mean_days"), "number", lambda row: numbers.decimal(row.mean_days, digits=1)),
    ]
    note = _(
        "The won deals of a young cohort are the quick ones: use the curve, not this table, to "
        "compare before and after."
    )
    return show(table, columns, what, seen, note)


def rep_totals(
    table: pd.DataFrame, *, seen: Any, by: str = "owner", reason: str | None = None
) -> Html:
    """
    Show wins, losses, open deals, amounts and cycle of each rep, or of each ``by``.
    """
    what = _("Totals by {kind}").format(kind=(label("rep") if by == "owner" else label(by)).lower())
    if table.empty:
        return missing(what, seen=seen, reason=reason)
    columns = [
        Column(
            label("rep") if by == "owner" else label(by),
            "text",
            lambda row: rep_name(row.name, row.group),
        ),
        *team_column(table, by),
        *count_columns("n_deals", "n_won", "n_lost", "n_open", "n_removed"),
        *amount_columns(seen, "won_amount", "open_amount"),
        *estimate_columns("closed_rate", digits=2),
        *span_columns("cycle_days"),
        *count_columns("n_handed"),
    ]
    note = _(
        "The closed win rate is won / (won + lost). It depends on what each was given and on how "
        "soon losses are logged; the adjusted comparison is the one to read."
    )
    return show(table, columns, what, seen, note)


def won_amounts(
    table: pd.DataFrame, *, seen: Any, by: str = "owner", reason: str | None = None
) -> Html:
    """
    Show the amount won by each rep, or by each ``by``, with the number of deals it comes from.
    """
    kind = label("rep") if by == "owner" else label(by)
    what = _("Won amounts by {kind}").format(kind=kind.lower())
    if table.empty:
        return missing(what, seen=seen, reason=reason)
    columns = [
        Column(kind, "text", lambda row: rep_name(row.name, row.group)),
        *count_columns("n_won"),
        *amount_columns(seen, "won_amount"),
    ]
    return show(table, columns, what, seen)


def rep_ranking(
    table: pd.DataFrame, *, gate: Any, seen: Any, age_days: int, reason: str | None = None
) -> Html:
    """
    Show raw, adjusted and shrunk rates; ranks only where the data can tell the reps apart.

    Parameters
    ----------
    table, gate : as ``reps.ranking`` gives
    seen, age_days : see the module; the age at which a deal counts as won
    reason : str, optional
        Why the table is empty.
    """
    what = _("Reps: cohort win rate at {age}, raw, adjusted and shrunk").format(
        age=numbers.days(age_days)
    )
    if table.empty:
        return missing(what, seen=seen, reason=reason)
    ranks = [
        Column(
            label("rank"), "number", lambda row: numbers.count_range(row.rank_low, row.rank_high)
        ),
        Column(
            label("top_quartile_share"),
            "number",
            lambda row: numbers.percent(row.top_quartile_share),
        ),
    ]
    columns = [
        Column(label("rep"), "text", lambda row: rep_name(row.name, row.group)),
        *team_column(table, "owner"),
        Column(label("n_mature"), "number", lambda row: numbers.count(row.n_deals)),
        *count_columns("n_won"),
        *estimate_columns("raw_rate"),
        Column(label("expected"), "number", lambda row: numbers.decimal(row.expected, digits=1)),
        Column(
            label("observed_over_expected"),
            "number",
            lambda row: numbers.decimal(row.observed_over_expected),
        ),
        Column(label("adjusted_rate"), "number", lambda row: numbers.percent(row.adjusted_rate)),
        *estimate_columns("shrunk_rate"),
        Column(label("reliability"), "number", lambda row: numbers.decimal(row.reliability)),
        *(ranks if gate_value(gate, "is_open") else []),
    ]
    return show(table, columns, what, seen, _ranking_note(gate))


def attainment(table: pd.DataFrame, *, seen: Any, reason: str | None = None) -> Html:
    """
    Show quota, credited amount and attainment by holder and period.
    """
    what = _("Quota attainment")
    if table.empty:
        return missing(what, seen=seen, reason=reason)
    periods = table[["period_start", "period_end"]].drop_duplicates()
    if len(periods) == 1:
        what = _("Quota attainment, {period}").format(period=period(next(periods.itertuples())))
    columns = [
        Column(label("holder"), "text", lambda row: words.value(row.name)),
        Column(label("holder_type"), "text", lambda row: words.holder_type(row.holder_type)),
        Column(label("period"), "text", lambda row: period(row).replace(" ", numbers.NO_BREAK)),
        *amount_columns(seen, "quota", "prorated_quota", "credited_amount"),
        Column(label("attainment"), "number", lambda row: numbers.percent(row.attainment)),
        Column(
            label("is_finished"),
            "flag",
            lambda row: _("finished") if row.is_finished else _("still running"),
        ),
    ]
    note = _(
        "Attainment = credited amount / quota prorated for joining, leaving and ramp. Persons need "
        "not add up to their team."
    )
    return show(table, columns, what, seen, note)


def ledger(table: pd.DataFrame, *, seen: Any, reason: str | None = None) -> Html:
    """
    Show what became of every row that was read.
    """
    what = _("What became of every row read")
    if table.empty:
        return missing(what, seen=seen, reason=reason)
    columns = [
        Column(label("table"), "text", lambda row: words.value(row.table)),
        Column(label("file"), "text", lambda row: words.value(row.file)),
        *count_columns("n_in", "n_accepted", "n_quarantined", "n_refused"),
    ]
    note = _("Rows read = accepted + quarantined + refused; nothing is dropped in silence.")
    return show(table, columns, what, seen, note)


def rejected(table: pd.DataFrame, *, seen: Any, reason: str | None = None) -> Html:
    """
    Show the rows that were not accepted, by reason, with the first one of each.
    """
    what = _("Rows not accepted, by reason")
    if table.empty:
        return missing(what, seen=seen, reason=reason or _("Every row was accepted."))
    columns = [
        Column(label("file"), "text", lambda row: words.value(row.file)),
        Column(label("outcome"), "text", lambda row: words.rejection(row.outcome)),
        Column(label("reason"), "text", lambda row: words.problem(row.reason)),
        Column(label("column"), "text", lambda row: _or_nothing(row.column)),
        *count_columns("n_rows", "line"),
        Column(label("found"), "text", lambda row: words.value(row.value)),
    ]
    return show(table, columns, what, seen)


def findings(table: pd.DataFrame, *, seen: Any, reason: str | None = None) -> Html:
    """
    Show what was found in the data, with the number of rows concerned.

    Most findings are of the whole export, so the caption names no date.
    """
    what = _("Data findings, of the export as loaded")
    if table.empty:
        return missing(what, seen=seen, reason=reason or _("Nothing was found."))
    columns = [
        Column(label("finding"), "text", lambda row: words.finding(row.kind)),
        Column(label("subject"), "text", lambda row: _or_nothing(row.subject)),
        *count_columns("n_rows"),
        Column(
            label("detail"),
            "text",
            lambda row: words.finding_detail(row.kind, _or_nothing(row.detail)),
        ),
    ]
    return html.table(caption=what, **_cells(table, columns))


def exclusions(table: pd.DataFrame, *, seen: Any, reason: str | None = None) -> Html:
    """
    Show how many deals of the export are left out, by reason, and how many are used.
    """
    what = _("Deals in the export, used and left out")
    if table.empty:
        return missing(what, seen=seen, reason=reason)
    columns = [
        Column(label("reason"), "text", lambda row: words.exclusion(row.reason)),
        *count_columns("n_deals"),
    ]
    return show(table, columns, what, seen)


def parameters(values: Mapping[str, Any], *, seen: Any) -> Html:
    """
    Show the settings and versions that the page was made with.
    """
    rows = [[words.plain_slug(name), _setting(value)] for name, value in values.items()]
    return html.table(
        caption=_caption(_("Parameters and versions"), seen),
        columns=[(label("parameter"), "text"), (label("value"), "text")],
        rows=rows,
    )


def missing(what: str, *, seen: Any, reason: str | None) -> Html:
    """
    Say that a section has no rows, and why.

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> seen = SimpleNamespace(as_of=pd.Timestamp("2026-03-31"))
    >>> "no row as of 31 Mar 2026" in str(missing("Time in stage", seen=seen, reason=None))
    True
    """
    text = reason or _("There is no row as of {date}.").format(date=numbers.date(seen.as_of))
    return html.notice(title=_("{what}: nothing to show").format(what=what), text=text)


def gate_value(gate: Any, key: str) -> Any:
    """
    Read one value of the gate, a frame of one row or a mapping.

    Examples
    --------
    >>> gate_value(pd.DataFrame({"p_value": [0.2]}), "p_value"), gate_value({"df": 29}, "df")
    (0.2, 29)
    """
    value = np.ravel(gate[key])[0]
    return value.item() if hasattr(value, "item") else value


def rep_name(name: Any, group: Any) -> str:
    """
    Name a rep or a group; one without a name goes by its id.

    Examples
    --------
    >>> rep_name("王芳", "r7"), rep_name(None, "r7")
    ('王芳', 'r7')
    >>> rep_name(None, None)
    '(none)'
    """
    return words.person_or_team(group if pd.isna(name) else name)


def nameable_segments(table: pd.DataFrame) -> pd.DataFrame:
    """
    Give the segments that a page may compare with the rest: no person, no group of few deals.

    Examples
    --------
    >>> table = pd.DataFrame({"kind": ["owner", "region", "region"], "n_deals": [90, 30, 29]})
    >>> nameable_segments(table).index.tolist()
    [1]
    """
    if table.empty:
        return table
    return table[(table["kind"] != "owner") & (table["n_deals"] >= FEWEST_OF_SEGMENT)]


def rank_places(gate: Any) -> float:
    """
    Give how many places a rep could hold on average, all reps at once with 95 % confidence.

    NaN where the gate does not say it.

    Examples
    --------
    >>> rank_places({"rank_set_places": 38.9}), rank_places({"p_value": 0.2})
    (38.9, nan)
    """
    return gate_value(gate, "rank_set_places") if "rank_set_places" in gate else float("nan")


def is_ranking(gate: Any) -> bool:
    """
    Say whether a list of reps can be read as a ranking: of the places each could hold at most half.

    Examples
    --------
    >>> is_ranking({"is_open": True, "rank_set_places": 15.0, "n_reps": 30})
    True
    >>> is_ranking({"is_open": True, "rank_set_places": 15.1, "n_reps": 30})
    False
    >>> is_ranking({"is_open": False, "rank_set_places": 3.0, "n_reps": 30})
    False
    """
    few = rank_places(gate) <= gate_value(gate, "n_reps") / 2
    return bool(gate_value(gate, "is_open") and few)


def period(row: Any) -> str:
    """
    Name a period by its first and last day.

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> day = pd.Timestamp("2026-03-31")
    >>> period(SimpleNamespace(period_start=day, period_end=day)).replace(numbers.NO_BREAK, " ")
    '31 Mar 2026 – 31 Mar 2026'
    """
    days = (numbers.date(day) for day in (row.period_start, row.period_end))
    return " – ".join(day.replace(" ", numbers.NO_BREAK) for day in days)


def show(
    table: pd.DataFrame,
    columns: Sequence[Column],
    what: str,
    seen: Any,
    note: str | None = None,
    *,
    row_header: int = 0,
) -> Html:
    """Show a metric table by its columns, as of the day."""
    if columns[0].label == label("group"):
        what = _("{what}, by group").format(what=what)
    return html.table(
        caption=_caption(what, seen),
        **_cells(table, columns),
        note=note,
        row_header=row_header,
    )


def _cells(table: pd.DataFrame, columns: Sequence[Column]) -> dict[str, list]:
    return {
        "columns": [(column.label, column.kind) for column in columns],
        "rows": [[column.cell(row) for column in columns] for row in table.itertuples()],
    }


def _caption(what: str, seen: Any) -> str:
    return _("{what}, as of {date}").format(what=what, date=numbers.date(seen.as_of))


def _group(table: pd.DataFrame) -> list[Column]:
    if "group" not in table:
        return []
    shown = "name" if "name" in table else "group"
    return [Column(label("group"), "text", lambda row: words.value(getattr(row, shown)))]


def place_columns(table: pd.DataFrame, *, stage: str = "stage") -> list[Column]:
    """Stage first, since it names the row; then its pipeline where there are several."""
    columns = [*_group(table), Column(label(stage), "text", lambda row: words.stage(row.stage))]
    if table["pipeline"].nunique(dropna=False) > 1:
        columns.append(Column(label("pipeline"), "text", lambda row: words.value(row.pipeline)))
    return columns


def team_column(table: pd.DataFrame, by: str) -> list[Column]:
    """A column of teams, where the rows are not teams themselves and have any."""
    if by == "team" or "team" not in table or table["team"].isna().all():
        return []
    return [Column(label("team"), "text", lambda row: words.person_or_team(row.team))]


def count_columns(*names: str) -> list[Column]:
    """Columns of counts."""
    return [
        Column(label(name), "number", lambda row, name=name: numbers.count(getattr(row, name)))
        for name in names
    ]


def span_columns(*names: str) -> list[Column]:
    """Columns of days."""
    return [
        Column(label(name), "number", lambda row, name=name: numbers.span(getattr(row, name)))
        for name in names
    ]


def amount_columns(seen: Any, *names: str) -> list[Column]:
    """Columns of amounts, in the currency of the source."""
    currency = seen.source["currency"]
    return [
        Column(
            with_currency(label(name), currency),
            "number",
            lambda row, name=name: numbers.money(getattr(row, name), None),
        )
        for name in names
    ]


def estimate_columns(rate: str, *, digits: int = 1) -> list[Column]:
    """A rate and its interval."""
    return [
        Column(
            label(rate), "number", lambda row: numbers.percent(getattr(row, rate), digits=digits)
        ),
        Column(
            label("interval"),
            "number",
            lambda row: numbers.percent_range(
                getattr(row, f"{rate}_low"), getattr(row, f"{rate}_high"), digits=1
            ),
        ),
    ]


def p_column(name: str) -> Column:
    """A column of p-values."""
    return Column(
        label(name),
        "number",
        lambda row: numbers.p_value(getattr(row, name)).removeprefix("= "),
    )


def _sides(table: pd.DataFrame, parts: tuple[str, ...], total: str) -> list[Column]:
    """Entries, the parts that make them up, their sum and whether it is right."""
    return [
        *count_columns("entries", *parts),
        Column(label(total), "number", lambda row: numbers.count(_sum(row, parts))),
        Column(
            label("balance"),
            "flag",
            lambda row: (
                _("✓ adds up") if _sum(row, parts) == row.entries else _("✗ does not add up")
            ),
        ),
    ]


def _sum(row: Any, parts: tuple[str, ...]) -> int:
    return sum(getattr(row, part) for part in parts)


def _signed(n: float) -> str:
    sign = "−" if n < 0 else "+" if n > 0 else ""
    return sign + numbers.count(abs(n))


def _grid_cell(cell: Any) -> str:
    if cell.is_truncated:
        return f"{numbers.missing()} {words.incomplete_mark()}"
    if not cell.is_mature:
        return words.immature_mark()
    interval = numbers.percent_range(cell.won_rate_low, cell.won_rate_high)
    return f"{numbers.percent(cell.won_rate, digits=1)} ({interval}) {numbers.count(cell.n_won)}"


def _maturity(row: Any) -> str:
    if row.is_truncated:
        return words.incomplete()
    return _("mature") if row.is_mature else words.immature()


def _note_of_truncated(table: pd.DataFrame) -> list[str]:
    if not truncated(table).any():
        return []
    return [
        _(
            "{mark}: the month began before the first closing that the source recorded. Deals that "
            "closed early are missing from it, so that what was won by an age cannot be said."
        ).format(mark=words.incomplete())
    ]


def _ranking_note(gate: Any) -> str:
    test = _("chi² {chi2} on {df} degrees of freedom, p {p}")
    if gate_value(gate, "method") == "twin":
        test = _("chi² {chi2} on {df} degrees of freedom, p {p} by simulation without differences")
    test = test.format(
        chi2=numbers.decimal(gate_value(gate, "chi2"), digits=1),
        df=numbers.count(gate_value(gate, "df")),
        p=numbers.p_value(gate_value(gate, "p_value")),
    )
    verdict = _(
        "The reps cannot be told apart on these data ({test}): they stand by name, without ranks."
    )
    if gate_value(gate, "is_open"):
        verdict = _(
            "The reps differ by more than chance ({test}). Rank 1 is the highest shrunk rate; read "
            "the interval, not a single place."
        )
    return " ".join([verdict.format(test=test), *_rank_sets(gate), *_case_mix(gate)])


def _rank_sets(gate: Any) -> list[str]:
    """How far the whole list can be read as a ranking, where the gate says it and is open."""
    if pd.isna(rank_places(gate)) or not gate_value(gate, "is_open"):
        return []
    return [
        _(
            "With 95 % confidence in all places at once, a rep could hold {places} of the {n} places on "
            "average: read the list as a ranking only as far as that allows."
        ).format(
            places=numbers.count(rank_places(gate)),
            n=numbers.count(gate_value(gate, "n_reps")),
        )
    ]


def _case_mix(gate: Any) -> list[str]:
    """What the rates are adjusted for, where the gate says it."""
    sentences = {
        "case_mix": _("Adjusted for: {names}."),
        "left_out": _("Not adjusted for, as it is too often empty or all alike: {names}."),
    }
    return [
        text.format(names=gate_value(gate, key))
        for key, text in sentences.items()
        if key in gate and gate_value(gate, key)
    ]


def _note_of_left_out(n_less_clear: int, n_not_named: int) -> list[str]:
    """How many comparisons a table does not show, and why."""
    notes = []
    if n_less_clear:
        text = words.translate_n(
            "{n} more comparison with a larger q is not shown.",
            "{n} more comparisons with a larger q are not shown.",
            n_less_clear,
        )
        notes.append(text.format(n=numbers.count(n_less_clear)))
    if n_not_named:
        text = words.translate_n(
            "{n} row of a rep, or of a group with fewer than {fewest} deals, is left out.",
            "{n} rows of reps, and of groups with fewer than {fewest} deals, are left out.",
            n_not_named,
        )
        notes.append(text.format(n=numbers.count(n_not_named), fewest=FEWEST_OF_SEGMENT))
    return notes


def _or_nothing(text: Any) -> str:
    return "" if pd.isna(text) else str(text)


def _setting(value: Any) -> str:
    if isinstance(value, list | tuple):
        return ", ".join(str(part) for part in value)
    return words.value(value)
