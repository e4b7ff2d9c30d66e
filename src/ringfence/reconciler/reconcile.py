"""One reconcile: observe, decide, publish, converge, answer the hooks, report.

An event is only a reason to look. The reconcile reads the home Region's rosters, then observes its Auto Scaling groups
and instances, and decides from both who the members are now. It writes what changed into the home Region's table and
offers it to every peer's table. Then it brings each Region's security groups to what that Region's own table says. It
answers every waiting hook whose instance is admitted or released, even if no event named it. All state is in AWS.

Knows no AWS client, no environment and no logger: it calls interfaces and reports audit events.
"""

from collections.abc import Sequence

from ringfence.core.audit_events import EventIgnored
from ringfence.core.configuration.settings import Mode, Settings
from ringfence.core.errors import Conflict, Retry
from ringfence.core.events import Event, Ignored, Launching, LifecycleEvent, Terminating, TrueUp
from ringfence.core.hook_decision import waiting_instances
from ringfence.core.model.identifiers import RosterKey
from ringfence.core.model.rosters import Roster, Rows
from ringfence.reconciler.hook_completion import complete_hooks, let_all_go
from ringfence.reconciler.interfaces import Services
from ringfence.reconciler.observe import start_reading_peers
from ringfence.reconciler.operator_pause import report_pause
from ringfence.reconciler.pauses import PauseBudget
from ringfence.reconciler.region_pass import RegionPasses, results_of
from ringfence.reconciler.report import Problems, report
from ringfence.reconciler.request import Request
from ringfence.reconciler.rosters import (
    HomeTableDown,
    publish,
    read_home_table,
    record_pending_releases,
)
from ringfence.reconciler.second_look import observe_and_decide
from ringfence.reconciler.strange_rows import delete_strange_rows
from ringfence.reconciler.without_table import admit_without_table

ATTEMPTS = 5
"""Maximum observations per reconcile. If other invocations overtake all of them, the queue delivers again."""


def reconcile(events: Sequence[Event], services: Services, settings: Settings) -> None:
    """Does everything that the events ask for, and everything that earlier reconciles left undone.

    Raises Retry if the same events should be delivered again, and Permanent if someone must fix something first. In
    both cases, everything that could be done has been done.
    """
    relevant = _relevant(events, services, settings)
    if settings.mode is Mode.OBSERVE:
        let_all_go(Request(relevant, settings), services)
    minimum_versions: dict[RosterKey, int] = {}
    copies: dict[RosterKey, Roster] = {}
    budget = PauseBudget()
    for _ in range(ATTEMPTS if relevant else 0):
        try:
            _attempt(Request(relevant, settings, dict(minimum_versions), dict(copies)), services, budget)
        except Conflict as conflict:
            for key, version in conflict.minimum_versions.items():
                minimum_versions[key] = max(version, minimum_versions.get(key, 0))
            copies.update(conflict.copies)
        else:
            return
    if relevant:
        raise Retry(f"other invocations overtook this one {ATTEMPTS} times in a row")


def _attempt(request: Request, services: Services, budget: PauseBudget) -> None:
    """One attempt at a reconcile. Raises Conflict if another invocation overtook it."""
    problems = Problems(services.audit)
    try:
        before = read_home_table(request, services)
        request = _as_paused(request, services, before)
        early_rules = start_reading_peers(request, services, before)
        sighting, decisions = observe_and_decide(request, services, before, budget)
        problems.add_all(decisions.errors)
        problems.report(decisions.problems)
        rosters = publish(request, services, before, decisions.rosters)
        report_pause(request, services, rosters)
    except HomeTableDown as down:
        admit_without_table(request, services, down.reason, budget, problems=problems)
        raise down.reason from down
    waiting = waiting_instances(sighting.observation, request.answerable_events, sighting.at)
    regions = RegionPasses(services, request, rosters, [instance for instance in waiting if not instance.stays])
    passes = regions.converge(sighting.rules, early_rules)
    # A launch is answered before the Regions are validated: its rules exist, and no engine removes a rule of a roster
    # that the Region's table has. A termination waits for validation: an invocation that read an older roster may have
    # added its rule again. An instance that stays needs neither.
    at_once = [instance for instance in waiting if not instance.releases]
    problems.add_all(
        complete_hooks(at_once, rosters.rows, results_of(passes), services, settings=request.settings, budget=budget)
    )
    results = regions.validate(passes)
    rows = record_pending_releases(request, services, rosters, results, waiting)
    terminations = [instance for instance in waiting if instance.releases]
    problems.add_all(complete_hooks(terminations, rows, results, services, settings=request.settings, budget=budget))
    delete_strange_rows(request, services, rows, results)
    report(request, services, rows, results, waiting, problems=problems)


def _as_paused(request: Request, services: Services, before: Rows) -> Request:
    """The request, or one that only observes if the home Region is paused. Then no instance waits for anything.

    It costs no call: the rows are read anyway. While the table is down, no pause is known.
    """
    paused = request.as_paused_by(before)
    if paused.pause is not None and request.settings.mode is not Mode.OBSERVE:
        let_all_go(paused, services)
    return paused


def _relevant(events: Sequence[Event], services: Services, settings: Settings) -> list[LifecycleEvent | TrueUp]:
    """The events that ask for something. Reports the others as ignored."""
    relevant: list[LifecycleEvent | TrueUp] = []
    for event in events:
        if isinstance(event, Launching | Terminating) and event.group not in settings.auto_scaling_groups:
            services.audit(EventIgnored(event.id, f"{event.group} is none of this Region's groups"))
        elif isinstance(event, Ignored):
            services.audit(EventIgnored(event.id, event.reason))
        else:
            relevant.append(event)
    return relevant
