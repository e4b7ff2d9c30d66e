"""How a FIFO queue delivers the messages that invoke the engine."""

from tests.contract.sources import documented
from tests.contract.world import Queue, World

VISIBILITY = 2
"""Seconds. Short, so that a clause can wait for it."""


def received(world: World, queue: Queue) -> list[str]:
    """Waits for the next messages of the queue."""
    return world.eventually(queue.receive)


@documented(
    "SQS Developer Guide, FIFO queue delivery logic; Lambda Developer Guide: a FIFO batch has at most 10 messages"
)
def test_messages_arrive_in_order_in_batches_of_ten(world: World) -> None:
    queue = world.queue(visibility=60, receives=5)
    for number in range(12):
        queue.send(str(number))

    first = received(world, queue)
    queue.delete_received()
    second = received(world, queue)

    assert (first, second) == ([str(number) for number in range(10)], ["10", "11"])


@documented("SQS Developer Guide, FIFO queue delivery logic: no more messages of a group while some are in flight")
def test_no_message_is_delivered_while_the_group_is_in_flight_and_then_all_in_order(world: World) -> None:
    queue = world.queue(VISIBILITY, receives=5)
    queue.send("first")
    assert received(world, queue) == ["first"]

    queue.send("second")
    assert queue.receive() == []
    world.wait(VISIBILITY)

    assert received(world, queue) == ["first", "second"]


@documented("SQS Developer Guide, Exactly-once processing: content-based deduplication for five minutes")
def test_the_same_content_is_accepted_once_even_after_it_was_deleted(world: World) -> None:
    queue = world.queue(VISIBILITY, receives=5)
    queue.send("tick")
    received(world, queue)
    queue.delete_received()

    queue.send("tick")
    queue.send("tock")

    assert received(world, queue) == ["tock"]


@documented("SQS Developer Guide, Dead-letter queues: maxReceiveCount")
def test_a_message_received_too_often_is_a_dead_letter_and_the_next_one_is_delivered(world: World) -> None:
    queue = world.queue(VISIBILITY, receives=1)
    queue.send("poison")
    assert received(world, queue) == ["poison"]
    world.wait(VISIBILITY)
    queue.send("next")

    assert received(world, queue) == ["next"]
    assert world.eventually(queue.dead_letters) == ["poison"]
