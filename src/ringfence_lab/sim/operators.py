"""Random actions of operators and scaling policies.

Each action does one thing and returns a text for the trace, which is empty if it could do nothing.
"""

import random
from collections.abc import Callable, Sequence

from ringfence.core.errors import Refused
from ringfence.core.model.ports import PortRange
from ringfence.core.observation import Power
from ringfence_lab.sim.aws.auto_scaling import AutoScalingGroup
from ringfence_lab.sim.aws.lifecycle import REPLACING, GroupInstance
from ringfence_lab.sim.aws.region import CloudRegion

OperatorAction = Callable[[CloudRegion, AutoScalingGroup, random.Random], str]
Actions = Sequence[tuple[OperatorAction, int]]

MOST = 4
"""The largest desired capacity of a group."""


def change_desired_capacity(_region: CloudRegion, group: AutoScalingGroup, chance: random.Random) -> str:
    """Scales out or in, by one or several instances."""
    desired = chance.randrange(MOST + 1)
    if desired == group.desired:
        return ""
    group.scale_to(desired)
    return f"scales {group.name} to {desired}"


def terminate_instance(_region: CloudRegion, group: AutoScalingGroup, chance: random.Random) -> str:
    """TerminateInstanceInAutoScalingGroup."""
    instance = _random_instance(group, chance, "InService", "Pending:Wait", "Standby", *REPLACING)
    if instance is None:
        return ""
    group.terminate(instance.id, decrement=chance.random() < 0.5)
    return f"terminates {instance.id} of {group.name}"


def lose_instance(_region: CloudRegion, group: AutoScalingGroup, chance: random.Random) -> str:
    """A Spot interruption, or a termination through EC2."""
    instance = _random_instance(group, chance, "InService", "Pending:Wait", *REPLACING)
    if instance is None:
        return ""
    group.lose(instance.id)
    return f"loses {instance.id} of {group.name}"


def detach_instance(_region: CloudRegion, group: AutoScalingGroup, chance: random.Random) -> str:
    """DetachInstances."""
    instance = _random_instance(group, chance, "InService")
    if instance is None:
        return ""
    group.detach(instance.id)
    return f"detaches {instance.id} from {group.name}"


def attach_instance(region: CloudRegion, group: AutoScalingGroup, chance: random.Random) -> str:
    """AttachInstances, for an instance that was detached before or for a new one."""
    running = [instance for instance in region.ec2.instances.values() if instance.power is Power.RUNNING]
    grouped = {id for every in region.groups.values() for id in every.instances}
    loose = [instance.id for instance in running if instance.group is None and instance.id not in grouped]
    if group.desired >= MOST:
        return ""
    id = chance.choice(loose) if loose else region.ec2.launch().id
    group.attach(id)
    return f"attaches {id} to {group.name}"


def enter_or_exit_standby(_region: CloudRegion, group: AutoScalingGroup, chance: random.Random) -> str:
    """EnterStandby, or ExitStandby."""
    instance = _random_instance(group, chance, "InService", "Standby")
    if instance is None:
        return ""
    if instance.state == "Standby":
        group.exit_standby(instance.id)
        return f"takes {instance.id} out of standby"
    group.enter_standby(instance.id)
    return f"puts {instance.id} into standby"


def replace_root_volume(_region: CloudRegion, group: AutoScalingGroup, chance: random.Random) -> str:
    """StartInstanceRefresh with the strategy ReplaceRootVolume."""
    instance = _random_instance(group, chance, "InService")
    if instance is None or not group.replace_root_volume(instance.id):
        return ""
    return f"replaces the root volume of {instance.id} of {group.name}"


def put_warm_pool(_region: CloudRegion, group: AutoScalingGroup, chance: random.Random) -> str:
    """PutWarmPool, of a random size and state."""
    size = chance.randrange(3)
    state = chance.choice(("Warmed:Stopped", "Warmed:Running"))
    group.put_warm_pool(size, state, reuse_on_scale_in=chance.random() < 0.5)
    return f"gives {group.name} a warm pool of {size}, {state}"


