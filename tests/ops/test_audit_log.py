"""The audit log: what the engine's own telemetry wrote is read back whole, from every page, with no one else's."""

import itertools
import json
from collections.abc import Iterator
from dataclasses import replace
from io import StringIO
from typing import Any

import boto3
import pytest
from aws_lambda_powertools import Logger, Metrics
from botocore.stub import Stubber

from ringfence.core.audit_events import AuditEvent, RuleAdded, RuleRelabelled, RuleRemoved, RuleUnwanted, RuleWanted
from ringfence.core.errors import Permanent
from ringfence.core.model.identifiers import RuleId
from ringfence.core.model.ports import PortRange
from ringfence.core.model.rules import Opening
from ringfence.runtime.telemetry import Telemetry
from ringfence_ops.logs.audit_log import About, AuditLog, Reconciled, RuleChange, Turn, log_group, merged
from tests.unit.builders import EAST, GROUP, I1, NOW, TCP, WEST, address, label

ADDED = RuleAdded(WEST, GROUP, RuleId("sgr-1"), Opening(TCP, address(1)), label(), drift=True)
REMOVED = RuleRemoved(WEST, GROUP, RuleId("sgr-1"), Opening(TCP, address(1)), label(), "departed", 2.5, drift=False)
FOREIGN = RuleRemoved(
    WEST, GROUP, RuleId("sgr-2"), Opening(PortRange("-1", -1, -1), address(2)), None, "foreign", None, drift=False
)

_LOGGERS = itertools.count()


def written(*entries: AuditEvent, causes: tuple[str, ...] = ("event-1",), error: Exception | None = None) -> list[str]:
    """The lines that the engine's telemetry writes of a reconcile."""
    stream = StringIO()
    # A logger is found again by its name, with the stream that it was made with.
    logger = Logger(service=f"audit-{next(_LOGGERS)}", level="INFO", stream=stream, location=None)
    telemetry = Telemetry(logger, Metrics(namespace="Ringfence", service="demo"), causes)
    for entry in entries:
        telemetry.record(entry)
    telemetry.close(0.1, error)
    return stream.getvalue().splitlines()


@pytest.fixture
def stub() -> Iterator[Stubber]:
    """A client of CloudWatch Logs that answers what it is told to, and must be asked for all of it."""
    client = boto3.client("logs", region_name=EAST, aws_access_key_id="x", aws_secret_access_key="x")
    with Stubber(client) as stubber:
        yield stubber
        stubber.assert_no_pending_responses()


def log(stub: Stubber) -> AuditLog:
    client: Any = stub.client
    return AuditLog(client, EAST, log_group("demo"))


def holds(stub: Stubber, *pages: list[str], about: About | None = None, pattern: str | None = None) -> None:
    """The log group holds these pages of lines, a second apart, from NOW on."""
    at = NOW
    for number, page in enumerate(pages):
        events = []
        for line in page:
            events.append({"timestamp": at * 1000, "message": line})
            at += 1
        more = {"nextToken": f"page-{number + 1}"} if number + 1 < len(pages) else {}
        asked = {
            "logGroupName": "/aws/lambda/ringfence-demo",
            "filterPattern": pattern or (about or About()).pattern(),
            "startTime": NOW * 1000,
        }
        if number:
            asked["nextToken"] = f"page-{number}"
        stub.add_response("filter_log_events", {"events": events, **more}, asked)


def test_what_the_engine_wrote_of_a_rule_is_read_back_whole(stub: Stubber) -> None:
    holds(stub, written(ADDED, REMOVED, FOREIGN))
    added = RuleChange(
        at=NOW,
        engine=EAST,
        turn=Turn.ADDED,
        region=WEST,
        security_group=GROUP,
        rule=RuleId("sgr-1"),
        address=address(1),
        ports="tcp/9042",
        auto_scaling_group="us-east-1/db",
        instance=I1,
        causes=("event-1",),
        drift=True,
    )
    removed = replace(added, at=NOW + 1, turn=Turn.REMOVED, drift=False, reason="departed", stale_seconds=2.5)
    foreign = replace(
        removed,
        at=NOW + 2,
        rule=RuleId("sgr-2"),
        address=address(2),
        ports="all",
        auto_scaling_group=None,
        instance=None,
        reason="foreign",
        stale_seconds=None,
    )
    assert log(stub).changes(NOW) == [added, removed, foreign]


