"""The environment as settings: every mistake at once, in words that help."""

import pytest

from ringfence.core.configuration.settings import GuardLimits, Mode, NoAddress
from ringfence.core.errors import Permanent
from ringfence.core.model.addresses import AddressKind
from ringfence.core.model.ports import PortRange
from ringfence.runtime import config

RIGHT = {
    "AWS_REGION": "us-east-1",
    "RINGFENCE_CLUSTER": "demo",
    "RINGFENCE_REGIONS": "us-east-1, us-west-2",
    "RINGFENCE_AUTO_SCALING_GROUPS": "db,cache",
    "RINGFENCE_SECURITY_GROUPS": "sg-00000001",
    "RINGFENCE_ACCOUNT": "123456789012",
    "RINGFENCE_LAUNCH_HOOK": "l",
    "RINGFENCE_TERMINATE_HOOK": "t",
    "RINGFENCE_TABLE": "ringfence-demo",
    "RINGFENCE_DEAD_LETTER_QUEUE_URL": "https://queue",
}


def test_what_is_given_is_read_and_the_rest_has_defaults() -> None:
    settings = config.read({**RIGHT, "RINGFENCE_PORTS": "tcp/7000-7001", "RINGFENCE_MODE": "mirror"}).settings
    assert settings.regions == ("us-east-1", "us-west-2")
    assert settings.peers == ("us-west-2",)
    assert settings.ports.explicit == (PortRange("tcp", 7000, 7001),)
    assert settings.mode is Mode.MIRROR
    assert settings.address_kinds == {AddressKind.PUBLIC_IPV4}
    assert settings.release_deadline == 300


@pytest.mark.parametrize(
    ("variable", "value", "said"),
    [
        ("RINGFENCE_CLUSTER", "Demo!", "must be 1 to 32 of a-z, 0-9 and hyphen"),
        ("RINGFENCE_CLUSTER", "", "RINGFENCE_CLUSTER is missing"),
        ("RINGFENCE_REGIONS", "us-west-2", "us-east-1 itself is not among the Regions"),
        ("RINGFENCE_AUTO_SCALING_GROUPS", "", "RINGFENCE_AUTO_SCALING_GROUPS is missing"),
        ("RINGFENCE_AUTO_SCALING_GROUPS", "grün", "cannot be part of a rule's description"),
        ("RINGFENCE_AUTO_SCALING_GROUPS", "a" * 240, "too long for a rule's description"),
        ("RINGFENCE_AUTO_SCALING_GROUPS", "(static)", "cannot be part of a rule's description"),
        ("RINGFENCE_AUTO_SCALING_GROUPS", "(region)", "cannot be part of a rule's description"),
        ("RINGFENCE_PORTS", "9042", "is not a port"),
        ("RINGFENCE_ADDRESS_KINDS", "public", "carrier-ipv4, customer-owned-ipv4, got 'public'"),
        ("RINGFENCE_STATIC_MEMBERS", "0.0.0.0/0", "admits all addresses"),
        ("RINGFENCE_STATIC_MEMBERS", "10.0.0.1/8", "has host bits set"),
        ("RINGFENCE_MODE", "strict", "must be one of observe, owned, mirror, got 'strict'"),
        ("RINGFENCE_REQUIRED_PEERS", "eu-west-1", "a required peer is not a peer of us-east-1"),
        ("RINGFENCE_ADDRESS_WAIT", "-1", "must be a whole number, 1 to 3600 seconds, got -1"),
        ("RINGFENCE_ADDRESS_WAIT", "2m", "must be a whole number, 1 to 3600 seconds, got 2m"),
        ("RINGFENCE_PEER_DEADLINE", "0", "must be a whole number, 1 to 15 seconds, got 0"),
        ("RINGFENCE_RELEASE_DEADLINE", "1.5", "must be a whole number, 1 to 6900 seconds, got 1.5"),
        ("RINGFENCE_GUARD_PERCENT", "30%", "must be a whole number, 0 to 100 percent, got 30%"),
        ("RINGFENCE_GUARD_MINIMUM", "few", "must be a whole number, 1 to 1000 rules, got few"),
        ("RINGFENCE_RULES_QUOTA", "-60", "must be a whole number, 1 to 1000 rules, got -60"),
        ("RINGFENCE_NO_ADDRESS", "wait", "must be one of continue, abandon, got 'wait'"),
        ("RINGFENCE_REQUIRED_PEERS", "us-east-1", "a required peer is not a peer of us-east-1"),
        ("RINGFENCE_STATIC_MEMBERS", "203.0.113.7,office", "'office' does not appear to be"),
        ("RINGFENCE_ADDRESS_KINDS", ",", "RINGFENCE_ADDRESS_KINDS is missing"),
    ],
)
def test_a_mistake_is_told_by_its_variable(variable: str, value: str, said: str) -> None:
    with pytest.raises(Permanent, match=r"^the configuration is wrong: ") as raised:
        config.read({**RIGHT, variable: value})
    assert said in str(raised.value)


