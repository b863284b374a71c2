"""The ledger and the data findings of the pandas side: no row is counted before it is accounted for."""

import pandas as pd

from salesanalysis.statistics import survival

FIRST, LAST = pd.Timestamp("1900-01-01"), pd.Timestamp("2200-01-01")
REQUIRED = {
    "stages": ["stage", "stage_order"],
    "deals": ["deal_id", "created_at", "status"],
    "stage_events": ["deal_id", "stage", "entered_at"],
    "owner_history": ["deal_id", "owner", "valid_from"],
    "deal_changes": ["deal_id", "field", "changed_at"],
    "people": ["person_id", "name"],
    "quotas": ["holder_type", "holder_id", "period_start", "period_end", "measure", "value"],
    "credits": ["deal_id", "person_id", "share", "type"],
}
KEYS = {
    "stages": ["stage"],
    "deals": ["deal_id"],
    "people": ["person_id", "valid_from"],
    "quotas": ["holder_type", "holder_id", "period_start", "measure"],
}
ALLOWED = {
    ("deals", "status"): ["open", "won", "lost", "removed"],
    ("deal_changes", "field"): ["amount", "expected_close"],
    ("quotas", "holder_type"): ["person", "team"],
    ("credits", "type"): ["revenue", "overlay"],
}
ENDS = [("valid_from", "valid_to"), ("period_start", "period_end")]


def accept(tables: dict[str, pd.DataFrame]) -> tuple[dict[str, pd.DataFrame], pd.DataFrame]:
    """Keep the rows that make sense, number the deals by their creation, and count."""
    kept, rows = {}, []
    for name in REQUIRED:
        table = tables[name]
        good = table[_makes_sense(name, table)]
        if name == "deals":
            good = good.sort_values(["created_at", "deal_id"], ignore_index=True)
            number = good[["deal_id"]].assign(deal=good.index)
        elif "deal_id" in table:
            good = good.merge(number, on="deal_id", validate="m:1").drop(columns="deal_id")
        if name == "stage_events":
            order = kept["stages"].set_index("stage")["stage_order"]
            good["order"] = good.pop("stage").map(order)
            good = good[good["order"].notna()]
        kept[name] = good
        rows.append({"table": name, "n_in": len(table), "n_accepted": len(good)})
    return kept, pd.DataFrame(rows)


def _makes_sense(name: str, table: pd.DataFrame) -> pd.Series:
    good = table[REQUIRED[name]].notna().all(axis=1)
    for column in table.select_dtypes("datetime"):
        good &= table[column].between(FIRST, LAST) | table[column].isna()
    for (where, column), allowed in ALLOWED.items():
        if where == name:
            good &= table[column].isin(allowed)
    for begin, end in ENDS:
        if end in table:
            good &= ~(table[end] < table[begin])
    if name == "credits":
        good &= table["share"].between(0, 1)
    if name == "deals":
        good &= ~(table["status"].isin(["won", "lost"]) & table["closed_at"].isna())
        good &= ~(table["closed_at"].dt.normalize() < table["created_at"].dt.normalize())
    if name in KEYS:
        good &= ~table.duplicated(KEYS[name])
    return good


