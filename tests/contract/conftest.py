"""The worlds under contract: the simulator and the lab, or the one that a conformance run provides."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from ringfence.core.model.identifiers import Region
from ringfence_lab.control.lab import Lab
from tests.contract.in_memory import InMemory
from tests.contract.on_aws import OnAws
from tests.contract.resources import Resources, made
from tests.contract.sources import SOURCE
from tests.contract.world import PROVIDED, World
from tests.labs import HOME, PATIENCE, PEER


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Runs every clause in every world. The ones in the lab carry the marker `lab`."""
    if "world" in metafunc.fixturenames:
        provided = metafunc.config.pluginmanager.get_plugin(PROVIDED)
        lab = pytest.param("lab", marks=pytest.mark.lab)
        metafunc.parametrize("world", [provided.name] if provided else ["simulator", lab], indirect=True)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Requires a source of every clause. This hook receives the tests of all directories."""
    here = Path(__file__).parent
    for item in items:
        if not isinstance(item, pytest.Function) or not item.path.is_relative_to(here):
            continue
        if "world" in item.fixturenames and not hasattr(item.function, SOURCE):
            raise pytest.UsageError(f"{item.nodeid} names neither an AWS document nor an assumption")


@pytest.fixture
def world(request: pytest.FixtureRequest) -> Iterator[World]:
    """The world of this run of a clause."""
    provided: World | None = request.config.pluginmanager.get_plugin(PROVIDED)
    world: World = provided or (InMemory() if request.param == "simulator" else request.getfixturevalue("lab_world"))
    yield world
    world.tidy_up()


@pytest.fixture(scope="session")
def lab_world() -> Iterator[World]:
    """One lab for all clauses; each creates its resources under unique names."""
    with Lab(regions=[HOME, PEER]) as lab:
        resources = Resources("contract", Region(HOME), Region(PEER), lab.client, poll_seconds=0.02)
        with made(resources):
            yield OnAws("lab", resources, PATIENCE, lab)
