"""Makes the AWS clients, and names in every call the event that caused it.

Uses botocore only: boto3 would add an import of S3 transfers, which the engine does not need. Knows nothing of what the
clients are used for.
"""

import re
from dataclasses import dataclass
from typing import Any

from botocore.awsrequest import AWSPreparedRequest
from botocore.config import Config
from botocore.session import Session

from ringfence import __version__
from ringfence.core.model.identifiers import Region

# A failed call at home delays everything, so it is tried again. Lambda's own time-out is 30 s.
_HOME = Config(
    connect_timeout=1, read_timeout=5, retries={"mode": "standard", "total_max_attempts": 3}, max_pool_connections=16
)
# A peer that is down must not delay the home Region: there is one attempt, and the next reconcile is the retry.
_PEER = Config(
    connect_timeout=1, read_timeout=3, retries={"mode": "standard", "total_max_attempts": 1}, max_pool_connections=16
)

_NOT_IN_USER_AGENT = re.compile(r"[^a-zA-Z0-9!$%&*+.^_`|~-]+")
_CAUSE_LIMIT = 400
"""Characters of the causes in the user agent: ten event ids, well within CloudTrail's 1 KB for the field."""


@dataclass(slots=True)
class Attribution:
    """Names, in the user agent of every call, the events that caused it, so that CloudTrail leads back to them."""

    causes: tuple[str, ...] = ()

    def sign(self, request: AWSPreparedRequest, **_: object) -> None:
        """Botocore's `before-send` handler. It runs last, after Powertools has added its own name.

        The signature does not cover the user agent, so the handler may still change it.
        """
        causes = "+".join(_NOT_IN_USER_AGENT.sub("_", cause) for cause in self.causes)[:_CAUSE_LIMIT]
        agent = request.headers.get("User-Agent", "")
        agent = agent.decode() if isinstance(agent, bytes) else agent
        request.headers["User-Agent"] = f"{agent} ringfence/{__version__} cause/{causes or 'none'}".strip()


@dataclass(frozen=True, slots=True)
class Clients:
    """Makes clients for the home Region and its peers."""

    session: Session
    home: Region
    attribution: Attribution

    def make(self, service: str, region: Region) -> Any:
        """A client of the service, by botocore's name for it. Making one takes tens of milliseconds: keep it.

        Timestamps stay text: the engine reads none, and parsing them takes a fifth of the time of reading instances.
        """
        self.session.get_component("response_parser_factory").set_parser_defaults(timestamp_parser=str)
        config = _HOME if region == self.home else _PEER
        client: Any = self.session.create_client(service, region_name=region, config=config)
        client.meta.events.register("before-send.*", self.attribution.sign)
        return client
