"""The effect of each failure: every row of the README's table, with the real engine in a cloud in memory."""

import json

import pytest

from ringfence.core.audit_events import HookCompleted, HookHeld, RegionFailed, RuleRefused, StaleDoor
from ringfence.core.configuration.settings import NoAddress
from ringfence.core.errors import POLICIES_ARE_NEW, Permanent, Retry
from ringfence.core.model.addresses import AddressKind, Cidr
from ringfence.core.model.identifiers import InstanceId, Region
from ringfence_lab.sim.aws.auto_scaling import AutoScalingGroup
from ringfence_lab.sim.aws.security_groups import SecurityGroup
from ringfence_lab.sim.cloud import Cloud
from ringfence_lab.sim.engine.call_faults import Effect
from ringfence_lab.sim.engine.line import Killed
from ringfence_lab.sim.invocation import Invocation
from tests.engine.conftest import EAST, TRUE_UP, WEST, second_look

MUTATIONS_OF_RULES = ("AuthorizeSecurityGroupIngress", "RevokeSecurityGroupIngress")


def group_of(cloud: Cloud, region: str) -> AutoScalingGroup:
    return cloud.region(region).groups["db"]


def only_waiting(group: AutoScalingGroup) -> InstanceId:
    (waiting,) = [id for id, state in group.listed().items() if state.endswith(":Wait")]
    return waiting


def public_address(cloud: Cloud, region: str, instance: InstanceId) -> Cidr:
    return cloud.region(region).ec2.instances[instance].addresses[AddressKind.PUBLIC_IPV4][0]


def polled(cloud: Cloud, region: str, **settings: object) -> Invocation:
    invocation = cloud.poll(region, cloud.settings(region, **settings))
    assert invocation is not None
    return invocation


def sources_of(group: SecurityGroup) -> set[Cidr]:
    """Every address that the group admits."""
    return {rule.opening.cidr for rule in group.rules.values() if rule.opening}


def rule_changes(cloud: Cloud) -> list[str]:
    return [call.operation for call in cloud.calls if call.operation in MUTATIONS_OF_RULES and call.outcome == "ok"]


# No failure.


def test_every_region_admits_a_launch_before_it_goes_into_service(cloud: Cloud) -> None:
    # given
    group = group_of(cloud, EAST)
    group.scale_to(3)
    instance = only_waiting(group)
    address = public_address(cloud, EAST, instance)
    # when
    polled(cloud, EAST)
    # then
    assert group.listed()[instance] == "InService"
    assert all(address in region.admitted() for region in cloud.regions.values())


def test_every_region_releases_a_termination_before_its_address_is_free(cloud: Cloud) -> None:
    # given
    group = group_of(cloud, EAST)
    group.scale_to(1)
    instance = only_waiting(group)
    address = public_address(cloud, EAST, instance)
    # when
    polled(cloud, EAST)
    # then
    assert instance not in group.listed()
    assert all(address not in region.admitted() for region in cloud.regions.values())


# Describe (home) fails or is throttled.


@pytest.mark.parametrize("operation", ["DescribeAutoScalingGroups", "DescribeInstances"])
@pytest.mark.parametrize("desired", [3, 1])
def test_a_failed_describe_at_home_holds_the_hook_and_changes_nothing(
    cloud: Cloud, operation: str, desired: int
) -> None:
    # given
    group = group_of(cloud, EAST)
    group.scale_to(desired)
    instance = only_waiting(group)
    fault = cloud.fault(Effect.THROTTLE, region=EAST, operation=operation)
    # when
    invocation = polled(cloud, EAST)
    # then
    assert isinstance(invocation.error, Retry)
    assert group.listed()[instance].endswith(":Wait")
    assert not [call for call in cloud.calls if call.mutating]
    # when it is delivered again
    cloud.heal(fault)
    cloud.clock.advance(60)
    polled(cloud, EAST)
    # then
    assert group.listed().get(instance, "gone") in ("InService", "gone")


