"""Answers the lifecycle hooks that wait: does what `settle` decides.

Part of the shell: it calls ports. Knows nothing of why an instance is admitted or released.
"""

from collections.abc import Iterable, Mapping
from functools import partial

from ringfence.core.audit_events import HookCompleted, HookHeld, Problem
from ringfence.core.errors import RingfenceError
from ringfence.core.events import LifecycleEvent
from ringfence.core.hook_decision import Complete, Hold, WaitingInstance, answer, observed, told
from ringfence.core.lifecycle import Transition
from ringfence.core.membership import latest_of_each
from ringfence.core.model.identifiers import Region, RosterKey
from ringfence.core.model.rosters import Rows
from ringfence.core.region_result import RegionResult
from ringfence.core.settings import Settings
from ringfence.reconciler.interfaces import Services, gather


def settle_hooks(
    waits: Iterable[WaitingInstance],
    rows: Rows,
    outcomes: Mapping[Region, RegionResult],
    services: Services,
    settings: Settings,
) -> list[RingfenceError]:
    """Answers those that can go on, all at a time, and leaves the others waiting. Returns what went wrong."""
    home = outcomes[settings.region]
    peers = {region: outcome for region, outcome in outcomes.items() if region != settings.region}
    now = services.clock.now()
    completions = []
    for one in waits:
        roster = rows.rosters[RosterKey(settings.region, one.group)]
        match answer(one, roster, home, peers, now, settings):
            case Hold(why=why):
                services.audit(HookHeld(one.group, one.instance, why))
            case Complete() as complete:
                completions.append(partial(_complete, complete, services, settings))
    return [error for error in gather(services.tasks, completions) if error is not None]


def let_go(events: Iterable[LifecycleEvent], services: Services, settings: Settings) -> None:
    """Lets everybody that an event named go on at once: whoever only observes holds up nobody, whatever else fails."""
    answers = [observed(told(event, services.clock.now())) for event in latest_of_each(events)]
    for error in gather(services.tasks, [partial(_complete, each, services, settings) for each in answers]):
        if error is not None:
            services.audit(Problem(str(error)))


def _complete(answer: Complete, services: Services, settings: Settings) -> RingfenceError | None:
    """Answers one hook. One that is not active (any more) is no error."""
    one = answer.waiting
    hooks = {Transition.LAUNCH: settings.launch_hook, Transition.TERMINATE: settings.terminate_hook}
    for hook in (hooks[transition] for transition in one.transitions):
        # By the token, where the event was of our hook: the instance may have gone on since, and wait anew.
        token = one.event.token if one.event is not None and one.event.hook == hook else None
        try:
            active = services.home.auto_scaling.complete(one.group, hook, one.instance, token, answer.result)
        except RingfenceError as error:
            return error
        time = one.event.time if one.event is not None else None
        seconds = None if time is None else max(0.0, services.clock.now() - time)
        result, why = answer.result.value, answer.why
        services.audit(HookCompleted(one.group, one.instance, hook, result, why, one.launching, active, seconds))
        if active:
            return None
    return None
