"""Warm pools, whose instances DescribeAutoScalingGroups does not list: DescribeWarmPool shows them.

Source: Amazon EC2 Auto Scaling API Reference, DescribeAutoScalingGroups.
"""

import pytest

from ringfence.core.model.identifiers import InstanceId
from ringfence_lab.sim.aws.auto_scaling import AutoScalingGroup
from ringfence_lab.sim.cloud import Cloud
from ringfence_lab.sim.engine.call_faults import Effect
from tests.engine.conftest import EAST, TRUE_UP, second_look
from tests.engine.outsider import assert_only_members_are_admitted, drain


@pytest.fixture
def group(cloud: Cloud) -> AutoScalingGroup:
    return cloud.region(EAST).groups["db"]


def lose_events(cloud: Cloud) -> None:
    cloud.region(EAST).events.fate = lambda _: ()


def describes_of_pools(cloud: Cloud) -> int:
    return sum(call.operation == "DescribeWarmPool" for call in cloud.calls)


def test_the_next_true_up_answers_an_instance_of_the_pool_whose_events_are_lost(
    cloud: Cloud, group: AutoScalingGroup
) -> None:
    # given
    lose_events(cloud)
    # when it launches into the pool, and when it terminates in it
    group.put_warm_pool(1)
    cloud.invoke(EAST, TRUE_UP)
    second_look(cloud, EAST)  # no row says for how long it was a member, if it was one
    # then
    assert list(group.pooled().values()) == ["Warmed:Stopped"]
    # when
    group.put_warm_pool(0)
    cloud.invoke(EAST, TRUE_UP)
    # then
    assert not group.pooled()
    assert_only_members_are_admitted(cloud)


def test_the_next_true_up_releases_a_member_that_returns_to_the_pool_if_its_event_is_lost(
    cloud: Cloud, group: AutoScalingGroup
) -> None:
    # given a member of more than a minute, which no listing can show in the pool before it was one
    cloud.clock.advance(61)
    group.put_warm_pool(0, reuse_on_scale_in=True)
    lose_events(cloud)
    # when
    group.scale_to(1)
    cloud.invoke(EAST, TRUE_UP)
    # then
    assert list(group.pooled().values()) == ["Warmed:Stopped"]
    assert_only_members_are_admitted(cloud)


def test_only_a_group_with_a_pool_costs_another_call(cloud: Cloud, group: AutoScalingGroup) -> None:
    cloud.invoke(EAST, TRUE_UP)
    assert describes_of_pools(cloud) == 0
    group.put_warm_pool(0)
    cloud.invoke(EAST, TRUE_UP)
    assert describes_of_pools(cloud) == 1


def test_nothing_changes_while_a_pool_cannot_be_described(cloud: Cloud, group: AutoScalingGroup) -> None:
    # given
    group.put_warm_pool(1)
    drain(cloud, EAST)
    before = cloud.region(EAST).admitted()
    # when
    cloud.fault(Effect.THROTTLE, operation="DescribeWarmPool")
    cloud.region(EAST).events.schedule()
    (invocation,) = drain(cloud, EAST)[:1]
    # then
    assert invocation.error is not None
    assert cloud.region(EAST).admitted() == before


def test_a_member_of_which_two_calls_show_two_states_stays(cloud: Cloud, group: AutoScalingGroup) -> None:
    # given an instance that has left the pool, which an older answer still shows there
    group.put_warm_pool(1)
    drain(cloud, EAST)
    (pooled,) = group.pooled()
    cloud.clock.advance(40)
    group.scale_to(3)
    drain(cloud, EAST)
    assert group.listed()[pooled] == "InService"
    cloud.clock.advance(5)
    cloud.fault(Effect.STALE, operation="DescribeWarmPool", seconds=20)
    # when
    cloud.invoke(EAST, TRUE_UP)
    # then
    assert _addresses(cloud, pooled) <= cloud.region(EAST).admitted()


def _addresses(cloud: Cloud, instance: InstanceId) -> set[str]:
    settings = cloud.settings(EAST)
    return set(cloud.region(EAST).ec2.instances[instance].described().of_kinds(settings.address_kinds))
