"""Saves the audit logs of Regions in a file before their log groups are deleted with their stacks.

Saves every line as it stands, so that nothing is lost that this version cannot read. What an engine writes between the
save and the end of its stack is not in the file. Knows no terminal and no stack.
"""

import heapq
import json
import tempfile
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError

from ringfence.aws.error_codes import is_absent
from ringfence.core.model.identifiers import Region
from ringfence_ops.aws.sessions import Aws, Unreachable
from ringfence_ops.errors import CommandError, WrongUsage
from ringfence_ops.logs.audit_log import log_group
from ringfence_ops.logs.json_values import json_object

TIMEOUT = 1800.0
"""Seconds that reading all logs may take. A page has at most 1 MB, and a log may be a year old."""


@dataclass(frozen=True, slots=True)
class SavedLog:
    """A file with the logs of those of the Regions that have one, and the number of its lines."""

    path: Path
    regions: tuple[Region, ...]
    lines: int


def default_path(cluster: str) -> Path:
    """A file's name that no earlier run has used."""
    return Path(f"ringfence-{cluster}-history-{datetime.now(UTC):%Y%m%dT%H%M%SZ}.jsonl")


def check_new(path: Path) -> None:
    """Raises WrongUsage where the file exists, or its directory does not."""
    if path.exists():
        raise WrongUsage(f"--save-history {path}: the file exists: give another name")
    if not path.parent.is_dir():
        raise WrongUsage(f"--save-history {path}: there is no directory {path.parent}")


def save(aws: Aws, cluster: str, regions: Sequence[Region], path: Path) -> SavedLog | None:
    """Saves the logs, oldest line first. Returns None, and writes no file, where no Region has a log.

    Each line of the file is a JSON object: the time, the engine's Region, and the line of the log, as an object where
    it is one. Raises CommandError where a log cannot be read whole, or the file cannot be written.
    """
    try:
        with tempfile.TemporaryDirectory(dir=path.parent, prefix=".ringfence-history-") as directory:
            parts = {region: Path(directory, region) for region in regions}
            answers = aws.each_region(regions, lambda region: _save_part(aws, cluster, region, parts[region]), TIMEOUT)
            silent = [f"{name}: {answer.reason}" for name, answer in answers.items() if isinstance(answer, Unreachable)]
            if silent:
                raise CommandError("; ".join(silent))
            found = {region: count for region, count in answers.items() if isinstance(count, int)}
            if not found:
                return None
            whole = Path(directory, "whole")
            with whole.open("w", encoding="ascii") as file:
                file.writelines(heapq.merge(*(_lines(parts[region]) for region in found), key=_time))
            whole.rename(path)
    except OSError as error:
        raise CommandError(f"{path} cannot be written: {error.strerror}") from None
    return SavedLog(path, tuple(found), sum(found.values()))


def _save_part(aws: Aws, cluster: str, region: Region, path: Path) -> int | None:
    """Writes one Region's log. Returns the number of lines; None where there is no log."""
    count, group = 0, log_group(cluster)
    try:
        # One short look first: a Region that hangs is found out in seconds.
        aws.client("logs", region).filter_log_events(logGroupName=group, limit=1)
        with path.open("w", encoding="ascii") as file:
            for event in _events(aws.client("logs", region, patient=True), group):
                file.write(_line(event, region))
                count += 1
    except ClientError as error:
        if is_absent(error):
            return None
        raise
    return count


def _events(client: Any, group: str) -> Iterator[dict[str, Any]]:
    end = int(time.time() * 1000) + 60_000
    for page in client.get_paginator("filter_log_events").paginate(logGroupName=group, startTime=0, endTime=end):
        yield from page["events"]


def _line(event: dict[str, Any], region: Region) -> str:
    message = event.get("message", "").rstrip("\n")
    entry = json_object(message)
    at = datetime.fromtimestamp(event["timestamp"] / 1000, UTC).isoformat(timespec="milliseconds")
    return json.dumps({"at": at, "engine": region, "entry": message if entry is None else entry}) + "\n"


def _lines(path: Path) -> Iterable[str]:
    with path.open(encoding="ascii") as file:
        yield from file


def _time(line: str) -> str:
    """The time of a line, which is its first value and always as long."""
    return line.partition(",")[0]
