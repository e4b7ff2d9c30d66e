"""A Region's security groups in memory, with the behaviour of EC2 that applying a plan depends on.

A call with one bad rule is refused as a whole. IPv4 and IPv6 rules are counted apart. Sources: EC2 API reference,
"Error codes" (InvalidPermission.Duplicate, RulesPerSecurityGroupLimitExceeded); Amazon VPC User Guide, "Amazon VPC
quotas".
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from ringfence.core.errors import Permanent, Refusal, Refused
from ringfence.core.model.addresses import Cidr, is_ipv6
from ringfence.core.model.identifiers import PrefixListId, RuleId, SecurityGroupId
from ringfence.core.model.rules import Label, Rule
from ringfence.core.plan import Addition
from ringfence.core.rule_count import PrefixList, PrefixLists
from tests.unit.builders import GROUP


@dataclass(slots=True)
class FakeSecurityGroups:
    """Security groups with a quota for each address family. They refuse the `malformed` addresses, and every
    change of the groups that are `gone`."""

    existing: dict[RuleId, Rule] = field(default_factory=dict)
    quota: int = 60
    malformed: frozenset[Cidr] = frozenset()
    calls: list[tuple[str, int]] = field(default_factory=list)
    gone: set[SecurityGroupId] = field(default_factory=set)
    lists: dict[PrefixListId, PrefixList] = field(default_factory=dict)

    @classmethod
    def holding(cls, rules: Iterable[Rule], quota: int = 60, malformed: Iterable[Cidr] = ()) -> "FakeSecurityGroups":
        return cls({rule.id: rule for rule in rules}, quota, frozenset(malformed))

    def rules(self, groups: Sequence[SecurityGroupId]) -> Mapping[SecurityGroupId, tuple[Rule, ...]]:
        """See `interfaces.SecurityGroups.rules`."""
        self.calls.append(("rules", len(groups)))
        return {group: tuple(self._rules_of(group)) for group in groups}

    def missing(self, groups: Sequence[SecurityGroupId]) -> frozenset[SecurityGroupId]:
        """See `interfaces.SecurityGroups.missing`."""
        self.calls.append(("missing", len(groups)))
        return frozenset(self.gone.intersection(groups))

    def prefix_lists(self, ids: Sequence[PrefixListId]) -> PrefixLists:
        """See `interfaces.SecurityGroups.prefix_lists`."""
        self.calls.append(("prefix_lists", len(ids)))
        return {id: self.lists[id] for id in ids if id in self.lists}

    def authorize(self, group: SecurityGroupId, additions: Sequence[Addition]) -> tuple[Rule, ...]:
        """See `interfaces.SecurityGroups.authorize`."""
        self.calls.append(("authorize", len(additions)))
        self._refuse_if_gone(group)
        if any(addition.opening.cidr in self.malformed for addition in additions):
            raise Refused(Refusal.MALFORMED, "a rule is malformed")
        openings = {rule.opening for rule in self._rules_of(group)}
        if any(addition.opening in openings for addition in additions):
            raise Refused(Refusal.DUPLICATE, "a rule exists already")
        for ipv6 in (False, True):
            used = self._used(group, ipv6=ipv6)
            if used + sum(is_ipv6(addition.opening.cidr) is ipv6 for addition in additions) > self.quota:
                raise Refused(Refusal.QUOTA, f"{used} of {self.quota} rules")
        made = [self._rule(group, addition) for addition in additions]
        self.existing |= {rule.id: rule for rule in made}
        return tuple(made)

    def revoke(self, group: SecurityGroupId, rules: Sequence[RuleId]) -> None:
        """See `interfaces.SecurityGroups.revoke`."""
        self.calls.append(("revoke", len(rules)))
        self._refuse_if_gone(group)
        if not all(id in self.existing and self.existing[id].group == group for id in rules):
            raise Refused(Refusal.NOT_FOUND, "a rule does not exist")
        for id in rules:
            del self.existing[id]

    def relabel(self, group: SecurityGroupId, labels: Mapping[RuleId, Label]) -> None:
        """See `interfaces.SecurityGroups.relabel`."""
        self.calls.append(("relabel", len(labels)))
        if not all(id in self.existing and self.existing[id].group == group for id in labels):
            raise Refused(Refusal.NOT_FOUND, "a rule does not exist")
        for id, label in labels.items():
            self.existing[id] = replace(self.existing[id], description=str(label))

    def admitted(self, group: SecurityGroupId = GROUP) -> set[Cidr]:
        """Every address that the group admits."""
        return {rule.opening.cidr for rule in self._rules_of(group) if rule.opening is not None}

    def _refuse_if_gone(self, group: SecurityGroupId) -> None:
        if group in self.gone:
            raise Permanent("InvalidGroup.NotFound")

    def _rules_of(self, group: SecurityGroupId) -> list[Rule]:
        return [rule for rule in self.existing.values() if rule.group == group]

    def _used(self, group: SecurityGroupId, *, ipv6: bool) -> int:
        """How many rules the group has in the address family."""
        rules = self._rules_of(group)
        return sum(rule.opening is None or is_ipv6(rule.opening.cidr) is ipv6 for rule in rules)

    def _rule(self, group: SecurityGroupId, addition: Addition) -> Rule:
        id = RuleId(f"{group}-{addition.opening.cidr}-{addition.opening.ports}")
        return Rule(id, group, addition.opening.ports, addition.opening, description=str(addition.label))
