"""One customer: what was bought, what is open and due, everything that happened, and who worked on it."""

import difflib

import numpy as np
import pandas as pd

from salesanalysis.crm.errors import ParameterError
from salesanalysis.crm.seen import Seen
from salesanalysis.metrics import groups

KINDS = (  # of events; at one instant they stand in this order
    *("deal_created", "reopened", "owner_changed", "amount_changed", "close_moved"),
    *("forecast_changed", "probability_changed", "stage_entered", "activity_planned"),
    *("activity_done", "activity_overdue", "satisfaction_asked", "satisfaction_answered"),
    *("won", "lost", "removed", "paid", "refunded"),
)
STEPS = (  # what is to be done, first things first
    *("overdue", "no_next_step", "close_passed", "owner_left", "outstanding", "upcoming"),
    "left_over",
)
_CHANGES = {
    "amount": "amount_changed",
    "expected_close": "close_moved",
    "forecast_category": "forecast_changed",
    "probability": "probability_changed",
}
_ACCOUNT = "coalesce(i.account_id, i.account)"
_TIMELINE = {
    **dict.fromkeys(("day", "due_on"), "datetime64[s]"),
    **dict.fromkeys(("kind", "deal_id", "stage", "type", "outcome", "old", "new", "person"), "str"),
    **dict.fromkeys(("amount", "score", "scale_max"), "float64"),
}
_NEAR = 5  # accounts that an error names
_EARLIEST, _LATEST = (
    pd.Timestamp("1900-01-01"),
    pd.Timestamp("2201-01-01"),
)  # of what a load accepts


def choose(seen: Seen, account: str = "") -> str:
    """
    Find an account by its id or its exact name.

    Parameters
    ----------
    seen : Seen
    account : str
        Empty: the account with the largest won amount as of the day, then the most deals, then the first id.

    Returns
    -------
    str
        Its id; where the source has none, its name. Empty where nothing was asked for and no deal names an account.

    Raises
    ------
    ParameterError
        No such account is known that day (near ones are named), or several accounts have the name.
    """
    known = _accounts(seen)
    if not account:
        order = known.sort_values(
            ["won_amount", "n_deals", "account"], ascending=[False, False, True]
        )
        return order["account"].iloc[0] if len(order) else ""
    if account in set(known["account"]):
        return account
    named = sorted(known.loc[[account in names for names in known["names"]], "account"])
    if len(named) == 1:
        return named[0]
    if named:
        raise ParameterError(
            f"account must be one account, but {account!r} is the name of {len(named)}: "
            f"{', '.join(named[:_NEAR])}; give the id"
        )
    raise ParameterError(
        f"account must be the id or the exact name of one of the {len(known)} accounts that have a deal by "
        f"{seen.as_of}, found {account!r}; {_near(account, known)}"
    )


def _near(account: str, known: pd.DataFrame) -> str:
    """The accounts most like a text, for an error to name."""
    texts = sorted({*known["account"], *(name for names in known["names"] for name in names)})
    folded = {text.casefold(): text for text in reversed(texts)}
    near = difflib.get_close_matches(account.casefold(), folded, n=_NEAR)
    if not near:
        return "none is like it; look for it in the deals of the source"
    return "near: " + ", ".join(repr(folded[text]) for text in near)


def _accounts(seen: Seen) -> pd.DataFrame:
    """Every account with its names (the one of most deals first), deals and won amount (unknown amounts as 0)."""
    return seen.once("accounts", lambda: _count(seen))


def _count(seen: Seen) -> pd.DataFrame:
    rows = seen.frame(
        f"""
        SELECT {_ACCOUNT} AS account, i.account AS name, count(*) AS n_deals,
               coalesce(sum(CASE WHEN d.cause = 1 THEN d.amount END), 0) AS won_amount
        FROM deals d JOIN details i ON i.deal_key = d.deal_key WHERE {_ACCOUNT} IS NOT NULL GROUP BY 1, 2
        """
    )
    rows = rows.sort_values(["n_deals", "name"], ascending=[False, True])
    accounts = rows.groupby("account")
    table = accounts[["n_deals", "won_amount"]].sum()
    names = rows.dropna(subset="name").groupby("account")["name"].agg(tuple)
    table["names"] = names.reindex(table.index)
    table["names"] = [names if isinstance(names, tuple) else () for names in table["names"]]
    return table.reset_index()


