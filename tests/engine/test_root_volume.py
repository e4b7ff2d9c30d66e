"""The replacement of a root volume: a live instance stays a member, and both of its hooks are answered at once.

Source: Amazon EC2 Auto Scaling User Guide, "Replace root volumes during instance refresh".
"""

from collections.abc import Mapping

import pytest

from ringfence.core.audit_events import HookCompleted
from ringfence.core.model.identifiers import InstanceId
from ringfence_lab.sim.aws.auto_scaling import AutoScalingGroup
from ringfence_lab.sim.aws.event_bridge import deliver_immediately
from ringfence_lab.sim.aws.history import RowWritten, RuleMade, RuleRevoked
from ringfence_lab.sim.cloud import Cloud
from ringfence_lab.sim.engine.call_faults import Effect
from tests.engine.conftest import EAST, TRUE_UP, WEST
from tests.engine.outsider import drain, forge


@pytest.fixture
def group(cloud: Cloud) -> AutoScalingGroup:
    return cloud.region(EAST).groups["db"]


@pytest.fixture
def instance(group: AutoScalingGroup) -> InstanceId:
    return next(iter(group.listed()))


def lose_events(cloud: Cloud) -> None:
    cloud.region(EAST).events.fate = lambda _: ()


def assert_nothing_changed(cloud: Cloud) -> None:
    """No rule of any Region and no row changed."""
    assert not [change for change in cloud.history if isinstance(change, RuleMade | RuleRevoked | RowWritten)]


def test_both_hooks_are_answered_at_once_and_nothing_changes(
    cloud: Cloud, group: AutoScalingGroup, instance: InstanceId
) -> None:
    # given
    began = cloud.clock.now()
    # when
    group.replace_root_volume(instance)
    invocations = drain(cloud, EAST)
    # then
    assert group.listed()[instance] == "InService"
    assert cloud.clock.now() == began
    assert_nothing_changed(cloud)
    answered = [
        event for invocation in invocations for event in invocation.audit_events if isinstance(event, HookCompleted)
    ]
    assert [(event.hook, event.result, event.was_active) for event in answered] == [
        ("ringfence-demo-terminate", "CONTINUE", True),
        ("ringfence-demo-launch", "CONTINUE", True),
    ]


def test_true_ups_answer_both_hooks_if_the_events_are_lost(
    cloud: Cloud, group: AutoScalingGroup, instance: InstanceId
) -> None:
    # given
    lose_events(cloud)
    group.replace_root_volume(instance)
    # when
    cloud.invoke(EAST, TRUE_UP)
    # then
    assert group.listed()[instance] == "Pending:Wait"
    # when
    cloud.invoke(EAST, TRUE_UP)
    # then
    assert group.listed()[instance] == "InService"
    assert_nothing_changed(cloud)


def test_a_replacement_does_not_touch_the_peers(cloud: Cloud, group: AutoScalingGroup, instance: InstanceId) -> None:
    lose_events(cloud)
    group.replace_root_volume(instance)
    cloud.invoke(EAST, TRUE_UP)
    assert [call.operation for call in cloud.calls if call.region == WEST] == ["Query"]


@pytest.mark.parametrize(
    "fault", [{"region": WEST}, {"region": EAST, "service": "dynamodb"}, {"operation": "DescribeSecurityGroupRules"}]
)
def test_a_replacement_goes_on_while_a_peer_a_table_or_the_rules_fail(
    cloud: Cloud, group: AutoScalingGroup, instance: InstanceId, fault: Mapping[str, str]
) -> None:
    cloud.fault(Effect.FAIL, **fault)  # type: ignore[arg-type]  # selectors are texts
    group.replace_root_volume(instance)
    cloud.poll(EAST)
    assert group.listed()[instance] == "Pending:Wait"


def test_a_listing_that_is_older_than_the_event_is_looked_at_again(
    cloud: Cloud, group: AutoScalingGroup, instance: InstanceId
) -> None:
    # given
    cloud.clock.advance(10)
    group.replace_root_volume(instance)
    cloud.clock.advance(1)
    cloud.fault(Effect.STALE, region=EAST, operation="DescribeAutoScalingGroups", seconds=2, times=1)
    # when
    cloud.poll(EAST)
    # then
    assert group.listed()[instance] == "Pending:Wait"
    assert_nothing_changed(cloud)


def test_a_termination_is_released_first_even_if_the_listing_still_shows_the_replacement(
    cloud: Cloud, group: AutoScalingGroup, instance: InstanceId
) -> None:
    # given an instance that terminates soon after its replacement began, and describes that are 30 seconds old
    cloud.clock.advance(60)
    lose_events(cloud)
    group.replace_root_volume(instance)
    cloud.clock.advance(30)
    cloud.region(EAST).events.fate = deliver_immediately
    group.terminate(instance, decrement=True)
    cloud.fault(Effect.STALE, region=EAST, operation="DescribeAutoScalingGroups", seconds=10)
    # when
    cloud.poll(EAST)
    # then
    assert group.listed()[instance] == "Terminating:Wait"
    # when
    cloud.heal()
    cloud.invoke(EAST, TRUE_UP)
    # then
    assert instance not in group.listed()


@pytest.mark.parametrize("action", ["ReplaceRootVolume", None])
def test_a_forged_replacement_lets_no_termination_go(
    cloud: Cloud, group: AutoScalingGroup, instance: InstanceId, action: str | None
) -> None:
    # given a termination whose rules cannot be removed, and its token in a forged event
    cloud.fault(Effect.THROTTLE, operation="RevokeSecurityGroupIngress")
    group.terminate(instance, decrement=True)
    (token,) = (waits.token for waits in group.instances[instance].waits.values())
    places = {"Origin": "AutoScalingGroup", "Destination": "AutoScalingGroup"}
    forge(cloud, EAST, instance, "terminate", **places, Action=action, LifecycleActionToken=token)
    # when
    cloud.poll(EAST)
    # then
    assert group.listed()[instance] == "Terminating:Wait"
