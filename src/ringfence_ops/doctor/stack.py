"""Shows how a Region stands, check by check: each reason why it is not in sync is a finding, and what has none is fine.

Judges nothing but what is unusual and works. Pure.
"""

from collections.abc import Iterator, Mapping, Sequence

from ringfence.core.lifecycle import HookResult
from ringfence.core.model.identifiers import Region
from ringfence.core.model.rosters import Rows
from ringfence.core.plan import managed_ports
from ringfence_ops.doctor.facts import RegionFacts
from ringfence_ops.doctor.finding import Finding, of_reason, ok, warning
from ringfence_ops.plurals import counted
from ringfence_ops.state.content_reasons import engine_of
from ringfence_ops.state.path import Expected, Queue, ScalingGroup
from ringfence_ops.state.path_reasons import wanted_hooks
from ringfence_ops.state.standing import Standing


def check_standing(facts: RegionFacts, expected: Expected, standing: Standing) -> Iterator[Finding]:
    """All checks of how one Region stands, in the order of the path of events."""
    fine = dict(_fine(facts, expected))
    has_stack = facts.path.resources.stack is not None
    for part, said in fine.items():
        reasons = standing.of(part)
        yield from (of_reason(expected.region, reason) for reason in reasons)
        if part == "hooks" and not reasons:
            yield from _retained(facts, expected)
        if not reasons and (has_stack or part not in _IN_STACK):
            yield ok(part, expected.region, said)
    # The check of owners says more of these: who made them.
    others = [reason for reason in standing.reasons if reason.part not in fine and reason.part != "owners"]
    yield from (of_reason(expected.region, reason) for reason in others)


_IN_STACK = {
    *("stack", "engine", "engine's access", "events", "queue", "dead letters", "schedule", "true-ups", "table"),
    "hooks",
}


def _fine(facts: RegionFacts, expected: Expected) -> Iterator[tuple[str, str]]:
    """Every check with what it says if nothing is wrong."""
    resources, settings = facts.path.resources, expected.settings
    yield "stack", f"{expected.name} is deployed as the cluster file says"
    yield "engine", "runs with the cluster file's settings"
    yield "engine's access", f"has all permissions in {', '.join(sorted(settings.regions))}"
    yield "events", "lifecycle events go to the queue"
    waiting = resources.queue.messages if isinstance(resources.queue, Queue) else 0
    yield "queue", f"invokes the function; {counted(waiting, 'message')} waiting"
    yield "dead letters", "none"
    yield "schedule", f"sends a true-up: {expected.schedule}"
    reconciles = facts.path.reconciles if isinstance(facts.path.reconciles, tuple) else ()
    age = max(0, round(facts.at - reconciles[-1].at)) if reconciles else 0
    yield "true-ups", f"the last reconcile succeeded {age} s ago"
    yield "table", "exists, with the right keys"
    yield "hooks", f"{', '.join(settings.auto_scaling_groups)} waits for the engine{_beside(facts, expected)}"
    yield "groups", _groups(facts, expected)
    yield "addresses", "each instance in service has one"
    yield "rules", "exactly the members are admitted"
    yield "rosters", "every Region has the same"
    yield "rows", "each row is of a group and readable"


def _beside(facts: RegionFacts, expected: Expected) -> str:
    groups = facts.path.scaling_groups
    hooks = [len(group.hooks) for group in groups.values()] if isinstance(groups, Mapping) else []
    others = sum(hooks) - len(hooks) * len(wanted_hooks(expected))
    return f", beside {counted(others, 'other hook')}" if others > 0 else ""


def _groups(facts: RegionFacts, expected: Expected) -> str:
    groups = facts.groups.security_groups
    if not isinstance(groups, Mapping):
        return ", ".join(expected.settings.security_groups)
    managed = {id: managed_ports(expected.settings.ports, id, group.rules) for id, group in groups.items()}
    return "; ".join(f"{id} is tagged; managed on {', '.join(map(str, ports))}" for id, ports in managed.items())


def _retained(facts: RegionFacts, expected: Expected) -> Iterator[Finding]:
    """Source: Amazon EC2 Auto Scaling User Guide, "Configure instance retention"."""
    groups = facts.path.scaling_groups
    retaining: list[ScalingGroup] = (
        [group for group in groups.values() if group.retains] if isinstance(groups, Mapping) else []
    )
    if expected.parameters.get("TerminateDefaultResult") != HookResult.ABANDON.value:
        return
    for group in retaining:
        message = (
            f"{group.name} has an instance lifecycle policy that retains what is abandoned (TerminateHookAbandon), and"
            " terminate_default_result is ABANDON: an instance whose termination gets no answer runs on"
        )
        fix = f'write terminate_default_result = "CONTINUE", then {expected.deploy}'
        yield warning("hooks", expected.region, message, fix)


def check_versions(facts: Sequence[RegionFacts], standings: Mapping[Region, Standing]) -> Iterator[Finding]:
    """The engines' version, if it is the same everywhere. If it is not, each Region says so."""
    rows = {one.region: one.content.rows for one in facts}
    versions = {engine_of(found, region) for region, found in rows.items() if isinstance(found, Rows)}
    if len(versions) == 1 and not any(standing.of("engines") for standing in standings.values()):
        yield ok("engines", None, f"all have version {versions.pop()}")
