"""
Which step is worth improving first, and which segments deserve more attention (definitions: pipeline and forecast).
"""

from collections.abc import Mapping
from itertools import combinations

import numpy as np
import pandas as pd

from salesanalysis.crm.errors import ParameterError
from salesanalysis.crm.seen import Seen
from salesanalysis.metrics.groups import expect_days, group_column
from salesanalysis.statistics import levers as model
from salesanalysis.statistics import proportions, survival

FEWEST_DEALS = 10  # of a group at a stage, to have a part in its benchmark
FEWEST_COMPARED = 30  # deals old enough of a segment, to be compared with the rest
COMMON = (
    0.5  # share of the won leads that were in a stage, from which it is a factor of the share won
)
MONTH_DAYS = 365.25 / 12
_SAME = 1e-9  # ratios nearer to 1 than this differ by rounding
KINDS = ("source", "segment", "product", "region")
BETWEEN = " × "  # stands between the two parts of a pair of segments, in its kind and in its group
_PLACE = ["pipeline", "stage", "stage_order"]


def levers(
    seen: Seen,
    *,
    within_days: int | Mapping[str, int],
    by: str = "team",
    period_months: int = 12,
    seed: int = 1,
    draws: int = 20_000,
) -> pd.DataFrame:
    """
    Estimate what each stage would gain in wins a month at a rate that other groups reach.

    All of it is of the last `period_months`: the deals that entered each stage in them and the leads, the deals that
    entered their first stage. A step rate p is next-step conversion in any-stage mode (`funnel.step_conversion`): to
    any later stage or won within `within_days` of the first visit, lost competing, open deals censored. The benchmark b
    is the 75 % quantile over groups of their posterior mean rates at that stage.

    W, the share of leads won, is taken as the product of the step rates of a pipeline, as if a deal passed every stage;
    a stage that fewer than half of the won leads were in is no factor of it. A deal that skips a stage has nothing to
    gain there, so the gain W max(b / p − 1, 0) counts by the share of won leads that were in the stage
    (``won_through_share``; 1 where nobody skips). What the product says and what was observed stand side by side,
    ``product_rate`` and ``won_rate``: they differ by skips, moves back, steps slower than `within_days`, and because a
    deal's chance at one step may depend on how it passed another.

    Parameters
    ----------
    seen : Seen
        Needs ``stage_events``; without them the result has no rows.
    within_days : int, or int by stage
        Days within which a step counts. Long enough that a slow step is not taken for a lost one.
    by : segment
        Whose rates are the benchmark; at the first entry. Never owner: a step is a matter of the process.
    period_months : int
        Where the stage history is shorter, its length is taken.
    seed, draws : int
        Of the draws of the rates.

    Returns
    -------
    DataFrame, one row per stage that deals entered, in order
        ``pipeline``, ``stage``, ``stage_order``; ``n_deals`` that entered in the period, ``n_advanced`` of them seen to
        go on within ``within_days``; ``advanced_rate`` with ``advanced_rate_low``, ``advanced_rate_high`` and ``n_eff``
        (NaN where no deal was followed that long); ``benchmark_rate`` and ``benchmark_groups`` (names of those that
        reach it, as text), ``n_groups`` compared (each with at least 10 deals; NaN and empty with fewer than two);
        ``leads_per_month``, ``wins_per_month`` (leads × ``won_rate``), ``product_rate``, ``won_rate`` of the leads with ``won_rate_low``, ``won_rate_high``
        (Aalen-Johansen, as far as they were followed), ``won_through_share``; ``gain_per_month`` (wins; median of the
        draws) with ``gain_low``, ``gain_high`` (95 %), ``top_share`` (probability that no stage of any pipeline gains
        more), ``amount_per_month`` (gain × mean amount of the deals of the pipeline won in the period; NaN without
        amounts). The gain is NaN where its benchmark or a rate of its pipeline is.

    Raises
    ------
    ParameterError
        ``by`` is owner or no segment, days or months that cannot be, or a stage without days.
    """
    if by == "owner":
        raise ParameterError(
            "by must be a segment that names no person, such as team or region, found 'owner'"
        )
    seen.segment(by)
    _expect_months(period_months)
    key = ("bottlenecks.levers", repr(within_days), by, period_months, seed, draws)
    return seen.once(
        key, lambda: _levers(seen, within_days, by, period_months, seed=seed, draws=draws)
    )


