"""The calls that answer waiting hooks: by which token, or by instance id, and what is reported."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import pytest

from ringfence.core.audit_events import AuditEvent, HookCompleted, HookHeld, Problem, Waited
from ringfence.core.configuration.settings import Mode
from ringfence.core.errors import Retry, RingfenceError
from ringfence.core.events import LifecycleEvent, Place
from ringfence.core.hook_decision import STILL_WAITS, WaitingInstance, waiting_instances
from ringfence.core.lifecycle import HookResult, Transition
from ringfence.core.lifecycle_decision import Reason
from ringfence.core.model.identifiers import InstanceId
from ringfence.core.model.rosters import MemberState, Roster
from ringfence.core.observation import Described, Listing
from ringfence.core.region_result import RegionResult
from ringfence.reconciler.hook_completion import complete_hooks, let_all_go
from ringfence.reconciler.interfaces import HomeServices, Services
from ringfence.reconciler.pauses import SECONDS_BEFORE_ANOTHER_ANSWER, PauseBudget
from ringfence.reconciler.request import Request
from ringfence_lab.sim.aws.clock import VirtualClock
from ringfence_lab.sim.engine.tasks import Immediate
from tests.unit.builders import (
    EAST,
    I1,
    NOW,
    WEST,
    address,
    instance,
    launching,
    member,
    observed,
    replacing,
    roster,
    rows,
    settings,
    terminating,
)

LAUNCH, TERMINATE = "ringfence-demo-launch", "ringfence-demo-terminate"
REAL, FORGED = "11111111-1111-4111-8111-111111111111", "22222222-2222-4222-8222-222222222222"
ADMITTED, GONE, UNKNOWN = roster({I1: address(1)}), roster(departed={I1: NOW - 10}), roster()
POOL = Place.WARM_POOL

Answer = tuple[str, str | None]
"""A hook that was answered, and the token. None answers by instance id."""


@dataclass(slots=True)
class WaitingHooks:
    """An `AutoScaling` interface with at most one active wait: the hook, and the token of the wait.

    It lists `listed`, and calls the wait inactive for the first `refuses` answers.
    """

    hook: str | None = None
    token: str = REAL
    error: RingfenceError | None = None
    answers: list[Answer] = field(default_factory=list)
    listed: Mapping[InstanceId, str] = field(default_factory=dict)
    refuses: int = 0
    listings: int = 0

    def groups(self, names: Sequence[str]) -> Listing:
        """See `interfaces.AutoScaling.groups`."""
        self.listings += 1
        return Listing(dict.fromkeys(names, self.listed))

    def complete(self, _group: str, hook: str, _instance: InstanceId, token: str | None, _result: HookResult) -> bool:
        """See `interfaces.AutoScaling.complete`."""
        self.answers.append((hook, token))
        if self.error is not None:
            raise self.error
        is_active = hook == self.hook and token in (None, self.token) and len(self.answers) > self.refuses
        if is_active:
            self.hook = None
        return is_active


class NoInstances:
    """An `Instances` interface without instances."""

    def of_groups(self, _names: object) -> Mapping[InstanceId, object]:
        """See `interfaces.Instances.of_groups`."""
        return {}

    def by_id(self, _ids: object) -> Described:
        """See `interfaces.Instances.by_id`."""
        return Described({})

    named = by_id


@dataclass(slots=True)
class Engine:
    """What answers hooks, and what it reported."""

    hooks: WaitingHooks
    clock: VirtualClock = field(default_factory=VirtualClock)
    audit: list[AuditEvent] = field(default_factory=list)
    budget: PauseBudget = field(default_factory=PauseBudget)

    def services(self) -> Services:
        home = HomeServices(self.hooks, NoInstances())  # type: ignore[arg-type]  # it has no instance to return
        return Services(home, {}, self.clock, Immediate(self.clock), self.audit.append)

    def answer(self, waiting: Sequence[WaitingInstance], existing: Roster) -> list[RingfenceError]:
        results = {EAST: RegionResult(EAST), WEST: RegionResult(WEST)}
        return complete_hooks(
            waiting, rows(existing), results, self.services(), settings=settings(), budget=self.budget
        )

    def completed(self) -> list[bool]:
        """Whether each answered hook was active."""
        return [event.was_active for event in self.audit if isinstance(event, HookCompleted)]


def waits(state: str | None, *events: LifecycleEvent) -> list[WaitingInstance]:
    listed = {} if state is None else {I1: state}
    return waiting_instances(observed(listed, instance(I1, address(1))), events, NOW)


def answers(
    hook: str | None, waiting: Sequence[WaitingInstance], existing: Roster, *, seconds: float = 0
) -> list[Answer]:
    """The answers that are tried while one hook is active, some time after the group was listed."""
    engine = Engine(WaitingHooks(hook))
    engine.clock.advance(seconds)
    assert engine.answer(waiting, existing) == []
    return engine.hooks.answers


# An instance that its group lists as waiting.


@pytest.mark.parametrize(
    ("state", "hook", "existing"),
    [("Pending:Wait", LAUNCH, ADMITTED), ("Terminating:Wait", TERMINATE, GONE)],
)
def test_a_listed_wait_without_an_event_is_answered_by_instance_id(state: str, hook: str, existing: Roster) -> None:
    for seconds in (0, STILL_WAITS + 1):
        assert answers(hook, waits(state), existing, seconds=seconds) == [(hook, None)]


@pytest.mark.parametrize(
    ("state", "event", "hook", "existing"),
    [
        ("Pending:Wait", launching(token=REAL), LAUNCH, ADMITTED),
        ("Terminating:Wait", terminating(token=REAL), TERMINATE, GONE),
        ("ReplacingRootVolume:Wait", replacing(token=REAL)[0], TERMINATE, ADMITTED),
        ("Pending:Wait", replacing(token=REAL)[1], LAUNCH, ADMITTED),
        ("Warmed:Pending:Wait", launching(destination=POOL, token=REAL), LAUNCH, UNKNOWN),
        ("Warmed:Pending:Wait", terminating(destination=POOL, token=REAL), TERMINATE, GONE),
        ("Warmed:Terminating:Wait", terminating(origin=POOL, token=REAL), TERMINATE, UNKNOWN),
    ],
)
def test_a_wait_is_answered_once_by_the_token_of_its_event(
    state: str, event: LifecycleEvent, hook: str, existing: Roster
) -> None:
    for seconds in (0, STILL_WAITS + 1):
        assert answers(hook, waits(state, event), existing, seconds=seconds) == [(hook, REAL)]


@pytest.mark.parametrize(
    ("state", "event", "hook", "existing"),
    [
        ("Pending:Wait", launching(token=FORGED), LAUNCH, ADMITTED),
        ("Terminating:Wait", terminating(token=FORGED), TERMINATE, GONE),
        ("Warmed:Pending:Wait", launching(destination=POOL, token=FORGED), LAUNCH, UNKNOWN),
        ("Warmed:Terminating:Wait", terminating(origin=POOL, token=FORGED), TERMINATE, UNKNOWN),
    ],
)
def test_a_token_that_is_not_active_hides_no_wait_that_the_group_listed_lately(
    state: str, event: LifecycleEvent, hook: str, existing: Roster
) -> None:
    waiting = waits(state, event)
    assert answers(hook, waiting, existing, seconds=STILL_WAITS) == [(hook, FORGED), (hook, None)]
    # when the instance may wait for something else since
    assert answers(hook, waiting, existing, seconds=STILL_WAITS + 1) == [(hook, FORGED)]


def test_the_replacement_of_a_root_volume_is_answered_without_an_event_while_its_listing_is_new() -> None:
    waiting = waits("ReplacingRootVolume:Wait")
    assert answers(TERMINATE, waiting, ADMITTED, seconds=STILL_WAITS) == [(TERMINATE, None)]
    # when the instance may be terminating since
    assert answers(TERMINATE, waiting, ADMITTED, seconds=STILL_WAITS + 1) == []


def test_an_instance_that_departed_is_not_let_go_by_an_older_listing_of_a_replacement() -> None:
    for event in ((), replacing(token=REAL)[:1]):
        assert answers(TERMINATE, waits("ReplacingRootVolume:Wait", *event), GONE) == []


def test_a_fresh_termination_is_not_answered_as_the_replacement_of_a_root_volume() -> None:
    assert answers(TERMINATE, waits("ReplacingRootVolume:Wait", terminating(token=REAL)), ADMITTED) == []


def test_a_forged_transition_hides_no_wait_in_a_warm_pool() -> None:
    # given an instance on its way from EC2 into the pool, and a forged event of its return from the group
    waiting = waits("Warmed:Pending:Wait", terminating(destination=POOL, token=FORGED))
    assert answers(LAUNCH, waiting, UNKNOWN) == [(TERMINATE, FORGED), (TERMINATE, None), (LAUNCH, None)]


@pytest.mark.parametrize("token", [None, FORGED])
def test_a_forged_termination_hides_no_launch(token: str | None) -> None:
    waiting = waits("Pending:Wait", terminating(token=token))
    assert answers(LAUNCH, waiting, ADMITTED) == [(LAUNCH, None)]


def test_the_token_of_another_hook_is_not_used() -> None:
    other = launching(token=FORGED)
    waiting = waits("Pending:Wait", _of_hook(other, "of-another-tool"))
    assert answers(LAUNCH, waiting, ADMITTED) == [(LAUNCH, None)]


# An instance that its group does not list as waiting.


def test_an_unlisted_instance_is_answered_only_by_its_token() -> None:
    assert answers(LAUNCH, waits(None, launching(token=REAL)), ADMITTED) == [(LAUNCH, REAL)]
    assert answers(TERMINATE, waits(None, terminating(token=REAL)), GONE) == [(TERMINATE, REAL)]


def test_a_token_that_is_not_active_does_not_answer_an_unlisted_instance_by_its_id() -> None:
    assert answers(LAUNCH, waits(None, launching(token=FORGED)), ADMITTED) == [(LAUNCH, FORGED)]


def test_an_event_of_another_hook_does_not_answer_an_unlisted_instance() -> None:
    waiting = waits(None, _of_hook(launching(token=FORGED), "of-another-tool"))
    assert answers(LAUNCH, waiting, ADMITTED) == []


def test_an_event_without_a_token_does_not_answer_an_unlisted_instance() -> None:
    assert answers(LAUNCH, waits(None, launching()), ADMITTED) == []


# A listed wait that Auto Scaling calls inactive.


@pytest.mark.parametrize(
    ("state", "event", "hook", "existing"),
    [
        ("Pending:Wait", launching(token=REAL), LAUNCH, ADMITTED),
        ("Terminating:Wait", terminating(token=REAL), TERMINATE, GONE),
        ("ReplacingRootVolume:Wait", replacing(token=REAL)[0], TERMINATE, ADMITTED),
        ("Warmed:Terminating:Wait", terminating(origin=POOL, token=REAL), TERMINATE, UNKNOWN),
    ],
)
def test_a_listed_wait_that_is_called_inactive_is_answered_two_seconds_later(
    state: str, event: LifecycleEvent, hook: str, existing: Roster
) -> None:
    engine = Engine(WaitingHooks(hook, listed={I1: state}, refuses=2))
    assert engine.answer(waits(state, event), existing) == []
    assert engine.hooks.answers == [(hook, REAL), (hook, None), (hook, REAL)]
    assert engine.completed() == [False, False, True]
    assert engine.clock.now() == Engine(WaitingHooks()).clock.now() + SECONDS_BEFORE_ANOTHER_ANSWER


@pytest.mark.parametrize("state", ["InService", "Terminating:Wait", "Warmed:Pending:Wait", None])
def test_a_wait_that_is_not_listed_any_more_is_not_answered_again(state: str | None) -> None:
    engine = Engine(WaitingHooks(listed={} if state is None else {I1: state}))
    assert engine.answer(waits("Pending:Wait"), ADMITTED) == []
    assert engine.hooks.answers == [(LAUNCH, None)]


def test_an_answer_is_tried_again_only_once_for_an_invocation() -> None:
    engine = Engine(WaitingHooks(listed={I1: "Pending:Wait"}))
    for _ in range(3):
        engine.answer(waits("Pending:Wait"), ADMITTED)
    assert engine.hooks.listings == 1
    assert engine.hooks.answers == [(LAUNCH, None)] * 4


def test_an_active_answer_and_one_to_an_unlisted_wait_cost_no_pause() -> None:
    for hook, waiting in ((LAUNCH, waits("Pending:Wait")), (None, waits(None, launching(token=FORGED)))):
        engine = Engine(WaitingHooks(hook, listed={I1: "Pending:Wait"}))
        began = engine.clock.now()
        engine.answer(waiting, ADMITTED)
        assert (engine.hooks.listings, engine.clock.now()) == (0, began)


def test_a_listing_that_fails_before_the_second_answer_is_a_failure() -> None:
    class Throttled(WaitingHooks):
        def groups(self, _names: Sequence[str]) -> Listing:
            raise Retry("throttled")

    (error,) = Engine(Throttled()).answer(waits("Pending:Wait"), ADMITTED)
    assert str(error) == "throttled"


# What is reported.


def test_each_tried_answer_is_reported_with_its_outcome() -> None:
    engine = Engine(WaitingHooks(LAUNCH))
    engine.answer(waits("Pending:Wait", launching(at=NOW - 3, token=FORGED)), ADMITTED)
    assert engine.completed() == [False, True]
    told = Waited(3.0, is_exact=True)
    assert [event.waited for event in engine.audit if isinstance(event, HookCompleted)] == [told, told]


def test_a_held_instance_is_reported_and_not_answered() -> None:
    engine = Engine(WaitingHooks(TERMINATE))
    engine.answer(waits("Terminating:Wait"), ADMITTED)
    assert engine.hooks.answers == []
    assert [event.why for event in engine.audit if isinstance(event, HookHeld)] == ["its group lists it as a member"]


def test_a_failed_answer_is_returned_and_not_tried_again() -> None:
    engine = Engine(WaitingHooks(LAUNCH, error=Retry("throttled")))
    (error,) = engine.answer(waits("Pending:Wait", launching(token=REAL)), ADMITTED)
    assert str(error) == "throttled"
    assert engine.hooks.answers == [(LAUNCH, REAL)]


def test_an_instance_whose_hook_could_not_be_answered_is_reported_as_held() -> None:
    engine = Engine(WaitingHooks(LAUNCH, error=Retry("throttled")))
    engine.answer(waits("Pending:Wait", launching(at=NOW - 9, token=REAL)), ADMITTED)
    why = "Auto Scaling did not take the answer to its hook: throttled"
    waited = Waited(9.0, is_exact=True)
    assert engine.audit == [HookHeld("db", I1, LAUNCH, Transition.LAUNCH, Reason.NOT_ANSWERED, why, waited)]


@pytest.mark.parametrize(
    ("state", "existing", "hook"),
    [
        ("Pending:Wait", roster({I1: member(state=MemberState.WAITING, since=NOW - 20)}), LAUNCH),
        ("Terminating:Wait", replace(GONE, pending_releases={}), TERMINATE),
    ],
)
def test_without_an_event_the_roster_tells_how_long_an_instance_has_waited_at_least(
    state: str, existing: Roster, hook: str
) -> None:
    engine = Engine(WaitingHooks(hook))
    engine.answer(waits(state), existing)
    (event,) = [event for event in engine.audit if isinstance(event, HookCompleted | HookHeld)]
    seconds = 20.0 if hook == LAUNCH else 10.0
    assert (event.hook, event.waited) == (hook, Waited(seconds, is_exact=False))


def test_a_held_instance_whose_state_allows_both_hooks_has_no_transition() -> None:
    engine = Engine(WaitingHooks())
    engine.clock.advance(STILL_WAITS + 1)
    engine.answer(waits("Warmed:Pending:Wait"), UNKNOWN)
    (event,) = [event for event in engine.audit if isinstance(event, HookHeld)]
    assert (event.hook, event.transition, event.reason) == (None, None, Reason.OLD_LISTING)


# Observe mode.


@pytest.mark.parametrize("event", [launching(), launching(at=None), launching(token=REAL), terminating(token=REAL)])
def test_observe_mode_answers_the_hook_of_every_event(event: LifecycleEvent) -> None:
    hook = event.hook
    engine = Engine(WaitingHooks(hook))
    let_all_go(Request([event], settings(mode=Mode.OBSERVE)), engine.services())
    assert engine.hooks.answers == [(hook, event.token)]
    assert engine.completed() == [True]


def test_observe_mode_reports_an_answer_that_failed() -> None:
    engine = Engine(WaitingHooks(LAUNCH, error=Retry("throttled")))
    let_all_go(Request([launching()], settings(mode=Mode.OBSERVE)), engine.services())
    held, problem = engine.audit
    assert isinstance(held, HookHeld)
    assert held.reason is Reason.NOT_ANSWERED
    assert problem == Problem("throttled")


def _of_hook(event: LifecycleEvent, hook: str) -> LifecycleEvent:
    return replace(event, hook=hook)
