"""The table of states: what breaks in a Region, how the Region stands then, and what each command prints and returns.

A real cluster in the lab, with the real commands in this process. `status`, `plan` and `doctor` look at the breakage,
then `sync` runs a true-up, which heals some of them. The schedules run once an hour, so that nothing heals by itself.
"""

import os
from collections.abc import Callable, Iterator
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from io import StringIO

import pytest
import typer

from ringfence_lab.control.lab import Lab
from ringfence_lab.demo.observer import Observer
from ringfence_ops.aws.sessions import Aws
from ringfence_ops.cli.command_run import CommandRun
from ringfence_ops.main import app
from ringfence_ops.state.standing import State
from tests.end_to_end.breakages import events, function, groups, pauses, table
from tests.end_to_end.breakages.breakage import Breakage, fault
from tests.end_to_end.clusters import EAST, WEST, Cluster
from tests.labs import eventually, session_of_role
from tests.ops.commands import cluster_file

SLOW = {"ScheduleExpression": "rate(1 hour)", "SilenceAlarmMinutes": "62"}
SLOW |= {"LaunchHeartbeat": "7200", "TerminateHeartbeat": "7200", "ReleaseDeadline": "4"}
SLOW_FILE = """schedule = "rate(1 hour)"
silence_alarm_minutes = 62
launch_heartbeat = 7200
terminate_heartbeat = 7200
"""


@dataclass(frozen=True, slots=True)
class Printed:
    """What a command printed, on one line, and its exit code."""

    code: int
    text: str

    def __repr__(self) -> str:
        return f"{self.code}: {self.text}"


@dataclass(frozen=True, slots=True)
class Operator:
    """An operator with one session, and the cluster's file."""

    run: CommandRun

    def command(self, name: str, *arguments: str) -> Printed:
        """Runs a command in this process."""
        output = StringIO()
        command = typer.main.get_command(app).commands[name]  # type: ignore[attr-defined]  # the root is a group
        with redirect_stdout(output), redirect_stderr(output):
            code = command.main(args=list(arguments), obj=self.run, standalone_mode=False)
        return Printed(int(code or 0), " ".join(output.getvalue().split()))

    def with_file(self, change: Callable[[str], str]) -> "Operator":
        """The same operator with a changed file."""
        path = self.run.path.with_name("changed.toml")
        path.write_text(change(self.run.path.read_text()))
        return Operator(CommandRun(self.run.aws, path))


@pytest.fixture(scope="module")
def environment() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith("AWS_")]:
            patch.delenv(name)
        patch.setenv("AWS_ACCESS_KEY_ID", "test")
        patch.setenv("AWS_SECRET_ACCESS_KEY", "test")
        patch.setenv("AWS_CONFIG_FILE", os.devnull)
        patch.setenv("AWS_SHARED_CREDENTIALS_FILE", os.devnull)
        patch.setenv("COLUMNS", "500")
        yield


@pytest.fixture(scope="module")
def slow_cluster(environment: None) -> Iterator[Cluster]:  # noqa: ARG001  # a fixture that is needed for its effect
    """Two Regions right after their deployment."""
    with Lab(regions=[EAST, WEST], parameters=SLOW) as lab:
        observers = {}
        for region in lab.regions:
            deployed = lab.deploy(region)
            group, security_group = deployed.auto_scaling_group, deployed.security_group
            observers[region] = Observer(lab.endpoint_url, region, group, security_group, deployed.function)
        yield Cluster(lab, observers)


