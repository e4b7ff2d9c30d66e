"""Judges what is in a Region: its rules and rosters, its instances, and what a reconcile would do now.

Pure. The dry run of the engine tells what is missing and what is too much; this module gives it a name and a remedy.
"""

from collections.abc import Iterator, Sequence

from ringfence.core.audit_events import HookHeld, Problem, RegionFailed, RuleRefused
from ringfence.core.configuration.settings import Mode
from ringfence.core.errors import Refusal
from ringfence.core.lifecycle import WAITING, Phase, phase_of
from ringfence.core.membership.addresses import admitted_of, reachable_by
from ringfence.core.model.identifiers import ANNOUNCEMENT, InstanceId, Region, RosterKey, SecurityGroupId
from ringfence.core.model.rosters import Rows
from ringfence.core.plan import managed_ports
from ringfence.core.rule_count import count_rules
from ringfence_ops.state.changes import Action, Change, digest, guard_holds
from ringfence_ops.state.path import Expected, Function, Table
from ringfence_ops.state.region_snapshot import RegionSnapshot
from ringfence_ops.state.row_reasons import row_reasons
from ringfence_ops.state.sight import Sight
from ringfence_ops.state.standing import Reason, State
from ringfence_ops.state.true_up_reasons import PERIODS, SLACK, first_due, next_due, time_of_day
from ringfence_ops.state.unowned_rules import reported

SHOWN = 5
"""Maximum reasons of one kind in a Region; one more says how many there are."""

QUOTA = '"Inbound or outbound rules per security group" (L-0EA8095F)'
"""The quota of a security group's rules, as Service Quotas names it."""


def content_reasons(sight: Sight, region: Region) -> Iterator[Reason]:
    """Why the Region's rules, rosters and instances are not in sync."""
    yield from _Content(sight, region).reasons()


