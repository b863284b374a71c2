"""
Sales reports by Airflow 3: copy this file to the DAGs folder. Paths and the suite are examples.

The command runs on the worker, in an environment of its own: Airflow and salesanalysis need not agree on the
versions of their libraries. Secrets are variables of the worker's environment; see docs/schedule.md.
"""

import subprocess
from datetime import timedelta

import pendulum
from airflow.sdk import dag, task
from airflow.sdk.exceptions import AirflowException, AirflowFailException

COMMAND = "/opt/salesanalysis/.venv/bin/salesanalysis"
PROJECT = "/srv/salesanalysis"
REPORTS = "/srv/reports"
WORTH_ANOTHER_TRY = {5: "another run is at work", 75: "try again later", 138: "a kernel died"}


def call(*arguments: str) -> None:
    """Run the command; of its exit codes, only those that can pass by themselves lead to another try."""
    code = subprocess.run([COMMAND, *arguments], cwd=PROJECT, check=False).returncode  # noqa: S603
    if code in WORTH_ANOTHER_TRY:
        raise AirflowException(f"exit code {code}: {WORTH_ANOTHER_TRY[code]}")
    if code:
        raise AirflowFailException(f"exit code {code}; the log above says why")


@dag(
    dag_id="salesanalysis_monthly",
    schedule="0 6 1 * *",
    start_date=pendulum.datetime(2026, 1, 1, tz="Asia/Shanghai"),
    catchup=False,  # the past is made by: salesanalysis backfill params/monthly.yaml --from … --to …
    max_active_runs=1,
    tags=["sales"],
)
def monthly() -> None:
    """Make the reports of the month that has ended, then remove old ones."""

    @task(retries=3, retry_delay=timedelta(minutes=10), execution_timeout=timedelta(hours=6))
    def run() -> None:
        call("run", "params/monthly.yaml", "--as-of", "last_month_end", "--out", REPORTS)

    @task(retries=3, retry_delay=timedelta(minutes=10))
    def prune() -> None:
        call("prune", "--keep", "24", "--out", REPORTS)

    run() >> prune()


monthly()
