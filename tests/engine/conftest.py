"""A cluster of two Regions in memory, in sync, for the tests of what the engine does to it."""

import pytest

from ringfence_lab.sim.cloud import Cloud

EAST, WEST = "us-east-1", "us-west-2"
TRUE_UP = {"trueup": True}


def settled(cloud: Cloud) -> Cloud:
    """Two true-ups in each Region: after that everybody knows everybody."""
    for _ in range(2):
        for region in cloud.regions:
            cloud.invoke(region, TRUE_UP)
    cloud.calls.clear()
    cloud.history.clear()
    return cloud


@pytest.fixture
def cloud() -> Cloud:
    """Two Regions with two members each, in sync."""
    cloud = Cloud([EAST, WEST])
    for region in cloud.regions.values():
        region.auto_scaling_group("db", desired=2)
    return settled(cloud)
