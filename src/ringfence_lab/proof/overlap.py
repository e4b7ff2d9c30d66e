"""Invocations that overlap in the simulated cloud, as a program that `exploration` can explore.

A step is one call of an invocation's, with what the engine does until its next one. The turns that an invocation gives
the Regions are tasks of their own, so that their calls interleave too. What a call reads and writes (`_call`) includes
what the *properties* look at when it changes something: only then does the order of independent calls make no
difference to what is judged. What the engine does between calls nobody else can see, and takes no turn. No time passes.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Generic, TypeVar, cast

from greenlet import getcurrent, greenlet

from ringfence.core.events import Event
from ringfence.core.model.identifiers import Region
from ringfence.core.model.rosters import Roster
from ringfence.core.settings import Settings
from ringfence.reconciler.interfaces import (
    AutoScaling,
    HomeServices,
    Instances,
    RegionServices,
    RosterTable,
    SecurityGroups,
    Services,
    Started,
    Tasks,
)
from ringfence.reconciler.reconcile import reconcile
from ringfence_lab.proof.exploration import Footprint, Resource, Step
from ringfence_lab.proof.harness import Harness
from ringfence_lab.sim.engine.function import Engine
from ringfence_lab.sim.engine.line import Invocation
from ringfence_lab.sim.engine.tasks import Immediate, Task

T = TypeVar("T")

Begin = Callable[["Play"], None]
"""Sets the stage, and starts the invocations that then overlap."""


class Play:
    """One execution of a case, step by step. See `exploration.Execution`. `settled` remembers which ends converge.
    With `in_turn` an invocation gives the Regions their turns one after the other, home first: it is one task."""

    def __init__(
        self,
        begin: Begin,
        engine: Engine = reconcile,
        settled: "dict[str, str] | None" = None,
        in_turn: bool = False,
    ) -> None:
        self._in_turn = in_turn
        self._inner = engine
        self._settled = {} if settled is None else settled
        self._pick = 0
        self._names: dict[greenlet, str] = {}
        self._children: Counter[str] = Counter()
        self._pending: dict[str, _Call] = {}
        self._after: dict[str, set[int]] = {}
        self._steps = 0
        self.stage = Harness(2, 1, self._engine, lambda _: self._pick)
        self._invocations: list[Invocation] = []
        begin(self)
        self._run_on()

    # What overlaps.

    def consume(self, home: str) -> None:
        """A Region's function takes what is in its queue."""
        for work in self.stage.consumption(home):
            self._spawn(*work)

    def invoke(self, home: str, payload: object) -> None:
        """A Region's function is invoked directly."""
        self._spawn(*self.stage.invocation(home, lambda: payload))

    def invoke_upon(self, home: str, happening: Callable[[], object]) -> None:
        """Something happens to the Region's Auto Scaling group, which is a step of its own; then its function is
        invoked with the payload that came of it."""
        self._spawn(*self.stage.invocation(home, lambda: self._happen(Region(home), happening)))

    def _happen(self, region: Region, happening: Callable[[], object]) -> object:
        self._announce("happens", region, ())
        self.stage.scheduler.pause()
        return happening()

    def _spawn(self, invocation: Invocation, work: Callable[[], None]) -> None:
        self._invocations.append(invocation)
        self._name(self.stage.scheduler.spawn(invocation, work), str(invocation))

    # What the exploration asks for.

    def enabled(self) -> Sequence[str]:
        """The tasks that are about to make a call."""
        return sorted(self._names[task.greenlet] for task in self.stage.scheduler.ready)

    def step(self, task: str) -> Step:
        """Makes the task's call, and runs on until every task is about to make one or waits for one that is."""
        call, after = self._pending.pop(task), tuple(self._after[task])
        self._after[task] = {self._steps}
        self._steps += 1
        running = {one for one in self._invocations if one.running}
        changes = len(self.stage.changes)
        self._let(task)
        self._run_on()
        ended = {("running", one.number) for one in running if not one.running}
        if len(self.stage.changes) == changes and call.operation != "hold":  # it changed nothing: it only looked
            return Step(Footprint(call.looks, frozenset(ended)), after)
        regions, numbers = self.stage.cloud.regions, [one.number for one in self._invocations]
        return Step(Footprint(call.looks | call.judged_by(regions, numbers), call.writes | ended), after)

    def wrong(self) -> str:
        """A property that does not hold; once all is over, what does not converge."""
        if violations := self.stage.violations():
            return str(violations[0])
        if self.stage.scheduler.ready:
            return ""
        if left := list(self.stage.left_behind()):
            return left[0]
        end = self.cloud()
        if end not in self._settled:
            self._settled[end] = "; ".join([*self.stage.recover(), *map(str, self.stage.violations())])
        return self._settled[end]

    # How it is played.

    def _let(self, task: str) -> None:
        self._pick = [self._names[one.greenlet] for one in self.stage.scheduler.ready].index(task)
        self.stage.scheduler.step()
        self._pick = 0

    def _run_on(self) -> None:
        """Lets every task run that is not about to make a call: until it is, nobody else sees what it does."""
        while local := [name for name in self.enabled() if name not in self._pending]:
            self._let(local[0])

    def _engine(self, events: Sequence[Event], services: Services, settings: Settings) -> None:
        if getcurrent() in self._names:  # else it is the recovery
            services = self._announcing(services, settings.region)
        self._inner(events, services, settings)

    def _announcing(self, services: Services, region: Region) -> Services:
        home, tell = services.home, self._announce
        return replace(
            services,
            home=HomeServices(
                cast(AutoScaling, _Announcing(home.auto_scaling, region, tell)),
                cast(Instances, _Announcing(home.instances, region, tell)),
            ),
            regions={
                name: RegionServices(
                    cast(RosterTable, _Announcing(ports.table, name, tell)),
                    cast(SecurityGroups, _Announcing(ports.security_groups, name, tell)),
                )
                for name, ports in services.regions.items()
            },
            tasks=Immediate(self.stage.cloud.clock) if self._in_turn else _Following(services.tasks, self),
        )

    def _announce(self, operation: str, region: Region, arguments: tuple[object, ...]) -> None:
        self._pending[self._names[getcurrent()]] = _call(operation, region, arguments, self.stage.cloud.regions)

    def _name(self, task: "Task[T]", name: str, after: Iterable[int] = ()) -> None:
        self._names[task.greenlet] = name
        self._after[name] = set(after)

    def started(self, task: object) -> None:
        """The running task has started another one."""
        parent = self._names[getcurrent()]
        self._children[parent] += 1
        self._name(cast("Task[object]", task), f"{parent}.{self._children[parent]}", self._after[parent])

    def waited_for(self, task: object) -> None:
        """The running task has the other one's result."""
        self._after[self._names[getcurrent()]] |= self._after[self._names[cast("Task[object]", task).greenlet]]

    def cloud(self) -> str:
        """The state of the cloud, written out."""
        return repr(
            [
                (
                    [group.instances for group in each.groups.values()],
                    each.ec2.instances,
                    each.security_group.rules,
                    each.table.rosters,
                    each.table.held,
                    each.queue.messages,
                )
                for each in self.stage.cloud.regions.values()
            ]
        )


