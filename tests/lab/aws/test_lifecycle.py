"""The pure part of the lifecycle: what holds an instance, and for how long."""

import itertools

import pytest

from ringfence_lab.emulator.aws.lifecycle import LAUNCH, Hook, HookResult, Journey, Transition


def held_by(*hooks: Hook) -> Journey:
    numbers = itertools.count()
    return Journey(LAUNCH).held(hooks, 0.0, lambda: f"token-{next(numbers)}")


def hook(name: str = "admit", heartbeat_timeout: int = 300) -> Hook:
    return Hook(name, Transition.LAUNCHING, heartbeat_timeout)


@pytest.mark.parametrize(("heartbeat", "seconds"), [(30, 3000), (1728, 172800), (7200, 172800)])
def test_a_hook_holds_for_48_hours_or_100_heartbeats_whichever_is_less(heartbeat: int, seconds: int) -> None:
    assert hook(heartbeat_timeout=heartbeat).global_timeout == seconds


def test_a_recorded_heartbeat_restarts_the_timeout() -> None:
    journey = held_by(hook())

    [action] = journey.prolonged(journey.actions[0], now=200.0).actions

    assert action.deadline == 500.0


def test_heartbeats_do_not_hold_beyond_the_global_timeout() -> None:
    journey = held_by(hook(heartbeat_timeout=30))

    [action] = journey.prolonged(journey.actions[0], now=2999.0).actions

    assert action.deadline == 3000.0


def test_a_heartbeat_prolongs_only_its_own_hook() -> None:
    journey = held_by(hook("admit"), hook("warm-up"))

    prolonged = journey.prolonged(journey.actions[0], now=100.0)

    assert [action.deadline for action in prolonged.actions] == [400.0, 300.0]


def test_an_instance_proceeds_when_the_last_of_its_hooks_continues() -> None:
    journey = held_by(hook("admit"), hook("warm-up"))

    once = journey.completed(journey.actions[0], HookResult.CONTINUE)
    twice = once.completed(once.actions[0], HookResult.CONTINUE)

    assert [action.hook.name for action in once.actions] == ["warm-up"]
    assert (twice.actions, twice.abandoned) == ((), False)


def test_abandon_ends_the_actions_of_all_hooks() -> None:
    journey = held_by(hook("admit"), hook("warm-up"))

    abandoned = journey.completed(journey.actions[0], HookResult.ABANDON)

    assert (abandoned.actions, abandoned.abandoned) == ((), True)


def test_an_action_is_found_by_its_hook_and_token() -> None:
    journey = held_by(hook("admit"), hook("warm-up"))

    assert journey.find("warm-up", "token-1") == journey.actions[1]
    assert journey.find("warm-up", None) == journey.actions[1]
    assert journey.find("warm-up", "token-0") is None
    assert journey.find("drain", None) is None
