"""What reconciles change, told as one list; and the digest that names a plan."""

from ringfence.core.audit_events import RemovalsHeld, RuleAdded, RuleRefused, RuleRemoved, RuleUnwanted, RuleWanted
from ringfence.core.model.identifiers import RuleId
from ringfence.core.model.rules import Opening
from ringfence_ops.state.changes import Action, changes, digest, held
from tests.unit.builders import EAST, GROUP, TCP, address, label, rule

CLUSTER = label().cluster
OPENING = Opening(TCP, address(1))
ADDED = RuleAdded(EAST, GROUP, RuleId("sgr-made-up"), OPENING, label(), drift=False)
REMOVED = RuleRemoved(EAST, GROUP, RuleId("sgr-1"), Opening(TCP, address(2)), label(), "departed", 3.0, drift=False)


def test_each_entry_about_a_rule_becomes_a_change_and_no_other_does() -> None:
    found = changes(CLUSTER, [REMOVED, ADDED], {})

    assert [(one.action, one.opening, one.why) for one in found] == [
        (Action.ADD, OPENING, "joined"),
        (Action.REMOVE, Opening(TCP, address(2)), "departed"),
    ]


def test_what_is_held_is_told_with_the_rule_that_stands_and_once_for_all_engines() -> None:
    # given a removal that the engines of two Regions hold
    standing = rule("sgr-1", address(1), description=str(label()))
    entry = RemovalsHeld(EAST, GROUP, (standing.id,), 9, "digest")
    # when
    found = changes(CLUSTER, [entry, entry], {standing.id: standing})
    # then
    (one,) = found
    assert (one.action, one.opening, one.label) == (Action.HOLD, standing.opening, label())
    assert [each.digest for each in held([entry, entry])] == ["digest"]


def test_a_held_rule_that_is_gone_by_now_is_told_by_its_id() -> None:
    (one,) = changes(CLUSTER, [RemovalsHeld(EAST, GROUP, (RuleId("sgr-9"),), 9, "digest")], {})

    assert (one.rule, one.opening, one.label) == ("sgr-9", None, None)


def test_what_is_only_observed_says_so() -> None:
    wanted = RuleWanted(EAST, GROUP, OPENING, label())
    unwanted = RuleUnwanted(EAST, GROUP, RuleId("sgr-1"), Opening(TCP, address(2)), None, "no-member")

    assert [one.observed for one in changes(CLUSTER, [wanted, unwanted], {})] == [True, True]


def test_a_digest_names_exactly_the_changes_in_whatever_order() -> None:
    both = changes(CLUSTER, [ADDED, REMOVED], {})

    assert digest(both) == digest(both[::-1])
    assert digest(both) != digest(both[:1])
    assert digest([]) == "000000000000"


def test_a_made_up_id_of_a_rule_that_does_not_stand_yet_is_not_in_the_digest() -> None:
    other = RuleAdded(EAST, GROUP, RuleId("sgr-made-up-otherwise"), OPENING, label(), drift=False)

    assert digest(changes(CLUSTER, [ADDED], {})) == digest(changes(CLUSTER, [other], {}))


def test_what_is_refused_changes_nothing_and_is_not_in_the_digest() -> None:
    refused = RuleRefused(EAST, GROUP, OPENING, label(), "quota", "RulesPerSecurityGroupLimitExceeded")

    (one,) = changes(CLUSTER, [refused], {})

    assert (one.action, one.why) == (Action.REFUSE, "RulesPerSecurityGroupLimitExceeded")
    assert digest([one]) == digest([])
