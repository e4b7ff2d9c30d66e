"""Builds roles, policies and security groups for the tests of the lab's IAM."""

from collections.abc import Mapping
from typing import Any
from uuid import uuid4

import boto3

from ringfence_lab.control.lab import Lab
from tests.labs import client, session_of_role

CLUSTER = "identity-tests"


def security_group(lab: Lab, region: str, cluster: str | None = CLUSTER) -> str:
    """A new security group, with the tag of the cluster, if one is given."""
    ec2 = lab.client("ec2", region)
    id: str = ec2.create_security_group(GroupName=f"g-{uuid4().hex}", Description="tests")["GroupId"]
    if cluster:
        ec2.create_tags(Resources=[id], Tags=[{"Key": "ringfence-cluster", "Value": cluster}])
    return id


def role_session(lab: Lab, *statements: Mapping[str, Any]) -> boto3.Session:
    """A session of a new role with these statements."""
    return session_of_role(lab, f"role-{uuid4().hex}", list(statements))


def allow(action: str | list[str], resource: str, condition: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """A statement that allows an action."""
    statement = {"Effect": "Allow", "Action": action, "Resource": resource}
    return statement | ({"Condition": condition} if condition else {})


def authorize(lab: Lab, session: boto3.Session, region: str, group: str) -> None:
    """Adds a rule to a security group."""
    rule = {"IpProtocol": "tcp", "FromPort": 443, "ToPort": 443, "IpRanges": [{"CidrIp": "192.0.2.1/32"}]}
    client(lab, session, "ec2", region).authorize_security_group_ingress(GroupId=group, IpPermissions=[rule])
