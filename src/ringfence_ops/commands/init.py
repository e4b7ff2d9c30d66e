"""`ringfence init`: writes the file that describes a cluster, from what it finds in the account."""

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Annotated, TypeVar

import typer
from botocore.exceptions import ClientError

from ringfence.aws.error_codes import is_unknown_credentials
from ringfence.core.configuration.setting_table import TABLE
from ringfence.core.configuration.settings import Mode, PrivateAddresses
from ringfence.core.model.addresses import AddressKind
from ringfence.core.model.identifiers import Region, SecurityGroupId
from ringfence.core.model.ports import Ports
from ringfence_ops.aws.sessions import Aws, Unreachable
from ringfence_ops.cli.command_run import command_run
from ringfence_ops.cli.terminal import AsJson, Output, ask
from ringfence_ops.cli.text import Text
from ringfence_ops.cluster import cluster_file, cluster_text
from ringfence_ops.cluster.cluster_file import Cluster, RegionOfCluster, nearest, shared_defaults
from ringfence_ops.cluster.discovery import FoundGroup, discover, enabled_regions
from ringfence_ops.commands.alarm_topics import AlarmTopics
from ringfence_ops.documents.init import ClusterRegionItem, InitDocument
from ringfence_ops.errors import CommandError

T = TypeVar("T")

EXAMPLES = """\b
Examples:
  ringfence init                                              # asks
  ringfence init --name prod --region us-east-1 --region eu-west-1
  ringfence init --name prod --region us-east-1 --alarm-topic "$TOPIC_ARN"
  ringfence init --name prod --region us-east-1 --auto-scaling-group cassandra-a --auto-scaling-group cassandra-b
"""


def init(
    context: typer.Context,
    *,
    name: Annotated[str | None, typer.Option(help="The cluster's name.")] = None,
    region: Annotated[list[str] | None, typer.Option(help="A Region of the cluster. Can be repeated.")] = None,
    auto_scaling_group: Annotated[
        list[str] | None, typer.Option(help="An Auto Scaling group whose instances are members. Can be repeated.")
    ] = None,
    security_group: Annotated[
        list[str] | None, typer.Option(help="A security group for Ringfence to manage. Can be repeated.")
    ] = None,
    alarm_topic: Annotated[
        list[str] | None,
        typer.Option(help="The ARN of an SNS topic that the alarms of its Region notify. One for each Region."),
    ] = None,
    ports: Annotated[str, typer.Option(help="auto, or a list such as tcp/7000-7001,tcp/9042.")] = "auto",
    mode: Annotated[str, typer.Option(help="owned, mirror or observe.")] = "owned",
    force: Annotated[bool, typer.Option("--force", help="Overwrite an existing file.")] = False,
    as_json: AsJson = False,
) -> None:
    """Writes ringfence.toml: finds the Auto Scaling groups and their security groups, and asks for the rest.

    Without a terminal it asks nothing: it takes what exists only once, and of several groups some must be named.
    Changes nothing in AWS. The file contains every setting, with a comment.
    """
    run, output = command_run(context), Output(as_json=as_json)
    if run.path.exists() and not force:
        raise CommandError(f"{run.path} exists: give --force to overwrite it, or another --cluster-file")
    asks = sys.stdin.isatty() and sys.stderr.isatty() and not as_json
    name = name or _ask("The cluster's name", "--name", asks=asks)
    regions = [Region(text) for text in dict.fromkeys(region or _ask_regions(run.aws, asks=asks))]
    run.aws.partition(regions)  # rejects Regions of several partitions
    choice = Choice(auto_scaling_group or [], security_group or [], asks=asks)
    chosen = choice.of(_found(run.aws, regions))
    topics = AlarmTopics(run.aws, alarm_topic or [], asks=asks).of(regions)
    for own, topic in topics.items():
        chosen[own] = replace(chosen[own], values={**chosen[own].values, "alarm_topic": topic})
    values = {
        **shared_defaults(TABLE),
        "ports": _parsed(Ports.parse, ports, "--ports"),
        "mode": _parsed(Mode, mode, "--mode"),
        # A new cluster admits no secondary addresses. One without the setting keeps what it admits.
        "private_addresses": PrivateAddresses.PRIMARY,
    }
    if choice.kinds:
        values["address_kinds"] = choice.kinds
    cluster = Cluster(name, tuple(chosen.values()), values)
    text = cluster_text.written(cluster)
    cluster_file.parse(text, run.path)  # rejects a wrong name before anything is written
    run.path.write_text(text)
    message = Text.assemble((str(run.path), "bold"), " is written. Check it, then run `ringfence deploy`.")
    output.show(document(str(run.path), cluster), message)


def document(path: str, cluster: Cluster) -> InitDocument:
    """What was written, for programs."""
    return InitDocument(
        file=path,
        name=cluster.name,
        address_kinds=sorted(kind.value for kind in cluster.address_kinds),
        regions=[
            ClusterRegionItem(
                region.region,
                list(region.auto_scaling_groups),
                list(region.security_groups),
                region.values["alarm_topic"] or None,
            )
            for region in cluster.regions
        ],
    )


