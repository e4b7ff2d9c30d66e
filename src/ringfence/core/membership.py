"""Decides who the members of an Auto Scaling group are: `(roster before, observation, events, now) -> decision`.

Pure. Knows nothing of rules, of peers' rosters or of hooks.

AWS's answers are facts, but they may be stale. An event or a row may come from anyone who can write to the queue or to
the table: it is a hint. So no event makes a member of an instance that AWS does not show as one, and none ends a
membership that AWS still shows. If an event and AWS disagree, the decision asks for a second look, and so it does if a
launching instance has no address yet. `_verdict` is the table of all cases.
"""

from collections.abc import Iterable, Iterator, Mapping, Set
from dataclasses import dataclass, replace
from typing import assert_never

from ringfence import __version__
from ringfence.core.configuration.settings import Mode, Settings
from ringfence.core.events import Launching, LifecycleEvent, Place, Terminating
from ringfence.core.freshness import (
    FENCE_SECONDS,
    SETTLED_SECONDS,
    STALE_RULES_SECONDS,
    STALE_SECONDS,
    is_fresh,
    is_future,
    latest_of_each,
)
from ringfence.core.lifecycle import INTO_THE_POOL, Phase
from ringfence.core.model.addresses import AddressKind, Cidr
from ringfence.core.model.identifiers import InstanceId, RosterKey
from ringfence.core.model.rosters import Member, MemberState, Roster
from ringfence.core.observation import Instance, Observation, Power

ADDRESSES_LIMIT = 64
"""Maximum addresses of one instance. More would let one instance use up the rules of every security group."""

TOMBSTONE_SECONDS = 2 * 3600
"""How long the roster remembers a departed instance. It is at least the longest heartbeat of a hook (7200 s)."""


@dataclass(frozen=True, slots=True)
class _Evidence:
    """All that is known of one instance of a group.

    `departed_at` is its tombstone, in epoch seconds. `absent` says that EC2 does not know the instance, which is more
    than not being described. `cannot_be_described` says that EC2 was asked for it and did not answer, so that EC2 may
    know it. `others` are the instances that EC2 describes and that have not departed.
    """

    group: str
    member: Member | None
    departed_at: int | None
    event: LifecycleEvent | None
    listed: Phase | None
    described: Instance | None
    absent: bool
    waits_on_its_way_into_the_pool: bool
    others: Iterable[Instance]
    cannot_be_described: bool = False

    @property
    def is_known(self) -> bool:
        """Whether the roster or the group knows the instance."""
        return self.member is not None or self.departed_at is not None or self.listed is not None

    @property
    def may_come_from_the_group(self) -> bool:
        """Whether an instance that is warm may have left the group just now: its event says so, or the event of its way
        into the pool was lost."""
        if self.event is None:
            return self.waits_on_its_way_into_the_pool
        return isinstance(self.event, Terminating) and self.event.origin is Place.GROUP and self.event.leads_out

    @property
    def has_tag(self) -> bool:
        """Whether EC2 shows the tag of the instance's group. AWS reserves the tag, and no caller can set it."""
        return self.described is not None and self.described.group == self.group

    @property
    def has_other_tag(self) -> bool:
        """Whether EC2 shows the instance without the tag of the group."""
        return self.described is not None and self.described.group != self.group

    def shows(self, address: Cidr) -> bool:
        """Whether EC2 shows the address on an instance that may have it now."""
        return any(address in addresses for other in self.others for addresses in other.addresses.values())

    @property
    def runs(self) -> bool:
        """Whether EC2 shows the instance as running, or on its way there."""
        return self.described is not None and self.described.power in (Power.PENDING, Power.RUNNING)


@dataclass(frozen=True, slots=True)
class RosterDecision:
    """The roster that should be stored now, and the instances about which AWS and an event disagree.

    A second look at these instances may decide otherwise. Without one, the roster is the safe answer. `problems` are
    for an operator.
    """

    roster: Roster
    look_again: frozenset[InstanceId] = frozenset()
    problems: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Verdict:
    """The phase of an instance, and whether another look may change it."""

    phase: Phase
    look_again: bool = False


