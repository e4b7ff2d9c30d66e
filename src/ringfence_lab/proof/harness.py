"""A cluster in sync, on which a proof lets something happen, and then what became of it: the harness of the proofs.

It runs functions concurrently as tasks of one scheduler, records their calls with the changes they made, and lets the
schedule repair what failed. It must not know what happens to the cluster.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import partial

from ringfence.core.errors import RingfenceError
from ringfence.core.freshness import SETTLED_SECONDS
from ringfence.core.model.identifiers import InstanceId, Region
from ringfence.core.model.rules import Label, Rule
from ringfence.reconciler.interfaces import Services
from ringfence.reconciler.reconcile import reconcile
from ringfence_lab.sim.aws.auto_scaling import AutoScalingGroup
from ringfence_lab.sim.aws.history import ActionCompleted, CloudChange
from ringfence_lab.sim.aws.region import CloudRegion
from ringfence_lab.sim.cloud import Cloud
from ringfence_lab.sim.engine.function import Function, Reconcile
from ringfence_lab.sim.engine.tasks import Scheduler, Task
from ringfence_lab.sim.invocation import Invocation
from ringfence_lab.sim.properties.checker import Checker
from ringfence_lab.sim.properties.convergence import unconverged
from ringfence_lab.sim.properties.violation import Violation

EAST, WEST, SOUTH = NAMES = ("us-east-1", "us-west-2", "ap-southeast-2")
ASG = "db"
TRUE_UP = {"trueup": True}

ROUNDS_TO_CONVERGE = 4
"""Rounds of the schedule after which everything must have converged. A member that no group lists counts as gone after
a minute, and each Region has to learn what another one found; four rounds end before the first heartbeat (300 s)."""
ROUND_SECONDS = 61.0

Choose = Callable[[int], int]
"""Selects the task that continues, by its index among so many."""

Work = tuple[Invocation, Callable[[], None]]
"""The run of a function, not started yet."""


def first_ready(_count: int) -> int:
    """The tasks of an invocation alternate."""
    return 0


def last_ready(count: int) -> int:
    """A task continues for as long as it can."""
    return count - 1


class Harness:
    """A cluster in sync, watched by a checker. Every invocation runs as tasks that alternate by `choose`.

    An invocation that is killed or fails is not reported: the queue and the schedule have to repair it.
    """

    def __init__(
        self, regions: int = 2, desired: int = 2, engine: Reconcile = reconcile, choose: Choose = first_ready
    ) -> None:
        self.cloud = Cloud(NAMES[:regions])
        for region in self.cloud.regions.values():
            region.auto_scaling_group(ASG, desired)
        self.settings = {name: self.cloud.settings(name) for name in self.cloud.regions}
        self.checker = Checker(self.cloud, self.settings)
        self.changes: list[tuple[int, CloudChange]] = []
        self.cloud.watchers += [self.checker.watch, self._watch]
        for name in self.cloud.regions:  # the true-up of the last Region finds all rosters
            self.cloud.invoke(name, TRUE_UP)
        self.cloud.clock.advance(SETTLED_SECONDS)  # its members have had their rules for long
        for recorded in (self.cloud.calls, self.cloud.history, self.changes):
            recorded.clear()
        self.scheduler = Scheduler(self.cloud.clock, choose)
        self._engine = engine

    def region(self, name: str) -> CloudRegion:
        """The Region of that name."""
        return self.cloud.region(name)

    def group(self, name: str, asg: str = ASG) -> AutoScalingGroup:
        """The Region's Auto Scaling group."""
        return self.cloud.region(name).groups[asg]

    def rules_of(self, name: str, instance: InstanceId) -> list[Rule]:
        """The rules of an instance in a Region."""
        return [rule for rule, label in self._labelled(self.region(name)) if label.instance == instance]

    def configure(self, **changes: object) -> None:
        """Deploys every function again with changed settings."""
        for name, settings in self.settings.items():
            self.settings[name] = replace(settings, **changes)  # type: ignore[arg-type]  # a scenario names the fields

    def unqueued_termination(self, home: str, *, newest: bool = False) -> Mapping[str, object]:
        """An instance terminates, the oldest or the newest. Returns its event, which is in no queue."""
        group = self.group(home)
        return self._unqueued(home, lambda: group.terminate(list(group.listed())[-newest], decrement=True))

    def unqueued_scale_in(self, home: str) -> Mapping[str, object]:
        """As `unqueued_termination`, for an instance that Auto Scaling chooses."""
        group = self.group(home)
        return self._unqueued(home, lambda: group.scale_to(group.desired - 1))

    def unqueued_launch(self, home: str) -> Mapping[str, object]:
        """An instance launches. Returns its event, which is in no queue."""
        group = self.group(home)
        return self._unqueued(home, lambda: group.scale_to(group.desired + 1))

    def _unqueued(self, home: str, happening: Callable[[], None]) -> Mapping[str, object]:
        events = self.region(home).events
        sent, fate = len(events.emitted), events.fate
        events.fate = lambda _event: ()
        happening()
        events.fate = fate
        return events.emitted[sent]

    # Invocations.

    def poll(self, *homes: str) -> bool:
        """Runs the Regions' functions on their queues, concurrently. False if all queues are empty."""
        works = [work for home in homes for work in self.consumption(home)]
        self._run(works)
        return bool(works)

    def drain(self, *homes: str) -> None:
        """Runs the functions until the queues are empty."""
        while self.poll(*homes):
            pass

    def invoke(self, *payloads: tuple[str, object]) -> None:
        """Invokes functions directly, concurrently: each payload with its Region."""
        self._run(self._direct(payloads))

    def poll_and_invoke(self, home: str, *payloads: tuple[str, object]) -> None:
        """Runs a Region's function on its queue, concurrently with functions that are invoked directly."""
        self._run(self.consumption(home) + self._direct(payloads))

    def consumption(self, home: str) -> list[Work]:
        """The run of a Region's function on its queue, if there is a batch. It is not started yet."""
        batch = self.region(home).queue.receive()
        if not batch:
            return []
        return [self._work(home, lambda function, run, services: function.consume(run, services, batch))]

    def invocation(self, home: str, payload: Callable[[], object]) -> Work:
        """A run of a Region's function on a payload. Neither is the run started yet, nor `payload` called."""
        return self._work(home, lambda function, run, services: function.invoke(run, services, payload()))

    def _direct(self, payloads: Sequence[tuple[str, object]]) -> list[Work]:
        return [self.invocation(home, lambda payload=payload: payload) for home, payload in payloads]  # type: ignore[misc]  # mypy cannot infer a lambda's default

    def _work(self, home: str, run: Callable[[Function, Invocation, Services], None]) -> Work:
        invocation = self.cloud.invocation(home)
        function = Function(self.region(home).queue, self.settings[Region(home)], self._engine)
        services = self.cloud.engine_services(home, invocation, self.scheduler)
        return invocation, partial(_ignoring_errors, partial(run, function, invocation, services))

    def _run(self, works: Sequence[Work]) -> None:
        tasks: list[Task[None]] = [self.scheduler.spawn(invocation, work) for invocation, work in works]
        while not all(task.over for task in tasks):
            if not self.scheduler.step():
                self.cloud.clock.advance_to_next_timer()
        while self.scheduler.step():
            pass  # tasks that are not awaited

    # Results.

    def recover(self) -> Iterator[str]:
        """Lets the schedule fire and messages be delivered again, for a bounded number of rounds. Yields what has not
        converged then; after convergence, what the next round changes."""
        remaining: list[str] = []
        for _ in range(ROUNDS_TO_CONVERGE):
            self._round()
            remaining = list(unconverged(self.checker.context))
            if not remaining:
                break
        else:
            yield from remaining
            return
        before = len(self.cloud.calls)
        self._round()
        yield from (f"changed after convergence: {call}" for call in self.cloud.calls[before:] if call.mutating)

    def _round(self) -> None:
        self.cloud.clock.advance(ROUND_SECONDS)
        for name in self.cloud.regions:
            self.region(name).events.schedule()
            self.drain(name)

    def waiting(self) -> Iterator[str]:
        """The instances that still wait for a hook."""
        for region in self.cloud.regions.values():
            for group in region.groups.values():
                yield from (f"{instance.id} still waits" for instance in group.instances.values() if instance.waits)

    def left_behind(self) -> Iterator[str]:
        """The owned rules of instances that the Region's own table has as no member, or that are gone: overlapping
        invocations have to clean up after each other."""
        listed = {
            id for region in self.cloud.regions.values() for group in region.groups.values() for id in group.instances
        }
        for region in self.cloud.regions.values():
            for rule, label in self._labelled(region):
                instance, roster = InstanceId(label.instance), region.table.rosters.get(label.roster)
                if instance not in listed or (roster is not None and instance not in roster.members):
                    yield f"{rule.id} of {instance} was left behind in {region.name}"

    def _labelled(self, region: CloudRegion) -> Iterator[tuple[Rule, Label]]:
        """The owned rules of a Region, each with its label."""
        for rule in region.owned_rules():
            if (label := rule.label(self.cloud.cluster)) is not None:
                yield rule, label

    def violations(self) -> list[Violation]:
        """All violations so far, including hooks that no invocation answered."""
        timed_out = [
            Violation("hooks_are_answered", f"{change.instance} waited until its heartbeat ended")
            for _, change in self.changes
            if isinstance(change, ActionCompleted) and change.by is None
        ]
        return self.checker.violations + timed_out

    def trace(self) -> list[str]:
        """Every call with the changes it made, in order."""
        lines: list[str] = []
        changes = iter([*self.changes, (len(self.cloud.calls) + 1, None)])
        at, change = next(changes)
        for number in range(len(self.cloud.calls) + 1):
            if number:
                lines.append(f"{number:4} {self.cloud.calls[number - 1]}")
            while at == number:
                lines.append(f"       {change}")
                at, change = next(changes)
        return lines

    def _watch(self, change: CloudChange) -> None:
        self.changes.append((len(self.cloud.calls), change))


def _ignoring_errors(work: Callable[[], None]) -> None:
    with suppress(RingfenceError):  # a direct invoke tells its caller, who does not call again
        work()
