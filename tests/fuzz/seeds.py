"""Inputs that once failed, or that are of a kind that did. Each of them is tried every time."""

import json
from typing import Any

DEEP = '{"a":' + "[" * 100_000 + "]" * 100_000 + "}"

_LAUNCH: dict[str, Any] = {
    "id": "6a7e8feb-b491-4cf7-a9f1-bf3703467718",
    "detail-type": "EC2 Instance-launch Lifecycle Action",
    "source": "aws.autoscaling",
    "time": "2025-11-30T12:00:00Z",
    "detail": {
        "LifecycleActionToken": "87654321-4321-4321-4321-210987654321",
        "AutoScalingGroupName": "db",
        "LifecycleHookName": "ringfence-demo-launch",
        "EC2InstanceId": "i-00000000000000001",
    },
}


def _launch(**detail: object) -> dict[str, Any]:
    return {**_LAUNCH, "detail": {**_LAUNCH["detail"], **detail}}


EVENTS: tuple[Any, ...] = (
    _launch(EC2InstanceId="i-\ud800"),
    _launch(EC2InstanceId="*"),
    _launch(EC2InstanceId="i-" + "0" * 70_000),
    _launch(LifecycleActionToken="x"),
    {**_LAUNCH, "time": "0001-01-01T00:00:00+23:59"},
    {**_LAUNCH, "time": "9999-12-31T23:59:59-23:59"},
    {**_LAUNCH, "id": "x" * 70_000},
    {**_LAUNCH, "detail": float("inf")},
    {"trueup": True, "detail": {"AutoScalingGroupName": "typo"}},
)

BODIES: tuple[str, ...] = (
    DEEP,
    "[" * 8000,
    "x" * 262_144,
    '{"a": NaN}',
    '{"a": 1e999}',
    "9" * 5000,
    r'{"a": "\ud800"}',
    '{"a": 1, "a": 2}',
    "\ud800",
    "",
    *(json.dumps(event) for event in EVENTS),
)

ITEMS: tuple[dict[str, Any], ...] = tuple(
    {
        "version": {"N": "7"},
        "updated_at": {"S": "2025-11-30T12:00:00+00:00"},
        "members": {"M": {}},
        "departed": {"M": {}},
        "owed": {"M": {}},
        "security_groups": {"L": []},
        "ports": {"S": "auto"},
        "account": {"S": "123456789012"},
        **change,
    }
    for change in (
        {"version": {"N": "1e125"}},
        {"version": {"N": "9" * 38}},
        {"version": {"N": "9" * 5000}},
        {"version": {"S": "7"}},
        {"updated_at": {"S": "0001-01-01T00:00:00+23:59"}},
        {"updated_at": {"S": "0001-01-01T00:00:00"}},
        {"ports": {"S": "tcp/0-65535"}},
    )
)

TEXTS: tuple[str, ...] = (
    "",
    "\ud800",
    "ringfence demo us-east-1/" + "a" * 20_000,
    "ringfence " * 5000,
    "tcp/" + "9" * 5000,
    "tcp/\u0660",
    "a = " + "[" * 50_000,
    "a." * 2000 + "b = 1",
    "name = 9" + "9" * 5000,
    "[regions]\n" * 2000,
)

ENVIRONMENTS: tuple[dict[int, str], ...] = ({0: "\ud800"}, {1: ""}, {2: "9" * 5000}, {3: "," * 20_000})

LOG_LINES: tuple[str, ...] = (DEEP, '{"message": "rule added", "stale_seconds": 1e999}', "9" * 5000, '{"message": NaN}')

TRAIL_RECORDS: tuple[str, ...] = (
    DEEP,
    '{"userIdentity": "root"}',
    '{"userIdentity": ["root"], "responseElements": {"securityGroupRuleId": "sgr-1"}}',
    '{"userIdentity": null}',
    '{"responseElements": {"securityGroupRuleId": 1e999}}',
    "9" * 5000,
)
