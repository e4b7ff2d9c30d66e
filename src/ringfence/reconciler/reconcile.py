"""One reconcile, on one screen: observe, decide, publish, converge, settle.

An event is only a reason to look. The home Region's rosters are read, then its Auto Scaling groups and instances are
observed; from both follows who the members are now. What changed is written into the home Region's table and offered
to every peer's; then each Region's security groups are brought to what that Region's own table says. Every waiting
hook whose instance is admitted or released is answered, whether or not an event named it. All state is in AWS.

Knows no AWS client, no environment and no logger: it calls ports and writes a journal.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import field, replace
from functools import partial

from ringfence.core.audit_events import (
    EventIgnored,
    Problem,
    RegionFailed,
    RosterPublished,
    RowRejected,
    StaleDoor,
)
from ringfence.core.errors import Conflict, Permanent, Retry, RingfenceError
from ringfence.core.events import Event, Ignored, Launching, LifecycleEvent, Terminating, TrueUp
from ringfence.core.hook_decision import WaitingInstance, waiting
from ringfence.core.membership import next_roster, pruned, retired
from ringfence.core.model.identifiers import Region, RosterKey, SecurityGroupId
from ringfence.core.model.rosters import Roster, Rows
from ringfence.core.observation import Observation
from ringfence.core.region_result import RegionResult, debts
from ringfence.core.settings import Mode, Settings
from ringfence.reconciler.converge import Rules
from ringfence.reconciler.hook_completion import let_go, settle_hooks
from ringfence.reconciler.interfaces import RosterTable, SecurityGroups, Services, Started, gather
from ringfence.reconciler.region_pass import Turn, Turns, groups_of
from ringfence.records import dataclass

ATTEMPTS = 5
"""How often a reconcile observes anew when another invocation overtakes it, before it is left to redelivery."""


def reconcile(events: Sequence[Event], services: Services, settings: Settings) -> None:
    """Does all that the events ask for, and all that was left undone before.

    Raises Retry where the same events should be delivered again, and Permanent where someone must mend something
    first; either way everything that could be done has been done.
    """
    relevant = []
    for event in events:
        if isinstance(event, Launching | Terminating) and event.group not in settings.auto_scaling_groups:
            services.audit(EventIgnored(event.id, f"{event.group} is none of this Region's groups"))
        elif isinstance(event, Ignored):
            services.audit(EventIgnored(event.id, event.reason))
        else:
            relevant.append(event)
    if settings.mode is Mode.OBSERVE:
        let_go([event for event in relevant if isinstance(event, Launching | Terminating)], services, settings)
    standing: dict[RosterKey, int] = {}
    for _ in range(ATTEMPTS if relevant else 0):
        try:
            _Attempt(tuple(relevant), services, settings, dict(standing)).run()
        except Conflict as conflict:
            standing |= {key: max(version, standing.get(key, 0)) for key, version in conflict.standing.items()}
        else:
            return
    if relevant:
        raise Retry(f"other invocations overtook this one {ATTEMPTS} times in a row")


class _HomeTableDown(Exception):
    """The home Region's table cannot be used just now, for the reason given."""

    def __init__(self, reason: Retry) -> None:
        super().__init__(str(reason))
        self.reason = reason


