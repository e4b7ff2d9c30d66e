"""Reads what an inquiry needs, of AWS, of the audit log and of CloudTrail, and puts the answer together.

Changes nothing, decides nothing. Knows no terminal.

Raises what the engine's ports raise.
"""

import ipaddress
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from ringfence.aws.auto_scaling import AwsAutoScaling
from ringfence.aws.dynamodb import AwsRosterTable
from ringfence.aws.ec2 import AwsInstances, AwsSecurityGroups
from ringfence.aws.error_codes import translated
from ringfence.core.configuration.settings import Settings
from ringfence.core.errors import NotDeployed
from ringfence.core.model.addresses import Cidr
from ringfence.core.model.identifiers import InstanceId, Region, RuleId, SecurityGroupId
from ringfence.core.model.rosters import Rows
from ringfence.core.observation import Observation
from ringfence_ops.aws.sessions import Aws, ClientOf, Unreachable
from ringfence_ops.cluster.cluster_file import Cluster
from ringfence_ops.explain.explanation import Door, Explanation, Subject
from ringfence_ops.explain.subject import Inquiry, Sight
from ringfence_ops.logs.audit_log import About, RuleChange, Turn, read_all
from ringfence_ops.logs.cloudtrail import Deed, Trail
from ringfence_ops.state.dry_run import rehearse


@dataclass(frozen=True, slots=True)
class Investigator:
    """Looks at the Region that the settings are of."""

    client_of: ClientOf
    settings: Settings

    def sight(self) -> Sight:
        """What stands there. Rules are read before rosters, as a reconcile reads them. Without a table: no rows."""
        region, settings = self.settings.region, self.settings
        ec2 = self.client_of("ec2", region)
        rules = AwsSecurityGroups(ec2, region).rules(settings.security_groups)
        table = AwsRosterTable(self.client_of("dynamodb", region), region, f"ringfence-{settings.cluster}")
        try:
            rows = table.rows()
        except NotDeployed:
            rows = Rows()
        groups = AwsAutoScaling(self.client_of("autoscaling", region), region).groups(settings.auto_scaling_groups)
        instances = AwsInstances(ec2, region)
        found = dict(instances.of_groups(settings.auto_scaling_groups))
        attached = [id for states in groups.values() for id in states if id not in found]
        found |= instances.by_id(attached) if attached else {}
        return Sight(rules, rows, Observation(groups, found))

    def holders(self, cidr: Cidr) -> tuple[InstanceId, ...]:
        """The instances of the account in this Region that hold the one address, of the cluster or not."""
        network = ipaddress.ip_network(cidr, strict=False)
        if network.num_addresses != 1:
            return ()
        address = str(network.network_address)
        names = ["network-interface.ipv6-addresses.ipv6-address"] if network.version == 6 else _IPV4
        return tuple(dict.fromkeys(id for name in names for id in self._instances_with(name, address)))

    def _instances_with(self, name: str, address: str) -> Sequence[InstanceId]:
        ec2, region = self.client_of("ec2", self.settings.region), self.settings.region
        with translated(region, "DescribeInstances"):
            answer = ec2.describe_instances(Filters=[{"Name": name, "Values": [address]}])
        return [
            InstanceId(instance["InstanceId"])
            for reservation in answer["Reservations"]
            for instance in reservation["Instances"]
        ]


_IPV4 = ("ip-address", "private-ip-address")
"""The filters for a public and for a private address. Source: EC2 API Reference, DescribeInstances."""


@dataclass(frozen=True, slots=True)
class Answer:
    """An explanation with what the logs tell of it. `looked_back` is how far, in seconds; `deeds` are CloudTrail's."""

    explanation: Explanation
    now: float
    changes: Sequence[RuleChange] = ()
    deeds: Mapping[RuleId, Deed] = field(default_factory=dict)
    unreachable: Mapping[Region, str] = field(default_factory=dict)

    def made(self, door: Door) -> RuleChange | None:
        """The change that made a door's rule, if the audit log reaches back to it."""
        if door.rule is None:
            return None
        made = [one for one in self.changes if one.rule == door.rule.id and one.turn is Turn.ADDED]
        return made[-1] if made else None


def investigate(
    aws: Aws, cluster: Cluster, settings: Mapping[Region, Settings], asked: Subject, since: float
) -> Answer:
    """The answer, from all Regions that answer. `since`, in epoch seconds, is how far back the log is read."""
    investigators = {region: Investigator(aws.client, one) for region, one in settings.items()}
    sights = aws.each_region(investigators, lambda region: investigators[region].sight())
    unreachable = {region: one.reason for region, one in sights.items() if isinstance(one, Unreachable)}
    seen = {region: one for region, one in sights.items() if isinstance(one, Sight)}
    rehearsed = rehearse(aws.client, list(settings.values()), unreachable)
    inquiry = Inquiry(
        cluster.name,
        seen,
        tuple(entry for one in rehearsed.values() for entry in one.entries),
        cluster.static_members,
        cluster.address_kinds,
    )
    addresses = inquiry.about(asked).addresses
    holders = aws.each_region(
        seen, lambda region: [id for cidr in addresses for id in investigators[region].holders(cidr)]
    )
    strangers = {region: tuple(ids) for region, ids in holders.items() if not isinstance(ids, Unreachable)}
    explanation = replace(inquiry, strangers=strangers).about(asked)
    about = About(
        addresses=frozenset(explanation.addresses),
        instances=frozenset({asked.instance} if asked.instance else ()),
        rules=frozenset(door.rule.id for door in explanation.doors if door.rule is not None)
        | frozenset({asked.rule} if asked.rule else ()),
    )
    changes, silent = read_all(aws, cluster.name, seen, since, None, about)
    answer = Answer(explanation, time.time(), changes, unreachable=unreachable | silent)
    return replace(answer, deeds=_deeds(aws, answer))


def _deeds(aws: Aws, answer: Answer) -> dict[RuleId, Deed]:
    """Who made the rules of which the audit log does not tell. What CloudTrail does not say is left open."""
    asked: dict[Region, dict[SecurityGroupId, set[RuleId]]] = {}
    for door in answer.explanation.doors:
        if door.rule is not None and answer.made(door) is None:
            asked.setdefault(door.region, {}).setdefault(door.group, set()).add(door.rule.id)

    def deeds(region: Region) -> dict[RuleId, Deed]:
        trail = Trail(aws.client("cloudtrail", region), region)
        found: dict[RuleId, Deed] = {}
        for group, rules in asked[region].items():
            found |= trail.deeds(group, frozenset(rules))
        return found

    told = aws.each_region(asked, deeds)
    return {rule: deed for one in told.values() if not isinstance(one, Unreachable) for rule, deed in one.items()}
