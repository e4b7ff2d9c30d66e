"""Property: an Availability Zone that fails stops nothing that concerns the other zones."""

from collections.abc import Iterator

from ringfence_lab.sim.engine.call_faults import OF_A_ZONE, Effect
from ringfence_lab.sim.invocation import Invocation
from ringfence_lab.sim.properties.context import CheckContext

_OTHER_FAULTS = frozenset(effect.value for effect in Effect)


def zone_outages_stop_nothing_else(context: CheckContext, by: Invocation) -> Iterator[str]:
    """An invocation that meets the outage of one zone and no other fault succeeds, if a group lists an instance of
    another zone."""
    if by.error is None or by.disturbed != {(by.home, "ec2")}:
        return
    outcomes = {call.outcome for call in context.cloud.calls if call.invocation is by}
    failing = {fault.zone for fault in context.cloud.faults.active if fault.zone is not None}
    if OF_A_ZONE not in outcomes or not outcomes.isdisjoint(_OTHER_FAULTS) or not failing:
        return
    region = context.cloud.regions[by.home]
    listed = {id for group in region.groups.values() for id in group.listed()}
    if any(region.ec2.zone_of[id] not in failing for id in listed):
        yield f"{by} failed because EC2 did not describe {', '.join(failing)}: {by.error}"
