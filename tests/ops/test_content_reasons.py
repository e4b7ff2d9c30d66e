"""Why a Region's rules, rosters and instances are not in sync: every word for how a Region stands, and its remedy."""

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import pytest

from ringfence.core.audit_events import (
    AuditEvent,
    HookHeld,
    Problem,
    RegionFailed,
    RemovalsHeld,
    RuleAdded,
    RuleOwnerUnknown,
    RuleRefused,
    RuleRemoved,
    RuleWanted,
    ZoneNotDescribed,
)
from ringfence.core.configuration.settings import Mode
from ringfence.core.lifecycle_decision import Reason as Held
from ringfence.core.model.addresses import Cidr
from ringfence.core.model.identifiers import InstanceId, PrefixListId, Region, RuleId
from ringfence.core.model.rosters import BadRow, Rows
from ringfence.core.model.rules import Opening, Rule
from ringfence.core.observation import Observation
from ringfence.core.rule_count import PrefixList
from ringfence_ops.logs.audit_log import LoggedReconcile
from ringfence_ops.state.dry_run import DryRunResult
from ringfence_ops.state.path import DeployedStack, Expected, PathFacts
from ringfence_ops.state.region_snapshot import RegionSnapshot
from ringfence_ops.state.sight import Sight
from ringfence_ops.state.snapshot import Snapshot
from ringfence_ops.state.standing import Reason, Standing, State, exit_code
from ringfence_ops.state.standings import standings
from tests.ops.facts import EXPECTED_WEST, ROWS, SELF, WEST_GROUP
from tests.ops.paths import EXPECTED, FUNCTION, PARAMETERS, path
from tests.unit.builders import (
    CLUSTER,
    DB,
    EAST,
    GROUP,
    I1,
    I2,
    I3,
    NOW,
    TCP,
    WEST,
    address,
    instance,
    label,
    observed,
    roster,
    rule,
)

DONE = LoggedReconcile(NOW - 30, EAST, ("schedule now",))
OPENING = Opening(TCP, address(1))
ADMITTED = rule("sgr-1", address(1), label(I1))
HEALTHY = RegionSnapshot({GROUP: (SELF, ADMITTED)}, ROWS, observed({I1: "InService"}, instance(I1, address(1))))


def healthy_path(**changes: Any) -> PathFacts:
    return path(**{"reconciles": (DONE,), **changes})


def sight(
    seen: RegionSnapshot = HEALTHY,
    events: Iterable[AuditEvent] = (),
    *,
    failure: str | None = None,
    own: PathFacts | None = None,
    peer: PathFacts | None = None,
    peers_rows: Rows = ROWS,
    expected: Expected = EXPECTED,
    unreachable: dict[Region, str] | None = None,
) -> Sight:
    """Both Regions as they were seen: the east with this snapshot and these events of its dry run."""
    own_rule = replace(SELF, id=RuleId("sgr-self-west"), group=WEST_GROUP, source_group=WEST_GROUP)
    west = RegionSnapshot({WEST_GROUP: (own_rule,)}, peers_rows, Observation({DB.asg: {}}, {}))
    regions = {region: one for region, one in ((EAST, seen), (WEST, west)) if region not in (unreachable or {})}
    dry_runs = {EAST: DryRunResult(tuple(events), failure), WEST: DryRunResult(())}
    snapshot = Snapshot(CLUSTER, NOW, regions, {}, dry_runs, unreachable or {})
    of_west = replace(FUNCTION, environment={**FUNCTION.environment, "RINGFENCE_SECURITY_GROUPS": WEST_GROUP})
    west_path = healthy_path(tags={WEST_GROUP: {"ringfence-cluster": "demo"}}, function=of_west)
    paths = {EAST: own or healthy_path(), WEST: peer or west_path}
    return Sight(snapshot, {EAST: expected, WEST: replace(EXPECTED_WEST, parameters=PARAMETERS)}, paths)


def east(seen: Sight) -> Standing:
    return standings(seen)[EAST]


def only(seen: Sight) -> Reason:
    """The one reason of the east; the west is in sync."""
    found = standings(seen)
    (reason,) = found[EAST].reasons
    return reason


def added(number: int, instance: InstanceId = I1) -> RuleAdded:
    return RuleAdded(EAST, GROUP, RuleId(f"sgr-{number}"), Opening(TCP, address(number)), label(instance), drift=True)


def removed(number: int, instance: InstanceId = I3) -> RuleRemoved:
    opening = Opening(TCP, address(number))
    return RuleRemoved(EAST, GROUP, RuleId(f"sgr-{number}"), opening, label(instance), "no member", None, drift=True)


