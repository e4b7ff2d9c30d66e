"""Who made a rule, by CloudTrail's event history: for the rules that the engines' own log does not explain.

A record contains texts of the caller's choice, such as its user agent: what is of another type is left out. Knows no
terminal. Sources: CloudTrail API Reference, `LookupEvents` (90 days, two calls a second in each Region);
CloudTrail User Guide, "CloudTrail record contents".
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from ringfence.core.model.identifiers import Region, RuleId, SecurityGroupId
from ringfence_ops.logs.json_values import NAME_LIMIT, json_object, text_of

PAGES = 4
"""Pages of 50 events that are read for a group: at two calls a second, as long as an operator is ready to wait."""

_OPERATIONS_ON_RULES = {
    "AuthorizeSecurityGroupIngress",
    "ModifySecurityGroupRules",
    "UpdateSecurityGroupRuleDescriptionsIngress",
}


@dataclass(frozen=True, slots=True)
class ApiCall:
    """A call that made or changed a rule. `at` is in epoch seconds, `caller` is an ARN."""

    at: float
    operation: str
    event_id: str
    caller: str
    source_address: str
    user_agent: str


@dataclass(frozen=True, slots=True)
class EventHistory:
    """CloudTrail's event history of one Region. Reads raise botocore's errors."""

    client: Any
    region: Region

    def latest_calls(self, group: SecurityGroupId, rules: frozenset[RuleId]) -> dict[RuleId, ApiCall]:
        """The latest call that made or changed each of the group's rules. A rule without one is absent."""
        calls: dict[RuleId, ApiCall] = {}
        for event in self._events(group):
            record = json_object(event.get("CloudTrailEvent", "")) or {}
            call = _api_call(event, record)
            for rule in _rules_in(record) & (rules - calls.keys()):
                calls[rule] = call
            if calls.keys() == rules:
                break
        return calls

    def _events(self, group: SecurityGroupId) -> Iterator[Mapping[str, Any]]:
        """The events about the group's rules, newest first."""
        pages = self.client.get_paginator("lookup_events").paginate(
            LookupAttributes=[{"AttributeKey": "ResourceName", "AttributeValue": group}],
            PaginationConfig={"MaxItems": 50 * PAGES, "PageSize": 50},
        )
        for page in pages:
            for event in page["Events"]:
                if event.get("EventName") in _OPERATIONS_ON_RULES:
                    yield event


def _api_call(event: Mapping[str, Any], record: Mapping[str, Any]) -> ApiCall:
    time: datetime = event["EventTime"]
    identity = record.get("userIdentity")
    arn = text_of(identity.get("arn")) if isinstance(identity, Mapping) else None
    return ApiCall(
        at=time.timestamp(),
        operation=str(event.get("EventName", "")),
        event_id=str(event.get("EventId", "")),
        caller=arn or str(event.get("Username", "")),
        source_address=text_of(record.get("sourceIPAddress"), NAME_LIMIT) or "",
        user_agent=text_of(record.get("userAgent"), NAME_LIMIT) or "",
    )


def _rules_in(record: Mapping[str, Any]) -> frozenset[RuleId]:
    """The rules that a call returned, or was asked to change."""
    return frozenset(RuleId(id) for part in ("responseElements", "requestParameters") for id in _ids(record.get(part)))


def _ids(value: object) -> Iterator[str]:
    """The ids of rules anywhere in a part of a record: operations name their lists differently.

    Assumption, which no document confirms: a record of EC2 holds the API's `SecurityGroupRuleId` under that name, with
    a small first letter.
    """
    parts = [value]
    while parts:  # without recursion: a record can be deeper than the interpreter's stack
        match parts.pop():
            case Mapping() as fields:
                for name, item in fields.items():
                    if name.lower() == "securitygroupruleid" and isinstance(item, str):
                        yield item
                    else:
                        parts.append(item)
            case list() as items:
                parts += items
