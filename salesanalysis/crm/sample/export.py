"""
The sample company's log as its CRM would export it at the end of a day, faults included.

Each table function takes the world and the instant and returns the columns of one file (header -> text) and
the faults in it (kind -> deals). Text that needs quotes in CSV is quoted where it is made.
"""

from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from salesanalysis.crm.sample.staff import REGIONS, person_ids
from salesanalysis.crm.sample.truth import (
    ACTIVITY_TYPES,
    LOST,
    PRODUCTS,
    SEGMENTS,
    SLA_DAYS,
    SOURCES,
    STAGES,
    WON,
)
from salesanalysis.crm.sample.world import World, closings, owner_at

CRM_PROBABILITY = (0.1, 0.25, 0.5, 0.7, 0.9)  # as someone once entered them; not the true ones
_STATES = {"open": "进行中", "won": "赢单", "lost": "丢单", "removed": "已删除"}
_LOSS_REASONS = ("价格", "竞争对手", "项目取消", "预算不足", "无决策")
_OLD_SPELLINGS = ("初次接触", "需求调研", "产品演示", "报价单", "商务谈判")
_CHANGED_BY = ("人工", "自动", "导入")
_ANSWERS = ("有效沟通", "客户待定", "未接通", "约定下一步")
_CITIES = (
    ("上海", "苏州", "杭州", "南京"),
    ("深圳", "广州", "东莞", "厦门"),
    ("北京", "天津", "青岛", "济南"),
    ("成都", "重庆", "昆明", "贵阳"),
)
_MARKS = "华瑞 恒通 金诺 天博 启明 远航 泰和 盛达 凯越 鸿图 安信 蓝海 众联 博雅 新锐 嘉禾"
_TRADES = "精密机械 医疗器械 食品 物流 电子科技 新材料 纺织 汽车零部件 教育 软件 建材 环保"
_LATIN_MARKS = "Bluewave Nordlicht Sunrise Vertex Orient Delta Lumière Kestrel Harbour Atlas"
_LATIN_TRADES = ("Logistics, Inc.", "Medical", "Trading Co., Ltd.", "Robotics", '"Smart" Systems')
_CHUNK = 500_000  # rows put together at a time
_NAT = np.datetime64("NaT", "s")

Table = tuple[dict[str, pa.Array], dict[str, np.ndarray]]


def n_known(world: World, cut: np.datetime64) -> int:
    """Deals created by the cut; they come first."""
    return int(np.searchsorted(world.deals["created"], cut, side="right"))


def state(world: World, cut: np.datetime64) -> pd.DataFrame:
    """
    State of each deal known at the cut.

    Returns
    -------
    DataFrame, one row per deal
        ``stage`` (row of STAGES), ``status`` (open, won, lost, removed), ``closed`` (instant, NaT while open).
    """
    n = n_known(world, cut)
    rows = np.arange(n)
    step = (world.entered[:n] <= cut).sum(axis=1) - 1
    stage, removed = world.stage[rows, step], world.deals["removed"].to_numpy()[:n]
    is_removed = removed <= cut
    closed = np.where(stage >= WON, world.entered[rows, step], _NAT)
    status = np.select(
        [is_removed, stage == WON, stage == LOST], ["removed", "won", "lost"], "open"
    )
    return pd.DataFrame(
        {"stage": stage, "status": status, "closed": np.where(is_removed, removed, closed)}
    )


