"""The log and the metrics: a line of JSON for each change, and the metrics of each reconcile."""

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from io import StringIO
from typing import Any

import pytest
from aws_lambda_powertools import Logger, Metrics

from ringfence.core.audit_events import (
    AuditEvent,
    EventIgnored,
    HookCompleted,
    HookHeld,
    PauseSeen,
    Problem,
    QuotaUsed,
    RegionFailed,
    RemovalsHeld,
    RosterPublished,
    RowRejected,
    RuleAdded,
    RuleOwnerUnknown,
    RuleRefused,
    RuleRelabelled,
    RuleRemoved,
    RuleUnwanted,
    RuleWanted,
    StaleDoor,
    Waited,
    ZoneNotDescribed,
)
from ringfence.core.errors import Permanent
from ringfence.core.lifecycle import Transition
from ringfence.core.lifecycle_decision import Decision, Reason
from ringfence.core.model.addresses import Cidr
from ringfence.core.model.identifiers import InstanceId, RuleId
from ringfence.core.model.pauses import Pause
from ringfence.core.model.ports import PortRange
from ringfence.core.model.rules import Opening
from ringfence.runtime.telemetry import Telemetry
from tests.unit.builders import DB, EAST, GROUP, I1, I2, I3, TCP, WEST, WEST_DB, address, label

CAUSES = ("event-1", "event-2")
SGR = RuleId("sgr-1")
OPENING = Opening(TCP, address(1))
HELD = HookHeld("db", I1, "hook", Transition.LAUNCH, Reason.NO_ADDRESS, "no address yet", None)
ADMITTED = HookCompleted(
    group="db",
    instance=I1,
    hook="hook",
    transition=Transition.LAUNCH,
    decision=Decision.ADMITTED,
    reason=Reason.ADMITTED_EVERYWHERE,
    why="admitted everywhere",
    was_active=True,
    waited=Waited(0.5, is_exact=True),
)
RELEASED = replace(
    ADMITTED,
    transition=Transition.TERMINATE,
    decision=Decision.RELEASED,
    reason=Reason.RELEASED_EVERYWHERE,
    why="released everywhere",
)


def answered(decision: Decision, reason: Reason) -> HookCompleted:
    """A launch that was answered so."""
    return replace(ADMITTED, decision=decision, reason=reason)


COUNTED = {
    "RulesAdded",
    "RulesRemoved",
    "RulesHeld",
    "RulesRefused",
    "DriftHealed",
    "PeersUnreachable",
    "WaitingHooks",
    "StaleDoors",
    "UnknownOwners",
    "UnservedMessages",
    "Errors",
}


@dataclass(slots=True)
class Report:
    """What a reconcile's audit events become: its log, its metrics and its summary."""

    lines: list[dict[str, Any]]
    metrics: dict[str, Any]
    summary: dict[str, Any]

    def line(self, message: str) -> dict[str, Any]:
        (found,) = [line for line in self.lines if line["message"] == message]
        return found


Reported = Callable[..., Report]


@pytest.fixture
def reported(request: pytest.FixtureRequest, capsys: pytest.CaptureFixture[str]) -> Reported:
    """Records audit events as a reconcile does, and returns what was written."""

    def report(*events: AuditEvent, error: BaseException | None = None, seconds: float = 1.5) -> Report:
        # A logger is found again by its name, with the stream that it was made with.
        log = StringIO()
        logger = Logger(service=request.node.name, location=None, stream=log)
        telemetry = Telemetry(logger, Metrics(namespace="Ringfence", service="demo"), CAUSES)
        for event in events:
            telemetry.record(event)
        summary = telemetry.close(seconds, error)
        lines = [json.loads(line) for line in log.getvalue().splitlines()]
        (metrics,) = [json.loads(line) for line in capsys.readouterr().out.splitlines() if "_aws" in line]
        return Report(lines, metrics, summary)

    return report


# The line of a change.


def test_the_line_of_an_added_rule_has_all_of_its_fields(reported: Reported) -> None:
    line = reported(RuleAdded(EAST, GROUP, SGR, OPENING, label(I1, WEST_DB), drift=False)).line("rule added")
    expected = {
        "level": "INFO",
        "address": address(1),
        "protocol": "tcp",
        "ports": "9042",
        "region": EAST,
        "security_group": GROUP,
        "rule": SGR,
        "auto_scaling_group": "us-west-2/db",
        "instance": I1,
        "cause": list(CAUSES),
        "drift": False,
    }
    assert line | expected == line


