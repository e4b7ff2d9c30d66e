"""What a release rests on: rules that were read after the table took the roster, never those read before."""

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
@pytest.mark.parametrize("told_of", ["nothing", "a launch"])
def test_a_rule_that_an_overlapping_invocation_puts_back_is_seen_before_its_instance_is_let_go(
    cloud: Cloud, where: str, told_of: str
) -> None:
    # given an instance that waits to leave, of whose waiting no event told, and whose rule is not there
    east, region = cloud.region(EAST), cloud.region(where)
    group = east.groups["db"]
    leaving = next(iter(group.listed()))
    (address,) = east.ec2.instances[leaving].addresses[AddressKind.PUBLIC_IPV4]
    opening = Opening(PortRange("tcp", 9042, 9042), address)
    group.terminate(leaving, decrement=True)
    east.queue.delete(east.queue.receive())
    standing = region.security_group.admits(opening)
    assert standing is not None
    region.security_group.revoke_by_hand(standing.id)
    # and an invocation that still took it for a member, which puts its rule back just before the table says otherwise
    label = Label("demo", RosterKey(Region(EAST), "db"), leaving)
    put_back: list[CloudChange] = []

    def overlap(change: CloudChange) -> None:
        if isinstance(change, RowWritten) and change.region == where and not put_back:
            put_back.append(change)
            region.security_group.authorize([Addition(opening, label)], None)

    cloud.watchers.append(overlap)
    # when
    if told_of == "a launch":
        group.scale_to(2)
        cloud.poll(EAST)
    else:
        cloud.invoke(EAST, TRUE_UP)
    # then
    assert put_back
    assert leaving not in group.listed()
    assert all(address not in each.admitted() for each in cloud.regions.values())
