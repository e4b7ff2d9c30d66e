"""Two ways to run an engine's work: immediately, or as cooperative tasks that switch at every call.

`Immediate` is for tests that need one result. `Scheduler` lets any number of invocations overlap: one task runs until
its next call, then `choose` selects the task to continue. So one seed, or one list of choices, determines the whole
interleaving. It must not know what the work does.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar, cast

from greenlet import getcurrent, greenlet

from ringfence_lab.sim.aws.clock import VirtualClock
from ringfence_lab.sim.engine.line import Killed
from ringfence_lab.sim.invocation import Invocation

T = TypeVar("T")

LONGEST_FUNCTION = 900.0
"""The longest time-out of a function, in seconds. Source: Lambda Developer Guide, "Lambda quotas"."""


@dataclass(frozen=True, slots=True)
class FinishedWork(Generic[T]):
    """The result of work that has ended."""

    value: T | None
    error: Exception | None = None

    def result(self) -> T:
        """See `interfaces.Started.result`."""
        if self.error is not None:
            raise self.error
        return cast(T, self.value)


@dataclass(frozen=True, slots=True)
class Immediate:
    """The `Tasks` interface: runs work when it is started. Slow calls add up, because nothing runs concurrently."""

    clock: VirtualClock

    def start(self, work: Callable[[], T]) -> FinishedWork[T]:
        """See `interfaces.Tasks.start`."""
        try:
            return FinishedWork(work())
        except Exception as error:  # noqa: BLE001  # `result` raises it, as a thread's future does
            return FinishedWork(None, error)

    def pause(self) -> None:
        """Does nothing: no other task exists."""

    def sleep(self, seconds: float) -> None:
        """Moves the clock. Raises Killed for a wait that no function survives."""
        if seconds > LONGEST_FUNCTION:
            raise Killed
        self.clock.advance(seconds)


class Task(Generic[T]):
    """A part of an invocation's work that alternates with all other tasks. `awaited`: another task reads its result."""

    def __init__(
        self, scheduler: "Scheduler", invocation: Invocation, work: Callable[[], T], *, awaited: bool = False
    ) -> None:
        self.invocation = invocation
        self.over = False
        self.awaited = awaited
        self.waiting: list[Task[object]] = []
        self.greenlet = greenlet(self._run, scheduler.hub)
        self._scheduler = scheduler
        self._work = work
        self._value: T | None = None
        self._error: BaseException | None = None

    @property
    def error(self) -> Exception | None:
        """The error that ended the work; None if its process was killed."""
        return self._error if isinstance(self._error, Exception) else None

    def result(self) -> T:
        """See `interfaces.Started.result`. While the task runs, only another task may call it."""
        if not self.over:
            self._scheduler.wait_for(self)
        if self._error is not None:
            raise self._error
        return cast(T, self._value)

    def _run(self) -> None:
        try:
            self._value = self._work()
        except BaseException as error:  # noqa: BLE001  # `result` raises it; a kill ends here
            self._error = error
        self.end()

    def end(self) -> None:
        """Marks the task as over; the tasks that wait for it continue."""
        self.over = True
        self._scheduler.ready += self.waiting
        self.waiting = []


class Scheduler:
    """Runs one task after the other. `choose(n)` selects the next of n ready tasks by its index."""

    def __init__(self, clock: VirtualClock, choose: Callable[[int], int]) -> None:
        self.hub = getcurrent()
        self.ready: list[Task[object]] = []
        self.switches = 0
        self._clock = clock
        self._choose = choose
        self._current: Task[object] | None = None
        self._tasks: list[Task[object]] = []

    def spawn(self, invocation: Invocation, work: Callable[[], T], *, awaited: bool = False) -> Task[T]:
        """A new task, ready to run. If it is not awaited, the `step` that ends it raises its error."""
        task = Task(self, invocation, work, awaited=awaited)
        self.ready.append(cast(Task[object], task))
        self._tasks.append(cast(Task[object], task))
        return task

    def close(self) -> None:
        """Ends every task that is not over: the garbage collector cannot free a greenlet that waits."""
        for task in self._tasks:
            self._kill(task)
        self._tasks.clear()

    def step(self) -> bool:
        """Runs one task until it stops. False if none is ready. Raises the error of a task that is not awaited."""
        ready = self.ready
        if not ready:
            return False
        task = ready.pop(self._choose(len(ready)) if len(ready) > 1 else 0)
        if task.invocation.killed:
            self._kill(task)
            return True
        self.switches += 1
        self._current = task
        task.greenlet.switch()
        self._current = None
        if task.over and not task.awaited and task.error is not None:
            raise task.error
        return True

    def run(self) -> None:
        """Runs until all tasks are over. Time passes only while all of them sleep."""
        while self.step() or self._clock.advance_to_next_timer():
            pass

    def pause(self) -> None:
        """The running task lets other tasks run, if `choose` selects them."""
        self.ready.append(self._running())
        self.hub.switch()

    def sleep(self, seconds: float) -> None:
        """The running task waits."""
        task = self._running()
        self._clock.after(seconds, lambda: self.ready.append(task))
        self.hub.switch()

    def wait_for(self, task: Task[T]) -> None:
        """The running task waits for another task."""
        task.waiting.append(self._running())
        self.hub.switch()
        if self._running().invocation.killed:
            raise Killed

    def _running(self) -> Task[object]:
        if self._current is None:
            raise RuntimeError("only a task can wait")
        return self._current

    def _kill(self, task: Task[object]) -> None:
        """Ends a task whose process was killed: it does nothing more."""
        if not task.over:
            if task.greenlet:
                self._current = task
                task.greenlet.throw(Killed)
                self._current = None
            else:
                task.end()  # it has not started


@dataclass(frozen=True, slots=True)
class Cooperative:
    """The `Tasks` interface of one invocation on the scheduler."""

    scheduler: Scheduler
    invocation: Invocation

    def start(self, work: Callable[[], T]) -> Task[T]:
        """See `interfaces.Tasks.start`."""
        return self.scheduler.spawn(self.invocation, work, awaited=True)

    def pause(self) -> None:
        """Switches to another task before a call."""
        self.scheduler.pause()

    def sleep(self, seconds: float) -> None:
        """Waits while a call is slow."""
        self.scheduler.sleep(seconds)
