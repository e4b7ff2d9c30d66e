"""Who an address, an instance or a rule is: each kind of explanation, from what was read and from a dry run."""

from dataclasses import replace

import pytest

from ringfence.core.audit_events import (
    RemovalsHeld,
    RuleAdded,
    RuleRefused,
    RuleRelabelled,
    RuleRemoved,
    RuleUnwanted,
    RuleWanted,
)
from ringfence.core.model.addresses import Cidr
from ringfence.core.model.identifiers import STATIC, RosterKey
from ringfence.core.model.rules import Label, Opening, Rule
from ringfence_ops.explain.explanation import (
    ClusterMember,
    DepartedInstance,
    Door,
    DoorVerdict,
    Explanation,
    JoiningInstance,
    StaticMember,
    Stranger,
)
from ringfence_ops.explain.subject import Subject
from tests.ops.evidence import DEPARTED, I1, I2, IN_SERVICE, MEMBER, OFFICE, OWNED, explained, region
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


def removed(rule: Rule, reason: str) -> RuleRemoved:
    assert rule.opening is not None
    return RuleRemoved(EAST, GROUP, rule.id, rule.opening, rule.label(CLUSTER), reason, None, drift=False)


def verdicts(explanation: Explanation) -> list[DoorVerdict]:
    return [door.verdict for door in explanation.doors]


def test_a_member_has_its_state_and_its_doors_are_right_in_every_region() -> None:
    east, west = region(OWNED, rows=rows(MEMBER), observation=IN_SERVICE), region(OWNED, rows=rows(MEMBER))
    answer = explained("198.18.0.1", east, west)
    assert answer.identities == (ClusterMember(DB, I1, MEMBER.members[I1], "InService"),)
    assert answer.doors == (
        Door(EAST, GROUP, Opening(TCP, address(1)), DoorVerdict.RIGHT, OWNED, label(I1)),
        Door(WEST, GROUP, Opening(TCP, address(1)), DoorVerdict.RIGHT, OWNED, label(I1)),
    )
    assert answer.is_right


def test_an_instance_is_found_by_its_id_with_its_addresses() -> None:
    answer = explained(I1, region(OWNED, rows=rows(MEMBER), observation=IN_SERVICE))
    assert answer.addresses == (address(1),)
    assert verdicts(answer) == [DoorVerdict.RIGHT]


def test_the_newest_roster_of_all_tables_counts() -> None:
    newer = replace(MEMBER, version=9, members={I2: member(address(1))})
    answer = explained("198.18.0.1", region(rows=rows(MEMBER)), region(rows=rows(newer)))
    assert [identity.instance for identity in answer.identities if isinstance(identity, ClusterMember)] == [I2]


def test_the_address_of_a_departed_instance_is_known_from_its_rule_and_the_rule_goes() -> None:
    planned_events = (removed(OWNED, "departed"),)
    answer = explained("198.18.0.1", region(OWNED, rows=rows(DEPARTED)), planned_events=planned_events)
    assert answer.identities == (DepartedInstance(DB, I1, NOW - 40),)
    (door,) = answer.doors
    assert (door.verdict, door.reason) == (DoorVerdict.GOES, "departed")
    assert not answer.is_right


def test_an_instance_that_only_a_rule_still_names_departed_at_an_unknown_time() -> None:
    answer = explained("198.18.0.1", region(OWNED, rows=rows(roster())))
    assert answer.identities == (DepartedInstance(DB, I1, None),)
    assert verdicts(answer) == [DoorVerdict.KEPT]


def test_without_the_roster_a_rule_is_no_evidence_of_a_departure() -> None:
    answer = explained("198.18.0.1", region(OWNED, rows=rows()))
    assert answer.identities == ()
    assert verdicts(answer) == [DoorVerdict.KEPT]


def test_a_removal_that_the_guard_holds_has_its_own_verdict() -> None:
    planned_events = (RemovalsHeld(EAST, GROUP, (OWNED.id,), 10, "abc"),)
    assert verdicts(explained("198.18.0.1", region(OWNED, rows=rows(roster())), planned_events=planned_events)) == [
        DoorVerdict.HELD
    ]


def test_in_observe_mode_doors_would_come_and_go() -> None:
    opening = Opening(TCP, address(1))
    planned_events = (
        RuleUnwanted(EAST, GROUP, OWNED.id, opening, label(I1), "departed"),
        RuleWanted(WEST, GROUP, opening, label(I2)),
    )
    answer = explained(
        "198.18.0.1", region(OWNED, rows=rows(DEPARTED)), region(rows=rows()), planned_events=planned_events
    )
    assert verdicts(answer) == [DoorVerdict.WOULD_GO, DoorVerdict.WOULD_COME]


def test_a_door_named_after_the_previous_holder_of_the_address_is_renamed() -> None:
    renamed = RuleRelabelled(EAST, GROUP, OWNED.id, Opening(TCP, address(1)), label(I2), label(I1))
    taken_over = roster({I2: address(1)}, {I1: NOW}, version=4)
    answer = explained("198.18.0.1", region(OWNED, rows=rows(taken_over)), planned_events=(renamed,))
    assert [(door.verdict, door.reason) for door in answer.doors] == [(DoorVerdict.RENAMED, I2)]
    assert [type(identity) for identity in answer.identities] == [ClusterMember, DepartedInstance]


