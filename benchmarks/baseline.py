"""The baseline of the measurements: the original sample, rewritten from its description.

One function for two Regions: it builds its clients for every event, describes the instances one by one, writes both
tables, and updates both security groups, all in sequence: seven clients, and n + 9 calls for a group of n. It ignores
errors of the peer. Source: the AWS Compute Blog's post of 2017 on security groups across Regions,
and its repository at awslabs. It must not know how it is measured.
"""

from collections.abc import Iterable, Mapping
from contextlib import suppress
from typing import Any

import boto3
from botocore.exceptions import BotoCoreError

from benchmarks.aws import GROUP, PORT, SECURITY_GROUP

TABLE = "original"


def handle(event: Mapping[str, Any], home: str, peer: str) -> None:
    """Handles one lifecycle event."""
    detail = event["detail"]
    addresses = _addresses(home)
    home_table, peer_table = _client("dynamodb", home), _client("dynamodb", peer)
    for table in (home_table, peer_table):
        with suppress(BotoCoreError):
            table.put_item(
                TableName=TABLE, Item={"region": {"S": home}, "asg": {"S": GROUP}, "ips": {"SS": sorted(addresses)}}
            )
    wanted = addresses | _recorded(home_table, peer)
    for region in (home, peer):
        with suppress(BotoCoreError):
            _correct(_client("ec2", region), wanted)
    _client("autoscaling", home).complete_lifecycle_action(
        LifecycleHookName=detail["LifecycleHookName"],
        AutoScalingGroupName=detail["AutoScalingGroupName"],
        LifecycleActionToken=detail["LifecycleActionToken"],
        LifecycleActionResult="CONTINUE",
    )


def _client(service: str, region: str) -> Any:
    return boto3.client(service, region_name=region)  # type: ignore[call-overload]  # by name


def _addresses(home: str) -> set[str]:
    groups = _client("autoscaling", home).describe_auto_scaling_groups(AutoScalingGroupNames=[GROUP])
    ec2, found = _client("ec2", home), set()
    for instance in groups["AutoScalingGroups"][0]["Instances"]:
        described = ec2.describe_instances(InstanceIds=[instance["InstanceId"]])
        found.add(f"{described['Reservations'][0]['Instances'][0]['PublicIpAddress']}/32")
    return found


def _recorded(table: Any, region: str) -> set[str]:
    answer = table.query(
        TableName=TABLE,
        KeyConditionExpression="#region = :region",
        ExpressionAttributeNames={"#region": "region"},
        ExpressionAttributeValues={":region": {"S": region}},
    )
    return {address for item in answer["Items"] for address in item["ips"]["SS"]}


def _correct(ec2: Any, wanted: Iterable[str]) -> None:
    (group,) = ec2.describe_security_groups(GroupIds=[SECURITY_GROUP])["SecurityGroups"]
    current = {ip_range["CidrIp"] for permission in group["IpPermissions"] for ip_range in permission["IpRanges"]}
    ports = {"IpProtocol": "tcp", "FromPort": PORT, "ToPort": PORT}
    if missing := sorted(set(wanted) - current):
        ec2.authorize_security_group_ingress(
            GroupId=SECURITY_GROUP, IpPermissions=[{**ports, "IpRanges": [{"CidrIp": cidr} for cidr in missing]}]
        )
    if outdated := sorted(current - set(wanted)):
        ec2.revoke_security_group_ingress(
            GroupId=SECURITY_GROUP, IpPermissions=[{**ports, "IpRanges": [{"CidrIp": cidr} for cidr in outdated]}]
        )
