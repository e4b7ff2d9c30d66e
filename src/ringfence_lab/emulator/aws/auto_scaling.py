"""Amazon EC2 Auto Scaling's API on moto, with groups that do what AWS documents.

It checks requests, lets `groups` carry them out, and answers in moto's own forms. Source of every operation: Amazon EC2
Auto Scaling API Reference. Where that does not give the wording of an error, the wording is what users reported from
AWS.
"""

from collections.abc import Callable, Sequence
from typing import Any

from moto.autoscaling.exceptions import AutoscalingClientError, ValidationError
from moto.autoscaling.models import Activity, AutoScalingBackend, autoscaling_backends
from moto.autoscaling.models import FakeAutoScalingGroup as Group
from moto.autoscaling.models import InstanceState as Member
from moto.autoscaling.responses import AutoScalingResponse as Response
from moto.core.exceptions import ServiceException
from moto.core.responses import ActionResult, EmptyResult
from moto.ec2.responses.instances import InstanceResponse

from ringfence_lab.emulator.aws import instance_refresh, lifecycle_hooks, warm_pool
from ringfence_lab.emulator.aws.groups import Groups
from ringfence_lab.emulator.aws.seams import replace, wrap


def install(groups: Groups) -> None:
    """Patches moto."""
    _install_capacity(groups)
    _install_deletion(groups)
    _install_single_instances(groups)
    _install_health(groups)
    _install_warm_pool(groups)
    _install_instance_refresh(groups)
    lifecycle_hooks.install(groups.journeys, group_named)


def group_named(backend: AutoScalingBackend, name: str) -> Group:
    """A group by its name. Raises ValidationError if there is none."""
    group = backend.autoscaling_groups.get(name)
    if group is None:
        raise ValidationError(f"AutoScalingGroup name not found - AutoScalingGroup: {name} not found")
    return group


def _asked_group(response: Response) -> Group:
    return group_named(response.autoscaling_backend, response._get_param("AutoScalingGroupName"))


def _install_capacity(groups: Groups) -> None:
    def set_capacity(group: Group, desired: int | None) -> None:
        group.desired_capacity = int((group.min_size if desired is None else desired) or 0)
        # While moto still creates the group it is not listed yet, and launches wait for `create`.
        if group.autoscaling_backend.autoscaling_groups.get(group.name) is group:
            groups.reconcile(group)

    def create(inner: Callable[..., Group], backend: AutoScalingBackend, **asked: Any) -> Group:
        _require_fitting(asked.get("desired_capacity"), int(asked["min_size"]), int(asked["max_size"]))
        group = inner(backend, **asked)
        groups.reconcile(group)
        return group

    replace(Group, set_desired_capacity=set_capacity)
    wrap(AutoScalingBackend, "create_auto_scaling_group", create)
    wrap(AutoScalingBackend, "update_auto_scaling_group", _update)
    replace(AutoScalingBackend, set_desired_capacity=_set_within_bounds)
    wrap(Response, "create_auto_scaling_group", _create_as_asked)
    wrap(Response, "update_auto_scaling_group", _update_as_asked)
    replace(Response, set_desired_capacity=_set_desired_capacity)


def _create_as_asked(inner: Callable[[Response], ActionResult], response: Response) -> ActionResult:
    """Creates a group, its hooks first, so that they hold the first instances that it launches."""
    backend, name = response.autoscaling_backend, response._get_param("AutoScalingGroupName")
    if name in backend.autoscaling_groups:
        raise AutoscalingClientError("AlreadyExists", f"AutoScalingGroup by this name already exists - {name}")
    hooks = response._get_param("LifecycleHookSpecificationList", [])
    for specification in hooks:
        lifecycle_hooks.put(backend, name, specification)
    try:
        answer = inner(response)
    except ServiceException:
        for specification in hooks:
            backend.delete_lifecycle_hook(name, specification["LifecycleHookName"])
        raise
    _keep_lifecycle_policy(response)
    return answer


def _update(inner: Callable[..., Group], backend: AutoScalingBackend, name: str, **asked: Any) -> Group:
    """Changes a group. A desired capacity that is not given follows from the bounds."""
    group = group_named(backend, name)
    smallest = int((group.min_size if asked.get("min_size") is None else asked["min_size"]) or 0)
    largest = int((group.max_size if asked.get("max_size") is None else asked["max_size"]) or 0)
    _require_fitting(asked.get("desired_capacity"), smallest, largest)
    if asked.get("desired_capacity") is None:
        asked["desired_capacity"] = min(max(int(group.desired_capacity or 0), smallest), largest)
    return inner(backend, name, **asked)


def _update_as_asked(inner: Callable[[Response], ActionResult], response: Response) -> ActionResult:
    answer = inner(response)
    _keep_lifecycle_policy(response)
    return answer


