"""The metric calls of the three notebooks with their default parameters: from Parquet, or from the store."""

import sys
from pathlib import Path

import pandas as pd

from salesanalysis.crm import load, observe
from salesanalysis.metrics import cohorts, funnel, quality, reps

AGES = [7, 30, 60, 90, 180]


def main(what: str, folder: str, store: str, as_of: str, out: str) -> None:
    """Load first if `what` is load; compute every table and keep them in one file."""
    if what == "load":
        load(folder, Path(folder) / "mapping.yaml", store, say=lambda text: None)
    tables = {}
    for notebook in (sales_funnel, cohort_conversion, rep_ranking):
        with observe(store, as_of) as seen:  # as each notebook does, in a session of its own
            tables |= notebook(seen)
            tables |= {"ledger": quality.ledger(seen), "rejected": quality.rejected(seen)}
            tables |= {"findings": quality.findings(seen)}
    pd.to_pickle(tables, out)


def sales_funnel(seen) -> dict[str, pd.DataFrame]:
    """The tables of the notebook of that name."""
    return {
        "stage_accounting": funnel.stage_accounting(seen),
        "step_conversion": funnel.step_conversion(seen, within_days=30),
        "cumulative": funnel.cumulative(seen, within_days=180),
        "time_in_stage": funnel.time_in_stage(seen),
        "status_now": funnel.status_now(seen),
        "stage_accounting by team": funnel.stage_accounting(seen, by="team"),
        "segments": funnel.segments(seen, within_days=30),
        "exclusions": quality.exclusions(seen, younger_than_days=180),
    }


def cohort_conversion(seen) -> dict[str, pd.DataFrame]:
    """The tables of the notebook of that name."""
    return {
        "conversion": cohorts.conversion(seen, ages=AGES),
        "curve": cohorts.curve(seen),
        "win_rates": cohorts.win_rates(seen, age_days=90, stale_days=180),
        "monthly": cohorts.monthly(seen, age_days=90),
        "sales_cycle": cohorts.sales_cycle(seen),
        "grid": cohorts.grid(seen, ages=AGES, months=12),
        "conversion by region": cohorts.conversion(seen, ages=AGES, by="region"),
    }


def rep_ranking(seen) -> dict[str, pd.DataFrame]:
    """The tables of the notebook of that name."""
    table, gate = reps.ranking(seen, age_days=90, case_mix=["source", "segment", "product"], seed=1)
    return {
        "ranking": table,
        "gate": gate,
        "totals": reps.totals(seen),
        "totals by team": reps.totals(seen, by="team"),
        "attainment": reps.attainment(seen, periods=2),
    }


if __name__ == "__main__":
    main(*sys.argv[1:])
