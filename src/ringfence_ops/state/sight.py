"""All that is seen of a cluster at one moment: the snapshot of its Regions, and the path of events of each.

Everything is read concurrently, and a part that could not be read is `Unread`. Changes nothing and judges nothing.
Knows no terminal.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from ringfence.core.model.identifiers import Region
from ringfence_ops.state.path import Expected, PathFacts
from ringfence_ops.state.snapshot import Snapshot


@dataclass(frozen=True, slots=True)
class Sight:
    """What was seen, and what the cluster file expects. `paths` has each Region that answered."""

    snapshot: Snapshot
    expected: Mapping[Region, Expected]
    paths: Mapping[Region, PathFacts]
