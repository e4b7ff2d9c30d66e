"""Faults of calls: what can go wrong with a call, and which calls a fault affects.

A fault is a value; `CallFaults` selects the one that affects a call. It must not know what the calls do.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum

from ringfence_lab.sim.engine.call import Call


class Effect(Enum):
    """What a fault does to a call."""

    FAIL = "fail"  # refused with a 500 before it takes effect
    THROTTLE = "throttle"  # throttled before it takes effect
    LOSE_ANSWER = "lose-answer"  # takes effect, but the caller sees a timeout
    UNREACHABLE = "unreachable"  # hangs for `seconds`, then times out; takes no effect
    SLOW = "slow"  # takes `seconds`, then succeeds
    STALE = "stale"  # a describe returns the state of `seconds` ago
    DENY = "deny"  # access denied: Permanent
    KILL_BEFORE = "kill-before"  # the process dies before the call
    KILL_AFTER = "kill-after"  # the process dies after the call took effect


OF_A_ZONE = "zone outage"
"""The outcome of a call that depends on an Availability Zone that fails."""


@dataclass(slots=True, eq=False, kw_only=True)
class CallFault:
    """An effect on calls.

    A selector that is None matches every call; `home` is the Region of the caller, and `zone` an Availability Zone
    that the answer depends on. `after` is the number of matching
    calls to skip, `times` the number to affect then (None: until healed).
    """

    effect: Effect
    region: str | None = None
    service: str | None = None
    operation: str | None = None
    home: str | None = None
    zone: str | None = None
    seconds: float = 0.0
    times: int | None = None
    after: int = 0
    matched: int = field(default=0, init=False)

    @property
    def outcome(self) -> str:
        """The outcome of a call that the fault affects."""
        return self.effect.value if self.zone is None else OF_A_ZONE

    def affects(self, call: Call) -> bool:
        """Whether the fault affects this call. Counts the call if it matches."""
        if (
            (self.region is not None and self.region != call.region)
            or (self.service is not None and self.service != call.service)
            or (self.operation is not None and self.operation != call.operation)
            or (self.home is not None and self.home != call.invocation.home)
            or (self.zone is not None and self.zone not in call.zones)
        ):
            return False
        self.matched += 1
        return self.matched > self.after and (self.times is None or self.matched <= self.after + self.times)


class CallFaults:
    """The faults that are set. `chance`, if given, may return a fault for a call that no set fault affects."""

    def __init__(self) -> None:
        self.active: list[CallFault] = []
        self.chance: Callable[[Call], CallFault | None] | None = None

    def add(self, fault: CallFault) -> CallFault:
        """Sets a fault and returns it."""
        self.active.append(fault)
        return fault

    def heal(self, fault: CallFault | None = None) -> None:
        """Removes a fault; without one, removes all faults and `chance`."""
        if fault is None:
            self.active.clear()
            self.chance = None
        elif fault in self.active:
            self.active.remove(fault)

    def on(self, call: Call) -> CallFault | None:
        """The first fault that affects the call."""
        for fault in self.active:
            if fault.affects(call):
                return fault
        return self.chance(call) if self.chance is not None else None
