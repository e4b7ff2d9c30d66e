"""A launch and a termination while junk and forged messages fill the queue of a Region in which nothing fails.

It must not know what the messages contain.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass

from ringfence.core.model.identifiers import InstanceId
from ringfence_lab.sim.adversary import Adversary
from ringfence_lab.sim.aws.auto_scaling import AutoScalingGroup
from ringfence_lab.sim.aws.region import CloudRegion
from ringfence_lab.sim.properties.context import CheckContext

SECONDS_PER_INVOCATION = 5.0
"""The most that one invocation may pause. Source: docs/security.md."""
SOON = 2.5
"""Seconds within which AWS's answers settle, so that one invocation still serves an instance: addresses, and hooks that
are not active yet. Less than what an engine waits for."""
LAGS = (0.0, 0.0, 1.0, 2.9)
"""Possible lags of the describes meanwhile, in seconds: less than what an engine waits for."""


@dataclass(frozen=True, slots=True)
class Moment:
    """A time in seconds since the epoch, and how many invocations and dead letters there are."""

    seconds: float
    invocations: int
    dead_letters: int


class Siege:
    """What an adversary does to a queue, and whether the real events in it are served."""

    def __init__(self, context: CheckContext, adversary: Adversary) -> None:
        self._context = context
        self._adversary = adversary

    def group_with_room(self, region: CloudRegion) -> AutoScalingGroup | None:
        """A group whose next instance certainly fits, and has its address soon; None if there is none."""
        quiet = [
            group
            for group in region.groups.values()
            if not group.warm_pool_size and not group.proceed_seconds and group.inactive_seconds <= SOON
        ]
        pooled = any(instance.state.startswith("Warmed:") for group in quiet for instance in group.instances.values())
        everywhere = [group for name in self._context.settings for group in self._context.security_groups(name)]
        full = any(max(group.used(ipv6=False), group.used(ipv6=True)) + 4 > group.quota for group in everywhere)
        if pooled or full or region.ec2.address_seconds > SOON:
            return None
        return next((group for group in quiet if not group.reuses_on_scale_in), None)

    def settles_late(self, region: CloudRegion, group: AutoScalingGroup) -> bool:
        """Whether AWS's answers about a new instance need a moment, even if no describe lags behind."""
        return bool(group.inactive_seconds or region.ec2.address_seconds)

    def moment(self, region: CloudRegion) -> Moment:
        """Now."""
        cloud = self._context.cloud
        return Moment(cloud.clock.now(), len(cloud.invocations), len(region.queue.dead_letters))

    def begin(self, region: CloudRegion, group: AutoScalingGroup, desired: int, *, lags: bool) -> str:
        """Fills the queue, scales the group, and fills the queue again.

        If the describes lag behind (`lags`), no forged event names the instance: with one, AWS and the events disagree
        for as long as the lag lasts, and the next true-up decides.
        """
        before = self._adversary.send_junk(region) if lags else self._adversary.flood(region)
        group.scale_to(desired)
        waiting = self._waiting(group)
        after = self._adversary.flood(region, unknown=waiting) if lags else self._adversary.flood(region, named=waiting)
        return f"{before}; {group.name} scales to {desired}; {after}"

    def unserved(self, region: CloudRegion, group: AutoScalingGroup, before: Moment) -> Iterator[str]:
        """What was not served in time, or became a dead letter, since a moment."""
        now = self.moment(region)
        seconds, invocations = now.seconds - before.seconds, now.invocations - before.invocations
        buried = before.dead_letters
        if seconds > SECONDS_PER_INVOCATION * invocations:
            yield f"{invocations} invocations took {seconds:.1f} s"
        genuine = {json.dumps(event) for event in region.events.emitted}
        for letter in region.queue.dead_letters[buried:]:
            if letter.body in genuine:
                yield f"a genuine event is a dead letter: {letter.body}"
        for instance in self._waiting(group):
            yield f"{instance} still waits after {invocations} invocations"

    def _waiting(self, group: AutoScalingGroup) -> list[InstanceId]:
        return [instance.id for instance in group.instances.values() if instance.waits]
