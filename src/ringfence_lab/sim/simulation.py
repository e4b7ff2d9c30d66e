"""One history from one seed: the real engine in a simulated cluster, first under faults and then without.

Under faults, the properties must hold at every step (safety). Then everything heals, and within a bounded number of
true-ups everything must converge (liveness). The seed determines everything: shape, faults, interleaving.
"""

import random
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, field, replace

from ringfence.core.configuration.settings import Mode
from ringfence.core.freshness import SETTLED_SECONDS
from ringfence.core.model.identifiers import Region
from ringfence.reconciler.reconcile import reconcile
from ringfence_lab.sim import operators
from ringfence_lab.sim.adversary import Adversary
from ringfence_lab.sim.aws.history import ActionCompleted, CloudChange
from ringfence_lab.sim.aws.region import CloudRegion
from ringfence_lab.sim.engine.function import Reconcile
from ringfence_lab.sim.engine.tasks import Scheduler
from ringfence_lab.sim.invocations import Invocations
from ringfence_lab.sim.pauses import Pauses
from ringfence_lab.sim.properties.checker import Checker
from ringfence_lab.sim.properties.convergence import unconverged
from ringfence_lab.sim.properties.departures import doors_left_open
from ringfence_lab.sim.properties.siege import LAGS, Siege
from ringfence_lab.sim.properties.violation import Violation
from ringfence_lab.sim.shape import SMALL_QUOTA, random_cloud, random_settings, shape_text
from ringfence_lab.sim.trace import Trace
from ringfence_lab.sim.weather import Weather

STEPS = (4, 5, 6, 8, 12, 20)
"""Possible numbers of steps under faults. Most histories are short: a short one that fails is easy to understand, and
many short ones meet more situations than a few long ones in the same time."""
TABLE_SECONDS = 10.0
"""The shortest time to delete a table and to create another."""
IDLE = (0.1, 1.0, 5.0, 20.0, 61.0, 181.0, 400.0)
BUSY = (0.01, 0.01, 0.1, 0.1, 0.5, 2.0, 10.0, 31.0)
"""Seconds that pass in one step, while no engine runs and while one does."""
ROUNDS_TO_CONVERGE = 8
"""Rounds of true-ups after healing. A member that no group lists counts as gone after a minute, a tombstone expires
after a minute, and the guard wants a second look; then each Region has to learn of the other Regions'."""
ROUND_SECONDS = 61.0
ROUNDS_TO_OUTLIVE_READINGS = 7
"""Rounds after which every reading shows what was done before them, and one more in which the engine acts on it."""

SIEGES_IN = 0.3
"""The share of the histories with an adversary in which it also fills a queue at the end."""

LIVENESS = frozenset(
    {
        "converges",
        "launches_are_answered",
        "quiet_once_converged",
        "served_whatever_lies_in_the_queue",
        "works_when_all_is_well",
        "works_when_left_alone",
    }
)
"""The properties that require that something good happens. All others require that nothing bad ever happens."""

HEALS = LIVENESS - {"works_when_left_alone", "launches_are_answered"}
"""The properties that hold even after rows were forged that no engine can tell from a Region's own."""

TRUE_UP = {"trueup": True}


@dataclass(slots=True)
class HistoryResult:
    """How a history of so many steps ended. `violation` is the first one; `phase` is `safety` or `liveness`, by the
    kind of its property."""

    seed: int
    steps: int = 0
    phase: str = "safety"
    violation: Violation | None = None
    trace: list[str] = field(default_factory=list)
    coverage: Counter[str] = field(default_factory=Counter)


def simulate(seed: int, engine: Reconcile = reconcile, *, steps: Sequence[int] = STEPS) -> HistoryResult:
    """Plays the history of the seed with the engine, up to its first violation. `steps` are the possible lengths."""
    return History(seed, engine, steps=steps).play()


