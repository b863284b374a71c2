"""
Run the studies and write docs/studies.md: does the suite hold what it says?

    python studies/run.py [--quick] [--only NAME ...] [--data FOLDER]

Each study is kept in build/studies, so one can be run alone; the page is written from all there are. FOLDER holds the
public data sets of the looks back, a folder each; without them that part says so.
"""

import argparse
import json
import time
from collections.abc import Callable
from importlib import metadata
from pathlib import Path

import change
import conversion
import forecast
import history
import lever
import numpy as np
import pandas as pd
import reps

ROOT = Path(__file__).parents[1]
KEPT = ROOT / "build" / "studies"
PAGE = ROOT / "docs" / "studies.md"
SEED = 20261125

Tables = dict[str, pd.DataFrame]


def main() -> None:
    """Run what is asked for, keep it, and write the page from all that is kept."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--quick", action="store_true", help="a twentieth of the runs")
    parser.add_argument("--only", nargs="+", choices=list(STUDIES), metavar="NAME")
    parser.add_argument("--data", type=Path, default=ROOT.parent / "shared" / "data")
    options = parser.parse_args()
    KEPT.mkdir(parents=True, exist_ok=True)
    for name in options.only or STUDIES:
        began = time.monotonic()
        print(f"{name} …", end=" ", flush=True)
        tables = STUDIES[name](0.05 if options.quick else 1.0, options.data)
        kept = {key: json.loads(table.to_json(orient="split")) for key, table in tables.items()}
        (KEPT / f"{name}.json").write_text(json.dumps(kept), "utf-8")
        print(f"{time.monotonic() - began:.0f} s", flush=True)
    PAGE.write_text(page(), "utf-8")
    print(PAGE.relative_to(ROOT))


def _runs(share: float, runs: int) -> int:
    return max(4, round(share * runs))


def _change(share: float, data: Path) -> Tables:
    runs = _runs(share, 200)
    null = change.verdicts(runs, changed=False)
    real = change.verdicts(runs, changed=True)
    return {
        "null": change.summary(null),
        "real": change.summary(real),
        "null_by_measure": change.by_measure(null),
        "real_by_measure": change.by_measure(real),
        "null_inside": change.truth_inside(null, changed=False),
        "real_inside": change.truth_inside(real, changed=True),
    }


STUDIES: dict[str, Callable[[float, Path], Tables]] = {
    "change": _change,
    "conversion": lambda share, data: {"table": conversion.coverage(_runs(share, 8000), SEED)},
    "reps": lambda share, data: {"table": reps.coverage(_runs(share, 400), SEED)},
    "lever": lambda share, data: {"table": lever.coverage(_runs(share, 1000), SEED)},
    "forecast": lambda share, data: {"table": forecast.coverage(_runs(share, 300), SEED)},
    "history": lambda share, data: history.look_back(data),
}


def page() -> str:
    """Write the page from what is kept."""
    parts = [_HEAD.format(version=metadata.version("salesanalysis"))]
    for name, write in WRITERS.items():
        file = KEPT / f"{name}.json"
        if file.exists():
            kept = json.loads(file.read_text("utf-8"))
            tables = {
                key: pd.DataFrame(found["data"], columns=found["columns"])
                for key, found in kept.items()
            }
            parts.append(write(tables))
        else:
            parts.append(f"## {name}\n\nNot run: `python studies/run.py --only {name}`.\n")
    return "\n".join(parts)


_HEAD = """# Studies: does it hold what it says?