def test_every_mistake_is_told_at_once() -> None:
    with pytest.raises(Permanent) as raised:
        config.read({**RIGHT, "RINGFENCE_PORTS": "x", "RINGFENCE_MODE": "y", "RINGFENCE_TABLE": ""})
    assert all(name in str(raised.value) for name in ("RINGFENCE_PORTS", "RINGFENCE_MODE", "RINGFENCE_TABLE"))


@pytest.mark.parametrize("variable", sorted(RIGHT.keys() - {"AWS_REGION"}))
def test_what_has_no_default_must_be_there(variable: str) -> None:
    with pytest.raises(Permanent, match=f"{variable} is missing"):
        config.read({name: value for name, value in RIGHT.items() if name != variable})


def test_everything_can_be_set() -> None:
    # given
    further = {
        "RINGFENCE_ADDRESS_KINDS": "ipv6, private-ipv4",
        "RINGFENCE_STATIC_MEMBERS": "203.0.113.0/24,2001:DB8::7",
        "RINGFENCE_REQUIRED_PEERS": "us-west-2",
        "RINGFENCE_ADDRESS_WAIT": "60",
        "RINGFENCE_NO_ADDRESS": "abandon",
        "RINGFENCE_PEER_DEADLINE": "3",
        "RINGFENCE_RELEASE_DEADLINE": "90",
        "RINGFENCE_GUARD_PERCENT": "50",
        "RINGFENCE_GUARD_MINIMUM": "4",
        "RINGFENCE_RULES_QUOTA": "100",
    }
    # when
    deployment = config.read(RIGHT | further)
    # then
    settings = deployment.settings
    assert settings.address_kinds == {AddressKind.IPV6, AddressKind.PRIVATE_IPV4}
    assert settings.static_members == ("203.0.113.0/24", "2001:db8::7/128")
    assert settings.required_peers == {"us-west-2"}
    assert (settings.address_wait, settings.peer_deadline, settings.release_deadline) == (60, 3, 90)
    assert (settings.no_address, settings.guard, settings.rules_quota) == (NoAddress.ABANDON, GuardLimits(50, 4), 100)
    assert (deployment.table, deployment.dead_letter_queue_url) == ("ringfence-demo", "https://queue")


def test_a_list_names_each_thing_once_and_keeps_its_order() -> None:
    environment = RIGHT | {"RINGFENCE_REGIONS": " us-west-2 ,,us-east-1,us-west-2"}
    assert config.read(environment).settings.regions == ("us-west-2", "us-east-1")


def test_nothing_of_the_environment_is_read_but_what_is_handed_in(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RINGFENCE_MODE", "mirror")
    assert config.read(RIGHT).settings.mode is Mode.OWNED


@pytest.mark.parametrize(("spare", "right"), [(0, True), (-1, False)])
def test_a_groups_name_may_fill_a_rules_description_to_the_last_character(spare: int, right: bool) -> None:
    # given
    rest = len("ringfence demo us-east-1/ i-0123456789abcdef0")
    environment = RIGHT | {"RINGFENCE_AUTO_SCALING_GROUPS": "a" * (255 - rest - spare)}
    # when / then
    if right:
        config.read(environment)
    else:
        with pytest.raises(Permanent, match="too long"):
            config.read(environment)


# Warnings: the engine continues.

HEARTBEATS = {
    "RINGFENCE_LAUNCH_HEARTBEAT": "300",
    "RINGFENCE_TERMINATE_HEARTBEAT": "900",
    "RINGFENCE_SCHEDULE": "rate(1 minute)",
}


@pytest.mark.parametrize("environment", [RIGHT, RIGHT | HEARTBEATS], ids=["of a stack of 0.1", "of this version"])
def test_an_environment_that_is_right_has_no_warnings(environment: dict[str, str]) -> None:
    assert config.read(environment).warnings == ()


@pytest.mark.parametrize(
    ("variable", "value", "said"),
    [
        ("RINGFENCE_TERMINATE_HEARTBEAT", "360", "terminate_heartbeat must be longer than release_deadline plus the"),
        ("RINGFENCE_LAUNCH_HEARTBEAT", "180", "which is 120 + 60 = 180 seconds, got 180: write launch_heartbeat = 181"),
        ("RINGFENCE_SCHEDULE", "rate(1 minutes)", "RINGFENCE_SCHEDULE: rate(1 minutes) is not a schedule"),
        ("RINGFENCE_LAUNCH_HEARTBEAT", "long", "RINGFENCE_LAUNCH_HEARTBEAT: must be a whole number"),
        ("RINGFENCE_PEER_DEADLINE", "16", "RINGFENCE_PEER_DEADLINE: must be a whole number, 1 to 15 seconds, got 16"),
        ("RINGFENCE_AUTO_SCALING_GROUPS", "g" * 113, "RINGFENCE_AUTO_SCALING_GROUPS: must be a list of names"),
    ],
)
def test_what_the_engine_can_work_with_is_a_warning(variable: str, value: str, said: str) -> None:
    (warning,) = config.read(RIGHT | HEARTBEATS | {variable: value}).warnings
    assert said in warning


def test_a_value_beyond_its_bounds_is_used_as_it_is() -> None:
    assert config.read(RIGHT | {"RINGFENCE_PEER_DEADLINE": "16"}).settings.peer_deadline == 16