def summary(seen: Seen, account: str = "") -> pd.DataFrame:
    """
    Sum up an account: deals by state, amounts, payments, contact, satisfaction.

    Parameters
    ----------
    seen : Seen
    account : as `choose` takes it

    Returns
    -------
    DataFrame of one row; without rows where no deal of the source names an account
        ``account``, ``name``; ``n_deals`` = ``n_won`` + ``n_lost`` + ``n_open`` + ``n_removed``; ``won_amount``,
        ``open_amount`` (0 without such deals, NaN where none of their amounts is known), ``n_unpriced`` (won deals
        without amount), ``won_share`` (of the won amount of all accounts, fraction; NaN where that is 0),
        ``n_accounts``, ``n_unnamed`` (deals of the source that name no account); ``largest_deal_id``,
        ``largest_amount`` (of its won deals); ``paid_amount`` (payments less refunds), ``outstanding_amount``,
        ``excess_amount`` as in `deals`, ``n_owing`` (deals with an outstanding amount), all four NaN without payments
        in the source; ``first_deal_on``; ``first_contact_on``, ``last_contact_on``, ``days_since_contact`` (activities done), ``n_activities``
        (done; NaN without activities in the source); ``n_asked``, ``n_answered``, ``n_scored`` (answers with a score
        and its scale), ``satisfaction_mean`` (of score / scale, a fraction; NaN without), all four NaN without
        satisfaction in the source; ``n_people``; ``n_events`` of the timeline.
    """
    account = choose(seen, account)
    if not account:
        return pd.DataFrame()
    known = _accounts(seen).set_index("account")
    table, events = deals(seen, account), timeline(seen, account)
    won, open_ = (table[table["status"] == status] for status in ("won", "open"))
    counts = table["status"].value_counts()
    largest = won.sort_values(["amount", "deal_id"], ascending=[False, True]).head(1)
    all_won = known["won_amount"].sum()
    row = {
        "account": account,
        "name": next(iter(known.loc[account, "names"]), account),
        "n_deals": len(table),
        **{f"n_{status}": counts.get(status, 0) for status in ("won", "lost", "open", "removed")},
        "won_amount": _total(won["amount"]),
        "open_amount": _total(open_["amount"]),
        "n_unpriced": won["amount"].isna().sum(),
        "won_share": known.loc[account, "won_amount"] / all_won if all_won > 0 else np.nan,
        "n_accounts": len(known),
        "n_unnamed": _unnamed(seen),
        "largest_deal_id": next(iter(largest["deal_id"]), None),
        "largest_amount": next(iter(largest["amount"]), np.nan),
        **{
            f"{name}_amount": table[f"{name}_amount"].sum(min_count=1)
            for name in ("paid", "outstanding", "excess")
        },
        "n_owing": np.nan if seen.reason("payments") else (table["outstanding_amount"] > 0).sum(),
        "first_deal_on": table["created_on"].min(),
        "first_contact_on": events.loc[events["kind"] == "activity_done", "day"].min(),
        "last_contact_on": table["last_contact_on"].max(),
        "days_since_contact": (pd.Timestamp(seen.as_of) - table["last_contact_on"].max()).days,
        "n_activities": table["n_activities"].sum(min_count=1),
        **_satisfaction(seen, events),
        "n_people": len(people(seen, account)),
        "n_events": len(events),
    }
    return pd.DataFrame([row])


def _total(amounts: pd.Series) -> float:
    return amounts.sum(min_count=1) if len(amounts) else 0.0


def _unnamed(seen: Seen) -> int:
    rows = seen.frame(
        f"SELECT count(*) AS n FROM deals d JOIN details i ON i.deal_key = d.deal_key WHERE {_ACCOUNT} IS NULL"
    )
    return int(rows["n"].iloc[0])


