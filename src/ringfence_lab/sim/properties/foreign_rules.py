"""Property 1: foreign rules are never removed and never changed."""

from collections.abc import Iterator

from ringfence.core.configuration.settings import Mode
from ringfence_lab.sim.aws.history import CloudChange, LabelChanged, RuleRevoked
from ringfence_lab.sim.properties.context import CheckContext


def foreign_rules_stay(context: CheckContext, change: CloudChange) -> Iterator[str]:
    """No foreign rule is ever removed. Mirror mode removes only rules for CIDRs on the managed ports."""
    if not isinstance(change, RuleRevoked) or change.by is None:
        return
    rule, settings = change.rule, context.settings[change.by.home]
    if rule.label(context.cloud.cluster) is not None or context.just_changed_by_hand(rule, change.by):
        return
    mirrored = settings.mode is Mode.MIRROR and change.region == change.by.home
    if not (mirrored and rule.opening is not None and rule.ports in context.cloud.managed_ports(settings)):
        yield f"{change.by} revoked {rule}"


def foreign_rules_keep_their_descriptions(context: CheckContext, change: CloudChange) -> Iterator[str]:
    """No foreign rule is ever changed, and a changed rule remains an owned rule."""
    if not isinstance(change, LabelChanged) or change.by is None:
        return
    if context.just_changed_by_hand(change.rule, change.by):
        return
    if change.was.label(context.cloud.cluster) is None or change.rule.label(context.cloud.cluster) is None:
        yield f"{change.by} changed {change.was} to {change.rule}"
