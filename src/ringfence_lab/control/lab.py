"""A lab with its server: starts and stops the server, and deploys Regions.

The server is a process that ends with its parent process. `client` has the operations of every running lab.
"""

import os
import re
import socket
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import Any, Self

import boto3
from botocore.config import Config

from ringfence.core.model.identifiers import ANNOUNCEMENT
from ringfence_lab.control.client import LabError, RunningLab
from ringfence_lab.control.deploy import Deployed, LabDeployment
from ringfence_lab.emulator.faults import all_regions, check_region
from ringfence_ops.cloudformation.artefact import artefact

_ANY_KEY = "test"
"""Any key that the lab did not issue is the root user of the account."""

_INHERITED = ("PATH", "LANG", "LC_ALL", "LOG_LEVEL", "TZ")
"""The environment variables that the server inherits. The user's own AWS settings must not affect the lab."""

_WATCH_SECONDS = 0.5
"""The period at which a running server is checked."""

_STOP_SECONDS = 10
"""Seconds after which a server that does not end is killed."""


@dataclass(slots=True, kw_only=True)
class Lab(RunningLab):
    """A lab with its server, for a `with` statement.

    `port` 0 selects a free port. `parameters` are further parameters of the stack.
    """

    regions: Sequence[str]
    port: int = 0
    cluster: str = "demo"
    parameters: Mapping[str, str] = field(default_factory=dict)
    _server: subprocess.Popen[str] | None = None
    _artefact: Path | None = None
    _clients: dict[tuple[str, str], Any] = field(default_factory=dict)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> None:
        """Starts the server, and returns when it serves.

        Raises BadFault for a Region that does not exist, LabError if the port is in use, BuildFailed, ImportError if a
        package of the extra `lab` is not installed.
        """
        check_packages()
        known = all_regions()
        for region in self.regions:
            check_region(region, known)
        with self._listen() as listener:
            self.port = listener.getsockname()[1]
            self._server = _start_server(listener)
        try:
            self._artefact = artefact()  # while the server starts
            self._wait_until_ready()
        except BaseException:
            self.stop()
            raise

    def _listen(self) -> socket.socket:
        try:
            return socket.create_server(("127.0.0.1", self.port), backlog=512)
        except OSError as error:
            reason = error.strerror or str(error)
            raise LabError(f"port {self.port} is not available ({reason}): choose another port with --port") from None

    def _wait_until_ready(self) -> None:
        if self._server is None or self._server.stdout is None or self._server.stdout.readline() != "ready\n":
            raise LabError("the lab's server did not start: see its output above")

    def stop(self) -> None:
        """Ends the server and everything that it runs. Does nothing if it has ended."""
        server, self._server = self._server, None
        if server is None:
            return
        try:
            server.communicate(timeout=_STOP_SECONDS)  # closes its standard input, which ends it
        except subprocess.TimeoutExpired:
            server.kill()
            server.communicate()

    def wait(self, stopped: threading.Event) -> None:
        """Waits until `stopped` is set. Raises LabError if the server ends before."""
        while self._server is not None and not stopped.wait(_WATCH_SECONDS):
            if (code := self._server.poll()) is not None:
                raise LabError(f"the lab's server ended with code {code}: see its output above")

    def client(self, service: str, region: str) -> Any:
        """A client of a service in a Region of the lab."""
        if (service, region) not in self._clients:
            self._clients[service, region] = boto3.Session(_ANY_KEY, _ANY_KEY).client(
                service,  # type: ignore[call-overload]  # by name
                region_name=region,
                endpoint_url=self.endpoint_url,
                config=Config(retries={"total_max_attempts": 1}, read_timeout=60, proxies={}),
            )
        return self._clients[service, region]

    def deploy(self, region: str) -> Deployed:
        """Deploys the prerequisites and the stack in a Region. Raises LabError with CloudFormation's reason."""
        if self._artefact is None:
            raise LabError("the lab has not been started")
        return LabDeployment(self.cluster, self.regions, self._artefact, self.client, self.parameters).deploy(region)

    def introduce(self, deployed: Mapping[str, Deployed]) -> None:
        """Lets every Region know every other, as `ringfence deploy` does: a true-up in each.

        Raises LabError if a Region does not know another one afterwards.
        """
        for region, resources in deployed.items():
            self.client("lambda", region).invoke(FunctionName=resources.function, Payload=b'{"trueup": true}')
        for region, resources in deployed.items():
            items = self.client("dynamodb", region).scan(TableName=resources.table, ConsistentRead=True)["Items"]
            known = {item["region"]["S"] for item in items if item["asg"]["S"] == ANNOUNCEMENT}
            if unknown := deployed.keys() - known:
                raise LabError(f"{region} does not know {', '.join(sorted(unknown))} after a true-up in each Region")

    @property
    def release_deadline(self) -> int:
        """The release deadline of the stacks in seconds, from `parameters`."""
        return int(self.parameters["ReleaseDeadline"])


def check_packages(extra: str = "lab") -> None:
    """Raises ImportError if a package of the extra is not installed: the server could only say so in a traceback."""
    for requirement in distribution("ringfence").requires or ():
        name, _, marker = requirement.partition(";")
        if re.search(rf"extra == ['\"]{extra}['\"]", marker):
            needed = re.split(r"[^\w.-]", name.strip())[0]
            try:
                distribution(needed)
            except PackageNotFoundError:
                raise ModuleNotFoundError(f"{needed} is not installed", name=needed) from None


def _start_server(listener: socket.socket) -> subprocess.Popen[str]:
    return subprocess.Popen(  # noqa: S603  # our own module
        [sys.executable, "-m", "ringfence_lab.emulator.server", str(listener.fileno())],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={name: os.environ[name] for name in _INHERITED if name in os.environ},
        pass_fds=[listener.fileno()],
        start_new_session=True,  # Ctrl-C goes to this process, which ends the server
    )
