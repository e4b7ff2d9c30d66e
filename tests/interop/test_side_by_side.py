"""A simulated cluster is upgraded from 0.1.0 and back, Region after Region, with traffic in every step."""

from dataclasses import replace
from itertools import permutations

import pytest

from ringfence.core.configuration.settings import Mode
from ringfence.core.model.addresses import AddressKind
from ringfence.core.model.identifiers import Region
from ringfence.core.model.pauses import Pause
from ringfence.core.model.ports import Ports
from ringfence_lab.sim.aws.history import RuleRevoked
from tests.interop.fleet import Fleet, Version, fleet

EAST, WEST, SOUTH = "us-east-1", "us-west-2", "ap-southeast-2"
NEW, OLD = Version.NEW, Version.OLD

ORDERS = list(permutations((EAST, WEST)))


def started(versions: dict[str, Version], **shape: object) -> Fleet:
    """A cluster that has converged."""
    cluster = fleet(versions, **shape)  # type: ignore[arg-type]  # a test names the settings
    cluster.converge()
    return cluster


@pytest.mark.parametrize("old", [EAST, WEST])
def test_a_region_on_the_old_version_and_one_on_the_new_serve_traffic_of_both(old: str) -> None:
    cluster = started({region: OLD if region == old else NEW for region in (EAST, WEST)})

    for _ in range(3):
        cluster.traffic()
        cluster.converge()


@pytest.mark.parametrize("back", ORDERS, ids=" then ".join)
@pytest.mark.parametrize("there", ORDERS, ids=" then ".join)
def test_a_cluster_is_upgraded_and_downgraded_in_any_order(there: tuple[str, str], back: tuple[str, str]) -> None:
    cluster = started({EAST: OLD, WEST: OLD})

    for order, version in ((there, NEW), (back, OLD), (there, NEW)):
        for region in order:
            cluster.traffic()
            cluster.deploy(Region(region), version)
            cluster.traffic()
            cluster.converge()


@pytest.mark.parametrize(
    "shape",
    [
        {"mode": Mode.MIRROR},
        {"ports": "tcp/7000-7001,tcp/9042", "groups": 2},
        {"address_kinds": frozenset({AddressKind.PUBLIC_IPV4, AddressKind.IPV6})},
    ],
    ids=",".join,
)
def test_the_settings_of_the_old_version_keep_their_meaning(shape: dict[str, object]) -> None:
    cluster = started({EAST: OLD, WEST: OLD}, **shape)

    for region, version in ((EAST, NEW), (WEST, NEW), (EAST, OLD), (WEST, OLD)):
        cluster.deploy(Region(region), version)
        cluster.traffic()
        cluster.converge()


def test_static_members_stay_admitted() -> None:
    networks = ("192.0.2.0/24", "2001:db8:1::/64")
    cluster = fleet({EAST: OLD, WEST: OLD}, static_members=networks)
    for name in (WEST, EAST):
        cluster.true_up(Region(name))

    for region, version in ((EAST, NEW), (WEST, NEW), (EAST, OLD), (WEST, OLD)):
        cluster.deploy(Region(region), version)
        cluster.traffic()
        cluster.check()

    removed = [change.rule for change in cluster.cloud.history if isinstance(change, RuleRevoked)]
    assert not [rule for rule in removed if "(static)" in rule.description]
    assert all(set(networks) < region.admitted() for region in cluster.cloud.regions.values())


def test_three_regions_are_upgraded_one_after_the_other() -> None:
    cluster = started({EAST: OLD, WEST: OLD, SOUTH: OLD})

    for region in (WEST, SOUTH, EAST):
        cluster.deploy(Region(region), NEW)
        cluster.traffic()
        cluster.converge()


def test_a_new_region_joins_a_cluster_of_the_old_version() -> None:
    cluster = fleet({EAST: OLD, WEST: NEW})
    cluster.cloud.region(WEST).table.exists = False
    for _ in range(2):
        cluster.true_up(Region(EAST))

    cluster.cloud.region(WEST).table.exists = True

    cluster.converge()
    cluster.traffic()
    cluster.converge()


@pytest.mark.parametrize("old", [EAST, WEST])
def test_ports_are_changed_region_by_region(old: str) -> None:
    cluster = started({region: OLD if region == old else NEW for region in (EAST, WEST)})

    for region in (EAST, WEST):
        settings = cluster.settings[Region(region)]
        cluster.settings[Region(region)] = replace(settings, ports=Ports.parse("tcp/9042,tcp/7000"))
        cluster.true_up(Region(region))
    cluster.true_up(Region(EAST))
    cluster.check()

    for cloud_region in cluster.cloud.regions.values():
        assert {str(rule.ports) for rule in cloud_region.owned_rules()} == {"tcp/9042", "tcp/7000"}


@pytest.mark.parametrize("old", [EAST, WEST])
def test_the_old_version_reads_over_a_pause_and_leaves_a_peer_alone_that_announced_it(old: str) -> None:
    # given a Region with the present version that is paused, in every table
    paused = EAST if old == WEST else WEST
    cluster = started({region: OLD if region == old else NEW for region in (EAST, WEST)})
    since = int(cluster.cloud.clock.now())
    for table in (EAST, WEST):
        cluster.cloud.region(table).table.pause(Pause(Region(paused), "arn", since=since))
    cluster.true_up(Region(paused))
    before = cluster.cloud.region(paused).admitted()

    # when the other Region launches
    group = next(iter(cluster.cloud.region(old).groups.values()))
    group.scale_to(group.desired + 1)
    cluster.serve(Region(old))
    cluster.true_up(Region(old))

    # then
    assert cluster.cloud.region(paused).admitted() == before
    assert all(f"in {paused} does not admit it" in what for what in cluster.wrong)  # a pause is meant to do that
    cluster.wrong.clear()
    for table in (EAST, WEST):
        cluster.cloud.region(table).table.pause(Pause(Region(paused), "arn", since=since, is_over=True))
    cluster.converge()
    assert cluster.cloud.region(paused).admitted() != before
