"""All that is seen of a cluster at one moment: the snapshot of its Regions, and the path of events of each.

Everything is read concurrently, and a part that could not be read is `Unread`. Changes nothing and judges nothing.
Knows no terminal.
"""

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

from ringfence.core.model.identifiers import Region
from ringfence_ops.aws.sessions import Aws, Unreachable
from ringfence_ops.logs.audit_log import LoggedReconcile
from ringfence_ops.state.grants import KnownGrants
from ringfence_ops.state.path import Expected, PathFacts, Queue, StackFacts, Table, Unread
from ringfence_ops.state.path_reading import SERVICES, PathReader
from ringfence_ops.state.snapshot import EngineStatus, Snapshot, take_snapshot

TIMEOUT = 10.0
"""Seconds that reading the path of a Region may take: some twenty concurrent calls, each of which gives up in half of
that."""


@dataclass(frozen=True, slots=True)
class Sight:
    """What was seen, and what the cluster file expects. `paths` has each Region of the cluster."""

    snapshot: Snapshot
    expected: Mapping[Region, Expected]
    paths: Mapping[Region, PathFacts]

    def after(self, region: Region, failure: str | None) -> "Sight":
        """The same, with a reconcile that ended just now. The log shows it some seconds later."""
        path = self.paths[region]
        if not isinstance(path.reconciles, tuple):
            return self
        done = LoggedReconcile(self.snapshot.at, region, ("by hand",), failure)
        return replace(self, paths={**self.paths, region: replace(path, reconciles=(*path.reconciles, done))})


def take_sight(aws: Aws, expected: Mapping[Region, Expected], known_grants: KnownGrants | None = None) -> Sight:
    """Reads every Region. Raises CommandError where there are no credentials."""
    settings = {region: one.settings for region, one in expected.items()}
    aws.prepare(SERVICES, next(iter(expected)))
    grants = known_grants or KnownGrants()

    def read(region: Region) -> PathFacts:
        return PathReader(aws.client, expected[region], list(expected.values()), grants).path()

    with ThreadPoolExecutor(2) as pool:
        taken = pool.submit(take_snapshot, aws, settings, with_engines=False)
        answers = pool.submit(aws.each_region, expected, read, TIMEOUT)
        snapshot = taken.result()
    paths = {
        region: unread_path(answer.reason) if isinstance(answer, Unreachable) else answer
        for region, answer in answers.result().items()
    }
    engines = {region: engine_status(paths[region]) for region in snapshot.regions}
    return Sight(replace(snapshot, engines=engines), expected, paths)


def unread_path(reason: str) -> PathFacts:
    """The path of a Region of which nothing could be read."""
    part = Unread(reason)
    return PathFacts(StackFacts(*[part] * 8), part, part, part, part)


def engine_status(path: PathFacts) -> EngineStatus:
    """The status of the engine, for `status`."""
    queue, dead = path.resources.queue, path.resources.dead_letters
    reconciles = path.reconciles if isinstance(path.reconciles, tuple) else ()
    return EngineStatus(
        isinstance(path.resources.table, Table),
        queue.messages if isinstance(queue, Queue) else None,
        dead.messages if isinstance(dead, Queue) else None,
        reconciles[-1] if reconciles else None,
    )
