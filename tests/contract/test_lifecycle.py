"""How an Auto Scaling group holds instances in lifecycle hooks, sends events, and continues."""

from collections.abc import Callable

import pytest

from ringfence.core.events import Action, Launching, Place, Terminating
from ringfence.core.lifecycle import HookResult
from ringfence.core.model.identifiers import InstanceId
from ringfence.core.observation import Power
from tests.contract.sources import assumed, documented
from tests.contract.steps import complete, event, in_service, launching, leaves, power, reaches, states
from tests.contract.world import LAUNCH_HOOK, SHORTEST_HEARTBEAT, TERMINATE_HOOK, Group, World

CONTINUE, ABANDON = HookResult.CONTINUE, HookResult.ABANDON
NO_TOKEN = "f66c3d47-e602-4af0-8edd-d4e4d2fe4620"
NO_INSTANCE = InstanceId("i-0123456789abcdef0")


@pytest.fixture
def group(world: World) -> Group:
    return world.auto_scaling_group()


@documented("Auto Scaling User Guide, How lifecycle hooks work; Amazon EC2 Auto Scaling event reference")
def test_a_launching_instance_waits_and_an_event_is_sent(world: World, group: Group) -> None:
    instance = launching(world, group)

    sent = event(world, group, Launching)
    assert (sent.instance, sent.hook, sent.group) == (instance, LAUNCH_HOOK, group.name)
    assert (sent.origin, sent.destination) == (Place.EC2, Place.GROUP)
    assert sent.token
    assert sent.time is not None


@documented("Auto Scaling API Reference, CompleteLifecycleAction, InstanceId")
def test_a_wait_is_completed_by_the_instance_id(world: World, group: Group) -> None:
    in_service(world, group)


@documented("Auto Scaling API Reference, CompleteLifecycleAction, LifecycleActionToken")
def test_a_wait_is_completed_by_its_token(world: World, group: Group) -> None:
    instance = launching(world, group)
    token = event(world, group, Launching).token

    assert world.home.auto_scaling.complete(group.name, LAUNCH_HOOK, instance, token, CONTINUE)

    reaches(world, group, instance, "InService")


@documented("Auto Scaling User Guide, Troubleshoot lifecycle hooks: no active lifecycle action")
def test_completing_an_inactive_action_changes_nothing(world: World, group: Group) -> None:
    instance = launching(world, group)
    token = event(world, group, Launching).token
    tries: list[Callable[[], bool]] = [
        lambda: world.home.auto_scaling.complete(group.name, LAUNCH_HOOK, instance, NO_TOKEN, ABANDON),
        lambda: complete(world, group, NO_INSTANCE, LAUNCH_HOOK, ABANDON),
        lambda: complete(world, group, instance, TERMINATE_HOOK, ABANDON),
    ]
    assert [attempt() for attempt in tries] == [False, False, False]
    assert states(world, group) == {instance: "Pending:Wait"}

    assert complete(world, group, instance, LAUNCH_HOOK)
    reaches(world, group, instance, "InService")

    assert not complete(world, group, instance, LAUNCH_HOOK, ABANDON)
    assert not world.home.auto_scaling.complete(group.name, LAUNCH_HOOK, instance, token, ABANDON)
    assert states(world, group) == {instance: "InService"}


@documented("Auto Scaling User Guide, How lifecycle hooks work: after the timeout the default result applies")
def test_a_wait_without_an_answer_times_out_and_its_token_ends(world: World) -> None:
    group = world.auto_scaling_group(heartbeat=SHORTEST_HEARTBEAT, default=CONTINUE)
    instance = launching(world, group)
    token = event(world, group, Launching).token

    world.wait(SHORTEST_HEARTBEAT - 10)
    assert states(world, group) == {instance: "Pending:Wait"}
    world.wait(10)

    reaches(world, group, instance, "InService")
    assert not world.home.auto_scaling.complete(group.name, LAUNCH_HOOK, instance, token, ABANDON)


