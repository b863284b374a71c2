"""
Charts of metric tables: each draws one table on one Axes and computes nothing.

Axes carry labels only; the finding, the measure and the source are the titles that `figures` sets
beside them as text. Colours go by role and never stand alone: a shape, a label or a place says the
same. Nothing here touches the global state of matplotlib.
"""

import numpy as np
import pandas as pd
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch, Rectangle
from matplotlib.ticker import FuncFormatter, MaxNLocator, PercentFormatter

from . import numbers, words

# The first five of Okabe and Ito pass 3:1 on white (and, with black turned light, on dark).
BLACK, BLUE, VERMILLION, GREEN, PURPLE = "#000000", "#0072B2", "#D55E00", "#009E73", "#CC79A7"
GREY = "#767676"
INK = "#1b1b1b"  # on a filled cell: dark on a light and on a dark page
ROLES = {
    "measure": BLUE,
    "won": GREEN,
    "lost": VERMILLION,
    "reference": BLACK,
    "other": PURPLE,
    "muted": GREY,
}
OUTCOMES = {
    "advanced": {"facecolor": BLUE},
    "skipped": {"facecolor": BLUE, "hatch": "////"},
    "moved_back": {"facecolor": PURPLE},
    "lost": {"facecolor": VERMILLION},
    "handed_off": {"facecolor": PURPLE, "hatch": "////"},
    "removed": {"facecolor": GREY, "hatch": "xxxx"},
    "open": {"facecolor": GREY},
}
GROUP_LINES = ((BLUE, "-"), (VERMILLION, "--"), (GREEN, "-."), (BLACK, ":"))
YOUNG = {"facecolor": "none", "edgecolor": "#cccccc", "hatch": "///", "linewidth": 0}
TRUNCATED = YOUNG | {"hatch": "\\\\\\"}
FEWEST_AT_RISK = 10
LONGEST_NAME = 26
WIDTH = 5.0  # inches; small, so that the text stays readable on a phone

STYLE = {
    "font.size": 10,
    "text.parse_math": False,  # a name with two dollar signs is a name
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": GREY,
    "axes.axisbelow": True,
    "axes.grid": True,
    "axes.grid.axis": "x",
    "grid.color": GREY,
    "grid.alpha": 0.3,
    "grid.linewidth": 0.6,
    "hatch.linewidth": 1.2,
    "legend.frameon": False,
    "legend.fontsize": 9,
    "xtick.labelsize": 9,
    "ytick.labelsize": 9.5,
}


@rc_context(STYLE)
def funnel(table: pd.DataFrame, *, ax: Axes | None = None) -> Axes:
    """
    Draw the share of a cohort that reached each stage, as bars with their interval.

    Parameters
    ----------
    table : DataFrame, as ``funnel.cumulative`` gives
        ``pipeline``, ``stage``, ``n_reached``, ``n_cohort``, ``reached_rate``,
        ``reached_rate_low``, ``reached_rate_high``; the last row of a pipeline is won. A missing
        rate draws no bar.
    ax : Axes, optional
        Where to draw; a new figure if None.
    """
    ax = rows_of(ax, _places(table))
    is_last = ~table["pipeline"].duplicated(keep="last")
    colours = np.where(is_last, ROLES["won"], ROLES["measure"])
    ax.barh(positions(table), table["reached_rate"].fillna(0), height=0.62, color=colours)
    whiskers(ax, table, "reached_rate", colour=ROLES["reference"])
    note_rows(
        ax,
        [
            f"{numbers.percent(row.reached_rate)} ({numbers.of(row.n_reached, row.n_cohort)})"
            for row in table.itertuples()
        ],
    )
    share_axis(ax, words._("Share of deals created that reached the stage"))
    return ax


