"""The stack's template: what CloudFormation makes of it, and what an operator sees of it in the console."""

import re
import subprocess
from typing import Any

import pytest
from cogapp import Cog  # type: ignore[import-untyped]  # ships no types

from ringfence.core.configuration.schedule import period
from ringfence.core.configuration.setting import Use
from ringfence.core.configuration.setting_table import TABLE
from ringfence.core.errors import Permanent
from ringfence.runtime import config
from tests.stack.rendered import PROJECT, TEMPLATE, refusal, rendered, source


@pytest.mark.parametrize("groups", ["db", "db,cache-nodes,web_1"])
def test_each_group_has_both_hooks_that_neither_block_nor_loop(groups: str) -> None:
    # when
    resources = rendered("us-east-1", groups)
    hooks = [r["Properties"] for r in resources.values() if r["Type"] == "AWS::AutoScaling::LifecycleHook"]
    # then
    expected = {
        (group, transition)
        for group in groups.split(",")
        for transition in ("autoscaling:EC2_INSTANCE_LAUNCHING", "autoscaling:EC2_INSTANCE_TERMINATING")
    }
    assert {(hook["AutoScalingGroupName"], hook["LifecycleTransition"]) for hook in hooks} == expected
    parameters = source()["Parameters"]
    for hook in hooks:
        heartbeat, result = (hook[name]["Ref"] for name in ("HeartbeatTimeout", "DefaultResult"))
        assert parameters[heartbeat]["Default"] <= 900
        assert parameters[result]["Default"] == "CONTINUE"


def test_a_deployment_announces_itself_after_its_function_and_before_its_hooks() -> None:
    resources = rendered("us-east-1", "db,cache")
    announcement = resources["Announcement"]
    hooks = [hook for hook in resources.values() if hook["Type"] == "AWS::AutoScaling::LifecycleHook"]
    assert announcement["Properties"]["ServiceToken"] == {"Fn::GetAtt": ["RingfenceFunction", "Arn"]}
    assert {"RingfenceFunctionQueue", "LifecycleEvents", "QueuePolicy"} <= set(announcement["DependsOn"])
    assert len(hooks) == 4
    assert all(hook["DependsOn"] in ("Announcement", ["Announcement"]) for hook in hooks)


def test_an_update_of_any_setting_of_the_engine_sends_the_announcement_again() -> None:
    resources = rendered("us-east-1", "db")
    properties = resources["Announcement"]["Properties"].keys() - {"ServiceToken", "ServiceTimeout"}
    assert properties == {setting.parameter_name for setting in TABLE if setting.use is not Use.STACK}


def test_an_announcement_is_over_before_cloudformation_gives_up_and_needs_no_function_at_the_end() -> None:
    """Lambda Developer Guide, "Asynchronous invocation": two more attempts, after one minute and after two more."""
    resources = rendered("us-east-1", "db")
    announcement, function = resources["Announcement"], resources["RingfenceFunction"]["Properties"]
    assert announcement["Properties"]["ServiceTimeout"] >= 3 * function["Timeout"] + 60 + 120
    assert (announcement["DeletionPolicy"], announcement["UpdateReplacePolicy"]) == ("Retain", "Retain")


@pytest.mark.parametrize(
    "given",
    [
        {"Regions": "us-east-1, eu-west-1,us-gov-west-1"},
        {"AutoScalingGroups": "demo-prerequisites-AutoScalingGroup-1ABCD,seed_nodes"},
        {"SecurityGroups": "sg-0123456789abcdef0,sg-12345678"},
        {"AddressKinds": "public-ipv4,ipv6"},
        {"StaticMembers": ""},
        {"StaticMembers": "192.0.2.0/24,2001:db8::/64,198.51.100.7"},
        {"RequiredPeers": ""},
        {"RequiredPeers": "eu-west-1"},
        {"Ports": "tcp/7000-7001,udp/8301"},
        {"AlarmTopic": "arn:aws-cn:sns:cn-north-1:123456789012:operators"},
        {"ScheduleExpression": "rate(1 minute)"},
    ],
    ids=str,
)
def test_a_value_as_an_operator_writes_it_is_taken(given: dict[str, str]) -> None:
    assert refusal(**given) is None


