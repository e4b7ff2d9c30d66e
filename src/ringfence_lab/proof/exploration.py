"""Explores every interleaving of a program's concurrent steps once: depth first, by replay, with sound pruning.

Two steps are *independent* if neither writes what the other one reads or writes. Then their order changes neither the
state nor what the properties say about it. Interleavings that differ only in the order of independent steps form one
*trace*, and one interleaving of each trace is enough. Two kinds of pruning do that; neither omits a trace.

- *Source sets*, a dynamic partial order reduction (Abdulla, Aronis, Jonsson, Sagonas, "Optimal Dynamic Partial Order
  Reduction", POPL 2014, algorithm 1). At first only one task continues from a state. Each step is compared with the
  earlier ones: if two are dependent and nothing in between orders them, they *race*, and the state before the earlier
  one also continues with a task that leads to the other order.
- *Sleep sets* (Godefroid, "Partial-Order Methods for the Verification of Concurrent Systems", 1996, chapter 5). After
  step `a` was explored from a state, it sleeps while its neighbours are explored from there, until a step that depends
  on it wakes it: taking it earlier would only repeat an order that was explored with `a` first.

A program that is too large for that can be explored within a bound: every interleaving with a limited number of
preemptions, without any reduction (Musuvathi, Qadeer, "Iterative Context Bounding for Systematic Testing of
Multithreaded Programs", PLDI 2007).

It must not know what the steps do.
"""

from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Protocol

Resource = Hashable


@dataclass(frozen=True, slots=True)
class Footprint:
    """What a step read and wrote of the shared state."""

    reads: frozenset[Resource] = frozenset()
    writes: frozenset[Resource] = frozenset()

    def independent_of(self, second: "Footprint") -> bool:
        """Whether the order of the two makes no difference."""
        return (
            self.writes.isdisjoint(second.reads)
            and self.writes.isdisjoint(second.writes)
            and self.reads.isdisjoint(second.writes)
        )


@dataclass(frozen=True, slots=True)
class ExecutedStep:
    """A step that was executed. `after` are the numbers (from 0) of the steps that had to come before it: the last one
    of its own task, of the task that started it, and of the tasks that it waited for."""

    footprint: Footprint
    after: tuple[int, ...]


class Execution(Protocol):
    """A running program. It must be deterministic: the same steps lead to the same state."""

    def enabled(self) -> Sequence[str]:
        """The tasks that can execute a step now; none when the program has ended. A task has the same name in every
        execution. Only its own steps determine its next step, and no task disables another one."""

    def step(self, task: str) -> ExecutedStep:
        """Executes the task's next step."""

    def wrong(self) -> str:
        """What is wrong at this point, or an empty text."""


@dataclass(slots=True)
class Explored:
    """The result. `complete` interleavings ran to their end, `pruned` ones were cut off as repetitions.
    `counterexample` is the first wrong interleaving, as the task of each step."""

    complete: int = 0
    pruned: int = 0
    steps: int = 0
    wrong: str = ""
    counterexample: tuple[str, ...] = ()


@dataclass(slots=True)
class _Branch:
    """A state of the current interleaving, with the step `taken` from it: what that step read and wrote, and (as bits)
    the steps that had to come `before` it. `wanted` are the tasks that must continue from here, `sleep` those that no
    longer need to."""

    taken: str
    wanted: set[str]
    sleep: dict[str, Footprint]
    footprint: Footprint = field(default_factory=Footprint)
    before: int = 0
    running: str = ""
    preempted: int = 0

    @property
    def preempted_afterwards(self) -> int:
        """The number of preemptions after the step: a task that could have continued did not."""
        return self.preempted + (self.running not in ("", self.taken))

    def sleep_afterwards(self) -> dict[str, Footprint]:
        """What still sleeps after the step."""
        return {task: footprint for task, footprint in self.sleep.items() if footprint.independent_of(self.footprint)}

    def next_task(self) -> bool:
        """Selects the next task. False if none is left."""
        self.sleep[self.taken] = self.footprint
        left = sorted(self.wanted - self.sleep.keys())
        self.taken = left[0] if left else ""
        return bool(left)


class Explorer:
    """Explores a program. `begin` starts it from its first state. Without `reduced` nothing is pruned. With
    `preemptions` nothing is pruned either, and an interleaving has at most so many preemptions."""

    def __init__(self, begin: Callable[[], Execution], *, reduced: bool = True, preemptions: int | None = None) -> None:
        self.found = Explored()
        self._begin = begin
        self._reduced = reduced and preemptions is None
        self._preemptions = preemptions
        self._path: list[_Branch] = []

    def explore(self) -> Explored:
        """Explores the whole program, or up to the first wrong interleaving."""
        self._extend(self._begin(), {})
        while not self.found.wrong and self._next_branch():
            run = self._begin()
            for branch in self._path[:-1]:
                run.step(branch.taken)
            self._take(run)
            self._extend(run, self._path[-1].sleep_afterwards())
        return self.found

    def _next_branch(self) -> bool:
        while self._path and not self._path[-1].next_task():
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
            for earlier in list(self._races(branch)):  # all races first: they complete `branch.before`
                self._want_reverse_order(earlier)
        if wrong := run.wrong():
            self.found.wrong = wrong
            self.found.counterexample = tuple(branch.taken for branch in self._path)

    def _races(self, branch: _Branch) -> Iterator[int]:
        """The steps that race with the last one. Completes the steps that had to come before it."""
        for number in reversed(range(len(self._path) - 1)):
            earlier = self._path[number]
            if not branch.before >> number & 1 and not branch.footprint.independent_of(earlier.footprint):
                branch.before |= earlier.before | 1 << number
                yield number

    def _want_reverse_order(self, earlier: int) -> None:
        """Makes the exploration also take the last step before the earlier one: by a task that comes first among the
        steps that do not need the earlier one."""
        last = len(self._path) - 1
        without = [n for n in range(earlier + 1, last) if not self._path[n].before >> earlier & 1] + [last]
        bits = sum(1 << n for n in without)
        first = {self._path[n].taken for n in without if not self._path[n].before & bits}
        branch = self._path[earlier]
        if not first & (branch.wanted | branch.sleep.keys()):
            branch.wanted.add(min(first))


def explore(begin: Callable[[], Execution], *, reduced: bool = True, preemptions: int | None = None) -> Explored:
    """Explores every interleaving of the program (see `Explorer` for the bounds), up to the first wrong one."""
    return Explorer(begin, reduced=reduced, preemptions=preemptions).explore()
