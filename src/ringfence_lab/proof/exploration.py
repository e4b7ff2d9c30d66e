"""Explores every interleaving of a program's concurrent steps, each once: depth first, by replay, with sound pruning.

Two steps are *independent* if neither writes what the other one reads or writes; then their order makes no difference,
neither to the state nor to what is judged of it. Interleavings that differ only in the order of independent steps are
one *trace*, and one of each trace is enough. Two prunings see to that; neither leaves a trace out.

- *Source sets*, a dynamic partial order reduction (Abdulla, Aronis, Jonsson, Sagonas, "Optimal Dynamic Partial Order
  Reduction", POPL 2014, algorithm 1). At first only one task goes on from a state. Each step taken is compared with
  those before it: where the two are dependent and nothing that happened in between puts them in order, they *race*, and
  the state before the earlier one is given a task to go on with that leads to the other order.
- *Sleep sets* (Godefroid, "Partial-Order Methods for the Verification of Concurrent Systems", 1996, chapter 5). Once
  step `a` was explored from a state, it sleeps while its neighbours are explored from there, until a step that depends
  on it wakes it: to take it any earlier would only repeat an order that was explored with `a` first.

A program that is too large for that can be explored in bounds instead: every interleaving with so many preemptions at
most, without any reduction (Musuvathi, Qadeer, "Iterative Context Bounding for Systematic Testing of Multithreaded
Programs", PLDI 2007).

Knows nothing of what the steps do.
"""

from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Protocol

Resource = Hashable


@dataclass(frozen=True, slots=True)
class Footprint:
    """What a step read and wrote, of all that others can read or write."""

    reads: frozenset[Resource] = frozenset()
    writes: frozenset[Resource] = frozenset()

    def independent_of(self, other: "Footprint") -> bool:
        """Whether it makes no difference which of the two comes first."""
        return (
            self.writes.isdisjoint(other.reads)
            and self.writes.isdisjoint(other.writes)
            and self.reads.isdisjoint(other.writes)
        )


@dataclass(frozen=True, slots=True)
class Step:
    """A step that was taken. `after` numbers the steps (from 0) without which it would not have come to this one: the
    last one of its own task, that of the task that started it, those of tasks that it waited for."""

    footprint: Footprint
    after: tuple[int, ...]


class Execution(Protocol):
    """A program under way. It must be deterministic: the same steps lead to the same state."""

    def enabled(self) -> Sequence[str]:
        """The tasks of which each can take a step now; none once all is over. A task keeps its name in every
        execution. Only its own steps change which one it takes next, and none disables another's."""

    def step(self, task: str) -> Step:
        """Lets the task take its step."""

    def wrong(self) -> str:
        """What is wrong by now, or nothing."""


@dataclass(slots=True)
class Explored:
    """What was found. `complete` interleavings were played to their end, `pruned` were cut off as repetitions.
    `counterexample` is the first that was wrong, by the task of each step."""

    complete: int = 0
    pruned: int = 0
    steps: int = 0
    wrong: str = ""
    counterexample: tuple[str, ...] = ()


@dataclass(slots=True)
class _Branch:
    """A state on the way, with the step `taken` from it: what that read and wrote, and (as bits) what came `before` it
    of necessity. `wanted` are the tasks that must go on from here, `sleep` those that need not (any more)."""

    taken: str
    wanted: set[str]
    sleep: dict[str, Footprint]
    footprint: Footprint = field(default_factory=Footprint)
    before: int = 0
    running: str = ""
    preempted: int = 0

    @property
    def preempted_afterwards(self) -> int:
        """How often a task that could have gone on was not let to, once the step is taken."""
        return self.preempted + (self.running not in ("", self.taken))

    def sleep_afterwards(self) -> dict[str, Footprint]:
        """What still sleeps once the step is taken."""
        return {task: footprint for task, footprint in self.sleep.items() if footprint.independent_of(self.footprint)}

    def turn(self) -> bool:
        """Goes on with the next task. False where none is left."""
        self.sleep[self.taken] = self.footprint
        left = sorted(self.wanted - self.sleep.keys())
        self.taken = left[0] if left else ""
        return bool(left)


