"""The plain template: the resources of template.yaml as CloudFormation expands it, in one Region and in several."""

import copy
import json
import re
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from ministack.services.cloudformation import engine

from ringfence.core.configuration.setting_table import TABLE
from ringfence.core.model.identifiers import Region, SecurityGroupId
from ringfence_ops.cloudformation.artefact import looped_template
from ringfence_ops.cloudformation.plain_template import Code, plain_template, text
from ringfence_ops.cluster.cluster_file import Cluster, RegionOfCluster, shared_defaults
from ringfence_ops.errors import CommandError
from tests.stack.rendered import PROJECT, source

CODE = Code("ringfence-123456789012-us-east-1", "artefact.zip")
HOME, PEER, THIRD = Region("us-east-1"), Region("eu-west-1"), Region("ap-southeast-2")

GROUPS = {
    HOME: (("db", "cache-nodes_1"), ("sg-0123456789abcdef0", "sg-11111111")),
    PEER: (("db",), ("sg-22222222",)),
    THIRD: (("db", "seed+nodes=2"), ("sg-33333333",)),
}


def cluster(groups: Mapping[Region, Any] = GROUPS, **values: Any) -> Cluster:
    regions = tuple(
        RegionOfCluster(region, scaling, tuple(map(SecurityGroupId, security)), required=region == PEER)
        for region, (scaling, security) in groups.items()
    )
    return Cluster("demo", regions, {**shared_defaults(TABLE), **values})


def plain(*regions: Region, code: Code = CODE, of: Cluster | None = None) -> dict[str, Any]:
    """The plain template of these Regions of the cluster."""
    chosen = of or cluster()
    return plain_template(looped_template(), {region: chosen.parameters(region) for region in regions}, code)


def expanded(region: Region) -> dict[str, Any]:
    """template.yaml as CloudFormation expands it for a Region of the cluster, with its code in S3."""
    template = source()
    template["Resources"]["RingfenceFunction"]["Properties"]["CodeUri"] = f"s3://{CODE.bucket}/{CODE.key}"
    given = [{"Key": name, "Value": value} for name, value in cluster().parameters(region).items()]
    found = engine._apply_transforms(template, given)
    result: dict[str, Any] = json.loads(json.dumps(found))
    assert "Fn::ForEach" not in json.dumps(result)
    return result


def seen_from(region: Region, template: Mapping[str, Any]) -> dict[str, Any]:
    """The resources and outputs as a stack of the Region has them: with values for references to parameters, for the
    mapping and for conditions, and numbers as text. A resource whose condition does not hold is left out."""
    values: dict[str, Any] = {}
    for name, value in cluster().parameters(region).items():
        is_list = source()["Parameters"][name]["Type"] == "CommaDelimitedList"
        values[name] = value.split(",") if is_list else value
    values["AWS::Region"] = region
    mapping = template.get("Mappings", {}).get("Regions", {})
    parts = {name: template.get(name, {}) for name in ("Resources", "Conditions", "Outputs")}
    resolved = _resolved(parts, values, mapping)
    held = {name: _holds(condition) for name, condition in resolved["Conditions"].items()}
    resources = {
        name: resource
        for name, resource in _decided(resolved["Resources"], held).items()
        if held.get(resource.pop("Condition", ""), True)
    }
    return {"Resources": resources, "Outputs": resolved["Outputs"]}


def _holds(condition: Any) -> bool:
    match condition:
        case {"Fn::Equals": [first, second]}:
            return bool(first == second)
        case {"Fn::Not": [part]}:
            return not _holds(part)
        case {"Fn::Or": [*parts]}:
            assert 2 <= len(parts) <= 10
            return any(_holds(part) for part in parts)
    raise AssertionError(condition)


def _decided(node: Any, held: Mapping[str, bool]) -> Any:
    match node:
        case {"Fn::If": [name, first, second]}:
            return _decided(first if held[name] else second, held)
        case dict():
            parts = {key: _decided(value, held) for key, value in node.items()}
            return {key: value for key, value in parts.items() if value != {"Ref": "AWS::NoValue"}}
        case list():
            return [_decided(value, held) for value in node]
        case int() if not isinstance(node, bool):
            return str(node)
    return node


def _resolved(node: Any, values: Mapping[str, Any], mapping: Mapping[str, Any]) -> Any:
    match node:
        case {"Ref": str(name)} if name in values:
            return values[name]
        case {"Fn::FindInMap": ["Regions", {"Ref": "AWS::Region"}, name]}:
            return mapping[values["AWS::Region"]][name]
        case {"Fn::Join": [separator, part]} if isinstance(joined := _resolved(part, values, mapping), list):
            return separator.join(map(str, joined))
        case {"Fn::Sub": [str(pattern), dict(inserted)]}:
            return _substituted(pattern, values | _resolved(inserted, values, mapping))
        case {"Fn::Sub": str(pattern)}:
            return _substituted(pattern, values)
        case dict():
            return {key: _resolved(value, values, mapping) for key, value in node.items()}
        case list():
            return [_resolved(value, values, mapping) for value in node]
    return node


def _substituted(pattern: str, values: Mapping[str, Any]) -> Any:
    written = re.sub(r"\$\{([^}]+)\}", lambda found: str(values.get(found[1], found[0])), pattern)
    return {"Fn::Sub": written} if "${" in written else written


@pytest.mark.parametrize("region", GROUPS)
def test_it_has_the_resources_of_the_template_as_cloudformation_expands_it(region: Region) -> None:
    # when
    made, wanted = seen_from(region, plain(region)), seen_from(region, expanded(region))
    # then
    assert made["Resources"].keys() == wanted["Resources"].keys()
    for name, resource in wanted["Resources"].items():
        assert made["Resources"][name] == resource, name
    assert made == wanted


