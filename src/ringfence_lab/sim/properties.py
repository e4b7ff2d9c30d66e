"""What must hold at every moment of every history, as small functions on one change each.

Each check is called as the change is made and says what is wrong, or nothing. `Properties` keeps what they need to
know of earlier changes. They know AWS's truth, never what the engine thinks of it.

Where two invocations overlap, one that read an older roster can put a rule back for a moment: security groups know
no conditions. The checks allow for that only as long as the one who made the rule is still at work, or died of it.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from ringfence.core.lifecycle import HookResult, Transition
from ringfence.core.membership import STALE_SECONDS
from ringfence.core.model.addresses import Cidr
from ringfence.core.model.identifiers import InstanceId, Region, RosterKey, RuleId, SecurityGroupId
from ringfence.core.model.rules import Opening, Rule
from ringfence.core.settings import Mode, Settings
from ringfence_lab.sim.aws.history import (
    ActionCompleted,
    AddressReturned,
    Change,
    RowWritten,
    RuleChanged,
    RuleMade,
    RuleRelabelled,
    RuleRevoked,
    StateChanged,
    TableMadeAnew,
)
from ringfence_lab.sim.aws.past import REMEMBERED_SECONDS
from ringfence_lab.sim.aws.security_groups import SecurityGroup
from ringfence_lab.sim.cloud import Cloud
from ringfence_lab.sim.engine.line import Call, Invocation

IN_SERVICE = frozenset({"InService", "EnteringStandby", "Standby", "Pending:Proceed"})
"""The states of a member that was let in."""

ON_ITS_WAY = frozenset({"Pending", "Pending:Wait"})

SETTLED_SECONDS = 5.0
"""After how long an instance surely has its addresses."""


@dataclass(frozen=True, slots=True)
class Violation:
    """A property that did not hold, and in what way."""

    name: str
    what: str

    def __str__(self) -> str:
        return f"{self.name}: {self.what}"


@dataclass(slots=True)
class Properties:
    """Watches a cloud. `violations` are what it found."""

    cloud: Cloud
    settings: Mapping[Region, Settings]
    violations: list[Violation] = field(default_factory=list)
    makers: dict[RuleId, Invocation] = field(default_factory=dict)
    writers: dict[RosterKey, Invocation] = field(default_factory=dict)
    admitted: dict[InstanceId, set[tuple[SecurityGroupId, Opening]]] = field(default_factory=dict)
    made: dict[RuleId, float] = field(default_factory=dict)
    shrunk: dict[SecurityGroupId, float] = field(default_factory=dict)
    touched: dict[tuple[SecurityGroupId, Opening], float] = field(default_factory=dict)
    changed: dict[RuleId, float] = field(default_factory=dict)
    returned: dict[Cidr, float] = field(default_factory=dict)
    announced: dict[Region, float] = field(default_factory=dict)
    released: dict[tuple[Region, InstanceId], float] = field(default_factory=dict)

    def watch(self, change: Change) -> None:
        """Checks a change, then remembers it."""
        match change:
            case RuleMade():
                self._check(
                    change, quotas_hold, rules_are_made_before_others_go, peers_hold_up_nobody, the_departed_stay_out
                )
            case RuleRevoked():
                self._check(
                    change, foreign_rules_stay, members_in_service_stay_admitted, unheard_of_rules_get_a_second_look
                )
            case RuleRelabelled():
                self._check(change, foreign_rules_keep_their_descriptions)
            case ActionCompleted():
                self._check(
                    change,
                    launches_are_admitted_first,
                    launches_are_sent_away_for_want_of_room,
                    terminations_are_released_first,
                    peers_hold_up_nobody,
                )
            case RowWritten():
                self._check(change, versions_only_grow, rows_are_written_by_their_home)
            case _:
                pass
        _remember(self, change)

    def _check(self, change: Change, *checks: "Check") -> None:
        for check in checks:
            for what in check(self, change):
                self.violations.append(Violation(check.__name__, what))

    def openings(self, home: Region, instance: InstanceId) -> list[Opening]:
        """What an instance needs: its addresses of the configured kinds, on the managed ports."""
        settings = self.settings[home]
        described = self.cloud.regions[home].ec2.instances[instance].described()
        ports = self.cloud.managed_ports(settings)
        return [Opening(range_, cidr) for cidr in described.of_kinds(settings.address_kinds) for range_ in ports]

    def security_groups(self, region: Region) -> list[SecurityGroup]:
        """The groups that the Region's engine manages."""
        groups = self.cloud.regions[region].security_groups.groups
        return [groups[id] for id in self.settings[region].security_groups]

    def state(self, instance: InstanceId) -> str | None:
        """The lifecycle state of an instance in its group, in whatever Region."""
        for region in self.cloud.regions.values():
            for group in region.groups.values():
                if instance in group.instances:
                    return group.instances[instance].state
        return None

    def just_touched(self, group: SecurityGroup, opening: Opening, by: Invocation) -> bool:
        """Whether an operator removed the rule so late that the invocation cannot have known."""
        at = self.touched.get((group.id, opening))
        return at is not None and at >= by.started - REMEMBERED_SECONDS

    def just_changed(self, rule: Rule, by: Invocation) -> bool:
        """Whether an operator made another rule of it so late that the invocation cannot have known: what it does to
        a rule it does by the rule's id."""
        return self.changed.get(rule.id, -1.0) >= by.started

    def just_returned(self, cidr: Cidr) -> bool:
        """Whether its instance had given the address up, and has had it again for so short a time that somebody may
        still act on the roster in between."""
        at = self.returned.get(cidr)
        return at is not None and self.cloud.clock.now() - at < STALE_SECONDS

    def is_known(self, region: Region, instance: InstanceId, cidr: Cidr) -> bool:
        """Whether every describe, the stalest one too, would say that the instance has the address."""
        described = self.cloud.regions[region].ec2.by_id([instance], REMEMBERED_SECONDS)
        return any(cidr in cidrs for one in described.values() for cidrs in one.addresses.values())


