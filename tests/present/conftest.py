"""Metric tables made by hand, a few rows each, as `salesanalysis.metrics` documents them."""

import datetime
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

NAN = float("nan")
HOSTILE = '<b>"O\'Neil" & $x$</b>'


@pytest.fixture
def seen():
    """
    What `observe` offers to a reader: the date and the source.
    """
    return SimpleNamespace(
        as_of=datetime.date(2017, 12, 31), source={"name": "Maven <CRM>", "currency": "USD"}
    )


@pytest.fixture
def metric():
    """
    One small table per metric.
    """
    return SimpleNamespace(
        accounting=accounting(),
        steps=steps(),
        cumulative=cumulative(),
        times=times(),
        segments=segments(),
        status=status(),
        conversion=conversion(),
        curve=curve(),
        grid=grid(),
        win_rates=win_rates(),
        monthly=monthly(),
        cycle=cycle(),
        totals=totals(),
        ranking=ranking(),
        gate=gate(is_open=True),
        closed_gate=gate(is_open=False),
        attainment=attainment(),
        ledger=ledger(),
        findings=findings(),
        exclusions=exclusions(),
        truncated_grid=truncated_grid(),
        truncated_monthly=truncated_monthly(),
        serious=serious(),
    )


def accounting():
    """Stage "报价" is hostile in nothing but its alphabet; "Demo" was never left by a removal."""
    return pd.DataFrame(
        {"pipeline": "new", "stage": ["Lead", "报价", "Demo"], "stage_order": [1, 2, 3],
         "entries": [100, 60, 30], "advanced": [50, 25, 12], "skipped": [5, 0, 0],
         "moved_back": [0, 4, 3], "lost": [35, 21, 9], "handed_off": [0, 1, 0],
         "removed": [1, 0, 0], "open": [9, 9, 6],
         "starts": [95, 2, 0], "advanced_in": [0, 50, 25], "skipped_in": [0, 0, 5],
         "moved_back_in": [4, 3, 0], "handed_in": [0, 1, 0], "reopened": [1, 4, 0]}
    )  # fmt: skip


def steps():
    """The rate of "Demo" cannot be said."""
    return pd.DataFrame(
        {"pipeline": "new", "stage": ["Lead", "报价", "Demo"], "stage_order": [1, 2, 3],
         "n_deals": [95, 57, 30], "n_advanced": [55, 22, 12], "n_lost": [30, 20, 9],
         "n_open": [10, 15, 9], "within_days": 30,
         "advanced_rate": [0.62, 0.41, NAN], "advanced_rate_low": [0.52, 0.29, NAN],
         "advanced_rate_high": [0.71, 0.54, NAN], "n_eff": [91.2, 50.4, NAN],
         "amount_entered": [95000.0, 57000.0, NAN], "amount_advanced": [60000.0, 20000.0, NAN],
         "amount_rate": [0.63, 0.35, NAN]}
    )  # fmt: skip


def cumulative():
    """The won row is the last one."""
    return pd.DataFrame(
        {"pipeline": "new", "stage": ["Lead", "报价", "Demo", "won"], "stage_order": [1, 2, 3, 4],
         "n_cohort": 90, "n_reached": [88, 52, 28, 16],
         "reached_rate": [0.978, 0.578, 0.311, 0.178],
         "reached_rate_low": [0.923, 0.475, 0.225, 0.113],
         "reached_rate_high": [0.994, 0.675, 0.413, 0.269],
         "n_reached_all": [88, 50, 22, 11], "n_reached_filled": [90, 60, 31, 16],
         "n_passed_over": [2, 8, 3, 0], "amount_cohort": 90000.0,
         "amount_reached": [88000.0, 50000.0, 30000.0, 20000.0],
         "amount_reached_rate": [0.978, 0.556, 0.333, 0.222]}
    )  # fmt: skip


