"""The audit log: the lines of the engine's telemetry are read completely, from every page, and no other lines."""

import itertools
import json
from collections.abc import Iterator
from dataclasses import asdict, astuple, replace
from io import StringIO
from typing import Any

import boto3
import pytest
from aws_lambda_powertools import Logger, Metrics
from botocore.stub import Stubber

from ringfence.core.audit_events import (
    AuditEvent,
    RuleAdded,
    RuleRelabelled,
    RuleRemoved,
    RuleUnwanted,
    RuleWanted,
)
from ringfence.core.errors import Permanent
from ringfence.core.model.identifiers import Region, RuleId
from ringfence.core.model.ports import PortRange
from ringfence.core.model.rules import Opening
from ringfence.runtime.telemetry import Telemetry
from ringfence_ops.commands import history
from ringfence_ops.logs.audit_log import (
    AuditLog,
    ChangeFilter,
    LoggedAction,
    LoggedChange,
    LoggedMember,
    LoggedReconcile,
    LoggedRule,
    log_group,
    logged_change,
    logged_reconcile,
    merged,
)
from tests.unit.builders import EAST, GROUP, I1, NOW, TCP, WEST, address, label

ADDED = RuleAdded(WEST, GROUP, RuleId("sgr-1"), Opening(TCP, address(1)), label(), drift=True)
REMOVED = RuleRemoved(WEST, GROUP, RuleId("sgr-1"), Opening(TCP, address(1)), label(), "departed", 2.5, drift=False)
FOREIGN = RuleRemoved(
    WEST, GROUP, RuleId("sgr-2"), Opening(PortRange("-1", -1, -1), address(2)), None, "foreign", None, drift=False
)

_LOGGERS = itertools.count()


def written(*events: AuditEvent, causes: tuple[str, ...] = ("event-1",), error: Exception | None = None) -> list[str]:
    """The lines that the engine's telemetry writes for a reconcile."""
    stream = StringIO()
    # A logger of the same name would reuse the stream of the first one.
    logger = Logger(service=f"audit-{next(_LOGGERS)}", level="INFO", stream=stream, location=None)
    telemetry = Telemetry(logger, Metrics(namespace="Ringfence", service="demo"), causes)
    for event in events:
        telemetry.record(event)
    telemetry.close(0.1, error)
    return stream.getvalue().splitlines()


@pytest.fixture
def stub() -> Iterator[Stubber]:
    """A client of CloudWatch Logs that returns the prepared responses, and fails if one is not requested."""
    client = boto3.client("logs", region_name=EAST, aws_access_key_id="x", aws_secret_access_key="x")
    with Stubber(client) as stubber:
        yield stubber
        stubber.assert_no_pending_responses()


def log(stub: Stubber) -> AuditLog:
    client: Any = stub.client
    return AuditLog(client, EAST, log_group("demo"))


def holds(stub: Stubber, *pages: list[str], selected: ChangeFilter | None = None, pattern: str | None = None) -> None:
    """The log group contains these pages of lines, a second apart, from NOW on."""
    at = NOW
    for number, page in enumerate(pages):
        events = []
        for line in page:
            events.append({"timestamp": at * 1000, "message": line})
            at += 1
        more = {"nextToken": f"page-{number + 1}"} if number + 1 < len(pages) else {}
        request = {
            "logGroupName": "/aws/lambda/ringfence-demo",
            "filterPattern": pattern or (selected or ChangeFilter()).pattern(),
            "startTime": NOW * 1000,
        }
        if number:
            request["nextToken"] = f"page-{number}"
        stub.add_response("filter_log_events", {"events": events, **more}, request)


def test_a_change_is_read_with_all_its_fields(stub: Stubber) -> None:
    holds(stub, written(ADDED, REMOVED, FOREIGN))
    added = LoggedChange(
        at=NOW,
        engine=EAST,
        action=LoggedAction.ADDED,
        rule=LoggedRule(WEST, GROUP, RuleId("sgr-1"), address(1), "tcp/9042"),
        member=LoggedMember("us-east-1/db", I1),
        causes=("event-1",),
        drift=True,
    )
    removed = replace(added, at=NOW + 1, action=LoggedAction.REMOVED, drift=False, reason="departed", stale_seconds=2.5)
    foreign = replace(
        removed,
        at=NOW + 2,
        rule=LoggedRule(WEST, GROUP, RuleId("sgr-2"), address(2), "all"),
        member=LoggedMember(),
        reason="foreign",
        stale_seconds=None,
    )
    assert log(stub).changes(NOW) == [added, removed, foreign]


