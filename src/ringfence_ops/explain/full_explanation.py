"""Reads the Regions, the audit log and CloudTrail, and puts the explanation of a subject together.

Changes nothing and decides nothing. Knows no terminal.

Raises CommandError where there are no credentials.
"""

import ipaddress
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from ringfence.aws.assembly import ClientOf
from ringfence.aws.error_codes import translated
from ringfence.core.audit_events import RuleRefused
from ringfence.core.errors import Refusal
from ringfence.core.lifecycle import WAITING
from ringfence.core.lifecycle_decision import Decision
from ringfence.core.lifecycle_decision import Reason as LifecycleReason
from ringfence.core.model.addresses import Cidr
from ringfence.core.model.identifiers import InstanceId, Region, RuleId, SecurityGroupId
from ringfence.core.rule_count import count_rules
from ringfence_ops.aws.sessions import Aws, Unreachable
from ringfence_ops.cluster.cluster_file import Cluster
from ringfence_ops.explain.evidence import Evidence
from ringfence_ops.explain.explanation import Door, Explanation, StaticMember, Stranger
from ringfence_ops.explain.subject import Subject
from ringfence_ops.logs.audit_log import ChangeFilter, EntryFilter, LoggedAction, LoggedChange, read_entries
from ringfence_ops.logs.cloudtrail import ApiCall
from ringfence_ops.logs.decisions import DecisionRun, LoggedDecision, runs
from ringfence_ops.plurals import counted
from ringfence_ops.state.changes import digest
from ringfence_ops.state.path import Expected
from ringfence_ops.state.region_snapshot import RegionSnapshot
from ringfence_ops.state.sight import take_sight
from ringfence_ops.state.snapshot import Snapshot
from ringfence_ops.state.standing import Reason, Standing, State
from ringfence_ops.state.standings import standings
from ringfence_ops.state.unowned_rules import latest_calls


@dataclass(frozen=True, slots=True)
class Fullness:
    """How many rules a security group has, and how many it may have."""

    used: int
    quota: int

    def __str__(self) -> str:
        return f"full: {self.used} of {self.quota}"


@dataclass(frozen=True, slots=True)
class FullExplanation:
    """An explanation with its history: `changes` and `decisions` from the audit log, `calls` from CloudTrail for rules
    without a change.

    `now` is in epoch seconds. `unreachable` holds the reason for each Region that did not answer, `standings` how each
    Region stands. `waiting` are the subject's instances that wait at a hook, each with its Region and its lifecycle
    state. `full` are the security groups without room. `plan_digest` names what a reconcile of all Regions would do.
    """

    explanation: Explanation
    now: float
    changes: Sequence[LoggedChange] = ()
    calls: Mapping[RuleId, ApiCall] = field(default_factory=dict)
    unreachable: Mapping[Region, str] = field(default_factory=dict)
    decisions: Sequence[LoggedDecision] = ()
    standings: Mapping[Region, Standing] = field(default_factory=dict)
    waiting: Mapping[InstanceId, tuple[Region, str]] = field(default_factory=dict)
    full: Mapping[tuple[Region, SecurityGroupId], Fullness] = field(default_factory=dict)
    plan_digest: str = ""

    @property
    def is_right(self) -> bool:
        """Whether nothing has to be done: every door is right, no instance waits, and nothing is in doubt."""
        is_settled = not (self.waiting or self.sent_away_for_room or self.doubts())
        return self.explanation.is_right and is_settled

    def runs(self) -> list[DecisionRun]:
        """The decisions about the subject's instances, those that say the same as one."""
        return runs(self.decisions)

    def last_run(self, instance: InstanceId) -> DecisionRun | None:
        """The latest decisions about an instance."""
        return next((run for run in reversed(self.runs()) if run.last.instance == instance), None)

    @property
    def sent_away_for_room(self) -> list[DecisionRun]:
        """The launches of the subject that were abandoned because a group was full, if one still is."""
        return [
            run
            for run in self.runs()
            if run.last.decision is Decision.ABANDONED
            and run.last.reason == LifecycleReason.NO_ROOM.value
            and self.full_groups_of(run.last.engine)
        ]

    def full_groups_of(self, region: Region) -> list[tuple[Region, SecurityGroupId]]:
        """The security groups of a Region that have no room."""
        return [place for place in self.full if place[0] == region]

    def doubts(self) -> list[tuple[Region, Reason]]:
        """The worst reason of each Region that could not be seen, or whose engine does not work."""
        doubtful = (State.UNKNOWN, State.FAILING)
        return [(region, one.reasons[0]) for region, one in self.standings.items() if one.state in doubtful]

    def added_by(self, door: Door) -> LoggedChange | None:
        """The change that added a door's rule, if the audit log reaches back to it."""
        if door.rule is None:
            return None
        additions = [
            change for change in self.changes if change.rule.id == door.rule.id and change.action is LoggedAction.ADDED
        ]
        return additions[-1] if additions else None

    def made_by(self, door: Door) -> ApiCall | None:
        """The call that made a door's rule, if CloudTrail was asked and knows it."""
        return None if door.rule is None else self.calls.get(door.rule.id)


