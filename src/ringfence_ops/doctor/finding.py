"""The result of a check: one line, and how to fix what is wrong. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from ringfence.core.model.identifiers import Region
from ringfence_ops.state.path import Unread
from ringfence_ops.state.standing import Reason, State


class Severity(StrEnum):
    """How bad a finding is."""

    OK = "ok"
    WARNING = "warning"  # it works, but an operator should look at it
    PROBLEM = "problem"  # it does not work, or will stop to


@dataclass(frozen=True, slots=True)
class Finding:
    """The result of one check. `region` is None for a finding about all Regions; `fix` says what to do; it is
    empty for OK."""

    check: str
    region: Region | None
    severity: Severity
    message: str
    fix: str = ""


def ok(check: str, region: Region | None, message: str) -> Finding:
    """Nothing is wrong."""
    return Finding(check, region, Severity.OK, message)


def warning(check: str, region: Region | None, message: str, fix: str) -> Finding:
    """An operator should look at it."""
    return Finding(check, region, Severity.WARNING, message, fix)


def problem(check: str, region: Region | None, message: str, fix: str) -> Finding:
    """An operator must fix it."""
    return Finding(check, region, Severity.PROBLEM, message, fix)


def unread(check: str, region: Region, part: Unread) -> Finding:
    """The part could not be read, so it is not judged."""
    return warning(check, region, f"not checked: {part.reason}", "grant the permission to read it, or try again")


def of_reason(region: Region, reason: Reason) -> Finding:
    """A reason why the Region is not in sync, as the finding of the check of the same name."""
    is_problem = reason.state in (State.FAILING, State.OPEN, State.LACKING)
    severity = Severity.PROBLEM if is_problem else Severity.WARNING
    return Finding(reason.part, region, severity, reason.why, reason.fix)


def worst(findings: Iterable[Finding]) -> Severity:
    """The worst severity; OK where there is no finding."""
    order = list(Severity)
    return max((finding.severity for finding in findings), key=order.index, default=Severity.OK)
