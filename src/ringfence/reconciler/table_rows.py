"""What the rows of a table say: which groups a Region announces, which rows are strange, which of ours were replaced.

Calls nothing: it compares rows that were read.
"""

from collections.abc import Mapping

from ringfence.core.errors import Conflict
from ringfence.core.model.identifiers import ANNOUNCEMENT, Region, RosterKey, SecurityGroupId
from ringfence.core.model.ports import Ports
from ringfence.core.model.rosters import Roster, Rows
from ringfence.reconciler.request import Request


def announced_groups(region: Region, rows: Rows) -> dict[SecurityGroupId, Ports]:
    """A Region's security groups with the ports that each is managed on, as the Region announces them.

    A Region without an announcement, of version 0.1, announces them with each roster. Empty if the Region is in observe
    mode, or paused.
    """
    if rows.pause_of(region) is not None:
        return {}
    announcement, rosters = rows.announcement(region), list(rows.of(region).values())
    if announcement is not None:
        # A Region that went back to version 0.1 left its announcement behind: its newer rosters say what it has.
        newer = [roster for roster in rosters if roster.of_0_1 and roster.updated_at > announcement.updated_at]
        rosters = [announcement, *newer]
    return {group: roster.ports for roster in rosters if not roster.observed for group in roster.security_groups}


def strange_rows(request: Request, rows: Rows, own: Mapping[RosterKey, Roster] | None = None) -> list[RosterKey]:
    """The rows in our Region's key range that are of none of its groups: retired ones, and rows that we never wrote.

    A row of the original sample, which has no version, stays until a group of its name is configured. `own` are our
    rosters as published, if the rows are a peer's. A row of a group without a roster is strange if it cannot be read:
    the group does not exist, so no roster replaces the row.
    """
    names = {*request.settings.auto_scaling_groups, ANNOUNCEMENT}
    of_ours = [key for key in sorted(rows.versions()) if key.region == request.home]
    unreadable = {key for key in rows.bad if key not in (own or {})}
    return [key for key in of_ours if (key in unreadable if key.asg in names else rows.version_read(key) != 0)]


def refuse_if_lost(region: Region, request: Request, own: Mapping[RosterKey, Roster], held: Rows) -> None:
    """Raises Conflict if a peer has the roster of a group of ours that does not exist, and the home table lost it.

    Only that copy tells which members the group had, so that they can depart.
    """
    ours = set(request.settings.auto_scaling_groups)
    lost = {key: copy for key, copy in held.rosters.items() if key.asg in ours and key not in own}
    if lost:
        versions = {key: copy.version for key, copy in lost.items()}
        raise Conflict(f"{region} has rosters that our own table lost: {', '.join(map(str, lost))}", versions, lost)


def refuse_if_overtaken(region: Region, own: Mapping[RosterKey, Roster], held: Rows) -> None:
    """Raises Conflict if a peer has a newer row of ours than we do, or a different one at the same version.

    Then another invocation wrote it, or the home table was made again and counts from the start. A row that cannot be
    trusted must be replaced by a newer one, too.
    """
    versions = {}
    for key, version in held.versions().items():
        if key not in own or version < own[key].version:
            continue
        if version > own[key].version:
            versions[key] = version
        elif key in held.bad or not held.rosters[key].says_the_same_as(own[key]):
            versions[key] = version + 1
    if versions:
        raise overtaken(region, versions)


def replaced_rows(own: Mapping[RosterKey, Roster], rows: Rows) -> dict[RosterKey, int]:
    """Our rows that another caller replaced at the same version, each with the version that the next one must have.

    A newer roster may be another invocation's, and the validation deals with it. An announcement changes only with the
    deployment: a newer one that differs is not what we announce.
    """
    replaced = {}
    for key, roster in own.items():
        found = rows.rosters.get(key)
        if found is None or found.says_the_same_as(roster):
            continue
        if found.version == roster.version or (key.is_announcement and found.version > roster.version):
            replaced[key] = found.version + 1
    return replaced


def overtaken(region: Region, versions: Mapping[RosterKey, int]) -> Conflict:
    return Conflict(f"{region} has a newer roster: {', '.join(map(str, versions))}", versions)
