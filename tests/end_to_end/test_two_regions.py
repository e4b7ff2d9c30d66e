"""Two Regions through CloudFormation, EventBridge, SQS and Lambda, with IAM enforced."""

import json
import threading
import time
from typing import Any

import pytest

from ringfence_lab.demo.departure import DepartureWatch
from tests.end_to_end.clusters import EAST, RELEASE_DEADLINE, UNFENCED, WEST, Cluster
from tests.labs import eventually


def self_reference(cluster: Cluster, region: str) -> dict[str, Any]:
    """The permission by which the Region's group admits itself."""
    group = cluster.regions[region].security_group
    return {"IpProtocol": "tcp", "FromPort": 443, "ToPort": 443, "UserIdGroupPairs": [{"GroupId": group}]}


def by_hand(cidr: str) -> dict[str, Any]:
    return {
        "IpProtocol": "tcp",
        "FromPort": 443,
        "ToPort": 443,
        "IpRanges": [{"CidrIp": cidr, "Description": "by hand"}],
    }


def test_no_launch_is_in_service_before_every_region_admits_it(two_regions: Cluster) -> None:
    # given
    east = two_regions.regions[EAST]
    early: set[str] = set()

    def three_in_service() -> bool:
        serving = [instance for instance in east.instances().values() if instance.lifecycle_state == "InService"]
        admitted = [region.admitted() for region in two_regions.regions.values()]
        early.update(
            instance.id for instance in serving if any(instance.address not in addresses for addresses in admitted)
        )
        return len(serving) == 3

    # when
    east.scale_to(3)
    eventually(three_in_service)
    # then
    assert not early
    assert two_regions.agrees()


@pytest.mark.parametrize("region", [EAST, WEST])
def test_an_address_is_removed_from_every_group_before_its_instance_is_gone(two_regions: Cluster, region: str) -> None:
    # given
    home = two_regions.regions[region]
    ((id, instance),) = home.instances().items()
    assert instance.address is not None
    # when
    home.scale_to(0)
    with DepartureWatch(two_regions.regions.values(), home, id, instance.address) as watch:
        pass
    # then
    assert watch.departure.closed_first


def test_fifty_concurrent_launches_in_two_regions_admit_every_instance(two_regions: Cluster) -> None:
    # given
    for region in two_regions.regions.values():
        region.client("autoscaling").update_auto_scaling_group(
            AutoScalingGroupName=region.auto_scaling_group, MaxSize=30
        )
    # when
    for region in two_regions.regions.values():
        region.scale_to(26)
    eventually(lambda: all(two_regions.is_settled(region, 26) for region in two_regions.regions), 60)
    # then
    assert len(two_regions.members()) == 52
    assert two_regions.agrees()
    # when all but one terminate again
    for region in two_regions.regions.values():
        region.scale_to(1)
    eventually(lambda: all(two_regions.is_settled(region, 1) for region in two_regions.regions), 60)
    # then
    assert two_regions.agrees()


def test_true_ups_by_hand_may_overlap_with_events(two_regions: Cluster) -> None:
    # given two operators who invoke true-ups all the time
    stop = threading.Event()

    def invoke_repeatedly(region: str) -> None:
        observer = two_regions.regions[region]
        while not stop.is_set():
            observer.client("lambda").invoke(FunctionName=observer.function, Payload=json.dumps({"trueup": True}))

    operators = [threading.Thread(target=invoke_repeatedly, args=[region]) for region in (EAST, WEST)]
    for operator in operators:
        operator.start()
    # when
    try:
        for size in (4, 2, 5, 1):
            two_regions.scale(EAST, size)
            assert two_regions.members() <= two_regions.regions[WEST].admitted()
    finally:
        stop.set()
        for operator in operators:
            operator.join()
    # then
    eventually(two_regions.agrees)


@pytest.mark.parametrize("fault", ["hang", "reset", "throttle"])
def test_a_failing_peer_does_not_delay_the_home_region(two_regions: Cluster, fault: str) -> None:
    # given
    east = two_regions.regions[EAST]
    two_regions.lab.fault(WEST, fault)
    # when
    started = time.monotonic()
    two_regions.scale(EAST, 2)
    # then
    assert time.monotonic() - started < 10
    assert {instance.address for instance in east.instances().values()} <= east.admitted()
    # when
    two_regions.lab.heal(WEST)
    east.true_up()
    # then
    eventually(two_regions.agrees)


