"""What operators and scaling policies do to a cluster at any time, by chance.

Each action does one thing and says what, in the words of a trace; it says nothing where there was nothing to do it to.
"""

import random
from collections.abc import Callable

from ringfence.core.errors import Refused
from ringfence.core.model.ports import PortRange
from ringfence.core.observation import Power
from ringfence_lab.sim.aws.auto_scaling import AutoScalingGroup, GroupInstance
from ringfence_lab.sim.cloud import CloudRegion

Action = Callable[[CloudRegion, AutoScalingGroup, random.Random], str]

MOST = 4
"""The largest desired capacity of a group."""


def change_desired_capacity(_region: CloudRegion, group: AutoScalingGroup, chance: random.Random) -> str:
    """Scales out or in, also by several at once."""
    desired = chance.randrange(MOST + 1)
    if desired == group.desired:
        return ""
    group.scale_to(desired)
    return f"scales {group.name} to {desired}"


def terminate_instance(_region: CloudRegion, group: AutoScalingGroup, chance: random.Random) -> str:
    """TerminateInstanceInAutoScalingGroup."""
    one = _one(group, chance, "InService", "Pending:Wait", "Standby")
    if one is None:
        return ""
    group.terminate(one.id, decrement=chance.random() < 0.5)
    return f"terminates {one.id} of {group.name}"


def lose_instance(_region: CloudRegion, group: AutoScalingGroup, chance: random.Random) -> str:
    """A Spot interruption, or a termination through EC2."""
    one = _one(group, chance, "InService", "Pending:Wait")
    if one is None:
        return ""
    group.lose(one.id)
    return f"loses {one.id} of {group.name}"


def detach_instance(_region: CloudRegion, group: AutoScalingGroup, chance: random.Random) -> str:
    """DetachInstances."""
    one = _one(group, chance, "InService")
    if one is None:
        return ""
    group.detach(one.id)
    return f"detaches {one.id} from {group.name}"


def attach_instance(region: CloudRegion, group: AutoScalingGroup, chance: random.Random) -> str:
    """AttachInstances, of one that was detached before or of a new one."""
    loose = [one.id for one in region.ec2.instances.values() if one.group is None and one.power is Power.RUNNING]
    if group.desired >= MOST:
        return ""
    instance = chance.choice(loose) if loose else region.ec2.launch().id
    group.attach(instance)
    return f"attaches {instance} to {group.name}"


def enter_or_exit_standby(_region: CloudRegion, group: AutoScalingGroup, chance: random.Random) -> str:
    """EnterStandby, or ExitStandby."""
    one = _one(group, chance, "InService", "Standby")
    if one is None:
        return ""
    if one.state == "Standby":
        group.exit_standby(one.id)
        return f"takes {one.id} out of standby"
    group.enter_standby(one.id)
    return f"puts {one.id} into standby"


def put_warm_pool(_region: CloudRegion, group: AutoScalingGroup, chance: random.Random) -> str:
    """PutWarmPool, of whatever size and kind."""
    size = chance.randrange(3)
    state = chance.choice(("Warmed:Stopped", "Warmed:Running"))
    group.put_warm_pool(size, state, reuse_on_scale_in=chance.random() < 0.5)
    return f"gives {group.name} a warm pool of {size}, {state}"


def associate_elastic_ip(region: CloudRegion, group: AutoScalingGroup, chance: random.Random) -> str:
    """An Elastic IP takes the place of an instance's public address: another instance's, where one has one."""
    one = _one(group, chance, "InService", "Standby")
    if one is None or region.ec2.instances[one.id].power is not Power.RUNNING:
        return ""
    holders = [each.id for each in region.ec2.instances.values() if each.elastic and each.power is Power.RUNNING]
    if holders and holders[0] != one.id:
        region.ec2.move_elastic_address(holders[0], one.id)
        return f"moves the Elastic IP of {holders[0]} to {one.id}"
    region.ec2.assign_public_address(one.id, elastic=True)
    return f"gives {one.id} an Elastic IP"


def write_rule(region: CloudRegion, group: AutoScalingGroup, chance: random.Random) -> str:
    """A rule by hand, or another cluster's: anybody's address, maybe a member's, on a managed port or another one."""
    holders = list(region.ec2.holders)
    cidr = chance.choice(holders) if holders and chance.random() < 0.3 else f"203.0.113.{chance.randrange(1, 255)}/32"
    ports = chance.choice(("tcp/9042", "tcp/22"))
    description = chance.choice(("by hand", f"ringfence another {region.name}/{group.name} i-0badcafe"))
    try:
        region.security_group.allow(cidr, ports, description)
    except Refused:
        return ""
    return f"allows {cidr} on {ports} in {region.security_group.id}"


def delete_rule(region: CloudRegion, _group: AutoScalingGroup, chance: random.Random) -> str:
    """Deletes any rule whose source is a CIDR, an owned one for one."""
    rules = [rule for rule in region.security_group.rules.values() if rule.opening is not None]
    if not rules:
        return ""
    rule = chance.choice(rules)
    region.security_group.revoke_by_hand(rule.id)
    return f"deletes {rule.id}, {rule.opening}"


def change_rule(region: CloudRegion, _group: AutoScalingGroup, chance: random.Random) -> str:
    """ModifySecurityGroupRules: any rule whose source is a CIDR, an owned one for one, gets other ports or another
    description."""
    rules = [rule for rule in region.security_group.rules.values() if rule.opening is not None]
    if not rules:
        return ""
    rule = chance.choice(rules)
    ports = chance.choice((rule.ports, PortRange.parse("tcp/9042"), PortRange.parse("tcp/22")))
    description = chance.choice((rule.description, "changed by hand"))
    if (ports, description) == (rule.ports, rule.description):
        return ""
    try:
        region.security_group.change_by_hand(rule.id, ports, description)
    except Refused:
        return ""
    return f"changes {rule.id} to {ports} [{description}]"


ACTIONS: tuple[tuple[Action, int], ...] = (
    (change_desired_capacity, 10),
    (terminate_instance, 3),
    (lose_instance, 2),
    (detach_instance, 2),
    (attach_instance, 3),
    (enter_or_exit_standby, 1),
    (put_warm_pool, 3),
    (associate_elastic_ip, 2),
    (write_rule, 2),
    (delete_rule, 2),
    (change_rule, 1),
)
"""Every action with its weight."""

_KINDS, _WEIGHTS = zip(*ACTIONS, strict=True)


def act(region: CloudRegion, chance: random.Random) -> tuple[str, str]:
    """Does one thing in a Region. Returns the action's name, and what was done or nothing."""
    group = chance.choice(list(region.groups.values()))
    action: Action = chance.choices(_KINDS, _WEIGHTS)[0]
    did = action(region, group, chance)
    return action.__name__, f"{region.name}: an operator {did}" if did else ""


def _one(group: AutoScalingGroup, chance: random.Random, *states: str) -> GroupInstance | None:
    found = [one for one in group.instances.values() if one.state in states]
    return chance.choice(found) if found else None
