"""Converts a roster to an item of the table, and back. An item is checked before it is trusted.

The key (`region`, `asg`) and `ips` are those of the original sample, so that its stack and ours can share a table
during a migration. DynamoDB has no empty sets: an attribute that would be one is left out.

Knows no client: takes and returns DynamoDB's attribute values.
"""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from ringfence import __version__
from ringfence.core.errors import Permanent, Unsafe
from ringfence.core.model.addresses import Cidr, host
from ringfence.core.model.identifiers import InstanceId, Region, RosterKey, RuleId, SecurityGroupId
from ringfence.core.model.ports import Ports
from ringfence.core.model.rosters import HeldRemovals, Member, MemberState, Roster

Item = Mapping[str, Any]
"""Attribute names to DynamoDB attribute values: `{"version": {"N": "7"}}`."""

ITEM_LIMIT = 400 * 1024
"""Maximum bytes of an item. Source: DynamoDB Developer Guide, "Service, account, and table quotas"."""

GUARD = "(guard)"
"""In the key of what the guard holds, this is in the place of the Region. No Region has such a name."""

_INSTANCE_ID = re.compile(r"[a-z0-9-]{1,64}")

ORIGINAL = InstanceId("original")
"""The instance of all addresses in a row of the original sample, which names addresses only."""


def to_item(roster: Roster) -> dict[str, Any]:
    """The item of a roster. Raises Permanent if it is larger than an item can be."""
    addresses = sorted({address for address, _ in roster.addresses()})
    item: dict[str, Any] = {
        **key(roster.key.region, roster.key.asg),
        "version": {"N": str(roster.version)},
        "updated_at": {"S": datetime.fromtimestamp(roster.updated_at, UTC).isoformat()},
        "members": {"M": {id: _member_value(member) for id, member in sorted(roster.members.items())}},
        "departed": {"M": {id: {"N": str(at)} for id, at in sorted(roster.departed.items())}},
        "owed": {"M": {region: {"SS": sorted(ids)} for region, ids in sorted(roster.pending_releases.items())}},
        "security_groups": {"L": [{"S": group} for group in roster.security_groups]},
        "ports": {"S": str(roster.ports)},
        "account": {"S": roster.account},
        "observed": {"BOOL": roster.observed},
        "engine": {"S": __version__},
    }
    if addresses:
        item["ips"] = {"SS": addresses}
    if (size := item_size(item)) > ITEM_LIMIT:
        raise Permanent(
            f"the roster of {roster.key} with {len(roster.members)} members takes {size} bytes, and a DynamoDB item"
            f" holds {ITEM_LIMIT}: split the Auto Scaling group",
            frozenset({roster.key.asg}),
        )
    return item


def from_item(item: Item) -> Roster:
    """The roster in an item. Raises Unsafe, which says what is wrong, for an item that cannot be trusted."""
    try:
        if "version" not in item:
            return _original(item)
        return Roster(
            key=key_of(item),
            version=int(item["version"]["N"]),
            members={_instance_id(id): _member(value["M"]) for id, value in item["members"]["M"].items()},
            departed={InstanceId(id): int(value["N"]) for id, value in item["departed"]["M"].items()},
            pending_releases={
                Region(region): frozenset(map(InstanceId, value["SS"])) for region, value in item["owed"]["M"].items()
            },
            security_groups=tuple(SecurityGroupId(value["S"]) for value in item["security_groups"]["L"]),
            ports=Ports.parse(item["ports"]["S"]),
            account=item["account"]["S"],
            observed=item.get("observed", {"BOOL": False})["BOOL"],  # older rows do not have it
            updated_at=int(datetime.fromisoformat(item["updated_at"]["S"]).timestamp()),
        )
    except (KeyError, TypeError, AttributeError) as error:
        raise Unsafe(f"an attribute is missing or of another type: {error}") from error
    except ValueError as error:
        raise Unsafe(str(error)) from error


def version_of(item: Item) -> int:
    """The version of a row, even if something else is wrong with it. 0 if it has none."""
    try:
        return int(item["version"]["N"])
    except (KeyError, TypeError, ValueError):
        return 0


def key(region: str, asg: str) -> dict[str, Any]:
    """The key of a row."""
    return {"region": {"S": region}, "asg": {"S": asg}}


def key_of(item: Item) -> RosterKey:
    """The key of a row. Every row has one: they are the table's own keys."""
    return RosterKey(Region(item["region"]["S"]), item["asg"]["S"])


def held_to_item(held: HeldRemovals) -> dict[str, Any]:
    """The item of what the guard holds in a security group, which may be nothing."""
    return {
        **key(GUARD, held.group),
        "rules": {"L": [{"S": rule} for rule in sorted(held.rules)]},
        "digest": {"S": held.digest},
        "at": {"N": str(held.at)},
    }


def held_from_item(item: Item) -> HeldRemovals:
    """What the guard holds, from its item. Raises Unsafe for an item that is not one of ours."""
    try:
        rules = frozenset(RuleId(value["S"]) for value in item["rules"]["L"])
        return HeldRemovals(SecurityGroupId(item["asg"]["S"]), rules, item["digest"]["S"], int(item["at"]["N"]))
    except (KeyError, TypeError, ValueError) as error:
        raise Unsafe(f"an attribute is missing or of another type: {error}") from error


def item_size(value: object) -> int:
    """The size of an item in bytes as DynamoDB counts it, rounded up a little.

    Source: DynamoDB Developer Guide, "DynamoDB item sizes and formats".
    """
    match value:
        case str():
            return len(value.encode())
        case Mapping():
            return 3 + sum(1 + item_size(name) + item_size(each) for name, each in value.items())
        case list():
            return 3 + sum(1 + item_size(element) for element in value)
        case bool():
            return 1
        case _:
            raise TypeError(type(value))


def _member_value(member: Member) -> dict[str, Any]:
    addresses = {"L": [{"S": address} for address in member.addresses]}
    return {"M": {"addresses": addresses, "state": {"S": member.state.value}, "since": {"N": str(member.since)}}}


def _member(value: Item) -> Member:
    addresses = tuple(_checked(address["S"]) for address in value["addresses"]["L"])
    return Member(addresses, MemberState(value["state"]["S"]), int(value["since"]["N"]))


def _instance_id(text: str) -> InstanceId:
    """The id, if a rule's label can name it. A rule whose label cannot be read would stay for ever."""
    if _INSTANCE_ID.fullmatch(text) is None:
        raise ValueError(f"{text!r} is not an instance id")
    return InstanceId(text)


def _checked(address: str) -> Cidr:
    """The address, if it is the canonical CIDR of a single unicast host."""
    canonical = host(address)
    if canonical != address:
        raise ValueError(f"{address} is not written as a single host's CIDR: {canonical}")
    return canonical


def _original(item: Item) -> Roster:
    """The roster in a row of the original sample: addresses only, at no version."""
    addresses = tuple(sorted(host(address) for address in item.get("ips", {}).get("SS", ())))
    members = {ORIGINAL: Member(addresses, MemberState.MEMBER, 0)} if addresses else {}
    return Roster(key_of(item), members=members)
