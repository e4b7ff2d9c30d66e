"""Forged rows that no engine can tell from a Region's own: they are about its groups, in its own key range.

They are believed, and IAM bounds who can write them. But they must heal.
"""

from ringfence.aws.roster_item import GUARD, key, to_item
from ringfence.core.model.identifiers import ANNOUNCEMENT, RosterKey
from ringfence.core.model.rosters import VERSION_MARGIN
from ringfence_lab.sim.adversary.forgery import UNKNOWN_GROUP, AdversaryAction, Forger
from ringfence_lab.sim.adversary.rows import roster_item
from ringfence_lab.sim.aws.region import CloudRegion


def invent_members(forger: Forger, region: CloudRegion) -> str:
    """Members of a real group that do not exist; the real ones are gone."""
    home = forger.region()
    roster_key = RosterKey(home, forger.group(home))
    if not region.table.exists:
        return ""
    members = forger.chance.choice((1, 2, 70))
    region.table.put_item(roster_item(forger, roster_key, members))
    return f"writes {roster_key} with {members} invented members"


def forge_tombstones(forger: Forger, region: CloudRegion) -> str:
    """Present tombstones for live members."""
    keys = [found for found in region.table.rosters if not found.is_announcement]
    if not region.table.exists or not keys:
        return ""
    found = forger.chance.choice(keys)
    item = to_item(region.table.rosters[found])
    at = int(forger.cloud.clock.now()) + forger.chance.choice((-30, 0, 4, 30))
    item["departed"] = {"M": {id: {"N": str(at)} for id in item["members"]["M"]}}
    if forger.chance.random() < 0.5:
        item["members"] = {"M": {}}
    region.table.put_item(item)
    return f"writes {found} with tombstones of all members"


def jump_version(forger: Forger, region: CloudRegion) -> str:
    """A version within bounds that no engine has reached, or an old one."""
    if not region.table.exists or not region.table.rosters:
        return ""
    found = forger.chance.choice(list(region.table.rosters))
    item, now = to_item(region.table.rosters[found]), int(forger.cloud.clock.now())
    version = forger.chance.choice((now + VERSION_MARGIN, now + VERSION_MARGIN - 1, now + 1000, 1, now))
    item["version"] = {"N": str(version)}
    region.table.put_item(item)
    return f"writes {found} at version {version}"


def forge_announcement(forger: Forger, region: CloudRegion) -> str:
    """An announcement with other groups, of observe mode, or without security groups; with a strange roster."""
    home = forger.region()
    existing = region.table.rosters.get(RosterKey(home, ANNOUNCEMENT))
    if not region.table.exists or existing is None:
        return ""
    item = to_item(existing)
    match forger.chance.randrange(3):
        case 0:
            item["groups"] = {"L": [{"S": UNKNOWN_GROUP}]}
            region.table.put_item(roster_item(forger, RosterKey(home, UNKNOWN_GROUP), 3))
        case 1:
            item["observed"] = {"BOOL": True}
        case _:
            item["security_groups"] = {"L": []}
    region.table.put_item(item)
    return f"writes a forged announcement of {home}"


def write_original_row(forger: Forger, region: CloudRegion) -> str:
    """A row of the original sample in the place of a roster."""
    home = forger.region()
    group = forger.group(home)
    if not region.table.exists:
        return ""
    region.table.put_item({**key(home, group), "ips": {"SS": [forger.address()]}})
    return f"writes {home}/{group} as the original sample did"


def delete_row(forger: Forger, region: CloudRegion) -> str:
    """Any row is deleted."""
    if not region.table.exists or not region.table.rosters:
        return ""
    found = forger.chance.choice(list(region.table.rosters))
    region.table.delete_item(found)
    return f"deletes {found}"


def forge_guard(forger: Forger, region: CloudRegion) -> str:
    """The guard's row says that it has held all rules for two minutes."""
    if not region.table.exists:
        return ""
    at = int(forger.cloud.clock.now()) - 120
    for group in region.security_groups.groups.values():
        rules = {"L": [{"S": rule} for rule in sorted(group.rules)]}
        region.table.put_item({**key(GUARD, group.id), "rules": rules, "digest": {"S": "0" * 12}, "at": {"N": str(at)}})
    return "writes that the guard holds every rule"


ACTIONS: tuple[tuple[AdversaryAction, int], ...] = (
    (invent_members, 4),
    (forge_tombstones, 4),
    (jump_version, 3),
    (forge_announcement, 2),
    (write_original_row, 1),
    (delete_row, 2),
    (forge_guard, 3),
)
