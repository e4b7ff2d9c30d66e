"""Property 8: the rows of the tables have one writer, and their versions grow."""

from collections.abc import Iterator

from ringfence_lab.sim.aws.history import CloudChange, RowWritten
from ringfence_lab.sim.properties.context import CheckContext


def versions_only_grow(_context: CheckContext, change: CloudChange) -> Iterator[str]:
    """The version of a row only grows, except over a version that no engine can have written."""
    if isinstance(change, RowWritten) and isinstance(change.previous, int) and change.version <= change.previous:
        yield f"{change.by} wrote {change.key} in {change.region} at {change.version} over {change.previous}"


def tombstones_name_instances_of_their_group(context: CheckContext, change: CloudChange) -> Iterator[str]:
    """A row remembers the departure only of instances that its group listed: messages cannot fill it."""
    if not isinstance(change, RowWritten) or change.by is None or change.region != change.key.region:
        return
    roster = context.cloud.regions[change.region].table.rosters.get(change.key)
    for id in roster.departed if roster is not None else ():
        if (change.key, id) not in context.memory.listed:
            yield f"{change.by} wrote a tombstone of {id} into {change.key}, which never listed it"


def rows_are_written_by_their_home(_context: CheckContext, change: CloudChange) -> Iterator[str]:
    """Only the home Region of a row writes it."""
    if isinstance(change, RowWritten) and change.by is not None and change.by.home != change.key.region:
        yield f"{change.by} wrote {change.key} in {change.region}"