def _satisfaction(seen: Seen, events: pd.DataFrame) -> dict[str, float]:
    if seen.reason("satisfaction"):
        names = ("n_asked", "n_answered", "n_scored", "satisfaction_mean")
        return dict.fromkeys(names, np.nan)
    answers = events[events["kind"] == "satisfaction_answered"]
    scores = (answers["score"] / answers["scale_max"].where(answers["scale_max"] > 0)).dropna()
    return {
        "n_asked": (events["kind"] == "satisfaction_asked").sum(),
        "n_answered": len(answers),
        "n_scored": len(scores),
        "satisfaction_mean": scores.mean() if len(scores) else np.nan,
    }


def deals(seen: Seen, account: str = "") -> pd.DataFrame:
    """
    List an account's deals as they stand, the open ones first, each kind latest first.

    What a won deal still owes is its amount less its payments; what was paid beyond the amount, or for a deal that is
    not won, is in excess. So won amounts + excess = payments + outstanding, unless a won deal has no amount: then
    neither can be said of it.

    Returns
    -------
    DataFrame, one row per deal
        ``deal_key``, ``deal_id``, ``pipeline``, ``status``, ``stage`` (of open deals; missing where it is not known),
        ``owner`` with ``name`` and ``left_on`` (missing: still there), ``amount``, ``paid_amount``,
        ``outstanding_amount``, ``excess_amount`` (NaN without payments in the source), ``created_on``, ``closed_on``,
        ``expected_close``, ``next_step_on`` (as the deal's own row says), ``n_pushes``, ``loss_reason``, ``n_activities`` (done), ``last_contact_on``, ``n_planned``
        and ``n_overdue`` (not done, and of them due before the as-of date; the four are missing without activities in
        the source).
    """
    table = _rows(
        seen,
        "d.deal_key, i.deal_id, d.pipeline, d.status, d.stage, d.owner, d.amount, d.created_on, d.closed_on, "
        "i.expected_close, i.next_step_on, i.n_pushes, i.loss_reason",
        "deals d",
        account,
    )
    stays = lanes(seen, account)
    now = stays[stays["outcome"] == "open"].groupby("deal_id")["stage"].last()
    table["stage"] = table["stage"].astype("str").fillna(table["deal_id"].map(now).astype("str"))
    table = _with_person(seen, table, "owner")
    table = table.assign(**_paid(seen, table, account), **_contact(seen, table, account))
    order = {
        "is_closed": table["status"] != "open",
        "moved_on": table["closed_on"].fillna(table["created_on"]),
    }
    return (
        table.assign(**order)
        .sort_values(["is_closed", "moved_on", "deal_id"], ascending=[True, False, True])
        .drop(columns=list(order))
        .reset_index(drop=True)
    )


def _paid(seen: Seen, table: pd.DataFrame, account: str) -> dict[str, pd.Series]:
    if seen.reason("payments"):
        names = ("paid_amount", "outstanding_amount", "excess_amount")
        return {name: pd.Series(np.nan, index=table.index) for name in names}
    payments = _payments(seen, account).groupby("deal_id")["amount"].sum()
    paid = table["deal_id"].map(payments).astype(float).fillna(0.0)
    is_won = table["status"] == "won"
    # To the four places that the store holds: a sum of fractions is not exact.
    owed = (table["amount"] - paid).where(is_won, -paid).round(4)
    return {
        "paid_amount": paid,
        "outstanding_amount": owed.clip(lower=0).where(is_won, 0.0),
        "excess_amount": (-owed).clip(lower=0),
    }


