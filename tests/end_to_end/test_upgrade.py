"""A cluster is upgraded from 0.1.0 and back by its real stacks and functions, with the steps of docs/upgrade.md."""

import json
import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from ringfence_lab.control.deploy import Deployed, LabDeployment
from ringfence_lab.control.lab import Lab
from ringfence_lab.demo.departure import DepartureWatch
from ringfence_lab.demo.observer import Observer
from ringfence_ops.cloudformation.artefact import PROJECT
from tests.end_to_end.clusters import EAST, RELEASE_DEADLINE, WEST, Cluster
from tests.end_to_end.version_0_1 import deployment_0_1, downgrade
from tests.labs import eventually
from tests.ops.commands import Shell, alarm_topic, shell

_COMMAND = re.compile(r"^ *ringfence (.+)$", re.MULTILINE)

OLD_HANDLER, NEW_HANDLER = "ringfence.handler.handler", "ringfence.runtime.entry.handler"


@dataclass(frozen=True, slots=True)
class TwoVersions:
    """A cluster with 0.1.0 in the east and the present version in the west, and an operator's shell."""

    cluster: Cluster
    old: LabDeployment
    operator: Shell

    def handler(self, region: str) -> str:
        """The handler of a Region's function, which tells its version."""
        functions = self.cluster.lab.client("lambda", region)
        configuration = functions.get_function(FunctionName=self.cluster.regions[region].function)["Configuration"]
        return str(configuration["Handler"])

    def parameters(self, region: str) -> dict[str, str]:
        """What a Region's stack is deployed with."""
        observer = self.cluster.regions[region]
        return {
            "ClusterName": self.cluster.lab.cluster,
            "Regions": ",".join(self.cluster.regions),
            "AutoScalingGroups": observer.auto_scaling_group,
            "SecurityGroups": observer.security_group,
            "AlarmTopic": alarm_topic(self.cluster, region),
            **self.cluster.lab.parameters,
        }


@pytest.fixture(scope="module")
def two_versions(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TwoVersions]:
    """One Region on each version, without members."""
    directory = tmp_path_factory.mktemp("upgrade")
    with Lab(regions=[EAST, WEST], parameters={"ReleaseDeadline": str(RELEASE_DEADLINE)}) as lab:
        old = deployment_0_1(lab, directory)
        east = _observer(lab, EAST, old.deploy(EAST))
        east.true_up()  # 0.1.0 announces its Region with its first reconcile, and the west would wait for that
        cluster = Cluster(lab, {EAST: east, WEST: _observer(lab, WEST, lab.deploy(WEST))})
        # Now the west has a table. Without this, the first rule of a member in the east can be seen there before the
        # roster is, and its owner is not known for a moment.
        east.true_up()
        yield TwoVersions(cluster, old, shell(cluster, directory))


def _observer(lab: Lab, region: str, deployed: Deployed) -> Observer:
    groups = deployed.auto_scaling_group, deployed.security_group
    return Observer(lab.endpoint_url, region, *groups, deployed.function)


def rules(cluster: Cluster) -> set[tuple[str, str]]:
    """The ids of all rules with their addresses."""
    found = (rule for region in cluster.regions.values() for rule in region.rules())
    return {(rule["SecurityGroupRuleId"], rule["CidrIpv4"]) for rule in found}


def hooks(cluster: Cluster) -> dict[str, list[Any]]:
    """The lifecycle hooks of each Region."""
    found = {}
    for region, observer in cluster.regions.items():
        answer = observer.client("autoscaling").describe_lifecycle_hooks(
            AutoScalingGroupName=observer.auto_scaling_group
        )
        names = ("LifecycleHookName", "LifecycleTransition", "HeartbeatTimeout", "DefaultResult")
        found[region] = sorted([hook[name] for name in names] for hook in answer["LifecycleHooks"])
    return found


def launches_and_terminates(cluster: Cluster) -> None:
    """In each Region, one more instance goes into service when every Region admits it, and leaves in the same order."""
    for name, region in cluster.regions.items():
        early: set[str] = set()

        def two_in_service(region: Observer = region, early: set[str] = early) -> bool:
            serving = [found for found in region.instances().values() if found.lifecycle_state == "InService"]
            admitted = set.intersection(*(other.admitted() for other in cluster.regions.values()))
            early.update(found.id for found in serving if found.address not in admitted)
            return len(serving) == 2

        before = set(region.instances())
        region.scale_to(2)
        eventually(two_in_service, 30)
        assert not early
        leaving = next(found for id, found in region.instances().items() if id in before)
        assert leaving.address is not None
        with DepartureWatch(cluster.regions.values(), region, leaving.id, leaving.address) as watch:
            region.let_members_age()
            region.client("autoscaling").terminate_instance_in_auto_scaling_group(
                InstanceId=leaving.id, ShouldDecrementDesiredCapacity=True
            )
        assert watch.departure.closed_first
        eventually(lambda name=name: cluster.is_settled(name, 1), 30)  # type: ignore[misc]  # binds the name
    assert cluster.agrees()


