"""A Region's EC2 instances with their addresses.

Knows nothing of Auto Scaling but the tag that it puts on its instances.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from ringfence.core.model.addresses import AddressKind, Cidr
from ringfence.core.model.identifiers import InstanceId, Region
from ringfence.core.observation import Instance, Power
from ringfence_lab.sim.aws.addresses import AddressPool
from ringfence_lab.sim.aws.clock import VirtualClock
from ringfence_lab.sim.aws.history import AddressReleased, AddressReturned, Change
from ringfence_lab.sim.aws.past import Past

TERMINATED_STAYS_SECONDS = 3600
"""How long a terminated instance is still described. Source: EC2 User Guide, "Instance lifecycle": a short while,
about an hour."""

Addresses = dict[AddressKind, tuple[Cidr, ...]]


@dataclass(slots=True)
class Ec2Instance:
    """An instance. `elastic` says that its public address is an Elastic IP, which it keeps when it stops."""

    id: InstanceId
    group: str | None
    power: Power
    addresses: Addresses
    launched: int
    elastic: bool = False

    def described(self) -> Instance:
        """The instance as DescribeInstances gives it."""
        return Instance(self.id, self.power, self.group, self.addresses)


class Ec2:
    """A Region's instances. `assigns_public_addresses` is the subnet's setting; `address_seconds` how long after the
    launch the address shows."""

    def __init__(
        self, region: Region, number: int, clock: VirtualClock, pool: AddressPool, record: Callable[[Change], None]
    ) -> None:
        self.region = region
        self.pool = pool
        self.instances: dict[InstanceId, Ec2Instance] = {}
        self.holders: dict[Cidr, Ec2Instance] = {}
        self.assigns_public_addresses = True
        self.address_seconds = 0.0
        self._number = number
        self._clock = clock
        self._record = record
        self._launched = 0
        self._had: set[tuple[InstanceId, Cidr]] = set()
        self._described: Past[Mapping[InstanceId, Instance]] = Past(clock, {})

    def launch(self, group: str | None = None) -> Ec2Instance:
        """A running instance, tagged with its Auto Scaling group."""
        self._launched += 1
        id = InstanceId(f"i-{self._number:02x}{self._launched:015x}")
        private, v6 = self._private(self._launched)
        addresses: Addresses = {AddressKind.PRIVATE_IPV4: (private,), AddressKind.IPV6: (v6,)}
        one = Ec2Instance(id, group, Power.RUNNING, addresses, int(self._clock.now()))
        self.instances[id] = one
        self.holders[private] = self.holders[v6] = one
        if not self.assigns_public_addresses:
            self._changed(one)
        elif self.address_seconds:
            self._changed(one)
            self._clock.after(self.address_seconds, lambda: self.assign_public_address(id))
        else:
            self.assign_public_address(id)
        return one

    def assign_public_address(self, id: InstanceId, elastic: bool = False) -> None:
        """Gives a running instance a public address. An Elastic IP replaces the one it has, which is released.

        Source: EC2 User Guide, "Amazon EC2 instance IP addressing".
        """
        one = self.instances[id]
        if one.power is not Power.RUNNING or (one.addresses.get(AddressKind.PUBLIC_IPV4) and not elastic):
            return
        self._release_public(one)
        one.elastic = elastic
        self._give(one, AddressKind.PUBLIC_IPV4, self.pool.allocate())
        self._changed(one)

    def move_elastic_address(self, holder: InstanceId, receiver: InstanceId) -> None:
        """Associates the Elastic IP of one running instance with another; both lose the public address they had.

        The holder is left without one: what auto-assigned it a public address was used up at its launch.
        Source: EC2 User Guide, "Elastic IP addresses", reassociation.
        """
        one, other = self.instances[holder], self.instances[receiver]
        moving = one.addresses[AddressKind.PUBLIC_IPV4]
        one.addresses = {kind: each for kind, each in one.addresses.items() if kind is not AddressKind.PUBLIC_IPV4}
        one.elastic, other.elastic = False, True
        self._release_public(other)
        for address in moving:
            self._give(other, AddressKind.PUBLIC_IPV4, address)
        self._changed(one)
        self._changed(other)

    def add_interface(self, id: InstanceId, kind: AddressKind, address: Cidr) -> None:
        """Attaches a network interface with one more address."""
        one = self.instances[id]
        self._give(one, kind, address)
        self._changed(one)

    def terminate(self, id: InstanceId) -> None:
        """Terminates the instance and releases its addresses at once."""
        one = self.instances.get(id)
        if one is None or one.power is Power.TERMINATED:
            return
        self._release_public(one)
        for addresses in one.addresses.values():
            for address in addresses:
                self.holders.pop(address, None)
        one.power, one.addresses = Power.TERMINATED, {}
        self._changed(one)
        self._clock.after(TERMINATED_STAYS_SECONDS, lambda: self._forget(id))

    def stop(self, id: InstanceId) -> None:
        """Stops the instance: its public address is released, unless it is an Elastic IP."""
        one = self.instances[id]
        if not one.elastic:
            self._release_public(one)
        one.power = Power.STOPPED
        self._changed(one)

    def start(self, id: InstanceId) -> None:
        """Starts a stopped instance, which is given a new public address."""
        one = self.instances[id]
        one.power, one.launched = Power.RUNNING, int(self._clock.now())
        self._changed(one)
        if self.assigns_public_addresses:
            self.assign_public_address(id)

    def tag(self, id: InstanceId, group: str | None) -> None:
        """What Auto Scaling does when an instance is attached or detached."""
        self.instances[id].group = group
        self._changed(self.instances[id])

    def of_groups(self, names: Iterable[str], age: float) -> Mapping[InstanceId, Instance]:
        """DescribeInstances by the group's tag, as of so many seconds ago."""
        wanted = frozenset(names)
        return {id: one for id, one in self._described.seconds_ago(age).items() if one.group in wanted}

    def by_id(self, ids: Iterable[InstanceId], age: float) -> Mapping[InstanceId, Instance]:
        """DescribeInstances by id, as of so many seconds ago."""
        described = self._described.seconds_ago(age)
        return {id: described[id] for id in ids if id in described}

    def _private(self, n: int) -> tuple[Cidr, Cidr]:
        private = Cidr(f"10.{self._number}.{n >> 8}.{n & 255}/32")
        return private, Cidr(f"2001:db8:{self._number + 1:x}::{n:x}/128")

    def _give(self, one: Ec2Instance, kind: AddressKind, address: Cidr) -> None:
        one.addresses = {**one.addresses, kind: (*one.addresses.get(kind, ()), address)}
        self.holders[address] = one
        if (one.id, address) in self._had:
            self._record(AddressReturned(self.region, one.id, address))
        self._had.add((one.id, address))

    def _release_public(self, one: Ec2Instance) -> None:
        released = one.addresses.get(AddressKind.PUBLIC_IPV4, ())
        if not released:
            return
        one.addresses = {kind: each for kind, each in one.addresses.items() if kind is not AddressKind.PUBLIC_IPV4}
        for address in released:
            self.holders.pop(address, None)
            self.pool.release(address)
            self._record(AddressReleased(self.region, one.id, address))

    def _changed(self, one: Ec2Instance) -> None:
        self._described.record({**self._described.seconds_ago(0), one.id: one.described()})

    def _forget(self, id: InstanceId) -> None:
        del self.instances[id]
        now = dict(self._described.seconds_ago(0))
        del now[id]
        self._described.record(now)
