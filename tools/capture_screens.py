"""Captures the screens of the documentation: real commands in a real terminal, against a cluster on the lab.

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
class Stage:
    """A cluster on a lab, with its cluster file in a directory of its own."""

    lab: Lab
    directory: Path
    regions: dict[str, Observer]

    def screen(self, *arguments: str, keys: bytes = b"") -> str:
        """What a terminal shows once the command has ended."""
        return on_terminal([COMMAND, *arguments], self.directory, self.environment, keys)

    @property
    def environment(self) -> dict[str, str]:
        """Nothing of whoever captures the screens."""
        kept = {name: value for name, value in os.environ.items() if name in ("PATH", "LANG", "HOME")}
        credentials = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"}
        nowhere = {"AWS_CONFIG_FILE": os.devnull, "AWS_SHARED_CREDENTIALS_FILE": os.devnull}
        return kept | credentials | nowhere | {"AWS_ENDPOINT_URL": self.lab.endpoint_url, "TERM": "xterm-256color"}


def on_terminal(command: list[str], directory: Path, environment: dict[str, str], keys: bytes = b"") -> str:
    """Runs a command in a terminal of a fixed size, types the keys, and returns what the screen shows at the end."""
    screen = pyte.Screen(COLUMNS, LINES)
    stream = pyte.ByteStream(screen)
    primary, secondary = pty.openpty()
    modes = termios.tcgetattr(secondary)
    modes[3] &= ~termios.ECHO  # what is typed ahead would stand above all else
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
    """What is written to the terminal, until nobody has it open any more."""
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
    """Every screen, as Markdown."""
    lines = []
    with tempfile.TemporaryDirectory() as directory, Lab(regions=list(REGIONS)) as lab:
        regions = {}
        for region in REGIONS:
            one = lab.deploy(region)
            regions[region] = Observer(
                lab.endpoint_url, region, one.auto_scaling_group, one.security_group, one.function
            )
        stage = Stage(lab, Path(directory), regions)
        _settle(stage)
        for title, command, prepare in SCREENS:
            arguments = [part.format(**prepare(stage)) for part in command]
            shown = stage.screen(*arguments, keys=b"n\n" if command == ["adopt"] else b"")  # it asks
            lines += [f"**{title}**", "", "```", f"$ ringfence {' '.join(arguments)}", shown.rstrip(), "```", ""]
    return "\n".join(lines)


def _settle(stage: Stage) -> None:
    """Two members in the one Region, one in the other, known everywhere."""
    for size, region in enumerate(stage.regions.values(), 1):
        region.scale_to(size)
    wanted = {region: size for size, region in enumerate(stage.regions, 1)}
    deadline = time.monotonic() + TIMEOUT
    while any(
        sum(one.lifecycle_state == "InService" for one in stage.regions[region].instances().values()) != size
        for region, size in wanted.items()
    ):
        if time.monotonic() > deadline:
            raise TimeoutError("the groups did not reach their size")
        time.sleep(0.1)
    for region in stage.regions.values():
        region.true_up()
    initialise = [COMMAND, "init", "--name", stage.lab.cluster]
    for name in REGIONS:
        initialise += ["--region", name]
    subprocess.run(initialise, cwd=stage.directory, env=stage.environment, check=True, capture_output=True)  # noqa: S603  # our own command


def _nothing(_stage: Stage) -> dict[str, str]:
    return {}


def _member(stage: Stage) -> dict[str, str]:
    return {"address": next(one.address for one in stage.regions["us-east-1"].instances().values() if one.address)}


def _by_hand(stage: Stage) -> dict[str, str]:
    """A member's rule loses its label, as one that was made by hand has none; and a stranger's is made."""
    west = stage.regions["us-west-2"]
    ec2, rule = west.client("ec2"), west.rules()[0]
    relabelled: list[Any] = [{"SecurityGroupRuleId": rule["SecurityGroupRuleId"], "Description": "opened for Alice"}]
    ec2.update_security_group_rule_descriptions_ingress(
        GroupId=west.security_group, SecurityGroupRuleDescriptions=relabelled
    )
    cidrs = [{"CidrIp": "203.0.113.9/32", "Description": "office"}]
    permission: list[Any] = [{"IpProtocol": "tcp", "FromPort": 443, "ToPort": 443, "IpRanges": cidrs}]
    ec2.authorize_security_group_ingress(GroupId=west.security_group, IpPermissions=permission)
    return {}


def _stranger(_stage: Stage) -> dict[str, str]:
    return {"address": "203.0.113.9"}


def _revoked(stage: Stage) -> dict[str, str]:
    """Somebody takes a member's rule away."""
    east = stage.regions["us-east-1"]
    id = east.rules()[0]["SecurityGroupRuleId"]
    east.client("ec2").revoke_security_group_ingress(GroupId=east.security_group, SecurityGroupRuleIds=[id])
    return {}


SCREENS: list[tuple[str, list[str], Callable[[Stage], dict[str, str]]]] = [
    ("All in sync", ["status"], _nothing),
    ("Who is this?", ["explain", "{address}"], _member),
    ("What happened in the last hour?", ["history", "--since", "1h"], _nothing),
    ("Is everything well?", ["doctor"], _nothing),
    ("Rules that were made by hand", ["adopt"], _by_hand),
    ("A stranger", ["explain", "{address}"], _stranger),
    ("Somebody took a rule away", ["plan"], _revoked),
]
"""What each screen shows, the command, and what is done before it (which gives what the command's words need)."""


if __name__ == "__main__":
    print(captures())