_LEVERS = [
    *(*_PLACE, "within_days", "n_deals", "n_advanced"),
    *("advanced_rate", "advanced_rate_low", "advanced_rate_high", "n_eff"),
    *("benchmark_rate", "benchmark_groups", "n_groups"),
    *("leads_per_month", "wins_per_month", "product_rate"),
    *("won_rate", "won_rate_low", "won_rate_high", "won_through_share"),
    *("gain_per_month", "gain_low", "gain_high", "top_share", "amount_per_month"),
]


def _levers(seen, within_days, by, period_months, *, seed, draws) -> pd.DataFrame:
    if seen.reason("stage_events"):
        return pd.DataFrame(columns=_LEVERS)
    window = round(period_months * MONTH_DAYS)
    counts = _visits(seen, by, window)
    days = _days_of(counts["stage"], within_days)
    if counts.empty:
        return pd.DataFrame(columns=_LEVERS)
    table = _steps(counts, _PLACE, days)
    groups = _steps(counts.dropna(subset="group"), ["group", *_PLACE], days)
    table = table.merge(_benchmarks(groups), how="left", on=_PLACE, validate="1:1")
    table = table.merge(_leads(seen, window), how="left", on="pipeline", validate="m:1")
    table = table.merge(_won_through(seen, window), how="left", on=_PLACE, validate="1:1")
    table = table.merge(_mean_won(seen, window), how="left", on="pipeline", validate="m:1")
    table["n_groups"] = table["n_groups"].fillna(0).astype("int64")
    table["benchmark_groups"] = table["benchmark_groups"].fillna("")
    n_won = table["n_won"].where(table["n_won"] > 0)
    table["won_through_share"] = (table["n_through"].fillna(0) / n_won).fillna(1.0)
    is_common = table["won_through_share"] >= COMMON
    table = table.merge(_product(table[is_common]), how="left", on="pipeline", validate="m:1")
    table["wins_per_month"] = table["leads_per_month"] * table["won_rate"]
    gains = model.levers(
        table["advanced_rate"],
        table["n_eff"].fillna(0),
        table["benchmark_rate"],
        weight=table["leads_per_month"] * table["won_through_share"],
        chain=table["pipeline"],
        is_common=is_common,
        seed=seed,
        draws=draws,
    )
    table[["gain_per_month", "gain_low", "gain_high", "top_share"]] = gains.to_numpy()
    table["amount_per_month"] = table["gain_per_month"] * table["mean_won_amount"]
    return table.sort_values(["pipeline", "stage_order"], ignore_index=True)[_LEVERS]


def _product(table: pd.DataFrame) -> pd.DataFrame:
    """Product of the step rates of each pipeline; NaN where one is not known."""
    rates = table.groupby("pipeline", dropna=False)["advanced_rate"]
    return rates.agg(lambda part: part.prod(skipna=False)).rename("product_rate").reset_index()


def _expect_months(months: int) -> None:
    if not isinstance(months, int) or months < 1:
        raise ParameterError(f"period_months must be a whole number from 1 on, found {months!r}")


def _days_of(stages: pd.Series, within_days: int | Mapping[str, int]) -> dict[str, int]:
    """Days of each stage."""
    if not isinstance(within_days, Mapping):
        expect_days(within_days=within_days)
        return dict.fromkeys(stages.unique(), within_days)
    missing = sorted(set(stages) - set(within_days))
    if missing:
        raise ParameterError(
            f"within_days must have days for every stage, but has none for {', '.join(missing)}"
        )
    expect_days(within_days=list(within_days.values()))
    return dict(within_days)