def _found(aws: Aws, regions: Sequence[Region]) -> dict[Region, list[FoundGroup]]:
    answers = discover(aws, regions)
    if silent := [
        f"{region}: {answer.reason}" for region, answer in answers.items() if isinstance(answer, Unreachable)
    ]:
        raise CommandError(f"nothing was written, because not every Region answers: {'; '.join(silent)}")
    return {region: answer for region, answer in answers.items() if not isinstance(answer, Unreachable)}


@dataclass(slots=True)
class Choice:
    """Chooses from what was found: what the options name, what exists only once, or what the operator answers."""

    named_groups: Sequence[str]
    named_security_groups: Sequence[str]
    asks: bool = field(kw_only=True)
    kinds: frozenset[AddressKind] = frozenset()

    def of(self, found: Mapping[Region, Sequence[FoundGroup]]) -> dict[Region, RegionOfCluster]:
        """Each Region's groups. Raises CommandError."""
        names = [group.name for groups in found.values() for group in groups]
        for name in self.named_groups:
            if name not in names:
                raise CommandError(f"no Region named has an Auto Scaling group {name}{nearest(name, names)}")
        return {region: self._region(region, groups) for region, groups in found.items()}

    def _region(self, region: Region, found: Sequence[FoundGroup]) -> RegionOfCluster:
        if not found:
            raise CommandError(f"{region} has no Auto Scaling group: create one first, or omit the Region")
        groups = [group for group in found if group.name in self.named_groups] or self._pick(
            f"Auto Scaling groups of the cluster in {region}",
            [(group, f"{group.name}, {group.instances} instances") for group in found],
            "--auto-scaling-group",
        )
        self.kinds |= frozenset(kind for group in groups for kind in group.kinds)
        return RegionOfCluster(region, tuple(group.name for group in groups), self._security_groups(region, groups))

    def _security_groups(self, region: Region, groups: Sequence[FoundGroup]) -> tuple[SecurityGroupId, ...]:
        found = list(dict.fromkeys(found for group in groups for found in group.security_groups))
        if named := [group.id for group in found if group.id in self.named_security_groups]:
            return tuple(named)
        likely = [group for group in found if group.admits_itself] or found
        if not likely:
            raise CommandError(f"the instances in {region} have no security group in common: give them one first")
        offered = [(group.id, f"{group.id}, {group.name}{', admits itself' * group.admits_itself}") for group in likely]
        return tuple(self._pick(f"Security groups to manage in {region}", offered, "--security-group"))

    def _pick(self, title: str, offered: Sequence[tuple[T, str]], option: str) -> list[T]:
        """Those that the operator picks; the only one there is, without asking. Raises CommandError."""
        if len(offered) == 1:
            return [offered[0][0]]
        if not self.asks:
            found = "; ".join(shown for _, shown in offered)
            raise CommandError(f"{title}: there are {found}: name them with {option}")
        output = Output()
        output.say(f"{title}:")
        for number, (_, shown) in enumerate(offered, 1):
            output.say(f"  {number}  {shown}")
        while True:
            typed = ask("Their numbers, such as 1,2", default="1")
            numbers = [int(number) for number in typed.split(",") if number.strip().isdigit()]
            if numbers and all(1 <= number <= len(offered) for number in numbers):
                return [offered[number - 1][0] for number in dict.fromkeys(numbers)]
            output.say(f"{typed!r} names none of them")


def _ask(question: str, option: str, *, asks: bool) -> str:
    if not asks:
        raise CommandError(f"there is no terminal to ask on: give {option}")
    return ask(question)


def _ask_regions(aws: Aws, *, asks: bool) -> list[str]:
    """The Regions that the operator names, of those that have Auto Scaling groups. Raises CommandError."""
    if not asks:
        raise CommandError("there is no terminal to ask on: give --region, once for each Region")
    answers = discover(aws, own_regions(aws))
    offered = [region for region, groups in answers.items() if isinstance(groups, list) and groups]
    if not offered:
        raise CommandError("no Region that answers has an Auto Scaling group: create them first, or give --region")
    typed = ask("Regions of the cluster", default=",".join(offered))
    return [region.strip() for region in typed.split(",") if region.strip()]


def own_regions(aws: Aws) -> list[Region]:
    """The Regions of the caller's own partition that the account can use. Raises CommandError."""
    asked = aws.default_region()
    try:
        return enabled_regions(aws, asked)
    except ClientError as error:
        if not is_unknown_credentials(error):
            raise
        message = (
            f"AWS does not know these credentials in {asked}: renew them, or set AWS_DEFAULT_REGION to a Region of"
            " their own partition, such as cn-north-1 or us-gov-west-1"
        )
        raise CommandError(message) from error


def _parsed(parse: Callable[[str], T], text: str, option: str) -> T:
    try:
        return parse(text)
    except ValueError as error:
        raise CommandError(f"{option}: {error}") from None
