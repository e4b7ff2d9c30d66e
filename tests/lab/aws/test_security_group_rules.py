"""Security group rules: atomic requests, canonical CIDRs, quotas, paging."""

from typing import Any

import pytest
from botocore.config import Config

from tests.lab.aws.emulated import EmulatedAws, client, refused


def permission(*cidrs: str, description: str | None = None, port: int = 443) -> dict[str, Any]:
    about = {} if description is None else {"Description": description}
    return {
        "IpProtocol": "tcp",
        "FromPort": port,
        "ToPort": port,
        "IpRanges": [{"CidrIp": cidr, **about} for cidr in cidrs if ":" not in cidr],
        "Ipv6Ranges": [{"CidrIpv6": cidr, **about} for cidr in cidrs if ":" in cidr],
    }


def authorize(aws: EmulatedAws, *permissions: dict[str, Any], **asked: Any) -> list[dict[str, Any]]:
    answer = aws.ec2.authorize_security_group_ingress(
        GroupId=aws.security_group, IpPermissions=list(permissions), **asked
    )
    rules: list[dict[str, Any]] = answer["SecurityGroupRules"]
    return rules


def rules(aws: EmulatedAws, **asked: Any) -> list[dict[str, Any]]:
    mine = {"Name": "group-id", "Values": [aws.security_group]}
    described = aws.ec2.describe_security_group_rules(Filters=[mine], **asked)["SecurityGroupRules"]
    return [rule for rule in described if not rule["IsEgress"]]


def cidrs(aws: EmulatedAws) -> set[str]:
    return {rule.get("CidrIpv4") or rule["CidrIpv6"] for rule in rules(aws)}


def many(count: int, family: str = "ipv4") -> list[str]:
    return [f"10.1.{n}.0/24" if family == "ipv4" else f"2600:1f00::{n:x}/128" for n in range(count)]


def test_authorize_returns_the_rules_of_all_permissions(aws: EmulatedAws) -> None:
    made = authorize(
        aws,
        permission("10.1.0.1/32", description="ringfence demo us-east-1/db i-1"),
        permission("2600:1f00::1/128", port=7000),
    )

    assert [(rule.get("CidrIpv4"), rule.get("CidrIpv6"), rule["FromPort"]) for rule in made] == [
        ("10.1.0.1/32", None, 443),
        (None, "2600:1f00::1/128", 7000),
    ]
    assert {rule["SecurityGroupRuleId"] for rule in made} == {rule["SecurityGroupRuleId"] for rule in rules(aws)}
    assert made[0]["Description"] == "ringfence demo us-east-1/db i-1"
    assert {rule["GroupId"] for rule in made} == {aws.security_group}


@pytest.mark.parametrize(
    ("written", "kept"),
    [("10.0.0.7/24", "10.0.0.0/24"), ("2600:1F00:0::0001/128", "2600:1f00::1/128"), ("0.0.0.0/0", "0.0.0.0/0")],
)
def test_cidrs_are_stored_in_canonical_form(aws: EmulatedAws, written: str, kept: str) -> None:
    [made] = authorize(aws, permission(written))

    assert made.get("CidrIpv4", made.get("CidrIpv6")) == kept


@pytest.mark.parametrize("written", ["10.1.0.1/32", "10.1.0.1/24"])
def test_a_duplicate_refuses_the_whole_request(aws: EmulatedAws, written: str) -> None:
    authorize(aws, permission("10.1.0.1/32", "10.1.0.0/24"))

    code, message = refused(lambda: authorize(aws, permission("10.2.0.1/32"), permission(written, description="other")))

    assert code == "InvalidPermission.Duplicate"
    assert "TCP, from port: 443, to port: 443, ALLOW" in message
    assert cidrs(aws) == {"10.1.0.1/32", "10.1.0.0/24"}


def test_the_same_source_on_another_port_is_another_rule(aws: EmulatedAws) -> None:
    authorize(aws, permission("10.1.0.1/32"))
    authorize(aws, permission("10.1.0.1/32", port=7000))

    assert len(rules(aws)) == 2


@pytest.mark.parametrize("cidr", ["10.1.0.300/32", "10.1.0.1", "10.1.0.1/33", "fe80::g/128", "2600::/129"])
def test_an_invalid_cidr_refuses_the_whole_request(aws: EmulatedAws, cidr: str) -> None:
    code, _ = refused(lambda: authorize(aws, permission("10.2.0.1/32"), permission(cidr)))

    assert (code, rules(aws)) == ("InvalidParameterValue", [])


