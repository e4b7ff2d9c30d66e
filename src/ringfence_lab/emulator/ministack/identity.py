"""The identity of callers, and the tags of moto's resources for IAM.

Patches of MiniStack's IAM. Sessions and keys that the lab issued have their own identity; every other caller is the
root user of the account, so that a plain client needs no setup.
"""

from collections.abc import Callable, Mapping
from typing import Any

from ministack.core import iam_evaluator, lambda_runtime
from ministack.services import iam, sts, tagging

from ringfence_lab.emulator.front import KeyOwner
from ringfence_lab.emulator.moto_services import MotoServices

_functions: dict[str, str] = {}
"""The ARN of the Lambda function that uses an access key."""


def install(moto: MotoServices, account: str) -> None:
    """Patches MiniStack. Call it once in a process."""
    iam_evaluator.is_root_access_key = is_root
    lambda_runtime.execution_credentials = _recording_function(lambda_runtime.execution_credentials)
    tagging.resource_tags = _with_moto_tags(tagging.resource_tags, moto, account)


def is_root(access_key: str) -> bool:
    """Whether the lab did not issue the key for a session or a user. The signature of root is not verified."""
    return access_key not in sts._sessions and not any(key == access_key for _, key in iam._access_keys.to_dict())


def caller(access_key: str) -> KeyOwner:
    """The owner of an access key."""
    session = sts._sessions.get(access_key)
    principal = str(session.get("Arn", "")) if session else "root" if is_root(access_key) else "user"
    return KeyOwner(principal, _functions.get(access_key, ""))


def _recording_function(
    credentials_of: Callable[[Mapping[str, Any]], dict[str, str]],
) -> Callable[[Mapping[str, Any]], dict[str, str]]:
    def execution_credentials(config: Mapping[str, Any]) -> dict[str, str]:
        credentials = credentials_of(config)
        _functions[credentials["AWS_ACCESS_KEY_ID"]] = config["FunctionArn"]
        return credentials

    return execution_credentials


def _with_moto_tags(
    resource_tags: Callable[[str], dict[str, str] | None], moto: MotoServices, account: str
) -> Callable[[str], dict[str, str] | None]:
    """Adds the tags of moto's resources for `aws:ResourceTag`: of EC2 by id, of Auto Scaling groups by name."""

    def tags_of(arn: str) -> dict[str, str] | None:
        match arn.split(":", 5):
            case ["arn", _, "ec2", region, owner, resource] if owner == account:
                filters = [{"Name": "resource-id", "Values": [resource.partition("/")[2]]}]
                tags = moto.client("ec2", region).describe_tags(Filters=filters)["Tags"]
            case ["arn", _, "autoscaling", region, owner, resource] if owner == account:
                filters = [{"Name": "auto-scaling-group", "Values": [resource.rpartition("/")[2]]}]
                tags = moto.client("autoscaling", region).describe_tags(Filters=filters)["Tags"]
            case _:
                return resource_tags(arn)
        return {tag["Key"]: tag["Value"] for tag in tags}

    return tags_of
