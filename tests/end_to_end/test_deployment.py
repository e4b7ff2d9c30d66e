"""A deployment through CloudFormation: it announces itself before its hooks exist, and fails if it cannot work."""

import json
import time
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any
from uuid import uuid4

import pytest

from ringfence_lab.control.client import LabError
from ringfence_lab.control.deploy import LabDeployment
from ringfence_lab.control.lab import Lab
from ringfence_ops.cloudformation.artefact import artefact
from tests.end_to_end.clusters import EAST, WEST
from tests.labs import eventually


@pytest.fixture(scope="module")
def account() -> Iterator[Lab]:
    """An empty account."""
    with Lab(regions=[EAST, WEST]) as lab:
        yield lab


@pytest.fixture
def deployment(account: Lab) -> LabDeployment:
    """A new cluster in both Regions."""
    cluster = f"c{uuid4().hex[:8]}"
    parameters = {"TerminateHeartbeat": "120", "ReleaseDeadline": "20", "PeerDeadline": "5"}
    return LabDeployment(cluster, account.regions, artefact(), account.client, parameters)


def instances(account: Lab, region: str, group: str) -> Mapping[str, str]:
    described = account.client("autoscaling", region).describe_auto_scaling_groups(AutoScalingGroupNames=[group])
    return {item["InstanceId"]: item["LifecycleState"] for item in described["AutoScalingGroups"][0]["Instances"]}


def scale(account: Lab, region: str, group: str, desired: int) -> None:
    account.client("autoscaling", region).set_desired_capacity(AutoScalingGroupName=group, DesiredCapacity=desired)


def admitted(account: Lab, region: str, security_group: str) -> set[str]:
    described = account.client("ec2", region).describe_security_group_rules(
        Filters=[{"Name": "group-id", "Values": [security_group]}]
    )
    return {rule["CidrIpv4"] for rule in described["SecurityGroupRules"] if "CidrIpv4" in rule and not rule["IsEgress"]}


def address(account: Lab, region: str, instance: str) -> str:
    described = account.client("ec2", region).describe_instances(InstanceIds=[instance])
    return f"{described['Reservations'][0]['Instances'][0]['PublicIpAddress']}/32"


