"""
Today's list: the open deals that need attention, why, what to do about each, who does it and by when.

A deal is on it for reasons that stand in the process file or the CRM, each with what was found, the limit and the day
since when. It is ranked by value at stake and no longer than a person can work off in a day.
"""

from typing import NamedTuple

import numpy as np
import pandas as pd

from salesanalysis.crm.errors import ParameterError
from salesanalysis.crm.process import Process, Stage
from salesanalysis.crm.seen import Seen
from salesanalysis.metrics import chances
from salesanalysis.metrics.groups import expect_days, names

ACTIONS = {
    "loss_likely": "decide_with_manager",
    "stuck": "ask_for_decision",
    "step_overdue": "do_overdue_step",
    "actions_missing": "do_required_actions",
    "no_next_step": "agree_next_step",
    "rotting": "move_on_or_close",
    "close_pushed": "confirm_close",
    "close_over": "correct_close",
}
"""
What each reason asks to be done. A deal's action is that of its first reason in this order.
"""

FEWEST_WON = 20  # won deals, below which it is not said how long winning takes
STUCK_SHARE = 0.95  # of the won deals took no longer
LARGE_SHARE = 0.9  # of the open deals with an amount are smaller than a large one


class _Limits(NamedTuple):
    ahead_days: int
    pushes: int
    loss_probability: float


def attention(
    seen: Seen,
    process: Process,
    *,
    per_person: int,
    ahead_days: int,
    pushes: int,
    loss_probability: float,
    team: str = "",
    rep: str = "",
) -> pd.DataFrame:
    """
    List the open deals that have a reason to be looked at, the most value at stake first.

    Parameters
    ----------
    seen, process, ahead_days, pushes, loss_probability : as for `reasons`
    per_person : int
        What a person can do in a day. The first so many of a person are due on the first weekday after the as-of
        day, the next ones on the weekday after that, and so on; public holidays are not known.
    team, rep : str
        Only the deals of this team, of this owner; empty means all. Days, ranks and limits are those of the whole
        list, so that every page says the same of a deal.

    Returns
    -------
    DataFrame, one row per deal with a reason
        ``deal_key``, ``deal_id``, ``account``, ``pipeline``, ``stage``, ``owner``, ``team`` (the deal's),
        ``amount``; ``won_rate`` with the 95 % interval ``won_rate_low``, ``won_rate_high`` and ``basis`` (stage,
        all stages, or missing) as `chances.won_from_here` gives for the days since the deal first entered its stage;
        ``value_at_stake`` = amount x ``won_rate`` (NaN where either is unknown; such deals come after the others,
        those with more reasons first, then those with the better chance); ``reasons`` (tuple of slugs), ``reason`` (the first of them), ``what`` (of
        that reason), ``action`` (slug; assign_owner where the owner has left or there is none), ``person`` and
        ``name`` of who is to do it (the owner; where that one has left, the manager, unless only one rep is asked for; else missing), ``rank`` (among
        those of that person), ``due`` (a day), ``is_today`` (due on the first of these weekdays).

    Raises
    ------
    ParameterError
        A limit out of range, or a rep or team that the source does not know.
    """
    if not isinstance(per_person, int) or per_person < 1:
        raise ParameterError(f"per_person must be a whole number from 1 on, found {per_person!r}")
    limits = _limits(ahead_days, pushes, loss_probability)
    key = ("attention", _rules(seen, process), limits, per_person)
    table = seen.once(key, lambda: _whole_list(seen, process, limits, per_person))
    table = _part(seen, table, team, rep)
    if rep:  # the page of one who has just left names no manager either
        who = ["person", "name"]
        table[who] = table[who].where(table["person"] == rep, None)
    return table


