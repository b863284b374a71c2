"""
Is the set of KPIs itself any good? The tests of a KPI set, each with its threshold, and a verdict per KPI.

`audit` gathers the tables; `findings` tests them and knows no store, so a set made by hand can be audited too.
"""

import datetime
import itertools

import numpy as np
import pandas as pd

from salesanalysis.crm.process import Kpi, Process
from salesanalysis.crm.seen import Seen
from salesanalysis.metrics import kpis as measured
from salesanalysis.metrics import scorecards
from salesanalysis.metrics.periods import Period
from salesanalysis.statistics import audit as model

LEAST_WEIGHT = 0.10
FEWEST = 3  # KPIs of a role
RELIABLE_FOR_RANKING, RELIABLE_FOR_PAY = 0.7, 0.9
REDUNDANT_VIF, REDUNDANT_RHO = 5.0, 0.8
INFLUENCE = (0.5, 2.0)
DEPENDS = (0.2, 0.8)  # of all weightings
HALF_OF_PAIRS = 0.5
SAME_THING = 0.95  # Cronbach's alpha above which the KPIs repeat each other
AT_THE_END = 0.15  # share of people at 0 or at the most points
HEAPED = 0.01  # p-value
NEAR = 0.1  # of the way from floor to target, counted as just above or below the target
UNSURE = 0.5  # share of people whose interval reaches beyond the next threshold
SPREAD = 2.0  # KPIs for each independent one
FEWEST_UNITS = 8  # people or teams a test of one KPI needs
A_YEAR = 365

_COLUMNS = [
    *("role", "kpi", "other", "test", "value", "low", "high", "n", "threshold", "is_flagged"),
]


def audit(seen: Seen, process: Process, period: Period, *, periods: int = 4) -> pd.DataFrame:
    """
    Test the KPIs in force in a period, by role, on everybody of that role who is ramped.

    Parameters
    ----------
    seen : Seen
    process : Process
    period : Period
    periods : int
        Periods behind the test of leading KPIs, this one the last.

    Returns
    -------
    DataFrame
        As `findings` gives, all roles.
    """
    rules = process.on(period.first)
    now, scores = scorecards.appraise(seen, process, period)
    past, _ = scorecards.history(seen, process, period, periods=periods)
    parts = []
    for role in dict.fromkeys(kpi.role for kpi in rules.kpis):
        chosen = tuple(
            kpi for kpi in rules.kpis if kpi.role == role and kpi.ramp in ("any", "ramped")
        )
        who = (now["role"] == role) & (now["ramp"] == "ramped")
        before = (past["role"] == role) & (past["ramp"] == "ramped") if len(past) else []
        ranked = (scores["role"] == role) & (scores["ramp"] == "ramped")
        parts.append(
            findings(
                chosen,
                now[who],
                history=past[before] if len(past) else past,
                halves=_halves(seen, process, period, chosen, now[who]),
                pairs=scores.loc[ranked, "weights_share"].dropna().to_numpy(),
                role=role,
                first=period.first,
                for_pay={gate.kpi for plan in rules.plans for gate in plan.gates},
                cap=rules.scorecard.cap,
            )
        )
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=_COLUMNS)


def _halves(
    seen: Seen, process: Process, period: Period, chosen: tuple[Kpi, ...], now: pd.DataFrame
) -> pd.DataFrame:
    """Values of the odd and of the even weeks of those who are judged: ``kpi``, ``unit``, ``odd``, ``even``."""
    stages = process.on(period.first).stages
    parts = []
    for kpi in chosen:
        unit = "person" if kpi.whose == "own" else "team"
        is_own = (now["kpi"] == kpi.id) & now["is_judged"].astype(bool)
        units = now.loc[is_own, unit].drop_duplicates().dropna()
        values = [
            measured.unit_values(
                seen, process, period, kpi, stages, unit=unit, units=units, week=week
            ).set_index("unit")["value"]
            for week in (1, 0)
        ]
        table = pd.concat(values, axis=1, keys=["odd", "even"]).rename_axis("unit").reset_index()
        parts.append(table.assign(kpi=kpi.id))
    return pd.concat(parts, ignore_index=True)