Check = Callable[[Properties, Change], Iterator[str]]


def _remember(seen: Properties, change: Change) -> None:
    match change:
        case RuleMade():
            _note_rule_made(seen, change)
        case RuleRelabelled():
            _note_name(seen, change.rule)
        case RuleRevoked():
            _note_rule_revoked(seen, change)
        case RuleChanged():
            _note_rule_changed(seen, change)
        case ActionCompleted():
            _note_answer(seen, change)
        case AddressReturned():
            seen.returned[change.address] = seen.cloud.clock.now()
        case RowWritten():
            _note_row(seen, change)
        case TableMadeAnew():
            seen.announced.pop(change.region, None)
            seen.released = {key: at for key, at in seen.released.items() if key[0] != change.region}
        case StateChanged() if change.state not in IN_SERVICE and change.state not in ON_ITS_WAY:
            seen.admitted.pop(change.instance, None)
        case _:
            pass


def _note_rule_made(seen: Properties, change: RuleMade) -> None:
    if change.by is None or change.rule.opening is None:
        return
    seen.makers[change.rule.id] = change.by
    seen.made[change.rule.id] = seen.cloud.clock.now()
    _note_name(seen, change.rule)


def _note_name(seen: Properties, rule: Rule) -> None:
    """The instance that an owned rule names is admitted by it."""
    label = rule.label(seen.cloud.cluster)
    if label is None or rule.opening is None:
        return
    instance = InstanceId(label.instance)
    state = seen.state(instance)
    if state in IN_SERVICE or state in ON_ITS_WAY:
        seen.admitted.setdefault(instance, set()).add((rule.group, rule.opening))


def _note_rule_revoked(seen: Properties, change: RuleRevoked) -> None:
    seen.shrunk[change.rule.group] = seen.cloud.clock.now()
    if change.by is None and change.rule.opening is not None:
        seen.touched[change.rule.group, change.rule.opening] = seen.cloud.clock.now()


def _note_rule_changed(seen: Properties, change: RuleChanged) -> None:
    """For whoever needs it, the rule that was is gone."""
    seen.shrunk[change.rule.group] = seen.changed[change.rule.id] = seen.cloud.clock.now()
    if change.was.opening is not None and change.was.opening != change.rule.opening:
        seen.touched[change.rule.group, change.was.opening] = seen.cloud.clock.now()


def _note_row(seen: Properties, change: RowWritten) -> None:
    if change.region == change.key.region:
        seen.announced.setdefault(change.region, seen.cloud.clock.now())
        if change.by is not None:
            seen.writers[change.key] = change.by


def _note_answer(seen: Properties, change: ActionCompleted) -> None:
    if change.by is None:
        return
    if change.transition is Transition.TERMINATE:
        seen.released[change.region, change.instance] = seen.cloud.clock.now()
    elif change.result is HookResult.CONTINUE:
        _note_admission(seen, change)


