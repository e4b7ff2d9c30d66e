"""Property 10: while a deployment is new, no event is given up, and no launch is let in before a new peer admits it."""

import json
from collections.abc import Iterator, Sequence

from ringfence.core.errors import POLICIES_ARE_NEW
from ringfence.core.events import Launching, Malformed, Terminating, parse
from ringfence_lab.sim.aws.queue import Message
from ringfence_lab.sim.properties.context import CheckContext


def new_events_outlive_a_denial(context: CheckContext, buried: Sequence[Message]) -> Iterator[str]:
    """No lifecycle event of the last five minutes becomes a dead letter because a permission is missing."""
    for letter in buried:
        if "UnauthorizedOperation" not in letter.reason:
            continue
        event = parse(json.loads(letter.body), letter.id)
        if isinstance(event, Malformed) or not isinstance(event, Launching | Terminating) or event.time is None:
            continue
        if context.now() - event.time < POLICIES_ARE_NEW:
            yield f"{event.id} of {event.instance} is a dead letter: {letter.reason}"
