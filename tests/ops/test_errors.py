"""Errors of calls to AWS, in one line for an operator."""

import pytest
from botocore.exceptions import ClientError, NoCredentialsError, ReadTimeoutError

from ringfence.core.errors import Permanent
from ringfence_ops.aws.errors import in_one_line


def client_error(code: str, message: str = "the reason") -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": message}}, "DescribeInstances")


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (client_error("ExpiredToken"), "AWS does not know these credentials (ExpiredToken): renew them"),
        (client_error("UnauthorizedOperation"), "DescribeInstances was denied: the reason"),
        (client_error("Throttling", "slow\ndown"), "DescribeInstances: Throttling: slow down"),
        (ReadTimeoutError(endpoint_url="https://ec2"), "no answer in time"),
        (Permanent("denied:\n  the reason"), "denied: the reason"),
        (KeyError("name"), "KeyError: 'name'"),
    ],
)
def test_an_error_is_one_line(error: Exception, line: str) -> None:
    assert in_one_line(error) == line


def test_missing_credentials_are_reported_with_what_to_do() -> None:
    assert in_one_line(NoCredentialsError()).startswith("there are no AWS credentials: set AWS_PROFILE")
