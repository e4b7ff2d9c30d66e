"""A cluster in sync, on which something happens, and what became of it: the stage of the proofs.

Runs functions side by side as tasks of one scheduler, tells their calls with what they changed, and lets the schedule
make up for whatever went wrong. It knows nothing of what happens on it.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import partial

from ringfence.core.errors import RingfenceError
from ringfence.core.model.identifiers import InstanceId, Region
from ringfence.reconciler.interfaces import Services
from ringfence.reconciler.reconcile import reconcile
from ringfence_lab.sim.aws.auto_scaling import AutoScalingGroup
from ringfence_lab.sim.aws.history import ActionCompleted, Change
from ringfence_lab.sim.cloud import Cloud, CloudRegion
from ringfence_lab.sim.convergence import unconverged
from ringfence_lab.sim.engine.function import Engine, Function
from ringfence_lab.sim.engine.line import Invocation
from ringfence_lab.sim.engine.tasks import Scheduler, Task
from ringfence_lab.sim.properties import Properties, Violation

EAST, WEST, SOUTH = NAMES = ("us-east-1", "us-west-2", "ap-southeast-2")
ASG = "db"
TRUE_UP = {"trueup": True}

ROUNDS_TO_CONVERGE = 4
"""Rounds of the schedule after which all must be well. A member that nobody lists is believed gone after a minute, and
what one Region learns the next has to learn from it; four rounds end before the first heartbeat (300 s) does."""
ROUND_SECONDS = 61.0

Choose = Callable[[int], int]


def first_ready(_count: int) -> int:
    """The invocation's tasks take turns."""
    return 0


def last_ready(count: int) -> int:
    """A task goes on for as long as it can."""
    return count - 1


