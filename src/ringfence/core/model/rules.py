"""Security group rules: what a rule admits, and the label that names the instance that it was made for."""

import re
from dataclasses import dataclass
from functools import lru_cache

from ringfence.core.model.addresses import Cidr, is_host, is_static_member
from ringfence.core.model.identifiers import STATIC, PrefixListId, Region, RosterKey, RuleId, SecurityGroupId
from ringfence.core.model.ports import PortRange

_DESCRIBABLE = re.compile(r"[a-zA-Z0-9. _\-:/()#,@\[\]+=&;{}!$*]*")
DESCRIPTION_LIMIT = 255
"""Maximum characters in a rule's description. Source: EC2 API reference, `IpRange`."""


def is_describable(text: str) -> bool:
    """Whether EC2 accepts the text in a rule's description."""
    return _DESCRIBABLE.fullmatch(text) is not None


@dataclass(frozen=True, slots=True, order=True)
class Label:
    """The description of an owned rule: which instance of which group the rule is for."""

    cluster: str
    roster: RosterKey
    instance: str

    def __str__(self) -> str:
        return f"ringfence {self.cluster} {self.roster} {self.instance}"

    @staticmethod
    @lru_cache(maxsize=4096)  # a reconcile parses the same descriptions several times
    def parse(description: str) -> "Label | None":
        """The label in a rule's description, or None if the rule is not Ringfence's."""
        match = _LABEL_SYNTAX.fullmatch(description)
        if match is None:
            return None
        return Label(match[1], RosterKey(Region(match[2]), match[3]), match[4])


_LABEL_SYNTAX = re.compile(r"ringfence (\S+) ([a-z0-9-]+)/(.+) (\S+)")


@dataclass(frozen=True, slots=True, order=True)
class Opening:
    """What a rule admits: a source CIDR on a range of ports. A group can have only one rule for each."""

    ports: PortRange
    cidr: Cidr

    def __hash__(self) -> int:
        """Hashes only the address: few rules of a group share one."""
        return hash(self.cidr)

    def __str__(self) -> str:
        return f"{self.cidr} on {self.ports}"


@dataclass(frozen=True, slots=True)
class Rule:
    """An inbound rule of a security group.

    `opening` is None if the source is not a CIDR. `source_group` is the group that the rule admits, if any, and
    `prefix_list` the prefix list.
    """

    id: RuleId
    group: SecurityGroupId
    ports: PortRange
    opening: Opening | None
    source_group: SecurityGroupId | None = None
    description: str = ""
    prefix_list: PrefixListId | None = None

    def label(self, cluster: str) -> Label | None:
        """The rule's label if the cluster owns the rule, or None for every foreign rule.

        Anyone who may change the group can write a description. So a label counts only on a rule that we could have
        made: for a single host, or for a network of static members.
        """
        label = self.written_label(cluster)
        if label is None or self.opening is None:
            return None
        ours = is_static_member(self.opening.cidr) if label.roster.asg == STATIC else is_host(self.opening.cidr)
        return label if ours else None

    def written_label(self, cluster: str) -> Label | None:
        """The label of the cluster in the rule's description, even if the cluster cannot have made the rule."""
        label = Label.parse(self.description)
        return label if label is not None and label.cluster == cluster else None
