"""`deploy` shows what it changes, saves it as a plan, and takes no security group from another cluster."""

import json
import shlex
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from ringfence.core.deployment import CLUSTER_TAG
from tests.end_to_end.clusters import EAST, WEST, Cluster
from tests.ops.accounts import NAME, edit, empty_account, stacks
from tests.ops.commands import Shell, shell

OTHER = "other"


@pytest.fixture(scope="module")
def account() -> Iterator[Cluster]:
    """Two Regions with an Auto Scaling group and a security group each, and no Ringfence."""
    yield from empty_account(EAST, WEST)


@pytest.fixture
def operator(account: Cluster, tmp_path: Path) -> Shell:
    """A shell for the cluster, which is deployed in both Regions, if not always as the cluster file says."""
    for region in account.regions:
        tag(account, region, NAME)
    operator = shell(account, tmp_path)
    if stacks(account).keys() != {EAST, WEST}:
        assert operator.run("deploy", "--yes").code == 0
    return operator


def tag(account: Cluster, region: str, owner: str | None) -> None:
    """Sets the tag of the Region's security group, or deletes it."""
    ec2, group = account.regions[region].client("ec2"), account.regions[region].security_group
    ec2.delete_tags(Resources=[group], Tags=[{"Key": CLUSTER_TAG}])
    if owner is not None:
        ec2.create_tags(Resources=[group], Tags=[{"Key": CLUSTER_TAG, "Value": owner}])


def owner(account: Cluster, region: str) -> str | None:
    """The cluster that the tag of the Region's security group names."""
    ec2, group = account.regions[region].client("ec2"), account.regions[region].security_group
    tags = ec2.describe_security_groups(GroupIds=[group])["SecurityGroups"][0].get("Tags", [])
    return next((tag["Value"] for tag in tags if tag["Key"] == CLUSTER_TAG), None)


def run_delete_tags(account: Cluster, message: str) -> None:
    """Runs the AWS CLI's command that a message shows, as that would: with the message's own words only."""
    words = shlex.split(message.split("`aws ", 1)[1].split("`", 1)[0])
    service, operation, *rest = words
    options = dict(zip(rest[::2], rest[1::2], strict=True))
    assert (service, operation, set(options)) == ("ec2", "delete-tags", {"--region", "--resources", "--tags"})
    pairs = dict(pair.split("=", 1) for pair in options["--tags"].split(","))
    account.lab.client("ec2", options["--region"]).delete_tags(Resources=[options["--resources"]], Tags=[pairs])


# What deploy shows


def test_each_changed_setting_is_shown_with_its_old_and_new_value(operator: Shell) -> None:
    # given
    edit(operator, f'name = "{NAME}"', f'name = "{NAME}"\nrelease_deadline = 7\nstatic_members = ["192.0.2.0/24"]')
    # when
    shown, document = operator.run("deploy", "--dry-run"), operator.document("deploy", "--dry-run")
    # then
    assert shown.output.count("changes configuration") == 2
    assert "~ release_deadline" in shown.output
    assert "300 → 7" in shown.output
    assert "empty → 192.0.2.0/24" in shown.output
    for stack in document["regions"]:
        assert stack["parts"] == ["configuration"]
        assert stack["code"] is None
        assert {change["setting"]: (change["was"], change["becomes"]) for change in stack["parameters"]} == {
            "release_deadline": ("300", "7"),
            "static_members": ("", "192.0.2.0/24"),
        }


