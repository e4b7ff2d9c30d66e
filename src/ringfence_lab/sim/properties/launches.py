"""Property 3: a launch continues only once it is admitted, and is abandoned only without room."""

from collections.abc import Iterator

from ringfence.core.audit_events import RuleRefused
from ringfence.core.errors import Refusal
from ringfence.core.lifecycle import HookResult, Transition
from ringfence.core.model.identifiers import InstanceId, Region
from ringfence.core.model.rules import Opening
from ringfence_lab.sim.aws.history import ActionCompleted, CloudChange
from ringfence_lab.sim.aws.security_groups import SecurityGroup
from ringfence_lab.sim.invocation import Invocation
from ringfence_lab.sim.properties.context import CheckContext

SETTLED_SECONDS = 5.0
"""The time after which an instance certainly has its addresses."""


def launches_are_admitted_first(context: CheckContext, change: CloudChange) -> Iterator[str]:
    """A launch never continues before the home groups, and those of every reachable peer, admit its addresses.

    Exception: the engine of a paused Region lets every instance go, and none changes the groups of a paused Region.
    """
    if not isinstance(change, ActionCompleted) or change.by is None or not change.to_group:
        return
    if change.transition is not Transition.LAUNCH or change.result is not HookResult.CONTINUE:
        return
    if not context.may_only_observe(change.region, change.by):
        yield from _not_admitted(context, change, change.by)


def _not_admitted(context: CheckContext, change: ActionCompleted, by: Invocation) -> Iterator[str]:
    now, home = context.now(), change.region
    settings = context.settings[home]
    openings = context.openings(home, change.instance)
    launched = context.cloud.regions[home].ec2.instances[change.instance].launched
    if not openings and now - launched < settings.address_wait:
        yield f"{by} continued {change.instance} after {now - launched:.0f} s without an address"
    for region in context.cloud.regions:
        if region != home and not _must_be_current(context, region, by):
            continue  # it could not be reached, or its announcement was forged
        for group in context.security_groups(region):
            if region != home and not context.could_add(home, group, by):
                continue
            for opening in openings:
                lacking = group.admits(opening) is None and not context.just_removed_by_hand(group, opening, by)
                if lacking and (region == home or _had_room(context, group, opening, by)):
                    yield f"{by} continued {change.instance}, and {group.id} lacks {opening}"


def _had_room(context: CheckContext, group: SecurityGroup, opening: Opening, by: Invocation) -> bool:
    """Whether the group had room for the opening for as long as the invocation ran."""
    shrunk = context.memory.shrunk.get(group.id, 0.0) >= by.started
    return not shrunk and group.used(ipv6=":" in opening.cidr) < group.quota


def launches_need_an_own_security_group(context: CheckContext, change: CloudChange) -> Iterator[str]:
    """A launch never continues while a security group of its own Region does not exist: it may not be reachable."""
    if not isinstance(change, ActionCompleted) or change.by is None or not change.to_group:
        return
    if change.transition is not Transition.LAUNCH or change.result is not HookResult.CONTINUE:
        return
    if context.may_only_observe(change.region, change.by):
        return
    for id in context.deleted_groups(change.region):
        if context.memory.deleted.get(id, 0.0) < change.by.started and context.openings(change.region, change.instance):
            yield f"{change.by} continued {change.instance}, and {id} does not exist"


def _must_be_current(context: CheckContext, peer: Region, by: Invocation) -> bool:
    """Whether the invocation must have updated the peer before it answered a launch."""
    if context.may_only_observe(peer, by):
        return False
    announced = context.memory.announced.get(peer)
    return announced is not None and announced < by.started and could_reach(context, peer, by)


def could_reach(context: CheckContext, peer: Region, by: Invocation) -> bool:
    """Whether nothing kept the invocation from the peer in time, nor from knowing what the tables say of it."""
    late = context.now() - by.started > context.settings[by.home].peer_deadline
    had_table = (by.home, "dynamodb") not in by.disturbed
    return not late and had_table and by.reached(peer) and not _is_in_doubt(context, peer, by)


