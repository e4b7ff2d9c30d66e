"""Properties 4 to 6: a termination continues only once it is released, and departed instances stay out."""

from collections.abc import Iterator

from ringfence.core.audit_events import RegionFailed, StaleDoor
from ringfence.core.freshness import STALE_SECONDS
from ringfence.core.lifecycle import Transition
from ringfence.core.model.addresses import AddressKind
from ringfence.core.model.identifiers import ANNOUNCEMENT, STATIC, InstanceId, Region, RosterKey
from ringfence.core.model.rosters import MemberState
from ringfence.core.model.rules import Label, Rule
from ringfence_lab.sim.aws.addresses import is_invented
from ringfence_lab.sim.aws.history import ActionCompleted, CloudChange, RuleMade
from ringfence_lab.sim.aws.past import RULES_REMEMBERED_SECONDS
from ringfence_lab.sim.invocation import Invocation
from ringfence_lab.sim.properties.context import CheckContext


def terminations_are_released_first(context: CheckContext, change: CloudChange) -> Iterator[str]:
    """A termination never continues while a group admits an address of it.

    Exceptions: a peer that stays unreachable beyond the release deadline, and then the release is recorded as pending;
    and an instance that is terminated right after it waited for the replacement of its root volume, if the answer named
    only the instance.
    """
    if not isinstance(change, ActionCompleted) or change.by is None or not _is_departure(context, change, change.by):
        return
    home, settings = change.region, context.settings[change.region]
    if context.was_forged(home, RosterKey(home, change.group), change.by) or context.may_only_observe(home, change.by):
        return  # the row that had the pending release is gone; a paused Region lets every instance go
    for region in context.cloud.regions:
        is_unknown = region != home and region not in context.memory.announced
        if is_unknown or context.may_only_observe(region, change.by):
            continue  # no other Region can know its groups, or may change them
        for group in context.security_groups(region):
            for opening in context.openings(home, change.instance):
                rule = group.admits(opening)
                if rule is None or _is_excused(context, rule, change, change.by):
                    continue
                roster = context.cloud.regions[home].table.rosters.get(RosterKey(home, change.group))
                since = roster.departed.get(change.instance) if roster is not None else None
                pending = roster is not None and change.instance in roster.pending_releases.get(region, ())
                waited = 0.0 if since is None else context.now() - since
                if not pending or waited < settings.release_deadline:
                    yield (
                        f"{change.by} released {change.instance} after {waited:.0f} s, and {group.id} admits {opening}"
                    )


def _is_departure(context: CheckContext, change: ActionCompleted, by: Invocation) -> bool:
    """Whether the instance leaves the cluster, as the invocation must have seen."""
    leaves = change.transition is Transition.TERMINATE and not change.to_group
    return leaves and (change.by_token or not context.may_seem_replacing(change.instance, by))


def _is_excused(context: CheckContext, rule: Rule, change: ActionCompleted, by: Invocation) -> bool:
    """Whether the invocation could not know of the rule, or must not remove it."""
    if rule.label(context.cloud.cluster) is None or _was_restored(context, rule, by):
        return True
    if rule.group in by.read_old_rules:
        return True  # an old reading did not show it: `doors_left_open`
    return context.has_anothers_label(rule, change.instance) or _is_of_another(context, rule, change)


def _is_of_another(context: CheckContext, rule: Rule, change: ActionCompleted) -> bool:
    """Whether the rule is of another instance, whose address the one that terminates got, and waits for a second look:
    AWS does not show the other one, for too short a time to be gone, or the guard holds the rule."""
    label = rule.label(context.cloud.cluster)
    if label is None or label.instance == change.instance:
        return False
    held = context.cloud.regions[change.region].table.held.get(rule.group)
    return _is_missing(context, label) or (held is not None and rule.id in held.rules)


