"""Converts a roster to an item of the table, and back. An item is checked before it is trusted.

The key (`region`, `asg`) and `ips` are those of the original sample, so that its stack and ours can share a table
during a migration. DynamoDB has no empty sets: an attribute that would be one is left out.

Knows no client: takes and returns DynamoDB's attribute values.
"""

import re
from collections.abc import Mapping, Sized
from datetime import UTC, datetime
from typing import Any, TypeVar

from ringfence import __version__
from ringfence.core.errors import Permanent, Unsafe
from ringfence.core.freshness import is_future
from ringfence.core.membership.addresses import ADDRESSES_LIMIT
from ringfence.core.model.addresses import Cidr, host
from ringfence.core.model.identifiers import InstanceId, Region, RosterKey, RuleId, SecurityGroupId
from ringfence.core.model.ports import Ports
from ringfence.core.model.rosters import VERSION_MARGIN, BadRow, HeldRemovals, Member, MemberState, RawVersion, Roster

Item = Mapping[str, Any]
"""Attribute names to DynamoDB attribute values: `{"version": {"N": "7"}}`."""

ITEM_LIMIT = 400 * 1024
"""Maximum bytes of an item. Source: DynamoDB Developer Guide, "Service, account, and table quotas"."""

GUARD = "(guard)"
"""In the key of what the guard holds, this is in the place of the Region. No Region has such a name."""

MEMBERS_LIMIT, DEPARTED_LIMIT, REGIONS_LIMIT, GROUPS_LIMIT = 5_000, 20_000, 64, 256
"""Maximum entries of a row: more than fit into an item, or than AWS allows."""
TEXT_LIMIT = 2_048
"""Maximum characters of a text in a row."""

_INSTANCE_ID = re.compile(r"[a-z0-9-]{1,64}")
_SECURITY_GROUP_ID = re.compile(r"sg-[0-9a-f]{8,17}")
_WHOLE_NUMBER = re.compile(r"[0-9]{1,15}")

C = TypeVar("C", bound=Sized)

NOTHING: Item = {"M": {}}
"""A map that older rows do not have."""

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
        "engine": {"S": roster.engine or __version__},
    }
    if roster.fenced:
        item["fenced"] = {"M": {id: {"N": str(at)} for id, at in sorted(roster.fenced.items())}}
    if addresses:
        item["ips"] = {"SS": addresses}
    if roster.groups is not None:
        item["groups"] = {"L": [{"S": group} for group in sorted(roster.groups)]}
    if (size := item_size(item)) > ITEM_LIMIT:
        raise Permanent(
            f"the roster of {roster.key} with {len(roster.members)} members takes {size} bytes, and a DynamoDB item"
            f" holds {ITEM_LIMIT}: split the Auto Scaling group",
            frozenset({roster.key.asg}),
        )
    return item


def from_item(item: Item, now: float) -> Roster:
    """The roster in an item. Raises Unsafe, which says what is wrong, for an item that cannot be trusted.

    Anyone with PutItem can write an item, so its numbers are bounded. What an engine of version 0.1 can write is read:
    it does not check the ids in events, nor count addresses. `now` is in epoch seconds.
    """
    try:
        roster_key = key_of(item)
        if "version" not in item and not roster_key.is_announcement:
            return _original(item)
        # An engine of version 0.1 counts no addresses, and passes our announcement on without its groups.
        engine = item.get("engine", {"S": ""})["S"]
        of_0_1 = engine.startswith("0.1.")
        return Roster(
            key=roster_key,
            version=_version(item["version"], now),
            members={
                _instance_id(id): _member(value["M"], now, ADDRESSES_LIMIT if of_0_1 else None)
                for id, value in _bounded(item["members"]["M"], MEMBERS_LIMIT, "members").items()
            },
            departed={
                InstanceId(id): _time(value, now)
                for id, value in _bounded(item["departed"]["M"], DEPARTED_LIMIT, "departed instances").items()
                if _is_instance_id(id)
            },
            fenced={
                _instance_id(id): _time(value, now)
                for id, value in _bounded(item.get("fenced", NOTHING)["M"], DEPARTED_LIMIT, "fenced instances").items()
            },
            pending_releases={
                Region(region): frozenset(InstanceId(id) for id in value["SS"] if _is_instance_id(id))
                for region, value in _bounded(item["owed"]["M"], REGIONS_LIMIT, "Regions").items()
                if any(map(_is_instance_id, value["SS"]))
            },
            security_groups=tuple(
                _security_group(value["S"])
                for value in _bounded(item["security_groups"]["L"], GROUPS_LIMIT, "security groups")
            ),
            ports=Ports.parse(_short(item["ports"]["S"])),
            account=_short(item["account"]["S"]),
            observed=item.get("observed", {"BOOL": False})["BOOL"],  # older rows do not have it
            groups=_announced(item["groups"]) if roster_key.is_announcement and not of_0_1 else None,
            engine=_short(engine) if roster_key.is_announcement else "",
            of_0_1=of_0_1,
            updated_at=_not_future(int(datetime.fromisoformat(item["updated_at"]["S"]).timestamp()), now),
        )
    except (KeyError, TypeError, AttributeError) as error:
        raise Unsafe(f"an attribute is missing or of another type: {error}") from error
    except (ValueError, OverflowError) as error:
        raise Unsafe(str(error)) from error


