"""Judges whether each security group has room for all members that there can be, at the account's real quotas.

Pure.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from ringfence.core.configuration.settings import Settings
from ringfence.core.model.addresses import AddressKind, is_ipv6
from ringfence.core.model.identifiers import Region, RosterKey
from ringfence.core.model.ports import PortRange
from ringfence.core.model.rosters import Roster, Rows
from ringfence.core.plan import managed_ports
from ringfence.core.rule_count import count_rules
from ringfence_ops.aws.quotas import CEILING, GROUPS, RULES
from ringfence_ops.doctor.facts import RegionFacts, SecurityGroup
from ringfence_ops.doctor.finding import Finding, ok, problem, warning
from ringfence_ops.plurals import counted, plural
from ringfence_ops.state.path import Expected, ScalingGroup, Unread

MARGIN = 10
"""The percentage of its maximum by which a group may exceed it while it replaces instances: by at least one instance.

Source: Amazon EC2 Auto Scaling User Guide, "Auto Scaling benefits for application architecture", rebalancing. An
instance maintenance policy or an instance refresh can allow more: "Instance maintenance policies"."""

ROUND = 10
"""What is asked of Service Quotas is a multiple of it."""

_FAMILIES = ("IPv4", "IPv6")


@dataclass(frozen=True, slots=True)
class _Members:
    """The members that one Auto Scaling group can have: at its maximum, and more while it replaces instances.

    `addresses` is the largest number of addresses of a member in each family.
    """

    maximum: int
    more: int
    addresses: Mapping[str, int]


def check_room(facts: Sequence[RegionFacts], expected: Sequence[Expected]) -> Iterator[Finding]:
    """Whether each security group has room for every Auto Scaling group of every Region at its maximum, and for a
    rolling replacement."""
    known = {
        region.region: region.path.scaling_groups for region in facts if isinstance(region.path.scaling_groups, Mapping)
    }
    unknown = sorted({region.region for region in expected} - known.keys())
    by_region = {region.region: region for region in expected}
    for region in facts:
        own = by_region[region.region]
        yield from _quota(region, own)
        if isinstance(region.groups.security_groups, Unread):
            continue
        members = [
            _members(group, _roster(facts, RosterKey(home, name)), own.settings)
            for home, groups in known.items()
            for name, group in groups.items()
        ]
        for security_group in region.groups.security_groups.values():
            yield from _room(security_group, region, own, members, unknown)


def _roster(facts: Sequence[RegionFacts], key: RosterKey) -> Roster | None:
    """The newest of the rosters that the tables hold of a group; None where none can be read."""
    held = [
        region.content.rows.rosters[key]
        for region in facts
        if isinstance(region.content.rows, Rows) and key in region.content.rows.rosters
    ]
    return max(held, key=lambda roster: roster.version, default=None)


def _members(group: ScalingGroup, roster: Roster | None, settings: Settings) -> _Members:
    more = max(1, math.ceil(group.maximum * max(MARGIN, group.surplus_percent) / 100)) if group.maximum else 0
    return _Members(group.maximum, more, {family: _addresses(roster, settings, family) for family in _FAMILIES})


def _addresses(roster: Roster | None, settings: Settings, family: str) -> int:
    """The largest number of addresses of the family that was seen of a member; as many as there are kinds of addresses
    where none was seen."""
    is_v6 = family == "IPv6"
    kinds = sum((kind is AddressKind.IPV6) is is_v6 for kind in settings.address_kinds)
    members = roster.members.values() if roster is not None else ()
    seen = max((sum(is_ipv6(cidr) is is_v6 for cidr in member.addresses) for member in members), default=0)
    return seen if kinds and seen else kinds


def _quota(facts: RegionFacts, expected: Expected) -> Iterator[Finding]:
    rules, assumed, region = facts.quotas.rules, expected.settings.rules_quota, expected.region
    if isinstance(rules, Unread):
        fix = "grant servicequotas:GetServiceQuota and servicequotas:GetAWSDefaultServiceQuota, or write rules_quota"
        supposed = f"{counted(assumed, 'rule')} {plural('is', assumed)} assumed"
        message = f"the account's quota is not known, {supposed}: {rules.reason}"
        yield warning("room", region, message, fix)
    elif rules is not None and assumed > rules:
        fix = f"write rules_quota = {rules}, then {expected.deploy}"
        message = f"the cluster file says rules_quota = {assumed}, and the account's quota is {rules}"
        yield problem("room", region, message, fix)


def _room(
    group: SecurityGroup, facts: RegionFacts, expected: Expected, members: Sequence[_Members], unknown: Sequence[Region]
) -> Iterator[Finding]:
    settings = expected.settings
    quota = facts.quotas.rules if isinstance(facts.quotas.rules, int) else settings.rules_quota
    ports = managed_ports(settings.ports, group.id, group.rules)
    maximum, more = sum(each.maximum for each in members), sum(each.more for each in members)
    for family in _FAMILIES:
        most = max((each.addresses[family] for each in members), default=0)
        ranges = _ranges(ports, family)
        if not ranges or not any(each.addresses[family] for each in members):
            continue
        others = _other_rules(settings, group, ranges, family)
        full, rolling = (
            others + ranges * sum(count * each.addresses[family] for count, each in counted)
            for counted in (
                [(each.maximum, each) for each in members],
                [(each.maximum + each.more, each) for each in members],
            )
        )
        figures = f"{group.id} needs {full} of {quota} {family} rules for {counted(maximum, 'member')}"
        figures += f" with up to {most} addresses each" if most > 1 else ""
        figures += f", {' and '.join(unknown)} not counted" if unknown else ""
        replacing = f"{rolling} while {more} more replace others"
        fix = _fix(facts, expected, rolling)
        if full > quota:
            yield problem("room", facts.region, f"{figures} at all groups' MaxSize", fix)
        elif rolling > quota:
            yield warning("room", facts.region, f"{figures} at all groups' MaxSize, {replacing}", fix)
        else:
            yield ok("room", facts.region, f"{figures}, {replacing}")


def _fix(facts: RegionFacts, expected: Expected, needed: int) -> str:
    """How to get so much room. Source: Amazon VPC User Guide, "Amazon VPC quotas": the product of both quotas."""
    groups = facts.quotas.groups
    greatest = CEILING // groups if isinstance(groups, int) else CEILING
    if needed > greatest:
        return (
            f"open fewer port ranges or lower MaxSize: with {groups} security groups an interface (quota {GROUPS}) AWS"
            f" allows at most {counted(greatest, 'rule')} a group. Its support lowers {GROUPS} on request"
        )
    wanted = min(greatest, -(-needed // ROUND) * ROUND)
    asked = (
        f"aws service-quotas request-service-quota-increase --region {facts.region} --service-code vpc"
        f" --quota-code {RULES} --desired-value {wanted}"
    )
    return f"{asked}; when it is granted, {expected.deploy}"


def _ranges(ports: Sequence[PortRange], family: str) -> int:
    """The number of managed port ranges that exist in the address family."""
    other = "icmp" if family == "IPv6" else "icmpv6"
    return sum(range_.protocol != other for range_ in ports)


def _other_rules(settings: Settings, group: SecurityGroup, ranges: int, family: str) -> int:
    """The number of rules of the address family that are not members', as the quota counts them."""
    is_v6 = family == "IPv6"
    foreign = (rule for rule in group.rules if rule.label(settings.cluster) is None)
    count = count_rules(foreign, group.prefix_lists)
    static = sum(is_ipv6(cidr) is is_v6 for cidr in settings.static_members)
    return (count.ipv6 if is_v6 else count.ipv4) + static * ranges