@dataclass(slots=True)
class _Attempt:
    """One attempt at a reconcile. `standing` are versions that ours must have reached, since peers hold others."""

    events: tuple[LifecycleEvent | TrueUp, ...]
    services: Services
    settings: Settings
    standing: Mapping[RosterKey, int]
    problems: list[RingfenceError] = field(default_factory=list)

    def run(self) -> None:
        """Observe, decide, publish, converge, settle."""
        try:
            with self.on_home_table():
                before = self.read()
            early = self.start_reading_peers(before)
            seen_at = self.services.clock.now()
            seen, rules = self.observe(before)
            rosters = self.decide(before, seen)
            with self.on_home_table():
                changed = self.publish(before, rosters)
        except _HomeTableDown as down:
            self.admit_without_table(down.reason)
            raise down.reason from down
        rows = replace(before, rosters={**before.rosters, **changed})
        waits = self.waits(seen, seen_at)
        turns = self.converge(before, rows, changed, waits, rules, early)
        # A launch is answered before the Regions are validated: its rules are in, and a rule of a roster that its
        # Region's table holds is removed by nobody. A termination waits: an invocation that read an older roster may
        # have put its rule back.
        self.settle((one for one in waits if one.launching), rows, turns)
        turns = self.validate(turns)
        rows = self.record_debts(before, rows, turns, waits)
        self.settle((one for one in waits if not one.launching), rows, turns)
        self.report(rows, turns, waits)

    @property
    def lifecycle_events(self) -> list[LifecycleEvent]:
        """The lifecycle events among the events."""
        return [event for event in self.events if isinstance(event, Launching | Terminating)]

    @property
    def hurry(self) -> bool:
        """Whether only lifecycle events started this, so that a peer most likely lacks just what changed now."""
        return not self.standing and not any(isinstance(event, TrueUp) for event in self.events)

    @property
    def terminating(self) -> bool:
        """Whether it is known already that rules must be read once the tables have taken the rosters, not before."""
        return any(isinstance(event, Terminating) for event in self.events)

    def read(self) -> Rows:
        """The home table's rows, before anything is observed: what is written must be newer than what was read."""
        rows = self.table.rows()
        for key, bad in rows.bad.items():
            self.services.audit(RowRejected(self.settings.region, key, bad.reason))
        return rows

    def start_reading_peers(self, before: Rows) -> dict[Region, Started[Rules]]:
        """Starts to read the peers' rules, which a launch will need. Nothing at home waits for them."""
        if not self.hurry or self.terminating:
            return {}
        known = {region: tuple(groups_of(region, before)) for region in self.settings.peers}
        return {
            region: self.services.tasks.start(partial(self.services.regions[region].security_groups.rules, groups))
            for region, groups in known.items()
            if groups
        }

    def observe(self, before: Rows) -> tuple[Observation, Rules | Permanent | None]:
        """The home Region as it is now. Raises Retry where it cannot be described: unknown is not absent."""
        home, settings, start = self.services.home, self.settings, self.services.tasks.start
        groups = start(partial(home.auto_scaling.groups, settings.auto_scaling_groups))
        described = start(partial(home.instances.of_groups, settings.auto_scaling_groups))
        security_groups = self.services.regions[settings.region].security_groups
        read_rules = partial(_rules_or_error, security_groups, settings.security_groups)
        rules = None if self.terminating else start(read_rules)
        listed, instances = groups.result(), dict(described.result())
        relevant = {id for states in listed.values() for id in states}
        relevant |= {id for roster in before.of(settings.region).values() for id in roster.members}
        relevant |= {event.instance for event in self.lifecycle_events}
        if missing := relevant - instances.keys():
            instances |= home.instances.by_id(sorted(missing))
        return Observation(listed, instances), None if rules is None else rules.result()

    def decide(self, before: Rows, seen: Observation) -> list[Roster]:
        """Who the members of each of our groups are now."""
        settings, now = self.settings, int(self.services.clock.now())
        rosters = []
        for name in settings.auto_scaling_groups:
            key = RosterKey(settings.region, name)
            if name in seen.groups:
                previous = before.rosters.get(key)
                rosters.append(next_roster(key, previous, seen, self.lifecycle_events, now, settings))
            else:
                why = f"the Auto Scaling group {name} does not exist in {settings.region}"
                self.problem(Permanent(f"{why}: nothing was removed; correct the configuration", frozenset({name})))
        own = before.of(settings.region).items()
        left = (roster for key, roster in own if key.asg not in settings.auto_scaling_groups and roster.members)
        return rosters + [retired(roster) for roster in left]

    def publish(self, before: Rows, rosters: Sequence[Roster]) -> dict[RosterKey, Roster]:
        """Writes what changed into the home table, and returns it. Raises Conflict where another one was faster."""
        versions, now = before.versions(), int(self.services.clock.now())
        changed: dict[RosterKey, Roster] = {}
        for roster in rosters:
            previous, standing = before.rosters.get(roster.key), versions.get(roster.key, 0)
            overtaken = standing < self.standing.get(roster.key, 0)
            if previous is not None and roster.says_the_same_as(previous) and not overtaken:
                continue
            # A first version is the time: where a table was made anew, it is newer than whatever the peers still hold.
            version = max(standing or now, self.standing.get(roster.key, 0)) + 1
            changed[roster.key] = replace(pruned(roster, now), version=version, updated_at=now)
            self.write(changed[roster.key], standing)
        return changed

    def waits(self, seen: Observation, seen_at: float) -> list[WaitingInstance]:
        """Everybody that waits for our answer. Where Ringfence only observes, those of the events were let go."""
        told = [] if self.settings.mode is Mode.OBSERVE else self.lifecycle_events
        return waiting(seen, told, seen_at)

    def converge(
        self,
        before: Rows,
        rows: Rows,
        changed: Mapping[RosterKey, Roster],
        waits: Sequence[WaitingInstance],
        rules: Rules | Permanent | None,
        early: Mapping[Region, Started[Rules]],
    ) -> dict[Region, Turn]:
        """Gives every Region its turn at a time, so that none waits for another. Raises Conflict where a peer shows
        that another invocation of ours was faster."""
        confirmed = frozenset(event.confirm for event in self.events if isinstance(event, TrueUp) and event.confirm)
        waited_for = frozenset(RosterKey(self.settings.region, one.group) for one in waits)
        departing = any(
            roster.departed.keys() - (before.rosters[key].departed.keys() if key in before.rosters else set())
            for key, roster in changed.items()
        )
        releases = departing or any(not one.launching for one in waits)
        turns = Turns(self.services, self.settings, before, rows, changed, self.hurry, waited_for, confirmed, releases)
        work = [partial(turns.home, rules)]
        work += [partial(turns.peer, region, early.get(region)) for region in self.settings.peers]
        done = {turn.outcome.region: turn for turn in gather(self.services.tasks, work)}
        conflicts = [turn.outcome.error for turn in done.values() if isinstance(turn.outcome.error, Conflict)]
        if conflicts:
            standing = {key: version for conflict in conflicts for key, version in conflict.standing.items()}
            raise Conflict("; ".join(map(str, conflicts)), standing)
        return done

    def validate(self, turns: Mapping[Region, Turn]) -> dict[Region, Turn]:
        """Reads the rosters of every Region that was changed once more."""
        validated = gather(self.services.tasks, [turn.validated for turn in turns.values()])
        return {turn.outcome.region: turn for turn in validated}

    def settle(self, waits: Iterable[WaitingInstance], rows: Rows, turns: Mapping[Region, Turn]) -> None:
        """Answers the hooks of those that are admitted or released."""
        outcomes = {region: turn.outcome for region, turn in turns.items()}
        for error in settle_hooks(waits, rows, outcomes, self.services, self.settings):
            self.problem(error)

    def record_debts(
        self, before: Rows, rows: Rows, turns: Mapping[Region, Turn], waits: Sequence[WaitingInstance]
    ) -> Rows:
        """Writes down which departed instances which peer may still admit, before anybody is let go."""
        outcomes = {region: turns[region].outcome for region in self.settings.peers}
        updated: dict[RosterKey, Roster] = {}
        for key, roster in rows.of(self.settings.region).items():
            waiting_here = frozenset(one.instance for one in waits if one.group == key.asg)
            owed = debts(roster, before.rosters.get(key), waiting_here, outcomes)
            if owed != roster.owed:
                now = int(self.services.clock.now())
                updated[key] = replace(roster, owed=owed, version=roster.version + 1, updated_at=now)
                self.write(updated[key], roster.version)
        return replace(rows, rosters={**rows.rosters, **updated}) if updated else rows

    def report(self, rows: Rows, turns: Mapping[Region, Turn], waits: Sequence[WaitingInstance]) -> None:
        """Journals what is left undone, and raises where someone must act: first what a redelivery can mend."""
        home, now = self.settings.region, self.services.clock.now()
        held = {one.instance for one in waits}
        doors = [
            (region, id, roster.departed.get(id, now))
            for roster in rows.of(home).values()
            for region, ids in roster.owed.items()
            for id in ids
        ]
        for region, id, departed_at in sorted(doors):
            if id not in held:
                self.services.audit(StaleDoor(region, id, max(0.0, now - departed_at)))
        for region, turn in turns.items():
            if turn.outcome.error is not None:
                owed = sum(region == debtor for debtor, _, _ in doors)
                self.services.audit(RegionFailed(region, region == home, str(turn.outcome.error), owed))
        if (error := turns[home].outcome.error) is not None:
            self.problems.append(error)
        self.refuse_unknown_groups()
        for kind in (Retry, RingfenceError):
            for problem in self.problems:
                if isinstance(problem, kind):
                    raise problem

    def refuse_unknown_groups(self) -> None:
        """A person who names a group that is none of ours should hear of it."""
        ours = self.settings.auto_scaling_groups
        for event in self.events:
            if isinstance(event, TrueUp) and event.group and event.group not in ours:
                self.problem(Permanent(f"{event.group} is none of this Region's groups: {', '.join(ours)}"))

    def admit_without_table(self, reason: Retry) -> None:
        """The home table is down: instances that wait to launch are admitted at home, and nothing is removed.

        What the peers lack follows from the redelivery of the events, once the table is back. Whose address is that of
        an instance which just left waits for it: that one's rule may be removed by an invocation that had the table,
        and cannot learn from it that somebody else has the address now.
        """
        seen_at = self.services.clock.now()
        seen, rules = self.observe(Rows())
        waits = [one for one in self.waits(seen, seen_at) if one.launching]
        rosters = {}
        for roster in self.decide(Rows(), seen):
            joining = {one.instance for one in waits if one.group == roster.key.asg}
            members = {id: member for id, member in roster.members.items() if id in joining}
            rosters[roster.key] = replace(roster, members=members)
        rows = Rows(rosters=rosters)
        turns = Turns(self.services, self.settings, rows, rows, {}, True, frozenset(), frozenset(), releases=False)
        failed = {region: Turn(RegionResult(region, reason)) for region in self.settings.peers}
        self.settle(waits, rows, {**failed, self.settings.region: turns.home(rules, add_only=True)})

    @property
    def table(self) -> RosterTable:
        return self.services.regions[self.settings.region].table

    def write(self, roster: Roster, standing_version: int) -> None:
        self.table.replace(roster, standing_version)
        self.services.audit(RosterPublished(roster.key, roster.version, len(roster.members), len(roster.departed)))

    @contextmanager
    def on_home_table(self) -> Iterator[None]:
        try:
            yield
        except Conflict:
            raise
        except Retry as error:
            raise _HomeTableDown(error) from error

    def problem(self, error: RingfenceError) -> None:
        self.problems.append(error)
        self.services.audit(Problem(str(error)))


def _rules_or_error(security_groups: SecurityGroups, groups: Sequence[SecurityGroupId]) -> Rules | Permanent:
    """The rules; a group that does not exist is the home Region's problem alone, the peers still have their turn."""
    try:
        return security_groups.rules(groups)
    except Permanent as error:
        return error
