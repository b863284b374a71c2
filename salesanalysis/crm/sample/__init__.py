"""
The sample company: the CRM export of an invented firm selling in China, with known truth.

One story is in it: from 2025-09-01 half of the teams work a new way, and the true win rate of deals
created there from that day on rises from 15 % to 32 %, the true mean time to a win falls from 60 to 35 days, and
what a stage requires is done in 80 % instead of 45 % of the stays.
"""

import datetime
import json
from pathlib import Path

import numpy as np
from scipy.special import expit

from salesanalysis.crm.sample import export
from salesanalysis.crm.sample import truth as truth_of
from salesanalysis.crm.sample.staff import END, START, person_ids
from salesanalysis.crm.sample.truth import CELLS, PRODUCTS, SEGMENTS, SOURCES, STAGES, WON
from salesanalysis.crm.sample.world import World, simulate

SMALLEST = 50
FEWEST_REPS, MOST_REPS = 12, 600
_TABLES = {
    "deals.csv": export.deals,
    "stages.csv": export.stages,
    "products.csv": export.products,
    "stage_history.csv": export.stage_history,
    "owner_history.csv": export.owner_history,
    "deal_changes.csv": export.deal_changes,
    "activities.csv": export.activities,
    "people.csv": export.people,
    "quotas.csv": export.quotas,
    "credits.csv": export.credits,
    "satisfaction.csv": export.satisfaction,
    "payments.csv": export.payments,
}


def write(
    folder: str | Path,
    *,
    deals: int = 3000,
    seed: int = 20260630,
    as_of: datetime.date | None = None,
    dirt: bool = True,
    reps: int | None = None,
    changed: bool = True,
) -> dict:
    """
    Write the sample company's CRM export.

    The mapping file ``params/sources/sample.yaml`` fits it. Times are local (Asia/Shanghai).

    Parameters
    ----------
    folder : path
        Made if missing; files of the same names in it are replaced. CSV, UTF-8, comma, one header
        line; and ``truth.json``.
    deals : int
        Deals created in the 24 months 2024-07-01 to 2026-06-30, at least 50.
    seed : int, 0 or more
        The same arguments give the same bytes.
    as_of : date, optional
        Write the export as the CRM held it at the end of this day: state, stage, owner, amount and dates
        of then, nothing recorded later. The company is the same whatever the day. Default: the last day.
    dirt : bool
        Put in the faults of a real CRM, a handful of each kind; ``truth.json`` lists them. A fault shows
        in a past export once what carries it was recorded.
    reps : int from 12 to 600, optional
        Reps over the 24 months, joiners and leavers included. Default: one for 75 deals, 12 to 400.
    changed : bool
        Without, nothing ever changes: the company to which a page on a change's effect must not ascribe one.

    Returns
    -------
    dict
        What stands in ``truth.json``: ``as_of``, ``seed``, ``deals``, ``change`` (date, treated and control teams,
        whether it was a change at all),
        ``cells`` (true rates, cycles and share of required activities done, counts as of the day), ``case_mix``
        and ``tau`` (logit scale), ``reps``, ``stages``, ``paths`` (shares), ``payments`` (as of the day: deals
        never to be paid, refunded in full or in part, sums), ``rows`` per file, ``dirt`` per kind (``file``,
        ``count``, ``deal_ids``).

    Raises
    ------
    ValueError
        Fewer than 50 deals, a negative seed, too few or too many reps, a day outside the 24 months, or a folder that is a file.
    """
    folder = Path(folder)
    day = END.astype("M8[D]") if as_of is None else np.datetime64(as_of, "D")
    _check(folder, deals, seed, reps, day)
    world = simulate(deals, seed, dirt=dirt, reps=reps, changed=changed)
    cut = day.astype("M8[s]") + np.timedelta64(86_399, "s")
    folder.mkdir(parents=True, exist_ok=True)
    truth = {
        "as_of": str(day),
        "seed": seed,
        "deals": deals,
        **_truth(world, cut, changed=changed),
        "rows": {},
        "dirt": {},
    }
    for name, table in _TABLES.items():
        columns, faults = table(world, cut)
        truth["rows"][name] = export.write_csv(folder / name, columns)
        if dirt:
            truth["dirt"] |= {kind: _fault(name, rows) for kind, rows in faults.items()}
    text = json.dumps(truth, ensure_ascii=False, indent=1)
    (folder / "truth.json").write_bytes(text.encode() + b"\n")
    return truth


def _check(folder: Path, deals: int, seed: int, reps: int | None, day: np.datetime64) -> None:
    for name, value, least in (("deals", deals, SMALLEST), ("seed", seed, 0)):
        if not _is_whole(value) or value < least:
            raise ValueError(f"{name} must be a whole number, {least} or more, found {value!r}")
    if reps is not None and not (_is_whole(reps) and FEWEST_REPS <= reps <= MOST_REPS):
        raise ValueError(
            f"reps must be a whole number from {FEWEST_REPS} to {MOST_REPS}, found {reps!r}"
        )
    first, last = START.astype("M8[D]"), END.astype("M8[D]")
    if not first <= day <= last:
        raise ValueError(f"as_of must be a day from {first} to {last}, found {day}")
    if file := next((path for path in (folder, *folder.parents) if path.is_file()), None):
        raise ValueError(f"the sample needs a folder, but {file} is a file; name another folder")


