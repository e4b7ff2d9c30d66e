"""How long an instance has waited at a lifecycle hook, from what is known of it.

Pure. Decides nothing: it is for the audit log. What is not known stays unknown.
"""

from ringfence.core.audit_events import Waited
from ringfence.core.freshness import is_future
from ringfence.core.hook_decision import WaitingInstance
from ringfence.core.model.rosters import Roster

LONGEST_WAIT = 48 * 3600
"""Seconds that an instance can wait at a hook. An older event is not about the wait. Source: Auto Scaling User Guide,
"Amazon EC2 Auto Scaling lifecycle hooks": 48 hours, or 100 times the heartbeat timeout if that is less."""


def waited(waiting: WaitingInstance, roster: Roster | None, now: float) -> Waited | None:
    """How long the instance has waited. `now` is in epoch seconds.

    Auto Scaling emits the event when the wait begins. Without the event, the roster says since when the engine knows of
    the launch or of the departure.
    """
    sent_at = waiting.event.time if waiting.event is not None else None
    if sent_at is not None and not is_future(sent_at, now) and now - sent_at <= LONGEST_WAIT:
        return Waited(max(0.0, now - sent_at), is_exact=True)
    seen_at = _seen_at(waiting, roster)
    return None if seen_at is None else Waited(max(0.0, now - seen_at), is_exact=False)


def _seen_at(waiting: WaitingInstance, roster: Roster | None) -> int | None:
    """Since when the roster knows of what the instance waits for. It knows nothing of a root volume's replacement."""
    if roster is None or waiting.stays:
        return None
    if waiting.launching:
        member = roster.members.get(waiting.instance)
        return None if member is None else member.since
    return roster.departed.get(waiting.instance)
