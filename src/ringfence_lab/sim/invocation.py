"""One run of one Region's engine: the caller of every call and the author of every change that an engine makes.

A plain record. It must not know what the engine calls, or what the cloud is.
"""

from dataclasses import dataclass, field

from ringfence.core.audit_events import AuditEvent
from ringfence.core.errors import RingfenceError
from ringfence.core.model.identifiers import Region, SecurityGroupId


@dataclass(slots=True, eq=False, repr=False)
class Invocation:
    """One run of one Region's engine.

    `disturbed` holds each service of a Region that failed or delayed a call. `misled` is true once a describe was
    stale. `read_old_rules` are the security groups whose rules were shown as they were earlier.
    `audit_events` is what the engine reports. `started` is in seconds since the epoch. `calls` counts the calls.
    """

    number: int
    home: Region
    started: float
    audit_events: list[AuditEvent] = field(default_factory=list)
    disturbed: set[tuple[Region, str]] = field(default_factory=set)
    misled: bool = False
    read_old_rules: set[SecurityGroupId] = field(default_factory=set)
    killed: bool = False
    ended: bool = False
    error: RingfenceError | None = None
    calls: int = 0

    def reached(self, region: Region) -> bool:
        """Whether the Region answered every call without a fault."""
        return all(region != disturbed for disturbed, _ in self.disturbed)

    @property
    def running(self) -> bool:
        """Whether it can still make calls."""
        return not (self.ended or self.killed)

    def __repr__(self) -> str:
        return f"#{self.number} {self.home}"
