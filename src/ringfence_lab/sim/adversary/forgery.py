"""What forged rows, messages and labels are made of: the names of groups, instances and addresses."""

import random
from collections.abc import Callable
from dataclasses import dataclass

from ringfence.core.model.addresses import Cidr
from ringfence.core.model.identifiers import InstanceId, Region
from ringfence_lab.sim.aws.addresses import INVENTED
from ringfence_lab.sim.aws.region import CloudRegion
from ringfence_lab.sim.cloud import Cloud

UNKNOWN_GROUP = "evil"


@dataclass(frozen=True, slots=True)
class Forger:
    """The cloud as the adversary sees it, and its random choices."""

    cloud: Cloud
    chance: random.Random

    def region(self) -> Region:
        """A Region of the cluster."""
        return self.chance.choice(list(self.cloud.regions))

    def group(self, region: Region) -> str:
        """A group of the Region, if it has one."""
        return self.chance.choice(list(self.cloud.regions[region].groups) or [UNKNOWN_GROUP])

    def address(self) -> Cidr:
        """An address that no instance has."""
        return Cidr(f"{INVENTED}{self.chance.randrange(1, 255)}/32")

    def member(self, region: CloudRegion) -> InstanceId | None:
        """An instance that some group of the Region lists, in any state; None if there is none."""
        listed = [id for group in region.groups.values() for id in group.instances]
        return self.chance.choice(listed) if listed else None

    def instance(self, region: CloudRegion) -> InstanceId:
        """Any instance: of a group, outside of all groups, of another Region, gone, or invented."""
        kind = self.chance.randrange(8)
        if kind < 4 and (member := self.member(region)) is not None:
            return member
        if kind == 4 and (member := self.member(self.cloud.regions[self.region()])) is not None:
            return member
        if kind == 5:
            loose = [instance.id for instance in region.ec2.instances.values() if instance.group is None]
            return self.chance.choice(loose) if loose else region.ec2.launch().id
        if kind == 6 and region.ec2.instances:
            return self.chance.choice(list(region.ec2.instances))
        return InstanceId(f"i-{self.chance.randrange(16):017x}bad"[:19])


AdversaryAction = Callable[[Forger, CloudRegion], str]
"""Does one thing in a Region, and returns a text for the trace, which is empty if it could do nothing."""