def test_a_termination_waits_for_a_hanging_peer_only_until_the_deadline(two_regions: Cluster) -> None:
    # given
    east = two_regions.regions[EAST]
    ((id, instance),) = east.instances().items()
    two_regions.lab.fault(WEST, "hang")
    # when
    east.scale_to(0)
    # then
    eventually(lambda: instance.address not in east.admitted())
    assert east.instances()[id].lifecycle_state == "Terminating:Wait"
    # when
    time.sleep(RELEASE_DEADLINE)
    result = east.true_up()
    # then
    assert not east.instances()
    assert result["stale_doors"] >= 0
    # when
    two_regions.lab.heal(WEST)
    east.true_up()
    # then
    assert instance.address not in two_regions.regions[WEST].admitted()


def test_with_the_home_table_down_a_launch_is_admitted_at_home_and_the_redelivery_completes_it(
    two_regions: Cluster,
) -> None:
    # given
    two_regions.lab.fault(EAST, "throttle", "dynamodb")
    # when
    two_regions.scale(EAST, 2)
    # then
    assert two_regions.regions[WEST].admitted() < two_regions.regions[EAST].admitted()
    # when
    two_regions.lab.heal(EAST)
    # then the queue delivers the event again
    eventually(two_regions.agrees, 60)


def test_foreign_rules_stay_and_a_deleted_owned_rule_is_restored(two_regions: Cluster) -> None:
    # given
    east = two_regions.regions[EAST]
    east.client("ec2").authorize_security_group_ingress(
        GroupId=east.security_group, IpPermissions=[by_hand("203.0.113.0/24")]
    )
    owned = next(rule for rule in east.rules() if rule["CidrIpv4"] != "203.0.113.0/24")
    east.client("ec2").revoke_security_group_ingress(
        GroupId=east.security_group, SecurityGroupRuleIds=[owned["SecurityGroupRuleId"]]
    )
    # when
    result = east.true_up()
    # then
    assert result["added"] == 1
    assert {"203.0.113.0", *two_regions.members()} == east.admitted()
    # finally
    east.client("ec2").revoke_security_group_ingress(
        GroupId=east.security_group, IpPermissions=[by_hand("203.0.113.0/24")]
    )


def test_a_true_up_finds_instances_attached_and_detached_by_hand(two_regions: Cluster) -> None:
    # given
    east = two_regions.regions[EAST]
    scaling, ec2 = east.client("autoscaling"), east.client("ec2")
    (group,) = scaling.describe_auto_scaling_groups(AutoScalingGroupNames=[east.auto_scaling_group])[
        "AutoScalingGroups"
    ]
    template = {key: group["LaunchTemplate"][key] for key in ("LaunchTemplateId", "Version")}
    subnet = group["VPCZoneIdentifier"].split(",")[0]
    launched = ec2.run_instances(MinCount=1, MaxCount=1, LaunchTemplate=template, SubnetId=subnet)["Instances"][0]
    # when
    scaling.attach_instances(InstanceIds=[launched["InstanceId"]], AutoScalingGroupName=east.auto_scaling_group)
    eventually(lambda: two_regions.is_settled(EAST, 2))
    east.true_up()
    # then
    assert len(two_regions.members()) == 3
    assert two_regions.agrees()
    # when
    scaling.detach_instances(
        InstanceIds=[launched["InstanceId"]],
        AutoScalingGroupName=east.auto_scaling_group,
        ShouldDecrementDesiredCapacity=True,
    )
    eventually(lambda: two_regions.is_settled(EAST, 1))
    east.true_up()
    # then
    assert two_regions.agrees()
    ec2.terminate_instances(InstanceIds=[launched["InstanceId"]])


def test_an_instance_stays_admitted_while_its_root_volume_is_replaced(two_regions: Cluster) -> None:
    # given
    east = two_regions.regions[EAST]
    scaling, ec2, group = east.client("autoscaling"), east.client("ec2"), east.auto_scaling_group
    ((id, instance),) = east.instances().items()
    (described,) = scaling.describe_auto_scaling_groups(AutoScalingGroupNames=[group])["AutoScalingGroups"]
    template = {"LaunchTemplateId": described["LaunchTemplate"]["LaunchTemplateId"], "Version": "1"}
    image = ec2.describe_instances(InstanceIds=[id])["Reservations"][0]["Instances"][0]["ImageId"]
    overrides = [{"InstanceType": "t4g.nano", "ImageId": image}]
    policy = {"LaunchTemplate": {"LaunchTemplateSpecification": template, "Overrides": overrides}}
    scaling.update_auto_scaling_group(AutoScalingGroupName=group, MixedInstancesPolicy=policy)
    lacking: list[str] = []

    def is_over() -> bool:
        lacking.extend(
            name for name, region in two_regions.regions.items() if instance.address not in region.admitted()
        )
        answer = scaling.describe_instance_refreshes(AutoScalingGroupName=group)
        return bool(answer["InstanceRefreshes"][0]["Status"] == "Successful")

    # when
    scaling.start_instance_refresh(
        AutoScalingGroupName=group,
        Strategy="ReplaceRootVolume",
        DesiredConfiguration={"MixedInstancesPolicy": policy},
    )
    eventually(is_over)
    # then
    assert east.instances()[id].lifecycle_state == "InService"
    assert not lacking
    assert two_regions.agrees()