def _set_desired_capacity(response: Response) -> ActionResult:
    group, desired = _asked_group(response), response._get_int_param("DesiredCapacity")
    _require_fitting(desired, int(group.min_size or 0), int(group.max_size or 0))
    group.set_desired_capacity(desired)
    return EmptyResult()


def _set_within_bounds(backend: AutoScalingBackend, name: str, desired: int | None) -> None:
    """Sets the capacity as a scaling policy does: within the group's bounds."""
    group = group_named(backend, name)
    group.set_desired_capacity(min(max(int(desired or 0), int(group.min_size or 0)), int(group.max_size or 0)))


def _require_fitting(desired: object, smallest: int, largest: int) -> None:
    if smallest > largest:
        raise ValidationError("Max bound must be greater than or equal to min bound")
    if desired is None:
        return
    asked = int(str(desired))
    if asked > largest:
        raise ValidationError(
            f"New SetDesiredCapacity value {asked} is above max value {largest} for the AutoScalingGroup."
        )
    if asked < smallest:
        raise ValidationError(
            f"New SetDesiredCapacity value {asked} is below min value {smallest} for the AutoScalingGroup."
        )


def _keep_lifecycle_policy(response: Response) -> None:
    """Whether instances whose termination was abandoned are retained.

    Source: Amazon EC2 Auto Scaling User Guide, "Control instance retention with instance lifecycle policies".
    """
    policy = response._get_param("InstanceLifecyclePolicy", None)
    if policy is not None:
        trigger = policy.get("RetentionTriggers", {}).get("TerminateHookAbandon", "terminate")
        group: Any = _asked_group(response)  # both attributes are ours, beside moto's
        group.instance_lifecycle_policy, group.retains_abandoned = policy, trigger == "retain"


def _install_deletion(groups: Groups) -> None:
    def delete(response: Response) -> ActionResult:
        group, backend = _asked_group(response), response.autoscaling_backend
        if group.instance_states and not response._get_bool_param("ForceDelete", False):
            raise AutoscalingClientError(
                "ResourceInUse",
                "You cannot delete an AutoScalingGroup while there are instances or pending Spot instance request(s) "
                "still in the group.",
            )
        _delete(backend, group)
        return EmptyResult()

    def _delete(backend: AutoScalingBackend, group: Group) -> None:
        del backend.autoscaling_groups[group.name]
        groups.remove_all(group, group.instance_states)
        for hook in backend.describe_lifecycle_hooks(group.name):
            backend.delete_lifecycle_hook(group.name, hook.name)

    def delete_named(backend: AutoScalingBackend, group_name: str) -> None:
        _delete(backend, group_named(backend, group_name))

    replace(Response, delete_auto_scaling_group=delete)
    replace(AutoScalingBackend, delete_auto_scaling_group=delete_named)


def _install_single_instances(groups: Groups) -> None:
    def terminate(response: Response) -> ActionResult:
        group, member = _find_member(response.autoscaling_backend, response._get_param("InstanceId"))
        decrement = response._get_bool_param("ShouldDecrementDesiredCapacity", False)
        groups.terminate(group, member, decrement=decrement)
        return ActionResult({"Activity": _activity(group, f"Terminating EC2 instance: {member.instance_id}")})

    def attach(response: Response) -> ActionResult:
        groups.attach(_asked_group(response), response._get_param("InstanceIds", []))
        return EmptyResult()

    def detach(response: Response) -> ActionResult:
        group, members = _asked_members(response, "InService", "Standby", "Pending", "Pending:Wait")
        decrement = response._get_bool_param("ShouldDecrementDesiredCapacity", False)
        groups.detach(group, members, decrement=decrement)
        return _activities(group, "Detaching EC2 instance: {}", members)

    def enter_standby(response: Response) -> ActionResult:
        group, members = _asked_members(response, "InService")
        decrement = response._get_bool_param("ShouldDecrementDesiredCapacity", False)
        groups.enter_standby(group, members, decrement=decrement)
        return _activities(group, "Moving EC2 instance to Standby: {}", members)

    def exit_standby(response: Response) -> ActionResult:
        group, members = _asked_members(response, "Standby")
        groups.exit_standby(group, members)
        return _activities(group, "Moving EC2 instance out of Standby: {}", members)

    replace(
        Response,
        terminate_instance_in_auto_scaling_group=terminate,
        attach_instances=attach,
        detach_instances=detach,
        enter_standby=enter_standby,
        exit_standby=exit_standby,
    )


def _find_member(backend: AutoScalingBackend, instance_id: str) -> tuple[Group, Member]:
    for group in backend.autoscaling_groups.values():
        for member in group.instance_states:
            if member.instance_id == instance_id:
                return group, member
    raise ValidationError(f"Instance Id not found - No managed instance found for instance ID: {instance_id}")


