"""IAM's policy simulator answers for a role, for each resource, with the given context.

Source: IAM API Reference, SimulatePrincipalPolicy.
"""

from typing import Any
from uuid import uuid4

import pytest

from ringfence_lab.control.lab import Lab
from tests.lab.roles import allow
from tests.labs import HOME, PEER, session_of_role

ACTION = "ec2:AuthorizeSecurityGroupIngress"
GROUPS = [f"arn:aws:ec2:{HOME}:123456789012:security-group/{id}" for id in ("sg-1", "sg-2")]


def simulated(
    lab: Lab, statements: list[dict[str, Any]], resources: list[str], **context: str
) -> dict[tuple[str, str], str]:
    """The decisions for a role with the statements, for each action and resource."""
    name = f"role-{uuid4().hex}"
    session_of_role(lab, name, list(statements))
    answer = lab.client("iam", HOME).simulate_principal_policy(
        PolicySourceArn=f"arn:aws:iam::123456789012:role/{name}",
        ActionNames=[ACTION, "ec2:RevokeSecurityGroupIngress"],
        ResourceArns=resources,
        ContextEntries=[
            {"ContextKeyName": key, "ContextKeyValues": [value], "ContextKeyType": "string"}
            for key, value in context.items()
        ],
    )
    results = answer["EvaluationResults"]
    return {(result["EvalActionName"], result["EvalResourceName"]): result["EvalDecision"] for result in results}


def test_each_action_is_answered_for_each_resource(empty_lab: Lab) -> None:
    answered = simulated(empty_lab, [allow(ACTION, GROUPS[0])], GROUPS)
    assert len(answered) == 4
    assert [key for key, decision in answered.items() if decision == "allowed"] == [(ACTION, GROUPS[0])]
    assert set(answered.values()) == {"allowed", "implicitDeny"}


@pytest.mark.parametrize(("region", "decision"), [(HOME, "allowed"), (PEER, "implicitDeny")])
def test_a_condition_is_evaluated_with_the_context(empty_lab: Lab, region: str, decision: str) -> None:
    tagged = {"StringEquals": {"aws:ResourceTag/ringfence-cluster": "demo", "aws:RequestedRegion": HOME}}
    context = {"aws:ResourceTag/ringfence-cluster": "demo", "aws:RequestedRegion": region}
    answered = simulated(empty_lab, [allow(ACTION, "*", tagged)], GROUPS, **context)
    assert answered[ACTION, GROUPS[1]] == decision


def test_an_explicit_denial_is_reported_as_such(empty_lab: Lab) -> None:
    denial = allow(ACTION, "*") | {"Effect": "Deny"}
    assert simulated(empty_lab, [denial], GROUPS)[ACTION, GROUPS[0]] == "explicitDeny"
