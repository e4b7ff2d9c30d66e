"""Where AWS's own limits end a cluster, whoever looks after it, on paper.

Each with its source; what follows is reckoned from what the engine writes and calls, not measured.
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
EVENTS_AT_ONCE = 10
ITSELF = 1
"""The rule by which the group admits itself counts as well, in both families."""


@dataclass(frozen=True, slots=True)
class Limit:
    """One limit of AWS's, its source, and the largest cluster that keeps within it, for one range of ports."""

    what: str
    source: str
    largest: str


def limits() -> Iterator[Limit]:
    """All that a cluster of many members or many Regions meets, the narrowest first."""
    yield Limit(
        f"{RULES_DEFAULT} inbound rules a security group, by default",
        "Amazon VPC quotas",
        f"**{RULES_DEFAULT - ITSELF} members** in all Regions together",
    )
    yield Limit(
        f"rules × groups of an interface ≤ {RULES_AND_GROUPS:,}, however far the quota is raised",
        "Amazon VPC quotas",
        f"**{RULES_AND_GROUPS - ITSELF} members** in all Regions together, with one group an interface",
    )
    yield Limit(
        "400 KB an item of the table",
        "Amazon DynamoDB quotas",
        f"**{members_in_a_row():,} members** in one Auto Scaling group",
    )
    yield Limit(
        f"changes of security groups: {MUTATING_BUCKET} at once, then {MUTATING_REFILL} a second, in each Region",
        "EC2 API throttling, as amazon-vpc-resource-controller-k8s #675 reports it",
        f"**{MUTATING_BUCKET} Regions** that all scale in the same second: one call each in every Region's group",
    )
    yield Limit(
        f"descriptions: {DESCRIBE_BUCKET} at once, then {DESCRIBE_REFILL} a second, in each Region",
        "likewise",
        f"**{DESCRIBE_BUCKET - 3} Regions** likewise: one description by each peer's engine, three by a Region's own",
    )
    yield Limit(
        f"{EVENTS_AT_ONCE} messages of a FIFO queue a batch, one batch at a time",
        "Amazon SQS, Lambda event source mappings",
        "none: twenty launches are three reconciles; a wave of hundreds is admitted in tens",
    )


def members_in_a_row() -> int:
    """The most members with one public address each that a roster can hold, besides as many that departed lately."""
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