class _Content:
    """The judgement of one Region that answered."""

    def __init__(self, sight: Sight, region: Region) -> None:
        self.sight, self.region = sight, region
        self.expected: Expected = sight.expected[region]
        self.settings = self.expected.settings
        self.seen: RegionSnapshot = sight.snapshot.regions[region]
        self.dry_run = sight.snapshot.dry_runs.get(region)
        self.events = self.dry_run.audit_events if self.dry_run is not None else ()
        self.planned = [change for change in sight.snapshot.planned if change.region == region]
        self.due = first_due(sight.paths[region], self.expected, sight.snapshot.at)

    def reasons(self) -> Iterator[Reason]:
        """All reasons."""
        yield from self._reconcile()
        yield from self._ports()
        yield from self._zones()
        yield from self._rows()
        yield from self._peers()
        yield from _some("owners", list(self._owners()))
        yield from _some("stale doors", list(self._stale_doors()))
        yield from self._room()
        yield from self._addresses()
        yield from self._rules()
        yield from self._guard()
        yield from _some("instances", list(self._waiting()))
        yield from self._rosters()
        yield from self._versions()
        if self.settings.mode is Mode.OBSERVE:
            yield Reason(State.OBSERVED, "mode", "nothing is changed: the mode is observe", self._owned())

    def _owned(self) -> str:
        return f'write mode = "owned" into the cluster file, then {self.expected.deploy}'

    def _reconcile(self) -> Iterator[Reason]:
        failure = self.dry_run.failure if self.dry_run is not None else None
        if failure is not None:
            yield Reason(State.FAILING, "reconcile", f"a reconcile would fail: {failure}", self.expected.sync)
        for event in self.events:
            if isinstance(event, Problem) and event.what not in (failure or ""):
                yield Reason(State.FAILING, "reconcile", event.what, self.expected.sync)

    def _ports(self) -> Iterator[Reason]:
        for group, rules in self.seen.rules.items():
            if rules and not managed_ports(self.settings.ports, group, rules):
                fix = (
                    f"add a rule to {group} whose source is the group itself, or write the ports into the cluster file,"
                    f" then {self.expected.deploy}"
                )
                why = f"{group} admits itself on no port, so `auto` finds no port to open"
                yield Reason(State.FAILING, "groups", why, fix)

    def _zones(self) -> Iterator[Reason]:
        for zone in self.seen.failing_zones:
            where = zone.zone or "no zone that a group lists"
            why = f"{_count(len(zone.instances), 'instance')} in {where} that EC2 does not describe: {zone.error}"
            yield Reason(State.UNKNOWN, "zones", why, "see AWS's health dashboard: what was known of them stays")

    def _rows(self) -> Iterator[Reason]:
        yield from _some("rows", list(row_reasons(self.seen.rows, self.expected, self.sight.expected)))

    def _addresses(self) -> Iterator[Reason]:
        """Instances in service that no group admits, because they have no address, or EC2 does not show them."""
        described, unknown = self.seen.observation.instances, self.seen.observation.undescribed
        serving = [
            id
            for states in self.seen.observation.groups.values()
            for id, state in states.items()
            if phase_of(state) in (Phase.SERVING, Phase.REPLACING) and id not in unknown
        ]
        kinds = " or ".join(sorted(kind.value for kind in self.settings.address_kinds))
        without = [id for id in serving if id in described and not admitted_of(described[id], self.settings)]
        if without:
            named = [f"{id} (it has {of})" if (of := reachable_by(described[id])) else id for id in without]
            fix = "assign an address in the launch template, or name other kinds in the cluster file"
            why = f"{', '.join(named)}: no {kinds} address, so no group admits it"
            yield Reason(State.LACKING, "addresses", why, fix)
        if unseen := [id for id in serving if id not in described]:
            why = f"{', '.join(unseen)}: in service, and EC2 does not show it, so its addresses are not known"
            yield Reason(State.UNKNOWN, "addresses", why, "ringfence status again: EC2's answer was old")

    def _peers(self) -> Iterator[Reason]:
        """Peers that the engine here could not bring up to date. One that does not answer says so itself."""
        for event in self.events:
            if not isinstance(event, RegionFailed) or event.at_home or self._speaks_for_itself(event.region):
                continue
            why = f"{event.region} cannot be brought up to date from here: {event.error}"
            peer, path = self.sight.expected.get(event.region), self.sight.paths.get(event.region)
            due = first_due(path, peer, self.sight.snapshot.at) if path is not None and peer is not None else None
            if due is not None:
                why = f"the first true-up of {event.region} is due by {time_of_day(due)} UTC"
                yield Reason(State.WAITING, "peers", why, f"ringfence sync {event.region}")
            else:
                yield Reason(State.FAILING, "peers", why, f"ringfence doctor, then ringfence sync {event.region}")

    def _speaks_for_itself(self, peer: Region) -> bool:
        path = self.sight.paths.get(peer)
        return path is None or peer in self.sight.snapshot.unreachable or path.resources.stack is None

    def _owners(self) -> Iterator[Reason]:
        for unowned in reported(self.sight.snapshot.audit_events):
            if unowned.region == self.region:
                why = f"{unowned.rule} in {unowned.group} admits {unowned.opening}: {unowned.why}"
                yield Reason(State.OPEN, "owners", why, unowned.fix)

    def _stale_doors(self) -> Iterator[Reason]:
        at_hook = {id for id, _, _ in self._at_hooks()}
        for roster in self.seen.rows.of(self.region).values():
            for peer, instances in sorted(roster.pending_releases.items()):
                for instance in sorted(instances - at_hook):
                    why = f"{peer} may still admit {instance}, which has departed"
                    yield Reason(State.OPEN, "stale doors", why, self.expected.sync)

    def _room(self) -> Iterator[Reason]:
        """Security groups without room for a member: what a quota refuses now."""
        lacking: dict[SecurityGroupId, set[str]] = {}
        for event in self.sight.snapshot.audit_events:
            if isinstance(event, RuleRefused) and event.region == self.region and _is_quota(event):
                lacking.setdefault(event.group, set()).add(event.label.instance)
        launches = {id for region in self.sight.snapshot.regions for id in self._launching(region)}
        for group, instances in sorted(lacking.items()):
            held = instances & launches
            parts = [f"{_count(len(held), 'launch', 'launches')} held"] if held else []
            if rest := instances - held:
                parts.append(f"{_count(len(rest), 'member')} not admitted")
            why = f"{group} is full: {used(self.seen, group)} of {self.settings.rules_quota}, {', '.join(parts)}"
            fix = (
                f"ask for a larger quota {QUOTA}, write it into the cluster file as rules_quota,"
                f" then {self.expected.deploy}"
            )
            yield Reason(State.LACKING, "room", why, fix)

    def _launching(self, region: Region) -> Iterator[InstanceId]:
        for states in self.sight.snapshot.regions[region].observation.groups.values():
            yield from (id for id, state in states.items() if state.startswith("Pending"))

    def _rules(self) -> Iterator[Reason]:
        """What a reconcile would change: too much is open, missing is lacking, unless it is on its way."""
        changes = [change for change in self.planned if not change.observed]
        observed = len(self.planned) - len(changes)
        if observed:
            why = f"{_count(observed, 'rule')} would be changed"
            if self.seen.rows.pause_of(self.region) is not None:
                yield Reason(State.PAUSED, "rules", why, f"ringfence resume {self.region}")
            else:
                yield Reason(State.OBSERVED, "rules", why, self._owned())
        moving = {id for region in self.sight.snapshot.regions for id in self._moving(region)}
        removed = [change for change in changes if change.action is Action.REMOVE]
        added = [change for change in changes if change.action is Action.ADD]
        yield from self._changed(State.OPEN, "to remove", removed, moving)
        yield from self._changed(State.LACKING, "missing", added, moving)
        refused = [change for change in changes if change.action is Action.REFUSE and not self._is_for_room(change)]
        for change in refused[:SHOWN]:
            why = f"EC2 refuses {change.opening} in {change.group}: {change.why}"
            yield Reason(
                State.LACKING, "rules", why, f"ringfence explain {change.opening.cidr}" if change.opening else ""
            )
        if relabelled := [change for change in changes if change.action is Action.RELABEL]:
            why = f"{_count(len(relabelled), 'rule')} to relabel: their addresses belong to other members now"
            yield Reason(State.WAITING, "rules", why + self._when(), self.expected.sync)

    def _changed(self, state: State, word: str, changes: Sequence[Change], moving: set[InstanceId]) -> Iterator[Reason]:
        under_way = [change for change in changes if change.label is not None and change.label.instance in moving]
        if under_way:
            why = f"{_count(len(under_way), 'rule')} {word}, for instances that wait at a hook"
            yield Reason(State.WAITING, "rules", why, self.expected.sync)
        rest = [change for change in changes if change not in under_way]
        if not rest:
            return
        first = rest[0]
        why = f"{_count(len(rest), 'rule')} {word}: {first.opening} in {first.group}" + ", ..." * (len(rest) > 1)
        # Nothing was admitted here before the first true-up. What is open is open nevertheless.
        state = State.WAITING if self.due is not None and state is State.LACKING else state
        yield Reason(state, "rules", why + self._when(), self.expected.sync)

    def _when(self) -> str:
        due = self.due or next_due(self.sight.paths[self.region], self.expected)
        is_ahead = due is not None and due > self.sight.snapshot.at
        return f"; the next true-up is due by {time_of_day(due)} UTC" if due is not None and is_ahead else ""

    def _is_for_room(self, change: Change) -> bool:
        return any(
            isinstance(event, RuleRefused)
            and (event.group, event.opening) == (change.group, change.opening)
            and _is_quota(event)
            for event in self.sight.snapshot.audit_events
        )

    def _guard(self) -> Iterator[Reason]:
        confirm = f"ringfence sync --confirm {digest(self.sight.snapshot.planned)}"
        for hold in guard_holds(self.sight.snapshot.audit_events):
            if hold.region == self.region:
                why = (
                    f"the guard holds {_count(len(hold.rules), 'removal')} in {hold.group}: they need a second"
                    " observation, a minute later, or your confirmation"
                )
                yield Reason(State.WAITING, "guard", why, confirm)

    def _at_hooks(self) -> Iterator[tuple[InstanceId, str, str]]:
        for group, states in sorted(self.seen.observation.groups.items()):
            for instance, state in sorted(states.items()):
                if state in WAITING:
                    yield instance, group, state

    def _moving(self, region: Region) -> Iterator[InstanceId]:
        for states in self.sight.snapshot.regions[region].observation.groups.values():
            yield from (id for id, state in states.items() if state in WAITING)

    def _waiting(self) -> Iterator[Reason]:
        held = {event.instance: event.why for event in self.events if isinstance(event, HookHeld)}
        for instance, group, state in self._at_hooks():
            why = f": {held[instance]}" if instance in held else ""
            said = f"{instance} of {group} waits in {state}{why}"
            yield Reason(State.WAITING, "instances", said, f"ringfence explain {instance}")

    def _rosters(self) -> Iterator[Reason]:
        """Rosters that a peer has in another version. The next true-up brings them; what is not brought is lacking."""
        at = self.sight.snapshot.at
        for key, roster in sorted(self.seen.rows.of(self.region).items()):
            if key.is_announcement or key.asg not in self.settings.auto_scaling_groups:
                continue
            behind = [peer for peer in self._deployed_peers() if self._version(peer, key) != roster.version]
            if not behind:
                continue
            overdue = at - roster.updated_at > PERIODS * self.expected.period + SLACK and self.due is None
            why = f"{', '.join(behind)} has not got version {roster.version} of the roster {key} yet"
            yield Reason(State.LACKING if overdue else State.WAITING, "rosters", why + self._when(), self.expected.sync)

    def _deployed_peers(self) -> list[Region]:
        """The peers that have a table, and no first true-up before them."""
        snapshot = self.sight.snapshot
        return [
            peer
            for peer in snapshot.regions
            if peer != self.region and isinstance(self.sight.paths[peer].resources.table, Table)
        ]

    def _version(self, peer: Region, key: RosterKey) -> int | None:
        return self.sight.snapshot.regions[peer].rows.versions().get(key)

    def _versions(self) -> Iterator[Reason]:
        """Engines of another version than this one, and code that differs although the version is the same."""
        running = {region: engine_of(seen.rows, region) for region, seen in self.sight.snapshot.regions.items()}
        own = running[self.region]
        others = {region: version for region, version in running.items() if version and version != own}
        if own and others:
            found = ", ".join(f"{version} in {region}" for region, version in others.items())
            why = f"the engine here has version {own}, and others differ: {found}"
            yield Reason(State.WAITING, "engines", why, "ringfence deploy")
        code = {region: path.resources.function for region, path in self.sight.paths.items()}
        hashes = {region: of.code for region, of in code.items() if isinstance(of, Function) and of.code}
        same = [region for region, version in running.items() if version == own and region in hashes]
        if self.region in hashes and any(hashes[region] != hashes[self.region] for region in same):
            why = f"the engine's code is not the same in {', '.join(same)}, although its version is"
            yield Reason(State.WAITING, "engines", why, "ringfence deploy")