def waits_only_for_the_upgrade(two_versions: TwoVersions) -> bool:
    """Whether no Region needs anything but the deployment of the present version. Shows the status otherwise."""
    ran = two_versions.operator.run("status", "--json")
    reasons = [reason for region in json.loads(ran.output)["regions"] for reason in region["reasons"]]
    assert ran.code == 2, ran
    assert {reason["state"] for reason in reasons} == {"waiting"}, reasons
    assert {reason["part"] for reason in reasons} <= {"stack", "engines"}, reasons
    return any("version 0.1" in reason["why"] for reason in reasons)


def replaced(output: str) -> set[str]:
    """The types of the resources that `deploy` says are replaced, or may be."""
    return set(re.findall(r"^ *[~+-] \w+ +([\w:]+) .*replaced$", output, re.MULTILINE))


def documented_commands(section: str) -> list[list[str]]:
    """The arguments of each `ringfence` command in a section of docs/upgrade.md, in order."""
    document = (PROJECT / "docs" / "upgrade.md").read_text()
    text = document.partition(f"## {section}\n")[2].partition("\n## ")[0]
    return [shlex.split(command) for command in _COMMAND.findall(text)]


# In this order: each test starts from the versions that the one before it left.


def test_a_region_of_each_version_serves_launches_and_terminations(two_versions: TwoVersions) -> None:
    assert (two_versions.handler(EAST), two_versions.handler(WEST)) == (OLD_HANDLER, NEW_HANDLER)
    two_versions.cluster.settle()

    launches_and_terminates(two_versions.cluster)

    assert waits_only_for_the_upgrade(two_versions)


def test_an_upgrade_keeps_every_rule_and_every_hook(two_versions: TwoVersions) -> None:
    # given
    cluster, operator = two_versions.cluster, two_versions.operator
    cluster.settle()
    rules_before, hooks_before = rules(cluster), hooks(cluster)
    # when
    commands = documented_commands("Upgrade from 0.1.0")
    for command in commands:
        confirmed = ["--yes"] if command[0] == "deploy" and "--dry-run" not in command else []
        ran = operator.run(*command, *confirmed)
        assert not replaced(ran.output) & {"DynamoDB::Table", "SQS::Queue", "AutoScaling::LifecycleHook"}
        if two_versions.handler(EAST) == OLD_HANDLER and command == ["status"]:
            assert waits_only_for_the_upgrade(two_versions)
        else:
            assert ran.code == (2 if "--dry-run" in command else 0), ran
    # then
    assert ["deploy", EAST] in commands
    assert two_versions.handler(EAST) == NEW_HANDLER
    assert (rules(cluster), hooks(cluster)) == (rules_before, hooks_before)
    launches_and_terminates(cluster)
    assert operator.run("plan").code == 0


def test_a_downgrade_keeps_every_rule_and_every_hook(two_versions: TwoVersions) -> None:
    # given
    cluster = two_versions.cluster
    cluster.settle()
    rules_before, hooks_before = rules(cluster), hooks(cluster)
    # when
    downgrade(cluster.lab, WEST, two_versions.old, two_versions.parameters(WEST))
    cluster.regions[WEST].true_up()
    # then
    assert two_versions.handler(WEST) == OLD_HANDLER
    assert (rules(cluster), hooks(cluster)) == (rules_before, hooks_before)
    launches_and_terminates(cluster)
    assert waits_only_for_the_upgrade(two_versions)


def test_no_version_calls_a_row_of_the_other_bad_or_fails_to_update_its_region(two_versions: TwoVersions) -> None:
    lines = {region: two_versions.cluster.log(region) for region in two_versions.cluster.regions}
    messages = {region: {line.get("message", "") for line in found} for region, found in lines.items()}

    assert all("reconciled" in found for found in messages.values())
    complaints = [line for found in lines.values() for line in found if line.get("level") in ("WARNING", "ERROR")]
    assert not complaints, json.dumps(complaints, indent=1)
