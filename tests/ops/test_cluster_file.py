"""The cluster file: every mistake at once, with its line; and what is written is what is read."""

import tomllib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ringfence.core.configuration.setting_table import SETTINGS, TABLE
from ringfence.core.configuration.settings import Mode, NoAddress
from ringfence.core.model.addresses import AddressKind, network
from ringfence.core.model.identifiers import Region, SecurityGroupId
from ringfence.core.model.ports import Ports
from ringfence_ops.aws.sessions import Aws
from ringfence_ops.cloudformation.deployment import Deployer
from ringfence_ops.cluster.cluster_file import Cluster, RegionOfCluster, parse, shared_defaults, without
from ringfence_ops.cluster.cluster_text import written
from ringfence_ops.errors import CommandError

PATH = Path("ringfence.toml")
TOPIC = "arn:aws:sns:us-east-1:123456789012:operators"
WELL = """\
name = "demo"
mode = "owned"

[regions.us-east-1]
auto_scaling_groups = ["db"]
security_groups = ["sg-0123456789abcdef0"]
"""

NAMES = st.text("abcXYZ019+=.@-_", min_size=1, max_size=20)
REGIONS = st.sampled_from([Region("us-east-1"), Region("us-west-2"), Region("us-gov-west-1")])


@st.composite
def regions_of_a_cluster(draw: st.DrawFn) -> RegionOfCluster:
    region = draw(REGIONS)
    topic = f"arn:aws:sns:{region}:123456789012:operators"
    return RegionOfCluster(
        region,
        draw(st.lists(NAMES, min_size=1, max_size=3).map(tuple)),
        draw(st.lists(GROUPS, min_size=1, max_size=2).map(tuple)),
        draw(st.booleans()),
        {"alarm_topic": draw(st.sampled_from(["", topic]))},
    )