def times():
    """The upper limit of "报价" is not reached, the median of "Demo" neither."""
    return pd.DataFrame(
        {"pipeline": "new", "stage": ["Lead", "报价", "Demo"], "stage_order": [1, 2, 3],
         "n_entries": [100, 60, 30], "n_open": [9, 9, 26],
         "median_days": [12.0, 34.0, NAN], "median_days_low": [10.0, 28.0, NAN],
         "median_days_high": [15.0, NAN, NAN], "p90_days": [40.0, NAN, NAN],
         "completed_median_days": [11.0, 20.5, 8.0]}
    )  # fmt: skip


def segments():
    """The second row has an empty group."""
    return pd.DataFrame(
        {"kind": ["region", "region", "product"], "group": ["华东", None, HOSTILE],
         "pipeline": "new", "stage": "Lead", "stage_order": 1, "n_deals": [50, 40, 35],
         "advanced_rate": [0.70, 0.52, NAN], "advanced_rate_low": [0.56, 0.37, NAN],
         "advanced_rate_high": [0.81, 0.67, NAN], "difference": [0.18, -0.18, NAN],
         "difference_low": [-0.02, -0.37, NAN], "difference_high": [0.37, 0.02, NAN],
         "p_value": [0.02, 0.08, NAN], "q_value": [0.04, 0.0004, NAN]}
    )  # fmt: skip


def status():
    """As the Maven export stands: no history, yet a state for every deal."""
    return pd.DataFrame(
        {"pipeline": "sales", "stage": ["Prospecting", "Engaging", "won", "lost"],
         "stage_order": [1, 2, 3, 4], "n_deals": [500, 1589, 4238, 2473],
         "amount": [NAN, NAN, 10005534.0, 0.0]}
    )  # fmt: skip


def conversion():
    """The published Maven incidences at three ages, and an age beyond follow-up."""
    return pd.DataFrame(
        {"age_days": [7, 90, 138, 180], "n_deals": 8300, "n_at_risk": [6800, 1900, 1291, 0],
         "n_won": [756, 3295, 4238, NAN], "n_lost": [657, 2090, 2473, NAN],
         "won_rate": [0.09108, 0.39701, 0.51944, NAN],
         "won_rate_low": [0.0851, 0.3865, 0.5080, NAN],
         "won_rate_high": [0.0974, 0.4076, 0.5308, NAN], "n_eff": [8300.0, 8245.1, 7400.0, NAN],
         "lost_rate": [0.07916, 0.25212, 0.30174, NAN],
         "lost_rate_low": [0.0736, 0.2429, 0.2919, NAN],
         "lost_rate_high": [0.0852, 0.2616, 0.3118, NAN],
         "open_rate": [0.82976, 0.35087, 0.17882, NAN]}
    )  # fmt: skip


def curve():
    """At the last age nine deals are left: too few to draw."""
    return pd.DataFrame(
        {"age_days": [0, 5, 20, 60, 90], "n_at_risk": [200, 190, 120, 40, 9],
         "won_rate": [0.0, 0.05, 0.16, 0.262, 0.5], "won_rate_low": [NAN, 0.03, 0.12, 0.21, 0.3],
         "won_rate_high": [NAN, 0.09, 0.22, 0.33, 0.7], "lost_rate": [0.0, 0.03, 0.1, 0.2, 0.3]}
    )  # fmt: skip


def grid():
    """June is too young for 90 days; April has nothing at 30 days."""
    month = pd.to_datetime(["2017-04-01", "2017-05-01", "2017-06-01"])
    return pd.DataFrame(
        {"cohort": np.repeat(month, 2), "n_deals": np.repeat([152, 140, 90], 2),
         "age_days": [30, 90] * 3, "n_won": [0, 40, 30, 49, 18, 20],
         "won_rate": [NAN, 0.263, 0.214, 0.35, 0.2, NAN],
         "won_rate_low": [NAN, 0.2, 0.154, 0.276, 0.13, NAN],
         "won_rate_high": [NAN, 0.338, 0.289, 0.432, 0.294, NAN],
         "is_mature": [True, True, True, True, True, False]}
    )  # fmt: skip