def _contact(seen: Seen, table: pd.DataFrame, account: str) -> dict[str, pd.Series]:
    if seen.reason("activities"):
        counts = dict.fromkeys(("n_activities", "n_planned", "n_overdue"), np.nan)
        columns = {name: pd.Series(value, index=table.index) for name, value in counts.items()}
        nowhere = pd.Series(pd.NaT, index=table.index, dtype="datetime64[s]")
        return columns | {"last_contact_on": nowhere}
    rows = _activities(seen, account)
    is_done = rows["done_on"].notna()
    marked = rows.assign(
        n_activities=is_done,
        n_planned=~is_done,
        n_overdue=~is_done & (rows["due_on"] < pd.Timestamp(seen.as_of)),
    ).groupby("deal_id")
    names = ["n_activities", "n_planned", "n_overdue"]
    counts = marked[names].sum().reindex(table["deal_id"]).fillna(0).astype("int64")
    columns = {name: counts[name].to_numpy() for name in names}
    last = marked["done_on"].max().reindex(table["deal_id"])
    return columns | {"last_contact_on": last.to_numpy()}


def lanes(seen: Seen, account: str = "") -> pd.DataFrame:
    """
    List the stays of an account's deals in their stages.

    Returns
    -------
    DataFrame, one row per deal and stay, in order
        ``deal_id``, ``pos`` (place among the states of the deal), ``pipeline``, ``stage``, ``stage_order``,
        ``entered_on``, ``exited_on`` (missing while it goes on), ``outcome``, ``stay_days``. No rows without stage
        history.
    """
    table = _rows(
        seen,
        "i.deal_id, d.pos, d.pipeline, d.stage, d.stage_order, d.entered_on, d.exited_on, d.outcome, d.stay_days",
        "stays d",
        account,
    )
    return table.sort_values(["deal_id", "pos"], ignore_index=True)


def timeline(seen: Seen, account: str = "", *, rows: int | None = None) -> pd.DataFrame:
    """
    List everything that is recorded of an account by the as-of date, in order of time.

    Each stay, hand-over, change, state, question, answer and payment is one event. An activity is ``activity_done``
    on its day; before that it is ``activity_planned`` on the day it was entered, unless it was entered as done; it is
    ``activity_overdue`` on its due day if that is over and it is not done. A state that lasted no time is no event.

    Parameters
    ----------
    seen : Seen
    account : as `choose` takes it
    rows : int, optional
        Only that many events, the latest.

    Returns
    -------
    DataFrame, one row per event
        ``day`` (missing of a deal without date of creation: first), ``kind`` (one of `KINDS`), ``deal_id`` (missing
        of a question about the account as a whole), ``stage``, ``type`` (of the activity; of a stay: its inflow as in
        stage accounting), ``outcome`` (of the activity; of a lost deal its reason, if it is lost now), ``due_on``,
        ``amount`` (of the deal when created, won, lost, reopened or removed; of the payment), ``score``,
        ``scale_max``, ``old`` and ``new`` (as recorded; of a hand-over the names), ``person`` (owner then, rep of the
        activity, actor of the change, person the question is about) and ``name``. What does not apply is missing.
        Within a day events stand by their instant, those that have none last.

    Raises
    ------
    ParameterError
        As `choose` says, or `rows` is not a whole number from 1 on.
    """
    if rows is not None and (not isinstance(rows, int) or rows < 1):
        raise ParameterError(f"rows must be a whole number from 1 on, found {rows!r}")
    account = choose(seen, account)
    parts = [_states(seen, account), _entries(seen, account), _hand_overs(seen, account)]
    if not seen.reason("deal_changes"):
        parts.append(_changes(seen, account))
    if not seen.reason("activities"):
        parts.append(_worked(seen, account))
    if not seen.reason("satisfaction"):
        parts.append(_asked(seen, account))
    if not seen.reason("payments"):
        paid = _payments(seen, account)
        parts.append(paid.assign(kind=np.where(paid["amount"] < 0, "refunded", "paid")))
    columns = [*_TIMELINE, "moment", "pos"]
    table = pd.concat(
        [part.reindex(columns=columns).astype(_TIMELINE) for part in parts], ignore_index=True
    )
    table["rank"] = table["kind"].map({kind: rank for rank, kind in enumerate(KINDS)})
    table["begun"] = table["day"].fillna(_EARLIEST)
    table["moment"] = table["moment"].astype("datetime64[us]").fillna(_LATEST)
    order = ["begun", "moment", "rank", "deal_id", "pos", "type", "person", "due_on", "amount"]
    table = table.sort_values(order, ignore_index=True)
    table["name"] = groups.names(seen, table["person"])
    table = table if rows is None else table.tail(rows).reset_index(drop=True)
    return table[
        [
            *("day", "kind", "deal_id", "stage", "type", "outcome", "due_on", "amount", "score"),
            *("scale_max", "old", "new", "person", "name"),
        ]
    ]