GROUPS = st.text("0123456789abcdef", min_size=8, max_size=8).map("sg-".__add__).map(SecurityGroupId)
CHANGES = st.fixed_dictionaries(
    {},
    optional={
        "ports": st.sampled_from(["auto", "tcp/9042", "tcp/7000-7001,udp/8301"]).map(Ports.parse),
        "address_kinds": st.frozensets(st.sampled_from(AddressKind), min_size=1),
        "mode": st.sampled_from(Mode),
        "static_members": st.lists(st.sampled_from(["192.0.2.0/24", "2001:db8::/64"]).map(network), unique=True).map(
            tuple
        ),
        "guard_percent": st.integers(0, 100),
        "guard_minimum": st.integers(1, 1000),
        "address_wait": st.integers(1, 119),
        "no_address": st.sampled_from(NoAddress),
        "release_deadline": st.integers(1, 719),
        "launch_default_result": st.sampled_from(["CONTINUE", "ABANDON"]),
        "schedule": st.sampled_from(["rate(1 minute)", "rate(2 minutes)", "cron(0/2 * * * ? *)"]),
        "log_level": st.sampled_from(["DEBUG", "INFO"]),
    },
)
CLUSTERS = st.builds(
    lambda name, regions, changes: Cluster(name, regions, {**shared_defaults(TABLE), **changes}),
    st.text("abcxyz019-", max_size=31).map("a".__add__),
    st.lists(regions_of_a_cluster(), min_size=1, unique_by=lambda own: own.region).map(tuple),
    CHANGES,
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


COMMENTED = """\
name = "demo"  # never change it

# The first one.
[regions.us-east-1]
auto_scaling_groups = ["db"]  # the seeds
security_groups = ["sg-00000001"]
# required = true

# Cheap.
# And far away.
[regions.us-west-2]
auto_scaling_groups = ["db"]
security_groups = ["sg-00000001"]
# Not yet: required = true

# Europe pays for itself.
[ regions . "eu-west-1" ]
security_groups = ["sg-00000001"]
auto_scaling_groups = ["db"]

# The end.
"""


def test_the_comments_of_the_other_regions_stay_and_so_does_the_order() -> None:
    begins, ends = COMMENTED.index("# Cheap."), COMMENTED.index("# Europe")
    assert without(COMMENTED, Region("us-west-2")) == COMMENTED[:begins] + COMMENTED[ends:]

    begins = COMMENTED.index("# Europe")
    assert without(COMMENTED, Region("eu-west-1")) == COMMENTED[:begins] + "# The end.\n"

    begins, ends = COMMENTED.index("# The first"), COMMENTED.index("# Cheap.")
    assert without(COMMENTED, Region("us-east-1")) == COMMENTED[:begins] + COMMENTED[ends:]


@pytest.mark.parametrize(
    "text",
    [
        'name = "demo"\nregions = { us-east-1 = { required = true }, us-west-2 = { required = true } }\n',
        "[regions]\nus-east-1 = { required = true }\nus-west-2.required = true\n",
        "regions.us-west-2.required = true\nregions.us-east-1.required = true\n",
        "[regions.us-west-2]\nrequired = true\n[guard]\npercent = 3\n[regions.us-east-1]\nrequired = true\n",
    ],
)
def test_a_region_is_taken_out_in_whatever_way_it_is_written(text: str) -> None:
    before = tomllib.loads(text)
    del before["regions"]["us-west-2"]
    assert tomllib.loads(without(text, Region("us-west-2"))) == before


def test_a_file_of_the_version_before_is_read() -> None:
    old = WELL + "required = true\n"
    old = old.replace(
        'mode = "owned"', "guard = { percent = 20, minimum = 5 }\n# alarm_topic = \"\"\nschedule = 'rate(2 minutes)'"
    )

    cluster = parse(old, PATH)

    assert (cluster.values["guard_percent"], cluster.values["guard_minimum"]) == (20, 5)
    assert cluster.values["schedule"] == "rate(2 minutes)"


def test_each_region_has_the_parameters_of_its_own() -> None:
    text = WELL.replace("us-east-1", "us-west-2") + f'[regions.us-east-1]\nalarm_topic = "{TOPIC}"\nrequired = true\n'
    cluster = parse(text + 'auto_scaling_groups = ["a", "b"]\nsecurity_groups = ["sg-00000001"]\n', PATH)

    east, west = (cluster.parameters(region) for region in (Region("us-east-1"), Region("us-west-2")))

    assert (east["AlarmTopic"], east["AutoScalingGroups"], east["RequiredPeers"]) == (TOPIC, "a,b", "")
    assert (west["AlarmTopic"], west["AutoScalingGroups"], west["RequiredPeers"]) == ("", "db", "us-east-1")
    assert east["Regions"] == west["Regions"] == "us-west-2,us-east-1"


def test_a_cluster_made_in_code_names_its_broken_relations_once_and_is_not_deployed() -> None:
    cluster = parse(WELL + WELL[WELL.index("[") :].replace("us-east-1", "us-west-2"), PATH)
    broken = Cluster(cluster.name, cluster.regions, {**cluster.values, "release_deadline": 900})

    assert cluster.broken_relations() == []
    assert len(broken.broken_relations()) == 1
    with pytest.raises(CommandError, match="terminate_heartbeat must be longer than release_deadline"):
        Deployer(Aws(), broken, "123456789012").create_change_sets(broken.region_names)


def test_a_cluster_with_lists_that_aws_does_not_accept_is_not_deployed() -> None:
    groups = ", ".join(f'"{number:020}"' for number in range(100))
    cluster = parse(WELL.replace('auto_scaling_groups = ["db"]', f"auto_scaling_groups = [{groups}]"), PATH)
    assert len(cluster.regions[0].auto_scaling_groups) == 100

    with pytest.raises(CommandError, match=r"event pattern has 2,\d+ of 2,048 characters"):
        Deployer(Aws(), cluster, "123456789012").create_change_sets(cluster.region_names)


# Mistakes.


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('name = "demo"\n', "", "name is missing"),
        (
            "demo",
            "Demo",
            "line 1: name: must be 1 to 32 of a-z, 0-9 and hyphen, the first a letter, such as my-cluster, got 'Demo'",
        ),
        ('mode = "owned"', 'mod = "owned"', "line 2: mod is no setting; did you mean mode?"),
        ('"owned"', '"own"', "line 2: mode: must be one of observe, owned, mirror, got 'own'; did you mean owned?"),
        ('"owned"', "3", "line 2: mode: expected a text in quotes, got 3"),
        ("us-east-1", "east", "line 4: 'east' is no Region: expected a code such as us-east-1"),
        ("auto_scaling_groups", "auto_scaling_group", "line 5: auto_scaling_group is no setting of a Region; did you"),
        ('["db"]', '"db"', "line 5: auto_scaling_groups: expected a list in brackets, got 'db'"),
        (
            "sg-0123456789abcdef0",
            "sg-x",
            "line 6: security_groups: must be a list of ids such as sg-0123456789abcdef0, got 'sg-x'",
        ),
        ('mode = "owned"', "guard = 3", "line 2: guard: expected a table such as { percent = 30 }, got 3"),
        (
            'mode = "owned"',
            "guard = { percents = 3 }",
            "line 2: percents is no setting of the guard; did you mean percent?",
        ),
        (
            'mode = "owned"',
            "address_wait = -1",
            "line 2: address_wait: must be a whole number, 1 to 3600 seconds, got -1",
        ),
        ('mode = "owned"', 'static_members = ["a", "b"]', "and"),
        ('mode = "owned"', "mode = ", "is not TOML"),
        ('mode = "owned"', "guard.percents = 3", "line 2: percents is no setting of the guard; did you mean percent?"),
        (
            'mode = "owned"',
            "guard.percent = 101",
            "line 2: guard.percent: must be a whole number, 0 to 100 percent, got 101",
        ),
        ('mode = "owned"', "guard = { minimum = 0 }", "line 2: guard.minimum: must be a whole number, 1 to 1000 rules"),
        (
            'mode = "owned"',
            'address_wait = "60"',
            "line 2: address_wait: must be a whole number, 1 to 3600 seconds, got",
        ),
        (
            'mode = "owned"',
            "peer_deadline = 16",
            "line 2: peer_deadline: must be a whole number, 1 to 15 seconds, got 16",
        ),
        (
            'mode = "owned"',
            "log_retention_days = 100",
            "1096, 1827, 2192, 2557, 2922, 3288, 3653 days, got 100; the nearest is",
        ),
        (
            'mode = "owned"',
            'schedule = "rate(1 minutes)"',
            "line 2: schedule: rate(1 minutes) is not a schedule: write rate(1",
        ),
        (
            'mode = "owned"',
            'schedule = "at(2026-11-20T13:00:00)"',
            "fires once: write a schedule that repeats, such as rate(",
        ),
        (
            'mode = "owned"',
            "launch_heartbeat = 180",
            "line 2: launch_heartbeat must be longer than address_wait plus the",
        ),
        (
            'mode = "owned"',
            "release_deadline = 840",
            "line 2: terminate_heartbeat must be longer than release_deadline",
        ),
        (
            'mode = "owned"',
            'schedule = "rate(1 hour)"',
            "line 2: terminate_heartbeat must be longer than release_deadline",
        ),
        (
            '["db"]',
            '["db/nodes"]',
            "line 5: auto_scaling_groups: must be a list of names of 1 to 112 letters, digits and",
        ),
        ('["db"]', "[5]", "line 5: auto_scaling_groups: expected a text in quotes, got 5"),
        ('mode = "owned"', 'alarm_topic = ""', "line 2: alarm_topic is a setting of each Region: delete this line"),
        (
            'mode = "owned"',
            f'alarm_topic = "{TOPIC}"',
            f'Region: delete this line, and write alarm_topic = "{TOPIC}" under [regions.us-east-1]',
        ),
        (
            'mode = "owned"',
            'alarm_topic = "arn:aws:sns:eu-west-1:123456789012:operators"',
            "line 2: alarm_topic is a setting of each Region: delete this line, since the cluster has no Region eu-",
        ),
        (
            '["db"]',
            '["db"]\nalarm_topic = "arn:aws:sns:eu-west-1:123456789012:operators"',
            f'us-east-1, and this topic is in eu-west-1: write alarm_topic = "{TOPIC}", a topic of that name in us-',
        ),
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


KEYS = sorted({setting.path[0] for setting in SETTINGS.values() if setting.path})
VALUES = st.recursive(
    st.one_of(st.integers(), st.booleans(), st.text("abc\"'-", max_size=5), st.floats(allow_nan=False)),
    lambda inner: st.lists(inner, max_size=2),
    max_leaves=4,
)


@given(st.sampled_from([*KEYS, "regions"]), VALUES)
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
