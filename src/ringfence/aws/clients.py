"""Makes the AWS clients, and signs every call with the event that caused it.

By botocore alone: most invocations are cold, and boto3 imports transfers to S3, which nobody here needs. Knows nothing
of what the clients are used for.
"""

import re
from typing import Any

from botocore.awsrequest import AWSPreparedRequest
from botocore.config import Config
from botocore.handlers import BUILTIN_HANDLERS, REGISTER_FIRST, REGISTER_LAST
from botocore.session import Session

from ringfence import __version__
from ringfence.core.model.identifiers import Region
from ringfence.records import dataclass

# At home a call that fails holds everything up, so it is tried again; Lambda's own time-out is 30 s.
_HOME = Config(
    connect_timeout=1, read_timeout=5, retries={"mode": "standard", "total_max_attempts": 3}, max_pool_connections=16
)
# A peer that is down must not hold the home Region up: one try, and the next reconcile is the retry.
_PEER = Config(
    connect_timeout=1, read_timeout=3, retries={"mode": "standard", "total_max_attempts": 1}, max_pool_connections=16
)

SERVICES = frozenset({"autoscaling", "dynamodb", "ec2", "sqs"})
"""All that the engine calls."""

_NOT_IN_USER_AGENT = re.compile(r"[^a-zA-Z0-9!$%&*+.^_`|~-]+")
_CAUSE_LIMIT = 400
"""Characters of the causes in the user agent: ten event ids, well within CloudTrail's 1 KB for the field."""


@dataclass(slots=True)
class Attribution:
    """Names, in the user agent of every call, the events that caused it, so that CloudTrail leads back to them."""

    causes: tuple[str, ...] = ()

    def sign(self, request: AWSPreparedRequest, **_: object) -> None:
        """Botocore's `before-send` handler: the last to touch a request, after Powertools named itself.

        A signature does not cover the user agent, so that it may still change.
        """
        causes = "+".join(_NOT_IN_USER_AGENT.sub("_", cause) for cause in self.causes)[:_CAUSE_LIMIT]
        agent = request.headers.get("User-Agent", "")
        agent = agent.decode() if isinstance(agent, bytes) else agent
        request.headers["User-Agent"] = f"{agent} ringfence/{__version__} cause/{causes or 'none'}".strip()


def session() -> Session:
    """A session of botocore's with those of its handlers that can concern a call of the engine's.

    It has more than a hundred for other services and for documentation; to register all of them, and to copy them into
    every client, was a fifteenth of a cold start.
    """
    made = Session(include_builtin_handlers=False)
    emitter = made.get_component("event_emitter")
    register = {
        (): emitter.register,
        (REGISTER_FIRST,): emitter.register_first,
        (REGISTER_LAST,): emitter.register_last,
    }
    for event, handler, *position in BUILTIN_HANDLERS:
        if _concerns(event):
            register[tuple(position)](event, handler)
    return made


def _concerns(event: str) -> bool:
    """Whether botocore's event can be one of a call of ours: those of a service name it after the first dot."""
    name, _, subject = event.partition(".")
    return name != "docs" and (not subject or subject.partition(".")[0] in SERVICES | {"*"})


@dataclass(frozen=True, slots=True)
class Clients:
    """Makes clients for the home Region and its peers."""

    session: Session
    home: Region
    attribution: Attribution

    def make(self, service: str, region: Region) -> Any:
        """A client of the service, by its name in botocore. Building one costs tens of milliseconds: keep it.

        Timestamps stay the text that they come as: nobody here reads one, and to understand that of each instance
        costs a fifth of reading all instances.
        """
        self.session.get_component("response_parser_factory").set_parser_defaults(timestamp_parser=str)
        config = _HOME if region == self.home else _PEER
        client: Any = self.session.create_client(service, region_name=region, config=config)
        client.meta.events.register("before-send.*", self.attribution.sign)
        return client
