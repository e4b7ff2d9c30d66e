"""Auto Scaling groups: how they reach their desired capacity.

Sources, all of the Amazon EC2 Auto Scaling User Guide: "Amazon EC2 Auto Scaling instance lifecycle", "Amazon EC2 Auto
Scaling lifecycle hooks", "Temporarily remove instances from your Auto Scaling group", "Detach or attach instances". By
the second, attaching, detaching and standby run no hooks. Assumed, because no document says it: an abandoned launch
ends through the termination hooks and is replaced immediately, and so does an abandoned replacement of a root volume.
Health checks are immediate and have no grace period.
The caller holds the lock.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from functools import partial
from typing import assert_never

from moto.autoscaling.exceptions import ValidationError
from moto.autoscaling.models import ASG_NAME_TAG
from moto.autoscaling.models import FakeAutoScalingGroup as Group
from moto.autoscaling.models import InstanceState as Member
from moto.core.exceptions import ServiceException

from ringfence_lab.emulator.aws import events, launches, lifecycle, warm_pool
from ringfence_lab.emulator.aws.events import EventSubject, ScalingEvent
from ringfence_lab.emulator.aws.instance_refresh import InstanceRefresh, InstanceRefreshes
from ringfence_lab.emulator.aws.journeys import Environment, Journeys
from ringfence_lab.emulator.aws.lifecycle import Journey, Place, Route, Transition
from ringfence_lab.emulator.partition import PARTITION

_REPLACING = {"ReplacingRootVolume", "ReplacingRootVolume:Wait", "ReplacingRootVolume:Proceed", "RootVolumeReplaced"}
_COUNTED = {"Pending", "Pending:Wait", "Pending:Proceed", "InService"} | _REPLACING
_CAPACITY_CAUSE = "the group changed in response to a difference between desired and actual capacity."
_REQUEST_CAUSE = "the group changed in response to a user request."


def counted(group: Group) -> list[Member]:
    """The members that count for the desired capacity."""
    return [member for member in group.instance_states if member.lifecycle_state in _COUNTED]


def _is_suspended(group: Group, process: str) -> bool:
    return process in group._suspended_processes


class Groups:
    """All Auto Scaling groups: what they do by themselves, and the operations on single instances."""

    def __init__(self, environment: Environment) -> None:
        """Starts with no instance under way."""
        self.journeys = Journeys(environment, self._arrived)
        self.refreshes = InstanceRefreshes()
        self._environment = environment
        self._send_event = environment.send_event

    def reconcile(self, group: Group) -> None:
        """Launches or terminates instances until the counted ones match the desired capacity, then adjusts the pool."""
        missing = int(group.desired_capacity or 0) - len(counted(group))
        if missing > 0 and not _is_suspended(group, "Launch"):
            self._scale_out(group, missing)
        elif missing < 0 and not _is_suspended(group, "Terminate"):
            self._scale_in(group, -missing)
        self._keep_pool(group)

    def terminate(self, group: Group, member: Member, *, decrement: bool) -> None:
        """Terminates an instance, and replaces it unless the desired capacity is decremented.

        Raises ValidationError if the group would become smaller than its minimum.
        """
        if decrement:
            self._decrement(group, [member])
        if member.lifecycle_state.endswith(":Retained"):
            self._remove(group, member, lifecycle.TERMINATE)
        else:
            self._begin_termination(group, member)
        self.reconcile(group)

    def replace_unhealthy(self, group: Group, member: Member) -> None:
        """Terminates and replaces an unhealthy instance, unless it is in standby."""
        member.health_status = "Unhealthy"
        if member.lifecycle_state != "Standby" and not _is_suspended(group, "ReplaceUnhealthy"):
            self._begin_termination(group, member)
            self.reconcile(group)

    def attach(self, group: Group, instance_ids: Sequence[str]) -> None:
        """Adds running instances. The desired capacity grows by their number.

        Raises ValidationError if the group would become larger than its maximum or an instance cannot be a member.
        """
        desired = int(group.desired_capacity or 0) + len(instance_ids)
        if desired > int(group.max_size or 0):
            raise ValidationError(f"The new size {desired} would exceed the group's max size {group.max_size}.")
        instances = [group.ec2_backend.get_instance(id) for id in instance_ids]
        for instance in instances:
            if not instance.is_running() or hasattr(instance, "autoscaling_group"):
                raise ValidationError(f"Instance {instance.id} is not in correct state.")
        for instance in instances:
            group.ec2_backend.create_tags([instance.id], {ASG_NAME_TAG: group.name})
            launches.join(group, instance, "InService")
        group.desired_capacity = desired
        self.reconcile(group)

    def detach(self, group: Group, members: Sequence[Member], *, decrement: bool) -> None:
        """Detaches instances, which continue to run. Raises ValidationError if the group would be below its minimum."""
        if decrement:
            self._decrement(group, members)
        for member in members:
            self.journeys.cancel(member)
            self._send(group, member, ScalingEvent.DETACHED, lifecycle.TERMINATE, _REQUEST_CAUSE)
            self._forget(group, member)
            group.ec2_backend.delete_tags([member.instance_id], {ASG_NAME_TAG: group.name})
        self.reconcile(group)

    def enter_standby(self, group: Group, members: Sequence[Member], *, decrement: bool) -> None:
        """Puts instances into standby. Raises ValidationError like `detach`."""
        if decrement:
            self._decrement(group, members)
        for member in members:
            member.lifecycle_state = "Standby"
        self.reconcile(group)

    def exit_standby(self, group: Group, members: Sequence[Member]) -> None:
        """Returns instances to service. The desired capacity grows by their number."""
        group.desired_capacity = int(group.desired_capacity or 0) + len(members)
        for member in members:
            member.lifecycle_state = "InService"
        self.reconcile(group)

    def replace_root_volumes(self, group: Group) -> InstanceRefresh:
        """Replaces the root volume of each instance in service, one after the other. Raises ValidationError if another
        refresh is in progress."""
        in_service = [member.instance_id for member in group.instance_states if member.lifecycle_state == "InService"]
        refresh = self.refreshes.start(group, in_service)
        self._refresh_next(group, refresh)
        return refresh

    def remove_all(self, group: Group, members: Iterable[Member]) -> None:
        """Terminates instances without any hook, as ForceDelete does; hooks that hold them end."""
        for member in list(members):
            self.journeys.cancel(member)
            self._remove(group, member, lifecycle.TERMINATE)

    def _refresh_next(self, group: Group, refresh: InstanceRefresh) -> None:
        in_service = {m.instance_id: m for m in group.instance_states if m.lifecycle_state == "InService"}
        instance_id = refresh.next(list(in_service))
        if instance_id is not None:
            self.journeys.begin(group, in_service[instance_id], lifecycle.REPLACE_ROOT_VOLUME)

    def _decrement(self, group: Group, members: Sequence[Member]) -> None:
        """Decrements the desired capacity by the number of the counted instances."""
        desired = int(group.desired_capacity or 0) - sum(member in counted(group) for member in members)
        if desired < int(group.min_size or 0):
            raise ValidationError(
                f"Currently, desiredSize equals minSize ({group.min_size}). Terminating instance without replacement "
                "will violate group's min size constraint. Either set shouldDecrementDesiredCapacity flag to false or "
                "lower group's min size."
            )
        group.desired_capacity = desired

    def _scale_out(self, group: Group, count: int) -> None:
        warm = warm_pool.resting(group)[:count]
        for member in warm:
            group.ec2_backend.start_instances([member.instance_id])
            self.journeys.begin(group, member, lifecycle.OUT_OF_POOL)
        self._launch(group, count - len(warm), lifecycle.LAUNCH)

    def _launch(self, group: Group, count: int, route: Route) -> None:
        try:
            launched = launches.launch(group, count)
        except ServiceException as refused:
            no_instance = EventSubject(group.name, "", "", "")
            detail = events.scaling_activity(ScalingEvent.LAUNCH_FAILED, no_instance, route, f"{refused}")
            self._send_event(group.region, events.SOURCE, ScalingEvent.LAUNCH_FAILED.value, detail, [group.arn])
            return
        for member in launched:
            member.lifecycle_state = route.state
            self._settle_later(group, member)
        for member in launched:
            self.journeys.begin(group, member, route)

    def _settle_later(self, group: Group, member: Member) -> None:
        if self._environment.settle_seconds:
            launches.unsettle(group, member)
            self._environment.call_later(self._environment.settle_seconds, partial(self._settle, group, member))

    def _settle(self, group: Group, member: Member) -> None:
        with self._environment.lock:
            launches.settle(group, member)

    def _scale_in(self, group: Group, count: int) -> None:
        """Terminates the oldest instance of the Availability Zone with the most instances, and repeats that."""
        candidates = [member for member in counted(group) if not member.protected_from_scale_in]
        for _ in range(min(count, len(candidates))):
            counts = Counter(member.availability_zone for member in candidates)
            member = max(candidates, key=lambda member: counts[member.availability_zone])
            candidates.remove(member)
            reused = member.lifecycle_state == "InService" and warm_pool.is_reused(group)
            self.journeys.begin(group, member, lifecycle.BACK_INTO_POOL if reused else lifecycle.TERMINATE)

    def _keep_pool(self, group: Group) -> None:
        surplus = len(warm_pool.staying(group)) - warm_pool.wanted_size(group)
        if surplus < 0 and not _is_suspended(group, "Launch"):
            self._launch(group, -surplus, lifecycle.INTO_POOL)
        for member in warm_pool.resting(group)[: max(0, surplus)]:
            self._begin_termination(group, member)

    def _begin_termination(self, group: Group, member: Member) -> None:
        journey = self.journeys.of(member)
        if not journey or journey.route not in (lifecycle.TERMINATE, lifecycle.TERMINATE_IN_POOL):
            pooled = warm_pool.is_pooled(member)
            self.journeys.begin(group, member, lifecycle.TERMINATE_IN_POOL if pooled else lifecycle.TERMINATE)

    def _arrived(self, group: Group, member: Member, journey: Journey) -> None:
        self._arrive(group, member, journey)
        refresh = self.refreshes.active(group.name)
        if refresh is not None and refresh.current == member.instance_id and self.journeys.of(member) is None:
            self._refresh_next(group, refresh)

    def _arrive(self, group: Group, member: Member, journey: Journey) -> None:
        route = journey.route
        if journey.abandoned and route.transition is Transition.LAUNCHING:
            self._send(group, member, ScalingEvent.LAUNCH_FAILED, route, "Lifecycle action was abandoned.")
            self._begin_termination(group, member)
            self.reconcile(group)
            return
        match route.destination:
            case Place.GROUP if route is lifecycle.REPLACE_ROOT_VOLUME:
                if journey.abandoned:
                    self._begin_termination(group, member)
                    self.reconcile(group)
                    return
                member.lifecycle_state = "RootVolumeReplaced"
                self.journeys.begin(group, member, lifecycle.WITH_NEW_ROOT_VOLUME)
            case Place.GROUP if route is lifecycle.WITH_NEW_ROOT_VOLUME:
                member.lifecycle_state = "InService"
            case Place.GROUP:
                member.lifecycle_state = "InService"
                self._send(group, member, ScalingEvent.LAUNCHED, route, _CAPACITY_CAUSE)
            case Place.WARM_POOL:
                member.lifecycle_state = warm_pool.resting_state(group)
                if member.lifecycle_state != "Warmed:Running":
                    group.ec2_backend.stop_instances([member.instance_id])
                self.reconcile(group)
            case Place.EC2 if journey.abandoned and getattr(group, "retains_abandoned", False):
                member.lifecycle_state = f"{route.state}:Retained"
            case Place.EC2:
                self._remove(group, member, route)
            case _:
                assert_never(route.destination)

    def _remove(self, group: Group, member: Member, route: Route) -> None:
        """Terminates the instance in EC2, and sends the event."""
        subject = _subject(group, member)
        # Termination protection applies to EC2's API; Auto Scaling ignores it.
        member.instance.disable_api_termination = False
        group.ec2_backend.terminate_instances([member.instance_id])
        member.lifecycle_state = "Warmed:Terminated" if warm_pool.is_pooled(member) else "Terminated"
        self._forget(group, member)
        self._send_about(group, subject, ScalingEvent.TERMINATED, route, _CAPACITY_CAUSE)
        if warm_pool.is_pending_delete(group) and not any(map(warm_pool.is_pooled, group.instance_states)):
            group.warm_pool = None

    def _forget(self, group: Group, member: Member) -> None:
        group.instance_states = [remaining for remaining in group.instance_states if remaining is not member]
        del member.instance.autoscaling_group  # type: ignore[attr-defined]  # moto sets it dynamically

    def _send(self, group: Group, member: Member, event: ScalingEvent, route: Route, cause: str) -> None:
        self._send_about(group, _subject(group, member), event, route, cause)

    def _send_about(self, group: Group, subject: EventSubject, event: ScalingEvent, route: Route, cause: str) -> None:
        detail = events.scaling_activity(event, subject, route, cause)
        arn = f"arn:{PARTITION}:ec2:{group.region}:{group.account_id}:instance/{subject.instance_id}"
        self._send_event(group.region, events.SOURCE, event.value, detail, [group.arn, arn])


def _subject(group: Group, member: Member) -> EventSubject:
    return EventSubject(group.name, member.instance_id, member.availability_zone or "", member.instance.subnet_id or "")
