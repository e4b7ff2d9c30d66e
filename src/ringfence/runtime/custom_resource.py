"""The protocol of a CloudFormation custom resource: what a request says, where its answer may go, and its form.

Anyone who may invoke the function can send a request of this form. So an answer goes to CloudFormation's own bucket of
the function's Region and nowhere else. Pure. Knows nothing of what the resource is for.

Sources: CloudFormation Template Reference, "Custom resource request objects" and "Custom resource response objects";
CloudFormation User Guide, "Access CloudFormation using an interface endpoint", which names the buckets.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any
from urllib.parse import urlsplit

from ringfence.core.model.identifiers import Region
from ringfence.runtime.log_fields import ascii_json, cut

REASON_LIMIT = 1000
"""Maximum characters of a reason, so that the answer has less than 4096 bytes."""

_ID_LIMIT = 500
"""Maximum characters of an id that is repeated. An ARN of a stack has less than 300."""

_PARTITIONS = (
    ("cn-", "amazonaws.com.cn"),
    ("eusc-", "amazonaws.eu"),
    ("us-iso-", "c2s.ic.gov"),
    ("us-isob-", "sc2s.sgov.gov"),
    ("eu-isoe-", "cloud.adc-e.uk"),
    ("us-isof-", "csp.hci.ic.gov"),
    ("", "amazonaws.com"),
)
"""How the names of a partition's Regions begin, and how those of its hosts end. In another partition, anyone may have a
bucket of the same name. Source: botocore's partitions."""

_GLOBAL_HOST = Region("us-east-1")
"""The Region whose buckets also have a host without a Region."""


class RequestType(Enum):
    """What CloudFormation does with the resource."""

    CREATE = "Create"
    UPDATE = "Update"
    DELETE = "Delete"


@dataclass(frozen=True, slots=True)
class Request:
    """A request. `before` are the properties that an update replaces. `physical_id` is None at a creation."""

    type: RequestType
    id: str
    url: str
    stack: str
    resource: str
    physical_id: str | None
    before: Mapping[str, Any]


def request_in(event: object) -> Request | None:
    """The request in an event; None for any other event."""
    if not isinstance(event, Mapping):
        return None
    match event:
        case {
            "RequestType": ("Create" | "Update" | "Delete") as kind,
            "RequestId": str(id),
            "ResponseURL": str(url),
            "StackId": str(stack),
            "LogicalResourceId": str(resource),
        }:
            physical_id, before = event.get("PhysicalResourceId"), event.get("OldResourceProperties")
            return Request(
                type=RequestType(kind),
                id=id,
                url=url,
                stack=stack,
                resource=resource,
                physical_id=physical_id if isinstance(physical_id, str) else None,
                before=before if isinstance(before, Mapping) else {},
            )
    return None


def may_be_answered(url: str, region: Region, endpoint: str | None) -> bool:
    """Whether the URL is one of CloudFormation's own bucket in the Region.

    `endpoint` is what the function's environment says in the place of AWS's own endpoints, such as a test's.
    """
    if re.fullmatch(r"[\x21-\x7e]+", url) is None or "\\" in url:
        return False
    try:
        parts = urlsplit(url)
        if endpoint is not None:
            own = urlsplit(endpoint)
            return (parts.scheme, parts.netloc) == (own.scheme, own.netloc)
    except ValueError:
        return False
    return parts.scheme == "https" and parts.netloc in _hosts(region)


def _hosts(region: Region) -> frozenset[str]:
    """The hosts of CloudFormation's bucket, without a port or a user."""
    suffix = next(suffix for prefix, suffix in _PARTITIONS if region.startswith(prefix))
    bucket = f"cloudformation-custom-resource-response-{region.replace('-', '')}"
    hosts = {f"{bucket}.s3.{region}.{suffix}", f"{bucket}.s3-{region}.{suffix}"}
    return frozenset(hosts | ({f"{bucket}.s3.{suffix}"} if region == _GLOBAL_HOST else set()))


def answer(request: Request, failure: str | None) -> bytes:
    """The answer: success, or the reason of the failure. It says the same id of the resource every time."""
    ids = {
        "PhysicalResourceId": request.physical_id or request.resource,
        "StackId": request.stack,
        "RequestId": request.id,
        "LogicalResourceId": request.resource,
    }
    document: dict[str, object] = {"Status": "SUCCESS" if failure is None else "FAILED"}
    if failure is not None:
        document["Reason"] = cut(failure.encode("ascii", "replace").decode(), REASON_LIMIT)
    document |= {name: cut(id.encode("ascii", "replace").decode(), _ID_LIMIT) for name, id in ids.items()}
    return ascii_json(document).encode()
