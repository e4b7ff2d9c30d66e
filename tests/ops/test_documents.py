"""The documents for programs: each matches its schema, key by key, in each of its states."""

import json
from contextlib import redirect_stdout
from dataclasses import replace
from io import StringIO
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from ringfence.core.audit_events import RuleRemoved
from ringfence.core.configuration.choices import PrivateAddresses
from ringfence.core.model.addresses import AddressKind, Cidr
from ringfence.core.model.identifiers import InstanceId, RosterKey, RuleId
from ringfence.core.model.rules import Opening
from ringfence_ops.cli.terminal import Output
from ringfence_ops.commands import adopt, doctor, explain, history
from ringfence_ops.commands.explain_report import ExplainReport
from ringfence_ops.explain.full_explanation import FullExplanation
from ringfence_ops.logs.audit_log import LoggedAction, LoggedChange, LoggedMember, LoggedRule
from ringfence_ops.logs.cloudtrail import ApiCall
from tests.ops.adoption import BY_HAND, planned
from tests.ops.commands import SCHEMAS, schema_of
from tests.ops.evidence import DEPARTED, I1, IN_SERVICE, MEMBER, OFFICE, OWNED, explained, region
from tests.ops.facts import facts, findings_of
from tests.unit.builders import EAST, GROUP, NOW, TCP, WEST, address, instance, label, observed, roster, rows, rule

STRANGER = InstanceId("i-0000000000000009")
CHANGE = LoggedChange(
    NOW,
    EAST,
    LoggedAction.ADDED,
    LoggedRule(WEST, GROUP, OWNED.id, address(1), "tcp/9042"),
    LoggedMember("us-east-1/db", "i-1"),
    ("schedule x",),
)
REMOVAL = RuleRemoved(EAST, GROUP, OWNED.id, Opening(TCP, address(1)), label(), "departed", None, drift=False)
CALL = ApiCall(NOW, "AuthorizeSecurityGroupIngress", "event-1", "arn:aws:iam::1:user/a", "203.0.113.7", "aws-cli")


EVIL = roster({STRANGER: address(66)}, key=RosterKey(WEST, "evil"))
EVIL_DOOR = rule("sgr-00000066", address(66), label(STRANGER, EVIL.key))
WIDE = rule("sgr-0000000f", Cidr("0.0.0.0/0"), label())


def full_explanations() -> list[FullExplanation]:
    """One for each kind of identity, and for each state of a door's history."""
    joining = observed({STRANGER: "Pending:Wait"}, instance(STRANGER, address(2)))
    explanations = [
        explained("198.18.0.1", region(OWNED, rows=rows(MEMBER), observation=IN_SERVICE)),
        explained("198.18.0.1", region(OWNED, rows=rows(DEPARTED)), planned_events=(REMOVAL,)),
        explained("198.18.0.2", region(rows=rows(MEMBER), observation=joining)),
        explained("192.0.2.1", region(rule("sgr-1", OFFICE), rows=rows()), static_members=(OFFICE,)),
        explained("198.18.0.3", region(rows=rows()), strangers={EAST: (STRANGER,)}),
        explained("203.0.113.1", region(rows=rows())),
        explained("198.18.0.66", region(EVIL_DOOR, WIDE, rows=rows(EVIL)), groups={}),
        explained(WIDE.id, region(WIDE, rows=rows(MEMBER))),
    ]
    return [
        FullExplanation(explanations[0], NOW + 9, [CHANGE]),
        FullExplanation(explanations[1], NOW + 9, calls={OWNED.id: CALL}, unreachable={WEST: "hangs"}),
        *(FullExplanation(explanation, NOW) for explanation in explanations[2:]),
    ]


DOCUMENTS: list[Any] = [
    history.document([CHANGE], NOW, {WEST: "no answer within 5 s"}),
    history.document([], NOW, {}),
    *map(explain.document, full_explanations()),
    doctor.document(findings_of(facts(event_rule=None)), {}),
    doctor.document([], {WEST: "no answer within 5 s"}),
    adopt.document(
        {EAST: [planned(BY_HAND, rule("sgr-2", Cidr("0.0.0.0/0")))]}, {EAST: frozenset({RuleId("sgr-1")})}, {}
    ),
    adopt.document({}, {}, {WEST: "denied"}),
]


def printed(document: Any) -> dict[str, Any]:
    """The document as a program reads it."""
    output = StringIO()
    with redirect_stdout(output):
        Output(as_json=True).show_document(document)
    read: dict[str, Any] = json.loads(output.getvalue())
    return read


@pytest.mark.parametrize("document", DOCUMENTS, ids=[f"{document.schema}-{n}" for n, document in enumerate(DOCUMENTS)])
def test_a_document_matches_its_schema(document: Any) -> None:
    read = printed(document)
    jsonschema.validate(read, schema_of(read), jsonschema.Draft202012Validator)
    assert next(iter(read)) == "schema"


@pytest.mark.parametrize("path", sorted(SCHEMAS.glob("*.json")), ids=lambda path: path.stem)
def test_a_schema_is_valid_and_describes_every_key(path: Path) -> None:
    schema = json.loads(path.read_text())
    jsonschema.Draft202012Validator.check_schema(schema)
    assert schema["title"] == f"ringfence.{path.stem}/1"

    def described(part: dict[str, Any]) -> bool:
        items = part.get("items", {})
        inner = [*part.get("properties", {}).values(), *items.get("properties", {}).values(), *items.get("anyOf", ())]
        return all(key.get("description") and described(key) for key in inner)

    assert described(schema)


