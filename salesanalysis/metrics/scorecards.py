"""
Scorecards: the points of each KPI, the score they add up to, how sure its order is, and what would move it most.

Points come from fixed anchors, so nobody's score depends on anybody else's. Ranks are intervals only.
"""

import datetime

import numpy as np
import pandas as pd

from salesanalysis.crm.errors import ParameterError
from salesanalysis.crm.process import Kpi, Process, Rules
from salesanalysis.crm.seen import Seen
from salesanalysis.metrics import kpis, reps, staff
from salesanalysis.metrics.periods import Period, series
from salesanalysis.statistics import scores as model
from salesanalysis.statistics.proportions import two_sided_z

DRAWS = 4000
_DIGITS = 1  # decimals of a score on a page
_FEWEST_RANKED = 5  # judged people among whom a rank interval is told to one of them


def appraise(
    seen: Seen, process: Process, period: Period, *, team: str = "", seed: int = 1
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """
    Judge everybody of a team, or of all teams, in a period.

    Parameters
    ----------
    seen : Seen
    process : Process
    period : Period
        Judged by the rules in force on its first day.
    team : str
        Only this team; empty means everybody.
    seed : int
        Of the draws behind the intervals.

    Returns
    -------
    kpis : DataFrame, one row per person and KPI
        As `kpis.values` gives, with ``contribution`` (points of the score; the judged ones of a person add up to the
        score exactly; NaN where the score cannot be judged), ``shown`` (the same rounded to one decimal so that the
        shown ones add up to the shown score), ``gain`` (points the score would rise if the KPI
        reached its target) and ``share`` (weight among the judged ones, fraction of 1).
    scores : DataFrame, one row per person, the highest score first within role and ramp state
        ``person``, ``name``, ``team``, ``role``, ``ramp``, ``days``, ``n_kpis``, ``n_judged``, ``judged_weight``
        (fraction), ``is_judged`` (that reaches the scorecard's ``judged_weight``), ``score`` (by the scorecard's
        aggregation; NaN unless judged), ``arithmetic``, ``geometric``, ``score_low``, ``score_high`` (95 %),
        ``rank_low``, ``rank_high`` (90 % interval among the judged of the same role and ramp state, of `team` if
        one is given), ``n_ranked``, ``above_next_share`` (of the draws in which the person is above the next one),
        ``weights_share`` (exact share of all weightings under which the person is above the next one, by the
        KPIs that are judged for both; NaN where both have the same points). A score of which one KPI has no interval has none, and no rank.

    Raises
    ------
    ParameterError
        No person has ever been in `team`.
    """
    table, scores, drawn = _appraised(seen, process, period, seed)
    if team:
        _expect_team(seen, team)
        table, scores = table[table["team"] == team], scores[scores["team"] == team]
    card = process.on(period.first).scorecard
    ranked = _ranked(table, scores, drawn, seed, how=card.aggregation if card else "arithmetic")
    return table.reset_index(drop=True), ranked


def _expect_team(seen: Seen, team: str) -> None:
    known = sorted(staff.spells(seen)["team"].dropna().unique())
    if team not in known:
        raise ParameterError(
            f"team must be one that people are or were in, or empty for everybody, found {team!r}; the source knows "
            f"{', '.join(known) or 'no team'}"
        )


def _appraised(seen: Seen, process: Process, period: Period, seed: int) -> tuple:
    key = ("scorecards", process.sha256, period, seed)
    table, scores, drawn = seen.once(key, lambda: _judge(seen, process, period, seed))
    return table.copy(), scores.copy(), drawn


def _judge(seen: Seen, process: Process, period: Period, seed: int) -> tuple:
    rules = process.on(period.first)
    table = kpis.values(seen, process, period)
    parts, scores, drawn = [], [], {}
    for group, rows in table.groupby(["role", "ramp"], sort=True):
        parts.append(_contributions(rows, rules))
        scores.append(_scores(rows, rules))
        drawn[group] = _draw(rows, rules, seed)
    if not parts:
        extra = dict.fromkeys(("contribution", "shown", "gain", "share"), np.nan)
        return table.assign(**extra), pd.DataFrame(columns=_SCORES), drawn
    table = pd.concat(parts).sort_index()
    return table, pd.concat(scores, ignore_index=True), drawn


def _wide(rows: pd.DataFrame, column: str = "points") -> tuple[pd.DataFrame, np.ndarray]:
    """Persons x KPIs, in the order of the process file, and the weights of the KPIs."""
    order = rows["kpi"].drop_duplicates()
    wide = rows.pivot(index="person", columns="kpi", values=column)[order]
    weights = rows.drop_duplicates("kpi").set_index("kpi")["weight"][order]
    return wide.loc[rows["person"].drop_duplicates()], weights.to_numpy()


def _contributions(rows: pd.DataFrame, rules: Rules) -> pd.DataFrame:
    points, weights = _wide(rows)
    made = model.aggregate(points.to_numpy(), weights, rules.scorecard.aggregation)
    enough = made.judged_share >= rules.scorecard.judged_weight - 1e-9
    contribution = np.where(enough[:, None], made.contributions, np.nan)
    judged = np.where(np.isnan(points), 0, weights)
    total = judged.sum(axis=1, keepdims=True)
    share = np.where(np.isnan(points) | (total == 0), np.nan, judged / np.where(total, total, 1))
    gain = np.full(points.shape, np.nan)
    for place in range(len(weights)):
        better = points.to_numpy(copy=True)
        better[:, place] = np.where(
            np.isnan(better[:, place]), np.nan, np.maximum(better[:, place], 100)
        )
        best = model.aggregate(better, weights, rules.scorecard.aggregation).score
        gain[:, place] = np.where(
            enough & ~np.isnan(points.iloc[:, place]), best - made.score, np.nan
        )
    score = np.where(enough, made.score, np.nan)
    shown = np.array(
        [model.parts_that_add_up(*one, _DIGITS) for one in zip(contribution, score, strict=True)]
    )
    keys = pd.MultiIndex.from_frame(rows[["person", "kpi"]])
    frames = {"contribution": contribution, "shown": shown, "gain": gain, "share": share}
    found = {
        name: pd.DataFrame(values, points.index, points.columns).stack(future_stack=True)
        for name, values in frames.items()
    }
    return rows.assign(**{name: values.reindex(keys).to_numpy() for name, values in found.items()})


_WHO = ["person", "name", "team", "role", "ramp", "days"]
_SCORES = [
    *_WHO,
    *("n_kpis", "n_judged", "judged_weight", "is_judged", "score", "arithmetic", "geometric"),
    *("score_low", "score_high", "rank_low", "rank_high", "n_ranked"),
    *("above_next_share", "weights_share"),
]


def _scores(rows: pd.DataFrame, rules: Rules) -> pd.DataFrame:
    points, weights = _wide(rows)
    card = rules.scorecard
    both = {
        how: model.aggregate(points.to_numpy(), weights, how) for how in ("arithmetic", "geometric")
    }
    judged_weight = both["arithmetic"].judged_share
    enough = judged_weight >= card.judged_weight - 1e-9
    who = rows.drop_duplicates("person")[_WHO].set_index("person").loc[points.index].reset_index()
    found = {how: np.where(enough, made.score, np.nan) for how, made in both.items()}
    return who.assign(
        n_kpis=points.shape[1],
        n_judged=points.notna().sum(axis=1).to_numpy(),
        judged_weight=judged_weight,
        is_judged=enough,
        score=found[card.aggregation],
        **found,
    )


_DRAWN = [
    *("person", "team", "kpi", "whose", "form", "is_judged", "floor", "target"),
    *("k", "cases", "x", "xx", "per", "value", "low", "high"),
]


def _draw(rows: pd.DataFrame, rules: Rules, seed: int) -> pd.DataFrame:
    """Scores drawn from what the values may be: draws x persons; those of one team share its draws."""
    points, weights = _wide(rows)
    rows = rows[_DRAWN]
    columns = []
    for number, kpi in enumerate(points.columns):
        part = rows[rows["kpi"] == kpi].set_index("person").loc[points.index]
        unit = part.index.to_series() if part["whose"].iloc[0] == "own" else part["team"]
        units = part.assign(unit=unit).drop_duplicates("unit").set_index("unit")
        values = _draws_of(units, (seed, number))[:, units.index.get_indexer(unit)]
        columns.append(np.where(part["is_judged"].to_numpy(), values, np.nan))
    anchors = rows.drop_duplicates("kpi").set_index("kpi").loc[points.columns]
    drawn = model.score_draws(
        np.stack(columns, axis=-1),
        anchors["floor"].to_numpy(),
        anchors["target"].to_numpy(),
        weights,
        how=rules.scorecard.aggregation,
        cap=rules.scorecard.cap / 100,
    )
    return pd.DataFrame(drawn, columns=points.index)


def _draws_of(units: pd.DataFrame, seed: tuple[int, int]) -> np.ndarray:
    form = units["form"].iloc[0]
    at = {name: units[name].to_numpy(dtype=float) for name in ("k", "cases", "x", "xx", "per")}
    if form == "share":
        return model.share_draws(at["k"], at["cases"], seed=seed, draws=DRAWS)
    if form == "rate":
        return model.rate_draws(at["k"], np.maximum(at["per"], 0), seed=seed, draws=DRAWS)
    if form == "mean":
        return model.mean_draws(at["cases"], at["x"], at["xx"], seed=seed, draws=DRAWS)
    if form in ("amount", "attainment"):
        cases, total = np.nansum(at["cases"]), np.nansum(at["x"])
        usual = total / cases if total > 0 else 1.0
        sums = model.amount_draws(
            np.where(at["x"] >= 0, at["x"], np.nan), at["xx"], usual=usual, seed=seed, draws=DRAWS
        )
        return sums / np.where(at["per"] > 0, at["per"], np.nan)
    error = (units["high"] - units["low"]).to_numpy() / (2 * two_sided_z(0.95))
    noise = np.random.default_rng(seed).standard_normal((DRAWS, len(units)))
    return units["value"].to_numpy() + error * noise


def _ranked(
    table: pd.DataFrame, scores: pd.DataFrame, drawn: dict, seed: int, *, how: str
) -> pd.DataFrame:
    if how == "geometric":  # whose weighted logarithms are larger is above
        table = table.assign(points=np.log(table["points"].clip(lower=1)))
    parts = []
    for group, found in scores.groupby(["role", "ramp"], sort=True):
        score = found.set_index("person")["score"].sort_index()
        order = model.rank_intervals(drawn[group][score.index], score, seed=seed)
        rows = (
            found.set_index("person")
            .loc[order.index]
            .assign(**{name: order[name] for name in order.columns if name != "score"})
        )
        points = table[table["person"].isin(rows.index)].pivot(
            index="person", columns="kpi", values="points"
        )
        rows["n_ranked"] = int(rows["rank_low"].notna().sum())
        rows["weights_share"] = [
            *(_share(points, *pair) for pair in zip(order.index, order.index[1:], strict=False)),
            np.nan,
        ]
        rows.loc[rows["above_next_share"].isna(), "weights_share"] = np.nan
        parts.append(rows.reset_index())
    if not parts:
        return pd.DataFrame(columns=_SCORES)
    return pd.concat(parts, ignore_index=True)[_SCORES]


def _share(points: pd.DataFrame, one: str, other: str) -> float:
    """Of all weightings; NaN for two who are equal under all of them, so that neither is above the other."""
    ahead = (points.loc[one] - points.loc[other]).dropna()
    return model.weight_robustness(points.loc[one], points.loc[other]) if ahead.any() else np.nan


def teams(seen: Seen, process: Process, period: Period) -> tuple[pd.DataFrame, pd.DataFrame]:
    """
    Judge each team as one: the KPIs of the default role on the evidence of all its members together.

    Returns
    -------
    kpis : DataFrame, one row per team and KPI that holds for the ramped of the process's default role
        ``team``, ``n_members``, ``kpi``, ``kind``, ``measure``, ``whose``, ``form``, ``value``, ``low``, ``high``,
        ``n``, ``floor``, ``target``, ``weight``, ``points``, ``is_judged``, ``contribution`` as for persons; the
        evidence needed is that of one person.
    scores : DataFrame, one row per team, highest score first
        ``team``, ``n_members``, ``judged_weight``, ``score`` (NaN unless enough is judged).
    """
    return tuple(
        frame.copy()
        for frame in seen.once(
            ("team scores", process.sha256, period), lambda: _teams(seen, process, period)
        )
    )


def _teams(seen: Seen, process: Process, period: Period) -> tuple[pd.DataFrame, pd.DataFrame]:
    rules = process.on(period.first)
    people = kpis.members(seen, process, period)
    people = people[(people["role"] == process.default_role) & people["team"].notna()]
    sizes = people.groupby("team")["person"].nunique()
    chosen = [
        kpi
        for kpi in rules.kpis
        if kpi.role == process.default_role and kpi.ramp in ("any", "ramped")
    ]
    if sizes.empty or not chosen or rules.scorecard is None:
        return pd.DataFrame(columns=["team", "kpi"]), pd.DataFrame(columns=["team", "score"])
    table = pd.concat(
        [_team_values(seen, process, period, kpi, rules, sizes) for kpi in chosen],
        ignore_index=True,
    ).assign(person=lambda frame: frame["team"])
    points, weights = _wide(table)
    made = model.aggregate(points.to_numpy(), weights, rules.scorecard.aggregation)
    enough = made.judged_share >= rules.scorecard.judged_weight - 1e-9
    scores = pd.DataFrame(
        {
            "team": points.index,
            "n_members": sizes[points.index].to_numpy(),
            "judged_weight": made.judged_share,
            "score": np.where(enough, made.score, np.nan),
        }
    )
    table = _contributions(table, rules).drop(columns=["person", "shown", "gain", "share"])
    return table, scores.sort_values(["score", "team"], ascending=[False, True], ignore_index=True)


def _team_values(
    seen: Seen, process: Process, period: Period, kpi: Kpi, rules: Rules, sizes: pd.Series
) -> pd.DataFrame:
    units = pd.Series(sizes.index)
    found = kpis.unit_values(seen, process, period, kpi, rules.stages, unit="team", units=units)
    least = rules.scorecard.evidence.get(kpi.id, kpis.FORMS[kpi.measure].least)
    is_judged = (
        (found["n"] >= least) & found["value"].notna() & (kpis.impossible(seen, kpi) is None)
    )
    judged = found["value"].where(is_judged).to_numpy()
    return pd.DataFrame(
        {
            "team": found["unit"],
            "n_members": sizes.to_numpy(),
            "kpi": kpi.id,
            "kind": kpi.kind,
            "measure": kpi.measure,
            "whose": kpi.whose,
            "form": kpis.FORMS[kpi.measure].form,
            **{name: found[name] for name in ("value", "low", "high", "n")},
            "floor": kpi.floor,
            "target": kpi.target,
            "weight": kpi.weight,
            "points": model.points(judged, kpi.floor, kpi.target, cap=rules.scorecard.cap / 100),
            "is_judged": is_judged,
        }
    )


def history(
    seen: Seen, process: Process, period: Period, *, periods: int = 4, seed: int = 1
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """
    The same appraisal for the periods before, each by the rules then in force.

    Returns
    -------
    kpis, scores : DataFrame
        As `appraise` gives for everybody, with ``period`` (name) and ``first`` (its first day); periods in which no
        KPI was in force are missing. Facts are those known on the as-of day.
    """
    tables, scores = [], []
    for past in series(period, periods):
        if process.on(past.first).kpis and process.on(past.first).scorecard:
            table, score, _ = _appraised(seen, process, past, seed)
            name = {"period": past.name, "first": pd.Timestamp(past.first)}
            tables.append(table.assign(**name))
            scores.append(score.assign(**name))
    if not tables:
        return pd.DataFrame(columns=["period", "person"]), pd.DataFrame(
            columns=["period", "person"]
        )
    return pd.concat(tables, ignore_index=True), pd.concat(scores, ignore_index=True)


def development(
    seen: Seen, process: Process, period: Period, *, team: str = "", person: str = ""
) -> pd.DataFrame:
    """
    Whom of a team, or of all, the written criteria lead to training, coaching or a promotion review.

    A criterion is met when the KPI, or the score, was on its side of the value in as many periods in a row as it
    asks for, this one the last. A period that cannot be judged does not meet it.

    Returns
    -------
    DataFrame, one row per person and criterion that concerns a KPI or score of that person
        ``person``, ``name``, ``team``, ``rule`` (id), ``leads_to``, ``of``, ``below``, ``at_least``, ``periods``,
        ``values`` (tuple, oldest first, NaN where not judged), ``is_met``.
    """
    rules = process.on(period.first)
    rows = []
    for rule in rules.development:
        table, scores = history(seen, process, period, periods=rule.when.periods)
        if rule.when.of == "score":
            known = scores.assign(value=scores["score"]) if len(scores) else scores
        else:
            known = table[table["kpi"] == rule.when.of].copy() if len(table) else table
            if len(known):
                known["value"] = known["value"].where(known["is_judged"])
        names = [past.name for past in series(period, rule.when.periods)]
        rows += _met(known, rule, names)
    found = pd.DataFrame(rows, columns=_DEVELOPMENT)
    wanted = (found["team"] == team) if team else pd.Series(True, found.index)
    wanted &= (found["person"] == person) if person else True
    return found[wanted].reset_index(drop=True)


_DEVELOPMENT = [
    *("person", "name", "team", "rule", "leads_to", "of", "below", "at_least", "periods"),
    *("values", "is_met"),
]


def _met(known: pd.DataFrame, rule, names: list[str]) -> list[dict]:
    if known.empty:
        return []
    now = known[known["period"] == names[-1]].drop_duplicates("person")
    wide = known.drop_duplicates(["person", "period"]).pivot(
        index="person", columns="period", values="value"
    )
    wide = wide.reindex(columns=names)
    is_met = wide < rule.when.below if rule.when.below is not None else wide >= rule.when.at_least
    return [
        {
            **{name: getattr(row, name) for name in ("person", "name", "team")},
            "rule": rule.id,
            "leads_to": rule.leads_to,
            "of": rule.when.of,
            "below": np.nan if rule.when.below is None else rule.when.below,
            "at_least": np.nan if rule.when.at_least is None else rule.when.at_least,
            "periods": rule.when.periods,
            "values": tuple(wide.loc[row.person]),
            "is_met": bool(is_met.loc[row.person].all()),
        }
        for row in now.itertuples()
    ]


def before(history: pd.DataFrame, period: Period, *, team: str = "") -> pd.DataFrame:
    """Scores of the period before, of a team or of all; as `history` gives them, maybe no row."""
    rows = history[history["period"] == period.before().name]
    return rows[rows["team"] == team] if team and len(rows) else rows


def person(seen: Seen, process: Process, period: Period, rep: str) -> str:
    """
    The id of the person a page is about.

    Raises
    ------
    ParameterError
        Nobody of that id was there in the period. An empty id means the first person who has a KPI.
    """
    table = _appraised(seen, process, period, 1)[0]
    if not rep:
        ids = sorted(table["person"]) or sorted(kpis.members(seen, process, period)["person"])
        return ids[0] if ids else ""
    known = kpis.members(seen, process, period)["person"]
    if rep not in set(known):
        raise ParameterError(
            f"rep must be the id of a person who was there in {period}, found {rep!r}; the source knows "
            f"{len(known)} such people"
        )
    return rep


def own(
    seen: Seen, process: Process, period: Period, person: str, *, seed: int = 1
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """
    One person's rows, and nobody else's.

    Returns
    -------
    kpis : DataFrame
        As `peers` gives.
    score : DataFrame of one row, none if no KPI is in force for the person
        As `appraise` gives, without the columns that compare with the next one; the rank interval only among five
        or more.
    """
    table, scores = appraise(seen, process, period, seed=seed)
    score = scores[scores["person"] == person].drop(columns=["above_next_share", "weights_share"])
    small = score["n_ranked"] < _FEWEST_RANKED
    score[["rank_low", "rank_high"]] = score[["rank_low", "rank_high"]].mask(small)
    return peers(table, person), score.reset_index(drop=True)


def own_history(
    seen: Seen, process: Process, period: Period, person: str, *, periods: int, seed: int = 1
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """`history`, of one person only."""
    found = history(seen, process, period, periods=periods, seed=seed)
    return tuple(table[table["person"] == person].reset_index(drop=True) for table in found)


def peers(table: pd.DataFrame, person: str) -> pd.DataFrame:
    """
    One person's rows of `appraise`, each with an anonymous band of those in the same role and ramp state.

    Returns
    -------
    DataFrame
        The person's KPI rows, with ``peer_low``, ``peer_high`` (quartiles of the others' values, no one of which is
        anybody's own; NaN with fewer than five others judged, so that nobody can be worked out) and ``n_peers``
        (NaN then).
    """
    own = table[table["person"] == person].copy()
    others = table[(table["person"] != person) & table["is_judged"]]
    bands = []
    for row in own.itertuples():
        alike = others[
            (others["kpi"] == row.kpi) & (others["role"] == row.role) & (others["ramp"] == row.ramp)
        ]
        if row.whose == "team":
            alike = alike[alike["team"] != row.team].drop_duplicates("team")
        low, high = model.peer_band(alike["value"].to_numpy())
        bands.append((low, high, np.nan if np.isnan(low) else len(alike)))
    columns = ["peer_low", "peer_high", "n_peers"]
    own[columns] = np.array(bands, dtype=float).reshape(-1, 3)
    return own.reset_index(drop=True)


def given(seen: Seen, person: str, *, age_days: int, case_mix: list[str]) -> pd.DataFrame:
    """
    What a rep was given: the share an average rep would win of the own deals' mix.

    Returns
    -------
    DataFrame of one row, none where nothing can be compared
        ``person``, ``n_deals`` old enough, ``expected_rate`` (fraction) and ``overall_rate``.
    """
    key = ("ranking", age_days, tuple(case_mix))
    table, gate = seen.once(
        key, lambda: reps.ranking(seen, age_days=age_days, case_mix=case_mix, draws=10)
    )
    table = table[table["group"] == person]
    if table.empty:
        return pd.DataFrame(columns=["person", "n_deals", "expected_rate", "overall_rate"])
    return pd.DataFrame(
        {
            "person": table["group"],
            "n_deals": table["n_deals"],
            "expected_rate": table["expected"] / table["n_deals"],
            "overall_rate": gate["overall_rate"].iloc[0],
        }
    )


def objection_until(process: Process, period: Period, as_of: datetime.date) -> datetime.date | None:
    """Last day to object, counted from the as-of day; None without a scorecard in force."""
    card = process.on(period.first).scorecard
    return as_of + datetime.timedelta(days=card.objection_days) if card else None


def impossible(seen: Seen, process: Process, period: Period) -> pd.DataFrame:
    """
    KPIs in force that the source cannot give.

    Returns
    -------
    DataFrame, one row per KPI id
        ``kpi``, ``reason`` (the source's words).
    """
    found = {
        kpi.id: kpis.impossible(seen, kpi)
        for kpi in process.on(period.first).kpis
        if kpis.impossible(seen, kpi)
    }
    return pd.DataFrame({"kpi": list(found), "reason": list(found.values())})