def test_a_dry_run_changes_nothing(aws: EmulatedAws) -> None:
    code, _ = refused(lambda: authorize(aws, permission("10.1.0.1/32"), DryRun=True))

    assert (code, rules(aws)) == ("DryRunOperation", [])


def test_a_prefix_list_counts_its_maximum_entries_for_its_family(aws: EmulatedAws) -> None:
    made = aws.ec2.create_managed_prefix_list(PrefixListName="office", MaxEntries=50, AddressFamily="IPv4")
    prefix_list = {"PrefixListId": made["PrefixList"]["PrefixListId"]}
    authorize(aws, {"IpProtocol": "tcp", "FromPort": 443, "ToPort": 443, "PrefixListIds": [prefix_list]})

    authorize(aws, permission(*many(10)), permission(*many(60, "ipv6")))

    assert refused(lambda: authorize(aws, permission("10.2.0.1/32")))[0] == "RulesPerSecurityGroupLimitExceeded"


def test_the_quota_can_be_changed_for_all_groups_and_for_one(aws: EmulatedAws) -> None:
    aws.quota.default = 2
    refused_by_default, _ = refused(lambda: authorize(aws, permission(*many(3))))
    aws.quota.by_group[aws.security_group] = 3

    authorize(aws, permission(*many(3)))

    assert (refused_by_default, len(rules(aws))) == ("RulesPerSecurityGroupLimitExceeded", 3)


def test_the_same_reference_with_another_description_is_a_duplicate(aws: EmulatedAws) -> None:
    def reference(description: str) -> dict[str, Any]:
        pair = {"GroupId": aws.security_group, "Description": description}
        return {"IpProtocol": "tcp", "FromPort": 443, "ToPort": 443, "UserIdGroupPairs": [pair]}

    [made] = authorize(aws, reference("one"))

    assert made["Description"] == "one"
    assert refused(lambda: authorize(aws, reference("two")))[0] == "InvalidPermission.Duplicate"


def revoke(aws: EmulatedAws, **asked: Any) -> list[dict[str, Any]]:
    answer = aws.ec2.revoke_security_group_ingress(GroupId=aws.security_group, **asked)
    revoked: list[dict[str, Any]] = answer["RevokedSecurityGroupRules"]
    return revoked


def test_rules_are_revoked_by_id(aws: EmulatedAws) -> None:
    first, second = authorize(aws, permission("10.1.0.1/32", "10.1.0.2/32", description="both"))

    [revoked] = revoke(aws, SecurityGroupRuleIds=[first["SecurityGroupRuleId"]])

    assert (revoked["SecurityGroupRuleId"], revoked["CidrIpv4"]) == (first["SecurityGroupRuleId"], "10.1.0.1/32")
    assert [rule["SecurityGroupRuleId"] for rule in rules(aws)] == [second["SecurityGroupRuleId"]]


def test_a_rule_is_revoked_by_its_permission_with_any_description(aws: EmulatedAws) -> None:
    authorize(aws, permission("10.1.0.0/24", description="one"))

    revoke(aws, IpPermissions=[permission("10.1.0.9/24", description="other")])

    assert rules(aws) == []


def test_an_unknown_permission_refuses_the_whole_revoke(aws: EmulatedAws) -> None:
    authorize(aws, permission("10.1.0.1/32"))

    code, _ = refused(lambda: revoke(aws, IpPermissions=[permission("10.1.0.1/32", "10.1.0.2/32")]))

    assert (code, len(rules(aws))) == ("InvalidPermission.NotFound", 1)


def test_a_default_vpc_ignores_an_unknown_permission(aws: EmulatedAws) -> None:
    made = aws.ec2.create_security_group(GroupName="in-default-vpc", Description="of the default VPC")
    aws.security_group = made["GroupId"]
    authorize(aws, permission("10.1.0.1/32"))

    revoked = revoke(aws, IpPermissions=[permission("10.1.0.1/32", "10.1.0.2/32")])

    assert ([rule["CidrIpv4"] for rule in revoked], rules(aws)) == (["10.1.0.1/32"], [])


def test_a_dry_run_of_a_revoke_changes_nothing(aws: EmulatedAws) -> None:
    [made] = authorize(aws, permission("10.1.0.1/32"))

    code, _ = refused(lambda: revoke(aws, SecurityGroupRuleIds=[made["SecurityGroupRuleId"]], DryRun=True))

    assert (code, len(rules(aws))) == ("DryRunOperation", 1)


