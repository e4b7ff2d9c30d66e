"""The number of calls of each side: exact on every machine, so that a difference is a change of the engine.

It must not use a clock.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from benchmarks.figures import BURST, SIZES, Figure, measure
from benchmarks.harness import HOME, PEER, REGIONS, TRUE_UP, BaselineSide, EngineSide, Side, Testbed

NO_LATENCY = {HOME: 0.0, PEER: 0.0}


@dataclass(frozen=True, slots=True)
class Count:
    """The calls of both sides for the same work. `expected` is the current count of the engine. `bound` limits the
    ratio, or with `absolute` the count of the engine."""

    name: str
    engine: int
    baseline: int | None
    expected: int
    bound: float
    absolute: bool = False

    def figure(self) -> Figure:
        """The count as a figure."""
        ratio = None if self.baseline is None else self.engine / self.baseline
        return Figure(
            self.name, "calls", self.engine, self.baseline, ratio, bound=self.bound, absolute=self.absolute, samples=1
        )


def counts() -> Iterator[Count]:
    """All counts."""
    for size in SIZES:
        pair = [_calls(side) for side in _sides(size)]
        yield Count(f"one launch, n = {size}", pair[0], pair[1], 12, 12, absolute=True)
    pair = [_calls(side, BURST) for side in _sides(10)]
    yield Count(f"burst of {BURST} launches, n = 10", pair[0], pair[1], 43, 0.10)
    ten = _calls(EngineSide(Testbed.of(2, dict.fromkeys(REGIONS, 0.0))))
    yield Count("one launch, ten Regions", ten, None, 44, 44, absolute=True)
    yield from _nothing_to_do()


def _sides(size: int) -> Sequence[Side]:
    return EngineSide(Testbed.of(size, NO_LATENCY)), BaselineSide(Testbed.of(size, NO_LATENCY))


def _calls(side: Side, launches: int = 1) -> int:
    return measure(side, launches).calls


def _nothing_to_do() -> Iterator[Count]:
    """A true-up without any difference, over two Regions."""
    engine = EngineSide(Testbed.of(10, NO_LATENCY))
    transport = engine.testbed.transport
    engine.testbed.restore()
    with transport.in_place():
        engine.invoke(TRUE_UP)
    operations = [call.operation for call in transport.calls]
    describes = sum(operation.startswith("Describe") for operation in operations)
    reads = sum(operation in ("Scan", "Query", "GetItem", "BatchGetItem") for operation in operations)
    name, regions = "true-up with nothing to do, two Regions", len(engine.testbed.regions)
    yield Count(f"{name}: describes", describes, None, 3, 2 * regions, absolute=True)
    yield Count(f"{name}: table reads", reads, None, 2, regions, absolute=True)
    yield Count(f"{name}: changes", len(operations) - describes - reads, None, 0, 0, absolute=True)