def _states(seen: Seen, account: str) -> pd.DataFrame:
    """Creation, closings and re-openings."""
    rows = _rows(
        seen,
        "i.deal_id, s.spell AS pos, s.status, s.begun_at AS moment, s.begun_on AS day, s.owner AS person, s.amount, "
        "d.created_on, i.loss_reason",
        "state_spells s JOIN deals d ON d.deal_key = s.deal_key",
        account,
    )
    is_first = rows["pos"] == 1
    created = rows[is_first].drop(columns="day").rename(columns={"created_on": "day"})
    created = created.assign(kind="deal_created")
    later = rows[(rows["status"] != "open") | ~is_first]
    is_last = later["pos"] == later.groupby("deal_id")["pos"].transform("max")
    later = later.assign(
        kind=later["status"].replace({"open": "reopened"}),
        outcome=later["loss_reason"].where(is_last & (later["status"] == "lost")),
    )
    return pd.concat([created, later], ignore_index=True)


def _entries(seen: Seen, account: str) -> pd.DataFrame:
    columns = "i.deal_id, d.pos, d.stage, d.inflow AS type, d.entered_at AS moment, d.entered_on AS day, d.owner AS person"
    return _rows(seen, columns, "stays d", account).assign(kind="stage_entered")


def _hand_overs(seen: Seen, account: str) -> pd.DataFrame:
    rows = _rows(
        seen,
        "i.deal_id, d.handed_at AS moment, d.handed_on AS day, d.from_owner, d.owner AS person",
        "hand_overs d",
        account,
    )
    names = {key: groups.names(seen, rows[key]) for key in ("from_owner", "person")}
    return rows.assign(kind="owner_changed", old=names["from_owner"], new=names["person"])


def _changes(seen: Seen, account: str) -> pd.DataFrame:
    rows = _rows(
        seen,
        "i.deal_id, d.field, d.old, d.new, d.changed_at AS moment, d.changed_on AS day, d.actor AS person",
        "changes d",
        account,
    )
    return rows.assign(kind=rows["field"].map(_CHANGES))


def _worked(seen: Seen, account: str) -> pd.DataFrame:
    """Activities: planned, done, overdue."""
    rows = _activities(seen, account)
    rows = rows.rename(columns={"rep": "person"})
    is_done = rows["done_on"].notna()
    entered_done = (rows["done_on"] <= rows["created_on"]) & ~(rows["due_on"] > rows["created_on"])
    planned, done = rows[~entered_done], rows[is_done]
    overdue = rows[~is_done & (rows["due_on"] < pd.Timestamp(seen.as_of))]
    planned = planned.assign(
        kind="activity_planned",
        day=planned["created_on"],
        moment=planned["created_at"],
        outcome=None,
    )
    done = done.assign(kind="activity_done", day=done["done_on"], moment=done["done_at"])
    overdue = overdue.assign(kind="activity_overdue", day=overdue["due_on"])
    return pd.concat([planned, done, overdue], ignore_index=True)


def _asked(seen: Seen, account: str) -> pd.DataFrame:
    """Questions and answers, of the account's deals and of the account as a whole."""
    rows = seen.frame(
        f"""
        SELECT i.deal_id, s.person_id AS person, s.asked_at, s.asked_on, s.answered_at, s.answered_on, s.score, s.scale_max
        FROM satisfaction s LEFT JOIN details i ON i.deal_key = s.deal_key
        WHERE {_ACCOUNT} = ? OR (s.deal_id IS NULL AND s.account_id = ?)
        """,
        (account, account),
    )
    asked = rows.drop(columns=["score", "scale_max"])
    asked = asked.assign(kind="satisfaction_asked", day=rows["asked_on"], moment=rows["asked_at"])
    answered = rows[rows["answered_on"].notna()]
    answered = answered.assign(
        kind="satisfaction_answered", day=answered["answered_on"], moment=answered["answered_at"]
    )
    return pd.concat([asked, answered], ignore_index=True)


