"""Who an address, an instance or a rule is: each kind of explanation, from what was read and from a dry run."""

from dataclasses import replace

import pytest

from ringfence.core.audit_events import (
    RemovalsHeld,
    RuleAdded,
    RuleOwnerUnknown,
    RuleRefused,
    RuleRelabelled,
    RuleRemoved,
    RuleUnwanted,
    RuleWanted,
)
from ringfence.core.model.addresses import Cidr
from ringfence.core.model.identifiers import ANNOUNCEMENT, STATIC, Region, RosterKey
from ringfence.core.model.rosters import Roster
from ringfence.core.model.rules import Label, Opening, Rule
from ringfence_ops.explain.evidence import Evidence
from ringfence_ops.explain.explanation import (
    ClaimedAddress,
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
from tests.ops.evidence import DEPARTED, I1, I2, I3, IN_SERVICE, MEMBER, OFFICE, OWNED, explained, region
from tests.unit.builders import (
    CLUSTER,
    DB,
    EAST,
    GROUP,
    NOW,
    TCP,
    WEST,
    WEST_DB,
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


def test_a_roster_counts_as_its_home_table_has_it() -> None:
    # given a row in a peer's table that says something newer: anyone who may write there can have written it
    newer = replace(MEMBER, version=9, members={I2: member(address(1)), I3: member(address(3))})
    # then
    answer = explained("198.18.0.1", region(rows=rows(MEMBER)), region(rows=rows(newer)))
    assert [identity.instance for identity in answer.identities if isinstance(identity, ClusterMember)] == [I1]
    (claim,) = explained("198.18.0.3", region(rows=rows(MEMBER)), region(rows=rows(newer))).identities
    assert claim == ClaimedAddress(WEST, DB, I3)


def test_without_its_home_table_the_newest_roster_counts() -> None:
    west = roster({I1: address(1)}, key=WEST_DB, version=3)
    east = region(rows=rows(west))
    answer = explained("198.18.0.1", east)
    assert [identity.instance for identity in answer.identities if isinstance(identity, ClusterMember)] == [I1]


@pytest.mark.parametrize("subject", ["198.18.0.66", I3])
def test_an_unannounced_row_makes_no_member(subject: str) -> None:
    # given a row in the east's table under a name that the west does not announce, and its rule
    evil = roster({I3: address(66)}, key=RosterKey(WEST, "evil"))
    announcement = Roster(RosterKey(WEST, ANNOUNCEMENT), 5, groups=frozenset({"db"}))
    door = rule("sgr-00000066", address(66), label(I3, evil.key))
    # when
    answer = explained(subject, region(door, rows=rows(MEMBER, evil, announcement)))
    # then
    assert answer.identities == (ClaimedAddress(EAST, evil.key, I3),)
    assert verdicts(answer) == [DoorVerdict.KEPT]


def test_a_row_of_a_group_that_the_cluster_file_does_not_name_makes_no_member() -> None:
    evil = roster({I3: address(66)}, key=RosterKey(Region("eu-north-1"), "evil"))
    answer = explained("198.18.0.66", region(rows=rows(MEMBER, evil)), groups={EAST: ("db",), WEST: ("db",)})
    assert answer.identities == (ClaimedAddress(EAST, evil.key, I3),)


def test_an_announcement_is_no_roster() -> None:
    announcement = Roster(RosterKey(EAST, ANNOUNCEMENT), 5, groups=frozenset({"db"}))
    evidence = Evidence(CLUSTER, {EAST: region(rows=rows(MEMBER, announcement))})
    assert set(evidence.rosters()) == {DB}


WIDE = ["0.0.0.0/0", "198.18.0.0/15", "198.0.0.0/7"]


@pytest.mark.parametrize("owner", [label(I1), Label(CLUSTER, RosterKey(EAST, STATIC), "static")], ids=str)
@pytest.mark.parametrize("cidr", WIDE)
def test_a_network_with_our_label_is_a_rule_that_admits_and_no_member(cidr: str, owner: Label) -> None:
    if owner.instance == "static" and cidr == "198.18.0.0/15":
        return  # a static member's network may be so large
    wide = rule("sgr-0000000f", Cidr(cidr), owner)
    east = region(OWNED, wide, rows=rows(MEMBER), observation=IN_SERVICE)
    # when a stranger, a member, the rule and the member's id are explained
    stranger, admitted, itself, by_id = (explained(text, east) for text in ("198.18.0.9", "198.18.0.1", wide.id, I1))
    # then
    assert stranger.identities == ()
    assert [(door.verdict, door.wider) for door in stranger.doors] == [(DoorVerdict.UNOWNED, True)]
    assert not stranger.is_right
    assert [type(identity) for identity in admitted.identities] == [ClusterMember]
    assert verdicts(admitted) == [DoorVerdict.RIGHT, DoorVerdict.UNOWNED]
    assert (itself.identities, verdicts(itself)) == ((), [DoorVerdict.UNOWNED])
    assert by_id.addresses == (address(1),)


def test_a_rule_whose_owner_is_not_known_has_its_own_verdict_with_the_reason() -> None:
    unknown = RuleOwnerUnknown(EAST, GROUP, OWNED.id, Opening(TCP, address(1)), label(I1), "the roster is not known")
    (door,) = explained("198.18.0.1", region(OWNED, rows=rows()), planned_events=(unknown,)).doors
    assert (door.verdict, door.reason, door.is_right) == (DoorVerdict.UNOWNED, "the roster is not known", False)


def test_a_rule_that_mirror_mode_removes_goes_though_its_owner_is_unknown() -> None:
    wide = rule("sgr-0000000f", Cidr("0.0.0.0/0"), label(I1))
    unknown = RuleOwnerUnknown(EAST, GROUP, wide.id, Opening(TCP, Cidr("0.0.0.0/0")), label(I1), "why")
    for planned_events in ((unknown, removed(wide, "foreign")), (removed(wide, "foreign"), unknown)):
        answer = explained("198.18.0.9", region(wide, rows=rows(MEMBER)), planned_events=planned_events)
        assert verdicts(answer) == [DoorVerdict.GOES]


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
