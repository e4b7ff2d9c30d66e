"""The lab's IAM evaluates dynamodb:LeadingKeys, and the engine's role writes only the rows of its own Region.

Source: DynamoDB Developer Guide, "Using IAM policy conditions for fine-grained access control".
"""

from collections.abc import Callable
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from ringfence.aws.pause_item import PAUSE
from ringfence.aws.roster_item import GUARD
from ringfence_lab.control.lab import Lab
from tests.lab.roles import allow, role_session
from tests.labs import HOME, PEER, LabCluster, client

TABLE = "leading-keys"
OWN, FOREIGN = {"region": {"S": "own"}, "asg": {"S": "db"}}, {"region": {"S": "foreign"}, "asg": {"S": "db"}}
ONLY_OWN = {"ForAllValues:StringEquals": {"dynamodb:LeadingKeys": ["own"]}, "Null": {"dynamodb:LeadingKeys": "false"}}

Call = Callable[[Any, dict[str, Any]], object]


def query(dynamodb: Any, key: dict[str, Any]) -> object:
    return dynamodb.query(
        TableName=TABLE,
        KeyConditionExpression="#region = :region AND asg = :asg",
        ExpressionAttributeNames={"#region": "region"},
        ExpressionAttributeValues={":region": key["region"], ":asg": key["asg"]},
    )


def transact(dynamodb: Any, key: dict[str, Any]) -> object:
    puts = [{"Put": {"TableName": TABLE, "Item": item}} for item in (OWN | {"asg": {"S": "other"}}, key)]
    return dynamodb.transact_write_items(TransactItems=puts)


CALLS: dict[str, Call] = {
    "PutItem": lambda dynamodb, key: dynamodb.put_item(TableName=TABLE, Item=key),
    "UpdateItem": lambda dynamodb, key: dynamodb.update_item(TableName=TABLE, Key=key),
    "DeleteItem": lambda dynamodb, key: dynamodb.delete_item(TableName=TABLE, Key=key),
    "GetItem": lambda dynamodb, key: dynamodb.get_item(TableName=TABLE, Key=key),
    "Query": query,
    "Query, reversed": lambda dynamodb, key: dynamodb.query(
        TableName=TABLE, KeyConditionExpression=":r = region", ExpressionAttributeValues={":r": key["region"]}
    ),
    "Query, legacy": lambda dynamodb, key: dynamodb.query(
        TableName=TABLE,
        KeyConditions={"region": {"ComparisonOperator": "EQ", "AttributeValueList": [key["region"]]}},
    ),
    "BatchWriteItem": lambda dynamodb, key: dynamodb.batch_write_item(
        RequestItems={TABLE: [{"PutRequest": {"Item": OWN}}, {"DeleteRequest": {"Key": key | {"asg": {"S": "b"}}}}]}
    ),
    "BatchGetItem": lambda dynamodb, key: dynamodb.batch_get_item(
        RequestItems={TABLE: {"Keys": [key, OWN | {"asg": {"S": "other"}}]}}
    ),
    "TransactWriteItems": transact,
}


@pytest.fixture(scope="module")
def table(empty_lab: Lab) -> Lab:
    """A lab with a table whose partition key is `region`."""
    empty_lab.client("dynamodb", HOME).create_table(
        TableName=TABLE,
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"} for name in ("region", "asg")],
        KeySchema=[{"AttributeName": "region", "KeyType": "HASH"}, {"AttributeName": "asg", "KeyType": "RANGE"}],
    )
    return empty_lab


@pytest.fixture(scope="module")
def limited(table: Lab) -> Any:
    """DynamoDB for a role that may do everything, with its own partition key."""
    return client(table, role_session(table, allow("dynamodb:*", "*", ONLY_OWN)), "dynamodb", HOME)


def denied(call: Callable[[], object]) -> bool:
    try:
        call()
    except ClientError as error:
        if error.response["Error"]["Code"] != "AccessDeniedException":
            raise
        return True
    return False


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
def test_a_call_for_the_own_key_is_allowed_and_for_another_is_denied(limited: Any, call: Call) -> None:
    assert not denied(lambda: call(limited, OWN))
    assert denied(lambda: call(limited, FOREIGN))


def test_a_call_without_a_key_is_denied_by_null_alone(table: Lab, limited: Any) -> None:
    without_null = {"ForAllValues:StringEquals": ONLY_OWN["ForAllValues:StringEquals"]}
    open_to_scan = client(table, role_session(table, allow("dynamodb:*", "*", without_null)), "dynamodb", HOME)
    assert denied(lambda: limited.scan(TableName=TABLE))
    assert not denied(lambda: open_to_scan.scan(TableName=TABLE))


def test_a_policy_without_the_key_is_not_affected(table: Lab) -> None:
    free = client(table, role_session(table, allow("dynamodb:*", "*")), "dynamodb", HOME)
    assert not any(denied(lambda call=call: call(free, FOREIGN)) for call in CALLS.values())  # type: ignore[misc]  # bound in the loop


