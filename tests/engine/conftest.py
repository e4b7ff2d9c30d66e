"""A cluster of two Regions in memory, in sync, on which the tests run the engine."""

import pytest

from ringfence.core.freshness import SETTLED_SECONDS
from ringfence_lab.sim.cloud import Cloud

EAST, WEST = "us-east-1", "us-west-2"
TRUE_UP = {"trueup": True}


def settled(cloud: Cloud) -> Cloud:
    """The cloud after two true-ups in each Region, so that every Region admits every member. Clears its history.

    Its members are so old that every reading shows their rules.
    """
    for _ in range(2):
        for region in cloud.regions:
            cloud.invoke(region, TRUE_UP)
    cloud.clock.advance(SETTLED_SECONDS)
    cloud.calls.clear()
    cloud.history.clear()
    return cloud


def second_look(cloud: Cloud, home: str) -> None:
    """The next true-up: it releases an instance whose rules were new when it departed."""
    cloud.clock.advance(61)
    cloud.invoke(home, TRUE_UP)


@pytest.fixture
def cloud() -> Cloud:
    """Two Regions with two members each, in sync."""
    cloud = Cloud([EAST, WEST])
    for region in cloud.regions.values():
        region.auto_scaling_group("db", desired=2)
    return settled(cloud)
