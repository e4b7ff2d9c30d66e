"""What reconciles change, as one list; and the digest that identifies a plan."""

from dataclasses import replace

import pytest

from ringfence.core.audit_events import (
    AuditEvent,
    RemovalsHeld,
    RuleAdded,
    RuleRefused,
    RuleRemoved,
    RuleUnwanted,
    RuleWanted,
)
from ringfence.core.model.identifiers import RuleId
from ringfence.core.model.ports import PortRange
from ringfence.core.model.rosters import Rows
from ringfence.core.model.rules import Opening, Rule
from ringfence.core.observation import Observation
from ringfence_ops.commands.retire import RetiredRules
from ringfence_ops.state.changes import Action, changes, digest, guard_holds
from ringfence_ops.state.dry_run import DryRunResult
from ringfence_ops.state.region_snapshot import RegionSnapshot
from ringfence_ops.state.snapshot import Snapshot
from tests.unit.builders import EAST, GROUP, TCP, address, label, rule

CLUSTER = label().cluster
OPENING = Opening(TCP, address(1))
ADDED = RuleAdded(EAST, GROUP, RuleId("sgr-made-up"), OPENING, label(), drift=False)
REMOVED = RuleRemoved(EAST, GROUP, RuleId("sgr-1"), Opening(TCP, address(2)), label(), "departed", 3.0, drift=False)


def test_each_audit_event_about_a_rule_becomes_a_change() -> None:
    found = changes(CLUSTER, [REMOVED, ADDED], {})

    assert [(change.action, change.opening, change.why) for change in found] == [
        (Action.ADD, OPENING, "joined"),
        (Action.REMOVE, Opening(TCP, address(2)), "departed"),
    ]


def test_what_is_held_is_listed_with_its_rule_and_once_for_all_engines() -> None:
    # given a removal that the engines of two Regions hold
    held = rule("sgr-1", address(1), description=str(label()))
    event = RemovalsHeld(EAST, GROUP, (held.id,), 9, "digest")
    # when
    found = changes(CLUSTER, [event, event], {held.id: held})
    # then
    (change,) = found
    assert (change.action, change.opening, change.label) == (Action.HOLD, held.opening, label())
    assert [hold.digest for hold in guard_holds([event, event])] == ["digest"]


def test_a_held_rule_that_no_longer_exists_is_listed_by_its_id() -> None:
    (change,) = changes(CLUSTER, [RemovalsHeld(EAST, GROUP, (RuleId("sgr-9"),), 9, "digest")], {})

    assert (change.rule, change.opening, change.label) == ("sgr-9", None, None)


def test_a_change_in_observe_mode_is_marked() -> None:
    wanted = RuleWanted(EAST, GROUP, OPENING, label())
    unwanted = RuleUnwanted(EAST, GROUP, RuleId("sgr-1"), Opening(TCP, address(2)), None, "no-member")

    assert [change.observed for change in changes(CLUSTER, [wanted, unwanted], {})] == [True, True]


@pytest.mark.parametrize("order", [1, -1])
def test_what_one_engine_observes_and_another_one_does_is_done(order: int) -> None:
    # given the engine of a paused Region, and that of the group's own Region
    events: list[AuditEvent] = [RuleWanted(EAST, GROUP, OPENING, label()), ADDED]
    # then
    (change,) = changes(CLUSTER, events[::order], {})
    assert (change.action, change.observed) == (Action.ADD, False)


def test_a_digest_identifies_exactly_the_changes_in_any_order() -> None:
    both = changes(CLUSTER, [ADDED, REMOVED], {})

    assert digest(both) == digest(both[::-1])
    assert digest(both) != digest(both[:1])
    assert digest([]) == "000000000000"


def test_the_made_up_id_of_a_rule_that_does_not_exist_yet_is_not_in_the_digest() -> None:
    other = RuleAdded(EAST, GROUP, RuleId("sgr-made-up-otherwise"), OPENING, label(), drift=False)

    assert digest(changes(CLUSTER, [ADDED], {})) == digest(changes(CLUSTER, [other], {}))


def test_a_refused_rule_is_no_change_and_is_not_in_the_digest() -> None:
    refused = RuleRefused(EAST, GROUP, OPENING, label(), "quota", "RulesPerSecurityGroupLimitExceeded")

    (change,) = changes(CLUSTER, [refused], {})

    assert (change.action, change.why) == (Action.REFUSE, "RulesPerSecurityGroupLimitExceeded")
    assert digest([change]) == digest([])


def test_a_digest_covers_the_address_the_ports_and_the_label_of_a_held_rule() -> None:
    # given a plan with a held rule
    held = rule("sgr-1", address(1), description=str(label()))
    event = RemovalsHeld(EAST, GROUP, (held.id,), 9, "digest")
    shown = digest(changes(CLUSTER, [event], {held.id: held}))
    # when the rule is modified under its id
    for modified in (
        rule("sgr-1", address(2), description=str(label())),
        rule("sgr-1", address(1), ports=PortRange("tcp", 0, 65535), description=str(label())),
        rule("sgr-1", address(1), description=str(label("i-2"))),
    ):
        # then it is another plan
        assert digest(changes(CLUSTER, [event], {held.id: modified})) != shown


def test_the_rules_of_a_retired_region_are_confirmed_only_as_they_were_shown() -> None:
    # given what the guard holds, and what the operator has seen
    seen = rule("sgr-1", address(1), description=str(label()))
    retired = RetiredRules({seen.id: seen}, own_groups=0)
    event = RemovalsHeld(EAST, GROUP, (seen.id,), 9, "digest")

    def confirmed(*rules: Rule) -> list[str]:
        region = RegionSnapshot({GROUP: rules}, Rows(), Observation({}, {}))
        snapshot = Snapshot(CLUSTER, 0, {EAST: region}, {}, {EAST: DryRunResult((event,))}, {})
        return [hold.digest for hold in retired.confirmed(snapshot)]

    # then
    assert confirmed(seen) == ["digest"]
    assert confirmed(replace(seen, opening=Opening(TCP, address(2)))) == []
    assert confirmed() == []
