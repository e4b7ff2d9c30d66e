"""Judges the security groups and the instances: tags, ports, room for what may come, and who else changes the rules.

Pure.
"""

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence

from ringfence.core.configuration.settings import Settings
from ringfence.core.lifecycle import Phase, phase_of
from ringfence.core.model.addresses import AddressKind, is_ipv6
from ringfence.core.model.identifiers import Region, SecurityGroupId
from ringfence.core.model.ports import PortRange
from ringfence.core.model.rules import Rule
from ringfence.core.plan import managed_ports
from ringfence_ops.doctor.facts import Chart, Log, ScalingGroup, SecurityGroup, Unread
from ringfence_ops.doctor.finding import Finding, ok, problem, unread, warning
from ringfence_ops.doctor.stack import Expected
from ringfence_ops.logs.audit_log import Turn

PUT_BACK = 3
"""How often one rule is put back, within the time looked back at, before that is no accident."""

MARGIN = 0.1
"""By what share of its maximum a group may go beyond it while it replaces instances: at least by one instance.

Source: Amazon EC2 Auto Scaling User Guide, "Auto Scaling benefits for application architecture", rebalancing."""

QUOTA = '"Inbound or outbound rules per security group" (L-0EA8095F)'


def check_groups(chart: Chart, expected: Expected) -> Iterator[Finding]:
    """Every check of one Region's groups and instances."""
    yield from _security_groups(chart.security_groups, expected)
    yield from _addresses(chart, expected)
    yield _rivals(chart, expected)


def check_room(charts: Sequence[Chart], expected: Sequence[Expected]) -> Iterator[Finding]:
    """Whether each security group has room for every Auto Scaling group of every Region at its maximum, and for a
    rolling replacement besides."""
    known = {chart.region: chart.scaling_groups for chart in charts if isinstance(chart.scaling_groups, Mapping)}
    scaling_groups = [group for groups in known.values() for group in groups.values()]
    unknown = sorted({one.region for one in expected} - known.keys())
    by_region = {one.region: one for one in expected}
    for chart in charts:
        if isinstance(chart.security_groups, Unread):
            continue
        for group in chart.security_groups.values():
            yield from _room(group, by_region[chart.region], scaling_groups, unknown)


def _security_groups(groups: Mapping[SecurityGroupId, SecurityGroup] | Unread, expected: Expected) -> Iterator[Finding]:
    region, settings = expected.region, expected.settings
    if isinstance(groups, Unread):
        yield unread("groups", region, groups)
        return
    for id in settings.security_groups:
        group = groups.get(id)
        if group is None:
            yield problem("groups", region, f"{id} does not exist", "correct its id in the cluster file")
        elif group.tags.get("ringfence-cluster") != settings.cluster:
            mend = (
                f"aws ec2 create-tags --region {region} --resources {id}"
                f" --tags Key=ringfence-cluster,Value={settings.cluster}"
            )
            said = f"{id} lacks the tag ringfence-cluster={settings.cluster}, without which no engine may change it"
            yield problem("groups", region, said, mend)
        elif not (ports := managed_ports(settings.ports, id, group.rules)):
            mend = "add a rule whose source is the group itself, or name the ports in the cluster file"
            yield problem("groups", region, f"{id} admits itself on no port, so `auto` finds none to open", mend)
        else:
            yield ok("groups", region, f"{id} is tagged; managed on {', '.join(map(str, ports))}")


def _addresses(chart: Chart, expected: Expected) -> Iterator[Finding]:
    region, settings = expected.region, expected.settings
    if isinstance(chart.instances, Unread):
        yield unread("addresses", region, chart.instances)
        return
    if isinstance(chart.scaling_groups, Unread):
        return
    members = [
        id
        for group in chart.scaling_groups.values()
        for id, state in group.instances.items()
        if phase_of(state) is Phase.SERVING
    ]
    instances = chart.instances
    without = [id for id in members if id in instances and not instances[id].of_kinds(settings.address_kinds)]
    kinds = " or ".join(sorted(kind.value for kind in settings.address_kinds))
    if without:
        mend = "let the launch template give one, or name other kinds in the cluster file"
        yield problem("addresses", region, f"{', '.join(without)}: no {kinds} address, so nobody admits it", mend)
    else:
        yield ok("addresses", region, f"each of {len(members)} in service has one: {kinds}")


