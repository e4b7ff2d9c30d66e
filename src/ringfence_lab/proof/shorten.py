"""Shortens a history that went wrong to the few steps that matter.

Delta debugging: steps are left out, in halves, then quarters, then one by one, as long as the same property does not
hold. Source: Zeller and Hildebrandt, "Simplifying and Isolating Failure-Inducing Input" (2002).
"""

from collections.abc import Callable, Set
from functools import partial

from ringfence.reconcile import reconcile
from ringfence_lab.sim.function import Engine
from ringfence_lab.sim.simulation import Result, simulate

Fails = Callable[[Set[int]], bool]


def shortened(seed: int, engine: Engine = reconcile) -> frozenset[int]:
    """The steps that the seed's history can do without and still go wrong in the same way.

    Raises ValueError where nothing is wrong with it.
    """
    whole = simulate(seed, engine)
    if whole.violation is None:
        raise ValueError(f"nothing is wrong with the history of seed {seed}")
    fails = partial(_fails_likewise, seed, engine, whole.violation.name)
    kept = _minimal(frozenset(range(whole.steps)), lambda kept: fails(frozenset(range(whole.steps)) - kept))
    return frozenset(range(whole.steps)) - kept


def _fails_likewise(seed: int, engine: Engine, name: str, without: Set[int]) -> bool:
    violation = simulate(seed, engine, without=without).violation
    return violation is not None and violation.name == name


def _minimal(steps: frozenset[int], fails: Fails) -> frozenset[int]:
    """Steps of which none can be left out any more."""
    kept, size = sorted(steps), max(1, len(steps) // 2)
    while True:
        at, left_out = 0, False
        while at < len(kept):
            without = kept[:at] + kept[at + size :]
            if fails(frozenset(without)):
                kept, left_out = without, True
            else:
                at += size
        if size == 1 and not left_out:
            return frozenset(kept)
        size = max(1, size // 2)


def replayed(seed: int, without: Set[int] = frozenset(), engine: Engine = reconcile) -> Result:
    """The history once more, with its trace."""
    return simulate(seed, engine, traced=True, without=without)


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
