"""`ringfence init`: writes the file that describes a cluster, from what is found in the account."""

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, TypeVar

import typer
from rich.text import Text

from ringfence.core.configuration.setting_table import TABLE
from ringfence.core.configuration.settings import Mode
from ringfence.core.model.addresses import AddressKind
from ringfence.core.model.identifiers import Region, SecurityGroupId
from ringfence.core.model.ports import Ports
from ringfence_ops.aws.errors import CommandError
from ringfence_ops.aws.sessions import Aws, Unreachable
from ringfence_ops.cli.invocation import invocation
from ringfence_ops.cli.terminal import AsJson, Output
from ringfence_ops.cluster import cluster_file, cluster_text
from ringfence_ops.cluster.cluster_file import Cluster, RegionOfCluster, nearest, shared_defaults
from ringfence_ops.cluster.discovery import FoundGroup, discover, enabled_regions

SCHEMA = "ringfence.init/1"
T = TypeVar("T")

EXAMPLES = """\b
Examples:
  ringfence init                                              # asks
  ringfence init --name prod --region us-east-1 --region eu-west-1
  ringfence init --name prod --region us-east-1 --auto-scaling-group cassandra-a --auto-scaling-group cassandra-b
"""


def init(
    context: typer.Context,
    name: Annotated[str | None, typer.Option(help="The cluster's name.")] = None,
    region: Annotated[list[str] | None, typer.Option(help="A Region of the cluster. Give it once for each.")] = None,
    auto_scaling_group: Annotated[
        list[str] | None, typer.Option(help="A group whose instances are members. Can be repeated.")
    ] = None,
    security_group: Annotated[list[str] | None, typer.Option(help="One to look after. Can be repeated.")] = None,
    ports: Annotated[str, typer.Option(help="auto, or such as tcp/7000-7001,tcp/9042.")] = "auto",
    mode: Annotated[str, typer.Option(help="owned, mirror or observe.")] = "owned",
    force: Annotated[bool, typer.Option("--force", help="Write over a file that is there.")] = False,
    as_json: AsJson = False,
) -> None:
    """Writes ringfence.toml: finds the Auto Scaling groups and their security groups, and asks what it cannot know.

    Without a terminal nothing is asked: what there is only one of is taken, and of several some must be named. Changes
    nothing in AWS. Every setting stands in the file, with a comment.
    """
    run, output = invocation(context), Output(as_json)
    if run.path.exists() and not force:
        raise CommandError(f"{run.path} is there already: give --force to write over it, or another --cluster-file")
    asks = sys.stdin.isatty() and sys.stderr.isatty() and not as_json
    name = name or _asked(asks, "The cluster's name", "--name")
    regions = [Region(one) for one in dict.fromkeys(region or _regions(run.aws, asks))]
    choice = Choice(asks, auto_scaling_group or [], security_group or [])
    chosen = choice.of(_found(run.aws, regions))
    values = {
        **shared_defaults(TABLE),
        "ports": _parsed(Ports.parse, ports, "--ports"),
        "mode": _parsed(Mode, mode, "--mode"),
    }
    if choice.kinds:
        values["address_kinds"] = choice.kinds
    cluster = Cluster(name, tuple(chosen.values()), values)
    text = cluster_text.written(cluster)
    cluster_file.parse(text, run.path)  # what is wrong with a name is said before anything is written
    run.path.write_text(text)
    said = Text.assemble((str(run.path), "bold"), " is written. Look it over; then `ringfence deploy`.")
    output.show(document(str(run.path), cluster), said)


def document(path: str, cluster: Cluster) -> Mapping[str, Any]:
    """What was written, for programs."""
    return {
        "schema": SCHEMA,
        "file": path,
        "name": cluster.name,
        "address_kinds": sorted(kind.value for kind in cluster.address_kinds),
        "regions": [
            {
                "region": one.region,
                "auto_scaling_groups": list(one.auto_scaling_groups),
                "security_groups": list(one.security_groups),
            }
            for one in cluster.regions
        ],
    }


