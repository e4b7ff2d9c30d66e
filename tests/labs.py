"""Labs for tests: one process of each kind for a session (or for a worker of it), each on its own port."""

import io
import json
import time
import zipfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

import boto3
import pytest
from botocore.config import Config

from ringfence_lab.control.deploy import Deployed
from ringfence_lab.control.lab import Lab

T = TypeVar("T")

HOME, PEER = "us-east-1", "us-west-2"
PATIENCE = 20.0
"""Seconds after which `eventually` fails."""


@dataclass(frozen=True, slots=True)
class LabCluster:
    """A lab with the stack deployed in its Regions."""

    lab: Lab
    regions: Mapping[str, Deployed]


@pytest.fixture(scope="session")
def empty_lab() -> Iterator[Lab]:
    """A lab with an empty account. Tests share it, so their resources have unique names."""
    with Lab(regions=[HOME, PEER]) as lab:
        yield lab


@pytest.fixture(scope="session")
def cluster() -> Iterator[LabCluster]:
    """A lab with the stack in two Regions."""
    with Lab(regions=[HOME, PEER]) as lab:
        yield LabCluster(lab, {region: lab.deploy(region) for region in lab.regions})


def eventually(look: Callable[[], T], seconds: float = PATIENCE, instead: Callable[[], object] | None = None) -> T:
    """The first true value of `look`. Fails after so many seconds, with the value of `instead` in its message."""
    deadline = time.monotonic() + seconds
    while not (result := look()):
        if time.monotonic() > deadline:
            raise AssertionError(f"no result within {seconds} s; instead: {instead() if instead else 'nothing'}")
        time.sleep(0.02)
    return result


def session_of_role(lab: Lab, name: str, statements: list[Mapping[str, Any]]) -> boto3.Session:
    """A session of a new role with a policy of these statements."""
    iam = lab.client("iam", HOME)
    trust = {"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "sts:AssumeRole"}
    role = iam.create_role(RoleName=name, AssumeRolePolicyDocument=_policy([trust]))["Role"]
    iam.put_role_policy(RoleName=name, PolicyName="may", PolicyDocument=_policy(statements))
    assumed = lab.client("sts", HOME).assume_role(RoleArn=role["Arn"], RoleSessionName="test")["Credentials"]
    return boto3.Session(assumed["AccessKeyId"], assumed["SecretAccessKey"], assumed["SessionToken"])


def client(lab: Lab, session: boto3.Session, service: str, region: str, **config: Any) -> Any:
    """A client of the session, without retries."""
    return session.client(
        service,  # type: ignore[call-overload]  # by name
        region_name=region,
        endpoint_url=lab.endpoint_url,
        config=Config(retries={"total_max_attempts": 1}, **config),
    )


def make_function(lab: Lab, region: str, name: str, source: str, timeout: int = 10) -> str:
    """Creates a Lambda function from a module `main` with a `handler`, and returns its ARN."""
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as zipped:
        zipped.writestr("main.py", source)
    trust = {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}
    role_name = f"{name}-{region}"
    role = lab.client("iam", region).create_role(RoleName=role_name, AssumeRolePolicyDocument=_policy([trust]))["Role"]
    function = lab.client("lambda", region).create_function(
        FunctionName=name,
        Role=role["Arn"],
        Runtime="python3.13",
        Handler="main.handler",
        Code={"ZipFile": archive.getvalue()},
        Timeout=timeout,
    )
    arn: str = function["FunctionArn"]
    return arn


def _policy(statements: list[Mapping[str, Any]] | list[dict[str, Any]]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": statements})
