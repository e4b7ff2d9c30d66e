"""All that is known of one instance of a group: its roster, its group's listing, EC2's description, its latest event.

Pure. Draws no conclusion about membership: `verdict` does.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from ringfence.core.events import LifecycleEvent, Place, Terminating
from ringfence.core.freshness import STALE_SECONDS, is_fresh, is_future, latest_of_each
from ringfence.core.lifecycle import INTO_THE_POOL, Phase
from ringfence.core.model.addresses import Cidr
from ringfence.core.model.identifiers import InstanceId
from ringfence.core.model.rosters import Member, Roster
from ringfence.core.observation import Instance, Observation, Power


@dataclass(frozen=True, slots=True)
class Evidence:
    """All that is known of one instance of a group.

    `departed_at` is its tombstone, in epoch seconds. `absent` says that EC2 does not know the instance, which is more
    than not being described. `cannot_be_described` says that EC2 was asked for it and did not answer, so that EC2 may
    know it. `others` are the instances that EC2 describes and that have not departed.
    """

    group: str
    member: Member | None
    departed_at: int | None
    event: LifecycleEvent | None
    listed: Phase | None
    described: Instance | None
    absent: bool
    waits_on_its_way_into_the_pool: bool
    others: Iterable[Instance]
    cannot_be_described: bool = False

    @property
    def is_known(self) -> bool:
        """Whether the roster or the group knows the instance."""
        return self.member is not None or self.departed_at is not None or self.listed is not None

    @property
    def may_come_from_the_group(self) -> bool:
        """Whether an instance that is warm may have left the group just now: its event says so, or the event of its way
        into the pool was lost."""
        if self.event is None:
            return self.waits_on_its_way_into_the_pool
        return isinstance(self.event, Terminating) and self.event.origin is Place.GROUP and self.event.leads_out

    @property
    def has_tag(self) -> bool:
        """Whether EC2 shows the tag of the instance's group. AWS reserves the tag, and no caller can set it."""
        return self.described is not None and self.described.group == self.group

    @property
    def has_other_tag(self) -> bool:
        """Whether EC2 shows the instance without the tag of the group."""
        return self.described is not None and self.described.group != self.group

    def shows(self, address: Cidr) -> bool:
        """Whether EC2 shows the address on an instance that may have it now."""
        return any(address in addresses for other in self.others for addresses in other.addresses.values())

    @property
    def runs(self) -> bool:
        """Whether EC2 shows the instance as running, or on its way there."""
        return self.described is not None and self.described.power in (Power.PENDING, Power.RUNNING)


def evidence_of(
    before: Roster, observation: Observation, events: Iterable[LifecycleEvent], now: int
) -> Mapping[InstanceId, Evidence]:
    """What is known of every instance that the roster, the group's listing or an event names, sorted by id."""
    group = before.key.asg
    others = _still_there(before, observation)
    latest = {event.instance: event for event in latest_of_each(events, now) if event.group == group}
    fresh = {id: event for id, event in latest.items() if is_fresh(event, now)}
    return {
        id: Evidence(
            group=group,
            member=before.members.get(id),
            departed_at=_believable(before.departed.get(id), now),
            event=fresh.get(id),
            listed=observation.phase(group, id),
            described=observation.instances.get(id),
            absent=id in observation.absent,
            waits_on_its_way_into_the_pool=observation.groups[group].get(id) == INTO_THE_POOL,
            others=others,
            cannot_be_described=id in observation.undescribed,
        )
        for id in sorted({*before.members, *observation.groups[group], *latest})
    }


def _still_there(before: Roster, observation: Observation) -> list[Instance]:
    """The described instances without the departed ones: a description may be older than a departure, and AWS gives the
    address of an instance that ended to another."""
    return [instance for id, instance in observation.instances.items() if id not in before.departed]


def _believable(departed_at: int | None, now: int) -> int | None:
    """A tombstone from the future is not believed."""
    return None if departed_at is None or is_future(departed_at, now) else departed_at


def is_new(member: Member | None, now: int) -> bool:
    """Whether the instance has had its state for so short a time that AWS's answers may be older."""
    return member is not None and now - member.since < STALE_SECONDS


def event_time(event: LifecycleEvent | None, now: int) -> int:
    return min(now, event.time) if event is not None and event.time is not None else now
