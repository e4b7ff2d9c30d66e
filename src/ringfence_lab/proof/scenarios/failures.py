"""Scenarios of failures: services that are down, throttled or stale, and events that are late or lost."""

from ringfence.core.lifecycle import HookResult
from ringfence.core.model.identifiers import Region
from ringfence_lab.proof.harness import EAST, TRUE_UP, WEST, Harness
from ringfence_lab.proof.scenarios.capacity import launch, termination
from ringfence_lab.sim.aws.event_bridge import deliver_immediately
from ringfence_lab.sim.engine.call_faults import Effect


def peer_down(harness: Harness) -> None:
    """A launch and a termination while the peer hangs; then the peer recovers."""
    outage = harness.cloud.fault(Effect.UNREACHABLE, region=WEST, seconds=3)
    launch(harness)
    termination(harness)
    harness.cloud.heal(outage)
    harness.cloud.clock.advance(40)
    harness.drain(EAST)


def stale_door(harness: Harness) -> None:
    """A peer is down for longer than a termination may wait: the release is pending until the peer recovers."""
    outage = harness.cloud.fault(Effect.THROTTLE, region=WEST, service="ec2")
    termination(harness)
    harness.cloud.clock.advance(310)
    harness.invoke((EAST, TRUE_UP))
    harness.cloud.heal(outage)
    harness.invoke((EAST, TRUE_UP))


def home_table_down(harness: Harness) -> None:
    """A launch and a termination while the home Region's table fails."""
    outage = harness.cloud.fault(Effect.FAIL, region=EAST, service="dynamodb")
    group = harness.group(EAST)
    group.scale_to(group.desired + 1)
    group.terminate(next(iter(group.listed())), decrement=True)
    harness.poll(EAST)
    harness.cloud.heal(outage)
    harness.cloud.clock.advance(40)
    harness.drain(EAST)


def stale_listing_after_an_outage(harness: Harness) -> None:
    """A launch is admitted while the home table fails. Then the table answers, and the listing is from before it."""
    harness.cloud.clock.advance(30)  # so that a stale answer differs
    outage = harness.cloud.fault(Effect.FAIL, region=EAST, service="dynamodb")
    harness.group(EAST).scale_to(harness.group(EAST).desired + 1)
    harness.poll(EAST)
    harness.cloud.heal(outage)
    harness.cloud.fault(Effect.STALE, region=EAST, operation="DescribeAutoScalingGroups", seconds=20)
    harness.invoke((EAST, TRUE_UP))
    harness.cloud.heal()


def revokes_throttled(harness: Harness) -> None:
    """An instance terminates while rules cannot be removed at home: it waits until they can."""
    outage = harness.cloud.fault(Effect.THROTTLE, region=EAST, operation="RevokeSecurityGroupIngress")
    termination(harness)
    harness.cloud.heal(outage)
    harness.cloud.clock.advance(40)
    harness.drain(EAST)


def describes_throttled(harness: Harness) -> None:
    """For minutes, no call can list the group."""
    outage = harness.cloud.fault(Effect.THROTTLE, region=EAST, operation="DescribeAutoScalingGroups")
    for _ in range(3):
        harness.invoke((EAST, TRUE_UP))
        harness.cloud.clock.advance(61)
    harness.cloud.heal(outage)
    harness.invoke((EAST, TRUE_UP))


def zone_outage(harness: Harness) -> None:
    """For minutes, EC2 does not describe the oldest member's zone, into which one of two instances launches."""
    zone_of, group = harness.region(EAST).ec2.zone_of, harness.group(EAST)
    harness.cloud.clock.advance(61)
    oldest = next(iter(group.listed()))
    outage = harness.cloud.fault(Effect.FAIL, region=EAST, zone=zone_of[oldest])
    while zone_of[list(group.listed())[-1]] != zone_of[oldest]:
        launch(harness)
    for _ in range(3):
        harness.cloud.clock.advance(61)
        harness.invoke((EAST, TRUE_UP))
    termination(harness)
    harness.cloud.heal(outage)
    harness.invoke((EAST, TRUE_UP))


