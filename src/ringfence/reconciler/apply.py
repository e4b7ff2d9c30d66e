"""Applies a plan to one security group: add, then remove, then relabel, in as few calls as EC2 allows.

Calls interfaces. Knows nothing of rosters or of why a rule is wanted. Yields each change as soon as it is made, so that
the caller can report it even if the next call fails.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from ringfence.core.errors import Refusal, Refused
from ringfence.core.model.addresses import is_ipv6
from ringfence.core.model.identifiers import RuleId
from ringfence.core.model.rules import Rule
from ringfence.core.plan import Addition, Plan, Relabelling, Removal
from ringfence.reconciler.interfaces import SecurityGroups

T = TypeVar("T")
R = TypeVar("R", Removal, Relabelling)

RULES_PER_CALL = 1000
"""Maximum rules per call. Source: ACK EC2 controller, pull request 2186 (not in the API reference)."""


@dataclass(frozen=True, slots=True)
class Added:
    """A rule was made."""

    addition: Addition
    rule: Rule


@dataclass(frozen=True, slots=True)
class Removed:
    """A rule was removed."""

    removal: Removal


@dataclass(frozen=True, slots=True)
class Relabelled:
    """A rule has its new label."""

    relabelling: Relabelling


@dataclass(frozen=True, slots=True)
class NotAdded:
    """EC2 refused a rule, for a reason that concerns this rule only."""

    addition: Addition
    refused: Refused


@dataclass(frozen=True, slots=True)
class Standing:
    """EC2 says that the rule exists, but shows it in no reading yet. Its label is not known."""

    addition: Addition


@dataclass(frozen=True, slots=True)
class Vanished:
    """A rule that was to be changed does not exist any more, although a reading shows it."""

    rule: RuleId


Change = Added | Removed | Relabelled | NotAdded | Standing | Vanished


def apply(
    plan: Plan, security_groups: SecurityGroups, before_call: Callable[[], None], *, read_again: bool = False
) -> Iterator[Change]:
    """Adds, then removes, then relabels. Removes first only what makes room that the additions lack.

    `before_call` may raise an error to stop between calls. Raises Refused with DUPLICATE or NOT_FOUND if the group no
    longer has the rules that the plan was made from: read them again. If they were read again (`read_again`), the
    reading itself may be old, and EC2's refusals of single rules are the answer. A refused call may have changed
    something nevertheless. A rule that EC2 refuses for itself (no room, malformed) does not keep the others out.
    """
    application = _Application(plan, security_groups, before_call, read_again)
    yield from application.prove(plan.doubted)
    yield from application.add(plan.additions, room_follows=bool(plan.removals))
    yield from application.remove()
    yield from application.add(application.take_those_without_room(), room_follows=False)
    yield from application.relabel()
    yield from application.refused


@dataclass(frozen=True, slots=True)
class _Application:
    """One application of a plan. `refused` collects the rules that EC2 refused so far."""

    plan: Plan
    security_groups: SecurityGroups
    before_call: Callable[[], None]
    read_again: bool
    refused: list[NotAdded] = field(default_factory=list)

    def add(self, additions: Sequence[Addition], *, room_follows: bool) -> Iterator[Change]:
        """Makes the rules. If EC2 refuses a batch, makes each half, so that every rule that EC2 accepts is made.

        With `room_follows`, a batch that lacks room is not halved: the removals make room for it.
        """
        pending = _batches(additions)
        no_room: dict[bool, Refused] = {}  # by address family: EC2 counts IPv4 and IPv6 apart
        while pending:
            batch = self._without_refused_families(pending.pop(0), no_room)
            if not batch:
                continue
            try:
                yield from self._authorized(batch)
            except Refused as refused:
                if self._is_outdated(refused):
                    raise
                if refused.refusal is Refusal.QUOTA and room_follows:
                    self.refused.extend(NotAdded(addition, refused) for addition in batch)
                elif len(batch) > 1:
                    pending[:0] = _halves(batch)
                elif refused.refusal is Refusal.DUPLICATE:
                    yield Standing(batch[0])
                else:
                    self.refused.append(NotAdded(batch[0], refused))
                    if refused.refusal is Refusal.QUOTA:
                        no_room[is_ipv6(batch[0].opening.cidr)] = refused

    def prove(self, doubted: Sequence[Addition]) -> Iterator[Change]:
        """Makes the rules that a reading shows although they are gone. EC2 refuses those that exist as duplicates."""
        pending = _batches(doubted)
        while pending:
            batch = pending.pop(0)
            try:
                yield from self._authorized(batch)
            except Refused as refused:
                if len(batch) > 1:
                    pending[:0] = _halves(batch)
                elif refused.refusal is Refusal.DUPLICATE:
                    yield Standing(batch[0])
                else:
                    why = Refused(Refusal.UNCONFIRMED, f"only a reading that may be old shows its rule: {refused}")
                    self.refused.append(NotAdded(batch[0], why))

    def _is_outdated(self, refused: Refused) -> bool:
        """Whether a call was refused because the rules are not as they were read, so that they must be read again."""
        return not self.read_again and refused.refusal in (Refusal.DUPLICATE, Refusal.NOT_FOUND)

    def _without_refused_families(
        self, batch: Sequence[Addition], no_room: Mapping[bool, Refused]
    ) -> Sequence[Addition]:
        """The part of the batch for which there may be room. The rest is refused without a call."""
        for addition in batch:
            if is_ipv6(addition.opening.cidr) in no_room:
                self.refused.append(NotAdded(addition, no_room[is_ipv6(addition.opening.cidr)]))
        return [addition for addition in batch if is_ipv6(addition.opening.cidr) not in no_room]

    def take_those_without_room(self) -> list[Addition]:
        """The additions that lacked room before the removals, which may have made it. They are to be tried again."""
        if not self.plan.removals:
            return []
        lacked_room = [rule.addition for rule in self.refused if rule.refused.refusal is Refusal.QUOTA]
        self.refused[:] = [rule for rule in self.refused if rule.refused.refusal is not Refusal.QUOTA]
        return lacked_room

    def remove(self) -> Iterator[Change]:
        """Removes the rules."""
        yield from self._change_each(self.plan.removals, self._revoked)

    def relabel(self) -> Iterator[Change]:
        """Gives the rules their new labels."""
        yield from self._change_each(self.plan.relabellings, self._relabelled)

    def _change_each(self, items: Sequence[R], change: Callable[[Sequence[R]], Iterable[Change]]) -> Iterator[Change]:
        """Changes existing rules. If EC2 does not know one of a batch, changes each half."""
        pending = _batches(items)
        while pending:
            batch = pending.pop(0)
            self.before_call()
            try:
                yield from change(batch)
            except Refused as refused:
                if self._is_outdated(refused) or refused.refusal is not Refusal.NOT_FOUND:
                    raise
                if len(batch) > 1:
                    pending[:0] = _halves(batch)
                else:
                    yield Vanished(batch[0].rule)

    def _authorized(self, batch: Sequence[Addition]) -> list[Change]:
        """What was made, in the order of the batch. A rule that EC2 does not name, or under another label, existed."""
        self.before_call()
        made = {rule.opening: rule for rule in self.security_groups.authorize(self.plan.group, batch)}
        changes: list[Change] = []
        for addition in batch:
            rule = made.get(addition.opening)
            is_ours = rule is not None and rule.description == str(addition.label)
            changes.append(Added(addition, rule) if rule is not None and is_ours else Standing(addition))
        return changes

    def _revoked(self, batch: Sequence[Removal]) -> list[Change]:
        self.security_groups.revoke(self.plan.group, [removal.rule for removal in batch])
        return list(map(Removed, batch))

    def _relabelled(self, batch: Sequence[Relabelling]) -> list[Change]:
        labels = {relabelling.rule: relabelling.label for relabelling in batch}
        self.security_groups.relabel(self.plan.group, labels)
        return list(map(Relabelled, batch))


def _batches(items: Sequence[T]) -> list[Sequence[T]]:
    return [items[start : start + RULES_PER_CALL] for start in range(0, len(items), RULES_PER_CALL)]


def _halves(items: Sequence[T]) -> list[Sequence[T]]:
    return [items[: len(items) // 2], items[len(items) // 2 :]]
