"""Decides who the members of an Auto Scaling group are: `(roster before, observation, events, now) -> next roster`.

Pure. Knows nothing of rules, of peers' rosters or of hooks.

AWS's describe calls are eventually consistent, so no single answer is final: a fresh event outranks a describe, a
tombstone outranks a listing that may be older, and a member that its group no longer lists stays until a later look
agrees. An instance that could not be described keeps what was known of it.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import assert_never

from ringfence.core.configuration.settings import Mode, Settings
from ringfence.core.events import Launching, LifecycleEvent, Place, Terminating
from ringfence.core.lifecycle import Phase
from ringfence.core.model.addresses import Cidr
from ringfence.core.model.identifiers import InstanceId
from ringfence.core.model.rosters import Member, MemberState, Roster
from ringfence.core.observation import Instance, Observation, Power

STALE_SECONDS = 60
"""How long a describe may lag behind an event. AWS gives no bound ("Eventual consistency in the Amazon EC2 API"
advises a back-off of up to some minutes for new resources). Ours is an assumption, on the side of holding."""

TOMBSTONE_SECONDS = 2 * 3600
"""How long the roster remembers a departed instance. It is at least the longest heartbeat of a hook (7200 s)."""


@dataclass(frozen=True, slots=True)
class _Evidence:
    """All that is known of one instance of a group. `departed_at` is its tombstone, in epoch seconds."""

    group: str
    member: Member | None
    departed_at: int | None
    event: LifecycleEvent | None
    listed: Phase | None
    described: Instance | None


def next_roster(
    before: Roster, observation: Observation, events: Iterable[LifecycleEvent], now: int, settings: Settings
) -> Roster:
    """The roster that should be stored now, with the version and time of the one before: publishing sets those.

    The observation must include the group. Events of other groups are ignored. `now` is in epoch seconds.
    """
    members: dict[InstanceId, Member] = {}
    departed = dict(before.departed)
    for id, evidence in _evidence(before, observation, events, now).items():
        phase = _judge(evidence, now)
        match phase:
            case Phase.JOINING | Phase.SERVING:
                departed.pop(id, None)
                members[id] = _member(evidence, now, settings)
            case Phase.LEAVING:
                departed.setdefault(id, _event_time(evidence.event, now))
            case Phase.WARM:
                # An instance on its way from EC2 into the pool, or from the pool to EC2, was never a member.
                if evidence.member is not None or _leaves_the_group(evidence.event):
                    departed.setdefault(id, _event_time(evidence.event, now))
            case Phase.UNKNOWN:
                kept = _kept(evidence, now)
                if kept is not None:
                    members[id] = replace(kept, addresses=_addresses(kept, evidence.described, settings))
            case _:
                assert_never(phase)
    return Roster(
        key=before.key,
        version=before.version,
        members=members,
        departed=departed,
        pending_releases={region: ids for region, ids in before.pending_releases.items() if region in settings.peers},
        security_groups=tuple(sorted(settings.security_groups)),
        ports=settings.ports,
        account=settings.account,
        observed=settings.mode is Mode.OBSERVE,
        updated_at=before.updated_at,
    )


def retired(before: Roster) -> Roster:
    """The roster of a group that the configuration no longer names: no members, and no tombstones that explain it."""
    return replace(before, members={}, pending_releases={})


def pruned(roster: Roster, now: int) -> Roster:
    """The roster without the tombstones that no describe can contradict any more. `now` is in epoch seconds.

    Pruning alone is no reason to write the row: it happens when the row is written for another reason.
    """
    pending = {id for ids in roster.pending_releases.values() for id in ids}
    kept = {id: at for id, at in roster.departed.items() if id in pending or now - at < TOMBSTONE_SECONDS}
    return roster if len(kept) == len(roster.departed) else replace(roster, departed=kept)


def latest_of_each(events: Iterable[LifecycleEvent]) -> list[LifecycleEvent]:
    """The latest event of each instance, in any order of arrival."""
    latest: dict[tuple[str, InstanceId], LifecycleEvent] = {}
    for event in events:
        key = (event.group, event.instance)
        if key not in latest or _supersedes(event, latest[key]):
            latest[key] = event
    return list(latest.values())


def _supersedes(event: LifecycleEvent, other: LifecycleEvent) -> bool:
    """Whether `event` is later than `other`, in any order of arrival.

    Without times, a termination is later than a launch: an instance launches only once, except out of a warm pool.
    """
    if event.time is not None and other.time is not None and event.time != other.time:
        return event.time > other.time
    return isinstance(event, Terminating)


def is_fresh(event: LifecycleEvent, now: float) -> bool:
    """Whether a describe may still lag behind the event. An older event is only a reason to look."""
    return event.time is None or now - event.time <= STALE_SECONDS


def _event_time(event: LifecycleEvent | None, now: int) -> int:
    return min(now, event.time) if event is not None and event.time is not None else now


def _evidence(
    before: Roster, observation: Observation, events: Iterable[LifecycleEvent], now: int
) -> Mapping[InstanceId, _Evidence]:
    """What is known of every instance that the roster, the group's listing or an event names, sorted by id."""
    group = before.key.asg
    latest = {event.instance: event for event in latest_of_each(events) if event.group == group}
    fresh = {id: event for id, event in latest.items() if is_fresh(event, now)}
    return {
        id: _Evidence(
            group=group,
            member=before.members.get(id),
            departed_at=before.departed.get(id),
            event=fresh.get(id),
            listed=observation.phase(group, id),
            described=observation.instances.get(id),
        )
        for id in sorted({*before.members, *observation.groups[group], *latest})
    }