def events(account: Lab, region: str, stack: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = account.client("cloudformation", region).describe_stack_events(StackName=stack)[
        "StackEvents"
    ]
    return found


def test_the_first_launch_after_a_deployment_is_in_service_only_when_every_region_admits_it(
    account: Lab, deployment: LabDeployment
) -> None:
    # given the first Region is deployed while the second has no table
    east = deployment.deploy(EAST)
    west = deployment.deploy(WEST)
    # when a launch is the first thing that happens
    scale(account, EAST, east.auto_scaling_group, 1)
    # then
    early = set[str]()

    def in_service() -> bool:
        states = instances(account, EAST, east.auto_scaling_group)
        serving = {address(account, EAST, id) for id, state in states.items() if state == "InService"}
        early.update(serving - admitted(account, WEST, west.security_group))
        return bool(serving)

    eventually(in_service, 30)
    assert not early
    # and the Region announced itself before its hooks existed
    at = {event["LogicalResourceId"]: event for event in reversed(events(account, WEST, west.stack))}
    assert at["Announcement"]["ResourceStatus"] == "CREATE_COMPLETE"
    order = [event["LogicalResourceId"] for event in reversed(events(account, WEST, west.stack))]
    assert max(place for place, id in enumerate(order) if id == "Announcement") < min(
        place for place, id in enumerate(order) if id.startswith("LaunchHookOf")
    )


@pytest.mark.parametrize("fault", ["a group that does not exist", "another tag", "no tag"])
def test_a_configuration_that_cannot_work_fails_the_deployment_with_its_reason(
    account: Lab, deployment: LabDeployment, fault: str
) -> None:
    # given
    ec2 = account.client("ec2", EAST)
    prerequisites = deployment.deploy_prerequisites(EAST)
    security_group, parameters = prerequisites["SecurityGroup"], {}
    match fault:
        case "another tag":
            ec2.create_tags(Resources=[security_group], Tags=[{"Key": "ringfence-cluster", "Value": "other"}])
            reason = "has the value other in the tag ringfence-cluster"
        case "no tag":
            ec2.delete_tags(Resources=[security_group], Tags=[{"Key": "ringfence-cluster"}])
            reason = "has no tag ringfence-cluster"
        case _:
            parameters = {"SecurityGroups": "sg-0123456789abcdef0"}
            reason = "sg-0123456789abcdef0 does not exist in us-east-1"
    # when / then
    with pytest.raises(LabError, match=reason):
        replace(deployment, parameters={**deployment.parameters, **parameters}).deploy_stack(EAST, prerequisites)
    stack = account.client("cloudformation", EAST).describe_stacks(StackName=f"ringfence-{deployment.cluster}")
    eventually(lambda: stack["Stacks"][0]["StackStatus"] in ("ROLLBACK_IN_PROGRESS", "ROLLBACK_COMPLETE"))
    hooks = account.client("autoscaling", EAST).describe_lifecycle_hooks(
        AutoScalingGroupName=prerequisites["AutoScalingGroup"]
    )
    assert hooks["LifecycleHooks"] == []


def test_an_update_to_what_cannot_work_is_rolled_back(account: Lab, deployment: LabDeployment) -> None:
    # given
    east, cloudformation = deployment.deploy(EAST), account.client("cloudformation", EAST)
    kept = [{"ParameterKey": name, "UsePreviousValue": True} for name in ("ClusterName", "Regions", "SecurityGroups")]
    wrong = {"ParameterKey": "AutoScalingGroups", "ParameterValue": f"{east.auto_scaling_group},typo"}
    # when
    cloudformation.update_stack(
        StackName=east.stack,
        UsePreviousTemplate=True,
        Parameters=[*kept, wrong],
        Capabilities=["CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"],
    )

    def status() -> str:
        return str(cloudformation.describe_stacks(StackName=east.stack)["Stacks"][0]["StackStatus"])

    # then
    eventually(lambda: status() == "UPDATE_ROLLBACK_COMPLETE", 60, status)
    reasons = [event.get("ResourceStatusReason", "") for event in events(account, EAST, east.stack)]
    assert any("the Auto Scaling group typo does not exist in us-east-1" in reason for reason in reasons)


def test_a_forged_request_makes_the_function_make_no_call(account: Lab, deployment: LabDeployment) -> None:
    # given
    east = deployment.deploy(EAST)
    forged = {
        "RequestType": "Delete",
        "RequestId": "1",
        "ResponseURL": "http://169.254.169.254/latest/meta-data",
        "StackId": "arn:aws:cloudformation:us-east-1:123456789012:stack/x/1",
        "LogicalResourceId": "Announcement",
    }
    # when
    invoked = account.client("lambda", EAST).invoke(FunctionName=east.function, Payload=json.dumps(forged))
    # then
    assert invoked["FunctionError"]
    assert "own bucket of us-east-1 only" in json.load(invoked["Payload"])["errorMessage"]


def test_a_launch_that_a_new_stack_is_denied_is_served_by_a_later_true_up(
    account: Lab, deployment: LabDeployment
) -> None:
    # given a policy that is not there yet
    east = deployment.deploy(EAST)
    lambda_, sqs = account.client("lambda", EAST), account.client("sqs", EAST)
    account.fault(EAST, "deny", "dynamodb")
    # when
    scale(account, EAST, east.auto_scaling_group, 1)
    eventually(lambda: _is_empty(sqs, east.queue) and instances(account, EAST, east.auto_scaling_group), 30)
    time.sleep(2)
    # then
    assert list(instances(account, EAST, east.auto_scaling_group).values()) == ["Pending:Wait"]
    assert _is_empty(sqs, east.dead_letter_queue)
    # when
    account.heal()
    lambda_.invoke(FunctionName=east.function, Payload=b'{"trueup": true}')
    # then
    eventually(lambda: list(instances(account, EAST, east.auto_scaling_group).values()) == ["InService"], 30)
    assert _is_empty(sqs, east.dead_letter_queue)


def _is_empty(sqs: Any, queue: str) -> bool:
    names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
    found = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=names)["Attributes"]
    return all(found[name] == "0" for name in names)
