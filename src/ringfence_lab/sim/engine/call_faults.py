"""What can go wrong with a call, and with which calls it does.

Knows nothing of what the calls do. A fault is a value; `Faults` says which one meets a call.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ringfence_lab.sim.engine.line import Call


class Effect(Enum):
    """What a fault does to a call."""

    FAIL = "fail"  # refused before it takes effect, with a 500
    THROTTLE = "throttle"  # refused before it takes effect, as too many
    LOSE_ANSWER = "lose-answer"  # takes effect, but the caller sees a time-out
    UNREACHABLE = "unreachable"  # hangs for `seconds`, then a time-out; takes no effect
    SLOW = "slow"  # hangs for `seconds`, then all is well
    STALE = "stale"  # a describe answers what was true `seconds` ago
    DENY = "deny"  # access denied: Permanent
    KILL_BEFORE = "kill-before"  # the process dies before the call
    KILL_AFTER = "kill-after"  # the process dies after the call took effect


@dataclass(slots=True, eq=False)
class Fault:
    """An effect on calls. What is None matches every call; `times` (None: until healed) and `after` count matching
    calls. `home` is the caller's Region."""

    effect: Effect
    region: str | None = None
    service: str | None = None
    operation: str | None = None
    home: str | None = None
    seconds: float = 0.0
    times: int | None = None
    after: int = 0
    met: int = field(default=0, init=False)

    def meets(self, call: "Call") -> bool:
        """Whether the fault takes effect on this call; counts it if it matches."""
        if (
            (self.region is not None and self.region != call.region)
            or (self.service is not None and self.service != call.service)
            or (self.operation is not None and self.operation != call.operation)
            or (self.home is not None and self.home != call.invocation.home)
        ):
            return False
        self.met += 1
        return self.met > self.after and (self.times is None or self.met <= self.after + self.times)


class Faults:
    """The faults there are. `chance`, where given, is asked for one when none of the standing ones meets a call."""

    def __init__(self) -> None:
        self.standing: list[Fault] = []
        self.chance: Callable[[Call], Fault | None] | None = None

    def add(self, fault: Fault) -> Fault:
        """The fault stands from now on."""
        self.standing.append(fault)
        return fault

    def heal(self, fault: Fault | None = None) -> None:
        """Takes the fault away; without one, all of them, and chance too."""
        if fault is None:
            self.standing.clear()
            self.chance = None
        elif fault in self.standing:
            self.standing.remove(fault)

    def on(self, call: "Call") -> Fault | None:
        """The first fault that meets the call."""
        for fault in self.standing:
            if fault.meets(call):
                return fault
        return self.chance(call) if self.chance is not None else None
