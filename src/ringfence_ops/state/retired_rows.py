"""Deletes the rows of a retired Region from the table of another one, with the operator's permissions.

No engine does that: each writes its own Region's rows only. Knows no terminal.
"""

from ringfence.core.errors import Conflict, NotDeployed
from ringfence.core.model.identifiers import Region
from ringfence.reconciler.interfaces import RosterTable

ATTEMPTS = 4
"""Maximum number of reads of the rows where they change during every attempt."""


def delete_rows(table: RosterTable, retired: Region, *, only_bad: bool = False) -> int:
    """Deletes the retired Region's rosters and its announcement; with `only_bad`, the rows that cannot be trusted.

    Returns the number of rows deleted; 0 where there is no table. Raises Conflict where an engine still writes them.
    """
    deleted = 0
    for attempt in range(1, ATTEMPTS + 1):
        try:
            rows = table.rows_of(retired)
            for key in rows.bad if only_bad else rows.versions():
                table.delete(key, rows.version_read(key))
                deleted += 1
        except NotDeployed:
            return deleted
        except Conflict as conflict:
            if attempt == ATTEMPTS:
                raise Conflict(f"an engine still writes the rows of {retired}: {conflict}", {}) from conflict
        else:
            break
    return deleted
