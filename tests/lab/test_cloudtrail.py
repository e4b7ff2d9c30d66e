"""CloudTrail's event history names the caller that made a rule. Source: CloudTrail API Reference, LookupEvents."""

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError

from ringfence_lab.control.lab import Lab
from tests.lab.roles import allow, authorize, role_session, security_group
from tests.labs import HOME, PEER, client


def history(lab: Lab, region: str, group: str) -> list[tuple[str, dict[str, Any]]]:
    """The events of a group, the newest first, each with its record."""
    wanted = [{"AttributeKey": "ResourceName", "AttributeValue": group}]
    events = lab.client("cloudtrail", region).lookup_events(LookupAttributes=wanted)["Events"]
    return [(event["EventName"], json.loads(event["CloudTrailEvent"])) for event in events]


def test_a_call_that_adds_a_rule_is_recorded_with_its_caller_and_the_rule(empty_lab: Lab) -> None:
    group = security_group(empty_lab, HOME)
    role = role_session(empty_lab, allow("ec2:*", "*"))
    authorize(empty_lab, role, HOME, group)

    ((name, record),) = history(empty_lab, HOME, group)

    filters = [{"Name": "group-id", "Values": [group]}]
    rules = empty_lab.client("ec2", HOME).describe_security_group_rules(Filters=filters)["SecurityGroupRules"]
    made = [rule["SecurityGroupRuleId"] for rule in rules if not rule["IsEgress"]]
    assert name == "AuthorizeSecurityGroupIngress"
    assert record["userIdentity"]["arn"] == client(empty_lab, role, "sts", HOME).get_caller_identity()["Arn"]
    assert [item["securityGroupRuleId"] for item in record["responseElements"]["securityGroupRuleSet"]["items"]] == made
    assert "Boto3" in record["userAgent"]


def test_a_call_that_removes_a_rule_is_recorded_and_the_newest_comes_first(empty_lab: Lab) -> None:
    group = security_group(empty_lab, HOME)
    ec2 = empty_lab.client("ec2", HOME)
    rule = {"IpProtocol": "tcp", "FromPort": 443, "ToPort": 443, "IpRanges": [{"CidrIp": "192.0.2.1/32"}]}
    made = ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=[rule])["SecurityGroupRules"]
    id = made[0]["SecurityGroupRuleId"]
    ec2.revoke_security_group_ingress(GroupId=group, SecurityGroupRuleIds=[id])

    (revoked, record), (authorized, _) = history(empty_lab, HOME, group)

    assert (authorized, revoked) == ("AuthorizeSecurityGroupIngress", "RevokeSecurityGroupIngress")
    assert record["requestParameters"]["items"] == [{"securityGroupRuleId": id}]


def test_refused_calls_and_calls_in_other_regions_are_not_recorded(empty_lab: Lab) -> None:
    group = security_group(empty_lab, HOME)
    with pytest.raises(ClientError, match=r"AccessDenied|Unauthorized"):
        authorize(empty_lab, role_session(empty_lab, allow("s3:*", "*")), HOME, group)
    assert history(empty_lab, HOME, group) == []
    authorize(empty_lab, role_session(empty_lab, allow("ec2:*", "*")), HOME, group)
    assert history(empty_lab, PEER, group) == []