def _was_restored(context: CheckContext, rule: Rule, by: Invocation) -> bool:
    """Whether another, overlapping invocation added the rule again: one that validates later, or that cannot, because
    it was killed or its table failed. The redelivery of its messages repairs that."""
    maker, label = context.memory.makers.get(rule.id), rule.label(context.cloud.cluster)
    if maker is None or maker is by:
        return False
    if label is not None and context.has_new_rules(label.roster, InstanceId(label.instance)):
        return False  # then its release waits until no such invocation is left
    had_no_table = (maker.home, "dynamodb") in maker.disturbed
    return maker.running or maker.killed or maker.number > by.number or (had_no_table and _overlaps(context, maker, by))


FENCE = 35.0
"""The longest time between an engine's reading of rows and its last authorize: a function lives for 30 s, and what it
sent last takes effect within 5 s."""


def new_rules_get_a_second_look(context: CheckContext, change: CloudChange) -> Iterator[str]:
    """The termination of an instance with new rules continues only so long after its departure was written that no
    invocation can make a rule for it any more."""
    if not isinstance(change, ActionCompleted) or change.by is None or not _is_departure(context, change, change.by):
        return
    key = RosterKey(change.region, change.group)
    if context.may_only_observe(change.region, change.by):
        return
    if context.was_forged(change.region, key, change.by) or not context.has_new_rules(key, change.instance):
        return
    written = context.memory.departures.get((key, change.instance))
    waited = 0.0 if written is None else context.now() - written
    if waited < FENCE:
        yield f"{change.by} released {change.instance}, which has new rules, {waited:.0f} s after its departure"


def _overlaps(context: CheckContext, earlier: Invocation, by: Invocation) -> bool:
    """Whether the invocation that began earlier made a call after the first call of this one."""
    calls = context.cloud.calls
    first = next(number for number, call in enumerate(calls) if call.invocation is by)
    return any(call.invocation is earlier for call in calls[first:])


def departed_instances_stay_out(context: CheckContext, change: CloudChange) -> Iterator[str]:
    """An instance that was released and is gone is not admitted again by a later invocation of its Region that could
    read its table: the table knows, even if a describe is stale."""
    if not isinstance(change, RuleMade) or change.by is None:
        return
    label, by = change.rule.label(context.cloud.cluster), change.by
    if label is None or label.roster.region != by.home or (by.home, "dynamodb") in by.disturbed:
        return
    instance = InstanceId(label.instance)
    released = context.memory.released.get((by.home, instance))
    # An instance that was let go for another reason than a release waits for no second look.
    waited = (by.home, instance) not in context.memory.let_go and context.has_new_rules(label.roster, instance)
    began_later = released is not None and (released < by.started or waited)
    if released is not None and began_later and context.state(instance) is None:
        yield f"{by} admitted {instance} again, {by.started - released:.0f} s after its release: {change.rule}"


CLOSED_WITHIN = RULES_REMEMBERED_SECONDS + 61.0
"""Seconds within which a door that an old reading hid is closed: until every reading shows it, and one true-up more."""


def doors_left_open(context: CheckContext) -> Iterator[str]:
    """The owned rules of instances that were released, and are gone, for so long that every reading has shown them."""
    now, memory = context.now(), context.memory
    for (home, instance), released in memory.released.items():
        if now - released <= CLOSED_WITHIN or context.state(instance) is not None:
            continue
        for region in context.cloud.regions:
            for group in context.security_groups(region):
                for rule in group.rules.values():
                    label = rule.label(context.cloud.cluster)
                    is_old = now - memory.made.get(rule.id, now) > CLOSED_WITHIN
                    if label is not None and label.instance == instance and label.roster.region == home and is_old:
                        yield f"{rule} stands {now - released:.0f} s after the release of {instance}"


def ended_instances_have_no_door(context: CheckContext, by: Invocation) -> Iterator[str]:
    """After an undisturbed reconcile of a Region, no group there has a rule of an own instance that EC2 showed as
    terminated, whatever else is missing: the instance's group, or the ports to manage.

    Exception: the group is missing, and no table has its roster. Then it is not known whose the instance was, and its
    rule is reported as one of unknown owner.
    """
    instances = context.cloud.regions[by.home].ec2.instances
    for rule, instance in _own_doors(context, by):
        shown = instances.get(instance)
        label = rule.label(context.cloud.cluster)
        if label is not None and context.has_no_trace(label.roster):
            continue
        if shown is not None and shown.ended is not None and shown.ended < by.started:
            yield f"{by} left {rule}, although {instance} ended {by.started - shown.ended:.0f} s before"


