"""Gives each Region its turn: which groups, which rows, which deadline, and what a failure there means.

Part of the shell: it calls ports. The home Region's turn covers every owned rule of the cluster in its groups. A peer's
turn offers it our rosters first (table before group) and covers the rules of our own rosters alone; a peer that holds
them already, while no hook waits, is left to its own engine.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial

from ringfence.core.errors import Conflict, NotDeployed, Permanent, Retry, RingfenceError
from ringfence.core.model.addresses import Cidr
from ringfence.core.model.identifiers import Region, RosterKey, SecurityGroupId
from ringfence.core.model.ports import Ports
from ringfence.core.model.rosters import Roster, Rows
from ringfence.core.model.rules import Label
from ringfence.core.plan import Scope
from ringfence.core.region_result import RegionResult
from ringfence.core.settings import Settings
from ringfence.reconciler.converge import Convergence, Rules
from ringfence.reconciler.interfaces import RegionServices, Services, Started
from ringfence.records import dataclass


@dataclass(frozen=True, slots=True)
class Turn:
    """A Region's turn and how it stands. `convergence` is None where there is nothing to validate."""

    outcome: RegionResult
    convergence: Convergence | None = None

    def validated(self) -> "Turn":
        """The turn after its rosters were read once more. Calls the Region only if it was changed."""
        if self.convergence is None or self.outcome.error is not None:
            return self
        try:
            return Turn(self.convergence.validate(self.outcome), self.convergence)
        except RingfenceError as error:
            return Turn(RegionResult(self.outcome.region, error), self.convergence)


@dataclass(frozen=True, slots=True)
class Turns:
    """The turns of one reconcile. `before` are the home table's rows as first read, `rows` those that stand now.

    `changed` are the rosters that were published just now. `hurry` says that only lifecycle events started this: then
    a peer is offered what changed without being asked first what it holds. `waited_for` are the rosters of which an
    instance waits, so that the peers must have their turn whatever they hold. `confirmed` are the digests of held
    removals that an operator approves.

    `releases` says that an instance is to be released. Then rules that were read before the tables took the rosters
    do not do: an overlapping invocation that still saw the instance as a member may have put one there since.
    """

    services: Services
    settings: Settings
    before: Rows
    rows: Rows
    changed: Mapping[RosterKey, Roster]
    hurry: bool
    waited_for: frozenset[RosterKey]
    confirmed: frozenset[str]
    releases: bool

    def home(self, rules: Rules | Permanent | None, add_only: bool = False) -> Turn:
        """The home Region's turn, from the rules as they were observed (or why they could not be), if they were.

        With `add_only` the Region's table is not asked: the rows are all there is, and nothing may be removed.
        """
        region = self.settings.region
        if isinstance(rules, Permanent):
            return Turn(RegionResult(region, rules))
        groups = dict.fromkeys(self.settings.security_groups, self.settings.ports)
        known_before = None if self.hurry else scope_in(region, self.settings).desired(self.before)
        convergence = self._convergence(region, groups, self._ports(region).table.rows, _never, known_before)
        if add_only:
            convergence = replace(convergence, add_only=True, read_rows=lambda: self.rows)
        return _run(convergence, None if self.releases else rules, self.rows)

    def peer(self, region: Region, early: Started[Rules] | None) -> Turn:
        """A peer's turn, under the peers' deadline. `early` is a reading of its rules that is under way."""
        deadline = self.services.clock.now() + self.settings.peer_deadline
        try:
            return self._peer(region, early, deadline)
        except NotDeployed as error:
            if self.rows.of(region):
                return Turn(RegionResult(region, error))
            return Turn(RegionResult(region))  # it never joined: nothing of ours can be there
        except RingfenceError as error:
            return Turn(RegionResult(region, error))

    def _peer(self, region: Region, early: Started[Rules] | None, deadline: float) -> Turn:
        check = partial(self._check, region, deadline)
        home, table = self.settings.region, self._ports(region).table
        own = self.rows.of(home)
        owed = any(region in roster.owed for roster in own.values())
        if self.hurry and self.changed and self.waited_for <= self.changed.keys() and not owed:
            held, offered = Rows(), self.changed
        else:
            held = table.rows_of(home)
            _refuse_if_overtaken(region, own, held)
            versions = held.versions()
            offered = {key: roster for key, roster in own.items() if versions.get(key, 0) < roster.version}
        for key, roster in offered.items():
            check()
            if (standing := table.offer(roster)) > roster.version:
                raise _overtaken(region, {key: standing})
        if not (offered or self.waited_for or owed):
            return Turn(RegionResult(region))
        check()
        groups = groups_of(region, self.rows) or groups_of(region, table.rows_of(region))
        if not groups:
            return Turn(
                RegionResult(region)
            )  # its engine has never run, and will start from the table, or only observes
        convergence = self._convergence(region, groups, partial(table.rows_of, home), check)
        if early is None or self.releases:
            return _run(convergence, None, None)
        return _run(convergence, early.result(), Rows(rosters={**held.rosters, **offered}))

    def _check(self, region: Region, deadline: float) -> None:
        if self.services.clock.now() > deadline:
            raise Retry(f"{region} did not do its part within {self.settings.peer_deadline} s")

    def _ports(self, region: Region) -> RegionServices:
        return self.services.regions[region]

    def _convergence(
        self,
        region: Region,
        groups: Mapping[SecurityGroupId, Ports],
        read_rows: Callable[[], Rows],
        before_call: Callable[[], None],
        known_before: Mapping[Cidr, Label] | None = None,
    ) -> Convergence:
        return Convergence(
            region=region,
            security_groups=self._ports(region).security_groups,
            groups=groups,
            scope=scope_in(region, self.settings),
            read_rows=read_rows,
            limits=self.settings.guard,
            rules_quota=self.settings.rules_quota,
            held_before=self.before.held,
            confirmed=self.confirmed,
            hold=self._ports(self.settings.region).table.hold,
            clock=self.services.clock,
            audit=self.services.audit,
            before_call=before_call,
            known_before=known_before,
            just_published=frozenset(self.changed),
        )


