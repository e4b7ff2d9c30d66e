"""Gives each Region its pass: which groups, which rows, which deadline, and what a failure there means.

Calls interfaces. The home Region's pass covers every owned rule of the cluster in its groups. A peer's pass offers our
rosters to its table first (table before group), and covers the rules of our own rosters only. A peer that has these
rosters already is left to its own engine, unless an instance waits.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

from ringfence.core.configuration.settings import Mode, Settings
from ringfence.core.errors import Conflict, NotAnnounced, NotDeployed, Permanent, Retry, RingfenceError
from ringfence.core.hook_decision import WaitingInstance
from ringfence.core.membership.tombstones import is_watched
from ringfence.core.model.addresses import Cidr
from ringfence.core.model.identifiers import Region, RosterInstance, RosterKey, SecurityGroupId
from ringfence.core.model.ports import Ports
from ringfence.core.model.rosters import Roster, Rows
from ringfence.core.plan import GroupPorts, Scope
from ringfence.core.region_result import RegionResult
from ringfence.reconciler.change_report import ChangeReport
from ringfence.reconciler.converge import Convergence, GuardRecord, RegionAccess
from ringfence.reconciler.interfaces import RegionServices, Rules, Services, Started, run_concurrently
from ringfence.reconciler.request import Request
from ringfence.reconciler.table_rows import (
    announced_groups,
    overtaken,
    refuse_if_lost,
    refuse_if_overtaken,
    replaced_rows,
    strange_rows,
)

DEPLOYMENT_SECONDS = 15 * 60
"""A table that is younger than this is of a deployment that may be in progress. The other resources of a stack take
some minutes, and CloudFormation removes the table of one that fails."""


@dataclass(frozen=True, slots=True)
class PublishedRosters:
    """The home table before and after publishing: the rows as first read, the rows now, and what changed."""

    before: Rows
    rows: Rows
    changed: Mapping[RosterKey, Roster]

    @property
    def has_departures(self) -> bool:
        """Whether an instance departed that was not known to have departed before."""
        return any(
            roster.departed.keys() - (self.before.rosters[key].departed.keys() if key in self.before.rosters else set())
            for key, roster in self.changed.items()
        )

    @property
    def leaving(self) -> dict[RosterInstance, tuple[Cidr, ...]]:
        """The instances that departed just now, with the addresses that they had as members."""
        return {
            (key, id): self.before.rosters[key].members[id].addresses
            for key, roster in self.changed.items()
            if key in self.before.rosters
            for id in roster.departed.keys() & self.before.rosters[key].members.keys()
            if id not in roster.members
        }

    def departed_without(self, held: Rows) -> frozenset[RosterInstance]:
        """The fenced instances whose departure the given rows do not have."""
        return frozenset(
            (key, id)
            for key, roster in self.rows.rosters.items()
            for id in roster.fenced
            if key not in held.rosters or id not in held.rosters[key].departed
        )


@dataclass(frozen=True, slots=True)
class RegionPass:
    """A Region's pass and its result. `convergence` is None if there is nothing to validate."""

    result: RegionResult
    convergence: Convergence | None = None

    def validated(self) -> RegionResult:
        """The result after the rosters were read again. Calls the Region only if it was changed."""
        if self.convergence is None or self.result.error is not None:
            return self.result
        try:
            return self.convergence.validate(self.result)
        except RingfenceError as error:
            return RegionResult(self.result.region, error)


