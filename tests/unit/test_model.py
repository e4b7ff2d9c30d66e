"""Addresses, ports and labels: written values read back, and hostile values are refused."""

import ipaddress
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ringfence.core.model.addresses import Cidr, host, is_host, is_ipv6, is_static_member, network, static_member
from ringfence.core.model.identifiers import ANNOUNCEMENT, STATIC, Region, RosterKey, SecurityGroupId
from ringfence.core.model.ports import PortRange, Ports
from ringfence.core.model.rosters import BadRow, RawVersion, Roster, Rows
from ringfence.core.model.rules import DESCRIPTION_LIMIT, Label, is_describable
from tests.unit.builders import CLUSTER, DB, EAST, GROUP, I1, TCP, WEST, WEST_DB, address, label, roster, rows, rule

# Hosts and networks.


@pytest.mark.parametrize(
    ("written", "canonical"),
    [
        ("198.18.0.1", "198.18.0.1/32"),
        ("198.18.0.1/32", "198.18.0.1/32"),
        ("10.1.2.3", "10.1.2.3/32"),
        ("2001:DB8:0::1", "2001:db8::1/128"),
        ("2001:db8::1/128", "2001:db8::1/128"),
    ],
)
def test_a_host_has_one_canonical_form(written: str, canonical: str) -> None:
    assert host(written) == canonical


