"""The EventBridge rule of lifecycle events, and the schedule of the true-up."""

import json
from typing import Any

from ringfence_ops.repair.drift import Fields, Repair
from ringfence_ops.repair.kinds.kind import ClientOf, document, pick
from ringfence_ops.repair.template import Properties, Resource

ENABLED = "ENABLED"
_TEXTS = ("Name", "Description")
"""What says nothing of how a schedule works: not compared."""


class Rules:
    """`AWS::Events::Rule` with its targets. Targets that others added stay."""

    def name(self, resource: Resource) -> str:
        """The rule's name."""
        return str(resource.properties["Name"])

    def wanted(self, resource: Resource) -> Fields:
        """The pattern, the state and the targets."""
        return {"State": ENABLED, **pick(resource.properties, "EventPattern", "State", "Targets")}

    def found(self, client_of: ClientOf, resource: Resource) -> Fields | None:
        """The rule, and its targets with the ids of the template."""
        events, name = client_of("events"), self.name(resource)
        ours = {target["Id"] for target in resource.properties["Targets"]}
        rule = events.describe_rule(Name=name)
        targets = events.list_targets_by_rule(Rule=name)["Targets"]
        return {
            "State": rule["State"],
            "EventPattern": document(rule.get("EventPattern")),
            "Targets": [target for target in targets if target["Id"] in ours] or None,
        }

    def repair(self, client_of: ClientOf, repair: Repair) -> None:
        """Puts the rule and its targets; enables a rule that is only disabled."""
        events, properties, wanted = client_of("events"), repair.resource.properties, self.wanted(repair.resource)
        name = self.name(repair.resource)
        if [one.name for one in repair.differences] == ["State"] and wanted["State"] == ENABLED:
            events.enable_rule(Name=name)
            return
        pattern = json.dumps(wanted["EventPattern"])
        events.put_rule(Name=name, EventPattern=pattern, State=wanted["State"], **pick(properties, "Description"))
        events.put_targets(Rule=name, Targets=wanted["Targets"])


_RETRY_POLICY = {"MaximumEventAgeInSeconds": 86400, "MaximumRetryAttempts": 185}
"""What GetSchedule answers for what is not set. Source: EventBridge Scheduler API Reference, `RetryPolicy`."""


class Schedules:
    """`AWS::Scheduler::Schedule`."""

    def name(self, resource: Resource) -> str:
        """The schedule's name."""
        return str(resource.properties["Name"])

    def wanted(self, resource: Resource) -> Fields:
        """The whole definition. EventBridge Scheduler updates nothing less."""
        defaults = {"State": ENABLED, "ScheduleExpressionTimezone": "UTC", "StartDate": None, "EndDate": None}
        fields = defaults | {name: value for name, value in resource.properties.items() if name not in _TEXTS}
        return fields | {"Target": _with_defaults(fields["Target"])}

    def found(self, client_of: ClientOf, resource: Resource) -> Fields | None:
        """The schedule."""
        schedule = client_of("scheduler").get_schedule(Name=self.name(resource))
        fields = {name: schedule.get(name) for name in self.wanted(resource)}
        return fields | {"Target": _with_defaults(fields["Target"])}

    def repair(self, client_of: ClientOf, repair: Repair) -> None:
        """Creates the schedule, or updates it."""
        scheduler, name = client_of("scheduler"), self.name(repair.resource)
        definition = {key: value for key, value in self.wanted(repair.resource).items() if value is not None}
        definition |= pick(repair.resource.properties, "Description")
        call = scheduler.create_schedule if repair.is_missing else scheduler.update_schedule
        call(Name=name, **definition)


def _with_defaults(target: Properties) -> dict[str, Any]:
    return {**target, "RetryPolicy": _RETRY_POLICY | target.get("RetryPolicy", {})}
