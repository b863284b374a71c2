"""What every metric does with its `by`: one column named ``group``, or none."""

import pandas as pd

from salesanalysis.crm.seen import Seen


def group_column(seen: Seen, by: str | None, alias: str = "") -> str:
    """SQL of the grouping column; without `by`, everything is one group."""
    if by is None:
        return "'all'"
    return f"{alias}.{seen.segment(by)}" if alias else seen.segment(by)


def ungrouped(table: pd.DataFrame, by: str | None) -> pd.DataFrame:
    """Drop the grouping column where nothing was asked for."""
    return table.drop(columns="group") if by is None else table
