"""Judges what a Region's table holds besides its state: what peers announce, and who made rules without an owner.

Anyone with PutItem can write a row, so nothing of a row is taken for granted here. Pure.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from itertools import islice

from ringfence.core.model.identifiers import Region, SecurityGroupId
from ringfence.core.model.ports import Ports
from ringfence.core.model.rosters import Rows
from ringfence.core.plan import GroupPorts
from ringfence.reconciler.table_rows import announced_groups
from ringfence_ops.doctor.facts import RegionFacts
from ringfence_ops.doctor.finding import Finding, ok, problem, unread, warning
from ringfence_ops.state.path import Expected, Unread
from ringfence_ops.state.unowned_rules import UnownedRule

SHOWN = 20
"""Maximum findings of one check in a Region: a caller that can write one row can write a thousand."""


def check_rows(facts: Sequence[RegionFacts], expected: Mapping[Region, Expected]) -> Iterator[Finding]:
    """All checks of the tables of the Regions that answered. `expected` has every Region of the cluster."""
    by_region = {region.region: region for region in facts}
    for region in facts:
        rows, own = region.content.rows, expected[region.region]
        if isinstance(rows, Unread):
            yield unread("announcements", region.region, rows)
        elif rows is not None:
            announced = _announcements(rows, own, expected, by_region)
            yield from _some("announcements", region.region, announced, "the peers announce what the cluster file says")
            yield from _unowned(region)


def _some(check: str, region: Region, findings: Iterator[Finding], fine: str) -> Iterator[Finding]:
    """The first findings and the number of the others; or that nothing is wrong."""
    first = list(islice(findings, SHOWN))
    yield from first or [ok(check, region, fine)]
    if more := sum(1 for _ in findings):
        yield warning(check, region, f"{more} more of these", first[-1].fix)


def _announcements(
    rows: Rows, own: Expected, expected: Mapping[Region, Expected], facts: Mapping[Region, RegionFacts]
) -> Iterator[Finding]:
    for peer, its in expected.items():
        if peer == own.region:
            continue
        for group, ports in sorted(announced_groups(peer, rows).items()):
            if group not in its.settings.security_groups:
                message = f"{peer} announces {group}, which the cluster file does not name"
                fix = f"ringfence deploy {peer}: its engine then replaces the row"
                yield warning("announcements", own.region, message, fix)
            elif refused := _refused(group, ports, own, facts.get(peer)):
                message = f"{peer} announces {group} with {refused}, which are not our ports: they are not opened"
                fix = "give all Regions the same ports in the cluster file, then run ringfence deploy"
                yield warning("announcements", own.region, message, fix)


def _refused(group: SecurityGroupId, ports: Ports, own: Expected, peer: RegionFacts | None) -> str:
    """The announced ports that are not ours. With `auto`, the rules of the peer's group tell."""
    groups = peer.groups.security_groups if peer is not None else None
    known = groups.get(group) if isinstance(groups, Mapping) else None
    if known is None and not (ports.explicit and own.settings.ports.explicit):
        return ""
    rules = known.rules if known is not None else ()
    return ", ".join(map(str, GroupPorts(ports, limit=own.settings.ports).refused(group, rules)))


def _unowned(facts: RegionFacts) -> Iterator[Finding]:
    if isinstance(facts.content.unowned, Unread):
        yield unread("owners", facts.region, facts.content.unowned)
        return
    findings = (problem("owners", facts.region, _said(unowned), unowned.fix) for unowned in facts.content.unowned)
    yield from _some("owners", facts.region, findings, "each rule with our label has an owner")


def _said(unowned: UnownedRule) -> str:
    origin = unowned.origin
    since = "age unknown" if origin is None else f"since {_minute(origin.at)} UTC, by {origin.by}"
    return f"{unowned.rule} in {unowned.group} admits {unowned.opening} ({since}): {unowned.why}"


def _minute(at: float) -> str:
    return f"{datetime.fromtimestamp(at, UTC):%Y-%m-%d %H:%M}"
