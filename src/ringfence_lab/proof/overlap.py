"""Invocations that overlap in the simulated cloud, as a program that `exploration` can explore.

A step is one call of an invocation, with everything that the engine does until its next call. Each pass over a Region
is a task of its own, so the calls of concurrent passes interleave, too. What a call reads and writes (`_pending_call`)
includes what the *properties* read when the call changes something: only then does the order of independent calls not
change what the properties say. What the engine does between calls is invisible to other tasks. No time passes.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Generic, TypeVar, cast

from greenlet import getcurrent, greenlet

from ringfence.core.configuration.settings import Settings
from ringfence.core.events import Event
from ringfence.core.model.identifiers import Region, RosterKey
from ringfence.core.model.rosters import Roster
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
from ringfence_lab.proof.exploration import ExecutedStep, Footprint, Resource
from ringfence_lab.proof.harness import Harness
from ringfence_lab.sim.engine.function import Reconcile
from ringfence_lab.sim.engine.tasks import Immediate, Task
from ringfence_lab.sim.invocation import Invocation

T = TypeVar("T")

Begin = Callable[["InterleavedRun"], None]
"""Prepares the cluster, and starts the invocations that then overlap."""


class InterleavedRun:
    """One execution of a case, step by step. See `exploration.Execution`.

    `settled` remembers which final states converge. With `sequential`, an invocation passes over the Regions one after
    the other, home first, and is one task.
    """

    def __init__(
        self,
        begin: Begin,
        engine: Reconcile = reconcile,
        settled: dict[str, str] | None = None,
        *,
        sequential: bool = False,
    ) -> None:
        self._sequential = sequential
        self._inner = engine
        self._settled = {} if settled is None else settled
        self._pick = 0
        self._names: dict[greenlet, str] = {}
        self._children: Counter[str] = Counter()
        self._pending: dict[str, _PendingCall] = {}
        self._after: dict[str, set[int]] = {}
        self._steps = 0
        self.harness = Harness(2, 1, self._engine, lambda _: self._pick)
        self._invocations: list[Invocation] = []
        begin(self)
        self._run_to_calls()

    # The invocations.

    def consume(self, home: str) -> None:
        """Starts a Region's function on its queue."""
        for work in self.harness.consumption(home):
            self._spawn(*work)

    def invoke(self, home: str, payload: object) -> None:
        """Invokes a Region's function directly."""
        self._spawn(*self.harness.invocation(home, lambda: payload))

    def invoke_upon(self, home: str, happening: Callable[[], object]) -> None:
        """Lets something happen to the Region's Auto Scaling group, as a separate step; then invokes its function with
        the payload that `happening` returned."""
        self._spawn(*self.harness.invocation(home, lambda: self._happen(Region(home), happening)))

    def _happen(self, region: Region, happening: Callable[[], object]) -> object:
        self._announce("happens", region, ())
        self.harness.scheduler.pause()
        return happening()

    def _spawn(self, invocation: Invocation, work: Callable[[], None]) -> None:
        self._invocations.append(invocation)
        self._name(self.harness.scheduler.spawn(invocation, work), str(invocation))

    # The interface of the exploration.

    def enabled(self) -> Sequence[str]:
        """The tasks that are ready to make a call."""
        return sorted(self._names[task.greenlet] for task in self.harness.scheduler.ready)

    def step(self, task: str) -> ExecutedStep:
        """Makes the task's call, and runs until every task is ready to make a call or waits for another task."""
        call, after = self._pending.pop(task), tuple(self._after[task])
        self._after[task] = {self._steps}
        self._steps += 1
        running = {invocation for invocation in self._invocations if invocation.running}
        changes = len(self.harness.changes)
        self._continue(task)
        self._run_to_calls()
        ended = {("running", invocation.number) for invocation in running if not invocation.running}
        if len(self.harness.changes) == changes and call.operation != "hold":  # it changed nothing: it only read
            return ExecutedStep(Footprint(call.reads, frozenset(ended)), after)
        regions, numbers = self.harness.cloud.regions, [invocation.number for invocation in self._invocations]
        return ExecutedStep(Footprint(call.reads | call.read_by_checks(regions, numbers), call.writes | ended), after)

    def wrong(self) -> str:
        """A violated property; at the end, also what does not converge."""
        if violations := self.harness.violations():
            return str(violations[0])
        if self.harness.scheduler.ready:
            return ""
        if left := list(self.harness.left_behind()):
            return left[0]
        end = self.cloud()
        if end not in self._settled:
            self._settled[end] = "; ".join([*self.harness.recover(), *map(str, self.harness.violations())])
        return self._settled[end]

    # The execution.

    def _continue(self, name: str) -> None:
        self._pick = [self._names[task.greenlet] for task in self.harness.scheduler.ready].index(name)
        self.harness.scheduler.step()
        self._pick = 0

    def _run_to_calls(self) -> None:
        """Runs every task up to its next call: what it does before that is invisible to the other tasks."""
        while local := [name for name in self.enabled() if name not in self._pending]:
            self._continue(local[0])

    def _engine(self, events: Sequence[Event], services: Services, settings: Settings) -> None:
        if getcurrent() in self._names:  # otherwise it runs in the recovery
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
                    cast(RosterTable, _Announcing(of_region.table, name, tell)),
                    cast(SecurityGroups, _Announcing(of_region.security_groups, name, tell)),
                )
                for name, of_region in services.regions.items()
            },
            tasks=Immediate(self.harness.cloud.clock) if self._sequential else _Following(services.tasks, self),
        )

    def _announce(self, operation: str, region: Region, arguments: tuple[object, ...]) -> None:
        self._pending[self._names[getcurrent()]] = _pending_call(
            operation, region, arguments, self.harness.cloud.regions
        )

    def _name(self, task: "Task[T]", name: str, after: Iterable[int] = ()) -> None:
        self._names[task.greenlet] = name
        self._after[name] = set(after)

    def started(self, task: object) -> None:
        """Notes that the running task started another one."""
        parent = self._names[getcurrent()]
        self._children[parent] += 1
        self._name(cast("Task[object]", task), f"{parent}.{self._children[parent]}", self._after[parent])

    def waited_for(self, task: object) -> None:
        """Notes that the running task has the result of another one."""
        self._after[self._names[getcurrent()]] |= self._after[self._names[cast("Task[object]", task).greenlet]]

    def cloud(self) -> str:
        """The state of the cloud as a text, to compare states, without the order in which rows were written."""
        return repr(
            [
                (
                    [group.instances for group in region.groups.values()],
                    region.ec2.instances,
                    region.security_group.rules,
                    sorted(region.table.rosters.items()),
                    sorted(region.table.bad.items()),
                    region.table.held,
                    region.queue.messages,
                )
                for region in self.harness.cloud.regions.values()
            ]
        )


