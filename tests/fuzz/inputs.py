"""Inputs near what each parser expects: valid ones, valid ones with a part replaced, and any JSON or text.

These are Hypothesis's strategies. `variants` makes many inputs of each.
"""

from collections.abc import Mapping
from typing import Any

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

ANY_TEXT = st.text(st.characters(codec=None, categories=None), max_size=20)
"""Lone surrogates, control and bidirectional characters are among them."""

ODD: list[str] = [
    *("", " ", "*", "\n", "\x00", "\x1b[2J", "\x9b", "\u202e", "\ud800", "\udfff", "\ufffe", "\U0010ffff", "\u0660"),
    *("-1", "0", "1e125", "9" * 38, "9" * 5000, "1e999", "NaN", "Infinity", "0x10", "1_000", "1.5", "None", "true"),
    *("i-\ud800", "i-" + "0" * 17, "i-" + "0" * 70_000, "0.0.0.0/0", "::/0", "10.0.0.0/33", "169.254.169.254/32"),
    *("[" * 5000, "{" * 5000, '"' * 5000, "a" * 20_000, "a." * 500, "(" * 5000, "/" * 5000, "-" * 5000, " " * 20_000),
    *("9999-12-31T23:59:59-23:59", "0001-01-01T00:00:00+23:59", "1970-01-01T00:00:00", "2025-11-30T12:00:00Z"),
]
ODD_TEXTS = st.sampled_from(ODD)
TEXTS = ODD_TEXTS | ANY_TEXT
NUMBERS = st.integers() | st.floats() | st.sampled_from([2**63, -(2**63), 10**400, 1e308, float("inf"), float("nan")])
VALUES: SearchStrategy[object] = st.recursive(
    st.none() | st.booleans() | NUMBERS | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=5,
)


def near(valid: Mapping[str, SearchStrategy[Any]], further: SearchStrategy[Any] = VALUES) -> SearchStrategy[Any]:
    """An object with some of the valid fields, each of which may have any other value, and with further fields."""
    fields = {name: st.one_of(value, value, value, further) for name, value in valid.items()}
    return st.fixed_dictionaries({}, optional=fields) | st.fixed_dictionaries(fields)


# Events.

INSTANCES = st.integers(0, 3).map(lambda number: f"i-{number:017}")
LIFECYCLE_DETAIL = near(
    {
        "LifecycleActionToken": st.just("87654321-4321-4321-4321-210987654321"),
        "AutoScalingGroupName": st.sampled_from(["db", "other"]),
        "LifecycleHookName": st.sampled_from(["ringfence-demo-launch", "ringfence-demo-terminate"]),
        "EC2InstanceId": INSTANCES,
        "Origin": st.sampled_from(["EC2", "AutoScalingGroup", "WarmPool"]),
        "Destination": st.sampled_from(["EC2", "AutoScalingGroup", "WarmPool"]),
    }
)
EVENTS = st.one_of(
    near(
        {
            "id": st.uuids().map(str),
            "source": st.just("aws.autoscaling"),
            "detail-type": st.sampled_from(
                ["EC2 Instance-launch Lifecycle Action", "EC2 Instance-terminate Lifecycle Action"]
            ),
            "time": st.just("2025-11-30T12:00:00Z"),
            "detail": LIFECYCLE_DETAIL,
        }
    ),
    near(
        {
            "source": st.just("ringfence.schedule"),
            "time": st.just("2025-11-30T12:00:00Z"),
            "trueup": st.just(True),
            "confirm": st.just("0123456789ab"),
            "Event": st.just("autoscaling:TEST_NOTIFICATION"),
            "detail": LIFECYCLE_DETAIL,
        }
    ),
    VALUES,
)

# Requests of CloudFormation.

HOST = "cloudformation-custom-resource-response-useast1.s3.us-east-1.amazonaws.com"
REQUESTS = near(
    {
        "RequestType": st.sampled_from(["Create", "Update", "Delete"]),
        "RequestId": st.uuids().map(str),
        "ResponseURL": st.sampled_from([f"https://{HOST}/key?signature", f"https://{HOST}@example.com/", "https://["]),
        "StackId": st.just("arn:aws:cloudformation:us-east-1:123456789012:stack/ringfence-demo/1"),
        "LogicalResourceId": st.just("Announcement"),
        "PhysicalResourceId": st.just("Announcement"),
        "OldResourceProperties": near({"AutoScalingGroups": st.lists(TEXTS), "SecurityGroups": st.lists(VALUES)}),
    }
)

# Rows. DynamoDB checks the types of attributes, so a value always has the type that its tag names.


def attribute(tag: str, value: SearchStrategy[Any]) -> SearchStrategy[Any]:
    """An attribute value, mostly of the tag."""
    tagged = value.map(lambda inner: {tag: inner})
    return st.one_of(tagged, tagged, tagged, st.sampled_from(ODD_ATTRIBUTES))


