"""The cluster file: every mistake at once, with its line; and what is written is what is read."""

import tomllib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ringfence.core.model.addresses import AddressKind, network
from ringfence.core.model.identifiers import Region, SecurityGroupId
from ringfence.core.model.ports import Ports
from ringfence.core.settings import GuardLimits, Mode, NoAddress
from ringfence_ops.aws.errors import CommandError
from ringfence_ops.cluster.cluster_file import Cluster, RegionOfCluster, parse, without
from ringfence_ops.cluster.cluster_text import written

PATH = Path("ringfence.toml")
WELL = """\
name = "demo"
mode = "owned"

[regions.us-east-1]
auto_scaling_groups = ["db"]
security_groups = ["sg-0123456789abcdef0"]
"""

NAMES = st.text(st.characters(exclude_categories=["Cc", "Cs"]), min_size=1, max_size=20)
SECONDS = st.integers(0, 10_000)
CLUSTERS = st.builds(
    Cluster,
    name=st.from_regex(r"[a-z][a-z0-9-]{0,31}", fullmatch=True),
    regions=st.lists(
        st.builds(
            RegionOfCluster,
            region=st.sampled_from([Region("us-east-1"), Region("us-west-2"), Region("us-gov-west-1")]),
            auto_scaling_groups=st.lists(NAMES, min_size=1, max_size=3).map(tuple),
            security_groups=st.lists(
                st.from_regex(r"sg-[0-9a-f]{8}", fullmatch=True).map(SecurityGroupId), min_size=1, max_size=2
            ).map(tuple),
            required=st.booleans(),
        ),
        min_size=1,
        unique_by=lambda one: one.region,
    ).map(tuple),
    ports=st.sampled_from(["auto", "tcp/9042", "tcp/7000-7001,udp/8301"]).map(Ports.parse),
    address_kinds=st.frozensets(st.sampled_from(AddressKind), min_size=1),
    mode=st.sampled_from(Mode),
    static_members=st.lists(st.sampled_from(["192.0.2.0/24", "2001:db8::/64"]).map(network), unique=True).map(tuple),
    guard=st.builds(GuardLimits, percent=st.integers(0, 100), minimum=st.integers(0, 99)),
    address_wait=SECONDS,
    no_address=st.sampled_from(NoAddress),
    release_deadline=SECONDS,
    launch_default_result=st.sampled_from(["CONTINUE", "ABANDON"]),
    alarm_topic=NAMES,
    log_level=st.sampled_from(["DEBUG", "INFO"]),
)


@given(CLUSTERS)
def test_what_is_written_is_read(cluster: Cluster) -> None:
    assert parse(written(cluster), PATH) == cluster


def test_what_is_commented_out_is_the_default() -> None:
    cluster = parse(WELL, PATH)
    text = written(cluster)

    lines = [line.removeprefix("# ") if " = " in line else line for line in text.splitlines()]

    assert parse("\n".join(lines), PATH) == cluster
    assert len(lines) > len(tomllib.loads(text)) + 20


@given(CLUSTERS, st.data())
def test_a_region_that_is_taken_out_leaves_the_others(cluster: Cluster, data: Any) -> None:
    gone = data.draw(st.sampled_from(cluster.region_names))
    text = without(written(cluster), gone)

    assert list(tomllib.loads(text).get("regions", {})) == [name for name in cluster.region_names if name != gone]


# Mistakes.


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('name = "demo"\n', "", "name is missing"),
        ("demo", "Demo", "line 1: name: expected one such as my-cluster, got 'Demo'"),
        ('mode = "owned"', 'mod = "owned"', "line 2: mod is no setting; did you mean mode?"),
        ('"owned"', '"own"', "got 'own': owned?"),
        ('"owned"', "3", "line 2: mode: expected a text in quotes, got 3"),
        ("us-east-1", "east", "line 4: 'east' is no Region: expected a code such as us-east-1"),
        ("auto_scaling_groups", "auto_scaling_group", "line 5: auto_scaling_group is no setting of a Region; did you"),
        ('["db"]', '"db"', "line 5: auto_scaling_groups: expected a list in brackets, got 'db'"),
        ("sg-0123456789abcdef0", "sg-x", "line 6: security_groups: expected one such as sg-0123456789abcdef0"),
        ('mode = "owned"', "guard = 3", "line 2: guard: expected a table such as { percent = 30 }, got 3"),
        ('mode = "owned"', "guard = { percents = 3 }", "percents is no setting of the guard; did you mean percent?"),
        ('mode = "owned"', "address_wait = -1", "line 2: address_wait: expected a whole number, got -1"),
        ('mode = "owned"', 'static_members = ["a", "b"]', "and"),
        ('mode = "owned"', "mode = ", "is not TOML"),
    ],
)
def test_a_mistake_is_told_with_its_line_and_what_was_expected(old: str, new: str, said: str) -> None:
    assert old in WELL
    with pytest.raises(CommandError) as refused:
        parse(WELL.replace(old, new), PATH)

    assert said in str(refused.value)
    assert str(refused.value).startswith("ringfence.toml")
    assert "\n" not in str(refused.value)


def test_every_mistake_is_told_at_once_in_the_order_of_lines() -> None:
    text = WELL.replace("demo", "Demo").replace('"owned"', '"own"').replace('["db"]', "[]")

    with pytest.raises(CommandError) as refused:
        parse(text, PATH)

    said = str(refused.value)
    assert [said.index(part) for part in ("line 1: name", "line 2: mode", "line 4: us-east-1 has no")] == sorted(
        said.index(part) for part in ("line 1: name", "line 2: mode", "line 4: us-east-1 has no")
    )


@given(st.text(max_size=200))
def test_no_text_is_more_than_refused(text: str) -> None:
    assert (complaint(text) or "ringfence.toml").startswith("ringfence.toml")


def complaint(text: str) -> str | None:
    """What is said of the text; None where it is well."""
    try:
        parse(text, PATH)
    except CommandError as refused:
        return str(refused)
    return None


VALUES = st.recursive(
    st.one_of(st.integers(), st.booleans(), st.text("abc\"'-", max_size=5), st.floats(allow_nan=False)),
    lambda inner: st.lists(inner, max_size=2),
    max_leaves=4,
)


@given(st.sampled_from(sorted(Cluster.__dataclass_fields__)), VALUES)
def test_no_value_of_a_setting_is_more_than_refused(name: str, value: Any) -> None:
    text = f"{name} = {_toml(value)}\n" + "\n".join(line for line in WELL.splitlines() if not line.startswith(name))
    said = complaint(text)

    assert said is None or name in said or "TOML" in said


def _toml(value: Any) -> str:
    if isinstance(value, list):
        return f"[{', '.join(map(_toml, value))}]"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
    return repr(value)
