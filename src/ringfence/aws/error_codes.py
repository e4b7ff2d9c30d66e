"""The only list of AWS error codes in the project: turns what botocore raises into the engine's errors, and answers
what the command line asks of an error.

Knows nothing of what is done about an error.

Sources: EC2 API "Error codes", DynamoDB Developer Guide "Error handling", Auto Scaling API "Common errors", Amazon SQS
API "GetQueueUrl", Amazon S3 API "Error responses", IAM and AWS STS API "Common errors".
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager

from botocore.exceptions import BotoCoreError, ClientError, HTTPClientError
from botocore.exceptions import ConnectionError as BotoConnectionError
from botocore.parsers import ResponseParserError

from ringfence.core.errors import Denied, NotDeployed, Permanent, Refusal, Refused, Retry, Throttled
from ringfence.core.model.identifiers import Region

CONDITION_FAILED = "ConditionalCheckFailedException"

# Refused, dropped and timed-out connections, and answers that are none: botocore has no common base for them.
_NO_ANSWER = (HTTPClientError, BotoConnectionError, ResponseParserError)

_THROTTLING = {
    "RequestLimitExceeded",  # EC2's throttling
    "Throttling",
    "ThrottlingException",
    "ThrottledException",
    "RequestThrottled",
    "RequestThrottledException",
    "TooManyRequestsException",
    "ProvisionedThroughputExceededException",
}

_TRANSIENT = {
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

_ABSENT = {
    "ResourceNotFoundException",  # DynamoDB, Lambda, EventBridge, EventBridge Scheduler, CloudWatch Logs
    "QueueDoesNotExist",
    "NotFound",  # SNS
    "ResourceNotFound",  # CloudWatch
    "AWS.SimpleQueueService.NonExistentQueue",
    "NoSuchEntity",  # IAM
    "TableNotFoundException",  # DynamoDB's backups
}
_DELETED_QUEUE = {"QueueDeletedRecently", "AWS.SimpleQueueService.QueueDeletedRecently"}
_ABSENT_BUCKET = {"404", "NoSuchBucket", "NotFound"}  # a HEAD request has no body, so its status is the code
_ABSENT_OBJECT = {"404", "NoSuchKey", "NotFound"}
_FORBIDDEN_BUCKET = {"403", "AccessDenied"}

_UNKNOWN_CREDENTIALS = {
    "AuthFailure",  # EC2's
    "ExpiredToken",
    "ExpiredTokenException",
    "RequestExpired",
    "InvalidClientTokenId",
    "UnrecognizedClientException",
}
_NEW_ROLE = (
    "role defined for the function cannot be assumed by Lambda",
    "must allow AWS EventBridge Scheduler to assume the role",
)
_DENIED = {"AccessDenied", "AccessDeniedException", "UnauthorizedOperation", "AuthorizationError"}
_DRY_RUN_ALLOWED, _DRY_RUN_DENIED = "DryRunOperation", "UnauthorizedOperation"

_OF_TABLE = {"DescribeTable", "Scan", "Query", "PutItem", "DeleteItem"}

_UNKNOWN_INSTANCES = {"InvalidInstanceID.NotFound", "InvalidInstanceID.Malformed"}
_INSTANCE_ID = re.compile(r"i-[0-9a-f]+")

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


def message_of(error: ClientError) -> str:
    """AWS's message in a ClientError."""
    return error.response.get("Error", {}).get("Message", "")


def is_inactive_lifecycle_action(error: ClientError) -> bool:
    """Whether CompleteLifecycleAction says that no such action is active (any more).

    Auto Scaling has no code of its own for it: `ValidationError`, "No active Lifecycle Action found with ...".
    """
    return code_of(error) == "ValidationError" and "No active Lifecycle Action" in str(error)


def unknown_instances(error: ClientError) -> frozenset[str]:
    """The instance ids that a call was refused for, because EC2 does not know them; empty for any other error.

    The message names all of them: `InvalidInstanceID.NotFound`, "The instance IDs 'i-..., i-...' do not exist".
    Source: EC2 API Reference, "Error codes"; the wording: aws-plugin-for-slurm #16.
    """
    return frozenset(_INSTANCE_ID.findall(message_of(error))) if code_of(error) in _UNKNOWN_INSTANCES else frozenset()


def is_absent(error: ClientError) -> bool:
    """Whether the table, function, rule, schedule, queue, role or log group that a call names does not exist."""
    return code_of(error) in _ABSENT


def is_unknown_quota(error: ClientError) -> bool:
    """Whether Service Quotas has no applied value of a quota."""
    return code_of(error) == "NoSuchResourceException"


def is_deleted_queue(error: ClientError) -> bool:
    """Whether a queue's name cannot be used, because a queue with this name was deleted less than 60 seconds ago.

    Source: SQS API Reference, `CreateQueue`.
    """
    return code_of(error) in _DELETED_QUEUE


def is_absent_scaling_group(error: ClientError) -> bool:
    """Whether an Auto Scaling group does not exist. Auto Scaling has no code of its own for it."""
    return code_of(error) == "ValidationError" and "not found" in message_of(error)


def is_absent_stack(error: ClientError) -> bool:
    """Whether a stack does not exist.

    CloudFormation has no code of its own for it: `ValidationError`, "Stack with id ... does not exist".
    """
    return "does not exist" in message_of(error)


def is_new_role(reason: str) -> bool:
    """Whether Lambda or EventBridge Scheduler refused a role that may only be new: it is not visible to them yet.

    CloudFormation passes their messages on. Neither is documented; both are in many reports, such as issue 3498 of
    aws/aws-sdk-js and issue 6494 of aws/aws-sdk-js-v3.
    """
    return any(words in reason for words in _NEW_ROLE)


def is_absent_bucket(error: ClientError) -> bool:
    """Whether a bucket does not exist."""
    return code_of(error) in _ABSENT_BUCKET


def is_absent_object(error: ClientError) -> bool:
    """Whether a bucket has no object of the key."""
    return code_of(error) in _ABSENT_OBJECT


def is_forbidden_bucket(error: ClientError) -> bool:
    """Whether a bucket belongs to another account, or the caller may not use it."""
    return code_of(error) in _FORBIDDEN_BUCKET


def is_unknown_credentials(error: ClientError) -> bool:
    """Whether AWS does not know the credentials, or not any more."""
    return code_of(error) in _UNKNOWN_CREDENTIALS


def is_denied(error: ClientError) -> bool:
    """Whether the caller lacks the permission."""
    return code_of(error) in _DENIED


def dry_run_allowed(error: ClientError) -> bool | None:
    """Whether EC2 would have allowed a call with `DryRun`; None where it fails for another reason.

    Source: EC2 API Reference, common parameter `DryRun`.
    """
    return {_DRY_RUN_ALLOWED: True, _DRY_RUN_DENIED: False}.get(code_of(error))


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
    said = f"{operation} in {region}: {code}: {message_of(error)}"
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    if code in _THROTTLING:
        return Throttled(said)
    if code in _TRANSIENT or status >= 500:
        return Retry(said)
    if code in _REFUSALS and operation.endswith("SecurityGroupIngress"):
        return Refused(_REFUSALS[code], said)
    if code == "ResourceNotFoundException" and operation in _OF_TABLE:
        return NotDeployed(f"{said}: Ringfence is not deployed there, or under another cluster's name")
    return Denied(said) if code in _DENIED else Permanent(said)
