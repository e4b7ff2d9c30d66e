"""What is read of a real cluster on the lab: who somebody is, what the log tells, how an examination ends, adoption."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

import boto3
import pytest
from botocore.config import Config

from ringfence.aws.dynamodb import AwsRosterTable
from ringfence.aws.ec2 import AwsSecurityGroups
from ringfence.core.configuration.settings import Settings
from ringfence.core.model.addresses import Cidr
from ringfence.core.model.identifiers import Region, SecurityGroupId
from ringfence.core.model.ports import Ports
from ringfence.reconciler.interfaces import RegionServices
from ringfence.reconciler.region_pass import scope_in
from ringfence_ops.doctor.access import check_access
from ringfence_ops.doctor.facts import Unread
from ringfence_ops.doctor.finding import Finding, Severity
from ringfence_ops.doctor.reading import Reader
from ringfence_ops.doctor.security_groups import check_groups, check_room
from ringfence_ops.doctor.stack import Expected, check_agreement, check_deployment
from ringfence_ops.explain.evidence import Investigator
from ringfence_ops.explain.explanation import Explanation, HasDeparted, IsMember, IsStranger, Subject, Verdict
from ringfence_ops.explain.subject import Inquiry
from ringfence_ops.logs.audit_log import About, AuditLog, RuleChange, Turn, log_group, merged
from ringfence_ops.logs.cloudtrail import Trail
from ringfence_ops.state.adoption import RegionAdoption
from tests.end_to_end.clusters import EAST, RELEASE_DEADLINE, WEST, Cluster, _two_regions, two_regions
from tests.labs import eventually, session_of_role

__all__ = ["_two_regions", "two_regions"]


ACCOUNT = "123456789012"
STRANGER = "203.0.113.9"
PARAMETERS = {
    "ReleaseDeadline": str(RELEASE_DEADLINE),
    "ScheduleExpression": "rate(1 minute)",
    "LaunchHeartbeat": "300",
    "LaunchDefaultResult": "CONTINUE",
    "TerminateHeartbeat": "900",
    "TerminateDefaultResult": "CONTINUE",
}


def clients(cluster: Cluster, session: boto3.Session | None = None) -> Callable[[str, Region], Any]:
    """Clients such as an operator's: they try once, and give up after a while."""
    return _clients(cluster.lab.endpoint_url, session or ROOT)


ROOT = boto3.Session("test", "test")


@cache
def _clients(url: str, session: boto3.Session) -> Callable[[str, Region], Any]:
    config = Config(connect_timeout=1, read_timeout=3, retries={"total_max_attempts": 1})

    @cache
    def client_of(service: str, region: Region) -> Any:
        return session.client(service, region_name=region, endpoint_url=url, config=config)  # type: ignore[call-overload]  # by name

    return client_of


def settings(cluster: Cluster, region: str) -> Settings:
    """What the engine of a Region runs with."""
    observer = cluster.regions[region]
    return Settings(
        cluster=cluster.lab.cluster,
        region=Region(region),
        regions=tuple(map(Region, cluster.regions)),
        auto_scaling_groups=(observer.auto_scaling_group,),
        security_groups=(SecurityGroupId(observer.security_group),),
        account=ACCOUNT,
        launch_hook="ringfence-demo-launch",
        terminate_hook="ringfence-demo-terminate",
        release_deadline=RELEASE_DEADLINE,
    )


def explained(cluster: Cluster, text: str) -> Explanation:
    """The answer to a question, without a look ahead."""
    client_of = clients(cluster)
    investigators = {Region(region): Investigator(client_of, settings(cluster, region)) for region in cluster.regions}
    subject = Subject.parse(text)
    strangers = {region: one.holders(subject.cidr) for region, one in investigators.items() if subject.cidr}
    sights = {region: one.sight() for region, one in investigators.items()}
    return Inquiry(cluster.lab.cluster, sights, strangers=strangers).about(subject)