def _is_in_doubt(context: CheckContext, peer: Region, by: Invocation) -> bool:
    """Whether forged rows kept the two Regions from knowing each other's groups. The next true-up repairs them."""
    pairs = ((by.home, peer), (peer, peer), (peer, by.home))
    return any(context.was_misinformed(table, home, by) for table, home in pairs)


def launches_are_abandoned_only_without_room(context: CheckContext, change: CloudChange) -> Iterator[str]:
    """A launch is abandoned only if a group of its own Region has no room for its rules."""
    if not isinstance(change, ActionCompleted) or change.by is None or change.transition is not Transition.LAUNCH:
        return
    if change.result is not HookResult.ABANDON:
        return
    openings = context.openings(change.region, change.instance)
    for group in context.security_groups(change.region):
        lacking = [opening for opening in openings if group.admits(opening) is None]
        used = max(group.used(ipv6=False), group.used(ipv6=True))
        if used + len(lacking) > group.quota or context.memory.shrunk.get(group.id, 0.0) >= change.by.started:
            return
    yield f"{change.by} abandoned {change.instance}, although there is room for its rules"


def launches_are_answered_without_the_table(context: CheckContext, by: Invocation) -> Iterator[str]:
    """An invocation whose own table failed, and nothing else did, still answers the instances that launch."""
    home = context.cloud.regions[by.home]
    if by.killed or by.misled or by.disturbed != {(by.home, "dynamodb")}:
        return
    groups = context.security_groups(by.home)
    if context.deleted_groups(by.home) or any(context.had_no_ports(group, by) for group in groups):
        return
    of_table = [call for call in context.cloud.calls if call.invocation is by and call.service == "dynamodb"]
    if len(of_table) > 1:
        return
    for group in home.groups.values():
        for instance in group.instances.values():
            launched = home.ec2.instances[instance.id].launched
            if instance.state != "Pending:Wait" or launched > by.started - SETTLED_SECONDS:
                continue
            if not context.openings(by.home, instance.id) or _is_labelled_otherwise(context, by.home, instance.id):
                continue
            if all(action.began + group.inactive_seconds < by.started for action in instance.waits.values()):
                yield f"{by} could not read its table, and did not answer {instance.id}"


def launches_are_answered(context: CheckContext, by: Invocation) -> Iterator[str]:
    """An undisturbed invocation answers every launch that its group lists and that has an address, however old the
    rules are that it was shown.

    Exceptions: a Region that can admit no instance, which is an error, and one whose peer may be in the middle of its
    deployment.
    """
    if not by.calls or by.error is not None or _may_wait_for_a_new_peer(context, by):
        return
    home = context.cloud.regions[by.home]
    unconfirmed = {
        event.label.instance
        for event in by.audit_events
        if isinstance(event, RuleRefused) and event.refusal == Refusal.UNCONFIRMED.value
    }
    for group in home.groups.values():
        for id in group.listed():
            instance = group.instances.get(id)
            if instance is None or instance.state != "Pending:Wait" or id in unconfirmed:
                continue
            launched = home.ec2.instances[id].launched
            waits = [action.began + group.inactive_seconds < by.started for action in instance.waits.values()]
            if all(waits) and launched <= by.started - SETTLED_SECONDS and context.openings(by.home, id):
                yield f"{by} did not answer {id}"


def _may_wait_for_a_new_peer(context: CheckContext, by: Invocation) -> bool:
    """Whether a peer has a table, and had announced nothing when the invocation began, or nothing that can be read."""
    announced = context.memory.announced
    peers = (region for region in context.cloud.regions.values() if region.name != by.home and region.table.exists)
    return any(
        announced.get(peer.name, by.started) >= by.started
        or not any(key.region == peer.name for key in peer.table.rosters)
        for peer in peers
    )


def _is_labelled_otherwise(context: CheckContext, home: Region, instance: InstanceId) -> bool:
    """Whether an owned rule of its Region admits an address of the instance, but names another instance."""
    openings = context.openings(home, instance)
    rules = [group.admits(opening) for group in context.security_groups(home) for opening in openings]
    labels = [rule.label(context.cloud.cluster) for rule in rules if rule is not None]
    return any(label is not None and label.instance != instance for label in labels)
