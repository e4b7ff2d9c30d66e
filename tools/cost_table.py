"""The monthly cost of Ringfence, from AWS's list prices and the calls of a reconcile: for the README and docs/cost.md.

The prices are those of us-east-1 in November 2026, without any free tier; each names its page. The calls of a reconcile
are those that tests/engine/test_costs.py counts. Assumptions are marked as such.
"""

from collections.abc import Iterator
from dataclasses import dataclass

DAYS = 30
TRUE_UPS = DAYS * 24 * 60
"""True-ups of one Region in a month, at one a minute."""

# Prices in US dollars.
LAMBDA_GB_SECOND = 0.0000133334  # arm64; aws.amazon.com/lambda/pricing
LAMBDA_REQUEST = 0.20e-6
SQS_FIFO_REQUEST = 0.50e-6  # aws.amazon.com/sqs/pricing
DYNAMODB_READ, DYNAMODB_WRITE = 0.125e-6, 0.625e-6  # on demand; aws.amazon.com/dynamodb/pricing/on-demand
METRIC, ALARM_METRIC, LOG_GB = 0.30, 0.10, 0.50  # aws.amazon.com/cloudwatch/pricing; an alarm costs by its metrics
SCHEDULER_INVOCATION = 1.00e-6  # aws.amazon.com/eventbridge/pricing
BETWEEN_REGIONS_GB = 0.02  # aws.amazon.com/ec2/pricing/on-demand, data transfer
TRANSIT_ATTACHMENT_HOUR, TRANSIT_GB = 0.05, 0.02  # aws.amazon.com/transit-gateway/pricing

# What the stack of one Region has in template.yaml, and assumptions.
MEMORY_GB = 0.5
METRICS, ALARMS, ALARM_METRICS = 7, 6, 7
SECONDS = 0.4  # of one invocation; assumed
POLLS = 650_000  # of the event source mapping in a month: five pollers that wait for 20 s; assumed
LOG_KB_TRUE_UP, LOG_KB_EVENT = 2.2, 10.0  # assumed
ROW_KB = 2.0  # a roster of some ten members; assumed
ANSWER_KB = 4.0  # what a peer answers; assumed
HOURS = 730


@dataclass(frozen=True, slots=True)
class Cost:
    """One part of the bill of the whole cluster, in US dollars a month."""

    part: str
    quantity: str
    dollars: float


def costs(regions: int, events_a_day: int) -> list[Cost]:
    """The bill of a cluster: `events_a_day` counts the launches and terminations of all its Regions."""
    events = events_a_day * DAYS
    invocations = regions * TRUE_UPS + events
    requests = regions * POLLS + 3 * invocations
    reads = regions * TRUE_UPS * regions + events * 2 * regions
    writes = events * regions * ROW_KB
    logs = (regions * TRUE_UPS * LOG_KB_TRUE_UP + events * LOG_KB_EVENT) / 1e6
    transferred = (regions - 1) * invocations * ANSWER_KB / 1e6
    watched = regions * (METRICS * METRIC + ALARM_METRICS * ALARM_METRIC) + logs * LOG_GB
    return [
        Cost(
            "Lambda (arm64, 512 MB)",
            f"{invocations:,} invocations of {SECONDS} s",
            invocations * (SECONDS * MEMORY_GB * LAMBDA_GB_SECOND + LAMBDA_REQUEST),
        ),
        Cost("SQS FIFO", f"{requests / 1e6:.1f} million requests, polling most of them", requests * SQS_FIFO_REQUEST),
        Cost(
            "DynamoDB on demand",
            f"{reads:,} reads, {writes:,.0f} writes",
            reads * DYNAMODB_READ + writes * DYNAMODB_WRITE,
        ),
        Cost("CloudWatch", f"{METRICS} metrics and {ALARMS} alarms in each Region, {logs:.1f} GB of logs", watched),
        Cost("EventBridge Scheduler", f"{regions * TRUE_UPS:,} invocations", regions * TRUE_UPS * SCHEDULER_INVOCATION),
        Cost("Between Regions", f"{transferred:.1f} GB", transferred * BETWEEN_REGIONS_GB),
    ]


def transit_gateway(regions: int) -> float:
    """The cost of joining one VPC in each Region in US dollars a month, without traffic: a gateway in each Region with
    its VPC attached, and a peering attachment on both sides of every pair."""
    return (regions + regions * (regions - 1)) * TRANSIT_ATTACHMENT_HOUR * HOURS


def bill(regions: int, events_a_day: int) -> str:
    """The bill of one cluster, a row for each part."""
    found = costs(regions, events_a_day)
    lines = ["| what | how much | cost |", "|---|---|---:|"]
    lines += [f"| {cost.part} | {cost.quantity} | ${cost.dollars:.2f} |" for cost in found]
    return "\n".join([*lines, f"| **together** | | **${_total(found):.2f}** |", ""])


def comparison() -> str:
    """The totals of clusters of all sizes, and of a transit gateway instead."""
    lines = ["| scaling events a day | 2 Regions | 5 Regions | 10 Regions |", "|---|---:|---:|---:|"]
    lines += [f"| {events:,} | {' | '.join(_cells(events))} |" for events in (10, 100, 1000)]
    gateways = " | ".join(f"${transit_gateway(regions):,.2f}" for regions in SIZES)
    lines.append(f"| a transit gateway instead, and ${TRANSIT_GB:.2f} for each GB | {gateways} |")
    return "\n".join([*lines, ""])


SIZES = (2, 5, 10)


def _cells(events: int) -> Iterator[str]:
    for regions in SIZES:
        yield f"${_total(costs(regions, events)):,.2f}"


def _total(found: list[Cost]) -> float:
    return sum(cost.dollars for cost in found)
