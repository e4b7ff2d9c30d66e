"""What is wrong with the rows of a table: those that cannot be trusted, and those of no group of the cluster."""

import json
import shlex
from dataclasses import replace

import pytest

from ringfence.core.model.identifiers import ANNOUNCEMENT, Region, RosterKey
from ringfence.core.model.rosters import BadRow, Rows
from ringfence_ops.state.row_reasons import row_reasons
from ringfence_ops.state.standing import Reason, State
from tests.ops.facts import EXPECTED, EXPECTED_WEST, ROWS
from tests.unit.builders import DB, EAST, I1, WEST, WEST_DB, address, roster


def reasons(rows: Rows) -> list[Reason]:
    return list(row_reasons(rows, EXPECTED, {EAST: EXPECTED, WEST: EXPECTED_WEST}))


@pytest.mark.parametrize(
    ("key", "fix"),
    [
        (WEST_DB, "ringfence sync us-west-2"),
        (RosterKey(WEST, ANNOUNCEMENT), "ringfence sync us-west-2"),
        (DB, "ringfence sync us-east-1"),
        (RosterKey(WEST, "evil"), "ringfence sync us-west-2"),
        (RosterKey(Region("eu-north-1"), "db"), "aws dynamodb delete-item"),
    ],
    ids=str,
)
def test_a_bad_row_is_found_with_the_region_whose_engine_replaces_it(key: RosterKey, fix: str) -> None:
    (found,) = reasons(replace(ROWS, bad={key: BadRow("the version is out of bounds")}))
    assert found.state is (State.FAILING if key in (DB, WEST_DB, RosterKey(WEST, ANNOUNCEMENT)) else State.WAITING)
    assert found.why == f"the row {key} cannot be trusted: the version is out of bounds"
    assert fix in found.fix


@pytest.mark.parametrize("region", [EAST, WEST, Region("eu-north-1")])
def test_a_row_of_no_group_of_the_cluster_is_found(region: Region) -> None:
    evil = roster({I1: address(66)}, key=RosterKey(region, "evil"))
    (found,) = reasons(replace(ROWS, rosters={**ROWS.rosters, evil.key: evil}))
    assert found.why == f"the row {region}/evil is of no group of the cluster"


def test_a_row_of_the_original_sample_is_no_reason() -> None:
    original = roster({I1: address(66)}, key=RosterKey(WEST, "old"), version=0)
    assert reasons(replace(ROWS, rosters={**ROWS.rosters, original.key: original})) == []


def test_the_key_of_a_row_is_quoted_for_a_shell() -> None:
    key = RosterKey(Region("x'; touch /tmp/owned; '"), "$(touch /tmp/owned)\n`id`")
    (found,) = reasons(replace(ROWS, bad={key: BadRow("why")}))
    words = shlex.split(found.fix)
    assert words[:3] == ["aws", "dynamodb", "delete-item"]
    assert json.loads(words[-1]) == {"region": {"S": key.region}, "asg": {"S": key.asg}}


def test_a_long_key_does_not_fill_the_screen() -> None:
    found = reasons(replace(ROWS, bad={RosterKey(WEST, "evil" * 500): BadRow("why")}))
    assert all(len(reason.why) < 400 for reason in found)
