"""AWS with the operator's own credentials: clients that give up soon, and work in all Regions concurrently.

boto3 resolves credentials, profiles, SSO and `AWS_ENDPOINT_URL`. Knows no terminal.
"""

import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Generic, TypeVar
from urllib.parse import urlsplit

from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConfigParseError,
    NoCredentialsError,
    PartialCredentialsError,
    ProfileNotFound,
)

from ringfence import __version__
from ringfence.core.errors import RingfenceError
from ringfence.core.model.identifiers import Region
from ringfence_ops.aws.errors import command_error, in_one_line
from ringfence_ops.errors import CommandError, WrongUsage

if TYPE_CHECKING:
    import boto3
    from botocore.config import Config

T = TypeVar("T")

REGION_TIMEOUT = 4.5
"""Seconds after which a Region that has not answered is reported as unreachable."""


def check_endpoint(url: str, source: str) -> None:
    """Raises WrongUsage where the URL, from the source named, is none that requests can go to."""
    try:
        parts = urlsplit(url)
        is_endpoint = parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port or 1) > 0
    except ValueError:  # a port that is no number, or too large
        is_endpoint = False
    if not is_endpoint:
        raise WrongUsage(not_an_endpoint(url, source))


def not_an_endpoint(url: str, source: str) -> str:
    """What is said of an endpoint that is none."""
    return f"{source} is {url!r}, which is no URL: give one such as http://127.0.0.1:4566"


@dataclass(frozen=True, slots=True)
class Unreachable:
    """A Region that did not answer, or answered with an error. `reason` is one line."""

    reason: str


