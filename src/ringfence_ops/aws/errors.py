"""Turns an error of a call to AWS into one line for the operator: what happened, why, and what to do.

Knows botocore's errors; `ringfence.aws.error_codes` knows AWS's codes.
"""

from collections.abc import Mapping
from typing import cast

from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConfigParseError,
    ConnectionClosedError,
    ConnectTimeoutError,
    EndpointConnectionError,
    InvalidRegionError,
    NoCredentialsError,
    PartialCredentialsError,
    ProfileNotFound,
    ReadTimeoutError,
    SSOError,
    TokenRetrievalError,
    UnauthorizedSSOTokenError,
    UnknownRegionError,
)

from ringfence.aws.error_codes import code_of, is_denied, is_unknown_credentials, message_of
from ringfence.core.errors import RingfenceError
from ringfence_ops.errors import CommandError, WrongUsage


def in_one_line(error: BaseException) -> str:
    """What went wrong with a call to AWS, why, and what to do."""
    match error:
        case NoCredentialsError() | PartialCredentialsError():
            line = (
                "there are no AWS credentials: set AWS_PROFILE, name a profile with --profile, or run `aws configure`"
            )
        case ProfileNotFound():
            line = f"{error}: name one that `aws configure list-profiles` shows"
        case SSOError() | TokenRetrievalError() | UnauthorizedSSOTokenError():
            line = f"the SSO session is over ({error}): run `aws sso login`"
        case ConnectTimeoutError() | ReadTimeoutError():
            line = "no answer in time"
        case ConnectionClosedError():
            line = "the connection was closed without an answer"
        case EndpointConnectionError():
            line = f"{error}: check the Region's name, the network and --endpoint-url"
        case ClientError():
            line = _client_error(error)
        case UnknownRegionError() | InvalidRegionError() | ConfigParseError() | OSError():
            line = _of_input(error)
        case BotoCoreError() | RingfenceError() | CommandError():
            line = str(error)
        case _:
            line = f"{type(error).__name__}: {error}"
    return " ".join(line.split())


def _of_input(error: UnknownRegionError | InvalidRegionError | ConfigParseError | OSError) -> str:
    """What is wrong with a Region, a file or the output that the operator named."""
    match error:
        case ConfigParseError():
            return f"{error.kwargs['path']} is no configuration file of AWS, or no UTF-8 text"
        case OSError(filename=str(name), strerror=str(why)):
            return f"{name}: {why}"
        case OSError(filename=None, strerror=str(why)):
            return f"the output cannot be written: {why}"
        case UnknownRegionError() | InvalidRegionError():
            region = cast("Mapping[str, object]", error.kwargs)["region_name"]
            return f"{region!r} is no Region: give a code such as us-east-1"
        case _:
            return f"{type(error).__name__}: {error}"


def command_error(error: BaseException) -> CommandError:
    """The error in one line, with its exit code: what was called with a Region or a profile that is none is wrong
    usage."""
    match error:
        case CommandError():
            return error
        case ProfileNotFound() | InvalidRegionError() | UnknownRegionError() | ConfigParseError():
            return WrongUsage(in_one_line(error))
        case _:
            return CommandError(in_one_line(error))


def _client_error(error: ClientError) -> str:
    if is_unknown_credentials(error):
        return f"AWS does not know these credentials ({code_of(error)}): renew them"
    if is_denied(error):
        return f"{error.operation_name} was denied: {message_of(error)}"
    return f"{error.operation_name}: {code_of(error)}: {message_of(error)}"
