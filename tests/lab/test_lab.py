"""The whole lab, with the stack in two Regions."""

import dataclasses
import json
import time

import boto3
import pytest
from botocore.exceptions import ClientError, ConnectionClosedError, ReadTimeoutError

from ringfence_lab.control.client import LabError
from ringfence_lab.control.lab import Lab
from ringfence_lab.demo.observer import Observer
from tests.labs import HOME, PEER, LabCluster, client, eventually


def true_up(cluster: LabCluster, region: str) -> dict[str, object]:
    answer = cluster.lab.client("lambda", region).invoke(
        FunctionName=cluster.regions[region].function, Payload=json.dumps({"trueup": True})
    )
    result: dict[str, object] = json.loads(answer["Payload"].read())
    return result


def test_a_deployment_returns_the_resources_that_exist(cluster: LabCluster) -> None:
    for region, deployed in cluster.regions.items():
        lab = cluster.lab
        assert all(dataclasses.asdict(deployed).values())
        assert lab.client("sqs", region).get_queue_attributes(QueueUrl=deployed.queue, AttributeNames=["All"])
        assert lab.client("sqs", region).get_queue_attributes(
            QueueUrl=deployed.dead_letter_queue, AttributeNames=["All"]
        )
        assert lab.client("dynamodb", region).describe_table(TableName=deployed.table)
        assert lab.client("ec2", region).describe_security_groups(GroupIds=[deployed.security_group])
        group = lab.client("autoscaling", region).describe_auto_scaling_groups(
            AutoScalingGroupNames=[deployed.auto_scaling_group]
        )["AutoScalingGroups"][0]
        assert group["DesiredCapacity"] == 0


def test_the_engine_runs_as_its_role_with_iam_enforced(cluster: LabCluster) -> None:
    cluster.lab.clear_calls()

    true_up(cluster, HOME)

    calls = cluster.lab.engine_calls(HOME)
    assert calls
    assert {call.caller.function for call in calls} == {f"arn:aws:lambda:{HOME}:123456789012:function:ringfence-demo"}
    assert all(":assumed-role/" in call.caller.principal for call in calls)
    assert [call for call in calls if call.status == 403] == []


def test_the_logs_have_the_retention_of_the_stack(cluster: LabCluster) -> None:
    true_up(cluster, HOME)
    logs = cluster.lab.client("logs", HOME)

    (group,) = logs.describe_log_groups(logGroupNamePrefix="/aws/lambda/ringfence-demo")["logGroups"]

    assert group["retentionInDays"] == 90
    assert logs.describe_log_streams(logGroupName=group["logGroupName"])["logStreams"]


def test_the_stacks_alarms_exist(cluster: LabCluster) -> None:
    described = cluster.lab.client("cloudwatch", HOME).describe_alarms(AlarmNamePrefix="ringfence-demo")["MetricAlarms"]

    alarms = {alarm["AlarmName"].removeprefix("ringfence-demo-"): alarm for alarm in described}
    assert alarms.keys() == {"unserved", "dead-letters", "errors", "stale-door", "unknown-owners", "quota"}
    assert alarms["errors"]["EvaluationPeriods"] == 3
    assert [metric.get("Expression") for metric in alarms["errors"]["Metrics"]] == ["FILL(errors, 1)", None]


def test_a_launch_waits_until_the_engine_continues_it(cluster: LabCluster) -> None:
    deployed = cluster.regions[HOME]
    autoscaling = cluster.lab.client("autoscaling", HOME)

    autoscaling.set_desired_capacity(AutoScalingGroupName=deployed.auto_scaling_group, DesiredCapacity=1)

    def admitted_in(region: str) -> list[str]:
        rules = cluster.lab.client("ec2", region).describe_security_group_rules(
            Filters=[{"Name": "group-id", "Values": [cluster.regions[region].security_group]}]
        )["SecurityGroupRules"]
        descriptions = [rule.get("Description", "") for rule in rules]
        return [description for description in descriptions if description.startswith(f"ringfence demo {HOME}/")]

    def states() -> list[str]:
        groups = autoscaling.describe_auto_scaling_groups(AutoScalingGroupNames=[deployed.auto_scaling_group])
        return [instance["LifecycleState"] for instance in groups["AutoScalingGroups"][0]["Instances"]]

    eventually(lambda: states() == ["InService"])
    assert admitted_in(HOME)
    eventually(lambda: admitted_in(PEER))  # a late peer does not delay the launch
    group, security_group = deployed.auto_scaling_group, deployed.security_group
    Observer(cluster.lab.endpoint_url, HOME, group, security_group, deployed.function).scale_to(0)
    eventually(lambda: states() == [])


@pytest.mark.parametrize(
    ("kind", "error"), [("reset", ConnectionClosedError), ("hang", ReadTimeoutError), ("throttle", ClientError)]
)
def test_a_fault_of_a_region_affects_every_client(cluster: LabCluster, kind: str, error: type[Exception]) -> None:
    session = client(cluster.lab, _unknown_caller(), "dynamodb", PEER, read_timeout=0.5)
    cluster.lab.fault(PEER, kind)

    try:
        with pytest.raises(error):
            session.list_tables()
    finally:
        cluster.lab.heal(PEER)

    assert session.list_tables()["TableNames"]


def test_a_fault_affects_the_engine(cluster: LabCluster) -> None:
    true_up(cluster, HOME)
    cluster.lab.fault(PEER, "hang", "dynamodb")

    started = time.monotonic()
    try:
        result = true_up(cluster, HOME)
    finally:
        cluster.lab.heal()

    assert result["peers_unreachable"] == 1
    assert time.monotonic() - started > 2
    assert true_up(cluster, HOME)["peers_unreachable"] == 0


@pytest.mark.lab
def test_a_stack_can_be_deleted_and_deployed_again() -> None:
    with Lab(regions=[HOME], cluster="again") as lab:
        first = lab.deploy(HOME)
        cloudformation = lab.client("cloudformation", HOME)
        for stack in (first.stack, "again-prerequisites"):
            cloudformation.delete_stack(StackName=stack)
            waiter = cloudformation.get_waiter("stack_delete_complete")
            waiter.wait(StackName=stack, WaiterConfig={"Delay": 0.05, "MaxAttempts": 400})

        second = lab.deploy(HOME)

        assert second.function == first.function
        assert true_up(LabCluster(lab, {HOME: second}), HOME)["problems"] == []


def test_two_labs_run_concurrently(empty_lab: Lab) -> None:
    with Lab(regions=[HOME]) as second_lab:
        second_lab.client("dynamodb", HOME)
        second_lab.fault(HOME, "hang")

        assert second_lab.port != empty_lab.port
        assert empty_lab.client("ec2", HOME).describe_vpcs()["Vpcs"]


@pytest.mark.lab
def test_a_failed_deployment_raises_with_the_reason_of_cloudformation() -> None:
    with (
        Lab(regions=[HOME], parameters={"PeerDeadline": "99"}) as lab,
        pytest.raises(LabError, match="PeerDeadline"),
    ):
        lab.deploy(HOME)


def _unknown_caller() -> boto3.Session:
    return boto3.Session("any", "body")
