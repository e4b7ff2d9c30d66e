"""Captures the screens of the documentation: real commands in a real terminal, against a cluster on the lab.

`make docs-measured` writes them into docs/cli.md.
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

from ringfence_lab.commands.lab import AS_INIT_WRITES
from ringfence_lab.control.lab import Lab
from ringfence_lab.demo.observer import Observer

COMMAND = str(Path(sys.executable).with_name("ringfence"))
REGIONS = ("us-east-1", "us-west-2")
COLUMNS, LINES = 100, 60
TIMEOUT = 60
"""Seconds after which a command counts as hung."""


@dataclass(frozen=True, slots=True)
class Playground:
    """A cluster on a lab, and a directory for its cluster file."""

    lab: Lab
    directory: Path
    regions: dict[str, Observer]

    def screen(self, *arguments: str, keys: bytes = b"") -> str:
        """What a terminal shows when the command has ended."""
        return on_terminal([COMMAND, *arguments], self.directory, self.environment, keys)

    @property
    def environment(self) -> dict[str, str]:
        """The variables of the command, without the AWS settings of the user who captures the screens."""
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
    modes[3] &= ~termios.ECHO  # keys typed before the prompt would appear above all output
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
    """What is written to the terminal, until no process has it open."""
    deadline = time.monotonic() + TIMEOUT
    while select.select([primary], [], [], max(0.0, deadline - time.monotonic()))[0]:
        try:
            data = os.read(primary, 1 << 16)
        except OSError:  # Linux: the other end is closed
            return
        if not data:
            return
        yield data
    raise TimeoutError("the command does not end")


def captures() -> str:
    """All screens, as Markdown."""
    lines = []
    with tempfile.TemporaryDirectory() as directory, Lab(regions=list(REGIONS), parameters=AS_INIT_WRITES) as lab:
        regions = {}
        for region in REGIONS:
            deployed = lab.deploy(region)
            regions[region] = Observer(
                lab.endpoint_url, region, deployed.auto_scaling_group, deployed.security_group, deployed.function
            )
        playground = Playground(lab, Path(directory), regions)
        _scale_and_wait(playground)
        for title, command, prepare in SCREENS:
            arguments = [part.format(**prepare(playground)) for part in command]
            shown = playground.screen(
                *arguments, keys=b"n\n" if command == ["adopt"] else b""
            )  # it asks for confirmation
            lines += [f"**{title}**", "", "```", f"$ ringfence {' '.join(arguments)}", shown.rstrip(), "```", ""]
    return "\n".join(lines)


def _scale_and_wait(playground: Playground) -> None:
    """Starts one member in the first Region and two in the second, and waits until both Regions admit all of them."""
    for size, region in enumerate(playground.regions.values(), 1):
        region.scale_to(size)
    wanted = {region: size for size, region in enumerate(playground.regions, 1)}
    deadline = time.monotonic() + TIMEOUT
    while any(
        sum(instance.lifecycle_state == "InService" for instance in playground.regions[region].instances().values())
        != size
        for region, size in wanted.items()
    ):
        if time.monotonic() > deadline:
            raise TimeoutError("the groups did not reach their size")
        time.sleep(0.1)
    for region in playground.regions.values():
        region.true_up()
    initialise = [COMMAND, "init", "--name", playground.lab.cluster]
    for name in REGIONS:
        initialise += ["--region", name]
    subprocess.run(initialise, cwd=playground.directory, env=playground.environment, check=True, capture_output=True)  # noqa: S603  # our own command


def _nothing(_playground: Playground) -> dict[str, str]:
    return {}


def _member(playground: Playground) -> dict[str, str]:
    addresses = (instance.address for instance in playground.regions["us-east-1"].instances().values())
    return {"address": next(address for address in addresses if address)}


def _by_hand(playground: Playground) -> dict[str, str]:
    """Replaces the label of a member's rule, as if it was made by hand, and adds a rule for an unknown address."""
    west = playground.regions["us-west-2"]
    ec2, rule = west.client("ec2"), west.rules()[0]
    relabelled: list[Any] = [{"SecurityGroupRuleId": rule["SecurityGroupRuleId"], "Description": "opened for Alice"}]
    ec2.update_security_group_rule_descriptions_ingress(
        GroupId=west.security_group, SecurityGroupRuleDescriptions=relabelled
    )
    cidrs = [{"CidrIp": "203.0.113.9/32", "Description": "office"}]
    permission: list[Any] = [{"IpProtocol": "tcp", "FromPort": 443, "ToPort": 443, "IpRanges": cidrs}]
    ec2.authorize_security_group_ingress(GroupId=west.security_group, IpPermissions=permission)
    return {}


def _unknown_address(_playground: Playground) -> dict[str, str]:
    return {"address": "203.0.113.9"}


def _revoked(playground: Playground) -> dict[str, str]:
    """Revokes a member's rule by hand."""
    east = playground.regions["us-east-1"]
    id = east.rules()[0]["SecurityGroupRuleId"]
    east.client("ec2").revoke_security_group_ingress(GroupId=east.security_group, SecurityGroupRuleIds=[id])
    return {}


SCREENS: list[tuple[str, list[str], Callable[[Playground], dict[str, str]]]] = [
    ("All in sync", ["status"], _nothing),
    ("Which member has this address?", ["explain", "{address}"], _member),
    ("What happened in the last hour?", ["history", "--since", "1h"], _nothing),
    ("Is every part in order?", ["doctor"], _nothing),
    ("Rules that were made by hand", ["adopt"], _by_hand),
    ("An address that is no member's", ["explain", "{address}"], _unknown_address),
    ("A rule was revoked by hand", ["plan"], _revoked),
]
"""The title of each screen, its command, and what runs before it and returns the values for its arguments."""


if __name__ == "__main__":
    print(captures())
