"""Decides which of an instance's addresses are admitted, and names those that an operator may miss.

Pure.
"""

from collections.abc import Iterator

from ringfence.core.configuration.settings import Settings
from ringfence.core.membership.evidence import Evidence, is_new
from ringfence.core.model.addresses import AddressKind, Cidr
from ringfence.core.model.identifiers import RosterKey
from ringfence.core.model.rosters import Member
from ringfence.core.observation import Instance, Observation, Power

ADDRESSES_LIMIT = 64
"""Maximum addresses of one instance. More would let one instance use up the rules of every security group."""


def addresses_of(before: Member | None, evidence: Evidence, now: int, settings: Settings) -> tuple[Cidr, ...]:
    """The described addresses, or the earlier ones if the description has none and may be older than they are.

    An address that EC2 shows on another instance has moved there.
    """
    described = evidence.described
    addresses = admitted_of(described, settings)[:ADDRESSES_LIMIT] if described is not None else ()
    if addresses or before is None:
        return addresses
    if described is not None and not _may_be_older(described, before, now):
        return ()
    return tuple(address for address in before.addresses if not evidence.shows(address))


def _may_be_older(described: Instance, member: Member, now: int) -> bool:
    """Whether the description may be from before the member had an address: from before its start, or its latest start
    if it comes out of a warm pool. EC2 assigns a public address a moment after the start."""
    return described.power is Power.PENDING or is_new(member, now)


def admitted_of(instance: Instance, settings: Settings) -> tuple[Cidr, ...]:
    """The instance's addresses that the settings admit, however many they are."""
    return instance.of_kinds(settings.address_kinds, settings.private_addresses)


def not_admitted(key: RosterKey, observation: Observation, settings: Settings) -> Iterator[str]:
    """What the group's instances have that is not admitted, although an operator may expect it."""
    instances = [one for _, one in sorted(observation.instances.items()) if one.group == key.asg]
    for one in instances:
        count = len(admitted_of(one, settings))
        if count > ADDRESSES_LIMIT:
            yield f"{one.id} of {key} has {count} addresses, and only the first {ADDRESSES_LIMIT} are admitted"
        if not count and (kinds := reachable_by(one)):
            yield f"{one.id} of {key} has no address of a configured kind, but {kinds}: name that in AddressKinds"
    if delegated := {one.id: found for one in instances if (found := delegated_prefixes(one, settings))}:
        id, prefixes = next(iter(delegated.items()))
        more = f", and {len(delegated) - 1} more instances have some" if len(delegated) > 1 else ""
        said = "delegated prefixes are not supported, so nothing in them is admitted"
        yield f"{said}: {id} of {key} has {prefixes[0]}{more}"


def reachable_by(instance: Instance) -> str:
    """The kinds of the instance's addresses that only Wavelength Zones and Outposts have, in words."""
    kinds = (AddressKind.CARRIER_IPV4, AddressKind.CUSTOMER_OWNED_IPV4)
    return ", ".join(kind.value for kind in kinds if instance.addresses.get(kind))


def delegated_prefixes(instance: Instance, settings: Settings) -> tuple[str, ...]:
    """The prefixes that are delegated to the instance, of the kinds of addresses that the cluster uses."""
    return tuple(prefix for kind in settings.address_kinds for prefix in instance.prefixes.get(kind, ()))
