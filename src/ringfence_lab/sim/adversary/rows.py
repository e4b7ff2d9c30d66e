"""Forged rows that must have no effect: rosters of groups that no Region announces, and rows that no engine can write.

Each is an item as DynamoDB stores it, written by someone with PutItem.
"""

from collections.abc import Callable
from typing import Any

from ringfence.aws.roster_item import GUARD, key, to_item
from ringfence.core.model.identifiers import ANNOUNCEMENT, InstanceId, Region, RosterKey
from ringfence.core.model.ports import Ports
from ringfence.core.model.rosters import VERSION_MARGIN, Member, MemberState, Roster
from ringfence_lab.sim.adversary.forgery import UNKNOWN_GROUP, AdversaryAction, Forger
from ringfence_lab.sim.aws.region import ACCOUNT, CloudRegion

Item = dict[str, Any]
DAY = 86_400
OUTSIDE = Region("ap-northeast-3")
"""A Region that is not in the cluster."""


def forge_strange_roster(forger: Forger, region: CloudRegion) -> str:
    """A roster of a group that no Region announces, with invented members or with a member's id.

    Without an announcement of the Region in the table, its readable rosters are believed, as those of version 0.1.
    """
    home, table = forger.region(), region.table
    announcement = RosterKey(home, ANNOUNCEMENT)
    if not table.exists or (announcement not in table.rosters and announcement not in table.bad):
        return ""
    members = forger.chance.choice((1, 1, 2, 70))
    item = roster_item(forger, RosterKey(home, UNKNOWN_GROUP), members)
    if forger.chance.random() < 0.2:
        _BREAKS[forger.chance.choice(list(_BREAKS))](forger, item)
    table.put_item(item)
    return f"writes a roster {home}/{UNKNOWN_GROUP} with {members} members"


def forge_bad_row(forger: Forger, region: CloudRegion) -> str:
    """A row of a group or the announcement of a Region with something that no engine can have written."""
    home = forger.region()
    group = forger.chance.choice((ANNOUNCEMENT, forger.group(home)))
    if not region.table.exists:
        return ""
    existing = region.table.rosters.get(RosterKey(home, group))
    item = to_item(existing) if existing is not None else roster_item(forger, RosterKey(home, group), 1)
    name = forger.chance.choice(list(_BREAKS))
    if group == ANNOUNCEMENT:
        name = forger.chance.choice((*_BREAKS, *_BREAKS_OF_ANNOUNCEMENT))
    (_BREAKS | _BREAKS_OF_ANNOUNCEMENT)[name](forger, item)
    region.table.put_item(item)
    return f"writes {home}/{group} with {name}"


def forge_ports(forger: Forger, region: CloudRegion) -> str:
    """A Region's row or announcement with other ports or with a security group that is not the Region's."""
    home = forger.region()
    keys = [found for found in region.table.rosters if found.region == home]
    if not region.table.exists or not keys:
        return ""
    found = forger.chance.choice(keys)
    item = to_item(region.table.rosters[found])
    if forger.chance.random() < 0.7:
        item["ports"] = {"S": forger.chance.choice(("tcp/0-65535", "udp/0-65535", "tcp/22", "tcp/22,tcp/9042"))}
        what = f"the ports {item['ports']['S']}"
    else:
        item["security_groups"] = {"L": [{"S": forger.chance.choice(("sg-0badc0de", "sg-00000000000000bad"))}]}
        what = "another security group"
    region.table.put_item(item)
    return f"writes {found} with {what}"


def forge_reserved_row(forger: Forger, region: CloudRegion) -> str:
    """A row that is no roster: of a kind that this version does not know, of the guard, or of a Region outside."""
    if not region.table.exists or not region.security_groups.groups:
        return ""
    group = next(iter(region.security_groups.groups))
    now = int(forger.cloud.clock.now())
    item: Item
    match forger.chance.randrange(4):
        case 0:
            item = {**key(forger.region(), "(later)"), "version": {"S": "x"}}
        case 1:
            item = {**key("(later)", "db"), "anything": {"NULL": True}}
        case 2:
            rules = {"L": [{"S": rule} for rule in sorted(region.security_group.rules)]}
            at = forger.chance.choice(({"N": str(now + DAY)}, {"S": "x"}, {"N": "1E+125"}))
            item = {**key(GUARD, group), "rules": rules, "digest": {"S": "0" * 12}, "at": at}
        case _:
            item = roster_item(forger, RosterKey(OUTSIDE, UNKNOWN_GROUP), 1)
            if forger.chance.random() < 0.5:
                _BREAKS[forger.chance.choice(list(_BREAKS))](forger, item)
    region.table.put_item(item)
    return f"writes a row {item['region']['S']}/{item['asg']['S']}"


