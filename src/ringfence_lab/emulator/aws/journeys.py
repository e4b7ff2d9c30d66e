"""Moves instances along their routes through the lifecycle: lifecycle states, hooks, heartbeats, events.

The caller holds the lock; timers acquire it themselves. It must not know what an arrival means for the group.
"""

import time
import uuid
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from moto.autoscaling.exceptions import ValidationError
from moto.autoscaling.models import FakeAutoScalingGroup as Group
from moto.autoscaling.models import InstanceState as Member

from ringfence_lab.emulator.aws import events
from ringfence_lab.emulator.aws.lifecycle import Hook, HookResult, Journey, LifecycleAction, Route, Transition

Lock = AbstractContextManager[Any, None]
"""A lock that one thread can acquire more than once, such as `threading.RLock`."""

CallLater = Callable[[float, Callable[[], None]], None]
"""Calls a function after so many seconds."""

Arrived = Callable[[Group, Member, Journey], None]
"""Handles an instance at the end of its route."""

_Step = Callable[[Group, Member, Journey], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Environment:
    """What the groups need from outside.

    `send_event` sends an event and does not wait. `call_later` uses the clock that `now` reads. `lock` protects moto:
    it is held around each request, and around each function that `call_later` calls. `step_seconds` is how long a
    lifecycle state lasts that no hook holds. `settle_seconds` is how long a new instance lacks its tag and its public
    address (flocker #2237).
    """

    send_event: events.SendEvent
    call_later: CallLater
    lock: Lock
    now: Callable[[], float] = time.monotonic
    step_seconds: float = 0.0
    settle_seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class ActionId:
    """How a request names a lifecycle action: by the hook, and by the token or the instance id."""

    hook_name: str
    token: str | None
    instance_id: str | None


def hooks_of(group: Group, transition: Transition) -> list[Hook]:
    """The current hooks of a group for a transition."""
    put = group.autoscaling_backend.describe_lifecycle_hooks(group.name)
    hooks = (
        Hook(
            hook.name,
            Transition(str(hook.lifecycle_transition)),
            int(hook.heartbeat_timeout),
            HookResult(hook.default_result),
            getattr(hook, "notification_metadata", None),
        )
        for hook in put
    )
    return [hook for hook in hooks if hook.transition is transition]


@dataclass(slots=True)
class Journeys:
    """The instances that are under way. `arrived` handles each at the end of its route."""

    environment: Environment
    arrived: Arrived
    _journeys: dict[str, Journey] = field(default_factory=dict)

    def of(self, member: Member) -> Journey | None:
        """The journey of an instance, if it is under way."""
        return self._journeys.get(member.instance_id)

    def begin(self, group: Group, member: Member, route: Route) -> None:
        """Starts an instance on a route. Its former journey and the actions of it end."""
        journey = Journey(route)
        self._go_on(member, journey, route.state)
        self._after_step(group, member, journey, self._wait_for_hooks)

    def cancel(self, member: Member) -> None:
        """Ends the journey of an instance and its actions."""
        self._journeys.pop(member.instance_id, None)

    def complete(self, group: Group, action_id: ActionId, result: HookResult) -> None:
        """Ends a lifecycle action. Raises ValidationError if there is no such action."""
        member, journey, action = self._find(group, action_id)
        self._advance(group, member, journey.completed(action, result))

    def record_heartbeat(self, group: Group, action_id: ActionId) -> None:
        """Restarts the timeout of a lifecycle action. Raises ValidationError if there is no such action."""
        member, journey, action = self._find(group, action_id)
        self._journeys[member.instance_id] = journey.prolonged(action, self.environment.now())

    def end_actions_of(self, group: Group, hook_name: str) -> None:
        """Ends the actions of a deleted hook: launches are abandoned, terminations continue.

        Source: Amazon EC2 Auto Scaling API Reference, DeleteLifecycleHook.
        """
        for member in list(group.instance_states):
            journey = self.of(member)
            action = journey and journey.find(hook_name, None)
            if journey and action:
                launching = journey.route.transition is Transition.LAUNCHING
                self._advance(
                    group, member, journey.completed(action, HookResult.ABANDON if launching else HookResult.CONTINUE)
                )

    def _find(self, group: Group, wanted: ActionId) -> tuple[Member, Journey, LifecycleAction]:
        for member in group.instance_states:
            journey = self.of(member)
            if journey and wanted.instance_id in (None, member.instance_id):
                action = journey.find(wanted.hook_name, wanted.token)
                if action:
                    return member, journey, action
        named = f"token {wanted.token}" if wanted.token else f"instance ID {wanted.instance_id}"
        raise ValidationError(f"No active Lifecycle Action found with {named}")

    def _wait_for_hooks(self, group: Group, member: Member, journey: Journey) -> None:
        hooks = hooks_of(group, journey.route.transition)
        if not hooks:
            self._arrive(group, member, journey)
            return
        held = journey.held(hooks, self.environment.now(), lambda: str(uuid.uuid4()))
        self._go_on(member, held, held.route.waiting)
        for action in held.actions:
            self._expect_end(group, member, action)
            detail = events.lifecycle_action(group.name, member.instance_id, held.route, action)
            self.environment.send_event(
                group.region, events.SOURCE, events.lifecycle_action_type(held.route), detail, [group.arn]
            )

    def _expect_end(self, group: Group, member: Member, action: LifecycleAction) -> None:
        expire = partial(self._expire, group, member, action)
        self.environment.call_later(max(0.0, action.deadline - self.environment.now()), expire)

    def _expire(self, group: Group, member: Member, expected: LifecycleAction) -> None:
        with self.environment.lock:
            journey = self.of(member)
            action = journey and journey.find(expected.hook.name, expected.token)
            if not journey or not action:
                return
            if action.deadline > self.environment.now():
                self._expect_end(group, member, action)
            else:
                self._advance(group, member, journey.completed(action, action.hook.default_result))

    def _advance(self, group: Group, member: Member, journey: Journey) -> None:
        if journey.actions:
            self._journeys[member.instance_id] = journey
        else:
            self._go_on(member, journey, journey.route.proceeding)
            self._after_step(group, member, journey, self._arrive)

    def _arrive(self, group: Group, member: Member, journey: Journey) -> None:
        del self._journeys[member.instance_id]
        self.arrived(group, member, journey)

    def _go_on(self, member: Member, journey: Journey, state: str) -> None:
        self._journeys[member.instance_id] = journey
        member.lifecycle_state = state

    def _after_step(self, group: Group, member: Member, journey: Journey, step: _Step) -> None:
        def step_on() -> None:
            with self.environment.lock:
                if self.of(member) is journey:
                    step(group, member, journey)

        if self.environment.step_seconds:
            self.environment.call_later(self.environment.step_seconds, step_on)
        else:
            step(group, member, journey)
