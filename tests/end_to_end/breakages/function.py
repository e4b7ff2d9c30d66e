"""Breakages of the function, its role and its log."""

import io
import json
import zipfile
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

from ringfence_lab.demo.observer import Observer
from tests.end_to_end.breakages.breakage import NAME, Breakage, in_east
from tests.end_to_end.clusters import EAST


@in_east
def never_runs(east: Observer) -> Iterator[None]:
    functions = east.client("lambda")
    functions.put_function_concurrency(FunctionName=NAME, ReservedConcurrentExecutions=0)
    yield
    functions.delete_function_concurrency(FunctionName=NAME)


def function_with(variables: dict[str, str] | None = None, **changes: Any) -> Breakage:
    """The function with other variables or other fields."""

    @in_east
    def changed(east: Observer) -> Iterator[None]:
        functions = east.client("lambda")
        before = functions.get_function_configuration(FunctionName=NAME)
        environment = {"Variables": before["Environment"]["Variables"] | (variables or {})}
        functions.update_function_configuration(FunctionName=NAME, **{"Environment": environment, **changes})
        yield
        kept = {name: before[name] for name in ("Timeout", "Handler", "Role")}
        wanted = {"Variables": before["Environment"]["Variables"]}
        functions.update_function_configuration(FunctionName=NAME, Environment=wanted, **kept)
        east.true_up()  # a function that was just changed waits for its first one

    return changed


@in_east
def other_code(east: Observer) -> Iterator[None]:
    """The same code in another archive: its hash differs, as that of a build from another checkout does."""
    functions, s3 = east.client("lambda"), east.client("s3")
    bucket = f"ringfence-artefacts-{EAST}"
    key = s3.list_objects_v2(Bucket=bucket)["Contents"][0]["Key"]
    archive = s3.get_object(Bucket=bucket, Key=key)["Body"].read()
    changed = io.BytesIO(archive)
    with zipfile.ZipFile(changed, "a") as zipped:
        zipped.writestr("note.txt", "changed")
    functions.update_function_code(FunctionName=NAME, ZipFile=changed.getvalue())
    yield
    functions.update_function_code(FunctionName=NAME, ZipFile=archive)
    east.true_up()


@in_east
def role_without_scan(east: Observer) -> Iterator[None]:
    iam, role = east.client("iam"), engine_role(east)
    policy = iam.get_role_policy(RoleName=role, PolicyName="home-region")["PolicyDocument"]
    kept = [statement for statement in policy["Statement"] if statement["Sid"] != "ReadTable"]
    names = {"RoleName": role, "PolicyName": "home-region"}
    iam.put_role_policy(**names, PolicyDocument=json.dumps({**policy, "Statement": kept}))
    yield
    iam.put_role_policy(**names, PolicyDocument=json.dumps(policy))
    east.true_up()


@in_east
def another_role(east: Observer) -> Iterator[None]:
    functions, iam = east.client("lambda"), east.client("iam")
    before = functions.get_function_configuration(FunctionName=NAME)["Role"]
    trust = {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [trust]})
    made = iam.create_role(RoleName="some-other-role", AssumeRolePolicyDocument=document)["Role"]["Arn"]
    functions.update_function_configuration(FunctionName=NAME, Role=made)
    yield
    functions.update_function_configuration(FunctionName=NAME, Role=before)
    east.true_up()
    iam.delete_role(RoleName="some-other-role")


def engine_role(east: Observer) -> str:
    """The name of the function's role."""
    arn: str = east.client("lambda").get_function_configuration(FunctionName=NAME)["Role"]
    return arn.rpartition("/")[2]


@in_east
def log_group_deleted(east: Observer) -> Iterator[None]:
    logs, name = east.client("logs"), f"/aws/lambda/{NAME}"
    logs.delete_log_group(logGroupName=name)
    yield
    with suppress(logs.exceptions.ResourceAlreadyExistsException):  # the lab makes it for a function that runs
        logs.create_log_group(logGroupName=name)
    east.true_up()


@in_east
def last_reconcile_failed(east: Observer) -> Iterator[None]:
    iam, role = east.client("iam"), engine_role(east)
    deny = {"Effect": "Deny", "Action": "dynamodb:Scan", "Resource": "*"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [deny]})
    iam.put_role_policy(RoleName=role, PolicyName="deny", PolicyDocument=document)
    east.client("lambda").invoke(FunctionName=NAME, Payload=b'{"trueup": true}')
    iam.delete_role_policy(RoleName=role, PolicyName="deny")
    yield