def _found(aws: Aws, regions: Sequence[Region]) -> dict[Region, list[FoundGroup]]:
    found = discover(aws, regions)
    silent = [f"{region}: {one.reason}" for region, one in found.items() if isinstance(one, Unreachable)]
    if silent:
        raise CommandError(f"nothing was written, since not every Region answers: {'; '.join(silent)}")
    return {region: one for region, one in found.items() if not isinstance(one, Unreachable)}


@dataclass(slots=True)
class Choice:
    """Chooses among what was found: what the flags name, what there is only one of, or what the operator says."""

    asks: bool
    named_groups: Sequence[str]
    named_security_groups: Sequence[str]
    kinds: frozenset[AddressKind] = frozenset()

    def of(self, found: Mapping[Region, Sequence[FoundGroup]]) -> dict[Region, RegionOfCluster]:
        """Each Region's groups. Raises CommandError."""
        every = [one.name for groups in found.values() for one in groups]
        for name in self.named_groups:
            if name not in every:
                raise CommandError(f"no Region named has an Auto Scaling group {name}{nearest(name, every)}")
        return {region: self._region(region, groups) for region, groups in found.items()}

    def _region(self, region: Region, found: Sequence[FoundGroup]) -> RegionOfCluster:
        if not found:
            raise CommandError(f"{region} has no Auto Scaling group: make one first, or leave the Region out")
        groups = [one for one in found if one.name in self.named_groups] or self._pick(
            f"Auto Scaling groups of the cluster in {region}",
            [(one, f"{one.name}, {one.instances} instances") for one in found],
            "--auto-scaling-group",
        )
        self.kinds |= frozenset(kind for one in groups for kind in one.kinds)
        return RegionOfCluster(region, tuple(one.name for one in groups), self._security_groups(region, groups))

    def _security_groups(self, region: Region, groups: Sequence[FoundGroup]) -> tuple[SecurityGroupId, ...]:
        found = list(dict.fromkeys(one for group in groups for one in group.security_groups))
        if named := [one.id for one in found if one.id in self.named_security_groups]:
            return tuple(named)
        likely = [one for one in found if one.admits_itself] or found
        if not likely:
            raise CommandError(
                f"the instances in {region} share no security group that can be found: give them one first"
            )
        shown = [(one.id, f"{one.id}, {one.name}{', admits itself' * one.admits_itself}") for one in likely]
        return tuple(self._pick(f"Security groups to look after in {region}", shown, "--security-group"))

    def _pick(self, what: str, offered: Sequence[tuple[T, str]], flag: str) -> list[T]:
        """Those that the operator picks; the only one there is, unasked. Raises CommandError."""
        if len(offered) == 1:
            return [offered[0][0]]
        if not self.asks:
            raise CommandError(f"{what}: there are {'; '.join(shown for _, shown in offered)}: name them with {flag}")
        typer.echo(f"{what}:", err=True)
        for number, (_, shown) in enumerate(offered, 1):
            typer.echo(f"  {number}  {shown}", err=True)
        while True:
            said = typer.prompt("Their numbers, such as 1,2", default="1", err=True)
            numbers = [int(one) for one in said.split(",") if one.strip().isdigit()]
            if numbers and all(1 <= one <= len(offered) for one in numbers):
                return [offered[one - 1][0] for one in dict.fromkeys(numbers)]
            typer.echo(f"{said!r} names none of them", err=True)


def _asked(asks: bool, what: str, flag: str) -> str:
    if not asks:
        raise CommandError(f"there is no terminal to ask on: give {flag}")
    return str(typer.prompt(what, err=True))


def _regions(aws: Aws, asks: bool) -> list[str]:
    """The Regions that the operator names, of those that have Auto Scaling groups. Raises CommandError."""
    if not asks:
        raise CommandError("there is no terminal to ask on: give --region, once for each")
    found = discover(aws, enabled_regions(aws, Region("us-east-1")))
    offered = [region for region, groups in found.items() if isinstance(groups, list) and groups]
    if not offered:
        raise CommandError("no Region that answers has an Auto Scaling group: make them first, or give --region")
    said = typer.prompt("Regions of the cluster", default=",".join(offered), err=True)
    return [one.strip() for one in said.split(",") if one.strip()]


def _parsed(parse: Callable[[str], T], said: str, flag: str) -> T:
    try:
        return parse(said)
    except ValueError as error:
        raise CommandError(f"{flag}: {error}") from None
