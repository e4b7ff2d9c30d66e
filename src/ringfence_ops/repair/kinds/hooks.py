"""The lifecycle hooks of the Auto Scaling groups."""

from botocore.exceptions import ClientError

from ringfence.aws.error_codes import is_absent_scaling_group
from ringfence_ops.repair.drift import Fields, Repair
from ringfence_ops.repair.kinds.kind import ClientOf, pick
from ringfence_ops.repair.template import Resource

_COMPARED = ("LifecycleTransition", "HeartbeatTimeout", "DefaultResult")


class LifecycleHooks:
    """`AWS::AutoScaling::LifecycleHook`. Other hooks of the group stay."""

    def name(self, resource: Resource) -> str:
        """The hook and its group."""
        properties = resource.properties
        return f"{properties['LifecycleHookName']} of {properties['AutoScalingGroupName']}"

    def wanted(self, resource: Resource) -> Fields:
        """The hook."""
        return pick(resource.properties, *_COMPARED)

    def found(self, client_of: ClientOf, resource: Resource) -> Fields | None:
        """The hook as it is. Of a group that does not exist, no hook is missing: `doctor` names the group."""
        properties = resource.properties
        group, name = properties["AutoScalingGroupName"], properties["LifecycleHookName"]
        client = client_of("autoscaling")
        try:
            hooks = client.describe_lifecycle_hooks(AutoScalingGroupName=group)["LifecycleHooks"]
        except ClientError as error:
            if is_absent_scaling_group(error):
                return self.wanted(resource)
            raise
        if not hooks and not client.describe_auto_scaling_groups(AutoScalingGroupNames=[group])["AutoScalingGroups"]:
            return self.wanted(resource)
        found = [hook for hook in hooks if hook["LifecycleHookName"] == name]
        return pick(found[0], *_COMPARED) if found else None

    def repair(self, client_of: ClientOf, repair: Repair) -> None:
        """Puts the hook. A hook of another transition with its name is deleted first."""
        client, properties = client_of("autoscaling"), repair.resource.properties
        key = pick(properties, "AutoScalingGroupName", "LifecycleHookName")
        if any(one.name == "LifecycleTransition" for one in repair.differences):
            client.delete_lifecycle_hook(**key)
        settings = pick(properties, "LifecycleTransition", "DefaultResult")
        client.put_lifecycle_hook(**key, **settings, HeartbeatTimeout=int(properties["HeartbeatTimeout"]))
