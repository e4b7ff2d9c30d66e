"""Auto Scaling's answers become the engine's values, through botocore's own parsing and validation."""

from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from botocore.stub import Stubber

from ringfence.aws.auto_scaling import AwsAutoScaling
from ringfence.core.errors import Permanent
from ringfence.core.model.identifiers import InstanceId, Region

HOME = Region("us-east-1")
POOL = {"WarmPoolConfiguration": {"MinSize": 0, "PoolState": "Stopped"}}


@pytest.fixture
def autoscaling() -> Iterator[tuple[Any, Stubber]]:
    client = boto3.client("autoscaling", region_name=HOME, aws_access_key_id="x", aws_secret_access_key="x")
    with Stubber(client) as stubber:
        yield client, stubber
        stubber.assert_no_pending_responses()


def instances(**states: str) -> list[dict[str, Any]]:
    return [
        {
            "InstanceId": id,
            "LifecycleState": state,
            "AvailabilityZone": "us-east-1a",
            "HealthStatus": "Healthy",
            "ProtectedFromScaleIn": False,
        }
        for id, state in states.items()
    ]


def group(name: str, listed: list[dict[str, Any]], **more: Any) -> dict[str, Any]:
    required = {"MinSize": 0, "MaxSize": 9, "DesiredCapacity": 1, "DefaultCooldown": 0, "AvailabilityZones": ["a"]}
    required |= {"HealthCheckType": "EC2", "CreatedTime": "2026-01-01"}
    return {"AutoScalingGroupName": name, "Instances": listed, **required, **more}


def test_a_group_without_a_warm_pool_costs_one_call(autoscaling: tuple[Any, Stubber]) -> None:
    client, stubber = autoscaling
    answer = {"AutoScalingGroups": [group("db", instances(i1="InService"))]}
    stubber.add_response("describe_auto_scaling_groups", answer, {"AutoScalingGroupNames": ["db"]})
    assert AwsAutoScaling(client, HOME).groups(["db"]) == {"db": {InstanceId("i1"): "InService"}}


def test_a_group_has_the_instances_of_all_pages_of_its_warm_pool(autoscaling: tuple[Any, Stubber]) -> None:
    # given
    client, stubber = autoscaling
    groups = [group("db", instances(i1="InService"), **POOL), group("web", instances(i2="InService"))]
    stubber.add_response("describe_auto_scaling_groups", {"AutoScalingGroups": groups})
    asked: dict[str, Any] = {"AutoScalingGroupName": "db", "MaxRecords": 50}
    first = {"Instances": instances(i3="Warmed:Stopped"), "NextToken": "more"}
    stubber.add_response("describe_warm_pool", first, asked)
    last = {"Instances": instances(i4="Warmed:Pending:Wait")}
    stubber.add_response("describe_warm_pool", last, {**asked, "NextToken": "more"})
    # when / then
    assert AwsAutoScaling(client, HOME).groups(["db", "web"]) == {
        "db": {
            InstanceId("i1"): "InService",
            InstanceId("i3"): "Warmed:Stopped",
            InstanceId("i4"): "Warmed:Pending:Wait",
        },
        "web": {InstanceId("i2"): "InService"},
    }


def test_an_instance_that_moves_between_the_two_calls_is_not_in_its_group(autoscaling: tuple[Any, Stubber]) -> None:
    client, stubber = autoscaling
    answer = {"AutoScalingGroups": [group("db", instances(i1="InService", i2="InService"), **POOL)]}
    stubber.add_response("describe_auto_scaling_groups", answer)
    stubber.add_response("describe_warm_pool", {"Instances": instances(i1="Warmed:Pending:Wait")})
    assert AwsAutoScaling(client, HOME).groups(["db"]) == {"db": {InstanceId("i2"): "InService"}}


def test_a_warm_pool_that_cannot_be_described_is_an_error(autoscaling: tuple[Any, Stubber]) -> None:
    client, stubber = autoscaling
    stubber.add_response("describe_auto_scaling_groups", {"AutoScalingGroups": [group("db", [], **POOL)]})
    stubber.add_client_error("describe_warm_pool", "AccessDenied")
    with pytest.raises(Permanent, match="DescribeWarmPool"):
        AwsAutoScaling(client, HOME).groups(["db"])
