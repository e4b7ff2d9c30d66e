"""Every interleaving holds. The reduction omits no relevant one, and finds the violation of a broken rule."""

import random
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import partial

import pytest

from ringfence.core.configuration.settings import Settings
from ringfence.core.events import Event
from ringfence.core.model.identifiers import ANNOUNCEMENT, Region, RosterKey
from ringfence.core.model.rosters import HeldRemovals, Roster, Rows, RowVersion
from ringfence.reconciler.interfaces import RegionServices, RosterTable, Services, run_concurrently
from ringfence.reconciler.reconcile import reconcile
from ringfence_lab.proof.exploration import ExecutedStep, Execution, Footprint, explore
from ringfence_lab.proof.interleavings import CASES, Case, interleave, trace
from ringfence_lab.proof.overlap import InterleavedRun
from ringfence_lab.sim.engine.function import Reconcile

BY_NAME = {case.name: case for case in CASES}


SLOW = {
    "launch | true-up, one Region",
    "true-up | a launch begins, its event, one Region",
    "termination | a launch begins, its event, the peer",
}
"""Only the command explores these: each has a similar case among the others."""


@pytest.mark.parametrize("case", [case for case in CASES if case.name not in SLOW], ids=lambda case: case.name)
def test_every_interleaving_holds(case: Case) -> None:
    result = interleave(case)

    assert not result.explored.wrong, "\n".join([str(result), *trace(result)])
    assert result.explored.complete >= 10


# The reduction, on programs that are small enough to explore without it.

Operation = tuple[str, str]
"""`r`, `w` or `+` (reads and writes), and the variable; or `start` and the name of a task."""


@dataclass
class Program:
    """Tasks that read and write variables. A task may start the last one."""

    tasks: dict[str, list[Operation]]
    variables: dict[str, str] = field(default_factory=dict)
    read: dict[str, tuple[str, ...]] = field(default_factory=dict)
    after: dict[str, tuple[int, ...]] = field(default_factory=dict)
    at: dict[str, int] = field(default_factory=dict)
    steps: list[tuple[str, Footprint]] = field(default_factory=list)

    def __post_init__(self) -> None:
        started = {name for operations in self.tasks.values() for kind, name in operations if kind == "start"}
        self.at = dict.fromkeys(self.tasks.keys() - started, 0)

    def enabled(self) -> Sequence[str]:
        return sorted(task for task, at in self.at.items() if at < len(self.tasks[task]))

    def step(self, task: str) -> ExecutedStep:
        kind, name = self.tasks[task][self.at[task]]
        self.at[task] += 1
        after = self.after.get(task, ())
        self.after[task] = (len(self.steps),)
        footprint = Footprint(frozenset(), frozenset())
        match kind:
            case "r":
                self.read[task] = (*self.read.get(task, ()), self.variables.get(name, ""))
                footprint = Footprint(reads=frozenset({name}))
            case "w":
                self.variables[name] = task
                footprint = Footprint(writes=frozenset({name}))
            case "+":
                self.variables[name] = self.variables.get(name, "") + task
                footprint = Footprint(frozenset({name}), frozenset({name}))
            case _:
                self.at[name] = 0
                self.after[name] = self.after[task]
        self.steps.append((task, footprint))
        return ExecutedStep(footprint, after)

    def wrong(self) -> str:
        return ""

    def end(self) -> tuple[object, ...]:
        """The observable result."""
        return tuple(sorted(self.variables.items())), tuple(sorted(self.read.items()))

    def order(self) -> frozenset[object]:
        """The order of dependent steps: equal for interleavings that differ only in the order of independent ones."""
        numbered = []
        count: dict[str, int] = {}
        for task, footprint in self.steps:
            count[task] = count.get(task, 0) + 1
            numbered.append(((task, count[task]), footprint))
        return frozenset(
            (earlier, later)
            for index, (earlier, footprint) in enumerate(numbered)
            for later, later_footprint in numbered[index + 1 :]
            if not footprint.independent_of(later_footprint)
        )


