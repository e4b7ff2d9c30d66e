"""Instances in a warm pool between launch and service.

Source: Amazon EC2 Auto Scaling User Guide, "Use lifecycle hooks with a warm pool in Auto Scaling group".
"""

import pytest

from tests.lab.aws.emulated import GROUP, LAUNCHING, TERMINATING, EmulatedAws, refused


@pytest.fixture
def pooled(aws: EmulatedAws) -> EmulatedAws:
    """A group with hooks and a maximum of two, with a pool of the same size; no instance is in service."""
    aws.create_group(MaxSize=2)
    aws.put_hook("admit", LAUNCHING)
    aws.put_hook("release", TERMINATING)
    aws.autoscaling.put_warm_pool(AutoScalingGroupName=GROUP, InstanceReusePolicy={"ReuseOnScaleIn": True})
    return aws


@pytest.fixture
def warm(pooled: EmulatedAws) -> EmulatedAws:
    """The same group with a filled pool."""
    pooled.complete_all("admit")
    pooled.events.clear()
    return pooled


def routes(aws: EmulatedAws) -> list[tuple[str, str, str]]:
    return [(event.type, event.detail["Origin"], event.detail["Destination"]) for event in aws.events]


def test_launches_into_the_pool_wait_for_the_launch_hook(pooled: EmulatedAws) -> None:
    assert list(pooled.pool_states().values()) == ["Warmed:Pending:Wait"] * 2
    assert pooled.states() == {}
    assert routes(pooled) == [("EC2 Instance-launch Lifecycle Action", "EC2", "WarmPool")] * 2


def test_a_warmed_instance_is_stopped_and_has_no_public_address(warm: EmulatedAws) -> None:
    instance_id, _ = warm.pool_states()

    assert list(warm.pool_states().values()) == ["Warmed:Stopped"] * 2
    assert warm.instance(instance_id)["State"]["Name"] == "stopped"
    assert "PublicIpAddress" not in warm.instance(instance_id)


def test_the_group_shows_the_size_of_its_pool_but_does_not_list_it(warm: EmulatedAws) -> None:
    """API Reference, DescribeAutoScalingGroups: DescribeWarmPool returns the instances of a warm pool."""
    described = warm.autoscaling.describe_auto_scaling_instances(InstanceIds=list(warm.pool_states()))

    assert (warm.states(), warm.group()["WarmPoolSize"]) == ({}, 2)
    assert warm.group()["WarmPoolConfiguration"]["PoolState"] == "Stopped"
    assert {instance["LifecycleState"] for instance in described["AutoScalingInstances"]} == {"Warmed:Stopped"}


def test_a_group_without_a_pool_shows_none(aws: EmulatedAws) -> None:
    aws.create_group()
    assert not aws.group().keys() & {"WarmPoolConfiguration", "WarmPoolSize"}


def test_a_pool_is_described_in_pages_of_at_most_fifty(aws: EmulatedAws) -> None:
    """API Reference, DescribeWarmPool, MaxRecords and NextToken."""
    aws.create_group(MaxSize=52)
    aws.autoscaling.put_warm_pool(AutoScalingGroupName=GROUP)

    first = aws.autoscaling.describe_warm_pool(AutoScalingGroupName=GROUP)
    second = aws.autoscaling.describe_warm_pool(AutoScalingGroupName=GROUP, NextToken=first["NextToken"])

    pages = [[instance["InstanceId"] for instance in page["Instances"]] for page in (first, second)]
    assert [len(page) for page in pages] == [50, 2]
    assert len({*pages[0], *pages[1]}) == 52
    assert "NextToken" not in second
    asked = {"AutoScalingGroupName": GROUP, "MaxRecords": 51}
    assert refused(lambda: aws.autoscaling.describe_warm_pool(**asked))[0] == "ValidationError"


def test_scale_out_uses_the_pool_through_the_launch_hook(warm: EmulatedAws) -> None:
    pool = set(warm.pool_states())

    warm.scale_to(1)
    instance_id = warm.only_instance()
    waiting = warm.states()
    warm.complete("admit", instance_id)

    assert instance_id in pool
    assert (waiting[instance_id], warm.states()[instance_id]) == ("Pending:Wait", "InService")
    assert "PublicIpAddress" in warm.instance(instance_id)
    assert routes(warm) == [
        ("EC2 Instance-launch Lifecycle Action", "WarmPool", "AutoScalingGroup"),
        ("EC2 Instance Launch Successful", "WarmPool", "AutoScalingGroup"),
    ]


