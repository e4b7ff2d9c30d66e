"""Two ways to run an engine's work: at once, or as cooperative tasks that take turns at every call.

`Immediate` is for tests that want an answer. `Scheduler` lets any number of invocations overlap: one task runs at a
time, a call is where it may stop, and `choose` says who goes on, so that one seed, or one list of choices, decides the
whole interleaving. Knows nothing of what the work does.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar, cast

from greenlet import getcurrent, greenlet

from ringfence_lab.sim.aws.clock import VirtualClock
from ringfence_lab.sim.engine.line import Invocation, Killed

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Done(Generic[T]):
    """Work that is over."""

    value: T | None
    error: Exception | None = None

    def result(self) -> T:
        """See `interfaces.Started.result`."""
        if self.error is not None:
            raise self.error
        return cast(T, self.value)


@dataclass(frozen=True, slots=True)
class Immediate:
    """The `Tasks` port: work is done when it is started. Slow calls add up, since nothing runs beside them."""

    clock: VirtualClock

    def start(self, work: Callable[[], T]) -> Done[T]:
        """See `interfaces.Tasks.start`."""
        try:
            return Done(work())
        except Exception as error:  # noqa: BLE001  # it is raised where the result is asked for, as a thread would
            return Done(None, error)

    def pause(self) -> None:
        """Nobody else runs."""

    def sleep(self, seconds: float) -> None:
        """Time passes for everybody."""
        self.clock.advance(seconds)


class Task(Generic[T]):
    """A piece of an invocation's work that takes turns with all others. `awaited` says that another piece asks for its
    result."""

    def __init__(
        self, scheduler: "Scheduler", invocation: Invocation, work: Callable[[], T], awaited: bool = False
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
        """What it failed with, unless its process was killed."""
        return self._error if isinstance(self._error, Exception) else None

    def result(self) -> T:
        """See `interfaces.Started.result`. Only from within a task, unless the task is over."""
        if not self.over:
            self._scheduler.wait_for(self)
        if self._error is not None:
            raise self._error
        return cast(T, self._value)

    def _run(self) -> None:
        try:
            self._value = self._work()
        except BaseException as error:  # noqa: BLE001  # it is raised where the result is asked for; a kill ends here
            self._error = error
        self.end()

    def end(self) -> None:
        """It will not run again; whoever waits for it can go on."""
        self.over = True
        self._scheduler.ready += self.waiting
        self.waiting = []


class Scheduler:
    """Runs tasks one at a time. `choose(n)` picks the next of n that are ready."""

    def __init__(self, clock: VirtualClock, choose: Callable[[int], int]) -> None:
        self.hub = getcurrent()
        self.ready: list[Task[object]] = []
        self.switches = 0
        self._clock = clock
        self._choose = choose
        self._current: Task[object] | None = None
        self._tasks: list[Task[object]] = []

    def spawn(self, invocation: Invocation, work: Callable[[], T], awaited: bool = False) -> Task[T]:
        """A new task, ready to run. Where nobody awaits it, its error is raised by the `step` that it ends in."""
        task = Task(self, invocation, work, awaited)
        self.ready.append(cast(Task[object], task))
        self._tasks.append(cast(Task[object], task))
        return task

    def close(self) -> None:
        """Ends every task that is not over: no garbage collector sees into a greenlet that was left waiting."""
        for task in self._tasks:
            self._kill(task)
        self._tasks.clear()

    def step(self) -> bool:
        """Lets one task run until it stops. False where none is ready. Raises what a task failed with that nobody
        awaits."""
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
        """The running task lets others go first, maybe."""
        self.ready.append(self._running())
        self.hub.switch()

    def sleep(self, seconds: float) -> None:
        """The running task waits so many seconds."""
        task = self._running()
        self._clock.after(seconds, lambda: self.ready.append(task))
        self.hub.switch()

    def wait_for(self, task: Task[T]) -> None:
        """The running task waits for another one."""
        task.waiting.append(self._running())
        self.hub.switch()
        if self._running().invocation.killed:
            raise Killed

    def _running(self) -> Task[object]:
        if self._current is None:
            raise RuntimeError("only a task can wait")
        return self._current

    def _kill(self, task: Task[object]) -> None:
        """The task's process is gone: whatever it was about to do, it does not."""
        if not task.over:
            if task.greenlet:
                self._current = task
                task.greenlet.throw(Killed)
                self._current = None
            else:
                task.end()  # it never started


@dataclass(frozen=True, slots=True)
class Cooperative:
    """The `Tasks` port of one invocation on the scheduler."""

    scheduler: Scheduler
    invocation: Invocation

    def start(self, work: Callable[[], T]) -> Task[T]:
        """See `interfaces.Tasks.start`."""
        return self.scheduler.spawn(self.invocation, work, awaited=True)

    def pause(self) -> None:
        """A call is about to be made."""
        self.scheduler.pause()

    def sleep(self, seconds: float) -> None:
        """A call takes its time."""
        self.scheduler.sleep(seconds)
