"""Reports an operator's pause of the home Region.

Calls interfaces. Decides nothing. The announcement tells whether the pause is news: it says since the last reconcile
that the Region observes, or that it does not.
"""

from ringfence.core.audit_events import PauseSeen
from ringfence.core.configuration.settings import Mode
from ringfence.core.model.identifiers import ANNOUNCEMENT, RosterKey
from ringfence.reconciler.interfaces import Services
from ringfence.reconciler.region_pass import PublishedRosters
from ringfence.reconciler.request import Request


def report_pause(request: Request, services: Services, rosters: PublishedRosters) -> None:
    """Reports the pause of the home Region, while it lasts, and the end of one."""
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
