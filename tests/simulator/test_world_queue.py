"""What the FIFO queue does with messages, as the simulated one does it. Source: SQS Developer Guide, FIFO queues."""

import pytest

from ringfence_lab.sim.clock import VirtualClock
from ringfence_lab.sim.queue import Queue


@pytest.fixture
def clock() -> VirtualClock:
    return VirtualClock()


@pytest.fixture
def queue(clock: VirtualClock) -> Queue:
    return Queue(clock, visibility_seconds=60, max_receives=2)


def bodies(queue: Queue) -> list[str]:
    return [message.body for message in queue.receive()]


def test_a_batch_is_ten_messages_in_order(queue: Queue) -> None:
    for n in range(12):
        queue.send(str(n))

    batch = queue.receive()
    assert [message.body for message in batch] == [str(n) for n in range(10)]
    queue.delete(batch)

    assert bodies(queue) == ["10", "11"]


def test_nothing_is_received_while_the_group_is_in_flight(clock: VirtualClock, queue: Queue) -> None:
    # "FIFO queue delivery logic": no more messages of a group until the first ones are deleted or visible again.
    queue.send("first")
    assert bodies(queue) == ["first"]

    queue.send("second")
    assert bodies(queue) == []
    clock.advance(60)

    assert bodies(queue) == ["first", "second"]


def test_the_same_content_within_five_minutes_is_taken_once(clock: VirtualClock, queue: Queue) -> None:
    # "Exactly-once processing": content-based deduplication, even after the first one was received and deleted.
    queue.send("tick")
    queue.delete(queue.receive())
    clock.advance(299)
    queue.send("tick")
    assert bodies(queue) == []

    clock.advance(1)
    queue.send("tick")

    assert bodies(queue) == ["tick"]


def test_what_was_received_too_often_becomes_a_dead_letter(clock: VirtualClock, queue: Queue) -> None:
    # "Dead-letter queues": maxReceiveCount.
    queue.send("poison")
    for _ in range(2):
        assert bodies(queue) == ["poison"]
        clock.advance(60)

    assert bodies(queue) == []
    assert [message.body for message in queue.dead_letters] == ["poison"]
    assert not queue.messages