def _visits(seen: Seen, by: str, window: int) -> pd.DataFrame:
    """Count the first visits begun in the window by how and when they ended."""
    table = seen.frame(
        f"""
        SELECT {group_column(seen, by)} AS "group", pipeline, stage, stage_order, exit_age, cause, count(*) AS n
        FROM first_visits WHERE is_removed = 0 AND days_since_entered < ? GROUP BY 1, 2, 3, 4, 5, 6
        """,
        (window,),
    )
    return table.sort_values([*table.columns], ignore_index=True)  # draws go by the order of rows


def _steps(counts: pd.DataFrame, place: list[str], days: dict[str, int]) -> pd.DataFrame:
    """Next-step conversion of each place, each read at the days of its stage."""
    parts = []
    for within, stages in pd.Series(days).groupby(pd.Series(days)):
        part = counts[counts["stage"].isin(stages.index)]
        if len(part):
            parts.append(_read(part, place, int(within)).assign(within_days=int(within)))
    columns = [*place, "n_deals", "n_advanced", *_RATES, "n_eff", "within_days"]
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=columns)


_RATES = ["advanced_rate", "advanced_rate_low", "advanced_rate_high"]


def _read(counts: pd.DataFrame, place: list[str], within: int) -> pd.DataFrame:
    places = counts[place].drop_duplicates(ignore_index=True)
    row = counts.groupby(place, dropna=False, sort=False).ngroup().to_numpy()
    cells = _cells(row, counts["exit_age"], counts["cause"], counts["n"], within)
    table = places.assign(
        n_deals=cells.sum(axis=(1, 2)).astype(int),
        n_advanced=cells[:, 1, :-1].sum(axis=1).astype(int),
    )
    return table.join(survival.incidence_of_groups(cells).add_prefix("advanced_")).rename(
        columns={"advanced_n_eff": "n_eff"}
    )


def _cells(row, age, cause, n, within: int) -> np.ndarray:
    """Cases by row, cause and age; what happened later than `within` shares the last place and is open there."""
    age, cause = np.asarray(age, dtype=int), np.asarray(cause, dtype=int)
    cells = np.zeros((int(np.max(row, initial=-1)) + 1, 3, within + 2))
    np.add.at(cells, (row, np.where(age > within, 0, cause), np.minimum(age, within + 1)), n)
    return cells


def _benchmarks(groups: pd.DataFrame) -> pd.DataFrame:
    """The benchmark of each stage, who reaches it, and how many groups it was taken of."""
    groups = groups[(groups["n_deals"] >= FEWEST_DEALS) & groups["advanced_rate"].notna()]
    rows = []
    for place, part in groups.groupby(_PLACE, dropna=False):
        value, reached = model.benchmark(
            part["group"].to_numpy(dtype=object), part["advanced_rate"], part["n_eff"]
        )
        names = [str(name) for name in reached.index[reached["is_reached"].astype(bool)]]
        rows.append([*place, value, ", ".join(names), len(part)])
    columns = [*_PLACE, "benchmark_rate", "benchmark_groups", "n_groups"]
    table = pd.DataFrame(rows, columns=columns)
    return table.astype({"benchmark_rate": float, "stage_order": groups["stage_order"].dtype})


_STARTS = """
    WITH starts AS (
      SELECT deal_key, pipeline, min(entered_on) AS entered_on, max(days_since_entered) AS days FROM first_visits
      WHERE is_removed = 0 GROUP BY deal_key, pipeline
    )
"""


