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
from ringfence.reconciler.region_pass import announced_groups
from ringfence.reconciler.request import Request


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
    """The home Region as it is now. Raises Retry if it cannot be described: unknown is not absent."""
    settings, start, began = request.settings, services.tasks.start, services.clock.now()
    groups = start(partial(services.home.auto_scaling.groups, settings.auto_scaling_groups))
    described = start(partial(services.home.instances.of_groups, settings.auto_scaling_groups))
    security_groups = services.regions[request.home].security_groups
    read_rules = partial(_rules_or_error, security_groups, settings.security_groups)
    rules = None if request.has_termination else start(read_rules)
    listed, instances = groups.result(), dict(described.result())
    relevant = {id for states in listed.values() for id in states}
    relevant |= {id for roster in before.of(request.home).values() for id in roster.members}
    relevant |= {event.instance for event in request.lifecycle_events}
    absent: frozenset[InstanceId] = frozenset()
    if missing := relevant - instances.keys():
        described_by_id = services.home.instances.by_id(sorted(missing))
        instances |= described_by_id.instances
        absent = described_by_id.absent
    return Sighting(Observation(listed, instances, absent), None if rules is None else rules.result(), began)


def observe_again(request: Request, services: Services, sighting: Sighting, instances: Set[InstanceId]) -> Sighting:
    """The groups and the given instances once more. Raises Retry if they cannot be described."""
    began = services.clock.now()
    groups = services.tasks.start(partial(services.home.auto_scaling.groups, request.settings.auto_scaling_groups))
    described = services.tasks.start(partial(services.home.instances.by_id, sorted(instances)))
    known = {id: seen for id, seen in sighting.observation.instances.items() if id not in instances}
    now, absent = described.result(), sighting.observation.absent - instances
    observation = Observation(groups.result(), known | dict(now.instances), absent | now.absent)
    return replace(sighting, observation=observation, at=began)


def _rules_or_error(security_groups: SecurityGroups, groups: Sequence[SecurityGroupId]) -> Rules | Permanent:
    """The rules, or the error. A group that does not exist at home must not stop the passes of the peers."""
    try:
        return security_groups.rules(groups)
    except Permanent as error:
        return error