def findings(
    chosen: tuple[Kpi, ...],
    now: pd.DataFrame,
    *,
    history: pd.DataFrame,
    halves: pd.DataFrame,
    pairs: np.ndarray,
    role: str,
    first: datetime.date,
    for_pay: set[str],
    cap: float = 100.0,
) -> pd.DataFrame:
    """
    Test a set of KPIs.

    Parameters
    ----------
    chosen : the KPIs of one role
    now : DataFrame, one row per person and KPI, as `scorecards.appraise` gives
        ``person``, ``team``, ``kpi``, ``value``, ``low``, ``high``, ``points``, ``is_judged``, ``contribution``.
    history : DataFrame
        The same of several periods, with ``period`` and ``first``.
    halves : DataFrame
        ``kpi``, ``unit``, ``odd``, ``even``: values of the odd and the even weeks.
    pairs : array
        Share of all weightings under which each person is above the next one in the order.
    role : str
    first : date
        First day of the period.
    for_pay : set of KPI ids that pay depends on
    cap : float
        Most points of a KPI.

    Returns
    -------
    DataFrame, one row per test
        ``role``, ``kpi`` (empty: the set), ``other`` (the second KPI of a pair, or the result), ``test`` (slug),
        ``value`` with ``low``, ``high`` where it has an interval, ``n`` (what it rests on), ``threshold``,
        ``is_flagged``. A test that rests on fewer than 8 people or teams has the value NaN and flags nothing.
    """
    table = pd.DataFrame(
        [
            *_of_the_set(chosen, first),
            *_of_each(chosen, now, halves, for_pay, cap),
            *_of_the_points(chosen, now, pairs),
            *_leading(chosen, history),
        ]
    )
    return table.assign(role=role).reindex(columns=_COLUMNS)


def _row(test: str, value, *, threshold, is_flagged, n, kpi="", other="", low=np.nan, high=np.nan):
    found = {"kpi": kpi, "other": other, "test": test, "value": value, "low": low, "high": high}
    return found | {"n": n, "threshold": threshold, "is_flagged": bool(is_flagged)}


def _of_the_set(chosen: tuple[Kpi, ...], first: datetime.date) -> list[dict]:
    """What the process file alone shows."""
    n = len(chosen)
    rows = [_row("too_few", n, threshold=FEWEST, is_flagged=n < FEWEST, n=n)]
    for kind in ("process", "customer", "team"):
        count = sum(kpi.kind == kind or (kind == "team" and kpi.whose == "team") for kpi in chosen)
        rows.append(_row(f"no_{kind}", count, threshold=1, is_flagged=count < 1, n=n))
    for kpi in chosen:
        small = kpi.weight < LEAST_WEIGHT - 1e-9
        rows.append(
            _row("weight", kpi.weight, threshold=LEAST_WEIGHT, is_flagged=small, n=n, kpi=kpi.id)
        )
        age = (first - kpi.begins).days
        rows.append(
            _row("unchanged", age, threshold=A_YEAR, is_flagged=age >= A_YEAR, n=n, kpi=kpi.id)
        )
    return rows


def _of_each(
    chosen: tuple[Kpi, ...],
    now: pd.DataFrame,
    halves: pd.DataFrame,
    for_pay: set[str],
    cap: float,
) -> list[dict]:
    rows = []
    for kpi in chosen:
        part = halves[halves["kpi"] == kpi.id]
        found = model.split_half(part["odd"].to_numpy(float), part["even"].to_numpy(float))
        needed = RELIABLE_FOR_PAY if kpi.id in for_pay else RELIABLE_FOR_RANKING
        value = found.value if found.n >= FEWEST_UNITS else np.nan
        rows.append(
            _row("reliability", value, threshold=needed, is_flagged=value < needed, n=found.n,
                 kpi=kpi.id, low=found.low, high=found.high)
        )  # fmt: skip
        judged = now[(now["kpi"] == kpi.id) & now["is_judged"].astype(bool)]
        judged = judged.drop_duplicates("team") if kpi.whose == "team" else judged
        rows += _of_values(kpi, judged, cap)
    return rows


def _of_values(kpi: Kpi, judged: pd.DataFrame, cap: float) -> list[dict]:
    """Ends of the scale, heaps at the target, and intervals wider than the way to the next threshold."""
    n = len(judged)
    enough = n >= FEWEST_UNITS
    points = judged["points"].to_numpy(float)
    rows = []
    for test, end in (("floor", 0.0), ("ceiling", cap)):
        share = float(np.mean(np.isclose(points, end))) if enough else np.nan
        rows.append(
            _row(test, share, threshold=AT_THE_END, is_flagged=share > AT_THE_END, n=n, kpi=kpi.id)
        )
    way = kpi.target - kpi.floor
    reached = (
        judged["value"].to_numpy(float) - kpi.floor
    ) / way  # 1 at the target, both ways round
    heap = model.heaping(reached, 1.0, NEAR)
    near = heap.n_above + heap.n_below
    p = heap.p_value if near >= FEWEST_UNITS else np.nan
    rows.append(_row("heaped", p, threshold=HEAPED, is_flagged=p < HEAPED, n=near, kpi=kpi.id))
    half = np.abs(judged["high"] - judged["low"]).to_numpy(float) / 2 / abs(way)
    distance = np.minimum(np.abs(reached), np.abs(reached - 1))
    known = np.isfinite(half) & np.isfinite(distance)
    share = float(np.mean(half[known] > distance[known])) if known.sum() >= FEWEST_UNITS else np.nan
    rows.append(
        _row("sample", share, threshold=UNSURE, is_flagged=share > UNSURE, n=int(known.sum()),
             kpi=kpi.id)
    )  # fmt: skip
    return rows


