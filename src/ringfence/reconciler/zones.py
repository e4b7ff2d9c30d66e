"""Describes instances, and does so zone by zone where a call for the whole Region fails.

While an Availability Zone fails, EC2 refuses every describe call that names an instance of that zone, or no instance
at all. A call that names only instances of other zones works. The Auto Scaling groups list the zone of each instance.

Calls interfaces. Decides nothing about instances that were not described.

Source: EC2 API Reference, DescribeInstances. It does not say with which error such a call fails, so any error counts,
except one of throttling.
"""

from collections.abc import Callable, Iterable, Mapping, Set
from dataclasses import dataclass
from functools import partial

from ringfence.core.audit_events import ZoneNotDescribed
from ringfence.core.errors import RingfenceError, Throttled
from ringfence.core.model.identifiers import InstanceId, Region
from ringfence.core.observation import UNKNOWN_ZONE, Described, Instance, Listing
from ringfence.reconciler.interfaces import Instances, Tasks, run_concurrently


@dataclass(frozen=True, slots=True)
class Description:
    """Instances as EC2 described them, the ids that it does not know, and the zones that it did not describe.

    What EC2 did not describe is not absent.
    """

    instances: Mapping[InstanceId, Instance]
    absent: frozenset[InstanceId] = frozenset()
    failures: tuple[ZoneNotDescribed, ...] = ()

    @property
    def undescribed(self) -> dict[InstanceId, str]:
        """The zone of each instance for which EC2 did not answer."""
        return {id: failure.zone for failure in self.failures for id in failure.instances}


@dataclass(frozen=True, slots=True)
class Describer:
    """Describes instances of the home Region, whose name is `region`."""

    region: Region
    instances: Instances
    tasks: Tasks

    def describe(self, look: Callable[[], Described], relevant: Set[InstanceId], listing: Listing) -> Description:
        """What `look` sees of the whole Region, or the relevant instances zone by zone if it fails.

        Raises the error of `look` if EC2 does not answer for a single zone of them.
        """
        try:
            return _answered(look())
        except Throttled:
            raise
        except RingfenceError:
            seen = self.by_zone(relevant, listing)
            if relevant and relevant <= seen.undescribed.keys():
                raise
            return seen

    def tagged_and(self, relevant: Set[InstanceId], tagged: Callable[[], Mapping[InstanceId, Instance]]) -> Described:
        """The instances that carry a group's tag, which `tagged` returns, and all that are relevant."""
        found = tagged()
        if missing := relevant - found.keys():
            others = self.instances.by_id(sorted(missing))
            return Described({**found, **others.instances}, others.absent)
        return Described(found)

    def by_zone(self, ids: Iterable[InstanceId], listing: Listing) -> Description:
        """The instances by one call for each zone, and one more for those that no group lists."""
        zones: dict[str, list[InstanceId]] = {}
        for id in sorted(ids):
            zones.setdefault(listing.zones.get(id, UNKNOWN_ZONE), []).append(id)
        calls = [partial(self._of_zone, zone, tuple(named)) for zone, named in sorted(zones.items())]
        answers = run_concurrently(self.tasks, calls)
        return Description(
            {id: instance for answer in answers for id, instance in answer.instances.items()},
            frozenset(id for answer in answers for id in answer.absent),
            tuple(failure for answer in answers for failure in answer.failures),
        )

    def _of_zone(self, zone: str, ids: tuple[InstanceId, ...]) -> Description:
        try:
            return _answered(self.instances.named(ids))
        except RingfenceError as error:
            return Description({}, failures=(ZoneNotDescribed(self.region, zone, ids, str(error)),))


def _answered(described: Described) -> Description:
    return Description(described.instances, described.absent)
