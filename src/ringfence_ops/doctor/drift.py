"""Judges drift: what somebody changed or deleted in a stack, and `ringfence deploy` repairs. Pure."""

from collections.abc import Sequence
from dataclasses import replace

from ringfence_ops.doctor.facts import RegionFacts
from ringfence_ops.doctor.finding import Finding, Severity, ok, problem, unread, warning
from ringfence_ops.repair.drift import Repair
from ringfence_ops.state.path import COMPLETE, DeployedStack, Expected, Unread

CHECK = "drift"

_CHECKS = {
    "AWS::AutoScaling::LifecycleHook": "hooks",
    "AWS::CloudWatch::Alarm": "alarms",
    "AWS::DynamoDB::Table": "table",
    "AWS::Events::Rule": "events",
    "AWS::IAM::Policy": "engine's access",
    "AWS::IAM::Role": "engine's access",
    "AWS::Lambda::EventSourceMapping": "queue",
    "AWS::Lambda::Function": "engine",
    "AWS::Logs::LogGroup": "log",
    "AWS::SQS::Queue": "queue",
    "AWS::SQS::QueuePolicy": "queue",
    "AWS::Scheduler::Schedule": "schedule",
}
_OTHER_CHECKS = {"DeadLetterQueue": "dead letters", "ScheduleRole": "schedule"}
"""By logical id, where the type does not tell."""

_HARMLESS = frozenset({"AWS::Logs::LogGroup", "AWS::DynamoDB::Table"})
"""Types whose drift the engine works with, as long as the resource exists."""


def with_drift(findings: Sequence[Finding], facts: RegionFacts, expected: Expected) -> list[Finding]:
    """The findings of a Region with those of its drift.

    What differs explains more than that something is missing, so it replaces the findings of the same check that
    `ringfence deploy` mends, and those that found nothing. A missing permission or true-up is a consequence.
    """
    drift, stack = facts.drift, facts.path.resources.stack
    if drift is None or not (isinstance(stack, DeployedStack) and stack.status in COMPLETE):
        return list(findings)
    if isinstance(drift, Unread):
        return [*findings, unread(CHECK, expected.region, drift)]
    drifted = [_finding(repair, expected) for repair in drift.repairs]
    explained = {finding.check for finding in drifted}
    kept = [
        replace(finding, fix=expected.deploy) if drifted and _is_consequence(finding) else finding
        for finding in findings
        if finding.check not in explained or not (_is_consequence(finding) or finding.fix in ("", expected.deploy))
    ]
    missed = [
        unread(CHECK, expected.region, Unread(f"{resource}: {reason}")) for resource, reason in drift.unread.items()
    ]
    if not drifted and not missed:
        kept = [replace(one, fix=_NOT_OF_ROLE) if _is_refused(one, expected) else one for one in kept]
        missed = [ok(CHECK, expected.region, "nothing in the stack was changed by hand")]
    return [*kept, *drifted, *missed]


_NOT_OF_ROLE = "look for a permissions boundary of the role, a policy that somebody attached to it, or an SCP"


def _is_refused(finding: Finding, expected: Expected) -> bool:
    """Whether a permission is missing although the role is as the template says: no deployment gives it."""
    return finding.check == "engine's access" and finding.fix == expected.deploy


def _is_consequence(finding: Finding) -> bool:
    return finding.severity is not Severity.OK and finding.check in ("engine's access", "schedule", "true-ups")


def _finding(repair: Repair, expected: Expected) -> Finding:
    resource = repair.resource
    check = _OTHER_CHECKS.get(resource.logical_id) or _CHECKS[resource.type]
    is_harmless = resource.type in _HARMLESS and not repair.is_missing
    return (warning if is_harmless else problem)(check, expected.region, repair.message, expected.deploy)
