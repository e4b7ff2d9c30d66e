"""What happens to a cluster, as short stories that are always told the same way.

A scenario says what operators, Auto Scaling and failures do, and when the functions run. It knows nothing of what is
proved by it: any call may be the last one of its process, and then the story simply goes on.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from ringfence.core.lifecycle import HookResult
from ringfence.core.model.identifiers import Region
from ringfence_lab.proof.harness import EAST, TRUE_UP, WEST, Harness
from ringfence_lab.sim.aws.event_bridge import deliver_at_once
from ringfence_lab.sim.engine.call_faults import Effect


@dataclass(frozen=True, slots=True)
class Scenario:
    """A story, with the size of the cluster that it is told of: `desired` is each group's capacity at first.
    `answered` says that nobody waits for a hook at its end, where no process was killed."""

    name: str
    play: Callable[[Harness], None]
    regions: int = 2
    desired: int = 2
    answered: bool = False


def launch(stage: Harness) -> None:
    """An instance launches in the first Region."""
    stage.group(EAST).scale_to(stage.group(EAST).desired + 1)
    stage.poll(EAST)


def termination(stage: Harness) -> None:
    """An instance terminates in the first Region."""
    stage.group(EAST).scale_to(stage.group(EAST).desired - 1)
    stage.poll(EAST)


def burst(stage: Harness) -> None:
    """Eight instances launch at once."""
    stage.group(EAST).scale_to(stage.group(EAST).desired + 8)
    stage.poll(EAST)


def mixed_batch(stage: Harness) -> None:
    """Launches and terminations in one batch, replacements among them."""
    group = stage.group(EAST)
    leaving = list(group.listed())[:2]
    group.scale_to(group.desired + 2)
    group.terminate(leaving[0])
    group.terminate(leaving[1], decrement=True)
    stage.drain(EAST)


def instance_refresh(stage: Harness) -> None:
    """Every instance is replaced, one after the other, the new one first."""
    group = stage.group(EAST)
    for old in list(group.listed()):
        group.scale_to(group.desired + 1)
        stage.drain(EAST)
        group.terminate(old, decrement=True)
        stage.drain(EAST)


def peer_down(stage: Harness) -> None:
    """A launch and a termination while the peer hangs, which then comes back."""
    outage = stage.cloud.fault(Effect.UNREACHABLE, region=WEST, seconds=3)
    launch(stage)
    termination(stage)
    stage.cloud.heal(outage)
    stage.cloud.clock.advance(40)
    stage.drain(EAST)


def stale_door(stage: Harness) -> None:
    """A peer is down for longer than a termination may wait for it: the debt is paid when it is back."""
    outage = stage.cloud.fault(Effect.THROTTLE, region=WEST, service="ec2")
    termination(stage)
    stage.cloud.clock.advance(310)
    stage.invoke((EAST, TRUE_UP))
    stage.cloud.heal(outage)
    stage.invoke((EAST, TRUE_UP))


def home_table_down(stage: Harness) -> None:
    """A launch and a termination while the home Region's table fails."""
    outage = stage.cloud.fault(Effect.FAIL, region=EAST, service="dynamodb")
    group = stage.group(EAST)
    group.scale_to(group.desired + 1)
    group.terminate(next(iter(group.listed())), decrement=True)
    stage.poll(EAST)
    stage.cloud.heal(outage)
    stage.cloud.clock.advance(40)
    stage.drain(EAST)


def quota_full(stage: Harness) -> None:
    """No room for a launch at home, so that it is sent away, as its replacement is; then operators make room."""
    east = stage.region(EAST).security_group
    east.quota = east.used(ipv6=False)
    launch(stage)
    stage.poll(EAST)
    east.quota += 10
    stage.drain(EAST)


def replacement_in_full_groups(stage: Harness) -> None:
    """A rolling replacement where both groups are full: what left must go first."""
    group = stage.group(EAST)
    for region in stage.cloud.regions.values():
        region.security_group.quota = region.security_group.used(ipv6=False)
    group.terminate(next(iter(group.listed())))
    stage.drain(EAST)


def warm_pool(stage: Harness) -> None:
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


def back_into_the_pool_and_out(stage: Harness) -> None:
    """A member goes back into the warm pool, and comes out of it again at once."""
    group = stage.group(EAST)
    group.put_warm_pool(0, reuse_on_scale_in=True)
    group.scale_to(group.desired - 1)
    stage.drain(EAST)
    group.scale_to(group.desired + 1)
    stage.drain(EAST)


def event_told_late(stage: Harness) -> None:
    """The event of a member that went into the warm pool is told minutes late: it serves again by then."""
    group = stage.group(EAST)
    group.put_warm_pool(0, reuse_on_scale_in=True)
    late = stage.unqueued_scale_in(EAST)
    stage.invoke((EAST, TRUE_UP))
    stage.cloud.clock.advance(61)
    group.scale_to(group.desired + 1)
    stage.drain(EAST)
    stage.cloud.clock.advance(61)
    stage.invoke((EAST, late))


