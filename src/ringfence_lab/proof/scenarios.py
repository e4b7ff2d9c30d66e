"""What happens to a cluster, as short stories that are always told the same way: the stage, and the scenarios.

A scenario says what operators, Auto Scaling and failures do, and when the functions run. It knows nothing of what is
proved by it: it may be killed at any call, and then simply goes on.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial

from ringfence.errors import RingfenceError
from ringfence.model import Region
from ringfence.ports import World
from ringfence.reconcile import reconcile
from ringfence_lab.sim.auto_scaling import AutoScalingGroup
from ringfence_lab.sim.calls import Invocation
from ringfence_lab.sim.cloud import Cloud, CloudRegion
from ringfence_lab.sim.convergence import unconverged
from ringfence_lab.sim.event_bridge import deliver_at_once
from ringfence_lab.sim.faults import Effect
from ringfence_lab.sim.function import Engine, Function
from ringfence_lab.sim.history import ActionCompleted, Change, RowWritten, RuleMade, RuleRevoked
from ringfence_lab.sim.properties import Properties, Violation
from ringfence_lab.sim.tasks import Scheduler, Task

EAST, WEST, SOUTH = NAMES = ("us-east-1", "us-west-2", "ap-southeast-2")
ASG = "db"
TRUE_UP = {"trueup": True}

ROUNDS_TO_CONVERGE = 4
"""Rounds of the schedule after which all must be well. A member that nobody lists is believed gone after a minute, and
what one Region learns the next has to learn from it; four rounds end before the first heartbeat (300 s) does."""
ROUND_SECONDS = 61.0

Choose = Callable[[int], int]


def first_ready(_count: int) -> int:
    """The invocation's tasks take turns."""
    return 0


def last_ready(count: int) -> int:
    """A task goes on for as long as it can."""
    return count - 1


class Stage:
    """A cluster in sync, with the properties watching. Every invocation runs as tasks that take turns by `choose`; of
    one that is killed or fails nobody hears here: the queue and the schedule have to make up for it."""

    def __init__(
        self, regions: int = 2, desired: int = 2, engine: Engine = reconcile, choose: Choose = first_ready
    ) -> None:
        self.cloud = Cloud(NAMES[:regions])
        for region in self.cloud.regions.values():
            region.auto_scaling_group(ASG, desired)
        self.settings = {name: self.cloud.settings(name) for name in self.cloud.regions}
        self.properties = Properties(self.cloud, self.settings)
        self.changes: list[tuple[int, Change]] = []
        self.cloud.watchers += [self.properties.watch, self._watch]
        for _ in range(2):  # after two true-ups everybody knows everybody
            for name in self.cloud.regions:
                self.cloud.invoke(name, TRUE_UP)
        for written in (self.cloud.calls, self.cloud.history, self.changes):
            written.clear()
        self.scheduler = Scheduler(self.cloud.clock, choose)
        self._engine = engine

    def region(self, name: str) -> CloudRegion:
        """The Region of that name."""
        return self.cloud.region(name)

    def group(self, name: str, asg: str = ASG) -> AutoScalingGroup:
        """The Region's Auto Scaling group."""
        return self.cloud.region(name).groups[asg]

    def configure(self, **changes: object) -> None:
        """Every function is deployed again with another configuration."""
        for name, settings in self.settings.items():
            self.settings[name] = replace(settings, **changes)  # type: ignore[arg-type]  # a scenario names the fields

    # Invocations.

    def poll(self, *homes: str) -> bool:
        """The Regions' functions take what is in their queues, side by side. False where nothing is."""
        works = [work for home in homes for work in self.consumption(home)]
        self._run(works)
        return bool(works)

    def drain(self, *homes: str) -> None:
        """The functions run until the queues are empty."""
        while self.poll(*homes):
            pass

    def invoke(self, *payloads: tuple[str, object]) -> None:
        """Regions' functions are invoked directly, side by side."""
        self._run([self.invocation(home, payload) for home, payload in payloads])

    def poll_and_invoke(self, home: str, *payloads: tuple[str, object]) -> None:
        """A Region's function takes what is in its queue while functions are invoked directly."""
        self._run(self.consumption(home) + [self.invocation(*each) for each in payloads])

    def consumption(self, home: str) -> "list[Work]":
        """The run of a Region's function on what is in its queue, if anything is: not begun yet."""
        batch = self.region(home).queue.receive()
        return [self._work(home, lambda function, one, world: function.consume(one, world, batch))] if batch else []

    def invocation(self, home: str, payload: object) -> "Work":
        """A run of a Region's function on a payload: not begun yet."""
        return self._work(home, lambda function, one, world: function.invoke(one, world, payload))

    def _work(self, home: str, run: Callable[[Function, Invocation, World], None]) -> "Work":
        one = self.cloud.invocation(home)
        function = Function(self.region(home).queue, self.settings[Region(home)], self._engine)
        return one, partial(
            _swallowing, partial(run, function, one, self.cloud.engine_ports(home, one, self.scheduler))
        )

    def _run(self, works: Sequence["Work"]) -> None:
        tasks: list[Task[None]] = [self.scheduler.spawn(one, work) for one, work in works]
        while not all(task.over for task in tasks):
            if not self.scheduler.step():
                self.cloud.clock.advance_to_next_timer()
        while self.scheduler.step():
            pass  # what nobody waited for

    # What became of it.

    def recover(self) -> Iterator[str]:
        """The schedule fires, and messages are delivered again. Says what is still not as it should be after so many
        rounds, and what the next one changes where nothing is left to do."""
        remaining: list[str] = []
        for _ in range(ROUNDS_TO_CONVERGE):
            self._round()
            remaining = list(unconverged(self.properties))
            if not remaining:
                break
        else:
            yield from remaining
            return
        before = len(self.cloud.calls)
        self._round()
        yield from (f"converged, and yet {call}" for call in self.cloud.calls[before:] if call.mutating)

    def _round(self) -> None:
        self.cloud.clock.advance(ROUND_SECONDS)
        for name in self.cloud.regions:
            self.region(name).events.schedule()
            self.drain(name)

    def violations(self) -> list[Violation]:
        """What did not hold so far, hooks that ended by themselves among it."""
        timed_out = [
            Violation("hooks_are_answered", f"{change.instance} waited until its heartbeat was over")
            for _, change in self.changes
            if isinstance(change, ActionCompleted) and change.by is None
        ]
        return self.properties.violations + timed_out

    def trace(self) -> list[str]:
        """Every call with what it changed, in order."""
        lines: list[str] = []
        changes = iter([*self.changes, (len(self.cloud.calls) + 1, None)])
        at, change = next(changes)
        for number in range(len(self.cloud.calls) + 1):
            if number:
                lines.append(f"{number:4} {self.cloud.calls[number - 1]}")
            while at == number:
                lines.append(f"       {_told(change)}")
                at, change = next(changes)
        return lines

    def _watch(self, change: Change) -> None:
        self.changes.append((len(self.cloud.calls), change))


