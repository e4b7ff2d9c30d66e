"""Judges permissions, and the difference between this machine's clock and AWS's. Pure."""

from collections.abc import Iterator, Mapping

from ringfence.core.model.identifiers import Region
from ringfence_ops.doctor.facts import Grant, RegionFacts, Unread
from ringfence_ops.doctor.finding import Finding, ok, problem, unread, warning
from ringfence_ops.doctor.stack import Expected

SKEW = 5.0
"""Seconds of clock difference that are not reported: AWS's `Date` counts whole seconds, and a response takes time."""

REFUSED_SKEW = 300.0
"""Seconds of clock difference from which AWS refuses a request. Source: IAM User Guide, "Signature Version 4"."""


def check_access(facts: RegionFacts, expected: Expected) -> Iterator[Finding]:
    """All access checks of one Region."""
    yield _clock(facts.access.skew, expected.region)
    yield _own(facts.access.own_grants, expected)
    yield from _engine(facts.access.engine_grants, expected)


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


def _engine(grants: Mapping[tuple[str, Region], Grant] | Unread, expected: Expected) -> Iterator[Finding]:
    region = expected.region
    if isinstance(grants, Unread):
        yield unread("engine's access", region, grants)
        return
    denied: dict[Region, list[str]] = {}
    for (action, target), grant in grants.items():
        if grant is Grant.DENIED:
            denied.setdefault(target, []).append(action)
    for target, actions in denied.items():
        message = f"the engine may not {', '.join(actions)} in {target}"
        # What the template says of the role is compared apart, as drift.
        fix = "look for a permissions boundary of its role, a policy that somebody attached to it, or an SCP"
        yield problem("engine's access", region, message, fix)
    if not denied:
        targets = ", ".join(sorted({target for _, target in grants}))
        yield ok("engine's access", region, f"has all permissions in {targets}")