@pytest.mark.parametrize(
    "given",
    [
        {"ClusterName": "Demo"},
        {"Regions": "us-east-1,Ireland"},
        {"AutoScalingGroups": ""},
        {"AutoScalingGroups": "g" * 113},
        {"AutoScalingGroups": "db/nodes"},
        {"SecurityGroups": "default"},
        {"AddressKinds": "public-ipv4,ipv5"},
        {"StaticMembers": "192.0.2.0/24;198.51.100.7"},
        {"RequiredPeers": "Ireland"},
        {"Ports": "7000"},
        {"AlarmTopic": "operators"},
        {"ScheduleExpression": "every minute"},
    ],
    ids=str,
)
def test_a_value_of_another_form_is_refused_with_what_it_must_be(given: dict[str, str]) -> None:
    (name,) = given
    assert refusal(**given) == f"Parameter '{name}' {source()['Parameters'][name]['ConstraintDescription']}"


def test_the_heartbeats_outlast_what_the_engine_waits_for() -> None:
    defaults = {name: parameter.get("Default") for name, parameter in source()["Parameters"].items()}
    schedule = period(defaults["ScheduleExpression"])
    assert defaults["LaunchHeartbeat"] > defaults["AddressWait"] + schedule
    assert defaults["TerminateHeartbeat"] > defaults["ReleaseDeadline"] + schedule


def test_the_parameters_of_the_template_are_those_of_the_table() -> None:
    generated = Cog()
    generated.options.prologue = "from document_parts import *"
    assert generated.process_string(TEMPLATE.read_text(), str(TEMPLATE)) == TEMPLATE.read_text()


def test_a_label_with_a_comma_is_shown_whole() -> None:
    labels = source()["Metadata"]["AWS::CloudFormation::Interface"]["ParameterLabels"]
    assert labels["GuardPercent"] == {"default": "Guard, share of a group's rules (percent)"}
    assert all(label.keys() == {"default"} for label in labels.values())


def test_a_message_is_hidden_for_longer_than_the_function_may_run() -> None:
    resources = rendered("us-east-1", "db")
    timeout = resources["RingfenceFunction"]["Properties"]["Timeout"]
    assert resources["Queue"]["Properties"]["VisibilityTimeout"] > timeout


def test_the_console_shows_every_parameter_with_a_label_and_a_description() -> None:
    template = source()
    interface = template["Metadata"]["AWS::CloudFormation::Interface"]
    grouped = [name for group in interface["ParameterGroups"] for name in group["Parameters"]]
    assert sorted(grouped) == sorted(template["Parameters"]) == sorted(interface["ParameterLabels"])
    assert all(parameter["Description"] for parameter in template["Parameters"].values())


def test_the_engine_reads_every_variable_that_the_stack_sets_and_no_other() -> None:
    # given
    variables = rendered("us-east-1", "db")["RingfenceFunction"]["Properties"]["Environment"]["Variables"]
    ours = {name for name in variables if name.startswith("RINGFENCE_")}

    class Recording(dict[str, str]):
        read: set[str] = set()  # noqa: RUF012  # one test, one instance

        def get(self, key: str, default: Any = None) -> Any:
            self.read.add(key)
            return super().get(key, default)

    # when
    environment = Recording()
    with pytest.raises(Permanent):
        config.read(environment)
    assert not config.is_own_queue("arn:aws:sqs:us-east-1:123456789012:other.fifo", environment)
    # then
    assert {name for name in environment.read if name.startswith("RINGFENCE_")} == ours


@pytest.mark.parametrize("name", ["template.yaml", "examples/prerequisites.yaml"])
def test_cfn_lint_has_nothing_to_say(name: str) -> None:
    lint = PROJECT / ".venv" / "bin" / "cfn-lint"
    done = subprocess.run([lint, PROJECT / name], capture_output=True, text=True, check=False)
    assert done.stdout + done.stderr == ""
    assert done.returncode == 0


def test_the_template_names_nothing_of_a_peer() -> None:
    text = TEMPLATE.read_text()
    assert not re.search(r"(Remote|Peer)(SecurityGroup|AutoScalingGroup|Table)", text)
