"""The call log: what it records of a request."""

from urllib.parse import quote

import pytest

from ringfence_lab.emulator.call_log import (
    MAXIMUM_CALLS,
    Caller,
    CallLog,
    CredentialScope,
    LoggedCall,
    action_of,
    scope_of,
)

CREDENTIAL = "ASIAEXAMPLE/20261123/us-west-2/dynamodb/aws4_request"


def logged_call(action: str = "Query", user_agent: str = "") -> LoggedCall:
    return LoggedCall("us-west-2", "dynamodb", action, 0.0, 1.0, 200, "", Caller("ASIAEXAMPLE", "", "", user_agent))


def test_a_signature_contains_region_service_and_key() -> None:
    header = f"AWS4-HMAC-SHA256 Credential={CREDENTIAL}, SignedHeaders=host, Signature=0"

    assert scope_of(header, "") == CredentialScope("ASIAEXAMPLE", "us-west-2", "dynamodb")


def test_a_presigned_query_contains_the_region() -> None:
    assert scope_of("", f"X-Amz-Credential={quote(CREDENTIAL, safe='')}&X-Amz-Date=0").region == "us-west-2"


@pytest.mark.parametrize("query", ["", "X-Amz-Credential=nonsense"])
def test_an_unsigned_request_has_no_scope(query: str) -> None:
    assert scope_of("Bearer token", query) == CredentialScope()


@pytest.mark.parametrize(
    ("headers", "query", "body", "action"),
    [
        ({"x-amz-target": "DynamoDB_20120810.Query"}, "", b"{}", "Query"),
        (
            {"content-type": "application/x-www-form-urlencoded; charset=utf-8"},
            "",
            b"Action=DescribeInstances&Version=2016-11-15",
            "DescribeInstances",
        ),
        ({}, "Action=GetCallerIdentity", b"", "GetCallerIdentity"),
        ({"content-type": "application/json"}, "", b"Action=No", "POST /2015-03-31/functions"),
    ],
)
def test_each_protocol_names_its_action(headers: dict[str, str], query: str, body: bytes, action: str) -> None:
    assert action_of("POST", "/2015-03-31/functions", headers, query, body) == action


def test_the_engines_user_agent_contains_the_cause() -> None:
    assert logged_call(user_agent="Boto3/1 ringfence/0.1.0 cause/e-1+e-2").cause == "e-1+e-2"
    assert logged_call(user_agent="Boto3/1").cause == ""


def test_the_log_drops_the_oldest_call_first_and_all_when_cleared() -> None:
    call_log = CallLog()

    for number in range(MAXIMUM_CALLS + 1):
        call_log.record(logged_call(str(number)))
    kept = call_log.as_json()
    call_log.clear()

    assert (kept[0]["action"], kept[-1]["action"]) == ("1", str(MAXIMUM_CALLS))
    assert call_log.as_json() == []
