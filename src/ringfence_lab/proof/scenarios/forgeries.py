"""Scenarios of rows that someone from outside writes into a table."""

from collections.abc import Mapping
from typing import Any

from ringfence.aws.roster_item import to_item
from ringfence.core.model.addresses import Cidr
from ringfence.core.model.identifiers import ANNOUNCEMENT, InstanceId, Region, RosterKey
from ringfence.core.model.rosters import Member, MemberState, Roster
from ringfence_lab.proof.harness import ASG, EAST, TRUE_UP, WEST, Harness

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


def _item(harness: Harness, asg: str) -> dict[str, Any]:
    """The peer's row in the first Region's table."""
    return to_item(harness.region(EAST).table.rosters[RosterKey(Region(WEST), asg)])


def _put(harness: Harness, item: Mapping[str, Any]) -> None:
    harness.region(EAST).table.put_item(item)


def _put_strange_roster(harness: Harness) -> None:
    now = int(harness.cloud.clock.now())
    stranger = Member((Cidr("192.0.2.8/32"),), MemberState.MEMBER, now)
    roster = Roster(RosterKey(Region(WEST), "evil"), now, {InstanceId("i-0bad"): stranger}, updated_at=now)
    _put(harness, to_item(roster))
