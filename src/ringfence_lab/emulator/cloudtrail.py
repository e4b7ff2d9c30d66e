"""CloudTrail's event history of the calls that change security group rules: who, from where, by which client.

A seam in MiniStack's CloudTrail, which knows nothing of what moto answers. Source: CloudTrail User Guide, "CloudTrail
record contents". Assumed, since no document says it: how a record of EC2 spells a rule's id. Here an event is there at
once; AWS takes minutes.
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
from ringfence_lab.emulator.identity import caller

_ABOUT_RULES = {
    "AuthorizeSecurityGroupIngress",
    "ModifySecurityGroupRules",
    "RevokeSecurityGroupIngress",
    "UpdateSecurityGroupRuleDescriptionsIngress",
}
_RULE = re.compile(r"\bsgr-[0-9a-f]+")


def note(headers: Mapping[str, str], body: bytes, answered: bytes) -> None:
    """Notes a call of EC2's that went well, if it changed rules. Within the scope of the request."""
    form = parse_qs(body.decode("latin-1"))
    action, group = form.get("Action", [""])[0], form.get("GroupId", [""])[0]
    if action not in _ABOUT_RULES:
        return
    named = {name.lower(): value for name, value in headers.items()}
    who = caller(scope_of(named.get("authorization", ""), "").access_key)
    id, now = str(uuid4()), time.time()
    record = {
        "eventVersion": "1.11",
        "userIdentity": {"arn": _arn(who.principal), "accountId": get_account_id()},
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
            "Username": who.principal,
            "ReadOnly": "false",
            "Resources": [{"ResourceType": "AWS::EC2::SecurityGroup", "ResourceName": group}],
            "CloudTrailEvent": json.dumps(record),
        }
    )


def _arn(principal: str) -> str:
    return principal if principal.startswith("arn:") else f"arn:aws:iam::{get_account_id()}:{principal or 'root'}"


def _items(text: str) -> list[dict[str, str]]:
    return [{"securityGroupRuleId": id} for id in dict.fromkeys(_RULE.findall(text))]
