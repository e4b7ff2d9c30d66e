"""Property 1: foreign rules are never removed and never changed."""

from collections.abc import Iterator
from ipaddress import ip_network

from ringfence.core.configuration.settings import Mode
from ringfence.core.model.identifiers import STATIC
from ringfence.core.model.rules import Label, Rule
from ringfence_lab.sim.aws.history import CloudChange, LabelChanged, RuleRevoked
from ringfence_lab.sim.properties.context import CheckContext

LARGEST_NETWORKS = {4: 8, 6: 16}
"""The shortest prefix of a static member, by IP version. Source: the README."""


def foreign_rules_stay(context: CheckContext, change: CloudChange) -> Iterator[str]:
    """No foreign rule is ever removed. Mirror mode removes only rules for CIDRs on the managed ports."""
    if not isinstance(change, RuleRevoked) or change.by is None:
        return
    rule, settings = change.rule, context.settings[change.by.home]
    if _is_ours(context, rule) or context.just_changed_by_hand(rule, change.by):
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
    if not _is_ours(context, change.was) or not _is_ours(context, change.rule):
        yield f"{change.by} changed {change.was} to {change.rule}"


def _is_ours(context: CheckContext, rule: Rule) -> bool:
    """Whether the cluster can have made the rule: it has its label, and admits a host, or a static member's network."""
    label = Label.parse(rule.description)
    if label is None or label.cluster != context.cloud.cluster or rule.opening is None:
        return False
    source = ip_network(rule.opening.cidr)
    smallest = LARGEST_NETWORKS[source.version] if label.roster.asg == STATIC else source.max_prefixlen
    return source.prefixlen >= smallest
