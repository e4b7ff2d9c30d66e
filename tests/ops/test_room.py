"""The room of security groups: what members really need, at the account's real quotas."""

from dataclasses import replace
from typing import Any

import pytest
from botocore.exceptions import ClientError

from ringfence.core.configuration.settings import Settings
from ringfence.core.model.addresses import AddressKind, Cidr
from ringfence.core.model.identifiers import PrefixListId
from ringfence.core.model.rosters import Member, MemberState, Rows
from ringfence.core.rule_count import PrefixList
from ringfence_ops.doctor.facts import RegionFacts, SecurityGroup
from ringfence_ops.doctor.finding import Finding, Severity, worst
from ringfence_ops.doctor.room import check_room
from ringfence_ops.state.path import DeployedStack, Expected, ScalingGroup, Unread
from ringfence_ops.state.sight import as_deployed
from ringfence_ops.state.surplus import surplus_percent
from tests.ops.facts import EXPECTED, PARAMETERS, SELF, facts, security_group
from tests.unit.builders import EAST, GROUP, I1, I2, NOW, WEST, WEST_DB, address, roster, rows, rule, settings


def found(*regions: RegionFacts, of: Settings | None = None) -> list[Finding]:
    """What is found in these Regions."""
    own = of or settings()
    return list(check_room(regions, [Expected(replace(own, region=each.region), PARAMETERS) for each in regions]))


def seen(addresses: dict[Any, tuple[Cidr, ...]], **of: Any) -> Rows:
    """A table with one roster, whose members have these addresses."""
    members = {id: Member(cidrs, MemberState.MEMBER, int(NOW)) for id, cidrs in addresses.items()}
    return rows(replace(roster({}, **of), members=members))


V6 = (Cidr("2001:db8::1/128"), Cidr("2001:db8::2/128"))


def test_the_member_with_the_most_addresses_counts_for_each_member_of_its_group() -> None:
    # given a member with three addresses and one with one
    three = seen({I1: (address(1), address(2), address(3)), I2: (address(4),)})
    # when
    (finding,) = found(facts(rows=three))
    # then 4 members take 3 rules each, beside the rule that names the group itself
    assert finding.message == (
        "sg-00000001 needs 13 of 60 IPv4 rules for 4 members with up to 3 addresses each,"
        " 16 while 1 more replace others"
    )


def test_each_group_counts_by_its_own_members_and_a_peers_roster_is_known_from_any_table() -> None:
    two = seen({I1: (address(1), address(2))}, key=WEST_DB)
    west = facts(region=WEST, security_groups={}, rows=Unread("denied"))
    (finding,) = found(facts(rows=two), west)
    # 4 members at home with one address each, 4 in the west with two, and the rule of the group itself.
    assert finding.message.startswith("sg-00000001 needs 13 of 60 IPv4 rules for 8 members with up to 2 addresses each")


def test_both_families_are_counted_by_what_was_seen_in_each() -> None:
    both = settings(address_kinds=frozenset({AddressKind.PUBLIC_IPV4, AddressKind.IPV6}))
    v4, v6 = found(facts(rows=seen({I1: (address(1), *V6)})), of=both)
    assert v4.message.startswith("sg-00000001 needs 5 of 60 IPv4 rules for 4 members,")
    assert v6.message.startswith("sg-00000001 needs 9 of 60 IPv6 rules for 4 members with up to 2 addresses each")


def test_a_prefix_list_takes_the_room_of_its_maximum_in_its_own_family() -> None:
    listed = replace(rule("sgr-9", None), prefix_list=PrefixListId("pl-1"))
    group = SecurityGroup(
        GROUP, {"ringfence-cluster": "demo"}, (SELF, listed), {PrefixListId("pl-1"): PrefixList(False, 55)}
    )
    (finding,) = found(facts(security_groups={GROUP: group}))
    assert (finding.severity, finding.message.split(" IPv4")[0]) == (Severity.WARNING, "sg-00000001 needs 60 of 60")


@pytest.mark.parametrize(("surplus", "more"), [(0, 4), (10, 4), (20, 8), (100, 40)])
def test_an_instance_refresh_takes_the_room_that_its_percentage_allows(surplus: int, more: int) -> None:
    group = {"db": ScalingGroup("db", 40, {}, (), surplus_percent=surplus)}
    (finding,) = found(facts(scaling_groups=group))
    assert f"{41 + more} while {more} more replace others" in finding.message
    assert finding.severity is (Severity.OK if 41 + more <= 60 else Severity.WARNING)


