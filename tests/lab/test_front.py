"""The lab's port in front of an application that echoes: HTTP with real clients, and network faults."""

import http.client
import json
import socket
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from ringfence_lab.control.client import RunningLab
from ringfence_lab.emulator.connection import AsgiMessage, Receive, Send
from ringfence_lab.emulator.faults import BadFault
from tests.lab.fronts import front_of

SIGNED = {"Authorization": "AWS4-HMAC-SHA256 Credential=KEY/20261123/us-west-2/ec2/aws4_request, Signature=0"}
SIGNATURE = b"\r\n".join(f"{name}: {value}".encode() for name, value in SIGNED.items())
UNREACHED = 5.0


async def echo(scope: AsgiMessage, receive: Receive, send: Send) -> None:
    """Answers with the request, in two parts for the path `/streamed`."""
    request = await receive()
    answer = json.dumps({"method": scope["method"], "path": scope["path"], "body": request["body"].decode()}).encode()
    streamed = scope["path"] == "/streamed"
    await send({"type": "http.response.start", "status": 201, "headers": [(b"content-type", b"application/json")]})
    if streamed:
        await send({"type": "http.response.body", "body": answer[:5], "more_body": True})
    await send({"type": "http.response.body", "body": answer[5:] if streamed else answer})


@dataclass(frozen=True, slots=True)
class Served:
    """A running front."""

    port: int
    control: RunningLab

    @property
    def host(self) -> bytes:
        """The header Host, with the end of its line."""
        return f"Host: 127.0.0.1:{self.port}\r\n".encode()

    def request(self, method: str = "POST", path: str = "/", body: Any = b"hello", **options: Any) -> tuple[int, bytes]:
        """Sends one request, signed for EC2 in us-west-2."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=UNREACHED)
        connection.request(method, path, body, SIGNED, **options)
        answer = connection.getresponse()
        return answer.status, answer.read()


@pytest.fixture
def served() -> Iterator[Served]:
    with front_of(echo) as port:
        yield Served(port, RunningLab(port=port))


def test_the_application_receives_the_request_and_answers(served: Served) -> None:
    status, answer = served.request("PUT", "/a%20path?query=1", b"body")

    assert status == 201
    assert json.loads(answer) == {"method": "PUT", "path": "/a path", "body": "body"}


def test_a_connection_serves_many_requests(served: Served) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", served.port)
    connection.connect()
    first = connection.sock

    for _ in range(3):
        connection.request("POST", "/", b"again", SIGNED)
        assert connection.getresponse().read()

    assert connection.sock is first


def test_a_request_and_an_answer_can_be_chunked(served: Served) -> None:
    _, answer = served.request("POST", "/streamed", iter([b"one", b"two"]), encode_chunked=True)

    assert json.loads(answer)["body"] == "onetwo"


def test_a_head_request_gets_no_body_and_the_connection_stays_usable(served: Served) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", served.port, timeout=UNREACHED)

    connection.request("HEAD", "/")
    head = connection.getresponse()
    head.read()
    connection.request("GET", "/next")

    assert head.status == 201
    assert json.loads(connection.getresponse().read())["path"] == "/next"


def test_a_client_that_expects_100_continue_gets_it(served: Served) -> None:
    with socket.create_connection(("127.0.0.1", served.port), timeout=UNREACHED) as client:
        client.sendall(b"PUT / HTTP/1.1\r\n" + served.host + b"Content-Length: 5\r\nExpect: 100-continue\r\n\r\n")
        interim = client.recv(100)
        client.sendall(b"after")
        answer = client.recv(1000)

    assert interim.startswith(b"HTTP/1.1 100 Continue")
    assert b"after" in answer


def test_a_reset_drops_the_connection(served: Served) -> None:
    served.control.fault("us-west-2", "reset")

    with socket.create_connection(("127.0.0.1", served.port), timeout=UNREACHED) as client:
        client.sendall(b"POST / HTTP/1.1\r\n" + served.host + b"Content-Length: 0\r\n" + SIGNATURE + b"\r\n\r\n")

        with pytest.raises(ConnectionResetError):  # a closed connection would return an empty read
            client.recv(100)


def test_a_hang_never_answers(served: Served) -> None:
    served.control.fault("us-west-2", "hang")
    connection = http.client.HTTPConnection("127.0.0.1", served.port, timeout=0.3)
    connection.request("POST", "/", b"", SIGNED)

    with pytest.raises(TimeoutError):
        connection.getresponse()


def test_a_request_that_hung_is_not_served_after_healing(served: Served) -> None:
    served.control.fault("us-west-2", "hang")
    connection = http.client.HTTPConnection("127.0.0.1", served.port, timeout=0.3)
    connection.request("POST", "/", b"", SIGNED)
    with pytest.raises(TimeoutError):
        connection.getresponse()

    served.control.heal("us-west-2")
    status, _ = served.request()
    connection.close()

    assert status == 201
    assert [call.status for call in served.control.calls() if not call.fault] == [201]


def test_a_delay_answers_late(served: Served) -> None:
    served.control.fault("us-west-2", "delay=0.3", "ec2")
    started = time.monotonic()

    status, _ = served.request()

    assert status == 201
    assert time.monotonic() - started >= 0.3


def test_a_throttled_service_answers_and_the_connection_stays_open(served: Served) -> None:
    served.control.fault("us-west-2", "throttle", "ec2")
    connection = http.client.HTTPConnection("127.0.0.1", served.port, timeout=UNREACHED)
    connection.request("POST", "/", b"", SIGNED)
    throttled = connection.getresponse().read()
    served.control.heal()
    connection.request("POST", "/", b"", SIGNED)

    assert b"RequestLimitExceeded" in throttled
    assert connection.getresponse().status == 201


@pytest.mark.parametrize(("region", "service"), [("us-east-1", None), ("us-west-2", "dynamodb")])
def test_a_fault_affects_only_its_region_and_service(served: Served, region: str, service: str | None) -> None:
    served.control.fault(region, "reset", service)

    assert served.request()[0] == 201


def test_a_fault_does_not_affect_the_labs_own_requests(served: Served) -> None:
    served.control.fault("us-west-2", "hang")

    assert served.control.faults() == [{"region": "us-west-2", "service": None, "fault": "hang"}]


def test_the_lab_refuses_unknown_input_with_the_reason(served: Served) -> None:
    with pytest.raises(BadFault, match="mars-1"):
        served.control.fault("mars-1", "hang")
    with pytest.raises(BadFault, match="explode"):
        served.control.fault("us-west-2", "explode")
    with pytest.raises(BadFault, match="teleport"):
        served.control.fault("us-west-2", "hang", "teleport")


def test_every_signed_request_is_logged(served: Served) -> None:
    served.request(body=b"Action=DescribeInstances")
    served.control.fault("us-west-2", "throttle")
    served.request()
    http.client.HTTPConnection("127.0.0.1", served.port).request("GET", "/unsigned")

    fine, throttled = served.control.calls()

    assert (fine.region, fine.service, fine.status, fine.fault) == ("us-west-2", "ec2", 201, "")
    assert (fine.caller.access_key, fine.caller.principal) == ("KEY", "arn:of:caller")
    assert (throttled.status, throttled.fault) == (503, "throttle")


def test_the_log_can_be_cleared(served: Served) -> None:
    served.request()

    served.control.clear_calls()

    assert served.control.calls() == []


def test_a_client_that_does_not_speak_http_is_disconnected(served: Served) -> None:
    with socket.create_connection(("127.0.0.1", served.port), timeout=UNREACHED) as client:
        client.sendall(b"\x16\x03\x01 this is TLS\r\n\r\n")

        assert client.recv(100) == b""