def decide_members(
    before: Roster, observation: Observation, events: Iterable[LifecycleEvent], now: int, settings: Settings
) -> RosterDecision:
    """The members of one group now. The roster has the version and time of the one before: publishing sets those.

    The observation must include the group. Events of other groups are ignored. `now` is in epoch seconds.
    """
    members: dict[InstanceId, Member] = {}
    leaving: dict[InstanceId, int] = {}
    joined, look_again = set[InstanceId](), set[InstanceId]()
    for id, evidence in _evidence(before, observation, events, now).items():
        verdict = _verdict(evidence, now)
        match verdict.phase:
            case Phase.JOINING | Phase.SERVING | Phase.REPLACING:
                joined.add(id)
                members[id] = _member(evidence, now, settings)
            case Phase.UNKNOWN if (kept := _kept(evidence, now)) is not None:
                members[id] = _with_addresses(kept, _addresses(kept, evidence, now, settings), now)
            case Phase.LEAVING | Phase.WARM | Phase.UNKNOWN:
                if (at := _departure(evidence, verdict.phase, now)) is not None:
                    leaving[id] = at
            case _:
                assert_never(verdict.phase)
        if verdict.look_again or _lacks_an_address(verdict, evidence, members.get(id)):
            look_again.add(id)
    departed, fenced = tombstones(before, joined, leaving, now)
    roster = Roster(
        key=before.key,
        version=before.version,
        members=members,
        departed=departed,
        fenced=fenced,
        pending_releases={region: ids for region, ids in before.pending_releases.items() if region in settings.regions},
        security_groups=tuple(sorted(settings.security_groups)),
        ports=settings.ports,
        account=settings.account,
        observed=settings.mode is Mode.OBSERVE,
        updated_at=before.updated_at,
    )
    return RosterDecision(roster, frozenset(look_again), tuple(_not_admitted(before.key, observation, settings)))


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


def _departure(evidence: _Evidence, phase: Phase, now: int) -> int | None:
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
    return _event_time(evidence.event, now) if departed else None


def _not_admitted(key: RosterKey, observation: Observation, settings: Settings) -> Iterator[str]:
    """What the group's instances have that is not admitted, although an operator may expect it."""
    instances = [one for _, one in sorted(observation.instances.items()) if one.group == key.asg]
    for one in instances:
        count = len(admitted_of(one, settings))
        if count > ADDRESSES_LIMIT:
            yield f"{one.id} of {key} has {count} addresses, and only the first {ADDRESSES_LIMIT} are admitted"
        if not count and (kinds := reachable_by(one)):
            yield f"{one.id} of {key} has no address of a configured kind, but {kinds}: name that in AddressKinds"
    if delegated := {one.id: found for one in instances if (found := delegated_prefixes(one, settings))}:
        id, prefixes = next(iter(delegated.items()))
        more = f", and {len(delegated) - 1} more instances have some" if len(delegated) > 1 else ""
        said = "delegated prefixes are not supported, so nothing in them is admitted"
        yield f"{said}: {id} of {key} has {prefixes[0]}{more}"


def admitted_of(instance: Instance, settings: Settings) -> tuple[Cidr, ...]:
    """The instance's addresses that the settings admit, however many they are."""
    return instance.of_kinds(settings.address_kinds, settings.private_addresses)


def reachable_by(instance: Instance) -> str:
    """The kinds of the instance's addresses that only Wavelength Zones and Outposts have, in words."""
    kinds = (AddressKind.CARRIER_IPV4, AddressKind.CUSTOMER_OWNED_IPV4)
    return ", ".join(kind.value for kind in kinds if instance.addresses.get(kind))


def delegated_prefixes(instance: Instance, settings: Settings) -> tuple[str, ...]:
    """The prefixes that are delegated to the instance, of the kinds of addresses that the cluster uses."""
    return tuple(prefix for kind in settings.address_kinds for prefix in instance.prefixes.get(kind, ()))


def retired(before: Roster) -> Roster:
    """The roster of a group that the configuration no longer names: no members, and no tombstones that explain it."""
    return replace(before, members={}, fenced={}, pending_releases={})