@assumed("an abandoned launch runs the termination hooks; the User Guide only says that it is terminated and replaced")
def test_an_abandoned_launch_ends_through_the_termination_hook_and_is_replaced(world: World, group: Group) -> None:
    instance = launching(world, group)
    token = event(world, group, Launching).token

    assert complete(world, group, instance, LAUNCH_HOOK, ABANDON)

    reaches(world, group, instance, "Terminating:Wait")
    world.eventually(lambda: "Pending:Wait" in states(world, group).values())
    assert event(world, group, Terminating).instance == instance
    assert not world.home.auto_scaling.complete(group.name, LAUNCH_HOOK, instance, token, CONTINUE)
    assert complete(world, group, instance, TERMINATE_HOOK)
    leaves(world, group, instance)


@documented("Auto Scaling User Guide, How lifecycle hooks work: scale in")
def test_a_terminating_instance_waits_with_its_addresses_and_an_event_is_sent(world: World, group: Group) -> None:
    instance = in_service(world, group)
    before = world.home.instances.by_id([instance]).instances[instance].addresses

    group.scale_to(0)

    reaches(world, group, instance, "Terminating:Wait")
    sent = event(world, group, Terminating)
    assert (sent.instance, sent.hook) == (instance, TERMINATE_HOOK)
    assert (sent.origin, sent.destination) == (Place.GROUP, Place.EC2)
    described = world.home.instances.by_id([instance]).instances[instance]
    assert (described.power, dict(described.addresses)) == (Power.RUNNING, dict(before))


@documented("Auto Scaling User Guide, How lifecycle hooks work: both results continue a termination")
@pytest.mark.parametrize("result", HookResult)
def test_a_termination_continues_with_either_result(world: World, group: Group, result: HookResult) -> None:
    instance = in_service(world, group)
    group.scale_to(0)
    reaches(world, group, instance, "Terminating:Wait")

    assert complete(world, group, instance, TERMINATE_HOOK, result)

    leaves(world, group, instance)
    world.eventually(lambda: power(world, instance) in (Power.TERMINATED, None))


@documented("Auto Scaling API Reference, TerminateInstanceInAutoScalingGroup, ShouldDecrementDesiredCapacity")
def test_an_instance_terminated_in_its_group_is_replaced_while_it_waits(world: World, group: Group) -> None:
    instance = in_service(world, group)

    group.terminate(instance)

    reaches(world, group, instance, "Terminating:Wait")
    world.eventually(lambda: sorted(states(world, group).values()) == ["Pending:Wait", "Terminating:Wait"])


@assumed("the User Guide says that scale in can terminate a launching instance, not what its hook does then")
def test_an_instance_that_is_terminated_while_it_launches_waits_again_and_its_first_token_ends(
    world: World, group: Group
) -> None:
    instance = launching(world, group)
    token = event(world, group, Launching).token

    group.scale_to(0)
    reaches(world, group, instance, "Terminating:Wait")

    assert not world.home.auto_scaling.complete(group.name, LAUNCH_HOOK, instance, token, CONTINUE)
    assert states(world, group) == {instance: "Terminating:Wait"}


@documented("Auto Scaling User Guide, Temporarily remove instances from your Auto Scaling group")
def test_standby_and_back_runs_no_hook(world: World, group: Group) -> None:
    instance = in_service(world, group)
    count = len(group.events())

    group.enter_standby(instance)
    reaches(world, group, instance, "Standby")
    group.exit_standby(instance)
    reaches(world, group, instance, "InService")

    assert len(group.events()) == count


