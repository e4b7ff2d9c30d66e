"""Who calls the lab, and what IAM lets them do to moto's resources."""

from collections.abc import Callable

import boto3
import pytest
from botocore.exceptions import ClientError

from ringfence_lab.control.lab import Lab
from tests.lab.roles import CLUSTER, allow, authorize, role_session, security_group
from tests.labs import HOME, PEER, client


def code_of(call: Callable[[], object]) -> str:
    with pytest.raises(ClientError) as refused:
        call()
    return str(refused.value.response["Error"]["Code"])


@pytest.mark.parametrize(
    ("key", "token"), [("test", None), ("AKIAIOSFODNN7EXAMPLE", None), ("ASIAANYBODY", "a session's token")]
)
def test_an_unknown_caller_is_the_root_user_of_the_account(empty_lab: Lab, key: str, token: str | None) -> None:
    session = boto3.Session(key, "any secret", token)

    assert client(empty_lab, session, "sts", HOME).get_caller_identity()["Arn"].endswith(":root")
    client(empty_lab, session, "ec2", HOME).describe_instances()
    client(empty_lab, session, "dynamodb", HOME).list_tables()


def test_a_role_may_change_a_tagged_group_as_its_policy_allows(empty_lab: Lab) -> None:
    group = security_group(empty_lab, PEER)
    arn = f"arn:aws:ec2:{PEER}:123456789012:security-group/*"
    tagged = {"StringEquals": {"aws:ResourceTag/ringfence-cluster": CLUSTER}}
    role = role_session(empty_lab, allow("ec2:AuthorizeSecurityGroupIngress", arn, tagged))

    authorize(empty_lab, role, PEER, group)

    rules = empty_lab.client("ec2", PEER).describe_security_group_rules(
        Filters=[{"Name": "group-id", "Values": [group]}]
    )["SecurityGroupRules"]
    assert "192.0.2.1/32" in [rule.get("CidrIpv4") for rule in rules]


@pytest.mark.parametrize("cluster", [None, "another-cluster"])
def test_a_group_without_the_tag_is_denied(empty_lab: Lab, cluster: str | None) -> None:
    group = security_group(empty_lab, PEER, cluster)
    tagged = {"StringEquals": {"aws:ResourceTag/ringfence-cluster": CLUSTER}}
    role = role_session(empty_lab, allow("ec2:AuthorizeSecurityGroupIngress", "*", tagged))

    assert code_of(lambda: authorize(empty_lab, role, PEER, group)) == "UnauthorizedOperation"


def test_an_action_outside_of_the_policy_is_denied(empty_lab: Lab) -> None:
    role = role_session(empty_lab, allow("ec2:DescribeInstances", "*"))
    group = security_group(empty_lab, HOME)

    client(empty_lab, role, "ec2", HOME).describe_instances()

    assert code_of(lambda: authorize(empty_lab, role, HOME, group)) == "UnauthorizedOperation"


def test_another_security_group_is_denied(empty_lab: Lab) -> None:
    allowed, denied = security_group(empty_lab, HOME), security_group(empty_lab, HOME)
    arn = f"arn:aws:ec2:{HOME}:123456789012:security-group/{allowed}"
    role = role_session(empty_lab, allow("ec2:AuthorizeSecurityGroupIngress", arn))

    authorize(empty_lab, role, HOME, allowed)

    assert code_of(lambda: authorize(empty_lab, role, HOME, denied)) == "UnauthorizedOperation"


def test_another_region_is_denied(empty_lab: Lab) -> None:
    role = role_session(
        empty_lab, allow("ec2:DescribeSecurityGroupRules", "*", {"StringEquals": {"aws:RequestedRegion": HOME}})
    )

    client(empty_lab, role, "ec2", HOME).describe_security_group_rules()

    denied = client(empty_lab, role, "ec2", PEER).describe_security_group_rules
    assert code_of(denied) == "UnauthorizedOperation"


def test_a_lifecycle_action_of_another_auto_scaling_group_is_denied(empty_lab: Lab) -> None:
    arn = f"arn:aws:autoscaling:{HOME}:123456789012:autoScalingGroup:*:autoScalingGroupName/mine"
    role = role_session(empty_lab, allow("autoscaling:CompleteLifecycleAction", arn))
    autoscaling = client(empty_lab, role, "autoscaling", HOME)

    def complete(group: str) -> None:
        autoscaling.complete_lifecycle_action(
            AutoScalingGroupName=group,
            LifecycleHookName="hook",
            InstanceId="i-0123456789abcdef0",
            LifecycleActionResult="CONTINUE",
        )

    assert code_of(lambda: complete("mine")) != "AccessDenied"
    assert code_of(lambda: complete("yours")) == "AccessDenied"


def test_a_table_with_another_name_is_denied(empty_lab: Lab) -> None:
    arn = f"arn:aws:dynamodb:{HOME}:123456789012:table/mine"
    role = role_session(empty_lab, allow("dynamodb:Scan", arn))
    dynamodb = client(empty_lab, role, "dynamodb", HOME)

    assert code_of(lambda: dynamodb.scan(TableName="mine")) == "ResourceNotFoundException"
    assert code_of(lambda: dynamodb.scan(TableName="yours")) == "AccessDeniedException"


def test_a_session_with_a_wrong_secret_is_refused(empty_lab: Lab) -> None:
    role = role_session(empty_lab, allow("*", "*"))
    known = role.get_credentials()
    assert known is not None
    forged = boto3.Session(known.access_key, "wrong", known.token)

    assert code_of(client(empty_lab, forged, "dynamodb", HOME).list_tables) == "InvalidSignatureException"


def test_the_call_log_names_the_role_of_the_caller(empty_lab: Lab) -> None:
    role = role_session(empty_lab, allow("dynamodb:ListTables", "*"))
    known = role.get_credentials()
    assert known is not None

    client(empty_lab, role, "dynamodb", PEER).list_tables()

    call = next(call for call in reversed(empty_lab.calls()) if call.caller.access_key == known.access_key)
    assert (call.region, call.service, call.action, call.status) == (PEER, "dynamodb", "ListTables", 200)
    assert ":assumed-role/role-" in call.caller.principal
