"""Reports an operator's pause of the home Region.

Calls interfaces. Decides nothing. The announcement tells whether the pause is news: it says since the last reconcile
that the Region observes, or that it does not.
"""

from ringfence.core.audit_events import PauseSeen, Problem
from ringfence.core.configuration.settings import Mode
from ringfence.core.model.identifiers import ANNOUNCEMENT, RosterKey
from ringfence.reconciler.interfaces import Services
from ringfence.reconciler.region_pass import PublishedRosters
from ringfence.reconciler.request import Request


def report_pause(request: Request, services: Services, rosters: PublishedRosters) -> None:
    """Reports the pause of the home Region, the end of one, and each pause that cannot be read."""
    for region in request.settings.regions:
        pause = rosters.before.pauses.get(region)
        if pause is not None and pause.problem:
            fix = f"it counts as a pause: `ringfence resume {region}` ends it"
            services.audit(Problem(f"the pause of {region} cannot be read, {pause.problem}: {fix}"))
    pause = rosters.before.pauses.get(request.home)
    if pause is None:
        return
    is_news = _changes_announcement(request, rosters)
    if is_news or not pause.is_over:
        services.audit(PauseSeen(pause, is_news))


def _changes_announcement(request: Request, rosters: PublishedRosters) -> bool:
    """Whether the Region announces just now that it only observes, or does so no more, and the pause is the reason."""
    key = RosterKey(request.home, ANNOUNCEMENT)
    now, before = rosters.changed.get(key), rosters.before.rosters.get(key)
    if now is None or request.configured_mode is Mode.OBSERVE:
        return False
    return now.observed is not (before is not None and before.observed)
