"""Properties 4 to 6: a termination continues only once it is released, and departed instances stay out."""

from collections.abc import Iterator

from ringfence.core.freshness import STALE_SECONDS
from ringfence.core.lifecycle import Transition
from ringfence.core.model.addresses import AddressKind
from ringfence.core.model.identifiers import ANNOUNCEMENT, InstanceId, Region, RosterKey
from ringfence.core.model.rules import Label, Rule
from ringfence_lab.sim.aws.addresses import is_invented
from ringfence_lab.sim.aws.history import ActionCompleted, CloudChange, RuleMade
from ringfence_lab.sim.aws.past import RULES_REMEMBERED_SECONDS
from ringfence_lab.sim.invocation import Invocation
from ringfence_lab.sim.properties.context import CheckContext


def terminations_are_released_first(context: CheckContext, change: CloudChange) -> Iterator[str]:
    """A termination never continues while a group admits an address of it. Exception: a peer that stays unreachable
    beyond the release deadline, and then the release is recorded as pending."""
    if not isinstance(change, ActionCompleted) or change.by is None or change.transition is not Transition.TERMINATE:
        return
    home, settings = change.region, context.settings[change.region]
    if context.was_forged(home, RosterKey(home, change.group), change.by):
        return  # the row that had the pending release is gone
    for region in context.cloud.regions:
        if region != home and region not in context.memory.announced:
            continue  # no other Region can know its groups
        for group in context.security_groups(region):
            for opening in context.openings(home, change.instance):
                rule = group.admits(opening)
                if rule is None or rule.label(context.cloud.cluster) is None or _was_restored(context, rule, change.by):
                    continue
                if context.has_anothers_label(rule, change.instance) or group.id in change.by.read_old_rules:
                    continue  # an old reading did not show it: `doors_left_open`
                roster = context.cloud.regions[home].table.rosters.get(RosterKey(home, change.group))
                since = roster.departed.get(change.instance) if roster is not None else None
                pending = roster is not None and change.instance in roster.pending_releases.get(region, ())
                waited = 0.0 if since is None else context.now() - since
                if not pending or waited < settings.release_deadline:
                    yield (
                        f"{change.by} released {change.instance} after {waited:.0f} s, and {group.id} admits {opening}"
                    )


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
    if not isinstance(change, ActionCompleted) or change.by is None or change.transition is not Transition.TERMINATE:
        return
    key = RosterKey(change.region, change.group)
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
    began_later = released is not None and (released < by.started or context.has_new_rules(label.roster, instance))
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
            if label.roster.region == by.home or _is_no_roster(context, label.roster, by.home):
                yield f"{by} left {rule}"


def _is_of_a_new_member(context: CheckContext, label: Label) -> bool:
    """Whether the label names a member of less than a minute that has no address now."""
    region = context.cloud.regions.get(label.roster.region)
    if region is None or label.roster not in region.table.rosters:
        return False
    member = region.table.rosters[label.roster].members.get(InstanceId(label.instance))
    instance = region.ec2.instances.get(InstanceId(label.instance))
    is_new = member is not None and context.now() - member.since < STALE_SECONDS
    return is_new and instance is not None and not instance.addresses.get(AddressKind.PUBLIC_IPV4)


def _is_no_roster(context: CheckContext, key: RosterKey, home: Region) -> bool:
    """Whether a Region's table shows that another Region, or a Region outside the cluster, has no such roster."""
    if key.region not in context.settings:
        return True
    announcement = context.cloud.regions[home].table.rosters.get(RosterKey(key.region, ANNOUNCEMENT))
    return announcement is not None and key.asg not in context.settings[key.region].auto_scaling_groups
