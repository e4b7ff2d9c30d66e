"""Messages in the queue that no AWS service sent: forged and repeated events, junk, and floods of both."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime

from ringfence.core.events import Action, Place
from ringfence.core.lifecycle import Transition
from ringfence.core.model.identifiers import InstanceId
from ringfence_lab.sim.adversary.forgery import UNKNOWN_GROUP, AdversaryAction, Forger
from ringfence_lab.sim.aws.event_bridge import DETAIL_TYPES
from ringfence_lab.sim.aws.region import CloudRegion

TIMES = (0, 0, 0, -2, -30, -59, -61, -3600, 3, 30, 86_400)
"""Possible times of a forged event, in seconds from now."""
CONVINCING_TIMES = (0, 1, 3)
"""Times of a forged event that is fresh, and not earlier than a genuine event of now."""
POISON_RATE = 0.3
"""The share of the junk that has the form of an event."""
PLACES = (None, *(place.value for place in Place), "Nowhere", 7)
"""Possible values of Origin and of Destination; None leaves it out."""

ACTIONS_NAMED = (None, None, Action.REPLACE_ROOT_VOLUME.value, "Explode", 7)
"""Possible values of Action; None leaves it out."""

JUNK: tuple[str, ...] = (
    "",
    "null",
    "[]",
    "7",
    '"text"',
    "{",
    "not JSON",
    "{}",
    "NaN",
    "1e999",
    '{"detail": 7}',
    '{"source": ["aws.autoscaling"], "detail-type": {}}',
    '{"Event": "autoscaling:TEST_NOTIFICATION"}',
    '{"source": "aws.autoscaling", "detail-type": "EC2 Instance-launch Lifecycle Action"}',
    '{"source": "aws.autoscaling", "detail-type": "EC2 Instance-terminate Lifecycle Action", "detail": []}',
    '{"id": 1e999, "trueup": false, "detail": {"AutoScalingGroupName": 7}}',
    '{"source": "ringfence.schedule", "time": {}}',
    '{"trueup": [1], "confirm": "0123456789ab"}',
)
"""Bodies that ask for nothing, or for a true-up."""


_EVENT = (
    '{{"source": "aws.autoscaling", "detail-type": "EC2 Instance-launch Lifecycle Action", "detail":'
    ' {{"AutoScalingGroupName": "{group}", "EC2InstanceId": "{instance}", "LifecycleHookName": "{hook}",'
    ' "LifecycleActionToken": "{token}"}}}}'
)
_VALID = {"group": "db-0", "instance": "i-0000000000000bad0", "hook": "ringfence-demo-launch", "token": ""}

POISON: tuple[str, ...] = (
    '{"a":' + "[" * 3_000,
    "[" * 21 + "]" * 21,
    '{"trueup": true, "x": "' + "x" * 17_000 + '"}',
    '{"trueup": true, "time": ' + "9" * 5_000 + "}",
    '{"trueup": true, "detail": {"AutoScalingGroupName": "evil"}}',
    '{"detail": {"AutoScalingGroupName": "evil"}}',
    '{"detail": {"AutoScalingGroupName": "\\ud800"}}',
    '{"trueup": true, "confirm": "\\u202e"}',
    _EVENT.format(**_VALID | {"instance": "i-\\ud800"}),
    _EVENT.format(**_VALID | {"instance": "*"}),
    _EVENT.format(**_VALID | {"instance": "i-" + "0" * 15_000}),
    _EVENT.format(**_VALID | {"token": "x"}),
    _EVENT.format(**_VALID | {"hook": "a hook"}),
    _EVENT.format(**_VALID | {"group": "\\u0000"}),
)
"""Bodies that are too deep or too large, or that have the form of an event that no AWS service can have sent."""


def forge_event(forger: Forger, region: CloudRegion) -> str:
    """A lifecycle event of any instance."""
    body, text = _event(forger, region, forger.instance(region))
    region.queue.send(body)
    return f"sends a forged {text}"


def repeat_event(forger: Forger, region: CloudRegion) -> str:
    """An event that was sent before, with its token. The queue takes it for another one."""
    if not region.events.emitted:
        return ""
    event = forger.chance.choice(region.events.emitted[-8:])
    region.queue.send(json.dumps(event) + _space(forger))
    return f"sends event {event['id']} again"


def send_junk(forger: Forger, region: CloudRegion) -> str:
    """Messages that no engine can serve."""
    count = forger.chance.choice((1, 1, 3, 12))
    for _ in range(count):
        region.queue.send(_junk(forger))
    return f"sends {count} junk messages"


def flood(
    forger: Forger, region: CloudRegion, named: Sequence[InstanceId] = (), unknown: Sequence[InstanceId] = ()
) -> str:
    """Junk, and forged events of all kinds of instances, in any order: many of `named`, none of `unknown`."""
    count = forger.chance.choice((0, 3, 12, 25))
    for _ in range(count):
        if named and forger.chance.random() < 0.2:
            region.queue.send(_event(forger, region, forger.chance.choice(named), times=CONVINCING_TIMES)[0])
            continue
        instance = forger.instance(region)
        if instance in unknown or forger.chance.random() < 0.5:
            region.queue.send(_junk(forger))
        else:
            region.queue.send(_event(forger, region, instance)[0])
    return f"an adversary sends {count} messages"


def _event(forger: Forger, region: CloudRegion, instance: InstanceId, times: Sequence[int] = TIMES) -> tuple[str, str]:
    """The body of a lifecycle event, at one of the times in seconds from now, and a text."""
    chance = forger.chance
    transition = chance.choice(tuple(Transition))
    hooks = {Transition.LAUNCH: "launch", Transition.TERMINATE: "terminate"}
    cluster, group = forger.cloud.cluster, forger.group(region.name)
    if chance.random() < 0.1:
        group = UNKNOWN_GROUP
    at = forger.cloud.clock.now() + chance.choice(times)
    detail: dict[str, object] = {
        "AutoScalingGroupName": group,
        "LifecycleHookName": f"ringfence-{cluster}-{hooks[transition]}" if chance.random() < 0.9 else "another",
        "EC2InstanceId": instance,
        "LifecycleTransition": transition.value,
    }
    for name, values in (("Origin", PLACES), ("Destination", PLACES), ("Action", ACTIONS_NAMED)):
        value = chance.choice(values)
        if value is not None:
            detail[name] = value
    if chance.random() < 0.5:
        detail["LifecycleActionToken"] = f"{chance.randrange(1 << 32):08x}-0000-4000-8000-000000000bad"
    event: dict[str, object] = {
        "version": "0",
        "id": f"forged-{chance.randrange(1 << 32):08x}",
        "detail-type": DETAIL_TYPES[transition],
        "source": "aws.autoscaling",
        "region": region.name,
        "detail": detail,
    }
    if chance.random() < 0.95:
        event["time"] = datetime.fromtimestamp(int(at), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    text = f"{transition.name.lower()} of {instance} in {group}"
    return json.dumps(event), f"{text}, {detail.get('Origin', '')} to {detail.get('Destination', '')}"


def _junk(forger: Forger) -> str:
    return forger.chance.choice(POISON if forger.chance.random() < POISON_RATE else JUNK) + _space(forger)


def _space(forger: Forger) -> str:
    """Space that makes a message differ from an equal one of the last five minutes."""
    return " " * forger.chance.randrange(64)


ACTIONS: tuple[tuple[AdversaryAction, int], ...] = ((forge_event, 8), (repeat_event, 2), (send_junk, 2))
