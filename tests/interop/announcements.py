"""The announcement row of a Region, as 0.1.0 finds it in a table: its key, and what 0.1.0 needs of it.

0.1.0 takes any row for a roster unless its Region is `(guard)`. An announcement must therefore read as a roster without
members. In 0.1.0's mirror mode, a Region counts as known once any of its rows is in the table. So the first
announcement of a Region follows its rosters.
"""

from collections.abc import Collection, Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

from ringfence.core.model.identifiers import ANNOUNCEMENT, Region, RosterKey
from ringfence_lab.sim.aws.history import RowWritten, TableRecreated
from ringfence_lab.sim.cloud import Cloud
from ringfence_lab.sim.invocation import Invocation


def announcement(
    region: str,
    *,
    at: int,
    groups: Sequence[str] = ("db",),
    security_groups: Sequence[str] = (),
    ports: str = "auto",
) -> Any:
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
        "groups": {"L": [{"S": group} for group in groups]},
        "targets": {"M": {"sg-0123456789abcdef0": {"M": {"state": {"S": "in-use"}, "since": {"N": "1"}}}}},
        "features": {"L": [{"S": "announcement"}]},
    }


def announced_before_its_rosters(cloud: Cloud, old: Collection[Invocation]) -> Iterator[str]:
    """The announcements that this version wrote into a table without any roster of their Region.

    The invocations of 0.1.0, in `old`, pass rows on in any order after a downgrade.
    """
    rosters: set[tuple[Region, RosterKey]] = set()
    for change in cloud.history:
        if isinstance(change, TableRecreated):
            rosters = {(table, key) for table, key in rosters if table != change.region}
        if not isinstance(change, RowWritten):
            continue
        if change.key.asg != ANNOUNCEMENT:
            rosters.add((change.region, change.key))
        elif change.by not in old and (change.region, change.key.region) not in {
            (table, key.region) for table, key in rosters
        }:
            yield f"{change} precedes the rosters of {change.key.region}"
