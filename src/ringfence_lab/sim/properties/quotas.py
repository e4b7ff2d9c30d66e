"""Property 7: quotas are kept."""

from collections.abc import Iterator

from ringfence_lab.sim.aws.history import CloudChange, RuleMade
from ringfence_lab.sim.properties.context import CheckContext


def quotas_hold(context: CheckContext, change: CloudChange) -> Iterator[str]:
    """No security group exceeds its quota of rules."""
    if isinstance(change, RuleMade):
        group = context.cloud.regions[change.region].security_groups.groups[change.rule.group]
        if max(group.used(ipv6=False), group.used(ipv6=True)) > group.quota:
            yield f"{group.id} holds more than {group.quota} rules"