def test_changes_of_observe_mode_are_read_only_if_selected(stub: Stubber) -> None:
    opening = Opening(TCP, address(3))
    observed = written(
        RuleRelabelled(EAST, GROUP, RuleId("sgr-3"), opening, label(), label("i-2")),
        RuleWanted(EAST, GROUP, opening, label()),
        RuleUnwanted(EAST, GROUP, RuleId("sgr-4"), opening, label(), "departed"),
    )
    everything = ChangeFilter(actions=frozenset(LoggedAction))
    holds(stub, observed)
    holds(stub, observed, selected=everything)
    (relabelled,) = log(stub).changes(NOW)
    assert (relabelled.action, relabelled.was) == (LoggedAction.RELABELLED, "ringfence demo us-east-1/db i-2")
    actions = [(change.action, change.rule.id) for change in log(stub).changes(NOW, selected=everything)]
    assert actions[1:] == [(LoggedAction.WOULD_ADD, None), (LoggedAction.WOULD_REMOVE, "sgr-4")]


def test_every_page_is_read(stub: Stubber) -> None:
    holds(stub, written(ADDED), [], written(REMOVED))
    assert [change.action for change in log(stub).changes(NOW)] == [LoggedAction.ADDED, LoggedAction.REMOVED]


def test_other_lines_and_invalid_lines_are_skipped(stub: Stubber) -> None:
    half = json.dumps({"message": "rule added", "region": WEST})
    holds(stub, ["START RequestId: 1", "{not json", "[]", half, *written(ADDED)])
    assert [change.rule.id for change in log(stub).changes(NOW)] == ["sgr-1"]


@pytest.mark.parametrize(
    "selected",
    [
        ChangeFilter(addresses=frozenset({address(2)})),
        ChangeFilter(rules=frozenset({"sgr-2"}), instances=frozenset({"i-9"})),
    ],
)
def test_the_filter_holds_even_if_the_service_filters_nothing(stub: Stubber, selected: ChangeFilter) -> None:
    holds(stub, written(ADDED, REMOVED, FOREIGN), selected=selected)
    assert [change.rule.id for change in log(stub).changes(NOW, selected=selected)] == ["sgr-2"]


def test_the_filter_selects_each_action_and_each_address_or_instance() -> None:
    selected = ChangeFilter(
        addresses=frozenset({"198.18.0.1/32"}),
        instances=frozenset({"i-1"}),
        actions=frozenset({LoggedAction.ADDED, LoggedAction.REMOVED}),
    )
    assert selected.pattern() == (
        '{ (($.message = "rule added") || ($.message = "rule removed"))'
        ' && (($.address = "198.18.0.1/32") || ($.instance = "i-1")) }'
    )


def test_reconciles_are_read_with_their_causes_and_results(stub: Stubber) -> None:
    scheduled = written(causes=("event-1", "schedule 2026-11-23T15:00:00Z"))
    failed = written(causes=("event-2",), error=Permanent("no such group"))
    holds(stub, scheduled + failed, pattern='{ ($.message = "reconciled") || ($.message = "reconcile failed: *") }')
    assert log(stub).reconciles(NOW) == [
        LoggedReconcile(NOW, EAST, ("event-1", "schedule 2026-11-23T15:00:00Z")),
        LoggedReconcile(NOW + 1, EAST, ("event-2",), "no such group"),
    ]


def test_only_a_true_up_of_the_schedule_is_scheduled() -> None:
    assert LoggedReconcile(NOW, EAST, ("event-1", "schedule 2026-11-23T15:00:00Z")).is_scheduled
    assert not LoggedReconcile(NOW, EAST, ("event-1",)).is_scheduled


