"""The worlds that the contract is held against: the simulator's and the lab's, or the one that a run brought along."""

from collections.abc import Iterator

import pytest

from ringfence.model import Region
from ringfence_lab.lab import Lab
from tests.contract.in_memory import InMemory
from tests.contract.on_aws import OnAws
from tests.contract.resources import Resources, made
from tests.contract.sources import SOURCE
from tests.contract.world import World
from tests.labs import HOME, PATIENCE, PEER

BROUGHT = "the-world-under-contract"
"""The name under which a run registers its own world with pytest."""


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Every clause runs in every world."""
    if "world" in metafunc.fixturenames:
        brought = metafunc.config.pluginmanager.get_plugin(BROUGHT)
        in_lab = pytest.param("lab", marks=pytest.mark.xdist_group("contract"))
        metafunc.parametrize("world", [brought.name] if brought else ["simulator", in_lab], indirect=True)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """No clause without a source."""
    for item in items:
        if isinstance(item, pytest.Function) and "world" in item.fixturenames and not hasattr(item.function, SOURCE):
            raise pytest.UsageError(f"{item.nodeid} names no document of AWS's, nor what it assumes")


@pytest.fixture
def world(request: pytest.FixtureRequest) -> World:
    """The world of this run of a clause."""
    if brought := request.config.pluginmanager.get_plugin(BROUGHT):
        one: World = brought
        return one
    if request.param == "simulator":
        return InMemory()
    lab: World = request.getfixturevalue("lab_world")
    return lab


@pytest.fixture(scope="session")
def lab_world() -> Iterator[World]:
    """One lab for all clauses; each makes what it needs under a name of its own."""
    with Lab(regions=[HOME, PEER]) as lab:
        resources = Resources("contract", Region(HOME), Region(PEER), lab.client, poll_seconds=0.02)
        with made(resources):
            yield OnAws("lab", resources, PATIENCE)
