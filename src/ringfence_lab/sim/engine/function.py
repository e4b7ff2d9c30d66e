"""A Region's Lambda function and its event source mapping: from messages or a payload to one reconcile.

It handles the queue as `ringfence.runtime.handler` does, without log and metrics.
Source: Lambda Developer Guide, "Using Lambda with Amazon SQS", partial batch responses.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ringfence.core.errors import Permanent, Retry, RingfenceError
from ringfence.core.events import Event, Launching, Terminating, parse
from ringfence.core.settings import Settings
from ringfence.reconciler.interfaces import Services
from ringfence.reconciler.reconcile import reconcile
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
        """A batch of the queue: failed messages stay there until they are visible again. Raises nothing: if the process
        is killed, its messages are simply not deleted."""
        events = [parse(json.loads(message.body), message.id) for message in batch]
        try:
            self._run(invocation, services, events)
        except (Killed, Retry):
            return
        except Permanent as error:
            for message, event in zip(batch, events, strict=True):
                if isinstance(event, Launching | Terminating) and (not error.groups or event.group in error.groups):
                    self.queue.bury(message)
        self.queue.delete(batch)

    def _run(self, invocation: Invocation, services: Services, events: Sequence[Event]) -> None:
        try:
            self.engine(events, services, self.settings)
        except RingfenceError as error:
            invocation.error = error
            raise
        finally:
            invocation.ended = True
