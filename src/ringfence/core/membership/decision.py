"""Decides the next roster of a group, and the rows of a Region's announcement and of a retired group.

Pure. A second look may decide otherwise about the instances that the decision names; without one, the roster is the
safe answer.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import assert_never

from ringfence import __version__
from ringfence.core.configuration.settings import Mode, Settings
from ringfence.core.events import LifecycleEvent
from ringfence.core.freshness import STALE_SECONDS
from ringfence.core.lifecycle import Phase
from ringfence.core.membership.addresses import addresses_of, not_admitted
from ringfence.core.membership.evidence import Evidence, event_time, evidence_of
from ringfence.core.membership.tombstones import departure, tombstones
from ringfence.core.membership.verdict import Verdict, verdict_on
from ringfence.core.model.addresses import Cidr
from ringfence.core.model.identifiers import InstanceId
from ringfence.core.model.rosters import Member, MemberState, Roster
from ringfence.core.observation import Observation


@dataclass(frozen=True, slots=True)
class RosterDecision:
    """The roster that should be stored now, and the instances about which AWS and an event disagree.

    A second look at these instances may decide otherwise. Without one, the roster is the safe answer. `problems` are
    for an operator.
    """

    roster: Roster
    look_again: frozenset[InstanceId] = frozenset()
    problems: tuple[str, ...] = ()


def decide_members(
    before: Roster, observation: Observation, events: Iterable[LifecycleEvent], now: int, settings: Settings
) -> RosterDecision:
    """The members of one group now. The roster has the version and time of the one before: publishing sets those.

    The observation must include the group. Events of other groups are ignored. `now` is in epoch seconds.
    """
    members: dict[InstanceId, Member] = {}
    leaving: dict[InstanceId, int] = {}
    joined, look_again = set[InstanceId](), set[InstanceId]()
    for id, evidence in evidence_of(before, observation, events, now).items():
        verdict = verdict_on(evidence, now)
        match verdict.phase:
            case Phase.JOINING | Phase.SERVING | Phase.REPLACING:
                joined.add(id)
                members[id] = _member(evidence, now, settings)
            case Phase.UNKNOWN if (kept := _kept(evidence, now)) is not None:
                members[id] = _with_addresses(kept, addresses_of(kept, evidence, now, settings), now)
            case Phase.LEAVING | Phase.WARM | Phase.UNKNOWN:
                if (at := departure(evidence, verdict.phase, now)) is not None:
                    leaving[id] = at
            case _:
                assert_never(verdict.phase)
        if verdict.look_again or _lacks_an_address(verdict, evidence, members.get(id)):
            look_again.add(id)
    departed, fenced = tombstones(before, joined, leaving, now)
    roster = Roster(
        key=before.key,
        version=before.version,
        members=members,
        departed=departed,
        fenced=fenced,
        pending_releases={region: ids for region, ids in before.pending_releases.items() if region in settings.regions},
        security_groups=tuple(sorted(settings.security_groups)),
        ports=settings.ports,
        account=settings.account,
        observed=settings.mode is Mode.OBSERVE,
        updated_at=before.updated_at,
    )
    return RosterDecision(roster, frozenset(look_again), tuple(not_admitted(before.key, observation, settings)))


def _lacks_an_address(verdict: Verdict, evidence: Evidence, member: Member | None) -> bool:
    """Whether an address of a launching instance may come a moment later, while its event is new (flocker #2237).

    No moment helps where EC2 does not answer, and all other events would wait for it.
    """
    launches = verdict.phase is Phase.JOINING and evidence.event is not None and not evidence.cannot_be_described
    return launches and member is not None and not member.addresses


def _member(evidence: Evidence, now: int, settings: Settings) -> Member:
    before = evidence.member
    addresses = addresses_of(before, evidence, now, settings)
    state = MemberState.MEMBER if addresses else MemberState.WAITING
    if not addresses and before is not None and (before.addresses or before.state is MemberState.BARE):
        state = MemberState.BARE
    if before is not None and before.state is state:
        return _with_addresses(before, addresses, now)
    return Member(addresses, state, event_time(evidence.event, now) if state is MemberState.WAITING else now)


def _with_addresses(member: Member, addresses: tuple[Cidr, ...], now: int) -> Member:
    return member if member.addresses == addresses else replace(member, addresses=addresses, moved=now)


def _kept(evidence: Evidence, now: int) -> Member | None:
    """What stays of a member of unknown phase. None once its group has not listed it for long enough, and EC2 answers.

    While its zone fails, it stays: that EC2 says nothing of it then confirms nothing.
    """
    before = evidence.member
    if before is None or evidence.listed is not None:
        return before
    if before.state is not MemberState.MISSING:
        return replace(before, state=MemberState.MISSING, since=now)
    is_over = now - before.since >= STALE_SECONDS and not evidence.cannot_be_described
    return None if is_over else before


def retired(before: Roster) -> Roster:
    """The roster of a group that the configuration no longer names: no members, and no tombstones that explain it."""
    return replace(before, members={}, fenced={}, pending_releases={})


def announced(before: Roster, settings: Settings) -> Roster:
    """The Region's announcement: what the engines of other Regions may rely on.

    It has the form of a roster without members, so that an engine of version 0.1 reads it as one. It names the engine's
    version, for operators: so it is written again after an upgrade.
    """
    return replace(
        before,
        members={},
        departed={},
        fenced={},
        pending_releases={},
        security_groups=tuple(sorted(settings.security_groups)),
        ports=settings.ports,
        account=settings.account,
        observed=settings.mode is Mode.OBSERVE,
        groups=frozenset(settings.auto_scaling_groups),
        engine=__version__,
    )