def test_other_code_and_another_template_are_told_from_configuration(account: Cluster, operator: Shell) -> None:
    # given the east runs other code than this checkout's, and the west another template
    for region, old, new in [(EAST, "artefact-", "older-artefact-"), (WEST, "MemorySize: 512", "MemorySize: 640")]:
        client = account.regions[region].client("cloudformation")
        template = client.get_template(StackName=f"ringfence-{NAME}", TemplateStage="Original")["TemplateBody"]
        copy_code(account, region)
        parameters = client.describe_stacks(StackName=f"ringfence-{NAME}")["Stacks"][0]["Parameters"]
        client.update_stack(
            StackName=f"ringfence-{NAME}",
            TemplateBody=template.replace(old, new),
            Parameters=parameters,
            Capabilities=["CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"],
        )
        client.get_waiter("stack_update_complete").wait(
            StackName=f"ringfence-{NAME}", WaiterConfig={"Delay": 1, "MaxAttempts": 60}
        )
    edit(operator, f'name = "{NAME}"', f'name = "{NAME}"\nrelease_deadline = 9')
    # when
    shown, document = operator.run("deploy", "--dry-run"), operator.document("deploy", "--dry-run")
    # then
    assert f"{EAST}  changes code and configuration" in shown.output
    assert f"{WEST}  changes template and configuration" in shown.output
    east, west = document["regions"]
    assert (east["parts"], west["parts"]) == (["code", "configuration"], ["template", "configuration"])
    assert east["code"]["was"].rpartition("/")[2].startswith("older-artefact-")
    assert east["code"]["becomes"].rpartition("/")[2].startswith("artefact-")
    assert west["code"] is None


def copy_code(account: Cluster, region: str) -> None:
    """Puts the function's code under another name too."""
    s3 = account.lab.client("s3", region)
    number = account.lab.client("sts", region).get_caller_identity()["Account"]
    bucket = f"ringfence-{number}-{region}"
    for item in s3.list_objects_v2(Bucket=bucket)["Contents"]:
        if item["Key"].startswith("artefact-"):
            body = s3.get_object(Bucket=bucket, Key=item["Key"])["Body"].read()
            s3.put_object(Bucket=bucket, Key=f"older-{item['Key']}", Body=body)


def test_a_lost_tag_is_part_of_what_deploy_shows_and_asks_for(account: Cluster, operator: Shell) -> None:
    # given
    assert operator.run("deploy", "--yes").code == 0
    tag(account, WEST, None)
    # when
    shown, asked = operator.document("deploy", "--dry-run"), operator.run("deploy")
    # then
    east, west = shown["regions"]
    assert (east["tags"], west["kind"]) == ([], "nothing")
    assert west["tags"] == [
        {"security_group": account.regions[WEST].security_group, "was": None, "becomes": NAME},
    ]
    assert f"tag {CLUSTER_TAG}" in asked.output
    assert "none → demo" in asked.output
    assert "there is no terminal to ask on" in asked.errors
    assert owner(account, WEST) is None
    # and when it is deployed
    done = operator.document("deploy", "--yes")
    # then
    assert [stack["outcome"] for stack in done["regions"]] == [
        "unchanged",
        "unchanged, but for the tags of security groups",
    ]
    assert owner(account, WEST) == NAME


# Groups of another cluster


def test_deploy_takes_no_group_from_another_cluster_and_says_how_it_is_handed_over(
    account: Cluster, operator: Shell
) -> None:
    # given
    tag(account, WEST, OTHER)
    # when
    refused = operator.run("deploy", "--yes", "--json")
    # then
    message = refused.document()["failed"][WEST]
    group = account.regions[WEST].security_group
    assert refused.code == 1
    assert f"the security group {group} in {WEST} belongs to the cluster {OTHER}, and is not taken from it" in message
    assert f"no stack of {OTHER} in {WEST} manages it" in message
    assert owner(account, WEST) == OTHER
    # and when what the message says is done
    run_delete_tags(account, message)
    # then
    assert operator.run("deploy", "--yes").code == 0
    assert owner(account, WEST) == NAME


def test_where_the_other_cluster_has_a_stack_its_group_is_taken_out_there_first(
    account: Cluster, operator: Shell
) -> None:
    # given another cluster's file that names our groups
    edit(operator, f'name = "{NAME}"', f'name = "{OTHER}"')
    # when
    refused = operator.run("deploy", EAST, "--yes", COLUMNS="80")
    # then
    assert refused.code == 1
    assert f"belongs to the cluster {NAME}" in refused.output
    assert (
        f"take it out of security_groups in {NAME}'s cluster file and run `ringfence deploy {EAST}`" in refused.output
    )
    assert owner(account, EAST) == NAME