def deals(world: World, cut: np.datetime64) -> Table:
    """``deals.csv``: the present state, one row per deal and a few twice."""
    now = state(world, cut)
    n = len(now)
    known = world.deals.iloc[:n]
    amount, close = known["amount"].to_numpy().copy(), known["expected_close"].to_numpy().copy()
    changes = world.deal_changes[world.deal_changes["at"] <= cut]
    for value, rows in ((amount, changes["is_amount"]), (close, ~changes["is_amount"])):
        value[changes["deal"][rows]] = changes["new"][rows]  # in order of time: the last one stays
    removed = (now["status"] == "removed").to_numpy()
    is_final = closings(known, world.stage[:n], world.entered[:n]) <= cut  # not to be reopened
    reason = np.where((now["status"] == "lost") & is_final, known["loss_reason"], -1)
    owner = owner_at(world.deals, world.owner_changes, np.arange(n), cut)
    columns = {
        "Deal No.": _ids(np.arange(n)),
        "Created": _text(known["created"]),
        "Stage": _pick(STAGES, now["stage"]),
        "State": _pick(list(_STATES.values()), pd.Index(list(_STATES)).get_indexer(now["status"])),
        "Closed": _text(now["closed"]),
        "Owner": _persons(owner),
        "Amount": _money(amount),
        "Expected Close": _text(close.astype("M8[D]")),
        "Lost Reason": _pick(_LOSS_REASONS, reason),
        "Source": _pick(SOURCES, known["source"]),
        "Company Size": _pick(SEGMENTS, known["segment"]),
        "Product": _pick(PRODUCTS, known["product"]),
        "Region": _pick(REGIONS, known["region"]),
        "Account No.": _ids(known["account"].to_numpy(), prefix="C"),
        "Account": _accounts(known["account"].to_numpy()),
        "Merged Into": _ids(np.where(removed, known["merged_into"], -1)),
    }
    return _with_faults(world.dirt, columns, known["created"].to_numpy(), now)


def _with_faults(dirt: dict, columns: dict, created: np.ndarray, now: pd.DataFrame) -> Table:
    """Spoil the cells of the chosen deals whose fault shows by now; repeat a few rows."""
    every = np.ones(len(now), bool)
    turn = np.arange(len(now)) % 3
    is_closed, is_won = now["closed"].notna().to_numpy(), (now["status"] == "won").to_numpy()
    removed = (now["status"] == "removed").to_numpy()
    spoil = (  # kind, where it shows, column, text from the old text and the day of creation
        (
            "unparseable_created",
            every,
            "Created",
            lambda old, day: f"{str(day)[:4]}-02-30 10:00:00",
        ),
        ("empty_created", every, "Created", lambda old, day: ""),
        ("closed_before_created", is_closed, "Closed", lambda old, day: f"{day - 3} 11:00:00"),
        ("won_without_closed", is_won, "Closed", lambda old, day: ""),
        ("product_typo", every, "Product", lambda old, day: old.replace(" ", "")),
        ("bad_amount", every, "Amount", lambda old, day: _quoted(f"{int(float(old)) // 1000},5OO")),
        ("owner_empty", every, "Owner", lambda old, day: ""),
        ("padded_values", turn == 0, "State", lambda old, day: old + " "),
        ("padded_values", turn == 1, "Owner", lambda old, day: "\u3000" + old),
        ("padded_values", turn == 2, "Product", lambda old, day: old + "\u3000"),
    )
    faults = {
        kind: _showing(dirt, kind, where)
        for kind, where in (
            ("removed_deleted", removed),
            ("removed_merged", removed),
            ("created_in_end_state", every),
            ("duplicate_deal_rows", every),
        )
    }
    for kind, where, column, text in spoil:
        rows = _showing(dirt, kind, where)
        old = columns[column].take(pa.array(rows)).to_pylist()
        new = [text(*pair) for pair in zip(old, created[rows].astype("M8[D]"), strict=True)]
        columns[column] = _patched(columns[column], rows, new)
        faults[kind] = np.sort(np.append(faults.get(kind, rows[:0]), rows))
    twice = pa.array(np.append(np.arange(len(now)), faults["duplicate_deal_rows"]))
    return {name: column.take(twice) for name, column in columns.items()}, faults


def stages(world: World, cut: np.datetime64) -> Table:
    """``stages.csv``: the pipeline in order, then the end states."""
    flags = np.array(["false", "true"])
    row = np.arange(len(STAGES))
    columns = {
        "Stage": pa.array(STAGES),
        "Order": _text(row + 1),
        "Is Won": pa.array(flags[(row == WON).astype(int)]),
        "Is Lost": pa.array(flags[(row == LOST).astype(int)]),
        "Probability": pa.array([*map(str, CRM_PROBABILITY), "1", "0"]),
        "Max Days": pa.array([*map(str, SLA_DAYS), None, None]),
    }
    return columns, {}


def products(world: World, cut: np.datetime64) -> Table:
    """``products.csv``: the spellings that are right."""
    return {"Product": pa.array(PRODUCTS)}, {}