def told(cluster: Cluster, about: About, since: float) -> list[RuleChange]:
    """What the audit logs of all Regions tell."""
    client_of = clients(cluster)
    group = log_group(cluster.lab.cluster)
    logs = [AuditLog(client_of("logs", Region(region)), Region(region), group) for region in cluster.regions]
    return merged(log.changes(since, about=about) for log in logs)


def test_a_member_is_known_by_its_address_and_by_its_id_and_admitted_in_both_regions(two_regions: Cluster) -> None:
    ((id, one),) = two_regions.regions[EAST].instances().items()
    assert one.address is not None
    for text in (one.address, id):
        answer = explained(two_regions, text)
        (identity,) = answer.identities
        assert isinstance(identity, IsMember)
        assert (identity.instance, identity.lifecycle_state) == (id, "InService")
        assert [(door.region, door.verdict) for door in answer.doors] == [
            (EAST, Verdict.RIGHT),
            (WEST, Verdict.RIGHT),
        ]


def test_the_logs_tell_how_an_instance_came_and_went(two_regions: Cluster) -> None:
    # given
    since = time.time() - 1
    before = set(two_regions.regions[EAST].instances())
    two_regions.scale(EAST, 2)
    # when
    eventually(two_regions.agrees)
    gone = set(two_regions.regions[EAST].instances()) - before
    two_regions.scale(EAST, 1)
    stayed = set(two_regions.regions[EAST].instances())
    (departed,) = (before | gone) - stayed
    # then
    about = About(instances=frozenset({departed}), turns=frozenset({Turn.REMOVED}))

    def removals() -> list[RuleChange]:
        return told(two_regions, about, since)

    removed = eventually(lambda: removals() if len(removals()) == 2 else [])
    assert sorted(one.region for one in removed) == [EAST, WEST]
    assert {one.reason for one in removed} == {"departed"}
    assert all(one.causes and one.address.endswith("/32") for one in removed)
    answer = explained(two_regions, departed)
    assert [type(identity) for identity in answer.identities] == [HasDeparted]
    assert answer.doors == ()


def test_an_address_that_a_foreign_rule_admits_is_its_makers_business(two_regions: Cluster) -> None:
    east = two_regions.regions[EAST]
    with foreign_rule(two_regions, EAST, STRANGER) as rule:
        answer = explained(two_regions, STRANGER)
        assert answer.identities == ()
        assert [(door.verdict, door.rule and door.rule.id) for door in answer.doors] == [(Verdict.FOREIGN, rule)]
        deeds = Trail(east.client("cloudtrail"), Region(EAST)).deeds(
            SecurityGroupId(east.security_group), frozenset({rule})
        )
        assert deeds[rule].action == "AuthorizeSecurityGroupIngress"
        assert deeds[rule].who.endswith(":root")


def test_an_instance_of_the_account_that_is_none_of_the_clusters_is_a_stranger(two_regions: Cluster) -> None:
    ec2 = two_regions.regions[WEST].client("ec2")
    image = ec2.describe_images()["Images"][0]["ImageId"]
    made = ec2.run_instances(ImageId=image, MinCount=1, MaxCount=1, InstanceType="t3.micro")["Instances"][0]
    try:
        answer = explained(two_regions, made["PrivateIpAddress"])
        assert IsStranger(Region(WEST), made["InstanceId"]) in answer.identities
    finally:
        ec2.terminate_instances(InstanceIds=[made["InstanceId"]])


@contextmanager
def foreign_rule(cluster: Cluster, region: str, address: str, **more: Any) -> Iterator[Any]:
    """A rule made by hand on the managed port, for a while; its id."""
    one = cluster.regions[region]
    cidrs = [{"CidrIp": f"{address}/32", "Description": "by hand"}]
    permission = {"IpProtocol": "tcp", "FromPort": 443, "ToPort": 443, "IpRanges": cidrs} | more
    made = one.client("ec2").authorize_security_group_ingress(GroupId=one.security_group, IpPermissions=[permission])
    id = made["SecurityGroupRules"][0]["SecurityGroupRuleId"]
    try:
        yield id
    finally:
        if id in {rule["SecurityGroupRuleId"] for rule in one.rules()}:
            one.client("ec2").revoke_security_group_ingress(GroupId=one.security_group, SecurityGroupRuleIds=[id])


