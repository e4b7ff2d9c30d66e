"""Decides what to answer to each lifecycle hook that waits: let go on, send away, or leave waiting.

Pure. It looks at what waits, not only at what events named, so that a lost event is healed by the next reconcile.
"""

from collections.abc import Iterable, Mapping

from ringfence.core.errors import Refusal
from ringfence.core.events import Launching, LifecycleEvent, Place, Terminating
from ringfence.core.lifecycle import WAITING, HookResult, Phase, Transition
from ringfence.core.membership import is_fresh, latest_of_each
from ringfence.core.model.identifiers import InstanceId, Region, RosterKey
from ringfence.core.model.rosters import Roster
from ringfence.core.observation import Observation
from ringfence.core.region_result import RegionResult
from ringfence.core.settings import Mode, NoAddress, Settings
from ringfence.records import dataclass


@dataclass(frozen=True, slots=True)
class WaitingInstance:
    """An instance that a hook may hold, with the transitions that it can be held in (the likelier first).

    `seen_at` is when its group was asked, in epoch seconds: it may wait for another answer since.
    """

    group: str
    instance: InstanceId
    transitions: tuple[Transition, ...]
    event: LifecycleEvent | None
    warm: bool
    seen_at: float

    @property
    def launching(self) -> bool:
        """Whether it waits on its way into its group."""
        return not self.warm and self.transitions == (Transition.LAUNCH,)


@dataclass(frozen=True, slots=True)
class Complete:
    """Answer the hook. `stale` are the Regions that may still admit the departed instance."""

    waiting: WaitingInstance
    result: HookResult
    why: str
    stale: tuple[Region, ...] = ()


@dataclass(frozen=True, slots=True)
class Hold:
    """Leave the instance waiting."""

    waiting: WaitingInstance
    why: str


HookDecision = Complete | Hold

STILL_WAITS = 10.0
"""Seconds for which an instance surely waits for what its group said. An answer without an event's token is for
whatever it waits for by then: one that was on its way into the warm pool may be on its way out, not yet admitted."""


def waiting(observation: Observation, events: Iterable[LifecycleEvent], seen_at: float) -> list[WaitingInstance]:
    """Every instance that waits, by its group's listing or by a fresh event that the listing may be older than."""
    found: dict[tuple[str, InstanceId], WaitingInstance] = {}
    for group, instances in sorted(observation.groups.items()):
        for id, state in sorted(instances.items()):
            if state in WAITING:
                found[group, id] = WaitingInstance(
                    group, id, WAITING[state], None, state.startswith("Warmed:"), seen_at
                )
    for event in latest_of_each(events):
        key = (event.group, event.instance)
        if key in found or (
            event.group in observation.groups and is_fresh(event, seen_at) and _may_wait(event, observation)
        ):
            found[key] = _named(event, seen_at, found.get(key))
    return list(found.values())


def _may_wait(event: LifecycleEvent, observation: Observation) -> bool:
    """Whether a listing that does not show the wait may simply be older than the event."""
    phase = observation.phase(event.group, event.instance)
    match event:
        case Launching():
            return phase in (None, Phase.JOINING, Phase.WARM, Phase.UNKNOWN)
        case Terminating():
            return phase is not None or event.instance in observation.instances


def _named(event: LifecycleEvent, seen_at: float, listed: WaitingInstance | None) -> WaitingInstance:
    """What an instance waits for by its latest event, unless its group's listing must be later than that."""
    return listed if listed is not None and _is_later(listed, event) else told(event, seen_at)


def told(event: LifecycleEvent, seen_at: float) -> WaitingInstance:
    """What an instance waits for by an event."""
    if isinstance(event, Launching):
        transition, warm = Transition.LAUNCH, event.destination is Place.WARM_POOL
    else:
        transition, warm = Transition.TERMINATE, Place.WARM_POOL in (event.origin, event.destination)
    return WaitingInstance(event.group, event.instance, (transition,), event, warm, seen_at)


def _is_later(listed: WaitingInstance, event: LifecycleEvent) -> bool:
    """Whether what is listed can only come after the event: out of the pool after into it, out after in."""
    match event:
        case Launching(destination=Place.WARM_POOL):
            return not listed.warm or Transition.LAUNCH not in listed.transitions
        case Launching():
            return Transition.LAUNCH not in listed.transitions
        case Terminating(destination=Place.WARM_POOL):
            return Transition.TERMINATE not in listed.transitions
        case Terminating():
            return False