def stage_history(world: World, cut: np.datetime64) -> Table:
    """``stage_history.csv``: one row per entry, those to end states included."""
    n = n_known(world, cut)
    entered = np.where(world.entered[:n] <= cut, world.entered[:n], _NAT)
    deal, step = np.nonzero(~np.isnat(entered))
    stage = world.stage[deal, step]
    at = entered[deal, step]
    left = np.column_stack([entered, np.full(n, _NAT)])[deal, step + 1]
    late = (world.deals["late_days"].to_numpy() > 0)[deal] & (stage == LOST)
    late &= step == (world.stage[:n] >= 0).sum(axis=1)[deal] - 1
    by_itself = late | ((step == 0) & (world.deals["source"].to_numpy()[deal] == 0))
    imported = np.isin(deal, world.dirt.get("created_in_end_state", []))
    how = np.select([imported, by_itself], [2, 1], 0)
    actor = owner_at(world.deals, world.owner_changes, deal, at)
    strays = _showing(world.dirt, "orphan_stage_events", np.ones(n, bool))
    n_strays = len(strays)
    stray_no = len(world.deals) + 5000 + strays
    actor = np.append(np.where(how == 0, actor, -1), world.deals["owner"].to_numpy()[strays])
    who = _persons(actor).fill_null("SYSTEM")
    columns = {
        "Deal No.": _ids(np.append(deal, stray_no)),
        "Seq": _text(np.append(step, np.zeros(n_strays, int)) + 1),
        "Stage": _pick(STAGES, np.append(stage, np.zeros(n_strays, int))),
        "Entered": _text(np.append(at, world.deals["created"].to_numpy()[strays])),
        "Left": _text(np.append(left, np.full(n_strays, _NAT))),
        "Changed By": who,
        "How": _pick(_CHANGED_BY, np.append(how, np.zeros(n_strays, int))),
    }
    chosen = world.dirt.get("unknown_stage_in_history", np.array([], int))
    rows = np.flatnonzero(np.isin(deal, chosen) & (step == 1))
    columns["Stage"] = _patched(columns["Stage"], rows, [_OLD_SPELLINGS[s] for s in stage[rows]])
    return columns, {"unknown_stage_in_history": deal[rows], "orphan_stage_events": stray_no}


def owner_history(world: World, cut: np.datetime64) -> Table:
    """``owner_history.csv``: one row per deal and owner, the present one without an end."""
    n = n_known(world, cut)
    changes = world.owner_changes[world.owner_changes["at"] <= cut]
    deal = np.append(np.arange(n), changes["deal"])
    at = np.append(world.deals["created"].to_numpy()[:n], changes["at"].to_numpy())
    owner = np.append(world.deals["owner"].to_numpy()[:n], changes["owner"])
    order = np.argsort(deal, kind="stable")  # the first owner, then the changes in order of time
    deal, at, owner = deal[order], at[order], owner[order]
    until = np.append(np.where(deal[1:] == deal[:-1], at[1:], _NAT), np.full(min(n, 1), _NAT))
    columns = {
        "Deal No.": _ids(deal),
        "Owner": _persons(owner),
        "From": _text(at),
        "To": _text(until),
    }
    return columns, {}


def deal_changes(world: World, cut: np.datetime64) -> Table:
    """``deal_changes.csv``: amounts and expected close dates, old and new."""
    known = world.deal_changes[world.deal_changes["at"] <= cut]
    deal, at = known["deal"].to_numpy(), known["at"].to_numpy()
    is_amount = pa.array(known["is_amount"].to_numpy())
    texts = {}
    for name in ("old", "new"):
        value = known[name].to_numpy()
        day = np.where(known["is_amount"], 0, value).astype("M8[D]")
        texts[name] = pc.if_else(is_amount, _money(value), _text(day))
    columns = {
        "Deal No.": _ids(deal),
        "Field": _pick(("预计成交日", "金额"), known["is_amount"].astype(int)),
        "Old": texts["old"],
        "New": texts["new"],
        "Changed": _text(at),
        "Changed By": _persons(owner_at(world.deals, world.owner_changes, deal, at)),
        "How": _pick(_CHANGED_BY, np.zeros(len(known), int)),
    }
    return columns, {}


