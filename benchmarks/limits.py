"""AWS's own limits of a cluster, which apply to every tool, with their sources.

The largest clusters are calculated from what the engine writes and calls, not measured.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from ringfence.aws.roster_item import to_item
from ringfence.core.errors import Permanent
from ringfence.core.model.addresses import Cidr
from ringfence.core.model.identifiers import InstanceId, Region, RosterKey, SecurityGroupId
from ringfence.core.model.rosters import Member, MemberState, Roster

RULES_DEFAULT, RULES_AND_GROUPS = 60, 1000
MUTATING_BUCKET, MUTATING_REFILL = 50, 5
DESCRIBE_BUCKET, DESCRIBE_REFILL = 100, 20
EVENTS_PER_BATCH = 10
ITSELF = 1
"""The rule by which the group admits itself also counts, in both families."""


@dataclass(frozen=True, slots=True)
class Limit:
    """A limit of AWS, its source, and the largest cluster within it, with one port range."""

    what: str
    source: str
    largest: str


def limits() -> Iterator[Limit]:
    """The limits of a cluster with many members or many Regions, the narrowest first."""
    yield Limit(
        f"{RULES_DEFAULT} inbound rules per security group, by default",
        "Amazon VPC quotas",
        f"**{RULES_DEFAULT - ITSELF} members** in all Regions together",
    )
    yield Limit(
        f"rules × groups of an interface ≤ {RULES_AND_GROUPS:,}, with any quota",
        "Amazon VPC quotas",
        f"**{RULES_AND_GROUPS - ITSELF} members** in all Regions together, with one group per interface",
    )
    yield Limit(
        "400 KB per item of the table",
        "Amazon DynamoDB quotas",
        f"**{members_in_a_row():,} members** in one Auto Scaling group",
    )
    yield Limit(
        f"changes of security groups: a burst of {MUTATING_BUCKET}, then {MUTATING_REFILL} per second, in each Region",
        "EC2 API throttling, as reported in amazon-vpc-resource-controller-k8s #675",
        f"**{MUTATING_BUCKET} Regions** that all scale in the same second: each makes one call in every Region",
    )
    yield Limit(
        f"describe calls: a burst of {DESCRIBE_BUCKET}, then {DESCRIBE_REFILL} per second, in each Region",
        "the same",
        f"**{DESCRIBE_BUCKET - 3} Regions** in the same case: one call by each peer's engine, three by its own",
    )
    yield Limit(
        f"{EVENTS_PER_BATCH} messages per batch of a FIFO queue, no concurrent batches",
        "Amazon SQS, Lambda event source mappings",
        "none: twenty launches take three reconciles; hundreds of launches are admitted in batches of ten",
    )


def members_in_a_row() -> int:
    """The maximum number of members in a roster, with one public address each and as many recent departures."""
    fits, too_many = 1, 20_000
    while too_many - fits > 1:
        middle = (fits + too_many) // 2
        fits, too_many = (middle, too_many) if _fits(middle) else (fits, middle)
    return fits


def _fits(count: int) -> bool:
    ids = [InstanceId(f"i-{number:017x}") for number in range(count)]
    members = {
        id: Member(
            (Cidr(f"198.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}/32"),), MemberState.MEMBER, 10**9
        )
        for number, id in enumerate(ids)
    }
    departed = {InstanceId(f"i-{number:017x}"): 10**9 for number in range(count, 2 * count)}
    key = RosterKey(Region("ap-southeast-2"), "a-group-with-a-name-of-some-length")
    groups = (SecurityGroupId("sg-0123456789abcdef0"),)
    try:
        to_item(Roster(key, 10**9, members, departed, {}, groups, account="123456789012", updated_at=10**9))
    except Permanent:
        return False
    return True
