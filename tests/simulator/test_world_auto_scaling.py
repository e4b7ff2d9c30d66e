"""The simulated Auto Scaling group behaves as documented.

Default source: Amazon EC2 Auto Scaling User Guide, "How lifecycle hooks work".
"""

from collections import Counter

import pytest

from ringfence.core.events import Action, Launching, Place, Terminating, parse
from ringfence.core.lifecycle import HookResult, Transition
from ringfence.core.model.addresses import AddressKind
from ringfence.core.model.identifiers import InstanceId
from ringfence.core.observation import Power
from ringfence_lab.sim.aws.auto_scaling import AutoScalingGroup
from ringfence_lab.sim.aws.lifecycle import Hook
from ringfence_lab.sim.aws.region import CloudRegion
from ringfence_lab.sim.cloud import Cloud

LAUNCH_HOOK, TERMINATE_HOOK = "ringfence-demo-launch", "ringfence-demo-terminate"


@pytest.fixture
def cloud() -> Cloud:
    return Cloud(["us-east-1"])


@pytest.fixture
def region(cloud: Cloud) -> CloudRegion:
    return cloud.region("us-east-1")


@pytest.fixture
def group(region: CloudRegion) -> AutoScalingGroup:
    return region.auto_scaling_group("db")


def states(group: AutoScalingGroup) -> dict[str, int]:
    return dict(Counter(group.states().values()))


def newest(group: AutoScalingGroup) -> InstanceId:
    return list(group.states())[-1]


def in_service(group: AutoScalingGroup) -> InstanceId:
    """Scales out by one instance, and continues its launch."""
    group.scale_to(group.desired + 1)
    instance = newest(group)
    assert group.complete(LAUNCH_HOOK, instance, HookResult.CONTINUE)
    assert group.listed()[instance] == "InService"
    return instance


def test_a_terminating_instance_keeps_its_address_until_its_hook_is_answered(
    region: CloudRegion, group: AutoScalingGroup
) -> None:
    instance = in_service(group)
    (address,) = region.ec2.instances[instance].addresses[AddressKind.PUBLIC_IPV4]

    group.scale_to(0)

    assert isinstance(parse(region.events.emitted[-1], ""), Terminating)
    assert region.ec2.holders[address].id == instance
    group.complete(TERMINATE_HOOK, instance, HookResult.CONTINUE)
    assert address in region.ec2.pool.strangers
    assert not group.listed()


def test_an_abandoned_termination_retains_the_instance_if_the_policy_says_so(
    region: CloudRegion, group: AutoScalingGroup
) -> None:
    # CloudFormation, AWS::AutoScaling::AutoScalingGroup RetentionTriggers.
    group.retains = True
    instance = in_service(group)
    group.scale_to(0)

    group.complete(TERMINATE_HOOK, instance, HookResult.ABANDON)

    assert group.listed() == {instance: "Terminating:Retained"}
    assert region.ec2.instances[instance].power is Power.RUNNING


@pytest.mark.parametrize(("default", "outcome"), [(HookResult.CONTINUE, "InService"), (HookResult.ABANDON, None)])
def test_after_the_heartbeat_the_default_result_applies(
    cloud: Cloud, group: AutoScalingGroup, default: HookResult, outcome: str | None
) -> None:
    group.hooks[LAUNCH_HOOK] = Hook(LAUNCH_HOOK, Transition.LAUNCH, 300, default)
    del group.hooks[TERMINATE_HOOK]
    group.scale_to(1)
    instance = newest(group)

    cloud.clock.advance(299)
    assert group.listed()[instance] == "Pending:Wait"
    cloud.clock.advance(1)

    assert group.listed().get(instance) == outcome


def test_an_answered_hook_does_not_time_out(cloud: Cloud, group: AutoScalingGroup) -> None:
    instance = in_service(group)

    cloud.clock.advance(1000)

    assert group.listed() == {instance: "InService"}


def test_an_earlier_heartbeat_does_not_end_a_later_wait_for_the_same_hook(
    cloud: Cloud, group: AutoScalingGroup
) -> None:
    group.put_warm_pool(1)
    instance = newest(group)
    group.complete(LAUNCH_HOOK, instance, HookResult.CONTINUE)
    cloud.clock.advance(200)
    group.scale_to(1)

    cloud.clock.advance(299)
    assert group.listed()[instance] == "Pending:Wait"
    cloud.clock.advance(1)

    assert group.listed()[instance] == "InService"


def test_several_hooks_must_all_continue(group: AutoScalingGroup) -> None:
    group.hooks["other"] = Hook("other", Transition.LAUNCH)
    group.scale_to(1)
    instance = newest(group)

    group.complete("other", instance, HookResult.CONTINUE)
    assert group.listed()[instance] == "Pending:Wait"
    group.complete(LAUNCH_HOOK, instance, HookResult.CONTINUE)

    assert group.listed()[instance] == "InService"