def stale_listing(stage: Harness) -> None:
    """A true-up that comes right after a termination is shown the Region as it was before."""
    stage.cloud.clock.advance(30)  # so that there is a past
    termination(stage)
    stage.cloud.clock.advance(5)
    for operation in ("DescribeAutoScalingGroups", "DescribeInstances"):
        stage.cloud.fault(Effect.STALE, region=EAST, operation=operation, seconds=20, times=2)
    stage.invoke((EAST, TRUE_UP))


def stale_listing_after_a_launch(stage: Harness) -> None:
    """As before, but the row was written anew since the termination: an instance launched in between."""
    stage.cloud.clock.advance(30)  # so that there is a past
    termination(stage)
    stage.cloud.clock.advance(5)
    launch(stage)
    for operation in ("DescribeAutoScalingGroups", "DescribeInstances"):
        stage.cloud.fault(Effect.STALE, region=EAST, operation=operation, seconds=20, times=2)
    stage.invoke((EAST, TRUE_UP))


def revokes_throttled(stage: Harness) -> None:
    """An instance terminates while no rule can be removed at home: it waits until its rules can."""
    outage = stage.cloud.fault(Effect.THROTTLE, region=EAST, operation="RevokeSecurityGroupIngress")
    termination(stage)
    stage.cloud.heal(outage)
    stage.cloud.clock.advance(40)
    stage.drain(EAST)


def late_answer(stage: Harness) -> None:
    """An answer is so late that the instance waits anew by then: it has reached the pool, and left it again."""
    east, group = stage.region(EAST), stage.group(EAST)
    group.put_warm_pool(1)
    (pooled,) = (id for id, state in group.listed().items() if state == "Warmed:Pending:Wait")
    hook = stage.settings[Region(EAST)].launch_hook
    other = stage.cloud.invocation(EAST)
    other.ended = True
    stage.cloud.fault(Effect.SLOW, region=EAST, operation="CompleteLifecycleAction", seconds=50, times=1)

    def go_on() -> None:
        group.complete(hook, pooled, HookResult.CONTINUE, other)

    stage.cloud.clock.after(5, go_on)
    stage.cloud.clock.after(10, lambda: group.scale_to(group.desired + 1))
    stage.poll(EAST)
    east.events.schedule()
    stage.drain(EAST)


def describes_throttled(stage: Harness) -> None:
    """For minutes nobody can say who is in the group."""
    outage = stage.cloud.fault(Effect.THROTTLE, region=EAST, operation="DescribeAutoScalingGroups")
    for _ in range(3):
        stage.invoke((EAST, TRUE_UP))
        stage.cloud.clock.advance(61)
    stage.cloud.heal(outage)
    stage.invoke((EAST, TRUE_UP))


def operator_deletes_rules(stage: Harness) -> None:
    """Rules of ours are deleted by hand in both Regions, and one is written that is not ours."""
    for region in stage.cloud.regions.values():
        for rule in region.owned_rules()[:2]:
            region.security_group.revoke_by_hand(rule.id)
        region.security_group.allow("203.0.113.9/32", "tcp/9042")
    for name in stage.cloud.regions:
        stage.invoke((name, TRUE_UP))


def lost_events(stage: Harness) -> None:
    """The events of a launch and a termination are lost, and the schedule finds both."""
    east, group = stage.region(EAST), stage.group(EAST)
    east.events.fate = lambda _event: ()
    group.scale_to(group.desired + 1)
    group.terminate(next(iter(group.listed())), decrement=True)
    east.events.fate = deliver_at_once
    east.events.schedule()
    stage.drain(EAST)


def elastic_ip(stage: Harness) -> None:
    """An Elastic IP replaces an instance's address, which goes to a stranger."""
    stage.region(EAST).ec2.assign_public_address(next(iter(stage.group(EAST).listed())), elastic=True)
    stage.region(EAST).events.schedule()
    stage.drain(EAST)


def lost_instance(stage: Harness) -> None:
    """A Spot interruption: the instance is gone before anybody hears of it, and is replaced."""
    stage.group(EAST).lose(next(iter(stage.group(EAST).listed())))
    stage.drain(EAST)


def detach_and_attach(stage: Harness) -> None:
    """An instance is detached, and a while later attached again; another one goes through standby."""
    group = stage.group(EAST)
    one, other = list(group.listed())[:2]
    group.detach(one)
    group.enter_standby(other)
    stage.invoke((EAST, TRUE_UP))
    group.attach(one)
    group.exit_standby(other)
    stage.invoke((EAST, TRUE_UP))


