"""Reports what a reconcile left undone, and collects what an operator must fix.

Knows nothing of how anything is done.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence

from ringfence.core.audit_events import AuditEvent, MembersCounted, Problem, RegionFailed, StaleDoor
from ringfence.core.errors import Permanent, RingfenceError, Several
from ringfence.core.events import TrueUp
from ringfence.core.hook_decision import WaitingInstance
from ringfence.core.model.identifiers import STATIC, Region
from ringfence.core.model.rosters import Rows
from ringfence.core.region_result import RegionResult
from ringfence.reconciler.interfaces import Services
from ringfence.reconciler.region_pass import scope_in
from ringfence.reconciler.request import Request


class Problems:
    """The errors of one attempt. Each is reported at once, and raised only when all other work is done."""

    def __init__(self, audit: Callable[[AuditEvent], None]) -> None:
        self._audit = audit
        self._errors: list[RingfenceError] = []

    def add(self, error: RingfenceError) -> None:
        """Reports the error, and keeps it."""
        self._audit(Problem(str(error)))
        self._errors.append(error)

    def add_all(self, errors: Iterable[RingfenceError]) -> None:
        """Reports each of the errors, and keeps them."""
        for error in errors:
            self.add(error)

    def report(self, problems: Iterable[str]) -> None:
        """Reports what an operator must fix, and what stops nothing."""
        for problem in problems:
            self._audit(Problem(problem))

    def keep(self, error: RingfenceError) -> None:
        """Keeps an error that is reported otherwise."""
        self._errors.append(error)

    def raise_gravest(self) -> None:
        """Raises an error that another delivery may resolve if there is one, else all permanent errors as one."""
        retries = [error for error in self._errors if not isinstance(error, Permanent)]
        if retries:
            raise retries[0]
        permanent = [error for error in self._errors if isinstance(error, Permanent)]
        if len(permanent) == 1:
            raise permanent[0]
        if permanent:
            raise Several(permanent)


def report(
    request: Request,
    services: Services,
    rows: Rows,
    results: Mapping[Region, RegionResult],
    waiting: Sequence[WaitingInstance],
    *,
    problems: Problems,
) -> None:
    """Reports stale doors and failed Regions. Raises the problems: a Retry before any Permanent."""
    home, now = request.home, services.clock.now()
    held = {instance.instance for instance in waiting}
    doors = sorted(
        (region, id, roster.departed.get(id, now))
        for roster in rows.of(home).values()
        for region, ids in roster.pending_releases.items()
        for id in ids
    )
    for region, id, departed_at in doors:
        if id not in held:
            services.audit(StaleDoor(region, id, max(0.0, now - departed_at)))
    for region, result in results.items():
        if result.problem is not None:
            pending = sum(region == other for other, _, _ in doors)
            services.audit(RegionFailed(region, region == home, str(result.problem), pending))
    if (counted := _members(request, results[home])) is not None:
        services.audit(counted)
    if (error := results[home].problem) is not None:
        problems.keep(error)
    _refuse_unknown_groups(request, problems)
    problems.raise_gravest()


def _members(request: Request, home: RegionResult) -> MembersCounted | None:
    """The members that the home Region's groups should admit; None where that is not known."""
    if home.error is not None or home.rows is None:
        return None
    labels = scope_in(request.home, request.settings).desired(home.rows).values()
    members = {(label.roster, label.instance) for label in labels if label.roster.asg != STATIC}
    return MembersCounted(request.home, len(members), sum(home.admits(*member) for member in members))


def _refuse_unknown_groups(request: Request, problems: Problems) -> None:
    """Tells an operator who named a group in a true-up that it is none of this Region's groups."""
    ours = request.settings.auto_scaling_groups
    for event in request.events:
        if isinstance(event, TrueUp) and event.group and event.group not in ours:
            why = f"{event.group} is none of this Region's groups: {', '.join(ours)}"
            problems.add(Permanent(why, event=event))