@pytest.mark.parametrize("desired", [3, 1])
def test_a_failed_describe_of_rules_at_home_holds_the_hook(cloud: Cloud, desired: int) -> None:
    # given
    group = group_of(cloud, EAST)
    group.scale_to(desired)
    instance = only_waiting(group)
    fault = cloud.fault(Effect.THROTTLE, region=EAST, operation="DescribeSecurityGroupRules")
    # when
    invocation = polled(cloud, EAST)
    # then
    assert isinstance(invocation.error, Retry)
    assert group.listed()[instance].endswith(":Wait")
    # when it is delivered again
    cloud.heal(fault)
    cloud.clock.advance(60)
    polled(cloud, EAST)
    # then
    assert group.listed().get(instance, "gone") in ("InService", "gone")


# The group does not exist, or the configuration is wrong.


def test_a_group_that_does_not_exist_raises_permanent_and_removes_nothing(cloud: Cloud) -> None:
    # given
    admitted = cloud.region(EAST).admitted()
    del cloud.region(EAST).groups["db"]
    settings = cloud.settings(EAST, auto_scaling_groups=("db",))
    # when
    with pytest.raises(Permanent, match="db does not exist in us-east-1"):
        cloud.invoke(EAST, TRUE_UP, settings)
    # then
    assert cloud.region(EAST).admitted() == cloud.region(WEST).admitted() == admitted


def test_an_event_of_a_group_that_does_not_exist_becomes_a_dead_letter_at_once(cloud: Cloud) -> None:
    # given
    group_of(cloud, EAST).scale_to(3)
    settings = cloud.settings(EAST)
    del cloud.region(EAST).groups["db"]
    # when
    invocation = cloud.poll(EAST, settings)
    # then
    assert invocation is not None
    assert isinstance(invocation.error, Permanent)
    assert len(cloud.region(EAST).queue.dead_letters) == 1


def test_a_group_that_does_not_exist_does_not_delay_the_others(cloud: Cloud) -> None:
    # given
    group = group_of(cloud, EAST)
    group.scale_to(3)
    instance = only_waiting(group)
    # when
    polled(cloud, EAST, auto_scaling_groups=("db", "nonesuch"))
    # then
    assert group.listed()[instance] == "InService"
    assert not cloud.region(EAST).queue.dead_letters


def test_a_security_group_that_does_not_admit_itself_raises_permanent_and_keeps_its_rules(cloud: Cloud) -> None:
    # given
    east = cloud.region(EAST)
    admitted = east.admitted()
    own = next(rule for rule in east.security_group.rules.values() if rule.source_group)
    east.security_group.revoke_by_hand(own.id)
    # when
    with pytest.raises(Permanent, match="does not admit itself on any port"):
        cloud.invoke(EAST, TRUE_UP)
    # then
    assert east.admitted() == admitted


@pytest.mark.parametrize("number", [0, 1], ids=["the first", "the second"])
def test_a_security_group_that_does_not_admit_itself_does_not_stop_the_changes_of_another(
    cloud: Cloud, number: int
) -> None:
    # given two security groups, of which only one admits itself, and a member that terminates
    east = cloud.region(EAST)
    groups = [east.security_group, east.add_security_group("sg-0000000b", "tcp/9142")]
    cloud.invoke(EAST, TRUE_UP)
    without_ports = groups[number]
    own = next(rule for rule in without_ports.rules.values() if rule.source_group)
    without_ports.revoke_by_hand(own.id)
    group_of(cloud, EAST).scale_to(1)
    address = public_address(cloud, EAST, only_waiting(group_of(cloud, EAST)))
    # when
    with pytest.raises(Permanent, match="does not admit itself on any port") as raised:
        cloud.invoke(EAST, TRUE_UP)
    # then
    assert f"security group {without_ports.id} in" in str(raised.value)
    assert not any(address in sources_of(group) for group in groups)


# The instance has no address of the configured kind.


