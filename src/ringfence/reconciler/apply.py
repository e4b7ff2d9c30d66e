"""Applies a plan to one security group: add, then remove, then relabel, in as few calls as EC2 allows.

Knows nothing of rosters or of why a rule is wanted. Writes each change into the journal as it happens.
"""

from collections.abc import Callable, Sequence
from dataclasses import field

from ringfence.core.errors import Refusal, Refused
from ringfence.core.model.addresses import is_ipv6
from ringfence.core.model.rules import Rule
from ringfence.core.plan import Addition, Plan, Relabelling, Removal
from ringfence.reconciler.interfaces import SecurityGroups
from ringfence.records import dataclass

RULES_PER_CALL = 1000
"""What EC2 takes in one call. Source: ACK EC2 controller, pull request 2186 (not in the API reference)."""


@dataclass(slots=True)
class Applied:
    """What became of a plan. `refused` holds the additions that EC2 did not take, each with its reason."""

    added: list[tuple[Addition, Rule]] = field(default_factory=list)
    removed: list[Removal] = field(default_factory=list)
    relabelled: list[Relabelling] = field(default_factory=list)
    refused: list[tuple[Addition, Refused]] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Applier:
    """Applies plans through one Region's port.

    `added`, `removed` and `relabelled` are told of each change once it is made; `before_call` may raise to stop between
    calls.
    """

    security_groups: SecurityGroups
    added: Callable[[Plan, Addition, Rule], None]
    removed: Callable[[Plan, Removal], None]
    relabelled: Callable[[Plan, Relabelling], None]
    before_call: Callable[[], None]

    def apply(self, plan: Plan) -> Applied:
        """Adds, then removes, then relabels; only where the group has no room for both does it remove first.

        Raises Refused with DUPLICATE or NOT_FOUND where the rules are no longer those that the plan was made of:
        read them again. A rule that EC2 refuses for itself (no room, malformed) does not keep the others out.
        """
        applied = Applied()
        additions = sorted(plan.additions, key=lambda addition: (addition.label, addition.opening))
        self._add(plan, additions, applied, room_follows=bool(plan.removals))
        self._remove(plan, applied)
        without_room = [each for each, refused in applied.refused if refused.refusal is Refusal.QUOTA]
        if without_room and plan.removals:
            applied.refused = [each for each in applied.refused if each[1].refusal is not Refusal.QUOTA]
            self._add(plan, without_room, applied, room_follows=False)
        self._relabel(plan, applied)
        return applied

    def _add(self, plan: Plan, additions: Sequence[Addition], applied: Applied, room_follows: bool) -> None:
        """Makes the rules, in halves where EC2 refuses a whole, so that whoever can join does.

        Where there is no room but some follows, what is refused for that is not tried in halves.
        """
        pending = [additions[start : start + RULES_PER_CALL] for start in range(0, len(additions), RULES_PER_CALL)]
        no_room: dict[bool, Refused] = {}  # by address family: EC2 counts IPv4 and IPv6 apart
        while pending:
            batch = pending.pop(0)
            applied.refused += [
                (each, no_room[is_ipv6(each.opening.cidr)]) for each in batch if is_ipv6(each.opening.cidr) in no_room
            ]
            batch = [each for each in batch if is_ipv6(each.opening.cidr) not in no_room]
            if not batch:
                continue
            try:
                self._authorize(plan, batch, applied)
            except Refused as refused:
                if refused.refusal in (Refusal.DUPLICATE, Refusal.NOT_FOUND):
                    raise
                if refused.refusal is Refusal.QUOTA and room_follows:
                    applied.refused += [(each, refused) for each in batch]
                    continue
                if len(batch) > 1:
                    pending[:0] = [batch[: len(batch) // 2], batch[len(batch) // 2 :]]
                    continue
                applied.refused.append((batch[0], refused))
                if refused.refusal is Refusal.QUOTA:
                    no_room[is_ipv6(batch[0].opening.cidr)] = refused

    def _authorize(self, plan: Plan, batch: Sequence[Addition], applied: Applied) -> None:
        self.before_call()
        rules = {rule.opening: rule for rule in self.security_groups.authorize(plan.group, batch)}
        for addition in batch:
            applied.added.append((addition, rules[addition.opening]))
            self.added(plan, addition, rules[addition.opening])

    def _remove(self, plan: Plan, applied: Applied) -> None:
        for start in range(0, len(plan.removals), RULES_PER_CALL):
            batch = plan.removals[start : start + RULES_PER_CALL]
            self.before_call()
            self.security_groups.revoke(plan.group, [removal.rule for removal in batch])
            for removal in batch:
                applied.removed.append(removal)
                self.removed(plan, removal)

    def _relabel(self, plan: Plan, applied: Applied) -> None:
        for start in range(0, len(plan.relabellings), RULES_PER_CALL):
            batch = plan.relabellings[start : start + RULES_PER_CALL]
            self.before_call()
            self.security_groups.relabel(plan.group, {each.rule: each.label for each in batch})
            for relabelling in batch:
                applied.relabelled.append(relabelling)
                self.relabelled(plan, relabelling)
