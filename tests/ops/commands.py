"""The real command as a program runs it: in a directory with a cluster file, against a cluster on the lab."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.end_to_end.clusters import Cluster

COMMAND = str(Path(sys.executable).with_name("ringfence"))


@dataclass(frozen=True, slots=True)
class Ran:
    """What a command said, its exit code, and how long it took in seconds."""

    code: int
    said: str
    aside: str
    seconds: float

    def document(self) -> dict[str, Any]:
        """The one JSON document on standard output."""
        found: dict[str, Any] = json.loads(self.said)
        return found


@dataclass(frozen=True, slots=True)
class Shell:
    """An operator's shell: a directory, and an environment with nothing of ours but what is given."""

    directory: Path
    environment: Mapping[str, str]

    def run(self, *arguments: str, **environment: str) -> Ran:
        """Runs `ringfence` without a terminal, and with nothing to read."""
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
        return Ran(done.returncode, done.stdout, done.stderr, time.monotonic() - started)


def shell(cluster: Cluster, directory: Path) -> Shell:
    """A shell beside a cluster file that describes the cluster on the lab."""
    (directory / "ringfence.toml").write_text(cluster_file(cluster))
    environment = {name: value for name, value in os.environ.items() if name in ("PATH", "LANG")}
    environment |= {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_CONFIG_FILE": os.devnull}
    environment |= {"AWS_SHARED_CREDENTIALS_FILE": os.devnull, "AWS_EC2_METADATA_DISABLED": "true"}
    return Shell(directory, environment | {"AWS_ENDPOINT_URL": cluster.lab.endpoint_url})


def cluster_file(cluster: Cluster) -> str:
    """The file that describes the cluster on the lab."""
    lines = [f'name = "{cluster.lab.cluster}"']
    if "ReleaseDeadline" in cluster.lab.parameters:
        lines.append(f"release_deadline = {cluster.lab.parameters['ReleaseDeadline']}")
    for region, one in cluster.regions.items():
        lines += [
            "",
            f"[regions.{region}]",
            f'auto_scaling_groups = ["{one.auto_scaling_group}"]',
            f'security_groups = ["{one.security_group}"]',
        ]
    return "\n".join(lines) + "\n"