def activities(world: World, cut: np.datetime64) -> Table:
    """``activities.csv``: in order of creation; a few lines are empty or have a field too many."""
    known = world.activities[: np.searchsorted(world.activities["created"], cut, side="right")]
    deal, created = known["deal"].to_numpy(), known["created"].to_numpy()
    done = np.where(known["done"] <= cut, known["done"], _NAT)
    is_done = ~np.isnat(done)
    number = np.arange(len(known))
    columns = {
        "Activity No.": _ids(number, prefix="A", width=8),
        "Deal No.": _ids(deal),
        "Rep": _persons(owner_at(world.deals, world.owner_changes, deal, created)),
        "Type": _pick(ACTIVITY_TYPES, known["type"]),
        "Created": _text(created),
        "Due": _text(known["due"]),
        "Done": _text(done),
        "Minutes": _only(_text(known["minutes"]), is_done),
        "Outcome": _pick(_ANSWERS, np.where(is_done, number * 7 % 11 % 4, -1)),
    }
    faults = {}
    for kind, tail in (("blank_activity_rows", "\n"), ("wide_activity_rows", ",下周再联系")):
        chosen = world.dirt.get(kind, np.array([], int))
        rows = np.array(
            [np.flatnonzero(deal == one)[0] for one in chosen if (deal == one).any()], int
        )
        old = columns["Outcome"].take(pa.array(rows)).to_pylist()
        columns["Outcome"] = _patched(
            columns["Outcome"], rows, [(text or "") + tail for text in old]
        )
        faults[kind] = deal[rows]
    return columns, faults


def people(world: World, cut: np.datetime64) -> Table:
    """``people.csv``: one row per person and spell in a team."""
    known = world.staff.people
    known = known[known["valid_from"] <= cut].sort_values(["person", "valid_from"])
    columns = {
        "Employee No.": _persons(known["person"].to_numpy()),
        "Name": pa.array(known["name"].to_list(), pa.string()),
        "Team": pa.array(known["team"].to_list(), pa.string()),
        "Manager": _persons(known["manager"].to_numpy()),
        "Role": pa.array(known["role"].to_list(), pa.string()),
        "Hired": _text(_day(known["hired_on"])),
        "Left": _text(_day(known["left_on"].where(known["left_on"] <= cut))),
        "From": _text(_day(known["valid_from"])),
        "To": _text(_day(known["valid_to"].where(known["valid_to"] <= cut))),
    }
    return columns, {}


def quotas(world: World, cut: np.datetime64) -> Table:
    """``quotas.csv``: amounts by quarter, entered on the day before the quarter."""
    known = world.quotas[world.quotas["start"] <= cut + np.timedelta64(1, "D")]
    is_team = known["is_team"].to_numpy()
    holder = known["holder"].to_numpy()
    team = world.staff.teams["team"].to_numpy()[np.where(is_team, holder, 0)]
    columns = {
        "Holder Type": _pick(("人员", "团队"), is_team.astype(int)),
        "Holder": pa.array(np.where(is_team, team, np.array(person_ids(holder), object))),
        "Start": _text(_day(known["start"])),
        "End": _text(_day(known["end"])),
        "Measure": _pick(("金额",), np.zeros(len(known), int)),
        "Value": _money((known["value"] * 100).to_numpy().astype(np.int64)),
    }
    return columns, {}


def credits(world: World, cut: np.datetime64) -> Table:
    """``credits.csv``: shares of won deals, written when they are won."""
    known = world.credits[world.credits["at"] <= cut]
    columns = {
        "Deal No.": _ids(known["deal"].to_numpy()),
        "Employee No.": _persons(known["person"].to_numpy()),
        "Share": _text(known["share"]),
        "Type": _pick(("业绩", "协同"), known["is_overlay"].astype(int)),
    }
    return columns, {}


def satisfaction(world: World, cut: np.datetime64) -> Table:
    """``satisfaction.csv``: customers asked after a win, and their scores from 1 to 10."""
    known = world.satisfaction[world.satisfaction["asked"] <= cut]
    is_answered = (known["answered"] <= cut).to_numpy()
    columns = {
        "Deal No.": _ids(known["deal"].to_numpy()),
        "Employee No.": _persons(known["person"].to_numpy()),
        "Asked": _text(known["asked"]),
        "Answered": _text(known["answered"].where(is_answered)),
        "Score": _only(_text(known["score"]), is_answered),
        "Scale": _pick(("10",), np.zeros(len(known), int)),
    }
    return columns, {}


def payments(world: World, cut: np.datetime64) -> Table:
    """``payments.csv``: what customers paid for won deals, by day; what they got back is negative."""
    known = world.payments[world.payments["day"] <= cut]
    columns = {
        "Deal No.": _ids(known["deal"].to_numpy()),
        "Paid": _text(_day(known["day"])),
        "Amount": _money(known["cents"].to_numpy()),
    }
    return columns, {}