def test_one_abandon_ends_all_hooks(group: AutoScalingGroup) -> None:
    # Auto Scaling User Guide, "Complete a lifecycle action": abandon stops any remaining actions.
    group.hooks["other"] = Hook("other", Transition.LAUNCH)
    group.scale_to(1)
    instance = newest(group)

    group.complete("other", instance, HookResult.ABANDON)

    assert group.listed()[instance] == "Terminating:Wait"
    assert not group.complete(LAUNCH_HOOK, instance, HookResult.CONTINUE)


def test_an_instance_terminated_by_hand_is_replaced(group: AutoScalingGroup) -> None:
    # Auto Scaling API reference, TerminateInstanceInAutoScalingGroup, ShouldDecrementDesiredCapacity.
    instance = in_service(group)

    group.terminate(instance)
    assert states(group) == {"Terminating:Wait": 1, "Pending:Wait": 1}
    group.terminate(newest(group), decrement=True)

    assert group.desired == 0
    assert states(group) == {"Terminating:Wait": 2}


def test_a_lost_instance_releases_its_address_before_its_hook_is_answered(
    region: CloudRegion, group: AutoScalingGroup
) -> None:
    instance = in_service(group)
    (address,) = region.ec2.instances[instance].addresses[AddressKind.PUBLIC_IPV4]

    group.lose(instance)

    assert group.listed()[instance] == "Terminating:Wait"
    assert address in region.ec2.pool.strangers


def test_an_attached_instance_raises_the_desired_capacity(region: CloudRegion, group: AutoScalingGroup) -> None:
    # Auto Scaling User Guide, "Detach or attach instances". Assumed: no hook runs.
    instance = region.ec2.launch().id

    group.attach(instance)

    assert group.listed() == {instance: "InService"}
    assert group.desired == 1
    assert not region.events.emitted


def test_standby_is_neither_counted_nor_replaced(group: AutoScalingGroup) -> None:
    # Auto Scaling User Guide, "Temporarily remove instances from your Auto Scaling group".
    instance = in_service(group)

    group.enter_standby(instance)
    assert group.listed() == {instance: "Standby"}
    assert group.desired == 0
    group.exit_standby(instance)

    assert group.listed() == {instance: "InService"}
    assert group.desired == 1


def test_intermediate_states_can_take_time(cloud: Cloud, group: AutoScalingGroup) -> None:
    group.proceed_seconds = 2
    group.scale_to(1)
    group.complete(LAUNCH_HOOK, newest(group), HookResult.CONTINUE)

    assert states(group) == {"Pending:Proceed": 1}
    cloud.clock.advance(2)

    assert states(group) == {"InService": 1}


def test_the_replacement_of_a_root_volume_waits_for_both_hooks_and_keeps_the_address(
    cloud: Cloud, region: CloudRegion, group: AutoScalingGroup
) -> None:
    # Auto Scaling User Guide, "Replace root volumes during instance refresh".
    instance = in_service(group)
    group.proceed_seconds = 2
    before = region.ec2.instances[instance].addresses

    assert group.replace_root_volume(instance)
    assert states(group) == {"ReplacingRootVolume:Wait": 1}
    group.complete(TERMINATE_HOOK, instance, HookResult.CONTINUE)
    assert states(group) == {"ReplacingRootVolume:Proceed": 1}
    cloud.clock.advance(2)
    assert states(group) == {"Pending:Wait": 1}
    group.complete(LAUNCH_HOOK, instance, HookResult.CONTINUE)
    cloud.clock.advance(2)

    assert (group.desired, group.listed()) == (1, {instance: "InService"})
    assert region.ec2.instances[instance].addresses == before
    events = [parse(emitted, "") for emitted in region.events.emitted][-2:]
    assert [type(event) for event in events] == [Terminating, Launching]
    for event in events:
        assert isinstance(event, Launching | Terminating)
        assert (event.origin, event.destination) == (Place.GROUP, Place.GROUP)
        assert event.action is Action.REPLACE_ROOT_VOLUME


def test_a_root_volume_and_a_warm_pool_exclude_each_other(group: AutoScalingGroup) -> None:
    # Auto Scaling User Guide, "Replace root volumes during instance refresh", limitations.
    instance = in_service(group)
    group.replace_root_volume(instance)
    group.put_warm_pool(1)
    assert states(group) == {"ReplacingRootVolume:Wait": 1}

    group.complete(TERMINATE_HOOK, instance, HookResult.CONTINUE)
    group.complete(LAUNCH_HOOK, instance, HookResult.CONTINUE)
    group.put_warm_pool(1)

    assert not group.replace_root_volume(instance)


