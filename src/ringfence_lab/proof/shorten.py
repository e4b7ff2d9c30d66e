"""Replays a failed history, and shortens it to the few steps that matter.

Delta debugging: leaves out steps, in halves, then quarters, then one by one, as long as the history still fails in the
same way. Source: Zeller and Hildebrandt, "Simplifying and Isolating Failure-Inducing Input" (2002).
"""

import traceback
from collections.abc import Callable, Sequence, Set
from dataclasses import dataclass

from ringfence.reconciler.reconcile import reconcile
from ringfence_lab.proof.campaign import Failure, FailureKind
from ringfence_lab.sim.engine.function import Reconcile
from ringfence_lab.sim.simulation import History


@dataclass(frozen=True, slots=True)
class Replay:
    """A history with its trace. `reason` is the name of the violated property or of the error; None if all is well."""

    steps: int
    trace: tuple[str, ...]
    failure: Failure | None
    reason: str | None


def replay(seed: int, without: Set[int] = frozenset(), engine: Reconcile = reconcile, *, traced: bool = True) -> Replay:
    """Plays the history of the seed without the given steps."""
    history = History(seed, engine, traced=traced, without=without)
    result = history.result
    try:
        history.play()
    except Exception as error:  # noqa: BLE001  # after any error, its history is needed
        failure = Failure(seed, FailureKind.CRASH, f"{type(error).__name__}: {error}")
        lines = traceback.format_exception(error) if traced else []
        return Replay(result.steps, (*result.trace, *"".join(lines).splitlines()), failure, type(error).__name__)
    if result.violation is None:
        return Replay(result.steps, tuple(result.trace), None, None)
    failure = Failure(seed, FailureKind(result.phase), str(result.violation))
    return Replay(result.steps, tuple(result.trace), failure, result.violation.name)


def shortened(seed: int, engine: Reconcile = reconcile) -> frozenset[int]:
    """The steps that the seed's history can omit and still fail in the same way.

    Raises ValueError if it does not fail.
    """
    whole = replay(seed, engine=engine, traced=False)
    if whole.reason is None:
        raise ValueError(f"the history of seed {seed} does not fail")
    every = frozenset(range(whole.steps))

    def fails(kept: Set[int]) -> bool:
        return replay(seed, every - kept, engine, traced=False).reason == whole.reason

    return every - _minimal(sorted(every), fails)


def _minimal(steps: Sequence[int], fails: Callable[[Set[int]], bool]) -> frozenset[int]:
    """Steps of which none can be left out."""
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
    """The numbers in `3,7-12`. Raises ValueError for any other text."""
    numbers: set[int] = set()
    for part in filter(None, text.split(",")):
        first, _, last = part.partition("-")
        numbers |= set(range(int(first), int(last or first) + 1))
    return frozenset(numbers)