Work = tuple[Invocation, Callable[[], None]]


def _told(change: Change | None) -> str:
    """A change in few words: who made it is in the call above."""
    match change:
        case RuleMade() | RuleRevoked():
            return f"{type(change).__name__} {change.rule.id} {change.rule.opening} {change.rule.description}"
        case RowWritten():
            return f"RowWritten in {change.region}: {change.key} at {change.version} over {change.standing}"
        case ActionCompleted():
            return f"ActionCompleted {change.instance} {change.transition.name} {change.result.value}"
        case _:
            return str(change)


def _swallowing(work: Callable[[], None]) -> None:
    with suppress(RingfenceError):  # the caller of a direct invoke is told, and nobody calls again
        work()


@dataclass(frozen=True, slots=True)
class Scenario:
    """A story, with the size of the cluster that it is told of: `desired` is each group's capacity at first."""

    name: str
    play: Callable[[Stage], None]
    regions: int = 2
    desired: int = 2


def launch(stage: Stage) -> None:
    """An instance launches in the first Region."""
    stage.group(EAST).scale_to(stage.group(EAST).desired + 1)
    stage.poll(EAST)


def termination(stage: Stage) -> None:
    """An instance terminates in the first Region."""
    stage.group(EAST).scale_to(stage.group(EAST).desired - 1)
    stage.poll(EAST)


def burst(stage: Stage) -> None:
    """Eight instances launch at once."""
    stage.group(EAST).scale_to(stage.group(EAST).desired + 8)
    stage.poll(EAST)


def mixed_batch(stage: Stage) -> None:
    """Launches and terminations in one batch, replacements among them."""
    group = stage.group(EAST)
    leaving = list(group.listed())[:2]
    group.scale_to(group.desired + 2)
    group.terminate(leaving[0])
    group.terminate(leaving[1], decrement=True)
    stage.drain(EAST)


