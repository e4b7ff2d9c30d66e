"""Convergence: after healing, each Region's owned rules are exactly the members', the tables agree, no instance waits.

It knows AWS's actual state, never what the engine assumes about it.
"""

from collections.abc import Collection, Iterable, Iterator

from ringfence.core.configuration.settings import Mode
from ringfence.core.guard import recorded_rules
from ringfence.core.membership.tombstones import is_watched
from ringfence.core.model.addresses import Cidr
from ringfence.core.model.identifiers import ANNOUNCEMENT, Region, RosterKey
from ringfence.core.model.ports import PortRange
from ringfence.core.model.rosters import MemberState, Roster, Rows
from ringfence.core.model.rules import Opening, Rule
from ringfence_lab.sim.aws.security_groups import SecurityGroup
from ringfence_lab.sim.properties.context import IN_SERVICE, LAUNCHING, CheckContext


def unconverged(context: CheckContext) -> Iterator[str]:
    """What has not converged yet: rules, tables, hooks."""
    members = {region: _members(context, region) for region in context.cloud.regions}
    for region in context.cloud.regions:
        ports = context.cloud.managed_ports(context.settings[region])
        wanted = {Opening(range_, cidr) for cidrs in members.values() for cidr in cidrs for range_ in ports}
        for group in context.security_groups(region):
            owned = {rule.opening for rule in group.rules.values() if _must_have_owner(context, rule)}
            lacking = {opening for opening in wanted if group.admits(opening) is None}
            if owned - wanted:
                yield f"{group.id} still admits {_sorted(str(opening) for opening in owned - wanted)}"
            if lacking:
                yield f"{group.id} lacks {_sorted(map(str, lacking))}"
            if context.settings[region].mode is Mode.MIRROR:
                yield from _unmirrored(context, group, wanted, ports)
            yield from _wrong_labels(context, group)
    yield from _table_differences(context)
    yield from _strange_rows(context)
    yield from _waiting_instances(context)


def _unmirrored(
    context: CheckContext, group: SecurityGroup, wanted: Collection[Opening], ports: Collection[PortRange]
) -> Iterator[str]:
    """The foreign rules that mirror mode should have removed: for CIDRs that are no members', on the managed ports."""
    for rule in group.rules.values():
        if rule.opening is None or rule.label(context.cloud.cluster) is not None:
            continue
        if rule.opening not in wanted and rule.opening.ports in ports:
            yield f"{group.id} still has {rule}, which mirror mode removes"


def _must_have_owner(context: CheckContext, rule: Rule) -> bool:
    """Whether the rule must go without an owner.

    It need not if its group does not exist and no row of the group does: then nothing says who its members were, and an
    operator who corrects the configuration decides.
    """
    label = rule.label(context.cloud.cluster)
    if label is None:
        return False
    region = context.cloud.regions.get(label.roster.region)
    return region is None or label.roster in region.table.rosters or not _has_lost_its_group(context, label.roster)


def _has_lost_its_group(context: CheckContext, key: RosterKey) -> bool:
    """Whether the roster is of a group that is configured and does not exist."""
    region = context.cloud.regions.get(key.region)
    is_configured = region is not None and key.asg in context.settings[region.name].auto_scaling_groups
    return region is not None and is_configured and key.asg not in region.groups


def _wrong_labels(context: CheckContext, group: SecurityGroup) -> Iterator[str]:
    """The owned rules whose label names another instance than the one that has their address."""
    for rule in group.rules.values():
        label = rule.label(context.cloud.cluster)
        if label is None or rule.opening is None:
            continue
        for region in context.cloud.regions.values():
            holder = region.ec2.holders.get(rule.opening.cidr)
            if holder is not None and holder.id != label.instance:
                yield f"{rule} in {group.id} does not name {holder.id}"


def _members(context: CheckContext, region: Region) -> set[Cidr]:
    """The addresses of the Region's members."""
    cloud = context.cloud.regions[region]
    serving = [
        instance.id
        for group in cloud.groups.values()
        for instance in group.instances.values()
        if instance.state in IN_SERVICE or instance.state in LAUNCHING
    ]
    return {cidr for id in serving for cidr in context.addresses(region, id)}


def _table_differences(context: CheckContext) -> Iterator[str]:
    tables = {region.name: region.table.rosters for region in context.cloud.regions.values()}
    for region in context.cloud.regions.values():
        for group in _examined_groups(context, region.name):
            if held := recorded_rules(region.table.held.get(group.id), int(context.now())):
                yield f"{region.name} still holds {len(held)} rules of {group.id}"
    for home, rosters in tables.items():
        for key, roster in rosters.items():
            if key.region != home:
                continue
            for name, rows in tables.items():
                if key not in rows or rows[key].version != roster.version:
                    yield f"{name} does not hold {key} at version {roster.version}"
            yield from _unsettled(roster)


def _examined_groups(context: CheckContext, home: Region) -> Iterator[SecurityGroup]:
    """The groups that a true-up of the Region compares with the rosters: its own ones and, while a reading may still
    hide a rule, those of its peers. What is held for others expires: a peer that needs nothing is left alone."""
    rosters = context.cloud.regions[home].table.rosters
    own = [roster for key, roster in rosters.items() if key.region == home]
    watches = any(is_watched(at, context.now()) for roster in own for at in roster.fenced.values())
    for region in context.cloud.regions:
        if watches or region == home:
            yield from context.security_groups(region)


def _unsettled(roster: Roster) -> Iterator[str]:
    """What a roster still waits for."""
    if roster.pending_releases:
        yield f"{roster.key} has pending releases {dict(roster.pending_releases)}"
    missing = [id for id, member in roster.members.items() if member.state is MemberState.MISSING]
    if missing:
        yield f"{roster.key} has members that AWS does not show: {_sorted(missing)}"


def _strange_rows(context: CheckContext) -> Iterator[str]:
    """The rows in the Regions' key ranges that cannot be trusted, or that are of none of their groups.

    A row without a version is one of the original sample. It stays until a group of its name is configured.
    """
    for region in context.cloud.regions.values():
        rows = Rows(region.table.rosters, region.table.bad)
        for key in rows.versions():
            if key.region not in context.settings:
                continue
            if key in rows.bad:
                yield f"{region.name} has a row {key} that cannot be trusted: {rows.bad[key].reason}"
            names = {*context.settings[key.region].auto_scaling_groups, ANNOUNCEMENT}
            is_strange = key.asg not in names and rows.version_read(key) != 0
            if is_strange and key.region not in context.keep_strange_rows:
                yield f"{region.name} has a row of {key}, which is no group"


def _waiting_instances(context: CheckContext) -> Iterator[str]:
    for region in context.cloud.regions.values():
        for group in region.groups.values():
            waiting = [instance.id for instance in group.instances.values() if instance.waits]
            if waiting:
                yield f"{region.name}/{group.name}: {_sorted(waiting)} still waits"


def _sorted(names: Iterable[str]) -> str:
    return ", ".join(sorted(names))
