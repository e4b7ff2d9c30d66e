"""How the engine's work grows: clusters of up to ten Regions with a thousand members each, in the simulator's world.

There are no latency and no bytes there, so what is measured is the engine itself: the calls it makes, and the
processor's time. Knows nothing of AWS's own limits.
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
    """A cluster of so many members in each of so many Regions. `calls` and `seconds` (of the processor) are those of
    bringing all of it into every group, `changes` the rules that this takes; `launch_calls` and `launch_seconds` are
    those of one launch more."""

    regions: int
    members: int
    changes: int
    calls: int
    seconds: float
    launch_calls: int
    launch_seconds: float


def growth(sizes: Sequence[int] = SIZES, region_counts: Sequence[int] = REGION_COUNTS) -> Iterator[Growth]:
    """Each number of Regions with each size of them. Small ones are over in milliseconds, so the best of several."""
    for regions in region_counts:
        for members in sizes:
            attempts = [grown(REGIONS[:regions], members) for _ in range(max(1, 300 // members))]
            best = min(attempts, key=lambda one: one.seconds)
            yield replace(best, launch_seconds=min(one.launch_seconds for one in attempts))


def grown(names: Sequence[str], members: int) -> Growth:
    """Raises AssertionError where not every group ends up admitting everybody and nobody else."""
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
    """The calls and the seconds that the work takes, after which every group must be right."""
    calls = len(cloud.calls)
    gc.collect()
    gc.disable()
    began = time.process_time()
    work()
    took = len(cloud.calls) - calls, time.process_time() - began
    gc.enable()
    everybody = {address for region in cloud.regions.values() for address in _addresses(region)}
    for name, region in cloud.regions.items():
        if region.admitted() != everybody:
            raise AssertionError(f"{name} admits {len(region.admitted())} of {len(everybody)} members")
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
    return {cidr for one in instances for cidr in one.addresses.get(AddressKind.PUBLIC_IPV4, ())}
