"""A cluster in sync on which an instance launches, with the engine in charge, or the baseline.

Knows how each is called, and nothing of what is measured.
"""

import io
import json
import os
from collections.abc import Callable, Mapping, Sequence
from contextlib import redirect_stdout
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache, partial
from importlib import import_module
from types import SimpleNamespace
from typing import Any, Protocol

from benchmarks import baseline
from benchmarks.aws import GROUP, SECURITY_GROUP, Aws, Region
from benchmarks.deployed import unpacked
from benchmarks.transport import Transport

HOME, PEER = "us-east-1", "eu-west-1"
REGIONS = (
    HOME,
    PEER,
    "us-west-2",
    "eu-central-1",
    "ap-southeast-2",
    "us-east-2",
    "eu-west-2",
    "ap-northeast-1",
    "ca-central-1",
    "sa-east-1",
)
TRUE_UP = {"trueup": True}
CREDENTIALS = {"AWS_ACCESS_KEY_ID": "AKIAEXAMPLE", "AWS_SECRET_ACCESS_KEY": "example"}

Event = Mapping[str, Any]


def environment(home: str, regions: Sequence[str]) -> dict[str, str]:
    """The environment of the engine's function."""
    return CREDENTIALS | {
        "AWS_REGION": home,
        "AWS_DEFAULT_REGION": home,
        "RINGFENCE_CLUSTER": "bench",
        "RINGFENCE_REGIONS": ",".join(regions),
        "RINGFENCE_AUTO_SCALING_GROUPS": GROUP,
        "RINGFENCE_SECURITY_GROUPS": SECURITY_GROUP,
        "RINGFENCE_ACCOUNT": "123456789012",
        "RINGFENCE_LAUNCH_HOOK": "ringfence-bench-launch",
        "RINGFENCE_TERMINATE_HOOK": "ringfence-bench-terminate",
        "RINGFENCE_RULES_QUOTA": "1000",
        "RINGFENCE_TABLE": "ringfence-bench",
        "RINGFENCE_DEAD_LETTER_QUEUE_URL": "https://sqs.us-east-1.amazonaws.com/123456789012/dead",
        "POWERTOOLS_SERVICE_NAME": "bench",
        "POWERTOOLS_METRICS_NAMESPACE": "Ringfence",
    }


class _Nowhere(io.StringIO):
    """Where the engine's log goes: it is written, and forgotten."""

    def write(self, text: str) -> int:
        return len(text)


_NOWHERE = _Nowhere()
quietly = partial(redirect_stdout, _NOWHERE)


@dataclass(slots=True)
class Stage:
    """A cluster of so many members in each Region, at first in sync. `transport` is the way to it."""

    transport: Transport
    regions: Sequence[str]
    kept: Mapping[str, Region] = field(default_factory=dict)

    @classmethod
    def of(cls, members: int, latency: Mapping[str, float]) -> "Stage":
        """One of the Regions that the latencies, in seconds, are given for."""
        aws = Aws(latency)
        for region in aws.regions.values():
            for _ in range(members):
                region.launch("InService")
        return cls(Transport(aws, latency), tuple(latency))

    def keep(self) -> None:
        """What there is now is what `again` goes back to."""
        self.kept = self.transport.aws.keep()

    def again(self) -> None:
        """All is as it was kept, and no call was made yet."""
        self.transport.aws.restore(self.kept)
        self.transport.calls.clear()

    def launch(self, count: int = 1) -> list[Event]:
        """So many instances launch at home, and wait. Returns their events."""
        home = self.transport.aws.regions[HOME]
        return [launching(home.launch("Pending:Wait")) for _ in range(count)]

    @property
    def answered(self) -> bool:
        """Whether nobody waits, and every member of the home Region is admitted in every Region that answers."""
        regions = self.transport.aws.regions
        everybody = regions[HOME].instances.values()
        return not regions[HOME].waiting and all(
            region.admits(address)
            for name, region in regions.items()
            for address in everybody
            if name not in self.transport.hangs
        )


