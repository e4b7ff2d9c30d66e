"""The stack by way of the SAM CLI, as the README deploys it: validated, built, and deployed, with the lab as AWS."""

import hashlib
import os
import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from ringfence_lab.control.lab import Lab
from tests.stack.rendered import PROJECT, REGION

SAM = PROJECT / ".venv" / "sam" / "bin" / "sam"


def sam(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Runs the SAM CLI in the checkout. What it builds is built with the Python that runs this test."""
    settings = {"SAM_CLI_TELEMETRY": "0", "AWS_DEFAULT_REGION": REGION, "PYTHON": sys.executable}
    return subprocess.run(
        [SAM, *arguments],
        cwd=PROJECT,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, **settings, **environment},
    )


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The directory into which `sam build` put the template and the artefact."""
    directory = tmp_path_factory.mktemp("built")
    done = sam("build", "--build-dir", str(directory))
    assert done.returncode == 0, done.stderr
    return directory


def contents(directory: Path) -> Mapping[str, str]:
    """The digest of every file, by its name in the directory."""
    return {
        str(path.relative_to(directory)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in directory.rglob("*")
        if path.is_file()
    }


def test_the_template_is_valid() -> None:
    done = sam("validate", "--lint")
    assert done.returncode == 0, done.stderr
    assert "is a valid SAM Template" in done.stdout


def test_the_artefact_holds_the_engine_alone(built: Path) -> None:
    artefact = built / "RingfenceFunction"
    packages = {path.name for path in artefact.iterdir() if path.is_dir() and not path.name.endswith(".dist-info")}
    assert packages - {"__pycache__"} == {
        "aws_lambda_powertools",
        "botocore",
        "dateutil",
        "jmespath",
        "ringfence",
        "urllib3",
    }
    assert (artefact / "ringfence" / "runtime" / "handler.py").exists()
    models = {path.name for path in (artefact / "botocore" / "data").iterdir() if path.is_dir()}
    assert models == {"autoscaling", "dynamodb", "ec2", "sqs"}
    assert sum(path.stat().st_size for path in artefact.rglob("*") if path.is_file()) < 30_000_000


def test_the_same_source_builds_the_same_bytes(built: Path, tmp_path: Path) -> None:
    again = tmp_path / "again"
    build = [sys.executable, "-m", "distribution.build_artefact", str(again)]
    subprocess.run(build, cwd=PROJECT, check=True, capture_output=True)
    assert contents(again) == contents(built / "RingfenceFunction")


def test_the_built_template_keeps_its_loops_so_that_it_deploys_with_any_groups(built: Path) -> None:
    loops = set(re.findall(r"Fn::ForEach::(\w+)", (built / "template.yaml").read_text()))
    assert loops == {"ChangeGroups", "AnswerHooks", "Hooks"}


@pytest.mark.lab
def test_what_was_built_deploys_with_both_hooks_for_each_of_two_groups(built: Path) -> None:
    with Lab(regions=[REGION]) as lab:
        # given
        cloudformation, scaling = lab.client("cloudformation", REGION), lab.client("autoscaling", REGION)
        prerequisites = (PROJECT / "examples" / "prerequisites.yaml").read_text()
        cloudformation.create_stack(StackName="prerequisites", TemplateBody=prerequisites)
        cloudformation.get_waiter("stack_create_complete").wait(StackName="prerequisites", WaiterConfig={"Delay": 1})
        (stack,) = cloudformation.describe_stacks(StackName="prerequisites")["Stacks"]
        outputs = {output["OutputKey"]: output["OutputValue"] for output in stack["Outputs"]}
        first, second = outputs["AutoScalingGroup"], "seed-nodes"
        (group,) = scaling.describe_auto_scaling_groups(AutoScalingGroupNames=[first])["AutoScalingGroups"]
        scaling.create_auto_scaling_group(
            AutoScalingGroupName=second,
            MinSize=0,
            MaxSize=1,
            LaunchTemplate={key: group["LaunchTemplate"][key] for key in ("LaunchTemplateId", "Version")},
            VPCZoneIdentifier=group["VPCZoneIdentifier"],
        )
        # when
        overrides = [f"AutoScalingGroups={first},{second}", f"SecurityGroups={outputs['SecurityGroup']}"]
        done = sam(
            *("deploy", "--template-file", str(built / "template.yaml"), "--no-confirm-changeset"),
            *("--config-file", str(PROJECT / "samconfig.toml"), "--stack-name", "ringfence-demo"),
            *("--parameter-overrides", "ClusterName=demo", f"Regions={REGION}", *overrides),
            AWS_ENDPOINT_URL=lab.endpoint_url,
            AWS_ACCESS_KEY_ID="test",
            AWS_SECRET_ACCESS_KEY="test",
        )
        # then
        assert done.returncode == 0, done.stderr
        for name in (first, second):
            hooks = scaling.describe_lifecycle_hooks(AutoScalingGroupName=name)["LifecycleHooks"]
            assert {hook["LifecycleHookName"] for hook in hooks} == {
                "ringfence-demo-launch",
                "ringfence-demo-terminate",
            }
        answer = lab.client("lambda", REGION).invoke(FunctionName="ringfence-demo", Payload=b'{"trueup": true}')
        assert "FunctionError" not in answer