ITEM_TEXTS = ANY_TEXT.map(lambda text: text.encode(errors="ignore").decode())
DYNAMODB_NUMBERS = st.sampled_from(["1", "0", "-1", "7.5", "1e125", "-1e125", "9" * 38, "1e-130", "1800000000"])
ODD_ATTRIBUTES: list[Mapping[str, Any]] = [
    *({"N": number} for number in ("0", "-1", "7.5", "1e125", "-1e125", "1e-130", "9" * 38, "1800000000", "NaN")),
    *(
        {"S": text}
        for text in ("", "x" * 70_000, "0.0.0.0/0", "10.0.0.0/33", "\x1b[2J", "\u202e", "9" * 5000, "a.b.c.d/32")
    ),
    *({"S": text} for text in ("9999-12-31T23:59:59-23:59", "0001-01-01T00:00:00+23:59", "tcp/0-65535", "\u0661")),
    *({"S": text} for text in ("fe80::1%eth0/128", "::ffff:1.2.3.4/128", "224.0.0.1/32", "tcp/" + "9" * 5000)),
    {"NULL": True},
    {"BOOL": False},
    {"B": b"\x00"},
    {"L": []},
    {"L": [{"NULL": True}] * 100},
    {"M": {}},
    {"M": {"*": {"M": {}}}},
    {"M": {"": {"N": "1e125"}, "i-1": {"N": "-1e125"}}},
    {"SS": ["0.0.0.0/0", "x"]},
    {"NS": ["1e125"]},
]
ADDRESSES = st.sampled_from(["54.1.2.3/32", "0.0.0.0/0", "10.0.0.0/8", "2600::1/128", "54.1.2.3", "224.0.0.1/32"])
MEMBER = near(
    {
        "addresses": attribute("L", st.lists(attribute("S", ADDRESSES), max_size=2)),
        "state": attribute("S", st.sampled_from(["member", "missing", "MEMBER"])),
        "since": attribute("N", DYNAMODB_NUMBERS),
    },
    st.sampled_from(ODD_ATTRIBUTES),
)
ITEMS = near(
    {
        "version": attribute("N", DYNAMODB_NUMBERS),
        "updated_at": attribute("S", st.just("2025-11-30T12:00:00+00:00")),
        "members": attribute("M", st.dictionaries(INSTANCES | ITEM_TEXTS, attribute("M", MEMBER), max_size=2)),
        "departed": attribute("M", st.dictionaries(INSTANCES, attribute("N", DYNAMODB_NUMBERS), max_size=2)),
        "owed": attribute("M", st.dictionaries(ITEM_TEXTS, attribute("SS", st.lists(ITEM_TEXTS)), max_size=2)),
        "security_groups": attribute("L", st.lists(attribute("S", st.just("sg-1")), max_size=2)),
        "ports": attribute("S", st.sampled_from(["auto", "tcp/9042", "tcp/0-65535"])),
        "account": attribute("S", st.just("123456789012")),
        "observed": attribute("BOOL", st.booleans()),
        "ips": attribute("SS", st.lists(ADDRESSES, max_size=2)),
        "rules": attribute("L", st.lists(attribute("S", st.just("sgr-1")), max_size=2)),
        "digest": attribute("S", st.just("0123456789ab")),
        "at": attribute("N", DYNAMODB_NUMBERS),
    },
    st.sampled_from(ODD_ATTRIBUTES),
)

# Texts with a syntax of their own.

LABELS = st.one_of(
    st.builds(
        " ".join,
        st.tuples(
            st.just("ringfence") | TEXTS,
            st.just("demo") | TEXTS,
            st.sampled_from(["us-east-1/db", "us-east-1/(static)", "us-east-1/a b/c", "/", "us-east-1"]) | TEXTS,
            INSTANCES | TEXTS,
        ),
    ),
    TEXTS,
)
PORTS = st.one_of(
    st.lists(
        st.builds(
            lambda protocol, first, last: f"{protocol}/{first}-{last}",
            st.sampled_from(["tcp", "udp", "icmp", "-1", "TCP"]) | TEXTS,
            st.integers(-1, 70_000) | TEXTS,
            st.integers(-1, 70_000) | TEXTS,
        ),
        max_size=3,
    ).map(",".join),
    TEXTS,
)

# What the operator's side reads.

LOG_LINES = near(
    {
        "message": st.sampled_from(["rule added", "rule removed", "reconciled", "reconcile failed: why"]),
        "region": st.just("us-east-1"),
        "security_group": st.just("sg-1"),
        "rule": st.just("sgr-1"),
        "address": ADDRESSES,
        "protocol": st.just("tcp"),
        "ports": st.just("9042"),
        "instance": INSTANCES,
        "auto_scaling_group": st.just("us-east-1/db"),
        "cause": st.lists(TEXTS, max_size=2),
        "reason": TEXTS,
        "drift": st.booleans(),
        "stale_seconds": NUMBERS,
        "was": TEXTS,
    }
)
TRAIL_RECORDS = near(
    {
        "userIdentity": near({"arn": st.just("arn:aws:iam::123456789012:user/alice")}),
        "sourceIPAddress": ADDRESSES,
        "userAgent": TEXTS,
        "responseElements": near({"securityGroupRuleSet": VALUES, "securityGroupRuleId": st.just("sgr-1")}),
        "requestParameters": near({"items": VALUES, "SecurityGroupRuleId": st.just("sgr-1")}),
    }
)

CLUSTER_FILES = st.one_of(
    st.just(
        """name = "demo"
ports = ["tcp/9042"]
static_members = ["198.51.100.7/32"]
guard = { percent = 20, minimum = 2 }

[regions.us-east-1]
auto_scaling_groups = ["db"]
security_groups = ["sg-0123456789abcdef0"]
required = true

[regions.us-west-2]
auto_scaling_groups = ["db-west"]
security_groups = ["sg-0123456789abcdef1"]
"""
    ),
    TEXTS,
)
SETTING_VALUES = st.dictionaries(st.integers(0, 40), TEXTS, max_size=3)
"""New values of variables of the environment, by their position."""
