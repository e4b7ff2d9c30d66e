"""The announcement row of a Region, as 0.1.0 finds it in a table: its key, and what 0.1.0 needs of it.

0.1.0 takes any row for a roster unless its Region is `(guard)`. An announcement must therefore read as a roster without
members. In 0.1.0's mirror mode, a Region counts as known once any of its rows is in the table. So the first
announcement of a Region follows its rosters.
"""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from ringfence.core.model.identifiers import Region, RosterKey
from ringfence_lab.sim.aws.history import RowWritten, TableRecreated
from ringfence_lab.sim.cloud import Cloud

ANNOUNCEMENT = "(region)"
"""In the key of an announcement, this is in the place of the Auto Scaling group. No group has such a name."""


def announcement(region: str, *, at: int, security_groups: tuple[str, ...] = (), ports: str = "auto") -> Any:
    """The item of an announcement: every attribute of a roster of 0.1.0, and attributes that 0.1.0 does not know.

    `at` is the time, in seconds since the epoch. It is the version, too, as that of every first row.
    """
    return {
        "region": {"S": region},
        "asg": {"S": ANNOUNCEMENT},
        "version": {"N": str(at)},
        "updated_at": {"S": datetime.fromtimestamp(at, UTC).isoformat()},
        "members": {"M": {}},
        "departed": {"M": {}},
        "owed": {"M": {}},
        "security_groups": {"L": [{"S": group} for group in security_groups]},
        "ports": {"S": ports},
        "account": {"S": "123456789012"},
        "observed": {"BOOL": False},
        "engine": {"S": "0.2.0"},
        "auto_scaling_groups": {"L": [{"S": "db"}]},
        "targets": {"M": {"sg-0123456789abcdef0": {"M": {"state": {"S": "in-use"}, "since": {"N": "1"}}}}},
        "features": {"L": [{"S": "announcement"}]},
    }


def announced_before_its_rosters(cloud: Cloud) -> Iterator[str]:
    """The announcements that were written into a table without any roster of their Region."""
    rosters: set[tuple[Region, RosterKey]] = set()
    for change in cloud.history:
        if isinstance(change, TableRecreated):
            rosters = {(table, key) for table, key in rosters if table != change.region}
        if not isinstance(change, RowWritten):
            continue
        if change.key.asg != ANNOUNCEMENT:
            rosters.add((change.region, change.key))
        elif not any(table == change.region and key.region == change.key.region for table, key in rosters):
            yield f"{change} precedes the rosters of {change.key.region}"
