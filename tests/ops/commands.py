"""The real command, as a program runs it: in a directory with a cluster file, on a cluster in the lab."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jsonschema

from ringfence_ops import documents
from tests.end_to_end.clusters import Cluster

COMMAND = str(Path(sys.executable).with_name("ringfence"))
SCHEMAS = Path(documents.__file__).resolve().parents[1] / "schemas"

ACCOUNT = "123456789012"

HANGING_REGION_SECONDS = 20.0
"""Seconds that a command may take while a Region hangs: five for the Region, the rest for a busy machine."""


@dataclass(frozen=True, slots=True)
class CommandResult:
    """The result of a command: its exit code, what it printed, and how long it took in seconds."""

    code: int
    output: str
    errors: str
    seconds: float

    def document(self) -> dict[str, Any]:
        """The one JSON document on standard output, which its schema accepts."""
        document: dict[str, Any] = json.loads(self.output)
        jsonschema.validate(document, schema_of(document))
        return document


def schema_of(document: Mapping[str, Any]) -> dict[str, Any]:
    """The JSON Schema that the document names."""
    name = document["schema"].removeprefix("ringfence.").removesuffix("/1")
    schema: dict[str, Any] = json.loads((SCHEMAS / f"{name}.json").read_text())
    return schema


@dataclass(frozen=True, slots=True)
class Shell:
    """An operator's shell: a directory, and an environment with nothing else of this process."""

    directory: Path
    environment: Mapping[str, str]

    def run(self, *arguments: str, **environment: str) -> CommandResult:
        """Runs `ringfence` without a terminal and without input."""
        started = time.monotonic()
        done = subprocess.run(
            [COMMAND, *arguments],
            cwd=self.directory,
            env={**self.environment, **environment},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        return CommandResult(done.returncode, done.stdout, done.stderr, time.monotonic() - started)

    def document(self, *arguments: str) -> dict[str, Any]:
        """Runs `ringfence` with `--json`. Returns the document, which its schema accepts."""
        return self.run(*arguments, "--json").document()


def shell(cluster: Cluster, directory: Path) -> Shell:
    """A shell in a directory with a cluster file for the cluster in the lab."""
    (directory / "ringfence.toml").write_text(cluster_file(cluster))
    return Shell(directory, lab_environment(cluster.lab.endpoint_url))


def lab_environment(endpoint_url: str) -> dict[str, str]:
    """The environment of an operator whose AWS is a lab, with nothing else of this process."""
    environment = {name: value for name, value in os.environ.items() if name in ("PATH", "LANG", "PYTHONPATH")}
    environment |= {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_CONFIG_FILE": os.devnull}
    environment |= {"AWS_SHARED_CREDENTIALS_FILE": os.devnull, "AWS_EC2_METADATA_DISABLED": "true"}
    return environment | {"AWS_ENDPOINT_URL": endpoint_url}


def alarm_topic(cluster: Cluster, region: str) -> str:
    """The ARN of the topic that the lab makes for the Region's alarms."""
    return f"arn:aws:sns:{region}:{ACCOUNT}:{cluster.lab.cluster}-alarms"


def cluster_file(cluster: Cluster) -> str:
    """The file that describes the cluster in the lab."""
    lines = [f'name = "{cluster.lab.cluster}"']
    if "ReleaseDeadline" in cluster.lab.parameters:
        lines.append(f"release_deadline = {cluster.lab.parameters['ReleaseDeadline']}")
    for name, region in cluster.regions.items():
        lines += [
            "",
            f"[regions.{name}]",
            f'auto_scaling_groups = ["{region.auto_scaling_group}"]',
            f'security_groups = ["{region.security_group}"]',
            f'alarm_topic = "{alarm_topic(cluster, name)}"',
        ]
    return "\n".join(lines) + "\n"
