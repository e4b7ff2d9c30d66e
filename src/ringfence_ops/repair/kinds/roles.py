"""The roles and their inline policies.

A permissions boundary and attached policies are not the stack's, and stay.
"""

import json
from typing import Any

from botocore.exceptions import ClientError

from ringfence.aws.error_codes import is_absent
from ringfence_ops.repair.drift import Fields, Repair
from ringfence_ops.repair.kinds.kind import ClientOf, document, pick
from ringfence_ops.repair.template import Resource

TRUST = "AssumeRolePolicyDocument"


class Roles:
    """`AWS::IAM::Role` with the inline policies that the template writes into it."""

    def name(self, resource: Resource) -> str:
        """The role's name, which CloudFormation made."""
        return resource.physical_id

    def wanted(self, resource: Resource) -> Fields:
        """The trust policy, and each inline policy by its name."""
        policies = {one["PolicyName"]: one["PolicyDocument"] for one in resource.properties.get("Policies", [])}
        return {TRUST: resource.properties[TRUST]} | policies

    def found(self, client_of: ClientOf, resource: Resource) -> Fields | None:
        """The same of the role; None for a role that does not exist."""
        iam, name = client_of("iam"), self.name(resource)
        trust = document(iam.get_role(RoleName=name)["Role"][TRUST])
        names = [policy for policy in self.wanted(resource) if policy != TRUST]
        return {TRUST: trust} | {policy: _policy(iam, name, policy) for policy in names}

    def repair(self, client_of: ClientOf, repair: Repair) -> None:
        """Creates the role with its name, and puts what differs."""
        iam, wanted, name = client_of("iam"), self.wanted(repair.resource), self.name(repair.resource)
        changed = {one.name for one in repair.differences} or set(wanted)
        if repair.is_missing:
            description = pick(repair.resource.properties, "Description")
            iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(wanted[TRUST]), **description)
        elif TRUST in changed:
            iam.update_assume_role_policy(RoleName=name, PolicyDocument=json.dumps(wanted[TRUST]))
        for policy in sorted(changed - {TRUST}):
            iam.put_role_policy(RoleName=name, PolicyName=policy, PolicyDocument=json.dumps(wanted[policy]))


class Policies:
    """`AWS::IAM::Policy`: an inline policy of a role that the template writes apart."""

    def name(self, resource: Resource) -> str:
        """The policy's name."""
        return str(resource.properties["PolicyName"])

    def wanted(self, resource: Resource) -> Fields:
        """The policy."""
        return {"PolicyDocument": resource.properties["PolicyDocument"]}

    def found(self, client_of: ClientOf, resource: Resource) -> Fields | None:
        """The policy; None where the role or the policy does not exist."""
        policy = _policy(client_of("iam"), _role(resource), self.name(resource))
        return None if policy is None else {"PolicyDocument": policy}

    def repair(self, client_of: ClientOf, repair: Repair) -> None:
        """Puts the policy into the role."""
        policy = json.dumps(repair.resource.properties["PolicyDocument"])
        name = self.name(repair.resource)
        client_of("iam").put_role_policy(RoleName=_role(repair.resource), PolicyName=name, PolicyDocument=policy)


def _role(resource: Resource) -> str:
    return str(resource.properties["Roles"][0])


def _policy(iam: Any, role: str, name: str) -> Any:
    try:
        return document(iam.get_role_policy(RoleName=role, PolicyName=name)["PolicyDocument"])
    except ClientError as error:
        if is_absent(error):
            return None
        raise
