"""Faults, and the throttling error of each service."""

from typing import Any

import botocore.session
import pytest
from botocore.exceptions import ClientError
from botocore.parsers import create_parser

from ringfence.aws.error_codes import is_inactive_lifecycle_action
from ringfence_lab.emulator.faults import (
    BadFault,
    Delay,
    ErrorResponse,
    Faults,
    Hang,
    Inactive,
    NewRole,
    Reset,
    Throttle,
    denied,
    fault_text,
    inactive,
    parse,
    throttled,
)

REGIONS = frozenset({"us-east-1", "us-west-2"})


@pytest.mark.parametrize("text", ["reset", "hang", "throttle", "deny", "inactive", "new-role", "delay=0.5", "delay=0"])
def test_a_faults_text_round_trips(text: str) -> None:
    assert fault_text(parse(text)) == text


@pytest.mark.parametrize("text", ["", "explode", "delay", "delay=", "delay=-1", "delay=soon", "delay=inf", "hang=1"])
def test_an_invalid_fault_is_refused_with_the_valid_ones(text: str) -> None:
    with pytest.raises(BadFault, match=r"reset, hang, throttle|delay=0\.5"):
        parse(text)


def test_a_fault_of_a_service_takes_precedence_over_that_of_its_region() -> None:
    faults = Faults(REGIONS)

    faults.set("us-east-1", None, Hang())
    faults.set("us-east-1", "ec2", Throttle())

    assert faults.on("us-east-1", "ec2") == Throttle()
    assert faults.on("us-east-1", "dynamodb") == Hang()
    assert faults.on("us-west-2", "ec2") is None


def test_a_new_role_is_refused_once_and_disturbs_no_call() -> None:
    faults = Faults(REGIONS)
    faults.set("us-east-1", "lambda", NewRole())

    assert faults.on("us-east-1", "lambda") is None
    assert not faults.takes_new_role("us-west-2", "lambda")
    assert not faults.takes_new_role("us-east-1", "scheduler")
    assert faults.takes_new_role("us-east-1", "lambda")
    assert not faults.takes_new_role("us-east-1", "lambda")


def test_a_single_region_can_be_healed() -> None:
    faults = Faults(REGIONS)
    faults.set("us-east-1", None, Hang())
    faults.set("us-east-1", "ec2", Reset())
    faults.set("us-west-2", "sqs", Delay(1))

    faults.heal("us-east-1")

    assert list(faults) == [("us-west-2", "sqs", Delay(1))]


def test_all_regions_can_be_healed_together() -> None:
    faults = Faults(REGIONS)
    faults.set("us-east-1", None, Hang())
    faults.set("us-west-2", None, Hang())

    faults.heal(None)

    assert list(faults) == []


def test_an_unknown_region_or_service_is_refused_by_name() -> None:
    faults = Faults(REGIONS)

    with pytest.raises(BadFault, match="mars-1"):
        faults.set("mars-1", None, Hang())
    with pytest.raises(BadFault, match="mars-1"):
        faults.heal("mars-1")
    with pytest.raises(BadFault, match="teleport"):
        faults.set("us-east-1", "teleport", Hang())


def parsed(service: str, operation: str, answer: ErrorResponse) -> Any:
    """What botocore reads in an answer."""
    model = botocore.session.get_session().get_service_model(service)
    shape = model.operation_model(operation).output_shape
    assert shape is not None
    return create_parser(model.metadata["protocol"]).parse(
        {"status_code": answer.status, "headers": {"content-type": answer.content_type}, "body": answer.body}, shape
    )


def test_only_auto_scaling_can_call_a_hook_inactive() -> None:
    faults = Faults(REGIONS)
    faults.set("us-east-1", "autoscaling", Inactive())
    for service in ("ec2", None):
        with pytest.raises(BadFault, match="autoscaling"):
            faults.set("us-east-1", service, Inactive())


def test_the_engine_reads_the_error_as_that_of_an_inactive_action() -> None:
    answer = parsed("autoscaling", "CompleteLifecycleAction", inactive())
    assert is_inactive_lifecycle_action(ClientError(answer, "CompleteLifecycleAction"))


@pytest.mark.parametrize(
    ("service", "operation", "code"),
    [
        ("ec2", "DescribeInstances", "RequestLimitExceeded"),
        ("autoscaling", "DescribeAutoScalingGroups", "Throttling"),
        ("dynamodb", "Query", "ProvisionedThroughputExceededException"),
        ("sqs", "SendMessage", "RequestThrottled"),
        ("lambda", "Invoke", "ThrottlingException"),
    ],
)
def test_botocore_parses_the_throttling_error_of_each_service(service: str, operation: str, code: str) -> None:
    assert parsed(service, operation, throttled(service))["Error"]["Code"] == code


@pytest.mark.parametrize(
    ("service", "operation", "code"),
    [
        ("ec2", "DescribeInstances", "UnauthorizedOperation"),
        ("autoscaling", "DescribeAutoScalingGroups", "AccessDenied"),
        ("dynamodb", "Query", "AccessDeniedException"),
        ("s3", "GetObject", "AccessDenied"),
    ],
)
def test_botocore_parses_the_denial_of_each_service(service: str, operation: str, code: str) -> None:
    assert parsed(service, operation, denied(service))["Error"]["Code"] == code