def _note_admission(seen: Properties, change: ActionCompleted) -> None:
    openings = seen.openings(change.region, change.instance)
    for region in seen.cloud.regions:
        for group in seen.security_groups(region):
            if all(map(group.admits, openings)):
                seen.admitted.setdefault(change.instance, set()).update((group.id, each) for each in openings)


# 1


def foreign_rules_stay(seen: Properties, change: Change) -> Iterator[str]:
    """No foreign rule is ever removed; in mirror mode none that is no CIDR, and none outside the managed ports."""
    if not isinstance(change, RuleRevoked) or change.by is None:
        return
    rule, settings = change.rule, seen.settings[change.by.home]
    if rule.label(seen.cloud.cluster) is not None or seen.just_changed(rule, change.by):
        return
    mirrored = settings.mode is Mode.MIRROR and change.region == change.by.home
    if not (mirrored and rule.opening is not None and rule.ports in seen.cloud.managed_ports(settings)):
        yield f"{change.by} revoked {rule}"


def foreign_rules_keep_their_descriptions(seen: Properties, change: Change) -> Iterator[str]:
    """No foreign rule is ever changed, and what is changed stays an owned rule."""
    if not isinstance(change, RuleRelabelled) or change.by is None or seen.just_changed(change.rule, change.by):
        return
    if change.was.label(seen.cloud.cluster) is None or change.rule.label(seen.cloud.cluster) is None:
        yield f"{change.by} made {change.rule} of {change.was}"


# 2


def members_in_service_stay_admitted(seen: Properties, change: Change) -> Iterator[str]:
    """No rule of an admitted live member is removed in any group, except by an operator.

    Of an address that the member has just got, an invocation with a stale describe cannot know, nor one that reads
    the roster which such a one wrote; nor can anybody of one that it gave up and got again within a minute.
    """
    if not isinstance(change, RuleRevoked) or change.by is None or change.rule.opening is None:
        return
    if seen.just_changed(change.rule, change.by):
        return
    for region in map(seen.cloud.region, seen.settings):
        holder = region.ec2.holders.get(change.rule.opening.cidr)
        cidr = change.rule.opening.cidr
        if holder is None or (change.rule.group, change.rule.opening) not in seen.admitted.get(holder.id, ()):
            continue
        if change.rule.opening not in seen.openings(region.name, holder.id) or seen.just_returned(cidr):
            continue
        if _was_misled(change.rule, change.by, seen) and not seen.is_known(region.name, holder.id, cidr):
            continue
        state = seen.state(holder.id)
        if state in IN_SERVICE:
            yield f"{change.by} revoked {change.rule}, the address of {holder.id} in {state}"


def _was_misled(rule: Rule, by: Invocation, seen: Properties) -> bool:
    """Whether a stale describe misled the invocation, or the one that wrote the roster which the rule is of."""
    label = rule.label(seen.cloud.cluster)
    writer = seen.writers.get(label.roster) if label is not None else None
    return by.misled or (writer is not None and writer.misled)


def unheard_of_rules_get_a_second_look(seen: Properties, change: Change) -> Iterator[str]:
    """No young rule is removed because its roster has never heard of its instance: the roster may be the one that is
    wrong, since an invocation whose table was down can have admitted the instance."""
    if not isinstance(change, RuleRevoked) or change.by is None:
        return
    label = change.rule.label(seen.cloud.cluster)
    age = seen.cloud.clock.now() - seen.made.get(change.rule.id, 0.0)
    if label is None or age >= STALE_SECONDS or label.roster.region not in seen.settings:
        return
    roster = seen.cloud.regions[label.roster.region].table.rosters.get(label.roster)
    instance = InstanceId(label.instance)
    if roster is not None and instance not in roster.members and instance not in roster.departed:
        yield f"{change.by} revoked {change.rule} after {age:.0f} s"


def rules_are_made_before_others_go(seen: Properties, change: Change) -> Iterator[str]:
    """Whoever makes rules and removes others makes them first, unless there was no room for both."""
    if not isinstance(change, RuleMade) or change.by is None:
        return
    removed = False
    for call in reversed(seen.cloud.calls[:-1]):
        if call.invocation is not change.by or call.region != change.region or call.service != "ec2":
            continue
        if call.outcome == "Refused":
            return
        if call.operation == "DescribeSecurityGroupRules":
            break
        removed = removed or call.operation == "RevokeSecurityGroupIngress"
    if removed:
        yield f"{change.by} removed rules, then made {change.rule}"


# 3


