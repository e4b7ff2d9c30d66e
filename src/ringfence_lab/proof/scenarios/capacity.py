"""Scenarios of capacity: launches, terminations, replacements, quotas and the warm pool."""

from ringfence.core.model.addresses import AddressKind, Cidr
from ringfence_lab.proof.harness import EAST, TRUE_UP, WEST, Harness
from ringfence_lab.sim.aws.event_bridge import deliver_immediately
from ringfence_lab.sim.engine.call_faults import Effect


def launch(harness: Harness) -> None:
    """An instance launches in the first Region."""
    harness.group(EAST).scale_to(harness.group(EAST).desired + 1)
    harness.poll(EAST)


def termination(harness: Harness) -> None:
    """An instance terminates in the first Region."""
    harness.group(EAST).scale_to(harness.group(EAST).desired - 1)
    harness.poll(EAST)


def burst(harness: Harness) -> None:
    """Eight instances launch together."""
    harness.group(EAST).scale_to(harness.group(EAST).desired + 8)
    harness.poll(EAST)


def mixed_batch(harness: Harness) -> None:
    """Launches and terminations in one batch, including replacements."""
    group = harness.group(EAST)
    leaving = list(group.listed())[:2]
    group.scale_to(group.desired + 2)
    group.terminate(leaving[0])
    group.terminate(leaving[1], decrement=True)
    harness.drain(EAST)


def instance_refresh(harness: Harness) -> None:
    """Every instance is replaced, one after the other; each new one launches first."""
    group = harness.group(EAST)
    for old in list(group.listed()):
        group.scale_to(group.desired + 1)
        harness.drain(EAST)
        group.terminate(old, decrement=True)
        harness.drain(EAST)


def replacement_in_full_groups(harness: Harness) -> None:
    """A rolling replacement while both groups are full: the departed rules must be removed first."""
    group = harness.group(EAST)
    for region in harness.cloud.regions.values():
        region.security_group.quota = region.security_group.used(ipv6=False)
    group.terminate(next(iter(group.listed())))
    harness.drain(EAST)


def quota_full(harness: Harness) -> None:
    """A launch has no room at home and is abandoned, and so is its replacement; then operators make room."""
    east = harness.region(EAST).security_group
    east.quota = east.used(ipv6=False)
    launch(harness)
    harness.poll(EAST)
    east.quota += 10
    harness.drain(EAST)


def room_for_one_of_two(harness: Harness) -> None:
    """Two instances launch together, and the group at home has room for one of them; then operators make room."""
    east, group = harness.region(EAST), harness.group(EAST)
    of_a_member = len(harness.rules_of(EAST, next(iter(group.listed()))))
    east.security_group.quota = east.security_group.used(ipv6=False) + of_a_member
    group.scale_to(group.desired + 2)
    harness.poll(EAST)
    east.security_group.quota += 10
    harness.drain(EAST)


def root_volumes_replaced(harness: Harness) -> None:
    """The root volumes of two members are replaced, one after the other. The events of the second are lost."""
    east, group = harness.region(EAST), harness.group(EAST)
    first, second = list(group.listed())[:2]
    group.replace_root_volume(first)
    harness.drain(EAST)
    east.events.fate = lambda _event: ()
    group.replace_root_volume(second)
    for _ in range(2):  # one true-up for each hook
        harness.invoke((EAST, TRUE_UP))
    east.events.fate = deliver_immediately


def terminated_at_its_root_volume(harness: Harness) -> None:
    """An instance is terminated while it waits for the replacement of its root volume, which listings still show."""
    group = harness.group(EAST)
    instance = next(iter(group.listed()))
    group.replace_root_volume(instance)
    harness.cloud.clock.advance(5)
    group.terminate(instance, decrement=True)
    harness.cloud.clock.advance(1)
    harness.cloud.fault(Effect.STALE, region=EAST, operation="DescribeAutoScalingGroups", seconds=5, times=3)
    harness.drain(EAST)


def warm_pool(harness: Harness) -> None:
    """An instance enters the warm pool, leaves it, returns to it, and terminates in it."""
    group = harness.group(EAST)
    group.put_warm_pool(1, reuse_on_scale_in=True)
    harness.drain(EAST)
    group.scale_to(group.desired + 1)
    harness.drain(EAST)
    group.scale_to(group.desired - 1)
    harness.drain(EAST)
    group.put_warm_pool(0)
    harness.drain(EAST)


def lost_events_of_a_warm_pool(harness: Harness) -> None:
    """An instance enters the warm pool and terminates in it, and no event arrives. DescribeWarmPool shows both."""
    east, group = harness.region(EAST), harness.group(EAST)
    east.events.fate = lambda _event: ()
    for size in (1, 0):
        group.put_warm_pool(size)
        harness.invoke((EAST, TRUE_UP))
        harness.cloud.clock.advance(61)  # it may have been a member, with new rules
        harness.invoke((EAST, TRUE_UP))
    east.events.fate = deliver_immediately


def back_into_the_pool_and_out(harness: Harness) -> None:
    """A member returns to the warm pool and leaves it again immediately."""
    group = harness.group(EAST)
    group.put_warm_pool(0, reuse_on_scale_in=True)
    group.scale_to(group.desired - 1)
    harness.drain(EAST)
    group.scale_to(group.desired + 1)
    harness.drain(EAST)


def lost_instance(harness: Harness) -> None:
    """A Spot interruption: the instance is gone before any event, and is replaced."""
    harness.group(EAST).lose(next(iter(harness.group(EAST).listed())))
    harness.drain(EAST)


def detach_and_attach(harness: Harness) -> None:
    """An instance is detached and later attached again; another instance enters and exits standby."""
    group = harness.group(EAST)
    detached, on_standby = list(group.listed())[:2]
    group.detach(detached)
    group.enter_standby(on_standby)
    harness.invoke((EAST, TRUE_UP))
    group.attach(detached)
    group.exit_standby(on_standby)
    harness.invoke((EAST, TRUE_UP))


def elastic_ip(harness: Harness) -> None:
    """An Elastic IP replaces an instance's address, which a stranger then has."""
    harness.region(EAST).ec2.assign_public_address(next(iter(harness.group(EAST).listed())), elastic=True)
    harness.region(EAST).events.schedule()
    harness.drain(EAST)


def many_addresses(harness: Harness) -> None:
    """An instance has more addresses than are admitted."""
    for region in harness.cloud.regions.values():
        region.security_group.quota = 200
    east, instance = harness.region(EAST), next(iter(harness.group(EAST).listed()))
    for number in range(1, 70):
        east.ec2.add_interface(instance, AddressKind.PUBLIC_IPV4, Cidr(f"198.19.0.{number}/32"))
    harness.invoke((EAST, TRUE_UP))


def overlapping_invocations(harness: Harness) -> None:
    """A launch from the queue, a termination and a true-up by hand: three concurrent invocations of one Region."""
    harness.group(EAST).scale_to(harness.group(EAST).desired + 1)
    event = harness.unqueued_termination(EAST)
    harness.poll_and_invoke(EAST, (EAST, event), (EAST, TRUE_UP))


def all_regions_concurrently(harness: Harness) -> None:
    """A launch in one Region and a termination in another, while the functions of all Regions run concurrently."""
    harness.group(EAST).scale_to(harness.group(EAST).desired + 1)
    harness.group(WEST).scale_to(harness.group(WEST).desired - 1)
    for region in harness.cloud.regions.values():
        region.events.schedule()
    harness.poll(*harness.cloud.regions)
