"""The `AutoScaling` interface on Amazon EC2 Auto Scaling."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from ringfence.aws.error_codes import is_inactive_lifecycle_action, translated
from ringfence.core.lifecycle import HookResult
from ringfence.core.model.identifiers import InstanceId, Region
from ringfence.core.observation import without_contradictions

if TYPE_CHECKING:
    from mypy_boto3_autoscaling import AutoScalingClient
    from mypy_boto3_autoscaling.type_defs import InstanceTypeDef


POOL_PAGE = 50
"""Maximum page size of DescribeWarmPool. Source: Amazon EC2 Auto Scaling API Reference."""


def _states(instances: "Sequence[InstanceTypeDef]") -> Mapping[InstanceId, str]:
    return {InstanceId(instance["InstanceId"]): instance["LifecycleState"] for instance in instances}


@dataclass(frozen=True, slots=True)
class AwsAutoScaling:
    """A Region's Auto Scaling groups."""

    client: "AutoScalingClient"
    region: Region

    def groups(self, names: Sequence[str]) -> Mapping[str, Mapping[InstanceId, str]]:
        """See `interfaces.AutoScaling.groups`."""
        with translated(self.region, "DescribeAutoScalingGroups"):
            pages = self.client.get_paginator("describe_auto_scaling_groups").paginate(
                AutoScalingGroupNames=list(names)
            )
            groups = [group for page in pages for group in page["AutoScalingGroups"]]
        return {
            group["AutoScalingGroupName"]: without_contradictions(
                _states(group["Instances"]),
                self._warm_pool(group["AutoScalingGroupName"]) if group.get("WarmPoolConfiguration") else {},
            )
            for group in groups
        }

    def _warm_pool(self, group: str) -> Mapping[InstanceId, str]:
        """The states of a warm pool's instances, which DescribeAutoScalingGroups does not list.

        Source: Amazon EC2 Auto Scaling API Reference, DescribeAutoScalingGroups.
        """
        with translated(self.region, "DescribeWarmPool"):
            pages = self.client.get_paginator("describe_warm_pool").paginate(
                AutoScalingGroupName=group, PaginationConfig={"PageSize": POOL_PAGE}
            )
            return _states([instance for page in pages for instance in page["Instances"]])

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