def refused(number: int, instance: InstanceId, refusal: str = "quota") -> RuleRefused:
    return RuleRefused(EAST, GROUP, Opening(TCP, address(number)), label(instance), refusal, "no room")


def test_a_cluster_of_which_all_was_seen_and_nothing_is_wrong_is_in_sync() -> None:
    found = standings(sight())
    assert [(one.state, one.reasons) for one in found.values()] == [(State.IN_SYNC, ())] * 2
    assert exit_code(found.values()) == 0


def test_a_region_that_does_not_answer_is_unknown_and_the_others_stand_as_they_do() -> None:
    found = standings(sight(unreachable={WEST: "no answer within 4.5 s"}))
    assert (found[WEST].state, found[EAST].state) == (State.UNKNOWN, State.IN_SYNC)
    assert found[WEST].reasons[0].why == "unreachable: no answer within 4.5 s"
    assert exit_code(found.values()) == 1


def test_the_reasons_of_the_path_that_was_read_stand_beside_the_one_that_was_not() -> None:
    found = standings(sight(unreachable={EAST: "DescribeInstances was denied"}, own=healthy_path(table=None)))[EAST]
    assert [(reason.state, reason.part) for reason in found.reasons] == [
        (State.UNKNOWN, "Region"),
        (State.FAILING, "table"),
    ]


# Rules.


def test_a_missing_rule_is_lacking_and_the_next_true_up_is_named() -> None:
    found = only(sight(events=[added(2)]))
    assert (found.state, found.part, found.fix) == (State.LACKING, "rules", "ringfence sync us-east-1")
    assert "1 rule missing: 198.18.0.2/32 on tcp/9042 in sg-00000001" in found.why
    assert "the next true-up is due by 08:01:30 UTC" in found.why


def test_a_rule_that_no_member_explains_is_open() -> None:
    found = only(sight(events=[removed(2), removed(3)]))
    assert found.state is State.OPEN
    assert found.why.startswith("2 rules to remove: 198.18.0.2/32 on tcp/9042 in sg-00000001, ...")


@pytest.mark.parametrize(("state", "event"), [("Pending:Wait", added(2, I2)), ("Terminating:Wait", removed(2, I2))])
def test_a_change_for_an_instance_at_a_hook_is_waiting(state: str, event: AuditEvent) -> None:
    moving = replace(HEALTHY, observation=observed({I1: "InService", I2: state}, instance(I1, address(1))))
    found = east(sight(moving, [event]))
    assert found.state is State.WAITING
    assert {reason.part for reason in found.reasons} == {"rules", "instances"}


def test_an_instance_at_a_hook_is_waiting_with_the_engines_reason() -> None:
    moving = replace(HEALTHY, observation=observed({I1: "InService", I2: "Pending:Wait"}, instance(I1, address(1))))
    found = only(sight(moving, [HookHeld(DB.asg, I2, None, None, Held.NO_ADDRESS, "it has no address yet", None)]))
    assert (found.state, found.fix) == (State.WAITING, "ringfence explain i-2")
    assert found.why == "i-2 of db waits in Pending:Wait: it has no address yet"


def test_held_removals_are_waiting_with_the_digest_that_confirms_them() -> None:
    found = only(sight(events=[RemovalsHeld(EAST, GROUP, (RuleId("sgr-1"),), 1, "abc")]))
    assert (found.state, found.part) == (State.WAITING, "guard")
    assert "the guard holds 1 removal in sg-00000001" in found.why
    assert found.fix.startswith("ringfence sync --confirm ")
    assert len(found.fix.split()[-1]) == 12


def test_a_full_group_is_lacking_with_its_count_and_the_launches_that_it_holds() -> None:
    rules: list[Rule] = [SELF, ADMITTED, *(rule(f"sgr-f{n}", address(1000 + n)) for n in range(58))]
    launches = {InstanceId(f"i-{number}"): "Pending:Wait" for number in (7, 8, 9)}
    full = replace(
        HEALTHY,
        rules={GROUP: tuple(rules)},
        observation=observed({I1: "InService", **launches}, instance(I1, address(1))),
    )
    found = east(sight(full, [*(refused(number, InstanceId(f"i-{number}")) for number in (7, 8, 9)), refused(5, I2)]))
    (room,) = found.of("room")
    assert found.state is State.LACKING
    assert room.why == "sg-00000001 is full: 60 of 60, 3 launches held, 1 member not admitted"
    assert "L-0EA8095F" in room.fix