def _of_the_points(chosen: tuple[Kpi, ...], now: pd.DataFrame, pairs: np.ndarray) -> list[dict]:
    """
    Redundancy, influence, construct and the order's dependence on weights: KPIs side by side.

    Those that are judged for too few people would leave nobody to compare, so the tests of all KPIs at once leave
    them out. Two KPIs of a team are alike for all of its people: only so many teams tell whether they go together.
    """
    ids = [kpi.id for kpi in chosen]
    signs = {kpi.id: np.sign(kpi.target - kpi.floor) for kpi in chosen}
    judged = now[now["is_judged"].astype(bool)]
    wide = judged.pivot(index="person", columns="kpi", values="value").reindex(columns=ids)
    wide = wide * pd.Series(signs)
    common = [kpi for kpi in ids if wide[kpi].notna().sum() >= FEWEST_UNITS]
    team = judged.drop_duplicates("person").set_index("person")["team"].reindex(wide.index)
    by_team = {kpi.id for kpi in chosen if kpi.whose == "team"}
    n_units = {
        kpi: team[wide[kpi].notna()].nunique() if kpi in by_team else wide[kpi].notna().sum()
        for kpi in ids
    }
    apart = [kpi for kpi in common if n_units[kpi] >= FEWEST_UNITS]
    rows = _pairs_of(ids, wide, team, by_team)
    whole = wide[apart].dropna()
    enough = len(whole) >= FEWEST_UNITS and len(apart) > 1
    factors = dict(zip(apart, model.vif(whole.to_numpy()), strict=True)) if enough else {}
    for kpi in ids:
        factor = factors.get(kpi, np.nan)
        flagged = factor > REDUNDANT_VIF
        rows.append(
            _row("vif", factor, threshold=REDUNDANT_VIF, is_flagged=flagged, n=len(whole), kpi=kpi)
        )
    added, points = (
        now.pivot(index="person", columns="kpi", values=values).reindex(columns=common).dropna()
        for values in ("contribution", "points")
    )
    weights = np.array([kpi.weight for kpi in chosen if kpi.id in common])
    moved = {}
    if len(common) > 1 and len(added) >= FEWEST_UNITS:
        found = model.influence(added.to_numpy(), added.sum(axis=1).to_numpy(), weights)
        moved = dict(zip(common, found, strict=True))
    for kpi in ids:
        value = moved.get(kpi, np.nan)
        flagged = np.isfinite(value) and not INFLUENCE[0] <= value <= INFLUENCE[1]
        rows.append(
            _row("influence", value, threshold=INFLUENCE[0] if value < 1 else INFLUENCE[1],
                 is_flagged=flagged, n=len(added), kpi=kpi)
        )  # fmt: skip
    rows.append(_spread(apart, whole))
    is_alike = len(common) > 1 and len(points) >= FEWEST_UNITS
    alpha = model.cronbach_alpha(points.to_numpy()) if is_alike else None
    rows.append(
        _row("one_construct", alpha.value if alpha else np.nan, threshold=SAME_THING,
             is_flagged=bool(alpha) and alpha.value > SAME_THING, n=len(points),
             low=alpha.low if alpha else np.nan, high=alpha.high if alpha else np.nan)
    )  # fmt: skip
    fragile = np.mean((pairs >= DEPENDS[0]) & (pairs <= DEPENDS[1])) if len(pairs) else np.nan
    fragile = float(fragile) if len(pairs) >= FEWEST_UNITS else np.nan
    rows.append(
        _row("weights", fragile, threshold=HALF_OF_PAIRS, is_flagged=fragile > HALF_OF_PAIRS,
             n=len(pairs))
    )  # fmt: skip
    return rows


