"""A cluster of one Region in the lab, deployed by the command, for tests that break it and run the printed remedy."""

import json
import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pexpect

from ringfence_lab.control.deploy import LabDeployment
from ringfence_lab.control.lab import Lab
from ringfence_lab.demo.observer import Observer
from tests.end_to_end.clusters import EAST, Cluster
from tests.labs import eventually
from tests.ops.commands import COMMAND, Shell, shell

NAME = "demo"
STACK = f"ringfence-{NAME}"

DEADLINE = 100.0
"""Seconds within which `doctor` finds nothing again: a scheduled true-up comes each minute."""


@dataclass(frozen=True, slots=True)
class Operator:
    """An operator of a cluster, with a shell and AWS's own API."""

    cluster: Cluster
    shell: Shell

    def client(self, service: str, region: str = EAST) -> Any:
        """A client of the service."""
        return self.cluster.lab.client(service, region)

    @property
    def group(self) -> str:
        """The Auto Scaling group of the first Region."""
        return self.cluster.regions[EAST].auto_scaling_group

    def resource(self, logical_id: str) -> str:
        """The physical id of a resource of the stack."""
        found = self.client("cloudformation").describe_stack_resource(StackName=STACK, LogicalResourceId=logical_id)
        return str(found["StackResourceDetail"]["PhysicalResourceId"])

    def status(self, region: str = EAST) -> str | None:
        """The stack's state; None without a stack."""
        stacks = self.client("cloudformation", region).describe_stacks()["Stacks"]
        live = [one for one in stacks if one["StackName"] == STACK and one["StackStatus"] != "DELETE_COMPLETE"]
        return live[0]["StackStatus"] if live else None

    def findings(self) -> list[dict[str, str]]:
        """What `doctor` finds, without what is ok."""
        found = self.shell.document("doctor")["findings"]
        return [one for one in found if one["severity"] != "ok"]

    def is_clean(self) -> bool:
        """Whether `doctor` finds nothing."""
        return not self.findings()

    def until_clean(self) -> None:
        """Waits until `doctor` finds nothing."""
        eventually(self.is_clean, DEADLINE, self.findings)

    def obey(self, remedy: str) -> str:
        """Runs the remedy word for word, as an operator on a terminal who says yes. Returns what was shown."""
        program, *arguments = shlex.split(remedy)
        assert program == "ringfence", remedy
        environment = {**self.shell.environment, "TERM": "xterm", "COLUMNS": "200"}
        terminal = pexpect.spawn(
            COMMAND,
            arguments,
            cwd=str(self.shell.directory),
            env=environment,
            dimensions=(60, 200),
            timeout=90,
            encoding="utf-8",
        )
        shown = ""
        while terminal.expect([r"\[y/N\]", pexpect.EOF]) == 0:
            shown += str(terminal.before)
            terminal.sendline("y")
        shown += str(terminal.before)
        terminal.close()
        assert terminal.exitstatus == 0, shown
        return shown


@contextmanager
def operated(directory: Path, *regions: str) -> Iterator[Operator]:
    """An operator of a cluster in these Regions that is not deployed yet."""
    with Lab(regions=list(regions)) as lab:
        observers = {}
        for region in regions:
            deployment = LabDeployment(NAME, lab.regions, Path(), lab.client, {})
            template = (deployment.project / "examples" / "prerequisites.yaml").read_text()
            made = deployment._create(region, f"{NAME}-prerequisites", template, {"ClusterName": NAME})
            group, security_group = made["AutoScalingGroup"], made["SecurityGroup"]
            deployment.make_alarm_topic(region)
            observers[region] = Observer(lab.endpoint_url, region, group, security_group, STACK)
        cluster = Cluster(lab, observers)
        yield Operator(cluster, shell(cluster, directory))


def policy_text(*statements: dict[str, Any]) -> str:
    """A policy of these statements."""
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


__all__ = ["EAST", "NAME", "STACK", "Operator", "operated", "policy_text"]
