"""Alarms on math expressions, which MiniStack refuses or forgets, and what a change set says of alarms.

Patches of MiniStack's CloudFormation and CloudWatch. The lab keeps and describes an alarm on an expression, and does
not evaluate it.
"""

from collections.abc import Callable, Mapping
from typing import Any

from ministack.services import cloudwatch
from ministack.services.cloudformation import provisioners

Record = dict[str, Any]
"""An alarm as MiniStack keeps it."""


def install() -> None:
    """Patches MiniStack. Call it once in a process."""
    # Source: CloudFormation Template Reference, "AWS::CloudWatch::Alarm": the other properties need no interruption.
    provisioners._REPLACING_PROPERTIES["AWS::CloudWatch::Alarm"] = ("AlarmName",)
    provisioners._cw_metric_alarm_record = _with_expressions(provisioners._cw_metric_alarm_record)
    cloudwatch._put_metric_alarm = _keeping_expressions(cloudwatch._put_metric_alarm)


def _with_expressions(
    record_of: Callable[[str, Mapping[str, Any]], Record],
) -> Callable[[str, Mapping[str, Any]], Record]:
    def record(name: str, properties: Mapping[str, Any]) -> Record:
        if "Metrics" not in properties:
            return record_of(name, properties)
        others = {key: value for key, value in properties.items() if key != "Metrics"}
        alarm = record_of(name, {**others, "Namespace": "any", "MetricName": "any"})
        # MiniStack does not evaluate an alarm without a metric.
        return alarm | {"Metrics": properties["Metrics"], "Namespace": "", "MetricName": ""}

    return record


def _keeping_expressions(put: Callable[..., Any]) -> Callable[..., Any]:
    """PutMetricAlarm with `Metrics`. Source: CloudWatch API Reference, `PutMetricAlarm`."""

    def put_with_expressions(params: Any, request: Mapping[str, Any], *protocol: Any, **options: Any) -> Any:
        response = put(params, request, *protocol, **options)
        if metrics := (request or {}).get("Metrics"):
            cloudwatch._alarms[request["AlarmName"]] |= {"Metrics": metrics, "Namespace": "", "MetricName": ""}
        return response

    return put_with_expressions