def test_scale_in_returns_an_instance_to_the_pool_through_the_terminate_hook(warm: EmulatedAws) -> None:
    warm.scale_to(1)
    warm.complete_all("admit")
    instance_id = warm.only_instance()
    warm.events.clear()

    warm.scale_to(0)
    waiting = warm.pool_states()[instance_id]
    warm.complete("release", instance_id)

    assert (waiting, warm.pool_states()[instance_id]) == ("Warmed:Pending:Wait", "Warmed:Stopped")
    assert warm.instance(instance_id)["State"]["Name"] == "stopped"
    assert routes(warm) == [("EC2 Instance-terminate Lifecycle Action", "AutoScalingGroup", "WarmPool")]


def test_without_a_reuse_policy_scale_in_terminates_and_the_pool_is_filled_again(warm: EmulatedAws) -> None:
    warm.autoscaling.put_warm_pool(AutoScalingGroupName=GROUP)
    warm.scale_to(1)
    warm.complete_all("admit")
    instance_id = warm.only_instance()

    warm.scale_to(0)

    assert warm.states() == {instance_id: "Terminating:Wait"}
    assert sorted(warm.pool_states().values()) == ["Warmed:Pending:Wait", "Warmed:Stopped"]


def test_an_empty_pool_does_not_delay_launches(aws: EmulatedAws) -> None:
    aws.create_group(MaxSize=3)
    aws.autoscaling.put_warm_pool(AutoScalingGroupName=GROUP, MaxGroupPreparedCapacity=1)
    pool = set(aws.pool_states())

    aws.scale_to(3)

    assert len(pool) == 1
    assert pool < set(aws.states())
    assert list(aws.states().values()) == ["InService"] * 3
    assert aws.pool_states() == {}


def test_a_running_pool_keeps_its_instances_running(aws: EmulatedAws) -> None:
    aws.create_group(MaxSize=1)

    aws.autoscaling.put_warm_pool(AutoScalingGroupName=GROUP, PoolState="Running")

    [(instance_id, state)] = aws.pool_states().items()
    assert (state, aws.instance(instance_id)["State"]["Name"]) == ("Warmed:Running", "running")


def test_an_abandoned_launch_into_the_pool_is_terminated_and_replaced(pooled: EmulatedAws) -> None:
    abandoned, _ = pooled.pool_states()

    pooled.complete("admit", abandoned, "ABANDON")

    states = pooled.pool_states()
    assert states.pop(abandoned) == "Warmed:Terminating:Wait"
    assert list(states.values()) == ["Warmed:Pending:Wait"] * 2
    assert routes(pooled)[-2][1:] == ("WarmPool", "EC2")


def test_a_deleted_pool_disappears_with_its_last_instance(warm: EmulatedAws) -> None:
    first, second = warm.pool_states()
    warm.autoscaling.delete_warm_pool(AutoScalingGroupName=GROUP)

    waiting = warm.autoscaling.describe_warm_pool(AutoScalingGroupName=GROUP)
    warm.complete("release", first)
    between = warm.autoscaling.describe_warm_pool(AutoScalingGroupName=GROUP)
    warm.complete("release", second)

    assert {instance["LifecycleState"] for instance in waiting["Instances"]} == {"Warmed:Terminating:Wait"}
    assert between["WarmPoolConfiguration"]["Status"] == "PendingDelete"
    assert "WarmPoolConfiguration" not in warm.autoscaling.describe_warm_pool(AutoScalingGroupName=GROUP)


def test_a_pool_deleted_by_force_runs_no_hooks(warm: EmulatedAws) -> None:
    instance_ids = list(warm.pool_states())

    warm.autoscaling.delete_warm_pool(AutoScalingGroupName=GROUP, ForceDelete=True)

    assert {warm.instance(id)["State"]["Name"] for id in instance_ids} == {"terminated"}
    assert {event.type for event in warm.events} == {"EC2 Instance Terminate Successful"}
    assert "WarmPoolConfiguration" not in warm.autoscaling.describe_warm_pool(AutoScalingGroupName=GROUP)
