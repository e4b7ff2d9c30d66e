"""Builders of the engine's values for unit tests. What a test does not name has the same default in all tests."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from ringfence.core.configuration.settings import Settings
from ringfence.core.events import Action, Launching, Place, Terminating
from ringfence.core.model.addresses import AddressKind, Cidr
from ringfence.core.model.identifiers import InstanceId, Region, RosterKey, RuleId, SecurityGroupId
from ringfence.core.model.ports import PortRange
from ringfence.core.model.rosters import Member, MemberState, Roster, Rows
from ringfence.core.model.rules import Label, Opening, Rule
from ringfence.core.observation import Instance, Observation, Power
from ringfence.core.plan import Addition, Reason, Removal, Scope

NOW = 1_800_000_000
CLUSTER = "demo"
EAST, WEST = Region("us-east-1"), Region("us-west-2")
DB = RosterKey(EAST, "db")
WEST_DB = RosterKey(WEST, "db")
GROUP = SecurityGroupId("sg-00000001")
TCP = PortRange("tcp", 9042, 9042)
I1, I2, I3 = InstanceId("i-1"), InstanceId("i-2"), InstanceId("i-3")


def address(number: int) -> Cidr:
    """The nth address of the range that is reserved for benchmarks (RFC 2544)."""
    return Cidr(f"198.18.{number // 256}.{number % 256}/32")


def settings(**changes: Any) -> Settings:
    """The settings of the Region EAST in a cluster of two Regions."""
    return replace(
        Settings(
            cluster=CLUSTER,
            region=EAST,
            regions=(EAST, WEST),
            auto_scaling_groups=(DB.asg,),
            security_groups=(GROUP,),
            account="123456789012",
            launch_hook="ringfence-demo-launch",
            terminate_hook="ringfence-demo-terminate",
        ),
        **changes,
    )


def environment(**changes: str) -> dict[str, str]:
    """The variables that template.yaml gives the function in the Region EAST, as far as they have no default."""
    variables = {
        "AWS_REGION": str(EAST),
        "RINGFENCE_CLUSTER": CLUSTER,
        "RINGFENCE_REGIONS": f"{EAST},{WEST}",
        "RINGFENCE_AUTO_SCALING_GROUPS": DB.asg,
        "RINGFENCE_SECURITY_GROUPS": str(GROUP),
        "RINGFENCE_ACCOUNT": "123456789012",
        "RINGFENCE_LAUNCH_HOOK": "ringfence-demo-launch",
        "RINGFENCE_TERMINATE_HOOK": "ringfence-demo-terminate",
        "RINGFENCE_TABLE": "ringfence-demo",
        "RINGFENCE_QUEUE_ARN": "arn:aws:sqs:us-east-1:123456789012:ringfence-demo.fifo",
        "RINGFENCE_DEAD_LETTER_QUEUE_URL": "https://sqs.us-east-1.amazonaws.com/123456789012/dead-letters.fifo",
    }
    return variables | changes


def launching(
    instance: InstanceId = I1,
    at: int | None = NOW,
    origin: Place = Place.EC2,
    destination: Place = Place.GROUP,
    group: str = DB.asg,
    *,
    token: str | None = None,
    action: Action | None = None,
) -> Launching:
    id, hook = f"launch-{instance}-{at}", "ringfence-demo-launch"
    return Launching(id, at, group, instance, hook, origin, destination, token, action)


def terminating(
    instance: InstanceId = I1,
    at: int | None = NOW,
    origin: Place = Place.GROUP,
    destination: Place = Place.EC2,
    *,
    token: str | None = None,
    action: Action | None = None,
) -> Terminating:
    id, hook = f"end-{instance}-{at}", "ringfence-demo-terminate"
    return Terminating(id, at, DB.asg, instance, hook, origin, destination, token, action)


def instance(
    id: InstanceId = I1,
    *addresses: Cidr,
    power: Power = Power.RUNNING,
    group: str | None = DB.asg,
    **kinds: tuple[Cidr, ...],
) -> Instance:
    """An instance with public addresses. Keywords add addresses of other kinds: `ipv6=(...)`."""
    others = {AddressKind[kind.upper()]: cidrs for kind, cidrs in kinds.items()}
    return Instance(id, power, group, {AddressKind.PUBLIC_IPV4: addresses, **others})


def observed(states: Mapping[InstanceId, str], *instances: Instance) -> Observation:
    """An observation of the Auto Scaling group `db`."""
    return Observation({DB.asg: states}, {instance.id: instance for instance in instances})


def member(*addresses: Cidr, state: MemberState = MemberState.MEMBER, since: int = NOW - 1000) -> Member:
    return Member(addresses, state, since)


def roster(
    members: Mapping[InstanceId, Cidr | Member] | None = None,
    departed: Mapping[InstanceId, int] | None = None,
    key: RosterKey = DB,
    **fields: Any,
) -> Roster:
    """A roster. A member is given as its only address, or as a `Member`."""
    given = (members or {}).items()
    built = {id: entry if isinstance(entry, Member) else member(entry) for id, entry in given}
    return Roster(key, fields.pop("version", 1), built, departed or {}, **fields)


def rows(*rosters: Roster, **fields: Any) -> Rows:
    return Rows(rosters={roster.key: roster for roster in rosters}, **fields)


def label(instance: str = I1, key: RosterKey = DB, cluster: str = CLUSTER) -> Label:
    return Label(cluster, key, instance)


def rule(id: str, cidr: Cidr | None, owner: Label | None = None, ports: PortRange = TCP, **fields: Any) -> Rule:
    """A rule of GROUP. It is owned if it has an owner, else foreign."""
    opening = None if cidr is None else Opening(ports, cidr)
    description = str(owner) if owner is not None else fields.pop("description", "by hand")
    return Rule(RuleId(id), GROUP, ports, opening, description=description, **fields)


def addition(cidr: Cidr, instance: str = I1, ports: PortRange = TCP) -> Addition:
    return Addition(Opening(ports, cidr), label(instance))


def removals(numbers: Iterable[int], reason: Reason = Reason.NO_MEMBER) -> tuple[Removal, ...]:
    """The removal of an owned rule for each number."""
    return tuple(
        Removal(Opening(TCP, address(number)), RuleId(f"sgr-{number:04}"), reason, label(f"i-{number}"))
        for number in numbers
    )


def scope(**changes: Any) -> Scope:
    """The scope of the engine in its home Region."""
    return replace(
        Scope(cluster=CLUSTER, home=EAST, at_home=True, regions=(EAST, WEST), groups=(DB.asg,)),
        **changes,
    )


def replacing(
    instance: InstanceId = I1, at: int | None = NOW, *, token: str | None = None
) -> tuple[Terminating, Launching]:
    """The two events of the replacement of a root volume: before it, and after it."""
    places, action = (Place.GROUP, Place.GROUP), Action.REPLACE_ROOT_VOLUME
    return (
        terminating(instance, at, *places, token=token, action=action),
        launching(instance, at, *places, token=token, action=action),
    )