def test_a_launch_without_an_address_waits_and_then_continues(cloud: Cloud) -> None:
    # given
    cloud.region(EAST).ec2.assigns_public_addresses = False
    group = group_of(cloud, EAST)
    group.scale_to(3)
    instance = only_waiting(group)
    # when
    first = polled(cloud, EAST)
    # then
    assert group.listed()[instance] == "Pending:Wait"
    assert any(isinstance(event, HookHeld) and "no public-ipv4 address" in event.why for event in first.audit_events)
    # when
    cloud.clock.advance(120)
    cloud.invoke(EAST, TRUE_UP)
    # then
    assert group.listed()[instance] == "InService"


def test_a_launch_without_an_address_is_abandoned_if_so_configured(cloud: Cloud) -> None:
    # given
    cloud.region(EAST).ec2.assigns_public_addresses = False
    group = group_of(cloud, EAST)
    group.scale_to(3)
    instance = only_waiting(group)
    polled(cloud, EAST)
    # when
    cloud.clock.advance(120)
    cloud.invoke(EAST, TRUE_UP, cloud.settings(EAST, no_address=NoAddress.ABANDON))
    # then
    assert group.listed().get(instance, "gone") in ("Terminating:Wait", "gone")


def test_a_true_up_finds_an_address_that_is_assigned_late(cloud: Cloud) -> None:
    # given
    cloud.region(EAST).ec2.assigns_public_addresses = False
    group = group_of(cloud, EAST)
    group.scale_to(3)
    instance = only_waiting(group)
    polled(cloud, EAST)
    # when
    cloud.region(EAST).ec2.assign_public_address(instance, elastic=True)
    cloud.invoke(EAST, TRUE_UP)
    # then
    address = public_address(cloud, EAST, instance)
    assert group.listed()[instance] == "InService"
    assert all(address in region.admitted() for region in cloud.regions.values())


# The home table is unreachable.


def test_a_launch_continues_after_its_own_region_admits_it_while_the_home_table_is_down(cloud: Cloud) -> None:
    # given
    group = group_of(cloud, EAST)
    group.scale_to(3)
    instance = only_waiting(group)
    address = public_address(cloud, EAST, instance)
    fault = cloud.fault(Effect.UNREACHABLE, region=EAST, service="dynamodb")
    # when
    invocation = polled(cloud, EAST)
    # then
    assert isinstance(invocation.error, Retry)
    assert group.listed()[instance] == "InService"
    assert address in cloud.region(EAST).admitted()
    assert address not in cloud.region(WEST).admitted()
    assert rule_changes(cloud) == ["AuthorizeSecurityGroupIngress"]
    # when the event is delivered again
    cloud.heal(fault)
    cloud.clock.advance(60)
    polled(cloud, EAST)
    # then
    assert address in cloud.region(WEST).admitted()


def test_a_launch_does_not_continue_by_the_rule_of_its_addresss_earlier_owner_while_the_home_table_is_down(
    cloud: Cloud,
) -> None:
    # given a member that vanished, and an instance in its place that also got its address
    group = group_of(cloud, EAST)
    gone = sorted(group.listed())[0]
    address = public_address(cloud, EAST, gone)
    group.lose(gone)
    (instance,) = [id for id, state in group.listed().items() if state == "Pending:Wait"]
    cloud.region(EAST).ec2.add_interface(instance, AddressKind.PUBLIC_IPV4, address)
    fault = cloud.fault(Effect.UNREACHABLE, region=EAST, service="dynamodb")
    # when
    polled(cloud, EAST)
    # then
    assert group.listed()[instance] == "Pending:Wait"
    assert "RevokeSecurityGroupIngress" not in rule_changes(cloud)
    # when the event is delivered again
    cloud.heal(fault)
    cloud.clock.advance(60)
    polled(cloud, EAST)
    # then the rule names the instance
    assert group.listed()[instance] == "InService"
    rules = cloud.region(EAST).security_group.rules.values()
    assert [instance in rule.description for rule in rules if rule.opening and rule.opening.cidr == address] == [True]


def test_a_termination_is_held_and_nothing_is_removed_while_the_home_table_is_down(cloud: Cloud) -> None:
    # given
    group = group_of(cloud, EAST)
    group.scale_to(1)
    instance = only_waiting(group)
    fault = cloud.fault(Effect.UNREACHABLE, region=EAST, service="dynamodb")
    # when
    polled(cloud, EAST)
    # then
    assert group.listed()[instance] == "Terminating:Wait"
    assert rule_changes(cloud) == []
    # when the event is delivered again
    cloud.heal(fault)
    cloud.clock.advance(60)
    polled(cloud, EAST)
    # then
    assert instance not in group.listed()


