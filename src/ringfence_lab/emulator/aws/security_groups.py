"""EC2's security group rules, on moto: atomic requests, canonical CIDRs, quotas, paging.

Sources: Amazon EC2 API Reference, AuthorizeSecurityGroupIngress, RevokeSecurityGroupIngress,
DescribeSecurityGroupRules, UpdateSecurityGroupRuleDescriptionsIngress, IpRange; Amazon VPC User Guide, "Amazon VPC
quotas" and "Security group rules". Assumed, because no document says it: a request with one duplicate rule
adds no rule. The wording of the error for duplicates is what users reported from AWS.
"""

import ipaddress
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from functools import partial
from typing import Any

from moto.core.responses import ActionResult
from moto.ec2.exceptions import (
    EC2ClientError,
    InvalidPermissionNotFoundError,
    InvalidSecurityGroupNotFoundError,
    InvalidSecurityGroupRuleIdNotFoundError,
    RulesPerSecurityGroupLimitExceededError,
)
from moto.ec2.models.security_groups import SecurityGroup, SecurityGroupRule
from moto.ec2.responses.security_groups import SecurityGroups as Response

from ringfence_lab.emulator.aws.seams import replace

_DESCRIPTION = re.compile(r"[a-zA-Z0-9. _\-:/()#,@\[\]+=&;{}!$*]{0,255}")
_PAGE_SIZES = range(5, 1001)


class Direction(StrEnum):
    """The direction of the rules of an operation."""

    INGRESS = "ingress"
    EGRESS = "egress"


@dataclass(slots=True)
class RulesQuota:
    """The quota of rules in one direction, for IPv4 and for IPv6 each. `by_region` overrides it for Regions, and
    `by_group` for single groups."""

    default: int = 60
    by_group: dict[str, int] = field(default_factory=dict)
    by_region: dict[str, int] = field(default_factory=dict)

    def of(self, group: SecurityGroup) -> int:
        """The quota of a group."""
        return self.by_group.get(group.id, self.by_region.get(group.ec2_backend.region_name, self.default))


def install(quota: RulesQuota) -> None:
    """Patches moto."""
    for direction in Direction:
        replace(
            Response,
            **{
                f"authorize_security_group_{direction}": _in_direction(partial(_authorize, quota), direction),
                f"revoke_security_group_{direction}": _in_direction(_revoke, direction),
                f"update_security_group_rule_descriptions_{direction}": _in_direction(_update_descriptions, direction),
            },
        )
    replace(Response, describe_security_group_rules=_describe_rules)
    replace(SecurityGroupRule, description=property(_description))


def _authorize(quota: RulesQuota, response: Response, direction: Direction) -> ActionResult:
    response.error_on_dryrun()
    group = _asked_group(response)
    asked = _asked_rules(response, group, direction)
    if not asked:
        raise EC2ClientError("MissingParameter", "The request must contain the parameter ipPermissions")
    _require_new(asked, _rules(group, direction))
    rules = [*_rules(group, direction), *asked]
    if max(_weights(response.ec2_backend, rules)) > quota.of(group):
        raise RulesPerSecurityGroupLimitExceededError
    _set_rules(group, direction, rules)
    return ActionResult({"Return": True, "SecurityGroupRules": asked})


def _revoke(response: Response, direction: Direction) -> ActionResult:
    response.error_on_dryrun()
    group = _asked_group(response)
    revoked = _rules_to_revoke(response, group, direction)
    ids = {rule.id for rule in revoked}
    _set_rules(group, direction, [rule for rule in _rules(group, direction) if rule.id not in ids])
    return ActionResult({"Return": True, "RevokedSecurityGroupRules": [_revoked(rule) for rule in revoked]})


def _update_descriptions(response: Response, direction: Direction) -> ActionResult:
    response.error_on_dryrun()
    group = _asked_group(response)
    descriptions = _asked_descriptions(response, group, direction)
    for _, description in descriptions:
        _require_valid_description(description)
    for rule, description in descriptions:
        _describe(rule, description)
    return ActionResult({"Return": True})


def _asked_descriptions(
    response: Response, group: SecurityGroup, direction: Direction
) -> list[tuple[SecurityGroupRule, str | None]]:
    """The group's rules that a request names, by id or by their permission, each with its new description."""
    named_by_id = response._get_param("SecurityGroupRuleDescriptions", [])
    by_id = {described["SecurityGroupRuleId"]: described for described in named_by_id}
    if by_id:
        named = _rules_by_id(group, direction, list(by_id))
        return [(rule, by_id[str(rule.id)].get("Description")) for rule in named]
    asked = _asked_rules(response, group, direction)
    existing = {_key(rule): rule for rule in _rules(group, direction)}
    if any(_key(rule) not in existing for rule in asked):
        raise InvalidPermissionNotFoundError
    return [(existing[_key(rule)], rule.description) for rule in asked]


