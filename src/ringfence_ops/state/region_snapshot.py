"""Reads one Region as it is now: rules, rosters, Auto Scaling groups and instances.

Changes nothing and judges nothing. Knows no terminal.
"""

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial

from ringfence.aws.assembly import ClientOf, Threads, home_services, region_services, table_name
from ringfence.core.audit_events import ZoneNotDescribed
from ringfence.core.configuration.settings import Settings
from ringfence.core.errors import NotDeployed
from ringfence.core.model.identifiers import SecurityGroupId
from ringfence.core.model.rosters import Rows
from ringfence.core.model.rules import Rule
from ringfence.core.observation import Observation
from ringfence.core.rule_count import PrefixLists, prefix_lists_of
from ringfence.reconciler.interfaces import HomeServices
from ringfence.reconciler.zones import Describer


@dataclass(frozen=True, slots=True)
class RegionSnapshot:
    """What was read of one Region: its groups' rules, its table's rows, its Auto Scaling groups and instances.

    `prefix_lists` are those that the rules reference. `failing_zones` are the Availability Zones that EC2 did not
    describe, with their instances.
    """

    rules: Mapping[SecurityGroupId, tuple[Rule, ...]]
    rows: Rows
    observation: Observation
    prefix_lists: PrefixLists = field(default_factory=dict)
    failing_zones: tuple[ZoneNotDescribed, ...] = ()


def read_region(client_of: ClientOf, settings: Settings) -> RegionSnapshot:
    """The Region of the settings. Where it has no table, there are no rows. Raises the engine's errors.

    Rules are read before rosters, as a reconcile reads them.
    """
    region = settings.region
    services = region_services(client_of, region, table_name(settings.cluster))
    home = home_services(client_of, region)
    rules = services.security_groups.rules(settings.security_groups)
    try:
        rows = services.table.rows()
    except NotDeployed:
        rows = Rows()
    observation, failing_zones = observe(home, settings)
    ids = prefix_lists_of(rule for group in rules.values() for rule in group)
    prefix_lists = services.security_groups.prefix_lists(ids) if ids else {}
    return RegionSnapshot(rules, rows, observation, prefix_lists, failing_zones)


def observe(home: HomeServices, settings: Settings) -> tuple[Observation, tuple[ZoneNotDescribed, ...]]:
    """The groups with their instances, and the zones that fail: their instances are unknown, the others as ever."""
    names = settings.auto_scaling_groups
    listing = home.auto_scaling.groups(names)
    with ThreadPoolExecutor() as pool:
        describer = Describer(settings.region, home.instances, Threads(pool))
        look = partial(describer.tagged_and, listing.instances, partial(home.instances.of_groups, names))
        seen = describer.describe(look, listing.instances, listing)
    return Observation(listing.states, seen.instances, undescribed=seen.undescribed), seen.failures
