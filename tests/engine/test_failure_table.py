"""What each failure does: every row of the table in the README, on the real engine in a cloud in memory."""

import json

import pytest

from ringfence.core.audit_events import HookCompleted, HookHeld, RegionFailed, RuleRefused, StaleDoor
from ringfence.core.configuration.settings import NoAddress
from ringfence.core.errors import Permanent, Retry
from ringfence.core.model.addresses import AddressKind, Cidr
from ringfence.core.model.identifiers import InstanceId, Region, SecurityGroupId
from ringfence_lab.sim.aws.auto_scaling import AutoScalingGroup
from ringfence_lab.sim.cloud import Cloud
from ringfence_lab.sim.engine.call_faults import Effect
from ringfence_lab.sim.engine.line import Killed
from ringfence_lab.sim.invocation import Invocation
from tests.engine.conftest import EAST, TRUE_UP, WEST

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


def rule_changes(cloud: Cloud) -> list[str]:
    return [call.operation for call in cloud.calls if call.operation in MUTATIONS_OF_RULES and call.outcome == "ok"]


# Nothing fails.


def test_a_launch_is_admitted_everywhere_before_it_goes_into_service(cloud: Cloud) -> None:
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


def test_a_termination_is_released_everywhere_before_its_address_is_free(cloud: Cloud) -> None:
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
def test_a_describe_that_fails_at_home_holds_the_hook_and_changes_nothing(
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
def test_rules_that_cannot_be_described_at_home_hold_the_hook(cloud: Cloud, desired: int) -> None:
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


def test_a_group_that_does_not_exist_is_an_error_and_not_an_empty_group(cloud: Cloud) -> None:
    # given
    admitted = cloud.region(EAST).admitted()
    del cloud.region(EAST).groups["db"]
    settings = cloud.settings(EAST, auto_scaling_groups=("db",))
    # when
    with pytest.raises(Permanent, match="db does not exist in us-east-1"):
        cloud.invoke(EAST, TRUE_UP, settings)
    # then
    assert cloud.region(EAST).admitted() == cloud.region(WEST).admitted() == admitted


def test_an_event_of_a_group_that_does_not_exist_goes_to_the_dead_letters_at_once(cloud: Cloud) -> None:
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


def test_one_group_that_does_not_exist_leaves_the_others_to_be_served(cloud: Cloud) -> None:
    # given
    group = group_of(cloud, EAST)
    group.scale_to(3)
    instance = only_waiting(group)
    # when
    polled(cloud, EAST, auto_scaling_groups=("db", "nonesuch"))
    # then
    assert group.listed()[instance] == "InService"
    assert not cloud.region(EAST).queue.dead_letters


def test_a_security_group_that_admits_itself_nowhere_is_an_error_that_removes_nothing(cloud: Cloud) -> None:
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


# The instance has no address of the configured kind.


def test_a_launch_without_an_address_waits_and_then_goes_on_with_a_warning(cloud: Cloud) -> None:
    # given
    cloud.region(EAST).ec2.assigns_public_addresses = False
    group = group_of(cloud, EAST)
    group.scale_to(3)
    instance = only_waiting(group)
    # when
    first = polled(cloud, EAST)
    # then
    assert group.listed()[instance] == "Pending:Wait"
    assert any(isinstance(entry, HookHeld) and "no public-ipv4 address" in entry.why for entry in first.audit_events)
    # when
    cloud.clock.advance(120)
    cloud.invoke(EAST, TRUE_UP)
    # then
    assert group.listed()[instance] == "InService"


def test_a_launch_without_an_address_is_abandoned_where_the_configuration_says_so(cloud: Cloud) -> None:
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


def test_an_address_that_comes_late_is_found_by_a_true_up(cloud: Cloud) -> None:
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


def test_with_the_home_table_down_a_launch_is_admitted_at_home_and_goes_on(cloud: Cloud) -> None:
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


def test_with_the_home_table_down_a_launch_does_not_go_on_by_the_rule_of_the_one_whose_address_it_has_now(
    cloud: Cloud,
) -> None:
    # given: a member vanished, and the instance in its place was given its address, too
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
    # then its rule names it
    assert group.listed()[instance] == "InService"
    rules = cloud.region(EAST).security_groups.groups[SecurityGroupId("sg-us-east-1")].rules.values()
    assert [instance in rule.description for rule in rules if rule.opening and rule.opening.cidr == address] == [True]


def test_with_the_home_table_down_a_termination_is_held_and_nothing_is_removed(cloud: Cloud) -> None:
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


def test_a_home_table_that_only_refuses_writes_counts_as_down(cloud: Cloud) -> None:
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


# A peer is unreachable, throttled, or over quota.


@pytest.mark.parametrize("effect", [Effect.UNREACHABLE, Effect.THROTTLE, Effect.DENY])
@pytest.mark.parametrize("service", ["ec2", "dynamodb", None])
def test_a_launch_goes_on_while_a_peer_fails_and_the_debt_is_paid_later(
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
    assert any(isinstance(entry, RegionFailed) and entry.region == WEST for entry in invocation.audit_events)
    # when
    cloud.heal(fault)
    cloud.invoke(EAST, TRUE_UP)
    cloud.invoke(WEST, TRUE_UP)
    # then
    assert address in cloud.region(WEST).admitted()


def test_a_peer_that_hangs_costs_no_more_than_its_deadline(cloud: Cloud) -> None:
    # given a peer that answers each call after 2.9 s, just within a client's patience
    group_of(cloud, EAST).scale_to(3)
    cloud.fault(Effect.SLOW, region=WEST, seconds=2.9)
    started = cloud.clock.now()
    # when
    polled(cloud, EAST, peer_deadline=5)
    # then the one call that was under way at the deadline, and the reading ahead, are all that is added to it
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
    # then it is let go, as a stale door
    assert instance not in group.listed()
    answered = [entry for entry in late.audit_events if isinstance(entry, HookCompleted)]
    assert [entry.why for entry in answered] == ["us-west-2 may still admit it after 300 s: a stale door"]
    # when the next true-up comes
    cloud.clock.advance(60)
    later = cloud.invoke(EAST, TRUE_UP)
    # then the door is reported for as long as it may be open
    assert [entry.seconds for entry in later.audit_events if isinstance(entry, StaleDoor)] == [360.0]
    # when the peer is back
    cloud.heal(fault)
    cloud.invoke(EAST, TRUE_UP)
    after = cloud.invoke(EAST, TRUE_UP)
    # then
    assert address not in cloud.region(WEST).admitted()
    assert not [entry for entry in after.audit_events if isinstance(entry, StaleDoor)]


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
    refused = [entry for entry in invocation.audit_events if isinstance(entry, RuleRefused)]
    assert [(entry.region, entry.refusal) for entry in refused] == [(WEST, "quota")]
    # when there is room, the peer's own engine pays
    west.security_group.quota += 10
    cloud.invoke(WEST, TRUE_UP)
    # then
    assert public_address(cloud, EAST, instance) in west.admitted()


@pytest.mark.parametrize(("desired", "state"), [(3, "Pending:Wait"), (1, "Terminating:Wait")])
def test_a_required_peer_that_fails_holds_for_as_long_as_the_hook_lets_it(
    cloud: Cloud, desired: int, state: str
) -> None:
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


def test_a_launch_for_which_its_own_region_has_no_room_is_sent_away_with_the_figures(cloud: Cloud) -> None:
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
    answers = [entry for entry in invocation.audit_events if isinstance(entry, HookCompleted)]
    assert [(entry.instance, entry.result) for entry in answers] == [(instance, "ABANDON")]
    assert "5 and 1 more, of 5" in answers[0].why
    assert east.admitted() >= admitted


def test_without_room_for_both_what_left_is_removed_first(cloud: Cloud) -> None:
    # given a rolling replacement in a group that is full
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


# An answer that is lost, a process that is killed (at every call: tests/simulator/test_crashes.py).


@pytest.mark.parametrize("desired", [3, 1])
@pytest.mark.parametrize("nth", range(16))
def test_a_lost_answer_of_any_call_is_healed_by_the_redelivery(cloud: Cloud, desired: int, nth: int) -> None:
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


def test_a_killed_direct_invoke_is_seen_by_its_caller(cloud: Cloud) -> None:
    cloud.fault(Effect.KILL_BEFORE, home=EAST, times=1)
    with pytest.raises(Killed):
        cloud.invoke(EAST, TRUE_UP)


def test_a_hook_that_timed_out_meanwhile_is_no_error(cloud: Cloud) -> None:
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


def test_an_event_that_comes_twice_has_no_effect_the_second_time(cloud: Cloud) -> None:
    # given
    group = group_of(cloud, EAST)
    group.scale_to(3)
    event = cloud.region(EAST).queue.receive()[0].body
    cloud.region(EAST).queue.delete(cloud.region(EAST).queue.receive())
    cloud.invoke(EAST, json.loads(event))
    cloud.calls.clear()
    # when
    second = cloud.invoke(EAST, json.loads(event))
    # then
    assert second.error is None
    assert not [call for call in cloud.calls if call.mutating]


def test_a_launch_told_after_the_termination_does_not_bring_the_address_back(cloud: Cloud) -> None:
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
    assert instance not in group.listed()
    # when
    cloud.invoke(EAST, polled_launch)
    # then
    assert all(address not in region.admitted() for region in cloud.regions.values())


def test_a_lost_event_is_healed_by_the_next_true_up(cloud: Cloud) -> None:
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
