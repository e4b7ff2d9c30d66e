"""The invocations of a history: starts them as tasks that overlap, and checks each one when it ends.

An invocation without any fault or interference must succeed; every other one may fail.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from functools import partial

from ringfence.core.audit_events import RemovalsHeld, RuleRefused
from ringfence.core.configuration.settings import Settings
from ringfence.core.errors import CannotAdmit, Permanent, RingfenceError, Several
from ringfence.core.events import TrueUp
from ringfence.core.model.identifiers import Region
from ringfence_lab.sim.cloud import Cloud
from ringfence_lab.sim.engine.function import Function, Reconcile
from ringfence_lab.sim.engine.tasks import Scheduler
from ringfence_lab.sim.invocation import Invocation
from ringfence_lab.sim.properties.admissions import unknown_owners_are_reported
from ringfence_lab.sim.properties.checker import Checker
from ringfence_lab.sim.properties.departures import (
    ended_instances_have_no_door,
    open_doors_at_home_are_counted,
    strangers_are_not_admitted,
)
from ringfence_lab.sim.properties.deployments import new_events_outlive_a_denial
from ringfence_lab.sim.properties.launches import launches_are_answered, launches_are_answered_without_the_table
from ringfence_lab.sim.properties.pauses import paused_regions_hold_no_instance
from ringfence_lab.sim.properties.violation import Violation
from ringfence_lab.sim.properties.zones import zone_outages_stop_nothing_else

IN_FLIGHT = 3
"""The largest number of invocations that overlap."""
FUNCTION_TIMEOUT = 30.0

AFTER_AN_UNDISTURBED_RECONCILE = (
    strangers_are_not_admitted,
    unknown_owners_are_reported,
    ended_instances_have_no_door,
)
"""The properties of what an invocation leaves, if nothing disturbed it, it was shown every rule, and it holds nothing
back."""


class Invocations:
    """Starts invocations on the scheduler. `interference` counts what can disturb a running one."""

    def __init__(
        self,
        cloud: Cloud,
        settings: Mapping[Region, Settings],
        engine: Reconcile,
        *,
        scheduler: Scheduler,
        checker: Checker,
        coverage: Counter[str],
    ) -> None:
        self.interference = 0
        self._cloud = cloud
        self._settings = settings
        self._engine = engine
        self._scheduler = scheduler
        self._checker = checker
        self._coverage = coverage
        self._in_flight: list[Invocation] = []

    def count(self) -> int:
        """The number of invocations in flight."""
        self._in_flight = [invocation for invocation in self._in_flight if invocation.running]
        return len(self._in_flight)

    def poll(self, region: Region) -> str:
        """Starts a Region's function on a batch of its queue, if it has one and the Region is deployed."""
        if not self._can_start(region):
            return ""
        batch = self._cloud.region(region).queue.receive()
        if not batch:
            return ""
        invocation = self._cloud.invocation(region)
        services = self._cloud.engine_services(region, invocation, self._scheduler)
        self._launch(invocation, partial(self._function(region).consume, invocation, services, batch))
        return f"{invocation} takes {len(batch)} messages"

    def start(self, region: Region, payload: object) -> str:
        """Invokes a Region's function directly, if the Region is deployed."""
        if not self._can_start(region):
            return ""
        invocation = self._cloud.invocation(region)
        services = self._cloud.engine_services(region, invocation, self._scheduler)
        self._launch(invocation, partial(self._function(region).invoke, invocation, services, payload))
        return f"{invocation} is invoked with {payload}"

    def drain(self, region: Region) -> Iterator[str]:
        """Runs a Region's function until its queue is empty, without any overlap. Every run must succeed."""
        queue = self._cloud.regions[region].queue
        while batch := queue.receive():
            invocation = self._cloud.invocation(region)
            self._function(region).consume(invocation, self._cloud.engine_services(region, invocation), batch)
            if invocation.error is not None and not self._is_expected(invocation.error, invocation):
                self._violated("works_when_all_is_well", f"{invocation}: {invocation.error}")
            for what in launches_are_answered(self._checker.context, invocation):
                self._violated("launches_are_answered", what)
            yield f"{invocation} takes {len(batch)} messages, the last one a true-up"

    def _can_start(self, region: Region) -> bool:
        return self.count() < IN_FLIGHT and self._cloud.region(region).table.exists

    def _function(self, region: Region) -> Function:
        return Function(self._cloud.region(region).queue, self._settings[region], self._engine)

    def _launch(self, invocation: Invocation, work: Callable[[], None]) -> None:
        alone = not self.count()
        self._coverage["overlapping invocations"] += not alone
        self._in_flight.append(invocation)
        self.interference += 1
        started = self.interference if alone else -1
        self._cloud.clock.after(FUNCTION_TIMEOUT, partial(self._time_out, invocation))
        self._scheduler.spawn(invocation, partial(self._run, invocation, work, started))

    def _run(self, invocation: Invocation, work: Callable[[], None], started: int) -> None:
        """Runs the work to its end. `started` is the interference at its start, -1 if it was not alone then."""
        letters = self._cloud.regions[invocation.home].queue.dead_letters
        known = len(letters)
        with suppress(RingfenceError):
            work()
        context = self._checker.context
        for what in new_events_outlive_a_denial(context, letters[known:]):
            self._violated("new_events_outlive_a_denial", what)
        for what in launches_are_answered_without_the_table(context, invocation):
            self._violated("launches_are_answered_without_the_table", what)
        alone = started == self.interference
        if alone and not invocation.killed and not invocation.misled:
            self._check_alone(invocation)

    def _check_alone(self, invocation: Invocation) -> None:
        """What must hold after an invocation with which no other one and no operator interfered."""
        context = self._checker.context
        failed = invocation.error is not None and not self._is_expected(invocation.error, invocation)
        if failed:
            for what in zone_outages_stop_nothing_else(context, invocation):
                self._violated("zone_outages_stop_nothing_else", what)
        for what in open_doors_at_home_are_counted(context, invocation):
            self._violated("open_doors_at_home_are_counted", what)
        if invocation.disturbed:
            return
        if failed:
            self._violated("works_when_left_alone", f"{invocation}: {invocation.error}")
            return
        for what in launches_are_answered(context, invocation):
            self._violated("launches_are_answered", what)
        for what in paused_regions_hold_no_instance(context, invocation):
            self._violated("paused_regions_hold_no_instance", what)
        if invocation.calls and not _leaves_rules(invocation) and not invocation.read_old_rules:
            self._check_undisturbed(invocation)

    def _check_undisturbed(self, invocation: Invocation) -> None:
        """What must hold after an invocation that nothing disturbed, unless its Region is paused."""
        context = self._checker.context
        if context.may_only_observe(invocation.home, invocation):
            return
        for check in AFTER_AN_UNDISTURBED_RECONCILE:
            for what in check(context, invocation):
                self._violated(check.__name__, what)

    def _is_expected(self, error: RingfenceError, by: Invocation) -> bool:
        """Whether the engine did all of its work: it refused only true-ups that name an unknown group, and reported
        groups that do not exist or were shown without a port to manage."""
        if isinstance(error, Several):
            return all(self._is_expected(each, by) for each in error.errors)
        region = self._cloud.regions[by.home]
        if isinstance(error, CannotAdmit):
            context = self._checker.context
            groups = context.security_groups(by.home)
            had_ports = all(group.admits_itself() and group.id not in by.read_old_rules for group in groups)
            return bool(context.deleted_groups(by.home)) or not had_ports
        is_missing = isinstance(error, Permanent) and bool(error.groups) and not error.groups & region.groups.keys()
        return is_missing or (isinstance(error, Permanent) and isinstance(error.event, TrueUp))

    def _time_out(self, invocation: Invocation) -> None:
        if invocation.running:
            invocation.killed = True
            self._coverage["function-timeout"] += 1

    def _violated(self, name: str, what: str) -> None:
        self._checker.violations.append(Violation(name, what))


def _leaves_rules(invocation: Invocation) -> bool:
    """Whether it held removals back, or a rule was refused."""
    return any(isinstance(event, RemovalsHeld | RuleRefused) for event in invocation.audit_events)