@documented(
    "Auto Scaling User Guide, Replace root volumes during instance refresh; Instance refresh replace root volume"
    " lifecycle events"
)
def test_a_root_volume_is_replaced_through_both_hooks_and_the_instance_keeps_its_addresses(
    world: World, group: Group
) -> None:
    instance = in_service(world, group)
    before = world.home.instances.by_id([instance]).instances[instance].addresses

    group.replace_root_volumes()
    reaches(world, group, instance, "ReplacingRootVolume:Wait")
    assert complete(world, group, instance, TERMINATE_HOOK)
    reaches(world, group, instance, "Pending:Wait")
    described = world.home.instances.by_id([instance]).instances[instance]
    assert complete(world, group, instance, LAUNCH_HOOK)
    reaches(world, group, instance, "InService")

    assert (described.group, dict(described.addresses)) == (group.name, dict(before))
    for sent in (event(world, group, Terminating), event(world, group, Launching, 1)):
        assert (sent.instance, sent.origin, sent.destination) == (instance, Place.GROUP, Place.GROUP)
        assert sent.action is Action.REPLACE_ROOT_VOLUME


@documented("Auto Scaling User Guide, Detach or attach instances")
def test_a_detached_instance_continues_to_run_outside_of_its_group(world: World, group: Group) -> None:
    instance = in_service(world, group)

    group.detach(instance)

    leaves(world, group, instance)
    world.eventually(lambda: instance not in world.home.instances.of_groups([group.name]))
    described = world.home.instances.by_id([instance]).instances[instance]
    assert (described.power, described.group) == (Power.RUNNING, None)


@documented("Auto Scaling User Guide, Use lifecycle hooks with a warm pool; Amazon EC2 Auto Scaling event reference")
def test_an_instance_enters_leaves_and_reenters_a_warm_pool_through_the_hooks(world: World, group: Group) -> None:
    group.keep_warm(1)
    warmed = event(world, group, Launching)
    assert (warmed.origin, warmed.destination) == (Place.EC2, Place.WARM_POOL)
    instance = warmed.instance
    assert complete(world, group, instance, LAUNCH_HOOK)
    world.eventually(lambda: power(world, instance) is Power.STOPPED)

    group.scale_to(1)
    reaches(world, group, instance, "Pending:Wait")
    taken = event(world, group, Launching, 1)
    assert (taken.instance, taken.origin, taken.destination) == (instance, Place.WARM_POOL, Place.GROUP)

    # The token of the first wait, for the same hook, must not complete the second wait.
    assert taken.token != warmed.token
    assert not world.home.auto_scaling.complete(group.name, LAUNCH_HOOK, instance, warmed.token, CONTINUE)
    assert states(world, group)[instance] == "Pending:Wait"
    assert world.home.auto_scaling.complete(group.name, LAUNCH_HOOK, instance, taken.token, CONTINUE)
    reaches(world, group, instance, "InService")

    group.scale_to(0)
    returning = event(world, group, Terminating)
    assert (returning.instance, returning.origin, returning.destination) == (instance, Place.GROUP, Place.WARM_POOL)
    assert complete(world, group, instance, TERMINATE_HOOK)
    world.eventually(lambda: power(world, instance) is Power.STOPPED)


@documented("Auto Scaling API Reference, DescribeWarmPool and DescribeAutoScalingGroups, WarmPoolConfiguration")
def test_an_instance_of_a_warm_pool_is_listed_with_its_group_while_it_waits_and_rests(
    world: World, group: Group
) -> None:
    group.keep_warm(1)

    (instance,) = world.eventually(lambda: states(world, group))
    reaches(world, group, instance, "Warmed:Pending:Wait")
    assert complete(world, group, instance, LAUNCH_HOOK)

    reaches(world, group, instance, "Warmed:Stopped")


@documented("Auto Scaling API Reference, DescribeAutoScalingGroups, AutoScalingGroupNames")
def test_a_group_that_does_not_exist_is_missing_from_the_answer(world: World, group: Group) -> None:
    listed = world.home.auto_scaling.groups([group.name, f"{group.name}-unknown"])

    assert listed == {group.name: {}}
