"""Patches moto's EC2 and Auto Scaling: the one place that knows all patches.

A second installation replaces the first one, so that a process can start again with another lock and clock.
"""

from ringfence_lab.emulator.aws import addresses, auto_scaling, instances, security_groups
from ringfence_lab.emulator.aws.groups import Groups
from ringfence_lab.emulator.aws.journeys import Environment
from ringfence_lab.emulator.aws.security_groups import RulesQuota


def install(environment: Environment) -> RulesQuota:
    """Patches moto, and returns the quota of security group rules, which can be changed."""
    quota = RulesQuota()
    addresses.install()
    instances.install(environment.failing_zones)
    security_groups.install(quota)
    auto_scaling.install(Groups(environment))
    return quota