def test_the_logs_of_several_regions_are_merged_by_time() -> None:
    def change(at: int, engine: Region) -> LoggedChange:
        rule = LoggedRule(EAST, GROUP, RuleId("sgr-1"), address(1), "tcp/9042")
        return LoggedChange(at, engine, LoggedAction.ADDED, rule)

    east, west = [change(1, EAST), change(4, EAST)], [change(2, WEST), change(3, WEST)]
    assert [change.at for change in merged([east, west])] == [1, 2, 3, 4]


STRANGE: list[Any] = [
    None, True, 7, -1, 1e400, float("nan"), -float("inf"), 10**400, "", "x" * 70_000, "\x1b[2J", "\ud800",
    [], [1], {}, {"a": {}}, [[]] * 3,
]  # fmt: skip


@pytest.mark.parametrize("line", [ADDED, REMOVED, FOREIGN], ids=["added", "removed", "foreign"])
def test_a_field_of_another_type_is_skipped_or_shown(line: AuditEvent) -> None:
    """Whatever a field is, the line is skipped, or its change can be shown, grouped and printed."""
    (text, *_) = written(line)
    good = json.loads(text)
    for name in {*good, "was", "reason", "stale_seconds", "instance", "auto_scaling_group", "cause"}:
        for strange in STRANGE:
            change = logged_change(NOW, EAST, good | {name: strange})
            reconcile = logged_reconcile(NOW, EAST, good | {"message": "reconciled", name: strange})
            if change is not None:
                _show(change)
            if reconcile is not None:
                assert all(isinstance(cause, str) and len(cause) < 100 for cause in reconcile.causes)
                assert len(reconcile.failure or "") < 5000


def test_changes_to_an_address_share_a_row_only_if_one_cause_made_them() -> None:
    # given a launch that opened two Regions, and a rule of it that first the schedule and then a person put back
    launch, schedule, person = "event-1", "schedule:2026-11-27T22:26:00Z", "hand:root"
    opened = logged_change(NOW, EAST, json.loads(written(ADDED, causes=(launch,))[0]))
    assert opened is not None
    elsewhere = replace(opened, at=NOW + 1, rule=replace(opened.rule, region=EAST))
    scheduled, by_hand = (replace(opened, at=NOW + 2, causes=(cause,)) for cause in (schedule, person))
    # when
    groups = history.grouped([opened, elsewhere, scheduled, by_hand])
    # then
    assert [[change.causes for change in group.changes] for group in groups] == [
        [(launch,), (launch,)],
        [(schedule,)],
        [(person,)],
    ]


def _show(change: LoggedChange) -> None:
    history.grouped([change, change])
    history.why(change)
    json.dumps(asdict(history.item(change)), allow_nan=False)
    assert all(len(text) < 400 for text in map(str, astuple(change.rule) + astuple(change.member)))
    assert len(change.causes) <= 100


@pytest.mark.parametrize(
    "text",
    [
        " ",
        "null",
        "[]",
        "7",
        "{",
        "{" * 100_000,
        '{"a":' * 100_000,
        "[" * 100_000 + "]" * 100_000,
        "\x00",
        "1" * 10_000,
    ],
    ids=lambda text: text[:8],
)
def test_a_line_that_is_no_object_is_skipped(stub: Stubber, text: str) -> None:
    holds(stub, [text, *written(ADDED)])
    assert [change.rule.id for change in log(stub).changes(NOW)] == ["sgr-1"]


def test_a_subject_with_a_quote_cannot_change_the_filter() -> None:
    pattern = ChangeFilter(rules=frozenset({'x") || ($.message = "*'})).pattern()
    assert '"x\\") || ($.message = \\"*"' in pattern


@pytest.mark.parametrize("number", ["1e999", "NaN", "-1", "1" * 400, '"7"', "true", "null", "[]"])
def test_a_number_of_seconds_that_is_none_is_left_out(number: str) -> None:
    text = '{"message": "rule removed", "region": "us-east-1", "security_group": "sg-1", "address": "54.1.2.3/32"'
    line = json.loads(f'{text}, "stale_seconds": {number}, "instance": [], "rule": 7, "reason": {{}}, "was": 1}}')
    change = logged_change(0.0, EAST, line)
    assert change is not None
    assert (change.stale_seconds, change.member.instance, change.rule.id) == (None, None, None)
    assert (change.reason, change.was) == (None, None)
