"""Answers the waiting lifecycle hooks as `hook_decision` decides.

Calls interfaces. Knows nothing of why an instance is admitted or released.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial

from ringfence.core.audit_events import Problem
from ringfence.core.configuration.settings import Settings
from ringfence.core.errors import HookNotAnswered, Permanent, RingfenceError
from ringfence.core.freshness import latest_of_each
from ringfence.core.hook_decision import (
    STILL_WAITS,
    Complete,
    Hold,
    RegionResults,
    WaitingInstance,
    decide,
    let_go,
    named_by,
    waiting_instances,
)
from ringfence.core.lifecycle_decision import Reason
from ringfence.core.model.identifiers import Region, RosterKey
from ringfence.core.model.rosters import Rows
from ringfence.core.observation import Observation
from ringfence.core.region_result import RegionResult
from ringfence.reconciler.hook_report import HookReport
from ringfence.reconciler.interfaces import Clock, Services, run_concurrently
from ringfence.reconciler.pauses import SECONDS_BEFORE_ANOTHER_ANSWER, PauseBudget
from ringfence.reconciler.request import Request


def complete_hooks(
    waiting: Iterable[WaitingInstance],
    rows: Rows,
    results: Mapping[Region, RegionResult],
    services: Services,
    *,
    settings: Settings,
    budget: PauseBudget,
) -> list[RingfenceError]:
    """Answers the hooks that can be answered, concurrently, and leaves the others waiting. Returns the failures.

    Auto Scaling can say that no lifecycle action is active although the group lists the wait, and accept the answer a
    moment later (PrairieLearn #15586). So an answer to a listed wait is tried once more, if the wait is still listed.
    """
    peers = {region: result for region, result in results.items() if region != settings.region}
    pause = rows.pause_of(settings.region)
    known = RegionResults(results[settings.region], peers, services.clock.now(), pause)
    report = HookReport(services, settings, rows)
    decisions: list[Complete] = []
    for instance in waiting:
        roster = rows.rosters[RosterKey(settings.region, instance.group)]
        match decide(instance, roster, known, settings):
            case Hold(reason=reason, why=why):
                report.held(instance, reason, why)
            case Complete() as decision:
                decisions.append(decision)
    inactive, errors = _answer(decisions, services, report)
    if inactive and budget.take_answer():
        services.tasks.sleep(SECONDS_BEFORE_ANOTHER_ANSWER)
        try:
            still_waiting = _still_waiting(inactive, services)
        except RingfenceError as error:
            return [*errors, error]
        errors += _answer(still_waiting, services, report)[1]
    return errors


def let_all_go(request: Request, services: Services) -> None:
    """Answers the hook of every event, concurrently: an engine that only observes holds no instance, even if something
    fails later."""
    now = services.clock.now()
    decisions = [let_go(named_by(event, now), request.pause) for event in latest_of_each(request.lifecycle_events, now)]
    for error in _answer(decisions, services, HookReport(services, request.settings))[1]:
        services.audit(Problem(str(error)))


def _answer(
    decisions: Sequence[Complete], services: Services, report: HookReport
) -> tuple[list[Complete], list[RingfenceError]]:
    """Answers hooks, concurrently. Returns the listed waits of which none was active, and the failures."""
    answered = run_concurrently(
        services.tasks, [partial(_complete, decision, services, report) for decision in decisions]
    )
    outcomes = list(zip(decisions, answered, strict=True))
    inactive = [decision for decision, outcome in outcomes if outcome is False and decision.waiting.listed]
    return inactive, [outcome for outcome in answered if isinstance(outcome, RingfenceError)]


def _still_waiting(decisions: Sequence[Complete], services: Services) -> list[Complete]:
    """The decisions whose instances are still listed in the same wait, with the new listing's time."""
    seen_at = services.clock.now()
    listing = services.home.auto_scaling.groups(sorted({decision.waiting.group for decision in decisions}))
    events = [decision.waiting.event for decision in decisions if decision.waiting.event is not None]
    waiting = waiting_instances(Observation(listing.states, {}), events, seen_at)
    listed = {(found.group, found.instance): found for found in waiting}
    return [
        replace(decision, waiting=found)
        for decision in decisions
        if (found := listed.get((decision.waiting.group, decision.waiting.instance))) is not None
        and found.is_same_wait(decision.waiting)
    ]


def _complete(decision: Complete, services: Services, report: HookReport) -> RingfenceError | bool:
    """Answers one hook. Returns whether it was active; one that is not active (any more) is no error."""
    waiting = decision.waiting
    for transition in waiting.transitions:
        hook = report.hook_of(transition)
        for token in _tokens(waiting, hook, services.clock):
            try:
                active = services.home.auto_scaling.complete(
                    waiting.group, hook, waiting.instance, token, decision.result
                )
            except RingfenceError as error:
                report.held(waiting, Reason.NOT_ANSWERED, f"Auto Scaling did not take the answer to its hook: {error}")
                return HookNotAnswered(error, waiting.event) if isinstance(error, Permanent) else error
            report.answered(decision, transition, was_active=active)
            if active:
                return True
    return False


def _tokens(waiting: WaitingInstance, hook: str, clock: Clock) -> Iterator[str | None]:
    """The tokens to answer a hook with, until one is active. None answers by instance id.

    The event's token comes first if the event is of our hook: the instance may wait for something else by now. If that
    token is not active, the event may be forged, and must not hide a wait that the group lists. A wait that the group
    does not list is answered by instance id only in observe mode, by an event without a token. The listing's age counts
    when the first answer is known: that can take long.
    """
    event = waiting.event
    token = event.token if event is not None and event.hook == hook else None
    if token is not None:
        yield token
    if waiting.listed:
        can_wait_for_another = waiting.may_wait_for_another or token is not None
        if not can_wait_for_another or clock.now() - waiting.seen_at <= STILL_WAITS:
            yield None
    elif not waiting.has_token:
        yield None