def test_the_real_quota_decides_and_the_remedy_asks_for_what_is_needed() -> None:
    # given a quota of 30, and 40 members
    low = facts(scaling_groups={"db": ScalingGroup("db", 40, {}, ())}, rules=30)
    # when
    (finding,) = found(low, of=settings(rules_quota=30))
    # then
    assert finding.severity is Severity.PROBLEM
    assert finding.message.startswith("sg-00000001 needs 41 of 30 IPv4 rules for 40 members at all groups' MaxSize")
    assert finding.fix == (
        "aws service-quotas request-service-quota-increase --region us-east-1 --service-code vpc --quota-code"
        " L-0EA8095F --desired-value 50; when it is granted, ringfence deploy us-east-1"
    )


def test_what_no_quota_allows_has_another_remedy() -> None:
    many = facts(scaling_groups={"db": ScalingGroup("db", 150, {}, ())}, groups=10)
    (finding,) = found(many)
    assert finding.severity is Severity.PROBLEM
    assert "with 10 security groups an interface (quota L-2AFB9258) AWS allows at most 100 rules a group" in finding.fix


def test_a_cluster_file_that_promises_more_than_the_quota_is_a_problem() -> None:
    promised, _ = found(facts(), of=settings(rules_quota=100))
    assert promised.severity is Severity.PROBLEM
    assert promised.message == "the cluster file says rules_quota = 100, and the account's quota is 60"
    assert promised.fix == "write rules_quota = 60, then ringfence deploy us-east-1"
    # and one that promises less alarms earlier, on purpose
    assert worst(found(facts(), of=settings(rules_quota=50))) is Severity.OK


def test_a_quota_that_could_not_be_read_is_said_and_the_assumed_one_is_used() -> None:
    unknown, room = found(facts(rules=Unread("GetServiceQuota was denied: no")))
    assert unknown.severity is Severity.WARNING
    assert unknown.message == ("the account's quota is not known, 60 rules are assumed: GetServiceQuota was denied: no")
    assert room.message.startswith("sg-00000001 needs 5 of 60")


def test_the_quota_of_the_stack_is_expected_where_nothing_else_tells_it() -> None:
    stack = DeployedStack("UPDATE_COMPLETE", {**PARAMETERS, "RulesQuota": "100"})
    expected = as_deployed(EXPECTED, facts(stack=stack).path)
    assert (expected.settings.rules_quota, expected.parameters["RulesQuota"]) == (100, "100")
    assert as_deployed(EXPECTED, facts(stack=None).path) == EXPECTED
    assert found(facts(region=EAST, security_groups=security_group()))


class Refreshes:
    """An Auto Scaling that knows instance refreshes, or does not tell."""

    def __init__(self, *refreshes: tuple[str, int | None], denied: bool = False) -> None:
        self.refreshes, self.denied = refreshes, denied

    def describe_instance_refreshes(self, **_asked: str) -> dict[str, Any]:
        if self.denied:
            raise ClientError({"Error": {"Code": "AccessDenied", "Message": "no"}}, "DescribeInstanceRefreshes")
        return {
            "InstanceRefreshes": [
                {"Status": status, "Preferences": {} if most is None else {"MaxHealthyPercentage": most}}
                for status, most in self.refreshes
            ]
        }


@pytest.mark.parametrize(
    ("policy", "autoscaling", "surplus"),
    [
        (None, Refreshes(), 0),
        (120, Refreshes(), 20),
        (-1, Refreshes(), 0),  # the policy was cleared
        (None, Refreshes(("InProgress", 150)), 50),
        (None, Refreshes(("InProgress", None)), 0),
        (None, Refreshes(("Successful", 200), ("Cancelled", 200)), 0),
        (110, Refreshes(("InProgress", 200), denied=True), 10),
    ],
)
def test_the_surplus_is_that_of_the_policy_or_of_a_refresh_in_progress(
    policy: int | None, autoscaling: Refreshes, surplus: int
) -> None:
    group: dict[str, Any] = {"AutoScalingGroupName": "db"}
    if policy is not None:
        group["InstanceMaintenancePolicy"] = {"MaxHealthyPercentage": policy}
    assert surplus_percent(autoscaling, group) == surplus
