"""A release depends on rules that were read after the table took the roster, never on rules read before."""

import pytest

from ringfence.core.model.addresses import AddressKind
from ringfence.core.model.identifiers import Region, RosterKey
from ringfence.core.model.ports import PortRange
from ringfence.core.model.rules import Label, Opening
from ringfence.core.plan import Addition
from ringfence_lab.sim.aws.history import CloudChange, RowWritten
from ringfence_lab.sim.cloud import Cloud
from tests.engine.conftest import EAST, TRUE_UP, WEST


@pytest.mark.parametrize("where", [EAST, WEST])
@pytest.mark.parametrize("cause", ["a true-up", "a launch"])
def test_a_rule_that_an_overlapping_invocation_adds_again_is_removed_before_the_termination_continues(
    cloud: Cloud, where: str, cause: str
) -> None:
    # given an instance that waits to terminate, whose event was lost and whose rule does not exist
    east, region = cloud.region(EAST), cloud.region(where)
    group = east.groups["db"]
    leaving = next(iter(group.listed()))
    (address,) = east.ec2.instances[leaving].addresses[AddressKind.PUBLIC_IPV4]
    opening = Opening(PortRange("tcp", 9042, 9042), address)
    group.terminate(leaving, decrement=True)
    east.queue.delete(east.queue.receive())
    existing = region.security_group.admits(opening)
    assert existing is not None
    region.security_group.revoke_by_hand(existing.id)
    # and an invocation with an older roster, which adds the rule again just before the table takes the newer one
    label = Label("demo", RosterKey(Region(EAST), "db"), leaving)
    added_again: list[CloudChange] = []

    def overlap(change: CloudChange) -> None:
        if isinstance(change, RowWritten) and change.region == where and not added_again:
            added_again.append(change)
            region.security_group.authorize([Addition(opening, label)], None)

    cloud.watchers.append(overlap)
    # when
    if cause == "a launch":
        group.scale_to(2)
        cloud.poll(EAST)
    else:
        cloud.invoke(EAST, TRUE_UP)
    # then
    assert added_again
    assert leaving not in group.listed()
    assert all(address not in observed.admitted() for observed in cloud.regions.values())
