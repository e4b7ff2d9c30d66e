"""Rows, rules and events that someone else wrote: they open nothing and close nothing, and launches are served."""

import time
from collections.abc import Callable
from typing import Any

import pytest

from tests.end_to_end.attacks import (
    Item,
    Table,
    admit,
    assert_served,
    event,
    member,
    newer,
    revoke,
    send,
    stranger,
    true_ups,
    watched,
)
from tests.end_to_end.clusters import EAST, WEST, Cluster
from tests.labs import eventually

STRANGER = "8.8.8.8"
ANNOUNCEMENT = "(region)"
DAY = 24 * 3600

VERSIONS: list[dict[str, Any]] = [
    {"N": "1E125"},
    {"N": "9" * 38},
    {"N": "0"},
    {"N": "-7"},
    {"N": "1.5"},
    {"S": "7"},
    {"S": ""},
    {"BOOL": True},
    {"NULL": True},
    {"M": {}},
]


@pytest.mark.parametrize("owner", [EAST, WEST])
@pytest.mark.parametrize("holder", [EAST, WEST])
def test_no_version_stops_an_engine_and_the_row_heals(two_regions: Cluster, holder: str, owner: str) -> None:
    table = Table(two_regions.regions[holder])
    for version in VERSIONS:
        # given
        for key, item in table.rows().items():
            if key[0] == owner:
                table.write(item, version=version)
        # when
        true_ups(two_regions)
        # then
        healed = [item["version"] for key, item in table.rows().items() if key[0] == owner]
        assert all(1 <= int(found.get("N", "0")) <= time.time() + DAY for found in healed), (version, healed)
    assert_served(two_regions, EAST)
    assert two_regions.agrees()


@pytest.mark.parametrize("holder", [EAST, WEST])
def test_bad_versions_in_one_table_do_not_delay_a_launch(two_regions: Cluster, holder: str) -> None:
    table = Table(two_regions.regions[holder])
    for item in table.rows().values():
        table.write(item, version={"N": "9" * 38})
    assert_served(two_regions, EAST)
    assert_served(two_regions, WEST)
    true_ups(two_regions, 2)
    assert two_regions.agrees()


def test_a_peer_without_a_readable_row_in_any_table_is_reported(two_regions: Cluster) -> None:
    # given
    for region in two_regions.regions.values():
        for item in Table(region).rows().values():
            Table(region).write(item, version={"N": "9" * 38})
    before = len(two_regions.log(EAST))
    # when its rows say nothing of its groups, so that the launch cannot be admitted there
    two_regions.scale(EAST, 2)
    # then
    eventually(lambda: any(line.get("message") == "reconciled" for line in two_regions.log(EAST)[before:]))
    reported = [
        line for line in two_regions.log(EAST)[before:] if line.get("message") == "Region not brought up to date"
    ]
    true_ups(two_regions, 2)
    assert two_regions.agrees()
    assert WEST in {line["region"] for line in reported}


def invented(cluster: Cluster, region: str, asg: str) -> Item:
    """A row of a group that does not exist, with a member that does not."""
    original = Table(cluster.regions[EAST]).rows()[WEST, cluster.regions[WEST].auto_scaling_group]
    return {
        **original,
        "region": {"S": region},
        "asg": {"S": asg},
        "members": {"M": {"i-0123456789abcdef0": member(STRANGER)}},
        "ips": {"SS": [f"{STRANGER}/32"]},
    }


@pytest.mark.parametrize("holder", [EAST, WEST])
@pytest.mark.parametrize("owner", [EAST, WEST, "eu-west-1"])
def test_an_invented_row_admits_no_stranger_and_goes(two_regions: Cluster, holder: str, owner: str) -> None:
    table = Table(two_regions.regions[holder])
    # when
    with watched(two_regions, never=frozenset({STRANGER})):
        table.write(invented(two_regions, owner, "evil"))
        true_ups(two_regions, 2)
    # then
    assert_served(two_regions, EAST)
    assert_served(two_regions, WEST)
    if owner in two_regions.regions:
        true_ups(two_regions, 2)
        assert (owner, "evil") not in table.rows()
    else:
        two_regions.regions[holder].client("dynamodb").delete_item(
            TableName="ringfence-demo", Key={"region": {"S": owner}, "asg": {"S": "evil"}}
        )
    assert two_regions.agrees()


def true_up_until(cluster: Cluster, condition: Callable[[], bool]) -> bool:
    """Whether the condition holds; if not, after true-ups of all Regions and a pause."""
    if not (holds := condition()):
        true_ups(cluster)
        time.sleep(5)
    return holds


