"""Version 0.1.0 of the stack, for a lab: its frozen template, and an artefact with its engine."""

import re
import zipfile
from collections.abc import Mapping
from pathlib import Path

from ringfence_lab.control.deploy import LabDeployment
from ringfence_lab.control.lab import Lab
from ringfence_ops.cloudformation.artefact import PROJECT, artefact
from tests.interop import frozen

_CODE_URI = re.compile(r"^(\s+CodeUri:) \.$", re.MULTILINE)
_POLL = {"Delay": 0.1, "MaxAttempts": 600}


def artefact_0_1(directory: Path) -> Path:
    """An artefact with the engine of 0.1.0 and the present artefact's dependencies, which have the same lock."""
    made = directory / "artefact-0.1.0.zip"
    with zipfile.ZipFile(artefact()) as present, zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in present.namelist():
            if not name.startswith("ringfence/"):
                archive.writestr(name, present.read(name))
        for name, content in frozen.files().items():
            if name.startswith("src/"):
                archive.writestr(name.removeprefix("src/"), content)
    return made


def project_0_1(directory: Path) -> Path:
    """A project directory with the template of 0.1.0 and the present examples."""
    project = directory / "ringfence-0.1.0"
    project.mkdir()
    (project / "template.yaml").write_bytes(frozen.files()["template.yaml"])
    (project / "examples").symlink_to(PROJECT / "examples")
    return project


def deployment_0_1(lab: Lab, directory: Path) -> LabDeployment:
    """Deploys 0.1.0 in Regions of a lab."""
    artefact, project = artefact_0_1(directory), project_0_1(directory)
    return LabDeployment(lab.cluster, lab.regions, artefact, lab.client, lab.parameters, project)


def downgrade(lab: Lab, region: str, deployment: LabDeployment, parameters: Mapping[str, str]) -> None:
    """Updates the stack of a Region to 0.1.0, as its `ringfence deploy` does."""
    bucket, key = f"downgrade-{region}", deployment.artefact.name
    constraint = {} if region == "us-east-1" else {"CreateBucketConfiguration": {"LocationConstraint": region}}
    s3, cloudformation = lab.client("s3", region), lab.client("cloudformation", region)
    s3.create_bucket(Bucket=bucket, **constraint)
    s3.put_object(Bucket=bucket, Key=key, Body=deployment.artefact.read_bytes())
    template = (deployment.project / "template.yaml").read_text()
    stack = f"ringfence-{lab.cluster}"
    cloudformation.update_stack(
        StackName=stack,
        TemplateBody=_CODE_URI.sub(rf"\1 s3://{bucket}/{key}", template),
        Parameters=[{"ParameterKey": name, "ParameterValue": value} for name, value in parameters.items()],
        Capabilities=["CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"],
    )
    cloudformation.get_waiter("stack_update_complete").wait(StackName=stack, WaiterConfig=_POLL)
