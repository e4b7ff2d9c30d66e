"""What the command line says when it cannot do what it was asked to: one line of what happened, why, and what to do.

Knows botocore's errors; raises none of them further.
"""

from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectionClosedError,
    ConnectTimeoutError,
    EndpointConnectionError,
    NoCredentialsError,
    PartialCredentialsError,
    ProfileNotFound,
    ReadTimeoutError,
    SSOError,
    TokenRetrievalError,
    UnauthorizedSSOTokenError,
)

from ringfence.core.errors import RingfenceError


class CommandError(Exception):
    """What was asked for is not done. Its text is one line: what happened, why, what to do."""


class Interrupted(CommandError):
    """The operator pressed Ctrl-C while something was under way. Its text says what."""


_EXPIRED = {
    "ExpiredToken",
    "ExpiredTokenException",
    "RequestExpired",
    "InvalidClientTokenId",
    "UnrecognizedClientException",
}
_DENIED = {"AccessDenied", "AccessDeniedException", "UnauthorizedOperation", "AuthorizationError"}


def in_one_line(error: BaseException) -> str:
    """What went wrong with a call to AWS, why, and what to do."""
    match error:
        case NoCredentialsError() | PartialCredentialsError():
            said = (
                "there are no AWS credentials: set AWS_PROFILE, name a profile with --profile, or run `aws configure`"
            )
        case ProfileNotFound():
            said = f"{error}: name one that `aws configure list-profiles` shows"
        case SSOError() | TokenRetrievalError() | UnauthorizedSSOTokenError():
            said = f"the SSO session is over ({error}): run `aws sso login`"
        case ConnectTimeoutError() | ReadTimeoutError():
            said = "no answer in time"
        case ConnectionClosedError():
            said = "the connection was closed without an answer"
        case EndpointConnectionError():
            said = f"{error}: check the Region's name, the network and --endpoint-url"
        case ClientError():
            said = _answered(error)
        case BotoCoreError() | RingfenceError() | CommandError():
            said = str(error)
        case _:
            said = f"{type(error).__name__}: {error}"
    return " ".join(said.split())


def _answered(error: ClientError) -> str:
    code = error.response.get("Error", {}).get("Code", "")
    message = error.response.get("Error", {}).get("Message", "")
    if code in _EXPIRED:
        return f"AWS does not know these credentials ({code}): renew them"
    if code in _DENIED:
        return f"{error.operation_name} was denied: {message}"
    return f"{error.operation_name}: {code}: {message}"