@pytest.mark.parametrize("holder", [EAST, WEST])
def test_the_rule_of_an_invented_row_goes_with_it(two_regions: Cluster, holder: str) -> None:
    # given
    region = two_regions.regions[holder]
    Table(region).write(invented(two_regions, WEST, "evil"))
    rule = admit(region, f"{STRANGER}/32", f"ringfence demo {WEST}/evil i-0123456789abcdef0")
    # when the guard has seen the rule for a minute
    try:
        eventually(lambda: true_up_until(two_regions, lambda: STRANGER not in region.admitted()), 120)
        # then
        true_ups(two_regions, 2)
        assert (WEST, "evil") not in Table(region).rows()
    finally:
        revoke(region, rule)
    assert_served(two_regions, EAST)


@pytest.mark.parametrize("seconds", [60, 3600, 400 * DAY, 10**14])
@pytest.mark.parametrize("holder", [EAST, WEST])
def test_a_tombstone_in_the_future_removes_no_live_member(two_regions: Cluster, holder: str, seconds: int) -> None:
    table = Table(two_regions.regions[holder])
    # when
    with watched(two_regions):
        for key, item in table.rows().items():
            if key[1] != ANNOUNCEMENT:
                departed = {id: {"N": str(int(time.time()) + seconds)} for id in item["members"]["M"]}
                table.write(item, departed={"M": departed}, members={"M": {}}, version=newer(item))
                table.write(item, departed={"M": departed}, version=newer(item))
        true_ups(two_regions, 2)
    # then
    assert_served(two_regions, EAST)
    true_ups(two_regions)
    assert two_regions.agrees()


@pytest.mark.parametrize("origin", ["EC2", "WarmPool", "AutoScalingGroup"])
def test_a_forged_launch_admits_no_stranger(two_regions: Cluster, origin: str) -> None:
    east = two_regions.regions[EAST]
    id, address = stranger(east)
    # when
    with watched(two_regions, never=frozenset({address})):
        send(east, *(event(east, id, "launch", Origin=origin) for _ in range(3)))
        assert_served(two_regions, EAST)
    # then
    east.client("ec2").terminate_instances(InstanceIds=[id])
    assert two_regions.agrees()


@pytest.mark.parametrize("destination", ["EC2", "WarmPool"])
def test_forged_terminations_remove_no_member(two_regions: Cluster, destination: str) -> None:
    # given
    two_regions.settle(**{EAST: 6, WEST: 1})
    east = two_regions.regions[EAST]
    # when
    with watched(two_regions):
        send(east, *(event(east, id, "terminate", Destination=destination) for id in east.instances()))
        assert_served(two_regions, EAST)
    # then
    true_ups(two_regions)
    assert two_regions.agrees()


def test_forged_events_do_not_stop_the_real_ones(two_regions: Cluster) -> None:
    east = two_regions.regions[EAST]
    id, address = stranger(east)
    with watched(two_regions, never=frozenset({address})):
        forged = [event(east, id, kind) for kind in ("launch", "terminate")]
        send(east, *forged, event(east, id, "launch", AutoScalingGroupName="no-such-group"))
        assert_served(two_regions, EAST)
    east.client("ec2").terminate_instances(InstanceIds=[id])


def is_reported(cluster: Cluster, region: str, rule: str) -> bool:
    """Whether the log names the rule as one whose owner is not known, and the metric counts it."""
    lines = cluster.log(region)
    named = any(line.get("message") == "owner of rule unknown" and line.get("rule") == rule for line in lines)
    return named and any(line.get("UnknownOwners", [0]) not in (0, [0], [0.0]) for line in lines)


@pytest.mark.parametrize("cidr", ["0.0.0.0/0", "8.8.0.0/16", "8.8.8.8/31"])
def test_a_label_on_a_network_is_not_believed_and_is_reported(two_regions: Cluster, cidr: str) -> None:
    # given
    east = two_regions.regions[EAST]
    (instance,) = east.instances()
    rule = admit(east, cidr, f"ringfence demo {EAST}/{east.auto_scaling_group} {instance}")
    # when
    try:
        true_ups(two_regions)
        assert_served(two_regions, EAST)
        # then
        eventually(lambda: is_reported(two_regions, EAST, rule))
    finally:
        revoke(east, rule)


@pytest.mark.parametrize("roster", ["eu-west-1/evil", "us-east-1x/evil"])
def test_a_rule_of_a_region_that_is_not_in_the_cluster_is_reported(two_regions: Cluster, roster: str) -> None:
    # given
    east = two_regions.regions[EAST]
    rule = admit(east, f"{STRANGER}/32", f"ringfence demo {roster} i-0123456789abcdef0")
    # when
    try:
        true_ups(two_regions)
        assert_served(two_regions, EAST)
        # then
        eventually(lambda: is_reported(two_regions, EAST, rule) or STRANGER not in east.admitted())
    finally:
        revoke(east, rule)


