"""The effect of each fault on the caller and on the cloud."""

import pytest

from ringfence.core.errors import Permanent, Retry
from ringfence.core.lifecycle import HookResult
from ringfence.core.model.addresses import Cidr
from ringfence.core.model.identifiers import InstanceId, Region, RosterKey, SecurityGroupId
from ringfence.core.model.ports import PortRange
from ringfence.core.model.rules import Label, Opening
from ringfence.core.plan import Addition
from ringfence_lab.sim.cloud import Cloud
from ringfence_lab.sim.engine.call_faults import Effect
from ringfence_lab.sim.engine.line import Killed

EAST, WEST = Region("us-east-1"), Region("us-west-2")
GROUP = SecurityGroupId("sg-00000000")
ADDITION = Addition(
    Opening(PortRange("tcp", 9042, 9042), Cidr("198.18.9.9/32")),
    Label("demo", RosterKey(EAST, "db"), InstanceId("i-1")),
)


@pytest.fixture
def cloud() -> Cloud:
    return Cloud([EAST, WEST])


def authorize(cloud: Cloud) -> None:
    cloud.engine_services(EAST).regions[EAST].security_groups.authorize(GROUP, [ADDITION])


def is_admitted(cloud: Cloud) -> bool:
    return cloud.region(EAST).security_group.admits(ADDITION.opening) is not None


@pytest.mark.parametrize(
    ("effect", "error", "takes_effect"),
    [
        (Effect.FAIL, Retry, False),
        (Effect.THROTTLE, Retry, False),
        (Effect.UNREACHABLE, Retry, False),
        (Effect.DENY, Permanent, False),
        (Effect.LOSE_ANSWER, Retry, True),
        (Effect.KILL_BEFORE, Killed, False),
        (Effect.KILL_AFTER, Killed, True),
    ],
)
def test_a_fault_fails_the_call_before_or_after_it_takes_effect(
    cloud: Cloud, effect: Effect, error: type[BaseException], takes_effect: bool
) -> None:
    cloud.fault(effect)

    with pytest.raises(error):
        authorize(cloud)

    assert is_admitted(cloud) is takes_effect
    assert [(call.operation, call.mutating, call.outcome) for call in cloud.calls] == [
        ("AuthorizeSecurityGroupIngress", True, effect.value)
    ]


@pytest.mark.parametrize(("effect", "passed"), [(Effect.UNREACHABLE, 3.0), (Effect.SLOW, 3.0), (Effect.FAIL, 0.0)])
def test_a_call_that_hangs_takes_its_time(cloud: Cloud, effect: Effect, passed: float) -> None:
    cloud.fault(effect, seconds=3)
    before = cloud.clock.now()

    if effect is Effect.SLOW:
        authorize(cloud)
    else:
        with pytest.raises(Retry):
            authorize(cloud)

    assert cloud.clock.now() - before == passed


def test_a_stale_describe_returns_an_earlier_state(cloud: Cloud) -> None:
    group = cloud.region(EAST).auto_scaling_group("db")
    cloud.clock.advance(10)
    group.put_in_service(1)
    cloud.clock.advance(1)
    auto_scaling = cloud.engine_services(EAST).home.auto_scaling

    fault = cloud.fault(Effect.STALE, operation="DescribeAutoScalingGroups", seconds=5)
    assert auto_scaling.groups(["db"]).states == {"db": {}}
    cloud.heal(fault)

    assert len(auto_scaling.groups(["db"]).states["db"]) == 1


def test_a_fault_affects_only_the_calls_that_it_selects(cloud: Cloud) -> None:
    cloud.fault(Effect.FAIL, region=WEST)
    cloud.fault(Effect.FAIL, service="dynamodb")
    cloud.fault(Effect.FAIL, operation="RevokeSecurityGroupIngress")
    cloud.fault(Effect.FAIL, home=WEST)

    authorize(cloud)

    assert is_admitted(cloud)


def test_an_outage_of_a_zone_fails_the_calls_that_depend_on_it(cloud: Cloud) -> None:
    # given
    ec2, group = cloud.region(EAST).ec2, cloud.region(EAST).auto_scaling_group("db", desired=2)
    here, elsewhere = group.listed()
    cloud.fault(Effect.FAIL, region=EAST, zone=ec2.zone_of[here])
    services = cloud.engine_services(EAST).home
    # then
    assert list(services.instances.named([elsewhere]).instances) == [elsewhere]
    assert services.auto_scaling.groups(["db"]).zones == ec2.zone_of
    with pytest.raises(Retry):
        services.instances.named([here, elsewhere])
    with pytest.raises(Retry):
        services.instances.by_id([elsewhere])
    with pytest.raises(Retry):
        services.instances.of_groups(["db"])


def test_a_fault_can_begin_late_and_end(cloud: Cloud) -> None:
    cloud.fault(Effect.FAIL, times=1, after=1)
    table = cloud.engine_services(EAST).regions[EAST].table

    table.rows()
    with pytest.raises(Retry):
        table.rows()
    table.rows()

    assert [call.outcome for call in cloud.calls] == ["ok", "fail", "ok"]


def test_a_killed_invocation_makes_no_further_calls(cloud: Cloud) -> None:
    services = cloud.engine_services(EAST)
    cloud.fault(Effect.KILL_BEFORE, times=1)
    with pytest.raises(Killed):
        services.regions[EAST].table.rows()

    with pytest.raises(Killed):
        services.regions[EAST].table.rows()
    with pytest.raises(Killed):
        services.home.auto_scaling.complete("db", "hook", InstanceId("i-1"), None, HookResult.CONTINUE)

    assert len(cloud.calls) == 1


def test_an_invocation_records_which_regions_disturbed_it(cloud: Cloud) -> None:
    services = cloud.engine_services(EAST)
    cloud.fault(Effect.THROTTLE, region=WEST, times=1)

    services.regions[EAST].table.rows()
    with pytest.raises(Retry):
        services.regions[WEST].table.rows()

    assert cloud.invocations[-1].reached(EAST)
    assert not cloud.invocations[-1].reached(WEST)
