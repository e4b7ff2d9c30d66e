"""What a pass knows of its own changes of the rules, which a reading may not show yet: readings are eventually
consistent, and the answers to changes are not.

Knows nothing of rosters, and makes no call. It ends with the pass: an invocation keeps nothing for the next one.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field

from ringfence.core.model.identifiers import RuleId, SecurityGroupId
from ringfence.core.model.rules import Opening, Rule
from ringfence.reconciler.apply import Added, Change, Removed, Standing, Vanished
from ringfence.reconciler.interfaces import Rules


@dataclass(slots=True)
class OwnChanges:
    """The rules that the pass has made, and those that do not exist any more. An id is never used again.
    `removed` are the openings of those that the pass has removed.

    `standing` are the openings that existed when the pass wanted to make a rule for them.
    """

    made: dict[RuleId, Rule] = field(default_factory=dict)
    standing: set[tuple[SecurityGroupId, Opening]] = field(default_factory=set)
    gone: set[RuleId] = field(default_factory=set)
    removed: set[tuple[SecurityGroupId, Opening]] = field(default_factory=set)

    def note(self, group: SecurityGroupId, change: Change) -> None:
        """Remembers a change."""
        match change:
            case Added(rule=rule):
                self.made[rule.id] = rule
            case Standing(addition=addition):
                self.standing.add((group, addition.opening))
            case Removed(removal=removal):
                self.gone.add(removal.rule)
                self.removed.add((group, removal.opening))
            case Vanished(rule=id):
                self.gone.add(id)
            case _:
                pass

    def without_gone(self, rules: Rules) -> Rules:
        """The rules without those that do not exist any more."""
        return {group: tuple(rule for rule in rules[group] if rule.id not in self.gone) for group in rules}

    def proved(self, group: SecurityGroupId) -> set[Opening]:
        """The openings of which the pass knows, by more than a reading, that the group had them."""
        made = {rule.opening for rule in self.made.values() if rule.group == group and rule.opening is not None}
        return made | {opening for of, opening in self.standing if of == group}

    def hidden(self, group: SecurityGroupId, rules: Iterable[Rule]) -> tuple[Rule, ...]:
        """The rules that the pass has made in the group and that a reading lacks.

        Another caller may have removed them since, so they are no reason to make no rule. But they may have to go.
        """
        shown = {rule.id for rule in rules} | self.gone
        return tuple(rule for id, rule in self.made.items() if rule.group == group and id not in shown)