def mass_removal(stage: Harness) -> None:
    """A group of many leaves the configuration: the guard wants a second look before so many rules go."""
    stage.region(EAST).auto_scaling_group("batch", desired=12)
    stage.settings[Region(EAST)] = stage.cloud.settings(EAST)
    stage.invoke((EAST, TRUE_UP))
    stage.invoke((WEST, TRUE_UP))
    del stage.region(EAST).groups["batch"]
    stage.settings[Region(EAST)] = stage.cloud.settings(EAST)
    stage.invoke((EAST, TRUE_UP))
    stage.invoke((EAST, TRUE_UP))


def region_leaves(stage: Harness) -> None:
    """The last Region's stack is deleted, and the others are configured without it."""
    leaving = list(stage.cloud.regions)[-1]
    del stage.cloud.regions[leaving], stage.settings[leaving]
    stage.configure(regions=tuple(stage.cloud.regions))
    for name in stage.cloud.regions:
        stage.invoke((name, TRUE_UP))


def table_made_anew(stage: Harness) -> None:
    """The home table is lost and deployed again, empty; then an instance launches."""
    stage.cloud.clock.advance(30.0)  # a stack's deployment takes longer
    stage.region(EAST).table.make_anew()
    stage.invoke((EAST, TRUE_UP))
    launch(stage)


def table_made_anew_in_scale_in(stage: Harness) -> None:
    """The home table is lost and deployed again, empty; then an instance terminates."""
    stage.cloud.clock.advance(30.0)  # a stack's deployment takes longer
    stage.region(EAST).table.make_anew()
    stage.invoke((EAST, TRUE_UP))
    termination(stage)


def table_restored(stage: Harness) -> None:
    """The home table is restored from a backup: it is older than what the peer holds."""
    table = stage.region(EAST).table
    backup = dict(table.rosters)
    for _ in range(2):
        launch(stage)
        termination(stage)
    table.rosters.clear()
    table.rosters.update(backup)
    launch(stage)
    stage.invoke((EAST, TRUE_UP))


def overlapping_invocations(stage: Harness) -> None:
    """A launch from the queue, a termination and a true-up by hand: three invocations of one Region at once."""
    stage.group(EAST).scale_to(stage.group(EAST).desired + 1)
    event = stage.unqueued_termination(EAST)
    stage.poll_and_invoke(EAST, (EAST, event), (EAST, TRUE_UP))


def all_regions_at_once(stage: Harness) -> None:
    """A launch in one Region and a termination in another, while the functions of all run side by side."""
    stage.group(EAST).scale_to(stage.group(EAST).desired + 1)
    stage.group(WEST).scale_to(stage.group(WEST).desired - 1)
    for region in stage.cloud.regions.values():
        region.events.schedule()
    stage.poll(*stage.cloud.regions)


SCENARIOS = (
    Scenario("launch, two Regions", launch, answered=True),
    Scenario("launch, three Regions", launch, regions=3, answered=True),
    Scenario("termination, two Regions", termination, answered=True),
    Scenario("termination, three Regions", termination, regions=3, answered=True),
    Scenario("burst of eight launches", burst, answered=True),
    Scenario("mixed batch", mixed_batch),
    Scenario("instance refresh", instance_refresh),
    Scenario("peer down, then back", peer_down),
    Scenario("stale door, then paid", stale_door),
    Scenario("home table down", home_table_down),
    Scenario("quota full, launch sent away", quota_full),
    Scenario("replacement in full groups", replacement_in_full_groups),
    Scenario("warm pool in and out", warm_pool),
    Scenario("back into the warm pool and out again", back_into_the_pool_and_out, answered=True),
    Scenario("late answer, warm pool", late_answer),
    Scenario("event told late, warm pool", event_told_late),
    Scenario("stale listing after a termination", stale_listing),
    Scenario("stale listing after a termination and a launch", stale_listing_after_a_launch),
    Scenario("revokes throttled", revokes_throttled),
    Scenario("describes throttled for minutes", describes_throttled),
    Scenario("operator deletes rules", operator_deletes_rules),
    Scenario("lost events, found by schedule", lost_events),
    Scenario("Elastic IP moves", elastic_ip),
    Scenario("instance lost", lost_instance),
    Scenario("detach, attach, standby", detach_and_attach),
    Scenario("mass removal, held by the guard", mass_removal),
    Scenario("Region leaves", region_leaves, regions=3),
    Scenario("home table made anew, launch", table_made_anew),
    Scenario("home table made anew, termination", table_made_anew_in_scale_in),
    Scenario("home table restored from a backup", table_restored, answered=True),
    Scenario("overlapping invocations", overlapping_invocations),
    Scenario("two Regions at once", all_regions_at_once),
    Scenario("three Regions at once", all_regions_at_once, regions=3),
)
BY_NAME: Mapping[str, Scenario] = {scenario.name: scenario for scenario in SCENARIOS}
