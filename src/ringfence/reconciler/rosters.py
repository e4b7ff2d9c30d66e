"""Reads, decides and writes the home Region's own rosters.

Calls interfaces. Knows nothing of rules or of how hooks are answered. What is written must be newer than what was read:
the rows are read before anything is observed, and each write is conditional on the version that was read.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace

from ringfence.core.audit_events import RosterPublished, RowRejected
from ringfence.core.errors import Conflict, Permanent, Retry, RingfenceError
from ringfence.core.hook_decision import WaitingInstance
from ringfence.core.membership.decision import RosterDecision, announced, decide_members, retired
from ringfence.core.membership.tombstones import pruned
from ringfence.core.model.identifiers import ANNOUNCEMENT, InstanceId, Region, RosterKey
from ringfence.core.model.rosters import VERSION_MARGIN, Roster, Rows, RowVersion
from ringfence.core.observation import Observation
from ringfence.core.region_result import RegionResult, newly_fenced, pending_releases
from ringfence.core.without_group import decide_without_group
from ringfence.reconciler.interfaces import Services
from ringfence.reconciler.region_pass import PublishedRosters, scope_in
from ringfence.reconciler.request import Request


class HomeTableDown(Exception):
    """The home Region's table cannot be used at the moment, for the given reason."""

    def __init__(self, reason: Retry) -> None:
        super().__init__(str(reason))
        self.reason = reason


@contextmanager
def _home_table() -> Iterator[None]:
    """Raises HomeTableDown if the table does not answer. A Conflict is an answer."""
    try:
        yield
    except Conflict:
        raise
    except Retry as error:
        raise HomeTableDown(error) from error


def read_home_table(request: Request, services: Services) -> Rows:
    """The home table's rows. Reports those that cannot be trusted. Raises HomeTableDown."""
    with _home_table():
        rows = services.regions[request.home].table.rows()
    scope = scope_in(request.home, request.settings)
    for key, bad in rows.bad.items():
        services.audit(RowRejected(request.home, key, bad.reason, scope.may_be_roster(key, rows)))
    return rows


@dataclass(frozen=True, slots=True)
class RosterDecisions:
    """The rosters that should be stored now, and the instances that need a second look.

    `problems` are to be reported. `errors` are about groups that could not be decided.
    """

    rosters: tuple[Roster, ...]
    look_again: frozenset[InstanceId] = frozenset()
    problems: tuple[str, ...] = ()
    errors: tuple[RingfenceError, ...] = ()


def decide_rosters(request: Request, services: Services, before: Rows, observation: Observation) -> RosterDecisions:
    """The members of each of our groups now. A group that does not exist is an error, not an empty group."""
    settings, home, now = request.settings, request.home, int(services.clock.now())
    decisions: list[RosterDecision] = []
    errors = []
    for name in settings.auto_scaling_groups:
        key = RosterKey(home, name)
        if name in observation.groups:
            roster = before.rosters.get(key, Roster(key))
            decisions.append(decide_members(roster, observation, request.lifecycle_events, now, settings))
            continue
        if key in before.rosters:
            decisions.append(decide_without_group(before.rosters[key], observation, now))
        why = f"the Auto Scaling group {name} does not exist in {home}"
        stays = "its members stay until EC2 says that they are terminated, or does not know them"
        errors.append(Permanent(f"{why}: {stays}; correct the configuration", frozenset({name})))
    own = before.of(home).items()
    names = {*settings.auto_scaling_groups, ANNOUNCEMENT}
    outdated = request.minimum_versions  # a peer has another row at the version of ours
    removed = [roster for key, roster in own if key.asg not in names and (roster.members or key in outdated)]
    # The announcement comes last: an engine of version 0.1 takes it for a roster, and a Region with one for complete.
    announcement = before.rosters.get(RosterKey(home, ANNOUNCEMENT), Roster(RosterKey(home, ANNOUNCEMENT)))
    return RosterDecisions(
        rosters=(
            *(decision.roster for decision in decisions),
            *map(retired, removed),
            announced(announcement, settings),
        ),
        look_again=frozenset[InstanceId]().union(*(decision.look_again for decision in decisions)),
        errors=tuple(errors),
        problems=tuple(problem for decision in decisions for problem in decision.problems),
    )


def publish(request: Request, services: Services, before: Rows, rosters: Sequence[Roster]) -> PublishedRosters:
    """Writes the rosters that changed into the home table.

    Raises Conflict if another invocation was faster, and HomeTableDown.
    """
    versions, now = before.versions(), int(services.clock.now())
    changed: dict[RosterKey, Roster] = {}
    for roster in rosters:
        previous, version_read = before.rosters.get(roster.key), versions.get(roster.key, 0)
        minimum = request.minimum_versions.get(roster.key, 0)
        if previous is not None and roster.says_the_same_as(previous) and version_read >= minimum:
            continue
        # A first version is the time: a table that was made again starts above everything that peers still have.
        version = max(version_read or now, minimum) + 1
        changed[roster.key] = replace(pruned(roster, now), version=version, updated_at=now)
        with _home_table():
            _write(request, services, changed[roster.key], before.version_read(roster.key))
    return PublishedRosters(before, _with(before, changed), changed)


def record_pending_releases(
    request: Request,
    services: Services,
    rosters: PublishedRosters,
    results: Mapping[Region, RegionResult],
    waiting: Sequence[WaitingInstance],
) -> Rows:
    """Records which departed instances which Region may still admit, before any of them is let go.

    Later reconciles retry these releases. Also records which departed instances need a second look: those of which a
    reading did not show all rules, and those of which a peer learnt only now. Returns the rows that are stored now.
    """
    updated: dict[RosterKey, Roster] = {}
    for key, roster in rosters.rows.of(request.home).items():
        waiting_here = frozenset(instance.instance for instance in waiting if instance.group == key.asg)
        pending = pending_releases(roster, rosters.before.rosters.get(key), waiting_here, results)
        now = int(services.clock.now())
        fenced = newly_fenced(roster, rosters.before.rosters.get(key), results.values(), now)
        if pending != roster.pending_releases or fenced != roster.fenced:
            updated[key] = replace(
                roster, pending_releases=pending, fenced=fenced, version=roster.version + 1, updated_at=now
            )
            _write(request, services, updated[key], roster.version)
    return _with(rosters.rows, updated) if updated else rosters.rows


def _with(rows: Rows, written: Mapping[RosterKey, Roster]) -> Rows:
    """The rows after the rosters were written."""
    bad = {key: row for key, row in rows.bad.items() if key not in written}
    return replace(rows, rosters={**rows.rosters, **written}, bad=bad)


def _write(request: Request, services: Services, roster: Roster, version_read: RowVersion) -> None:
    """Writes a roster into the home table.

    A version that is above the bound would not be believed. It can be above by one or two, if another caller wrote the
    highest version that is believed. The bound rises by one each second, so this waits.
    """
    ahead = roster.version - (services.clock.now() + VERSION_MARGIN)
    if ahead > 0:
        services.tasks.sleep(ahead)
    services.regions[request.home].table.replace(roster, version_read)
    services.audit(RosterPublished(roster.key, roster.version, len(roster.members), len(roster.departed)))
