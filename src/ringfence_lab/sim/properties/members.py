"""Property 2: members stay admitted, and rules are removed only on good evidence and in a safe order."""

from collections.abc import Iterator

from ringfence.core.freshness import STALE_SECONDS
from ringfence.core.model.addresses import Cidr
from ringfence.core.model.identifiers import InstanceId
from ringfence.core.model.rules import Rule
from ringfence_lab.sim.aws.history import CloudChange, RuleMade, RuleRevoked
from ringfence_lab.sim.aws.instances import Ec2Instance
from ringfence_lab.sim.aws.past import REMEMBERED_SECONDS
from ringfence_lab.sim.aws.region import CloudRegion
from ringfence_lab.sim.invocation import Invocation
from ringfence_lab.sim.properties.context import CheckContext


def members_in_service_stay_admitted(context: CheckContext, change: CloudChange) -> Iterator[str]:
    """No engine removes a rule of an admitted live member, in any group.

    Exceptions: an address that the member received in the place of another one so recently that the invocation, or the
    one that wrote its roster, was misled by a stale describe; a member so new that a stale describe did not show it to
    the one that wrote its roster after the row was lost; and an address that the member released and received again
    within a minute.
    """
    if not isinstance(change, RuleRevoked) or change.by is None or change.rule.opening is None:
        return
    if context.just_changed_by_hand(change.rule, change.by):
        return
    for region in map(context.cloud.region, context.settings):
        cidr = change.rule.opening.cidr
        holder = region.ec2.holders.get(cidr)
        admitted = context.memory.admitted
        if holder is None or (change.rule.group, change.rule.opening) not in admitted.get(holder.id, ()):
            continue
        if change.rule.opening not in context.openings(region.name, holder.id) or context.just_returned(cidr):
            continue
        if _was_misled(context, change.rule, change.by) and _may_show_another_address(context, region, holder, cidr):
            continue
        if context.has_anothers_label(change.rule, holder.id):
            continue
        if _was_unknown_to_the_writer(context, change.rule, holder.id):
            continue
        if context.serves(holder.id):
            yield f"{change.by} revoked {change.rule}, the address of {holder.id} in {context.state(holder.id)}"


def _was_misled(context: CheckContext, rule: Rule, by: Invocation) -> bool:
    """Whether a stale describe misled the invocation, or the one that wrote the roster of the rule."""
    label = rule.label(context.cloud.cluster)
    writer = context.memory.writers.get(label.roster) if label is not None else None
    return by.misled or (writer is not None and writer.misled)


def _may_show_another_address(context: CheckContext, region: CloudRegion, holder: Ec2Instance, cidr: Cidr) -> bool:
    """Whether a stale describe may show an address that the instance has no more, and not the present one."""
    present = {cidr for cidrs in holder.addresses.values() for cidr in cidrs}
    had_another = any(id == holder.id and earlier not in present for id, earlier in region.ec2.had)
    return had_another and not context.is_known(region.name, holder.id, cidr)


def _was_unknown_to_the_writer(context: CheckContext, rule: Rule, instance: InstanceId) -> bool:
    """Whether a lost row and a stale describe hid the member from the invocation that wrote the roster of the rule."""
    label = rule.label(context.cloud.cluster)
    writer = context.memory.writers.get(label.roster) if label is not None else None
    if label is None or writer is None or not writer.misled:
        return False
    earliest = writer.started - REMEMBERED_SECONDS
    forgot_at = context.memory.forgot.get(label.roster.region)
    listed_at = context.memory.listed.get((label.roster, instance))
    return forgot_at is not None and forgot_at > earliest and listed_at is not None and listed_at > earliest


def unknown_instances_get_a_second_look(context: CheckContext, change: CloudChange) -> Iterator[str]:
    """No recent rule is removed only because its roster does not know its instance: the roster may be wrong, because
    an invocation whose table was down may have admitted the instance."""
    if not isinstance(change, RuleRevoked) or change.by is None:
        return
    label = change.rule.label(context.cloud.cluster)
    age = context.now() - context.memory.made.get(change.rule.id, 0.0)
    if context.just_changed_by_hand(change.rule, change.by):
        return
    if label is None or age >= STALE_SECONDS or label.roster.region not in context.settings:
        return
    roster = context.cloud.regions[label.roster.region].table.rosters.get(label.roster)
    instance = InstanceId(label.instance)
    if roster is not None and instance not in roster.members and instance not in roster.departed:
        yield f"{change.by} revoked {change.rule} after {age:.0f} s"


def rules_are_added_before_others_are_removed(context: CheckContext, change: CloudChange) -> Iterator[str]:
    """An invocation that adds and removes rules adds them first, unless there was no room for both."""
    if not isinstance(change, RuleMade) or change.by is None or len(context.security_groups(change.region)) > 1:
        return  # a call does not say which of several groups it is about
    removed = False
    for call in reversed(context.cloud.calls[:-1]):
        if call.invocation is not change.by or call.region != change.region or call.service != "ec2":
            continue
        if call.outcome == "Refused":
            return
        if call.operation == "DescribeSecurityGroupRules":
            break
        removed = removed or call.operation == "RevokeSecurityGroupIngress"
    if removed:
        yield f"{change.by} removed rules, then added {change.rule}"
