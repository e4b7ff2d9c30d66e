"""A Region's security groups in memory, as far as applying a plan depends on how they behave.

It refuses a whole call for one bad rule and counts IPv4 and IPv6 apart. Sources: EC2 API reference, "Error codes"
(InvalidPermission.Duplicate, RulesPerSecurityGroupLimitExceeded); Amazon VPC User Guide, "Amazon VPC quotas".
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from ringfence.core.errors import Refusal, Refused
from ringfence.core.model.addresses import Cidr, is_ipv6
from ringfence.core.model.identifiers import RuleId, SecurityGroupId
from ringfence.core.model.rules import Label, Rule
from ringfence.core.plan import Addition
from tests.unit.builders import GROUP


@dataclass(slots=True)
class FakeSecurityGroups:
    """Groups with a quota for each address family. `malformed` are addresses that they do not take."""

    standing: dict[RuleId, Rule] = field(default_factory=dict)
    quota: int = 60
    malformed: frozenset[Cidr] = frozenset()
    calls: list[tuple[str, int]] = field(default_factory=list)

    @classmethod
    def holding(cls, rules: Iterable[Rule], quota: int = 60, malformed: Iterable[Cidr] = ()) -> "FakeSecurityGroups":
        return cls({one.id: one for one in rules}, quota, frozenset(malformed))

    def rules(self, groups: Sequence[SecurityGroupId]) -> Mapping[SecurityGroupId, tuple[Rule, ...]]:
        """See `interfaces.SecurityGroups.rules`."""
        self.calls.append(("rules", len(groups)))
        return {group: tuple(one for one in self.standing.values() if one.group == group) for group in groups}

    def authorize(self, group: SecurityGroupId, additions: Sequence[Addition]) -> tuple[Rule, ...]:
        """See `interfaces.SecurityGroups.authorize`."""
        self.calls.append(("authorize", len(additions)))
        if any(each.opening.cidr in self.malformed for each in additions):
            raise Refused(Refusal.MALFORMED, "one is malformed")
        if {each.opening for each in additions} & {one.opening for one in self.standing.values() if one.group == group}:
            raise Refused(Refusal.DUPLICATE, "one is there already")
        for v6 in (False, True):
            used = self.used(v6, group)
            if used + sum(is_ipv6(each.opening.cidr) is v6 for each in additions) > self.quota:
                raise Refused(Refusal.QUOTA, f"{used} of {self.quota} rules")
        made = [self._rule(group, each) for each in additions]
        self.standing |= {one.id: one for one in made}
        return tuple(made)

    def revoke(self, group: SecurityGroupId, rules: Sequence[RuleId]) -> None:
        """See `interfaces.SecurityGroups.revoke`."""
        self.calls.append(("revoke", len(rules)))
        if not all(id in self.standing and self.standing[id].group == group for id in rules):
            raise Refused(Refusal.NOT_FOUND, "one is gone")
        for id in rules:
            del self.standing[id]

    def relabel(self, group: SecurityGroupId, labels: Mapping[RuleId, Label]) -> None:
        """See `interfaces.SecurityGroups.relabel`."""
        self.calls.append(("relabel", len(labels)))
        if not all(id in self.standing and self.standing[id].group == group for id in labels):
            raise Refused(Refusal.NOT_FOUND, "one is gone")
        for id, label in labels.items():
            self.standing[id] = replace(self.standing[id], description=str(label))

    def used(self, v6: bool, group: SecurityGroupId = GROUP) -> int:
        """How many rules of the family count in the group."""
        mine = (one for one in self.standing.values() if one.group == group)
        return sum(one.opening is None or is_ipv6(one.opening.cidr) is v6 for one in mine)

    def admitted(self, group: SecurityGroupId = GROUP) -> set[Cidr]:
        """Every address that the group lets in."""
        mine = (one for one in self.standing.values() if one.group == group)
        return {one.opening.cidr for one in mine if one.opening is not None}

    def _rule(self, group: SecurityGroupId, addition: Addition) -> Rule:
        id = RuleId(f"{group}-{addition.opening.cidr}-{addition.opening.ports}")
        return Rule(id, group, addition.opening.ports, addition.opening, description=str(addition.label))
