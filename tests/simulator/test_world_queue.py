"""The simulated FIFO queue behaves as documented. Source: SQS Developer Guide, FIFO queues."""

import pytest

from ringfence_lab.sim.aws.clock import VirtualClock
from ringfence_lab.sim.aws.queue import Queue


@pytest.fixture
def clock() -> VirtualClock:
    return VirtualClock()


@pytest.fixture
def queue(clock: VirtualClock) -> Queue:
    return Queue(clock, visibility_seconds=60, max_receives=2)


def bodies(queue: Queue) -> list[str]:
    return [message.body for message in queue.receive()]


def test_the_same_content_within_five_minutes_is_accepted_once(clock: VirtualClock, queue: Queue) -> None:
    # "Exactly-once processing": content-based deduplication, even after the first one was received and deleted.
    queue.send("tick")
    queue.delete(queue.receive())
    clock.advance(299)
    queue.send("tick")
    assert bodies(queue) == []

    clock.advance(1)
    queue.send("tick")

    assert bodies(queue) == ["tick"]
