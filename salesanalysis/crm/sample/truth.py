"""
The truth behind the sample company: the parameters that a report should recover.

A deal is won with its own probability, on the logit scale: base of its cell + effects of source, segment and
product + skill of its first owner. Given the outcome, the time to it is gamma distributed with shape 2. Whether
the activity that a stage requires is done depends on the cell alone, not on what becomes of the deal.
"""

import numpy as np
import pandas as pd
from scipy.optimize import brentq
from scipy.special import expit, logit

STAGES = ("初步接触", "需求确认", "方案演示", "报价", "合同谈判", "赢单", "丢单")
WON, LOST = 5, 6
SOURCES = ("官网", "展会", "电话开发", "转介绍", "Partner", "老客户")
SEGMENTS = ("大客户", "中型", "小微")
PRODUCTS = (
    "云端CRM 标准版",
    "云端CRM 专业版",
    "数据分析平台",
    "客服中心",
    "Insight Mobile",
    "实施服务",
)
ACTIVITY_TYPES = ("电话", "拜访", "会议", "演示", "邮件")
REQUIRED = (  # one activity of one of these kinds, by stage
    ("电话", "邮件"),
    ("拜访",),
    ("演示",),
    ("会议", "拜访"),
    ("会议", "电话"),
)
SLA_DAYS = (14, 21, 21, 14, 21)  # allowed in a stage
CHANGED_ON = np.datetime64("2025-09-01")
TAU = 0.25  # SD of the reps' skill, logit scale
CELLS = ("control", "treated_before", "treated_after")  # by the first owner's team and the day
WIN_RATE = (0.15, 0.15, 0.32)
WON_DAYS = (60.0, 60.0, 35.0)  # mean time to the outcome
LOST_DAYS = (45.0, 45.0, 26.25)
ACTIONS_DONE = (0.45, 0.45, 0.8)  # share of stays with what is required done in the days allowed
SOURCE_EFFECT = (0.0, -0.25, -0.6, 0.7, 0.35, 0.5)  # logit scale, like the next two
SEGMENT_EFFECT = (-0.35, 0.0, 0.2)
PRODUCT_EFFECT = (0.1, 0.0, -0.3, 0.0, 0.15, 0.25)
LOST_FROM = (0.22, 0.24, 0.22, 0.18, 0.14)  # share of lost deals by last stage
SKIP, BACK, REOPEN = 0.04, 0.05, 0.02  # share of deals that can, by kind of path
STALE, NEVER_CLOSED = 0.04, 0.5  # share of deals gone stale; of those, never closed
TIE = 0.004  # deals with two changes in one second, where the path is long enough
INSTALMENTS = ((1.0, 0.0, 0.0), (0.5, 0.5, 0.0), (0.3, 0.6, 0.1))  # how a won deal is paid
INSTALMENTS_SHARE = (0.35, 0.25, 0.4)
NEVER_PAID, REFUNDED, REFUNDED_WHOLE = 0.03, 0.05, 0.4  # share of won; of paid; of those refunded
STAGE_TIME = np.array([0.8, 1, 1.2, 1, 1.4, 0, 1])  # relative mean stay; lost: until reopened


def case_mix(source, segment, product) -> np.ndarray:
    """Sum of the case-mix effects of rows of SOURCES, SEGMENTS, PRODUCTS (logit scale)."""
    effects = np.array(SOURCE_EFFECT)[source] + np.array(SEGMENT_EFFECT)[segment]
    return effects + np.array(PRODUCT_EFFECT)[product]


def intercepts(deals: pd.DataFrame) -> list[float]:
    """Base of each cell (logit scale), such that its mean win probability is the one wanted; NaN for no deals."""
    rests = [deals.loc[deals["cell"] == cell, "effect"].to_numpy() for cell in range(len(CELLS))]
    return [_base(rate, rest) for rate, rest in zip(WIN_RATE, rests, strict=True)]


def _base(rate: float, rest: np.ndarray) -> float:
    if not len(rest):
        return np.nan
    return brentq(lambda base: expit(base + rest).mean() - rate, logit(rate) - 4, logit(rate) + 4)


def path_shares() -> tuple[list[tuple[int, ...]], np.ndarray]:
    """
    Every path a deal can take through the stages, and its share among won and among lost deals.

    Returns
    -------
    (list of paths, array 2 × paths)
        A path is rows of STAGES, the end state last. Shares of lost deals in row 0, of won in row 1.
    """
    paths, shares = [], []
    lost = [(0, depth, share) for depth, share in enumerate(LOST_FROM, start=1)]
    for is_won, depth, share in [(1, len(LOST_FROM), 1.0), *lost]:
        end, way = (WON if is_won else LOST,), tuple(range(depth))
        kept = depth if is_won else depth - 1  # a deal lost from a stage was in it
        skips = [way[:a] + way[b:] for a in range(1, depth) for b in (a + 1, a + 2) if b <= kept]
        backs = [way[: j + 1] + way[b:] for j in range(1, depth) for b in (j - 1, j - 2) if b >= 0]
        reopens = [
            (*way[: j + 1], LOST, *way[r:]) for j in range(depth) for r in (j, j - 1) if r >= 0
        ]
        left = 1.0
        for part, kinds in ((SKIP, skips), (BACK, backs), (REOPEN, reopens)):
            left -= part if kinds else 0
            paths += [kind + end for kind in kinds]
            shares += [(is_won, share * part / len(kinds)) for _ in kinds]
        paths.append(way + end)
        shares.append((is_won, share * left))
    won, share = np.array(shares).T
    return paths, np.vstack([share * (1 - won), share * won])