def _never() -> None:
    """The home Region has no deadline but the function's own."""


def scope_in(region: Region, settings: Settings) -> Scope:
    """Whose rules the home Region's engine may change in the groups of a Region."""
    return Scope(
        cluster=settings.cluster,
        home=settings.region,
        at_home=region == settings.region,
        regions=settings.regions,
        groups=settings.auto_scaling_groups,
        static_members=settings.static_members,
        mode=settings.mode,
    )


def groups_of(region: Region, rows: Rows) -> dict[SecurityGroupId, Ports]:
    """A Region's security groups with the ports each is managed on, as its own rosters announce them; none of them
    where the Region is only observed."""
    rosters = [roster for roster in rows.of(region).values() if not roster.observed]
    return {group: roster.ports for roster in rosters for group in roster.security_groups}


def _refuse_if_overtaken(region: Region, own: Mapping[RosterKey, Roster], held: Rows) -> None:
    """Raises Conflict where a peer holds a newer row of ours than we do, or another one at the same version: another
    invocation wrote it, or the home table was made anew and counts from one again. A row that cannot be trusted must
    be replaced by a newer one, too."""
    standing = {}
    for key, version in held.versions().items():
        if key not in own or version < own[key].version:
            continue
        if version > own[key].version:
            standing[key] = version
        elif key in held.bad or not held.rosters[key].says_the_same_as(own[key]):
            standing[key] = version + 1
    if standing:
        raise _overtaken(region, standing)


def _overtaken(region: Region, standing: Mapping[RosterKey, int]) -> Conflict:
    return Conflict(f"{region} holds a newer roster: {', '.join(map(str, standing))}", standing)


def _run(convergence: Convergence, rules: Rules | None, rows: Rows | None) -> Turn:
    try:
        return Turn(convergence.run(rules, rows), convergence)
    except RingfenceError as error:
        return Turn(RegionResult(convergence.region, error))
