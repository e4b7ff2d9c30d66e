"""An operator's pause of a Region: as long as it lasts, no engine changes the Region's security groups.

Pure. The row that has it is written by `ringfence pause` only. No engine may write it (IAM), and none deletes it.
"""

from dataclasses import dataclass
from datetime import UTC, datetime

from ringfence.core.model.identifiers import Region


@dataclass(frozen=True, slots=True)
class Pause:
    """Whether a Region is paused, by whom, why, and since when (epoch seconds).

    After `ringfence resume`, `is_over` is true, and the rest says who resumed the Region, and when. What the row does
    not say is empty or 0, and `problem` says why. A row that cannot be read is a pause all the same: somebody wanted no
    rule to change, and a wrong word is no reason to go on.
    """

    region: Region
    by: str = ""
    reason: str = ""
    since: int = 0
    is_over: bool = False
    problem: str = ""

    def __str__(self) -> str:
        """In one line, for the log and for reports: who, since when, and why."""
        at = f"{datetime.fromtimestamp(self.since, UTC):%Y-%m-%d %H:%M:%S} UTC" if self.since else "an unknown time"
        what = "was resumed at" if self.is_over else "is paused since"
        why = f": {self.reason}" if self.reason else ""
        return f"{self.region} {what} {at} by {self.by or 'an unknown caller'}{why}"
