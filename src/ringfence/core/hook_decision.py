"""Decides the answer to each waiting lifecycle hook: continue, abandon, or leave the instance waiting.

Pure. It covers every instance that waits, not only those that an event names. So the next reconcile also answers the
hook of an event that was lost.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from ringfence.core.configuration.settings import Mode, NoAddress, Settings
from ringfence.core.errors import Refusal, Refused
from ringfence.core.events import Launching, LifecycleEvent, Place, Terminating
from ringfence.core.freshness import is_fresh, latest_of_each
from ringfence.core.lifecycle import WAITING, HookResult, Phase, Transition, phase_of
from ringfence.core.model.identifiers import InstanceId, Region, RosterKey
from ringfence.core.model.rosters import MemberState, Roster
from ringfence.core.observation import Observation
from ringfence.core.region_result import RegionResult


@dataclass(frozen=True, slots=True)
class WaitingInstance:
    """An instance that a hook may hold, with the transitions that the hook can be for, the more likely one first.

    `warm` says that the instance is in the warm pool or on its way into or out of it, `stays` that it waits for the
    replacement of its root volume. `listed` says that its group shows the wait; if not, only the event does. `seen_at`
    is when the group was listed, in epoch seconds: since then, the instance may wait for something else.
    `undescribed` says that EC2 did not answer for it.
    """

    group: str
    instance: InstanceId
    transitions: tuple[Transition, ...]
    event: LifecycleEvent | None
    warm: bool
    seen_at: float
    listed: bool = False
    stays: bool = False
    undescribed: bool = False

    @property
    def has_token(self) -> bool:
        """Whether an event has the token of a wait, so that an answer can end no other wait."""
        return self.event is not None and self.event.token is not None

    @property
    def launching(self) -> bool:
        """Whether the instance waits on its way into its group."""
        return not self.warm and self.transitions == (Transition.LAUNCH,)

    @property
    def releases(self) -> bool:
        """Whether the instance must be out of the security groups before it goes on."""
        return not self.launching and not self.stays

    def is_same_wait(self, earlier: "WaitingInstance") -> bool:
        """Whether this is listed as the same kind of wait as an earlier one of the instance."""
        same_place = (self.warm, self.stays) == (earlier.warm, earlier.stays)
        return self.listed and same_place and set(self.transitions) == set(earlier.transitions)

    @property
    def may_wait_for_another(self) -> bool:
        """Whether the same hook may hold the instance for another reason soon after it was listed."""
        return self.warm or self.stays


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


@dataclass(frozen=True, slots=True)
class RegionResults:
    """What every Region's pass resulted in, at the time of the decision. `now` is in epoch seconds."""

    home: RegionResult
    peers: Mapping[Region, RegionResult]
    now: float

    def not_admitting(self, roster: RosterKey, instance: InstanceId) -> list[Region]:
        """The peers that do not admit the instance everywhere."""
        return [region for region, peer in sorted(self.peers.items()) if not peer.admits(roster, instance)]

    def unconfirmed(self, roster: RosterKey, instance: InstanceId) -> str | None:
        """Why a peer does not admit the instance although it could: it has a newer roster of ours, whose writer did not
        see the instance. The next invocation sees it or not."""
        for region, peer in sorted(self.peers.items()):
            refused = peer.lacking.get((roster, instance))
            if peer.error is None and refused is not None and refused.refusal is Refusal.UNCONFIRMED:
                return f"{region}: {refused}"
        return None

    def not_released(self, roster: RosterKey, instance: InstanceId) -> tuple[Region, ...]:
        """The peers that may still admit the instance."""
        return tuple(region for region, peer in sorted(self.peers.items()) if not peer.has_released(roster, instance))

    def about_to_announce(self, regions: Iterable[Region]) -> list[Region]:
        """Those of the peers whose deployment is in progress."""
        return [region for region in regions if self.peers[region].is_about_to_announce]

    def lingering(self, roster: RosterKey, instance: InstanceId) -> list[Region]:
        """The Regions in which a rule for the instance is known to exist."""
        regions = (self.home, *self.peers.values())
        return sorted(result.region for result in regions if (roster, instance) in result.lingering)


STILL_WAITS = 10.0
"""Seconds for which a listing that shows a wait is trusted. An answer without an event's token ends whatever the
instance waits for by then: an instance that was on its way into the warm pool may be on its way out of it, and not
admitted yet; one whose root volume was to be replaced may be terminating."""