def win_rates():
    """The four labels; the cohort rate is by far below the closed one."""
    return pd.DataFrame(
        {"label": ["cohort", "closed", "created", "with_stale"],
         "n_won": [3295, 4238, 4238, 4238], "n_deals": [8300, 6711, 8800, 8002],
         "rate": [0.39701, 0.6315, 0.48159, 0.52962],
         "rate_low": [0.3865, 0.6199, 0.4712, 0.5187],
         "rate_high": [0.4076, 0.643, 0.492, 0.5405]}
    )  # fmt: skip


def monthly():
    """October and later are too young for the cohort rate; in December nothing closed."""
    return pd.DataFrame(
        {"month": pd.date_range("2017-08-01", periods=5, freq="MS"),
         "n_created": [100, 110, 90, 95, 80], "n_closed": [60, 70, 75, 40, 0],
         "n_won_closed": [34, 55, 37, 21, 0],
         "closed_rate": [0.567, 0.786, 0.493, 0.525, NAN],
         "closed_rate_low": [0.441, 0.676, 0.383, 0.375, NAN],
         "closed_rate_high": [0.684, 0.866, 0.604, 0.671, NAN],
         "n_won_created": [50, 52, 30, 20, 5], "created_rate": [0.5, 0.473, 0.333, 0.211, 0.063],
         "created_rate_low": [0.404, 0.382, 0.245, 0.141, 0.027],
         "created_rate_high": [0.596, 0.565, 0.436, 0.303, 0.138],
         "cohort_rate": [0.44, 0.41, NAN, NAN, NAN], "cohort_rate_low": [0.35, 0.32, NAN, NAN, NAN],
         "cohort_rate_high": [0.54, 0.5, NAN, NAN, NAN],
         "is_mature": [True, True, False, False, False]}
    )  # fmt: skip


def cycle():
    """In November nothing was won; the row without a month stands for all."""
    return pd.DataFrame(
        {"month": pd.to_datetime(["2017-11-01", "2017-12-01", None]), "n_won": [0, 3, 4238],
         "p25_days": [NAN, 9.0, 11.0], "p50_days": [NAN, 40.5, 57.0], "p75_days": [NAN, 80.0, 85.0],
         "p90_days": [NAN, 90.0, 107.0], "mean_days": [NAN, 45.2, 51.782]}
    )  # fmt: skip


def totals():
    """The second rep has closed nothing, the third carries a hostile name."""
    return pd.DataFrame(
        {"group": ["r1", "r2", "r3"], "name": ["Darcel Schlecht", "王芳", HOSTILE],
         "team": ["Central", None, "East"], "n_deals": [747, 4, 300], "n_won": [349, 0, 98],
         "n_lost": [204, 0, 80], "n_open": [194, 4, 120], "n_removed": [0, 0, 2],
         "won_amount": [1153214.0, 0.0, 478396.0], "open_amount": [NAN, 900.0, 0.0],
         "closed_rate": [0.6311, NAN, 0.5506], "closed_rate_low": [0.590, NAN, 0.477],
         "closed_rate_high": [0.670, NAN, 0.622], "cycle_days": [57.0, NAN, 49.5],
         "n_handed": [3, 0, 1]}
    )  # fmt: skip


def ranking():
    """Sorted by shrunk rate; the last rep is too new to have deals that are old enough."""
    return pd.DataFrame(
        {"group": ["r3", "r1", "r2"], "name": [HOSTILE, "Darcel Schlecht", "王芳"],
         "team": ["East", "Central", None], "n_deals": [210, 553, 0], "n_won": [98, 229, 0],
         "raw_rate": [0.467, 0.414, NAN], "raw_rate_low": [0.400, 0.374, NAN],
         "raw_rate_high": [0.534, 0.455, NAN], "expected": [84.2, 236.0, 0.0],
         "observed_over_expected": [1.164, 0.970, NAN], "adjusted_rate": [0.462, 0.385, NAN],
         "shrunk_rate": [0.44, 0.395, 0.397], "shrunk_rate_low": [0.39, 0.36, 0.30],
         "shrunk_rate_high": [0.49, 0.43, 0.50], "reliability": [0.61, 0.82, 0.0],
         "rank_low": [1.0, 2.0, 1.0], "rank_high": [2.0, 3.0, 3.0],
         "top_quartile_share": [0.7, 0.05, 0.3]}
    )  # fmt: skip


