"""Service Quotas for the two quotas of security groups, which EC2 in the lab enforces with the same values.

A service that MiniStack lacks. An account whose quotas were never raised has no applied value: `GetServiceQuota` then
refuses, and only `GetAWSDefaultServiceQuota` answers. A request for more is granted at once.

Sources: Service Quotas API Reference, GetServiceQuota, GetAWSDefaultServiceQuota, RequestServiceQuotaIncrease; Amazon
VPC User Guide, "Amazon VPC quotas": rules in a group times groups of an interface cannot exceed 1,000. Assumed, because
no document says it: a request beyond that is refused at once.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ministack import app
from ministack.core import iam_actions, router
from ministack.core.responses import get_account_id, get_region

from ringfence_lab.emulator.aws.security_groups import RulesQuota
from ringfence_lab.emulator.partition import PARTITION

RULES, GROUPS = "L-0EA8095F", "L-2AFB9258"
"""The codes of the quotas: rules in a security group, security groups of a network interface."""

NAMES = {RULES: "Inbound or outbound rules per security group", GROUPS: "Security groups per network interface"}
DEFAULTS = {RULES: 60.0, GROUPS: 5.0}
CEILING = 1000
"""The greatest product of the two quotas."""

_SERVICE = "servicequotas"

Answer = tuple[int, dict[str, str], bytes]


def install(rules: RulesQuota) -> None:
    """Adds the service to MiniStack, and its actions to MiniStack's IAM. Call it once in a process."""
    app.SERVICE_HANDLERS[_SERVICE] = ServiceQuotas(rules).handle
    # Without a pattern, MiniStack would read the model of every service of botocore first, which takes seconds.
    router.SERVICE_PATTERNS[_SERVICE] = {"target_prefixes": ["ServiceQuotas"]}
    iam_actions.SERVICE_TO_IAM_NAMESPACE[_SERVICE] = _SERVICE


class _Refused(Exception):
    """An error of Service Quotas: its code and message."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


@dataclass(slots=True)
class ServiceQuotas:
    """The service. `applied` holds the values that were granted, by Region and quota."""

    rules: RulesQuota
    applied: dict[tuple[str, str], float] = field(default_factory=dict)

    async def handle(
        self, _method: str, _path: str, headers: Mapping[str, str], body: bytes, _query: Mapping[str, list[str]]
    ) -> Answer:
        """Answers a request of the JSON protocol."""
        try:
            document = self._answered(headers.get("x-amz-target", "").rpartition(".")[2], json.loads(body or b"{}"))
        except _Refused as refused:
            return _answer(400, {"__type": refused.code, "message": str(refused)})
        return _answer(200, document)

    def _answered(self, operation: str, asked: Mapping[str, Any]) -> dict[str, Any]:
        code = str(asked.get("QuotaCode"))
        if asked.get("ServiceCode") != "vpc" or code not in DEFAULTS:
            raise _Refused("NoSuchResourceException", "The request failed because the specified quota does not exist.")
        match operation:
            case "GetServiceQuota" if (get_region(), code) in self.applied:
                return {"Quota": _quota(code, self.value(code))}
            case "GetServiceQuota":
                raise _Refused(
                    "NoSuchResourceException", "The request failed because the applied value does not exist."
                )
            case "GetAWSDefaultServiceQuota":
                return {"Quota": _quota(code, DEFAULTS[code])}
            case "RequestServiceQuotaIncrease":
                return self._increased(code, asked)
        raise _Refused("IllegalArgumentException", f"the lab does not know {operation}")

    def value(self, code: str) -> float:
        """The value that holds in the request's Region."""
        return self.applied.get((get_region(), code), DEFAULTS[code])

    def _increased(self, code: str, asked: Mapping[str, Any]) -> dict[str, Any]:
        wanted = float(asked.get("DesiredValue", 0))
        if wanted <= self.value(code):
            raise _Refused("IllegalArgumentException", "DesiredValue must be greater than the current quota value.")
        if wanted * self.value(GROUPS if code == RULES else RULES) > CEILING:
            raise _Refused("IllegalArgumentException", f"Rules per group times groups per interface exceed {CEILING}.")
        self.applied[get_region(), code] = wanted
        if code == RULES:
            self.rules.by_region[get_region()] = int(wanted)
        return {"RequestedQuota": {"QuotaCode": code, "DesiredValue": wanted, "Status": "APPROVED"}}


def _quota(code: str, value: float) -> dict[str, Any]:
    return {
        "ServiceCode": "vpc",
        "ServiceName": "Amazon Virtual Private Cloud (Amazon VPC)",
        "QuotaArn": f"arn:{PARTITION}:servicequotas:{get_region()}:{get_account_id()}:vpc/{code}",
        "QuotaCode": code,
        "QuotaName": NAMES[code],
        "Value": value,
        "Unit": "None",
        "Adjustable": True,
        "GlobalQuota": False,
    }


def _answer(status: int, document: Mapping[str, Any]) -> Answer:
    return status, {"Content-Type": "application/x-amz-json-1.1"}, json.dumps(document).encode()
