"""How often one invocation may pause: all attempts of its reconcile share one budget.

Pure. Every pause goes through `Tasks.sleep`. The queue must not wait longer, because all events wait behind this one.
"""

from dataclasses import dataclass

SECONDS_BETWEEN_LOOKS = 1.5
SECONDS_BEFORE_ANOTHER_ANSWER = 2.0


@dataclass(slots=True)
class PauseBudget:
    """How many pauses are left: 5 seconds in all."""

    looks: int = 2
    answers: int = 1

    def take_look(self) -> bool:
        """Whether the home Region may be looked at once more, after SECONDS_BETWEEN_LOOKS. Takes the look."""
        self.looks -= 1
        return self.looks >= 0

    def take_answer(self) -> bool:
        """Whether hooks may be answered once more, after SECONDS_BEFORE_ANOTHER_ANSWER. Takes the answer."""
        self.answers -= 1
        return self.answers >= 0