def announced(before: Roster, settings: Settings) -> Roster:
    """The Region's announcement: what the engines of other Regions may rely on.

    It has the form of a roster without members, so that an engine of version 0.1 reads it as one. It names the engine's
    version, for operators: so it is written again after an upgrade.
    """
    return replace(
        before,
        members={},
        departed={},
        fenced={},
        pending_releases={},
        security_groups=tuple(sorted(settings.security_groups)),
        ports=settings.ports,
        account=settings.account,
        observed=settings.mode is Mode.OBSERVE,
        groups=frozenset(settings.auto_scaling_groups),
        engine=__version__,
    )


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


def _event_time(event: LifecycleEvent | None, now: int) -> int:
    return min(now, event.time) if event is not None and event.time is not None else now


def _evidence(
    before: Roster, observation: Observation, events: Iterable[LifecycleEvent], now: int
) -> Mapping[InstanceId, _Evidence]:
    """What is known of every instance that the roster, the group's listing or an event names, sorted by id."""
    group = before.key.asg
    others = _still_there(before, observation)
    latest = {event.instance: event for event in latest_of_each(events, now) if event.group == group}
    fresh = {id: event for id, event in latest.items() if is_fresh(event, now)}
    return {
        id: _Evidence(
            group=group,
            member=before.members.get(id),
            departed_at=_believable(before.departed.get(id), now),
            event=fresh.get(id),
            listed=observation.phase(group, id),
            described=observation.instances.get(id),
            absent=id in observation.absent,
            waits_on_its_way_into_the_pool=observation.groups[group].get(id) == INTO_THE_POOL,
            others=others,
            cannot_be_described=id in observation.undescribed,
        )
        for id in sorted({*before.members, *observation.groups[group], *latest})
    }


def _still_there(before: Roster, observation: Observation) -> list[Instance]:
    """The described instances without the departed ones: a description may be older than a departure, and AWS gives the
    address of an instance that ended to another."""
    return [instance for id, instance in observation.instances.items() if id not in before.departed]


def _verdict(evidence: _Evidence, now: int) -> _Verdict:
    """The table of all cases. The first one that matches decides. ARCHITECTURE.md has it as a table."""
    event, listed, described = evidence.event, evidence.listed, evidence.described
    if described is not None and described.power is Power.TERMINATED:
        return _Verdict(Phase.WARM if listed is Phase.WARM else Phase.LEAVING)
    match listed:
        case Phase.LEAVING:
            return _Verdict(Phase.LEAVING)
        case Phase.WARM:
            if _came_lately(evidence.member, now) and not _ends_membership(event):
                return _Verdict(Phase.UNKNOWN, look_again=True)
            return _Verdict(Phase.WARM, look_again=_enters_the_group(event))
        case Phase.JOINING | Phase.SERVING | Phase.REPLACING:
            if _departed_lately(evidence, now):
                return _Verdict(Phase.LEAVING)
            # A listing without the replacement is older than its event, and its hook can be answered once it is listed.
            is_older = listed is Phase.SERVING and _begins_replacement(event)
            return _Verdict(listed, look_again=_ends_membership(event) or is_older)
        case Phase.UNKNOWN:
            return _Verdict(Phase.UNKNOWN, look_again=_ends_membership(event))
        case None:
            return _unlisted(evidence, now)
        case _:
            assert_never(listed)


def _unlisted(evidence: _Evidence, now: int) -> _Verdict:
    """The cases of an instance that its group does not list.

    A member enters the pool by a termination out of its group, and not by an event that passes through the pool. Such
    an event is forged, or the one before it was lost.
    """
    event = evidence.event
    passes_through_the_pool = _passes_through_the_pool(event)
    if passes_through_the_pool and evidence.member is None:
        return _Verdict(Phase.WARM)
    if _ends_in_ec2(event) and evidence.described is not None:
        return _Verdict(Phase.LEAVING) if evidence.has_other_tag else _Verdict(Phase.UNKNOWN, look_again=True)
    if _has_departed(evidence):
        return _Verdict(Phase.LEAVING)
    launches = _enters_the_group(event)
    if launches and isinstance(event, Launching) and event.origin is Place.EC2 and evidence.has_tag:
        return _Verdict(Phase.JOINING)
    if evidence.has_other_tag:  # detached: neither the group nor the instance's own tag says that it belongs there
        return _Verdict(Phase.LEAVING, look_again=launches or _is_new(evidence.member, now))
    return _Verdict(Phase.UNKNOWN, look_again=launches or passes_through_the_pool)