def _pairs_of(ids: list[str], wide: pd.DataFrame, team: pd.Series, by_team: set[str]) -> list[dict]:
    rows = []
    for place, one in enumerate(ids):
        for other in ids[place + 1 :]:
            both = wide[[one, other]].dropna()
            both = both[~team[both.index].duplicated()] if {one, other} <= by_team else both
            n_teams = team[both.index].nunique()
            found = model.spearman(both[one].to_numpy(), both[other].to_numpy())
            if {one, other} & by_team and n_teams < FEWEST_UNITS:
                found = found._replace(value=np.nan, low=np.nan, high=np.nan, n=n_teams)
            rho = found.value if found.n >= FEWEST_UNITS else np.nan
            rows.append(
                _row("redundant", rho, threshold=REDUNDANT_RHO, is_flagged=abs(rho) > REDUNDANT_RHO,
                     n=found.n, kpi=one, other=other, low=found.low, high=found.high)
            )  # fmt: skip
    return rows


def _spread(ids: list[str], whole: pd.DataFrame) -> dict:
    """How many independent things the KPIs say."""
    number = np.nan
    varied = whole.loc[:, whole.nunique() > 1] if len(whole) else whole
    if len(whole) >= FEWEST_UNITS and varied.shape[1] > 1:
        number = model.effective_number(np.corrcoef(varied.to_numpy().T))
    limit = len(ids) / SPREAD
    return _row("too_many", number, threshold=limit, is_flagged=number < limit, n=len(whole))


def _leading(chosen: tuple[Kpi, ...], history: pd.DataFrame) -> list[dict]:
    """Does a KPI move before the result does, within the same person? Only that is leading."""
    results = [kpi for kpi in chosen if kpi.kind == "result" and kpi.whose == "own"]
    if not results or history.empty:
        return []
    result = max(results, key=lambda kpi: kpi.weight)
    judged = history[history["is_judged"].astype(bool)]
    order = judged.drop_duplicates("period").sort_values("first")["period"].tolist()
    following = dict(itertools.pairwise(order))
    after = judged[judged["kpi"] == result.id].set_index(["person", "period"])["value"]
    rows = []
    for kpi in chosen:
        if kpi.kind == "result" or kpi.whose == "team":
            continue
        part = judged[judged["kpi"] == kpi.id]
        keys = pd.MultiIndex.from_arrays([part["person"], part["period"].map(following)])
        part = part.assign(next_result=after.reindex(keys).to_numpy()).dropna(subset="next_result")
        sign = np.sign(kpi.target - kpi.floor) * np.sign(result.target - result.floor)
        slope = model.within_slope(
            part["person"].to_numpy(),
            sign * part["value"].to_numpy(float),
            part["next_result"].to_numpy(float),
        )
        enough = slope.n >= FEWEST_UNITS
        leads = enough and slope.low > 0
        mirrors = enough and not leads and _is_between_people(part, sign, slope.high)
        rows.append(
            _row("mirrors_skill", slope.value if enough else np.nan, threshold=0.0,
                 is_flagged=mirrors, n=slope.n, kpi=kpi.id, other=result.id, low=slope.low,
                 high=slope.high)
        )  # fmt: skip
    return rows


def _is_between_people(part: pd.DataFrame, sign: float, most: float) -> bool:
    """
    Whether people who have more of a KPI have better results, by more than the same person's could move with it.

    So a KPI whose slope within people is only known too badly is not called a mirror.
    """
    means = part.assign(value=sign * part["value"].astype(float)).groupby("person")
    means = means[["value", "next_result"]].mean()
    if model.spearman(means["value"].to_numpy(), means["next_result"].to_numpy()).low > 0:
        slope = np.polynomial.polynomial.polyfit(means["value"], means["next_result"], 1)[1]
        return bool(most < slope)
    return False


def verdicts(table: pd.DataFrame) -> pd.DataFrame:
    """
    Sum the tests of each KPI up.

    Returns
    -------
    DataFrame, one row per role and KPI
        ``role``, ``kpi``, ``n_tests`` that could be made, ``n_flagged``, ``flagged`` (tuple of slugs), ``verdict``:
        ``keep`` (nothing flagged), ``mend`` (something is), ``review`` (only that it is unchanged for a year),
        ``cannot_judge`` (no more is flagged, but its reliability could not be tested).
    """
    own = table[table["kpi"] != ""]
    rows = []
    for (role, kpi), part in own.groupby(["role", "kpi"], sort=False):
        flagged = tuple(dict.fromkeys(part.loc[part["is_flagged"], "test"]))
        reliability = part.loc[part["test"] == "reliability", "value"]
        if set(flagged) - {"unchanged"}:
            verdict = "mend"
        else:
            tested = "review" if flagged else "keep"
            verdict = "cannot_judge" if reliability.isna().all() else tested
        rows.append(
            {"role": role, "kpi": kpi, "n_tests": int(part["value"].notna().sum()),
             "n_flagged": len(flagged), "flagged": flagged, "verdict": verdict}
        )  # fmt: skip
    return pd.DataFrame(rows, columns=["role", "kpi", "n_tests", "n_flagged", "flagged", "verdict"])
