"""Who worked when, in which team and role: the spells behind quotas, days present and teams."""

import pandas as pd

from salesanalysis.crm.seen import Seen

_COLUMNS = [
    *("person", "name", "team", "role", "manager", "hired_on", "left_on", "begins_on", "ends_on"),
]


def spells(seen: Seen) -> pd.DataFrame:
    """
    List each person's spells in a team and role, as far as they are known on the as-of day.

    Returns
    -------
    DataFrame, one row per person and spell, sorted by both
        ``person``, ``name``, ``team``, ``role``, ``manager``, ``hired_on``, ``left_on``, ``begins_on`` (the first
        spell: when hired, or when it is first told of if that is not known; a later one: not before hiring again)
        and ``ends_on`` (the day before the next spell, or that of leaving), both days of the spell; NaT: open on
        that side. A spell that ends before it begins lasted no day. Without people in the source: the owners of its
        deals, there throughout.
    """
    return seen.once("staff.spells", lambda: _spells(seen))


def _spells(seen: Seen) -> pd.DataFrame:
    if seen.reason("people"):
        owners = seen.frame("SELECT DISTINCT owner AS person FROM deals WHERE owner IS NOT NULL")
        days = dict.fromkeys(("hired_on", "left_on", "begins_on", "ends_on"), pd.NaT)
        table = owners.assign(name=owners["person"], team=None, role=None, manager=None, **days)
        table = table.astype(dict.fromkeys(days, "datetime64[s]"))
        return table.sort_values("person", ignore_index=True)[_COLUMNS]
    table = seen.frame(
        "SELECT person_id AS person, name, team, role, manager_id AS manager, hired_on, left_on, valid_from "
        "FROM people_history"
    )
    table = table.sort_values(
        ["person", "valid_from"], na_position="first", kind="stable", ignore_index=True
    )
    is_first = ~table.duplicated("person")
    both = table[["valid_from", "hired_on"]]
    table["begins_on"] = both.max(axis=1).mask(
        is_first, table["hired_on"].fillna(table["valid_from"])
    )
    before_next = table.groupby("person")["valid_from"].shift(-1) - pd.Timedelta(days=1)
    table["ends_on"] = pd.concat([before_next, table["left_on"]], axis=1).min(axis=1)
    return table[_COLUMNS]


def days_between(spells: pd.DataFrame, first: pd.Series, last: pd.Series) -> pd.Series:
    """Count the days of each spell from a first to a last day, both included; 0 where there is none."""
    begin = pd.concat([spells["begins_on"], first], axis=1).max(axis=1)
    end = pd.concat([spells["ends_on"], last], axis=1).min(axis=1)
    return ((end - begin).dt.days + 1).clip(lower=0)
