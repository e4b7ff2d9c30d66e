"""The one function that decides how each Region of a cluster stands, from all that was seen of it. Pure."""

from collections.abc import Iterator, Mapping

from ringfence.core.model.identifiers import Region
from ringfence_ops.state.path_reasons import path_reasons
from ringfence_ops.state.sight import Sight
from ringfence_ops.state.standing import Reason, Standing, standing, unreachable


def standings(sight: Sight) -> Mapping[Region, Standing]:
    """How each Region of the cluster stands, in the cluster's order."""
    silent = sight.snapshot.unreachable
    return {
        region: unreachable(region, silent[region]) if region in silent else standing(region, _reasons(sight, region))
        for region in sight.expected
    }


def _reasons(sight: Sight, region: Region) -> Iterator[Reason]:
    yield from path_reasons(sight.paths[region], sight.expected[region])