def gate(*, is_open):
    """The test that decides whether ranks may be shown."""
    return pd.DataFrame(
        {"chi2": [43.21], "df": [29], "p_value": [0.0312 if is_open else 0.246],
         "is_open": [is_open], "n_reps": [30], "n_deals": [6000], "overall_rate": [0.397],
         "spread": [0.12], "method": ["chi2"], "rank_set_places": [9.0]}
    )  # fmt: skip


def attainment():
    """The team has no quota; the person's second period still runs."""
    return pd.DataFrame(
        {"holder": ["r1", "r1", "t1"], "name": [HOSTILE, HOSTILE, "East"],
         "holder_type": ["person", "person", "team"],
         "period_start": pd.to_datetime(["2017-07-01", "2017-10-01", "2017-07-01"]),
         "period_end": pd.to_datetime(["2017-09-30", "2018-03-31", "2017-09-30"]),
         "quota": [100000.0, 100000.0, NAN], "prorated_quota": [80000.0, 100000.0, NAN],
         "credited_amount": [92800.0, 20000.0, 50000.0], "attainment": [1.16, 0.2, NAN],
         "is_finished": [True, False, True]}
    )  # fmt: skip


def ledger():
    """One row in 3,000 was not accepted: that is not 100 %."""
    return pd.DataFrame(
        {
            "table": ["deals", "people"],
            "file": ["<deals>.csv", "people.csv"],
            "n_in": [2965, 35],
            "n_accepted": [2964, 35],
            "n_quarantined": [1, 0],
            "n_refused": [0, 0],
        }
    )


def findings():
    """One known kind, one that has no sentence yet."""
    return pd.DataFrame(
        {"kind": ["unknown_value", "brand_new_kind"],
         "subject": ['product "GTXPro"', HOSTILE], "n_rows": [1480, 2],
         "detail": ["not in products.csv", ""]}
    )  # fmt: skip


def exclusions():
    """Every reason that occurs and one without words yet; the deals used come last."""
    return pd.DataFrame(
        {"reason": ["not_accepted", "removed", "no_created_on", "no_owner", "too_young",
                    "negative_age", "used"],
         "n_deals": [21, 2, 500, 4, 381, 1, 2554]}
    )  # fmt: skip


def truncated_grid():
    """April began before the first recorded closing; its rate at 90 days was the highest."""
    table = grid().assign(is_truncated=[True, True, False, False, False, False])
    table.loc[table["is_truncated"], ["won_rate", "won_rate_low", "won_rate_high"]] = NAN
    return table


def truncated_monthly():
    """August is truncated and holds the extremes of the closed and the created rate."""
    table = monthly().assign(is_truncated=[True, False, False, False, False])
    table.loc[0, ["cohort_rate", "cohort_rate_low", "cohort_rate_high"]] = NAN
    table.loc[0, "closed_rate"] = 0.99
    return table


def serious():
    """The four findings that bend figures, last ones first, and one that does not."""
    return pd.DataFrame(
        {"kind": ["after_extraction", "no_open_deals", "merged_rows", "older_than_any_closed",
                  "left_truncation"],
         "subject": ["deals.closed_at", HOSTILE, "deals", "deals", "2017-03-01"],
         "n_rows": [3, 120, 7, 1291, 1185], "detail": ["2018-01-04", "24 %", None, "138", "518"]}
    )  # fmt: skip
