"""What is fuzzed: each parser of the project with its inputs, and the errors that it documents."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from ringfence.aws.pause_item import pause_from_item
from ringfence.aws.roster_item import bad_row, from_item, held_from_item
from ringfence.core.deployment import Requirements
from ringfence.core.errors import Permanent, Unsafe
from ringfence.core.events import parse
from ringfence.core.model.identifiers import ANNOUNCEMENT, Region, RuleId, SecurityGroupId
from ringfence.core.model.ports import Ports
from ringfence.core.model.rules import Label, is_describable
from ringfence.runtime import config
from ringfence.runtime.announcement import replaced
from ringfence.runtime.batch import Message
from ringfence.runtime.custom_resource import answer, may_be_answered, request_in
from ringfence_ops.cluster import cluster_file
from ringfence_ops.errors import CommandError
from ringfence_ops.logs.audit_log import AuditLog
from ringfence_ops.logs.cloudtrail import EventHistory
from tests.fuzz import inputs, seeds, variants
from tests.fuzz.function import consume
from tests.unit.builders import NOW, environment

EAST = Region("us-east-1")
Variants = Callable[[Any, int, int], Iterator[Any]]
"""Makes so many inputs of one, by a seed."""


@dataclass(frozen=True, slots=True)
class Target:
    """A parser. `share` is its part of all inputs. `seeds` are inputs that once failed.

    `seconds` is the maximum time of the processor for one input, or for one message of a batch.
    """

    name: str
    share: float
    bases: SearchStrategy[Any]
    variants: Variants
    run: Callable[[Any], object]
    seeds: tuple[Any, ...]
    errors: tuple[type[Exception], ...] = ()
    seconds: float = 0.05

    def __str__(self) -> str:
        return self.name


@dataclass(frozen=True, slots=True)
class Pages:
    """A client that has one page of answers for every operation."""

    page: Mapping[str, Any]

    def get_paginator(self, _operation: str) -> "Pages":
        return self

    def paginate(self, **_arguments: object) -> Iterator[Mapping[str, Any]]:
        yield self.page


def _rows(item: dict[str, Any]) -> None:
    """A row has a key whatever else it has: the table's keys are texts."""
    keyed = {**item, "region": {"S": EAST}, "asg": {"S": "db"}}
    bad_row(keyed, "", NOW)
    str(pause_from_item(keyed, NOW))
    for reader in (from_item, held_from_item):
        for key in (keyed, {**keyed, "asg": {"S": ANNOUNCEMENT}}):
            try:
                reader(key, NOW)
            except Unsafe:
                continue


def _request(event: object) -> None:
    """A request of CloudFormation: its answer goes to one host only, and always fits."""
    if (found := request_in(event)) is None:
        return
    if may_be_answered(found.url, EAST, None):
        assert found.url.startswith(f"https://{inputs.HOST}/")
    assert len(answer(found, found.url)) <= 4096
    replaced(Requirements(EAST, "demo", (), ()), found.before)


def _environment(values: Mapping[int, str]) -> None:
    variables = environment()
    names = [*sorted(variables), "RINGFENCE_PORTS", "RINGFENCE_STATIC_MEMBERS", "RINGFENCE_SCHEDULE", "RINGFENCE_MODE"]
    variables |= {names[position % len(names)]: value for position, value in values.items()}
    config.is_own_queue("arn:aws:sqs:us-east-1:123456789012:ringfence-demo.fifo", variables)
    config.read(variables)


def _audit_log(line: str) -> None:
    client: Any = Pages({"events": [{"timestamp": 1_800_000_000_000, "message": line}]})
    log = AuditLog(client, EAST, "log-group")
    log.changes(0.0)
    log.reconciles(0.0)


def _event_history(record: str) -> None:
    event = {"EventName": "AuthorizeSecurityGroupIngress", "EventTime": datetime(2025, 1, 1, tzinfo=UTC)}
    client = Pages({"Events": [{**event, "CloudTrailEvent": record}]})
    EventHistory(client, EAST).latest_calls(SecurityGroupId("sg-1"), frozenset({RuleId("sgr-1")}))


def _environments(base: Mapping[int, str], count: int, seed: int) -> Iterator[Mapping[int, str]]:
    for number, text in enumerate(variants.texts("".join(base.values()), count, seed)):
        yield {**base, number: text}


def _batches(bases: list[Any], count: int, seed: int) -> Iterator[list[str]]:
    """Batches of at most ten bodies. `count` is the number of bodies."""
    found = [body for base in bases for body in variants.bodies(base, count // len(bases), seed)]
    for start in range(0, len(found), 10):
        yield found[start : start + 10]


TARGETS = (
    Target("events", 0.2, inputs.EVENTS, variants.values, lambda event: parse(event, "message-1"), seeds.EVENTS),
    Target("requests", 0.05, inputs.REQUESTS, variants.values, _request, ()),
    Target("messages", 0.15, inputs.EVENTS, variants.bodies, lambda body: Message.read("1", body), seeds.BODIES),
    Target("rows", 0.15, inputs.ITEMS, variants.items, _rows, seeds.ITEMS),
    Target(
        "labels",
        0.1,
        inputs.LABELS,
        variants.texts,
        lambda text: (Label.parse(text), is_describable(text)),
        seeds.TEXTS,
    ),
    Target("ports", 0.1, inputs.PORTS, variants.texts, Ports.parse, seeds.TEXTS, (ValueError,)),
    Target("environments", 0.05, inputs.SETTING_VALUES, _environments, _environment, seeds.ENVIRONMENTS, (Permanent,)),
    Target(
        "cluster-files",
        0.04,
        inputs.CLUSTER_FILES,
        variants.texts,
        lambda text: cluster_file.parse(text, Path("ringfence.toml")),
        seeds.TEXTS,
        (CommandError,),
        seconds=1.0,  # the standard library's parser takes a time that grows with the square of a key's length
    ),
    Target("audit-log-lines", 0.06, inputs.LOG_LINES, variants.bodies, _audit_log, seeds.LOG_LINES),
    Target("event-histories", 0.05, inputs.TRAIL_RECORDS, variants.bodies, _event_history, seeds.TRAIL_RECORDS),
    Target(
        "batches",
        0.05,
        st.lists(inputs.EVENTS, min_size=1, max_size=5),
        _batches,
        consume,
        tuple([body] for body in seeds.BODIES),
    ),
)
