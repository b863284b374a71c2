"""What tests of several rooms share: real data beside the project, and stores made from tables written in a test."""

from pathlib import Path

import pytest
from export import SHARED, write_export

from salesanalysis import crm


def pytest_addoption(parser):
    """Known wherever pytest is started."""
    parser.addoption(
        "--full",
        action="store_true",
        help="tests/faults with all their rounds, as make faults does",
    )


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder beside the project with data that may not be redistributed."""
    if not SHARED.is_dir():
        pytest.skip(
            f"needs the data beside the project, and there is no folder {SHARED.name} next to it"
        )
    return SHARED


@pytest.fixture
def load_tables(tmp_path):
    """Load tables written in a test the way an export is loaded; gives the store's path."""

    def load(tables: dict[str, list[dict]], **settings) -> Path:
        mapping = write_export(tmp_path / "export", tables, **settings)
        return crm.load(
            tmp_path / "export", mapping, tmp_path / "crm.duckdb", say=lambda text: None
        )

    return load


@pytest.fixture
def observe():
    """Open stores as of a day and close them after the test."""
    opened = []

    def _observe(path, as_of):
        opened.append(crm.observe(path, as_of))
        return opened[-1]

    yield _observe
    for seen in opened:
        seen.close()
