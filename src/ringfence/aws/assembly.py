"""Assembles the engine's services on AWS: the same for the function, the command line and every other program.

Clients come from the caller, as `client_of(service, region)`: by botocore's name of the service, such as `ec2`. Knows
nothing of how a client is made, and reads no configuration.
"""

import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, TypeVar

from ringfence.aws.auto_scaling import AwsAutoScaling
from ringfence.aws.dynamodb import AwsRosterTable
from ringfence.aws.ec2 import AwsInstances, AwsSecurityGroups
from ringfence.core.model.identifiers import Region
from ringfence.reconciler.interfaces import HomeServices, RegionServices

T = TypeVar("T")
ClientOf = Callable[[str, Region], Any]
"""Returns a client of a service in a Region."""

_TASKS_PER_REGION = 2  # its pass, and one read of its rules ahead of the pass
_HOME_READS = 3  # Auto Scaling groups, instances and rules of the home Region
_HOOK_COMPLETIONS = 10  # the messages of one batch: see `BatchSize` in template.yaml
_SPARE = 1


class SystemClock:
    """See `interfaces.Clock`."""

    def now(self) -> float:
        """Seconds since the epoch."""
        return time.time()


@dataclass(frozen=True, slots=True)
class Threads:
    """See `interfaces.Tasks`. Each task has its own thread, so a call that hangs delays only its own Region."""

    pool: ThreadPoolExecutor

    def start(self, work: Callable[[], T]) -> Future[T]:
        """See `interfaces.Tasks.start`."""
        return self.pool.submit(work)

    def sleep(self, seconds: float) -> None:
        """See `interfaces.Tasks.sleep`."""
        time.sleep(seconds)


def worker_threads(regions: int) -> ThreadPoolExecutor:
    """A pool in which no task of a reconcile of so many Regions waits for a thread."""
    return ThreadPoolExecutor(_TASKS_PER_REGION * regions + _HOME_READS + _HOOK_COMPLETIONS + _SPARE)


def table_name(cluster: str) -> str:
    """The name of the cluster's roster table in every Region, as template.yaml gives it."""
    return f"ringfence-{cluster}"


def home_services(client_of: ClientOf, region: Region) -> HomeServices:
    """The services that only the home Region has."""
    return HomeServices(
        AwsAutoScaling(client_of("autoscaling", region), region), AwsInstances(client_of("ec2", region), region)
    )


def region_services(client_of: ClientOf, region: Region, table: str) -> RegionServices:
    """The services that every Region has. `table` is the name of its roster table."""
    return RegionServices(
        AwsRosterTable(client_of("dynamodb", region), region, table),
        AwsSecurityGroups(client_of("ec2", region), region),
    )
