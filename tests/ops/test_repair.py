"""Drift as a value: what a template says of its resources, what differs, and what `doctor` makes of it."""

import json
from dataclasses import replace
from typing import Any

import pytest

from ringfence_ops.doctor.drift import with_drift
from ringfence_ops.doctor.facts import RegionFacts
from ringfence_ops.doctor.finding import Severity, ok, problem
from ringfence_ops.repair.drift import Difference, Repair, canonical, differences
from ringfence_ops.repair.kinds.events import Schedules
from ringfence_ops.repair.reconnection import without
from ringfence_ops.repair.stack_repair import Drift, with_new_roles
from ringfence_ops.repair.template import DeployedTemplate, NotResolved, Place, Resource
from ringfence_ops.state.path import DeployedStack, Unread
from tests.ops.facts import EXPECTED, facts
from tests.unit.builders import EAST

PLACE = Place("aws-cn", "cn-north-1", "123456789012")
TEMPLATE: dict[str, Any] = {
    "Parameters": {"Name": {"Type": "String"}, "Groups": {"Type": "CommaDelimitedList"}, "Topic": {"Type": "String"}},
    "Conditions": {
        "HasTopic": {"Fn::Not": [{"Fn::Equals": [{"Ref": "Topic"}, ""]}]},
        "Same": {"Condition": "HasTopic"},
    },
    "Resources": {
        "Queue": {"Type": "AWS::SQS::Queue"},
        "Role": {"Type": "AWS::IAM::Role"},
        "Rule": {"Type": "AWS::Events::Rule"},
    },
}
IDS = {"Queue": "https://sqs.cn-north-1.amazonaws.com.cn/123456789012/ringfence-demo.fifo", "Role": "role", "Rule": "r"}


def resolved(value: Any, **parameters: str) -> Any:
    """The value as a property of a resource of a stack."""
    template = {**TEMPLATE, "Resources": {**TEMPLATE["Resources"], "One": {"Type": "A", "Properties": {"P": value}}}}
    values = {"Name": "demo", "Groups": "a,b", "Topic": "", **parameters}
    resources = DeployedTemplate(template, values, {**IDS, "One": "1"}, PLACE).resources(("A",))
    return resources[-1].properties.get("P", "absent")


@pytest.mark.parametrize(
    ("value", "meaning"),
    [
        ({"Ref": "Name"}, "demo"),
        ({"Ref": "Groups"}, ["a", "b"]),
        ({"Ref": "AWS::Region"}, "cn-north-1"),
        ({"Ref": "AWS::NoValue"}, "absent"),
        ([{"Ref": "AWS::NoValue"}, 1], [1]),
        ({"Ref": "Rule"}, "r"),
        ({"Fn::GetAtt": ["Queue", "Arn"]}, "arn:aws-cn:sqs:cn-north-1:123456789012:ringfence-demo.fifo"),
        ({"Fn::GetAtt": "Queue.QueueName"}, "ringfence-demo.fifo"),
        ({"Fn::GetAtt": ["Role", "Arn"]}, "arn:aws-cn:iam::123456789012:role/role"),
        ({"Fn::GetAtt": ["Rule", "Arn"]}, "arn:aws-cn:events:cn-north-1:123456789012:rule/r"),
        ({"Fn::Sub": "x-${Name}-${AWS::AccountId}-${Queue.QueueName}"}, "x-demo-123456789012-ringfence-demo.fifo"),
        ({"Fn::Sub": ["${A}/${!Literal}", {"A": {"Ref": "Name"}}]}, "demo/${Literal}"),
        ({"Fn::Join": [",", {"Ref": "Groups"}]}, "a,b"),
        ({"Fn::If": ["Same", [{"Ref": "Topic"}], {"Ref": "AWS::NoValue"}]}, "absent"),
        ({"a": {"b": [{"Ref": "Name"}]}}, {"a": {"b": ["demo"]}}),
    ],
)
def test_an_intrinsic_function_is_resolved(value: Any, meaning: Any) -> None:
    assert resolved(value) == meaning


def test_a_condition_decides_by_the_parameters() -> None:
    value = {"Fn::If": ["Same", [{"Ref": "Topic"}], {"Ref": "AWS::NoValue"}]}
    assert resolved(value, Topic="arn:topic") == ["arn:topic"]


@pytest.mark.parametrize(
    "value",
    [{"Fn::ImportValue": "x"}, {"Ref": "Nothing"}, {"Fn::GetAtt": ["Role", "RoleId"]}, {"Fn::If": ["No", 1, 2]}],
)
def test_what_is_not_known_is_not_guessed(value: Any) -> None:
    with pytest.raises(NotResolved):
        resolved(value)


@pytest.mark.parametrize(
    ("left", "right"),
    [
        (90, "90"),
        (0, 0.0),
        (True, "true"),
        (["a"], "a"),
        (["a", "b"], ["b", "a"]),
        ([], None),
        ({}, None),
        ({"a": 1, "b": None}, {"a": "1"}),
    ],
)
def test_values_that_mean_the_same_are_equal(left: Any, right: Any) -> None:
    assert canonical(left) == canonical(right)


@pytest.mark.parametrize(
    ("left", "right"),
    [
        (True, False),
        ({"a": 1}, {"a": 2}),
        ({"a": 1}, None),
        (["a", "a"], ["a"]),
        ("", None),
        ("123456789012", "123456789013"),
        ({"Effect": "Allow"}, {"Effect": "Deny"}),
    ],
)
def test_values_that_differ_are_not_equal(left: Any, right: Any) -> None:
    assert canonical(left) != canonical(right)


