"""Reads by how much an Auto Scaling group may exceed its size while it replaces instances.

Source: EC2 Auto Scaling API Reference, InstanceMaintenancePolicy and RefreshPreferences. Judges nothing.
"""

from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from botocore.exceptions import ClientError

_REFRESHING = ("Pending", "InProgress", "Baking", "Cancelling", "RollbackInProgress")
"""The states in which an instance refresh may still replace instances."""


def surplus_percent(autoscaling: Any, group: Mapping[str, Any]) -> int:
    """The percentage by which the group may exceed its size, by its maintenance policy or by a refresh in progress.

    A refresh whose preferences cannot be read counts as one that allows no more than the policy.
    """
    percentages: list[int] = [100, group.get("InstanceMaintenancePolicy", {}).get("MaxHealthyPercentage", 100)]
    with suppress(ClientError):
        refreshes = autoscaling.describe_instance_refreshes(AutoScalingGroupName=group["AutoScalingGroupName"])
        percentages += [
            refresh.get("Preferences", {}).get("MaxHealthyPercentage", 100)
            for refresh in refreshes["InstanceRefreshes"]
            if refresh["Status"] in _REFRESHING
        ]
    return max(percentages) - 100
