"""A Region's EC2 instances with their addresses.

Of Auto Scaling it knows only the tag of the group.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from ringfence.core.model.addresses import AddressKind, Cidr
from ringfence.core.model.identifiers import InstanceId, Region
from ringfence.core.observation import Instance, Power
from ringfence_lab.sim.aws.addresses import AddressPool
from ringfence_lab.sim.aws.clock import VirtualClock
from ringfence_lab.sim.aws.history import AddressReleased, AddressReturned, CloudChange
from ringfence_lab.sim.aws.past import Past

TERMINATED_STAYS_SECONDS = 3600
"""How long a terminated instance remains visible. Source: EC2 User Guide, "Instance lifecycle": a short while,
about an hour."""

Addresses = dict[AddressKind, tuple[Cidr, ...]]


@dataclass(slots=True)
class Ec2Instance:
    """An instance. `elastic`: its public address is an Elastic IP, which it keeps when it stops.

    `ended` is when it was terminated, in seconds since the epoch.
    """

    id: InstanceId
    group: str | None
    power: Power
    addresses: Addresses
    launched: int
    elastic: bool = False
    ended: float | None = None

    def described(self) -> Instance:
        """The instance as DescribeInstances returns it."""
        return Instance(self.id, self.power, self.group, self.addresses)


class Ec2:
    """A Region's instances.

    `assigns_public_addresses` is the subnet's setting. `address_seconds` is the delay between the launch and the
    address, `tag_seconds` the one between the launch and the tag: both may come a moment after the instance runs
    (flocker #2237). `had` are all addresses that each instance ever had.
    """

    def __init__(
        self, region: Region, number: int, clock: VirtualClock, pool: AddressPool, record: Callable[[CloudChange], None]
    ) -> None:
        self.region = region
        self.pool = pool
        self.instances: dict[InstanceId, Ec2Instance] = {}
        self.holders: dict[Cidr, Ec2Instance] = {}
        self.assigns_public_addresses = True
        self.address_seconds = 0.0
        self.tag_seconds = 0.0
        self._tags_to_come: dict[InstanceId, str] = {}
        self._number = number
        self._clock = clock
        self._record = record
        self._launched = 0
        self.had: set[tuple[InstanceId, Cidr]] = set()
        self._described: Past[Mapping[InstanceId, Instance]] = Past(clock, {})

    def launch(self, group: str | None = None) -> Ec2Instance:
        """Launches an instance, tagged with its Auto Scaling group."""
        self._launched += 1
        id = InstanceId(f"i-{self._number:02x}{self._launched:015x}")
        private, v6 = self._private(self._launched)
        addresses: Addresses = {AddressKind.PRIVATE_IPV4: (private,), AddressKind.IPV6: (v6,)}
        instance = Ec2Instance(id, group, Power.RUNNING, addresses, int(self._clock.now()))
        if group is not None and self.tag_seconds:
            instance.group = None
            self._tags_to_come[id] = group
            self._clock.after(self.tag_seconds, lambda: self._tag_late(id))
        self.instances[id] = instance
        self.holders[private] = self.holders[v6] = instance
        self.had |= {(id, private), (id, v6)}
        if not self.assigns_public_addresses:
            self._changed(instance)
        elif self.address_seconds:
            self._changed(instance)
            self._clock.after(self.address_seconds, lambda: self.assign_public_address(id))
        else:
            self.assign_public_address(id)
        return instance

    def assign_public_address(self, id: InstanceId, elastic: bool = False) -> None:
        """Gives a running instance a public address. An Elastic IP replaces the current one, which is released.

        Source: EC2 User Guide, "Amazon EC2 instance IP addressing".
        """
        instance = self.instances.get(id)
        if instance is None or instance.power is not Power.RUNNING:
            return
        if instance.addresses.get(AddressKind.PUBLIC_IPV4) and not elastic:
            return
        self._release_public(instance)
        instance.elastic = elastic
        self._give(instance, AddressKind.PUBLIC_IPV4, self.pool.allocate())
        self._changed(instance)

    def move_elastic_address(self, holder: InstanceId, receiver: InstanceId) -> None:
        """Associates the Elastic IP of one running instance with another. Both lose their previous public address.

        The former holder has no public address then: EC2 assigns one only at the launch.
        Source: EC2 User Guide, "Elastic IP addresses", reassociation.
        """
        former, new = self.instances[holder], self.instances[receiver]
        moving = former.addresses[AddressKind.PUBLIC_IPV4]
        former.addresses = _without_public(former.addresses)
        former.elastic, new.elastic = False, True
        self._release_public(new)
        for address in moving:
            self._give(new, AddressKind.PUBLIC_IPV4, address)
        self._changed(former)
        self._changed(new)

    def add_interface(self, id: InstanceId, kind: AddressKind, address: Cidr) -> None:
        """Attaches a network interface with one more address."""
        instance = self.instances[id]
        self._give(instance, kind, address)
        self._changed(instance)

    def terminate(self, id: InstanceId, shown_for: float = TERMINATED_STAYS_SECONDS) -> None:
        """Terminates the instance and releases its addresses immediately. It is shown for so many seconds more."""
        instance = self.instances.get(id)
        if instance is None or instance.power is Power.TERMINATED:
            return
        self._release_public(instance)
        for addresses in instance.addresses.values():
            for address in addresses:
                self.holders.pop(address, None)
        instance.power, instance.addresses, instance.ended = Power.TERMINATED, {}, self._clock.now()
        self._changed(instance)
        self._clock.after(shown_for, lambda: self._forget(id))

    def stop(self, id: InstanceId) -> None:
        """Stops the instance: its public address is released, unless it is an Elastic IP."""
        instance = self.instances[id]
        if not instance.elastic:
            self._release_public(instance)
        instance.power = Power.STOPPED
        self._changed(instance)

    def start(self, id: InstanceId) -> None:
        """Starts a stopped instance, which receives a new public address."""
        instance = self.instances[id]
        instance.power, instance.launched = Power.RUNNING, int(self._clock.now())
        self._changed(instance)
        if self.assigns_public_addresses:
            self.assign_public_address(id)

    def tag(self, id: InstanceId, group: str | None) -> None:
        """Sets or removes the tag, as Auto Scaling does when it attaches or detaches an instance."""
        self._tags_to_come.pop(id, None)
        self.instances[id].group = group
        self._changed(self.instances[id])

    def _tag_late(self, id: InstanceId) -> None:
        group = self._tags_to_come.pop(id, None)
        if group is not None and id in self.instances:
            self.tag(id, group)

    def of_groups(self, names: Iterable[str], age: float) -> Mapping[InstanceId, Instance]:
        """DescribeInstances by the group's tag, as it answered `age` seconds ago."""
        wanted = frozenset(names)
        return {id: instance for id, instance in self._described.seconds_ago(age).items() if instance.group in wanted}

    def by_id(self, ids: Iterable[InstanceId], age: float) -> Mapping[InstanceId, Instance]:
        """DescribeInstances by id, as it answered `age` seconds ago."""
        described = self._described.seconds_ago(age)
        return {id: described[id] for id in ids if id in described}

    def _private(self, n: int) -> tuple[Cidr, Cidr]:
        private = Cidr(f"10.{self._number}.{n >> 8}.{n & 255}/32")
        return private, Cidr(f"2001:db8:{self._number + 1:x}::{n:x}/128")

    def _give(self, instance: Ec2Instance, kind: AddressKind, address: Cidr) -> None:
        instance.addresses = {**instance.addresses, kind: (*instance.addresses.get(kind, ()), address)}
        self.holders[address] = instance
        if (instance.id, address) in self.had:
            self._record(AddressReturned(self.region, instance.id, address))
        self.had.add((instance.id, address))

    def _release_public(self, instance: Ec2Instance) -> None:
        released = instance.addresses.get(AddressKind.PUBLIC_IPV4, ())
        if not released:
            return
        instance.addresses = _without_public(instance.addresses)
        for address in released:
            self.holders.pop(address, None)
            self.pool.release(address)
            self._record(AddressReleased(self.region, instance.id, address))

    def _changed(self, instance: Ec2Instance) -> None:
        self._described.record({**self._described.seconds_ago(0), instance.id: instance.described()})

    def _forget(self, id: InstanceId) -> None:
        del self.instances[id]
        now = dict(self._described.seconds_ago(0))
        del now[id]
        self._described.record(now)


def _without_public(addresses: Addresses) -> Addresses:
    return {kind: cidrs for kind, cidrs in addresses.items() if kind is not AddressKind.PUBLIC_IPV4}
