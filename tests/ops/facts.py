"""The facts of a healthy Region, with changes, and what `doctor` finds in them."""

from collections.abc import Sequence
from dataclasses import fields, replace
from typing import Any

from ringfence.core.model.identifiers import ANNOUNCEMENT, Region, RosterKey, SecurityGroupId
from ringfence.core.model.rosters import Roster
from ringfence_ops.doctor.access import check_access
from ringfence_ops.doctor.facts import AccessFacts, GroupFacts, RegionFacts, SecurityGroup, TableContent
from ringfence_ops.doctor.finding import Finding
from ringfence_ops.doctor.rows import check_rows
from ringfence_ops.doctor.security_groups import check_groups, check_room
from ringfence_ops.doctor.stack import check_standing
from ringfence_ops.logs.audit_log import LoggedReconcile
from ringfence_ops.state.path import Expected, Grant, Hook, ScalingGroup
from ringfence_ops.state.path_reasons import path_reasons
from ringfence_ops.state.standing import standing
from ringfence_ops.state.true_up_reasons import true_up_reasons
from tests.ops.paths import DEAD, ENVIRONMENT, EXPECTED, HOOKS, PARAMETERS, QUEUE, path
from tests.unit.builders import (
    DB,
    EAST,
    GROUP,
    I1,
    I2,
    NOW,
    WEST,
    WEST_DB,
    address,
    instance,
    label,
    roster,
    rows,
    rule,
    settings,
)

__all__ = ["DEAD", "ENVIRONMENT", "EXPECTED", "HOOKS", "PARAMETERS", "QUEUE"]

SELF = replace(rule("sgr-self", None), source_group=GROUP)
ADMITTED = rule("sgr-1", address(1), label(I1))
WEST_GROUP = SecurityGroupId("sg-00000002")
EXPECTED_WEST = Expected(settings(region=WEST, security_groups=(WEST_GROUP,)), PARAMETERS)


def announcement(region: Region, **fields: Any) -> Roster:
    """What a Region announces: its one Auto Scaling group, and its security group."""
    groups = {"security_groups": (GROUP,), "groups": frozenset({DB.asg}), **fields}
    return Roster(RosterKey(region, ANNOUNCEMENT), 5, **groups)


def security_group(*rules: Any, **tags: str) -> dict[Any, SecurityGroup]:
    """The one security group, tagged as the cluster's."""
    return {GROUP: SecurityGroup(GROUP, {"ringfence-cluster": "demo", **tags}, rules or (SELF, ADMITTED))}


def scaling_group(
    maximum: int = 4, hooks: Sequence[Hook] = HOOKS, state: str = "InService", *, retains: bool = False
) -> dict[str, ScalingGroup]:
    """The one Auto Scaling group, with one instance."""
    return {DB.asg: ScalingGroup(DB.asg, maximum, {I1: state}, tuple(hooks), retains)}


ROWS = rows(
    roster({I1: address(1)}),
    roster({I2: address(2)}, key=WEST_DB),
    announcement(EAST),
    announcement(WEST, security_groups=(WEST_GROUP,)),
)
HEALTHY = RegionFacts(
    region=EAST,
    at=NOW,
    path=path(reconciles=(LoggedReconcile(NOW - 30, EAST, ("schedule now",)),)),
    groups=GroupFacts(
        security_groups=security_group(),
        instances={I1: instance(I1, address(1))},
    ),
    changes=(),
    access=AccessFacts(skew=0.4, own_grants={"ec2:AuthorizeSecurityGroupIngress": Grant.ALLOWED}),
    content=TableContent(ROWS),
)


def facts(**changes: Any) -> RegionFacts:
    """The east's facts: healthy, except for the changes, each by the name of its part."""
    changed: dict[str, Any] = {}
    for part in ("groups", "access", "content"):
        values = getattr(HEALTHY, part)
        named = {field.name: changes.pop(field.name) for field in fields(values) if field.name in changes}
        changed[part] = replace(values, **named)
    own = {name: changes.pop(name) for name in list(changes) if name in ("region", "at", "changes")}
    return replace(HEALTHY, **changed, **own, path=path(**{"reconciles": HEALTHY.path.reconciles, **changes}))


def findings_of(region: RegionFacts, expected: Expected = EXPECTED) -> list[Finding]:
    """The findings of all checks of one Region, as far as its path of events tells how it stands."""
    reasons = [*path_reasons(region.path, expected), *true_up_reasons(region.path, expected, region.at)]
    found = [*check_standing(region, expected, standing(expected.region, reasons))]
    found += [*check_groups(region, expected), *check_access(region, expected)]
    found += check_rows([region], {expected.region: expected, WEST: EXPECTED_WEST})
    return [*found, *check_room([region], [expected])]
