"""Faults, and the throttling error of each service."""

import botocore.session
import pytest
from botocore.exceptions import ClientError
from botocore.parsers import create_parser

from ringfence.aws.error_codes import is_inactive_lifecycle_action
from ringfence_lab.emulator.faults import (
    BadFault,
    Delay,
    Faults,
    Hang,
    Inactive,
    Reset,
    Throttle,
    fault_text,
    inactive,
    parse,
    throttled,
)

REGIONS = frozenset({"us-east-1", "us-west-2"})


@pytest.mark.parametrize("text", ["reset", "hang", "throttle", "inactive", "delay=0.5", "delay=0"])
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


def test_only_auto_scaling_can_call_a_hook_inactive() -> None:
    faults = Faults(REGIONS)
    faults.set("us-east-1", "autoscaling", Inactive())
    for service in ("ec2", None):
        with pytest.raises(BadFault, match="autoscaling"):
            faults.set("us-east-1", service, Inactive())


def test_the_engine_reads_the_error_as_that_of_an_inactive_action() -> None:
    answer = inactive()
    response = {"status_code": answer.status, "headers": {"content-type": answer.content_type}, "body": answer.body}
    model = botocore.session.get_session().get_service_model("autoscaling")
    shape = model.operation_model("CompleteLifecycleAction").output_shape
    assert shape is not None
    parsed = create_parser(model.metadata["protocol"]).parse(response, shape)
    assert is_inactive_lifecycle_action(ClientError(parsed, "CompleteLifecycleAction"))


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
    model = botocore.session.get_session().get_service_model(service)
    shape = model.operation_model(operation).output_shape
    assert shape is not None
    answer = throttled(service)

    parsed = create_parser(model.metadata["protocol"]).parse(
        {"status_code": answer.status, "headers": {"content-type": answer.content_type}, "body": answer.body},
        shape,
    )

    assert parsed["Error"]["Code"] == code
