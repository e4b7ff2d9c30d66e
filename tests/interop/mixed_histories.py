"""Random histories of a cluster whose Regions run different versions of the engine."""

import random
from collections.abc import Iterator, Sequence, Set

from ringfence.core.audit_events import RowRejected
from ringfence.core.configuration.settings import Settings
from ringfence.core.events import Event
from ringfence.core.model.identifiers import Region
from ringfence.reconciler.interfaces import Services
from ringfence_lab.sim import operators
from ringfence_lab.sim.adversary import Adversary, Level
from ringfence_lab.sim.aws.security_groups import Refusals
from ringfence_lab.sim.engine.services import SimulatedRosterTable
from ringfence_lab.sim.invocation import Invocation
from ringfence_lab.sim.properties.deployments import launches_wait_for_new_peers
from ringfence_lab.sim.properties.members import members_in_service_stay_admitted
from ringfence_lab.sim.properties.violation import Violation
from ringfence_lab.sim.simulation import STEPS, History, HistoryResult
from tests.interop.announcements import announced_before_its_rosters
from tests.interop.fleet import Version

SWITCH_CHANCE = 0.3
"""How likely a Region gets the other version before an invocation, until the history heals."""

NOT_PROMISED_BY_0_1 = {launches_wait_for_new_peers.__name__, members_in_service_stay_admitted.__name__}
"""Version 0.1 does not wait for a peer that is being deployed. A stale describe can make it drop a new address."""


class MixedHistory(History):
    """A history in which at least one Region runs 0.1.0 at first.

    With `switches`, Regions are upgraded and downgraded under faults, even while invocations of the earlier version
    run. Once everything heals, each Region keeps its version. `version_of` is what the Regions run, and `switched`
    counts the changes.
    """

    def __init__(
        self,
        seed: int,
        *,
        switches: bool = False,
        traced: bool = False,
        without: Set[int] = frozenset(),
        steps: Sequence[int] = STEPS,
    ) -> None:
        super().__init__(seed, self._reconcile, traced=traced, without=without, steps=steps)
        # Version 0.1 believes messages and rows, a listing that is as old as what EC2 says, readings of rules, and that
        # a refused call changed nothing. It releases new rules on the first clean reading. An outage of a zone stops
        # its whole Region.
        self.adversary = Adversary(self.cloud, self.chance, Level.ABSENT)
        self.weather.rule_out_lag()
        self.weather.rule_out_zone_outages()
        self.weather.let_rules_catch_up()
        for region in self.cloud.regions.values():
            region.security_group.refusals = Refusals()
        self.checker.context.know_no_fence.update(self.regions)
        # What it is denied is a dead letter at once.
        self.weather.rule_out_new_stacks()
        # It leaves doors open when a group is gone or has no ports, and takes a new root volume for a departure.
        self.operator_actions = tuple(
            (action, weight) for action, weight in operators.ACTIONS if action is not operators.replace_root_volume
        )
        self.switched = 0
        self._switches = switches
        self._versions = random.Random(seed)
        self._old: list[Invocation] = []
        self.version_of = {region: self._versions.choice(list(Version)) for region in self.regions}
        if Version.OLD not in self.version_of.values():
            self.version_of[self._versions.choice(self.regions)] = Version.OLD

    def __str__(self) -> str:
        versions = ", ".join(f"{region} runs {version.value}" for region, version in self.version_of.items())
        return f"{super().__str__()}; {versions}"

    def _reconcile(self, events: Sequence[Event], services: Services, settings: Settings) -> None:
        """Runs the version that the Region has now."""
        if self._switches and self._versions.random() < SWITCH_CHANCE:
            self._switch(settings.region)
        version = self.version_of[settings.region]
        if version is Version.OLD:
            self._old.append(_invocation_of(services))
        version.engine(events, services, settings)

    def _switch(self, region: Region) -> None:
        self.version_of[region] = Version.NEW if self.version_of[region] is Version.OLD else Version.OLD
        self.switched += 1
        self.trace.step(f"{region} runs {self.version_of[region].value}")

    def _healed(self) -> Iterator[str]:
        self._switches = False
        old = (region for region, version in self.version_of.items() if version is Version.OLD)
        self.checker.context.keep_strange_rows.update(old)
        yield from super()._healed()

    def _violated(self) -> bool:
        """What version 0.1 does not promise is no violation if one of its invocations does it."""
        old = tuple(f"{invocation} " for invocation in self._old)
        self.checker.violations = [
            found
            for found in self.checker.violations
            if found.name not in NOT_PROMISED_BY_0_1 or not found.what.startswith(old)
        ]
        return super()._violated()

    def _end(self) -> HistoryResult:
        """Only engines write rows here, so neither version may reject one."""
        for invocation in self.cloud.invocations:
            for event in invocation.audit_events:
                if isinstance(event, RowRejected):
                    self.checker.violations.append(Violation("rows_are_readable", f"{invocation}: {event}"))
        for what in announced_before_its_rosters(self.cloud, self._old):
            self.checker.violations.append(Violation("rosters_precede_announcements", what))
        return super()._end()


def _invocation_of(services: Services) -> Invocation:
    """The invocation that the services are for."""
    return next(
        region.table.invocation
        for region in services.regions.values()
        if isinstance(region.table, SimulatedRosterTable)
    )
