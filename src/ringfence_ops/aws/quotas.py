"""The account's quotas of security groups, as Service Quotas has them.

Source: Service Quotas API Reference, `GetServiceQuota` and `GetAWSDefaultServiceQuota`; Amazon VPC User Guide, "Amazon
VPC quotas". Knows no terminal and no cluster file.
"""

from collections.abc import Iterable, Mapping

from botocore.exceptions import ClientError

from ringfence.aws.assembly import ClientOf
from ringfence.aws.error_codes import is_unknown_quota
from ringfence.core.model.identifiers import Region
from ringfence_ops.aws.sessions import Aws, Unreachable

RULES, GROUPS = "L-0EA8095F", "L-2AFB9258"
"""The codes of "Inbound or outbound rules per security group" and "Security groups per network interface"."""

CEILING = 1000
"""The greatest product of the two quotas."""

TIMEOUT = 2.0
"""Seconds that a command waits for the quotas: without them it goes on."""


def read_quota(client_of: ClientOf, region: Region, code: str) -> int:
    """The quota that holds in the Region. An account that never asked for more may only have AWS's default.

    Raises botocore's errors.
    """
    client, asked = client_of("service-quotas", region), {"ServiceCode": "vpc", "QuotaCode": code}
    try:
        answer = client.get_service_quota(**asked)
    except ClientError as error:
        if not is_unknown_quota(error):
            raise
        answer = client.get_aws_default_service_quota(**asked)
    return int(answer["Quota"]["Value"])


def rules_quotas(aws: Aws, regions: Iterable[Region]) -> Mapping[Region, int | Unreachable]:
    """The quota of rules in a security group, in each Region."""
    return aws.each_region(regions, lambda region: read_quota(aws.client, region, RULES), TIMEOUT)
