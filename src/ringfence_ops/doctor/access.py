"""Judges the operator's permissions, and the difference between this machine's clock and AWS's. Pure."""

from collections.abc import Iterator, Mapping

from ringfence.core.model.identifiers import Region
from ringfence_ops.doctor.facts import RegionFacts
from ringfence_ops.doctor.finding import Finding, ok, problem, unread, warning
from ringfence_ops.state.path import Expected, Grant, Unread

SKEW = 5.0
"""Seconds of clock difference that are not reported: AWS's `Date` counts whole seconds, and a response takes time."""

REFUSED_SKEW = 300.0
"""Seconds of clock difference from which AWS refuses a request. Source: IAM User Guide, "Signature Version 4"."""


def check_access(facts: RegionFacts, expected: Expected) -> Iterator[Finding]:
    """All access checks of one Region."""
    yield _clock(facts.access.skew, expected.region)
    yield _own(facts.access.own_grants, expected)


def _clock(skew: float | Unread, region: Region) -> Finding:
    if isinstance(skew, Unread):
        return unread("clock", region, skew)
    difference = f"this machine's clock is {abs(skew):.0f} s {'ahead of' if skew > 0 else 'behind'} AWS's"
    if abs(skew) >= REFUSED_SKEW / 2:
        fix = f"set the clock: AWS refuses requests with a difference of {REFUSED_SKEW:.0f} s"
        return problem("clock", region, difference, fix)
    if abs(skew) > SKEW:
        return warning("clock", region, difference, "set the clock: the ages shown here are wrong by this difference")
    return ok("clock", region, "agrees with AWS's")


def _own(grants: Mapping[str, Grant] | Unread, expected: Expected) -> Finding:
    region = expected.region
    if isinstance(grants, Unread):
        return unread("your access", region, grants)
    if denied := [action for action, grant in grants.items() if grant is Grant.DENIED]:
        fix = "grant them to run adopt, retire or sync --local; the engine does not need your permissions"
        return warning("your access", region, f"you may not {', '.join(denied)}", fix)
    return ok("your access", region, "you may change the rules of the groups")
