"""The permissions of the engine's role: exactly the calls that the engine makes, on the resources that it calls."""

import ast
import json
import re
from collections.abc import Iterator

from ringfence.aws.roster_item import GUARD
from tests.stack.rendered import ACCOUNT, PROJECT, REGION, Statement, policies, rendered, statements

OF_THE_MAPPING = {"sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"}
"""What Lambda itself calls with the role, to receive messages from the queue."""

OF_THE_RUNTIME = {"logs:CreateLogStream", "logs:PutLogEvents"}
"""What Lambda's runtime calls with the role, to write the log."""

CHANGES = {
    "ec2:AuthorizeSecurityGroupIngress",
    "ec2:RevokeSecurityGroupIngress",
    "ec2:UpdateSecurityGroupRuleDescriptionsIngress",
}

ANY_RULE = f"arn:aws:ec2:*:{ACCOUNT}:security-group-rule/*"
"""The rules of all groups. A change needs the group as well."""

ROLE_POLICY_LIMIT = 10_240
"""Maximum characters of all inline policies of a role, without white space. Source: IAM and AWS STS quotas."""


def actions_called() -> set[str]:
    """Every AWS action that the engine's adapters call, as their source shows."""
    modules = (PROJECT / "src" / "ringfence" / "aws").glob("*.py")
    return {action for module in modules for action in actions_in(module.read_text())}


def actions_in(source: str) -> Iterator[str]:
    """The actions that a module's classes call on their field `client`, whose type names the service."""
    for adapter in ast.walk(ast.parse(source)):
        if isinstance(adapter, ast.ClassDef) and (service := service_of(adapter)):
            for node in ast.walk(adapter):
                if isinstance(node, ast.Call) and (method := method_called(node)):
                    yield f"{service}:{''.join(part.capitalize() for part in method.split('_'))}"


def service_of(adapter: ast.ClassDef) -> str | None:
    """The IAM prefix of the service whose client the class holds, from the field's type: `"DynamoDBClient"`."""
    for field in adapter.body:
        if isinstance(field, ast.AnnAssign) and ast.unparse(field.target) == "client":
            return ast.unparse(field.annotation).strip("'\"").removesuffix("Client").lower()
    return None


def method_called(call: ast.Call) -> str | None:
    """The client's method that a call is of. For a paginator, the method that it pages."""
    if not isinstance(call.func, ast.Attribute) or ast.unparse(call.func.value) != "self.client":
        return None
    if call.func.attr != "get_paginator":
        return call.func.attr
    paginated = call.args[0]
    assert isinstance(paginated, ast.Constant)
    return str(paginated.value)


def allowing(action: str, granted: list[Statement]) -> list[Statement]:
    return [statement for statement in granted if action in statement.actions]


def test_the_scan_of_the_adapters_finds_calls_and_paginators_of_any_service() -> None:
    source = """
class Topics:
    client: "SNSClient"
    def all(self): return self.client.get_paginator("list_topics").paginate()
    def say(self): self.client.publish()
    def other(self): self.publish()
"""
    assert set(actions_in(source)) == {"sns:ListTopics", "sns:Publish"}


def test_the_role_grants_exactly_the_actions_that_are_called() -> None:
    granted = {action for statement in statements() for action in statement.actions}
    assert granted == actions_called() | OF_THE_MAPPING | OF_THE_RUNTIME


def test_only_describe_actions_have_no_resource_and_they_are_limited_to_their_regions() -> None:
    regions = f"{REGION},us-west-2"
    for statement in statements(regions):
        if statement.resource == "*":
            assert all(":Describe" in action for action in statement.actions)
            limit = statement.condition["StringEquals"]["aws:RequestedRegion"]
            assert limit == (regions.split(",") if "ec2:DescribeSecurityGroupRules" in statement.actions else REGION)


def test_the_role_can_change_only_the_stacks_security_groups_at_home() -> None:
    granted = statements(f"{REGION},us-west-2", security_groups="sg-1,sg-2")
    for action in CHANGES:
        at_home = [
            statement
            for statement in allowing(action, granted)
            if "StringNotEquals" not in statement.condition and statement.resource != ANY_RULE
        ]
        assert {statement.resource for statement in at_home} == {
            f"arn:aws:ec2:{REGION}:{ACCOUNT}:security-group/{id}" for id in ("sg-1", "sg-2")
        }


def test_the_role_can_change_only_groups_with_the_clusters_tag_in_peer_regions() -> None:
    # when
    (peers,) = (
        statement for statement in statements(f"{REGION},us-west-2") if "StringNotEquals" in statement.condition
    )
    # then
    assert peers.actions == CHANGES
    assert peers.resource == f"arn:aws:ec2:*:{ACCOUNT}:security-group/*"
    assert peers.condition == {
        "StringEquals": {"aws:RequestedRegion": [REGION, "us-west-2"], "aws:ResourceTag/ringfence-cluster": "demo"},
        "StringNotEquals": {"aws:RequestedRegion": REGION},
    }


