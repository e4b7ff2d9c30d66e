"""Deploys the example prerequisites and the Ringfence stack in a Region of the lab, through CloudFormation.

It knows AWS through boto3, and the project's two templates. It must not know the emulator.
"""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError, WaiterError

from ringfence_lab.control.client import LabError
from ringfence_ops.cloudformation.artefact import PROJECT

_CAPABILITIES = ["CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"]
_CODE_URI = re.compile(r"^(\s+CodeUri:) \.$", re.MULTILINE)
_POLL = {"Delay": 0.05, "MaxAttempts": 1200}


@dataclass(frozen=True, slots=True)
class Deployed:
    """The resources of a cluster in a Region. Queues are URLs, the security group is an id, the topic is an ARN, the
    others are names. The queue of alarms subscribes to the topic."""

    stack: str
    auto_scaling_group: str
    security_group: str
    table: str
    function: str
    queue: str
    dead_letter_queue: str
    alarm_topic: str
    alarm_queue: str


@dataclass(frozen=True, slots=True)
class LabDeployment:
    """How to deploy a cluster: its Regions, its Lambda artefact, and further parameters of the stack.

    `client_of` returns a client of a service in a Region.
    """

    cluster: str
    regions: Sequence[str]
    artefact: Path
    client_of: Callable[[str, str], Any]
    parameters: Mapping[str, str]
    project: Path = PROJECT

    def deploy(self, region: str) -> Deployed:
        """Deploys a Region. Raises LabError with CloudFormation's reason."""
        return self.deploy_stack(region, self.deploy_prerequisites(region))

    def deploy_prerequisites(self, region: str) -> dict[str, str]:
        """Deploys the example's groups in a Region. Returns the stack's outputs. Raises LabError."""
        template = (self.project / "examples" / "prerequisites.yaml").read_text()
        return self._create(region, f"{self.cluster}-prerequisites", template, {"ClusterName": self.cluster})

    def deploy_stack(self, region: str, prerequisites: Mapping[str, str]) -> Deployed:
        """Deploys the Ringfence stack for these groups. Raises LabError with CloudFormation's reason."""
        stack = f"ringfence-{self.cluster}"
        topic, queue = self.make_alarm_topic(region)
        outputs = self._create(
            region,
            stack,
            self._packaged(region),
            {
                "ClusterName": self.cluster,
                "Regions": ",".join(self.regions),
                "AutoScalingGroups": prerequisites["AutoScalingGroup"],
                "SecurityGroups": prerequisites["SecurityGroup"],
                "AlarmTopic": topic,
                **self.parameters,
            },
        )
        return Deployed(
            stack=stack,
            auto_scaling_group=prerequisites["AutoScalingGroup"],
            security_group=prerequisites["SecurityGroup"],
            table=outputs["Table"],
            function=outputs["Function"],
            queue=outputs["Queue"],
            dead_letter_queue=outputs["DeadLetterQueue"],
            alarm_topic=topic,
            alarm_queue=queue,
        )

    def make_alarm_topic(self, region: str) -> tuple[str, str]:
        """A topic that the Region's alarms notify, and a queue that subscribes to it: its ARN, and the queue's URL."""
        sns, sqs, name = self.client_of("sns", region), self.client_of("sqs", region), f"{self.cluster}-alarms"
        topic: str = sns.create_topic(Name=name)["TopicArn"]
        queue: str = sqs.create_queue(QueueName=name)["QueueUrl"]
        arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
        statement = {"Effect": "Allow", "Principal": {"Service": "sns.amazonaws.com"}, "Action": "sqs:SendMessage"}
        policy = {"Version": "2012-10-17", "Statement": [{**statement, "Resource": arn}]}
        sqs.set_queue_attributes(QueueUrl=queue, Attributes={"Policy": json.dumps(policy)})
        sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn)
        return topic, queue

    def _packaged(self, region: str) -> str:
        """The template with its code in S3, as `sam package` writes it."""
        s3, bucket = self.client_of("s3", region), f"ringfence-artefacts-{region}"
        constraint = {} if region == "us-east-1" else {"CreateBucketConfiguration": {"LocationConstraint": region}}
        s3.create_bucket(Bucket=bucket, **constraint)
        s3.put_object(
            Bucket=bucket, Key=self.artefact.name, Body=self.artefact.read_bytes(), ChecksumAlgorithm="SHA256"
        )
        template = (self.project / "template.yaml").read_text()
        packaged, functions = _CODE_URI.subn(rf"\1 s3://{bucket}/{self.artefact.name}", template)
        if functions != 1:
            raise LabError(f"template.yaml has {functions} functions with `CodeUri: .`: the lab deploys exactly one")
        return packaged

    def _create(self, region: str, stack: str, template: str, parameters: Mapping[str, str]) -> dict[str, str]:
        """Creates a stack, waits for it, and returns its outputs."""
        cloudformation = self.client_of("cloudformation", region)
        try:
            cloudformation.create_stack(
                StackName=stack,
                TemplateBody=template,
                Parameters=[{"ParameterKey": key, "ParameterValue": value} for key, value in parameters.items()],
                Capabilities=_CAPABILITIES,
            )
            cloudformation.get_waiter("stack_create_complete").wait(StackName=stack, WaiterConfig=_POLL)
        except ClientError as error:
            raise LabError(f"{stack} in {region} was refused: {error.response['Error']['Message']}") from None
        except WaiterError:
            raise LabError(f"{stack} in {region} was not created: {_first_failure(cloudformation, stack)}") from None
        described = cloudformation.describe_stacks(StackName=stack)["Stacks"][0]
        return {output["OutputKey"]: output["OutputValue"] for output in described.get("Outputs", [])}


def _first_failure(cloudformation: Any, stack: str) -> str:
    """The reason of the first failed resource."""
    failures = [
        f"{event['LogicalResourceId']}: {event.get('ResourceStatusReason', 'no reason given')}"
        for event in cloudformation.describe_stack_events(StackName=stack)["StackEvents"]
        if event["ResourceStatus"].endswith("_FAILED")
    ]
    return failures[-1] if failures else "CloudFormation gives no reason"