def a_program(seed: int) -> dict[str, list[Operation]]:
    """Three tasks with up to three operations each; the first may start the last one."""
    chance = random.Random(seed)  # a simulation
    tasks = {
        task: [(chance.choice("rw+"), chance.choice("xyz")) for _ in range(chance.randint(1, 3))] for task in "abc"
    }
    if chance.random() < 0.5:
        tasks["a"][chance.randrange(len(tasks["a"]))] = ("start", "c")
    return tasks


def all_of(tasks: dict[str, list[Operation]], *, reduced: bool) -> tuple[list[Program], int]:
    """Every program that ran to its end, and their number."""
    played: list[Program] = []

    def begin() -> Execution:
        played.append(Program(tasks))
        return played[-1]

    complete = explore(begin, reduced=reduced).complete
    return [program for program in played if not program.enabled()], complete


@pytest.mark.parametrize("seed", range(30))
def test_the_reduction_runs_every_order_of_dependent_steps_once(seed: int) -> None:
    # given
    tasks = a_program(seed)
    # when
    everything, _ = all_of(tasks, reduced=False)
    reduced, complete = all_of(tasks, reduced=True)
    # then
    assert {program.end() for program in reduced} == {program.end() for program in everything}
    orders = {program.order() for program in everything}
    assert {program.order() for program in reduced} == orders
    assert complete == len(reduced) == len(orders)


def test_without_the_reduction_every_interleaving_runs() -> None:
    _, complete = all_of({"a": [("r", "x")] * 3, "b": [("r", "x")] * 3}, reduced=False)
    _, reduced = all_of({"a": [("r", "x")] * 3, "b": [("r", "x")] * 3}, reduced=True)

    assert (complete, reduced) == (20, 1)


def test_a_bound_runs_every_interleaving_with_so_many_preemptions() -> None:
    def complete(preemptions: int) -> int:
        return explore(
            lambda: Program({"a": [("+", "x")] * 3, "b": [("+", "x")] * 3}), preemptions=preemptions
        ).complete

    # sequential: 2; the first one preempted at one of 2 places: 4 more; and so on up to all 20
    assert [complete(bound) for bound in range(6)] == [2, 6, 14, 18, 20, 20]


# The reduction, on calls to the cloud.


def publishes(_events: Sequence[Event], services: Services, settings: Settings) -> None:
    """Increments its roster's version: reads it at home, and writes it at home and at the peer concurrently."""
    home, (peer,) = settings.region, settings.peers
    rosters = services.regions[home].table.rows_of(home).rosters
    for roster in (roster for key, roster in rosters.items() if key.asg != ANNOUNCEMENT):
        newer = replace(roster, version=roster.version + 1)
        run_concurrently(
            services.tasks, [partial(services.regions[region].table.offer, newer) for region in (home, peer)]
        )
        services.regions[peer].table.offer(replace(newer, version=newer.version + 1))


class Unchecked(InterleavedRun):
    """Overlapping invocations without any check."""

    def wrong(self) -> str:
        return ""


@pytest.mark.parametrize("name", ["launch | true-up of the peer", "launch | true-up, one Region"])
def test_the_reduction_does_not_change_the_possible_results(name: str) -> None:
    ends: dict[bool, set[str]] = {}
    counts = {}
    for reduced in (True, False):
        runs: list[Unchecked] = []

        def begin(runs: list[Unchecked] = runs) -> Execution:
            runs.append(Unchecked(BY_NAME[name].begin, publishes))
            return runs[-1]

        counts[reduced] = explore(begin, reduced=reduced).complete
        ends[reduced] = {run.cloud() for run in runs if not run.enabled()}

    assert ends[True] == ends[False]
    assert counts[True] < counts[False]


# Engines that break a rule of the protocol, but work without overlap.


