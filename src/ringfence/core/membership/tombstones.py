"""Decides which departures a roster remembers, and which of them are fenced: a rule of theirs may still appear.

Pure.
"""

from collections.abc import Mapping, Set
from dataclasses import replace

from ringfence.core.freshness import FENCE_SECONDS, SETTLED_SECONDS, STALE_RULES_SECONDS, is_future
from ringfence.core.lifecycle import Phase
from ringfence.core.membership.evidence import Evidence, event_time
from ringfence.core.model.identifiers import InstanceId
from ringfence.core.model.rosters import Member, Roster

TOMBSTONE_SECONDS = 2 * 3600
"""How long the roster remembers a departed instance. It is at least the longest heartbeat of a hook (7200 s)."""


def tombstones(
    before: Roster, joined: Set[InstanceId], leaving: Mapping[InstanceId, int], now: int
) -> tuple[dict[InstanceId, int], dict[InstanceId, int]]:
    """The tombstones of the roster now, and which of its departed instances are fenced since when.

    `leaving` says when each instance departed, in epoch seconds. An earlier tombstone of it stays.
    """
    departed = {id: at for id, at in before.departed.items() if id not in joined and not is_future(at, now)}
    fenced = {id: at for id, at in before.fenced.items() if id in departed}
    for id, left_at in leaving.items():
        if id not in departed:
            departed[id] = left_at
            if not _has_settled(before.members.get(id), before, now):
                fenced[id] = now
    return departed, fenced


def departure(evidence: Evidence, phase: Phase, now: int) -> int | None:
    """When the instance departed, in epoch seconds. None if that is not certain, or if it was never a member."""
    match phase:
        case Phase.LEAVING:
            # Only for instances that are known: otherwise a stranger's events would fill the row.
            departed = evidence.is_known
        case Phase.WARM:
            # An instance that its event shows on its way from EC2 into the pool was never a member.
            departed = evidence.member is not None or (evidence.is_known and evidence.may_come_from_the_group)
        case _:
            # AWS has not shown it for a minute, and EC2 does not know it: it has forgotten an instance that ended.
            return evidence.member.since if evidence.member is not None and evidence.absent else None
    return event_time(evidence.event, now) if departed else None


def pruned(roster: Roster, now: int) -> Roster:
    """The roster without the tombstones that no describe can contradict any more. `now` is in epoch seconds.

    Pruning alone is no reason to write the row: it happens when the row is written for another reason.
    """
    pending = {id for ids in roster.pending_releases.values() for id in ids}
    kept = {id: at for id, at in roster.departed.items() if id in pending or now - at < TOMBSTONE_SECONDS}
    watched = {id: at for id, at in roster.fenced.items() if is_watched(at, now)}
    return replace(roster, departed=kept, fenced=watched)


def is_watched(fenced_at: int, now: float) -> bool:
    """Whether a reading may still hide a rule of an instance whose tombstone was written at that time."""
    return now - fenced_at < FENCE_SECONDS + STALE_RULES_SECONDS


def _has_settled(member: Member | None, roster: Roster, now: int) -> bool:
    """Whether a member has had its addresses for so long that every engine has seen its rules.

    An engine of version 0.1 does not say when addresses changed, but it wrote the row then.
    """
    if member is None:
        return False
    changed = max(member.since, member.moved, roster.updated_at if roster.of_0_1 else 0)
    return now - changed >= SETTLED_SECONDS
