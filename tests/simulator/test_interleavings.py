"""Every interleaving holds; the reduction leaves none out that matters; and with a rule broken it finds the one."""

import random
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import partial

import pytest

from ringfence.core.events import Event
from ringfence.core.model.identifiers import Region
from ringfence.core.model.rosters import HeldRemovals, Roster, Rows
from ringfence.core.settings import Settings
from ringfence.reconciler.interfaces import RegionServices, RosterTable, Services, gather
from ringfence.reconciler.reconcile import reconcile
from ringfence_lab.proof.exploration import Execution, Footprint, Step, explore
from ringfence_lab.proof.interleavings import CASES, Case, interleave, trace
from ringfence_lab.proof.overlap import Play
from ringfence_lab.sim.engine.function import Engine

BY_NAME = {case.name: case for case in CASES}


SLOW = {
    "launch | true-up, one Region",
    "true-up | a launch begins, its event, one Region",
    "termination | a launch begins, its event, the peer",
}
"""Left to the command: each has a near relative among the others."""


@pytest.mark.parametrize("case", [case for case in CASES if case.name not in SLOW], ids=lambda case: case.name)
def test_every_interleaving_holds(case: Case) -> None:
    proof = interleave(case)

    assert not proof.explored.wrong, "\n".join([str(proof), *trace(proof)])
    assert proof.explored.complete >= 12


# The reduction, on programs small enough to do without it.

Operation = tuple[str, str]
"""`r`, `w` or `+` (adds one), and the variable; or `start` and the name of a task."""


@dataclass
class Program:
    """Tasks that read and write variables. Whether the last one is started is up to another one."""

    tasks: dict[str, list[Operation]]
    variables: dict[str, str] = field(default_factory=dict)
    told: dict[str, tuple[str, ...]] = field(default_factory=dict)
    after: dict[str, tuple[int, ...]] = field(default_factory=dict)
    at: dict[str, int] = field(default_factory=dict)
    steps: list[tuple[str, Footprint]] = field(default_factory=list)

    def __post_init__(self) -> None:
        started = {name for operations in self.tasks.values() for kind, name in operations if kind == "start"}
        self.at = dict.fromkeys(self.tasks.keys() - started, 0)

    def enabled(self) -> Sequence[str]:
        return sorted(task for task, at in self.at.items() if at < len(self.tasks[task]))

    def step(self, task: str) -> Step:
        kind, name = self.tasks[task][self.at[task]]
        self.at[task] += 1
        after = self.after.get(task, ())
        self.after[task] = (len(self.steps),)
        footprint = Footprint(frozenset(), frozenset())
        match kind:
            case "r":
                self.told[task] = (*self.told.get(task, ()), self.variables.get(name, ""))
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
        return Step(footprint, after)

    def wrong(self) -> str:
        return ""

    def end(self) -> tuple[object, ...]:
        """All that can be told of how it went."""
        return tuple(sorted(self.variables.items())), tuple(sorted(self.told.items()))

    def order(self) -> frozenset[object]:
        """The order of dependent steps: equal for interleavings that differ in that of independent ones alone."""
        numbered = []
        count: dict[str, int] = {}
        for task, footprint in self.steps:
            count[task] = count.get(task, 0) + 1
            numbered.append(((task, count[task]), footprint))
        return frozenset(
            (one, other)
            for n, (one, footprint) in enumerate(numbered)
            for other, later in numbered[n + 1 :]
            if not footprint.independent_of(later)
        )


def a_program(seed: int) -> dict[str, list[Operation]]:
    """Three tasks with up to three operations each; the last one may be started by the first."""
    chance = random.Random(seed)  # a simulation
    tasks = {
        task: [(chance.choice("rw+"), chance.choice("xyz")) for _ in range(chance.randint(1, 3))] for task in "abc"
    }
    if chance.random() < 0.5:
        tasks["a"][chance.randrange(len(tasks["a"]))] = ("start", "c")
    return tasks


def all_of(tasks: dict[str, list[Operation]], reduced: bool) -> tuple[list[Program], int]:
    """Every program that was played to its end."""
    played: list[Program] = []

    def begin() -> Execution:
        played.append(Program(tasks))
        return played[-1]

    complete = explore(begin, reduced).complete
    return [program for program in played if not program.enabled()], complete


@pytest.mark.parametrize("seed", range(30))
def test_the_reduction_keeps_every_order_of_dependent_steps_and_plays_each_once(seed: int) -> None:
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


def test_without_the_reduction_every_interleaving_is_played() -> None:
    _, complete = all_of({"a": [("r", "x")] * 3, "b": [("r", "x")] * 3}, reduced=False)
    _, reduced = all_of({"a": [("r", "x")] * 3, "b": [("r", "x")] * 3}, reduced=True)

    assert (complete, reduced) == (20, 1)


def test_a_bound_plays_every_interleaving_with_so_many_preemptions() -> None:
    def complete(preemptions: int) -> int:
        return explore(
            lambda: Program({"a": [("+", "x")] * 3, "b": [("+", "x")] * 3}), preemptions=preemptions
        ).complete

    # one after the other: 2; the first one broken off at either of 2 places: 4 more; and so on up to all 20
    assert [complete(bound) for bound in range(6)] == [2, 6, 14, 18, 20, 20]


