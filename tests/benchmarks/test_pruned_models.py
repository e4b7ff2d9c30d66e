"""The artefact's pruned descriptions of AWS: everything that the engine calls, with the same requests and answers."""

import re
import shutil
from pathlib import Path
from typing import Any

import botocore
import botocore.session
import pytest
from botocore.loaders import Loader
from prune_models import OPERATIONS, prune

PROJECT = Path(__file__).resolve().parents[2]
FULL = Path(botocore.__file__).parent / "data"
REGION = "eu-west-1"

Call = tuple[str, str, dict[str, Any]]
CALLS: list[Call] = [
    ("autoscaling", "DescribeAutoScalingGroups", {"AutoScalingGroupNames": ["db"]}),
    (
        "autoscaling",
        "CompleteLifecycleAction",
        {
            "LifecycleHookName": "launch",
            "AutoScalingGroupName": "db",
            "LifecycleActionResult": "CONTINUE",
            "InstanceId": "i-1",
        },
    ),
    ("dynamodb", "Scan", {"TableName": "t", "ConsistentRead": True}),
    ("dynamodb", "Query", {"TableName": "t", "KeyConditionExpression": "a = b"}),
    ("dynamodb", "PutItem", {"TableName": "t", "Item": {"region": {"S": REGION}, "members": {"M": {}}}}),
    ("ec2", "DescribeInstances", {"Filters": [{"Name": "tag:x", "Values": ["y"]}]}),
    ("ec2", "DescribeSecurityGroupRules", {"Filters": [{"Name": "group-id", "Values": ["sg-1"]}]}),
    (
        "ec2",
        "AuthorizeSecurityGroupIngress",
        {
            "GroupId": "sg-1",
            "IpPermissions": [
                {
                    "IpProtocol": "tcp",
                    "FromPort": 1,
                    "ToPort": 2,
                    "IpRanges": [{"CidrIp": "198.51.100.1/32", "Description": "x"}],
                    "Ipv6Ranges": [{"CidrIpv6": "2001:db8::1/128"}],
                }
            ],
        },
    ),
    ("ec2", "RevokeSecurityGroupIngress", {"GroupId": "sg-1", "SecurityGroupRuleIds": ["sgr-1"]}),
    (
        "ec2",
        "UpdateSecurityGroupRuleDescriptionsIngress",
        {
            "GroupId": "sg-1",
            "SecurityGroupRuleDescriptions": [{"SecurityGroupRuleId": "sgr-1", "Description": "x"}],
        },
    ),
    ("sqs", "SendMessage", {"QueueUrl": "https://sqs.invalid/1/q", "MessageBody": "x", "MessageGroupId": "g"}),
]


@pytest.fixture(scope="module")
def pruned(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of botocore's descriptions of our services and one more, pruned."""
    data = tmp_path_factory.mktemp("botocore") / "data"
    data.mkdir()
    for path in FULL.glob("*.json"):
        shutil.copy(path, data)
    for service in (*OPERATIONS, "sns"):
        shutil.copytree(FULL / service, data / service)
    prune(data)
    return data


def client(data: Path, service: str) -> Any:
    """A client that knows of AWS only what the directory says."""
    session = botocore.session.get_session()
    session.register_component("data_loader", Loader([str(data)], include_default_search_paths=False))
    return session.create_client(service, REGION, aws_access_key_id="key", aws_secret_access_key="secret")


class NotSent(Exception):  # no error: it carries the request out
    """The request that a call would have sent."""


def request(data: Path, call: Call) -> tuple[str, str, Any]:
    """The request that the call makes: method, URL and body. Nothing is sent."""
    service, operation, arguments = call
    made = client(data, service)

    def keep(request: Any, **_: object) -> None:
        raise NotSent(request.method, request.url, request.body)

    made.meta.events.register("before-send", keep)
    with pytest.raises(NotSent) as caught:
        made._make_api_call(operation, arguments)
    method, url, body = caught.value.args
    return method, url, body


def methods_called() -> set[str]:
    """The operations that the adapters' source calls, in Python's spelling."""
    source = "\n".join(path.read_text() for path in (PROJECT / "src" / "ringfence" / "aws").glob("*.py"))
    return set(re.findall(r"client\.(?!get_paginator|meta)(\w+)\(", source)) | set(
        re.findall(r'get_paginator\("(\w+)"\)', source)
    )


def test_the_pruned_operations_are_those_that_the_adapters_call() -> None:
    named = {re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower() for names in OPERATIONS.values() for name in names}

    assert named == methods_called() - {"client"}


def test_every_operation_is_run_here() -> None:
    assert {(service, operation) for service, operation, _ in CALLS} == {
        (service, operation) for service, operations in OPERATIONS.items() for operation in operations
    }


@pytest.mark.parametrize("call", CALLS, ids=[operation for _, operation, _ in CALLS])
def test_an_operation_makes_the_same_request_from_the_pruned_description(pruned: Path, call: Call) -> None:
    method, url, data = request(pruned, call)

    assert (method, url, data) == request(FULL, call)


def _tree(shape: Any, above: tuple[str, ...] = ()) -> Any:
    """All that a parser reads of a shape, down to the leaves."""
    if shape is None or shape.name in above:
        return None
    members = dict(getattr(shape, "members", {}))
    members |= {part: getattr(shape, part) for part in ("member", "key", "value") if hasattr(shape, part)}
    within = {name: _tree(member, (*above, shape.name)) for name, member in members.items()}
    return shape.type_name, dict(shape.serialization), within


@pytest.mark.parametrize("call", CALLS, ids=[operation for _, operation, _ in CALLS])
def test_an_operation_reads_the_same_answer_from_the_pruned_description(pruned: Path, call: Call) -> None:
    service, operation, _ = call
    few, all_ = (client(data, service).meta.service_model.operation_model(operation) for data in (pruned, FULL))

    assert _tree(few.output_shape) == _tree(all_.output_shape)


@pytest.mark.parametrize(
    ("service", "method"),
    [
        ("autoscaling", "describe_auto_scaling_groups"),
        ("dynamodb", "scan"),
        ("dynamodb", "query"),
        ("ec2", "describe_instances"),
        ("ec2", "describe_security_group_rules"),
    ],
)
def test_pages_are_read_as_before(pruned: Path, service: str, method: str) -> None:
    few, all_ = (client(data, service).get_paginator(method)._pagination_cfg for data in (pruned, FULL))

    assert few == all_


def test_what_the_engine_does_not_call_is_gone(pruned: Path) -> None:
    assert not (pruned / "sns").exists()
    assert not hasattr(client(pruned, "ec2"), "describe_vpcs")
    assert sum(path.stat().st_size for path in pruned.rglob("*") if path.is_file()) < 600_000


@pytest.mark.parametrize("service", sorted(OPERATIONS))
def test_endpoints_are_found_by_the_same_rules(pruned: Path, service: str) -> None:
    few, all_ = (
        Loader([str(data)], include_default_search_paths=False).load_service_model(service, "endpoint-rule-set-1")
        for data in (pruned, FULL)
    )

    assert few == all_