def test_an_instance_can_be_terminated_while_its_root_volume_is_replaced(group: AutoScalingGroup) -> None:
    instance = in_service(group)
    group.replace_root_volume(instance)

    group.terminate(instance, decrement=True)

    assert states(group) == {"Terminating:Wait": 1}
    assert group.desired == 0


def test_an_abandoned_replacement_of_a_root_volume_ends_the_instance(group: AutoScalingGroup) -> None:
    instance = in_service(group)
    group.replace_root_volume(instance)

    group.complete(TERMINATE_HOOK, instance, HookResult.ABANDON)

    assert group.listed()[instance] == "Terminating:Wait"


def test_the_group_does_not_list_its_warm_pool_but_shows_that_it_has_one(group: AutoScalingGroup) -> None:
    # Auto Scaling API Reference, DescribeAutoScalingGroups.
    instance = in_service(group)
    assert not group.has_warm_pool()

    group.put_warm_pool(1)

    assert group.has_warm_pool()
    assert group.listed() == {instance: "InService"}
    assert list(group.pooled().values()) == ["Warmed:Pending:Wait"]


def test_a_warm_pool_is_filled_through_the_launch_hook(region: CloudRegion, group: AutoScalingGroup) -> None:
    # Auto Scaling User Guide, "Use lifecycle hooks with a warm pool".
    group.put_warm_pool(1)
    instance = newest(group)

    assert states(group) == {"Warmed:Pending:Wait": 1}
    event = parse(region.events.emitted[-1], "")
    assert isinstance(event, Launching)
    assert event.destination is Place.WARM_POOL
    group.complete(LAUNCH_HOOK, instance, HookResult.CONTINUE)
    assert states(group) == {"Warmed:Stopped": 1}
    assert AddressKind.PUBLIC_IPV4 not in region.ec2.instances[instance].addresses


def test_scaling_out_takes_from_the_warm_pool_and_fills_it_again(region: CloudRegion, group: AutoScalingGroup) -> None:
    # Auto Scaling User Guide, "Use lifecycle hooks with a warm pool".
    group.put_warm_pool(1)
    instance = newest(group)
    group.complete(LAUNCH_HOOK, instance, HookResult.CONTINUE)

    group.scale_to(1)

    assert group.listed()[instance] == "Pending:Wait"
    assert states(group) == {"Pending:Wait": 1, "Warmed:Pending:Wait": 1}
    assert region.ec2.instances[instance].addresses[AddressKind.PUBLIC_IPV4]
    origins = [
        event.origin
        for event in (parse(emitted, "") for emitted in region.events.emitted)
        if isinstance(event, Launching)
    ]
    assert origins == [Place.EC2, Place.WARM_POOL, Place.EC2]


def test_scaling_in_returns_to_the_warm_pool_with_a_reuse_policy(region: CloudRegion, group: AutoScalingGroup) -> None:
    # Auto Scaling User Guide, "Use lifecycle hooks with a warm pool", instance reuse policy.
    instance = in_service(group)
    group.put_warm_pool(0, reuse_on_scale_in=True)

    group.scale_to(0)

    event = parse(region.events.emitted[-1], "")
    assert isinstance(event, Terminating)
    assert (event.origin, event.destination) == (Place.GROUP, Place.WARM_POOL)
    group.complete(TERMINATE_HOOK, instance, HookResult.CONTINUE)
    assert group.pooled() == {instance: "Warmed:Stopped"}


def test_a_warm_pool_that_shrinks_terminates_through_the_hook(region: CloudRegion, group: AutoScalingGroup) -> None:
    group.put_warm_pool(1)
    instance = newest(group)
    group.complete(LAUNCH_HOOK, instance, HookResult.CONTINUE)

    group.put_warm_pool(0)

    assert group.pooled() == {instance: "Warmed:Terminating:Wait"}
    event = parse(region.events.emitted[-1], "")
    assert isinstance(event, Terminating)
    assert event.origin is Place.WARM_POOL
    group.complete(TERMINATE_HOOK, instance, HookResult.CONTINUE)
    assert not group.listed()


def test_events_have_the_documented_fields(region: CloudRegion, group: AutoScalingGroup) -> None:
    # Auto Scaling User Guide, "Amazon EC2 Auto Scaling event reference".
    group.scale_to(1)

    (event,) = region.events.emitted
    assert set(event) == {"version", "id", "detail-type", "source", "account", "time", "region", "resources", "detail"}
    detail = event["detail"]
    assert isinstance(detail, dict)
    assert set(detail) == {
        "LifecycleActionToken",
        "AutoScalingGroupName",
        "LifecycleHookName",
        "EC2InstanceId",
        "LifecycleTransition",
        "Origin",
        "Destination",
    }