def people(seen: Seen, account: str = "") -> pd.DataFrame:
    """
    List who worked on an account's deals, the one on most of them first.

    Returns
    -------
    DataFrame, one row per person
        ``person``, ``name``, ``team``, ``left_on`` (missing: still there); ``is_owner`` (of a deal at any time),
        ``is_credited`` (revenue or overlay of a won deal; without credit rows a won deal is its owner's),
        ``is_active`` (has an activity), ``is_rated`` (a customer was asked about the person); ``n_deals`` (different
        ones in any of these), ``n_open`` (open ones owned now), ``n_activities`` (done; NaN without activities in the
        source), ``first_on``, ``last_on`` (of what made the person one of them). Who only changed a record is none.
    """
    account = choose(seen, account)
    events = timeline(seen, account)
    table = deals(seen, account)
    kind = events["kind"]
    roles = {
        "is_owner": events[kind.isin(["deal_created", "owner_changed"])],
        "is_credited": _credited(seen, account, table),
        "is_active": events[kind.str.startswith("activity")],
        "is_rated": events[kind.str.startswith("satisfaction")],
    }
    columns = ["person", "deal_id", "day"]
    rows = pd.concat([part[columns].assign(role=role) for role, part in roles.items()])
    rows = rows.dropna(subset="person")
    grouped = rows.groupby("person")
    found = pd.DataFrame(
        {
            **{role: grouped["role"].agg(lambda r, role=role: (r == role).any()) for role in roles},
            "n_deals": grouped["deal_id"].nunique(),
            "first_on": grouped["day"].min(),
            "last_on": grouped["day"].max(),
        }
    ).reset_index()
    found = found.astype(dict.fromkeys(roles, bool))
    done = events.loc[kind == "activity_done", "person"].value_counts()
    owned = table.loc[table["status"] == "open", "owner"].value_counts()
    n_done = found["person"].map(done).fillna(0)
    found = found.assign(
        n_open=found["person"].map(owned).fillna(0).astype("int64"),
        n_activities=np.nan if seen.reason("activities") else n_done,
    )
    found = _with_person(seen, found, "person", "team")
    order = ["n_deals", "n_activities", "person"]
    found = found.sort_values(order, ascending=[False, False, True], ignore_index=True)
    return found[
        [
            *("person", "name", "team", "left_on", *roles),
            *("n_deals", "n_open", "n_activities", "first_on", "last_on"),
        ]
    ]


def _credited(seen: Seen, account: str, table: pd.DataFrame) -> pd.DataFrame:
    won = table[table["status"] == "won"]
    won = won.rename(columns={"owner": "person", "closed_on": "day"})
    if seen.reason("credits"):
        return won
    rows = _rows(
        seen,
        "i.deal_id, d.closed_on AS day, c.person_id AS person, c.type",
        "credits c JOIN deals d ON d.deal_key = c.deal_key",
        account,
    )
    split = rows.loc[rows["type"] == "revenue", "deal_id"]
    return pd.concat([rows, won[~won["deal_id"].isin(split)]], ignore_index=True)


