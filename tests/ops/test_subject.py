"""Who an address, an instance or a rule is: each kind of answer, from rosters, rules, instances and a rehearsal."""

from dataclasses import replace

import pytest

from ringfence.core.audit_events import (
    AuditEvent,
    RemovalsHeld,
    RuleAdded,
    RuleRefused,
    RuleRelabelled,
    RuleRemoved,
    RuleUnwanted,
    RuleWanted,
)
from ringfence.core.model.addresses import Cidr
from ringfence.core.model.identifiers import STATIC, InstanceId, RosterKey
from ringfence.core.model.rosters import Rows
from ringfence.core.model.rules import Label, Opening, Rule
from ringfence.core.observation import Observation
from ringfence_ops.explain.explanation import (
    Door,
    Explanation,
    HasDeparted,
    IsJoining,
    IsMember,
    IsStatic,
    IsStranger,
    Subject,
    Verdict,
)
from ringfence_ops.explain.subject import Inquiry, Sight
from tests.unit.builders import (
    CLUSTER,
    DB,
    EAST,
    GROUP,
    NOW,
    TCP,
    WEST,
    address,
    instance,
    label,
    member,
    observed,
    roster,
    rows,
    rule,
)

I1, I2 = InstanceId("i-0000000000000001"), InstanceId("i-0000000000000002")
OFFICE = Cidr("192.0.2.0/24")
IN_SERVICE = observed({I1: "InService"}, instance(I1, address(1)))
MEMBER = roster({I1: address(1)}, version=3)
DEPARTED = roster({}, {I1: NOW - 40}, version=4)


def sight(*rules: Rule, rows: Rows, observation: Observation | None = None) -> Sight:
    return Sight({GROUP: rules}, rows, observation or Observation({}, {}))


def asked(text: str, *sights: Sight, foreseen: tuple[AuditEvent, ...] = (), **fields: object) -> Explanation:
    """The answer of a cluster whose first Region is the east and whose second, if any, the west."""
    inquiry = Inquiry(CLUSTER, dict(zip((EAST, WEST), sights, strict=False)), foreseen)
    return replace(inquiry, **fields).about(Subject.parse(text))  # type: ignore[arg-type]  # by name


def removed(rule: Rule, reason: str) -> RuleRemoved:
    assert rule.opening is not None
    return RuleRemoved(EAST, GROUP, rule.id, rule.opening, rule.label(CLUSTER), reason, None, drift=False)


def verdicts(explanation: Explanation) -> list[Verdict]:
    return [door.verdict for door in explanation.doors]


OWNED = rule("sgr-00000001", address(1), label(I1))


def test_a_member_is_named_with_its_state_and_its_doors_are_right_in_every_region() -> None:
    east, west = sight(OWNED, rows=rows(MEMBER), observation=IN_SERVICE), sight(OWNED, rows=rows(MEMBER))
    answer = asked("198.18.0.1", east, west)
    assert answer.identities == (IsMember(DB, I1, MEMBER.members[I1], "InService"),)
    assert answer.doors == (
        Door(EAST, GROUP, Opening(TCP, address(1)), Verdict.RIGHT, OWNED, label(I1)),
        Door(WEST, GROUP, Opening(TCP, address(1)), Verdict.RIGHT, OWNED, label(I1)),
    )
    assert answer.is_right


def test_an_instance_is_found_by_its_id_and_brings_its_addresses() -> None:
    answer = asked(I1, sight(OWNED, rows=rows(MEMBER), observation=IN_SERVICE))
    assert answer.addresses == (address(1),)
    assert verdicts(answer) == [Verdict.RIGHT]


def test_the_newest_roster_counts_whichever_table_holds_it() -> None:
    newer = replace(MEMBER, version=9, members={I2: member(address(1))})
    answer = asked("198.18.0.1", sight(rows=rows(MEMBER)), sight(rows=rows(newer)))
    assert [identity.instance for identity in answer.identities if isinstance(identity, IsMember)] == [I2]


def test_the_address_of_a_departed_instance_is_known_by_its_rule_and_the_rule_goes() -> None:
    foreseen = (removed(OWNED, "departed"),)
    answer = asked("198.18.0.1", sight(OWNED, rows=rows(DEPARTED)), foreseen=foreseen)
    assert answer.identities == (HasDeparted(DB, I1, NOW - 40),)
    (door,) = answer.doors
    assert (door.verdict, door.reason) == (Verdict.GOES, "departed")
    assert not answer.is_right


def test_an_instance_that_only_a_rule_still_names_departed_nobody_knows_when() -> None:
    answer = asked("198.18.0.1", sight(OWNED, rows=rows(roster())))
    assert answer.identities == (HasDeparted(DB, I1, None),)
    assert verdicts(answer) == [Verdict.KEPT]


def test_a_rule_of_a_roster_that_nobody_has_read_says_of_nobody_that_he_left() -> None:
    answer = asked("198.18.0.1", sight(OWNED, rows=rows()))
    assert answer.identities == ()
    assert verdicts(answer) == [Verdict.KEPT]


def test_a_removal_that_the_guard_holds_is_told_apart() -> None:
    foreseen = (RemovalsHeld(EAST, GROUP, (OWNED.id,), 10, "abc"),)
    assert verdicts(asked("198.18.0.1", sight(OWNED, rows=rows(roster())), foreseen=foreseen)) == [Verdict.HELD]


