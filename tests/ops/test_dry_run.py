"""What a dry run foresees of EC2: it refuses what a security group has no room for, as EC2 counts it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, cast

import pytest

from ringfence.core.errors import Refusal, Refused
from ringfence.core.model.addresses import Cidr
from ringfence.core.model.identifiers import PrefixListId, SecurityGroupId
from ringfence.core.model.rules import Rule
from ringfence.core.rule_count import PrefixList, PrefixLists
from ringfence_ops.state.dry_run import DryRunSecurityGroups
from tests.ops.facts import SELF
from tests.unit.builders import GROUP, addition, address, rule

LIST = PrefixListId("pl-1")


@dataclass(frozen=True, slots=True)
class Ec2:
    """A Region's EC2 with one security group."""

    present: tuple[Rule, ...]
    weight: int = 1

    def rules(self, _groups: Sequence[SecurityGroupId]) -> Mapping[SecurityGroupId, tuple[Rule, ...]]:
        return {GROUP: self.present}

    def prefix_lists(self, ids: Sequence[PrefixListId]) -> PrefixLists:
        return {id: PrefixList(ipv6=False, weight=self.weight) for id in ids}


def group_of(quota: int, *present: Rule, weight: int = 1) -> DryRunSecurityGroups:
    """The dry run's view of the group, read once as a reconcile does."""
    groups = DryRunSecurityGroups(cast(Any, Ec2(present, weight)), quota)
    groups.rules([GROUP])
    return groups


def test_what_fits_is_added_and_counts_from_then_on() -> None:
    groups = group_of(3, SELF)
    groups.authorize(GROUP, [addition(address(1)), addition(address(2))])
    with pytest.raises(Refused) as refused:
        groups.authorize(GROUP, [addition(address(3))])
    assert refused.value.refusal is Refusal.QUOTA
    assert str(refused.value) == "the group has 3 of 3 IPv4 rules"
    # a removal makes room
    groups.revoke(GROUP, [SELF.id])
    groups.authorize(GROUP, [addition(address(3))])


def test_a_call_that_does_not_fit_as_a_whole_adds_nothing() -> None:
    groups = group_of(2, SELF)
    with pytest.raises(Refused):
        groups.authorize(GROUP, [addition(address(1)), addition(address(2))])
    assert groups.rules([GROUP])[GROUP] == (SELF,)


def test_a_prefix_list_counts_by_its_weight() -> None:
    listed = replace(rule("sgr-pl", None), prefix_list=LIST)
    group_of(60, listed, weight=59).authorize(GROUP, [addition(address(1))])
    with pytest.raises(Refused, match="has 60 of 60 IPv4 rules"):
        group_of(60, listed, weight=60).authorize(GROUP, [addition(address(1))])


def test_the_families_count_apart() -> None:
    full = group_of(2, SELF, rule("sgr-1", address(1)))
    full.authorize(GROUP, [addition(Cidr("2001:db8::1/128"))])
    with pytest.raises(Refused, match="IPv4"):
        full.authorize(GROUP, [addition(address(2))])


def test_a_group_beyond_its_configured_quota_takes_no_more() -> None:
    many = group_of(1, SELF, rule("sgr-1", address(1)), rule("sgr-2", address(2)))
    with pytest.raises(Refused):
        many.authorize(GROUP, [addition(address(3))])