def test_a_difference_says_what_is_and_what_should_be() -> None:
    found = differences(
        {"Timeout": 30, "Enabled": True, "Policy": {"a": 1}, "Same": 1},
        {"Timeout": "3", "Enabled": False, "Policy": {}, "Same": "1", "Added": "x"},
    )
    assert [str(one) for one in found] == [
        "Added is x instead of not set",
        "Enabled is false instead of true",
        "Policy differs",
        "Timeout is 3 instead of 30",
    ]


def resource(type: str, id: str = "One", **properties: Any) -> Resource:  # noqa: A002  # AWS's term
    return Resource(id, type, "physical", properties)


def test_a_function_learns_of_its_role_that_was_made_again() -> None:
    # given
    role = Resource("Role", "AWS::IAM::Role", "engine", {})
    function = resource("AWS::Lambda::Function", FunctionName="f", Role="arn:aws:iam::1:role/engine")
    other = resource("AWS::Lambda::Function", "Other", FunctionName="g", Role="arn:aws:iam::1:role/another")
    # when
    found = list(with_new_roles([Repair(role, "engine")], [role, function, other]))
    # then
    assert [(one.resource.logical_id, [each.name for each in one.differences]) for one in found] == [
        ("Role", []),
        ("One", ["Role"]),
    ]
    # and a role that only differs is the same role
    changed = Repair(role, "engine", (Difference("p", {}, None),))
    assert list(with_new_roles([changed], [role, function])) == [changed]


def test_a_template_without_a_resource_depends_on_it_no_more() -> None:
    template = {"Resources": {"A": {"Type": "T"}, "B": {"DependsOn": ["A", "C"]}, "C": {"DependsOn": "A", "Type": "T"}}}
    assert json.loads(without(template, ["A"]))["Resources"] == {"B": {"DependsOn": ["C"]}, "C": {"Type": "T"}}


def drifted(drift: Drift | Unread, **changes: Any) -> RegionFacts:
    """The facts of a Region with this drift."""
    return replace(facts(**changes), drift=drift)


RULE = Repair(resource("AWS::Events::Rule"), "ringfence-demo", (Difference("State", "ENABLED", "DISABLED"),))


def test_drift_is_a_finding_beside_the_others() -> None:
    # given
    before = [problem("events", EAST, "is disabled", EXPECTED.deploy), ok("table", EAST, "fine")]
    # when
    found = with_drift(before, drifted(Drift((RULE,))), EXPECTED)
    # then
    said = "the EventBridge rule ringfence-demo: State is DISABLED instead of ENABLED"
    assert found == [*before, problem("drift", EAST, said, "ringfence deploy us-east-1")]


def test_a_permission_that_is_missing_though_the_role_is_as_deployed_is_no_work_of_a_deployment() -> None:
    # given
    denied = problem("engine's access", EAST, "the engine may not dynamodb:Scan", EXPECTED.deploy)
    # then
    (known, _), (unknown, _) = (with_drift([denied], drifted(drift), EXPECTED) for drift in (Drift(), Drift((RULE,))))
    assert known.fix.startswith("look for a permissions boundary")
    assert unknown.fix == EXPECTED.deploy


def test_a_true_up_that_did_not_come_is_a_consequence_of_drift() -> None:
    # given
    late = problem("schedule", EAST, "the last true-up was 300 s ago", "see the log group")
    # when
    found = with_drift([late], drifted(Drift((RULE,))), EXPECTED)
    # then
    assert [(one.check, one.fix) for one in found] == [("schedule", EXPECTED.deploy), ("drift", EXPECTED.deploy)]
    assert with_drift([late], facts(), EXPECTED)[0] == late


def test_drift_that_was_not_read_is_said() -> None:
    missed = with_drift([], drifted(Drift((), {"Table": "AccessDenied"})), EXPECTED)
    nothing = with_drift([], drifted(Unread("AccessDenied")), EXPECTED)
    assert [one.message for one in missed] == ["not checked: Table: AccessDenied"]
    assert [one.message for one in nothing] == ["not checked: AccessDenied"]
    assert {one.severity for one in (*missed, *nothing)} == {Severity.WARNING}


def test_drift_of_a_stack_that_is_being_changed_is_not_judged() -> None:
    changing = drifted(Drift((RULE,)), stack=DeployedStack("UPDATE_IN_PROGRESS", {}))
    assert with_drift([], changing, EXPECTED) == []


def test_a_retry_policy_that_is_not_set_is_the_one_that_aws_answers() -> None:
    # given
    target = {"Arn": "arn:queue", "RetryPolicy": {"MaximumRetryAttempts": 0}}
    schedule = resource("AWS::Scheduler::Schedule", Name="s", ScheduleExpression="rate(1 minute)", Target=target)
    answered = {**target, "RetryPolicy": {"MaximumRetryAttempts": 0, "MaximumEventAgeInSeconds": 86400}}

    class Scheduler:
        def get_schedule(self, **_: Any) -> dict[str, Any]:
            shown = {"ScheduleExpression": "rate(1 minute)", "ScheduleExpressionTimezone": "UTC", "State": "ENABLED"}
            return {**shown, "Target": answered}

    # when
    found = Schedules().found(lambda _service: Scheduler(), schedule)
    # then
    assert found is not None
    assert differences(Schedules().wanted(schedule), found) == ()
