"""The environment as settings: every mistake at once, in words that help."""

import pytest

from ringfence.core.errors import Permanent
from ringfence.core.model.addresses import AddressKind
from ringfence.core.model.ports import PortRange
from ringfence.core.settings import GuardLimits, Mode, NoAddress
from ringfence.runtime import config

RIGHT = {
    "AWS_REGION": "us-east-1",
    "RINGFENCE_CLUSTER": "demo",
    "RINGFENCE_REGIONS": "us-east-1, us-west-2",
    "RINGFENCE_AUTO_SCALING_GROUPS": "db,cache",
    "RINGFENCE_SECURITY_GROUPS": "sg-1",
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
        ("RINGFENCE_CLUSTER", "Demo!", "no cluster's name"),
        ("RINGFENCE_CLUSTER", "", "RINGFENCE_CLUSTER is missing"),
        ("RINGFENCE_REGIONS", "us-west-2", "us-east-1 itself is not among the Regions"),
        ("RINGFENCE_AUTO_SCALING_GROUPS", "", "RINGFENCE_AUTO_SCALING_GROUPS is missing"),
        ("RINGFENCE_AUTO_SCALING_GROUPS", "grün", "cannot stand in a rule's description"),
        ("RINGFENCE_AUTO_SCALING_GROUPS", "a" * 240, "too long for a rule's description"),
        ("RINGFENCE_AUTO_SCALING_GROUPS", "(static)", "cannot stand in a rule's description"),
        ("RINGFENCE_PORTS", "9042", "is not a port"),
        ("RINGFENCE_ADDRESS_KINDS", "public", "'public' is not a valid AddressKind"),
        ("RINGFENCE_STATIC_MEMBERS", "0.0.0.0/0", "admits everybody"),
        ("RINGFENCE_STATIC_MEMBERS", "10.0.0.1/8", "has host bits set"),
        ("RINGFENCE_MODE", "strict", "not a valid Mode"),
        ("RINGFENCE_REQUIRED_PEERS", "eu-west-1", "a required peer is no peer of us-east-1"),
        ("RINGFENCE_ADDRESS_WAIT", "-1", "'-1' is not a whole number"),
        ("RINGFENCE_ADDRESS_WAIT", "2m", "'2m' is not a whole number"),
        ("RINGFENCE_PEER_DEADLINE", "0", "0 is no time to wait"),
        ("RINGFENCE_RELEASE_DEADLINE", "1.5", "'1.5' is not a whole number"),
        ("RINGFENCE_GUARD_PERCENT", "30%", "'30%' is not a whole number"),
        ("RINGFENCE_GUARD_MINIMUM", "few", "'few' is not a whole number"),
        ("RINGFENCE_RULES_QUOTA", "-60", "'-60' is not a whole number"),
        ("RINGFENCE_NO_ADDRESS", "wait", "'wait' is not a valid NoAddress"),
        ("RINGFENCE_REQUIRED_PEERS", "us-east-1", "a required peer is no peer of us-east-1"),
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
