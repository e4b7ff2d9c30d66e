"""The log group, and the alarms."""

from typing import Any

from ringfence_ops.repair.drift import Fields, Repair
from ringfence_ops.repair.kinds.kind import ClientOf, pick
from ringfence_ops.repair.template import Resource

RETENTION = "RetentionInDays"
_TEXTS = ("AlarmName", "AlarmDescription")
"""What says nothing of how an alarm works: not compared."""

_NUMBERS = {"EvaluationPeriods": int, "DatapointsToAlarm": int, "Period": int, "Threshold": float}


class LogGroups:
    """`AWS::Logs::LogGroup`: the audit trail."""

    def name(self, resource: Resource) -> str:
        """The log group's name."""
        return str(resource.properties["LogGroupName"])

    def wanted(self, resource: Resource) -> Fields:
        """How long the log is kept."""
        return pick(resource.properties, RETENTION)

    def found(self, client_of: ClientOf, resource: Resource) -> Fields | None:
        """The same of the log group."""
        name = self.name(resource)
        listed = client_of("logs").describe_log_groups(logGroupNamePrefix=name)["logGroups"]
        found = [group for group in listed if group["logGroupName"] == name]
        return {RETENTION: found[0].get("retentionInDays")} if found else None

    def repair(self, client_of: ClientOf, repair: Repair) -> None:
        """Creates the log group, and sets its retention."""
        logs, name = client_of("logs"), self.name(repair.resource)
        if repair.is_missing:
            logs.create_log_group(logGroupName=name)
        logs.put_retention_policy(logGroupName=name, retentionInDays=int(repair.resource.properties[RETENTION]))


class Alarms:
    """`AWS::CloudWatch::Alarm`. Its properties have the names of the parameters of PutMetricAlarm."""

    def name(self, resource: Resource) -> str:
        """The alarm's name."""
        return str(resource.properties["AlarmName"])

    def wanted(self, resource: Resource) -> Fields:
        """The definition, and that its actions are enabled. Without a count of data points, all count."""
        properties = resource.properties
        defaults = {"ActionsEnabled": True, "AlarmActions": None, "DatapointsToAlarm": properties["EvaluationPeriods"]}
        fields = {name: value for name, value in properties.items() if name not in _TEXTS}
        return defaults | fields | ({"Metrics": _metrics(fields["Metrics"])} if "Metrics" in fields else {})

    def found(self, client_of: ClientOf, resource: Resource) -> Fields | None:
        """The alarm as it is."""
        alarms = client_of("cloudwatch").describe_alarms(AlarmNames=[self.name(resource)])["MetricAlarms"]
        if not alarms:
            return None
        alarm, names = alarms[0], self.wanted(resource)
        fields = {name: alarm.get(name) for name in names}
        fields["DatapointsToAlarm"] = alarm.get("DatapointsToAlarm", alarm["EvaluationPeriods"])
        return fields | ({"Metrics": _metrics(alarm.get("Metrics", []))} if "Metrics" in names else {})

    def repair(self, client_of: ClientOf, repair: Repair) -> None:
        """Puts the alarm, which keeps its state."""
        definition = {
            name: _NUMBERS[name](value) if name in _NUMBERS else value
            for name, value in repair.resource.properties.items()
        }
        client_of("cloudwatch").put_metric_alarm(**{"ActionsEnabled": True} | definition)


def _metrics(metrics: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The metrics with the default that AWS writes out: data is returned."""
    return [{"ReturnData": True} | metric for metric in metrics]
