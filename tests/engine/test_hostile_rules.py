"""Rules with our label that the engine did not make: they go, or they are reported as long as they stay."""

import pytest

from ringfence.core.audit_events import RuleOwnerUnknown
from ringfence.core.configuration.settings import Mode
from ringfence.core.model.identifiers import STATIC, Region, RosterKey
from ringfence.core.model.rules import Label
from ringfence_lab.sim.cloud import Cloud
from ringfence_lab.sim.invocation import Invocation
from tests.engine.conftest import EAST, TRUE_UP, WEST
from tests.engine.outsider import assert_launch_is_served, assert_tables_heal

MEMBER = Label("demo", RosterKey(Region(EAST), "db"), "i-00000000000000001")
STRANGER = Label("demo", RosterKey(Region(EAST), "db"), "i-00000000000000bad")
PEER = Label("demo", RosterKey(Region(WEST), "db"), "i-01000000000000001")
STATIC_MEMBER = Label("demo", RosterKey(Region(EAST), STATIC), "static")
NETWORKS = ["0.0.0.0/0", "::/0", "0.0.0.0/1", "8.8.0.0/15", "8.8.8.8/31"]


def reported(invocation: Invocation) -> list[str]:
    return [event.opening.cidr for event in invocation.audit_events if isinstance(event, RuleOwnerUnknown)]


@pytest.mark.parametrize("cidr", NETWORKS)
@pytest.mark.parametrize("label", [MEMBER, STRANGER, PEER])
def test_a_network_with_the_label_of_a_member_is_reported_at_each_reconcile_and_stays(
    cloud: Cloud, label: Label, cidr: str
) -> None:
    # given
    group = cloud.region(EAST).security_group
    made = group.allow(cidr, "tcp/9042", str(label))
    canonical = group.rules[made].opening
    assert canonical is not None
    # when
    for _ in range(3):
        cloud.clock.advance(61)
        # then
        assert reported(cloud.invoke(EAST, TRUE_UP)) == [canonical.cidr]
        assert reported(cloud.invoke(WEST, TRUE_UP)) == []
    assert made in group.rules
    assert_launch_is_served(cloud, EAST)


@pytest.mark.parametrize("cidr", NETWORKS)
@pytest.mark.parametrize("label", [MEMBER, STRANGER, PEER, STATIC_MEMBER])
def test_a_mirror_removes_a_network_with_our_label(cloud: Cloud, label: Label, cidr: str) -> None:
    # given
    group = cloud.region(EAST).security_group
    made = group.allow(cidr, "tcp/9042", str(label))
    # when
    for _ in range(2):
        cloud.invoke(EAST, TRUE_UP, cloud.settings(EAST, mode=Mode.MIRROR))
        cloud.clock.advance(61)
    # then
    assert made not in group.rules
    assert_launch_is_served(cloud, EAST)


@pytest.mark.parametrize("cidr", ["0.0.0.0/0", "::/0", "0.0.0.0/1", "224.0.0.0/4", "169.254.169.254/32"])
def test_the_label_of_the_static_members_does_not_count_beyond_their_bounds(cloud: Cloud, cidr: str) -> None:
    made = cloud.region(EAST).security_group.allow(cidr, "tcp/9042", str(STATIC_MEMBER))
    assert len(reported(cloud.invoke(EAST, TRUE_UP))) == 1
    assert made in cloud.region(EAST).security_group.rules


def test_a_network_with_the_label_of_the_static_members_goes_if_it_is_not_configured(cloud: Cloud) -> None:
    made = cloud.region(EAST).security_group.allow("203.0.113.0/24", "tcp/9042", str(STATIC_MEMBER))
    assert reported(cloud.invoke(EAST, TRUE_UP)) == []
    assert made not in cloud.region(EAST).security_group.rules


@pytest.mark.parametrize("where", [EAST, WEST])
@pytest.mark.parametrize("label", [MEMBER, STRANGER, PEER])
def test_the_address_of_a_stranger_with_our_label_goes(cloud: Cloud, label: Label, where: str) -> None:
    made = cloud.region(where).security_group.allow("8.8.8.8/32", "tcp/9042", str(label))
    # when / then; the guard asks for a second observation where the roster does not know the instance
    assert_tables_heal(cloud)
    assert made not in cloud.region(where).security_group.rules
    assert_launch_is_served(cloud, EAST)


def test_a_rule_with_the_label_of_another_cluster_is_not_ours(cloud: Cloud) -> None:
    label = Label("other", RosterKey(Region(EAST), "db"), "i-1")
    made = cloud.region(EAST).security_group.allow("0.0.0.0/0", "tcp/9042", str(label))
    assert reported(cloud.invoke(EAST, TRUE_UP)) == []
    assert made in cloud.region(EAST).security_group.rules
