"""Mends moto's EC2 and Auto Scaling: the one place that knows all seams.

Installing again replaces what was installed before, so that a process can begin anew with another lock and clock.
"""

import time
from collections.abc import Callable

from ringfence_lab.emulator.aws import addresses, auto_scaling, instances, security_groups
from ringfence_lab.emulator.aws.events import Emit
from ringfence_lab.emulator.aws.groups import Groups
from ringfence_lab.emulator.aws.passages import Lock, Schedule
from ringfence_lab.emulator.aws.security_groups import RulesQuota


def install(
    emit: Emit,
    schedule: Schedule,
    lock: Lock,
    *,
    now: Callable[[], float] = time.monotonic,
    step_seconds: float = 0.0,
) -> RulesQuota:
    """Puts all seams into moto, and returns the quota of security group rules, which can be changed.

    `emit` sends an event and does not wait. `schedule` calls a function after so many seconds of the clock that `now`
    reads. `lock` is the one that is held around each request to moto, and can be taken twice by a thread; it is taken
    around what `schedule` calls. `step_seconds` is how long lifecycle states that no hook holds are to be seen.
    """
    quota = RulesQuota()
    addresses.install()
    instances.install()
    security_groups.install(quota)
    auto_scaling.install(Groups(emit, schedule, lock, now, step_seconds))
    return quota
