"""A Region's security groups: no two equal rules, separate counts for IPv4 and IPv6.

Sources: Amazon VPC User Guide, "Amazon VPC quotas"; EC2 API reference, AuthorizeSecurityGroupIngress,
RevokeSecurityGroupIngress and UpdateSecurityGroupRuleDescriptionsIngress. What they leave open, `Refusals` states.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import Enum
from ipaddress import ip_network

from ringfence.core.errors import Permanent, Refusal, Refused
from ringfence.core.model.addresses import Cidr
from ringfence.core.model.identifiers import PrefixListId, Region, RuleId, SecurityGroupId
from ringfence.core.model.ports import PortRange
from ringfence.core.model.rules import DESCRIPTION_LIMIT, Label, Opening, Rule, is_describable
from ringfence.core.plan import Addition
from ringfence.core.rule_count import PrefixLists, count_rules
from ringfence_lab.sim.aws.clock import VirtualClock
from ringfence_lab.sim.aws.history import CloudChange, LabelChanged, RuleChanged, RuleMade, RuleRevoked
from ringfence_lab.sim.aws.past import RULES_REMEMBERED_SECONDS, Past
from ringfence_lab.sim.invocation import Invocation

Source = Opening | tuple[PortRange, str]
"""The identity of a rule in its group: ports with a CIDR, a group or a prefix list. EC2 allows one rule for each."""


class RefusedCall(Enum):
    """What a refused call has changed. No document says it: ubicloud #5551 saw nothing, ministack #437 the others."""

    NOTHING = "nothing"
    FIRST = "what came before the first rule that was refused"
    OTHERS = "all rules but those that were refused"


class Duplicate(Enum):
    """How a call is answered that adds a rule which exists. The API reference has an error for it, and emulators of it
    accept the call."""

    REFUSED = "the call is refused"
    NAMED = "as if it were made: with the existing rule"
    OMITTED = "as if it were made: without the rule"


@dataclass(frozen=True, slots=True)
class Refusals:
    """How EC2 refuses calls, as far as its documents leave that open."""

    change: RefusedCall = RefusedCall.NOTHING
    duplicate: Duplicate = Duplicate.REFUSED

    def __str__(self) -> str:
        return f"refused calls change {self.change.value}; duplicates: {self.duplicate.value}"


