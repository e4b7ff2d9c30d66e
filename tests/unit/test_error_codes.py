"""Each error of botocore becomes the engine's error that says what to do next."""

from collections.abc import Callable

import pytest
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectionClosedError,
    ConnectTimeoutError,
    EndpointConnectionError,
    NoCredentialsError,
    ParamValidationError,
    ReadTimeoutError,
    SSLError,
)
from botocore.parsers import ResponseParserError

from ringfence.aws.error_codes import (
    dry_run_allowed,
    is_absent,
    is_absent_bucket,
    is_absent_object,
    is_absent_stack,
    is_forbidden_bucket,
    is_inactive_lifecycle_action,
    is_new_role,
    translated,
)
from ringfence.core.errors import Denied, NotDeployed, Permanent, Refusal, Refused, Retry, RingfenceError
from tests.unit.builders import EAST

URL = "https://ec2.us-east-1.amazonaws.com/"


def client_error(code: str, message: str = "it says why", status: int = 400) -> ClientError:
    answer = {"Error": {"Code": code, "Message": message}, "ResponseMetadata": {"HTTPStatusCode": status}}
    return ClientError(answer, "AnyOperation")  # type: ignore[arg-type]  # the stubs ask for more than an error holds


def raised(error: Exception, operation: str = "DescribeInstances") -> RingfenceError:
    """What the engine sees of an error of botocore."""
    with pytest.raises(RingfenceError) as seen, translated(EAST, operation):
        raise error
    return seen.value


@pytest.mark.parametrize(
    "code",
    [
        "RequestLimitExceeded",  # EC2
        "Throttling",  # Auto Scaling
        "ThrottlingException",  # DynamoDB
        "ProvisionedThroughputExceededException",
        "RequestThrottled",  # SQS
        "InternalError",
        "ServiceUnavailable",
        "ResourceContention",
        "ExpiredTokenException",
    ],
)
def test_a_temporary_error_is_retried(code: str) -> None:
    assert isinstance(raised(client_error(code)), Retry)


def test_an_unknown_code_with_a_server_error_is_retried() -> None:
    assert isinstance(raised(client_error("NeverHeardOf", status=500)), Retry)
    assert isinstance(raised(client_error("NeverHeardOf", status=503)), Retry)
    assert type(raised(client_error("NeverHeardOf", status=499))) is Permanent


@pytest.mark.parametrize(
    "error",
    [
        ReadTimeoutError(endpoint_url=URL),
        ConnectionClosedError(endpoint_url=URL),
        ConnectTimeoutError(endpoint_url=URL),
        EndpointConnectionError(endpoint_url=URL, error="refused"),
        SSLError(endpoint_url=URL, error=OSError("handshake")),
    ],
    ids=lambda error: type(error).__name__,
)
def test_a_service_that_cannot_be_reached_is_retried(error: BotoCoreError) -> None:
    assert isinstance(raised(error), Retry)


def test_an_answer_that_cannot_be_parsed_is_retried() -> None:
    # Botocore raises this error for an answer that was cut off. It is no BotoCoreError.
    assert isinstance(raised(ResponseParserError("unable to parse response, invalid XML received")), Retry)


@pytest.mark.parametrize("code", ["InvalidGroup.NotFound", "NeverSeen"])
def test_an_error_that_an_operator_must_fix_is_permanent(code: str) -> None:
    assert type(raised(client_error(code))) is Permanent


@pytest.mark.parametrize("code", ["UnauthorizedOperation", "AccessDenied", "AccessDeniedException"])
def test_a_missing_permission_is_a_denial(code: str) -> None:
    assert type(raised(client_error(code))) is Denied


@pytest.mark.parametrize(
    "error",
    [NoCredentialsError(), ParamValidationError(report="unknown parameter")],
    ids=lambda error: type(error).__name__,
)
def test_a_call_that_cannot_be_made_is_permanent(error: BotoCoreError) -> None:
    assert type(raised(error)) is Permanent


