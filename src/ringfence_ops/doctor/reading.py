"""Reads what `doctor` needs of one Region besides its state: all parts concurrently and independently, so that one that
fails or hangs hides no other.

Changes nothing: permissions are tested by dry runs. Judges nothing.
"""

import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from functools import partial
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from ringfence.aws.assembly import ClientOf, home_services
from ringfence.aws.dynamodb import AwsRosterTable
from ringfence.aws.ec2 import AwsSecurityGroups
from ringfence.aws.error_codes import dry_run_allowed
from ringfence.core.model.identifiers import InstanceId, Region, SecurityGroupId
from ringfence.core.model.rosters import Rows
from ringfence.core.observation import Instance
from ringfence.core.rule_count import prefix_lists_of
from ringfence_ops.aws.quotas import GROUPS, RULES, read_quota
from ringfence_ops.doctor.alarm_reading import read_topic
from ringfence_ops.doctor.alarms import topic_of
from ringfence_ops.doctor.facts import AccessFacts, GroupFacts, QuotaFacts, RegionFacts, SecurityGroup, TableContent
from ringfence_ops.logs.audit_log import AuditLog, LoggedChange, log_group
from ringfence_ops.logs.cloudtrail import EventHistory
from ringfence_ops.repair.stack_repair import SERVICES as REPAIRED_SERVICES
from ringfence_ops.repair.stack_repair import StackRepair
from ringfence_ops.state.path import Expected, Grant, PathFacts
from ringfence_ops.state.path_reading import part
from ringfence_ops.state.region_snapshot import observe
from ringfence_ops.state.unowned_rules import UnownedRule, judged, with_callers

SERVICES = ("ec2", "cloudtrail", "service-quotas", "sns", "sts", *REPAIRED_SERVICES)
"""The services that `Reader` calls."""

CHANGES_BACK = 24 * 3600
"""Seconds of the log that are searched for changes of rules."""

_DOCUMENTATION_RULE = {"IpProtocol": "tcp", "FromPort": 9, "ToPort": 9, "IpRanges": [{"CidrIp": "192.0.2.1/32"}]}
"""The rule of the dry runs: the discard port, for an address reserved for documentation (RFC 5737)."""


@dataclass(frozen=True, slots=True)
class Reader:
    """Reads one Region. `path` is its path of events, as it was read with its state."""

    client_of: ClientOf
    expected: Expected
    path: PathFacts

    def facts(self) -> RegionFacts:
        """The facts. An error of AWS is not raised: it is part of the facts, as Unread."""
        with ThreadPoolExecutor(12) as pool:

            def start(read: Callable[[], object]) -> Future[Any]:
                return pool.submit(part, read)

            rows, security_groups, instances = start(self._rows), start(self._security_groups), start(self._instances)
            changes, skew, own_grants = start(self._changes), start(self._skew), start(self._own_grants)
            topic = start(lambda: read_topic(self.client_of, topic_of(self.expected)))
            rules, groups = (start(partial(read_quota, self.client_of, self.region, code)) for code in (RULES, GROUPS))
            drift = start(StackRepair(self._client, self.expected.name).find)
            unowned = start(lambda: self._unowned(rows.result(), security_groups.result()))
        return RegionFacts(
            self.region,
            time.time(),
            self.path,
            GroupFacts(security_groups.result(), instances.result()),
            changes.result(),
            AccessFacts(skew.result(), own_grants.result()),
            TableContent(rows.result(), unowned.result() or ()),
            topic.result(),
            QuotaFacts(rules.result(), groups.result()),
            drift.result(),
        )

    @property
    def region(self) -> Region:
        """The Region that is read."""
        return self.expected.region

    def _client(self, service: str) -> Any:
        return self.client_of(service, self.region)

    def _rows(self) -> Rows:
        return AwsRosterTable(self._client("dynamodb"), self.region, self.expected.name).rows()

    def _unowned(self, rows: object, groups: object) -> tuple[UnownedRule, ...]:
        """The rules of unknown owner, with who made them if CloudTrail tells."""
        if not isinstance(rows, Rows) or not isinstance(groups, Mapping):
            return ()
        rules = {id: group.rules for id, group in groups.items() if isinstance(group, SecurityGroup)}
        found = judged(self.expected.settings, rules, rows)
        with suppress(ClientError, BotoCoreError):
            return with_callers(found, EventHistory(self._client("cloudtrail"), self.region))
        return found  # their age is unknown

    def _security_groups(self) -> Mapping[SecurityGroupId, SecurityGroup]:
        ec2, ids = self._client("ec2"), self.expected.settings.security_groups
        described = ec2.describe_security_groups(Filters=[{"Name": "group-id", "Values": list(ids)}])
        tags = {
            SecurityGroupId(group["GroupId"]): {tag["Key"]: tag["Value"] for tag in group.get("Tags", [])}
            for group in described["SecurityGroups"]
        }
        security_groups = AwsSecurityGroups(ec2, self.region)
        rules = security_groups.rules(tuple(tags)) if tags else {}
        lists = prefix_lists_of(rule for group in rules.values() for rule in group)
        prefix_lists = security_groups.prefix_lists(lists) if lists else {}
        return {id: SecurityGroup(id, tags[id], rules[id], prefix_lists) for id in tags}

    def _instances(self) -> Mapping[InstanceId, Instance]:
        """The instances that EC2 describes. While a zone fails, its instances are missing."""
        observation, _ = observe(home_services(self.client_of, self.region), self.expected.settings)
        return observation.instances

    def _changes(self) -> tuple[LoggedChange, ...]:
        log = AuditLog(self._client("logs"), self.region, log_group(self.expected.settings.cluster))
        return tuple(log.changes(time.time() - CHANGES_BACK))

    def _skew(self) -> float:
        """Seconds that this machine's clock is ahead of AWS's. `Date` has whole seconds, so AWS's clock is half a
        second past it on average."""
        sent = time.time()
        response = self._client("sts").get_caller_identity()
        here = (sent + time.time()) / 2
        return here - parsedate_to_datetime(response["ResponseMetadata"]["HTTPHeaders"]["date"]).timestamp() - 0.5

    def _own_grants(self) -> Mapping[str, Grant]:
        ec2, group = self._client("ec2"), self.expected.settings.security_groups[0]
        calls = {
            "ec2:AuthorizeSecurityGroupIngress": ec2.authorize_security_group_ingress,
            "ec2:RevokeSecurityGroupIngress": ec2.revoke_security_group_ingress,
            "ec2:UpdateSecurityGroupRuleDescriptionsIngress": ec2.update_security_group_rule_descriptions_ingress,
        }
        rule = {"GroupId": group, "IpPermissions": [_DOCUMENTATION_RULE]}
        return {action: _dry_run(partial(call, **rule, DryRun=True)) for action, call in calls.items()}


def _dry_run(call: Callable[[], object]) -> Grant:
    """Whether EC2 would allow the call, which has the parameter `DryRun`."""
    try:
        call()
    except ClientError as error:
        allowed = dry_run_allowed(error)
        if allowed is None:
            raise
        return Grant.ALLOWED if allowed else Grant.DENIED
    return Grant.ALLOWED
