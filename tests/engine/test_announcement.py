"""A Region's announcement names the version of its engine, and follows an upgrade in which nothing else changes."""

import pytest

from ringfence import __version__
from ringfence.core.model.identifiers import ANNOUNCEMENT, Region, RosterKey
from ringfence_lab.sim.aws.history import RowWritten
from ringfence_lab.sim.cloud import Cloud
from tests.engine.conftest import EAST, TRUE_UP, WEST
from tests.engine.outsider import assert_launch_is_served, in_sync_with_ids_of_aws, item, write

ANNOUNCED = RosterKey(Region(EAST), ANNOUNCEMENT)


@pytest.fixture
def cloud() -> Cloud:
    """Two Regions with two members each, in sync."""
    return in_sync_with_ids_of_aws()


def engine_in(cloud: Cloud, where: str) -> str:
    return str(item(cloud, where, EAST, ANNOUNCEMENT)["engine"]["S"])


@pytest.mark.parametrize("version", ["0.1.0", "0.2.0", "9.9.9", "", "\x1b[2J", "x" * 2048])
def test_an_announcement_of_another_version_is_written_again_once_and_in_every_region(
    cloud: Cloud, version: str
) -> None:
    # given the announcement that another version of the engine wrote
    for where in (EAST, WEST):
        write(cloud, where, item(cloud, where, EAST, ANNOUNCEMENT), engine={"S": version})
    cloud.history.clear()
    # when
    for _ in range(3):
        invocation = cloud.invoke(EAST, TRUE_UP)
        # then
        assert invocation.error is None
        assert engine_in(cloud, EAST) == engine_in(cloud, WEST) == __version__
    written = [(change.region, change.key) for change in cloud.history if isinstance(change, RowWritten)]
    assert written == [(EAST, ANNOUNCED), (WEST, ANNOUNCED)]
    assert_launch_is_served(cloud, EAST)


def test_a_roster_that_says_the_same_keeps_the_version_that_wrote_it(cloud: Cloud) -> None:
    for where in (EAST, WEST):
        write(cloud, where, item(cloud, where, EAST), engine={"S": "0.2.0"})
    cloud.history.clear()
    cloud.invoke(EAST, TRUE_UP)
    assert not [change for change in cloud.history if isinstance(change, RowWritten)]