def launching(instance: str) -> Event:
    """The event of an instance that waits to launch."""
    return {
        "version": "0",
        "id": f"event-{instance}",
        "detail-type": "EC2 Instance-launch Lifecycle Action",
        "source": "aws.autoscaling",
        "account": "123456789012",
        "time": datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z"),
        "region": HOME,
        "resources": [],
        "detail": {
            "LifecycleActionToken": f"token-for-the-hook-{instance}",
            "AutoScalingGroupName": GROUP,
            "LifecycleHookName": "ringfence-bench-launch",
            "EC2InstanceId": instance,
            "LifecycleTransition": "autoscaling:EC2_INSTANCE_LAUNCHING",
            "Origin": "EC2",
            "Destination": "AutoScalingGroup",
        },
    }


class Side(Protocol):
    """Who is in charge of a stage."""

    stage: Stage

    def take(self, events: Sequence[Event]) -> None:
        """The events of instances that wait."""


class Engine:
    """The engine's function in the home Region, warm: as Lambda runs it, with the queue's batches."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        transport = stage.transport
        latency, transport.latency = transport.latency, dict.fromkeys(stage.regions, 0.0)
        with transport.in_place():
            for _ in range(2):  # after two true-ups everybody knows everybody
                for home in stage.regions:
                    self.invoke(TRUE_UP, home)
            self.invoke(TRUE_UP)  # whose clients have made their first calls by now
        transport.latency = latency
        stage.keep()

    def take(self, events: Sequence[Event]) -> None:
        """Batches as the queue makes them of a burst: the first event alone, then ten at a time."""
        for batch in (events[:1], *(events[start : start + 10] for start in range(1, len(events), 10))):
            self.invoke({"Records": [{"messageId": event["id"], "body": json.dumps(event)} for event in batch]})

    def invoke(self, payload: object, home: str = HOME) -> None:
        """One invocation of a Region's function."""
        (handler, _), built = _handler(), _engine(home, tuple(self.stage.regions))
        handler.engine = lambda: built  # in place of the one that the environment describes now
        with quietly():
            handler.handler(payload, SimpleNamespace(aws_request_id="bench"))


@cache
def _handler() -> tuple[Any, Callable[[], object]]:
    """The engine's module, which reads the environment when it is imported, and asks where to print; and what builds an
    engine there."""
    os.environ.update(environment(HOME, REGIONS))
    with quietly():
        handler: Any = import_module("ringfence.runtime.handler")
    return handler, handler.engine.__wrapped__


@cache
def _engine(home: str, regions: tuple[str, ...]) -> object:
    """The engine of a Region's function, with its clients, which know of AWS what the artefact says."""
    _, build = _handler()
    os.environ.update(environment(home, regions), AWS_DATA_PATH=str(unpacked() / "botocore" / "data"))
    try:
        return build()
    finally:
        del os.environ["AWS_DATA_PATH"]  # the baseline's know all of it


class Baseline:
    """The baseline's function: an event is an invocation."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        self._peer = next(region for region in stage.regions if region != HOME)
        os.environ.update(CREDENTIALS)
        regions = stage.transport.aws.regions
        everybody = {f"{address}/32" for region in regions.values() for address in region.instances.values()}
        for region in regions.values():
            for number, cidr in enumerate(sorted(everybody)):
                region.rules[f"sgr-{number}"] = {"cidr": cidr, "description": ""}
            for name, other in regions.items():
                addresses = sorted(f"{address}/32" for address in other.instances.values())
                item = {"region": {"S": name}, "asg": {"S": GROUP}, "ips": {"SS": addresses}}
                region.items[baseline.TABLE, name, GROUP] = item
        stage.keep()

    def take(self, events: Sequence[Event]) -> None:
        """The events, one after the other: side by side, the original loses updates."""
        for event in events:
            baseline.handle(event, HOME, self._peer)