def roster_item(forger: Forger, roster_key: RosterKey, members: int) -> Item:
    """A roster with so many members, each with an invented address, or with a real member's id."""
    now = int(forger.cloud.clock.now())
    ids = [InstanceId(f"i-{number:017x}") for number in range(0xBAD00, 0xBAD00 + members)]
    region = forger.cloud.regions.get(roster_key.region)
    if region is not None and forger.chance.random() < 0.3 and (member := forger.member(region)) is not None:
        ids[0] = member
    roster = Roster(
        roster_key,
        version=now + forger.chance.choice((0, 1, 100)),
        members={id: Member((forger.address(),), MemberState.MEMBER, now) for id in ids},
        ports=Ports(),
        account=ACCOUNT,
        updated_at=now,
        groups=frozenset({UNKNOWN_GROUP}) if roster_key.is_announcement else None,
    )
    return to_item(roster)


def _version(attribute: Item | None) -> Callable[[Forger, Item], None]:
    def write(_forger: Forger, item: Item) -> None:
        if attribute is None:
            item.pop("version", None)
        else:
            item["version"] = attribute

    return write


def _version_above_the_bound(forger: Forger, item: Item) -> None:
    item["version"] = {"N": str(int(forger.cloud.clock.now()) + VERSION_MARGIN + 10 * DAY)}


def _many_addresses(forger: Forger, item: Item) -> None:
    addresses = [{"S": f"192.0.2.{number}/32"} for number in range(1, 71)]
    item["members"] = {"M": {"i-0bad": _member({"L": addresses}, int(forger.cloud.clock.now()))}}


def _network(forger: Forger, item: Item) -> None:
    cidr = forger.chance.choice(("0.0.0.0/0", "10.0.0.0/8", "::/0", "169.254.169.254/32", "224.0.0.1/32", "x"))
    item["members"] = {"M": {"i-0bad": _member({"L": [{"S": cidr}]}, int(forger.cloud.clock.now()))}}


def _tombstones_in_the_future(forger: Forger, item: Item) -> None:
    at = {"N": str(int(forger.cloud.clock.now()) + forger.chance.choice((DAY, 100 * DAY)))}
    groups = [group for region in forger.cloud.regions.values() for group in region.groups.values()]
    item["departed"] = {"M": dict.fromkeys(["i-0bad", *(id for group in groups for id in group.instances)], at)}
    item["members"] = {"M": {}}


def _joined_in_the_future(forger: Forger, item: Item) -> None:
    addresses = {"L": [{"S": forger.address()}]}
    item["members"] = {"M": {"i-0bad": _member(addresses, int(forger.cloud.clock.now()) + DAY)}}


def _written_in_the_future(_forger: Forger, item: Item) -> None:
    item["updated_at"] = {"S": "9999-12-31T23:59:59+00:00"}


def _other_type(forger: Forger, item: Item) -> None:
    item[forger.chance.choice(("members", "departed", "owed", "security_groups", "ports", "account"))] = (
        forger.chance.choice(({"NULL": True}, {"N": "1"}, {"L": [{"NULL": True}]}, {"M": {"x": {"S": "y"}}}))
    )


def _attribute_missing(forger: Forger, item: Item) -> None:
    del item[forger.chance.choice(("members", "departed", "owed", "security_groups", "ports", "account", "updated_at"))]


def _bad_security_group(forger: Forger, item: Item) -> None:
    item["security_groups"] = {"L": [{"S": forger.chance.choice(("sg-1", "*", "sg-0000000g"))}]}


def _bad_instance_id(forger: Forger, item: Item) -> None:
    id = forger.chance.choice(("*", "i" * 65, "i-0bad\u202e", ""))
    item["members"] = {"M": {id: _member({"L": [{"S": forger.address()}]}, int(forger.cloud.clock.now()))}}


def _member(addresses: Item, since: int) -> Item:
    return {"M": {"addresses": addresses, "state": {"S": "member"}, "since": {"N": str(since)}}}


_BREAKS: dict[str, Callable[[Forger, Item], None]] = {
    "version 1E+125": _version({"N": "1E+125"}),
    "version of 38 digits": _version({"N": "9" * 38}),
    "version 0": _version({"N": "0"}),
    "version -1": _version({"N": "-1"}),
    "version 1.5": _version({"N": "1.5"}),
    "a string as version": _version({"S": "7"}),
    "a truth value as version": _version({"BOOL": True}),
    "a version above the bound": _version_above_the_bound,
    "too many addresses": _many_addresses,
    "a network": _network,
    "tombstones in the future": _tombstones_in_the_future,
    "a member from the future": _joined_in_the_future,
    "a time in the future": _written_in_the_future,
    "an attribute of another type": _other_type,
    "an attribute missing": _attribute_missing,
    "a bad security group": _bad_security_group,
    "a bad instance id": _bad_instance_id,
}
"""What no engine can have written, and how to write it into an item."""

_BREAKS_OF_ANNOUNCEMENT: dict[str, Callable[[Forger, Item], None]] = {
    "no version": _version(None),
    "no groups": lambda _forger, item: item.pop("groups", None),
}
"""The same for an announcement. Another row without a version is one of the original sample."""

ACTIONS: tuple[tuple[AdversaryAction, int], ...] = (
    (forge_strange_roster, 4),
    (forge_bad_row, 5),
    (forge_ports, 2),
    (forge_reserved_row, 1),
)
