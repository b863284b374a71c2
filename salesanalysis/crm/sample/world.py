"""
The sample company's world: what happened to every deal in 24 months, drawn from `truth`.

Time runs in days from the start ("raw"); `working_time` squeezes it into working hours, which keeps the order of
events and, on average, their distance. Nothing here depends on a date of observation: an export as of a day is a
cut through this one log.
"""

from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy.special import expit

from salesanalysis.crm.sample.staff import (
    END,
    START,
    Roster,
    Staff,
    quotas,
    rosters,
    staff,
    teammates,
)
from salesanalysis.crm.sample.truth import (
    ACTIONS_DONE,
    ACTIVITY_TYPES,
    CHANGED_ON,
    INSTALMENTS,
    INSTALMENTS_SHARE,
    LOST,
    LOST_DAYS,
    NEVER_CLOSED,
    NEVER_PAID,
    PRODUCTS,
    REFUNDED,
    REFUNDED_WHOLE,
    REQUIRED,
    SLA_DAYS,
    SOURCES,
    STAGE_TIME,
    STALE,
    TAU,
    TIE,
    WIN_RATE,
    WON,
    WON_DAYS,
    case_mix,
    intercepts,
    path_shares,
)

_SPAN = 730.8  # raw days that fill 2024-07-01 … 2026-06-30
_GROWTH = 0.25  # arrivals at the end against the start: 1.25 to 1
_SEGMENT_SHARE = (
    (0.25, 0.45, 0.3),  # by region
    (0.2, 0.5, 0.3),
    (0.3, 0.45, 0.25),
    (0.12, 0.43, 0.45),
)
_SOURCE_SHARE = (0.28, 0.17, 0.22, 0.12, 0.12, 0.09)
_PRODUCT_SHARE = (
    (0.05, 0.3, 0.25, 0.2, 0.05, 0.15),  # by segment
    (0.2, 0.3, 0.12, 0.15, 0.13, 0.1),
    (0.4, 0.1, 0.02, 0.13, 0.3, 0.05),
)
_PRICE = np.array([38_000, 86_000, 150_000, 64_000, 45_000, 30_000])
_SIZE = np.array([3.2, 1.2, 0.4])
_TYPE_SHARE = np.array([0.5, 0.1, 0.15, 0.1, 0.15])
_MINUTES = np.array([12, 90, 60, 75, 5])
_IS_REQUIRED = np.array([[kind in kinds for kind in ACTIVITY_TYPES] for kinds in REQUIRED])
_DAY = np.timedelta64(86_400, "s")


class World(NamedTuple):
    """The whole log; deals are numbered in the order of their creation, persons as in `staff`."""

    staff: Staff
    deals: pd.DataFrame  # created, owner (first), team, region, source, …, cell, skill, probability
    stage: np.ndarray  # deal × step: row of STAGES, -1 after the last
    entered: np.ndarray  # deal × step: instant, NaT where it never happens
    owner_changes: pd.DataFrame  # deal, at, owner
    deal_changes: pd.DataFrame  # deal, at, is_amount, old, new (cents; days since 1970)
    activities: pd.DataFrame  # deal, type, created, due, done, minutes
    credits: pd.DataFrame  # deal, at (won), person, share, is_overlay
    satisfaction: pd.DataFrame  # deal, person, asked, answered, score
    payments: pd.DataFrame  # deal, at (won), day (NaT: never), cents; refunds are negative
    quotas: pd.DataFrame
    dirt: dict[str, np.ndarray]  # kind -> deals chosen to carry it
    skills: np.ndarray  # by person, logit scale


