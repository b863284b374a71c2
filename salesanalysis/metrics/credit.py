"""Who gets credit for which won deal, and what quotas ask of whom (definitions: credit, quota attainment)."""

import pandas as pd

from salesanalysis.crm.seen import Seen
from salesanalysis.metrics import staff
from salesanalysis.metrics.periods import Period

_SEGMENTS = ("source", "segment", "product", "region")


def credited(seen: Seen) -> pd.DataFrame:
    """
    Revenue credit of every deal that is won as of the day.

    Credit is a share of the amount, counted on the day it was won; a deal without credit rows counts in full for
    its owner at that time. Overlay credit is not in it (`overlay`).

    Returns
    -------
    DataFrame, one row per deal and credited person
        ``deal_key``, ``person``, ``owner`` and ``team`` (of the deal, at winning), ``won_on``, ``share`` (fraction),
        ``deal_amount``, ``amount`` (share of it; NaN where the deal has no amount), ``source``, ``segment``,
        ``product``, ``region``. The shares of a deal sum to 1 unless the source says otherwise (a data finding).
    """
    return seen.once("credit.credited", lambda: _credited(seen))


def _credited(seen: Seen) -> pd.DataFrame:
    columns = ", ".join(f"d.{name}" for name in _SEGMENTS)
    deal = f"d.deal_key, {{person}} AS person, d.owner, d.team, d.closed_on AS won_on, {{share}} AS share, d.amount AS deal_amount, {columns}"
    whole = f"SELECT {deal.format(person='d.owner', share='1.0')} FROM deals d WHERE d.cause = 1 AND d.owner IS NOT NULL"
    if seen.reason("credits"):
        table = seen.frame(whole)
    else:
        split = (
            f"SELECT {deal.format(person='c.person_id', share='c.share')} FROM credits c "
            "JOIN deals d ON d.deal_key = c.deal_key WHERE c.type = 'revenue' AND d.cause = 1"
        )
        without = "AND NOT EXISTS (SELECT 1 FROM credits c WHERE c.deal_key = d.deal_key AND c.type = 'revenue')"
        table = seen.frame(f"{split} UNION ALL {whole} {without}")
    table = table.assign(amount=table["deal_amount"] * table["share"])
    return table.sort_values(["won_on", "deal_key", "person"], ignore_index=True)


def overlay(seen: Seen) -> pd.DataFrame:
    """
    Overlay credit: people who helped to win a deal and whose share is on top, never in totals.

    Returns
    -------
    DataFrame, one row per deal and person
        ``deal_key``, ``person``, ``owner``, ``won_on``, ``share``. No rows where the source has no credits.
    """
    if seen.reason("credits"):
        return pd.DataFrame(columns=["deal_key", "person", "owner", "won_on", "share"])
    return seen.frame(
        """
        SELECT d.deal_key, c.person_id AS person, d.owner, d.closed_on AS won_on, c.share
        FROM credits c JOIN deals d ON d.deal_key = c.deal_key
        WHERE c.type = 'overlay' AND d.cause = 1 ORDER BY 1, 2
        """
    )


def quotas(seen: Seen, period: Period, *, whole: bool = False) -> pd.DataFrame:
    """
    Amount quotas of a period, prorated for the days of the period and, for persons, of employment.

    Each quota counts by the share of its own days that lie in the period, not after the as-of date (unless `whole`:
    then to the end of the period), and between hiring and leaving.

    Returns
    -------
    DataFrame, one row per holder
        ``holder_type`` (person, team), ``holder``, ``quota`` (as set, by days of the period), ``prorated_quota``
        (by days of employment too), ``n_quotas``. No rows where the source has no quotas.
    """
    return seen.once(("credit.quotas", period, whole), lambda: _prorated(seen, period, whole=whole))


def _prorated(seen: Seen, period: Period, *, whole: bool) -> pd.DataFrame:
    columns = ["holder_type", "holder", "quota", "prorated_quota", "n_quotas"]
    if seen.reason("quotas"):
        return pd.DataFrame(columns=columns)
    rows = seen.frame(
        "SELECT holder_type, holder_id AS holder, period_start, period_end, value FROM quotas WHERE measure = 'amount'"
    )
    last = pd.Timestamp(period.last if whole else min(period.last, seen.as_of))
    begin = rows["period_start"].clip(lower=pd.Timestamp(period.first))
    end = rows["period_end"].clip(upper=last)
    rows["whole"] = (rows["period_end"] - rows["period_start"]).dt.days + 1
    rows["quota"] = rows["value"] * _days(begin, end) / rows["whole"]
    rows["prorated_quota"] = rows["value"] * _employed(seen, rows, begin, end) / rows["whole"]
    rows = rows[rows["quota"] > 0]
    grouped = rows.groupby(["holder_type", "holder"])
    table = grouped[["quota", "prorated_quota"]].sum().assign(n_quotas=grouped.size())
    return table.reset_index()[columns]