def test_a_document_contains_what_was_found() -> None:
    document = printed(explain.document(full_explanations()[1]))
    assert (document["right"], document["identities"][0]["kind"]) == (False, "departed")
    (door,) = document["doors"]
    assert (door["verdict"], door["reason"], door["made_by"]["who"]) == ("goes", "departed", CALL.caller)
    assert printed(explain.document(full_explanations()[0]))["doors"][0]["since"] == "2027-01-15T08:00:00Z"
    (adopted,) = printed(adopt.document({EAST: [planned(BY_HAND)]}, {EAST: frozenset({RuleId("sgr-1")})}, {}))["rules"]
    assert (adopted["was"], adopted["description"], adopted["adopted"]) == ("by hand", str(label()), True)


def report(explanation: FullExplanation) -> str:
    output = StringIO()
    with redirect_stdout(output):
        Output().show_report(ExplainReport(explanation))
    return output.getvalue()


def test_a_claimed_address_is_told_with_its_row_and_a_wide_rule_with_what_to_do() -> None:
    claimed, wide = (" ".join(report(explanation).split()) for explanation in full_explanations()[-2:])
    assert (
        f"198.18.0.66 is no member: {STRANGER} has it only in the row us-west-2/evil of us-east-1's table, which"
        in claimed
    )
    assert "has our label, admits 0.0.0.0/0, and its owner is unknown: no member" in claimed
    assert "age unknown" in claimed
    assert f"{WIDE.id} admits 0.0.0.0/0: a network is no member of the cluster" in wide
    assert f"aws ec2 revoke-security-group-ingress --region us-east-1 --group-id {GROUP}" in wide
    assert "Everything is as it should be" not in claimed + wide


def test_a_network_is_told_with_the_rules_that_admit_it_and_never_with_members() -> None:
    east = region(OWNED, rule("sgr-00000003", Cidr("0.0.0.0/0")), rows=rows(MEMBER))
    shown = {
        text: " ".join(report(FullExplanation(explained(text, east), NOW)).split())
        for text in ("0.0.0.0/0", "198.18.0.0/16", "10.0.0.0/8")
    }
    assert "0.0.0.0/0 is a network: 1 rule admits it; 1 rule admits a part of it" in shown["0.0.0.0/0"]
    assert "sgr-00000003 a foreign rule" in shown["0.0.0.0/0"]
    assert "198.18.0.0/16 is a network: 1 rule admits it; 1 rule" in shown["198.18.0.0/16"]
    assert "10.0.0.0/8 is a network: 1 rule admits it us-east-1" in shown["10.0.0.0/8"]
    assert not any("member" in text or I1 in text for text in shown.values())


def test_a_network_that_no_rule_admits_is_told_so() -> None:
    explanation = FullExplanation(explained("198.18.0.0/16", region(OWNED, rows=rows(MEMBER))), NOW)
    shown = " ".join(report(explanation).split())
    assert (
        "198.18.0.0/16 is a network: no rule admits it; 1 rule admits a part of it No rule admits all of it." in shown
    )


def test_a_network_of_static_members_is_told_so() -> None:
    east = region(rule("sgr-1", OFFICE), rows=rows())
    whole, part = (
        " ".join(report(FullExplanation(explained(text, east, static_members=(OFFICE,)), NOW)).split())
        for text in ("192.0.2.0/24", "192.0.2.0/28")
    )
    assert "192.0.2.0/24 is a network that static_members names: 1 rule admits it" in whole
    assert "192.0.2.0/28 lies within 192.0.2.0/24, which static_members names: 1 rule admits it" in part


PUBLIC, PRIVATE = AddressKind.PUBLIC_IPV4, AddressKind.PRIVATE_IPV4
THAT = f"{I1} of us-east-1/db"


@pytest.mark.parametrize(
    ("text", "kind", "private", "told"),
    [
        ("10.0.0.5", PUBLIC, PrivateAddresses.ALL, f"is the private-ipv4 address of {THAT}: the cluster does not"),
        ("10.0.0.6", PRIVATE, PrivateAddresses.PRIMARY, f"is a secondary private-ipv4 address of {THAT}: only"),
        ("10.0.1.17", PRIVATE, PrivateAddresses.ALL, f"lies in 10.0.1.16/28, a prefix delegated to {THAT}"),
    ],
)
def test_another_address_of_a_member_is_told_to_be_just_that(
    text: str, kind: AddressKind, private: PrivateAddresses, told: str
) -> None:
    both = instance(I1, address(1))
    private_ipv4 = (Cidr("10.0.0.5/32"), Cidr("10.0.0.6/32"))
    both = replace(
        both,
        addresses={**both.addresses, AddressKind.PRIVATE_IPV4: private_ipv4},
        primary=private_ipv4[0],
        prefixes={AddressKind.PRIVATE_IPV4: ("10.0.1.16/28",)},
    )
    east = region(OWNED, rows=rows(MEMBER), observation=observed({I1: "InService"}, both))
    # when
    explanation = explained(text, east, address_kinds=frozenset({kind}), private_addresses=private)
    # then
    shown = " ".join(report(FullExplanation(explanation, NOW)).split())
    assert shown.startswith(f"{text} {told}")
    assert "joins" not in shown
    (identity,) = printed(explain.document(FullExplanation(explanation, NOW)))["identities"]
    assert (identity["kind"], identity["instance"]) == ("other address", I1)
