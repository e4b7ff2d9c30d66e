"""Reads and writes the pauses in the tables of a cluster, as the operator.

Each Region's engine reads its own table only. So a pause is written into every table: the Region's own, which stops its
engine, and the others', which stop theirs from changing the Region's security groups. Knows no terminal.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from ringfence.aws.assembly import region_services, table_name
from ringfence.aws.pause_item import pause_to_item
from ringfence.core.errors import NotDeployed
from ringfence.core.model.identifiers import Region
from ringfence.core.model.pauses import Pause
from ringfence.core.model.rosters import Rows
from ringfence_ops.aws.answer_time import answered_at
from ringfence_ops.aws.sessions import Aws, Unreachable
from ringfence_ops.errors import CommandError
from ringfence_ops.state.pause_reasons import knows_pauses

TIMEOUT = 10.0
"""Seconds that reading or writing all tables may take."""


@dataclass(frozen=True, slots=True)
class Author:
    """Who pauses or resumes, as STS names the caller, and when, by AWS's clock."""

    arn: str
    at: int


@dataclass(frozen=True, slots=True)
class Tables:
    """The rows of each table that answered. `missing` are the Regions without a table: no engine works there."""

    rows: Mapping[Region, Rows]
    missing: tuple[Region, ...] = ()
    unreachable: Mapping[Region, str] = field(default_factory=dict)

    def of(self, region: Region) -> dict[Region, Pause]:
        """The pause of a Region in each table that has it, while it lasts."""
        return {table: pause for table, rows in self.rows.items() if (pause := rows.pause_of(region)) is not None}

    @property
    def old_engines(self) -> list[Region]:
        """The Regions whose engines are of version 0.1, which does not know pauses."""
        return [region for region, rows in self.rows.items() if not knows_pauses(region, rows)]


@dataclass(frozen=True, slots=True)
class Written:
    """What a command wrote: the pause or the end of it, the tables that have it now, and why others have it not.

    `was_so` says that nothing had to be written.
    """

    pause: Pause
    tables: tuple[Region, ...]
    failed: Mapping[Region, str]
    was_so: bool = False


def author(aws: Aws, regions: Sequence[Region]) -> Author:
    """The caller, from the first Region that answers. Raises CommandError where none does."""
    reasons = {}
    for region in regions:
        (answer,) = aws.each_region([region], lambda region: _author(aws, region)).values()
        if isinstance(answer, Author):
            return answer
        reasons[region] = answer.reason
    raise CommandError(f"no Region says who is asking: {'; '.join(f'{at}: {why}' for at, why in reasons.items())}")


def _author(aws: Aws, region: Region) -> Author:
    response = aws.client("sts", region).get_caller_identity()
    return Author(str(response["Arn"]), int(answered_at(response)))


def read_tables(aws: Aws, cluster: str, regions: Sequence[Region]) -> Tables:
    """The rows of each Region's table."""
    aws.prepare(("dynamodb", "ec2"), regions[0])
    answers = aws.each_region(regions, lambda region: _read(aws, cluster, region), TIMEOUT)
    found = {region: answer for region, answer in answers.items() if not isinstance(answer, Unreachable)}
    return Tables(
        {region: rows for region, rows in found.items() if rows is not None},
        tuple(region for region, rows in found.items() if rows is None),
        {region: answer.reason for region, answer in answers.items() if isinstance(answer, Unreachable)},
    )


def _read(aws: Aws, cluster: str, region: Region) -> Rows | None:
    """The rows of a Region's table, or None if it has no table."""
    try:
        return region_services(aws.client, region, table_name(cluster)).table.rows()
    except NotDeployed:
        return None


def write_pause(aws: Aws, cluster: str, region: Region, tables: Tables, wanted: Pause) -> Written:
    """Writes the pause into each table that lacks it. If a table has one already, that one is written."""
    present = tables.of(region)
    readable = sorted((one for one in present.values() if not one.problem), key=lambda one: one.since)
    kept = readable[0] if readable else wanted
    lacking = [table for table in tables.rows if table not in present or present[table].problem]
    failed = _write(aws, cluster, lacking, kept)
    have = tuple(table for table in tables.rows if table not in failed)
    return Written(kept, have, {**tables.unreachable, **failed}, was_so=not lacking)


def write_end(aws: Aws, cluster: str, region: Region, tables: Tables, by: Author) -> Written:
    """Ends the Region's pause in each table that has it."""
    present = list(tables.of(region))
    over = Pause(region, by.arn, since=by.at, is_over=True)
    failed = _write(aws, cluster, present, over)
    have = tuple(table for table in tables.rows if table not in failed)
    return Written(over, have, {**tables.unreachable, **failed}, was_so=not present)


def _write(aws: Aws, cluster: str, regions: Iterable[Region], wanted: Pause) -> dict[Region, str]:
    """Writes the row into the tables. Returns why it failed, for each where it did."""

    def write(region: Region) -> None:
        client = aws.client("dynamodb", region, patient=True)
        client.put_item(TableName=table_name(cluster), Item=pause_to_item(wanted))

    answers = aws.each_region(regions, write, TIMEOUT)
    return {region: answer.reason for region, answer in answers.items() if isinstance(answer, Unreachable)}