Made by `make studies` (salesanalysis {version}), which runs for about twenty minutes on two free cores and is no part of the
tests.
Every study makes companies whose truth is known, looks at them as the pages do, and counts. "±" is three Monte Carlo
standard errors at the nominal value.
"""


def _error(share: float, n: float) -> float:
    return 3 * np.sqrt(share * (1 - share) / n)


def _percent(value: float, digits: int = 1) -> str:
    return "n/a" if value is None or np.isnan(value) else f"{100 * value:.{digits}f} %"


def _markdown(columns: list[str], rows: list[list[str]]) -> str:
    lines = [columns, ["---"] * len(columns), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n"


def _write_change(tables: Tables) -> str:
    null, real = tables["null"], tables["real"]
    n = int(null["companies"].iloc[0])
    rows = [
        [
            before["as_of"],
            _percent(before["any_changed"]),
            _percent(before["against_control"]),
            _percent(before["naive_shorter"]),
            _percent(before["naive_significant"]),
            _percent(after["any_changed"]),
            _percent(after["cycle_against_control"]),
            _percent(after["win_rate_against_control"]),
        ]
        for (_, before), (_, after) in zip(null.iterrows(), real.iterrows(), strict=True)
    ]
    columns = [
        "as of",
        "**nothing changed**: any measure called changed",
        "… against the comparison group",
        "the dashboard's cycle is shorter",
        "… and its t-test says so (p < .05)",
        "**true change**: any measure called changed",
        "cycle changed against the comparison group",
        "win rate changed against the comparison group",
    ]
    inside = [
        [row["as_of"], which, *(_percent(row[name]) for name in change.INSIDE)]
        for which, table in (("nothing", tables["null_inside"]), ("true", tables["real_inside"]))
        for _, row in table.iterrows()
    ]
    return f"""## A change is found where there was one, and not where there was none

`studies/change.py`: {n} sample companies of 3,000 deals in which nothing ever changed, and {n} in which four of eight teams
changed on 2025-09-01 (15 % → 32 % won, 60 → 35 days to win), three, six and ten months later. Pass mark under "nothing
changed": 5 % ± {_percent(_error(0.05, n))}.

{_markdown(columns, rows)}
Share of companies by measure and verdict, nothing changed:

{_by_measure(tables["null_by_measure"])}
True change:

{_by_measure(tables["real_by_measure"])}
Ranges that hold the truth. They are simultaneous over the measures of a page, so each is wider than 95 %:

{_markdown(["as of", "change", *(text for text in change.INSIDE.values())], inside)}"""


def _by_measure(table: pd.DataFrame) -> str:
    verdicts = [name for name in table.columns if name not in ("as_of", "measure")]
    rows = [
        [row["as_of"], row["measure"], *(_percent(row[name]) for name in verdicts)]
        for _, row in table.iterrows()
    ]
    return _markdown(["as of", "measure", *(name.replace("_", " ") for name in verdicts)], rows)


def _write_table(
    title: str, text: str, columns: dict[str, str], nominal: dict[str, float]
) -> Callable[[Tables], str]:
    """Give a writer for a study of one table; shares with a nominal value show their Monte Carlo error."""

    def write(tables: Tables) -> str:
        rows = [
            [row["what"], f"{row['runs']:,}", *(_cell(row, name, nominal) for name in columns)]
            for _, row in tables["table"].iterrows()
        ]
        return f"## {title}\n\n{text}\n\n{_markdown(['what', 'runs', *columns.values()], rows)}"

    return write


def _cell(row: pd.Series, name: str, nominal: dict[str, float]) -> str:
    if name in _FACTORS:
        return f"{row[name]:.3f}"
    if name not in nominal:
        return _percent(row[name])
    return f"{_percent(row[name])} (± {_percent(_error(nominal[name], row['runs']))})"


_FACTORS = {
    *("widening", "bias", "weighted_bias", "last_bias"),
    *("weighted_crps_ratio", "last_crps_ratio", "brier", "stage_brier"),
}


def _write_history(tables: Tables) -> str:
    if tables["cohorts"].empty:
        return "## Looks back\n\nNot run: the public data sets are not there; name their folder with `--data`.\n"
    young = [
        [
            row["company"],
            f"{row['looks']}",
            _percent(row["coverage"]),
            *(_percent(row[name]) for name in ("error", "created_error", "closed_error")),
        ]
        for _, row in tables["cohorts"].iterrows()
    ]
    sure = [
        [
            *(row["company"], f"{row['n']:,}", _percent(row["said"]), _percent(row["happened"])),
            *(f"{row[name]:.3f}" for name in ("brier", "brier_of_mean")),
        ]
        for _, row in tables["chances"].iterrows()
    ]
    fifths = [
        [row["company"], f"{row['n']:,}", _percent(row["said"]), _percent(row["happened"])]
        for _, row in tables["bins"].iterrows()
    ]
    booked = [
        [
            row["company"],
            row["method"],
            f"{row['n']:.0f}",
            f"{row['bias']:.2f}",
            f"{row['crps']:,.0f}",
            _percent(row["coverage80"], 0),
            "n/a" if row["brier"] is None or np.isnan(row["brier"]) else f"{row['brier']:.3f}",
        ]
        for _, row in tables["forecasts"].iterrows()
    ]
    return f"""## Looks back: what was estimated then, and what then happened

