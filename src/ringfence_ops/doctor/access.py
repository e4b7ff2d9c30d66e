"""Judges who may do what, and whether clocks agree. Pure."""

from collections.abc import Iterator, Mapping

from ringfence.core.model.identifiers import Region
from ringfence_ops.doctor.facts import Chart, Grant, Unread
from ringfence_ops.doctor.finding import Finding, ok, problem, unread, warning
from ringfence_ops.doctor.stack import Expected

SKEW = 5.0
"""Seconds by which clocks may differ unremarked: AWS's `Date` counts whole seconds, and an answer takes its time."""

REFUSED_SKEW = 300.0
"""Seconds from which AWS refuses a request as not signed just now. Source: IAM User Guide, "Signature Version 4"."""


def check_access(chart: Chart, expected: Expected) -> Iterator[Finding]:
    """Every check of one Region."""
    yield _clock(chart.skew, expected.region)
    yield _own(chart.own_grants, expected)
    yield from _engine(chart.engine_grants, expected)


def _clock(skew: float | Unread, region: Region) -> Finding:
    if isinstance(skew, Unread):
        return unread("clock", region, skew)
    off = f"this machine's clock is {abs(skew):.0f} s {'ahead of' if skew > 0 else 'behind'} AWS's"
    if abs(skew) >= REFUSED_SKEW / 2:
        return problem("clock", region, off, f"set it: AWS refuses requests that are {REFUSED_SKEW:.0f} s off")
    if abs(skew) > SKEW:
        return warning("clock", region, off, "set it: the ages shown here are wrong by as much")
    return ok("clock", region, "agrees with AWS's")


def _own(grants: Mapping[str, Grant] | Unread, expected: Expected) -> Finding:
    region = expected.region
    if isinstance(grants, Unread):
        return unread("your access", region, grants)
    if denied := [action for action, grant in grants.items() if grant is Grant.DENIED]:
        mend = "grant them if you mean to run adopt, retire or sync --local; the engine does not need yours"
        return warning("your access", region, f"you may not {', '.join(denied)}", mend)
    return ok("your access", region, "you may change the rules of the groups")


def _engine(grants: Mapping[tuple[str, Region], Grant] | Unread, expected: Expected) -> Iterator[Finding]:
    region = expected.region
    if isinstance(grants, Unread):
        yield unread("engine's access", region, grants)
        return
    denied: dict[Region, list[str]] = {}
    for (action, where), grant in grants.items():
        if grant is Grant.DENIED:
            denied.setdefault(where, []).append(action)
    for where, actions in denied.items():
        said = f"the engine may not {', '.join(actions)} in {where}"
        yield problem("engine's access", region, said, f"{expected.deploy}; then look for a boundary or an SCP")
    if not denied:
        places = ", ".join(sorted({region for _, region in grants}))
        yield ok("engine's access", region, f"may do all it needs in {places}")
