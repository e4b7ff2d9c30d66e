"""A launch and a termination while junk and forged messages fill the queue of a Region in which nothing fails.

It must not know what the messages contain.
"""

from collections.abc import Iterator

from ringfence.core.model.identifiers import InstanceId
from ringfence_lab.sim.adversary import Adversary
from ringfence_lab.sim.aws.auto_scaling import AutoScalingGroup
from ringfence_lab.sim.aws.region import CloudRegion
from ringfence_lab.sim.properties.context import CheckContext

SECONDS_PER_INVOCATION = 3.0
"""The most that unconfirmed events may delay one invocation. Source: docs/security.md."""
LAGS = (0.0, 0.0, 1.0, 2.9)
"""Possible lags of the describes meanwhile, in seconds: less than what an engine waits for."""


class Siege:
    """What an adversary does to a queue, and whether the real events in it are served."""

    def __init__(self, context: CheckContext, adversary: Adversary) -> None:
        self._context = context
        self._adversary = adversary

    def group_with_room(self, region: CloudRegion) -> AutoScalingGroup | None:
        """A group whose next instance certainly fits, and has its address immediately; None if there is none."""
        quiet = [group for group in region.groups.values() if not group.warm_pool_size and not group.proceed_seconds]
        pooled = any(instance.state.startswith("Warmed:") for group in quiet for instance in group.instances.values())
        everywhere = [group for name in self._context.settings for group in self._context.security_groups(name)]
        full = any(max(group.used(ipv6=False), group.used(ipv6=True)) + 4 > group.quota for group in everywhere)
        if pooled or full or region.ec2.address_seconds:
            return None
        return next((group for group in quiet if not group.reuses_on_scale_in), None)

    def begin(self, region: CloudRegion, group: AutoScalingGroup, desired: int, *, lags: bool) -> str:
        """Fills the queue, scales the group, and fills the queue again.

        If the describes lag behind (`lags`), the adversary does not know the instance yet.
        """
        before = self._adversary.flood(region)
        group.scale_to(desired)
        waiting = [] if lags else self._waiting(group)
        after = self._adversary.flood(region, waiting)
        return f"{before}; {group.name} scales to {desired}; {after}"

    def unserved(self, group: AutoScalingGroup, seconds: float, invocations: int) -> Iterator[str]:
        """What was not served in time."""
        if seconds > SECONDS_PER_INVOCATION * invocations:
            yield f"{invocations} invocations took {seconds:.1f} s"
        for instance in self._waiting(group):
            yield f"{instance} still waits after {invocations} invocations"

    def _waiting(self, group: AutoScalingGroup) -> list[InstanceId]:
        return [instance.id for instance in group.instances.values() if instance.waits]