def _leads(seen: Seen, window: int) -> pd.DataFrame:
    """Deals that entered their first stage in the window: how many a month, and the share of them that is won."""
    counts = seen.frame(
        f"""{_STARTS}
        SELECT s.pipeline AS pipeline, d.cause AS cause,
               CASE WHEN d.cause = 0 THEN s.days
                    ELSE date_diff('day', CAST(s.entered_on AS DATE), CAST(d.closed_on AS DATE)) END AS age,
               count(*) AS n
        FROM starts s JOIN deals d ON d.deal_key = s.deal_key WHERE d.cause IS NOT NULL AND s.days < ? GROUP BY 1, 2, 3
        """,
        (window,),
    )
    months = min(window, _history_days(seen)) / MONTH_DAYS
    rows = []
    for pipeline, part in counts.groupby("pipeline", dropna=False):
        known = part[part["age"] >= 0]
        ages = [int(known["age"].max())] if len(known) else []
        won = survival.incidence_at(known["age"], known["cause"], known["n"], ages)
        row = {
            "pipeline": pipeline,
            "leads_per_month": part["n"].sum() / months,
            "n_won": int(part.loc[part["cause"] == 1, "n"].sum()),
        }
        rates = won[["rate", "rate_low", "rate_high"]].add_prefix("won_")
        rows.append(row | (rates.iloc[0].to_dict() if len(rates) else {}))
    columns = ["pipeline", "leads_per_month", "n_won", "won_rate", "won_rate_low", "won_rate_high"]
    return pd.DataFrame(rows, columns=columns)


def _history_days(seen: Seen) -> int:
    """Days of stage history, today included."""
    longest = seen.frame("SELECT max(days_since_entered) AS days FROM first_visits")["days"]
    return int(longest.iloc[0]) + 1


def _won_through(seen: Seen, window: int) -> pd.DataFrame:
    """Leads of the window that were won, by the stages they were in."""
    return seen.frame(
        f"""{_STARTS}
        SELECT v.pipeline AS pipeline, v.stage AS stage, v.stage_order AS stage_order, count(*) AS n_through
        FROM first_visits v JOIN starts s ON s.deal_key = v.deal_key AND s.pipeline = v.pipeline
        JOIN deals d ON d.deal_key = v.deal_key WHERE d.cause = 1 AND s.days < ? GROUP BY 1, 2, 3
        """,
        (window,),
    )


def _mean_won(seen: Seen, window: int) -> pd.DataFrame:
    """Mean amount of the deals won in the window; those without an amount are left out."""
    sums = seen.frame(
        """
        SELECT pipeline, sum(amount) AS amount, count(amount) AS n FROM deals
        WHERE cause = 1 AND days_since_created - exit_age < ? GROUP BY 1
        """,
        (window,),
    )
    return sums.assign(mean_won_amount=sums["amount"] / sums["n"].where(sums["n"] > 0))[
        ["pipeline", "mean_won_amount"]
    ]


