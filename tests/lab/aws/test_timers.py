"""The timers of the lab's process."""

import threading

from ringfence_lab.emulator.aws.timers import Timers


def test_calls_run_in_the_order_of_their_times() -> None:
    timers, order, done = Timers(), list[str](), threading.Event()

    timers.call_later(0.10, lambda: order.append("last"))
    timers.call_later(0.15, done.set)
    timers.call_later(0.05, lambda: order.append("middle"))
    timers.call_later(0.0, lambda: order.append("first"))

    assert done.wait(10)
    assert order == ["first", "middle", "last"]


def test_a_failed_call_does_not_stop_later_calls() -> None:
    timers, done = Timers(), threading.Event()

    def fail() -> None:
        raise RuntimeError("on purpose")

    timers.call_later(0.0, fail)
    timers.call_later(0.01, done.set)

    assert done.wait(10)


def test_a_call_can_set_another_timer() -> None:
    timers, done = Timers(), threading.Event()

    timers.call_later(0.0, lambda: timers.call_later(0.0, done.set))

    assert done.wait(10)
