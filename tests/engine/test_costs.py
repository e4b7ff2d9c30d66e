"""The number of calls that a reconcile makes, because every call costs time, quota and money."""

import pytest

from ringfence_lab.sim.cloud import Cloud
from tests.engine.conftest import EAST, TRUE_UP, WEST, settled


def mutating(cloud: Cloud) -> list[str]:
    return [str(call) for call in cloud.calls if call.mutating]


def looks(cloud: Cloud) -> int:
    """How many times the Auto Scaling groups were described."""
    return sum(call.operation == "DescribeAutoScalingGroups" for call in cloud.calls)


@pytest.mark.parametrize("size", [1, 10, 50])
def test_a_launch_in_two_regions_takes_twelve_calls_at_any_group_size(size: int) -> None:
    # given
    cloud = Cloud([EAST, WEST], quota=200)
    for region in cloud.regions.values():
        region.auto_scaling_group("db", desired=size)
    settled(cloud)
    cloud.region(EAST).groups["db"].scale_to(size + 1)
    # when
    cloud.poll(EAST)
    # then
    assert set(cloud.region(EAST).groups["db"].listed().values()) == {"InService"}
    assert len(cloud.calls) == 12
    assert looks(cloud) == 1


def test_a_termination_in_two_regions_takes_fourteen_calls(cloud: Cloud) -> None:
    cloud.region(EAST).groups["db"].scale_to(1)
    cloud.poll(EAST)
    assert len(cloud.calls) == 14
    assert looks(cloud) == 1


def test_a_burst_is_one_reconcile(cloud: Cloud) -> None:
    # given
    cloud.region(EAST).groups["db"].scale_to(12)
    # when
    cloud.poll(EAST)
    # then eleven calls, and an answer for each of the ten instances
    assert set(cloud.region(EAST).groups["db"].listed().values()) == {"InService"}
    assert len(cloud.calls) == 11 + 10
    assert looks(cloud) == 1
    assert cloud.poll(EAST) is None


def test_a_true_up_without_changes_reads_each_peer_once(cloud: Cloud) -> None:
    # when
    cloud.invoke(EAST, TRUE_UP)
    # then
    assert mutating(cloud) == []
    assert sorted((call.region, call.operation) for call in cloud.calls) == [
        (EAST, "DescribeAutoScalingGroups"),
        (EAST, "DescribeInstances"),
        (EAST, "DescribeSecurityGroupRules"),
        (EAST, "Scan"),
        (WEST, "Query"),
    ]


def test_a_true_up_after_a_launch_changes_nothing(cloud: Cloud) -> None:
    # given
    cloud.region(EAST).groups["db"].scale_to(3)
    cloud.poll(EAST)
    cloud.calls.clear()
    # when
    cloud.invoke(EAST, TRUE_UP)
    cloud.invoke(WEST, TRUE_UP)
    # then
    assert mutating(cloud) == []


def test_the_calls_of_a_launch_grow_linearly_with_the_regions() -> None:
    # given
    names = [f"eu-test-{number}" for number in range(1, 11)]
    cloud = Cloud(names, quota=200)
    for region in cloud.regions.values():
        region.auto_scaling_group("db", desired=2)
    settled(cloud)
    cloud.region(names[0]).groups["db"].scale_to(3)
    # when
    cloud.poll(names[0])
    # then eight at home and four for each peer
    assert len(cloud.calls) == 8 + 4 * 9
    assert looks(cloud) == 1
