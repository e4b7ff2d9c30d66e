"""The growth of the engine's work: clusters of up to ten Regions with a thousand members each, in the simulator.

The simulator has no latency and no serialization, so the measurement shows the engine itself: its calls, and its
processor time. It must not know AWS's own limits.
"""

import gc
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

from benchmarks.harness import REGIONS
from ringfence.core.model.addresses import AddressKind, Cidr
from ringfence_lab.sim.aws.region import CloudRegion
from ringfence_lab.sim.cloud import Cloud

SIZES = (10, 30, 100, 300, 1000)
REGION_COUNTS = (2, 5, 10)
ROUND_SECONDS = 61.0
ROUNDS = 4
GROUP = "db"


@dataclass(frozen=True, slots=True)
class Growth:
    """A cluster of `regions` with `members` each. `calls` and `seconds` (processor time) are the cost of admitting all
    members everywhere, `changes` the rules that were added; `launch_calls` and `launch_seconds` are the cost of
    another launch."""

    regions: int
    members: int
    changes: int
    calls: int
    seconds: float
    launch_calls: int
    launch_seconds: float


def growth(sizes: Sequence[int] = SIZES, region_counts: Sequence[int] = REGION_COUNTS) -> Iterator[Growth]:
    """Each number of Regions with each size. Small clusters take milliseconds, so the best of several runs counts."""
    for regions in region_counts:
        for members in sizes:
            attempts = [grown(REGIONS[:regions], members) for _ in range(max(1, 300 // members))]
            best = min(attempts, key=lambda attempt: attempt.seconds)
            yield replace(best, launch_seconds=min(attempt.launch_seconds for attempt in attempts))


def grown(names: Sequence[str], members: int) -> Growth:
    """Measures one cluster. Raises AssertionError if a group does not admit exactly all members."""
    cloud = Cloud(names, quota=2 * len(names) * members + 2)
    for name in names:
        cloud.region(name).auto_scaling_group(GROUP, desired=members)
    calls, seconds = _measured(cloud, lambda: _true_up_until_quiet(cloud))
    changes = sum(len(region.owned_rules()) for region in cloud.regions.values())
    home = cloud.region(names[0])
    home.groups[GROUP].scale_to(members + 1)
    launch_calls, launch_seconds = _measured(cloud, lambda: cloud.poll(names[0]))
    return Growth(len(names), members, changes, calls, seconds, launch_calls, launch_seconds)


def _measured(cloud: Cloud, work: Callable[[], object]) -> tuple[int, float]:
    """The calls and the seconds of the work, after which every group must be correct."""
    calls = len(cloud.calls)
    gc.collect()
    gc.disable()
    began = time.process_time()
    work()
    took = len(cloud.calls) - calls, time.process_time() - began
    gc.enable()
    wanted = {address for region in cloud.regions.values() for address in _addresses(region)}
    for name, region in cloud.regions.items():
        if region.admitted() != wanted:
            raise AssertionError(f"{name} admits {len(region.admitted())} of {len(wanted)} members")
    return took


def _true_up_until_quiet(cloud: Cloud) -> None:
    for _ in range(ROUNDS):
        before = len(cloud.history)
        for name in cloud.regions:
            cloud.invoke(name, {"trueup": True})
        cloud.clock.advance(ROUND_SECONDS)
        if len(cloud.history) == before:
            return


def _addresses(region: CloudRegion) -> set[Cidr]:
    """The public addresses of the Region's instances."""
    instances = (region.ec2.instances[id] for id in region.groups[GROUP].listed())
    return {cidr for instance in instances for cidr in instance.addresses.get(AddressKind.PUBLIC_IPV4, ())}
