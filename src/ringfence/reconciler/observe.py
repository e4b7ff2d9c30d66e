"""Observes the home Region: its Auto Scaling groups, its instances, and the rules of its security groups.

Calls interfaces. Decides nothing.
"""

from collections.abc import Sequence, Set
from dataclasses import dataclass, replace
from functools import partial

from ringfence.core.errors import Permanent
from ringfence.core.model.identifiers import InstanceId, Region, SecurityGroupId
from ringfence.core.model.rosters import Rows
from ringfence.core.observation import Observation
from ringfence.reconciler.interfaces import Rules, SecurityGroups, Services, Started
from ringfence.reconciler.request import Request
from ringfence.reconciler.table_rows import announced_groups
from ringfence.reconciler.zones import Describer, Description


@dataclass(frozen=True, slots=True)
class Sighting:
    """What was seen of the home Region, and when the observation began, in epoch seconds.

    `rules` are those of its security groups, or the error of reading them, or None if they were not read.
    """

    observation: Observation
    rules: Rules | Permanent | None
    at: float


def start_reading_peers(request: Request, services: Services, before: Rows) -> dict[Region, Started[Rules]]:
    """Starts to read the peers' rules, which a launch will need. The home Region's work does not wait for them."""
    if not request.only_lifecycle_events or request.has_termination:
        return {}
    known = {region: tuple(announced_groups(region, before)) for region in request.settings.peers}
    return {
        region: services.tasks.start(partial(services.regions[region].security_groups.rules, groups))
        for region, groups in known.items()
        if groups
    }


def observe(request: Request, services: Services, before: Rows) -> Sighting:
    """The home Region as it is now. Raises RingfenceError if it cannot be described: unknown is not absent.

    Where only a zone cannot be described, its instances are `undescribed`, and the others are as ever.
    """
    settings, start, began = request.settings, services.tasks.start, services.clock.now()
    groups = start(partial(services.home.auto_scaling.groups, settings.auto_scaling_groups))
    described = start(partial(services.home.instances.of_groups, settings.auto_scaling_groups))
    security_groups = services.regions[request.home].security_groups
    read_rules = partial(_rules_or_error, security_groups, settings.security_groups)
    rules = None if request.has_termination else start(read_rules)
    listing = groups.result()
    members = {id for roster in before.of(request.home).values() for id in roster.members}
    relevant = listing.instances | members | {event.instance for event in request.lifecycle_events}
    describer = _describer(request, services)
    seen = describer.describe(partial(describer.tagged_and, relevant, described.result), relevant, listing)
    _report(seen, services)
    observation = Observation(listing.states, seen.instances, seen.absent, seen.undescribed)
    return Sighting(observation, None if rules is None else rules.result(), began)


def observe_again(request: Request, services: Services, sighting: Sighting, instances: Set[InstanceId]) -> Sighting:
    """The groups and the given instances once more. Raises RingfenceError if they cannot be described.

    While a zone fails, only calls for the zones of these instances are made.
    """
    began, before = services.clock.now(), sighting.observation
    groups = services.tasks.start(partial(services.home.auto_scaling.groups, request.settings.auto_scaling_groups))
    describer = _describer(request, services)
    if before.undescribed:
        listing = groups.result()
        seen = describer.by_zone(instances, listing)
    else:
        described = services.tasks.start(partial(services.home.instances.by_id, sorted(instances)))
        listing = groups.result()
        seen = describer.describe(described.result, instances, listing)
    _report(seen, services)
    # What EC2 did not describe again is as it was. What it described as unknown to it is no longer there.
    asked = instances - seen.undescribed.keys()
    known = {id: instance for id, instance in before.instances.items() if id not in asked}
    undescribed = {id: zone for id, zone in before.undescribed.items() if id not in asked} | seen.undescribed
    return replace(
        sighting,
        observation=Observation(
            groups=listing.states,
            instances=known | dict(seen.instances),
            absent=(before.absent - instances) | seen.absent,
            undescribed={id: zone for id, zone in undescribed.items() if id not in known},
        ),
        at=began,
    )


def _describer(request: Request, services: Services) -> Describer:
    return Describer(request.home, services.home.instances, services.tasks)


def _report(seen: Description, services: Services) -> None:
    for failure in seen.failures:
        services.audit(failure)


def _rules_or_error(security_groups: SecurityGroups, groups: Sequence[SecurityGroupId]) -> Rules | Permanent:
    """The rules, or the error. A group that does not exist at home must not stop the passes of the peers."""
    try:
        return security_groups.rules(groups)
    except Permanent as error:
        return error
