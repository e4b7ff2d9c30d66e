"""Judges the alarms: do they exist, do they notify anyone who confirmed, and does one ring? Pure."""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime

from ringfence.core.model.identifiers import Region
from ringfence_ops.doctor.facts import RegionFacts, Topic
from ringfence_ops.doctor.finding import Finding, ok, problem, unread, warning
from ringfence_ops.state.alarms import Alarm, AlarmState, alarm_names
from ringfence_ops.state.path import Expected, Unread
from ringfence_ops.state.version_0_1 import ALARMS_ADDED, is_version_0_1

ENDPOINT = "you@example.com"
"""Stands for the operator's address in a command: the documentation's domain (RFC 2606)."""


def check_alarms(facts: RegionFacts, expected: Expected) -> Iterator[Finding]:
    """All alarm checks of one Region; none where there is no stack."""
    if facts.path.resources.stack is None:
        return
    alarms = facts.path.alarms
    if isinstance(alarms, Unread):
        yield unread("alarms", facts.region, alarms)
    elif alarms is not None:
        lacking = ALARMS_ADDED if is_version_0_1(facts.path.resources.function) else ()
        names = alarm_names(expected.settings.cluster, lacking)
        yield from _alarms({alarm.name: alarm for alarm in alarms}, names, expected)
    yield from _topic(facts.topic, expected)


def topic_of(expected: Expected) -> str:
    """The ARN of the topic that the cluster file names for the Region; empty if it names none."""
    return expected.parameters.get("AlarmTopic", "")


def _alarms(alarms: Mapping[str, Alarm], names: list[str], expected: Expected) -> Iterator[Finding]:
    region = expected.region
    findings = [*_missing(alarms, names, expected), *_silenced(alarms, expected)]
    findings += [_ringing(alarm, region) for alarm in alarms.values() if alarm.rings]
    yield from findings
    if not findings:
        blind = sum(alarm.state is AlarmState.INSUFFICIENT_DATA for alarm in alarms.values())
        without = f", {blind} of them without data yet" if blind else ""
        yield ok("alarms", region, f"all {len(names)} exist, none rings{without}")


def _missing(alarms: Mapping[str, Alarm], names: list[str], expected: Expected) -> Iterator[Finding]:
    if missing := [name for name in names if name not in alarms]:
        yield problem("alarms", expected.region, f"{_listed(missing)} not exist", expected.deploy)


def _listed(names: list[str]) -> str:
    return f"{', '.join(names)} {'does' if len(names) == 1 else 'do'}"


def _silenced(alarms: Mapping[str, Alarm], expected: Expected) -> Iterator[Finding]:
    region, topic = expected.region, topic_of(expected)
    if disabled := [name for name, alarm in alarms.items() if not alarm.is_enabled]:
        fix = f"aws cloudwatch enable-alarm-actions --region {region} --alarm-names {' '.join(disabled)}"
        yield problem("alarms", region, f"the actions of {', '.join(disabled)} are disabled: notifies no one", fix)
    if topic and (others := [name for name, alarm in alarms.items() if topic not in alarm.actions]):
        yield problem("alarms", region, f"{', '.join(others)}: does not notify {topic}", expected.deploy)


def _ringing(alarm: Alarm, region: Region) -> Finding:
    since = f"{datetime.fromtimestamp(alarm.since, UTC):%Y-%m-%d %H:%M} UTC"
    message = f"{alarm.name} rings since {since}: {alarm.reason or 'no reason given'}"
    return warning("alarms", region, message, alarm.description or "see the alarm in the console of CloudWatch")


def _topic(topic: Topic | Unread | None, expected: Expected) -> Iterator[Finding]:
    region, arn = expected.region, topic_of(expected)
    match topic:
        case _ if not arn:
            fix = (
                f"aws sns create-topic --region {region} --name ringfence-alarms; write its ARN as alarm_topic under"
                f" [regions.{region}] in the cluster file, then {expected.deploy}"
            )
            yield warning("notification", region, "there is no alarm_topic: alarms notify no one", fix)
        case Unread():
            yield unread("notification", region, topic)
        case None:
            name = arn.rpartition(":")[2]
            fix = f"aws sns create-topic --region {region} --name {name}; then {_subscribe(arn, region)}"
            yield problem("notification", region, f"the topic {arn} does not exist: alarms notify no one", fix)
        case Topic(confirmed=(), pending=pending):
            waiting = f"; not confirmed: {', '.join(pending)}" if pending else ""
            message = f"no one has a confirmed subscription to {arn}{waiting}"
            yield problem("notification", region, message, _subscribe(arn, region))
        case Topic(confirmed=confirmed, pending=()):
            yield ok("notification", region, f"{arn} notifies {', '.join(confirmed)}")
        case Topic(confirmed=confirmed, pending=pending):
            message = f"{arn} notifies {', '.join(confirmed)}; not confirmed: {', '.join(pending)}"
            yield warning("notification", region, message, "open the link in the message that SNS sent there")


def _subscribe(arn: str, region: Region) -> str:
    return (
        f"aws sns subscribe --region {region} --topic-arn {arn} --protocol email --notification-endpoint {ENDPOINT};"
        f" open the link in the message, then ringfence doctor --test-alarm {region}"
    )
