"""Property 9: an engine admits only instances of the groups, on its own ports, even if forged input says otherwise."""

from collections.abc import Iterator

from ringfence.core.audit_events import RuleOwnerUnknown
from ringfence.core.model.identifiers import STATIC, InstanceId
from ringfence_lab.sim.aws.history import CloudChange, LabelChanged, RuleMade
from ringfence_lab.sim.invocation import Invocation
from ringfence_lab.sim.properties.context import CheckContext


def only_members_are_admitted(context: CheckContext, change: CloudChange) -> Iterator[str]:
    """A rule that an engine makes or relabels names an instance that its group listed, and an address that it had.

    An instance that was only in the group's warm pool is not admitted.
    """
    if not isinstance(change, RuleMade | LabelChanged) or change.by is None or change.rule.opening is None:
        return
    label = change.rule.label(context.cloud.cluster)
    if label is None:
        yield f"{change.by} made {change.rule}, which has no label of ours"
        return
    if label.roster.asg == STATIC:
        return
    instance, region = InstanceId(label.instance), context.cloud.regions.get(label.roster.region)
    if (label.roster, instance) not in context.memory.listed:
        yield f"{change.by} admitted {instance}, which {label.roster} never listed: {change.rule}"
    elif (label.roster, instance) not in context.memory.joined:
        yield f"{change.by} admitted {instance}, which was only in the warm pool of {label.roster}: {change.rule}"
    elif region is not None and (instance, change.rule.opening.cidr) not in region.ec2.had:
        yield f"{change.by} admitted {change.rule.opening}, which {instance} never had"


def only_managed_ports_are_opened(context: CheckContext, change: CloudChange) -> Iterator[str]:
    """An engine opens its own ports only, whatever another Region announces."""
    if not isinstance(change, RuleMade) or change.by is None:
        return
    if change.rule.ports not in context.cloud.managed_ports(context.settings[change.by.home]):
        yield f"{change.by} opened {change.rule}"


def unknown_owners_are_reported(context: CheckContext, by: Invocation) -> Iterator[str]:
    """An undisturbed reconcile reports each rule at home with a label of the cluster that the cluster cannot own."""
    reported = {event.rule for event in by.audit_events if isinstance(event, RuleOwnerUnknown)}
    for group in context.security_groups(by.home):
        for rule in group.rules.values():
            has_label = rule.opening is not None and rule.written_label(context.cloud.cluster) is not None
            if has_label and rule.label(context.cloud.cluster) is None and rule.id not in reported:
                yield f"{by} did not report {rule}"