def test_a_home_table_that_refuses_only_writes_counts_as_down(cloud: Cloud) -> None:
    # given
    group = group_of(cloud, EAST)
    group.scale_to(3)
    instance = only_waiting(group)
    cloud.fault(Effect.THROTTLE, region=EAST, service="dynamodb", operation="PutItem")
    # when
    invocation = polled(cloud, EAST)
    # then
    assert isinstance(invocation.error, Retry)
    assert group.listed()[instance] == "InService"
    assert public_address(cloud, EAST, instance) not in cloud.region(WEST).admitted()


# A stack is new: its hooks exist before its policies do.


@pytest.mark.parametrize("operation", ["AuthorizeSecurityGroupIngress", "CompleteLifecycleAction"])
def test_a_launch_that_a_new_policy_does_not_allow_yet_waits_for_a_true_up_and_is_no_dead_letter(
    cloud: Cloud, operation: str
) -> None:
    # given
    group, queue = group_of(cloud, EAST), cloud.region(EAST).queue
    denial = cloud.fault(Effect.DENY, region=EAST, operation=operation, home=EAST)
    group.scale_to(3)
    instance = only_waiting(group)
    # when
    assert isinstance(polled(cloud, EAST).error, Permanent)
    # then the queue is free for other events, and the hook holds the instance
    assert (queue.messages, queue.dead_letters) == ([], [])
    assert group.listed()[instance] == "Pending:Wait"
    # when
    cloud.heal(denial)
    cloud.clock.advance(60)
    cloud.invoke(EAST, TRUE_UP)
    # then
    assert group.listed()[instance] == "InService"
    assert public_address(cloud, EAST, instance) in cloud.region(WEST).admitted()


def test_an_event_that_is_still_denied_after_five_minutes_is_a_dead_letter(cloud: Cloud) -> None:
    # given
    cloud.fault(Effect.DENY, region=EAST, operation="DescribeAutoScalingGroups")
    group_of(cloud, EAST).scale_to(3)
    cloud.clock.advance(POLICIES_ARE_NEW)
    # when
    polled(cloud, EAST)
    # then
    assert len(cloud.region(EAST).queue.dead_letters) == 1


# A peer is unreachable, throttled, or over quota.


@pytest.mark.parametrize("effect", [Effect.UNREACHABLE, Effect.THROTTLE, Effect.DENY])
@pytest.mark.parametrize("service", ["ec2", "dynamodb", None])
def test_a_launch_continues_while_a_peer_fails_and_a_later_true_up_admits_it_there(
    cloud: Cloud, effect: Effect, service: str | None
) -> None:
    # given
    group = group_of(cloud, EAST)
    group.scale_to(3)
    instance = only_waiting(group)
    address = public_address(cloud, EAST, instance)
    fault = cloud.fault(effect, region=WEST, service=service, home=EAST, seconds=3)
    # when
    invocation = polled(cloud, EAST)
    # then
    assert invocation.error is None
    assert group.listed()[instance] == "InService"
    assert address in cloud.region(EAST).admitted()
    assert any(isinstance(event, RegionFailed) and event.region == WEST for event in invocation.audit_events)
    # when
    cloud.heal(fault)
    cloud.invoke(EAST, TRUE_UP)
    cloud.invoke(WEST, TRUE_UP)
    # then
    assert address in cloud.region(WEST).admitted()


def test_a_peer_that_hangs_delays_a_reconcile_by_its_deadline_at_most(cloud: Cloud) -> None:
    # given a peer that answers each call after 2.9 s, just within a client's time-out
    group_of(cloud, EAST).scale_to(3)
    cloud.fault(Effect.SLOW, region=WEST, seconds=2.9)
    started = cloud.clock.now()
    # when
    polled(cloud, EAST, peer_deadline=5)
    # then only the call in progress at the deadline, and the early read of the rules, add to the deadline
    assert cloud.clock.now() - started <= 5 + 2 * 2.9