def launches_are_admitted_first(seen: Properties, change: Change) -> Iterator[str]:
    """A launch is never continued before its address is in the home groups, and in every reachable peer's."""
    if not isinstance(change, ActionCompleted) or change.by is None or not change.to_group:
        return
    if change.transition is not Transition.LAUNCH or change.result is not HookResult.CONTINUE:
        return
    now, home = seen.cloud.clock.now(), change.region
    settings = seen.settings[home]
    openings = seen.openings(home, change.instance)
    launched = seen.cloud.regions[home].ec2.instances[change.instance].launched
    if not openings and now - launched < settings.address_wait:
        yield f"{change.by} let {change.instance} in after {now - launched:.0f} s without an address"
    for region in seen.cloud.regions:
        if region != home and not _can_be_expected_of(change.by, region, seen):
            continue
        for group in seen.security_groups(region):
            for opening in openings:
                lacking = group.admits(opening) is None and not seen.just_touched(group, opening, change.by)
                if lacking and (region == home or group.used(":" in opening.cidr) < group.quota):
                    yield f"{change.by} let {change.instance} in, and {group.id} lacks {opening}"


def launches_are_sent_away_for_want_of_room(seen: Properties, change: Change) -> Iterator[str]:
    """A launch is abandoned only where a group of its own Region has no room for its rules."""
    if not isinstance(change, ActionCompleted) or change.by is None or change.transition is not Transition.LAUNCH:
        return
    if change.result is not HookResult.ABANDON:
        return
    for group in seen.security_groups(change.region):
        lacking = [each for each in seen.openings(change.region, change.instance) if group.admits(each) is None]
        used = max(group.used(ipv6=False), group.used(ipv6=True))
        if used + len(lacking) > group.quota or seen.shrunk.get(group.id, 0.0) >= change.by.started:
            return
    yield f"{change.by} sent {change.instance} away, though there is room for its rules"


def launches_are_answered_without_the_table(seen: Properties, by: Invocation) -> Iterator[str]:
    """An invocation whose own table did not answer, while all else did, still answers those who wait to launch."""
    home = seen.cloud.regions[by.home]
    if by.killed or by.misled or by.disturbed != {(by.home, "dynamodb")}:
        return
    of_table = [call for call in seen.cloud.calls if call.invocation is by and call.service == "dynamodb"]
    if len(of_table) > 1:
        return
    for group in home.groups.values():
        for one in group.instances.values():
            launched = home.ec2.instances[one.id].launched
            if one.state != "Pending:Wait" or launched > by.started - SETTLED_SECONDS:
                continue
            if not seen.openings(by.home, one.id) or _is_admitted_as_another(one.id, by.home, seen):
                continue
            if all(wait.began < by.started for wait in one.waits.values()):
                yield f"{by} could not read its table, and left {one.id} waiting"


def _is_admitted_as_another(instance: InstanceId, home: Region, seen: Properties) -> bool:
    """Whether a group of its Region admits an address of the instance by an owned rule that names another one."""
    rules = [group.admits(each) for group in seen.security_groups(home) for each in seen.openings(home, instance)]
    labels = [rule.label(seen.cloud.cluster) for rule in rules if rule is not None]
    return any(label is not None and label.instance != instance for label in labels)


def peers_hold_up_nobody(seen: Properties, change: Change) -> Iterator[str]:
    """Once the deadline of a peer's turn is over, no other call is made to it that its own home would wait for."""
    if not isinstance(change, RuleMade | ActionCompleted) or change.by is None:
        return
    deadline = seen.settings[change.by.home].peer_deadline
    began: dict[Region, float] = {}
    late: set[Region] = set()
    for call in _of_this_attempt(seen.cloud.calls, change.by):
        if call.region == change.by.home or (call.service != "dynamodb" and call.region not in began):
            continue
        if call.region in late and call.operation != "DescribeSecurityGroupRules":
            yield f"{change.by} called {call.operation} in {call.region} although its deadline was over"
            return
        if call.at > began.setdefault(call.region, call.at) + deadline:
            late.add(call.region)


def _of_this_attempt(calls: Sequence[Call], by: Invocation) -> list[Call]:
    """The invocation's calls since it last read its own table, in their order."""
    found = []
    for call in reversed(calls):
        if call.invocation is by:
            found.append(call)
            if call.operation == "Scan" and call.region == by.home:
                break
        elif call.at < by.started:
            break
    return found[::-1]


def _can_be_expected_of(by: Invocation, peer: Region, seen: Properties) -> bool:
    """Whether the invocation must have brought the peer up to date before it answered a launch."""
    late = seen.cloud.clock.now() - by.started > seen.settings[by.home].peer_deadline
    had_table = (by.home, "dynamodb") not in by.disturbed
    announced = seen.announced.get(peer)
    return not late and had_table and by.reached(peer) and announced is not None and announced < by.started


