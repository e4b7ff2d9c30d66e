"""Looks again where AWS and an event disagree, before the members are decided.

Calls interfaces. A fresh event that AWS does not confirm may be forged, or AWS's answer may be older than the event. A
second look a moment later tells in most cases. If it does not, the decision without the event stands: the hook holds
the instance, and the next true-up decides. The queue must not wait longer, because all events wait behind this one.
"""

from dataclasses import dataclass

from ringfence.core.model.rosters import Rows
from ringfence.reconciler.interfaces import Services
from ringfence.reconciler.observe import Sighting, observe, observe_again
from ringfence.reconciler.request import Request
from ringfence.reconciler.rosters import RosterDecisions, decide_rosters

SECONDS_BETWEEN_LOOKS = 1.5


@dataclass(slots=True)
class LookBudget:
    """How many more looks an invocation may take. All attempts of a reconcile share it: 3 seconds in all."""

    looks: int = 2

    def take(self) -> bool:
        """Whether there is another look. Takes it."""
        self.looks -= 1
        return self.looks >= 0


def observe_and_decide(
    request: Request, services: Services, before: Rows, budget: LookBudget
) -> tuple[Sighting, RosterDecisions]:
    """The home Region as it is now, and who the members are. Raises Retry if the Region cannot be described."""
    sighting = observe(request, services, before)
    decisions = decide_rosters(request, services, before, sighting.observation)
    while decisions.look_again and budget.take():
        services.tasks.sleep(SECONDS_BETWEEN_LOOKS)
        sighting = observe_again(request, services, sighting, decisions.look_again)
        decisions = decide_rosters(request, services, before, sighting.observation)
    return sighting, decisions
