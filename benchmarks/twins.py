"""
The null twin of many deals, seconds of processor time, so as on one core, median over the rounds, and the memory it takes.

Deals are made up: 15 % won, gamma(2) times with a mean of 60 days to winning and 45 to losing; half of them created
before a change and half after it. The list has 50 reps and 80 kinds of deals.
"""

import argparse
import resource
import statistics
import time

import numpy as np

from salesanalysis.statistics import twins


def main() -> None:
    """Make the deals, time both twins in turn, print the medians."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--deals", type=int, default=3000)
    parser.add_argument("--draws", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    work = {
        "before and after": _before_after(options.deals),
        "list of reps": _ranking(options.deals),
    }
    print(f"{options.draws:,} twins of {options.deals:,} deals")
    before = _peak_mb()
    for name, run in work.items():
        seconds = [_seconds(run, options.draws) for _ in range(options.rounds)]
        shown = ", ".join(f"{one:.2f}" for one in seconds)
        print(f"{name}: {statistics.median(seconds):.2f} s ({shown}), {_peak_mb() - before:.0f} MB")


def _before_after(deals):
    """Earlier deals censored at the change, later ones followed for up to half of the days, five deals a day."""
    rng, days = np.random.default_rng(1), np.arange(deals) // 5
    is_won = rng.random(deals) < 0.15
    age = np.rint(rng.gamma(2, np.where(is_won, 30, 22.5))).astype(int)
    earlier = slice(0, deals // 2)
    followed = deals // 10 - days[earlier]
    cause = np.where(age[earlier] <= followed, np.where(is_won[earlier], 1, 2), 0)
    exits = (np.minimum(age[earlier], followed), cause, np.ones(len(cause), int))
    return lambda draws: twins.before_after(*exits, days[: deals - len(cause)], seed=1, draws=draws)


def _ranking(deals):
    """Cells of reps and kinds as they fall."""
    rng = np.random.default_rng(1)
    cells, n = np.unique(rng.integers(0, [50, 80], (deals, 2)), axis=0, return_counts=True)
    eta = rng.normal(-1.7, 0.4, 80)[cells[:, 1]]
    wins = rng.binomial(n, 1 / (1 + np.exp(-eta)))
    return lambda draws: twins.ranking(cells[:, 0], eta, n, wins, seed=1, draws=draws)


def _seconds(run, draws):
    begun = time.process_time()
    run(draws)
    return time.process_time() - begun


def _peak_mb():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    main()
