"""How a FIFO queue hands on what wakes the engine."""

from tests.contract.sources import documented
from tests.contract.world import Queue, World

VISIBILITY = 2
"""Seconds. Short, so that a clause can wait for it."""


def received(world: World, queue: Queue) -> list[str]:
    """What the queue gives once it gives something."""
    return world.eventually(queue.receive)


@documented(
    "SQS Developer Guide, FIFO queue delivery logic; Lambda Developer Guide: a batch of a FIFO queue is 10 at most"
)
def test_messages_come_in_order_and_ten_at_a_time(world: World) -> None:
    queue = world.queue(visibility=60, receives=5)
    for n in range(12):
        queue.send(str(n))

    first = received(world, queue)
    queue.delete_received()
    second = received(world, queue)

    assert (first, second) == ([str(n) for n in range(10)], ["10", "11"])


@documented("SQS Developer Guide, FIFO queue delivery logic: no more messages of a group while some are in flight")
def test_nothing_is_handed_out_while_the_group_is_in_flight_and_then_it_comes_again_in_order(world: World) -> None:
    queue = world.queue(VISIBILITY, receives=5)
    queue.send("first")
    assert received(world, queue) == ["first"]

    queue.send("second")
    assert queue.receive() == []
    world.wait(VISIBILITY)

    assert received(world, queue) == ["first", "second"]


@documented("SQS Developer Guide, Exactly-once processing: content-based deduplication for five minutes")
def test_the_same_content_is_taken_once_even_after_it_was_deleted(world: World) -> None:
    queue = world.queue(VISIBILITY, receives=5)
    queue.send("tick")
    received(world, queue)
    queue.delete_received()

    queue.send("tick")
    queue.send("tock")

    assert received(world, queue) == ["tock"]


@documented("SQS Developer Guide, Dead-letter queues: maxReceiveCount")
def test_what_was_received_too_often_is_a_dead_letter_and_what_follows_it_goes_on(world: World) -> None:
    queue = world.queue(VISIBILITY, receives=1)
    queue.send("poison")
    assert received(world, queue) == ["poison"]
    world.wait(VISIBILITY)
    queue.send("next")

    assert received(world, queue) == ["next"]
    assert world.eventually(queue.dead_letters) == ["poison"]
