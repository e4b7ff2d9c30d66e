"""CloudTrail: who made a rule that is not in the engine's log."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import boto3
import pytest
from botocore.stub import Stubber

from ringfence.core.model.identifiers import RuleId
from ringfence_ops.logs.cloudtrail import ApiCall, EventHistory
from tests.unit.builders import EAST, GROUP, NOW

SGR, OTHER = RuleId("sgr-00000001"), RuleId("sgr-00000002")


def event(rule: str, at: int = NOW, name: str = "AuthorizeSecurityGroupIngress", **record: Any) -> dict[str, Any]:
    """An event of a call by Alice, with CloudTrail's record of the call."""
    kept = {
        "userIdentity": {"arn": "arn:aws:iam::123456789012:user/alice"},
        "sourceIPAddress": "203.0.113.7",
        "userAgent": "aws-cli/2.0",
        "responseElements": {"securityGroupRuleSet": {"items": [{"securityGroupRuleId": rule}]}},
    }
    return {
        "EventId": f"event-{at}",
        "EventName": name,
        "EventTime": datetime.fromtimestamp(at, UTC),
        "Username": "alice",
        "CloudTrailEvent": json.dumps(kept | record),
    }


@pytest.fixture
def stub() -> Iterator[Stubber]:
    client = boto3.client("cloudtrail", region_name=EAST, aws_access_key_id="x", aws_secret_access_key="x")
    with Stubber(client) as stubber:
        yield stubber
        stubber.assert_no_pending_responses()


def latest_calls(
    stub: Stubber, *pages: list[dict[str, Any]], rules: frozenset[RuleId] = frozenset({SGR})
) -> dict[Any, ApiCall]:
    """The latest calls in these pages of events, newest first."""
    for number, page in enumerate(pages):
        request: dict[str, Any] = {
            "LookupAttributes": [{"AttributeKey": "ResourceName", "AttributeValue": GROUP}],
            "MaxResults": 50,
        }
        request |= {"NextToken": f"page-{number}"} if number else {}
        more = {"NextToken": f"page-{number + 1}"} if number + 1 < len(pages) else {}
        stub.add_response("lookup_events", {"Events": page, **more}, request)
    return EventHistory(stub.client, EAST).latest_calls(GROUP, rules)


def test_a_rules_maker_is_known_with_its_address_and_event(stub: Stubber) -> None:
    assert latest_calls(stub, [event(OTHER), event(SGR, NOW - 60)]) == {
        SGR: ApiCall(
            at=NOW - 60,
            operation="AuthorizeSecurityGroupIngress",
            event_id=f"event-{NOW - 60}",
            caller="arn:aws:iam::123456789012:user/alice",
            source_address="203.0.113.7",
            user_agent="aws-cli/2.0",
        )
    }


def test_the_latest_call_about_a_rule_counts(stub: Stubber) -> None:
    changed = event(
        "",
        NOW,
        "ModifySecurityGroupRules",
        requestParameters={"SecurityGroupRules": [{"SecurityGroupRuleId": SGR}]},
        responseElements=None,
    )
    assert latest_calls(stub, [changed, event(SGR, NOW - 60)])[SGR].operation == "ModifySecurityGroupRules"


def test_an_older_page_is_read_until_every_rule_is_found(stub: Stubber) -> None:
    found = latest_calls(stub, [event(SGR)], [event(OTHER, NOW - 9)], rules=frozenset({SGR, OTHER}))
    assert {rule: call.at for rule, call in found.items()} == {SGR: NOW, OTHER: NOW - 9}


def test_a_rule_without_a_call_is_absent(stub: Stubber) -> None:
    revoked = event(SGR, name="RevokeSecurityGroupIngress")
    broken = {**event(SGR), "CloudTrailEvent": "{"}
    assert latest_calls(stub, [revoked, broken, event(OTHER)]) == {}


STRANGE: list[Any] = [
    None, True, 7, 1e400, 10**400, "", "x" * 70_000, "\x1b[2J", [], [1], {}, {"arn": 7}, {"arn": {}}, [[{}]],
]  # fmt: skip


@pytest.mark.parametrize("name", ["userIdentity", "sourceIPAddress", "userAgent", "requestParameters"])
def test_a_field_of_another_type_is_shown_or_left_out(stub: Stubber, name: str) -> None:
    for strange in STRANGE:
        (call,) = latest_calls(stub, [event(SGR, **{name: strange})]).values()
        assert all(len(text) < 4200 for text in (call.caller, call.source_address, call.user_agent))


@pytest.mark.parametrize(
    "record", ["", "null", "[]", "7", "[" * 100_000, '{"a":' * 900 + "1" + "}" * 900, '{"responseElements":' * 5000]
)
def test_a_record_that_cannot_be_read_is_skipped(stub: Stubber, record: str) -> None:
    strange = {**event(SGR), "CloudTrailEvent": record}
    assert latest_calls(stub, [strange, event(SGR, NOW - 60)])[SGR].at == NOW - 60


def test_a_deep_record_is_searched_without_recursion(stub: Stubber) -> None:
    nested: Any = {"securityGroupRuleId": SGR}
    for _ in range(200):
        nested = [{"items": nested}]
    found = latest_calls(stub, [event("", responseElements=nested, requestParameters={"a": [None, 7, "x"]})])
    assert SGR in found


@pytest.mark.parametrize("identity", [None, "root", ["root"], 7, {}])
def test_a_call_without_an_identity_has_its_user_name(stub: Stubber, identity: object) -> None:
    assert latest_calls(stub, [event(SGR, userIdentity=identity)])[SGR].caller == "alice"


def test_a_record_that_is_deeper_than_the_stack_has_no_rules(stub: Stubber) -> None:
    deep = {**event(SGR), "CloudTrailEvent": '{"responseElements":' + "[" * 100_000 + "]" * 100_000 + "}"}
    assert latest_calls(stub, [deep]) == {}
