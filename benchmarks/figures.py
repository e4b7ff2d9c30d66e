"""What is measured: each figure of both sides, in one run, the samples in turns, and their ratios pair by pair.

Knows how to measure, and nothing of how it is shown.
"""

import gc
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from statistics import median

from benchmarks.harness import HOME, PEER, REGIONS, Baseline, Engine, Side, Stage
from benchmarks.transport import Call

SAMPLES = 9
NEAR = {HOME: 0.015, PEER: 0.070}
"""Seconds of latency. Fifteen milliseconds at home are what a small function sees with TLS; seventy are from coast to
coast."""
NEARER = {HOME: 0.002, PEER: 0.070}
SIZES = (1, 10, 50)
BURST = 20


@dataclass(frozen=True, slots=True)
class Figure:
    """What both sides needed for the same, in `unit`: the medians, and the median of the ratios pair by pair. `bound`
    is what the ratio must not exceed, if there is a bound; `absolute` that the bound is one of `engine` itself."""

    name: str
    unit: str
    engine: float
    baseline: float | None
    ratio: float | None
    bound: float | None = None
    absolute: bool = False
    samples: int = SAMPLES

    @property
    def met(self) -> bool | None:
        """Whether the bound is kept; None where there is none."""
        measured = self.engine if self.absolute else self.ratio
        return None if self.bound is None or measured is None else measured <= self.bound


@dataclass(frozen=True, slots=True)
class Sample:
    """One run: how many calls, and after how many seconds both groups were right and every hook was answered, after how
    many the home group was, and the hooks were."""

    calls: int
    done: float
    home_rule: float
    hook: float


def measure(side: Side, launches: int = 1) -> Sample:
    """Instances launch at home. Raises AssertionError where one is not let in, in every Region that answers."""
    stage = side.stage
    transport = stage.transport
    stage.again()
    events = stage.launch(launches)
    with transport.in_place():
        began = transport.now()
        side.take(events)
    if not stage.answered:
        raise AssertionError(f"{type(side).__name__} did not let everybody in")

    def last(*operations: str, region: str | None = None) -> float:
        return max(_ended(transport.calls, operations, region)) - began

    return Sample(
        len(transport.calls),
        last("AuthorizeSecurityGroupIngress", "CompleteLifecycleAction"),
        last("AuthorizeSecurityGroupIngress", region=HOME),
        last("CompleteLifecycleAction"),
    )


def _ended(calls: Sequence[Call], operations: Sequence[str], region: str | None) -> list[float]:
    return [one.ended for one in calls if one.answered and one.operation in operations and region in (None, one.region)]


def in_turns(engine: Side, baseline: Side, launches: int = 1, samples: int = SAMPLES) -> list[tuple[Sample, Sample]]:
    """So many pairs, after one of each that does not count."""
    gc.collect()
    gc.freeze()  # what the stages are made of is nobody's garbage, and is not to be looked at while the clock runs
    try:
        return [(measure(engine, launches), measure(baseline, launches)) for _ in range(samples + 1)][1:]
    finally:
        gc.unfreeze()


def figure(
    name: str, unit: str, pairs: Sequence[tuple[float, float]], bound: float | None = None, absolute: bool = False
) -> Figure:
    """The figure of pairs of the engine's and the baseline's."""
    engine, baseline = (median(side) for side in zip(*pairs, strict=True))
    return Figure(name, unit, engine, baseline, median(a / b for a, b in pairs), bound, absolute, len(pairs))


def launch(sizes: Sequence[int] = SIZES, samples: int = SAMPLES) -> Iterator[Figure]:
    """One launch in a group of n, over two Regions."""
    bounds = {10: 0.45, 50: 0.20}
    for latency in (NEAR, NEARER):
        home, peer = (round(seconds * 1000) for seconds in latency.values())
        for size in sizes:
            pairs = in_turns(Engine(Stage.of(size, latency)), Baseline(Stage.of(size, latency)), samples=samples)
            bound = bounds.get(size) if latency is NEAR else None
            name = f"one launch, n = {size}, {home}/{peer} ms: groups right and hook answered"
            yield figure(name, "ms", [(a.done * 1000, b.done * 1000) for a, b in pairs], bound)


def burst(samples: int = SAMPLES) -> Iterator[Figure]:
    """Twenty launches at once. The baseline takes one event after the other, since side by side it ends wrong; so what
    it waits is counted and not waited: to the clock it is the same."""
    engine, baseline = Engine(Stage.of(10, NEAR)), Baseline(Stage.of(10, NEAR))
    baseline.stage.transport.counting = True
    pairs = in_turns(engine, baseline, BURST, samples)
    name = f"burst of {BURST} launches, n = 10: groups right and hooks answered"
    yield figure(name, "ms", [(a.done * 1000, b.done * 1000) for a, b in pairs], 0.10)


def ten_regions(samples: int = SAMPLES) -> Iterator[Figure]:
    """One launch with ten Regions, beside one with two: here the engine is its own baseline. Of the same cluster of
    twenty members that must take as many rounds; with five times the members every group has five times the rules to
    read, which is work and no waiting."""
    for in_ten, in_two, bound in ((2, 10, 1.3), (10, 10, None)):
        ten = Engine(Stage.of(in_ten, {name: NEAR.get(name, NEAR[PEER]) for name in REGIONS}))
        two = Engine(Stage.of(in_two, NEAR))
        pairs = in_turns(ten, two, samples=samples)
        name = f"one launch, ten Regions with {10 * in_ten} members beside two with {2 * in_two}"
        yield figure(name, "ms", [(a.done * 1000, b.done * 1000) for a, b in pairs], bound)


def hang(samples: int = SAMPLES) -> Iterator[Figure]:
    """One launch while the peer never answers. The baseline's waiting is counted, as in `burst`."""
    engine, baseline = Engine(Stage.of(10, NEAR)), Baseline(Stage.of(10, NEAR))
    baseline.stage.transport.counting = True
    for side in (engine, baseline):
        side.stage.transport.hangs = frozenset({PEER})
    pairs = in_turns(engine, baseline, samples=samples)
    name = "one launch, n = 10, the peer hangs"
    yield figure(f"{name}: home group right", "s", [(a.home_rule, b.home_rule) for a, b in pairs], 1, True)
    yield figure(f"{name}: hook answered", "s", [(a.hook, b.hook) for a, b in pairs], 6, True)
