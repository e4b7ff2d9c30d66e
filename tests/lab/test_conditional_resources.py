"""A change set names what a condition adds or removes. Source: CloudFormation User Guide, "Conditions"."""

import json
from typing import Any
from uuid import uuid4

from ringfence_lab.control.lab import Lab
from tests.labs import HOME

TEMPLATE = {
    "Parameters": {"Wanted": {"Type": "String", "Default": "no"}},
    "Conditions": {"IsWanted": {"Fn::Equals": [{"Ref": "Wanted"}, "yes"]}},
    "Resources": {
        "Always": {"Type": "AWS::SQS::Queue", "Properties": {}},
        "Sometimes": {"Type": "AWS::SQS::Queue", "Condition": "IsWanted", "Properties": {}},
    },
}


def changes(lab: Lab, stack: str, kind: str, wanted: str) -> list[tuple[str, str]]:
    """Makes a change set with the parameter, executes it if it has changes, and returns these."""
    client: Any = lab.client("cloudformation", HOME)
    parameters = [{"ParameterKey": "Wanted", "ParameterValue": wanted}]
    made = client.create_change_set(
        StackName=stack,
        ChangeSetName=f"set-{uuid4().hex}",
        ChangeSetType=kind,
        TemplateBody=json.dumps(TEMPLATE),
        Parameters=parameters,
    )
    described = client.describe_change_set(ChangeSetName=made["Id"])
    changed = [each["ResourceChange"] for each in described["Changes"]]
    found = [(each["Action"], each["LogicalResourceId"]) for each in changed]
    if found:
        client.execute_change_set(ChangeSetName=made["Id"])
        client.get_waiter(f"stack_{kind.lower()}_complete").wait(StackName=stack, WaiterConfig={"Delay": 0.1})
    return found


def test_a_resource_comes_and_goes_with_its_condition(empty_lab: Lab) -> None:
    stack = f"conditions-{uuid4().hex[:8]}"
    assert changes(empty_lab, stack, "CREATE", "no") == [("Add", "Always")]
    assert changes(empty_lab, stack, "UPDATE", "yes") == [("Add", "Sometimes")]
    assert changes(empty_lab, stack, "UPDATE", "yes") == []
    assert changes(empty_lab, stack, "UPDATE", "no") == [("Remove", "Sometimes")]
