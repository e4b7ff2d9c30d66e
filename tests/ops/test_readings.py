"""What is read of a real cluster in the lab: identities, the audit log, the checks of `doctor`, and adoption."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

import boto3
import pytest
from botocore.config import Config

from ringfence.aws.assembly import region_services
from ringfence.core.configuration.settings import Settings
from ringfence.core.model.addresses import Cidr
from ringfence.core.model.identifiers import Region, SecurityGroupId
from ringfence.core.model.ports import Ports
from ringfence.reconciler.region_pass import scope_in
from ringfence_ops.doctor.access import check_access
from ringfence_ops.doctor.facts import RegionFacts
from ringfence_ops.doctor.finding import Finding, Severity
from ringfence_ops.doctor.reading import Reader
from ringfence_ops.doctor.room import check_room
from ringfence_ops.doctor.security_groups import check_groups
from ringfence_ops.doctor.stack import check_standing
from ringfence_ops.explain.evidence import Evidence
from ringfence_ops.explain.explanation import ClusterMember, DepartedInstance, DoorVerdict, Explanation, Stranger
from ringfence_ops.explain.full_explanation import instances_with
from ringfence_ops.explain.subject import Subject
from ringfence_ops.logs.audit_log import AuditLog, ChangeFilter, LoggedAction, LoggedChange, log_group, merged
from ringfence_ops.logs.cloudtrail import EventHistory
from ringfence_ops.state.adoption import RegionAdoption
from ringfence_ops.state.path import Expected, Unread
from ringfence_ops.state.path_reading import PathReader
from ringfence_ops.state.path_reasons import path_reasons
from ringfence_ops.state.region_snapshot import read_region
from ringfence_ops.state.standing import standing
from ringfence_ops.state.true_up_reasons import true_up_reasons
from tests.end_to_end.clusters import EAST, RELEASE_DEADLINE, WEST, Cluster
from tests.labs import eventually, session_of_role
from tests.ops.changes_in_lab import STRANGER, disabled_event_rule, foreign_rule
from tests.ops.commands import HANGING_REGION_SECONDS

ACCOUNT = "123456789012"
PARAMETERS = {
    "ReleaseDeadline": str(RELEASE_DEADLINE),
    "ScheduleExpression": "rate(1 minute)",
    "LaunchHeartbeat": "300",
    "LaunchDefaultResult": "CONTINUE",
    "TerminateHeartbeat": "900",
    "TerminateDefaultResult": "CONTINUE",
}


def clients(cluster: Cluster, session: boto3.Session | None = None) -> Callable[[str, Region], Any]:
    """Clients like an operator's, which try once."""
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
    """The explanation of a subject, without a dry run."""
    client_of = clients(cluster)
    subject = Subject.parse(text)
    names = [Region(name) for name in cluster.regions]
    strangers = {name: instances_with(client_of, name, subject.cidr) for name in names if subject.cidr}
    regions = {name: read_region(client_of, settings(cluster, name)) for name in names}
    return Evidence(cluster.lab.cluster, regions, strangers=strangers).explain(subject)


def logged_changes(cluster: Cluster, selected: ChangeFilter, since: float) -> list[LoggedChange]:
    """The changes in the audit logs of all Regions."""
    client_of = clients(cluster)
    group = log_group(cluster.lab.cluster)
    logs = [AuditLog(client_of("logs", Region(region)), Region(region), group) for region in cluster.regions]
    return merged(log.changes(since, selected=selected) for log in logs)


def test_a_member_is_found_by_address_and_by_id_and_is_admitted_in_both_regions(two_regions: Cluster) -> None:
    ((id, instance),) = two_regions.regions[EAST].instances().items()
    assert instance.address is not None
    for text in (instance.address, id):
        answer = explained(two_regions, text)
        (identity,) = answer.identities
        assert isinstance(identity, ClusterMember)
        assert (identity.instance, identity.lifecycle_state) == (id, "InService")
        assert [(door.region, door.verdict) for door in answer.doors] == [
            (EAST, DoorVerdict.RIGHT),
            (WEST, DoorVerdict.RIGHT),
        ]


def test_the_logs_contain_the_changes_for_an_instance(two_regions: Cluster) -> None:
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
    selected = ChangeFilter(instances=frozenset({departed}), actions=frozenset({LoggedAction.REMOVED}))

    def removals() -> list[LoggedChange]:
        return logged_changes(two_regions, selected, since)

    removed = eventually(lambda: removals() if len(removals()) == 2 else [])
    assert sorted(change.rule.region for change in removed) == [EAST, WEST]
    assert {change.reason for change in removed} == {"departed"}
    assert all(change.causes and change.rule.address.endswith("/32") for change in removed)
    answer = explained(two_regions, departed)
    assert [type(identity) for identity in answer.identities] == [DepartedInstance]
    assert answer.doors == ()


def test_the_maker_of_a_foreign_rule_is_known(two_regions: Cluster) -> None:
    east = two_regions.regions[EAST]
    with foreign_rule(two_regions, EAST, STRANGER) as rule:
        answer = explained(two_regions, STRANGER)
        assert answer.identities == ()
        assert [(door.verdict, door.rule and door.rule.id) for door in answer.doors] == [(DoorVerdict.FOREIGN, rule)]
        calls = EventHistory(east.client("cloudtrail"), Region(EAST)).latest_calls(
            SecurityGroupId(east.security_group), frozenset({rule})
        )
        assert calls[rule].operation == "AuthorizeSecurityGroupIngress"
        assert calls[rule].caller.endswith(":root")