class History:
    """A history as it is played.

    `without` leaves steps out by their number. Each step draws its own random numbers from the seed, so the others
    remain what they are as far as possible: that is how a history is shortened.
    """

    def __init__(
        self,
        seed: int,
        engine: Reconcile = reconcile,
        *,
        traced: bool = False,
        without: Set[int] = frozenset(),
        steps: Sequence[int] = STEPS,
    ) -> None:
        self.result = HistoryResult(seed)
        self.chance = chance = random.Random(seed)  # noqa: S311  # a simulation
        self.cloud = random_cloud(chance)
        self.regions = list(self.cloud.regions)
        self.starts_deployed = chance.random() < (0.8 if len(self.regions) == 2 else 0.5)
        self.settings = random_settings(chance, self.cloud)
        self.checker = Checker(self.cloud, self.settings)
        self.scheduler = Scheduler(self.cloud.clock, lambda count: int(chance.random() * count))
        self.weather = Weather(self.cloud, chance)
        self.operator_actions: operators.Actions = operators.ALL_ACTIONS
        self.adversary = Adversary(self.cloud, chance)
        # Numbers of its own, so that the other histories are what they were.
        self.pauses = Pauses(self.cloud, random.Random(f"pauses {seed}"))  # noqa: S311  # likewise
        self.happenings = [*LIKELY_HAPPENINGS, *[History._let_operators_pause] * (8 * self.pauses.happen)]
        self.invocations = Invocations(
            self.cloud,
            self.settings,
            engine,
            scheduler=self.scheduler,
            checker=self.checker,
            coverage=self.result.coverage,
        )
        self.trace = Trace(self.cloud, enabled=traced)
        self.result.trace = self.trace.lines
        self._without = without
        self._steps = steps
        self.cloud.watchers += [self.checker.watch, self._watch]

    def play(self) -> HistoryResult:
        """Plays it, up to the first violation."""
        self.trace.step(f"{self}")
        for phase in (self._under_faults, self._healed):
            for text in phase():
                self.trace.step(text)
                if self._violated():
                    return self._end()
        return self._end()

    def __str__(self) -> str:
        return f"{shape_text(self.cloud, self.settings)}; {self.weather}; {self.adversary}; {self.pauses}"

    # Under faults.

    def _under_faults(self) -> Iterator[str]:
        steps = self.chance.choice(self._steps)
        self.result.steps = steps
        for step in range(steps):
            if step in self._without:
                continue
            self.chance.seed(self.result.seed << 8 | step)
            region = self.regions[int(self.chance.random() * len(self.regions))]
            if self.starts_deployed and step < len(self.regions):
                yield self.invocations.start(self.regions[step], TRUE_UP)
            elif self.chance.random() < 0.7 and self.scheduler.ready:
                yield self._let_engines_run()
            else:
                yield self.chance.choice(self.happenings)(self, region)

    def _let_engines_run(self) -> str:
        self._run_calls(self.chance.choice((1, 2, 4, 8, 24)))
        return ""

    def _run_calls(self, count: int) -> None:
        for _ in range(count):
            if not self.scheduler.step() or self._violated():
                break

    def _let_operators_act(self, region: Region) -> str:
        name, text = operators.act(self.cloud.region(region), self.chance, self.operator_actions)
        self.result.coverage[name] += bool(text)
        self.invocations.interference += 1
        return text

    def _let_operators_pause(self, region: Region) -> str:
        text = self.pauses.pause_or_resume(region)
        self.result.coverage["pauses and resumes"] += bool(text)
        self.invocations.interference += 1
        return text

    def _let_invocations_overlap(self, region: Region) -> str:
        """Something changes while the function runs: for the queue, and for an operator."""
        before = self._true_up_by_hand(region) if self.chance.random() < 0.5 else ""
        self._run_calls(self.chance.randrange(8))
        action = self._let_operators_act(region)
        polled = self._poll(region)
        after = self._true_up_by_hand(region) if self.chance.random() < 0.5 else ""
        return "; ".join(filter(None, (before, action, polled, after)))

    def _let_adversary_act(self, region: Region) -> str:
        name, text = self.adversary.act(self.cloud.region(region))
        if text:
            self.result.coverage[name] += 1
            self.invocations.interference += 1
        return text

    def _let_describes_lag(self, _region: Region) -> str:
        self.invocations.interference += 1
        return self.weather.change_lag()

    def _let_rules_lag(self, _region: Region) -> str:
        return self.weather.change_rules_lag()

    def _let_weather_change(self, _region: Region) -> str:
        return self.weather.change()

    def _let_zone_fail(self, region: Region) -> str:
        return self.weather.change_zone(region)

    def _let_schedule_fire(self, region: Region) -> str:
        self.cloud.region(region).events.schedule()
        return f"the schedule of {region} fires"

    def _let_table_be_recreated(self, region: Region) -> str:
        """It is deleted, and the next deployment creates another; no engine runs meanwhile."""
        table = self.cloud.region(region).table
        if self.invocations.count() or not table.rosters:
            return ""
        self.cloud.clock.advance(TABLE_SECONDS)
        table.recreate()
        self.result.coverage["table recreated"] += 1
        return f"the table of {region} is deleted and created again"

    def _let_region_be_deployed(self, region: Region) -> str:
        """The table is created. Its engine has not announced the Region yet."""
        table = self.cloud.region(region).table
        if table.exists:
            return ""
        table.recreate()
        self.result.coverage["table created"] += 1
        return f"the table of {region} is created"

    def _let_time_pass(self, _region: Region) -> str:
        seconds = self.chance.choice(BUSY if self.invocations.count() else IDLE)
        self.cloud.clock.advance(seconds)
        return f"{seconds} s pass"

    def _true_up_by_hand(self, region: Region) -> str:
        return self.invocations.start(region, TRUE_UP)

    def _poll(self, region: Region) -> str:
        return self.invocations.poll(region)

    # After healing.

    def _healed(self) -> Iterator[str]:
        self.weather.heal()
        self.pauses.resume_all()
        yield "everything heals"
        while self.invocations.count():
            if not self.scheduler.step():
                self.cloud.clock.advance(1.0)
            yield ""
        self._make_room()
        yield from self._outlive_old_readings()
        yield from self._converge("after healing")
        if not self._violated():
            yield from self._quiet()
            yield from self._siege()

    def _outlive_old_readings(self) -> Iterator[str]:
        """Rounds of true-ups while readings of rules still lag behind, until they show what was done before."""
        if not self.weather.rules_lag:
            return
        for _ in range(ROUNDS_TO_OUTLIVE_READINGS):
            self.cloud.clock.advance(ROUND_SECONDS)
            yield self.weather.change_rules_lag()
            for region in self.cloud.regions:
                yield from self._true_up(region)
        for what in doors_left_open(self.checker.context):
            self.checker.violations.append(Violation("doors_are_closed_in_time", what))
            yield "a door stays open"
        self.weather.let_rules_catch_up()

    def _converge(self, when: str) -> Iterator[str]:
        """Rounds of true-ups until everything has converged."""
        remaining: list[str] = []
        for _ in range(ROUNDS_TO_CONVERGE):
            self.cloud.clock.advance(ROUND_SECONDS)  # after it, every message that was in flight is visible again
            for region in self.cloud.regions:
                yield from self._true_up(region)
            remaining = list(unconverged(self.checker.context))
            if not remaining:
                return
        self.checker.violations.append(Violation("converges", "; ".join(remaining)))
        yield f"not converged in {ROUNDS_TO_CONVERGE} rounds {when}"

    def _true_up(self, region: Region) -> Iterator[str]:
        """The schedule fires, and the function empties its queue."""
        self.cloud.regions[region].events.schedule()
        yield from self.invocations.drain(region)

    def _quiet(self) -> Iterator[str]:
        """After convergence, the next reconcile of any Region changes nothing."""
        region = self.chance.choice(self.regions)
        self.cloud.clock.advance(ROUND_SECONDS)
        for _ in range(ROUNDS_TO_CONVERGE):
            if not self.cloud.regions[region].queue.messages:
                break
            yield from self._true_up(region)  # a late event may be news
            self.cloud.clock.advance(ROUND_SECONDS)
        else:
            self.checker.violations.append(Violation("converges", f"the queue of {region} is never empty"))
            yield "the queue is never empty"
        before, is_any_waiting = len(self.cloud.calls), self._has_waiting(region)
        yield from self._true_up(region)
        changes = [
            str(call)
            for call in self.cloud.calls[before:]
            if call.mutating and not (is_any_waiting and call.operation == "CompleteLifecycleAction")
        ]
        if changes:
            self.checker.violations.append(Violation("quiet_once_converged", "; ".join(changes)))
            yield "it changes what has converged"

    def _has_waiting(self, region: Region) -> bool:
        """Whether an instance waits in a hook. One whose root volume is replaced can begin to wait late."""
        groups = self.cloud.regions[region].groups.values()
        return any(instance.waits for group in groups for instance in group.instances.values())

    def _siege(self) -> Iterator[str]:
        """A launch and a termination are served in time, whatever else lies in the queue."""
        if self.adversary.is_absent or self.chance.random() >= SIEGES_IN:
            return
        siege = Siege(self.checker.context, self.adversary)
        region = self.chance.choice(self.regions)
        if (group := siege.group_with_room(self.cloud.regions[region])) is None:
            return
        self.result.coverage["siege"] += 1
        settles_late = siege.settles_late(self.cloud.regions[region], group)
        lag = 0.0 if settles_late else self.chance.choice(LAGS)
        self.weather.lag(region, lag)
        for desired in (group.desired + 1, group.desired):
            yield from self._settle(region)
            before = siege.moment(self.cloud.regions[region])
            yield siege.begin(self.cloud.regions[region], group, desired, lags=lag > 0)
            yield from self.invocations.drain(region)
            for what in siege.unserved(self.cloud.regions[region], group, before):
                self.checker.violations.append(Violation("served_whatever_lies_in_the_queue", what))
                yield f"the siege holds, at a lag of {lag} s"
        self.weather.lag(region, 0.0)
        yield from self._converge("after the siege")

    def _settle(self, region: Region) -> Iterator[str]:
        """Time passes until all members have had their rules for so long that a termination needs one look."""
        self.cloud.clock.advance(SETTLED_SECONDS)
        yield from self._true_up(region)

    def _make_room(self) -> None:
        """Deploys every Region, and makes room for all members, as operators do.

        Where there is room, foreign rules are left to mirror mode.
        """
        for region in self.cloud.regions.values():
            if not region.table.exists:
                region.table.recreate()
            self._replace_security_group(region)
            if self.adversary.lies:
                # What was forged about a group that does not exist stays until the configuration names it no more.
                existing = tuple(region.groups)
                self.settings[region.name] = replace(self.settings[region.name], auto_scaling_groups=existing)
            mirrors = self.settings[region.name].mode is Mode.MIRROR and self.cloud.quota != SMALL_QUOTA
            for rule in () if mirrors else list(region.security_group.rules.values()):
                if rule.opening is not None and rule.label(self.cloud.cluster) is None:
                    region.security_group.revoke_by_hand(rule.id)
            self._give_self_rules_back(region)
            if self.cloud.quota == SMALL_QUOTA:
                for group in region.groups.values():
                    for id in [id for id, instance in group.instances.items() if instance.state == "Standby"]:
                        group.terminate(id)
                    group.scale_to(min(group.desired, 1))

    def _replace_security_group(self, region: CloudRegion) -> None:
        """Deploys a Region with another security group, if its own was deleted."""
        if self.checker.context.deleted_groups(region.name):
            region.replace_security_group()
            existing = tuple(region.security_groups.groups)
            self.settings[region.name] = replace(self.settings[region.name], security_groups=existing)

    def _give_self_rules_back(self, region: CloudRegion) -> None:
        """Lets a security group admit itself again. An operator has its quota raised if it has no room for that."""
        group = region.security_group
        if not group.admits_itself():
            group.quota += len(self.cloud.managed_ports(self.settings[region.name]))
            region.give_self_rules_back()

    # Results.

    def _watch(self, change: CloudChange) -> None:
        if isinstance(change, ActionCompleted) and change.by is None:
            self.invocations.interference += 1
            self.result.coverage["hook-timeout"] += 1
        self.trace.change(change)

    def _violated(self) -> bool:
        if self.adversary.lies and self.checker.violations:
            # What the Region's own key range says about its groups is believed. But it must heal.
            self.checker.violations = [found for found in self.checker.violations if found.name in HEALS]
        return bool(self.checker.violations)

    def _end(self) -> HistoryResult:
        self.scheduler.close()
        if self.checker.violations:
            self.result.violation = self.checker.violations[0]
            self.result.phase = "liveness" if self.result.violation.name in LIVENESS else "safety"
            self.trace.step(str(self.result.violation))
        self.result.coverage[f"{len(self.regions)} Regions"] += 1
        self.result.coverage += self.weather.fates
        for call in self.cloud.calls:
            self.result.coverage[f"{call.operation} {call.outcome}"] += 1
        return self.result


HAPPENINGS: Mapping[Callable[[History, Region], str], int] = {
    History._let_operators_act: 5,
    History._let_invocations_overlap: 6,
    History._poll: 4,
    History._true_up_by_hand: 2,
    History._let_adversary_act: 4,
    History._let_describes_lag: 1,
    History._let_rules_lag: 3,
    History._let_weather_change: 1,
    History._let_zone_fail: 1,
    History._let_schedule_fire: 1,
    History._let_table_be_recreated: 1,
    History._let_region_be_deployed: 1,
    History._let_time_pass: 5,
}
"""What can happen between two calls, with its weight."""

LIKELY_HAPPENINGS = [happening for happening, weight in HAPPENINGS.items() for _ in range(weight)]