@pytest.mark.parametrize("region", GROUPS)
def test_one_for_all_regions_makes_in_each_what_the_regions_own_makes(region: Region) -> None:
    assert seen_from(region, plain(*GROUPS)) == seen_from(region, plain(region))


def test_a_group_of_more_regions_than_one_condition_takes_is_in_all_of_them() -> None:
    # given 14 Regions, of which 13 have the group `db`
    names = [Region(f"us-east-{number}") for number in range(1, 15)]
    groups = {
        name: (("db" if name != names[3] else "other",), (f"sg-{index:08x}",)) for index, name in enumerate(names)
    }
    # when
    made = plain(*names, of=cluster(groups))
    # then
    condition = made["Conditions"][made["Resources"]["LaunchHookOfdb"]["Condition"]]
    held = [name for name in names if _holds(_resolved(condition, {"AWS::Region": name}, {}))]
    assert held == [name for name in names if name != names[3]]


def test_it_has_neither_transform_nor_macro_nor_loop_nor_parameter() -> None:
    made = plain(*GROUPS)
    assert made.keys() == {
        *("AWSTemplateFormatVersion", "Description", "Mappings", "Conditions", "Resources", "Outputs")
    }
    assert not re.search(r"Transform|Fn::ForEach|AWS::Serverless|[$&]\{(Group|SecurityGroup)\}", text(made))
    refers = set(re.findall(r"\$\{(\w+)\}", text(made))) | set(re.findall(r'"Ref": "(\w+)"', text(made)))
    assert refers <= made["Resources"].keys()


def test_a_setting_of_the_cluster_file_is_in_the_template() -> None:
    variables = plain(PEER, of=cluster(address_wait=77))["Resources"]["RingfenceFunction"]["Properties"]["Environment"]
    assert variables["Variables"]["RINGFENCE_ADDRESS_WAIT"] == "77"
    assert variables["Variables"]["RINGFENCE_REGIONS"] == "us-east-1,eu-west-1,ap-southeast-2"


@pytest.mark.parametrize("topics", [{}, {PEER: "arn:aws:sns:eu-west-1:123456789012:a"}], ids=["none", "one Region's"])
def test_alarms_notify_the_topic_of_their_region(topics: Mapping[Region, str]) -> None:
    # given
    looped, chosen = looped_template(), cluster()
    parameters = {region: {**chosen.parameters(region), "AlarmTopic": topics.get(region, "")} for region in GROUPS}
    # when
    several = plain_template(looped, parameters, CODE)
    alone = {region: plain_template(looped, {region: parameters[region]}, CODE) for region in GROUPS}
    # then
    for region in GROUPS:
        expected = [topics[region]] if region in topics else None
        for template in (several, alone[region]):
            alarm = seen_from(region, template)["Resources"]["QuotaAlarm"]
            assert alarm["Properties"].get("AlarmActions") == expected


@pytest.mark.parametrize("wanted", [[], [PEER], list(GROUPS)], ids=["no Region", "one Region", "every Region"])
def test_a_dashboard_is_where_it_is_wanted(wanted: list[Region]) -> None:
    # given
    looped, chosen = looped_template(), cluster()
    parameters = {
        region: {**chosen.parameters(region), "Dashboard": "region" if region in wanted else "none"}
        for region in GROUPS
    }
    # when
    several = plain_template(looped, parameters, CODE)
    alone = {region: plain_template(looped, {region: parameters[region]}, CODE) for region in GROUPS}
    # then
    for region in GROUPS:
        for template in (several, alone[region]):
            named = {resource["Condition"] for resource in template["Resources"].values() if "Condition" in resource}
            assert named <= template.get("Conditions", {}).keys()
            assert ("RegionDashboard" in seen_from(region, template)["Resources"]) == (region in wanted)


def test_a_bucket_of_each_region_is_named_by_cloudformation() -> None:
    made = plain(HOME, code=Code("code-${AWS::Region}", "a.zip"))
    code = made["Resources"]["RingfenceFunction"]["Properties"]["Code"]
    assert code == {"S3Bucket": {"Fn::Sub": "code-${AWS::Region}"}, "S3Key": "a.zip"}


def test_two_groups_with_the_same_logical_id_are_refused_with_what_to_do() -> None:
    groups = {HOME: (("web-1",), ("sg-11111111",)), PEER: (("web1",), ("sg-22222222",))}
    with pytest.raises(CommandError, match=r"web-1 and web1 .* --region"):
        plain(HOME, PEER, of=cluster(groups))
    assert plain(PEER, of=cluster(groups))["Resources"]["LaunchHookOfweb1"]


def test_what_it_is_made_of_stays_as_it_was() -> None:
    looped = looped_template()
    before = copy.deepcopy(looped)
    plain_template(looped, {region: cluster().parameters(region) for region in GROUPS}, CODE)
    assert looped == before


@pytest.mark.parametrize("regions", [[HOME], list(GROUPS)], ids=["one", "all"])
def test_cfn_lint_has_nothing_to_say(regions: list[Region], tmp_path: Path) -> None:
    printed = tmp_path / "plain.json"
    printed.write_text(text(plain(*regions)))
    lint = PROJECT / ".venv" / "bin" / "cfn-lint"
    done = subprocess.run([lint, printed], capture_output=True, text=True, check=False)
    assert (done.stdout + done.stderr, done.returncode) == ("", 0)


def test_the_dashboard_is_there_if_the_file_says_so() -> None:
    assert "RegionDashboard" not in plain(HOME)["Resources"]
    wanted = plain(HOME, PEER, of=cluster(dashboard="region"))
    assert "Condition" not in wanted["Resources"]["RegionDashboard"]
    assert "HasDashboard" not in json.dumps(wanted)
