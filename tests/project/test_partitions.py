"""Every partition that botocore knows: no ARN, endpoint or Region of another one is used in it."""

import json
import re
from typing import Any

import botocore.session
import pytest
from botocore.exceptions import ClientError
from botocore.stub import ANY, Stubber

from ringfence.aws.clients import Attribution, Clients
from ringfence.core.configuration.setting_table import SETTINGS
from ringfence.core.model.identifiers import Region
from ringfence.runtime import config
from ringfence_ops.aws.sessions import Aws
from ringfence_ops.cloudformation.bucket import Bucket
from ringfence_ops.commands.init import own_regions
from ringfence_ops.errors import CommandError
from tests.stack.rendered import ACCOUNT, PROJECT, arns, refusal

SESSION = botocore.session.get_session()
PARTITIONS = SESSION.get_available_partitions()
REGIONS = [
    (partition, Region(region))
    for partition in PARTITIONS
    for region in SESSION.get_available_regions("ec2", partition_name=partition)
]
FIRST = list({partition: (partition, region) for partition, region in reversed(REGIONS)}.values())
"""One Region of each partition."""

SUFFIXES = {each["id"]: each["outputs"]["dnsSuffix"] for each in SESSION.get_data("partitions")["partitions"]}
"""The domain of each partition's endpoints."""

SHIPPED = ["template.yaml", "examples", "src", "distribution"]


@pytest.fixture(autouse=True)
def _credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    """Credentials that no call uses."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)


def test_botocore_knows_more_partitions_than_the_first() -> None:
    assert {"aws", "aws-cn", "aws-us-gov", "aws-eusc"} <= set(PARTITIONS)


def test_nothing_that_is_shipped_writes_an_arn_of_one_partition() -> None:
    files = [
        path
        for name in SHIPPED
        for path in [PROJECT / name, *(PROJECT / name).rglob("*")]
        if path.suffix in (".py", ".yaml", ".json", ".html", ".js")
    ]
    assert len(files) > 200
    assert [str(path) for path in files if re.search(r"arn:aws[a-z-]*:", path.read_text())] == []


@pytest.mark.parametrize(("partition", "region"), REGIONS)
def test_every_arn_of_the_stack_is_of_the_partition_of_its_region(partition: str, region: Region) -> None:
    found = arns(partition, region)
    assert len(found) > 5
    assert {text.split(":")[1] for text in found} == {partition}


@pytest.mark.parametrize(("partition", "region"), REGIONS)
def test_regions_topics_and_queues_of_every_partition_are_accepted(partition: str, region: Region) -> None:
    topic = f"arn:{partition}:sns:{region}:{ACCOUNT}:operators"
    queue = f"arn:{partition}:sqs:{region}:{ACCOUNT}:ringfence-demo.fifo"
    environment = {"AWS_REGION": region, "RINGFENCE_ACCOUNT": ACCOUNT, "RINGFENCE_CLUSTER": "demo"}

    assert refusal(Regions=region, RequiredPeers=region, AlarmTopic=topic) is None
    for name, text in (("regions", region), ("alarm_topic", topic)):
        assert not SETTINGS[name].read([text]).mistakes
        assert not SETTINGS[name].read([text]).limits
    assert config.is_own_queue(queue, environment)


@pytest.mark.parametrize(("partition", "region"), REGIONS)
def test_the_engine_calls_the_endpoints_of_its_partition(partition: str, region: Region) -> None:
    clients = Clients(SESSION, region, Attribution())
    for service in ("autoscaling", "dynamodb", "ec2", "sqs"):
        endpoint = clients.make(service, region).meta.endpoint_url
        assert endpoint.endswith(f".{region}.{SUFFIXES[partition]}"), endpoint


@pytest.mark.parametrize(("partition", "region"), FIRST)
def test_the_policy_of_the_bucket_names_the_bucket_in_its_partition(partition: str, region: Region) -> None:
    # given an existing bucket, whose protection someone may have removed
    client = SESSION.create_client("s3", region_name=region)
    stub, policies = Stubber(client), list[str]()
    client.meta.events.register(
        "provide-client-params.s3.PutBucketPolicy", lambda params, **_: policies.append(params["Policy"])
    )
    name = f"ringfence-{ACCOUNT}-{region}"
    owner = {"Bucket": name, "ExpectedBucketOwner": ACCOUNT}
    stub.add_response("head_bucket", {}, owner)
    stub.add_response("put_public_access_block", {}, {**owner, "PublicAccessBlockConfiguration": ANY})
    stub.add_response("put_bucket_policy", {}, {**owner, "Policy": ANY})
    stub.add_response("head_object", {}, {**owner, "Key": "LICENSE"})
    # when
    with stub:
        Bucket(client, ACCOUNT, region).put(PROJECT / "LICENSE")
    # then
    stub.assert_no_pending_responses()
    (statement,) = json.loads(policies[0])["Statement"]
    assert statement["Resource"] == [f"arn:{partition}:s3:::{name}", f"arn:{partition}:s3:::{name}/*"]


class Ec2:
    """DescribeRegions in a Region, for credentials of a partition. Only its own partition knows credentials.

    Source: AWS General Reference, "ARNs and partitions": each account is scoped to one partition.
    """

    def __init__(self, region: Region, credentials_of: str) -> None:
        self._partition = SESSION.get_partition_for_region(region)
        self._credentials_of = credentials_of

    def describe_regions(self) -> dict[str, Any]:
        """The Regions of the partition."""
        if self._partition != self._credentials_of:
            message = "AWS was not able to validate the provided access credentials"
            raise ClientError({"Error": {"Code": "AuthFailure", "Message": message}}, "DescribeRegions")
        return {"Regions": [{"RegionName": name} for partition, name in REGIONS if partition == self._partition]}


class CallersAws(Aws):
    """The AWS of a caller whose credentials belong to a partition."""

    def __init__(self, partition: str) -> None:
        super().__init__()
        self._of = partition

    def client(self, service: str, region: Region, *, patient: bool = False) -> Ec2:  # noqa: ARG002
        """A client of EC2."""
        assert service == "ec2"
        return Ec2(region, self._of)


@pytest.mark.parametrize(("partition", "region"), FIRST)
def test_init_offers_the_regions_of_the_callers_partition(
    partition: str, region: Region, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_DEFAULT_REGION", region)
    assert own_regions(CallersAws(partition)) == sorted(each for other, each in REGIONS if other == partition)


@pytest.mark.parametrize("partition", [name for name in PARTITIONS if name != "aws"])
def test_init_says_what_to_set_where_the_credentials_are_of_another_partition(
    partition: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AWS_DEFAULT_REGION", raising=False)
    with pytest.raises(CommandError, match=r"does not know these credentials in us-east-1: .* set AWS_DEFAULT_REGION"):
        own_regions(CallersAws(partition))


def test_the_regions_of_a_cluster_are_in_one_partition() -> None:
    assert Aws().partition([Region("cn-north-1"), Region("cn-northwest-1")]) == "aws-cn"
    with pytest.raises(CommandError, match="in several: us-east-1 in aws, us-gov-west-1 in aws-us-gov"):
        Aws().partition([Region("us-east-1"), Region("us-gov-west-1")])
