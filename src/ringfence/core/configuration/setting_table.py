"""The table of settings: one row for each, in the order in which the console and the documents show them.

Pure. From a row follow the function's environment variable and how it is read, the key of the cluster file with its
comment and its check, the stack's parameter with its label, group, default and bounds, and the line in the README. To
add a setting, write its row, add its field to `settings.Settings` if the engine works with it, and run `make docs`.
"""

from collections.abc import Iterable, Mapping
from enum import Enum
from typing import Any

from ringfence.core.configuration.choices import Mode, NoAddress, PrivateAddresses
from ringfence.core.configuration.schedule import expression
from ringfence.core.configuration.setting import Number, Scope, Section, Setting, Text, Use, matching
from ringfence.core.model.addresses import AddressKind, network, static_member
from ringfence.core.model.identifiers import Region, SecurityGroupId
from ringfence.core.model.ports import Ports

Table = tuple[Setting, ...]


def _values(choices: Iterable[Enum]) -> tuple[str, ...]:
    return tuple(choice.value for choice in choices)


_REGION = "[a-z]+(-[a-z]+)+-[0-9]+"
_CLUSTER = "[a-z][a-z0-9-]{0,31}"
_CLUSTER_MUST_BE = "1 to 32 of a-z, 0-9 and hyphen, the first a letter, such as my-cluster"
_RESULTS = ("CONTINUE", "ABANDON")

