"""CPU time of the bookings forecast and of its back-test on the sample company; prints, keeps nothing."""

import argparse
import time

from salesanalysis import crm
from salesanalysis.metrics import forecast


def main() -> None:
    """Time each part once, on a store nothing has been computed of."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--crm", default="data/crm.duckdb")
    parser.add_argument("--as-of", default="2026-06-30")
    parser.add_argument("--paths", type=int, default=1000)
    options = parser.parse_args()
    with crm.observe(options.crm, options.as_of) as seen:
        for name, run in (
            (f"two quarters, {options.paths} paths", lambda: forecast.forecast(seen, paths=options.paths)),
            ("back-test of 8 snapshots", lambda: forecast.backtest(seen)),
        ):  # fmt: skip
            begun = time.process_time()
            run()
            print(f"{name}: {time.process_time() - begun:.2f} CPU seconds")


if __name__ == "__main__":
    main()
