"""Decides who the members of an Auto Scaling group are: `(previous roster, observation, events, now) -> next`.

Pure. Knows nothing of rules, of peers' rosters or of hooks.

Describes are eventually consistent, so nothing here takes one stale answer for the truth: the facts of a fresh
event outrank a describe, a tombstone outranks a listing that may be older than it, and a member that its group
no longer lists stays until a later look agrees. What could not be described keeps what was known of it.
"""

from collections.abc import Iterable
from dataclasses import replace
from typing import assert_never

from ringfence.core.events import Launching, LifecycleEvent, Place, Terminating
from ringfence.core.lifecycle import Phase
from ringfence.core.model.addresses import Cidr
from ringfence.core.model.identifiers import InstanceId, RosterKey
from ringfence.core.model.rosters import Member, MemberState, Roster
from ringfence.core.observation import Instance, Observation, Power
from ringfence.core.settings import Mode, Settings

STALE_SECONDS = 60
"""How long a describe may lag behind an event. AWS gives no bound ("Eventual consistency in the Amazon EC2
API" advises back-off of up to some minutes for what was just made); ours is an assumption, on the side of holding."""

TOMBSTONE_SECONDS = 2 * 3600
"""How long a departed instance is remembered. It outlives the longest heartbeat of a hook (7200 s)."""


def next_roster(
    key: RosterKey,
    previous: Roster | None,
    observation: Observation,
    events: Iterable[LifecycleEvent],
    now: int,
    settings: Settings,
) -> Roster:
    """The roster that should stand now, with the previous one's version and time: publishing sets those.

    The observation must hold the group. Events of other groups are passed over.
    """
    before = previous or Roster(key)
    members: dict[InstanceId, Member] = {}
    departed = dict(before.departed)
    latest = {event.instance: event for event in latest_of_each(events) if event.group == key.asg}
    for id in sorted({*before.members, *observation.groups[key.asg], *latest}):
        event = latest.get(id)
        event = event if event is not None and is_fresh(event, now) else None
        phase = _judge(id, key.asg, before, observation, event, now)
        match phase:
            case Phase.JOINING | Phase.SERVING:
                departed.pop(id, None)
                members[id] = _member(before.members.get(id), observation.instances.get(id), event, now, settings)
            case Phase.LEAVING:
                departed.setdefault(id, _event_time(event, now))
            case Phase.WARM:
                # What goes from EC2 into the pool, or out of the pool to EC2, was never a member.
                if id in before.members or (isinstance(event, Terminating) and event.origin is Place.GROUP):
                    departed.setdefault(id, _event_time(event, now))
            case Phase.UNKNOWN:
                kept = _kept(before.members.get(id), id in observation.groups[key.asg], now)
                if kept is not None:
                    members[id] = replace(kept, addresses=_addresses(kept, observation.instances.get(id), settings))
            case _:
                assert_never(phase)
    return Roster(
        key=key,
        version=before.version,
        members=members,
        departed=departed,
        owed={region: ids for region, ids in before.owed.items() if region in settings.peers},
        security_groups=tuple(sorted(settings.security_groups)),
        ports=settings.ports,
        account=settings.account,
        observed=settings.mode is Mode.OBSERVE,
        updated_at=before.updated_at,
    )


def retired(previous: Roster) -> Roster:
    """The roster of a group that the configuration no longer names: nobody, and no tombstone that would explain it."""
    return replace(previous, members={}, owed={})


def pruned(roster: Roster, now: int) -> Roster:
    """The roster without the tombstones that no describe can contradict any more.

    Pruning alone is no reason to write: it happens when the row is written for another one.
    """
    owed = {id for ids in roster.owed.values() for id in ids}
    kept = {id: at for id, at in roster.departed.items() if id in owed or now - at < TOMBSTONE_SECONDS}
    return roster if len(kept) == len(roster.departed) else replace(roster, departed=kept)


def latest_of_each(events: Iterable[LifecycleEvent]) -> list[LifecycleEvent]:
    """The latest event of each instance, in whatever order they came."""
    latest: dict[tuple[str, InstanceId], LifecycleEvent] = {}
    for event in events:
        key = (event.group, event.instance)
        if key not in latest or _supersedes(event, latest[key]):
            latest[key] = event
    return list(latest.values())


