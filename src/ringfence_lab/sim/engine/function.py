"""A Region's Lambda function and its event source mapping: from messages or a payload to one reconcile.

Does what `ringfence.runtime.handler` does, by the same policy of the queue, without its log and metrics.
Source: Lambda Developer Guide, "Using Lambda with Amazon SQS", partial batch responses.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ringfence.core.configuration.settings import Settings
from ringfence.core.errors import RingfenceError
from ringfence.core.events import Event, parse
from ringfence.reconciler.interfaces import Services
from ringfence.reconciler.reconcile import reconcile
from ringfence.runtime.batch import Message as ReadMessage
from ringfence.runtime.batch import after
from ringfence_lab.sim.aws.queue import Message, Queue
from ringfence_lab.sim.engine.line import Killed
from ringfence_lab.sim.invocation import Invocation

Reconcile = Callable[[Sequence[Event], Services, Settings], None]


@dataclass(frozen=True, slots=True)
class Function:
    """One Region's function. `engine` is the reconcile that it runs."""

    queue: Queue
    settings: Settings
    engine: Reconcile = reconcile

    def invoke(self, invocation: Invocation, services: Services, payload: object) -> None:
        """A direct invoke. Raises what the engine raises, and Killed."""
        self._run(invocation, services, [parse(payload, f"request-{invocation.number}")])

    def consume(self, invocation: Invocation, services: Services, batch: Sequence[Message]) -> None:
        """A batch of the queue. A message that is to be delivered again stays there until it is visible again.

        Raises nothing. If the process is killed, the queue deletes no message.
        """
        messages = [ReadMessage.read(message.id, message.body) for message in batch]
        failure: RingfenceError | None = None
        try:
            self._run(invocation, services, [message.event for message in messages])
        except Killed:
            return
        except RingfenceError as error:
            failure = error
        result = after(messages, failure)
        buried = {message.id for message in result.dead_letters}
        again = {message.id for message in result.delivered_again}
        for message in batch:
            if message.id in buried:
                self.queue.bury(message)
        self.queue.delete([message for message in batch if message.id not in again])

    def _run(self, invocation: Invocation, services: Services, events: Sequence[Event]) -> None:
        try:
            self.engine(events, services, self.settings)
        except RingfenceError as error:
            invocation.error = error
            raise
        finally:
            invocation.ended = True
