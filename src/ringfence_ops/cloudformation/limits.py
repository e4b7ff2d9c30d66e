"""AWS's limits of lengths that a cluster can exceed, as `ringfence deploy` checks them before anything changes.

Pure. What is measured is what template.yaml makes of the parameters; a test compares both.

Sources: EventBridge User Guide, "Amazon EventBridge quotas" (2,048 characters of an event pattern, adjustable); Lambda
Developer Guide, "Lambda quotas" (4 KB of environment variables, not adjustable). Lambda measures the variables as JSON:
its refusal shows the text (terraform-aws-github-runner #3594).
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from ringfence.core.configuration.setting import Use
from ringfence.core.configuration.setting_table import TABLE
from ringfence.core.model.identifiers import Region

EVENT_PATTERN = 2048
"""Characters of an event pattern, if the account's quota was not raised."""

ENVIRONMENT = 4096
"""Bytes of a function's environment variables."""


@dataclass(frozen=True, slots=True)
class Subject:
    """What is measured: one Region's stack, by the parameters that it gets. `cluster` is the cluster's name."""

    cluster: str
    partition: str
    region: Region
    account: str
    parameters: Mapping[str, str]

    @property
    def event_pattern(self) -> str:
        """The pattern of the rule that matches lifecycle events."""
        return _json(
            {
                "source": ["aws.autoscaling"],
                "detail-type": [
                    "EC2 Instance-launch Lifecycle Action",
                    "EC2 Instance-terminate Lifecycle Action",
                ],
                "detail": {"AutoScalingGroupName": self.parameters["AutoScalingGroups"].split(",")},
            }
        )

    @property
    def environment(self) -> dict[str, str]:
        """The function's environment variables. In some partitions, the URL of the queue is a few characters longer."""
        name, owner = f"ringfence-{self.cluster}", f"{self.region}:{self.account}"
        settings = {
            setting.variable: self.parameters[setting.parameter_name]
            for setting in TABLE
            if setting.use is not Use.STACK
        }
        return {
            **settings,
            "RINGFENCE_ACCOUNT": self.account,
            "RINGFENCE_TABLE": name,
            "RINGFENCE_QUEUE_ARN": f"arn:{self.partition}:sqs:{owner}:{name}.fifo",
            "RINGFENCE_DEAD_LETTER_QUEUE_URL": (
                f"https://sqs.{self.region}.amazonaws.com/{self.account}/{name}-dead.fifo"
            ),
            "RINGFENCE_LAUNCH_HOOK": f"{name}-launch",
            "RINGFENCE_TERMINATE_HOOK": f"{name}-terminate",
            "POWERTOOLS_SERVICE_NAME": self.cluster,
            "POWERTOOLS_METRICS_NAMESPACE": "Ringfence",
            "POWERTOOLS_LOG_LEVEL": self.parameters["LogLevel"],
        }


def exceeded(subject: Subject, event_pattern: int = EVENT_PATTERN) -> Iterator[str]:
    """Each limit that the Region's stack exceeds: how much of how much, what takes most of it, and what to do."""
    pattern = len(subject.event_pattern)
    if pattern > event_pattern:
        groups = subject.parameters["AutoScalingGroups"]
        yield (
            f"{subject.region}: the event pattern has {pattern:,} of {event_pattern:,} characters, of which"
            f" auto_scaling_groups takes {len(groups):,} ({_items(groups)}): use fewer groups or shorter names, or have"
            " EventBridge's quota raised and give --event-pattern-quota"
        )
    size = len(_json(subject.environment).encode())
    if size > ENVIRONMENT:
        longest = max(subject.environment.items(), key=lambda variable: len(variable[1]))
        yield (
            f"{subject.region}: the function's environment has {size:,} of {ENVIRONMENT:,} bytes, of which"
            f" {_setting(longest[0])} takes {len(longest[1].encode()):,} ({_items(longest[1])}): make that list shorter"
        )


def _items(texts: str) -> str:
    count = len(texts.split(","))
    return f"{count} entries" if count > 1 else "1 entry"


def _setting(variable: str) -> str:
    """The setting of an environment variable."""
    names: Sequence[str] = [setting.name for setting in TABLE if setting.variable == variable]
    return names[0] if names else variable


def _json(value: object) -> str:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)
