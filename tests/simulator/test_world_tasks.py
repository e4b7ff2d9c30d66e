"""Overlapping work: the order of the tasks, their results and errors."""

import random
from collections.abc import Callable

import pytest

from ringfence.core.errors import Retry
from ringfence_lab.sim.aws.clock import VirtualClock
from ringfence_lab.sim.cloud import Cloud
from ringfence_lab.sim.engine.line import Killed
from ringfence_lab.sim.engine.tasks import Cooperative, Immediate, Scheduler
from ringfence_lab.sim.invocation import Invocation


def fails() -> None:
    raise Retry("it fails")


@pytest.fixture
def clock() -> VirtualClock:
    return VirtualClock()


def scheduler(clock: VirtualClock, choose: Callable[[int], int] = lambda _: 0) -> Scheduler:
    return Scheduler(clock, choose)


def cooperative(clock: VirtualClock, choose: Callable[[int], int] = lambda _: 0) -> Cooperative:
    return Cooperative(scheduler(clock, choose), Cloud(["us-east-1"]).invocation("us-east-1"))


def test_immediate_work_raises_when_its_result_is_read(clock: VirtualClock) -> None:
    started = Immediate(clock).start(fails)

    with pytest.raises(Retry):
        started.result()


def test_the_error_of_a_task_that_is_not_awaited_ends_the_run(clock: VirtualClock) -> None:
    tasks = scheduler(clock)
    tasks.spawn(Cloud(["us-east-1"]).invocation("us-east-1"), fails)

    with pytest.raises(Retry):
        tasks.run()


def test_the_error_of_an_awaited_task_is_raised_with_its_result(clock: VirtualClock) -> None:
    tasks = cooperative(clock)
    started = tasks.start(fails)

    tasks.scheduler.run()

    with pytest.raises(Retry):
        started.result()


def test_tasks_alternate_at_every_pause(clock: VirtualClock) -> None:
    tasks = cooperative(clock)
    seen: list[str] = []

    def work(name: str) -> None:
        for n in range(3):
            seen.append(f"{name}{n}")
            tasks.pause()

    tasks.start(lambda: work("a"))
    tasks.start(lambda: work("b"))
    tasks.scheduler.run()

    assert seen == ["a0", "b0", "a1", "b1", "a2", "b2"]


def test_choose_selects_the_task_that_continues(clock: VirtualClock) -> None:
    tasks = cooperative(clock, choose=lambda n: n - 1)
    seen: list[str] = []

    def work(name: str) -> None:
        for n in range(2):
            seen.append(f"{name}{n}")
            tasks.pause()

    tasks.start(lambda: work("a"))
    tasks.start(lambda: work("b"))
    tasks.scheduler.run()

    assert seen == ["b0", "b1", "a0", "a1"]


def test_a_task_waits_for_another_task_and_gets_its_result(clock: VirtualClock) -> None:
    tasks = cooperative(clock)

    def slow() -> int:
        tasks.sleep(5)
        return 42

    outer = tasks.start(lambda: tasks.start(slow).result() + 1)
    tasks.scheduler.run()

    assert outer.result() == 43


def test_a_task_gets_the_error_of_the_task_it_waits_for(clock: VirtualClock) -> None:
    tasks = cooperative(clock)
    outer = tasks.start(lambda: tasks.start(fails).result())
    tasks.scheduler.run()

    with pytest.raises(Retry):
        outer.result()


def test_tasks_sleep_concurrently(clock: VirtualClock) -> None:
    tasks = cooperative(clock)
    before = clock.now()
    for _ in range(3):
        tasks.start(lambda: tasks.sleep(5))

    tasks.scheduler.run()

    assert clock.now() - before == 5


def test_a_kill_ends_only_the_tasks_of_its_invocation(clock: VirtualClock) -> None:
    shared = scheduler(clock)
    cloud = Cloud(["us-east-1"])
    doomed, spared = (Cooperative(shared, cloud.invocation("us-east-1")) for _ in range(2))
    seen: list[str] = []

    def work(tasks: Cooperative, name: str) -> None:
        tasks.pause()
        seen.append(name)

    def waits(tasks: Cooperative) -> None:
        tasks.start(lambda: work(tasks, "inner")).result()
        seen.append("after")

    killed = doomed.start(lambda: waits(doomed))
    spared.start(lambda: work(spared, "spared"))
    for _ in range(3):
        shared.step()
    doomed.invocation.killed = True
    shared.run()

    assert seen == ["spared"]
    with pytest.raises(Killed):
        killed.result()


def test_one_seed_determines_the_whole_interleaving(clock: VirtualClock) -> None:
    def run(seed: int) -> list[str]:
        tasks = cooperative(clock, random.Random(seed).randrange)  # a simulation
        seen: list[str] = []

        def work(name: str) -> None:
            for _ in range(5):
                seen.append(name)
                tasks.pause()

        for name in "abc":
            tasks.start(lambda name=name: work(name))  # type: ignore[misc]  # mypy cannot infer a lambda's default
        tasks.scheduler.run()
        return seen

    assert run(7) == run(7)
    assert len({tuple(run(seed)) for seed in range(20)}) > 10


def test_an_invocation_is_identified_by_number_and_region() -> None:
    cloud = Cloud(["us-east-1", "us-west-2"])

    first, second = cloud.invocation("us-east-1"), cloud.invocation("us-west-2")

    assert [str(invocation) for invocation in (first, second)] == ["#1 us-east-1", "#2 us-west-2"]
    assert isinstance(first, Invocation)


def test_a_closed_scheduler_ends_waiting_tasks(clock: VirtualClock) -> None:
    # given a task that waits forever, and one that has not started
    tasks = cooperative(clock)
    ended: list[str] = []

    def waits() -> None:
        try:
            tasks.sleep(1e9)
        finally:
            ended.append("waited")

    tasks.start(waits)
    tasks.scheduler.step()
    never = tasks.start(lambda: ended.append("began"))
    # when
    tasks.scheduler.close()
    # then
    assert ended == ["waited"]
    assert never.over