@rc_context(STYLE)
def stage_outcomes(table: pd.DataFrame, *, ax: Axes | None = None) -> Axes:
    """
    Draw how the entries of each stage ended, as shares of one bar; each part shows its count.

    Parameters
    ----------
    table : DataFrame, as ``funnel.stage_accounting`` gives
        ``pipeline``, ``stage``, ``entries`` and the seven outcomes that add up to it. A stage
        without entries has no bar; an outcome that never occurs is not in the legend.
    ax : Axes, optional
        Where to draw; a new figure if None.
    """
    ax = rows_of(ax, _places(table), legend_rows=3)
    entries = table["entries"].where(table["entries"] > 0)
    left = np.zeros(len(table))
    for outcome in [name for name in OUTCOMES if table[name].any()]:
        width = (table[outcome] / entries).fillna(0).to_numpy()
        bars = ax.barh(
            positions(table),
            width,
            left=left,
            height=0.66,
            label=words.label(outcome),
            edgecolor="white",
            linewidth=0.8,
            **OUTCOMES[outcome],
        )
        counts = [
            numbers.count(n) if part >= 0.08 else ""
            for n, part in zip(table[outcome], width, strict=True)
        ]
        count_parts(ax, bars, counts)
        left = left + width
    note_rows(ax, [_n(row.entries) for row in table.itertuples()])
    share_axis(ax, words.label("share_of_entries"))
    legend_above(ax)
    return ax


@rc_context(STYLE)
def step_conversion(table: pd.DataFrame, *, ax: Axes | None = None) -> Axes:
    """
    Draw the share of deals that go on from each stage, as points with their interval.

    Parameters
    ----------
    table : DataFrame, as ``funnel.step_conversion`` gives
        ``pipeline``, ``stage``, ``n_deals``, ``advanced_rate``, ``advanced_rate_low``,
        ``advanced_rate_high``. A missing rate draws no point.
    ax : Axes, optional
        Where to draw; a new figure if None.
    """
    ax = rows_of(ax, _places(table))
    whiskers(ax, table, "advanced_rate", colour=ROLES["measure"])
    ax.plot(
        table["advanced_rate"], positions(table), "o", color=ROLES["measure"], label="_estimate"
    )
    note_rows(
        ax,
        [f"{numbers.percent(row.advanced_rate)} ({_n(row.n_deals)})" for row in table.itertuples()],
    )
    share_axis(ax, words._("Share of deals that went on"))
    return ax


@rc_context(STYLE)
def time_in_stage(table: pd.DataFrame, *, ax: Axes | None = None) -> Axes:
    """
    Draw the median stay in each stage with its interval, beside that of completed stays only.

    Parameters
    ----------
    table : DataFrame, as ``funnel.time_in_stage`` gives
        ``pipeline``, ``stage``, ``n_entries``, ``median_days``, ``median_days_low``,
        ``median_days_high``, ``completed_median_days``. A missing upper bound (not reached yet)
        draws an arrow from the median, a missing median no point.
    ax : Axes, optional
        Where to draw; a new figure if None.
    """
    ax = rows_of(ax, _places(table), legend_rows=3)
    y = positions(table)
    endless = table["median_days"].notna() & table["median_days_high"].isna()
    spans = table[["median_days", "median_days_high", "completed_median_days"]]
    right = 1.08 * max(1, spans.max().max())
    whiskers(
        ax,
        table.assign(median_days_high=table["median_days_high"].where(~endless, right)),
        "median_days",
        colour=ROLES["measure"],
    )
    ax.plot(
        table["median_days"],
        y,
        "o",
        color=ROLES["measure"],
        label=words._("All stays, open ones followed until now"),
    )
    ax.plot(
        table["completed_median_days"],
        y,
        "D",
        markerfacecolor="none",
        color=ROLES["other"],
        label=words._("Completed stays only"),
    )
    if endless.any():
        ax.plot(
            np.full(endless.sum(), right),
            y[endless.to_numpy()],
            ">",
            color=ROLES["measure"],
            clip_on=False,
            label=words._("Upper limit not reached yet"),
        )
    ax.set_xlim(0, right)
    note_rows(
        ax,
        [f"{numbers.span(row.median_days)} ({_n(row.n_entries)})" for row in table.itertuples()],
    )
    ax.set_xlabel(words._("Median time in stage (days)"))
    legend_above(ax, columns=1)
    return ax