def instance_refresh(stage: Stage) -> None:
    """Every instance is replaced, one after the other, the new one first."""
    group = stage.group(EAST)
    for old in list(group.listed()):
        group.scale_to(group.desired + 1)
        stage.drain(EAST)
        group.terminate(old, decrement=True)
        stage.drain(EAST)


def peer_down(stage: Stage) -> None:
    """A launch and a termination while the peer hangs, which then comes back."""
    outage = stage.cloud.fault(Effect.UNREACHABLE, region=WEST, seconds=3)
    launch(stage)
    termination(stage)
    stage.cloud.heal(outage)
    stage.cloud.clock.advance(40)
    stage.drain(EAST)


def stale_door(stage: Stage) -> None:
    """A peer is down for longer than a termination may wait for it: the debt is paid when it is back."""
    outage = stage.cloud.fault(Effect.THROTTLE, region=WEST, service="ec2")
    termination(stage)
    stage.cloud.clock.advance(310)
    stage.invoke((EAST, TRUE_UP))
    stage.cloud.heal(outage)
    stage.invoke((EAST, TRUE_UP))


def home_table_down(stage: Stage) -> None:
    """A launch and a termination while the home Region's table fails."""
    outage = stage.cloud.fault(Effect.FAIL, region=EAST, service="dynamodb")
    group = stage.group(EAST)
    group.scale_to(group.desired + 1)
    group.terminate(next(iter(group.listed())), decrement=True)
    stage.poll(EAST)
    stage.cloud.heal(outage)
    stage.cloud.clock.advance(40)
    stage.drain(EAST)


def quota_full(stage: Stage) -> None:
    """No room for a launch at home, so that it is sent away, as its replacement is; then operators make room."""
    east = stage.region(EAST).security_group
    east.quota = east.used(ipv6=False)
    launch(stage)
    stage.poll(EAST)
    east.quota += 10
    stage.drain(EAST)


def replacement_in_full_groups(stage: Stage) -> None:
    """A rolling replacement where both groups are full: what left must go first."""
    group = stage.group(EAST)
    for region in stage.cloud.regions.values():
        region.security_group.quota = region.security_group.used(ipv6=False)
    group.terminate(next(iter(group.listed())))
    stage.drain(EAST)


def warm_pool(stage: Stage) -> None:
    """Into the warm pool, out of it, back into it, and out of it for good."""
    group = stage.group(EAST)
    group.put_warm_pool(1, reuse_on_scale_in=True)
    stage.drain(EAST)
    group.scale_to(group.desired + 1)
    stage.drain(EAST)
    group.scale_to(group.desired - 1)
    stage.drain(EAST)
    group.put_warm_pool(0)
    stage.drain(EAST)


def operator_deletes_rules(stage: Stage) -> None:
    """Rules of ours are deleted by hand in both Regions, and one is written that is not ours."""
    for region in stage.cloud.regions.values():
        for rule in region.owned_rules()[:2]:
            region.security_group.revoke_by_hand(rule.id)
        region.security_group.allow("203.0.113.9/32", "tcp/9042")
    for name in stage.cloud.regions:
        stage.invoke((name, TRUE_UP))


def lost_events(stage: Stage) -> None:
    """The events of a launch and a termination are lost, and the schedule finds both."""
    east, group = stage.region(EAST), stage.group(EAST)
    east.events.fate = lambda _event: ()
    group.scale_to(group.desired + 1)
    group.terminate(next(iter(group.listed())), decrement=True)
    east.events.fate = deliver_at_once
    east.events.schedule()
    stage.drain(EAST)


def elastic_ip(stage: Stage) -> None:
    """An Elastic IP replaces an instance's address, which goes to a stranger."""
    stage.region(EAST).ec2.assign_public_address(next(iter(stage.group(EAST).listed())), elastic=True)
    stage.region(EAST).events.schedule()
    stage.drain(EAST)


def lost_instance(stage: Stage) -> None:
    """A Spot interruption: the instance is gone before anybody hears of it, and is replaced."""
    stage.group(EAST).lose(next(iter(stage.group(EAST).listed())))
    stage.drain(EAST)


def detach_and_attach(stage: Stage) -> None:
    """An instance is detached, and a while later attached again; another one goes through standby."""
    group = stage.group(EAST)
    one, other = list(group.listed())[:2]
    group.detach(one)
    group.enter_standby(other)
    stage.invoke((EAST, TRUE_UP))
    group.attach(one)
    group.exit_standby(other)
    stage.invoke((EAST, TRUE_UP))


