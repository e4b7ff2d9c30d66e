"""Instance refreshes that replace root volumes.

Source: Amazon EC2 Auto Scaling User Guide, "Replace root volumes during instance refresh" and "Instance refresh replace
root volume lifecycle events".
"""

from typing import Any

import pytest

from tests.lab.aws.emulated import GROUP, LAUNCHING, TERMINATING, EmulatedAws, refused

OVERRIDES = [{"InstanceType": "t4g.nano", "ImageId": "ami-12345678"}]


def mixed(aws: EmulatedAws, version: str = "1", overrides: list[dict[str, str]] | None = None) -> dict[str, Any]:
    (template,) = aws.ec2.describe_launch_templates()["LaunchTemplates"]
    specification = {"LaunchTemplateId": template["LaunchTemplateId"], "Version": version}
    return {"LaunchTemplate": {"LaunchTemplateSpecification": specification, "Overrides": overrides or OVERRIDES}}


def start(aws: EmulatedAws, strategy: str = "ReplaceRootVolume", **policy: Any) -> str:
    answer = aws.autoscaling.start_instance_refresh(
        AutoScalingGroupName=GROUP,
        Strategy=strategy,
        DesiredConfiguration={"MixedInstancesPolicy": mixed(aws, **policy)},
    )
    id: str = answer["InstanceRefreshId"]
    return id


def status(aws: EmulatedAws, refresh: str) -> str:
    (described,) = aws.autoscaling.describe_instance_refreshes(
        AutoScalingGroupName=GROUP, InstanceRefreshIds=[refresh]
    )["InstanceRefreshes"]
    found: str = described["Status"]
    return found


@pytest.fixture
def serving(aws: EmulatedAws) -> EmulatedAws:
    """A group with a mixed instances policy and both hooks, and two instances in service."""
    aws.create_group()
    aws.autoscaling.update_auto_scaling_group(AutoScalingGroupName=GROUP, MixedInstancesPolicy=mixed(aws))
    aws.put_hook("admit", LAUNCHING)
    aws.put_hook("release", TERMINATING)
    aws.scale_to(2)
    aws.complete_all("admit")
    aws.events.clear()
    return aws


def test_each_instance_waits_for_both_hooks_in_turn_and_keeps_its_address(serving: EmulatedAws) -> None:
    first, second = serving.states()
    before = [serving.instance(id)["PublicIpAddress"] for id in (first, second)]

    refresh = start(serving)
    for id, other in ((first, second), (second, first)):
        assert serving.states() == {id: "ReplacingRootVolume:Wait", other: "InService"}
        serving.complete("release", id)
        assert serving.states() == {id: "Pending:Wait", other: "InService"}
        assert status(serving, refresh) == "InProgress"
        serving.complete("admit", id)

    assert serving.states() == {first: "InService", second: "InService"}
    assert [serving.instance(id)["PublicIpAddress"] for id in (first, second)] == before
    assert status(serving, refresh) == "Successful"


def test_both_events_name_the_action_and_the_group_as_origin_and_destination(serving: EmulatedAws) -> None:
    first, _ = serving.states()
    start(serving)
    serving.complete("release", first)

    begins, ends = serving.events
    assert [event.type for event in (begins, ends)] == [
        "EC2 Instance-terminate Lifecycle Action",
        "EC2 Instance-launch Lifecycle Action",
    ]
    for event in (begins, ends):
        detail = event.detail
        assert [detail[name] for name in ("Origin", "Destination")] == ["AutoScalingGroup", "AutoScalingGroup"]
        assert (detail["Action"], detail["EC2InstanceId"]) == ("ReplaceRootVolume", first)
    assert begins.detail["LifecycleActionToken"] != ends.detail["LifecycleActionToken"]


def test_an_abandoned_replacement_ends_the_instance_and_the_refresh_goes_on(serving: EmulatedAws) -> None:
    first, second = serving.states()
    start(serving)

    serving.complete("release", first, "ABANDON")

    assert serving.states()[first] == "Terminating:Wait"
    serving.complete("release", first)
    assert serving.states()[second] == "ReplacingRootVolume:Wait"


def test_what_aws_does_not_start_is_refused(serving: EmulatedAws) -> None:
    refusals = [
        lambda: start(serving, version="$Latest"),
        lambda: start(serving, overrides=[{"InstanceType": "t4g.nano"}]),
        lambda: serving.autoscaling.start_instance_refresh(AutoScalingGroupName=GROUP, Strategy="ReplaceRootVolume"),
        lambda: start(serving, strategy="Rolling"),
    ]
    assert [refused(attempt)[0] for attempt in refusals] == ["ValidationError"] * len(refusals)
    start(serving)
    assert refused(lambda: start(serving))[0] == "ValidationError"
    assert refused(lambda: serving.autoscaling.put_warm_pool(AutoScalingGroupName=GROUP))[0] == "ValidationError"


def test_a_group_with_a_warm_pool_is_refused(serving: EmulatedAws) -> None:
    serving.autoscaling.put_warm_pool(AutoScalingGroupName=GROUP, MaxGroupPreparedCapacity=2)
    assert refused(lambda: start(serving))[0] == "ValidationError"
