"""EC2's answers become the engine's values, through botocore's own parsing and validation."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import boto3
import pytest
from botocore.stub import Stubber

from ringfence.aws.ec2 import AwsInstances, AwsSecurityGroups
from ringfence.core.errors import Refusal, Refused
from ringfence.core.model.addresses import AddressKind, Cidr, host
from ringfence.core.model.identifiers import InstanceId, PrefixListId, Region, RosterKey, RuleId, SecurityGroupId
from ringfence.core.model.ports import PortRange
from ringfence.core.model.rules import Label, Opening
from ringfence.core.observation import Power
from ringfence.core.plan import Addition
from ringfence.core.rule_count import PrefixList

HOME = Region("us-east-1")
GROUP = SecurityGroupId("sg-1")


@pytest.fixture
def ec2() -> Iterator[tuple[Any, Stubber]]:
    client = boto3.client("ec2", region_name=HOME, aws_access_key_id="x", aws_secret_access_key="x")
    with Stubber(client) as stubber:
        yield client, stubber
        stubber.assert_no_pending_responses()


def described(id: str, **more: Any) -> dict[str, Any]:
    return {
        "InstanceId": id,
        "State": {"Name": "running"},
        "LaunchTime": datetime(2026, 1, 1, tzinfo=UTC),
        "Tags": [{"Key": "aws:autoscaling:groupName", "Value": "db"}],
        **more,
    }


def test_an_instance_has_every_address_of_every_interface(ec2: tuple[Any, Stubber]) -> None:
    # given an instance with two interfaces, secondary addresses and IPv6
    client, stubber = ec2
    interfaces = [
        {
            "Association": {"PublicIp": "54.1.1.1"},
            "PrivateIpAddresses": [
                {"PrivateIpAddress": "10.0.0.1", "Association": {"PublicIp": "54.1.1.1"}},
                {"PrivateIpAddress": "10.0.0.2", "Association": {"PublicIp": "54.1.1.2"}},
            ],
            "Ipv6Addresses": [{"Ipv6Address": "2600:1f18::1"}],
        },
        {
            "PrivateIpAddresses": [{"PrivateIpAddress": "10.0.1.1"}],
            "Ipv6Addresses": [{"Ipv6Address": "2600:1F18::0002"}],
        },
    ]
    stubber.add_response(
        "describe_instances",
        {"Reservations": [{"Instances": [described("i-1", PublicIpAddress="54.1.1.1", NetworkInterfaces=interfaces)]}]},
    )
    # when
    found = AwsInstances(client, HOME).of_groups(["db"])[InstanceId("i-1")]
    # then
    assert found.power is Power.RUNNING
    assert found.group == "db"
    assert found.of_kinds(frozenset({AddressKind.PUBLIC_IPV4})) == ("54.1.1.1/32", "54.1.1.2/32")
    assert found.of_kinds(frozenset({AddressKind.PRIVATE_IPV4})) == ("10.0.0.1/32", "10.0.0.2/32", "10.0.1.1/32")
    assert found.of_kinds(frozenset({AddressKind.IPV6})) == ("2600:1f18::1/128", "2600:1f18::2/128")
    assert len(found.of_kinds(frozenset(AddressKind))) == 7


def test_an_instance_with_an_invalid_address_counts_as_not_described(
    ec2: tuple[Any, Stubber],
) -> None:
    client, stubber = ec2
    wrong = described("i-1", PublicIpAddress="0.0.0.0")  # noqa: S104  # hostile on purpose
    instances = [{"Instances": [wrong, described("i-2")]}]
    stubber.add_response("describe_instances", {"Reservations": instances})
    assert set(AwsInstances(client, HOME).of_groups(["db"])) == {"i-2"}


def test_an_instance_that_cannot_be_used_is_not_absent(ec2: tuple[Any, Stubber]) -> None:
    client, stubber = ec2
    wrong = described("i-1", PublicIpAddress="0.0.0.0")  # noqa: S104  # hostile on purpose
    stubber.add_response("describe_instances", {"Reservations": [{"Instances": [wrong, described("i-2")]}]})
    answer = AwsInstances(client, HOME).by_id([InstanceId("i-1"), InstanceId("i-2"), InstanceId("i-3")])
    assert set(answer.instances) == {"i-2"}
    assert answer.absent == {"i-3"}


def test_many_ids_are_described_in_calls_of_200_ids(ec2: tuple[Any, Stubber]) -> None:
    client, stubber = ec2
    for _ in range(3):
        stubber.add_response("describe_instances", {"Reservations": []})
    AwsInstances(client, HOME).by_id([InstanceId(f"i-{number}") for number in range(401)])


def test_rules_are_read_page_by_page_with_their_source(ec2: tuple[Any, Stubber]) -> None:
    # given
    client, stubber = ec2
    common = {"GroupId": GROUP, "IsEgress": False, "IpProtocol": "tcp", "FromPort": 9042, "ToPort": 9042}
    first = [
        {**common, "SecurityGroupRuleId": "sgr-1", "CidrIpv4": "54.1.1.1/32", "Description": "ringfence demo r/g i-1"},
        {**common, "SecurityGroupRuleId": "sgr-2", "ReferencedGroupInfo": {"GroupId": GROUP}},
        {**common, "SecurityGroupRuleId": "sgr-3", "IsEgress": True, "CidrIpv4": "0.0.0.0/0"},
    ]
    second = [
        {**common, "SecurityGroupRuleId": "sgr-4", "PrefixListId": "pl-1"},
        {
            **common,
            "SecurityGroupRuleId": "sgr-5",
            "IpProtocol": "-1",
            "FromPort": -1,
            "ToPort": -1,
            "CidrIpv6": "::/0",
        },
    ]
    stubber.add_response("describe_security_group_rules", {"SecurityGroupRules": first, "NextToken": "next"})
    stubber.add_response("describe_security_group_rules", {"SecurityGroupRules": second})
    # when
    rules = {rule.id: rule for rule in AwsSecurityGroups(client, HOME).rules([GROUP])[GROUP]}
    # then
    assert set(rules) == {"sgr-1", "sgr-2", "sgr-4", "sgr-5"}
    assert rules[next(id for id in rules if id == "sgr-2")].source_group == GROUP
    openings = {id: rule.opening.cidr if rule.opening else None for id, rule in rules.items()}
    assert openings == {"sgr-1": "54.1.1.1/32", "sgr-2": None, "sgr-4": None, "sgr-5": "::/0"}
    assert {rule.prefix_list for rule in rules.values()} == {None, "pl-1"}


def addition(cidr: str, ports: PortRange) -> Addition:
    return Addition(Opening(ports, host(cidr)), Label("demo", RosterKey(HOME, "db"), "i-1"))


def test_rules_are_made_in_one_call_with_a_permission_for_each_port_range(ec2: tuple[Any, Stubber]) -> None:
    # given
    client, stubber = ec2
    https, everything = PortRange("tcp", 443, 443), PortRange("-1", -1, -1)
    label = "ringfence demo us-east-1/db i-1"
    expected = {
        "GroupId": GROUP,
        "IpPermissions": [
            {
                "IpProtocol": "tcp",
                "FromPort": 443,
                "ToPort": 443,
                "IpRanges": [
                    {"CidrIp": "54.1.1.1/32", "Description": label},
                    {"CidrIp": "54.1.1.2/32", "Description": label},
                ],
                "Ipv6Ranges": [{"CidrIpv6": "2600:1f18::1/128", "Description": label}],
            },
            {"IpProtocol": "-1", "IpRanges": [{"CidrIp": "54.1.1.1/32", "Description": label}]},
        ],
    }
    made = {
        "SecurityGroupRuleId": "sgr-9",
        "GroupId": GROUP,
        "IsEgress": False,
        "IpProtocol": "-1",
        "FromPort": -1,
        "ToPort": -1,
        "CidrIpv4": "54.1.1.1/32",
    }
    stubber.add_response("authorize_security_group_ingress", {"SecurityGroupRules": [made]}, expected)
    additions = [addition("54.1.1.1", https), addition("54.1.1.2", https), addition("2600:1f18::1", https)]
    # when
    (rule,) = AwsSecurityGroups(client, HOME).authorize(GROUP, [*additions, addition("54.1.1.1", everything)])
    # then
    assert rule.opening == Opening(everything, Cidr("54.1.1.1/32"))


@pytest.mark.parametrize(
    ("code", "refusal"),
    [
        ("InvalidPermission.Duplicate", Refusal.DUPLICATE),
        ("RulesPerSecurityGroupLimitExceeded", Refusal.QUOTA),
        ("InvalidSecurityGroupRuleId.NotFound", Refusal.NOT_FOUND),
        ("InvalidParameterValue", Refusal.MALFORMED),
    ],
)
def test_an_error_code_of_authorize_raises_refused_with_its_refusal(
    ec2: tuple[Any, Stubber], code: str, refusal: Refusal
) -> None:
    client, stubber = ec2
    stubber.add_client_error("authorize_security_group_ingress", code, "60 of 60")
    with pytest.raises(Refused, match="60 of 60") as raised:
        AwsSecurityGroups(client, HOME).authorize(GROUP, [addition("54.1.1.1", PortRange("tcp", 443, 443))])
    assert raised.value.refusal is refusal


def test_rules_are_relabelled_by_id_in_one_call(ec2: tuple[Any, Stubber]) -> None:
    client, stubber = ec2
    label = Label("demo", RosterKey(HOME, "db"), "i-2")
    stubber.add_response(
        "update_security_group_rule_descriptions_ingress",
        {"Return": True},
        {
            "GroupId": GROUP,
            "SecurityGroupRuleDescriptions": [
                {"SecurityGroupRuleId": "sgr-1", "Description": "ringfence demo us-east-1/db i-2"}
            ],
        },
    )
    AwsSecurityGroups(client, HOME).relabel(GROUP, {RuleId("sgr-1"): label})


def test_a_prefix_list_weighs_its_maximum_and_one_of_aws_what_aws_documents(ec2: tuple[Any, Stubber]) -> None:
    # given a list of a customer, and lists of AWS: without a maximum, and of a service without a documented weight
    client, stubber = ec2
    lists: list[dict[str, Any]] = [
        {"PrefixListId": "pl-1", "AddressFamily": "IPv4", "MaxEntries": 20, "PrefixListName": "offices"},
        {
            "PrefixListId": "pl-2",
            "AddressFamily": "IPv6",
            "PrefixListName": "com.amazonaws.global.ipv6.cloudfront.origin-facing",
        },
        {"PrefixListId": "pl-3", "AddressFamily": "IPv4", "PrefixListName": "com.amazonaws.eu-west-1.later"},
    ]
    stubber.add_response("describe_managed_prefix_lists", {"PrefixLists": lists})
    # when
    found = AwsSecurityGroups(client, HOME).prefix_lists([PrefixListId(f"pl-{n}") for n in range(1, 5)])
    # then
    assert found == {
        "pl-1": PrefixList(ipv6=False, weight=20),
        "pl-2": PrefixList(ipv6=True, weight=55),
        "pl-3": PrefixList(ipv6=False, weight=1),
    }


def test_a_group_that_ec2_does_not_describe_is_missing(ec2: tuple[Any, Stubber]) -> None:
    client, stubber = ec2
    stubber.add_response("describe_security_groups", {"SecurityGroups": [{"GroupId": GROUP}]})
    assert AwsSecurityGroups(client, HOME).missing([GROUP, SecurityGroupId("sg-2")]) == {"sg-2"}