def test_an_instance_of_the_account_that_is_not_in_the_cluster_is_a_stranger(two_regions: Cluster) -> None:
    ec2 = two_regions.regions[WEST].client("ec2")
    image = ec2.describe_images()["Images"][0]["ImageId"]
    made = ec2.run_instances(ImageId=image, MinCount=1, MaxCount=1, InstanceType="t3.micro")["Instances"][0]
    try:
        answer = explained(two_regions, made["PrivateIpAddress"])
        assert Stranger(Region(WEST), made["InstanceId"]) in answer.identities
    finally:
        ec2.terminate_instances(InstanceIds=[made["InstanceId"]])


# The checks of `doctor`.


def expected(cluster: Cluster) -> list[Expected]:
    return [Expected(settings(cluster, region), PARAMETERS) for region in cluster.regions]


def facts_of(cluster: Cluster, client_of: Callable[[str, Region], Any] | None = None) -> list[RegionFacts]:
    """The facts of each Region."""
    wanted, clients_of = expected(cluster), client_of or clients(cluster)
    paths = [PathReader(clients_of, region, wanted).path() for region in wanted]
    return [Reader(clients_of, *of_region).facts() for of_region in zip(wanted, paths, strict=True)]


def findings_of(cluster: Cluster, client_of: Callable[[str, Region], Any] | None = None) -> list[Finding]:
    """Every finding that is not OK."""
    wanted = expected(cluster)
    facts = facts_of(cluster, client_of)
    findings = list(check_room(facts, wanted))
    for region, own in zip(facts, wanted, strict=True):
        reasons = [*path_reasons(region.path, own), *true_up_reasons(region.path, own, region.at)]
        findings += check_standing(region, own, standing(own.region, reasons))
        findings += [*check_groups(region, own), *check_access(region, own)]
    return [finding for finding in findings if finding.severity is not Severity.OK]


def test_a_healthy_cluster_has_no_finding(two_regions: Cluster) -> None:
    assert findings_of(two_regions) == []


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
def test_only_the_fault_is_found(
    two_regions: Cluster, broken: Callable[[Cluster], Any], found: set[tuple[str, str]]
) -> None:
    with broken(two_regions):
        findings = findings_of(two_regions)
    problems = [finding for finding in findings if finding.severity is Severity.PROBLEM]
    assert {(finding.check, finding.region) for finding in problems} == found
    assert all(finding.fix for finding in findings)
    # a function that was changed waits for its first true-up, and CloudFormation has the settings of the file
    assert {finding.check for finding in findings if finding not in problems} <= {"engine", "true-ups"}


def test_without_permissions_each_part_is_reported_as_not_checked(two_regions: Cluster) -> None:
    may = {"Effect": "Allow", "Action": ["ec2:Describe*", "sts:*"], "Resource": "*"}
    session = session_of_role(two_regions.lab, f"reader-{time.time():.0f}", [may])
    findings = findings_of(two_regions, clients(two_regions, session))
    assert {finding.severity for finding in findings} == {Severity.WARNING}
    unread = {finding.check for finding in findings if finding.message.startswith("not checked")}
    assert {"stack", "schedule", "queue", "table", "hooks", "engine"} <= unread
    assert ("your access", EAST) in {(finding.check, finding.region) for finding in findings}


def test_a_service_that_hangs_hides_no_other_and_delays_none(two_regions: Cluster) -> None:
    two_regions.lab.fault(EAST, "hang", "logs")
    wanted = expected(two_regions)
    started = time.monotonic()
    path = PathReader(clients(two_regions), wanted[0], wanted).path()
    assert time.monotonic() - started < HANGING_REGION_SECONDS
    assert isinstance(path.reconciles, Unread)
    read = (path.resources.stack, path.resources.queue, path.resources.table)
    assert [part for part in read if isinstance(part, Unread)] == []


# Adoption.


def adoption(cluster: Cluster, region: str) -> RegionAdoption:
    client_of, own = clients(cluster), settings(cluster, region)
    services = region_services(client_of, own.region, "ringfence-demo")
    return RegionAdoption(services, {own.security_groups[0]: Ports()}, scope_in(own.region, own))


def test_a_members_rule_made_by_hand_is_adopted_and_is_removed_when_the_member_departs(two_regions: Cluster) -> None:
    # given: the rule for the east's member in the west was made by hand, or by the original sample
    west = two_regions.regions[WEST]
    (member,) = two_regions.regions[EAST].instances().values()
    (rule,) = [rule for rule in west.rules() if rule["CidrIpv4"] == f"{member.address}/32"]
    west.client("ec2").update_security_group_rule_descriptions_ingress(
        GroupId=west.security_group,
        SecurityGroupRuleDescriptions=[{"SecurityGroupRuleId": rule["SecurityGroupRuleId"], "Description": "by hand"}],
    )
    before = {rule["SecurityGroupRuleId"]: rule["CidrIpv4"] for rule in west.rules()}
    # when
    region = adoption(two_regions, WEST)
    plans = region.plan()
    assert region.adopt(plans) == {rule["SecurityGroupRuleId"]}
    # then
    assert {rule["SecurityGroupRuleId"]: rule["CidrIpv4"] for rule in west.rules()} == before
    (adopted,) = [found for found in west.rules() if found["SecurityGroupRuleId"] == rule["SecurityGroupRuleId"]]
    assert adopted["Description"] == rule["Description"]
    assert [plan.adopted for plan in region.plan()] == [()]
    two_regions.regions[EAST].scale_to(0)
    eventually(lambda: Cidr(f"{member.address}/32") not in {rule["CidrIpv4"] for rule in west.rules()}, 30)


def test_a_strangers_rule_is_not_adopted(two_regions: Cluster) -> None:
    with foreign_rule(two_regions, EAST, STRANGER) as rule:
        (plan,) = adoption(two_regions, EAST).plan()
        assert plan.adopted == ()
        assert [(foreign.rule.id, str(foreign.why)) for foreign in plan.foreign] == [(rule, "no-member")]
