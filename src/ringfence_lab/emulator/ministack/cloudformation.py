"""Adds resource types to the lab's CloudFormation: those that MiniStack lacks, or creates in its own EC2.

Patches of MiniStack's CloudFormation. `resources` defines the types.
"""

import json
from typing import Any

from ministack.core.responses import get_region
from ministack.services import dynamodb, iam, ssm
from ministack.services.cloudformation import provisioners, stacks

from ringfence_lab.emulator import images, resources
from ringfence_lab.emulator.faults import Faults
from ringfence_lab.emulator.moto_services import MotoServices
from ringfence_lab.emulator.resources.resource_type import (
    Created,
    RegionClients,
    ResourceProperties,
    ResourceType,
    is_true,
)

_ROLE_REFUSALS = {
    "AWS::Lambda::Function": (
        "lambda",
        "The role defined for the function cannot be assumed by Lambda. (Service: Lambda, Status Code: 400)",
    ),
    "AWS::Scheduler::Schedule": (
        "scheduler",
        "The execution role you provide must allow AWS EventBridge Scheduler to assume the role.",
    ),
}
"""How a service refuses a role that it does not see yet. Source: see `ringfence.aws.error_codes.is_new_role`."""


def install(moto: MotoServices, faults: Faults) -> None:
    """Patches MiniStack. Call it once in a process."""
    for name, resource_type in resources.TYPES.items():
        provisioners._RESOURCE_HANDLERS[name] = _handlers(moto, name, resource_type)
    provisioners._RESOURCE_HANDLERS["AWS::IAM::RolePolicy"] = {
        "create": _put_role_policy,
        "update": lambda _id, old, new, stack: _replace_role_policy(old, new, stack),
        "delete": _delete_role_policy,
    }
    for name, (service, message) in _ROLE_REFUSALS.items():
        handlers = provisioners._RESOURCE_HANDLERS[name]
        handlers["create"] = _refusing_new_roles(handlers["create"], faults, service, message)
    table = provisioners._RESOURCE_HANDLERS["AWS::DynamoDB::Table"]
    table["create"] = _with_recovery(table["create"])
    stacks._revert_update = _refusing_if_stuck(stacks._revert_update, faults)
    stacks._delete_resource = _deleting_unless_stuck(stacks._delete_resource, faults)
    provisioners._physical_name = _name_in_region(provisioners._physical_name)
    ssm._PUBLIC_AMI_PARAMETERS = images.PARAMETERS


def _handlers(moto: MotoServices, name: str, resource_type: ResourceType) -> dict[str, Any]:
    """A resource type in the form of MiniStack's CloudFormation."""

    def clients() -> RegionClients:
        return RegionClients(moto.client("ec2", get_region()), moto.client("autoscaling", get_region()))

    def create(logical_id: str, properties: ResourceProperties, stack: str) -> Created:
        return resource_type.create(clients(), properties, provisioners._physical_name(stack, logical_id, max_len=255))

    def update(id: str, old: ResourceProperties, new: ResourceProperties, stack: str, logical_id: str) -> Created:
        if resource_type.can_update(old, new):
            return resource_type.update(clients(), id, old, new)
        created: Created = provisioners._replace_resource(name, id, old, new, stack, logical_id)
        return created

    def delete(id: str, properties: ResourceProperties) -> None:
        resource_type.delete(clients(), id, properties)

    return {"create": create, "update": update, "update_with_logical_id": True, "delete": delete}


def _refusing_new_roles(create: Any, faults: Faults, service: str, message: str) -> Any:
    """The creation of a resource, which fails once if a fault says that the service does not see its role."""

    def create_or_refuse(*arguments: Any, **options: Any) -> Any:
        if faults.takes_new_role(get_region(), service):
            raise ValueError(f'Resource handler returned message: "{message}" (HandlerErrorCode: InvalidRequest)')
        return create(*arguments, **options)

    return create_or_refuse


def _with_recovery(create: Any) -> Any:
    """The creation of a table with the point-in-time recovery of the template, which MiniStack leaves out."""

    def create_with_recovery(logical_id: str, properties: ResourceProperties, *others: Any, **options: Any) -> Any:
        created = create(logical_id, properties, *others, **options)
        recovery = properties.get("PointInTimeRecoverySpecification", {}).get("PointInTimeRecoveryEnabled")
        dynamodb._pitr_settings[created[0]] = is_true(recovery)
        return created

    return create_with_recovery


_STUCK = 'Resource handler returned message: "Internal failure" (HandlerErrorCode: InternalFailure)'


def _refusing_if_stuck(revert: Any, faults: Faults) -> Any:
    """The roll-back of a resource, which fails while a fault says so. The resource is UPDATE_FAILED then.

    Source: CloudFormation API Reference, `ContinueUpdateRollback`, `ResourcesToSkip`.
    """

    async def revert_or_fail(*arguments: Any) -> None:
        stack_id, stack, logical_id, kind, physical_id, *_ = arguments
        if not faults.is_stuck(get_region(), _service_of(kind)):
            await revert(*arguments)
            return
        stacks._add_event(stack_id, stack, logical_id, kind, "UPDATE_FAILED", _STUCK, physical_id)
        if (record := arguments[-1]) is not None and "ResourceType" in record:
            record["ResourceStatus"] = "UPDATE_FAILED"
        raise ValueError(_STUCK)

    return revert_or_fail


def _deleting_unless_stuck(delete: Any, faults: Faults) -> Any:
    """The deletion of a resource, which fails while a fault says so."""

    def delete_or_fail(kind: str, *arguments: Any) -> Any:
        if faults.is_stuck(get_region(), _service_of(kind)):
            raise ValueError(_STUCK)
        return delete(kind, *arguments)

    return delete_or_fail


def _service_of(resource_type: str) -> str:
    """The service of a type such as `AWS::SQS::Queue`, by its name in the faults."""
    return resource_type.split("::")[1].lower()


def _name_in_region(name_of: Any) -> Any:
    """Gives generated names a different value in each Region: roles are global, and stacks have equal names."""

    def physical_name(*arguments: Any, **options: Any) -> str:
        seed = provisioners._NAME_SEED.set(f"{get_region()} {provisioners._NAME_SEED.get()}")
        try:
            name: str = name_of(*arguments, **options)
            return name
        finally:
            provisioners._NAME_SEED.reset(seed)

    return physical_name


def _put_role_policy(_logical_id: str, properties: ResourceProperties, _stack: str) -> Created:
    role, name = properties["RoleName"], properties["PolicyName"]
    document = json.dumps(properties.get("PolicyDocument", {}))
    status, _, body = iam._put_role_policy({"RoleName": role, "PolicyName": name, "PolicyDocument": document})
    if status >= 400:
        raise ValueError(f"policy {name} of role {role} was refused: {body.decode()}")
    return f"{name}|{role}", {}


def _replace_role_policy(old: ResourceProperties, new: ResourceProperties, stack: str) -> Created:
    if (old["RoleName"], old["PolicyName"]) != (new["RoleName"], new["PolicyName"]):
        _delete_role_policy("", old)
    return _put_role_policy("", new, stack)


def _delete_role_policy(_id: str, properties: ResourceProperties) -> None:
    iam._delete_role_policy({"RoleName": properties["RoleName"], "PolicyName": properties["PolicyName"]})
