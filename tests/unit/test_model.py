"""Addresses, ports and labels: what may stand for a member, and what may not."""

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ringfence.model import Label, PortRange, Ports, Region, RosterKey, host, is_describable, network


@pytest.mark.parametrize(
    "hostile",
    [
        "0.0.0.0/0",
        "0.0.0.0",  # noqa: S104  # hostile on purpose
        "::/0",
        "10.0.0.0/8",
        "10.0.0.1/24",
        "224.0.0.1",
        "127.0.0.1",
        "169.254.169.254",
        "255.255.255.255",
        "240.0.0.1",
        "::1",
        "::",
        "ff02::1",
        "fe80::1",
        "2001:db8::/64",
        "",
        "x",
        "1.2.3",
        "1.2.3.4/33",
        "1.2.3.4 ",
    ],
)
def test_only_a_single_unicast_host_can_be_a_member(hostile: str) -> None:
    with pytest.raises(ValueError, match=r".*"):
        host(hostile)


@given(st.ip_addresses())
def test_a_host_is_canonical_or_refused(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> None:
    try:
        canonical = host(str(address))
    except ValueError:
        assert not address.is_global or address.is_multicast or address.is_reserved
    else:
        assert ipaddress.ip_network(canonical).num_addresses == 1
        assert host(canonical) == canonical


@pytest.mark.parametrize("everybody", ["0.0.0.0/0", "::/0", "10.0.0.1/24"])
def test_a_static_member_is_never_everybody_and_has_no_host_bits(everybody: str) -> None:
    with pytest.raises(ValueError, match=r"everybody|host bits"):
        network(everybody)


def test_a_static_member_may_be_a_network() -> None:
    assert network("198.51.100.0/28") == "198.51.100.0/28"


@given(st.lists(st.tuples(st.sampled_from(["tcp", "udp"]), st.integers(0, 65535), st.integers(0, 65535)), min_size=1))
def test_ports_read_back_as_they_are_written(ranges: list[tuple[str, int, int]]) -> None:
    ports = Ports(tuple(sorted({PortRange(protocol, min(a, b), max(a, b)) for protocol, a, b in ranges})))
    assert Ports.parse(str(ports)) == ports


@pytest.mark.parametrize("text", ["", "80", "tcp", "tcp/", "tcp/70000", "tcp/9-8", "icmp/8", "tcp/1,", "-1"])
def test_what_is_no_port_is_refused_with_what_to_write(text: str) -> None:
    with pytest.raises(ValueError, match=r"is not a port"):
        Ports.parse(text)


NAMES = st.text("abcXYZ019._-:/()#,@[]+=&;{}!$* ", min_size=1, max_size=60).filter(lambda name: name == name.strip())


@given(NAMES, st.from_regex(r"i-[0-9a-f]{8,17}", fullmatch=True))
def test_a_label_reads_back_as_it_is_written(group: str, instance: str) -> None:
    label = Label("demo", RosterKey(Region("us-east-1"), group), instance)
    assert Label.parse(str(label)) == label
    assert is_describable(str(label))


@given(st.text())
def test_no_description_by_hand_can_crash_the_label(text: str) -> None:
    label = Label.parse(text)
    assert label is None or text.startswith("ringfence ")
