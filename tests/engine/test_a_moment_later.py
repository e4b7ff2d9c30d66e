"""What AWS shows or accepts a moment later: addresses and tags of a new instance, and an answer to a hook.

Sources: flocker #2237 and PrairieLearn #15586, reports of users. No document has a bound.
"""

import pytest

from ringfence.core.model.addresses import AddressKind
from ringfence_lab.sim.aws.auto_scaling import AutoScalingGroup
from ringfence_lab.sim.cloud import Cloud
from ringfence_lab.sim.engine.call_faults import Effect
from tests.engine.conftest import EAST, TRUE_UP, WEST


@pytest.fixture
def group(cloud: Cloud) -> AutoScalingGroup:
    return cloud.region(EAST).groups["db"]


def calls_of(cloud: Cloud, operation: str) -> int:
    return sum(call.operation == operation for call in cloud.calls)


@pytest.mark.parametrize("seconds", [1.0, 2.5])
def test_an_address_that_comes_a_moment_later_is_admitted_by_the_same_invocation(
    cloud: Cloud, group: AutoScalingGroup, seconds: float
) -> None:
    # given
    cloud.region(EAST).ec2.address_seconds = seconds
    # when
    group.scale_to(3)
    cloud.poll(EAST)
    # then
    assert list(group.listed().values()) == ["InService"] * 3
    for instance in group.listed():
        addresses = cloud.region(EAST).ec2.instances[instance].addresses[AddressKind.PUBLIC_IPV4]
        assert set(addresses) <= cloud.region(EAST).admitted() & cloud.region(WEST).admitted()


def test_an_address_that_comes_later_waits_for_the_next_true_up(cloud: Cloud, group: AutoScalingGroup) -> None:
    # given
    began = cloud.clock.now()
    cloud.region(EAST).ec2.address_seconds = 10.0
    # when
    group.scale_to(3)
    cloud.poll(EAST)
    # then
    assert sorted(group.listed().values()) == ["InService", "InService", "Pending:Wait"]
    assert cloud.clock.now() - began == 3.0
    # when
    cloud.clock.advance(10)
    cloud.invoke(EAST, TRUE_UP)
    # then
    assert list(group.listed().values()) == ["InService"] * 3


def test_the_launches_of_a_batch_share_their_looks(cloud: Cloud, group: AutoScalingGroup) -> None:
    # given
    cloud.region(EAST).ec2.address_seconds = 2.5
    # when
    group.scale_to(6)
    cloud.poll(EAST)
    # then
    assert list(group.listed().values()) == ["InService"] * 6
    assert calls_of(cloud, "DescribeAutoScalingGroups") == 3


def test_a_true_up_does_not_wait_for_an_address(cloud: Cloud, group: AutoScalingGroup) -> None:
    # given
    cloud.region(EAST).ec2.address_seconds = 10.0
    cloud.region(EAST).events.fate = lambda _: ()
    group.scale_to(3)
    # when
    cloud.invoke(EAST, TRUE_UP)
    # then
    assert calls_of(cloud, "DescribeAutoScalingGroups") == 1


@pytest.mark.parametrize("lag", [0.0, 2.0])
def test_a_tag_that_comes_a_moment_later_does_not_keep_an_instance_out(
    cloud: Cloud, group: AutoScalingGroup, lag: float
) -> None:
    # given a new instance without its tag, and perhaps a listing that does not show it yet
    cloud.clock.advance(10)
    cloud.region(EAST).ec2.tag_seconds = 2.5
    group.scale_to(3)
    if lag:
        cloud.fault(Effect.STALE, region=EAST, operation="DescribeAutoScalingGroups", seconds=lag)
    # when
    cloud.poll(EAST)
    # then
    assert list(group.listed().values()) == ["InService"] * 3


@pytest.mark.parametrize("scale", [3, 1])
def test_a_hook_that_is_called_inactive_is_answered_by_the_same_invocation(
    cloud: Cloud, group: AutoScalingGroup, scale: int
) -> None:
    # given
    group.inactive_seconds = 1.5
    # when
    group.scale_to(scale)
    cloud.poll(EAST)
    # then
    assert list(group.listed().values()) == ["InService"] * scale


def test_a_hook_that_stays_inactive_is_answered_by_a_later_true_up(cloud: Cloud, group: AutoScalingGroup) -> None:
    # given
    group.inactive_seconds = 20.0
    group.scale_to(3)
    cloud.poll(EAST)
    assert "Pending:Wait" in group.listed().values()
    assert calls_of(cloud, "CompleteLifecycleAction") <= 4
    # when
    cloud.clock.advance(20)
    cloud.invoke(EAST, TRUE_UP)
    # then
    assert list(group.listed().values()) == ["InService"] * 3