def test_the_line_of_a_removed_rule_has_its_reason_and_its_stale_time(reported: Reported) -> None:
    event = RuleRemoved(EAST, GROUP, SGR, OPENING, label(), "departed", 3.25, drift=False)
    line = reported(event).line("rule removed")
    expected = {
        "address": address(1),
        "protocol": "tcp",
        "ports": "9042",
        "region": EAST,
        "security_group": GROUP,
        "rule": SGR,
        "auto_scaling_group": "us-east-1/db",
        "instance": I1,
        "cause": list(CAUSES),
        "reason": "departed",
        "stale_seconds": 3.25,
    }
    assert line | expected == line


def test_the_line_of_a_removed_foreign_rule_has_no_instance_and_no_stale_time(reported: Reported) -> None:
    line = reported(RuleRemoved(EAST, GROUP, SGR, OPENING, None, "foreign", None, drift=False)).line("rule removed")
    assert not {"instance", "auto_scaling_group", "stale_seconds"} & line.keys()


@pytest.mark.parametrize(
    ("ports", "protocol", "written"),
    [
        (PortRange("tcp", 7000, 7001), "tcp", "7000-7001"),
        (PortRange("udp", 53, 53), "udp", "53"),
        (PortRange("-1", -1, -1), "all", "all"),
    ],
)
def test_a_line_has_the_protocol_and_the_ports_in_separate_fields(
    reported: Reported, ports: PortRange, protocol: str, written: str
) -> None:
    event = RuleAdded(EAST, GROUP, SGR, Opening(ports, Cidr("2001:db8::1/128")), label(), drift=False)
    line = reported(event).line("rule added")
    assert (line["protocol"], line["ports"], line["address"]) == (protocol, written, "2001:db8::1/128")


# The line of each audit event.


@pytest.mark.parametrize(
    ("event", "level", "message", "fields"),
    [
        (
            RemovalsHeld(EAST, GROUP, (SGR,), 3, "0123456789ab"),
            "WARNING",
            "removals held until the next reconcile agrees",
            {"digest": "0123456789ab", "rules": [SGR], "owned": 3, "security_group": GROUP, "region": EAST},
        ),
        (
            RuleRefused(WEST, GROUP, OPENING, label(), "quota", "60 of 60"),
            "WARNING",
            "rule refused",
            {"refusal": "quota", "answer": "60 of 60", "address": address(1), "region": WEST, "instance": I1},
        ),
        (
            RosterPublished(DB, 7, 3, 1),
            "INFO",
            "roster published",
            {"roster": "us-east-1/db", "version": 7, "members": 3, "departed": 1},
        ),
        (
            RowRejected(EAST, WEST_DB, "bad address"),
            "WARNING",
            "row rejected, nothing is removed because of it",
            {"roster": "us-west-2/db", "reason": "bad address", "region": EAST},
        ),
        (
            RowRejected(EAST, WEST_DB, "bad address", may_be_a_roster=False),
            "WARNING",
            "row rejected, it is no roster of the cluster",
            {"roster": "us-west-2/db", "reason": "bad address", "region": EAST},
        ),
        (
            RegionFailed(WEST, at_home=False, error="no answer", owed=2),
            "WARNING",
            "Region not brought up to date",
            {"region": WEST, "error": "no answer", "owed": 2},
        ),
        (
            ADMITTED,
            "INFO",
            "instance admitted",
            {
                "auto_scaling_group": "db",
                "instance": I1,
                "hook": "hook",
                "transition": "autoscaling:EC2_INSTANCE_LAUNCHING",
                "decision": "admitted",
                "reason": "admitted-everywhere",
                "why": "admitted everywhere",
                "result": "CONTINUE",
                "waited_seconds": 0.5,
                "waited_is_exact": True,
            },
        ),
        (RELEASED, "INFO", "instance released", {"decision": "released", "transition": Transition.TERMINATE.value}),
        (answered(Decision.LET_GO, Reason.OBSERVED), "INFO", "instance let go", {"result": "CONTINUE"}),
        (answered(Decision.ABANDONED, Reason.NO_ROOM), "INFO", "launch abandoned", {"result": "ABANDON"}),
        (
            replace(RELEASED, was_active=False),
            "INFO",
            "hook was not active any more",
            {"auto_scaling_group": "db", "instance": I1, "decision": "released"},
        ),
        (HELD, "INFO", "instance held", {"instance": I1, "reason": "no-address", "why": "no address yet"}),
        (
            RuleOwnerUnknown(EAST, GROUP, SGR, OPENING, label(), "the roster is not known"),
            "WARNING",
            "owner of rule unknown",
            {"region": EAST, "security_group": GROUP, "rule": SGR, "why": "the roster is not known"},
        ),
        (StaleDoor(WEST, I1, 301.0), "WARNING", "stale door", {"region": WEST, "instance": I1, "seconds": 301.0}),
        (EventIgnored("event-9", "unknown"), "INFO", "event ignored", {"event": "event-9", "reason": "unknown"}),
        (Problem("the group does not exist"), "WARNING", "the group does not exist", {}),
        (
            PauseSeen(Pause(EAST, "arn", "a drill", 1), is_news=True),
            "INFO",
            "paused",
            {"region": EAST, "by": "arn", "why": "a drill", "since": 1},
        ),
        (PauseSeen(Pause(EAST, "arn", is_over=True), is_news=True), "INFO", "resumed", {"region": EAST, "by": "arn"}),
        (
            PauseSeen(Pause(EAST, problem="a text is too long"), is_news=False),
            "WARNING",
            "the pause cannot be read, and counts: a text is too long",
            {"region": EAST},
        ),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, AuditEvent) else None,
)
def test_each_audit_event_is_a_line_with_its_causes(
    reported: Reported, event: AuditEvent, level: str, message: str, fields: dict[str, object]
) -> None:
    line = reported(event).line(message)
    expected = {"level": level, "cause": list(CAUSES)} | fields
    assert line | expected == line


