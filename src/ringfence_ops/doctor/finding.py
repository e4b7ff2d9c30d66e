"""What an examination found: one line for each check, with how to mend what is wrong. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from ringfence.core.model.identifiers import Region
from ringfence_ops.doctor.facts import Unread


class Severity(StrEnum):
    """How bad it is."""

    OK = "ok"
    WARNING = "warning"  # it works; someone should look
    PROBLEM = "problem"  # it does not work, or soon will not


@dataclass(frozen=True, slots=True)
class Finding:
    """One check's outcome. `region` is None where it is about all of them; `mend` says what to do about it."""

    check: str
    region: Region | None
    severity: Severity
    said: str
    mend: str = ""


def ok(check: str, region: Region | None, said: str) -> Finding:
    """All is well."""
    return Finding(check, region, Severity.OK, said)


def warning(check: str, region: Region | None, said: str, mend: str) -> Finding:
    """Someone should look."""
    return Finding(check, region, Severity.WARNING, said, mend)


def problem(check: str, region: Region | None, said: str, mend: str) -> Finding:
    """Someone must mend it."""
    return Finding(check, region, Severity.PROBLEM, said, mend)


def unread(check: str, region: Region, part: Unread) -> Finding:
    """What could not be read cannot be judged."""
    return warning(check, region, f"not checked: {part.reason}", "grant the permission to read it, or try again")


def worst(findings: Iterable[Finding]) -> Severity:
    """The worst of all; OK where there is none."""
    order = list(Severity)
    return max((finding.severity for finding in findings), key=order.index, default=Severity.OK)
