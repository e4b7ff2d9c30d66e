"""What happens to a cluster, as short scenarios that always run in the same way.

A scenario says what operators, Auto Scaling and failures do, and when the functions run. It must not know what is
proved with it: any call may be the last one of its process, and then the scenario simply continues.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from ringfence_lab.proof.harness import Harness
from ringfence_lab.proof.scenarios import capacity, failures, forgeries, operations, readings


@dataclass(frozen=True, slots=True)
class Scenario:
    """A scenario with the size of its cluster: `desired` is the capacity of each group at first. `answered`: if no
    process is killed, no instance waits for a hook at the end."""

    name: str
    play: Callable[[Harness], None]
    regions: int = 2
    desired: int = 2
    answered: bool = False


SCENARIOS = (
    Scenario("launch, two Regions", capacity.launch, answered=True),
    Scenario("launch, three Regions", capacity.launch, regions=3, answered=True),
    Scenario("termination, two Regions", capacity.termination, answered=True),
    Scenario("termination, three Regions", capacity.termination, regions=3, answered=True),
    Scenario("burst of eight launches", capacity.burst, answered=True),
    Scenario("mixed batch", capacity.mixed_batch),
    Scenario("instance refresh", capacity.instance_refresh),
    Scenario("peer down, then back", failures.peer_down),
    Scenario("stale door, then released", failures.stale_door),
    Scenario("home table down", failures.home_table_down),
    Scenario("home table down, then a stale listing", failures.stale_listing_after_an_outage),
    Scenario("quota full, launch abandoned", capacity.quota_full),
    Scenario("room for one of two", capacity.room_for_one_of_two),
    Scenario("replacement in full groups", capacity.replacement_in_full_groups),
    Scenario("root volumes replaced", capacity.root_volumes_replaced, answered=True),
    Scenario("terminated before its root volume is replaced", capacity.terminated_at_its_root_volume),
    Scenario("warm pool in and out", capacity.warm_pool, answered=True),
    Scenario("back into the warm pool and out again", capacity.back_into_the_pool_and_out, answered=True),
    Scenario("lost events of a warm pool", capacity.lost_events_of_a_warm_pool, answered=True),
    Scenario("late answer, warm pool", failures.late_answer),
    Scenario("late event, warm pool", failures.late_event),
    Scenario("stale listing after a termination", failures.stale_listing),
    Scenario("stale listing after a termination and a launch", failures.stale_listing_after_a_launch),
    Scenario("stale listing of the warm pool", failures.stale_listing_of_the_warm_pool),
    Scenario("description from before the address", failures.description_before_the_address),
    Scenario("launch, its rule shown late", readings.launch_shown_late, answered=True),
    Scenario("back out of the warm pool, the first rule shown late", readings.return_shown_late),
    Scenario("termination right after the launch", readings.new_instance_terminates, answered=True),
    Scenario("revokes throttled", failures.revokes_throttled),
    Scenario("describes throttled for minutes", failures.describes_throttled),
    Scenario("outage of a zone for minutes", failures.zone_outage, answered=True),
    Scenario("operator deletes rules", operations.operator_deletes_rules),
    Scenario("lost events, found by schedule", failures.lost_events),
    Scenario("Elastic IP moves", capacity.elastic_ip),
    Scenario("instance lost", capacity.lost_instance),
    Scenario("instance with seventy addresses", capacity.many_addresses),
    Scenario("detach, attach, standby", capacity.detach_and_attach),
    Scenario("mass removal, held by the guard", operations.mass_removal),
    Scenario("Region leaves", operations.region_leaves, regions=3),
    Scenario("home table recreated, launch", operations.table_recreated),
    Scenario("home table recreated, termination", operations.table_recreated_in_scale_in),
    Scenario("home table recreated, group deleted", operations.table_lost_with_its_group),
    Scenario("termination, no port to manage", operations.termination_without_ports, answered=True),
    Scenario("peer that is being deployed", operations.new_peer, answered=True),
    Scenario("home table restored from a backup", operations.table_restored, answered=True),
    Scenario("announcement with an unreadable version", forgeries.unreadable_announcement),
    Scenario("announcement without a version", forgeries.announcement_without_version),
    Scenario("tombstones in the future", forgeries.tombstones_in_the_future),
    Scenario("uncertain claim to an address", forgeries.uncertain_claim),
    Scenario("forged event of the warm pool", forgeries.event_of_the_warm_pool),
    Scenario("forged token", forgeries.token_of_no_wait, answered=True),
    Scenario("overlapping invocations", capacity.overlapping_invocations),
    Scenario("two Regions concurrently", capacity.all_regions_concurrently),
    Scenario("three Regions concurrently", capacity.all_regions_concurrently, regions=3),
)
BY_NAME: Mapping[str, Scenario] = {scenario.name: scenario for scenario in SCENARIOS}
