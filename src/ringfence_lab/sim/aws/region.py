"""One Region of the cloud, with the state of each of its services. It must not know who calls them."""

from collections.abc import Callable
from dataclasses import dataclass

from ringfence.core.lifecycle import Transition
from ringfence.core.model.addresses import Cidr
from ringfence.core.model.identifiers import PrefixListId, Region, SecurityGroupId
from ringfence.core.model.ports import Ports
from ringfence.core.model.rules import Rule
from ringfence.core.rule_count import PrefixList
from ringfence_lab.sim.aws.addresses import AddressPool
from ringfence_lab.sim.aws.auto_scaling import AutoScalingGroup
from ringfence_lab.sim.aws.clock import VirtualClock
from ringfence_lab.sim.aws.event_bridge import EventBridge
from ringfence_lab.sim.aws.history import CloudChange, GroupDeleted
from ringfence_lab.sim.aws.instances import TERMINATED_STAYS_SECONDS, Ec2
from ringfence_lab.sim.aws.lifecycle import Hook
from ringfence_lab.sim.aws.queue import Queue
from ringfence_lab.sim.aws.security_groups import SecurityGroup, SecurityGroupStore
from ringfence_lab.sim.aws.tables import DynamoDbTable

ACCOUNT = "123456789012"


@dataclass(frozen=True, slots=True)
class CloudContext:
    """What the Regions of a cluster have in common. `ports` are those on which security groups admit themselves at
    first, such as `tcp/9042,udp/7000`; `quota` is the number of rules of a security group and address family."""

    cluster: str
    ports: str
    quota: int
    clock: VirtualClock
    record: Callable[[CloudChange], None]


class CloudRegion:
    """One Region with its resources. `security_group` is the one that it has at first."""

    def __init__(self, context: CloudContext, name: Region, number: int, pool: AddressPool) -> None:
        self.name = name
        self.queue = Queue(context.clock)
        self.events = EventBridge(name, ACCOUNT, context.clock, self.queue.send)
        self.ec2 = Ec2(name, number, context.clock, pool, context.record)
        self.groups: dict[str, AutoScalingGroup] = {}
        self.security_groups = SecurityGroupStore(context.clock)
        self.prefix_lists: dict[PrefixListId, PrefixList] = {}
        self.table = DynamoDbTable(name, context.clock.now, context.record)
        self._context = context
        self.security_group = self.add_security_group(f"sg-{number:08x}", context.ports)

    def auto_scaling_group(
        self, name: str, desired: int = 0, launch_heartbeat: float = 300.0, terminate_heartbeat: float = 900.0
    ) -> AutoScalingGroup:
        """Adds a group with both of Ringfence's hooks, and `desired` instances that were in service before them."""
        cluster = self._context.cluster
        group = AutoScalingGroup(
            name,
            self.ec2,
            [
                Hook(f"ringfence-{cluster}-launch", Transition.LAUNCH, launch_heartbeat),
                Hook(f"ringfence-{cluster}-terminate", Transition.TERMINATE, terminate_heartbeat),
            ],
            clock=self._context.clock,
            record=self._context.record,
            send_event=self.events.lifecycle_action,
        )
        self.groups[name] = group
        group.put_in_service(desired)
        return group

    def force_delete_group(self, name: str, shown_for: float = TERMINATED_STAYS_SECONDS) -> None:
        """DeleteAutoScalingGroup with `ForceDelete`: the group is gone at once, and its instances end without any hook.

        EC2 shows them for so many seconds more. Source: Amazon EC2 Auto Scaling API Reference, DeleteAutoScalingGroup.
        """
        self.groups.pop(name).force_delete(shown_for)

    def add_security_group(self, id: str, ports: str) -> SecurityGroup:
        """Adds a security group that admits itself on the ports (`tcp/9042,udp/7000`)."""
        context = self._context
        group = SecurityGroup(
            SecurityGroupId(id), self.name, context.clock, context.record, context.quota, self.prefix_lists
        )
        self.security_groups.add(group)
        for range_ in ports.split(",") if ports else ():
            group.allow_group(group.id, range_)
        return group

    def delete_security_group(self) -> None:
        """DeleteSecurityGroup of the first one."""
        self.security_groups.delete(self.security_group.id)
        self._context.record(GroupDeleted(self.name, self.security_group.id))

    def replace_security_group(self) -> None:
        """Creates a security group in the place of the first one. An id is never used twice."""
        self.security_group = self.add_security_group(f"{self.security_group.id}f", self._context.ports)

    def take_self_rules_away(self) -> None:
        """Revokes the rules by which the first security group admits itself, so that `auto` finds no port."""
        group = self.security_group
        for rule in [rule for rule in group.rules.values() if rule.source_group == group.id]:
            group.revoke_by_hand(rule.id)

    def give_self_rules_back(self) -> None:
        """Makes those rules again. Raises Refused."""
        self.security_group.allow_itself(Ports.parse(self._context.ports).explicit)

    def owned_rules(self) -> list[Rule]:
        """The rules that carry a label of the cluster, in every security group."""
        groups = self.security_groups.groups.values()
        return [rule for group in groups for rule in group.rules.values() if rule.label(self._context.cluster)]

    def admitted(self) -> set[Cidr]:
        """The addresses that at least one owned rule admits."""
        return {rule.opening.cidr for rule in self.owned_rules() if rule.opening is not None}