# 4


def terminations_are_released_first(seen: Properties, change: Change) -> Iterator[str]:
    """A termination is never continued while a group admits an address of it, but for a peer that stays unreachable
    beyond the deadline: and then the debt is written down."""
    if not isinstance(change, ActionCompleted) or change.by is None or change.transition is not Transition.TERMINATE:
        return
    home, settings = change.region, seen.settings[change.region]
    for region in seen.cloud.regions:
        if region != home and region not in seen.announced:
            continue  # nobody can know its groups
        for group in seen.security_groups(region):
            for opening in seen.openings(home, change.instance):
                rule = group.admits(opening)
                if rule is None or rule.label(seen.cloud.cluster) is None or _put_back(rule, change.by, seen):
                    continue
                roster = seen.cloud.regions[home].table.rosters.get(RosterKey(home, change.group))
                since = roster.departed.get(change.instance) if roster is not None else None
                counted = roster is not None and change.instance in roster.owed.get(region, ())
                waited = 0.0 if since is None else seen.cloud.clock.now() - since
                if not counted or waited < settings.release_deadline:
                    yield f"{change.by} let {change.instance} go after {waited:.0f} s, and {group.id} admits {opening}"


def _put_back(rule: Rule, by: Invocation, seen: Properties) -> bool:
    """Whether another invocation, that overlaps with this one, put the rule there: one that validates later, or cannot,
    since it died or its table failed. The redelivery of its messages makes up for it."""
    maker = seen.makers.get(rule.id)
    if maker is None or maker is by:
        return False
    had_no_table = (maker.home, "dynamodb") in maker.disturbed
    return maker.running or maker.killed or maker.number > by.number or (had_no_table and _overlaps(maker, by, seen))


def _overlaps(other: Invocation, by: Invocation, seen: Properties) -> bool:
    """Whether the other invocation, which began earlier, made a call after this one's first."""
    calls = seen.cloud.calls
    first = next(at for at, call in enumerate(calls) if call.invocation is by)
    return any(call.invocation is other for call in calls[first:])


# 6


def the_departed_stay_out(seen: Properties, change: Change) -> Iterator[str]:
    """An instance that was let go, and is gone, is let back in by nobody of its Region who began later and could read
    its table: however old what a describe says, the table tells."""
    if not isinstance(change, RuleMade) or change.by is None:
        return
    label, by = change.rule.label(seen.cloud.cluster), change.by
    if label is None or label.roster.region != by.home or (by.home, "dynamodb") in by.disturbed:
        return
    instance = InstanceId(label.instance)
    released = seen.released.get((by.home, instance))
    if released is not None and released < by.started and seen.state(instance) is None:
        yield f"{by} let {instance} back in, which was let go {by.started - released:.0f} s before: {change.rule}"


def strangers_are_admitted_nowhere(seen: Properties, by: Invocation) -> Iterator[str]:
    """Once an engine went over its Region undisturbed, no stranger is admitted there by a roster of its own."""
    strangers = {address for region in seen.cloud.regions.values() for address in region.ec2.pool.strangers}
    for group in seen.security_groups(by.home):
        for rule in group.rules.values():
            label = rule.label(seen.cloud.cluster)
            if label is None or rule.opening is None or rule.opening.cidr not in strangers:
                continue
            if label.roster.region == by.home:
                yield f"{by} left {rule}"


# 7


def quotas_hold(seen: Properties, change: Change) -> Iterator[str]:
    """A quota is never exceeded."""
    if isinstance(change, RuleMade):
        group = seen.cloud.regions[change.region].security_groups.groups[change.rule.group]
        if max(group.used(ipv6=False), group.used(ipv6=True)) > group.quota:
            yield f"{group.id} holds more than {group.quota} rules"


# 8


def versions_only_grow(_seen: Properties, change: Change) -> Iterator[str]:
    """The version of a row only grows."""
    if isinstance(change, RowWritten) and change.version <= change.standing:
        yield f"{change.by} wrote {change.key} in {change.region} at {change.version} over {change.standing}"


def rows_are_written_by_their_home(_seen: Properties, change: Change) -> Iterator[str]:
    """A row is written by its home Region alone."""
    if isinstance(change, RowWritten) and change.by is not None and change.by.home != change.key.region:
        yield f"{change.by} wrote {change.key} in {change.region}"