def waiting_instances(
    observation: Observation, events: Iterable[LifecycleEvent], seen_at: float
) -> list[WaitingInstance]:
    """Every instance that waits according to its group's listing, or to a fresh event that the listing may not show."""
    found: dict[tuple[str, InstanceId], WaitingInstance] = {}
    for group, states in sorted(observation.groups.items()):
        for id, state in sorted(states.items()):
            if state in WAITING:
                warm, stays = state.startswith("Warmed:"), phase_of(state) is Phase.REPLACING
                found[group, id] = WaitingInstance(
                    group, id, WAITING[state], None, warm, seen_at, listed=True, stays=stays
                )
    for event in latest_of_each(events, seen_at):
        key = (event.group, event.instance)
        if key in found:
            found[key] = _with_event(found[key], event)
        elif event.group in observation.groups and _may_wait(event, observation, seen_at):
            found[key] = named_by(event, seen_at)
    return [replace(waiting, undescribed=waiting.instance in observation.undescribed) for waiting in found.values()]


def _may_wait(event: LifecycleEvent, observation: Observation, now: float) -> bool:
    """Whether a listing that does not show the wait may be older than the event.

    The event must have the token of its wait: an answer by instance id would end a wait that no event is about.
    """
    if event.token is None or not is_fresh(event, now):
        return False
    phase = observation.phase(event.group, event.instance)
    match event:
        case Launching():
            return phase in (None, Phase.JOINING, Phase.REPLACING, Phase.WARM, Phase.UNKNOWN)
        case Terminating():
            return phase is not None or event.instance in observation.instances


def _with_event(listed: WaitingInstance, event: LifecycleEvent) -> WaitingInstance:
    """The listed wait with the latest event, if the event can be about it: an event never hides a wait that is listed.

    But a fresh launch out of the warm pool may be later than a listed wait in the pool. Then an answer to the listed
    wait could end the wait of the launch. So may a fresh termination be later than the replacement of a root volume.
    """
    named = named_by(event, listed.seen_at)
    if not set(named.transitions) <= set(listed.transitions):
        return listed
    if named.launching and listed.warm:
        return replace(named, listed=True) if is_fresh(event, listed.seen_at) else listed
    if isinstance(event, Terminating) and event.leads_out and listed.stays:
        return replace(named, listed=True) if is_fresh(event, listed.seen_at) else listed
    if isinstance(event, Launching) and named.warm and not listed.warm:
        return listed
    others = tuple(transition for transition in listed.transitions if transition not in named.transitions)
    return replace(listed, event=event, transitions=named.transitions + others)


def named_by(event: LifecycleEvent, seen_at: float) -> WaitingInstance:
    """The wait that an event names."""
    if isinstance(event, Launching):
        transition, warm = Transition.LAUNCH, event.destination is Place.WARM_POOL
    else:
        transition, warm = Transition.TERMINATE, Place.WARM_POOL in (event.origin, event.destination)
    return WaitingInstance(event.group, event.instance, (transition,), event, warm, seen_at)


def decide(waiting: WaitingInstance, roster: Roster, results: RegionResults, settings: Settings) -> HookDecision:
    """The answer to one waiting instance, from its roster and from what every Region's pass resulted in."""
    if settings.mode is Mode.OBSERVE:
        return let_go(waiting)
    if waiting.launching:
        return _launch(waiting, roster, results, settings)
    listed_for = results.now - waiting.seen_at
    if waiting.may_wait_for_another and not waiting.has_token and listed_for > STILL_WAITS:
        return Hold(waiting, f"its group was listed {listed_for:.0f} s ago, it may wait for something else since")
    if waiting.stays and waiting.instance in roster.departed:
        return Hold(waiting, "its roster says that it has left its group, and the listing may be older")
    if waiting.stays:
        return Complete(waiting, HookResult.CONTINUE, "its root volume is replaced, and it stays a member")
    if waiting.warm and waiting.instance not in {*roster.departed, *roster.members}:
        return _unknown_in_warm_pool(waiting, roster.key, results)
    return _termination(waiting, roster, results, settings)


def let_go(waiting: WaitingInstance) -> Complete:
    """The answer to any waiting instance in observe mode."""
    return Complete(waiting, HookResult.CONTINUE, "Ringfence only observes")


def _launch(waiting: WaitingInstance, roster: Roster, results: RegionResults, settings: Settings) -> HookDecision:
    member = roster.members.get(waiting.instance)
    key = (roster.key, waiting.instance)
    if member is None:
        return Hold(waiting, "it is on its way out already")
    if results.home.error is not None:
        return Hold(waiting, f"its own Region could not be brought up to date: {results.home.error}")
    if results.home.barred is not None:
        return Hold(waiting, f"its own Region can admit no instance: {results.home.barred}")
    if not member.addresses and waiting.undescribed:
        return Hold(waiting, "EC2 could not describe it, as it happens while an Availability Zone fails")
    if not member.addresses:
        return _without_address(waiting, results.now - member.since, settings)
    if (refused := results.home.lacking.get(key)) is not None:
        return _refused(waiting, refused)
    if key in results.home.borrowed:
        return Hold(waiting, "a rule that names another instance admits its address, and may go with that one")
    return _launch_in_peers(waiting, roster, results, settings, since=member.since)