def findings(deals, events, stages, people, credits, as_of: pd.Timestamp) -> pd.DataFrame:
    """
    Count what is odd in the data as exported.

    `deals` are the accepted rows in the order of their numbers, `events` one row per move in order.
    """
    created_on = deals["created_at"].dt.normalize()
    end = as_of + pd.Timedelta(days=1)
    order = stages.set_index("stage")["stage_order"]
    n_stages = len(stages) - 2
    last = events.drop_duplicates("deal", keep="last").set_index("deal")["order"]
    lowest = events.groupby("deal")["order"].min()
    is_tied = (events["next_at"] == events["entered_at"]) & (events["next"] != events["order"])
    is_reopened = (events["previous"] > n_stages) & (events["order"] <= n_stages)
    status = last.map({n_stages + 1: "won", n_stages + 2: "lost"}).fillna("open")
    now = deals.loc[last.index]
    disagrees = (now["status"] != status) | ((status == "open") & (now["stage"].map(order) != last))
    whole = credits[credits["type"] == "revenue"].groupby("deal")["share"].sum()
    is_closed = deals["status"].isin(["won", "lost"])
    counts = {
        "removed_deals": (deals["status"] == "removed").sum(),
        "zero_span": (is_closed & (deals["closed_at"].dt.normalize() == created_on)).sum(),
        "after_extraction": (deals[["created_at", "closed_at"]] >= end).sum().sum()
        + (events["entered_at"] >= end).sum(),
        "unknown_stage": (deals["stage"].notna() & ~deals["stage"].isin(stages["stage"])).sum(),
        "no_history": (~deals.index.isin(last.index)).sum(),
        "created_closed": (lowest > n_stages).sum(),
        "tied_events": len(events.loc[is_tied, ["deal", "entered_at"]].drop_duplicates()),
        "reopened": events.loc[is_reopened, "deal"].nunique(),
        "before_creation": (
            events["entered_at"].dt.normalize() < created_on.to_numpy()[events["deal"]]
        ).sum(),
        "stage_disagrees": (disagrees & (now["status"] != "removed")).sum(),
        "unknown_owner": (deals["owner"].notna() & ~deals["owner"].isin(people["person_id"])).sum(),
        "people_without_deals": people.loc[
            ~people["person_id"].isin(deals["owner"]), "name"
        ].nunique(),
        "credits_not_whole": ((whole - 1).abs() > 0.0001).sum(),
        "empty_values": deals.drop(columns=["closed_at", "stage"]).isna().sum().sum(),
    }
    return pd.DataFrame([{"kind": kind, "n_rows": int(n)} for kind, n in counts.items() if n])


def findings_as_known(deals: pd.DataFrame, people: pd.DataFrame) -> pd.DataFrame:
    """Count what is odd in the state of the deals on the day."""
    rows = []
    first = deals["closed_on"].min()
    expected = _expected_before(first, deals)
    if expected >= 5:
        rows.append({"kind": "left_truncation", "n_rows": (deals["created_on"] < first).sum()})
    is_open = deals["cause"] == 0
    older = is_open & (deals["exit_age"] > deals.loc[~is_open, "exit_age"].max())
    if older.any():
        rows.append({"kind": "older_than_any_closed", "n_rows": older.sum()})
    counts = is_open.groupby(deals["owner"], observed=True).agg(["size", "sum"])
    counts = counts[~counts.index.isin(people.loc[people["left_on"].notna(), "person_id"])]
    others, idle = counts[counts["sum"] > 0], counts[counts["sum"] == 0]
    share = others["sum"].sum() / others["size"].sum()
    idle = idle[(1 - share) ** idle["size"] < 0.001]
    rows += [{"kind": "no_open_deals", "n_rows": n} for n in idle["size"]]
    return pd.DataFrame(rows, columns=["kind", "n_rows"])


def _expected_before(first: pd.Timestamp, deals: pd.DataFrame) -> float:
    """Closings to expect of the deals created before the first recorded one."""
    later = deals[deals["created_on"] >= first]
    counts = (
        (later["cause"] > 0).astype(int).groupby([later["exit_age"], later["cause"] > 0]).size()
    )
    counts = counts.rename_axis(["age", "is_closed"]).reset_index(name="n")
    ages = (first - deals.loc[deals["created_on"] < first, "created_on"]).dt.days - 1
    share = survival.incidence_at(
        counts["age"], counts["is_closed"].astype(int), counts["n"], sorted(set(ages))
    )
    return float(ages.map(share.set_index("age_days")["rate"]).sum())


def exclusions(
    deals: pd.DataFrame, ledger: pd.DataFrame, *, younger_than_days: int, needs_owner: bool
):
    """Count the deals used and left out, each under its first reason."""
    rows = ledger.set_index("table").loc["deals"]
    no_owner = deals["owner"].isna() & needs_owner
    too_young = (deals["age_days"] < younger_than_days) & ~no_owner
    counts = {
        "not_accepted": rows["n_in"] - rows["n_accepted"],
        "no_owner": no_owner.sum(),
        "too_young": too_young.sum(),
        "used": (~no_owner & ~too_young).sum(),
    }
    table = pd.DataFrame({"reason": list(counts), "n_deals": [int(n) for n in counts.values()]})
    return table[(table["n_deals"] > 0) | (table["reason"] == "used")].reset_index(drop=True)
