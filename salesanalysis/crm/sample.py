"""
The sample company: the CRM export of an invented firm selling in China, with known truth.

One story is in it: from 2025-09-01 half of the teams work a new way, and the true win rate of deals
created there from that day on rises from 15 % to 32 %, the true mean time to a win falls from 60 to 35 days.
"""

import datetime
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from salesanalysis.crm import sample_world as world_of
from salesanalysis.crm.sample_staff import END, REGIONS, START, person_ids
from salesanalysis.crm.sample_world import LOST, PRODUCTS, SEGMENTS, SOURCES, STAGES, WON, World

SMALLEST = 50
_CHUNK = 1_000_000  # rows put into text at a time
_STATES = {"open": "进行中", "won": "赢单", "lost": "丢单", "removed": "已删除"}
_LOSS_REASONS = ("价格", "竞争对手", "项目取消", "预算不足", "无决策")
_SPELLINGS = ("初次接触", "需求调研", "产品演示", "报价单", "商务谈判")  # of the stages, before some rename
_SLA_DAYS = (14, 21, 21, 14, 21)
_CRM_PROBABILITY = (0.1, 0.25, 0.5, 0.7, 0.9)
_OUTCOMES = ("有效沟通", "客户待定", "未接通", "约定下一步")
_CITIES = (
    ("上海", "苏州", "杭州", "南京"),
    ("深圳", "广州", "东莞", "厦门"),
    ("北京", "天津", "青岛", "济南"),
    ("成都", "重庆", "昆明", "贵阳"),
)
_TRADES = "精密机械 医疗器械 食品 物流 电子科技 新材料 纺织 汽车零部件 教育 软件 建材 环保".split()
_MARKS = "华瑞 恒通 金诺 天博 启明 远航 泰和 盛达 中科 凯越 鸿图 安信 蓝海 众联 博雅 新锐".split()
_LATIN_MARKS = "Bluewave Nordlicht Sunrise Pacific Vertex Orient Delta Lumière Kestrel Harbour".split()
_LATIN_TRADES = ("Logistics, Inc.", "Medical", "Trading Co., Ltd.", "Robotics", '"Smart" Systems')