# The examination.


def expected(cluster: Cluster) -> list[Expected]:
    return [Expected(settings(cluster, region), PARAMETERS) for region in cluster.regions]


def examined(cluster: Cluster, client_of: Callable[[str, Region], Any] | None = None) -> list[Finding]:
    """Every finding that is not well."""
    wanted = expected(cluster)
    charts = [Reader(client_of or clients(cluster), one, wanted).chart() for one in wanted]
    findings = [*check_agreement(charts), *check_room(charts, wanted)]
    for chart, one in zip(charts, wanted, strict=True):
        findings += [*check_deployment(chart, one), *check_groups(chart, one), *check_access(chart, one)]
    return [finding for finding in findings if finding.severity is not Severity.OK]


def test_a_healthy_cluster_has_no_finding(two_regions: Cluster) -> None:
    assert examined(two_regions) == []


@contextmanager
def disabled_event_rule(cluster: Cluster) -> Iterator[None]:
    events = cluster.regions[EAST].client("events")
    events.disable_rule(Name="ringfence-demo")
    yield
    events.enable_rule(Name="ringfence-demo")


@contextmanager
def changed_hook(cluster: Cluster) -> Iterator[None]:
    east = cluster.regions[EAST]

    def put(heartbeat: int) -> None:
        east.client("autoscaling").put_lifecycle_hook(
            AutoScalingGroupName=east.auto_scaling_group,
            LifecycleHookName="ringfence-demo-launch",
            LifecycleTransition="autoscaling:EC2_INSTANCE_LAUNCHING",
            HeartbeatTimeout=heartbeat,
            DefaultResult="CONTINUE",
        )

    put(60)
    yield
    put(300)


@contextmanager
def dead_letter(cluster: Cluster) -> Iterator[None]:
    sqs = cluster.regions[EAST].client("sqs")
    url = sqs.get_queue_url(QueueName="ringfence-demo-dead.fifo")["QueueUrl"]
    sqs.send_message(QueueUrl=url, MessageBody="{}", MessageGroupId="g", MessageDeduplicationId=str(time.time()))
    yield
    sqs.purge_queue(QueueUrl=url)


@contextmanager
def untagged_group(cluster: Cluster) -> Iterator[None]:
    east = cluster.regions[EAST]
    tags = [{"Key": "ringfence-cluster", "Value": "demo"}]
    east.client("ec2").delete_tags(Resources=[east.security_group], Tags=tags)
    yield
    east.client("ec2").create_tags(Resources=[east.security_group], Tags=tags)


@contextmanager
def changed_environment(cluster: Cluster) -> Iterator[None]:
    functions = cluster.regions[EAST].client("lambda")
    before = functions.get_function_configuration(FunctionName="ringfence-demo")["Environment"]
    changed = {"Variables": before["Variables"] | {"RINGFENCE_PORTS": "tcp/1"}}
    functions.update_function_configuration(FunctionName="ringfence-demo", Environment=changed)
    yield
    functions.update_function_configuration(FunctionName="ringfence-demo", Environment=before)


@contextmanager
def larger_group(cluster: Cluster) -> Iterator[None]:
    east = cluster.regions[EAST]
    (group,) = east.client("autoscaling").describe_auto_scaling_groups()["AutoScalingGroups"]

    def resize(maximum: int) -> None:
        east.client("autoscaling").update_auto_scaling_group(
            AutoScalingGroupName=east.auto_scaling_group, MaxSize=maximum
        )

    resize(60)
    yield
    resize(group["MaxSize"])


