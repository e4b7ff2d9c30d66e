"""A lab for Terraform: a copy of the module and the template beside it, and the operator of a cluster in it."""

import json
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from ringfence_lab.control.lab import Lab
from tests.end_to_end.clusters import EAST, WEST
from tests.end_to_end.test_plain_template import admitted, in_service
from tests.labs import eventually
from tests.ops.commands import Shell, lab_environment
from tests.terraform.terraform import Terraform, provider_of_lab

PROJECT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True, slots=True)
class Groups:
    """The Auto Scaling group and the security group of a Region."""

    auto_scaling_group: str
    security_group: str


@dataclass(frozen=True, slots=True)
class Account:
    """A lab with two Regions, and a copy of the module."""

    lab: Lab
    module: Path
    mirror: Path

    def terraform(self, directory: Path, *aliases: str | None) -> Terraform:
        """Terraform in a directory of the copy, made ready. Its providers have these aliases."""
        providers = [provider_of_lab(self.lab.endpoint_url, alias) for alias in aliases]
        (directory / "lab_override.tf").write_text("".join(providers))
        made = Terraform.of(directory, self.lab.endpoint_url, self.mirror)
        made.run("init", "-input=false").worked()
        return made

    def operator(self, directory: Path, cluster: str, groups: Mapping[str, Groups]) -> Shell:
        """The shell of an operator with a cluster file."""
        lines = [f'name = "{cluster}"']
        for region, found in groups.items():
            lines += ["", f"[regions.{region}]", f'auto_scaling_groups = ["{found.auto_scaling_group}"]']
            lines += [f'security_groups = ["{found.security_group}"]']
        directory.mkdir(exist_ok=True)
        (directory / "ringfence.toml").write_text("\n".join(lines) + "\n")
        return Shell(directory, lab_environment(self.lab.endpoint_url))

    def launch_and_admit(self, cluster: str, groups: Mapping[str, Groups]) -> None:
        """Launches an instance in each Region, and waits until every security group admits exactly both."""
        for region, found in groups.items():
            self.lab.client("autoscaling", region).set_desired_capacity(
                AutoScalingGroupName=found.auto_scaling_group, DesiredCapacity=1
            )

        def members() -> set[str]:
            found = groups.items()
            return {each for region, own in found for each in in_service(self.lab, region, own.auto_scaling_group)}

        def doors() -> list[set[str]]:
            return [admitted(self.lab, region, found.security_group) for region, found in groups.items()]

        eventually(lambda: len(members()) == len(groups), 90, lambda: (members(), doors()))
        for region in groups:
            function = f"ringfence-{cluster}"
            answer = self.lab.client("lambda", region).invoke(FunctionName=function, Payload=b'{"trueup": true}')
            assert "FunctionError" not in answer, answer["Payload"].read()
        eventually(lambda: doors() == [members()] * len(groups), 90, lambda: (members(), doors()))


def made(directory: Path) -> Iterator[Account]:
    """A lab that lives as long as the iterator, with its files in a directory."""
    ignored = shutil.ignore_patterns(".terraform*", "*.tfstate*", "*.tfvars*")
    shutil.copytree(PROJECT / "terraform", directory / "terraform", ignore=ignored)
    shutil.copy(PROJECT / "template.yaml", directory)
    (directory / "mirror").mkdir()
    with Lab(regions=[EAST, WEST]) as lab:
        yield Account(lab, directory / "terraform", directory / "mirror")


def uploaded_code(operator: Shell) -> str:
    """Puts the code into the buckets by the README's command. Returns its key, from where the README takes it."""
    printed = operator.run("template", "--upload")
    assert printed.code == 0, printed
    key: str = json.loads(printed.output)["Resources"]["RingfenceFunction"]["Properties"]["Code"]["S3Key"]
    return key
