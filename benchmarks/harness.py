"""A testbed: a cluster in sync on which instances launch, and the two sides that handle their events.

It knows how each side is called. It must not know what is measured.
"""

import io
import json
import os
from collections.abc import Mapping, Sequence
from contextlib import redirect_stdout
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache, partial
from types import SimpleNamespace
from typing import Any, Protocol

from benchmarks import baseline
from benchmarks.aws import GROUP, SECURITY_GROUP, RegionState, StubAws
from benchmarks.deployed import unpacked
from benchmarks.transport import Transport
from ringfence.runtime.handler import Handler

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
QUEUE_ARN = f"arn:aws:sqs:{HOME}:123456789012:ringfence-bench.fifo"
TRUE_UP = {"trueup": True}
CREDENTIALS = {"AWS_ACCESS_KEY_ID": "AKIAEXAMPLE", "AWS_SECRET_ACCESS_KEY": "example"}

EventJson = Mapping[str, Any]


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
        "RINGFENCE_QUEUE_ARN": QUEUE_ARN,
        "RINGFENCE_DEAD_LETTER_QUEUE_URL": "https://sqs.us-east-1.amazonaws.com/123456789012/dead",
        "POWERTOOLS_SERVICE_NAME": "bench",
        "POWERTOOLS_METRICS_NAMESPACE": "Ringfence",
    }


class _Discarded(io.StringIO):
    """Receives the engine's log, and discards it."""

    def write(self, text: str) -> int:
        return len(text)


_DISCARDED = _Discarded()
quietly = partial(redirect_stdout, _DISCARDED)


@dataclass(slots=True)
class Testbed:
    """A cluster with the same number of members in each Region, at first in sync. Calls go through `transport`."""

    __test__ = False  # no class of tests, for pytest

    transport: Transport
    regions: Sequence[str]
    kept: Mapping[str, RegionState] = field(default_factory=dict)

    @classmethod
    def of(cls, members: int, latency: Mapping[str, float]) -> "Testbed":
        """A testbed with the Regions of `latency`, which is in seconds."""
        aws = StubAws(latency)
        for region in aws.regions.values():
            for _ in range(members):
                region.launch("InService")
        return cls(Transport(aws, latency), tuple(latency))

    def keep(self) -> None:
        """Keeps the current state for `restore`."""
        self.kept = self.transport.aws.keep()

    def restore(self) -> None:
        """Restores the kept state, and clears the calls."""
        self.transport.aws.restore(self.kept)
        self.transport.calls.clear()

    def launch(self, count: int = 1) -> list[EventJson]:
        """Launches instances at home, which wait for their hook. Returns their events."""
        home = self.transport.aws.regions[HOME]
        return [launching(home.launch("Pending:Wait")) for _ in range(count)]

    @property
    def answered(self) -> bool:
        """Whether no instance waits, and every Region that answers admits every member of the home Region."""
        regions = self.transport.aws.regions
        addresses = regions[HOME].instances.values()
        return not regions[HOME].waiting and all(
            region.admits(address)
            for name, region in regions.items()
            for address in addresses
            if name not in self.transport.hangs
        )


def launching(instance: str) -> EventJson:
    """The event of a launching instance that waits for its hook."""
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
            "LifecycleActionToken": f"{instance[2:10]}-0000-4000-8000-000{instance[10:]}",
            "AutoScalingGroupName": GROUP,
            "LifecycleHookName": "ringfence-bench-launch",
            "EC2InstanceId": instance,
            "LifecycleTransition": "autoscaling:EC2_INSTANCE_LAUNCHING",
            "Origin": "EC2",
            "Destination": "AutoScalingGroup",
        },
    }


def record(event: EventJson) -> Mapping[str, str]:
    """The event as a record of the queue."""
    return {"messageId": event["id"], "eventSourceARN": QUEUE_ARN, "body": json.dumps(event)}


class Side(Protocol):
    """One side of a comparison: a function that handles the events of a testbed."""

    testbed: Testbed

    def handle(self, events: Sequence[EventJson]) -> None:
        """Handles the events of waiting instances."""


class EngineSide:
    """The engine's warm function in the home Region, invoked as by Lambda with batches of the queue."""

    def __init__(self, testbed: Testbed) -> None:
        self.testbed = testbed
        transport = testbed.transport
        latency, transport.latency = transport.latency, dict.fromkeys(testbed.regions, 0.0)
        with transport.in_place():
            for _ in range(2):  # after two true-ups every Region knows all members
                for home in testbed.regions:
                    self.invoke(TRUE_UP, home)
            self.invoke(TRUE_UP)  # its clients have made their first calls by now
        transport.latency = latency
        testbed.keep()

    def handle(self, events: Sequence[EventJson]) -> None:
        """Forms batches as the queue does in a burst: the first event alone, then batches of ten."""
        for batch in (events[:1], *(events[start : start + 10] for start in range(1, len(events), 10))):
            self.invoke({"Records": [record(event) for event in batch]})

    def invoke(self, payload: object, home: str = HOME) -> None:
        """Invokes a Region's function once."""
        with quietly():
            _handler(home, tuple(self.testbed.regions))(payload, SimpleNamespace(aws_request_id="bench"))


@cache
def _handler(home: str, regions: tuple[str, ...]) -> Handler:
    """The handler of a Region's function, whose clients use the service models of the artefact."""
    variables = environment(home, regions)
    os.environ.update(variables, AWS_DATA_PATH=str(unpacked() / "botocore" / "data"))
    try:
        handler = Handler(variables)
        handler.prepare()
    finally:
        del os.environ["AWS_DATA_PATH"]  # the baseline uses the complete models
    return handler


class BaselineSide:
    """The baseline's function: one invocation for each event."""

    def __init__(self, testbed: Testbed) -> None:
        self.testbed = testbed
        self._peer = next(region for region in testbed.regions if region != HOME)
        os.environ.update(CREDENTIALS)
        regions = testbed.transport.aws.regions
        addresses = {f"{address}/32" for region in regions.values() for address in region.instances.values()}
        for region in regions.values():
            for number, cidr in enumerate(sorted(addresses)):
                region.rules[f"sgr-{number}"] = {"cidr": cidr, "description": ""}
            for name, home in regions.items():
                recorded = sorted(f"{address}/32" for address in home.instances.values())
                item = {"region": {"S": name}, "asg": {"S": GROUP}, "ips": {"SS": recorded}}
                region.items[baseline.TABLE, name, GROUP] = item
        testbed.keep()

    def handle(self, events: Sequence[EventJson]) -> None:
        """Handles the events in sequence: concurrently, the original loses updates."""
        for event in events:
            baseline.handle(event, HOME, self._peer)