def _whole_list(seen: Seen, process: Process, limits: _Limits, per_person: int) -> pd.DataFrame:
    found = _reasons(seen, process, limits)
    first = found.drop_duplicates("deal_key")[["deal_key", "reason", "what"]]
    several = found.groupby("deal_key")["reason"].agg(tuple).rename("reasons").reset_index()
    table = _open_deals(seen).merge(first, on="deal_key", validate="1:1")
    table = table.merge(several, on="deal_key", validate="1:1")
    table = table.join(_who_acts(seen, table["owner"]))
    is_own = table["person"].notna() & (table["person"] == table["owner"])
    table["action"] = table["reason"].map(ACTIONS).where(is_own, "assign_owner")
    table["n_reasons"] = table["reasons"].map(len).astype(int)
    table = table.sort_values(
        ["value_at_stake", "n_reasons", "won_rate", "deal_id"],
        ascending=[False, False, False, True],
        ignore_index=True,
    )
    place = table.groupby("person", dropna=False).cumcount().to_numpy()
    tomorrow = np.datetime64(seen.as_of, "D") + 1
    due = np.busday_offset(tomorrow, place // per_person, roll="forward")
    table = table.assign(
        rank=place + 1, due=due.astype("datetime64[s]"), is_today=place < per_person
    )
    return table[_COLUMNS]


_COLUMNS = [
    *("deal_key", "deal_id", "account", "pipeline", "stage", "owner", "team", "amount"),
    *("won_rate", "won_rate_low", "won_rate_high", "basis", "value_at_stake"),
    *("reasons", "reason", "what", "action", "person", "name", "rank", "due", "is_today"),
]


def _who_acts(seen: Seen, owner: pd.Series) -> pd.DataFrame:
    """The owner, or the manager of an owner who has left; missing where there is nobody."""
    person = owner
    if not seen.reason("people"):
        people = seen.frame("SELECT person_id, manager_id, left_on FROM people")
        people = people.set_index("person_id")
        left = people.index[people["left_on"].notna()]
        person = person.mask(owner.isin(left), owner.map(people["manager_id"]))
        person = person.mask(person.isin(left))
    return pd.DataFrame({"person": person, "name": names(seen, person)})


def waiting(table: pd.DataFrame) -> pd.DataFrame:
    """
    Count what each person has to do today and what waits, from `attention`.

    Returns
    -------
    DataFrame, one row per person, by name
        ``person``, ``name``, ``n_today``, ``n_waiting``, ``value_waiting`` (at stake, of those where it is known; NaN where it is of none), ``last_due``
        (of those that wait; NaT where none does).
    """
    later = ~table["is_today"].astype(bool)
    rows = table.assign(
        n_today=(~later).astype(int),
        n_waiting=later.astype(int),
        value_waiting=table["value_at_stake"].where(later),
        last_due=table["due"].where(later),
    )
    groups = rows.groupby(["name", "person"], dropna=False)
    counts = groups[["n_today", "n_waiting"]].sum()
    value = groups["value_waiting"].sum(min_count=1)
    counts["value_waiting"] = value.mask(counts["n_waiting"] == 0, 0.0)
    counts["last_due"] = groups["last_due"].max()
    return counts.reset_index()[["person", "name", *counts.columns]]


def reasons(
    seen: Seen,
    process: Process,
    *,
    ahead_days: int,
    pushes: int,
    loss_probability: float,
    team: str = "",
    rep: str = "",
) -> pd.DataFrame:
    """
    Say why each open deal needs attention, with what was found, the limit and since when.

    Parameters
    ----------
    seen : Seen
    process : Process
        Its stages in force on the as-of day give the days allowed and the required actions; for a stage it does not
        name, the CRM's own days allowed count.
    ahead_days : int
        A required action is missed this many days before the stage's days are over.
    pushes : int
        Times an expected close date may be moved to a later day before it is one time too many.
    loss_probability : float
        A large deal whose chance to be won is below this is one to decide about.
    team, rep : str
        Only the deals of this team, of this owner; empty means all.

    Returns
    -------
    DataFrame, one row per open deal and reason, deals in order, reasons in the order of `ACTIONS`
        ``deal_key``, ``reason``, ``found``, ``threshold``, ``since`` (day on which the reason began to hold),
        ``what``:

        - ``loss_likely``: among the largest tenth of the open deals (at or above the 90 % quantile of their
          amounts) and ``found``, the chance to be won, is below ``threshold``; since the chance has been lower.
        - ``step_overdue``: a planned activity was due before the as-of day and is not done, or the deal's next
          step lies before it and nothing is planned from then on; ``found`` days over of the first one (0 allowed);
          ``what`` its kind.
        - ``actions_missing``: ``found`` required activities of the present stage, of ``threshold``, were not done since it
          was entered, and its days end within `ahead_days` or are over; ``what`` names their kinds.
        - ``no_next_step``: nothing is planned, on the as-of day or later, and nothing overdue; ``found`` days since the last
          activity done, or since creation without one, ``since`` that day, no threshold.
        - ``stuck``: older, in days since creation, than ``threshold``: 95 % of the won deals of the pipeline took no
          longer (of all pipelines where that one has won fewer than 20).
        - ``rotting``: longer in the present stage than the days allowed (strict); ``what`` is the stage.
        - ``close_pushed``: expected close moved to a later day ``found`` times, ``threshold`` or more.
        - ``close_over``: expected close lies ``found`` days back (0 allowed).

        Days are calendar days. ``found`` and ``since`` are missing where the source does not tell.

    Raises
    ------
    ParameterError
        A limit out of range, or a rep or team that the source does not know.
    """
    limits = _limits(ahead_days, pushes, loss_probability)
    deals = _part(seen, _open_deals(seen), team, rep)
    table = _reasons(seen, process, limits)
    return table[table["deal_key"].isin(deals["deal_key"])].reset_index(drop=True)


def _limits(ahead_days: int, pushes: int, loss_probability: float) -> _Limits:
    expect_days(ahead_days=ahead_days)
    if not isinstance(pushes, int) or pushes < 1:
        raise ParameterError(f"pushes must be a whole number from 1 on, found {pushes!r}")
    if not 0 <= loss_probability <= 1:
        raise ParameterError(
            f"loss_probability must lie between 0 and 1, found {loss_probability!r}"
        )
    return _Limits(ahead_days, pushes, loss_probability)


def _rules(seen: Seen, process: Process) -> tuple[Stage, ...]:
    return process.on(seen.as_of).stages


def _part(seen: Seen, table: pd.DataFrame, team: str, rep: str) -> pd.DataFrame:
    """The deals of a team or an owner; one that nobody knows is refused, for it would look like a clean desk."""
    for name, wanted, column, person in (
        ("team", team, "team", "team"),
        ("rep", rep, "owner", "person_id"),
    ):
        if not wanted:
            continue
        known = set(seen.frame(f"SELECT DISTINCT {column} AS known FROM deals")["known"])
        if not seen.reason("people"):
            known |= set(seen.frame(f"SELECT DISTINCT {person} AS known FROM people")["known"])
        if wanted not in known:
            raise ParameterError(f"{name} must be one the source knows, found {wanted!r}")
        table = table[table[column] == wanted]
    return table.reset_index(drop=True)


def by_reason(
    seen: Seen,
    process: Process,
    *,
    ahead_days: int,
    pushes: int,
    loss_probability: float,
    team: str = "",
    rep: str = "",
) -> pd.DataFrame:
    """
    Count the open deals with each reason, and say which reasons this source cannot give.

    Parameters
    ----------
    seen, process, ahead_days, pushes, loss_probability, team, rep : as for `reasons`

    Returns
    -------
    DataFrame, one row per reason, in the order of `ACTIONS`
        ``reason``, ``n_deals``, ``n_open`` (all open deals), ``amount`` of the deals with the reason and
        ``value_at_stake`` in them (of those where it is known; NaN where it is of none); ``threshold_low``, ``threshold_high`` (the limits that occur among
        the open deals; NaN where there is none); ``why`` (slug of why it cannot be given: source, no_days_allowed,
        no_required_actions, nothing_planned, no_expected_close, no_amount, too_few_won, too_few_followed; else empty) and ``text``
        (the source's own reason, else empty).
    """
    limits = _limits(ahead_days, pushes, loss_probability)
    deals = _part(seen, _open_deals(seen), team, rep)
    found = _reasons(seen, process, limits)
    found = found[found["deal_key"].isin(deals["deal_key"])]
    found = found.merge(deals[["deal_key", "amount", "value_at_stake"]], validate="m:1")
    groups = found.groupby("reason")
    table = pd.DataFrame({"reason": list(ACTIONS)})
    table["n_deals"] = table["reason"].map(groups.size()).fillna(0).astype(int)
    table["n_open"] = len(deals)
    for name in ("amount", "value_at_stake"):
        sums = table["reason"].map(groups[name].sum(min_count=1)).astype(float)
        table[name] = sums.mask(table["n_deals"] == 0, 0.0)
    allowed = {
        "rotting": _with_rules(seen, process, deals)["allowed_days"],
        "stuck": _won_within(seen, deals["pipeline"]),
        "close_pushed": pd.Series([limits.pushes]),
        "loss_likely": pd.Series([limits.loss_probability]),
    }
    for end, read in (("low", pd.Series.min), ("high", pd.Series.max)):
        found_limits = {name: read(values) for name, values in allowed.items()}
        table[f"threshold_{end}"] = table["reason"].map(found_limits).astype(float)
    why = _impossible(seen, process)
    table["why"] = [why.get(name, ("", ""))[0] for name in table["reason"]]
    table["text"] = [why.get(name, ("", ""))[1] for name in table["reason"]]
    return table


def _impossible(seen: Seen, process: Process) -> dict[str, tuple[str, str]]:
    """Of each reason that nothing in the source can give: slug, and the source's own words."""
    deals = _open_deals(seen)
    needs = {
        "loss_likely": ("deals.amount",),
        "actions_missing": ("stage_events", "activities"),
        "rotting": ("stage_events",),
        "close_pushed": ("deal_changes",),
    }
    why: dict[str, tuple[str, str]] = {}
    if not len(deals):
        return why
    if deals["next_step_on"].isna().all():
        needs |= {"step_overdue": ("activities",), "no_next_step": ("activities",)}
    if not _is_planned(seen, deals):
        why |= dict.fromkeys(("step_overdue", "no_next_step"), ("nothing_planned", ""))
    ruled = _with_rules(seen, process, deals)
    won = _won_within(seen, deals["pipeline"])
    if ruled["allowed_days"].isna().all():
        why["rotting"] = ("no_days_allowed", "")
    if not any(stage.actions for stage in _rules(seen, process)):
        why["actions_missing"] = ("no_required_actions", "")
    if deals["expected_close"].isna().all():
        why["close_over"] = ("no_expected_close", "")
    if won.isna().all():
        why["stuck"] = ("too_few_won", "")
    if deals["won_rate"].isna().all():
        why["loss_likely"] = ("too_few_followed", "")
    if deals["amount"].isna().all():
        why["loss_likely"] = ("no_amount", "")
    for name, tables in needs.items():
        for text in filter(None, map(seen.reason, tables)):
            why[name] = ("source", text)
    return why


def _open_deals(seen: Seen) -> pd.DataFrame:
    """Every open deal with its stage, since when, what it is worth and the chance that it is won."""
    return seen.once("attention.open_deals", lambda: _valued(seen))


def _valued(seen: Seen) -> pd.DataFrame:
    has_stages = not seen.reason("stage_events")
    stage = "s.stage, s.entered_on, s.stay_days, v.days_since_entered"
    joins = """
        LEFT JOIN stays s ON s.deal_key = d.deal_key AND s.outcome = 'open'
        LEFT JOIN first_visits v ON v.deal_key = d.deal_key AND v.pipeline = s.pipeline AND v.stage = s.stage
    """
    if not has_stages:
        stage = "d.stage, CAST(NULL AS DATE) AS entered_on, NULL AS stay_days, d.days_since_created AS days_since_entered"
        joins = ""
    deals = seen.frame(
        f"""
        SELECT d.deal_key, i.deal_id, i.account, d.pipeline, {stage}, d.owner, d.team, d.amount, d.created_on,
               d.days_since_created, i.expected_close, i.n_pushes, i.next_step_on
        FROM deals d JOIN details i ON i.deal_key = d.deal_key {joins}
        WHERE d.cause = 0 ORDER BY d.deal_key
        """
    )
    days = ["stay_days", "days_since_entered", "days_since_created", "amount"]
    deals = deals.astype(dict.fromkeys(days, float))
    known = chances.won_from_here(seen)
    rates = ["won_rate", "won_rate_low", "won_rate_high"]
    pooled = known["stage"].isna()
    own = deals[["pipeline", "stage", "days_since_entered"]].merge(
        known[~pooled], how="left", validate="m:1",
        left_on=["pipeline", "stage", "days_since_entered"], right_on=["pipeline", "stage", "days"],
    )  # fmt: skip
    all_stages = deals[["days_since_entered"]].merge(
        known[pooled], how="left", validate="m:1", left_on="days_since_entered", right_on="days"
    )
    is_own, is_pooled = own["won_rate"].notna(), all_stages["won_rate"].notna()
    deals[rates] = own[rates].where(is_own, all_stages[rates], axis=0)
    deals["basis"] = np.select([is_own, is_pooled], ["stage", "all stages"], None)
    deals["value_at_stake"] = deals["amount"] * deals["won_rate"]
    return deals


def _reasons(seen: Seen, process: Process, limits: _Limits) -> pd.DataFrame:
    key = ("attention.reasons", _rules(seen, process), limits)
    return seen.once(key, lambda: _find_reasons(seen, process, limits))


_FOUND = ["deal_key", "reason", "found", "threshold", "since", "what"]


def _find_reasons(seen: Seen, process: Process, limits: _Limits) -> pd.DataFrame:
    deals = _with_rules(seen, process, _open_deals(seen))
    as_of = pd.Timestamp(seen.as_of)
    parts = [
        _loss_likely(seen, deals, limits.loss_probability),
        *_next_steps(seen, deals, as_of),
        _actions_missing(seen, process, deals, as_of, limits.ahead_days),
        _stuck(seen, deals),
        _rotting(deals),
        _close_pushed(seen, deals, limits.pushes),
        _close_over(deals, as_of),
    ]
    empty = pd.DataFrame(columns=_FOUND).astype(
        {"deal_key": "int64", "found": float, "threshold": float, "since": "datetime64[s]"}
    )
    parts = [part[_FOUND].astype({"since": "datetime64[s]"}) for part in parts if len(part)]
    table = pd.concat(parts, ignore_index=True) if parts else empty
    order = table["reason"].map({name: place for place, name in enumerate(ACTIONS)})
    table = table.assign(order=order).sort_values(["deal_key", "order"], ignore_index=True)
    return table.drop(columns="order")


def _with_rules(seen: Seen, process: Process, deals: pd.DataFrame) -> pd.DataFrame:
    """The deals with ``allowed_days`` of their present stage (NaN where nobody says) and the process's stage."""
    crm_days = seen.frame("SELECT pipeline, stage, sla_days FROM stages WHERE sla_days IS NOT NULL")
    given = {(row.pipeline, row.stage): row.sla_days for row in crm_days.itertuples()}
    places = list(zip(deals["pipeline"], deals["stage"], strict=True))
    rules = [_rule(_rules(seen, process), *place) for place in places]
    days = [
        rule.sla_days if rule else given.get(place, np.nan)
        for rule, place in zip(rules, places, strict=True)
    ]
    return deals.assign(
        allowed_days=np.array(days, dtype=float), rule=pd.Series(rules, deals.index, dtype=object)
    )


def _rule(stages: tuple[Stage, ...], pipeline: object, stage: object) -> Stage | None:
    """The process's stage of that pipeline, else the one of any pipeline."""
    own = [rule for rule in stages if rule.stage == stage and rule.pipeline in (None, pipeline)]
    return max(own, key=lambda rule: rule.pipeline is not None, default=None)


def _shift(day: pd.Series, days) -> pd.Series:
    return day + pd.to_timedelta(days, unit="D")


def _loss_likely(seen: Seen, deals: pd.DataFrame, loss_probability: float) -> pd.DataFrame:
    amounts = deals["amount"].dropna()
    if not len(amounts):
        return deals.head(0)
    is_large = deals["amount"] >= np.quantile(amounts, LARGE_SHARE)
    rows = deals[is_large & (deals["won_rate"] < loss_probability)]
    known, days = chances.won_from_here(seen), rows["days_since_entered"]
    fell = [_fell_below(known, row, loss_probability) for row in rows.itertuples()]
    since = _shift(
        pd.Series(pd.Timestamp(seen.as_of), rows.index),
        pd.Series(fell, rows.index, dtype=float) - days,
    )
    return rows.assign(
        reason="loss_likely",
        found=rows["won_rate"],
        threshold=loss_probability,
        since=since,
        what=None,
    )


def _fell_below(known: pd.DataFrame, row, loss_probability: float) -> int:
    """Day after entering the stage from which on the curve used has been below."""
    part = known[known["stage"].isna()]
    if row.basis == "stage":
        part = known[(known["pipeline"] == row.pipeline) & (known["stage"] == row.stage)]
    higher = part[(part["days"] <= row.days_since_entered) & (part["won_rate"] >= loss_probability)]
    return int(higher["days"].max()) + 1 if len(higher) else 0


def _next_steps(seen: Seen, deals: pd.DataFrame, as_of: pd.Timestamp) -> list[pd.DataFrame]:
    """Deals whose next step is overdue, and deals that have none."""
    if not _is_planned(seen, deals):
        return []
    has_activities = not seen.reason("activities")
    deals = deals.set_index("deal_key", drop=False)
    planned, last_done = (
        _activities(seen)
        if has_activities
        else (_NOTHING_PLANNED, pd.Series(dtype="datetime64[s]"))
    )
    is_ahead = planned["due_on"] >= as_of
    ahead = deals.index.isin(planned.loc[is_ahead, "deal_key"]) | (deals["next_step_on"] >= as_of)
    first = planned[~is_ahead].drop_duplicates("deal_key").set_index("deal_key")
    over = first["due_on"].reindex(deals.index)
    kind = first["type"].reindex(deals.index)
    is_dated = over.isna() & ~ahead & (deals["next_step_on"] < as_of)
    over = over.mask(is_dated, deals["next_step_on"])
    overdue = deals.assign(
        reason="step_overdue",
        found=(as_of - over).dt.days.astype(float),
        threshold=0.0,
        since=_shift(over, 1),
        what=kind.astype(object).where(kind.notna(), None),
    )
    last = last_done.reindex(deals.index)
    if has_activities:
        last = last.fillna(deals["created_on"])
    none = deals.assign(
        reason="no_next_step",
        found=(as_of - last).dt.days.astype(float),
        threshold=np.nan,
        since=last,
        what=None,
    )
    return [overdue[over.notna()], none[over.isna() & ~ahead]]


def _is_planned(seen: Seen, deals: pd.DataFrame) -> bool:
    """Whether steps are entered before they are done; where all are logged afterwards, none is missing."""
    if deals["next_step_on"].notna().any():
        return True
    if seen.reason("activities"):
        return False
    planned = seen.frame(
        "SELECT count(*) AS n FROM activities WHERE due_on > created_on OR (due_on IS NOT NULL AND done_on IS NULL)"
    )
    return bool(planned["n"].iloc[0])


_NOTHING_PLANNED = pd.DataFrame(
    {"deal_key": pd.Series(dtype="int64"), "due_on": pd.Series(dtype="datetime64[s]"), "type": pd.Series(dtype=object)}
)  # fmt: skip


def _activities(seen: Seen) -> tuple[pd.DataFrame, pd.Series]:
    """What is planned for open deals and not done, by day; and the day on which each was last worked on."""
    planned = seen.frame(
        """
        SELECT DISTINCT a.deal_key, a.due_on, a.type FROM activities a JOIN deals d ON d.deal_key = a.deal_key
        WHERE d.cause = 0 AND a.done_on IS NULL AND a.due_on IS NOT NULL ORDER BY 1, 2, 3
        """
    )
    done = seen.frame(
        """
        SELECT a.deal_key, max(a.done_on) AS done_on FROM activities a JOIN deals d ON d.deal_key = a.deal_key
        WHERE d.cause = 0 AND a.done_on IS NOT NULL GROUP BY 1
        """
    )
    return planned, done.set_index("deal_key")["done_on"]


def _actions_missing(
    seen: Seen, process: Process, deals: pd.DataFrame, as_of: pd.Timestamp, ahead_days: int
) -> pd.DataFrame:
    end = _shift(deals["entered_on"], deals["allowed_days"])
    is_close = end <= as_of + pd.Timedelta(days=ahead_days)
    asked = np.array([bool(rule and rule.actions) for rule in deals["rule"]], dtype=bool)
    rows = deals.assign(end=end)[is_close & asked]
    if seen.reason("activities"):
        return rows.head(0)
    done = seen.frame(
        """
        SELECT s.deal_key, a.type, count(*) AS n FROM stays s JOIN activities a ON a.deal_key = s.deal_key
        WHERE s.outcome = 'open' AND a.done_on >= s.entered_on GROUP BY 1, 2
        """
    )
    counts = {(row.deal_key, row.type): row.n for row in done.itertuples()}
    missing = [_missing(row.rule, row.deal_key, counts) for row in rows.itertuples()]
    begins = _shift(rows["end"], -ahead_days)
    rows = rows.assign(
        reason="actions_missing",
        found=[float(n) for n, _ in missing],
        threshold=[float(sum(action.at_least for action in rule.actions)) for rule in rows["rule"]],
        since=begins.where(begins > rows["entered_on"], rows["entered_on"]),
        what=[kinds for _, kinds in missing],
    )
    return rows[rows["found"] > 0]


def _missing(rule: Stage, deal_key: int, counts: dict) -> tuple[int, str]:
    """How many required activities a deal lacks, and their kinds: any of those between slashes."""
    lacks = {
        "/".join(action.activities): action.at_least
        - sum(counts.get((deal_key, kind), 0) for kind in action.activities)
        for action in rule.actions
    }
    lacks = {kinds: n for kinds, n in lacks.items() if n > 0}
    return sum(lacks.values()), ", ".join(lacks)


def _stuck(seen: Seen, deals: pd.DataFrame) -> pd.DataFrame:
    longest = _won_within(seen, deals["pipeline"])
    rows = deals.assign(
        reason="stuck",
        found=deals["days_since_created"],
        threshold=longest,
        since=_shift(deals["created_on"], longest + 1),
        what=None,
    )
    return rows[rows["found"] > rows["threshold"]]


def _won_within(seen: Seen, pipeline: pd.Series) -> pd.Series:
    """Days within which most won deals of each pipeline were won; of all where too few were."""
    won = seen.frame(
        "SELECT pipeline, exit_age, count(*) AS n FROM deals WHERE cause = 1 AND exit_age >= 0 GROUP BY 1, 2"
    )
    days = {name: _quantile(part) for name, part in won.groupby("pipeline", dropna=False)}
    own = np.array([days.get(name, np.nan) for name in pipeline], dtype=float)
    return pd.Series(np.where(np.isnan(own), _quantile(won), own), pipeline.index, dtype=float)


def _quantile(won: pd.DataFrame) -> float:
    if won["n"].sum() < FEWEST_WON:
        return np.nan
    return float(np.quantile(won["exit_age"], STUCK_SHARE, weights=won["n"], method="inverted_cdf"))


def _rotting(deals: pd.DataFrame) -> pd.DataFrame:
    rows = deals.assign(
        reason="rotting",
        found=deals["stay_days"],
        threshold=deals["allowed_days"],
        since=_shift(deals["entered_on"], deals["allowed_days"] + 1),
        what=deals["stage"],
    )
    return rows[rows["found"] > rows["threshold"]]


def _close_pushed(seen: Seen, deals: pd.DataFrame, pushes: int) -> pd.DataFrame:
    if seen.reason("deal_changes"):
        return deals.head(0)
    moves = seen.frame(
        """
        SELECT c.deal_key, c.changed_at, c.changed_on, c.old, c.new FROM changes c
        JOIN deals d ON d.deal_key = c.deal_key WHERE d.cause = 0 AND c.field = 'expected_close'
        """
    ).sort_values(["deal_key", "changed_at"], kind="stable")
    old, new = (
        pd.to_datetime(moves[name].str.strip(), format="ISO8601", errors="coerce")
        for name in ("old", "new")
    )
    later = moves[new > old]
    last = later[later.groupby("deal_key").cumcount() == pushes - 1].set_index("deal_key")
    rows = deals[deals["n_pushes"] >= pushes]
    return rows.assign(
        reason="close_pushed",
        found=rows["n_pushes"].astype(float),
        threshold=float(pushes),
        since=last["changed_on"].reindex(rows["deal_key"]).to_numpy(),
        what=None,
    )


def _close_over(deals: pd.DataFrame, as_of: pd.Timestamp) -> pd.DataFrame:
    rows = deals[deals["expected_close"] < as_of]
    return rows.assign(
        reason="close_over",
        found=(as_of - rows["expected_close"]).dt.days.astype(float),
        threshold=0.0,
        since=_shift(rows["expected_close"], 1),
        what=None,
    )
