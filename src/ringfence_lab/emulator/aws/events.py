"""The events that Amazon EC2 Auto Scaling sends to EventBridge, field by field.

Source: Amazon EC2 Auto Scaling User Guide, "Amazon EC2 Auto Scaling event reference", "Warm pool example events and
patterns" and "Instance refresh replace root volume lifecycle events". It must not know moto or any state.
"""

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, Protocol

from ringfence_lab.emulator.aws.lifecycle import LifecycleAction, Route, Transition

SOURCE = "aws.autoscaling"


class SendEvent(Protocol):
    """Sends an event, without waiting for its delivery."""

    def __call__(
        self, region: str, source: str, detail_type: str, detail: Mapping[str, Any], resources: Sequence[str], /
    ) -> None:
        """Sends one event of an AWS service, in the terms of EventBridge's envelope."""


class ScalingEvent(StrEnum):
    """The events that end a scaling activity."""

    LAUNCHED = "EC2 Instance Launch Successful"
    LAUNCH_FAILED = "EC2 Instance Launch Unsuccessful"
    TERMINATED = "EC2 Instance Terminate Successful"
    DETACHED = "EC2 Instance Detach Successful"


_DESCRIPTIONS: Mapping[ScalingEvent, str] = {
    ScalingEvent.LAUNCHED: "Launching a new EC2 instance",
    ScalingEvent.LAUNCH_FAILED: "Launching a new EC2 instance",
    ScalingEvent.TERMINATED: "Terminating EC2 instance",
    ScalingEvent.DETACHED: "Detaching EC2 instance",
}


@dataclass(frozen=True, slots=True)
class EventSubject:
    """The instance of an event, and where it is."""

    group: str
    instance_id: str
    availability_zone: str
    subnet_id: str


def lifecycle_action_type(route: Route) -> str:
    """The detail type of the event at the start of a lifecycle action."""
    transition = "launch" if route.transition is Transition.LAUNCHING else "terminate"
    return f"EC2 Instance-{transition} Lifecycle Action"


def lifecycle_action(group: str, instance_id: str, route: Route, action: LifecycleAction) -> dict[str, Any]:
    """The detail of the event at the start of a lifecycle action."""
    detail = {
        "LifecycleActionToken": action.token,
        "AutoScalingGroupName": group,
        "LifecycleHookName": action.hook.name,
        "EC2InstanceId": instance_id,
        "LifecycleTransition": route.transition.value,
        "Origin": route.origin.value,
        "Destination": route.destination.value,
    }
    if route.action is not None:
        detail["Action"] = route.action
    if action.hook.notification_metadata is not None:
        detail["NotificationMetadata"] = action.hook.notification_metadata
    return detail


def scaling_activity(event: ScalingEvent, subject: EventSubject, route: Route, cause: str) -> dict[str, Any]:
    """The detail of the event at the end of a scaling activity. `cause` is a sentence for people."""
    failed = event is ScalingEvent.LAUNCH_FAILED
    at = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return {
        "StatusCode": "Failed" if failed else "InProgress",
        "Description": f"{_DESCRIPTIONS[event]}: {subject.instance_id}",
        "AutoScalingGroupName": subject.group,
        "ActivityId": str(uuid.uuid4()),
        "Details": {"Availability Zone": subject.availability_zone, "Subnet ID": subject.subnet_id},
        "RequestId": str(uuid.uuid4()),
        "StatusMessage": cause if failed else "",
        "StartTime": at,
        "EndTime": at,
        "EC2InstanceId": subject.instance_id,
        "Cause": f"At {at} {cause}",
        "Origin": route.origin.value,
        "Destination": route.destination.value,
    }
