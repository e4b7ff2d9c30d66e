"""`pause` and `resume` as the real command, on a cluster in the lab."""

from collections.abc import Iterator

import pytest

from ringfence.aws.pause_item import PAUSE, pause_key
from ringfence.core.model.identifiers import Region
from ringfence_ops.state.pauses import TIMEOUT
from tests.end_to_end.clusters import EAST, WEST, Cluster
from tests.labs import eventually
from tests.ops.commands import HANGING_REGION_SECONDS, Shell

TABLE = "ringfence-demo"
OPERATOR = "arn:aws:"


@pytest.fixture(autouse=True)
def _resumed(two_regions: Cluster) -> Iterator[None]:
    """No pause outlives its test."""
    yield
    two_regions.lab.heal()
    for region in two_regions.regions.values():
        for paused in two_regions.regions:
            region.client("dynamodb").delete_item(TableName=TABLE, Key=pause_key(Region(paused)))


def pauses_in(cluster: Cluster, region: str) -> set[str]:
    """The Regions that a Region's table has as paused."""
    items = cluster.regions[region].client("dynamodb").scan(TableName=TABLE, ConsistentRead=True)["Items"]
    return {item["asg"]["S"] for item in items if item["region"]["S"] == PAUSE and item["paused"]["BOOL"]}


def test_a_pause_is_in_every_table_with_who_and_why(two_regions: Cluster, operator: Shell) -> None:
    # when
    done = operator.run("pause", EAST, "--reason", "incident \x1b[31m4711")
    # then
    assert (done.code, done.errors) == (0, "")
    assert "paused since" in done.output
    assert r"incident \x1b[31m4711" in done.output
    assert f"ringfence resume {EAST}" in done.output
    assert pauses_in(two_regions, EAST) == pauses_in(two_regions, WEST) == {EAST}
    (item,) = operator.document("pause", EAST)["regions"]
    assert item["by"].startswith(OPERATOR)
    assert item["unchanged"]


def test_a_paused_region_lets_a_launch_go_and_opens_no_rule_for_it(two_regions: Cluster, operator: Shell) -> None:
    # given
    operator.run("pause", EAST)
    before = two_regions.regions[EAST].admitted()
    # when
    two_regions.scale(EAST, 2)
    # then
    assert two_regions.regions[EAST].admitted() == before
    eventually(lambda: two_regions.regions[WEST].admitted() == two_regions.members(), 90)
    # when
    done = operator.run("resume", EAST)
    # then
    assert done.code == 0
    assert two_regions.agrees()


def test_no_other_engine_opens_a_paused_region(two_regions: Cluster, operator: Shell) -> None:
    # given
    operator.run("pause", EAST)
    before = two_regions.regions[EAST].admitted()
    # when
    two_regions.scale(WEST, 2)
    # then
    assert two_regions.regions[EAST].admitted() == before
    assert two_regions.regions[WEST].admitted() == two_regions.members()


def test_a_pause_of_all_regions_and_its_end(two_regions: Cluster, operator: Shell) -> None:
    assert operator.run("pause").code == 0
    assert pauses_in(two_regions, EAST) == pauses_in(two_regions, WEST) == {EAST, WEST}
    done = operator.run("resume")
    assert done.code == 0
    assert not pauses_in(two_regions, EAST) | pauses_in(two_regions, WEST)
    assert "is not paused" in operator.run("resume").output


def test_a_second_pause_keeps_the_first_one(operator: Shell) -> None:
    operator.run("pause", EAST, "--reason", "first")
    (item,) = operator.document("pause", EAST, "--reason", "second")["regions"]
    assert (item["reason"], item["unchanged"]) == ("first", True)


def test_a_pause_that_a_table_lacks_is_completed_with_its_author(two_regions: Cluster, operator: Shell) -> None:
    # given
    operator.run("pause", EAST, "--reason", "first")
    two_regions.regions[WEST].client("dynamodb").delete_item(TableName=TABLE, Key=pause_key(Region(EAST)))
    # when
    (item,) = operator.document("pause", EAST, "--reason", "second")["regions"]
    # then
    assert (item["reason"], item["unchanged"]) == ("first", False)
    assert pauses_in(two_regions, WEST) == {EAST}


def test_a_region_that_does_not_answer_is_named_with_what_follows(two_regions: Cluster, operator: Shell) -> None:
    # given
    two_regions.lab.fault(WEST, "hang", "dynamodb")
    # when
    done = operator.run("pause", EAST)
    # then
    assert done.code == 1
    assert f"the table of {WEST} could not be written" in done.output
    assert f"run `ringfence pause {EAST}` again" in done.output
    assert f"To go on: ringfence resume {EAST}\n" in done.output
    assert done.seconds < HANGING_REGION_SECONDS + TIMEOUT
    assert pauses_in(two_regions, EAST) == {EAST}


def test_a_reason_that_is_too_long_is_refused_before_anything_is_written(two_regions: Cluster, operator: Shell) -> None:
    done = operator.run("pause", EAST, "--reason", "x" * 257)
    assert done.code != 0
    assert "256" in done.errors
    assert not pauses_in(two_regions, EAST)


def test_every_screen_says_who_paused_a_region(two_regions: Cluster, operator: Shell) -> None:
    # given a paused Region in which a reconcile would change a rule
    operator.run("pause", EAST, "--reason", "incident 4711")
    two_regions.scale(EAST, 2)
    # when
    screens = {name: operator.run(name) for name in ("status", "plan", "sync", "doctor")}
    # then
    for name, screen in screens.items():
        assert screen.code == 2, (name, screen)
        assert "incident 4711" in screen.output, name
        assert f"ringfence resume {EAST}" in screen.output, name
    assert "nothing is changed" in screens["plan"].output
    for instance in two_regions.regions[EAST].instances().values():
        if instance.address not in two_regions.regions[EAST].admitted():
            assert f"ringfence resume {EAST}" in operator.run("explain", instance.id).output
    history = operator.run("history")
    assert "incident 4711" in history.output
    # when
    operator.run("resume", EAST)
    # then
    eventually(lambda: operator.run("status").code == 0, 60)
    pauses = operator.document("history")["pauses"]
    assert [pause["turn"] for pause in pauses][-2:] == ["paused", "resumed"]
