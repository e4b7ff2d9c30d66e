"""The routes of an instance through the lifecycle of its Auto Scaling group, and the hooks that hold it there.

Sources: Amazon EC2 Auto Scaling User Guide, "Instance lifecycle", "How lifecycle hooks work", "Use lifecycle hooks
with a warm pool", "Replace root volumes during instance refresh". Pure values: no clock, no group.
"""

from dataclasses import dataclass, field

from ringfence.core.events import Action, Place
from ringfence.core.lifecycle import HookResult, Transition
from ringfence.core.model.identifiers import InstanceId

MAXIMUM_WAIT = 48 * 3600
MAXIMUM_HEARTBEATS = 100
"""The longest time that an instance can wait, in seconds and in heartbeats; the shorter one applies.

Source: Auto Scaling User Guide, "How lifecycle hooks work", the global timeout."""

POOLED = ("Warmed:Stopped", "Warmed:Running")
"""The states of an instance that is ready in the warm pool."""

REPLACING = ("ReplacingRootVolume", "ReplacingRootVolume:Wait", "ReplacingRootVolume:Proceed", "RootVolumeReplaced")
"""The states of an instance whose root volume is replaced. It keeps its addresses and its group."""

COUNTED = ("Pending", "Pending:Wait", "Pending:Proceed", "InService", *REPLACING)
"""The states that count for the desired capacity."""


@dataclass(frozen=True, slots=True)
class Hook:
    """A lifecycle hook. After `heartbeat` seconds the action ends with the default result."""

    name: str
    transition: Transition
    heartbeat: float = 300.0
    default_result: HookResult = HookResult.CONTINUE


@dataclass(frozen=True, slots=True)
class Route:
    """A way through the lifecycle that hooks can hold. `state` is the lifecycle state at its start."""

    transition: Transition
    origin: Place
    destination: Place
    state: str
    action: Action | None = None


LAUNCH = Route(Transition.LAUNCH, Place.EC2, Place.GROUP, "Pending")
INTO_POOL = Route(Transition.LAUNCH, Place.EC2, Place.WARM_POOL, "Warmed:Pending")
OUT_OF_POOL = Route(Transition.LAUNCH, Place.WARM_POOL, Place.GROUP, "Pending")
TERMINATE = Route(Transition.TERMINATE, Place.GROUP, Place.EC2, "Terminating")
BACK_INTO_POOL = Route(Transition.TERMINATE, Place.GROUP, Place.WARM_POOL, "Warmed:Pending")
TERMINATE_IN_POOL = Route(Transition.TERMINATE, Place.WARM_POOL, Place.EC2, "Warmed:Terminating")
REPLACE_ROOT_VOLUME = Route(
    Transition.TERMINATE, Place.GROUP, Place.GROUP, "ReplacingRootVolume", Action.REPLACE_ROOT_VOLUME
)
WITH_NEW_ROOT_VOLUME = Route(Transition.LAUNCH, Place.GROUP, Place.GROUP, "Pending", Action.REPLACE_ROOT_VOLUME)


@dataclass(frozen=True, slots=True)
class LifecycleAction:
    """One hook that one instance waits for: the content of an EventBridge event. `began` is in seconds."""

    group: str
    instance: InstanceId
    hook: Hook
    route: Route
    token: str
    began: float = 0.0


@dataclass(slots=True)
class GroupInstance:
    """An instance as its group lists it. `waits` holds the actions that it waits for, by the name of the hook."""

    id: InstanceId
    state: str
    route: Route | None = None
    waits: dict[str, LifecycleAction] = field(default_factory=dict)
    pooled_at: float = 0.0
