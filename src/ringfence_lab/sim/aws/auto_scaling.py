"""An Auto Scaling group: capacity, lifecycle states, hooks with their timers, warm pool, attach, detach, standby.

Sources: Amazon EC2 Auto Scaling User Guide, "Instance lifecycle", "How lifecycle hooks work", "Use lifecycle hooks
with a warm pool", "Temporarily remove instances", "Detach or attach instances". Assumed, since no document says it: an
abandoned launch ends through the termination hooks; attach and the way back from standby run no hook.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from ringfence.core.events import Place
from ringfence.core.lifecycle import HookResult, Transition
from ringfence.core.model.identifiers import InstanceId
from ringfence.core.observation import Power
from ringfence_lab.sim.aws.clock import VirtualClock
from ringfence_lab.sim.aws.history import ActionCompleted, Change, StateChanged
from ringfence_lab.sim.aws.instances import Ec2
from ringfence_lab.sim.aws.past import Past

if TYPE_CHECKING:
    from ringfence_lab.sim.engine.line import Invocation


@dataclass(frozen=True, slots=True)
class Hook:
    """A lifecycle hook. `heartbeat` is in seconds; when it is over the action ends with the default result."""

    name: str
    transition: Transition
    heartbeat: float = 300.0
    default_result: HookResult = HookResult.CONTINUE


MAXIMUM_WAIT = 48 * 3600
MAXIMUM_HEARTBEATS = 100
"""How long an instance can wait in all, in seconds and in heartbeats, whichever is shorter.

