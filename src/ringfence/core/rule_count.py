"""Counts the rules of a security group as its quota does.

Pure. The engine's metric, `status` and `doctor` count with the same function.

Source: Amazon VPC User Guide, "Amazon VPC quotas", security groups: IPv4 and IPv6 are counted apart; a rule that
references a security group counts in both; a rule that references a prefix list counts as the list's maximum number of
entries. A prefix list has addresses of one family only ("Prefix lists concepts and rules").
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from ringfence.core.model.addresses import is_ipv6
from ringfence.core.model.identifiers import PrefixListId
from ringfence.core.model.rules import Rule


@dataclass(frozen=True, slots=True)
class PrefixList:
    """What a rule that references the prefix list counts as: its weight, in one address family."""

    ipv6: bool
    weight: int


@dataclass(frozen=True, slots=True)
class RuleCount:
    """The number of rules in each address family, as the quota counts them."""

    ipv4: int = 0
    ipv6: int = 0

    @property
    def fuller(self) -> int:
        """The number in the family that has less room."""
        return max(self.ipv4, self.ipv6)


PrefixLists = Mapping[PrefixListId, PrefixList]
"""The prefix lists that rules reference, as far as they are known."""


def count_rules(rules: Iterable[Rule], prefix_lists: PrefixLists) -> RuleCount:
    """How many rules these are. A prefix list that is not known counts once in each family: it is at least that."""
    ipv4 = ipv6 = 0
    for rule in rules:
        known = prefix_lists.get(rule.prefix_list) if rule.prefix_list is not None else None
        if rule.opening is not None:
            in_v4, in_v6 = (0, 1) if is_ipv6(rule.opening.cidr) else (1, 0)
        elif known is not None:
            in_v4, in_v6 = (0, known.weight) if known.ipv6 else (known.weight, 0)
        else:
            in_v4 = in_v6 = 1
        ipv4, ipv6 = ipv4 + in_v4, ipv6 + in_v6
    return RuleCount(ipv4, ipv6)


def prefix_lists_of(rules: Iterable[Rule]) -> list[PrefixListId]:
    """The prefix lists that the rules reference, sorted."""
    return sorted({rule.prefix_list for rule in rules if rule.prefix_list is not None})
