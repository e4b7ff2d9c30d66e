"""Judges the rules of a Region, and what a reconcile would change in them now.

Pure. The dry run of the engine tells what is missing and what is too much; this module gives it a name and a remedy.
"""

from collections.abc import Iterator, Sequence

from ringfence.core.audit_events import RuleRefused
from ringfence.core.errors import Refusal
from ringfence.core.lifecycle import WAITING
from ringfence.core.model.identifiers import InstanceId, Region, SecurityGroupId
from ringfence.core.plan import managed_ports
from ringfence.core.rule_count import count_rules
from ringfence_ops.plurals import counted
from ringfence_ops.state.changes import Action, Change, digest, guard_holds
from ringfence_ops.state.path import Expected
from ringfence_ops.state.region_snapshot import RegionSnapshot
from ringfence_ops.state.sight import Sight
from ringfence_ops.state.standing import SHOWN, Reason, State, some
from ringfence_ops.state.true_up_reasons import first_due, next_due, time_of_day
from ringfence_ops.state.unowned_rules import reported

QUOTA = '"Inbound or outbound rules per security group" (L-0EA8095F)'
"""The quota of a security group's rules, as Service Quotas names it."""


def rule_reasons(sight: Sight, region: Region) -> Iterator[Reason]:
    """Why the rules of the Region's security groups are not in sync."""
    yield from _Rules(sight, region).reasons()


def owned(expected: Expected) -> str:
    """How a Region in observe mode begins to change rules."""
    return f'write mode = "owned" into the cluster file, then {expected.deploy}'


def when_due(sight: Sight, region: Region) -> str:
    """When the Region's next true-up is due, to end a sentence; empty where the log does not tell."""
    path, expected, at = sight.paths[region], sight.expected[region], sight.snapshot.at
    due = first_due(path, expected, at) or next_due(path, expected)
    return f"; the next true-up is due by {time_of_day(due)} UTC" if due is not None and due > at else ""


def used(seen: RegionSnapshot, group: SecurityGroupId) -> int:
    """How many rules a security group has, as its quota counts them, in the address family that has more."""
    return count_rules(seen.rules.get(group, ()), seen.prefix_lists).fuller