def test_instances_of_a_warm_pool_are_members_only_outside_of_it(two_regions: Cluster) -> None:
    # given
    east = two_regions.regions[EAST]
    scaling = east.client("autoscaling")

    def pooled() -> list[str]:
        answer = scaling.describe_warm_pool(AutoScalingGroupName=east.auto_scaling_group)
        return [instance["LifecycleState"] for instance in answer["Instances"]]

    # when
    scaling.put_warm_pool(AutoScalingGroupName=east.auto_scaling_group, MinSize=1, MaxGroupPreparedCapacity=2)
    eventually(lambda: pooled() == ["Warmed:Stopped"])
    # then
    assert two_regions.agrees()
    # when
    east.scale_to(2)
    eventually(lambda: len(two_regions.members()) == 3)
    # then
    assert two_regions.agrees()
    # finally
    scaling.delete_warm_pool(AutoScalingGroupName=east.auto_scaling_group, ForceDelete=True)
    eventually(lambda: not pooled())


def test_a_bad_configuration_sends_the_event_to_the_dead_letter_queue_with_its_reason(two_regions: Cluster) -> None:
    # given a group that no longer admits itself
    east = two_regions.regions[EAST]
    ec2, sqs = east.client("ec2"), east.client("sqs")
    ec2.revoke_security_group_ingress(GroupId=east.security_group, IpPermissions=[self_reference(two_regions, EAST)])
    dead_letters = sqs.get_queue_url(QueueName="ringfence-demo-dead.fifo")["QueueUrl"]
    # when
    try:
        east.scale_to(2)
        message = eventually(
            lambda: sqs.receive_message(QueueUrl=dead_letters, MessageAttributeNames=["All"]).get("Messages")
        )[0]
    finally:
        ec2.authorize_security_group_ingress(
            GroupId=east.security_group, IpPermissions=[self_reference(two_regions, EAST)]
        )
    # then
    assert json.loads(message["Body"])["detail-type"] == "EC2 Instance-launch Lifecycle Action"
    assert "does not admit itself on any port" in message["MessageAttributes"]["reason"]["StringValue"]
    # when it is fixed, a true-up answers the hook
    sqs.delete_message(QueueUrl=dead_letters, ReceiptHandle=message["ReceiptHandle"])
    east.true_up()
    eventually(lambda: two_regions.is_settled(EAST, 2))


def test_a_launch_without_room_at_home_is_abandoned(two_regions: Cluster) -> None:
    # given a group with as many rules as the quota allows
    east = two_regions.regions[EAST]
    ec2 = east.client("ec2")
    room = 60 - 1 - len(east.rules())
    fillers = [by_hand(f"198.51.100.{number}/32") for number in range(room)]
    ec2.authorize_security_group_ingress(GroupId=east.security_group, IpPermissions=fillers)
    before = set(east.instances())
    # when
    east.scale_to(2)
    # then
    try:
        eventually(lambda: any("it could not join" in line.get("why", "") for line in two_regions.log(EAST)))
        serving = {id for id, instance in east.instances().items() if instance.lifecycle_state == "InService"}
        assert serving == before
    finally:
        ec2.revoke_security_group_ingress(GroupId=east.security_group, IpPermissions=fillers)
    eventually(lambda: two_regions.is_settled(EAST, 2), UNFENCED)


def test_without_the_clusters_tag_no_other_region_can_change_a_group(two_regions: Cluster) -> None:
    # given
    west = two_regions.regions[WEST]
    tag = {"Key": "ringfence-cluster", "Value": "demo"}
    west.client("ec2").delete_tags(Resources=[west.security_group], Tags=[tag])
    # when
    try:
        two_regions.scale(EAST, 2)
    finally:
        west.client("ec2").create_tags(Resources=[west.security_group], Tags=[tag])
    # then the launch continued, and the log says why the peer lacks it
    errors = [line.get("error", "") for line in two_regions.log(EAST)]
    assert any("UnauthorizedOperation" in error and "AuthorizeSecurityGroupIngress" in error for error in errors)
    assert two_regions.members() - west.admitted()
    # when
    west.true_up()
    # then
    assert two_regions.agrees()
