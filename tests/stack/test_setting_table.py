"""The table of settings: one row is enough for a setting to be everywhere, and every row is complete."""

import re
from pathlib import Path
from typing import Any

import pytest
import setting_documents
import yaml

from ringfence.core.configuration.relations import broken_relations
from ringfence.core.configuration.setting import Number, Reading, Scope, Section, Setting, Text, Use
from ringfence.core.configuration.setting_table import DEFAULTS, TABLE
from ringfence.core.configuration.settings import Settings
from ringfence.core.errors import Permanent
from ringfence.runtime import config
from ringfence_ops.cluster.cluster_file import parse, shared_defaults
from ringfence_ops.cluster.cluster_text import written
from ringfence_ops.errors import CommandError

PATH = Path("ringfence.toml")
FILE = """\
name = "demo"
[regions.us-east-1]
auto_scaling_groups = ["db"]
security_groups = ["sg-00000001"]
"""
ENVIRONMENT = {
    "RINGFENCE_CLUSTER": "demo",
    "RINGFENCE_REGIONS": "us-east-1",
    "RINGFENCE_AUTO_SCALING_GROUPS": "db",
    "RINGFENCE_SECURITY_GROUPS": "sg-00000001",
}

COUNT = Setting(
    name="made_up_count",
    type=Number("things", 2, 9),
    section=Section.SAFETY,
    label="Made up, counted",
    description="How many things there are.",
    default=5,
)
COLOURS = Setting(
    name="made_up_colours",
    type=Text(many=tuple, allowed=("red", "blue")),
    section=Section.OPERATION,
    label="Made up colours",
    description="The colours of a Region.",
    default="red",
    scope=Scope.REGION,
)
WITH_MADE_UP = (*TABLE, COUNT, COLOURS)


def test_a_made_up_setting_is_read_from_the_environment() -> None:
    given = ENVIRONMENT | {"RINGFENCE_MADE_UP_COUNT": "7", "RINGFENCE_MADE_UP_COLOURS": "blue, red"}

    assert config.read_values(ENVIRONMENT, WITH_MADE_UP)["made_up_count"] == 5
    values = config.read_values(given, WITH_MADE_UP)
    assert (values["made_up_count"], values["made_up_colours"]) == (7, ("blue", "red"))
    with pytest.raises(Permanent, match="RINGFENCE_MADE_UP_COUNT: must be a whole number, 2 to 9 things, got 1"):
        config.read_values(given | {"RINGFENCE_MADE_UP_COUNT": "1"}, WITH_MADE_UP)


def test_a_made_up_setting_is_written_into_the_cluster_file_and_read_from_it() -> None:
    top, region = "made_up_count = 7\n", 'made_up_colours = ["blue"]\n'

    cluster = parse(top + FILE + region, PATH, WITH_MADE_UP)
    text = written(cluster, WITH_MADE_UP)

    assert "# How many things there are. A whole number, 2 to 9 things.\nmade_up_count = 7\n" in text
    assert '# The colours of a Region. One of red, blue.\nmade_up_colours = ["blue"]\n' in text
    assert parse(text, PATH, WITH_MADE_UP) == cluster
    assert "\n# made_up_count = 5\n" in written(parse(FILE, PATH, WITH_MADE_UP), WITH_MADE_UP)


def test_a_made_up_setting_is_checked_in_the_cluster_file() -> None:
    with pytest.raises(CommandError) as refused:
        parse("made_up_count = 10\n" + FILE + 'made_up_colours = ["rot", "blu"]\n', PATH, WITH_MADE_UP)

    assert "line 1: made_up_count: must be a whole number, 2 to 9 things, got 10" in str(refused.value)
    assert "line 6: made_up_colours: must be one of red, blue, got 'rot', and must be one of" in str(refused.value)


def test_a_made_up_setting_is_a_parameter_of_the_stack() -> None:
    cluster = parse("made_up_count = 7\n" + FILE, PATH, WITH_MADE_UP)
    interface = yaml.safe_load(setting_documents.template_interface(WITH_MADE_UP))
    parameters = yaml.safe_load(setting_documents.template_parameters(WITH_MADE_UP))

    given = cluster.parameters(cluster.region_names[0], WITH_MADE_UP)
    assert (given["MadeUpCount"], given["MadeUpColours"]) == ("7", "red")
    assert interface["ParameterLabels"]["MadeUpCount"] == {"default": "Made up, counted (things)"}
    groups = {group["Label"]["default"]: group["Parameters"] for group in interface["ParameterGroups"]}
    assert (groups["Safety"][-1], groups["Operation"][-1]) == ("MadeUpCount", "MadeUpColours")
    assert parameters["MadeUpCount"] == {
        "Type": "Number",
        "Default": 5,
        "MinValue": 2,
        "MaxValue": 9,
        "Description": "How many things there are.",
    }
    assert parameters["MadeUpColours"] == {
        "Type": "CommaDelimitedList",
        "Default": "red",
        "AllowedValues": ["red", "blue"],
        "Description": "The colours of a Region.",
    }


def test_a_made_up_setting_is_in_the_functions_environment_and_in_the_readme() -> None:
    environment = setting_documents.template_environment(WITH_MADE_UP)
    table = setting_documents.parameters_table(WITH_MADE_UP)

    assert "RINGFENCE_MADE_UP_COUNT: !Ref MadeUpCount\n" in environment
    assert 'RINGFENCE_MADE_UP_COLOURS: !Join [",", !Ref MadeUpColours]\n' in environment
    assert "| `MadeUpCount` | `5` | 2 to 9 things | How many things there are. |" in table


@pytest.mark.parametrize("setting", TABLE, ids=lambda setting: setting.name)
def test_a_row_is_complete(setting: Setting) -> None:
    assert setting.label
    assert re.fullmatch(r".+\.", setting.description)
    if isinstance(setting.type, Text) and setting.type.pattern:
        assert setting.type.must_be
    if setting.default is not None:
        assert setting.read(setting.split(str(setting.default))) == Reading(DEFAULTS[setting.name])


def test_what_the_engine_works_with_is_a_field_of_its_settings() -> None:
    grouped = {"guard_percent", "guard_minimum"}
    facts = {"region", "account", "launch_hook", "terminate_hook", "guard", "announcement_wait"}
    engine = {setting.name for setting in TABLE if setting.use is Use.ENGINE}

    assert engine - grouped == set(Settings.__dataclass_fields__) - facts
    assert not any(broken_relations({**shared_defaults(TABLE), "region": "us-east-1"}))


@pytest.mark.parametrize("names", [("name",), ("variable",), ("parameter_name",)])
def test_no_two_rows_share_a_name(names: tuple[str, ...]) -> None:
    found: list[Any] = [tuple(getattr(setting, name) for name in names) for setting in TABLE]
    assert len(set(found)) == len(found)
