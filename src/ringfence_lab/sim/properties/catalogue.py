"""Lists the properties of a change: which checks run on which kind of change, in their order.

More properties are checked when an invocation ends (`launches_are_answered_without_the_table`,
`zone_outages_stop_nothing_else`, `new_events_outlive_a_denial`, `strangers_are_not_admitted`,
`unknown_owners_are_reported`, `ended_instances_have_no_door`, `open_doors_at_home_are_counted`,
`paused_regions_hold_no_instance`), and after healing
(`convergence`, `siege`).
"""

from collections.abc import Callable, Iterator, Mapping

from ringfence_lab.sim.aws.history import ActionCompleted, CloudChange, LabelChanged, RowWritten, RuleMade, RuleRevoked
from ringfence_lab.sim.properties.admissions import only_managed_ports_are_opened, only_members_are_admitted
from ringfence_lab.sim.properties.context import CheckContext
from ringfence_lab.sim.properties.departures import (
    departed_instances_stay_out,
    new_rules_get_a_second_look,
    terminations_are_released_first,
)
from ringfence_lab.sim.properties.deployments import launches_wait_for_new_peers
from ringfence_lab.sim.properties.foreign_rules import foreign_rules_keep_their_descriptions, foreign_rules_stay
from ringfence_lab.sim.properties.launches import (
    launches_are_abandoned_only_without_room,
    launches_are_admitted_first,
    launches_need_an_own_security_group,
)
from ringfence_lab.sim.properties.members import (
    members_in_service_stay_admitted,
    rules_are_added_before_others_are_removed,
    unknown_instances_get_a_second_look,
)
from ringfence_lab.sim.properties.pauses import paused_regions_stay_as_they_are
from ringfence_lab.sim.properties.peers import peer_deadlines_are_kept
from ringfence_lab.sim.properties.quotas import quotas_hold
from ringfence_lab.sim.properties.rows import (
    rows_are_written_by_their_home,
    tombstones_name_instances_of_their_group,
    versions_only_grow,
)

PropertyCheck = Callable[[CheckContext, CloudChange], Iterator[str]]
"""Yields what is wrong with a change. Its name is the name of the property."""

CHECKS: Mapping[type[CloudChange], tuple[PropertyCheck, ...]] = {
    RuleMade: (
        only_members_are_admitted,
        only_managed_ports_are_opened,
        quotas_hold,
        rules_are_added_before_others_are_removed,
        peer_deadlines_are_kept,
        departed_instances_stay_out,
        paused_regions_stay_as_they_are,
    ),
    RuleRevoked: (
        foreign_rules_stay,
        members_in_service_stay_admitted,
        unknown_instances_get_a_second_look,
        paused_regions_stay_as_they_are,
    ),
    LabelChanged: (
        foreign_rules_keep_their_descriptions,
        only_members_are_admitted,
        paused_regions_stay_as_they_are,
    ),
    ActionCompleted: (
        launches_are_admitted_first,
        launches_wait_for_new_peers,
        launches_need_an_own_security_group,
        launches_are_abandoned_only_without_room,
        terminations_are_released_first,
        new_rules_get_a_second_look,
        peer_deadlines_are_kept,
    ),
    RowWritten: (versions_only_grow, rows_are_written_by_their_home, tombstones_name_instances_of_their_group),
}
