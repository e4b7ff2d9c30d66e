"""A Region's EventBridge: delivers the events of Auto Scaling and the messages of the schedule to the queue.

Auto Scaling's events are best effort (EventBridge User Guide, "Events from AWS services"): for each event, `fate`
returns the delays in seconds of its copies, which may be none.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from functools import lru_cache

from ringfence.core.events import SCHEDULE
from ringfence.core.lifecycle import Transition
from ringfence.core.model.identifiers import Region
from ringfence_lab.emulator.partition import PARTITION
from ringfence_lab.sim.aws.clock import VirtualClock
from ringfence_lab.sim.aws.lifecycle import LifecycleAction

DETAIL_TYPES = {
    Transition.LAUNCH: "EC2 Instance-launch Lifecycle Action",
    Transition.TERMINATE: "EC2 Instance-terminate Lifecycle Action",
}

IMMEDIATELY = (0.0,)


def deliver_immediately(_event: Mapping[str, object]) -> Sequence[float]:
    """The fate of an event without faults: one copy, immediately."""
    return IMMEDIATELY


class EventBridge:
    """One Region's events. `emitted` keeps all of them as JSON objects, the lost ones too."""

    def __init__(self, region: Region, account: str, clock: VirtualClock, target: Callable[[str], None]) -> None:
        self.region = region
        self.emitted: list[Mapping[str, object]] = []
        self.fate: Callable[[Mapping[str, object]], Sequence[float]] = deliver_immediately
        self._account = account
        self._clock = clock
        self._target = target

    def lifecycle_action(self, action: LifecycleAction) -> None:
        """Sends the event of an instance that waits for a hook.

        Sources: Auto Scaling User Guide, "Amazon EC2 Auto Scaling event reference" and "Instance refresh replace root
        volume lifecycle events".
        """
        route = action.route
        number = len(self.emitted) + 1
        event = {
            "version": "0",
            "id": f"{self._hash()}-0000-4000-8000-{number:012x}",
            "detail-type": DETAIL_TYPES[route.transition],
            "source": "aws.autoscaling",
            "account": self._account,
            "time": self._time(),
            "region": self.region,
            "resources": [
                f"arn:{PARTITION}:autoscaling:{self.region}:{self._account}:autoScalingGroup:*:autoScalingGroupName/{action.group}"
            ],
            "detail": {
                "LifecycleActionToken": action.token,
                "AutoScalingGroupName": action.group,
                "LifecycleHookName": action.hook.name,
                "EC2InstanceId": action.instance,
                "LifecycleTransition": route.transition.value,
                "Origin": route.origin.value,
                "Destination": route.destination.value,
                **({} if route.action is None else {"Action": route.action.value}),
            },
        }
        self.emitted.append(event)
        body = json.dumps(event)
        for seconds in self.fate(event):
            if seconds:
                self._clock.after(seconds, lambda: self._target(body))
            else:
                self._target(body)

    def schedule(self) -> None:
        """Puts the message of the schedule into the queue."""
        self._target(json.dumps({"source": SCHEDULE, "time": self._time()}))

    def every(self, seconds: float) -> None:
        """Starts the schedule with this period."""

        def tick() -> None:
            self.schedule()
            self._clock.after(seconds, tick)

        self._clock.after(seconds, tick)

    def _time(self) -> str:
        return _written(int(self._clock.now()))

    def _hash(self) -> str:
        return self.region.encode().hex()[-8:]


@lru_cache
def _written(epoch_seconds: int) -> str:
    return datetime.fromtimestamp(epoch_seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
