"""`ringfence template` as the real command: what it prints, and where it puts the function's code."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from ringfence_lab.control.lab import Lab
from ringfence_ops.cloudformation.artefact import artefact
from tests.labs import HOME, PEER
from tests.ops.commands import Shell, lab_environment

CLUSTER = f"""
name = "demo"

[regions.{HOME}]
auto_scaling_groups = ["db"]
security_groups = ["sg-11111111"]

[regions.{PEER}]
auto_scaling_groups = ["db"]
security_groups = ["sg-22222222"]
"""


@pytest.fixture
def offline(tmp_path: Path) -> Shell:
    """A shell whose AWS does not answer."""
    (tmp_path / "ringfence.toml").write_text(CLUSTER)
    return Shell(tmp_path, lab_environment("http://127.0.0.1:9"))


@pytest.fixture
def online(tmp_path: Path) -> Iterator[tuple[Shell, Lab]]:
    (tmp_path / "ringfence.toml").write_text(CLUSTER)
    with Lab(regions=[HOME, PEER]) as lab:
        yield Shell(tmp_path, lab_environment(lab.endpoint_url)), lab


def test_it_prints_the_template_alone_and_needs_no_aws(offline: Shell) -> None:
    # when
    result = offline.run("template")
    # then
    assert (result.code, result.errors) == (0, "")
    template = json.loads(result.output)
    code = template["Resources"]["RingfenceFunction"]["Properties"]["Code"]
    assert code == {"S3Bucket": {"Fn::Sub": "ringfence-${AWS::AccountId}-${AWS::Region}"}, "S3Key": artefact().name}
    assert set(template["Mappings"]["Regions"]) == {HOME, PEER}


def test_one_regions_template_takes_the_code_from_where_it_is_told_and_saves_it(offline: Shell) -> None:
    # when
    result = offline.run(
        *("template", "--region", PEER, "--code-bucket", "mine", "--code-key", "r.zip", "--save-code", "r.zip")
    )
    # then
    assert result.code == 0, result
    template = json.loads(result.output)
    assert template["Resources"]["RingfenceFunction"]["Properties"]["Code"] == {"S3Bucket": "mine", "S3Key": "r.zip"}
    assert "Mappings" not in template
    assert (offline.directory / "r.zip").read_bytes() == artefact().read_bytes()


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["--region", "us-west-1"], 64, "us-west-1 is no Region of the cluster demo"),
        (["--upload", "--code-bucket", "mine"], 64, "without --code-bucket and --code-key"),
    ],
)
def test_what_it_cannot_do_is_said_and_nothing_is_printed(
    offline: Shell, arguments: list[str], code: int, said: str
) -> None:
    result = offline.run("template", *arguments)
    assert (result.code, result.output) == (code, "")
    (line,) = result.errors.splitlines()
    assert said in line


def test_a_region_without_an_answer_gets_no_template(offline: Shell) -> None:
    result = offline.run("template", "--upload", AWS_MAX_ATTEMPTS="1")
    assert (result.code, result.output) == (1, "")
    assert len(result.errors.splitlines()) == 1


@pytest.mark.lab
def test_the_code_is_in_the_bucket_that_the_template_names(online: tuple[Shell, Lab]) -> None:
    # given
    shell, lab = online
    # when
    result = shell.run("template", "--upload")
    # then
    assert result.code == 0, result
    for region in (HOME, PEER):
        found = lab.client("s3", region).get_object(Bucket=f"ringfence-123456789012-{region}", Key=artefact().name)
        assert found["Body"].read() == artefact().read_bytes()
    assert [path.name for path in shell.directory.iterdir()] == ["ringfence.toml"]
