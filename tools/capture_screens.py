"""Captures the screens of the documentation: real commands in a real terminal, on a cluster in the lab.

`generate_docs.py --captures` writes them into docs/cli.md.
"""

import os
import pty
import select
import subprocess
import sys
import tempfile
import termios
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyte

from ringfence_lab.control.lab import Lab
from ringfence_lab.demo.observer import Observer

COMMAND = str(Path(sys.executable).with_name("ringfence"))
REGIONS = ("us-east-1", "us-west-2")
COLUMNS, LINES = 100, 60
TIMEOUT = 60
"""Seconds within which a command ends."""


@dataclass(frozen=True, slots=True)
class ScreenCluster:
    """A cluster in a lab, with its cluster file in a directory."""

    lab: Lab
    directory: Path
    regions: dict[str, Observer]

    def screen(self, *arguments: str, keys: bytes = b"") -> str:
        """What a terminal shows after the command ends."""
        return on_terminal([COMMAND, *arguments], self.directory, self.environment, keys)

    @property
    def environment(self) -> dict[str, str]:
        """The environment of the command, without the caller's AWS configuration."""
        kept = {name: value for name, value in os.environ.items() if name in ("PATH", "LANG", "HOME")}
        credentials = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"}
        no_files = {"AWS_CONFIG_FILE": os.devnull, "AWS_SHARED_CREDENTIALS_FILE": os.devnull}
        return kept | credentials | no_files | {"AWS_ENDPOINT_URL": self.lab.endpoint_url, "TERM": "xterm-256color"}


def on_terminal(command: list[str], directory: Path, environment: dict[str, str], keys: bytes = b"") -> str:
    """Runs a command in a terminal of a fixed size, types the keys, and returns what the screen shows at the end."""
    screen = pyte.Screen(COLUMNS, LINES)
    stream = pyte.ByteStream(screen)
    primary, secondary = pty.openpty()
    modes = termios.tcgetattr(secondary)
    modes[3] &= ~termios.ECHO  # the terminal would show the keys above the command's output
    termios.tcsetattr(secondary, termios.TCSANOW, modes)
    sized = environment | {"COLUMNS": str(COLUMNS), "LINES": str(LINES)}
    process = subprocess.Popen(  # noqa: S603  # our own command
        command, cwd=directory, env=sized, stdin=secondary, stdout=secondary, stderr=secondary, start_new_session=True
    )
    os.close(secondary)
    os.write(primary, keys)
    for data in _output(primary):
        stream.feed(data)
    process.wait(TIMEOUT)
    os.close(primary)
    return "\n".join(line.rstrip() for line in screen.display).rstrip() + "\n"


def _output(primary: int) -> Iterator[bytes]:
    """The command's output, until it closes the terminal."""
    deadline = time.monotonic() + TIMEOUT
    while select.select([primary], [], [], max(0.0, deadline - time.monotonic()))[0]:
        try:
            data = os.read(primary, 1 << 16)
        except OSError:  # Linux: the other end is closed
            return
        if not data:
            return
        yield data
    raise TimeoutError("the command did not end in time")


def captures() -> str:
    """Every screen, as Markdown."""
    lines = []
    with tempfile.TemporaryDirectory() as directory, Lab(regions=list(REGIONS)) as lab:
        regions = {}
        for region in REGIONS:
            deployed = lab.deploy(region)
            regions[region] = Observer(
                lab.endpoint_url, region, deployed.auto_scaling_group, deployed.security_group, deployed.function
            )
        cluster = ScreenCluster(lab, Path(directory), regions)
        _prepare(cluster)
        for title, command, prepare in SCREENS:
            arguments = [part.format(**prepare(cluster)) for part in command]
            shown = cluster.screen(*arguments, keys=b"n\n" if command == ["adopt"] else b"")  # it asks
            lines += [f"**{title}**", "", "```", f"$ ringfence {' '.join(arguments)}", shown.rstrip(), "```", ""]
    return "\n".join(lines)


def _prepare(cluster: ScreenCluster) -> None:
    """One member in the first Region and two in the second, known in both; and the cluster file."""
    for size, region in enumerate(cluster.regions.values(), 1):
        region.scale_to(size)
    wanted = {region: size for size, region in enumerate(cluster.regions, 1)}
    deadline = time.monotonic() + TIMEOUT
    while any(
        sum(instance.lifecycle_state == "InService" for instance in cluster.regions[region].instances().values())
        != size
        for region, size in wanted.items()
    ):
        if time.monotonic() > deadline:
            raise TimeoutError("the groups did not reach their size in time")
        time.sleep(0.1)
    for region in cluster.regions.values():
        region.true_up()
    initialise = [COMMAND, "init", "--name", cluster.lab.cluster]
    for name in REGIONS:
        initialise += ["--region", name]
    subprocess.run(initialise, cwd=cluster.directory, env=cluster.environment, check=True, capture_output=True)  # noqa: S603  # our own command


def _nothing(_cluster: ScreenCluster) -> dict[str, str]:
    return {}


def _member(cluster: ScreenCluster) -> dict[str, str]:
    return {
        "address": next(
            instance.address for instance in cluster.regions["us-east-1"].instances().values() if instance.address
        )
    }


def _by_hand(cluster: ScreenCluster) -> dict[str, str]:
    """Replaces the label of a member's rule, as if the rule were made by hand, and adds a rule for another address."""
    west = cluster.regions["us-west-2"]
    ec2, rule = west.client("ec2"), west.rules()[0]
    relabelled: list[Any] = [{"SecurityGroupRuleId": rule["SecurityGroupRuleId"], "Description": "opened for Alice"}]
    ec2.update_security_group_rule_descriptions_ingress(
        GroupId=west.security_group, SecurityGroupRuleDescriptions=relabelled
    )
    cidrs = [{"CidrIp": "203.0.113.9/32", "Description": "office"}]
    permission: list[Any] = [{"IpProtocol": "tcp", "FromPort": 443, "ToPort": 443, "IpRanges": cidrs}]
    ec2.authorize_security_group_ingress(GroupId=west.security_group, IpPermissions=permission)
    return {}


def _stranger(_cluster: ScreenCluster) -> dict[str, str]:
    return {"address": "203.0.113.9"}


def _revoked(cluster: ScreenCluster) -> dict[str, str]:
    """Revokes a member's rule."""
    east = cluster.regions["us-east-1"]
    id = east.rules()[0]["SecurityGroupRuleId"]
    east.client("ec2").revoke_security_group_ingress(GroupId=east.security_group, SecurityGroupRuleIds=[id])
    return {}


SCREENS: list[tuple[str, list[str], Callable[[ScreenCluster], dict[str, str]]]] = [
    ("All in sync", ["status"], _nothing),
    ("An address of a member", ["explain", "{address}"], _member),
    ("The last hour", ["history", "--since", "1h"], _nothing),
    ("A check of the deployment", ["doctor"], _nothing),
    ("Rules that were made by hand", ["adopt"], _by_hand),
    ("An unknown address", ["explain", "{address}"], _stranger),
    ("A rule was revoked", ["plan"], _revoked),
]
"""Each screen's title, its command, and the preparation, which returns the values of the command's placeholders."""


if __name__ == "__main__":
    print(captures())
