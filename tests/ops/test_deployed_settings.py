"""What the parameters of a cluster's stacks say, for the cluster file that `init` writes."""

from ringfence.core.configuration.settings import Mode
from ringfence_ops.cloudformation.deployed_settings import DeployedSettings, settings_of
from tests.unit.builders import EAST, WEST

TOPIC = "arn:aws:sns:us-east-1:123456789012:operators"


def test_without_a_stack_nothing_is_said() -> None:
    assert settings_of({EAST: {}, WEST: {}}) == DeployedSettings()


def test_what_all_stacks_share_is_shared_and_what_is_a_regions_own_is_its_own() -> None:
    shared = {"Mode": "mirror", "ReleaseDeadline": "7", "StaticMembers": "192.0.2.0/24"}

    found = settings_of({EAST: {**shared, "AlarmTopic": TOPIC}, WEST: shared})

    assert (found.shared["mode"], found.shared["release_deadline"]) == (Mode.MIRROR, 7)
    assert [str(cidr) for cidr in found.shared["static_members"]] == ["192.0.2.0/24"]
    assert {region: values.get("alarm_topic", "") for region, values in found.own.items()} == {EAST: TOPIC, WEST: ""}


def test_a_region_without_a_stack_changes_nothing_for_the_others() -> None:
    assert settings_of({EAST: {"Mode": "mirror"}, WEST: {}}).shared == {"mode": Mode.MIRROR}


def test_a_setting_that_differs_is_named_and_not_chosen() -> None:
    found = settings_of({EAST: {"Mode": "mirror", "ReleaseDeadline": "7"}, WEST: {"Mode": "owned"}})

    assert (found.differ, dict(found.shared)) == (("mode", "release_deadline"), {})


def test_a_value_that_no_setting_takes_is_left_out() -> None:
    assert "mode" not in settings_of({EAST: {"Mode": "sideways", "ReleaseDeadline": "7"}}).shared


def test_groups_quota_and_private_addresses_are_not_taken_from_a_stack() -> None:
    parameters = {"AutoScalingGroups": "db", "SecurityGroups": "sg-1", "RulesQuota": "100", "PrivateAddresses": "all"}

    found = settings_of({EAST: parameters})

    assert (dict(found.shared), dict(found.own[EAST])) == ({}, {})


def test_a_region_that_another_one_waits_for_is_required() -> None:
    assert settings_of({EAST: {"RequiredPeers": "us-west-2"}, WEST: {"RequiredPeers": ""}}).required == {WEST}