def test_a_prefix_list_fills_a_group_by_its_weight() -> None:
    list_rule = replace(rule("sgr-pl", None), prefix_list=PrefixListId("pl-1"))
    full = replace(
        HEALTHY, rules={GROUP: (SELF, list_rule)}, prefix_lists={PrefixListId("pl-1"): PrefixList(False, 59)}
    )
    (room,) = east(sight(full, [refused(2, I2)])).of("room")
    assert room.why == "sg-00000001 is full: 60 of 60, 1 member not admitted"


def test_a_rule_that_ec2_does_not_accept_is_lacking() -> None:
    found = only(sight(events=[refused(2, I2, "malformed")]))
    assert (found.state, found.part) == (State.LACKING, "rules")
    assert found.why == "EC2 refuses 198.18.0.2/32 on tcp/9042 in sg-00000001: no room"


def test_rules_of_unknown_owner_are_open_and_only_the_first_are_named() -> None:
    events = [
        RuleOwnerUnknown(EAST, GROUP, RuleId(f"sgr-{n}"), Opening(TCP, Cidr(f"10.{n}.0.0/16")), label(), "a network")
        for n in range(7)
    ]
    found = east(sight(events=events))
    assert found.state is State.OPEN
    assert [reason.why for reason in found.reasons][-1] == "and 2 more"
    assert "revoke-security-group-ingress" in found.reasons[0].fix


def test_a_departed_instance_that_a_peer_may_still_admit_is_open() -> None:
    owing = roster({I1: address(1)}, {I3: NOW - 100}, pending_releases={WEST: frozenset({I3})})
    table = replace(ROWS, rosters={**ROWS.rosters, DB: owing})
    found = only(sight(replace(HEALTHY, rows=table), peers_rows=table))
    assert (found.state, found.why) == (State.OPEN, "us-west-2 may still admit i-3, which has departed")


def test_a_group_that_admits_itself_on_no_port_is_failing_with_auto() -> None:
    found = only(sight(replace(HEALTHY, rules={GROUP: (ADMITTED,)})))
    assert (found.state, found.part) == (State.FAILING, "groups")
    assert "admits itself on no port" in found.why


# Instances and rows.


def test_a_member_without_an_address_is_lacking() -> None:
    found = only(sight(replace(HEALTHY, observation=observed({I1: "InService"}, instance(I1)))))
    assert (found.state, found.part) == (State.LACKING, "addresses")
    assert "i-1: no public-ipv4 address, so no group admits it" in found.why


def test_an_instance_with_only_a_carrier_address_is_lacking_with_the_kind_that_it_has() -> None:
    carrier = instance(I1, carrier_ipv4=(Cidr("155.146.0.1/32"),))
    found = only(sight(replace(HEALTHY, observation=observed({I1: "InService"}, carrier))))
    assert "i-1 (it has carrier-ipv4): no public-ipv4 address" in found.why


def test_an_instance_in_service_that_ec2_does_not_show_is_unknown() -> None:
    found = only(sight(replace(HEALTHY, observation=observed({I1: "InService"}))))
    assert (found.state, found.part) == (State.UNKNOWN, "addresses")


def test_a_zone_that_ec2_does_not_describe_is_unknown() -> None:
    failing = ZoneNotDescribed(EAST, "use1-az1", (I2,), "Unavailable")
    found = only(sight(replace(HEALTHY, failing_zones=(failing,))))
    assert (found.state, found.part) == (State.UNKNOWN, "zones")
    assert "use1-az1" in found.why


def test_a_row_of_the_cluster_that_cannot_be_trusted_is_failing() -> None:
    table = replace(ROWS, bad={DB: BadRow("the version is out of bounds")})
    found = only(sight(replace(HEALTHY, rows=table)))
    assert (found.state, found.part, found.fix) == (State.FAILING, "rows", "ringfence sync us-east-1")


def test_a_roster_that_a_peer_has_in_an_older_version_is_waiting_and_later_lacking() -> None:
    for updated_at, state in ((NOW - 60, State.WAITING), (NOW - 600, State.LACKING)):
        newer = roster({I1: address(1)}, version=7, updated_at=updated_at)
        found = only(sight(replace(HEALTHY, rows=replace(ROWS, rosters={**ROWS.rosters, DB: newer}))))
        assert (found.state, found.part) == (state, "rosters")
        assert "us-west-2 has not got version 7 of the roster us-east-1/db yet" in found.why


# The engine.


def test_a_reconcile_that_would_fail_is_failing_and_said_once() -> None:
    found = only(sight(events=[Problem("the table is locked")], failure="the table is locked"))
    assert (found.state, found.why) == (State.FAILING, "a reconcile would fail: the table is locked")