def test_a_group_that_is_given_away_while_deploy_waits_for_its_answer_is_not_taken(
    account: Cluster, operator: Shell
) -> None:
    # given a plan of a change
    edit(operator, f'name = "{NAME}"', f'name = "{NAME}"\nrelease_deadline = 11')
    assert operator.run("deploy", WEST, "--out", "plan.json").code == 2
    # when
    tag(account, WEST, OTHER)
    ran = operator.run("deploy", "plan.json", COLUMNS="80")
    # then
    assert ran.code == 1
    assert f"belongs to the cluster {OTHER}" in ran.output
    assert owner(account, WEST) == OTHER


def test_adopt_takes_no_rules_in_a_group_of_another_cluster(account: Cluster, operator: Shell) -> None:
    tag(account, WEST, OTHER)

    refused = operator.run("adopt", "--yes")

    assert (refused.code, refused.output) == (1, "")
    assert f"belongs to the cluster {OTHER}" in refused.errors
    run_delete_tags(account, refused.errors)
    assert operator.run("adopt", "--yes").code == 0


@pytest.mark.parametrize("value", ["$(touch taken)", "a b", "Prod", ""])
def test_a_tag_that_no_cluster_can_have_is_removed_by_a_command_without_its_text(
    account: Cluster, operator: Shell, value: str
) -> None:
    # given
    tag(account, EAST, value)
    # when
    message = operator.document("deploy", "--dry-run")["failed"][EAST]
    # then
    assert message.count("`aws ") == 1
    assert f"--tags Key={CLUSTER_TAG}`" in message
    run_delete_tags(account, message)
    assert owner(account, EAST) is None


def test_a_security_group_that_does_not_exist_is_refused_before_anything_changes(
    account: Cluster, operator: Shell
) -> None:
    edit(operator, account.regions[WEST].security_group, "sg-0123456789abcdef0")

    refused = operator.document("deploy", WEST, "--yes")

    assert refused["failed"] == {
        WEST: f"the security group sg-0123456789abcdef0 does not exist in {WEST}: correct security_groups in the"
        " cluster file"
    }
    assert stacks(account)[WEST] in ("CREATE_COMPLETE", "UPDATE_COMPLETE")


# Saved plans


def test_a_saved_plan_changes_nothing_and_is_deployed_without_a_question(account: Cluster, operator: Shell) -> None:
    # given
    edit(operator, f'name = "{NAME}"', f'name = "{NAME}"\nrelease_deadline = 12')
    # when
    saved = operator.run("deploy", "--out", "plan.json")
    # then
    assert saved.code == 2
    assert "The plan is in plan.json. `ringfence deploy plan.json` deploys it." in saved.errors
    assert deadline(account, WEST) != "12"
    # and when
    applied = operator.run("deploy", "plan.json")
    # then
    assert applied.code == 0, applied
    assert (deadline(account, EAST), deadline(account, WEST)) == ("12", "12")
    # and a plan is deployed once
    again = operator.run("deploy", "plan.json")
    assert again.code == 1
    assert "release_deadline = 12, not" in again.errors
    # and an older plan is overwritten
    assert operator.run("deploy", "--out", "plan.json").code == 0


def deadline(account: Cluster, region: str) -> str:
    """The release deadline of the Region's function."""
    function = account.regions[region].client("lambda").get_function(FunctionName=f"ringfence-{NAME}")
    return str(function["Configuration"]["Environment"]["Variables"]["RINGFENCE_RELEASE_DEADLINE"])


def _edit_the_cluster_file(_account: Cluster, operator: Shell) -> None:
    edit(operator, "release_deadline = 21", "release_deadline = 22")


def _deploy_otherwise(_account: Cluster, operator: Shell) -> None:
    edit(operator, "release_deadline = 21", "release_deadline = 23")
    assert operator.run("deploy", WEST, "--yes").code == 0
    edit(operator, "release_deadline = 23", "release_deadline = 21")


