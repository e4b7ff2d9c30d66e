"""The row of a pause: what is written is read again, and what cannot be read is a pause all the same."""

from typing import Any

import pytest

from ringfence.aws.pause_item import PAUSE, REASON_LIMIT, pause_from_item, pause_to_item
from ringfence.core.model.identifiers import Region
from ringfence.core.model.pauses import Pause
from ringfence.core.model.rosters import Rows
from tests.unit.builders import EAST, NOW

PAUSED = Pause(EAST, "arn:aws:iam::111122223333:user/on-call", "a drill", int(NOW))


@pytest.mark.parametrize("is_over", [False, True])
def test_a_pause_that_is_written_is_read_again(is_over: bool) -> None:
    pause = Pause(PAUSED.region, PAUSED.by, PAUSED.reason, PAUSED.since, is_over=is_over)
    assert pause_from_item(pause_to_item(pause), NOW) == pause


@pytest.mark.parametrize(
    "spoilt",
    [
        {"paused": {"NULL": True}},
        {"paused": {"BOOL": "false"}},
        {"paused": {"S": "false"}},
        {"by": {"S": "x" * 3000}},
        {"by": {"N": "1"}},
        {"reason": {"S": "x" * (REASON_LIMIT + 1)}},
        {"since": {"N": "-1"}},
        {"since": {"N": str(int(NOW) + 60)}},
        {"since": {"N": "1.5"}},
        {"since": "now"},
    ],
    ids=str,
)
def test_a_pause_that_cannot_be_read_is_a_pause(spoilt: dict[str, Any]) -> None:
    # given the end of a pause, of which an attribute is spoilt
    item = pause_to_item(Pause(EAST, PAUSED.by, "", PAUSED.since, is_over=True)) | spoilt
    # when
    pause = pause_from_item(item, NOW)
    # then
    assert not pause.is_over
    assert Rows(pauses={EAST: pause}).pause_of(EAST) is pause


def test_what_a_pause_says_is_empty_if_it_cannot_be_read() -> None:
    pause = pause_from_item({"region": {"S": PAUSE}, "asg": {"S": EAST}}, NOW)
    assert (pause.by, pause.reason, pause.since) == ("", "", 0)
    assert pause.problem
    assert str(pause) == f"{EAST} is paused since an unknown time by an unknown caller"


def test_a_pause_that_is_over_pauses_nothing() -> None:
    over = Pause(Region("us-west-2"), PAUSED.by, is_over=True)
    assert Rows(pauses={over.region: over}).pause_of(over.region) is None