@pytest.fixture(scope="module")
def operator(slow_cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Operator:
    path = tmp_path_factory.mktemp("operator") / "ringfence.toml"
    name, rest = cluster_file(slow_cluster).split("\n", 1)
    path.write_text(f"{name}\n{SLOW_FILE}{rest}")
    return Operator(CommandRun(Aws(endpoint_url=slow_cluster.lab.endpoint_url), path))


@pytest.fixture(scope="module")
def healthy(slow_cluster: Cluster, operator: Operator) -> Cluster:
    """One member in each Region, in sync."""
    for region in slow_cluster.regions.values():
        region.scale_to(1)
    eventually(lambda: all(slow_cluster.is_settled(name, 1) for name in slow_cluster.regions), 60)
    for region in slow_cluster.regions.values():
        region.true_up()
    status = operator.command("status")
    assert status.code == 0, status.text
    return slow_cluster


# The rows run in this order: the first looks at the cluster as it was deployed, and the last ones leave no Region.


def test_right_after_the_deployment_nothing_is_said_to_differ(operator: Operator) -> None:
    # The first calls load every service of the lab, which takes its time on a busy machine.
    eventually(lambda: operator.command("status").code != 1, 60)
    for name in ("status", "plan", "doctor"):
        printed = operator.command(name)
        assert printed.code in (0, 2)
        assert "differ" not in printed.text
        assert "failing" not in printed.text
        assert printed.code == 0 or "true-up is due by" in printed.text, printed.text


@dataclass(frozen=True, slots=True)
class Row:
    """A breakage of the east, how the east stands, and the words that `status`, `plan` and `doctor` print of it.

    None of them prints `never`. `synced` is what `sync` prints afterwards, with its exit code: the same words by
    default, and nothing where the true-up healed it.
    """

    breaks: Breakage
    state: State
    says: str
    code: int = 2
    never: str = "in sync: nothing to do"
    synced: tuple[int | None, str] | None = None


HEALED = (0, "")
NOT_RUN = (None, "")  # an instance that is sent away is held until its release is proved, which takes minutes
FAILING, LACKING, OPEN, WAITING, UNKNOWN = State.FAILING, State.LACKING, State.OPEN, State.WAITING, State.UNKNOWN
PAUSED = State.PAUSED

TABLE = {
    "rule disabled": Row(events.rule_disabled, FAILING, "the EventBridge rule ringfence-demo is disabled"),
    "rule deleted": Row(events.rule_deleted, FAILING, "the EventBridge rule ringfence-demo does not exist"),
    "rule with another pattern": Row(events.rule_with_another_pattern, FAILING, "has another pattern"),
    "rule without target": Row(events.rule_without_target, FAILING, "does not send to the queue"),
    "target with an input": Row(events.target_with_input, FAILING, "its target has an input of its own"),
    "schedule disabled": Row(
        events.schedule_with(State="DISABLED"), FAILING, "the schedule ringfence-demo is disabled"
    ),
    "schedule deleted": Row(events.schedule_deleted, FAILING, "the schedule ringfence-demo does not exist"),
    "schedule slower": Row(
        events.schedule_with(ScheduleExpression="rate(1 day)"), FAILING, "runs rate(1 day) instead of rate(1 hour)"
    ),
    "schedule sends something else": Row(
        events.schedule_with(target={"Input": "{}"}), FAILING, "sends something else than a true-up"
    ),
    "mapping disabled": Row(
        events.mapping_with(Enabled=False), FAILING, "the function's mapping to ringfence-demo.fifo"
    ),
    "mapping with another batch": Row(events.mapping_with(BatchSize=1), FAILING, "has the batch size 1 instead of 10"),
    "mapping without single failures": Row(
        events.mapping_with(FunctionResponseTypes=[]), FAILING, "does not report single messages"
    ),
    "queue policy removed": Row(events.queue_with(Policy=""), FAILING, "does not let EventBridge send"),
    "queue without dead-letter queue": Row(events.queue_with(RedrivePolicy=""), FAILING, "has no dead-letter queue"),
    "queue shows messages again": Row(
        events.queue_with(VisibilityTimeout="0"), FAILING, "shows a message again after 0 s"
    ),
    "dead-letter queue deleted": Row(
        events.queue_deleted("ringfence-demo-dead.fifo"), FAILING, "the queue ringfence-demo-dead.fifo does not exist"
    ),
    "queue deleted": Row(events.queue_deleted("ringfence-demo.fifo"), FAILING, "ringfence-demo.fifo does not exist"),
    "dead letter": Row(events.dead_letter, FAILING, "1 event could not be handled"),
    "function never runs": Row(
        function.never_runs, FAILING, "never runs: its reserved concurrency is 0", synced=(1, "failed")
    ),
    "function with other settings": Row(
        function.function_with({"RINGFENCE_PORTS": "tcp/1"}),
        FAILING,
        "its settings differ from the cluster file's: ports",
    ),
    "function with a bad setting": Row(
        function.function_with({"RINGFENCE_MODE": "no"}), FAILING, "RINGFENCE_MODE", synced=(1, "RINGFENCE_MODE")
    ),
    "function with a short time-out": Row(
        function.function_with(Timeout=3), FAILING, "its time-out is 3 s instead of 30 s"
    ),
    "function with other code": Row(function.other_code, WAITING, "the engine's code is not the same"),
    "function with another role": Row(function.another_role, FAILING, "the engine may not"),
    "role without an action": Row(
        function.role_without_scan, FAILING, "the engine may not dynamodb:Scan in us-east-1", synced=(1, "failed")
    ),
    "last reconcile failed": Row(function.last_reconcile_failed, FAILING, "the last reconcile failed", synced=HEALED),
    "log group deleted": Row(
        function.log_group_deleted,
        FAILING,
        "the log group /aws/lambda/ringfence-demo does not exist",
        synced=HEALED,  # the lab makes it for a function that runs; on AWS, the role may not
    ),
    "hook deleted": Row(groups.hook_deleted, FAILING, "has no hook ringfence-demo-launch"),
    "hook with a short heartbeat": Row(
        groups.hook_with(HeartbeatTimeout=60), FAILING, "has heartbeat 60 instead of 7200"
    ),
    "hook that abandons": Row(
        groups.hook_with(DefaultResult="ABANDON"), FAILING, "default result ABANDON instead of CONTINUE"
    ),
    "tag lost": Row(groups.tag_lost, FAILING, "lacks the tag ringfence-cluster"),
    "tag of another cluster": Row(groups.tag_of_another_cluster, FAILING, "has the tag ringfence-cluster=other"),
    "self rule revoked": Row(
        groups.self_rule_revoked, FAILING, "admits itself on no port", synced=(1, "admits itself on no port")
    ),
    "member not admitted": Row(groups.member_not_admitted, LACKING, "1 rule missing", synced=HEALED),
    "rule of no instance": Row(groups.rules_made(EAST, groups.leftovers(1)), WAITING, "the guard holds 1 removal"),
    "network with a label": Row(
        groups.rules_made(EAST, groups.network_of_no_member), OPEN, "admits 10.99.0.0/16 on tcp/443"
    ),
    "removals held": Row(
        groups.rules_made(EAST, groups.leftovers(12)), WAITING, "the guard holds 12 removals", synced=(2, "12 removals")
    ),
    "full group": Row(
        groups.full_group, LACKING, "is full: 60 of 60, 1 launch held", never="with CONTINUE", synced=NOT_RUN
    ),
    "instance at a hook": Row(groups.instance_at_hook, WAITING, "waits in Pending:Wait", synced=(None, "2 added")),
    "row that is malformed": Row(
        table.row_with({"members": {"S": "x"}}, table.own_row), FAILING, "cannot be trusted", synced=HEALED
    ),
    "row of the future": Row(
        table.row_with({"version": {"N": "99999999999"}}, table.own_row), FAILING, "cannot be trusted", synced=HEALED
    ),
    "row of no Region": Row(
        table.row_with({"version": {"N": "7"}}, table.row_of_no_region), WAITING, "the row eu-north-1/db"
    ),
    "paused": Row(pauses.paused_in(EAST, WEST), PAUSED, "incident 4711"),
    "paused in its own table only": Row(
        pauses.paused_in(EAST),
        PAUSED,
        "the table of us-west-2 lacks the pause, so its engine may still change rules",
        synced=(2, "incident 4711"),  # its engine announces it
    ),
    "paused in a peer's table only": Row(
        pauses.paused_in(WEST), PAUSED, "only in the table of us-west-2, so its own engine goes on"
    ),
    "pause that cannot be read": Row(pauses.unreadable, PAUSED, "paused since an unknown time by an unknown caller"),
    "engine of another version": Row(
        table.row_with({"engine": {"S": "0.0.9"}}, table.announcement), WAITING, "has version 0.0.9", synced=HEALED
    ),
    "table deleted": Row(
        table.table_made_again(None), FAILING, "the table ringfence-demo does not exist", synced=(1, "failed")
    ),
    "table with other keys": Row(
        table.table_made_again(("id", "asg")), FAILING, "ringfence-demo has other keys", synced=(1, "failed")
    ),
    "a service throttles": Row(
        fault(EAST, "throttle", "scheduler"), UNKNOWN, "not checked: GetSchedule: ThrottlingException"
    ),
    "a service denies": Row(fault(EAST, "deny", "events"), UNKNOWN, "not checked: DescribeRule"),
    "EC2 throttles": Row(fault(EAST, "throttle", "ec2"), UNKNOWN, "unreachable: ", code=1, synced=(1, "us-east-1")),
    "Region does not answer": Row(
        fault(EAST, "reset"), UNKNOWN, "unreachable: ", code=1, synced=(1, "us-east-1 failed: ")
    ),
}


def says_in_sync(printed: Printed) -> bool:
    """Whether a command says that nothing is wrong anywhere."""
    return any(words in printed.text for words in ("All in sync", "In sync: nothing to do", "no problem found"))


@pytest.mark.parametrize("name", TABLE)
def test_every_command_says_how_the_region_stands(name: str, healthy: Cluster, operator: Operator) -> None:
    row = TABLE[name]
    # given
    with row.breaks(healthy):
        # when
        printed = {command: operator.command(command) for command in ("status", "plan", "doctor")}
        if row.synced is not NOT_RUN:
            printed["sync"] = operator.command("sync", EAST)
    # then
    assert f"{EAST} {row.state}" in printed["status"].text, "\n".join(map(str, printed.values()))
    assert f"{EAST} is {row.state}" in printed["plan"].text, "\n".join(map(str, printed.values()))
    for command in ("status", "plan", "doctor"):
        assert row.says in printed[command].text, f"{command}: {printed}"
        assert printed[command].code == row.code, f"{command}: {printed}"
        assert not says_in_sync(printed[command])
        assert row.never not in printed[command].text, f"{command}: {printed}"
    code, says = row.synced or (row.code, row.says)
    if (synced := printed.get("sync")) is not None:
        assert code in (None, synced.code), f"{code}: {printed}"
        assert says in synced.text, f"sync: {printed}"
    # and when it is healed
    eventually(lambda: operator.command("status").code == 0, 30, lambda: operator.command("status"))


# What the cluster file says, and what the operator may not see.

FILES = {
    "security group that was never there": ('security_groups = ["', 'security_groups = ["sg-0123456789abcdef0", "'),
    "Auto Scaling group misspelt": ('auto_scaling_groups = ["', 'auto_scaling_groups = ["misspelt-'),
    "a setting that is not deployed": ("name = ", "rules_quota = 100\nname = "),
}
SAID = {
    "security group that was never there": "sg-0123456789abcdef0 does not exist",
    "Auto Scaling group misspelt": "does not exist",
    "a setting that is not deployed": "the cluster file says '100'",
}


@pytest.mark.parametrize("name", FILES)
def test_a_cluster_file_that_names_something_else_is_failing(name: str, healthy: Cluster, operator: Operator) -> None:
    changed = operator.with_file(lambda text: text.replace(*FILES[name], 1))
    for command in ("status", "plan", "doctor", "sync"):
        printed = changed.command(command)
        assert printed.code == 2, printed
        assert SAID[name] in printed.text, (command, printed)
    assert healthy.agrees()


def test_what_the_operator_may_not_see_is_unknown(healthy: Cluster, operator: Operator) -> None:
    denied = ["ec2:DescribeInstances", "iam:SimulatePrincipalPolicy", "events:*"]
    allow = {"Effect": "Allow", "Action": "*", "Resource": "*"}
    for number, (actions, code, says) in enumerate(
        [
            (denied[:1], 1, "DescribeInstances"),
            (denied[1:2], 2, "not checked: SimulatePrincipalPolicy was denied"),
            (denied[2:], 2, "not checked: DescribeRule was denied"),
        ]
    ):
        # given
        deny = {"Effect": "Deny", "Action": actions, "Resource": "*"}
        session = session_of_role(healthy.lab, f"blind-{number}", [allow, deny])
        credentials = session.get_credentials()
        assert credentials is not None
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("AWS_ACCESS_KEY_ID", credentials.access_key)
            patch.setenv("AWS_SECRET_ACCESS_KEY", credentials.secret_key)
            patch.setenv("AWS_SESSION_TOKEN", credentials.token or "")
            blind = Operator(CommandRun(Aws(endpoint_url=healthy.lab.endpoint_url), operator.run.path))
            # when
            for command in ("status", "plan", "doctor"):
                printed = blind.command(command)
                # then
                assert printed.code == code, (command, printed)
                assert says in printed.text, (command, printed)
                assert not says_in_sync(printed)


def test_right_after_an_update_of_the_stack_the_first_true_up_is_awaited_with_its_time(
    healthy: Cluster, operator: Operator
) -> None:
    # given
    cloudformation = healthy.regions[EAST].client("cloudformation")
    (stack,) = cloudformation.describe_stacks(StackName="ringfence-demo")["Stacks"]
    parameters = [
        {"ParameterKey": one["ParameterKey"], "ParameterValue": one["ParameterValue"]}
        if one["ParameterKey"] != "LogRetentionDays"
        else {"ParameterKey": "LogRetentionDays", "ParameterValue": "30"}
        for one in stack["Parameters"]
    ]
    cloudformation.update_stack(
        StackName="ringfence-demo",
        UsePreviousTemplate=True,
        Parameters=parameters,
        Capabilities=["CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"],
    )
    cloudformation.get_waiter("stack_update_complete").wait(
        StackName="ringfence-demo", WaiterConfig={"Delay": 0.1, "MaxAttempts": 600}
    )
    changed = operator.with_file(lambda text: text.replace("name = ", "log_retention_days = 30\nname = ", 1))
    # when, then
    for command in ("status", "plan", "doctor"):
        printed = changed.command(command)
        assert printed.code == 2, printed
        assert "its first true-up is due by" in printed.text, printed
    assert changed.command("sync", EAST).code == 0
    operator.run.path.write_text(changed.run.path.read_text())


def delete_security_group(east: Observer) -> None:
    """Deletes the security group. No instance has it any more, and other groups that name it lose that rule first."""
    ec2 = east.client("ec2")
    eventually(lambda: not east.lifecycle_states(), 60)
    ec2.delete_security_group(GroupId=east.security_group)


# The rest leaves the east without what it needs.


def test_a_deleted_function_mapping_security_group_and_stack_are_failing(healthy: Cluster, operator: Operator) -> None:
    east = healthy.regions[EAST]
    functions = east.client("lambda")

    def is_said(words: str, sync_code: int) -> None:
        for command in ("status", "plan", "doctor"):
            printed = operator.command(command)
            assert printed.code == 2, (command, printed)
            assert words in printed.text, (command, printed)
        printed = operator.command("sync", EAST)
        assert printed.code == sync_code, printed

    # the mapping
    (mapping,) = functions.list_event_source_mappings(FunctionName="ringfence-demo")["EventSourceMappings"]
    functions.delete_event_source_mapping(UUID=mapping["UUID"])
    is_said("no function receives the messages of ringfence-demo.fifo", 2)
    # the Auto Scaling group
    east.client("autoscaling").delete_auto_scaling_group(AutoScalingGroupName=east.auto_scaling_group, ForceDelete=True)
    is_said(f"the Auto Scaling group {east.auto_scaling_group} does not exist", 1)
    # the security group
    delete_security_group(east)
    is_said(f"{east.security_group} does not exist", 1)
    # the function
    functions.delete_function(FunctionName="ringfence-demo")
    is_said("the function ringfence-demo does not exist", 1)
    # a stack that cannot be deleted, because what is in it has gone before
    east.client("cloudformation").delete_stack(StackName="ringfence-demo")
    eventually(lambda: "ringfence-demo is DELETE_FAILED" in operator.command("status").text, 60)
    is_said("ringfence-demo is DELETE_FAILED", 1)
    # and a whole stack, in the other Region
    healthy.regions[WEST].client("cloudformation").delete_stack(StackName="ringfence-demo")
    eventually(lambda: "ringfence-demo is not deployed" in operator.command("status").text, 60)
    is_said("ringfence-demo is not deployed", 1)
    assert f"`ringfence deploy {WEST}` creates it" in operator.command("sync", WEST).text
