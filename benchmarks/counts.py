"""How many calls each side makes: exact on every machine, so that a change of them is a change of the engine.

Knows no clock.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from benchmarks.figures import BURST, SIZES, Figure, measure
from benchmarks.harness import HOME, PEER, REGIONS, TRUE_UP, Baseline, Engine, Side, Stage

NOWHERE_FAR = {HOME: 0.0, PEER: 0.0}


@dataclass(frozen=True, slots=True)
class Count:
    """The calls of both sides for the same. `expected` are those that the engine makes, as it is; `bound` is what the
    ratio must not exceed, or with `absolute` the engine's own."""

    name: str
    engine: int
    baseline: int | None
    expected: int
    bound: float
    absolute: bool = False

    def figure(self) -> Figure:
        """The count as a figure beside those of time."""
        ratio = None if self.baseline is None else self.engine / self.baseline
        return Figure(self.name, "calls", self.engine, self.baseline, ratio, self.bound, self.absolute, 1)


def counts() -> Iterator[Count]:
    """All of them."""
    for size in SIZES:
        pair = [_calls(side) for side in _sides(size)]
        yield Count(f"one launch, n = {size}", pair[0], pair[1], 12, 12, absolute=True)
    pair = [_calls(side, BURST) for side in _sides(10)]
    yield Count(f"burst of {BURST} launches, n = 10", pair[0], pair[1], 43, 0.10)
    ten = _calls(Engine(Stage.of(2, dict.fromkeys(REGIONS, 0.0))))
    yield Count("one launch, ten Regions", ten, None, 44, 44, absolute=True)
    yield from _nothing_to_do()


def _sides(size: int) -> Sequence[Side]:
    return Engine(Stage.of(size, NOWHERE_FAR)), Baseline(Stage.of(size, NOWHERE_FAR))


def _calls(side: Side, launches: int = 1) -> int:
    return measure(side, launches).calls


def _nothing_to_do() -> Iterator[Count]:
    """A true-up that finds everything as it should be, over two Regions."""
    engine = Engine(Stage.of(10, NOWHERE_FAR))
    transport = engine.stage.transport
    engine.stage.again()
    with transport.in_place():
        engine.invoke(TRUE_UP)
    operations = [call.operation for call in transport.calls]
    describes = sum(one.startswith("Describe") for one in operations)
    reads = sum(one in ("Scan", "Query", "GetItem", "BatchGetItem") for one in operations)
    name, regions = "true-up with nothing to do, two Regions", len(engine.stage.regions)
    yield Count(f"{name}: describes", describes, None, 3, 2 * regions, absolute=True)
    yield Count(f"{name}: table reads", reads, None, 2, regions, absolute=True)
    yield Count(f"{name}: changes", len(operations) - describes - reads, None, 0, 0, absolute=True)
