"""`init`: what it writes is what `cluster_file` reads, and describes what the Regions have."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ringfence.model import Region
from ringfence.settings import AddressKind
from ringfence_ops.cluster_file import Cluster as Described
from ringfence_ops.cluster_file import parse, read
from ringfence_ops.commands.init import written
from ringfence_ops.discovery import Discovered
from tests.end_to_end.clusters import EAST, WEST, Cluster, _two_regions, two_regions
from tests.ops.commands import Shell, shell

__all__ = ["_two_regions", "two_regions"]

PATH = Path("ringfence.toml")

found = st.builds(
    Discovered,
    auto_scaling_groups=st.lists(st.text("abc-_ .\"'#\\é", min_size=1), min_size=1, unique=True).map(tuple),
    security_groups=st.lists(st.from_regex(r"sg-[0-9a-f]{8,17}", fullmatch=True), min_size=1, unique=True).map(tuple),
    address_kinds=st.frozensets(st.sampled_from(AddressKind)),
)


@given(
    st.dictionaries(
        st.sampled_from([Region("us-east-1"), Region("ap-south-1"), Region("us-gov-west-1")]), found, min_size=1
    )
)
def test_what_is_written_is_read_back(regions: dict[Region, Discovered]) -> None:
    cluster = parse(written("demo", regions), PATH)

    assert cluster.region_names == tuple(regions)
    for name, one in regions.items():
        assert cluster.of(name).auto_scaling_groups == one.auto_scaling_groups
        assert cluster.of(name).security_groups == one.security_groups


def test_the_defaults_that_are_written_as_comments_are_the_defaults() -> None:
    regions = {Region(EAST): Discovered(("asg",), ("sg-0123",), frozenset({AddressKind.PUBLIC_IPV4}))}
    text = written("demo", regions)

    uncommented = "\n".join(line.removeprefix("# ") for line in text.splitlines() if "required" not in line)

    assert parse(uncommented, PATH) == parse(text, PATH)
    assert all(f"{each} = " in text for each in Described.__dataclass_fields__ if each not in ("regions", "guard"))


@pytest.mark.xdist_group("two-regions")
class TestOnALab:
    @pytest.fixture
    def operator(self, two_regions: Cluster, tmp_path: Path) -> Shell:
        operator = shell(two_regions, tmp_path)
        (tmp_path / PATH).unlink()
        return operator

    def test_it_describes_the_groups_that_the_regions_have(self, two_regions: Cluster, operator: Shell) -> None:
        ran = operator.run("init", "--name", "demo", "--region", EAST, "--region", WEST, "--json")

        assert (ran.code, ran.document()["schema"]) == (0, "ringfence.init/1")
        cluster = read(operator.directory / PATH)
        for region, one in two_regions.regions.items():
            described = cluster.of(Region(region))
            assert described.auto_scaling_groups == (one.auto_scaling_group,)
            assert one.security_group in described.security_groups

    def test_it_overwrites_only_when_told_to(self, operator: Shell) -> None:
        (operator.directory / PATH).write_text("mine")

        refused = operator.run("init", "--name", "demo", "--region", EAST)

        assert (refused.code, (operator.directory / PATH).read_text()) == (1, "mine")
        assert "--force" in refused.aside
        assert operator.run("init", "--name", "demo", "--region", EAST, "--force").code == 0

    def test_it_writes_nothing_where_there_is_no_such_group(self, operator: Shell) -> None:
        ran = operator.run("init", "--name", "demo", "--region", EAST, "--auto-scaling-group", "nobody")

        assert (ran.code, ran.aside.count("\n")) == (1, 1)
        assert not (operator.directory / PATH).exists()