def velocity(seen: Seen, *, period_months: int = 12) -> pd.DataFrame:
    """
    Give sales velocity as its four levers, and what shows that it cannot find a bottleneck.

    Velocity = open deals × mean won amount × closed win rate / cycle days. Its elasticities are +1, +1, +1, −1 for any
    company, whatever its stages. And open deals = deals created per day × days a deal stays open (Little), so a shorter
    cycle makes the open deals fewer by as much, and velocity stays.

    Parameters
    ----------
    seen : Seen
    period_months : int
        Won, closed and created deals are those of the last so many months.

    Returns
    -------
    DataFrame, one row per ``lever``
        ``open_deals`` (now), ``mean_won_amount`` (of won deals with an amount), ``win_rate`` (closed win rate: won /
        (won + lost)), ``cycle_days`` (median days from creation to won), then ``velocity`` (amount per day; wins per
        day where no amount is known), ``created_per_day``, ``days_open`` (open deals / created per day),
        ``open_deals_half_cycle`` and ``velocity_half_cycle``: what they would be with every deal, won or lost, open half
        as long. Columns ``lever``, ``value`` (NaN where it cannot be said) and ``n``, the deals behind it.

    Raises
    ------
    ParameterError
        Months that cannot be.

    References
    ----------
    Little, Operations Research 9 (1961), 383-387.
    """
    _expect_months(period_months)
    window = round(period_months * MONTH_DAYS)
    closed = _closed(seen, window)
    won = closed[closed["cause"] == 1]
    n_won, n_closed, n_amount = (
        int(x) for x in (won["n"].sum(), closed["n"].sum(), won["n_amount"].sum())
    )
    opened = _opened(seen, window)
    cycle = np.nan
    if n_won:
        cycle = float(np.quantile(won["exit_age"], 0.5, weights=won["n"], method="inverted_cdf"))
    amount = won["amount"].sum() / n_amount if n_amount else np.nan
    rate = n_won / n_closed if n_closed else np.nan
    per_deal = (1.0 if np.isnan(amount) else amount) * rate
    by_day = opened["n_open"] * per_deal / cycle if cycle else np.nan
    a_day = opened["n_created"] / opened["days"] if opened["days"] else np.nan
    days_open = opened["n_open"] / a_day if a_day else np.nan
    half_open = a_day * days_open / 2
    half = half_open * per_deal / (cycle / 2) if cycle else np.nan
    rows = [
        ("open_deals", opened["n_open"], opened["n_open"]),
        ("mean_won_amount", amount, n_amount),
        ("win_rate", rate, n_closed),
        ("cycle_days", cycle, n_won),
        ("velocity", by_day, n_won),
        ("created_per_day", a_day, opened["n_created"]),
        ("days_open", days_open, opened["n_open"]),
        ("open_deals_half_cycle", half_open, opened["n_open"]),
        ("velocity_half_cycle", half, n_won),
    ]
    table = pd.DataFrame(rows, columns=["lever", "value", "n"])
    return table.astype({"value": float, "n": "int64"})


def _closed(seen: Seen, window: int) -> pd.DataFrame:
    """Deals closed in the window by outcome and age, with the sum of their amounts."""
    return seen.frame(
        """
        SELECT cause, exit_age, count(*) AS n, sum(amount) AS amount, count(amount) AS n_amount FROM deals
        WHERE cause IN (1, 2) AND exit_age >= 0 AND days_since_created - exit_age < ? GROUP BY 1, 2
        """,
        (window,),
    )


def _opened(seen: Seen, window: int) -> dict[str, int]:
    """Deals open now, deals created in the window, and the days of it that the data have."""
    counts = seen.frame(
        """
        SELECT sum(CASE WHEN status = 'open' THEN 1 ELSE 0 END) AS n_open,
               sum(CASE WHEN status <> 'removed' AND days_since_created < ? THEN 1 ELSE 0 END) AS n_created,
               max(days_since_created) AS longest
        FROM deals
        """,
        (window,),
    ).iloc[0]
    longest = 0 if pd.isna(counts["longest"]) else int(counts["longest"]) + 1
    return {
        "n_open": int(counts["n_open"]),
        "n_created": int(counts["n_created"]),
        "days": min(window, longest),
    }


def opportunities(
    seen: Seen, *, age_days: int = 90, recent_months: int = 6, pairs: bool = True
) -> pd.DataFrame:
    """
    Find segments that convert well and get little attention.

    Of the segments compared (`compared`), those whose cohort win rate is above that of the rest beyond chance (q < 0.05)
    and which have fewer activities per week than the rest, or a share of the new deals that is below the average of
    their kind and does not grow. A pair is left out where one of its two parts is a point already.

    Parameters
    ----------
    seen, age_days, recent_months, pairs
        As for `compared`.

    Returns
    -------
    DataFrame, the clearest first
        The columns of `compared`, and ``extra_wins_per_month`` with ``extra_wins_low``, ``extra_wins_high``: wins by
        that age gained a month if the segment had the average share of its kind of the new deals and the rest so many
        fewer, all converting as before; NaN where its share is not below the average, for then only activities are
        few, and what more of them would bring cannot be said from these data. ``extra_amount_per_month``: extra wins ×
        mean amount of the segment's won deals (NaN without amounts). No rows where `why_no_opportunities` says so.
    """
    table = compared(seen, age_days=age_days, recent_months=recent_months, pairs=pairs)
    is_good = (table["q_value"] < SURE) & (table["difference"] > 0)
    table = table[is_good & (table["has_few_activities"] | table["has_small_share"])]
    table = table[~_repeats(table)].copy()
    more = (table["average_share"] - table["share_now"]) * table["new_deals_per_month"]
    for name, rate in zip(_EXTRA, _DIFFERENCE, strict=True):
        table[name] = more.where(more > 0) * table[rate]
    table["extra_amount_per_month"] = table[_EXTRA[0]] * table["mean_won_amount"]
    return table.sort_values(["q_value", "kind", "group"], ignore_index=True)


