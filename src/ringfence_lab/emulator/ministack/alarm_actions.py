"""What an alarm does when its state changes: it notifies its SNS topics, and its history says how that went.

A patch of MiniStack's CloudWatch, which notifies whatever the topic's policy says, and records no action.

Sources: CloudWatch API Reference, `SetAlarmState` and `DescribeAlarmHistory`; Amazon SNS Developer Guide, "Example
cases for Amazon SNS access control" (a topic with a policy of its own must allow `cloudwatch.amazonaws.com`). The
wording of the history is what users reported from AWS.
"""

import json
import time
from collections.abc import Callable, Mapping
from typing import Any

from ministack.core.responses import get_account_id
from ministack.services import cloudwatch, sns

_FIELDS = {"ALARM": "AlarmActions", "OK": "OKActions", "INSUFFICIENT_DATA": "InsufficientDataActions"}

Alarm = Mapping[str, Any]
"""An alarm as MiniStack keeps it."""

Set = Callable[..., Any]


def install() -> None:
    """Patches MiniStack. Call it once in a process."""
    cloudwatch._dispatch_alarm_actions = _with_history(cloudwatch._dispatch_alarm_actions)
    cloudwatch._set_alarm_state = _with_known_states(cloudwatch._set_alarm_state)


def _with_history(dispatch: Callable[..., None]) -> Callable[..., None]:
    def dispatch_alarm_actions(alarm: Alarm, old_state: str, new_state: str, reason: str) -> None:
        field = _FIELDS.get(new_state, "")
        if not alarm.get("ActionsEnabled", True):
            return
        for action in alarm.get(field) or []:
            refusal = _refusal(str(action), str(alarm["AlarmArn"]))
            if refusal is None:
                dispatch({**alarm, field: [action]}, old_state, new_state, reason)
            _record(str(alarm["AlarmName"]), str(action), refusal)

    return dispatch_alarm_actions


def _refusal(action: str, alarm_arn: str) -> str | None:
    """Why the topic does not take the message; None if it does, or the action is no topic."""
    if ":sns:" not in action:
        return None
    if sns._topic_by_arn_any_scope(action) is None:
        return "Topic does not exist"
    if not sns.topic_policy_allows(action, "cloudwatch.amazonaws.com", alarm_arn, get_account_id()):
        return f"CloudWatch Alarms is not authorized to perform: SNS:Publish on resource: {action}"
    return None


def _record(alarm: str, action: str, refusal: str | None) -> None:
    data: dict[str, Any] = {"actionState": "Succeeded" if refusal is None else "Failed", "notificationResource": action}
    summary = f"Successfully executed action {action}"
    if refusal is not None:
        data["error"] = refusal
        summary = f'Failed to execute action {action}. Received error: "{refusal}"'
    cloudwatch._history_entries().append(
        {
            "AlarmName": alarm,
            "AlarmType": "MetricAlarm",
            "Timestamp": cloudwatch._ts_iso(time.time()),
            "HistoryItemType": "Action",
            "HistorySummary": summary[:255],
            "HistoryData": json.dumps(data),
        }
    )


def _with_known_states(set_state: Set) -> Set:
    def set_alarm_state(params: Any, cbor_data: Any, is_cbor: bool, is_json: bool = False) -> Any:
        asked = cbor_data if is_cbor or is_json else {name: cloudwatch._p(params, name) for name in ("StateValue",)}
        if asked.get("StateValue") not in _FIELDS:
            said = f"Value '{asked.get('StateValue')}' at 'stateValue' failed to satisfy constraint"
            return cloudwatch._error("ValidationError", said, 400, use_json=is_json, use_cbor=is_cbor)
        return set_state(params, cbor_data, is_cbor, is_json)

    return set_alarm_state