def _supersedes(event: LifecycleEvent, other: LifecycleEvent) -> bool:
    """Whether `event` tells more of where the instance is than `other`, in whatever order they came.

    An instance terminates after it launches, unless it comes back out of a warm pool.
    """
    if event.time is not None and other.time is not None and event.time != other.time:
        return event.time > other.time
    return isinstance(event, Terminating)


def is_fresh(event: LifecycleEvent, now: float) -> bool:
    """Whether a describe may still lag behind the event; later it is only a reason to look."""
    return event.time is None or now - event.time <= STALE_SECONDS


def _event_time(event: LifecycleEvent | None, now: int) -> int:
    return min(now, event.time) if event is not None and event.time is not None else now


def _judge(
    id: InstanceId,
    group: str,
    before: Roster,
    observation: Observation,
    event: LifecycleEvent | None,
    now: int,
) -> Phase:
    """Where the instance is on its way, weighing the event, the tombstone, EC2 and the group's listing."""
    described = observation.instances.get(id)
    listed = observation.phase(group, id)
    if described is not None and described.power is Power.TERMINATED:
        return Phase.LEAVING if listed is not Phase.WARM else Phase.WARM
    if isinstance(event, Terminating):
        return Phase.WARM if Place.WARM_POOL in (event.origin, event.destination) else Phase.LEAVING
    into_pool = isinstance(event, Launching) and event.destination is Place.WARM_POOL
    if into_pool and listed not in (Phase.JOINING, Phase.SERVING):  # those come later: it left the pool already
        return Phase.WARM
    if (
        id in before.departed
        and not _returns(event, before.departed[id])
        and not _came_back(before.departed[id], described, listed, now)
    ):
        return Phase.LEAVING
    if isinstance(event, Launching) and listed in (None, Phase.UNKNOWN, Phase.WARM):
        return Phase.JOINING
    if listed is None and described is not None and described.group != group:
        return Phase.LEAVING  # detached: neither its group nor the instance itself says that it belongs there
    return Phase.UNKNOWN if listed is None else listed


def _returns(event: LifecycleEvent | None, departed_at: int) -> bool:
    """Whether the event tells of a departed instance that comes out of a warm pool, and not of an earlier time."""
    comes_out = isinstance(event, Launching) and event.origin is Place.WARM_POOL
    return comes_out and (event is None or event.time is None or event.time >= departed_at)


def _came_back(departed_at: int, described: Instance | None, listed: Phase | None, now: int) -> bool:
    """Whether a departed instance is a member again: out of a warm pool, or attached by hand once more.

    Only what runs can come back, and only a listing that is no older than the tombstone can say so.
    """
    runs = described is not None and described.power in (Power.PENDING, Power.RUNNING)
    return runs and listed in (Phase.JOINING, Phase.SERVING) and now - departed_at > STALE_SECONDS


def _member(
    before: Member | None,
    described: Instance | None,
    event: LifecycleEvent | None,
    now: int,
    settings: Settings,
) -> Member:
    addresses = _addresses(before, described, settings)
    state = MemberState.MEMBER if addresses else MemberState.WAITING
    if not addresses and before is not None and (before.addresses or before.state is MemberState.BARE):
        state = MemberState.BARE
    if before is not None and before.state is state:
        return before if before.addresses == addresses else replace(before, addresses=addresses)
    return Member(addresses, state, _event_time(event, now) if state is MemberState.WAITING else now)


def _addresses(before: Member | None, described: Instance | None, settings: Settings) -> tuple[Cidr, ...]:
    """The addresses as described; those known before where nothing was learned: not described, or too early."""
    addresses = described.of_kinds(settings.address_kinds) if described is not None else ()
    too_early = described is None or described.power is Power.PENDING
    return before.addresses if before is not None and not addresses and too_early else addresses


def _kept(before: Member | None, listed: bool, now: int) -> Member | None:
    """What stays of a member of which nothing new is known; None once its group has not listed it for long."""
    if before is None or listed:
        return before
    if before.state is not MemberState.MISSING:
        return replace(before, state=MemberState.MISSING, since=now)
    return before if now - before.since < STALE_SECONDS else None
