"""Scenarios of rows that someone from outside writes into a table, and of events that no AWS service sent."""

from collections.abc import Mapping
from typing import Any, cast

from ringfence.aws.roster_item import to_item
from ringfence.core.model.addresses import AddressKind, Cidr
from ringfence.core.model.identifiers import ANNOUNCEMENT, InstanceId, Region, RosterKey
from ringfence.core.model.rosters import Member, MemberState, Roster
from ringfence_lab.proof.harness import ASG, EAST, TRUE_UP, WEST, Harness
from ringfence_lab.proof.scenarios.capacity import launch
from ringfence_lab.sim.engine.call_faults import Effect

DAY = 86_400


def unreadable_announcement(harness: Harness) -> None:
    """A peer's announcement has a version that no engine can have written, and a strange roster is beside it."""
    _put(harness, _item(harness, ANNOUNCEMENT) | {"version": {"N": "1E+125"}})
    _put_strange_roster(harness)
    harness.invoke((EAST, TRUE_UP))


def announcement_without_version(harness: Harness) -> None:
    """A peer's announcement has neither a version nor groups, and a strange roster is beside it."""
    item = _item(harness, ANNOUNCEMENT)
    _put(harness, {name: value for name, value in item.items() if name not in ("version", "groups")})
    _put_strange_roster(harness)
    harness.invoke((EAST, TRUE_UP))


def tombstones_in_the_future(harness: Harness) -> None:
    """A peer's roster says that all of its members depart tomorrow."""
    item, at = _item(harness, ASG), {"N": str(int(harness.cloud.clock.now()) + DAY)}
    _put(harness, item | {"members": {"M": {}}, "departed": {"M": dict.fromkeys(item["members"]["M"], at)}})
    harness.invoke((EAST, TRUE_UP))


def uncertain_claim(harness: Harness) -> None:
    """In the second Region's table, the first Region's announcement is spoilt, and a strange roster of that Region
    claims the address of an instance that launches in the second Region."""
    group, table = harness.group(WEST), harness.region(WEST).table
    members = set(group.listed())
    group.scale_to(group.desired + 1)
    (launching,) = set(group.listed()) - members
    addresses = harness.region(WEST).ec2.instances[launching].addresses[AddressKind.PUBLIC_IPV4]
    announcement = to_item(table.rosters[RosterKey(Region(EAST), ANNOUNCEMENT)])
    table.put_item(announcement | {"version": {"N": "1E+125"}})
    table.put_item(_strange_roster(harness, EAST, addresses))
    harness.drain(WEST)


def event_of_the_warm_pool(harness: Harness) -> None:
    """A launch into the warm pool is forged for a new member, while the group's listing does not show it yet."""
    group = harness.group(EAST)
    harness.cloud.clock.advance(30)  # so that a stale answer differs
    members = set(group.listed())
    launch(harness)
    (launched,) = set(group.listed()) - members
    event = harness.unqueued_launch(EAST)
    detail = dict(cast(Mapping[str, object], event["detail"]))
    forged = {**event, "detail": {**detail, "EC2InstanceId": launched, "Destination": "WarmPool"}}
    harness.cloud.fault(Effect.STALE, region=EAST, operation="DescribeAutoScalingGroups", seconds=20)
    harness.invoke((EAST, forged))
    harness.cloud.heal()


def token_of_no_wait(harness: Harness) -> None:
    """A launch is forged for an instance that really launches, with a token of no wait. Its own event is lost."""
    event = harness.unqueued_launch(EAST)
    detail = dict(cast(Mapping[str, object], event["detail"]))
    forged = {**detail, "LifecycleActionToken": "00000000-0000-4000-8000-000000000000"}
    harness.invoke((EAST, {**event, "detail": forged}))


def _item(harness: Harness, asg: str) -> dict[str, Any]:
    """The peer's row in the first Region's table."""
    return to_item(harness.region(EAST).table.rosters[RosterKey(Region(WEST), asg)])


def _put(harness: Harness, item: Mapping[str, Any]) -> None:
    harness.region(EAST).table.put_item(item)


def _put_strange_roster(harness: Harness) -> None:
    _put(harness, _strange_roster(harness, WEST, (Cidr("192.0.2.8/32"),)))


def _strange_roster(harness: Harness, home: str, addresses: tuple[Cidr, ...]) -> dict[str, Any]:
    """The item of a roster that no engine wrote, with one member that has the addresses."""
    now = int(harness.cloud.clock.now())
    stranger = Member(addresses, MemberState.MEMBER, now)
    return to_item(Roster(RosterKey(Region(home), "evil"), now, {InstanceId("i-0bad"): stranger}, updated_at=now))