def _lacks_an_address(verdict: _Verdict, evidence: _Evidence, member: Member | None) -> bool:
    """Whether an address of a launching instance may come a moment later, while its event is new (flocker #2237).

    No moment helps where EC2 does not answer, and all other events would wait for it.
    """
    launches = verdict.phase is Phase.JOINING and evidence.event is not None and not evidence.cannot_be_described
    return launches and member is not None and not member.addresses


def _believable(departed_at: int | None, now: int) -> int | None:
    """A tombstone from the future is not believed."""
    return None if departed_at is None or is_future(departed_at, now) else departed_at


def _has_departed(evidence: _Evidence) -> bool:
    """Whether a tombstone says so, and no launch out of a warm pool is newer than it."""
    departed_at, event = evidence.departed_at, evidence.event
    if departed_at is None:
        return False
    comes_out = isinstance(event, Launching) and event.origin is Place.WARM_POOL and _enters_the_group(event)
    return not (comes_out and event is not None and event.time is not None and event.time >= departed_at)


def _departed_lately(evidence: _Evidence, now: int) -> bool:
    """Whether a tombstone outranks a listing that says otherwise: the listing may be older, or the instance is down."""
    if evidence.departed_at is None or not _has_departed(evidence):
        return False
    return now - evidence.departed_at <= STALE_SECONDS or not evidence.runs


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


def _is_new(member: Member | None, now: int) -> bool:
    """Whether the instance has had its state for so short a time that AWS's answers may be older."""
    return member is not None and now - member.since < STALE_SECONDS


def _came_lately(member: Member | None, now: int) -> bool:
    """Whether the instance became a member so lately that a listing that shows it in the pool may be older."""
    return member is not None and member.state is not MemberState.MISSING and _is_new(member, now)


def _member(evidence: _Evidence, now: int, settings: Settings) -> Member:
    before = evidence.member
    addresses = _addresses(before, evidence, now, settings)
    state = MemberState.MEMBER if addresses else MemberState.WAITING
    if not addresses and before is not None and (before.addresses or before.state is MemberState.BARE):
        state = MemberState.BARE
    if before is not None and before.state is state:
        return _with_addresses(before, addresses, now)
    return Member(addresses, state, _event_time(evidence.event, now) if state is MemberState.WAITING else now)


def _with_addresses(member: Member, addresses: tuple[Cidr, ...], now: int) -> Member:
    return member if member.addresses == addresses else replace(member, addresses=addresses, moved=now)


def _addresses(before: Member | None, evidence: _Evidence, now: int, settings: Settings) -> tuple[Cidr, ...]:
    """The described addresses, or the earlier ones if the description has none and may be older than they are.

    An address that EC2 shows on another instance has moved there.
    """
    described = evidence.described
    addresses = admitted_of(described, settings)[:ADDRESSES_LIMIT] if described is not None else ()
    if addresses or before is None:
        return addresses
    if described is not None and not _may_be_older(described, before, now):
        return ()
    return tuple(address for address in before.addresses if not evidence.shows(address))


def _may_be_older(described: Instance, member: Member, now: int) -> bool:
    """Whether the description may be from before the member had an address: from before its start, or its latest start
    if it comes out of a warm pool. EC2 assigns a public address a moment after the start."""
    return described.power is Power.PENDING or _is_new(member, now)


def _kept(evidence: _Evidence, now: int) -> Member | None:
    """What stays of a member of unknown phase. None once its group has not listed it for long enough, and EC2 answers.

    While its zone fails, it stays: that EC2 says nothing of it then confirms nothing.
    """
    before = evidence.member
    if before is None or evidence.listed is not None:
        return before
    if before.state is not MemberState.MISSING:
        return replace(before, state=MemberState.MISSING, since=now)
    is_over = now - before.since >= STALE_SECONDS and not evidence.cannot_be_described
    return None if is_over else before
