"""The limits of AWS that `deploy` checks: what is measured is what the template makes."""

import json
from typing import Any

import pytest

from ringfence.core.model.identifiers import Region
from ringfence_ops.cloudformation.limits import ENVIRONMENT, EVENT_PATTERN, Subject, exceeded
from tests.stack.rendered import ACCOUNT, REGION, parameters, rendered


def subject(**given: str) -> Subject:
    values = parameters(REGION, "db,web", "sg-0123456789abcdef0")
    return Subject("demo", "aws", Region(REGION), ACCOUNT, values | given)


def groups(count: int, length: int = 20) -> str:
    return ",".join(f"{number:0{length}}" for number in range(count))


def resource(kind: str) -> dict[str, Any]:
    (found,) = [each for each in rendered(groups="db,web").values() if each["Type"] == kind]
    properties: dict[str, Any] = found["Properties"]
    return properties


def test_the_event_pattern_that_is_measured_is_the_templates() -> None:
    pattern = resource("AWS::Events::Rule")["EventPattern"]
    assert pattern["detail"] == {"AutoScalingGroupName": {"Ref": "AutoScalingGroups"}}
    pattern["detail"] = {"AutoScalingGroupName": ["db", "web"]}
    assert json.loads(subject().event_pattern) == pattern


def test_the_environment_that_is_measured_has_the_variables_of_the_templates_function() -> None:
    variables = resource("AWS::Serverless::Function")["Environment"]["Variables"]
    assert subject().environment.keys() == variables.keys()


def test_a_small_cluster_is_within_the_limits() -> None:
    assert list(exceeded(subject())) == []


def test_an_event_pattern_that_is_too_long_is_named_with_its_numbers() -> None:
    names = groups(100)
    (said,) = exceeded(subject(AutoScalingGroups=names))
    length = len(subject(AutoScalingGroups=names).event_pattern)
    assert f"{REGION}: the event pattern has {length:,} of 2,048 characters" in said
    assert f"auto_scaling_groups takes {len(names):,} (100 entries)" in said
    assert list(exceeded(subject(AutoScalingGroups=names), 4096)) == []


@pytest.mark.parametrize("excess", [0, 1])
def test_an_event_pattern_may_have_as_many_characters_as_the_quota_says(excess: int) -> None:
    room = EVENT_PATTERN - len(subject(AutoScalingGroups="").event_pattern)
    found = list(exceeded(subject(AutoScalingGroups="g" * (room + excess))))
    assert len(found) == excess


@pytest.mark.parametrize("excess", [0, 1])
def test_an_environment_may_have_4_kb_and_its_longest_list_is_named(excess: int) -> None:
    room = ENVIRONMENT - len(json.dumps(subject(StaticMembers="").environment, separators=(",", ":")))
    members = ",".join(["192.0.2.1/32"] * 400)[: room + excess]
    found = list(exceeded(subject(StaticMembers=members)))
    assert len(found) == excess
    if found:
        assert f"the function's environment has {ENVIRONMENT + 1:,} of 4,096 bytes" in found[0]
        assert f"static_members takes {len(members):,}" in found[0]
