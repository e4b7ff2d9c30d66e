"""A Region's Lambda function and its event source mapping: from messages or a payload to one reconcile.

Does what `ringfence.runtime.handler` does, by the same policy of the queue, without its log and metrics.
Source: Lambda Developer Guide, "Using Lambda with Amazon SQS", partial batch responses.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ringfence.core.configuration.settings import Settings
from ringfence.core.errors import Permanent, RingfenceError
from ringfence.core.events import Event, Malformed, parse
from ringfence.reconciler.interfaces import Services
from ringfence.reconciler.reconcile import reconcile
from ringfence.runtime.batch import ATTEMPT_STARTS_WITHIN, serve
from ringfence.runtime.batch import Message as ReadMessage
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
        event = parse(payload, f"request-{invocation.number}")
        try:
            if isinstance(event, Malformed):
                raise Permanent(f"the event is malformed: {event.reason}")
            self._reconcile(invocation, services, [event])
        finally:
            invocation.ended = True

    def consume(self, invocation: Invocation, services: Services, batch: Sequence[Message]) -> None:
        """A batch of the queue. A message that is to be delivered again stays there until it is visible again.

        If the process is killed, the queue deletes no message. Raises an error that is not the engine's own after the
        batch is done: no history may hide it.
        """
        started = services.clock.now()
        crashes: list[Exception] = []

        def reconcile_events(events: Sequence[Event]) -> None:
            try:
                self._reconcile(invocation, services, events)
            except RingfenceError:
                raise
            except Exception as error:
                crashes.append(error)
                raise

        try:
            result = serve(
                [ReadMessage.read(message.id, message.body) for message in batch],
                reconcile_events,
                has_time=lambda: services.clock.now() - started < ATTEMPT_STARTS_WITHIN,
                now=services.clock.now,
            )
        except Killed:
            return
        finally:
            invocation.ended = True
        reasons = {letter.message.id: letter.reason for letter in result.dead_letters}
        again = {message.id for message in result.delivered_again}
        for message in batch:
            if message.id in reasons:
                self.queue.bury(message, reasons[message.id])
        self.queue.delete([message for message in batch if message.id not in again])
        if crashes:
            raise crashes[0]

    def _reconcile(self, invocation: Invocation, services: Services, events: Sequence[Event]) -> None:
        try:
            self.engine(events, services, self.settings)
        except RingfenceError as error:
            invocation.error = error
            raise
