"""The cluster file and what others may write: static members beyond the bounds, and hostile names."""

import re
import tomllib
from pathlib import Path

import pytest

from ringfence.core.model.identifiers import Region, SecurityGroupId
from ringfence_ops.cluster.cluster_file import Cluster, RegionOfCluster, parse
from ringfence_ops.cluster.cluster_text import written
from ringfence_ops.errors import CommandError
from ringfence_ops.main import run
from tests.ops.test_cluster_file import PATH, WELL


@pytest.mark.parametrize(
    "cidr",
    [
        *("0.0.0.0/0", "0.0.0.0/1", "10.0.0.0/7", "0.0.0.0/8", "127.0.0.1/32", "169.254.169.254/32", "224.0.0.0/8"),
        *("240.0.0.0/8", "255.255.255.255/32", "::/0", "::/1", "2000::/15", "::1/128", "fe80::/64", "ff02::/16"),
    ],
)
def test_a_static_member_that_is_too_large_or_not_unicast_is_refused_with_its_line(cidr: str) -> None:
    text = WELL.replace('mode = "owned"', f'static_members = ["192.0.2.0/24", "{cidr}"]')
    line = text[: text.index("static_members")].count("\n") + 1
    with pytest.raises(CommandError, match=rf"line {line}: static_members: .*{re.escape(cidr)}"):
        parse(text, PATH)


@pytest.mark.parametrize("cidr", ["10.0.0.0/8", "192.0.2.1/32", "2001::/16", "2001:db8::7/128"])
def test_a_static_member_within_the_bounds_is_accepted(cidr: str) -> None:
    text = WELL.replace('mode = "owned"', f'static_members = ["{cidr}"]')
    assert parse(text, PATH).static_members == (cidr,)


@pytest.mark.parametrize("command", [["deploy"], ["deploy", "--dry-run"], ["plan"]])
def test_no_command_deploys_a_static_member_beyond_the_bounds(
    command: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "ringfence.toml"
    file.write_text(WELL.replace('mode = "owned"', 'static_members = ["0.0.0.0/1"]'))
    assert run(["--cluster-file", str(file), *command]) == 64
    assert "0.0.0.0/1 is larger than /8, the largest network that can be a static member" in capsys.readouterr().err


HOSTILE = ["\x1b[2J", "\x7f", "\x9b", "\u202e", "\U000e0041", '"]\n[regions.evil', "a\\b", "\u2028"]


@pytest.mark.parametrize("name", HOSTILE, ids=ascii)
def test_a_hostile_name_is_written_as_a_toml_string_and_refused(name: str) -> None:
    region = RegionOfCluster(Region(name), (name,), (SecurityGroupId(name),))
    text = written(Cluster("demo", (region,)))
    assert text.replace("\n", "").isprintable()
    found = tomllib.loads(text)["regions"]
    assert {key: value["auto_scaling_groups"] for key, value in found.items()} == {name: [name]}
    with pytest.raises(CommandError) as refused:
        parse(text, PATH)
    assert "must be a list of names" in str(refused.value)