def _is_whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _fault(file: str, rows: np.ndarray) -> dict:
    return {"file": file, **_listed(rows)}


def _listed(deals: np.ndarray) -> dict:
    return {"count": len(deals), "deal_ids": export.deal_numbers(deals)}


def _truth(world: World, cut: np.datetime64, *, changed: bool) -> dict:
    """The parameters the company was made with, and what came of them by the cut."""
    teams = world.staff.teams
    return {
        "change": {
            "date": str(truth_of.CHANGED_ON),
            "treated_teams": teams["team"][teams["is_treated"]].tolist(),
            "control_teams": teams["team"][~teams["is_treated"]].tolist(),
            "changed": changed,
        },
        "cells": _cells(world, cut, CELLS if changed else CELLS[:-1]),
        "tau": truth_of.TAU,
        "case_mix": {
            "source": dict(zip(SOURCES, truth_of.SOURCE_EFFECT, strict=True)),
            "segment": dict(zip(SEGMENTS, truth_of.SEGMENT_EFFECT, strict=True)),
            "product": dict(zip(PRODUCTS, truth_of.PRODUCT_EFFECT, strict=True)),
        },
        "reps": _reps(world, cut),
        "stages": [
            {
                "stage": stage,
                "lost_from_share": share,
                "relative_time": time,
                "required": list(kinds),
            }
            for stage, share, time, kinds in zip(
                STAGES[:WON],
                truth_of.LOST_FROM,
                truth_of.STAGE_TIME.tolist()[:WON],
                truth_of.REQUIRED,
                strict=True,
            )
        ],
        "paths": {
            "skip": truth_of.SKIP,
            "move_back": truth_of.BACK,
            "reopen": truth_of.REOPEN,
            "stale": truth_of.STALE,
            "stale_never_closed": truth_of.NEVER_CLOSED,
            "tie": truth_of.TIE,
        },
        "payments": _payments(world, cut),
    }


def _cells(world: World, cut: np.datetime64, names: tuple[str, ...]) -> dict:
    """True rates and cycles by group of teams and process, and the counts by the cut."""
    now = export.state(world, cut)
    deals = world.deals.iloc[: len(now)]
    bases = truth_of.intercepts(world.deals)
    cells = {}
    for number, name in enumerate(names):
        rows = (deals["cell"] == number).to_numpy()
        counts = now["status"][rows].value_counts()
        cells[name] = {
            "win_rate": truth_of.WIN_RATE[number],
            "won_days": truth_of.WON_DAYS[number],
            "lost_days": truth_of.LOST_DAYS[number],
            "actions_done": truth_of.ACTIONS_DONE[number],
            "intercept": None if np.isnan(bases[number]) else bases[number],
            "n_deals": int(rows.sum()),
            **{
                f"n_{status}": int(counts.get(status, 0))
                for status in ("won", "lost", "open", "removed")
            },
        }
    return cells


def _reps(world: World, cut: np.datetime64) -> list[dict]:
    """Each rep's skill, win rate on the company's mix (old process), and on the deals first owned."""
    deals = world.deals
    mix = deals.groupby(["source", "segment", "product"]).size().reset_index(name="n")
    base = truth_of.intercepts(deals)[0]
    effect = base + truth_of.case_mix(mix["source"], mix["segment"], mix["product"])
    known = (
        deals.iloc[: export.n_known(world, cut)]
        .groupby("owner")["probability"]
        .agg(["size", "mean"])
    )
    people = world.staff.people
    reps = people.loc[(people["role"] == "销售") & (people["hired_on"] <= cut), "person"].unique()
    return [
        {
            "person_id": person_ids([rep])[0],
            "skill": float(world.skills[rep]),
            "win_rate_same_mix": float(
                np.average(expit(effect + world.skills[rep]), weights=mix["n"])
            ),
            "n_deals": int(known["size"].get(rep, 0)),
            "mean_win_probability": float(known["mean"][rep]) if rep in known.index else None,
        }
        for rep in reps
    ]


def _payments(world: World, cut: np.datetime64) -> dict:
    """Won deals that will never be paid, those refunded, and the sums, by the cut."""
    payments = world.payments[world.payments["at"] <= cut]
    known = payments[payments["day"] <= cut]
    back = known[known["cents"] < 0]
    net = known.groupby("deal")["cents"].sum()
    is_whole = (net[back["deal"]] == 0).to_numpy()
    return {
        "never_paid": _listed(payments.loc[payments["day"].isna(), "deal"].unique()),
        "refunded_in_full": _listed(back.loc[is_whole, "deal"].to_numpy()),
        "refunded_in_part": _listed(back.loc[~is_whole, "deal"].to_numpy()),
        "paid_amount": int(known["cents"].clip(lower=0).sum()) / 100,
        "refunded_amount": int(-back["cents"].sum()) / 100,
    }