# The reduction, on calls to the cloud.


def publishes(_events: Sequence[Event], services: Services, settings: Settings) -> None:
    """Counts its rosters' versions up: reads them at home, and writes them at home and at the peer at a time."""
    home, (peer,) = settings.region, settings.peers
    for roster in services.regions[home].table.rows_of(home).rosters.values():
        newer = replace(roster, version=roster.version + 1)
        gather(services.tasks, [partial(services.regions[region].table.offer, newer) for region in (home, peer)])
        services.regions[peer].table.offer(replace(newer, version=newer.version + 1))


class Unjudged(Play):
    """Overlapping invocations of which nothing is expected."""

    def wrong(self) -> str:
        return ""


@pytest.mark.parametrize("name", ["launch | true-up of the peer", "launch | true-up, one Region"])
def test_calls_to_the_cloud_end_alike_with_the_reduction_and_without(name: str) -> None:
    ends: dict[bool, set[str]] = {}
    counts = {}
    for reduced in (True, False):
        plays: list[Play] = []

        def begin(plays: list[Play] = plays) -> Execution:
            plays.append(Unjudged(BY_NAME[name].begin, publishes))
            return plays[-1]

        counts[reduced] = explore(begin, reduced).complete
        ends[reduced] = {play.cloud() for play in plays if not play.enabled()}

    assert ends[True] == ends[False]
    assert counts[True] < counts[False]


# Engines that break a rule of the protocol: well as long as they are alone.


@dataclass(frozen=True)
class LastWriterWins:
    """A table that is written whatever stands there."""

    table: RosterTable

    def rows(self) -> Rows:
        return self.table.rows()

    def rows_of(self, region: Region) -> Rows:
        return self.table.rows_of(region)

    def replace(self, roster: Roster, standing_version: int) -> None:  # noqa: ARG002  # that is what it does wrong
        standing = self.table.rows_of(roster.key.region).versions().get(roster.key, 0)
        self.table.replace(replace(roster, version=max(standing + 1, roster.version)), standing)

    def offer(self, roster: Roster) -> int:
        return self.table.offer(roster)

    def hold(self, held: HeldRemovals) -> None:
        self.table.hold(held)


def writes_whatever_stands(events: Sequence[Event], services: Services, settings: Settings) -> None:
    """Breaks the second rule: versioned."""
    regions = {
        name: RegionServices(LastWriterWins(one.table), one.security_groups) for name, one in services.regions.items()
    }
    reconcile(events, replace(services, regions=regions), settings)


class ReadOnce:
    """A table that is read once: whatever is written afterwards, its answer stays the same."""

    def __init__(self, table: RosterTable) -> None:
        self.table = table
        self.read: dict[Region | None, Rows] = {}

    def rows(self) -> Rows:
        if None not in self.read:
            self.read[None] = self.table.rows()
        return self.read[None]

    def rows_of(self, region: Region) -> Rows:
        if region not in self.read:
            self.read[region] = self.table.rows_of(region)
        return self.read[region]

    def replace(self, roster: Roster, standing_version: int) -> None:
        self.table.replace(roster, standing_version)
        self._note(roster)

    def offer(self, roster: Roster) -> int:
        standing = self.table.offer(roster)
        self._note(roster)
        return standing

    def hold(self, held: HeldRemovals) -> None:
        self.table.hold(held)

    def _note(self, roster: Roster) -> None:
        self.read = {
            region: replace(rows, rosters={**rows.rosters, roster.key: roster}) for region, rows in self.read.items()
        }


def reads_once(events: Sequence[Event], services: Services, settings: Settings) -> None:
    """Breaks the fourth and the fifth rule: actual before desired, and validate after applying."""
    regions = {name: RegionServices(ReadOnce(one.table), one.security_groups) for name, one in services.regions.items()}
    reconcile(events, replace(services, regions=regions), settings)


@pytest.mark.parametrize(
    ("engine", "name", "found"),
    [
        (writes_whatever_stands, "launch | a termination begins, its event, one Region", "terminations_are_released"),
        (writes_whatever_stands, "termination | a launch begins, its event, one Region", "launches_are_admitted"),
        (reads_once, "launch | a termination begins, true-up, one Region", "was left behind"),
        (reads_once, "launch | a termination begins, its event, one Region", "was left behind"),
    ],
)
def test_a_broken_rule_shows_only_where_invocations_interleave_and_is_found(
    engine: Engine, name: str, found: str
) -> None:
    case = BY_NAME[name]

    assert not interleave(case, engine, preemptions=0).explored.wrong
    assert found in interleave(case, engine).explored.wrong


def test_a_broken_rule_is_found_by_the_reduced_exploration_too_and_its_trace_ends_with_the_violation() -> None:
    # given
    proof = interleave(BY_NAME["launch | a termination begins, its event, the peer"], reads_once)
    # when
    told = trace(proof, reads_once)
    # then
    assert proof.explored.wrong.startswith("terminations_are_released_first")
    assert any("TERMINATE: CONTINUE" in line for line in told[-4:])
