"""Tests the contract on a real account: `python -m tests.contract.conformance --region R --peer-region R2`.

Announces the resources and their cost, asks for confirmation, creates them, runs the clauses, and always removes
everything. Arguments after `--` go to pytest (`-- -k quota` runs a part). AWS_ENDPOINT_URL may name a lab.
"""

import argparse
import difflib
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from uuid import uuid4

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from ringfence.core.model.identifiers import Region
from tests.contract.on_aws import OnAws
from tests.contract.resources import TAG, CannotRun, LeftBehind, Resources, made
from tests.contract.world import PROVIDED

MINUTES = 45
CENTS = 10
"""The maximum cost of a run, in US cents: about 25 instances of t4g.nano (0.42 cents an hour) with a public address
(0.5 cents an hour) for a few minutes each, one Elastic IP, and about 5,000 DynamoDB write units (0.6 cents).
Source: the price lists of EC2, VPC and DynamoDB for us-east-1, 2025."""

PATIENCE = 600.0
"""Seconds that an instance on AWS may take from one state to the next."""

LEFT_BEHIND, BAD_INPUT, DECLINED, INTERRUPTED = 1, 2, 3, 130


def main(arguments: Sequence[str]) -> int:
    """Runs the command. Returns pytest's exit code, or one of those above."""
    asked, passed_on = _parsed(arguments)
    try:
        session = _session(asked.profile)
        account, _ = (_account(session, region) for region in (asked.region, asked.peer_region))
        print(_announcement(account, asked.region, asked.peer_region))
        if not asked.yes and input("Continue? (yes/no) ").strip().lower() not in ("y", "yes"):
            return DECLINED
        return _run(_resources(session, asked.region, asked.peer_region), passed_on)
    except CannotRun as error:
        print(f"conformance: {error}", file=sys.stderr)
        return BAD_INPUT
    except EOFError:
        print("conformance: cannot ask for confirmation without a terminal: use --yes", file=sys.stderr)
        return BAD_INPUT
    except LeftBehind as error:
        print(f"conformance: {error}", file=sys.stderr)
        return LEFT_BEHIND
    except KeyboardInterrupt:
        print("conformance: interrupted; all resources are removed", file=sys.stderr)
        return INTERRUPTED


def _parsed(arguments: Sequence[str]) -> tuple[argparse.Namespace, list[str]]:
    parser = argparse.ArgumentParser(prog="conformance", description=__doc__.partition("\n")[0])
    parser.add_argument("--profile", help="profile of your AWS configuration; default: the environment")
    parser.add_argument("--region", required=True, help="Region of most resources")
    parser.add_argument("--peer-region", required=True, help="a second Region, for a table and security groups")
    parser.add_argument("--yes", action="store_true", help="do not ask for confirmation")
    asked = parser.parse_args(arguments[: arguments.index("--")] if "--" in arguments else arguments)
    rest = list(arguments[arguments.index("--") + 1 :]) if "--" in arguments else []
    if not asked.region or not asked.peer_region:
        parser.error("give both Regions: --region and --peer-region, or with make REGION= and PEER_REGION=")
    if asked.region == asked.peer_region:
        parser.error("the peer Region must differ from the Region")
    return asked, rest


def _session(profile: str | None) -> boto3.Session:
    try:
        return boto3.Session(profile_name=profile or None)
    except BotoCoreError as error:
        raise CannotRun(str(error)) from None


def _account(session: boto3.Session, region: str) -> str:
    """The account's id. Raises CannotRun for an unknown Region, and if the account denies access."""
    known = [name for partition in session.get_available_partitions() for name in _regions(session, partition)]
    if region not in known:
        (nearest,) = difflib.get_close_matches(region, known, 1, 0.0)
        raise CannotRun(f"unknown Region {region}; did you mean {nearest}?")
    try:
        config = Config(connect_timeout=5, read_timeout=10, retries={"total_max_attempts": 2})
        return session.client("sts", region_name=region, config=config).get_caller_identity()["Account"]
    except (BotoCoreError, ClientError) as error:
        raise CannotRun(f"no access to the account in {region}: {error}") from None


def _regions(session: boto3.Session, partition: str) -> list[str]:
    return session.get_available_regions("ec2", partition_name=partition)


def _announcement(account: str, region: str, peer: str) -> str:
    endpoint = os.environ.get("AWS_ENDPOINT_URL", "AWS")
    return f"""\
This creates in account {account} of {endpoint}:
  {region}: a VPC with one subnet, a launch template, a table, queues, an EventBridge rule; and for each clause
    security groups, or an Auto Scaling group with 1 or 2 instances of t4g.nano, one of them with an Elastic IP
  {peer}: the same stack; a security group
It takes about {MINUTES} minutes and costs less than {CENTS} US cents. All resources have the tag {TAG} and are removed
at the end, also after a failure and after Ctrl-C. No function is deployed, and no existing resource is changed.
"""


def _resources(session: boto3.Session, region: str, peer: str) -> Resources:
    clients: dict[tuple[str, str], Any] = {}

    def client_of(service: str, region: str) -> Any:
        if (service, region) not in clients:
            config = Config(retries={"mode": "standard", "total_max_attempts": 10})
            clients[service, region] = session.client(
                service,  # type: ignore[call-overload]  # by name
                region_name=region,
                config=config,
            )
        return clients[service, region]

    return Resources(f"{TAG}-{uuid4().hex[:8]}", Region(region), Region(peer), client_of, poll_seconds=1)


def _run(resources: Resources, passed_on: Sequence[str]) -> int:
    """Creates the resources, tests, and removes them. SIGTERM acts like Ctrl-C; the removal cannot be interrupted."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)

    def before_removal() -> None:
        for interrupt in (signal.SIGINT, signal.SIGTERM):  # an interrupted removal would leave resources behind
            signal.signal(interrupt, signal.SIG_IGN)
        print(f"Removing all resources of {resources.run}; this cannot be interrupted ...", flush=True)

    print(f"Creating {resources.run} ...", flush=True)
    with made(resources, before_removal):
        clauses = str(Path(__file__).parent)
        options = ["-v", "--timeout=1800", "-p", "no:cacheprovider", "--rootdir", str(Path(__file__).parents[2])]
        ended = pytest.main([clauses, *options, *passed_on], [_WorldPlugin(OnAws("aws", resources, PATIENCE))])
    return INTERRUPTED if ended is pytest.ExitCode.INTERRUPTED else ended


class _WorldPlugin:
    """A plugin that passes a world to the clauses."""

    def __init__(self, world: OnAws) -> None:
        self._world = world

    def pytest_configure(self, config: pytest.Config) -> None:
        """Registers the world before the collection."""
        config.pluginmanager.register(self._world, PROVIDED)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