def answer(
    one: WaitingInstance,
    roster: Roster,
    home: RegionResult,
    peers: Mapping[Region, RegionResult],
    now: float,
    settings: Settings,
) -> HookDecision:
    """What to do with one waiting instance, given how each Region's turn ended."""
    if settings.mode is Mode.OBSERVE:
        return observed(one)
    if one.launching:
        return _launch(one, roster, home, peers, now, settings)
    if one.warm and one.event is None and now - one.seen_at > STILL_WAITS:
        return Hold(one, f"its group was asked {now - one.seen_at:.0f} s ago, it may be out of the warm pool since")
    if one.warm and one.instance not in roster.departed:
        known = (home, *peers.values())
        if admitting := sorted(each.region for each in known if (roster.key, one.instance) in each.lingering):
            why = f"its roster has never heard of it, but {_names(admitting)} admits it: a second look follows"
            return Hold(one, why)
        return Complete(one, HookResult.CONTINUE, "never a member: it is in the warm pool or on its way there")
    return _termination(one, roster, home, peers, now, settings)


def observed(one: WaitingInstance) -> Complete:
    """What is done with any waiting instance where Ringfence only observes."""
    return Complete(one, HookResult.CONTINUE, "Ringfence only observes")


def _launch(
    one: WaitingInstance,
    roster: Roster,
    home: RegionResult,
    peers: Mapping[Region, RegionResult],
    now: float,
    settings: Settings,
) -> HookDecision:
    member = roster.members.get(one.instance)
    if member is None:
        return Hold(one, "it is on its way out already")
    if home.error is not None:
        return Hold(one, f"its own Region could not be brought up to date: {home.error}")
    if not member.addresses:
        return _without_address(one, now - member.since, settings)
    refused = home.lacking.get((roster.key, one.instance))
    if refused is not None:
        if refused.refusal is Refusal.QUOTA:
            return Complete(
                one,
                HookResult.ABANDON,
                f"it could not join, its own Region has no room for its rules: {refused}",
            )
        return Hold(one, f"its own Region refused its rules: {refused}")
    if (roster.key, one.instance) in home.borrowed:
        return Hold(one, "a rule that names another instance admits its address, and may go with that one")
    debts = [region for region, peer in sorted(peers.items()) if not peer.admits(roster.key, one.instance)]
    required = [region for region in debts if region in settings.required_peers]
    if required:
        return Hold(one, f"not yet admitted in {_names(required)}, which the configuration requires")
    if debts:
        return Complete(one, HookResult.CONTINUE, f"admitted at home; {_names(debts)} must follow")
    return Complete(one, HookResult.CONTINUE, "admitted everywhere")


def _without_address(one: WaitingInstance, waited: float, settings: Settings) -> HookDecision:
    kinds = ", ".join(sorted(kind.value for kind in settings.address_kinds))
    if waited < settings.address_wait:
        return Hold(one, f"it has no {kinds} address yet, after {waited:.0f} s of {settings.address_wait} s")
    why = f"it has no {kinds} address after {waited:.0f} s"
    match settings.no_address:
        case NoAddress.CONTINUE:
            return Complete(one, HookResult.CONTINUE, f"{why}; a true-up admits one that comes later")
        case NoAddress.ABANDON:
            return Complete(one, HookResult.ABANDON, why)


def _termination(
    one: WaitingInstance,
    roster: Roster,
    home: RegionResult,
    peers: Mapping[Region, RegionResult],
    now: float,
    settings: Settings,
) -> HookDecision:
    key: RosterKey = roster.key
    if one.instance in roster.members:
        return Hold(one, "its group lists it as a member again")
    if not home.has_released(key, one.instance):
        return Hold(one, f"its own Region may still admit it: {home.error or 'the guard holds its rules'}")
    stale = tuple(region for region, peer in sorted(peers.items()) if not peer.has_released(key, one.instance))
    if not stale:
        return Complete(one, HookResult.CONTINUE, "released everywhere")
    waited = now - roster.departed.get(one.instance, now)
    required = [region for region in stale if region in settings.required_peers]
    if required or waited < settings.release_deadline:
        return Hold(
            one,
            f"{_names(required or stale)} may still admit it, after {waited:.0f} s of {settings.release_deadline} s",
        )
    return Complete(
        one,
        HookResult.CONTINUE,
        f"{_names(stale)} may still admit it after {waited:.0f} s: a stale door",
        stale,
    )


def _names(regions: Iterable[Region]) -> str:
    return ", ".join(regions)