# The reconcile's own line.


def test_a_reconcile_has_a_line_of_its_own_at_its_end(reported: Reported) -> None:
    # given
    events: list[AuditEvent] = [
        RuleAdded(EAST, GROUP, SGR, OPENING, label(), drift=True),
        ADMITTED,
        RemovalsHeld(EAST, GROUP, (SGR,), 3, "0123456789ab"),
        RegionFailed(WEST, at_home=False, error="no answer", owed=0),
        EventIgnored("event-9", "unknown"),
    ]
    # when
    report = reported(*events, seconds=1.23456)
    # then
    assert report.lines[-1] == report.line("reconciled")
    assert report.lines[-1] | report.summary == report.lines[-1]
    assert report.summary == {
        "added": 1,
        "removed": 0,
        "relabelled": 0,
        "would_add": 0,
        "would_remove": 0,
        "held": [{"region": EAST, "security_group": GROUP, "digest": "0123456789ab", "rules": [SGR], "owned": 3}],
        "refused": 0,
        "admitted": 1,
        "released": 0,
        "let_go": 0,
        "abandoned": 0,
        "waiting": 0,
        "stale_doors": 0,
        "peers_unreachable": 1,
        "ignored": 1,
        "zones_not_described": [],
        "problems": ["Region not brought up to date: no answer"],
        "seconds": 1.235,
    }


def test_the_line_of_a_failed_reconcile_has_its_error(reported: Reported) -> None:
    report = reported(error=Permanent("the group does not exist"))
    line = report.line("reconcile failed: the group does not exist")
    assert (line["level"], line["cause"]) == ("ERROR", list(CAUSES))


# Metrics.


def metric_names(report: Report) -> set[str]:
    """The names of the metrics that were emitted."""
    return {metric["Name"] for metric in report.metrics["_aws"]["CloudWatchMetrics"][0]["Metrics"]}


def values(report: Report, name: str) -> list[float]:
    """The emitted values of a metric."""
    found = report.metrics.get(name, [])
    return found if isinstance(found, list) else [found]


def test_a_reconcile_without_events_emits_zeros_so_that_alarms_can_end(reported: Reported) -> None:
    report = reported(seconds=0.25)
    emitted = metric_names(report)
    assert emitted == COUNTED | {"ReconcileSeconds", "StaleDoorSeconds", "QuotaUsedPercent"}
    assert all(values(report, name) == [0] for name in emitted - {"ReconcileSeconds"})
    assert values(report, "ReconcileSeconds") == [0.25]