def test_a_termination_is_held_for_a_failing_peer_until_the_release_deadline(cloud: Cloud) -> None:
    # given
    group = group_of(cloud, EAST)
    group.scale_to(1)
    instance = only_waiting(group)
    address = public_address(cloud, EAST, instance)
    fault = cloud.fault(Effect.UNREACHABLE, region=WEST)
    # when
    polled(cloud, EAST)
    # then
    assert group.listed()[instance] == "Terminating:Wait"
    assert address not in cloud.region(EAST).admitted()
    # when the deadline has passed
    cloud.clock.advance(300)
    late = cloud.invoke(EAST, TRUE_UP)
    # then the termination continues, as a stale door
    assert instance not in group.listed()
    completed = [event for event in late.audit_events if isinstance(event, HookCompleted)]
    assert [event.why for event in completed] == ["us-west-2 may still admit it after 300 s: a stale door"]
    # when the next true-up comes
    cloud.clock.advance(60)
    later = cloud.invoke(EAST, TRUE_UP)
    # then the door is reported for as long as it may be open
    assert [event.seconds for event in later.audit_events if isinstance(event, StaleDoor)] == [360.0]
    # when the peer is back
    cloud.heal(fault)
    cloud.invoke(EAST, TRUE_UP)
    after = cloud.invoke(EAST, TRUE_UP)
    # then
    assert address not in cloud.region(WEST).admitted()
    assert not [event for event in after.audit_events if isinstance(event, StaleDoor)]


def test_a_peer_without_room_does_not_hold_a_launch(cloud: Cloud) -> None:
    # given
    west = cloud.region(WEST)
    west.security_group.quota = west.security_group.used(ipv6=False)
    group = group_of(cloud, EAST)
    group.scale_to(3)
    instance = only_waiting(group)
    # when
    invocation = polled(cloud, EAST)
    # then
    assert group.listed()[instance] == "InService"
    refused = [event for event in invocation.audit_events if isinstance(event, RuleRefused)]
    assert [(event.region, event.refusal) for event in refused] == [(WEST, "quota")]
    # when there is room, and the peer's own engine runs
    west.security_group.quota += 10
    cloud.invoke(WEST, TRUE_UP)
    # then
    assert public_address(cloud, EAST, instance) in west.admitted()


@pytest.mark.parametrize(("desired", "state"), [(3, "Pending:Wait"), (1, "Terminating:Wait")])
def test_a_required_peer_that_fails_holds_a_hook_until_it_is_back(cloud: Cloud, desired: int, state: str) -> None:
    # given
    group = group_of(cloud, EAST)
    group.scale_to(desired)
    instance = only_waiting(group)
    fault = cloud.fault(Effect.UNREACHABLE, region=WEST)
    required = cloud.settings(EAST, required_peers=frozenset({Region(WEST)}))
    # when
    cloud.poll(EAST, required)
    cloud.clock.advance(299)
    cloud.invoke(EAST, TRUE_UP, required)
    # then
    assert group.listed()[instance] == state
    # when
    cloud.heal(fault)
    cloud.invoke(EAST, TRUE_UP, required)
    # then
    assert group.listed().get(instance, "gone") in ("InService", "gone")


# The home group is over its quota.


def test_a_launch_without_room_in_its_own_region_is_abandoned_and_the_reason_has_the_figures(cloud: Cloud) -> None:
    # given
    east = cloud.region(EAST)
    admitted = east.admitted()
    east.security_group.quota = east.security_group.used(ipv6=False)
    group = group_of(cloud, EAST)
    group.scale_to(3)
    instance = only_waiting(group)
    # when
    invocation = polled(cloud, EAST)
    # then
    answers = [event for event in invocation.audit_events if isinstance(event, HookCompleted)]
    assert [(event.instance, event.result) for event in answers] == [(instance, "ABANDON")]
    assert "5 and 1 more, of 5" in answers[0].why
    assert east.admitted() >= admitted