def write(
    folder: str | Path,
    *,
    deals: int = 3000,
    seed: int = 20260630,
    as_of: datetime.date | None = None,
    dirt: bool = True,
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
        Deals created in the 24 months 2024-07-01 to 2026-06-30, at least 50. People grow with them.
    seed : int, 0 or more
        The same arguments give the same bytes.
    as_of : date, optional
        Write the export as the CRM held it at the end of this day: state, stage, owner, amount and dates
        of then, nothing recorded later. The company is the same whatever the day. Default: the last day.
    dirt : bool
        Put in the faults of a real CRM, a handful of each kind; ``truth.json`` lists them. A fault shows
        in a past export once what carries it was recorded.

    Returns
    -------
    dict
        What stands in ``truth.json``: ``as_of``, ``parameters``, ``stages``, ``cells`` (true rates and
        cycles, counts as of the day and in the end), ``case_mix``, ``reps``, ``rows`` per file, ``dirt``
        per kind (``file``, ``count``, ``deal_ids``).

    Raises
    ------
    ValueError
        Fewer than 50 deals, a negative seed, a day outside the 24 months, or a folder that is a file.
    """
    folder = Path(folder)
    day = END.astype("M8[D]") if as_of is None else _day(as_of)
    _check(folder, deals, seed, day)
    world = world_of.simulate(deals, seed, dirt=dirt)
    cut = day.astype("M8[s]") + np.timedelta64(86_399, "s")
    folder.mkdir(parents=True, exist_ok=True)
    tables = {
        "deals.csv": _deals,
        "stages.csv": _stages,
        "products.csv": _products,
        "stage_history.csv": _stage_history,
        "owner_history.csv": _owner_history,
        "deal_changes.csv": _deal_changes,
        "activities.csv": _activities,
        "people.csv": _people,
        "quotas.csv": _quotas,
        "credits.csv": _credits,
        "satisfaction.csv": _satisfaction,
    }
    rows, faults = {}, {}
    for name, table in tables.items():
        columns, found = table(world, cut)
        faults |= {kind: {"file": name, **fault} for kind, fault in found.items()}
        rows[name] = _write_csv(folder / name, columns)
    truth = {"as_of": str(day), "seed": seed, "deals": deals, **_truth(world, cut), "rows": rows}
    truth["dirt"] = faults if dirt else {}
    text = json.dumps(truth, ensure_ascii=False, indent=1)
    (folder / "truth.json").write_bytes(text.encode() + b"\n")
    return truth


def _day(as_of: datetime.date) -> np.datetime64:
    if not isinstance(as_of, datetime.date):
        raise ValueError(f"as_of must be a date, found {as_of!r}")
    return np.datetime64(as_of, "D")


def _check(folder: Path, deals: int, seed: int, day: np.datetime64) -> None:
    if isinstance(deals, bool) or not isinstance(deals, int) or deals < SMALLEST:
        raise ValueError(f"deals must be a whole number, {SMALLEST} or more, found {deals!r}")
    if isinstance(seed, bool) or not isinstance(seed, int) or seed < 0:
        raise ValueError(f"seed must be a whole number, 0 or more, found {seed!r}")
    first, last = START.astype("M8[D]"), END.astype("M8[D]")
    if not first <= day <= last:
        raise ValueError(f"as_of must lie in {first} to {last}, found {day}")
    taken = next((path for path in (folder, *folder.parents) if path.is_file()), None)
    if taken:
        raise ValueError(f"the sample needs a folder, but {taken} is a file; name another folder")


def _n_known(world: World, cut: np.datetime64) -> int:
    """Deals created by the cut; they come first."""
    return int(np.searchsorted(world.deals["created"], cut, side="right"))


def _state(world: World, cut: np.datetime64) -> pd.DataFrame:
    """Stage, status and closing instant of each known deal at the cut."""
    n = _n_known(world, cut)
    rows = np.arange(n)
    step = (world.entered[:n] <= cut).sum(axis=1) - 1
    stage = world.stage[rows, step]
    removed = world.deals["removed"].to_numpy()[:n]
    is_removed = removed <= cut
    closed = np.where(stage >= WON, world.entered[rows, step], np.datetime64("NaT"))
    status = np.select([is_removed, stage == WON, stage == LOST], ["removed", "won", "lost"], "open")
    closed = np.where(is_removed, removed, closed)
    return pd.DataFrame({"stage": stage, "status": status, "closed": closed})


def _deals(world: World, cut: np.datetime64) -> tuple[dict, dict]:
    state = _state(world, cut)
    n = len(state)
    deals = world.deals.iloc[:n]
    amount, close = deals["amount"].to_numpy().copy(), deals["expected_close"].to_numpy().copy()
    changes = world.deal_changes[world.deal_changes["at"] <= cut]
    for value, is_kind in ((amount, changes["is_amount"]), (close, ~changes["is_amount"])):
        value[changes["deal"][is_kind]] = changes["new"][is_kind]  # in order of time: the last stays
    removed = (state["status"] == "removed").to_numpy()
    reason = np.where(state["status"] == "lost", deals["loss_reason"], -1)
    columns = {
        "Deal No.": _ids(np.arange(n)),
        "Created": _text(deals["created"]),
        "Stage": _pick(STAGES, state["stage"]),
        "State": _pick(list(_STATES.values()), pd.Index(_STATES).get_indexer(state["status"])),
        "Closed": _text(state["closed"]),
        "Owner": _people_column(world_of.owner_at(deals, world.owner_changes, np.arange(n), cut)),
        "Amount": _money(amount),
        "Expected Close": _text(close.astype("M8[D]")),
        "Lost Reason": _pick(_LOSS_REASONS, reason),
        "Source": _pick(SOURCES, deals["source"]),
        "Company Size": _pick(SEGMENTS, deals["segment"]),
        "Product": _pick(PRODUCTS, deals["product"]),
        "Region": _pick(REGIONS, deals["region"]),
        "Account No.": _ids(deals["account"].to_numpy(), prefix="C"),
        "Account": _accounts(deals["account"].to_numpy()),
        "Merged Into": _ids(np.where(removed, deals["merged_into"], -1)),
    }
    return _soiled(columns, deals, state, world.dirt)


def _soiled(columns: dict, deals: pd.DataFrame, state: pd.DataFrame, dirt: dict) -> tuple[dict, dict]:
    """The columns with the faults that show by now, and what they are."""
    created, closed = deals["created"].to_numpy(), state["closed"].to_numpy()
    shows = {
        "removed_deleted": state["status"] == "removed",
        "removed_merged": state["status"] == "removed",
        "closed_before_created": ~np.isnat(closed),
        "won_without_closed": state["status"] == "won",
    }
    rows = {
        kind: chosen[(chosen < len(deals)) & shows.get(kind, pd.Series(True, deals.index))[chosen[chosen < len(deals)]]]
        for kind, chosen in dirt.items()
    }
    return columns, rows