def _in_direction(
    operation: Callable[[Response, Direction], ActionResult], direction: Direction
) -> Callable[[Response], ActionResult]:
    return lambda response: operation(response, direction)


def _rules(group: SecurityGroup, direction: Direction) -> list[SecurityGroupRule]:
    return group.ingress_rules if direction is Direction.INGRESS else group.egress_rules


def _set_rules(group: SecurityGroup, direction: Direction, rules: list[SecurityGroupRule]) -> None:
    if direction is Direction.INGRESS:
        group.ingress_rules = rules
    else:
        group.egress_rules = rules


def _asked_group(response: Response) -> SecurityGroup:
    name = response._get_param("GroupId") or response._get_param("GroupName")
    group: SecurityGroup | None = response.ec2_backend.get_security_group_by_name_or_id(name)
    if group is None:
        raise InvalidSecurityGroupNotFoundError(name)
    return group


def _asked_rules(response: Response, group: SecurityGroup, direction: Direction) -> list[SecurityGroupRule]:
    """The rules of a request's permissions, in canonical form. They are not in the group yet."""
    rules = []
    for permission in response._process_rules_from_querystring():
        _require_ports(permission)
        ranges = [_canonical(ip_range) for ip_range in permission["ip_ranges"]]
        sources = response.ec2_backend._add_source_group(permission["source_groups"], group.vpc_id)
        made = response.ec2_backend._iterate_security_rules(
            permission["ip_protocol"],
            group.id,
            permission["from_port"],
            permission["to_port"],
            ranges,
            sources,
            permission["prefix_list_ids"],
            is_egress=direction is Direction.EGRESS,
            tags=permission["sgrule_tags"],
        )
        rules += list(made)
    return rules


def _require_ports(permission: Mapping[str, Any]) -> None:
    ports = permission["from_port"], permission["to_port"]
    if str(permission["ip_protocol"]).lower() in ("tcp", "udp", "6", "17") and None in ports:
        raise EC2ClientError(
            "InvalidParameterValue",
            "Invalid value 'Must specify both from and to ports with TCP/UDP.' for portRange.",
        )


def _canonical(ip_range: Mapping[str, Any]) -> dict[str, Any]:
    """A range with its CIDR as EC2 stores it. Raises EC2ClientError for an invalid CIDR."""
    _require_valid_description(ip_range.get("Description"))
    member, network = (
        ("CidrIpv6", ipaddress.IPv6Network) if "CidrIpv6" in ip_range else ("CidrIp", ipaddress.IPv4Network)
    )
    cidr = str(ip_range.get(member, ""))
    malformed = EC2ClientError("InvalidParameterValue", f"CIDR block {cidr} is malformed")
    if not re.fullmatch(r"[^/]+/\d+", cidr):
        raise malformed
    try:
        return {**ip_range, member: str(network(cidr, strict=False))}
    except ValueError:
        raise malformed from None


def _require_valid_description(description: str | None) -> None:
    if description is not None and not _DESCRIPTION.fullmatch(description):
        raise EC2ClientError(
            "InvalidParameterValue",
            "Invalid rule description. Valid descriptions are strings less than 256 characters from the following "
            "set:  a-zA-Z0-9. _-:/()#,@[]+=&;{}!$*",
        )


def _key(rule: SecurityGroupRule) -> tuple[object, ...]:
    """The identity of a rule: everything except the description and the tags."""
    return (
        rule.ip_protocol,
        rule.from_port,
        rule.to_port,
        rule.cidr_ipv4,
        rule.cidr_ipv6,
        rule.source_group.get("GroupId"),
        rule.prefix_list_id,
    )


def _require_new(asked: Sequence[SecurityGroupRule], existing: Sequence[SecurityGroupRule]) -> None:
    if len({_key(rule) for rule in asked}) < len(asked):
        raise EC2ClientError("InvalidParameterValue", "The same permission must not appear multiple times")
    present = {_key(rule) for rule in existing}
    for rule in asked:
        if _key(rule) in present:
            raise EC2ClientError(
                "InvalidPermission.Duplicate", f'the specified rule "{_in_words(rule)}" already exists'
            )


