"""Judges drift: what somebody changed or deleted in a stack, and `ringfence deploy` repairs. Pure."""

from collections.abc import Sequence
from dataclasses import replace

from ringfence_ops.doctor.facts import RegionFacts
from ringfence_ops.doctor.finding import Finding, Severity, ok, problem, unread, warning
from ringfence_ops.repair.drift import Repair
from ringfence_ops.state.path import COMPLETE, DeployedStack, Expected, Unread

CHECK = "drift"

_HARMLESS = frozenset({"AWS::Logs::LogGroup", "AWS::DynamoDB::Table"})
"""Types whose drift the engine works with, as long as the resource exists."""

_CONSEQUENCES = ("engine's access", "schedule", "true-ups")
"""Checks whose findings drift explains: the repair comes first, whatever else they advise."""

_NOT_OF_ROLE = "look for a permissions boundary of the role, a policy that somebody attached to it, or an SCP"


def with_drift(findings: Sequence[Finding], facts: RegionFacts, expected: Expected) -> list[Finding]:
    """The findings of a Region, and those of its drift. The repair of a drift also fixes what the drift explains."""
    drift, stack = facts.drift, facts.path.resources.stack
    if drift is None or not (isinstance(stack, DeployedStack) and stack.status in COMPLETE):
        return list(findings)
    if isinstance(drift, Unread):
        return [*findings, unread(CHECK, expected.region, drift)]
    if drift.repairs:
        findings = [replace(one, fix=expected.deploy) if _is_consequence(one) else one for one in findings]
    elif not drift.unread:
        nothing = ok(CHECK, expected.region, "nothing in the stack was changed by hand")
        return [*(replace(one, fix=_NOT_OF_ROLE) if _is_refused(one, expected) else one for one in findings), nothing]
    missed = [
        unread(CHECK, expected.region, Unread(f"{resource}: {reason}")) for resource, reason in drift.unread.items()
    ]
    return [*findings, *(_finding(repair, expected) for repair in drift.repairs), *missed]


def _is_refused(finding: Finding, expected: Expected) -> bool:
    """Whether a permission is missing although the role is as the template says: no deployment gives it."""
    return finding.check == "engine's access" and finding.fix == expected.deploy


def _is_consequence(finding: Finding) -> bool:
    return finding.severity is not Severity.OK and finding.check in _CONSEQUENCES


def _finding(repair: Repair, expected: Expected) -> Finding:
    is_harmless = repair.resource.type in _HARMLESS and not repair.is_missing
    return (warning if is_harmless else problem)(CHECK, expected.region, repair.message, expected.deploy)
