"""Decides the phase of one instance from its evidence: the table of all cases, which ARCHITECTURE.md shows.

Pure. If an event and AWS disagree, the verdict asks for a second look.
"""

from dataclasses import dataclass
from typing import assert_never

from ringfence.core.events import Launching, LifecycleEvent, Place, Terminating
from ringfence.core.freshness import STALE_SECONDS
from ringfence.core.lifecycle import Phase
from ringfence.core.membership.evidence import Evidence, is_new
from ringfence.core.model.rosters import Member, MemberState
from ringfence.core.observation import Power


@dataclass(frozen=True, slots=True)
class Verdict:
    """The phase of an instance, and whether another look may change it."""

    phase: Phase
    look_again: bool = False


def verdict_on(evidence: Evidence, now: int) -> Verdict:
    """The table of all cases. The first one that matches decides. ARCHITECTURE.md has it as a table."""
    event, listed, described = evidence.event, evidence.listed, evidence.described
    if described is not None and described.power is Power.TERMINATED:
        return Verdict(Phase.WARM if listed is Phase.WARM else Phase.LEAVING)
    match listed:
        case Phase.LEAVING:
            return Verdict(Phase.LEAVING)
        case Phase.WARM:
            if _came_lately(evidence.member, now) and not _ends_membership(event):
                return Verdict(Phase.UNKNOWN, look_again=True)
            return Verdict(Phase.WARM, look_again=_enters_the_group(event))
        case Phase.JOINING | Phase.SERVING | Phase.REPLACING:
            if _departed_lately(evidence, now):
                return Verdict(Phase.LEAVING)
            # A listing without the replacement is older than its event, and its hook can be answered once it is listed.
            is_older = listed is Phase.SERVING and _begins_replacement(event)
            return Verdict(listed, look_again=_ends_membership(event) or is_older)
        case Phase.UNKNOWN:
            return Verdict(Phase.UNKNOWN, look_again=_ends_membership(event))
        case None:
            return _unlisted(evidence, now)
        case _:
            assert_never(listed)


def _unlisted(evidence: Evidence, now: int) -> Verdict:
    """The cases of an instance that its group does not list.

    A member enters the pool by a termination out of its group, and not by an event that passes through the pool. Such
    an event is forged, or the one before it was lost.
    """
    event = evidence.event
    passes_through_the_pool = _passes_through_the_pool(event)
    if passes_through_the_pool and evidence.member is None:
        return Verdict(Phase.WARM)
    if _ends_in_ec2(event) and evidence.described is not None:
        return Verdict(Phase.LEAVING) if evidence.has_other_tag else Verdict(Phase.UNKNOWN, look_again=True)
    if _has_departed(evidence):
        return Verdict(Phase.LEAVING)
    launches = _enters_the_group(event)
    if launches and isinstance(event, Launching) and event.origin is Place.EC2 and evidence.has_tag:
        return Verdict(Phase.JOINING)
    if evidence.has_other_tag:  # detached: neither the group nor the instance's own tag says that it belongs there
        return Verdict(Phase.LEAVING, look_again=launches or is_new(evidence.member, now))
    return Verdict(Phase.UNKNOWN, look_again=launches or passes_through_the_pool)


def _has_departed(evidence: Evidence) -> bool:
    """Whether a tombstone says so, and no launch out of a warm pool is newer than it."""
    departed_at, event = evidence.departed_at, evidence.event
    if departed_at is None:
        return False
    comes_out = isinstance(event, Launching) and event.origin is Place.WARM_POOL and _enters_the_group(event)
    return not (comes_out and event is not None and event.time is not None and event.time >= departed_at)


def _departed_lately(evidence: Evidence, now: int) -> bool:
    """Whether a tombstone outranks a listing that says otherwise: the listing may be older, or the instance is down."""
    if evidence.departed_at is None or not _has_departed(evidence):
        return False
    return now - evidence.departed_at <= STALE_SECONDS or not evidence.runs


def _came_lately(member: Member | None, now: int) -> bool:
    """Whether the instance became a member so lately that a listing that shows it in the pool may be older."""
    return member is not None and member.state is not MemberState.MISSING and is_new(member, now)


def _ends_membership(event: LifecycleEvent | None) -> bool:
    """Whether the event is a termination that leads out of the group."""
    return isinstance(event, Terminating) and event.leads_out


def _ends_in_ec2(event: LifecycleEvent | None) -> bool:
    """Whether the event is a termination of the instance itself."""
    return isinstance(event, Terminating) and event.leads_out and event.destination is Place.EC2


def _begins_replacement(event: LifecycleEvent | None) -> bool:
    """Whether the event is about the replacement of a root volume, before which the instance waits."""
    return isinstance(event, Terminating) and event.replaces_root_volume


def _enters_the_group(event: LifecycleEvent | None) -> bool:
    """Whether the event is a launch into the group."""
    return isinstance(event, Launching) and event.destination is Place.GROUP


def _passes_through_the_pool(event: LifecycleEvent | None) -> bool:
    """Whether the event is a launch into the warm pool or a termination out of it."""
    match event:
        case Launching():
            return event.destination is Place.WARM_POOL
        case Terminating():
            return event.origin is Place.WARM_POOL
        case None:
            return False