@pytest.mark.parametrize("roster", [f"{EAST}/evil", f"{WEST}/evil"])
def test_a_rule_of_a_group_that_its_region_does_not_announce_goes(two_regions: Cluster, roster: str) -> None:
    # given
    east = two_regions.regions[EAST]
    rule = admit(east, f"{STRANGER}/32", f"ringfence demo {roster} i-0123456789abcdef0")
    # when
    true_ups(two_regions, 3)
    # then
    try:
        assert STRANGER not in east.admitted()
    finally:
        revoke(east, rule)
    assert_served(two_regions, EAST)


def test_mirror_mode_removes_a_network_with_our_label(two_regions: Cluster) -> None:
    # given
    east = two_regions.regions[EAST]
    (instance,) = east.instances()
    set_mode(two_regions, "mirror")
    rule = admit(east, "0.0.0.0/0", f"ringfence demo {EAST}/{east.auto_scaling_group} {instance}")
    # when
    try:
        true_ups(two_regions, 2)
        # then
        assert not [found for found in east.rules() if found["SecurityGroupRuleId"] == rule]
        assert_served(two_regions, EAST)
    finally:
        revoke(east, rule)
        set_mode(two_regions, "owned")


def set_mode(cluster: Cluster, mode: str) -> None:
    """Updates the stack in us-east-1."""
    cloudformation = cluster.regions[EAST].client("cloudformation")
    (stack,) = cloudformation.describe_stacks(StackName="ringfence-demo")["Stacks"]
    template = cloudformation.get_template(StackName="ringfence-demo", TemplateStage="Original")["TemplateBody"]
    kept = [
        {"ParameterKey": parameter["ParameterKey"], "UsePreviousValue": True}
        for parameter in stack["Parameters"]
        if parameter["ParameterKey"] != "Mode"
    ]
    cloudformation.update_stack(
        StackName="ringfence-demo",
        TemplateBody=template,
        Parameters=[*kept, {"ParameterKey": "Mode", "ParameterValue": mode}],
        Capabilities=["CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"],
    )
    waiter = cloudformation.get_waiter("stack_update_complete")
    waiter.wait(StackName="ringfence-demo", WaiterConfig={"Delay": 0.05, "MaxAttempts": 400})


@pytest.mark.parametrize("ports", ["tcp/0-65535", "tcp/22", "-1", "udp/1-65535", "tcp/22,tcp/443", "nonsense"])
@pytest.mark.parametrize("holder", [EAST, WEST])
def test_a_row_opens_no_other_ports(two_regions: Cluster, holder: str, ports: str) -> None:
    table = Table(two_regions.regions[holder])
    # when
    with watched(two_regions):
        for item in table.rows().values():
            table.write(item, ports={"S": ports}, version=newer(item))
        for region in two_regions.regions:
            two_regions.scale(region, 2)
    # then
    opened = {
        (rule["IpProtocol"], rule["FromPort"], rule["ToPort"])
        for region in two_regions.regions.values()
        for rule in region.rules()
    }
    true_ups(two_regions, 2)
    assert opened == {("tcp", 443, 443)}
    assert two_regions.agrees()
    assert_served(two_regions, EAST)


@pytest.mark.parametrize("form", ["another group", "sg-", "sg-*", "sg-0123456789ABCDEF0", "i-0123456789abcdef0", ""])
def test_a_row_opens_no_other_security_group(two_regions: Cluster, form: str) -> None:
    # given a group without the cluster's tag
    east, west = two_regions.regions[EAST], two_regions.regions[WEST]
    ec2 = west.client("ec2")
    other = ec2.create_security_group(GroupName=f"other-{time.time_ns()}", Description="tests")["GroupId"]
    table = Table(east)
    # when
    with watched(two_regions):
        for key, item in table.rows().items():
            if key[0] == WEST:
                groups = [{"S": other if form == "another group" else form}]
                table.write(item, security_groups={"L": groups}, version=newer(item))
        east.scale_to(2)
        eventually(lambda: two_regions.is_settled(EAST, 2), 30)
    # then
    rules = ec2.describe_security_group_rules(Filters=[{"Name": "group-id", "Values": [other]}])["SecurityGroupRules"]
    assert [rule for rule in rules if not rule["IsEgress"]] == []
    true_ups(two_regions, 2)
    assert two_regions.agrees()
    assert_served(two_regions, EAST)
