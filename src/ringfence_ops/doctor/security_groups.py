"""Judges what may go wrong with security groups and instances: room for more members, and tools that remove rules.

Pure.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping

from ringfence.core.configuration.settings import PrivateAddresses, Settings
from ringfence.core.membership.addresses import ADDRESSES_LIMIT, admitted_of, delegated_prefixes
from ringfence.core.model.addresses import AddressKind
from ringfence.core.model.identifiers import InstanceId, Region
from ringfence.core.observation import Instance
from ringfence_ops.doctor.facts import RegionFacts, SecurityGroup
from ringfence_ops.doctor.finding import Finding, ok, problem, unread, warning
from ringfence_ops.logs.audit_log import LoggedAction
from ringfence_ops.plurals import counted
from ringfence_ops.state.path import Expected, Unread

PUT_BACK = 3
"""How many times a rule is put back within a day before another tool is suspected."""

MANY_PRIVATE_ADDRESSES = 8
"""Private addresses of an instance that are hardly all meant: nodes of container clusters have as many."""


def check_groups(facts: RegionFacts, expected: Expected) -> Iterator[Finding]:
    """All checks of one Region's groups and instances."""
    yield from _addresses(facts, expected)
    yield _rivals(facts, expected)


def _addresses(facts: RegionFacts, expected: Expected) -> Iterator[Finding]:
    """What is unusual with the addresses. An instance that no group admits is a matter of the Region's state."""
    instances = facts.groups.instances
    if isinstance(instances, Unread):
        yield unread("addresses", expected.region, instances)
        return
    yield from _too_many(instances, expected.settings, expected.region)
    yield from _not_supported(instances, expected.settings, expected.region)


def _too_many(instances: Mapping[InstanceId, Instance], settings: Settings, region: Region) -> Iterator[Finding]:
    counts = {id: len(admitted_of(instance, settings)) for id, instance in sorted(instances.items())}
    if many := [f"{id} has {count}" for id, count in counts.items() if count > ADDRESSES_LIMIT]:
        fix = "give the instance fewer addresses, or add their network to static_members"
        message = f"only the first {ADDRESSES_LIMIT} addresses of an instance are admitted: {', '.join(many)}"
        yield warning("addresses", region, message, fix)


def _not_supported(instances: Mapping[InstanceId, Instance], settings: Settings, region: Region) -> Iterator[Finding]:
    """Delegated prefixes, and secondary private addresses that take a rule each."""
    if delegated := {
        id: found for id, one in sorted(instances.items()) if (found := delegated_prefixes(one, settings))
    }:
        named = ", ".join(f"{id} has {' '.join(prefixes)}" for id, prefixes in delegated.items())
        fix = "let members reach one another by the instances' own addresses, or name the networks in static_members"
        yield warning("addresses", region, f"delegated prefixes are not supported, no group admits them: {named}", fix)
    if AddressKind.PRIVATE_IPV4 not in settings.address_kinds or settings.private_addresses is PrivateAddresses.PRIMARY:
        return
    counts = {id: len(one.addresses.get(AddressKind.PRIVATE_IPV4, ())) for id, one in sorted(instances.items())}
    if many := [f"{id} has {count}" for id, count in counts.items() if count >= MANY_PRIVATE_ADDRESSES]:
        fix = 'write private_addresses = "primary", if members reach one another by their own addresses'
        message = f"each private address of an instance takes a rule in every group: {', '.join(many)}"
        yield warning("addresses", region, message, fix)


def _rivals(facts: RegionFacts, expected: Expected) -> Finding:
    region, changes = expected.region, facts.changes
    if isinstance(changes, Unread):
        return unread("rivals", region, changes)
    put_back = Counter(
        (change.rule.region, change.rule.security_group, f"{change.rule.address} {change.rule.ports}")
        for change in changes or ()
        if change.action is LoggedAction.ADDED and change.drift
    )
    contested = [(rule, times) for rule, times in put_back.items() if times >= PUT_BACK]
    if contested:
        (target, group, rule), times = max(contested, key=lambda rule_and_times: rule_and_times[1])
        more = f", and {len(contested) - 1} more" if len(contested) > 1 else ""
        fix = f"find who revokes it: aws cloudtrail lookup-events --region {target}, ResourceName {group}"
        return problem(
            "rivals", region, f"{rule} was put back {counted(times, 'time')} in {group} within a day{more}", fix
        )
    security_groups = facts.groups.security_groups
    if isinstance(security_groups, Mapping) and (names := _terraform_groups(security_groups.values())):
        fix = "use no inline rules and no aws_vpc_security_group_rules_exclusive for it: doctor cannot see those"
        return warning("rivals", region, f"{names} has a tag that names Terraform", fix)
    return ok("rivals", region, "no other tool removed rules repeatedly (exclusive rules elsewhere are not visible)")


def _terraform_groups(groups: Iterable[SecurityGroup]) -> str:
    """The groups with a tag that names Terraform, which is a common way to tag."""
    named = [
        group.id for group in groups if any("terraform" in text.lower() for tag in group.tags.items() for text in tag)
    ]
    return ", ".join(named)
