"""Decides what becomes of the members of an Auto Scaling group that does not exist.

Pure. A group may be missing because it was deleted with its instances, or because its name is wrong in the
configuration. Only EC2 can tell: what it calls terminated has left, and so has what two of its answers do not know,
at least a minute apart, or what no longer has the tag of the group. An instance that runs with the tag, or that is not
described, stays.
"""

from dataclasses import replace

from ringfence.core.freshness import STALE_SECONDS
from ringfence.core.membership.decision import RosterDecision
from ringfence.core.membership.tombstones import tombstones
from ringfence.core.model.identifiers import InstanceId
from ringfence.core.model.rosters import Member, MemberState, Roster
from ringfence.core.observation import Instance, Observation, Power


def decide_without_group(before: Roster, observation: Observation, now: int) -> RosterDecision:
    """The members of a group that the observation does not have. `now` is in epoch seconds."""
    members: dict[InstanceId, Member] = {}
    leaving: dict[InstanceId, int] = {}
    for id, member in before.members.items():
        described = observation.instances.get(id)
        if described is not None and _has_left(described, before.key.asg, member, now):
            leaving[id] = now
        elif described is not None:
            members[id] = _shown_again(member, now)
        elif id not in observation.absent:
            members[id] = member
        elif member.state is not MemberState.MISSING:
            members[id] = replace(member, state=MemberState.MISSING, since=now)
        elif now - member.since < STALE_SECONDS:
            members[id] = member
        else:
            leaving[id] = member.since
    departed, fenced = tombstones(before, frozenset(), leaving, now)
    return RosterDecision(replace(before, members=members, departed=departed, fenced=fenced))


def _has_left(described: Instance, group: str, member: Member, now: int) -> bool:
    """Whether EC2 says that the instance ended or, for long enough, that it is none of the group's: it was detached."""
    is_detached = described.group != group and now - member.since >= STALE_SECONDS
    return described.power is Power.TERMINATED or is_detached


def _shown_again(member: Member, now: int) -> Member:
    """The member, now that EC2 shows it: an earlier answer that did not know it proves nothing any more."""
    if member.state is not MemberState.MISSING:
        return member
    return replace(member, state=MemberState.MEMBER if member.addresses else MemberState.BARE, since=now)