_EXTRA = ["extra_wins_per_month", "extra_wins_low", "extra_wins_high"]
_DIFFERENCE = ["difference", "difference_low", "difference_high"]


def _repeats(table: pd.DataFrame) -> pd.Series:
    """Pairs of which one part is a point by itself."""
    alone = set(zip(table["kind"], table["group"], strict=True))
    parts = [
        list(zip(kind.split(BETWEEN), group.split(BETWEEN), strict=True)) if BETWEEN in kind else []
        for kind, group in zip(table["kind"], table["group"], strict=True)
    ]
    return pd.Series(
        [any(part in alone for part in some) for some in parts], index=table.index, dtype=bool
    )


def why_no_opportunities(seen: Seen) -> str | None:
    """Why the source cannot say which segments get little attention; None where it can."""
    return seen.reason("activities")


def compared(
    seen: Seen, *, age_days: int = 90, recent_months: int = 6, pairs: bool = True
) -> pd.DataFrame:
    """
    Compare how segments convert with how much attention they get, each against the rest.

    Kinds are source, segment, product and region, and with `pairs` every two of them together. Groups without a name,
    or with fewer than 30 deals, belong to the rest only.

    Parameters
    ----------
    seen : Seen
        Without ``activities`` the result has no rows.
    age_days : int
        Age at which win rates are compared, and up to which activities are counted.
    recent_months : int
        The share of the new deals is that of the last so many months, against the same number before them.
    pairs : bool

    Returns
    -------
    DataFrame, one row per kind and group, both sorted by name; kinds of one before pairs
        ``kind``, ``group`` (of pairs: two names with ` × ` between them), ``n_deals``; ``won_rate`` (cohort win rate at
        that age; Aalen-Johansen) with ``won_rate_low``, ``won_rate_high``, ``rest_rate``, ``difference`` with
        ``difference_low``, ``difference_high`` (MOVER), ``p_value`` (pooled score test on effective n), ``q_value``
        (Benjamini-Hochberg; kinds of one and pairs are two families).
        ``n_activities_per_deal``, ``rest_activities_per_deal``: activities done up to that age while the deal was open,
        of deals at least that old; ``n_activities_per_week``, ``rest_activities_per_week``: the same per week open,
        since a deal that closes early needs fewer; ``activity_ratio`` of these with ``activity_ratio_low``,
        ``activity_ratio_high``; ``has_few_activities``: the whole interval is below 1.
        ``share_now`` of the new deals with ``share_now_low``, ``share_now_high`` (Wilson), ``share_before`` (NaN where
        the data do not go back so far), ``average_share`` (1 / number of groups of the kind), ``has_small_share``: the
        whole interval is below the average and the share has not grown beyond chance; ``new_deals_per_month`` of all
        segments together; ``mean_won_amount`` (NaN without amounts).

    Raises
    ------
    ParameterError
        Days or months that cannot be.
    """
    expect_days(age_days=age_days)
    _expect_months(recent_months)
    key = ("bottlenecks.compared", age_days, recent_months, pairs)
    return seen.once(key, lambda: _compared(seen, age_days, recent_months, pairs=pairs))