def _employed(seen: Seen, rows: pd.DataFrame, begin: pd.Series, end: pd.Series) -> pd.Series:
    """Days from begin to end on which the holder of each quota was employed; all of them for teams and strangers."""
    days = _days(begin, end)
    if seen.reason("people"):
        return days
    spells = staff.spells(seen)
    held = rows.assign(begin=begin, end=end, row=rows.index)
    held = held[held["holder_type"] == "person"]
    held = held.merge(spells, left_on="holder", right_on="person", validate="m:m")
    there = staff.days_between(held, held["begin"], held["end"]).groupby(held["row"]).sum()
    return there.reindex(days.index).fillna(days)


def _days(begin: pd.Series, end: pd.Series) -> pd.Series:
    return ((end - begin).dt.days + 1).clip(lower=0)


def attainment(seen: Seen, period: Period, *, team: str = "") -> pd.DataFrame:
    """
    Compare, for a team or everybody, each person's credited amount of a period with the own quota, and a manager's with what all reports won.

    A manager's quota often includes the team's: then the own amount alone says nothing, so both stand beside it.

    Returns
    -------
    DataFrame, one row per person with a quota or credit in the period, the largest amount first
        ``person``, ``name``, ``team``, ``role`` (all on the last day), ``credited_amount``, ``place`` (1 for the largest amount),
        ``prorated_quota`` and ``attainment`` (NaN without a quota), ``n_reports`` (people below, at any depth),
        ``with_reports_amount``, ``with_reports_attainment`` (NaN for those who manage nobody).
    """
    credit = credited(seen)
    last = pd.Timestamp(min(period.last, seen.as_of))
    credit = credit[credit["won_on"].between(pd.Timestamp(period.first), last)]
    table = credit.groupby("person")["amount"].sum().rename("credited_amount").to_frame()
    asked = quotas(seen, period)
    asked = asked[asked["holder_type"] == "person"].set_index("holder")["prorated_quota"]
    table = table.join(asked.rename_axis("person"), how="outer").rename_axis("person")
    table["credited_amount"] = table["credited_amount"].fillna(0.0)
    people = _managed(seen, last)
    below = {person: _reports(person, people) for person in table.index}
    table["n_reports"] = [len(below[person]) for person in table.index]
    with_reports = [
        table["credited_amount"].reindex([person, *sorted(below[person])]).sum()
        for person in table.index
    ]
    manages = table["n_reports"] > 0
    table["with_reports_amount"] = pd.Series(with_reports, table.index, dtype=float).where(manages)
    quota = table["prorated_quota"].where(table["prorated_quota"] > 0)
    table["attainment"] = table["credited_amount"] / quota
    table["with_reports_attainment"] = table["with_reports_amount"] / quota
    table["place"] = table["credited_amount"].rank(ascending=False, method="min").astype(int)
    table = table.join(people[["name", "team", "role"]]).reset_index()
    table["name"] = table["name"].fillna(table["person"])
    table = table[table["team"] == team] if team else table
    return table.sort_values(
        ["credited_amount", "person"], ascending=[False, True], ignore_index=True
    )


def _managed(seen: Seen, day: pd.Timestamp) -> pd.DataFrame:
    """Name, team, role and manager of each person on a day, indexed by person; the first known of hold before."""
    spells = staff.spells(seen).assign(is_later=lambda table: table["begins_on"] > day)
    spells = pd.concat([spells[spells["is_later"]][::-1], spells[~spells["is_later"]]])
    return spells.drop_duplicates("person", keep="last").set_index("person")


def _reports(person: str, people: pd.DataFrame) -> set[str]:
    """Everybody below a person; a circle of managers ends where it began."""
    found: set[str] = set()
    new = {person}
    while new:
        below = set(people.index[people["manager"].isin(new)])
        new = below - found - {person}
        found |= new
    return found
