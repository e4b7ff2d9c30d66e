"""Property 10: while a deployment is new, no event is given up, and no launch is let in before a new peer admits it."""

import json
from collections.abc import Iterable, Iterator, Sequence

from ringfence.core.errors import POLICIES_ARE_NEW
from ringfence.core.events import Launching, Malformed, Terminating, parse
from ringfence.core.lifecycle import HookResult, Transition
from ringfence.core.model.identifiers import ANNOUNCEMENT, Region, RosterKey
from ringfence.core.model.rules import Opening
from ringfence.reconciler.region_pass import DEPLOYMENT_SECONDS
from ringfence_lab.sim.aws.history import ActionCompleted, CloudChange
from ringfence_lab.sim.aws.queue import Message
from ringfence_lab.sim.invocation import Invocation
from ringfence_lab.sim.properties.context import CheckContext
from ringfence_lab.sim.properties.launches import could_reach

SECONDS = 1.0
"""A roster's times are whole seconds."""


def new_events_outlive_a_denial(context: CheckContext, buried: Sequence[Message]) -> Iterator[str]:
    """No lifecycle event of the last five minutes becomes a dead letter because a permission is missing."""
    for letter in buried:
        if "UnauthorizedOperation" not in letter.reason:
            continue
        event = parse(json.loads(letter.body), letter.id)
        if isinstance(event, Malformed) or not isinstance(event, Launching | Terminating) or event.time is None:
            continue
        if context.now() - event.time < POLICIES_ARE_NEW:
            yield f"{event.id} of {event.instance} is a dead letter: {letter.reason}"


def launches_wait_for_new_peers(context: CheckContext, change: CloudChange) -> Iterator[str]:
    """A launch waits for a peer that is being deployed to admit it, until the time for that is over.

    A peer is not waited for if the table of the launch's own Region has its announcement, or a roster of one of its
    groups: only the peer's table was made again.
    """
    if not isinstance(change, ActionCompleted) or change.by is None or not change.to_group:
        return
    if change.transition is not Transition.LAUNCH or change.result is not HookResult.CONTINUE:
        return
    if change.instance in context.memory.replacing:
        return  # a member whose root volume is new does not launch
    waited = context.now() - change.began
    if waited >= context.settings[change.region].announcement_wait - SECONDS:
        return
    if context.may_only_observe(change.region, change.by):
        return
    for region in context.cloud.regions:
        names = {*context.settings[region].auto_scaling_groups, ANNOUNCEMENT}
        known = context.cloud.regions[change.region].table.rosters
        is_known = any(RosterKey(region, name) in known for name in names)
        is_waited_for = not is_known and not context.may_only_observe(region, change.by)
        if region == change.region or not is_waited_for or not _is_being_deployed(context, region, change.by):
            continue
        for lacking in _lacking(context, region, context.openings(change.region, change.instance), change.by):
            yield f"{change.by} continued {change.instance} after {waited:.0f} s: {lacking}"


def _lacking(context: CheckContext, peer: Region, openings: Iterable[Opening], by: Invocation) -> Iterator[str]:
    """The openings that the peer's groups lack although they have room and ports for them."""
    for group in context.security_groups(peer):
        if context.had_no_ports(group, by):
            continue
        for opening in openings:
            has_room = group.used(ipv6=":" in opening.cidr) < group.quota
            if group.admits(opening) is None and has_room and not context.just_removed_by_hand(group, opening, by):
                yield f"{group.id} lacks {opening}"


def _is_being_deployed(context: CheckContext, peer: Region, by: Invocation) -> bool:
    """Whether the invocation must have seen a new table that no engine has announced anything in.

    A table of the same moment may be younger than the invocation: time stands still between two calls.
    """
    table = context.cloud.regions[peer].table
    is_new = table.exists and table.created_at < by.started and context.now() - table.created_at < DEPLOYMENT_SECONDS
    return is_new and peer not in context.memory.announced and could_reach(context, peer, by)
