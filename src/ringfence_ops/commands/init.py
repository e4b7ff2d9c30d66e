"""`ringfence init`: writes the file that describes a cluster, from what it finds in the account."""

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Annotated, Any, TypeVar

import typer
from botocore.exceptions import BotoCoreError, ClientError, UnknownRegionError

from ringfence.aws.error_codes import is_unknown_credentials
from ringfence.core.configuration.setting_table import TABLE
from ringfence.core.configuration.settings import PrivateAddresses
from ringfence.core.model.identifiers import Region, SecurityGroupId
from ringfence_ops.aws.sessions import Aws, Unreachable
from ringfence_ops.cli.alarm_topics import AlarmTopics
from ringfence_ops.cli.cluster_choice import Choice
from ringfence_ops.cli.command_run import command_run
from ringfence_ops.cli.questions import asked, given, of_setting
from ringfence_ops.cli.terminal import AsJson, Output
from ringfence_ops.cli.text import Text
from ringfence_ops.cloudformation.deployed_settings import DeployedSettings, deployed_settings
from ringfence_ops.cloudformation.ownership import Owners, owners
from ringfence_ops.cluster import cluster_file, cluster_text
from ringfence_ops.cluster.cluster_file import Cluster, RegionOfCluster, nearest, shared_defaults
from ringfence_ops.cluster.discovery import FoundGroup, discover, enabled_regions
from ringfence_ops.documents.init import ClusterRegionItem, InitDocument
from ringfence_ops.errors import CommandError, WrongUsage

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
    ports: Annotated[
        str | None, typer.Option(help="auto, or a list such as tcp/7000-7001,tcp/9042. Default: auto.")
    ] = None,
    mode: Annotated[str | None, typer.Option(help="owned, mirror or observe. Default: owned.")] = None,
    force: Annotated[bool, typer.Option("--force", help="Overwrite an existing file.")] = False,
    as_json: AsJson = False,
) -> None:
    """Writes ringfence.toml: finds the Auto Scaling groups and their security groups, and asks for the rest.

    Without a terminal it asks nothing: it takes what exists only once, and of several groups some must be named.
    Changes nothing in AWS. The file contains every setting, with a comment. Of a cluster that is deployed, it has the
    settings of the stacks, except that `private_addresses` is always `primary`. Refuses what does not exist, and a
    security group of another cluster.
    """
    run, output = command_run(context), Output(as_json=as_json)
    if run.path.exists() and not force:
        raise CommandError(f"{run.path} exists: give --force to overwrite it, or another --cluster-file")
    named = {
        option: given(f"--{option}", text, of_setting(option))
        for option, text in (("ports", ports), ("mode", mode))
        if text is not None
    }
    ids = [id for text in security_group or () for id in given("--security-group", text, of_setting("security_groups"))]
    asks = sys.stdin.isatty() and sys.stderr.isatty() and not as_json
    name = _name(name, asks=asks)
    regions = _regions(run.aws, region, asks=asks)
    choice = Choice(run.aws, name, auto_scaling_group or [], _existing(run.aws, regions, ids), asks=asks)
    chosen = choice.of(_found(run.aws, regions, auto_scaling_group or ()))
    deployed = deployed_settings(run.aws, name, regions)
    topics = AlarmTopics(run.aws, alarm_topic or (), _topics(deployed), asks=asks).of(regions)
    members = tuple(_region(found, deployed, topics.get(found.region, "")) for found in chosen.values())
    cluster = Cluster(name, members, {**_shared(choice, deployed), **named})
    text = cluster_text.written(cluster)
    cluster_file.parse(text, run.path)  # rejects what cannot be read again before anything is written
    run.path.write_text(text, encoding="utf-8")
    message = Text.assemble((str(run.path), "bold"), " is written. Check it, then run `ringfence deploy`.")
    output.show(document(str(run.path), cluster), message)
    for note in _notes(deployed):
        output.say(note)


def _notes(deployed: DeployedSettings) -> Iterator[str]:
    """What of the deployed settings is not in the file."""
    if deployed.differ:
        names = ", ".join(deployed.differ)
        yield f"The Regions are deployed with different values of {names}: the file has the default."
    for region, reason in deployed.unread.items():
        yield f"Whether {region} has a stack is not known, so the file has nothing of it: {reason}"


