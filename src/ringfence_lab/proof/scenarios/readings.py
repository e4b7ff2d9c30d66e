"""Scenarios of rules that readings show minutes late, and of rules that are new when their instance departs."""

from ringfence_lab.proof.harness import EAST, Harness
from ringfence_lab.proof.scenarios.capacity import launch
from ringfence_lab.sim.engine.call_faults import Effect

MINUTES = 300.0


def _show_late(harness: Harness) -> None:
    """From now on, readings show the rules of the first Region as they are now."""
    harness.region(EAST).security_group.lag(MINUTES)
    harness.cloud.clock.advance(1)


def launch_shown_late(harness: Harness) -> None:
    """The answer to an authorize is lost, and no reading shows the rule when the event is delivered again."""
    _show_late(harness)
    harness.cloud.fault(Effect.LOSE_ANSWER, region=EAST, operation="AuthorizeSecurityGroupIngress", times=1)
    launch(harness)
    harness.cloud.clock.advance(40)
    harness.drain(EAST)
    harness.region(EAST).security_group.lag(0)


def return_shown_late(harness: Harness) -> None:
    """A member returns to the warm pool and leaves it again, while readings still show its first rules."""
    _show_late(harness)
    group = harness.group(EAST)
    group.put_warm_pool(0, "Warmed:Running", reuse_on_scale_in=True)
    group.scale_to(group.desired - 1)
    harness.drain(EAST)
    group.scale_to(group.desired + 1)
    harness.drain(EAST)
    harness.region(EAST).security_group.lag(0)


def new_instance_terminates(harness: Harness) -> None:
    """An instance terminates right after its launch: the next true-up releases it."""
    launch(harness)
    group = harness.group(EAST)
    group.terminate(list(group.listed())[-1], decrement=True)
    harness.drain(EAST)
    harness.cloud.clock.advance(61)
    harness.region(EAST).events.schedule()
    harness.drain(EAST)