def _asked_members(response: Response, *states: str) -> tuple[Group, list[Member]]:
    """The instances that a request names. Raises ValidationError if one is no member or is in another state."""
    group = _asked_group(response)
    members = {member.instance_id: member for member in group.instance_states}
    for id in response._get_param("InstanceIds", []):
        if id not in members:
            raise ValidationError(f"The instance {id} is not part of Auto Scaling group {group.name}.")
        if members[id].lifecycle_state not in states:
            raise ValidationError(f"The instance {id} is not in {' or '.join(states)}.")
    return group, [members[id] for id in response._get_param("InstanceIds", [])]


def _activity(group: Group, description: str) -> Activity:
    return Activity(description, "a user request", group)


def _activities(group: Group, description: str, members: Sequence[Member]) -> ActionResult:
    return ActionResult(
        {"Activities": [_activity(group, description.format(member.instance_id)) for member in members]}
    )


def _install_health(groups: Groups) -> None:
    def set_health(backend: AutoScalingBackend, instance_id: str, health_status: str) -> None:
        group, member = _find_member(backend, instance_id)
        if health_status == "Unhealthy":
            groups.replace_unhealthy(group, member)
        else:
            member.health_status = health_status

    def notice_terminated(backend: AutoScalingBackend, instance_ids: Sequence[str]) -> None:
        """EC2's health check: an instance in another state than running is unhealthy."""
        for group in list(backend.autoscaling_groups.values()):
            for member in [member for member in group.instance_states if member.instance_id in instance_ids]:
                if not member.lifecycle_state.startswith("Warmed:") or member.instance.state == "terminated":
                    groups.replace_unhealthy(group, member)

    def stop(inner: Callable[[InstanceResponse], ActionResult], response: InstanceResponse) -> ActionResult:
        answer = inner(response)
        backend = autoscaling_backends[response.current_account][response.region]
        notice_terminated(backend, response._get_param("InstanceIds", []))
        return answer

    replace(AutoScalingBackend, set_instance_health=set_health, notify_terminate_instances=notice_terminated)
    wrap(InstanceResponse, "stop_instances", stop)


def _install_warm_pool(groups: Groups) -> None:
    def put(response: Response) -> ActionResult:
        group, asked = _asked_group(response), response._get_params()
        if groups.refreshes.active(group.name) is not None:
            raise ValidationError("An instance refresh replaces root volumes, so the group cannot have a warm pool.")
        group.put_warm_pool(
            response._get_int_param("MaxGroupPreparedCapacity"),
            response._get_int_param("MinSize"),
            asked.get("PoolState"),
            asked.get("InstanceReusePolicy"),
        )
        groups.reconcile(group)
        return EmptyResult()

    def describe(response: Response) -> ActionResult:
        group = _asked_group(response)
        pooled = [member for member in group.instance_states if warm_pool.is_pooled(member)]
        most = response._get_int_param("MaxRecords") or warm_pool.LARGEST_PAGE
        page, token = warm_pool.page(pooled, most, response._get_param("NextToken"))
        return ActionResult({"WarmPoolConfiguration": group.warm_pool, "Instances": page, "NextToken": token})

    def delete(response: Response) -> ActionResult:
        group = _asked_group(response)
        if group.warm_pool is None:
            raise ValidationError(f"No warm pool found for group {group.name}.")
        group.warm_pool.status = "PendingDelete"  # type: ignore[attr-defined]  # moto's lacks it
        pooled = [member for member in group.instance_states if warm_pool.is_pooled(member)]
        if response._get_bool_param("ForceDelete", False):
            groups.remove_all(group, pooled)
        if not pooled:
            group.warm_pool = None
        groups.reconcile(group)
        return EmptyResult()

    def in_group(group: Group) -> list[Member]:
        """DescribeAutoScalingGroups does not list the instances of the warm pool."""
        return [member for member in group.instance_states if not warm_pool.is_pooled(member)]

    def pool_size(group: Group) -> int | None:
        return len(warm_pool.staying(group)) if group.warm_pool else None

    replace(Response, put_warm_pool=put, describe_warm_pool=describe, delete_warm_pool=delete)
    replace(Group, instances=property(in_group), warm_pool_size=property(pool_size))


def _install_instance_refresh(groups: Groups) -> None:
    def start(response: Response) -> ActionResult:
        group = _asked_group(response)
        instance_refresh.require_replaceable(group, response._get_params())
        return ActionResult({"InstanceRefreshId": groups.replace_root_volumes(group).id})

    def describe(response: Response) -> ActionResult:
        wanted = response._get_param("InstanceRefreshIds", [])
        found = groups.refreshes.of(_asked_group(response).name)
        return ActionResult(
            {"InstanceRefreshes": [refresh.described() for refresh in found if not wanted or refresh.id in wanted]}
        )

    replace(Response, start_instance_refresh=start, describe_instance_refreshes=describe)
