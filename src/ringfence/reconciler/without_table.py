"""What the engine does while the home Region's table is down: it admits launching instances at home, and no more.

An instance whose root volume is replaced goes on, because nothing has to change for it.

Calls interfaces. Nothing is removed and no peer is called.
"""

from dataclasses import replace

from ringfence.core.errors import Retry
from ringfence.core.hook_decision import waiting_instances
from ringfence.core.lifecycle_decision import Reason
from ringfence.core.model.rosters import Rows
from ringfence.core.region_result import RegionResult
from ringfence.reconciler.hook_completion import complete_hooks
from ringfence.reconciler.hook_report import HookReport
from ringfence.reconciler.interfaces import Services
from ringfence.reconciler.pauses import PauseBudget
from ringfence.reconciler.region_pass import PublishedRosters, RegionPasses
from ringfence.reconciler.report import Problems
from ringfence.reconciler.request import Request
from ringfence.reconciler.second_look import observe_and_decide


def admit_without_table(
    request: Request, services: Services, reason: Retry, budget: PauseBudget, *, problems: Problems
) -> None:
    """Admits the instances that wait to launch at home, and answers their hooks if that is possible.

    What the peers lack follows when the events are delivered again, once the table is back. An instance whose address
    belonged to an instance that just left waits for that too: an invocation that had the table may remove the old
    rule, and cannot learn from the table that the address has a new owner.
    """
    settings = request.settings
    sighting, decisions = observe_and_decide(request, services, Rows(), budget)
    problems.add_all(decisions.errors)
    waiting = waiting_instances(sighting.observation, request.answerable_events, sighting.at)
    report = HookReport(services, settings, Rows())
    for instance in waiting:
        if instance.releases:
            report.held(instance, Reason.TABLE_DOWN, f"nothing is released while the home table is down: {reason}")
    at_once = [instance for instance in waiting if not instance.releases]
    launches = [instance for instance in at_once if instance.launching]
    rosters = {}
    for roster in decisions.rosters:
        joining = {instance.instance for instance in launches if instance.group == roster.key.asg}
        members = {id: member for id, member in roster.members.items() if id in joining}
        rosters[roster.key] = replace(roster, members=members)
    rows = Rows(rosters=rosters)
    results = {region: RegionResult(region, reason) for region in settings.peers}
    passes = RegionPasses(services, request, PublishedRosters(rows, rows, {}), launches)
    results[request.home] = passes.add_only_at_home(sighting.rules)
    problems.add_all(complete_hooks(at_once, rows, results, services, settings=settings, budget=budget))