class SecurityGroup:
    """One security group with its inbound rules. `quota` is for each address family.

    `prefix_lists` are those of the Region.
    """

    def __init__(
        self,
        id: SecurityGroupId,
        region: Region,
        clock: VirtualClock,
        record: Callable[[CloudChange], None],
        quota: int,
        prefix_lists: PrefixLists | None = None,
    ) -> None:
        self.id = id
        self.region = region
        self.quota = quota
        self.refusals = Refusals()
        self.rules: dict[RuleId, Rule] = {}
        self._record = record
        self._sources: dict[Source, RuleId] = {}
        self._used = [0, 0]  # of IPv4, and of IPv6
        self._is_deleted = False
        self._prefix_lists = {} if prefix_lists is None else prefix_lists
        self._made = 0
        self._past: Past[tuple[Rule, ...]] = Past(clock, (), RULES_REMEMBERED_SECONDS)

    def described(self, age: float = 0.0) -> tuple[Rule, ...]:
        """The rules as they were `age` seconds ago, or even earlier if readings lag behind."""
        return self._past.seconds_ago(age)

    def lag(self, seconds: float) -> None:
        """From now on, for so long, readings show the present rules. 0 lets them catch up.

        Source: hashicorp/terraform #6325, which saw more than two minutes.
        """
        self._past.lag(seconds)

    @property
    def is_shown_late(self) -> bool:
        """Whether readings do not show the rules as they are."""
        return self.described() != tuple(self.rules.values())

    def admits(self, opening: Opening) -> Rule | None:
        """The rule with exactly this source and these ports, if there is one."""
        id = self._sources.get(opening)
        return None if id is None else self.rules[id]

    def used(self, *, ipv6: bool) -> int:
        """The number of rules in the family, as the quota counts them."""
        return self._used[ipv6]

    def authorize(self, additions: Sequence[Addition], by: Invocation | None) -> tuple[Rule, ...]:
        """Adds the rules. Raises Refused; then it has added what `refusals` says."""
        existing: list[Rule] = []
        if self.refusals.duplicate is not Duplicate.REFUSED:
            found = [self.admits(wanted.opening) for wanted in additions]
            existing = [rule for rule in found if rule is not None]
            additions = [wanted for wanted, rule in zip(additions, found, strict=True) if rule is None]
        made = [self._rule(wanted.opening.ports, wanted.opening, str(wanted.label)) for wanted in additions]
        self._put(made, by)
        return (*made, *(existing if self.refusals.duplicate is Duplicate.NAMED else ()))

    def revoke(self, ids: Sequence[RuleId], by: Invocation | None) -> None:
        """Removes the rules. Raises Refused if one is unknown; then it has removed what `refusals` says.

        A VPC that is not the default one refuses the call; a default VPC ignores an unknown rule.
        """
        known, refused = self._known(ids)
        for id in known:
            rule = self.rules.pop(id)
            del self._sources[_source(rule)]
            self._count(rule, -1)
            self._record(RuleRevoked(self.region, rule, by))
        self._past.record(tuple(self.rules.values()))
        if refused is not None:
            raise refused

    def relabel(self, labels: Mapping[RuleId, Label], by: Invocation | None) -> None:
        """Changes the descriptions. Raises Refused if a rule is unknown; then it has changed what `refusals` says."""
        known, refused = self._known(labels)
        for id in known:
            was = self.rules[id]
            self.rules[id] = replace(was, description=str(labels[id]))
            self._record(LabelChanged(self.region, self.rules[id], was, by))
        self._past.record(tuple(self.rules.values()))
        if refused is not None:
            raise refused

    def _known(self, ids: Iterable[RuleId]) -> tuple[list[RuleId], Refused | None]:
        """The rules that a call changes, and how it is refused, if one of them is unknown."""
        ids = list(dict.fromkeys(ids))
        unknown = [id for id in ids if id not in self.rules]
        if not unknown:
            return ids, None
        refused = Refused(Refusal.NOT_FOUND, f"InvalidSecurityGroupRuleId.NotFound: {', '.join(unknown)}")
        match self.refusals.change:
            case RefusedCall.NOTHING:
                return [], refused
            case RefusedCall.FIRST:
                return ids[: ids.index(unknown[0])], refused
            case RefusedCall.OTHERS:
                return [id for id in ids if id in self.rules], refused

    # Actions of an operator.

    def delete(self) -> None:
        """DeleteSecurityGroup: it has no rules any more, and gets none."""
        self.rules.clear()
        self._sources.clear()
        self._is_deleted = True

    def allow(self, cidr: str, ports: str = "tcp/22", description: str = "by hand") -> RuleId:
        """Adds a rule for a CIDR, in canonical form as EC2 stores it. Raises Refused."""
        parsed, canonical = PortRange.parse(ports), Cidr(str(ip_network(cidr, strict=False)))
        return self._by_hand(self._rule(parsed, Opening(parsed, canonical), description))

    def allow_group(self, group: SecurityGroupId, ports: str) -> RuleId:
        """Adds a rule whose source is a security group, such as the group itself. Raises Refused."""
        return self._by_hand(replace(self._rule(PortRange.parse(ports), None, ""), source_group=group))

    def allow_itself(self, ports: Sequence[PortRange]) -> None:
        """Adds all rules by which the group admits itself on the ports, or none. Raises Refused."""
        self._put([replace(self._rule(range_, None, ""), source_group=self.id) for range_ in ports], None)

    def admits_itself(self) -> bool:
        """Whether the group admits itself on any port."""
        return any(rule.source_group == self.id for rule in self.rules.values())

    def allow_prefix_list(self, id: PrefixListId, ports: str) -> RuleId:
        """Adds a rule whose source is a prefix list, which counts as the list's maximum of entries. Raises Refused."""
        return self._by_hand(replace(self._rule(PortRange.parse(ports), None, ""), prefix_list=id))

    def revoke_by_hand(self, id: RuleId) -> None:
        """Removes a rule. Raises Refused."""
        self.revoke([id], None)

    def change_by_hand(self, id: RuleId, ports: PortRange, description: str) -> None:
        """ModifySecurityGroupRules, for a rule whose source is a CIDR. Raises Refused."""
        was = self.rules[id]
        if was.opening is None:
            raise ValueError(f"{id} has no CIDR")
        opening = Opening(ports, was.opening.cidr)
        rule = replace(was, ports=ports, opening=opening, description=description)
        self._check(rule)
        if self._sources.get(opening, id) != id:
            raise Refused(Refusal.DUPLICATE, f"InvalidPermission.Duplicate: {opening}")
        del self._sources[_source(was)]
        self._sources[_source(rule)] = id
        self.rules[id] = rule
        self._past.record(tuple(self.rules.values()))
        self._record(RuleChanged(self.region, rule, was))

    def _by_hand(self, rule: Rule) -> RuleId:
        self._put([rule], None)
        return rule.id

    def _rule(self, ports: PortRange, opening: Opening | None, description: str) -> Rule:
        self._made += 1
        return Rule(RuleId(f"sgr-{self.id[3:]}-{self._made:04x}"), self.id, ports, opening, None, description)

    def _put(self, rules: Sequence[Rule], by: Invocation | None) -> None:
        if self._is_deleted:
            raise Refused(Refusal.NOT_FOUND, f"InvalidGroup.NotFound: {self.id}")
        sources = [_source(rule) for rule in rules]
        if len(set(sources)) < len(rules):
            raise Refused(Refusal.MALFORMED, "InvalidParameterValue: the same permission appears more than once")
        refused = self._refusal(rules)
        for rule in rules if refused is None else self._made_nevertheless(rules):
            self.rules[rule.id] = rule
            self._sources[_source(rule)] = rule.id
            self._count(rule, 1)
            self._record(RuleMade(self.region, rule, by))
        self._past.record(tuple(self.rules.values()))
        if refused is not None:
            raise refused

    def _refusal(self, rules: Sequence[Rule]) -> Refused | None:
        """Why the rules cannot be added together."""
        try:
            for rule in rules:
                self._check(rule)
        except Refused as refused:
            return refused
        for source in map(_source, rules):
            if source in self._sources:
                return Refused(Refusal.DUPLICATE, f"InvalidPermission.Duplicate: {source}")
        for family, more in enumerate(self._weights(rules)):
            if more and self._used[family] + more > self.quota:
                used = f"{self._used[family]} and {more} more, of {self.quota}"
                return Refused(Refusal.QUOTA, f"RulesPerSecurityGroupLimitExceeded: {used}")
        return None

    def _made_nevertheless(self, rules: Sequence[Rule]) -> list[Rule]:
        """The rules that a refused call adds."""
        made: list[Rule] = []
        for rule in rules if self.refusals.change is not RefusedCall.NOTHING else ():
            if self._refusal([rule]) is None and self._refusal([*made, rule]) is None:
                made.append(rule)
            elif self.refusals.change is RefusedCall.FIRST:
                break
        return made

    def _count(self, rule: Rule, sign: int) -> None:
        for family, weight in enumerate(self._weights([rule])):
            self._used[family] += sign * weight

    def _weights(self, rules: Sequence[Rule]) -> tuple[int, int]:
        count = count_rules(rules, self._prefix_lists)
        return count.ipv4, count.ipv6

    def _check(self, rule: Rule) -> None:
        if len(rule.description) > DESCRIPTION_LIMIT or not is_describable(rule.description):
            raise Refused(Refusal.MALFORMED, f"InvalidParameterValue: description {rule.description!r}")
        if rule.opening is not None and not rule.ports.suits(rule.opening.cidr):
            raise Refused(Refusal.MALFORMED, f"InvalidPermission.Malformed: {rule.opening}")