def test_a_full_group_removes_the_departed_instance_first(cloud: Cloud) -> None:
    # given the replacement of an instance in a full group
    group = group_of(cloud, EAST)
    leaving = next(iter(group.listed()))
    group.terminate(leaving)
    for region in cloud.regions.values():
        region.security_group.quota = region.security_group.used(ipv6=False)
    # when
    polled(cloud, EAST)
    # then
    assert sorted(group.listed().values()) == ["InService", "InService"]
    assert len(cloud.region(EAST).admitted()) == len(cloud.region(WEST).admitted()) == 4


# A lost answer, a killed process (at every call: tests/simulator/test_crashes.py).


@pytest.mark.parametrize("desired", [3, 1])
@pytest.mark.parametrize("nth", range(16))
def test_the_next_delivery_repairs_the_lost_answer_of_any_call(cloud: Cloud, desired: int, nth: int) -> None:
    # given
    group = group_of(cloud, EAST)
    group.scale_to(desired)
    instance = only_waiting(group)
    cloud.fault(Effect.LOSE_ANSWER, home=EAST, after=nth, times=1)
    # when
    cloud.poll(EAST)
    cloud.heal()
    cloud.clock.advance(60)
    cloud.poll(EAST)
    for region in (EAST, WEST, EAST, WEST):
        cloud.invoke(region, TRUE_UP)
    # then
    assert group.listed().get(instance, "gone") in ("InService", "gone")
    expected = {public_address(cloud, name, id) for name in cloud.regions for id in group_of(cloud, name).listed()}
    assert cloud.region(EAST).admitted() == cloud.region(WEST).admitted() == expected


def test_a_killed_direct_invoke_raises_an_error_for_its_caller(cloud: Cloud) -> None:
    cloud.fault(Effect.KILL_BEFORE, home=EAST, times=1)
    with pytest.raises(Killed):
        cloud.invoke(EAST, TRUE_UP)


def test_a_hook_that_has_timed_out_is_no_error(cloud: Cloud) -> None:
    # given
    group = group_of(cloud, EAST)
    group.scale_to(3)
    instance = only_waiting(group)
    cloud.clock.advance(301)
    assert group.listed()[instance] == "InService"
    # when
    invocation = polled(cloud, EAST)
    # then
    assert invocation.error is None
    assert public_address(cloud, EAST, instance) in cloud.region(WEST).admitted()


def test_a_repeated_event_changes_nothing(cloud: Cloud) -> None:
    # given
    group = group_of(cloud, EAST)
    group.scale_to(3)
    body = cloud.region(EAST).queue.receive()[0].body
    cloud.region(EAST).queue.delete(cloud.region(EAST).queue.receive())
    cloud.invoke(EAST, json.loads(body))
    cloud.calls.clear()
    # when
    second = cloud.invoke(EAST, json.loads(body))
    # then
    assert second.error is None
    assert not [call for call in cloud.calls if call.mutating]


def test_a_launch_event_after_the_termination_does_not_admit_the_address_again(cloud: Cloud) -> None:
    # given
    group = group_of(cloud, EAST)
    group.scale_to(3)
    launched = cloud.region(EAST).queue.receive()
    instance = only_waiting(group)
    address = public_address(cloud, EAST, instance)
    polled_launch = json.loads(launched[0].body)
    cloud.region(EAST).queue.delete(launched)
    cloud.invoke(EAST, polled_launch)
    group.terminate(instance, decrement=True)
    polled(cloud, EAST)
    second_look(cloud, EAST)
    assert instance not in group.listed()
    # when
    cloud.invoke(EAST, polled_launch)
    # then
    assert all(address not in region.admitted() for region in cloud.regions.values())


def test_the_next_true_up_answers_the_hook_of_a_lost_event(cloud: Cloud) -> None:
    # given
    group = group_of(cloud, EAST)
    group.scale_to(3)
    instance = only_waiting(group)
    queue = cloud.region(EAST).queue
    queue.delete(queue.receive())
    # when
    cloud.invoke(EAST, TRUE_UP)
    # then
    assert group.listed()[instance] == "InService"
