"""What the usual figures would have shown had nothing changed, or had nobody differed: the null twin."""

import numpy as np
import pandas as pd

from salesanalysis.crm.errors import ParameterError
from salesanalysis.crm.seen import Seen
from salesanalysis.metrics.groups import expect_days
from salesanalysis.metrics.quality import truncated_before
from salesanalysis.metrics.reps import dummies, usable, won_in_time
from salesanalysis.statistics import survival, twins
from salesanalysis.statistics.ranking import within_unit_offset

_TWIN = ["twin_median", "twin_low", "twin_high", "p_value"]
_RANKING = ["figure", "seen_value", *_TWIN]
_BEFORE_AFTER = ["figure", "before_value", "seen_value", *_TWIN]
_IS_LARGER_BETTER = {"mean_cycle_days": False, "won_created_rate": True, "won_closed_rate": True}
_MOST_UNKNOWN = (
    0.02  # of the later deals: open where the follow-up of the earlier ends, and followed on
)
_ALL_DAYS = 10**6


def ranking(
    seen: Seen, *, age_days: int, case_mix: list[str], seed: int = 1, draws: int = 999
) -> pd.DataFrame:
    """
    Compare the list of reps by share won with what it would show, were all reps equally good.

    Deals, reps and case mix are those of `reps.ranking`. In each draw of the twin a deal is won as often as the deals
    of its kind are, whoever has it.

    Parameters
    ----------
    seen : Seen
    age_days, case_mix
        As for `reps.ranking`.
    seed, draws : int
        Of the twin.

    Returns
    -------
    DataFrame, one row per figure
        ``figure``: best_rate, worst_rate (the largest and the smallest share won of a rep), spread (their difference),
        n_flagged_low (reps whose 95 % interval lies below the share of all), chi2 (of the gate); ``seen_value``;
        ``twin_median``, ``twin_low``, ``twin_high`` (95 % range), ``p_value`` (share of twins that show as much or
        more; of worst_rate: as little or less). No rows where `reps.ranking` has none.
    """
    expect_days(age_days=age_days)
    used, _ = usable(seen, case_mix, age_days)
    cells = won_in_time(seen, used, age_days)
    n, wins = cells["n_deals"].to_numpy(), cells["n_won"].to_numpy()
    if not 0 < wins.sum() < n.sum() or cells["group"].nunique() < 2:
        return pd.DataFrame(columns=_RANKING)
    unit = cells["group"].to_numpy(dtype=object)
    eta = within_unit_offset(unit, dummies(cells[used]), n, wins)
    drawn = twins.ranking(unit, eta, n, wins, seed=seed, draws=draws)
    found = twins.ranking_figures(unit, eta, n, wins)
    rows = [
        (figure, value, *_placed(value, drawn[figure], is_larger=figure != "worst_rate"))
        for figure, value in found.items()
    ]
    return pd.DataFrame(rows, columns=_RANKING)


def _placed(value: float, draws: pd.Series, *, is_larger: bool) -> twins.Place:
    return twins.place(value, draws, larger_is_claim=is_larger)


def months(seen: Seen, *, recent_months: int = 3, seed: int = 1, draws: int = 999) -> pd.DataFrame:
    """
    Compare what dashboards show of the recent months with what they would show, had nothing changed.

    Recent deals are young: those won already are the quick ones, and most are not won yet. So the mean cycle and won /
    created fall at the right edge of every chart. The twin gives each of them the fate of the earlier deals, as it was
    known when the recent months began, and looks at it for as long as it was followed.

    Parameters
    ----------
    seen : Seen
    recent_months : int
        Calendar months in which the recent deals were created, the month of the as-of date being the last.
    seed, draws : int
        Of the twin.

    Returns
    -------
    DataFrame, one row per figure
        ``figure``: won_created_rate (won so far / created), mean_cycle_days (mean age at winning, of the deals won so
        far); ``before_value`` (of the deals created earlier) and ``seen_value`` (of the recent ones), both as of
        the date; the twin's columns as `before_after` gives them. Deals created before closings were recorded
        (`quality.truncated_before`) are left out. No rows without earlier or without recent deals.
    """
    recent_days = _recent_days(seen, recent_months)
    most_days = _followed_days(seen)
    before = _known_before(seen, recent_days, most_days)
    after = _created_within(seen, 0, min(recent_days - 1, most_days))
    if not (len(before) and len(after)):
        return pd.DataFrame(columns=_BEFORE_AFTER)
    earlier = _created_within(seen, recent_days, most_days)
    return before_after(
        before,
        after.groupby("follow_up_days", as_index=False)["n"].sum(),
        _figures(after),
        earlier=_figures(earlier),
        seed=seed,
        draws=draws,
    )