def engine_of(rows: Rows, region: Region) -> str:
    """The version of the Region's engine, as it announces it; empty if nothing tells.

    Version 0.1 announces nothing. It leaves an announcement behind, and shows in a roster that it wrote later.
    """
    announced = rows.rosters.get(RosterKey(region, ANNOUNCEMENT))
    rosters = [roster for key, roster in rows.of(region).items() if not key.is_announcement]
    if any(roster.of_0_1 and (announced is None or roster.updated_at > announced.updated_at) for roster in rosters):
        return "0.1"
    return announced.engine if announced is not None else ""


def used(seen: RegionSnapshot, group: SecurityGroupId) -> int:
    """How many rules a security group has, as its quota counts them, in the address family that has more."""
    return count_rules(seen.rules.get(group, ()), seen.prefix_lists).fuller


def _is_quota(event: RuleRefused) -> bool:
    return event.refusal == Refusal.QUOTA.value


def _some(part: str, reasons: Sequence[Reason]) -> Iterator[Reason]:
    """The first few reasons of a kind, and how many more there are."""
    yield from reasons[:SHOWN]
    if (more := len(reasons) - SHOWN) > 0:
        yield Reason(reasons[SHOWN].state, part, f"and {more} more", reasons[SHOWN].fix)


def _count(number: int, noun: str, several: str = "") -> str:
    return f"{number} {noun if number == 1 else several or noun + 's'}"