@rc_context(STYLE)
def conversion_curve(table: pd.DataFrame, *, ax: Axes | None = None) -> Axes:
    """
    Draw the share of deals won by each age, with its band, and the share lost.

    A curve stops where fewer than ten deals are still followed: beyond, one deal moves it far.

    Parameters
    ----------
    table : DataFrame, as ``cohorts.curve`` gives
        ``age_days``, ``n_at_risk``, ``won_rate``, ``won_rate_low``, ``won_rate_high``,
        ``lost_rate``; with a column ``group``, one won curve per group and no lost curve.
    ax : Axes, optional
        Where to draw; a new figure if None.

    Raises
    ------
    ValueError
        More than four groups.
    """
    ax = _axes(ax, height=3.4)
    if "group" in table:
        groups = list(table.groupby("group", sort=False, dropna=False))
        if len(groups) > len(GROUP_LINES):
            raise ValueError(
                f"at most {len(GROUP_LINES)} groups can be told apart in one chart, but the table "
                f"has {len(groups)}; keep the rows of those to compare"
            )
        for (name, rows), (colour, line) in zip(groups, GROUP_LINES, strict=False):
            label = f"{short(words.value(name))} ({_n(rows['n_at_risk'].iloc[0])})"
            # matplotlib leaves labels that begin with "_" out of a legend.
            label = f"\u200b{label}" if label.startswith("_") else label
            _won_steps(ax, rows, label=label, colour=colour, line=line)
    else:
        label = f"{words.label('won')} ({_n(table['n_at_risk'].iloc[0])})"
        _won_steps(ax, table, label=label, colour=ROLES["won"], line="-")
        ax.step(
            *_from_zero(table, "lost_rate"),
            where="post",
            color=ROLES["lost"],
            linestyle="--",
            label=words.label("lost"),
        )
    ax.set_xlim(left=0)
    ax.set_ylim(bottom=0)
    ax.yaxis.set_major_formatter(percent_ticks())
    ax.grid(visible=True, axis="y")
    ax.set_xlabel(words.label("deal_age"))
    ax.set_ylabel(words.label("share_of_deals"))
    legend_above(ax)
    return ax


@rc_context(STYLE)
def cohort_grid(table: pd.DataFrame, *, ax: Axes | None = None) -> Axes:
    """
    Draw the share won by month of creation and age; cells that cannot be read are hatched.

    Parameters
    ----------
    table : DataFrame, as ``cohorts.grid`` gives
        ``cohort``, ``n_deals``, ``age_days``, ``won_rate``, ``is_mature``, ``is_truncated`` (see
        `truncated`). Immature cells carry the mark 未满期, truncated months 不完整; another cell
        without a rate shows "n/a".
    ax : Axes, optional
        Where to draw; a new figure if None.
    """
    cohorts = table.drop_duplicates("cohort").sort_values("cohort")
    ages = sorted(table["age_days"].unique())
    ax = _axes(ax, height=0.9 + 0.3 * len(cohorts))
    rows = {cohort: y for y, cohort in enumerate(cohorts["cohort"])}
    highest = table["won_rate"].max()
    for cell in table.assign(is_truncated=truncated(table)).itertuples():
        _cell(ax, cell, x=ages.index(cell.age_days), y=rows[cell.cohort], highest=highest)
    ax.set_xlim(-0.5, len(ages) - 0.5)
    ax.set_ylim(len(cohorts) - 0.5, -0.5)
    ax.set_xticks(range(len(ages)), labels=[numbers.count(age) for age in ages])
    labels = [f"{numbers.month(row.cohort)} ({_n(row.n_deals)})" for row in cohorts.itertuples()]
    ax.set_yticks(range(len(cohorts)), labels=labels)
    ax.grid(visible=False)
    ax.tick_params(length=0)
    ax.spines[:].set_visible(False)
    ax.set_xlabel(words._("Won by age (days since creation)"))
    return ax


