"""The artefact's pruned service descriptions: every call of the engine has the same request and the same answer."""

import re
import shutil
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import botocore
import botocore.session
import pytest
from botocore.awsrequest import AWSResponse, HeadersDict
from botocore.loaders import Loader
from distribution.prune_models import MEMBERS, OPERATIONS, prune

from ringfence.aws.auto_scaling import AwsAutoScaling
from ringfence.aws.ec2 import AwsInstances, AwsSecurityGroups
from ringfence.core.model.addresses import AddressKind, Cidr
from ringfence.core.model.identifiers import PrefixListId, Region, RosterKey, SecurityGroupId
from ringfence.core.model.ports import PortRange
from ringfence.core.model.rules import Label, Opening
from ringfence.core.plan import Addition
from tests.artefact.answers import answer
from tests.artefact.calls import CALLS, REGION, Call

PROJECT = Path(__file__).resolve().parents[2]
FULL = Path(botocore.__file__).parent / "data"


@pytest.fixture(scope="module")
def pruned(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A pruned copy of botocore's descriptions of our services and of another service."""
    data = tmp_path_factory.mktemp("botocore") / "data"
    data.mkdir()
    for path in FULL.glob("*.json"):
        shutil.copy(path, data)
    for service in (*OPERATIONS, "sns"):
        shutil.copytree(FULL / service, data / service)
    prune(data)
    return data


def client(data: Path, service: str) -> Any:
    """A client that reads service descriptions only from the directory."""
    session = botocore.session.get_session()
    session.register_component("data_loader", Loader([str(data)], include_default_search_paths=False))
    return session.create_client(service, REGION, aws_access_key_id="key", aws_secret_access_key="secret")


class NotSent(Exception):  # no error: it returns the request
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
    """The methods of clients that the adapters' source calls."""
    source = "\n".join(path.read_text() for path in (PROJECT / "src" / "ringfence" / "aws").glob("*.py"))
    return set(re.findall(r"client\.(?!get_paginator|meta)(\w+)\(", source)) | set(
        re.findall(r'get_paginator\("(\w+)"\)', source)
    )


def test_the_kept_operations_are_the_operations_that_the_adapters_call() -> None:
    named = {re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower() for names in OPERATIONS.values() for name in names}

    assert named == methods_called() - {"client"}


def test_the_kept_services_are_the_engines_services() -> None:
    assert OPERATIONS.keys() == {"autoscaling", "dynamodb", "ec2", "sqs"}


def test_the_example_calls_cover_every_kept_operation() -> None:
    assert {(service, operation) for service, operation, _ in CALLS} == {
        (service, operation) for service, operations in OPERATIONS.items() for operation in operations
    }


@pytest.mark.parametrize("call", CALLS, ids=[operation for _, operation, _ in CALLS])
def test_an_operation_has_the_same_request_with_the_pruned_description(pruned: Path, call: Call) -> None:
    method, url, data = request(pruned, call)

    assert (method, url, data) == request(FULL, call)


def _tree(shape: Any, above: tuple[str, ...] = ()) -> Any:
    """Everything that a parser reads of a shape, down to its leaves."""
    if shape is None or shape.name in above:
        return None
    members = dict(getattr(shape, "members", {}))
    members |= {part: getattr(shape, part) for part in ("member", "key", "value") if hasattr(shape, part)}
    within = {name: _tree(member, (*above, shape.name)) for name, member in members.items()}
    return shape.type_name, dict(shape.serialization), within


WHOLE = [call for call in CALLS if call[0] not in MEMBERS]


@pytest.mark.parametrize("call", WHOLE, ids=[operation for _, operation, _ in WHOLE])
def test_an_operation_has_the_same_answer_with_the_pruned_description(pruned: Path, call: Call) -> None:
    service, operation, _ = call
    few, full = (client(data, service).meta.service_model.operation_model(operation) for data in (pruned, FULL))

    assert _tree(few.output_shape) == _tree(full.output_shape)


def answered(data: Path, service: str) -> Any:
    """A client whose calls get answers with every member of the full description."""
    made, full = client(data, service), client(FULL, service).meta.service_model

    def send(request: Any, **_: object) -> AWSResponse:
        (operation,) = parse_qs(request.body)["Action"]
        body = answer(full.operation_model(operation))
        if operation == "DescribeWarmPool":  # an instance is in its group or in the warm pool
            body = body.replace(b"i-1", b"i-2").replace(b"InService", b"Warmed:Running")
        headers: Any = HeadersDict()
        return AWSResponse(request.url, 200, headers, _Body(body))

    made.meta.events.register("before-send", send)
    return made


class _Body(BytesIO):
    """A response body, as botocore reads it."""

    def stream(self, *_: object, **__: object) -> Iterator[bytes]:
        yield self.read()


def adapters_values(data: Path) -> dict[str, Any]:
    """The values that the adapters read from such answers."""
    ec2, group = answered(data, "ec2"), SecurityGroupId("sg-1")
    opening = Opening(PortRange("tcp", 9042, 9042), Cidr("198.51.100.7/32"))
    addition = Addition(opening, Label("demo", RosterKey(Region(REGION), "db"), "i-1"))
    return {
        "instances": AwsInstances(ec2, Region(REGION)).of_groups(["db"]),
        "rules": AwsSecurityGroups(ec2, Region(REGION)).rules([group]),
        "missing": AwsSecurityGroups(ec2, Region(REGION)).missing([group, SecurityGroupId("sg-2")]),
        "lists": AwsSecurityGroups(ec2, Region(REGION)).prefix_lists([PrefixListId("pl-1")]),
        "made": AwsSecurityGroups(ec2, Region(REGION)).authorize(group, [addition]),
        "groups": AwsAutoScaling(answered(data, "autoscaling"), Region(REGION)).groups(["db"]),
    }


def test_the_adapters_read_the_same_values_from_a_complete_answer(pruned: Path) -> None:
    few, full = adapters_values(pruned), adapters_values(FULL)

    assert few == full
    # and the answer has every value that they read
    (instance,), (rule,) = few["instances"].values(), few["rules"]["sg-1"]
    assert instance.group == "db"
    assert instance.addresses == {
        AddressKind.PUBLIC_IPV4: ("198.51.100.7/32", "203.0.113.7/32"),
        AddressKind.PRIVATE_IPV4: ("10.0.0.7/32",),
        AddressKind.IPV6: ("2001:db8::7/128",),
    }
    assert (rule.id, rule.source_group, str(rule.opening)) == ("sgr-1", "sg-1", "198.51.100.7/32 on tcp/9042")
    assert rule.label("demo") == Label("demo", RosterKey(Region("us-east-1"), "db"), "i-1")
    assert few["missing"] == {"sg-2"}
    assert few["groups"] == {"AutoScalingGroupName": {"i-1": "InService", "i-2": "Warmed:Running"}}


@pytest.mark.parametrize(
    ("service", "method"),
    [
        ("autoscaling", "describe_auto_scaling_groups"),
        ("autoscaling", "describe_warm_pool"),
        ("dynamodb", "scan"),
        ("dynamodb", "query"),
        ("ec2", "describe_instances"),
        ("ec2", "describe_security_group_rules"),
        ("ec2", "describe_security_groups"),
        ("ec2", "describe_managed_prefix_lists"),
    ],
)
def test_a_paginator_has_the_same_configuration_with_the_pruned_description(
    pruned: Path, service: str, method: str
) -> None:
    few, full = (client(data, service).get_paginator(method)._pagination_cfg for data in (pruned, FULL))

    assert few == full


def test_the_pruned_descriptions_have_no_service_and_no_operation_that_the_engine_does_not_call(pruned: Path) -> None:
    assert not (pruned / "sns").exists()
    assert not hasattr(client(pruned, "ec2"), "describe_vpcs")
    assert sum(path.stat().st_size for path in pruned.rglob("*") if path.is_file()) < 250_000


@pytest.mark.parametrize("service", sorted(OPERATIONS))
def test_a_service_has_the_same_endpoint_rules_with_the_pruned_description(pruned: Path, service: str) -> None:
    few, full = (
        Loader([str(data)], include_default_search_paths=False).load_service_model(service, "endpoint-rule-set-1")
        for data in (pruned, FULL)
    )

    assert few == full
