"""AWS as the operator's own credentials reach it: clients that give up soon, and every Region asked at a time.

Credentials, profiles, SSO and `AWS_ENDPOINT_URL` are boto3's own affair. Knows no terminal.
"""

import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError, PartialCredentialsError, ProfileNotFound

from ringfence import __version__
from ringfence.core.errors import RingfenceError
from ringfence.core.model.identifiers import Region
from ringfence_ops.aws.errors import CommandError, in_one_line

if TYPE_CHECKING:
    import boto3

T = TypeVar("T")
ClientOf = Callable[[str, Region], Any]
"""A client of a service in a Region."""

TOTAL = 4.5
"""Seconds after which a Region that has not answered is shown as unreachable."""


@dataclass(frozen=True, slots=True)
class Unreachable:
    """A Region that did not answer, or answered with an error: why, in one line."""

    reason: str


@dataclass(slots=True)
class Aws:
    """The operator's AWS. `profile` and `endpoint_url` are None where boto3 finds them by itself."""

    profile: str | None = None
    endpoint_url: str | None = None
    _session: "boto3.Session | None" = None
    _clients: dict[tuple[str, str, bool], Any] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def client(self, service: str, region: Region, patient: bool = False) -> Any:
        """A client of the service, made once. A `patient` one is for work, not for looking: it waits longer, and tries
        again. Raises what botocore raises of profiles and Regions."""
        import boto3  # noqa: PLC0415  # takes as long as the whole start of a command
        from botocore.config import Config  # noqa: PLC0415  # likewise

        with self._lock:  # boto3's sessions are not made for threads, its clients are
            if (service, region, patient) not in self._clients:
                self._session = self._session or boto3.Session(profile_name=self.profile)
                self._clients[service, region, patient] = self._session.client(
                    service,  # type: ignore[call-overload]  # by name
                    region_name=region,
                    endpoint_url=self.endpoint_url,
                    config=Config(
                        connect_timeout=1,
                        read_timeout=60 if patient else 3,
                        # Whoever only looks sees what failed, and asks again.
                        retries={"mode": "standard", "total_max_attempts": 5 if patient else 1},
                        max_pool_connections=24,
                        user_agent_extra=f"ringfence-cli/{__version__}",
                    ),
                )
            return self._clients[service, region, patient]

    def account(self, regions: Sequence[Region]) -> str:
        """The account that the credentials are of, as the first Region to answer says.

        Raises CommandError where none does: then there is nothing to look at.
        """

        def account(region: Region) -> str:
            return str(self.client("sts", region).get_caller_identity()["Account"])

        working = [_Working(lambda region=region: account(region)) for region in regions]  # type: ignore[misc]  # bound in the loop
        deadline = time.monotonic() + TOTAL
        while time.monotonic() < deadline and any(one.is_under_way for one in working):
            for one in working:
                if not one.is_under_way and isinstance(found := one.outcome(deadline, TOTAL), str):
                    return found
            time.sleep(0.01)
        outcomes = [one.outcome(deadline, TOTAL) for one in working]
        for outcome in outcomes:
            if isinstance(outcome, str):
                return outcome
        reasons = sorted({outcome.reason for outcome in outcomes if isinstance(outcome, Unreachable)})
        raise CommandError(f"no Region answers: {'; '.join(reasons)}")

    def each_region(
        self, regions: Iterable[Region], work: Callable[[Region], T], seconds: float = TOTAL
    ) -> Mapping[Region, T | Unreachable]:
        """Does the work for all Regions at a time, and waits for none longer than `seconds` in all.

        Raises CommandError where there are no credentials, or no such profile: then no Region can be asked.
        """
        working = {region: _Working(lambda region=region: work(region)) for region in regions}  # type: ignore[misc]  # bound in the loop
        deadline = time.monotonic() + seconds
        return {region: one.outcome(deadline, seconds) for region, one in working.items()}


class _Working(Generic[T]):
    """Work under way in a thread that nobody has to wait for: the command may end while it hangs."""

    def __init__(self, work: Callable[[], T]) -> None:
        self._work = work
        self._done = threading.Event()
        self._result: list[T] = []
        self._error: BaseException | None = None
        threading.Thread(target=self._run, daemon=True).start()

    def _run(self) -> None:
        try:
            self._result.append(self._work())
        except BaseException as error:  # noqa: BLE001  # whoever waits for the result raises it
            self._error = error
        finally:
            self._done.set()

    @property
    def is_under_way(self) -> bool:
        """Whether there is nothing yet to have."""
        return not self._done.is_set()

    def outcome(self, deadline: float, seconds: float) -> T | Unreachable:
        """The result, or why there is none."""
        if not self._done.wait(max(0.0, deadline - time.monotonic())):
            return Unreachable(f"no answer within {seconds:g} s")
        match self._error:
            case None:
                return self._result[0]
            case NoCredentialsError() | PartialCredentialsError() | ProfileNotFound():
                raise CommandError(in_one_line(self._error)) from self._error
            case BotoCoreError() | ClientError() | RingfenceError() | CommandError():
                return Unreachable(in_one_line(self._error))
            case _:
                raise self._error
