"""The API of lifecycle hooks and lifecycle actions, on moto.

Source: Amazon EC2 Auto Scaling API Reference, PutLifecycleHook, DescribeLifecycleHooks, DeleteLifecycleHook,
CompleteLifecycleAction, RecordLifecycleActionHeartbeat.
"""

from collections.abc import Callable, Mapping
from typing import Any

from moto.autoscaling.exceptions import ValidationError
from moto.autoscaling.models import AutoScalingBackend, LifecycleHook
from moto.autoscaling.models import FakeAutoScalingGroup as Group
from moto.autoscaling.responses import AutoScalingResponse as Response
from moto.core.responses import ActionResult, EmptyResult

from ringfence_lab.emulator.aws.journeys import ActionId, Journeys
from ringfence_lab.emulator.aws.lifecycle import Hook, HookResult, Transition
from ringfence_lab.emulator.aws.seams import replace

_HEARTBEAT_SECONDS = range(30, 7201)

GroupNamed = Callable[[AutoScalingBackend, str], Group]
"""Finds a group by its name, or raises ValidationError."""


def install(journeys: Journeys, group_named: GroupNamed) -> None:
    """Patches moto."""

    def asked_group(response: Response) -> Group:
        return group_named(response.autoscaling_backend, response._get_param("AutoScalingGroupName"))

    def put_hook(response: Response) -> ActionResult:
        group = asked_group(response)
        put(response.autoscaling_backend, group.name, response._get_params())
        return EmptyResult()

    def delete_hook(response: Response) -> ActionResult:
        group, name = asked_group(response), response._get_param("LifecycleHookName")
        if not response.autoscaling_backend.describe_lifecycle_hooks(group.name, [name]):
            raise ValidationError(f"No Lifecycle Hook found with name {name} for Auto Scaling group {group.name}")
        response.autoscaling_backend.delete_lifecycle_hook(group.name, name)
        journeys.end_actions_of(group, name)
        return EmptyResult()

    def complete(response: Response) -> ActionResult:
        group, result = asked_group(response), response._get_param("LifecycleActionResult")
        if result not in set(HookResult):
            raise ValidationError(f"LifecycleActionResult {result} is none of {', '.join(HookResult)}")
        journeys.complete(group, _asked_action(response), HookResult(result))
        return EmptyResult()

    def record_heartbeat(response: Response) -> ActionResult:
        journeys.record_heartbeat(asked_group(response), _asked_action(response))
        return EmptyResult()

    replace(
        Response,
        put_lifecycle_hook=put_hook,
        delete_lifecycle_hook=delete_hook,
        complete_lifecycle_action=complete,
        record_lifecycle_action_heartbeat=record_heartbeat,
    )


def _asked_action(response: Response) -> ActionId:
    """The action that a request names. Raises ValidationError if it gives neither a token nor an instance id."""
    token, instance_id = response._get_param("LifecycleActionToken"), response._get_param("InstanceId")
    if not token and not instance_id:
        raise ValidationError("Either LifecycleActionToken or InstanceId must be specified")
    return ActionId(response._get_param("LifecycleHookName"), token, instance_id)


def put(backend: AutoScalingBackend, group_name: str, asked: Mapping[str, Any]) -> None:
    """Creates a hook, or changes the given fields of one. Raises ValidationError for invalid values."""
    name = asked["LifecycleHookName"]
    present = next(iter(backend.describe_lifecycle_hooks(group_name, [name])), None)
    hook = _merged(present, group_name, asked)
    if hook.lifecycle_transition not in set(Transition):
        raise ValidationError(f"LifecycleTransition must be one of {', '.join(Transition)}")
    if hook.default_result not in set(HookResult):
        raise ValidationError(f"DefaultResult must be one of {', '.join(HookResult)}")
    if hook.heartbeat_timeout not in _HEARTBEAT_SECONDS:
        raise ValidationError("HeartbeatTimeout must be between 30 and 7200 seconds")
    hook.global_timeout = Hook(name, Transition(str(hook.lifecycle_transition)), hook.heartbeat_timeout).global_timeout
    backend.lifecycle_hooks[f"{group_name}_{name}"] = hook


def _merged(present: LifecycleHook | None, group_name: str, asked: Mapping[str, Any]) -> LifecycleHook:
    def value(parameter: str, attribute: str) -> Any:
        return asked.get(parameter, getattr(present, attribute, None))

    timeout = value("HeartbeatTimeout", "heartbeat_timeout")
    hook = LifecycleHook(
        asked["LifecycleHookName"],
        group_name,
        value("LifecycleTransition", "lifecycle_transition"),
        None if timeout is None else int(timeout),
        value("DefaultResult", "default_result"),
    )
    hook.role_arn = value("RoleARN", "role_arn")
    hook.notification_target_arn = value("NotificationTargetARN", "notification_target_arn")
    hook.notification_metadata = value("NotificationMetadata", "notification_metadata")  # type: ignore[attr-defined]  # moto's lacks it
    return hook
