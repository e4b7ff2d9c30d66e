"""Which foreign rules are Ringfence's in all but name, and making them so: their descriptions change and nothing else.

A rule is adopted if Ringfence would have made it: a member's own address on a managed port. From then on it goes when
its member goes. Knows no terminal; `plan_adoption` is pure.
"""

import ipaddress
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from ringfence.core.errors import Refusal, Refused
from ringfence.core.model.addresses import Cidr
from ringfence.core.model.identifiers import RuleId, SecurityGroupId
from ringfence.core.model.ports import PortRange, Ports
from ringfence.core.model.rosters import Rows
from ringfence.core.model.rules import Label, Opening, Rule
from ringfence.core.plan import Scope, managed_ports
from ringfence.reconciler.interfaces import RegionServices

ROUNDS = 4
"""How often the rules are read anew where they change under every attempt."""


class Left(StrEnum):
    """Why a foreign rule stays foreign."""

    NOBODY = "no-member"  # its address is no member's
    WIDER = "wider"  # it admits a member and others too
    PORTS = "ports"  # a member's address, on ports that are not managed
    ANOTHER_CLUSTER = "another-cluster"  # the label of another cluster


@dataclass(frozen=True, slots=True)
class Adoption:
    """A foreign rule with the label that it is to get."""

    rule: Rule
    opening: Opening
    label: Label


@dataclass(frozen=True, slots=True)
class AdoptionPlan:
    """What is adopted in a security group, and which rules with a CIDR stay foreign, and why."""

    group: SecurityGroupId
    adopted: tuple[Adoption, ...] = ()
    left: tuple[tuple[Rule, Opening, Left], ...] = ()

    @property
    def labels(self) -> dict[RuleId, Label]:
        """The label of each rule that is adopted."""
        return {adoption.rule.id: adoption.label for adoption in self.adopted}


def plan_adoption(
    group: SecurityGroupId, rules: Iterable[Rule], rows: Rows, ports: tuple[PortRange, ...], scope: Scope
) -> AdoptionPlan:
    """What of the group's foreign rules says exactly what the rosters say on the given ports."""
    desired = scope.desired(rows)
    wanted = {Opening(range_, cidr): label for cidr, label in desired.items() for range_ in ports}
    adopted: list[Adoption] = []
    left: list[tuple[Rule, Opening, Left]] = []
    for rule in rules:
        if rule.opening is None or rule.label(scope.cluster) is not None:
            continue
        label = wanted.get(rule.opening)
        if label is not None and Label.parse(rule.description) is None:
            adopted.append(Adoption(rule, rule.opening, label))
        else:
            left.append((rule, rule.opening, _why_left(rule, rule.opening, desired)))
    return AdoptionPlan(
        group,
        tuple(sorted(adopted, key=lambda one: (one.opening, one.rule.id))),
        tuple(sorted(left, key=lambda one: (one[1], one[0].id))),
    )


def _why_left(rule: Rule, opening: Opening, desired: Mapping[Cidr, Label]) -> Left:
    if Label.parse(rule.description) is not None:
        return Left.ANOTHER_CLUSTER
    if opening.cidr in desired:
        return Left.PORTS
    network = ipaddress.ip_network(opening.cidr, strict=False)
    admits = any(
        member.subnet_of(network)  # type: ignore[arg-type]  # of the same family: compared before
        for member in map(ipaddress.ip_network, desired)
        if member.version == network.version
    )
    return Left.WIDER if admits else Left.NOBODY


@dataclass(frozen=True, slots=True)
class RegionAdoption:
    """Reads and adopts in one Region. `groups` are its security groups with the ports that each is managed on."""

    ports: RegionServices
    groups: Mapping[SecurityGroupId, Ports]
    scope: Scope

    def plan(self) -> tuple[AdoptionPlan, ...]:
        """What there is to adopt now. Rules are read before rosters, as a reconcile reads them."""
        rules = self.ports.security_groups.rules(tuple(self.groups))
        rows = self.ports.table.rows()
        return tuple(
            plan_adoption(group, rules[group], rows, managed_ports(ports, group, rules[group]), self.scope)
            for group, ports in self.groups.items()
        )

    def adopt(self, shown: Iterable[AdoptionPlan]) -> frozenset[RuleId]:
        """Adopts what was shown, as far as that is still what there is to adopt. Returns the rules adopted.

        A rule that went meanwhile, or whose member did, is passed over. Raises what the ports raise, and Refused
        where the rules change under every attempt.
        """
        agreed = {rule: label for plan in shown for rule, label in plan.labels.items()}
        done: set[RuleId] = set()
        for attempt in range(1, ROUNDS + 1):
            try:
                for plan in self.plan():
                    due = {rule: label for rule, label in plan.labels.items() if agreed.get(rule) == label}
                    if due:
                        self.ports.security_groups.relabel(plan.group, due)
                        done |= due.keys()
            except Refused as refused:
                if refused.refusal is not Refusal.NOT_FOUND or attempt == ROUNDS:
                    raise
            else:
                break
        return frozenset(done)
