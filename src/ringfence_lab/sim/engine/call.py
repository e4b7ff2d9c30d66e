"""A call of an engine to a service, as it was made. It must not know what the call does."""

from dataclasses import dataclass

from ringfence.core.model.identifiers import Region
from ringfence_lab.sim.invocation import Invocation


@dataclass(slots=True, eq=False)
class Call:
    """A call as it was made, at `at` seconds since the epoch.

    `outcome` is `ok`, the effect of a fault, or the name of the error that the service answered with. `zones` are the
    Availability Zones that the answer depends on.
    """

    invocation: Invocation
    region: Region
    service: str
    operation: str
    mutating: bool
    at: float
    outcome: str = "ok"
    zones: frozenset[str] = frozenset()

    def __str__(self) -> str:
        return f"{self.invocation} {self.region} {self.service}:{self.operation} {self.outcome}"