def read_explanation(
    aws: Aws, cluster: Cluster, expected: Mapping[Region, Expected], subject: Subject, since: float
) -> FullExplanation:
    """The explanation from all Regions that answer. The audit log is read back to `since`, in epoch seconds."""
    sight = take_sight(aws, expected)
    unreachable, regions = dict(sight.snapshot.unreachable), sight.snapshot.regions
    evidence = Evidence(
        cluster.name,
        regions,
        sight.snapshot.audit_events,
        cluster.static_members,
        cluster.address_kinds,
        cluster.values["private_addresses"],
        groups={region.region: region.auto_scaling_groups for region in cluster.regions},
    )
    evidence, unknown = _with_strangers(aws, evidence, evidence.explain(subject).addresses)
    explanation = evidence.explain(subject)
    instances = _instances_of(explanation)
    selected = ChangeFilter(
        addresses=frozenset(explanation.addresses),
        instances=frozenset({subject.instance} if subject.instance else ()),
        rules=frozenset(door.rule.id for door in explanation.doors if door.rule is not None)
        | frozenset({subject.rule} if subject.rule else ()),
    )
    entries, unread = read_entries(aws, cluster.name, since, None, EntryFilter(selected, instances), regions=regions)
    unreachable |= unread | unknown | _failing_zones(regions)
    found = FullExplanation(
        explanation,
        time.time(),
        [entry for entry in entries if isinstance(entry, LoggedChange)],
        unreachable=unreachable,
        decisions=[entry for entry in entries if isinstance(entry, LoggedDecision)],
        standings=standings(sight),
        waiting=dict(_waiting(sight.snapshot, instances)),
        full=dict(_full(sight.snapshot, expected)),
        plan_digest=digest(sight.snapshot.planned),
    )
    return replace(found, calls=_calls(aws, found))


def _instances_of(explanation: Explanation) -> frozenset[str]:
    """The instances that the subject is, and none for a rule: that only admits them."""
    subject = explanation.subject
    if subject.instance is not None:
        return frozenset({subject.instance})
    if subject.rule is not None:
        return frozenset()
    return frozenset(
        identity.instance for identity in explanation.identities if not isinstance(identity, StaticMember | Stranger)
    )


def _waiting(snapshot: Snapshot, instances: frozenset[str]) -> Iterator[tuple[InstanceId, tuple[Region, str]]]:
    """Those of the instances that wait at a hook, each with its Region and its lifecycle state."""
    for region, seen in snapshot.regions.items():
        for states in seen.observation.groups.values():
            for id, state in states.items():
                if id in instances and state in WAITING:
                    yield id, (region, state)


def _full(
    snapshot: Snapshot, expected: Mapping[Region, Expected]
) -> Iterator[tuple[tuple[Region, SecurityGroupId], Fullness]]:
    """The security groups that have no room for another rule of an address family, or for one that a member needs."""
    lacking = {
        (event.region, event.group)
        for event in snapshot.audit_events
        if isinstance(event, RuleRefused) and event.refusal == Refusal.QUOTA.value
    }
    for region, seen in snapshot.regions.items():
        quota = expected[region].settings.rules_quota
        for group, rules in seen.rules.items():
            used = count_rules(rules, seen.prefix_lists).fuller
            if used >= quota or (region, group) in lacking:
                yield (region, group), Fullness(used, quota)


def _failing_zones(regions: Mapping[Region, RegionSnapshot]) -> dict[Region, str]:
    """The Regions in which EC2 does not describe a zone: whatever is not known there is unknown, not gone."""
    return {
        region: "; ".join(
            f"unknown, EC2 does not describe {counted(len(zone.instances), 'instance')} of {zone.zone or 'no group'}:"
            f" {zone.error}"
            for zone in found.failing_zones
        )
        for region, found in regions.items()
        if found.failing_zones
    }


def _with_strangers(aws: Aws, evidence: Evidence, addresses: Sequence[Cidr]) -> tuple[Evidence, dict[Region, str]]:
    """The evidence with the instances of the account that hold one of the addresses, and why a Region could not say."""

    def read(region: Region) -> tuple[InstanceId, ...]:
        return tuple(id for cidr in addresses for id in instances_with(aws.client, region, cidr))

    found = aws.each_region(evidence.regions, read)
    strangers = {region: ids for region, ids in found.items() if not isinstance(ids, Unreachable)}
    unknown = {region: answer.reason for region, answer in found.items() if isinstance(answer, Unreachable)}
    return replace(evidence, strangers=strangers), unknown


_IPV4_FILTERS = ("ip-address", "private-ip-address")
_IPV6_FILTERS = ("network-interface.ipv6-addresses.ipv6-address",)
"""Filters for a public, a private and an IPv6 address. Source: EC2 API Reference, DescribeInstances."""


def instances_with(client_of: ClientOf, region: Region, cidr: Cidr) -> tuple[InstanceId, ...]:
    """The instances of the account in the Region that hold the address; none where the CIDR is more than one address.

    Raises the engine's errors.
    """
    network = ipaddress.ip_network(cidr, strict=False)
    if network.num_addresses != 1:
        return ()
    ec2, address = client_of("ec2", region), str(network.network_address)
    ids: list[InstanceId] = []
    for name in _IPV6_FILTERS if network.version == 6 else _IPV4_FILTERS:
        with translated(region, "DescribeInstances"):
            response = ec2.describe_instances(Filters=[{"Name": name, "Values": [address]}])
        ids += [
            InstanceId(instance["InstanceId"])
            for reservation in response["Reservations"]
            for instance in reservation["Instances"]
        ]
    return tuple(dict.fromkeys(ids))


def _calls(aws: Aws, found: FullExplanation) -> dict[RuleId, ApiCall]:
    """Who made the rules that the audit log does not explain. Rules that CloudTrail does not know stay unexplained."""
    unexplained: dict[Region, dict[SecurityGroupId, frozenset[RuleId]]] = {}
    for door in found.explanation.doors:
        if door.rule is not None and found.added_by(door) is None:
            groups = unexplained.setdefault(door.region, {})
            groups[door.group] = groups.get(door.group, frozenset()) | {door.rule.id}
    return latest_calls(aws, unexplained)
