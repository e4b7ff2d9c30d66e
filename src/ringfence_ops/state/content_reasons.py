"""Judges what is in a Region besides its rules: its rosters and instances, its peers and its engine. Pure."""

from collections.abc import Iterator

from ringfence.core.audit_events import HookHeld, Problem, RegionFailed
from ringfence.core.configuration.settings import Mode
from ringfence.core.lifecycle import WAITING, Phase, phase_of
from ringfence.core.membership.addresses import admitted_of, reachable_by
from ringfence.core.model.identifiers import ANNOUNCEMENT, InstanceId, Region, RosterKey
from ringfence.core.model.rosters import Rows
from ringfence_ops.plurals import abridged, counted
from ringfence_ops.state.path import Expected, Function, Table
from ringfence_ops.state.region_snapshot import RegionSnapshot
from ringfence_ops.state.row_reasons import row_reasons
from ringfence_ops.state.rule_reasons import owned, when_due
from ringfence_ops.state.sight import Sight
from ringfence_ops.state.standing import SHOWN, Reason, State, some
from ringfence_ops.state.true_up_reasons import PERIODS, SLACK, first_due, time_of_day

_WAIT_FOR_EC2 = "see AWS's health dashboard: what was known of them stays"


def content_reasons(sight: Sight, region: Region) -> Iterator[Reason]:
    """Why the Region's rosters, instances, peers and engine are not in sync."""
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
        self.due = first_due(sight.paths[region], self.expected, sight.snapshot.at)

    def reasons(self) -> Iterator[Reason]:
        """All reasons."""
        yield from self._reconcile()
        yield from self._zones()
        yield from self._rows()
        yield from self._peers()
        yield from self._addresses()
        yield from some("instances", list(self._waiting()))
        yield from self._rosters()
        yield from self._versions()
        if self.settings.mode is Mode.OBSERVE:
            yield Reason(State.OBSERVED, "mode", "nothing is changed: the mode is observe", owned(self.expected))

    def _reconcile(self) -> Iterator[Reason]:
        failure = self.dry_run.failure if self.dry_run is not None else None
        if failure is not None:
            yield Reason(State.FAILING, "reconcile", f"a reconcile would fail: {failure}", self.expected.sync)
        for event in self.events:
            if isinstance(event, Problem) and event.what not in (failure or ""):
                yield Reason(State.FAILING, "reconcile", event.what, self.expected.sync)

    def _zones(self) -> Iterator[Reason]:
        for zone in self.seen.failing_zones:
            where = zone.zone or "no zone that a group lists"
            why = f"{counted(len(zone.instances), 'instance')} in {where} that EC2 does not describe: {zone.error}"
            yield Reason(State.UNKNOWN, "zones", why, _WAIT_FOR_EC2)

    def _rows(self) -> Iterator[Reason]:
        yield from some("rows", list(row_reasons(self.seen.rows, self.expected, self.sight.expected)))

    def _addresses(self) -> Iterator[Reason]:
        """Instances in service that no group admits, because they have no address, or EC2 does not show them."""
        described, unknown = self.seen.observation.instances, self.seen.observation.undescribed
        in_service = [
            id
            for states in self.seen.observation.groups.values()
            for id, state in states.items()
            if phase_of(state) in (Phase.SERVING, Phase.REPLACING)
        ]
        serving = [id for id in in_service if id not in unknown]
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
        if hidden := [id for id in in_service if id in unknown]:
            why = f"{abridged(hidden, SHOWN)}: in service, and EC2 does not describe it, so its addresses are not known"
            yield Reason(State.UNKNOWN, "addresses", why, _WAIT_FOR_EC2)

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

    def _at_hooks(self) -> Iterator[tuple[InstanceId, str, str]]:
        for group, states in sorted(self.seen.observation.groups.items()):
            for instance, state in sorted(states.items()):
                if state in WAITING:
                    yield instance, group, state

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
            yield Reason(
                State.LACKING if overdue else State.WAITING,
                "rosters",
                why + when_due(self.sight, self.region),
                self.expected.sync,
            )

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