def simulate(
    n_deals: int, seed: int, *, dirt: bool, reps: int | None = None, changed: bool = True
) -> World:
    """
    Let the company work for 24 months.

    Parameters
    ----------
    n_deals : int
    seed : int
        The same arguments give the same world.
    dirt : bool
        Choose deals that will carry faults; those removed, or entered after they had ended, change the log.
    reps : int, optional
        Over the whole time; default one for 75 deals, 12 to 400.
    changed : bool
        Without, the teams that would work a new way go on as before.

    Returns
    -------
    World
    """
    streams = [np.random.default_rng(s) for s in np.random.SeedSequence(seed).spawn(12)]
    company = staff(streams[0], max(12, min(400, n_deals // 75)) if reps is None else reps)
    periods = list(rosters(company))
    skills = streams[1].normal(0, TAU, company.n_people)
    deals = _deals(streams[2], n_deals, company, periods, skills, changed=changed)
    stage, raw = _paths(streams[3], deals)
    entered = working_time(raw)
    chosen = _choose_dirt(streams[4], stage, entered, deals) if dirt else {}
    _remove(streams[4], deals, stage, entered, chosen)
    _enter_after_the_fact(deals, stage, entered, chosen)
    ended = closings(deals, stage, entered)
    owner_changes = _owner_changes(streams[5], deals, ended, periods)
    won = _won(deals, stage, entered, owner_changes)
    deal_changes = _deal_changes(streams[6], deals)
    stays = _stays(streams[10], deals, stage, raw)
    per_rep_quarter = n_deals / (8 * len(periods[0].members))
    expected = per_rep_quarter * WIN_RATE[0] * deals["amount"].mean() / 100
    return World(
        staff=company,
        deals=deals,
        stage=stage,
        entered=entered,
        owner_changes=owner_changes,
        deal_changes=deal_changes,
        activities=_activities(streams[7], streams[10], deals, stays),
        credits=_credits(streams[8], won, company, periods),
        satisfaction=_satisfaction(streams[8], won),
        payments=_payments(streams[11], deals, deal_changes, won),
        quotas=quotas(streams[9], company, expected=expected),
        dirt=chosen,
        skills=skills,
    )


def working_time(raw_days: np.ndarray) -> np.ndarray:
    """
    Squeeze days from the start, each hour alike, into Monday to Friday, 9:00 to 18:00.

    >>> print(working_time(np.array([0.0, 3.5, np.nan])))
    ['2024-07-01T09:00:00' '2024-07-03T13:30:00'                 'NaT']
    """
    week, rest = np.divmod(raw_days, 7)
    day, part = np.divmod(rest * 5 / 7, 1)
    seconds = np.floor((week * 7 + day) * 86_400 + 9 * 3600 + part * 9 * 3600)
    seconds = np.where(np.isnan(seconds), np.iinfo(np.int64).min, seconds)
    return START + seconds.astype(np.int64).astype("m8[s]")


def owner_at(deals: pd.DataFrame, changes: pd.DataFrame, deal: np.ndarray, at) -> np.ndarray:
    """
    Owner of a deal at an instant, as a person number.

    Parameters
    ----------
    deals, changes : DataFrame
        As in `World`; `changes` sorted by deal and time.
    deal, at : array of deal numbers; array of instants or one instant

    Returns
    -------
    array of person numbers
    """
    key = _instant_key(changes["deal"].to_numpy(), changes["at"].to_numpy())
    last = np.searchsorted(key, _instant_key(deal, at), side="right") - 1
    owner = deals["owner"].to_numpy()[deal]
    has_changed = np.flatnonzero(last >= 0)
    same = changes["deal"].to_numpy()[last[has_changed]] == deal[has_changed]
    rows = has_changed[same]
    owner[rows] = changes["owner"].to_numpy()[last[rows]]
    return owner


def closings(deals: pd.DataFrame, stage: np.ndarray, entered: np.ndarray) -> np.ndarray:
    """Instant at which each deal is closed or removed for good; NaT where it never is."""
    last = (stage >= 0).sum(axis=1) - 1
    closed = entered[np.arange(len(stage)), last]
    return np.fmin(closed, deals["removed"].to_numpy())


def _instant_key(deal: np.ndarray, at) -> np.ndarray:
    """One integer that orders by deal, then time."""
    seconds = (np.asarray(at).astype("M8[s]") - START).astype(np.int64)
    return np.asarray(deal, np.int64) * 2**32 + seconds


def _deals(
    rng, n_deals: int, company: Staff, periods: list[Roster], skills, *, changed: bool
) -> pd.DataFrame:
    """Who wants what when, who gets it, and its true win probability."""
    u = np.sort(rng.random(n_deals))
    raw = _SPAN * (np.sqrt(1 + 2 * _GROWTH * (1 + _GROWTH / 2) * u) - 1) / _GROWTH
    deals = pd.DataFrame({"raw": raw, "created": working_time(raw)})
    owner, team = np.empty(n_deals, np.int64), np.empty(n_deals, np.int64)
    pull = rng.lognormal(0, 0.25, company.n_people)
    for period in periods:
        rows = slice(*np.searchsorted(deals["created"], [period.start, period.end]))
        weight = pull[period.members]
        size = rows.stop - rows.start
        owner[rows] = rng.choice(period.members, size, p=weight / weight.sum())
        team[rows] = period.team_of[owner[rows]]
    deals["owner"], deals["team"] = owner, team
    deals["region"] = company.teams["region"].to_numpy()[team]
    accounts = max(1, round(0.15 * n_deals))  # per region
    deals["account"] = 4 * rng.integers(0, accounts, n_deals) + deals["region"]
    by_account = _pick(rng, np.array(_SEGMENT_SHARE)[np.arange(4 * accounts) % 4])
    deals["segment"] = by_account[deals["account"]]
    mix = np.array(_SOURCE_SHARE) * rng.lognormal(0, 0.5, (company.n_people, len(SOURCES)))
    deals["source"] = _pick(rng, (mix / mix.sum(axis=1, keepdims=True))[owner])
    deals["product"] = _pick(rng, np.array(_PRODUCT_SHARE)[deals["segment"]])
    price = _PRICE[deals["product"]] * _SIZE[deals["segment"]]
    deals["amount"] = np.round(100 * price * rng.lognormal(0, 0.5, n_deals)).astype(np.int64)
    days = deals["created"].to_numpy().astype("M8[D]").astype(np.int64)
    deals["expected_close"] = days + rng.integers(30, 91, n_deals)
    deals["loss_reason"] = rng.integers(-1, 5, n_deals)
    treated = company.teams["is_treated"].to_numpy()[team]
    deals["cell"] = treated * (1 + changed * (deals["created"] >= CHANGED_ON))
    return _with_outcome(rng, deals, skills)


def _pick(rng, shares: np.ndarray) -> np.ndarray:
    """One category per row of shares."""
    limit = np.cumsum(shares, axis=1)[:, :-1]
    return (rng.random(len(shares))[:, None] >= limit).sum(axis=1)


def _with_outcome(rng, deals: pd.DataFrame, skills) -> pd.DataFrame:
    """Add ``effect``, ``probability``, ``is_won``, ``days`` to the outcome, ``late_days`` of stale deals."""
    n_deals = len(deals)
    deals["effect"] = (
        case_mix(deals["source"], deals["segment"], deals["product"]) + skills[deals["owner"]]
    )
    deals["probability"] = expit(np.array(intercepts(deals))[deals["cell"]] + deals["effect"])
    deals["is_won"] = rng.random(n_deals) < deals["probability"]
    mean = np.where(
        deals["is_won"], np.array(WON_DAYS)[deals["cell"]], np.array(LOST_DAYS)[deals["cell"]]
    )
    deals["days"] = rng.gamma(2, mean / 2)
    stale = ~deals["is_won"] & (rng.random(n_deals) < STALE / (1 - deals["probability"]))
    late = np.where(rng.random(n_deals) < NEVER_CLOSED, np.nan, rng.uniform(180, 420, n_deals))
    deals["late_days"] = np.where(stale, late, 0.0)
    deals["removed"] = np.full(n_deals, "NaT", "M8[s]")
    deals["merged_into"] = -1
    return deals


def _paths(rng, deals: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    """Stage and time (raw days; NaN where it never happens) of each step of each deal."""
    paths, shares = path_shares()
    steps = max(map(len, paths))
    table = np.array([path + (-1,) * (steps - len(path)) for path in paths], np.int8)
    limits = np.cumsum(shares, axis=1) / shares.sum(axis=1, keepdims=True)
    draw, is_won = rng.random(len(deals)), deals["is_won"].to_numpy()
    path = np.where(is_won, np.searchsorted(limits[1], draw), np.searchsorted(limits[0], draw))
    stage = table[path]
    last = (stage >= 0).sum(axis=1) - 1
    stay = rng.gamma(2, 1, (len(deals), steps - 1)) * STAGE_TIME[stage[:, :-1]]
    stay[np.arange(steps - 1) >= last[:, None]] = 0
    stay[(rng.random(len(deals)) < TIE) & (last > 2), 1] = 0
    part = np.cumsum(stay, axis=1) / stay.sum(axis=1, keepdims=True)
    raw = deals["raw"].to_numpy()[:, None] + deals["days"].to_numpy()[:, None] * part
    raw = np.column_stack([deals["raw"], raw])
    rows = np.arange(len(deals))
    raw[rows, last] = deals["raw"] + deals["days"] + deals["late_days"]
    raw[stage < 0] = np.nan
    return stage, raw


_DIRT = {  # kind -> how many among 3,000 deals; the number grows with the root of the size
    "removed_deleted": 8,
    "removed_merged": 5,
    "created_in_end_state": 4,
    "duplicate_deal_rows": 4,
    "unparseable_created": 3,
    "empty_created": 3,
    "closed_before_created": 4,
    "unknown_stage_in_history": 5,
    "product_typo": 6,
    "orphan_stage_events": 4,
    "bad_amount": 4,
    "won_without_closed": 4,
    "owner_empty": 4,
    "padded_values": 9,
    "blank_activity_rows": 1,
    "wide_activity_rows": 2,
}
_TYPO_PRODUCTS = [i for i, product in enumerate(PRODUCTS) if " " in product]


def _choose_dirt(rng, stage, entered, deals: pd.DataFrame) -> dict[str, np.ndarray]:
    """Deals for each kind of fault, none with two, all such that the fault shows by the end."""
    is_closed = closings(deals, stage, entered) <= END
    long = _open_until(stage, entered) - entered[:, 0] > 5 * _DAY
    eligible = {
        "removed_deleted": long,
        "removed_merged": long & (np.arange(len(deals)) > len(deals) // 10),
        "created_in_end_state": is_closed,
        "closed_before_created": is_closed,
        "unknown_stage_in_history": (entered[:, 1] <= END) & (stage[:, 1] < WON),
        "product_typo": np.isin(deals["product"], _TYPO_PRODUCTS),
        "won_without_closed": is_closed & deals["is_won"].to_numpy(),
    }
    free = np.ones(len(deals), bool)
    chosen = {}
    for kind, base in _DIRT.items():
        size = max(1, round(base * np.sqrt(len(deals) / 3000)))
        pool = np.flatnonzero(free & eligible.get(kind, True))
        chosen[kind] = np.sort(rng.choice(pool, min(size, len(pool)), replace=False))
        free[chosen[kind]] = False
    for deal in chosen["removed_merged"]:
        deals.loc[deal, "merged_into"] = np.flatnonzero(free[:deal])[-1]
    return chosen


def _remove(rng, deals: pd.DataFrame, stage, entered, chosen: dict) -> None:
    """Delete or merge the chosen deals while they are open; nothing happens to them afterwards."""
    rows = np.concatenate(
        [chosen.get(f"removed_{how}", []) for how in ("deleted", "merged")]
    ).astype(int)
    created = entered[rows, 0]
    seconds = (_open_until(stage[rows], entered[rows]) - created).astype(np.int64)
    removed = created + (seconds * rng.uniform(0.3, 0.9, len(rows))).astype("m8[s]")
    deals.loc[rows, "removed"] = removed
    entered[rows] = np.where(entered[rows] > removed[:, None], np.datetime64("NaT"), entered[rows])


def _open_until(stage, entered) -> np.ndarray:
    """First entry to an end state, at most the end of the log."""
    return np.fmin(np.fmin.reduce(np.where(stage >= WON, entered, END), axis=1), END)


def _enter_after_the_fact(deals: pd.DataFrame, stage, entered, chosen: dict) -> None:
    """Let the chosen deals be created when they had already ended."""
    rows = chosen.get("created_in_end_state", np.array([], int))
    stage[rows, 0] = np.where(deals["is_won"].to_numpy()[rows], WON, LOST)
    stage[rows, 1:] = -1
    entered[rows, 1:] = "NaT"
    deals.loc[rows, "days"] = 0.0


def _owner_changes(
    rng, deals: pd.DataFrame, ended: np.ndarray, periods: list[Roster]
) -> pd.DataFrame:
    """Hand over open deals of leavers, and one deal in twenty for no known reason, to a teammate."""
    owner = deals["owner"].to_numpy().copy()
    created = deals["created"].to_numpy()
    wanted = rng.random(len(deals)) < 0.05
    raw = deals["raw"] + deals["days"] * rng.uniform(0.1, 0.9, len(deals))
    at = working_time(np.where(wanted, raw, np.nan))
    wanted = np.flatnonzero((at > created) & ~(at >= ended) & (at <= END))
    wanted = wanted[np.argsort(at[wanted], kind="stable")]
    log = []
    for period in periods:
        for person, team in period.leavers.itertuples(index=False):
            rows = np.flatnonzero(
                (owner == person) & (created < period.start) & ~(ended <= period.start)
            )
            step = rng.integers(0, period.size[team], len(rows))
            owner[rows] = period.members[period.first[team] + step]
            log.append(pd.DataFrame({"deal": rows, "at": period.start, "owner": owner[rows]}))
        rows = wanted[slice(*np.searchsorted(at[wanted], [period.start, period.end]))]
        owner[rows] = teammates(rng, period, owner[rows])
        log.append(pd.DataFrame({"deal": rows, "at": at[rows], "owner": owner[rows]}))
    changes = pd.concat(log, ignore_index=True)
    return changes.sort_values(["deal", "at"], kind="stable", ignore_index=True)


def _won(deals: pd.DataFrame, stage, entered, owner_changes) -> pd.DataFrame:
    """Deals won by the end: ``deal``, ``at``, ``owner`` then, in order of time."""
    deal, step = np.nonzero((stage == WON) & (entered <= END))
    won = pd.DataFrame({"deal": deal, "at": entered[deal, step]})
    won["owner"] = owner_at(deals, owner_changes, deal, won["at"].to_numpy())
    return won.sort_values(["at", "deal"], ignore_index=True)


def _deal_changes(rng, deals: pd.DataFrame) -> pd.DataFrame:
    """Amounts corrected and close dates put off while a deal is worked on."""
    frames = []
    for is_amount, shares in ((True, (0.925, 0.06, 0.015)), (False, (0.9, 0.065, 0.025, 0.01))):
        value = deals["amount" if is_amount else "expected_close"].to_numpy().copy()
        count = rng.choice(len(shares), len(deals), p=shares)
        part = np.sort(rng.uniform(0.05, 0.95, (len(deals), len(shares) - 1)), axis=1)
        for k in range(len(shares) - 1):
            rows = np.flatnonzero((count > k) & (deals["days"] > 0))
            at = working_time(
                deals["raw"].to_numpy()[rows] + deals["days"].to_numpy()[rows] * part[rows, k]
            )
            if is_amount:
                new = np.round(value[rows] * rng.lognormal(-0.05, 0.2, len(rows))).astype(np.int64)
            else:
                today = at.astype("M8[D]").astype(np.int64)
                new = np.maximum(value[rows], today) + rng.integers(7, 61, len(rows))
            step = {"deal": rows, "at": at, "is_amount": is_amount, "old": value[rows], "new": new}
            frames.append(pd.DataFrame(step))
            value[rows] = new
    changes = pd.concat(frames, ignore_index=True)
    removed = deals["removed"].to_numpy()[changes["deal"]]
    changes = changes[(changes["at"] <= END) & ~(changes["at"] > removed)]
    return changes.sort_values(["deal", "at"], kind="stable", ignore_index=True)


def _stays(rng, deals: pd.DataFrame, stage: np.ndarray, raw: np.ndarray) -> pd.DataFrame:
    """Stays in stages, by deal and in order of time, with whether what the stage requires is done: ``is_done``."""
    deal, step = np.nonzero((stage >= 0) & (stage < WON))
    stays = pd.DataFrame({"deal": deal, "stage": stage[deal, step], "begin": raw[deal, step]})
    end = raw[deal, step + 1]
    stays["end"] = np.where(np.isnan(end), np.inf, end)
    share = np.array(ACTIONS_DONE)[deals["cell"].to_numpy()[deal]]
    stays["is_done"] = rng.random(len(stays)) < share
    return stays


def _activities(rng, process_rng, deals: pd.DataFrame, stays: pd.DataFrame) -> pd.DataFrame:
    """
    What stages require, as far as it is done, and other calls and visits; in order of creation.

    Half are planned ahead. In a stay whose required activity is not done, no other one counts as it by chance.
    """
    count = rng.poisson(3.0, len(deals)) * (deals["days"] > 0)
    deal = np.repeat(np.arange(len(deals)), count)
    n = len(deal)
    raw = deals["raw"].to_numpy()[deal] + deals["days"].to_numpy()[deal] * rng.random(n)
    kind = rng.choice(len(ACTIVITY_TYPES), n, p=_TYPE_SHARE)
    is_planned = rng.random(n) < 0.5
    due = raw + np.where(is_planned, rng.exponential(3, n), 0)
    done = due + np.where(is_planned & (rng.random(n) < 0.4), rng.exponential(2, n), 0)
    done[is_planned & (rng.random(n) < 0.12)] = np.nan  # forgotten
    others = pd.DataFrame({"deal": deal, "created": raw, "due": due, "done": done})
    others["type"] = _not_required(process_rng, kind, others, stays)
    required = _required(process_rng, stays[stays["is_done"]])
    activities = pd.concat([others, required], ignore_index=True)
    minutes = _MINUTES[activities["type"]] * rng.lognormal(0, 0.4, len(activities))
    activities["minutes"] = np.round(minutes).astype(np.int64)
    for column in ("created", "due", "done"):
        activities[column] = working_time(activities[column].to_numpy())
    removed = deals["removed"].to_numpy()[activities["deal"]]
    activities["done"] = activities["done"].where(~(activities["done"] > removed))
    known = (activities["created"] <= END) & ~(activities["created"] > removed)
    return activities[known].sort_values(["created", "deal"], kind="stable", ignore_index=True)


def _required(rng, stays: pd.DataFrame) -> pd.DataFrame:
    """One activity per stay, of a kind its stage requires, done on the day planned and in the days allowed."""
    begin, stage = stays["begin"].to_numpy(), stays["stage"].to_numpy()
    days = np.minimum(stays["end"] - begin, np.array(SLA_DAYS)[stage])
    done = begin + days * rng.random(len(stays))
    ahead = np.where(rng.random(len(stays)) < 0.5, rng.random(len(stays)), 0)
    activities = pd.DataFrame({"deal": stays["deal"], "created": done - (done - begin) * ahead})
    activities["due"] = activities["done"] = done
    return activities.assign(type=_pick(rng, _of_types(_IS_REQUIRED)[stage]))


def _not_required(rng, kind: np.ndarray, activities: pd.DataFrame, stays: pd.DataFrame):
    """The kinds, changed where they would be what a stay requires and is to go without."""
    kind = kind.copy()
    key = stays["deal"].to_numpy() * 1e5 + stays["begin"].to_numpy()
    at = activities["deal"].to_numpy() * 1e5 + activities["done"].to_numpy()
    begun_last = np.searchsorted(key, at, side="right") - 1
    stay = stays.iloc[begun_last]
    is_in_stay = activities["done"].to_numpy() < stay["end"].to_numpy()
    stage = stay["stage"].to_numpy()
    clash = is_in_stay & ~stay["is_done"].to_numpy() & _IS_REQUIRED[stage, kind]
    kind[clash] = _pick(rng, _of_types(~_IS_REQUIRED)[stage[clash]])
    return kind


def _of_types(allowed: np.ndarray) -> np.ndarray:
    """Shares of the kinds of activity by stage, of those allowed there."""
    share = _TYPE_SHARE * allowed
    return share / share.sum(axis=1, keepdims=True)


def _credits(rng, won: pd.DataFrame, company: Staff, periods: list[Roster]) -> pd.DataFrame:
    """Shares of won deals: one in eight split 70/30 with a teammate, one in twenty with presales on top."""
    split = rng.random(len(won)) < 0.125
    mate = np.full(len(won), -1)
    owner, at = won["owner"].to_numpy(), won["at"].to_numpy()
    for period in periods:
        rows = np.arange(*np.searchsorted(at, [period.start, period.end]))
        rows = rows[split[rows] & (period.team_of[owner[rows]] >= 0)]
        mate[rows] = teammates(rng, period, owner[rows])
    split = mate >= 0
    overlay = rng.random(len(won)) < 0.05
    rows = [
        won.assign(person=owner, share=np.where(split, 0.7, 1.0), is_overlay=False),
        won[split].assign(person=mate[split], share=0.3, is_overlay=False),
        won[overlay].assign(
            person=rng.choice(company.presales, overlay.sum()),
            share=rng.choice([0.2, 0.5, 1.0], overlay.sum()),
            is_overlay=True,
        ),
    ]
    credits = pd.concat(rows, ignore_index=True)
    return credits.sort_values(["deal", "is_overlay"], kind="stable", ignore_index=True)


def _satisfaction(rng, won: pd.DataFrame) -> pd.DataFrame:
    """Customers of six won deals in ten are asked; about half of them answer, on a scale to 10."""
    asked = won[rng.random(len(won)) < 0.6].rename(columns={"owner": "person"})
    n = len(asked)
    day = asked.pop("at").to_numpy().astype("M8[D]") + rng.integers(7, 21, n)
    asked["asked"] = day.astype("M8[s]") + np.timedelta64(10 * 3600, "s")
    answer = np.floor(rng.exponential(3, n) * 86_400).astype("m8[s]")
    asked["answered"] = asked["asked"].to_numpy() + answer
    asked.loc[rng.random(n) < 0.5, "answered"] = np.datetime64("NaT")
    asked["score"] = np.clip(np.round(rng.normal(7.8, 1.7, n)), 1, 10).astype(np.int64)
    return asked[asked["asked"] <= END].sort_values("deal", ignore_index=True)


def _payments(rng, deals: pd.DataFrame, deal_changes: pd.DataFrame, won) -> pd.DataFrame:
    """Won deals are paid at once or in instalments in the months after; a few never, and a few get money back."""
    n = len(won)
    amount = deals["amount"].to_numpy().copy()
    new = deal_changes[deal_changes["is_amount"]]
    amount[new["deal"]] = new["new"]  # in order of time: the last one stays
    amount = amount[won["deal"]]
    share = np.array(INSTALMENTS)[rng.choice(len(INSTALMENTS), n, p=INSTALMENTS_SHARE)]
    cents = np.floor(share * amount[:, None]).astype(np.int64)
    last = (share > 0).sum(axis=1) - 1
    cents[np.arange(n), last] += amount - cents.sum(axis=1)
    wait = np.column_stack([3 + rng.exponential(12, n), rng.uniform(14, 45, (n, 2))])
    after = np.floor(np.cumsum(wait, axis=1)).astype(np.int64)
    is_never_paid = rng.random(n) < NEVER_PAID
    back_after = after[np.arange(n), last] + rng.integers(10, 121, n)
    back_share = np.where(rng.random(n) < REFUNDED_WHOLE, 1.0, rng.uniform(0.1, 0.5, n))
    back = np.where(rng.random(n) < REFUNDED, np.round(back_share * amount), 0)
    cents = np.column_stack([cents, -back.astype(np.int64)])
    day = won["at"].to_numpy().astype("M8[D]")[:, None] + np.column_stack([after, back_after])
    day = np.busday_offset(day, 0, roll="forward").astype("M8[s]")
    day[is_never_paid] = "NaT"
    row, part = np.nonzero(cents)
    payments = won[["deal", "at"]].iloc[row].assign(day=day[row, part], cents=cents[row, part])
    return payments.sort_values(["day", "deal"], kind="stable", ignore_index=True)