def is_readable(item: Item, now: float) -> bool:
    """Whether the item can be trusted."""
    try:
        from_item(item, now)
    except Unsafe:
        return False
    return True


def bad_row(item: Item, reason: str, now: float) -> BadRow:
    """The row of an item that cannot be trusted."""
    try:
        return BadRow(reason, _version(item["version"], now))
    except (KeyError, TypeError, ValueError, OverflowError):
        return BadRow(reason, 0, RawVersion(item.get("version")))


def is_roster(item: Item) -> bool:
    """Whether the item is a roster or an announcement. Engines of later versions may write rows of other kinds."""
    key = key_of(item)
    return not (_is_reserved(key.region) or (_is_reserved(key.asg) and not key.is_announcement))


def _is_reserved(name: str) -> bool:
    return name.startswith("(") and name.endswith(")")


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


def held_from_item(item: Item, now: float) -> HeldRemovals:
    """What the guard holds, from its item. Raises Unsafe for an item that is not one of ours."""
    try:
        rules = frozenset(RuleId(value["S"]) for value in item["rules"]["L"])
        return HeldRemovals(SecurityGroupId(item["asg"]["S"]), rules, item["digest"]["S"], _time(item["at"], now))
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
    times = {"since": {"N": str(member.since)}} | ({"moved": {"N": str(member.moved)}} if member.moved else {})
    return {"M": {"addresses": addresses, "state": {"S": member.state.value}, **times}}


def _member(value: Item, now: float, first: int | None) -> Member:
    """The member, with its first addresses if only so many count, or with all of them."""
    written = _bounded(value["addresses"]["L"][:first], ADDRESSES_LIMIT, "addresses of an instance")
    addresses = tuple(_checked(address["S"]) for address in written)
    moved = _time(value["moved"], now) if "moved" in value else 0
    return Member(addresses, MemberState(value["state"]["S"]), _time(value["since"], now), moved)


def _version(attribute: Item, now: float) -> int:
    """A version that an engine can have written: a first one is the time, and each write adds one."""
    version = _whole(attribute)
    if not 1 <= version <= now + VERSION_MARGIN:
        raise ValueError("the version is out of bounds")
    return version


def _time(attribute: Item, now: float) -> int:
    return _not_future(_whole(attribute), now)


def _not_future(time: int, now: float) -> int:
    if time < 0 or is_future(time, now):
        raise ValueError("a time is in the future, or before 1970")
    return time


def _whole(attribute: Item) -> int:
    """A whole number of at most 15 digits. DynamoDB's numbers can have 38 digits and an exponent of 125."""
    text = attribute["N"]
    if _WHOLE_NUMBER.fullmatch(text) is None:
        raise ValueError("a number is not a whole number, or too large")
    return int(text)


def _bounded(values: C, limit: int, what: str) -> C:
    if len(values) > limit:
        raise ValueError(f"{len(values)} {what} are more than {limit}")
    return values


def _announced(attribute: Item) -> frozenset[str]:
    """The groups that an announcement lists. Without them it would say that every roster is one of its Region's."""
    return frozenset(_short(value["S"]) for value in attribute["L"])


def _short(text: str) -> str:
    if len(text) > TEXT_LIMIT:
        raise ValueError(f"a text is longer than {TEXT_LIMIT} characters")
    return text


def _security_group(text: str) -> SecurityGroupId:
    if _SECURITY_GROUP_ID.fullmatch(text) is None:
        raise ValueError(f"{text[:64]!r} is not a security group id")
    return SecurityGroupId(text)


def _is_instance_id(text: str) -> bool:
    return _INSTANCE_ID.fullmatch(text) is not None


def _instance_id(text: str) -> InstanceId:
    """The id, if a rule's label can name it. A rule whose label cannot be read would stay for ever."""
    if not _is_instance_id(text):
        raise ValueError(f"{text[:64]!r} is not an instance id")
    return InstanceId(text)


def _checked(address: str) -> Cidr:
    """The address, if it is the canonical CIDR of a single unicast host."""
    canonical = host(address)
    if canonical != address:
        raise ValueError(f"{address} is not written as a single host's CIDR: {canonical}")
    return canonical


def _original(item: Item) -> Roster:
    """The roster in a row of the original sample: addresses only, at no version."""
    written = _bounded(item.get("ips", {}).get("SS", ()), MEMBERS_LIMIT, "addresses")
    addresses = tuple(sorted(host(address) for address in written))
    members = {ORIGINAL: Member(addresses, MemberState.MEMBER, 0)} if addresses else {}
    return Roster(key_of(item), members=members)