def late_answer(harness: Harness) -> None:
    """An answer is so late that the instance waits again by then: it has entered the pool and left it again."""
    east, group = harness.region(EAST), harness.group(EAST)
    group.put_warm_pool(1)
    (pooled,) = (id for id, state in group.pooled().items() if state == "Warmed:Pending:Wait")
    hook = harness.settings[Region(EAST)].launch_hook
    earlier = harness.cloud.invocation(EAST)
    earlier.ended = True
    harness.cloud.fault(Effect.SLOW, region=EAST, operation="CompleteLifecycleAction", seconds=50, times=1)

    def answer_early() -> None:
        group.complete(hook, pooled, HookResult.CONTINUE, earlier)

    harness.cloud.clock.after(5, answer_early)
    harness.cloud.clock.after(10, lambda: group.scale_to(group.desired + 1))
    harness.poll(EAST)
    east.events.schedule()
    harness.drain(EAST)


def late_event(harness: Harness) -> None:
    """The event of a member that entered the warm pool arrives minutes late, when the member serves again."""
    group = harness.group(EAST)
    group.put_warm_pool(0, reuse_on_scale_in=True)
    late = harness.unqueued_scale_in(EAST)
    harness.invoke((EAST, TRUE_UP))
    harness.cloud.clock.advance(61)
    group.scale_to(group.desired + 1)
    harness.drain(EAST)
    harness.cloud.clock.advance(61)
    harness.invoke((EAST, late))


def lost_events(harness: Harness) -> None:
    """The events of a launch and a termination are lost, and the schedule finds both."""
    east, group = harness.region(EAST), harness.group(EAST)
    east.events.fate = lambda _event: ()
    group.scale_to(group.desired + 1)
    group.terminate(next(iter(group.listed())), decrement=True)
    east.events.fate = deliver_immediately
    east.events.schedule()
    harness.drain(EAST)


def stale_listing(harness: Harness) -> None:
    """A true-up right after a termination sees the Region as it was before."""
    harness.cloud.clock.advance(30)  # so that a stale answer differs
    termination(harness)
    harness.cloud.clock.advance(5)
    for operation in ("DescribeAutoScalingGroups", "DescribeInstances"):
        harness.cloud.fault(Effect.STALE, region=EAST, operation=operation, seconds=20, times=2)
    harness.invoke((EAST, TRUE_UP))


def stale_listing_after_a_launch(harness: Harness) -> None:
    """As before, but a launch wrote the row again after the termination."""
    harness.cloud.clock.advance(30)  # so that a stale answer differs
    termination(harness)
    harness.cloud.clock.advance(5)
    launch(harness)
    for operation in ("DescribeAutoScalingGroups", "DescribeInstances"):
        harness.cloud.fault(Effect.STALE, region=EAST, operation=operation, seconds=20, times=2)
    harness.invoke((EAST, TRUE_UP))


def stale_listing_of_the_warm_pool(harness: Harness) -> None:
    """An instance launches into the warm pool, and EC2 shows it before the pool's listing does."""
    harness.cloud.clock.advance(30)  # so that a stale answer differs
    harness.group(EAST).put_warm_pool(1)
    for operation in ("DescribeAutoScalingGroups", "DescribeWarmPool"):
        harness.cloud.fault(Effect.STALE, region=EAST, operation=operation, seconds=20, times=3)
    harness.poll(EAST)
    harness.cloud.heal()


def description_before_the_address(harness: Harness) -> None:
    """A true-up right after a launch sees the instance as it was before it had its public address."""
    harness.region(EAST).ec2.address_seconds = 2
    group = harness.group(EAST)
    group.scale_to(group.desired + 1)
    harness.cloud.clock.advance(3)
    harness.drain(EAST)
    harness.cloud.clock.advance(3)
    harness.cloud.fault(Effect.STALE, region=EAST, operation="DescribeInstances", seconds=5, times=1)
    harness.invoke((EAST, TRUE_UP))