@dataclass(frozen=True, slots=True)
class _Call:
    """A call that a task is about to make. `looks` is what its answer depends on."""

    operation: str
    region: Region
    looks: frozenset[Resource]
    writes: frozenset[Resource] = frozenset()

    def judged_by(self, regions: Iterable[Region], invocations: Iterable[int]) -> frozenset[Resource]:
        """What the properties look at when the call changes something."""
        match self.operation:
            case "authorize" | "revoke":
                return frozenset((what, region) for region in regions for what in ("groups", "instances"))
            case "complete":
                rules = {("rules", region) for region in regions}
                rows = {("rows", self.region, self.region)}
                return frozenset(rules | rows | {("running", number) for number in invocations})
            case _:
                return frozenset()


def _call(operation: str, region: Region, arguments: tuple[object, ...], regions: Iterable[Region]) -> _Call:
    match operation, arguments:
        case "groups", _:
            return _Call(operation, region, frozenset({("groups", region)}))
        case "of_groups" | "by_id", _:
            return _Call(operation, region, frozenset({("instances", region)}))
        case "complete" | "happens", _:
            both = frozenset({("groups", region), ("instances", region)})
            return _Call(operation, region, both, both)
        case "rules", _:
            return _Call(operation, region, frozenset({("rules", region)}))
        case "authorize" | "revoke", _:
            rules = frozenset({("rules", region)})
            return _Call(operation, region, rules, rules)
        case "rows", _:
            return _Call(
                operation, region, frozenset({("held", region), *(("rows", region, home) for home in regions)})
            )
        case "rows_of", (home,):
            return _Call(operation, region, frozenset({("rows", region, home)}))
        case "replace" | "offer", (Roster(key=key), *_):
            row = frozenset({("rows", region, key.region)})
            return _Call(operation, region, row, row)
        case "hold", _:
            held = frozenset({("held", region)})
            return _Call(operation, region, held, held)
        case _:
            raise ValueError(f"what does {operation} read and write?")


class _Announcing:
    """A port that tells of every call before it is made."""

    def __init__(self, port: object, region: Region, tell: Callable[[str, Region, tuple[object, ...]], None]) -> None:
        self._port, self._region, self._tell = port, region, tell

    def __getattr__(self, operation: str) -> Callable[..., object]:
        make = getattr(self._port, operation)

        def call(*arguments: object) -> object:
            self._tell(operation, self._region, arguments)
            return make(*arguments)

        return call


@dataclass(frozen=True, slots=True)
class _Following:
    """Tasks of which the play is told who starts them and who waits for them."""

    tasks: Tasks
    play: Play

    def start(self, work: Callable[[], T]) -> Started[T]:
        """See `interfaces.Tasks.start`."""
        task = self.tasks.start(work)
        self.play.started(task)
        return _Followed(task, self.play)


@dataclass(frozen=True, slots=True)
class _Followed(Generic[T]):
    """Work under way."""

    task: Started[T]
    play: Play

    def result(self) -> T:
        """See `interfaces.Started.result`."""
        try:
            return self.task.result()
        finally:
            self.play.waited_for(self.task)