def _launch_in_peers(
    waiting: WaitingInstance, roster: Roster, results: RegionResults, settings: Settings, *, since: int
) -> HookDecision:
    """The answer to a launch that its own Region admits. `since` is when it launched, in epoch seconds."""
    if (unconfirmed := results.unconfirmed(roster.key, waiting.instance)) is not None:
        return Hold(waiting, unconfirmed)
    lacking = results.not_admitting(roster.key, waiting.instance)
    required = [region for region in lacking if region in settings.required_peers]
    if required:
        return Hold(waiting, f"not yet admitted in {_names(required)}, which the configuration requires")
    new = results.about_to_announce(lacking)
    if new and (waited := results.now - since) < settings.announcement_wait:
        why = f"{_names(new)} is being deployed, and has not announced its security groups yet"
        return Hold(waiting, f"{why}, after {waited:.0f} s of {settings.announcement_wait} s")
    if lacking:
        return Complete(waiting, HookResult.CONTINUE, f"admitted at home; {_names(lacking)} must follow")
    return Complete(waiting, HookResult.CONTINUE, "admitted everywhere")


def _refused(waiting: WaitingInstance, refused: Refused) -> HookDecision:
    """The answer to a launch for which its own Region has not made all rules."""
    match refused.refusal:
        case Refusal.QUOTA:
            why = f"it could not join, its own Region has no room for its rules: {refused}"
            return Complete(waiting, HookResult.ABANDON, why)
        case Refusal.UNCONFIRMED:
            return Hold(waiting, str(refused))
        case _:
            return Hold(waiting, f"its own Region refused its rules: {refused}")


def _without_address(waiting: WaitingInstance, waited: float, settings: Settings) -> HookDecision:
    kinds = ", ".join(sorted(kind.value for kind in settings.address_kinds))
    if waited < settings.address_wait:
        return Hold(waiting, f"it has no {kinds} address yet, after {waited:.0f} s of {settings.address_wait} s")
    why = f"it has no {kinds} address after {waited:.0f} s"
    match settings.no_address:
        case NoAddress.CONTINUE:
            return Complete(waiting, HookResult.CONTINUE, f"{why}; a true-up admits one that comes later")
        case NoAddress.ABANDON:
            return Complete(waiting, HookResult.ABANDON, why)


def _unknown_in_warm_pool(waiting: WaitingInstance, roster: RosterKey, results: RegionResults) -> HookDecision:
    """The answer to an instance that is warm and that its roster does not know.

    It may come from the group although the roster does not know it: the table may be younger than the rules. So its
    own Region must have been seen. A peer that was not seen does not hold it: nothing would end that wait.
    """
    may_leave_the_group = Transition.TERMINATE in waiting.transitions
    if may_leave_the_group and not results.home.was_compared_with(roster):
        why = results.home.error or "its row could not be read"
        return Hold(waiting, f"its own Region may still admit it: {why}")
    if admitting := results.lingering(roster, waiting.instance):
        return Hold(waiting, f"its roster does not know it, but {_names(admitting)} admits it: a second look follows")
    return Complete(waiting, HookResult.CONTINUE, "never a member: it is in the warm pool or on its way there")


def _termination(waiting: WaitingInstance, roster: Roster, results: RegionResults, settings: Settings) -> HookDecision:
    member = roster.members.get(waiting.instance)
    if member is not None and member.state is MemberState.MISSING:
        return Hold(waiting, "AWS does not show yet that it has left its group")
    if member is not None:
        return Hold(waiting, "its group lists it as a member")
    if not results.home.has_released(roster.key, waiting.instance):
        why = results.home.error or "the guard holds its rules"
        return Hold(waiting, f"its own Region may still admit it: {why}")
    stale = results.not_released(roster.key, waiting.instance)
    if not stale:
        return Complete(waiting, HookResult.CONTINUE, "released everywhere")
    waited = results.now - roster.departed.get(waiting.instance, results.now)
    required = [region for region in stale if region in settings.required_peers]
    deadline = _release_deadline(stale, results, settings)
    so_far = f"{_names(required or stale)} may still admit it, after {waited:.0f} s of {deadline} s"
    if required or waited < deadline:
        return Hold(waiting, so_far)
    why = f"{_names(stale)} may still admit it after {waited:.0f} s: a stale door"
    return Complete(waiting, HookResult.CONTINUE, why, stale)


def _release_deadline(stale: Iterable[Region], results: RegionResults, settings: Settings) -> int:
    """For how many seconds these peers hold a termination.

    A peer that has announced nothing holds it while its deployment is in progress, and no longer: its groups are not
    known, and only a table that was made again can hide a rule of ours there.
    """
    if any(not results.peers[region].is_unannounced for region in stale):
        return settings.release_deadline
    return min(settings.release_deadline, settings.announcement_wait) if results.about_to_announce(stale) else 0


def _names(regions: Iterable[Region]) -> str:
    return ", ".join(regions)
