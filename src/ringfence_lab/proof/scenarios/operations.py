"""Scenarios of operators: rules changed by hand, changed configurations, and lost or restored tables."""

from ringfence.core.model.identifiers import Region
from ringfence_lab.proof.harness import EAST, TRUE_UP, WEST, Harness
from ringfence_lab.proof.scenarios.capacity import launch, termination


def operator_deletes_rules(harness: Harness) -> None:
    """Owned rules are deleted by hand in both Regions, and a foreign rule is added."""
    for region in harness.cloud.regions.values():
        for rule in region.owned_rules()[:2]:
            region.security_group.revoke_by_hand(rule.id)
        region.security_group.allow("203.0.113.9/32", "tcp/9042")
    for name in harness.cloud.regions:
        harness.invoke((name, TRUE_UP))


def mass_removal(harness: Harness) -> None:
    """A large group is removed from the configuration: the guard requires a second observation before the removals."""
    harness.region(EAST).auto_scaling_group("batch", desired=12)
    harness.settings[Region(EAST)] = harness.cloud.settings(EAST)
    harness.invoke((EAST, TRUE_UP))
    harness.invoke((WEST, TRUE_UP))
    del harness.region(EAST).groups["batch"]
    harness.settings[Region(EAST)] = harness.cloud.settings(EAST)
    harness.invoke((EAST, TRUE_UP))
    harness.invoke((EAST, TRUE_UP))


def region_leaves(harness: Harness) -> None:
    """The last Region's stack is deleted, and the other Regions are configured without it."""
    leaving = list(harness.cloud.regions)[-1]
    del harness.cloud.regions[leaving], harness.settings[leaving]
    harness.configure(regions=tuple(harness.cloud.regions))
    for name in harness.cloud.regions:
        harness.invoke((name, TRUE_UP))


def table_recreated(harness: Harness) -> None:
    """The home table is lost and deployed again, empty; then an instance launches."""
    harness.cloud.clock.advance(30.0)  # a stack's deployment takes longer
    harness.region(EAST).table.recreate()
    harness.invoke((EAST, TRUE_UP))
    launch(harness)


def table_recreated_in_scale_in(harness: Harness) -> None:
    """The home table is lost and deployed again, empty; then an instance terminates."""
    harness.cloud.clock.advance(30.0)  # a stack's deployment takes longer
    harness.region(EAST).table.recreate()
    harness.invoke((EAST, TRUE_UP))
    termination(harness)


def table_lost_with_its_group(harness: Harness) -> None:
    """The group is deleted by force and the home table is lost: only the peer knows the members that were."""
    harness.cloud.clock.advance(30.0)
    harness.region(EAST).force_delete_group(harness.group(EAST).name)
    harness.region(EAST).table.recreate()
    for _ in range(2):
        harness.invoke((EAST, TRUE_UP))
        harness.cloud.clock.advance(61.0)


def table_restored(harness: Harness) -> None:
    """The home table is restored from a backup that is older than the rows of the peer."""
    table = harness.region(EAST).table
    backup = dict(table.rosters)
    for _ in range(2):
        launch(harness)
        termination(harness)
    table.rosters.clear()
    table.rosters.update(backup)
    launch(harness)
    harness.invoke((EAST, TRUE_UP))


def termination_without_ports(harness: Harness) -> None:
    """An instance terminates while its own security group admits itself on no port."""
    region = harness.region(EAST)
    region.take_self_rules_away()
    termination(harness)
    region.give_self_rules_back()


def new_peer(harness: Harness) -> None:
    """A launch and a termination before a peer has announced itself, of which the home table knows nothing either."""
    harness.cloud.clock.advance(30.0)  # a stack's deployment takes longer
    for region in (EAST, WEST):
        harness.region(region).table.recreate()
    launch(harness)
    termination(harness)
    harness.cloud.clock.advance(20)
    harness.invoke((WEST, TRUE_UP))
    harness.invoke((EAST, TRUE_UP))
    harness.cloud.clock.advance(61)  # no row said for how long it had been a member
    harness.invoke((EAST, TRUE_UP))