@dataclass(frozen=True, slots=True)
class _PendingCall:
    """The next call of a task. `reads` is what its answer depends on."""

    operation: str
    region: Region
    reads: frozenset[Resource]
    writes: frozenset[Resource] = frozenset()

    def read_by_checks(self, regions: Iterable[Region], invocations: Iterable[int]) -> frozenset[Resource]:
        """What the properties read when the call changes something."""
        match self.operation:
            case "authorize" | "revoke":
                return frozenset((what, region) for region in regions for what in ("groups", "instances"))
            case "complete":
                rules = {("rules", region) for region in regions}
                rows = {("rows", self.region, self.region)}
                return frozenset(rules | rows | {("running", number) for number in invocations})
            case _:
                return frozenset()


def _pending_call(
    operation: str, region: Region, arguments: tuple[object, ...], regions: Iterable[Region]
) -> _PendingCall:
    match operation, arguments:
        case "groups", _:
            return _PendingCall(operation, region, frozenset({("groups", region)}))
        case "of_groups" | "by_id", _:
            return _PendingCall(operation, region, frozenset({("instances", region)}))
        case "complete" | "happens", _:
            both = frozenset({("groups", region), ("instances", region)})
            return _PendingCall(operation, region, both, both)
        case "rules" | "missing" | "prefix_lists", _:
            return _PendingCall(operation, region, frozenset({("rules", region)}))
        case "authorize" | "revoke", _:
            rules = frozenset({("rules", region)})
            return _PendingCall(operation, region, rules, rules)
        case "rows", _:
            return _PendingCall(
                operation, region, frozenset({("held", region), *(("rows", region, home) for home in regions)})
            )
        case "rows_of", (home,):
            return _PendingCall(operation, region, frozenset({("rows", region, home)}))
        case ("replace" | "offer", (Roster(key=RosterKey(region=home)), *_)) | ("delete", (RosterKey(region=home), *_)):
            row = frozenset({("rows", region, home)})
            return _PendingCall(operation, region, row, row)
        case "hold", _:
            held = frozenset({("held", region)})
            return _PendingCall(operation, region, held, held)
        case _:
            raise ValueError(f"{operation} is unknown: add what it reads and writes")


class _Announcing:
    """A service that announces every call before it makes it."""

    def __init__(
        self, service: object, region: Region, tell: Callable[[str, Region, tuple[object, ...]], None]
    ) -> None:
        self._service, self._region, self._tell = service, region, tell

    def __getattr__(self, operation: str) -> Callable[..., object]:
        make = getattr(self._service, operation)

        def call(*arguments: object) -> object:
            self._tell(operation, self._region, arguments)
            return make(*arguments)

        return call


@dataclass(frozen=True, slots=True)
class _Following:
    """Tasks that tell the run which task starts and which one waits for another."""

    tasks: Tasks
    run: InterleavedRun

    def start(self, work: Callable[[], T]) -> Started[T]:
        """See `interfaces.Tasks.start`."""
        task = self.tasks.start(work)
        self.run.started(task)
        return _Followed(task, self.run)

    def sleep(self, seconds: float) -> None:
        """See `interfaces.Tasks.sleep`."""
        self.tasks.sleep(seconds)


@dataclass(frozen=True, slots=True)
class _Followed(Generic[T]):
    """Work that was started."""

    task: Started[T]
    run: InterleavedRun

    def result(self) -> T:
        """See `interfaces.Started.result`."""
        try:
            return self.task.result()
        finally:
            self.run.waited_for(self.task)
