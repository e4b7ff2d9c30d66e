"""Chooses the groups of a cluster for `ringfence init`: what the options name, what exists only once, or what the
operator answers."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TypeVar

from ringfence.core.model.addresses import AddressKind
from ringfence.core.model.identifiers import Region, SecurityGroupId
from ringfence_ops.aws.sessions import Aws
from ringfence_ops.cli.questions import asked
from ringfence_ops.cli.terminal import Output
from ringfence_ops.cloudformation.ownership import Owners, refusals
from ringfence_ops.cluster.cluster_file import RegionOfCluster, nearest
from ringfence_ops.cluster.discovery import FoundGroup, FoundSecurityGroup
from ringfence_ops.errors import CommandError, WrongUsage
from ringfence_ops.plurals import counted

T = TypeVar("T")


@dataclass(slots=True)
class Choice:
    """Chooses the groups of the cluster of this name from what was found.

    `named_security_groups` are those that the options name, of those that exist in each Region, with their owners.
    """

    aws: Aws
    cluster: str
    named_groups: Sequence[str]
    named_security_groups: Mapping[Region, Owners]
    asks: bool = field(kw_only=True)
    kinds: frozenset[AddressKind] = frozenset()

    def of(self, found: Mapping[Region, Sequence[FoundGroup]]) -> dict[Region, RegionOfCluster]:
        """Each Region's groups. Raises CommandError."""
        names = [group.name for groups in found.values() for group in groups]
        for name in self.named_groups:
            if name not in names:
                raise WrongUsage(f"no Region named has an Auto Scaling group {name}{nearest(name, names)}")
        return {region: self._region(region, groups) for region, groups in found.items()}

    def _region(self, region: Region, found: Sequence[FoundGroup]) -> RegionOfCluster:
        if not found:
            raise CommandError(f"{region} has no Auto Scaling group: create one first, or omit the Region")
        groups = [group for group in found if group.name in self.named_groups] or self._pick(
            f"Auto Scaling groups of the cluster in {region}",
            [(group, _shown_group(group)) for group in found],
            "--auto-scaling-group",
            lambda group: _broken(region, group),
        )
        if broken := list(filter(None, (_broken(region, group) for group in groups))):
            raise CommandError("; ".join(broken))
        self.kinds |= frozenset(kind for group in groups for kind in group.kinds)
        return RegionOfCluster(region, tuple(group.name for group in groups), self._security_groups(region, groups))

    def _security_groups(self, region: Region, groups: Sequence[FoundGroup]) -> tuple[SecurityGroupId, ...]:
        found = _together(groups)
        if named := self.named_security_groups.get(region):
            for id in named.keys() - {group.id for group in found}:
                Output().say(f"No instance of {', '.join(group.name for group in groups)} has {id} in {region} yet.")
            return self._own(region, named)
        likely = [group for group in found if group.admits_itself] or found
        if not likely:
            raise CommandError(
                f"the instances in {region} have no security group in common: give them one, or name it with"
                " --security-group"
            )
        instances = sum(group.instances for group in groups)
        picked = self._pick(
            f"Security groups to manage in {region}",
            [(group, _shown_security_group(group, instances, self.cluster)) for group in likely],
            "--security-group",
            lambda group: "; ".join(refusals(self.aws, region, {group.id: group.owner}, self.cluster)),
        )
        for group in picked:
            if 0 < group.instances < instances:
                Output().say(
                    f"{group.id} in {region} is on {group.instances} of {counted(instances, 'instance')} only."
                )
        return self._own(region, {group.id: group.owner for group in picked})

    def _own(self, region: Region, groups: Owners) -> tuple[SecurityGroupId, ...]:
        """The groups. Raises WrongUsage where one of them belongs to another cluster."""
        if taken := refusals(self.aws, region, groups, self.cluster):
            raise WrongUsage("; ".join(taken))
        return tuple(groups)

    def _pick(
        self, title: str, offered: Sequence[tuple[T, str]], option: str, refused: Callable[[T], str | None]
    ) -> list[T]:
        """Those that the operator picks; the only one there is, without asking. Raises WrongUsage.

        `refused` says why one cannot be picked.
        """
        if len(offered) == 1:
            return [offered[0][0]]
        if not self.asks:
            found = "; ".join(shown for _, shown in offered)
            raise WrongUsage(f"{title}: there are {found}: name them with {option}")
        output = Output()
        output.say(f"{title}:")
        for number, (_, shown) in enumerate(offered, 1):
            output.say(f"  {number}  {shown}")

        def picked(typed: str) -> list[T]:
            numbers = [part.strip() for part in typed.split(",") if part.strip()]
            if wrong := [number for number in numbers if number not in map(str, range(1, len(offered) + 1))]:
                raise ValueError(f"{wrong[0]!r} names none of them: give numbers from 1 to {len(offered)}")
            if not numbers:
                raise ValueError(f"{typed!r} names none of them: give numbers from 1 to {len(offered)}")
            items = [offered[int(number) - 1][0] for number in dict.fromkeys(numbers)]
            if why := [said for item in items if (said := refused(item))]:
                raise ValueError("; ".join(why))
            return items

        return asked("Their numbers, such as 1,2", picked, default="1")


def _together(groups: Sequence[FoundGroup]) -> list[FoundSecurityGroup]:
    """The security groups of all the Auto Scaling groups, each once, with its instances in all of them."""
    found: dict[SecurityGroupId, FoundSecurityGroup] = {}
    for one in (one for group in groups for one in group.security_groups):
        earlier = found.get(one.id)
        found[one.id] = one if earlier is None else replace(one, instances=one.instances + earlier.instances)
    return list(found.values())


def _shown_group(group: FoundGroup) -> str:
    instances = counted(group.instances, "instance")
    return f"{group.name}, {instances}{f', cannot be used: {group.problem}' if group.problem else ''}"


def _shown_security_group(group: FoundSecurityGroup, instances: int, cluster: str) -> str:
    shown = f"{group.id}, {group.name}{', admits itself' * group.admits_itself}"
    if 0 < group.instances < instances:
        shown += f", on {group.instances} of {counted(instances, 'instance')}"
    return shown if group.owner in (None, cluster) else f"{shown}, belongs to the cluster {group.owner}"


def _broken(region: Region, group: FoundGroup) -> str | None:
    if group.problem is None:
        return None
    return f"the Auto Scaling group {group.name} in {region} cannot be used: {group.problem}"