class Harness:
    """A cluster in sync, with the properties watching. Every invocation runs as tasks that take turns by `choose`; of
    one that is killed or fails nobody hears here: the queue and the schedule have to make up for it."""

    def __init__(
        self, regions: int = 2, desired: int = 2, engine: Engine = reconcile, choose: Choose = first_ready
    ) -> None:
        self.cloud = Cloud(NAMES[:regions])
        for region in self.cloud.regions.values():
            region.auto_scaling_group(ASG, desired)
        self.settings = {name: self.cloud.settings(name) for name in self.cloud.regions}
        self.properties = Properties(self.cloud, self.settings)
        self.changes: list[tuple[int, Change]] = []
        self.cloud.watchers += [self.properties.watch, self._watch]
        for name in self.cloud.regions:  # the last one's true-up finds the rosters of all
            self.cloud.invoke(name, TRUE_UP)
        for written in (self.cloud.calls, self.cloud.history, self.changes):
            written.clear()
        self.scheduler = Scheduler(self.cloud.clock, choose)
        self._engine = engine

    def region(self, name: str) -> CloudRegion:
        """The Region of that name."""
        return self.cloud.region(name)

    def group(self, name: str, asg: str = ASG) -> AutoScalingGroup:
        """The Region's Auto Scaling group."""
        return self.cloud.region(name).groups[asg]

    def configure(self, **changes: object) -> None:
        """Every function is deployed again with another configuration."""
        for name, settings in self.settings.items():
            self.settings[name] = replace(settings, **changes)  # type: ignore[arg-type]  # a scenario names the fields

    def unqueued_termination(self, home: str, newest: bool = False) -> Mapping[str, object]:
        """An instance terminates (the oldest, or the newest), and the event of it is in nobody's queue but in the
        caller's hand."""
        group = self.group(home)
        return self._unqueued(home, lambda: group.terminate(list(group.listed())[-newest], decrement=True))

    def unqueued_scale_in(self, home: str) -> Mapping[str, object]:
        """As `unqueued_termination`, of an instance that Auto Scaling chooses."""
        group = self.group(home)
        return self._unqueued(home, lambda: group.scale_to(group.desired - 1))

    def unqueued_launch(self, home: str) -> Mapping[str, object]:
        """An instance launches, and the event of it is in nobody's queue but in the caller's hand."""
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
        """The Regions' functions take what is in their queues, side by side. False where nothing is."""
        works = [work for home in homes for work in self.consumption(home)]
        self._run(works)
        return bool(works)

    def drain(self, *homes: str) -> None:
        """The functions run until the queues are empty."""
        while self.poll(*homes):
            pass

    def invoke(self, *payloads: tuple[str, object]) -> None:
        """Regions' functions are invoked directly, side by side."""
        self._run(self._direct(payloads))

    def poll_and_invoke(self, home: str, *payloads: tuple[str, object]) -> None:
        """A Region's function takes what is in its queue while functions are invoked directly."""
        self._run(self.consumption(home) + self._direct(payloads))

    def consumption(self, home: str) -> "list[Work]":
        """The run of a Region's function on what is in its queue, if anything is: not begun yet."""
        batch = self.region(home).queue.receive()
        return (
            [self._work(home, lambda function, one, services: function.consume(one, services, batch))] if batch else []
        )

    def invocation(self, home: str, payload: Callable[[], object]) -> "Work":
        """A run of a Region's function on a payload: not begun yet, nor is the payload asked for yet."""
        return self._work(home, lambda function, one, services: function.invoke(one, services, payload()))

    def _direct(self, payloads: Sequence[tuple[str, object]]) -> "list[Work]":
        return [self.invocation(home, lambda payload=payload: payload) for home, payload in payloads]  # type: ignore[misc]  # mypy cannot infer a lambda's default

    def _work(self, home: str, run: Callable[[Function, Invocation, Services], None]) -> "Work":
        one = self.cloud.invocation(home)
        function = Function(self.region(home).queue, self.settings[Region(home)], self._engine)
        return one, partial(
            _swallowing, partial(run, function, one, self.cloud.engine_services(home, one, self.scheduler))
        )

    def _run(self, works: Sequence["Work"]) -> None:
        tasks: list[Task[None]] = [self.scheduler.spawn(one, work) for one, work in works]
        while not all(task.over for task in tasks):
            if not self.scheduler.step():
                self.cloud.clock.advance_to_next_timer()
        while self.scheduler.step():
            pass  # what nobody waited for

    # What became of it.

    def recover(self) -> Iterator[str]:
        """The schedule fires, and messages are delivered again. Says what is still not as it should be after so many
        rounds, and what the next one changes where nothing is left to do."""
        remaining: list[str] = []
        for _ in range(ROUNDS_TO_CONVERGE):
            self._round()
            remaining = list(unconverged(self.properties))
            if not remaining:
                break
        else:
            yield from remaining
            return
        before = len(self.cloud.calls)
        self._round()
        yield from (f"converged, and yet {call}" for call in self.cloud.calls[before:] if call.mutating)

    def _round(self) -> None:
        self.cloud.clock.advance(ROUND_SECONDS)
        for name in self.cloud.regions:
            self.region(name).events.schedule()
            self.drain(name)

    def waiting(self) -> Iterator[str]:
        """The instances that wait for a hook."""
        for region in self.cloud.regions.values():
            for group in region.groups.values():
                yield from (f"{one.id} was left waiting" for one in group.instances.values() if one.waits)

    def left_behind(self) -> Iterator[str]:
        """The owned rules of instances that are gone: whoever overlapped has to clean up after the others."""
        serving = {
            id for region in self.cloud.regions.values() for group in region.groups.values() for id in group.instances
        }
        for region in self.cloud.regions.values():
            for rule in region.owned_rules():
                label = rule.label(self.cloud.cluster)
                if label is not None and InstanceId(label.instance) not in serving:
                    yield f"{rule.id} of {label.instance} was left behind in {region.name}"

    def violations(self) -> list[Violation]:
        """What did not hold so far, hooks that ended by themselves among it."""
        timed_out = [
            Violation("hooks_are_answered", f"{change.instance} waited until its heartbeat was over")
            for _, change in self.changes
            if isinstance(change, ActionCompleted) and change.by is None
        ]
        return self.properties.violations + timed_out

    def trace(self) -> list[str]:
        """Every call with what it changed, in order."""
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

    def _watch(self, change: Change) -> None:
        self.changes.append((len(self.cloud.calls), change))


Work = tuple[Invocation, Callable[[], None]]


def _swallowing(work: Callable[[], None]) -> None:
    with suppress(RingfenceError):  # the caller of a direct invoke is told, and nobody calls again
        work()