def mass_removal(stage: Stage) -> None:
    """A group of many leaves the configuration: the guard wants a second look before so many rules go."""
    stage.region(EAST).auto_scaling_group("batch", desired=12)
    stage.settings[Region(EAST)] = stage.cloud.settings(EAST)
    stage.invoke((EAST, TRUE_UP))
    stage.invoke((WEST, TRUE_UP))
    del stage.region(EAST).groups["batch"]
    stage.settings[Region(EAST)] = stage.cloud.settings(EAST)
    stage.invoke((EAST, TRUE_UP))
    stage.invoke((EAST, TRUE_UP))


def region_leaves(stage: Stage) -> None:
    """The last Region's stack is deleted, and the others are configured without it."""
    leaving = list(stage.cloud.regions)[-1]
    del stage.cloud.regions[leaving], stage.settings[leaving]
    stage.configure(regions=tuple(stage.cloud.regions))
    for name in stage.cloud.regions:
        stage.invoke((name, TRUE_UP))


def table_made_anew(stage: Stage) -> None:
    """The home table is lost and deployed again, empty; then an instance launches."""
    stage.cloud.clock.advance(30.0)  # a stack's deployment takes longer
    stage.region(EAST).table.make_anew()
    stage.invoke((EAST, TRUE_UP))
    launch(stage)


def table_made_anew_in_scale_in(stage: Stage) -> None:
    """The home table is lost and deployed again, empty; then an instance terminates."""
    stage.cloud.clock.advance(30.0)  # a stack's deployment takes longer
    stage.region(EAST).table.make_anew()
    stage.invoke((EAST, TRUE_UP))
    termination(stage)


def overlapping_invocations(stage: Stage) -> None:
    """A launch from the queue, a termination and a true-up by hand: three invocations of one Region at once."""
    stage.group(EAST).scale_to(stage.group(EAST).desired + 1)
    event = unqueued_termination(stage, EAST)
    stage.poll_and_invoke(EAST, (EAST, event), (EAST, TRUE_UP))


def unqueued_termination(stage: Stage, home: str) -> Mapping[str, object]:
    """An instance terminates, and the event of it is in nobody's queue but in the caller's hand."""
    events = stage.region(home).events
    sent, fate = len(events.emitted), events.fate
    events.fate = lambda _event: ()
    stage.group(home).terminate(next(iter(stage.group(home).listed())), decrement=True)
    events.fate = fate
    return events.emitted[sent]


def all_regions_at_once(stage: Stage) -> None:
    """A launch in one Region and a termination in another, while the functions of all run side by side."""
    stage.group(EAST).scale_to(stage.group(EAST).desired + 1)
    stage.group(WEST).scale_to(stage.group(WEST).desired - 1)
    for region in stage.cloud.regions.values():
        region.events.schedule()
    stage.poll(*stage.cloud.regions)


SCENARIOS = (
    Scenario("launch, two Regions", launch),
    Scenario("launch, three Regions", launch, regions=3),
    Scenario("termination, two Regions", termination),
    Scenario("termination, three Regions", termination, regions=3),
    Scenario("burst of eight launches", burst),
    Scenario("mixed batch", mixed_batch),
    Scenario("instance refresh", instance_refresh),
    Scenario("peer down, then back", peer_down),
    Scenario("stale door, then paid", stale_door),
    Scenario("home table down", home_table_down),
    Scenario("quota full, launch sent away", quota_full),
    Scenario("replacement in full groups", replacement_in_full_groups),
    Scenario("warm pool in and out", warm_pool),
    Scenario("operator deletes rules", operator_deletes_rules),
    Scenario("lost events, found by schedule", lost_events),
    Scenario("Elastic IP moves", elastic_ip),
    Scenario("instance lost", lost_instance),
    Scenario("detach, attach, standby", detach_and_attach),
    Scenario("mass removal, held by the guard", mass_removal),
    Scenario("Region leaves", region_leaves, regions=3),
    Scenario("home table made anew, launch", table_made_anew),
    Scenario("home table made anew, termination", table_made_anew_in_scale_in),
    Scenario("overlapping invocations", overlapping_invocations),
    Scenario("two Regions at once", all_regions_at_once),
    Scenario("three Regions at once", all_regions_at_once, regions=3),
)
BY_NAME: Mapping[str, Scenario] = {scenario.name: scenario for scenario in SCENARIOS}
