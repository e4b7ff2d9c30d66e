"""The function, and its event source mapping."""

from collections.abc import Mapping
from typing import Any

from botocore.exceptions import ClientError

from ringfence.aws.error_codes import is_absent_object, is_forbidden_bucket
from ringfence_ops.repair.drift import Fields, Repair
from ringfence_ops.repair.kinds.kind import ClientOf, pick
from ringfence_ops.repair.template import Resource

_SETTINGS = ("Handler", "MemorySize", "Role", "Runtime", "Timeout")
_RECONFIGURED = (*_SETTINGS, "Description")
CONCURRENCY, CODE, ARCHITECTURES, ENVIRONMENT = "ReservedConcurrency", "Code", "Architectures", "Environment"
_WAIT = {"Delay": 1, "MaxAttempts": 60}


class Functions:
    """`AWS::Lambda::Function`. A reserved concurrency is not the stack's and stays, unless it is 0."""

    def name(self, resource: Resource) -> str:
        """The function's name."""
        return str(resource.properties["FunctionName"])

    def wanted(self, resource: Resource) -> Fields:
        """The configuration; each environment variable counts by itself."""
        properties = resource.properties
        fields = pick(properties, *_SETTINGS) | {ARCHITECTURES: properties.get(ARCHITECTURES, ["x86_64"])}
        fields |= {CODE: "as deployed", "DeadLetterConfig": None, "Layers": None, "VpcConfig": None}
        return fields | _environment(properties)

    def found(self, client_of: ClientOf, resource: Resource) -> Fields | None:
        """The configuration of the function as it is."""
        client, name = client_of("lambda"), self.name(resource)
        function = client.get_function_configuration(FunctionName=name)
        fields = pick(function, *_SETTINGS) | {ARCHITECTURES: function.get(ARCHITECTURES, ["x86_64"])}
        fields |= {CODE: _code(client_of, resource, function["CodeSha256"])}
        fields |= {"DeadLetterConfig": function.get("DeadLetterConfig"), "Layers": function.get("Layers")}
        fields |= {"VpcConfig": function.get("VpcConfig", {}).get("SubnetIds")}
        reserved = client.get_function_concurrency(FunctionName=name).get("ReservedConcurrentExecutions")
        return fields | _environment(function) | ({CONCURRENCY: 0} if reserved == 0 else {})

    def repair(self, client_of: ClientOf, repair: Repair) -> None:
        """Creates the function, or sets what differs."""
        client, properties, name = client_of("lambda"), repair.resource.properties, self.name(repair.resource)
        if repair.is_missing:
            _create(client, properties)
            return
        changed = {one.name for one in repair.differences}
        if CONCURRENCY in changed:
            client.delete_function_concurrency(FunctionName=name)
        if changed - {CONCURRENCY, CODE, ARCHITECTURES}:
            client.update_function_configuration(
                FunctionName=name,
                **pick(properties, *_RECONFIGURED, ENVIRONMENT),
                **({"Layers": []} if "Layers" in changed else {}),
                **({"DeadLetterConfig": {"TargetArn": ""}} if "DeadLetterConfig" in changed else {}),
                **({"VpcConfig": {"SubnetIds": [], "SecurityGroupIds": []}} if "VpcConfig" in changed else {}),
            )
            client.get_waiter("function_updated_v2").wait(FunctionName=name, WaiterConfig=_WAIT)
        if changed & {CODE, ARCHITECTURES}:
            architectures = self.wanted(repair.resource)[ARCHITECTURES]
            client.update_function_code(FunctionName=name, **properties["Code"], Architectures=architectures)
            client.get_waiter("function_updated_v2").wait(FunctionName=name, WaiterConfig=_WAIT)


def _environment(configuration: Mapping[str, Any]) -> dict[str, Any]:
    """The variables as fields. An empty one is written as such, so that it differs from one that is not set."""
    variables = configuration.get(ENVIRONMENT, {}).get("Variables", {})
    return {name: value if value != "" else '""' for name, value in variables.items()}


def _code(client_of: ClientOf, resource: Resource, sha256: str) -> str:
    """Whether the function's code is the one in S3, by the checksum of the upload.

    Code is not judged without a checksum, or that the operator may not read.
    """
    code = resource.properties["Code"]
    try:
        head = client_of("s3").head_object(Bucket=code["S3Bucket"], Key=code["S3Key"], ChecksumMode="ENABLED")
    except ClientError as error:
        if is_absent_object(error) or is_forbidden_bucket(error):
            return "as deployed"
        raise
    return "as deployed" if head.get("ChecksumSHA256", sha256) == sha256 else "changed"


def _create(client: Any, properties: Mapping[str, Any]) -> None:
    name = properties["FunctionName"]
    tags = {tag["Key"]: tag["Value"] for tag in properties.get("Tags", [])}
    settings = pick(properties, *_RECONFIGURED, ENVIRONMENT, ARCHITECTURES, "Code")
    client.create_function(FunctionName=name, Tags=tags, **settings)
    client.get_waiter("function_active_v2").wait(FunctionName=name, WaiterConfig=_WAIT)


class EventSourceMappings:
    """`AWS::Lambda::EventSourceMapping`. A stack knows it by a UUID that Lambda makes, so only CloudFormation can make
    a deleted one again: another one would stay when the stack goes."""

    def name(self, resource: Resource) -> str:
        """The function of the mapping."""
        return str(resource.properties["FunctionName"]).rsplit(":", 1)[-1]

    def wanted(self, resource: Resource) -> Fields:
        """The mapping."""
        defaults: dict[str, Any] = {"Enabled": True, "MaximumBatchingWindowInSeconds": 0}
        defaults |= {"FilterCriteria": None, "ScalingConfig": None}
        return defaults | pick(resource.properties, "BatchSize", "Enabled", "FunctionResponseTypes")

    def found(self, client_of: ClientOf, resource: Resource) -> Fields | None:
        """The stack's mapping as it is."""
        mapping = client_of("lambda").get_event_source_mapping(UUID=resource.physical_id)
        if mapping["State"] == "Deleting":
            return None
        fields = pick(mapping, "BatchSize", "FunctionResponseTypes", "FilterCriteria", "ScalingConfig")
        window = mapping.get("MaximumBatchingWindowInSeconds", 0)
        enabled = mapping["State"] not in ("Disabled", "Disabling")
        return fields | {"Enabled": enabled, "MaximumBatchingWindowInSeconds": window}

    def repair(self, client_of: ClientOf, repair: Repair) -> None:
        """Updates the mapping; deletes what others made in place of a deleted one, which a new one would meet."""
        client, properties = client_of("lambda"), repair.resource.properties
        if repair.is_missing:
            source, function = properties["EventSourceArn"], properties["FunctionName"]
            listed = client.list_event_source_mappings(EventSourceArn=source, FunctionName=function)
            for mapping in listed["EventSourceMappings"]:
                client.delete_event_source_mapping(UUID=mapping["UUID"])
            return
        wanted = self.wanted(repair.resource)
        changed = {one.name for one in repair.differences}
        client.update_event_source_mapping(
            UUID=repair.resource.physical_id,
            **pick(wanted, "Enabled", "BatchSize", "MaximumBatchingWindowInSeconds", "FunctionResponseTypes"),
            **{name: {} for name in ("FilterCriteria", "ScalingConfig") if name in changed},
        )