def engine_role(cluster: LabCluster, region: str) -> str:
    """The ARN of the engine's role in a Region."""
    function = cluster.regions[region].function
    configuration = cluster.lab.client("lambda", region).get_function_configuration(FunctionName=function)
    return str(configuration["Role"])


def as_engine(cluster: LabCluster, home: str, region: str) -> Any:
    """DynamoDB in a Region for the engine of `home`."""
    sts = cluster.lab.client("sts", home)
    assumed = sts.assume_role(RoleArn=engine_role(cluster, home), RoleSessionName="test")["Credentials"]
    session = boto3.Session(assumed["AccessKeyId"], assumed["SecretAccessKey"], assumed["SessionToken"])
    return client(cluster.lab, session, "dynamodb", region)


@pytest.mark.parametrize("region", [HOME, PEER])
@pytest.mark.parametrize("home", [HOME, PEER])
def test_an_engine_writes_and_deletes_only_its_own_regions_rows(cluster: LabCluster, home: str, region: str) -> None:
    dynamodb, table = as_engine(cluster, home, region), cluster.regions[region].table
    (other,) = {HOME, PEER} - {home}
    for key, may in ((home, True), (other, False), ("eu-west-1", False), (f"{home}x", False), (PAUSE, False)):
        item = {"region": {"S": key}, "asg": {"S": "(test)"}}
        assert denied(lambda item=item: dynamodb.put_item(TableName=table, Item=item)) is not may  # type: ignore[misc]
        assert denied(lambda item=item: dynamodb.delete_item(TableName=table, Key=item)) is not may  # type: ignore[misc]


@pytest.mark.parametrize("region", [HOME, PEER])
@pytest.mark.parametrize("home", [HOME, PEER])
def test_an_engine_writes_what_the_guard_holds_only_at_home(cluster: LabCluster, home: str, region: str) -> None:
    dynamodb, table = as_engine(cluster, home, region), cluster.regions[region].table
    item = {"region": {"S": GUARD}, "asg": {"S": "sg-0123456789abcdef0"}}
    assert denied(lambda: dynamodb.put_item(TableName=table, Item=item)) is (home != region)
    cluster.lab.client("dynamodb", region).delete_item(TableName=table, Key=item)


@pytest.mark.parametrize("region", [HOME, PEER])
@pytest.mark.parametrize("home", [HOME, PEER])
def test_an_engine_reads_every_regions_rows(cluster: LabCluster, home: str, region: str) -> None:
    dynamodb, table = as_engine(cluster, home, region), cluster.regions[region].table
    for key in (HOME, PEER):
        asked = {"KeyConditionExpression": "#region = :region", "ExpressionAttributeNames": {"#region": "region"}}
        assert not denied(
            lambda key=key, asked=asked: dynamodb.query(  # type: ignore[misc]
                TableName=table, ExpressionAttributeValues={":region": {"S": key}}, **asked
            )
        )
    assert denied(lambda: dynamodb.scan(TableName=table)) is (home != region)


def test_an_engine_cannot_write_another_regions_row_in_a_transaction_or_a_batch(cluster: LabCluster) -> None:
    dynamodb, table = as_engine(cluster, HOME, HOME), cluster.regions[HOME].table
    item = {"region": {"S": PEER}, "asg": {"S": "evil"}}
    assert denied(lambda: dynamodb.transact_write_items(TransactItems=[{"Put": {"TableName": table, "Item": item}}]))
    assert denied(lambda: dynamodb.batch_write_item(RequestItems={table: [{"PutRequest": {"Item": item}}]}))
    update = {"UpdateExpression": "SET version = :v", "ExpressionAttributeValues": {":v": {"N": "1"}}}
    assert denied(lambda: dynamodb.update_item(TableName=table, Key=item, **update))


@pytest.mark.parametrize(
    ("keys", "decision"), [([HOME], "allowed"), ([PEER], "implicitDeny"), ([HOME, PEER], "implicitDeny")]
)
def test_the_policy_simulator_evaluates_the_key(cluster: LabCluster, keys: list[str], decision: str) -> None:
    # given
    context = [
        {"ContextKeyName": "aws:RequestedRegion", "ContextKeyValues": [PEER], "ContextKeyType": "string"},
        {"ContextKeyName": "dynamodb:LeadingKeys", "ContextKeyValues": keys, "ContextKeyType": "stringList"},
    ]
    # when
    results = cluster.lab.client("iam", HOME).simulate_principal_policy(
        PolicySourceArn=engine_role(cluster, HOME),
        ActionNames=["dynamodb:PutItem", "dynamodb:DeleteItem"],
        ResourceArns=[f"arn:aws:dynamodb:{PEER}:123456789012:table/ringfence-demo"],
        ContextEntries=context,
    )["EvaluationResults"]
    # then
    assert [result["EvalDecision"] for result in results] == [decision, decision]