def open_doors_at_home_are_counted(context: CheckContext, by: Invocation) -> Iterator[str]:
    """A reconcile that could not bring its own Region up to date reports each departed instance that is admitted there,
    unless a hook still holds it."""
    if not any(isinstance(event, RegionFailed) and event.at_home for event in by.audit_events):
        return
    counted = {event.instance for event in by.audit_events if isinstance(event, StaleDoor) and event.region == by.home}
    rosters = context.cloud.regions[by.home].table.rosters
    for rule, instance in _own_doors(context, by):
        label = rule.label(context.cloud.cluster)
        roster = rosters.get(label.roster) if label is not None else None
        if roster is None or instance not in roster.departed:
            continue
        if instance not in counted and context.state(instance) is None:
            yield f"{by} did not count {rule}, of an instance that departed"


def _own_doors(context: CheckContext, by: Invocation) -> Iterator[tuple[Rule, InstanceId]]:
    """The rules at home for instances of the Region's own groups."""
    for group in context.security_groups(by.home):
        for rule in group.rules.values():
            label = rule.label(context.cloud.cluster)
            if label is not None and label.roster.region == by.home and label.roster.asg != STATIC:
                yield rule, InstanceId(label.instance)


def strangers_are_not_admitted(context: CheckContext, by: Invocation) -> Iterator[str]:
    """After an undisturbed reconcile of a Region, no roster of that Region admits a stranger there, and no label of a
    roster that does not exist does. Exception: a member of less than a minute keeps its address for as long as a
    description without one may be older."""
    strangers = {address for region in context.cloud.regions.values() for address in region.ec2.pool.strangers}
    for group in context.security_groups(by.home):
        for rule in group.rules.values():
            label = rule.label(context.cloud.cluster)
            if label is None or rule.opening is None:
                continue
            if rule.opening.cidr not in strangers and not is_invented(rule.opening.cidr):
                continue
            if _is_of_a_new_member(context, label):
                continue
            if label.roster.region == by.home and _is_missing(context, label):
                continue  # one more answer must confirm that it is gone
            if _is_of_a_forgotten_group(context, label):
                continue  # an operator is told
            if label.roster.region == by.home or _is_no_roster(context, label.roster, by.home):
                yield f"{by} left {rule}"


def _is_of_a_forgotten_group(context: CheckContext, label: Label) -> bool:
    """Whether the label's group is configured and does not exist, and no row tells who its members were."""
    key = label.roster
    region = context.cloud.regions.get(key.region)
    if region is None or key.asg in region.groups or key in region.table.rosters:
        return False
    return key.asg in context.settings[key.region].auto_scaling_groups


def _is_of_a_new_member(context: CheckContext, label: Label) -> bool:
    """Whether the label names a member of less than a minute that has no address now."""
    region = context.cloud.regions.get(label.roster.region)
    if region is None or label.roster not in region.table.rosters:
        return False
    member = region.table.rosters[label.roster].members.get(InstanceId(label.instance))
    instance = region.ec2.instances.get(InstanceId(label.instance))
    is_new = member is not None and context.now() - member.since < STALE_SECONDS
    return is_new and instance is not None and not instance.addresses.get(AddressKind.PUBLIC_IPV4)


def _is_missing(context: CheckContext, label: Label) -> bool:
    """Whether the home Region's roster has the label's instance as a member that AWS does not show."""
    roster = context.cloud.regions[label.roster.region].table.rosters.get(label.roster)
    member = roster.members.get(InstanceId(label.instance)) if roster is not None else None
    return member is not None and member.state is MemberState.MISSING


def _is_no_roster(context: CheckContext, key: RosterKey, home: Region) -> bool:
    """Whether a Region's table shows that another Region, or a Region outside the cluster, has no such roster."""
    if key.region not in context.settings:
        return True
    announcement = context.cloud.regions[home].table.rosters.get(RosterKey(key.region, ANNOUNCEMENT))
    return announcement is not None and key.asg not in context.settings[key.region].auto_scaling_groups
