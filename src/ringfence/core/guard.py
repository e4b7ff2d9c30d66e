"""Stands between a plan and its application: a removal that is large and unexplained waits for a second look.

Pure. Additions always flow, and removals that a confirmed departure explains always flow: a brake must not keep a
door open.
"""

from dataclasses import replace

from ringfence.core.membership import STALE_SECONDS
from ringfence.core.model.identifiers import RuleId
from ringfence.core.model.rosters import HeldRemovals
from ringfence.core.plan import Plan, Removal, digest
from ringfence.core.settings import GuardLimits
from ringfence.records import dataclass


@dataclass(frozen=True, slots=True)
class Guarded:
    """A plan cut in two: what may be applied now, and the removals that are held, named by `digest`."""

    plan: Plan
    held: tuple[Removal, ...] = ()

    @property
    def digest(self) -> str:
        """Names exactly the held removals."""
        return digest(self.plan.group, (removal.rule for removal in self.held))

    def record(self, now: int) -> HeldRemovals:
        """What to keep of the held removals until the next reconcile."""
        rules = frozenset(removal.rule for removal in self.held)
        return HeldRemovals(self.plan.group, rules, self.digest, now)


AGREES_AFTER = STALE_SECONDS
"""Seconds after which an observation can be agreed with. A second one that comes sooner may be the same stale
answer."""
AGREES_WITHIN = 3600
"""Seconds for which an observation can be agreed with. A group that is rarely looked at begins anew."""


def standing(earlier: HeldRemovals | None, now: int) -> frozenset[RuleId]:
    """The rules that an earlier observation would have removed, if it can still be agreed with."""
    return earlier.rules if earlier is not None and now - earlier.at <= AGREES_WITHIN else frozenset()


def _believed(earlier: HeldRemovals | None, now: int) -> frozenset[RuleId]:
    return standing(earlier, now) if earlier is not None and now - earlier.at >= AGREES_AFTER else frozenset()


def guard(
    plan: Plan, earlier: HeldRemovals | None, confirmed: frozenset[str], limits: GuardLimits, now: int
) -> Guarded:
    """Holds the plan's unexplained removals where they are too many to be believed at once; and, however few, those
    that are surprising: of which the roster has never heard.

    Those that `earlier`, an observation of at least a minute ago, would have removed too are believed. An operator
    overrides the guard with the digest of exactly what is held (`confirmed`). `now` is in epoch seconds.
    """
    believed = _believed(earlier, now)
    unexplained = tuple(removal for removal in plan.removals if not removal.is_explained)
    doubtful = tuple(removal for removal in unexplained if removal.rule not in believed)
    too_many = len(doubtful) >= limits.minimum and len(doubtful) * 100 > plan.owned * limits.percent
    if not too_many:
        doubtful = tuple(removal for removal in doubtful if removal.is_surprising)
    if not doubtful or Guarded(plan, doubtful).digest in confirmed:
        return Guarded(plan)
    held = frozenset(doubtful)
    kept = tuple(removal for removal in plan.removals if removal not in held)
    return Guarded(replace(plan, removals=kept), doubtful)