TABLE: Table = (
    Setting(
        name="cluster",
        type=Text(matching(_CLUSTER, _CLUSTER_MUST_BE), pattern=_CLUSTER, must_be=_CLUSTER_MUST_BE),
        section=Section.CLUSTER,
        label="Cluster name",
        description=(
            "Names the cluster, the stacks, tables, functions and hooks, and the label of every rule. It is the same in"
            " every Region and cannot be changed later."
        ),
        key=("name",),
        parameter="ClusterName",
    ),
    Setting(
        name="regions",
        type=Text(Region, many=tuple, pattern=_REGION, must_be="a list of Regions such as us-east-1,eu-west-1"),
        section=Section.CLUSTER,
        label="Regions of the cluster",
        description=(
            "All Regions of the cluster, including this one. Give the same list in every Region. A Region can be on the"
            " list before it is deployed."
        ),
        key=(),
    ),
    Setting(
        name="auto_scaling_groups",
        # The characters and the length that IAM accepts in the name of a policy, which contains the group's name.
        type=Text(
            many=tuple,
            pattern=r"[\w+=.@-]{1,112}",
            must_be="a list of names of 1 to 112 letters, digits and any of + = . @ _ -",
        ),
        section=Section.REGION,
        label="Auto Scaling groups in this Region",
        description="The Auto Scaling groups in this Region whose instances are members.",
        scope=Scope.REGION,
    ),
    Setting(
        name="security_groups",
        type=Text(
            SecurityGroupId,
            many=tuple,
            pattern="sg-[0-9a-f]{8,17}",
            must_be="a list of ids such as sg-0123456789abcdef0",
        ),
        section=Section.REGION,
        label="Security groups in this Region",
        description=(
            "The security groups in this Region that Ringfence manages. Each needs the tag ringfence-cluster with the"
            " name of the cluster; Ringfence cannot change a group without it."
        ),
        scope=Scope.REGION,
    ),
    Setting(
        name="ports",
        type=Text(
            Ports.parse,
            pattern="auto|(tcp|udp)/[0-9]+(-[0-9]+)?(,(tcp|udp)/[0-9]+(-[0-9]+)?)*",
            must_be="auto, or a list such as tcp/7000-7001,udp/8301",
        ),
        section=Section.ADMISSION,
        label="Ports",
        description=(
            "The ports on which members are admitted. auto uses the ports on which each security group admits itself."
            " A list names them, such as tcp/7000-7001,tcp/9042."
        ),
        default="auto",
    ),
    Setting(
        name="address_kinds",
        type=Text(
            AddressKind,
            many=frozenset,
            allowed=_values(AddressKind),
            pattern="|".join(_values(AddressKind)),
            must_be=f"a list of {', '.join(_values(AddressKind))}",
        ),
        section=Section.ADMISSION,
        label="Kinds of addresses",
        description=(
            "The kinds of addresses that members use to reach one another: public-ipv4, private-ipv4, ipv6,"
            " carrier-ipv4 (Wavelength) and customer-owned-ipv4 (Outposts)."
        ),
        default="public-ipv4",
    ),
    Setting(
        name="private_addresses",
        type=Text(PrivateAddresses, allowed=_values(PrivateAddresses)),
        section=Section.ADMISSION,
        label="Private addresses of an instance",
        description=(
            "With private-ipv4: all admits every private IPv4 address of an instance, secondary ones included, of which"
            " a node of a container cluster can have dozens. primary admits only the instance's own."
        ),
        default="all",
    ),
    Setting(
        name="static_members",
        type=Text(
            network,
            many=tuple,
            pattern="([0-9a-fA-F:.]+(/[0-9]{1,3})?)?",
            must_be="empty, or a list of CIDRs such as 192.0.2.0/24,2001:db8::/64",
            bounds=static_member,
        ),
        section=Section.ADMISSION,
        label="Static members",
        description=(
            "CIDRs that are always admitted, such as the CIDR of an office or of a monitoring host: unicast addresses"
            " only, in networks of at most /8 (IPv4) or /16 (IPv6)."
        ),
        default="",
    ),
    Setting(
        name="mode",
        type=Text(Mode, allowed=_values(Mode)),
        section=Section.ADMISSION,
        label="What may be changed",
        description=(
            "observe changes no rule and holds no instance: it records the members, and logs and counts what it would"
            " do. owned removes only rules that Ringfence made. mirror also removes every other CIDR that is not a"
            " member's, on the managed ports."
        ),
        default="owned",
    ),
    Setting(
        name="address_wait",
        type=Number("seconds", 1, 3600),
        section=Section.FAILURE,
        label="Wait for an address",
        description="How long a launching instance waits for an address of the configured kinds.",
        default=120,
    ),
    Setting(
        name="no_address",
        type=Text(NoAddress, allowed=_values(NoAddress)),
        section=Section.FAILURE,
        label="A launch that gets no address",
        description="What happens to a launching instance that has no such address when the wait is over.",
        default="continue",
    ),
    Setting(
        name="peer_deadline",
        type=Number("seconds", 1, 15),
        section=Section.FAILURE,
        label="Deadline for a peer Region",
        description="How long one reconcile waits for a peer Region in total.",
        default=5,
    ),
    Setting(
        name="release_deadline",
        type=Number("seconds", 1, 6900),
        section=Section.FAILURE,
        label="Hold a termination for a peer Region",
        description=(
            "How long a terminating instance is held while a peer Region that fails may still admit its address. Then"
            " it is released, and counts as a stale door until that Region is up to date."
        ),
        default=300,
    ),
    Setting(
        name="required_peers",
        type=Text(
            Region,
            many=tuple,
            pattern=f"({_REGION})?",
            must_be="empty, or a list of Regions such as us-east-1,eu-west-1",
        ),
        section=Section.FAILURE,
        label="Peer Regions that must be up to date",
        description="Peer Regions whose failure holds instances for as long as their hook allows.",
        default="",
        key=(),
    ),
    Setting(
        name="launch_heartbeat",
        type=Number("seconds", 30, 7200),
        section=Section.FAILURE,
        label="Launch hook's heartbeat",
        description=(
            "How long Auto Scaling waits for an answer to a launch. It must be longer than the wait for an address plus"
            " the period of the schedule."
        ),
        default=300,
        use=Use.WARNING,
    ),
    Setting(
        name="launch_default_result",
        type=Text(allowed=_RESULTS),
        section=Section.FAILURE,
        label="Launch hook's default result",
        description=(
            "What happens to a launch without an answer. With ABANDON, Auto Scaling launches and terminates instances"
            " in a loop while the engine is down."
        ),
        default="CONTINUE",
        use=Use.STACK,
    ),
    Setting(
        name="terminate_heartbeat",
        type=Number("seconds", 30, 7200),
        section=Section.FAILURE,
        label="Termination hook's heartbeat",
        description=(
            "How long Auto Scaling waits for an answer to a termination. It must be longer than the release deadline"
            " plus the period of the schedule."
        ),
        default=900,
        use=Use.WARNING,
    ),
    Setting(
        name="terminate_default_result",
        type=Text(allowed=_RESULTS),
        section=Section.FAILURE,
        label="Termination hook's default result",
        description=(
            "What happens to a termination without an answer. CONTINUE lets other hooks finish first, and terminates"
            " the instance. ABANDON terminates it at once, unless the group's instance lifecycle policy retains what is"
            " abandoned: then the instance runs on, outside of the group's capacity."
        ),
        default="CONTINUE",
        use=Use.STACK,
    ),
    Setting(
        name="guard_percent",
        type=Number("percent", 0, 100),
        section=Section.SAFETY,
        label="Guard, share of a group's rules",
        description="Unexplained removals above this percentage need a second observation.",
        default=30,
        key=("guard", "percent"),
    ),
    Setting(
        name="guard_minimum",
        type=Number("rules", 1, 1000),
        section=Section.SAFETY,
        label="Guard, least number of rules",
        description=(
            "The guard holds fewer unexplained removals than this only if the roster does not know their instance, or"
            " no address of it."
        ),
        default=10,
        key=("guard", "minimum"),
    ),
    Setting(
        name="rules_quota",
        type=Number("rules", 1, 1000),
        section=Section.SAFETY,
        label="Quota of inbound rules for a security group",
        description=(
            "The account's quota of inbound rules for a security group and an address family. The quota alarm rings at"
            " 90 percent of it."
        ),
        default=60,
    ),
    Setting(
        name="schedule",
        type=Text(
            expression,
            pattern=r"(rate|cron)\(.+\)",
            must_be="a rate(...) or cron(...) expression of EventBridge Scheduler",
        ),
        section=Section.OPERATION,
        label="Schedule of the true-up",
        description=(
            "How often a true-up runs. It repairs what no event reported, and answers the hooks that still wait. With a"
            " longer period than two minutes, raise SilenceAlarmMinutes too."
        ),
        default="rate(1 minute)",
        use=Use.WARNING,
        parameter="ScheduleExpression",
    ),
    Setting(
        name="alarm_topic",
        type=Text(pattern="(arn:aws[a-z-]*:sns:.+)?", must_be="the ARN of an SNS topic in this Region, or empty"),
        section=Section.OPERATION,
        label="SNS topic for alarms",
        description="The SNS topic of this Region that alarms notify. Without one, alarms notify no one.",
        default="",
        scope=Scope.REGION,
        use=Use.STACK,
    ),
    Setting(
        name="silence_alarm_minutes",
        type=Number("minutes", 2, 180),
        section=Section.OPERATION,
        label="Silence of the engine that alarms",
        description=(
            "The alarm rings when there was a failed reconcile, or none, in each of so many minutes. It must be at"
            " least a minute longer than the period of the schedule."
        ),
        default=3,
        use=Use.STACK,
    ),
    Setting(
        name="stale_door_alarm_seconds",
        type=Number("seconds", 1),
        section=Section.OPERATION,
        label="Age of a stale door that alarms",
        description="The alarm rings when a rule is still in place this long after its member left.",
        default=60,
        use=Use.STACK,
    ),
    Setting(
        name="log_retention_days",
        # Source: CloudWatch Logs API, PutRetentionPolicy.
        type=Number(
            "days",
            1,
            allowed=(
                *(1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545),
                *(731, 1096, 1827, 2192, 2557, 2922, 3288, 3653),
            ),
        ),
        section=Section.OPERATION,
        label="Retention of logs",
        description="How long the log is kept. It is the audit trail of all rules that were added and removed.",
        default=90,
        use=Use.STACK,
    ),
    Setting(
        name="log_level",
        type=Text(allowed=("DEBUG", "INFO", "WARNING", "ERROR")),
        section=Section.OPERATION,
        label="Log level",
        description="INFO logs every change. WARNING logs only what needs attention.",
        default="INFO",
        use=Use.STACK,
    ),
)


def defaults(table: Table, scope: Scope | None = None) -> Mapping[str, Any]:
    """The value of each setting that has a default, by name; of one scope, or of both."""
    return {
        setting.name: setting.default_value
        for setting in table
        if setting.default is not None and scope in (None, setting.scope)
    }


DEFAULTS: Mapping[str, Any] = defaults(TABLE)
"""The value of each setting that has a default, by name."""

SETTINGS: Mapping[str, Setting] = {setting.name: setting for setting in TABLE}
"""The rows by name."""