def _in_words(rule: SecurityGroupRule) -> str:
    peer = rule.cidr_ipv4 or rule.cidr_ipv6 or rule.prefix_list_id or rule.source_group.get("GroupId")
    if rule.ip_protocol == "-1":
        return f"peer: {peer}, ALL, ALLOW"
    protocol = str(rule.ip_protocol).upper()
    return f"peer: {peer}, {protocol}, from port: {rule.from_port}, to port: {rule.to_port}, ALLOW"


def _weights(ec2_backend: Any, rules: Sequence[SecurityGroupRule]) -> tuple[int, int]:
    """How much of the quotas for IPv4 and for IPv6 the rules use.

    A rule for a security group counts in both; a rule for a prefix list counts as the maximum number of its entries.
    """
    ipv4 = ipv6 = 0
    for rule in rules:
        weight = 1
        family = "IPv6" if rule.cidr_ipv6 else "IPv4" if rule.cidr_ipv4 else "both"
        if rule.prefix_list_id:
            prefix_list = ec2_backend.managed_prefix_lists.get(rule.prefix_list_id)
            weight = int(prefix_list.max_entries or 1) if prefix_list else 1
            family = prefix_list.address_family if prefix_list else "both"
        ipv4 += weight if family in ("IPv4", "both") else 0
        ipv6 += weight if family in ("IPv6", "both") else 0
    return ipv4, ipv6


def _rules_to_revoke(response: Response, group: SecurityGroup, direction: Direction) -> list[SecurityGroupRule]:
    """The group's rules that a request revokes. A default VPC ignores rules that do not exist."""
    if ids := response._get_param("SecurityGroupRuleIds", []):
        return _rules_by_id(group, direction, ids)
    existing = {_key(rule): rule for rule in _rules(group, direction)}
    keys = [_key(rule) for rule in _asked_rules(response, group, direction)]
    vpc = response.ec2_backend.vpcs.get(group.vpc_id)
    if any(key not in existing for key in keys) and not (vpc and vpc.is_default):
        raise InvalidPermissionNotFoundError
    return [existing[key] for key in dict.fromkeys(keys) if key in existing]


def _rules_by_id(group: SecurityGroup, direction: Direction, ids: Sequence[str]) -> list[SecurityGroupRule]:
    by_id = {rule.id: rule for rule in _rules(group, direction)}
    for id in ids:
        if id not in by_id:
            raise InvalidSecurityGroupRuleIdNotFoundError(id)
    return [by_id[id] for id in dict.fromkeys(ids)]


def _revoked(rule: SecurityGroupRule) -> dict[str, Any]:
    return {
        "SecurityGroupRuleId": rule.id,
        "GroupId": rule.group_id,
        "IsEgress": rule.is_egress,
        "IpProtocol": rule.ip_protocol,
        "FromPort": -1 if rule.from_port is None else rule.from_port,
        "ToPort": -1 if rule.to_port is None else rule.to_port,
        "CidrIpv4": rule.cidr_ipv4,
        "CidrIpv6": rule.cidr_ipv6,
        "PrefixListId": rule.prefix_list_id,
        "ReferencedGroupId": rule.source_group.get("GroupId"),
        "Description": rule.description,
    }


def _description(rule: SecurityGroupRule) -> str | None:
    return rule.ip_range.get("Description") or rule.source_group.get("Description")


def _describe(rule: SecurityGroupRule, description: str | None) -> None:
    about = rule.source_group or rule.ip_range
    if description:
        about["Description"] = description
    else:
        about.pop("Description", None)


def _describe_rules(response: Response) -> ActionResult:
    """Pages by rule id, so that a rule that is added or removed between two pages hides no other rule."""
    response.error_on_dryrun()
    size = int(response._get_param("MaxResults") or _PAGE_SIZES[-1])
    if size not in _PAGE_SIZES:
        raise EC2ClientError("InvalidParameterValue", f"Value ( {size} ) for parameter maxResults is invalid.")
    found = response.ec2_backend.describe_security_group_rules(
        response._get_param("SecurityGroupRuleIds", []), response._filters_from_querystring()
    )
    after = response._get_param("NextToken") or ""
    left = sorted((rule for rule in found if rule.id > after), key=lambda rule: str(rule.id))
    token = left[size - 1].id if len(left) > size else None
    return ActionResult({"SecurityGroupRules": left[:size], "NextToken": token})