class _Rules:
    """The judgement of one Region that answered."""

    def __init__(self, sight: Sight, region: Region) -> None:
        self.sight, self.region = sight, region
        self.expected: Expected = sight.expected[region]
        self.settings = self.expected.settings
        self.seen: RegionSnapshot = sight.snapshot.regions[region]
        self.planned = [change for change in sight.snapshot.planned if change.region == region]

    def reasons(self) -> Iterator[Reason]:
        """All reasons."""
        yield from self._ports()
        yield from some("owners", list(self._owners()))
        yield from some("stale doors", list(self._stale_doors()))
        yield from self._room()
        yield from self._rules()
        yield from self._guard()

    def _ports(self) -> Iterator[Reason]:
        for group, rules in self.seen.rules.items():
            if rules and not managed_ports(self.settings.ports, group, rules):
                fix = (
                    f"add a rule to {group} whose source is the group itself, or write the ports into the cluster file,"
                    f" then {self.expected.deploy}"
                )
                why = f"{group} admits itself on no port, so `auto` finds no port to open"
                yield Reason(State.FAILING, "groups", why, fix)

    def _owners(self) -> Iterator[Reason]:
        for unowned in reported(self.sight.snapshot.audit_events):
            if unowned.region == self.region:
                why = f"{unowned.rule} in {unowned.group} admits {unowned.opening}: {unowned.why}"
                yield Reason(State.OPEN, "owners", why, unowned.fix)

    def _stale_doors(self) -> Iterator[Reason]:
        at_hook = set(self._moving(self.region))
        for roster in self.seen.rows.of(self.region).values():
            for peer, instances in sorted(roster.pending_releases.items()):
                for instance in sorted(instances - at_hook):
                    why = f"{peer} may still admit {instance}, which has departed"
                    yield Reason(State.OPEN, "stale doors", why, self.expected.sync)

    def _room(self) -> Iterator[Reason]:
        """Security groups without room for a member: what a quota refuses now."""
        lacking: dict[SecurityGroupId, set[str]] = {}
        for event in self.sight.snapshot.audit_events:
            if isinstance(event, RuleRefused) and event.region == self.region and _is_quota(event):
                lacking.setdefault(event.group, set()).add(event.label.instance)
        launches = {id for region in self.sight.snapshot.regions for id in self._launching(region)}
        for group, instances in sorted(lacking.items()):
            held = instances & launches
            parts = [f"{counted(len(held), 'launch')} held"] if held else []
            if rest := instances - held:
                parts.append(f"{counted(len(rest), 'member')} not admitted")
            why = f"{group} is full: {used(self.seen, group)} of {self.settings.rules_quota}, {', '.join(parts)}"
            fix = (
                f"ask for a larger quota {QUOTA}: ringfence doctor {self.region} has the command; when it is granted,"
                f" {self.expected.deploy}"
            )
            yield Reason(State.LACKING, "room", why, fix)

    def _launching(self, region: Region) -> Iterator[InstanceId]:
        for states in self.sight.snapshot.regions[region].observation.groups.values():
            yield from (id for id, state in states.items() if state.startswith("Pending"))

    def _rules(self) -> Iterator[Reason]:
        """What a reconcile would change: too much is open, missing is lacking, unless it is on its way."""
        changes = [change for change in self.planned if not change.observed]
        observed = len(self.planned) - len(changes)
        if observed:
            why = f"{counted(observed, 'rule')} would be changed"
            if self.sight.snapshot.regions[self.region].rows.pause_of(self.region) is not None:
                yield Reason(State.PAUSED, "rules", why, f"ringfence resume {self.region}")
            else:
                yield Reason(State.OBSERVED, "rules", why, owned(self.expected))
        moving = {id for region in self.sight.snapshot.regions for id in self._moving(region)}
        removed = [change for change in changes if change.action is Action.REMOVE]
        added = [change for change in changes if change.action is Action.ADD]
        yield from self._changed(State.OPEN, "to remove", removed, moving)
        yield from self._changed(State.LACKING, "missing", added, moving)
        refused = [change for change in changes if change.action is Action.REFUSE and not self._is_for_room(change)]
        for change in refused[:SHOWN]:
            why = f"EC2 refuses {change.opening} in {change.group}: {change.why}"
            yield Reason(
                State.LACKING, "rules", why, f"ringfence explain {change.opening.cidr}" if change.opening else ""
            )
        if relabelled := [change for change in changes if change.action is Action.RELABEL]:
            why = f"{counted(len(relabelled), 'rule')} to relabel: their addresses belong to other members now"
            yield Reason(State.WAITING, "rules", why + when_due(self.sight, self.region), self.expected.sync)

    def _changed(self, state: State, word: str, changes: Sequence[Change], moving: set[InstanceId]) -> Iterator[Reason]:
        under_way = [change for change in changes if change.label is not None and change.label.instance in moving]
        if under_way:
            why = f"{counted(len(under_way), 'rule')} {word}, for instances that wait at a hook"
            yield Reason(State.WAITING, "rules", why, self.expected.sync)
        rest = [change for change in changes if change not in under_way]
        if not rest:
            return
        first = rest[0]
        why = f"{counted(len(rest), 'rule')} {word}: {first.opening} in {first.group}" + ", ..." * (len(rest) > 1)
        # Nothing was admitted here before the first true-up. What is open is open nevertheless.
        is_first = first_due(self.sight.paths[self.region], self.expected, self.sight.snapshot.at) is not None
        state = State.WAITING if is_first and state is State.LACKING else state
        yield Reason(state, "rules", why + when_due(self.sight, self.region), self.expected.sync)

    def _is_for_room(self, change: Change) -> bool:
        return any(
            isinstance(event, RuleRefused)
            and (event.group, event.opening) == (change.group, change.opening)
            and _is_quota(event)
            for event in self.sight.snapshot.audit_events
        )

    def _guard(self) -> Iterator[Reason]:
        confirm = f"ringfence sync --confirm {digest(self.sight.snapshot.planned)}"
        for hold in guard_holds(self.sight.snapshot.audit_events):
            if hold.region == self.region:
                why = (
                    f"the guard holds {counted(len(hold.rules), 'removal')} in {hold.group}: they need a second"
                    " observation, a minute later, or your confirmation"
                )
                yield Reason(State.WAITING, "guard", why, confirm)

    def _moving(self, region: Region) -> Iterator[InstanceId]:
        for states in self.sight.snapshot.regions[region].observation.groups.values():
            yield from (id for id, state in states.items() if state in WAITING)


def _is_quota(event: RuleRefused) -> bool:
    return event.refusal == Refusal.QUOTA.value
