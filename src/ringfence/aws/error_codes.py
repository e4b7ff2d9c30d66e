"""The only list of AWS error codes: turns what botocore raises into the engine's errors.

Knows nothing of what the engine does about them.

Sources: EC2 API "Error codes", DynamoDB Developer Guide "Error handling", Auto Scaling API "Common errors".
"""

from collections.abc import Iterator
from contextlib import contextmanager

from botocore.exceptions import BotoCoreError, ClientError, HTTPClientError
from botocore.exceptions import ConnectionError as BotoConnectionError
from botocore.parsers import ResponseParserError

from ringfence.core.errors import NotDeployed, Permanent, Refusal, Refused, Retry
from ringfence.core.model.identifiers import Region

CONDITION_FAILED = "ConditionalCheckFailedException"

# Refused, dropped and timed-out connections, and answers that are none: botocore has no common base for them.
_NO_ANSWER = (HTTPClientError, BotoConnectionError, ResponseParserError)

_TRANSIENT = {
    "RequestLimitExceeded",  # EC2's throttling
    "Throttling",
    "ThrottlingException",
    "ThrottledException",
    "RequestThrottled",
    "RequestThrottledException",
    "TooManyRequestsException",
    "ProvisionedThroughputExceededException",
    "PriorRequestNotComplete",
    "TransactionInProgressException",
    "InternalError",
    "InternalFailure",
    "InternalServerError",
    "ServiceUnavailable",
    "Unavailable",
    "RequestTimeout",
    "RequestTimeoutException",
    "ResourceContention",  # Auto Scaling: a pending update of the same group
    "ResourceContentionFault",
    "ExpiredToken",  # the function's credentials are renewed for its next invocation
    "ExpiredTokenException",
    "RequestExpired",
}

_REFUSALS = {
    "InvalidPermission.Duplicate": Refusal.DUPLICATE,
    "InvalidPermission.NotFound": Refusal.NOT_FOUND,
    "InvalidSecurityGroupRuleId.NotFound": Refusal.NOT_FOUND,
    "RulesPerSecurityGroupLimitExceeded": Refusal.QUOTA,
    "InvalidPermission.Malformed": Refusal.MALFORMED,
    "InvalidParameterValue": Refusal.MALFORMED,
}


def code_of(error: ClientError) -> str:
    """AWS's error code in a ClientError."""
    return error.response.get("Error", {}).get("Code", "")


def is_inactive_lifecycle_action(error: ClientError) -> bool:
    """Whether CompleteLifecycleAction says that no such action is active (any more).

    Auto Scaling has no code of its own for it: `ValidationError`, "No active Lifecycle Action found with ...".
    """
    return code_of(error) == "ValidationError" and "No active Lifecycle Action" in str(error)


@contextmanager
def translated(region: Region, operation: str) -> Iterator[None]:
    """Raises the engine's error for any of botocore's, saying which call of which Region failed, and how."""
    try:
        yield
    except ClientError as error:
        raise _client_error(region, operation, error) from error
    except _NO_ANSWER as error:
        raise Retry(f"{operation} in {region} got no answer: {error}") from error
    except BotoCoreError as error:
        raise Permanent(f"{operation} in {region} could not be called: {error}") from error


def _client_error(region: Region, operation: str, error: ClientError) -> Retry | Permanent | Refused:
    code = code_of(error)
    said = f"{operation} in {region}: {code}: {error.response.get('Error', {}).get('Message', '')}"
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    if code in _TRANSIENT or status >= 500:
        return Retry(said)
    if code in _REFUSALS and operation.endswith("SecurityGroupIngress"):
        return Refused(_REFUSALS[code], said)
    if code == "ResourceNotFoundException" and operation in ("Scan", "Query", "PutItem", "DeleteItem"):
        return NotDeployed(f"{said}: Ringfence is not deployed there, or under another cluster's name")
    return Permanent(said)