def _rivals(chart: Chart, expected: Expected) -> Finding:
    region, log = expected.region, chart.log
    if isinstance(log, Unread):
        return unread("rivals", region, log)
    put_back = Counter(
        (change.region, change.security_group, f"{change.address} {change.ports}")
        for change in (log.changes if isinstance(log, Log) else ())
        if change.turn is Turn.ADDED and change.drift
    )
    fought = [(what, times) for what, times in put_back.items() if times >= PUT_BACK]
    if fought:
        (where, group, rule), times = max(fought, key=lambda one: one[1])
        more = f", and {len(fought) - 1} more" if len(fought) > 1 else ""
        mend = f"find who revokes it: aws cloudtrail lookup-events --region {where}, ResourceName {group}"
        return problem("rivals", region, f"{rule} was put back {times} times in {group} within a day{more}", mend)
    if isinstance(chart.security_groups, Mapping) and (names := _of_terraform(chart.security_groups.values())):
        said = f"{names} is tagged as Terraform's"
        mend = "keep inline rules and aws_vpc_security_group_rules_exclusive off it: those cannot be seen from here"
        return warning("rivals", region, said, mend)
    return ok("rivals", region, "nobody else removed rules again and again (what is exclusive elsewhere is not seen)")


def _of_terraform(groups: Iterable[SecurityGroup]) -> str:
    """The groups whose tags name Terraform, as its users are used to tag."""
    named = [
        group.id for group in groups if any("terraform" in text.lower() for tag in group.tags.items() for text in tag)
    ]
    return ", ".join(named)


def _room(
    group: SecurityGroup, expected: Expected, scaling_groups: Sequence[ScalingGroup], unknown: Sequence[Region]
) -> Iterator[Finding]:
    settings, region = expected.settings, expected.region
    ports = managed_ports(settings.ports, group.id, group.rules)
    maximum = sum(one.maximum for one in scaling_groups)
    margin = sum(max(1, math.ceil(one.maximum * MARGIN)) for one in scaling_groups if one.maximum)
    for v6 in (False, True):
        each = _rules_each(settings, ports, v6)
        if not each:
            continue
        others = _other_rules(settings, group.rules, ports, v6)
        full, rolling = maximum * each + others, (maximum + margin) * each + others
        family = "IPv6" if v6 else "IPv4"
        figures = f"{group.id} needs {full} of {settings.rules_quota} {family} rules for {maximum} members"
        replacing = f"{rolling} while {margin} more replace others"
        figures += f", {' and '.join(unknown)} not counted" if unknown else ""
        mend = f"raise the quota {QUOTA} and RulesQuota, or open fewer ranges of ports"
        if full > settings.rules_quota:
            yield problem("room", region, f"{figures} at all groups' MaxSize", mend)
        elif rolling > settings.rules_quota:
            yield warning("room", region, f"{figures} at all groups' MaxSize, {replacing}", mend)
        else:
            yield ok("room", region, f"{figures}, {replacing}")


def _rules_each(settings: Settings, ports: Sequence[PortRange], v6: bool) -> int:
    """How many rules of the family a member takes."""
    kinds = [kind for kind in settings.address_kinds if (kind is AddressKind.IPV6) is v6]
    suiting = [range_ for range_ in ports if range_.protocol != ("icmp" if v6 else "icmpv6")]
    return len(kinds) * len(suiting)


def _other_rules(settings: Settings, rules: Sequence[Rule], ports: Sequence[PortRange], v6: bool) -> int:
    """How many rules of the family stand for others than members. One without a CIDR counts in both families.

    Source: Amazon VPC User Guide, "Amazon VPC quotas", security groups."""
    foreign = [
        rule
        for rule in rules
        if rule.label(settings.cluster) is None and (rule.opening is None or is_ipv6(rule.opening.cidr) is v6)
    ]
    static = [cidr for cidr in settings.static_members if is_ipv6(cidr) is v6]
    return len(foreign) + len(static) * len(ports)
