"""Snapshots of Regions with one member, and explanations of subjects from them."""

from dataclasses import replace

from ringfence.core.audit_events import AuditEvent
from ringfence.core.model.addresses import Cidr
from ringfence.core.model.identifiers import InstanceId
from ringfence.core.model.rosters import Rows
from ringfence.core.model.rules import Rule
from ringfence.core.observation import Observation
from ringfence_ops.explain.evidence import Evidence
from ringfence_ops.explain.explanation import Explanation
from ringfence_ops.explain.subject import Subject
from ringfence_ops.state.region_snapshot import RegionSnapshot
from tests.unit.builders import CLUSTER, EAST, GROUP, NOW, WEST, address, instance, label, observed, roster, rule

I1, I2, I3 = (InstanceId(f"i-000000000000000{number}") for number in (1, 2, 3))
OFFICE = Cidr("192.0.2.0/24")
IN_SERVICE = observed({I1: "InService"}, instance(I1, address(1)))
MEMBER = roster({I1: address(1)}, version=3)
DEPARTED = roster({}, {I1: NOW - 40}, version=4)
OWNED = rule("sgr-00000001", address(1), label(I1))


def region(*rules: Rule, rows: Rows, observation: Observation | None = None) -> RegionSnapshot:
    """A Region with these rules in its one security group."""
    return RegionSnapshot({GROUP: rules}, rows, observation or Observation({}, {}))


def explained(
    text: str, *regions: RegionSnapshot, planned_events: tuple[AuditEvent, ...] = (), **fields: object
) -> Explanation:
    """The explanation in a cluster of the east and, with a second Region, the west."""
    evidence = Evidence(CLUSTER, dict(zip((EAST, WEST), regions, strict=False)), planned_events)
    return replace(evidence, **fields).explain(Subject.parse(text))  # type: ignore[arg-type]  # by name
