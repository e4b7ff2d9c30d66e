"""Reads the Regions, the audit log and CloudTrail, and puts the explanation of a subject together.

Changes nothing and decides nothing. Knows no terminal.

Raises CommandError where there are no credentials.
"""

import ipaddress
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from ringfence.aws.assembly import ClientOf
from ringfence.aws.error_codes import translated
from ringfence.core.configuration.settings import Settings
from ringfence.core.model.addresses import Cidr
from ringfence.core.model.identifiers import InstanceId, Region, RuleId, SecurityGroupId
from ringfence_ops.aws.sessions import Aws, Unreachable
from ringfence_ops.cluster.cluster_file import Cluster
from ringfence_ops.explain.evidence import Evidence
from ringfence_ops.explain.explanation import Door, Explanation
from ringfence_ops.explain.subject import Subject
from ringfence_ops.logs.audit_log import ChangeFilter, LoggedAction, LoggedChange, read_all
from ringfence_ops.logs.cloudtrail import ApiCall
from ringfence_ops.state.dry_run import dry_run
from ringfence_ops.state.region_snapshot import RegionSnapshot, read_region
from ringfence_ops.state.unowned_rules import latest_calls


@dataclass(frozen=True, slots=True)
class FullExplanation:
    """An explanation with its history: `changes` from the audit log, `calls` from CloudTrail for rules without one.

    `now` is in epoch seconds. `unreachable` holds the reason for each Region that did not answer.
    """

    explanation: Explanation
    now: float
    changes: Sequence[LoggedChange] = ()
    calls: Mapping[RuleId, ApiCall] = field(default_factory=dict)
    unreachable: Mapping[Region, str] = field(default_factory=dict)

    def added_by(self, door: Door) -> LoggedChange | None:
        """The change that added a door's rule, if the audit log reaches back to it."""
        if door.rule is None:
            return None
        additions = [
            change for change in self.changes if change.rule.id == door.rule.id and change.action is LoggedAction.ADDED
        ]
        return additions[-1] if additions else None

    def made_by(self, door: Door) -> ApiCall | None:
        """The call that made a door's rule, if CloudTrail was asked and knows it."""
        return None if door.rule is None else self.calls.get(door.rule.id)


def read_explanation(
    aws: Aws, cluster: Cluster, settings: Mapping[Region, Settings], subject: Subject, since: float
) -> FullExplanation:
    """The explanation from all Regions that answer. The audit log is read back to `since`, in epoch seconds."""
    read = aws.each_region(settings, lambda region: read_region(aws.client, settings[region]))
    unreachable = {region: found.reason for region, found in read.items() if isinstance(found, Unreachable)}
    regions = {region: found for region, found in read.items() if isinstance(found, RegionSnapshot)}
    dry_runs = dry_run(aws.client, list(settings.values()), unreachable)
    evidence = Evidence(
        cluster.name,
        regions,
        tuple(event for result in dry_runs.values() for event in result.audit_events),
        cluster.static_members,
        cluster.address_kinds,
        cluster.values["private_addresses"],
        groups={region.region: region.auto_scaling_groups for region in cluster.regions},
    )
    evidence, unknown = _with_strangers(aws, evidence, evidence.explain(subject).addresses)
    explanation = evidence.explain(subject)
    selected = ChangeFilter(
        addresses=frozenset(explanation.addresses),
        instances=frozenset({subject.instance} if subject.instance else ()),
        rules=frozenset(door.rule.id for door in explanation.doors if door.rule is not None)
        | frozenset({subject.rule} if subject.rule else ()),
    )
    changes, unread = read_all(aws, cluster.name, since, None, selected, regions=regions)
    unreachable |= unread | unknown | _failing_zones(regions)
    found = FullExplanation(explanation, time.time(), changes, unreachable=unreachable)
    return replace(found, calls=_calls(aws, found))


def _failing_zones(regions: Mapping[Region, RegionSnapshot]) -> dict[Region, str]:
    """The Regions in which EC2 does not describe a zone: whatever is not known there is unknown, not gone."""
    return {
        region: "; ".join(
            f"unknown, EC2 does not describe {len(zone.instances)} instances of {zone.zone or 'no group'}: {zone.error}"
            for zone in found.failing_zones
        )
        for region, found in regions.items()
        if found.failing_zones
    }


def _with_strangers(aws: Aws, evidence: Evidence, addresses: Sequence[Cidr]) -> tuple[Evidence, dict[Region, str]]:
    """The evidence with the instances of the account that hold one of the addresses, and why a Region could not say."""

    def read(region: Region) -> tuple[InstanceId, ...]:
        return tuple(id for cidr in addresses for id in instances_with(aws.client, region, cidr))

    found = aws.each_region(evidence.regions, read)
    strangers = {region: ids for region, ids in found.items() if not isinstance(ids, Unreachable)}
    unknown = {region: answer.reason for region, answer in found.items() if isinstance(answer, Unreachable)}
    return replace(evidence, strangers=strangers), unknown


_IPV4_FILTERS = ("ip-address", "private-ip-address")
_IPV6_FILTERS = ("network-interface.ipv6-addresses.ipv6-address",)
"""Filters for a public, a private and an IPv6 address. Source: EC2 API Reference, DescribeInstances."""


def instances_with(client_of: ClientOf, region: Region, cidr: Cidr) -> tuple[InstanceId, ...]:
    """The instances of the account in the Region that hold the address; none where the CIDR is more than one address.

    Raises the engine's errors.
    """
    network = ipaddress.ip_network(cidr, strict=False)
    if network.num_addresses != 1:
        return ()
    ec2, address = client_of("ec2", region), str(network.network_address)
    ids: list[InstanceId] = []
    for name in _IPV6_FILTERS if network.version == 6 else _IPV4_FILTERS:
        with translated(region, "DescribeInstances"):
            response = ec2.describe_instances(Filters=[{"Name": name, "Values": [address]}])
        ids += [
            InstanceId(instance["InstanceId"])
            for reservation in response["Reservations"]
            for instance in reservation["Instances"]
        ]
    return tuple(dict.fromkeys(ids))


def _calls(aws: Aws, found: FullExplanation) -> dict[RuleId, ApiCall]:
    """Who made the rules that the audit log does not explain. Rules that CloudTrail does not know stay unexplained."""
    unexplained: dict[Region, dict[SecurityGroupId, frozenset[RuleId]]] = {}
    for door in found.explanation.doors:
        if door.rule is not None and found.added_by(door) is None:
            groups = unexplained.setdefault(door.region, {})
            groups[door.group] = groups.get(door.group, frozenset()) | {door.rule.id}
    return latest_calls(aws, unexplained)
