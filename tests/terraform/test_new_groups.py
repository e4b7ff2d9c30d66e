"""The example whose networks and groups are Terraform's own: what Ringfence changes is no difference to Terraform.

`make test-terraform` runs this. The tests stand in the order of the cluster's life, and each needs those before.
"""

import json
from collections.abc import Iterator

import pytest

from tests.end_to_end.clusters import EAST, WEST
from tests.terraform.accounts import Account, Groups, made, uploaded_code
from tests.terraform.terraform import Terraform

pytestmark = pytest.mark.terraform

LATER = Groups("is-made-by-terraform", "sg-00000001")
"""What the cluster file names before there are groups: `ringfence template --upload` looks at none."""


@pytest.fixture(scope="module")
def account(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Account]:
    yield from made(tmp_path_factory.mktemp("terraform"))


@pytest.fixture(scope="module")
def example(account: Account, tmp_path_factory: pytest.TempPathFactory) -> Terraform:
    terraform = account.terraform(account.module / "examples" / "new-groups", "us_east_1", "us_west_2")
    operator = account.operator(tmp_path_factory.mktemp("operator"), "new", {EAST: LATER, WEST: LATER})
    terraform.give(code_key=uploaded_code(operator))
    return terraform


def groups_of(example: Terraform) -> dict[str, Groups]:
    shown = json.loads(example.run("output", "-json").worked().output)["groups"]["value"]
    return {region: Groups(**found) for region, found in shown.items()}


def test_it_makes_a_cluster_that_admits_its_instances(account: Account, example: Terraform) -> None:
    # when
    example.run("apply", "-input=false", "-auto-approve").worked()
    # then
    account.launch_and_admit("new", groups_of(example))


def test_the_rules_of_the_members_are_no_difference(example: Terraform) -> None:
    planned = example.run("plan", "-input=false", "-detailed-exitcode")
    assert planned.code == 0, planned.output


def test_destroy_leaves_nothing_of_it_though_members_run(account: Account, example: Terraform) -> None:
    # given
    groups = groups_of(example)
    # when
    example.run("destroy", "-input=false", "-auto-approve").worked()
    # then
    for region, found in groups.items():
        ids = account.lab.client("ec2", region).describe_security_groups()["SecurityGroups"]
        assert found.security_group not in {group["GroupId"] for group in ids}
        stacks = account.lab.client("cloudformation", region).list_stacks()["StackSummaries"]
        assert {stack["StackStatus"] for stack in stacks} <= {"DELETE_COMPLETE"}
