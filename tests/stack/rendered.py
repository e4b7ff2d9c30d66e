"""The stack's template as CloudFormation sees it after AWS::LanguageExtensions: loops unrolled for given parameters."""

from pathlib import Path
from typing import Any

from cfnlint.decode import cfn_yaml
from ministack.services.cloudformation import language_extensions

PROJECT = Path(__file__).resolve().parents[2]
TEMPLATE = PROJECT / "template.yaml"


def source() -> dict[str, Any]:
    """The template as it is written, with short forms as functions."""
    loaded: dict[str, Any] = cfn_yaml.load(str(TEMPLATE))
    return loaded


def rendered(regions: str, groups: str) -> dict[str, Any]:
    """The template's resources for these Regions and Auto Scaling groups, both comma separated."""
    template = source()
    values = {name: parameter.get("Default", "") for name, parameter in template["Parameters"].items()}
    values |= {"ClusterName": "demo", "Regions": regions, "AutoScalingGroups": groups, "SecurityGroups": "sg-1"}
    applied = language_extensions.apply(template, {name: str(value) for name, value in values.items()})
    resources: dict[str, Any] = (applied or template)["Resources"]
    return resources
