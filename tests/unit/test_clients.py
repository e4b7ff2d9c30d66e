"""The clients: every call names its cause, and a peer that is down costs one short attempt. No request is sent."""

from collections.abc import Callable
from io import BytesIO
from typing import Any

import pytest
from botocore.awsrequest import AWSPreparedRequest, AWSResponse, HeadersDict
from botocore.exceptions import EndpointConnectionError
from botocore.session import Session

from ringfence import __version__
from ringfence.aws.clients import Attribution, Clients
from ringfence.core.model.identifiers import Region
from tests.unit.builders import EAST, WEST

Sent = list[AWSPreparedRequest]


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    """Botocore waits between its attempts, and looks for an endpoint in the environment."""
    monkeypatch.setattr("botocore.endpoint.time.sleep", lambda _: None)
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)


@pytest.fixture(scope="module")
def session() -> Session:
    """One session for all tests: it reads the model of each service once."""
    session = Session()
    session.set_credentials("AKIAEXAMPLE", "example")
    return session


@pytest.fixture
def make(session: Session) -> Callable[[str, Region, Attribution], tuple[Any, Sent]]:
    """Makes a client of the home Region's engine and a list of what it would send. Every request fails to connect."""

    def made(service: str, region: Region, attribution: Attribution) -> tuple[Any, Sent]:
        client, sent = Clients(session, EAST, attribution).make(service, region), Sent()

        def refuse(request: AWSPreparedRequest, **_: object) -> None:
            sent.append(request)
            raise EndpointConnectionError(endpoint_url=request.url)

        client.meta.events.register_last("before-send.*", refuse)
        return client, sent

    return made


CALLS = {
    "ec2": lambda client: client.describe_instances(),
    "dynamodb": lambda client: client.scan(TableName="ringfence-demo"),
    "autoscaling": lambda client: client.describe_auto_scaling_groups(),
    "sqs": lambda client: client.send_message(QueueUrl="https://sqs.us-east-1.amazonaws.com/1/q", MessageBody="x"),
}
Make = Callable[[str, Region, Attribution], tuple[Any, Sent]]


def call(client: Any, service: str) -> None:
    with pytest.raises(EndpointConnectionError):
        CALLS[service](client)


@pytest.mark.parametrize("service", CALLS)
def test_every_call_of_every_service_carries_the_ids_of_its_events(make: Make, service: str) -> None:
    client, sent = make(service, EAST, Attribution(("6a7e8feb-b491", "schedule 2025-11-30T12:00:00Z")))
    call(client, service)
    agent = sent[0].headers["User-Agent"]
    assert agent.endswith(f" ringfence/{__version__} cause/6a7e8feb-b491+schedule_2025-11-30T12_00_00Z")
    assert "Botocore/" in agent


def test_a_kept_client_names_the_cause_of_each_invocation(make: Make) -> None:
    # given
    attribution = Attribution(("first",))
    client, sent = make("ec2", WEST, attribution)
    call(client, "ec2")
    # when
    attribution.causes = ("second",)
    call(client, "ec2")
    # then
    first, second = (request.headers["User-Agent"].rpartition(" ")[2] for request in sent)
    assert (first, second) == ("cause/first", "cause/second")


def test_each_attempt_names_its_cause_once(make: Make) -> None:
    client, sent = make("ec2", EAST, Attribution(("event-1",)))
    call(client, "ec2")
    assert [request.headers["User-Agent"].count("cause/") for request in sent] == [1, 1, 1]


def test_a_call_without_a_cause_names_none(make: Make) -> None:
    client, sent = make("ec2", EAST, Attribution())
    call(client, "ec2")
    assert sent[0].headers["User-Agent"].endswith(" cause/none")


@pytest.mark.parametrize("hostile", ["a\r\nX-Evil: 1", "a b", 'a"b', "grüße", "a/b(c)", "\x00"])
def test_a_hostile_id_stays_within_the_cause(make: Make, hostile: str) -> None:
    client, sent = make("ec2", EAST, Attribution((hostile,)))
    call(client, "ec2")
    cause = sent[0].headers["User-Agent"].rpartition("cause/")[2]
    assert cause
    assert cause.isascii()
    assert not set(cause) & set(' \r\n"/()\x00')


def test_the_causes_of_a_batch_of_ten_events_fit_into_the_user_agent(make: Make) -> None:
    ids = tuple(f"6a7e8feb-b491-4cf7-a9f1-bf370346771{n}" for n in range(10))
    client, sent = make("ec2", EAST, Attribution(ids))
    call(client, "ec2")
    agent = sent[0].headers["User-Agent"]
    assert all(id in agent for id in ids)
    assert len(agent) <= 1024


def test_any_number_of_causes_stays_within_the_user_agent_that_cloudtrail_keeps(make: Make) -> None:
    client, sent = make("ec2", EAST, Attribution(("x" * 100,) * 100))
    call(client, "ec2")
    assert len(sent[0].headers["User-Agent"]) <= 1024


@pytest.mark.parametrize(("region", "attempts"), [(WEST, 1), (EAST, 3)], ids=["peer", "home"])
@pytest.mark.parametrize("service", ["ec2", "dynamodb"])
def test_a_peer_gets_one_attempt_and_home_gets_three(make: Make, service: str, region: Region, attempts: int) -> None:
    client, sent = make(service, region, Attribution())
    call(client, service)
    assert len(sent) == attempts


@pytest.mark.parametrize(("region", "read"), [(WEST, 3), (EAST, 5)], ids=["peer", "home"])
def test_the_time_outs_of_a_call_fit_into_the_peers_deadline(make: Make, region: Region, read: int) -> None:
    client, _ = make("ec2", region, Attribution())
    assert (client.meta.config.connect_timeout, client.meta.config.read_timeout) == (1, read)


def test_a_client_calls_its_own_region(make: Make) -> None:
    client, _ = make("ec2", WEST, Attribution())
    assert client.meta.region_name == WEST
    assert WEST in client.meta.endpoint_url


def test_a_timestamp_stays_text(session: Session) -> None:
    # given
    instance = "<item><instanceId>i-1</instanceId><launchTime>2026-01-01T00:00:00.000Z</launchTime></item>"
    body = f"<reservationSet><item><instancesSet>{instance}</instancesSet></item></reservationSet>"
    client = Clients(session, EAST, Attribution()).make("ec2", EAST)

    def answer(request: AWSPreparedRequest, **_: object) -> AWSResponse:
        raw = BytesIO(f"<DescribeInstancesResponse>{body}</DescribeInstancesResponse>".encode())
        raw.stream = lambda *_args, **_named: iter([raw.read()])  # type: ignore[attr-defined]  # as urllib3 gives it
        return AWSResponse(request.url, 200, HeadersDict(), raw)  # type: ignore[arg-type]  # the stubs know only urllib3's

    client.meta.events.register_last("before-send.*", answer)
    # when
    described = client.describe_instances()["Reservations"][0]["Instances"][0]
    # then
    assert described == {"InstanceId": "i-1", "LaunchTime": "2026-01-01T00:00:00.000Z"}