class SecurityGroupStore:
    """All security groups of a Region."""

    def __init__(self, clock: VirtualClock) -> None:
        self.groups: dict[SecurityGroupId, SecurityGroup] = {}
        self._existing: Past[frozenset[SecurityGroupId]] = Past(clock, frozenset())

    def add(self, group: SecurityGroup) -> None:
        """CreateSecurityGroup."""
        self.groups[group.id] = group
        self._existing.record(frozenset(self.groups))

    def delete(self, id: SecurityGroupId) -> None:
        """DeleteSecurityGroup, with all its rules. Their addresses are admitted nowhere any more."""
        self.groups.pop(id).delete()
        self._existing.record(frozenset(self.groups))

    def existing(self, age: float = 0.0) -> frozenset[SecurityGroupId]:
        """DescribeSecurityGroups, as it answered `age` seconds ago."""
        return self._existing.seconds_ago(age)

    def described(self, ids: Iterable[SecurityGroupId], age: float) -> Mapping[SecurityGroupId, tuple[Rule, ...]]:
        """DescribeSecurityGroupRules, as it answered `age` seconds ago. A group that does not exist has no rules.

        Source: pull request 7620 of getmoto/moto, which was checked against AWS.
        """
        return {id: self.groups[id].described(age) if id in self.groups else () for id in ids}

    def group(self, id: SecurityGroupId) -> SecurityGroup:
        """The group. Raises Permanent if it does not exist."""
        if id not in self.groups:
            raise Permanent(f"InvalidGroup.NotFound: {id}")
        return self.groups[id]


def _source(rule: Rule) -> Source:
    return rule.opening or (rule.ports, rule.source_group or rule.prefix_list or rule.description)
