"""One history from one seed: the real engine in a simulated cluster, under faults and then without.

While faults last, the properties must hold at every step (safety). Then all heals, and after a bounded number of
true-ups everything must be as it should be (liveness). The seed decides all: shape, faults, interleaving.
"""

import random
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial

from ringfence.core.audit_events import RemovalsHeld, RuleRefused
from ringfence.core.errors import RingfenceError
from ringfence.core.model.addresses import AddressKind
from ringfence.core.model.identifiers import Region
from ringfence.core.settings import Mode, Settings
from ringfence.reconciler.reconcile import reconcile
from ringfence_lab.sim import operators
from ringfence_lab.sim.aws.history import ActionCompleted, Change
from ringfence_lab.sim.cloud import Cloud
from ringfence_lab.sim.convergence import unconverged
from ringfence_lab.sim.engine.function import Engine, Function
from ringfence_lab.sim.engine.line import Invocation
from ringfence_lab.sim.engine.tasks import Scheduler
from ringfence_lab.sim.properties import (
    Properties,
    Violation,
    launches_are_answered_without_the_table,
    strangers_are_admitted_nowhere,
)
from ringfence_lab.sim.weather import Weather

NAMES = ("us-east-1", "us-west-2", "eu-west-1")
STEPS = (4, 5, 6, 8, 12, 20)
"""Things that happen while faults last, in one history or another: most are short, since a short one that goes wrong
is easily understood, and many short ones meet more situations than a few long ones in the same time."""
IN_FLIGHT = 3
"""Invocations that can overlap."""
FUNCTION_TIMEOUT = 30.0
SMALL_QUOTA = 16
"""Rules of a security group, in histories in which members do not always find room."""
POOL_SECONDS = 31.0
"""How long an instance rests in a warm pool at least. Assumed: Auto Scaling has to see it stop or run first."""
TABLE_SECONDS = 10.0
"""How long it takes at least to delete a table and to make another."""
MODES = (Mode.OWNED, Mode.OWNED, Mode.OWNED, Mode.OWNED, Mode.MIRROR)
IDLE = (0.1, 1.0, 5.0, 20.0, 61.0, 181.0, 400.0)
BUSY = (0.01, 0.01, 0.1, 0.1, 0.5, 2.0, 10.0, 31.0)
"""Seconds that pass at once, while no engine runs and while one does."""
ROUNDS_TO_CONVERGE = 8
"""Rounds of true-ups after healing. A member that nobody lists is believed gone after a minute, so is a tombstone
outdated, and the guard wants a second look; then each Region has to learn of the others'."""
ROUND_SECONDS = 61.0

LIVENESS = frozenset({"converges", "quiet_once_converged", "works_when_all_is_well", "works_when_left_alone"})
"""The properties that say that something good happens. All others say that nothing bad ever does."""

Work = Callable[[], None]


@dataclass(slots=True)
class Result:
    """How a history of so many steps ended. `violation` is the first one; `phase` tells whether it is one of safety,
    which must hold at every moment, or of liveness."""

    seed: int
    steps: int = 0
    phase: str = "safety"
    violation: Violation | None = None
    trace: list[str] = field(default_factory=list)
    coverage: Counter[str] = field(default_factory=Counter)


def simulate(
    seed: int,
    engine: Engine = reconcile,
    traced: bool = False,
    without: Set[int] = frozenset(),
    steps: Sequence[int] = STEPS,
) -> Result:
    """Plays the history of the seed with the engine, up to its first violation. It has one of the numbers of `steps`.

    `without` leaves out steps by their number: each draws its own chance from the seed, so that the others stay what
    they are as far as they can. That is how a history is shortened.
    """
    return History(seed, engine, traced, without, steps).play()


