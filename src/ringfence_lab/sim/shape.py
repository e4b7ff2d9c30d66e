"""The random shape of a history: how many Regions, groups and members the cluster has, and its settings.

It must not know what happens to the cluster.
"""

import random
from collections.abc import Mapping

from ringfence.core.configuration.settings import Mode, Settings
from ringfence.core.model.addresses import AddressKind
from ringfence.core.model.identifiers import Region
from ringfence_lab.sim.aws.security_groups import Duplicate, Refusals, RefusedCall
from ringfence_lab.sim.cloud import Cloud

NAMES = ("us-east-1", "us-west-2", "eu-west-1")
SMALL_QUOTA = 16
"""Rules of a security group, in histories in which members do not always find room."""
TABLE_AGES = (0.0, 100.0, 800.0, 1e6)
"""Possible ages of a Region's table, in seconds."""
POOL_SECONDS = 31.0
"""The shortest time of an instance in a warm pool. Assumed: Auto Scaling has to see it stopped or running first."""
REFUSED_CALLS = (RefusedCall.NOTHING, RefusedCall.NOTHING, RefusedCall.FIRST, RefusedCall.OTHERS)
DUPLICATES = (Duplicate.REFUSED, Duplicate.REFUSED, Duplicate.REFUSED, Duplicate.NAMED, Duplicate.OMITTED)
MODES = (Mode.OWNED, Mode.OWNED, Mode.OWNED, Mode.OWNED, Mode.MIRROR)


def random_cloud(chance: random.Random) -> Cloud:
    """A cluster of two or three Regions."""
    cloud = Cloud(
        NAMES[: chance.choice((2, 2, 2, 2, 2, 3))],
        ports=chance.choice(("tcp/9042", "tcp/7000-7001,tcp/9042")),
        quota=chance.choice((60, 60, 60, SMALL_QUOTA)),
        chance=chance,
    )
    refusals = Refusals(chance.choice(REFUSED_CALLS), chance.choice(DUPLICATES))
    for number, region in enumerate(cloud.regions.values()):
        region.security_group.refusals = refusals
        for name in ("db",) if chance.random() < 0.8 else ("db", "web"):
            group = region.auto_scaling_group(f"{name}-{number}", desired=chance.randrange(3))
            group.proceed_seconds = chance.choice((0.0, 2.0))
            group.pool_seconds = POOL_SECONDS
            group.inactive_seconds = chance.choice((0.0, 0.0, 0.0, 0.0, 1.5, 20.0))
        region.table.exists = chance.random() < 0.9
        region.table.created_at -= chance.choice(TABLE_AGES)
        region.ec2.address_seconds = chance.choice((0.0, 0.0, 0.0, 1.0, 2.5))
        region.ec2.tag_seconds = chance.choice((0.0, 0.0, 0.0, 1.0, 2.5))
    return cloud


def random_settings(chance: random.Random, cloud: Cloud) -> dict[Region, Settings]:
    """The settings of each Region's engine."""
    return {region: _region_settings(chance, cloud, region) for region in cloud.regions}


def _region_settings(chance: random.Random, cloud: Cloud, region: Region) -> Settings:
    kind = chance.choice((AddressKind.PUBLIC_IPV4, AddressKind.PUBLIC_IPV4, AddressKind.IPV6))
    mode = chance.choice(MODES)
    return cloud.settings(region, address_kinds=frozenset({kind}), mode=mode)


def shape_text(cloud: Cloud, settings_of: Mapping[Region, Settings]) -> str:
    """The shape in one line, for the trace."""
    shapes = []
    for region, settings in settings_of.items():
        sizes = [f"{group.name} at {group.desired}" for group in cloud.regions[region].groups.values()]
        kinds = sorted(kind.value for kind in settings.address_kinds)
        shapes.append(f"{region}: {', '.join(sizes)}, {settings.mode.value}, {', '.join(kinds)}")
    refusals = next(iter(cloud.regions.values())).security_group.refusals
    return f"{'; '.join(shapes)}; quota {cloud.quota}; {refusals}"
