"""The announcement of a deployment: facts fail it, and nothing else does."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace

import pytest

from ringfence.core.deployment import Existing, Requirements
from ringfence.core.errors import Denied, NotDeployed, Permanent, Retry
from ringfence.runtime.announcement import LOOKS, Outcome, Patience, announce, replaced
from tests.unit.builders import CLUSTER, DB, EAST, GROUP, settings

WANTED = Requirements.of(settings())
THERE = Existing({DB.asg}, {GROUP: CLUSTER})
NO_GROUP = Existing(set(), {GROUP: CLUSTER})
NO_SECURITY_GROUP = Existing({DB.asg}, {})
NO_TAG = Existing({DB.asg}, {GROUP: None})
ANOTHER_TAG = Existing({DB.asg}, {GROUP: "other"})


@dataclass
class World:
    """Answers in order, the last one for ever; each true-up raises the next of its errors. Counts the pauses."""

    answers: list[Existing | Exception]
    errors: list[Exception] = field(default_factory=list)
    attempts: int = 100
    pauses: int = 0
    true_ups: int = 0
    asked: list[Requirements] = field(default_factory=list)

    def look(self, requirements: Requirements) -> Existing:
        self.asked.append(requirements)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer

    def true_up(self) -> None:
        self.true_ups += 1
        if self.errors:
            raise self.errors.pop(0) if len(self.errors) > 1 else self.errors[0]

    def pause(self) -> None:
        self.pauses += 1

    def announced(self, before: Requirements | None = None) -> Outcome:
        patience = Patience(lambda: self.pauses < self.attempts, self.pause)
        return announce(WANTED, before, self.look, self.true_up, patience)


def test_a_deployment_announces_itself_by_a_true_up() -> None:
    world = World([THERE])
    assert world.announced() == Outcome()
    assert (world.true_ups, world.pauses) == (1, 0)


@pytest.mark.parametrize(
    ("existing", "said"),
    [
        (NO_GROUP, "the Auto Scaling group db does not exist in us-east-1"),
        (NO_SECURITY_GROUP, f"the security group {GROUP} does not exist in us-east-1"),
        (NO_TAG, f"the security group {GROUP} has no tag ringfence-cluster: give it the value demo"),
        (ANOTHER_TAG, f"the security group {GROUP} has the value other in the tag ringfence-cluster"),
    ],
)
def test_a_configuration_that_cannot_work_fails_the_deployment_with_its_reason(existing: Existing, said: str) -> None:
    world = World([existing])
    failure = world.announced().failure
    assert failure is not None
    assert failure.startswith(said)
    assert (world.true_ups, len(world.asked)) == (0, LOOKS)


def test_every_reason_is_named() -> None:
    failure = World([Existing(set(), {})]).announced().failure
    assert failure is not None
    assert "Auto Scaling group" in failure
    assert "security group" in failure


def test_a_group_that_a_stale_describe_does_not_show_fails_nothing() -> None:
    world = World([NO_TAG, NO_GROUP, THERE])
    assert world.announced() == Outcome()
    assert world.true_ups == 1


@pytest.mark.parametrize("error", [Retry("throttled"), Denied("no policy yet")])
def test_an_error_that_passes_is_tried_again(error: Exception) -> None:
    world = World([error, error, THERE], [error, error])
    world.errors.append(error)
    world.attempts = 4
    outcome = world.announced()
    assert outcome.failure is None
    assert outcome.notes == (f"not announced, or not everywhere: {error}",)
    assert (world.pauses, world.true_ups) == (4, 3)


@pytest.mark.parametrize(
    "error",
    [Retry("throttled"), Denied("denied"), Permanent("not reachable"), NotDeployed("no table"), KeyError("a defect")],
)
def test_no_error_of_a_call_fails_a_deployment(error: Exception) -> None:
    outcome = World([error], [error], attempts=3).announced()
    assert outcome.failure is None
    assert len(outcome.notes) == 2


BEFORE = replace(WANTED, auto_scaling_groups=("cache",))


def both(*groups: str) -> Existing:
    return Existing(set(groups), {GROUP: CLUSTER})


@pytest.mark.parametrize(
    ("existing", "fails"),
    [
        (both("cache"), True),
        (both("cache", DB.asg), False),
        (both(DB.asg), False),
        (both(), False),
    ],
    ids=["to what is missing", "of one that works to another", "away from what is missing", "of nothing that works"],
)
def test_an_update_fails_only_if_it_breaks_what_worked(existing: Existing, fails: bool) -> None:
    """The rollback of a failed update is an update too, and its failure would leave the stack stuck."""
    outcome = World([existing]).announced(BEFORE)
    assert (outcome.failure is not None) is fails


def test_an_update_asks_for_the_groups_before_and_after() -> None:
    world = World([both("cache", DB.asg)])
    world.announced(BEFORE)
    assert world.asked == [replace(WANTED, auto_scaling_groups=(DB.asg, "cache"))]


@pytest.mark.parametrize(
    "properties",
    [{}, {"AutoScalingGroups": "db"}, {"AutoScalingGroups": [7, {"a": 1}], "SecurityGroups": None}],
    ids=str,
)
def test_properties_that_are_no_names_are_left_out(properties: dict[str, object]) -> None:
    assert replaced(WANTED, properties) == Requirements(EAST, CLUSTER, (), ())


def test_the_properties_before_have_the_names_of_the_parameters() -> None:
    properties = {"AutoScalingGroups": ["cache"], "SecurityGroups": [GROUP], "ServiceToken": "arn"}
    found: Callable[[], Requirements] = lambda: replaced(WANTED, properties)  # noqa: E731
    assert found() == BEFORE
