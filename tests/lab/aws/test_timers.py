"""The timers that the lab's own process uses."""

import threading

from ringfence_lab.emulator.aws.timers import Timers


def test_calls_happen_in_the_order_in_which_they_fall_due() -> None:
    timers, order, done = Timers(), list[str](), threading.Event()

    timers.schedule(0.10, lambda: order.append("last"))
    timers.schedule(0.15, done.set)
    timers.schedule(0.05, lambda: order.append("middle"))
    timers.schedule(0.0, lambda: order.append("first"))

    assert done.wait(10)
    assert order == ["first", "middle", "last"]


def test_a_call_that_fails_does_not_stop_those_after_it() -> None:
    timers, done = Timers(), threading.Event()

    def fail() -> None:
        raise RuntimeError("as this test wants it")

    timers.schedule(0.0, fail)
    timers.schedule(0.01, done.set)

    assert done.wait(10)


def test_a_call_can_schedule_another() -> None:
    timers, done = Timers(), threading.Event()

    timers.schedule(0.0, lambda: timers.schedule(0.0, done.set))

    assert done.wait(10)
