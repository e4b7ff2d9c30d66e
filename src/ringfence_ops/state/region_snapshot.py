"""Reads one Region as it is now: rules, rosters, Auto Scaling groups and instances.

Changes nothing and judges nothing. Knows no terminal.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from ringfence.aws.assembly import ClientOf, home_services, region_services, table_name
from ringfence.core.configuration.settings import Settings
from ringfence.core.errors import NotDeployed
from ringfence.core.model.identifiers import SecurityGroupId
from ringfence.core.model.rosters import Rows
from ringfence.core.model.rules import Rule
from ringfence.core.observation import Observation
from ringfence.core.rule_count import PrefixLists, prefix_lists_of


@dataclass(frozen=True, slots=True)
class RegionSnapshot:
    """What was read of one Region: its groups' rules, its table's rows, its Auto Scaling groups and instances.

    `prefix_lists` are those that the rules reference.
    """

    rules: Mapping[SecurityGroupId, tuple[Rule, ...]]
    rows: Rows
    observation: Observation
    prefix_lists: PrefixLists = field(default_factory=dict)


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
    groups = home.auto_scaling.groups(settings.auto_scaling_groups)
    instances = dict(home.instances.of_groups(settings.auto_scaling_groups))
    if untagged := [id for states in groups.values() for id in states if id not in instances]:
        instances |= home.instances.by_id(untagged).instances
    ids = prefix_lists_of(rule for group in rules.values() for rule in group)
    prefix_lists = services.security_groups.prefix_lists(ids) if ids else {}
    return RegionSnapshot(rules, rows, Observation(groups, instances), prefix_lists)
