"""Rules and descriptions that someone with EC2's rights writes by hand, with a label of the cluster."""

from ringfence.core.errors import Refused
from ringfence.core.model.addresses import is_host
from ringfence.core.model.identifiers import STATIC, InstanceId, RosterKey
from ringfence.core.model.rules import Label
from ringfence_lab.sim.adversary.forgery import UNKNOWN_GROUP, AdversaryAction, Forger
from ringfence_lab.sim.adversary.rows import OUTSIDE
from ringfence_lab.sim.aws.region import CloudRegion

NETWORKS = ("0.0.0.0/0", "10.0.0.0/8", "192.0.2.0/24", "::/0")


def write_labelled_rule(forger: Forger, region: CloudRegion) -> str:
    """A rule with our label, for a network or for a host that is no member."""
    cidr = forger.chance.choice((*NETWORKS, *[forger.address()] * 8))
    label = _label(forger, region)
    try:
        region.security_group.allow(cidr, "tcp/9042", str(label))
    except Refused:
        return ""
    return f"allows {cidr} as [{label}]"


def change_label(forger: Forger, region: CloudRegion) -> str:
    """The description of any rule for a host becomes another label of the cluster."""
    rules = [rule for rule in region.security_group.rules.values() if rule.opening and is_host(rule.opening.cidr)]
    if not rules:
        return ""
    rule, label = forger.chance.choice(rules), _label(forger, region)
    region.security_group.change_by_hand(rule.id, rule.ports, str(label))
    return f"changes {rule.id} to [{label}]"


def _label(forger: Forger, region: CloudRegion) -> Label:
    """A label that names anything: a member, an instance or a group that does not exist, another Region."""
    home = forger.chance.choice((region.name, region.name, forger.region(), OUTSIDE))
    groups = list(forger.cloud.regions[home].groups) if home in forger.cloud.regions else []
    group = forger.chance.choice((*groups, *groups, UNKNOWN_GROUP, STATIC))
    if forger.chance.random() < 0.4 and (member := forger.member(region)) is not None:
        return Label(forger.cloud.cluster, RosterKey(home, group), member)
    return Label(forger.cloud.cluster, RosterKey(home, group), InstanceId("i-0000000000000bad0"))


ACTIONS: tuple[tuple[AdversaryAction, int], ...] = ((write_labelled_rule, 3), (change_label, 2))
