"""The figures: each is measured for both sides in one run, with alternating samples and a ratio for each pair.

It must not know how figures are shown.
"""

import gc
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from statistics import median

from benchmarks.harness import HOME, PEER, REGIONS, BaselineSide, EngineSide, Side, Testbed
from benchmarks.transport import TimedCall

SAMPLES = 9
NEAR = {HOME: 0.015, PEER: 0.070}
"""Latency in seconds. A small function sees 15 ms at home with TLS, and 70 ms from coast to coast."""
NEARER = {HOME: 0.002, PEER: 0.070}
SIZES = (1, 10, 50)
BURST = 20


@dataclass(frozen=True, slots=True)
class Figure:
    """What both sides needed for the same work, in `unit`: the medians, and the median of the ratios of the pairs.
    `bound` limits the ratio, if there is a bound; with `absolute` it limits `engine`."""

    name: str
    unit: str
    engine: float
    baseline: float | None
    ratio: float | None
    bound: float | None = field(default=None, kw_only=True)
    absolute: bool = field(default=False, kw_only=True)
    samples: int = field(default=SAMPLES, kw_only=True)

    @property
    def met(self) -> bool | None:
        """Whether the bound is met; None if there is none."""
        measured = self.engine if self.absolute else self.ratio
        return None if self.bound is None or measured is None else measured <= self.bound


@dataclass(frozen=True, slots=True)
class Sample:
    """One run: its calls, and the seconds until everything was done, until the home group was correct, and until every
    hook was answered. `done` includes both groups and all hooks."""

    calls: int
    done: float
    home_rule: float
    hook: float


def measure(side: Side, launches: int = 1) -> Sample:
    """Launches instances at home. Raises AssertionError if a Region that answers does not admit one."""
    testbed = side.testbed
    transport = testbed.transport
    testbed.restore()
    events = testbed.launch(launches)
    with transport.in_place():
        began = transport.now()
        side.handle(events)
    if not testbed.answered:
        raise AssertionError(f"{type(side).__name__} did not admit every instance")

    def last(*operations: str, region: str | None = None) -> float:
        return max(_ended(transport.calls, operations, region)) - began

    return Sample(
        len(transport.calls),
        last("AuthorizeSecurityGroupIngress", "CompleteLifecycleAction"),
        last("AuthorizeSecurityGroupIngress", region=HOME),
        last("CompleteLifecycleAction"),
    )


def _ended(calls: Sequence[TimedCall], operations: Sequence[str], region: str | None) -> list[float]:
    return [
        call.ended for call in calls if call.answered and call.operation in operations and region in (None, call.region)
    ]


def alternating(engine: Side, baseline: Side, launches: int = 1, samples: int = SAMPLES) -> list[tuple[Sample, Sample]]:
    """So many pairs of samples, after one pair that does not count."""
    gc.collect()
    gc.freeze()  # the collector must not scan the testbeds while the clock runs
    try:
        return [(measure(engine, launches), measure(baseline, launches)) for _ in range(samples + 1)][1:]
    finally:
        gc.unfreeze()


def figure(
    name: str, unit: str, pairs: Sequence[tuple[float, float]], bound: float | None = None, *, absolute: bool = False
) -> Figure:
    """The figure from pairs of values of the engine and the baseline."""
    engine, baseline = (median(side) for side in zip(*pairs, strict=True))
    ratio = median(a / b for a, b in pairs)
    return Figure(name, unit, engine, baseline, ratio, bound=bound, absolute=absolute, samples=len(pairs))


def launch(sizes: Sequence[int] = SIZES, samples: int = SAMPLES) -> Iterator[Figure]:
    """One launch in a group of n, over two Regions."""
    bounds = {10: 0.45, 50: 0.20}
    for latency in (NEAR, NEARER):
        home, peer = (round(seconds * 1000) for seconds in latency.values())
        for size in sizes:
            pairs = alternating(
                EngineSide(Testbed.of(size, latency)), BaselineSide(Testbed.of(size, latency)), samples=samples
            )
            bound = bounds.get(size) if latency is NEAR else None
            name = f"one launch, n = {size}, {home}/{peer} ms: groups correct and hook answered"
            yield figure(name, "ms", [(a.done * 1000, b.done * 1000) for a, b in pairs], bound)


def burst(samples: int = SAMPLES) -> Iterator[Figure]:
    """Twenty concurrent launches. The baseline handles the events in sequence, because concurrently it gives a wrong
    result. Its waiting time is counted instead of waited, which gives the same figure."""
    engine, baseline = EngineSide(Testbed.of(10, NEAR)), BaselineSide(Testbed.of(10, NEAR))
    baseline.testbed.transport.counting = True
    pairs = alternating(engine, baseline, BURST, samples)
    name = f"burst of {BURST} launches, n = 10: groups correct and hooks answered"
    yield figure(name, "ms", [(a.done * 1000, b.done * 1000) for a, b in pairs], 0.10)


def ten_regions(samples: int = SAMPLES) -> Iterator[Figure]:
    """One launch with ten Regions compared with two: the engine is its own baseline. With the same twenty members it
    must take as many rounds of calls. With five times the members every group has five times the rules to read, which
    is work and not waiting."""
    for in_ten, in_two, bound in ((2, 10, 1.3), (10, 10, None)):
        ten = EngineSide(Testbed.of(in_ten, {name: NEAR.get(name, NEAR[PEER]) for name in REGIONS}))
        two = EngineSide(Testbed.of(in_two, NEAR))
        pairs = alternating(ten, two, samples=samples)
        name = f"one launch, ten Regions with {10 * in_ten} members compared with two with {2 * in_two}"
        yield figure(name, "ms", [(a.done * 1000, b.done * 1000) for a, b in pairs], bound)


def hang(samples: int = SAMPLES) -> Iterator[Figure]:
    """One launch while the peer never answers. The waiting time of the baseline is counted, as in `burst`."""
    engine, baseline = EngineSide(Testbed.of(10, NEAR)), BaselineSide(Testbed.of(10, NEAR))
    baseline.testbed.transport.counting = True
    for side in (engine, baseline):
        side.testbed.transport.hangs = frozenset({PEER})
    pairs = alternating(engine, baseline, samples=samples)
    name = "one launch, n = 10, the peer hangs"
    yield figure(f"{name}: home group correct", "s", [(a.home_rule, b.home_rule) for a, b in pairs], 1, absolute=True)
    yield figure(f"{name}: hook answered", "s", [(a.hook, b.hook) for a, b in pairs], 6, absolute=True)
