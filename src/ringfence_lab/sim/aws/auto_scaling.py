"""An Auto Scaling group: capacity, lifecycle states, hooks with their timers, warm pool, attach, detach, standby.

Sources: Amazon EC2 Auto Scaling User Guide, "Instance lifecycle", "How lifecycle hooks work", "Use lifecycle hooks
with a warm pool", "Temporarily remove instances", "Detach or attach instances", "Replace root volumes during instance
refresh". Assumed, because no document says it: an abandoned launch ends through the termination hooks, and so does an
abandoned replacement of a root volume; attach and the return from standby run no hook.
"""

import zlib
from collections.abc import Callable, Mapping
from dataclasses import replace

from ringfence.core.events import Place
from ringfence.core.lifecycle import HookResult, Transition
from ringfence.core.model.identifiers import InstanceId
from ringfence.core.observation import Power
from ringfence_lab.sim.aws.clock import VirtualClock
from ringfence_lab.sim.aws.history import ActionCompleted, CloudChange, StateChanged
from ringfence_lab.sim.aws.instances import Ec2
from ringfence_lab.sim.aws.lifecycle import (
    BACK_INTO_POOL,
    COUNTED,
    INTO_POOL,
    LAUNCH,
    MAXIMUM_HEARTBEATS,
    MAXIMUM_WAIT,
    OUT_OF_POOL,
    POOLED,
    REPLACE_ROOT_VOLUME,
    REPLACING,
    TERMINATE,
    TERMINATE_IN_POOL,
    WITH_NEW_ROOT_VOLUME,
    GroupInstance,
    Hook,
    LifecycleAction,
    Route,
)
from ringfence_lab.sim.aws.past import Past
from ringfence_lab.sim.invocation import Invocation

REPLACEMENT_SECONDS = 10.0
"""The delay before a group replaces an instance whose launch was abandoned. Assumed; without a delay, a launch that
has no room would repeat forever in no time."""

SendEvent = Callable[[LifecycleAction], None]
"""Sends EventBridge the event of an instance that waits for a hook."""


