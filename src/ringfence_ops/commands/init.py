"""`ringfence init`: writes the cluster file for what the Regions named have."""

import json
from typing import Annotated

import typer

from ringfence.model import Region
from ringfence.settings import AddressKind
from ringfence_ops.cluster_file import parse
from ringfence_ops.discovery import Discovered, discover
from ringfence_ops.errors import Refused
from ringfence_ops.invocation import invocation
from ringfence_ops.sessions import Unreachable
from ringfence_ops.terminal import AsJson, Output

EXAMPLES = "Example: ringfence init --name demo --region us-east-1 --region us-west-2"


def init(
    context: typer.Context,
    name: Annotated[str, typer.Option(help="The cluster's name.")],
    region: Annotated[list[str], typer.Option(help="A Region of the cluster; give it once for each.")],
    auto_scaling_group: Annotated[
        list[str] | None, typer.Option(help="An Auto Scaling group of the cluster; without it, all of the Regions'.")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Overwrite a cluster file that exists.")] = False,
    as_json: AsJson = False,
) -> None:
    """Write the cluster file for the Auto Scaling groups and security groups that the Regions have."""
    run, output = invocation(context), Output(as_json)
    if run.path.exists() and not force:
        raise Refused(f"{run.path} exists: give --force to overwrite it, or another --cluster-file")
    regions: dict[Region, Discovered] = {}
    for one, found in discover(run.aws, [Region(each) for each in region], auto_scaling_group or ()).items():
        if isinstance(found, Unreachable):
            raise Refused(f"{one} cannot be read: {found.reason}")
        if not found.auto_scaling_groups:
            raise Refused(f"{one} has no such Auto Scaling group: leave the Region out, or name others")
        if not found.security_groups:
            raise Refused(
                f"{one}: its Auto Scaling groups have no instances to tell their security groups by: start one"
            )
        regions[one] = found
    text = written(name, regions)
    cluster = parse(text, run.path)
    run.path.write_text(text)
    document = {
        "schema": "ringfence.init/1",
        "file": str(run.path),
        "name": name,
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
    output.show(document, f"{run.path} is written: look through it, then run `ringfence deploy`.")


def written(name: str, regions: dict[Region, Discovered]) -> str:
    """The cluster file. What stands at its default is commented out."""
    kinds = frozenset(kind for found in regions.values() for kind in found.address_kinds) or {AddressKind.PUBLIC_IPV4}
    tables = "".join(
        f"\n[regions.{json.dumps(region)}]\n"
        f"auto_scaling_groups = {json.dumps(found.auto_scaling_groups)}\n"
        f"security_groups = {json.dumps(found.security_groups)}\n"
        "# required = true                # instances elsewhere wait until this Region has admitted them\n"
        for region, found in regions.items()
    )
    return (
        f"name = {json.dumps(name)}\n"
        f"address_kinds = {json.dumps(sorted(kind.value for kind in kinds))}  # what members reach one another by\n"
        f"{_DEFAULTS}{tables}"
    )


_DEFAULTS = """\
# ports = "auto"                   # "auto": those of the self-referencing rules; or "tcp/7000-7001,tcp/9042"
# mode = "owned"                   # "owned", "mirror" (every rule on the ports), "observe" (change nothing)
# static_members = []              # CIDRs that are always admitted
# address_wait = 120               # seconds to wait for a launching instance's address
# no_address = "continue"          # then: "continue" or "abandon" the launch
# peer_deadline = 5                # seconds that a launch waits for a peer Region
# release_deadline = 300           # seconds that a termination waits for a peer Region
# rules_quota = 60                 # inbound rules that a security group may have
# launch_heartbeat = 300           # seconds until Auto Scaling goes on by itself
# launch_default_result = "CONTINUE"
# terminate_heartbeat = 900
# terminate_default_result = "CONTINUE"
# schedule = "rate(1 minute)"      # how often everything is compared anew
# alarm_topic = ""                 # ARN of the SNS topic for alarms
# stale_door_alarm_seconds = 60
# log_retention_days = 90
# log_level = "INFO"

# [guard]                          # what is too large a removal to believe
# percent = 30
# minimum = 10
"""
