"""The Terraform module has every parameter and every output of the stack. What it does: tests/terraform."""

import re
from pathlib import Path

import pytest
import terraform_module

from ringfence.core.configuration.setting import Number, Section, Setting, Text
from ringfence.core.configuration.setting_table import TABLE
from tests.stack.rendered import source

MODULE = Path(__file__).resolve().parents[2] / "terraform"


def test_it_gives_every_parameter_of_the_stack_and_shows_every_output() -> None:
    # given
    template = source()
    main, outputs = (MODULE / "main.tf").read_text(), (MODULE / "outputs.tf").read_text()
    (given,) = re.findall(r"\n  parameters = \{\n(.+?)\n  \}", main, re.DOTALL)
    # then
    assert set(re.findall(r"^ +(\w+) +=", given, re.MULTILINE)) == set(template["Parameters"])
    assert set(re.findall(r'outputs\["(\w+)"\]', outputs)) == set(template["Outputs"])


def test_a_template_and_its_place_for_the_code_fit_in_a_request() -> None:
    """The module sends the template in the request. Source: CloudFormation User Guide, "Understand CloudFormation
    quotas" (51,200 bytes)."""
    template = (MODULE.parent / "template.yaml").read_text()
    longest = f"s3://{'b' * 63}/{'k' * 64}"
    assert len(template.encode()) + len(longest) <= 51_200


@pytest.mark.parametrize(
    ("kind", "default", "expected"),
    [
        (
            Number("things", 2, 9),
            5,
            ["number", "5", "floor(var.made_up) == var.made_up && var.made_up >= 2 && var.made_up <= 9"],
        ),
        (Number("things", 2), None, ["number", "var.made_up >= 2"]),
        (Text(allowed=("red", "blue")), "red", ["string", '"red"', 'contains(["red", "blue"], var.made_up)']),
        (
            Text(pattern=r"\d${1}", must_be='a "digit"'),
            None,
            ["string", '"^(\\\\d$${1})$"', 'made_up must be a \\"digit\\".'],
        ),
        (Text(many=tuple, allowed=("red", "blue")), "", ["list(string)", "[]", "alltrue([for each in var.made_up"]),
        (Text(many=tuple, allowed=("red", "blue")), "red,blue", ['["red", "blue"]', "length(var.made_up) > 0"]),
    ],
)
def test_a_made_up_setting_becomes_a_variable(
    kind: Number | Text, default: int | str | None, expected: list[str]
) -> None:
    # given
    made_up = Setting("made_up", kind, Section.SAFETY, "Made up", "Says SilenceAlarmMinutes and Regions.", default)
    # when
    written = terraform_module.terraform_variables((*TABLE, made_up))
    # then
    block = written[written.index('variable "made_up"') : written.index('variable "code_key"')]
    assert [part for part in expected if part not in block] == []
    assert ("default" in block) == (default is not None)
    assert 'description = "Says silence_alarm_minutes and Regions."' in block
    assert "MadeUp" in terraform_module.terraform_parameters((*TABLE, made_up))