def test_a_problem_that_a_reconcile_reports_is_failing() -> None:
    assert only(sight(events=[Problem("us-west-2 announces sg-9 with tcp/1")])).state is State.FAILING


def test_a_peer_that_cannot_be_brought_up_to_date_is_failing_unless_it_says_so_itself() -> None:
    failed = RegionFailed(WEST, at_home=False, error="denied", owed=0)
    found = only(sight(events=[failed]))
    assert (found.state, found.part) == (State.FAILING, "peers")
    assert east(sight(events=[failed], peer=healthy_path(stack=None, table=None))).state is State.IN_SYNC
    assert east(sight(events=[failed], unreachable={WEST: "no answer"})).state is State.IN_SYNC


@pytest.mark.parametrize("changed", ["stack", "function"])
def test_before_the_first_true_up_after_a_deployment_everything_missing_is_waiting_with_the_time(changed: str) -> None:
    # given a deployment after the last reconcile
    stack = DeployedStack("UPDATE_COMPLETE", PARAMETERS, NOW - 20 if changed == "stack" else NOW - 500)
    function = replace(FUNCTION, changed_at=NOW - 20 if changed == "function" else NOW - 500)
    own = healthy_path(stack=stack, function=function, reconciles=(DONE,))
    newer = roster({I1: address(1)}, version=7, updated_at=NOW - 600)
    seen = replace(HEALTHY, rows=replace(ROWS, rosters={**ROWS.rosters, DB: newer}))
    # when
    found = east(sight(seen, [added(2)], own=own))
    # then
    assert {reason.state for reason in found.reasons} == {State.WAITING}
    assert found.of("true-ups")[0].why == "its first true-up is due by 08:03:40 UTC"
    # but what is open is open
    assert east(sight(seen, [removed(2)], own=own)).state is State.OPEN


def test_a_first_true_up_that_is_overdue_is_failing() -> None:
    own = healthy_path(stack=DeployedStack("CREATE_COMPLETE", PARAMETERS, NOW - 300), reconciles=())
    found = only(sight(own=own))
    assert (found.state, found.part) == (State.FAILING, "true-ups")


def test_after_a_reconcile_by_hand_its_result_counts_before_the_log_shows_it() -> None:
    failed = (LoggedReconcile(NOW - 9, EAST, ("1",), "denied"),)
    before = sight(own=healthy_path(reconciles=failed))
    assert east(before).state is State.FAILING
    assert east(before.after(EAST, None)).state is State.IN_SYNC
    assert "denied too" in only(sight().after(EAST, "denied too")).why


def test_a_log_that_does_not_exist_is_failing() -> None:
    assert only(sight(own=healthy_path(reconciles=None))).part == "true-ups"


def test_engines_of_different_versions_and_of_different_code_are_waiting_for_a_deployment() -> None:
    def with_engines(east: str, west: str) -> Rows:
        versions = {EAST: east, WEST: west}
        announced = {key: row for key, row in ROWS.rosters.items() if key.is_announcement}
        newer = {key: replace(row, engine=versions[key.region]) for key, row in announced.items()}
        return replace(ROWS, rosters={**ROWS.rosters, **newer})

    table = with_engines("0.1.9", "0.2.0")
    found = only(sight(replace(HEALTHY, rows=table), peers_rows=table))
    assert (found.state, found.fix) == (State.WAITING, "ringfence deploy")
    assert found.why == "the engine here has version 0.1.9, and others differ: 0.2.0 in us-west-2"
    same = with_engines("0.2.0", "0.2.0")
    own, peer = (
        healthy_path(function=replace(FUNCTION, code=code), tags={group: {"ringfence-cluster": "demo"}})
        for code, group in (("a", GROUP), ("b", WEST_GROUP))
    )
    found = only(sight(replace(HEALTHY, rows=same), peers_rows=same, own=own, peer=peer))
    assert (found.state, found.part) == (State.WAITING, "engines")
    assert "code" in found.why


def test_a_region_in_observe_mode_is_observed_and_what_it_would_change_is_not_lacking() -> None:
    expected = replace(EXPECTED, settings=replace(EXPECTED.settings, mode=Mode.OBSERVE))
    function = replace(FUNCTION, environment={**FUNCTION.environment, "RINGFENCE_MODE": "observe"})
    events = [RuleWanted(EAST, GROUP, Opening(TCP, address(2)), label(I2))]
    found = east(sight(events=events, expected=expected, own=healthy_path(function=function)))
    assert found.state is State.OBSERVED
    assert [reason.why for reason in found.reasons] == [
        "1 rule would be changed",
        "nothing is changed: the mode is observe",
    ]
