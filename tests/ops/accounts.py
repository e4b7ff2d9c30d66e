"""An account with the groups to manage and without Ringfence, for tests that deploy and destroy."""

from collections.abc import Iterator, Mapping
from pathlib import Path

from ringfence_lab.control.deploy import LabDeployment
from ringfence_lab.control.lab import Lab
from ringfence_lab.demo.observer import Observer
from tests.end_to_end.clusters import Cluster
from tests.ops.commands import Shell

NAME = "demo"


def empty_account(*regions: str) -> Iterator[Cluster]:
    """Regions with an Auto Scaling group and a security group each, and no Ringfence."""
    with Lab(regions=list(regions)) as lab:
        observers = {}
        for region in lab.regions:
            made = prerequisites(lab, region)
            function = f"ringfence-{NAME}"
            observers[region] = Observer(
                lab.endpoint_url, region, made["AutoScalingGroup"], made["SecurityGroup"], function
            )
        yield Cluster(lab, observers)


def prerequisites(lab: Lab, region: str) -> Mapping[str, str]:
    """Creates the example's groups."""
    deployment = LabDeployment(NAME, lab.regions, Path(), lab.client, {})
    template = (deployment.project / "examples" / "prerequisites.yaml").read_text()
    return deployment._create(region, f"{NAME}-prerequisites", template, {"ClusterName": NAME})


def stacks(account: Cluster) -> dict[str, str]:
    """The status of each Region's stack, where there is one."""
    found = {}
    for region, observer in account.regions.items():
        for stack in observer.client("cloudformation").describe_stacks()["Stacks"]:
            if stack["StackName"] == f"ringfence-{NAME}" and stack["StackStatus"] != "DELETE_COMPLETE":
                found[region] = stack["StackStatus"]
    return found


def edit(operator: Shell, old: str, new: str) -> None:
    """Replaces a text in the cluster file."""
    file = operator.directory / "ringfence.toml"
    assert old in file.read_text()
    file.write_text(file.read_text().replace(old, new))