def test_a_failed_reconcile_emits_no_zero_of_rules_that_it_may_not_have_seen(reported: Reported) -> None:
    of_rules = {"StaleDoors", "StaleDoorSeconds", "UnknownOwners", "QuotaUsedPercent"}
    assert not of_rules & metric_names(reported(error=Permanent("no answer")))
    # but what it has seen, it says
    seen = reported(RuleOwnerUnknown(EAST, GROUP, SGR, OPENING, label(), "why"), error=Permanent("no answer"))
    assert values(seen, "UnknownOwners") == [1]
    assert values(seen, "Errors") == [1]


def test_metrics_have_the_cluster_as_their_dimension_in_ringfences_namespace(reported: Reported) -> None:
    report = reported()
    (directive,) = report.metrics["_aws"]["CloudWatchMetrics"]
    assert directive["Namespace"] == "Ringfence"
    assert directive["Dimensions"] == [["service"]]
    assert report.metrics["service"] == "demo"


@pytest.mark.parametrize(
    ("event", "metrics"),
    [
        (RuleAdded(EAST, GROUP, SGR, OPENING, label(), drift=False), {"RulesAdded": 1}),
        (RuleAdded(EAST, GROUP, SGR, OPENING, label(), drift=True), {"RulesAdded": 1, "DriftHealed": 1}),
        (
            RuleRemoved(EAST, GROUP, SGR, OPENING, label(), "departed", 7.0, drift=False),
            {"RulesRemoved": 1, "StaleDoorSeconds": 7},
        ),
        (
            RuleRemoved(EAST, GROUP, SGR, OPENING, None, "no-member", None, drift=True),
            {"RulesRemoved": 1, "DriftHealed": 1},
        ),
        (RemovalsHeld(EAST, GROUP, (SGR, RuleId("sgr-2")), 3, "d"), {"RulesHeld": 2}),
        (RuleRefused(EAST, GROUP, OPENING, label(), "quota", "full"), {"RulesRefused": 1}),
        (RuleRelabelled(EAST, GROUP, SGR, OPENING, label(), label()), {}),
        (RuleOwnerUnknown(EAST, GROUP, SGR, OPENING, label(), "why"), {"UnknownOwners": 1}),
        (RuleWanted(EAST, GROUP, OPENING, label()), {"RulesWanted": 1}),
        (RuleUnwanted(EAST, GROUP, SGR, OPENING, None, "foreign"), {"RulesUnwanted": 1}),
        (QuotaUsed(EAST, GROUP, "ipv4", 45, 60), {"QuotaUsedPercent": 75}),
        (RegionFailed(WEST, at_home=False, error="no answer", owed=0), {"PeersUnreachable": 1}),
        (RegionFailed(EAST, at_home=True, error="no answer", owed=0), {}),
        (HELD, {"WaitingHooks": 1}),
        (StaleDoor(WEST, I1, 301.0), {"StaleDoors": 1, "StaleDoorSeconds": 301}),
        (ADMITTED, {"AdmissionSeconds": 0.5}),
        (RELEASED, {"ReleaseSeconds": 0.5}),
        (replace(ADMITTED, waited=None), {}),
        (replace(ADMITTED, waited=Waited(0.5, is_exact=False)), {}),
        (replace(ADMITTED, was_active=False), {}),
        (answered(Decision.ABANDONED, Reason.NO_ROOM), {}),
        (answered(Decision.LET_GO, Reason.OBSERVED), {}),
    ],
)
def test_each_audit_event_changes_its_own_metrics_and_no_others(
    reported: Reported, event: AuditEvent, metrics: dict[str, float]
) -> None:
    report = reported(event)
    emitted = metric_names(report)
    changed = {name: value for name in emitted - {"ReconcileSeconds"} for value in values(report, name) if value}
    assert changed == metrics


