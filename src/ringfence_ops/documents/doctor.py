"""The document of `ringfence doctor --json`."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from ringfence.core.model.identifiers import Region
from ringfence_ops.doctor.finding import Severity


@dataclass(frozen=True, slots=True)
class FindingItem:
    """The result of one check."""

    check: str
    """The name of the check."""
    region: str | None
    """The Region; null for a finding about all Regions."""
    severity: Severity
    """The severity."""
    said: str
    """What was found."""
    mend: str
    """What to do about it; empty if nothing is wrong."""


@dataclass(frozen=True, slots=True)
class DoctorDocument:
    """What `ringfence doctor --json` prints."""

    schema: Literal["ringfence.doctor/1"] = field(default="ringfence.doctor/1", init=False)
    """The name and version of this document."""
    worst: Severity
    """The worst severity of all findings."""
    findings: Sequence[FindingItem]
    """One item for each check."""
    unreachable: Mapping[Region, str]
    """The Regions that did not answer in time, each with the reason."""
