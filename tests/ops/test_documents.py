"""What programs get: each document is as its schema says, key by key, in each of its states."""

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from ringfence.core.audit_events import RuleRemoved
from ringfence.core.model.addresses import Cidr
from ringfence.core.model.identifiers import InstanceId, RuleId
from ringfence.core.model.rules import Opening
from ringfence_ops.commands import adopt, doctor, explain, history
from ringfence_ops.explain.evidence import Answer
from ringfence_ops.logs.audit_log import RuleChange, Turn
from ringfence_ops.logs.cloudtrail import Deed
from tests.ops.test_adoption import BY_HAND, planned
from tests.ops.test_doctor import chart, examined
from tests.ops.test_subject import DEPARTED, IN_SERVICE, MEMBER, OFFICE, OWNED, asked, sight
from tests.unit.builders import EAST, GROUP, NOW, TCP, WEST, address, instance, label, observed, rows, rule

SCHEMAS = Path(history.__file__).resolve().parents[1] / "schemas"
STRANGER = InstanceId("i-0000000000000009")
CHANGE = RuleChange(
    NOW, EAST, Turn.ADDED, WEST, GROUP, OWNED.id, address(1), "tcp/9042", "us-east-1/db", "i-1", ("schedule x",)
)
REMOVAL = RuleRemoved(EAST, GROUP, OWNED.id, Opening(TCP, address(1)), label(), "departed", None, drift=False)
DEED = Deed(NOW, "AuthorizeSecurityGroupIngress", "event-1", "arn:aws:iam::1:user/a", "203.0.113.7", "aws-cli")


def explanations() -> list[Answer]:
    """One for each kind of identity, and for each state of a door's history."""
    joining = observed({STRANGER: "Pending:Wait"}, instance(STRANGER, address(2)))
    answers = [
        asked("198.18.0.1", sight(OWNED, rows=rows(MEMBER), observation=IN_SERVICE)),
        asked("198.18.0.1", sight(OWNED, rows=rows(DEPARTED)), foreseen=(REMOVAL,)),
        asked("198.18.0.2", sight(rows=rows(MEMBER), observation=joining)),
        asked("192.0.2.1", sight(rule("sgr-1", OFFICE), rows=rows()), static_members=(OFFICE,)),
        asked("198.18.0.3", sight(rows=rows()), strangers={EAST: (STRANGER,)}),
        asked("203.0.113.1", sight(rows=rows())),
    ]
    return [
        Answer(answers[0], NOW + 9, [CHANGE]),
        Answer(answers[1], NOW + 9, deeds={OWNED.id: DEED}, unreachable={WEST: "hangs"}),
        *(Answer(answer, NOW) for answer in answers[2:]),
    ]


DOCUMENTS: list[dict[str, Any]] = [
    history.document([CHANGE], NOW, {WEST: "no answer within 5 s"}),
    history.document([], NOW, {}),
    *map(explain.document, explanations()),
    doctor.document(examined(chart(event_rule=None)), {}),
    doctor.document([], {WEST: "no answer within 5 s"}),
    adopt.document(
        {EAST: [planned(BY_HAND, rule("sgr-2", Cidr("0.0.0.0/0")))]}, {EAST: frozenset({RuleId("sgr-1")})}, {}
    ),
    adopt.document({}, {}, {WEST: "denied"}),
]


@pytest.mark.parametrize("document", DOCUMENTS, ids=[f"{one['schema']}-{n}" for n, one in enumerate(DOCUMENTS)])
def test_a_document_is_as_its_schema_says(document: dict[str, Any]) -> None:
    name = document["schema"].removeprefix("ringfence.").removesuffix("/1")
    schema = json.loads((SCHEMAS / f"{name}.json").read_text())
    jsonschema.validate(json.loads(json.dumps(document)), schema, jsonschema.Draft202012Validator)
    assert next(iter(document)) == "schema"


@pytest.mark.parametrize("path", sorted(SCHEMAS.glob("*.json")), ids=lambda path: path.stem)
def test_a_schema_is_one_and_describes_every_key(path: Path) -> None:
    schema = json.loads(path.read_text())
    jsonschema.Draft202012Validator.check_schema(schema)
    assert schema["title"] == f"ringfence.{path.stem}/1"

    def described(part: dict[str, Any]) -> bool:
        inner = part.get("properties", {}) | part.get("items", {}).get("properties", {})
        return all(each.get("description") and described(each) for each in inner.values())

    assert described(schema)


def test_what_a_document_says_is_what_was_found() -> None:
    said = explain.document(explanations()[1])
    assert (said["right"], said["identities"][0]["kind"]) == (False, "departed")
    (door,) = said["doors"]
    assert (door["verdict"], door["reason"], door["made_by"]["who"]) == ("goes", "departed", DEED.who)
    assert explain.document(explanations()[0])["doors"][0]["since"] == "2027-01-15T08:00:00Z"
    (adopted,) = adopt.document({EAST: [planned(BY_HAND)]}, {EAST: frozenset({RuleId("sgr-1")})}, {})["rules"]
    assert (adopted["was"], adopted["description"], adopted["adopted"]) == ("by hand", str(label()), True)
