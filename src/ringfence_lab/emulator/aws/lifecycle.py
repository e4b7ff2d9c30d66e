"""The routes of an instance into and out of an Auto Scaling group, and the hooks that hold it there.

Pure: no clock, no moto. Sources, all of the Amazon EC2 Auto Scaling User Guide: "Amazon EC2 Auto Scaling instance
lifecycle", "How lifecycle hooks work in Auto Scaling groups", "Use lifecycle hooks with a warm pool", "Replace root
volumes during instance refresh".
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from enum import StrEnum

_LONGEST_SECONDS = 48 * 3600
_MOST_HEARTBEATS = 100


class Transition(StrEnum):
    """The transitions that a hook can hold."""

    LAUNCHING = "autoscaling:EC2_INSTANCE_LAUNCHING"
    TERMINATING = "autoscaling:EC2_INSTANCE_TERMINATING"


class HookResult(StrEnum):
    """How a lifecycle action ends."""

    CONTINUE = "CONTINUE"
    ABANDON = "ABANDON"


class Place(StrEnum):
    """The origin and the destination of an instance, as events name them."""

    EC2 = "EC2"
    GROUP = "AutoScalingGroup"
    WARM_POOL = "WarmPool"


@dataclass(frozen=True, slots=True)
class Route:
    """A way through the lifecycle. `state` is the lifecycle state at its start; `action` is what its events name."""

    transition: Transition
    origin: Place
    destination: Place
    state: str
    action: str | None = None

    @property
    def waiting(self) -> str:
        """The state while hooks hold the instance."""
        return f"{self.state}:Wait"

    @property
    def proceeding(self) -> str:
        """The state after hooks let the instance go."""
        return f"{self.state}:Proceed"


LAUNCH = Route(Transition.LAUNCHING, Place.EC2, Place.GROUP, "Pending")
TERMINATE = Route(Transition.TERMINATING, Place.GROUP, Place.EC2, "Terminating")
INTO_POOL = Route(Transition.LAUNCHING, Place.EC2, Place.WARM_POOL, "Warmed:Pending")
OUT_OF_POOL = Route(Transition.LAUNCHING, Place.WARM_POOL, Place.GROUP, "Pending")
BACK_INTO_POOL = Route(Transition.TERMINATING, Place.GROUP, Place.WARM_POOL, "Warmed:Pending")
TERMINATE_IN_POOL = Route(Transition.TERMINATING, Place.WARM_POOL, Place.EC2, "Warmed:Terminating")
REPLACE_ROOT_VOLUME = Route(
    Transition.TERMINATING, Place.GROUP, Place.GROUP, "ReplacingRootVolume", "ReplaceRootVolume"
)
WITH_NEW_ROOT_VOLUME = Route(Transition.LAUNCHING, Place.GROUP, Place.GROUP, "Pending", "ReplaceRootVolume")


@dataclass(frozen=True, slots=True)
class Hook:
    """A lifecycle hook. `heartbeat_timeout` is in seconds; after it the action ends with `default_result`."""

    name: str
    transition: Transition
    heartbeat_timeout: int = 3600
    default_result: HookResult = HookResult.ABANDON
    notification_metadata: str | None = None

    @property
    def global_timeout(self) -> int:
        """The maximum time of an action in seconds, however often its heartbeat is recorded."""
        return min(_LONGEST_SECONDS, _MOST_HEARTBEATS * self.heartbeat_timeout)


@dataclass(frozen=True, slots=True)
class LifecycleAction:
    """One hook that one instance waits for. `began` and `deadline` are in seconds of the caller's clock."""

    hook: Hook
    token: str
    began: float
    deadline: float

    def prolonged(self, now: float) -> "LifecycleAction":
        """The action after its heartbeat was recorded."""
        latest = self.began + self.hook.global_timeout
        return replace(self, deadline=min(now + self.hook.heartbeat_timeout, latest))


@dataclass(frozen=True, slots=True)
class Journey:
    """One instance's progress along a route: the actions that it still waits for, and whether one was abandoned."""

    route: Route
    actions: tuple[LifecycleAction, ...] = ()
    abandoned: bool = False

    def held(self, hooks: Iterable[Hook], now: float, new_token: Callable[[], str]) -> "Journey":
        """The journey when it waits for hooks."""
        actions = (LifecycleAction(hook, new_token(), now, now + hook.heartbeat_timeout) for hook in hooks)
        return replace(self, actions=tuple(actions))

    def completed(self, action: LifecycleAction, result: HookResult) -> "Journey":
        """The journey after an action ended. ABANDON ends all other actions, too."""
        if result is HookResult.ABANDON:
            return replace(self, actions=(), abandoned=True)
        return replace(self, actions=tuple(remaining for remaining in self.actions if remaining.token != action.token))

    def prolonged(self, action: LifecycleAction, now: float) -> "Journey":
        """The journey after an action's heartbeat was recorded."""
        return replace(
            self,
            actions=tuple(active.prolonged(now) if active.token == action.token else active for active in self.actions),
        )

    def find(self, hook_name: str, token: str | None) -> LifecycleAction | None:
        """The active action of a hook, if its token is the given one or none is given."""
        found = (action for action in self.actions if action.hook.name == hook_name)
        return next((action for action in found if token in (None, action.token)), None)