class AutoScalingGroup:
    """One group.

    `proceed_seconds` is how long an intermediate state lasts. `inactive_seconds` is how long answers to a new wait are
    refused as inactive, although the wait is listed (PrairieLearn #15586). `retains`: an abandoned termination keeps
    its instance (`TerminateHookAbandon=retain`). `pool_seconds` is the shortest time that an instance stays in the
    warm pool.
    """

    def __init__(
        self,
        name: str,
        ec2: Ec2,
        hooks: list[Hook],
        *,
        clock: VirtualClock,
        record: Callable[[CloudChange], None],
        send_event: SendEvent,
    ) -> None:
        self.name = name
        self.hooks = {hook.name: hook for hook in hooks}
        self.desired = 0
        self.warm_pool_size = 0
        self.warm_pool_state = "Warmed:Stopped"
        self.reuses_on_scale_in = False
        self.retains = False
        self.proceed_seconds = 0.0
        self.inactive_seconds = 0.0
        self.pool_seconds = 0.0
        self.instances: dict[InstanceId, GroupInstance] = {}
        self._ec2 = ec2
        self._clock = clock
        self._record = record
        self._send_event = send_event
        self._actions = 0
        self._token_prefix = f"{zlib.crc32(f'{ec2.region}/{name}'.encode()):08x}"
        self._rests_until = 0.0
        self._states: Past[Mapping[InstanceId, str]] = Past(clock, {})
        self._has_warm_pool = Past(clock, False)

    def listed(self, age: float = 0.0) -> Mapping[InstanceId, str]:
        """The instances with their states as DescribeAutoScalingGroups returned them `age` seconds ago: without those
        of the warm pool. Source: API Reference, DescribeAutoScalingGroups."""
        return {id: state for id, state in self._states.seconds_ago(age).items() if not _is_pooled(state)}

    def pooled(self, age: float = 0.0) -> Mapping[InstanceId, str]:
        """The instances of the warm pool with their states as DescribeWarmPool returned them `age` seconds ago."""
        return {id: state for id, state in self._states.seconds_ago(age).items() if _is_pooled(state)}

    def has_warm_pool(self, age: float = 0.0) -> bool:
        """Whether DescribeAutoScalingGroups showed a warm pool's configuration `age` seconds ago."""
        return self._has_warm_pool.seconds_ago(age)

    def states(self) -> Mapping[InstanceId, str]:
        """The state of every instance now, wherever it is listed."""
        return self._states.seconds_ago(0)

    def complete(
        self,
        hook: str,
        instance: InstanceId,
        result: HookResult,
        by: Invocation | None = None,
        token: str | None = None,
    ) -> bool:
        """CompleteLifecycleAction, by the token if there is one. False if no such action is active."""
        waiting = self.instances.get(instance)
        action = waiting.waits.get(hook) if waiting is not None else None
        if waiting is None or action is None or token not in (None, action.token):
            return False
        if by is not None and self._clock.now() - action.began < self.inactive_seconds:
            return False
        del waiting.waits[hook]
        to_group = action.route.destination is Place.GROUP
        transition = action.route.transition
        completed = ActionCompleted(
            region=self._ec2.region,
            group=self.name,
            instance=instance,
            transition=transition,
            result=result,
            to_group=to_group,
            by=by,
            began=action.began,
            by_token=token is not None,
        )
        self._record(completed)
        if result is HookResult.ABANDON:
            waiting.waits.clear()  # "ABANDON stops any remaining actions, such as other lifecycle hooks"
        if not waiting.waits:
            self._proceed(waiting, abandoned=result is HookResult.ABANDON)
        return True

    def heartbeat(self, hook: str, instance: InstanceId) -> bool:
        """RecordLifecycleActionHeartbeat: restarts the heartbeat, within the global timeout. False if no such action
        is active."""
        waiting = self.instances.get(instance)
        action = waiting.waits.get(hook) if waiting is not None else None
        if waiting is None or action is None:
            return False
        renewed = waiting.waits[hook] = replace(action)  # another object, so that the timer of the old one ignores it
        ends = action.began + min(MAXIMUM_WAIT, MAXIMUM_HEARTBEATS * action.hook.heartbeat)
        left = max(0.0, ends - self._clock.now())
        self._clock.after(min(action.hook.heartbeat, left), lambda: self._time_out(renewed))
        return True

    # Actions of operators and scaling policies.

    def scale_to(self, desired: int) -> None:
        """Sets the desired capacity."""
        self.desired = desired
        self._fill()

    def put_in_service(self, count: int) -> None:
        """Adds instances that were in service before any hook existed."""
        for _ in range(count):
            self._state(self._adopt(self._ec2.launch(self.name).id), "InService")
        self.desired += count

    def put_warm_pool(self, size: int, state: str = "Warmed:Stopped", *, reuse_on_scale_in: bool = False) -> None:
        """PutWarmPool: keeps `size` instances ready beside the group. Does nothing while a root volume is replaced,
        because AWS refuses it then."""
        if any(instance.state in REPLACING for instance in self.instances.values()):
            return
        self._has_warm_pool.record(True)
        self.warm_pool_size, self.warm_pool_state, self.reuses_on_scale_in = size, state, reuse_on_scale_in
        pooled = [instance for instance in self.instances.values() if instance.state in POOLED]
        for instance in pooled[size:]:
            self._begin(instance, TERMINATE_IN_POOL)
        self._fill_pool()

    def terminate(self, id: InstanceId, *, decrement: bool = False) -> None:
        """TerminateInstanceInAutoScalingGroup, or a failed health check. The group replaces the instance, unless the
        desired capacity is decremented."""
        instance = self.instances.get(id)
        route = instance.route if instance is not None else None
        leaves = route is not None and route.transition is Transition.TERMINATE and route is not REPLACE_ROOT_VOLUME
        if instance is None or leaves:
            return
        if decrement and instance.state in COUNTED:
            self.desired -= 1
        self._begin(instance, TERMINATE_IN_POOL if instance.state.startswith("Warmed:") else TERMINATE)
        self._fill()

    def lose(self, id: InstanceId) -> None:
        """Terminates the instance outside of the group (Spot, or through EC2); the group's health check finds it."""
        self._ec2.terminate(id)
        self.terminate(id)

    def detach(self, id: InstanceId, *, decrement: bool = True) -> None:
        """DetachInstances: the instance continues to run outside of the group."""
        instance = self.instances[id]
        if decrement and instance.state in COUNTED:
            self.desired -= 1
        instance.waits.clear()
        instance.route = None
        self._state(instance, "Detaching")
        self._later(lambda: self._gone(instance, untag=True))
        self._fill()

    def attach(self, id: InstanceId) -> None:
        """AttachInstances: a running instance joins; the desired capacity grows by one. Runs no hook (assumed)."""
        self._ec2.tag(id, self.name)
        self.desired += 1
        instance = self._adopt(id)
        self._state(instance, "Pending")
        self._later(lambda: self._arrive_if(instance, "Pending", "InService"))

    def enter_standby(self, id: InstanceId) -> None:
        """EnterStandby, with the desired capacity decremented."""
        instance = self.instances[id]
        self.desired -= 1
        self._state(instance, "EnteringStandby")
        self._later(lambda: self._arrive_if(instance, "EnteringStandby", "Standby"))

    def exit_standby(self, id: InstanceId) -> None:
        """ExitStandby: the desired capacity grows again. Runs no hook (assumed)."""
        instance = self.instances[id]
        self.desired += 1
        self._state(instance, "Pending")
        self._later(lambda: self._arrive_if(instance, "Pending", "InService"))

    def replace_root_volume(self, id: InstanceId) -> bool:
        """StartInstanceRefresh with the strategy ReplaceRootVolume, for one instance in service. False for a group with
        a warm pool, which AWS refuses."""
        if self.has_warm_pool():
            return False
        self._begin(self.instances[id], REPLACE_ROOT_VOLUME)
        return True

    def force_delete(self, shown_for: float) -> None:
        """Ends the group with its outstanding lifecycle actions, and terminates its instances.

        EC2 shows them for so many seconds more.
        """
        self.desired = self.warm_pool_size = 0
        for instance in list(self.instances.values()):
            instance.waits.clear()
            instance.route = None
            self._ec2.terminate(instance.id, shown_for)
            self._gone(instance)

    # What Auto Scaling does by itself.

    def _fill(self) -> None:
        """Launches or terminates instances until the counted ones match the desired capacity."""
        counted = [instance for instance in self.instances.values() if instance.state in COUNTED]
        for _ in range(self.desired - len(counted)):
            pooled = next(filter(self._has_rested, self.instances.values()), None)
            if pooled is None:
                self._launch(LAUNCH)
                continue
            if self._ec2.instances[pooled.id].power is Power.STOPPED:
                self._ec2.start(pooled.id)
            self._begin(pooled, OUT_OF_POOL)
        least_useful_first = sorted(counted, key=lambda instance: instance.state != "InService")
        for instance in least_useful_first[: max(0, len(counted) - self.desired)]:
            reused = self.reuses_on_scale_in and instance.state == "InService"
            self._begin(instance, BACK_INTO_POOL if reused else TERMINATE)
        self._fill_pool()

    def _has_rested(self, instance: GroupInstance) -> bool:
        return instance.state in POOLED and self._clock.now() - instance.pooled_at >= self.pool_seconds

    def _fill_pool(self) -> None:
        states = [instance.state for instance in self.instances.values()]
        pool = sum(state in POOLED or state.startswith("Warmed:Pending") for state in states)
        for _ in range(self.warm_pool_size - pool):
            self._launch(INTO_POOL)

    def _launch(self, route: Route) -> None:
        if self._clock.now() >= self._rests_until:
            self._begin(self._adopt(self._ec2.launch(self.name).id), route)

    def _adopt(self, id: InstanceId) -> GroupInstance:
        self.instances[id] = GroupInstance(id, "")
        return self.instances[id]

    def _begin(self, instance: GroupInstance, route: Route) -> None:
        instance.route = route
        hooks = [hook for hook in self.hooks.values() if hook.transition is route.transition]
        instance.waits = {}
        for hook in hooks:
            self._actions += 1
            token = f"{self._token_prefix}-0000-4000-9000-{self._actions:012x}"
            instance.waits[hook.name] = LifecycleAction(self.name, instance.id, hook, route, token, self._clock.now())
        self._state(instance, f"{route.state}:Wait" if hooks else route.state)
        if not hooks:
            self._proceed(instance, abandoned=False)
        for action in list(instance.waits.values()):
            self._clock.after(action.hook.heartbeat, lambda action=action: self._time_out(action))  # type: ignore[misc]  # mypy cannot infer a lambda's default
            self._send_event(action)

    def _time_out(self, action: LifecycleAction) -> None:
        instance = self.instances.get(action.instance)
        if instance is not None and instance.waits.get(action.hook.name) is action:
            self.complete(action.hook.name, action.instance, action.hook.default_result)

    def _proceed(self, instance: GroupInstance, *, abandoned: bool) -> None:
        route = instance.route
        assert route is not None  # noqa: S101  # for the type checker: only an instance on a route proceeds
        if abandoned and route.transition is Transition.LAUNCH:
            self._rests_until = self._clock.now() + REPLACEMENT_SECONDS
            self._clock.after(REPLACEMENT_SECONDS, self._fill)
            self._begin(instance, TERMINATE_IN_POOL if route.destination is Place.WARM_POOL else TERMINATE)
            return
        if abandoned and route is REPLACE_ROOT_VOLUME:
            self._begin(instance, TERMINATE)
            return
        if abandoned and self.retains:
            self._state(instance, f"{route.state}:Retained")
            return
        self._state(instance, f"{route.state}:Proceed")
        self._later(lambda: self._arrive(instance, route))

    def _arrive(self, instance: GroupInstance, route: Route) -> None:
        if instance.route is not route or self.instances.get(instance.id) is not instance:
            return  # it is on another route by now
        instance.route = None
        match route.destination:
            case Place.GROUP if route is REPLACE_ROOT_VOLUME:
                self._state(instance, "RootVolumeReplaced")
                self._begin(instance, WITH_NEW_ROOT_VOLUME)
            case Place.GROUP:
                self._state(instance, "InService")
            case Place.WARM_POOL:
                if self.warm_pool_state == "Warmed:Stopped":
                    self._ec2.stop(instance.id)
                instance.pooled_at = self._clock.now()
                self._state(instance, self.warm_pool_state)
            case Place.EC2:
                self._ec2.terminate(instance.id)
                self._gone(instance)
        self._fill()

    def _arrive_if(self, instance: GroupInstance, on_the_way: str, state: str) -> None:
        if instance.state == on_the_way and self.instances.get(instance.id) is instance:
            self._state(instance, state)

    def _gone(self, instance: GroupInstance, *, untag: bool = False) -> None:
        if self.instances.get(instance.id) is not instance:
            return
        del self.instances[instance.id]
        if untag and instance.id in self._ec2.instances:
            self._ec2.tag(instance.id, None)
        self._changed(instance.id, None)

    def _later(self, action: Callable[[], None]) -> None:
        if self.proceed_seconds:
            self._clock.after(self.proceed_seconds, action)
        else:
            action()

    def _state(self, instance: GroupInstance, state: str) -> None:
        instance.state = state
        self._changed(instance.id, state)

    def _changed(self, id: InstanceId, state: str | None) -> None:
        self._states.record({instance.id: instance.state for instance in self.instances.values()})
        self._record(StateChanged(self._ec2.region, self.name, id, state))


def _is_pooled(state: str) -> bool:
    return state.startswith("Warmed:")
