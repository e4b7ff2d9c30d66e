"""What an operator asks about: an address, an instance or a rule. Pure."""

import ipaddress
import re
from dataclasses import dataclass

from ringfence.core.model.addresses import Cidr, is_host
from ringfence.core.model.identifiers import InstanceId, RuleId

_INSTANCE = re.compile(r"i-[0-9a-f]{8,17}")
_RULE = re.compile(r"sgr-[0-9a-f]{8,17}")


@dataclass(frozen=True, slots=True)
class Subject:
    """What the question is about: exactly one of the three is given. `text` is what the operator typed."""

    text: str
    cidr: Cidr | None = None
    instance: InstanceId | None = None
    rule: RuleId | None = None

    @property
    def is_network(self) -> bool:
        """Whether it is more than one address: such a network is admitted by rules, and is no instance's."""
        return self.cidr is not None and not is_host(self.cidr)

    @classmethod
    def parse(cls, text: str) -> "Subject":
        """From an address, a CIDR, an instance id or a rule id. Raises ValueError with examples."""
        text = text.strip()
        if _INSTANCE.fullmatch(text):
            return cls(text, instance=InstanceId(text))
        if _RULE.fullmatch(text):
            return cls(text, rule=RuleId(text))
        try:
            return cls(text, cidr=Cidr(str(ipaddress.ip_network(text, strict=False))))
        except ValueError:
            raise ValueError(
                f"{text!r} is not an address, an instance id or a rule id: give one such as 203.0.113.7,"
                " i-0123456789abcdef0 or sgr-0123456789abcdef0"
            ) from None
