"""What can be done about what an explanation found: each piece of advice with its reason, and with a command that works
word for word.

Pure. The state of a Region and its remedy are those of `state`, so that every command says the same.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import assert_never

from ringfence.core.lifecycle_decision import Decision, Reason
from ringfence.core.model.identifiers import Region, SecurityGroupId
from ringfence_ops.explain.explanation import Door, DoorVerdict
from ringfence_ops.explain.full_explanation import FullExplanation
from ringfence_ops.state.pause_reasons import PART as PAUSE
from ringfence_ops.state.standing import REGION
from ringfence_ops.state.unowned_rules import how_to_remove


@dataclass(frozen=True, slots=True)
class Advice:
    """What can be done. `command` is None where no command helps."""

    why: str
    command: str | None = None


def advice(found: FullExplanation) -> list[Advice]:
    """The advice, the most urgent first, each piece once."""
    return list(dict.fromkeys([*_doors(found), *_instances(found), *_regions(found)]))


def _doors(found: FullExplanation) -> Iterator[Advice]:
    """What to do about doors that are not right: of each kind, once in a Region."""
    wrong: dict[tuple[DoorVerdict, Region, SecurityGroupId], list[Door]] = {}
    for door in found.explanation.doors:
        if not door.is_right:
            wrong.setdefault((door.verdict, door.region, door.group), []).append(door)
    for (verdict, region, group), doors in wrong.items():
        yield from _about(verdict, region, group, doors, found)


def _about(  # noqa: C901  # one case for each verdict
    verdict: DoorVerdict, region: Region, group: SecurityGroupId, doors: list[Door], found: FullExplanation
) -> Iterator[Advice]:
    names = ", ".join(door.rule.id for door in doors if door.rule is not None)
    match verdict:
        case DoorVerdict.COMES | DoorVerdict.GOES | DoorVerdict.RENAMED:
            yield Advice("the next true-up fixes it; to do it now", "ringfence sync")
        case DoorVerdict.HELD:
            yield _confirmation(f"the guard holds the removal of {names}", found)
        case DoorVerdict.WOULD_COME | DoorVerdict.WOULD_GO:
            yield _observed(region, found)
        case DoorVerdict.REFUSED:
            yield from _room(region, group, found)
            for door in doors:
                if (region, group) not in found.full:
                    yield Advice(f"EC2 refuses the rule in {group} of {region}: {door.reason}", "ringfence doctor")
        case DoorVerdict.KEPT:
            for home in sorted({door.label.roster.region for door in doors if door.label is not None}):
                yield Advice(f"{names} stays until {home} says who its members are", f"ringfence sync {home}")
        case DoorVerdict.UNOWNED:
            for door in doors:
                if door.rule is not None:
                    why = f"no engine removes {door.rule.id}; find out who needs it, and if no one does"
                    yield Advice(why, how_to_remove(region, group, door.rule.id))
        case DoorVerdict.RIGHT | DoorVerdict.FOREIGN:
            return
        case _:
            assert_never(verdict)


def _confirmation(why: str, found: FullExplanation) -> Advice:
    """How to confirm what the guard holds. `sync` confirms a whole plan, so it needs all Regions."""
    if found.unreachable:
        return Advice(f"{why}, and can be confirmed when every Region answers", "ringfence plan")
    return Advice(
        f"{why} until a second look a minute later agrees; to confirm the whole plan now",
        f"ringfence sync --confirm {found.plan_digest}",
    )


def _observed(region: Region, found: FullExplanation) -> Advice:
    """How to let the engine change a Region that it only observes: as the Region's own state says."""
    standing = found.standings.get(region)
    for reason in standing.of(PAUSE) if standing is not None else ():
        return Advice(f"nothing is changed: {reason.why}", reason.fix)
    return Advice(
        f'{region} is in observe mode: write mode = "owned" into the cluster file, then', f"ringfence deploy {region}"
    )


def _room(region: Region, group: SecurityGroupId, found: FullExplanation) -> Iterator[Advice]:
    """What to do about a full group. `doctor` knows the quota that the account needs."""
    if (region, group) in found.full:
        why = f"{group} of {region} is {found.full[region, group]}: `doctor` says which quota to ask for"
        yield Advice(why, "ringfence doctor")


_COMMAND = re.compile(r"(?:ringfence|aws) (?:[^,;:]|[,;:](?! ))+")
"""A remedy that is one command, and no sentence that has one in it."""

_DOCTOR_KNOWS = frozenset(
    {
        Reason.REGION_FAILED,
        Reason.GROUP_UNUSABLE,
        Reason.REFUSED,
        Reason.PEER_LACKS_IT,
        Reason.PEER_ADMITS_IT,
        Reason.TABLE_DOWN,
        Reason.NOT_ANSWERED,
        Reason.NOT_DESCRIBED,
    }
)
"""The reasons of a wait that a true-up alone does not end."""


def _instances(found: FullExplanation) -> Iterator[Advice]:
    """What to do about an instance that waits at a hook, or that was sent away for want of room."""
    for instance, (region, state) in sorted(found.waiting.items()):
        run = found.last_run(instance)
        if run is not None and not run.last.was_active:
            why = (
                f"Auto Scaling says that {instance}'s hook is not active, and lists it as waiting; to answer again now"
            )
            yield Advice(why, f"ringfence sync {region}")
        elif run is None or run.last.decision is not Decision.HELD:
            why = f"{instance} waits in {state}, and the log has no decision about this wait yet; to decide now"
            yield Advice(why, f"ringfence sync {region}")
        elif run.last.reason == Reason.GUARDED.value:
            yield _confirmation("the guard holds the removal of its rules", found)
        elif run.last.reason in {reason.value for reason in _DOCTOR_KNOWS}:
            yield Advice(f"{instance} waits until this is fixed; what to fix", "ringfence doctor")
        else:
            yield Advice(f"{instance} waits; the next true-up decides again, or now", f"ringfence sync {region}")
    for run in found.sent_away_for_room:
        for region, group in found.full_groups_of(run.last.engine):
            yield from _room(region, group, found)


def _regions(found: FullExplanation) -> Iterator[Advice]:
    """The Regions of which nothing certain can be said, with what fixes them."""
    for region, reason in found.doubts():
        if reason.part == REGION:
            continue  # it is said that the Region was not checked
        why, fix = f"{region} is {reason.state}: {reason.why}", reason.fix
        is_command = _COMMAND.fullmatch(fix) is not None
        yield Advice(why if is_command or not fix else f"{why}: {fix}", fix if is_command else None)


def commands(pieces: Iterable[Advice]) -> list[str]:
    """The commands of the advice."""
    return [piece.command for piece in pieces if piece.command is not None]
