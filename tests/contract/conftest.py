"""The worlds that the contract is held against: the simulator's and the lab's, or the one that a run brought along."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from ringfence.core.model.identifiers import Region
from ringfence_lab.control.lab import Lab
from tests.contract.in_memory import InMemory
from tests.contract.on_aws import OnAws
from tests.contract.resources import Resources, made
from tests.contract.sources import SOURCE
from tests.contract.world import BROUGHT, World
from tests.labs import HOME, PATIENCE, PEER


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Every clause runs in every world."""
    if "world" in metafunc.fixturenames:
        brought = metafunc.config.pluginmanager.get_plugin(BROUGHT)
        metafunc.parametrize("world", [brought.name] if brought else ["simulator", "lab"], indirect=True)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """No clause without a source. A conftest is shown the tests of all directories."""
    here = Path(__file__).parent
    for item in items:
        if not isinstance(item, pytest.Function) or not item.path.is_relative_to(here):
            continue
        if "world" in item.fixturenames and not hasattr(item.function, SOURCE):
            raise pytest.UsageError(f"{item.nodeid} names no document of AWS's, nor what it assumes")


@pytest.fixture
def world(request: pytest.FixtureRequest) -> Iterator[World]:
    """The world of this run of a clause."""
    brought: World | None = request.config.pluginmanager.get_plugin(BROUGHT)
    one: World = brought or (InMemory() if request.param == "simulator" else request.getfixturevalue("lab_world"))
    yield one
    one.tidy_up()


@pytest.fixture(scope="session")
def lab_world() -> Iterator[World]:
    """One lab for all clauses; each makes what it needs under a name of its own."""
    with Lab(regions=[HOME, PEER]) as lab:
        resources = Resources("contract", Region(HOME), Region(PEER), lab.client, poll_seconds=0.02)
        with made(resources):
            yield OnAws("lab", resources, PATIENCE)
