"""Finds the foreign rules that Ringfence would have made itself, and takes ownership of them: only their descriptions
change.

A rule is adopted if it admits a member's own address on a managed port. From then on it is removed when its member
departs. Knows no terminal; `plan_adoption` is pure.
"""

import ipaddress
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from ringfence.core.errors import Refusal, Refused
from ringfence.core.model.addresses import Cidr, in_order
from ringfence.core.model.identifiers import RuleId, SecurityGroupId
from ringfence.core.model.ports import PortRange, Ports
from ringfence.core.model.rosters import Rows
from ringfence.core.model.rules import Label, Opening, Rule
from ringfence.core.plan import Scope, managed_ports
from ringfence.reconciler.interfaces import RegionServices

ATTEMPTS = 4
"""Maximum number of reads of the rules where they change during every attempt."""


class WhyForeign(StrEnum):
    """Why a foreign rule stays foreign."""

    NO_MEMBER = "no-member"  # its address is not a member's
    WIDER = "wider"  # it admits a member and other addresses too
    PORTS = "ports"  # a member's address, on ports that are not managed
    ANOTHER_CLUSTER = "another-cluster"  # it has the label of another cluster
    UNKNOWN_OWNER = "unknown-owner"  # it has the cluster's label, on an address that no member can have


@dataclass(frozen=True, slots=True)
class AdoptedRule:
    """A foreign rule, and the label that it gets."""

    rule: Rule
    opening: Opening
    label: Label


@dataclass(frozen=True, slots=True)
class ForeignRule:
    """A rule with a CIDR that stays foreign."""

    rule: Rule
    opening: Opening
    why: WhyForeign


@dataclass(frozen=True, slots=True)
class AdoptionPlan:
    """The rules of a security group that are adopted, and those that stay foreign."""

    group: SecurityGroupId
    adopted: tuple[AdoptedRule, ...] = ()
    foreign: tuple[ForeignRule, ...] = ()

    @property
    def labels(self) -> dict[RuleId, Label]:
        """The label of each adopted rule."""
        return {adopted.rule.id: adopted.label for adopted in self.adopted}


def plan_adoption(
    group: SecurityGroupId, rules: Iterable[Rule], rows: Rows, ports: tuple[PortRange, ...], scope: Scope
) -> AdoptionPlan:
    """Divides the group's foreign rules: a rule that matches the rosters exactly, on these ports, is adopted."""
    desired = scope.desired(rows)
    wanted = {Opening(range_, cidr): label for cidr, label in desired.items() for range_ in ports}
    adopted: list[AdoptedRule] = []
    foreign: list[ForeignRule] = []
    for rule in rules:
        if rule.opening is None or rule.label(scope.cluster) is not None:
            continue
        label = wanted.get(rule.opening)
        if label is not None and Label.parse(rule.description) is None:
            adopted.append(AdoptedRule(rule, rule.opening, label))
        else:
            foreign.append(ForeignRule(rule, rule.opening, _why_foreign(rule, rule.opening, desired, scope.cluster)))
    return AdoptionPlan(
        group,
        tuple(sorted(adopted, key=lambda adopted: (in_order(adopted.opening.cidr), adopted.opening, adopted.rule.id))),
        tuple(sorted(foreign, key=lambda foreign: (in_order(foreign.opening.cidr), foreign.opening, foreign.rule.id))),
    )


def _why_foreign(rule: Rule, opening: Opening, desired: Mapping[Cidr, Label], cluster: str) -> WhyForeign:
    if rule.written_label(cluster) is not None:
        return WhyForeign.UNKNOWN_OWNER
    if Label.parse(rule.description) is not None:
        return WhyForeign.ANOTHER_CLUSTER
    if opening.cidr in desired:
        return WhyForeign.PORTS
    network = ipaddress.ip_network(opening.cidr, strict=False)
    admits_member = any(
        member.subnet_of(network)  # type: ignore[arg-type]  # of the same family: compared before
        for member in map(ipaddress.ip_network, desired)
        if member.version == network.version
    )
    return WhyForeign.WIDER if admits_member else WhyForeign.NO_MEMBER


@dataclass(frozen=True, slots=True)
class RegionAdoption:
    """Reads and adopts in one Region. `groups` maps its security groups to the ports that are managed on each."""

    services: RegionServices
    groups: Mapping[SecurityGroupId, Ports]
    scope: Scope

    def plan(self) -> tuple[AdoptionPlan, ...]:
        """What can be adopted now. Rules are read before rosters, as a reconcile reads them."""
        rules = self.services.security_groups.rules(tuple(self.groups))
        rows = self.services.table.rows()
        return tuple(
            plan_adoption(group, rules[group], rows, managed_ports(ports, group, rules[group]), self.scope)
            for group, ports in self.groups.items()
        )

    def adopt(self, shown: Iterable[AdoptionPlan]) -> frozenset[RuleId]:
        """Adopts those of the shown rules that can still be adopted. Returns the rules adopted.

        A rule that was removed in the meantime, or whose member departed, is skipped. Raises the services' errors, and
        Refused where the rules change during every attempt.
        """
        agreed = {rule: label for plan in shown for rule, label in plan.labels.items()}
        done: set[RuleId] = set()
        for attempt in range(1, ATTEMPTS + 1):
            try:
                for plan in self.plan():
                    due = {rule: label for rule, label in plan.labels.items() if agreed.get(rule) == label}
                    if due:
                        self.services.security_groups.relabel(plan.group, due)
                        done |= due.keys()
            except Refused as refused:
                if refused.refusal is not Refusal.NOT_FOUND or attempt == ATTEMPTS:
                    raise
            else:
                break
        return frozenset(done)
