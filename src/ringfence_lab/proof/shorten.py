"""Plays a history that went wrong once more, and shortens it to the few steps that matter.

Delta debugging: steps are left out, in halves, then quarters, then one by one, as long as it goes wrong in the same
way. Source: Zeller and Hildebrandt, "Simplifying and Isolating Failure-Inducing Input" (2002).
"""

import traceback
from collections.abc import Callable, Sequence, Set
from dataclasses import dataclass

from ringfence.reconciler.reconcile import reconcile
from ringfence_lab.proof.campaign import Failure, Kind
from ringfence_lab.sim.engine.function import Engine
from ringfence_lab.sim.simulation import STEPS, History


@dataclass(frozen=True, slots=True)
class Replay:
    """A history with its trace. `way` names the property that did not hold, or the error; None where all is well."""

    steps: int
    trace: tuple[str, ...]
    failure: Failure | None
    way: str | None


def replay(seed: int, without: Set[int] = frozenset(), engine: Engine = reconcile, traced: bool = True) -> Replay:
    """Plays the history of the seed, but for the steps that are left out."""
    history = History(seed, engine, traced, without, STEPS)
    result = history.result
    try:
        history.play()
    except Exception as error:  # noqa: BLE001  # whatever it is, the history that led to it is wanted
        failure = Failure(seed, Kind.CRASH, f"{type(error).__name__}: {error}")
        told = traceback.format_exception(error) if traced else []
        return Replay(result.steps, (*result.trace, *"".join(told).splitlines()), failure, type(error).__name__)
    if result.violation is None:
        return Replay(result.steps, tuple(result.trace), None, None)
    failure = Failure(seed, Kind(result.phase), str(result.violation))
    return Replay(result.steps, tuple(result.trace), failure, result.violation.name)


def shortened(seed: int, engine: Engine = reconcile) -> frozenset[int]:
    """The steps that the seed's history can do without and still go wrong in the same way.

    Raises ValueError where nothing is wrong with it.
    """
    whole = replay(seed, engine=engine, traced=False)
    if whole.way is None:
        raise ValueError(f"nothing is wrong with the history of seed {seed}")
    every = frozenset(range(whole.steps))

    def fails(kept: Set[int]) -> bool:
        return replay(seed, every - kept, engine, traced=False).way == whole.way

    return every - _minimal(sorted(every), fails)


def _minimal(steps: Sequence[int], fails: Callable[[Set[int]], bool]) -> frozenset[int]:
    """Steps of which none can be left out any more."""
    kept, size = list(steps), max(1, len(steps) // 2)
    while True:
        at, left_out = 0, False
        while at < len(kept):
            fewer = kept[:at] + kept[at + size :]
            if fails(frozenset(fewer)):
                kept, left_out = fewer, True
            else:
                at += size
        if size == 1 and not left_out:
            return frozenset(kept)
        size = max(1, size // 2)


def ranges(numbers: Set[int]) -> str:
    """The numbers as `3,7-12`."""
    parts: list[list[int]] = []
    for number in sorted(numbers):
        if parts and number == parts[-1][-1] + 1:
            parts[-1] = [parts[-1][0], number]
        else:
            parts.append([number])
    return ",".join("-".join(map(str, part)) for part in parts)


def from_ranges(text: str) -> frozenset[int]:
    """The numbers in `3,7-12`. Raises ValueError where it is nothing like it."""
    numbers: set[int] = set()
    for part in filter(None, text.split(",")):
        first, _, last = part.partition("-")
        numbers |= set(range(int(first), int(last or first) + 1))
    return frozenset(numbers)
