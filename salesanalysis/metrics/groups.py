"""What every metric does with its `by`: one column named ``group``, or none."""

import pandas as pd

from salesanalysis.crm.errors import ParameterError
from salesanalysis.crm.seen import Seen


def group_column(seen: Seen, by: str | None, alias: str = "") -> str:
    """SQL of the grouping column; without `by`, everything is one group."""
    if by is None:
        return "'all'"
    return f"{alias}.{seen.segment(by)}" if alias else seen.segment(by)


def grouped(seen: Seen, table: pd.DataFrame, by: str | None) -> pd.DataFrame:
    """Drop the grouping column where nothing was asked for; add ``name`` beside the id of an owner."""
    if by is None:
        return table.drop(columns="group")
    return table.assign(name=names(seen, table["group"])) if by == "owner" else table


def names(seen: Seen, owners: pd.Series) -> pd.Series:
    """Names of owners by their id; one who is not among the people goes by the id."""
    if seen.reason("people"):
        return owners
    people = seen.frame("SELECT person_id, name FROM people").set_index("person_id")["name"]
    return owners.map(people).fillna(owners)


def expect_days(**parameters: int | list[int]) -> None:
    """Refuse a number of days, or a list of them, that is not whole, negative or not there at all."""
    for name, value in parameters.items():
        days = value if isinstance(value, list) else [value]
        if not days or any(not isinstance(day, int) or day < 0 for day in days):
            raise ParameterError(f"{name} must be whole days from 0 on, found {value!r}")
