"""The protocol of the custom resource: what a request is, where its answer may go, and what the answer says."""

import json
from typing import Any

import pytest
from botocore.session import Session

from ringfence.core.model.identifiers import Region
from ringfence.runtime.custom_resource import Request, RequestType, answer, may_be_answered, request_in
from tests.unit.builders import EAST

URL = "https://cloudformation-custom-resource-response-useast1.s3.us-east-1.amazonaws.com/arn%3Aaws%3Acf%7Ca?X-Amz=1"
EVENT: dict[str, Any] = {
    "RequestType": "Update",
    "RequestId": "6a7e8feb-b491-4cf7-a9f1-bf3703467718",
    "ResponseURL": URL,
    "StackId": "arn:aws:cloudformation:us-east-1:123456789012:stack/ringfence-demo/1",
    "LogicalResourceId": "Announcement",
    "PhysicalResourceId": "one",
    "ResourceType": "Custom::RingfenceAnnouncement",
    "ResourceProperties": {"AutoScalingGroups": ["db"]},
    "OldResourceProperties": {"AutoScalingGroups": ["cache"]},
}


def request(**changes: Any) -> Request:
    found = request_in(EVENT | changes)
    assert found is not None
    return found


def test_a_request_has_what_cloudformation_sends() -> None:
    assert request() == Request(
        type=RequestType.UPDATE,
        id=EVENT["RequestId"],
        url=URL,
        stack=EVENT["StackId"],
        resource="Announcement",
        physical_id="one",
        before={"AutoScalingGroups": ["cache"]},
    )


@pytest.mark.parametrize(
    "event",
    [
        None,
        [],
        "Create",
        {"trueup": True},
        EVENT | {"RequestType": "create"},
        EVENT | {"RequestType": ["Create"]},
        EVENT | {"ResponseURL": None},
        {name: value for name, value in EVENT.items() if name != "StackId"},
    ],
    ids=str,
)
def test_any_other_event_is_no_request(event: object) -> None:
    assert request_in(event) is None


def test_properties_and_ids_of_another_type_are_left_out() -> None:
    found = request(PhysicalResourceId=7, OldResourceProperties="db")
    assert (found.physical_id, found.before) == (None, {})


# Where an answer may go.


@pytest.mark.parametrize(
    ("host", "region"),
    [
        ("cloudformation-custom-resource-response-useast1.s3.amazonaws.com", "us-east-1"),
        ("cloudformation-custom-resource-response-useast1.s3.us-east-1.amazonaws.com", "us-east-1"),
        ("cloudformation-custom-resource-response-euwest1.s3-eu-west-1.amazonaws.com", "eu-west-1"),
        ("cloudformation-custom-resource-response-euwest1.s3.eu-west-1.amazonaws.com", "eu-west-1"),
        ("cloudformation-custom-resource-response-cnnorth1.s3.cn-north-1.amazonaws.com.cn", "cn-north-1"),
        ("cloudformation-custom-resource-response-usgovwest1.s3.us-gov-west-1.amazonaws.com", "us-gov-west-1"),
    ],
)
def test_an_answer_may_go_to_cloudformations_own_bucket_of_the_region(host: str, region: str) -> None:
    assert may_be_answered(f"https://{host}/key?signature", Region(region), None)


HOST = "cloudformation-custom-resource-response-useast1.s3.us-east-1.amazonaws.com"


@pytest.mark.parametrize(
    "url",
    [
        "",
        f"http://{HOST}/key",
        f"https://{HOST}:8443/key",
        f"https://user@{HOST}/key",
        f"https://{HOST}@169.254.169.254/key",
        f"https://{HOST}.example.com/key",
        f"https://example.com/{HOST}",
        f"https://example.com\\@{HOST}/key",
        f"https://{HOST}\t/key",
        f"https://{HOST}/key\r\nHost: example.com",
        f"https://{HOST}/k\u00e9y",
        f"https://[{HOST}/key",
        "https://169.254.169.254/latest/meta-data",
        "http://localhost:9001/2018-06-01/runtime/invocation/next",
        "file:///etc/passwd",
        # Buckets that anyone may have: of another Region's name, in another partition, or with a longer name.
        "https://cloudformation-custom-resource-response-euwest1.s3.us-east-1.amazonaws.com/key",
        "https://cloudformation-custom-resource-response-useast1.s3.amazonaws.com.cn/key",
        "https://cloudformation-custom-resource-response-useast1-x.s3.us-east-1.amazonaws.com/key",
        "https://x.cloudformation-custom-resource-response-useast1.s3.us-east-1.amazonaws.com/key",
        "https://s3.us-east-1.amazonaws.com/cloudformation-custom-resource-response-useast1/key",
    ],
    ids=ascii,
)
def test_an_answer_goes_nowhere_else(url: str) -> None:
    assert not may_be_answered(url, EAST, None)


def test_only_us_east_1_has_a_host_without_a_region() -> None:
    host = "cloudformation-custom-resource-response-euwest1.s3.amazonaws.com"
    assert not may_be_answered(f"https://{host}/key", Region("eu-west-1"), None)


SUFFIXES = {
    partition["id"]: partition["outputs"]["dnsSuffix"] for partition in Session().get_data("partitions")["partitions"]
}


@pytest.mark.parametrize(("partition", "suffix"), SUFFIXES.items(), ids=str)
def test_the_hosts_of_every_partition_end_as_botocore_says(partition: str, suffix: str) -> None:
    for region in Session().get_available_regions("ec2", partition):
        bucket = f"cloudformation-custom-resource-response-{region.replace('-', '')}"
        assert may_be_answered(f"https://{bucket}.s3.{region}.{suffix}/key", Region(region), None)


def test_an_endpoint_that_takes_the_place_of_awss_takes_the_answer_and_no_other_host_does() -> None:
    # given a lab
    endpoint = "http://127.0.0.1:4566"
    # when / then
    assert may_be_answered("http://127.0.0.1:4566/_ministack/cfn-response/1", EAST, endpoint)
    assert not may_be_answered("http://127.0.0.1:4567/_ministack/cfn-response/1", EAST, endpoint)
    assert not may_be_answered(URL, EAST, endpoint)


# The answer.


def test_a_success_repeats_the_ids_of_the_request() -> None:
    assert json.loads(answer(request(), None)) == {
        "Status": "SUCCESS",
        "PhysicalResourceId": "one",
        "StackId": EVENT["StackId"],
        "RequestId": EVENT["RequestId"],
        "LogicalResourceId": "Announcement",
    }


def test_a_creation_gets_an_id_that_never_changes() -> None:
    created = json.loads(answer(request(RequestType="Create", PhysicalResourceId=None), None))
    assert created["PhysicalResourceId"] == "Announcement"


def test_a_failure_has_its_reason() -> None:
    said = json.loads(answer(request(), "the group is missing"))
    assert (said["Status"], said["Reason"]) == ("FAILED", "the group is missing")


@pytest.mark.parametrize("text", ["x" * 10_000, "\u00e9\u202e" * 5_000, '"\\' * 5_000], ids=ascii)
def test_an_answer_always_fits(text: str) -> None:
    """CloudFormation Template Reference, "Custom resource response objects": at most 4096 bytes."""
    long = request(RequestId=text[:490], LogicalResourceId="x" * 5_000, StackId="x" * 5_000)
    assert len(answer(long, text)) <= 4096
