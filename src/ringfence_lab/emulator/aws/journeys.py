"""Takes instances along their routes through the lifecycle: lifecycle states, hooks, heartbeats, events.

Whoever calls holds the lock; timers take it themselves. Does not know what an instance's arrival means for its group.
"""

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
from ringfence_lab.emulator.aws.lifecycle import Hook, LifecycleAction, Passage, Result, Route, Transition

Lock = AbstractContextManager[Any, None]
"""A lock that one thread can take more than once, such as `threading.RLock`."""

Schedule = Callable[[float, Callable[[], None]], None]
"""Calls a function after so many seconds."""

Arrived = Callable[[Group, Member, Passage], None]
"""What to do with an instance at its route's end."""

_Step = Callable[[Group, Member, Passage], None]


def hooks_of(group: Group, transition: Transition) -> list[Hook]:
    """The hooks that a group has now for a transition."""
    put = group.autoscaling_backend.describe_lifecycle_hooks(group.name)
    hooks = (
        Hook(
            hook.name,
            Transition(str(hook.lifecycle_transition)),
            int(hook.heartbeat_timeout),
            Result(hook.default_result),
            getattr(hook, "notification_metadata", None),
        )
        for hook in put
    )
    return [hook for hook in hooks if hook.transition is transition]


@dataclass(slots=True)
class Passages:
    """The instances that are on their way. `step_seconds` is how long a state that no hook holds is to be seen."""

    emit: events.Emit
    schedule: Schedule
    lock: Lock
    now: Callable[[], float]
    step_seconds: float
    arrived: Arrived
    _passages: dict[str, Passage] = field(default_factory=dict)

    def of(self, member: Member) -> Passage | None:
        """The way that an instance is on."""
        return self._passages.get(member.instance_id)

    def begin(self, group: Group, member: Member, route: Route) -> None:
        """Sends an instance on a route. The one that it was on, and what held it there, are over."""
        passage = Passage(route)
        self._go_on(member, passage, route.state)
        self._after_step(group, member, passage, self._wait_for_hooks)

    def cancel(self, member: Member) -> None:
        """Forgets the way that an instance is on, and what holds it there."""
        self._passages.pop(member.instance_id, None)

    def complete(
        self, group: Group, hook_name: str, token: str | None, instance_id: str | None, result: Result
    ) -> None:
        """Ends a lifecycle action. Raises ValidationError if there is no such action."""
        member, passage, action = self._find(group, hook_name, token, instance_id)
        self._advance(group, member, passage.completed(action, result))

    def record_heartbeat(self, group: Group, hook_name: str, token: str | None, instance_id: str | None) -> None:
        """Begins a lifecycle action's timeout anew. Raises ValidationError if there is no such action."""
        member, passage, action = self._find(group, hook_name, token, instance_id)
        self._passages[member.instance_id] = passage.prolonged(action, self.now())

    def end_actions_of(self, group: Group, hook_name: str) -> None:
        """Ends what waits for a hook that goes: launches are abandoned, terminations continue.

        Source: Amazon EC2 Auto Scaling API Reference, DeleteLifecycleHook.
        """
        for member in list(group.instance_states):
            passage = self.of(member)
            action = passage and passage.find(hook_name, None)
            if passage and action:
                launching = passage.route.transition is Transition.LAUNCHING
                self._advance(
                    group, member, passage.completed(action, Result.ABANDON if launching else Result.CONTINUE)
                )

    def _find(
        self, group: Group, hook_name: str, token: str | None, instance_id: str | None
    ) -> tuple[Member, Passage, LifecycleAction]:
        for member in group.instance_states:
            passage = self.of(member)
            if passage and instance_id in (None, member.instance_id):
                action = passage.find(hook_name, token)
                if action:
                    return member, passage, action
        named = f"token {token}" if token else f"instance ID {instance_id}"
        raise ValidationError(f"No active Lifecycle Action found with {named}")

    def _wait_for_hooks(self, group: Group, member: Member, passage: Passage) -> None:
        hooks = hooks_of(group, passage.route.transition)
        if not hooks:
            self._arrive(group, member, passage)
            return
        held = passage.held(hooks, self.now(), lambda: str(uuid.uuid4()))
        self._go_on(member, held, held.route.waiting)
        for action in held.actions:
            self._expect_end(group, member, action)
            detail = events.lifecycle_action(group.name, member.instance_id, held.route, action)
            self.emit(group.region, events.SOURCE, events.lifecycle_action_type(held.route), detail, [group.arn])

    def _expect_end(self, group: Group, member: Member, action: LifecycleAction) -> None:
        expire = partial(self._expire, group, member, action)
        self.schedule(max(0.0, action.deadline - self.now()), expire)

    def _expire(self, group: Group, member: Member, expected: LifecycleAction) -> None:
        with self.lock:
            passage = self.of(member)
            action = passage and passage.find(expected.hook.name, expected.token)
            if not passage or not action:
                return
            if action.deadline > self.now():
                self._expect_end(group, member, action)
            else:
                self._advance(group, member, passage.completed(action, action.hook.default_result))

    def _advance(self, group: Group, member: Member, passage: Passage) -> None:
        if passage.actions:
            self._passages[member.instance_id] = passage
        else:
            self._go_on(member, passage, passage.route.proceeding)
            self._after_step(group, member, passage, self._arrive)

    def _arrive(self, group: Group, member: Member, passage: Passage) -> None:
        del self._passages[member.instance_id]
        self.arrived(group, member, passage)

    def _go_on(self, member: Member, passage: Passage, state: str) -> None:
        self._passages[member.instance_id] = passage
        member.lifecycle_state = state

    def _after_step(self, group: Group, member: Member, passage: Passage, step: _Step) -> None:
        def step_on() -> None:
            with self.lock:
                if self.of(member) is passage:
                    step(group, member, passage)

        if self.step_seconds:
            self.schedule(self.step_seconds, step_on)
        else:
            step(group, member, passage)