_COMPARED = [
    *("kind", "group", "n_deals", "won_rate", "won_rate_low", "won_rate_high", "rest_rate"),
    *(*_DIFFERENCE, "p_value", "q_value"),
    *("n_activities_per_deal", "rest_activities_per_deal"),
    *("n_activities_per_week", "rest_activities_per_week"),
    *("activity_ratio", "activity_ratio_low", "activity_ratio_high", "has_few_activities"),
    *("share_now", "share_now_low", "share_now_high", "share_before", "average_share"),
    *("has_small_share", "new_deals_per_month", "mean_won_amount"),
]


def _compared(seen: Seen, age_days: int, recent_months: int, *, pairs: bool) -> pd.DataFrame:
    deals = pd.DataFrame() if seen.reason("activities") else _deals(seen, age_days)
    families = [[(kind,) for kind in KINDS], list(combinations(KINDS, 2)) if pairs else []]
    parts = []
    for family in families if len(deals) else []:
        tables = [
            table
            for kinds in family
            if (table := _of_kind(deals, kinds, age_days, recent_months)) is not None
        ]
        if tables:
            table = pd.concat(tables, ignore_index=True)
            parts.append(table.assign(q_value=proportions.false_discovery(table["p_value"])))
    table = pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=_COMPARED)
    flags = dict.fromkeys(["has_few_activities", "has_small_share"], bool)
    return table.astype(flags)[_COMPARED]


def _deals(seen: Seen, age_days: int) -> pd.DataFrame:
    """One row per deal: its segments, how and when it ended, and the activities it had up to the age, while open."""
    return seen.frame(
        """
        WITH done AS (
          SELECT a.deal_key AS deal_key, count(*) AS n FROM activities a JOIN deals d ON d.deal_key = a.deal_key
          WHERE a.done_on IS NOT NULL
            AND date_diff('day', CAST(d.created_on AS DATE), CAST(a.done_on AS DATE)) >= 0
            AND date_diff('day', CAST(d.created_on AS DATE), CAST(a.done_on AS DATE)) <= ?
            AND date_diff('day', CAST(d.created_on AS DATE), CAST(a.done_on AS DATE)) <= d.exit_age
          GROUP BY 1
        )
        SELECT d.source AS source, d.segment AS segment, d.product AS product, d.region AS region, d.cause AS cause,
               d.exit_age AS exit_age, d.days_since_created AS days_since_created, d.amount AS amount,
               coalesce(o.n, 0) AS n_activities
        FROM deals d LEFT JOIN done o ON o.deal_key = d.deal_key
        WHERE d.cause IS NOT NULL AND d.exit_age >= 0
        """,
        (age_days,),
    )


def _of_kind(
    deals: pd.DataFrame, kinds: tuple[str, ...], age_days: int, recent_months: int
) -> pd.DataFrame | None:
    """Every group of one kind against the rest; None with fewer than two groups to compare."""
    group, names = _groups(deals, kinds)
    kept = np.flatnonzero(np.bincount(group + 1, minlength=len(names) + 1)[1:] >= FEWEST_COMPARED)
    if len(kept) < 2:
        return None
    size = len(names) + 1  # the last place has the deals without a name
    row = np.where(group < 0, size - 1, group)
    table = pd.DataFrame({"kind": BETWEEN.join(kinds), "group": [names[k] for k in kept]})
    parts = [
        _conversion(deals, row, size, kept, age_days),
        _activities(deals, row, size, kept, age_days),
        _shares(deals, row, size, kept, recent_months),
    ]
    return pd.concat([table, *parts], axis=1).sort_values("group", ignore_index=True)


def _groups(deals: pd.DataFrame, kinds: tuple[str, ...]) -> tuple[np.ndarray, list[str]]:
    """Number of each deal's group (-1: a part has no name), and the names."""
    name, is_named = "", True
    for place, kind in enumerate(kinds):
        text = deals[kind].astype(object)
        is_named = is_named & text.notna() & (text != "")
        name = text.astype(str) if not place else name + BETWEEN + text.astype(str)
    codes, names = pd.factorize(name.where(is_named), sort=True)
    return codes, list(names)