def test_in_a_region_that_is_only_observed_doors_would_come_and_go() -> None:
    opening = Opening(TCP, address(1))
    foreseen = (
        RuleUnwanted(EAST, GROUP, OWNED.id, opening, label(I1), "departed"),
        RuleWanted(WEST, GROUP, opening, label(I2)),
    )
    answer = asked("198.18.0.1", sight(OWNED, rows=rows(DEPARTED)), sight(rows=rows()), foreseen=foreseen)
    assert verdicts(answer) == [Verdict.WOULD_GO, Verdict.WOULD_COME]


def test_a_door_that_names_whoever_had_the_address_before_is_renamed() -> None:
    renamed = RuleRelabelled(EAST, GROUP, OWNED.id, Opening(TCP, address(1)), label(I2), label(I1))
    taken_over = roster({I2: address(1)}, {I1: NOW}, version=4)
    answer = asked("198.18.0.1", sight(OWNED, rows=rows(taken_over)), foreseen=(renamed,))
    assert [(door.verdict, door.reason) for door in answer.doors] == [(Verdict.RENAMED, I2)]
    assert [type(identity) for identity in answer.identities] == [IsMember, HasDeparted]


def test_an_instance_that_its_group_lists_and_no_roster_holds_is_joining() -> None:
    observation = observed({I2: "Pending:Wait"}, instance(I2, address(2)))
    coming = RuleAdded(EAST, GROUP, rule("sgr-00000009", None).id, Opening(TCP, address(2)), label(I2), drift=False)
    answer = asked("198.18.0.2", sight(rows=rows(MEMBER), observation=observation), foreseen=(coming,))
    assert answer.identities == (IsJoining(DB, I2, "Pending:Wait"),)
    assert answer.doors == (Door(EAST, GROUP, Opening(TCP, address(2)), Verdict.COMES, label=label(I2)),)
    assert not answer.is_right


def test_a_door_that_ec2_refuses_says_why() -> None:
    refused = RuleRefused(EAST, GROUP, Opening(TCP, address(1)), label(I1), "quota", "60 rules")
    answer = asked("198.18.0.1", sight(rows=rows(MEMBER), observation=IN_SERVICE), foreseen=(refused,))
    assert [(door.verdict, door.reason) for door in answer.doors] == [(Verdict.REFUSED, "quota")]


def test_a_static_member_is_found_by_any_of_its_addresses() -> None:
    owner = Label(CLUSTER, RosterKey(EAST, STATIC), "static")
    office = rule("sgr-00000002", OFFICE, owner)
    answer = asked("192.0.2.7", sight(office, rows=rows(MEMBER)), static_members=(OFFICE,))
    assert answer.identities == (IsStatic(OFFICE),)
    assert [(door.verdict, door.wider) for door in answer.doors] == [(Verdict.RIGHT, True)]


@pytest.mark.parametrize("cidr", ["198.18.0.0/16", "0.0.0.0/0"])
def test_an_address_inside_a_wider_foreign_rule_is_admitted_by_it(cidr: str) -> None:
    wide = rule("sgr-00000003", Cidr(cidr))
    answer = asked("198.18.0.1", sight(wide, rows=rows(roster())))
    assert answer.identities == ()
    assert [(door.verdict, door.wider) for door in answer.doors] == [(Verdict.FOREIGN, True)]
    assert answer.is_right


def test_a_foreign_rule_that_mirror_mode_removes_goes() -> None:
    foreign = rule("sgr-00000004", address(7))
    answer = asked("198.18.0.7", sight(foreign, rows=rows(MEMBER)), foreseen=(removed(foreign, "foreign"),))
    assert verdicts(answer) == [Verdict.GOES]


def test_a_stranger_that_holds_the_address_of_a_departed_instance_is_named_beside_it() -> None:
    answer = asked("198.18.0.1", sight(OWNED, rows=rows(DEPARTED)), strangers={WEST: (I2,)})
    assert answer.identities == (HasDeparted(DB, I1, NOW - 40), IsStranger(WEST, I2))


def test_an_address_of_nobody_has_no_identity_and_no_door() -> None:
    answer = asked("203.0.113.9", sight(OWNED, rows=rows(MEMBER)))
    assert (answer.identities, answer.doors) == ((), ())
    assert answer.is_right


def test_a_rule_is_asked_about_alone_and_brings_whom_it_admits() -> None:
    other = rule("sgr-00000005", address(1), label(I1), ports=replace(TCP, from_port=7000, to_port=7000))
    answer = asked("sgr-00000001", sight(OWNED, other, rows=rows(MEMBER), observation=IN_SERVICE))
    assert [door.rule for door in answer.doors] == [OWNED]
    assert [type(identity) for identity in answer.identities] == [IsMember]


def test_an_address_of_another_family_is_no_part_of_a_network() -> None:
    assert asked("2001:db8::1", sight(rule("sgr-00000003", Cidr("0.0.0.0/0")), rows=rows(MEMBER))).doors == ()


@pytest.mark.parametrize(
    ("text", "subject"),
    [
        ("203.0.113.7", Subject("203.0.113.7", cidr=Cidr("203.0.113.7/32"))),
        (" 203.0.113.7/24 ", Subject("203.0.113.7/24", cidr=Cidr("203.0.113.0/24"))),
        ("2001:DB8::1", Subject("2001:DB8::1", cidr=Cidr("2001:db8::1/128"))),
        (I1, Subject(I1, instance=I1)),
    ],
)
def test_what_is_asked_about_is_told_by_its_form(text: str, subject: Subject) -> None:
    assert Subject.parse(text) == subject


@pytest.mark.parametrize("text", ["", "db-1", "i-xyz", "999.1.1.1", "sg-0123456789abcdef0"])
def test_what_is_none_of_the_three_is_refused_with_examples(text: str) -> None:
    with pytest.raises(ValueError, match="give one such as"):
        Subject.parse(text)