@dataclass(frozen=True, slots=True)
class RegionPasses:
    """The passes of one reconcile over every Region. `waiting` are the instances that wait in a hook for a change."""

    services: Services
    request: Request
    rosters: PublishedRosters
    waiting: Sequence[WaitingInstance] = ()

    def converge(
        self, home_rules: Rules | Permanent | None, early_rules: Mapping[Region, Started[Rules]]
    ) -> dict[Region, RegionPass]:
        """Runs every Region's pass concurrently, so that no Region waits for another.

        `home_rules` are the home Region's rules as observed, or why they could not be read, or None. `early_rules` are
        the readings of peers' rules that are in progress. Raises Conflict if a peer shows that another invocation of
        ours was faster.
        """
        work = [partial(self._home, home_rules)]
        work += [partial(self._peer, region, early_rules.get(region)) for region in self.request.settings.peers]
        passes = {done.result.region: done for done in run_concurrently(self.services.tasks, work)}
        conflicts = [done.result.error for done in passes.values() if isinstance(done.result.error, Conflict)]
        if conflicts:
            versions = {key: version for conflict in conflicts for key, version in conflict.minimum_versions.items()}
            copies = {key: copy for conflict in conflicts for key, copy in conflict.copies.items()}
            raise Conflict("; ".join(map(str, conflicts)), versions, copies)
        return passes

    def validate(self, passes: Mapping[Region, RegionPass]) -> dict[Region, RegionResult]:
        """Reads the rosters of every changed Region again, concurrently. Returns the results that are final."""
        results = run_concurrently(self.services.tasks, [done.validated for done in passes.values()])
        return {result.region: result for result in results}

    def add_only_at_home(self, rules: Rules | Permanent | None) -> RegionResult:
        """The home Region's pass while its table is down: the rows are all there is, and nothing may be removed."""
        if isinstance(rules, Permanent):
            return RegionResult(self.request.home, rules)
        access = self._access(self.request.home, lambda: self.rosters.rows, _no_deadline)
        convergence = self._convergence(self.request.home, self._home_groups(), access)
        return _run(replace(convergence, add_only=True), rules, self.rosters.rows).result

    @property
    def _waited_for(self) -> frozenset[RosterKey]:
        """The rosters for which an instance waits: their peers need a pass whatever they have already."""
        return frozenset(RosterKey(self.request.home, instance.group) for instance in self.waiting)

    @property
    def _releases(self) -> bool:
        """Whether an instance is to be released.

        Then rules that were read before the tables took the rosters are not enough: an overlapping invocation that
        still saw the instance as a member may have added one since.
        """
        return self.rosters.has_departures or any(instance.releases for instance in self.waiting)

    def _home(self, rules: Rules | Permanent | None) -> RegionPass:
        home = self.request.home
        if isinstance(rules, Permanent):
            return RegionPass(RegionResult(home, rules))
        access = self._access(home, self._services(home).table.rows, _no_deadline)
        convergence = self._convergence(home, self._home_groups(), access)
        own = self.rosters.rows.of(home).values()
        # What was read before the table took the rosters, at an unknown time, ends no pending release and no fence.
        is_too_early = self._releases or any(home in roster.pending_releases for roster in own)
        return _run(convergence, None if is_too_early else rules, self.rosters.rows)

    def _peer(self, region: Region, early_rules: Started[Rules] | None) -> RegionPass:
        """A peer's pass, within the peers' deadline."""
        deadline = self.services.clock.now() + self.request.settings.peer_deadline
        try:
            return self._with_newer_groups(self._peer_within(deadline, region, early_rules), region)
        except NotDeployed as error:
            if self.rosters.rows.of(region):
                return RegionPass(RegionResult(region, error))
            return RegionPass(RegionResult(region))  # it never joined the cluster: it has nothing of ours
        except RingfenceError as error:
            return RegionPass(RegionResult(region, error))

    def _peer_within(self, deadline: float, region: Region, early_rules: Started[Rules] | None) -> RegionPass:
        check = partial(self._check, region, deadline)
        home, table = self.request.home, self._services(region).table
        own = self.rosters.rows.of(home)
        now = self.services.clock.now()
        watched = any(is_watched(at, now) for roster in own.values() for at in roster.fenced.values())
        pending = watched or any(region in roster.pending_releases for roster in own.values())
        if self._needs_no_reading(pending=pending):
            held, offered = Rows(), self.rosters.changed
        else:
            held = table.rows_of(home)
            refuse_if_overtaken(region, own, held)
            refuse_if_lost(region, self.request, own, held)
            versions = held.versions()
            offered = {key: roster for key, roster in own.items() if versions.get(key, 0) < roster.version}
        late = self.rosters.departed_without(held) & {(key, id) for key, roster in own.items() for id in roster.fenced}
        # The announcement last: an engine of version 0.1 takes it for a roster, and a Region with one for complete.
        for key, roster in sorted(offered.items(), key=lambda item: (item[0].is_announcement, item[0])):
            check()
            if (version := table.offer(roster)) > roster.version:
                raise overtaken(region, {key: version})
        strange = strange_rows(self.request, self.rosters.rows) or strange_rows(self.request, held, own)
        if not (offered or self._waited_for or pending or strange):
            return RegionPass(RegionResult(region))
        if self.rosters.rows.pause_of(region) is not None:
            return RegionPass(RegionResult(region))  # its own table may not have the pause, and its engine not know it
        check()
        announced = announced_groups(region, self.rosters.rows)
        if not announced:
            its_rows = table.rows_of(region)
            announced = announced_groups(region, its_rows)
            unreadable = any(key.region == region for key in its_rows.bad)
            if not its_rows.of(region) and (unreadable or not self.rosters.rows.of(region)):
                check()
                raise self._not_announced(region, unreadable=unreadable)
        if not announced:
            return RegionPass(RegionResult(region))  # it is in observe mode
        convergence = self._peer_convergence(region, announced, late, check)
        if early_rules is None or self._releases:
            return _run(convergence, None, None)
        return _run(convergence, early_rules.result(), Rows(rosters={**held.rosters, **offered}))

    def _not_announced(self, region: Region, *, unreadable: bool) -> NotAnnounced:
        """A Region whose engine never ran, or whose rows are unreadable. It will start from its table, which has our
        rosters now."""
        age = self.services.clock.now() - self._services(region).table.created_at()
        said = f"{region} has a table of {max(0.0, age):.0f} s, and has not announced its security groups yet"
        if unreadable:
            said = f"no row of {region} in its own table can be trusted, so its security groups are not known"
        said = f"{said}: run `ringfence doctor` if it stays so"
        return NotAnnounced(said, is_new=age < DEPLOYMENT_SECONDS, may_have=unreadable)

    def _with_newer_groups(self, done: RegionPass, region: Region) -> RegionPass:
        """The pass over the groups that the peer has itself announced, if a group that our own table names is gone.

        Our table may have an older announcement than the peer's, or a forged one.
        """
        if not done.result.gone or done.convergence is None:
            return done
        check = done.convergence.access.before_call
        check()
        newer = announced_groups(region, self._services(region).table.rows_of(region))
        if not newer or newer.keys() == done.convergence.groups.keys():
            return done
        return _run(self._peer_convergence(region, newer, done.convergence.late, check), None, None)

    def _peer_convergence(
        self,
        region: Region,
        announced: Mapping[SecurityGroupId, Ports],
        late: frozenset[RosterInstance],
        check: Callable[[], None],
    ) -> Convergence:
        limit, table = self.request.settings.ports, self._services(region).table
        groups = {group: GroupPorts(ports, limit=limit) for group, ports in announced.items()}
        access = self._access(region, partial(table.rows_of, self.request.home), check)
        return replace(self._convergence(region, groups, access), late=late)

    def _needs_no_reading(self, *, pending: bool) -> bool:
        """Whether the peer is offered what changed without being asked first what it has."""
        changed = self.rosters.changed
        return bool(
            self.request.only_lifecycle_events and changed and self._waited_for <= changed.keys() and not pending
        )

    def _check(self, region: Region, deadline: float) -> None:
        if self.services.clock.now() > deadline:
            raise Retry(f"{region} did not do its part within {self.request.settings.peer_deadline} s")

    def _services(self, region: Region) -> RegionServices:
        return self.services.regions[region]

    def _access(self, region: Region, read_rows: Callable[[], Rows], before_call: Callable[[], None]) -> RegionAccess:
        trusted_rows = partial(self._trusted, region, read_rows)
        return RegionAccess(
            self._services(region).security_groups, trusted_rows, before_call, self.services.tasks.sleep
        )

    def _trusted(self, region: Region, read_rows: Callable[[], Rows]) -> Rows:
        """The rows of a Region, if they say of our own groups what we published.

        Nothing would follow from a row that cannot be trusted: its members would count as admitted, and its departed as
        released. Raises Retry if there is one, and Conflict if another caller wrote a row in the place of ours.
        """
        rows = read_rows()
        own = self.rosters.rows.of(self.request.home)
        for key, bad in rows.bad.items():
            if key in own:
                raise Retry(f"another caller changed the row of {key} in {region}: {bad.reason}")
        if replaced := replaced_rows(own, rows):
            raise overtaken(region, replaced)
        return rows

    def _home_groups(self) -> dict[SecurityGroupId, GroupPorts]:
        return dict.fromkeys(self.request.settings.security_groups, GroupPorts(self.request.settings.ports))

    def _convergence(
        self, region: Region, groups: Mapping[SecurityGroupId, GroupPorts], access: RegionAccess
    ) -> Convergence:
        settings, before = self.request.settings, self.rosters.before
        scope = replace(scope_in(region, settings), mode=self.request.configured_mode)
        reports_drift = scope.at_home and not self.request.only_lifecycle_events
        return Convergence(
            region=region,
            groups=groups,
            scope=scope,
            observes=settings.mode is Mode.OBSERVE,
            access=access,
            guard=GuardRecord(
                limits=settings.guard,
                held_before=before.held,
                confirmed=self.request.confirmed,
                hold=self._services(settings.region).table.hold,
            ),
            report=ChangeReport(
                region=region,
                clock=self.services.clock,
                audit=self.services.audit,
                rules_quota=settings.rules_quota,
                known_before=scope.desired(before) if reports_drift else None,
            ),
            just_published=frozenset(self.rosters.changed),
            leaving=self.rosters.leaving,
            launching=frozenset(
                (RosterKey(self.request.home, waiting.group), waiting.instance)
                for waiting in self.waiting
                if waiting.launching
            ),
        )


def _no_deadline() -> None:
    """The home Region has no deadline other than the function's own time-out."""


def scope_in(region: Region, settings: Settings) -> Scope:
    """Which rules the home Region's engine may change in the groups of a Region."""
    return Scope(
        cluster=settings.cluster,
        home=settings.region,
        at_home=region == settings.region,
        regions=settings.regions,
        groups=settings.auto_scaling_groups,
        static_members=settings.static_members,
        mode=settings.mode,
    )


def _run(convergence: Convergence, rules: Rules | None, rows: Rows | None) -> RegionPass:
    try:
        return RegionPass(convergence.run(rules, rows), convergence)
    except RingfenceError as error:
        return RegionPass(RegionResult(convergence.region, error), convergence)


def results_of(passes: Mapping[Region, RegionPass]) -> dict[Region, RegionResult]:
    """The result of each Region's pass."""
    return {region: done.result for region, done in passes.items()}
