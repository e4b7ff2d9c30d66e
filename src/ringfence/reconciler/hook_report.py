"""Reports what was decided about waiting instances, as audit events.

Every decision is reported in the pass that made it: an instance that stays waiting is reported again by the next pass.
The engine keeps nothing between invocations that could tell what it reported before. Knows nothing of why anything was
decided or of how a hook is answered.
"""

from dataclasses import dataclass, field

from ringfence.core.audit_events import HookCompleted, HookHeld
from ringfence.core.configuration.settings import Settings
from ringfence.core.hook_decision import Complete, WaitingInstance
from ringfence.core.lifecycle import Transition
from ringfence.core.lifecycle_decision import Reason
from ringfence.core.model.identifiers import RosterKey
from ringfence.core.model.rosters import Roster, Rows
from ringfence.core.wait_times import waited
from ringfence.reconciler.interfaces import Services


@dataclass(frozen=True, slots=True)
class HookReport:
    """The audit events of the instances that wait at the hooks of the home Region. `rows` say since when it knows
    them."""

    services: Services
    settings: Settings
    rows: Rows = field(default_factory=Rows)

    def held(self, waiting: WaitingInstance, reason: Reason, why: str) -> None:
        """Reports an instance that stays waiting."""
        transition = waiting.transitions[0] if len(waiting.transitions) == 1 else None
        self.services.audit(
            HookHeld(
                group=waiting.group,
                instance=waiting.instance,
                hook=None if transition is None else self.hook_of(transition),
                transition=transition,
                reason=reason,
                why=why,
                waited=waited(waiting, self._roster(waiting), self.services.clock.now()),
            )
        )

    def answered(self, decision: Complete, transition: Transition, *, was_active: bool) -> None:
        """Reports the answer to a hook, and whether the hook was active."""
        waiting = decision.waiting
        self.services.audit(
            HookCompleted(
                group=waiting.group,
                instance=waiting.instance,
                hook=self.hook_of(transition),
                transition=transition,
                decision=decision.decision,
                reason=decision.reason,
                why=decision.why,
                was_active=was_active,
                waited=waited(waiting, self._roster(waiting), self.services.clock.now()),
            )
        )

    def hook_of(self, transition: Transition) -> str:
        """The name of our hook for a transition."""
        match transition:
            case Transition.LAUNCH:
                return self.settings.launch_hook
            case Transition.TERMINATE:
                return self.settings.terminate_hook

    def _roster(self, waiting: WaitingInstance) -> Roster | None:
        return self.rows.rosters.get(RosterKey(self.settings.region, waiting.group))
