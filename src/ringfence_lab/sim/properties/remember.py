"""Updates the memory with each change, after the change was checked. It must not know any property."""

from collections.abc import Callable, Mapping
from math import inf
from typing import Any

from ringfence.core.lifecycle import HookResult, Transition
from ringfence.core.model.identifiers import ANNOUNCEMENT, InstanceId, Region, RosterKey
from ringfence.core.model.rules import Rule
from ringfence_lab.sim.aws.history import (
    ActionCompleted,
    AddressReturned,
    CloudChange,
    GroupDeleted,
    ItemPut,
    LabelChanged,
    PauseWritten,
    RowDeleted,
    RowWritten,
    RuleChanged,
    RuleMade,
    RuleRevoked,
    StateChanged,
    TableRecreated,
)
from ringfence_lab.sim.properties.context import IN_SERVICE, LAUNCHING, CheckContext


def remember(context: CheckContext, change: CloudChange) -> None:
    """Remembers what later checks need to know of the change."""
    update = _UPDATES.get(type(change))
    if update is not None:
        update(context, change)


def _rule_made(context: CheckContext, change: RuleMade) -> None:
    _self_rule_changed(context, change.rule)
    if change.by is None or change.rule.opening is None:
        return
    context.memory.makers[change.rule.id] = change.by
    context.memory.made[change.rule.id] = context.now()
    label = change.rule.label(context.cloud.cluster)
    if label is not None:
        context.memory.made_for[InstanceId(label.instance)] = context.now()
    _admission_by_rule(context, change.rule)


def _admission_by_rule(context: CheckContext, rule: Rule) -> None:
    """An owned rule admits the instance that its label names."""
    label = rule.label(context.cloud.cluster)
    if label is None or rule.opening is None:
        return
    instance = InstanceId(label.instance)
    state = context.state(instance)
    if state in IN_SERVICE or state in LAUNCHING:
        context.memory.admitted.setdefault(instance, set()).add((rule.group, rule.opening))


def _rule_relabelled(context: CheckContext, change: LabelChanged) -> None:
    _admission_by_rule(context, change.rule)


def _self_rule_changed(context: CheckContext, rule: Rule) -> None:
    if rule.source_group == rule.group:
        context.memory.admits_itself[rule.group] = context.now()


def _rule_revoked(context: CheckContext, change: RuleRevoked) -> None:
    _self_rule_changed(context, change.rule)
    context.memory.shrunk[change.rule.group] = context.now()
    if change.by is None and change.rule.opening is not None:
        context.memory.removed_by_hand[change.rule.group, change.rule.opening] = context.now()


def _rule_changed(context: CheckContext, change: RuleChanged) -> None:
    """For an instance that needs the former rule, the change is a removal."""
    memory, now = context.memory, context.now()
    memory.shrunk[change.rule.group] = memory.changed_by_hand[change.rule.id] = now
    if change.was.opening is not None and change.was.opening != change.rule.opening:
        memory.removed_by_hand[change.rule.group, change.was.opening] = now


def _address_returned(context: CheckContext, change: AddressReturned) -> None:
    context.memory.returned[change.address] = context.now()


def _state_changed(context: CheckContext, change: StateChanged) -> None:
    memory, now = context.memory, context.now()
    if change.state == "ReplacingRootVolume:Wait":
        memory.replacing[change.instance] = inf
    elif change.instance in memory.replacing:
        memory.replacing[change.instance] = min(now, memory.replacing[change.instance])
    _listing_changed(context, (RosterKey(change.region, change.group), change.instance), change.state)
    if change.state not in IN_SERVICE and change.state not in LAUNCHING:
        context.memory.admitted.pop(change.instance, None)


def _listing_changed(context: CheckContext, member: tuple[RosterKey, InstanceId], state: str | None) -> None:
    memory = context.memory
    if state is None:
        memory.unlisted.add(member)
    elif member not in memory.listed or member in memory.unlisted:
        memory.listed[member] = context.now()
        memory.unlisted.discard(member)
    if state is not None and not state.startswith("Warmed:"):
        memory.joined.add(member)


def _table_recreated(context: CheckContext, change: TableRecreated) -> None:
    memory = context.memory
    memory.announced.pop(change.region, None)
    for region in context.cloud.regions:
        _says_whether_observed(context, change.region, region)
    _forget_departures(context, change.region)
    for table, key in [row for row in memory.forged if row[0] == change.region]:
        _row_replaced(context, table, key)