class History:
    """A history as it is played."""

    def __init__(
        self, seed: int, engine: Engine, traced: bool, without: Set[int] = frozenset(), steps: Sequence[int] = STEPS
    ) -> None:
        self.steps = steps
        self.chance = random.Random(seed)  # noqa: S311  # a simulation
        self.without = without
        self.result = Result(seed)
        self.traced = traced
        self.engine = engine
        self.cloud = self._cloud()
        self.regions = list(self.cloud.regions)
        self.starts_deployed = len(self.regions) == 2 or self.chance.random() < 0.5
        self.settings = {region: self._settings(region) for region in self.cloud.regions}
        self.properties = Properties(self.cloud, self.settings)
        self.scheduler = Scheduler(self.cloud.clock, lambda n: int(self.chance.random() * n))
        self.weather = Weather(self.cloud, self.chance)
        self.in_flight: list[Invocation] = []
        self.interference = 0
        self.calls_told = 0
        self.cloud.watchers += [self.properties.watch, self._watch]

    def play(self) -> Result:
        """Plays it."""
        self._say(f"{self}")
        for what in self._under_faults():
            self._say(what)
            if self._violated():
                return self._end()
        for what in self._healed():
            self._say(what)
            if self._violated():
                return self._end()
        return self._end()

    def __str__(self) -> str:
        shapes = []
        for region, settings in self.settings.items():
            sizes = [f"{group.name} at {group.desired}" for group in self.cloud.regions[region].groups.values()]
            kinds = sorted(kind.value for kind in settings.address_kinds)
            shapes.append(f"{region}: {', '.join(sizes)}, {settings.mode.value}, {', '.join(kinds)}")
        return f"{'; '.join(shapes)}; quota {self.cloud.quota}; {self.weather}"

    def _cloud(self) -> Cloud:
        chance = self.chance
        cloud = Cloud(
            NAMES[: chance.choice((2, 2, 2, 2, 2, 3))],
            ports=chance.choice(("tcp/9042", "tcp/7000-7001,tcp/9042")),
            quota=chance.choice((60, 60, 60, SMALL_QUOTA)),
            chance=chance,
        )
        for n, region in enumerate(cloud.regions.values()):
            for name in ("db",) if chance.random() < 0.8 else ("db", "web"):
                group = region.auto_scaling_group(f"{name}-{n}", desired=chance.randrange(3))
                group.proceed_seconds = chance.choice((0.0, 2.0))
                group.pool_seconds = POOL_SECONDS
                group.lists_warm_pool = chance.random() < 0.5
            region.table.exists = chance.random() < 0.9
            region.ec2.address_seconds = chance.choice((0.0, 0.0, 0.0, 3.0))
        return cloud

    def _settings(self, region: Region) -> Settings:
        kinds = self.chance.choice((AddressKind.PUBLIC_IPV4, AddressKind.PUBLIC_IPV4, AddressKind.IPV6))
        mode = self.chance.choice(MODES)
        return self.cloud.settings(region, address_kinds=frozenset({kinds}), mode=mode)

    # Under faults.

    def _under_faults(self) -> Iterator[str]:
        steps = self.chance.choice(self.steps)
        self.result.steps = steps
        for step in range(steps):
            if step in self.without:
                continue
            self.chance.seed(self.result.seed << 8 | step)
            region = self.regions[int(self.chance.random() * len(self.regions))]
            if self.starts_deployed and step < len(self.regions):
                yield self._start(self.regions[step], {"trueup": True})
            elif self.chance.random() < 0.7 and self.scheduler.ready:
                yield self._let_engines_run()
            else:
                yield self.chance.choice(LIKELY_HAPPENINGS)(self, region)

    def _let_engines_run(self) -> str:
        self._let_pass(self.chance.choice((1, 2, 4, 8, 24)))
        return ""

    def _let_pass(self, calls: int) -> None:
        for _ in range(calls):
            if not self.scheduler.step() or self._violated():
                break

    def _let_operators_act(self, region: Region) -> str:
        name, did = operators.act(self.cloud.region(region), self.chance)
        self.result.coverage[name] += bool(did)
        self.interference += 1
        return did

    def _let_invocations_meet(self, region: Region) -> str:
        """Something changes while the function is at it: in the queue's name, and in an operator's."""
        before = self._start(region, {"trueup": True}) if self.chance.random() < 0.5 else ""
        self._let_pass(self.chance.randrange(8))
        did = self._let_operators_act(region)
        polled = self._poll(region)
        after = self._start(region, {"trueup": True}) if self.chance.random() < 0.5 else ""
        return "; ".join(filter(None, (before, did, polled, after)))

    def _let_weather_change(self, _region: Region) -> str:
        return self.weather.change()

    def _let_schedule_fire(self, region: Region) -> str:
        self.cloud.region(region).events.schedule()
        return f"the schedule of {region} fires"

    def _let_table_be_made_anew(self, region: Region) -> str:
        """It is deleted, and the next deployment makes another; no engine is at work meanwhile."""
        table = self.cloud.region(region).table
        if self._in_flight() or not table.rosters:
            return ""
        self.cloud.clock.advance(TABLE_SECONDS)
        table.make_anew()
        self.result.coverage["table made anew"] += 1
        return f"the table of {region} is deleted and made anew"

    def _let_time_pass(self, _region: Region) -> str:
        seconds = self.chance.choice(BUSY if self._in_flight() else IDLE)
        self.cloud.clock.advance(seconds)
        return f"{seconds} s pass"

    def _true_up_by_hand(self, region: Region) -> str:
        return self._start(region, {"trueup": True})

    def _poll(self, region: Region) -> str:
        if self._in_flight() >= IN_FLIGHT or not self.cloud.region(region).table.exists:
            return ""
        batch = self.cloud.region(region).queue.receive()
        if not batch:
            return ""
        invocation = self.cloud.invocation(region)
        world = self.cloud.engine_services(region, invocation, self.scheduler)
        self._launch(invocation, partial(self._function(region).consume, invocation, world, batch))
        return f"{invocation} takes {len(batch)} messages"

    def _start(self, region: Region, payload: object) -> str:
        if self._in_flight() >= IN_FLIGHT or not self.cloud.region(region).table.exists:
            return ""
        invocation = self.cloud.invocation(region)
        world = self.cloud.engine_services(region, invocation, self.scheduler)
        self._launch(invocation, partial(self._function(region).invoke, invocation, world, payload))
        return f"{invocation} is invoked with {payload}"

    def _function(self, region: Region) -> Function:
        return Function(self.cloud.region(region).queue, self.settings[region], self.engine)

    def _launch(self, invocation: Invocation, work: Work) -> None:
        alone = not self._in_flight()
        self.result.coverage["overlapping invocations"] += not alone
        self.in_flight.append(invocation)
        self.interference += 1
        started = self.interference if alone else -1
        self.cloud.clock.after(FUNCTION_TIMEOUT, partial(self._time_out, invocation))
        self.scheduler.spawn(invocation, partial(self._run, invocation, work, started))

    def _run(self, invocation: Invocation, work: Work, started: int) -> None:
        with suppress(RingfenceError):
            work()
        for what in launches_are_answered_without_the_table(self.properties, invocation):
            self.properties.violations.append(Violation("launches_are_answered_without_the_table", what))
        alone = started == self.interference
        if not alone or invocation.killed or invocation.disturbed or invocation.misled:
            return
        if invocation.error is not None:
            what = f"{invocation}: {invocation.error}"
            self.properties.violations.append(Violation("works_when_left_alone", what))
        elif not _holds_back(invocation):
            for what in strangers_are_admitted_nowhere(self.properties, invocation):
                self.properties.violations.append(Violation("strangers_are_admitted_nowhere", what))

    def _in_flight(self) -> int:
        self.in_flight = [invocation for invocation in self.in_flight if invocation.running]
        return len(self.in_flight)

    def _time_out(self, invocation: Invocation) -> None:
        if invocation.running:
            invocation.killed = True
            self.result.coverage["function-timeout"] += 1

    # Healed.

    def _healed(self) -> Iterator[str]:
        self.weather.heal()
        yield "everything heals"
        while self._in_flight():
            if not self.scheduler.step():
                self.cloud.clock.advance(1.0)
            yield ""
        self._make_room()
        remaining: list[str] = []
        for _ in range(ROUNDS_TO_CONVERGE):
            self.cloud.clock.advance(ROUND_SECONDS)  # all that was in flight is visible again
            for region in self.cloud.regions:
                yield from self._true_up(region)
            remaining = list(unconverged(self.properties))
            if not remaining:
                yield from self._quiet()
                return
        self.properties.violations.append(Violation("converges", "; ".join(remaining)))
        yield f"not converged after {ROUNDS_TO_CONVERGE} rounds"

    def _true_up(self, region: Region) -> Iterator[str]:
        """The schedule fires, and the function takes what is in its queue."""
        cloud = self.cloud.regions[region]
        cloud.events.schedule()
        while batch := cloud.queue.receive():
            invocation = self.cloud.invocation(region)
            self._function(region).consume(invocation, self.cloud.engine_services(region, invocation), batch)
            if invocation.error is not None:
                what = f"{invocation}: {invocation.error}"
                self.properties.violations.append(Violation("works_when_all_is_well", what))
            yield f"{invocation} takes {len(batch)} messages, the last one a true-up"

    def _quiet(self) -> Iterator[str]:
        """What converged is left alone: the next reconcile, of whichever Region, changes nothing."""
        region = self.chance.choice(self.regions)
        self.cloud.clock.advance(ROUND_SECONDS)
        while self.cloud.regions[region].queue.messages:  # an event that was late until now, and may be news
            yield from self._true_up(region)
            self.cloud.clock.advance(ROUND_SECONDS)
        before = len(self.cloud.calls)
        yield from self._true_up(region)
        changes = [str(call) for call in self.cloud.calls[before:] if call.mutating]
        if changes:
            self.properties.violations.append(Violation("quiet_once_converged", "; ".join(changes)))
            yield "it changes what has converged"

    def _make_room(self) -> None:
        """Every Region is deployed, and operators see to it that there is room for all members."""
        for region in self.cloud.regions.values():
            region.table.exists = True
            for rule in list(region.security_group.rules.values()):
                if rule.opening is not None and rule.label(self.cloud.cluster) is None:
                    region.security_group.revoke_by_hand(rule.id)
            if self.cloud.quota == SMALL_QUOTA:
                for group in region.groups.values():
                    for one in [one for one in group.instances.values() if one.state == "Standby"]:
                        group.terminate(one.id)
                    group.scale_to(min(group.desired, 1))

    # The book.

    def _watch(self, change: Change) -> None:
        if isinstance(change, ActionCompleted) and change.by is None:
            self.interference += 1
            self.result.coverage["hook-timeout"] += 1
        if self.traced:
            self._tell_calls()
            self.result.trace.append(f"{self._time()}     {change}")

    def _say(self, what: str) -> None:
        if self.traced:
            self._tell_calls()
            if what:
                self.result.trace.append(f"{self._time()} {what}")

    def _tell_calls(self) -> None:
        for call in self.cloud.calls[self.calls_told :]:
            self.result.trace.append(f"{self._time()}   {call}")
        self.calls_told = len(self.cloud.calls)

    def _time(self) -> str:
        return f"{self.cloud.clock.now() % 100_000:10.3f}"

    def _violated(self) -> bool:
        return bool(self.properties.violations)

    def _end(self) -> Result:
        self.scheduler.close()
        if self.properties.violations:
            self.result.violation = self.properties.violations[0]
            self.result.phase = "liveness" if self.result.violation.name in LIVENESS else "safety"
            self._say(str(self.result.violation))
        self.result.coverage[f"{len(self.regions)} Regions"] += 1
        self.result.coverage += self.weather.fates
        for call in self.cloud.calls:
            self.result.coverage[f"{call.operation} {call.outcome}"] += 1
        return self.result


def _holds_back(invocation: Invocation) -> bool:
    return any(isinstance(entry, RemovalsHeld | RuleRefused) for entry in invocation.audit_events)


HAPPENINGS: Mapping[Callable[[History, Region], str], int] = {
    History._let_operators_act: 5,
    History._let_invocations_meet: 6,
    History._poll: 4,
    History._true_up_by_hand: 2,
    History._let_weather_change: 1,
    History._let_schedule_fire: 1,
    History._let_table_be_made_anew: 1,
    History._let_time_pass: 5,
}
"""What can happen between two calls, with how likely it is."""

LIKELY_HAPPENINGS = [happening for happening, likelihood in HAPPENINGS.items() for _ in range(likelihood)]