def next_steps(seen: Seen, account: str = "") -> pd.DataFrame:
    """
    List what is to be done for an account, first things first.

    Returns
    -------
    DataFrame, one row per step
        ``step``: ``overdue`` (an activity not done and due before the as-of date), ``no_next_step`` (an open deal
        without any activity planned or next step of its own), ``close_passed`` (an open deal expected to close before the as-of date),
        ``owner_left`` (an open deal whose owner has left), ``outstanding`` (a won deal not paid in full),
        ``upcoming`` (an activity planned), ``left_over`` (an activity planned of a deal that is lost or removed).
        ``deal_id``, ``status`` of the deal, ``type`` of the activity, ``due_on`` (the day that is meant: due, expected
        close, left, won; may be missing of a planned activity), ``days`` since then (negative: still to come),
        ``amount`` (outstanding, else of the deal), ``person`` (rep of the activity, else owner) and ``name``.
        Steps of activities and of payments need these in the source.
    """
    account = choose(seen, account)
    table, today = deals(seen, account), pd.Timestamp(seen.as_of)
    is_open = table["status"] == "open"
    found = {  # step -> the deals, and the column of the day that is meant
        "no_next_step": (is_open & (table["n_planned"] == 0) & table["next_step_on"].isna(), None),
        "close_passed": (is_open & (table["expected_close"] < today), "expected_close"),
        "owner_left": (is_open & table["left_on"].notna(), "left_on"),
        "outstanding": (table["outstanding_amount"] > 0, "closed_on"),
    }
    parts = []
    for step, (is_meant, day) in found.items():
        part = table[is_meant].rename(
            columns={"owner": "person"} | ({day: "due_on"} if day else {})
        )
        if step == "outstanding":
            part = part.assign(amount=part["outstanding_amount"])
        parts.append(part.assign(step=step))
    if not seen.reason("activities"):
        parts.append(_planned(seen, account, table, today))
    steps = pd.concat(
        [
            part.reindex(
                columns=["step", "deal_id", "status", "type", "due_on", "amount", "person"]
            ).astype({"due_on": "datetime64[s]", "type": "str", "amount": "float64"})
            for part in parts
        ],
        ignore_index=True,
    )
    steps["days"] = (today - steps["due_on"]).dt.days
    steps["name"] = groups.names(seen, steps["person"])
    steps["rank"] = steps["step"].map({step: rank for rank, step in enumerate(STEPS)})
    steps = steps.sort_values(["rank", "due_on", "deal_id", "type", "person"], ignore_index=True)
    columns = ["step", "deal_id", "status", "type", "due_on", "days", "amount", "person", "name"]
    return steps[columns]


def _planned(seen: Seen, account: str, table: pd.DataFrame, today: pd.Timestamp) -> pd.DataFrame:
    """Activities that are not done."""
    rows = _activities(seen, account)
    rows = rows[rows["done_on"].isna()].rename(columns={"rep": "person"})
    of_deal = table.set_index("deal_id")
    status = rows["deal_id"].map(of_deal["status"])
    step = np.where(rows["due_on"] < today, "overdue", "upcoming")
    return rows.assign(
        status=status,
        step=np.where(status.isin(["open", "won"]), step, "left_over"),
        amount=rows["deal_id"].map(of_deal["amount"]),
    )


def _activities(seen: Seen, account: str) -> pd.DataFrame:
    return _rows(
        seen,
        "i.deal_id, d.rep, d.type, d.created_at, d.created_on, d.due_on, d.done_at, d.done_on, d.outcome",
        "activities d",
        account,
    )


def _payments(seen: Seen, account: str) -> pd.DataFrame:
    return _rows(seen, "i.deal_id, d.paid_on AS day, d.amount", "payments d", account)


def _rows(seen: Seen, columns: str, tables: str, account: str) -> pd.DataFrame:
    """Rows about the account's deals; the table named first carries their key."""
    first = tables.split()[1]
    return seen.frame(
        f"SELECT {columns} FROM {tables} JOIN details i ON i.deal_key = {first}.deal_key WHERE {_ACCOUNT} = ?",
        (choose(seen, account),),
    )


def _with_person(seen: Seen, table: pd.DataFrame, key: str, *more: str) -> pd.DataFrame:
    """Add ``name``, ``left_on`` and more of the people; one who is not among them goes by the id."""
    if seen.reason("people"):
        left_on = pd.Series(pd.NaT, index=table.index, dtype="datetime64[s]")
        return table.assign(name=table[key], left_on=left_on, **dict.fromkeys(more))
    columns = ["name", "left_on", *more]
    listed = seen.frame(f"SELECT person_id, {', '.join(columns)} FROM people")
    table = table.merge(listed, how="left", left_on=key, right_on="person_id", validate="m:1")
    return table.assign(name=table["name"].fillna(table[key])).drop(columns="person_id")