def deal_numbers(deals: np.ndarray) -> list[str]:
    """
    Deal numbers as the export writes them.

    >>> deal_numbers(np.array([0, 41]))
    ['0000001', '0000042']
    """
    return _ids(deals).to_pylist()


def write_csv(path: Path, columns: dict[str, pa.Array]) -> int:
    """Write text columns, missing as empty, with a header line; return the number of rows."""
    n_rows = len(next(iter(columns.values())))
    with path.open("wb") as out:
        out.write((",".join(columns) + "\n").encode())
        for start in range(0, n_rows, _CHUNK):
            part = [column.slice(start, _CHUNK).fill_null("") for column in columns.values()]
            lines = pc.binary_join_element_wise(*part, ",")
            out.write(pc.binary_join_element_wise(lines, "", "\n").buffers()[2])
    return n_rows


def _showing(dirt: dict, kind: str, where: np.ndarray) -> np.ndarray:
    """Deals chosen for a kind of fault for which it shows."""
    chosen = dirt.get(kind, np.array([], int))
    chosen = chosen[chosen < len(where)]
    return chosen[where[chosen]]


def _patched(column: pa.Array, rows: np.ndarray, texts: list[str]) -> pa.Array:
    """The column with other texts in some rows, which ascend."""
    mask = np.zeros(len(column), bool)
    mask[rows] = True
    return pc.replace_with_mask(column, pa.array(mask), pa.array(texts, pa.string()))


def _only(column: pa.Array, where: np.ndarray) -> pa.Array:
    return pc.if_else(pa.array(where), column, pa.scalar(None, pa.string()))


def _text(values) -> pa.Array:
    """Days, instants (whole seconds) and numbers as text."""
    return pa.array(np.asarray(values)).cast(pa.string())


def _day(values: pd.Series) -> np.ndarray:
    return values.to_numpy().astype("M8[D]")


def _ids(numbers: np.ndarray, *, prefix: str = "", width: int = 7) -> pa.Array:
    """Numbers from 1 with leading zeros; negative ones are missing."""
    text = pc.utf8_lpad(_text(numbers + 1), width, "0")
    return _only(pc.binary_join_element_wise(prefix, text, ""), numbers >= 0)


def _persons(numbers: np.ndarray) -> pa.Array:
    return _pick(person_ids(range(max(numbers, default=0) + 1)), numbers)


def _pick(texts, codes) -> pa.Array:
    """Texts by place; a negative place is missing."""
    codes = np.asarray(codes)
    return pa.array(texts, pa.string()).take(pa.array(codes, mask=codes < 0))


def _money(cents: np.ndarray) -> pa.Array:
    """Amounts with two decimals."""
    whole, rest = np.divmod(np.abs(cents), 100)
    fraction = pc.utf8_lpad(_text(rest), 2, "0")
    amount = pc.binary_join_element_wise(_text(whole), fraction, ".")
    return pc.binary_join_element_wise(_pick(("", "-"), (cents < 0).astype(int)), amount, "")


def _accounts(accounts: np.ndarray) -> pa.Array:
    """Company names, one in seven Latin; an account's place in its region settles its name."""
    place, region = np.divmod(accounts, 4)
    marks, trades = _MARKS.split(), _TRADES.split()
    rest, city = np.divmod(place * 7919 % (4 * len(marks) * len(trades)), 4)
    trade, mark = np.divmod(rest, len(marks))
    city = _pick(np.ravel(_CITIES), region * 4 + city)
    chinese = pc.binary_join_element_wise(
        city, _pick(marks, mark), _pick(trades, trade), "有限公司", ""
    )
    latin = [f"{mark} {trade}" for mark in _LATIN_MARKS.split() for trade in _LATIN_TRADES]
    latin = _pick([_quoted(name) for name in latin], (place // 7 * 4 + region) % len(latin))
    return pc.if_else(pa.array(place % 7 == 0), latin, chinese)


def _quoted(text: str) -> str:
    """
    A CSV field, in quotes if it needs them.

    >>> print(_quoted('Delta "Smart" Systems'))
    "Delta ""Smart"" Systems"
    """
    return '"' + text.replace('"', '""') + '"' if set(text) & set(',"') else text