def test_an_unknown_group_is_refused(aws: EmulatedAws) -> None:
    aws.security_group = "sg-0123456789abcdef0"

    assert refused(lambda: authorize(aws, permission("10.1.0.1/32")))[0] == "InvalidGroup.NotFound"


def test_rules_of_several_groups_are_described_page_by_page(aws: EmulatedAws) -> None:
    authorize(aws, permission(*many(12)))
    second_group = aws.ec2.create_security_group(GroupName="other", Description="other", VpcId=aws.vpc)["GroupId"]
    groups = [{"Name": "group-id", "Values": [aws.security_group, second_group]}]

    pages: list[list[dict[str, Any]]] = []
    token: dict[str, str] = {}
    while not pages or token:
        page = aws.ec2.describe_security_group_rules(Filters=groups, MaxResults=5, **token)
        pages.append(page["SecurityGroupRules"])
        token = {"NextToken": page["NextToken"]} if "NextToken" in page else {}

    # Each group has one outbound rule.
    assert [len(page) for page in pages] == [5, 5, 4]
    assert len({rule["SecurityGroupRuleId"] for page in pages for rule in page}) == 14


def test_a_rule_removed_between_two_pages_hides_no_other_rule(aws: EmulatedAws) -> None:
    authorize(aws, permission(*many(12)))
    groups = [{"Name": "group-id", "Values": [aws.security_group]}]
    first = aws.ec2.describe_security_group_rules(Filters=groups, MaxResults=5)
    gone = next(rule for rule in first["SecurityGroupRules"] if not rule["IsEgress"])
    revoke(aws, SecurityGroupRuleIds=[gone["SecurityGroupRuleId"]])

    rest = aws.ec2.describe_security_group_rules(Filters=groups, MaxResults=100, NextToken=first["NextToken"])

    seen = [rule["SecurityGroupRuleId"] for page in (first, rest) for rule in page["SecurityGroupRules"]]
    assert len(set(seen)) == len(seen) == 13


def test_a_page_outside_of_the_documented_sizes_is_refused(aws: EmulatedAws) -> None:
    unchecked = Config(parameter_validation=False, retries={"total_max_attempts": 1})
    describe = client("ec2", aws.ec2.meta.endpoint_url, config=unchecked).describe_security_group_rules

    assert refused(lambda: describe(MaxResults=4))[0] == "InvalidParameterValue"
    assert refused(lambda: describe(MaxResults=1001))[0] == "InvalidParameterValue"


def test_descriptions_change_by_rule_id_and_by_permission(aws: EmulatedAws) -> None:
    [made] = authorize(aws, permission("10.1.0.1/32", description="old"))
    update = aws.ec2.update_security_group_rule_descriptions_ingress
    by_id = {"SecurityGroupRuleId": made["SecurityGroupRuleId"], "Description": "new"}

    update(GroupId=aws.security_group, SecurityGroupRuleDescriptions=[by_id])
    after_first = rules(aws)[0]["Description"]
    update(GroupId=aws.security_group, IpPermissions=[permission("10.1.0.1/32", description="newer")])

    assert (after_first, rules(aws)[0]["Description"]) == ("new", "newer")


def test_an_unknown_rule_refuses_the_whole_update_of_descriptions(aws: EmulatedAws) -> None:
    authorize(aws, permission("10.1.0.1/32", description="old"))
    update = aws.ec2.update_security_group_rule_descriptions_ingress
    both = permission("10.1.0.1/32", "10.1.0.2/32", description="new")

    code, _ = refused(lambda: update(GroupId=aws.security_group, IpPermissions=[both]))

    assert (code, rules(aws)[0]["Description"]) == ("InvalidPermission.NotFound", "old")


def test_requests_for_outbound_rules_are_atomic_too(aws: EmulatedAws) -> None:
    outbound = aws.ec2.authorize_security_group_egress
    outbound(GroupId=aws.security_group, IpPermissions=[permission("10.1.0.1/32")])

    code, _ = refused(
        lambda: outbound(GroupId=aws.security_group, IpPermissions=[permission("10.2.0.1/32", "10.1.0.1/32")])
    )

    egress = [
        rule.get("CidrIpv4")
        for rule in aws.ec2.describe_security_group_rules()["SecurityGroupRules"]
        if rule["IsEgress"] and rule["GroupId"] == aws.security_group
    ]
    assert (code, sorted(str(cidr) for cidr in egress)) == (
        "InvalidPermission.Duplicate",
        ["0.0.0.0/0", "10.1.0.1/32"],
    )