@dataclass(slots=True)
class Aws:
    """The operator's AWS. `profile` and `endpoint_url` are None where boto3 finds them."""

    profile: str | None = None
    endpoint_url: str | None = None
    _session: "boto3.Session | None" = None
    _clients: dict[tuple[str, str, bool], Any] = field(default_factory=dict)
    _caller: str = ""
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def client(self, service: str, region: Region, *, patient: bool = False) -> Any:
        """A client of the service, made once. A `patient` client waits longer and retries: for changes, not for reads.

        Raises botocore's errors of profiles and Regions.
        """
        from botocore.config import Config  # noqa: PLC0415  # its import takes as long as the rest of a command's start

        with self._lock:  # boto3's clients are thread-safe, its sessions are not
            if (service, region, patient) not in self._clients:
                config = Config(
                    connect_timeout=1,
                    read_timeout=60 if patient else 3,
                    # An operator who only reads sees the error, and runs the command again.
                    retries={"mode": "standard", "total_max_attempts": 5 if patient else 1},
                    max_pool_connections=24,
                    user_agent_extra=f"ringfence-cli/{__version__}",
                )
                self._clients[service, region, patient] = self._new_client(service, region, config)
            return self._clients[service, region, patient]

    def _new_client(self, service: str, region: Region, config: "Config") -> Any:
        """A new client. Call it with the lock. Raises WrongUsage for an endpoint that is no URL."""
        if self.endpoint_url is not None:
            check_endpoint(self.endpoint_url, "--endpoint-url")
        session = self._boto3_session()
        try:
            return session.client(
                service,  # type: ignore[call-overload]  # by name
                region_name=region,
                endpoint_url=self.endpoint_url,
                config=config,
            )
        except ValueError as error:  # botocore's, for an endpoint of the environment or of the profile
            if "endpoint" not in str(error):
                raise
            found = str(error).removeprefix("Invalid endpoint:").strip()
            raise WrongUsage(not_an_endpoint(found, "the endpoint of the environment or the profile")) from None

    def _boto3_session(self) -> "boto3.Session":
        """The session, made once. Call it with the lock."""
        import boto3  # noqa: PLC0415  # its import takes as long as the rest of a command's start

        self._session = self._session or boto3.Session(profile_name=self.profile)
        return self._session

    def default_region(self) -> Region:
        """The Region to ask where the operator named none: the one of the environment or the profile, else us-east-1.

        Credentials are valid in one partition only, so it decides in which partition clusters are looked for.
        """
        with self._lock:
            return Region(self._boto3_session().region_name or "us-east-1")

    def partition(self, regions: Iterable[Region]) -> str:
        """The partition that the Regions are in, as botocore knows it: `aws`, `aws-cn` and others.

        Raises WrongUsage where they are in several, and botocore's error for a Region of none.
        """
        with self._lock:
            found = {region: self._boto3_session().get_partition_for_region(region) for region in regions}
        if len(partitions := set(found.values())) != 1:
            where = ", ".join(f"{region} in {partition}" for region, partition in found.items())
            raise WrongUsage(f"all Regions of a cluster are in one partition, and these are in several: {where}")
        return str(partitions.pop())

    def prepare(self, services: Iterable[str], region: Region, *, patient: bool = False) -> None:
        """Makes a client of each service in this thread: the first client of a service reads its model, once for all
        Regions."""
        for service in services:
            self.client(service, region, patient=patient)

    def account(self, regions: Sequence[Region]) -> str:
        """The account of the credentials, from the first Region that answers.

        Raises CommandError where no Region answers.
        """

        def account(region: Region) -> str:
            identity = self.client("sts", region).get_caller_identity()
            self._caller = str(identity["Arn"])
            return str(identity["Account"])

        tasks = [_Task(lambda region=region: account(region)) for region in regions]  # type: ignore[misc]  # bound in the loop
        deadline = time.monotonic() + REGION_TIMEOUT
        while time.monotonic() < deadline and any(task.is_running for task in tasks):
            for task in tasks:
                if not task.is_running and isinstance(answer := task.result(deadline, REGION_TIMEOUT), str):
                    return answer
            time.sleep(0.01)
        answers = [task.result(deadline, REGION_TIMEOUT) for task in tasks]
        for answer in answers:
            if isinstance(answer, str):
                return answer
        reasons = sorted({answer.reason for answer in answers if isinstance(answer, Unreachable)})
        raise CommandError(f"no Region answers: {'; '.join(reasons)}")

    def caller(self, region: Region) -> str:
        """The ARN of who calls: `account` may have learnt it, otherwise the Region says. Raises botocore's errors."""
        self._caller = self._caller or str(self.client("sts", region).get_caller_identity()["Arn"])
        return self._caller

    def each_region(
        self, regions: Iterable[Region], work: Callable[[Region], T], seconds: float = REGION_TIMEOUT
    ) -> Mapping[Region, T | Unreachable]:
        """Runs the work for all Regions concurrently, and waits for at most `seconds` in all.

        Raises CommandError where there are no credentials, or no such profile: no Region can be asked then.
        """
        tasks = {region: _Task(lambda region=region: work(region)) for region in regions}  # type: ignore[misc]  # bound in the loop
        deadline = time.monotonic() + seconds
        return {region: task.result(deadline, seconds) for region, task in tasks.items()}


class _Task(Generic[T]):
    """Work in a daemon thread: the command may end while it hangs."""

    def __init__(self, work: Callable[[], T]) -> None:
        self._work = work
        self._done = threading.Event()
        self._result: list[T] = []
        self._error: BaseException | None = None
        threading.Thread(target=self._run, daemon=True).start()

    def _run(self) -> None:
        try:
            self._result.append(self._work())
        except BaseException as error:  # noqa: BLE001  # `result` raises it in the caller's thread
            self._error = error
        finally:
            self._done.set()

    @property
    def is_running(self) -> bool:
        """Whether there is no result yet."""
        return not self._done.is_set()

    def result(self, deadline: float, seconds: float) -> T | Unreachable:
        """The result, or why there is none. Waits until the deadline (of the monotonic clock), `seconds` in all."""
        if not self._done.wait(max(0.0, deadline - time.monotonic())):
            return Unreachable(f"no answer within {seconds:g} s")
        match self._error:
            case None:
                return self._result[0]
            case NoCredentialsError() | PartialCredentialsError() | ProfileNotFound() | ConfigParseError():
                raise command_error(self._error) from self._error
            case WrongUsage():
                raise self._error
            case BotoCoreError() | ClientError() | RingfenceError() | CommandError():
                return Unreachable(in_one_line(self._error))
            case _:
                raise self._error