class Explorer:
    """Explores a program. `begin` starts it anew; without `reduced` nothing is pruned. With `preemptions` given,
    nothing is pruned either, and in one interleaving at most so many times a task is not let go on that could."""

    def __init__(self, begin: Callable[[], Execution], reduced: bool = True, preemptions: int | None = None) -> None:
        self.found = Explored()
        self._begin = begin
        self._reduced = reduced and preemptions is None
        self._preemptions = preemptions
        self._path: list[_Branch] = []

    def explore(self) -> Explored:
        """Explores all of it, or up to the first interleaving that is wrong."""
        self._extend(self._begin(), {})
        while not self.found.wrong and self._turn():
            run = self._begin()
            for branch in self._path[:-1]:
                run.step(branch.taken)
            self._take(run)
            self._extend(run, self._path[-1].sleep_afterwards())
        return self.found

    def _turn(self) -> bool:
        while self._path and not self._path[-1].turn():
            self._path.pop()
        return bool(self._path)

    def _extend(self, run: Execution, sleep: dict[str, Footprint]) -> None:
        while not self.found.wrong and (enabled := run.enabled()):
            if not self._reduced:
                sleep = {}
            awake = [task for task in enabled if task not in sleep]
            if not awake:
                self.found.pruned += 1
                return
            self._path.append(self._branch(awake, sleep))
            self._take(run)
            sleep = self._path[-1].sleep_afterwards()
        self.found.complete += not self.found.wrong

    def _branch(self, awake: list[str], sleep: dict[str, Footprint]) -> _Branch:
        if self._reduced:
            return _Branch(awake[0], {awake[0]}, sleep)
        last = self._path[-1] if self._path else None
        running = last.taken if last is not None and last.taken in awake else ""
        preempted = 0 if last is None else last.preempted_afterwards
        wanted = {running} if running and preempted == self._preemptions else set(awake)
        return _Branch(running or awake[0], wanted, sleep, running=running, preempted=preempted)

    def _take(self, run: Execution) -> None:
        branch = self._path[-1]
        step = run.step(branch.taken)
        self.found.steps += 1
        branch.footprint, branch.before = step.footprint, 0
        for number in step.after:
            branch.before |= self._path[number].before | 1 << number
        if self._reduced:
            for earlier in list(self._races(branch)):  # all of them first: they complete what came before
                self._want_the_other_order(earlier)
        if wrong := run.wrong():
            self.found.wrong = wrong
            self.found.counterexample = tuple(branch.taken for branch in self._path)

    def _races(self, branch: _Branch) -> Iterator[int]:
        """The steps that race with the last one. Completes what came before it of necessity."""
        for number in reversed(range(len(self._path) - 1)):
            earlier = self._path[number]
            if not branch.before >> number & 1 and not branch.footprint.independent_of(earlier.footprint):
                branch.before |= earlier.before | 1 << number
                yield number

    def _want_the_other_order(self, earlier: int) -> None:
        """Sees to it that the last step is also taken before the earlier one: by one of those that come first among all
        that does not need the earlier one."""
        last = len(self._path) - 1
        without = [n for n in range(earlier + 1, last) if not self._path[n].before >> earlier & 1] + [last]
        bits = sum(1 << n for n in without)
        first = {self._path[n].taken for n in without if not self._path[n].before & bits}
        branch = self._path[earlier]
        if not first & (branch.wanted | branch.sleep.keys()):
            branch.wanted.add(min(first))


def explore(begin: Callable[[], Execution], reduced: bool = True, preemptions: int | None = None) -> Explored:
    """Explores every interleaving of the program (see `Explorer` for the bounds), up to the first that is wrong."""
    return Explorer(begin, reduced, preemptions).explore()