def before_after(
    before: pd.DataFrame,
    after: pd.DataFrame,
    naive: dict[str, float],
    *,
    earlier: dict[str, float] | None = None,
    seed: int = 1,
    draws: int = 999,
) -> pd.DataFrame:
    """
    Compare what dashboards show of later deals with what they would show, had these gone like the earlier ones.

    Parameters
    ----------
    before : DataFrame
        ``exit_age``, ``cause``, ``n``: exits of the earlier deals, censored (cause 0) at the change.
    after : DataFrame
        ``follow_up_days``, ``n``: days from creation to the as-of date of the later deals.
    naive : dict
        Figure (mean_cycle_days, won_created_rate, won_closed_rate) of the later deals as a dashboard shows it.
    earlier : dict, optional
        The same figures of the earlier deals: where the later figure is the larger, that is the claim. Without, the
        claim is that things got better: a shorter cycle, a higher rate.
    seed, draws : int
        Of the twin.

    Returns
    -------
    DataFrame, one row per figure of `naive`
        ``figure``, ``before_value`` (NaN without `earlier`), ``seen_value``, ``twin_median``, ``twin_low``,
        ``twin_high`` (95 % range of the twins that have the figure), ``p_value`` (share of twins as far in the
        direction of the claim). The twin is NaN where the earlier deals were not followed long enough: where more than
        2 % of the later ones would still be open at the end of that follow-up, and have been followed on. No rows
        without earlier or without later deals.
    """
    if not (before["n"].sum() and after["n"].sum()):
        return pd.DataFrame(columns=_BEFORE_AFTER)
    follow_up = after["follow_up_days"].repeat(after["n"]).to_numpy()
    exits = (before["exit_age"], before["cause"], before["n"])
    drawn = twins.before_after(*exits, follow_up, seed=seed, draws=draws)
    if _unknown_share(*exits, follow_up) > _MOST_UNKNOWN:
        drawn = drawn * float("nan")
    rows = []
    for figure, value in naive.items():
        former = (earlier or {}).get(figure, float("nan"))
        is_larger = _IS_LARGER_BETTER[figure] if pd.isna(former) else value > former
        place = _placed(value, drawn[figure], is_larger=is_larger)
        rows.append((figure, former, value, *place))
    return pd.DataFrame(rows, columns=_BEFORE_AFTER)


def _unknown_share(age: pd.Series, cause: pd.Series, n: pd.Series, follow_up: np.ndarray) -> float:
    """Share of the later deals whose fate lies beyond what was seen of the earlier ones."""
    last = int(age[n > 0].max())
    still_open = survival.incidence_at(age, cause, n, [last])["open_share"].iloc[0]
    return float(still_open * (follow_up > last).mean())


def _recent_days(seen: Seen, recent_months: int) -> int:
    """Days from the first of the recent months to the as-of date, both counted."""
    if not isinstance(recent_months, int) or recent_months < 1:
        raise ParameterError(
            f"recent_months must be whole months from 1 on, found {recent_months!r}"
        )
    as_of = pd.Timestamp(seen.as_of)
    first = as_of.replace(day=1) - pd.DateOffset(months=recent_months - 1)
    return (as_of - first).days + 1


def _followed_days(seen: Seen) -> int:
    """The greatest age whose deals were created when closings were recorded already."""
    first = truncated_before(seen)
    return _ALL_DAYS if pd.isna(first) else (pd.Timestamp(seen.as_of) - first).days


def _known_before(seen: Seen, recent_days: int, most_days: int) -> pd.DataFrame:
    """Exits of the deals created before the recent months, as known the day before these began."""
    table = seen.frame(
        """
        SELECT CASE WHEN exit_age <= days_since_created - ? THEN exit_age ELSE days_since_created - ? END AS known_age,
               CASE WHEN exit_age <= days_since_created - ? THEN cause ELSE 0 END AS known_cause, count(*) AS n
        FROM deals
        WHERE cause IS NOT NULL AND exit_age IS NOT NULL AND days_since_created >= ? AND days_since_created <= ?
        GROUP BY 1, 2
        """,
        (*[recent_days] * 4, most_days),
    )
    return table.rename(columns={"known_age": "exit_age", "known_cause": "cause"})


def _created_within(seen: Seen, youngest: int, oldest: int) -> pd.DataFrame:
    """Deals created so many days ago, by follow-up and cause: their number, and the sums of the ages of the won."""
    return seen.frame(
        """
        SELECT days_since_created AS follow_up_days, cause, count(*) AS n,
               sum(CASE WHEN cause = 1 THEN exit_age ELSE 0 END) AS sum_days
        FROM deals
        WHERE cause IS NOT NULL AND exit_age IS NOT NULL AND days_since_created >= ? AND days_since_created <= ?
        GROUP BY 1, 2
        """,
        (youngest, oldest),
    )


def _figures(deals: pd.DataFrame) -> dict[str, float]:
    n_won = deals.loc[deals["cause"] == 1, "n"].sum()
    n_lost = deals.loc[deals["cause"] == 2, "n"].sum()
    table = twins.later_figures(
        n_won, n_lost, deals["sum_days"].sum(), 0, n_created=int(deals["n"].sum())
    )
    return table[["won_created_rate", "mean_cycle_days"]].iloc[0].to_dict()
