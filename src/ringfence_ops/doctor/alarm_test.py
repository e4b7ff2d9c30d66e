"""Sends one alarm as a test: sets an alarm's state, reads from its history whether its topic took the message, and
restores the state.

The only module of `doctor` that changes anything. Source: CloudWatch API Reference, `SetAlarmState` and
`DescribeAlarmHistory`.
"""

import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from ringfence.aws.assembly import ClientOf
from ringfence.core.model.identifiers import Region
from ringfence_ops.doctor.alarm_reading import read_topic
from ringfence_ops.doctor.finding import Finding, ok, problem, warning
from ringfence_ops.state.alarms import Alarm, AlarmState, read_alarms

CHECK = "test alarm"

REASON = "A test, sent by `ringfence doctor --test-alarm`: nothing is wrong."
OVER = "The test of `ringfence doctor --test-alarm` is over."

PATIENCE = 20.0
"""Seconds within which CloudWatch records that it notified the topic; it takes one or two."""


@dataclass(frozen=True, slots=True)
class AlarmTest:
    """Tests the alarms of one Region of a cluster. `poll` is in seconds."""

    client_of: ClientOf
    region: Region
    cluster: str
    poll: float = 0.5
    patience: float = PATIENCE

    def run(self) -> list[Finding]:
        """What was sent, and who got it; or why nothing was. Raises botocore's errors."""
        alarms = read_alarms(self.client_of, self.region, self.cluster)
        able = [alarm for alarm in alarms if alarm.is_enabled and alarm.actions]
        if not able:
            return [self._unable(alarms)]
        # An alarm that rings notifies no one when it is set to ringing, and its own state is worth more than the test.
        alarm = min(able, key=lambda each: each.rings)
        before = self._actions(alarm.name)
        with self._ringing(alarm):
            actions = self._await(alarm, before)
        return [*self._outcomes(alarm, actions)]

    def _unable(self, alarms: Sequence[Alarm]) -> Finding:
        deploy = f"ringfence deploy {self.region}"
        if not alarms:
            return problem(CHECK, self.region, "nothing was sent: there is no alarm", deploy)
        if not any(alarm.actions for alarm in alarms):
            fix = f"write alarm_topic under [regions.{self.region}] in the cluster file, then {deploy}"
            return problem(CHECK, self.region, "nothing was sent: the alarms have no topic", fix)
        names = " ".join(alarm.name for alarm in alarms)
        fix = f"aws cloudwatch enable-alarm-actions --region {self.region} --alarm-names {names}"
        return problem(CHECK, self.region, "nothing was sent: the alarms' actions are disabled", fix)

    @property
    def _cloudwatch(self) -> Any:
        return self.client_of("cloudwatch", self.region)

    def _set(self, alarm: Alarm, state: AlarmState, reason: str) -> None:
        self._cloudwatch.set_alarm_state(AlarmName=alarm.name, StateValue=state.value, StateReason=reason)

    @contextmanager
    def _ringing(self, alarm: Alarm) -> Iterator[None]:
        """The alarm rings; afterwards it has the state that it had.

        CloudWatch itself restores it too, at its next evaluation. Until then a real alarm would not be noticed.
        """
        if alarm.rings:
            self._set(alarm, AlarmState.OK, REASON)
        try:
            self._set(alarm, AlarmState.ALARM, REASON)
            yield
        finally:
            self._set(alarm, alarm.state, alarm.reason if alarm.rings else OVER)

    def _actions(self, name: str) -> Counter[tuple[str, str]]:
        """When the alarm's last actions were, and what its history says of them."""
        history = self._cloudwatch.describe_alarm_history(AlarmName=name, HistoryItemType="Action", MaxRecords=100)
        return Counter((str(item["Timestamp"]), str(item["HistorySummary"])) for item in history["AlarmHistoryItems"])

    def _await(self, alarm: Alarm, before: Counter[tuple[str, str]]) -> list[str]:
        """What the history says of the actions of the test; it may say nothing of some of them."""
        deadline = time.monotonic() + self.patience
        while True:
            new = [said for _, said in (self._actions(alarm.name) - before).elements()]
            if len(new) >= len(alarm.actions) or time.monotonic() > deadline:
                return new
            time.sleep(self.poll)

    def _outcomes(self, alarm: Alarm, actions: Sequence[str]) -> Iterator[Finding]:
        for target in alarm.actions:
            said = next((action for action in actions if target in action), None)
            if said is None:
                message = f"{alarm.name} rang, and CloudWatch does not say yet whether {target} was notified"
                fix = f"aws cloudwatch describe-alarm-history --region {self.region} --alarm-name {alarm.name}"
                yield warning(CHECK, self.region, message, f"{fix} --history-item-type Action")
            elif not said.startswith("Successfully"):
                yield problem(CHECK, self.region, f"{alarm.name} rang, and notified no one: {said}", _remedy(said))
            else:
                yield self._delivered(alarm, target)

    def _delivered(self, alarm: Alarm, target: str) -> Finding:
        sent = f"{alarm.name} rang and is {alarm.state} again; {target} took the message"
        topic = read_topic(self.client_of, target) if ":sns:" in target else None
        if topic is None:
            return ok(CHECK, self.region, sent)
        if not topic.confirmed:
            fix = "confirm a subscription: the link is in the message that SNS sent there"
            waiting = f", not confirmed: {', '.join(topic.pending)}" if topic.pending else ""
            return problem(CHECK, self.region, f"{sent}, and has no confirmed subscription{waiting}", fix)
        return ok(CHECK, self.region, f"{sent} and sends it to {', '.join(topic.confirmed)}: look whether it arrived")


def _remedy(said: str) -> str:
    """Sources: CloudWatch User Guide, "Notifying users on alarm changes"; SNS Developer Guide, key management."""
    if "encryption key" in said or "KMS" in said:
        return (
            "allow cloudwatch.amazonaws.com kms:Decrypt and kms:GenerateDataKey* in the policy of the topic's KMS key"
        )
    if "not authorized" in said:
        return "allow cloudwatch.amazonaws.com sns:Publish in the topic's policy"
    return "correct alarm_topic in the cluster file, or create the topic; then run ringfence deploy"