def _conversion(deals, row, size, kept, age_days) -> pd.DataFrame:
    cells = _cells(row, deals["exit_age"], deals["cause"], 1, age_days)
    cells = np.concatenate([cells, np.zeros((size - len(cells), *cells.shape[1:]))])
    whole = cells.sum(axis=0)
    here, rest = (survival.incidence_of_groups(part) for part in (cells[kept], whole - cells[kept]))
    names = ["rate", "rate_low", "rate_high"]
    estimate = proportions.difference(
        *(rest[name] for name in names), *(here[name] for name in names)
    )
    table = (
        here[names]
        .add_prefix("won_")
        .assign(n_deals=cells[kept].sum(axis=(1, 2)).astype(int), rest_rate=rest["rate"])
    )
    table[_DIFFERENCE] = np.column_stack(estimate)
    return table.assign(
        p_value=proportions.pooled_p_value(here["rate"], here["n_eff"], rest["rate"], rest["n_eff"])
    )


def _activities(deals, row, size, kept, age_days) -> pd.DataFrame:
    """Activities of deals that had the time, per deal and per week open."""
    is_old = (deals["days_since_created"] >= age_days).to_numpy()
    events = deals["n_activities"].to_numpy(dtype=float)[is_old]
    weeks = (np.minimum(deals["exit_age"].to_numpy(dtype=float)[is_old], age_days) + 1) / 7
    weights = [np.ones_like(events), events, weeks, events**2, events * weeks, weeks**2]
    sums = np.column_stack(
        [np.bincount(row[is_old], weights=one, minlength=size) for one in weights]
    )
    here, rest = sums[kept], sums.sum(axis=0) - sums[kept]
    ratio, low, high = model.ratio_of_paces(here[:, 1:], rest[:, 1:])
    table = {}
    for name, side in (("n", here), ("rest", rest)):
        n, done, open_weeks = (
            np.where(side[:, k] > 0, side[:, k], np.nan) if k != 1 else side[:, 1] for k in range(3)
        )
        table[f"{name}_activities_per_deal"] = done / n
        table[f"{name}_activities_per_week"] = done / open_weeks
    table |= {"activity_ratio": ratio, "activity_ratio_low": low, "activity_ratio_high": high}
    return pd.DataFrame(table | {"has_few_activities": high < 1 - _SAME})


def _shares(deals, row, size, kept, recent_months) -> pd.DataFrame:
    """Share of the new deals, now and before, against the average share of the groups compared."""
    window = round(recent_months * MONTH_DAYS)
    days = deals["days_since_created"].to_numpy(dtype=int)
    counts = [
        np.bincount(row[of], minlength=size)
        for of in (days < window, (days >= window) & (days < 2 * window))
    ]
    now = _share(counts[0][kept], counts[0].sum())
    is_known = days.max() >= 2 * window - 1
    before = _share(counts[1][kept], counts[1].sum() if is_known else 0)
    _, growth_low, _ = proportions.difference(*before, *now)
    is_won = (deals["cause"] == 1).to_numpy() & deals["amount"].notna().to_numpy()
    n_won = np.bincount(row[is_won], minlength=size)[kept].astype(float)
    won = np.bincount(
        row[is_won], weights=deals["amount"].to_numpy(dtype=float)[is_won], minlength=size
    )
    average = 1 / len(kept)
    return pd.DataFrame(
        {
            "share_now": now[0],
            "share_now_low": now[1],
            "share_now_high": now[2],
            "share_before": before[0],
            "average_share": average,
            "has_small_share": (now[2] < average) & (growth_low <= 0),
            "new_deals_per_month": counts[0].sum() / recent_months,
            "mean_won_amount": won[kept] / np.where(n_won > 0, n_won, np.nan),
        }
    )


def _share(k: np.ndarray, n: int) -> tuple[np.ndarray, ...]:
    share = k / n if n else np.full(len(k), np.nan)
    return share, *proportions.wilson(np.where(n, k, 0), n)


SURE = 0.05
"""Share of false alarms to expect among the segments called better."""