@pytest.mark.parametrize(
    ("code", "refusal"),
    [
        ("InvalidPermission.Duplicate", Refusal.DUPLICATE),
        ("InvalidPermission.NotFound", Refusal.NOT_FOUND),
        ("InvalidSecurityGroupRuleId.NotFound", Refusal.NOT_FOUND),
        ("RulesPerSecurityGroupLimitExceeded", Refusal.QUOTA),
        ("InvalidPermission.Malformed", Refusal.MALFORMED),
        ("InvalidParameterValue", Refusal.MALFORMED),
    ],
)
@pytest.mark.parametrize("operation", ["AuthorizeSecurityGroupIngress", "RevokeSecurityGroupIngress"])
def test_a_refusal_of_a_security_group_has_its_reason(code: str, refusal: Refusal, operation: str) -> None:
    error = raised(client_error(code), operation)
    assert isinstance(error, Refused)
    assert error.refusal is refusal


def test_an_invalid_value_in_another_call_is_no_refusal_of_a_security_group() -> None:
    assert type(raised(client_error("InvalidParameterValue"), "DescribeInstances")) is Permanent


@pytest.mark.parametrize("operation", ["Scan", "Query", "PutItem"])
def test_a_table_that_does_not_exist_means_that_ringfence_is_not_deployed(operation: str) -> None:
    assert isinstance(raised(client_error("ResourceNotFoundException"), operation), NotDeployed)


@pytest.mark.parametrize("operation", ["Scan", "Query", "PutItem"])
def test_a_table_that_denies_access_does_not_mean_that_ringfence_is_not_deployed(operation: str) -> None:
    assert type(raised(client_error("AccessDeniedException"), operation)) is Denied


def test_another_missing_resource_does_not_mean_that_ringfence_is_not_deployed() -> None:
    assert type(raised(client_error("ResourceNotFoundException"), "SendMessage")) is Permanent


def test_the_error_names_the_call_the_region_and_the_message_of_aws() -> None:
    text = str(raised(client_error("UnauthorizedOperation", "You are not authorized")))
    assert all(part in text for part in ("DescribeInstances", EAST, "UnauthorizedOperation", "You are not authorized"))


def test_the_original_error_is_the_cause() -> None:
    error = client_error("Throttling")
    assert raised(error).__cause__ is error


def test_an_error_that_is_not_botocores_is_not_translated() -> None:
    with pytest.raises(KeyError), translated(EAST, "Scan"):
        raise KeyError("ours")


@pytest.mark.parametrize(
    ("error", "inactive"),
    [
        (client_error("ValidationError", "No active Lifecycle Action found with instance ID i-1"), True),
        (client_error("ValidationError", "AutoScalingGroup name not found"), False),
        (client_error("AccessDenied", "No active Lifecycle Action found"), False),
    ],
)
def test_only_the_documented_answer_means_that_no_action_is_active(error: ClientError, inactive: bool) -> None:
    # Amazon EC2 Auto Scaling API reference, CompleteLifecycleAction: the error has no code of its own.
    assert is_inactive_lifecycle_action(error) is inactive


@pytest.mark.parametrize(
    ("predicate", "error"),
    [
        (is_absent, client_error("ResourceNotFoundException")),
        (is_absent, client_error("AWS.SimpleQueueService.NonExistentQueue")),
        (is_absent_stack, client_error("ValidationError", "Stack with id ringfence-demo does not exist")),
        (is_absent_bucket, client_error("404")),
        (is_absent_object, client_error("NoSuchKey")),
        (is_forbidden_bucket, client_error("403")),
    ],
)
def test_an_error_of_the_command_line_has_its_own_predicate(
    predicate: Callable[[ClientError], bool], error: ClientError
) -> None:
    assert predicate(error)
    assert not predicate(client_error("ValidationError", "another reason"))


def test_the_result_of_a_dry_run_is_an_error_code() -> None:
    assert dry_run_allowed(client_error("DryRunOperation")) is True
    assert dry_run_allowed(client_error("UnauthorizedOperation")) is False
    assert dry_run_allowed(client_error("InvalidGroup.NotFound")) is None


@pytest.mark.parametrize(
    ("reason", "is_new"),
    [
        ("The role defined for the function cannot be assumed by Lambda. (Service: Lambda, Status Code: 400)", True),
        ("The execution role you provide must allow AWS EventBridge Scheduler to assume the role.", True),
        ("The role arn:aws:iam::123456789012:role/x does not exist", False),
        ("", False),
    ],
)
def test_a_role_that_a_service_does_not_see_yet_is_recognized(reason: str, is_new: bool) -> None:
    assert is_new_role(reason) is is_new
