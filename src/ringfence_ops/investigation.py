"""Reads what an inquiry needs of one Region: its rules, its table, its groups and instances, and who else holds an
address. Changes nothing, decides nothing.

Raises what the engine's ports raise.
"""

import ipaddress
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from ringfence.aws.auto_scaling import AwsAutoScaling
from ringfence.aws.dynamodb import AwsRosterTable
from ringfence.aws.ec2 import AwsInstances, AwsSecurityGroups
from ringfence.aws.faults import translated
from ringfence.errors import NotDeployed
from ringfence.model import Cidr, InstanceId, Region, Rows
from ringfence.observation import Observation
from ringfence.settings import Settings
from ringfence_ops.inquiry import Sight

ClientOf = Callable[[str, Region], Any]
"""A client of a service in a Region."""


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
