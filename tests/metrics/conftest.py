"""Random companies, loaded once per session, beside what a plain reading of their records says."""

import datetime
from typing import NamedTuple

import plain
import pytest
import worlds

from salesanalysis import crm
from salesanalysis.crm.seen import Seen

VIEWS = [  # world, day; after each day of the second column things happened at midnight exactly
    (seed, datetime.date.fromisoformat(day))
    for seed, middle in ((1, "2025-06-14"), (2, "2025-08-26"), (3, "2025-04-06"))
    for day in ("2025-12-31", middle)
]


class View(NamedTuple):
    """A random company as of a day: through the package, and plainly."""

    seen: Seen
    world: worlds.World
    deals: list[plain.Deal]
    day: datetime.date


def pytest_addoption(parser):
    parser.addoption(
        "--write-golden",
        action="store_true",
        help="rewrite the translated SQL in tests/metrics/golden",
    )


@pytest.fixture(scope="session")
def random_stores(tmp_path_factory):
    """The random companies and their stores."""
    folder = tmp_path_factory.mktemp("random")
    made = {seed: worlds.random_world(seed) for seed in sorted({seed for seed, _ in VIEWS})}
    return {seed: (world, worlds.load(folder / str(seed), world)) for seed, world in made.items()}


@pytest.fixture(scope="session")
def work_stores(tmp_path_factory):
    """The random companies with customers, activities, roles and people hired again, and their stores."""
    folder = tmp_path_factory.mktemp("work")
    made = {
        seed: worlds.with_work(worlds.with_customers(worlds.random_world(seed), seed), seed)
        for seed in (1, 2, 3)
    }
    return {seed: (world, worlds.load(folder / str(seed), world)) for seed, world in made.items()}


@pytest.fixture(scope="session", params=VIEWS, ids=lambda view: f"{view[0]}-{view[1]}")
def view(request, random_stores):
    """One of the random companies as of one of its days."""
    seed, day = request.param
    world, store = random_stores[seed]
    with crm.observe(store, day) as seen:
        yield View(seen, world, plain.deals_as_of(world, day), day)


@pytest.fixture
def see(tmp_path):
    """Load tables written in a test the way an export is loaded, and open them as of a day."""
    opened = []

    def _see(tables, as_of, **settings):
        settings = {"timezone": "UTC", "extracted_on": "2026-12-31"} | settings
        folder = tmp_path / str(len(opened))
        opened.append(crm.observe(worlds.load(folder, worlds.World(tables, settings)), as_of))
        return opened[-1]

    yield _see
    for seen in opened:
        seen.close()