def test_the_metrics_have_the_oldest_stale_door_and_the_fullest_group(reported: Reported) -> None:
    report = reported(
        StaleDoor(WEST, I1, 301.0),
        StaleDoor(EAST, I1, 20.0),
        QuotaUsed(EAST, GROUP, "ipv4", 6, 60),
        QuotaUsed(EAST, GROUP, "ipv6", 54, 60),
        QuotaUsed(WEST, GROUP, "ipv4", 0, 60),
    )
    assert values(report, "StaleDoorSeconds") == [301]
    assert values(report, "QuotaUsedPercent") == [90]


def test_each_admission_is_a_separate_value_of_the_metric(reported: Reported) -> None:
    events = [replace(ADMITTED, waited=Waited(seconds, is_exact=True)) for seconds in (0.5, 0.75)]
    assert values(reported(*events), "AdmissionSeconds") == [0.5, 0.75]


def test_an_invocation_says_once_that_it_holds_an_instance_and_again_if_the_reason_changes(
    reported: Reported,
) -> None:
    # given: an invocation that was overtaken twice decides three times
    changed = replace(HELD, reason=Reason.REGION_FAILED, why="throttled")
    report = reported(HELD, replace(HELD, why="no address yet, after 2 s"), changed, replace(HELD, instance=I2))
    # then
    lines = [(line["instance"], line["reason"]) for line in report.lines if line.get("message") == "instance held"]
    assert lines == [(I1, "no-address"), (I1, "region-failed"), (I2, "no-address")]
    assert (report.summary["waiting"], values(report, "WaitingHooks")) == (2, [2])


def test_an_instance_that_is_held_and_then_answered_does_not_wait_any_more(reported: Reported) -> None:
    report = reported(HELD, ADMITTED)
    assert (report.summary["waiting"], report.summary["admitted"]) == (0, 1)
    assert values(report, "WaitingHooks") == [0]


def test_a_zone_that_was_not_described_is_named_once_with_its_instances(reported: Reported) -> None:
    # given: a second look meets the same zone
    failed = ZoneNotDescribed(EAST, "us-east-1a", (I1, I2), "DescribeInstances in us-east-1: InternalError")
    # when
    report = reported(failed, replace(failed, instances=(I1,)), ZoneNotDescribed(EAST, "", (I3,), "the same"))
    # then
    line = report.line("zone us-east-1a not described, what is known of its 2 instances stays")
    assert (line["level"], line["zone"], line["instances"]) == ("WARNING", "us-east-1a", [I1, I2])
    assert report.summary["zones_not_described"] == ["unknown", "us-east-1a"]
    assert len(report.summary["problems"]) == 2
    assert report.metrics["InstancesNotDescribed"] == [3]


def test_a_failure_counts_as_an_error(reported: Reported) -> None:
    assert values(reported(error=Permanent("why")), "Errors") == [1]


# Bounds of what is logged.


def test_an_id_from_outside_is_cut_in_every_line(reported: Reported) -> None:
    long = InstanceId("i-" + "0" * 70_000)
    report = reported(
        replace(HELD, instance=long),
        StaleDoor(EAST, long, 7.0),
        EventIgnored(long, "why"),
        Problem("p" * 70_000),
        error=Permanent("e" * 70_000),
    )
    for line in report.lines:
        assert len(json.dumps(line)) < 15_000
        assert len(str(line.get("instance", ""))) <= 64
        assert len(str(line.get("event", ""))) <= 64
    assert len(json.dumps(report.summary)) < 10_000


def test_an_error_that_is_not_the_engines_own_has_its_type_and_its_traceback(reported: Reported) -> None:
    (line,) = reported(error=ZeroDivisionError("by zero")).lines
    assert line["message"] == "reconcile failed: ZeroDivisionError: by zero"
    assert "ZeroDivisionError" in line["traceback"]


def test_an_error_of_the_engine_has_no_traceback(reported: Reported) -> None:
    assert "traceback" not in reported(error=Permanent("denied")).line("reconcile failed: denied")


def test_the_last_line_of_a_paused_region_says_so(reported: Reported) -> None:
    report = reported(PauseSeen(Pause(EAST, "arn", "a drill", 1), is_news=False))
    assert "a drill" in report.summary["paused"]


def test_the_last_line_of_a_region_that_was_resumed_says_nothing_of_it(reported: Reported) -> None:
    report = reported(PauseSeen(Pause(EAST, "arn", is_over=True), is_news=True))
    assert "paused" not in report.summary
