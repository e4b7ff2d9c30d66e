"""The pauses of one history: an operator pauses and resumes Regions, as `ringfence pause` and `ringfence resume` do.

The commands write into the table of every Region, one after the other. A table that does not answer then lacks the row.
It must not know what a pause does.
"""

import random
from collections.abc import Iterable

from ringfence.core.model.identifiers import Region
from ringfence.core.model.pauses import Pause
from ringfence_lab.emulator.partition import PARTITION
from ringfence_lab.sim.cloud import Cloud

PAUSES_IN = 0.15
"""The share of the histories in which operators pause and resume Regions."""
WRITTEN_IN_PART = 0.2
"""The share of the commands that reach some tables only."""
OPERATOR = f"arn:{PARTITION}:iam::111122223333:user/operator"


class Pauses:
    """The pauses of one history. `happen` says whether it has any."""

    def __init__(self, cloud: Cloud, chance: random.Random) -> None:
        self.happen = chance.random() < PAUSES_IN
        self._cloud = cloud
        self._chance = chance

    def pause_or_resume(self, region: Region) -> str:
        """Pauses the Region, or resumes it if a table has its pause. Does nothing where no table exists."""
        tables = [name for name, found in self._cloud.regions.items() if found.table.exists]
        if not tables:
            return ""
        if self._chance.random() < WRITTEN_IN_PART:
            tables = self._chance.sample(tables, self._chance.randint(1, len(tables)))
        is_over = bool(self._paused_in(region))
        self._write(region, tables, is_over=is_over)
        return f"an operator {'resumes' if is_over else 'pauses'} {region} in {', '.join(tables)}"

    def resume_all(self) -> None:
        """Ends every pause, in every table."""
        for region in self._cloud.regions:
            self._write(region, self._paused_in(region), is_over=True)

    def _paused_in(self, region: Region) -> list[Region]:
        """The tables that have a pause of the Region."""
        return [
            name
            for name, found in self._cloud.regions.items()
            if found.table.exists and (pause := found.table.pauses.get(region)) is not None and not pause.is_over
        ]

    def _write(self, region: Region, tables: Iterable[Region], *, is_over: bool) -> None:
        now = int(self._cloud.clock.now())
        for table in tables:
            self._cloud.regions[table].table.pause(Pause(region, OPERATOR, since=now, is_over=is_over))

    def __str__(self) -> str:
        return "operators pause Regions" if self.happen else "no pauses"
