"""Looks again where AWS and an event disagree, or an address is not there yet, before the members are decided.

Calls interfaces. A fresh event that AWS does not confirm may be forged, or AWS's answer may be older than the event.
The address of a new instance may come a moment after it runs. A second look tells in most cases. If it does not, the
decision without the event stands: the hook holds the instance, and the next true-up decides. The queue must not wait
longer, because all events wait behind this one.
"""

from ringfence.core.model.rosters import Rows
from ringfence.reconciler.interfaces import Services
from ringfence.reconciler.observe import Sighting, observe, observe_again
from ringfence.reconciler.pauses import SECONDS_BETWEEN_LOOKS, PauseBudget
from ringfence.reconciler.request import Request
from ringfence.reconciler.rosters import RosterDecisions, decide_rosters


def observe_and_decide(
    request: Request, services: Services, before: Rows, budget: PauseBudget
) -> tuple[Sighting, RosterDecisions]:
    """The home Region as it is now, and who the members are. Raises Retry if the Region cannot be described."""
    known = before.completed_by(request.copies)
    sighting = observe(request, services, known)
    decisions = decide_rosters(request, services, known, sighting.observation)
    while decisions.look_again and budget.take_look():
        services.tasks.sleep(SECONDS_BETWEEN_LOOKS)
        sighting = observe_again(request, services, sighting, decisions.look_again)
        decisions = decide_rosters(request, services, known, sighting.observation)
    return sighting, decisions
