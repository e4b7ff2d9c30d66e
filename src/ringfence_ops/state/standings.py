"""The one function that decides how each Region of a cluster stands, from all that was seen of it. Pure."""

from collections.abc import Iterator, Mapping

from ringfence.core.model.identifiers import Region
from ringfence_ops.state.content_reasons import content_reasons
from ringfence_ops.state.path_reasons import path_reasons
from ringfence_ops.state.pause_reasons import pause_reasons
from ringfence_ops.state.rule_reasons import rule_reasons
from ringfence_ops.state.sight import Sight
from ringfence_ops.state.standing import Reason, Standing, standing, unreachable
from ringfence_ops.state.true_up_reasons import true_up_reasons


def standings(sight: Sight) -> Mapping[Region, Standing]:
    """How each Region of the cluster stands, in the cluster's order."""
    silent = sight.snapshot.unreachable
    return {
        region: standing(region, _reasons(sight, region), answers=region not in silent) for region in sight.expected
    }


def _reasons(sight: Sight, region: Region) -> Iterator[Reason]:
    path, expected = sight.paths[region], sight.expected[region]
    why = sight.snapshot.unreachable.get(region)
    if why is not None:
        yield unreachable(why)
    if why is None or path.unreachable is None:
        yield from path_reasons(path, expected)
    if why is not None:
        return
    yield from true_up_reasons(path, expected, sight.snapshot.at)
    yield from rule_reasons(sight, region)
    yield from content_reasons(sight, region)
    yield from pause_reasons(region, {name: one.rows for name, one in sight.snapshot.regions.items()})
