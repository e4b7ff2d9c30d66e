"""What must hold once everything heals: in every Region the owned rules are the members', tables agree, nobody waits.

Knows AWS's truth, never what the engine thinks of it.
"""

from collections.abc import Iterable, Iterator

from ringfence.core.model.addresses import Cidr
from ringfence.core.model.identifiers import Region
from ringfence.core.model.rules import Opening
from ringfence_lab.sim.aws.security_groups import SecurityGroup
from ringfence_lab.sim.properties import IN_SERVICE, ON_ITS_WAY, Properties


def unconverged(seen: Properties) -> Iterator[str]:
    """What is not yet as it should be once everything heals: rules, tables, hooks."""
    members = {region: _members(seen, region) for region in seen.cloud.regions}
    for region in seen.cloud.regions:
        ports = seen.cloud.managed_ports(seen.settings[region])
        everybody = {Opening(range_, cidr) for each in members.values() for cidr in each for range_ in ports}
        for group in seen.security_groups(region):
            owned = {rule.opening for rule in group.rules.values() if rule.label(seen.cloud.cluster) is not None}
            lacking = {opening for opening in everybody if group.admits(opening) is None}
            if owned - everybody:
                yield f"{group.id} still admits {_listed(str(opening) for opening in owned - everybody)}"
            if lacking:
                yield f"{group.id} lacks {_listed(map(str, lacking))}"
            yield from _labels_lie(seen, group)
    yield from _tables_disagree(seen)
    for each in seen.cloud.regions.values():
        for asg in each.groups.values():
            # One that no describe lists, and whose event is lost, is left to its heartbeat.
            waiting = [one.id for one in asg.instances.values() if one.waits and one.id in asg.listed()]
            if waiting:
                yield f"{each.name}/{asg.name}: {_listed(waiting)} still waits"


def _labels_lie(seen: Properties, group: SecurityGroup) -> Iterator[str]:
    """The owned rules that name another instance than the one that has their address."""
    for rule in group.rules.values():
        label = rule.label(seen.cloud.cluster)
        if label is None or rule.opening is None:
            continue
        for region in seen.cloud.regions.values():
            holder = region.ec2.holders.get(rule.opening.cidr)
            if holder is not None and holder.id != label.instance:
                yield f"{rule} in {group.id} names another one than {holder.id}"


def _members(seen: Properties, region: Region) -> set[Cidr]:
    settings, cloud = seen.settings[region], seen.cloud.regions[region]
    serving = [
        one.id
        for group in cloud.groups.values()
        for one in group.instances.values()
        if one.state in IN_SERVICE or one.state in ON_ITS_WAY
    ]
    return {cidr for id in serving for cidr in cloud.ec2.instances[id].described().of_kinds(settings.address_kinds)}


def _tables_disagree(seen: Properties) -> Iterator[str]:
    tables = {region.name: region.table.rosters for region in seen.cloud.regions.values()}
    for each in seen.cloud.regions.values():
        for group in seen.security_groups(each.name):  # of a peer that needs nothing, what was held is left to expire
            held = each.table.held.get(group.id)
            if held is not None and held.rules:
                yield f"{each.name} still holds {len(held.rules)} rules of {held.group}"
    for home, rosters in tables.items():
        for key, roster in rosters.items():
            if key.region != home:
                continue
            for region, others in tables.items():
                if key not in others or others[key].version != roster.version:
                    yield f"{region} does not hold {key} at version {roster.version}"
            if roster.owed:
                yield f"{key} owes {dict(roster.owed)}"


def _listed(names: Iterable[str]) -> str:
    return ", ".join(sorted(names))
