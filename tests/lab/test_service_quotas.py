"""The quotas of security groups. Sources: Service Quotas API Reference; Amazon VPC User Guide, "Amazon VPC quotas"."""

from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

from ringfence_lab.control.lab import Lab
from ringfence_lab.emulator.ministack.service_quotas import GROUPS, RULES
from tests.lab.roles import allow, role_session, security_group
from tests.labs import HOME, PEER, client


@pytest.fixture
def lab() -> Iterator[Lab]:
    """A lab whose quotas can be changed."""
    with Lab(regions=[HOME, PEER]) as running:
        yield running


def refusal(call: Any, **arguments: Any) -> str:
    """The code of the error that the call ends with."""
    with pytest.raises(ClientError) as caught:
        call(**arguments)
    return str(caught.value.response["Error"]["Code"])


def test_a_quota_that_was_never_raised_has_only_a_default(lab: Lab) -> None:
    quotas = lab.client("service-quotas", HOME)
    for code, value in ((RULES, 60), (GROUPS, 5)):
        asked = {"ServiceCode": "vpc", "QuotaCode": code}
        assert refusal(quotas.get_service_quota, **asked) == "NoSuchResourceException"
        assert quotas.get_aws_default_service_quota(**asked)["Quota"]["Value"] == value
    assert refusal(quotas.get_service_quota, ServiceCode="vpc", QuotaCode="L-0") == "NoSuchResourceException"
    assert refusal(quotas.get_service_quota, ServiceCode="VPC", QuotaCode=RULES) == "NoSuchResourceException"


def test_a_raised_quota_is_the_one_that_ec2_enforces_in_its_region(lab: Lab) -> None:
    quotas = lab.client("service-quotas", HOME)
    raised = {"ServiceCode": "vpc", "QuotaCode": RULES}
    quotas.request_service_quota_increase(**raised, DesiredValue=80)
    assert quotas.get_service_quota(**raised)["Quota"]["Value"] == 80
    assert refusal(lab.client("service-quotas", PEER).get_service_quota, **raised) == "NoSuchResourceException"
    cidrs = [{"CidrIp": f"192.0.2.{number}/32"} for number in range(80)]
    permission: Any = {"IpProtocol": "tcp", "FromPort": 443, "ToPort": 443, "IpRanges": cidrs}
    at_home, at_peer = (
        (lab.client("ec2", region), {"GroupId": security_group(lab, region), "IpPermissions": [permission]})
        for region in (HOME, PEER)
    )
    at_home[0].authorize_security_group_ingress(**at_home[1])
    assert refusal(at_peer[0].authorize_security_group_ingress, **at_peer[1]) == "RulesPerSecurityGroupLimitExceeded"


def test_rules_times_groups_are_at_most_a_thousand(lab: Lab) -> None:
    quotas = lab.client("service-quotas", HOME)
    asked = {"ServiceCode": "vpc", "QuotaCode": RULES}
    for wanted in (201, 60):
        refused = refusal(quotas.request_service_quota_increase, **asked, DesiredValue=wanted)
        assert refused == "IllegalArgumentException"
    quotas.request_service_quota_increase(**asked, DesiredValue=200)


def test_a_caller_without_the_permission_is_denied(lab: Lab) -> None:
    stranger = client(lab, role_session(lab, allow("ec2:*", "*")), "service-quotas", HOME)
    reader = client(lab, role_session(lab, allow("servicequotas:Get*", "*")), "service-quotas", HOME)
    asked = {"ServiceCode": "vpc", "QuotaCode": RULES}
    assert refusal(stranger.get_service_quota, **asked) == "AccessDeniedException"
    assert reader.get_aws_default_service_quota(**asked)["Quota"]["Value"] == 60


def test_a_fault_is_set_for_the_service(lab: Lab) -> None:
    lab.fault(HOME, "deny", "servicequotas")
    quotas = lab.client("service-quotas", HOME)
    assert refusal(quotas.get_service_quota, ServiceCode="vpc", QuotaCode=RULES) == "AccessDeniedException"