def test_what_would_have_been_done_is_told_only_when_asked_for(stub: Stubber) -> None:
    opening = Opening(TCP, address(3))
    observed = written(
        RuleRelabelled(EAST, GROUP, RuleId("sgr-3"), opening, label(), label("i-2")),
        RuleWanted(EAST, GROUP, opening, label()),
        RuleUnwanted(EAST, GROUP, RuleId("sgr-4"), opening, label(), "departed"),
    )
    everything = About(turns=frozenset(Turn))
    holds(stub, observed)
    holds(stub, observed, about=everything)
    (relabelled,) = log(stub).changes(NOW)
    assert (relabelled.turn, relabelled.was) == (Turn.RELABELLED, "ringfence demo us-east-1/db i-2")
    turns = [(change.turn, change.rule) for change in log(stub).changes(NOW, about=everything)]
    assert turns[1:] == [(Turn.WOULD_ADD, None), (Turn.WOULD_REMOVE, "sgr-4")]


def test_every_page_is_read(stub: Stubber) -> None:
    holds(stub, written(ADDED), [], written(REMOVED))
    assert [change.turn for change in log(stub).changes(NOW)] == [Turn.ADDED, Turn.REMOVED]


def test_lines_of_others_and_lines_that_are_broken_are_passed_over(stub: Stubber) -> None:
    half = json.dumps({"message": "rule added", "region": WEST})
    holds(stub, ["START RequestId: 1", "{not json", "[]", half, *written(ADDED)])
    assert [change.rule for change in log(stub).changes(NOW)] == ["sgr-1"]


@pytest.mark.parametrize(
    "about",
    [
        About(addresses=frozenset({address(2)})),
        About(rules=frozenset({"sgr-2"}), instances=frozenset({"i-9"})),
    ],
)
def test_what_is_asked_for_is_given_though_the_service_filters_nothing(stub: Stubber, about: About) -> None:
    holds(stub, written(ADDED, REMOVED, FOREIGN), about=about)
    assert [change.rule for change in log(stub).changes(NOW, about=about)] == ["sgr-2"]


def test_the_filter_asks_for_either_turn_of_any_of_what_is_wanted() -> None:
    about = About(
        addresses=frozenset({"198.18.0.1/32"}),
        instances=frozenset({"i-1"}),
        turns=frozenset({Turn.ADDED, Turn.REMOVED}),
    )
    assert about.pattern() == (
        '{ (($.message = "rule added") || ($.message = "rule removed"))'
        ' && (($.address = "198.18.0.1/32") || ($.instance = "i-1")) }'
    )


def test_reconciles_are_told_apart_by_who_asked_and_how_they_ended(stub: Stubber) -> None:
    scheduled = written(causes=("event-1", "schedule 2026-11-23T15:00:00Z"))
    failed = written(causes=("event-2",), error=Permanent("no such group"))
    holds(stub, scheduled + failed, pattern='{ ($.message = "reconciled") || ($.message = "reconcile failed: *") }')
    assert log(stub).reconciles(NOW) == [
        Reconciled(NOW, EAST, ("event-1", "schedule 2026-11-23T15:00:00Z")),
        Reconciled(NOW + 1, EAST, ("event-2",), "no such group"),
    ]


def test_only_the_schedule_counts_as_scheduled() -> None:
    assert Reconciled(NOW, EAST, ("event-1", "schedule 2026-11-23T15:00:00Z")).is_scheduled
    assert not Reconciled(NOW, EAST, ("event-1",)).is_scheduled


def test_several_regions_logs_become_one_in_the_order_of_time() -> None:
    def change(at: int, engine: str) -> RuleChange:
        return RuleChange(at, type(EAST)(engine), Turn.ADDED, EAST, GROUP, RuleId("sgr-1"), address(1), "tcp/9042")

    east, west = [change(1, EAST), change(4, EAST)], [change(2, WEST), change(3, WEST)]
    assert [each.at for each in merged([east, west])] == [1, 2, 3, 4]