def test_the_role_can_change_no_group_without_the_clusters_tag() -> None:
    changing = [
        statement
        for statement in statements(f"{REGION},us-west-2")
        if statement.actions & CHANGES and statement.resource != ANY_RULE
    ]
    assert len(changing) == 2
    for statement in changing:
        assert statement.condition["StringEquals"]["aws:ResourceTag/ringfence-cluster"] == "demo"


def test_what_is_granted_on_rules_reaches_no_group() -> None:
    # when
    (on_rules,) = (each for each in statements(f"{REGION},us-west-2") if "security-group-rule" in each.resource)
    # then
    assert on_rules.actions == {"ec2:AuthorizeSecurityGroupIngress"}
    assert on_rules.resource == ANY_RULE


def test_the_role_can_read_only_the_clusters_own_tables_in_its_regions() -> None:
    (reading,) = allowing("dynamodb:Query", statements(f"{REGION},us-west-2"))
    assert reading.actions == {"dynamodb:Query", "dynamodb:DescribeTable"}
    assert reading.resource == f"arn:aws:dynamodb:*:{ACCOUNT}:table/ringfence-demo"
    assert reading.condition == {"StringEquals": {"aws:RequestedRegion": [REGION, "us-west-2"]}}


def test_the_role_can_write_only_its_own_regions_rows_in_the_clusters_tables() -> None:
    # when
    (deleting,) = allowing("dynamodb:DeleteItem", statements(f"{REGION},us-west-2"))
    # then
    assert deleting.actions == {"dynamodb:PutItem", "dynamodb:DeleteItem"}
    assert deleting.resource == f"arn:aws:dynamodb:*:{ACCOUNT}:table/ringfence-demo"
    assert deleting.condition == {
        "StringEquals": {"aws:RequestedRegion": [REGION, "us-west-2"]},
        "ForAllValues:StringEquals": {"dynamodb:LeadingKeys": [REGION]},
        "Null": {"dynamodb:LeadingKeys": "false"},
    }


def test_the_role_can_write_what_the_guard_holds_only_at_home() -> None:
    # when
    (holding,) = (
        statement
        for statement in allowing("dynamodb:PutItem", statements(f"{REGION},us-west-2"))
        if "dynamodb:DeleteItem" not in statement.actions
    )
    # then
    assert holding.actions == {"dynamodb:PutItem"}
    assert holding.resource == "Table.Arn"
    assert holding.condition == {
        "ForAllValues:StringEquals": {"dynamodb:LeadingKeys": [GUARD]},
        "Null": {"dynamodb:LeadingKeys": "false"},
    }


def test_the_role_can_answer_hooks_only_of_the_stacks_groups() -> None:
    answering = allowing("autoscaling:CompleteLifecycleAction", statements(groups="db,seed.nodes"))
    assert {statement.resource for statement in answering} == {
        f"arn:aws:autoscaling:{REGION}:{ACCOUNT}:autoScalingGroup:*:autoScalingGroupName/{name}"
        for name in ("db", "seed.nodes")
    }


def test_the_roles_policies_have_room_for_forty_regions_and_many_groups() -> None:
    # given
    regions = ",".join([REGION, *(f"ap-southeast-{number}" for number in range(1, 40))])
    groups = ",".join(f"a-group-with-a-name-of-some-length-{number}" for number in range(1, 15))
    security_groups = ",".join(f"sg-{number:017x}" for number in range(5))
    # when
    documents = policies(regions, groups, security_groups)
    characters = sum(len(re.sub(r"\s", "", json.dumps(document))) for document in documents)
    # then
    assert characters < ROLE_POLICY_LIMIT


def test_the_names_of_the_policies_are_valid_in_iam() -> None:
    """IAM User Guide, "IAM and AWS STS quotas": at most 128 letters, digits and characters of +=,.@_-"""
    longest = "g" * 112
    for resource in rendered(groups=f"{longest},a+b=c.d@e_f-g").values():
        if resource["Type"] == "AWS::IAM::Policy":
            name = resource["Properties"]["PolicyName"]
            assert re.fullmatch(r"[\w+=,.@-]{1,128}", name if isinstance(name, str) else name["Fn::Sub"])


def test_the_schedules_role_can_only_send_to_the_queue_and_only_for_this_accounts_schedules() -> None:
    role = rendered()["ScheduleRole"]["Properties"]
    (policy,) = role["Policies"]
    (statement,) = policy["PolicyDocument"]["Statement"]
    assert (statement["Action"], statement["Resource"]) == ("sqs:SendMessage", {"Fn::GetAtt": ["Queue", "Arn"]})
    (trust,) = role["AssumeRolePolicyDocument"]["Statement"]
    assert set(trust["Condition"]["StringEquals"]) == {"aws:SourceAccount", "aws:SourceArn"}


def test_the_queues_policy_lets_only_the_stacks_event_rule_send() -> None:
    policy = rendered()["QueuePolicy"]["Properties"]["PolicyDocument"]
    (statement,) = policy["Statement"]
    assert statement["Principal"] == {"Service": "events.amazonaws.com"}
    assert statement["Condition"] == {"ArnEquals": {"aws:SourceArn": {"Fn::GetAtt": ["LifecycleEvents", "Arn"]}}}