def _lose_the_tag(account: Cluster, _operator: Shell) -> None:
    tag(account, WEST, None)


def _change_the_code_in_the_plan(_account: Cluster, operator: Shell) -> None:
    plan = json.loads((operator.directory / "plan.json").read_text())
    for stack in plan["stacks"].values():
        stack["code"] = "artefact-0000000000000000.zip"
        stack["template"] = "0" * 64
    (operator.directory / "plan.json").write_text(json.dumps(plan))


def _destroy(account: Cluster, _operator: Shell) -> None:
    client = account.regions[WEST].client("cloudformation")
    client.delete_stack(StackName=f"ringfence-{NAME}")
    client.get_waiter("stack_delete_complete").wait(
        StackName=f"ringfence-{NAME}", WaiterConfig={"Delay": 1, "MaxAttempts": 60}
    )


@pytest.mark.parametrize(
    ("move", "said"),
    [
        (_edit_the_cluster_file, ["the cluster file has release_deadline = 22, not 21"]),
        (_deploy_otherwise, ["the stack was updated at", "has release_deadline = 23, not"]),
        (_lose_the_tag, [f"has no value in its tag {CLUSTER_TAG} now"]),
        (_change_the_code_in_the_plan, ["the function's code of this checkout is", "template.yaml of this checkout"]),
        (_destroy, ["the stack is gone"]),
    ],
)
def test_a_plan_is_refused_with_what_has_moved_since(
    account: Cluster, operator: Shell, move: Callable[[Cluster, Shell], None], said: list[str]
) -> None:
    # given
    edit(operator, f'name = "{NAME}"', f'name = "{NAME}"\nrelease_deadline = 21')
    assert operator.run("deploy", WEST, "--out", "plan.json").code == 2
    move(account, operator)
    before = stacks(account)
    # when
    ran = operator.run("deploy", "plan.json")
    # then
    assert (ran.code, ran.output) == (1, "")
    assert ran.errors.startswith(f"ringfence: nothing was deployed, because the plan is out of date: {WEST}: ")
    assert all(words in ran.errors for words in said), ran.errors
    assert stacks(account) == before


def test_a_plan_says_that_it_does_not_hold_the_repairs(account: Cluster, operator: Shell) -> None:
    # given
    events = account.lab.client("events", EAST)
    events.disable_rule(Name=f"ringfence-{NAME}")
    # when
    planned = operator.run("deploy", "--out", "plan.json")
    # then
    assert "It does not hold the repairs" in planned.errors
    assert operator.run("deploy", "plan.json").code == 0
    assert events.describe_rule(Name=f"ringfence-{NAME}")["State"] == "DISABLED"
    # and the command that it names makes them
    assert operator.run("deploy", "--yes").code == 0
    assert events.describe_rule(Name=f"ringfence-{NAME}")["State"] == "ENABLED"
    assert "repairs" not in operator.run("deploy", "--out", "plan.json").errors


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("plan.json",), "the plan plan.json cannot be read: No such file or directory"),
        (("ringfence.toml",), "the plan ringfence.toml cannot be read: "),
        (("other.json",), "it is no plan of ringfence deploy"),
        (("latin1.json",), "the plan latin1.json cannot be read: "),
        (("plan.json", EAST), "name only the plan, or only Regions"),
        (("--out", "ringfence.toml"), "--out ringfence.toml: the file exists and is no plan"),
        (("--out", "nowhere/plan.json"), "there is no directory nowhere"),
    ],
)
def test_a_file_that_is_no_plan_is_wrong_usage(
    account: Cluster, tmp_path: Path, arguments: tuple[str, ...], message: str
) -> None:
    (tmp_path / "other.json").write_text('{"schema": "ringfence.deploy-plan/1", "stacks": {"us-east-1": 1}}')
    (tmp_path / "latin1.json").write_bytes(b'{"schema": "\xe9"}')

    ran = shell(account, tmp_path).run("deploy", *arguments)

    assert (ran.code, ran.output) == (64, "")
    assert message in ran.errors
    assert len(ran.errors.splitlines()) == 1
