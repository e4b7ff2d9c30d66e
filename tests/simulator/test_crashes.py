"""Every scenario recovers from a kill before and after every call. The proof detects an engine that does not."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from ringfence.core.configuration.settings import Settings
from ringfence.core.events import Event, Launching, Terminating
from ringfence.reconciler.interfaces import Services
from ringfence.reconciler.reconcile import reconcile
from ringfence_lab.proof.crashes import Kill, crash_everywhere, play
from ringfence_lab.proof.harness import first_ready, last_ready
from ringfence_lab.proof.scenarios import BY_NAME, SCENARIOS, Scenario
from ringfence_lab.proof.sections import put_section
from ringfence_lab.sim.engine.call_faults import Effect
from ringfence_lab.sim.engine.function import Reconcile

LAUNCH = BY_NAME["launch, two Regions"]


@pytest.mark.parametrize("scenario", SCENARIOS, ids=[scenario.name for scenario in SCENARIOS])
def test_every_crash_converges(scenario: Scenario) -> None:
    counts = crash_everywhere(scenario, orders=(first_ready,))

    assert counts.crashes == 2 * counts.calls > 0
    assert not counts.failed, str(counts.failed[0])


def test_a_second_crash_during_the_recovery_from_the_first_converges() -> None:
    # given a termination that is killed right after its roster was written
    termination = BY_NAME["termination, two Regions"]
    first = Kill(5, Effect.KILL_AFTER)
    calls = play(termination, (first,)).calls_with_recovery
    # when each of the later calls is the last one of its process
    runs = [play(termination, (first, Kill(call, Effect.KILL_AFTER))) for call in range(6, calls + 1)]
    # then
    assert len(runs) > 20
    assert not [str(run) for run in runs if run.problems]


def test_a_kill_before_a_call_equals_a_kill_after_the_previous_call() -> None:
    before, after = (play(LAUNCH, (Kill(call, effect),), forgets()) for call, effect in KILLS_AT_ONE_MOMENT)

    assert before.problems == after.problems
    assert len(before.trace) == len(after.trace) + 1  # the call that was not completed


KILLS_AT_ONE_MOMENT = ((6, Effect.KILL_BEFORE), (5, Effect.KILL_AFTER))


def forgets() -> Reconcile:
    """An engine that handles each event only once, as if it kept its state in the process, and that has no schedule."""
    begun: set[str] = set()

    def engine(events: Sequence[Event], services: Services, settings: Settings) -> None:
        new = [event for event in events if isinstance(event, Launching | Terminating) and event.id not in begun]
        begun.update(event.id for event in new)
        reconcile(new, services, settings)

    return engine


def test_every_relevant_crash_detects_an_engine_that_forgets_events() -> None:
    # given an engine that works unless it is killed
    assert not play(LAUNCH, engine=forgets()).problems
    # when it is killed at each call
    runs = [play(LAUNCH, (Kill(call, Effect.KILL_BEFORE),), forgets()) for call in range(1, 13)]
    # then each kill up to the answer to the hook detects it
    assert [bool(run.problems) for run in runs] == [True] * 10 + [False] * 2


def test_the_order_of_the_passes_determines_what_was_done_before_a_kill() -> None:
    alternating, sequential = (
        play(LAUNCH, (Kill(9, Effect.KILL_BEFORE),), forgets(), order).trace for order in (first_ready, last_ready)
    )

    assert alternating != sequential


def test_a_kill_that_meets_no_call_is_an_error() -> None:
    with pytest.raises(AssertionError, match="not every kill met a call"):
        play(LAUNCH, (Kill(10_000, Effect.KILL_BEFORE),))


def test_a_scenario_that_fails_without_any_kill_is_an_error() -> None:
    def does_nothing(_events: Sequence[Event], _world: Services, _settings: Settings) -> None:
        """Changes nothing."""

    with pytest.raises(AssertionError, match="without any kill"):
        crash_everywhere(LAUNCH, does_nothing)


def test_a_section_is_replaced_in_its_place_and_a_new_one_comes_last(tmp_path: Path) -> None:
    # given
    document = tmp_path / "reliability.md"
    put_section(document, "one", "first")
    put_section(document, "two", "second")
    # when
    put_section(document, "one", "again")
    # then
    one, two = (f'<!-- [[[cog cog.out(measured("{name}")) ]]] -->' for name in ("one", "two"))
    end = "<!-- [[[end]]] -->"
    assert document.read_text() == f"# Reliability\n\n{one}\nagain\n{end}\n\n{two}\nsecond\n{end}\n"