@rc_context(STYLE)
def win_rate_family(table: pd.DataFrame, *, ax: Axes | None = None) -> Axes:
    """
    Draw the labelled win rates one under the other, as points with their interval.

    Parameters
    ----------
    table : DataFrame, as ``cohorts.win_rates`` gives
        ``label``, ``n_won``, ``n_deals``, ``rate``, ``rate_low``, ``rate_high``. The cohort rate
        is the filled point, the others are hollow.
    ax : Axes, optional
        Where to draw; a new figure if None.
    """
    ax = rows_of(ax, [words.win_rate(name) for name in table["label"]])
    whiskers(ax, table, "rate", colour=ROLES["measure"])
    for y, row in enumerate(table.itertuples()):
        fill = ROLES["measure"] if row.label == "cohort" else "white"
        ax.plot([row.rate], [y], "o", color=ROLES["measure"], markerfacecolor=fill)
    note_rows(
        ax,
        [f"{numbers.percent(row.rate)} ({counts_behind(row)})" for row in table.itertuples()],
    )
    share_axis(ax, words._("Share won"))
    return ax


@rc_context(STYLE)
def monthly_rates(table: pd.DataFrame, *, ax: Axes | None = None) -> Axes:
    """
    Draw the closed, created and cohort win rate by month; young and truncated ones are hatched.

    Parameters
    ----------
    table : DataFrame, as ``cohorts.monthly`` gives, sorted by month
        ``month``, ``closed_rate``, ``created_rate``, ``cohort_rate``, ``cohort_rate_low``,
        ``cohort_rate_high``, ``is_mature``, ``is_truncated`` (see `truncated`). Months without a
        rate leave a gap.
    ax : Axes, optional
        Where to draw; a new figure if None.
    """
    ax = _axes(ax, height=3.4)
    x = np.arange(len(table))
    is_truncated = truncated(table)
    hatched = {
        words.immature(): (YOUNG, ~table["is_mature"].to_numpy(dtype=bool) & ~is_truncated),
        words.incomplete(): (TRUNCATED, is_truncated),
    }
    ax.fill_between(
        x,
        table["cohort_rate_low"].to_numpy(dtype=float),
        table["cohort_rate_high"].to_numpy(dtype=float),
        color=ROLES["won"],
        alpha=0.2,
        linewidth=0,
    )
    lines = {
        "cohort_rate": {"color": ROLES["won"], "marker": "^", "linestyle": "-"},
        "closed_rate": {"color": ROLES["lost"], "marker": "o", "linestyle": "--"},
        "created_rate": {"color": ROLES["measure"], "marker": "s", "linestyle": ":"},
    }
    for column, look in lines.items():
        ax.plot(x, table[column], label=words.label(column), markersize=5, **look)
    handles, labels = ax.get_legend_handles_labels()
    for label, (look, is_hatched) in hatched.items():
        for month in x[is_hatched]:
            ax.axvspan(month - 0.5, month + 0.5, **look)
        if is_hatched.any():
            handles.append(Patch(**look))
            labels.append(label)
    step = max(1, -(-len(table) // 6))
    ax.set_xticks(x[::step], labels=[numbers.month(month) for month in table["month"][::step]])
    ax.set_xlim(-0.6, len(table) - 0.4)
    ax.set_ylim(bottom=0)
    ax.yaxis.set_major_formatter(percent_ticks())
    ax.grid(visible=False, axis="x")
    ax.grid(visible=True, axis="y")
    ax.set_ylabel(words._("Share won"))
    ax.set_xlabel(words._("Month of closing, or of creation"))
    ax.legend(handles, labels, loc="lower left", bbox_to_anchor=(0, 1.0), ncols=2)
    return ax


@rc_context(STYLE)
def rep_intervals(table: pd.DataFrame, *, overall_rate: float, ax: Axes | None = None) -> Axes:
    """
    Draw each rep's shrunk rate with its interval, the raw rate beside it, in the table's order.

    Parameters
    ----------
    table : DataFrame, as ``reps.ranking`` gives
        ``name``, ``n_deals``, ``n_won``, ``raw_rate``, ``shrunk_rate``, ``shrunk_rate_low``,
        ``shrunk_rate_high``. No rank is drawn.
    overall_rate : float
        Rate of all deals together, drawn as a line.
    ax : Axes, optional
        Where to draw; a new figure if None.
    """
    ax = rows_of(
        ax,
        [short(words.person_or_team(name)) for name in table["name"]],
        row_height=0.21,
        legend_rows=3,
    )
    y = positions(table)
    ax.axvline(
        overall_rate,
        color=ROLES["reference"],
        linestyle="--",
        linewidth=1,
        label=words._("All reps together"),
    )
    whiskers(ax, table, "shrunk_rate", colour=ROLES["measure"])
    ax.plot(
        table["shrunk_rate"],
        y,
        "o",
        color=ROLES["measure"],
        markersize=5,
        label=words._("Shrunk rate, 95 % interval"),
    )
    ax.plot(
        table["raw_rate"],
        y,
        "D",
        color=ROLES["other"],
        markerfacecolor="none",
        markersize=4.5,
        label=words._("Raw rate"),
    )
    note_rows(ax, [numbers.of(row.n_won, row.n_deals) for row in table.itertuples()])
    ax.set_xlim(left=0)
    ax.xaxis.set_major_formatter(percent_ticks())
    ax.set_xlabel(words.label("cohort_rate"))
    legend_above(ax, columns=1)
    return ax


@rc_context(STYLE)
def rep_amounts(
    table: pd.DataFrame, *, currency: str | None, top: int = 15, ax: Axes | None = None
) -> Axes:
    """
    Draw the amount each rep won, the largest first; those after the first ``top`` share one bar.

    Parameters
    ----------
    table : DataFrame, as ``reps.totals`` gives
        ``name``, ``n_won``, ``won_amount``; reps without an amount are not drawn.
    currency : str or None
        Code that the axis shows.
    top : int
        Number of bars before the shared one.
    ax : Axes, optional
        Where to draw; a new figure if None.
    """
    ordered = table.dropna(subset="won_amount").sort_values("won_amount", ascending=False)
    shown, others = ordered.iloc[:top], ordered.iloc[top:]
    labels = [short(words.person_or_team(name)) for name in shown["name"]]
    amounts, colours = list(shown["won_amount"]), [ROLES["measure"]] * len(shown)
    if len(others):
        labels.append(
            words.translate_n("{n} other", "{n} others", len(others)).format(
                n=numbers.count(len(others))
            )
        )
        amounts.append(others["won_amount"].sum())
        colours.append(ROLES["muted"])
    ax = rows_of(ax, labels, row_height=0.26)
    ax.barh(np.arange(len(labels)), amounts, height=0.66, color=colours)
    note_rows(ax, [numbers.money(amount, None, compact=True) for amount in amounts])
    ax.set_xlim(left=0)
    ax.xaxis.set_major_locator(MaxNLocator(5))
    ax.xaxis.set_major_formatter(amount_ticks())
    ax.set_xlabel(with_currency(words.label("won_amount"), currency))
    return ax


@rc_context(STYLE)
def attainment(table: pd.DataFrame, *, ax: Axes | None = None) -> Axes:
    """
    Draw quota attainment as bars against the line at 100 %; running periods are hatched.

    Parameters
    ----------
    table : DataFrame, as ``reps.attainment`` gives
        ``name``, ``attainment``, ``is_finished``. A missing attainment draws no bar.
    ax : Axes, optional
        Where to draw; a new figure if None.
    """
    ax = rows_of(
        ax, [short(words.value(name)) for name in table["name"]], row_height=0.26, legend_rows=1
    )
    bars = ax.barh(
        positions(table), table["attainment"].fillna(0), height=0.5, color=ROLES["measure"]
    )
    for bar, is_finished in zip(bars, table["is_finished"], strict=True):
        if not is_finished:
            bar.set(hatch="////", edgecolor="white")
    ax.axvline(1, color=ROLES["reference"], linewidth=2, label=words._("Quota"))
    if not table["is_finished"].all():
        running = Patch(facecolor=ROLES["measure"], edgecolor="white", hatch="////")
        handles, labels = ax.get_legend_handles_labels()
        ax.legend(
            [*handles, running],
            [*labels, words._("Period still running")],
            loc="lower left",
            bbox_to_anchor=(0, 1.0),
            ncols=2,
        )
    else:
        legend_above(ax)
    note_rows(ax, [numbers.percent(share) for share in table["attainment"]])
    ax.set_xlim(left=0)
    ax.xaxis.set_major_formatter(percent_ticks())
    ax.set_xlabel(words._("Credited amount as share of the prorated quota"))
    return ax


def truncated(table: pd.DataFrame) -> np.ndarray:
    """
    Say of each row whether its month began before the source recorded closings; by default not.

    Examples
    --------
    >>> truncated(pd.DataFrame({"n": [1, 2], "is_truncated": [True, False]})).tolist()
    [True, False]
    >>> truncated(pd.DataFrame({"n": [1, 2]})).tolist()
    [False, False]
    """
    if "is_truncated" not in table:
        return np.zeros(len(table), dtype=bool)
    return table["is_truncated"].to_numpy(dtype=bool)


def counts_behind(row: object) -> str:
    """
    Say the counts behind a labelled rate: won of those it divides, or the deals it is estimated on.

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> counts_behind(SimpleNamespace(label="closed", n_won=528, n_deals=2710))
    '528/2,710'
    >>> counts_behind(SimpleNamespace(label="cohort", n_won=462, n_deals=2969))
    'n = 2,969'
    """
    return _n(row.n_deals) if row.label == "cohort" else numbers.of(row.n_won, row.n_deals)


def until_few_remain(table: pd.DataFrame) -> pd.DataFrame:
    """
    Give the last row of each curve at which enough deals are still followed.

    Examples
    --------
    >>> table = pd.DataFrame({"age_days": [0, 30, 60], "n_at_risk": [40, 12, 9]})
    >>> until_few_remain(table)["age_days"].tolist()
    [30]
    """
    curves = [table]
    if "group" in table:
        curves = [rows for _group, rows in table.groupby("group", sort=False, dropna=False)]
    return pd.concat([rows[_is_followed(rows)].iloc[-1:] for rows in curves])


def place(row: object, *, several_pipelines: bool) -> str:
    """
    Name the row of a stage table: its group, its pipeline where there are several, its stage.

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> row = SimpleNamespace(pipeline="新签", stage="won")
    >>> place(row, several_pipelines=True), place(row, several_pipelines=False)
    ('新签 · Won', 'Won')
    """
    parts = [words.value(getattr(row, "name", row.group))] if hasattr(row, "group") else []
    parts += [words.value(row.pipeline)] if several_pipelines else []
    return " · ".join([*parts, words.stage(row.stage)])


def with_currency(label: str, currency: str | None) -> str:
    """
    Put the code of the currency after a label.

    Examples
    --------
    >>> with_currency("Won amount", "USD"), with_currency("Won amount", None)
    ('Won amount (USD)', 'Won amount')
    """
    return f"{label} ({currency})" if currency else label


def _places(table: pd.DataFrame) -> list[str]:
    several = table["pipeline"].nunique(dropna=False) > 1
    return [short(place(row, several_pipelines=several)) for row in table.itertuples()]


def short(text: str) -> str:
    """Cut a name that would leave no room for the chart."""
    return text if len(text) <= LONGEST_NAME else text[: LONGEST_NAME - 1] + "…"


def _n(n: float) -> str:
    return f"n = {numbers.count(n)}"


def positions(table: pd.DataFrame) -> np.ndarray:
    """Place of each row, from the top."""
    return np.arange(len(table))


def _axes(ax: Axes | None, *, height: float) -> Axes:
    return ax or Figure(figsize=(WIDTH, height), layout="constrained").subplots()


def rows_of(
    ax: Axes | None, labels: list[str], *, row_height: float = 0.34, legend_rows: int = 0
) -> Axes:
    """Axes with one row per label, read from top to bottom."""
    ax = _axes(ax, height=0.6 + 0.2 * legend_rows + row_height * len(labels))
    ax.set_yticks(range(len(labels)), labels=labels)
    ax.set_ylim(len(labels) - 0.5, -0.5)
    ax.tick_params(axis="y", length=0)
    return ax


def note_rows(ax: Axes, notes: list[str]) -> None:
    """Write the number and the size of the evidence at the right end of each row."""
    for y, note in enumerate(notes):
        ax.text(1.03, y, note, transform=ax.get_yaxis_transform(), va="center", fontsize=9)


def count_parts(ax: Axes, bars: list, counts: list[str]) -> None:
    """Write a count into each part of a bar that has room for it."""
    for bar, text in zip(bars, counts, strict=True):
        if text:
            ax.text(
                bar.get_x() + bar.get_width() / 2,
                bar.get_y() + bar.get_height() / 2,
                text,
                ha="center",
                va="center",
                fontsize=8.5,
                color="#1a1a1a",
                bbox={"boxstyle": "round,pad=0.15", "facecolor": "white", "linewidth": 0},
            )


def whiskers(ax: Axes, table: pd.DataFrame, column: str, *, colour: str) -> None:
    """Draw the interval of each row, from ``…_low`` to ``…_high``."""
    ax.hlines(
        positions(table),
        table[f"{column}_low"].to_numpy(dtype=float),
        table[f"{column}_high"].to_numpy(dtype=float),
        color=colour,
        linewidth=2,
    )


def share_axis(ax: Axes, label: str) -> None:
    """Let the axis run from 0 to 100 %."""
    ax.set_xlim(0, 1)
    ax.xaxis.set_major_formatter(percent_ticks())
    ax.set_xlabel(label)


def percent_ticks() -> PercentFormatter:
    """Write fractions as per cent."""
    return PercentFormatter(1, decimals=0, symbol=f"{numbers.NO_BREAK}%")


def amount_ticks() -> FuncFormatter:
    """Write amounts short."""
    return FuncFormatter(lambda amount, _: numbers.money(amount, None, compact=True))


def legend_above(ax: Axes, *, columns: int = 3) -> None:
    """Put the legend above the axes, where no data are."""
    ax.legend(loc="lower left", bbox_to_anchor=(0, 1.0), ncols=columns, borderaxespad=0.2)


def _won_steps(ax: Axes, rows: pd.DataFrame, *, label: str, colour: str, line: str) -> None:
    ages, won = _from_zero(rows, "won_rate")
    _ages, low = _from_zero(rows, "won_rate_low")
    _ages, high = _from_zero(rows, "won_rate_high")
    ax.step(ages, won, where="post", color=colour, linestyle=line, label=label)
    ax.fill_between(ages[1:], low[1:], high[1:], step="post", color=colour, alpha=0.2, linewidth=0)


def _from_zero(rows: pd.DataFrame, column: str) -> tuple[np.ndarray, np.ndarray]:
    """A step curve from (0, 0) to the age at which fewer than `FEWEST_AT_RISK` are left."""
    ages = rows["age_days"].to_numpy(dtype=float)
    kept = rows.loc[_is_followed(rows), column].to_numpy(dtype=float)
    # The last value holds until the first row that is left out.
    until = ages[len(kept) : len(kept) + 1] if len(kept) else ages[:0]
    return np.r_[0, ages[: len(kept)], until], np.r_[0, kept, kept[-1:][: len(until)]]


def _is_followed(rows: pd.DataFrame) -> pd.Series:
    return (rows["n_at_risk"] >= FEWEST_AT_RISK).cummin()


def _cell(ax: Axes, cell: object, *, x: int, y: int, highest: float) -> None:
    """One cell of the grid: its share as a shade and as text, or why it has none."""
    square = {"xy": (x - 0.48, y - 0.46), "width": 0.96, "height": 0.92}
    if cell.is_truncated:
        patch = Rectangle(**square, **TRUNCATED)
        text, colour = words.incomplete_mark(), BLACK
    elif not cell.is_mature:
        patch = Rectangle(**square, **YOUNG)
        text, colour = words.immature_mark(), BLACK
    else:
        strength = 0 if pd.isna(cell.won_rate) or not highest > 0 else cell.won_rate / highest
        patch = Rectangle(**square, facecolor=shade(strength), lw=0)
        text, colour = numbers.percent(cell.won_rate), INK
    ax.add_patch(patch)
    ax.text(x, y, text, ha="center", va="center", fontsize=9, color=colour)


def shade(strength: float) -> tuple[float, ...]:
    """From nearly white to a blue on which dark text still stands out (6:1)."""
    pale, full = np.array([232, 241, 248]) / 255, np.array([86, 165, 211]) / 255
    return tuple(pale + (full - pale) * strength)