def _judge(evidence: _Evidence, now: int) -> Phase:
    """The instance's phase, from the event, the tombstone, EC2's description and the group's listing."""
    event, listed, described = evidence.event, evidence.listed, evidence.described
    if described is not None and described.power is Power.TERMINATED:
        return Phase.LEAVING if listed is not Phase.WARM else Phase.WARM
    if isinstance(event, Terminating):
        return Phase.WARM if Place.WARM_POOL in (event.origin, event.destination) else Phase.LEAVING
    into_pool = isinstance(event, Launching) and event.destination is Place.WARM_POOL
    if into_pool and listed not in (Phase.JOINING, Phase.SERVING):  # those come later: it left the pool already
        return Phase.WARM
    if evidence.departed_at is not None and not _has_returned(evidence, evidence.departed_at, now):
        return Phase.LEAVING
    if isinstance(event, Launching) and listed in (None, Phase.UNKNOWN, Phase.WARM):
        return Phase.JOINING
    if listed is None and described is not None and described.group != evidence.group:
        return Phase.LEAVING  # detached: neither the group nor the instance's own tag says that it belongs there
    return Phase.UNKNOWN if listed is None else listed


def _has_returned(evidence: _Evidence, departed_at: int, now: int) -> bool:
    """Whether a departed instance is back: an event or a listing that is newer than the tombstone says so."""
    return _launches_out_of_the_pool(evidence.event, departed_at) or _is_listed_again(evidence, departed_at, now)


def _launches_out_of_the_pool(event: LifecycleEvent | None, departed_at: int) -> bool:
    """Whether the event is a launch out of a warm pool that is not older than the departure."""
    comes_out = isinstance(event, Launching) and event.origin is Place.WARM_POOL
    return comes_out and (event is None or event.time is None or event.time >= departed_at)


def _is_listed_again(evidence: _Evidence, departed_at: int, now: int) -> bool:
    """Whether the group lists a departed instance as a member again: it left a warm pool or was attached by hand.

    Only a running instance can come back, and only a listing that is newer than the tombstone can show it.
    """
    described = evidence.described
    runs = described is not None and described.power in (Power.PENDING, Power.RUNNING)
    return runs and evidence.listed in (Phase.JOINING, Phase.SERVING) and now - departed_at > STALE_SECONDS


def _leaves_the_group(event: LifecycleEvent | None) -> bool:
    """Whether the event is a termination that starts in the group."""
    return isinstance(event, Terminating) and event.origin is Place.GROUP


def _member(evidence: _Evidence, now: int, settings: Settings) -> Member:
    before = evidence.member
    addresses = _addresses(before, evidence.described, settings)
    state = MemberState.MEMBER if addresses else MemberState.WAITING
    if not addresses and before is not None and (before.addresses or before.state is MemberState.BARE):
        state = MemberState.BARE
    if before is not None and before.state is state:
        return before if before.addresses == addresses else replace(before, addresses=addresses)
    return Member(addresses, state, _event_time(evidence.event, now) if state is MemberState.WAITING else now)


def _addresses(before: Member | None, described: Instance | None, settings: Settings) -> tuple[Cidr, ...]:
    """The described addresses, or the earlier ones if nothing was learned: not described, or still pending."""
    addresses = described.of_kinds(settings.address_kinds) if described is not None else ()
    too_early = described is None or described.power is Power.PENDING
    return before.addresses if before is not None and not addresses and too_early else addresses


def _kept(evidence: _Evidence, now: int) -> Member | None:
    """What stays of a member of unknown phase. None once its group has not listed it for long enough."""
    before = evidence.member
    if before is None or evidence.listed is not None:
        return before
    if before.state is not MemberState.MISSING:
        return replace(before, state=MemberState.MISSING, since=now)
    return before if now - before.since < STALE_SECONDS else None