`studies/history.py`, on public data of real processes: a help-desk log and the Maven CRM (an invented company's
CRM, where closings are missing before March 2017 and a seventh of the deals are never closed). Only what was
recorded by each day was used.

Bookings of the following 13 weeks (the log has no amounts: cases solved), by the forecast, weighted pipeline and last
quarter; forecast / actual, mean error (CRPS), share of 80 % ranges that held what came, Brier score by deal. Maven's
history is so short that its looks lie 7 days apart and overlap: they are nearly one look, and a miss. Deals open there
since July 2017 closed less often than those before, which no rate of the past could say; `pipeline_forecast` shows such
a source the forecast as not tested:

{_markdown(["company", "method", "looks", "forecast / actual", "CRPS", "80 % ranges that held", "Brier"], booked)}
Share won by an age, of young deals (half of them younger than the age), as said on the day and as known later; mean
absolute error of the cohort rate, and of won / created and won / closed as a dashboard gives them:

{_markdown(["company", "looks", "95 % ranges that held", "cohort rate: error", "won / created: error", "won / closed: error"], young)}
Chance of an open deal to be won (`chances.won_from_here`, in `attention`), and what became of it by the end:

{_markdown(["company", "open deals looked at", "said", "happened", "Brier", "Brier of the overall share"], sure)}
By fifth of the chance:

{_markdown(["company", "n", "said", "happened"], fifths)}"""


WRITERS: dict[str, Callable[[Tables], str]] = {
    "change": _write_change,
    "conversion": _write_table(
        "Cohort win rate",
        "`studies/conversion.py`: deals created evenly over 150 days, looked at on day 160; gamma (shape 2) times of mean "
        "60 days to a win and 45 to a loss. 95 % intervals; beside them Wilson's interval of won / closed.",
        {"coverage": "intervals that hold the truth", "plain_coverage": "won / closed holds it"},
        {"coverage": 0.95},
    ),
    "reps": _write_table(
        "Reps",
        "`studies/reps.py`: 50 reps whose true rates have mean 25 % and SD 6 points (beta); gate: are they called different?",
        {
            "coverage": "95 % intervals that hold the true rate",
            "rank_coverage": "90 % rank intervals that hold the true rank",
            "gate_open": "gate open",
            "gate_open_if_equal": "gate open for equal reps",
            "leader_is_best": "who leads the raw list is the best",
        },
        {"gate_open_if_equal": 0.05},
    ),
    "lever": _write_table(
        "Stage lever",
        "`studies/lever.py`: four stages with known steps, of which 55.7 %, 62.5 %, 48 % and 68 % go on, and which could "
        "reach 60 %, 66 %, 62 % and 70 %. P(top) is checked on pipelines with steps drawn around these.",
        {
            "coverage": "95 % ranges of a gain that hold it",
            "said_top": "P(top) said of the first",
            "is_top": "it was the top lever",
            "lowest_is_lowest": "the lowest observed step is truly the lowest",
        },
        {},
    ),
    "forecast": _write_table(
        "Bookings forecast",
        "`studies/forecast.py`: companies whose arrivals and speed are steady, or come and go in waves; 13 weeks ahead. "
        "Biases are forecast / actual, CRPS a multiple of the simulation's own.",
        {
            "coverage80": "80 % ranges that held",
            "coverage95": "95 % ranges that held",
            "widened80": "80 % ranges, widened",
            "widening": "mean widening",
            "bias": "bias",
            "weighted_bias": "weighted pipeline: bias",
            "last_bias": "last quarter: bias",
            "weighted_crps_ratio": "weighted pipeline: CRPS",
            "last_crps_ratio": "last quarter: CRPS",
            "brier": "Brier",
            "stage_brier": "Brier of the stage rate",
        },
        {"coverage80": 0.8, "coverage95": 0.95, "widened80": 0.8},
    ),
    "history": _write_history,
}


if __name__ == "__main__":
    main()
