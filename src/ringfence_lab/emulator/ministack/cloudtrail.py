"""CloudTrail's event history of the calls that change security group rules: caller, address and client.

A patch of MiniStack's CloudTrail, which does not see the calls of moto. Source: CloudTrail User Guide, "CloudTrail
record contents". Assumed, because no document says it: how a record of EC2 spells the id of a rule. Here an event is
available immediately; AWS takes minutes.
"""

import json
import re
import time
from collections.abc import Mapping
from urllib.parse import parse_qs, unquote_plus
from uuid import uuid4

from ministack.core.responses import get_account_id, get_region
from ministack.services import cloudtrail

from ringfence_lab.emulator.call_log import scope_of
from ringfence_lab.emulator.ministack.identity import caller
from ringfence_lab.emulator.partition import PARTITION

_RULE_ACTIONS = {
    "AuthorizeSecurityGroupIngress",
    "ModifySecurityGroupRules",
    "RevokeSecurityGroupIngress",
    "UpdateSecurityGroupRuleDescriptionsIngress",
}
_RULE = re.compile(r"\bsgr-[0-9a-f]+")


def record(headers: Mapping[str, str], body: bytes, answered: bytes) -> None:
    """Records a successful call of EC2, if it changed rules. Call it within the scope of the request."""
    form = parse_qs(body.decode("latin-1"))
    action, group = form.get("Action", [""])[0], form.get("GroupId", [""])[0]
    if action not in _RULE_ACTIONS:
        return
    named = {name.lower(): value for name, value in headers.items()}
    identity = caller(scope_of(named.get("authorization", ""), "").access_key)
    id, now = str(uuid4()), time.time()
    event = {
        "eventVersion": "1.11",
        "userIdentity": {"arn": _arn(identity.principal), "accountId": get_account_id()},
        "eventTime": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(now)),
        "eventSource": "ec2.amazonaws.com",
        "eventName": action,
        "awsRegion": get_region(),
        "sourceIPAddress": "127.0.0.1",
        "userAgent": named.get("user-agent", ""),
        "requestParameters": {"groupId": group, "items": _items(unquote_plus(body.decode("latin-1")))},
        "responseElements": {"securityGroupRuleSet": {"items": _items(answered.decode())}},
        "eventID": id,
        "readOnly": False,
    }
    cloudtrail._get_event_queue().append(
        {
            "EventId": id,
            "EventName": action,
            "EventSource": "ec2.amazonaws.com",
            "EventTime": now,
            "Username": identity.principal,
            "ReadOnly": "false",
            "Resources": [{"ResourceType": "AWS::EC2::SecurityGroup", "ResourceName": group}],
            "CloudTrailEvent": json.dumps(event),
        }
    )


def _arn(principal: str) -> str:
    if principal.startswith("arn:"):
        return principal
    return f"arn:{PARTITION}:iam::{get_account_id()}:{principal or 'root'}"


def _items(text: str) -> list[dict[str, str]]:
    return [{"securityGroupRuleId": id} for id in dict.fromkeys(_RULE.findall(text))]
