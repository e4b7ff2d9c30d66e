"""Property 11: while a Region is paused, no rule changes there or by its engine, and no instance of it waits."""

from collections.abc import Iterator

from ringfence.core.lifecycle import WAITING
from ringfence.core.model.identifiers import Region
from ringfence_lab.sim.aws.history import CloudChange, LabelChanged, RuleMade, RuleRevoked
from ringfence_lab.sim.invocation import Invocation
from ringfence_lab.sim.properties.context import CheckContext


def paused_regions_stay_as_they_are(context: CheckContext, change: CloudChange) -> Iterator[str]:
    """An engine whose table has a Region's pause changes no rule there, and none anywhere if the Region is its own.

    Exception: an engine whose table does not answer cannot know, and may admit its own instances at home.
    """
    if not isinstance(change, RuleMade | RuleRevoked | LabelChanged) or change.by is None:
        return
    by = change.by
    if isinstance(change, RuleMade) and change.region == by.home and (by.home, "dynamodb") in by.disturbed:
        return
    for region in dict.fromkeys((change.region, by.home)):
        if _was_paused(context, region, by):
            yield f"{by} changed {change.rule} in {change.region}, and {region} is paused"


def paused_regions_hold_no_instance(context: CheckContext, by: Invocation) -> Iterator[str]:
    """An undisturbed reconcile of a paused Region leaves no instance waiting that waited when it began."""
    if not by.calls or by.error is not None or not _was_paused(context, by.home, by):
        return
    for group in context.cloud.regions[by.home].groups.values():
        for id, state in group.listed().items():
            instance = group.instances.get(id)
            if instance is None or state not in WAITING or state != instance.state:
                continue
            if all(action.began + group.inactive_seconds < by.started for action in instance.waits.values()):
                yield f"{by} left {id} in {state}, and its Region is paused"


def _was_paused(context: CheckContext, region: Region, by: Invocation) -> bool:
    """Whether the invocation's own table had the Region's pause before it began, and has it still."""
    pause = context.cloud.regions[by.home].table.pauses.get(region)
    since = context.memory.paused.get((by.home, region))
    return pause is not None and not pause.is_over and since is not None and since < by.started
