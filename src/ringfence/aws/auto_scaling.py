"""The `AutoScaling` interface on Amazon EC2 Auto Scaling."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from ringfence.aws.error_codes import is_inactive_lifecycle_action, translated
from ringfence.core.lifecycle import HookResult
from ringfence.core.model.identifiers import InstanceId, Region
from ringfence.core.observation import Listing

if TYPE_CHECKING:
    from mypy_boto3_autoscaling import AutoScalingClient


@dataclass(frozen=True, slots=True)
class AwsAutoScaling:
    """A Region's Auto Scaling groups."""

    client: "AutoScalingClient"
    region: Region

    def groups(self, names: Sequence[str]) -> Listing:
        """See `interfaces.AutoScaling.groups`."""
        states: dict[str, dict[InstanceId, str]] = {}
        zones: dict[InstanceId, str] = {}
        with translated(self.region, "DescribeAutoScalingGroups"):
            pages = self.client.get_paginator("describe_auto_scaling_groups").paginate(
                AutoScalingGroupNames=list(names)
            )
            for group in (group for page in pages for group in page["AutoScalingGroups"]):
                listed = {InstanceId(instance["InstanceId"]): instance for instance in group["Instances"]}
                states[group["AutoScalingGroupName"]] = {id: one["LifecycleState"] for id, one in listed.items()}
                zones |= {id: one["AvailabilityZone"] for id, one in listed.items()}
        return Listing(states, zones)

    def complete(self, group: str, hook: str, instance: InstanceId, token: str | None, result: HookResult) -> bool:
        """See `interfaces.AutoScaling.complete`."""
        with translated(self.region, "CompleteLifecycleAction"):
            try:
                self.client.complete_lifecycle_action(
                    AutoScalingGroupName=group,
                    LifecycleHookName=hook,
                    LifecycleActionResult=result.value,
                    **({"LifecycleActionToken": token} if token else {"InstanceId": instance}),
                )
            except ClientError as error:
                if is_inactive_lifecycle_action(error):
                    return False
                raise
        return True