def _forget_departures(context: CheckContext, region: Region) -> None:
    """The Region's table no longer says who departed, nor who was a member."""
    context.memory.forgot[region] = context.now()
    for key in [key for key in context.memory.released if key[0] == region]:
        del context.memory.released[key]


def _item_put(context: CheckContext, change: ItemPut) -> None:
    context.memory.forged.add((change.region, change.key))
    if change.region == change.key.region:
        _forget_departures(context, change.region)


def _row_replaced(context: CheckContext, table: Region, key: RosterKey) -> None:
    """An engine replaced or deleted a row."""
    if (table, key) in context.memory.forged:
        context.memory.forged.remove((table, key))
        context.memory.replaced[table, key] = context.now()


def _pause_written(context: CheckContext, change: PauseWritten) -> None:
    row = (change.region, change.pause.region)
    if change.pause.is_over:
        context.memory.paused.pop(row, None)
    else:
        context.memory.paused.setdefault(row, context.now())
    _says_whether_observed(context, *row)


def _says_whether_observed(context: CheckContext, table: Region, region: Region) -> None:
    """A table says now of a Region that it is paused or only observes, or does not say so any more."""
    rows, memory = context.cloud.regions[table].table, context.memory
    pause, announcement = rows.pauses.get(region), rows.rosters.get(RosterKey(region, ANNOUNCEMENT))
    if pause is None:
        memory.paused.pop((table, region), None)
    if (pause is not None and not pause.is_over) or (announcement is not None and announcement.observed):
        memory.observed[table, region] = inf
    elif (table, region) in memory.observed:
        memory.observed[table, region] = min(context.now(), memory.observed[table, region])


def _row_deleted(context: CheckContext, change: RowDeleted) -> None:
    _row_replaced(context, change.region, change.key)


def _group_deleted(context: CheckContext, change: GroupDeleted) -> None:
    context.memory.deleted[change.group] = context.now()


def _row_written(context: CheckContext, change: RowWritten) -> None:
    _row_replaced(context, change.region, change.key)
    if change.key.is_announcement:
        _says_whether_observed(context, change.region, change.key.region)
    row = context.cloud.regions[change.region].table.rosters.get(change.key)
    for group in row.security_groups if row is not None else ():
        context.memory.known_groups.setdefault((change.region, group), context.now())
    if change.region == change.key.region:
        context.memory.announced.setdefault(change.region, context.now())
        if change.by is not None:
            context.memory.writers[change.key] = change.by
        _departures_written(context, change)


def _departures_written(context: CheckContext, change: RowWritten) -> None:
    roster, known = context.cloud.regions[change.region].table.rosters.get(change.key), context.memory.departures
    departed = roster.departed if roster is not None else {}
    for key, id in [written for written in known if written[0] == change.key and written[1] not in departed]:
        del known[key, id]
    for id in departed:
        known.setdefault((change.key, id), context.now())


def _action_completed(context: CheckContext, change: ActionCompleted) -> None:
    if change.by is None:
        return
    if change.transition is Transition.TERMINATE and not change.to_group:
        context.memory.released[change.region, change.instance] = context.now()
        # An answer to the replacement of a root volume can end the wait of a termination that follows.
        is_accidental = not change.by_token and context.may_seem_replacing(change.instance, change.by)
        if is_accidental or context.may_only_observe(change.region, change.by):
            context.memory.let_go.add((change.region, change.instance))
    elif change.result is HookResult.CONTINUE and not context.may_only_observe(change.region, change.by):
        _admission_by_answer(context, change)


def _admission_by_answer(context: CheckContext, change: ActionCompleted) -> None:
    """A launch that continued is admitted by every group that has all of its rules."""
    openings = context.openings(change.region, change.instance)
    for region in context.cloud.regions:
        for group in context.security_groups(region):
            if all(map(group.admits, openings)):
                context.memory.admitted.setdefault(change.instance, set()).update(
                    (group.id, opening) for opening in openings
                )


_UPDATES: Mapping[type[CloudChange], Callable[[CheckContext, Any], None]] = {
    RuleMade: _rule_made,
    LabelChanged: _rule_relabelled,
    RuleRevoked: _rule_revoked,
    RuleChanged: _rule_changed,
    ActionCompleted: _action_completed,
    AddressReturned: _address_returned,
    GroupDeleted: _group_deleted,
    ItemPut: _item_put,
    PauseWritten: _pause_written,
    RowDeleted: _row_deleted,
    RowWritten: _row_written,
    TableRecreated: _table_recreated,
    StateChanged: _state_changed,
}
