"""Who made a rule, as CloudTrail has it: for the rules of which the engines' own log does not tell.

Knows no terminal. Sources: CloudTrail API Reference, `LookupEvents` (90 days, two calls a second in each Region);
CloudTrail User Guide, "CloudTrail record contents".
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from ringfence.core.model.identifiers import Region, RuleId, SecurityGroupId

PAGES = 4
"""How many pages of 50 events are read for a group: at two calls a second, what a person waits for."""

_ABOUT_RULES = {
    "AuthorizeSecurityGroupIngress",
    "ModifySecurityGroupRules",
    "UpdateSecurityGroupRuleDescriptionsIngress",
}


@dataclass(frozen=True, slots=True)
class Deed:
    """A call that made or changed a rule. `at` is in epoch seconds, `who` the ARN of the caller."""

    at: float
    action: str
    event: str
    who: str
    source_address: str
    user_agent: str


@dataclass(frozen=True, slots=True)
class Trail:
    """One Region's event history. Reading raises what botocore raises."""

    client: Any
    region: Region

    def deeds(self, group: SecurityGroupId, rules: frozenset[RuleId]) -> dict[RuleId, Deed]:
        """The latest call that made or changed each of the group's rules, as far as the newest events tell."""
        found: dict[RuleId, Deed] = {}
        for event in self._events(group):
            record = _json(event.get("CloudTrailEvent", ""))
            deed = _deed(event, record)
            for rule in _rules_in(record) & (rules - found.keys()):
                found[rule] = deed
            if found.keys() == rules:
                break
        return found

    def _events(self, group: SecurityGroupId) -> Iterator[Mapping[str, Any]]:
        """The events about the group's rules that were no mistake, newest first."""
        pages = self.client.get_paginator("lookup_events").paginate(
            LookupAttributes=[{"AttributeKey": "ResourceName", "AttributeValue": group}],
            PaginationConfig={"MaxItems": 50 * PAGES, "PageSize": 50},
        )
        for page in pages:
            for event in page["Events"]:
                if event.get("EventName") in _ABOUT_RULES:
                    yield event


def _deed(event: Mapping[str, Any], record: Mapping[str, Any]) -> Deed:
    time: datetime = event["EventTime"]
    return Deed(
        at=time.timestamp(),
        action=str(event.get("EventName", "")),
        event=str(event.get("EventId", "")),
        who=str(record.get("userIdentity", {}).get("arn") or event.get("Username", "")),
        source_address=str(record.get("sourceIPAddress", "")),
        user_agent=str(record.get("userAgent", "")),
    )


def _rules_in(record: Mapping[str, Any]) -> frozenset[RuleId]:
    """The rules that a call was about: those it answered with, or was asked to change."""
    return frozenset(RuleId(id) for part in ("responseElements", "requestParameters") for id in _ids(record.get(part)))


def _ids(value: object) -> Iterator[str]:
    """Every rule's id, wherever in a record it stands: operations name their lists differently.

    Assumed, since no document says it: a record of EC2 holds what the API has as `SecurityGroupRuleId` under that name,
    its first letter small.
    """
    match value:
        case Mapping():
            for name, each in value.items():
                if name.lower() == "securitygroupruleid" and isinstance(each, str):
                    yield each
                else:
                    yield from _ids(each)
        case list():
            for each in value:
                yield from _ids(each)


def _json(text: str) -> Mapping[str, Any]:
    try:
        record = json.loads(text)
    except ValueError:
        return {}
    return record if isinstance(record, dict) else {}
