"""How many rules a security group has, as its quota counts them."""

from ringfence.core.model.addresses import Cidr
from ringfence.core.model.identifiers import PrefixListId
from ringfence.core.rule_count import PrefixList, RuleCount, count_rules, prefix_lists_of
from tests.unit.builders import GROUP, address, rule

PL = PrefixListId("pl-1")
LISTED = rule("sgr-1", None, prefix_list=PL)


def test_a_cidr_counts_once_in_its_own_family() -> None:
    rules = [rule("sgr-1", address(1)), rule("sgr-2", address(2)), rule("sgr-3", Cidr("2001:db8::1/128"))]
    assert count_rules(rules, {}) == RuleCount(ipv4=2, ipv6=1)


def test_a_security_group_counts_once_in_each_family() -> None:
    assert count_rules([rule("sgr-1", None, source_group=GROUP)], {}) == RuleCount(1, 1)


def test_a_prefix_list_counts_as_its_maximum_in_its_own_family() -> None:
    assert count_rules([LISTED], {PL: PrefixList(ipv6=False, weight=20)}) == RuleCount(ipv4=20)
    assert count_rules([LISTED], {PL: PrefixList(ipv6=True, weight=20)}) == RuleCount(ipv6=20)


def test_an_unknown_prefix_list_counts_once_in_each_family() -> None:
    assert count_rules([LISTED], {}) == RuleCount(1, 1)


def test_the_fuller_family_decides_the_room() -> None:
    assert RuleCount(ipv4=3, ipv6=7).fuller == 7


def test_the_prefix_lists_of_rules_are_named_once() -> None:
    assert prefix_lists_of([LISTED, rule("sgr-2", None, prefix_list=PL), rule("sgr-3", address(1))]) == [PL]