def _shared(choice: Choice, deployed: DeployedSettings) -> Mapping[str, Any]:
    """The settings that all Regions share: the defaults, what was found, and what is deployed."""
    return {
        **shared_defaults(TABLE),
        **({"address_kinds": choice.kinds} if choice.kinds else {}),
        **deployed.shared,
        # A new cluster admits no secondary addresses. One without the setting keeps what it admits.
        "private_addresses": PrivateAddresses.PRIMARY,
    }


def _region(found: RegionOfCluster, deployed: DeployedSettings, topic: str) -> RegionOfCluster:
    """A Region with the settings of its own."""
    values = {**found.values, **deployed.own.get(found.region, {}), "alarm_topic": topic}
    return replace(found, values=values, required=found.region in deployed.required)


def _topics(deployed: DeployedSettings) -> Mapping[Region, str]:
    """The topic of each Region that is deployed with one."""
    return {region: topic for region, values in deployed.own.items() if (topic := values.get("alarm_topic"))}


def _name(named: str | None, *, asks: bool) -> str:
    """The cluster's name. Raises WrongUsage."""
    if named is not None:
        return str(given("--name", named, of_setting("cluster")))
    if not asks:
        raise WrongUsage("there is no terminal to ask on: give --name")
    return str(asked("The cluster's name", of_setting("cluster")))


def _regions(aws: Aws, named: Sequence[str] | None, *, asks: bool) -> list[Region]:
    """The Regions of the cluster, which exist and are all of one partition. Raises CommandError."""
    if named:
        regions = list(dict.fromkeys(one for text in named for one in given("--region", text, of_setting("regions"))))
        given("--region", ",".join(regions), _usable(_known(aws, regions)))
    elif asks:
        known = own_regions(aws)
        answers = discover(aws, known)
        offered = [region for region, groups in answers.items() if isinstance(groups, list) and groups]
        if not offered:
            raise CommandError("no Region that answers has an Auto Scaling group: create them first, or give --region")
        regions = asked("Regions of the cluster", _usable(known), default=",".join(offered))
    else:
        raise WrongUsage("there is no terminal to ask on: give --region, once for each Region")
    aws.partition(regions)  # rejects Regions of several partitions
    return regions


def _known(aws: Aws, named: Sequence[Region]) -> list[Region] | None:
    """The Regions that the account can use; None where it may not ask. Asks in the partition of the Regions named."""
    asked_in = aws.default_region()
    try:
        if aws.partition([named[0]]) != aws.partition([asked_in]):
            asked_in = named[0]
    except UnknownRegionError:
        asked_in = aws.default_region()
    try:
        return enabled_regions(aws, asked_in)
    except (ClientError, BotoCoreError):
        return None  # the Regions themselves will say what is wrong


def _usable(known: Sequence[Region] | None) -> Callable[[str], list[Region]]:
    """A check of Regions with commas between them: each is one of those known."""

    def check(text: str) -> list[Region]:
        regions: list[Region] = list(of_setting("regions")(text))
        for region in regions:
            if known is not None and region not in known:
                raise ValueError(f"{region} is no Region that this account can use{nearest(region, known)}")
        return regions

    return check


def _existing(aws: Aws, regions: Sequence[Region], ids: Sequence[SecurityGroupId]) -> Mapping[Region, Owners]:
    """Those of the security groups that each Region has. Raises WrongUsage for one that none has."""
    if not ids:
        return {}
    found = _answered(aws.each_region(regions, lambda region: owners(aws, region, ids)))
    if absent := [id for id in ids if not any(id in own for own in found.values())]:
        raise WrongUsage(f"--security-group: {', '.join(absent)} does not exist in {', '.join(regions)}")
    return found


def _found(aws: Aws, regions: Sequence[Region], only: Sequence[str]) -> Mapping[Region, list[FoundGroup]]:
    return _answered(discover(aws, regions, only))


def _answered(answers: Mapping[Region, T | Unreachable]) -> dict[Region, T]:
    """The answers of all Regions. Raises CommandError where one has not answered."""
    if silent := [
        f"{region}: {answer.reason}" for region, answer in answers.items() if isinstance(answer, Unreachable)
    ]:
        raise CommandError(f"nothing was written, because not every Region answers: {'; '.join(silent)}")
    return {region: answer for region, answer in answers.items() if not isinstance(answer, Unreachable)}


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
