"""What a pass knows of its own changes of the rules, which a reading may not show yet: readings are eventually
consistent, and the answers to changes are not.

Knows nothing of rosters, and makes no call. It ends with the pass: an invocation keeps nothing for the next one.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field

from ringfence.core.model.identifiers import RuleId, SecurityGroupId
from ringfence.core.model.rules import Rule
from ringfence.reconciler.apply import Added, Change, Removed, Vanished
from ringfence.reconciler.interfaces import Rules


@dataclass(slots=True)
class OwnChanges:
    """The rules that the pass has made, and those that do not exist any more. An id is never used again."""

    made: dict[RuleId, Rule] = field(default_factory=dict)
    gone: set[RuleId] = field(default_factory=set)

    def note(self, change: Change) -> None:
        """Remembers a change."""
        match change:
            case Added(rule=rule):
                self.made[rule.id] = rule
            case Removed(removal=removal):
                self.gone.add(removal.rule)
            case Vanished(rule=id):
                self.gone.add(id)
            case _:
                pass

    def without_gone(self, rules: Rules) -> Rules:
        """The rules without those that do not exist any more."""
        return {group: tuple(rule for rule in rules[group] if rule.id not in self.gone) for group in rules}

    def hidden(self, group: SecurityGroupId, rules: Iterable[Rule]) -> tuple[Rule, ...]:
        """The rules that the pass has made in the group and that a reading lacks.

        Another caller may have removed them since, so they are no reason to make no rule. But they may have to go.
        """
        shown = {rule.id for rule in rules} | self.gone
        return tuple(rule for id, rule in self.made.items() if rule.group == group and id not in shown)