def test_an_instance_that_its_group_lists_and_no_roster_contains_is_joining() -> None:
    observation = observed({I2: "Pending:Wait"}, instance(I2, address(2)))
    coming = RuleAdded(EAST, GROUP, rule("sgr-00000009", None).id, Opening(TCP, address(2)), label(I2), drift=False)
    answer = explained("198.18.0.2", region(rows=rows(MEMBER), observation=observation), planned_events=(coming,))
    assert answer.identities == (JoiningInstance(DB, I2, "Pending:Wait"),)
    assert answer.doors == (Door(EAST, GROUP, Opening(TCP, address(2)), DoorVerdict.COMES, label=label(I2)),)
    assert not answer.is_right


def test_a_door_that_ec2_refuses_has_the_reason() -> None:
    refused = RuleRefused(EAST, GROUP, Opening(TCP, address(1)), label(I1), "quota", "60 rules")
    answer = explained("198.18.0.1", region(rows=rows(MEMBER), observation=IN_SERVICE), planned_events=(refused,))
    assert [(door.verdict, door.reason) for door in answer.doors] == [(DoorVerdict.REFUSED, "quota")]


def test_a_static_member_is_found_by_any_of_its_addresses() -> None:
    owner = Label(CLUSTER, RosterKey(EAST, STATIC), "static")
    office = rule("sgr-00000002", OFFICE, owner)
    answer = explained("192.0.2.7", region(office, rows=rows(MEMBER)), static_members=(OFFICE,))
    assert answer.identities == (StaticMember(OFFICE),)
    assert [(door.verdict, door.wider) for door in answer.doors] == [(DoorVerdict.RIGHT, True)]


@pytest.mark.parametrize("cidr", ["198.18.0.0/16", "0.0.0.0/0"])
def test_an_address_inside_a_wider_foreign_rule_is_admitted_by_it(cidr: str) -> None:
    wide = rule("sgr-00000003", Cidr(cidr))
    answer = explained("198.18.0.1", region(wide, rows=rows(roster())))
    assert answer.identities == ()
    assert [(door.verdict, door.wider) for door in answer.doors] == [(DoorVerdict.FOREIGN, True)]
    assert answer.is_right


def test_a_foreign_rule_that_mirror_mode_removes_goes() -> None:
    foreign = rule("sgr-00000004", address(7))
    answer = explained("198.18.0.7", region(foreign, rows=rows(MEMBER)), planned_events=(removed(foreign, "foreign"),))
    assert verdicts(answer) == [DoorVerdict.GOES]


def test_a_stranger_with_the_address_of_a_departed_instance_is_an_identity_too() -> None:
    answer = explained("198.18.0.1", region(OWNED, rows=rows(DEPARTED)), strangers={WEST: (I2,)})
    assert answer.identities == (DepartedInstance(DB, I1, NOW - 40), Stranger(WEST, I2))


def test_an_unknown_address_has_no_identity_and_no_door() -> None:
    answer = explained("203.0.113.9", region(OWNED, rows=rows(MEMBER)))
    assert (answer.identities, answer.doors) == ((), ())
    assert answer.is_right


def test_a_rule_is_explained_alone_with_the_member_that_it_admits() -> None:
    other = rule("sgr-00000005", address(1), label(I1), ports=replace(TCP, from_port=7000, to_port=7000))
    answer = explained("sgr-00000001", region(OWNED, other, rows=rows(MEMBER), observation=IN_SERVICE))
    assert [door.rule for door in answer.doors] == [OWNED]
    assert [type(identity) for identity in answer.identities] == [ClusterMember]


def test_an_address_of_another_family_is_not_within_a_network() -> None:
    assert explained("2001:db8::1", region(rule("sgr-00000003", Cidr("0.0.0.0/0")), rows=rows(MEMBER))).doors == ()


@pytest.mark.parametrize(
    ("text", "subject"),
    [
        ("203.0.113.7", Subject("203.0.113.7", cidr=Cidr("203.0.113.7/32"))),
        (" 203.0.113.7/24 ", Subject("203.0.113.7/24", cidr=Cidr("203.0.113.0/24"))),
        ("2001:DB8::1", Subject("2001:DB8::1", cidr=Cidr("2001:db8::1/128"))),
        (I1, Subject(I1, instance=I1)),
    ],
)
def test_a_subject_is_recognised_by_its_form(text: str, subject: Subject) -> None:
    assert Subject.parse(text) == subject


@pytest.mark.parametrize("text", ["", "db-1", "i-xyz", "999.1.1.1", "sg-0123456789abcdef0"])
def test_another_text_is_rejected_with_examples(text: str) -> None:
    with pytest.raises(ValueError, match="give one such as"):
        Subject.parse(text)