Source: Auto Scaling User Guide, "How lifecycle hooks work", the global timeout."""


@dataclass(frozen=True, slots=True)
class Journey:
    """A way through the lifecycle that hooks can hold."""

    transition: Transition
    origin: Place
    destination: Place
    state: str


LAUNCH = Journey(Transition.LAUNCH, Place.EC2, Place.GROUP, "Pending")
INTO_POOL = Journey(Transition.LAUNCH, Place.EC2, Place.WARM_POOL, "Warmed:Pending")
OUT_OF_POOL = Journey(Transition.LAUNCH, Place.WARM_POOL, Place.GROUP, "Pending")
TERMINATE = Journey(Transition.TERMINATE, Place.GROUP, Place.EC2, "Terminating")
BACK_INTO_POOL = Journey(Transition.TERMINATE, Place.GROUP, Place.WARM_POOL, "Warmed:Pending")
TERMINATE_IN_POOL = Journey(Transition.TERMINATE, Place.WARM_POOL, Place.EC2, "Warmed:Terminating")

POOLED = ("Warmed:Stopped", "Warmed:Running")
REPLACEMENT_SECONDS = 10.0
"""How long a group waits before it launches another instance for one whose launch was abandoned. Assumed; with none,
a launch for which there is no room would be tried for ever in no time."""

COUNTED = ("Pending", "Pending:Wait", "Pending:Proceed", "InService")
"""The states that count for the desired capacity."""


@dataclass(frozen=True, slots=True)
class LifecycleAction:
    """One hook that one instance waits for; what an EventBridge event tells."""

    group: str
    instance: InstanceId
    hook: Hook
    journey: Journey
    token: str
    began: float = 0.0


@dataclass(slots=True)
class GroupInstance:
    """An instance as its group lists it, with what it waits for."""

    id: InstanceId
    state: str
    journey: Journey | None = None
    waits: dict[str, LifecycleAction] = field(default_factory=dict)
    pooled_at: float = 0.0


class AutoScalingGroup:
    """One group. `proceed_seconds` is how long an instance shows the states between two others; `lists_warm_pool`
    whether DescribeAutoScalingGroups lists the warm pool's instances too; `retains` that an abandoned termination
    keeps its instance (`TerminateHookAbandon=retain`); `pool_seconds` for how long an instance rests in the warm pool
    before it is taken out of it."""

    def __init__(
        self,
        name: str,
        ec2: Ec2,
        clock: VirtualClock,
        record: Callable[[Change], None],
        emit: "Emit",
        hooks: list[Hook],
    ) -> None:
        self.name = name
        self.hooks = {hook.name: hook for hook in hooks}
        self.desired = 0
        self.warm_pool_size = 0
        self.warm_pool_state = "Warmed:Stopped"
        self.reuses_on_scale_in = False
        self.lists_warm_pool = True
        self.retains = False
        self.proceed_seconds = 0.0
        self.pool_seconds = 0.0
        self.instances: dict[InstanceId, GroupInstance] = {}
        self._ec2 = ec2
        self._clock = clock
        self._record = record
        self._emit = emit
        self._actions = 0
        self._rests_until = 0.0
        self._listed: Past[Mapping[InstanceId, str]] = Past(clock, {})

    def listed(self, age: float = 0.0) -> Mapping[InstanceId, str]:
        """The instances with their states as DescribeAutoScalingGroups gave them so many seconds ago."""
        return self._listed.seconds_ago(age)

    def complete(
        self,
        hook: str,
        instance: InstanceId,
        result: HookResult,
        by: "Invocation | None" = None,
        token: str | None = None,
    ) -> bool:
        """CompleteLifecycleAction, by the token where there is one. False where no such action is active."""
        one = self.instances.get(instance)
        action = one.waits.get(hook) if one is not None else None
        if one is None or action is None or token not in (None, action.token):
            return False
        del one.waits[hook]
        to_group = action.journey.destination is Place.GROUP
        transition = action.journey.transition
        self._record(ActionCompleted(self._ec2.region, self.name, instance, transition, result, to_group, by))
        if result is HookResult.ABANDON:
            one.waits.clear()  # "ABANDON stops any remaining actions, such as other lifecycle hooks"
        if not one.waits:
            self._proceed(one, result is HookResult.ABANDON)
        return True

    def heartbeat(self, hook: str, instance: InstanceId) -> bool:
        """RecordLifecycleActionHeartbeat: the heartbeat begins anew, within the global timeout. False where no such
        action is active."""
        one = self.instances.get(instance)
        action = one.waits.get(hook) if one is not None else None
        if one is None or action is None:
            return False
        renewed = one.waits[hook] = replace(action)  # another object: the old one's timer does not end it
        ends = action.began + min(MAXIMUM_WAIT, MAXIMUM_HEARTBEATS * action.hook.heartbeat)
        left = max(0.0, ends - self._clock.now())
        self._clock.after(min(action.hook.heartbeat, left), lambda: self._time_out(renewed))
        return True

    # What operators and scaling policies do.

    def scale_to(self, desired: int) -> None:
        """Sets the desired capacity."""
        self.desired = desired
        self._fill()

    def put_in_service(self, count: int) -> None:
        """Instances that have been in service since before there were any hooks."""
        for _ in range(count):
            self._state(self._adopt(self._ec2.launch(self.name).id), "InService")
        self.desired += count

    def put_warm_pool(self, size: int, state: str = "Warmed:Stopped", reuse_on_scale_in: bool = False) -> None:
        """PutWarmPool: so many instances are kept ready beside the group."""
        self.warm_pool_size, self.warm_pool_state, self.reuses_on_scale_in = size, state, reuse_on_scale_in
        pooled = [one for one in self.instances.values() if one.state in POOLED]
        for one in pooled[size:]:
            self._begin(one, TERMINATE_IN_POOL)
        self._fill_pool()

    def terminate(self, instance: InstanceId, decrement: bool = False) -> None:
        """TerminateInstanceInAutoScalingGroup, or a failed health check: what leaves is replaced, unless the desired
        capacity is decremented."""
        one = self.instances.get(instance)
        if one is None or (one.journey is not None and one.journey.transition is Transition.TERMINATE):
            return
        if decrement and one.state in COUNTED:
            self.desired -= 1
        self._begin(one, TERMINATE_IN_POOL if one.state.startswith("Warmed:") else TERMINATE)
        self._fill()

    def lose(self, instance: InstanceId) -> None:
        """The instance is terminated behind the group's back (Spot, by hand), which its health check then notices."""
        self._ec2.terminate(instance)
        self.terminate(instance)

    def detach(self, instance: InstanceId, decrement: bool = True) -> None:
        """DetachInstances: the instance runs on, on its own."""
        one = self.instances[instance]
        if decrement and one.state in COUNTED:
            self.desired -= 1
        one.waits.clear()
        one.journey = None
        self._state(one, "Detaching")
        self._later(lambda: self._gone(one, untag=True))
        self._fill()

    def attach(self, instance: InstanceId) -> None:
        """AttachInstances: a running instance joins; the desired capacity grows by one. Runs no hook (assumed)."""
        self._ec2.tag(instance, self.name)
        self.desired += 1
        one = self._adopt(instance)
        self._state(one, "Pending")
        self._later(lambda: self._arrive_if(one, "Pending", "InService"))

    def enter_standby(self, instance: InstanceId) -> None:
        """EnterStandby, with the desired capacity decremented."""
        one = self.instances[instance]
        self.desired -= 1
        self._state(one, "EnteringStandby")
        self._later(lambda: self._arrive_if(one, "EnteringStandby", "Standby"))

    def exit_standby(self, instance: InstanceId) -> None:
        """ExitStandby: the desired capacity grows again. Runs no hook (assumed)."""
        one = self.instances[instance]
        self.desired += 1
        self._state(one, "Pending")
        self._later(lambda: self._arrive_if(one, "Pending", "InService"))

    # Auto Scaling's own machinery.

    def _fill(self) -> None:
        """Launches or terminates until as many count as are desired."""
        counted = [one for one in self.instances.values() if one.state in COUNTED]
        for _ in range(self.desired - len(counted)):
            pooled = next(filter(self._has_rested, self.instances.values()), None)
            if pooled is None:
                self._launch(LAUNCH)
                continue
            if self._ec2.instances[pooled.id].power is Power.STOPPED:
                self._ec2.start(pooled.id)
            self._begin(pooled, OUT_OF_POOL)
        surplus = sorted(counted, key=lambda one: one.state != "InService")[: max(0, len(counted) - self.desired)]
        for one in surplus:
            back = self.reuses_on_scale_in and one.state == "InService"
            self._begin(one, BACK_INTO_POOL if back else TERMINATE)
        self._fill_pool()

    def _has_rested(self, one: GroupInstance) -> bool:
        return one.state in POOLED and self._clock.now() - one.pooled_at >= self.pool_seconds

    def _fill_pool(self) -> None:
        pool = sum(one.state in POOLED or one.state.startswith("Warmed:Pending") for one in self.instances.values())
        for _ in range(self.warm_pool_size - pool):
            self._launch(INTO_POOL)

    def _launch(self, journey: Journey) -> None:
        if self._clock.now() >= self._rests_until:
            self._begin(self._adopt(self._ec2.launch(self.name).id), journey)

    def _adopt(self, instance: InstanceId) -> GroupInstance:
        self.instances[instance] = GroupInstance(instance, "")
        return self.instances[instance]

    def _begin(self, one: GroupInstance, journey: Journey) -> None:
        one.journey = journey
        hooks = [hook for hook in self.hooks.values() if hook.transition is journey.transition]
        one.waits = {}
        for hook in hooks:
            self._actions += 1
            token = f"{self._ec2.region}-{self.name}-{self._actions:08d}"
            one.waits[hook.name] = LifecycleAction(self.name, one.id, hook, journey, token, self._clock.now())
        self._state(one, f"{journey.state}:Wait" if hooks else journey.state)
        if not hooks:
            self._proceed(one, abandoned=False)
        for action in list(one.waits.values()):
            self._clock.after(action.hook.heartbeat, lambda action=action: self._time_out(action))  # type: ignore[misc]  # mypy cannot infer a lambda's default
            self._emit(action)

    def _time_out(self, action: LifecycleAction) -> None:
        one = self.instances.get(action.instance)
        if one is not None and one.waits.get(action.hook.name) is action:
            self.complete(action.hook.name, action.instance, action.hook.default_result)

    def _proceed(self, one: GroupInstance, abandoned: bool) -> None:
        journey = one.journey
        assert journey is not None  # noqa: S101  # for the type checker: only what is on a journey proceeds
        if abandoned and journey.transition is Transition.LAUNCH:
            self._rests_until = self._clock.now() + REPLACEMENT_SECONDS
            self._clock.after(REPLACEMENT_SECONDS, self._fill)
            self._begin(one, TERMINATE_IN_POOL if journey.destination is Place.WARM_POOL else TERMINATE)
            return
        if abandoned and self.retains:
            self._state(one, f"{journey.state}:Retained")
            return
        self._state(one, f"{journey.state}:Proceed")
        self._later(lambda: self._arrive(one, journey))

    def _arrive(self, one: GroupInstance, journey: Journey) -> None:
        if one.journey is not journey or self.instances.get(one.id) is not one:
            return  # it was sent elsewhere in the meantime
        one.journey = None
        match journey.destination:
            case Place.GROUP:
                self._state(one, "InService")
            case Place.WARM_POOL:
                if self.warm_pool_state == "Warmed:Stopped":
                    self._ec2.stop(one.id)
                one.pooled_at = self._clock.now()
                self._state(one, self.warm_pool_state)
            case Place.EC2:
                self._ec2.terminate(one.id)
                self._gone(one)
        self._fill()

    def _arrive_if(self, one: GroupInstance, on_the_way: str, state: str) -> None:
        if one.state == on_the_way and self.instances.get(one.id) is one:
            self._state(one, state)

    def _gone(self, one: GroupInstance, untag: bool = False) -> None:
        if self.instances.get(one.id) is not one:
            return
        del self.instances[one.id]
        if untag and one.id in self._ec2.instances:
            self._ec2.tag(one.id, None)
        self._changed(one.id, None)

    def _later(self, action: Callable[[], None]) -> None:
        if self.proceed_seconds:
            self._clock.after(self.proceed_seconds, action)
        else:
            action()

    def _state(self, one: GroupInstance, state: str) -> None:
        one.state = state
        self._changed(one.id, state)

    def _changed(self, instance: InstanceId, state: str | None) -> None:
        shown = self.instances.values()
        listing = {one.id: one.state for one in shown if self.lists_warm_pool or not one.state.startswith("Warmed:")}
        self._listed.record(listing)
        self._record(StateChanged(self._ec2.region, self.name, instance, state))


Emit = Callable[[LifecycleAction], None]
"""Tells EventBridge that an instance waits for a hook."""
