"""Judges the pause of a Region: who paused it, and where the pause does not reach. Pure.

Every engine reads its own table only, so the pause counts where it stands. An engine of version 0.1 does not know it:
it leaves a paused peer alone once that peer's engine has announced that it only observes.
"""

from collections.abc import Iterator, Mapping

from ringfence.core.model.identifiers import Region
from ringfence.core.model.pauses import Pause
from ringfence.core.model.rosters import Rows
from ringfence_ops.state.standing import Reason, State

PART = "pause"


def pause_reasons(region: Region, tables: Mapping[Region, Rows]) -> Iterator[Reason]:
    """What the tables of the Regions that answered say of a Region's pause. Nothing if none has it."""
    present = {table: found for table, rows in tables.items() if (found := rows.pause_of(region)) is not None}
    if not present:
        return
    resume = f"ringfence resume {region}"
    own = present.get(region)
    if own is None and region in tables:
        first = _said(next(iter(present.values())))
        why = f"{first}, but only in the table of {', '.join(present)}, so its own engine goes on: {resume} ends it"
        yield Reason(State.PAUSED, PART, why, f"ringfence pause {region}")
    elif region in tables and not knows_pauses(region, tables[region]):
        why = f"{_said(tables[region].pauses[region])}, but its engine of version 0.1 does not know pauses: it goes on"
        yield Reason(State.FAILING, PART, why, f"ringfence deploy {region}")
    else:
        yield Reason(State.PAUSED, PART, _said(own or next(iter(present.values()))), resume)
    for table, rows in tables.items():
        if table not in present and table != region and own is not None and _may_change(region, rows):
            why = f"the table of {table} lacks the pause, so its engine may still change rules in {region}"
            yield Reason(State.PAUSED, PART, why, f"ringfence pause {region}")


def knows_pauses(region: Region, rows: Rows) -> bool:
    """Whether the Region's engine knows pauses, by its rows in its own table. An engine that never ran is a new one.

    A Region that went back to version 0.1 left its announcement behind.
    """
    announcement, rosters = rows.announcement(region), rows.of(region).values()
    if announcement is None:
        return not rosters
    return not any(roster.of_0_1 and roster.updated_at > announcement.updated_at for roster in rosters)


def _may_change(region: Region, rows: Rows) -> bool:
    """Whether a table that lacks the pause says nothing else that keeps its engine from the Region's groups."""
    return any(not roster.observed for roster in rows.of(region).values())


def _said(pause: Pause) -> str:
    return f"{pause} ({pause.problem})" if pause.problem else str(pause)
