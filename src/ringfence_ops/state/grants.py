"""Asks IAM's policy simulator what the engine's role may do in every Region. Changes nothing."""

import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

from ringfence.core.model.identifiers import Region
from ringfence_ops.state.path import Expected, Grant

_LEADING_KEYS = "dynamodb:LeadingKeys"
_IN_EACH_GROUP = (
    "ec2:AuthorizeSecurityGroupIngress",
    "ec2:RevokeSecurityGroupIngress",
    "ec2:UpdateSecurityGroupRuleDescriptionsIngress",
)
_IN_EACH_TABLE = ("dynamodb:Query", "dynamodb:DescribeTable", "dynamodb:PutItem", "dynamodb:DeleteItem")
_IN_EACH_REGION = ("ec2:DescribeManagedPrefixLists", "ec2:DescribeSecurityGroupRules", "ec2:DescribeSecurityGroups")
_DESCRIBES = ("autoscaling:DescribeAutoScalingGroups", "autoscaling:DescribeWarmPool", "ec2:DescribeInstances")
_OF_QUEUE = ("sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes")

Grants = Mapping[tuple[str, Region], Grant]

GRANTS_SECONDS = 60.0
"""Seconds for which what IAM's simulator said is not asked again. It says the same for the same policies, and answers
few calls a second: a screen that is updated all the time would use them up."""


@dataclass(slots=True)
class KnownGrants:
    """What IAM's simulator said before, by Region and role, for a command that looks again and again."""

    _known: dict[tuple[Region, str], tuple[float, Grants]] = field(default_factory=dict)

    def of(self, region: Region, role: str, read: Callable[[], Grants]) -> Grants:
        """The grants, which are read if they are not known or too old."""
        at, grants = self._known.get((region, role), (0.0, {}))
        if time.monotonic() - at > GRANTS_SECONDS or not grants:
            grants = read()
            self._known[region, role] = time.monotonic(), grants
        return grants


@dataclass(frozen=True, slots=True)
class Simulation:
    """The questions about one Region's role. IAM is one for all Regions, so `iam` is the client of the Region itself: a
    peer that does not answer hides nothing."""

    iam: Any
    expected: Expected
    cluster: Sequence[Expected]
    role: str

    def grants(self) -> Grants:
        """The permissions of the engine's role in each Region, by IAM's simulator, which knows only the given tags."""
        settings, partition = self.expected.settings, self.role.split(":")[1]
        home = f"{self.expected.region}:{settings.account}"
        groups = [
            f"arn:{partition}:autoscaling:{home}:autoScalingGroup:*:autoScalingGroupName/{name}"
            for name in settings.auto_scaling_groups
        ]
        asked: list[tuple[Region, Sequence[str], Sequence[str]]] = [
            (self.expected.region, ("autoscaling:CompleteLifecycleAction",), groups),
            (self.expected.region, _DESCRIBES, ["*"]),
            (self.expected.region, _OF_QUEUE, [f"arn:{partition}:sqs:{home}:{self.expected.name}.fifo"]),
            (self.expected.region, ("dynamodb:Scan",), [f"arn:{partition}:dynamodb:{home}:table/{self.expected.name}"]),
        ]
        for peer in self.cluster:
            owner = f"{peer.region}:{settings.account}"
            group_arns = [f"arn:{partition}:ec2:{owner}:security-group/{id}" for id in peer.settings.security_groups]
            asked += [
                (peer.region, _IN_EACH_GROUP, group_arns),
                (peer.region, _IN_EACH_TABLE, [f"arn:{partition}:dynamodb:{owner}:table/{self.expected.name}"]),
                (peer.region, _IN_EACH_REGION, ["*"]),
            ]
        with ThreadPoolExecutor(4) as pool:
            answers = list(pool.map(lambda one: self._simulated(*one), asked))
        return {key: grant for answer in answers for key, grant in answer.items()}

    def _simulated(
        self, region: Region, actions: Sequence[str], resources: Sequence[str]
    ) -> dict[tuple[str, Region], Grant]:
        """An action counts as allowed if it is allowed on each of the resources.

        Source: IAM API Reference, `SimulatePrincipalPolicy`.
        """
        context = {
            "aws:RequestedRegion": region,
            "aws:ResourceTag/ringfence-cluster": self.expected.settings.cluster,
            _LEADING_KEYS: self.expected.region,  # the engine writes only the rows of its own Region
        }
        response = self.iam.simulate_principal_policy(
            PolicySourceArn=self.role,
            ActionNames=list(actions),
            ResourceArns=list(resources),
            ContextEntries=[
                {
                    "ContextKeyName": name,
                    "ContextKeyValues": [value],
                    "ContextKeyType": "stringList" if name == _LEADING_KEYS else "string",
                }
                for name, value in context.items()
            ],
        )
        denied = {
            result["EvalActionName"]
            for result in response["EvaluationResults"]
            if result["EvalDecision"] != Grant.ALLOWED.value
        }
        return {(action, region): Grant.DENIED if action in denied else Grant.ALLOWED for action in actions}
