"""The state of a Region from a snapshot: what `status` shows, and what it does not take for a roster."""

from collections.abc import Iterable
from contextlib import redirect_stdout
from dataclasses import replace
from io import StringIO
from typing import Any

import pytest

from ringfence.core.audit_events import AuditEvent, RuleAdded, RuleOwnerUnknown, RuleRemoved
from ringfence.core.model.addresses import Cidr
from ringfence.core.model.identifiers import Region, RosterKey, RuleId
from ringfence.core.model.rosters import Rows
from ringfence.core.model.rules import Opening
from ringfence_ops.aws.sessions import Aws
from ringfence_ops.cli.terminal import Output
from ringfence_ops.commands.status import StatusReport
from ringfence_ops.logs.audit_log import LoggedReconcile
from ringfence_ops.state.dry_run import DryRunResult
from ringfence_ops.state.region_snapshot import RegionSnapshot
from ringfence_ops.state.region_state import RegionState, region_states
from ringfence_ops.state.snapshot import EngineStatus, Snapshot
from ringfence_ops.state.standing import standing
from ringfence_ops.state.unowned_rules import RuleOrigin, RuleOrigins, UnownedRule, reported
from tests.ops.facts import ROWS
from tests.ops.test_audit_log import written
from tests.ops.test_cloudtrail import event
from tests.unit.builders import (
    CLUSTER,
    EAST,
    GROUP,
    I1,
    I3,
    NOW,
    TCP,
    address,
    instance,
    label,
    observed,
    roster,
    rule,
    settings,
)

ANYWHERE = Opening(TCP, Cidr("0.0.0.0/0"))
UNKNOWN = RuleOwnerUnknown(EAST, GROUP, RuleId("sgr-9"), ANYWHERE, label(), "no member can have such an address")
ENGINE = EngineStatus(True, 0, 0, LoggedReconcile(NOW - 5, EAST, ("schedule x",)))


def snapshot(rows: Rows = ROWS, events: Iterable[AuditEvent] = ()) -> Snapshot:
    rules = {GROUP: (rule("sgr-1", address(1), label()), rule("sgr-9", ANYWHERE.cidr, label()))}
    seen = RegionSnapshot(rules, rows, observed({I1: "InService"}, instance(I1, address(1))))
    return Snapshot(CLUSTER, NOW, {EAST: seen}, {EAST: ENGINE}, {EAST: DryRunResult(tuple(events))}, {})


def state(taken: Snapshot, unowned: Iterable[UnownedRule] = ()) -> RegionState:
    (found,) = region_states(taken, {EAST: settings()}, list(unowned))
    return found


def screen(taken: Snapshot, found: RegionState) -> str:
    output = StringIO()
    with redirect_stdout(output):
        Output().show_report(StatusReport(taken, [found], {EAST: standing(EAST, [])}))
    return output.getvalue()


def test_an_announcement_is_no_roster() -> None:
    found = state(snapshot())
    assert [str(roster.key) for roster in found.rosters] == ["us-east-1/db"]
    assert found.counts.members == {"member": 1}


def test_a_row_of_no_group_of_ours_adds_no_member() -> None:
    evil = roster({I3: address(66)}, key=RosterKey(EAST, "evil"))
    found = state(snapshot(replace(ROWS, rosters={**ROWS.rosters, evil.key: evil})))
    assert found.counts.members == {"member": 1}


def test_a_rule_of_unknown_owner_is_shown_with_its_age_and_what_to_do() -> None:
    taken = snapshot(events=[UNKNOWN, UNKNOWN])
    (unowned,) = reported(taken.audit_events)
    found = state(taken, [unowned])
    shown = " ".join(screen(taken, found).split())
    assert "sgr-9 admits 0.0.0.0/0 on tcp/9042, age unknown: no member can have such an address" in shown
    assert "aws ec2 revoke-security-group-ingress --region us-east-1" in shown
    made = replace(unowned, origin=RuleOrigin(NOW - 3 * 86400, "arn:aws:iam::1:user/a"))
    assert "3 d old, by arn:aws:iam::1:user/a" in " ".join(screen(taken, state(taken, [made])).split())
    (item,) = (
        StatusReport(taken, [state(taken, [made])], {EAST: standing(EAST, [])}).document().regions[0].unknown_owners
    )
    assert (item.address, item.since, item.made_by) == ("0.0.0.0/0", "2027-01-12T08:00:00Z", "arn:aws:iam::1:user/a")


def test_a_rule_that_is_removed_nevertheless_is_not_reported() -> None:
    removed = RuleRemoved(EAST, GROUP, RuleId("sgr-9"), ANYWHERE, None, "foreign", None, drift=False)
    assert reported([UNKNOWN, removed]) == reported([removed, UNKNOWN]) == []


class Trail(Aws):
    """An AWS whose CloudTrail and log answer with these; it counts the calls."""

    def __init__(self, records: list[dict[str, Any]], lines: list[dict[str, Any]]) -> None:
        super().__init__()
        self.pages = {"cloudtrail": {"Events": records}, "logs": {"events": lines}}
        self.calls: list[str] = []

    def client(self, service: str, region: Region, *, patient: bool = False) -> Any:  # noqa: ARG002  # as its base
        class Client:
            def get_paginator(_self, _operation: str) -> Any:  # noqa: N805  # `self` is the AWS
                return Client()

            def paginate(_self, **_arguments: object) -> Any:  # noqa: N805  # likewise
                self.calls.append(service)
                return [self.pages[service]]

        return Client()


def test_an_origin_that_nothing_tells_is_looked_up_once() -> None:
    aws = Trail([], [])
    origins = RuleOrigins(aws, CLUSTER, (EAST,))
    for _ in range(3):
        (unowned,) = origins.of(reported([UNKNOWN]))
        assert unowned.origin is None
    assert sorted(aws.calls) == ["cloudtrail", "logs"]


@pytest.mark.parametrize("source", ["cloudtrail", "logs", "both"])
def test_an_origin_is_found_in_cloudtrail_or_in_the_log(source: str) -> None:
    added = RuleAdded(EAST, GROUP, RuleId("sgr-9"), Opening(TCP, address(1)), label(), drift=False)
    lines = [{"timestamp": (NOW - 60) * 1000, "message": line} for line in written(added)]
    aws = Trail([event("sgr-9")] if source != "logs" else [], lines if source != "cloudtrail" else [])
    (unowned,) = RuleOrigins(aws, CLUSTER, (EAST,)).of(reported([UNKNOWN]))
    by_engine = RuleOrigin(NOW - 60, "the engine of us-east-1")
    by_alice = RuleOrigin(NOW, "arn:aws:iam::123456789012:user/alice")
    assert unowned.origin == (by_engine if source == "logs" else by_alice)