@pytest.mark.parametrize(
    "hostile",
    [
        "0.0.0.0/0",
        "::/0",
        "0.0.0.0",  # noqa: S104  # no socket is bound to it
        "::",
        "10.0.0.0/8",
        "10.0.0.1/24",
        "198.18.0.0/31",
        "2001:db8::/64",
        "224.0.0.1",
        "ff02::1",
        "127.0.0.1",
        "::1",
        "169.254.169.254",
        "fe80::1",
        "255.255.255.255",
        "240.0.0.1",
        "::ffff:198.18.0.1",
        "198.18.0.1/33",
        "198.18.0",
        "198.18.0.01",
        "198.18.0.1 ",
        "198.18.0.1/32,0.0.0.0/0",
        "sg-1",
        "pl-1",
        "",
        "2001:db8::1%eth0",
        "0.1.2.3",
    ],
)
def test_text_that_is_no_single_unicast_host_is_refused(hostile: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        host(hostile)


DEPRECATED = ipaddress.ip_network("fec0::/10")
"""Site-local addresses. Source: RFC 3879."""


@given(st.ip_addresses())
def test_an_address_is_a_host_or_is_refused(ip: ipaddress.IPv4Address | ipaddress.IPv6Address) -> None:
    try:
        cidr = host(str(ip))
    except ValueError:
        assert not ip.is_global or ip.is_reserved or ip.is_multicast or ip in DEPRECATED
        return
    assert ipaddress.ip_network(cidr) == ipaddress.ip_network(ip)
    assert host(cidr) == cidr
    assert is_ipv6(cidr) is (ip.version == 6)


@given(st.text(max_size=40))
def test_any_text_is_a_single_host_or_is_refused(text: str) -> None:
    try:
        cidr = host(text)
    except ValueError:
        return
    assert ipaddress.ip_network(cidr).num_addresses == 1


def test_a_static_member_may_be_a_network() -> None:
    assert network("203.0.113.0/24") == "203.0.113.0/24"
    assert network("2001:DB8::/32") == "2001:db8::/32"
    assert network("203.0.113.7") == "203.0.113.7/32"


@pytest.mark.parametrize("hostile", ["0.0.0.0/0", "::/0", "203.0.113.7/24", "203.0.113.0/99", "all", ""])
def test_a_static_member_that_is_no_exact_network_is_refused(hostile: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        network(hostile)


@pytest.mark.parametrize(
    "cidr", ["10.0.0.0/8", "203.0.113.0/24", "203.0.113.7/32", "223.255.255.255/32", "2001::/16", "2001:db8::1/128"]
)
def test_a_static_member_is_a_unicast_host_or_network_within_its_bounds(cidr: str) -> None:
    assert static_member(cidr) == cidr
    assert is_static_member(Cidr(cidr))


@pytest.mark.parametrize(
    "cidr",
    [
        "0.0.0.0/0",
        "0.0.0.0/1",
        "128.0.0.0/1",
        "10.0.0.0/7",
        "0.0.0.0/8",
        "127.0.0.0/8",
        "169.254.0.0/16",
        "169.254.169.254/32",
        "224.0.0.0/4",
        "224.0.0.1/32",
        "240.0.0.0/8",
        "255.255.255.255/32",
        "::/0",
        "2000::/3",
        "2000::/15",
        "::/16",
        "::1/128",
        "169.0.0.0/8",
        "169.128.0.0/9",
        "169.254.128.0/17",
        "fe80::/16",
        "fe80::1/128",
        "fec0::/16",
        "::8.8.8.8/128",
        "::ffff:0:0/96",
        "::ffff:8.0.0.0/104",
        "::ffff:8.8.8.8/128",
        "::ffff:0:8.8.8.8/128",
        "64:ff9b::/96",
        "100::/64",
        "4000::/16",
        "2002::/16",
        "2002:a900::/24",
        "2002:a9fe:a9fe::/48",
        "2002:7f00:1::1/128",
        "2002:e000::/20",
        "2001:db8::1%eth0/128",
        "2001:db8::%eth0/64",
        "ff00::/16",
        "203.0.113.7/24",
        "office",
        "",
    ],
)
def test_any_other_network_is_no_static_member(cidr: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        static_member(cidr)
    assert not is_static_member(Cidr(cidr))


@pytest.mark.parametrize(
    ("cidr", "why"),
    [
        ("169.0.0.0/8", "169.0.0.0/8 contains addresses of 169.254.0.0/16 (link-local)"),
        ("169.254.169.254/32", "169.254.169.254/32 contains addresses of 169.254.0.0/16 (link-local)"),
        ("::ffff:8.8.8.8/128", "contains addresses outside of 2000::/3 (global unicast) and fc00::/7 (unique local)"),
        ("2002:7f00::/24", "2002:7f00::/24 stands for 127.0.0.0/8: it contains addresses of 127.0.0.0/8 (loopback)"),
        ("2002::/16", "2002::/16 stands for 0.0.0.0/0, which is larger than /8"),
        ("2001:db8::%eth0/64", "names an interface"),
    ],
)
def test_what_is_wrong_with_a_static_member_is_said(cidr: str, why: str) -> None:
    with pytest.raises(ValueError, match=re.escape(why)):
        static_member(cidr)


@given(st.ip_addresses(), st.integers(0, 128))
def test_a_static_member_has_only_addresses_that_are_hosts(
    ip: ipaddress.IPv4Address | ipaddress.IPv6Address, prefix: int
) -> None:
    parsed = ipaddress.ip_network((ip, min(prefix, ip.max_prefixlen)), strict=False)
    if is_static_member(Cidr(str(parsed))):
        assert parsed.prefixlen >= {4: 8, 6: 16}[ip.version]
        for address in (parsed[0], parsed[-1], ip):
            assert is_host(Cidr(f"{address}/{ip.max_prefixlen}"))


@pytest.mark.parametrize("inside", ["0.0.0.0/8", "127.0.0.0/8", "169.254.0.0/16", "224.0.0.0/4", "240.0.0.0/4"])
@given(prefix=st.integers(0, 32))
def test_no_network_that_contains_addresses_of_no_host_is_a_static_member(inside: str, prefix: int) -> None:
    special = ipaddress.IPv4Network(inside)
    around = ipaddress.ip_network((special[0], prefix), strict=False)
    assert not is_static_member(Cidr(str(around)))
    embedded = int(ipaddress.IPv6Address("2002::")) + (int(around[0]) << 80)
    assert not is_static_member(Cidr(str(ipaddress.IPv6Network((embedded, 16 + prefix)))))


# Ports.


@pytest.mark.parametrize(
    ("text", "ports"),
    [
        ("tcp/9042", (TCP,)),
        (" TCP/9042 ", (TCP,)),
        ("udp/0-65535", (PortRange("udp", 0, 65535),)),
        ("tcp/9042,tcp/7000-7001,tcp/9042", (PortRange("tcp", 7000, 7001), TCP)),
        (" Auto ", ()),
    ],
)
def test_ports_are_read_in_order_without_duplicates(text: str, ports: tuple[PortRange, ...]) -> None:
    assert Ports.parse(text).explicit == ports


@pytest.mark.parametrize(
    "text",
    [
        "",
        "80",
        "tcp",
        "tcp/",
        "tcp/x",
        "tcp/65536",
        "tcp/9-8",
        "tcp/-1",
        "icmp/8",
        "-1",
        "tcp/1-2-3",
        "tcp/1,",
        "auto,tcp/1",
    ],
)
def test_text_that_is_no_port_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(ValueError, match=r"is not a port"):
        Ports.parse(text)


numbers = st.integers(0, 65535)
port_ranges = st.builds(
    lambda protocol, a, b: PortRange(protocol, min(a, b), max(a, b)), st.sampled_from(["tcp", "udp"]), numbers, numbers
)


@given(st.lists(port_ranges, max_size=5))
def test_written_ports_read_back(ranges: list[PortRange]) -> None:
    ports = Ports(tuple(sorted(set(ranges))))
    assert Ports.parse(str(ports)) == ports


def test_all_protocols_are_written_as_all() -> None:
    assert str(PortRange("-1", -1, -1)) == "all"
    assert str(PortRange("tcp", 7000, 7001)) == "tcp/7000-7001"


@pytest.mark.parametrize(
    ("protocol", "ipv4", "ipv6"),
    [("tcp", True, True), ("-1", True, True), ("icmp", True, False), ("icmpv6", False, True)],
)
def test_each_address_family_has_its_own_icmp(protocol: str, ipv4: bool, ipv6: bool) -> None:
    ports = PortRange(protocol, -1, -1)
    assert ports.suits(address(1)) is ipv4
    assert ports.suits(Cidr("2001:db8::1/128")) is ipv6


# Labels.

labels = st.builds(
    lambda cluster, region, group, instance: Label(cluster, RosterKey(Region(region), group), instance),
    st.from_regex(r"[a-z][a-z0-9-]{0,31}", fullmatch=True),
    st.sampled_from(["us-east-1", "ap-southeast-2", "us-gov-west-1"]),
    st.text("abcXYZ019._-:/()#,@[]+=&;{}!$* ", min_size=1, max_size=60),
    st.from_regex(r"i-[0-9a-f]{8,17}", fullmatch=True),
)


@given(labels)
def test_a_written_label_reads_back(written: Label) -> None:
    assert Label.parse(str(written)) == written
    assert is_describable(str(written))
    assert len(str(written)) <= DESCRIPTION_LIMIT


def test_the_written_label_of_a_static_member_reads_back() -> None:
    written = Label(CLUSTER, RosterKey(EAST, STATIC), "static")
    assert Label.parse(str(written)) == written
    assert is_describable(str(written))


@pytest.mark.parametrize(
    "description",
    [
        "",
        "office",
        "ringfence",
        "ringfence demo",
        "ringfence demo us-east-1/db",
        "ringfence demo us-east-1 db i-1",
        "Ringfence demo us-east-1/db i-1",
        " ringfence demo us-east-1/db i-1",
        "ringfence demo us-east-1/db i-1\n",
        "see ringfence demo us-east-1/db i-1",
    ],
)
def test_a_description_that_is_not_exactly_a_label_is_foreign(description: str) -> None:
    assert Label.parse(description) is None


@given(st.text(max_size=80) | st.text(max_size=40).map(lambda text: f"ringfence demo us-east-1/{text}"))
def test_any_description_is_an_exact_label_or_foreign(text: str) -> None:
    parsed = Label.parse(text)
    assert parsed is None or str(parsed) == text


def test_a_rule_is_owned_only_by_the_cluster_in_its_label() -> None:
    mine, other = label(), label(cluster="demo-2")
    assert rule("sgr-1", address(1), mine).label(CLUSTER) == mine
    assert rule("sgr-2", address(1), other).label(CLUSTER) is None
    assert rule("sgr-3", address(1)).label(CLUSTER) is None


def test_a_rule_whose_source_is_a_group_is_foreign_despite_a_label() -> None:
    assert rule("sgr-1", None, label(), source_group=SecurityGroupId("sg-2")).label(CLUSTER) is None


@pytest.mark.parametrize("text", ["grüße", "a\tb", "a\nb", 'a"b', "a'b", "a\\b", "a<b", "a|b", "a?b"])
def test_text_that_ec2_refuses_in_a_description_is_not_describable(text: str) -> None:
    # EC2 API reference, `IpRange`.
    assert not is_describable(text)


# Rosters and rows.


def test_a_roster_says_the_same_as_another_version_of_it() -> None:
    earlier = roster({I1: address(1)}, version=1, updated_at=1)
    assert earlier.says_the_same_as(roster({I1: address(1)}, version=9, updated_at=9))


@pytest.mark.parametrize(
    "other",
    [
        roster({I1: address(2)}),
        roster({}),
        roster({I1: address(1)}, {I1: 5}),
        roster({I1: address(1)}, pending_releases={WEST: frozenset({I1})}),
        roster({I1: address(1)}, security_groups=(GROUP,)),
        roster({I1: address(1)}, ports=Ports((TCP,))),
        roster({I1: address(1)}, account="1"),
        roster({I1: address(1)}, engine="9.9.9"),
    ],
)
def test_a_roster_with_another_value_in_any_field_does_not_say_the_same(other: Roster) -> None:
    assert not roster({I1: address(1)}).says_the_same_as(other)


def test_the_versions_of_rows_include_those_of_bad_rows() -> None:
    table = Rows({DB: roster(version=7)}, {WEST_DB: BadRow("why", 3)})
    assert table.versions() == {DB: 7, WEST_DB: 3}
    assert table.of(EAST) == {DB: roster(version=7)}
    assert table.of(WEST) == {}


def test_a_region_announces_its_groups_and_without_an_announcement_every_roster_counts() -> None:
    key, cache = RosterKey(WEST, ANNOUNCEMENT), RosterKey(WEST, "cache")
    announced = rows(roster(key=key, groups=frozenset({"db"})), roster(key=cache))
    assert announced.announcement(WEST) == announced.rosters[key]
    assert (announced.is_announced(WEST_DB), announced.is_announced(cache)) == (True, False)
    assert announced.is_announced(DB)
    assert rows(roster(key=cache)).is_announced(cache)


def test_only_a_bad_announcement_makes_a_region_doubtful() -> None:
    bad = BadRow("why")
    assert Rows(bad={RosterKey(WEST, ANNOUNCEMENT): bad}).is_doubtful(WEST)
    assert not Rows(bad={RosterKey(WEST, ANNOUNCEMENT): bad}).is_doubtful(EAST)
    assert not Rows(bad={WEST_DB: bad}).is_doubtful(WEST)


def test_a_row_is_replaced_by_the_version_that_was_read_raw_or_not() -> None:
    raw = RawVersion({"N": "1e125"})
    bad = {DB: BadRow("why", 0, raw), WEST_DB: BadRow("why", 9)}
    table = rows(roster(key=RosterKey(EAST, "cache"), version=3), bad=bad)
    assert [table.version_read(key) for key in (DB, WEST_DB, RosterKey(EAST, "cache"))] == [raw, 9, 3]
    assert table.version_read(RosterKey(EAST, "none")) == 0
    assert table.versions() == {DB: 0, WEST_DB: 9, RosterKey(EAST, "cache"): 3}