def associate_elastic_ip(region: CloudRegion, group: AutoScalingGroup, chance: random.Random) -> str:
    """Associates an Elastic IP, which replaces the public address of an instance: one of another instance, if any."""
    instance = _random_instance(group, chance, "InService", "Standby")
    if instance is None or region.ec2.instances[instance.id].power is not Power.RUNNING:
        return ""
    instances = region.ec2.instances.values()
    holders = [holder.id for holder in instances if holder.elastic and holder.power is Power.RUNNING]
    if holders and holders[0] != instance.id:
        region.ec2.move_elastic_address(holders[0], instance.id)
        return f"moves the Elastic IP of {holders[0]} to {instance.id}"
    region.ec2.assign_public_address(instance.id, elastic=True)
    return f"gives {instance.id} an Elastic IP"


def write_rule(region: CloudRegion, group: AutoScalingGroup, chance: random.Random) -> str:
    """Adds a rule by hand or of another cluster: any address, even a member's, on a managed port or another."""
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
    """Deletes any rule whose source is a CIDR, even an owned one."""
    rules = [rule for rule in region.security_group.rules.values() if rule.opening is not None]
    if not rules:
        return ""
    rule = chance.choice(rules)
    region.security_group.revoke_by_hand(rule.id)
    return f"deletes {rule.id}, {rule.opening}"


def change_rule(region: CloudRegion, _group: AutoScalingGroup, chance: random.Random) -> str:
    """ModifySecurityGroupRules: changes the ports or the description of any rule whose source is a CIDR, even of an
    owned one."""
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


def take_self_rules_away(region: CloudRegion, _group: AutoScalingGroup, _chance: random.Random) -> str:
    """Revokes the rules by which the security group admits itself, or makes them again."""
    if region.security_group.admits_itself():
        region.take_self_rules_away()
        return f"lets {region.security_group.id} not admit itself"
    try:
        region.give_self_rules_back()
    except Refused:
        return ""
    return f"lets {region.security_group.id} admit itself again"


def force_delete_group(region: CloudRegion, group: AutoScalingGroup, chance: random.Random) -> str:
    """DeleteAutoScalingGroup with `ForceDelete`. EC2 forgets the instances early, or about an hour later."""
    region.force_delete_group(group.name, shown_for=chance.choice((0.0, 30.0, 3600.0)))
    return f"deletes {group.name} by force"


def delete_security_group(region: CloudRegion, _group: AutoScalingGroup, _chance: random.Random) -> str:
    """DeleteSecurityGroup, for a group that the engine is configured for. It comes back under another id only."""
    region.delete_security_group()
    return f"deletes {region.security_group.id}"


ACTIONS: tuple[tuple[OperatorAction, int], ...] = (
    (change_desired_capacity, 10),
    (terminate_instance, 3),
    (lose_instance, 2),
    (detach_instance, 2),
    (attach_instance, 3),
    (enter_or_exit_standby, 1),
    (replace_root_volume, 3),
    (put_warm_pool, 3),
    (associate_elastic_ip, 2),
    (write_rule, 2),
    (delete_rule, 2),
    (change_rule, 1),
)
"""Every action that leaves the groups in place, with its weight."""

ALL_ACTIONS = (*ACTIONS, (take_self_rules_away, 1), (force_delete_group, 1), (delete_security_group, 1))
"""Every action with its weight."""


def act(region: CloudRegion, chance: random.Random, actions: Actions = ALL_ACTIONS) -> tuple[str, str]:
    """Runs one random action in a Region. Returns its name and its text, which may be empty."""
    if not region.groups or region.security_group.id not in region.security_groups.groups:
        return "", ""
    group = chance.choice(list(region.groups.values()))
    kinds, weights = zip(*actions, strict=True)
    action: OperatorAction = chance.choices(kinds, weights)[0]
    text = action(region, group, chance)
    return action.__name__, f"{region.name}: an operator {text}" if text else ""


def _random_instance(group: AutoScalingGroup, chance: random.Random, *states: str) -> GroupInstance | None:
    found = [instance for instance in group.instances.values() if instance.state in states]
    return chance.choice(found) if found else None