@pytest.mark.parametrize(
    ("broken", "found"),
    [
        (disabled_event_rule, {("events", EAST)}),
        (changed_hook, {("hooks", EAST)}),
        (dead_letter, {("dead letters", EAST)}),
        (untagged_group, {("groups", EAST)}),
        (changed_environment, {("engine", EAST)}),
        (larger_group, {("room", EAST), ("room", WEST)}),
    ],
)
def test_what_is_broken_is_found_and_nothing_else(
    two_regions: Cluster, broken: Callable[[Cluster], Any], found: set[tuple[str, str]]
) -> None:
    with broken(two_regions):
        findings = examined(two_regions)
    assert {(finding.check, finding.region) for finding in findings} == found
    assert all(finding.severity is Severity.PROBLEM and finding.mend for finding in findings)


def test_one_who_may_only_read_rules_learns_of_each_part_that_it_was_not_read(two_regions: Cluster) -> None:
    may = {"Effect": "Allow", "Action": ["ec2:Describe*", "sts:*"], "Resource": "*"}
    session = session_of_role(two_regions.lab, f"reader-{time.time():.0f}", [may])
    findings = examined(two_regions, clients(two_regions, session))
    assert {finding.severity for finding in findings} == {Severity.WARNING}
    unread = {finding.check for finding in findings if finding.said.startswith("not checked")}
    assert {"stack", "schedule", "queue", "table", "hooks", "engine"} <= unread
    assert ("your access", EAST) in {(finding.check, finding.region) for finding in findings}


def test_a_service_that_hangs_hides_no_other_and_holds_nobody_up(two_regions: Cluster) -> None:
    two_regions.lab.fault(EAST, "hang", "logs")
    wanted = expected(two_regions)
    started = time.monotonic()
    chart = Reader(clients(two_regions), wanted[0], wanted).chart()
    assert time.monotonic() - started < 20  # three for the service, and a machine that is busy with other tests
    assert isinstance(chart.log, Unread)
    assert [name for name in ("stack", "queue", "table") if isinstance(getattr(chart, name), Unread)] == []


# Adoption.


def adoption(cluster: Cluster, region: str) -> RegionAdoption:
    client_of, own = clients(cluster), settings(cluster, region)
    table = AwsRosterTable(client_of("dynamodb", own.region), own.region, "ringfence-demo")
    ports = RegionServices(table, AwsSecurityGroups(client_of("ec2", own.region), own.region))
    return RegionAdoption(ports, {own.security_groups[0]: Ports()}, scope_in(own.region, own))


def test_a_members_rule_that_was_made_by_hand_is_adopted_and_goes_when_the_member_goes(two_regions: Cluster) -> None:
    # given: the rule of the east's member in the west is by hand, as a stack of the original sample leaves it
    west = two_regions.regions[WEST]
    ((_, one),) = two_regions.regions[EAST].instances().items()
    (rule,) = [rule for rule in west.rules() if rule["CidrIpv4"] == f"{one.address}/32"]
    west.client("ec2").update_security_group_rule_descriptions_ingress(
        GroupId=west.security_group,
        SecurityGroupRuleDescriptions=[{"SecurityGroupRuleId": rule["SecurityGroupRuleId"], "Description": "by hand"}],
    )
    before = {one["SecurityGroupRuleId"]: one["CidrIpv4"] for one in west.rules()}
    # when
    region = adoption(two_regions, WEST)
    plans = region.plan()
    assert region.adopt(plans) == {rule["SecurityGroupRuleId"]}
    # then
    assert {one["SecurityGroupRuleId"]: one["CidrIpv4"] for one in west.rules()} == before
    (adopted,) = [each for each in west.rules() if each["SecurityGroupRuleId"] == rule["SecurityGroupRuleId"]]
    assert adopted["Description"] == rule["Description"]
    assert [plan.adopted for plan in region.plan()] == [()]
    two_regions.regions[EAST].scale_to(0)
    eventually(lambda: Cidr(f"{one.address}/32") not in {each["CidrIpv4"] for each in west.rules()}, 30)


def test_a_strangers_rule_is_not_adopted(two_regions: Cluster) -> None:
    with foreign_rule(two_regions, EAST, STRANGER) as rule:
        (plan,) = adoption(two_regions, EAST).plan()
        assert plan.adopted == ()
        assert [(left.id, str(why)) for left, _, why in plan.left] == [(rule, "no-member")]
