"""Stands between a plan and its application: large or surprising unexplained removals need a second observation.

Pure. The guard never delays additions, and never delays removals that a confirmed departure explains.
"""

from dataclasses import dataclass, replace

from ringfence.core.configuration.settings import GuardLimits
from ringfence.core.freshness import STALE_SECONDS
from ringfence.core.model.identifiers import RuleId
from ringfence.core.model.rosters import HeldRemovals
from ringfence.core.plan import Plan, Removal, digest


@dataclass(frozen=True, slots=True)
class GuardedPlan:
    """A plan in two parts: what may be applied now, and the removals that are held, which `digest` names."""

    plan: Plan
    held: tuple[Removal, ...] = ()

    @property
    def digest(self) -> str:
        """Names exactly the held removals."""
        return digest(self.plan.group, self.held)

    def record(self, now: int) -> HeldRemovals:
        """What the table keeps of the held removals until the next reconcile. `now` is in epoch seconds."""
        rules = frozenset(removal.rule for removal in self.held)
        return HeldRemovals(self.plan.group, rules, self.digest, now)


AGREES_AFTER = STALE_SECONDS
"""Seconds after which a second observation can confirm the first. An earlier one may be the same stale answer."""
AGREES_WITHIN = 3600
"""Seconds within which a second observation can confirm the first. After that, the guard starts over."""


def recorded_rules(earlier: HeldRemovals | None, now: int) -> frozenset[RuleId]:
    """The rules that an earlier observation would have removed, if a second one can still confirm it."""
    return earlier.rules if earlier is not None and now - earlier.at <= AGREES_WITHIN else frozenset()


def _confirmable_rules(earlier: HeldRemovals | None, now: int) -> frozenset[RuleId]:
    """The recorded rules that an observation at this moment confirms."""
    return recorded_rules(earlier, now) if earlier is not None and now - earlier.at >= AGREES_AFTER else frozenset()


def guard(
    plan: Plan, earlier: HeldRemovals | None, confirmed: frozenset[str], limits: GuardLimits, now: int
) -> GuardedPlan:
    """Holds the plan's unexplained removals if they are too many, and holds surprising ones however few they are.

    A removal is surprising if the roster does not know the rule's instance or address. Removals that `earlier`, an
    observation of at least a minute ago, would have made too are confirmed. An operator overrides the guard with the
    digest of exactly what is held (`confirmed`). `now` is in epoch seconds.
    """
    confirmable = _confirmable_rules(earlier, now)
    unexplained = tuple(removal for removal in plan.removals if not removal.is_explained)
    doubtful = tuple(removal for removal in unexplained if removal.rule not in confirmable)
    too_many = len(doubtful) >= limits.minimum and len(doubtful) * 100 > plan.owned * limits.percent
    if not too_many:
        doubtful = tuple(removal for removal in doubtful if removal.is_surprising)
    if not doubtful or GuardedPlan(plan, doubtful).digest in confirmed:
        return GuardedPlan(plan)
    held = frozenset(doubtful)
    applicable = tuple(removal for removal in plan.removals if removal not in held)
    return GuardedPlan(replace(plan, removals=applicable), doubtful)