@dataclass(frozen=True)
class LastWriterWins:
    """A table whose writes ignore the current version."""

    table: RosterTable

    def rows(self) -> Rows:
        return self.table.rows()

    def created_at(self) -> float:
        return self.table.created_at()

    def rows_of(self, region: Region) -> Rows:
        return self.table.rows_of(region)

    def replace(self, roster: Roster, version_read: RowVersion) -> None:  # noqa: ARG002  # that is the defect
        current = self.table.rows_of(roster.key.region).versions().get(roster.key, 0)
        self.table.replace(replace(roster, version=max(current + 1, roster.version)), current)

    def offer(self, roster: Roster) -> int:
        return self.table.offer(roster)

    def delete(self, key: RosterKey, version_read: RowVersion) -> None:
        """See `interfaces.RosterTable.delete`."""
        self.table.delete(key, version_read)

    def hold(self, held: HeldRemovals) -> None:
        self.table.hold(held)


def ignores_versions(events: Sequence[Event], services: Services, settings: Settings) -> None:
    """Breaks the second rule: versioned."""
    regions = {
        name: RegionServices(LastWriterWins(region.table), region.security_groups)
        for name, region in services.regions.items()
    }
    reconcile(events, replace(services, regions=regions), settings)


class ReadOnce:
    """A table that is read once: its answer does not show later writes of others."""

    def __init__(self, table: RosterTable) -> None:
        self.table = table
        self.read: dict[Region | None, Rows] = {}

    def rows(self) -> Rows:
        if None not in self.read:
            self.read[None] = self.table.rows()
        return self.read[None]

    def created_at(self) -> float:
        return self.table.created_at()

    def rows_of(self, region: Region) -> Rows:
        if region not in self.read:
            self.read[region] = self.table.rows_of(region)
        return self.read[region]

    def replace(self, roster: Roster, version_read: RowVersion) -> None:
        self.table.replace(roster, version_read)
        self._note(roster)

    def offer(self, roster: Roster) -> int:
        version = self.table.offer(roster)
        self._note(roster)
        return version

    def delete(self, key: RosterKey, version_read: RowVersion) -> None:
        """See `interfaces.RosterTable.delete`."""
        self.table.delete(key, version_read)

    def hold(self, held: HeldRemovals) -> None:
        self.table.hold(held)

    def _note(self, roster: Roster) -> None:
        self.read = {
            region: replace(rows, rosters={**rows.rosters, roster.key: roster}) for region, rows in self.read.items()
        }


def reads_once(events: Sequence[Event], services: Services, settings: Settings) -> None:
    """Breaks the fourth and the fifth rule: actual before desired, and validate after applying."""
    regions = {
        name: RegionServices(ReadOnce(region.table), region.security_groups)
        for name, region in services.regions.items()
    }
    reconcile(events, replace(services, regions=regions), settings)


@pytest.mark.parametrize(
    ("engine", "name", "found"),
    [
        (ignores_versions, "launch | a termination begins, its event, one Region", "terminations_are_released"),
        (reads_once, "launch | a termination begins, true-up, one Region", "was left behind"),
        (reads_once, "launch | a termination begins, its event, one Region", "was left behind"),
    ],
)
def test_a_broken_rule_is_found_only_in_interleavings(engine: Reconcile, name: str, found: str) -> None:
    case = BY_NAME[name]

    assert not interleave(case, engine, preemptions=0).explored.wrong
    assert found in interleave(case, engine).explored.wrong


def test_the_reduced_exploration_finds_a_broken_rule_and_its_trace_ends_with_the_violation() -> None:
    # given
    result = interleave(BY_NAME["launch | a termination begins, its event, the peer"], reads_once)
    # when
    lines = trace(result, reads_once)
    # then
    assert result.explored.wrong.startswith("terminations_are_released_first")
    assert any("TERMINATE: CONTINUE" in line for line in lines[-4:])
